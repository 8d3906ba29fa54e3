#!/bin/bash
# One Endpoints changed among 1,000 services x 10 of a cluster: from the request over
# a warm connection to the kernel, on one clock; beside kube-proxy in ipvs mode, alone in a
# network namespace. To be run under tests/lib/with-cluster.
#
#   SERVICES=N MEMBERS=N CHANGES=N PEER_CHANGES=N
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

services=${SERVICES:-1000} members=${MEMBERS:-10} changes=${CHANGES:-200} peer_changes=${PEER_CHANGES:-20}
fill() {
	"$project/tests/lib/kube_fill" --server "$cluster_url" --ca "$cluster_ca" --token "$CLUSTER_DIR/token" \
		--services "$services" --endpoints "$members" "$@"
}
change() {
	"$project/tests/lib/kube_patch" --server "$cluster_url" --ca "$cluster_ca" --token "$CLUSTER_DIR/token" \
		--name "fill-$(printf %05d $((services / 2)))" "$@" >"$run/sent"
}
loaded() { [ "$(in_box director ipvsadm -Sn | grep -c '^-a')" -ge $((services * members)) ]; }

# figures NAME: of what was sent and what was seen: number, p50, p99 and the longest in milliseconds.
figures() {
	awk 'NR == FNR { sent[$2] = $1; next }
		$2 == "clock" { offset = $3 - $1 }
		$2 == "dest" && ($5 in sent) && !($5 in seen) { seen[$5]; printf "%.1f\n", ($1 + offset - sent[$5]) * 1000 }' \
		"$run/sent" "$run/poll" | sort -n >"$run/took"
	awk -v name="$1" -v all="$(wc -l <"$run/sent")" '{ t[NR] = $1 }
		END {
			printf "%s: %d of %d changes, ", name, NR, all
			if (NR) printf "p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
				t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.999)], t[NR]
			else print "none seen"
		}' "$run/took"
}

relay_start() {
	"$project/tests/lib/relay" --netns "/run/netns/$net-director" --listen 127.0.0.1:6443 \
		--to "$CLUSTER_HOST:$cluster_port" --log "$run/relay.log" >"$run/proxy.out" 2>&1 </dev/null &
	relay=$!
	topology_pids+=("$relay")
	wait_for 30 grep -q listening "$run/proxy.out"
}

us() {
	relay_start
	fill
	agent_configure_cluster "" 'audit: 30'
	agent_start
	ctl wait --synced --timeout 300
	wait_for 60 loaded
	poll_start
	change --count "$changes"
	wait_for 10 grep -q "$(tail -n 1 "$run/sent" | cut -d ' ' -f 2)" "$run/poll" || true
	poll_stop
	figures "parasausd, one change among $services x $members"
	agent_stop
	kill "$relay"
}

# The same, with what it reads: EndpointSlices, and no label that keeps it off.
peer() {
	local began
	fill --slices --for-kube-proxy
	relay_start
	began=$SECONDS
	kubeproxy_start ipvs --nodeport-addresses primary
	wait_for 900 loaded
	echo "kube-proxy (ipvs) has loaded $services x $members after $((SECONDS - began)) s"
	wait_for 300 kubeproxy_ready
	poll_start
	change --slices --count "$peer_changes" --pause 15
	wait_for 60 grep -q "$(tail -n 1 "$run/sent" | cut -d ' ' -f 2)" "$run/poll" || true
	poll_stop
	figures "kube-proxy (ipvs), one change among $services x $members"
	kubeproxy_stop
}

need_agent
# Each with a network and a cluster of its own.
(
	cluster_fresh
	topology_up change
	us
)
(
	cluster_fresh
	topology_up peer
	peer
)
