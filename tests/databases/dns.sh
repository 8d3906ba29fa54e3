#!/bin/bash
# The dns check, and the udp check, on a name server itself (dnsmasq): names that
# it knows and does not, what it sees of the checks, and a server that is gone.
set -uo pipefail
# shellcheck source=tests/lib/databases.bash
. "$(dirname "$0")/../lib/databases.bash"

databases_up dnsmasq

# It knows www.test and nothing else, and nobody to ask.
databases_start server dnsmasq --keep-in-foreground --conf-file=/dev/null --port=7053 --user=root \
	--pid-file= --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --local=/test/ \
	--host-record=www.test,10.9.9.9 --log-queries --log-facility=-
listens() { there ss -Hlun sport = :7053 | grep -q .; }
if ! eventually listens; then
	note <"$run/server.log"
	exit 1
fi

is "a name that it knows" "up: ok" 7053 type=dns name=www.test record=A
is "... in other letters" "up: ok" 7053 type=dns name=WWW.test. record=A
is "... of which it has no such record" "up: ok" 7053 type=dns name=www.test record=AAAA
is "a name that there is not" "unknown: dns error 3\|down: dns error 3" 7053 type=dns name=no.test record=A
is "... where that is expected" "up: ok" 7053 type=dns name=no.test record=A rcodes=NOERROR,NXDOMAIN
is "the root, where it has nobody to ask" "unknown: dns error 5\|down: dns error 5" 7053 type=dns
is "a port where nothing listens" "unknown: refused\|down: refused" 7054 type=dns

# A question for "." that a person wrote as bytes: what comes back repeats its id.
is "bytes, and bytes in the answer" "up: ok" 7053 type=udp \
	'send=\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01' 'answer=\xab\xcd'
is "... that are not in it" "unknown: no match\|down: no match" 7053 type=udp \
	'send=\xab\xcd\x01\0\0\x01\0\0\0\0\0\0\0\0\x06\0\x01' 'answer=\xff\xff\xff'
is "what it does not answer, without an answer to look for" "up: silent" 7053 type=udp
is "... and with one" "unknown: timeout\|down: timeout" 7053 type=udp answer=x
is "a port where nothing listens, without an answer to look for" "unknown: refused\|down: refused" \
	7054 type=udp

asked() { grep -c 'query\[A\] many.test' "$run/server.log"; }
probe 7053 type=dns name=many.test record=A rcodes=NXDOMAIN interval=100 checks=100 limit=60 \
	>"$run/hundred"
check "a hundred checks are well" grep -q "^up: ok 0, [0-9]* ok, 0 failed" "$run/hundred"
note "$(tail -n 1 "$run/hundred")"
at_most "... with a question each" 103 "$(asked)"
equal "... and no socket stays" 0 "$(there ss -Hun dport = :7053 | wc -l)"

# Nobody has that address: the kernel says so when it has asked for it three times.
there ip link add near type veth peer name far
there ip address add 10.77.0.1/24 dev near
there ip link set near up
there ip link set far up
gone=$(there "$build/tools/prober" 10.77.0.9:53 interval=6000 timeout=6000 type=udp | tail -n 1)
check "a host that is not there, without an answer to look for" grep -q "unreachable" <<<"$gone"
note "$gone"

databases_stop server
is "a server that is gone" "unknown: refused\|down: refused" 7053 type=dns name=www.test record=A

tap_done
