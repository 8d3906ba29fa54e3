#!/bin/bash
# Beside kube-proxy in one network namespace, in each of its modes: neither takes the
# other's services, and what kube-proxy flushes is repaired.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_cluster.sh
. "$here/../lib/topology_cluster.sh"

label=service.kubernetes.io/service-proxy-name
cluster_agent kubeproxy "" "audit: 3"
server_add s1 10.100.1.11
server_start s1 10.100.1.11:8080
server_add s2 10.100.1.12
server_start s2 10.100.1.12:8080

# ours is labelled, kube-proxy leaves it alone; theirs is not, and both serve it: we at the VIP,
# kube-proxy at the node's addresses.
service ours 30001 'health-check-type: none' <<<'10.100.1.11 8080' | apply
patch Service ours "{\"metadata\": {\"labels\": {\"$label\": \"parasaus\"}}}"
service theirs 30002 'health-check-type: none' <<<'10.100.1.12 8080' | apply
service counted 30003 'health-check-type: none' <<<'10.100.1.12 8080' | apply
slice counted-1 counted 8080 <<<10.100.1.12 | apply
slice ours-1 ours 8080 <<<10.100.1.11 | apply
slice theirs-1 theirs 8080 <<<10.100.1.12 | apply
answers() { [ "$(in_box client curl -sS -m 2 "http://$1/")" = "$2" ]; }
check "alone, it serves both at the VIP" wait_for 20 answers "$vip:30002" s2
mine=$(table)
at_vip() { table | grep "$vip:"; }
kept() { [ "$(at_vip)" = "$(grep "$vip:" <<<"$mine")" ]; }

# Connections that IPVS has counted so far for a service at the VIP; it adds up every two seconds.
connections() { in_box director ipvsadm -Ln --stats --exact | awk -v s="$1" '$2 == s { print $3 }'; }
has_connections() { [ "$(connections "$1")" = "$2" ]; }
# through_ipvs BOX NUMBER: a thousand connections from there to what kube-proxy would take as
# well; IPVS has then had so many.
through_ipvs() {
	local answered
	answered=$(in_box "$1" curl -s -m 120 -H 'Connection: close' "http://$vip:30003/[1-1000]" | grep -cx s2 || true)
	equal "from the $1: of 1,000 requests to the VIP are answered" 1000 "$answered"
	wait_for 10 has_connections "$vip:30003" "$2" || true
	equal "from the $1: and go through IPVS, which has had" "$2" "$(connections "$vip:30003")"
}

# beside MODE [OPTION...]: kube-proxy comes, works, and goes.
beside() {
	local rc=0
	kubeproxy_start "$@"
	wait_for 120 kubeproxy_ready || rc=$?
	result $rc "$1: kube-proxy is there" "$run/kube-proxy.err"
	check "$1: it serves its service at the node's address" wait_for 120 answers 10.100.1.1:30002 s2
	check "$1: what is ours is there, or there again within an audit" wait_for 10 kept
	check "$1: the VIP serves ours" wait_for 5 answers "$vip:30001" s1
	check "$1: and theirs" wait_for 5 answers "$vip:30002" s2
	if [ "$1" = iptables ]; then # whose rule takes node ports at every address of the node
		through_ipvs client 1000
		through_ipvs director 2000
	fi
	patch Endpoints ours '{"metadata": {"annotations": {"parasaus.io/weight": "4"}}}'
	check "$1: a change of ours comes through" wait_for 10 has_weight "$vip:30001" 10.100.1.11:8080 4
	patch Endpoints ours '{"metadata": {"annotations": {"parasaus.io/weight": "1"}}}'
	check "$1: and back" wait_for 10 has_weight "$vip:30001" 10.100.1.11:8080 1
	kubeproxy_stop
}
# What it leaves behind is taken away by itself.
swept() {
	in_box director "$CLUSTER_BIN/kube-proxy" --cleanup >"$run/kube-proxy.cleanup" 2>&1 || true
}

beside iptables
swept
check "kube-proxy --cleanup flushes IPVS: repaired" wait_for 15 kept
beside ipvs --nodeport-addresses primary --ipvs-exclude-cidrs "$vip/32"
swept
check "and once more" wait_for 15 kept
agent_synced
beside nftables
for n in 1 2 3 4 5 6 7 8 9 10; do
	agent_synced
	repairs=$(status .repairs)
	kubeproxy_start nftables
	wait_for 120 kubeproxy_ready || note "kube-proxy does not come up"
	check "nftables, start $n: what it flushed is whole again within an audit" wait_for 4 kept
	at_least "nftables, start $n: and was counted" "$((repairs + 1))" "$(status .repairs)"
	kubeproxy_stop
done
swept

# In ipvs mode without excludeCIDRs it deletes what it does not know, every 30 s: told as an error,
# not fought.
kubeproxy_start ipvs --nodeport-addresses primary
wait_for 120 kubeproxy_ready || note "kube-proxy does not come up"
told() { ctl get problems | found 'excludeCIDRs has to hold the VIPs'; }
check "ipvs without excludeCIDRs: it is told as a problem" wait_for 120 told
equal "of each service" 3 "$(ctl get problems -o json | jq '[.[] | select(.text | test("excludeCIDRs"))] | length')"
quiet=$(status .kernelWrites)
a_while=$((SECONDS + 20))
over() { ((SECONDS >= a_while)); }
wait_for 30 over
equal "and not fought: nothing is written" "$quiet" "$(status .kernelWrites)"
kubeproxy_stop
swept
check "when it is gone, ours is there" wait_for 30 kept
check "and it is in agreement" agent_synced
tap_done
