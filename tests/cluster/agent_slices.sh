#!/bin/bash
# EndpointSlices: many for a service, copies of Endpoints, and what changes in them.
# Tests are named after those of Kubernetes whose expectation they state.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_agent slices
no_check='health-check-type: none'

# "should support a Service with multiple endpoint IPs specified in multiple EndpointSlices"
service_alone many 30001 "$no_check" | apply
slice many-a many 8080 <<<10.100.1.11 | apply
slice many-b many 8080 <<<10.100.1.12 | apply
printf '%s\n' 10.100.1.12 10.100.1.13 | slice many-c many 8080 | apply
becomes "the servers of all slices, each once" "$vip:30001" \
	"10.100.1.11:8080=1 10.100.1.12:8080=1 10.100.1.13:8080=1"
slice many-b many 8090 <<<10.100.1.12 | apply
becomes "one slice with another port: another server" "$vip:30001" \
	"10.100.1.11:8080=1 10.100.1.12:8080=1 10.100.1.12:8090=1 10.100.1.13:8080=1"
delete EndpointSlice many-c
becomes "one slice gone: its servers, but not those of others" "$vip:30001" \
	"10.100.1.11:8080=1 10.100.1.12:8090=1"
slice many-b many 8090 'ready: false' <<<10.100.1.12 | apply
becomes "not ready: out" "$vip:30001" 10.100.1.11:8080=1
slice many-b many 8090 'ready: true' <<<10.100.1.12 | apply
becomes "ready: in" "$vip:30001" "10.100.1.11:8080=1 10.100.1.12:8090=1"
patch EndpointSlice many-b '{"ports": [{"name": "other", "port": 8090, "protocol": "TCP"}]}'
becomes "a port of another name is not the service's" "$vip:30001" 10.100.1.11:8080=1
patch EndpointSlice many-b '{"ports": [{"name": "web", "port": null, "protocol": "TCP"}]}'
service_alone marker 30009 "$no_check" | apply
slice marker-a marker 80 <<<10.100.1.99 | apply
becomes "a slice without a port number hinders nobody" "$vip:30009" 10.100.1.99:80=1
becomes "and is no server" "$vip:30001" 10.100.1.11:8080=1
patch EndpointSlice many-a '{"metadata": {"labels": {"kubernetes.io/service-name": "marker"}}}'
becomes "a slice that goes over to another service: there" "$vip:30009" "10.100.1.11:8080=1 10.100.1.99:80=1"
becomes "and not here any more" "$vip:30001" ""
check "where the service is still there" has_service "$vip:30001"

# "should mirror a custom Endpoints resource through create update and delete": by hand, for the
# controller that does so is not here. Members count once, whatever holds them.
mirror() { # ADDRESS...
	printf '%s\n' "$@" | slice mirrored-x mirrored 80 |
		sed 's,^    kubernetes.io/service-name:.*,&\n    endpointslice.kubernetes.io/managed-by: endpointslicemirroring-controller.k8s.io,' | apply
}
service mirrored 30011 "$no_check" 'weight: "7"' <<<'10.100.1.21 80' | apply
becomes "Endpoints alone" "$vip:30011" 10.100.1.21:80=7
mirror 10.100.1.21
service_alone marker2 30019 "$no_check" | apply
slice marker2-a marker2 80 <<<10.100.1.98 | apply
becomes "a later change has come through" "$vip:30019" 10.100.1.98:80=1
becomes "with their mirrored slice: once, and with what Endpoints are annotated with" "$vip:30011" 10.100.1.21:80=7
printf '%s\n' '10.100.1.21 80' '10.100.1.22 80' | service mirrored 30011 "$no_check" 'weight: "7"' | apply
mirror 10.100.1.21 10.100.1.22
becomes "both changed" "$vip:30011" "10.100.1.21:80=7 10.100.1.22:80=7"
service mirrored 30011 "$no_check" 'weight: "7"' <<<'10.100.1.22 80' | apply
mirror 10.100.1.22
becomes "and again" "$vip:30011" 10.100.1.22:80=7

# EndpointSlices hold 1,000 addresses at most (endpointslicemirroring: more are split)
addresses() { # FROM TO
	local n
	for ((n = $1; n < $2; n++)); do
		echo "10.101.$((n / 200)).$((n % 200 + 1))"
	done
}
service_alone big 30021 "$no_check" | apply
addresses 0 1000 | slice big-a big 80 | apply
addresses 1000 1200 | slice big-b big 80 | apply
count() { table | awk -v s="$1" '$1 == "-a" && $3 == s' | wc -l; }
has_count() { [ "$(count "$1")" = "$2" ]; }
check "more than a thousand servers by two slices" wait_for 30 has_count "$vip:30021" 1200
delete EndpointSlice big-b
check "one of them gone" wait_for 30 has_count "$vip:30021" 1000

# "should remove terminating endpoints" and the table of endpointchangetracker_test
service_alone steps 30031 "$no_check" | apply
slice steps-a steps 80 <<<10.100.1.31 | apply
becomes "nothing to something" "$vip:30031" 10.100.1.31:80=1
printf '%s\n' 10.100.1.31 10.100.1.32 | slice steps-a steps 80 | apply
becomes "add an IP" "$vip:30031" "10.100.1.31:80=1 10.100.1.32:80=1"
slice steps-a steps 80 <<<10.100.1.32 | apply
becomes "remove an IP" "$vip:30031" 10.100.1.32:80=1
slice steps-a steps 81 <<<10.100.1.32 | apply
becomes "renumber the port" "$vip:30031" 10.100.1.32:81=1
slice steps-b steps 80 <<<10.100.1.33 | apply
becomes "add a slice" "$vip:30031" "10.100.1.32:81=1 10.100.1.33:80=1"
delete EndpointSlice steps-a
slice steps-b steps 80 <<<10.100.1.32 | apply
becomes "move an IP from one slice to another" "$vip:30031" 10.100.1.32:80=1
slice steps-b steps 80 'ready: false, serving: false, terminating: true' <<<10.100.1.32 | apply
becomes "terminating: out, as it has no connection" "$vip:30031" ""
slice steps-b steps 80 'ready: false, serving: true, terminating: true' <<<10.100.1.32 | apply
becomes "\"should fallback to terminating endpoints when there are no ready endpoints\"" "$vip:30031" 10.100.1.32:80=1
slice steps-b steps 80 <<<10.100.1.34 | apply
becomes "something to something else" "$vip:30031" 10.100.1.34:80=1
patch EndpointSlice steps-b '{"endpoints": []}'
becomes "something to nothing" "$vip:30031" ""
check "the service stays" has_service "$vip:30031"

# "should respect externalTrafficPolicy=Local", "should fallback to local terminating endpoints when
# there are no ready endpoints with externalTrafficPolicy=Local"
on_node() { sed "s/^- addresses/- nodeName: $1\n  addresses/"; }
service_alone near 30041 "$no_check" | apply
slice near-a near 80 <<<10.100.1.41 | on_node director | apply
slice near-b near 80 <<<10.100.1.42 | on_node elsewhere | apply
becomes "whatever their nodes" "$vip:30041" "10.100.1.41:80=1 10.100.1.42:80=1"
patch Service near '{"spec": {"externalTrafficPolicy": "Local"}}'
becomes "Local: that of this node" "$vip:30041" 10.100.1.41:80=1
slice near-a near 80 'ready: false, serving: true, terminating: true' <<<10.100.1.41 | on_node director | apply
slice near-b near 80 <<<10.100.1.43 | on_node elsewhere | apply
slice marker-a marker 80 <<<10.100.1.97 | apply
becomes "a later change has come through" "$vip:30009" "10.100.1.11:8080=1 10.100.1.97:80=1"
becomes "Local: that of this node, while it goes and serves" "$vip:30041" 10.100.1.41:80=1
slice near-a near 80 'ready: false, serving: false, terminating: true' <<<10.100.1.41 | on_node director | apply
becomes "Local: none is here: those of all nodes" "$vip:30041" 10.100.1.43:80=1
slice near-a near 80 <<<10.100.1.44 | on_node director | apply
becomes "Local: one has come" "$vip:30041" 10.100.1.44:80=1
patch Service near '{"spec": {"externalTrafficPolicy": "Cluster"}}'
becomes "Cluster: all again" "$vip:30041" "10.100.1.43:80=1 10.100.1.44:80=1"
# but for `kubernetes`, whose endpoint the API server makes itself
equal "none of it was probed" "" "$(ctl get targets | awk '/^10[.]10[01][.]/ { print $1 }' | xargs)"
tap_done
