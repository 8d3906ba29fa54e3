# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# People with tokens and rights of their own in a real cluster, who ask the agent. To be sourced
# behind topology_cluster.sh. By whoever sources it:
#
#   ask    curl's options and, last, where the agent's REST interface is, as an array

# Its warnings are of Endpoints, which pass away slowly.
kubectl() { "${CLUSTER_BIN:?}/kubectl" --kubeconfig "$CLUSTER_DIR/kubeconfig" --request-timeout 30s "$@" 2> >(grep -v ^Warning: >&2); }

# people NAME...: service accounts in the namespace shop; the token of each is in $run/NAME.
people() {
	local who
	kubectl create namespace shop >/dev/null
	for who in "$@"; do
		kubectl -n shop create serviceaccount "$who" >/dev/null
		kubectl -n shop create token "$who" >"$run/$who"
	done
}

# as WHO METHOD PATH [MATCH [BODY]]: prints the status; the answer is in $run/body, its head in $run/head.
as() {
	local options=() type=application/json
	[ "$2" != PATCH ] || type=application/merge-patch+json
	[ -z "${4:-}" ] || options+=(-H "If-Match: $4")
	[ -z "${5:-}" ] || options+=(-H "Content-Type: $type" -d "$5")
	[ "$1" = nobody ] || options+=(-H "Authorization: Bearer $(cat "$run/$1")")
	curl -sS -m 60 -X "$2" -o "$run/body" -D "$run/head" -w '%{http_code}' "${options[@]}" \
		"${ask[@]:0:${#ask[@]}-1}" "${ask[-1]}/api/v1/$3"
}
body() { jq -r "$1" "$run/body"; }
tag() { awk -F': ' 'tolower($1) == "etag" { sub(/\r/, ""); print $2 }' "$run/head"; }
