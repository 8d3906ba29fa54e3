/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A state machine over bytes for what is around the items, and one quick scan
 * for what is inside of them: only quotes and brackets matter there. An item
 * that lies in one piece is told from where it lies; only one that is spread
 * over several is put together in `held`.
 */
#include "watch/json_split.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "watch/json_head.h"
#include "watch/json_scan.h"

#define HELD_KEEP  (256u << 10) /* a larger buffer goes when its item is told */
#define KEY_MAX	   64		/* with its quotes; a longer key is none that we know */
#define LIST_NODES 10000

enum state {
	AT_EVENT,	/* a watch's next object */
	AT_LIST,	/* the list's '{' */
	AT_KEY_OR_END,	/* after it */
	AT_KEY,		/* after a comma */
	AT_COLON,	/* after a key */
	AT_VALUE,	/* after the colon */
	AT_NEXT,	/* after a value */
	AT_ITEM_OR_END, /* after items' '[' */
	AT_ITEM,	/* after a comma there */
	AT_ITEM_NEXT,	/* after an item */
	AT_REST,	/* after the list: blanks alone */
	IN_NESTED,	/* inside of an object or a list */
	IN_STRING,
	IN_LITERAL, /* a number, true, false, null */
};

/* What a value is read for. */
enum role { ROLE_SKIP, ROLE_KEY, ROLE_KIND, ROLE_METADATA, ROLE_ITEMS, ROLE_ITEM };

struct json_split {
	enum json_split_mode mode;
	struct json_split_sink sink;
	enum state state;
	enum state after; /* the value */
	enum role role;	  /* of the value being read, or that comes next */
	int failed;
	uint64_t offset; /* of the piece's first byte in the stream */
	/* The value being read. */
	struct json_scan scan;
	bool oversized; /* `held` is its head only */
	uint64_t len;	/* of what earlier pieces had of it */
	struct buf held;
	/* The list. */
	bool had_items;
	char *continue_token; /* NULL: none */
	struct json_split_list list;
};

struct json_split *json_split_new(enum json_split_mode mode, const struct json_split_sink *sink)
{
	struct json_split *s = xcalloc(1, sizeof(*s));

	s->mode = mode;
	s->sink = *sink;
	s->state = mode == JSON_SPLIT_LIST ? AT_LIST : AT_EVENT;
	s->list.continue_token = "";
	return s;
}

void json_split_free(struct json_split *s)
{
	if (!s)
		return;
	buf_done(&s->held);
	free(s->continue_token);
	free(s);
}

const struct json_split_list *json_split_list(const struct json_split *s)
{
	return &s->list;
}

size_t json_split_memory(const struct json_split *s)
{
	return s->held.cap;
}

static int garbage(struct json_split *s, uint64_t at, struct err *err, const char *what)
{
	s->failed = -EBADMSG;
	return err_set(err, -EBADMSG, "no such JSON at byte %llu: %s", (unsigned long long)at,
		       what);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_literal(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '+' ||
	       c == '-' || c == '.';
}

/* --- what is kept of a value ------------------------------------------------ */

static size_t role_max(enum role role)
{
	switch (role) {
	case ROLE_SKIP:
		return 0;
	case ROLE_KEY:
	case ROLE_KIND:
	case ROLE_ITEMS:
		return KEY_MAX;
	case ROLE_METADATA:
		return JSON_SPLIT_METADATA_MAX;
	case ROLE_ITEM:
		return JSON_SPLIT_ITEM_MAX;
	}
	return 0;
}

static void cut_to_head(struct json_split *s)
{
	s->oversized = true;
	if (s->held.len <= JSON_SPLIT_HEAD_MAX)
		return;
	s->held.data = xreallocarray(s->held.data, JSON_SPLIT_HEAD_MAX, 1);
	s->held.len = s->held.cap = JSON_SPLIT_HEAD_MAX;
}

/* Takes in what this piece has of the value. */
static void keep(struct json_split *s, const char *from, size_t n)
{
	s->len += n;
	if (s->role == ROLE_SKIP)
		return;
	if (!s->oversized && s->len > role_max(s->role))
		cut_to_head(s);
	if (s->oversized && n > JSON_SPLIT_HEAD_MAX - s->held.len)
		n = JSON_SPLIT_HEAD_MAX - s->held.len;
	buf_put(&s->held, from, n);
}

static void forget_value(struct json_split *s)
{
	s->len = 0;
	s->oversized = false;
	buf_reset(&s->held);
	if (s->held.cap > HELD_KEEP)
		buf_done(&s->held);
}

/* --- whole values ----------------------------------------------------------- */

/* A string's bytes as they stand between its quotes. */
static bool copy_plain(const char *text, size_t len, char *out, size_t size)
{
	if (len < 2 || text[0] != '"' || len - 2 >= size || memchr(text, '\\', len))
		return false;
	memcpy(out, text + 1, len - 2);
	out[len - 2] = '\0';
	return true;
}

static const char *take_kind(struct json_split *s, const char *text, size_t len)
{
	if (!copy_plain(text, len, s->list.kind, sizeof(s->list.kind)))
		return "kind is no plain word";
	return NULL;
}

static const char *take_metadata(struct json_split *s, const char *text, size_t len)
{
	const struct doc_limits limits = { .nodes = LIST_NODES, .depth = DOC_LIMITS_DEFAULT.depth };
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	const char *version, *token;

	if (doc_read_json(text, len, &limits, &set, NULL) < 0 || set.count != 1 ||
	    set.roots[0]->type != DOC_MAP)
		return "metadata is no object";
	version = doc_string(doc_get(set.roots[0], "resourceVersion"));
	token = doc_string(doc_get(set.roots[0], "continue"));
	if (version && strlen(version) >= sizeof(s->list.resource_version))
		return "metadata.resourceVersion is too long";
	snprintf(s->list.resource_version, sizeof(s->list.resource_version), "%s",
		 version ? version : "");
	free(s->continue_token);
	s->continue_token = token ? xstrdup(token) : NULL;
	s->list.continue_token = s->continue_token ? s->continue_token : "";
	return NULL;
}

static void take_key(struct json_split *s, const char *text, size_t len)
{
	char key[KEY_MAX];

	s->role = ROLE_SKIP;
	if (!copy_plain(text, len, key, sizeof(key)))
		return;
	if (strcmp(key, "kind") == 0)
		s->role = ROLE_KIND;
	else if (strcmp(key, "metadata") == 0)
		s->role = ROLE_METADATA;
	else if (strcmp(key, "items") == 0)
		s->role = ROLE_ITEMS;
}

static const char *take_item(struct json_split *s, const char *text, size_t len)
{
	struct json_split_oversized o;
	bool more;

	if (s->oversized) {
		json_head_read(text, len, s->mode, &o);
		o.len = s->len;
		more = s->sink.oversized(s->sink.arg, &o);
	} else {
		more = s->sink.item(s->sink.arg, text, len);
	}
	if (!more)
		s->failed = -ECANCELED;
	return NULL;
}

/* NULL, or what is wrong with it. */
static const char *take_value(struct json_split *s, const char *text, size_t len)
{
	if (s->oversized && (s->role == ROLE_KIND || s->role == ROLE_METADATA))
		return "too long";
	switch (s->role) {
	case ROLE_SKIP:
		return NULL;
	case ROLE_KEY:
		take_key(s, text, s->oversized ? 0 : len);
		return NULL;
	case ROLE_KIND:
		return take_kind(s, text, len);
	case ROLE_METADATA:
		return take_metadata(s, text, len);
	case ROLE_ITEMS: /* as a list it is no value but a state */
		return len == 4 && memcmp(text, "null", 4) == 0 ? NULL : "items is no list";
	case ROLE_ITEM:
		return take_item(s, text, len);
	}
	return NULL;
}

/* The value ends at `end`, and this piece has it from `from` on. */
static const char *end_value(struct json_split *s, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);
	const char *wrong;

	s->state = s->after;
	if (s->len == 0 && n <= role_max(s->role)) {
		s->len = n;
		wrong = take_value(s, from, n);
	} else {
		keep(s, from, n);
		wrong = take_value(s, (const char *)s->held.data, s->held.len);
	}
	forget_value(s);
	return wrong;
}

/* One value, or what this piece has of it; returns where to go on. */
static const char *in_value(struct json_split *s, const char *p, const char *end,
			    const char **wrong)
{
	const char *from = p;
	bool over = false;

	if (s->state == IN_NESTED) {
		p = json_scan_nested(&s->scan, p, end, &over, wrong);
	} else if (s->state == IN_STRING) {
		if (!s->scan.in_string) { /* the quote itself */
			s->scan.in_string = true;
			p++;
		}
		p = json_scan_string(&s->scan, p, end, &over);
		s->scan.in_string = !over;
	} else {
		while (p < end && is_literal(*p))
			p++;
		over = p < end;
	}
	if (*wrong)
		return p;
	if (over)
		*wrong = end_value(s, from, p);
	else
		keep(s, from, (size_t)(p - from));
	return p;
}

/* --- around the values ------------------------------------------------------- */

/* At the first byte of a value: it is not passed here. */
static const char *begin_value(struct json_split *s, char c, enum state after)
{
	s->after = after;
	if (c == '{' || c == '[')
		s->state = IN_NESTED;
	else if (c == '"')
		s->state = IN_STRING;
	else if (is_literal(c))
		s->state = IN_LITERAL;
	else
		return "a value is expected";
	return NULL;
}

static const char *begin_item(struct json_split *s, char c, enum state after)
{
	if (c != '{')
		return "an object is expected";
	s->role = ROLE_ITEM;
	return begin_value(s, c, after);
}

static const char *begin_key(struct json_split *s, char c)
{
	if (c != '"')
		return "a key is expected";
	s->role = ROLE_KEY;
	return begin_value(s, c, AT_COLON);
}

static const char *begin_list_value(struct json_split *s, char c, bool *pass)
{
	if (s->role != ROLE_ITEMS)
		return begin_value(s, c, AT_NEXT);
	if (s->had_items)
		return "items twice";
	s->had_items = true;
	if (c != '[')
		return begin_value(s, c, AT_NEXT);
	s->state = AT_ITEM_OR_END;
	*pass = true;
	return NULL;
}

static const char *go(struct json_split *s, bool as_expected, enum state next, const char *what)
{
	if (!as_expected)
		return what;
	s->state = next;
	return NULL;
}

/* One byte that is no blank, outside of values. *pass: it is done with. */
static const char *step(struct json_split *s, char c, bool *pass)
{
	*pass = false;
	switch (s->state) {
	case AT_EVENT:
		return begin_item(s, c, AT_EVENT);
	case AT_LIST:
		*pass = true;
		return go(s, c == '{', AT_KEY_OR_END, "an object is expected");
	case AT_KEY_OR_END:
		*pass = c == '}';
		return *pass ? go(s, true, AT_REST, "") : begin_key(s, c);
	case AT_KEY:
		return begin_key(s, c);
	case AT_COLON:
		*pass = true;
		return go(s, c == ':', AT_VALUE, "a colon is expected");
	case AT_VALUE:
		return begin_list_value(s, c, pass);
	case AT_NEXT:
		*pass = true;
		return go(s, c == ',' || c == '}', c == ',' ? AT_KEY : AT_REST,
			  "a comma or the end of the list is expected");
	case AT_ITEM_OR_END:
		*pass = c == ']';
		return *pass ? go(s, true, AT_NEXT, "") : begin_item(s, c, AT_ITEM_NEXT);
	case AT_ITEM:
		return begin_item(s, c, AT_ITEM_NEXT);
	case AT_ITEM_NEXT:
		*pass = true;
		return go(s, c == ',' || c == ']', c == ',' ? AT_ITEM : AT_NEXT,
			  "a comma or the end of the items is expected");
	case AT_REST:
		return "more after the end of the list";
	case IN_NESTED:
	case IN_STRING:
	case IN_LITERAL:
		break;
	}
	assert(!"inside of a value");
	return NULL;
}

int json_split_feed(struct json_split *s, const void *data, size_t len, struct err *err)
{
	const char *begin = data;
	const char *p = begin, *end = begin + len;
	const char *wrong = NULL;

	while (p < end && !s->failed) {
		bool pass = true;

		if (s->state >= IN_NESTED)
			p = in_value(s, p, end, &wrong);
		else if (is_blank(*p))
			p++;
		else if (!(wrong = step(s, *p, &pass)))
			p += pass;
		if (wrong)
			return garbage(s, s->offset + (uint64_t)(p - begin), err, wrong);
	}
	s->offset += len;
	return s->failed ? err_set(err, s->failed, "the stream is over") : 0;
}

int json_split_end(struct json_split *s, struct err *err)
{
	if (s->failed)
		return err_set(err, s->failed, "the stream is over");
	if (s->state != AT_EVENT && s->state != AT_REST)
		return garbage(s, s->offset, err, "it ends before its end");
	return 0;
}
