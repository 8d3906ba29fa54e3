#!/bin/bash
# Writing a whole table: 5,000 pools x 10 from a directory, checks none, beside
# the floor (tests/bench/rawload.c) in the same kernel. Fresh network namespaces,
# order alternated, median of three; resident memory by process.
#
#   POOLS=N MEMBERS=N RUNS=N SCHEDULER=wrr|mh
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

pools=${POOLS:-5000} members=${MEMBERS:-10} runs=${RUNS:-3} scheduler=${SCHEDULER:-wrr}
topology_up load

floor() {
	unshare --net bash -ec 'ip link set lo up; exec "$@"' - \
		"$build/bench/rawload" "$pools" "$members" "$scheduler" |
		sed 's/.*: \([0-9.]*\) s, .* 0 refused/\1/' >>"$run/floor"
}

# agent POOLS
agent() {
	local begin pools=$1
	rm -rf "$run/pools" "$run/state"
	agent_configure 'audit: 30' "defaults: {scheduler: $scheduler}"
	"$build/bench/pools" write "$run/pools" "$pools" "$members"
	begin=$EPOCHREALTIME
	agent_start
	ctl wait --synced --timeout 300
	since "$begin" "$EPOCHREALTIME" >>"$run/whole"
	echo >>"$run/whole"
	[ "$(in_box director ipvsadm -Sn | wc -l)" = $((pools * (members + 1))) ] ||
		echo "load: the table is not what it should be" >&2
	status .lastSyncSeconds >>"$run/agent"
	status '.processes | to_entries | map("\(.key) \(.value.residentBytes / 1048576 | round) MiB") | join(", ")' \
		>"$run/memory"
	agent_stop
	director_down
	director_up
}

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

agent 1 # what comes first loads the kernel's modules
rm "$run/agent" "$run/whole"
for ((i = 1; i <= runs; i++)); do
	if ((i % 2)); then
		agent "$pools"
		floor
	else
		floor
		agent "$pools"
	fi
done
what="load $pools x $members, $scheduler, check none"
awk -v what="$what" -v a="$(median "$run/agent")" -v f="$(median "$run/floor")" 'BEGIN {
	printf "%s: written in %.2f s, floor %.2f s: %.2f times (at most 1.25)\n", what, a, f, a / f
}'
echo "$what, each run: agent $(xargs <"$run/agent"), floor $(xargs <"$run/floor") s"
echo "$what: start to synced $(median "$run/whole") s"
echo "$what, resident: $(cat "$run/memory")"
