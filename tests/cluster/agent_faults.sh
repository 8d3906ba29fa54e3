#!/bin/bash
# What an API server and the way to it can do wrong (tests/lib/faultproxy): after each,
# what is in the kernel is as it was, and the next change comes through.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_agent faults
for n in 1 2 3; do
	service "keep$n" "3010$n" 'health-check-type: none' <<<"10.100.1.1$n 80" | apply
done
three() { [ "$(table | grep -c '^-a')" = 3 ]; }
check "three services are in the kernel" wait_for 20 three
mine=$(table)
count_start
poll_start
echo 1 >"$run/value"
changes() { echo $(($(cat "$run/value") - 1)); }

# change SECONDS: to another weight than the last one; within that time it is in the kernel. What
# `check` runs is in a shell of its own, so the number is not in a variable.
change() {
	local value
	value=$(($(cat "$run/value") % 100 + 1))
	echo $value >"$run/value"
	patch Endpoints keep1 "{\"metadata\": {\"annotations\": {\"parasaus.io/weight\": \"$value\"}}}"
	wait_for "$1" has_weight "$vip:30101" 10.100.1.11:80 "$value"
}
others_kept() { [ "$(table | grep -v 10.100.1.11)" = "$(grep -v 10.100.1.11 <<<"$mine")" ]; }
# survived NAME [SECONDS]: the next change comes through, and nothing else is other than before.
survived() {
	check "$1: a change comes through" change "${2:-20}"
	check "$1: all else is as it was" others_kept
}
# Some faults repeat or build on the last object of a stream: so that each has one.
prime() {
	patch Service keep1 "{\"metadata\": {\"labels\": {\"test\": \"seen-$(cat "$run/value")\"}}}"
	change 20
}
prime_and_harm() {
	prime
	fault "$@"
}
# A watch that follows a list has had nothing yet.
harm() { fault "$@" || wait_for 60 prime_and_harm "$@"; }
# streams NAME FAULT...: to the watches that are open now.
streams() {
	local name=$1
	shift
	wait_for 90 is_watched || note "it does not watch"
	check "$name: is done to a stream" harm "$@"
	survived "$name"
}
# answers NAME TIMES FAULT...: to so many of the next requests, and watches are cut to bring them on.
answers() {
	local name=$1 times=$2
	shift 2
	wait_for 90 is_watched || note "it does not watch"
	fault "$@" "times=$times" >"$run/fault"
	fault close >"$run/fault"
	survived "$name" 60
	fault clear >"$run/fault"
}

survived "without a fault"

streams "an event cut in the midst" cut-event
streams "streams that end in order" close
streams "an unknown type of event" unknown
streams "a bookmark without spec" bookmark
streams "an object that is known, ADDED once more" again
streams "an object of 3 MB" oversize size=3000000
streams "an object of 5 MB" oversize size=5000000
streams "5,000 events at once" burst count=5000 path=endpoints
mark=$(log_mark)
streams "410 in a stream" expire
at_most "410 in a stream: lists of services" 2 "$(lists "$mark" services)"

mark=$(log_mark)
answers "410 as the first thing, in pieces" 2 expired kind=watch
listed_again() { [ "$(lists "$mark")" -ge 2 ]; }
check "410 as the first thing: those two are listed again" wait_for 20 listed_again
wait_for 90 is_watched
mark=$(log_mark)
answers "429 in plain text" 4 status code=429 retry=1
equal "429 for a watch: no list" 0 "$(lists "$mark")"
answers "500" 4 status code=500
answers "500 that says when" 4 status code=500 retry=1
answers "503 for lists" 2 status code=503 kind=list
answers "an HTML page with 200" 2 status code=200 type=text/html "text='<html>sign in</html>'"
answers "no answer" 4 refuse
answers "one byte at a time" 4 bytes size=1 kind=watch
answers "a watch that is cut at once" 4 cut after=0 kind=watch
answers "each event twice" 4 double kind=watch

# Lists only come where a watch cannot go on.
relist() {
	local name=$1
	shift
	wait_for 90 is_watched || note "it does not watch"
	fault "$@" kind=list times=2 >"$run/fault"
	fault expire >"$run/fault"
	survived "$name" 90
	fault clear >"$run/fault"
}
relist "a list that ends too early" cut after=300
relist "a list of gzip without its end" no-trailer
relist "a list in single bytes" bytes size=1
relist "a slow list" slow rate=20000
relist "a list of a lower revision" low-revision

# The way is gone, silently or not.
wait_for 90 is_watched
fault stall >"$run/fault"
patch Endpoints keep2 '{"metadata": {"annotations": {"parasaus.io/weight": "9"}}}'
check "a stall: nothing changes" has_weight "$vip:30102" 10.100.1.12:80 1
fault clear >"$run/fault"
check "and is made up for when it is over" wait_for 60 has_weight "$vip:30102" 10.100.1.12:80 9
mine=$(table)
fault down >"$run/fault"
unread() { status '.sources[0].complete' | found -x false; }
check "connections refused: it is told that the source cannot be read" wait_for 60 unread
check "and all is as it was" others_kept
fault up >"$run/fault"
survived "the way is back" 90

# A silent watch, as from a revision to come; the guard against it finds out within minutes.
wait_for 90 is_watched
fault silent kind=watch times=3 >"$run/fault"
fault close >"$run/fault"
survived "watches that stay silent" 500
fault clear >"$run/fault"

# Credentials.
wait_for 240 is_watched
fault old-token >"$run/fault"
fault close >"$run/fault"
denied() { ctl get problems | found -Ei 'unauthorized|401|token'; }
check "401: it is told" wait_for 60 denied
agent_token 35000
survived "401 until there is another token" 120
fault clear >"$run/fault"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$run/other.key" \
	-out "$run/other.crt" -subj /CN=other -addext subjectAltName=IP:127.0.0.1 2>/dev/null
fault certificate cert="$run/other.crt" key="$run/other.key" >"$run/fault"
untrusted() { ctl get problems | found -Ei 'certificate|trust|CA'; }
check "a certificate of another CA: it is told" wait_for 60 untrusted
check "and all is as it was" others_kept
cat "$cluster_ca" "$run/other.crt" >"$run/ca.new"
mv "$run/ca.new" "$run/ca.crt"
survived "the CA's file changed: trusted" 400

poll_stop
count_stop
equal "no service was ever missing" 0 "$(grep -c service-gone "$run/poll" || true)"
equal "nor a server" 0 "$(grep -c dest-gone "$run/poll" || true)"
# One for each change, and for that of keep2; the burst is of weights that stay.
equal "as many writes as changes" $(($(changes) + 1)) "$(writes)"
tap_done
