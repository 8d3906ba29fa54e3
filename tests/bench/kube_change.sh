#!/bin/bash
# One Endpoints changed among 1,000 services x 10 of a cluster: from the request over
# a warm connection to the kernel, on one clock; beside kube-proxy in ipvs mode, alone in a
# network namespace. To be run under tests/lib/with-cluster.
#
#   SERVICES=N MEMBERS=N CHANGES=N PEER_CHANGES=N (0: without the peer)
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

services=${SERVICES:-1000} members=${MEMBERS:-10} changes=${CHANGES:-200} peer_changes=${PEER_CHANGES:-20}
fill() { cluster fill --services "$services" --endpoints "$members" "$@"; }
name=fill-$(printf %05d $((services / 2)))
change() {
	"$project/tests/lib/kube_patch" --server "$cluster_url" --ca "$cluster_ca" --token "$CLUSTER_DIR/token" \
		--name "$name" "$@" >"$run/sent"
}
last_sent() { grep -v seen "$run/sent" | tail -n 1 | cut -d ' ' -f 2; }
loaded() { [ "$(in_box director ipvsadm -Sn | grep -c '^-a')" -ge $((services * members)) ]; }

# figures NAME: reads one time in milliseconds a line: number, p50, p99 and the longest.
figures() {
	sort -n >"$run/took"
	awk -v name="$1" -v all="$(grep -vc seen "$run/sent")" '{ t[NR] = $1 }
		END {
			printf "%s: %d of %d changes, ", name, NR, all
			if (NR) printf "p50 %.1f ms, p99 %.1f ms, longest %.1f ms\n",
				t[int((NR + 1) / 2)], t[int(NR * 0.99 + 0.999)], t[NR]
			else print "none seen"
		}' "$run/took"
}
# How long from the request to the kernel's table, and to a bare watch that looked at nothing else.
took() {
	awk 'NR == FNR { if ($2 != "seen") sent[$2] = $1; next }
		$2 == "clock" { offset = $3 - $1 }
		$2 == "dest" && ($5 in sent) && !($5 in seen) { seen[$5]; printf "%.1f\n", ($1 + offset - sent[$5]) * 1000 }' \
		"$run/sent" "$run/poll"
}
took_floor() {
	awk 'NR == FNR { if ($2 != "seen") sent[$2] = $1; next }
		$2 == "seen" && ($3 in sent) { printf "%.1f\n", ($1 - sent[$3]) * 1000 }' "$run/sent" "$run/sent"
}

relay_start() {
	"$tools/relay" "/run/netns/$net-director" 127.0.0.1:6443 "$CLUSTER_HOST:$cluster_port" \
		>"$run/proxy.out" </dev/null &
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
	poll_start_one "$(ctl get pools "fill/$name" -o json | jq -r '.[0].frontends[0] | sub("/tcp$"; "")')"
	change --count "$changes" --watch
	wait_for 10 grep -q "$(last_sent)" "$run/poll" || true
	poll_stop
	took | figures "parasausd, one change among $services x $members"
	took_floor | figures "a bare watch of that one object"
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
	wait_for 60 grep -q "$(last_sent)" "$run/poll" || true
	poll_stop
	took | figures "kube-proxy (ipvs), one change among $services x $members"
	kubeproxy_stop
}

need_agent
# Each with a network and a cluster of its own.
(
	cluster_fresh
	topology_up change
	us
)
((peer_changes == 0)) || (
	cluster_fresh
	topology_up peer
	peer
)
