#!/bin/bash
# What is not ours is not touched, and what is ours is kept: beside services of
# others, against `ipvsadm -C`, and against rules that take packets before us.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up foreign
server_add s1 10.100.1.11
server_start s1 10.100.1.11:8080
agent_configure "$quick_checks" 'audit: 3' 'timeouts: {tcp: 7260}'
# web PORT: the Service on that port; connections get a second to end when it moves away.
web() {
	service web "$1" 'health-check-type: http' 'health-check-path: /' 'drain-seconds: "1"' \
		<<<'10.100.1.11 8080' | place web.yaml
}
web 30080

foreign="-A -t $vip:80 -s rr
-A -t 203.0.113.9:443 -s wlc
-a -t $vip:80 -r 10.100.1.77:80 -m -w 3
-a -t 203.0.113.9:443 -r 10.100.1.78:443 -g -w 2"
in_box director ipvsadm -R <<<"$foreign"
others() { table | grep -E "$vip:80 |203\.0\.113\.9"; }
answers() { in_box client curl -sS -m 2 "http://$vip:30080/"; }
check_others() { equal "$1: services of others are as they were" "$foreign" "$(others)"; }

agent_start
check "it is synced" agent_synced
check "our service serves" wait_for 10 answers
check_others "at the start"
for role in parent core healthcheck ipvs; do
	pid=$(agent_process "$role")
	kill -KILL "$pid"
	wait_for 15 agent_restarted "$role" "$pid"
done
agent_synced
check_others "after each process was killed"
web 30081
gone() { ! in_box director ipvsadm -Ln -t "$1"; }
check "our service moved to another port" wait_for 10 has_weight "$vip:30081" 10.100.1.11:8080 1
check "and left the first" wait_for 10 gone "$vip:30080"
check_others "after a change"
web 30080
check "and back" wait_for 10 has_weight "$vip:30080" 10.100.1.11:8080 1
check "nothing of 30081 is left" wait_for 10 gone "$vip:30081"

# Timeouts are everybody's: what is configured is kept, and no more.
timeouts() { in_box director ipvsadm -L --timeout | sed 's/.*: //'; }
are() { [ "$(timeouts)" = "$1" ]; }
equal "the timeout that is configured is set" "7260 120 300" "$(timeouts)"
in_box director ipvsadm --set 900 100 200
check "one that somebody changed is set back, others are left alone" wait_for 8 are "7260 100 200"
check "which is told" wait_for 5 grep -q 'another program set the timeouts of IPVS to 900s' "$run/agent.log"

# A service of ours that nobody declared: deleted and reported.
in_box director ipvsadm -A -t "$vip:31000" -s rr
check "an undeclared service in our ports is deleted by the audit" wait_for 8 gone "$vip:31000"
check_others "after an audit"

# By hand.
agent_synced
ours=$(table | grep -v -E "$vip:80 |203\.0\.113\.9")
repairs=$(status .repairs)
lines=$(wc -l <"$run/agent.log")
repaired() { [ "$(table | grep -v -E "$vip:80 |203\.0\.113\.9")" = "$ours" ]; }
cleared=$EPOCHREALTIME
in_box director ipvsadm -C
check "after 'ipvsadm -C' ours is there again" wait_for 10 repaired
took=$(since "$cleared" "$EPOCHREALTIME")
note "figure foreign.flush_repaired_s $took limit 3.5"
at_most "within one audit, seconds" 3.5 "$took"
more_repairs() { [ "$(status .repairs)" -gt "$repairs" ]; }
check "it is counted in the status" wait_for 5 more_repairs
tail -n "+$((lines + 1))" "$run/agent.log" >"$run/log.since"
check "and told in the log" grep -q 'kernel: another program changed IPVS' "$run/log.since"
check "it serves" answers
in_box director ipvsadm -R <<<"$foreign"

# The guard: ports of the director behind the VIP.
background director "$run/host.out" "$tools/webserver" -n host 0.0.0.0:22222
wait_for 10 grep -q listening "$run/host.out"
check "the director's own address reaches its port" in_box client curl -sS -m 2 http://198.51.100.1:22222/
# Told so, not left waiting: curl has codes of its own for both.
refused() {
	local rc=0
	in_box client curl -sS -m 3 "http://$1/" || rc=$?
	((rc == 7))
}
check "its port behind the VIP is refused, with a reset" refused "$vip:22222"
check "so is one in our ports that no pool has" refused "$vip:30500"

# Steering: kube-proxy's NodePort rule, written by hand, takes what is addressed to the host.
in_box director nft -f - <<-END
	table ip kube-proxy-like {
		chain prerouting {
			type nat hook prerouting priority -100
			fib daddr type local tcp dport 30080 dnat to 10.100.1.99:1
		}
	}
END
wait_for 5 answers || true
equal "kube-proxy's NodePort rule does not take the VIP's packets" s1 "$(answers)"
in_box director nft delete table ip kube-proxy-like
agent_synced

agent_stop
check "cleanup removes what is ours" in_box director "$build/parasausd" -c "$run/parasaus.yaml" --cleanup
equal "and nothing else" "$foreign" "$(table)"
equal "no route of ours is left" "" "$(in_box director ip route show table local proto 112)"
equal "no table of ours is left" "" "$(in_box director nft list tables | grep -v kube-proxy-like | grep parasaus || true)"
tap_done
