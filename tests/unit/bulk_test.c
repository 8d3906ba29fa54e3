/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bulk: much is told whole, in order, and never more than so much ahead of the peer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/bulk.h"
#include "agent/base/xalloc.h"

#define PIECES	   400
#define PIECE_SIZE 20000
#define QUEUED_MAX 100000
#define TURNS_MAX  100000

struct world {
	struct loop *loop;
	struct channel *from;
	struct channel *to; /* NULL: nobody reads yet */
	int to_fd;
	struct bulk bulk;
	unsigned told;
	unsigned heard;
	size_t most_queued;
};

static bool hear(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct world *w = arg;

	assert_int_equal(type, 1);
	assert_int_equal(fd, -1);
	assert_int_equal(wire_u32(body), w->heard);
	assert_int_equal(body->left, PIECE_SIZE);
	w->heard++;
	return true;
}

static void closed(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static bool tell(void *arg)
{
	struct world *w = arg;
	struct buf b = { 0 };

	wire_put_u32(&b, w->told);
	memset(buf_add(&b, PIECE_SIZE), 0, PIECE_SIZE);
	channel_send(w->from, 1, &b);
	buf_done(&b);
	if (channel_queued(w->from) > w->most_queued)
		w->most_queued = channel_queued(w->from);
	return ++w->told < PIECES;
}

static void read_on(struct world *w)
{
	struct channel_handler h = { hear, closed, w };

	assert_int_equal(channel_new(w->loop, w->to_fd, &h, &w->to), 0);
}

static void turn(struct world *w)
{
	assert_int_equal(loop_turn(w->loop, 10), 0);
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct channel_handler h = { hear, closed, w };
	int pair[2];

	assert_int_equal(loop_new(&clock_system, &w->loop), 0);
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(w->loop, pair[0], &h, &w->from), 0);
	w->to_fd = pair[1];
	bulk_start(&w->bulk, w->loop, w->from, QUEUED_MAX, tell, w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (!w->to)
		read_on(w);
	bulk_stop(&w->bulk);
	channel_free(w->from);
	channel_free(w->to);
	loop_free(w->loop);
	free(w);
	return 0;
}

static void all_is_told_in_order(void **state)
{
	struct world *w = *state;

	read_on(w);
	assert_true(bulk_running(&w->bulk));
	for (int i = 0; i < TURNS_MAX && w->heard < PIECES; i++)
		turn(w);
	assert_int_equal(w->heard, PIECES);
	assert_false(bulk_running(&w->bulk));
	assert_in_range(w->most_queued, 1, QUEUED_MAX + PIECE_SIZE + 100);
}

/* Until what the queue may hold is full: it stays so for as long as nobody reads. */
static void it_waits_for_a_peer_that_does_not_read(void **state)
{
	struct world *w = *state;
	unsigned told;

	for (int i = 0; i < TURNS_MAX && channel_queued(w->from) <= QUEUED_MAX; i++)
		turn(w);
	told = w->told;
	assert_in_range(told, 1, PIECES - 1);
	for (int i = 0; i < 20; i++)
		turn(w);
	assert_int_equal(w->told, told);
	assert_true(bulk_running(&w->bulk));
	read_on(w);
	for (int i = 0; i < TURNS_MAX && w->heard < PIECES; i++)
		turn(w);
	assert_int_equal(w->heard, PIECES);
}

static void stopped_is_stopped(void **state)
{
	struct world *w = *state;
	unsigned told;

	turn(w);
	bulk_stop(&w->bulk);
	bulk_stop(&w->bulk);
	told = w->told;
	for (int i = 0; i < 20; i++)
		turn(w);
	assert_int_equal(w->told, told);
	assert_false(bulk_running(&w->bulk));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(all_is_told_in_order),
		T(it_waits_for_a_peer_that_does_not_read),
		T(stopped_is_stopped),
	};

	return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
