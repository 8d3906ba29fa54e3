#!/bin/bash
# Not one request fails while pools change: kept connections, new ones and UDP, while other pools are
# changed all the time and members of these drain and come back.
#
#   REQUESTS=N  at least so many (10000)
#   CHANGES=N   of other pools (500)
#   DRAINS=N    of members of these (25)
#   PAUSE=MS    between two changes (10)
#   LOAD=MS     of each client between two requests (2)
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

requests=${REQUESTS:-10000} changes=${CHANGES:-500} drains=${DRAINS:-25} pause=${PAUSE:-10} load=${LOAD:-2}

topology_up traffic
for last in {3..12}; do
	ip -n "$net-client" address add "198.51.100.$last/24" dev eth0
done
# So that a kept connection ends by the server's word, as it would with a real one that drains.
webserver_options=(-c 100)
for i in 1 2 3 4; do
	server_add "s$i" "10.100.1.1$i"
	server_start "s$i" "10.100.1.1$i:8080"
	background "s$i" "$run/s$i.udp" python3 "$here/../lib/datagrams.py" serve "s$i" "10.100.1.1$i" 8080
	wait_for 20 grep -q listening "$run/s$i.udp"
done
agent_configure "$quick_checks"
mkfifo "$run/go"
python3 "$here/../lib/churn.py" "$run/pools" "$changes" "$drains" "$pause" <"$run/go" >"$run/churn" &
topology_pids+=("$!")
exec 5>"$run/go"
wait_for 20 grep -q placed "$run/churn"
note <"$run/churn"
agent_start
check "it is synced" agent_synced

count_start
load_start 16 16 "$load" "$vip:30080"
background client "$run/asked" python3 "$here/../lib/datagrams.py" ask "$vip" 30053 4 198.51.100.{3..12}
datagrams=$background
began=$EPOCHREALTIME
echo >&5
is_changed() { grep -q '^done' "$run/churn"; }
all_answers() { (($(cat "$run"/s?.stats | jq -s 'map(.requests) | add') >= requests)); }
check "all changes are made" wait_for $((changes * (pause + 50) / 1000 + 60)) is_changed
wait_for 3600 all_answers
load_stop
end_of "$datagrams"
took=$(since "$began" "$EPOCHREALTIME")
count_stop
read -r asked unanswered <"$run/asked"
note "figure traffic.requests $(load .requests) of TCP, $asked of UDP in $took s, $(load .connections) connections, \
$changes changes of other pools and $drains drains, $(writes) writes to the kernel"
note "$(grep '^changed' "$run/churn")"
at_least "requests" "$requests" "$(load .requests)"
equal "of TCP none failed" 0 "$(load .failed)"
load_failures | note
equal "of UDP none failed" 0 "$unanswered"
note <"$run/asked.err"
others() { table | grep -- "-t $vip:31" || true; }
as_wanted() { [ "$(others)" = "$(sed -n 's/^want //p' "$run/churn")" ]; }
check "and the table is what was wanted last" wait_for 30 as_wanted
equal "without an error" "" "$(grep -E ': (error|fatal) ' "$run/agent.log" | head -5)"
agent_stop
tap_done
