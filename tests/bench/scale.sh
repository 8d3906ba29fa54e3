#!/bin/bash
# The kernel side at full size, 35,000 pools x 10 from one directory, checks
# none, in a fresh network namespace: memory of each process, CPU while nothing
# changes, a new ipvs process that adopts the table, a foreign deletion and a
# foreign `ipvsadm -C`, each beside its floor. Audits are every 30 s.
#
#   POOLS=N MEMBERS=N QUIET=SECONDS
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

pools=${POOLS:-35000} members=${MEMBERS:-10} quiet=${QUIET:-120}
what="scale $pools x $members"
topology_up scale

cpu_ms() { # PID: of user and system
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000 / hz }' "/proc/$1/stat"
}
sweep() { in_box director "$build/bench/sweep"; }
first_look() { sed -n 's/.*\(adopted .*\)/\1/p' "$run/agent.log" | tail -1; }
# By the socket options: a dump of this size would hold up what is measured.
is_whole() { sweep | grep -q ": $pools services, $((pools * members)) destinations "; }

count_start
agent_configure 'audit: 30'
"$build/bench/pools" write "$run/pools" "$pools" "$members"
begin=$EPOCHREALTIME
agent_start
ctl wait --synced --timeout 900
echo "$what: start to synced $(since "$begin" "$EPOCHREALTIME") s, the table written in $(status .lastSyncSeconds) s"
is_whole || echo "$what: the table is not what it should be" >&2

resident() {
	status '.processes | to_entries | map("\(.key) \(.value.residentBytes / 1048576 * 10 | round / 10)") | join(", ")'
}
echo "$what, resident after the load, MiB: $(resident)"

sweep | sed "s/^/$what, floor: /"
pid=()
for role in parent core ipvs healthcheck; do
	pid[${#pid[@]}]=$(agent_process $role)
done
before=()
for p in "${pid[@]}"; do before+=("$(cpu_ms "$p")"); done
sleep "$quiet"
after=()
for p in "${pid[@]}"; do after+=("$(cpu_ms "$p")"); done
echo "$what, CPU in $quiet s with nothing changing, ms: parent $((${after[0]%.*} - ${before[0]%.*}))," \
	"core $((${after[1]%.*} - ${before[1]%.*})), ipvs $((${after[2]%.*} - ${before[2]%.*}))," \
	"healthcheck $((${after[3]%.*} - ${before[3]%.*})); resident, MiB: $(resident)"

# Adoption. The status is asked every 50 ms.
for round in 1 2 3; do
	old=$(agent_process ipvs)
	written=$(writes)
	begin=$EPOCHREALTIME
	kill -KILL "$old"
	wait_for 60 agent_restarted ipvs "$old"
	ctl wait --synced --timeout 300
	echo "$what, ipvs killed, $round: synced again after $(since "$begin" "$EPOCHREALTIME") s," \
		"$(($(writes) - written)) kernel writes; $(sweep); $(first_look)"
done

# Somebody deletes a server; somebody deletes all.
server() { in_box director ipvsadm -Ln -t "$vip:30017" | awk '$1 == "->" && $2 ~ /^[0-9]/ { print $2; exit }'; }
victim=$(server)
in_box director ipvsadm -d -t "$vip:30017" -r "$victim"
begin=$EPOCHREALTIME
is_back() { in_box director ipvsadm -Ln -t "$vip:30017" | grep -q -- "-> $victim "; }
wait_for 120 is_back
echo "$what: a server that somebody deleted is back after $(since "$begin" "$EPOCHREALTIME") s"

begin=$EPOCHREALTIME
in_box director ipvsadm -C
cleared=$EPOCHREALTIME
is_empty() { sweep | grep -q ': 0 services'; }
while is_empty; do sleep 0.2; done
found=$EPOCHREALTIME
wait_for 600 is_whole
echo "$what, ipvsadm -C ($(since "$begin" "$cleared") s): found after $(since "$cleared" "$found") s," \
	"whole again $(since "$found" "$EPOCHREALTIME") s later"
ctl wait --synced --timeout 120
agent_stop
