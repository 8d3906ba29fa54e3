#!/bin/bash
# /metrics of the sample snapshot, as Prometheus' own reader finds it, and as the man page has it.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

fixture_start api_fixture

check "/metrics answers" curl -sSf --unix-socket "$tmp/api.sock" -o "$tmp/text" http://localhost/metrics

# Debian's package prometheus has it; nothing of ours needs the rest of that.
if command -v promtool >/dev/null; then
	promtool check metrics <"$tmp/text" >"$tmp/said" 2>&1
	result $? "promtool has nothing to say against it" "$tmp/said"
else
	skip "promtool has nothing to say against it" "no promtool (package prometheus)"
fi

# Those of single pools are off in the fixture.
{
	sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$tmp/text"
	echo parasaus_pool_health
	echo parasaus_pool_members
} | sort >"$tmp/code"
grep -o '^\.It Li parasaus_[a-z_]*' man/parasaus-rest.7 | cut -d' ' -f3 | sort >"$tmp/man"
diff "$tmp/code" "$tmp/man" >"$tmp/diff"
result $? "every metric is in parasaus-rest(7), and back" "$tmp/diff"

fixture_end

tap_done
