#!/bin/bash
# tests/rest/fields on a kernel with IPVS: whatever can be written is in `ipvsadm -Sn`.
set -euo pipefail
modprobe ip_vs # else there is no table to look at before the agent starts
exec "$(dirname "$0")/../rest/fields"
