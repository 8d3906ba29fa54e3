/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the ipvs process: what did the kernel count of a frontend? It
 * answers in turn. One that it does not answer in COUNT_PATIENCE_MS, or that was
 * asked of a process that is gone, is answered here, by an error.
 */
#include <errno.h>
#include <stdlib.h>

#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define COUNT_PATIENCE_MS 5000
#define COUNTS_MAX	  256 /* under way */

struct count_question {
	uint32_t id;
	mono_t until;
	ipvs_stats_fn *fn;
	void *arg;
	struct count_question *next;
};

static void watch_first(struct core *c);

/* The oldest is over. */
static void answer_first(struct core *c, const struct ipvs_stats_answer *a)
{
	struct kernel_counts *k = &c->kernel.counts;
	struct count_question *q = k->first;
	ipvs_stats_fn *fn = q->fn;
	void *arg = q->arg;

	k->first = q->next;
	if (!k->first)
		k->last = NULL;
	k->waiting--;
	free(q);
	watch_first(c);
	fn(arg, a);
}

static void fail_first(struct core *c, int error)
{
	const struct ipvs_stats_answer none = { .id = c->kernel.counts.first->id, .error = error };

	answer_first(c, &none);
}

static void on_late(void *arg)
{
	struct core *c = arg;

	c->kernel.counts.timer = 0;
	fail_first(c, ETIMEDOUT);
}

static void watch_first(struct core *c)
{
	struct kernel_counts *k = &c->kernel.counts;

	loop_cancel(c->loop, k->timer);
	k->timer = k->first ? loop_timer_at(c->loop, k->first->until, on_late, c) : 0;
}

bool counts_ask(void *arg, const struct endpoint *frontend, ipvs_stats_fn *fn, void *fn_arg)
{
	struct core *c = arg;
	struct kernel_counts *k = &c->kernel.counts;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct count_question *q;

	if (!c->kernel.channel || k->waiting == COUNTS_MAX)
		return false;
	q = xcalloc(1, sizeof(*q));
	q->id = ++k->asked;
	q->until = mono_add_ms(core_now(c), COUNT_PATIENCE_MS);
	q->fn = fn;
	q->arg = fn_arg;
	if (k->last)
		k->last->next = q;
	else
		k->first = q;
	k->last = q;
	k->waiting++;
	if (k->first == q)
		watch_first(c);
	wire_put_u32(&b, q->id);
	wire_put_endpoint(&b, frontend);
	channel_send(c->kernel.channel, IPVS_MSG_COUNT, &b);
	return true;
}

bool counts_hear(struct core *c, uint16_t type, struct wire *body)
{
	struct kernel_counts *k = &c->kernel.counts;
	struct ipvs_stats_answer a;
	int r = ipvs_stats_read(&k->reader, type, body, &a);

	if (r == 1) {
		/* Otherwise it comes too late. */
		if (k->first && k->first->id == a.id)
			answer_first(c, &a);
		ipvs_stats_done(&a.stats);
	}
	return r >= 0;
}

void counts_disconnected(struct core *c)
{
	ipvs_stats_reader_done(&c->kernel.counts.reader);
	while (c->kernel.counts.first)
		fail_first(c, EPIPE);
}

void counts_end(struct core *c)
{
	struct kernel_counts *k = &c->kernel.counts;

	loop_cancel(c->loop, k->timer);
	ipvs_stats_reader_done(&k->reader);
	while (k->first) {
		struct count_question *q = k->first;

		k->first = q->next;
		free(q);
	}
}
