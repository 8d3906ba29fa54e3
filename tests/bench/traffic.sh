#!/bin/bash
# A million requests while ten thousand changes hit other pools and members drain:
# tests/kernel/e2e_traffic.sh, long. For the guest with IPVS.
set -euo pipefail
here=$(dirname "$0")

export REQUESTS=${REQUESTS:-1000000} CHANGES=${CHANGES:-10000} DRAINS=${DRAINS:-500} PAUSE=${PAUSE:-30} LOAD=${LOAD:-0}
"$here/../kernel/e2e_traffic.sh" | sed -n 's/^# figure //p; /^not ok/p; /^# wanted/p'
