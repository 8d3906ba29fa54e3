/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A strict schema as tables of keys: one table reads a mapping into a struct,
 * gives what is not written its default, and prints the struct again.
 *
 * What is wrong is said as "FILE: line N: KEY: what it is and how to mend it",
 * KEY being the whole path ("defaults.interval").
 */
#ifndef AGENT_CONFIG_SCHEMA_H
#define AGENT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "agent/base/err.h"
#include "agent/base/value.h"

struct schema_reader {
	const char *file;
	struct err *err;
	char where[128]; /* the path of the key that is being read */
	size_t where_len;
};

struct schema_key;

/* How a type of value is read into a field and printed from it. */
struct schema_type {
	/* d is never NULL, nor a null. On failure err is set (schema_bad()). */
	int (*read)(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		    void *base);
	/* " value", or lines indented by `depth` levels, without the last newline; nothing:
	 * the key is left out. */
	void (*print)(const struct schema_key *k, const void *base, unsigned depth,
		      struct buf *out);
	/* Of a mapping whose keys are fields of the same struct as it would be itself. */
	const struct schema_key *keys;
	size_t key_count;
};

struct schema_key {
	const char *name;
	const struct schema_type *type;
	size_t offset; /* of the field in its struct */
	size_t size;
	uint32_t min; /* numbers, durations; for texts the length */
	uint32_t max;
	const struct value_words *words;
	const struct schema_form *form;
	/* What is wrong with a text ("has to begin with '/'"), NULL: nothing. */
	const char *(*fault)(const char *s);
	const char *fallback; /* as it would be written; NULL: the field stays as it is */
};

#define SCHEMA_FIELD(type, member) \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

/* A mapping may fill more than one struct. */
struct schema_section {
	const struct schema_key *keys;
	size_t count;
	void *base;
};

/* Fields: char *, owned; enums, booleans and integers of any size; milliseconds and seconds; a
 * word of `words` kept as text in an array. */
extern const struct schema_type schema_text;
extern const struct schema_type schema_word;
extern const struct schema_type schema_number;
extern const struct schema_type schema_ms;
extern const struct schema_type schema_s;
extern const struct schema_type schema_word_text;
extern const struct value_words schema_truth; /* "false" and "true", for a bool */

/* Texts, 1 to key.max of them, each without a fault. */
struct schema_texts {
	char **items;
	size_t count;
};
extern const struct schema_type schema_texts;
void schema_texts_done(struct schema_texts *t);

/*
 * A text in a form of its own, such as "200-299,404". parse() returns NULL, or what is to be said
 * behind the text that it could not read, which begins with a blank or a colon.
 */
#define SCHEMA_FORM_TEXT_MAX 256
struct schema_form {
	const char *(*parse)(const char *s, void *base);
	const char *(*text)(const void *base, char *out); /* NULL: the key is left out */
	bool like_number; /* may be written without quotes, and is printed with them */
};
extern const struct schema_type schema_form;

/* -EINVAL, with the message. `d` gives the line. */
int schema_bad(struct schema_reader *r, const struct doc *d, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The same for a child of the key being read: "defaults" and "interval" are "defaults.interval". */
int schema_bad_key(struct schema_reader *r, const struct doc *d, const char *key, const char *fmt,
		   ...) PRINTF_LIKE(4, 5);

/* Sets every field of the section that has one to its default. */
void schema_defaults(const struct schema_section *s);
MUST_CHECK int schema_read_map(struct schema_reader *r, const struct doc *d,
			       const struct schema_section *sections, size_t count);
void schema_print(const struct schema_key *keys, size_t count, const void *base, unsigned depth,
		  struct buf *out);
/* The functions of a type that has keys, and the type where they are all of it. */
MUST_CHECK int schema_read_keys(struct schema_reader *r, const struct schema_key *k,
				const struct doc *d, void *base);
void schema_print_keys(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out);
#define SCHEMA_KEYS(list)                                                           \
	{                                                                           \
		.read = schema_read_keys, .print = schema_print_keys, .keys = list, \
		.key_count = ARRAY_LEN(list)                                        \
	}
/* The same as an item of a list: "- " stands before the first key. */
void schema_print_item(const struct schema_key *keys, size_t count, const void *base,
		       unsigned depth, struct buf *out);

/* Steps into "key" or "[3]" of the path and back. */
size_t schema_enter(struct schema_reader *r, const char *key);
size_t schema_enter_item(struct schema_reader *r, size_t index);
void schema_leave(struct schema_reader *r, size_t mark);

/* The text of a string, and of a string or a number (as it was written); NULL: neither, err is set. */
MUST_CHECK const char *schema_string(struct schema_reader *r, const struct doc *d);
MUST_CHECK const char *schema_scalar(struct schema_reader *r, const struct doc *d);
/* A list of 1..max items, each read by fn. */
typedef int schema_item_fn(struct schema_reader *r, const struct doc *item, void *base);
MUST_CHECK int schema_read_list(struct schema_reader *r, const struct doc *d, size_t max,
				schema_item_fn *fn, void *base);
/* As a YAML scalar, in quotes where a plain one would be read as something else. */
void schema_print_text(const char *s, struct buf *out);
/* A newline and the indentation of `depth` levels. */
void schema_print_line(unsigned depth, struct buf *out);

#endif
