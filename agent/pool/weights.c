/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/weights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"
#include "agent/base/xalloc.h"

struct weight {
	struct endpoint where; /* port 0: any */
	uint32_t weight;
	bool found;
};

/* "10.0.0.1", "2001:db8::1", or with a port as in an endpoint. */
static int parse_where(const char *s, struct endpoint *out)
{
	struct endpoint e = { 0 };

	if (addr_parse(s, &e.addr) == 0) {
		*out = e;
		return 0;
	}
	if (endpoint_parse(s, 0, &e) < 0 || e.port == 0)
		return -EINVAL;
	*out = e;
	return 0;
}

static int parse_one(const char *s, size_t len, struct weight *out)
{
	const char *equals = memchr(s, '=', len);
	char where[ENDPOINT_TEXT_MAX], number[8];
	struct weight w = { 0 };
	size_t left, right;
	uint64_t n;

	if (!equals)
		return -EINVAL;
	left = (size_t)(equals - s);
	right = len - left - 1;
	if (left >= sizeof(where) || right >= sizeof(number))
		return -EINVAL;
	memcpy(where, s, left);
	where[left] = '\0';
	memcpy(number, equals + 1, right);
	number[right] = '\0';
	if (parse_where(where, &w.where) < 0 || value_uint(number, 0, POOL_WEIGHT_MAX, &n) < 0)
		return -EINVAL;
	w.weight = (uint32_t)n;
	*out = w;
	return 0;
}

static int by_where(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	return endpoint_cmp(&x->where, &y->where);
}

/* --- one item after the other ------------------------------------------------------------------ */

struct scan {
	const char *rest;
	const char *item; /* as it is written, without the spaces around it */
	size_t len;
	struct weight w;
};

/* -EINVAL: it is not a list (NULL: none), and then there is nothing to scan. */
static int scan_start(struct scan *c, const char *s)
{
	struct weights w;

	*c = (struct scan){ .rest = s ? s : "" };
	if (!*c->rest)
		return 0;
	if (weights_parse(s, &w) < 0)
		return -EINVAL;
	weights_done(&w);
	return 0;
}

static bool scan_next(struct scan *c)
{
	c->item = c->rest + strspn(c->rest, " ,");
	c->len = strcspn(c->item, ", ");
	c->rest = c->item + c->len;
	return c->len > 0 && parse_one(c->item, c->len, &c->w) == 0;
}

static bool is_of(const struct scan *c, const struct endpoint *where)
{
	return addr_cmp(&c->w.where.addr, &where->addr) == 0 && c->w.where.port == where->port;
}

static void put_item(struct buf *out, const struct scan *c)
{
	buf_printf(out, "%s%.*s", out->len ? "," : "", (int)c->len, c->item);
}

static void put_new(struct buf *out, const struct endpoint *where, uint32_t weight)
{
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(out, "%s%s=%u", out->len ? "," : "",
		   where->port ? endpoint_text(where, text) : addr_text(&where->addr, text),
		   weight);
}

int weights_change(const char *s, const struct endpoint *where, const uint32_t *weight,
		   struct buf *out)
{
	bool said = weight == NULL;
	struct scan c;

	if (scan_start(&c, s) < 0)
		return -EINVAL;
	while (scan_next(&c)) {
		if (!is_of(&c, where))
			put_item(out, &c);
		else if (weight)
			put_new(out, where, *weight);
		said |= is_of(&c, where);
	}
	if (!said)
		put_new(out, where, *weight);
	return 0;
}

int weights_filter(const char *s, weights_keep_fn *keep, void *arg, struct buf *out)
{
	struct scan c;

	if (scan_start(&c, s) < 0)
		return -EINVAL;
	while (scan_next(&c))
		if (keep(arg, &c.w.where))
			put_item(out, &c);
	return 0;
}

bool weights_say(const char *s, const struct endpoint *where, uint32_t *out)
{
	struct scan c;

	if (scan_start(&c, s) < 0)
		return false;
	while (scan_next(&c)) {
		if (is_of(&c, where)) {
			*out = c.w.weight;
			return true;
		}
	}
	return false;
}

/* --- all at once ------------------------------------------------------------------------------- */

int weights_parse(const char *s, struct weights *out)
{
	struct weights w = { 0 };
	size_t room = 1;

	for (const char *c = s; *c; c++)
		room += *c == ',';
	w.items = xreallocarray(NULL, room, sizeof(*w.items));
	for (;;) {
		size_t n;

		s += strspn(s, " ");
		n = strcspn(s, ", ");
		if (parse_one(s, n, &w.items[w.count++]) < 0)
			goto bad;
		s += n;
		s += strspn(s, " ");
		if (*s == '\0')
			break;
		if (*s++ != ',')
			goto bad;
	}
	qsort(w.items, w.count, sizeof(*w.items), by_where);
	for (size_t i = 1; i < w.count; i++) {
		if (by_where(&w.items[i - 1], &w.items[i]) == 0)
			goto bad;
	}
	*out = w;
	return 0;
bad:
	weights_done(&w);
	return -EINVAL;
}

void weights_done(struct weights *w)
{
	free(w->items);
	*w = (struct weights){ 0 };
}

bool weights_find(struct weights *w, const struct endpoint *member, uint32_t *out)
{
	struct weight key = { .where = { .addr = member->addr, .port = member->port } };
	struct weight *exact, *any;

	if (w->count == 0)
		return false;
	exact = bsearch(&key, w->items, w->count, sizeof(key), by_where);
	key.where.port = 0;
	any = bsearch(&key, w->items, w->count, sizeof(key), by_where);
	if (exact)
		exact->found = true;
	if (any)
		any->found = true; /* of use, though a closer one may outdo it here */
	if (!exact)
		exact = any;
	if (!exact)
		return false;
	*out = exact->weight;
	return true;
}

const char *weights_unused(const struct weights *w, char out[static ENDPOINT_TEXT_MAX])
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->items[i].found)
			continue;
		return w->items[i].where.port ? endpoint_text(&w->items[i].where, out)
					      : addr_text(&w->items[i].where.addr, out);
	}
	return NULL;
}
