#!/bin/bash
# The machine is restarted and the directory cannot be read: what was known
# serves from the state directory, the dead stay out, nothing is deleted until
# the directory is back.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up restart
for i in 1 2 3; do
	server_add "s$i" "10.100.1.1$i"
done
server_start s1 10.100.1.11:{30080..30083}
server_start s2 10.100.1.12:{30080..30083}
agent_configure "$quick_checks" 'audit: 2'
ports=(30080 30081 30082 30083)
for port in "${ports[@]}"; do
	printf "10.100.1.1%d $port\n" 1 2 3 | service "web-$port" "$port" 'health-check-type: http' \
		'health-check-path: /' 'drain-seconds: "1"' | place "$port.yaml"
done

# answers PORT...: each of them.
answers() {
	local port
	for port in "$@"; do
		in_box client curl -sS -m 1 "http://$vip:$port/" || return 1
	done
}
dead_is_out() {
	local port
	for port in "${ports[@]}"; do
		[ "$(weight "$vip:$port" "10.100.1.13:$port")" != 1 ] || return 1
	done
}

agent_start
check "it is synced" agent_synced
check "every target was probed" wait_for 15 all_proven
check "the dead server is out" wait_for 15 dead_is_out
check "all pools serve" answers "${ports[@]}"

# Power cut. The directory is not there when the machine is up again.
agent_kill
director_down
mv "$run/pools" "$run/pools.away"
director_up
begin=$EPOCHREALTIME
poll_start
agent_start
check "all pools serve again" wait_for 20 answers "${ports[@]}"
took=$(since "$begin" "$EPOCHREALTIME")
note "figure restart.serves_after_s $took limit 10"
at_most "seconds from nothing until all serve" 10 "$took"
check "the prober has looked" wait_for 15 all_proven
check "the dead server is still out" dead_is_out
equal "and was not in for a moment" "" "$(grep -E '10\.100\.1\.13:[0-9]+ (0 )?1$' "$run/poll" || true)"
equal "it does not call itself synced" false "$(status .synced)"
equal "the source is told to be incomplete" false "$(status '.sources[0].complete')"

load_start 4 4 50 "$vip:30080" "$vip:30081" "$vip:30082"
# Ours and declared by nobody: to be deleted, but not before the directory is read.
in_box director ipvsadm -A -t "$vip:30999" -s rr
# Three audits of 2 seconds: time is what is measured here.
sleep 7
check "an undeclared service is not deleted meanwhile" in_box director ipvsadm -Ln -t "$vip:30999"
equal "and no declared one either" "${#ports[@]}" "$(table | grep -c "^-A -t $vip:3008")"

# Back, with one file less.
rm "$run/pools.away/30083.yaml"
mv "$run/pools.away" "$run/pools"
check "the directory back, it is synced" agent_synced
gone() { ! in_box director ipvsadm -Ln -t "$vip:$1"; }
check "now the undeclared service goes" wait_for 15 gone 30999
check "and the one whose file is gone" wait_for 15 gone 30083
load_stop
poll_stop
check "the others serve" answers "${ports[@]:0:3}"
equal "the three that stayed never failed" 0 "$(load '.failed')"
tap_done
