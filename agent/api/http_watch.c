/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches as responses of the library. One that has nothing to tell is
 * suspended, and resumed when something may have changed: looking for changes
 * and suspending is one step under the lock, so that none slips in between.
 */
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/http.h"
#include "agent/api/http_private.h"
#include "agent/base/clock.h"
#include "agent/base/xalloc.h"

#define PIECE 4096

struct http_watch {
	struct http_watches *all;
	struct http_watch *next;
	struct MHD_Connection *connection;
	struct watch *watch;
	struct buf ahead; /* not sent yet */
	size_t sent;	  /* of it */
	mono_t spoke;	  /* the last that something was put there */
	bool suspended;
	int fd;
	bool closed; /* the client says nothing more, and was written to once since */
};

void http_watches_begin(struct http_watches *w)
{
	*w = (struct http_watches){ 0 };
	pthread_mutex_init(&w->lock, NULL);
}

void http_watches_done(struct http_watches *w)
{
	pthread_mutex_destroy(&w->lock);
}

bool http_watches_full(struct http_watches *w)
{
	bool full;

	pthread_mutex_lock(&w->lock);
	full = w->count >= HTTP_WATCHES_MAX;
	pthread_mutex_unlock(&w->lock);
	return full;
}

/* --- one of them --------------------------------------------------------------------- */

static bool heartbeat_is_due(const struct http_watch *w)
{
	mono_t due = mono_add_ms(w->spoke, WATCH_HEARTBEAT_S * 1000);

	return !mono_before(clock_mono(&clock_system), due);
}

/*
 * The library does not look at a suspended connection. A client that closed its end gets a
 * heartbeat: if it is there no more, writing fails and the connection ends.
 */
static bool is_left(struct http_watch *w)
{
	struct pollfd p = { .fd = w->fd, .events = POLLRDHUP };

	if (poll(&p, 1, 0) <= 0 || (w->closed && !(p.revents & (POLLHUP | POLLERR))))
		return false;
	w->closed = true;
	w->spoke = mono_add_ms(w->spoke, -WATCH_HEARTBEAT_S * 1000);
	return true;
}

/* What there is to say into `ahead`; false: nothing. */
static bool fill(struct http_watch *w)
{
	buf_reset(&w->ahead);
	w->sent = 0;
	if (!watch_read(w->watch, &w->ahead) && heartbeat_is_due(w))
		buf_str(&w->ahead, ":\n\n");
	if (!w->ahead.len)
		return false;
	w->spoke = clock_mono(&clock_system);
	return true;
}

static ssize_t read_watch(void *cls, uint64_t at, char *out, size_t max)
{
	struct http_watch *w = cls;
	struct http_watches *all = w->all;
	ssize_t n = 0;

	(void)at;
	pthread_mutex_lock(&all->lock);
	if (all->ending) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (w->sent < w->ahead.len || fill(w)) {
		size_t left = w->ahead.len - w->sent;

		left = left < max ? left : max;
		memcpy(out, w->ahead.data + w->sent, left);
		w->sent += left;
		n = (ssize_t)left;
	} else {
		w->suspended = true;
		MHD_suspend_connection(w->connection);
	}
	pthread_mutex_unlock(&all->lock);
	return n;
}

static void free_watch(void *cls)
{
	struct http_watch *w = cls;
	struct http_watches *all = w->all;

	pthread_mutex_lock(&all->lock);
	for (struct http_watch **p = &all->first; *p; p = &(*p)->next)
		if (*p == w) {
			*p = w->next;
			all->count--;
			break;
		}
	pthread_mutex_unlock(&all->lock);
	watch_free(w->watch);
	buf_done(&w->ahead);
	free(w);
}

struct MHD_Response *http_watch_response(struct http_watches *all, struct MHD_Connection *c,
					 struct watch *watch)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct http_watch *w = xcalloc(1, sizeof(*w));
	struct MHD_Response *m;

	w->fd = info ? info->connect_fd : -1;
	w->all = all;
	w->connection = c;
	w->watch = watch;
	w->spoke = clock_mono(&clock_system);
	pthread_mutex_lock(&all->lock);
	w->next = all->first;
	all->first = w;
	all->count++;
	pthread_mutex_unlock(&all->lock);
	/* A reader that takes nothing is let go after that long; suspended time does not count. */
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, 2u * WATCH_HEARTBEAT_S);
	m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_watch, w, free_watch);
	if (!m)
		free_watch(w);
	return m;
}

/* --- all of them ----------------------------------------------------------------------- */

static void resume(struct http_watch *w)
{
	if (!w->suspended)
		return;
	w->suspended = false;
	MHD_resume_connection(w->connection);
}

void http_watches_wake(struct http_watches *all)
{
	pthread_mutex_lock(&all->lock);
	for (struct http_watch *w = all->first; w; w = w->next)
		if (w->suspended &&
		    (watch_is_behind(w->watch) || heartbeat_is_due(w) || is_left(w)))
			resume(w);
	pthread_mutex_unlock(&all->lock);
}

void http_watches_end(struct http_watches *all)
{
	pthread_mutex_lock(&all->lock);
	all->ending = true;
	for (struct http_watch *w = all->first; w; w = w->next)
		resume(w);
	pthread_mutex_unlock(&all->lock);
}
