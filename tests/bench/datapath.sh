#!/bin/bash
# What passes through the director: requests a second over kept connections, and new connections
# a second, by IPVS (nat with and without masquerade, dr) as the agent sets it up, beside haproxy
# (mode tcp) and nginx (stream) in the same director before the same servers
# (deploy/install-deps bench). All in turn, ROUNDS times; medians, and how many times those of the
# two proxies they are.
#
#   SECONDS_EACH=N CLIENTS=N ROUNDS=N
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

seconds=${SECONDS_EACH:-5} clients=${CLIENTS:-16} rounds=${ROUNDS:-3}
for program in haproxy nginx wrk; do
	command -v $program >/dev/null ||
		{ echo "datapath: $program is not installed (deploy/install-deps bench)"; exit 0; }
done

topology_up path
# Answers without masquerade pass the director; those of dr go the client's own way to the lan.
wire client lan0 lan client
ip -n "$net-lan" link set client master br0
ip -n "$net-client" address add 10.100.1.200/24 dev lan0
in_box client sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.lan0.rp_filter=0
for n in 1 2; do
	server_add "s$n" "10.100.1.1$n"
	ip -n "$net-s$n" address add "$vip/32" dev lo
	in_box "s$n" sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
	server_start "s$n" "10.100.1.1$n:8080" "$vip:30083"
done
ways() { # DEVICE-ADDRESS: the servers' way to the client
	for n in 1 2; do
		ip -n "$net-s$n" route replace 198.51.100.0/24 via "$1"
	done
}

# pool NAME NODEPORT PORT [ANNOTATION...]
pool() {
	cat >"$run/pools/$1.yaml" <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: $1, annotations: {parasaus.io/scheduler: rr${4:+, $4}}}
		spec: {type: NodePort, ports: [{port: $3, nodePort: $2}]}
		---
		apiVersion: v1
		kind: Endpoints
		metadata: {name: $1}
		subsets: [{addresses: [{ip: 10.100.1.11}, {ip: 10.100.1.12}], ports: [{port: $3}]}]
	END
}
# shellcheck disable=SC2119 # none are added
agent_configure
pool masquerade 30081 8080
pool plain 30082 8080 'parasaus.io/snat: none'
pool dr 30083 30083 'parasaus.io/forwarding: dr, parasaus.io/health-check-type: none'
agent_start
agent_synced

cat >"$run/haproxy.cfg" <<END
global
  maxconn 4096
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen web
  bind 198.51.100.1:7001
  server s1 10.100.1.11:8080
  server s2 10.100.1.12:8080
END
cat >"$run/nginx.conf" <<END
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
worker_processes auto;
pid $run/nginx.pid;
error_log $run/nginx.log;
events { worker_connections 4096; }
stream {
  upstream web { server 10.100.1.11:8080; server 10.100.1.12:8080; }
  server { listen 198.51.100.1:7002; proxy_pass web; }
}
END
background director "$run/haproxy.out" haproxy -db -f "$run/haproxy.cfg"
background director "$run/nginx.out" nginx -c "$run/nginx.conf" -g 'daemon off;'

answers() { in_box client curl -sf -m 2 -o /dev/null "http://$1/"; }
# measure ADDRESS [OPTION...]: answers a second; fails if one did not come.
measure() {
	local said
	said=$(in_box client wrk -t 2 -c "$clients" -d "${seconds}s" "${@:2}" "http://$1/")
	if grep -qE 'Socket errors: connect [1-9]|timeout [1-9]|Non-2xx' <<<"$said"; then
		echo "datapath: $1: $said" >&2
		return 1
	fi
	awk '/^Requests\/sec/ { print $2 }' <<<"$said"
}
# one NAME ADDRESS WAY
one() {
	ways "$3"
	wait_for 20 answers "$2"
	echo "$1 $(measure "$2") $(measure "$2" -H 'Connection: close')" >>"$run/figures"
}

for ((round = 0; round < rounds; round++)); do
	one haproxy 198.51.100.1:7001 10.100.1.1
	one nginx 198.51.100.1:7002 10.100.1.1
	one masquerade "$vip:30081" 10.100.1.1
	one plain "$vip:30082" 10.100.1.1
	one dr "$vip:30083" 10.100.1.200
done
in_box director ipvsadm -Ln --stats >"$run/stats"
grep -qE 'TCP +192.0.2.10:3008[123] +[1-9]' "$run/stats" || { cat "$run/stats"; exit 1; }

median() { awk -v n="$1" -v f="$2" '$1 == n { print $f }' "$run/figures" | sort -n |
	awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
for what in "2 requests over kept connections" "3 new connections"; do
	field=${what%% *}
	haproxy=$(median haproxy "$field") nginx=$(median nginx "$field")
	for way in haproxy nginx masquerade plain dr; do
		awk -v w="$way" -v v="$(median "$way" "$field")" -v h="$haproxy" -v n="$nginx" -v t="${what#* }" \
			'BEGIN { printf "datapath, %s, %-10s %8.0f a second, %4.1f x haproxy, %4.1f x nginx\n", t, w, v, v / h, v / n }'
	done
done
