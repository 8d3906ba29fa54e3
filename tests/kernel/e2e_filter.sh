#!/bin/bash
# What a system call filter is for: the roles are made to issue calls, by ptrace, as somebody would who
# got his code into them. In healthcheck and ipvs a call that is not theirs ends that process
# and nothing else: it is started again, told everything, and the kernel is not written to.
# In core it fails. Nothing that was tried has happened.
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=../lib/tap.sh
. "$here/../lib/tap.sh"
# shellcheck source=../lib/topology_agent.sh
. "$here/../lib/topology_agent.sh"

[ "$(uname -m)" = x86_64 ] || skip_all "tools/inject is for x86_64"
topology_up filter
server_add s1 10.100.1.11
server_add s2 10.100.1.12
server_start s1 10.100.1.11:8080
server_start s2 10.100.1.12:8080
agent_configure "$quick_checks" "user: nobody"
# Nothing listens at the third.
pool() {
	printf '%s 8080\n' 10.100.1.11 10.100.1.12 10.100.1.1 |
		service "web-$1" "$1" "health-check-type: $2" | place "$1.yaml"
}
pool 30081 http
pool 30082 tcp
dead=10.100.1.1:8080
out() { ! table | grep -F "$dead" | grep -v -- '-w 0$'; }
gone() { ! table | grep -F "$dead"; }
quiet() { ctl wait --synced --timeout 0.2 && all_proven; }
# Of each member what must not change.
members() { ctl get members -o json | jq -S 'map({pool, address, port, state, weight})'; }
# processes [ROLE]: the ids of all, without ROLE's.
processes() { status "[.processes | to_entries[] | select(.key != \"${1:-}\") | \"\(.key) \(.value.pid)\"] | join(\" \")"; }

chmod 755 "$run" "$run/pools"
count_start
agent_start
check "it is synced" wait_for 120 agent_synced
if ! grep -q '^Seccomp:.2$' "/proc/$(agent_process healthcheck)/status"; then
	skip "roles that are confined" "built without the filter, for a sanitizer"
	tap_done
	exit 0
fi
check "every target was probed" wait_for 15 all_proven
check "the dead one is out" wait_for 15 out
check "and after half a minute gone" wait_for 45 gone
check "it is synced again" agent_synced

injected() { "$tools/inject" "$(agent_process "$1")" "${@:2}"; }
deaths() { grep -c "$1 was killed by signal 31 (Bad system call); starting it again" "$run/agent.log" || true; }
one_more() { [ "$(deaths "$1")" -gt "$2" ]; }

# is_fatal ROLE CALL [ARG...]
is_fatal() {
	local role=$1 pid others dead_so_far said rc=0
	pid=$(agent_process "$role")
	others=$(processes "$role")
	dead_so_far=$(deaths "$role")
	said=$("$tools/inject" "$pid" "${@:2}")
	wait_for 10 one_more "$role" "$dead_so_far" || rc=1   # the parent says so
	wait_for 15 agent_restarted "$role" "$pid" && wait_for 15 quiet || rc=1
	[ "$said" = "killed by signal 31 (Bad system call)" ] || rc=1
	[ "$(processes "$role")" = "$others" ] || rc=1
	[ "$(members)" = "$members" ] || rc=1
	[ "$(table)" = "$table" ] || rc=1
	[ "$(writes)" = "$writes" ] || rc=1
	result $rc "$role dies of $2(${*:3}), alone, is started again, and nothing else changes"
	((rc == 0)) || note "it $said"
}

# fails CALL [ARG...]: in core.
fails() { equal "core may not $1(${*:2})" "errno 1 (EPERM)" "$(injected core "$@")"; }

echo secret >"$run/secret"
chmod 666 "$run/secret"
write=0x201 # O_WRONLY | O_TRUNC
members=$(members)
table=$(table)
writes=$(writes)
# What the filter lets pass happens: a call that is put there is made.
equal "healthcheck is made to tell who it is" "returned $(agent_process healthcheck)" \
	"$(injected healthcheck getpid)"
equal "and is nobody" "returned $(id -u nobody)" "$(injected healthcheck getuid)"

is_fatal healthcheck execve =/bin/true 0 0
is_fatal healthcheck openat -100 "=$run/secret" "$write" 0
is_fatal healthcheck ptrace 16 1 0 0      # PTRACE_ATTACH
is_fatal healthcheck socket 16 3 16       # AF_NETLINK, SOCK_RAW, NETLINK_GENERIC
is_fatal healthcheck socket 2 3 1         # a raw one
is_fatal healthcheck kill 1 0             # of its user's other processes
is_fatal healthcheck mmap 0 4096 7 0x22 0 0 # code that can be written
is_fatal healthcheck listen 0 1
is_fatal ipvs execve =/bin/true 0 0
is_fatal ipvs ptrace 16 1 0 0
is_fatal ipvs unlink "=$run/secret"
is_fatal ipvs mount =none =/mnt =tmpfs 0 0
is_fatal ipvs init_module 0 0 =
all=$(processes)
fails execve =/bin/true 0 0
fails ptrace 16 1 0 0
fails socket 16 3 16
fails socket 17 3 0 # AF_PACKET
fails bpf 0 0 0
fails unshare 0x10000000 # CLONE_NEWUSER
fails mount =none =/mnt =tmpfs 0 0
equal "and all processes live" "$all" "$(processes)"
equal "what could have been written is as it was" secret "$(cat "$run/secret")"

# The last of those healthcheck processes was told everything: it takes out who dies.
server_kill s2
both_out() { has_weight "$vip:30081" 10.100.1.12:8080 0 && has_weight "$vip:30082" 10.100.1.12:8080 0; }
check "a server that dies after all that is taken out" wait_for 15 both_out
serves() { in_box client curl -sS -m 2 "http://$vip:30081/"; }
check "and the other serves" wait_for 5 serves
((tap_failures == 0)) || tail -n 60 "$run/agent.log" | note
tap_done
