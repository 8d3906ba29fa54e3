#!/bin/bash
# ipvs/host_probes.h on a kernel: its table as the tools print it, repaired, known again, and gone.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/host_net.bash
. tests/lib/wait.sh

new_ns director
at director ip addr add 192.0.2.1/32 dev lo
at director ip addr add 2001:db8::1/128 dev lo nodad
options=(-o 10.0.0.0/16 30000-64999 -p 192.0.2.1 -p 2001:db8::1)

answers() {
	echo "answer: $answer"
	grep -q -- "$1" <<<"$answer"
}
there() { at director nft list table inet parasaus-probes; }
not_there() { ! there; }
tracked_table() { at director nft -s list table inet parasaus; }

# How a datagram to port 9 from ADDRESS to another of this host is seen behind connection tracking.
at director nft -f - <<X
table inet seen {
	counter untracked { }
	counter tracked { }
	chain output {
		type filter hook output priority 0;
		udp dport 9 ct state untracked counter name untracked accept
		udp dport 9 counter name tracked
	}
}
X
count() { at director nft list counter inet seen "$1" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }
# sends FROM TO TRACKED|UNTRACKED
sends() {
	local before
	before=$(count "$3")
	at director python3 - "$1" "$2" <<'X'
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
s.sendto(b"x", (sys.argv[2], 9))
X
	echo "$3: $before before, $(count "$3") now"
	[ "$(count "$3")" = $((before + 1)) ]
}

start_host "${options[@]}"
host "add 10.0.0.1:30000"
check "unasked there is no table" not_there
host notrack-now
check "and none is known" answers 'v4=none/0 v6=none/0'
check "what is sent is tracked" sends 192.0.2.1 127.0.0.1 tracked
tracked_table >/run/tracked

host "notrack 127.0.0.1 127.0.0.2 ::1"
check "some servers are taken" answers 'v4=some/2 v6=some/1'
check "what goes to them is not tracked" sends 192.0.2.1 127.0.0.1 untracked
check "to the other one neither" sends 192.0.2.1 127.0.0.2 untracked
check "over IPv6 neither" sends 2001:db8::1 ::1 untracked
check "what goes elsewhere is" sends 192.0.2.1 127.0.0.3 tracked
check "and what comes from elsewhere" sends 127.0.0.9 127.0.0.1 tracked
host sync
check "the table is as it should be" answers 'repairs=0 '

host "notrack 4 6"
check "all of both families" answers 'v4=all/0 v6=all/0'
check "nothing of IPv4 is tracked" sends 192.0.2.1 127.0.0.3 untracked
check "nothing of IPv6" sends 2001:db8::1 ::1 untracked
check "but what comes from elsewhere is" sends 127.0.0.9 127.0.0.1 tracked
host "changed 300"
check "what we write ourselves is no change" answers 'changed no'
stop_host
check "it stays when the agent is gone" there

start_host "${options[@]}"
host writes
check "a restart writes nothing" answers 'writes 0'
host notrack-now
check "and knows it again" answers 'v4=all/0 v6=all/0'
host "add 10.0.0.1:30000"
at director nft insert rule inet parasaus-probes output accept
host "changed 10000"
check "a rule more is noticed" answers 'changed yes'
host sync
check "and repaired" answers 'repairs=[1-9]'
host sync
check "once" answers 'repairs=0 '
at director nft delete table inet parasaus-probes
host "changed 10000"
host sync
check "a table that is gone is made again" sends 192.0.2.1 127.0.0.3 untracked
check "the other table is what it was" diff /run/tracked <(tracked_table)

host "notrack 4"
check "one family alone" answers 'v4=all/0 v6=none/0'
check "and the other one is tracked" sends 2001:db8::1 ::1 tracked
stop_host

start_host -o 10.0.0.0/16 30000-64999
host "add 10.0.0.1:30000"
check "where it is not configured any more it goes" not_there
host "notrack 4 6"
check "and is not made, whatever core says" not_there
stop_host

start_host "${options[@]}"
host "notrack 127.0.0.1"
stop_host
start_host "${options[@]}"
host notrack-now
check "a trial does not outlive the process" answers 'v4=none/0 v6=none/0'
check "in the kernel neither" not_there
host "notrack 6"
stop_host

# What is masqueraded may be given an address that the kernel picks by itself.
at director ip link add lan0 type veth peer name lan1
at director ip link set lan0 up
at director ip addr add 192.0.2.1/24 dev lan0
start_host "${options[@]}"
host "notrack 4"
check "an address with a network of its own is left out" answers 'v4=picked/0 v6=none/0'
check "and is tracked" not_there
stop_host
at director ip addr del 192.0.2.1/24 dev lan0
at director ip addr add 192.0.2.7/24 dev lan0
at director ip addr add 192.0.2.1/24 dev lan0
start_host "${options[@]}"
host "notrack 4"
check "a second one of that network is taken" answers 'v4=all/0'
at director ip route add 198.51.100.0/24 dev lan0 src 192.0.2.1
host sync
host notrack-now
check "but for a route that names it" answers 'v4=picked/0'
check "then the table goes" not_there
at director ip route del 198.51.100.0/24
host "notrack 198.51.100.9"
check "once the route is gone it is taken again" answers 'v4=some/1'
at director ip addr flush dev lan0
at director ip addr add 192.0.2.1/32 dev lan0
at director ip route add 198.51.100.0/24 dev lan0
host "notrack 4"
check "nor may it be the only address of an interface" answers 'v4=picked/0'
at director ip link del lan0
host "notrack"
stop_host

# A table of that name that nobody else may change: the rest of the rules is there all the same.
at director nft delete table inet parasaus-probes
at director nft delete table inet parasaus
coproc OWNER { nsenter --net=/run/netns/director nft -i; }
echo 'add table inet parasaus-probes { flags owner; }' >&"${OWNER[1]}"
wait_for 10 there
start_host "${options[@]}"
host "add 10.0.0.1:30000" || true
check "a table that cannot be made is told" answers 'error add: .*nftables'
check "and the others are made" sh -c "ip netns exec director nft list set inet parasaus vips4 | grep '10\.0\.0\.1'"
eval "exec ${OWNER[1]}>&-"
wait "$OWNER_PID"
start_host "${options[@]}"
host "add 10.0.0.1:30000"
host "notrack 6"
check "once it is gone it can" answers 'v6=all'
stop_host
at director $tools/host_driver "${options[@]}" <<<cleanup >/run/cleanup
check "cleanup says what it removes" grep -q 'removed nftables table inet parasaus-probes' /run/cleanup
check "and leaves nothing" not_there
finish
