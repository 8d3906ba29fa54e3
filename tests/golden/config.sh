#!/bin/bash
# `parasausd -n` on every tests/golden/config/*.yaml: what it prints is in NAME.out, or what it
# says of a file that is not good in NAME.err. What was printed is a configuration that prints the
# same; the shipped example is good; every key that is printed is in parasaus.yaml(5).
#
#   PARASAUS_BUILD=DIR  where parasausd is (build/release)
#   GOLDEN_UPDATE=1     write the .out and .err files anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh

parasausd=${PARASAUS_BUILD:-$PWD/build/release}/parasausd
man=$PWD/man/parasaus.yaml.5
example=$PWD/deploy/parasaus.yaml
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# This machine's name and users are not the same everywhere.
print() { # FILE
	"$parasausd" -n -c "$1" >"$tmp/out" 2>"$tmp/err"
	local rc=$?
	sed -i 's/^node: .*/node: HOST/; s/^user: .*/user: USER/' "$tmp/out"
	return $rc
}

cd tests/golden/config || exit 1
for file in *.yaml; do
	name=${file%.yaml}
	if print "$file"; then kind=out; else kind=err; fi
	if [ -n "${GOLDEN_UPDATE:-}" ]; then
		rm -f "$name.out" "$name.err"
		cp "$tmp/$kind" "$name.$kind"
		continue
	fi
	diff -u "$name.$kind" "$tmp/$kind" >"$tmp/diff" 2>&1
	result $? "-n of $file" "$tmp/diff"
	[ $kind = err ] && continue

	"$parasausd" -n -c "$file" >"$tmp/once.yaml" 2>&1
	"$parasausd" -n -c "$tmp/once.yaml" >"$tmp/twice.yaml" 2>&1
	diff -u "$tmp/once.yaml" "$tmp/twice.yaml" >"$tmp/diff"
	result $? "$file as printed prints the same" "$tmp/diff"
done
[ -n "${GOLDEN_UPDATE:-}" ] && exit 0

print "$example"
result $? "the shipped example is good" "$tmp/err"

print every-key.yaml
sed -n 's/^[- ]*\([a-zA-Z]*\):.*/\1/p' "$tmp/out" | sort -u >"$tmp/keys"
while read -r key; do
	grep -q "^\.It Cm $key :" "$man" || echo "$key"
done <"$tmp/keys" >"$tmp/missing"
result "$(wc -l <"$tmp/missing")" "every key is in parasaus.yaml(5)" "$tmp/missing"

sed -n 's/^\.It Cm \([a-zA-Z]*\) :.*/\1/p' "$man" | sort -u >"$tmp/known"
comm -13 "$tmp/keys" "$tmp/known" >"$tmp/extra"
result "$(wc -l <"$tmp/extra")" "every key in parasaus.yaml(5) is one" "$tmp/extra"
tap_done
