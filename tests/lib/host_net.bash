# A client, a director and a server in network namespaces, for tests of what is
# around IPVS. Sourced. TAP comes out.
#
#   client 10.1.0.2, 2001:db8:1::2 -- 10.1.0.1 director 10.2.0.1 -- server 10.2.0.2, 10.2.0.3
#
# The server has no way back to the client but by the director where a test
# gives it one; the VIPs 10.0.0.0/24 and 2001:db8::/64 are routed to the director.

tools=build/release/tools
made=()
checks=0
failures=0

# check NAME COMMAND...: one line of TAP.
check() {
	local name=$1
	shift
	checks=$((checks + 1))
	if "$@" >/run/check.out 2>&1; then
		echo "ok $checks - $name"
	else
		failures=$((failures + 1))
		echo "not ok $checks - $name"
		sed 's/^/# /' /run/check.out
	fi
}

# Ends the test program; the namespaces go with what runs in them.
finish() {
	echo "1..$checks"
	exit $((failures > 0))
}

# at NS COMMAND... `ip netns exec` would make a mount namespace each time, which takes long.
at() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$ns" "$@"
}

new_ns() {
	ip netns add "$1"
	made+=("$1")
	at "$1" ip link set lo up
}

remove_all() {
	local ns
	for ns in "${made[@]}"; do
		ip netns pids "$ns" | xargs -r kill 2>/dev/null
		ip netns del "$ns"
	done
}
trap remove_all EXIT

# link NS1 ADDRESSES NS2 ADDRESSES: joined by a pair of interfaces named after the other end.
link() {
	local a
	ip link add "$3" netns "$1" type veth peer name "$1" netns "$3"
	# No duplicate address detection, for an address may not be used before it is over.
	at "$1" sysctl -q "net.ipv6.conf.$3.accept_dad=0"
	at "$3" sysctl -q "net.ipv6.conf.$1.accept_dad=0"
	for a in $2; do at "$1" ip addr add "$a" dev "$3"; done
	for a in $4; do at "$3" ip addr add "$a" dev "$1"; done
	at "$1" ip link set "$3" up
	at "$3" ip link set "$1" up
}

# serve NS NAME ADDRESS:PORT...: a web server that answers NAME; returns when it listens.
serve() {
	local ns=$1 name=$2 line out
	shift 2
	out=/run/serve.$ns.$name
	mkfifo "$out"
	nsenter --net="/run/netns/$ns" $tools/webserver -n "$name" "$@" >"$out" &
	read -r line <"$out"
	rm "$out"
	[[ $line == listening* ]]
}

make_network() {
	local ns
	for ns in client director server; do new_ns $ns; done
	link client "10.1.0.2/24 2001:db8:1::2/64" director "10.1.0.1/24 2001:db8:1::1/64"
	link director "10.2.0.1/24 2001:db8:2::1/64" server "10.2.0.2/24 10.2.0.3/24 2001:db8:2::2/64"
	at client ip route add default via 10.1.0.1
	at client ip -6 route add default via 2001:db8:1::1
	at server ip route add 10.0.0.0/24 via 10.2.0.1
	serve server web 10.2.0.2:80 '[2001:db8:2::2]:80'
	serve server nodeport 10.2.0.3:80
	serve director host 0.0.0.0:2222 '[::]:2223'
}

# The agent's part of it, in the director: tests/lib/tools/host_driver. `host LINE...` gives it
# lines and reads what they answer into $answer.
start_host() {
	coproc HOST { nsenter --net=/run/netns/director $tools/host_driver "$@" 2>&1; }
}

host() {
	local line
	answer=
	printf '%s\n' "$1" >&"${HOST[1]}"
	while read -r line <&"${HOST[0]}"; do
		answer+=$line$'\n'
		case $line in
		event* | removed*) ;;
		error*) return 1 ;;
		*) return 0 ;;
		esac
	done
	return 1
}

stop_host() {
	local pid=$HOST_PID
	eval "exec ${HOST[1]}>&-"
	wait "$pid"
}

# get NS URL: what the web server says, or the reason that curl gives ("refused" for exit code 7).
get() {
	local rc=0 text
	text=$(at "$1" curl -gsS --noproxy '*' --max-time "${3:-5}" "http://$2/" 2>&1) || rc=$?
	case $rc in
	0) echo "$text" ;;
	7) echo refused ;;
	28) echo nothing ;;
	*) echo "curl $rc: $text" ;;
	esac
}

# says NS URL TEXT
says() {
	local is
	is=$(get "$1" "$2")
	echo "$2 says '$is', expected '$3'"
	[ "$is" = "$3" ]
}
