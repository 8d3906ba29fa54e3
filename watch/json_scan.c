/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/json_scan.h"

enum { PLAIN, QUOTE, OPEN, CLOSE };
static const uint8_t structural[256] = {
	['"'] = QUOTE, ['{'] = OPEN, ['['] = OPEN, ['}'] = CLOSE, [']'] = CLOSE,
};

const char *json_scan_string(struct json_scan *s, const char *p, const char *end, bool *over)
{
	*over = false;
	if (s->escaped && p < end) {
		s->escaped = false;
		p++;
	}
	while (p < end) {
		p = json_scan_string_end(p, end);
		if (p == end)
			break;
		if (*p == '"') {
			*over = true;
			return p + 1;
		}
		s->escaped = p + 1 == end;
		p += s->escaped ? 1 : 2;
	}
	return p;
}

/* False: too deep. */
static bool open_level(struct json_scan *s, char bracket)
{
	uint64_t bit;

	if (s->depth == JSON_SCAN_DEPTH_MAX)
		return false;
	bit = UINT64_C(1) << s->depth++;
	s->arrays = bracket == '[' ? s->arrays | bit : s->arrays & ~bit;
	return true;
}

/* False: it closes something else. */
static bool close_level(struct json_scan *s, char bracket)
{
	return (s->arrays >> --s->depth & 1) == (bracket == ']');
}

const char *json_scan_nested(struct json_scan *s, const char *p, const char *end, bool *over,
			     const char **wrong)
{
	while (p < end) {
		if (s->in_string) {
			bool closed;

			p = json_scan_string(s, p, end, &closed);
			s->in_string = !closed;
			continue;
		}
		while (p < end && structural[(uint8_t)*p] == PLAIN)
			p++;
		if (p == end)
			break;
		if (*p == '"') {
			s->in_string = true;
		} else if (structural[(uint8_t)*p] == OPEN) {
			if (!open_level(s, *p)) {
				*wrong = "nested too deep";
				return p;
			}
		} else if (!close_level(s, *p)) {
			*wrong = "the wrong bracket closes";
			return p;
		}
		p++;
		if (s->depth == 0) {
			*over = true;
			return p;
		}
	}
	return p;
}
