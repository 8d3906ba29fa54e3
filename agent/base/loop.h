/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of a process: descriptors (epoll, level-triggered), timers,
 * signals (signalfd), and work that is cut into pieces.
 *
 * One turn: wait; read the clock once; run ready descriptors; run due timers;
 * run work until the turn's budget is used; run what was put off to the end of
 * the turn. Events of a descriptor that was removed earlier in the same turn
 * are dropped. Nothing here logs.
 */
#ifndef AGENT_BASE_LOOP_H
#define AGENT_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/clock.h"
#include "agent/base/timers.h"

/* For work in pieces, so that what is urgent waits for no more than that and a piece. */
#define LOOP_TURN_BUDGET_MS 3

struct loop;
typedef uint64_t loop_fd_id;   /* 0 is never valid */
typedef uint64_t loop_work_id; /* 0 is never valid */
typedef void loop_fd_fn(void *arg, uint32_t epoll_events);
typedef void loop_signal_fn(void *arg, int signo);
/* One piece of work, about a millisecond at most. True: call again. */
typedef bool loop_work_fn(void *arg);
typedef void loop_defer_fn(void *arg);

MUST_CHECK int loop_new(const struct clock *clock, struct loop **out);
/* Runs what was put off; descriptors stay open: their owners close them. NULL is fine. */
void loop_free(struct loop *l);

/* The descriptor stays the caller's; remove it here before closing it. */
MUST_CHECK int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg,
			   loop_fd_id *out);
MUST_CHECK int loop_mod_fd(struct loop *l, loop_fd_id id, uint32_t events);
void loop_del_fd(struct loop *l, loop_fd_id id); /* 0 and stale ids are fine */

timer_id loop_timer_in(struct loop *l, int64_t ms, timer_fn *fn, void *arg);
timer_id loop_timer_at(struct loop *l, mono_t when, timer_fn *fn, void *arg);
bool loop_cancel(struct loop *l, timer_id id);

/* Call fn in every turn, other work in between, until it returns false. */
loop_work_id loop_work(struct loop *l, loop_work_fn *fn, void *arg);
void loop_work_cancel(struct loop *l, loop_work_id id);
/* Once, at the end of this turn (or of the next, outside one). */
void loop_defer(struct loop *l, loop_defer_fn *fn, void *arg);
/* Drop what was put off with this arg: whoever it points to is about to go. */
void loop_undefer(struct loop *l, const void *arg);

/* Blocks signo for the thread and delivers it here. Once per signo. */
MUST_CHECK int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg);

mono_t loop_now(const struct loop *l); /* read once per turn */
const struct clock *loop_clock(const struct loop *l);
/* The longest a turn was late in running a timer since the last call. */
int64_t loop_take_lag_ms(struct loop *l);

int loop_run(struct loop *l); /* returns what loop_stop() was given, or -errno */
void loop_stop(struct loop *l, int code);
/* One turn, waiting at most max_ms (-1: as long as it takes). For tests. */
MUST_CHECK int loop_turn(struct loop *l, int max_ms);

#endif
