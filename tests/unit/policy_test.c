/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c: who is a member under which traffic policy, from documents on. */
#include "agent/pool/policy.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/pool/pool.h"

#define NODE "node-a"

/*
 * A server is a word: its state, perhaps '@' and its node, perhaps '!' and a zone it is hinted for.
 *   r  ready
 *   n  not ready, nor going
 *   t  terminating, and still serving
 *   d  terminating, and serving no more
 *   R  terminating and ready, as publishNotReadyAddresses has them
 * Its address is 10.0.0.INDEX. Expected are indexes, with '-' those that get no new connections.
 */
struct policy_case {
	const char *name;
	const char *spec; /* of the Service, with its type */
	const char *servers;
	const char *want;
	uint32_t elsewhere;
	bool local_only;
};

#define CLUSTER	  "type: NodePort"
#define EXTERNAL  "type: NodePort, externalTrafficPolicy: Local"
#define INTERNAL  "type: NodePort, internalTrafficPolicy: Local"
#define BOTH	  "type: NodePort, externalTrafficPolicy: Local, internalTrafficPolicy: Local"
#define CLUSTERIP "type: ClusterIP"

#define ALL		 0, false
#define LOCAL(elsewhere) elsewhere, true

static const struct policy_case cases[] = {
	/* What kube-proxy's own table has, for a frontend that is reached from outside. */
	{ "hints are not looked at", CLUSTER, "r!a r!b r!c r!a", "0 1 2 3", ALL },
	{ "hints, one is not ready", CLUSTER, "r!a r!b r!c n!a", "0 1 2", ALL },
	{ "hints, those of the zone are not ready", CLUSTER, "n!a r!b r!c n!a", "1 2", ALL },
	{ "hints, one lacks them", CLUSTER, "r!a r!b r r!a", "0 1 2 3", ALL },
	{ "hints, of another zone", CLUSTER, "r!b", "0", ALL },
	{ "local, whatever the hints", EXTERNAL, "r@a!a r@a!b r@b!c r@b!a", "0 1", LOCAL(2) },
	{ "internal, whatever the hints", INTERNAL, "r@a!a r@a!b r@b!c r@b!a", "0 1 2 3", ALL },
	{ "local and hints that differ", EXTERNAL, "r@a!a r@a!b r@b!a r@b!b", "0 1", LOCAL(2) },
	{ "internal local without servers", INTERNAL, "", "", ALL },
	{ "internal local, all on other nodes", INTERNAL, "r@b r@c", "0 1", ALL },
	{ "internal local, all here", INTERNAL, "r@a r@a", "0 1", ALL },
	{ "internal local, some here", INTERNAL, "r@a r@b", "0 1", ALL },
	{ "cluster, none is ready", CLUSTER, "n n", "", ALL },
	{ "cluster, some are ready", CLUSTER, "n r", "1", ALL },
	{ "cluster, all are going", CLUSTER, "t@a t@b", "0 1", ALL },
	{ "cluster, all are going, one serves", CLUSTER, "t@a d@b", "0 1-", ALL },
	{ "cluster, one is ready", CLUSTER, "r@a t@b d@b", "0 1- 2-", ALL },
	{ "external, some here", EXTERNAL, "r@a r@b", "0", LOCAL(1) },
	{ "both, some here", BOTH, "r@a r@b", "0", LOCAL(1) },
	{ "both, all on other nodes", BOTH, "r@b r@c", "0 1", ALL },
	{ "both, all on other nodes and going", BOTH, "t@b t@c", "0 1", ALL },
	{ "external, of here only one that goes", EXTERNAL, "r@b n@a t@a t@b", "2", LOCAL(1) },
	{ "external, no frontend of such a type", CLUSTERIP, "r@b r@a", "0 1", ALL },
	{ "internal alone, no frontend", CLUSTERIP ", internalTrafficPolicy: Local", "r@b r@a",
	  "0 1", ALL },
	/* What it leaves open. */
	{ "external without servers", EXTERNAL, "", "", ALL },
	{ "external, all here", EXTERNAL, "r@a r@a", "0 1", LOCAL(0) },
	{ "external, none is of a node", EXTERNAL, "r r", "0 1", ALL },
	{ "external, ready here before going here", EXTERNAL, "r@a t@a r@b t@b", "0 1-", LOCAL(1) },
	{ "external, of here one that serves no more", EXTERNAL, "d@a r@b", "0- 1", ALL },
	{ "external, of here one that is not ready", EXTERNAL, "n@a r@b", "1", ALL },
	{ "external, all are going, here and there", EXTERNAL, "t@a t@b", "0", LOCAL(0) },
	{ "external, going elsewhere serves no more", EXTERNAL, "d@b d@a", "0- 1-", ALL },
	{ "going and ready goes", CLUSTER, "r R", "0 1-", ALL },
	{ "going and ready serves where all go", CLUSTER, "R d", "0 1-", ALL },
	{ "a name is a whole name", EXTERNAL, "r@aa r@b", "0 1", ALL },
	{ "of load balancers too",
	  "type: LoadBalancer, loadBalancerClass: parasaus.io/ipvs, externalTrafficPolicy: Local",
	  "r@a r@b", "0", LOCAL(1) },
	{ "not ready but published", EXTERNAL ", publishNotReadyAddresses: true", "n@a r@b", "0",
	  LOCAL(1) },
};

/* --- documents ----------------------------------------------------------------- */

static void put_text(struct pools *p, const char *text)
{
	const struct object_origin from = { .path = "a.yaml", .node = NODE };
	CLEANUP(doc_set_done) struct doc_set s = { 0 };
	struct err err = { 0 };

	if (doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < s.count; i++) {
		struct object *o;

		if (object_decode(s.roots[i], &from, &o, &err) < 0)
			fail_msg("%s", err.text);
		pools_put(p, o);
	}
}

static const char *conditions_of(char state)
{
	switch (state) {
	case 'r':
		return "{ready: true}";
	case 'n':
		return "{ready: false, serving: false}";
	case 't':
		return "{ready: false, serving: true, terminating: true}";
	case 'd':
		return "{ready: false, serving: false, terminating: true}";
	case 'R':
		return "{ready: true, serving: true, terminating: true}";
	}
	fail();
	return "";
}

static void put_server(struct buf *b, const char *word, size_t len, size_t index)
{
	const char *node = memchr(word, '@', len), *hint = memchr(word, '!', len);
	size_t name = node ? (size_t)((hint ? hint : word + len) - node) - 1 : 0;

	buf_printf(b, "{addresses: [10.0.0.%zu], conditions: %s", index, conditions_of(*word));
	if (node)
		buf_printf(b, ", nodeName: node-%.*s", (int)name, node + 1);
	if (hint)
		buf_printf(b, ", hints: {forZones: [{name: zone-%c}]}", hint[1]);
	buf_str(b, "}");
}

/* The first `count` words of *at, in one slice. */
static void put_slice(struct pools *p, const char **at, size_t index, size_t count)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b,
		   "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: "
		   "web-%zu, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: "
		   "[{port: 80}], endpoints: [",
		   index);
	for (size_t i = 0; i < count && **at; i++) {
		size_t len = strcspn(*at, " ");

		buf_str(&b, i ? ", " : "");
		put_server(&b, *at, len, index + i);
		*at += len;
		*at += strspn(*at, " ");
	}
	buf_str(&b, "]}");
	put_text(p, buf_cstr(&b));
}

/* In one slice, or each in one of its own: they are taken together. */
static void put_slices(struct pools *p, const char *servers, bool apart)
{
	const char *at = servers;
	size_t index = 0;

	do {
		put_slice(p, &at, index++, apart ? 1 : SIZE_MAX);
	} while (*at);
}

static struct pool_rules rules_of_test(void)
{
	return (struct pool_rules){ .defaults = { .scheduler = "wrr",
						  .masquerade = true,
						  .weight = 1,
						  .check = check_new(CHECK_TCP) } };
}

static void expect_members(const struct pool *pool, const char *want)
{
	CLEANUP(buf_done) struct buf got = { 0 };

	for (size_t i = 0; i < pool->member_count; i++) {
		const struct pool_member m = pool_member(pool, i);

		buf_printf(&got, "%s%u%s", i ? " " : "", m.endpoint.addr.bytes[3],
			   m.terminating ? "-" : "");
	}
	assert_string_equal(buf_cstr(&got), want);
}

static void expect_case(const struct policy_case *c, bool apart)
{
	struct pool_rules rules = rules_of_test();
	struct pools *p = pools_new(&rules);
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct pool *pool;

	buf_printf(&b,
		   "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {%s, ports: "
		   "[{port: 80}]}}",
		   c->spec);
	put_text(p, buf_cstr(&b));
	put_slices(p, c->servers, apart);
	pools_update(p, NULL, NULL);
	pool = pools_find(p, "default/web");
	assert_non_null(pool);
	expect_members(pool, c->want);
	assert_int_equal(pool->elsewhere, c->elsewhere);
	assert_int_equal(pool->local_only, c->local_only);
	assert_int_equal(pool->set.masquerade, !c->local_only);
	pools_free(p);
	check_unref(rules.defaults.check);
}

static void the_policy_chooses_members(void **state)
{
	const struct policy_case *c = *state;

	expect_case(c, false);
	expect_case(c, true);
}

/* --- beside the table ------------------------------------------------------------ */

static void endpoints_have_nodes_too(void **state)
{
	struct pool_rules rules = rules_of_test();
	struct pools *p = pools_new(&rules);
	const struct pool *pool;

	(void)state;
	put_text(p, "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {" EXTERNAL
		    ", ports: [{port: 80}]}}");
	put_text(p, "{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: "
		    "[{addresses: [{ip: 10.0.0.1, nodeName: node-b}, {ip: 10.0.0.2, nodeName: "
		    "node-a}, {ip: 10.0.0.4}], notReadyAddresses: [{ip: 10.0.0.3, nodeName: "
		    "node-a}], ports: [{port: 80}]}]}");
	pools_update(p, NULL, NULL);
	pool = pools_find(p, "default/web");
	expect_members(pool, "2");
	assert_int_equal(pool->elsewhere, 2);
	assert_int_equal(pool->problems.count, 1); /* that it has no frontend */
	pools_free(p);
	check_unref(rules.defaults.check);
}

/* A slice that is being replaced by another has some servers twice. */
static void of_two_that_differ_the_better_counts(void **state)
{
	struct pool_rules rules = rules_of_test();
	struct pools *p = pools_new(&rules);

	(void)state;
	put_text(p, "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {" EXTERNAL
		    ", ports: [{port: 80}]}}");
	for (size_t i = 0; i < 2; i++) {
		CLEANUP(buf_done) struct buf b = { 0 };

		buf_printf(&b,
			   "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: "
			   "{name: web-%zu, labels: {kubernetes.io/service-name: web}}, "
			   "addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: "
			   "[10.0.0.7], nodeName: %s}, {addresses: [10.0.0.8], conditions: %s, "
			   "nodeName: node-a}]}",
			   i, i ? "node-a" : "node-b", conditions_of(i ? 't' : 'r'));
		put_text(p, buf_cstr(&b));
	}
	pools_update(p, NULL, NULL);
	expect_members(pools_find(p, "default/web"), "7 8");
	pools_free(p);
	check_unref(rules.defaults.check);
}

/* What is told again is another pool only where something is different. */
static void a_pool_that_comes_out_equal_is_not_told(void **state)
{
	struct pool_rules rules = rules_of_test();
	struct pools *p = pools_new(&rules);
	const struct pool *before, *after;

	(void)state;
	put_text(p, "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {" EXTERNAL
		    ", ports: [{port: 80}]}}");
	put_slices(p, "r@a r@b", false);
	pools_update(p, NULL, NULL);
	before = pools_find(p, "default/web");
	put_slices(p, "r@a r@b n@a", false);
	pools_update(p, NULL, NULL);
	assert_ptr_equal(pools_find(p, "default/web"), before);
	put_slices(p, "r@a r@b r@b", false);
	pools_update(p, NULL, NULL);
	after = pools_find(p, "default/web");
	assert_ptr_not_equal(after, before);
	assert_int_equal(after->elsewhere, 2);
	pools_free(p);
	check_unref(rules.defaults.check);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(cases) + 3] = {
		cmocka_unit_test(endpoints_have_nodes_too),
		cmocka_unit_test(of_two_that_differ_the_better_counts),
		cmocka_unit_test(a_pool_that_comes_out_equal_is_not_told),
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tests[i + 3] = (struct CMUnitTest){
			.name = cases[i].name,
			.test_func = the_policy_chooses_members,
			.initial_state = (void *)(uintptr_t)&cases[i],
		};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
