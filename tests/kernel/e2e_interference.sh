#!/bin/bash
# Whatever another program does to the table, in whatever order, under load: what is ours is as it
# was within one roll of the audit, and what is not ours is as that program left it.
#
#   ROUNDS=N  (4)
#   POOLS=N   (30)
#   SEED=N    (one that is told)
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

rounds=${ROUNDS:-4} pools=${POOLS:-30} seed=${SEED:-$RANDOM} audit=1
roll=$((20 * audit))
RANDOM=$seed

topology_up interference
server_add s1 10.100.1.11
server_start s1 10.100.1.11:8080
agent_configure "$quick_checks" "audit: $audit"
for ((i = 0; i < pools; i++)); do
	printf '10.%d.0.%d 80\n' 9 1 9 2 9 3 | service "p$i" $((31000 + i)) 'health-check-type: none' \
		'scheduler: wlc' 'weight: "7"' 'drain-seconds: "0"' | place "p$i.yaml"
done
service web 30080 'health-check-type: http' 'health-check-path: /' <<<'10.100.1.11 8080' | place web.yaml
agent_start
check "it is synced" agent_synced
check "its server is up" wait_for 10 has_weight "$vip:30080" 10.100.1.11:8080 1

others() { table | grep -E -- '-t 203\.0\.113\.|-t 192\.0\.2\.10:80 ' || true; }
ours() { table | grep -vE -- '-t 203\.0\.113\.|-t 192\.0\.2\.10:80 '; }
wanted=$(ours)
equal "all of it is there" $((4 * pools + 2)) "$(wc -l <<<"$wanted")"

pick() { echo "$vip:$((31000 + RANDOM % pools))"; }
as_root() { in_box director ipvsadm "$@" 2>/dev/null || true; } # what is gone already cannot be deleted
# One thing that another program does; says what.
meddle() {
	local at
	at=$(pick)
	case $((RANDOM % 12)) in
	0) echo "deletes $at" && as_root -D -t "$at" ;;
	1) echo "deletes a server of $at" && as_root -d -t "$at" -r 10.9.0.2:80 ;;
	2) echo "sets a weight of $at" && as_root -e -t "$at" -r 10.9.0.1:80 -m -w 99 ;;
	3) echo "sets the scheduler of $at" && as_root -E -t "$at" -s rr ;;
	4) echo "makes $at persistent" && as_root -E -t "$at" -s wlc -p 60 ;;
	5) echo "adds a server to $at" && as_root -a -t "$at" -r 10.9.0.77:80 -m -w 5 ;;
	6) echo "puts a server into another's place at $at" &&
		as_root -d -t "$at" -r 10.9.0.3:80 && as_root -a -t "$at" -r 10.9.0.78:80 -m ;;
	7) echo "adds a service in our ports" && as_root -A -t "$vip:40000" -s rr ;;
	8) echo "clears the table" && as_root -C ;;
	9) echo "changes a service of its own" && as_root -A -t 203.0.113.9:443 -s rr &&
		as_root -a -t 203.0.113.9:443 -r "10.8.0.$((RANDOM % 250 + 1)):443" -g -w 3 ;;
	10) echo "sets a limit at $at" && as_root -e -t "$at" -r 10.9.0.1:80 -m -w 7 -x 5 -y 2 ;;
	11) echo "changes a service at our address" && as_root -A -t "$vip:80" -s sh &&
		as_root -a -t "$vip:80" -r "10.8.1.$((RANDOM % 250 + 1)):80" -m ;;
	esac
}
limits() { in_box director ipvsadm -Ln --thresholds | grep -c ' 5  *2 ' || true; }
is_back() { [ "$(ours)" = "$wanted" ] && [ "$(limits)" = 0 ]; }

note "seed $seed"
load_start 4 4 20 "$vip:30080"
worst=0
for ((round = 1; round <= rounds; round++)); do
	for ((n = RANDOM % 4; n >= 0; n--)); do
		meddle
	done >"$run/meddled"
	theirs=$(others) began=$EPOCHREALTIME
	if ! wait_for $((roll + 2 * audit + 5)) is_back; then
		check "round $round: ours is as it was" false
		note "seed $seed: $(xargs -d '\n' printf '%s; ' <"$run/meddled")"
		diff <(echo "$wanted") <(ours) | note
		break
	fi
	took=$(since "$began" "$EPOCHREALTIME")
	worst=$(awk -v a="$worst" -v b="$took" 'BEGIN { print (b > a ? b : a) }')
	# They may have been cleared by their owner, but not by us.
	[ "$(others)" = "$theirs" ] || {
		equal "round $round: what is not ours is as it was left" "$theirs" "$(others)"
		note "seed $seed: $(xargs -d '\n' printf '%s; ' <"$run/meddled")"
	}
done
load_stop
note "figure interference.converged_s worst $worst of $rounds rounds, a roll is $roll s"
at_most "seconds until ours is as it was, at most" $((roll + 2 * audit)) "$worst"
at_least "rounds" "$rounds" $((round - 1))
check "the load was answered" test "$(load .requests)" -gt 100
check "each was told" grep -q 'another program changed IPVS' "$run/agent.log"
agent_stop
tap_done
