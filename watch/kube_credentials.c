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
enum slot { SLOT_CONFIG, SLOT_TOKEN, SLOT_CA, SLOT_CERT, SLOT_KEY, SLOT_TRUST, SLOT_COUNT };

struct trouble {
	char *where; /* NULL: there is no such thing */
	char *text;  /* NULL: nothing */
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
	struct buf gone; /* where troubles were told that are read no more; each with its NUL */
	bool telling;	 /* put off to the end of the turn */
	char *token;	 /* NULL: none (yet) */
	uint32_t token_serial;
	struct bytes ca, cert, key;
	bool trusted; /* http_set_trust() has them */
	timer_id config_timer, token_timer, trust_timer;
	uint64_t config_hash; /* of the kubeconfig as it was judged last; 0: never */
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
	for (size_t at = 0; at < c->gone.len; at += strlen((char *)c->gone.data + at) + 1)
		c->problem(c->arg, (char *)c->gone.data + at, NULL);
	buf_reset(&c->gone);
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

static void tell_soon(struct kube_credentials *c)
{
	if (c->telling || !c->problem)
		return;
	c->telling = true;
	loop_defer(c->loop, tell, c);
}

/* What is read for this purpose is another file from now on. */
static void set_where(struct kube_credentials *c, enum slot slot, const char *where)
{
	struct trouble *t = &c->troubles[slot];

	if (is_same(t->where, where))
		return;
	if (t->told) {
		buf_put(&c->gone, t->where, strlen(t->where) + 1);
		tell_soon(c);
	}
	free(t->where);
	free(t->text);
	free(t->told);
	*t = (struct trouble){ .where = where ? xstrdup(where) : NULL };
}

static void set_wheres(struct kube_credentials *c)
{
	const struct kube_access *a = &c->access;

	set_where(c, SLOT_CONFIG, a->kubeconfig);
	set_where(c, SLOT_TOKEN, a->token_path);
	set_where(c, SLOT_CA, a->ca.path);
	set_where(c, SLOT_CERT, a->cert.path);
	set_where(c, SLOT_KEY, a->key.path);
	set_where(c, SLOT_TRUST, a->origin ? a->origin : "TLS");
}

static void set_trouble(struct kube_credentials *c, enum slot slot, const char *text)
{
	struct trouble *t = &c->troubles[slot];

	if (is_same(t->text, text))
		return;
	free(t->text);
	t->text = text ? xstrdup(text) : NULL;
	tell_soon(c);
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

/* Of what there is to be read. */
static void set_timers(struct kube_credentials *c)
{
	const struct kube_access *a = &c->access;

	loop_cancel(c->loop, c->token_timer);
	loop_cancel(c->loop, c->trust_timer);
	c->token_timer = c->trust_timer = 0;
	if (a->token_path)
		c->token_timer = loop_timer_in(c->loop, KUBE_TOKEN_EVERY_MS, on_token_timer, c);
	if (a->ca.path || a->cert.path || a->key.path)
		c->trust_timer = loop_timer_in(c->loop, KUBE_TRUST_EVERY_MS, on_trust_timer, c);
}

/* --- the kubeconfig ------------------------------------------------------------------ */

static bool same_material(const struct kube_material *a, const struct kube_material *b)
{
	return is_same(a->path, b->path) && a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool same_trust(const struct kube_access *a, const struct kube_access *b)
{
	return same_material(&a->ca, &b->ca) && same_material(&a->cert, &b->cert) &&
	       same_material(&a->key, &b->key) && is_same(a->server_name, b->server_name) &&
	       a->insecure == b->insecure;
}

static bool same_token(const struct kube_access *a, const struct kube_access *b)
{
	return is_same(a->token, b->token) && is_same(a->token_path, b->token_path);
}

static bool same_servers(const struct kube_access *a, const struct kube_access *b)
{
	bool same = a->server_count == b->server_count;

	for (size_t i = 0; same && i < a->server_count; i++)
		same = strcmp(a->servers[i], b->servers[i]) == 0;
	return same;
}

/* What the file says now, fit to be taken; `with` is empty otherwise. */
static int parse_config(const struct kube_credentials *c, const struct bytes *text,
			struct kube_access *with, struct err *err)
{
	const struct kube_access *a = &c->access;
	int r = kubeconfig_parse(text->data, text->len, a->kubeconfig, a->context, with, err);

	if (r < 0)
		return r;
	if (a->nobody)
		kube_access_drop_identity(with);
	if (a->servers_given)
		r = kube_access_set_servers(with, (const char *const *)a->servers, a->server_count,
					    err);
	else if (!same_servers(a, with))
		r = err_set(err, -EINVAL,
			    "it names another server now, which takes a start of the agent: %s is "
			    "asked on, as before",
			    a->servers[0]);
	if (r < 0)
		kube_access_done(with);
	return r;
}

/* All but the servers, whose names others hold; what was in force is left in *with. */
static void swap_access(struct kube_access *a, struct kube_access *with)
{
	struct kube_access old = *a;

	a->ca = with->ca;
	a->cert = with->cert;
	a->key = with->key;
	a->token = with->token;
	a->token_path = with->token_path;
	a->server_name = with->server_name;
	a->insecure = with->insecure;
	with->ca = old.ca;
	with->cert = old.cert;
	with->key = old.key;
	with->token = old.token;
	with->token_path = old.token_path;
	with->server_name = old.server_name;
}

/* Takes *with over. True: it is not what was in force. */
static bool take_config(struct kube_credentials *c, struct kube_access *with)
{
	bool trust = !same_trust(&c->access, with), token = !same_token(&c->access, with);

	if (trust || token) {
		swap_access(&c->access, with);
		set_wheres(c);
		set_timers(c);
	}
	kube_access_done(with);
	if (token) {
		set_token(c, c->access.token, c->access.token ? strlen(c->access.token) : 0);
		read_token(c);
	}
	if (trust) {
		c->trusted = false; /* a name or a flag may be all that is new */
		read_trust(c);
	}
	return trust || token;
}

/* True: it says something else than what was in force. One that cannot be used changes nothing. */
static bool read_config(struct kube_credentials *c)
{
	struct bytes text = { 0 };
	struct kube_access with = { 0 };
	struct err err = { 0 };
	uint64_t hash;
	int r;

	if (!c->access.kubeconfig)
		return false;
	if (!read_file(c, SLOT_CONFIG, c->access.kubeconfig, KUBECONFIG_MAX, &text)) {
		c->config_hash = 0;
		return false;
	}
	hash = hash_id(text.data, text.len);
	if (hash == c->config_hash) {
		bytes_done(&text);
		return false;
	}
	c->config_hash = hash;
	r = parse_config(c, &text, &with, &err);
	bytes_done(&text);
	set_trouble(c, SLOT_CONFIG, r < 0 ? err.text : NULL);
	return r == 0 && take_config(c, &with);
}

static void on_config_timer(void *arg)
{
	struct kube_credentials *c = arg;

	c->config_timer = loop_timer_in(c->loop, KUBE_TOKEN_EVERY_MS, on_config_timer, c);
	read_config(c);
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
	set_wheres(c);
	assert(a->server_count > 0);
	c->server = hash_id(node, strlen(node)) % a->server_count;
	if (a->token)
		set_token(c, a->token, strlen(a->token));
	read_token(c);
	read_trust(c);
	set_timers(c);
	if (a->kubeconfig)
		c->config_timer = loop_timer_in(l, KUBE_TOKEN_EVERY_MS, on_config_timer, c);
	return c;
}

void kube_credentials_free(struct kube_credentials *c)
{
	if (!c)
		return;
	loop_undefer(c->loop, c);
	loop_cancel(c->loop, c->config_timer);
	loop_cancel(c->loop, c->token_timer);
	loop_cancel(c->loop, c->trust_timer);
	buf_done(&c->gone);
	for (size_t i = 0; i < SLOT_COUNT; i++) {
		free(c->troubles[i].where);
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
		if (read_config(c) || read_trust(c))
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
	return serial != c->token_serial || read_config(c) || read_token(c);
}
