#!/bin/bash
# Three nodes serve the same pool by mh, with the same members and different
# histories: to which server each sends a client, before and after they have put
# their tables in order; and what connections notice of that.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

nodes="1 2 3"
members=8
weights='weights: "10.100.1.11=1,10.100.1.12=2,10.100.1.13=3,10.100.1.14=5"'
clients=1000
# The second one sends by the client's port, too: one client's connections to all servers.
frontend=$vip:30001
by_port=$vip:30002
# What the agent waits for before it moves anything, and then some.
quiet=30
patience=120

# --- three nodes, each with a client of its own, on one lan with the servers ---

# node_up N: the box node-N, and client-N, from which any of 10.50.0.0/16 can ask.
node_up() {
	local n=$1
	box_add "node$n"
	box_add "client$n"
	wire "node$n" client "client$n" eth0
	wire "node$n" lan lan "node$n"
	ip -n "$net-lan" link set "node$n" master br0
	ip -n "$net-node$n" address add "198.51.100.1/24" dev client
	ip -n "$net-node$n" address add "10.100.1.$n/24" dev lan
	ip -n "$net-node$n" route add 10.50.0.0/16 dev client via 198.51.100.2
	in_box "node$n" sysctl -qw net.ipv4.ip_forward=1
	ip -n "$net-client$n" address add "198.51.100.2/24" dev eth0
	ip -n "$net-client$n" route add default via 198.51.100.1
	ip -n "$net-client$n" route add local 10.50.0.0/16 dev lo
	mkdir -p "$run/$n/pools"
	cat >"$run/$n/parasaus.yaml" <<-END
		node: node-$n
		stateDirectory: $run/$n/state
		addressPools:
		- name: demo
		  addresses: [$vip]
		  ports: "30000-64999"
		sources:
		- directory: $run/$n/pools
		api:
		  socket: $run/$n/api.sock
		$quick_checks
	END
}

node_start() {
	nsenter --net="/run/netns/$net-node$1" "$build/parasausd" -c "$run/$1/parasaus.yaml" \
		>>"$run/$1/agent.log" 2>&1 </dev/null &
	echo $! >"$run/$1/pid"
	topology_pids+=($!)
}
node_stop() { end_of "$(cat "$run/$1/pid")"; }
node_ctl() { "$build/parasausctl" -s "$run/$1/api.sock" "${@:2}"; }
node_synced() { node_ctl "$1" wait --synced --timeout 60; }
node_status() { node_ctl "$1" get status -o json | jq -r "$2"; }

# holds N MEMBERS: so many are in both services, none drains
holds() {
	[ "$(in_box "node$1" ipvsadm -Ln | grep -c '^  -> 10')" = $((2 * $2)) ] &&
		[ "$(node_status "$1" .synced)" = true ]
}
# put N MEMBER...: the pool with these members
put() {
	local n=$1 m
	shift
	for m in "$@"; do echo "10.100.1.$((10 + m)) 80"; done >"$run/$n/members"
	{
		service web 30001 'scheduler: mh' 'drain-seconds: "0"' "$weights" <"$run/$n/members"
		echo ---
		service port 30002 'scheduler: mh' 'scheduler-flags: port' 'drain-seconds: "0"' \
			"$weights" <"$run/$n/members"
	} >"$run/$n/.placing"
	mv "$run/$n/.placing" "$run/$n/pools/web.yaml"
}
# give N MEMBER...: and they are in the kernel
give() {
	put "$@"
	wait_for 20 holds "$1" $(($# - 1))
}

# --- what is measured ---

# ask N FILE: "CLIENT SERVER" of each client address at that node
ask() { in_box "client$1" "$tools/mapclient" 10.50.1.0 $clients "$frontend" >"$run/$2.$1"; }
ask_all() { for n in $nodes; do ask "$n" "$1" || return 1; done; }
# differences FILE1 FILE2: clients that are sent to different servers
differences() { diff "$run/$1" "$run/$2" | grep -c '^>' || true; }
# spread WHAT: the differences between each two nodes
spread() {
	echo "$(differences "$1.1" "$1.2") $(differences "$1.1" "$1.3") $(differences "$1.2" "$1.3")"
}
fingerprint() { node_ctl "$1" stats test/web -o json | jq -r '.frontends[0].fingerprint'; }
fingerprints() { for n in $nodes; do fingerprint "$n"; done | sort -u; }
disordered() { for n in $nodes; do node_status "$n" .mhDisordered; done | paste -sd' '; }
all_ordered() { [ "$(disordered)" = "0 0 0" ]; }
weight_is() { # MEMBER WEIGHT, on all nodes
	local n
	for n in $nodes; do
		in_box "node$n" ipvsadm -Sn | found -- "-r 10.100.1.$((10 + $1)):80 -m -w $2\$" || return 1
	done
}

topology_up order
for m in $(seq $members); do
	server_add "s$m" "10.100.1.$((10 + m))"
	server_start "s$m" "10.100.1.$((10 + m)):80"
done
for n in $nodes; do node_up "$n"; done

# --- three histories ---

# The first loads all at once; to the second they come one after the other, the last first; at the
# third one goes and comes back.
put 1 1 2 3 4 5 6 7 8
for n in $nodes; do node_start "$n"; done
check "the first has all from the beginning" wait_for 60 holds 1 "$members"
histories() {
	give 2 8 && give 2 7 8 && give 2 6 7 8 && give 2 5 6 7 8 && give 2 4 5 6 7 8 &&
		give 2 3 4 5 6 7 8 && give 2 2 3 4 5 6 7 8 && give 2 1 2 3 4 5 6 7 8 &&
		give 3 1 2 3 4 5 6 7 8 && give 3 1 3 4 5 6 7 8 && give 3 1 2 3 4 5 6 7 8
}
check "the others get them bit by bit" histories
equal "the other two tell that both services are not in order" "0 2 2" "$(disordered)"
equal "and all have fingerprints of their own" 3 "$(fingerprints | wc -l)"
# The third is restarted, the others stop too, so that nothing is put right while clients ask.
for n in $nodes; do node_stop "$n"; done
check "every client is served without an agent" ask_all before
before=$(spread before)
different() { for d in $before; do ((d > 0)) || return 1; done; }
check "clients are sent elsewhere by other nodes" different
note "of $clients clients so many differ between two nodes, before: $before"

# --- put in order, with clients at work ---

for n in 2 3; do
	background "client$n" "$run/load.$n" "$tools/loadclient" -k 100 -n 2 -i 1000 -T 10000 "$by_port"
	echo "$background" >"$run/$n/load"
done
for n in $nodes; do node_start "$n"; done
synced() { for n in $nodes; do node_synced "$n" || return 1; done; }
check "the agents come back, the third to a table that it did not write" synced
check "all put their tables in order when they have been quiet" wait_for $((quiet + patience)) all_ordered
told() { [ "$(cat "$run"/[123]/agent.log | grep -c "in the order that all nodes have")" = 2 ]; }
check "and say so in one line each" wait_for 10 told
note < <(grep -ho "[0-9]* mh services have.*" "$run"/*/agent.log)
equal "connections end again with their server" "1 1 1" \
	"$(for n in $nodes; do in_box "node$n" sysctl -n net.ipv4.vs.expire_nodest_conn; done | paste -sd' ')"
for n in 2 3; do end_of "$(cat "$run/$n/load")"; done
books() { for n in 2 3; do jq -r "$1" "$run/load.$n"; done | paste -sd' '; }
equal "no request failed, of connections kept or new" "0 0" "$(books .failed)"
equal "servers that were moved had their part of them" "$members $members" "$(books '.servers | length')"
note "requests at two nodes meanwhile: $(books .requests), on 100 connections that were kept at each"
check "every client is served" ask_all after
equal "and by the same server at all nodes" "0 0 0" "$(spread after)"
equal "they have one fingerprint" 1 "$(fingerprints | wc -l)"
equal "the first had nothing to do, and moved no client" 0 "$(differences before.1 after.1)"

# --- a member down and up ---

server_kill s4
check "a server dies, all nodes take it out" wait_for 30 weight_is 4 0
check "every client is served by the others" ask_all down
equal "equally at all nodes" "0 0 0" "$(spread down)"
# Whoever was not at it stays where it was.
moved_others() { join "$run/after.1" "$run/down.1" | awk '$2 != "s4" && $2 != $3' | wc -l; }
moved() { join "$run/after.1" "$run/down.1" | awk '$2 != $3' | wc -l; }
equal "only its clients move" 0 "$(moved_others)"
note "these were $(moved) of $clients"
equal "the table is what it was" 1 "$(fingerprints | wc -l)"
server_start s4 10.100.1.14:80
check "it is back" wait_for 30 weight_is 4 5
check "every client is served" ask_all up
equal "by whom it was served before" "0 0 0" \
	"$(for n in $nodes; do differences "after.$n" "up.$n"; done | paste -sd' ')"

# --- an agent that runs on puts in order what came later ---

again() { give 2 1 2 4 5 6 7 8 && give 2 1 2 3 4 5 6 7 8; }
check "a member leaves one node and comes back" again
equal "which tells of it" "0 2 0" "$(disordered)"
check "and puts it right" wait_for $((quiet + patience)) all_ordered
equal "the fingerprints are equal again" 1 "$(fingerprints | wc -l)"
for n in $nodes; do node_stop "$n"; done

# --- what it would cost by hand, which also shows that the books would have noticed ---

background client2 "$run/load.2" "$tools/loadclient" -k 50 -n 2 -i 200 -T 10000 "$by_port"
hand=$background
busy() { [ "$(in_box node2 ipvsadm -Ln | awk '$2 ~ /^10.100.1/ { n += $5 } END { print n }')" -ge 50 ]; }
check "connections are there" wait_for 30 busy
ended() { ! in_box node2 ipvsadm -Lnc | found "$by_port *10.100.1.14:80"; }
by_hand() {
	in_box node2 ipvsadm -d -t "$by_port" -r 10.100.1.14:80 && wait_for 10 ended &&
		in_box node2 ipvsadm -a -t "$by_port" -r 10.100.1.14:80 -m -w 5
}
check "a member is moved by ipvsadm" by_hand
end_of "$hand"
lost=$(jq -r .failed "$run/load.2")
check "which costs requests" [ "$lost" -gt 0 ]
note "$lost of $(jq -r .requests "$run/load.2")"
tap_done
