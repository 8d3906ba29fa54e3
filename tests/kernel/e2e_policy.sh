#!/bin/bash
# externalTrafficPolicy: Local: two nodes of one cluster, and a director that is none, each have
# other real servers of one pool; and the servers of a node see who the client is.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"
# shellcheck source=../lib/kubeproxy.bash
. "$here/../lib/kubeproxy.bash"

topology_up policy
for server in s1 s2; do
	server_add "$server" "10.100.1.1${server#s}"
	# Of a pod the node is the way to everywhere.
	ip -n "$net-$server" route add default via 10.100.1.1
	in_box "$server" nft -f - <<-END
		table ip seen {
			counter client { }
			counter director { }
			chain input {
				type filter hook input priority 0;
				tcp dport 8080 tcp flags syn / syn,ack ip saddr 198.51.100.2 counter name client
				tcp dport 8080 tcp flags syn / syn,ack ip saddr 10.100.1.1 counter name director
			}
		}
	END
	server_start "$server" "10.100.1.1${server#s}:8080"
done

# pool POLICY ENDPOINT...: s1 is on node-a and s2 on node-b; an ENDPOINT is "SERVER CONDITIONS".
pool() {
	local endpoint server node
	{
		cat <<-END
			apiVersion: v1
			kind: Service
			metadata: {name: web, annotations: {parasaus.io/health-check-type: none, parasaus.io/drain-seconds: "1"}}
			spec: {type: NodePort, externalTrafficPolicy: $1, ports: [{port: 80, nodePort: 30080}]}
			---
			apiVersion: discovery.k8s.io/v1
			kind: EndpointSlice
			metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
			addressType: IPv4
			ports: [{port: 8080}]
			endpoints:
		END
		for endpoint in "${@:2}"; do
			server=${endpoint%% *} node="node-a"
			[ "$server" = s1 ] || node="node-b"
			echo "- {addresses: [10.100.1.1${server#s}], nodeName: $node, conditions: {${endpoint#* }}}"
		done
	} | place web.yaml
}
ready="ready: true"
going="ready: false, serving: true, terminating: true"

# agent_on NODE: the agent with what NODE knows, and the kernel as the last one left it.
agent_on() {
	agent_configure "$quick_checks"
	sed -i "s/^node: .*/node: $1/" "$run/parasaus.yaml"
	agent_start
}
# Who serves, by weight: "10.100.1.11:8080=1"; what goes is waited for.
serves() { table | awk -v s="$vip:30080" '$1 == "-a" && $3 == s && $NF > 0 { print $5 "=" $NF }' | xargs; }
has_served() { [ "$(serves)" = "$1" ]; }
served() { wait_for 10 has_served "$1" || { echo "it is: $(serves)"; return 1; }; }
direct() { in_box director nft list set inet parasaus direct4 | found "$vip . tcp . 30080"; }
is_masqueraded() { ! direct; }
asked() { for _ in 1 2 3 4; do in_box client curl -sS -m 3 "http://$vip:30080/"; done | sort -u | xargs; }
# packets SERVER COUNTER: how many, and from zero again.
packets() { in_box "$1" nft reset counter ip seen "$2" | sed -n 's/.*packets \([0-9]*\).*/\1/p'; }

agent_configure
pool Local "s1 $ready" "s2 $ready"
agent_on node-a
check "node-a: it is synced" agent_synced
check "node-a: its own server" served "10.100.1.11:8080=1"
equal "node-a: which answers" s1 "$(asked)"
check "node-a: it is not masqueraded" direct
equal "node-a: it saw the client, and nobody else" "4 0" "$(packets s1 client) $(packets s1 director)"
equal "node-a: how many are elsewhere" "Local true 1 1" \
	"$(ctl get pools -o json | jq -r '.[] | "\(.externalTrafficPolicy) \(.localOnly) \(.members.total) \(.members.elsewhere)"')"
equal "node-a: nothing is wrong" "" "$(ctl get pools -o json | jq -r '.[].problems[].text')"
told() { ctl describe pool default/web | found "$1"; }
check "node-a: people are told" told "Local; servers left out, on other nodes: 1"

# Its own server goes, and the others stand in as soon as it serves no more.
pool Local "s1 $going" "s2 $ready"
check "node-a: the change is known" seen
check "node-a: its own server goes, and serves" served "10.100.1.11:8080=1"
equal "node-a: and answers" s1 "$(asked)"
pool Local "s1 ready: false" "s2 $ready"
check "node-a: it has none: that of the other node" served "10.100.1.12:8080=1"
equal "node-a: which answers" s2 "$(asked)"
check "node-a: and is masqueraded" is_masqueraded
equal "node-a: it saw the director" "0 4" "$(packets s2 client) $(packets s2 director)"
pool Local "s1 $ready" "s2 $ready"
check "node-a: its own is back" served "10.100.1.11:8080=1"
check "node-a: and not masqueraded" direct
agent_stop

agent_on node-b
check "node-b: it is synced" agent_synced
check "node-b: what another node has saved is not used" grep -q "is of node node-a: not used on node-b" "$run/agent.log"
check "node-b: its own server" served "10.100.1.12:8080=1"
equal "node-b: which answers" s2 "$(asked)"
agent_stop

agent_on lb-1
check "a director: it is synced" agent_synced
check "a director: both" served "10.100.1.11:8080=1 10.100.1.12:8080=1"
equal "a director: which answer" "s1 s2" "$(asked)"
check "a director: they are masqueraded" is_masqueraded
check "a director: people are told" told "no server is on this node"
agent_stop

pool Cluster "s1 $ready" "s2 $ready"
agent_on node-a
check "node-a without the policy: it is synced" agent_synced
check "node-a without the policy: both" served "10.100.1.11:8080=1 10.100.1.12:8080=1"
pool Cluster "s1 $going" "s2 $going"
check "node-a: and this one" seen
check "all go and serve: both" served "10.100.1.11:8080=1 10.100.1.12:8080=1"
pool Cluster "s1 $going" "s2 $ready"
check "one that is ready is enough" served "10.100.1.12:8080=1"
agent_stop
tap_done
