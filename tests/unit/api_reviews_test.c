/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reviews.c: for how long what the API server said holds, and how often it is asked. */
#include "agent/api/reviews.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/turned_clock.h"

struct ground {
	struct loop *loop;
	struct reviews *reviews;
	unsigned asked, woken;
	char token[64]; /* the last that was asked for */
	struct review *waiting[REVIEWS_WAITING_MAX];
	size_t waiting_count;
};

static void on_ask(void *arg, const char *token, struct review *v)
{
	struct ground *g = arg;

	g->asked++;
	snprintf(g->token, sizeof(g->token), "%s", token);
	assert_true(g->waiting_count < REVIEWS_WAITING_MAX);
	g->waiting[g->waiting_count++] = v;
}

static void on_wake(void *arg)
{
	((struct ground *)arg)->woken++;
}

static int set_up(void **state)
{
	struct ground *g = xcalloc(1, sizeof(*g));
	const struct reviews_place place = { .ask = on_ask, .arg = g };

	assert_int_equal(loop_new(&turned_clock, &g->loop), 0);
	assert_int_equal(reviews_new(g->loop, &place, &g->reviews), 0);
	reviews_wake(g->reviews, on_wake, g);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *g = *state;

	reviews_free(g->reviews);
	loop_free(g->loop);
	free(g);
	return 0;
}

static struct addr from(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct reviewed look_from(struct ground *g, const char *token, const char *address)
{
	const struct addr a = from(address);

	return reviews_look(g->reviews, token, &a);
}

static struct reviewed look(struct ground *g, const char *token)
{
	return look_from(g, token, "192.0.2.1");
}

/* The loop asks for all that waits, and this is said of each. */
static void say(struct ground *g, enum review_claim claim, const char *user)
{
	struct reviewed what = { .claim = claim, .may_read = claim == REVIEW_SOMEBODY };

	assert_int_equal(loop_turn(g->loop, 0), 0);
	snprintf(what.user, sizeof(what.user), "%s", user);
	while (g->waiting_count)
		reviews_said(g->reviews, g->waiting[--g->waiting_count], &what);
}

static void what_was_said_is_remembered_for_a_minute(void **state)
{
	struct ground *g = *state;
	struct reviewed r;

	assert_int_equal(look(g, "eyA").claim, REVIEW_WAITS);
	assert_int_equal(g->asked, 0); /* whoever looks asks nobody */
	assert_int_equal(look(g, "eyA").claim, REVIEW_WAITS);
	say(g, REVIEW_SOMEBODY, "alice");
	assert_int_equal(g->asked, 1);
	assert_string_equal(g->token, "eyA");
	assert_int_equal(g->woken, 1);
	r = look(g, "eyA");
	assert_int_equal(r.claim, REVIEW_SOMEBODY);
	assert_string_equal(r.user, "alice");
	assert_true(r.may_read);
	assert_false(r.may_write);
	now_ms += REVIEW_GOOD_MS - 1;
	assert_int_equal(look(g, "eyA").claim, REVIEW_SOMEBODY);
	now_ms += 1; /* to have been asked for meanwhile makes it last no longer */
	assert_int_equal(look(g, "eyA").claim, REVIEW_WAITS);
	say(g, REVIEW_NOBODY, "");
	assert_int_equal(look(g, "eyA").claim, REVIEW_NOBODY);
	assert_int_equal(g->asked, 2);
}

static void nobody_is_asked_for_again_soon_and_trouble_sooner(void **state)
{
	struct ground *g = *state;

	(void)look(g, "eyA");
	say(g, REVIEW_NOBODY, "");
	now_ms += REVIEW_BAD_MS - 1;
	assert_int_equal(look(g, "eyA").claim, REVIEW_NOBODY);
	now_ms += 1;
	assert_int_equal(look(g, "eyA").claim, REVIEW_WAITS);
	say(g, REVIEW_TROUBLE, "");
	now_ms += REVIEW_TROUBLE_MS - 1;
	assert_int_equal(look(g, "eyA").claim, REVIEW_TROUBLE);
	now_ms += 1;
	assert_int_equal(look(g, "eyA").claim, REVIEW_WAITS);
}

/* However long it was known before. */
static void trouble_is_never_a_yes(void **state)
{
	struct ground *g = *state;

	(void)look(g, "eyA");
	say(g, REVIEW_SOMEBODY, "alice");
	now_ms += REVIEW_GOOD_MS;
	(void)look(g, "eyA");
	say(g, REVIEW_TROUBLE, "");
	assert_int_equal(look(g, "eyA").claim, REVIEW_TROUBLE);
	assert_string_equal(look(g, "eyA").user, "");
}

static void a_token_is_known_by_all_of_it(void **state)
{
	struct ground *g = *state;

	(void)look(g, "eyA");
	say(g, REVIEW_SOMEBODY, "alice");
	assert_int_equal(look(g, "eyAA").claim, REVIEW_WAITS);
	assert_int_equal(look(g, "eya").claim, REVIEW_WAITS);
	assert_int_equal(look(g, "").claim, REVIEW_WAITS);
}

static void one_address_has_so_many_reviews(void **state)
{
	struct ground *g = *state;
	char token[16];

	for (int i = 0; i < REVIEW_BURST; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		assert_int_equal(look(g, token).claim, REVIEW_WAITS);
	}
	assert_int_equal(look(g, "more").claim, REVIEW_TOO_MANY);
	assert_int_equal(look_from(g, "more", "192.0.2.2").claim, REVIEW_WAITS);
	say(g, REVIEW_SOMEBODY, "alice");
	assert_int_equal(look(g, "t0").claim, REVIEW_SOMEBODY); /* it costs nothing */
	assert_int_equal(look(g, "other").claim, REVIEW_TOO_MANY);
	now_ms += REVIEW_EVERY_MS;
	assert_int_equal(look(g, "other").claim, REVIEW_WAITS);
	assert_int_equal(look(g, "another").claim, REVIEW_TOO_MANY);
}

static void addresses_are_counted_by_whose_they_are(void **state)
{
	struct ground *g = *state;
	char token[16];

	for (int i = 0; i < REVIEW_BURST; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		(void)look_from(g, token, i % 2 ? "2001:db8::1" : "2001:db8::2:3");
	}
	assert_int_equal(look_from(g, "x", "2001:db8::ffff").claim, REVIEW_TOO_MANY);
	assert_int_equal(look_from(g, "x", "2001:db8:0:1::1").claim, REVIEW_WAITS);
	for (int i = 0; i < REVIEW_BURST; i++) {
		snprintf(token, sizeof(token), "u%d", i);
		(void)look_from(g, token, i % 2 ? "::ffff:192.0.2.9" : "192.0.2.9");
	}
	assert_int_equal(look_from(g, "y", "192.0.2.9").claim, REVIEW_TOO_MANY);
	assert_int_equal(look_from(g, "y", "::ffff:192.0.2.8").claim, REVIEW_WAITS);
}

static void so_many_wait_at_most(void **state)
{
	struct ground *g = *state;
	char token[16], address[32];

	for (int i = 0; i < REVIEWS_WAITING_MAX; i++) {
		snprintf(token, sizeof(token), "t%d", i);
		snprintf(address, sizeof(address), "192.0.2.%d", i);
		assert_int_equal(look_from(g, token, address).claim, REVIEW_WAITS);
	}
	assert_int_equal(look_from(g, "x", "192.0.2.200").claim, REVIEW_TOO_MANY);
	assert_int_equal(look_from(g, "t0", "192.0.2.200").claim, REVIEW_WAITS);
	say(g, REVIEW_NOBODY, "");
	assert_int_equal(look_from(g, "x", "192.0.2.200").claim, REVIEW_WAITS);
}

/* What nobody looked at for longest gives way. */
static void so_many_are_remembered(void **state)
{
	struct ground *g = *state;
	char token[16], address[32];

	(void)look(g, "first");
	(void)look(g, "used");
	say(g, REVIEW_SOMEBODY, "alice");
	for (int i = 0; i < REVIEWS_MAX - 1; i++) {
		now_ms++;
		snprintf(token, sizeof(token), "t%d", i);
		snprintf(address, sizeof(address), "10.0.%d.%d", i / 200, i % 200);
		assert_int_equal(look_from(g, token, address).claim, REVIEW_WAITS);
		say(g, REVIEW_SOMEBODY, "bob");
		assert_int_equal(look(g, "used").claim, REVIEW_SOMEBODY);
	}
	assert_int_equal(look(g, "first").claim, REVIEW_WAITS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_said_is_remembered_for_a_minute),
		TEST(nobody_is_asked_for_again_soon_and_trouble_sooner),
		TEST(trouble_is_never_a_yes),
		TEST(a_token_is_known_by_all_of_it),
		TEST(one_address_has_so_many_reviews),
		TEST(addresses_are_counted_by_whose_they_are),
		TEST(so_many_wait_at_most),
		TEST(so_many_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
