#!/bin/bash
# tests/rest/fields on a kernel with IPVS: whatever can be written is in `ipvsadm -Sn`.
set -euo pipefail
exec "$(dirname "$0")/../rest/fields"
