#!/bin/bash
# How accounts log in, with and without TLS, and what a server that cannot be
# talked to as it should be costs: never a broken login.
set -uo pipefail
# shellcheck source=tests/lib/mysql.bash
. "$(dirname "$0")/../lib/mysql.bash"

mysql_up
mysql_box 1

# authority NAME: a certificate of its own in $run/NAME.pem, and its key.
authority() {
	certtool --generate-privkey --key-type=rsa --bits=2048 --outfile "$run/$1.key"
	printf 'cn = "%s"\nca\ncert_signing_key\nexpiration_days = 30\n' "$1" >"$run/$1.tmpl"
	certtool --generate-self-signed --load-privkey "$run/$1.key" --template "$run/$1.tmpl" \
		--outfile "$run/$1.pem"
}
{
	authority ca
	authority stranger
	certtool --generate-privkey --key-type=rsa --bits=2048 --outfile "$run/server.key"
	printf 'cn = "db1"\ntls_www_server\nsigning_key\nexpiration_days = 30\n' >"$run/server.tmpl"
	certtool --generate-certificate --load-privkey "$run/server.key" \
		--load-ca-certificate "$run/ca.pem" --load-ca-privkey "$run/ca.key" \
		--template "$run/server.tmpl" --outfile "$run/server.pem"
	chmod 644 "$run"/*.key "$run"/*.pem
} >"$run/certtool" 2>&1 || { note <"$run/certtool"; exit 1; }

tls=(--ssl-ca="$run/ca.pem" --ssl-cert="$run/server.pem" --ssl-key="$run/server.key")
mysql_start 1 --max-connect-errors=5 --performance-schema=ON || exit
mysql_sql 1 "INSTALL SONAME 'auth_ed25519';
	CREATE USER 'native'@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('a word');
	CREATE USER 'empty'@'%' IDENTIFIED VIA mysql_native_password USING '';
	CREATE USER 'ed25519'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('a longer word, with ä');
	CREATE USER 'local'@'%' IDENTIFIED VIA unix_socket;
	CREATE USER 'pressed'@'%' IDENTIFIED BY 'a word' WITH MAX_USER_CONNECTIONS -1;
	CREATE USER 'gone'@'%' IDENTIFIED BY 'a word' ACCOUNT LOCK;
	CREATE USER 'secure'@'%' IDENTIFIED BY 'a word' REQUIRE SSL;"

# is DESCRIPTION WANTED KEY=VALUE...: the verdict begins so, and no broken login was counted.
is() {
	local description=$1 wanted=$2 said
	shift 2
	said=$(probe 1 "$@" | tail -n 1)
	check "$description" grep -q "^$wanted" <<<"$said"
	note "$said"
	equal "... and no broken login" 0 "$(mysql_errors 1 COUNT_HANDSHAKE_ERRORS)"
}

echo "# without TLS at the server"
is "native" "up: ok" user=native "password=a word"
is "native, no password" "up: ok" user=empty
is "ed25519" "up: ok" user=ed25519 "password=a longer word, with ä"
is "ed25519, the wrong one" "up: account refused 1045" user=ed25519 password=wrong
is "a wrong account says nothing of a role" "unknown: account refused 1045, 0 ok, 0 failed" \
	user=native password=wrong role=writer
is "no such account" "up: account refused" user=nobody password=x
is "a plugin that works on this host only" "up: account refused 1698" user=local password=x
is "an account that is locked" "up: account refused 4151" user=gone "password=a word"
is "an account that may not connect at all" "up: account refused 1226" user=pressed \
	"password=a word"
is "TLS that is required and not there" "unknown: no trusted tls 1045, 0 ok, 1 failed" \
	tls=required user=native "password=a word"

echo "# with a certificate"
mysql_stop 1
mysql_start 1 --max-connect-errors=5 --performance-schema=ON "${tls[@]}" || exit
before=$(mysql_status 1 Ssl_accepts)
is "native in TLS" "up: ok" user=native "password=a word"
is "ed25519 in TLS" "up: ok" user=ed25519 "password=a longer word, with ä" tls=required
is "an account that takes TLS" "up: ok" user=secure "password=a word"
is "an authority that we trust" "up: ok" user=secure "password=a word" tls=required ca="$run/ca.pem"
at_least "logins in TLS" 4 $(($(mysql_status 1 Ssl_accepts) - before))
is "an account that takes TLS, and TLS is off" "up: account refused 1045" tls=off user=secure \
	"password=a word"
is "an authority that we do not know" "unknown: no trusted tls 1045, 0 ok, 1 failed" \
	user=native "password=a word" tls=required ca="$run/stranger.pem"
is "an authority that is no certificate" "up: no credentials" \
	user=native "password=a word" ca="$run/hosts"
check "only its own name reaches a server that is not trusted" \
	grep -q "Access denied for user 'parasaus-no-tls'" "$run/1/log.err"

echo "# at its limit"
mysql_sql 1 'SET GLOBAL max_connections = 10'
held=()
for ((i = 0; i < 20; i++)); do
	nsenter --net="/run/netns/$net-client" mariadb --no-defaults -h "$(address_of 1)" \
		-u native -p'a word' -n -N -e 'SELECT 1; SELECT SLEEP(60)' >"$run/held.$i" 2>&1 &
	held+=($!)
	until [ -s "$run/held.$i" ]; do sleep 0.02; done
	grep -q 1040 "$run/held.$i" && break
done
said=$(probe 1 user=native "password=a word")
check "as many connections as it takes" grep -q '^up: too many connections 1040' <<<"$said"
kill "${held[@]}" 2>/dev/null
wait "${held[@]}" 2>/dev/null
# One connection more is root's, once the last one refused has left it.
for ((i = 0; i < 200; i++)); do
	errors=$(mysql_errors 1 COUNT_HANDSHAKE_ERRORS 2>/dev/null) && break
	sleep 0.05
done
equal "... and no broken login" 0 "$errors"

tap_done
