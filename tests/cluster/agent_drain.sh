#!/bin/bash
# Servers that leave, services of others, UDP, and the label by which a service is
# ours. Tests are named after those of Kubernetes whose expectation they state.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

label=service.kubernetes.io/service-proxy-name
cluster_agent drain "$label=parasaus" "audit: 2"
no_check='health-check-type: none'
# ours: the label on the Service of what it reads; slices and Endpoints go with it or not.
ours() { sed "s,^  namespace: test$,&\n  labels: {$label: parasaus}," | apply; }

# "should implement service.kubernetes.io/service-proxy-name"
service toggled 30001 "$no_check" <<<'10.100.1.11 80' | apply
service marker 30009 "$no_check" <<<'10.100.1.99 80' | ours
becomes "a service with the label is served" "$vip:30009" 10.100.1.99:80=1
check "one without is not" has_no_service "$vip:30001"
patch Service toggled "{\"metadata\": {\"labels\": {\"$label\": \"parasaus\"}}}"
patch Endpoints toggled "{\"metadata\": {\"labels\": {\"$label\": \"parasaus\"}}}"
becomes "labelled, it is" "$vip:30001" 10.100.1.11:80=1
patch Service toggled "{\"metadata\": {\"labels\": {\"$label\": \"kube-proxy\"}}}"
check "labelled for another, it is not" wait_for 20 has_no_service "$vip:30001"

# graceful_termination_test, proxier_test
for n in 1 2; do
	server_add "s$n" "10.100.1.2$n"
	server_start "s$n" "10.100.1.2$n:8080"
done
drain=600
web() { service web 30021 'health-check-type: http' 'health-check-path: /' "drain-seconds: \"$drain\"" | ours; }
printf '%s\n' '10.100.1.21 8080' '10.100.1.22 8080' | web
becomes "two servers" "$vip:30021" "10.100.1.21:8080=1 10.100.1.22:8080=1"
answers() { in_box client curl -sS -m 3 "http://$vip:30021/"; }
check "they serve" wait_for 10 answers
holds_connections() { in_box director ipvsadm -Ln | awk -v r="$1" '$2 == r && $5 > 0 { n++ } END { exit !n }'; }
load_start 6 0 50 "$vip:30021"
both_used() { holds_connections 10.100.1.21:8080 && holds_connections 10.100.1.22:8080; }
check "both hold connections" wait_for 10 both_used
web <<<'10.100.1.22 8080'
check "one with connections removed: weight 0, but there" wait_for 10 has_weight "$vip:30021" 10.100.1.21:8080 0
check "and it still holds them" holds_connections 10.100.1.21:8080
pid=$(agent_process parent)
kill -KILL "$pid"
wait_for 15 agent_restarted parent "$pid"
agent_synced
equal "the agent started anew: it still drains" 0 "$(weight "$vip:30021" 10.100.1.21:8080)"
printf '%s\n' '10.100.1.21 8080' '10.100.1.22 8080' | web
check "put back while it drains: in with its weight" wait_for 10 has_weight "$vip:30021" 10.100.1.21:8080 1
load_stop
equal "no request was lost" 0 "$(load .failed)"
[ "$(load .failed)" = 0 ] || load_failures | note
# IPVS keeps closed connections for two minutes: that is longer than this drain.
drain=5
printf '%s\n' '10.100.1.21 8080' '10.100.1.22 8080' | web
web <<<'10.100.1.22 8080'
check "removed again" wait_for 10 has_weight "$vip:30021" 10.100.1.21:8080 0
check "its time to drain over: it is gone" wait_for 30 has_weight "$vip:30021" 10.100.1.21:8080 ""

# conntrack.go: "should be able to preserve UDP traffic when server pod cycles": UDP goes within a second
udp() {
	sed -e 's/protocol: TCP, port: 30041/protocol: UDP, port: 30041/' \
		-e 's/ports: \[{name: web, port: \([0-9]*\)}\]/ports: [{name: web, port: \1, protocol: UDP}]/' | ours
}
printf '%s\n' '10.100.1.31 53' '10.100.1.32 53' | service dns 30041 "$no_check" | udp
udp_servers() { table | awk -v s="$vip:30041" '$1 == "-a" && $2 == "-u" && $3 == s { print $5 }' | xargs; }
udp_are() { [ "$(udp_servers)" = "$1" ]; }
check "UDP servers are there" wait_for 10 udp_are "10.100.1.31:53 10.100.1.32:53"
in_box client bash -c "for i in 1 2 3 4 5 6 7 8; do echo x >/dev/udp/$vip/30041; done"
service dns 30041 "$no_check" <<<'10.100.1.32 53' | udp
check "one with traffic removed: gone soon, whatever its traffic" wait_for 5 udp_are 10.100.1.32:53
service dns 30041 "$no_check" <<<'10.100.1.33 53' | udp
check "the last one replaced: the new one alone" wait_for 5 udp_are 10.100.1.33:53

# proxier_test: what is not ours, in and beside our addresses, is not touched; a flush is repaired
foreign="-A -t $vip:80 -s rr
-A -t 203.0.113.9:443 -s wlc
-a -t $vip:80 -r 10.100.1.77:80 -m -w 3
-a -t 203.0.113.9:443 -r 10.100.1.78:443 -g -w 2"
in_box director ipvsadm -R <<<"$foreign"
others() { table | grep -E "$vip:80 |203\.0\.113\.9"; }
agent_synced
mine=$(table | grep -v -E "$vip:80 |203\.0\.113\.9")
service marker 30009 "$no_check" 'weight: "5"' <<<'10.100.1.99 80' | ours
becomes "a change" "$vip:30009" 10.100.1.99:80=5
service marker 30009 "$no_check" <<<'10.100.1.99 80' | ours
becomes "and back" "$vip:30009" 10.100.1.99:80=1
equal "services of others are as they were" "$foreign" "$(others)"
in_box director ipvsadm -C
repaired() { [ "$(table)" = "$mine" ]; }
check "somebody flushed the table: ours is repaired" wait_for 15 repaired
tap_done
