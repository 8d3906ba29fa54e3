/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To the end of a JSON value, quickly, in pieces of any size: only quotes and
 * brackets are looked at. Pure; for json_split.c and json_head.c.
 */
#ifndef WATCH_JSON_SCAN_H
#define WATCH_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define JSON_SCAN_DEPTH_MAX 64

/* Between two pieces; zeroed before a value, and again after it. */
struct json_scan {
	uint64_t arrays; /* bit n: level n is a list, otherwise an object */
	unsigned depth;
	bool in_string;
	bool escaped; /* the last byte was a backslash */
};

/* On from inside a string to behind its end (*over), or to the piece's end. */
const char *json_scan_string(struct json_scan *s, const char *p, const char *end, bool *over);
/* On to behind the value's end (*over), to the piece's end, or (*wrong) to a bad bracket. */
const char *json_scan_nested(struct json_scan *s, const char *p, const char *end, bool *over,
			     const char **wrong);

/* The first quote or backslash from p on, or end. Eight bytes at a time: most strings are short. */
static inline const char *json_scan_string_end(const char *p, const char *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;

	while (end - p >= 8) {
		uint64_t v, quote, slash;

		memcpy(&v, p, 8);
		quote = v ^ ones * '"';
		slash = v ^ ones * '\\';
		/* A zero byte leaves its top bit set here, perhaps some above it too: look then. */
		if (((quote - ones) & ~quote & tops) | ((slash - ones) & ~slash & tops))
			break;
		p += 8;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

#endif
