#!/bin/bash
# One change among 1,000 pools x 10: from rename(2) of the file to the kernel,
# with a file for each pool and with one file of all, beside keepalived's reload
# of the same (deploy/install-deps bench).
#
#   POOLS=N MEMBERS=N CHANGES=N RELOADS=N
#   ONLY_FILES=1  not with one file of all
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

pools=${POOLS:-1000} members=${MEMBERS:-10} changes=${CHANGES:-200} reloads=${RELOADS:-20}
topology_up change

# agent NAME PATH OPTION...
agent() {
	local name=$1 path=$2
	shift 2
	rm -rf "$run/pools" "$run/state"
	agent_configure 'audit: 30'
	"$build/bench/pools" write "$@" "$path" "$pools" "$members"
	agent_start
	ctl wait --synced --timeout 120
	printf 'change among %s x %s, %s: ' "$pools" "$members" "$name"
	in_box director "$build/bench/pools" change -n "$changes" "$@" "$path" "$pools" "$members"
	agent_stop
	director_down
	director_up
}

loaded() { [ "$(in_box director ipvsadm -Sn | wc -l)" = $((pools * (members + 1))) ]; }

keepalived_reload() {
	if ! command -v keepalived >/dev/null; then
		echo "change: keepalived is not installed (deploy/install-deps bench)"
		return
	fi
	"$build/bench/pools" write -k "$run/keepalived.conf" "$pools" "$members"
	background director "$run/keepalived.out" keepalived --dont-fork --check --no-syslog \
		--use-file "$run/keepalived.conf" --pid "$run/keepalived.pid" \
		--checkers_pid "$run/checkers.pid"
	wait_for 300 loaded
	printf 'change among %s x %s, keepalived %s: ' "$pools" "$members" \
		"$(keepalived --version 2>&1 | awk 'NR == 1 { print $2 }')"
	in_box director "$build/bench/pools" change -k -n "$reloads" -s "$background" \
		"$run/keepalived.conf" "$pools" "$members"
}

agent "a file for each pool" "$run/pools"
mkdir -p "$run/pools"
[ -n "${ONLY_FILES:-}" ] || agent "one file of all" "$run/pools/all.yaml" -1
keepalived_reload
