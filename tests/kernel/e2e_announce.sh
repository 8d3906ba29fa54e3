#!/bin/bash
# Two agents whose configurations say who owns the VIPs: they change hands by a restart of both.
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/announce_net.bash

build=${PARASAUS_BUILD:-$PWD/build/release}
vip=10.1.0.50
declare -A agent

mkdir -p $work/pools
cat >$work/pools/web.yaml <<X
apiVersion: v1
kind: Service
metadata: {name: web, annotations: {parasaus.io/health-check-type: none}}
spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: web}
subsets: [{addresses: [{ip: 10.1.0.1}], ports: [{port: 80}]}]
X
ctl() { "$build/parasausctl" -s "$work/$1.sock" "${@:2}"; }

# start_agent NS OWNER: returns when the kernel is as it should be.
start_agent() {
	cat >"$work/$1.yaml" <<X
node: $1
stateDirectory: $work/state-$1
addressPools: [{name: lan, addresses: [$vip], ports: 30000-30999}]
announce: {mode: owner, owners: [{node: $2}]}
sources: [{directory: $work/pools}]
api: {socket: $work/$1.sock}
X
	nsenter --net="/run/netns/$1" "$build/parasausd" -c "$work/$1.yaml" >>"$work/$1.log" 2>&1 &
	agent[$1]=$!
	soon test -S "$work/$1.sock"
	ctl "$1" wait --synced --timeout 60 >/dev/null
}
# stop_agent NS SIGNAL
stop_agent() {
	kill "-$2" "${agent[$1]}"
	wait "${agent[$1]}" 2>/dev/null
}
silent() { at "$1" nft list set arp parasaus silent4 | grep -q "$vip"; }
reaches() { # the client's ping comes to a director and an answer back
	at client ping -q -c 1 -W 5 "$vip" >/dev/null && has_learned "$1" "$vip"
}

start_agent a a
start_agent b a
check "the owner answers" soon reaches a
check "the other is silent" silent b
check "and it alone" answer_is a $vip
check "the client knows it" reaches a
forget_told

stop_agent a TERM
check "an agent that ends leaves the VIP answered for" answer_is a $vip
start_agent a a
check "and so does one that comes back" answer_is a $vip
stop_agent a KILL
check "or is killed" answer_is a $vip
start_agent a a

# It changes hands.
check "before it changes hands the client knows the owner" reaches a
stop_agent b TERM
stop_agent a TERM
start_agent a b
check "the old owner is silent" silent a
check "the client still sends to it" has_learned a $vip
forget_told
start_agent b b
answers_again() { ! silent b; }
check "the new owner is not silent" soon answers_again
check "the client learns of the new owner without asking" soon has_learned b $vip
# Told, not judged: most of it is the time of looking.
echo "# from there to the client's knowing: $took ms"
check "the packets get there" reaches b
check "and the new owner alone answers" answer_is b $vip
told_is() { [ "$(told)" = "$1" ]; }
check "told twice, by a request and a reply" soon told_is "2 2"

# The sandbox had nothing to say.
check "no process was ended by its filter" \
	sh -c "! grep -i 'signal\|killed\|cannot' $work/b.log"
for ns in a b; do
	stop_agent $ns TERM
	nsenter --net=/run/netns/$ns "$build/parasausd" -c $work/$ns.yaml --cleanup >"$work/cleanup" 2>&1
done
check "cleanup takes the ARP table away" grep -q 'table arp parasaus' "$work/cleanup"
check "and nobody answers" answer_is "" $vip
finish
