#!/bin/bash
# An agent beyond loopback that takes tokens of a real cluster: who is let in and who is not, in whose
# name is written, how soon a token that is revoked is of no use, and what is said while the API
# server is away. Needs no IPVS: what the kernel has is not looked at.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"
# shellcheck source=../lib/people.bash
. "$here/../lib/people.bash"

run=$(mktemp -d -p /tmp) # where core can go, which has given its rights up
agent=
stop() {
	[ -z "$agent" ] || { kill "$agent" && wait "$agent"; } 2>/dev/null || true
	agent=
}
flags=$(cat "$CLUSTER_DIR/api-flags")
end() {
	stop
	echo "$flags" >"$CLUSTER_DIR/api-flags"
	rm -rf "$run"
}
trap end EXIT
chmod 755 "$run"

# Who writes documents of a pool is in the API server's audit log.
audit=$CLUSTER_DIR/audit
cat >"$audit.yaml" <<-END
	apiVersion: audit.k8s.io/v1
	kind: Policy
	omitStages: [RequestReceived]
	rules:
	- {level: Metadata, verbs: [get, update], resources: [{group: "", resources: [endpoints]}]}
	- level: None
END
rm -f "$audit.log"
echo "$flags --audit-policy-file=$audit.yaml --audit-log-path=$audit.log" >"$CLUSTER_DIR/api-flags"
cluster_fresh

# --- people ------------------------------------------------------------------------

check "deploy/kubernetes/editors is taken" kubectl apply --validate=strict -k "$project/deploy/kubernetes/editors"
people alice victor carol eve
echo nonsense >"$run/mallory"
kubectl -n shop create rolebinding editors --clusterrole=parasaus-editor --serviceaccount=shop:alice >/dev/null
alice=kube:system:serviceaccount:shop:alice

# --- the agent, as its own service account -------------------------------------------

agent_kubeconfig "$cluster_url"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$run/parasaus.yaml" <<-END
	node: here
	stateDirectory: $run/state
	addressPools:
	- {name: demo, addresses: [192.0.2.10], ports: "30000-32767"}
	sources:
	- kubernetes: {kubeconfig: $run/kubeconfig}
	- store: {}
	api:
	  socket: $run/api.sock
	  listen: "0.0.0.0:$port"
	  tls: {selfSigned: true}
	  kubernetesTokens: true
END
start() {
	"$build/parasausd" -c "$run/parasaus.yaml" >>"$run/agent.log" 2>&1 </dev/null &
	agent=$!
}
is_delivered() { "$build/parasausctl" -s "$run/api.sock" get status -o json | jq -e 'all(.sources[]; .delivered)'; }
start
wait_for 60 is_delivered || { cat "$run/agent.log" >&2; exit 1; }

ask=(-k --noproxy '*' "https://127.0.0.1:$port")
is() { [ "$(as "${@:2}")" = "$1" ]; }

wait_for 20 is 401 nobody GET pools
equal "without a token nothing is told" 401 "$(as nobody GET pools)"
check "anybody sees that it is alive" curl -sfk -m 30 --noproxy '*' "https://127.0.0.1:$port/healthz"

# --- a right of the agent's own -------------------------------------------------------

equal "an agent that may not ask lets nobody in" 503 "$(as alice GET pools)"
equal "and says which right it lacks" true "$(body '.detail | contains("right to create tokenreviews")')"
check "in its log, too" grep -q 'tokens cannot be reviewed: it takes the right to create tokenreviews' "$run/agent.log"
check "deploy/kubernetes/reviewers is taken" \
	kubectl apply --validate=strict -k "$project/deploy/kubernetes/reviewers"
wait_for 30 is 403 alice GET pools
equal "with it, who has no right is told so" 403 "$(as alice GET pools)"
equal "by a code" not-granted "$(body .code)"
equal "and in words" true \
	"$(body '.detail | contains("system:serviceaccount:shop:alice'"'"' may not get the nonResourceURL /parasaus")')"
equal "a token that nobody has is refused" 401 "$(as mallory GET pools)"
equal "by the API server" cluster-unauthorized "$(body .code)"

# --- who is let in ----------------------------------------------------------------------

kubectl create clusterrolebinding see --clusterrole=parasaus-see --serviceaccount=shop:victor \
	--serviceaccount=shop:carol >/dev/null
kubectl create clusterrolebinding write --clusterrole=parasaus-write --serviceaccount=shop:alice >/dev/null
stop # what was said before is remembered for a minute
start
wait_for 60 is_delivered
check "who may look does" wait_for 30 is 200 victor GET pools
as victor GET whoami >/dev/null
equal "under the cluster's name" kube:system:serviceaccount:shop:victor "$(body .user)"
manifest='{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "own", "namespace": "here"},
	"spec": {"type": "NodePort", "ports": [{"name": "http", "port": 80, "nodePort": 30900}]}}'
equal "and writes nothing to the store" 403 "$(as victor POST apply "" "$manifest")"
equal "for that reason" true "$(body '.detail | contains("may not update the nonResourceURL /parasaus")')"
equal "who may write does" 200 "$(as alice POST apply "" "$manifest")"
as alice GET "operations?limit=1" >/dev/null
equal "and is on record" "$alice" "$(body '.items[0].user')"
equal "tokens of the agent's are nothing for the network" 403 "$(as alice GET tokens)"
equal "eve has no right" 403 "$(as eve GET pools)"

# --- a pool of the cluster's ---------------------------------------------------------------

kubectl apply -f - >/dev/null <<-END
	apiVersion: v1
	kind: Service
	metadata: {name: web, namespace: shop, labels: {service.kubernetes.io/service-proxy-name: parasaus}}
	spec: {type: NodePort, ports: [{name: http, port: 80, nodePort: 30001}]}
	---
	apiVersion: v1
	kind: Endpoints
	metadata: {name: web, namespace: shop}
	subsets: [{addresses: [{ip: 10.1.0.1}], ports: [{name: http, port: 8080}]}]
END
# Without a kernel to look at, pools are found by their documents, and beside a store in that alone.
stop
sed -i '/- store:/d' "$run/parasaus.yaml"
start
wait_for 60 is_delivered
web=shop.web.http-tcp
scheduler() { kubectl -n shop get endpoints web -o json | jq -r ".metadata.annotations[\"parasaus.io/$1\"]"; }
check "a pool of the cluster's is there" wait_for 30 is 200 alice GET "pools/$web/spec"
equal "it is changed in her name" 200 "$(as alice PATCH "pools/$web" "$(tag)" '{"settings": {"scheduler": "wlc"}}')"
equal "the API server has it" wlc "$(scheduler scheduler)"
equal "with who it was" "$alice" "$(scheduler last-operator)"
equal "by rights of hers alone" 403 "$(as victor PATCH "pools/$web" "*" '{"settings": {"scheduler": "sh"}}')"
equal "as the API server says" cluster-forbidden "$(body .code)"
equal "nothing was written" wlc "$(scheduler scheduler)"
# audited USER: what that one did through the agent, and what the API server answered.
audited() { jq -rs --arg user "system:serviceaccount:shop:$1" '[.[] | select(.user.username == $user and
	(.userAgent | startswith("parasaus/"))) | "\(.verb) \(.responseStatus.code)"] | unique | join(", ")' "$audit.log"; }
equal "its audit saw her" "get 200, update 200" "$(audited alice)"
equal "and him" "get 403" "$(audited victor)"
equal "and nobody else through the agent" 2 \
	"$(jq -rs '[.[] | select(.userAgent | startswith("parasaus/")) | .user.username] | unique | length' "$audit.log")"

# --- a token that is revoked -----------------------------------------------------------------

equal "victor is let in" 200 "$(as victor GET pools)"
kubectl -n shop delete serviceaccount victor >/dev/null
deleted=$SECONDS
# A minute is what the agent remembers; the API server itself remembers ten seconds.
check "and no longer, once his account is gone" wait_for 75 is 401 victor GET pools
check "within a minute or so" [ $((SECONDS - deleted)) -le 75 ]
equal "which is the API server's word" cluster-unauthorized "$(body .code)"

# --- the API server away ------------------------------------------------------------------------

kubectl -n shop create token eve >"$run/late"
kubectl create clusterrolebinding late --clusterrole=parasaus-see --serviceaccount=shop:eve >/dev/null
equal "carol is let in" 200 "$(as carol GET pools)"
cluster stop-api
equal "away, it says nothing, and nobody new is let in" 503 "$(as late GET pools)"
check "to come again is told" grep -qi '^retry-after: 1' "$run/head"
equal "and why" cluster-trouble "$(body .code)"
equal "who was known is known for her minute" 200 "$(as carol GET pools)"
check "and no longer" wait_for 75 is 503 carol GET pools
cluster start-api
check "when it is back, so are they" wait_for 60 is 200 alice GET pools
check "and who is new" wait_for 60 is 200 late GET pools

# --- what must not be told ----------------------------------------------------------------------------

no_token() {
	local who
	for who in alice victor late; do
		! grep -rqFf <(cut -c1-40 "$run/$who") "$run/agent.log" "$run/state" || return 1
		! grep -qFf <(tail -c 40 "$run/$who") "$run/agent.log" || return 1
	done
}
check "no token is in a log or a file of the agent" no_token
tap_done
