/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c: specifications as bytes, and the names of targets. */
#include "agent/base/check.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

static struct endpoint endpoint_of(const char *text, uint8_t protocol)
{
	struct endpoint e = { 0 };

	assert_int_equal(endpoint_parse(text, protocol, &e), 0);
	return e;
}

static struct check *http_of(const char *path, const char *host, const char *match)
{
	struct check *c = check_new(CHECK_HTTP);

	free(c->path);
	c->path = xstrdup(path);
	c->host = host ? xstrdup(host) : NULL;
	c->match = match ? xstrdup(match) : NULL;
	return c;
}

static struct check *saying_of(uint16_t drain, uint16_t degraded)
{
	struct check *c = check_new(CHECK_HTTP);

	c->drain_count = drain > 0;
	c->drain[0] = (struct check_status_range){ drain, drain };
	c->degraded_count = degraded > 0;
	c->degraded[0] = (struct check_status_range){ degraded, degraded };
	return c;
}

static struct check *mysql_of(const char *secret, enum check_role role, enum check_tls tls,
			      uint32_t max_lag_s)
{
	struct check *c = check_new(CHECK_MYSQL);

	c->secret = secret ? xstrdup(secret) : NULL;
	c->role = role;
	c->tls = tls;
	c->max_lag_s = max_lag_s;
	return c;
}

static struct check *full_of(const char *send, const char *answer)
{
	struct check *c = check_new(CHECK_TCP_FULL);

	c->send = send ? xstrdup(send) : NULL;
	c->answer = answer ? xstrdup(answer) : NULL;
	return c;
}

static struct check *udp_of(const char *send, const char *answer)
{
	struct check *c = full_of(send, answer);

	c->type = CHECK_UDP;
	return c;
}

static struct check *dns_of(const char *name, uint16_t type, uint16_t rcodes)
{
	struct check *c = check_new(CHECK_DNS);

	free(c->dns_name);
	c->dns_name = xstrdup(name);
	c->dns_type = type;
	c->dns_rcodes = rcodes;
	return c;
}

static struct check *https_of(const char *secret, const char *server_name)
{
	struct check *c = check_new(CHECK_HTTPS);

	c->secret = secret ? xstrdup(secret) : NULL;
	c->server_name = server_name ? xstrdup(server_name) : NULL;
	return c;
}

static struct check *redis_of(const char *secret, enum check_role role)
{
	struct check *c = check_new(CHECK_REDIS);

	c->secret = secret ? xstrdup(secret) : NULL;
	c->role = role;
	return c;
}

static struct check *postgresql_of(const char *secret, enum check_role role, enum check_tls tls)
{
	struct check *c = check_new(CHECK_POSTGRESQL);

	c->secret = secret ? xstrdup(secret) : NULL;
	c->role = role;
	c->tls = tls;
	return c;
}

static struct check *grpc_of(const char *service, const char *host)
{
	struct check *c = check_new(CHECK_GRPC);

	c->service = service ? xstrdup(service) : NULL;
	c->host = host ? xstrdup(host) : NULL;
	return c;
}

/* TLS is required. */
static struct check *secured_of(enum check_type type, const char *secret, const char *server_name)
{
	struct check *c = check_new(type);

	c->tls = CHECK_TLS_REQUIRED;
	c->secret = secret ? xstrdup(secret) : NULL;
	c->server_name = server_name ? xstrdup(server_name) : NULL;
	return c;
}

static struct check *held_of(enum check_type type, uint16_t hold_down_s)
{
	struct check *c = check_new(type);

	c->hold_down_s = hold_down_s;
	return c;
}

static struct check *reusing_of(enum check_type type, uint16_t reuse)
{
	struct check *c = check_new(type);

	c->reuse = reuse;
	return c;
}

/* By these VIPs ("": none), through a tunnel or by dr. */
static struct check *via_of(enum check_type type, const char *v4, const char *v6, int tunnel,
			    uint16_t port)
{
	struct check *c = check_new(type), *on_way;
	struct check_way way = { .is_tunnel = tunnel >= 0, .tunnel_port = port };

	if (tunnel >= 0)
		way.tunnel_type = (uint8_t)tunnel;
	if (*v4)
		assert_int_equal(addr_parse(v4, &way.vip_v4), 0);
	if (*v6)
		assert_int_equal(addr_parse(v6, &way.vip_v6), 0);
	c->via = CHECK_VIA_VIP;
	on_way = check_on_way(c, &way);
	check_unref(c);
	return on_way;
}

/* Through the wire and back; NULL where it was refused. */
static struct check *again(const struct check *c)
{
	struct buf b = { 0 };
	struct check *out;
	struct wire w;

	wire_put_check(&b, c);
	w = wire_of(b.data, b.len);
	out = wire_check(&w);
	assert_true(out ? wire_end(&w) : w.bad);
	buf_done(&b);
	return out;
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct check *c = check_new(CHECK_HTTP);

	(void)state;
	assert_int_equal(c->interval_ms, 2000);
	assert_int_equal(c->timeout_ms, 1000);
	assert_int_equal(c->fast_ms, 500);
	assert_int_equal(c->rise, 2);
	assert_int_equal(c->fall, 3);
	assert_string_equal(c->path, "/");
	assert_int_equal(c->expect_count, 1);
	assert_int_equal(c->expect[0].first, 200);
	assert_int_equal(c->expect[0].last, 399);
	assert_int_equal(c->reuse, 1);
	check_unref(c);
	check_unref(NULL);
}

static void type_names_read_back(void **state)
{
	enum check_type t = CHECK_NONE;

	(void)state;
	for (enum check_type want = CHECK_NONE; want < CHECK_TYPES; want++) {
		if (!check_is_type(want))
			continue;
		assert_true(check_type_parse(check_type_text(want), &t));
		assert_int_equal(t, want);
	}
	assert_false(check_type_parse("TCP", &t));
	assert_false(check_type_parse("", &t));
	assert_int_equal(t, CHECK_TYPES - 1);
	assert_string_equal(check_type_text(CHECK_TYPES), "?");
}

static void a_check_comes_out_as_it_went_in(void **state)
{
	struct check *all[] = {
		check_new(CHECK_NONE),
		check_new(CHECK_TCP),
		check_new(CHECK_HTTP),
		http_of("/health?x=1", "www.example.org", "it works"),
		check_new(CHECK_MYSQL),
		mysql_of(NULL, CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
		mysql_of("db/check", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
		mysql_of("db/other", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
		mysql_of("db/check", CHECK_ROLE_WRITER, CHECK_TLS_OFF, 0),
		mysql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_REQUIRED, 0),
		mysql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_REQUIRED, CHECK_LAG_MAX_S),
		mysql_of("db/check", CHECK_ROLE_GALERA, CHECK_TLS_PREFERRED, 0),
		check_new(CHECK_TCP_FULL),
		full_of("PING\\r\\n", NULL),
		full_of(NULL, "PING\\r\\n"),
		full_of("\\x00\\xff", "220 "),
		udp_of(NULL, NULL),
		udp_of("PING\\r\\n", NULL),
		udp_of("\\x00\\xff", "220 "),
		check_new(CHECK_DNS),
		dns_of("example.org", CHECK_DNS_SOA, 1),
		dns_of("example.org", 28, 1),
		dns_of("example.org", 28, 9),
		redis_of(NULL, CHECK_ROLE_ANY),
		redis_of(NULL, CHECK_ROLE_WRITER),
		redis_of("db/check", CHECK_ROLE_READER),
		postgresql_of(NULL, CHECK_ROLE_ANY, CHECK_TLS_PREFERRED),
		postgresql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_REQUIRED),
		saying_of(503, 0),
		saying_of(0, 503),
		saying_of(503, 520),
		https_of(NULL, NULL),
		https_of("web/check", NULL),
		https_of(NULL, "www.example.org"),
		https_of("web/check", "2001:db8::1"),
		held_of(CHECK_HTTPS, 30),
		held_of(CHECK_TCP, 1),
		held_of(CHECK_TCP, CHECK_HOLD_MAX_S),
		held_of(CHECK_HTTP, 30),
		held_of(CHECK_MYSQL, 30),
		held_of(CHECK_TCP_FULL, 30),
		grpc_of(NULL, NULL),
		grpc_of("shop.v1.Cart", NULL),
		grpc_of(NULL, "shop.v1.Cart"),
		grpc_of("shop.v1.Cart", "shop.example:443"),
		held_of(CHECK_GRPC, 30),
		secured_of(CHECK_GRPC, NULL, NULL),
		secured_of(CHECK_GRPC, "web/check", NULL),
		secured_of(CHECK_GRPC, NULL, "check.example"),
		secured_of(CHECK_GRPC, "web/check", "www.example.org"),
		secured_of(CHECK_REDIS, NULL, NULL),
		secured_of(CHECK_REDIS, "web/check", NULL),
		secured_of(CHECK_REDIS, "web/check", "2001:db8::1"),
		reusing_of(CHECK_HTTP, 2),
		reusing_of(CHECK_HTTP, CHECK_REUSE_MAX),
		reusing_of(CHECK_HTTPS, 100),
		via_of(CHECK_TCP, "", "", -1, 0),
		via_of(CHECK_TCP, "192.0.2.1", "", -1, 0),
		via_of(CHECK_TCP, "192.0.2.2", "", -1, 0),
		via_of(CHECK_TCP, "192.0.2.2", "", 0, 0),
		via_of(CHECK_TCP, "192.0.2.2", "", 1, 6080),
		via_of(CHECK_TCP, "192.0.2.2", "", 1, 6081),
		via_of(CHECK_TCP, "192.0.2.2", "", 2, 0),
		via_of(CHECK_TCP, "192.0.2.2", "2001:db8::1", 2, 0),
		via_of(CHECK_HTTP, "", "2001:db8::1", -1, 0),
		via_of(CHECK_HTTPS, "", "2001:db8::1", -1, 0),
		via_of(CHECK_TCP_FULL, "", "2001:db8::1", -1, 0),
	};

	(void)state;
	all[3]->port = 8081;
	all[3]->expect[1] = (struct check_status_range){ 500, 503 };
	all[3]->expect_count = 2;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct check *back = again(all[i]);

		assert_non_null(back);
		assert_true(check_equal(all[i], back));
		assert_int_equal(all[i]->reuse, back->reuse);
		for (size_t k = 0; k < ARRAY_LEN(all); k++)
			assert_int_equal(check_equal(back, all[k]), i == k);
		check_unref(back);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		check_unref(all[i]);
}

static void a_check_out_of_bounds_is_refused(void **state)
{
	static const struct check tcp = { .type = CHECK_TCP,
					  .rise = 2,
					  .fall = 3,
					  .interval_ms = 2000,
					  .timeout_ms = 1000,
					  .fast_ms = 500 };
	static char word[] = "x";
	struct check bad[24];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		memcpy(&bad[i], &tcp, sizeof(tcp));
	bad[0].type = (enum check_type)0;
	bad[1].type = CHECK_TYPES;
	bad[2].rise = 0;
	bad[3].rise = 11;
	bad[4].fall = 0;
	bad[5].interval_ms = 60001;
	bad[6].timeout_ms = 2001;
	bad[7].timeout_ms = 99;
	bad[8].fast_ms = 2001;
	bad[9].fast_ms = 0;
	bad[10].match = word;	   /* a half-open probe reads nothing */
	bad[11].type = CHECK_HTTP; /* without a path */
	bad[12].hold_down_s = CHECK_HOLD_MAX_S + 1;
	bad[13].host = word;	   /* nor names one */
	bad[14].type = CHECK_GRPC; /* with a path */
	bad[14].path = word;
	bad[15].reuse = 2; /* of a connection that is never made */
	for (size_t i = 16; i < ARRAY_LEN(bad); i++) {
		bad[i].via = CHECK_VIA_VIP;
		bad[i].way.vip_v4 = addr_v4(0xc0000201);
	}
	bad[16].type = CHECK_REDIS; /* ends by a word */
	bad[17].type = CHECK_NONE;
	bad[18].way.vip_v6 = addr_v4(0xc0000201);
	bad[19].way.tunnel_port = 6080;
	bad[20].way.tunnel_type = 1;
	bad[21].way.is_tunnel = true;
	bad[21].way.tunnel_type = 3;
	bad[22].way.is_tunnel = true; /* of GUE, without a port */
	bad[22].way.tunnel_type = 1;
	bad[23].way = (struct check_way){ .is_tunnel = true }; /* of nobody */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_null(again(&bad[i]));
}

static void a_way_is_of_one_vip(void **state)
{
	const struct endpoint v4 = endpoint_of("10.0.0.1:80", IPPROTO_TCP);
	const struct endpoint v6 = endpoint_of("[2001:db8::7]:80", IPPROTO_TCP);
	struct check *direct = check_new(CHECK_TCP);
	struct check *one = via_of(CHECK_TCP, "192.0.2.1", "", -1, 0);
	struct check *other = via_of(CHECK_TCP, "192.0.2.2", "", -1, 0);
	struct check *tunnel = via_of(CHECK_TCP, "192.0.2.2", "", 0, 0);
	struct check *both = via_of(CHECK_TCP, "192.0.2.1", "2001:db8::1", -1, 0);

	(void)state;
	assert_null(check_vip(direct, v4.addr.family));
	assert_null(check_vip(one, v6.addr.family));
	assert_int_equal(addr_cmp(check_vip(one, v4.addr.family), &one->way.vip_v4), 0);
	assert_true(check_target_id(direct, &v4) != check_target_id(one, &v4));
	assert_true(check_target_id(one, &v4) != check_target_id(other, &v4));
	assert_true(check_target_id(other, &v4) != check_target_id(tunnel, &v4));
	/* The pool has another frontend of the other family, or none any more. */
	assert_true(check_target_id(one, &v4) == check_target_id(both, &v4));
	assert_true(check_target_id(one, &v6) != check_target_id(both, &v6));
	assert_true(check_target_id(one, &v6) == check_target_id(other, &v6));
	assert_false(check_equal(one, both));
	check_unref(both);
	check_unref(direct);
	check_unref(one);
	check_unref(other);
	check_unref(tunnel);
}

static void an_http_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		http_of("index.html", NULL, NULL),
		http_of("/a b", NULL, NULL),
		http_of("/a\r\nX: y", NULL, NULL),
		http_of("/", "a host", NULL),
		http_of("/", "h\r\nX: y", NULL),
		http_of("/", NULL, NULL),
		http_of("/", NULL, NULL),
		http_of("/", NULL, NULL),
		reusing_of(CHECK_HTTP, CHECK_REUSE_MAX + 1),
	};

	(void)state;
	bad[5]->expect_count = 0;
	bad[6]->expect[0] = (struct check_status_range){ 99, 200 };
	bad[7]->expect[0] = (struct check_status_range){ 300, 200 };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void a_grpc_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		grpc_of("a b", NULL),	 grpc_of("a\x7f", NULL), grpc_of("caf\xc3\xa9", NULL),
		grpc_of(NULL, "a host"), grpc_of(NULL, NULL),	 grpc_of(NULL, NULL),
	};

	(void)state;
	bad[4]->service = xcalloc(1, CHECK_SERVICE_MAX + 2);
	memset(bad[4]->service, 's', CHECK_SERVICE_MAX + 1);
	bad[5]->expect_count = 1;
	bad[5]->expect[0] = (struct check_status_range){ 200, 200 };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void an_https_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		https_of("check", NULL), https_of(NULL, "www.example.org:443"),
		https_of(NULL, "a b"),	 https_of(NULL, ".org"),
		https_of(NULL, NULL),	 https_of(NULL, NULL),
		saying_of(99, 0),	 saying_of(0, 600),
	};

	(void)state;
	free(bad[4]->path);
	bad[4]->path = NULL;
	bad[5]->expect_count = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void a_mysql_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		mysql_of("check", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
		mysql_of("db/a\nb", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
		mysql_of("db/check", (enum check_role)4, CHECK_TLS_OFF, 0),
		mysql_of("db/check", CHECK_ROLE_ANY, (enum check_tls)3, 0),
		mysql_of("db/check", CHECK_ROLE_WRITER, CHECK_TLS_OFF, 1),
		mysql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_OFF, CHECK_LAG_MAX_S + 1),
		mysql_of(NULL, CHECK_ROLE_WRITER, CHECK_TLS_OFF, 0), /* who would ask? */
		mysql_of("db/check", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
	};

	(void)state;
	bad[7]->path = xstrdup("/");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void words_out_of_bounds_are_refused(void **state)
{
	char too_long[CHECK_BYTES_MAX + 2];
	struct check *bad[] = {
		full_of("\\", NULL),   full_of(NULL, "\\q"),   full_of("a\nb", NULL),
		full_of("\\x1", NULL), full_of(NULL, "\\x1g"), full_of(NULL, "x"),
		full_of("x", NULL),    full_of("x", NULL),
	};

	(void)state;
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';
	free(bad[5]->answer);
	bad[5]->answer = xstrdup(too_long);
	bad[6]->path = xstrdup("/");
	bad[7]->match = xstrdup("x");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void a_redis_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		redis_of("check", CHECK_ROLE_ANY),
		redis_of("db/check", CHECK_ROLE_GALERA),
		redis_of("db/check", CHECK_ROLE_READER),
		redis_of("db/check", CHECK_ROLE_READER),
		/* nobody else is told whether it is a standby */
		postgresql_of(NULL, CHECK_ROLE_WRITER, CHECK_TLS_OFF),
		postgresql_of("db/check", CHECK_ROLE_GALERA, CHECK_TLS_OFF),
	};

	(void)state;
	bad[2]->tls = CHECK_TLS_PREFERRED;
	bad[3]->max_lag_s = 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void certificates_go_with_tls_that_begins_at_once(void **state)
{
	struct check *bad[] = {
		secured_of(CHECK_GRPC, "check", NULL),
		secured_of(CHECK_GRPC, NULL, "a b"),
		secured_of(CHECK_REDIS, NULL, "a b"),
		secured_of(CHECK_GRPC, NULL, NULL),
		secured_of(CHECK_REDIS, NULL, NULL),
		secured_of(CHECK_GRPC, "web/check", NULL),
		secured_of(CHECK_GRPC, NULL, "www.example.org"),
		secured_of(CHECK_REDIS, NULL, "www.example.org"),
		secured_of(CHECK_GRPC, NULL, NULL),
	};

	(void)state;
	bad[3]->tls = bad[4]->tls = CHECK_TLS_PREFERRED;
	bad[5]->tls = bad[6]->tls = bad[7]->tls = CHECK_TLS_OFF;
	bad[8]->tls = (enum check_tls)3;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void what_a_check_needs_of_a_secret(void **state)
{
	struct check *all[] = { check_new(CHECK_HTTP),
				mysql_of("db/check", CHECK_ROLE_ANY, CHECK_TLS_REQUIRED, 0),
				https_of(NULL, NULL),
				check_new(CHECK_GRPC),
				secured_of(CHECK_GRPC, NULL, NULL),
				check_new(CHECK_REDIS),
				secured_of(CHECK_REDIS, NULL, NULL),
				mysql_of("db/check", CHECK_ROLE_ANY, CHECK_TLS_OFF, 0),
				check_new(CHECK_POSTGRESQL) };
	static const unsigned uses[] = { 0,
					 CHECK_USES_LOGIN | CHECK_USES_TLS,
					 CHECK_USES_CERTIFICATES | CHECK_USES_TLS,
					 0,
					 CHECK_USES_CERTIFICATES | CHECK_USES_TLS,
					 CHECK_USES_LOGIN,
					 CHECK_USES_LOGIN | CHECK_USES_CERTIFICATES |
						 CHECK_USES_TLS,
					 CHECK_USES_LOGIN,
					 CHECK_USES_LOGIN | CHECK_USES_TLS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(check_uses(all[i]), uses[i]);
		check_unref(all[i]);
	}
}

static void a_dns_question_out_of_bounds_is_refused(void **state)
{
	struct check *bad[] = {
		dns_of("a..b", CHECK_DNS_SOA, 1),
		dns_of("a b", CHECK_DNS_SOA, 1),
		dns_of("", CHECK_DNS_SOA, 1),
		dns_of(".", 0, 1),
		dns_of(".", 252, 1),
		dns_of(".", CHECK_DNS_SOA, 0),
		dns_of(".", CHECK_DNS_SOA, 64),
		dns_of(".", CHECK_DNS_SOA, 1),
	};

	(void)state;
	bad[7]->path = xstrdup("/");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(again(bad[i]));
		check_unref(bad[i]);
	}
}

static void it_goes_where_its_protocol_is(void **state)
{
	struct endpoint tcp = endpoint_of("10.0.0.1:53", IPPROTO_TCP);
	struct endpoint udp = endpoint_of("10.0.0.1:53", IPPROTO_UDP);

	(void)state;
	for (enum check_type t = CHECK_TCP; t < CHECK_TYPES; t++) {
		struct check *c;
		struct endpoint e;

		if (!check_is_type(t)) {
			assert_int_equal(check_protocol(t), 0);
			continue;
		}
		c = check_new(t);
		e = check_endpoint(c, &udp);
		assert_int_equal(e.protocol,
				 t == CHECK_UDP || t == CHECK_DNS ? IPPROTO_UDP : IPPROTO_TCP);
		/* One target, whichever of its ports it is of. */
		assert_int_equal(check_target_id(c, &tcp), check_target_id(c, &udp));
		check_unref(c);
	}
}

static void cut_short(struct check *c)
{
	struct buf b = { 0 };

	wire_put_check(&b, c);
	for (size_t len = 0; len < b.len; len++) {
		struct wire w = wire_of(b.data, len);

		assert_null(wire_check(&w));
		assert_true(w.bad);
	}
	buf_done(&b);
	check_unref(c);
}

static void a_check_cut_short_is_refused(void **state)
{
	(void)state;
	cut_short(http_of("/health", "example.org", "ok"));
	cut_short(mysql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_REQUIRED, 30));
	cut_short(full_of("PING\\r\\n", "+PONG"));
	cut_short(dns_of("example.org", CHECK_DNS_SOA, 3));
	cut_short(held_of(CHECK_TCP, 30));
	cut_short(grpc_of("shop.v1.Cart", "shop.example"));
}

/* One check has one form of its bytes: an option that says nothing, is there twice or is none. */
static void options_have_one_form(void **state)
{
	static const uint8_t tails[][8] = {
		{ 0 }, { 1, 0, 0, 0 }, { 1, 30, 0, 1, 30, 0, 0 }, { 99, 0 }
	};
	static const size_t lens[] = { 1, 4, 7, 2 };
	struct check *c = held_of(CHECK_TCP, 30);
	struct buf good = { 0 };

	(void)state;
	wire_put_check(&good, c);
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct buf b = { 0 };
		struct wire w;

		buf_put(&b, good.data, good.len - 4);
		buf_put(&b, tails[i], lens[i]);
		w = wire_of(b.data, b.len);
		assert_null(wire_check(&w));
		assert_true(w.bad);
		buf_done(&b);
	}
	buf_done(&good);
	check_unref(c);
}

/* Nodes of different versions talk of targets by these numbers: they must never change. */
static void ids_are_the_same_for_ever(void **state)
{
	struct endpoint v4 = endpoint_of("10.100.1.53:8090", IPPROTO_TCP);
	struct endpoint v6 = endpoint_of("[2001:db8::1]:80", IPPROTO_TCP);
	struct check *tcp = check_new(CHECK_TCP);
	struct check *http = http_of("/health", "example.org", "ok");
	struct check *mysql = mysql_of("db/check", CHECK_ROLE_READER, CHECK_TLS_REQUIRED, 30);

	(void)state;
	assert_int_equal(check_target_id(mysql, &v4), 0xd76dd40ccc8584e0);
	assert_int_equal(check_target_id(tcp, &v4), 0x9a5d56f3e2d39e9d);
	assert_int_equal(check_target_id(http, &v4), 0x93ed2cb7ba7b0c8f);
	assert_int_equal(check_target_id(tcp, &v6), 0x659ff47b0e777953);
	tcp->hold_down_s = 30;
	assert_int_equal(check_target_id(tcp, &v4), 0x2fb921fec7bfce55);
	tcp->hold_down_s = 0;
	assert_int_equal(check_target_id(tcp, &v4), 0x9a5d56f3e2d39e9d);
	check_unref(tcp);
	check_unref(http);
	check_unref(mysql);
}

static void equal_probes_are_one_target(void **state)
{
	struct endpoint member = endpoint_of("10.0.0.1:53", IPPROTO_UDP);
	struct endpoint direct = endpoint_of("10.0.0.1:8080", IPPROTO_TCP);
	struct check *elsewhere = check_new(CHECK_TCP);
	struct check *plain = check_new(CHECK_TCP);
	struct check *slower = check_new(CHECK_TCP);
	struct endpoint probed;

	(void)state;
	elsewhere->port = 8080;
	slower->interval_ms = 3000;
	probed = check_endpoint(elsewhere, &member);
	assert_int_equal(endpoint_cmp(&probed, &direct), 0);
	assert_int_equal(check_target_id(elsewhere, &member), check_target_id(plain, &direct));
	assert_int_equal(check_target_id(elsewhere, &member), check_target_id(elsewhere, &probed));
	assert_int_not_equal(check_target_id(plain, &direct), check_target_id(slower, &direct));
	assert_int_not_equal(check_target_id(plain, &direct), check_target_id(plain, &member));
	check_unref(elsewhere);
	check_unref(plain);
	check_unref(slower);
}

static void an_unprobed_member_keeps_its_protocol(void **state)
{
	struct endpoint member = endpoint_of("10.0.0.1:53", IPPROTO_UDP);
	struct check *none = check_new(CHECK_NONE);
	struct endpoint e = check_endpoint(none, &member);

	(void)state;
	assert_int_equal(endpoint_cmp(&e, &member), 0);
	check_unref(none);
}

static void the_name_is_that_of_the_host_unless_it_is_said(void **state)
{
	static const struct {
		const char *host, *server_name, *want;
	} rows[] = {
		{ NULL, NULL, "" },
		{ NULL, "www.example.org", "www.example.org" },
		{ "www.example.org", NULL, "www.example.org" },
		{ "www.example.org"
		  ":8443",
		  NULL, "www.example.org" },
		{ "www.example.org"
		  ":8443",
		  "other", "other" },
		{ "10.0.0.1:80", NULL, "10.0.0.1" },
		{ "[2001:db8::1]:443", NULL, "2001:db8::1" },
		{ "[2001:db8::1]", NULL, "2001:db8::1" },
		{ "2001:db8::1", NULL, "2001:db8::1" },
		{ ":443", NULL, "" },
		{ "[", NULL, "" },
		{ "a..b", NULL, "" },
	};
	char name[CHECK_HOST_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct check *c = https_of(NULL, rows[i].server_name);

		c->host = rows[i].host ? xstrdup(rows[i].host) : NULL;
		check_server_name(c, name);
		assert_string_equal(name, rows[i].want);
		check_unref(c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(type_names_read_back),
		cmocka_unit_test(a_check_comes_out_as_it_went_in),
		cmocka_unit_test(a_check_out_of_bounds_is_refused),
		cmocka_unit_test(a_way_is_of_one_vip),
		cmocka_unit_test(an_http_question_out_of_bounds_is_refused),
		cmocka_unit_test(a_grpc_question_out_of_bounds_is_refused),
		cmocka_unit_test(a_mysql_question_out_of_bounds_is_refused),
		cmocka_unit_test(an_https_question_out_of_bounds_is_refused),
		cmocka_unit_test(a_redis_question_out_of_bounds_is_refused),
		cmocka_unit_test(words_out_of_bounds_are_refused),
		cmocka_unit_test(certificates_go_with_tls_that_begins_at_once),
		cmocka_unit_test(what_a_check_needs_of_a_secret),
		cmocka_unit_test(a_dns_question_out_of_bounds_is_refused),
		cmocka_unit_test(it_goes_where_its_protocol_is),
		cmocka_unit_test(a_check_cut_short_is_refused),
		cmocka_unit_test(options_have_one_form),
		cmocka_unit_test(ids_are_the_same_for_ever),
		cmocka_unit_test(equal_probes_are_one_target),
		cmocka_unit_test(an_unprobed_member_keeps_its_protocol),
		cmocka_unit_test(the_name_is_that_of_the_host_unless_it_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
