# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# MariaDB servers and a client, each in a network namespace of its own:
#
#   client 10.99.0.1 ------ bridge ------ server 1 10.99.0.11, server 2 10.99.0.12, ...
#
# The servers run on Debian's own configuration, but for where their files are,
# where they listen, and what a test passes to mysql_start. They find a name
# for the client's address in a hosts file of their own: a server that cannot
# resolve an address never locks it out, and would prove nothing. To be
# sourced; needs root and deploy/install-deps mysql. On exit all is ended and
# removed.

project=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")
build=$(realpath "${PARASAUS_BUILD:-$project/build/release}")
prober=$build/tools/prober
client_address=10.99.0.1
net="" run=""
declare -A mysql_pids=()

# shellcheck source=tests/lib/tap.sh
. "$project/tests/lib/tap.sh"

mysql_up() {
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	command -v mariadbd >/dev/null || skip_all "no mariadbd here: deploy/install-deps mysql"
	net=mysql-$$
	run=/run/$net
	mkdir -p "$run"
	chmod 755 "$run"
	export TMPDIR=$run/tmp # the servers' own user has to write there
	mkdir -m 1777 "$TMPDIR"
	trap mysql_down EXIT
	trap 'exit 1' HUP INT TERM
	printf '127.0.0.1 localhost\n%s client.test\n' "$client_address" >"$run/hosts"
	ip netns add "$net-client" 2>/dev/null || skip_all "no network namespaces here"
	ip_in client link set lo up
	ip_in client link add br0 type bridge
	ip_in client addr add $client_address/24 dev br0
	ip_in client link set br0 up
}

# ip_in NS ...: `ip -n` makes a mount namespace each time, which not every root allows.
ip_in() { nsenter --net="/run/netns/$net-$1" ip "${@:2}"; }

mysql_down() {
	local pid ns
	set +e
	trap '' HUP INT TERM
	exec 2>/dev/null
	for pid in "${mysql_pids[@]}"; do kill -KILL "$pid"; done
	wait
	for ns in $(ip netns list | awk -v p="$net-" 'index($1, p) == 1 { print $1 }'); do
		ip netns del "$ns"
	done
	[ -n "${KEEP:-}" ] || rm -rf "$run"
}

address_of() { echo "10.99.0.1$1"; }

# mysql_box N: the namespace of server N.
mysql_box() {
	ip netns add "$net-$1"
	ip_in "$1" link set lo up
	ip link add eth0 netns "$net-$1" type veth peer name "server$1" netns "$net-client"
	ip_in client link set "server$1" master br0 up
	ip_in "$1" addr add "$(address_of "$1")/24" dev eth0
	ip_in "$1" link set eth0 up
}

# mysql_start N OPTION...: server N; returns once it serves. Its tables are made at first.
mysql_start() {
	local n=$1 data=$run/$1 i
	shift
	if [ ! -d "$data" ]; then
		mkdir "$data"
		chown mysql: "$data"
		mariadb-install-db --user=mysql --datadir="$data/tables" \
			--auth-root-authentication-method=socket --skip-test-db >"$run/install.$n" 2>&1 ||
			{ note <"$run/install.$n"; return 1; }
	fi
	# The machine's own /etc/hosts stays as it is: the server sees another one.
	nsenter --net="/run/netns/$net-$n" env LD_PRELOAD=libnss_wrapper.so \
		NSS_WRAPPER_HOSTS="$run/hosts" mariadbd --user=mysql \
		--datadir="$data/tables" --socket="$data/socket" --pid-file="$data/pid" \
		--bind-address=0.0.0.0 --log-error="$data/log.err" --server-id="$n" "$@" \
		</dev/null >/dev/null 2>&1 &
	mysql_pids[$n]=$!
	for ((i = 0; i < 600; i++)); do
		mysql_sql "$n" 'SELECT 1' >/dev/null 2>&1 && return
		kill -0 "${mysql_pids[$n]}" 2>/dev/null || break
		sleep 0.1
	done
	note <"$data/log.err"
	return 1
}

mysql_stop() {
	kill "${mysql_pids[$1]}"
	wait "${mysql_pids[$1]}"
	unset "mysql_pids[$1]"
}

# mysql_sql N SQL: as root on the server's socket; rows without a heading.
mysql_sql() { mariadb --no-defaults --socket="$run/$1/socket" -N -B -e "$2"; }

# mysql_status N NAME: a counter.
mysql_status() { mysql_sql "$1" "SHOW GLOBAL STATUS LIKE '$2'" | cut -f2; }

# mysql_errors N [COLUMN]: how many broken logins the server counts against the client, since its
# last good one; COUNT_HANDSHAKE_ERRORS: ever.
mysql_errors() {
	mysql_sql "$1" "SELECT IFNULL(SUM(${2:-SUM_CONNECT_ERRORS}), 0)
		FROM performance_schema.host_cache WHERE IP = '$client_address'"
}

# as_client CMD...
as_client() { nsenter --net="/run/netns/$net-client" "$@"; }

# probe N KEY=VALUE...: what the prober says of server N.
probe() {
	local n=$1
	shift
	as_client "$prober" "$(address_of "$n"):3306" interval=1000 timeout=1000 "$@"
}
