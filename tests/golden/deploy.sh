#!/bin/bash
# What is in deploy/ can be read: manifests by lint, configurations by parasausd,
# kustomizations by kubectl, where tests/lib/cluster has made one. And what stands in
# two places there is the same in both. What an API server says is in tests/cluster.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh

bin=${PARASAUS_BUILD:-$PWD/build/release}
kubernetes=deploy/kubernetes
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

skip() { # DESCRIPTION REASON
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

while read -r file; do
	"$bin/parasausctl" lint -f "$file" >"$tmp/said" 2>&1 && ! grep -q ': error: ' "$tmp/said"
	result $? "$file can be read" "$tmp/said"
done < <(find deploy -name '*.yaml' ! -name parasaus.yaml | sort)

echo 'sources: [{kubernetes: {kubeconfig: /kubeconfig}}]' >"$tmp/watch.yaml"
no_watch() { grep -q 'not available in this version' < <("$bin/parasausd" -n -c "$tmp/watch.yaml" 2>&1); }
while read -r file; do
	"$bin/parasausd" -n -c "$file" >"$tmp/said" 2>&1
	rc=$?
	if grep -q kubernetes: "$file" && no_watch; then
		skip "$file is a good configuration" "this parasausd cannot watch an API server"
	else
		result $rc "$file is a good configuration" "$tmp/said"
	fi
done < <(find deploy -name parasaus.yaml | sort)

programs=$(tests/lib/cluster built)
for part in "$kubernetes"/*/; do
	part=${part%/}
	if [ -z "$programs" ]; then
		skip "$part can be built" "no kubectl: run tests/lib/cluster build"
		continue
	fi
	"$programs/kubectl" kustomize "$part" >"$tmp/${part##*/}.yaml" 2>"$tmp/said"
	result $? "$part can be built" "$tmp/said"
	"$bin/parasausctl" lint -f "$tmp/${part##*/}.yaml" >"$tmp/said" 2>&1
	result $? "and what comes out can be read" "$tmp/said"
done
if [ -n "$programs" ]; then
	equal "the overlay's servers reach the cluster" 3 "$(grep -c 'https://192.0.2' "$tmp/external-api.yaml")"
	equal "so do images of one's own" 2 "$(grep -c 'image: registry.internal.example/' "$tmp/external-api.yaml")"
	check "the pods use the configuration by the name of its contents" \
		grep -q "name: $(awk '/^kind: ConfigMap/ { m = 1 } m && /^  name:/ { print $2; exit }' "$tmp/base.yaml")$" \
		<(awk '/^kind: DaemonSet/ { d = 1 } d && /configMap:/ { getline; print }' "$tmp/base.yaml")
fi

daemonset=$kubernetes/base/daemonset.yaml
equal "the pod's group is the image's" "$(sed -n 's/.*groupadd.*--gid \([0-9]*\).*/\1/p' deploy/Containerfile)" \
	"$(awk '/fsGroup:/ { print $2 }' $daemonset)"
equal "no user is set, for the parent has to be root" "" "$(grep '^[^#]*runAsUser' $daemonset)"
if command -v systemd-analyze >/dev/null; then
	systemd-analyze security --offline=true --threshold=20 deploy/parasaus.service >"$tmp/said" 2>&1
	result $? "what the unit leaves open is little, by systemd-analyze" "$tmp/said"
else
	skip "what the unit leaves open is little" "no systemd-analyze"
fi
tap_done
