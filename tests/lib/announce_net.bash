# shellcheck shell=bash
# Two directors, a and b, and a client on one bridge, for tests of who answers for a VIP. Sourced,
# from the project's directory; brings host_net.bash with it.
#
#   client 10.1.0.1, a 10.1.0.2, b 10.1.0.3 (2001:db8:1::1 ...), each by its eth0

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

# What the client hears: who answered, and what was told unasked.
at client nft -f - <<X
table arp heard {
	set answers {
		typeof arp saddr ip . arp saddr ether
		flags dynamic
	}
	set unasked {
		type ipv4_addr
		elements = { 10.1.0.50, 10.1.0.150 }
	}
	counter request { }
	counter reply { }
	chain input {
		type filter hook input priority 0;
		arp operation request arp saddr ip @unasked arp daddr ip @unasked counter name request
		arp operation reply arp saddr ip @unasked arp daddr ip @unasked counter name reply
		arp operation reply update @answers { arp saddr ip . arp saddr ether }
	}
}
X

# A driver (tests/lib/tools/host_driver) in a director.
start_driver() { # NS ARG...
	local ns=$1 in out fd
	shift
	mkfifo "$work/$ns.in" "$work/$ns.out"
	# The other driver's lines stay ours alone, or it would never see their end.
	(
		for fd in "${to[@]}" "${from[@]}"; do eval "exec $fd>&-"; done
		exec nsenter --net="/run/netns/$ns" "$tools"/host_driver "$@" \
			<"$work/$ns.in" >"$work/$ns.out" 2>&1
	) &
	driver[$ns]=$!
	exec {in}>"$work/$ns.in" {out}<"$work/$ns.out"
	to[$ns]=$in
	from[$ns]=$out
	rm "$work/$ns.in" "$work/$ns.out"
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
	for other in 2 3; do at client ping -q -c 1 -W 5 10.1.0.$other >/dev/null; done
	found=$(at client nft list set arp heard answers | grep -o "$1 \. [0-9a-f:]*" | cut -d' ' -f3)
	for other in $found; do echo "${name_of[$other]}"; done | sort | xargs
}
answer_is() { # NAMES ADDRESS
	local is
	is=$(answering "$2")
	echo "for $2 answered '$is', expected '$1'"
	[ "$is" = "$1" ]
}
# told: how many gratuitous requests and replies came for the two VIPs of the tests.
told() {
	local name
	for name in request reply; do
		at client nft list counter arp heard $name | sed -n 's/.*packets \([0-9]*\).*/\1/p'
	done | xargs
}
forget_told() { at client nft reset counters table arp heard >/dev/null; }
# soon COMMAND...: it becomes true within five seconds; the milliseconds that took are in $took.
soon() {
	local start now
	start=$(date +%s%3N)
	while :; do
		"$@" >/dev/null 2>&1 && break
		now=$(date +%s%3N)
		((now - start < 5000)) || return 1
	done
	now=$(date +%s%3N)
	took=$((now - start))
}
