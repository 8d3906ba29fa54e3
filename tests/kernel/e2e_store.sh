#!/bin/bash
# The agent with a store of its own: the origin's YAML is applied, seen in
# `ipvsadm -Ln`, edited, brought back and removed, each on record; a dry run,
# a refused write and a restart change nothing. By a token the same is written over TCP. Then a
# pool as such, by REST, and one out of an address pool that is applied, shrunk and deleted.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

topology_up store
server_add s1 10.100.1.53
server_add s2 10.100.1.77
server_start s1 10.100.1.53:8090
server_start s2 10.100.1.77:30253
# No source: the agent's own store is the one.
agent_configure "$quick_checks" 'vipRanges: [192.0.2.0/24]'
sed -i '/^sources:/d; /^- directory:/d; s/^  socket:.*/&\n  listen: 127.0.0.1:9090/' \
	"$run/parasaus.yaml"
agent_start
check "it is synced" agent_synced

origin=$project/deploy/example-origin.yaml
frontend=$vip:40796 first=10.100.1.53:8090 second=10.100.1.77:30253
name=parasaus/snake-demo-svc4

# rest PATH: an answer of the agent, by the socket.
rest() { curl -sS -m 10 --unix-socket "$run/api.sock" "http://localhost$1"; }
# operations FILTER: of the record, by jq, the newest first.
operations() { rest /api/v1/operations | jq -r "$1"; }
newest() { operations ".items[0] | \"\\(.user) \\(.source) \\(.action) \\(.kind) \\(.result)\""; }
revision() { ctl history endpoints $name -o json | jq -r '.items[0].revision'; }
has_frontend() { table | found -e "-A -t $1 "; }
has_no_token() { ! grep -rqF -e "$alice" -e "$bob" "$1"; }
has_no_service() { ! table | found " $frontend "; }

# --- apply ----------------------------------------------------------------------------

ctl apply -f "$origin" --dry-run >"$run/dry" 2>&1
note <"$run/dry"
check "a dry run says what would be" grep -q "^Service $name created (dry run)" "$run/dry"
check "and does nothing" has_no_service
equal "nor is it recorded" 0 "$(operations .total)"

ctl apply -f "$origin" >"$run/applied" 2>"$run/warnings"
note <"$run/applied"
check "what was applied is said" grep -q "^Endpoints $name created" "$run/applied"
check "the misplaced fields are warned of" grep -q "warning: " "$run/warnings"
check "the first member is in the kernel" wait_for 10 has_weight "$frontend" "$first" 1
check "the second as well" wait_for 10 has_weight "$frontend" "$second" 1
in_box director ipvsadm -Ln >"$run/table"
note <"$run/table"
check "ipvsadm shows the frontend" grep -q "^TCP  $vip:40796 " "$run/table"
equal "the record has it" "unix:root cli apply Endpoints ok" "$(newest)"

answers() { for _ in 1 2 3 4; do in_box client curl -sS -m 3 "http://$frontend/"; done | sort | uniq -c; }
equal "both servers answer through the VIP" "2 s1 2 s2" "$(answers | xargs)"
equal "applied again nothing changes" "Service $name unchanged Endpoints $name unchanged" \
	"$(ctl apply -f "$origin" 2>/dev/null | xargs)"
good=$(revision)

# --- edit -----------------------------------------------------------------------------

table >"$run/before"
sed 's/nodePort: 40796/nodePort: 1/' "$origin" >"$run/bad.yaml"
rc=0
ctl apply -f "$run/bad.yaml" >"$run/refused" 2>&1 || rc=$?
note <"$run/refused"
equal "a port outside the address pools is refused" 1 "$rc"
table >"$run/after"
check "and changes nothing" cmp "$run/before" "$run/after"

ctl weight $name "$first" 3 --reason "a larger machine" | note
check "a weight reaches the kernel" wait_for 10 has_weight "$frontend" "$first" 3
equal "with its reason" "patch a larger machine" \
	"$(operations '.items[0] | "\(.action) \(.reason)"')"
ctl drain $name "$second" | note
check "a drained member has weight 0" wait_for 10 has_weight "$frontend" "$second" 0
equal "and no new connections" "4 s1" "$(answers | xargs)"
equal "the record tells what was and what is" "$first=3 $first=3,$second=0" "$(
	id=$(operations '.items[0].id')
	rest "/api/v1/operations/$id" | jq -r '[.beforeObject, .afterObject
		| .metadata.annotations["parasaus.io/weights"]] | join(" ")'
)"

# --- restart --------------------------------------------------------------------------

check "it ends when told to" agent_stop
agent_start
check "it is synced again" agent_synced
check "the store outlived it" has_weight "$frontend" "$first" 3

# --- rollback -------------------------------------------------------------------------

ctl rollback endpoints $name --to "$good" | note
check "a rollback reaches the kernel" wait_for 10 has_weight "$frontend" "$first" 1
check "of the drained member, too" wait_for 10 has_weight "$frontend" "$second" 1
equal "it is on record" "unix:root cli rollback Endpoints ok" "$(newest)"

# --- delete ---------------------------------------------------------------------------

ctl delete service $name | note
check "a removed Service gets no new connections" wait_for 10 has_weight "$frontend" "$first" 0
equal "it is on record" "unix:root cli delete Service ok" "$(newest)"
service_revision=$(ctl history service $name -o json |
	jq -r '[.items[] | select(.removed | not)][0].revision')
ctl rollback service $name --to "$service_revision" | note
check "and comes back" wait_for 10 has_weight "$frontend" "$first" 1

# --- by a token -----------------------------------------------------------------------

# over_tcp TOKEN METHOD PATH [FILE]: the status of the answer; "" is no token.
over_tcp() {
	in_box director curl -sS -m 10 -o "$run/answer" -w '%{http_code}' -X "$2" \
		${1:+-H "Authorization: Bearer $1"} ${4:+-H 'Content-Type: application/yaml' --data-binary "@$4"} \
		"http://127.0.0.1:9090$3"
}
document=/api/v1/namespaces/token/services/web
cat >"$run/web.yaml" <<-END
	kind: Service
	apiVersion: v1
	metadata: {name: web, namespace: token}
	spec: {type: NodePort, ports: [{name: http, port: 80, nodePort: 40797}]}
END

equal "without a token nothing is written over TCP" 401 "$(over_tcp '' PUT $document "$run/web.yaml")"
equal "while all is read" 200 "$(over_tcp '' GET /api/v1/pools)"
ctl token create alice >"$run/alice"
ctl token create bob --role viewer >"$run/bob"
alice=$(cat "$run/alice") bob=$(cat "$run/bob")
equal "a viewer's is not enough" 403 "$(over_tcp "$bob" PUT $document "$run/web.yaml")"
equal "an editor's is" 201 "$(over_tcp "$alice" PUT $document "$run/web.yaml")"
note <"$run/answer"
equal "the record has its name" "token:alice rest create Service ok" "$(newest)"
check "the kernel has the frontend" wait_for 10 has_frontend "$vip:40797"
equal "no token makes another" 403 "$(over_tcp "$alice" GET /api/v1/tokens)"

equal "their file is the agent's alone" 600 "$(stat -c %a "$run/state/tokens")"
check "no token is in the state directory" has_no_token "$run/state"
check "nor in the log" has_no_token "$run/agent.log"
check "it ends" agent_stop
agent_start
check "it is synced once more" agent_synced
equal "a token outlives a restart" 200 "$(over_tcp "$alice" GET /api/v1/whoami)"
equal "as who it was" token:alice "$(jq -r .user "$run/answer")"
equal "tokens are listed" "alice bob" "$(ctl token list -o name | xargs)"
ctl token delete alice | note
equal "deleted it is refused at once" 401 "$(over_tcp "$alice" PUT $document "$run/web.yaml")"
equal "for reading, too" 401 "$(over_tcp "$alice" GET /api/v1/pools)"

# --- pools ----------------------------------------------------------------------------

pool=/api/v1/pools/shop.web.http-tcp
made=$vip:30000 # the lowest of the address pool

# tag: the pool's ETag as it is now.
tag() {
	curl -sS -m 10 --unix-socket "$run/api.sock" -o /dev/null -D - "http://localhost$pool/spec" |
		tr -d '\r' | sed -n 's/^ETag: //Ip'
}
# ask METHOD PATH [BODY [HEADER]]: the status; the answer is in $run/answer.
ask() {
	local type=application/json
	[ "$1" != PATCH ] || type=application/merge-patch+json
	curl -sS -m 10 --unix-socket "$run/api.sock" -X "$1" ${3:+-H "Content-Type: $type" -d "$3"} \
		${4:+-H "$4"} -o "$run/answer" -w '%{http_code}' "http://localhost$2"
}
# edit METHOD PATH [BODY]: of the pool, as it is now.
edit() { ask "$1" "$pool$2" "${3:-}" "If-Match: $(tag)"; }
# gets_nothing SERVER:PORT: it drains, or is gone already for it had no connections.
gets_nothing() { [[ "$(weight "$made" "$1")" =~ ^0?$ ]]; }
has_no_pool() { ! table | found " $made "; }

new="{\"namespace\": \"shop\", \"name\": \"web\", \"portName\": \"http\",
	\"settings\": {\"scheduler\": \"rr\"},
	\"members\": [{\"address\": \"${first%:*}\", \"port\": ${first#*:}}]}"
equal "a dry run of a new pool" 200 "$(ask POST '/api/v1/pools?dryRun=all' "$new")"
check "makes nothing" has_no_pool
equal "a pool is made without naming a port" 201 "$(ask POST /api/v1/pools "$new")"
check "it is in the kernel at the lowest free one" wait_for 10 has_weight "$made" "$first" 1
table | grep " $made " | note
check "with its scheduler" eval "table | found -- '-A -t $made -s rr'"
made_at=$(rest $pool/spec | jq .revision)

equal "a member is added" 201 \
	"$(edit POST /members "{\"address\": \"${second%:*}\", \"port\": ${second#*:}, \"weight\": 3}")"
check "with its weight" wait_for 10 has_weight "$made" "$second" 3
member=/members/${first/:/-}
equal "one is drained" 200 "$(edit PATCH "$member" '{"drain": true}')"
check "to weight 0" wait_for 10 has_weight "$made" "$first" 0
equal "and resumed" 200 "$(edit PATCH "$member" '{"drain": false}')"
check "to what it had" wait_for 10 has_weight "$made" "$first" 1

table >"$run/before"
equal "an edit of another revision is refused" 412 \
	"$(ask PATCH $pool '{"port": 30001}' "If-Match: \"r$made_at\"")"
equal "it is told whose is there" "resume" "$(jq -r .current.action "$run/answer")"
table >"$run/after"
check "and changes nothing" cmp "$run/before" "$run/after"

equal "it goes back to what it was made as" 200 "$(edit POST :rollback "{\"toRevision\": $made_at}")"
check "without the member that came later" wait_for 10 gets_nothing "$second"
check "and with the other" has_weight "$made" "$first" 1
equal "the steps are on record" "rollback resume drain add-member create" \
	"$(rest $pool/revisions | jq -r '[.items[].action] | join(" ")')"

equal "it is deleted" 200 "$(edit DELETE "")"
check "gets no new connections" wait_for 10 gets_nothing "$first"
equal "and is no pool any more" 404 "$(ask GET $pool/spec)"
equal "but comes back" 201 "$(ask POST $pool:rollback "{\"toRevision\": $made_at}")"
check "in the kernel, too" wait_for 10 has_weight "$made" "$first" 1
equal "and is deleted again" 200 "$(edit DELETE "")"

# --- address pools --------------------------------------------------------------------

edge=192.0.2.20:20000
# address_pool PORTS: applies it.
address_pool() {
	ctl apply -f - <<-END 2>&1 | note
		apiVersion: parasaus.io/v1
		kind: AddressPool
		metadata: {name: edge}
		spec: {addresses: [192.0.2.20], ports: "$1", autoAssign: false}
	END
}
ours() { in_box director nft -nn list set inet parasaus ours4; }
is_ours() { ours | grep -q "$1"; }
is_not_ours() { ! ours | grep -q "$1"; }
edge_answers() { for _ in 1 2; do in_box client curl -sS -m 3 "http://$edge/"; done | sort | uniq -c; }
has_no_edge() { ! table | found -e " $edge "; }

# Somebody else's, at an address and a port that are not ours so far, nor later.
in_box director ipvsadm -A -t 192.0.2.20:81 -s rr
address_pool 20000-20009
check "an address pool is ours once it is applied" wait_for 10 is_ours '192.0.2.20 \. 20000-20009'
equal "it is listed" "edge store 10" \
	"$(rest /api/v1/address-pools | jq -r '.items[1] | "\(.name) \(.source) \(.free)"')"
pool=/api/v1/pools/shop.edge.20000-tcp
equal "a pool is made out of it" 201 "$(ask POST /api/v1/pools "{\"namespace\": \"shop\",
	\"name\": \"edge\", \"addressPool\": \"edge\", \"settings\": {\"drain-seconds\": \"1\"},
	\"members\": [{\"address\": \"${first%:*}\", \"port\": ${first#*:}}]}")"
check "it is in the kernel" wait_for 10 has_weight "$edge" "$first" 1
in_box director ipvsadm -Sn | grep 192.0.2.20 | note
equal "and answers" "2 s1" "$(edge_answers | xargs)"
check "operators' sets have it" eval "in_box director ipset save | grep -q 'parasaus-declared 192.0.2.20,tcp:20000'"
rc=0
ctl delete address-pool edge >"$run/refused" 2>&1 || rc=$?
note <"$run/refused"
equal "it is not deleted while it is used" 4 "$rc"

table | grep -F "$edge" >"$run/before"
address_pool 20005-20009
check "shrunk, it leaves the frontend that lives" wait_for 10 is_ours '192.0.2.20 \. 20000\(-20000\)\?[ ,]'
check "and what is not used any more" is_not_ours '20000-20009'
table | grep -F "$edge" >"$run/after"
check "the kernel was told nothing" cmp "$run/before" "$run/after"
check "the pool has a warning" eval "rest $pool | grep -q 'outside its address pool'"
check "it ends when told to, once more" agent_stop
equal "the kernel answers meanwhile" "2 s1" "$(edge_answers | xargs)"
agent_start
check "it is synced after that" agent_synced
check "the frontend is kept" has_weight "$edge" "$first" 1
check "and ours" is_ours '192.0.2.20 \. 20000\(-20000\)\?[ ,]'
equal "and answers still" "2 s1" "$(edge_answers | xargs)"

equal "the pool is deleted" 200 "$(edit DELETE "")"
check "and leaves the kernel" wait_for 20 has_no_edge
ctl delete address-pool edge 2>&1 | note
check "then so is the address pool" wait_for 10 is_not_ours 192.0.2.20
check "what was never ours is still there" eval "table | found -e '-A -t 192.0.2.20:81 '"
check "and its route is gone" eval "! in_box director ip route show table local | grep -q '192.0.2.20 .*proto 112'"

# --- who may --------------------------------------------------------------------------

equal "another user of the machine may not even ask" "" "$(
	setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$build/parasausctl" -s "$run/api.sock" get pools -o name 2>/dev/null || true
)"

# --- cleanup --------------------------------------------------------------------------

address_pool 20000-20009
equal "the pool comes back in its address pool" 201 "$(ask POST /api/v1/pools "{\"namespace\": \"shop\",
	\"name\": \"edge\", \"addressPool\": \"edge\",
	\"members\": [{\"address\": \"${first%:*}\", \"port\": ${first#*:}}]}")"
check "and in the kernel" wait_for 10 has_weight "$edge" "$first" 1
check "it ends" agent_stop
in_box director "$build/parasausd" -c "$run/parasaus.yaml" --cleanup 2>&1 | note
check "a cleanup takes what is out of an address pool of the store" has_no_edge
check "and leaves what never was ours" eval "table | found -e '-A -t 192.0.2.20:81 '"
tap_done
