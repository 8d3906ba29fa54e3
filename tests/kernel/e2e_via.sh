#!/bin/bash
# Checks that go by the VIP: who does not have it passes a plain check, loses its clients, and fails
# this one.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

modprobe -a ip_vs ipip
topology_up via
# s1 and s2 are for dr, s3 for a tunnel; s1 alone has what it takes.
for server in s1 s2 s3; do
	address=10.100.1.1${server#s}
	server_add "$server" "$address"
	in_box "$server" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	server_start "$server" 0.0.0.0:30001 0.0.0.0:30002 0.0.0.0:30003 0.0.0.0:30004
done
ip -n "$net-s1" address add "$vip/32" dev lo

# pool NAME PORT SERVERS ANNOTATION...
pool() {
	local server
	echo ---
	for server in $3; do echo "10.100.1.1$server $2"; done | service "$1" "$2" "${@:4}"
}
dr='forwarding: dr' by_vip='health-check-via: vip' http='health-check-type: http'
agent_configure "$quick_checks"
{
	pool plain 30001 "1 2 3" "$dr" "$http"
	pool via 30002 "1 2" "$dr" "$http" "$by_vip"
	pool half 30003 "1 2" "$dr" "$by_vip"
	pool tunnel 30004 3 'forwarding: tunnel' "$http" "$by_vip" 'health-check-reuse: "5"'
} | place pools.yaml
agent_start
check "it is synced" agent_synced

# state POOL SERVER; is_so STATE...: of the pools and servers in this order.
state() { member "test.$1.web-tcp" "10.100.1.1$3:$2" .state; }
states() {
	echo "$(state plain 30001 1) $(state plain 30001 2) $(state via 30002 1) $(state via 30002 2)" \
		"$(state half 30003 1) $(state half 30003 2) $(state tunnel 30004 3)"
}
are() { [ "$(states)" = "$*" ]; }
check "a server without the VIP passes a plain check alone" wait_for 90 are up up up down up down down
note <<<"$(states)"
equal "nothing is amiss" "" "$(ctl get problems -o json | jq -r '.[].text')"
in_box director ipvsadm -Ln >"$run/table"
note <"$run/table"
equal "each of them has a service of its own" 5 "$(grep -c '^FWM' "$run/table")"

ip -n "$net-s2" address add "$vip/32" dev lo
check "with the VIP it is up" wait_for 90 are up up up up up up down
ip -n "$net-s3" address add "$vip/32" dev lo
ip -n "$net-s3" link add tunnel type ipip remote any local 10.100.1.13
ip -n "$net-s3" link set tunnel up
in_box s3 sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunnel.rp_filter=0
check "and one with a tunnel" wait_for 90 are up up up up up up up

# The numbers are what they were: nothing is written for them, and nobody falls.
check "it ends when told to" agent_stop
agent_start
check "it is synced again" agent_synced
check "all are up" wait_for 90 are up up up up up up up
check "by probes of its own" wait_for 90 all_proven
in_box director ipvsadm -Ln | grep '^FWM' >"$run/again"
equal "services are what they were" "$(grep '^FWM' "$run/table")" "$(cat "$run/again")"
equal "no server fell meanwhile" 0 "$(grep -c ' is down: ' <(tail -n +"$(grep -n 'planned ' "$run/agent.log" | tail -1 | cut -d : -f 1)" "$run/agent.log"))"

ip -n "$net-s1" address del "$vip/32" dev lo
check "a server that lost the VIP is down" wait_for 90 are up up down up down up up

pool plain 30001 "1 2 3" "$dr" "$http" | place pools.yaml
no_services() { ! in_box director ipvsadm -Ln | grep -q '^FWM'; }
check "once nobody is checked so nothing is left of it" wait_for 120 no_services
check "in nftables neither" bash -c '! nsenter --net="/run/netns/'"$net"'-director" nft list table inet parasaus-paths'
agent_stop
tap_done
