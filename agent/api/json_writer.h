/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * JSON, appended to a buffer as it is said: no tree is built, so a list of any
 * length costs its text alone.
 *
 * `key` is NULL for the outermost value and inside arrays. Text that is not
 * UTF-8 comes out with U+FFFD in place of each bad byte.
 */
#ifndef AGENT_API_JSON_WRITER_H
#define AGENT_API_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"

struct json_writer {
	struct buf *out;
	bool comma; /* the next value needs one before it */
};

void json_put_object(struct json_writer *j, const char *key);
void json_end_object(struct json_writer *j);
void json_put_array(struct json_writer *j, const char *key);
void json_end_array(struct json_writer *j);
void json_put_text(struct json_writer *j, const char *key, const char *s); /* NULL: null */
void json_put_uint(struct json_writer *j, const char *key, uint64_t v);
void json_put_int(struct json_writer *j, const char *key, int64_t v);
void json_put_bool(struct json_writer *j, const char *key, bool v);
void json_put_seconds(struct json_writer *j, const char *key, double v); /* six decimals */
/* Milliseconds since 1970 as RFC 3339 in UTC; 0 and less: null. */
void json_put_time(struct json_writer *j, const char *key, int64_t ms);
/* A value that is JSON already. */
void json_put_raw(struct json_writer *j, const char *key, const struct buf *json);
/* In quotes, escaped, without a comma. */
void json_quote(struct buf *out, const char *text);
/* The length of the UTF-8 sequence at s, 0 where there is none (RFC 3629; surrogates are none). */
size_t json_utf8_len(const unsigned char *s);

#endif
