#!/bin/bash
# A pair of servers whose roles change, and a replica that falls behind.
set -uo pipefail
# shellcheck source=tests/lib/mysql.bash
. "$(dirname "$0")/../lib/mysql.bash"

mysql_up
for n in 1 2; do
	mysql_box $n
	mysql_start $n --log-bin=bin || exit
	mysql_sql $n "SET sql_log_bin = 0; CREATE USER 'parasaus'@'%' IDENTIFIED BY 'a word';
		CREATE USER 'watcher'@'%' IDENTIFIED BY 'a word';
		GRANT REPLICA MONITOR ON *.* TO 'watcher'@'%';
		CREATE USER 'replica'@'%' IDENTIFIED BY 'a word';
		GRANT REPLICATION SLAVE ON *.* TO 'replica'@'%';"
done

# is N ROLE WANTED DESCRIPTION [KEY=VALUE...]
is() {
	local n=$1 role=$2 wanted=$3 description=$4 said
	shift 4
	said=$(probe "$n" user=parasaus "password=a word" role="$role" "$@")
	check "$description" grep -q "$wanted" <<<"$said"
	note "$(tail -n 1 <<<"$said")"
}
# comes N STATE DESCRIPTION KEY=VALUE...: the state is reached while checks go on.
comes() {
	local n=$1 state=$2 description=$3
	shift 3
	probe "$n" timeout=300 interval=300 user=parasaus "password=a word" until="$state" \
		"$@" >"$run/comes"
	check "$description" grep -q "^$state: " "$run/comes"
	note "$(tail -n 1 "$run/comes")"
}

mysql_sql 2 'SET GLOBAL read_only = ON'
is 1 writer '^up: ok' 'the writer is a writer'
is 1 reader '^unknown: not in that role' 'and no reader'
is 2 writer '^unknown: not in that role' 'the reader is no writer'
is 2 reader '^up: ok' 'but a reader'
is 2 any '^up: ok' 'and for those who do not ask, a server'

# The checks go on while the roles are changed.
probe 1 timeout=500 user=parasaus "password=a word" role=writer until=down >"$run/first" &
first=$!
until grep -q "^now up" "$run/first"; do sleep 0.05; done
mysql_sql 1 'SET GLOBAL read_only = ON'
mysql_sql 2 'SET GLOBAL read_only = OFF'
wait $first
check "the old writer is down" grep -q '^down: not in that role' "$run/first"
note "$(tail -n 1 "$run/first")"
comes 2 up 'the new writer is up' role=writer
comes 2 down 'it is no reader any more' role=reader
is 1 reader '^up: ok' 'the old writer is a reader'

is 1 reader '^unknown: lags behind -1' 'a reader that replicates nothing has no lag to be bound' \
	lag=10 user=watcher
is 1 reader '^unknown: account refused 1227' 'and who may not ask is told so' lag=10
mysql_sql 1 "CHANGE MASTER TO MASTER_HOST = '$(address_of 2)', MASTER_USER = 'replica',
	MASTER_PASSWORD = 'a word', MASTER_USE_GTID = slave_pos; START SLAVE"
comes 1 up 'a replica in step is up' role=reader lag=10 user=watcher
mysql_sql 1 'STOP SLAVE SQL_THREAD'
is 1 reader '^unknown: lags behind -1' 'one that stands still is not' lag=10 user=watcher
is 1 reader '^up: ok' 'unless nobody asks for its lag'
mysql_sql 1 'START SLAVE SQL_THREAD'
comes 1 up 'it is up once it goes on' role=reader lag=10 user=watcher

mysql_sql 1 'STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = 3600; START SLAVE'
mysql_sql 2 'CREATE DATABASE d; CREATE TABLE d.t (a INT); INSERT INTO d.t VALUES (1)'
comes 1 down 'one that is behind goes down' role=reader lag=1 user=watcher
check 'and it is said by how much' grep -qE '^down: lags behind [1-9]' "$run/comes"
is 1 reader '^up: ok' 'within its bound it is up' lag=3600 user=watcher

is 1 galera '^unknown: not ready' 'a server without a cluster is no node of one'

mysql_stop 2
comes 2 down 'a server that is not there is down' role=writer
check 'refused, not something about logins' grep -q '^down: refused' "$run/comes"

tap_done
