#!/bin/bash
# The proxy that does harm (tests/lib/faultproxy) does the harm that it says,
# and none unasked: what tests of the agent rest on. curl is the client.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

run=$(mktemp -d)
end() {
	kill "${topology_pids[@]}" 2>/dev/null || true
	rm -rf "$run"
}
trap end EXIT
cluster_fresh
namespace_test
service one 30001 <<<'10.100.1.11 80' | apply
for n in 1 2 3 4 5 6 7 8; do
	openssl rand -base64 30000 | tr -d '\n' >"$run/pad"
	printf 'apiVersion: v1\nkind: Endpoints\nmetadata:\n  name: pad%s\n  namespace: test\n  annotations:\n    test/pad: "%s"\n' \
		$n "$(cat "$run/pad")" | apply
done
proxy_listen 127.0.0.1:0
proxy=$(sed -n 's/^listening //p' "$run/proxy.out")
endpoints=/api/v1/namespaces/test/endpoints services=/api/v1/namespaces/test/services

# ask PATH [OPTION...]: curl's exit code; the body is in $run/body, the head in $run/head.
ask() {
	local rc=0
	: >"$run/body" # curl makes none where nothing comes
	curl -sS --noproxy '*' -m 20 --cacert "${ca:-$cluster_ca}" -o "$run/body" -D "$run/head" \
		-H "Authorization: Bearer ${token:-$cluster_token}" "${@:2}" "https://$proxy$1" 2>"$run/curl" || rc=$?
	echo $rc
}
status_is() { head -n 1 "$run/head" | grep -q " $1 "; }
bytes() { wc -c <"$run/body"; }
# watch_start PATH: one that goes on; its lines are in $run/watch.
watch_start() {
	rm -f "$run/watch" "$run/watch.rc"
	{
		local rc=0
		curl -sSN --noproxy '*' -m 60 --cacert "$cluster_ca" -H "Authorization: Bearer $cluster_token" \
			"https://$proxy$1?watch=1&timeoutSeconds=50" >"$run/watch" 2>"$run/curl" || rc=$?
		echo $rc >"$run/watch.rc"
	} &
	wait_for 10 grep -q '"type":"ADDED"' "$run/watch"
}
watch_code() { wait_for 10 [ -s "$run/watch.rc" ] && cat "$run/watch.rc"; }
watched() { grep -c "\"type\":\"$1\"" "$run/watch" || true; }
watched_is() { [ "$(watched "$1")" = "$2" ]; }
last_event() { tail -n 1 "$run/watch" | jq .; }
has_line_of() { [ "$(wc -L <"$run/watch")" -gt "$1" ]; }
whole_gzip() { gzip -t <"$run/body"; }
fails() { ! "$@"; }

equal "without rules a list goes through" 0 "$(ask $endpoints)"
whole=$(bytes)
equal "as the server sends it" "$(api GET $endpoints | jq -cS .items)" "$(jq -cS .items "$run/body")"
equal "by gzip, too" 0 "$(ask $endpoints --compressed -H 'User-Agent: test')"
check "and it says so" grep -qi 'content-encoding: gzip' "$run/head"
mark=$(log_mark)
ask $endpoints >/dev/null
ask "$endpoints?limit=1" >/dev/null
ask "$services?watch=1&timeoutSeconds=1" >/dev/null
equal "the log tells lists" 1 "$(lists "$mark")"
equal "and watches" 1 "$(watches "$mark" services)"

fault status code=429 retry=7 times=1 >/dev/null
ask $endpoints >/dev/null
check "status: that status" status_is 429
check "status: when to come again" grep -qi 'retry-after: 7' "$run/head"
check "status: in plain text" grep -qi 'content-type: text/plain' "$run/head"
ask $endpoints >/dev/null
check "once, for it was said so" status_is 200

fault expired kind=watch >/dev/null
equal "expired: a whole answer" 0 "$(ask "$endpoints?watch=1")"
equal "expired: an event" 410 "$(jq .object.code "$run/body")"
equal "expired: a list is none of its business" 0 "$(ask $endpoints)"
equal "expired: and as long as ever" "$whole" "$(bytes)"
fault clear >/dev/null

fault silent >/dev/null
equal "silent: until the client has had enough" 28 "$(ask "$endpoints?watch=1" -m 1)"
equal "silent: without a byte" 0 "$(bytes)"
fault clear >/dev/null

equal "the token is good" 0 "$(ask $endpoints)"
fault old-token >/dev/null
ask $endpoints >/dev/null
check "old-token: refused" status_is 401
api_token() { api POST "/api/v1/namespaces/parasaus-system/serviceaccounts/parasaus/token" "$run/request" application/json | jq -r .status.token; }
echo '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}' >"$run/request"
token=$(api_token) ask /api/v1/services >/dev/null
check "old-token: another one is good" status_is 200
fault clear >/dev/null

fault refuse >/dev/null
check "refuse: no answer" [ "$(ask $endpoints)" != 0 ]
fault clear >/dev/null

fault bytes size=1 path=services >/dev/null
equal "bytes: all of it" 0 "$(ask $services)"
ask $services --raw --http1.1 >/dev/null
check "bytes: one by one" grep -qx $'1\r' "$run/body"
fault clear >/dev/null

fault slow rate=4000 path=services >/dev/null
began=$EPOCHREALTIME
equal "slow: all of it" 0 "$(ask $services)"
at_least "slow: takes its time, seconds" 0.2 "$(since "$began" "$EPOCHREALTIME")"
fault clear >/dev/null

fault cut after=1000 >/dev/null
check "cut: not a whole answer" [ "$(ask $endpoints)" != 0 ]
equal "cut: where it was said" 1000 "$(bytes)"
fault clear >/dev/null

fault no-trailer >/dev/null
ask $endpoints >/dev/null
check "no-trailer: gzip finds it out" fails whole_gzip
equal "no-trailer: nothing else is missing" 9 \
	"$(gzip -dc 2>/dev/null <"$run/body" | jq -n '[inputs.items[]] | length' || true)"
fault clear >/dev/null

fault low-revision >/dev/null
ask $endpoints >/dev/null
equal "low-revision" 1 "$(jq -r .metadata.resourceVersion "$run/body")"
equal "low-revision: objects keep theirs" 0 "$(jq '[.items[] | select(.metadata.resourceVersion == "1")] | length' "$run/body")"
fault clear >/dev/null

fault double >/dev/null
watch_start $services
check "double: each comes twice" wait_for 5 watched_is ADDED 2
fault clear >/dev/null
fault close >/dev/null
equal "close: the stream ends in order" 0 "$(watch_code)"

watch_start $services
fault unknown >/dev/null
check "unknown" wait_for 5 watched_is REARRANGED 1
fault bookmark >/dev/null
check "bookmark" wait_for 5 watched_is BOOKMARK 1
equal "bookmark: with the revision of the last object" \
	"$(jq -r 'select(.type == "ADDED").object.metadata.resourceVersion' "$run/watch" | tail -n 1)" \
	"$(jq -r 'select(.type == "BOOKMARK").object.metadata.resourceVersion' "$run/watch")"
fault again >/dev/null
check "again" wait_for 5 watched_is ADDED 2
fault oversize size=5000000 >/dev/null
check "oversize" wait_for 10 has_line_of 5000000
fault burst count=2000 >/dev/null
check "burst" wait_for 10 watched_is MODIFIED 2001
patch Service one '{"metadata": {"annotations": {"test/x": "y"}}}'
check "a true event comes through among them" wait_for 5 watched_is MODIFIED 2002
fault stall >/dev/null
patch Service one '{"metadata": {"annotations": {"test/x": "z"}}}'
asked=$(ask $services -m 1)
equal "stall: no answer" 28 "$asked"
equal "stall: no event" 2002 "$(watched MODIFIED)"
fault clear >/dev/null
check "stall: all of it comes when it is over" wait_for 5 watched_is MODIFIED 2003
fault cut-event >/dev/null
check "cut-event: not a whole stream" [ "$(watch_code)" != 0 ]
check "cut-event: the last line is half of one" fails last_event
watch_start $services
fault expire >/dev/null
equal "expire: ends" 0 "$(watch_code)"
equal "expire: with the reason" 410 "$(tail -n 1 "$run/watch" | jq .object.code)"

fault down >/dev/null
equal "down: refused" 7 "$(ask $services)"
fault up >/dev/null
equal "up: there again" 0 "$(ask $services)"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout "$run/other.key" \
	-out "$run/other.crt" -subj /CN=other -addext subjectAltName=IP:127.0.0.1 2>/dev/null
fault certificate cert="$run/other.crt" key="$run/other.key" >/dev/null
equal "certificate: it is not trusted" 60 "$(ask $services)"
ca=$run/other.crt
equal "certificate: by who knows its CA it is" 0 "$(ask $services)"
unset ca
equal "no watch is left open" "" "$(fault streams)"
check "nonsense is refused" fails fault nonsense
tap_done
