#!/bin/bash
# Services of a cluster and what becomes of them in the kernel. Tests are named after
# those of Kubernetes (test/e2e/network, pkg/proxy) whose expectation they state.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_agent services
no_check='health-check-type: none'

# "should serve a basic endpoint from pods" (service.go)
service basic 30001 "$no_check" <<<'10.100.1.11 80' | apply
becomes "serve a basic endpoint: one server" "$vip:30001" 10.100.1.11:80=1
printf '%s\n' '10.100.1.11 80' '10.100.1.12 80' | service basic 30001 "$no_check" | apply
becomes "a second one" "$vip:30001" "10.100.1.11:80=1 10.100.1.12:80=1"
patch Endpoints basic '{"subsets": [{"addresses": [{"ip": "10.100.1.12"}], "ports": [{"name": "web", "port": 80}]}]}'
becomes "the first one gone" "$vip:30001" 10.100.1.12:80=1
patch Endpoints basic '{"subsets": []}'
becomes "no server" "$vip:30001" ""
check "and the service is still there" has_service "$vip:30001"
printf '%s\n' '10.100.1.13 80' | service basic 30001 "$no_check" | apply
becomes "another server" "$vip:30001" 10.100.1.13:80=1
delete Endpoints basic
service marker 30009 "$no_check" <<<'10.100.1.99 80' | apply
becomes "a later change has come through" "$vip:30009" 10.100.1.99:80=1
check "without Endpoints the service is still there" has_service "$vip:30001"
printf '%s\n' '10.100.1.14 80' | service basic 30001 "$no_check" | apply
becomes "and takes up new ones" "$vip:30001" 10.100.1.14:80=1

# "should serve multiport endpoints from pods"
multiport() {
	cat <<-END
		apiVersion: v1
		kind: Service
		metadata:
		  name: multi
		  namespace: test
		  annotations: {parasaus.io/health-check-type: none}
		spec:
		  type: NodePort
		  ports:
		  - {name: $1, protocol: TCP, port: $2, nodePort: $2}
		  - {name: $3, protocol: TCP, port: $4, nodePort: $4}
		---
		apiVersion: v1
		kind: Endpoints
		metadata:
		  name: multi
		  namespace: test
		subsets:
		- addresses: [{ip: 10.100.1.21}, {ip: 10.100.1.22}]
		  ports: [{name: $1, port: 81}]
		- addresses: [{ip: 10.100.1.22}, {ip: 10.100.1.23}]
		  ports: [{name: $3, port: 82}]
	END
}
multiport one 30011 two 30012 | apply
becomes "serve multiport endpoints: those of the first port" "$vip:30011" "10.100.1.21:81=1 10.100.1.22:81=1"
becomes "those of the second" "$vip:30012" "10.100.1.22:82=1 10.100.1.23:82=1"

# "should be updated after adding or deleting ports", and connections through the others go on
server_add s1 10.100.1.22
server_start s1 10.100.1.22:82
answers() { in_box client curl -sS -m 3 "http://$1/"; }
patch Endpoints multi '{"subsets": [{"addresses": [{"ip": "10.100.1.22"}], "ports": [{"name": "one", "port": 81}, {"name": "two", "port": 82}]}]}'
becomes "one server on both ports" "$vip:30012" 10.100.1.22:82=1
check "it serves" wait_for 10 answers "$vip:30012"
load_start 4 0 50 "$vip:30012"
multiport uno 30013 two 30012 | apply
patch Endpoints multi '{"subsets": [{"addresses": [{"ip": "10.100.1.22"}], "ports": [{"name": "uno", "port": 81}, {"name": "two", "port": 82}]}]}'
becomes "a port renamed and renumbered is served" "$vip:30013" 10.100.1.22:81=1
check "where it was it is not" wait_for 10 has_no_service "$vip:30011"
load_stop
at_least "meanwhile the other port served, requests" 1 "$(load .requests)"
equal "and lost none" 0 "$(load .failed)"
[ "$(load .failed)" = 0 ] || load_failures | note

# "should be able to up and down services", and one deleted and made again with its name
service again 30021 "$no_check" 'weight: "3"' <<<'10.100.1.31 80' | apply
becomes "up" "$vip:30021" 10.100.1.31:80=3
delete Service again
check "down: gone from the kernel" wait_for 15 has_no_service "$vip:30021"
service again 30021 "$no_check" <<<'10.100.1.32 80' | apply
becomes "up again under its name: nothing of before" "$vip:30021" 10.100.1.32:80=1

# "should handle the VIP on no interface" (ipvs proxier: ExternalIPsNoEndpoint)
equal "the VIP is on no interface" "" "$(ip -n "$net-director" -4 -o address | grep -w "$vip" || true)"
equal "it is led here by one local route" 1 \
	"$(ip -n "$net-director" route show table local proto 112 | grep -cw "$vip")"

# "should be able to change the type", from and to what has no node port
patch Service again '{"spec": {"type": "ClusterIP", "ports": [{"name": "web", "port": 30021, "protocol": "TCP"}]}}'
check "NodePort to ClusterIP: not served" wait_for 15 has_no_service "$vip:30021"
patch Service again '{"spec": {"type": "NodePort", "ports": [{"name": "web", "port": 30021, "nodePort": 30021, "protocol": "TCP"}]}}'
becomes "and back: served" "$vip:30021" 10.100.1.32:80=1
patch Service again '{"spec": {"type": "ExternalName", "externalName": "example.org", "clusterIP": null, "clusterIPs": null, "ipFamilies": null, "ipFamilyPolicy": null, "internalTrafficPolicy": null, "externalTrafficPolicy": null, "ports": null}}'
check "NodePort to ExternalName: not served" wait_for 15 has_no_service "$vip:30021"
patch Service again '{"spec": {"type": "NodePort", "externalName": null, "ports": [{"name": "web", "port": 30021, "nodePort": 30021, "protocol": "TCP"}]}}'
becomes "and back: served" "$vip:30021" 10.100.1.32:80=1

# "should have session affinity work", switched on and off in place
is_persistent() { table | found -- "^-A -t $1 .*-p $2$"; }
is_not_persistent() { has_service "$1" && ! table | found -- "^-A -t $1 .* -p "; }
poll_start
patch Service again '{"spec": {"sessionAffinity": "ClientIP"}}'
check "affinity on: the default timeout" wait_for 10 is_persistent "$vip:30021" 10800
patch Service again '{"spec": {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}}}'
check "another timeout" wait_for 10 is_persistent "$vip:30021" 60
patch Service again '{"spec": {"sessionAffinity": "None", "sessionAffinityConfig": null}}'
check "affinity off" wait_for 10 is_not_persistent "$vip:30021"
poll_stop
equal "the service was there all the time" 0 "$(grep -c "service-gone TCP $vip:30021" "$run/poll" || true)"
becomes "with its server" "$vip:30021" 10.100.1.32:80=1

# "should be rejected when no endpoints exist"
service_alone empty 30031 "$no_check" | apply
check "no endpoints: the service is there" wait_for 10 has_service "$vip:30031"
refused() {
	local rc=0
	in_box client curl -sS -m 3 "http://$1/" || rc=$?
	((rc == 7))
}
check "and refuses, without a wait" refused "$vip:30031"

# "should create headless services", and endpoints of another family
cat <<-END | apply
	apiVersion: v1
	kind: Service
	metadata:
	  name: headless
	  namespace: test
	spec:
	  clusterIP: None
	  ports:
	  - {name: web, protocol: TCP, port: 30041}
	---
	apiVersion: v1
	kind: Endpoints
	metadata:
	  name: headless
	  namespace: test
	subsets:
	- addresses: [{ip: 10.100.1.41}]
	  ports: [{name: web, port: 80}]
END
headless_known() { ctl get pools -o json | jq -e '.[] | select(.service == "headless")'; }
check "a headless service is a pool" wait_for 10 headless_known
equal "without a frontend" 0 "$(ctl get pools -o json | jq '.[] | select(.service == "headless").frontends | length')"
cat <<-END | apply
	apiVersion: discovery.k8s.io/v1
	kind: EndpointSlice
	metadata:
	  name: empty-v6
	  namespace: test
	  labels:
	    kubernetes.io/service-name: empty
	addressType: IPv6
	ports:
	- {name: web, protocol: TCP, port: 80}
	endpoints:
	- addresses: ["2001:db8::41"]
	  conditions: {ready: true}
END
slice empty-v4 empty 80 <<<10.100.1.42 | apply
becomes "of two families those are taken that suit the frontend" "$vip:30031" 10.100.1.42:80=1

# "should handle many ports on one address" (ipvs proxier: one dummy address, removed with the last)
routes() { ip -n "$net-director" route show table local proto 112 | grep -cw "$vip" || true; }
equal "many ports, one route" 1 "$(routes)"
# It served a moment ago, and IPVS keeps closed connections for two minutes.
patch Service multi '{"metadata": {"annotations": {"parasaus.io/drain-seconds": "5"}}}'
for name in basic marker multi again headless; do
	delete Service "$name"
done
left() { [ "$(table | grep -c '^-A')" = "$1" ]; }
check "all but one deleted, the last after its drain" wait_for 40 left 1
equal "the route is still there" 1 "$(routes)"
delete Service empty
check "the last one deleted" wait_for 30 left 0
no_route() { [ "$(routes)" = 0 ]; }
check "and the route is gone" wait_for 10 no_route
tap_done
