#!/bin/bash
# A third of all targets gone at once, and back (zone.c): 35,000 of them each 2 s, and 350,000 each
# 10 s. Natively.
#   GONE_S (30)
set -euo pipefail
build=${PARASAUS_BUILD:-build/release}

"$build/bench/zone" 3500 10 2 silent "${GONE_S:-30}"
"$build/bench/zone" 3500 10 2 refuse "${GONE_S:-30}"
"$build/bench/zone" 35000 10 10 silent "${GONE_S:-30}"
