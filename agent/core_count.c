/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the ipvs process: what did the kernel count of a frontend? One
 * that it does not answer in COUNT_PATIENCE_MS, or that was asked of a process
 * that is gone, is answered here, by an error.
 */
#include <errno.h>

#include "agent/core_private.h"

#define COUNT_PATIENCE_MS 5000

static void answer(const struct question *q, const struct ipvs_stats_answer *a)
{
	((ipvs_stats_fn *)q->fn)(q->arg, a);
}

static void on_given_up(void *owner, const struct question *q, int error)
{
	const struct ipvs_stats_answer none = { .id = (uint32_t)q->id, .error = error };

	(void)owner;
	answer(q, &none);
}

void counts_start(struct core *c)
{
	questions_init(&c->kernel.counts.questions, c->loop, COUNT_PATIENCE_MS, on_given_up, c);
}

bool counts_ask(void *arg, const struct endpoint *frontend, ipvs_stats_fn *fn, void *fn_arg)
{
	struct core *c = arg;
	struct kernel_counts *k = &c->kernel.counts;
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct question q = { ++k->asked, (void (*)(void))fn, fn_arg };

	if (!c->kernel.channel || !questions_add(&k->questions, &q))
		return false;
	wire_put_u32(&b, (uint32_t)q.id);
	wire_put_endpoint(&b, frontend);
	channel_send(c->kernel.channel, IPVS_MSG_COUNT, &b);
	return true;
}

bool counts_hear(struct core *c, uint16_t type, struct wire *body)
{
	struct kernel_counts *k = &c->kernel.counts;
	struct ipvs_stats_answer a;
	struct question q;
	int r = ipvs_stats_read(&k->reader, type, body, &a);

	if (r == 1) {
		/* Otherwise it comes too late. */
		if (questions_take(&k->questions, a.id, &q))
			answer(&q, &a);
		ipvs_stats_done(&a.stats);
	}
	return r >= 0;
}

void counts_disconnected(struct core *c)
{
	ipvs_stats_reader_done(&c->kernel.counts.reader);
	questions_give_up(&c->kernel.counts.questions, EPIPE);
}

void counts_end(struct core *c)
{
	ipvs_stats_reader_done(&c->kernel.counts.reader);
	questions_done(&c->kernel.counts.questions);
}
