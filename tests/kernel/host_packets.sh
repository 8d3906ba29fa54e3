#!/bin/bash
# What ipvs/host.h makes, proven by packets: guard, steering, masquerade.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/host_net.bash

make_network
at server ip route add 10.1.0.0/24 via 10.2.0.1 # for what is not masqueraded
start_host -n 10.2.0.1 -o 10.0.0.0/24 30000-64999 -o 10.1.0.1 30000-64999 -o 2001:db8::/64 1-65535
host "add 10.0.0.1:30080 10.0.0.1:30081/direct 10.1.0.1:30090 [2001:db8::1]:80"
check "the driver adds four frontends" grep -q 'add frontends=4' <<<"$answer"
at director ipvsadm -R <<X
-A -t 10.0.0.1:30080 -s rr
-a -t 10.0.0.1:30080 -r 10.2.0.2:80 -m
-A -t 10.0.0.1:30081 -s rr
-a -t 10.0.0.1:30081 -r 10.2.0.2:80 -m
-A -t 10.1.0.1:30090 -s rr
-a -t 10.1.0.1:30090 -r 10.2.0.2:80 -m
-A -t [2001:db8::1]:80 -s rr
-a -t [2001:db8::1]:80 -r [2001:db8:2::2]:80 -m
X
# Counts connections at the server by where they come from.
at server nft -f - <<X
table ip seen {
	counter director { }
	counter client { }
	chain input {
		type filter hook input priority 0;
		tcp flags syn / syn,ack ip saddr 10.2.0.1 counter name director
		tcp flags syn / syn,ack ip saddr 10.1.0.2 counter name client
	}
}
X
seen() {
	at server nft list counter ip seen "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

# --- service, masquerade ---

check "the service works" says client 10.0.0.1:30080 web
check "IPv6: the service works" says client '[2001:db8::1]:80' web
check "masquerade: the server saw the director" test "$(seen director) $(seen client)" = "1 0"
check "without masquerade the service works" says client 10.0.0.1:30081 web
check "without masquerade the server saw the client" test "$(seen director) $(seen client)" = "1 1"
host "add 10.0.0.1:30081"
check "masquerade is switched on for a frontend" says client 10.0.0.1:30081 web
check "and the server sees it" test "$(seen director) $(seen client)" = "2 1"
host "add 10.0.0.1:30081/direct"
check "hairpin: a client that is the real server" says server 10.0.0.1:30080 web
check "control: without masquerade it gets nothing" \
	test "$(get server 10.0.0.1:30081 1)" = nothing

# --- guard ---

refused() {
	local result
	result=$(at client curl -gs --noproxy '*' --max-time 5 -o /dev/null \
		-w '%{exitcode} %{time_total}' "http://$1/")
	echo "$1: exit code of curl and seconds: $result"
	[[ $result == "7 0."* ]]
}
check "control: the host's port answers at its own address" says client 10.1.0.1:2222 host
check "the host's port behind the VIP is refused, at once" refused 10.0.0.1:2222
check "IPv6: the host's port behind the VIP is refused, at once" refused '[2001:db8::1]:2223'
check "a port of ours without a service is refused" refused 10.0.0.1:31000
check "the VIP answers ping" at client ping -q -c 1 -W 5 10.0.0.1
check "IPv6: the VIP answers ping" at client ping -q -c 1 -W 5 2001:db8::1
at client bash -c 'echo x >/dev/udp/10.0.0.1/5353'
udp_refused() {
	at director nft list chain inet parasaus guard | grep -q 'counter packets 1 .*reject$'
}
check "UDP to the host behind the VIP is refused" udp_refused
at director nft flush chain inet parasaus guard
check "control: without the guard the host answers at the VIP" says client 10.0.0.1:2222 host
host "changed 10000"
check "the change is noticed" grep -q 'changed yes' <<<"$answer"
host sync
check "and undone, in one write" grep -q 'repairs=1 ' <<<"$answer"
check "refused again" refused 10.0.0.1:2222

# --- a VIP that is an address of the host ---

check "a frontend on the host's own address works" says client 10.1.0.1:30090 web
check "the host's own services answer there" says client 10.1.0.1:2222 host
check "there is no second route for it" \
	test -z "$(at director ip route show table local proto 112 10.1.0.1)"

# --- a foreign IPVS service at our VIP, outside our ports ---

at director ipvsadm -A -t 10.0.0.1:8443 -s rr
at director ipvsadm -a -t 10.0.0.1:8443 -r 10.2.0.2:80 -m
check "it works" says client 10.0.0.1:8443 web

# --- steering: what kube-proxy does for a NodePort ---

at director nft -f - <<X
table ip kube {
	chain nodeports {
		fib daddr type local tcp dport { 20080, 30080 } dnat to 10.2.0.3:80
	}
	chain prerouting {
		type nat hook prerouting priority -100;
		jump nodeports
	}
	chain output {
		type nat hook output priority -100;
		jump nodeports
	}
}
X
check "control: the rule works at a port that is not ours" says client 10.1.0.1:20080 nodeport
check "it does not take the packet at the VIP" says client 10.0.0.1:30080 web
check "nor that of the director itself" says director 10.0.0.1:30080 web
at director nft delete table inet parasaus
check "control: without our table it does" says client 10.0.0.1:30080 nodeport
check "control: and of the director itself" says director 10.0.0.1:30080 nodeport
host sync
check "the table is back" says client 10.0.0.1:30080 web
at director nft flush ruleset
host sync
check "nft flush ruleset is repaired in one write" grep -q 'repairs=1 ' <<<"$answer"
check "and the guard holds" refused 10.0.0.1:2222
check "and the service works" says client 10.0.0.1:30080 web
check "from the director too" says director 10.0.0.1:30080 web

stop_host
check "all of it goes on without the agent" says client 10.0.0.1:30080 web
finish
