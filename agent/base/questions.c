/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/questions.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/base/xalloc.h"

struct waiting_question {
	struct question question;
	mono_t until;
	STAILQ_ENTRY(waiting_question) entry;
};

void questions_init(struct questions *k, struct loop *l, uint32_t patience_ms,
		    questions_given_up_fn *given_up, void *owner)
{
	*k = (struct questions){
		.loop = l, .patience_ms = patience_ms, .given_up = given_up, .owner = owner
	};
	STAILQ_INIT(&k->waiting);
}

static void watch_first(struct questions *k);

static struct question take_first(struct questions *k)
{
	struct waiting_question *w = STAILQ_FIRST(&k->waiting);
	struct question q = w->question;

	STAILQ_REMOVE_HEAD(&k->waiting, entry);
	k->count--;
	free(w);
	watch_first(k);
	return q;
}

static void give_up_first(struct questions *k, int error)
{
	struct question q = take_first(k);

	k->given_up(k->owner, &q, error);
}

static void on_late(void *arg)
{
	struct questions *k = arg;

	k->timer = 0;
	give_up_first(k, ETIMEDOUT);
}

static void watch_first(struct questions *k)
{
	const struct waiting_question *w = STAILQ_FIRST(&k->waiting);

	loop_cancel(k->loop, k->timer);
	k->timer = w ? loop_timer_at(k->loop, w->until, on_late, k) : 0;
}

bool questions_add(struct questions *k, const struct question *q)
{
	struct waiting_question *w;

	if (k->count == QUESTIONS_MAX)
		return false;
	w = xcalloc(1, sizeof(*w));
	w->question = *q;
	w->until = mono_add_ms(clock_mono(loop_clock(k->loop)), k->patience_ms);
	STAILQ_INSERT_TAIL(&k->waiting, w, entry);
	k->count++;
	if (STAILQ_FIRST(&k->waiting) == w)
		watch_first(k);
	return true;
}

bool questions_take(struct questions *k, uint64_t id, struct question *out)
{
	if (STAILQ_EMPTY(&k->waiting) || STAILQ_FIRST(&k->waiting)->question.id != id)
		return false;
	*out = take_first(k);
	return true;
}

void questions_give_up(struct questions *k, int error)
{
	while (!STAILQ_EMPTY(&k->waiting))
		give_up_first(k, error);
}

void questions_done(struct questions *k)
{
	if (!k->loop)
		return;
	while (!STAILQ_EMPTY(&k->waiting))
		(void)take_first(k);
}
