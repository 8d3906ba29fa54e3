/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests, from http_start() to end(). Starting, cancelling and pausing leave
 * marks; http_curl_settle() acts on them at the end of the turn, or right after
 * libcurl returned.
 */
#include "watch/http_curl_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "agent/base/xalloc.h"

static struct http_curl *of(struct http *h)
{
	return (struct http_curl *)h;
}

static void on_settle(void *arg)
{
	struct http_curl *h = arg;

	h->settle_later = false;
	http_curl_settle(h);
}

static void settle_soon(struct http_curl *h)
{
	h->again = true;
	if (h->settling || h->settle_later)
		return;
	h->settle_later = true;
	loop_defer(h->loop, on_settle, h);
}

/* --- the end of a request ---------------------------------------------------- */

static void detach(struct http_curl_request *r)
{
	if (r->added)
		http_curl_era_remove(r);
	r->added = false;
}

static void request_free(struct http_curl_request *r)
{
	detach(r);
	r->era->requests--;
	loop_cancel(r->http->loop, r->timer);
	curl_easy_cleanup(r->easy);
	http_curl_free_headers(r);
	curl_slist_free_all(r->connect_to);
	gunzip_free(r->gunzip);
	if (r->body)
		explicit_bzero(r->body, r->body_len);
	free(r->body);
	free(r->server);
	free(r);
}

void http_curl_finish(struct http_curl_request *r, int code)
{
	struct err err = { 0 };
	enum http_result result = http_curl_result(r, code, &err);
	bool tell = !r->dead;

	detach(r);
	r->dead = true;
	r->http->again = true;
	if (tell)
		r->end(r->arg, result, &err);
}

static void free_the_dead(struct http_curl *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->request_count; i++) {
		struct http_curl_request *r = h->requests[i];

		if (r->dead)
			request_free(r);
		else
			h->requests[kept++] = r;
	}
	h->request_count = kept;
}

/* --- bounds ------------------------------------------------------------------- */

static void on_bound(void *arg);

static void wait_for_bound(struct http_curl_request *r)
{
	mono_t when = r->deadline;

	if (r->idle_s) {
		mono_t idle = mono_add_ms(r->active_at, r->idle_s * INT64_C(1000));

		when = when.ns == 0 || mono_before(idle, when) ? idle : when;
	}
	r->timer = when.ns ? loop_timer_at(r->http->loop, when, on_bound, r) : 0;
}

static void on_bound(void *arg)
{
	struct http_curl_request *r = arg;
	struct http_curl *h = r->http;
	mono_t now = loop_now(h->loop);
	bool late = r->deadline.ns && !mono_before(now, r->deadline);

	if (r->paused) /* that nothing comes is our own doing */
		r->active_at = now;
	if (late || (r->idle_s &&
		     !mono_before(now, mono_add_ms(r->active_at, r->idle_s * INT64_C(1000))))) {
		r->problem = late ? "it took too long" : "nothing came for too long";
		http_curl_finish(r, CURLE_OPERATION_TIMEDOUT);
		http_curl_settle(h);
		return;
	}
	wait_for_bound(r);
}

/* --- what was asked for ------------------------------------------------------- */

static void add(struct http_curl_request *r)
{
	if (r->refused || !http_curl_era_add(r)) {
		r->local_error = r->local_error ? r->local_error : EINVAL;
		http_curl_finish(r, CURLE_BAD_FUNCTION_ARGUMENT);
		return;
	}
	r->added = true;
	wait_for_bound(r);
}

static void attend(struct http_curl_request *r)
{
	if (r->dead)
		return;
	if (r->local_error && r->added) {
		http_curl_finish(r, CURLE_COULDNT_CONNECT);
	} else if (!r->added) {
		add(r);
	} else if (r->held && !r->paused) {
		r->held = false;
		r->active_at = loop_now(r->http->loop);
		http_curl_era_resume(r);
		r->http->again = true; /* it may have asked for something meanwhile */
	}
}

void http_curl_settle(struct http_curl *h)
{
	if (h->settling)
		return;
	h->settling = true;
	do {
		h->again = false;
		for (struct http_curl_era *e = h->eras; e; e = e->next)
			http_curl_era_drain(e);
		for (size_t i = 0; i < h->request_count; i++)
			attend(h->requests[i]);
		free_the_dead(h);
	} while (h->again);
	h->settling = false;
	http_curl_sweep_eras(h);
}

/* --- http_ops ---------------------------------------------------------------- */

static void add_to_list(struct http_curl_request *r)
{
	struct http_curl *h = r->http;

	if (h->request_count == h->request_size) {
		h->request_size = h->request_size ? h->request_size * 2 : 8;
		h->requests = xreallocarray(h->requests, h->request_size,
					    sizeof(struct http_curl_request *));
	}
	h->requests[h->request_count++] = r;
	r->era->requests++;
}

static http_id start(struct http *base, const struct http_request *q)
{
	struct http_curl *h = of(base);
	struct http_curl_request *r = xcalloc(1, sizeof(*r));
	mono_t now = loop_now(h->loop);

	r->http = h;
	r->era = h->eras;
	r->id = ++h->last_id;
	r->server = xstrndup(q->server, HTTP_CURL_SERVER_MAX);
	r->status = q->status;
	r->data = q->data;
	r->end = q->end;
	r->arg = q->arg;
	r->retry_after_s = -1;
	r->idle_s = q->idle_s;
	r->active_at = now;
	if (q->total_s)
		r->deadline = mono_add_ms(now, q->total_s * INT64_C(1000));
	r->easy = curl_easy_init();
	if (!r->easy)
		abort(); /* no memory */
	http_curl_set_up(r, q);
	add_to_list(r);
	settle_soon(h);
	return r->id;
}

static struct http_curl_request *find(struct http_curl *h, http_id id)
{
	for (size_t i = 0; i < h->request_count; i++) {
		struct http_curl_request *r = h->requests[i];

		if (r->id == id && !r->dead)
			return r;
	}
	return NULL;
}

static void cancel(struct http *base, http_id id)
{
	struct http_curl_request *r = find(of(base), id);

	if (!r)
		return;
	r->dead = true;
	settle_soon(r->http);
}

static void pause_request(struct http *base, http_id id, bool pause)
{
	struct http_curl_request *r = find(of(base), id);

	if (!r)
		return;
	r->paused = pause;
	settle_soon(r->http);
}

static int trust(struct http *base, const struct http_trust *t)
{
	struct http_curl *h = of(base);
	int r = http_curl_era_begin(h, t);

	if (r == 0)
		settle_soon(h); /* the old one may go at once */
	return r;
}

static void http_curl_free(struct http *base)
{
	struct http_curl *h = of(base);

	assert(!h->settling);
	loop_undefer(h->loop, h);
	for (size_t i = 0; i < h->request_count; i++)
		request_free(h->requests[i]);
	while (h->eras) {
		struct http_curl_era *e = h->eras;

		h->eras = e->next;
		http_curl_era_free(e);
	}
	curl_global_cleanup();
	free(h->requests);
	free(h->user_agent);
	free(h);
}

static const struct http_ops ops = {
	.start = start,
	.cancel = cancel,
	.pause = pause_request,
	.trust = trust,
	.free = http_curl_free,
};

int http_curl_new(struct loop *l, const char *user_agent, struct http **out)
{
	struct http_curl *h = xcalloc(1, sizeof(*h));
	int r;

	h->base.ops = &ops;
	h->loop = l;
	h->user_agent = xstrdup(user_agent);
	r = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOSYS;
	if (r == 0) {
		r = http_curl_era_begin(h, &(struct http_trust){ 0 });
		if (r < 0)
			curl_global_cleanup();
	}
	if (r < 0) {
		free(h->user_agent);
		free(h);
		return r;
	}
	*out = &h->base;
	return 0;
}
