#!/bin/bash
# A director must never be locked out of a server because of its checks, which
# connect-and-close is within a handful of them.
set -uo pipefail
# shellcheck source=tests/lib/mysql.bash
. "$(dirname "$0")/../lib/mysql.bash"

mysql_up
mysql_box 1
mysql_start 1 --max-connect-errors=5 --performance-schema=ON || exit
mysql_sql 1 "CREATE USER 'parasaus'@'10.99.0.%' IDENTIFIED BY 'a word'"
good=(user=parasaus "password=a word")
server=$(address_of 1)

# Connect, read what it says, close; prints "blocked CODE" where it says that.
connect_and_close() {
	as_client python3 - "$server" <<-'PYTHON'
		import socket, sys
		s = socket.create_connection((sys.argv[1], 3306))
		said = s.recv(1024)
		if said[4] == 0xff:
		    print(f"blocked {int.from_bytes(said[5:7], 'little')}")
	PYTHON
}

# The server counts a broken login when it sees it, which is soon after.
wait_for_errors() {
	local i
	for ((i = 0; i < 100 && $(mysql_errors 1) < $1; i++)); do sleep 0.05; done
	mysql_errors 1
}

aborted=$(mysql_status 1 Aborted_connects)
preauth=$(mysql_status 1 Aborted_connects_preauth)
said=$(probe 1 "${good[@]}" checks=2000 targets=200)
note "$(tail -n 1 <<<"$said")"
check "2000 checks find the server up" grep -q '^up: ok 0, [0-9]* ok, 0 failed' <<<"$said"
equal "the server counts none of them as a broken login" 0 "$(mysql_errors 1)"

broken=0 counted=0
for i in {1..10}; do
	probe 1 "${good[@]}" die=greeting >/dev/null 2>&1
	(($? == 137)) && broken=$((broken + 1))
	(($(wait_for_errors 1) == 1)) && counted=$((counted + 1))
	probe 1 "${good[@]}" >"$run/after"
	grep -q '^up: ok' "$run/after" || note "kill $i: $(<"$run/after")"
done
equal "the checker was killed ten times in the midst of a login" 10 "$broken"
equal "which the server counted each time" 10 "$counted"
check "and the next good check wiped that out each time" grep -q '^up: ok' "$run/after"
equal "nothing is left against the director" 0 "$(mysql_errors 1)"
at_most "aborted connections in the server's count" 10 \
	$(($(mysql_status 1 Aborted_connects) - aborted))
note "figure Aborted_connects +$(($(mysql_status 1 Aborted_connects) - aborted))," \
	"Aborted_connects_preauth +$(($(mysql_status 1 Aborted_connects_preauth) - preauth))," \
	"2000 checks and 10 kills"

said=$(probe 1 user=parasaus password=wrong checks=100 targets=50)
note "$(tail -n 1 <<<"$said")"
check "100 wrong passwords: alive, and the account is wrong" \
	grep -q '^up: account refused 1045' <<<"$said"
check "and a person is told" grep -q '^notice: .*does not let the check.s account in' <<<"$said"
equal "and none is a broken login" 0 "$(mysql_errors 1)"
check "the right password works as before" grep -q '^up: ok' <(probe 1 "${good[@]}")

said=$(probe 1 checks=100 targets=50)
check "100 checks without credentials are half-open" \
	grep -q '^up: no credentials 0, [0-9]* ok, 0 failed' <<<"$said"
equal "and the server saw nothing of them" 0 "$(mysql_errors 1)"

said=
for ((times = 1; times <= 20; times++)); do
	said=$(connect_and_close)
	[ -z "$said" ] || break
	wait_for_errors "$times" >"$run/errors"
done
note "figure connect and close: $said at the $times."
equal "the control run, connect and close, is locked out after the fifth" "6 blocked 1129" "$times $said"
said=$(probe 1 "${good[@]}" checks=5)
check "a check then says nothing of the server" \
	grep -q '^unknown: we are locked out 1129, 0 ok, 0 failed' <<<"$said"
check "and a person is told" grep -q '^notice: .*FLUSH HOSTS.*(error 1129)' <<<"$said"
mysql_sql 1 'FLUSH HOSTS'
check "it is up again after FLUSH HOSTS" grep -q '^up: ok' <(probe 1 "${good[@]}")

tap_done
