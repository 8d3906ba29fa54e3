#!/bin/bash
# "should delete a collection of services" (service.go): a thousand of them, at once,
# and none of the others.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

count=1000
cluster_agent many
service keep 64000 'health-check-type: none' <<<'10.100.1.11 80' | apply
"$project/tests/lib/kube_fill" --server "$cluster_url" --ca "$cluster_ca" --token "$CLUSTER_DIR/token" \
	--namespace test --services $count --endpoints 2 --first-port 30000 | note
services() { table | grep -c '^-A' || true; }
servers() { table | grep -c '^-a' || true; }
are_there() { [ "$(services)" = "$1" ] && [ "$(servers)" = "$2" ]; }
check "$count services of 2 servers, and one more, are in the kernel" \
	wait_for 60 are_there $((count + 1)) $((2 * count + 1))
agent_synced
equal "no problem is told" 0 "$(status .problems)"

api DELETE "/api/v1/namespaces/test/services?labelSelector=test%3Dfill" >/dev/null
check "deleted as a collection, they are gone from the kernel" wait_for 120 are_there 1 1
equal "the other one is as it was" 10.100.1.11:80=1 "$(servers_of "$vip:64000")"
check "and the agent in agreement" agent_synced
tap_done
