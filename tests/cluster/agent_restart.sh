#!/bin/bash
# Restarts: of the agent while the cluster changes, of the API server, of a cluster
# that is put back to an older copy; and what is in the kernel meanwhile. Tests are
# named after those of Kubernetes whose expectation they state.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

cluster_agent restart
no_check='health-check-type: none'
for n in 1 2 3 4 5; do
	printf '%s\n' "10.100.1.1$n 80" "10.100.1.2$n 80" | service "svc$n" "3000$n" "$no_check" | apply
done
servers() { table | grep -c '^-a' || true; }
has_servers() { [ "$(servers)" = "$1" ]; }
check "five services are in the kernel" wait_for 20 has_servers 10
count_start
poll_start

# "should work after restarting kube-proxy": nothing is missing meanwhile, and what changed is there
agent_kill
service svc1 30001 "$no_check" <<<'10.100.1.11 80' | apply
delete Service svc2
printf '%s\n' '10.100.1.61 80' | service svc6 30006 "$no_check" | apply
began=$(writes)
agent_start
agent_synced
becomes "the agent killed, and started again: a server removed meanwhile is gone" "$vip:30001" 10.100.1.11:80=1
becomes "a service made meanwhile is there" "$vip:30006" 10.100.1.61:80=1
check "one deleted meanwhile is gone" wait_for 20 has_no_service "$vip:30002"
note "writes: $(($(writes) - began))"
at_most "by few writes" 12 $(($(writes) - began))
for n in 1 3 4 5; do
	equal "service $n was never missing" 0 "$(grep -c "service-gone TCP $vip:3000$n" "$run/poll" || true)"
done

# A restart with nothing changed: no write, and no list where the last revision is still good.
agent_synced
quiet=$(writes)
mark=$(log_mark)
agent_stop
agent_start
check "a restart with nothing changed" agent_synced
check "the agent watches" wait_for 20 is_watched
equal "writes nothing" "$quiet" "$(writes)"
equal "and asks for no list, for it knows where it was" 0 "$(lists "$mark")"

# "should work after restarting apiserver"; reflector_test: a revision from before it is expired
mark=$(log_mark)
cluster restart-api
check "the API server restarted: the agent watches again" wait_for 60 is_watched
service marker 30009 "$no_check" <<<'10.100.1.99 80' | apply
becomes "a change comes through" "$vip:30009" 10.100.1.99:80=1
at_most "by two lists of a kind at most" 2 "$(lists "$mark" services)"
delete Service marker
check "and is undone" wait_for 20 has_no_service "$vip:30009"
agent_synced
# The API server away for a minute: health is still looked after, and nothing else changes.
server_add s1 10.100.1.51
server_start s1 10.100.1.51:80
server_add s2 10.100.1.52
server_start s2 10.100.1.52:80
printf '%s\n' '10.100.1.51 80' '10.100.1.52 80' | service checked 30010 'health-check-type: tcp' | apply
becomes "a service with checks, both servers up" "$vip:30010" "10.100.1.51:80=1 10.100.1.52:80=1"
agent_synced
others() { table | grep -v " $vip:30010 "; }
mine=$(others) quiet=$(writes)
away=$SECONDS
cluster stop-api
unread() { ! status '.sources[0].complete' | found -x true; }
check "the API server gone: the source is told to be incomplete" wait_for 60 unread
equal "nothing is written" "$quiet" "$(writes)"
equal "it is still ready" true "$(status .ready)"
server_kill s2
check "a server that dies meanwhile is out" wait_for 10 has_weight "$vip:30010" 10.100.1.52:80 0
server_start s2 10.100.1.52:80
check "and in again when it is back" wait_for 10 has_weight "$vip:30010" 10.100.1.52:80 1
equal "by two writes" $((quiet + 2)) "$(writes)"
a_minute() { ((SECONDS - away >= 60)); }
check "a minute without it" wait_for 90 a_minute
equal "all else is as it was" "$mine" "$(others)"
cluster start-api
began=$EPOCHREALTIME
check "the API server back: the agent watches again" wait_for 60 is_watched
note "after $(since "$began" "$EPOCHREALTIME") s"
at_most "within so many seconds" 10 "$(awk "BEGIN { print int($EPOCHREALTIME - $began) }")"
check "and is in agreement" agent_synced
equal "by no write" $((quiet + 2)) "$(writes)"

# reflector_test: etcd put back to an older copy. Revisions go backwards, and a watch from what was
# the last one is silent for ever.
cluster snapshot earlier
service svc7 30007 "$no_check" <<<'10.100.1.71 80' | apply
becomes "a service made after the copy" "$vip:30007" 10.100.1.71:80=1
for n in 1 2 3 4 5 6 7 8; do
	patch Service svc7 "{\"metadata\": {\"annotations\": {\"test/n\": \"$n\"}}}"
done
agent_synced
quiet=$(writes)
cluster restore earlier
began=$EPOCHREALTIME
check "the copy put back: the service goes" wait_for 60 has_no_service "$vip:30007"
note "after $(since "$began" "$EPOCHREALTIME") s"
at_most "within so many seconds" 10 "$(awk "BEGIN { print int($EPOCHREALTIME - $began) }")"
at_most "by the writes that it takes, and no others" 3 $(($(writes) - quiet))
service svc8 30008 "$no_check" <<<'10.100.1.81 80' | apply
becomes "and changes come through" "$vip:30008" 10.100.1.81:80=1
for n in 1 3 4 5; do
	equal "service $n was never missing" 0 "$(grep -c "service-gone TCP $vip:3000$n" "$run/poll" || true)"
done
poll_stop
count_stop
tap_done
