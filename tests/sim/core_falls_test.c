/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core when many targets go down at once: who is taken out, when, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define POOLS	6u
#define MEMBERS 50u
#define ALL	(POOLS * MEMBERS)
#define PATIENT 5000

/* A healthcheck process: what it was told to probe, and what it found. */
struct prober {
	uint64_t ids[ALL];
	enum verdict_state states[ALL];
	unsigned count;
	bool whole;
};

static bool hear(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct prober *p = arg;
	struct hc_target t;

	(void)fd;
	if (type == HC_MSG_COMMIT)
		p->whole = true;
	if (type != HC_MSG_TARGET)
		return true;
	wire_hc_target(body, &t);
	assert_true(wire_end(body));
	check_unref(t.check);
	for (unsigned i = 0; i < p->count; i++) {
		if (p->ids[i] == t.id)
			return true;
	}
	assert_true(p->count < ALL);
	p->ids[p->count++] = t.id;
	return true;
}

/* It goes on where it was. */
static void connect_again(struct world *w, struct prober *p)
{
	const struct channel_handler h = { hear, core_hung_up, p };

	p->whole = false;
	connect_prober(w, &h);
	for (unsigned i = 0; i < p->count; i++)
		send_verdict(w, p->ids[i], p->states[i]);
	health_is_told(w);
}

static void write_pools(struct world *w, const char *annotations)
{
	for (unsigned k = 0; k < POOLS; k++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		char name[32];

		buf_printf(&b,
			   "kind: Service\napiVersion: v1\nmetadata: {name: w%u, annotations: "
			   "{%s}}\n"
			   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n"
			   "---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: w%u}\n"
			   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
			   k, annotations, 30000 + k, k);
		for (unsigned i = 0; i < MEMBERS; i++)
			buf_printf(&b, "%s{ip: 10.1.%u.%u}", i ? ", " : "", k, 1 + i);
		buf_str(&b, "]}]\n");
		snprintf(name, sizeof(name), "w%u.yaml", k);
		write_pool(w, name, buf_cstr(&b));
	}
}

/* How many the kernel is to send clients to. */
static size_t serving(struct world *w)
{
	const struct ipvs_service *s;
	size_t pos = 0, n = 0;

	while ((s = map_next(&w->wanted.by_key, &pos))) {
		for (uint32_t i = 0; i < s->dest_count; i++)
			n += s->dests[i].weight > 0;
	}
	return n;
}

/* Time that goes by evenly: pass() leaps. */
static void live(struct world *w, int64_t ms)
{
	for (int64_t end = w->mono_ms + ms; w->mono_ms < end; w->mono_ms += MASS_TICK_MS - 1)
		turn(w);
}

/* They are counted across the pools, so that each of these has some of them. */
static void tell(struct world *w, struct prober *p, unsigned from, unsigned count,
		 enum verdict_state state)
{
	for (unsigned i = from; i < from + count; i++) {
		unsigned place = i % POOLS * MEMBERS + i / POOLS;

		p->states[place] = state;
		send_verdict(w, p->ids[place], state);
	}
	pass(w, 100);
}

static void start_all_up(struct world *w, struct prober *p)
{
	start_core(w);
	connect_kernel(w, "");
	connect_again(w, p);
	for (int i = 0; i < PATIENT && !(p->whole && serving(w) == ALL); i++)
		turn(w);
	assert_int_equal(p->count, ALL);
	tell(w, p, 0, ALL, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
}

static struct snapshot *shown(struct world *w)
{
	const struct core *c = w->context.arg;

	pass(w, 100);
	return snapshot_slot_get(c->view.slot);
}

static size_t shown_with(const struct snapshot *s, uint32_t reason)
{
	size_t n = 0;

	for (size_t i = 0; i < s->pool_count; i++) {
		for (uint32_t k = 0; k < s->pools[i]->member_count; k++)
			n += (s->pools[i]->members[k].reasons & reason) > 0;
	}
	return n;
}

static bool has_logged(struct world *w, const char *text)
{
	return strstr(buf_cstr(&w->log), text) != NULL;
}

/* The third of all that went: nobody's weight has changed, for it was back in time. */
static void a_third_gone_and_back_changes_nothing(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };
	struct snapshot *s;
	unsigned commits;

	write_pools(w, "");
	start_all_up(w, &p);
	commits = w->commits;
	tell(w, &p, 0, ALL / 3, VERDICT_DOWN);
	pass(w, 4000);
	s = shown(w);
	assert_true(s->mass.doubt && !s->mass.freeze);
	assert_int_equal(s->mass.targets, ALL);
	assert_int_equal(s->mass.fallen, ALL / 3);
	assert_int_equal(s->mass.waiting, ALL / 3);
	assert_int_equal(shown_with(s, MEMBER_MASS_FAILURE), ALL / 3);
	assert_string_equal(s->problems[0].where, "health checks");
	snapshot_unref(s);
	tell(w, &p, 0, ALL / 3, VERDICT_UP);
	pass(w, 20000);
	assert_int_equal(w->commits, commits);
	assert_int_equal(serving(w), ALL);
	s = shown(w);
	assert_false(s->mass.doubt);
	assert_int_equal(s->problem_count, 0);
	assert_int_equal(shown_with(s, MEMBER_MASS_FAILURE), 0);
	snapshot_unref(s);
	assert_true(has_logged(w, "100 of 300 targets went down within 10 s"));
	assert_true(has_logged(w, "0 were taken out, 100 that waited came back"));
}

static void a_third_that_stays_gone_is_out_when_it_has_stood(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, ALL / 3, VERDICT_DOWN);
	pass(w, 4500);
	assert_int_equal(serving(w), ALL);
	pass(w, 1000);
	assert_int_equal(serving(w), ALL - ALL / 3);
	/* Back: at once, and each of them was out once. */
	tell(w, &p, 0, ALL / 3, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
}

static void who_goes_down_among_few_is_out_at_once(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, ALL * 3 / 10, VERDICT_DOWN);
	assert_int_equal(serving(w), ALL - ALL * 3 / 10);
	assert_false(has_logged(w, "went down within"));
}

static void most_of_all_gone_is_a_freeze(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };
	struct snapshot *s;

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, 200, VERDICT_DOWN);
	assert_true(has_logged(w, "200 of 300 targets went down within 30 s: removals are frozen"));
	for (unsigned minute = 1; minute <= 3; minute++) {
		live(w, 60000);
		assert_in_range(serving(w), ALL - 30 * minute, ALL - 30 * minute + 4);
	}
	s = shown(w);
	assert_true(s->mass.freeze);
	assert_in_range(s->mass.waiting, 110, 114);
	assert_true(s->problems[0].error);
	snapshot_unref(s);
	tell(w, &p, 0, 200, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
	assert_true(has_logged(w, "removals are not frozen any more"));
}

/* What was taken out stays out, what waited goes on waiting, and the freeze begins anew. */
static void a_freeze_outlives_a_restart(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf image = { 0 };
	struct prober p = { 0 };
	size_t before;

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, 240, VERDICT_DOWN);
	live(w, 60000);
	before = serving(w);
	assert_in_range(before, 270, 274);
	buf_str(&image, wanted_text(w));
	stop_core(w);
	buf_reset(&w->log);
	start_core(w);
	connect_kernel(w, buf_cstr(&image));
	connect_again(w, &p);
	for (int i = 0; i < PATIENT && !w->commits; i++)
		turn(w);
	pass(w, 1000);
	assert_in_range(serving(w), before - 1, before);
	assert_true(has_logged(w, "removals are frozen"));
	live(w, 60000);
	assert_in_range(serving(w), before - 31, before - 23);
	tell(w, &p, 0, 240, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
}

/* A new prober knows only what it was told: that nobody is up any more by its word changes nothing. */
static void a_new_prober_is_no_mass_failure(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, ALL, VERDICT_UNKNOWN);
	tell(w, &p, 0, ALL, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
	tell(w, &p, 0, ALL / 3, VERDICT_DOWN);
	assert_int_equal(serving(w), ALL);
	assert_true(has_logged(w, "100 of 300 targets went down within 10 s"));
}

static void a_role_waits_for_nothing(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };

	write_pools(w, "parasaus.io/health-check-type: redis, parasaus.io/health-check-role: "
		       "reader");
	start_core(w);
	connect_kernel(w, "");
	connect_again(w, &p);
	for (int i = 0; i < PATIENT && !p.whole; i++)
		turn(w);
	tell(w, &p, 0, ALL, VERDICT_UP);
	assert_int_equal(serving(w), ALL);
	tell(w, &p, 0, 200, VERDICT_DOWN);
	assert_int_equal(serving(w), 100);
	assert_false(has_logged(w, "went down within"));
}

/* Pools come and go meanwhile, and those that waited in them with them. */
static void what_is_removed_meanwhile_is_no_failure(void **state)
{
	struct world *w = *state;
	struct prober p = { 0 };
	struct snapshot *s;
	char path[64];

	write_pools(w, "");
	start_all_up(w, &p);
	tell(w, &p, 0, 120, VERDICT_DOWN);
	for (unsigned k = 0; k < 4; k++) {
		snprintf(path, sizeof(path), "pools/w%u.yaml", k);
		assert_int_equal(unlink(path_in(w, path)), 0);
	}
	pass(w, 120000);
	s = shown(w);
	assert_int_equal(s->mass.waiting, 0);
	assert_false(s->mass.doubt || s->mass.freeze);
	snapshot_unref(s);
	assert_in_range(serving(w), 0, 2 * MEMBERS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_world_up, core_world_down)
	static const struct CMUnitTest tests[] = {
		TEST(a_third_gone_and_back_changes_nothing),
		TEST(a_third_that_stays_gone_is_out_when_it_has_stood),
		TEST(who_goes_down_among_few_is_out_at_once),
		TEST(most_of_all_gone_is_a_freeze),
		TEST(a_freeze_outlives_a_restart),
		TEST(a_new_prober_is_no_mass_failure),
		TEST(a_role_waits_for_nothing),
		TEST(what_is_removed_meanwhile_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
