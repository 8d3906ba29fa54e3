#!/bin/bash
# shellcheck disable=SC2317 # tests are called by their names
# The ipvs role on the real kernel: what it writes is compared with what ipvsadm prints,
# and how much it says it wrote with what an nlmon device saw. Needs root and a kernel with IPVS.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
self=tests/kernel/ipvs_role.sh
bin=${BUILD:-build/release}/tools

# --- for the tests: they run each in a network namespace of its own ---

driver() {
	"$bin/ipvs_driver" -o 10.96.0.0/16 1-8999 -o 2001:db8:96::/64 1-8999 >"$tmp/out" 2>&1
}

# held: what the kernel holds, sorted
held() { ipvsadm -Sn | sort; }

# same WHAT EXPECTED-FILE: the kernel holds that and nothing else
same() {
	sort "$2" >"$tmp/expected"
	held | diff "$tmp/expected" - >"$tmp/diff" && return 0
	echo "$1: the kernel differs (< expected)"
	cat "$tmp/diff"
	return 1
}

# said PATTERN: a line the driver printed
said() {
	grep -Eq -- "$1" "$tmp/out" && return 0
	echo "the driver did not say: $1"
	return 1
}

value() { grep '^status' "$tmp/out" | tail -n 1 | grep -o "\b$1=[0-9]*" | cut -d= -f2; }

table() {
	cat >"$tmp/$1"
}

foreign() {
	ipvsadm -A -t 10.96.0.1:9500 -s wlc
	ipvsadm -a -t 10.96.0.1:9500 -r 10.1.0.1:80 -g -w 7
	ipvsadm -A -u 192.0.2.53:53 -s rr -o
	ipvsadm -a -u 192.0.2.53:53 -r 10.1.0.1:53 -m
	ipvsadm -A -f 5 -s rr
}

small() {
	table small <<-EOF
	-A -t 10.96.0.1:80 -s rr
	-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 1
	-a -t 10.96.0.1:80 -r 10.1.0.2:8080 -m -w 2
	-A -u 10.96.0.1:53 -s wrr
	-a -u 10.96.0.1:53 -r 10.1.0.1:53 -m -w 1
	EOF
}

# --- the tests ---

every_scheduler_and_way_of_forwarding_is_written_as_ipvsadm_prints_it() {
	local n=0 s
	for s in rr wrr lc wlc fo ovf sh sed nq twos dh; do
		modprobe -q "ip_vs_$s" || continue # twos is not in Debian 12
		n=$((n + 1))
		printf -- '-A -t 10.96.0.%d:80 -s %s\n' "$n" "$s"
		printf -- '-a -t 10.96.0.%d:80 -r 10.1.0.1:80 -m -w 1\n' "$n"
	done >"$tmp/all"
	cat >>"$tmp/all" <<-EOF
	-A -t 10.96.1.1:80 -s mh -b mh-fallback,mh-port
	-a -t 10.96.1.1:80 -r 10.1.0.1:80 -m -w 1
	-a -t 10.96.1.1:80 -r 10.1.0.2:80 -m -w 0
	-a -t 10.96.1.1:80 -r 10.1.0.3:80 -m -w 5
	-A -t 10.96.1.2:80 -s sh -b sh-fallback
	-A -t 10.96.1.3:80 -s wlc -p 300 -M 255.255.255.0
	-a -t 10.96.1.3:80 -r 10.1.0.1:80 -g -w 1
	-a -t 10.96.1.3:80 -r 10.1.0.2:80 -i -w 1 --tun-type ipip
	-a -t 10.96.1.3:80 -r 10.1.0.3:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
	-a -t 10.96.1.3:80 -r 10.1.0.4:80 -i -w 1 --tun-type gre --tun-nocsum
	-A -u 10.96.1.3:53 -s rr -o
	-a -u 10.96.1.3:53 -r 10.1.0.1:53 -g -w 1
	-A -t [2001:db8:96::1]:80 -s rr -p 60 -M 64
	-a -t [2001:db8:96::1]:80 -r [2001:db8::5]:80 -m -w 1
	-A -t [2001:db8:96::2]:443 -s wlc
	-a -t [2001:db8:96::2]:443 -r [2001:db8::5]:443 -g -w 3
	-A -t 10.96.1.4:80 -s rr
	-a -t 10.96.1.4:80 -r [2001:db8::5]:80 -i -w 1 --tun-type ipip
	EOF
	driver <<-EOF || return
	want $tmp/all
	wait 20
	problems
	status
	run $self --same $tmp/all
	restart
	want $tmp/all
	wait 20
	status
	EOF
	said '^wait yes' && ! said '^problems' >/dev/null && same after "$tmp/all" &&
		[ "$(value kernel_writes)" = 0 ] && return
	cat "$tmp/out"
	return 1
}

a_table_that_is_there_is_adopted_with_no_write_and_told() {
	small
	foreign
	ipvsadm -R <"$tmp/small"
	held >"$tmp/before"
	driver <<-EOF || return
	reconnect
	want $tmp/small
	wait 10
	status
	sleep 2500
	status
	EOF
	# What is at an address of vipRanges may turn out to be ours: core is told of it, too.
	sort "$tmp/small" - >"$tmp/expected" <<-EOF
	-A -t 10.96.0.1:9500 -s wlc
	-a -t 10.96.0.1:9500 -r 10.1.0.1:9500 -g -w 7
	EOF
	grep -E '^-[Aa]' "$tmp/out" | sort | diff "$tmp/expected" - &&
		[ "$(value kernel_writes)" = 0 ] && [ "$(value synced)" = 1 ] && same after "$tmp/before"
}

what_others_made_is_never_touched() {
	small
	foreign
	held >"$tmp/before"
	driver <<-EOF || return
	want $tmp/small
	wait 10
	gone 10.96.0.1:80
	sleep 2000
	want /dev/null
	wait 10
	cleanup
	EOF
	same after "$tmp/before" && said '^removed|^wait yes'
}

it_counts_every_command_the_kernel_was_sent() {
	ip link add nlmon0 type nlmon && ip link set nlmon0 up || return
	"$bin/nlcount" nlmon0 "$tmp/count" >"$tmp/counter" 2>&1 &
	local counter=$!
	until grep -q counting "$tmp/counter"; do sleep 0.05; done
	small
	table changed <<-EOF
	-A -t 10.96.0.1:80 -s wlc
	-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 0
	-a -t 10.96.0.1:80 -r 10.1.0.3:8080 -m -w 2
	-a -t 10.96.0.1:80 -r 224.0.0.9:8080 -m -w 2
	-a -t 10.96.0.1:80 -r 10.1.255.255:80 -m -w 1
	EOF
	ip addr add 10.1.0.100/16 dev lo # makes 10.1.255.255 a broadcast address: refused
	driver <<-EOF || return
	want $tmp/small
	wait 10
	want $tmp/changed
	wait 10
	sleep 1500
	run ipvsadm -C
	sleep 2500
	want /dev/null
	wait 10
	status
	EOF
	kill -USR1 "$counter"
	sleep 0.2
	kill "$counter"
	# Ours and the one of ipvsadm -C.
	local seen
	seen=$(cut -d' ' -f1 "$tmp/count")
	[ "$seen" = $(($(value kernel_writes) + 1)) ] && return
	cat "$tmp/count" "$tmp/out"
	return 1
}

a_flush_by_hand_is_repaired_within_one_audit_and_reported() {
	small
	driver <<-EOF || return
	want $tmp/small
	wait 10
	sleep 1500
	run ipvsadm -C
	sleep 1500
	status
	EOF
	same after "$tmp/small" && said '^event warning .*2 services missing' &&
		[ "$(value repairs)" -ge 2 ]
}

what_one_object_cannot_have_stops_no_other() {
	ip addr add 10.1.0.100/16 dev lo
	table want <<-EOF
	-A -t 10.96.0.1:80 -s rr
	-a -t 10.96.0.1:80 -r 10.1.255.255:80 -m -w 1
	-a -t 10.96.0.1:80 -r 10.1.0.2:80 -m -w 1
	-A -t 10.96.0.2:80 -s nosuchthing
	-a -t 10.96.0.2:80 -r 10.1.0.2:80 -m -w 1
	-A -t 10.96.0.3:80 -s rr
	-a -t 10.96.0.3:80 -r 10.1.0.2:80 -m -w 1
	EOF
	grep -Ev 'nosuchthing|10.96.0.2:|255.255' "$tmp/want" >"$tmp/have"
	driver <<-EOF || return
	want $tmp/want
	wait 10
	problems
	status
	EOF
	same after "$tmp/have" && said '^problems 10.96.0.1:80 10.1.255.255:80 22 ' &&
		said '^problems 10.96.0.2:80 none:0 2 .*ip_vs_nosuchthing' && said '^wait yes' &&
		[ "$(value problems)" = 2 ]
}

a_draining_destination_without_connections_is_told_of() {
	small
	sed 's/-w 2$/-w 0/' "$tmp/small" >"$tmp/drain"
	driver <<-EOF || return
	want $tmp/small
	wait 10
	drain $tmp/drain
	sleep 1500
	EOF
	same after "$tmp/drain" && said '^idle 10.96.0.1:80 10.1.0.2:8080$'
}

nothing_is_deleted_while_a_source_has_not_delivered() {
	small
	ipvsadm -R <"$tmp/small"
	table more <<-EOF
	-A -t 10.96.0.1:80 -s rr
	-a -t 10.96.0.1:80 -r 10.1.0.1:8080 -m -w 1
	-a -t 10.96.0.1:80 -r 10.1.0.9:8080 -m -w 1
	EOF
	sort -u "$tmp/small" "$tmp/more" >"$tmp/both"
	driver <<-EOF || return
	want $tmp/more incomplete
	wait 10
	run $self --same $tmp/both
	want $tmp/more
	wait 10
	EOF
	same after "$tmp/more"
}

# --- running them ---

if [ "${1:-}" = --same ]; then
	tmp=$(mktemp -d)
	same "in between" "$2"
	rc=$?
	rm -rf "$tmp"
	exit $rc
fi
if [ "${1:-}" = --test ]; then
	tmp=$(mktemp -d /run/ipvs_role.XXXXXX)
	ip link set lo up
	"$2"
	rc=$?
	[ $rc = 0 ] || sed 's/^/driver: /' "$tmp/out" 2>/dev/null
	rm -rf "$tmp"
	exit $rc
fi
if [ "$(id -u)" != 0 ] || ! { modprobe -q ip_vs 2>/dev/null || [ -e /proc/net/ip_vs ]; }; then
	echo "no IPVS in this kernel, or not root"
	exit 77
fi
modprobe -qa ip_vs_{rr,wrr,wlc,mh,sh} nlmon 2>/dev/null
mapfile -t tests <<<"$(sed -n 's/^\([a-z_]\{20,\}\)() {$/\1/p' "$self")"
echo "1..${#tests[@]}"
failed=0
for i in "${!tests[@]}"; do
	if out=$(unshare -n bash "$self" --test "${tests[i]}" 2>&1); then
		echo "ok $((i + 1)) - ${tests[i]}"
	else
		echo "not ok $((i + 1)) - ${tests[i]}"
		printf '# %s\n' "${out//$'\n'/$'\n'# }"
		failed=1
	fi
done
exit $failed
