#!/bin/bash
# The ground that tests of the agent stand on: the API server and how it is
# reached from the director, its restarts, copies and compaction, and kube-proxy.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_fresh
topology_up ground
proxy_start
namespace_test
service web 30080 <<<'10.100.1.11 8080' | apply
check "the API server is reached, and its certificate is good" api GET /readyz
agent_token 3600
# by_agent PATH: from the director, as the agent would.
by_agent() {
	in_box director curl -sS --noproxy '*' -m 20 --fail-with-body --cacert "$cluster_ca" \
		-H "Authorization: Bearer $(cat "$run/token")" "https://127.0.0.1:6443$1"
}
check "from the director, through the proxy, as the service account of the DaemonSet" by_agent /api/v1/services
mark=$(log_mark)
by_agent '/api/v1/services?limit=1' >"$run/list"
by_agent /api/v1/endpoints >"$run/list"
equal "the proxy's log tells whole lists from others" 1 "$(lists "$mark")"

revision() { api GET '/api/v1/services?limit=1' | jq -r .metadata.resourceVersion; }
old=$(revision)
cluster snapshot earlier
patch Service web '{"metadata": {"labels": {"later": "yes"}}}'
later=$(revision)
at_least "revisions go up" $((old + 1)) "$later"
cluster restart-api
check "after a restart of the API server all is as it was" api GET /api/v1/namespaces/test/services/web
at_least "and revisions do not go back" "$later" "$(revision)"
by_agent "/api/v1/services?watch=1&resourceVersion=$old&timeoutSeconds=1" >"$run/events"
equal "a revision from before it is expired, as an event" 410 "$(head -n 1 "$run/events" | jq .object.code)"
cluster compact
by_agent "/api/v1/services?resourceVersion=$old&resourceVersionMatch=Exact" >"$run/list" 2>"$run/err" || true
equal "a compacted one is gone" 410 "$(jq .code "$run/list")"
cluster restore earlier
at_most "with an older copy of etcd revisions go back" "$((later - 1))" "$(revision)"
equal "and so do objects" null "$(api GET /api/v1/namespaces/test/services/web | jq .metadata.labels.later)"
by_agent "/api/v1/services?watch=1&resourceVersion=$((later + 1000))&timeoutSeconds=2" >"$run/events"
equal "a watch from a revision to come is silent" "" "$(cat "$run/events")"

slice web-1 web 8080 <<<10.100.1.11 | apply
kubeproxy_start ipvs
rc=0
wait_for 120 kubeproxy_ready || rc=$?
result $rc "kube-proxy comes up in ipvs mode" "$run/kube-proxy.err"
check "and serves the node port by IPVS" wait_for 120 has_weight 10.100.1.1:30080 10.100.1.11:8080 1
kubeproxy_stop
in_box director ipvsadm -C
in_box director ipvsadm -A -t "$vip:30500" -s rr
kubeproxy_start nftables
rc=0
wait_for 120 kubeproxy_ready || rc=$?
result $rc "kube-proxy comes up in nftables mode" "$run/kube-proxy.err"
equal "and has flushed what IPVS held" "" "$(table)"
kubeproxy_stop
tap_done
