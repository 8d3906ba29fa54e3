/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_schema.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define KEYS_MAX 64 /* in one mapping; for "did you mean" */

/* --- where we are, and what is wrong there --------------------------------------- */

size_t schema_enter(struct schema_reader *r, const char *key)
{
	size_t mark = r->where_len;
	size_t room = sizeof(r->where) - mark;
	int n = snprintf(r->where + mark, room, "%s%.48s", mark > 0 ? "." : "", key);

	if (n > 0)
		r->where_len += (size_t)n < room ? (size_t)n : room - 1;
	return mark;
}

size_t schema_enter_item(struct schema_reader *r, size_t index)
{
	size_t mark = r->where_len;
	size_t room = sizeof(r->where) - mark;
	int n = snprintf(r->where + mark, room, "[%zu]", index);

	if (n > 0)
		r->where_len += (size_t)n < room ? (size_t)n : room - 1;
	return mark;
}

void schema_leave(struct schema_reader *r, size_t mark)
{
	r->where_len = mark;
	r->where[mark] = '\0';
}

static PRINTF_LIKE(3, 0) int bad(struct schema_reader *r, const struct doc *d, const char *fmt,
				 va_list ap)
{
	char text[ERR_TEXT_MAX];
	char line[24] = "";

	vsnprintf(text, sizeof(text), fmt, ap);
	if (d && d->line > 0)
		snprintf(line, sizeof(line), "line %u: ", d->line);
	return err_set(r->err, -EINVAL, "%s: %s%s%s%s", r->file, line, r->where,
		       r->where_len > 0 ? ": " : "", text);
}

int schema_bad(struct schema_reader *r, const struct doc *d, const char *fmt, ...)
{
	va_list ap;
	int code;

	va_start(ap, fmt);
	code = bad(r, d, fmt, ap);
	va_end(ap);
	return code;
}

int schema_bad_key(struct schema_reader *r, const struct doc *d, const char *key, const char *fmt,
		   ...)
{
	size_t mark = schema_enter(r, key);
	va_list ap;
	int code;

	va_start(ap, fmt);
	code = bad(r, d, fmt, ap);
	va_end(ap);
	schema_leave(r, mark);
	return code;
}

/* --- scalars --------------------------------------------------------------------- */

const char *schema_string(struct schema_reader *r, const struct doc *d)
{
	const char *s = doc_string(d);

	if (s)
		return s;
	if (d->type == DOC_NUMBER || d->type == DOC_BOOL)
		schema_bad(r, d, "%.64s is %s in YAML: put it in quotes to have a text", d->text,
			   doc_type_text(d->type));
	else
		schema_bad(r, d, "has to be a text, not %s", doc_type_text(d->type));
	return NULL;
}

const char *schema_scalar(struct schema_reader *r, const struct doc *d)
{
	if (d->type == DOC_STRING || d->type == DOC_NUMBER)
		return d->text;
	schema_bad(r, d, "has to be a single value, not %s", doc_type_text(d->type));
	return NULL;
}

static void *field(const struct schema_key *k, void *base)
{
	return (char *)base + k->offset;
}

static const void *const_field(const struct schema_key *k, const void *base)
{
	return (const char *)base + k->offset;
}

static void store(const struct schema_key *k, void *base, uint32_t value)
{
	uint8_t u8 = (uint8_t)value;
	uint16_t u16 = (uint16_t)value;

	switch (k->size) {
	case 1:
		memcpy(field(k, base), &u8, 1);
		return;
	case 2:
		memcpy(field(k, base), &u16, 2);
		return;
	default:
		assert(k->size == sizeof(value));
		memcpy(field(k, base), &value, sizeof(value));
	}
}

static uint32_t load(const struct schema_key *k, const void *base)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;

	switch (k->size) {
	case 1:
		memcpy(&u8, const_field(k, base), 1);
		return u8;
	case 2:
		memcpy(&u16, const_field(k, base), 2);
		return u16;
	default:
		memcpy(&u32, const_field(k, base), 4);
		return u32;
	}
}

static int read_text(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	char **to = field(k, base);
	const char *s = schema_string(r, d);
	const char *why;
	size_t len;

	if (!s)
		return -EINVAL;
	len = strlen(s);
	if (len < k->min || len > k->max)
		return schema_bad(r, d, "has %zu characters; %u to %u are possible", len, k->min,
				  k->max);
	for (const char *c = s; *c; c++) {
		if (*c < ' ' || *c > '~')
			return schema_bad(r, d, "has a character outside printable ASCII");
	}
	why = k->fault ? k->fault(s) : NULL;
	if (why)
		return schema_bad(r, d, "'%.64s' %s", s, why);
	free(*to);
	*to = xstrdup(s);
	return 0;
}

static void print_text(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	const char *const *from = const_field(k, base);

	(void)depth;
	if (!*from)
		return;
	buf_str(out, " ");
	schema_print_text(*from, out);
}

const struct schema_type schema_text = { .read = read_text, .print = print_text };

static int read_form(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	const char *s = k->form->like_number ? schema_scalar(r, d) : schema_string(r, d);
	const char *why = s ? k->form->parse(s, base) : NULL;

	if (!s)
		return -EINVAL;
	return why ? schema_bad(r, d, "'%.64s'%s", s, why) : 0;
}

static void print_form(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	char text[SCHEMA_FORM_TEXT_MAX];
	const char *s = k->form->text(base, text);

	(void)depth;
	if (s)
		buf_printf(out, k->form->like_number ? " \"%s\"" : " %s", s);
}

const struct schema_type schema_form = { .read = read_form, .print = print_form };

/* Of one list, on its way into the field. */
struct texts_reader {
	const struct schema_key *key;
	struct schema_texts *to;
};

static int read_item(struct schema_reader *r, const struct doc *d, void *arg)
{
	const struct texts_reader *t = arg;
	const char *s = schema_string(r, d);
	const char *why = s ? t->key->fault(s) : NULL;

	if (!s)
		return -EINVAL;
	if (why)
		return schema_bad(r, d, "'%.80s' %s", s, why);
	t->to->items[t->to->count++] = xstrdup(s);
	return 0;
}

static int read_texts(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		      void *base)
{
	struct texts_reader t = { k, field(k, base) };

	t.to->items = xcalloc(k->max, sizeof(char *));
	return schema_read_list(r, d, k->max, read_item, &t);
}

static void print_texts(const struct schema_key *k, const void *base, unsigned depth,
			struct buf *out)
{
	const struct schema_texts *t = const_field(k, base);

	for (size_t i = 0; i < t->count; i++) {
		schema_print_line(depth, out);
		buf_str(out, "- ");
		schema_print_text(t->items[i], out);
	}
}

const struct schema_type schema_texts = { .read = read_texts, .print = print_texts };

void schema_texts_done(struct schema_texts *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->items[i]);
	free(t->items);
}

static int bad_word(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		    const char *s)
{
	CLEANUP(buf_done) struct buf hint = { 0 };

	value_words_hint(k->words, s, &hint);
	return schema_bad(r, d, "'%.64s' is not possible: %s", s, buf_cstr(&hint));
}

/* Words such as "none" are strings in YAML, but "on" and "no" are not: the text is what counts. */
static int find_word(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     uint32_t *out)
{
	if (!d->text)
		return schema_bad(r, d, "has to be a word, not %s", doc_type_text(d->type));
	return value_word(k->words, d->text, out) == 0 ? 0 : bad_word(r, k, d, d->text);
}

static int read_word(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	uint32_t value = 0;
	int code = find_word(r, k, d, &value);

	if (code == 0)
		store(k, base, value);
	return code;
}

static void print_word(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	(void)depth;
	buf_printf(out, " %s", value_word_text(k->words, load(k, base)));
}

const struct schema_type schema_word = { .read = read_word, .print = print_word };

static int read_word_text(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			  void *base)
{
	uint32_t value = 0;
	int code = find_word(r, k, d, &value);

	if (code == 0)
		snprintf(field(k, base), k->size, "%s", d->text);
	return code;
}

static void print_word_text(const struct schema_key *k, const void *base, unsigned depth,
			    struct buf *out)
{
	(void)depth;
	buf_printf(out, " %s", (const char *)const_field(k, base));
}

static const struct value_word truth_words[] = { { "false", false }, { "true", true } };
const struct value_words schema_truth = VALUE_WORDS(truth_words);

const struct schema_type schema_word_text = { .read = read_word_text, .print = print_word_text };

static int read_number(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		       void *base)
{
	const char *s = schema_scalar(r, d);
	uint64_t value;
	int code;

	if (!s)
		return -EINVAL;
	code = value_uint(s, k->min, k->max, &value);
	if (code == -ERANGE)
		return schema_bad(r, d, "%.64s is outside %u to %u", s, k->min, k->max);
	if (code < 0)
		return schema_bad(r, d, "'%.64s' is not a whole number", s);
	store(k, base, (uint32_t)value);
	return 0;
}

static void print_number(const struct schema_key *k, const void *base, unsigned depth,
			 struct buf *out)
{
	(void)depth;
	buf_printf(out, " %" PRIu32, load(k, base));
}

const struct schema_type schema_number = { .read = read_number, .print = print_number };

static int read_duration(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			 uint32_t *out_ms)
{
	char min[VALUE_DURATION_TEXT_MAX];
	char max[VALUE_DURATION_TEXT_MAX];
	const char *s = schema_scalar(r, d);
	int code;

	if (!s)
		return -EINVAL;
	code = value_duration_ms(s, k->min, k->max, out_ms);
	if (code == -ERANGE)
		return schema_bad(r, d, "%.64s is outside %s to %s", s,
				  value_duration_text(k->min, min),
				  value_duration_text(k->max, max));
	if (code < 0)
		return schema_bad(r, d,
				  "'%.64s' is not a duration: write seconds (2, 0.5), or 500ms, "
				  "2s, 1m, 1h",
				  s);
	return 0;
}

static int read_ms(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		   void *base)
{
	uint32_t ms = 0;
	int code = read_duration(r, k, d, &ms);

	if (code == 0)
		store(k, base, ms);
	return code;
}

static void print_ms(const struct schema_key *k, const void *base, unsigned depth, struct buf *out)
{
	char text[VALUE_DURATION_TEXT_MAX];

	(void)depth;
	buf_printf(out, " %s", value_duration_text(load(k, base), text));
}

const struct schema_type schema_ms = { .read = read_ms, .print = print_ms };

static int read_s(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		  void *base)
{
	uint32_t ms = 0;
	int code = read_duration(r, k, d, &ms);

	if (code < 0)
		return code;
	if (ms % 1000 != 0)
		return schema_bad(r, d, "%.64s is not a number of whole seconds", d->text);
	store(k, base, ms / 1000);
	return 0;
}

static void print_s(const struct schema_key *k, const void *base, unsigned depth, struct buf *out)
{
	char text[VALUE_DURATION_TEXT_MAX];

	(void)depth;
	buf_printf(out, " %s", value_duration_text(load(k, base) * 1000, text));
}

const struct schema_type schema_s = { .read = read_s, .print = print_s };

/* --- mappings and lists -------------------------------------------------------------------- */

static int unknown_key(struct schema_reader *r, const struct doc *d,
		       const struct schema_section *sections, size_t count)
{
	const char *names[KEYS_MAX];
	const char *near;
	size_t n = 0;

	for (size_t s = 0; s < count; s++) {
		for (size_t i = 0; i < sections[s].count && n < KEYS_MAX; i++)
			names[n++] = sections[s].keys[i].name;
	}
	near = value_nearest(d->key, names, n);
	if (near)
		return schema_bad(r, d, "there is no such key here. Did you mean '%s'?", near);
	return schema_bad(r, d, "there is no such key here; see parasaus.yaml(5)");
}

static int read_key(struct schema_reader *r, const struct doc *d,
		    const struct schema_section *sections, size_t count)
{
	for (size_t s = 0; s < count; s++) {
		for (size_t i = 0; i < sections[s].count; i++) {
			const struct schema_key *k = &sections[s].keys[i];

			if (strcmp(k->name, d->key) != 0)
				continue;
			if (d->type == DOC_NULL)
				return schema_bad(r, d,
						  "has no value: leave the key out to have "
						  "the default");
			return k->type->read(r, k, d, sections[s].base);
		}
	}
	return unknown_key(r, d, sections, count);
}

int schema_read_map(struct schema_reader *r, const struct doc *d,
		    const struct schema_section *sections, size_t count)
{
	if (d->type != DOC_MAP)
		return schema_bad(r, d, "has to be a mapping ('key: value' lines), not %s",
				  doc_type_text(d->type));
	for (const struct doc *child = d->first; child; child = child->next) {
		size_t mark = schema_enter(r, child->key);
		int code = read_key(r, child, sections, count);

		schema_leave(r, mark);
		if (code < 0)
			return code;
	}
	return 0;
}

int schema_read_list(struct schema_reader *r, const struct doc *d, size_t max, schema_item_fn *fn,
		     void *base)
{
	size_t n = 0;
	int code = 0;

	if (d->type != DOC_LIST)
		return schema_bad(r, d, "has to be a list ('- ' before each item), not %s",
				  doc_type_text(d->type));
	if (d->count == 0)
		return schema_bad(r, d, "is an empty list: leave the key out instead");
	if (d->count > max)
		return schema_bad(r, d, "has %zu items; the most is %zu", d->count, max);
	for (const struct doc *item = d->first; item && code == 0; item = item->next) {
		size_t mark = schema_enter_item(r, n++);

		code = fn(r, item, base);
		schema_leave(r, mark);
	}
	return code;
}

/* A default goes the way of what is written, so it can be no other than a good value. */
void schema_defaults(const struct schema_section *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct schema_key *k = &s->keys[i];
		const struct doc d = { .type = DOC_STRING, .text = k->fallback };
		struct schema_reader r = { .file = "default" };
		int code;

		if (!k->fallback)
			continue;
		code = k->type->read(&r, k, &d, s->base);
		assert(code == 0);
		(void)code;
	}
}

/* --- printing -------------------------------------------------------------------- */

void schema_print_line(unsigned depth, struct buf *out)
{
	buf_str(out, "\n");
	for (unsigned i = 0; i < depth; i++)
		buf_str(out, "  ");
}

/* Read back as the same text: begins with a letter or '/', and is no word that YAML 1.1 knows. */
static bool is_plain(const char *s)
{
	static const char *const words[] = { "y",   "n",    "yes",   "no",   "on",
					     "off", "true", "false", "null", "~" };
	bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');

	if (!letter && *s != '/')
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(s, words[i]) == 0)
			return false;
	}
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "/._-")] == '\0';
}

void schema_print_text(const char *s, struct buf *out)
{
	if (is_plain(s)) {
		buf_str(out, s);
		return;
	}
	buf_str(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_str(out, "\\");
		buf_put(out, s, 1);
	}
	buf_str(out, "\"");
}

void schema_print(const struct schema_key *keys, size_t count, const void *base, unsigned depth,
		  struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		CLEANUP(buf_done) struct buf value = { 0 };

		keys[i].type->print(&keys[i], base, depth, &value);
		if (value.len == 0)
			continue;
		schema_print_line(depth, out);
		buf_printf(out, "%s:", keys[i].name);
		buf_put(out, value.data, value.len);
	}
}

int schema_read_keys(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	const struct schema_section section = { k->type->keys, k->type->key_count, base };

	return schema_read_map(r, d, &section, 1);
}

void schema_print_keys(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	schema_print(k->type->keys, k->type->key_count, base, depth + 1, out);
}

void schema_print_item(const struct schema_key *keys, size_t count, const void *base,
		       unsigned depth, struct buf *out)
{
	CLEANUP(buf_done) struct buf item = { 0 };
	CLEANUP(buf_done) struct buf indent = { 0 };

	schema_print(keys, count, base, depth + 1, &item);
	schema_print_line(depth + 1, &indent);
	schema_print_line(depth, out);
	buf_str(out, "- ");
	buf_put(out, item.data + indent.len, item.len - indent.len);
}
