#!/bin/bash
# The grpc check on a server of gRPC's own library, with a health service that
# says of each service what the test wants, and none, and with one that leaves.
set -uo pipefail
# shellcheck source=tests/lib/databases.bash
. "$(dirname "$0")/../lib/databases.bash"

databases_up /usr/bin/python3
/usr/bin/python3 -c 'import grpc' 2>/dev/null ||
	skip_all "no python3-grpcio here: deploy/install-deps databases"

# grpc_start NAME ARGUMENT...: returns once it serves.
grpc_start() {
	databases_start "$1" /usr/bin/python3 "$project/tests/lib/grpc_server.py" "${@:2}"
	listens() { grep -q '^serves$' "$run/$1.log"; }
	eventually listens "$1"
}

# down DESCRIPTION REASON PORT KEY=VALUE...
down() { is "$1" "unknown: $2\|down: $2" "${@:3}" type=grpc; }

if ! grpc_start health 7001; then
	note <"$run/health.log"
	exit 1
fi

is "a server that serves" "up: ok" 7001 type=grpc
is "... a service that does" "up: ok" 7001 type=grpc service=shop.v1.Cart
is "... by another name of the host" "up: ok" 7001 type=grpc host=shop.example
down "a service that does not" "not serving 0" 7001 service=shop.v1.Stock
down "a service it does not know" "service unknown 0" 7001 service=shop.v1.Ghost
down "... and says so in its answer" "service unknown 0" 7001 service=watched
down "a service that fails" "grpc status 14" 7001 service=fails
down "... with many words" "grpc status 2" 7001 service=talks
down "... that hangs" "timeout" 7001 service=hangs
down "an answer that is too long" "answer too long 0" 7001 service=long

grpc_start bare 7002 --without-health
down "a server without the health service" "no health service 0" 7002

# A hundred checks, and nothing of them stays.
waiting() { there ss -Htan state time-wait dport = :7001 | wc -l; }
open() { there ss -Htan state established sport = :7001 | wc -l; }
at=$(waiting)
probe 7001 type=grpc service=shop.v1.Cart interval=100 checks=100 limit=60 >"$run/hundred"
check "a hundred checks are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/hundred"
note <"$run/hundred"
at_most "... and no TIME_WAIT stays with us" "$at" "$(waiting)"
none() { [ "$(open)" = 0 ]; }
check "... and no connection with the server" eventually none
equal "... and the server warns of nothing" serves "$(cat "$run/health.log")"

# Inside TLS: whom it trusts, and what it shows. A server has to choose h2 (ALPN), as gRPC's does.
certificates server.example client.example
pki=$run/pki
if ! grpc_start tls 7011 --tls "$pki/server.example.crt" "$pki/server.example.key" ||
	! grpc_start demands 7012 --tls "$pki/server.example.crt" "$pki/server.example.key" \
		--demands "$pki/ca.crt"; then
	cat "$run"/{tls,demands,pki}.log | note
	exit 1
fi
secured() { is "$1" "$2" "$3" type=grpc tls=required "${@:4}"; }
unsecured() { secured "$1" "unknown: \($2\)\|down: \($2\)" "${@:3}"; }
secured "a server with TLS" "up: ok" 7011
secured "... a service of its" "up: ok" 7011 service=shop.v1.Cart
unsecured "... one that does not serve" "not serving" 7011 service=shop.v1.Stock
secured "... that is vouched for" "up: ok" 7011 "ca=$pki/ca.crt" server=server.example
secured "... by its host" "up: ok" 7011 "ca=$pki/ca.crt" host=server.example:7011
unsecured "... for another name" "certificate of others" 7011 "ca=$pki/ca.crt" server=other.example
unsecured "... by somebody else" "no trusted tls" 7011 "ca=$pki/stranger.crt" server=server.example
down "... without TLS" "closed early\|bad reply" 7011
demands_certificate 7012
unsecured "a server without TLS" "not tls\|closed early" 7001
databases_start web openssl s_server -accept 127.0.0.1:7013 -cert "$pki/server.example.crt" \
	-key "$pki/server.example.key" -alpn http/1.1 -www -quiet
talks() { there curl -sk --http1.1 https://127.0.0.1:7013/; }
eventually talks
unsecured "a web server with TLS, which is not h2" "no http2" 7013

# Ports of another kind, each with words of its own.
databases_start http /usr/bin/python3 -m http.server --bind 127.0.0.1 7003
answers() { there curl -s http://127.0.0.1:7003/; }
eventually answers
down "a server of HTTP/1" "bad reply 0\|unknown: closed early 0\|down: closed early 0" 7003
databases_stop health
down "a server that is gone" "refused" 7001

tap_done
