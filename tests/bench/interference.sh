#!/bin/bash
# A hundred rounds of what other programs do to the table: tests/kernel/e2e_interference.sh, long.
# For the guest with IPVS.
set -euo pipefail
here=$(dirname "$0")

export ROUNDS=${ROUNDS:-100} POOLS=${POOLS:-200}
"$here/../kernel/e2e_interference.sh" | sed -n 's/^# figure //p; /^not ok/p; s/^# \(seed.*\)/\1/p'
