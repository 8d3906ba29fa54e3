#!/bin/bash
# ipvs/host.h over restarts, beside others, and gone without a trace.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/host_net.bash

new_ns director
new_ns other
options=(-n 192.0.2.1 -o 10.0.0.0/16 30000-64999 -o 10.0.5.0/24 80 -o 2001:db8::/64 1-65535)
frontends="10.0.0.1:30000 10.0.0.1:30001/udp/direct 10.0.0.2:30000 [2001:db8::1]:80 192.0.2.1:40000"

# same FILE COMMAND...: the command prints what is in the file.
same() {
	local file=$1
	shift
	"$@" >/run/now
	diff "$file" /run/now
}
# Routes of ours, the table and the sets, as the tools print them.
state() {
	at "$1" sh -c '
		ip -d route show table local proto 112
		ip -d -6 route show table local proto 112
		nft -s list table inet parasaus
		ipset save | grep "^add parasaus" | sort'
}
answers() {
	echo "answer: $answer"
	grep -q -- "$1" <<<"$answer"
}
routes() {
	at director ip route show table local proto 112 | cut -d' ' -f2 | sort | xargs
}

# --- what others have ---

at director ip addr add 192.0.2.1/32 dev lo
at director ip route add local 10.0.9.9 dev lo proto 99
at director ip route add local 10.0.0.2 dev lo proto 99
at director ip route add blackhole 10.77.0.0/16 proto 112
at director ipset create theirs hash:ip
at director ipset create parasaus-theirs hash:ip
at director nft -f - <<X
table inet theirs {
	set vips4 { type ipv4_addr; elements = { 10.0.0.1 }; }
	chain input { type filter hook input priority 150; ip daddr @vips4 counter; }
}
table ip parasaus {
	chain forward { }
}
X
others() {
	at director ip route show table all proto 99
	at director ip route show proto 112
	at director nft -s list table inet theirs
	at director nft -s list table ip parasaus
	at director ipset save | grep -v 'parasaus-declared\|parasaus-sources'
}
others >/run/others

# --- from nothing, and again ---

start_host "${options[@]}"
host "add $frontends"
check "frontends are added" answers 'add frontends=5'
check "a route of somebody else will do" test "$(routes)" = 10.0.0.1
check "the route has the node's address as source" \
	grep -q 'src 192.0.2.1' <<<"$(at director ip route show table local 10.0.0.1)"
host sync
check "nothing is left to do" answers 'repairs=0 '
host "changed 300"
check "what we write ourselves is no change" answers 'changed no'
stop_host
state director >/run/first
declared() {
	at director ipset save | sed -n 's/^add parasaus-declared6\? //p' | sort
}
cat >/run/declared <<X
10.0.0.1,tcp:30000
10.0.0.1,udp:30001
10.0.0.2,tcp:30000
192.0.2.1,tcp:40000
2001:db8::1,tcp:80
X
check "the sets of ipset list the frontends" same /run/declared declared

start_host "${options[@]}"
host writes
check "a restart writes nothing" answers 'writes 0'
host "add 10.0.0.1:30000"
host sync
check "nor takes away what it was not told yet" answers 'repairs=0 '
check "the host is as before" same /run/first state director
host "add $frontends"
host prune
check "nothing to prune when all was told" answers 'repairs=0 '
host writes
check "and nothing was written" answers 'writes 0'
host "add 10.0.0.3:30000"
check "a VIP more is a route, a transaction and a set entry" answers 'add frontends=1'
host writes
check "three writes" answers 'writes 3'
stop_host
start_host "${options[@]}"
host "add $frontends"
check "a VIP that nobody wants any more stays" test "$(routes)" = "10.0.0.1 10.0.0.3"
host prune
check "until all was told" test "$(routes)" = 10.0.0.1
check "the host is as before" same /run/first state director

# --- repair ---

repaired() {
	local name=$1
	shift
	at director "$@"
	host "changed 10000"
	check "$name: noticed" answers 'changed yes'
	host prune
	check "$name: repaired" same /run/first state director
	host sync
	check "$name: once" answers 'repairs=0 '
}
{
	echo 'flush ruleset'
	at director nft list table inet theirs
	at director nft list table ip parasaus
} >/run/flush.nft
repaired "nft flush ruleset" nft -f /run/flush.nft
repaired "our table gone" nft delete table inet parasaus
repaired "a rule more" nft insert rule inet parasaus guard accept
repaired "an element more" nft add element inet parasaus vips4 '{ 10.0.0.77 }'
repaired "an element less" nft delete element inet parasaus vips4 '{ 10.0.0.1 }'
repaired "a block of ours more" nft add element inet parasaus ours4 '{ 10.3.0.0/16 . 80 }'
repaired "a route gone" ip route del local 10.0.0.1 table local
repaired "IPv6: a route gone" ip -6 route del local 2001:db8::1 table local
repaired "a route more" ip route add local 10.0.0.8 dev lo proto 112
repaired "a route without its source" ip route replace local 10.0.0.1 dev lo proto 112
repaired "lo down and up" sh -c "ip link set lo down; ip link set lo up"
at director ipset del parasaus-declared 10.0.0.1,tcp:30000
host prune
check "an ipset entry less: repaired" same /run/first state director
at director ipset destroy parasaus-declared
host prune
check "an ipset gone: repaired" same /run/first state director
at director ipset add parasaus-sources 10.20.0.0/16
host prune
check "what operators put into parasaus-sources stays" \
	at director ipset test parasaus-sources 10.20.1.1

# --- an address that comes and goes ---

at director ip addr add 10.0.0.1/32 dev lo
host "changed 10000"
host sync
check "an address that somebody configured loses our route" test "$(routes)" = ""
check "and is the host's own" grep -q 10.0.0.1 <<<"$(at director nft list set inet parasaus own4)"
at director ip addr del 10.0.0.1/32 dev lo
host "changed 10000"
host sync
check "and gets it back" test "$(routes)" = 10.0.0.1
at director ip route del local 10.0.0.2 table local
host "changed 10000"
host sync
check "somebody else's route gone, ours comes" test "$(routes)" = "10.0.0.1 10.0.0.2"
at director ip route del local 10.0.0.2 table local
at director ip route add local 10.0.0.2 dev lo proto 99
host sync

# --- router advertisements ---

new_ns guest6
link guest6 2001:db8:9::2/64 other 2001:db8:9::1/64
at guest6 ip -6 route add default via 2001:db8:9::1 proto ra
forwarding() {
	at guest6 $tools/host_driver -o 2001:db8::/64 80 <<<"add [2001:db8::1]:80" >/run/guest6
	at guest6 sysctl -n net.ipv6.conf.all.forwarding
}
check "IPv6 forwarding stays off where it takes the default route away" test "$(forwarding)" = 0
check "and that is told" grep -q 'set net.ipv6.conf.other.accept_ra to 2' /run/guest6
at guest6 sysctl -q net.ipv6.conf.other.accept_ra=2
check "with accept_ra=2 it is turned on" test "$(forwarding)" = 1

# --- removal ---

host "remove 10.0.0.1:30000"
check "a VIP stays for its other frontend" test "$(routes)" = 10.0.0.1
host "remove 10.0.0.1:30001/udp"
check "and goes with the last" test "$(routes)" = ""
check "its element too" \
	sh -c "! ip netns exec director nft list set inet parasaus vips4 | grep -q '10\.0\.0\.1'"
check "others' things are as they were" same /run/others others

# --- another network namespace ---

at other $tools/host_driver -o 10.0.0.0/16 30000-64999 <<<"add 10.0.0.1:30000" >/run/other.out
state other >/run/other
stop_host
at director $tools/host_driver "${options[@]}" <<<cleanup >/run/cleanup
check "cleanup says what it removes" grep -q 'removed nftables table inet parasaus' /run/cleanup
clean() {
	state director 2>/dev/null
	! at director ipset list -n | grep 'parasaus-declared\|parasaus-sources'
}
check "cleanup leaves nothing" test -z "$(clean)"
check "others' things are as they were" same /run/others others
check "the agent in the other namespace was not disturbed" same /run/other state other
at director $tools/host_driver "${options[@]}" <<<cleanup >/run/cleanup
check "cleaning up twice is no error" test "$(cat /run/cleanup)" = "cleanup done"
finish
