/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_credentials.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/file.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* What can be wrong, each with a place of its own. */
enum slot { SLOT_TOKEN, SLOT_CA, SLOT_CERT, SLOT_KEY, SLOT_TRUST, SLOT_COUNT };

struct trouble {
	const char *where;
	char *text; /* NULL: nothing */
	char *told;
};

/* Bytes in force; the access has the path they are read from. */
struct bytes {
	char *data;
	size_t len;
};

struct kube_credentials {
	struct loop *loop;
	struct http *http;
	struct kube_access access;
	kube_problem_fn *problem;
	void *arg;
	struct trouble troubles[SLOT_COUNT];
	bool telling; /* put off to the end of the turn */
	char *token;  /* NULL: none (yet) */
	uint32_t token_serial;
	struct bytes ca, cert, key;
	bool trusted; /* http_set_trust() has them */
	timer_id token_timer, trust_timer;
	size_t server;
	uint64_t failed; /* servers, since one answered */
};

/* --- what is wrong -------------------------------------------------------------- */

/* One file may be read for two purposes: the first trouble with it is told. */
static const char *text_at(const struct kube_credentials *c, const char *where)
{
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		const struct trouble *t = &c->troubles[i];

		if (t->where && t->text && strcmp(t->where, where) == 0)
			return t->text;
	}
	return NULL;
}

static bool is_first_at(const struct kube_credentials *c, size_t slot)
{
	for (size_t i = 0; i < slot; i++) {
		const char *where = c->troubles[i].where;

		if (where && strcmp(where, c->troubles[slot].where) == 0)
			return false;
	}
	return true;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void tell(void *arg)
{
	struct kube_credentials *c = arg;

	c->telling = false;
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		struct trouble *t = &c->troubles[i];
		const char *text;

		if (!t->where || !is_first_at(c, i))
			continue;
		text = text_at(c, t->where);
		if (is_same(text, t->told))
			continue;
		free(t->told);
		t->told = text ? xstrdup(text) : NULL;
		c->problem(c->arg, t->where, t->told);
	}
}

static void set_trouble(struct kube_credentials *c, enum slot slot, const char *text)
{
	struct trouble *t = &c->troubles[slot];

	if (is_same(t->text, text))
		return;
	free(t->text);
	t->text = text ? xstrdup(text) : NULL;
	if (c->telling)
		return;
	c->telling = true;
	loop_defer(c->loop, tell, c);
}

/* --- files ------------------------------------------------------------------------ */

static void bytes_done(struct bytes *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	free(b->data);
	*b = (struct bytes){ 0 };
}

static bool same_bytes(const struct bytes *a, const struct bytes *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* False: it cannot be read, which is told. */
static bool read_file(struct kube_credentials *c, enum slot slot, const char *path, size_t max,
		      struct bytes *out)
{
	struct buf b = { 0 };
	int r = file_read(path, max, &b, NULL);

	if (r < 0) {
		set_trouble(c, slot, r == -EFBIG ? "it is too large" : strerror(-r));
		if (b.data)
			explicit_bzero(b.data, b.cap);
		buf_done(&b);
		return false;
	}
	buf_cstr(&b); /* there is memory, of an empty file too */
	*out = (struct bytes){ (char *)b.data, b.len };
	return true;
}

static void trim(struct bytes *b)
{
	size_t begin = 0;

	while (b->len && isspace((unsigned char)b->data[b->len - 1]))
		b->len--;
	while (begin < b->len && isspace((unsigned char)b->data[begin]))
		begin++;
	b->len -= begin;
	memmove(b->data, b->data + begin, b->len);
}

static void set_token(struct kube_credentials *c, const char *token, size_t len)
{
	char *copy = token ? xstrndup(token, len) : NULL;

	if (c->token)
		explicit_bzero(c->token, strlen(c->token));
	free(c->token);
	c->token = copy;
	c->token_serial++;
}

/* True: it is another one. */
static bool read_token(struct kube_credentials *c)
{
	struct bytes b = { 0 };
	const char *wrong;
	bool changed = false;

	/* Some more than a token may be: blanks around it are dropped. */
	if (!c->access.token_path ||
	    !read_file(c, SLOT_TOKEN, c->access.token_path, KUBE_TOKEN_MAX + 1024, &b))
		return false;
	trim(&b);
	wrong = kube_token_problem(b.data, b.len);
	set_trouble(c, SLOT_TOKEN, wrong);
	if (!wrong)
		changed = !c->token || strlen(c->token) != b.len ||
			  memcmp(c->token, b.data, b.len) != 0;
	if (changed)
		set_token(c, b.data, b.len);
	bytes_done(&b);
	return changed;
}

/* --- trust -------------------------------------------------------------------------- */

/* What it is now: of the file, inline, or as it was. False: as it was, for it cannot be used. */
static bool read_pem(struct kube_credentials *c, enum slot slot, enum kube_pem what,
		     const struct kube_material *from, struct bytes *out)
{
	const char *wrong;

	if (from->data) {
		*out = (struct bytes){ xstrndup(from->data, from->len), from->len };
		return true;
	}
	if (!from->path)
		return true;
	if (!read_file(c, slot, from->path, KUBE_PEM_MAX, out))
		return false;
	wrong = kube_pem_problem(what, out->data, out->len);
	set_trouble(c, slot, wrong);
	if (wrong)
		bytes_done(out);
	return !wrong;
}

static void replace(struct bytes *old, struct bytes *with, bool *changed)
{
	if (same_bytes(old, with)) {
		bytes_done(with);
		return;
	}
	bytes_done(old);
	*old = *with;
	*changed = true;
}

static int apply_trust(struct kube_credentials *c)
{
	const struct kube_access *a = &c->access;
	bool wants_ca = a->ca.path || a->ca.data;
	const struct http_trust t = {
		.ca_pem = wants_ca && !c->ca.data ? "" : c->ca.data,
		.ca_len = c->ca.len,
		.cert_pem = c->cert.data,
		.cert_len = c->cert.len,
		.key_pem = c->key.data,
		.key_len = c->key.len,
		.server_name = a->server_name,
		.insecure = a->insecure,
	};

	return http_set_trust(c->http, &t);
}

/* True: another one is in force. */
static bool read_trust(struct kube_credentials *c)
{
	struct bytes ca = { 0 }, cert = { 0 }, key = { 0 };
	bool has_cert, has_key, changed = !c->trusted;
	char text[128];
	int r;

	if (read_pem(c, SLOT_CA, KUBE_PEM_CA, &c->access.ca, &ca))
		replace(&c->ca, &ca, &changed);
	has_cert = read_pem(c, SLOT_CERT, KUBE_PEM_CERT, &c->access.cert, &cert);
	has_key = read_pem(c, SLOT_KEY, KUBE_PEM_KEY, &c->access.key, &key);
	if (has_cert && has_key) {
		replace(&c->cert, &cert, &changed);
		replace(&c->key, &key, &changed);
	} else { /* one without the other is of no use */
		bytes_done(&cert);
		bytes_done(&key);
	}
	if (!changed)
		return false;
	r = apply_trust(c);
	c->trusted = r == 0;
	if (r < 0)
		snprintf(text, sizeof(text), "TLS cannot be set up: %s", strerror(-r));
	set_trouble(c, SLOT_TRUST, r < 0 ? text : NULL);
	return c->trusted;
}

/* --- time ---------------------------------------------------------------------------- */

static void on_token_timer(void *arg)
{
	struct kube_credentials *c = arg;

	c->token_timer = loop_timer_in(c->loop, KUBE_TOKEN_EVERY_MS, on_token_timer, c);
	read_token(c);
}

static void on_trust_timer(void *arg)
{
	struct kube_credentials *c = arg;

	c->trust_timer = loop_timer_in(c->loop, KUBE_TRUST_EVERY_MS, on_trust_timer, c);
	read_trust(c);
}

/* --- the contract --------------------------------------------------------------------- */

struct kube_credentials *kube_credentials_new(struct loop *l, struct http *h,
					      struct kube_access *access, const char *node,
					      kube_problem_fn *problem, void *arg)
{
	struct kube_credentials *c = xcalloc(1, sizeof(*c));
	const struct kube_access *a = &c->access;

	c->loop = l;
	c->http = h;
	c->access = *access;
	*access = (struct kube_access){ 0 };
	c->problem = problem;
	c->arg = arg;
	c->troubles[SLOT_TOKEN].where = a->token_path;
	c->troubles[SLOT_CA].where = a->ca.path;
	c->troubles[SLOT_CERT].where = a->cert.path;
	c->troubles[SLOT_KEY].where = a->key.path;
	c->troubles[SLOT_TRUST].where = a->origin ? a->origin : "TLS";
	assert(a->server_count > 0);
	c->server = hash_id(node, strlen(node)) % a->server_count;
	if (a->token)
		set_token(c, a->token, strlen(a->token));
	read_token(c);
	read_trust(c);
	if (a->token_path)
		c->token_timer = loop_timer_in(l, KUBE_TOKEN_EVERY_MS, on_token_timer, c);
	if (a->ca.path || a->cert.path || a->key.path)
		c->trust_timer = loop_timer_in(l, KUBE_TRUST_EVERY_MS, on_trust_timer, c);
	return c;
}

void kube_credentials_free(struct kube_credentials *c)
{
	if (!c)
		return;
	loop_undefer(c->loop, c);
	loop_cancel(c->loop, c->token_timer);
	loop_cancel(c->loop, c->trust_timer);
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		free(c->troubles[i].text);
		free(c->troubles[i].told);
	}
	set_token(c, NULL, 0);
	bytes_done(&c->ca);
	bytes_done(&c->cert);
	bytes_done(&c->key);
	kube_access_done(&c->access);
	free(c);
}

const char *kube_credentials_server(const struct kube_credentials *c)
{
	return c->access.servers[c->server];
}

const char *kube_credentials_token(const struct kube_credentials *c, uint32_t *serial)
{
	if (serial)
		*serial = c->token_serial;
	return c->token;
}

static bool has_failed(const struct kube_credentials *c)
{
	return c->failed >> c->server & 1;
}

bool kube_credentials_failed(struct kube_credentials *c, const char *server, enum http_result r)
{
	switch (r) {
	case HTTP_DONE:
	case HTTP_STOPPED:
	case HTTP_LOCAL:
		return false;
	case HTTP_UNTRUSTED:
		if (read_trust(c))
			return true;
		break;
	case HTTP_CUT:
	case HTTP_REFUSED:
	case HTTP_IDLE:
		break;
	}
	/* Another request may have found that out before. */
	if (strcmp(server, kube_credentials_server(c)) == 0) {
		c->failed |= UINT64_C(1) << c->server;
		c->server = (c->server + 1) % c->access.server_count;
	}
	return !has_failed(c);
}

void kube_credentials_ok(struct kube_credentials *c, const char *server)
{
	if (strcmp(server, kube_credentials_server(c)) == 0)
		c->failed = 0;
}

bool kube_credentials_unauthorized(struct kube_credentials *c, uint32_t serial)
{
	return serial != c->token_serial || read_token(c);
}
