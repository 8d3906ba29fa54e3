#!/bin/bash
# on-unhealthy: reset. A client that writes every 10 ms is told within 100 ms of the verdict that its
# server is gone, and what goes on with other servers is not touched.
#
#   ROUNDS=N  (2)
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

rounds=${ROUNDS:-2} frontend=$vip:30080

topology_up reset
for i in 1 2; do
	server_add "s$i" "10.100.1.1$i"
	server_start "s$i" "10.100.1.1$i:8080"
done
agent_configure "$quick_checks"
printf '10.100.1.1%d 8080\n' 1 2 | service web 30080 'health-check-type: http' 'health-check-path: /' \
	'on-unhealthy: reset' 'scheduler: rr' | place web.yaml
agent_start
check "it is synced" agent_synced
check "both were probed" wait_for 10 all_proven

# A client of each server, as rr has it: a header that never ends, a byte every 10 ms. Tells of its
# end with the time, and of going on when it is told to stop.
cat >"$run/writer.py" <<"END"
import signal, socket, sys, time
over = False
def stop(*_):
    global over
    over = True
signal.signal(signal.SIGTERM, stop)
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
print("writing", flush=True)
try:
    while not over:
        s.send(b"x")
        time.sleep(0.01)
    print("went on", flush=True)
except OSError as e:
    print(f"{time.time():.3f} {e.strerror}", flush=True)
END
writer() {
	background client "$run/writer$1" python3 "$run/writer.py" "$vip" 30080
	writers[$1]=$background
	wait_for 10 grep -q writing "$run/writer$1"
}
connections_of() { in_box director ipvsadm -Ln | awk -v s="$1:8080" '$2 == s { print $5 }'; }
has_connections() { [ "$(connections_of "$1")" = "$2" ]; }
is_over() { [ "$(wc -l <"$run/writer$1")" = 2 ]; }
either_is_over() { is_over 1 || is_over 2; }
has_state() { [ "$(member test.web.web-tcp 10.100.1.11:8080 .state)" = "$1" ]; }
wall() { member test.web.web-tcp 10.100.1.11:8080 '.since' | xargs -I{} date -d {} +%s.%3N; }

worst=0
for ((round = 1; round <= rounds; round++)); do
	check "round $round: s1 is up" wait_for 10 has_state up
	writer 1
	writer 2
	check "each server has one" wait_for 5 has_connections 10.100.1.11 1
	poll_start
	touch "$run/s1.down"
	check "one of them ends" wait_for 10 either_is_over
	poll_stop
	is_over 1 && ended=1 || ended=2
	read -r at words < <(sed -n 2p "$run/writer$ended")
	equal "by a reset" "Connection reset by peer" "$words"
	verdict=$(wall)
	took=$(since "$verdict" "$at")
	note "figure reset.after_verdict_s $took, after the kernel's table $(since "$(event dest-gone "$frontend 10.100.1.11:8080")" "$at")"
	worst=$(awk -v a="$worst" -v b="$took" 'BEGIN { print (b > a ? b : a) }')
	end_of "${writers[$((3 - ended))]}"
	equal "the other went on" "went on" "$(sed -n 2p "$run/writer$((3 - ended))")"
	rm "$run/s1.down"
done
at_most "seconds from a verdict to the reset" 0.1 "$worst"
agent_stop
tap_done
