/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

struct fake_http {
	struct http base;
	struct loop *loop;
	fake_http_fn *fn;
	void *arg;
	struct fake_request *requests;
	http_id last;
	size_t total;
};

static struct fake_request *by_id(const struct fake_http *h, http_id id)
{
	struct fake_request *r = h->requests;

	while (r && r->id != id)
		r = r->next;
	return r;
}

static void request_free(struct fake_request *r)
{
	struct fake_request **i = &r->http->requests;
	struct loop *l = r->http->loop;

	while (*i != r)
		i = &(*i)->next;
	*i = r->next;
	loop_cancel(l, r->idle_timer);
	loop_cancel(l, r->total_timer);
	loop_cancel(l, r->flow_timer);
	free(r->server);
	free(r->path);
	free(r->token);
	free(r->method);
	free(r->body);
	buf_done(&r->waiting);
	free(r);
}

static void end_now(struct fake_request *r)
{
	void (*end)(void *, enum http_result, const struct err *) = r->given.end;
	struct err err = { 0 };
	enum http_result result = r->end_result;
	void *arg = r->given.arg;

	if (result != HTTP_DONE)
		err_set(&err, -1, "%s", r->end_text);
	request_free(r);
	end(arg, result, &err);
}

static void idle(void *arg)
{
	struct fake_request *r = arg;

	r->idle_timer = 0;
	fake_http_end(r, HTTP_IDLE, "nothing came");
}

static void total(void *arg)
{
	struct fake_request *r = arg;

	r->total_timer = 0;
	fake_http_end(r, HTTP_IDLE, "it took too long");
}

static void wind_up(struct fake_request *r)
{
	struct loop *l = r->http->loop;

	if (!r->idle_s)
		return;
	loop_cancel(l, r->idle_timer);
	r->idle_timer = loop_timer_in(l, r->idle_s * INT64_C(1000), idle, r);
}

/* From the loop: the request tells its status or end only when start() has returned. */
static void begin(void *arg)
{
	struct fake_request *r = arg;

	r->flow_timer = 0;
	if (r->http->fn)
		r->http->fn(r->http->arg, r);
}

static http_id fake_start(struct http *base, const struct http_request *given)
{
	struct fake_http *h = (struct fake_http *)base;
	struct fake_request *r = xcalloc(1, sizeof(*r)), **end = &h->requests;

	r->http = h;
	r->id = ++h->last;
	r->server = xstrdup(given->server);
	r->path = xstrdup(given->path);
	r->token = xstrdup(given->token ? given->token : "");
	r->method = xstrdup(given->method);
	r->body = given->body ? xstrndup(given->body, given->body_len) : xstrdup("");
	r->gzip = given->gzip;
	r->idle_s = given->idle_s;
	r->total_s = given->total_s;
	r->given = *given;
	h->total++;
	while (*end)
		end = &(*end)->next;
	*end = r;
	wind_up(r);
	if (r->total_s)
		r->total_timer = loop_timer_in(h->loop, r->total_s * INT64_C(1000), total, r);
	r->flow_timer = loop_timer_in(h->loop, 0, begin, r);
	return r->id;
}

static void fake_cancel(struct http *base, http_id id)
{
	struct fake_request *r = by_id((struct fake_http *)base, id);

	if (r)
		request_free(r);
}

static void flow(void *arg)
{
	struct fake_request *r = arg;
	struct buf waiting = r->waiting;
	http_id id = r->id;
	struct fake_http *h = r->http;

	r->flow_timer = 0;
	r->waiting = (struct buf){ 0 };
	if (waiting.len)
		fake_http_data(r, waiting.data, waiting.len);
	buf_done(&waiting);
	r = by_id(h, id);
	if (r && r->ending && !r->paused && r->waiting.len == 0)
		end_now(r);
}

static void fake_pause(struct http *base, http_id id, bool pause)
{
	struct fake_request *r = by_id((struct fake_http *)base, id);

	if (!r)
		return;
	r->paused = pause;
	if (!pause && !r->flow_timer)
		r->flow_timer = loop_timer_in(r->http->loop, 0, flow, r);
}

static int fake_trust(struct http *base, const struct http_trust *t)
{
	(void)base;
	(void)t;
	return 0;
}

static void fake_free(struct http *base)
{
	struct fake_http *h = (struct fake_http *)base;

	while (h->requests)
		request_free(h->requests);
	free(h);
}

static const struct http_ops fake_ops = { fake_start, fake_cancel, fake_pause, fake_trust,
					  fake_free };

struct http *fake_http_new(struct loop *l, fake_http_fn *fn, void *arg)
{
	struct fake_http *h = xcalloc(1, sizeof(*h));

	h->base.ops = &fake_ops;
	h->loop = l;
	h->fn = fn;
	h->arg = arg;
	return &h->base;
}

struct fake_request *fake_http_find(struct http *base, const char *begins, const char *ends)
{
	struct fake_http *h = (struct fake_http *)base;

	for (struct fake_request *r = h->requests; r; r = r->next) {
		size_t n = strlen(r->path), m = strlen(ends);

		if (!r->ending && strncmp(r->path, begins, strlen(begins)) == 0 && n >= m &&
		    strcmp(r->path + n - m, ends) == 0)
			return r;
	}
	return NULL;
}

struct fake_request *fake_http_get(struct http *base, http_id id)
{
	struct fake_request *r = by_id((struct fake_http *)base, id);

	return r && !r->ending ? r : NULL;
}

size_t fake_http_count(const struct http *base)
{
	size_t n = 0;

	for (const struct fake_request *r = ((const struct fake_http *)base)->requests; r;
	     r = r->next)
		n++;
	return n;
}

size_t fake_http_total(const struct http *base)
{
	return ((const struct fake_http *)base)->total;
}

/* --- answers -------------------------------------------------------------------- */

void fake_http_status(struct fake_request *r, int status, int32_t retry_after_s,
		      const char *content_type)
{
	const struct http_status s = {
		.status = status,
		.retry_after_s = retry_after_s,
		.content_type = content_type ? content_type : "application/json",
		.server_warning = "",
	};

	wind_up(r);
	if (r->given.status)
		r->given.status(r->given.arg, &s);
}

void fake_http_data(struct fake_request *r, const void *data, size_t len)
{
	if (r->paused) {
		buf_put(&r->waiting, data, len);
		return;
	}
	wind_up(r);
	if (!r->given.data(r->given.arg, data, len)) {
		buf_reset(&r->waiting);
		r->end_result = HTTP_STOPPED;
		end_now(r);
	}
}

void fake_http_text(struct fake_request *r, const char *text)
{
	fake_http_data(r, text, strlen(text));
}

void fake_http_end(struct fake_request *r, enum http_result result, const char *why)
{
	if (r->ending)
		return;
	r->ending = true;
	r->end_result = result;
	snprintf(r->end_text, sizeof(r->end_text), "%s", why ? why : "");
	if (!r->paused && r->waiting.len == 0)
		end_now(r);
}

void fake_http_answer(struct fake_request *r, int status, const char *body)
{
	struct http *h = &r->http->base;
	http_id id = r->id;

	fake_http_status(r, status, -1, NULL);
	if (*body)
		fake_http_text(r, body);
	r = by_id((struct fake_http *)h, id);
	if (r)
		fake_http_end(r, HTTP_DONE, NULL);
}
