#!/bin/bash
# The programs of the agent: which libraries each may have, and what happens where one of them is
# missing, of another version, or replaced while the agent runs.
#
# The kernel's table has no part in it: it is one in memory (tools/agent_fixture).
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/wait.sh
. tests/lib/wait.sh

build=${PARASAUS_BUILD:-$PWD/build/release}
run=$(mktemp -d /tmp/programs.XXXXXX) # where its user comes in, too
bin=$run/bin
parts="parasausd-core parasausd-ipvs parasausd-healthcheck"
agent=
end() {
	[ -z "$agent" ] || kill "$agent" 2>/dev/null
	wait
	rm -rf "$run"
}
trap end EXIT
chmod 755 "$run"

# --- libraries -----------------------------------------------------------------------------

# Without the C library's own, and those of sanitizers.
libraries() { # PROGRAM
	readelf -d "$build/$1" | sed -n 's/.*(NEEDED).*\[\([^]]*\)\.so.*/\1/p' |
		grep -vE '^(lib(c|m|dl|pthread|rt|gcc_s|asan|ubsan|tsan|gcov)|ld-linux.*)$'
}
for program in parasausd parasausctl $parts; do
	allowed=$(sed -n "s/^$program: *//p" tests/libraries.allow)
	has=$(libraries "$program" | sort)
	check "$program has libraries" [ -n "$has" ]
	equal "$program has none but its own" '' "$(comm -13 <(tr ' ' '\n' <<<"$allowed" | sort) <(cat <<<"$has") | xargs)"
done

# --- programs that are not as they should be ---------------------------------------------------

cat >"$run/parasaus.yaml" <<-END
	node: lb-1
	user: nobody
	stateDirectory: $run/state
	vipRanges: [10.9.0.0/24]
	addressPools: [{name: p, addresses: [10.9.0.1], ports: 30000-30099}]
	sources: [{store: {}}]
	api: {socket: $run/api.sock}
END
# All of the fixture's, as files of their own.
place() {
	local part
	rm -rf "$bin"
	mkdir "$bin"
	cp "$build/tools/agent_fixture" "$bin/parasausd"
	for part in $parts; do
		cp "$build/tools/$part" "$bin/"
	done
	cp "$build/parasausctl" "$bin/"
}
says() { # TEXT COMMAND...
	local text=$1
	shift
	grep -qF -- "$text" <<<"$("$@" 2>&1)"
}
# ends STATUS COMMAND...: what it says is in $run/said
ends() {
	local rc=0
	timeout 20 "${@:2}" >"$run/said" 2>&1 || rc=$?
	[ "$rc" = "$1" ] || { cat "$run/said" && return 1; }
}
said() { grep -qF -- "$1" "$run/said"; }
start=("$bin/parasausd" -c "$run/parasaus.yaml")
read -r _ libexec <"$build/identity"

place
rm "$bin/parasausd-core"
if [ -e "$libexec/parasausd-core" ]; then
	skip "a program that is missing" "there is one in $libexec"
else
	check "without one of its programs it does not start" ends 1 "${start[@]}"
	check "it says which, and where it looked" said "parasausd-core, a part of the agent, is neither in $bin nor in $libexec"
	check "and what to do" said "install the package again, or by 'make install'"
	equal "and nothing else" 1 "$(wc -l <"$run/said")"
	check "nothing was made" [ ! -e "$run/state" ]
	check "nor does it what takes that program" ends 1 "${start[@]}" --first-token x
	check "and says why" said "parasausd-core, a part of the agent, is neither in"
fi
check "its configuration is checked all the same" ends 0 "${start[@]}" -n
touch "$bin/parasausd-core"
check "nor with one that cannot be run" ends 1 "${start[@]}"
check "which it names" said "$bin/parasausd-core, a part of the agent, cannot be run: Permission denied"

version=$("$build/parasausd" -V)
version=${version#parasausd }
other=${version//?/x} # as long, so that the program stays one
place
LC_ALL=C sed -i "s/${version//./\\.}/$other/g" "$bin/parasausd-core"
check "one of another version is refused" ends 1 "${start[@]}"
check "with both of them" said "this program is of version $other, and the parasausd that starts it of $version"
check "and it is not tried again" said "core cannot be started like that, as it says: stopping"

for part in $parts; do
	check "$part is not for people" ends 2 "$build/$part"
	check "and says so" said "$part is a part of parasausd, which starts it: run parasausd"
done
check "nor is what it starts them with" ends 2 "$build/parasausd" --role core --of "$version"
check "a role of another program is refused" ends 2 "$build/parasausd-ipvs" --role core --of "$version"

# --- what people ask for ends in the program that can do it --------------------------------------

place
check "the first token is made" ends 0 "${start[@]}" --first-token first
check "and printed" grep -qE '^pst_.{43}$' "$run/said"
check "doctor has its own errors" ends 2 "${start[@]}" --doctor=xml
check "which it says" said "--doctor takes json, or nothing"
rm -rf "$run/state"

# --- an agent that runs ----------------------------------------------------------------------------

mkdir "$run/elsewhere"
(cd "$run/elsewhere" && exec "${start[@]}") >"$run/out" 2>&1 &
agent=$!
process() { pgrep -P "$agent" -f "^parasausd: $1"; }
answers() { "$bin/parasausctl" -s "$run/api.sock" get status; }
another() { # ROLE THAN
	local now
	now=$(process "$1") && [ "$now" != "$2" ] && answers
}
field() { awk -v f="$1:" '$1 == f { print $2 }' "/proc/$2/status"; }
check "it starts" wait_for 20 answers
for role in core ipvs healthcheck; do
	equal "$role is of its own program" "$bin/parasausd-$role" "$(readlink "/proc/$(process $role)/exe")"
	equal "and called by its role" "$role" "$(cat "/proc/$(process $role)/comm")"
done
check "no role holds a program open" [ -z "$(find "/proc/$(process ipvs)/fd" "/proc/$(process core)/fd" -lname '*/parasausd*')" ]
# What sanitizers need is not the agent's.
if [ "${build##*/}" = release ]; then
	at_most "the parent's memory in KiB" 5120 "$(field VmRSS "$agent")"
	at_most "that of ipvs" 8192 "$(field VmRSS "$(process ipvs)")"
fi

# An upgrade takes the old files away; with these nothing could be started.
for part in parasausd $parts; do
	rm "$bin/$part"
	echo none of them >"$bin/$part"
done
for role in healthcheck ipvs core; do
	was=$(process $role)
	kill -KILL "$was"
	check "upgraded under it, $role is started again as it was when it died" wait_for 20 another $role "$was"
done
kill "$agent"
wait "$agent"
equal "and ends well" 0 $?
agent=
tap_done
