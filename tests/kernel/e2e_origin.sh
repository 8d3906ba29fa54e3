#!/bin/bash
# The origin's YAML, exactly as it is: seen in `ipvsadm -Ln`, served, and told
# what is odd about it.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up origin
server_add s1 10.100.1.53
server_add s2 10.100.1.77
server_start s1 10.100.1.53:8090
server_start s2 10.100.1.77:30253
agent_configure "$quick_checks"
place origin.yaml <"$project/deploy/example-origin.yaml"
agent_start
check "it is synced" agent_synced

in_box director ipvsadm -Ln >"$run/table"
note <"$run/table"
check "the frontend is the VIP at the nodePort" grep -q "^TCP  $vip:40796 " "$run/table"
check "the first subset's port" grep -Eq '10\.100\.1\.53:8090 +Masq +1 ' "$run/table"
check "the second subset's port" grep -Eq '10\.100\.1\.77:30253 +Masq +1 ' "$run/table"

answers() { for _ in 1 2 3 4; do in_box client curl -sS -m 3 "http://$vip:40796/"; done | sort | uniq -c; }
equal "both servers answer through the VIP" "2 s1 2 s2" "$(answers | xargs)"

ctl get problems >"$run/problems"
note <"$run/problems"
check "the misplaced type is reported" grep -q "type" "$run/problems"
check "the misplaced annotations are reported" grep -q "annotations" "$run/problems"
equal "its annotation decides the check" http \
	"$(ctl get pools -o json | jq -r '.[] | select(.service == "snake-demo-svc4") | .check.type')"
check "its members are explained" ctl explain parasaus/snake-demo-svc4

check "it ends when told to" agent_stop
equal "the kernel goes on forwarding without it" "2 s1 2 s2" "$(answers | xargs)"
tap_done
