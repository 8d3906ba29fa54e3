/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tree, its bounds, and looking things up in it. Reading YAML is in
 * doc_yaml.c, JSON in doc_json.c.
 */
#include "agent/base/doc.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc_build.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"

/* Below this, comparing each key with each other one is quicker than sorting. */
#define FEW_KEYS 8

void doc_builder_init(struct doc_builder *b, const struct doc_limits *limits)
{
	struct doc_limits copy = *limits; /* they may be b's own */

	assert(copy.depth <= DOC_DEPTH_MAX);
	memset(b, 0, sizeof(*b));
	b->limits = copy;
}

void doc_builder_done(struct doc_builder *b)
{
	arena_done(&b->arena);
}

void doc_builder_take(struct doc_builder *b, struct doc_set *out)
{
	const struct doc **roots = arena_take(&b->arena, sizeof(const struct doc *));
	struct arena *arena = xmalloc(sizeof(*arena));

	roots[0] = b->root;
	*arena = b->arena;
	*out = (struct doc_set){ .roots = roots, .count = 1, .arena = arena };
	doc_builder_init(b, &b->limits);
}

bool doc_wants_key(const struct doc_builder *b)
{
	const struct doc_open *o = b->depth ? &b->open[b->depth - 1] : NULL;

	return o && o->node->type == DOC_MAP && !o->key;
}

/* Puts the line before an error where the text has lines. */
static int at_line(struct err *err, int code, unsigned line)
{
	return line ? err_wrap(err, code, "line %u", line) : code;
}

/* NULL: there are too many, -E2BIG. */
static struct doc *new_node(struct doc_builder *b, enum doc_type type, unsigned line,
			    struct err *err)
{
	struct doc_open *o = b->depth ? &b->open[b->depth - 1] : NULL;
	struct doc *d;

	if (b->nodes == b->limits.nodes) {
		err_set(err, -E2BIG, "the document has more than %zu parts", b->limits.nodes);
		(void)at_line(err, -E2BIG, line);
		return NULL;
	}
	b->nodes++;
	d = arena_take(&b->arena, sizeof(*d));
	d->type = type;
	d->line = line;
	if (!o) {
		b->root = d;
		return d;
	}
	if (o->key) {
		d->key = o->key;
		d->line = o->key_line;
		o->key = NULL;
	}
	if (o->last)
		o->last->next = d;
	else
		o->node->first = d;
	o->last = d;
	o->node->count++;
	return d;
}

int doc_add_key(struct doc_builder *b, const char *text, size_t len, unsigned line, struct err *err)
{
	struct doc_open *o = &b->open[b->depth - 1];

	if (len == 0 || memchr(text, '\0', len)) {
		err_set(err, -EINVAL, len ? "a key holds a NUL" : "a key is empty");
		return at_line(err, -EINVAL, line);
	}
	o->key = arena_strndup(&b->arena, text, len);
	o->key_line = line;
	return 0;
}

int doc_add_scalar(struct doc_builder *b, enum doc_type type, const char *text, size_t len,
		   bool quoted, unsigned line, struct err *err)
{
	struct doc *d;

	if (memchr(text, '\0', len)) {
		err_set(err, -EINVAL, "a value holds a NUL");
		return at_line(err, -EINVAL, line);
	}
	d = new_node(b, type, line, err);
	if (!d)
		return -E2BIG;
	d->text = arena_strndup(&b->arena, text, len);
	d->quoted = quoted;
	return 0;
}

int doc_begin(struct doc_builder *b, enum doc_type type, unsigned line, struct err *err)
{
	struct doc *d;

	if (b->depth == b->limits.depth) {
		err_set(err, -E2BIG, "nested more than %u deep", b->limits.depth);
		return at_line(err, -E2BIG, line);
	}
	d = new_node(b, type, line, err);
	if (!d)
		return -E2BIG;
	b->open[b->depth++] = (struct doc_open){ .node = d };
	return 0;
}

static int duplicate_key(const struct doc *again, const struct doc *before, struct err *err)
{
	if (!again->line)
		return err_set(err, -EINVAL, "key \"%.64s\" is given twice", again->key);
	return err_set(err, -EINVAL, "line %u: key \"%.64s\" is given twice (first in line %u)",
		       again->line, again->key, before->line);
}

struct keyed {
	const struct doc *d;
	size_t place;
};

static int by_key_and_place(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = strcmp(x->d->key, y->d->key);

	return order ? order : x->place < y->place ? -1 : 1;
}

static int check_many_keys(const struct doc *map, struct err *err)
{
	struct keyed *keys = xreallocarray(NULL, map->count, sizeof(*keys));
	size_t n = 0;
	int r = 0;

	for (const struct doc *d = map->first; d; d = d->next, n++)
		keys[n] = (struct keyed){ d, n };
	qsort(keys, n, sizeof(*keys), by_key_and_place);
	for (size_t i = 1; i < n && r == 0; i++) {
		if (strcmp(keys[i - 1].d->key, keys[i].d->key) == 0)
			r = duplicate_key(keys[i].d, keys[i - 1].d, err);
	}
	free(keys);
	return r;
}

static int check_keys(const struct doc *map, struct err *err)
{
	if (map->count > FEW_KEYS)
		return check_many_keys(map, err);
	for (const struct doc *d = map->first; d; d = d->next) {
		for (const struct doc *e = map->first; e != d; e = e->next) {
			if (strcmp(d->key, e->key) == 0)
				return duplicate_key(d, e, err);
		}
	}
	return 0;
}

int doc_end(struct doc_builder *b, struct err *err)
{
	const struct doc *d = b->open[--b->depth].node;

	return d->type == DOC_MAP ? check_keys(d, err) : 0;
}

int doc_read_any(const void *text, size_t len, const struct doc_limits *limits, struct doc_set *out,
		 struct err *err)
{
	const char *s = text;
	size_t i = 0;

	while (i < len && isspace((unsigned char)s[i]))
		i++;
	return i < len && s[i] == '{' ? doc_read_json(text, len, limits, out, err)
				      : doc_read_yaml(text, len, limits, out, err);
}

void doc_set_done(struct doc_set *s)
{
	if (s->arena) {
		arena_done(s->arena);
		free(s->arena);
	}
	*s = (struct doc_set){ 0 };
}

void doc_set_wipe(struct doc_set *s)
{
	if (s->arena)
		arena_wipe(s->arena);
	doc_set_done(s);
}

const struct doc *doc_get(const struct doc *d, const char *key)
{
	if (!d || d->type != DOC_MAP)
		return NULL;
	for (d = d->first; d; d = d->next) {
		if (strcmp(d->key, key) == 0)
			return d;
	}
	return NULL;
}

const char *doc_string(const struct doc *d)
{
	return d && d->type == DOC_STRING ? d->text : NULL;
}

/* The digits after a sign and a prefix; false where a leading zero leaves the base in doubt. */
static bool digits_of(const char *s, int *out_base, const char **out_digits)
{
	if (*s == '+' || *s == '-')
		s++;
	*out_base = 10;
	if (s[0] == '0' && s[1] != '\0') {
		*out_base = s[1] == 'x' || s[1] == 'X' ? 16 : s[1] == 'o' || s[1] == 'O' ? 8 : 0;
		s += 2;
	}
	*out_digits = s;
	return *out_base != 0 && *s != '\0';
}

bool doc_integer(const struct doc *d, int64_t min, int64_t max, int64_t *out)
{
	const char *s;
	int64_t v = 0;
	int base, digit;

	if (!d || d->type != DOC_NUMBER || !digits_of(d->text, &base, &s))
		return false;
	/* Counted downwards: the smallest integer has no positive counterpart. */
	for (; *s; s++) {
		digit = value_digit(*s);
		if (digit < 0 || digit >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_sub_overflow(v, digit, &v))
			return false;
	}
	if (d->text[0] != '-' && __builtin_sub_overflow((int64_t)0, v, &v))
		return false;
	if (v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool doc_bool(const struct doc *d, bool *out)
{
	if (!d || d->type != DOC_BOOL)
		return false;
	/* true, yes, y, on against false, no, n, off, in any case the reader let through. */
	*out = strchr("tTyY", d->text[0]) || strcmp(d->text, "on") == 0 ||
	       strcmp(d->text, "On") == 0 || strcmp(d->text, "ON") == 0;
	return true;
}

const char *doc_type_text(enum doc_type type)
{
	switch (type) {
	case DOC_NULL:
		return "null";
	case DOC_BOOL:
		return "a boolean";
	case DOC_NUMBER:
		return "a number";
	case DOC_STRING:
		return "a string";
	case DOC_LIST:
		return "a list";
	case DOC_MAP:
		return "a map";
	}
	return "?";
}
