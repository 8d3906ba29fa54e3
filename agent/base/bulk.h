/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling a peer much: in pieces, between other work, and no faster than the
 * peer reads. What is told is the caller's; this is when.
 */
#ifndef AGENT_BASE_BULK_H
#define AGENT_BASE_BULK_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/channel.h"
#include "agent/base/loop.h"

/* Send one piece, about a millisecond of work. True: there is more. */
typedef bool bulk_piece_fn(void *arg);

/* By value in its owner; zeroed: not running. */
struct bulk {
	struct loop *loop;
	const struct channel *channel;
	size_t queued_max;
	bulk_piece_fn *piece;
	void *arg;
	loop_work_id work;
	timer_id wait; /* while more than queued_max bytes wait to be sent */
};

/* Begin, or begin anew. The channel must not be freed before bulk_stop(). */
void bulk_start(struct bulk *b, struct loop *l, const struct channel *c, size_t queued_max,
		bulk_piece_fn *piece, void *arg);
/* Fine where it is not running, and from inside a piece. */
void bulk_stop(struct bulk *b);
/* Until a piece has returned false. */
bool bulk_running(const struct bulk *b);

#endif
