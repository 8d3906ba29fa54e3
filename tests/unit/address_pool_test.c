/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address pools as documents, and what a model makes of them when they change. */
#include "agent/pool/address_pool.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "tests/lib/random.h"

#define HEAD "apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: edge}\n"

static int read_text(const char *text, struct address_pool *out, struct err *err)
{
	struct doc_set s = { 0 };
	int r;

	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &s, err), 0);
	assert_int_equal(s.count, 1);
	r = address_pool_decode(s.roots[0], out, err);
	doc_set_done(&s);
	return r;
}

static struct address_pool read_good(const char *text)
{
	struct address_pool p;
	struct err err;

	if (read_text(text, &p, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return p;
}

/* --- documents ------------------------------------------------------------------------------ */

static void a_document_says_all_of_it(void **state)
{
	struct address_pool p = read_good(
		HEAD "spec:\n  addresses: [10.0.0.0/24, 10.0.1.1-10.0.1.9, '2001:db8::1']\n"
		     "  ports: 30000-64999\n  reserved: [30000-30099, 40000]\n"
		     "  namespaces: [shop, team-a]\n  autoAssign: false\n");

	(void)state;
	assert_string_equal(p.name, "edge");
	assert_int_equal(p.address_count, 3);
	assert_int_equal(p.ports.last, 64999);
	assert_int_equal(p.reserved_count, 2);
	assert_int_equal(p.reserved[1].first, 40000);
	assert_int_equal(p.namespace_count, 2);
	assert_true(p.manual);
	assert_true(address_pool_serves(&p, "team-a"));
	assert_false(address_pool_serves(&p, "team"));
	address_pool_done(&p);
	p = read_good(HEAD "spec: {addresses: [10.0.0.1], ports: 80, reserved: [80]}\n");
	assert_false(p.manual);
	assert_true(address_pool_serves(&p, "any"));
	assert_true(address_pool_reserves(&p, 80));
	address_pool_done(&p);
}

static void what_is_not_understood_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "apiVersion: v1\nkind: AddressPool\nmetadata: {name: a}\n",
		  "apiVersion of an AddressPool is parasaus.io/v1" },
		{ "apiVersion: parasaus.io/v1\nkind: AddressPool\n",
		  "has a name of 1 to 63 letters" },
		{ "apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: A_b}\n",
		  "'A_b' is no name for a pool" },
		{ "apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: a, namespace: "
		  "b}\n",
		  "metadata.namespace: an AddressPool has none" },
		{ HEAD, "spec is missing" },
		{ HEAD "spec: {ports: 80}\n", "spec.addresses: is missing" },
		{ HEAD "spec: {addresses: [10.0.0.1]}\n", "spec.ports: is missing" },
		{ HEAD "spec: {addresses: 10.0.0.1, ports: 80}\n",
		  "line 4: spec.addresses is \"10.0.0.1\" where a list belongs" },
		{ HEAD "spec: {addresses: [10.0.0.1, 10.0.0.300], ports: 80}\n",
		  "spec.addresses[1]: '10.0.0.300' is not an address, a network or a range" },
		{ HEAD "spec: {addresses: [127.0.0.0/8], ports: 80}\n",
		  "spec.addresses[0]: 127.0.0.0 cannot be a virtual address (loopback)" },
		{ HEAD "spec: {addresses: [[10.0.0.1]], ports: 80}\n",
		  "spec.addresses[0]: a list" },
		{ HEAD "spec: {addresses: [10.0.0.1], ports: 80-70}\n",
		  "spec.ports: '80-70' is not a range of ports" },
		{ HEAD "spec: {addresses: [10.0.0.1], ports: [80]}\n", "spec.ports: a list where" },
		{ HEAD "spec: {addresses: [10.0.0.1], ports: 80, reserved: [81]}\n",
		  "spec.reserved[0]: is not inside spec.ports" },
		{ HEAD "spec: {addresses: [10.0.0.1], ports: 80, namespaces: [A]}\n",
		  "spec.namespaces[0]: \"A\" is no namespace" },
		{ HEAD "spec: {addresses: [10.0.0.1], ports: 80, autoAssign: maybe}\n",
		  "spec.autoAssign is \"maybe\": write true or false" },
		{ HEAD "spec:\n  addresses: [10.0.0.1]\n  ports: 80\n  autoassign: false\n",
		  "line 7: spec.autoassign is not known" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct address_pool p;
		struct err err = { 0 };

		assert_int_equal(read_text(bad[i].text, &p, &err), -EINVAL);
		if (!strstr(err.text, bad[i].says))
			fail_msg("%s\nsays \"%s\", not \"%s\"", bad[i].text, err.text, bad[i].says);
	}
}

static void more_than_the_bounds_is_refused(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct address_pool p;
	struct err err;

	(void)state;
	buf_str(&b, HEAD "spec:\n  ports: 80\n  addresses:\n");
	for (int i = 0; i < ADDRESS_POOL_RANGES_MAX; i++)
		buf_printf(&b, "  - 10.0.%d.%d\n", i / 200, i % 200);
	p = read_good(buf_cstr(&b));
	assert_int_equal(p.address_count, ADDRESS_POOL_RANGES_MAX);
	address_pool_done(&p);
	buf_str(&b, "  - 10.1.0.0\n");
	assert_int_equal(read_text(buf_cstr(&b), &p, &err), -EINVAL);
	assert_non_null(strstr(err.text, "257 items; at most 256"));
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct addr_range configured_range;
static struct address_pool configured = { .name = (char[]){ "main" },
					  .addresses = &configured_range,
					  .address_count = 1,
					  .ports = { 30000, 39999 } };
static struct prefix vip_ranges[1];
static struct pool_rules base;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(addr_range_parse("10.0.0.1", &configured_range), 0);
	assert_int_equal(prefix_parse("10.0.0.0/24", &vip_ranges[0]), 0);
	base = (struct pool_rules){
		.address_pools = &configured,
		.address_pool_count = 1,
		.vip_ranges = vip_ranges,
		.vip_range_count = 1,
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_TCP) },
	};
	assert_int_equal(addr_parse("10.0.0.77", &base.node_v4), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	check_unref(base.defaults.check);
	return 0;
}

/* The rules with one more, made at `created`; `r` goes. */
static const struct pool_rules *with(const struct pool_rules *r, const char *name, uint64_t created,
				     const char *spec)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct address_pool p;
	const struct pool_rules *made;
	struct err err;

	buf_printf(
		&text,
		"apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: %s}\nspec: {%s}\n",
		name, spec);
	p = read_good(buf_cstr(&text));
	p.revision = p.created = created;
	if (pool_rules_admit(r, &p, &err) < 0)
		fail_msg("%s", err.text);
	made = pool_rules_with(r, p.name, &p);
	address_pool_done(&p);
	pool_rules_unref(r);
	return made;
}

static void rules_are(const struct pool_rules *r, const char *want)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < r->address_pool_count; i++)
		buf_printf(&b, "%s%s", i ? " " : "", r->address_pools[i].name);
	assert_string_equal(buf_cstr(&b), want);
}

static void the_configuration_comes_first_then_the_oldest(void **state)
{
	const struct pool_rules *r = &base, *kept;

	(void)state;
	r = with(r, "young", 9, "addresses: [10.0.0.9], ports: 1-9");
	r = with(r, "old", 5, "addresses: [10.0.0.5], ports: 1-9");
	rules_are(r, "main old young");
	kept = pool_rules_ref(r);
	r = with(r, "old", 5, "addresses: [10.0.0.6], ports: 1-9");
	rules_are(r, "main old young");
	assert_false(address_pool_same(&r->address_pools[1], &kept->address_pools[1]));
	assert_true(address_pool_same(&r->address_pools[2], &kept->address_pools[2]));
	pool_rules_unref(r);
	r = pool_rules_with(kept, "old", NULL);
	rules_are(r, "main young");
	rules_are(kept, "main old young"); /* whoever holds them keeps them */
	pool_rules_unref(kept);
	kept = r;
	r = pool_rules_with(kept, "main", NULL); /* that is no document */
	rules_are(r, "main young");
	pool_rules_unref(kept);
	pool_rules_unref(r);
}

static void one_in_the_way_is_not_admitted(void **state)
{
	static const struct {
		const char *spec, *says;
	} bad[] = {
		{ "addresses: [10.0.1.0], ports: 1", "10.0.1.0 is not inside vipRanges" },
		{ "addresses: [10.0.0.64/26], ports: 1", "holds the nodeAddress" },
		{ "addresses: [10.0.0.0/31], ports: 39999-40000",
		  "overlaps addresses and ports of the address pool 'main' of the configuration" },
		{ "addresses: [10.0.0.5-10.0.0.9], ports: 9-10",
		  "overlaps addresses and ports of the address pool 'old':" },
		{ "addresses: [10.0.0.3, 10.0.0.3], ports: 1",
		  "spec.addresses[1]: 10.0.0.3 overlaps "
		  "another item" },
	};
	const struct pool_rules *r = with(&base, "old", 5, "addresses: [10.0.0.5], ports: 1-9");
	struct address_pool p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(xfree_ptr) char *text = xasprintf(HEAD "spec: {%s}\n", bad[i].spec);

		p = read_good(text);
		assert_int_equal(pool_rules_admit(r, &p, &err), -EINVAL);
		if (!strstr(err.text, bad[i].says))
			fail_msg("\"%s\", not \"%s\"", err.text, bad[i].says);
		address_pool_done(&p);
	}
	p = read_good("apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: main}\n"
		      "spec: {addresses: [10.0.0.3], ports: 1}\n");
	assert_int_equal(pool_rules_admit(r, &p, &err), -EEXIST);
	address_pool_done(&p);
	/* Its own place is not in its way. */
	p = read_good("apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: old}\n"
		      "spec: {addresses: [10.0.0.4/30], ports: 1-99}\n");
	assert_int_equal(pool_rules_admit(r, &p, &err), 0);
	address_pool_done(&p);
	pool_rules_unref(r);
}

/* --- the model ---------------------------------------------------------------------------------- */

static void put_service(struct pools *p, const char *ns, unsigned i, unsigned port,
			const char *held)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct endpoint on_record;
	struct object_origin from = { .path = "" };
	struct doc_set s = { 0 };
	struct object *o;
	struct err err;

	if (held) {
		assert_int_equal(endpoint_parse(held, IPPROTO_TCP, &on_record), 0);
		from.held = &on_record;
		from.held_count = 1;
	}
	buf_printf(
		&text,
		"apiVersion: v1\nkind: Service\nmetadata: {name: s%u, namespace: %s}\n"
		"spec: {type: NodePort, ports: [{port: 80, nodePort: %u}]}\n---\n"
		"apiVersion: v1\nkind: Endpoints\nmetadata: {name: s%u, namespace: %s}\n"
		"subsets: [{addresses: [{ip: 10.0.0.%u}, {ip: 10.9.0.%u}], ports: [{port: 80}]}]\n",
		i, ns, port, i, ns, i % 20, i % 200 + 1);
	assert_int_equal(doc_read_yaml(text.data, text.len, &DOC_LIMITS_DEFAULT, &s, &err), 0);
	for (size_t k = 0; k < s.count; k++) {
		if (object_decode(s.roots[k], &from, &o, &err) < 0)
			fail_msg("%s", err.text);
		pools_put(p, o);
	}
	doc_set_done(&s);
}

static void print_pool(struct buf *b, const struct pool *p)
{
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(b, "%s", p->id);
	for (size_t i = 0; i < p->frontend_count; i++)
		buf_printf(b, " @%s", endpoint_text(&p->frontends[i], text));
	for (size_t i = 0; i < p->member_count; i++) {
		const struct pool_member m = pool_member(p, i);

		buf_printf(b, " %s", endpoint_text(&m.endpoint, text));
	}
	for (size_t i = 0; i < p->problems.count; i++)
		buf_printf(b, "\n  %s", p->problems.items[i].text);
	buf_str(b, "\n");
}

static void pool_says(struct pools *p, const char *id, const char *frontend, const char *says)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct pool *pool = pools_find(p, id);

	assert_non_null(pool);
	print_pool(&b, pool);
	if ((frontend != NULL) != (pool->frontend_count > 0) ||
	    (frontend && !strstr(buf_cstr(&b), frontend)))
		fail_msg("%s: not at %s", buf_cstr(&b), frontend ? frontend : "nothing");
	if (says && !strstr(buf_cstr(&b), says))
		fail_msg("%s: does not say %s", buf_cstr(&b), says);
	if (!says && strstr(buf_cstr(&b), "frontend"))
		fail_msg("%s", buf_cstr(&b));
}

static void count_change(void *arg, const char *id, struct pool *pool)
{
	(void)id;
	(void)pool;
	(*(unsigned *)arg)++;
}

/* The rules go to the model; how many pools were told of it? */
static unsigned set_rules(struct pools *p, const struct pool_rules *r)
{
	unsigned changes = 0;

	pools_set_rules(p, r);
	pool_rules_unref(r);
	pools_update(p, count_change, &changes);
	return changes;
}

static void frontends_follow_the_address_pools_but_those_on_record_stay(void **state)
{
	const char *narrow = "addresses: [10.0.0.200], ports: 105-199";
	struct pools *p = pools_new(&base);
	const struct pool_rules *r;

	(void)state;
	put_service(p, "a", 21, 30021, NULL);
	put_service(p, "a", 22, 101, NULL);
	put_service(p, "a", 23, 102, "10.0.0.200:102");
	put_service(p, "a", 24, 103, "192.0.2.1:103"); /* outside vipRanges: nobody's record */
	pools_update(p, NULL, NULL);
	pool_says(p, "a.s22.80-tcp", NULL,
		  "nodePort 101 is outside the ports of every address pool");
	pool_says(p, "a.s23.80-tcp", "@10.0.0.200:102", "outside its address pool, and kept");
	r = with(&base, "edge", 5, "addresses: [10.0.0.200], ports: 100-199");
	assert_int_equal(set_rules(p, r), 3); /* not the first */
	pool_says(p, "a.s21.80-tcp", "@10.0.0.1:30021", NULL);
	pool_says(p, "a.s22.80-tcp", "@10.0.0.200:101", NULL);
	pool_says(p, "a.s23.80-tcp", "@10.0.0.200:102", NULL);
	pool_says(p, "a.s24.80-tcp", "@10.0.0.200:103", NULL);
	/* One without a record loses it, the other does not. */
	assert_int_equal(set_rules(p, with(&base, "edge", 5, narrow)), 3);
	pool_says(p, "a.s22.80-tcp", NULL, "no frontend");
	pool_says(p, "a.s23.80-tcp", "@10.0.0.200:102", "outside its address pool, and kept");
	assert_int_equal(set_rules(p, with(&base, "edge", 5, narrow)), 0);
	/* A namespace that is not served. */
	r = with(&base, "edge", 5, "addresses: [10.0.0.200], ports: 100-199, namespaces: [b]");
	assert_int_equal(set_rules(p, r), 2); /* both without a frontend hear of other ports */
	pool_says(p, "a.s22.80-tcp", NULL, "no frontend");
	pools_free(p);
}

static void note_effect(void *arg, const struct rules_effect *e)
{
	char now[ENDPOINT_TEXT_MAX], then[ENDPOINT_TEXT_MAX];

	buf_printf(arg, "%s: %s -> %s%s\n", e->service->name,
		   e->now ? endpoint_text(e->now, now) : "none",
		   e->then ? endpoint_text(e->then, then) : "none", e->outside ? ", outside" : "");
}

static void effects_are(const struct pools *p, const struct pool_rules *r, const char *want)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	pools_rules_effects(p, r, note_effect, &b);
	pool_rules_unref(r);
	assert_string_equal(buf_cstr(&b), want);
}

static void what_a_change_would_do_is_told_before(void **state)
{
	const struct pool_rules *r = with(&base, "edge", 5,
					  "addresses: [10.0.0.200], ports: 100-199");
	struct pools *p = pools_new(r);

	(void)state;
	put_service(p, "a", 21, 30021, NULL);
	put_service(p, "a", 23, 102, "10.0.0.200:102");
	pools_update(p, NULL, NULL);
	effects_are(p, pool_rules_ref(r), "");
	effects_are(p, pool_rules_with(r, "edge", NULL),
		    "s23: 10.0.0.200:102 -> 10.0.0.200:102, outside\n");
	effects_are(p, with(&base, "edge", 5, "addresses: [10.0.0.201], ports: 100-199"),
		    "s23: 10.0.0.200:102 -> 10.0.0.200:102, outside\n");
	put_service(p, "a", 23, 102, NULL);
	pools_update(p, NULL, NULL);
	effects_are(p, with(&base, "edge", 5, "addresses: [10.0.0.201], ports: 100-199"),
		    "s23: 10.0.0.200:102 -> 10.0.0.201:102\n");
	effects_are(p, pool_rules_with(r, "edge", NULL), "s23: 10.0.0.200:102 -> none\n");
	put_service(p, "a", 24, 300, NULL);
	pools_update(p, NULL, NULL);
	effects_are(p, with(&base, "edge", 5, "addresses: [10.0.0.200], ports: 100-300"),
		    "s24: none -> 10.0.0.200:300\n");
	pool_rules_unref(r);
	pools_free(p);
}

#define SERVICES 40

static const struct pool_rules *random_rules(struct random *rnd)
{
	const struct pool_rules *r = &base;
	char spec[200];

	for (unsigned i = 0; i < 3; i++) {
		if (random_below(rnd, 3) == 0)
			continue;
		snprintf(spec, sizeof(spec),
			 "addresses: [10.0.0.%u, 10.0.0.%u-10.0.0.%u], ports: %u-%u%s",
			 2 + 5 * i + (unsigned)random_below(rnd, 2), 4 + 5 * i, 5 + 5 * i,
			 100 + (unsigned)random_below(rnd, 30),
			 140 + (unsigned)random_below(rnd, 30),
			 random_below(rnd, 3) ? "" : ", namespaces: [a]");
		r = with(r, (const char *[]){ "one", "two", "three" }[i], 10 + i, spec);
	}
	return r;
}

static void put_random(struct pools *p, uint64_t seed)
{
	struct random rnd = (struct random){ seed * 0x9e3779b97f4a7c15ull | 1 };

	for (unsigned i = 0; i < SERVICES; i++) {
		unsigned port = 95 + (unsigned)random_below(&rnd, 80);
		char held[32];

		snprintf(held, sizeof(held), "10.0.0.%u:%u", 1 + (unsigned)random_below(&rnd, 20),
			 port);
		put_service(p, random_below(&rnd, 2) ? "a" : "b", i, port,
			    random_below(&rnd, 2) ? held : NULL);
	}
}

static void all_of(struct pools *p, struct buf *out)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		for (int ns = 'a'; ns <= 'b'; ns++) {
			char id[40];
			const struct pool *pool;

			snprintf(id, sizeof(id), "%c.s%u.80-tcp", ns, i);
			pool = pools_find(p, id);
			if (pool)
				print_pool(out, pool);
		}
	}
}

/* Whatever they were before: what comes out is what a new model would make of the new rules. */
static void a_change_of_rules_leaves_nothing_of_the_old_ones(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		CLEANUP(buf_done) struct buf got = { 0 };
		CLEANUP(buf_done) struct buf want = { 0 };
		struct random rnd = (struct random){ seed * 0x9e3779b97f4a7c15ull | 1 };
		struct pools *p = pools_new(&base), *fresh;
		const struct pool_rules *r = NULL;

		put_random(p, seed);
		pools_update(p, NULL, NULL);
		for (int i = 0; i < 4; i++) {
			pool_rules_unref(r);
			r = random_rules(&rnd);
			(void)set_rules(p, pool_rules_ref(r));
		}
		fresh = pools_new(r);
		put_random(fresh, seed);
		pools_update(fresh, NULL, NULL);
		all_of(p, &got);
		all_of(fresh, &want);
		if (strcmp(buf_cstr(&got), buf_cstr(&want)) != 0)
			fail_msg("seed %u:\n%s\ninstead of\n%s", (unsigned)seed, buf_cstr(&got),
				 buf_cstr(&want));
		pools_free(p);
		pools_free(fresh);
		pool_rules_unref(r);
	}
}

/* The state file knows what is on record, too. */
static void what_is_on_record_is_kept_with_the_object(void **state)
{
	struct pools *p = pools_new(&base), *q = pools_new(&base);
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct object *o;
	struct object *again;
	struct wire w;

	(void)state;
	put_service(p, "a", 23, 102, "10.0.0.200:102");
	o = pools_service(p, "a", "s23");
	wire_put_object(&b, o);
	w = wire_of(b.data, b.len);
	again = wire_object(&w);
	assert_non_null(again);
	assert_true(wire_end(&w));
	assert_int_equal(again->content, o->content);
	pools_put(q, again);
	pools_update(q, NULL, NULL);
	pool_says(q, "a.s23.80-tcp", "@10.0.0.200:102", "outside its address pool");
	pools_free(p);
	pools_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_document_says_all_of_it),
		cmocka_unit_test(what_is_not_understood_is_refused_with_its_place),
		cmocka_unit_test(more_than_the_bounds_is_refused),
		cmocka_unit_test(the_configuration_comes_first_then_the_oldest),
		cmocka_unit_test(one_in_the_way_is_not_admitted),
		cmocka_unit_test(frontends_follow_the_address_pools_but_those_on_record_stay),
		cmocka_unit_test(what_a_change_would_do_is_told_before),
		cmocka_unit_test(a_change_of_rules_leaves_nothing_of_the_old_ones),
		cmocka_unit_test(what_is_on_record_is_kept_with_the_object),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
