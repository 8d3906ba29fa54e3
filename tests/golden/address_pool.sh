#!/bin/bash
# parasausctl get address-pools NAME as JSON, which is the document that can be edited, over the whole
# of core against tests/golden/address_pool/*.txt; as a table it is in ctl.sh.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/address_pool
fixture_start core_fixture
mask() { sed -E 's/"requestId":"[^"]*"/"requestId":"ID"/g'; }

golden list get address-pools
name=$("$build/parasausctl" -s "$socket" get address-pools | awk 'NR == 2 { print $1 }')
golden table get address-pools "$name"
golden json get address-pool "$name" -o json
golden unknown get address-pools nobodys -o json

fixture_end
tap_done
