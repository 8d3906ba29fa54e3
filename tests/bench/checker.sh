#!/bin/bash
# The healthcheck process at 350,000 targets, and beside haproxy (hc_scale.c); core with as many
# (core_turns.c). Natively.
#   SECONDS_MANY (300), ROUNDS (3), SECONDS_BESIDE (15)
set -euo pipefail
build=${PARASAUS_BUILD:-build/release}

"$build/bench/hc_scale" many 350000 "${SECONDS_MANY:-300}" 10000
"$build/bench/core_turns" 35000 10 20
"$build/bench/hc_scale" beside "${ROUNDS:-3}" "${SECONDS_BESIDE:-15}"
