#!/bin/bash
# What people wait for while much else is to be done:
#
#   verdicts   of 20 servers of one pool that die and come back over and over while POOLS x MEMBERS
#              come in from a directory: from the moment the verdict has to its weight in the kernel
#   a burst    CHANGES pools of POOLS x MEMBERS changed within a second: until the last is in
#
#   POOLS=N MEMBERS=N CHANGES=N
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

pools=${POOLS:-35000} members=${MEMBERS:-10} changes=${CHANGES:-1000}
what="bulk $pools x $members"
checked=192.0.2.11:20080 servers=20

topology_up bulk
mapfile -t addresses < <(printf '10.100.1.%d\n' $(seq 11 $((10 + servers))))
server_add s1 "${addresses[@]}"
server_start s1 0.0.0.0:8080
agent_configure "$quick_checks"
agent_address_pool checked "${checked%:*}" 20000-29999
printf '%s 8080\n' "${addresses[@]}" | service web "${checked#*:}" 'health-check-type: tcp' 'fail-policy: closed' | place web.yaml
agent_start
agent_synced
wait_for 30 all_proven
poll_start_one "$checked"

turned() { # WEIGHT COUNT: that many changes to that weight were seen
	[ "$(awk -v w="$1" '$2 == "weight" && $NF == w' "$run/poll" | wc -l)" -ge "$2" ]
}

# For each server: from its state's moment to the kernel's new weight. WEIGHT is that which all have now.
tell_delays() {
	ctl get members test.web.web-tcp -o json | jq -r '.[] | "\(.address):\(.port) \(.since)"' |
		while read -r server since; do
			echo "$server $(date -d "$since" +%s.%N)"
		done >"$run/since"
	awk -v w="$1" 'NR == FNR { since[$1] = $2; next }
		$2 == "clock" { offset = $3 - $1 }
		$2 == "weight" && $NF == w { seen[$5] = $1 + offset }
		END { for (s in seen) if (s in since) printf "%.1f\n", (seen[s] - since[s]) * 1000 }' \
		"$run/since" "$run/poll"
}

services() { ctl get nodes -o json | jq -r ".items[0].services"; }

rounds=0
round() {
	rounds=$((rounds + 1))
	server_kill s1
	wait_for 60 turned 0 $((rounds * servers))
	tell_delays 0
	server_start s1 0.0.0.0:8080
	wait_for 60 turned 1 $((rounds * servers))
	tell_delays 1
}

spread() {
	sort -n "$1" | awk '{ v[NR] = $1 } END { n = NR; print n " verdicts, from each to its weight in the kernel: p50 " \
		v[int((n + 1) / 2)] " ms, p99 " v[int(n * 0.99 + 0.999)] " ms, longest " v[n] " ms" }'
}

: >"$run/delays"
for _ in 1 2 3; do round >>"$run/delays"; done
echo "$what, before: $(spread "$run/delays")"

: >"$run/delays"
begin=$EPOCHREALTIME
background director "$run/written" "$build/bench/pools" write "$run/pools" "$pools" "$members"
while [ "$(services)" != $((pools + 1)) ]; do round >>"$run/delays"; done
echo "$what, while they come in ($(since "$begin" "$EPOCHREALTIME") s): $(spread "$run/delays")"
poll_stop
ctl wait --synced --timeout 300

printf '%s, a burst: ' "$what"
in_box director "$build/bench/pools" burst -n "$changes" "$run/pools" "$pools" "$members"
agent_stop
