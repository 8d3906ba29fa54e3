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
# What the init container does, on a node that is a few files: what it sets is in $tmp/set.
awk '/^ *- \|$/ { on = 1; next } /^        securityContext:/ { on = 0 } on' $daemonset |
	sed "s#/proc/#$tmp/proc/#g" >"$tmp/prepare.sh"
mkdir "$tmp/bin"
printf '#!/bin/sh\n' | tee "$tmp/bin/modprobe" >"$tmp/bin/install"
cat >"$tmp/bin/sysctl" <<'EOF'
#!/bin/sh
shift
for setting; do
	[ "${setting%=*}" != "$ABSENT" ] || exit 1
	echo "$setting"
done >>"$SET"
EOF
chmod +x "$tmp"/bin/*
prepare() { # ABSENT
	rm -f "$tmp/set"
	ABSENT=${1:-} SET=$tmp/set PATH=$tmp/bin:$PATH sh -eu "$tmp/prepare.sh" >"$tmp/said" 2>&1
}
node() { # FORWARDING ACCEPT_RA FLAGS-OF-ROUTE
	local none=00000000000000000000000000000000 conf=$tmp/proc/sys/net/ipv6/conf
	mkdir -p "$tmp/proc/net" "$conf/all" "$conf/eth0"
	echo "$1" >"$conf/all/forwarding"
	echo "$2" >"$conf/eth0/accept_ra"
	echo "fe80${none#????} 40 $none 00 $none 00000100 00000001 00000000 00440001     eth0
$none 00 $none 00 fe80${none#????} 00000400 00000001 00000000 $3     eth0" >"$tmp/proc/net/ipv6_route"
}
forwards() { grep -qx 'net.ipv6.conf.all.forwarding=1' "$tmp/set"; }
holds() { ! forwards && grep -q 'set net.ipv6.conf.eth0.accept_ra to 2' "$tmp/said"; }

prepare
result $? "a node without IPv6 is made ready" "$tmp/said"
# But what is for kernels of before 5.9, and for many services on one of before 6.2.
equal "all is set that the agent chooses, and may not set there" \
	"$(sed -n 's/.*{ { "\(net[^"]*\)", \([0-9]*\),.*/\1=\2/p' ipvs/host_sysctl.c |
		grep -v -e run_estimation -e conn_reuse_mode=0 | sort)" "$(sort "$tmp/set")"
for absent in net.ipv4.vs.est_nice net.ipv6.conf.all.forwarding; do
	prepare $absent
	result $? "a node without $absent is made ready" "$tmp/said"
	check "and it is said" test -s "$tmp/said"
done
node 0 1 00450003
prepare
result $? "a node with a router's advertisement is made ready" "$tmp/said"
check "and keeps its route" holds
node 0 2 00450003
prepare
check "with accept_ra 2 it keeps it anyway" forwards
node 0 1 00000003
prepare
check "a default route of another origin is in no danger" forwards
node 1 1 00450003
prepare
check "where packets are forwarded already nothing is lost" forwards
if command -v systemd-analyze >/dev/null; then
	systemd-analyze security --offline=true --threshold=20 deploy/parasaus.service >"$tmp/said" 2>&1
	result $? "what the unit leaves open is little, by systemd-analyze" "$tmp/said"
else
	skip "what the unit leaves open is little" "no systemd-analyze"
fi
tap_done
