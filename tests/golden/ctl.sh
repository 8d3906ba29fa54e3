#!/bin/bash
# parasausctl over the sample snapshot: every help text, table and explanation, its errors and exit
# codes, against tests/golden/ctl/*.txt; and its options, the REST paths, fields and error codes
# against the man pages, both ways.
#
#   PARASAUS_BUILD=DIR  where the programs are (build/release)
#   GOLDEN_UPDATE=1     write the texts anew instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=../lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=../lib/fixture.bash
. tests/lib/fixture.bash

golden=$PWD/tests/golden/ctl
fixture_start api_fixture

mask() {
	sed -e "s|$socket|SOCKET|g; s|[^ ]*/parasausd |parasausd |g; s|^unix:[^,]*|unix:USER|" \
		-e 's/"\(startedAt\|since\|removeAt\|heardAt\|at\)":"[^"]*"/"\1":"TIME"/g'
}

golden help help
for command in get describe explain stats wait lint apply diff edit delete history rollback \
	drain undrain weight doctor cleanup whoami token backup completion version help; do
	golden "help-$command" "$command" --help
done

for list in pools members targets problems; do
	golden "get-$list" get "$list"
	golden "get-$list-wide" get "$list" -o wide
	golden "get-$list-json" get "$list" -o json
done
golden get-status get status
golden get-status-json get status -o json
golden get-pools-by-name get pools shop/web default.dns.dns-udp
golden get-pools-json-by-name get pools team.empty.80-tcp -o json
golden get-pools-down get pools --health down
golden get-pools-query get pools -q :40796
golden whoami whoami
golden error-whoami whoami me
golden get-events-none get events
golden get-pools-ndjson get pools -n shop -o ndjson
golden get-pools-name get pools -o name
golden get-members-name get members -n shop -o name
golden error-name get problems -o name
golden error-diff diff
golden error-edit edit service
golden error-edit-secret edit secret a/b
golden error-completion completion fish
golden get-pools-sorted get pools --sort-by health,-problemCount
golden get-members-sorted get members --sort-by=-address,state -n shop
golden error-sort get pools --sort-by colour
golden error-watch get members --watch
golden error-watch-health get pools -w --health down
golden get-pools-none get pools -n nowhere
golden get-pools-json-none get pools -n nowhere -o json
golden get-members-by-name get members shop.web.https-tcp
golden get-members-down get members shop.web.http-tcp --state down
golden get-members-none get members team.empty.80-tcp
golden get-targets-by-name get targets 10.100.1.77:30253
golden get-address-pools get address-pools
golden get-address-pools-json get address-pools -o json
golden get-nodes get nodes
golden get-nodes-json get nodes -o json
golden error-nodes get nodes me
golden get-ipvs get ipvs
golden get-ipvs-wide get ipvs -o wide
golden get-ipvs-json get ipvs -o json
golden get-ipvs-by-name get ipvs :40080
golden error-ipvs-namespace get ipvs -n shop
golden get-address-pool get address-pools six
golden error-address-pool get address-pools sixth
golden error-address-pools get address-pools main six
golden get-problems-by-name get problems shop.web.https-tcp

for pool in db/orders default/dns parasaus/snake-demo-svc4 shop.web.http-tcp shop.web.https-tcp team/empty; do
	golden "describe-${pool//\//.}" describe pool "$pool"
	golden "explain-${pool//\//.}" explain "$pool"
done

golden describe-json describe pool team/empty -o json

golden wait wait --synced --timeout 5
golden wait-generation wait --generation 7 --timeout 5
golden wait-in-vain wait --generation 8 --timeout 0

golden lint-origin lint -f deploy/example-origin.yaml
golden lint-origin-corrected lint -f deploy/example-origin.yaml --corrected
golden lint-good lint -f deploy/example.yaml
golden lint-bad lint -f tests/golden/ctl/lint-bad.yaml
golden lint-no-file lint -f /nonexistent/x.yaml
golden error-lint-nothing lint

golden error-apply-nothing apply
golden error-apply-nowhere apply -f deploy/example.yaml
golden error-delete-kind delete gadgets web
golden error-rollback-to rollback services shop/web
golden error-drain-service drain web 10.1.0.1
golden error-drain-all-pools drain --all-pools web 10.1.0.1
golden error-drain-all-pools-member drain --all-pools web
golden error-drain-all-pools-nobody drain --all-pools 192.0.2.77

golden error-token token
golden error-token-no-name token create
golden error-token-bad-name token create 'a b'
golden error-token-names token list alice
golden error-token-role token create alice --role king
golden error-token-role-of token delete alice --role editor

golden error-backup backup
golden error-backup-what backup make
golden error-backup-no-name backup restore
golden error-backup-bad-name backup create 'a b'
golden error-backup-names backup list a
golden error-backup-reason backup create a --reason why
golden error-backup-unasked backup restore a

golden error-no-command
golden error-command gte
golden error-option get pools --colour
golden error-not-its-option get pools --synced
golden error-no-value get pools --health
golden error-output get pools -o yaml
golden error-list get things
golden get-pools-short get po -n shop
golden get-address-pools-short get AddressPool
golden error-no-pool get pools no.such.pool-tcp
golden error-no-service get pools no/such
golden error-filter get pools --health poorly
golden error-ambiguous explain shop/web
golden error-operands describe pool
golden error-unreachable -s /nonexistent/api.sock get pools
golden error-doctor doctor web
golden error-cleanup-without-config cleanup
golden error-cleanup-unasked cleanup -c "/nonexistent/parasaus.yaml"

# --- the man pages ------------------------------------------------------------------

both() { # NAME: are $tmp/code and $tmp/man the same sets?
	diff <(sort -u "$tmp/code") <(sort -u "$tmp/man") >"$tmp/diff"
	result $? "$1" "$tmp/diff"
}

"$build/parasausctl" help | awk '/^Commands:/ { on = 1; next } !NF { on = 0 } on { print $1 }' \
	>"$tmp/commands"
{
	"$build/parasausctl" help
	while read -r command; do
		"$build/parasausctl" "$command" --help
	done <"$tmp/commands"
} | grep -oE -- '^ +(-., )?--[a-z-]+' >"$tmp/options"
grep -oE -- '--[a-z-]+' "$tmp/options" >"$tmp/code"
awk '/^\.Sh OPTIONS/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It/' man/parasausctl.8 |
	grep -oE -- 'Fl \\-[a-z-]+' | sed 's/Fl \\-/--/' >"$tmp/man"
both "every option of parasausctl is in its man page, and back"

# By its long name, or its short one: what the synopsis leaves out.
sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' man/parasausctl.8 >"$tmp/synopsis"
sed -E 's/^ +(-(.), )?--([a-z-]+)/\3 \2/' "$tmp/options" | sort -u |
	while read -r long short; do
		grep -qE -- "Fl (\\\\-$long${short:+|$short})( |\$)" "$tmp/synopsis" || echo "$long"
	done >"$tmp/left-out"
equal "every option but --help is in the synopsis" help "$(cat "$tmp/left-out")"

cp "$tmp/commands" "$tmp/code"
awk '/^\.Sh DESCRIPTION/ { on = 1; next } /^\.Sh/ { on = 0 } on && /^\.It Cm/ { print $3 }' \
	man/parasausctl.8 >"$tmp/man"
both "every command of parasausctl is in its man page, and back"

sed -n 's|^#define REST_[A-Z_]*[ \t]*"\(/.*\)"$|\1|p' agent/api/schema.h | grep -v '\.sock$' \
	>"$tmp/code"
sed -n 's|^\.It Pa \(/.*\)$|\1|p' man/parasaus-rest.7 >"$tmp/man"
both "every REST path is in parasaus-rest(7), and back"

sed -n 's/^.*= { [0-9]*, "\([a-z-]*\)",.*$/\1/p' agent/api/problem.c >"$tmp/code"
sed -n 's/^\.It \([a-z-]*\) Ta [0-9]* Ta .*$/\1/p' man/parasaus-rest.7 >"$tmp/man"
both "every error code is in parasaus-rest(7), and back"

# A name may be a word of running text (the members of "processes"), so this way alone.
sed -n 's|^#define REST_[A-Z_]*[ \t]*"\([A-Za-z-]*\)".*$|\1|p' agent/api/schema.h >"$tmp/code"
while read -r name; do
	grep -qE "(^|[ (,])$name([ ,.]|\$)" man/parasaus-rest.7 || echo "$name"
done <"$tmp/code" >"$tmp/missing"
! [ -s "$tmp/missing" ]
result $? "every name of the REST interface is in parasaus-rest(7)" "$tmp/missing"

mandoc -Tlint man/parasausctl.8 man/parasaus-rest.7 2>&1 |
	grep -v 'referenced manual not found\|mandoc.db' >"$tmp/lint"
! [ -s "$tmp/lint" ]
result $? "the man pages are clean to mandoc -Tlint" "$tmp/lint"

# --- what changes is shown, as it changes --------------------------------------------

# Waits until the line that matches came out of the command, and keeps all of them.
until_line() { # PATTERN
	local line
	while read -r line <&7; do
		echo "$line" >>"$tmp/watched"
		# shellcheck disable=SC2254 # a pattern is what it is
		case $line in $1) return 0 ;; esac
	done
	return 1
}

mkfifo "$tmp/watch"
"$build/parasausctl" -s "$socket" get pools --watch >"$tmp/watch" 2>&1 8>&- &
watch=$!
exec 7<"$tmp/watch"
until_line 'team.empty*' && printf d >&8 &&
	until_line 'parasaus.* down *' && printf u >&8 &&
	until_line 'parasaus.* degraded *' && printf x >&8 &&
	until_line 'default.* deleted *'
result $? "a watch shows what changes"
golden get-events-json get events -o json
golden get-events-by-name get events no.such.pool-tcp
exec 8>&- # the end of its input ends the server, and that the watch
until_line 'parasausctl: *'
wait "$watch"
echo "exit code $?" >>"$tmp/watched"
golden_is get-pools-watch "$tmp/watched"

fixture_end

tap_done
