/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/api.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/api/http.h"
#include "agent/api/rest.h"
#include "agent/base/xalloc.h"

struct api {
	struct snapshot_slot *slot;
	struct pictures *pictures;
	size_t metrics_pools;
	struct rest_traffic traffic;
	struct http_server *local;
	struct http_server *tcp;
};

static void answer(void *arg, const struct rest_request *r, struct rest_reply *out)
{
	struct api *a = arg;
	struct rest_state state = { .snapshot = snapshot_slot_get(a->slot),
				    .pictures = a->pictures,
				    .metrics_pools = a->metrics_pools,
				    .traffic = &a->traffic,
				    .now = clock_mono(&clock_system) };

	rest_answer(r, &state, out);
	atomic_fetch_add_explicit(&a->traffic.answers[out->status / 100], 1, memory_order_relaxed);
	snapshot_unref(state.snapshot);
}

int api_start(const struct api_config *c, struct snapshot_slot *slot, struct api **out,
	      struct err *err)
{
	struct api *a = xcalloc(1, sizeof(*a));
	struct http_config http = { .idle_s = HTTP_IDLE_S, .answer = answer, .arg = a };
	int r = 0;

	a->slot = slot;
	a->pictures = pictures_new();
	a->metrics_pools = c->metrics_pools;
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
	if (r < 0) {
		api_stop(a);
		return r;
	}
	*out = a;
	return 0;
}

void api_stop(struct api *a)
{
	if (!a)
		return;
	http_stop(a->local);
	http_stop(a->tcp);
	pictures_free(a->pictures);
	free(a);
}
