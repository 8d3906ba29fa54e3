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

/* The next item of a list, without the spaces around it; *s goes behind it. False: there is none. */
static bool next_item(const char **s, const char **item, size_t *len)
{
	*s += strspn(*s, " ,");
	*item = *s;
	*len = strcspn(*s, ", ");
	*s += *len;
	return *len > 0;
}

static bool same_where(const struct endpoint *a, const struct endpoint *b)
{
	return addr_cmp(&a->addr, &b->addr) == 0 && a->port == b->port;
}

static int check_list(const char *s)
{
	struct weights w;
	int r = s && *s ? weights_parse(s, &w) : 0;

	if (r == 0 && s && *s)
		weights_done(&w);
	return r;
}

static void put_one(struct buf *out, const struct endpoint *where, uint32_t weight)
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
	struct weight w;
	const char *item;
	size_t len;

	if (check_list(s) < 0)
		return -EINVAL;
	while (s && next_item(&s, &item, &len)) {
		if (parse_one(item, len, &w) < 0)
			return -EINVAL;
		if (!same_where(&w.where, where))
			buf_printf(out, "%s%.*s", out->len ? "," : "", (int)len, item);
		else if (weight)
			put_one(out, where, *weight);
		said |= same_where(&w.where, where);
	}
	if (!said)
		put_one(out, where, *weight);
	return 0;
}

int weights_filter(const char *s, weights_keep_fn *keep, void *arg, struct buf *out)
{
	struct weight w;
	const char *item;
	size_t len;

	if (check_list(s) < 0)
		return -EINVAL;
	while (s && next_item(&s, &item, &len)) {
		if (parse_one(item, len, &w) < 0)
			return -EINVAL;
		if (keep(arg, &w.where))
			buf_printf(out, "%s%.*s", out->len ? "," : "", (int)len, item);
	}
	return 0;
}

bool weights_say(const char *s, const struct endpoint *where, uint32_t *out)
{
	struct weight w;
	const char *item;
	size_t len;

	if (check_list(s) < 0)
		return false;
	while (s && next_item(&s, &item, &len)) {
		if (parse_one(item, len, &w) == 0 && same_where(&w.where, where)) {
			*out = w.weight;
			return true;
		}
	}
	return false;
}

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
