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

build=${PARASAUS_BUILD:-$PWD/build/release}
golden=$PWD/tests/golden/token
tmp=$(mktemp -d)
socket=$tmp/api.sock
mkfifo "$tmp/stdin" "$tmp/ready"
"$build/tools/token_fixture" "$socket" "$tmp/tokens" <"$tmp/stdin" >"$tmp/ready" &
fixture=$!
exec 8>"$tmp/stdin"
trap 'rm -rf "$tmp"' EXIT
read -r _ <"$tmp/ready"

# What the command prints, on either output, and its exit code; the token itself is masked.
golden() { # NAME ARGUMENT...
	local name=$1
	shift
	{
		echo "\$ parasausctl $*"
		"$build/parasausctl" -s "$socket" "$@" 2>&1 </dev/null
		echo "exit code $?"
	} | sed -E 's/pst_[A-Za-z0-9_-]{43}/TOKEN/' >"$tmp/got"
	[ -n "${GOLDEN_UPDATE:-}" ] && cp "$tmp/got" "$golden/$name.txt"
	diff -u "$golden/$name.txt" "$tmp/got" >"$tmp/diff" 2>&1
	result $? "$name" "$tmp/diff"
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

exec 8>&- # the end of its input ends the server
wait "$fixture"
result $? "the server ends well"

tap_done
