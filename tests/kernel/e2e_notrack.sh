#!/bin/bash
# Health checks that connection tracking does not see: how much it sees without, that a firewall that
# drops what is not tracked is found before any server is down, and that nothing is tracked where there
# is none.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

servers=4
source=10.100.1.9
frontend=$vip:30080

topology_up notrack
ip -n "$net-director" address add "$source"/24 dev lan0
for ((i = 1; i <= servers; i++)); do
	server_add "s$i" "10.100.1.1$i"
	server_start "s$i" "10.100.1.1$i:8080"
done

# agent_with NOTRACK [ADDRESS]: what fails is out after 5 s, for a guest on a busy machine stalls for seconds.
agent_with() {
	agent_configure "healthcheck: {sourceAddress: [${2:-$source}], notrack: $1}"
	for ((i = 1; i <= servers; i++)); do echo "10.100.1.1$i 8080"; done |
		service web 30080 'health-check-interval: "1"' 'health-check-timeout: "1"' \
			'health-check-fall: "5"' | place web.yaml
	agent_start
	check "it is synced" agent_synced
}
tracked() { in_box director sysctl -n net.netfilter.nf_conntrack_count; }
tracked_at_least() { [ "$(tracked)" -ge "$1" ]; }
# Of a probe that is under way when tracking ends, its end is not seen.
tracked_few() { [ "$(tracked)" -le "$servers" ]; }
is() { [ "$(status .notrack.ipv4)" = "$1" ]; }
probes_over() { [ "$(status .probing.probes)" -gt "$1" ]; }
trials() { grep -c 'not tracked, as a trial' "$run/agent.log" || true; }
serving() { table | awk -v s="$frontend" '$1 == "-a" && $3 == s && $NF > 0' | wc -l; }
# What clients send is masqueraded: answers come back where connection tracking knows of it.
client_is_served() {
	local i
	for i in 1 2 3 4 5 6 7 8; do
		in_box client curl -s -m 5 -o /dev/null "http://$frontend/" || return
	done
}
all_serve() { [ "$(serving)" = "$servers" ]; }
our_tables() { in_box director nft list tables | grep parasaus || true; }

# A default-deny firewall, as many are: it lets in what belongs to a connection that is known.
firewall() {
	in_box director nft -f - <<-END
		table inet firewall {
			chain input {
				type filter hook input priority 0; policy drop;
				ct state established,related accept
				iifname lo accept
				meta l4proto { icmp, ipv6-icmp } accept
			}
		}
	END
}

# --- without ---------------------------------------------------------------------------------

agent_with false
check "all servers are in" wait_for 20 all_serve
equal "nothing is tried" off "$(status .notrack.ipv4)"
# Once a second each, for 10 s.
check "probes are tracked" wait_for 30 tracked_at_least $((servers * 6))
note "figure notrack.tracked_without $(tracked) of $servers servers"
agent_stop

# --- a firewall ------------------------------------------------------------------------------

firewall
agent_with true
check "all servers are in" wait_for 20 all_serve
poll_start
check "it is refused" wait_for 60 is refused
equal "no server was out meanwhile" "" "$(event weight)"
check "and it is said why" sh -c "'$build/parasausctl' -s '$run/api.sock' get problems | grep 'ct state untracked'"
check "all is tracked" wait_for 30 tracked_at_least $((servers * 4))
poll_stop
equal "there is no table for it" "table inet parasaus" "$(our_tables)"
agent_stop

# --- none ------------------------------------------------------------------------------------

in_box director nft delete table inet firewall
before=$(trials)
agent_with true
check "no probe is tracked" wait_for 60 is all
equal "after a trial" $((before + 1)) "$(trials)"
check "and the table of connections runs empty" wait_for 60 tracked_few
probes=$(status .probing.probes)
check "while probes go on" wait_for 30 probes_over $((probes + servers * 10))
at_most "nothing is tracked, but what was under way" "$servers" "$(tracked)"
note "figure notrack.tracked_with $(tracked) of $servers servers"
check "all servers are in" all_serve
server_kill s1
check "a server that dies is out" wait_for 20 has_weight "$frontend" 10.100.1.11:8080 0
server_start s1 10.100.1.11:8080
check "and back" wait_for 20 all_serve
check "it goes on so, or again" wait_for 60 is all
check "and what was tracked in doubt runs out" wait_for 60 tracked_few

# --- a restart -------------------------------------------------------------------------------

before=$(trials)
agent_stop
check "the table stays while no agent runs" in_box director nft list table inet parasaus-probes
agent_start
check "it is synced" agent_synced
check "no probe is tracked" wait_for 20 is all
check "and all are made" wait_for 20 probes_over $((servers * 5))
equal "without another trial" "$before" "$(trials)"
at_most "nothing was tracked meanwhile, but what was under way" "$servers" "$(tracked)"

# --- a firewall that comes later ---------------------------------------------------------------

check "all servers are in" wait_for 20 all_serve
check "clients are served, by each of them" client_is_served
poll_start
firewall
check "it is refused" wait_for 60 is refused
poll_stop
equal "no server was out meanwhile" "" "$(event weight)"
in_box director nft delete table inet firewall
agent_stop

# --- and one that came while no agent ran ------------------------------------------------------

agent_with true
check "no probe is tracked" wait_for 60 is all
check "and all servers are in" wait_for 20 all_serve
agent_stop
firewall
poll_start
agent_start
check "it is synced" agent_synced
check "it is refused" wait_for 60 is refused
poll_stop
equal "no server was out meanwhile" "" "$(event weight)"
agent_stop
in_box director nft delete table inet firewall

# --- an address that others use, too --------------------------------------------------------------

agent_with true 10.100.1.1
check "all servers are in" wait_for 20 all_serve
check "it is refused" wait_for 60 is refused
check "with the address of their own that checks need" \
	sh -c "'$build/parasausctl' -s '$run/api.sock' get problems | grep 'ip address add ADDRESS/32 dev DEVICE'"
equal "there is no table for it" "table inet parasaus" "$(our_tables)"
check "and clients are served" client_is_served
agent_stop

# --- gone -----------------------------------------------------------------------------------------

agent_with true
check "no probe is tracked" wait_for 60 is all
agent_stop
in_box director "$build/parasausd" -c "$run/parasaus.yaml" --cleanup >"$run/cleanup" 2>&1
check "cleanup says so" grep -q 'nftables table inet parasaus-probes' "$run/cleanup"
equal "and leaves nothing" "" "$(our_tables)"
tap_done
