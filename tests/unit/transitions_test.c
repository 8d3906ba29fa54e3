/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transitions.c: beside plain lists, beyond what it keeps, and what it takes. */
#include "agent/plan/transitions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/random.h"

#define THINGS 1000u

static struct transition entry_of(uint64_t n)
{
	return (struct transition){ .at_ms = (int64_t)(INT64_C(1795316400000) + (int64_t)n),
				    .detail = -(int32_t)(n % 100000),
				    .state = (uint8_t)(n % 3),
				    .reason = (uint8_t)(n % 200) };
}

static void assert_entry(const struct transition *e, uint64_t n)
{
	struct transition want = entry_of(n);

	assert_int_equal(e->at_ms, want.at_ms);
	assert_int_equal(e->detail, want.detail);
	assert_int_equal(e->state, want.state);
	assert_int_equal(e->reason, want.reason);
}

static void what_never_changed_has_no_history_and_takes_nothing(void **state)
{
	struct transition out[TRANSITIONS_EACH];
	struct transitions *h = transitions_new();

	(void)state;
	assert_int_equal(transitions_read(h, 0, out), 0);
	assert_true(transitions_room(h) < 100);
	transitions_free(h);
	transitions_free(NULL);
}

/* What each thing had, the oldest first: far more than is kept. */
struct lived {
	uint64_t *items;
	size_t count, size;
};

static void note(struct lived *p, uint64_t n)
{
	if (p->count == p->size) {
		p->size = p->size ? p->size * 2 : 16;
		p->items = xreallocarray(p->items, p->size, sizeof(*p->items));
	}
	p->items[p->count++] = n;
}

/* The last 20 of it that are among the last TRANSITIONS_MAX of all, the newest first. */
static void assert_history(const struct transitions *h, uint32_t newest, const struct lived *p,
			   uint64_t all)
{
	struct transition out[TRANSITIONS_EACH];
	size_t n = transitions_read(h, newest, out), want = 0;

	while (want < TRANSITIONS_EACH && want < p->count &&
	       p->items[p->count - 1 - want] + TRANSITIONS_MAX > all)
		want++;
	assert_int_equal(n, want);
	for (size_t i = 0; i < n; i++)
		assert_entry(&out[i], p->items[p->count - 1 - i]);
}

static void assert_all(const struct transitions *h, const uint32_t *newest,
		       const struct lived *lives, uint64_t all)
{
	for (uint32_t i = 0; i < THINGS; i++)
		assert_history(h, newest[i], &lives[i], all);
}

/* Some change often, some nearly never, some not any more. */
static void each_has_its_own_last_ones(void **state)
{
	struct lived *lives = xcalloc(THINGS, sizeof(*lives));
	uint32_t *newest = xcalloc(THINGS, sizeof(*newest));
	struct transitions *h = transitions_new();
	struct random r = random_new();
	size_t gone = 0;

	(void)state;
	for (uint64_t n = 1; n <= 3 * TRANSITIONS_MAX + 17;) {
		uint32_t i = random_below(&r, random_below(&r, THINGS) + 1);
		struct transition e = entry_of(n);

		if (i % 10 == 3 && n > TRANSITIONS_MAX)
			continue;
		transitions_add(h, &newest[i], &e);
		note(&lives[i], n);
		if (n % 9973 == 0 || n == TRANSITIONS_MAX || n == TRANSITIONS_MAX + 1)
			assert_all(h, newest, lives, n);
		n++;
	}
	assert_all(h, newest, lives, 3 * TRANSITIONS_MAX + 17);
	for (uint32_t i = 0; i < THINGS; i++)
		gone += lives[i].count &&
			!transitions_read(h, newest[i], (struct transition[TRANSITIONS_EACH]){ 0 });
	assert_true(gone >= THINGS / 20); /* the test came to those that were written over */
	assert_true(transitions_room(h) <= TRANSITIONS_MAX * 16 + 100);
	for (uint32_t i = 0; i < THINGS; i++)
		free(lives[i].items);
	free(lives);
	free(newest);
	transitions_free(h);
}

static void it_grows_as_it_is_used(void **state)
{
	struct transitions *h = transitions_new();
	uint32_t newest = 0;

	(void)state;
	for (unsigned n = 1; n <= 1000; n++) {
		struct transition e = entry_of(n);

		transitions_add(h, &newest, &e);
	}
	assert_true(transitions_room(h) <= 2 * 1000 * 16 + 100);
	transitions_free(h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_never_changed_has_no_history_and_takes_nothing),
		cmocka_unit_test(each_has_its_own_last_ones),
		cmocka_unit_test(it_grows_as_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
