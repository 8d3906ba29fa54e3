#!/bin/bash
# Each of the four processes killed 20 times under load: tests/kernel/e2e_kill.sh, long.
set -euo pipefail
here=$(dirname "$0")

export ROUNDS=${ROUNDS:-20} REQUESTS=${REQUESTS:-20000} PAUSE=${PAUSE:-50}
"$here/../kernel/e2e_kill.sh" | grep -E '^(not ok|# figure|# .* of at|ok .*(requests|kills))' | sed 's/^# figure //'
