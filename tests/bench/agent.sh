#!/bin/bash
# The long forms of `make check-agent`, natively, as root: 200 kills over 20,000
# writes, 10,000 idle connections beside 4,000 targets, random writers for a minute.
set -euo pipefail
rest=$(realpath "$(dirname "$0")")/../rest

export KILLS=${KILLS:-200} WRITES=${WRITES:-20000} IDLE=${IDLE:-10000} LATE_MS=${LATE_MS:-50} WINS=${WINS:-2000}
for test in kill raw writers fields; do
	echo "$test:"
	env SECONDS=60 "$rest/$test" | grep -E '^(ok|not ok|#)' | sed 's/^# //'
done
