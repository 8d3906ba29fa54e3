#!/bin/bash
# The agent with no more privileges than deploy/ gives it: as the unit of systemd
# (a user, with one capability), which is also told when it is ready, and as the
# container of the DaemonSet (root, with few).
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up confined
server_add s1 10.100.1.11
server_start s1 10.100.1.11:8080
agent_configure "$quick_checks" "user: nobody"
service web 30080 'health-check-type: http' 'health-check-path: /' <<<'10.100.1.11 8080' | place web.yaml
chmod 755 "$run" "$run/pools"

# Where a user may look: a build directory may be in somebody's home.
install -d -m 0755 "$run/bin"
install -m 0755 "$build"/parasausd "$build"/parasausd-* "$run/bin"

# confined OPTION...: the agent in the director, by setpriv with those options.
confined() {
	background director "$run/agent.out" env NOTIFY_SOCKET="$run/notify" WATCHDOG_USEC=3000000 \
		setpriv "$@" "$run/bin/parasausd" -c "$run/parasaus.yaml"
	agent=$background
}
capabilities() { awk '/^CapPrm/ { print $2 }' "/proc/$1/status"; }
serves() { in_box client curl -sS -m 2 "http://$vip:30080/"; }
told() { grep -q " $1" "$run/notified"; }
count_told() { grep -c " $1" "$run/notified" || true; }
told_again() { [ "$(count_told "$1")" -gt "$2" ]; }

background director "$run/notified" "$tools/notified" "$run/notify"
wait_for 10 grep -q listening "$run/notified"

# What systemd makes for it.
install -d -m 0700 -o nobody -g nogroup "$run/state"
install -d -m 0755 -o nobody -g nogroup "$run/api"
sed -i "s,socket: .*,socket: $run/api/api.sock," "$run/parasaus.yaml"
ln -s api/api.sock "$run/api.sock"
confined --reuid nobody --regid nogroup --clear-groups --inh-caps -all,+net_admin \
	--ambient-caps -all,+net_admin --bounding-set -all,+net_admin --no-new-privs
check "as a user with NET_ADMIN it gets in agreement with the kernel" agent_synced
check "and serves" wait_for 10 serves
check "the supervisor is told that it is ready" told READY=1
check "and how it is" wait_for 5 told 'STATUS=1 pools, 1 members; the kernel is as wanted'
fed=$(count_told WATCHDOG=1)
check "and is kept from waiting in vain" wait_for 5 told_again WATCHDOG=1 "$((fed + 1))"
for role in core healthcheck; do
	equal "$role has no capability left" 0000000000000000 "$(capabilities "$(agent_process "$role")")"
done
equal "ipvs has NET_ADMIN" 0000000000001000 "$(capabilities "$(agent_process ipvs)")"
ready=$(count_told READY=1)
pid=$(agent_process core)
kill -KILL "$pid"
check "a core that was started again says so" wait_for 10 told_again READY=1 "$ready"
end_of "$agent"

# The second start finds its directory in the hands of its user, and cannot override that.
rm "$run/api.sock"
install -d -m 0755 -o root -g root "$run/api"
chown root:root "$run/api"
ln -s api/api.sock "$run/api.sock"
rm -f "$run/api/api.sock"
few=+net_admin,+net_raw,+setuid,+setgid,+setpcap,+kill
for time in first second; do
	confined --bounding-set "-all,$few" --inh-caps -all --no-new-privs
	check "with a container's capabilities it gets in agreement, the $time time" agent_synced
	check "and serves" wait_for 10 serves
	equal "its core is nobody" "$(id -u nobody)" \
		"$(awk '/^Uid/ { print $2 }' "/proc/$(agent_process core)/status")"
	end_of "$agent"
done
tap_done
