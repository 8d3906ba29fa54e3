#!/bin/bash
# Who answers for a VIP on the link: `announce` all, none and owner, with two directors and a client
# on one bridge.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/host_net.bash

work=/run/announce
mkdir -p $work

# --- the ground ---

# join NS NUMBER: an interface eth0 on the bridge, with addresses that end in the number.
join() {
	ip link add eth0 netns "$1" type veth peer name "to-$1" netns bridge
	at "$1" sysctl -q net.ipv6.conf.eth0.accept_dad=0
	at "$1" ip addr add "10.1.0.$2/24" dev eth0
	at "$1" ip addr add "2001:db8:1::$2/64" dev eth0
	at "$1" ip link set eth0 up
	at bridge ip link set dev "to-$1" master br0 up
}
for ns in bridge client a b; do new_ns $ns; done
at bridge ip link add br0 type bridge
at bridge ip link set br0 up
join client 1
join a 2
join b 3
declare -A name_of to from driver
mac_of() { at "$1" ip -br link show eth0 | awk '{ print $3 }'; }
for ns in a b; do name_of[$(mac_of $ns)]=$ns; done

# What the client hears.
at client nft -f - <<X
table arp heard {
	set answers {
		typeof arp saddr ip . arp saddr ether
		flags dynamic
	}
	chain input {
		type filter hook input priority 0;
		arp operation reply update @answers { arp saddr ip . arp saddr ether }
	}
}
X

# A driver (tests/lib/tools/host_driver) in a director.
start_driver() { # NS ARG...
	local ns=$1 in out fd
	shift
	mkfifo $work/$ns.in $work/$ns.out
	# The other driver's lines stay ours alone, or it would never see their end.
	(
		for fd in "${to[@]}" "${from[@]}"; do eval "exec $fd>&-"; done
		exec nsenter --net=/run/netns/$ns $tools/host_driver "$@" \
			<$work/$ns.in >$work/$ns.out 2>&1
	) &
	driver[$ns]=$!
	exec {in}>$work/$ns.in {out}<$work/$ns.out
	to[$ns]=$in
	from[$ns]=$out
	rm $work/$ns.in $work/$ns.out
}
stop_driver() { # NS
	eval "exec ${to[$1]}>&- ${from[$1]}<&-"
	unset "to[$1]" "from[$1]"
	wait "${driver[$1]}"
}
# drive NS LINE: its answer is in $answer.
drive() {
	local line
	answer=
	echo "$2" >&"${to[$1]}"
	while read -r line <&"${from[$1]}"; do
		answer+=$line$'\n'
		case $line in
		event* | removed*) ;;
		error* | unknown*) break ;;
		*) return 0 ;;
		esac
	done
	echo "# the driver of $1, told '$2': $answer"
	return 1
}
both() { drive a "$1" && drive b "$1"; }
answers() { # TEXT
	echo "answer: $answer"
	grep -q -- "$1" <<<"$answer"
}

# Whose MAC the client has for an address: a, b, or nothing.
learned() {
	local mac
	mac=$(at client ip neigh show "$1" dev eth0 | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
	echo "${mac:+${name_of[$mac]}}"
}
has_learned() { # NAME ADDRESS
	echo "for $2 the client has '$(learned "$2")', expected '$1'"
	[ "$(learned "$2")" = "$1" ]
}

# answering ADDRESS: who does when the client asks for it. The directors' own addresses are asked
# for afterwards: what they had to say before that has come.
answering() {
	local other found
	at client nft flush set arp heard answers
	at client ip neigh flush dev eth0
	at client ping -q -c 1 -W 1 "$1" >/dev/null
	for other in 10.1.0.2 10.1.0.3; do at client ping -q -c 1 -W 5 $other >/dev/null; done
	found=$(at client nft list set arp heard answers | grep -o "$1 \. [0-9a-f:]*" | cut -d' ' -f3)
	for other in $found; do echo "${name_of[$other]}"; done | sort | xargs
}
answer_is() { # NAMES ADDRESS
	local is
	is=$(answering "$2")
	echo "for $2 answered '$is', expected '$1'"
	[ "$is" = "$1" ]
}
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

# --- removal ---

start_both -a none
both "add $frontends"
stop_both
at a $tools/host_driver <<<cleanup >$work/cleanup
check "cleanup says what it removes" grep -q 'removed nftables table arp parasaus' $work/cleanup
check "cleanup leaves nothing" test -z "$(silence a 2>/dev/null)"
check "the table of others is as it was" same_as $work/theirs theirs
finish
