#!/bin/bash
# parasausctl drain, undrain and weight with --all-pools over the whole of core, against
# tests/golden/batch/*.txt.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/batch
fixture_start core_fixture

mask() {
	sed -E 's/"revision":[0-9]+/"revision":N/g; s/"requestId":"[^"]*"/"requestId":"ID"/g'
}
make_pool() { # NAME MEMBER
	curl -sS -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$socket" \
		-H 'Content-Type: application/json' http://localhost/api/v1/pools -d "{
		\"name\": \"$1\", \"portName\": \"x\", \"settings\": {\"health-check-type\": \"none\"},
		\"members\": [{\"address\": \"$2\", \"port\": 80}, {\"address\": \"10.1.0.7\", \"port\": 80}]}"
}
for name in a b c; do
	equal "a pool $name" 201 "$(make_pool $name 10.1.0.1)"
done
listed() { [ "$("$build/parasausctl" -s "$socket" get members -q member:10.1.0.7 -o name | wc -l)" = 3 ]; }
check "they are in the lists" wait_for 10 listed

golden drain-dry drain --all-pools 10.1.0.7 --dry-run
golden drain-unasked drain --all-pools 10.1.0.7
golden drain drain --all-pools 10.1.0.7 --yes --reason 'a new disk'
golden drain-again drain --all-pools 10.1.0.7:80 --yes
golden weight weight --all-pools 10.1.0.7 5 --yes
golden undrain undrain --all-pools 10.1.0.7 --yes
golden undrain-json undrain --all-pools 10.1.0.7 --yes -o json
golden nobody drain --all-pools 10.1.0.8 --yes

fixture_end

tap_done
