/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.c before somebody who answers when the test says so; what it makes of pools is in tests/sim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/batch.h"
#include "agent/base/clock.h"

/* One batch, and who answers it. */
struct asked {
	struct rest_request request;
	edit_answer_fn *fn; /* of the pool that waits for its answer; NULL: none does */
	void *fn_arg;
	unsigned count; /* of pools that were asked for */
	struct rest_reply reply;
	bool answered;
};

struct place {
	struct loop *loop;
	struct batches *batches;
	struct asked slow, quick;
};

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_int_equal(loop_new(&clock_system, &p->loop), 0);
	p->batches = batches_new(p->loop);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	batches_free(p->batches);
	rest_reply_done(&p->slow.reply);
	rest_reply_done(&p->quick.reply);
	loop_free(p->loop);
	free(p);
	return 0;
}

static void on_batch(void *arg, struct rest_reply *reply)
{
	struct asked *a = arg;

	a->reply = *reply;
	a->answered = true;
}

static void wait_with_it(void *arg, const struct rest_request *r, struct edit_stage *stage,
			 edit_answer_fn *fn, void *fn_arg)
{
	struct asked *a = arg;

	assert_string_equal(r->method, "DELETE");
	assert_null(stage);
	assert_null(a->fn);
	a->count++;
	a->fn = fn;
	a->fn_arg = fn_arg;
}

static void answer_it(struct asked *a, unsigned status)
{
	struct rest_reply reply = { .status = status };
	edit_answer_fn *fn = a->fn;

	assert_non_null(fn);
	a->fn = NULL;
	buf_str(&reply.body, "{}");
	fn(a->fn_arg, &reply);
}

/* Of five pools. */
static void begin(struct place *p, struct asked *a)
{
	static const char body[] = "{\"ops\":[{\"op\":\"delete\",\"pool\":\"a.a.a-tcp\"},"
				   "{\"op\":\"delete\",\"pool\":\"a.b.a-tcp\"},"
				   "{\"op\":\"delete\",\"pool\":\"a.c.a-tcp\"},"
				   "{\"op\":\"delete\",\"pool\":\"a.d.a-tcp\"},"
				   "{\"op\":\"delete\",\"pool\":\"a.e.a-tcp\"}]}";

	a->request = (struct rest_request){ .method = "POST",
					    .target = "/api/v1/pools:batch",
					    .content_type = "application/json",
					    .body = body,
					    .body_len = sizeof(body) - 1,
					    .length = sizeof(body) - 1,
					    .has_body = true };
	batch_begin(
		&(struct batch_place){ .batches = p->batches, .ask = wait_with_it, .ask_arg = a },
		&a->request, on_batch, a);
}

static void until_asked(struct place *p, struct asked *a, unsigned count)
{
	for (int i = 0; i < 100 && a->count < count; i++)
		assert_return_code(loop_turn(p->loop, 0), 0);
	assert_int_equal(a->count, count);
}

static void until_answered(struct place *p, struct asked *a)
{
	for (int i = 0; i < 100 && !a->answered; i++)
		assert_return_code(loop_turn(p->loop, 0), 0);
	assert_true(a->answered);
	assert_int_equal(a->reply.status, 200);
}

/* How often the answer says so. */
static unsigned said(const struct asked *a, const char *what)
{
	unsigned n = 0;

	for (const char *at = buf_cstr((struct buf *)(uintptr_t)&a->reply.body);
	     (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void one_that_waits_keeps_no_other_waiting(void **state)
{
	struct place *p = *state;

	begin(p, &p->slow);
	until_asked(p, &p->slow, 1);
	begin(p, &p->quick);
	for (unsigned i = 1; i <= 5; i++) {
		until_asked(p, &p->quick, i);
		answer_it(&p->quick, 200);
	}
	until_answered(p, &p->quick);
	assert_int_equal(p->slow.count, 1);
	assert_false(p->slow.answered);
	for (unsigned i = 1; i <= 5; i++) {
		until_asked(p, &p->slow, i);
		answer_it(&p->slow, 200);
	}
	until_answered(p, &p->slow);
	assert_int_equal(said(&p->slow, "\"result\":\"removed\""), 5);
}

static void what_cannot_be_done_now_is_not_tried_without_end(void **state)
{
	struct place *p = *state;

	begin(p, &p->slow);
	for (unsigned i = 1; i <= 3; i++) {
		until_asked(p, &p->slow, i);
		answer_it(&p->slow, 503);
	}
	until_answered(p, &p->slow);
	assert_int_equal(p->slow.count, 3);
	assert_int_equal(said(&p->slow, "\"code\":\"not-tried\""), 2);
	assert_int_equal(said(&p->slow, "\"refused\":5"), 1);
}

static void one_failure_or_two_are_none(void **state)
{
	static const unsigned statuses[] = { 503, 503, 404, 503, 503 };
	struct place *p = *state;

	begin(p, &p->slow);
	for (unsigned i = 0; i < 5; i++) {
		until_asked(p, &p->slow, i + 1);
		answer_it(&p->slow, statuses[i]);
	}
	until_answered(p, &p->slow);
	assert_int_equal(said(&p->slow, "not-tried"), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(one_that_waits_keeps_no_other_waiting),
		T(what_cannot_be_done_now_is_not_tried_without_end),
		T(one_failure_or_two_are_none),
	};

	return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
