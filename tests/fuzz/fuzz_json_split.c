/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists and streams of an API server. The first byte chooses the mode and how
 * the rest is cut into pieces; in pieces or whole it must mean the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "watch/json_head.h"
#include "watch/json_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_item(void *arg, const char *text, size_t len)
{
	struct buf *log = arg;

	assert(len >= 2 && text[0] == '{' && text[len - 1] == '}');
	buf_put(log, text, len);
	buf_put(log, "\n", 1);
	return log->len < (1u << 20);
}

static bool on_oversized(void *arg, const struct json_split_oversized *o)
{
	buf_put(arg, o, sizeof(*o));
	return true;
}

/* A block of its own for each piece shows a step beyond it. */
static int feed(struct json_split *s, const uint8_t *data, size_t len, struct err *err)
{
	uint8_t *copy = xmalloc(len + !len);
	int r;

	memcpy(copy, data, len);
	r = json_split_feed(s, copy, len, err);
	free(copy);
	return r;
}

/* All that was told of it. */
static void split(enum json_split_mode mode, const uint8_t *data, size_t size, uint32_t cut,
		  struct buf *log)
{
	const struct json_split_sink sink = { on_item, on_oversized, log };
	struct json_split *s = json_split_new(mode, &sink);
	const struct json_split_list *list = json_split_list(s);
	struct err err = { 0 };
	int r = 0;

	while (size > 0 && r == 0) {
		size_t n = size;

		if (cut) {
			cut = cut * 1103515245 + 12345;
			n = 1 + (cut >> 16) % (cut & 0x100 ? 5 : 700);
			n = n < size ? n : size;
		}
		r = feed(s, data, n, &err);
		data += n;
		size -= n;
	}
	if (r == 0)
		r = json_split_end(s, &err);
	buf_printf(log, "%d %s\n%s %s %s\n", r, r < 0 ? err.text : "", list->kind,
		   list->resource_version, list->continue_token);
	json_split_free(s);
}

/* What is oversized is larger than inputs are here: its head by itself. */
static void read_head(enum json_split_mode mode, const uint8_t *data, size_t size)
{
	char *copy = xmalloc(size + !size);
	struct json_split_oversized o;

	memcpy(copy, data, size);
	json_head_read(copy, size, mode, &o);
	assert(strlen(o.type) < sizeof(o.type) && strlen(o.kind) < sizeof(o.kind));
	assert(strlen(o.ns) < sizeof(o.ns) && strlen(o.name) < sizeof(o.name));
	assert(strlen(o.resource_version) < sizeof(o.resource_version));
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum json_split_mode mode;
	struct buf whole = { 0 }, pieces = { 0 };

	if (size == 0)
		return 0;
	mode = data[0] & 1 ? JSON_SPLIT_WATCH : JSON_SPLIT_LIST;
	read_head(mode, data + 1, size - 1);
	split(mode, data + 1, size - 1, 0, &whole);
	split(mode, data + 1, size - 1, data[0] + 1u, &pieces);
	assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
