#!/bin/bash
# What is wrong with an object is told to its owner: an Event of it, by the agent that
# holds the Lease, with no more rights than deploy/kubernetes gives.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_agent events
holder() {
	api GET /apis/coordination.k8s.io/v1/namespaces/parasaus-system/leases/parasaus-writer |
		jq -er .spec.holderIdentity
}
holds() { [[ "$(holder)" == director_* ]]; }
check "the agent holds the Lease" wait_for 30 holds

# notes KIND NAME: what Events say of it.
notes() {
	api GET /apis/events.k8s.io/v1/namespaces/test/events |
		jq -r --arg kind "$1" --arg name "$2" \
			'.items[] | select(.regarding.kind == $kind and .regarding.name == $name) | .note'
}
told() { notes "$1" "$2" | found -- "$3"; }
count() { api GET /apis/events.k8s.io/v1/namespaces/test/events | jq '.items | length'; }

service good 30001 'health-check-type: none' <<<'10.100.1.11 80' | apply
service bad 30002 'health-check-type: none' 'weight: "heavy"' <<<'10.100.1.12 80' | apply
becomes "a bad annotation stops nothing" "$vip:30002" 10.100.1.12:80=1
check "and is told to the Service" wait_for 30 told Service bad 'parasaus.io/weight'
event=$(api GET /apis/events.k8s.io/v1/namespaces/test/events | jq -c '.items[0]')
equal "as a warning, of the object itself" \
	"Warning $(api GET "$(path_of Service test bad)" | jq -r .metadata.uid)" \
	"$(jq -r '"\(.type) \(.regarding.uid)"' <<<"$event")"
equal "nothing is told of what is well" "" "$(notes Service good)"
patch Service bad '{"metadata": {"labels": {"test": "seen"}}}'
service bad 30002 'health-check-type: none' 'weight: "2"' <<<'10.100.1.12 80' | apply
becomes "mended" "$vip:30002" 10.100.1.12:80=2
equal "and the same thing was told once" 1 "$(count)"

service late 30001 'health-check-type: none' <<<'10.100.1.13 80' |
	sed 's/nodePort: 30001/nodePort: 30011/' | apply
becomes "another service" "$vip:30011" 10.100.1.13:80=1
core=$(agent_process core)
kill -KILL "$core"
wait_for 15 agent_restarted core "$core"
agent_synced
equal "an agent started anew tells nothing twice" 1 "$(count)"
tap_done
