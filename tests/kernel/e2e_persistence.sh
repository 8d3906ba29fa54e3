#!/bin/bash
# Persistence by prefix: as ipvsadm has it, and clients of one prefix on one server.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up persistence
servers=(s1 s2 s3)
for server in "${servers[@]}"; do
	server_add "$server" "10.100.1.1${server#s}"
	server_start "$server" "10.100.1.1${server#s}:8080"
done
for last in 3 4 5 6 129 130; do
	ip -n "$net-client" address add "198.51.100.$last/24" dev eth0
done

# pool NETMASK
pool() {
	place web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web, annotations: {parasaus.io/scheduler: rr$1}}
		spec: {type: NodePort, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
		---
		apiVersion: v1
		kind: Endpoints
		metadata: {name: web}
		subsets: [{addresses: [{ip: 10.100.1.11}, {ip: 10.100.1.12}, {ip: 10.100.1.13}], ports: [{port: 8080}]}]
	END
}
# asked LAST...: who serves each of these addresses, each asking twice.
asked() {
	local last
	for last in "$@" "$@"; do
		in_box client curl -sS -m 3 --interface "198.51.100.$last" "http://$vip:30080/"
	done
}
kinds() { sort -u | wc -l; }
line() { in_box director ipvsadm -Ln | grep "^TCP  $vip:30080"; }

agent_configure "$quick_checks"
pool ""
agent_start
check "it is synced" agent_synced
equal "of each address" "TCP  $vip:30080 rr persistent 600" "$(line | xargs -0 | sed 's/ *$//;/^$/d')"
equal "three clients, three servers" 3 "$(asked 2 3 4 | kinds)"

pool ", parasaus.io/persistence-netmask: \"25,64\""
is_masked() { line | found "persistent 600 mask 255.255.255.128"; }
check "by prefix, as ipvsadm has it" wait_for 10 is_masked
# Those of before are remembered by the addresses they were.
equal "clients of one prefix, one server" 1 "$(asked 5 6 | kinds)"
equal "of the other prefix too" 1 "$(asked 129 130 | kinds)"
agent_stop
tap_done
