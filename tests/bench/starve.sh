#!/bin/bash
# What is the matter with us is no server's fault: the checker stopped for 1, 10
# and 60 seconds, without descriptors, without ports, without its link and with a
# twentieth of a processor, at 4,000 targets that are well. Counted are targets
# that were taken down, of which there may be none.
#
#   TARGETS=N STOPS="SECONDS..."
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

pools=$((${TARGETS:-4000} / 10)) stops=${STOPS:-1 10 60}
targets=$((pools * 10))
topology_up starve
server_add s1 10.100.1.11
# Every address of the range is this server.
ip -n "$net-s1" route add local 10.101.0.0/16 dev lo
ip -n "$net-director" route add 10.101.0.0/16 via 10.100.1.11
server_start s1 0.0.0.0:8080

agent_configure 'defaults: {interval: 1, timeout: 0.5, fast: 0.5, fall: 2, rise: 2}'
for ((p = 0; p < pools; p++)); do
	for ((m = 0; m < 10; m++)); do
		n=$((p * 10 + m))
		echo "10.101.$((n / 250)).$((n % 250 + 1)) 8080"
	done | service "web$p" $((30000 + p)) 'health-check-type: tcp' >"$run/web.yaml"
	{
		cat "$run/web.yaml"
		echo ---
	} >>"$run/all.yaml"
done
place all.yaml <"$run/all.yaml"
agent_start
agent_synced

# health FIELD: of the checker.
health() { status ".probing.$1"; }
all_up() { [ "$(ctl get targets -o json | jq 'map(select(.state == "up" and .proven)) | length')" = $targets ]; }
wait_for 60 all_up
downs() { ctl get events -o json | jq 'map(select(.type == "member-health" and .to == "down")) | length'; }
pid=$(agent_process healthcheck)
# Each target was looked at again, twice.
looked_at() { [ "$(health probes)" -gt $(($1 + 2 * targets)) ]; }

# suffer NAME SECONDS BEGIN END: and afterwards.
suffer() {
	local before=$EPOCHREALTIME unclear probes down already begun
	unclear=$(health inconclusive) already=$(downs) begun=$(health probes)
	$3
	sleep "$2"
	begun=$(($(health probes) - begun))
	down=$(ctl get targets -o json | jq 'map(select(.state == "down")) | length')
	$4
	probes=$(health probes)
	wait_for 60 looked_at "$probes" || echo "starve, $1: it does not probe any more" >&2
	wait_for 60 all_up || echo "starve, $1: not all are up again" >&2
	echo "starve, $1 for $2 s: $down of $targets targets down at its end, $(($(downs) - already)) transitions to down" \
		"($begun probes meanwhile; in all $(since "$before" "$EPOCHREALTIME") s, $(($(health inconclusive) - unclear)) inconclusive)"
}
# shellcheck disable=SC2317
{
	nothing() { :; }
	stop_it() { kill -STOP "$pid"; }
	go_on() { kill -CONT "$pid"; }
	few_files() { prlimit --pid "$pid" --nofile=24:262144; }
	many_files() { prlimit --pid "$pid" --nofile=262144:262144; }
	no_ports() { in_box director sysctl -qw net.ipv4.ip_local_reserved_ports=32768-60999; }
	ports_again() { in_box director sysctl -qw net.ipv4.ip_local_reserved_ports=; }
	link_down() { ip -n "$net-director" link set lan0 down; }
	link_up() {
		ip -n "$net-director" link set lan0 up
		ip -n "$net-director" route add 10.101.0.0/16 via 10.100.1.11
	}
	starved() {
		mkdir -p /sys/fs/cgroup/starve
		echo "5000 100000" >/sys/fs/cgroup/starve/cpu.max
		echo "$pid" >/sys/fs/cgroup/starve/cgroup.procs
	}
	fed() { echo "$pid" >/sys/fs/cgroup/cgroup.procs; }
}
suffer "nothing" 5 nothing nothing
for seconds in $stops; do suffer "stopped" "$seconds" stop_it go_on; done
suffer "without descriptors" 10 few_files many_files
suffer "without ports" 10 no_ports ports_again
suffer "without its link" 10 link_down link_up
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup
if echo +cpu >/sys/fs/cgroup/cgroup.subtree_control; then
	suffer "with 5 % of a processor" 20 starved fed
else
	echo "starve: no cgroup cpu controller here"
fi
agent_stop
