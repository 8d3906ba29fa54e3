/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Core with many targets: what is done with all of them is done in pieces, so that no turn takes
 * long however many there are, and nothing is lost by that. Work is counted, not time.
 */
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
#include "tests/lib/random.h"

#define POOLS	12u
#define MEMBERS 500u
#define ALL	(POOLS * MEMBERS)
#define PATIENT 5000

/* What a turn may come to: pieces of the list and of the file, each until the turn's time is up. */
#define TURN_MAX (2u * (LOOP_TURN_BUDGET_MS + 1u) * TARGETS_PIECE)
_Static_assert(ALL > TURN_MAX, "more than fits into a turn");

/* A healthcheck process that counts. */
struct peer {
	unsigned told, down; /* since it was told to begin anew */
	bool whole;
};

static bool hear(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct peer *p = arg;
	struct hc_target t;

	(void)fd;
	if (type == HC_MSG_BEGIN)
		*p = (struct peer){ 0 };
	if (type == HC_MSG_COMMIT)
		p->whole = true;
	if (type != HC_MSG_TARGET)
		return true;
	wire_hc_target(body, &t);
	assert_true(wire_end(body));
	p->told++;
	p->down += t.initial == VERDICT_DOWN;
	check_unref(t.check);
	return true;
}

static void connect_peer(struct world *w, struct peer *p)
{
	const struct channel_handler h = { hear, core_hung_up, p };

	*p = (struct peer){ 0 };
	connect_prober(w, &h);
	health_is_told(w);
}

/* Pool k serves members first..first + count - 1 of its MEMBERS. */
static void write_members(struct world *w, unsigned k, unsigned first, unsigned count)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char name[32];

	buf_printf(&b,
		   "kind: Service\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n---\n"
		   "kind: Endpoints\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
		   k, 30000 + k, k);
	for (unsigned i = first; i < first + count; i++)
		buf_printf(&b, "%s{ip: 10.%u.%u.%u}", i == first ? "" : ", ", 1 + k, i / 250,
			   1 + i % 250);
	buf_str(&b, "]}]\n");
	snprintf(name, sizeof(name), "w%u.yaml", k);
	write_pool(w, name, buf_cstr(&b));
}

static struct core *core_of(struct world *w)
{
	return w->context.arg;
}

static const struct target_list *shown(struct world *w)
{
	return core_of(w)->view.targets;
}

/* One turn, and that it came to no more targets than it may. */
static void short_turn(struct world *w)
{
	uint64_t before = core_of(w)->walked;

	turn(w);
	assert_true(core_of(w)->walked - before <= TURN_MAX);
}

static void start_many(struct world *w, struct peer *p)
{
	start_core(w);
	connect_kernel(w, "");
	connect_peer(w, p);
	for (int i = 0; i < PATIENT &&
			!(p->whole && core_of(w)->settled && shown(w) && shown(w)->count == ALL);
	     i++) {
		turn(w);
		w->mono_ms += 10;
	}
	assert_true(p->whole);
	assert_int_equal(p->told, ALL);
	assert_int_equal(shown(w)->count, ALL);
}

static void write_all(struct world *w)
{
	for (unsigned k = 0; k < POOLS; k++)
		write_members(w, k, 0, MEMBERS);
}

/* Every one there is, once, in order. */
static void assert_whole(struct world *w, size_t count)
{
	const struct target_list *l = shown(w);

	assert_int_equal(l->count, count);
	assert_int_equal(core_of(w)->checked.count, count);
	for (size_t i = 1; i < l->count; i++)
		assert_true(endpoint_cmp(&l->items[i - 1].endpoint, &l->items[i].endpoint) < 0);
}

/* From here on time passes with each look at the clock, so that turns have an end. */
static void let_time_pass(struct world *w)
{
	pass(w, 3000);
	w->look_ms = 1;
}

static void no_turn_comes_to_all_targets(void **state)
{
	struct world *w = *state;
	struct peer p;
	uint64_t walked;

	write_all(w);
	start_many(w, &p);
	let_time_pass(w);
	for (unsigned round = 0; round < 3; round++) {
		const struct target_list *before = shown(w);
		uint64_t id = before->items[round * 1999].id;

		walked = core_of(w)->walked;
		send_verdict(w, id, round % 2 ? VERDICT_UP : VERDICT_DOWN);
		for (int i = 0; i < PATIENT && (shown(w) == before || core_of(w)->saving ||
						core_of(w)->save_timer || core_of(w)->unsaved ||
						core_of(w)->view.making);
		     i++)
			short_turn(w);
		/* Both the list and the file were made anew. */
		assert_true(core_of(w)->walked - walked >= 2 * ALL);
		assert_whole(w, ALL);
		assert_int_equal(shown(w)->items[round * 1999].state,
				 round % 2 ? VERDICT_UP : VERDICT_DOWN);
	}
	w->look_ms = 0;
}

static void what_comes_and_goes_meanwhile_is_shown_in_the_end(void **state)
{
	struct world *w = *state;
	uint32_t seed = 11;
	struct peer p;

	write_all(w);
	start_many(w, &p);
	let_time_pass(w);
	for (unsigned round = 0; round < 6; round++) {
		uint64_t walked = core_of(w)->walked;
		unsigned k = round % POOLS;

		send_verdict(w, shown(w)->items[seed++ % ALL].id, VERDICT_DOWN);
		/* In the midst of a walk half a pool goes, and comes again with the next. */
		for (int i = 0; i < PATIENT && core_of(w)->walked == walked; i++)
			short_turn(w);
		write_members(w, k, round % 2 ? 0 : MEMBERS / 2, round % 2 ? MEMBERS : MEMBERS / 2);
		for (int i = 0; i < 200; i++)
			short_turn(w);
	}
	write_all(w);
	w->look_ms = 0;
	for (int i = 0; i < PATIENT && (core_of(w)->view.making || shown(w)->count != ALL); i++) {
		turn(w);
		w->mono_ms += 10;
	}
	assert_whole(w, ALL);
}

static void the_file_holds_all_of_them(void **state)
{
	struct world *w = *state;
	struct core *c;
	struct peer p;

	write_all(w);
	start_many(w, &p);
	let_time_pass(w);
	for (unsigned i = 0; i < ALL; i += 60)
		send_verdict(w, shown(w)->items[i].id, VERDICT_DOWN);
	for (int i = 0; i < 300; i++)
		short_turn(w);
	c = core_of(w);
	for (int i = 0; i < PATIENT && (c->saving || c->save_timer || c->unsaved); i++)
		short_turn(w);
	assert_false(c->saving || c->unsaved);
	w->look_ms = 0;
	stop_core(w);
	start_many(w, &p);
	assert_int_equal(p.down, ALL / 60);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(no_turn_comes_to_all_targets, core_world_up,
						core_world_down),
		cmocka_unit_test_setup_teardown(what_comes_and_goes_meanwhile_is_shown_in_the_end,
						core_world_up, core_world_down),
		cmocka_unit_test_setup_teardown(the_file_holds_all_of_them, core_world_up,
						core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
