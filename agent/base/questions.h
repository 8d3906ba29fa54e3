/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to another process that are not answered yet, the oldest first. It
 * answers in turn; whom it does not answer in time, or who asked one that is
 * gone, is answered by the owner's given_up.
 */
#ifndef AGENT_BASE_QUESTIONS_H
#define AGENT_BASE_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "agent/base/attr.h"
#include "agent/base/loop.h"

#define QUESTIONS_MAX 256 /* under way */

struct question {
	uint64_t id;
	/* Whom to answer: the owner knows what fn really is, and gives it arg. */
	void (*fn)(void);
	void *arg;
};

/* error: ETIMEDOUT, or what questions_give_up() was called with. */
typedef void questions_given_up_fn(void *owner, const struct question *q, int error);

struct questions {
	struct loop *loop;
	uint32_t patience_ms;
	questions_given_up_fn *given_up;
	void *owner;
	/* the inside */
	STAILQ_HEAD(, waiting_question) waiting; /* the oldest first */
	size_t count;
	timer_id timer; /* until the first one is given up */
};

/* What is passed in stays as long. */
void questions_init(struct questions *k, struct loop *l, uint32_t patience_ms,
		    questions_given_up_fn *given_up, void *owner);
/* False: as many as may be are under way, and nothing was kept. */
MUST_CHECK bool questions_add(struct questions *k, const struct question *q);
/* True: the oldest one is that, is no longer here, and is in *out for the owner to answer. */
MUST_CHECK bool questions_take(struct questions *k, uint64_t id, struct question *out);
/* All of them, the oldest first. Those who are answered may ask again. */
void questions_give_up(struct questions *k, int error);
/* Nobody is answered any more. One that was never begun is fine. */
void questions_done(struct questions *k);

#endif
