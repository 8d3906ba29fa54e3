#!/bin/bash
# parasausctl token over a server that makes, lists and deletes tokens as the agent does, against
# tests/golden/token/*.txt; and that what it prints is what lets one in.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/token
fixture_start token_fixture "$tmp/tokens"

mask() { # the token itself
	sed -E 's/pst_[A-Za-z0-9_-]{43}/TOKEN/'
}

golden list-none token list
golden create token create alice
golden create-viewer token create bob.2 --role viewer
golden create-json token create carl -o json
golden create-again token create alice
golden list token list
golden list-json token list -o json
golden list-name token list -o name
golden delete token delete alice
golden delete-again token delete alice
golden list-after token list

token=$("$build/parasausctl" -s "$socket" token create dora)
status() { # TOKEN
	curl -sS -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$socket" \
		-H "Authorization: Bearer $1" http://localhost/api/v1/whoami
}
equal "what is printed is a token" 200 "$(status "$token")"
equal "and another is none" 401 "$(status "${token%?}_")"

fixture_end

tap_done
