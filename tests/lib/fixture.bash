# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A server of tests/lib/tools on a socket of its own, and what parasausctl says to it. To be sourced
# after tap.sh.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts of golden() anew instead

# shellcheck source=wait.sh
. "$(dirname "${BASH_SOURCE[0]}")/wait.sh"

build=${PARASAUS_BUILD:-$PWD/build/release}
tmp=$(mktemp -d)
socket=$tmp/api.sock
trap 'rm -rf "$tmp"' EXIT

# fixture_start PROGRAM [ARGUMENT...]: what is written to descriptor 8 is its input. One with a
# socket of its own says so: "ready PORT SOCKET".
fixture_start() {
	mkfifo "$tmp/stdin" "$tmp/ready"
	"$build/tools/$1" "$socket" "${@:2}" <"$tmp/stdin" >"$tmp/ready" &
	fixture=$!
	exec 8>"$tmp/stdin"
	local own
	read -r _ _ own <"$tmp/ready"
	socket=${own:-$socket}
}

fixture_end() {
	exec 8>&- # the end of its input ends the server
	wait "$fixture"
	result $? "the server ends well"
}

# golden NAME ARGUMENT...: what parasausctl prints, on either output, and its exit code, as it is in
# $golden/NAME.txt; mask() of the caller takes out what differs by run.
golden() {
	local name=$1
	shift
	{
		echo "\$ parasausctl $*"
		"$build/parasausctl" -s "$socket" "$@" 2>&1 </dev/null
		echo "exit code $?"
	} | mask >"$tmp/got"
	golden_is "$name" "$tmp/got"
}

# golden_is NAME FILE
golden_is() {
	# shellcheck disable=SC2154 # the caller's
	[ -n "${GOLDEN_UPDATE:-}" ] && cp "$2" "$golden/$1.txt"
	diff -u "$golden/$1.txt" "$2" >"$tmp/diff" 2>&1
	result $? "$1" "$tmp/diff"
}
