#!/bin/bash
# How long a server's fault takes to be seen, and its repair: four faults, for a
# check by tcp and one by http, beside haproxy's and keepalived's checks of the
# same servers at the same moments, with equal intervals.
#
#   ROUNDS=N   of each fault (5)
#
# Ours and keepalived's are the moments in the kernel's table (ipvs_poll, every
# 2 ms), haproxy's that of its message.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

rounds=${ROUNDS:-5}
interval=1 timeout=0.5 fast=0.5 fall=3 rise=2
victim=10.100.1.12:8080
for program in haproxy keepalived; do
	command -v $program >/dev/null || { echo "detect: no $program here: deploy/install-deps bench"; exit 1; }
done

topology_up detect
for i in 1 2; do
	server_add "s$i" "10.100.1.1$i"
	server_start "s$i" "10.100.1.1$i:8080"
done
box_add keepalived
wire keepalived eth0 lan keepalived
ip -n "$net-lan" link set keepalived master br0
ip -n "$net-keepalived" address add 10.100.1.3/24 dev eth0
ip -n "$net-keepalived" address add $vip/32 dev lo

# --- the three ---

agent_configure "defaults: {interval: $interval, timeout: $timeout, fast: $fast, fall: $fall, rise: $rise}"
printf '10.100.1.1%d 8080\n' 1 2 | service tcp 30081 'health-check-type: tcp' | place tcp.yaml
printf '10.100.1.1%d 8080\n' 1 2 |
	service http 30082 'health-check-type: http' 'health-check-path: /' | place http.yaml

cat >"$run/haproxy.cfg" <<END
defaults
  mode tcp
  timeout connect 500ms
  timeout check 500ms
  timeout client 60s
  timeout server 60s
  default-server inter 1s fastinter 500ms fall $fall rise $rise
listen tcp
  bind 198.51.100.1:7001
  server s1 10.100.1.11:8080 check
  server s2 10.100.1.12:8080 check
listen http
  bind 198.51.100.1:7002
  option httpchk GET /
  server s1 10.100.1.11:8080 check
  server s2 10.100.1.12:8080 check
END

keepalived_service() { # PORT CHECK
	cat <<-END
		virtual_server $vip $1 {
		  delay_loop $interval
		  lb_kind NAT
		  lb_algo rr
		  protocol TCP
	END
	for i in 1 2; do
		cat <<-END
			  real_server 10.100.1.1$i 8080 {
			    $2 {
			      connect_timeout $timeout
			      retry $((fall - 1))
			      delay_before_retry $fast
			      $([ "$2" = TCP_CHECK ] || echo 'url { path / }')
			    }
			  }
		END
	done
	echo "}"
}
{
	keepalived_service 30081 TCP_CHECK
	keepalived_service 30082 HTTP_GET
} >"$run/keepalived.conf"

# stamped BOX FILE CMD...: each line with the time it came.
stamped() {
	# shellcheck disable=SC2016
	background "$1" "$2" bash -c \
		'"$@" 2>&1 | while IFS= read -r line; do echo "$EPOCHREALTIME $line"; done' - "${@:3}"
}
stamped director "$run/haproxy.out" haproxy -db -f "$run/haproxy.cfg"
background keepalived "$run/keepalived.out" keepalived --dont-fork --check --no-syslog \
	--use-file "$run/keepalived.conf" --pid "$run/keepalived.pid" \
	--checkers_pid "$run/checkers.pid"
agent_start
agent_synced
wait_for 20 all_proven
in_box_has() { in_box "$1" ipvsadm -Ln | found "$victim"; }
wait_for 20 in_box_has keepalived

# --- what each saw, since a moment ---

poll_start
background keepalived "$run/poll.keepalived" "$tools/ipvs_poll" -i 2

# kernel_event FILE SINCE WORDS
kernel_event() {
	awk -v since="$2" -v words="$3" '
	$2 == "clock" { offset = $3 - $1 }
	$1 + offset >= since && index($0, words) { printf "%.6f\n", $1 + offset; exit }' "$1"
}
# saw WHO CHECK SINCE out|back: the time; nothing where it has not.
saw() {
	local port=30081 words
	[ "$2" = tcp ] || port=30082
	case $1-$4 in
	ours-out) words=" weight TCP $vip:$port $victim 1 0" ;;
	ours-back) words=" weight TCP $vip:$port $victim 0 1" ;;
	keepalived-out) words=" dest-gone TCP $vip:$port $victim" ;;
	keepalived-back) words=" dest TCP $vip:$port $victim" ;;
	haproxy-out) words="Server $2/s2 is DOWN" ;;
	haproxy-back) words="Server $2/s2 is UP" ;;
	esac
	case $1 in
	ours) kernel_event "$run/poll" "$3" "$words" ;;
	keepalived) kernel_event "$run/poll.keepalived" "$3" "$words" ;;
	haproxy) awk -v since="$3" -v words="$words" \
		'$1 >= since && index($0, words) { print $1; exit }' "$run/haproxy.out" ;;
	esac
}
all_saw() { # SINCE out|back CHECK...
	local who check
	for who in ours haproxy keepalived; do
		for check in "${@:3}"; do
			[ -n "$(saw "$who" "$check" "$1" "$2")" ] || return 1
		done
	done
}

# --- faults; `at` is the moment ---

# shellcheck disable=SC2016
drop='table inet hole { chain in { type filter hook input priority -300; tcp dport 8080 drop; }; }'
break_it() {
	at=$EPOCHREALTIME
	case $1 in
	refused) server_kill s2 ;;
	black-hole) in_box s2 nft "$drop" ;;
	hang) kill -STOP "$(cat "$run/s2.pid")" ;;
	status-503) touch "$run/s2.down" ;;
	esac
}
mend_it() {
	case $1 in
	refused)
		server_start s2 "$victim"
		at=$(stat -c %.6Y "$run/s2.out")
		return
		;;
	black-hole) in_box s2 nft delete table inet hole ;;
	hang) kill -CONT "$(cat "$run/s2.pid")" ;;
	status-503) rm "$run/s2.down" ;;
	esac
	at=$EPOCHREALTIME
}

note_times() { # FAULT out|back CHECK...
	local who check
	for who in ours haproxy keepalived; do
		for check in "${@:3}"; do
			since "$at" "$(saw "$who" "$check" "$at" "$2")" >>"$run/times.$1.$check.$2.$who"
			echo >>"$run/times.$1.$check.$2.$who"
		done
	done
}

one_round() { # FAULT CHECK...
	# Somewhere in the interval.
	sleep "0.$((RANDOM % 900 + 100))"
	break_it "$1"
	wait_for 30 all_saw "$at" out "${@:2}" || true
	note_times "$1" out "${@:2}"
	sleep "1.$((RANDOM % 900 + 100))"
	mend_it "$1"
	wait_for 30 all_saw "$at" back "${@:2}" || true
	note_times "$1" back "${@:2}"
}

# The longest that our intervals allow: a jitter of a tenth to either side, and 0.1 s for the rest.
bound() { # FAULT out|back
	awk -v i=$interval -v t=$timeout -v q=$fast -v fall=$fall -v rise=$rise -v what="$1 $2" 'BEGIN {
		first = 1.2 * i + 0.1
		if (what ~ /back/) print first + (rise - 1) * q
		else if (what ~ /black-hole|hang/) print first + (fall - 1) * (q > t ? q : t) + t
		else print first + (fall - 1) * q
	}'
}
figures() { sort -n "$1" | awk 'NF { v[++n] = $1 } END { if (n) printf "%.2f (at most %.2f)", v[int((n + 1) / 2)], v[n]; else printf "not seen" }'; }
report() { # FAULT CHECK...
	local check which
	for check in "${@:2}"; do
		for which in out back; do
			echo "detect, $check, $1, seconds until $which, median of $rounds: ours" \
				"$(figures "$run/times.$1.$check.$which.ours") of $(bound "$1" $which)," \
				"haproxy $(figures "$run/times.$1.$check.$which.haproxy")," \
				"keepalived $(figures "$run/times.$1.$check.$which.keepalived")"
		done
	done
}

for fault in "refused tcp http" "black-hole tcp http" "hang http" "status-503 http"; do
	for ((round = 0; round < rounds; round++)); do
		# shellcheck disable=SC2086
		one_round $fault
	done
	# shellcheck disable=SC2086
	report $fault
done
agent_stop
