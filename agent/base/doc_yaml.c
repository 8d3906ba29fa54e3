/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * YAML by libyaml's events, which cost a bounded piece of work each.
 *
 * A plain scalar is given its type as sigs.k8s.io/yaml does, which kubectl
 * and the API server read manifests with: YAML 1.1's booleans, and numbers
 * and nulls. Sexagesimals and dates stay strings there and here.
 */
#include "agent/base/doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "agent/base/doc_build.h"
#include "agent/base/xalloc.h"

#define TAG_PREFIX "tag:yaml.org,2002:"
/* In one go, for callers that want the whole text at once. */
#define PIECES_ALL 100000

struct doc_reader {
	yaml_parser_t parser;
	struct doc_builder builder;
	bool over; /* the stream ended, or an error was told */
};

struct doc_reader *doc_reader_new(const void *text, size_t len, const struct doc_limits *limits)
{
	struct doc_reader *r = xcalloc(1, sizeof(*r));

	/* It fails for want of memory alone. */
	if (!yaml_parser_initialize(&r->parser))
		abort();
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, text, len);
	doc_builder_init(&r->builder, limits);
	return r;
}

void doc_reader_free(struct doc_reader *r)
{
	if (!r)
		return;
	yaml_parser_delete(&r->parser);
	doc_builder_done(&r->builder);
	free(r);
}

static bool is_one_of(const char *s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(s, words[i]) == 0)
			return true;
	}
	return false;
}

static bool all_of(const char *s, const char *set)
{
	return *s && s[strspn(s, set)] == '\0';
}

/* [-+]?(digits[.digits] | .digits)([eE][-+]?digits)? */
static bool is_decimal(const char *s)
{
	static const char digits[] = "0123456789";
	size_t whole, part = 0;

	s += *s == '-' || *s == '+';
	whole = strspn(s, digits);
	s += whole;
	if (*s == '.') {
		part = strspn(++s, digits);
		s += part;
	}
	if (whole + part == 0)
		return false;
	if (*s == '\0')
		return true;
	if (*s != 'e' && *s != 'E')
		return false;
	s++;
	s += *s == '-' || *s == '+';
	return all_of(s, digits);
}

static bool is_number(const char *s)
{
	static const char *const special[] = {
		".nan",	 ".NaN",  ".NAN",  ".inf",  ".Inf",  ".INF",
		"+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"
	};
	const char *u = s + (*s == '-' || *s == '+');

	if (u[0] == '0' && (u[1] == 'x' || u[1] == 'X'))
		return all_of(u + 2, "0123456789abcdefABCDEF");
	if (u[0] == '0' && (u[1] == 'o' || u[1] == 'O'))
		return all_of(u + 2, "01234567");
	if (u[0] == '0' && (u[1] == 'b' || u[1] == 'B'))
		return all_of(u + 2, "01");
	return is_decimal(s) || is_one_of(s, special, ARRAY_LEN(special));
}

static enum doc_type type_of_plain(const char *s)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE",
					     "y",    "Y",    "yes",  "Yes",   "YES",   "n",
					     "N",    "no",   "No",   "NO",    "on",    "On",
					     "ON",   "off",  "Off",  "OFF" };

	if (is_one_of(s, nulls, ARRAY_LEN(nulls)))
		return DOC_NULL;
	if (is_one_of(s, bools, ARRAY_LEN(bools)))
		return DOC_BOOL;
	return is_number(s) ? DOC_NUMBER : DOC_STRING;
}

/* Nothing that YAML gives a meaning to: letters, digits and a few signs inside. */
bool doc_plain_is_string(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789./_";
	size_t n = strlen(s);

	/* '-' and ':' are plain where they are inside: "a-b", "10.0.0.1:80", not "- a" or "a: b". */
	return n > 0 && strchr(letters, s[0]) && strchr(letters, s[n - 1]) &&
	       s[strspn(s,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./_-:")] ==
		       '\0' &&
	       type_of_plain(s) == DOC_STRING;
}

static unsigned line_of(const yaml_event_t *e)
{
	return (unsigned)e->start_mark.line + 1;
}

/* A password that begins with '!' or '*' and lacks its quotes is no text for a message. */
static int bad_tag(const yaml_event_t *e, const char *tag, struct err *err)
{
	if (strncmp(tag, TAG_PREFIX, sizeof(TAG_PREFIX) - 1) != 0)
		return err_set(err, -EINVAL,
			       "line %u: a tag (!...) is not taken here: put a text that begins "
			       "with '!' in quotes",
			       line_of(e));
	return err_set(err, -EINVAL, "line %u: the tag \"%.64s\" is not taken here", line_of(e),
		       tag);
}

/* An explicit tag has to agree with what the text is read as; "!!str" makes anything a string. */
static int type_of_scalar(const yaml_event_t *e, enum doc_type *out, struct err *err)
{
	static const struct {
		const char *name;
		enum doc_type type;
	} tags[] = { { "null", DOC_NULL },
		     { "bool", DOC_BOOL },
		     { "int", DOC_NUMBER },
		     { "float", DOC_NUMBER } };
	const char *tag = (const char *)e->data.scalar.tag;
	enum doc_type plain = type_of_plain((const char *)e->data.scalar.value);

	if (!tag) {
		*out = e->data.scalar.plain_implicit ? plain : DOC_STRING;
		return 0;
	}
	*out = DOC_STRING;
	if (strcmp(tag, "!") == 0 || strcmp(tag, TAG_PREFIX "str") == 0)
		return 0;
	if (strncmp(tag, TAG_PREFIX, sizeof(TAG_PREFIX) - 1) != 0)
		return bad_tag(e, tag, err);
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (strcmp(tag + sizeof(TAG_PREFIX) - 1, tags[i].name) == 0 &&
		    tags[i].type == plain) {
			*out = plain;
			return 0;
		}
	}
	return bad_tag(e, tag, err);
}

static int take_scalar(struct doc_builder *b, const yaml_event_t *e, struct err *err)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	enum doc_type type;
	int r;

	if (doc_wants_key(b)) {
		if (plain && strcmp(text, "<<") == 0)
			return err_set(err, -EINVAL, "line %u: merge keys (<<) are not taken here",
				       line_of(e));
		return doc_add_key(b, text, len, line_of(e), err);
	}
	r = type_of_scalar(e, &type, err);
	if (r < 0)
		return r;
	return doc_add_scalar(b, type, text, len, !plain, line_of(e), err);
}

static int take_start(struct doc_builder *b, const yaml_event_t *e, struct err *err)
{
	bool map = e->type == YAML_MAPPING_START_EVENT;
	const char *tag = (const char *)(map ? e->data.mapping_start.tag
					     : e->data.sequence_start.tag);

	if (tag && strcmp(tag, "!") != 0 &&
	    strcmp(tag, map ? TAG_PREFIX "map" : TAG_PREFIX "seq") != 0)
		return bad_tag(e, tag, err);
	if (doc_wants_key(b))
		return err_set(err, -EINVAL, "line %u: a key is %s: it has to be one word",
			       line_of(e), map ? "a map" : "a list");
	return doc_begin(b, map ? DOC_MAP : DOC_LIST, line_of(e), err);
}

static int take(struct doc_reader *r, const yaml_event_t *e, struct err *err)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(&r->builder, e, err);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return take_start(&r->builder, e, err);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return doc_end(&r->builder, err);
	case YAML_ALIAS_EVENT:
		return err_set(err, -EINVAL,
			       "line %u: aliases (*...) are not taken here: put a text that begins "
			       "with '*' in quotes",
			       line_of(e));
	case YAML_STREAM_END_EVENT:
		r->over = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return 0;
}

static int syntax_error(const yaml_parser_t *p, struct err *err)
{
	if (p->error == YAML_MEMORY_ERROR)
		abort();
	if (p->error == YAML_READER_ERROR)
		return err_set(err, -EINVAL, "byte %zu: %s", p->problem_offset, p->problem);
	if (p->context)
		return err_set(err, -EINVAL, "line %zu: %s (%s in line %zu)",
			       p->problem_mark.line + 1, p->problem, p->context,
			       p->context_mark.line + 1);
	return err_set(err, -EINVAL, "line %zu: %s", p->problem_mark.line + 1, p->problem);
}

/* "---" alone is one null without text: left out. */
static bool is_empty(const struct doc *root)
{
	return !root || (root->type == DOC_NULL && root->text[0] == '\0');
}

enum doc_step doc_reader_step(struct doc_reader *r, unsigned pieces, struct doc_set *out,
			      struct err *err)
{
	yaml_event_t e;

	for (; pieces > 0 && !r->over; pieces--) {
		yaml_event_type_t type;
		int result;

		if (!yaml_parser_parse(&r->parser, &e)) {
			r->over = true;
			(void)syntax_error(&r->parser, err);
			return DOC_STEP_ERROR;
		}
		type = e.type;
		result = take(r, &e, err);
		yaml_event_delete(&e);
		if (result < 0) {
			r->over = true;
			return DOC_STEP_ERROR;
		}
		if (type != YAML_DOCUMENT_END_EVENT)
			continue;
		if (!is_empty(r->builder.root)) {
			doc_builder_take(&r->builder, out);
			return DOC_STEP_DOCUMENT;
		}
		doc_builder_done(&r->builder);
		doc_builder_init(&r->builder, &r->builder.limits);
	}
	return r->over ? DOC_STEP_END : DOC_STEP_MORE;
}

/* Appends the one document of `from`, whose memory becomes part of `to`. */
static void add_document(struct doc_set *to, struct doc_set *from)
{
	if (to->arena) {
		arena_absorb(to->arena, from->arena);
		free(from->arena);
	} else {
		to->arena = from->arena;
	}
	to->roots = xreallocarray(to->roots, to->count + 1, sizeof(*to->roots));
	to->roots[to->count++] = from->roots[0];
}

/* The array of roots moves into the arena, so that one call frees all. */
static void keep_roots(struct doc_set *s)
{
	const struct doc **roots;

	if (s->count == 0)
		return;
	roots = arena_take(s->arena, s->count * sizeof(*roots));
	memcpy(roots, s->roots, s->count * sizeof(*roots));
	free(s->roots);
	s->roots = roots;
}

int doc_read_yaml(const void *text, size_t len, const struct doc_limits *limits,
		  struct doc_set *out, struct err *err)
{
	struct doc_reader *r = doc_reader_new(text, len, limits);
	struct doc_set all = { 0 }, one;
	struct err why = { 0 };
	enum doc_step step;

	do {
		step = doc_reader_step(r, PIECES_ALL, &one, &why);
		if (step == DOC_STEP_DOCUMENT)
			add_document(&all, &one);
	} while (step == DOC_STEP_DOCUMENT || step == DOC_STEP_MORE);
	doc_reader_free(r);
	keep_roots(&all);
	if (step == DOC_STEP_ERROR) {
		doc_set_done(&all);
		return err_set(err, why.code, "%s", why.text);
	}
	*out = all;
	return 0;
}
