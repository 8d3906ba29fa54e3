#!/bin/bash
# parasausctl backup over the whole of core, against tests/golden/backup/*.txt; and that what is
# printed is where the copy is.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/backup
fixture_start core_fixture

mask() {
	sed -E -e "s|$(dirname "$socket")|DIRECTORY|g" -e 's/[0-9]{8}T[0-9]{6}Z/STAMP/g' \
		-e 's/[0-9-]{10}T[0-9:.]+Z/TIME/g' -e 's/"bytes":[0-9]+/"bytes":N/g' \
		-e 's/ [0-9]{5,} / N /g' -e 's/unix:[^ ]*/unix:USER/' -e 's/ +/ /g'
}
# Whether the example's Service is there.
service() {
	curl -sS -m 10 -o /dev/null -w '%{http_code}' --unix-socket "$socket" \
		http://localhost/api/v1/namespaces/parasaus/services/snake-demo-svc4
}

golden list-none backup list
check "something to keep" "$build/parasausctl" -s "$socket" apply -f deploy/example.yaml
golden create backup create before
golden create-again backup create before
golden create-json backup create other -o json
check "and to lose" "$build/parasausctl" -s "$socket" delete service parasaus/snake-demo-svc4
equal "it is gone" 404 "$(service)"
golden restore backup restore before --yes --reason 'a bad day'
equal "it is back" 200 "$(service)"
golden history history service parasaus/snake-demo-svc4
golden list backup list
golden delete backup delete before
golden delete-again backup delete before
golden restore-none backup restore before -y

path=$("$build/parasausctl" -s "$socket" backup create)
check "what is printed is where the copy is" test -s "$path"

fixture_end

tap_done
