# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A place for servers of databases to run in: a network namespace with a
# loopback of its own, and a directory. To be sourced; needs root. On exit what
# databases_start started is ended, and all is removed.

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
build=$(realpath "${PARASAUS_BUILD:-$project/build/release}")
net="" run=""
declare -A database_pids=()

# shellcheck source=tests/lib/tap.sh
. "$project/tests/lib/tap.sh"

# databases_up COMMAND: skips everything where there is no such server.
databases_up() {
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	command -v "$1" >/dev/null || skip_all "no $1 here: deploy/install-deps databases"
	net=databases-$$
	run=/run/$net
	mkdir -p "$run"
	chmod 711 "$run"
	trap databases_down EXIT
	trap 'exit 1' HUP INT TERM
	ip netns add "$net" 2>/dev/null || skip_all "no network namespaces here"
	nsenter --net="/run/netns/$net" ip link set lo up
}

databases_down() {
	set +e
	trap '' HUP INT TERM
	exec 2>/dev/null
	for pid in "${database_pids[@]}"; do kill -KILL "$pid"; done
	wait
	ip netns del "$net"
	[ -n "${KEEP:-}" ] || rm -rf "$run"
}

# there CMD...: in that network.
there() { nsenter --net="/run/netns/$net" "$@"; }

# databases_start NAME CMD...: in the background, what it says in $run/NAME.log.
databases_start() {
	# Not by there(): the process is to be the server, not a shell that waits for it.
	nsenter --net="/run/netns/$net" "${@:2}" </dev/null >>"$run/$1.log" 2>&1 &
	database_pids[$1]=$!
}

databases_stop() {
	kill "${database_pids[$1]}"
	wait "${database_pids[$1]}"
	unset "database_pids[$1]"
}

# eventually CMD...: until it succeeds, 30 s at most.
eventually() {
	local i
	for ((i = 0; i < 300; i++)); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	return 1
}

# certificates NAME...: in $run/pki an authority, "ca.crt" and "ca.key", and of it "NAME.crt" and
# "NAME.key" for each name. "stranger" has one of its own, which nobody vouches for.
certificates() {
	local ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2" name
	mkdir -p "$run/pki"
	(
		cd "$run/pki" || exit
		# shellcheck disable=SC2086
		openssl req -x509 $ec -keyout ca.key -out ca.crt -subj /CN=test-ca
		# shellcheck disable=SC2086
		openssl req -x509 $ec -keyout stranger.key -out stranger.crt -subj /CN=stranger \
			-addext subjectAltName=DNS:stranger
		for name in "$@"; do
			# shellcheck disable=SC2086
			openssl req -x509 $ec -keyout "$name.key" -out "$name.crt" -subj "/CN=$name" \
				-CA ca.crt -CAkey ca.key -addext basicConstraints=critical,CA:FALSE \
				-addext "subjectAltName=DNS:$name"
		done
		chmod 644 ./*
	) >"$run/pki.log" 2>&1
}

# probe PORT KEY=VALUE...: what the prober says of the server at that port.
probe() { there "$build/tools/prober" "127.0.0.1:$1" interval=1000 timeout=1000 "${@:2}"; }

# is DESCRIPTION WANTED PORT KEY=VALUE...: its verdict begins so.
is() {
	local said
	said=$(probe "${@:3}" | tail -n 1)
	check "$1" grep -q "^$2" <<<"$said"
	note "$said"
}

# demands_certificate PORT: of a server with TLS there that wants to know who we are. By the caller's
# $pki and its `secured` and `unsecured`, which take what `is` takes, with the port behind.
demands_certificate() {
	# shellcheck disable=SC2154
	local own=("cert=$pki/client.example.crt" "key=$pki/client.example.key")
	secured "a server that demands a certificate" "up: ok" "$1" "${own[@]}"
	secured "... and is vouched for" "up: ok" "$1" "ca=$pki/ca.crt" server=server.example "${own[@]}"
	unsecured "... and gets none" "client cert demanded" "$1"
	unsecured "... or one of others" "client cert demanded" "$1" "cert=$pki/stranger.crt" \
		"key=$pki/stranger.key"
}
