#!/bin/bash
# Who answers neighbour solicitations for an IPv6 VIP on the link: `announce` all, none and owner,
# with two directors and a client on one bridge. announce.sh is the same of ARP.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/announce_net.bash

low=2001:db8:1::50
high=2001:db8:1::150
low_bits=0x20010db8000100000000000000000050
high_bits=0x20010db8000100000000000000000150
off=2001:db8:99::1 # on no link
own=2001:db8:1::66 # somebody else answers for it
frontends="[$low]:30000 [$high]:30000 [$off]:30000"

# What the client hears of the two VIPs: whose advertisements, and what was told to all unasked.
at client nft -f - <<X
table ip6 heard {
	set low {
		typeof ether saddr
		flags dynamic
	}
	set high {
		typeof ether saddr
		flags dynamic
	}
	counter told { }
	chain input {
		type filter hook input priority 0;
		icmpv6 type != nd-neighbor-advert accept
		ip6 daddr ff02::1 @th,64,128 { $low_bits, $high_bits } counter name told
		@th,64,128 $low_bits update @low { ether saddr }
		@th,64,128 $high_bits update @high { ether saddr }
	}
}
X
# answering6 low|high ADDRESS: who does when the client asks for it; answering() has the same of ARP.
answering6() {
	local other
	at client nft flush set ip6 heard "$1"
	at client ip -6 neigh flush dev eth0
	at client ping -q -c 1 -W 1 "$2" >/dev/null
	for other in 2 3; do at client ping -q -c 1 -W 5 2001:db8:1::"$other" >/dev/null; done
	for other in $(at client nft list set ip6 heard "$1" | grep -o '..:..:..:..:..:..'); do
		echo "${name_of[$other]}"
	done | sort | xargs
}
answer6_is() { # NAMES low|high
	local address=${!2} is
	is=$(answering6 "$2" "$address")
	echo "for $address answered '$is', expected '$1'"
	[ "$is" = "$1" ]
}
told6() { at client nft list counter ip6 heard told | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
forget_told6() { at client nft reset counters table ip6 heard >/dev/null; }
told6_is() {
	echo "told $(told6) times, expected $1"
	[ "$(told6)" = "$1" ]
}
reaches6() { at client ping -q -c 1 -W 5 "$1"; }

proxies() { at "$1" ip -6 neigh show proxy | sort; }
ours() { proxies "$1" | grep 'proto 112' | cut -d' ' -f1-3; }
ours_are() { # NS ADDRESS...
	local ns=$1 want
	shift
	want=$([ $# = 0 ] || printf '%s dev eth0\n' "$@" | sort)
	echo "of $ns: $(ours "$ns"), expected $want"
	[ "$(ours "$ns")" = "$want" ]
}
sysctl_is() { [ "$(at a sysctl -n "$1")" = "$2" ]; }

start6() { start_driver "$1" -o 2001:db8:1::/64 30000-64999 -o 2001:db8:99::/64 30000-64999 "${@:2}"; }
start_both() {
	start6 a "$@"
	start6 b "$@"
}
stop_both() {
	stop_driver a
	stop_driver b
}
# noticed NS: and repaired.
noticed() {
	drive "$1" "changed 10000"
	drive "$1" sync
}

# What others have: it is in the way of nobody.
theirs() {
	at a ip -6 neigh replace proxy $own dev eth0
	at a ip -6 neigh replace proxy 2001:db8:1::77 dev eth0 protocol 42
}
theirs

# --- all ---

start6 a
drive a "add $frontends"
check "all: a neighbour without an entry of its own reaches a VIP" reaches6 $low
check "all: by asking" answer6_is a low
check "all: answers come at once" sysctl_is net.ipv6.neigh.eth0.proxy_delay 0
check "all: what is on no link needs none" ours_are a $low $high
drive a sync
check "all: there is nothing to repair" answers 'repairs=0 '
start6 b
drive b "add $frontends"
check "all: both answer" answer6_is "a b" high

# --- what others do ---

repaired() { # NAME COMMAND...
	local name=$1
	shift
	at a "$@"
	drive a sync
	check "$name: repaired in one write" answers 'repairs=1 '
	check "$name: as before" ours_are a $low $high
}
repaired "one removed" ip -6 neigh del proxy $low dev eth0
repaired "an answer forbidden" sysctl -qw net.ipv6.conf.eth0.proxy_ndp=0
check "an answer forbidden: allowed again" sysctl_is net.ipv6.conf.eth0.proxy_ndp 1
drive a "add [$own]:30000"
check "what somebody else answers for is not ours" ours_are a $low $high
drive a "remove [$own]:30000"
drive a prune
check "and stays his" grep -q "^$own " <(proxies a)
at a ip -6 neigh add proxy 2001:db8:1::9999 dev eth0 protocol 112
drive a sync
check "what nobody wants is left until all is known" ours_are a $low $high 2001:db8:1::9999
drive a prune
check "and then removed" ours_are a $low $high
at a ip link set eth0 down
at a ip link set eth0 up
at a ip addr replace 2001:db8:1::2/64 dev eth0
noticed a
check "an interface that was down is answered on again" ours_are a $low $high
check "by asking as well" answer6_is "a b" low
at bridge ip link set to-a down
noticed a
at bridge ip link set to-a up
noticed a
check "one whose carrier was lost has them again" ours_are a $low $high

ip link add more netns a type veth peer name more netns bridge
at bridge ip link set more up
at a ip link set more up
at a ip addr add 2001:db8:1::22/64 dev more nodad
at a ip addr del 2001:db8:1::2/64 dev eth0
noticed a
check "a network that moved takes its VIPs along" \
	test "$(ours a)" = "$(printf '%s dev more\n' $high $low)"
at a ip addr add 2001:db8:1::2/64 dev eth0 nodad
noticed a
check "one on two links is answered for on both" test "$(ours a | wc -l)" = 4
at a ip link del more
noticed a
check "and on one again" ours_are a $low $high
at a ip addr add $low/128 dev lo
noticed a
check "an address of the host needs none" ours_are a $high
at a ip addr del $low/128 dev lo
noticed a
check "and does when it is gone" ours_are a $low $high
drive a "add [$low]:30001"
drive a "remove [$low]:30000"
check "a VIP is answered for while it has a frontend" ours_are a $low $high
drive a "remove [$low]:30001"
check "and not any more" ours_are a $high
drive a "add [$low]:30000"
stop_both

# --- none ---

start6 a -a none
drive a "add $frontends"
check "none: what was answered for is not any more" ours_are a
check "none: by anybody but the other" answer6_is b low
check "none: but for the director's own address" reaches6 2001:db8:1::2
stop_driver a
at b $tools/host_driver <<<cleanup >/dev/null

# --- owner ---

start_owners() { # here|there there|here: whose the low one is, for a and for b
	start6 a -a 2001:db8:1::/120 "$1" -a 2001:db8::/32 "$2"
	start6 b -a 2001:db8:1::/120 "$2" -a 2001:db8::/32 "$1"
}
start_owners here there
both "add $frontends"
check "owner: silent until IPVS serves" ours_are a
both served
check "owner: then the owner answers" answer6_is a low
check "owner: and the other for what is the other's" answer6_is b high
stop_both
check "owner: so it goes on without agents" answer6_is a low
start_owners here there
check "owner: a restart answers from the beginning" answer6_is a low
both "add $frontends"
both served
drive a writes
check "owner: and writes nothing" answers 'writes 0'
check "before it changes hands the client knows the owner" reaches6 $low
check "and has it so" has_learned a $low
stop_both
start_owners there here
forget_told6
both "add $frontends"
both served
both "wait 300"
check "owner: the client learns of the new owner without asking" has_learned b $low
check "owner: and its packets get there" reaches6 $low
check "owner: which alone answers" answer6_is b low
both "wait 1500"
check "owner: each is told twice" told6_is 4
both sync
both "wait 1500"
check "owner: and not again for nothing" told6_is 4
at b ip link set eth0 down
at b ip link set eth0 up
at b ip addr replace 2001:db8:1::3/64 dev eth0
noticed b
drive b "wait 2000"
check "owner: answers again when the interface was down" answer6_is b low
stop_both

# --- as fast as is good for the link ---

at b ip addr add 2001:db8:2::f003/64 dev eth0 nodad
start_driver b -o 2001:db8:2::/64 30000-64999
drive b "add-vips 2001:db8:2::1 2000 30000"
echo "# 2,000 VIPs: $answer"
many() { at b ip -6 neigh show proxy | grep -c '^2001:db8:2::.*proto 112'; }
check "2,000 VIPs: not all at once" test "$(many)" -lt 1000
start=$(date +%s%3N)
while (($(many) < 2000 && $(date +%s%3N) - start < 60000)); do drive b "wait 200"; done
echo "# 2,000 VIPs: answered for after $(($(date +%s%3N) - start)) ms"
check "2,000 VIPs: but all" test "$(many)" = 2000
at client ip addr add 2001:db8:2::ffff/64 dev eth0 nodad
check "2,000 VIPs: one of them is reached" reaches6 2001:db8:2::7d0
drive b sync
check "2,000 VIPs: there is nothing to repair" answers 'repairs=0 '
echo "# 2,000 VIPs: $answer"
stop_driver b

# --- removal ---

theirs # an interface that goes down takes them along
start6 a
drive a "add $frontends"
stop_driver a
at a $tools/host_driver <<<cleanup >$work/cleanup
check "cleanup says what it removes" grep -q "removed proxy neighbour $low on eth0" $work/cleanup
check "cleanup leaves nothing" ours_are a
at b $tools/host_driver <<<cleanup >/dev/null
check "not of many either" ours_are b
check "and nobody answers" answer6_is "" low
check "what others made is there" test "$(proxies a | wc -l)" = 2
finish
