/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/base/xalloc.h"

#define EVENTS_MAX  256
#define TIMERS_MAX  100000 /* in one turn; more means a timer that adds itself in the past */
#define SIGNALS_MAX 64

struct watch {
	int fd;
	uint32_t generation; /* odd while in use */
	loop_fd_fn *fn;
	void *arg;
	uint32_t next_free;
};

struct work {
	loop_work_id id; /* 0: over, to be swept */
	loop_work_fn *fn;
	void *arg;
};

struct deferred {
	loop_defer_fn *fn;
	void *arg;
};

struct loop {
	const struct clock *clock;
	int epoll;
	mono_t now;
	struct timers *timers;
	struct watch *watches;
	uint32_t watch_size;
	uint32_t watch_free; /* index + 1; 0: none */
	struct work *works;
	size_t work_count, work_size;
	loop_work_id last_work;
	struct deferred *deferred;
	size_t deferred_count, deferred_size;
	int64_t lag_ms;
	struct {
		loop_signal_fn *fn;
		void *arg;
	} signals[SIGNALS_MAX];
	sigset_t sigset;
	int signal_fd;
	bool stopped;
	int code;
};

int loop_new(const struct clock *clock, struct loop **out)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->clock = clock;
	l->signal_fd = -1;
	sigemptyset(&l->sigset);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	l->now = clock_mono(clock);
	l->timers = timers_new(l->now);
	*out = l;
	return 0;
}

static uint32_t take_watch(struct loop *l)
{
	uint32_t i;

	if (!l->watch_free) {
		uint32_t size = l->watch_size ? l->watch_size * 2 : 64;

		l->watches = xreallocarray(l->watches, size, sizeof(*l->watches));
		for (i = size; i > l->watch_size; i--) {
			l->watches[i - 1] = (struct watch){ .fd = -1, .next_free = l->watch_free };
			l->watch_free = i;
		}
		l->watch_size = size;
	}
	i = l->watch_free - 1;
	l->watch_free = l->watches[i].next_free;
	return i;
}

int loop_add_fd(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg, loop_fd_id *out)
{
	uint32_t i = take_watch(l);
	struct watch *w = &l->watches[i];
	struct epoll_event ev = { .events = events };

	w->generation++;
	ev.data.u64 = (uint64_t)w->generation << 32 | i;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int r = -errno;

		w->generation++;
		w->next_free = l->watch_free;
		l->watch_free = i + 1;
		return r;
	}
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	*out = ev.data.u64;
	return 0;
}

static struct watch *watch_of(struct loop *l, loop_fd_id id)
{
	uint32_t i = (uint32_t)id;
	uint32_t generation = (uint32_t)(id >> 32);

	if (!(generation & 1) || i >= l->watch_size || l->watches[i].generation != generation)
		return NULL;
	return &l->watches[i];
}

int loop_mod_fd(struct loop *l, loop_fd_id id, uint32_t events)
{
	struct watch *w = watch_of(l, id);
	struct epoll_event ev = { .events = events, .data.u64 = id };

	if (!w)
		return -ENOENT;
	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, w->fd, &ev) < 0 ? -errno : 0;
}

void loop_del_fd(struct loop *l, loop_fd_id id)
{
	struct watch *w = watch_of(l, id);

	if (!w)
		return;
	epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	w->generation++;
	w->next_free = l->watch_free;
	l->watch_free = (uint32_t)id + 1;
}

timer_id loop_timer_in(struct loop *l, int64_t ms, timer_fn *fn, void *arg)
{
	return timers_add(l->timers, mono_add_ms(l->now, ms), fn, arg);
}

timer_id loop_timer_at(struct loop *l, mono_t when, timer_fn *fn, void *arg)
{
	return timers_add(l->timers, when, fn, arg);
}

bool loop_cancel(struct loop *l, timer_id id)
{
	return timers_cancel(l->timers, id);
}

loop_work_id loop_work(struct loop *l, loop_work_fn *fn, void *arg)
{
	if (l->work_count == l->work_size) {
		l->work_size = l->work_size ? l->work_size * 2 : 8;
		l->works = xreallocarray(l->works, l->work_size, sizeof(*l->works));
	}
	l->works[l->work_count++] = (struct work){ ++l->last_work, fn, arg };
	return l->last_work;
}

void loop_work_cancel(struct loop *l, loop_work_id id)
{
	for (size_t i = 0; id && i < l->work_count; i++) {
		if (l->works[i].id == id)
			l->works[i].id = 0;
	}
}

void loop_defer(struct loop *l, loop_defer_fn *fn, void *arg)
{
	if (l->deferred_count == l->deferred_size) {
		l->deferred_size = l->deferred_size ? l->deferred_size * 2 : 8;
		l->deferred = xreallocarray(l->deferred, l->deferred_size, sizeof(*l->deferred));
	}
	l->deferred[l->deferred_count++] = (struct deferred){ fn, arg };
}

void loop_undefer(struct loop *l, const void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->deferred_count; i++) {
		if (l->deferred[i].arg != arg)
			l->deferred[kept++] = l->deferred[i];
	}
	l->deferred_count = kept;
}

static void on_signal(void *arg, uint32_t events)
{
	struct loop *l = arg;
	struct signalfd_siginfo si;

	(void)events;
	while (read(l->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo < SIGNALS_MAX && l->signals[si.ssi_signo].fn)
			l->signals[si.ssi_signo].fn(l->signals[si.ssi_signo].arg,
						    (int)si.ssi_signo);
	}
}

int loop_signal(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
	loop_fd_id id;
	int fd, r;

	assert(signo > 0 && signo < SIGNALS_MAX);
	sigaddset(&l->sigset, signo);
	r = pthread_sigmask(SIG_BLOCK, &l->sigset, NULL);
	if (r)
		return -r;
	fd = signalfd(l->signal_fd, &l->sigset, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	l->signals[signo].fn = fn;
	l->signals[signo].arg = arg;
	if (l->signal_fd >= 0)
		return 0;
	l->signal_fd = fd;
	return loop_add_fd(l, fd, EPOLLIN, on_signal, l, &id);
}

mono_t loop_now(const struct loop *l)
{
	return l->now;
}

const struct clock *loop_clock(const struct loop *l)
{
	return l->clock;
}

int64_t loop_take_lag_ms(struct loop *l)
{
	int64_t lag = l->lag_ms;

	l->lag_ms = 0;
	return lag;
}

/* How long to wait: until the next timer, but not at all while there is work. */
static int wait_ms(const struct loop *l, int max_ms)
{
	mono_t next;
	int64_t ms;

	if (l->work_count || l->deferred_count || l->stopped)
		return 0;
	if (!timers_next(l->timers, &next))
		return max_ms;
	/* Up, not down: a millisecond early would mean a turn for nothing. */
	ms = (next.ns - clock_mono(l->clock).ns + 999999) / 1000000;
	if (ms < 0)
		ms = 0;
	if (ms > INT_MAX)
		ms = INT_MAX;
	return max_ms >= 0 && max_ms < ms ? max_ms : (int)ms;
}

static void run_timers(struct loop *l)
{
	mono_t next;

	if (timers_next(l->timers, &next) && mono_sub_ms(l->now, next) > l->lag_ms)
		l->lag_ms = mono_sub_ms(l->now, next);
	timers_run(l->timers, l->now, TIMERS_MAX);
}

static void run_work(struct loop *l)
{
	mono_t end = mono_add_ms(l->now, LOOP_TURN_BUDGET_MS);
	size_t kept = 0;

	do {
		for (size_t i = 0; i < l->work_count; i++) {
			struct work w = l->works[i];

			/* The array may move and the work may be cancelled while it runs. */
			if (w.id && !w.fn(w.arg))
				l->works[i].id = 0;
		}
		kept = 0;
		for (size_t i = 0; i < l->work_count; i++) {
			if (l->works[i].id)
				l->works[kept++] = l->works[i];
		}
		l->work_count = kept;
	} while (kept && mono_before(clock_mono(l->clock), end));
}

static void run_deferred(struct loop *l)
{
	/* What these put off in turn waits for the next turn. */
	struct deferred *now = l->deferred;
	size_t count = l->deferred_count;

	l->deferred = NULL;
	l->deferred_count = l->deferred_size = 0;
	for (size_t i = 0; i < count; i++)
		now[i].fn(now[i].arg);
	free(now);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	run_deferred(l);
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll);
	timers_free(l->timers);
	free(l->watches);
	free(l->works);
	free(l->deferred);
	free(l);
}

int loop_turn(struct loop *l, int max_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(l->epoll, events, EVENTS_MAX, wait_ms(l, max_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	l->now = clock_mono(l->clock);
	for (int i = 0; i < n; i++) {
		struct watch *w = watch_of(l, events[i].data.u64);

		if (w)
			w->fn(w->arg, events[i].events);
	}
	run_timers(l);
	if (l->work_count)
		run_work(l);
	if (l->deferred_count)
		run_deferred(l);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!l->stopped) {
		int r = loop_turn(l, -1);

		if (r < 0)
			return r;
	}
	l->stopped = false;
	return l->code;
}

void loop_stop(struct loop *l, int code)
{
	l->stopped = true;
	l->code = code;
}
