#!/bin/bash
# A pool of SCTP: seen in `ipvsadm`, served through the VIP with the director's address, drained
# as TCP is, and without a check of its own.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

modprobe sctp
topology_up sctp
# Answers each connection with its name and who asked, and holds it until the other end goes.
server() {
	cat >"$run/server.py" <<-'END'
		import socket, sys, threading
		s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
		s.bind((sys.argv[2], 5060))
		s.listen(16)
		print("listening", flush=True)
		def answer(c, peer):
		    c.sendall(f"{sys.argv[1]} {peer[0]}\n".encode())
		    while c.recv(100):
		        c.sendall(b"again\n")
		while True:
		    threading.Thread(target=answer, args=s.accept(), daemon=True).start()
	END
	server_add "$1" "$2"
	background "$1" "$run/$1.out" python3 "$run/server.py" "$1" "$2"
	wait_for 20 grep -q listening "$run/$1.out"
}
server s1 10.100.1.11
server s2 10.100.1.12

# pool ADDRESS...
pool() {
	local list
	list=$(printf '{ip: %s}, ' "$@")
	place sctp.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: signal, annotations: {parasaus.io/scheduler: rr, parasaus.io/drain-seconds: "20"}}
		spec: {type: NodePort, ports: [{name: m, protocol: SCTP, port: 5060, nodePort: 35060}]}
		---
		apiVersion: v1
		kind: Endpoints
		metadata: {name: signal}
		subsets: [{addresses: [${list%, }], ports: [{name: m, protocol: SCTP, port: 5060}]}]
	END
}

agent_configure "$quick_checks"
pool 10.100.1.11 10.100.1.12
agent_start
check "it is synced" agent_synced
in_box director ipvsadm -Ln >"$run/table"
note <"$run/table"
check "the frontend is of SCTP" grep -q "^SCTP $vip:35060 rr" "$run/table"
equal "ipvsadm says it as we do" "$(in_box director ipvsadm -Sn | grep -c -- "--sctp-service $vip:35060")" 3
ctl get problems >"$run/problems"
check "that nothing checks it is said" grep -q "a port of SCTP cannot be checked by tcp" "$run/problems"

# connect PORT
connect() {
	in_box client python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
s.settimeout(5)
s.connect((sys.argv[1], int(sys.argv[2])))
print(s.recv(100).decode().strip())' "$vip" "$1"
}
answers() { for _ in 1 2 3 4; do connect 35060; done | sort | uniq -c | xargs; }
equal "both serve, and see the director" "2 s1 10.100.1.1 2 s2 10.100.1.1" "$(answers)"
is_closed() { ! connect 35061; }
check "other ports of the VIP are closed" is_closed

# A connection that is held goes on while its server drains, and new ones go elsewhere.
mkfifo "$run/say" "$run/hear"
nsenter --net="/run/netns/$net-client" python3 -u -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
s.connect((sys.argv[1], 35060))
print(s.recv(100).decode().strip())
for line in sys.stdin:
    s.sendall(b"x")
    print(s.recv(100).decode().strip())' "$vip" <"$run/say" >"$run/hear" &
topology_pids+=("$!")
exec 5>"$run/say" 6<"$run/hear"
read -r held _ <&6
gone=10.100.1.1${held#s}
other=s$((3 - ${held#s}))
pool "10.100.1.1${other#s}"
drains() { in_box director ipvsadm -Ln | found "$gone:5060 .* 0 "; }
check "its server drains at weight 0" wait_for 10 drains
equal "new connections go to the other" "4 $other 10.100.1.1" "$(answers)"
echo >&5
read -r -t 5 said <&6 || said=nothing
equal "and the one that is held goes on" again "$said"
exec 5>&-
is_out() { ! in_box director ipvsadm -Ln | found "$gone:5060"; }
check "once its time is over, the server is out" wait_for 30 is_out

check "it ends when told to" agent_stop
tap_done
