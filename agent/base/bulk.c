/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/bulk.h"

#define AGAIN_MS 5

static bool next(void *arg);

static void again(void *arg)
{
	struct bulk *b = arg;

	b->wait = 0;
	b->work = loop_work(b->loop, next, b);
}

static bool next(void *arg)
{
	struct bulk *b = arg;
	loop_work_id self = b->work;

	/* By timer: work that has nothing to do would keep the loop from sleeping. */
	if (channel_queued(b->channel) > b->queued_max) {
		b->work = 0;
		b->wait = loop_timer_in(b->loop, AGAIN_MS, again, b);
		return false;
	}
	if (b->piece(b->arg))
		return true;
	if (b->work == self) /* not begun anew meanwhile */
		b->work = 0;
	return false;
}

void bulk_start(struct bulk *b, struct loop *l, const struct channel *c, size_t queued_max,
		bulk_piece_fn *piece, void *arg)
{
	bulk_stop(b);
	*b = (struct bulk){
		.loop = l, .channel = c, .queued_max = queued_max, .piece = piece, .arg = arg
	};
	b->work = loop_work(l, next, b);
}

void bulk_stop(struct bulk *b)
{
	if (b->work)
		loop_work_cancel(b->loop, b->work);
	if (b->wait)
		loop_cancel(b->loop, b->wait);
	b->work = 0;
	b->wait = 0;
}

bool bulk_running(const struct bulk *b)
{
	return b->work || b->wait;
}
