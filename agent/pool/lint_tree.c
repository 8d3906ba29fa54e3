/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/lint_tree.h"

#include <string.h>

struct tree *tree_new(struct arena *a, enum doc_type type, const char *text)
{
	struct tree *t = arena_take(a, sizeof(*t));

	t->type = type;
	t->text = text;
	return t;
}

struct tree *tree_of(struct arena *a, const struct doc *d)
{
	struct tree *t = tree_new(a, d->type, d->text), **end = &t->first;

	t->key = d->key;
	for (const struct doc *c = d->first; c; c = c->next) {
		*end = tree_of(a, c);
		end = &(*end)->next;
	}
	return t;
}

static struct tree **find(struct tree *map, const char *key)
{
	struct tree **i = &map->first;

	while (*i && strcmp((*i)->key, key) != 0)
		i = &(*i)->next;
	return i;
}

struct tree *tree_get(const struct tree *map, const char *key)
{
	if (!map || map->type != DOC_MAP)
		return NULL;
	for (struct tree *t = map->first; t; t = t->next) {
		if (strcmp(t->key, key) == 0)
			return t;
	}
	return NULL;
}

const char *tree_text(const struct tree *map, const char *key)
{
	const struct tree *t = tree_get(map, key);

	return t && t->type == DOC_STRING ? t->text : NULL;
}

void tree_set(struct tree *map, const char *key, struct tree *value)
{
	struct tree **place = find(map, key);

	value->key = key;
	value->next = *place ? (*place)->next : NULL;
	*place = value;
}

struct tree *tree_need_map(struct arena *a, struct tree *map, const char *key)
{
	struct tree *t = tree_get(map, key);

	if (t && t->type == DOC_MAP)
		return t;
	t = tree_new(a, DOC_MAP, NULL);
	tree_set(map, key, t);
	return t;
}

struct tree *tree_take(struct tree *map, const char *key)
{
	struct tree **place, *t;

	if (!map || map->type != DOC_MAP)
		return NULL;
	place = find(map, key);
	t = *place;
	if (!t)
		return NULL;
	*place = t->next;
	t->next = NULL;
	return t;
}

void tree_order(struct tree *map, const char *const *keys, size_t count)
{
	if (!map || map->type != DOC_MAP)
		return;
	/* The last to the front first. */
	for (size_t i = count; i-- > 0;) {
		struct tree *t = tree_take(map, keys[i]);

		if (!t)
			continue;
		t->next = map->first;
		map->first = t;
	}
}

/* In JSON's double quotes, which are YAML's too. */
static void print_quoted(const char *s, struct buf *out)
{
	buf_str(out, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_str(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_put(out, s, 1);
	}
	buf_str(out, "\"");
}

static void print_string(const char *s, struct buf *out)
{
	if (doc_plain_is_string(s))
		buf_str(out, s);
	else
		print_quoted(s, out);
}

static void indent(struct buf *out, unsigned depth)
{
	for (; depth > 0; depth--)
		buf_str(out, "  ");
}

static void print_children(const struct tree *t, unsigned depth, bool first_is_placed,
			   struct buf *out);

/* Behind "key:" or "-". */
static void print_value(const struct tree *t, unsigned depth, struct buf *out)
{
	if (t->type == DOC_LIST || t->type == DOC_MAP) {
		if (!t->first) {
			buf_str(out, t->type == DOC_LIST ? " []\n" : " {}\n");
			return;
		}
		buf_str(out, "\n");
		print_children(t, depth, false, out);
		return;
	}
	buf_str(out, " ");
	if (t->type == DOC_STRING)
		print_string(t->text, out);
	else
		buf_str(out, *t->text ? t->text : "null");
	buf_str(out, "\n");
}

static void print_item(const struct tree *t, unsigned depth, struct buf *out)
{
	buf_str(out, "-");
	if (t->type == DOC_MAP && t->first) {
		buf_str(out, " ");
		print_children(t, depth + 1, true, out);
	} else {
		print_value(t, depth + 1, out);
	}
}

/* The depth of the input is bounded, so this recursion is. A list stands as deep as its key. */
static void print_children(const struct tree *t, unsigned depth, bool first_is_placed,
			   struct buf *out)
{
	for (const struct tree *c = t->first; c; c = c->next) {
		if (!first_is_placed || c != t->first)
			indent(out, depth);
		if (t->type == DOC_LIST) {
			print_item(c, depth, out);
			continue;
		}
		print_string(c->key, out);
		buf_str(out, ":");
		print_value(c, c->type == DOC_LIST ? depth : depth + 1, out);
	}
}

void tree_print(const struct tree *t, struct buf *out)
{
	if (t->type == DOC_MAP || t->type == DOC_LIST)
		print_children(t, 0, false, out);
	else
		print_value(t, 0, out);
}
