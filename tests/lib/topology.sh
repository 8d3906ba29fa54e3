# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A small network on one machine, each box a network namespace:
#
#   client              director                 lan (a bridge)     real servers
#   198.51.100.2 ------ 198.51.100.1
#                       10.100.1.1 ------------- br0 -------------- 10.100.1.0/24
#
# The client's default route is the director. Real servers have no route but
# to their own network: what reaches them from a client must come with the
# director's address. To be sourced; needs root and, for the agent's part
# (topology_agent.sh), a kernel with IPVS.
#
# topology_up makes it and sets
#   net    the prefix of the namespaces' names, of this run alone
#   run    a folder for whatever belongs to the run
#   tools  the folder of webserver, loadclient, ipvs_poll and nlcount
# On exit everything that was started is ended and everything made is removed.

# shellcheck source=wait.sh
. "$(dirname "${BASH_SOURCE[0]}")/wait.sh"

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
build=$(realpath "${PARASAUS_BUILD:-$project/build/release}")
tools=$build/tools
net="" run="" background=""
topology_pids=()
webserver_options=() # more of them, for server_start

topology_up() {
	net=$1-$$
	run=/run/$net
	mkdir -p "$run"
	trap topology_down EXIT
	trap 'exit 1' HUP INT TERM
	box_add client
	box_add lan
	ip -n "$net-lan" link add br0 type bridge
	ip -n "$net-lan" link set br0 up
	director_up
}

topology_down() {
	local pid box
	set +e
	trap '' HUP INT TERM
	exec 2>/dev/null # the shell tells of each that is killed
	for pid in "${topology_pids[@]}"; do
		kill -KILL "$pid" 2>/dev/null
	done
	for box in $(ip netns list | awk -v p="$net-" 'index($1, p) == 1 { print $1 }'); do
		# What a supervisor started meanwhile, and only in here.
		ip netns pids "$box" | xargs -r kill -KILL 2>/dev/null
		ip netns del "$box"
	done
	wait 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$run"
}

box_add() {
	ip netns add "$net-$1"
	ip -n "$net-$1" link set lo up
}

# in_box BOX CMD...: as `ip netns exec` does, but quicker: /sys stays what it was.
in_box() {
	local box=$1
	shift
	nsenter --net="/run/netns/$net-$box" "$@"
}

# wire BOX1 DEVICE1 BOX2 DEVICE2
wire() {
	ip link add "$2" netns "$net-$1" type veth peer name "$4" netns "$net-$3"
	ip -n "$net-$1" link set "$2" up
	ip -n "$net-$3" link set "$4" up
}

director_up() {
	box_add director
	wire director client0 client eth0
	wire director lan0 lan director
	ip -n "$net-lan" link set director master br0
	ip -n "$net-director" address add 198.51.100.1/24 dev client0
	ip -n "$net-director" address add 10.100.1.1/24 dev lan0
	in_box director sysctl -qw net.ipv4.ip_forward=1
	ip -n "$net-client" address add 198.51.100.2/24 dev eth0
	ip -n "$net-client" route add default via 198.51.100.1
}

# As a power cut: nothing of it is left, in the kernel either.
director_down() {
	ip -n "$net-director" link del client0
	ip -n "$net-director" link del lan0
	ip netns del "$net-director"
}

# server_add NAME ADDRESS...: a box on the lan.
server_add() {
	local name=$1 address
	shift
	box_add "$name"
	wire "$name" eth0 lan "$name"
	ip -n "$net-lan" link set "$name" master br0
	for address in "$@"; do
		ip -n "$net-$name" address add "$address/24" dev eth0
	done
}

# background BOX FILE CMD...: runs it in the box, output to FILE and FILE.err; sets `background`.
background() {
	local box=$1 file=$2
	shift 2
	rm -f "$file" # whoever waits for what it says shall not find what another said
	nsenter --net="/run/netns/$net-$box" "$@" >"$file" 2>"$file.err" </dev/null &
	background=$!
	topology_pids+=("$background")
}

# server_start NAME ADDRESS:PORT...: a web server in the box NAME that answers with that name.
# It answers 503 while $run/NAME.down exists. Prints nothing; its process is in $run/NAME.pid.
server_start() {
	local name=$1 where=("${@:2}")
	background "$name" "$run/$name.out" "$tools/webserver" -n "$name" -s "$run/$name.stats" \
		-d "$run/$name.down" "${webserver_options[@]}" "${where[@]}"
	echo "$background" >"$run/$name.pid"
	wait_for 10 grep -q "listening ${where[-1]}" "$run/$name.out"
}

# By SIGKILL: its kernel refuses connections from then on.
server_kill() {
	local pid
	pid=$(cat "$run/$1.pid")
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
}

# found PATTERN: as grep -q, but reads to the end: who still writes is not cut off, which pipefail
# would take for a failure.
found() { grep "$@" >/dev/null; }

# end_of PID: ends it and waits for what it still has to say.
end_of() {
	kill -TERM "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}
