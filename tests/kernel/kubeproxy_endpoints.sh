#!/bin/bash
# kube-proxy's own cases of endpoints, as far as the kernel shows them: as kubeproxy_cases.sh, which
# has a table of all there are.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"
# shellcheck source=../lib/kubeproxy.bash
. "$here/../lib/kubeproxy.bash"

rows() { "$here/../lib/endpoint_rows.py" "$@"; }
# rows_place NAME STEP BASE PROTOCOL
rows_place() { rows manifests "$run/$1.rows" "$2" "$vip" "$3" "$4" | place "$1.json"; }
# rows_show NAME STEP BASE: what the kernel has for each row is $run/NAME.got; as wanted?
rows_show() {
	table | rows shown "$run/$1.rows" "$2" "$vip" "$3" >"$run/$1.got"
	cmp -s "$run/$1.want" "$run/$1.got"
}
# rows_become PREFIX NAME STEP BASE: at last; a test for each row.
rows_become() {
	local name want got
	rows wanted "$run/$2.rows" "$3" >"$run/$2.want"
	wait_for 20 rows_show "$2" "$3" "$4" 2>/dev/null || true
	while IFS="|" read -r name want && IFS="|" read -r _ got <&7; do
		equal "$1$name" "$want" "$got"
	done <"$run/$2.want" 7<"$run/$2.got"
}

topology_up endpoints
server_add s1 10.100.1.11
server_start s1 10.100.1.11:8080
cases_configure
count_start

# What endpoints come to. Of one that is given twice the better one counts. What terminates is a server
# where it still serves and nothing is ready. Which node endpoints are on (:4765, :5109 Local) is in
# e2e_policy.sh.
cat >"$run/esc.rows" <<-END
	endpointslice.go:458 "... multiple ports specified in multiple EndpointSlices"
	| s/1 10.0.1.1 p80:8090; s/2 10.0.1.1 p81:9090 | p80=10.0.1.1:8090 p81=10.0.1.1:9090
	endpointslice.go:570 "... multiple endpoint IPs specified in multiple EndpointSlices"
	| s/1 10.0.1.1 p80:8090; s/2 10.0.1.2 p81:8090 | p80=10.0.1.1:8090 p81=10.0.1.2:8090
	endpointslicecache_test.go:40 1 slice, 2 hosts, ports 80,443
	| s/1 10.0.1.1,10.0.1.2,10.0.1.3 p80:80,p81:443 | p80=10.0.1.1:80,10.0.1.2:80,10.0.1.3:80 p81=10.0.1.1:443,10.0.1.2:443,10.0.1.3:443
	endpointslicecache_test.go:59 2 slices, same port
	| s/1 10.0.1.1,10.0.1.2 p80:80; s/2 10.0.2.1,10.0.2.2 p80:80 | p80=10.0.1.1:80,10.0.1.2:80,10.0.2.1:80,10.0.2.2:80
	endpointslicecache_test.go:78 2 overlapping slices, same port
	| s/1 10.0.1.1,10.0.1.2 p80:80; s/2 10.0.1.1,10.0.1.2,10.0.1.3 p80:80 | p80=10.0.1.1:80,10.0.1.2:80,10.0.1.3:80
	endpointslicecache_test.go:97 ... some endpoints unready in 1 or both
	| s/1 10.0.1.1=unready,10.0.1.2,10.0.1.3=unready p80:80; s/2 10.0.1.1,10.0.1.2=unready,10.0.1.3=unready p80:80 | p80=10.0.1.1:80,10.0.1.2:80
	endpointslicecache_test.go:119 ... some endpoints unready and some endpoints terminating
	| s/1 10.0.1.1=unready,10.0.1.2,10.0.1.3=terminating p80:80; s/2 10.0.1.1,10.0.1.2=terminating,10.0.1.3=terminating p80:80 | p80=10.0.1.1:80,10.0.1.2:80
	endpointslicecache_test.go:140 ... all unready
	| s/1 10.0.1.1=unready,10.0.1.2=unready p80:80; s/2 10.0.1.1=unready,10.0.1.2=unready p80:80 | p80=
	endpointslicecache_test.go:161 3 slices with different services
	| s/1 10.0.1.1 p80:80; t/2 10.0.2.1 p81:80 | p80=10.0.1.1:80 p81=10.0.2.1:80
	endpointslicecache_test.go:179 Nil port should not break anything
	| s/1 10.0.1.1,10.0.1.2 p80: | p80=
	endpointslicecache_test.go:188, :266 Different endpoints with duplicate IPs should not be filtered
	| s/1 10.0.1.1,10.0.1.2 p80:80; s/2 10.0.1.1,10.0.1.2 p80:8080 | p80=10.0.1.1:80,10.0.1.1:8080,10.0.1.2:80,10.0.1.2:8080
	endpointslicecache_test.go:228 simple use case with 3 endpoints
	| s/1 10.0.1.1,10.0.1.2,10.0.1.3 p80:80 | p80=10.0.1.1:80,10.0.1.2:80,10.0.1.3:80
	endpointslicecache_test.go:314 with duplicate Endpoints, prefer non-terminating
	| s/1 10.0.1.1=terminating,10.0.1.1,10.0.1.1=ending p80:80 | p80=10.0.1.1:80
	proxier_test.go:4592 Test_EndpointSliceReadyAndTerminatingCluster
	| s/1 10.0.1.1,10.0.1.2,10.0.1.3=terminating,10.0.1.4=ending,10.0.1.5 p80:80 | p80=10.0.1.1:80,10.0.1.2:80,10.0.1.5:80
	proxier_test.go:4937 Test_EndpointSliceOnlyReadyAndTerminatingCluster
	| s/1 10.0.1.1=terminating,10.0.1.2=terminating,10.0.1.3=ending,10.0.1.4=terminating,10.0.1.5=unready p80:80 | p80=10.0.1.1:80,10.0.1.2:80,10.0.1.4:80
END
rows_place esc 1 31000 TCP
agent_start
check "it is synced" agent_synced
rows_become "" esc 1 31000

# Updates of slices: each row is before and after, and all are made at a time. They are of UDP, as there,
# where a server leaves with its traffic. "no change" is no write: only what was added and removed is
# written (a removal is weight 0 first, so that answers under way come through). Not here is "empty".
cat >"$run/map.rows" <<-END
	no change, unnamed port
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	no change, named port, local
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11
	no change, multiple slices
	| a/1 10.1.1.1 p11:11; a/2 10.1.1.2 p12:12 | p11=10.1.1.1:11 p12=10.1.1.2:12
	| a/1 10.1.1.1 p11:11; a/2 10.1.1.2 p12:12 | p11=10.1.1.1:11 p12=10.1.1.2:12
	no change, multiple slices, multiple ports, local
	| a/1 10.1.1.1 p11:11,p12:12; a/2 10.1.1.3 p13:13 | p11=10.1.1.1:11 p12=10.1.1.1:12 p13=10.1.1.3:13
	| a/1 10.1.1.1 p11:11,p12:12; a/2 10.1.1.3 p13:13 | p11=10.1.1.1:11 p12=10.1.1.1:12 p13=10.1.1.3:13
	no change, multiple services, slices, IPs, and ports
	| a/1 10.1.1.1,10.1.1.2 p11:11,p12:12; a/2 10.1.1.3,10.1.1.4 p13:13; b/1 10.2.2.1,10.2.2.2 p21:21 | p11=10.1.1.1:11,10.1.1.2:11 p12=10.1.1.1:12,10.1.1.2:12 p13=10.1.1.3:13,10.1.1.4:13 p21=10.2.2.1:21,10.2.2.2:21
	| a/1 10.1.1.1,10.1.1.2 p11:11,p12:12; a/2 10.1.1.3,10.1.1.4 p13:13; b/1 10.2.2.1,10.2.2.2 p21:21 | p11=10.1.1.1:11,10.1.1.2:11 p12=10.1.1.1:12,10.1.1.2:12 p13=10.1.1.3:13,10.1.1.4:13 p21=10.2.2.1:21,10.2.2.2:21
	add an EndpointSlice
	| | -=
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	remove an EndpointSlice
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	| | -=
	add an IP and port
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11 p12=
	| a/1 10.1.1.1,10.1.1.2 p11:11,p12:12 | p11=10.1.1.1:11,10.1.1.2:11 p12=10.1.1.1:12,10.1.1.2:12
	remove an IP and port
	| a/1 10.1.1.1,10.1.1.2 p11:11,p12:12 | p11=10.1.1.1:11,10.1.1.2:11 p12=10.1.1.1:12,10.1.1.2:12
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11 p12=
	add a slice to an endpoint
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11 p12=
	| a/1 10.1.1.1 p11:11; a/2 10.1.1.2 p12:12 | p11=10.1.1.1:11 p12=10.1.1.2:12
	remove a slice from an endpoint
	| a/1 10.1.1.1 p11:11; a/2 10.1.1.2 p12:12 | p11=10.1.1.1:11 p12=10.1.1.2:12
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11 p12=
	rename a port
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11 p12=
	| a/1 10.1.1.1 p12:11 | p11= p12=10.1.1.1:11
	renumber a port
	| a/1 10.1.1.1 p11:11 | p11=10.1.1.1:11
	| a/1 10.1.1.1 p11:22 | p11=10.1.1.1:22
	complex add and remove
	| a/1 10.1.1.1 p11:11; b/1 10.2.2.2,10.2.2.22 p22:22; b/2 10.2.2.3 p23:23; d/1 10.4.4.4,10.4.4.5 p44:44; d/2 10.4.4.6 p45:45 | p11=10.1.1.1:11 p12= p122= p22=10.2.2.2:22,10.2.2.22:22 p23=10.2.2.3:23 p33= p44=10.4.4.4:44,10.4.4.5:44 p45=10.4.4.6:45
	| a/1 10.1.1.1,10.1.1.11 p11:11; a/2 10.1.1.2 p12:12,p122:122; c/1 10.3.3.3 p33:33; d/1 10.4.4.4 p44:44 | p11=10.1.1.1:11,10.1.1.11:11 p12=10.1.1.2:12 p122=10.1.1.2:122 p22= p23= p33=10.3.3.3:33 p44=10.4.4.4:44 p45=
	change from 0 endpoint address to 1 unnamed port
	| a/1 none -:11 | -=
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	change from ready to terminating pod
	| a/1 10.1.1.1 -:11 | -=10.1.1.1:11
	| a/1 10.1.1.1=terminating -:11 | -=10.1.1.1:11
	change from terminating to empty pod
	| a/1 10.1.1.1=terminating -:11 | -=10.1.1.1:11
	| a/1 none -:11 | -=
END
o="endpointschangetracker_test.go:186 TestUpdateEndpointsMap"
rows_place map 1 40000 UDP
rows wanted "$run/map.rows" 1 >"$run/map.want"
check "$o: before, each is there" wait_for 20 rows_show map 1 40000
mark
rows_place map 2 40000 UDP
rows_become "$o: " map 2 40000
writes_only "$o: by no other writes than those" "new-dest=12 set-dest=13 del-dest=13"

o='endpointslicemirroring.go:207 "... multiple subsets and same IP address"'
# custom [CMD]: and what that says.
custom() {
	{
		svc custom "$(node_ports port80/TCP/30001 port81/TCP/30002)"
		ends custom 10.0.1.1 port80/TCP/8090 10.0.1.1 port81/TCP/9090
		"$@"
	} | place custom.yaml
}
custom
shows "$o: Endpoints alone" tcp 30001 10.0.1.1:8090
shows "$o: on both ports" tcp 30002 10.0.1.1:9090
mirrored() {
	slice custom-1 custom port80/TCP/8090 10.0.1.1
	slice custom-2 custom port81/TCP/9090 10.0.1.1
}
mark
custom mirrored
seen
writes_only "$o: mirrored as slices, they are the same, and nothing is written (but the mark)" "new-service=1 new-dest=1"
shows "$o: each once" tcp 30001 10.0.1.1:8090

o='service.go:2920 "should fallback to terminating endpoints ..."'
web() {
	{
		svc web "$(node_ports web/TCP/30011)" 'drain-seconds: "600"'
		slice web-1 web web/TCP/8080 "$@"
	} | place web.yaml
}
answers() { [ "$(in_box client curl -sS -m 10 "http://$vip:30011/")" = s1 ]; }
refused() {
	local rc=0
	in_box client curl -sS -m 10 "http://$vip:30011/" || rc=$?
	((rc == 7))
}
has_connections() {
	in_box director ipvsadm -Ln -t "$vip:30011" |
		awk '$2 == "10.100.1.11:8080" && $5 > 0 { n++ } END { exit !n }'
}
web 10.100.1.11
shows "$o: ready" tcp 30011 10.100.1.11:8080
check "$o: it serves" answers
load_start 2 0 50 "$vip:30011"
check "$o: it has connections" wait_for 10 has_connections
web 10.100.1.11=terminating 10.100.1.12=ending
shows "$o: terminating, and the only one that serves: as it was" tcp 30011 10.100.1.11:8080
check "$o: it goes on serving" answers
web 10.100.1.11=ending
shows "$o: serving no more: weight 0, and there" tcp 30011 10.100.1.11:8080=0
check "$o: new connections are refused" refused
web 10.100.1.11
shows "$o: ready once more: with its weight" tcp 30011 10.100.1.11:8080
load_stop
equal "$o: connections of before lost no request" 0 "$(load .failed)"
load_failures | note
check "$o: and new ones are served" answers
rm "$run/pools/web.yaml" "$run/pools/map.json" "$run/pools/esc.json"
check "it ends when told to" agent_stop
tap_done
