#!/bin/bash
# The page over 35,000 pools of 10 members: over a fixture, natively, and over
# the agent with all of them in the kernel of a guest (POOLS=N for fewer).
set -euo pipefail
here=$(realpath "$(dirname "$0")")
export PAGE_PLACE=$here/../../build/page

"$here/../page/install"
for test in large_test kernel_large; do
	echo "$test:"
	"$here/../page/$test.mjs" | grep -E '^(not ok|#)' | sed 's/^# //'
done
