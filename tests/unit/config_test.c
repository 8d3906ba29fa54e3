/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.c: what a configuration comes to, and what is said of one that is
 * not good: always the file, the line, the key, and what to do.
 */
#include "agent/config.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char sources[] = "sources: [{directory: /d}]\n";

/* The configuration of `text` and a source; the test fails where it has none. */
static struct config *config_of(const char *text)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct config *c = NULL;
	struct err err = { 0 };

	buf_str(&b, text);
	buf_str(&b, sources);
	if (config_read("test.yaml", b.data, b.len, &c, &err) != 0)
		fail_msg("%s", err.text);
	return c;
}

static void free_config(struct config **c)
{
	config_free(*c);
}

/* --- good ones ---------------------------------------------------------------------- */

static void what_is_not_written_has_its_default(void **state)
{
	CLEANUP(free_config) struct config *c = config_of("");
	const struct pool_settings *d = &c->defaults;

	(void)state;
	assert_true(strlen(c->node) > 0);
	assert_true(strcmp(c->user, "parasaus") == 0 || strcmp(c->user, "nobody") == 0);
	assert_string_equal(c->state_directory, "/var/lib/parasaus");
	assert_string_equal(c->api_socket, "/run/parasaus/api.sock");
	assert_int_equal(c->api_listen.port, 0);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->audit_ms, 30000);
	assert_int_equal(c->route_protocol, 112);
	assert_int_equal(c->node_address.v4.family, 0);
	assert_int_equal(c->node_address.v6.family, 0);
	assert_int_equal(c->announce.mode, CONFIG_ANNOUNCE_ALL);
	assert_int_equal(c->announce.rate, 200);
	assert_int_equal(c->vip_range_count, 0);
	assert_int_equal(c->address_pool_count, 0);

	assert_string_equal(d->scheduler, "wrr");
	assert_int_equal(d->scheduler_flags, 0);
	assert_int_equal(d->forward, FORWARD_NAT);
	assert_int_equal(d->tunnel.type, TUNNEL_IPIP);
	assert_int_equal(d->persistence.v4, 32);
	assert_int_equal(d->persistence.v6, 128);
	assert_true(d->masquerade);
	assert_false(d->one_packet);
	assert_int_equal(d->weight, 1);
	assert_int_equal(d->max_connections, 0);
	assert_int_equal(d->drain_s, 300);
	assert_int_equal(d->unhealthy, UNHEALTHY_DRAIN);
	assert_int_equal(d->fail_policy, FAIL_OPEN_LAST);
	assert_int_equal(d->min_healthy, 0);
	assert_int_equal(d->slow_start_s, 0);
	assert_int_equal(c->mass.targets, 100);
	assert_int_equal(c->mass.doubt, 30);
	assert_int_equal(c->mass.freeze, 50);
	assert_int_equal(c->mass.per_minute, 10);
	assert_int_equal(d->check->type, CHECK_TCP);
	assert_int_equal(d->check->interval_ms, 2000);
	assert_int_equal(d->check->timeout_ms, 1000);
	assert_int_equal(d->check->fast_ms, 500);
	assert_int_equal(d->check->rise, 2);
	assert_int_equal(d->check->hold_down_s, 0);
	assert_int_equal(d->check->reuse, 1);
	assert_int_equal(d->check->fall, 3);
	assert_null(d->check->path);
}

static void what_is_written_counts(void **state)
{
	CLEANUP(free_config)
	struct config *c = config_of(
		"node: lb-1.example\n"
		"user: nobody\n"
		"stateDirectory: /tmp/state\n"
		"logLevel: debug\n"
		"nodeAddress: [192.0.2.1, \"2001:db8::1\"]\n"
		"api: {socket: /tmp/s, listen: \"[::1]:9090\", metricsPools: 7}\n"
		"audit: 5\n"
		"routeProtocol: 113\n"
		"defaults:\n"
		"  scheduler: mh\n"
		"  schedulerFlags: fallback,port\n"
		"  forwarding: dr\n"
		"  tunnelType: gue:7000\n"
		"  persistenceNetmask: 24\n"
		"  snat: none\n"
		"  weight: 100\n"
		"  maxConnections: 5000\n"
		"  drain: 90\n"
		"  onUnhealthy: reset\n"
		"  failPolicy: closed\n"
		"  minHealthy: 40\n"
		"  slowStart: 45\n"
		"  path: /healthz\n" /* before `check`, which it depends on */
		"  check: http\n"
		"  host: www.example.com\n"
		"  expect: 200-299,401\n"
		"  drainStatus: 503\n"
		"  degradedStatus: 429,520-529\n"
		"  reuse: 50\n"
		"  interval: 500ms\n"
		"  timeout: 0.4\n"
		"  fast: 0.1s\n"
		"  rise: 1\n"
		"  holdDown: 90\n"
		"  fall: 10\n"
		"massFailure: {targets: 0, doubt: 1, freeze: 100, perMinute: 3}\n");
	const struct pool_settings *d = &c->defaults;

	(void)state;
	assert_string_equal(c->node, "lb-1.example");
	assert_string_equal(c->user, "nobody");
	assert_string_equal(c->state_directory, "/tmp/state");
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(c->node_address.v4.family, AF_INET);
	assert_int_equal(c->node_address.v6.family, AF_INET6);
	assert_string_equal(c->api_socket, "/tmp/s");
	assert_int_equal(c->api_listen.port, 9090);
	assert_int_equal(c->metrics_pools, 7);
	assert_int_equal(c->api_listen.addr.family, AF_INET6);
	assert_int_equal(c->audit_ms, 5000);
	assert_int_equal(c->route_protocol, 113);

	assert_string_equal(d->scheduler, "mh");
	assert_int_equal(d->scheduler_flags, 0x18);
	assert_int_equal(d->forward, FORWARD_DIRECT);
	assert_int_equal(d->tunnel.type, TUNNEL_GUE);
	assert_int_equal(d->tunnel.port, 7000);
	assert_int_equal(d->persistence.v4, 24);
	assert_int_equal(d->persistence.v6, 0);
	assert_false(d->masquerade);
	assert_int_equal(d->weight, 100);
	assert_int_equal(d->max_connections, 5000);
	assert_int_equal(d->drain_s, 90);
	assert_int_equal(d->unhealthy, UNHEALTHY_RESET);
	assert_int_equal(d->fail_policy, FAIL_CLOSED);
	assert_int_equal(d->min_healthy, 40);
	assert_int_equal(d->slow_start_s, 45);
	assert_int_equal(c->mass.targets, 0);
	assert_int_equal(c->mass.doubt, 1);
	assert_int_equal(c->mass.freeze, 100);
	assert_int_equal(c->mass.per_minute, 3);
	assert_int_equal(d->check->type, CHECK_HTTP);
	assert_string_equal(d->check->path, "/healthz");
	assert_string_equal(d->check->host, "www.example.com");
	assert_int_equal(d->check->expect_count, 2);
	assert_int_equal(d->check->drain_count, 1);
	assert_int_equal(d->check->drain[0].first, 503);
	assert_int_equal(d->check->degraded_count, 2);
	assert_int_equal(d->check->degraded[1].last, 529);
	assert_int_equal(d->check->reuse, 50);
	assert_int_equal(d->check->interval_ms, 500);
	assert_int_equal(d->check->timeout_ms, 400);
	assert_int_equal(d->check->fast_ms, 100);
	assert_int_equal(d->check->rise, 1);
	assert_int_equal(d->check->hold_down_s, 90);
	assert_int_equal(d->check->fall, 10);
}

static void an_http_check_asks_for_the_root_where_no_path_is_written(void **state)
{
	CLEANUP(free_config) struct config *c = config_of("defaults: {check: http}\n");

	(void)state;
	assert_string_equal(c->defaults.check->path, "/");
	assert_int_equal(c->defaults.check->expect[0].first, 200);
	assert_int_equal(c->defaults.check->expect[0].last, 399);
}

static void default_times_give_way_to_a_short_interval(void **state)
{
	CLEANUP(free_config) struct config *c = config_of("defaults: {interval: 0.2}\n");

	(void)state;
	assert_int_equal(c->defaults.check->interval_ms, 200);
	assert_int_equal(c->defaults.check->timeout_ms, 200);
	assert_int_equal(c->defaults.check->fast_ms, 200);
}

static void the_rules_of_the_model_are_those_of_the_file(void **state)
{
	CLEANUP(free_config)
	struct config *c = config_of(
		"addressPools: [{name: a, addresses: [10.0.0.0/24], ports: 80}]\n"
		"refuse: [10.9.0.0/16, \"2001:db8::/48\", 192.0.2.7]\n"
		"defaults: {weight: 7}\n");

	(void)state;
	assert_ptr_equal(c->rules.address_pools, c->address_pools);
	assert_int_equal(c->rules.address_pool_count, 1);
	assert_ptr_equal(c->rules.vip_ranges, c->vip_ranges);
	assert_int_equal(c->rules.vip_range_count, 1);
	assert_ptr_equal(c->rules.refuse, c->refuse);
	assert_int_equal(c->rules.refuse_count, 3);
	assert_int_equal(c->refuse[2].len, 32);
	assert_int_equal(c->rules.defaults.weight, 7);
	assert_ptr_equal(c->rules.defaults.check, c->defaults.check);
}

/* "10.0.0.0/24 10.0.1.0/25" */
static const char *vip_ranges_text(const struct config *c, struct buf *out)
{
	char text[ADDR_TEXT_MAX];

	buf_reset(out);
	for (size_t i = 0; i < c->vip_range_count; i++)
		buf_printf(out, "%s%s/%u", i > 0 ? " " : "",
			   addr_text(&c->vip_ranges[i].addr, text), c->vip_ranges[i].len);
	return buf_cstr(out);
}

static void vip_ranges_default_to_what_the_pools_hold(void **state)
{
	static const struct {
		const char *addresses;
		const char *want;
	} cases[] = {
		{ "10.0.0.0/24", "10.0.0.0/24" },
		{ "10.0.0.1", "10.0.0.1/32" },
		{ "10.0.0.0-10.0.0.255", "10.0.0.0/24" },
		{ "10.0.0.1-10.0.0.8", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/30 10.0.0.8/32" },
		{ "10.0.0.255-10.0.1.0", "10.0.0.255/32 10.0.1.0/32" },
		{ "223.255.255.254-223.255.255.255", "223.255.255.254/31" },
		{ "\"2001:db8::/64\"", "2001:db8::/64" },
		{ "\"2001:db8::1-2001:db8::2\"", "2001:db8::1/128 2001:db8::2/128" },
		{ "10.0.0.4, 10.0.0.0-10.0.0.3, \"2001:db8::5\"",
		  "10.0.0.4/32 10.0.0.0/30 2001:db8::5/128" },
	};
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(free_config) struct config *c = NULL;
		char text[200];

		snprintf(text, sizeof(text),
			 "addressPools: [{name: a, addresses: [%s], ports: 80}]\n",
			 cases[i].addresses);
		c = config_of(text);
		assert_string_equal(vip_ranges_text(c, &out), cases[i].want);
	}
}

static void address_pools_keep_the_order_written(void **state)
{
	CLEANUP(free_config)
	struct config *c = config_of(
		"addressPools:\n"
		"- {name: b, ports: 30000-64999, addresses: [10.0.0.9, 10.0.0.1]}\n"
		"- {name: a, ports: 80, addresses: [10.0.0.9]}\n");
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(c->address_pool_count, 2);
	assert_string_equal(c->address_pools[0].name, "b");
	assert_string_equal(addr_text(&c->address_pools[0].addresses[0].first, text), "10.0.0.9");
	assert_int_equal(c->address_pools[0].ports.first, 30000);
	assert_int_equal(c->address_pools[0].ports.last, 64999);
	assert_int_equal(c->address_pools[1].ports.first, 80);
	assert_int_equal(c->address_pools[1].ports.last, 80);
}

static void a_pool_may_span_vip_ranges_that_touch(void **state)
{
	CLEANUP(free_config)
	struct config *c = config_of(
		"vipRanges: [10.0.1.0/24, 10.0.0.0/24]\n"
		"addressPools: [{name: a, addresses: [10.0.0.9-10.0.1.9], ports: 80}]\n");

	(void)state;
	assert_int_equal(c->vip_range_count, 2);
}

static void documents_that_come_to_the_same(void **state)
{
	/* JSON is YAML; comments and an explicit start do no harm. */
	static const char *const texts[] = {
		"{\"sources\": [{\"directory\": \"/d\"}]}",
		"---\n# c\nsources:\n  - directory: /d # c\n",
		"sources: [{directory: \"/d\"}]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(free_config) struct config *c = NULL;

		assert_int_equal(config_read("t", texts[i], strlen(texts[i]), &c, NULL), 0);
		assert_int_equal(c->source_count, 1);
		assert_int_equal(c->sources[0].type, CONFIG_DIRECTORY);
		assert_string_equal(c->sources[0].directory, "/d");
	}
}

/* --- printing --------------------------------------------------------------------------- */

static void printed_reads_back_and_prints_the_same(struct config *c)
{
	CLEANUP(buf_done) struct buf first = { 0 };
	CLEANUP(buf_done) struct buf again = { 0 };
	CLEANUP(free_config) struct config *copy = NULL;
	struct err err = { 0 };

	config_print(c, &first);
	if (config_read("printed", first.data, first.len, &copy, &err) != 0)
		fail_msg("%s in\n%s", err.text, buf_cstr(&first));
	config_print(copy, &again);
	assert_string_equal(buf_cstr(&first), buf_cstr(&again));
}

static void what_is_printed_is_a_fixed_point(void **state)
{
	static const char *const texts[] = {
		"",
		"node: on-call\nuser: \"y\"\nstateDirectory: \"/with blank/and \\\"quote\\\"\"\n",
		"node: \"1234\"\nlogLevel: error\n",
		"nodeAddress: [\"2001:db8::\"]\nvipRanges: [\"2001:db8:1::/64\", 10.0.0.0/8]\n"
		"addressPools:\n"
		"- {name: a, ports: 80, addresses: [\"2001:db8:1::\", 10.0.0.1-10.0.0.7]}\n"
		"- {name: b-2, ports: 81-90, addresses: [10.1.0.0/16, 10.0.0.1]}\n",
		"api: {listen: \"127.0.0.1:80\"}\naudit: 1h\nrouteProtocol: 200\n",
		("defaults: {check: http, path: \"/a?b=1\", host: \"[2001:db8::1]:80\", "
		 "expect: 204}\n"),
		"defaults: {check: none, scheduler: sh, schedulerFlags: \"port,fallback\"}\n",
		"defaults: {interval: 1m, timeout: 59.999, fast: 100ms, drain: 0, weight: 0}\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(free_config) struct config *c = config_of(texts[i]);

		printed_reads_back_and_prints_the_same(c);
	}
}

static void sources_in_clusters_are_read(void **state)
{
	static const char text[] =
		"sources:\n"
		"- kubernetes: {}\n"
		"- kubernetes: {kubeconfig: /k, context: c, servers: [\"https://a:6443\", "
		"\"https://[::1]\"], labelSelector: \"a=b,c!=d\"}\n"
		"- directory: /d\n";
	CLEANUP(free_config) struct config *c = NULL;
	struct err err = { 0 };
	const struct config_source *s;

	(void)state;
	if (config_read("test.yaml", text, strlen(text), &c, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(c->source_count, 3);
	assert_int_equal(c->sources[0].type, CONFIG_KUBERNETES);
	assert_null(c->sources[0].kubeconfig);
	s = &c->sources[1];
	assert_int_equal(s->type, CONFIG_KUBERNETES);
	assert_string_equal(s->kubeconfig, "/k");
	assert_string_equal(s->context, "c");
	assert_int_equal(s->server_count, 2);
	assert_string_equal(s->servers[1], "https://[::1]");
	assert_string_equal(s->label_selector, "a=b,c!=d");
	assert_int_equal(c->sources[2].type, CONFIG_DIRECTORY);
	printed_reads_back_and_prints_the_same(c);
}

/* --- bad ones ------------------------------------------------------------------------- */

struct bad_case {
	const char *text;
	const char *message; /* after "test.yaml: " */
};

static void is_refused(const struct bad_case *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct config *c = (struct config *)&c; /* to see that it is left alone */
		struct err err = { 0 };
		char want[ERR_TEXT_MAX];

		if (config_read("test.yaml", b[i].text, strlen(b[i].text), &c, &err) == 0)
			fail_msg("taken:\n%s", b[i].text);
		assert_ptr_equal(c, &c);
		snprintf(want, sizeof(want), "test.yaml: %s", b[i].message);
		if (strcmp(err.text, want) != 0)
			fail_msg("\n%s\nsays: %s\nnot:  %s", b[i].text, err.text, want);
		assert_true(err.code < 0);
	}
}

static void keys_are_known_ones_and_hold_what_they_should(void **state)
{
	static const struct bad_case cases[] = {
		{ "nodes: a\n", "line 1: nodes: there is no such key here. Did you mean 'node'?" },
		{ "a: 1\n", "line 1: a: there is no such key here; see parasaus.yaml(5)" },
		{ "\n\ndefaults:\n  intervall: 2\n", "line 4: defaults.intervall: there is no such "
						     "key here. Did you mean 'interval'?" },
		{ "api: {sockt: /a}\n",
		  "line 1: api.sockt: there is no such key here. Did you mean 'socket'?" },
		{ "addressPools:\n- name: a\n  adresses: []\n",
		  "line 3: addressPools[0].adresses: there is no such key here. "
		  "Did you mean 'addresses'?" },
		{ "node: a\nnode: b\n", "line 2: key \"node\" is given twice (first in line 1)" },
		{ "node:\n", "line 1: node: has no value: leave the key out to have the default" },
		{ "node: 12\n",
		  "line 1: node: 12 is a number in YAML: put it in quotes to have a text" },
		{ "node: yes\n",
		  "line 1: node: yes is a boolean in YAML: put it in quotes to have a text" },
		{ "node: [a]\n", "line 1: node: has to be a text, not a list" },
		{ "node: \"a b\"\n", "line 1: node: 'a b' is no name for a node: letters, digits, "
				     "'.', '-' and '_'" },
		{ "node: \"\"\n", "line 1: node: has 0 characters; 1 to 253 are possible" },
		{ "defaults: 2\n", "line 1: defaults: has to be a mapping ('key: value' lines), "
				   "not a number" },
		{ "api: []\n",
		  "line 1: api: has to be a mapping ('key: value' lines), not a list" },
		{ "[a]\n", "line 1: has to be a mapping ('key: value' lines), not a list" },
		{ "stateDirectory: state\n", "line 1: stateDirectory: 'state' has to be a whole "
					     "path, beginning with '/'" },
		{ "stateDirectory: \"/a\\u00e4\"\n",
		  "line 1: stateDirectory: has a character outside printable ASCII" },
		{ "user: a:b\n", "line 1: user: 'a:b' is no name of a user" },
		{ "logLevel: warn\n", "line 1: logLevel: 'warn' is not possible: error, warning, "
				      "info or debug" },
		{ "logLevel: inof\n", "line 1: logLevel: 'inof' is not possible: error, warning, "
				      "info or debug. Did you mean 'info'?" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void owners_of_vips_are_nodes_in_order(void **state)
{
	CLEANUP(free_config)
	struct config *c = config_of("vipRanges: [10.0.0.0/24, \"2001:db8::/64\"]\n"
				     "announce:\n"
				     "  owners:\n"
				     "  - {node: a, addresses: [10.0.0.0/25, \"2001:db8::1\"]}\n"
				     "  - {addresses: [10.0.0.0/24], node: b}\n"
				     "  - {node: c.example}\n"
				     "  mode: owner\n");
	const struct config_owner *o = c->announce.owners;

	(void)state;
	assert_int_equal(c->announce.mode, CONFIG_ANNOUNCE_OWNER);
	assert_int_equal(c->announce.owner_count, 3);
	assert_string_equal(o[0].node, "a");
	assert_int_equal(o[0].address_count, 2);
	assert_int_equal(o[0].addresses[0].len, 25);
	assert_int_equal(o[0].addresses[1].len, 128);
	assert_string_equal(o[1].node, "b");
	assert_string_equal(o[2].node, "c.example");
	assert_int_equal(o[2].address_count, 0);
}

static void every_vip_has_an_owner_or_none_has(void **state)
{
	static const struct bad_case cases[] = {
		{ "announce: none\n", "line 1: announce: has to be a mapping ('key: value' lines), "
				      "not a string" },
		{ "announce: {mode: nobody}\n",
		  "line 1: announce.mode: 'nobody' is not possible: all, none or owner" },
		{ "node: lb-1\nannounce: {mode: owner}\n",
		  "line 2: announce: mode owner needs `owners`, such as "
		  "'owners: [{node: lb-1}]'" },
		{ "announce: {owners: [{node: a}]}\n",
		  "line 1: announce.owners: is of no use without 'mode: owner'" },
		{ "announce: {mode: owner, owners: [{addresses: [10.0.0.1]}]}\n",
		  "line 1: announce.owners[0]: has no `node`" },
		{ "announce: {mode: owner, owners: [{node: a}, {node: b}]}\n",
		  "line 1: announce.owners[1]: comes after one without `addresses`, which has all "
		  "that is left: put that one last" },
		{ "announce: {mode: owner, owners: [{node: a, addresses: [10.0.0.1/24]}]}\n",
		  "line 1: announce.owners[0].addresses[0]: '10.0.0.1/24' is no address and no "
		  "network: write 10.0.0.1, or an address and its length with the host bits zero, "
		  "such as 10.0.0.0/24" },
		{ "announce: {rate: 1}\n", "line 1: announce.rate: 1 is outside 2 to 20000" },
		{ "vipRanges: [10.0.0.0/24]\n"
		  "announce: {mode: owner, owners: [{node: a, addresses: [10.0.0.0/25]}]}\n",
		  "line 2: announce.owners: 10.0.0.0/24 of vipRanges has addresses without an "
		  "owner: name one, or end the list with a node without `addresses`" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void numbers_and_durations_are_within_their_bounds(void **state)
{
	static const struct bad_case cases[] = {
		{ "audit: 0.5\n", "line 1: audit: 0.5 is outside 1s to 1h" },
		{ "audit: 2h\n", "line 1: audit: 2h is outside 1s to 1h" },
		{ "audit: soon\n", "line 1: audit: 'soon' is not a duration: write seconds "
				   "(2, 0.5), or 500ms, 2s, 1m, 1h" },
		{ "audit: [1]\n", "line 1: audit: has to be a single value, not a list" },
		{ "audit: true\n", "line 1: audit: has to be a single value, not a boolean" },
		{ "defaults: {interval: 99ms}\n",
		  "line 1: defaults.interval: 99ms is outside 100ms to 1m" },
		{ "defaults: {holdDown: 301}\n",
		  "line 1: defaults.holdDown: 301 is outside 0s to 5m" },
		{ "defaults: {minHealthy: 101}\n",
		  "line 1: defaults.minHealthy: 101 is outside 0 to 100" },
		{ "massFailure: {perMinute: 0}\n",
		  "line 1: massFailure.perMinute: 0 is outside 1 to 100" },
		{ "massFailure: {doubts: 30}\n",
		  "line 1: massFailure.doubts: there is no such key here. Did you mean 'doubt'?" },
		{ "defaults: {rise: 0}\n", "line 1: defaults.rise: 0 is outside 1 to 10" },
		{ "defaults: {fall: 11}\n", "line 1: defaults.fall: 11 is outside 1 to 10" },
		{ "defaults: {fall: -1}\n", "line 1: defaults.fall: '-1' is not a whole number" },
		{ "defaults: {weight: 0x10}\n",
		  "line 1: defaults.weight: '0x10' is not a whole number" },
		{ "defaults: {weight: 65536}\n",
		  "line 1: defaults.weight: 65536 is outside 0 to 65535" },
		{ "defaults: {maxConnections: 1000001}\n",
		  "line 1: defaults.maxConnections: 1000001 is outside 0 to 1000000" },
		{ "defaults: {drain: 1.5}\n",
		  "line 1: defaults.drain: 1.5 is not a number of whole seconds" },
		{ "defaults: {drain: 25h}\n", "line 1: defaults.drain: 25h is outside 0s to 24h" },
		{ "routeProtocol: 256\n", "line 1: routeProtocol: 256 is outside 1 to 255" },
		{ "routeProtocol: 12\n", "line 1: routeProtocol: 12 is the number of bird: take "
					 "another, such as 112" },
		{ "routeProtocol: 4\n", "line 1: routeProtocol: 4 is the number of the kernel and "
					"ip(8): take another, such as 112" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void defaults_fit_each_other(void **state)
{
	static const struct bad_case cases[] = {
		{ "defaults:\n  interval: 1\n  timeout: 2\n",
		  "line 3: defaults.timeout: 2 is more than the interval, 1s" },
		{ "defaults:\n  timeout: 2.5\n",
		  "line 2: defaults.timeout: 2.5 is more than the interval, 2s" },
		{ "defaults:\n  fast: 3s\n",
		  "line 2: defaults.fast: 3s is more than the interval, 2s" },
		{ "defaults: {schedulerFlags: port}\n",
		  "line 1: defaults.schedulerFlags: 'port' is for the schedulers mh and sh; this "
		  "one is wrr" },
		{ "defaults: {scheduler: mh, schedulerFlags: ports}\n",
		  "line 1: defaults.schedulerFlags: 'ports' is not possible: none, fallback, port "
		  "or fallback,port" },
		{ "defaults: {scheduler: lblc}\n",
		  "line 1: defaults.scheduler: 'lblc' is not possible: wrr, rr, wlc, lc, sed, nq, "
		  "mh, sh, dh, fo, ovf or twos. Did you mean 'wlc'?" },
		{ "defaults: {snat: no}\n",
		  "line 1: defaults.snat: 'no' is not possible: auto or none" },
		{ "defaults: {path: /}\n", "line 1: defaults.path: is for a check of type 'http' "
					   "or 'https'; this one is tcp" },
		{ "defaults: {check: http, serverName: a}\n",
		  "line 1: defaults.serverName: is for a check of type 'https'; this one is http" },
		{ "defaults: {check: https, serverName: \"a:1\"}\n",
		  "line 1: defaults.serverName: 'a:1' is no host name or address, or has a port" },
		{ "defaults: {check: none, expect: 200}\n",
		  "line 1: defaults.expect: is for a check of type 'http' or 'https'; this one is "
		  "none" },
		{ "defaults: {check: httpx}\n",
		  "line 1: defaults.check: 'httpx' is not possible: "
		  "tcp, tcp-full, http, https or none. Did you mean 'http'?" },
		{ "defaults: {check: {type: tcp}}\n",
		  "line 1: defaults.check: has to be a word, not a map" },
		{ "defaults: {check: http, path: healthz}\n",
		  "line 1: defaults.path: 'healthz' has to begin with '/' and hold no blank and no "
		  "'#'" },
		{ "defaults: {check: http, host: a/b}\n",
		  "line 1: defaults.host: 'a/b' is no host name or address" },
		{ "defaults: {check: tcp, drainStatus: 503}\n",
		  "line 1: defaults.drainStatus: is for a check of type 'http' or 'https'; this "
		  "one is tcp" },
		{ "defaults: {check: tcp-full, reuse: 2}\n",
		  "line 1: defaults.reuse: is for a check of type 'http' or 'https'; this one is "
		  "tcp-full" },
		{ "defaults: {check: http, reuse: 0}\n",
		  "line 1: defaults.reuse: 0 is outside 1 to 1000" },
		{ "defaults: {check: http, degradedStatus: 600}\n",
		  "line 1: defaults.degradedStatus: '600': statuses are 100 to 599, in at most 8 "
		  "ranges" },
		{ "defaults: {check: http, expect: 2xx}\n",
		  "line 1: defaults.expect: '2xx': statuses are 100 to 599, in at most 8 ranges" },
		{ "defaults: {check: http, expect: ok}\n",
		  "line 1: defaults.expect: 'ok' is not a list of statuses, such as 200 or "
		  "200-299,401" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void addresses_can_be_virtual_ones(void **state)
{
	static const struct bad_case cases[] = {
		{ "vipRanges: 10.0.0.0/8\n",
		  "line 1: vipRanges: has to be a list ('- ' before each item), not a string" },
		{ "refuse: [10.0.0.1/24]\n",
		  "line 1: refuse[0]: '10.0.0.1/24' is not a network: write an address and its "
		  "length with the host bits zero, such as 10.0.0.0/24" },
		{ "refuse:\n- 10.0.0.0/8\n- \"::/0\"\n",
		  "line 3: refuse[1]: ::/0 is every address there is: no server could be used" },
		{ "healthcheck: {sourceAddress: [a]}\n",
		  "line 1: healthcheck.sourceAddress[0]: 'a' is not an address" },
		{ "healthcheck: {sourceAddress: [127.0.0.1]}\n",
		  "line 1: healthcheck.sourceAddress[0]: 127.0.0.1 is no address of a node "
		  "(loopback)" },
		{ "healthcheck: {sourceAddress: [10.0.0.9]}\n"
		  "addressPools: [{name: a, addresses: [10.0.0.0/24], ports: 80}]\n",
		  "line 2: addressPools[0].addresses[0]: 10.0.0.0/24 holds "
		  "healthcheck.sourceAddress, which has to be an address of this machine alone" },
		{ "healthcheck: {notrack: true}\n",
		  "line 1: healthcheck.notrack: is by the address that checks come from: add "
		  "`sourceAddress`, an address of this machine that nothing else uses" },
		{ "healthcheck: {sourceAddress: [192.0.2.1], notrack: yes}\n",
		  "line 1: healthcheck.notrack: 'yes' is not possible: false or true" },
		{ "nodeAddress: [192.0.2.1]\n"
		  "healthcheck: {sourceAddress: [192.0.2.1], notrack: true}\n",
		  "line 2: healthcheck.notrack: takes a `sourceAddress` that nothing else uses, "
		  "and "
		  "it is that of `nodeAddress`: add an address of its own to this machine" },
		{ "quotas: {targets: 1000001}\n",
		  "line 1: quotas.targets: 1000001 is outside 0 to 1000000" },
		{ "quotas:\n  namespaces:\n  - {targets: 5}\n",
		  "line 3: quotas.namespaces[0]: has no `name`" },
		{ "quotas:\n  namespaces:\n  - name: a\n  - name: a\n",
		  "line 4: quotas.namespaces[1].name: 'a' is the name of an earlier one" },
		{ "quotas: {namespaces: [{name: A_b}]}\n",
		  "line 1: quotas.namespaces[0].name: 'A_b' is no name of a namespace: a-z, 0-9, "
		  "and '-' inside" },
		{ "vipRanges: []\n",
		  "line 1: vipRanges: is an empty list: leave the key out instead" },
		{ "vipRanges:\n- 10.0.0.0/8\n- 10.0.0.1/24\n",
		  "line 3: vipRanges[1]: '10.0.0.1/24' is not a network: write an address and its "
		  "length with the host bits zero, such as 10.0.0.0/24" },
		{ "vipRanges: [127.0.0.0/16]\n",
		  "line 1: vipRanges[0]: 127.0.0.0/16 cannot be virtual addresses (loopback)" },
		{ "vipRanges: [0.0.0.0/0]\n",
		  "line 1: vipRanges[0]: 0.0.0.0/0 cannot be virtual addresses (unspecified)" },
		{ "vipRanges: [64.0.0.0/2]\n",
		  "line 1: vipRanges[0]: 64.0.0.0/2 cannot be virtual addresses (loopback)" },
		{ "vipRanges: [\"ff02::/16\"]\n",
		  "line 1: vipRanges[0]: ff02::/16 cannot be virtual addresses (multicast)" },
		{ "nodeAddress: 192.0.2.1\n",
		  "line 1: nodeAddress: has to be a list ('- ' before each item), not a string" },
		{ "nodeAddress: [192.0.2.1, 192.0.2.2]\n",
		  "line 1: nodeAddress[1]: 192.0.2.2 is a second address of its family: one is "
		  "possible" },
		{ "nodeAddress: [192.0.2.1, \"::2\", 192.0.2.2]\n",
		  "line 1: nodeAddress: has 3 items; the most is 2" },
		{ "nodeAddress: [127.0.0.1]\n",
		  "line 1: nodeAddress[0]: 127.0.0.1 is no address of a node (loopback)" },
		{ "nodeAddress: [eth0]\n", "line 1: nodeAddress[0]: 'eth0' is not an address" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

#define POOL(name, addresses, ports) \
	"- {name: " name ", addresses: [" addresses "], ports: " ports "}\n"

static void address_pools_are_whole_and_apart(void **state)
{
	static const struct bad_case cases[] = {
		{ "addressPools:\n- {addresses: [10.0.0.1], ports: 80}\n",
		  "line 2: addressPools[0]: has no `name`" },
		{ "addressPools:\n- {name: a, ports: 80}\n",
		  "line 2: addressPools[0]: has no `addresses`, such as [10.0.0.0/24]" },
		{ "addressPools:\n- {name: a, addresses: [10.0.0.1]}\n",
		  "line 2: addressPools[0]: has no `ports`, such as 30000-64999" },
		{ "addressPools:\n" POOL("A", "10.0.0.1", "80"),
		  "line 2: addressPools[0].name: 'A' is no name for a pool: a-z, 0-9, and '-' "
		  "inside" },
		{ "addressPools:\n" POOL("a", "10.0.0.1", "0-80"),
		  "line 2: addressPools[0].ports: '0-80' is not a range of ports: write "
		  "30000-64999, or a single one of 1 to 65535" },
		{ "addressPools:\n" POOL("a", "10.0.0.1", "90-80"),
		  "line 2: addressPools[0].ports: '90-80' is not a range of ports: write "
		  "30000-64999, or a single one of 1 to 65535" },
		{ "addressPools:\n" POOL("a", "10.0.0.9-10.0.0.1", "80"),
		  "line 2: addressPools[0].addresses[0]: '10.0.0.9-10.0.0.1' is not an address, a "
		  "network or a range: write 10.0.0.1, 10.0.0.0/24 or 10.0.0.1-10.0.0.9" },
		{ "addressPools:\n" POOL("a", "10.0.0.1, 239.0.0.1", "80"),
		  "line 2: addressPools[0].addresses[1]: 239.0.0.1 cannot be a virtual address "
		  "(multicast): leave it out" },
		{ "addressPools:\n" POOL("a", "100.64.0.0/10", "80"),
		  "line 2: addressPools[0].addresses[0]: 100.100.100.200 cannot be a virtual "
		  "address (metadata service): leave it out" },
		{ "addressPools:\n" POOL("a", "10.0.0.1", "80") POOL("a", "10.0.0.2", "80"),
		  "line 3: addressPools[1].name: 'a' is the name of an earlier pool" },
		{ "addressPools:\n" POOL("a", "10.0.0.0/24", "80-90")
			  POOL("b", "10.0.1.1, 10.0.0.7", "90-99"),
		  "line 3: addressPools[1].addresses[1]: 10.0.0.7 overlaps addresses and ports of "
		  "pool 'a': give each pool addresses or ports of its own" },
		{ "addressPools:\n" POOL("a", "10.0.0.0/24, 10.0.0.3-10.0.0.9", "80"),
		  "line 2: addressPools[0].addresses[1]: 10.0.0.3-10.0.0.9 overlaps another item "
		  "of "
		  "this list" },
		{ "vipRanges: [10.0.0.0/24]\naddressPools:\n" POOL("a", "10.0.0.250-10.0.1.1",
								   "80"),
		  "line 3: addressPools[0].addresses[0]: 10.0.0.250-10.0.1.1 is not inside "
		  "vipRanges: add its network there, or leave it out here" },
		{ "addressPools:\n" POOL("a", "10.0.0.0/24", "80") "nodeAddress: [10.0.0.5]\n",
		  "line 2: addressPools[0].addresses[0]: 10.0.0.0/24 holds the nodeAddress, which "
		  "is no virtual address" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void sources_are_there_and_can_be_used(void **state)
{
	static const char missing[] =
		"`sources` is missing: say where pools come from, such as 'sources: "
		"[{directory: /etc/parasaus/pools}]', or give addressPools to keep them in the "
		"agent's own store";
	static const struct bad_case cases[] = {
		{ "", missing },
		{ "# nothing\n", missing },
		{ "node: a\n", missing },
		{ "sources: []\n", "line 1: sources: is an empty list: leave the key out instead" },
		{ "sources:\n- {}\n", "line 2: sources[0]: has to be one of 'directory: PATH', "
				      "'kubernetes: ...' and 'store: ...'" },
		{ "sources:\n- directory: d\n", "line 2: sources[0].directory: 'd' has to be a "
						"whole path, beginning with '/'" },
		{ "sources:\n- directory: /d\n- directory: /d\n",
		  "line 3: sources[1].directory: '/d' is an earlier source already" },
		{ "sources:\n- {directory: /d, kubernetes: {}}\n",
		  "line 2: sources[0]: has to be one of 'directory: PATH', 'kubernetes: ...' "
		  "and 'store: ...'" },
		{ "sources:\n- kubernetes: {}\n- kubernetes: {labelSelector: a}\n- kubernetes: "
		  "{}\n",
		  "line 4: sources[2].kubernetes: 'the cluster we run in' is an earlier source "
		  "already" },
		{ "sources:\n- kubernetes: {kubeconfig: /k}\n- kubernetes: {kubeconfig: /k, "
		  "servers: [\"https://a\"]}\n",
		  "line 3: sources[1].kubernetes: '/k' is an earlier source already" },
		{ "sources:\n- kubernetes: {kubeconfig: k}\n",
		  "line 2: sources[0].kubernetes.kubeconfig: 'k' has to be a whole path, "
		  "beginning with '/'" },
		{ "sources:\n- kubernetes: {context: c}\n",
		  "line 2: sources[0].kubernetes.context: is of no use without a kubeconfig: say "
		  "`kubeconfig` too" },
		{ "sources:\n- kubernetes: {servers: []}\n",
		  "line 2: sources[0].kubernetes.servers: is an empty list: leave the key out "
		  "instead" },
		{ "sources:\n- store: {}\n- store: {whenDamaged: start-empty}\n",
		  "line 3: sources[1].store: 'the store of the state directory' is an earlier "
		  "source already" },
		{ "sources:\n- store: {whenDamaged: begin}\n",
		  "line 2: sources[0].store.whenDamaged: 'begin' is not possible: refuse or "
		  "start-empty" },
		{ "sources:\n- kubernetes: {kubecfg: /k}\n",
		  "line 2: sources[0].kubernetes.kubecfg: there is no such key here; see "
		  "parasaus.yaml(5)" },
		{ "api: {metricsPools: 10001}\n",
		  "line 1: api.metricsPools: 10001 is outside 0 to 10000" },
		{ "api: {listen: 192.0.2.1:80}\n",
		  "line 1: api.listen: 192.0.2.1:80 is not on loopback, where it takes TLS: add "
		  "'tls: {selfSigned: true}', or name a certificate and its key there" },
		{ "api: {listen: \"[::]:80\", tls: {selfSigned: false}}\n",
		  "line 1: api.tls: has to be 'selfSigned: true', or a 'certificate' and its "
		  "'key'" },
		{ "api: {listen: 0.0.0.0:80, tls: {certificate: /c}}\n",
		  "line 1: api.tls: has to be 'selfSigned: true', or a 'certificate' and its "
		  "'key'" },
		{ "api: {listen: 0.0.0.0:80, tls: {key: /k}}\n",
		  "line 1: api.tls: has to be 'selfSigned: true', or a 'certificate' and its "
		  "'key'" },
		{ "api: {listen: 0.0.0.0:80, tls: {certificate: /c, key: /k, selfSigned: true}}\n",
		  "line 1: api.tls: has to be 'selfSigned: true', or a 'certificate' and its "
		  "'key'" },
		{ "api: {listen: 0.0.0.0:80, tls: {certificate: c, key: /k}}\n",
		  "line 1: api.tls.certificate: 'c' has to be a whole path, beginning with '/'" },
		{ "api: {listen: 127.0.0.1:80, tls: {selfSigned: true}}\n",
		  "line 1: api.tls: is of no use without a `listen` beyond loopback, such as "
		  "\"0.0.0.0:9090\"" },
		{ "api: {hosts: [lb]}\n",
		  "line 1: api.hosts: is of no use without a `listen` beyond loopback" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, hosts: [\"lb:80\"]}\n",
		  "line 1: api.hosts[0]: 'lb:80' is no name of a host, such as lb.example, "
		  "192.0.2.1 or [2001:db8::1]" },
		{ "api: {kubernetesTokens: true}\n",
		  "line 1: api.kubernetesTokens: is of no use without a `listen` beyond loopback" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, kubernetesTokens: true}\n"
		  "sources: [{directory: /d}]\n",
		  "`api.kubernetesTokens` takes a cluster whose tokens those are: add "
		  "'- kubernetes: {}' to `sources`, or leave it out" },
		{ "api: {clientCertificates: {ca: /ca, editors: [a]}}\n",
		  "line 1: api.clientCertificates: is of no use without a `listen` beyond "
		  "loopback" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, clientCertificates: {ca: "
		  "/ca}}\n",
		  "line 1: api.clientCertificates: lets nobody in: put common names, or units as "
		  "\"OU=NAME\", into 'editors' or 'viewers'" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, clientCertificates: "
		  "{editors: [a]}}\n",
		  "line 1: api.clientCertificates: has no 'ca': name the file of the authority "
		  "whose certificates let people in" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, clientCertificates: {ca: ca, "
		  "viewers: [a]}}\n",
		  "line 1: api.clientCertificates.ca: 'ca' has to be a whole path, beginning with "
		  "'/'" },
		{ "api: {listen: 0.0.0.0:80, tls: {selfSigned: true}, clientCertificates: {ca: "
		  "/ca, viewers: [\"OU=\"]}}\n",
		  "line 1: api.clientCertificates.viewers[0]: 'OU=' is no name of a certificate: a "
		  "common name, or a unit as \"OU=NAME\", of 1 to 64 bytes without control "
		  "characters" },
		{ "api: {listen: localhost:80}\n",
		  "line 1: api.listen: 'localhost:80' is not an address and port, such as "
		  "127.0.0.1:9090" },
		{ "api: {listen: \"127.0.0.1:0\"}\n",
		  "line 1: api.listen: '127.0.0.1:0' is not an address and port, such as "
		  "127.0.0.1:9090" },
		{ "sources: [{directory: /d}]\n---\nnode: a\n",
		  "line 3: a second document begins here ('---')" },
	};

	(void)state;
	is_refused(cases, ARRAY_LEN(cases));
}

static void what_is_no_yaml_is_refused_with_its_line(void **state)
{
	static const char *const texts[] = { "node: [a\n", "node: \"a\n", "a: b: c\n",
					     "\tnode: a\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct config *c;
		struct err err = { 0 };

		assert_true(config_read("f", texts[i], strlen(texts[i]), &c, &err) < 0);
		assert_int_equal(strncmp(err.text, "f: line ", 8), 0);
	}
}

static void a_file_is_bounded(void **state)
{
	struct config *c;
	struct err err = { 0 };
	size_t len = CONFIG_BYTES_MAX + 1;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	assert_int_equal(config_read("f", text, len, &c, &err), -EFBIG);
	assert_int_equal(config_read("f", text, len - 1, &c, &err), -EINVAL); /* no sources */
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_written_has_its_default),
		cmocka_unit_test(what_is_written_counts),
		cmocka_unit_test(an_http_check_asks_for_the_root_where_no_path_is_written),
		cmocka_unit_test(default_times_give_way_to_a_short_interval),
		cmocka_unit_test(the_rules_of_the_model_are_those_of_the_file),
		cmocka_unit_test(vip_ranges_default_to_what_the_pools_hold),
		cmocka_unit_test(address_pools_keep_the_order_written),
		cmocka_unit_test(a_pool_may_span_vip_ranges_that_touch),
		cmocka_unit_test(documents_that_come_to_the_same),
		cmocka_unit_test(what_is_printed_is_a_fixed_point),
		cmocka_unit_test(sources_in_clusters_are_read),
		cmocka_unit_test(keys_are_known_ones_and_hold_what_they_should),
		cmocka_unit_test(owners_of_vips_are_nodes_in_order),
		cmocka_unit_test(every_vip_has_an_owner_or_none_has),
		cmocka_unit_test(numbers_and_durations_are_within_their_bounds),
		cmocka_unit_test(defaults_fit_each_other),
		cmocka_unit_test(addresses_can_be_virtual_ones),
		cmocka_unit_test(address_pools_are_whole_and_apart),
		cmocka_unit_test(sources_are_there_and_can_be_used),
		cmocka_unit_test(what_is_no_yaml_is_refused_with_its_line),
		cmocka_unit_test(a_file_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
