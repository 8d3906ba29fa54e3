#!/bin/bash
# What the system call filter of each role allows, call by call, against
# tests/golden/filters/*.txt: whoever widens one changes a line there.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh

build=${PARASAUS_BUILD:-$PWD/build/release}
golden=tests/golden/filters
[ "$(uname -m)" = x86_64 ] || skip_all "the lists are those of x86_64"

# filter NAME OF
filter() {
	if [ -n "${GOLDEN_UPDATE:-}" ]; then
		"$build/tools/filters" "$1" >"$golden/$1.txt"
	fi
	check "$2 may do what $golden/$1.txt says" \
		diff -u "$golden/$1.txt" <("$build/tools/filters" "$1" 2>&1)
}
filter helper "healthcheck"
filter server "http"
filter netlink "ipvs"
filter core "core"

may() { grep -qE "$2" "$golden/$1.txt"; }
may_not() { ! may "$@"; }
for of in helper server netlink; do
	check "$of runs no program, becomes nobody else, looks into no process" may_not $of \
		'^(execve|execveat|fork|vfork|clone|clone3|setuid|setresuid|setgid|capset|ptrace|process_vm_|kill$|pidfd_)'
	check "$of loads no code that can be written" may_not $of 'PROT_WRITE \| PROT_EXEC'
done
for of in helper server; do
	check "$of opens no file" may_not $of '^(open|openat|openat2|creat|memfd_create|name_to_handle_at|open_by_handle_at)$'
	check "$of has neither netlink nor packet sockets" may_not $of 'AF_(NETLINK|PACKET|UNIX)|SOCK_RAW'
done
check "http opens no socket at all" may_not server '^socket|^connect|^bind'
check "core runs no program" may core '^execve$'
tap_done
