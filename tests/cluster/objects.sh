#!/bin/bash
# What we ship and what a real API server says of it: the examples, the origin's
# YAML and its corrected form, and the deployment with its rights.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
kubectl() { "${CLUSTER_BIN:?}/kubectl" --kubeconfig "$CLUSTER_DIR/kubeconfig" --request-timeout 30s "$@"; }
lint() { "$build/parasausctl" lint "$@"; }
cluster_fresh

check "the example is taken by kubectl apply" kubectl apply -f "$project/deploy/example.yaml" --validate=strict
check "and by lint" lint -f "$project/deploy/example.yaml"
kubectl -n parasaus get service snake-demo-svc4 -o json >"$run/service"
equal "it has the node port it asks for" 40796 "$(jq '.spec.ports[0].nodePort' "$run/service")"
revisions() { kubectl -n parasaus get service,endpoints -o json | jq -c '[.items[].metadata.resourceVersion]'; }
before=$(revisions)
kubectl apply -f "$project/deploy/example.yaml" >"$run/again" 2>&1
equal "a second time changes nothing" "$before" "$(revisions)"
kubectl -n parasaus delete service snake-demo-svc4 >/dev/null
equal "the server deletes the Endpoints of a deleted Service" 404 \
	"$(api_code GET /api/v1/namespaces/parasaus/endpoints/snake-demo-svc4)"

# The origin's, document by document.
csplit -sz -f "$run/origin." "$project/deploy/example-origin.yaml" '/^---$/' '{*}'
services=/api/v1/namespaces/parasaus/services endpoints=/api/v1/namespaces/parasaus/endpoints
why() { jq -r .message "$run/answer"; }
equal "the origin's Service is refused" 422 "$(api_code POST $services "$run/origin.00")"
note "$(why)"
check "for its node port, as its type is not where it belongs" grep -q nodePort "$run/answer"
equal "and as not well-formed by a strict look" 400 \
	"$(api_code POST "$services?fieldValidation=Strict" "$run/origin.00")"
note "$(why)"
equal "its Endpoints are taken" 201 "$(api_code POST $endpoints "$run/origin.01")"
equal "without the annotations" null "$(jq -c .metadata.annotations "$run/answer")"
equal "or refused by a strict look" 400 \
	"$(api_code POST "$endpoints?fieldValidation=Strict" "$run/origin.01")"
refused() { ! kubectl apply -f "$project/deploy/example-origin.yaml"; }
check "kubectl apply does not take it" refused
api DELETE "$endpoints/snake-demo-svc4" >/dev/null

check "lint takes it" lint -f "$project/deploy/example-origin.yaml"
lint -f "$project/deploy/example-origin.yaml" >"$run/findings" 2>&1
note <"$run/findings"
check "and tells of the type" grep -q type "$run/findings"
check "and of the annotations" grep -q annotations "$run/findings"
lint --corrected -f "$project/deploy/example-origin.yaml" >"$run/corrected.yaml" 2>/dev/null
check "the corrected form is taken by kubectl apply" kubectl apply --validate=strict -f "$run/corrected.yaml"
kubectl -n parasaus get service,endpoints snake-demo-svc4 -o json >"$run/both"
equal "with the node port" 40796 "$(jq '.items[] | select(.kind == "Service").spec.ports[0].nodePort' "$run/both")"
equal "and the check" http \
	"$(jq -r '.items[] | select(.kind == "Service").metadata.annotations["parasaus.io/health-check-type"]' "$run/both")"
equal "nothing is found in it" "" "$(lint -f "$run/corrected.yaml" 2>&1)"

# The deployment.
for part in base external-api secrets reviewers; do
	kubectl kustomize "$project/deploy/kubernetes/$part" >"$run/$part.yaml"
	check "deploy/kubernetes/$part is taken" \
		kubectl apply --dry-run=server --validate=strict -f "$run/$part.yaml"
done
kubectl -n parasaus-system get daemonset parasaus -o json |
	jq '.spec.template + {apiVersion: "v1", kind: "Pod"} | .metadata.name = "probe"' >"$run/pod.json"
check "a pod of it is let into its namespace" \
	kubectl create --dry-run=server -n parasaus-system -f "$run/pod.json"
kubectl create namespace guarded >/dev/null
kubectl label namespace guarded pod-security.kubernetes.io/enforce=baseline >/dev/null
kubectl -n guarded create serviceaccount parasaus >/dev/null
not_let_in() { ! kubectl create --dry-run=server -n guarded -f "$run/pod.json" 2>&1 | tee "$run/said" | grep -q created; }
check "and not into one where privileges are not given" not_let_in
check "for that reason" grep -q 'violates PodSecurity "baseline' "$run/said"

# Its rights, by a token of its own.
kubectl -n parasaus-system create token parasaus >"$run/token"
agent() {
	curl -sS -o "$run/answer" -w '%{http_code}' --noproxy '*' -m 30 --cacert "$cluster_ca" -X "$1" \
		-H "Authorization: Bearer $(cat "$run/token")" "$cluster_url$2"
}
allowed() { kubectl auth can-i --as system:serviceaccount:parasaus-system:parasaus "$@" 2>/dev/null || true; }
for resource in /api/v1/services /api/v1/endpoints /apis/discovery.k8s.io/v1/endpointslices; do
	equal "the agent lists ${resource##*/}" 200 "$(agent GET "$resource")"
	equal "and watches them" 200 "$(agent GET "$resource?watch=1&timeoutSeconds=1")"
done
equal "it reads no Secret" 403 "$(agent GET /api/v1/namespaces/parasaus/secrets/health-check)"
equal "and lists none" 403 "$(agent GET /api/v1/secrets)"
equal "it deletes no Service" 403 "$(agent DELETE "$services/snake-demo-svc4")"
for verb in create update patch delete; do
	for resource in services endpoints endpointslices.discovery.k8s.io pods; do
		equal "it cannot $verb $resource" no "$(allowed "$verb" "$resource" -n parasaus)"
	done
done
equal "it can create events" yes "$(allowed create events.events.k8s.io -n parasaus)"
equal "and a lease in its own namespace" yes "$(allowed create leases.coordination.k8s.io -n parasaus-system)"
equal "not in others" no "$(allowed create leases.coordination.k8s.io -n parasaus)"
sed "s/namespace: default/namespace: parasaus/" "$run/secrets.yaml" | kubectl apply -f - >/dev/null
equal "where a namespace says so, it reads the Secrets that are named" yes \
	"$(allowed get secrets/health-check -n parasaus)"
equal "and no others" no "$(allowed get secrets/other -n parasaus)"
tap_done
