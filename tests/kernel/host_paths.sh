#!/bin/bash
# ipvs/paths.h on a kernel: probes go through a VIP to the server that has it, and to none that has not.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/host_net.bash
. tests/lib/wait.sh

#   director 10.2.0.1 -- 10.2.0.2 dr          both with a VIP of their own for each family,
#            10.3.0.1 -- 10.3.0.2 tunnel      once the test gives it to them
#            10.1.0.1 -- 10.1.0.2 client
modprobe -a ip_vs ipip ip6_tunnel
for ns in director dr tunnel client; do new_ns $ns; done
link director "10.1.0.1/24 2001:db8:1::1/64" client "10.1.0.2/24 2001:db8:1::2/64"
at client ip route add default via 10.1.0.1
at client ip -6 route add default via 2001:db8:1::1
link director "10.2.0.1/24 2001:db8:2::1/64" dr "10.2.0.2/24 2001:db8:2::2/64"
link director "10.3.0.1/24 2001:db8:3::1/64" tunnel "10.3.0.2/24 2001:db8:3::2/64"
at director ip addr add 192.0.2.1/32 dev lo
at director ip addr add 2001:db8:9::1/128 dev lo nodad
for ns in dr tunnel; do
	at $ns sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	at $ns ip route add default via "10.$([ $ns = dr ] && echo 2 || echo 3).0.1"
	at $ns ip -6 route add default via "2001:db8:$([ $ns = dr ] && echo 2 || echo 3)::1"
done
# Answers that seem to come from elsewhere are dropped.
at director sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.dr.rp_filter=1 net.ipv4.conf.tunnel.rp_filter=1

# Each says to which address of it the client came.
cat >/run/server.py <<'X1'
import socket
s = socket.socket(socket.AF_INET6)
s.bind(("::", 30000))
s.listen(64)
while True:
    c, _ = s.accept()
    try:
        c.sendall((c.getsockname()[0].removeprefix("::ffff:") + "\n").encode())
    except OSError:
        pass
    c.close()
X1
at dr python3 /run/server.py &
at tunnel python3 /run/server.py &
listens() { at "$1" ss -Hltn 'sport = 30000' | grep -q LISTEN; }
wait_for 30 listens dr
wait_for 30 listens tunnel

# probe.py SERVER PORT TIMES [FROM]: as the prober does it, ended by a reset; a line for each, with its milliseconds.
cat >/run/probe.py <<'X1'
import socket, struct, sys, time
server, port, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
v6 = ":" in server
for _ in range(times):
    s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.settimeout(8 if times > 0 else 3)
    s.bind((sys.argv[4] if len(sys.argv) > 4 else "2001:db8:9::1" if v6 else "192.0.2.1", port))
    start = time.monotonic()
    try:
        s.connect((server, 30000))
        line = s.makefile().readline().strip()
    except OSError:
        line = "nothing"
    print(line, int((time.monotonic() - start) * 1000), flush=True)
    s.close()
X1
# sees SERVER PORT ADDRESS [TIMES]: the server is reached each time, and at that address of it.
sees() {
	local want
	lines=$(at director python3 /run/probe.py "$1" "$2" "${4:-1}")
	want=$(for ((i = 0; i < ${4:-1}; i++)); do echo "$3"; done)
	printf 'seen:\n%s\nexpected:\n%s\n' "$lines" "$want"
	[ "$(cut -d' ' -f1 <<<"$lines")" = "$want" ]
}
# The same five times, and by the median before a SYN is sent again, which it is after a second.
sees_at_once() {
	sees "$1" "$2" "$3" 5 && [ "$(cut -d' ' -f2 <<<"$lines" | sort -n | sed -n 3p)" -lt 500 ]
}
answers() {
	echo "answer: $answer"
	grep -q -- "$1" <<<"$answer"
}
there() { at director nft list table inet parasaus-paths; }
not() { ! "$@"; }
not_there() { ! there; }
services() { at director ipvsadm -Ln | sed 's/ *$//; s/  */ /g'; }
has_service() {
	services | tee /dev/stderr | grep -A1 "^FWM $1\$" | grep -q "$2"
}
has_no_service() { ! services | grep "^FWM $1\b"; }
mark() { echo $((0x50610000 + $1)); }
foreign() {
	at director ipvsadm -A -f 7 -s wlc
	at director ipvsadm -a -f 7 -r 10.2.0.2 -g
	at director ipvsadm -A -f $((0x506103e8)) -s rr # the first that is none of ours
}
foreign_is_there() { has_service 7 wlc || has_service "7 wlc" 'Route 1' && services | grep "FWM $((0x506103e8))"; }

options=(-o 10.0.0.0/16 30000-64999 -o 2001:db8::/64 30000-64999 -p 192.0.2.1 -p 2001:db8:9::1)
start_host "${options[@]}"
host "add 10.0.0.1:30000/direct [2001:db8::1]:30000/direct"
foreign
check "unasked there is no table" not_there
host paths-check
check "and nothing to repair" answers 'repairs=0$'

host "path 5 10.0.0.1 10.2.0.2:30000 dr"
check "a path is in force" answers 'version=1 error=0'
check "IPVS has its service" has_service "$(mark 5) rr persistent 10" '10.2.0.2:30000 Route 1'
host "path 6 2001:db8::1 [2001:db8:2::2]:30000 dr"
check "and that of IPv6" has_service "$(mark 6) IPv6 rr persistent 10" '\[2001:db8:2::2\]:30000 Route 1'
check "a server without the VIP is not reached" sees 10.2.0.2 61005 nothing
check "over IPv6 neither" sees 2001:db8:2::2 61006 nothing
check "what goes to it by itself reaches it" sees 10.2.0.2 0 10.2.0.2
check "from the port of no path, too" sees 10.2.0.2 61006 10.2.0.2
at dr ip addr add 10.0.0.1/32 dev lo
at dr ip addr add 2001:db8::1/128 dev lo nodad
check "once it has the VIP it is reached by it" sees 10.2.0.2 61005 10.0.0.1
check "over IPv6 as well" sees 2001:db8:2::2 61006 2001:db8::1

host "path 7 10.0.0.1 10.3.0.2:30000 tunnel"
host "path 8 2001:db8::1 [2001:db8:3::2]:30000 tunnel"
check "one in a tunnel" has_service "$(mark 7) rr persistent 10" '10.3.0.2:30000 Tunnel 1'
at tunnel ip addr add 10.0.0.1/32 dev lo
at tunnel ip addr add 2001:db8::1/128 dev lo nodad
check "a server without the tunnel is not reached" sees 10.3.0.2 61007 nothing
at tunnel ip link add tun4 type ipip local 10.3.0.2 remote any
at tunnel ip link add tun6 type ip6tnl mode any local 2001:db8:3::2 remote any
at tunnel ip link set tun4 up
at tunnel ip link set tun6 up
at tunnel sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tun4.rp_filter=0
check "with it it is" sees 10.3.0.2 61007 10.0.0.1
check "over IPv6 as well" sees 2001:db8:3::2 61008 2001:db8::1

# From the same port again at once, however the packets are tracked.
for conntrack in 0 1; do
	at director sysctl -qw net.ipv4.vs.conntrack=$conntrack
	for notrack in "" "4 6"; do
		host "notrack $notrack"
		name="conntrack $conntrack, not tracked: ${notrack:-none}"
		check "five probes, dr, $name" sees_at_once 10.2.0.2 61005 10.0.0.1
		check "five probes, IPv6, $name" sees_at_once 2001:db8:2::2 61006 2001:db8::1
		check "five probes, tunnel, $name" sees_at_once 10.3.0.2 61007 10.0.0.1
	done
done
host notrack

# A firewall that takes established connections alone.
at director nft -f - <<X
table inet wall {
	chain input {
		type filter hook input priority 0;
		tcp sport 30000 ct state != established drop
	}
}
X
for conntrack in 0 1; do
	at director sysctl -qw net.ipv4.vs.conntrack=$conntrack
	check "answers are established, conntrack $conntrack" sees 10.2.0.2 61005 10.0.0.1 3
	check "over IPv6 as well, conntrack $conntrack" sees 2001:db8:2::2 61006 2001:db8::1 3
done
at director nft delete table inet wall

# IPVS takes room for its header off the path of a socket that sends into a tunnel.
has_narrow_path() { at director ip route get "$1" | tee /dev/stderr | grep mtu; }
check "many probes go into a tunnel" sees 10.3.0.2 61007 10.0.0.1 10
check "over IPv6 as well" sees 2001:db8:3::2 61008 2001:db8::1 10
check "the path of IPv4 is as wide as it was" not has_narrow_path 10.3.0.2
check "that of IPv6, too" not has_narrow_path 2001:db8:3::2

# Clients that have the port of a path, of a server that has it, too.
client_sees() {
	local is
	is=$(at client python3 /run/probe.py "$1" "$2" 1 "$3")
	echo "$is"
	[ "${is% *}" = "$4" ]
}
host "add 10.0.0.9:30000/direct [2001:db8::9]:30000/direct"
at director ipvsadm -A -t 10.0.0.9:30000 -s rr
at director ipvsadm -a -t 10.0.0.9:30000 -r 10.2.0.2:30000 -m
at director ipvsadm -A -t '[2001:db8::9]:30000' -s rr
at director ipvsadm -a -t '[2001:db8::9]:30000' -r '[2001:db8:2::2]:30000' -m
check "a client that goes by NAT is served" client_sees 10.0.0.9 40005 10.1.0.2 10.2.0.2
check "from the port of a path, too" client_sees 10.0.0.9 61005 10.1.0.2 10.2.0.2
check "over IPv6 as well" client_sees 2001:db8::9 61006 2001:db8:1::2 2001:db8:2::2
# Answers of a server whose way back is by this host; IPv6 lets its own addresses pass.
at director ipvsadm -A -t '[2001:db8::1]:30000' -s rr
at director ipvsadm -a -t '[2001:db8::1]:30000' -r '[2001:db8:2::2]:30000' -g
check "a client of dr, whose answers pass here" client_sees 2001:db8::1 61006 2001:db8:1::2 2001:db8::1
at director ipvsadm -D -t '[2001:db8::1]:30000'

# Where the VIP is not here.
leaves() { at director nft list counter inet spy left | tee /dev/stderr | grep -q 'packets [1-9]'; }
at director nft -f - <<X
table inet spy {
	counter left { }
	chain postrouting {
		type filter hook postrouting priority 0
		ip daddr 10.0.0.1 oifname != "lo" counter name left
		ip6 daddr 2001:db8::1 oifname != "lo" counter name left
	}
}
X
at director ip route add default via 10.1.0.2
at director ip -6 route add default via 2001:db8:1::2
at director ip route del local 10.0.0.1
at director ip -6 route del local 2001:db8::1
check "a probe by a VIP without its route" sees 10.2.0.2 61005 nothing
check "over IPv6 as well" sees 2001:db8:2::2 61006 nothing
check "does not leave" not leaves
host sync
check "with its route it gets there" sees 10.2.0.2 61005 10.0.0.1
check "over IPv6 as well" sees 2001:db8:2::2 61006 2001:db8::1
at director nft delete table inet spy

# Others' changes.
host sync
host paths-check
check "there is nothing to repair" answers 'repairs=0$'
at director ipvsadm -C
foreign
host paths-check
check "services that are gone are made again" answers 'repairs=8$'
check "and serve" sees 10.2.0.2 61005 10.0.0.1
check "over IPv6 as well" sees 2001:db8:2::2 61006 2001:db8::1
at director ipvsadm -e -f "$(mark 5)" -r 10.2.0.2:30000 -g -w 0
at director ipvsadm -a -f "$(mark 7)" -r 10.2.0.2:30000 -g
at director ipvsadm -E -f "$(mark 6)" -6 -s wlc
host paths-check
check "altered ones are made anew" answers 'repairs=9$'
check "with their server" has_service "$(mark 5) rr persistent 10" '10.2.0.2:30000 Route 1'
check "and scheduler" has_service "$(mark 6) IPv6 rr persistent 10" '30000 Route 1'
host paths-check
check "once" answers 'repairs=0$'
at director nft delete table inet parasaus-paths
host "changed 10000"
check "a table that is gone is noticed" answers 'changed yes'
host sync
check "and made again" answers 'repairs=1 '
check "and leads there" sees 10.2.0.2 61005 10.0.0.1
check "others' services are what they were" foreign_is_there

# Paths come and go.
host "no-path 7"
check "one that is taken back has no service" has_no_service "$(mark 7)"
check "and what comes from its port goes to the server itself" sees 10.3.0.2 61007 10.3.0.2
check "the others are there" sees 2001:db8:3::2 61008 2001:db8::1
host "no-path 8"
stop_host
check "paths stay when the agent is gone" sees 10.2.0.2 61005 10.0.0.1
start_host "${options[@]}"
host "add 10.0.0.1:30000/direct [2001:db8::1]:30000/direct"
host sync
check "until it is told of some they stay" has_service "$(mark 6) IPv6 rr persistent 10" Route
host "no-path 6"
check "then what it is not told goes" has_no_service "$(mark 6)"
check "all of it" not_there
host "paths 0 400 10.0.0.1 10.2.0.2:30000"
check "many paths" answers 'version=[0-9]* error=0'
stop_host
start_host "${options[@]}"
host "add 10.0.0.1:30000/direct [2001:db8::1]:30000/direct"
host writes
before=$answer
host "paths 0 400 10.0.0.1 10.2.0.2:30000"
host writes
check "after a restart what is there already is not written" [ "$answer" = "$before" ]
check "and the last of them leads there" sees 10.2.0.2 61399 10.0.0.1
host "paths 5 1 10.0.0.1 10.2.0.2:30000"
check "those that are not told any more go" has_no_service "$(mark 6)"

# What IPVS refuses is told, and the others are made.
host "path 9 10.0.0.1 10.2.0.255:30000 dr"
check "a path that cannot be is told" answers 'error=0 failed=9 10.2.0.255:30000 by the VIP 10.0.0.1: Invalid argument$'
check "and the others are" has_service "$(mark 5) rr persistent 10" Route
check "and serve" sees 10.2.0.2 61005 10.0.0.1
host paths-check
check "trying it again is no repair" answers 'repairs=0$'
host "no-path 9"
host "path 10 10.0.0.77 10.2.0.2:30000 dr"
check "one by a VIP that is not here is told" answers 'error=0 failed=10 .*10.0.0.77: the VIP has no local route'
host "add 10.0.0.77:30000/direct"
host "path 10 10.0.0.77 10.2.0.2:30000 dr"
check "and is in force once it is" answers 'error=0$'
at director $tools/host_driver "${options[@]}" <<<cleanup >/run/cleanup
check "cleanup says what it removes" grep -q 'removed nftables table inet parasaus-paths' /run/cleanup
check "of IPVS, too" grep -q 'removed virtual service of the mark 0x50610005 (IPv4)' /run/cleanup
check "and leaves no table" not_there
check "nor service" has_no_service "$(mark 5)"
check "but others'" foreign_is_there
finish
