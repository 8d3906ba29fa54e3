#!/bin/bash
# The agent on a state directory that cannot be written, with all its processes: it starts, serves
# what is there, says why once, and refuses writes until it can be written again.
#
# The kernel's table has no part in it: it is one in memory (tools/agent_fixture).
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/wait.sh
. tests/lib/wait.sh

# What is mounted is seen here alone; in a chroot the root is no mount whose propagation can be said.
if [ -z "${READ_ONLY_INSIDE:-}" ]; then
	for how in private unchanged; do
		unshare --mount --propagation "$how" true 2>/dev/null || continue
		# shellcheck disable=SC2093 # the loop ends with it
		READ_ONLY_INSIDE=1 exec unshare --mount --propagation "$how" "$0" "$@"
	done
	skip "a state directory that cannot be written" "no mounts of its own here"
	tap_done
fi

build=${PARASAUS_BUILD:-$PWD/build/release}
run=$(mktemp -d /tmp/read-only.XXXXXX)
state=$run/state
socket=$run/api.sock
agent=
end() {
	[ -z "$agent" ] || kill "$agent" 2>/dev/null
	wait
	umount -l "$state"
	rm -rf "$run"
}
trap end EXIT
chmod 755 "$run"
mkdir "$state"
mount -t tmpfs -o size=16m state "$state"
cat >"$run/parasaus.yaml" <<-END
	node: lb-1
	user: nobody
	stateDirectory: $state
	vipRanges: [10.9.0.0/24]
	addressPools: [{name: p, addresses: [10.9.0.1], ports: 30000-30099}]
	sources: [{store: {}}]
	api: {socket: $socket}
END
start() {
	"$build/tools/agent_fixture" -c "$run/parasaus.yaml" >"$run/out" 2>&1 &
	agent=$!
}
stop() { # SIGNAL
	kill "-$1" "$agent"
	{ wait "$agent"; } 2>/dev/null # nobody has to be told that it was killed
	agent=
}
ask() { # METHOD PATH [BODY]: its answer in $run/answer
	curl -s -m 10 -o "$run/answer" -w '%{http_code}' --unix-socket "$socket" -X "$1" \
		-H 'Content-Type: application/json' ${3:+-d "$3"} "http://localhost$2"
}
is() { # STATUS METHOD PATH [BODY]
	[ "$(ask "${@:2}")" = "$1" ]
}
create() { ask POST /api/v1/pools "{\"name\": \"$1\", \"portName\": \"x\"}"; }
created() { [ "$(create "$1")" = 201 ]; }
lines() { grep -c "$1" "$run/out"; }
problem() { is 200 GET /api/v1/problems && grep -q "$1" "$run/answer"; }
no_problem() { is 200 GET /api/v1/problems && ! grep -q "$1" "$run/answer"; }

start
check "a pool is made while it can be written" wait_for 20 created a
stop KILL # nothing is put in order at the end
check "nothing of it is left" wait_for 20 mount -o remount,ro "$state"
start
check "started on what cannot be written it has the pool" wait_for 20 is 200 GET /api/v1/pools/default.a.x-tcp
equal "a write is refused" 503 "$(create b)"
check "with its code" grep -q '"code":"store-trouble"' "$run/answer"
check "and its reason" grep -qi 'read-only' "$run/answer"
check "it is told of the state directory" wait_for 10 problem "\"where\":\"stateDirectory $state\""
check "and of the store" wait_for 10 problem '"where":"store"'
equal "the state directory is in the log once" 1 "$(lines "state: .*Read-only file system")"
equal "core was not started again" 0 "$(lines 'core ended')"

mount -o remount,rw "$state"
check "once it can be written it is" wait_for 20 created b
check "and nothing is told any more" wait_for 20 no_problem '"where":"store"'
stop TERM

# Not even a directory is there.
umount "$state"
mount -t tmpfs -o size=1m,ro state "$state"
sed -i "s|^stateDirectory: .*|stateDirectory: $state/none|" "$run/parasaus.yaml"
start
check "without a directory it answers as well" wait_for 20 is 200 GET /api/v1/status
check "and tells why" wait_for 10 problem "\"where\":\"stateDirectory $state/none\""
equal "and refuses to write" 503 "$(create a)"
stop TERM

tap_done
