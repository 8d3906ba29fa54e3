#!/bin/bash
# tests/rest/kill on a kernel with IPVS: what is in its table at last is what the store says.
set -euo pipefail
modprobe ip_vs # else there is no table to look at before the agent starts
export KILLS=${KILLS:-20} WRITES=${WRITES:-1000}
exec "$(dirname "$0")/../rest/kill"
