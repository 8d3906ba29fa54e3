#!/bin/bash
# Pools of a real API server edited through the agent's REST interface, by people with
# tokens and rights of their own. Needs no IPVS: what the kernel has is not looked at.
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
end() {
	[ -z "$agent" ] || { kill "$agent" && wait "$agent"; } 2>/dev/null || true
	rm -rf "$run"
}
trap end EXIT
chmod 755 "$run"
cluster_fresh

# --- people ------------------------------------------------------------------------

check "deploy/kubernetes/editors is taken" kubectl apply --validate=strict -k "$project/deploy/kubernetes/editors"
people alice carol victor
kubectl -n shop create rolebinding editors --clusterrole=parasaus-editor \
	--serviceaccount=shop:alice --serviceaccount=shop:carol >/dev/null
kubectl -n shop create rolebinding viewers --clusterrole=parasaus-viewer --serviceaccount=shop:victor >/dev/null
alice=kube:system:serviceaccount:shop:alice carol=kube:system:serviceaccount:shop:carol

# --- the agent, as the service account that can change nothing -----------------------

agent_kubeconfig "$cluster_url"
cat >"$run/parasaus.yaml" <<-END
	node: here
	stateDirectory: $run/state
	addressPools:
	- {name: demo, addresses: [192.0.2.10], ports: "30000-32767"}
	sources:
	- kubernetes: {kubeconfig: $run/kubeconfig}
	api: {socket: $run/api.sock}
END
"$build/parasausd" -c "$run/parasaus.yaml" >"$run/agent.log" 2>&1 </dev/null &
agent=$!
is_delivered() { "$build/parasausctl" -s "$run/api.sock" get status -o json | jq -e '.sources[0].delivered'; }
wait_for 60 is_delivered || { cat "$run/agent.log" >&2; exit 1; }

ask=(--unix-socket "$run/api.sock" http://localhost)
# etag WHO POOL
etag() { as "$1" GET "pools/$2/spec" >/dev/null && tag; }
# of KIND NAME FILTER: as the API server has it.
of() { kubectl -n shop get "$1" "$2" -o json | jq -r "$3"; }
note_of() { of "$1" "$2" ".metadata.annotations[\"parasaus.io/$3\"]"; }

# --- what is edited -------------------------------------------------------------------

kubectl apply -f - >/dev/null <<-END
	apiVersion: v1
	kind: Service
	metadata: {name: web, namespace: shop, labels: {service.kubernetes.io/service-proxy-name: parasaus}}
	spec: {type: NodePort, ports: [{name: http, port: 80, nodePort: 30001}]}
	---
	apiVersion: v1
	kind: Endpoints
	metadata: {name: web, namespace: shop}
	subsets: [{addresses: [{ip: 10.1.0.1}, {ip: 10.1.0.2}], ports: [{name: http, port: 8080}]}]
END
web=shop.web.http-tcp

equal "without a token nothing is told" 401 "$(as nobody GET "pools/$web/spec")"
check "and how to come by one is" grep -q 'kubectl create token' "$run/body"
equal "with one of hers she sees the pool" 200 "$(as alice GET "pools/$web/spec")"
equal "its members" "10.1.0.1:8080 10.1.0.2:8080" "$(body '[.members[] | "\(.address):\(.port)"] | join(" ")')"
equal "and changes it" 200 "$(as alice PATCH "pools/$web?reason=night" "$(tag)" '{"settings": {"scheduler": "wlc"}}')"
equal "the API server has it" wlc "$(note_of endpoints web scheduler)"
equal "with who it was" "$alice" "$(note_of endpoints web last-operator)"
equal "what" patch "$(note_of endpoints web last-operation)"
equal "and why" night "$(note_of endpoints web change-reason)"
equal "and which program" parasaus "$(kubectl -n shop get endpoints web -o json --show-managed-fields |
	jq -r '.metadata.managedFields[] | .manager | select(. == "parasaus")')"

# --- one through kubectl, one through the page ------------------------------------------

before=$(etag alice $web)
written=$(date +%s)
is_later() { (($(date +%s) > written)); } # the API server tells who was first by seconds
wait_for 5 is_later
EDITOR="sed -i s/10.1.0.2/10.1.0.7/" kubectl -n shop edit endpoints web >/dev/null
equal "what kubectl edited meanwhile is not overwritten" 412 \
	"$(as alice PATCH "pools/$web" "$before" '{"settings": {"scheduler": "rr"}}')"
equal "and who was first is told" "via kubectl-edit" "$(body .current.user)"
equal "with the difference" rr "$(body '.current.diff[0].value')"
equal "nothing was written" wlc "$(note_of endpoints web scheduler)"
equal "looked at again it can be" 200 "$(as alice PATCH "pools/$web" "$(tag)" '{"settings": {"scheduler": "rr"}}')"
equal "with the other's edit in it" "10.1.0.1 10.1.0.7" "$(of endpoints web '[.subsets[0].addresses[].ip] | join(" ")')"
as carol PATCH "pools/$web/members/10.1.0.1-8080" "$(tag)" '{"drain": true}' >/dev/null
equal "the record has all of them" "$carol|$alice|via kubectl-edit|via kubectl-client-side-apply" \
	"$(as carol GET "operations?pool=$web" >/dev/null && body '[.items[:4][].user] | join("|")')"

history() { PARASAUS_TOKEN=$(cat "$run/$1") "$build/parasausctl" -s "$run/api.sock" history pool $web; }
history carol >"$run/history"
check "and parasausctl shows it to who has a token" grep -q "$carol" "$run/history"

# --- who has not the right ----------------------------------------------------------------

equal "who may look sees it" 200 "$(as victor GET "pools/$web/spec")"
equal "and may not change it" 403 "$(as victor PATCH "pools/$web" "$(tag)" '{"settings": {"scheduler": "sh"}}')"
equal "by the API server's own word" true "$(body '.detail | contains("cannot update resource \"endpoints\"")')"
equal "which right is missing is told" "update endpoints in namespace shop" "$(body .right)"
equal "also by a dry run" 403 "$(as victor PATCH "pools/$web?dryRun=all" "*" '{"settings": {"scheduler": "sh"}}')"
equal "nothing was written" rr "$(note_of endpoints web scheduler)"
echo nonsense >"$run/mallory"
equal "a token that nobody has is refused" 401 "$(as mallory GET "pools/$web/spec")"
equal "by the API server" cluster-unauthorized "$(body .code)"

# --- the last five ---------------------------------------------------------------------------

port_of_pool() { of service web '.spec.ports[0].nodePort'; }
for port in 30011 30012 30013 30014 30015 30016; do
	as alice PATCH "pools/$web" "$(etag alice $web)" "{\"port\": $port}" >/dev/null
done
equal "five states are kept" 5 "$(kubectl -n shop get controllerrevisions -o name | wc -l)"
equal "by the Service that they are of" web \
	"$(kubectl -n shop get controllerrevisions -o json | jq -r '[.items[].metadata.ownerReferences[0].name] | unique[0]')"
as alice GET "pools/$web/revisions" >/dev/null
body '.items[1:6][].revision' >"$run/revisions"
wanted=(30015 30014 30013 30012 30011)
for i in 0 1 2 3 4; do
	# Each is gone back to from the same place, so that none is pruned before its turn.
	kubectl -n shop get controllerrevisions -o json >"$run/kept.json"
	revision=$(sed -n "$((i + 1))p" "$run/revisions")
	equal "back to $revision, tried" 200 \
		"$(as alice POST "pools/$web:rollback?dryRun=all" "$(etag alice $web)" "{\"toRevision\": $revision}")"
	equal "and done" 200 "$(as alice POST "pools/$web:rollback" "$(etag alice $web)" "{\"toRevision\": $revision}")"
	equal "its port is that of then" "${wanted[i]}" "$(port_of_pool)"
	equal "as a change of its own" rollback "$(note_of service web last-operation)"
	kubectl -n shop delete controllerrevisions --all >/dev/null
	jq 'del(.items[].metadata.resourceVersion, .items[].metadata.uid)' "$run/kept.json" | kubectl apply -f - >/dev/null
	as alice PATCH "pools/$web" "$(etag alice $web)" '{"port": 30016}' >/dev/null
	kubectl -n shop delete controllerrevisions --all >/dev/null
	jq 'del(.items[].metadata.resourceVersion, .items[].metadata.uid)' "$run/kept.json" | kubectl apply -f - >/dev/null
done
equal "one that is not kept any more" 404 "$(as alice POST "pools/$web:rollback" "$(etag alice $web)" '{"toRevision": 1}')"
# Its port is another Service's by now.
kubectl -n shop create service nodeport other --tcp=80:80 --node-port=30015 >/dev/null
equal "one that cannot be applied any more" 422 \
	"$(as alice POST "pools/$web:rollback" "$(etag alice $web)" "{\"toRevision\": $(sed -n 1p "$run/revisions")}")"
equal "says why" true "$(body '.detail | contains("already allocated")')"
equal "and changes nothing" 30016 "$(port_of_pool)"

# --- whose objects they are ---------------------------------------------------------------------

kubectl -n shop label endpoints web app.kubernetes.io/managed-by=Helm >/dev/null
as alice PATCH "pools/$web?dryRun=all" "*" '{"settings": {"scheduler": "sed"}}' >/dev/null
check "of what Helm keeps a dry run warns" grep -q 'is kept by Helm, which will undo' "$run/body"
as alice PATCH "pools/$web" "*" '{"settings": {"scheduler": "sed"}}' >/dev/null
check "and so does the change" grep -q 'is kept by Helm, which will undo' "$run/body"

kubectl apply -f - >/dev/null <<-END
	apiVersion: v1
	kind: Service
	metadata: {name: pods, namespace: shop}
	spec: {type: NodePort, selector: {app: pods}, ports: [{name: http, port: 80, nodePort: 30021}]}
	---
	apiVersion: discovery.k8s.io/v1
	kind: EndpointSlice
	metadata:
	  name: pods-x1
	  namespace: shop
	  labels: {kubernetes.io/service-name: pods, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}
	addressType: IPv4
	ports: [{name: http, port: 8080}]
	endpoints: [{addresses: [10.2.0.1]}]
END
pods=shop.pods.http-tcp
equal "a member of a selector cannot be taken out" 409 "$(as alice DELETE "pools/$pods/members/10.2.0.1-8080" "*")"
equal "for that reason" selector-members "$(body .code)"
equal "it can be drained" 200 "$(as alice PATCH "pools/$pods/members/10.2.0.1-8080" "*" '{"drain": true}')"
equal "by the Service" "10.2.0.1:8080=0" "$(note_of service pods weights)"

# --- made and removed --------------------------------------------------------------------------------

equal "who may not make one is told" 403 "$(as victor POST pools "" '{"namespace": "shop", "name": "db", "port": 30031}')"
equal "which right that takes" "create services in namespace shop" "$(body .right)"
equal "a pool is made" 201 \
	"$(as alice POST pools "" '{"namespace": "shop", "name": "db", "members": [{"address": "10.1.0.9", "port": 3306}]}')"
db=$(body .pool)
equal "as a Service that kube-proxy leaves alone" parasaus \
	"$(of service db '.metadata.labels["service.kubernetes.io/service-proxy-name"]')"
equal "and Endpoints" 10.1.0.9 "$(of endpoints db '.subsets[0].addresses[0].ip')"
equal "a second one of that name is refused" 409 "$(as alice POST pools "" '{"namespace": "shop", "name": "db", "port": 30032}')"
equal "it goes" 200 "$(as alice DELETE "pools/$db" "$(etag alice "$db")")"
equal "with both" "" "$(kubectl -n shop get service,endpoints db -o name --ignore-not-found)"

# --- what must not be told ----------------------------------------------------------------------------

equal "whoami tells where writes go" kubernetes "$(as alice GET whoami >/dev/null && body '.writesTo | join(" ")')"
no_token() { ! grep -qFf <(cut -c1-40 "$run/alice") "$run/agent.log" && ! grep -rqFf <(cut -c1-40 "$run/alice") "$run/state"; }
check "no token is in a log or a file of the agent" no_token
tap_done
