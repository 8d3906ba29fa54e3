/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One manifest file's text on its way to objects, in pieces of about a
 * millisecond. Pure: the text is given, the objects are taken.
 */
#ifndef WATCH_MANIFEST_H
#define WATCH_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/map.h"
#include "agent/pool/object.h"

#define MANIFEST_JSON_MAX (16u << 20) /* JSON is read as a whole */

/* An object of a file: what is remembered of it once it was handed over. */
struct manifest_entry {
	uint64_t content;
	uint64_t place;
	unsigned line; /* where its document, or its part of a List, begins */
	enum object_kind kind : 8;
	bool known;	 /* for the file's reader: it is as it was, and not to be told */
	uint8_t name_at; /* behind ns */
	char ns[];
};
static inline const char *manifest_entry_name(const struct manifest_entry *e)
{
	return e->ns + e->name_at;
}
void manifest_entry_free(struct manifest_entry *e); /* NULL is fine */
/* For tables of entries: by kind, namespace and name. */
uint64_t manifest_entry_hash(const struct manifest_entry *e);
bool manifest_entry_eq(const void *object, const void *key);

struct manifest;
struct manifest_item {
	struct manifest_entry *entry;
	struct object *object;
};
struct manifest_result {
	struct manifest_item *items; /* in the order written; the caller may take each (zero it) */
	size_t count;
	/* The text is broken: what entries there are is not all of it. */
	bool broken;
	/* Documents that could not be used; an object that is missing may be one of them. */
	size_t bad;
	/* The first thing wrong; NULL: nothing. */
	const char *problem;
	unsigned line;
};

/* Takes the text over; from->path must outlive it. */
MUST_CHECK struct manifest *manifest_new(const struct object_origin *from, struct buf *text,
					 bool is_json);
void manifest_free(struct manifest *m); /* NULL is fine */
/* One piece of work. True: call again. */
bool manifest_step(struct manifest *m);
/* Once manifest_step() was false. */
struct manifest_result *manifest_result(struct manifest *m);

#endif
