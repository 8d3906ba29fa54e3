#!/bin/bash
# parasausctl diff and edit: a document of the agent's store is compared with a
# file, and changed in an editor. What is refused stays in the editor's file.
# shellcheck disable=SC2016 # what an editor's script expands is its own
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up edit
agent_configure "$quick_checks"
sed -i '/^sources:/d; /^- directory:/d' "$run/parasaus.yaml"
agent_start
check "it is synced" agent_synced
service web 30001 'health-check-type: none' <<<'10.100.1.11 80' >"$run/web.yaml"
has_service() { table | found -- "-A -t $vip:$1 "; }
has_no_service() { ! has_service "$1"; }
operations() { curl -sS -m 10 --unix-socket "$run/api.sock" http://localhost/api/v1/operations | jq -r "$1"; }

# exits CODE COMMAND...: what it says is in $run/said.
exits() {
	local rc=0
	"${@:2}" >"$run/said" 2>&1 || rc=$?
	((rc == $1)) || { note <"$run/said"; return 1; }
}
# editor SCRIPT: $EDITOR is then a program that runs it with the file as $1.
editor() {
	printf '#!/bin/sh\n%s\n' "$1" >"$run/editor"
	chmod +x "$run/editor"
	export EDITOR="$run/editor" VISUAL=
}
# The file that is named in what was said.
kept() { sed -n 's/^parasausctl: what you wrote is in //p' "$run/said"; }

# --- diff -------------------------------------------------------------------------------

check "what would be created is a difference" exits 3 ctl diff -f "$run/web.yaml"
check "which is told" grep -q '^Service test/web created (dry run)' "$run/said"
check "with what the kernel would be told" \
	grep -qx "kernel: new-server $vip:30001/tcp 10.100.1.11:80 weight 1" "$run/said"
check "and nothing happens" has_no_service 30001
ctl apply -f "$run/web.yaml" >/dev/null
check "applied, it is there" wait_for 10 has_service 30001
check "and there is no difference" exits 0 ctl diff -f "$run/web.yaml"
sed 's/nodePort: 30001/nodePort: 30002/' "$run/web.yaml" >"$run/other.yaml"
check "another port is one" exits 3 ctl diff -f "$run/other.yaml"
check "told as such" grep -q '~ /spec/ports/0/nodePort 30002' "$run/said"
check "a file that is not there is a failure" exits 1 ctl diff -f "$run/none.yaml"
before=$(operations .total)

# --- edit -------------------------------------------------------------------------------

editor true
check "a text left as it was changes nothing" exits 0 ctl edit service test/web
check "which is said" grep -q '^nothing was changed' "$run/said"
editor false
check "an editor that fails is a failure" exits 1 ctl edit service test/web
equal "nothing of both is on record" "$before" "$(operations .total)"

editor 'cp "$1" "${0%/*}/seen"; sed -i s/30001/30003/ "$1"'
check "an edit is written" exits 0 ctl edit service test/web --reason "another port"
note <"$run/seen"
check "the editor had YAML" grep -q '^  type: NodePort$' "$run/seen"
check "it reaches the kernel" wait_for 10 has_service 30003
check "in the other's place" wait_for 10 has_no_service 30001
equal "with its author and reason" "unix:root update another port" \
	"$(operations '.items[0] | "\(.user) \(.action) \(.reason)"')"

editor 'sed -i s/30003/1/ "$1"'
check "a bad edit is refused" exits 1 ctl edit service test/web
check "with the reason" grep -q 'nodePort' "$run/said"
check "what was written is kept" grep -q 'nodePort: 1$' "$(kept)"
rm -f "$(kept)"
editor "sed -i s/30003/30004/ \"\$1\"; sed s/30001/30005/g '$run/web.yaml' |
	'$build/parasausctl' -s '$run/api.sock' apply -f - >/dev/null"
check "who comes second is told so" exits 4 ctl edit service test/web
check "and his text is kept, too" grep -q 'nodePort: 30004' "$(kept)"
rm -f "$(kept)"
check "the first one's holds" wait_for 10 has_service 30005
editor 'sed -i s/30005/30006/ "$1"'
check "a dry run says what would be" exits 0 ctl edit service test/web --dry-run
check "with the difference" grep -q '30006' "$run/said"
rm -f "$(kept)"
check "and changes nothing" has_service 30005
check "a Secret is not for editors" exits 2 ctl edit secret test/web
check "nor is what is not there" exits 1 ctl edit service test/none
check "it ends" agent_stop
tap_done
