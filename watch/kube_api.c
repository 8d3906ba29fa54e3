/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_api.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

#define ERROR_BODY_MAX 8192
#define ERROR_TEXT_MAX 300 /* of it, in a message */

void kube_api_init(struct kube_api *a, struct loop *l, struct http *h, struct kube_credentials *c,
		   uint32_t (*random)(void *arg), void *random_arg)
{
	*a = (struct kube_api){
		.loop = l,
		.http = h,
		.credentials = c,
		.random = random,
		.random_arg = random_arg,
	};
	a->waiting_end = &a->waiting;
}

uint32_t kube_api_random(struct kube_api *a, uint32_t below)
{
	return below && a->random ? a->random(a->random_arg) % below : 0;
}

void kube_escape(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c < 0x80 && isalnum(c)) || strchr("-._~", c))
			buf_put(out, s, 1);
		else
			buf_printf(out, "%%%02X", c);
	}
}

uint64_t kube_revision(const char *s)
{
	uint64_t v;

	return s && value_uint(s, 1, UINT64_MAX, &v) == 0 ? v : 0;
}

/* --- what a failure says ------------------------------------------------------ */

static bool is_status(const struct doc *d)
{
	const char *kind = doc_string(doc_get(d, "kind"));

	return kind && strcmp(kind, "Status") == 0;
}

static void put_bounded(struct buf *out, const char *s, size_t len)
{
	buf_put(out, s, len < ERROR_TEXT_MAX ? len : ERROR_TEXT_MAX);
	if (len > ERROR_TEXT_MAX)
		buf_str(out, "...");
}

/* An API server's own errors are JSON; those of its filters, and of what is in front of it, text. */
static void put_answer(struct kube_exchange *x, struct buf *out)
{
	const char *text = (const char *)x->error.data;
	struct doc_set s = { 0 };
	size_t len = x->error.len;
	const char *message = NULL;

	if (len && x->is_json && doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &s, NULL) == 0 &&
	    s.count && is_status(s.roots[0])) {
		x->is_status = true;
		message = doc_string(doc_get(s.roots[0], "message"));
	}
	if (message) {
		text = message;
		len = strlen(message);
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n' || text[i] == '\r' || text[i] == '\0')
			len = i;
	}
	if (len && *text != '<') {
		buf_str(out, ": ");
		put_bounded(out, text, len);
	}
	doc_set_done(&s);
}

static void say_failure(struct kube_exchange *x, const struct err *err)
{
	const char *text = err && err->text[0] ? err->text : "no answer";
	struct buf *out = &x->failure;

	if (x->result != HTTP_DONE && x->result != HTTP_STOPPED) {
		if (strncmp(text, x->server, strlen(x->server)) != 0)
			buf_printf(out, "%s: ", x->server);
		buf_str(out, text);
	} else if (!kube_exchange_good(x)) {
		buf_printf(out, "%s answered HTTP %d", x->server, x->status);
		put_answer(x, out);
	}
	(void)buf_cstr(out);
}

bool kube_exchange_says(const struct kube_exchange *x, const char *text)
{
	return x->is_status && memmem(x->error.data, x->error.len, text, strlen(text));
}

/* --- one request -------------------------------------------------------------- */

static void on_status(void *arg, const struct http_status *s)
{
	struct kube_exchange *x = arg;

	x->status = s->status;
	x->retry_after_s = s->retry_after_s < KUBE_RETRY_AFTER_MAX_S ? s->retry_after_s
								     : KUBE_RETRY_AFTER_MAX_S;
	x->is_json = strncmp(s->content_type, "application/json", 16) == 0;
	if (!kube_exchange_good(x))
		return;
	kube_credentials_ok(x->api->credentials, x->server);
	if (x->opened)
		x->opened(x);
}

static bool on_data(void *arg, const void *data, size_t len)
{
	struct kube_exchange *x = arg;
	size_t room = ERROR_BODY_MAX - x->error.len;

	if (kube_exchange_good(x))
		return x->data(x, data, len);
	buf_put(&x->error, data, len < room ? len : room);
	return len < room;
}

static void on_end(void *arg, enum http_result r, const struct err *err)
{
	struct kube_exchange *x = arg;
	struct kube_credentials *c = x->api->credentials;

	x->id = 0;
	x->result = r;
	if (r != HTTP_DONE && r != HTTP_STOPPED)
		x->retry_now = kube_credentials_failed(c, x->server, r);
	else if (x->status == 401 && !x->token)
		x->retry_now = kube_credentials_unauthorized(c, x->token_serial);
	else if (x->status >= 500)
		x->retry_now = kube_credentials_failed(c, x->server, HTTP_CUT);
	say_failure(x, err);
	x->over(x);
}

void kube_exchange_start(struct kube_exchange *x, const char *path)
{
	struct http_request r = {
		.method = x->method ? x->method : "GET",
		.path = path,
		.gzip = x->gzip,
		.idle_s = x->idle_s,
		.total_s = x->total_s,
		.status = on_status,
		.data = on_data,
		.end = on_end,
		.arg = x,
	};

	x->server = kube_credentials_server(x->api->credentials);
	x->status = 0;
	x->result = HTTP_DONE;
	x->is_json = x->is_status = x->retry_now = false;
	x->retry_after_s = -1;
	buf_reset(&x->error);
	buf_reset(&x->failure);
	if (x->body.len) {
		r.content_type = "application/json";
		r.body = x->body.data;
		r.body_len = x->body.len;
	}
	r.server = x->server;
	r.token = kube_credentials_token(x->api->credentials, &x->token_serial);
	if (x->token)
		r.token = x->token;
	x->id = http_start(x->api->http, &r);
}

void kube_exchange_cancel(struct kube_exchange *x)
{
	if (x->id)
		http_cancel(x->api->http, x->id);
	x->id = 0;
}

void kube_exchange_done(struct kube_exchange *x)
{
	kube_exchange_cancel(x);
	buf_wipe(&x->body); /* they may hold a secret */
	buf_wipe(&x->error);
	buf_done(&x->failure);
}

/* --- small answers ------------------------------------------------------------- */

struct kube_get {
	struct kube_exchange x;
	kube_get_fn *fn;
	void *arg;
	struct buf body;
	bool started;
	struct kube_get *next; /* waiting */
	char path[];
};

static void start(struct kube_get *g)
{
	g->started = true;
	g->x.api->gets++;
	kube_exchange_start(&g->x, g->path);
}

static void start_waiting(struct kube_api *a)
{
	while (a->waiting && a->gets < KUBE_GETS_MAX) {
		struct kube_get *g = a->waiting;

		a->waiting = g->next;
		if (!a->waiting)
			a->waiting_end = &a->waiting;
		start(g);
	}
}

static void get_free(struct kube_get *g)
{
	kube_exchange_done(&g->x);
	buf_wipe(&g->body); /* it may be a Secret */
	free(g);
}

static bool get_data(struct kube_exchange *x, const void *data, size_t len)
{
	struct kube_get *g = (struct kube_get *)x;

	if (g->body.len + len > KUBE_GET_MAX)
		return false;
	buf_put(&g->body, data, len);
	return true;
}

static void get_over(struct kube_exchange *x)
{
	struct kube_get *g = (struct kube_get *)x;
	struct kube_api *a = x->api;

	a->gets--;
	if (kube_exchange_good(x) && x->result == HTTP_STOPPED)
		buf_printf(&x->failure, "%s: an answer of more than %u MiB", x->server,
			   KUBE_GET_MAX >> 20);
	if (x->result != HTTP_DONE)
		buf_wipe(&g->body);
	(void)buf_cstr(&x->failure);
	g->fn(g->arg, x, buf_cstr(&g->body), g->body.len);
	get_free(g);
	start_waiting(a);
}

struct kube_get *kube_get(struct kube_api *a, const char *path, kube_get_fn *fn, void *arg)
{
	return kube_send(a, "GET", path, "", fn, arg);
}

static struct kube_get *get_new(struct kube_api *a, const char *method, const char *path,
				const char *json, kube_get_fn *fn, void *arg)
{
	struct kube_get *g = xcalloc(1, sizeof(*g) + strlen(path) + 1);

	g->x.api = a;
	g->x.method = method;
	buf_str(&g->x.body, json);
	g->x.data = get_data;
	g->x.over = get_over;
	g->x.total_s = KUBE_GET_TIME_S;
	g->fn = fn;
	g->arg = arg;
	strcpy(g->path, path);
	return g;
}

struct kube_get *kube_send_now(struct kube_api *a, const char *method, const char *path,
			       const char *json, kube_get_fn *fn, void *arg)
{
	struct kube_get *g = get_new(a, method, path, json, fn, arg);

	start(g);
	return g;
}

struct kube_get *kube_send(struct kube_api *a, const char *method, const char *path,
			   const char *json, kube_get_fn *fn, void *arg)
{
	struct kube_get *g = get_new(a, method, path, json, fn, arg);

	*a->waiting_end = g;
	a->waiting_end = &g->next;
	start_waiting(a);
	return g;
}

void kube_get_cancel(struct kube_get *g)
{
	struct kube_api *a = g ? g->x.api : NULL;

	if (!g)
		return;
	if (g->started) {
		a->gets--;
	} else {
		struct kube_get **i = &a->waiting;

		while (*i != g)
			i = &(*i)->next;
		*i = g->next;
		if (!*i)
			a->waiting_end = i;
	}
	get_free(g);
	start_waiting(a);
}
