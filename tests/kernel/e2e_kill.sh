#!/bin/bash
# SIGKILL for each of the four processes in turn, under load, with one member
# down in every pool: no request fails, the dead get none, the kernel is not
# written to.
#
#   ROUNDS=N     how often each is killed (2)
#   REQUESTS=N   the least number of requests (2000)
#   PAUSE=MS     of each of the 32 clients between two requests (100)
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

rounds=${ROUNDS:-2}

topology_up kill
for i in 1 2 3 4; do
	server_add "s$i" "10.100.1.1$i"
done
# Each pool has ports of its own: of two services that share a real server's, IPVS (nat) mixes
# up the connections of a client that uses one source port towards both.
server_start s1 10.100.1.11:{30081..30084}
server_start s2 10.100.1.12:{30081..30084}
server_start s4 10.100.1.14:30082
touch "$run/s4.down" # answers 503; nothing listens on s3, and 10.100.1.200 is nowhere
agent_configure "$quick_checks"

# pool PORT CHECK DEAD: two members that are well and one that is not.
pool() {
	printf "%s $1\n" 10.100.1.11 10.100.1.12 "$3" |
		service "web-$1" "$1" "health-check-type: $2" | place "$1.yaml"
}
pool 30081 http 10.100.1.13
pool 30082 http 10.100.1.14
pool 30083 tcp 10.100.1.13
pool 30084 tcp 10.100.1.200
dead="$vip:30081 10.100.1.13:30081
$vip:30082 10.100.1.14:30082
$vip:30083 10.100.1.13:30083
$vip:30084 10.100.1.200:30084"

# Out: at weight 0, or, after half a minute, gone.
dead_are_out() {
	local frontend server
	while read -r frontend server; do
		[ "$(weight "$frontend" "$server")" != 1 ] || return 1
	done <<<"$dead"
}
# (Nobody is to be deleted while writes are counted.)
dead_are_gone() { ! table | grep -E '10\.100\.1\.(13|14|200):'; }

quiet() { ctl wait --synced --timeout 0.2 && all_proven; }

# kill_one ROLE
kill_one() {
	local pid before rc=0
	pid=$(agent_process "$1")
	before=$(writes)
	kill -KILL "$pid"
	wait_for 15 agent_restarted "$1" "$pid" && wait_for 15 quiet || rc=1
	[ "$(writes)" = "$before" ] || rc=1
	dead_are_out || rc=1
	((rc == 0)) || note "$1: $before writes before, $(cat "$run/writes") after"
	return "$rc"
}

count_start
agent_start
check "it is synced" agent_synced
check "every target was probed" wait_for 15 all_proven
check "the dead are out" wait_for 15 dead_are_out
check "and after half a minute gone" wait_for 45 dead_are_gone
check "it is synced again" agent_synced
equal "kernelWrites is what nlmon saw" "$(writes)" "$(status .kernelWrites)"

load_start 16 16 "${PAUSE:-100}" "$vip:30081" "$vip:30082" "$vip:30083" "$vip:30084"
failed=""
for ((round = 1; round <= rounds; round++)); do
	for role in parent core healthcheck ipvs; do
		kill_one "$role" || failed+=" $role/$round"
	done
done
requests() { local n; n=$(jq .requests "$run"/s[12].stats | awk '{ n += $1 } END { print n }') && ((n >= ${REQUESTS:-2000})); }
wait_for 600 requests
load_stop
equal "after each of $((4 * rounds)) kills: back, synced, 0 kernel writes, the dead out" "" "$failed"
equal "failed requests" 0 "$(load .failed)"
at_least "requests" "${REQUESTS:-2000}" "$(load .requests)"
equal "only the living answered" "s1 s2" "$(load '.servers | keys | join(" ")')"
note "figure kill.failed $(load .failed) of $(load .requests) requests, $((4 * rounds)) kills"
note "figure kill.latency_ms p50 $(load .latency_ms.p50) p99 $(load .latency_ms.p99) max $(load .latency_ms.max)"
if ((tap_failures > 0)); then
	load_failures | note
	tail -n 40 "$run/agent.log" | note
fi

# Killed or not, it does its work.
printf '%s 30081\n' 10.100.1.11 10.100.1.12 | service web-30081 30081 'weight: "3"' | place 30081.yaml
check "a change after all that" wait_for 10 has_weight "$vip:30081" 10.100.1.12:30081 3
tap_done
