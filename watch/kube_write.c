/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_write.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "watch/kube_api.h"

struct kube_writer {
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	struct kube_call *calls;
};

struct kube_call {
	struct kube_exchange x;
	struct kube_writer *writer;
	struct kube_call *next, **place;
	kube_said_fn *fn;
	void *arg;
	char *token;
	struct buf body; /* of a good answer */
};

struct kube_writer *kube_writer_new(struct loop *l, struct http *h, struct kube_access *access,
				    const char *node)
{
	struct kube_writer *w = xcalloc(1, sizeof(*w));

	w->http = h;
	kube_access_drop_identity(access);
	/* The source that reads the same files tells what is wrong with them. */
	w->credentials = kube_credentials_new(l, h, access, node, NULL, NULL);
	/* Nothing is tried again after a while, so nothing is spread. */
	kube_api_init(&w->api, l, h, w->credentials, NULL, NULL);
	return w;
}

static void call_free(struct kube_call *c)
{
	*c->place = c->next;
	if (c->next)
		c->next->place = c->place;
	kube_exchange_done(&c->x);
	buf_wipe(&c->body);
	explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	free(c);
}

void kube_call_cancel(struct kube_call *c)
{
	call_free(c);
}

void kube_writer_free(struct kube_writer *w)
{
	if (!w)
		return;
	for (struct kube_call *c = w->calls, *next; c; c = next) {
		next = c->next;
		call_free(c);
	}
	kube_credentials_free(w->credentials);
	http_free(w->http);
	free(w);
}

static bool on_data(struct kube_exchange *x, const void *data, size_t len)
{
	struct kube_call *c = (struct kube_call *)x;

	if (c->body.len + len > KUBE_GET_MAX)
		return false;
	buf_put(&c->body, data, len);
	return true;
}

static void on_over(struct kube_exchange *x)
{
	struct kube_call *c = (struct kube_call *)x;
	bool good = kube_exchange_good(x), whole = x->result == HTTP_DONE;
	struct buf *body = good ? &c->body : &x->error;
	/* An error's text may have been cut, and says enough all the same. */
	struct kube_said s = { .status = whole || (x->status && !good) ? x->status : 0 };

	if (good && x->result == HTTP_STOPPED)
		buf_printf(&x->failure, "%s: an answer of more than %u MiB", x->server,
			   KUBE_GET_MAX >> 20);
	s.body = buf_cstr(body);
	s.len = body->len;
	s.why = buf_cstr(&x->failure);
	c->fn(c->arg, &s);
	call_free(c);
}

struct kube_call *kube_writer_ask(struct kube_writer *w, const char *method, const char *path,
				  const char *token, const char *json, kube_said_fn *fn, void *arg)
{
	struct kube_call *c = xcalloc(1, sizeof(*c));

	c->writer = w;
	c->fn = fn;
	c->arg = arg;
	c->token = xstrdup(token);
	c->x.api = &w->api;
	c->x.method = strcmp(method, "DELETE") == 0 ? "DELETE"
		      : strcmp(method, "POST") == 0 ? "POST"
		      : strcmp(method, "PUT") == 0  ? "PUT"
						    : "GET";
	c->x.token = c->token;
	c->x.data = on_data;
	c->x.over = on_over;
	c->x.total_s = KUBE_WRITE_TIME_S;
	buf_str(&c->x.body, json);
	c->next = w->calls;
	c->place = &w->calls;
	if (c->next)
		c->next->place = &c->next;
	w->calls = c;
	kube_exchange_start(&c->x, path);
	return c;
}
