#!/bin/bash
# parasausctl stats over the whole of core, whose ipvs process counts by rote, against
# tests/golden/stats/*.txt.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/stats
fixture_start core_fixture

mask() {
	sed -E 's/"requestId":"[^"]*"/"requestId":"ID"/g; s/"at":"[^"]*"/"at":"TIME"/g'
}
# make_pool NAME SCHEDULER
make_pool() {
	curl -sS -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$socket" \
		-H 'Content-Type: application/json' http://localhost/api/v1/pools -d '{
		"name": "'"$1"'", "portName": "x", "settings": {"health-check-type": "none", "scheduler": "'"$2"'"},
		"members": [{"address": "10.1.0.1", "port": 80}, {"address": "10.1.0.2", "port": 8080, "weight": 3}]}'
}
equal "a pool" 201 "$(make_pool web wrr)"
equal "and one of mh" 201 "$(make_pool hashed mh)"
listed() { [ "$("$build/parasausctl" -s "$socket" get pools -o name | wc -l)" = 2 ]; }
check "they are in the lists" wait_for 10 listed

golden by-name stats default/web
golden by-id stats default.web.x-tcp
golden json stats default/web -o json
golden mh stats default/hashed
golden mh-json stats default/hashed -o json
golden none stats default/nobody
golden misused stats

fixture_end

tap_done
