/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/json_head.h"

#include <stdbool.h>
#include <string.h>

#include "watch/json_scan.h"

/* Deeper than names are; a watch's event has them one deeper than an item of a list. */
#define LEVELS 4

/* Where we are: the key at each level, as it is written; n = 0 in a list. */
struct place {
	struct {
		const char *key;
		size_t n;
	} level[LEVELS + 1];
	unsigned depth;
	unsigned base; /* the depth that the object itself is at, less one */
};

static bool key_is(const struct place *at, unsigned depth, const char *key)
{
	size_t n = strlen(key);

	return at->level[depth].n == n && memcmp(at->level[depth].key, key, n) == 0;
}

static void copy(const char *text, size_t n, char *out, size_t size)
{
	if (n >= size)
		return;
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\\' || (unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return;
	}
	memcpy(out, text, n);
	out[n] = '\0';
}

static void take_string(const struct place *at, const char *text, size_t n,
			struct json_split_oversized *out)
{
	if (at->base && at->depth == 1 && key_is(at, 1, "type"))
		copy(text, n, out->type, sizeof(out->type));
	if (at->base && !key_is(at, 1, "object"))
		return;
	if (at->depth == at->base + 1 && key_is(at, at->depth, "kind"))
		copy(text, n, out->kind, sizeof(out->kind));
	if (at->depth != at->base + 2 || !key_is(at, at->base + 1, "metadata"))
		return;
	if (key_is(at, at->depth, "name"))
		copy(text, n, out->name, sizeof(out->name));
	else if (key_is(at, at->depth, "namespace"))
		copy(text, n, out->ns, sizeof(out->ns));
	else if (key_is(at, at->depth, "resourceVersion"))
		copy(text, n, out->resource_version, sizeof(out->resource_version));
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* From behind the opening quote to behind the closing one; NULL where it is cut. */
static const char *string_behind(const char *p, const char *end)
{
	while ((p = json_scan_string_end(p, end)) < end && *p != '"') {
		if (end - p < 2)
			return NULL;
		p += 2;
	}
	return p < end ? p + 1 : NULL;
}

void json_head_read(const char *text, size_t len, enum json_split_mode mode,
		    struct json_split_oversized *out)
{
	struct place at = { .base = mode == JSON_SPLIT_WATCH };
	const char *p = text, *end = text + len;

	memset(out, 0, sizeof(*out));
	for (; p < end; p++) {
		const char *from = p + 1, *behind;

		if (*p == '{' || *p == '[') {
			if (++at.depth <= LEVELS)
				at.level[at.depth].n = 0;
		} else if ((*p == '}' || *p == ']') && at.depth) {
			at.depth--;
		}
		if (*p != '"')
			continue;
		behind = string_behind(from, end);
		if (!behind)
			return;
		p = behind - 1;
		if (at.depth == 0 || at.depth > LEVELS)
			continue;
		behind = skip_blanks(behind, end);
		if (behind < end && *behind == ':') {
			at.level[at.depth].key = from;
			at.level[at.depth].n = (size_t)(p - from);
		} else {
			take_string(&at, from, (size_t)(p - from), out);
		}
	}
}
