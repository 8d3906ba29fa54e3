#!/bin/bash
# What the kernel counted of a pool, as REST and parasausctl tell it, beside
# `ipvsadm -Ln --stats --exact`: for traffic that is known to the connection.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up statistics
server_add s1 10.100.1.53
server_add s2 10.100.1.77
server_start s1 10.100.1.53:8090
server_start s2 10.100.1.77:30253
agent_configure "$quick_checks"
place origin.yaml <"$project/deploy/example-origin.yaml"
agent_start
check "it is synced" agent_synced

pool=$(ctl get pools -o name | grep snake)
count() { ctl stats "$pool" -o json | jq -r "$1"; }
# "frontend connections packets-in packets-out bytes-in bytes-out", a line for it and for each server
told() {
	count '.frontends[] | [.frontend, .connections, .packetsIn, .packetsOut, .bytesIn, .bytesOut],
		(.destinations[] | ["\(.address):\(.port)", .connections, .packetsIn, .packetsOut, .bytesIn, .bytesOut])
		| join(" ")' | sed 's|/tcp||' | sort
}
kernel_says() {
	in_box director ipvsadm -Ln --stats --exact |
		awk '$1 == "TCP" || $1 == "->" && $3 ~ /^[0-9]/ { print $2, $3, $4, $5, $6, $7 }' | sort
}
counted() { [ "$(count '.frontends[0].connections')" = 20 ]; }

equal "nothing was counted yet" "0 0" \
	"$(count '[.frontends[0].connections, ([.frontends[0].destinations[].active] | add)] | join(" ")')"
for _ in $(seq 20); do in_box client curl -sS -m 3 -o /dev/null "http://$vip:40796/"; done
# The kernel brings its counters up to date every two seconds.
check "20 requests are 20 connections" wait_for 10 counted
equal "half of them at each server" "10 10" "$(count '[.frontends[0].destinations[].connections] | join(" ")')"
equal "all of it is what ipvsadm says" "$(kernel_says)" "$(told)"
note < <(told)
equal "they are over: none is active" 0 "$(count '[.frontends[0].destinations[].active] | add')"
equal "and 20 are left to time out" 20 "$(count '[.frontends[0].destinations[].inactive] | add')"

held() { [ "$(count '[.frontends[0].destinations[].active] | add')" = 1 ]; }
background client "$run/held" bash -c "exec 3<>/dev/tcp/$vip/40796; read -r <&3"
check "one that is held is seen at once" wait_for 10 held

in_box director sysctl -qw net.ipv4.vs.run_estimation=0
equal "that counters stand still is told" false "$(count '.frontends[0].counting')"
check "in words as well" grep -q "stand still" < <(ctl stats "$pool")
in_box director sysctl -qw net.ipv4.vs.run_estimation=1

ctl stats "$pool" >"$run/stats"
note <"$run/stats"

writes() { ctl get status -o json | jq .kernelWrites; }
before=$(writes)
for _ in $(seq 50); do ctl stats "$pool" >/dev/null; done
equal "reading writes nothing" "$before" "$(writes)"

check "it ends when told to" agent_stop
tap_done
