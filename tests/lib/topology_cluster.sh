# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A cluster beside the network of topology.sh, and the agent that watches it.
# To be sourced, under tests/lib/with-cluster; brings topology_agent.sh with it.
#
#   director                 here                       the API server's machine
#   127.0.0.1:6443 --------- faultproxy --------------- $CLUSTER_HOST
#   agent, kube-proxy        api, apply
#
# The agent reaches the API server through a proxy (tests/lib/faultproxy) that
# listens in the director, and is told to do harm by `fault`; it is the service
# account of deploy/kubernetes. The tests' own requests go straight to it, as
# the administrator.

# shellcheck source=../lib/topology_agent.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology_agent.sh"

[ -n "${CLUSTER_DIR:-}" ] || skip_all "needs a cluster: use tests/lib/with-cluster"
cluster_ca=$CLUSTER_DIR/pki/ca.crt
cluster_port=$(cat "$CLUSTER_DIR/port")
cluster_url=https://$CLUSTER_HOST:$cluster_port
cluster_token=$(cat "$CLUSTER_DIR/token")

# cluster COMMAND [WORD...]: of tests/lib/cluster, such as restart-api, wherever that runs.
cluster() {
	local IFS=/
	curl -sS --noproxy '*' --fail-with-body -m 1800 -X POST "$CLUSTER_CONTROL/$*"
}
# As with-cluster left it: empty but for deploy/kubernetes.
cluster_fresh() { cluster restore fresh; }

# --- requests ----------------------------------------------------------------------

# api_curl METHOD PATH [OPTION...]: as the administrator; what comes is the answer.
api_curl() {
	curl -sS --noproxy '*' -m 30 --cacert "$cluster_ca" -X "$1" "${@:3}" -K - "$cluster_url$2" \
		<<<"header = \"Authorization: Bearer $cluster_token\""
}

# api METHOD PATH [FILE [TYPE]]: prints the answer; fails unless it is a good one. FILE may be YAML.
api() {
	local body=()
	(($# < 3)) || body=(-H "Content-Type: ${4:-application/yaml}" --data-binary "@$3")
	api_curl "$1" "$2" --fail-with-body "${body[@]}"
}

# api_code METHOD PATH [FILE]: prints the status of the answer, which is in $run/answer.
api_code() {
	local body=()
	(($# < 3)) || body=(-H "Content-Type: application/yaml" --data-binary "@$3")
	api_curl "$1" "$2" -o "$run/answer" -w '%{http_code}' "${body[@]}"
}

# path_of KIND NAMESPACE [NAME]
path_of() {
	local name=${3:+/$3}
	case $1 in
	Namespace) echo "/api/v1/namespaces$name" ;;
	Service) echo "/api/v1/namespaces/$2/services$name" ;;
	Endpoints) echo "/api/v1/namespaces/$2/endpoints$name" ;;
	EndpointSlice) echo "/apis/discovery.k8s.io/v1/namespaces/$2/endpointslices$name" ;;
	esac
}

# apply: the manifests that it reads, as `kubectl apply --server-side` does, which takes seconds
# to start where every instruction is emulated. Each has kind, name and namespace in block style.
apply() {
	local document kind name namespace
	rm -f "$run"/apply.*
	csplit -sz -f "$run/apply." - '/^---$/' '{*}'
	for document in "$run"/apply.*; do
		kind=$(awk '/^kind:/ { print $2; exit }' "$document")
		name=$(awk '/^  name:/ { print $2; exit }' "$document")
		namespace=$(awk '/^  namespace:/ { print $2; exit }' "$document")
		[ -n "$kind" ] || continue
		api PATCH "$(path_of "$kind" "$namespace" "$name")?fieldManager=test&force=true" \
			"$document" application/apply-patch+yaml >"$run/applied" ||
			{ cat "$run/applied" >&2; return 1; }
	done
}

# delete KIND NAME: in the namespace `test`.
delete() { api DELETE "$(path_of "$1" test "$2")" >/dev/null; }
# patch KIND NAME JSON: a merge patch, in the namespace `test`.
patch() {
	printf '%s' "$3" >"$run/patch"
	api PATCH "$(path_of "$1" test "$2")" "$run/patch" application/merge-patch+json >/dev/null
}
namespace_test() { printf 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: test\n' | apply; }

# slice NAME SERVICE PORT [CONDITIONS]: an EndpointSlice of the namespace `test`; reads addresses.
slice() {
	local address
	cat <<-END
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata:
		  name: $1
		  namespace: test
		  labels:
		    kubernetes.io/service-name: $2
		addressType: IPv4
		ports:
		- {name: web, protocol: TCP, port: $3}
		endpoints:
	END
	while read -r address; do
		printf -- '- addresses: [%s]\n  conditions: {%s}\n' "$address" "${4:-ready: true}"
	done
}

# --- the agent and what is between it and the API server ----------------------------

fault() { curl -sS -f -m 60 --unix-socket "$run/proxy.control" http://faults/ -d "$*"; }

# proxy_listen ADDRESS:PORT [OPTION...]: it then prints "listening ADDRESS:PORT" to $run/proxy.out.
proxy_listen() {
	"$project/tests/lib/faultproxy" --listen "$1" "${@:2}" \
		--cert "$CLUSTER_DIR/pki/server.crt" --key "$CLUSTER_DIR/pki/server.key" \
		--server "$CLUSTER_HOST:$cluster_port" --ca "$cluster_ca" \
		--control "$run/proxy.control" --log "$run/proxy.log" \
		>"$run/proxy.out" 2>"$run/proxy.err" </dev/null &
	topology_pids+=($!)
	wait_for 30 grep -q listening "$run/proxy.out" || { cat "$run/proxy.err" >&2; return 1; }
}
proxy_start() { proxy_listen 127.0.0.1:6443 --netns "/run/netns/$net-director"; }

# Where the proxy's log ends now, for what asks "since".
log_mark() { wc -l <"$run/proxy.log"; }
# lists MARK [RESOURCE]: how many whole lists were asked for since, of services, endpoints, ...
lists() {
	tail -n "+$(($1 + 1))" "$run/proxy.log" |
		awk -v what="${2:-[a-z]*}" '$2 == "begin" && $4 == "GET" && $5 !~ /[?&](watch=(1|true)|limit=1(&|$))/ &&
			$5 ~ ("/" what "([?]|$)") { n++ } END { print n + 0 }'
}
# watches MARK [RESOURCE]
watches() {
	tail -n "+$(($1 + 1))" "$run/proxy.log" |
		awk -v what="${2:-[a-z]*}" '$2 == "begin" && $5 ~ /[?&]watch=(1|true)/ &&
			$5 ~ ("/" what "[?]") { n++ } END { print n + 0 }'
}
# Both, or slices as well, are being watched at this moment.
is_watched() {
	fault streams >"$run/streams" && grep -q '/services[?]' "$run/streams" &&
		grep -q '/endpoints[?]' "$run/streams"
}

# agent_token SECONDS: a new token of the DaemonSet's service account, in $run/token.
agent_token() {
	printf '{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": %s}}' \
		"$1" >"$run/token.request"
	api POST /api/v1/namespaces/parasaus-system/serviceaccounts/parasaus/token "$run/token.request" \
		application/json | jq -r .status.token >"$run/token.new"
	mv "$run/token.new" "$run/token"
}

# agent_kubeconfig SERVER: $run/kubeconfig, by which the agent is that service account.
agent_kubeconfig() {
	agent_token 36000
	cp "$cluster_ca" "$run/ca.crt"
	cat >"$run/kubeconfig" <<-END
		apiVersion: v1
		kind: Config
		clusters: [{name: test, cluster: {server: "$1", certificate-authority: $run/ca.crt}}]
		users: [{name: agent, user: {tokenFile: $run/token}}]
		contexts: [{name: test, context: {cluster: test, user: agent}}]
		current-context: test
	END
	chmod 644 "$run/kubeconfig" "$run/ca.crt" "$run/token" # core has given its rights up
}

# agent_configure_cluster [SELECTOR [LINE...]]: the cluster is its source; LINEs are added.
agent_configure_cluster() {
	local selector=${1:-}
	agent_kubeconfig https://127.0.0.1:6443
	agent_configure "$quick_checks" "${@:2}"
	sed -i "s,^- directory: .*,- kubernetes:\n    kubeconfig: $run/kubeconfig${selector:+\n    labelSelector: $selector}," \
		"$run/parasaus.yaml"
}

# For a parasausd that has no such source yet.
need_agent() {
	local config
	config=$(mktemp)
	echo 'sources: [{kubernetes: {kubeconfig: /kubeconfig}}]' >"$config"
	if grep -q 'not available in this version' < <("$build/parasausd" -n -c "$config" 2>&1); then
		skip_all "this parasausd cannot watch an API server"
	fi
	rm "$config"
}

# cluster_agent NAME [SELECTOR [LINE...]]: a fresh cluster, the network, the proxy, the agent, synced.
cluster_agent() {
	need_agent
	cluster_fresh
	topology_up "$1"
	agent_configure_cluster "${@:2}"
	namespace_test
	proxy_start
	agent_start
	agent_synced
}

# has_service VIP:PORT: the kernel has it, with real servers or without.
has_service() { table | found -- "^-A -[tu] $1 "; }
has_no_service() { ! has_service "$1"; }
# servers_of VIP:PORT: its real servers with their weights, on one line.
servers_of() { table | awk -v s="$1" '$1 == "-a" && $3 == s { print $5 "=" $NF }' | xargs; }
servers_are() { [ "$(servers_of "$1")" = "$2" ]; }
# becomes DESCRIPTION VIP:PORT SERVERS: within the time that a drain of nothing takes.
becomes() {
	wait_for 10 servers_are "$2" "$3" 2>/dev/null || true
	equal "$1" "$3" "$(servers_of "$2")"
}

# --- kube-proxy in the director -------------------------------------------------------

# kubeproxy_start MODE [OPTION...]: as the administrator, through the proxy; its log is $run/kube-proxy.
kubeproxy_start() {
	sed -e "s,server:.*,server: https://127.0.0.1:6443," "$CLUSTER_DIR/kubeconfig" >"$run/kubeconfig.admin"
	node_director
	modprobe -q nf_conntrack || true # whose sysctls it looks for
	background director "$run/kube-proxy" "${CLUSTER_BIN:?}/kube-proxy" --kubeconfig "$run/kubeconfig.admin" \
		--proxy-mode "$1" --hostname-override director --conntrack-max-per-core 0 \
		--conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0 \
		--healthz-bind-address 127.0.0.1:10256 --metrics-bind-address 127.0.0.1:10249 "${@:2}"
	kubeproxy_pid=$background
}
# Its first sync is done.
kubeproxy_ready() { in_box director curl -sf -m 5 --noproxy '*' http://127.0.0.1:10256/healthz; }
kubeproxy_stop() { end_of "$kubeproxy_pid"; }

# The node it believes to be on.
node_director() {
	printf 'apiVersion: v1\nkind: Node\nmetadata:\n  name: director\n' >"$run/node"
	[ "$(api_code GET /api/v1/nodes/director)" = 200 ] || api POST /api/v1/nodes "$run/node" >/dev/null
	printf '{"status": {"addresses": [{"type": "InternalIP", "address": "10.100.1.1"}]}}' >"$run/node"
	api PATCH /api/v1/nodes/director/status "$run/node" application/merge-patch+json >/dev/null
}
