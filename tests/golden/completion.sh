#!/bin/bash
# What the completion of parasausctl offers, in bash and (where there is one) zsh, over the sample.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

ctl=$build/parasausctl
fixture_start api_fixture

for shell in bash zsh; do
	"$ctl" completion "$shell" >"$tmp/$shell"
	result $? "a script for $shell is printed"
done
check "the script for bash is one" bash -n "$tmp/bash"
if command -v shellcheck >/dev/null; then
	check "and has no fault that a linter knows of" \
		shellcheck -s bash -e SC2207 "$tmp/bash" # words have no blanks here
else
	skip "and has no fault that a linter knows of" "no shellcheck"
fi

# offers DESCRIPTION WANTED WORD...: what stands for the last word, sorted, in the shell at hand
offers() {
	local description=$1 wanted=$2
	shift 2
	equal "$description ($shell)" "$wanted" "$("complete_in_$shell" "$@" | LC_ALL=C sort | paste -sd' ')"
}

complete_in_bash() { # WORD...
	bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _parasausctl
		printf "%s\n" "${COMPREPLY[@]}"' - "$tmp/bash" "$ctl" "$@"
}

# compgen of zsh gives all there is, and leaves it to the line editor which of them fit the word.
complete_in_zsh() { # WORD...
	zsh -fc 'autoload -U +X compinit && compinit -D; . "$1"; shift; emulate ksh
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _parasausctl
		for word in "${COMPREPLY[@]}"; do
			case $word in "${COMP_WORDS[COMP_CWORD]}"*) echo "$word" ;; esac
		done' - "$tmp/zsh" "$ctl" "$@"
}

for shell in bash zsh; do
	command -v "$shell" >/dev/null || { skip "words are completed ($shell)" "no $shell"; continue; }
	offers "a command" "describe" des
	offers "what it takes" "pools problems" get p
	offers "an option" "--server --socket --sort-by --state" get pools --s
	offers "no option of another command" "" describe --sort
	offers "a value" "table" get pools -o t
	offers "a value after its long name" "unmonitored up" get pools --health u
	offers "nothing for what is free" "" get pools -n ''
	offers "pools" "shop.web.http-tcp shop.web.https-tcp" -s "$tmp/api.sock" describe pool shop.
	offers "kinds that have a description" "pools targets" describe ''
	offers "targets" "ce488f8902b51c8f" -s "$tmp/api.sock" describe target ce
	offers "pools after others" "team.empty.80-tcp" get pools a -s "$tmp/api.sock" b t
	offers "a pool to be explained" "db.orders.mysql-tcp default.dns.dns-udp" --socket "$tmp/api.sock" explain d
	offers "a command to be helped with" "version" help v
	offers "what has documents" "endpoints endpointslices" delete e
	offers "and what can be edited" "address-pools endpoints endpointslices services" edit ''
	offers "a shell" "bash" completion b
	offers "what is done to tokens" "create delete list" token ''
	offers "no pool for the name of a token" "" -s "$tmp/api.sock" token delete s
	offers "what is done with backups" "create delete list restore" backup ''
	offers "a role" "editor viewer" token create alice --role ''
	offers "nothing without an agent" "" -s /nonexistent explain x
	# In zsh it takes the editor to know where in the line it is.
	[ "$shell" = zsh ] || offers "a file" "$tmp/bash" lint -f "$tmp/ba"
done

fixture_end

tap_done
