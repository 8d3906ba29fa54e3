# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Test results as TAP, for tests/run. To be sourced.

tap_count=0
tap_failures=0

# Its arguments, or what it reads, as comments.
note() {
	if (($# > 0)); then
		printf '# %s\n' "$*"
	else
		sed 's/^/# /'
	fi
}

# result RC DESCRIPTION [FILE]: what FILE says is shown if it failed.
result() {
	tap_count=$((tap_count + 1))
	if (($1 == 0)); then
		echo "ok $tap_count - $2"
	else
		tap_failures=$((tap_failures + 1))
		echo "not ok $tap_count - $2"
		[ -z "${3:-}" ] || note <"$3"
	fi
}

# check DESCRIPTION CMD...: passes if CMD succeeds; what it says is shown if it fails.
check() {
	local description=$1 said rc=0
	shift
	said=$("$@" 2>&1) || rc=$?
	result "$rc" "$description"
	((rc == 0)) || note <<<"$*: ${said:-exit code $rc}"
}

# equal DESCRIPTION WANTED GOT
equal() {
	local rc=0
	[ "$2" = "$3" ] || rc=1
	result "$rc" "$1"
	((rc == 0)) || note "wanted: $2, got: $3"
}

# at_most DESCRIPTION LIMIT GOT: numbers, fractions too; the figure is part of the result.
at_most() {
	local rc=0
	awk -v l="$2" -v g="$3" 'BEGIN { exit !(g != "" && g + 0 <= l + 0) }' || rc=1
	result "$rc" "$1: ${3:-nothing} of at most $2"
}

# at_least DESCRIPTION LIMIT GOT
at_least() {
	local rc=0
	awk -v l="$2" -v g="$3" 'BEGIN { exit !(g != "" && g + 0 >= l + 0) }' || rc=1
	result "$rc" "$1: ${3:-nothing} of at least $2"
}

# skip DESCRIPTION REASON
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

skip_all() {
	echo "$*"
	exit 77
}

# The last line of a test.
tap_done() {
	echo "1..$tap_count"
	((tap_failures == 0))
}
