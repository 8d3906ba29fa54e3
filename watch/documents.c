/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "---" at the beginning of a line begins a document wherever it stands, inside
 * of a quoted string or a block as well: there it is an error, and the error
 * is the same in the piece as in the whole.
 */
#include "watch/documents.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"

#define MARK_LEN 3

void documents_done(struct documents *d)
{
	free(d->items);
	*d = (struct documents){ 0 };
}

/* --- cutting ---------------------------------------------------------------- */

static bool is_mark(const char *line, size_t len, const char *mark)
{
	return len >= MARK_LEN && memcmp(line, mark, MARK_LEN) == 0 &&
	       (len == MARK_LEN || strchr(" \t\r\n", line[MARK_LEN]));
}

/* Breaks that count as lines to YAML though no '\n' is there: CR alone, NEL, LS and PS. */
static bool has_odd_breaks(const char *text, size_t len)
{
	const char *end = text + len, *p = text;

	for (; (p = memchr(p, '\r', (size_t)(end - p))); p++) {
		if (p + 1 == end || p[1] != '\n')
			return true;
	}
	return memmem(text, len, "\xc2\x85", 2) || memmem(text, len, "\xe2\x80\xa8", 3) ||
	       memmem(text, len, "\xe2\x80\xa9", 3);
}

static void end_document(struct documents *d, const char *text, size_t end, unsigned line)
{
	struct document *last = d->count ? &d->items[d->count - 1] : NULL;

	if (!last)
		return;
	last->len = end - last->offset;
	last->lines = line - last->line;
	last->hash = hash_table(text + last->offset, last->len);
}

static void begin_document(struct documents *d, size_t offset, unsigned line, size_t *room)
{
	if (d->count == *room) {
		*room = *room ? *room * 2 : 16;
		d->items = xreallocarray(d->items, *room, sizeof(*d->items));
	}
	d->items[d->count++] = (struct document){ .offset = offset, .line = line };
}

void documents_split(struct documents *d, const void *data, size_t len)
{
	const char *text = data;
	size_t room = 0, at = 0;
	unsigned line = 1;

	*d = (struct documents){ 0 };
	if (len == 0 || has_odd_breaks(text, len))
		return;
	while (at < len) {
		const char *here = text + at, *end = memchr(here, '\n', len - at);

		if (here[0] == '%' || is_mark(here, len - at, "...")) {
			documents_done(d);
			return;
		}
		if (at == 0 || is_mark(here, len - at, "---")) {
			end_document(d, text, at, line);
			begin_document(d, at, line, &room);
		}
		line += end != NULL;
		at = end ? (size_t)(end - text) + 1 : len;
	}
	end_document(d, text, len, line);
	/* They are kept, and there may be a file for each of many pools. */
	d->items = xreallocarray(d->items, d->count, sizeof(*d->items));
}

/* --- comparing --------------------------------------------------------------- */

static bool same_text(const void *object, const void *key)
{
	const struct document *a = object, *b = key;

	return a->hash == b->hash && a->len == b->len;
}

size_t documents_known(struct documents *d, struct documents *before, bool exact)
{
	size_t known = 0;
	struct map map;

	map_init(&map, same_text);
	for (size_t i = 0; i < before->count; i++) {
		struct document *was = &before->items[i];

		was->now = NULL;
		if (!map_get(&map, was->hash, was))
			map_put(&map, was->hash, was);
	}
	for (size_t i = 0; i < d->count; i++) {
		struct document *now = &d->items[i], *was = map_get(&map, now->hash, now);
		bool moved = was && (was->moved || was->line != now->line);

		if (!was || (moved && exact))
			continue;
		(void)map_take(&map, now->hash, now);
		was->now = now;
		now->known = true;
		now->moved = moved;
		known++;
	}
	map_done(&map);
	return known;
}

size_t documents_blank(const struct documents *d, char *text, size_t len)
{
	bool in_known = false;
	size_t out = 0;

	for (size_t i = 0; i < d->count; i++) {
		const struct document *k = &d->items[i];
		/* One mark for known ones in a row: it ends the document before them. */
		size_t mark = !in_known && is_mark(text + k->offset, k->len, "---") ? MARK_LEN : 0;
		size_t keep = k->known ? mark : k->len;

		in_known = k->known;
		memmove(text + out, text + k->offset, keep);
		out += keep;
		if (!k->known)
			continue;
		memset(text + out, '\n', k->lines);
		out += k->lines;
	}
	return d->count ? out : len;
}

const struct document *documents_at(const struct documents *d, unsigned line)
{
	size_t low = 0, high = d->count;

	/* The last one that does not begin after it. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (d->items[middle].line <= line)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &d->items[low - 1] : NULL;
}

bool documents_moved(const struct documents *d)
{
	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].moved)
			return true;
	}
	return false;
}
