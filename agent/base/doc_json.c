/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON by jansson, turned into the same tree. The bounds are checked on the
 * text first: jansson itself would build whatever it is given.
 */
#include "agent/base/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "agent/base/doc_build.h"

/* What a JSON text can come to at most, by its commas and brackets. */
static int check_bounds(const char *s, size_t len, const struct doc_limits *limits, struct err *err)
{
	size_t nodes = 1, depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else
				in_string = s[i] != '"';
			continue;
		}
		in_string = s[i] == '"';
		nodes += s[i] == ',' || s[i] == '[' || s[i] == '{';
		depth += s[i] == '[' || s[i] == '{';
		depth -= (s[i] == ']' || s[i] == '}') && depth > 0;
		if (depth > limits->depth)
			return err_set(err, -E2BIG, "nested more than %u deep", limits->depth);
	}
	if (nodes > limits->nodes)
		return err_set(err, -E2BIG, "the document has more than %zu parts", limits->nodes);
	return 0;
}

static int add_value(struct doc_builder *b, const json_t *v, struct err *err);

static int add_object(struct doc_builder *b, json_t *v, struct err *err)
{
	const char *key;
	json_t *child;
	int r = doc_begin(b, DOC_MAP, 0, err);

	if (r < 0)
		return r;
	json_object_foreach(v, key, child)
	{
		r = doc_add_key(b, key, strlen(key), 0, err);
		if (r == 0)
			r = add_value(b, child, err);
		if (r < 0)
			return r;
	}
	return doc_end(b, err);
}

static int add_array(struct doc_builder *b, const json_t *v, struct err *err)
{
	int r = doc_begin(b, DOC_LIST, 0, err);

	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = add_value(b, json_array_get(v, i), err);
	return r < 0 ? r : doc_end(b, err);
}

static int add_text(struct doc_builder *b, enum doc_type type, const char *text, struct err *err)
{
	return doc_add_scalar(b, type, text, strlen(text), type == DOC_STRING, 0, err);
}

/* The depth was checked on the text: this goes no deeper than limits.depth. */
static int add_value(struct doc_builder *b, const json_t *v, struct err *err)
{
	char number[32];

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return add_object(b, (json_t *)(uintptr_t)v, err);
	case JSON_ARRAY:
		return add_array(b, v, err);
	case JSON_STRING:
		return add_text(b, DOC_STRING, json_string_value(v), err);
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return add_text(b, DOC_NUMBER, number, err);
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(v));
		return add_text(b, DOC_NUMBER, number, err);
	case JSON_TRUE:
		return add_text(b, DOC_BOOL, "true", err);
	case JSON_FALSE:
		return add_text(b, DOC_BOOL, "false", err);
	case JSON_NULL:
		return add_text(b, DOC_NULL, "null", err);
	}
	return err_set(err, -EINVAL, "unknown type of value");
}

/* Without what it is near to, which may be a password. */
static int syntax_error(const json_error_t *why, struct err *err)
{
	const char *near = strstr(why->text, " near '");
	size_t len = near ? (size_t)(near - why->text) : strlen(why->text);

	return err_set(err, -EINVAL, "line %d: %.*s", why->line, (int)len, why->text);
}

int doc_read_json(const void *text, size_t len, const struct doc_limits *limits,
		  struct doc_set *out, struct err *err)
{
	struct doc_builder b;
	json_error_t why;
	json_t *root;
	int r = check_bounds(text, len, limits, err);

	if (r < 0)
		return r;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	if (!root)
		return syntax_error(&why, err);
	doc_builder_init(&b, limits);
	r = add_value(&b, root, err);
	json_decref(root);
	if (r == 0)
		doc_builder_take(&b, out);
	doc_builder_done(&b);
	return r;
}
