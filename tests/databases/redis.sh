#!/bin/bash
# The redis check on Redis itself: a master and its replica, with and without
# accounts, and what the server logs and counts of it.
set -uo pipefail
# shellcheck source=tests/lib/databases.bash
. "$(dirname "$0")/../lib/databases.bash"

databases_up redis-server

# redis_start NAME PORT OPTION...: returns once it serves.
redis_start() {
	mkdir -p "$run/$1"
	databases_start "$1" redis-server --port "$2" --bind 127.0.0.1 --dir "$run/$1" --save '' \
		--loglevel verbose "${@:3}"
	eventually cli "$2" PING
}

# cli PORT COMMAND...
cli() { there redis-cli -p "$@"; }

if ! redis_start master 7001 || ! redis_start replica 7002 --replicaof 127.0.0.1 7001; then
	note <"$run/master.log"
	exit 1
fi
follows() { cli 7002 ROLE | grep -qx connected; }
eventually follows

is "a master is alive" "up: ok" 7001 type=redis
is "... and a writer" "up: ok" 7001 type=redis role=writer
is "... and no reader" "unknown: not in that role\|down: not in that role" 7001 type=redis role=reader
is "a replica is a reader" "up: ok" 7002 type=redis role=reader
is "... and no writer" "unknown: not in that role\|down: not in that role" 7002 type=redis role=writer
is "an account that nobody set is said so" "up: account refused" 7001 type=redis user=default password=x

cli 7001 ACL SETUSER checker on '>a word' resetkeys -@all +ping +role >/dev/null
cli 7001 ACL SETUSER mute on '>a word' resetkeys -@all >/dev/null
is "an account with the rights that the manual names" "up: ok" 7001 type=redis user=checker \
	"password=a word" role=writer
is "a wrong password" "up: account refused" 7001 type=redis user=checker password=wrong
is "... says nothing of a role" "unknown: account refused" 7001 type=redis user=checker \
	password=wrong role=writer
is "an account without rights" "up: account refused" 7001 type=redis user=mute "password=a word"
cli 7001 CONFIG SET requirepass "a longer word" >/dev/null
is "no account where one is needed" "up: account refused" 7001 type=redis
is "a password alone" "up: ok" 7001 type=redis user=default "password=a longer word"

# A hundred checks, and nothing of them stays.
counted() {
	there redis-cli -p 7001 -a "a longer word" --no-auth-warning INFO stats |
		grep -E '^(rejected_connections|total_error_replies):'
}
waiting() { there ss -Htan state time-wait dport = :7001 | wc -l; }
before=$(counted)
at=$(waiting)
probe 7001 type=redis user=checker "password=a word" role=writer interval=100 checks=100 limit=60 \
	>"$run/hundred"
check "a hundred checks are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/hundred"
at_most "... and no TIME_WAIT stays with us" "$at" "$(waiting)"
equal "... and no error is counted" "$before" "$(counted)"
equal "... and the server warns of nothing" 0 "$(grep -c ' # .*client' "$run/master.log")"

# Inside TLS: whom it trusts, what it shows, and whom it tells its password.
certificates server.example client.example
pki=$run/pki
redis_tls() { # NAME PORT OPTION...
	mkdir -p "$run/$1"
	databases_start "$1" redis-server --port 0 --tls-port "$2" --bind 127.0.0.1 --dir "$run/$1" \
		--save '' --tls-cert-file "$pki/server.example.crt" \
		--tls-key-file "$pki/server.example.key" --tls-ca-cert-file "$pki/ca.crt" "${@:3}"
	answers() {
		there redis-cli --tls --cacert "$pki/ca.crt" --cert "$pki/client.example.crt" \
			--key "$pki/client.example.key" -p "$1" PING | grep -q .
	}
	eventually answers "$2"
}
if ! redis_tls tls 7011 --tls-auth-clients no || ! redis_tls demands 7012 ||
	! redis_tls locked 7014 --tls-auth-clients no --requirepass "a longer word"; then
	cat "$run"/{tls,demands,locked,pki}.log | note
	exit 1
fi
secured() { is "$1" "$2" "$3" type=redis tls=required "${@:4}"; }
unsecured() { secured "$1" "unknown: \($2\)\|down: \($2\)" "${@:3}"; }
secured "a server with TLS" "up: ok" 7011
secured "... that is a writer" "up: ok" 7011 role=writer
secured "... that is vouched for" "up: ok" 7011 "ca=$pki/ca.crt" server=server.example
unsecured "... for another name" "certificate of others" 7011 "ca=$pki/ca.crt" server=other.example
unsecured "... by somebody else" "no trusted tls" 7011 "ca=$pki/stranger.crt"
is "... without TLS" "unknown: closed early\|down: closed early" 7011 type=redis
secured "a password inside TLS" "up: ok" 7014 "ca=$pki/ca.crt" user=default "password=a longer word"
secured "... that is wrong" "up: account refused" 7014 "ca=$pki/ca.crt" user=default password=x
secured "... that is missing" "up: account refused" 7014 "ca=$pki/ca.crt"
demands_certificate 7012
# By inline commands: it waits for the end of a line, if there is none in what begins TLS.
unsecured "a server without TLS" "timeout\|not tls" 7002
at=$(there ss -Htan state time-wait dport = :7011 | wc -l)
probe 7011 type=redis tls=required "ca=$pki/ca.crt" interval=100 checks=100 limit=60 >"$run/secured"
check "a hundred checks inside TLS are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/secured"
at_most "... and no TIME_WAIT stays with us" "$at" "$(there ss -Htan state time-wait dport = :7011 | wc -l)"

cli 7002 CONFIG SET replica-serve-stale-data no >/dev/null
databases_stop master
lost() { cli 7002 ROLE | grep -qE '^connect(ing)?$'; }
eventually lost
is "a replica that lost its master is not ready" "unknown: not ready\|down: not ready" 7002 type=redis \
	role=reader
is "... whoever asks, where it does not serve old data" "unknown: not ready\|down: not ready" 7002 \
	type=redis
is "a server that is gone" "unknown: refused\|down: refused" 7001 type=redis

# Filled, stopped and started again: it says that it loads until it has loaded.
redis_start load 7003 --save '3600 1' --rdbcompression no
for key in {1..30}; do cli 7003 SETRANGE "$key" 4000 x >/dev/null; done
cli 7003 SHUTDOWN SAVE >/dev/null 2>&1
wait "${database_pids[load]}"
unset "database_pids[load]"
databases_start load redis-server --port 7003 --bind 127.0.0.1 --dir "$run/load" \
	--key-load-delay 300000 --loading-process-events-interval-bytes 1024
loads() { cli 7003 PING | grep -q LOADING; }
eventually loads
check "it is loading" loads
is "a server that loads is not ready" "unknown: not ready\|down: not ready" 7003 type=redis

tap_done
