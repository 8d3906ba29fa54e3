#!/bin/bash
# parasausctl doctor: nothing to say of a host that is well, and of each fault that is planted what
# it is and what mends it; once it is mended, nothing again.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/topology_agent.sh
. tests/lib/topology_agent.sh

topology_up doctor
server_add one 10.100.1.11
server_add two 10.100.1.12
server_start one 10.100.1.11:8080

agent_configure 'timeouts: {tcp: 7260}'
sed -i '/^addressPools:/,/ports:/c\
addressPools:\
- {name: routed, addresses: [192.0.2.10], ports: 30000-39999}\
- {name: linked, addresses: [10.100.1.50], ports: 40000-40009}\
- {name: six, addresses: ["2001:db8:77::1"], ports: 50000-50009}\
- {name: six-linked, addresses: ["2001:db8:100::50"], ports: 50010-50019}' "$run/parasaus.yaml"
ip -n "$net-director" address add 2001:db8:100::1/64 dev lan0 nodad

# pool NAME NODEPORT MEMBER PORT [ANNOTATION...]
pool() {
	cat >"$run/pools/.$1" <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: $1, annotations: {parasaus.io/health-check-type: none, parasaus.io/drain-seconds: "0"${5:+, $5}}}
		spec: {type: NodePort, ports: [{port: $4, nodePort: $2}]}
		---
		apiVersion: v1
		kind: Endpoints
		metadata: {name: $1}
		subsets: [{addresses: [{ip: $3}], ports: [{port: $4}]}]
	END
	mv "$run/pools/.$1" "$run/pools/$1.yaml"
}

table() { in_box director ipvsadm -Sn; }
serves() { table | found -e "-r $1 "; }
is_gone() { ! serves "$1"; }

pool routed 30080 10.100.1.11 8080
pool linked 40000 10.100.1.11 8080
pool six 50010 2001:db8:100::11 8080
agent_start
agent_synced
check "the agent serves" wait_for 10 serves 10.100.1.11:8080

doctor() { in_box director "$build/parasausctl" doctor -c "$run/parasaus.yaml" "$@"; }

# well WHEN: no error and no warning, but of what this kernel itself has not mended yet.
well() {
	local rc=0 warnings
	doctor >"$run/said" 2>&1 || rc=$?
	warnings=$(grep -c '^warning ' "$run/said")
	grep -q "^0 errors, $warnings warnings" "$run/said" &&
		[ "$rc" = "$((warnings > 0 ? 3 : 0))" ] &&
		[ "$(grep -c '^warning  *kernel ' "$run/said")" = "$warnings" ]
	result $? "$1: nothing to find" "$run/said"
}

# finds WHAT GRADE CHECK TEXT: exit code 3, and one line says so, with what mends it below.
finds() {
	local rc=0
	doctor >"$run/said" 2>&1 || rc=$?
	[ "$rc" = 3 ] && grep -A1 -E "^$2 +$3 .*$4" "$run/said" | grep -q 'to mend it: '
	result $? "$1: $2, $3" "$run/said"
}

set_to() { in_box director sysctl -qw "$1"; }

well "at first"
grep -q '^note  *link .*1 VIPs, 192.0.2.10 among them, are in the network of no interface' "$run/said"
result $? "a VIP that has to be routed is noted" "$run/said"

set_to net.ipv4.ip_forward=0
finds "a host that does not forward" warning sysctl 'net.ipv4.ip_forward is 0'
set_to net.ipv4.ip_forward=1

set_to net.ipv4.vs.nat_icmp_send=1
finds "ICMP for each packet" warning sysctl 'nat_icmp_send is 1'
set_to net.ipv4.vs.nat_icmp_send=0

set_to net.ipv4.conf.lan0.arp_ignore=1
finds "a VIP that nobody learns of" error arp '10.100.1.50 is on the link of lan0'
set_to net.ipv4.conf.lan0.arp_ignore=0

ip -n "$net-two" address add 10.100.1.50/32 dev lo
finds "a VIP that a real server has as well" error arp '10.100.1.50 .* is answered for by'
in_box two sysctl -qw net.ipv4.conf.eth0.arp_ignore=1 # as a real server of dr should have it
well "the real server is silent"
ip -n "$net-two" address del 10.100.1.50/32 dev lo

set_to net.ipv6.conf.lan0.proxy_ndp=0
finds "a link on which no solicitation is answered" error ndp 'lan0, whose proxy_ndp is 0'
set_to net.ipv6.conf.lan0.proxy_ndp=1

set_to net.ipv6.conf.lan0.forwarding=0
finds "a link that does not forward" error ndp 'lan0, which does not forward'
set_to net.ipv6.conf.lan0.forwarding=1

# An agent that was told of the link just now puts it back.
found_without_proxy() {
	ip -n "$net-director" -6 neigh del proxy 2001:db8:100::50 dev lan0 2>/dev/null
	doctor >"$run/said" 2>&1
	grep -A1 -E '^error +ndp .*2001:db8:100::50 .* has no proxy neighbour' "$run/said" |
		grep -q 'to mend it: '
}
check "a VIP without its proxy neighbour: error, ndp" wait_for 20 found_without_proxy
ip -n "$net-director" -6 neigh add proxy 2001:db8:100::50 dev lan0 protocol 112

ip -n "$net-two" address add 2001:db8:100::50/64 dev eth0 nodad
finds "an IPv6 VIP that somebody else has" error ndp '2001:db8:100::50 .* is answered for by'
ip -n "$net-two" address del 2001:db8:100::50/64 dev eth0
well "nobody else has it"

ip -n "$net-director" address add 10.100.1.50/32 dev lan0
finds "a VIP that is the host's own" warning ports '10.100.1.50 is an address of lan0 itself'
ip -n "$net-director" address del 10.100.1.50/32 dev lan0

in_box director ipvsadm -A -f $((0x50610000)) -s rr # as of a check that goes by a VIP
well "a check by a VIP, whose port nobody else takes"
range=$(in_box director sysctl -n net.ipv4.ip_local_port_range)
set_to "net.ipv4.ip_local_port_range=32768 61499"
finds "ports of such checks that others may take" warning ports '1 health checks go by VIPs.* take 500 of'
set_to net.ipv4.ip_local_reserved_ports=61000-61999
well "they are kept for them"
set_to "net.ipv4.ip_local_port_range=$range"
in_box director ipvsadm -D -f $((0x50610000))

ip -n "$net-director" link add kube-ipvs0 type dummy
finds "kube-proxy in ipvs mode" error writers kube-ipvs0
ip -n "$net-director" link del kube-ipvs0

cp "$(command -v sleep)" "$run/keepalived"
background director "$run/writer.out" "$run/keepalived" 1000
well "keepalived that moves addresses alone"
in_box director ipvsadm -A -t 10.99.0.1:80 -s rr
finds "keepalived that writes IPVS" warning writers 'keepalived runs'
in_box director ipvsadm -D -t 10.99.0.1:80
end_of "$background"

modprobe ip_vs_ftp
finds "the module that reads payloads" warning module ip_vs_ftp
rmmod ip_vs_ftp

max=$(sysctl -n net.netfilter.nf_conntrack_max)
for _ in 1 2 3 4 5 6 7 8; do
	in_box client curl -s -m 5 -o /dev/null http://192.0.2.10:30080/
done
count=$(in_box director sysctl -n net.netfilter.nf_conntrack_count)
sysctl -qw "net.netfilter.nf_conntrack_max=$count"
finds "a full table of tracked connections" error conntrack "of $count connections are tracked"
sysctl -qw "net.netfilter.nf_conntrack_max=$max"

set_to net.ipv6.conf.all.disable_ipv6=1
finds "VIPs of a family that is off" error ipv6 'IPv6 is turned off'
set_to net.ipv6.conf.all.disable_ipv6=0

seq 0 1199 | awk '{ print "-A -t 10." 60 + int($1 / 200) "." $1 % 200 ".1:80 -s rr" }' >"$run/skew"
in_box director ipvsadm -R <"$run/skew"
finds "services in one bucket" warning buckets 'share one of 256 hash buckets'
sed 's/-A/-D/; s/ -s rr//' "$run/skew" | in_box director ipvsadm -R
well "before forwarding without nat"

ip -n "$net-director" route add 10.200.0.0/16 via 10.100.1.11
pool far 30082 10.200.1.1 30082 'parasaus.io/forwarding: dr'
check "a real server of dr behind a router is served" wait_for 10 serves 10.200.1.1:30082
finds "dr over a router" error route 'needs the real server on a link'
rm "$run/pools/far.yaml"
check "and taken out" wait_for 10 is_gone 10.200.1.1:30082

pool tunnel 30083 10.100.1.12 30083 'parasaus.io/forwarding: tunnel'
check "a real server of a tunnel is served" wait_for 10 serves 10.100.1.12:30083
finds "a tunnel without room" warning mtu 'packets of 1500 bytes do not fit'
ip -n "$net-director" link set lan0 mtu 1520
well "a tunnel with room"
ip -n "$net-director" link set lan0 mtu 1500
rm "$run/pools/tunnel.yaml"
check "and taken out" wait_for 10 is_gone 10.100.1.12:30083

well "at last"
doctor -o json | jq -e '[.items[] | select(.severity != "note" and .check != "kernel")] | length == 0' >/dev/null
result $? "the same as JSON"
agent_stop
doctor >"$run/said" 2>&1
grep -q 'no agent of this configuration is running' "$run/said"
result $? "without the agent it says so" "$run/said"

# --- and a configuration that would not do what it says ---

echo 'healthcheck: {sourceAddress: [10.100.1.1], notrack: true}' >>"$run/parasaus.yaml"
finds "checks that would take tracking from others" warning source '10.100.1.1 of healthcheck.sourceAddress'
ip -n "$net-director" address add 10.100.1.9/32 dev lan0
sed -i 's/sourceAddress: .10.100.1.1./sourceAddress: [10.100.1.9]/' "$run/parasaus.yaml"
well "with an address of their own"

tap_done
