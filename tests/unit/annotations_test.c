/* SPDX-License-Identifier: GPL-2.0-or-later */
/* annotations.c, weights.c: what each annotation says, and what a bad one leaves alone. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/value.h"
#include "agent/pool/pool.h"
#include "agent/pool/settings.h"
#include "agent/pool/weights.h"

static const struct pool_home home = { "shop", 0 };

/* Pairs of key and value, ended by NULL; line N is the Nth pair. */
static void apply(const char *const *pairs, struct pool_settings *set, struct problems *problems)
{
	struct object_annotation items[32];
	size_t n = 0;

	for (; pairs[0]; pairs += 2, n++)
		items[n] = (struct object_annotation){ (char *)(uintptr_t)pairs[0],
						       (char *)(uintptr_t)pairs[1],
						       (unsigned)n + 1 };
	pool_annotations(items, n, &home, set, problems);
}

static void print_check(struct buf *b, const struct check *c)
{
	char text[VALUE_STATUSES_TEXT_MAX];

	buf_printf(b, "%s port=%u %u/%u %u/%u/%u", check_type_text(c->type), c->port, c->rise,
		   c->fall, c->interval_ms, c->timeout_ms, c->fast_ms);
	if (c->hold_down_s)
		buf_printf(b, " hold=%u", c->hold_down_s);
	if (check_has(c->type) & CHECK_HAS_REQUEST)
		buf_printf(b, " path=%s host=%s match=%s expect=%s", c->path,
			   c->host ? c->host : "-", c->match ? c->match : "-",
			   value_statuses_text(c->expect, c->expect_count, text));
	if (c->type == CHECK_GRPC)
		buf_printf(b, " service=%s host=%s", c->service ? c->service : "-",
			   c->host ? c->host : "-");
	if (c->drain_count)
		buf_printf(b, " drain=%s", value_statuses_text(c->drain, c->drain_count, text));
	if (c->degraded_count)
		buf_printf(b, " degraded=%s",
			   value_statuses_text(c->degraded, c->degraded_count, text));
	if (c->reuse != 1)
		buf_printf(b, " reuse=%u", c->reuse);
	if (c->via)
		buf_printf(b, " via=%s", value_word_text(&value_check_vias, c->via));
	if (check_uses(c) & CHECK_USES_CERTIFICATES)
		buf_printf(b, " secret=%s name=%s", c->secret ? c->secret : "-",
			   c->server_name ? c->server_name : "-");
	if (check_has(c->type) & CHECK_HAS_WORDS)
		buf_printf(b, " send=%s answer=%s", c->send ? c->send : "-",
			   c->answer ? c->answer : "-");
	if (check_has(c->type) & CHECK_HAS_QUESTION)
		buf_printf(b, " %s %u rcodes=%x", c->dns_name, c->dns_type, c->dns_rcodes);
	if (check_has(c->type) & CHECK_HAS_LOGIN)
		buf_printf(b, " secret=%s %s tls=%s lag=%u", c->secret ? c->secret : "-",
			   value_word_text(&value_check_roles, c->role),
			   value_word_text(&value_check_tls, c->tls), c->max_lag_s);
}

static void print_settings(struct buf *b, const struct pool_settings *s)
{
	char more[32] = "";

	if (s->min_healthy)
		snprintf(more, sizeof(more), " healthy=%u", s->min_healthy);
	if (s->slow_start_s)
		snprintf(more + strlen(more), sizeof(more) - strlen(more), " slow=%u",
			 s->slow_start_s);
	buf_printf(b, "%s flags=%s %s snat=%s drain=%u weight=%u max=%u %s %s%s%s | ", s->scheduler,
		   pool_scheduler_flags_text(s->scheduler_flags),
		   value_word_text(&pool_forward_words, s->forward),
		   value_word_text(&pool_snat_words, s->masquerade), s->drain_s, s->weight,
		   s->max_connections, value_word_text(&pool_unhealthy_words, s->unhealthy),
		   value_word_text(&pool_fail_policy_words, s->fail_policy),
		   s->one_packet ? " one-packet" : "", more);
	print_check(b, s->check);
	buf_str(b, "\n");
}

static struct pool_settings defaults(void)
{
	return (struct pool_settings){ .scheduler = "wrr",
				       .masquerade = true,
				       .drain_s = 300,
				       .weight = 1,
				       .check = check_new(CHECK_TCP) };
}

/* Settings and problems that come of the pairs. */
static void expect(const char *const *pairs, const char *want)
{
	struct pool_settings set = defaults();
	struct problems problems = { 0 };
	struct buf b = { 0 };

	apply(pairs, &set, &problems);
	print_settings(&b, &set);
	for (size_t i = 0; i < problems.count; i++)
		buf_printf(&b, "%s %u: %s\n", problems.items[i].error ? "error" : "warning",
			   problems.items[i].line, problems.items[i].text);
	assert_string_equal(buf_cstr(&b), want);
	buf_done(&b);
	problems_done(&problems);
	check_unref(set.check);
}

#define PAIRS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define PLAIN	   "wrr flags=none nat snat=auto drain=300 weight=1 max=0 drain open-last | "
#define UNCHANGED  PLAIN "tcp port=0 2/3 2000/1000/500\n"

#define PREFIXES_ARE                                                                           \
	"the length of a prefix, 1 to 32, perhaps with one for IPv6 behind it, such as 24 or " \
	"24,64; left as it was"

static void assert_tunnel(const char *text, enum pool_tunnel_type type, uint16_t port,
			  const char *again)
{
	char out[POOL_TUNNEL_TEXT_MAX];
	struct pool_tunnel t;

	assert_int_equal(pool_tunnel_parse(text, &t), 0);
	assert_int_equal(t.type, type);
	assert_int_equal(t.port, port);
	assert_string_equal(pool_tunnel_text(&t, out), again);
}

static void a_tunnel_has_a_type_and_gue_a_port(void **state)
{
	(void)state;
	assert_tunnel("ipip", TUNNEL_IPIP, 0, "ipip");
	assert_tunnel("gre", TUNNEL_GRE, 0, "gre");
	assert_tunnel("gue", TUNNEL_GUE, 6080, "gue:6080");
	assert_tunnel("gue:65535", TUNNEL_GUE, 65535, "gue:65535");
	expect(PAIRS("tunnel-type", "gre"),
	       UNCHANGED "warning 1: annotation parasaus.io/tunnel-type has no effect with "
			 "parasaus.io/forwarding: nat\n");
}

static void assert_prefixes(const char *text, uint8_t v4, uint8_t v6, const char *again)
{
	char out[POOL_PREFIXES_TEXT_MAX];
	struct pool_prefixes p;

	assert_int_equal(pool_prefixes_parse(text, &p), 0);
	assert_int_equal(p.v4, v4);
	assert_int_equal(p.v6, v6);
	assert_string_equal(pool_prefixes_text(&p, out), again);
}

static void a_client_may_be_a_whole_prefix(void **state)
{
	(void)state;
	assert_prefixes("24", 24, 0, "24");
	assert_prefixes("1,1", 1, 1, "1,1");
	assert_prefixes("32,128", 32, 128, "32,128");
}

static void each_annotation_sets_its_own(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "http", "health-check-port", "8080", "health-check-path",
		     "/health", "health-check-host", "example.org", "health-check-expect",
		     "200-299,301", "health-check-match", "ok", "health-check-interval", "5s",
		     "health-check-timeout", "500ms", "health-check-fast", "1", "health-check-rise",
		     "1", "health-check-fall", "10"),
	       PLAIN "http port=8080 1/10 5000/500/1000 path=/health host=example.org match=ok "
		     "expect=200-299,301\n");
	expect(PAIRS("scheduler", "mh", "scheduler-flags", "fallback,port", "forwarding", "tunnel",
		     "snat", "none", "weight", "0", "drain-seconds", "0", "on-unhealthy", "keep",
		     "fail-policy", "closed", "max-connections", "1000", "udp-one-packet", "true",
		     "weights", "10.0.0.1=3"),
	       "mh flags=fallback,port tunnel snat=none drain=0 weight=0 max=1000 keep closed "
	       "one-packet | tcp "
	       "port=0 2/3 2000/1000/500\n");
	expect(PAIRS("health-check-type", "none", "drain-seconds", "2m"),
	       "wrr flags=none nat snat=auto drain=120 weight=1 max=0 drain open-last | none "
	       "port=0 2/3 "
	       "2000/1000/500\n");
}

static void hold_down_is_of_any_check_but_none(void **state)
{
	(void)state;
	expect(PAIRS("health-check-hold-down", "30"),
	       PLAIN "tcp port=0 2/3 2000/1000/500 hold=30\n");
	expect(PAIRS("health-check-hold-down", "5m", "health-check-type", "redis"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 reset open-last | redis "
	       "port=0 2/3 2000/1000/500 hold=300 secret=- any tls=off lag=0\n");
	expect(PAIRS("health-check-hold-down", "30", "health-check-type", "none"),
	       PLAIN "none port=0 2/3 2000/1000/500\n");
	expect(PAIRS("health-check-hold-down", "0"), PLAIN "tcp port=0 2/3 2000/1000/500\n");
}

static void min_healthy_needs_a_policy_that_takes_back(void **state)
{
#define HALF(policy) \
	"wrr flags=none nat snat=auto drain=300 weight=1 max=0 " policy " healthy=50 | "
#define TCP "tcp port=0 2/3 2000/1000/500\n"
	(void)state;
	expect(PAIRS("min-healthy", "50"), HALF("drain open-last") TCP);
	expect(PAIRS("min-healthy", "50", "fail-policy", "open-all"), HALF("drain open-all") TCP);
	expect(PAIRS("min-healthy", "50", "fail-policy", "closed"), HALF("drain closed") TCP
	       "warning 1: annotation parasaus.io/min-healthy has no effect with "
	       "parasaus.io/fail-policy: closed, which takes nobody back in; set that to open-last "
	       "or open-all\n");
	expect(PAIRS("min-healthy", "50", "health-check-type", "redis", "health-check-role",
		     "writer", "fail-policy", "open-last"),
	       HALF("reset open-last") "redis port=0 2/3 2000/1000/500 secret=- writer tls=off "
				       "lag=0\n"
				       "warning 1: annotation parasaus.io/min-healthy has no "
				       "effect in a pool for one "
				       "writer\n");
	expect(PAIRS("min-healthy", "0", "fail-policy", "closed"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 drain closed | " TCP);
}

static void slow_start_needs_weights_that_count(void **state)
{
	static const struct {
		const char *scheduler, *why;
	} without[] = { { "mh", "would send clients elsewhere with each change of a weight" },
			{ "sh", "would send clients elsewhere with each change of a weight" },
			{ "dh", "would send clients elsewhere with each change of a weight" },
			{ "rr", "does not look at weights" },
			{ "lc", "does not look at weights" },
			{ "fo", "takes weights for an order" },
			{ "ovf", "takes weights for an order" } };
	char want[400];

	(void)state;
	expect(PAIRS("slow-start", "30", "weight", "10"),
	       "wrr flags=none nat snat=auto drain=300 weight=10 max=0 drain open-last slow=30 | "
	       "tcp port=0 2/3 2000/1000/500\n");
	expect(PAIRS("slow-start", "15m", "weights", "10.0.0.1=50"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 drain open-last slow=900 | "
	       "tcp port=0 2/3 2000/1000/500\n");
	expect(PAIRS("slow-start", "30"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 drain open-last slow=30 | "
	       "tcp port=0 2/3 2000/1000/500\n"
	       "warning 1: annotation parasaus.io/slow-start has no effect with weight 1, of which "
	       "a tenth, rounded up, is all of it; set parasaus.io/weight to 10 or more\n");
	expect(PAIRS("slow-start", "30", "weight", "10", "health-check-type", "none"),
	       "wrr flags=none nat snat=auto drain=300 weight=10 max=0 drain open-last slow=30 | "
	       "none port=0 2/3 2000/1000/500\n"
	       "warning 1: annotation parasaus.io/slow-start has no effect without a health "
	       "check\n");
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		snprintf(
			want, sizeof(want),
			"%s flags=none nat snat=auto drain=300 weight=10 max=0 drain open-last "
			"slow=30 | tcp port=0 2/3 2000/1000/500\n"
			"warning 1: annotation parasaus.io/slow-start has no effect: the scheduler "
			"%s %s\n",
			without[i].scheduler, without[i].scheduler, without[i].why);
		expect(PAIRS("slow-start", "30", "weight", "10", "scheduler", without[i].scheduler),
		       want);
	}
	expect(PAIRS("slow-start", "0", "scheduler", "mh"),
	       "mh flags=none nat snat=auto drain=300 weight=1 max=0 drain open-last | tcp port=0 "
	       "2/3 2000/1000/500\n");
}

static void http_without_a_path_asks_for_the_root(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "http"),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399\n");
}

static void the_origins_keys_are_known(void **state)
{
	(void)state;
	expect(PAIRS("healthCheckType", "http", "calledSource", "kubectl-client-side-apply"),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399\n");
	expect(PAIRS("healthCheckType", "NONE"), PLAIN "none port=0 2/3 2000/1000/500\n");
	expect(PAIRS("healthCheckType", "http", "health-check-type", "none"),
	       PLAIN "none port=0 2/3 2000/1000/500\n");
	expect(PAIRS("healthCheckType", "icmp"),
	       UNCHANGED "error 1: annotation healthCheckType: \"icmp\" is not tcp, tcp-full, "
			 "http, grpc, https, mysql, redis, postgresql, dns, udp or none; "
			 "left as it was\n");
	expect(PAIRS("healthCheckType", "http-and-more"), UNCHANGED
	       "error 1: annotation healthCheckType: \"http-and-more\" is not tcp, "
	       "tcp-full, http, grpc, https, mysql, redis, postgresql, dns, udp or none; left "
	       "as it was\n");
}

static void a_bad_value_changes_nothing_but_is_told(void **state)
{
	static const struct {
		const char *key, *value, *text;
	} cases[] = {
		{ "health-check-type", "icmp",
		  "\"icmp\" is not tcp, tcp-full, http, grpc, https, mysql, redis, postgresql, "
		  "dns, udp "
		  ""
		  "or "
		  ""
		  "none; "
		  "left as "
		  "it was" },
		{ "health-check-port", "0", "\"0\" is not a port from 1 to 65535; left as it was" },
		{ "health-check-port", "65536",
		  "\"65536\" is not a port from 1 to 65535; left as it was" },
		{ "health-check-path", "x",
		  "\"x\" is not a path: '/' first, printable ASCII without blanks or '#', 256 at "
		  "most; left as it "
		  "was" },
		{ "health-check-host", "a b",
		  "\"a b\" is not a host name or an address, perhaps with a port; left as it was" },
		{ "health-check-expect", "99",
		  "\"99\" is not a list of at most 8 HTTP statuses such as 200-299,301; left as it "
		  "was" },
		{ "health-check-match", "",
		  "\"\" is not a text of 1 to 128 bytes; left as it was" },
		{ "health-check-interval", "99ms",
		  "\"99ms\" is not a time from 100ms to 60s; left as it was" },
		{ "health-check-timeout", "61s",
		  "\"61s\" is not a time from 100ms to 60s; left as it was" },
		{ "health-check-fast", "soon",
		  "\"soon\" is not a time from 100ms to 60s; left as it was" },
		{ "health-check-hold-down", "301",
		  "\"301\" is not a whole number of seconds from 0 (not at all) to 300; left as it "
		  "was" },
		{ "health-check-hold-down", "1500ms",
		  "\"1500ms\" is not a whole number of seconds from 0 (not at all) to 300; left as "
		  "it was" },
		{ "health-check-rise", "0",
		  "\"0\" is not a whole number from 1 to 10; left as it was" },
		{ "health-check-fall", "11",
		  "\"11\" is not a whole number from 1 to 10; left as it was" },
		{ "min-healthy", "50%",
		  "\"50%\" is not a percentage from 0 to 100, without a sign; left as it was" },
		{ "min-healthy", "101",
		  "\"101\" is not a percentage from 0 to 100, without a sign; left as it was" },
		{ "slow-start", "901",
		  "\"901\" is not a whole number of seconds from 0 (at once) to 900; left as it "
		  "was" },
		{ "scheduler", "fastest",
		  "\"fastest\" is not a scheduler: rr, wrr, lc, wlc, sed, nq, sh, mh, dh, fo, ovf "
		  "or twos; left as "
		  "it was" },
		{ "scheduler", "lblc",
		  "\"lblc\" is not offered: lblc and lblcr keep a cache for each client address "
		  "that nothing "
		  "bounds; mh or sh also keep a client on its server; left as it was" },
		{ "scheduler-flags", "x",
		  "\"x\" is not none, fallback, port, or \"fallback,port\"; left as it was" },
		{ "forwarding", "masq", "\"masq\" is not nat, dr or tunnel; left as it was" },
		{ "tunnel-type", "vxlan",
		  "\"vxlan\" is not ipip, gre, gue, or gue and a port such as gue:6080; left as it "
		  "was" },
		{ "tunnel-type", "gue:0",
		  "\"gue:0\" is not ipip, gre, gue, or gue and a port such as gue:6080; left as it "
		  "was" },
		{ "tunnel-type", "gre:47",
		  "\"gre:47\" is not ipip, gre, gue, or gue and a port such as gue:6080; left as "
		  "it "
		  "was" },
		{ "persistence-netmask", "0", "\"0\" is not " PREFIXES_ARE },
		{ "persistence-netmask", "33", "\"33\" is not " PREFIXES_ARE },
		{ "persistence-netmask", "24,129", "\"24,129\" is not " PREFIXES_ARE },
		{ "persistence-netmask", "24,", "\"24,\" is not " PREFIXES_ARE },
		{ "persistence-netmask", "255.255.255.0",
		  "\"255.255.255.0\" is not " PREFIXES_ARE },
		{ "snat", "on", "\"on\" is not auto or none; left as it was" },
		{ "weight", "65536",
		  "\"65536\" is not a whole number from 0 to 65535; left as it was" },
		{ "weights", "10.0.0.1",
		  "\"10.0.0.1\" is not a list such as 10.0.0.1=5,10.0.0.2:8080=1 with weights from "
		  "0 to 65535, each "
		  "address once; left as it was" },
		{ "drain-seconds", "86401",
		  "\"86401\" is not a whole number of seconds from 0 to 86400; left as it was" },
		{ "drain-seconds", "500ms",
		  "\"500ms\" is not a whole number of seconds from 0 to 86400; left as it was" },
		{ "on-unhealthy", "kill", "\"kill\" is not drain, keep or reset; left as it was" },
		{ "fail-policy", "open",
		  "\"open\" is not open-last, open-all or closed; left as it was" },
		{ "max-connections", "-1",
		  "\"-1\" is not a whole number from 0 (no limit) to 1000000; left as it was" },
		{ "udp-one-packet", "yes", "\"yes\" is not true or false; left as it was" },
		{ "health-check-secret", "db_check",
		  "\"db_check\" is not the name of a Secret: lower-case letters, digits, '-' and "
		  "'.', at most 253; left as it was" },
		{ "health-check-secret", "other/check",
		  "\"other/check\" is not the name of a Secret: lower-case letters, digits, '-' "
		  "and "
		  "'.', at most 253; left as it was" },
		{ "health-check-drain-status", "600",
		  "\"600\" is not a list of at most 8 HTTP statuses such as 503,520-529, or empty; "
		  "left "
		  "as it was" },
		{ "health-check-reuse", "0",
		  "\"0\" is not a whole number from 1 (a connection for each probe) to 1000; left "
		  "as it was" },
		{ "health-check-reuse", "1001",
		  "\"1001\" is not a whole number from 1 (a connection for each probe) to 1000; "
		  "left "
		  "as it was" },
		{ "health-check-server-name", "www.example.org:443",
		  "\"www.example.org:443\" is not a host name or an address, without a port; left "
		  "as "
		  "it was" },
		{ "health-check-role", "master",
		  "\"master\" is not any, writer, reader or galera; left as it was" },
		{ "health-check-tls", "on",
		  "\"on\" is not off, preferred or required; left as it was" },
		{ "health-check-max-lag", "0",
		  "\"0\" is not a whole number of seconds from 1 to 86400; left as it was" },
		{ "health-check-max-lag", "1500ms",
		  "\"1500ms\" is not a whole number of seconds from 1 to 86400; left as it was" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };

		buf_printf(&b, UNCHANGED "error 1: annotation parasaus.io/%s: %s\n", cases[i].key,
			   cases[i].text);
		expect(PAIRS(cases[i].key, cases[i].value), buf_cstr(&b));
		buf_done(&b);
	}
}

#define HTTPS(rest) PLAIN "https port=0 2/3 2000/1000/500 path=/ host=" rest

static void a_status_may_say_more_than_good_or_bad(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "http", "health-check-drain-status", "503",
		     "health-check-degraded-status", "429,520-529"),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399 drain=503 "
		     "degraded=429,520-529\n");
	expect(PAIRS("health-check-type", "http", "health-check-drain-status", ""),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399\n");
	expect(PAIRS("health-check-drain-status", "503"), UNCHANGED
	       "warning 1: annotation parasaus.io/health-check-drain-status has no effect "
	       "with a health check of type tcp\n");
}

#define BY_DR	  "wrr flags=none dr snat=auto drain=300 weight=1 max=0 drain open-last | "
#define HALF_OPEN "tcp port=0 2/3 2000/1000/500"

static void a_check_may_go_by_the_vip(void **state)
{
	(void)state;
	expect(PAIRS("health-check-via", "vip", "forwarding", "dr"), BY_DR HALF_OPEN " via=vip\n");
	expect(PAIRS("health-check-via", "direct", "forwarding", "dr"), BY_DR HALF_OPEN "\n");
	expect(PAIRS("forwarding", "dr", "health-check-via", "vip", "health-check-type", "http",
		     "health-check-reuse", "100"),
	       BY_DR "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399 reuse=100 "
		     "via=vip\n");
	expect(PAIRS("health-check-via", "vip"),
	       UNCHANGED "error 1: annotation parasaus.io/health-check-via: vip is of no use with "
			 "forwarding nat, where servers see no VIP: leave it out, or set "
			 "parasaus.io/forwarding to dr or tunnel; checked directly\n");
	expect(PAIRS("forwarding", "dr", "health-check-via", "vip", "health-check-type", "grpc"),
	       BY_DR "grpc port=0 2/3 2000/1000/500 service=- host=-\n"
		     "error 2: annotation parasaus.io/health-check-via: vip is for health checks "
		     "of type tcp, tcp-full, http and https, not of type grpc; checked directly\n");
	expect(PAIRS("forwarding", "dr", "health-check-via", "vip", "health-check-type", "none"),
	       BY_DR "none port=0 2/3 2000/1000/500\n"
		     "error 2: annotation parasaus.io/health-check-via: vip is for health checks "
		     "of type tcp, tcp-full, http and https, not of type none; checked directly\n");
	expect(PAIRS("forwarding", "dr", "health-check-via", "tunnel"), BY_DR HALF_OPEN
	       "\nerror 2: annotation parasaus.io/health-check-via: \"tunnel\" is not "
	       "direct or vip; left as it was\n");
}

static void a_connection_may_serve_several_http_probes(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "http", "health-check-reuse", "100"),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399 "
		     "reuse=100\n");
	expect(PAIRS("health-check-type", "https", "health-check-reuse", "1000"),
	       HTTPS("- match=- expect=200-399 reuse=1000 secret=- name=-\n"));
	expect(PAIRS("health-check-type", "http", "health-check-reuse", "1"),
	       PLAIN "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399\n");
	expect(PAIRS("health-check-reuse", "100"), UNCHANGED
	       "warning 1: annotation parasaus.io/health-check-reuse has no effect with a health "
	       "check of type tcp\n");
	expect(PAIRS("health-check-type", "grpc", "health-check-reuse", "100"),
	       PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=-\n"
		     "warning 2: annotation parasaus.io/health-check-reuse has no effect with a "
		     "health check of type grpc\n");
}

static void https_knows_whom_to_trust(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "https"),
	       HTTPS("- match=- expect=200-399 secret=- name=-\n"));
	expect(PAIRS("health-check-host", "h:1", "healthCheckType", "HTTPS", "health-check-secret",
		     "web", "health-check-server-name", "h"),
	       HTTPS("h:1 match=- expect=200-399 secret=shop/web name=h\n"));
	/* A slip in the name of the Secret does not make it trust anybody. */
	expect(PAIRS("health-check-type", "https", "health-check-secret", "a_b"),
	       HTTPS("- match=- expect=200-399 secret=shop/- name=-\n") "error 2: annotation "
									"parasaus.io/"
									"health-check-secret:"
									" \"a_b\" is not the "
									"name of a "
									"Secret: lower-case "
									"letters, digits, "
									"'-' and '.', at "
									"most 253; left as "
									"it was\n");
	expect(PAIRS("health-check-type", "https", "health-check-role", "writer"),
	       HTTPS("- match=- expect=200-399 secret=- name=-\n") "warning 2: annotation "
								   "parasaus.io/health-check-role "
								   "has no effect with a health "
								   "check of type https\n");
	expect(PAIRS("health-check-type", "http", "health-check-server-name", "h"), PLAIN
	       "http port=0 2/3 2000/1000/500 path=/ host=- match=- expect=200-399\n"
	       "warning 2: annotation parasaus.io/health-check-server-name has no effect with "
	       "a health check of type http\n");
}

#define MYSQL(policies, rest)                                             \
	"wrr flags=none nat snat=auto drain=300 weight=1 max=0 " policies \
	" | mysql port=0 2/3 2000/1000/500 " rest "\n"

static void mysql_asks_for_a_role_after_a_login(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "mysql"),
	       MYSQL("reset open-last", "secret=- any tls=preferred lag=0"));
	expect(PAIRS("healthCheckType", "MySQL", "health-check-secret", "db.check"),
	       MYSQL("reset open-last", "secret=shop/db.check any tls=preferred lag=0"));
	expect(PAIRS("health-check-role", "writer", "health-check-secret", "check",
		     "health-check-type", "mysql", "health-check-tls", "required"),
	       MYSQL("reset closed", "secret=shop/check writer tls=required lag=0"));
	expect(PAIRS("health-check-role", "reader", "health-check-secret", "check",
		     "health-check-type", "mysql", "health-check-max-lag", "30s", "fail-policy",
		     "open-all", "on-unhealthy", "keep", "health-check-tls", "off"),
	       MYSQL("keep open-all", "secret=shop/check reader tls=off lag=30"));
}

static void a_role_without_a_login_is_refused(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "mysql", "health-check-role", "writer"),
	       MYSQL("reset open-last",
		     "secret=- any tls=preferred lag=0") "error 2: annotation "
							 "parasaus.io/health-check-role: writer "
							 "needs a login, and so "
							 "parasaus.io/health-check-secret; left as "
							 "it was\n");
	/* A slip in the name makes no pool of equals of it. */
	expect(PAIRS("health-check-type", "mysql", "health-check-role", "writer",
		     "health-check-secret", "a_b"),
	       MYSQL("reset closed",
		     "secret=shop/- writer tls=preferred lag=0") "error 3: annotation "
								 "parasaus.io/"
								 "health-check-secret: "
								 "\"a_b\" is not the name of "
								 "a "
								 "Secret: lower-case "
								 "letters, digits, '-' and "
								 "'.', at most 253; left as "
								 "it was\n");
}

static void a_secret_is_of_the_pools_own_source(void **state)
{
	struct object_annotation items[] = {
		{ (char *)(uintptr_t) "health-check-type", (char *)(uintptr_t) "mysql", 1 },
		{ (char *)(uintptr_t) "health-check-secret", (char *)(uintptr_t) "check", 2 },
	};
	const struct pool_home second = { "shop", 1 };
	struct pool_settings set = defaults();
	struct problems problems = { 0 };

	(void)state;
	pool_annotations(items, ARRAY_LEN(items), &second, &set, &problems);
	assert_string_equal(set.check->secret, "shop/check@1");
	assert_int_equal(problems.count, 0);
	check_unref(set.check);
}

static void unknown_keys_and_those_to_come_are_told_apart(void **state)
{
	(void)state;
	expect(PAIRS("helth-check-type", "http", "zebra", "1", "pin", "x"), UNCHANGED
	       "error 1: annotation parasaus.io/helth-check-type is unknown; not used; did you "
	       "mean "
	       "parasaus.io/health-check-type?\n"
	       "error 2: annotation parasaus.io/zebra is unknown; not used\n"
	       "error 3: annotation parasaus.io/pin is not available in this version; not used\n");
}

static void times_are_judged_together(void **state)
{
	(void)state;
	/* A default gives way without a word; what was written does not. */
	expect(PAIRS("health-check-interval", "300ms"), PLAIN "tcp port=0 2/3 300/300/300\n");
	expect(PAIRS("health-check-timeout", "5s", "health-check-fast", "3s"),
	       PLAIN "tcp port=0 2/3 2000/2000/2000\n"
		     "error 1: annotation parasaus.io/health-check-timeout: 5s is longer than the "
		     "interval, 2s; "
		     "taken as that\n"
		     "error 2: annotation parasaus.io/health-check-fast: 3s is longer than the "
		     "interval, 2s; taken "
		     "as that\n");
	expect(PAIRS("health-check-timeout", "5s", "health-check-interval", "10s"),
	       PLAIN "tcp port=0 2/3 10000/5000/500\n");
}

static void flags_need_a_scheduler_that_has_them(void **state)
{
	(void)state;
	expect(PAIRS("scheduler-flags", "port", "scheduler", "sh"),
	       "sh flags=port nat snat=auto drain=300 weight=1 max=0 drain open-last | tcp port=0 "
	       "2/3 "
	       "2000/1000/500\n");
	expect(PAIRS("scheduler-flags", "port", "scheduler", "rr"),
	       "rr flags=none nat snat=auto drain=300 weight=1 max=0 drain open-last | tcp port=0 "
	       "2/3 "
	       "2000/1000/500\n"
	       "error 1: annotation parasaus.io/scheduler-flags is for mh and sh, not for rr; not "
	       "used\n");
}

#define REDIS(policies, rest)                                             \
	"wrr flags=none nat snat=auto drain=300 weight=1 max=0 " policies \
	" | redis port=0 2/3 2000/1000/500 " rest "\n"

static void redis_tells_its_role_without_a_login(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "redis"),
	       REDIS("reset open-last", "secret=- any tls=off lag=0"));
	expect(PAIRS("health-check-type", "redis", "health-check-role", "writer"),
	       REDIS("reset closed", "secret=- writer tls=off lag=0"));
	expect(PAIRS("health-check-type", "redis", "health-check-role", "reader",
		     "health-check-secret", "login"),
	       REDIS("reset closed", "secret=shop/login reader tls=off lag=0"));
	/* The name is a slip: no login, but nobody is let in without the role. */
	expect(PAIRS("health-check-type", "redis", "health-check-role", "writer",
		     "health-check-secret", "Login"),
	       REDIS("reset closed",
		     "secret=shop/- writer tls=off lag=0") "error 3: annotation "
							   "parasaus.io/health-check-secret: "
							   "\"Login\" is not the name of a "
							   "Secret: lower-case letters, "
							   "digits, '-' and '.', at most "
							   "253; "
							   "left as it was\n");
	expect(PAIRS("health-check-type", "redis", "health-check-role", "galera"),
	       REDIS("reset open-last",
		     "secret=- any tls=off lag=0") "error 2: annotation "
						   "parasaus.io/health-check-role: galera is no "
						   "role that a check of "
						   "type redis can ask for; left as it was\n");
	expect(PAIRS("health-check-type", "redis", "health-check-max-lag", "5", "health-check-tls",
		     "off"),
	       REDIS("reset open-last",
		     "secret=- any tls=off lag=0") "warning 2: annotation "
						   "parasaus.io/health-check-max-lag has no effect "
						   "with a health "
						   "check of type redis\n");
}

#define GRPC(rest) PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=- " rest "\n"
#define CANNOT_SECURE(line, type)                                                              \
	"error " line ": annotation parasaus.io/health-check-tls: a check of type " type       \
	" begins with TLS or does without, and cannot ask the server first: off or required; " \
	"checked half-open\n"

static void tls_begins_with_the_connection_or_not_at_all(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "grpc", "health-check-tls", "required"),
	       GRPC("secret=- name=-"));
	expect(PAIRS("health-check-type", "grpc", "health-check-tls", "required",
		     "health-check-secret", "web", "health-check-server-name", "h"),
	       GRPC("secret=shop/web name=h"));
	expect(PAIRS("health-check-type", "redis", "health-check-tls", "required",
		     "health-check-secret", "db", "health-check-server-name", "h"),
	       REDIS("reset open-last",
		     "secret=shop/db name=h secret=shop/db any tls=required lag=0"));
	/* Nobody can be asked first, and what was meant by another word nobody knows. */
	expect(PAIRS("health-check-type", "grpc", "health-check-tls", "preferred"),
	       GRPC("secret=shop/- name=-") CANNOT_SECURE("2", "grpc"));
	expect(PAIRS("health-check-type", "redis", "health-check-tls", "on", "health-check-secret",
		     "db"),
	       REDIS("reset open-last",
		     "secret=shop/- name=- secret=shop/- any "
		     "tls=required lag=0") "error 2: annotation "
					   "parasaus.io/health-check-tls: \"on\" is not off "
					   "or required; checked half-open\n");
	/* Whose check has no such beginning is as it was. */
	expect(PAIRS("health-check-type", "mysql", "health-check-tls", "on"),
	       MYSQL("reset open-last",
		     "secret=- any tls=preferred lag=0") "error 2: annotation "
							 "parasaus.io/health-check-tls: \"on\" is "
							 "not off, "
							 "preferred or required; left as it was\n");
	/* A slip in the name of the Secret makes neither trust anybody. */
	expect(PAIRS("health-check-type", "grpc", "health-check-tls", "required",
		     "health-check-secret", "a_b"),
	       GRPC("secret=shop/- name=-") "error 3: annotation "
					    "parasaus.io/health-check-secret: \"a_b\" is not "
					    "the name of a Secret: "
					    "lower-case letters, digits, '-' and '.', at "
					    "most 253; left as it was\n");
}

/* The type may be of the defaults, and the slip be all that is said of the check. */
static void a_slip_alone_makes_the_default_half_open(void **state)
{
	static const struct {
		enum check_type type;
		const char *key;
	} rows[] = {
		{ CHECK_GRPC, "health-check-tls" },
		{ CHECK_REDIS, "health-check-tls" },
		{ CHECK_HTTPS, "health-check-secret" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool_settings set = defaults();
		struct problems problems = { 0 };

		check_unref(set.check);
		set.check = check_new(rows[i].type);
		apply(PAIRS(rows[i].key, "a_b"), &set, &problems);
		assert_int_equal(problems.count, 1);
		assert_string_equal(set.check->secret, "shop/" CHECK_SECRET_NONE);
		assert_false(check_names_secret(set.check));
		problems_done(&problems);
		check_unref(set.check);
	}
}

#define NO_EFFECT(line, key, type)                                                            \
	"warning " line ": annotation parasaus.io/health-check-" key " has no effect with a " \
	"health check of type " type " without parasaus.io/health-check-tls: required\n"

static void certificates_are_for_tls(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "grpc", "health-check-secret", "web",
		     "health-check-server-name", "h"),
	       PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=-\n" NO_EFFECT(
		       "3", "server-name", "grpc") NO_EFFECT("2", "secret", "grpc"));
	expect(PAIRS("health-check-type", "redis", "health-check-secret", "db",
		     "health-check-server-name", "h", "health-check-tls", "off"),
	       REDIS("reset open-last", "secret=shop/db any tls=off lag=0")
		       NO_EFFECT("3", "server-name", "redis"));
}

static void postgresql_tells_its_role_after_a_login(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "postgresql", "health-check-secret", "login",
		     "health-check-role", "writer", "health-check-tls", "required"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 reset closed | postgresql "
	       "port=0 "
	       "2/3 2000/1000/500 secret=shop/login writer tls=required lag=0\n");
	expect(PAIRS("health-check-type", "postgresql", "health-check-role", "writer"),
	       "wrr flags=none nat snat=auto drain=300 weight=1 max=0 reset open-last | postgresql "
	       "port=0 2/3 2000/1000/500 secret=- any tls=preferred lag=0\n"
	       "error 2: annotation parasaus.io/health-check-role: writer needs a login, and so "
	       "parasaus.io/health-check-secret; left as it was\n");
}

static void tcp_full_and_udp_send_and_hear(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "tcp-full", "health-check-send", "a\\r\\n",
		     "health-check-answer", "\\x00"),
	       PLAIN "tcp-full port=0 2/3 2000/1000/500 send=a\\r\\n answer=\\x00\n");
	expect(PAIRS("health-check-type", "udp", "health-check-send", "a", "health-check-answer",
		     "b"),
	       PLAIN "udp port=0 2/3 2000/1000/500 send=a answer=b\n");
	expect(PAIRS("health-check-type", "tcp-full", "health-check-send", "\\q",
		     "health-check-answer", ""),
	       PLAIN
	       "tcp-full port=0 2/3 2000/1000/500 send=- answer=-\n"
	       "error 2: annotation parasaus.io/health-check-send: \"\\q\" is not 1 to 128 bytes, "
	       "with \\r, \\n, \\t, \\0, \\\\ and \\xHH for those that cannot be written; left "
	       "as it was\n"
	       "error 3: annotation parasaus.io/health-check-answer: \"\" is not 1 to 128 bytes, "
	       "with \\r, \\n, \\t, \\0, \\\\ and \\xHH for those that cannot be written; left "
	       "as it was\n");
	expect(PAIRS("health-check-send", "x"),
	       UNCHANGED "warning 1: annotation parasaus.io/health-check-send has no effect with a "
			 "health check of type tcp\n");
}

static void dns_asks_for_a_name(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "dns"),
	       PLAIN "dns port=0 2/3 2000/1000/500 . 6 rcodes=1\n");
	expect(PAIRS("health-check-type", "dns", "health-check-dns-name", "example.org",
		     "health-check-dns-type", "AAAA", "health-check-dns-rcodes",
		     "NXDOMAIN,NOERROR"),
	       PLAIN "dns port=0 2/3 2000/1000/500 example.org 28 rcodes=9\n");
	expect(PAIRS("health-check-type", "dns", "health-check-dns-name", "a..b",
		     "health-check-dns-type", "ANY", "health-check-dns-rcodes", "NOERROR,"),
	       PLAIN "dns port=0 2/3 2000/1000/500 . 6 rcodes=1\n"
		     "error 2: annotation parasaus.io/health-check-dns-name: \"a..b\" is not the "
		     "name of a domain, such as example.org, or . for the root; left as it was\n"
		     "error 3: annotation parasaus.io/health-check-dns-type: \"ANY\" is not A, NS, "
		     "CNAME, SOA, PTR, MX, TXT, AAAA or SRV; left as it was\n"
		     "error 4: annotation parasaus.io/health-check-dns-rcodes: \"NOERROR,\" is not "
		     "a list of NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP and REFUSED, with "
		     "commas between; left as it was\n");
	expect(PAIRS("health-check-type", "udp", "health-check-dns-name", "."),
	       PLAIN "udp port=0 2/3 2000/1000/500 send=- answer=-\n"
		     "warning 2: annotation parasaus.io/health-check-dns-name has no effect with a "
		     "health check of type udp\n");
}

static void grpc_asks_for_a_service(void **state)
{
	(void)state;
	expect(PAIRS("health-check-type", "grpc"),
	       PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=-\n");
	expect(PAIRS("health-check-type", "grpc", "health-check-grpc-service", "shop.v1.Cart",
		     "health-check-host", "shop.example:443", "health-check-port", "50051"),
	       PLAIN "grpc port=50051 2/3 2000/1000/500 service=shop.v1.Cart "
		     "host=shop.example:443\n");
	expect(PAIRS("health-check-type", "grpc", "health-check-grpc-service", "a b"),
	       PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=-\n"
		     "error 2: annotation parasaus.io/health-check-grpc-service: \"a b\" is not "
		     "the name of a gRPC service: 1 to 255 printable characters of ASCII without "
		     "blanks, such as shop.v1.Cart; left as it was\n");
	expect(PAIRS("health-check-type", "grpc", "health-check-path", "/x"),
	       PLAIN "grpc port=0 2/3 2000/1000/500 service=- host=-\n"
		     "warning 2: annotation parasaus.io/health-check-path has no effect with a "
		     "health check of type grpc\n");
	expect(PAIRS("health-check-grpc-service", "x"),
	       UNCHANGED "warning 1: annotation parasaus.io/health-check-grpc-service has no "
			 "effect with a health check of type tcp\n");
}

static void what_has_no_effect_is_told(void **state)
{
	(void)state;
	expect(PAIRS("health-check-secret", "check", "health-check-role", "writer"),
	       PLAIN "tcp port=0 2/3 2000/1000/500\n"
		     "warning 1: annotation parasaus.io/health-check-secret has no effect with a "
		     "health check of type tcp\n"
		     "warning 2: annotation parasaus.io/health-check-role has no effect with a "
		     "health check of type tcp\n");
	expect(PAIRS("health-check-type", "mysql", "health-check-max-lag", "5"),
	       MYSQL("reset open-last",
		     "secret=- any tls=preferred lag=0") "warning 2: annotation "
							 "parasaus.io/health-check-max-lag is for "
							 "the role reader, not "
							 "for any; not used\n");
	expect(PAIRS("health-check-path", "/x"),
	       PLAIN "tcp port=0 2/3 2000/1000/500\n"
		     "warning 1: annotation parasaus.io/health-check-path has no effect with a "
		     "health check of "
		     "type tcp\n");
}

static void nothing_of_the_check_keeps_the_very_same_check(void **state)
{
	struct pool_settings set = defaults();
	struct check *before = set.check;
	struct problems problems = { 0 };

	(void)state;
	apply(PAIRS("weight", "5", "health-check-rise", "99"), &set, &problems);
	assert_ptr_equal(set.check, before);
	problems_done(&problems);
	check_unref(set.check);
}

static void weights_are_found_by_address_and_port(void **state)
{
	struct weights w = { 0 };
	struct endpoint e;
	uint32_t n = 77;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_int_equal(
		weights_parse(
			"10.0.0.1=5, 10.0.0.2:80=1 ,10.0.0.2=2,[2001:db8::1]:80=0,2001:db8::2=9",
			&w),
		0);
	assert_int_equal(endpoint_parse("10.0.0.1:1", IPPROTO_TCP, &e), 0);
	assert_true(weights_find(&w, &e, &n) && n == 5);
	assert_int_equal(endpoint_parse("10.0.0.2:80", IPPROTO_TCP, &e), 0);
	assert_true(weights_find(&w, &e, &n) && n == 1);
	assert_int_equal(endpoint_parse("10.0.0.2:81", IPPROTO_UDP, &e), 0);
	assert_true(weights_find(&w, &e, &n) && n == 2);
	assert_int_equal(endpoint_parse("[2001:db8::1]:80", IPPROTO_TCP, &e), 0);
	assert_true(weights_find(&w, &e, &n) && n == 0);
	assert_string_equal(weights_unused(&w, text), "2001:db8::2");
	assert_int_equal(endpoint_parse("[2001:db8::2]:80", IPPROTO_TCP, &e), 0);
	assert_true(weights_find(&w, &e, &n) && n == 9);
	assert_null(weights_unused(&w, text));
	assert_int_equal(endpoint_parse("10.0.0.3:80", IPPROTO_TCP, &e), 0);
	n = 77;
	assert_false(weights_find(&w, &e, &n));
	assert_int_equal(n, 77);
	weights_done(&w);
	assert_false(weights_find(&w, &e, &n));
}

static void weights_are_changed_one_by_one(void **state)
{
	static const struct {
		const char *list, *where, *weight,
			*want; /* weight NULL: none; want NULL: refused */
	} cases[] = {
		{ NULL, "10.0.0.1:80", "5", "10.0.0.1:80=5" },
		{ "", "10.0.0.1:80", NULL, "" },
		{ "10.0.0.1=5", "10.0.0.1:80", "0", "10.0.0.1=5,10.0.0.1:80=0" },
		{ "10.0.0.1=5, 10.0.0.1:80=1 ,10.0.0.2=2", "10.0.0.1:80", "7",
		  "10.0.0.1=5,10.0.0.1:80=7,10.0.0.2=2" },
		{ "10.0.0.1=5,10.0.0.1:80=1,10.0.0.2=2", "10.0.0.1:80", NULL,
		  "10.0.0.1=5,10.0.0.2=2" },
		{ "10.0.0.1:80=1", "10.0.0.1:80", NULL, "" },
		{ NULL, "[2001:db8::1]:80", "3", "[2001:db8::1]:80=3" },
		{ "[2001:db8:0::1]:80=2", "[2001:db8::1]:80", NULL, "" },
		{ "10.0.0.1", "10.0.0.1:80", "1", NULL },
		{ "10.0.0.1=1,", "10.0.0.1:80", "1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t weight = cases[i].weight ? (uint32_t)atoi(cases[i].weight) : 0, said = 77;
		CLEANUP(buf_done) struct buf out = { 0 };
		struct endpoint e;
		int r;

		assert_int_equal(endpoint_parse(cases[i].where, IPPROTO_TCP, &e), 0);
		r = weights_change(cases[i].list, &e, cases[i].weight ? &weight : NULL, &out);
		assert_int_equal(r, cases[i].want ? 0 : -EINVAL);
		if (!cases[i].want)
			continue;
		assert_string_equal(buf_cstr(&out), cases[i].want);
		assert_int_equal(weights_say(buf_cstr(&out), &e, &said), cases[i].weight != NULL);
		assert_int_equal(said, cases[i].weight ? weight : 77);
	}
}

static void bad_weights_are_refused_as_a_whole(void **state)
{
	static const char *const bad[] = { "",
					   ",",
					   "10.0.0.1",
					   "10.0.0.1=",
					   "10.0.0.1=x",
					   "10.0.0.1=65536",
					   "10.0.0.1=1,",
					   "10.0.0.1=1,,10.0.0.2=1",
					   "a=1",
					   "10.0.0.1=1 10.0.0.2=1",
					   "10.0.0.1=1,10.0.0.1=2",
					   "10.0.0.1:0=1",
					   "10.0.0.1:99999=1",
					   "=1",
					   "[2001:db8::1]=1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct weights w = { 0 };

		if (weights_parse(bad[i], &w) != -EINVAL || w.items)
			fail_msg("'%s' is taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_annotation_sets_its_own),
		cmocka_unit_test(a_tunnel_has_a_type_and_gue_a_port),
		cmocka_unit_test(a_client_may_be_a_whole_prefix),
		cmocka_unit_test(hold_down_is_of_any_check_but_none),
		cmocka_unit_test(min_healthy_needs_a_policy_that_takes_back),
		cmocka_unit_test(slow_start_needs_weights_that_count),
		cmocka_unit_test(http_without_a_path_asks_for_the_root),
		cmocka_unit_test(the_origins_keys_are_known),
		cmocka_unit_test(a_bad_value_changes_nothing_but_is_told),
		cmocka_unit_test(a_status_may_say_more_than_good_or_bad),
		cmocka_unit_test(a_check_may_go_by_the_vip),
		cmocka_unit_test(a_connection_may_serve_several_http_probes),
		cmocka_unit_test(https_knows_whom_to_trust),
		cmocka_unit_test(mysql_asks_for_a_role_after_a_login),
		cmocka_unit_test(redis_tells_its_role_without_a_login),
		cmocka_unit_test(tls_begins_with_the_connection_or_not_at_all),
		cmocka_unit_test(a_slip_alone_makes_the_default_half_open),
		cmocka_unit_test(certificates_are_for_tls),
		cmocka_unit_test(postgresql_tells_its_role_after_a_login),
		cmocka_unit_test(tcp_full_and_udp_send_and_hear),
		cmocka_unit_test(a_role_without_a_login_is_refused),
		cmocka_unit_test(a_secret_is_of_the_pools_own_source),
		cmocka_unit_test(unknown_keys_and_those_to_come_are_told_apart),
		cmocka_unit_test(times_are_judged_together),
		cmocka_unit_test(flags_need_a_scheduler_that_has_them),
		cmocka_unit_test(dns_asks_for_a_name),
		cmocka_unit_test(grpc_asks_for_a_service),
		cmocka_unit_test(what_has_no_effect_is_told),
		cmocka_unit_test(nothing_of_the_check_keeps_the_very_same_check),
		cmocka_unit_test(weights_are_found_by_address_and_port),
		cmocka_unit_test(weights_are_changed_one_by_one),
		cmocka_unit_test(bad_weights_are_refused_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
