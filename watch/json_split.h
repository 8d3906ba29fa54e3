/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON as the API server streams it, cut into objects while it comes: pieces
 * of any size in, whole items out, never more than one of them in memory.
 *
 *   JSON_SPLIT_LIST   {"kind":..,"metadata":{..},"items":[{..},{..}]}, keys in any order
 *   JSON_SPLIT_WATCH  objects one after the other, with or without blanks between
 *
 * Pure. It checks nesting, and the grammar outside of items; what is inside of
 * an item is for the item's decoder to judge.
 */
#ifndef WATCH_JSON_SPLIT_H
#define WATCH_JSON_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

#define JSON_SPLIT_ITEM_MAX	(4u << 20) /* bytes */
#define JSON_SPLIT_HEAD_MAX	(64u << 10) /* of an oversized item, where its names are looked for */
#define JSON_SPLIT_METADATA_MAX (64u << 10) /* of a list */
#define JSON_SPLIT_DEPTH_MAX	64	    /* of an item */

enum json_split_mode { JSON_SPLIT_LIST, JSON_SPLIT_WATCH };

/* What could be had of an item that was skipped; "" where it was not in its head. */
struct json_split_oversized {
	uint64_t len;  /* bytes */
	char type[32]; /* of a watch's event: "MODIFIED" */
	char kind[64];
	char ns[256];
	char name[256];
	char resource_version[64];
};

struct json_split_sink {
	/* One item's bytes, not NUL-terminated, during the call only. False: enough. */
	bool (*item)(void *arg, const char *text, size_t len);
	/* An item above JSON_SPLIT_ITEM_MAX was skipped. False: enough. */
	bool (*oversized)(void *arg, const struct json_split_oversized *o);
	void *arg;
};

/* Of a list, besides its items; "" where it was not told (yet). */
struct json_split_list {
	char kind[64]; /* "ServiceList"; "Status" where the server answers with that */
	char resource_version[64];
	const char *continue_token; /* valid until the next feed or the end of the splitter */
};

struct json_split;

MUST_CHECK struct json_split *json_split_new(enum json_split_mode mode,
					     const struct json_split_sink *sink);
void json_split_free(struct json_split *s); /* NULL is fine; not from inside its sink */

/*
 * 0, -EBADMSG (no such JSON, nested too deep: err tells the byte), -ECANCELED (the sink
 * said so). Once failed, it fails for ever.
 */
MUST_CHECK int json_split_feed(struct json_split *s, const void *data, size_t len, struct err *err);
/* The stream is over: -EBADMSG where that is in the midst of a list or of an object. */
MUST_CHECK int json_split_end(struct json_split *s, struct err *err);
const struct json_split_list *json_split_list(const struct json_split *s);
/* Bytes held now, for tests and for telling. */
size_t json_split_memory(const struct json_split *s);

#endif
