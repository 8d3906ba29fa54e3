/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/plan/notrack.h: whether checks can do without connection tracking, tried out. */
#include "agent/plan/notrack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

/* A policy, and servers that it watches. */
struct bench {
	struct notrack n;
	mono_t now;
	uint32_t ok[NOTRACK_SERVERS], failed[NOTRACK_SERVERS];
	bool drops; /* a firewall does, what is not tracked */
	bool dead[NOTRACK_SERVERS];
};

static int begin(void **state)
{
	struct bench *b = xcalloc(1, sizeof(*b));

	b->now.ns = 1000000000;
	notrack_init(&b->n, true, b->now);
	for (unsigned i = 0; i < NOTRACK_SERVERS; i++)
		b->ok[i] = 100 + i;
	*state = b;
	return 0;
}

static int end(void **state)
{
	free(*state);
	return 0;
}

static uint64_t id_of(unsigned server)
{
	return 1000 + server;
}

static void start(struct bench *b, unsigned servers)
{
	for (unsigned i = 0; i < servers; i++) {
		struct addr a = addr_v4(0x0a000001 + i);

		assert_true(notrack_add(&b->n, id_of(i), &a));
	}
	notrack_begin(&b->n, b->now);
	assert_int_equal(b->n.state, NOTRACK_CANARY);
}

static bool is_tracked(const struct bench *b)
{
	return b->n.state != NOTRACK_CANARY && b->n.state != NOTRACK_ALL;
}

static void see(struct bench *b, unsigned server)
{
	notrack_saw(&b->n, id_of(server), b->ok[server], b->failed[server]);
}

/* One probe of it, seen after it. True: the state is another one. */
static bool probe(struct bench *b, unsigned server)
{
	bool fails = b->dead[server] || (b->drops && !is_tracked(b));

	see(b, server);
	*(fails ? &b->failed[server] : &b->ok[server]) += 1;
	see(b, server);
	return notrack_judge(&b->n, b->now);
}

/* The kernel follows, and each is probed, so many rounds or until the state is that. */
static unsigned live(struct bench *b, unsigned servers, enum notrack_state until, unsigned rounds)
{
	unsigned n = 0;

	for (; n < rounds && b->n.state != until; n++) {
		for (unsigned i = 0; i < servers && b->n.state != until; i++) {
			notrack_applied(&b->n, b->now);
			(void)probe(b, i);
		}
		b->now = mono_add_ms(b->now, 1000);
	}
	return n;
}

static void not_wanted_it_stays_off(void **state)
{
	struct bench *b = *state;
	struct addr a = addr_v4(1);

	notrack_init(&b->n, false, b->now);
	notrack_adopt(&b->n, b->now);
	(void)notrack_add(&b->n, 1, &a);
	notrack_begin(&b->n, b->now);
	notrack_alarm(&b->n, b->now);
	assert_false(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_OFF);
}

static void without_servers_it_waits(void **state)
{
	struct bench *b = *state;

	notrack_begin(&b->n, b->now);
	assert_int_equal(b->n.state, NOTRACK_WAITING);
}

static void each_address_is_watched_once(void **state)
{
	struct bench *b = *state;
	struct addr a = addr_v4(0x0a000001);

	start(b, NOTRACK_SERVERS - 1);
	assert_false(notrack_add(&b->n, 1, &a));
	a = addr_v4(0x0b000001);
	assert_true(notrack_add(&b->n, 2, &a));
	a = addr_v4(0x0b000002);
	assert_false(notrack_add(&b->n, 3, &a)); /* as many as there are to be */
}

static void after_three_good_probes_of_each_it_is_all(void **state)
{
	struct bench *b = *state;

	start(b, 16);
	assert_int_equal(live(b, 16, NOTRACK_ALL, 10), NOTRACK_GOOD);
	/* It goes on. */
	assert_int_equal(live(b, 16, NOTRACK_OFF, 100), 100);
	assert_int_equal(b->n.state, NOTRACK_ALL);
}

static void nothing_counts_before_the_kernel_does_it(void **state)
{
	struct bench *b = *state;

	start(b, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_false(probe(b, 0));
	assert_int_equal(live(b, 1, NOTRACK_ALL, 10), NOTRACK_GOOD);
}

static void a_firewall_that_drops_them_is_found_before_any_server_is_down(void **state)
{
	struct bench *b = *state;

	b->drops = true;
	start(b, 16);
	notrack_applied(&b->n, b->now);
	assert_true(probe(b, 7)); /* the first failure ends it */
	assert_int_equal(b->n.state, NOTRACK_DOUBT);
	notrack_applied(&b->n, b->now);
	assert_true(probe(b, 7)); /* well when tracked: once more */
	assert_int_equal(b->n.state, NOTRACK_CANARY);
	live(b, 16, NOTRACK_REFUSED, 50);
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
	assert_true(b->n.why.failed > 0);
	assert_int_equal(b->n.why.tried, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_true(b->failed[i] <= 2); /* and never in a row */
}

static void refused_it_is_tried_again_later(void **state)
{
	struct bench *b = *state;

	b->drops = true;
	start(b, 2);
	live(b, 2, NOTRACK_REFUSED, 50);
	b->now = mono_add_ms(b->now, NOTRACK_RETRY_MS - 2000);
	assert_false(notrack_judge(&b->n, b->now));
	b->now = mono_add_ms(b->now, 2000);
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_WAITING);
	b->drops = false;
	start(b, 2);
	live(b, 2, NOTRACK_ALL, 10);
	assert_int_equal(b->n.state, NOTRACK_ALL);
}

static void a_server_that_dies_meanwhile_is_not_taken_for_a_firewall(void **state)
{
	struct bench *b = *state;

	start(b, 3);
	b->dead[1] = true;
	live(b, 3, NOTRACK_ALL, 20);
	assert_int_equal(b->n.state, NOTRACK_ALL);
	assert_int_equal(b->n.count, 2);
	assert_true(b->failed[1] >= NOTRACK_BAD);
}

static void of_those_that_are_all_dead_none_is_left(void **state)
{
	struct bench *b = *state;

	b->dead[0] = b->dead[1] = true;
	start(b, 2);
	live(b, 2, NOTRACK_WAITING, 20);
	assert_int_equal(b->n.state, NOTRACK_WAITING);
	assert_int_equal(b->n.count, 0);
}

static void a_probe_that_fails_once_is_made_up_for(void **state)
{
	struct bench *b = *state;

	start(b, 4);
	notrack_applied(&b->n, b->now);
	b->dead[2] = true;
	assert_true(probe(b, 2));
	b->dead[2] = false;
	live(b, 4, NOTRACK_ALL, 20);
	assert_int_equal(b->n.state, NOTRACK_ALL);
	assert_int_equal(b->n.count, 4);
}

static void with_all_single_failures_are_nothing_and_many_are(void **state)
{
	struct bench *b = *state;

	start(b, 4);
	live(b, 4, NOTRACK_ALL, 10);
	b->dead[0] = true;
	live(b, 4, NOTRACK_DOUBT, 10);
	assert_int_equal(b->n.state, NOTRACK_ALL);
	b->dead[0] = false;
	live(b, 4, NOTRACK_DOUBT, 2);
	/* Somebody loads another firewall. */
	b->drops = true;
	assert_true(live(b, 4, NOTRACK_DOUBT, 2) <= 1);
	live(b, 4, NOTRACK_REFUSED, 20);
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
}

static void one_server_alone_is_enough(void **state)
{
	struct bench *b = *state;

	start(b, 1);
	live(b, 1, NOTRACK_ALL, 10);
	b->drops = true;
	live(b, 1, NOTRACK_REFUSED, 20);
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
	assert_int_equal(b->n.why.failed, 1);
	assert_int_equal(b->n.why.tried, 1);
}

static void when_many_targets_go_down_it_is_over_at_once(void **state)
{
	struct bench *b = *state;

	start(b, 4);
	live(b, 4, NOTRACK_ALL, 10);
	notrack_alarm(&b->n, b->now);
	assert_int_equal(b->n.state, NOTRACK_WAITING);
	assert_int_equal(b->n.count, 0);
}

static void who_goes_down_after_the_step_is_tried_next(void **state)
{
	struct bench *b = *state;
	struct addr a = addr_v4(0x0b000001);

	start(b, 16);
	live(b, 16, NOTRACK_ALL, 10);
	notrack_applied(&b->n, b->now);
	notrack_fell(&b->n, 1, &a, b->now); /* one that was not tried before */
	assert_int_equal(b->n.state, NOTRACK_DOUBT);
	assert_int_equal(notrack_suspect(&b->n), 1);
	for (unsigned i = 0; i < 2; i++) {
		notrack_applied(&b->n, b->now);
		notrack_saw(&b->n, 1, i, i);
		notrack_saw(&b->n, 1, i + 1, i); /* tracked it is well */
		assert_true(notrack_judge(&b->n, b->now));
		if (i == 0) {
			assert_int_equal(b->n.state, NOTRACK_CANARY);
			notrack_applied(&b->n, b->now);
			notrack_saw(&b->n, 1, 1, 1);
			assert_true(notrack_judge(&b->n, b->now));
			assert_int_equal(b->n.state, NOTRACK_DOUBT);
		}
	}
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
	assert_int_equal(b->n.why.first, 1);
}

static void a_server_that_fails_now_and_then_is_left_out(void **state)
{
	struct bench *b = *state;

	start(b, 16);
	for (unsigned i = 0; i < 2; i++) {
		notrack_applied(&b->n, b->now);
		b->dead[3] = true;
		assert_true(probe(b, 3));
		assert_int_equal(b->n.state, NOTRACK_DOUBT);
		notrack_applied(&b->n, b->now);
		b->dead[3] = false;
		assert_true(probe(b, 3));
		assert_int_equal(b->n.state, NOTRACK_CANARY);
	}
	assert_int_equal(b->n.count, 15);
	live(b, 16, NOTRACK_ALL, 10);
	assert_int_equal(b->n.state, NOTRACK_ALL);
}

static void who_fails_before_the_trial_is_not_taken(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 3; i++) {
		struct addr a = addr_v4(0x0a000001 + i);

		assert_true(notrack_add(&b->n, id_of(i), &a));
	}
	assert_false(notrack_is_ready(&b->n, false));
	b->dead[1] = true;
	for (unsigned k = 0; k < NOTRACK_GOOD; k++) {
		for (unsigned i = 0; i < 3; i++)
			(void)probe(b, i);
	}
	assert_true(notrack_is_ready(&b->n, false));
	assert_int_equal(b->n.count, 2);
}

/* ... from when the kernel does it until it is looked at. */
static void a_failure_between_two_looks_counts(void **state)
{
	struct bench *b = *state;

	start(b, 1);
	see(b, 0);
	notrack_applied(&b->n, b->now);
	b->failed[0]++;
	see(b, 0);
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_DOUBT);
}

static void what_was_so_before_a_restart_is_watched_again(void **state)
{
	struct bench *b = *state;
	struct addr a = addr_v4(0x0a000001);

	notrack_adopt(&b->n, b->now);
	assert_int_equal(b->n.state, NOTRACK_ALL);
	assert_true(notrack_add(&b->n, id_of(0), &a));
	live(b, 1, NOTRACK_DOUBT, 10);
	assert_int_equal(b->n.state, NOTRACK_ALL);
	b->drops = true;
	live(b, 1, NOTRACK_REFUSED, 20);
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
}

static void a_firewall_that_came_between_is_found_at_once(void **state)
{
	struct bench *b = *state;

	notrack_adopt(&b->n, b->now);
	for (unsigned i = 0; i < 4; i++) {
		struct addr a = addr_v4(0x0a000001 + i);

		assert_true(notrack_add(&b->n, id_of(i), &a));
		b->ok[i] = 0;
	}
	/* It has failed before anybody looked. */
	b->failed[2] = 1;
	see(b, 1);
	assert_false(notrack_judge(&b->n, b->now));
	see(b, 2);
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_DOUBT);
	b->drops = true;
	live(b, 4, NOTRACK_REFUSED, 20);
	assert_int_equal(b->n.state, NOTRACK_REFUSED);
	for (unsigned i = 0; i < 4; i++)
		assert_true(b->failed[i] <= 3);
}

static void servers_that_are_gone_are_not_waited_for(void **state)
{
	struct bench *b = *state;

	start(b, 2);
	live(b, 1, NOTRACK_ALL, 10); /* the other one is not probed */
	assert_int_equal(b->n.state, NOTRACK_CANARY);
	notrack_lost(&b->n, id_of(1));
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_ALL);
}

static void a_server_without_a_result_has_failed_in_the_end(void **state)
{
	struct bench *b = *state;

	start(b, 2);
	live(b, 1, NOTRACK_ALL, 10);
	b->now = mono_add_ms(b->now, NOTRACK_PATIENCE_MS);
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.state, NOTRACK_DOUBT);
	notrack_applied(&b->n, b->now);
	b->now = mono_add_ms(b->now, NOTRACK_PATIENCE_MS);
	assert_true(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.count, 1);
}

static void another_prober_counts_anew(void **state)
{
	struct bench *b = *state;

	start(b, 1);
	notrack_applied(&b->n, b->now);
	(void)probe(b, 0);
	b->ok[0] = b->failed[0] = 0;
	see(b, 0);
	assert_false(notrack_judge(&b->n, b->now));
	assert_int_equal(b->n.servers[0].good, 1);
	assert_int_equal(b->n.servers[0].bad, 0);
}

static void only_checks_that_leave_time_are_taken(void **state)
{
	static const struct {
		uint8_t fall;
		uint32_t timeout_ms, fast_ms;
		bool leaves;
	} rows[] = {
		{ 1, 1000, 60000, false }, { 2, 1000, 1000, false }, { 2, 1000, 1700, true },
		{ 3, 1000, 1000, true },   { 3, 500, 500, true },    { 3, 400, 400, false },
		{ 10, 100, 100, true },	   { 3, 1000, 200, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct check c = { .fall = rows[i].fall,
					 .timeout_ms = rows[i].timeout_ms,
					 .fast_ms = rows[i].fast_ms };

		assert_int_equal(notrack_leaves_time(&c), rows[i].leaves);
	}
}

#define ON_A_BENCH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_BENCH(not_wanted_it_stays_off),
		ON_A_BENCH(without_servers_it_waits),
		ON_A_BENCH(each_address_is_watched_once),
		ON_A_BENCH(after_three_good_probes_of_each_it_is_all),
		ON_A_BENCH(nothing_counts_before_the_kernel_does_it),
		ON_A_BENCH(a_firewall_that_drops_them_is_found_before_any_server_is_down),
		ON_A_BENCH(refused_it_is_tried_again_later),
		ON_A_BENCH(a_server_that_dies_meanwhile_is_not_taken_for_a_firewall),
		ON_A_BENCH(of_those_that_are_all_dead_none_is_left),
		ON_A_BENCH(a_probe_that_fails_once_is_made_up_for),
		ON_A_BENCH(with_all_single_failures_are_nothing_and_many_are),
		ON_A_BENCH(one_server_alone_is_enough),
		ON_A_BENCH(when_many_targets_go_down_it_is_over_at_once),
		ON_A_BENCH(who_goes_down_after_the_step_is_tried_next),
		ON_A_BENCH(a_server_that_fails_now_and_then_is_left_out),
		ON_A_BENCH(who_fails_before_the_trial_is_not_taken),
		ON_A_BENCH(a_failure_between_two_looks_counts),
		ON_A_BENCH(what_was_so_before_a_restart_is_watched_again),
		ON_A_BENCH(a_firewall_that_came_between_is_found_at_once),
		ON_A_BENCH(servers_that_are_gone_are_not_waited_for),
		ON_A_BENCH(a_server_without_a_result_has_failed_in_the_end),
		ON_A_BENCH(another_prober_counts_anew),
		cmocka_unit_test(only_checks_that_leave_time_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
