#!/bin/bash
# The postgresql check on PostgreSQL itself: a primary and its standby, every
# way to log in, and what the server logs of it.
set -uo pipefail
# shellcheck source=tests/lib/databases.bash
. "$(dirname "$0")/../lib/databases.bash"

programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
PATH=$programs:$PATH
databases_up postgres

as_postgres() { there setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }

# pg_start NAME PORT OPTION...: returns once it answers.
pg_start() {
	databases_start "$1" setpriv --reuid=postgres --regid=postgres --clear-groups \
		postgres -D "$run/$1" -p "$2" -k "$run/$1" -c listen_addresses=127.0.0.1 "${@:3}"
	eventually sql "$1" "$2" 'SELECT 1'
}

# sql NAME PORT SQL
sql() { as_postgres psql -X -A -t -h "$run/$1" -p "$2" -U postgres -d postgres -c "$3"; }

mkdir "$run/primary"
chown postgres: "$run/primary"
if ! as_postgres initdb -D "$run/primary" -A trust -U postgres >"$run/initdb" 2>&1; then
	note <"$run/initdb"
	exit 1
fi
{
	openssl req -new -x509 -days 30 -nodes -subj /CN=db1 -out "$run/primary/server.crt" \
		-keyout "$run/primary/server.key"
	chown postgres: "$run"/primary/server.*
	chmod 600 "$run/primary/server.key"
	cp "$run/primary/server.crt" "$run/ca.pem"
	openssl req -new -x509 -days 30 -nodes -subj /CN=other -out "$run/other.pem" -keyout /dev/null
} >"$run/openssl" 2>&1
cat >"$run/primary/pg_hba.conf" <<-END
	local   all          all                     trust
	host    replication  all      127.0.0.1/32   trust
	host    all          trusted  127.0.0.1/32   trust
	host    all          hashed   127.0.0.1/32   md5
	hostssl all          clear    127.0.0.1/32   password
	host    all          open     127.0.0.1/32   password
	hostssl all          secure   127.0.0.1/32   scram-sha-256
	host    all          scram    127.0.0.1/32   scram-sha-256
END
pg_start primary 7101 -c ssl=on -c max_connections=8 -c superuser_reserved_connections=3 || exit
sql primary 7101 "SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD 'a word'" >/dev/null
for role in scram clear open secure; do
	sql primary 7101 "CREATE ROLE $role LOGIN PASSWORD 'a longer word'" >/dev/null
done
sql primary 7101 "CREATE ROLE trusted LOGIN" >/dev/null

# silently CMD...: the server's log did not grow by it.
lines() { wc -l <"$run/primary.log"; }
silently() {
	local before
	before=$(lines)
	"$@"
	equal "... and not a line in the server's log" "$before" "$(lines)"
}

silently is "nobody's account: it answers" "up: ok" 7101 type=postgresql
silently is "no password" "up: ok" 7101 type=postgresql user=trusted tls=off
silently is "md5" "up: ok" 7101 type=postgresql user=hashed "password=a word" tls=off
silently is "SCRAM" "up: ok" 7101 type=postgresql user=scram "password=a longer word" tls=off
silently is "SCRAM in TLS, where it is offered" "up: ok" 7101 type=postgresql user=scram \
	"password=a longer word"
silently is "... by the authority that is named" "up: ok" 7101 type=postgresql user=secure \
	"password=a longer word" tls=required ca="$run/ca.pem"
silently is "the password itself in TLS, to whom our authority vouches for" "up: ok" 7101 \
	type=postgresql user=clear "password=a longer word" ca="$run/ca.pem"
is "and to nobody else in TLS" "up: account refused" 7101 type=postgresql user=clear \
	"password=a longer word"
silently is "the password itself is not said in the clear" "up: account refused" 7101 \
	type=postgresql user=open "password=a longer word" tls=off
silently is "a writer" "up: ok" 7101 type=postgresql user=scram "password=a longer word" role=writer
silently is "no reader" "unknown: not in that role" 7101 type=postgresql user=scram \
	"password=a longer word" role=reader
is "a stranger's certificate" "unknown: no trusted tls" 7101 type=postgresql user=scram \
	"password=a longer word" tls=required ca="$run/other.pem"
is "an account for TLS alone, without it" "up: account refused 28000" 7101 type=postgresql user=secure \
	"password=a longer word" tls=off
is "a wrong password" "up: account refused" 7101 type=postgresql user=scram password=wrong
is "... says nothing of a role" "unknown: account refused" 7101 type=postgresql user=scram \
	password=wrong role=writer
is "no such account" "up: account refused" 7101 type=postgresql user=nobody password=x

waiting() { there ss -Htan state time-wait dport = :7101 | wc -l; }
at=$(waiting)
hundred() { probe 7101 type=postgresql interval=100 checks=100 limit=60 >"$run/hundred"; }
silently hundred
check "a hundred checks without an account are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/hundred"
at_most "... and no TIME_WAIT stays with us" "$at" "$(waiting)"
fifty() {
	probe 7101 type=postgresql user=scram "password=a longer word" role=writer interval=100 checks=50 \
		limit=60 >"$run/fifty"
}
silently fifty
check "fifty logins are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/fifty"

# All places for others are taken. One that asks how many it is by now may be in another's way.
held() { [ "$(sql primary 7101 "SELECT count(*) FROM pg_stat_activity WHERE usename = 'trusted'")" = "$1" ]; }
sessions=()
hold() {
	local try
	for ((try = 0; try < 50; try++)); do
		as_postgres psql -X -h "$run/primary" -p 7101 -U trusted -d postgres \
			-c 'SELECT pg_sleep(600)' >"$run/session" 2>&1 &
		while kill -0 $! 2>/dev/null; do
			held "$1" && sessions+=($!) && return
			sleep 0.1
		done
	done
	note <"$run/session"
	return 1
}
for i in 1 2 3 4 5; do hold "$i"; done
is "as many connections as it takes" "up: too many connections 53300" 7101 type=postgresql user=scram \
	"password=a longer word"
sql primary 7101 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'trusted'" \
	>/dev/null
wait "${sessions[@]}" 2>/dev/null

mkdir -m 700 "$run/standby"
chown postgres: "$run/standby"
as_postgres pg_basebackup -h 127.0.0.1 -p 7101 -U postgres -D "$run/standby" -R 2>"$run/backup"
pg_start standby 7102 || { note <"$run/standby.log"; exit 1; }
is "a standby is a reader" "up: ok" 7102 type=postgresql user=scram "password=a longer word" role=reader
is "... and no writer" "unknown: not in that role" 7102 type=postgresql user=scram \
	"password=a longer word" role=writer
databases_stop standby

# One that has nothing to recover from, and waits for it: it is starting up.
pg_start standby 7102 -c hot_standby=off -c primary_conninfo= -c restore_command=false &
starting=$!
starts() { probe 7102 type=postgresql user=scram "password=a longer word" | grep -q "not ready"; }
check "a server that starts up is not ready" eventually starts
is "... but answers" "up: ok" 7102 type=postgresql
kill "$starting" 2>/dev/null
wait "$starting" 2>/dev/null
kill -KILL "$(head -n 1 "$run/standby/postmaster.pid")"
databases_stop primary
is "a server that is gone" "unknown: refused" 7101 type=postgresql user=scram "password=a longer word"

tap_done
