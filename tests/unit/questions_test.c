/* SPDX-License-Identifier: GPL-2.0-or-later */
/* questions: each is answered once, in turn, by who was asked or because nobody answers. */
#include "agent/base/questions.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/turned_clock.h"

#define PATIENCE_MS 1000

struct world {
	struct loop *loop;
	struct questions questions;
	uint64_t given_up[QUESTIONS_MAX + 1]; /* ids, in order */
	int errors[QUESTIONS_MAX + 1];
	size_t count;
	unsigned asks_again; /* by whoever is given up */
};

static void on_given_up(void *owner, const struct question *q, int error)
{
	struct world *w = owner;
	const struct question again = { q->id + 1000, NULL, NULL };

	w->given_up[w->count] = q->id;
	w->errors[w->count++] = error;
	if (w->asks_again) {
		w->asks_again--;
		assert_true(questions_add(&w->questions, &again));
	}
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	now_ms = 1000000;
	*state = w;
	if (loop_new(&turned_clock, &w->loop) < 0)
		return -1;
	questions_init(&w->questions, w->loop, PATIENCE_MS, on_given_up, w);
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;

	questions_done(&w->questions);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void ask(struct world *w, uint64_t id)
{
	const struct question q = { id, NULL, w };

	assert_true(questions_add(&w->questions, &q));
}

static void pass(struct world *w, int64_t ms)
{
	now_ms += ms;
	assert_true(loop_turn(w->loop, 0) >= 0);
}

static void they_are_answered_in_turn(void **state)
{
	struct world *w = *state;
	struct question q;

	ask(w, 1);
	ask(w, 2);
	assert_false(questions_take(&w->questions, 2, &q));
	assert_true(questions_take(&w->questions, 1, &q));
	assert_int_equal(q.id, 1);
	assert_ptr_equal(q.arg, w);
	assert_false(questions_take(&w->questions, 1, &q));
	assert_true(questions_take(&w->questions, 2, &q));
	assert_false(questions_take(&w->questions, 2, &q));
	pass(w, 2 * PATIENCE_MS);
	assert_int_equal(w->count, 0);
}

static void each_has_its_own_time(void **state)
{
	struct world *w = *state;
	struct question q;

	ask(w, 1);
	pass(w, 600);
	ask(w, 2);
	pass(w, 399);
	assert_int_equal(w->count, 0);
	pass(w, 1);
	assert_int_equal(w->count, 1);
	assert_int_equal(w->given_up[0], 1);
	assert_int_equal(w->errors[0], ETIMEDOUT);
	assert_false(questions_take(&w->questions, 1, &q)); /* too late */
	pass(w, 599);
	assert_int_equal(w->count, 1);
	pass(w, 1);
	assert_int_equal(w->count, 2);
	assert_int_equal(w->given_up[1], 2);
}

static void one_that_is_gone_answers_nobody(void **state)
{
	struct world *w = *state;

	ask(w, 1);
	ask(w, 2);
	w->asks_again = 1; /* which is in vain, too */
	questions_give_up(&w->questions, EPIPE);
	assert_int_equal(w->count, 3);
	assert_int_equal(w->given_up[0], 1);
	assert_int_equal(w->given_up[1], 2);
	assert_int_equal(w->given_up[2], 1001);
	assert_int_equal(w->errors[2], EPIPE);
	pass(w, 2 * PATIENCE_MS);
	assert_int_equal(w->count, 3);
}

static void they_are_bounded(void **state)
{
	const struct question more = { QUESTIONS_MAX + 1, NULL, NULL };
	struct world *w = *state;
	struct question q;

	for (uint64_t id = 1; id <= QUESTIONS_MAX; id++)
		ask(w, id);
	assert_false(questions_add(&w->questions, &more));
	assert_true(questions_take(&w->questions, 1, &q));
	assert_true(questions_add(&w->questions, &more));
}

static void at_the_end_nobody_is_answered(void **state)
{
	struct questions never = { 0 };
	struct world *w = *state;

	ask(w, 1);
	questions_done(&w->questions);
	pass(w, 2 * PATIENCE_MS);
	assert_int_equal(w->count, 0);
	questions_done(&never);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_answered_in_turn),       TEST(each_has_its_own_time),
		TEST(one_that_is_gone_answers_nobody), TEST(they_are_bounded),
		TEST(at_the_end_nobody_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
