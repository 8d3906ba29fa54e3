#!/bin/bash
# The store's disk fills up, becomes read-only, its file is damaged, and the clock goes back by a
# month, while the agent runs: a write that cannot be kept is refused with the reason, what was
# acknowledged stays, and the kernel's table, probes and clients do not notice.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

[ -n "${IN_GUEST:-}" ] || skip_all "it turns the clock, and makes file systems read-only: only in a guest"

topology_up faults
server_add s1 10.100.1.11
server_add s2 10.100.1.12
server_start s1 10.100.1.11:80
server_start s2 10.100.1.12:80
agent_configure "$quick_checks" "user: root"
sed -i '/^sources:/d; /^- directory:/d' "$run/parasaus.yaml"
frontend=$vip:30000 first=10.100.1.11:80 second=10.100.1.12:80
pool=/api/v1/pools/shop.web.http-tcp
state=$run/state

# ask METHOD PATH [BODY [HEADER]]: the status; the answer is in $run/answer.
ask() {
	local type=application/json
	[ "$1" != PATCH ] || type=application/merge-patch+json
	curl -sS -m 20 --unix-socket "$run/api.sock" -X "$1" ${3:+-H "Content-Type: $type" -d "$3"} \
		${4:+-H "$4"} -o "$run/answer" -w '%{http_code}' "http://localhost$2"
}
answer() { jq -r "$1" "$run/answer"; }
# write_one: drain-seconds one higher; the status. What was acknowledged last is $acknowledged.
acknowledged=100
write_one() {
	status=$(ask PATCH $pool "{\"settings\": {\"drain-seconds\": \"$((acknowledged + 1))\"}}" 'If-Match: *')
	[ "$status" != 200 ] || acknowledged=$((acknowledged + 1))
}
is_written() { write_one && [ "$status" = 200 ]; }
# writes_again DESCRIPTION: not in a subshell, for what was acknowledged is counted.
writes_again() {
	local rc=0
	wait_for 20 is_written || rc=1
	result "$rc" "$1" "$run/answer"
}
# A document of 90 kB that is no pool's, so that the disk is full soon.
note_one() {
	status=$(ask PUT "/api/v1/namespaces/fill/secrets/s$1" \
		"{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": \"s$1\"}, \"stringData\": {\"a\": \"$(head -c 90000 /dev/zero | tr '\0' x)\"}}")
}
kept() { [ "$(ask GET $pool/spec)" = 200 ] && [ "$(answer '.settings["drain-seconds"]')" = "$acknowledged" ]; }
answers() { for _ in 1 2 3 4; do in_box client curl -sS -m 3 "http://$frontend/"; done | sort -u | xargs; }

# goes_on WHEN: the table is the same, clients are served, and a server that dies is out and in again.
goes_on() {
	table >"$run/after"
	check "$1: the kernel's table is as it was" cmp "$run/before" "$run/after"
	equal "$1: clients are served" "s1 s2" "$(answers)"
	equal "$1: what was acknowledged is told" "$acknowledged" \
		"$(ask GET $pool/spec >/dev/null && answer '.settings["drain-seconds"]')"
	server_kill s1
	check "$1: a server that dies is out" wait_for 15 has_weight "$frontend" "$first" 0
	server_start s1 "$first"
	check "$1: and in again" wait_for 15 has_weight "$frontend" "$first" 1
}

# begin: an agent on an empty store in what is mounted there, with one pool.
begin() {
	agent_start
	check "$1: it is synced" agent_synced
	equal "$1: a pool is made" 201 "$(ask POST /api/v1/pools "{\"namespace\": \"shop\", \"name\": \"web\", \"portName\": \"http\", \"port\": 30000,
		\"settings\": {\"drain-seconds\": \"$acknowledged\"}, \"members\": [{\"address\": \"${first%:*}\", \"port\": 80}, {\"address\": \"${second%:*}\", \"port\": 80}]}")"
	check "$1: it is in the kernel" wait_for 15 has_weight "$frontend" "$first" 1
	check "$1: whole" wait_for 15 has_weight "$frontend" "$second" 1
	table >"$run/before"
}
# restart WHEN: by SIGKILL, so that nothing is put in order at the end.
restart() {
	agent_kill
	agent_start
	check "$1: started again it is synced" agent_synced
	check "$1: and has all that was acknowledged" wait_for 15 kept
	table >"$run/after"
	check "$1: the kernel's table is still the same" cmp "$run/before" "$run/after"
}
finish() {
	agent_stop
	# The next one begins with nothing in the kernel.
	in_box director ipvsadm -C
	umount "$state"
}

# --- the disk is full -------------------------------------------------------------------

mkdir -p "$state"
mount -t tmpfs -o size=4m store "$state"
begin full
written=0
while note_one "$written" && [ "$status" = 201 ] && ((written < 1000)); do written=$((written + 1)); done
note "refused after $written documents: $(cat "$run/answer")"
equal "full: the write is refused" "503 store-trouble" "$status $(answer .code)"
check "full: with the reason" grep -qi 'full\|space' "$run/answer"
goes_on full
mount -o remount,size=16m "$state"
writes_again "full: with room again it is written"
equal "full: documents that were acknowledged are there" "$written" "$(
	for ((i = 0; i < written; i++)); do ask GET "/api/v1/namespaces/fill/secrets/s$i" && echo; done | grep -c '^200$'
)"
restart full
finish

# --- read-only ----------------------------------------------------------------------------

modprobe loop
truncate -s 64M "$run/disk"
mkfs.ext4 -q "$run/disk"
mount -o loop "$run/disk" "$state"
begin read-only
for _ in 1 2 3; do write_one; done
mount -o remount,abort "$state" # what the kernel does after an error of the disk
read_only() { ! touch "$state/.try" 2>/dev/null; }
check "read-only: the disk is" wait_for 10 read_only
write_one
note "$(cat "$run/answer")"
equal "read-only: the write is refused" "503 store-trouble" "$status $(answer .code)"
goes_on read-only
agent_kill
umount "$state"
fsck.ext4 -p "$run/disk" >/dev/null || true # 1: it mended something
mount -o loop "$run/disk" "$state"
mount -o remount,ro "$state"
agent_start
check "read-only: started on it, it has all that was acknowledged" wait_for 60 kept
write_one
equal "read-only: and refuses to write" "503 store-trouble" "$status $(answer .code)"
check "read-only: with the reason" grep -qi 'read-only' "$run/answer"
table >"$run/after"
check "read-only: and leaves the kernel's table as it was" cmp "$run/before" "$run/after"
equal "read-only: clients are served" "s1 s2" "$(answers)"
mount -o remount,rw "$state"
check "read-only: once it is writable all that was acknowledged is there" wait_for 60 kept
writes_again "read-only: and it writes"
restart read-only

# --- a damaged file -----------------------------------------------------------------------

agent_stop
cp "$state/store.db" "$run/good.db"
# Where each page but the first begins.
for ((page = 1; page < $(stat -c %s "$state/store.db") / 4096; page++)); do
	printf 'damaged' | dd of="$state/store.db" bs=1 seek=$((page * 4096)) conv=notrunc status=none
done
cp "$state/store.db" "$run/bad.db"
agent_start
check "damaged: it serves all the same" wait_for 30 eval "ctl get pools -o name | found web"
check "damaged: and says so" wait_for 15 eval "ctl get problems | grep -q store.db"
ctl get problems | note
write_one
note "$(cat "$run/answer")"
equal "damaged: the write is refused" "503 store-trouble" "$status $(answer .code)"
table >"$run/after"
check "damaged: the kernel's table is as it was" cmp "$run/before" "$run/after"
equal "damaged: clients are served" "s1 s2" "$(answers)"
check "damaged: the file is left as it is" cmp "$run/bad.db" "$state/store.db"
agent_stop
cp "$run/good.db" "$state/store.db"
rm -f "$state"/store.db-*
agent_start
check "damaged: with a good copy it is synced" agent_synced
check "damaged: and has all that was acknowledged" wait_for 15 kept
writes_again "damaged: and writes"

# --- the clock goes back --------------------------------------------------------------------

table >"$run/before"
before=$(ask GET '/api/v1/operations?limit=1' >/dev/null && answer '.items[0].id')
date -s "@$(($(date +%s) - 30 * 86400))" >/dev/null
for _ in 1 2 3; do write_one; done
equal "clock: writes go on" 200 "$status"
equal "clock: the record's newest is the newest" $((before + 3)) \
	"$(ask GET '/api/v1/operations?limit=1' >/dev/null && answer '.items[0].id')"
goes_on clock
restart clock
date -s "@$(($(date +%s) + 60 * 86400))" >/dev/null
writes_again "clock: and when it leaps ahead"
finish
tap_done
