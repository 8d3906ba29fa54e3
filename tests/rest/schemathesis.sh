#!/bin/bash
# schemathesis.sh [OPTION...]
#
# The REST interface against its own description (openapi.json), by schemathesis:
# what it thinks of is sent to an agent with a store, as the owner of a token, and
# no answer may be an error of ours, have a status or a shape that is not described,
# or take more than two seconds. OPTIONs are schemathesis's, such as -n 1000 --seed 7.
#
# It takes no kernel with IPVS: the agent is in a network of its own and has none.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
project=$(realpath "$here/../..")
: "${PARASAUS_BUILD:=$project/build/release}"
if [ -z "${REST_INSIDE:-}" ]; then
	REST_INSIDE=1 exec unshare --net "$0" "$@"
fi
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"

venv=$project/build/rest/venv
[ -x "$venv/bin/st" ] || skip_all "no schemathesis: tests/rest/install"
run=$(mktemp -d)
agent=0
end() {
	((agent == 0)) || kill "$agent" 2>/dev/null || true
	wait
	rm -rf "$run"
}
trap end EXIT

ip link set lo up
cat >"$run/parasaus.yaml" <<-END
	stateDirectory: $run/state
	vipRanges: [192.0.2.0/24]
	addressPools: [{name: main, addresses: [192.0.2.10], ports: 30000-34999}]
	api: {socket: $run/api.sock, listen: "127.0.0.1:8080"}
	user: root
END
"$PARASAUS_BUILD/parasausd" -c "$run/parasaus.yaml" >"$run/log" 2>&1 &
agent=$!
url=http://127.0.0.1:8080
ctl() { "$PARASAUS_BUILD/parasausctl" -s "$run/api.sock" "$@"; }
check "the agent serves" curl -sS --retry 50 --retry-delay 0 --retry-all-errors --retry-max-time 20 \
	-o "$run/whoami" $url/api/v1/whoami
token=$(ctl token create schemathesis --role editor)
core=$(ctl get status -o json | jq .processes.core.pid)
ctl apply -f "$project/deploy/example-origin.yaml" >/dev/null 2>&1 || true

rc=0
cd "$run" # where it keeps what it found
"$venv/bin/st" --config-file "$here/schemathesis.toml" run $url/openapi.json --url $url \
	-H "Authorization: Bearer $token" --exclude-path-regex '/(watch|readyz)$' \
	--max-response-time 2 --no-color --seed 1 -n 40 "$@" >"$run/said" 2>&1 || rc=$?
result $rc "no answer is one that openapi.json does not have" "$run/said"
note < <(sed -n '/^Test cases:/,$p' "$run/said")
check "the agent goes on" ctl get pools
equal "in the same process" "$core" "$(ctl get status -o json | jq .processes.core.pid)"
tap_done
