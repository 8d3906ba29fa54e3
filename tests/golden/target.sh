#!/bin/bash
# parasausctl describe target over the whole of core, whose prober finds what it is told to, against
# tests/golden/target/*.txt.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/target
fixture_start core_fixture

mask() {
	sed -E 's/ for [0-9]+s/ for Ns/; s/^ *[0-9]+s  /  Ns  /; s/"requestId":"[^"]*"/"requestId":"ID"/g' |
		sed -E 's/"(since|beganAt|dueAt|at)":"[^"]*"/"\1":"TIME"/g; s/within a second|is due/SOON/; s/another [0-9a-z ]*,/another N,/'
}
# make_pool NAME TYPE PORT
make_pool() {
	curl -sS -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$socket" \
		-H 'Content-Type: application/json' http://localhost/api/v1/pools -d '{
		"name": "'"$1"'", "portName": "x", "settings": {"health-check-type": "'"$2"'", "health-check-port": "'"$3"'"},
		"members": [{"address": "10.1.0.1", "port": 80}, {"address": "10.1.0.1", "port": 81}]}'
}
equal "a pool" 201 "$(make_pool web http 80)"
equal "another one of the same servers" 201 "$(make_pool api http 80)"
equal "and one with another check" 201 "$(make_pool raw tcp 80)"
ctl() { "$build/parasausctl" -s "$socket" "$@"; }
are() { # STATE: all targets?
	[ "$(ctl get targets --state "$1" -o name 2>/dev/null | wc -l)" = 2 ]
}
listed() { [ "$(ctl get targets -o name | wc -l)" = 2 ]; }
check "they are in the lists" wait_for 10 listed

printf d >&8
check "they go down" wait_for 10 are down
id=$(ctl get targets -o ndjson | sed -n 's/^{"id":"\([0-9a-f]*\)".*"type":"http".*/\1/p')
golden down describe target "$id"
printf f >&8
flapped() { ctl describe target "$id" | grep -q '^Flaps'; }
check "they flap" wait_for 10 flapped
golden flapped describe target "$id"
golden ambiguous describe target 10.1.0.1:80
printf u >&8
check "they come up" wait_for 10 are up
golden up describe target "$id"
golden json describe targets "$id" -o json
golden unknown describe target 10.1.0.9:80
golden gone describe target 00000000000000aa
golden misused describe target
golden kind describe gadget x

fixture_end

tap_done
