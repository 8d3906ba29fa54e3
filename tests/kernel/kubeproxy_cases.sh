#!/bin/bash
# kube-proxy's own cases of its IPVS mode, as far as the kernel shows them: services, clients, drains
# and what is not ours; those of endpoints are in kubeproxy_endpoints.sh. Each is named after its origin
# in the sources of Kubernetes 1.36.3 and says what `ipvsadm`, a route or a client has to show. Where
# our rule is another one on purpose, the case states ours and a comment says why.
#
#  origin                                                     what                              where
#  test/e2e/network/
#   conntrack.go:218,481,673                                  UDP while servers change          here
#   dual_stack.go:294,330,365,401                             families                          here
#   endpoints.go:58                                           the life of Endpoints             cluster/agent_services.sh
#   endpointslice.go:458,570                                  many slices                       kubeproxy_endpoints.sh
#   endpointslicemirroring.go:55                              mirrored slices, more than 1,000  cluster/agent_slices.sh
#   endpointslicemirroring.go:207                             one address in two subsets        kubeproxy_endpoints.sh
#   service.go:733,803                                        servers of one port and of two    here
#   service.go:906                                            ports renamed and deleted         here
#   service.go:906                                            connections meanwhile             cluster/agent_services.sh
#   service.go:1125,1171                                      down, up, made again              here
#   service.go:1207                                           the agent restarted               here
#   service.go:1240                                           the API server restarted          cluster/agent_restart.sh
#   service.go:1313                                           a VIP on no interface             here
#   service.go:1350,3579                                      protocols on one port             here
#   service.go:1423,1462,1500,1540                            ExternalName                      here
#   service.go:2229                                           clients stay on their server      e2e_persistence.sh
#   service.go:2235,2251                                      affinity: timeout, on and off     here
#   service.go:2294                                           service-proxy-name                cluster/agent_drain.sh
#   service.go:2419                                           no endpoints                      here
#   service.go:2920,3149                                      all endpoints terminate           kubeproxy_endpoints.sh
#  test/integration/service/
#   loadbalancer_test.go:574                                  and SCTP                          here
#  pkg/proxy/
#   endpointschangetracker_test.go:186                        updates of slices                 kubeproxy_endpoints.sh
#   endpointslicecache_test.go:33,221                         what slices come to               kubeproxy_endpoints.sh
#   servicechangetracker_test.go:105,602                      types, headless                   here
#   ipvs/cleanup_test.go:39                                   --cleanup                         e2e_foreign.sh
#   ipvs/graceful_termination_test.go:41,105,177,249,313      servers that leave                here
#   ipvs/proxier_test.go:1209                                 weights after a restart           here
#   ipvs/proxier_test.go:1601,1654                            a VIP on no interface             here
#   ipvs/proxier_test.go:2589                                 affinity                          here
#   ipvs/proxier_test.go:3410,4000                            edits in place, ports of a VIP    here
#   ipvs/proxier_test.go:3712,3794,3864,3917                  what is not ours, and stale       here
#   ipvs/proxier_test.go:4592,4765,4937,5109                  ready, terminating, serving       kubeproxy_endpoints.sh
#  client-go/tools/cache/
#   reflector_test.go                                         watches and lists                 cluster/agent_faults.sh
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"
# shellcheck source=../lib/kubeproxy.bash
. "$here/../lib/kubeproxy.bash"

topology_up kubeproxy
for n in 1 2; do
	server_add "s$n" "10.100.1.1$n"
	server_start "s$n" "10.100.1.1$n:8080"
done
# udp_start NAME BOX ADDRESS PORT: answers with its name.
udp_start() {
	background "$2" "$run/$1.udp" python3 "$here/../lib/datagrams.py" serve "$1" "$3" "$4"
	wait_for 20 grep -q listening "$run/$1.udp"
}
udp_start u1 s1 10.100.1.11 53
udp_start u2 s2 10.100.1.12 53
udp_start u3 s2 10.100.1.12 5353
s1=10.100.1.11 s2=10.100.1.12
cases_configure
count_start

routes() { ip -n "$net-director" route show table local proto 112 | grep -cw "$vip" || true; }
routes_are() { [ "$(routes)" = "$1" ]; }
answers() { [ "$(in_box client curl -sS -m 10 "http://$vip:$1/")" = "$2" ]; }
# Told so, not left waiting: curl has codes of its own for both.
refused() {
	local rc=0
	in_box client curl -sS -m 10 "http://$vip:$1/" || rc=$?
	((rc == 7))
}
udp_refused() {
	in_box client python3 -c 'if True:
		import socket, sys
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.settimeout(10)
		s.connect((sys.argv[1], int(sys.argv[2])))
		s.send(b"?")
		try:
			s.recv(100)
		except ConnectionRefusedError:
			sys.exit(0)
		sys.exit(1)' "$vip" "$1"
}

o="proxier_test.go:4000 TestMultiPortServiceBindAddr"
svc many "$(node_ports port1/TCP/30001 port2/TCP/30002)" | place many.yaml
agent_start
check "it is synced" agent_synced
shows "$o: two ports of a VIP, the first" tcp 30001 ""
shows "$o: and the second" tcp 30002 ""
equal "$o: by one route" 1 "$(routes)"
svc many "$(node_ports port1/TCP/30001)" | place many.yaml
shows "$o: one port less" tcp 30002 absent
equal "$o: the route stays" 1 "$(routes)"
svc many "$(node_ports port1/TCP/30001 port2/TCP/30002 port3/UDP/30003)" | place many.yaml
shows "$o: ports added" udp 30003 ""
equal "$o: still by one route" 1 "$(routes)"
rm "$run/pools/many.yaml"
shows "$o: all ports deleted" udp 30003 absent
check "$o: then the route goes, too" wait_for 5 routes_are 0

o="proxier_test.go:1601 TestExternalIPsNoEndpoint"
svc basic "$(node_ports web/TCP/30011)" | place basic.yaml
shows "$o: no endpoints, and the service is there without servers" tcp 30011 ""
equal "$o: though its address is on no interface" "" \
	"$(ip -n "$net-director" -4 -o address | grep -w "$vip" || true)"
check "$o: which one route leads here" wait_for 5 routes_are 1

o='service.go:2419 "should be rejected when no endpoints exist"'
svc nobody "$(node_ports udp/UDP/30012)" | place nobody.yaml
shows "$o: a service of UDP without servers" udp 30012 ""
check "$o: TCP is refused, without a wait" refused 30011
check "$o: and so is UDP" udp_refused 30012

o='service.go:733 "should serve a basic endpoint from pods"'
web() {
	{
		svc basic "$(node_ports web/TCP/30011)" 'drain-seconds: "1"'
		ends basic "$1" web/TCP/8080
	} | place basic.yaml
}
web $s1
shows "$o: a server" tcp 30011 $s1:8080
check 'proxier_test.go:1654 TestExternalIPs, service.go:1313: a client is served at a VIP on no interface' answers 30011 s1
web "$s1 $s2"
shows "$o: a second one" tcp 30011 "$s1:8080 $s2:8080"
web $s2
shows "$o: the first one gone, after its drain" tcp 30011 $s2:8080
check "$o: the other serves" answers 30011 s2
svc basic "$(node_ports web/TCP/30011)" 'drain-seconds: "1"' | place basic.yaml
shows "$o: all gone, and the service is there" tcp 30011 ""

o='service.go:803 "should serve multiport endpoints from pods"'
{
	svc multi "$(node_ports portname1/TCP/30021 portname2/TCP/30022)"
	ends multi $s1 portname1/TCP/100 "$s1 $s2" portname2/TCP/101
} | place multi.yaml
shows "$o: those of the first port" tcp 30021 $s1:100
shows "$o: those of the second" tcp 30022 "$s1:101 $s2:101"
mark
{
	svc multi "$(node_ports renamed/TCP/30021 portname2/TCP/30022)"
	ends multi $s1 renamed/TCP/100 "$s1 $s2" portname2/TCP/101
} | place multi.yaml
seen
o='service.go:906 "should be updated after adding or deleting ports"'
writes_only "$o: a new name for a port writes nothing (but the mark)" "new-service=1 new-dest=1"
{
	svc multi "$(node_ports portname2/TCP/30022)"
	ends multi "$s1 $s2" portname2/TCP/101
} | place multi.yaml
shows "$o: a port deleted" tcp 30021 absent
shows "$o: and not the other one" tcp 30022 "$s1:101 $s2:101"

o='service.go:1171 "should work after the service has been recreated"'
again() {
	{
		svc again "$(node_ports web/TCP/30031)" 'drain-seconds: "0"'
		ends again "$1" web/TCP/8080
	} | place again.yaml
}
connections() { in_box director ipvsadm -Ln --stats --exact -t "$vip:$1" | awk '$1 == "TCP" { print $3 }'; }
again $s1
shows 'service.go:1125 "should be able to up and down services": up' tcp 30031 $s1:8080
check "$o: it serves" answers 30031 s1
at_last "$o: which is counted" 1 connections 30031
rm "$run/pools/again.yaml"
shows "service.go:1125: and down" tcp 30031 absent
again $s2
shows "$o: again, with its new server alone" tcp 30031 $s2:8080
equal "$o: and counters that begin anew" 0 "$(connections 30031)"
check "$o: it serves" answers 30031 s2

o='service.go:3579 "should serve endpoints on same port and different protocols"'
same() {
	{
		svc same "$(node_ports "$@")"
		ends same $s1 "tcp/TCP/8080" $s2 "udp/UDP/53" "$s1 $s2" "sctp/SCTP/5060"
	} | place same.yaml
}
same tcp/TCP/30041 udp/UDP/30041 sctp/SCTP/30041
shows "$o: TCP" tcp 30041 $s1:8080
shows "$o: UDP" udp 30041 $s2:53
shows "loadbalancer_test.go:574 Test_ServiceLoadBalancerMixedProtocolSetup: and SCTP" sctp 30041 "$s1:5060 $s2:5060"
mark
same tcp/TCP/30041 sctp/SCTP/30041
shows 'service.go:1350 "... same port number but different protocols": one of them deleted' udp 30041 absent
shows "service.go:1350: and not the others" tcp 30041 $s1:8080
agent_synced
equal "service.go:1350: which were not written to" "" "$(wrote | grep -oE '(new|set)-service=[0-9]+|new-dest=[0-9]+' || true)"

# typed TYPE: a Service of two ports as that type, with servers.
typed() {
	local spec
	case $1 in
	NodePort) spec=$(node_ports a/TCP/30051 b/UDP/30052) ;;
	ExternalName) spec="$(cluster_ports ExternalName a/TCP/30051 b/UDP/30052), externalName: example.org" ;;
	*) spec=$(cluster_ports "$1" a/TCP/30051 b/UDP/30052) ;;
	esac
	{ svc typed "$spec" && ends typed $s1 "a/TCP/8080 b/UDP/53"; } | place typed.yaml
	seen
}
typed ExternalName
shows "service.go:1462 ExternalName to NodePort: before" tcp 30051 absent
typed NodePort
shows "service.go:1462 ExternalName to NodePort: both ports" tcp 30051 $s1:8080
shows "service.go:1462 ExternalName to NodePort: and UDP" udp 30052 $s1:53
typed ExternalName
shows "service.go:1540 NodePort to ExternalName: nothing" tcp 30051 absent
shows "service.go:1540 NodePort to ExternalName: of UDP neither" udp 30052 absent
pools() { ctl get pools -o json | jq --arg s "$1" '[.[] | select(.service == $s)] | length'; }
# A service of type ClusterIP has no address that is ours to serve: it is a pool without a frontend.
mark
typed ClusterIP
equal "service.go:1423 ExternalName to ClusterIP: pools" 2 "$(pools typed)"
typed ExternalName
equal "service.go:1500 ClusterIP to ExternalName: none" 0 "$(pools typed)"
writes_only "service.go:1423, 1500: and nothing is written (but two marks)" "set-dest=2"

o="servicechangetracker_test.go:105 TestServiceToServiceMap"
{
	svc headless "clusterIP: None, $(cluster_ports ClusterIP rpc/UDP/30061)"
	svc headless-sctp "clusterIP: None, $(cluster_ports ClusterIP sip/SCTP/30061)"
	svc headless-portless "clusterIP: None, type: ClusterIP"
	svc cluster-ip "clusterIP: 172.16.55.4, $(cluster_ports ClusterIP p/UDP/30061)"
	svc balancer "$(cluster_ports LoadBalancer p/UDP/30061)"
	svc external-name "externalName: foo2.bar.com, clusterIP: 172.16.55.4, $(cluster_ports ExternalName p/UDP/30061)"
	for name in headless headless-sctp headless-portless cluster-ip balancer external-name; do
		slice $name-1 $name "rpc/UDP/80 sip/SCTP/80 p/UDP/80" 10.100.1.61
	done
	svc node-port "$(node_ports p/UDP/30062)"
	slice node-port-1 node-port p/UDP/80 10.100.1.61
} | place types.yaml
shows "$o: a service of type NodePort is served" udp 30062 10.100.1.61:80
# TestServiceMapUpdateHeadless is :602. Of type LoadBalancer there is nothing yet (parasaus-annotations(7)).
equal "$o, :602 headless: of headless, portless, ClusterIP, LoadBalancer, ExternalName none is" \
	"-a -u $vip:30062" "$(table | awk '/10.100.1.61:/ || /:30061 / { print $1, $2, $3 }')"

# A frontend has the family of its address pool, whatever the Service's ipFamilies say, and of its
# endpoints those of this family: there are no two frontends for one node port.
dual() { # PORT FAMILIES
	svc "dual$1" "ipFamilyPolicy: PreferDualStack, ipFamilies: [$2], $(node_ports "p/TCP/$1")"
	slice "dual$1-4" "dual$1" p/TCP/80 10.100.1.71
	slice "dual$1-6" "dual$1" p/TCP/80 2001:db8::71
}
{ dual 30071 IPv4 && dual 20071 IPv6 && dual 30072 "IPv4, IPv6" && dual 20072 "IPv6, IPv4"; } | place dual.yaml
shows 'dual_stack.go:294 "should create service with ipv4 cluster ip"' tcp 30071 10.100.1.71:80
shows 'dual_stack.go:330 "should create service with ipv6 cluster ip"' tcp "[$vip6]:20071" "[2001:db8::71]:80"
shows 'dual_stack.go:365 "... ipv4,v6 ...": at an IPv4 frontend' tcp 30072 10.100.1.71:80
shows 'dual_stack.go:401 "... ipv6,v4 ...": at an IPv6 frontend' tcp "[$vip6]:20072" "[2001:db8::71]:80"

# sync ANNOTATION...: a service of TCP and one of SCTP.
extra=""
sync() {
	{
		svc sync "$(node_ports t/TCP/30081 s/SCTP/30082)$extra" "$@"
		ends sync $s1 "t/TCP/8080 s/SCTP/5060"
	} | place sync.yaml
}
# in_place DESCRIPTION WORDS ANNOTATION...: an edit; after it the lines of both end in WORDS, by one write each.
lines() {
	table | grep -E "^-A (-t|--sctp-service) $vip:3008[12] " | sed 's/.*-s/-s/;s/ *$//' | sort -u
}
in_place() {
	mark
	sync "${@:3}"
	at_last "$1: both lines have $2" "$2" lines
	writes_only "$1: by a change of each in place" "set-service=2"
}
o="proxier_test.go:3410 Test_syncService"
sync 'scheduler: rr'
shows "$o: new, TCP" tcp 30081 $s1:8080
shows "$o: new, SCTP" sctp 30082 $s1:5060
mark
sync 'scheduler: rr'
seen
writes_only "$o: the same is not written (but the mark)" "set-dest=1"
in_place "$o: another scheduler" "-s wlc" 'scheduler: wlc'
extra=", sessionAffinity: ClientIP"
in_place 'proxier_test.go:2589 TestSessionAffinity: on, for three hours' "-s wlc -p 10800" 'scheduler: wlc'
extra+=", sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}"
in_place 'service.go:2235 "should have session affinity timeout work": another timeout' "-s wlc -p 60" 'scheduler: wlc'
extra=""
in_place 'service.go:2251 "should be able to switch session affinity": off' "-s wlc" 'scheduler: wlc'
shows "$o: with the server of before" tcp 30081 $s1:8080

# A client that asks from one port all the time, and tells whenever another one answers.
cat >"$run/asker.py" <<"END"
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("198.51.100.2", 12345))
s.settimeout(0.1)
last = None
print("asking", flush=True)
while True:
    s.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
    try:
        said = s.recv(100).split()[0].decode()
    except OSError:
        continue
    if said != last:
        print(said, flush=True)
    last = said
    time.sleep(0.02)
END
dns() {
	{
		svc dns "$(node_ports -/UDP/30091)"
		slice dns-1 dns "-/UDP/${2:-53}" "$1"
	} | place dns.yaml
}
said() { [ "$(tail -n 1 "$run/asked")" = "$1" ]; }
o='conntrack.go:481 "... when initial unready endpoints get ready"'
dns $s1=unready
shows "$o: an endpoint that is not ready is no server" udp 30091 ""
background client "$run/asked" python3 "$run/asker.py" "$vip" 30091
asker=$background
check "$o: a client asks" wait_for 10 said asking
dns $s1
check "$o: ready, it answers this client" wait_for 10 said u1
o='conntrack.go:218 "should be able to preserve UDP traffic when server pod cycles"'
dns $s2
check "$o: another server answers at the same port of the client" wait_for 10 said u2
shows "graceful_termination_test.go:249 of UDP with connections: deleted, whatever its traffic" udp 30091 $s2:53
o='conntrack.go:673 "... when UDP service target port changes"'
dns $s2 5353
check "$o: the new port answers" wait_for 10 said u3
shows "$o: and the old one is gone" udp 30091 $s2:5353
end_of "$asker"

o=graceful_termination_test.go
drain=600
going() {
	{
		svc going "$(node_ports a/TCP/30101)" "drain-seconds: \"$drain\""
		ends going "$1" a/TCP/8080 "${@:2}"
	} | place going.yaml
}
idle() {
	{
		svc idle "$(node_ports a/TCP/30102)"
		ends idle "$1" a/TCP/8080
	} | place idle.yaml
}
# has_connections ACTIVE INACTIVE: of s1, as awk compares them.
has_connections() {
	in_box director ipvsadm -Ln -t "$vip:30101" |
		awk -v r="$s1:8080" "\$2 == r && \$5 $1 && \$6 $2 { n++ } END { exit !n }"
}
going "$s1 $s2"
idle "$s1 $s2"
shows "$o: two servers" tcp 30101 "$s1:8080 $s2:8080"
shows "$o: two more, without connections" tcp 30102 "$s1:8080 $s2:8080"
idle $s2
# Within a second or two, not at once: the kernel is asked first, and weighed 0 meanwhile.
shows "$o:41 without a connection: deleted" tcp 30102 $s2:8080
load_start 4 0 50 "$vip:30101"
check "$o:105 it has active connections" wait_for 10 has_connections '> 0' '>= 0'
going $s2
shows "$o:105 with active connections: weight 0, and there" tcp 30101 "$s1:8080=0 $s2:8080"
mark
going $s2 10.100.1.77 a/TCP/81
shows "$o:313 another port of another server comes" tcp 30101 "$s1:8080=0 $s2:8080 10.100.1.77:81"
going $s2
shows "$o:313 and goes: what does not match stays as it is" tcp 30101 "$s1:8080=0 $s2:8080"
check "$o:313 and holds its connections" has_connections '> 0' '>= 0'
# kube-proxy deletes it and adds it anew, which ends its connections.
mark
going "$s1 $s2"
shows "graceful_termination.go:32 put back while it drains: its weight" tcp 30101 "$s1:8080 $s2:8080"
writes_only "graceful_termination.go:32: in place" "set-dest=1"
going $s2
shows "$o:105 removed again" tcp 30101 "$s1:8080=0 $s2:8080"
load_stop
equal "$o:105 no request was lost" 0 "$(load .failed)"
load_failures | note
check "$o:177 only inactive connections are left" wait_for 10 has_connections '== 0' '> 0'
shows "$o:177 with inactive connections: weight 0, and there" tcp 30101 "$s1:8080=0 $s2:8080"
# Not for ever, as with kube-proxy: drain-seconds is the most, as it was when the server left.
drain=1
going "$s1 $s2"
shows "$o:177 put back" tcp 30101 "$s1:8080 $s2:8080"
going $s2
shows "$o:177 with inactive connections, removed for drain-seconds at most" tcp 30101 $s2:8080

o="proxier_test.go:3712 TestCleanLegacyService"
foreign="-A -t $vip:80 -s rr
-A -u 3.3.3.3:55 -s rr
-A -u [$vip6]:55 -s rr
-A -u [3000::1]:55 -s rr
-a -t $vip:80 -r 10.10.10.10:56 -m -w 1
-a -u 3.3.3.3:55 -r 10.10.10.10:56 -m -w 0
-a -u [$vip6]:55 -r [4000::1]:56 -m -w 3"
others() { table | grep -E " ($vip:80|3\.3\.3\.3:55|\[$vip6\]:55|\[3000::1\]:55) "; }
in_box director ipvsadm -R <<<"$foreign"
stale="-A -u $vip:31053 -s rr
-A -u [$vip6]:21053 -s rr
-a -u $vip:31053 -r 10.180.0.1:53 -m -w 1"
in_box director ipvsadm -R <<<"$stale"
in_box director ipvsadm -a -t "$vip:30022" -r 10.180.0.1:101 -m
stale="proxier_test.go:3794 TestCleanLegacyServiceWithRealServers"
shows "$stale: one in our ports that nobody declared goes with its servers" udp 31053 absent
shows "proxier_test.go:3917 TestCleanLegacyService6: of IPv6, too" udp "[$vip6]:21053" absent
shows "$stale: and so does a server in a service of ours" tcp 30022 "$s1:101 $s2:101"
equal "$o, :3864 ExcludeCIDRs, :3917 IPv6: what others have is as it was" "$(sort <<<"$foreign")" "$(others)"

o='service.go:1207 "should work after restarting kube-proxy"'
again $s1
shows "$o: as it was before" tcp 30031 $s1:8080
agent_synced
kept=$(table | grep -E ":(30022|30041|30081|30101) ")
poll_start
agent_kill
in_box director ipvsadm -e -t "$vip:30022" -r $s1:101 -m -w 0
again $s2
rm "$run/pools/idle.yaml"
svc late "$(node_ports web/TCP/30111)" | place late.yaml
agent_start
check "$o: it is synced" agent_synced
shows "$o: a server changed meanwhile" tcp 30031 $s2:8080
shows "$o: a service deleted meanwhile" tcp 30102 absent
shows "$o: and one made meanwhile" tcp 30111 ""
shows "proxier_test.go:1209 Test_syncEndpoint_updateWeightsOnRestart: 0 at the start is what is declared" \
	tcp 30022 "$s1:101 $s2:101"
poll_stop
equal "$o: the others are as they were" "$kept" "$(table | grep -E ":(30022|30041|30081|30101) ")"
equal "$o: none was ever missing" "" "$(grep service-gone "$run/poll" | grep -v ":30102" || true)"
flushes() { tr ' ' '\n' <"$run/writes" | grep '^flush=' || true; }
equal "proxier.go, cleanup.go: nobody ever flushed the table" "" "$(flushes)"

o="cleanup.go:80 ipvs.Flush"
agent_synced
mine=$(table | grep -vE " ($vip:80|3\.3\.3\.3:55|\[$vip6\]:55|\[3000::1\]:55) ")
in_box director ipvsadm -C
repaired() { [ "$(table)" = "$mine" ]; }
check "$o by another program: ours is there again, and all of it" wait_for 10 repaired
equal "$o: which was the only flush" "flush=1" "$(flushes)"
check "it ends when told to" agent_stop
tap_done
