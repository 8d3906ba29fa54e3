#!/bin/bash
# The agent beyond loopback, with all its processes: what it refuses to start with, who is let in,
# what the http process may, and what becomes of either side when the other dies.
#
# The kernel's table has no part in it: without IPVS the ipvs process fails, and nothing else.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/wait.sh
. tests/lib/wait.sh

build=${PARASAUS_BUILD:-$PWD/build/release}
run=$(mktemp -d /tmp/remote.XXXXXX) # where its user comes in, too
agent=
end() {
	[ -z "$agent" ] || kill "$agent" 2>/dev/null
	wait
	rm -rf "$run"
}
trap end EXIT
chmod 755 "$run"

# The kernel's choice, which nobody else has in the moment between.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

configure() { # TLS HOSTS
	cat >"$run/parasaus.yaml" <<-END
		node: lb-1
		user: nobody
		stateDirectory: $run/state
		vipRanges: [10.9.0.0/24]
		sources: [{directory: $run}]
		api: {socket: $run/api.sock, listen: "0.0.0.0:$port"$1}
	END
}
start() {
	"$build/parasausd" -c "$run/parasaus.yaml" >"$run/out" 2>&1 &
	agent=$!
}
stop() {
	kill "$agent" 2>/dev/null # it may have ended
	wait "$agent"
	agent=
}
said() { grep -q "$1" "$run/out"; }
status() { # PATH [TOKEN]
	curl -sk -m 10 -o /dev/null -w '%{http_code}' ${2:+-H "Authorization: Bearer $2"} \
		"https://127.0.0.1:$port$1"
}
is() { [ "$(status "$2" "${3:-}")" = "$1" ]; }
says() { # TEXT COMMAND...
	local text=$1
	shift
	grep -qF -- "$text" <<<"$("$@" 2>&1)"
}
process() { pgrep -P "$agent" -f "^parasausd: $1"; }
field() { awk -v f="$1:" '$1 == f { print $2 }' "/proc/$2/status"; }

configure ''
check "without TLS it is refused" \
	grep -q "not on loopback, where it takes TLS: add 'tls: {selfSigned: true}'" \
	<("$build/parasausd" -c "$run/parasaus.yaml" 2>&1)

configure ', tls: {certificate: /nowhere.pem, key: /nowhere.key}'
start
check "a certificate that is not there is named" wait_for 10 said 'http: api.tls: /nowhere.pem'
stop

# issue NAME SUBJECT: NAME.crt and NAME.key, of the authority in people.crt
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=people \
	-keyout "$run/people.key" -out "$run/people.crt" 2>"$run/openssl" || note <"$run/openssl"
issue() {
	{
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$2" \
			-keyout "$run/$1.key" -out "$run/$1.csr"
		openssl x509 -req -in "$run/$1.csr" -CA "$run/people.crt" -CAkey "$run/people.key" -days 2 \
			-set_serial "0x$(openssl rand -hex 8)" -out "$run/$1.crt"
	} 2>"$run/openssl" || note <"$run/openssl"
}
issue alice /CN=alice
issue eve /OU=it/CN=eve
issue odd /CN=eve/CN=alice

configure ", tls: {selfSigned: true}, clientCertificates: {ca: $run/alice.crt, editors: [alice]}"
start
check "an authority that is none is named" \
	wait_for 10 said "api.clientCertificates.ca: $run/alice.crt: it holds a certificate that is none of an authority"
stop
configure ", tls: {selfSigned: true}, clientCertificates: {ca: /nowhere.crt, editors: [alice]}"
start
check "and one that is not there" wait_for 10 said 'api.clientCertificates.ca: /nowhere.crt'
stop

configure ", tls: {selfSigned: true}, clientCertificates: {ca: $run/people.crt, editors: [alice]}"
start
check "certificates let people in without any token" wait_for 10 is 200 /healthz
print=$(sed -n 's/.*SHA-256 fingerprint is //p' "$run/out")
# with NAME ARGUMENT...: parasausctl with that certificate
with() {
	local name=$1
	shift
	"$build/parasausctl" --server "https://127.0.0.1:$port" --fingerprint "$print" --cert "$run/$name.crt" \
		--key "$run/$name.key" "$@" 2>&1
}
check "who is listed is let in" says cert:alice with alice whoami
check "who is not is told what to do" says "that of 'eve' of 'OU=it', who is in no list: put 'eve'" with eve whoami
check "who has two names is not taken" says 'has it one common name?' with odd whoami
check "nor who has another's key" says "is not the key of the certificate in $run/alice.crt" \
	with alice --key "$run/eve.key" whoami
check "a file without a key is named" says "$run/alice.crt holds no private key" with alice --key "$run/alice.crt" whoami
check "and one that is not there" says '--cert: /nowhere' with alice --cert /nowhere whoami
equal "nobody is let in without" 401 "$(status /api/v1/status)"
stop

configure ', tls: {selfSigned: true}, hosts: [lb.example, 127.0.0.1]'
start
gone() { ! kill -0 "$agent" 2>/dev/null; }
check "without a token it ends" wait_for 20 gone
wait "$agent"
equal "with the status of a configuration that cannot be used" 1 $?
agent=
equal "the fix is said, and once" 1 \
	"$(grep -c "make the first one by 'parasausd --first-token NAME'" "$run/out")"
check "nobody is served" is 000 /healthz

token=$("$build/parasausd" -c "$run/parasaus.yaml" --first-token first)
check "the first token is made without an agent" grep -qE '^pst_.{43}$' <<<"$token"
start
wait_for 10 is 200 /healthz
equal "anybody sees that it is alive" 200 "$(status /healthz)"
equal "and the page" 200 "$(status /)"
equal "nobody else reads" 401 "$(status /api/v1/status)"
equal "nor with a wrong token" 401 "$(status /metrics pst_wrong)"
equal "with the token one reads" 200 "$(status /api/v1/status "$token")"
equal "another Host is refused" 421 \
	"$(curl -sk -m 10 -o /dev/null -w '%{http_code}' -H 'Host: evil.example' "https://127.0.0.1:$port/healthz")"
check "and a write is a write" grep -q '"token:first"' \
	<(curl -sk -m 10 -H "Authorization: Bearer $token" "https://127.0.0.1:$port/api/v1/whoami")
check "no second one is made beside an agent" grep -q 'an agent is running' \
	<("$build/parasausd" -c "$run/parasaus.yaml" --first-token second 2>&1)

print=$(sed -n 's/.*SHA-256 fingerprint is //p' "$run/out")
true_print=$(python3 - "$port" <<-'END'
	import hashlib, ssl, sys
	pem = ssl.get_server_certificate(("127.0.0.1", int(sys.argv[1])))
	print(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest().hex(":").upper())
END
)
equal "the fingerprint that it logs is its certificate's" "$true_print" "$print"
shown() { "$build/parasausctl" -s "$run/api.sock" get status | grep -qF "SHA-256 $print"; }
check "and is shown in the status" wait_for 10 shown

# ctl ARGUMENT...: parasausctl over TLS
printf '%s\n' "$token" >"$run/token"
ctl() { "$build/parasausctl" --server "https://127.0.0.1:$port" --token-file "$run/token" "$@" 2>&1; }
check "parasausctl trusts no certificate that nobody vouches for" says 'is vouched for by nobody' ctl get pools
check "nor another one than was named" says "its fingerprint is $print" \
	ctl --fingerprint "$(printf '%064d' 0)" get pools
lower=$(tr -d : <<<"${print,,}")
check "by its fingerprint it does" says 'token:first' ctl --fingerprint "$print" whoami
check "however that is written" says 'token:first' ctl --fingerprint "$lower" whoami
sed -n '/BEGIN CERT/,/END CERT/p' "$run/state/tls.pem" >"$run/ca.pem" 2>/dev/null
there() { # ARGUMENT...
	PARASAUS_SERVER="https://127.0.0.1:$port" "$build/parasausctl" --token-file "$run/token" "$@" 2>&1
}
check "the server may be in the environment" says 'token:first' there --fingerprint "$print" whoami
check "it trusts whom one names" says 'token:first' ctl --cacert "$run/ca.pem" whoami
check "but for no other name" says 'is vouched for by nobody' \
	ctl --server "https://localhost:$port" --cacert "$run/ca.pem" whoami
: >"$run/token"
check "a file without a token is named" says "holds not one token" ctl --fingerprint "$print" whoami
check "a URL that is none is refused" says "is not https://HOST:PORT" \
	"$build/parasausctl" --server http://127.0.0.1 get pools

http=$(process http)
if [ "$(id -u)" = 0 ]; then
	equal "the process that serves is nobody's" "$(id -u nobody)" "$(field Uid "$http")"
	equal "the key is for its user alone" "600 nobody" "$(stat -c '%a %U' "$run/state/tls.pem")"
fi
equal "it has no capability" 0000000000000000 "$(field CapPrm "$http")"
if [ "$(field Seccomp "$(process healthcheck)")" = 2 ]; then
	equal "it has a filter" 2 "$(field Seccomp "$http")"
fi
equal "it has no file open" 0 "$(find "/proc/$http/fd" -lname '/*' ! -lname '/dev/*' ! -lname "$run/out" 2>/dev/null | wc -l)"

core=$(process core)
kill -KILL "$http"
check "when it dies it is started again" wait_for 10 is 200 /api/v1/status "$token"
equal "and core goes on" "$core" "$(process core)"
http=$(process http)
kill -STOP "$agent" # so that nobody starts it again
kill -KILL "$core"
check "without core it says to come again" wait_for 10 is 503 /api/v1/status "$token"
check "with Retry-After" grep -q '^Retry-After: 1' <(curl -ski -m 10 "https://127.0.0.1:$port/")
kill -CONT "$agent"
check "when core is back, all is as it was" wait_for 10 is 200 /api/v1/status "$token"
equal "with the same http process" "$http" "$(process http)"
stop

start
wait_for 10 is 200 /healthz
equal "the certificate is kept" "$print" "$(sed -n 's/.*SHA-256 fingerprint is //p' "$run/out")"
stop
tap_done
