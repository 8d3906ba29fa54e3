#!/bin/bash
# Who answers for a VIP on the link: `announce` all, none and owner, with two directors and a client
# on one bridge.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/announce_net.bash

silence() { at "$1" nft -s list table arp parasaus; }
theirs() { at a nft -s list table arp theirs; }
same_as() { diff "$1" <("${@:2}"); }

low=10.1.0.50
high=10.1.0.150
frontends="$low:30000 $high:30000"
start_both() { # ARG... for both
	start_driver a -o 10.1.0.0/24 30000-64999 "$@"
	start_driver b -o 10.1.0.0/24 30000-64999 "$@"
}
stop_both() {
	stop_driver a
	stop_driver b
}

# What others have.
for ns in a b; do
	at $ns nft -f - <<X
table arp theirs {
	set silent4 {
		type ipv4_addr
		elements = { 10.1.0.99 }
	}
	chain input {
		type filter hook input priority 0;
		arp daddr ip @silent4 drop
	}
}
X
done
theirs >$work/theirs

# --- all ---

start_both
both "add $frontends"
both served
check "all: both directors answer" answer_is "a b" $low
at a ip neigh flush dev eth0
at client ip neigh flush dev eth0
at a ping -q -c 1 -W 1 -I $low 10.1.0.1 >/dev/null
check "control: who asks in the name of a VIP tells where it is" has_learned a $low
check "all: there is no ARP table" test -z "$(silence a 2>/dev/null)"
stop_both

# --- none ---

start_both -a none
both "add $frontends"
both served
silence a >$work/silence
check "none: nobody answers" answer_is "" $low
check "none: but for the directors' own addresses" answer_is a 10.1.0.2
at client ip route add $low/32 via 10.1.0.2
at a ip neigh flush dev eth0
at client ip neigh flush dev eth0
check "none: a VIP that is routed here answers" at client ping -q -c 1 -W 5 $low
at a ip neigh flush dev eth0
at client ip neigh flush dev eth0
check "none: a director finds a neighbour to write to from the VIP" \
	at a ping -q -c 1 -W 5 -I $low 10.1.0.1
check "none: which learns nothing by it" has_learned "" $low
at client ip route del $low/32
repaired() {
	local name=$1
	shift
	at a "$@"
	drive a "changed 10000"
	check "$name: noticed" answers 'changed yes'
	drive a prune
	check "$name: repaired in one write" answers 'repairs=1 '
	check "$name: as before" same_as $work/silence silence a
}
repaired "the ARP table gone" nft delete table arp parasaus
repaired "a rule gone" nft flush chain arp parasaus input
repaired "an element less" nft delete element arp parasaus silent4 "{ $low }"
repaired "an element more" nft add element arp parasaus silent4 '{ 10.1.0.77 }'
check "and nobody answers" answer_is "" $low
at a ip addr add $low/32 dev lo
drive a "changed 10000"
drive a sync
check "an address of the host is answered for, VIP or not" answer_is a $low
at a ip addr del $low/32 dev lo
drive a "changed 10000"
drive a sync
check "and not any more when it is gone" answer_is "" $low
stop_both
start_driver a -o 10.1.0.0/24 30000-64999 -a none
drive a "add $frontends"
drive a served
drive a sync
check "a restart finds nothing to do" answers 'repairs=0 '
drive a writes
check "and writes nothing" answers 'writes 0'
drive a "remove $low:30000"
check "without frontends there is nothing to be silent about" \
	test "$(at a nft list set arp parasaus silent4 | grep -o '10\.1\.0\.[0-9]*')" = $high
stop_driver a

# --- owner ---

start_owners() { # here|there there|here: whose the lower half is, for a and for b
	start_driver a -o 10.1.0.0/24 30000-64999 -a 10.1.0.0/25 "$1" -a 10.1.0.128/25 "$2"
	start_driver b -o 10.1.0.0/24 30000-64999 -a 10.1.0.0/25 "$2" -a 10.1.0.128/25 "$1"
}
start_owners here there
both "add $frontends"
check "owner: silent until IPVS serves" answer_is "" $low
both served
check "owner: then the owner answers" answer_is a $low
check "owner: and the other for what is the other's" answer_is b $high
drive a "add $low:30001"
check "owner: a frontend more does not silence a VIP" answer_is a $low
stop_both
check "owner: so it goes on without agents" answer_is a $low
start_owners here there
check "owner: a restart answers from the beginning" answer_is a $low
both "add $frontends $low:30001"
both served
drive a writes
check "owner: and writes nothing" answers 'writes 0'
stop_both
start_owners there here
both "add $frontends $low:30001"
both served
check "owner: another owner answers" answer_is b $low
check "owner: for each part" answer_is a $high
stop_both
start_both
both "add $frontends"
both served
check "back to all: both answer" answer_is "a b" $high
check "back to all: there is no ARP table" test -z "$(silence a 2>/dev/null)"
stop_both

# --- an owner tells its neighbours ---

# The client has a at this VIP and is content with it.
content() {
	at client ip neigh replace "$1" lladdr "$(mac_of a)" nud reachable dev eth0
	has_learned a "$1"
}
start_owners there here
check "the client knows the VIP at a" content $low
forget_told
both "add $frontends"
drive b "wait 100"
check "owner: nothing is told before IPVS serves" test "$(told)" = "0 0"
check "and the client does not know better" has_learned a $low
both served
drive b "wait 300"
check "owner: the client learns of the new owner without asking" has_learned b $low
drive a "wait 300"
check "owner: and of what stays with a" has_learned a $high
both "wait 1500"
check "owner: each is told twice, by a request and a reply" test "$(told)" = "4 4"
both "add $frontends"
both served
both sync
both "wait 1500"
check "owner: and not again for nothing" test "$(told)" = "4 4"
at b ip link set eth0 down
drive b "changed 10000"
drive b sync
at b ip link set eth0 up
forget_told
drive b "changed 10000"
check "owner: an interface that comes up is noticed" answers 'changed yes'
drive b sync
drive b "wait 2000"
check "owner: told again when the interface comes up" test "$(told)" = "2 2"
drive b "add $low:30001"
drive b served
drive b "wait 1200"
check "owner: not for a frontend more" test "$(told)" = "2 2"
drive b "remove $low:30000 $low:30001"
drive b "add $low:30000"
drive b served
drive b "remove $low:30000"
forget_told
drive b "wait 1500"
check "owner: nothing is told of what is gone" test "$(told)" = "0 0"
stop_both

start_both
forget_told
both "add $frontends"
both served
both "wait 1500"
check "all: nothing is told" test "$(told)" = "0 0"
stop_both

# --- as fast as is good for the link ---

at b ip addr add 10.64.0.1/14 dev eth0
at client nft -f - <<X
table arp many {
	counter sent { }
	chain input {
		type filter hook input priority 0;
		arp saddr ip 10.65.0.0/16 counter name sent
	}
}
X
many() {
	at client nft reset counter arp many sent | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}
# between LOW HIGH N
between() {
	echo "$3, expected $1 to $2"
	(($3 >= $1 && $3 <= $2))
}
start_driver b -o 10.64.0.0/14 30000-64999 -a 10.64.0.0/14 here
drive b "add-vips 10.65.0.0 35000 30000"
drive b served
echo "# 35,000 VIPs: $answer"
drive b "wait 200"
many >/dev/null
drive b "wait 2000"
check "35,000 VIPs: 200 packets a second" between 350 450 "$(many)"
stop_driver b
start_driver b -o 10.64.0.0/14 30000-64999 -a 10.64.0.0/14 here -r 20000
drive b "add-vips 10.65.0.0 35000 30000"
many >/dev/null
start=$(date +%s%3N)
drive b served
sent=0
while ((sent < 140000 && $(date +%s%3N) - start < 240000)); do
	drive b "wait 1000"
	sent=$((sent + $(many)))
done
echo "# 35,000 VIPs at up to 20,000 packets a second: $sent packets in $(($(date +%s%3N) - start)) ms"
check "35,000 VIPs: all are told, twice, in both forms" test $sent = 140000
stop_driver b
at b $tools/host_driver <<<cleanup >/dev/null
at b ip addr del 10.64.0.1/14 dev eth0

# --- removal ---

start_both -a none
both "add $frontends"
stop_both
at a $tools/host_driver <<<cleanup >$work/cleanup
check "cleanup says what it removes" grep -q 'removed nftables table arp parasaus' $work/cleanup
check "cleanup leaves nothing" test -z "$(silence a 2>/dev/null)"
check "the table of others is as it was" same_as $work/theirs theirs
finish
