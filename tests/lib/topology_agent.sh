# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The agent in the director of topology.sh, what it is given, and the load on
# it. To be sourced; brings topology.sh with it.
#
#   vip        the one address of its address pool
#   $run/pools the directory it watches

# shellcheck source=../lib/topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh"

vip=192.0.2.10

# agent_configure [LINE...]: its configuration; checks of one second, LINEs are added.
agent_configure() {
	mkdir -p "$run/pools"
	{
		cat <<-END
			node: director
			stateDirectory: $run/state
			addressPools:
			- name: demo
			  addresses: [$vip]
			  ports: "30000-64999"
			sources:
			- directory: $run/pools
			api:
			  socket: $run/api.sock
		END
		(($# == 0)) || printf '%s\n' "$@"
	} >"$run/parasaus.yaml"
}

# agent_address_pool NAME ADDRESS PORTS: one more, after agent_configure.
agent_address_pool() {
	sed -i "s/^sources:/- {name: $1, addresses: [\"$2\"], ports: \"$3\"}\n&/" "$run/parasaus.yaml"
}

# Checks as quick as they may be.
quick_checks='defaults: {interval: 1, timeout: 0.5, fast: 0.5, fall: 2, rise: 2}'
: "$quick_checks"

# Starts it again when it is killed, as systemd would, and only then.
agent_supervise() {
	local rc=137
	while ((rc == 137)) && [ ! -e "$run/agent.stop" ]; do
		rc=0
		nsenter --net="/run/netns/$net-director" "$build/parasausd" -c "$run/parasaus.yaml" \
			>>"$run/agent.log" 2>&1 </dev/null &
		echo $! >"$run/agent.pid.new"
		mv "$run/agent.pid.new" "$run/agent.pid"
		wait $! 2>/dev/null || rc=$?
	done
	((rc == 0)) || echo "parasausd ended with $rc" >>"$run/agent.log"
}

agent_start() {
	rm -f "$run/agent.stop" "$run/agent.pid"
	agent_supervise &
	agent_supervisor=$!
	topology_pids+=("$agent_supervisor")
	wait_for 10 [ -s "$run/agent.pid" ]
}

agent_end() {
	touch "$run/agent.stop"
	kill "-$1" "$(cat "$run/agent.pid")"
	wait "$agent_supervisor" 2>/dev/null || true
}
agent_stop() { agent_end TERM; } # as a person would
agent_kill() { agent_end KILL; } # and it stays dead

ctl() { "$build/parasausctl" -s "$run/api.sock" "$@"; }

# The first time on a machine the kernel has its modules to load.
agent_synced() { ctl wait --synced --timeout 60; }

# status FILTER: a field of `get status`, by jq.
status() { ctl get status -o json | jq -r "$1"; }

# agent_process parent|core|healthcheck|ipvs: its process id; fails where there is none.
agent_process() { ctl get status -o json | jq -e ".processes.$1.pid | select(. > 0)"; }
# agent_restarted ROLE PID: it is another process now.
agent_restarted() {
	local now
	now=$(agent_process "$1") && [ "$now" != "$2" ]
}

# member POOL SERVER:PORT FILTER
member() {
	ctl get members -o json |
		jq -r --arg p "$1" --arg m "$2" \
			".[] | select(.pool == \$p and \"\\(.address):\\(.port)\" == \$m) | $3"
}

# Every target was probed by this run of the prober.
all_proven() { ctl get targets -o json | jq -e 'all(.[]; .proven)'; }

# table: `ipvsadm -Sn` of the director, sorted.
table() { in_box director ipvsadm -Sn | sort; }

# weight VIP:PORT SERVER:PORT: as the kernel has it; "" where it has none.
weight() {
	table | awk -v s="$1" -v d="$2" '$1 == "-a" && $3 == s && $5 == d { print $NF }'
}
has_weight() { [ "$(weight "$1" "$2")" = "$3" ]; }

# annotations ANNOTATION...: of the metadata before it.
annotations() {
	(($# > 0)) || return 0
	echo '  annotations:'
	printf '    parasaus.io/%s\n' "$@"
}

# service_alone NAME PORT [ANNOTATION...]: a NodePort Service without Endpoints.
service_alone() {
	cat <<-END
		apiVersion: v1
		kind: Service
		metadata:
		  name: $1
		  namespace: test
	END
	annotations "${@:3}"
	cat <<-END
		spec:
		  type: NodePort
		  ports:
		  - {name: web, protocol: TCP, port: $2, nodePort: $2}
	END
}

# service NAME PORT [ANNOTATION...]: a NodePort Service and its Endpoints, which are annotated;
# the members, one "ADDRESS PORT" a line, are read. To be put in place by `place`.
service() {
	local address port
	service_alone "$1" "$2"
	cat <<-END
		---
		apiVersion: v1
		kind: Endpoints
		metadata:
		  name: $1
		  namespace: test
	END
	annotations "${@:3}"
	echo subsets:
	while read -r address port; do
		printf -- '- addresses: [{ip: %s}]\n  ports: [{name: web, port: %s}]\n' \
			"$address" "$port"
	done
}

# place FILE: what it reads becomes that file of the directory, at once as a whole.
place() {
	cat >"$run/.placing"
	mv "$run/.placing" "$run/pools/$1"
}

# load_start KEEP NEW MILLISECONDS ADDRESS:PORT...: clients of both kinds, each with that
# pause between two requests, until load_stop. Its summary is then in $run/load. A request
# has failed after 10 s without an answer: a guest on a busy machine stalls for seconds.
load_start() {
	background client "$run/load" "$tools/loadclient" -k "$1" -n "$2" -i "$3" -T 10000 "${@:4}"
	load_pid=$background
}
load_stop() { end_of "$load_pid"; }
# load FILTER: of the summary, by jq.
load() { jq -r "$1" "$run/load"; }

# The first failures, with the wall clock.
load_failures() {
	load '(.start_wall - .start) as $wall | .failures[:20][] |
		"\(.t + $wall | strftime("%H:%M:%S")) \(.reason), began \(.t - .began | . * 1000 | round) ms before, last answer by \(.last_server)"'
}

poll_run() {
	background director "$run/poll" "$tools/ipvs_poll" "$@"
	poll_pid=$background
	wait_for 10 [ -s "$run/poll" ]
}
# Watches the director's IPVS table; its lines are in $run/poll.
poll_start() { poll_run -i 2; }
# poll_start_one VIP:PORT: that TCP service alone.
poll_start_one() { poll_run -i 1 -s "$1"; }
poll_stop() { end_of "$poll_pid"; }

# event NAME [WORDS...]: the time of the first such event, on the wall clock. WORDS are the
# last of the line.
event() {
	awk -v e="$1" -v words="${*:2}" '
	$2 == "clock" { offset = $3 - $1 }
	$2 == e && (words == "" || substr($0, length($0) - length(words)) == " " words) {
		printf "%.6f\n", $1 + offset
		exit
	}' "$run/poll"
}

# since A B: B - A in seconds, to the millisecond; nothing without both.
since() {
	[ -z "$1" ] || [ -z "$2" ] || awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", b - a }'
}

# Counts what anyone writes to the director's IPVS, in $run/writes.
count_start() {
	ip -n "$net-director" link add nlmon0 type nlmon
	ip -n "$net-director" link set nlmon0 up
	modprobe -q ip_vs || true
	background director "$run/count" "$tools/nlcount" nlmon0 "$run/writes"
	count_pid=$background
	wait_for 10 grep -q counting "$run/count"
}
count_stop() { end_of "$count_pid"; }
# The number of commands so far.
writes() { cut -d ' ' -f 1 "$run/writes"; }
