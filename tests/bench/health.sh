#!/bin/bash
# A server killed under load, five times: tests/kernel/e2e_health.sh, long.
set -euo pipefail
here=$(dirname "$0")

export ROUNDS=${ROUNDS:-5}
"$here/../kernel/e2e_health.sh" | grep -E '^(not ok|# figure)' | sed 's/^# figure //'
