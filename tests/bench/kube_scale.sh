#!/bin/bash
# A cluster of 35,000 services x 10: from the agent's start to the whole list read
# and to the kernel being as wanted, core's memory, bytes over the wire, and a restart
# that goes on from the revision it had. To be run under tests/lib/with-cluster.
#
#   SERVICES=N MEMBERS=N
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

services=${SERVICES:-35000} members=${MEMBERS:-10}
need_agent
cluster_fresh
topology_up scale
agent_configure_cluster "" 'audit: 30'
cluster fill --direct --services "$services" --endpoints "$members" --first-port 30000

has_list() { status '.sources[0].complete' | found -x true; }
peak() { awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$(agent_process "$1")/status"; }
resident() { awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$(agent_process "$1")/status"; }
# As the director's side of the proxy counts them: bodies, compressed as they came.
bytes() { awk '$2 == "end" { n += $5 } END { printf "%.1f", n / 1e6 }' "$run/proxy.log"; }

proxy_start
began=$EPOCHREALTIME
agent_start
wait_for 600 has_list
echo "list of $services x $members complete after $(since "$began" "$EPOCHREALTIME") s"
ctl wait --synced --timeout 900
echo "in agreement with the kernel after $(since "$began" "$EPOCHREALTIME") s"
wait_for 60 is_watched
for role in core healthcheck ipvs; do
	echo "$role at most $(peak $role) MiB, then $(resident $role) MiB"
done
mark=$(log_mark)
agent_stop # which ends the watches, so that they are counted
echo "over the wire: $(bytes) MB, lists: $(lists 0)"
began=$EPOCHREALTIME
agent_start
ctl wait --synced --timeout 900
echo "restarted: in agreement after $(since "$began" "$EPOCHREALTIME") s"
wait_for 60 is_watched
echo "restarted: lists asked for: $(lists "$mark"), core at most $(peak core) MiB"
