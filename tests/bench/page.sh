#!/bin/bash
# The page over 35,000 pools of 10 members: over a fixture, natively, task by
# task (RUNS=N of each; COMPARE=DIR: in turn with the page of another build),
# and over the agent with all of them in the kernel of a guest (POOLS=N for fewer).
set -euo pipefail
here=$(realpath "$(dirname "$0")")
export PAGE_PLACE=$here/../../build/page
export RUNS=${RUNS:-9}

"$here/../page/install"
for test in large_test tasks_test kernel_large; do
	echo "$test:"
	"$here/../page/$test.mjs" | grep -E '^(not ok|#)' | sed 's/^# //'
done
