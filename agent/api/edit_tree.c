/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/edit_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"

/* --- JSON ------------------------------------------------------------------------------- */

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][-+]?[0-9]+)? */
static bool is_json_number(const char *s)
{
	static const char digits[] = "0123456789";
	size_t n;

	s += *s == '-';
	n = strspn(s, digits);
	if (n == 0 || (n > 1 && *s == '0'))
		return false;
	s += n;
	if (*s == '.') {
		n = strspn(++s, digits);
		if (n == 0)
			return false;
		s += n;
	}
	if (*s != 'e' && *s != 'E')
		return !*s;
	s++;
	s += *s == '-' || *s == '+';
	n = strspn(s, digits);
	return n > 0 && !s[n];
}

static void print_number(const char *text, struct buf *out)
{
	const struct doc d = { .type = DOC_NUMBER, .text = text };
	int64_t v;

	if (is_json_number(text))
		buf_str(out, text);
	else if (doc_integer(&d, INT64_MIN, INT64_MAX, &v))
		buf_printf(out, "%" PRId64, v);
	else
		json_quote(out, text); /* .inf, 0b1: nothing that a field of ours takes */
}

static bool is_true(const struct tree *t)
{
	const struct doc d = { .type = DOC_BOOL, .text = t->text };
	bool v = false;

	return doc_bool(&d, &v) && v;
}

static void print_scalar(const struct tree *t, struct buf *out)
{
	switch (t->type) {
	case DOC_NULL:
		buf_str(out, "null");
		return;
	case DOC_BOOL:
		buf_str(out, is_true(t) ? "true" : "false");
		return;
	case DOC_NUMBER:
		print_number(t->text, out);
		return;
	case DOC_STRING:
		json_quote(out, t->text);
		return;
	case DOC_LIST:
	case DOC_MAP:
		return;
	}
}

void edit_tree_print(const struct tree *t, struct buf *out)
{
	if (t->type != DOC_LIST && t->type != DOC_MAP) {
		print_scalar(t, out);
		return;
	}
	buf_str(out, t->type == DOC_MAP ? "{" : "[");
	for (const struct tree *c = t->first; c; c = c->next) {
		if (c != t->first)
			buf_str(out, ",");
		if (t->type == DOC_MAP) {
			json_quote(out, c->key);
			buf_str(out, ":");
		}
		edit_tree_print(c, out);
	}
	buf_str(out, t->type == DOC_MAP ? "}" : "]");
}

/* --- comparing --------------------------------------------------------------------------- */

static size_t count(const struct tree *t)
{
	size_t n = 0;

	for (const struct tree *c = t->first; c; c = c->next)
		n++;
	return n;
}

static bool scalars_are_same(const struct tree *a, const struct tree *b)
{
	CLEANUP(buf_done) struct buf x = { 0 }, y = { 0 };

	print_scalar(a, &x);
	print_scalar(b, &y);
	return strcmp(buf_cstr(&x), buf_cstr(&y)) == 0;
}

bool edit_tree_same(const struct tree *a, const struct tree *b)
{
	const struct tree *other = b->first;

	if (a->type != b->type)
		return false;
	if (a->type != DOC_LIST && a->type != DOC_MAP)
		return scalars_are_same(a, b);
	if (count(a) != count(b))
		return false;
	for (const struct tree *c = a->first; c; c = c->next) {
		const struct tree *d = a->type == DOC_MAP ? tree_get(b, c->key) : other;

		if (!d || !edit_tree_same(c, d))
			return false;
		other = other->next;
	}
	return true;
}

/* --- merging ----------------------------------------------------------------------------- */

/* Nulls mean nothing in what is new. */
static void drop_nulls(struct tree *map)
{
	struct tree **place = &map->first;

	while (*place) {
		if ((*place)->type == DOC_NULL) {
			*place = (*place)->next;
			continue;
		}
		if ((*place)->type == DOC_MAP)
			drop_nulls(*place);
		place = &(*place)->next;
	}
}

void edit_tree_merge(struct arena *a, struct tree *into, struct tree *patch)
{
	struct tree *next;

	for (struct tree *p = patch->first; p; p = next) {
		struct tree *have = tree_get(into, p->key);

		next = p->next;
		if (p->type == DOC_NULL) {
			(void)tree_take(into, p->key);
		} else if (p->type == DOC_MAP && have && have->type == DOC_MAP) {
			edit_tree_merge(a, have, p);
		} else {
			if (p->type == DOC_MAP)
				drop_nulls(p);
			tree_set(into, p->key, p);
		}
	}
}

/* --- the difference ------------------------------------------------------------------------ */

struct diff {
	struct json_writer *j;
	struct buf path; /* a JSON pointer */
};

static void put_operation(struct diff *d, const char *op, const struct tree *value)
{
	CLEANUP(buf_done) struct buf json = { 0 };

	json_put_object(d->j, NULL);
	json_put_text(d->j, REST_OP, op);
	json_put_text(d->j, REST_PATH, buf_cstr(&d->path));
	if (value) {
		edit_tree_print(value, &json);
		json_put_raw(d->j, REST_VALUE, &json);
	}
	json_end_object(d->j);
}

/* RFC 6901. Returns how long the path was before. */
static size_t go_into(struct diff *d, const char *key)
{
	size_t before = d->path.len;

	buf_str(&d->path, "/");
	for (; *key; key++) {
		if (*key == '~')
			buf_str(&d->path, "~0");
		else if (*key == '/')
			buf_str(&d->path, "~1");
		else
			buf_put(&d->path, key, 1);
	}
	return before;
}

static void compare(struct diff *d, const struct tree *a, const struct tree *b);

static void compare_maps(struct diff *d, const struct tree *a, const struct tree *b)
{
	for (const struct tree *c = a->first; c; c = c->next) {
		const struct tree *other = tree_get(b, c->key);
		size_t before = go_into(d, c->key);

		if (other)
			compare(d, c, other);
		else
			put_operation(d, "remove", NULL);
		d->path.len = before;
	}
	for (const struct tree *c = b->first; c; c = c->next) {
		size_t before;

		if (tree_get(a, c->key))
			continue;
		before = go_into(d, c->key);
		put_operation(d, "add", c);
		d->path.len = before;
	}
}

static void compare_lists(struct diff *d, const struct tree *a, const struct tree *b)
{
	const struct tree *other = b->first;
	size_t n = 0;

	for (const struct tree *c = a->first; c; c = c->next, other = other->next) {
		char index[24];
		size_t before;

		snprintf(index, sizeof(index), "%zu", n++);
		before = go_into(d, index);
		compare(d, c, other);
		d->path.len = before;
	}
}

static void compare(struct diff *d, const struct tree *a, const struct tree *b)
{
	if (a->type == DOC_MAP && b->type == DOC_MAP)
		compare_maps(d, a, b);
	else if (a->type == DOC_LIST && b->type == DOC_LIST && count(a) == count(b))
		compare_lists(d, a, b);
	else if (!edit_tree_same(a, b))
		put_operation(d, "replace", b);
}

void edit_tree_put_operations(const struct tree *before, const struct tree *after,
			      struct json_writer *j)
{
	struct diff d = { .j = j };

	if (before && after)
		compare(&d, before, after);
	else if (after)
		put_operation(&d, "add", after);
	else if (before)
		put_operation(&d, "remove", NULL);
	buf_done(&d.path);
}

void edit_tree_put_diff(const struct tree *before, const struct tree *after, const char *key,
			struct json_writer *j)
{
	json_put_array(j, key);
	edit_tree_put_operations(before, after, j);
	json_end_array(j);
}

/* --- secrets ------------------------------------------------------------------------------- */

static void take_keys(struct arena *a, const struct tree *data, struct tree ***end)
{
	for (const struct tree *c = data && data->type == DOC_MAP ? data->first : NULL; c;
	     c = c->next) {
		**end = tree_new(a, DOC_STRING, c->key);
		*end = &(**end)->next;
	}
}

static struct tree *scalar(struct arena *a, const struct tree *t)
{
	return tree_new(a, t->type, t->text);
}

/* Annotations stay away as well: kubectl keeps the whole Secret in one. */
struct tree *edit_tree_redact(struct arena *a, const struct tree *secret)
{
	static const char *const shown[] = { "apiVersion", "kind", "type" };
	static const char *const of_metadata[] = { "name", "namespace" };
	struct tree *t = tree_new(a, DOC_MAP, NULL), *keys = tree_new(a, DOC_LIST, NULL);
	struct tree *metadata, **end = &keys->first;
	const struct tree *v;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if ((v = tree_get(secret, shown[i])) && v->type == DOC_STRING)
			tree_set(t, shown[i], scalar(a, v));
	metadata = tree_need_map(a, t, "metadata");
	for (size_t i = 0; i < ARRAY_LEN(of_metadata); i++)
		if ((v = tree_get(tree_get(secret, "metadata"), of_metadata[i])) &&
		    v->type == DOC_STRING)
			tree_set(metadata, of_metadata[i], scalar(a, v));
	take_keys(a, tree_get(secret, "data"), &end);
	take_keys(a, tree_get(secret, "stringData"), &end);
	tree_set(t, REST_DATA_KEYS, keys);
	return t;
}
