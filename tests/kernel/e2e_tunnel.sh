#!/bin/bash
# Tunnels of each type: as ipvsadm has them, and with real packets to servers that take them
# out of ipip, gre and gue, and of IPv6.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

modprobe -a ipip ip_gre fou ip6_tunnel
topology_up tunnel
ip -n "$net-director" address add 2001:db8:1::1/64 dev lan0 nodad
# Answers do not come by the director, which would not take them, from an address of its own.
wire client eth1 lan client
ip -n "$net-lan" link set client master br0
ip -n "$net-client" address add 10.100.1.250/24 dev eth1
in_box client sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0

# tunnel_server NAME ADDRESS PORT DEVICE...: a server that holds the VIP, answers at that port of
# it, and has a device that takes packets out of the tunnel.
tunnel_server() {
	local name=$1 address=$2 port=$3
	shift 3
	server_add "$name" 10.100.1.1"${name#s}"
	case $address in
	*:*) ip -n "$net-$name" address add "$address/64" dev eth0 nodad ;;
	esac
	ip -n "$net-$name" route add 198.51.100.0/24 via 10.100.1.250
	ip -n "$net-$name" address add "$vip/32" dev lo
	ip -n "$net-$name" link add tunnel type "$@" local "$address"
	ip -n "$net-$name" link set tunnel up
	in_box "$name" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunnel.rp_filter=0 net.ipv4.conf.all.arp_announce=2
	server_start "$name" "$vip:$port"
}
tunnel_server s1 10.100.1.11 30001 ipip remote any
tunnel_server s2 10.100.1.12 30002 gre remote any
tunnel_server s3 10.100.1.13 30003 ipip remote any
ip -n "$net-s3" fou add port 6080 gue
tunnel_server s4 2001:db8:1::14 30004 ip6tnl mode ipip6 remote any

# pool NAME PORT ADDRESS ANNOTATION...
pool() {
	echo ---
	service "$1" "$2" 'health-check-type: none' 'drain-seconds: "30"' 'forwarding: tunnel' "${@:4}" <<<"$3 $2"
}
pools() { # the server of gre
	pool ipip 30001 10.100.1.11
	pool gre 30002 "${1:-10.100.1.12}" 'tunnel-type: gre'
	pool gue 30003 10.100.1.13 'tunnel-type: gue'
	pool mixed 30004 '"2001:db8:1::14"'
}
agent_configure "$quick_checks"
pools | place pools.yaml
agent_start
check "it is synced" agent_synced
equal "nothing is amiss" "" "$(ctl get problems -o json | jq -r '.[].text')"

in_box director ipvsadm -Sn >"$run/table"
note <"$run/table"
check "ipip is ipvsadm's default" found -- "-r 10.100.1.11:30001 -i -w 1 --tun-type ipip *$" "$run/table"
check "gre" found -- "-r 10.100.1.12:30002 -i -w 1 --tun-type gre" "$run/table"
check "gue has the port of its standard" found -- "-r 10.100.1.13:30003 -i -w 1 --tun-type gue --tun-port 6080" "$run/table"
check "a server of IPv6 behind an address of IPv4" found -- "-t $vip:30004 -r \[2001:db8:1::14\]:30004 -i -w 1" "$run/table"

for server in s1 s2 s3 s4; do
	equal "a client is served through a tunnel by $server" "$server" \
		"$(in_box client curl -sS -m 5 "http://$vip:3000${server#s}/" || true)"
done

# What drains keeps its tunnel, over a restart too.
pools 10.100.1.14 | place pools.yaml
drains() { in_box director ipvsadm -Sn | found -- "-r 10.100.1.12:30002 -i -w 0 --tun-type gre"; }
check "a server that left drains in its tunnel" wait_for 10 drains
check "it ends when told to" agent_stop
agent_start
check "it is synced again" agent_synced
check "and drains on in it" drains
equal "without a write" 0 "$(ctl get status -o json | jq .kernelWrites)"
agent_stop
tap_done
