#!/bin/bash
# A server killed under load: out in time, gone 30 s later, back in time.
#
#   ROUNDS=N   how often a server is killed for so long that it is gone (1)
#
# Times are of the kernel's table, read every 2 ms (tests/lib/tools/ipvs_poll.c).
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

rounds=${ROUNDS:-1}
interval=1 timeout=0.5 fall=2 rise=2
out_limit=$(awk "BEGIN { print ($fall + 0.2) * $interval + $timeout + 0.2 }")
back_limit=$(awk "BEGIN { print ($rise + 0.2) * $interval + 0.2 }")
frontend=$vip:30080 dead=10.100.1.13:8080

requests_of() { [ "$(jq .requests "$run/$1.stats" 2>/dev/null || echo 0)" -gt "$2" ]; }
# The moment a server came to listen: it says so into its file.
listening() { stat -c %.6Y "$run/$1.out"; }
saw() { [ -n "$(event "$@")" ]; }

# kill_and_watch KIND: kills s3 under load, sets killed and out.
kill_and_watch() {
	local before
	poll_start
	before=$(jq .requests "$run/s3.stats")
	load_start 8 8 50 "$frontend"
	wait_for 10 requests_of s3 $((before + 50))
	killed=$EPOCHREALTIME
	server_kill s3
	wait_for 10 saw weight "$frontend $dead 1 0" || true
	out=$(event weight "$frontend $dead 1 0")
	note "figure health.$1.out_s $(since "$killed" "$out") limit $out_limit"
	at_most "$1: seconds to weight 0" "$out_limit" "$(since "$killed" "$out")"
}

# After `out`: what must not happen, and coming back.
judge() {
	local kind=$1 back=$2 up=$3
	note "figure health.$kind.back_s $(since "$up" "$back") limit $back_limit"
	at_most "$kind: seconds to come back" "$back_limit" "$(since "$up" "$back")"
	wait_for 10 requests_of s3 20
	load_stop
	poll_stop
	equal "$kind: no new connection to it while it was out" "" "$(event late)"
	equal "$kind: no request begun after it was out failed" 0 \
		"$(load "[.failures[] | select(.began - $out > $(load '.start - .start_wall'))] | length")"
	note "figure health.$kind.failed_before_out $(load .failed) of $(load .requests)"
}

topology_up health
for i in 1 2 3; do
	server_add "s$i" "10.100.1.1$i"
	server_start "s$i" "10.100.1.1$i:8080"
done
agent_configure "defaults: {interval: $interval, timeout: $timeout, fast: 0.5, fall: $fall, rise: $rise}"
printf '10.100.1.1%d 8080\n' 1 2 3 |
	service web 30080 'health-check-type: http' 'health-check-path: /' 'scheduler: rr' | place web.yaml
agent_start
check "it is synced" agent_synced
check "all servers are in" wait_for 10 has_weight "$frontend" "$dead" 1
check "and were probed" wait_for 10 all_proven

kill_and_watch "short outage"
server_start s3 "$dead"
wait_for 10 saw weight "$frontend $dead 0 1" || true
judge "short outage" "$(event weight "$frontend $dead 0 1")" "$(listening s3)"

for ((round = 1; round <= rounds; round++)); do
	wait_for 10 has_weight "$frontend" "$dead" 1
	kill_and_watch "long outage"
	wait_for 40 saw dest-gone "$frontend $dead" || true
	gone=$(since "$out" "$(event dest-gone "$frontend $dead")")
	note "figure health.gone_after_s $gone limit 30"
	at_least "long outage: seconds at weight 0" 29.9 "$gone"
	at_most "long outage: seconds until it is gone" 31 "$gone"
	server_start s3 "$dead"
	wait_for 10 saw dest "$frontend $dead 1" || true
	judge "long outage" "$(event dest "$frontend $dead 1")" "$(listening s3)"
done
tap_done
