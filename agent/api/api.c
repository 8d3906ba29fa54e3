/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/api.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/api/http.h"
#include "agent/api/remote.h"
#include "agent/api/rest.h"
#include "agent/base/thread.h"
#include "agent/base/xalloc.h"

#define COMPARE_MS 250

struct api {
	struct snapshot_slot *slot;
	struct pictures *pictures;
	struct feed *feed;
	size_t metrics_pools;
	bool writable;
	struct rest_traffic traffic;
	struct http_server *local;
	struct http_server *tcp;
	struct remote *remote;
	pthread_t comparer;
	bool comparing;
	int end_fd; /* readable: the comparer ends */
};

static void answer(void *arg, const struct rest_request *r, struct rest_reply *out)
{
	struct api *a = arg;
	struct rest_state state = { .snapshot = snapshot_slot_get(a->slot),
				    .pictures = a->pictures,
				    .feed = a->feed,
				    .metrics_pools = a->metrics_pools,
				    .traffic = &a->traffic,
				    .writable = a->writable,
				    .now = clock_mono(&clock_system) };

	rest_answer(r, &state, out);
	atomic_fetch_add_explicit(&a->traffic.answers[out->status / 100], 1, memory_order_relaxed);
	snapshot_unref(state.snapshot);
}

static void answered(void *arg, unsigned status)
{
	struct api *a = arg;

	atomic_fetch_add_explicit(&a->traffic.answers[status / 100], 1, memory_order_relaxed);
}

/* --- who compares ------------------------------------------------------------------- */

static void compare(struct api *a)
{
	struct snapshot *s = snapshot_slot_get(a->slot);

	if (s)
		(void)feed_take(a->feed, s, clock_wall_ms(&clock_system));
	/* Without a change, too: there are heartbeats. */
	if (a->local)
		http_wake(a->local);
	if (a->tcp)
		http_wake(a->tcp);
	if (a->remote)
		remote_wake(a->remote);
}

static void *keep_comparing(void *arg)
{
	struct api *a = arg;
	struct pollfd end = { .fd = a->end_fd, .events = POLLIN };

	do
		compare(a);
	while (poll(&end, 1, COMPARE_MS) <= 0);
	return NULL;
}

static int start_comparer(struct api *a, struct err *err)
{
	int r;

	a->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->end_fd < 0)
		return err_set(err, -errno, "no descriptor for the HTTP server");
	r = thread_start(&a->comparer, keep_comparing, a);
	a->comparing = r == 0;
	return r < 0 ? err_set(err, r, "no thread for the HTTP server") : 0;
}

static void stop_comparer(struct api *a)
{
	if (a->comparing) {
		(void)eventfd_write(a->end_fd, 1);
		pthread_join(a->comparer, NULL);
	}
	if (a->end_fd >= 0)
		close(a->end_fd);
}

/* --- start and end ------------------------------------------------------------------ */

static int start_servers(struct api *a, const struct api_config *c, struct err *err)
{
	struct http_config http = { .idle_s = HTTP_IDLE_S,
				    .answer = answer,
				    .answered = answered,
				    .arg = a,
				    .node = c->node,
				    .commands = c->commands,
				    .tokens = c->tokens,
				    .has_cluster = c->has_cluster };
	int r = 0;

	if (c->unix_fd >= 0) {
		http.fd = c->unix_fd;
		r = http_start(&http, &a->local, err);
	}
	if (c->tcp_fd >= 0 && r < 0) {
		close(c->tcp_fd);
	} else if (c->tcp_fd >= 0) {
		http.fd = c->tcp_fd;
		http.over_tcp = true;
		r = http_start(&http, &a->tcp, err);
	}
	return r;
}

static int start_remote(struct api *a, const struct api_config *c, struct err *err)
{
	const struct remote_config remote = { .answer = answer,
					      .answered = answered,
					      .arg = a,
					      .names = *c->remote,
					      .commands = c->commands,
					      .tokens = c->tokens,
					      .holders = c->holders,
					      .reviews = c->reviews };

	return remote_start(&remote, &a->remote, err);
}

int api_start(const struct api_config *c, struct snapshot_slot *slot, struct api **out,
	      struct err *err)
{
	struct api *a = xcalloc(1, sizeof(*a));
	int r;

	a->slot = slot;
	a->pictures = pictures_new();
	a->feed = feed_new();
	a->metrics_pools = c->metrics_pools;
	a->writable = c->writable;
	a->end_fd = -1;
	r = start_servers(a, c, err);
	if (r == 0 && c->remote)
		r = start_remote(a, c, err);
	if (r == 0)
		r = start_comparer(a, err);
	if (r < 0) {
		api_stop(a);
		return r;
	}
	*out = a;
	return 0;
}

void api_connect_http(struct api *a, int fd)
{
	if (a->remote)
		remote_connect(a->remote, fd);
	else
		close(fd);
}

bool api_http_hello(struct api *a, struct front_hello *out)
{
	return a->remote && remote_hello(a->remote, out);
}

void api_stop(struct api *a)
{
	if (!a)
		return;
	stop_comparer(a);
	http_stop(a->local);
	http_stop(a->tcp);
	remote_stop(a->remote);
	pictures_free(a->pictures);
	feed_free(a->feed);
	free(a);
}
