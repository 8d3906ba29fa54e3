# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Services and endpoints in few words, and what the kernel has of them, for tests that restate
# kube-proxy's cases. To be sourced after tap.sh; brings topology_agent.sh with it.
#
#   vip6  the one IPv6 address that is served, at ports 20000-29999

# shellcheck source=topology_agent.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology_agent.sh"

vip6=2001:db8:96::10

# The agent's configuration, with vip6.
cases_configure() {
	agent_configure 'audit: 2'
	agent_address_pool six "$vip6" 20000-29999
}

# --- what is declared ---------------------------------------------------------------------

# ports NODE NAME/PROTOCOL/NUMBER...: entries of `ports`, with node ports if NODE is "node"; a NAME
# of - is none.
ports() {
	local node=$1 one name protocol number between=""
	for one in "${@:2}"; do
		IFS=/ read -r name protocol number <<<"$one"
		printf '%s{' "$between"
		[ "$name" = - ] || printf 'name: %s, ' "$name"
		printf 'protocol: %s, port: %s%s}' "$protocol" "$number" "${node:+, nodePort: $number}"
		between=", "
	done
}
# node_ports PORT...: the spec of a Service of type NodePort.
node_ports() { printf 'type: NodePort, ports: [%s]' "$(ports node "$@")"; }
# cluster_ports TYPE PORT...: that of another type.
cluster_ports() { printf 'type: %s, ports: [%s]' "$1" "$(ports "" "${@:2}")"; }

# svc NAME SPEC [ANNOTATION...]
svc() {
	printf -- '---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: test\n' "$1"
	annotations 'health-check-type: none' "${@:3}"
	printf 'spec: {%s}\n' "$2"
}

# ends NAME "ADDRESS..." "PORT..." ["ADDRESS..." "PORT..."]...: Endpoints, a subset for each pair.
ends() {
	local list i
	printf -- '---\napiVersion: v1\nkind: Endpoints\nmetadata: {name: %s, namespace: test}\nsubsets:\n' "$1"
	for ((i = 2; i < $#; i += 2)); do
		read -ra list <<<"${!i}"
		printf -- '- addresses: [%s]\n' "$(printf '{ip: "%s"}, ' "${list[@]}")"
		read -ra list <<<"${*:$((i + 1)):1}"
		printf '  ports: [%s]\n' "$(ports "" "${list[@]}")"
	done | sed 's/, \]/]/'
}

# slice NAME SERVICE "PORT..." ADDRESS[=CONDITION]...: CONDITION is ready (where none is written),
# unready, terminating (and serving) or ending (and not serving). Its family is the first address's.
slice() {
	local list one condition family=IPv4
	[[ ${4:-} != *:* ]] || family=IPv6
	read -ra list <<<"$3"
	cat <<-END
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata: {name: $1, namespace: test, labels: {kubernetes.io/service-name: $2}}
		addressType: $family
		ports: [$(ports "" "${list[@]}")]
		endpoints:$( (($# > 3)) || echo ' []')
	END
	for one in "${@:4}"; do
		case $one in
		*=unready) condition='ready: false, serving: false, terminating: false' ;;
		*=terminating) condition='ready: false, serving: true, terminating: true' ;;
		*=ending) condition='ready: false, serving: false, terminating: true' ;;
		*) condition='ready: true, serving: true, terminating: false' ;;
		esac
		printf -- '- {addresses: ["%s"], conditions: {%s}}\n' "${one%%=*}" "$condition"
	done
}

# --- what the kernel has ------------------------------------------------------------------

# shown PROTOCOL PORT|VIP:PORT: its servers, a weight written where it is not 1, or "absent". With few
# processes, for it is asked often.
shown() {
	local flag=-${1:0:1} frontend=$2 there="" op protocol address server rest weight servers=()
	[ "$1" != sctp ] || flag=--sctp-service
	[[ $frontend == *:* ]] || frontend=$vip:$2
	while read -r op protocol address _ server rest; do
		[ "$protocol $address" = "$flag $frontend" ] || continue
		there=yes weight=${rest##* }
		[ "$op" = -A ] || servers+=("$server=$weight")
	done < <(in_box director ipvsadm -Sn)
	((${#servers[@]} < 2)) || mapfile -t servers < <(printf '%s\n' "${servers[@]}" | sort)
	servers=("${servers[@]/%=1/}")
	[ -z "$there" ] && echo absent || echo "${servers[*]}"
}
# at_last DESCRIPTION WANTED CMD...: what CMD prints, within ten seconds.
at_last() {
	local got end=$((SECONDS + 11))
	until got=$("${@:3}") && [ "$got" = "$2" ] || ((SECONDS >= end)); do
		sleep 0.05
	done
	equal "$1" "$2" "$got"
}
# shows DESCRIPTION PROTOCOL PORT|VIP:PORT SERVERS|absent
shows() { at_last "$1" "$4" shown "$2" "$3"; }

# seen: all that was placed before is in the kernel, for the weight of a server placed now is.
marks=0
seen() {
	marks=$((marks + 1))
	{ svc marker "$(node_ports -/UDP/39999)" "weight: \"$marks\"" && ends marker 10.100.1.99 -/UDP/99; } |
		place marker.yaml
	wait_for 10 has_weight "$vip:39999" 10.100.1.99:99 "$marks"
}

# mark: what is written from here on is what wrote() tells, as "COMMAND=TIMES ...".
mark() {
	agent_synced
	cp "$run/writes" "$run/writes.mark"
}
wrote() {
	cat "$run/writes.mark" "$run/writes" | awk '
	{ for (i = 2; i <= NF; i++) { split($i, word, "="); if (NR == 1) was[word[1]] = word[2]
		else if (word[2] > was[word[1]] + 0) out = out " " word[1] "=" word[2] - was[word[1]] } }
	END { print substr(out, 2) }'
}
# writes_only DESCRIPTION "COMMAND=TIMES ...": since mark.
writes_only() { at_last "$1" "$2" wrote; }
