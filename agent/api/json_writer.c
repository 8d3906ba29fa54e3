/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Up to the year 9999, the last that RFC 3339 can write. */
#define TIME_MAX_MS INT64_C(253402300799999)

size_t json_utf8_len(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The text of one byte that cannot stand as it is. */
static void put_escape(struct buf *b, unsigned char c)
{
	static const char named[] = "\"\\\b\f\n\r\t";
	static const char letter[] = "\"\\bfnrt";
	const char *p = memchr(named, c, sizeof(named) - 1);

	if (c >= 0x80)
		buf_str(b, "\xef\xbf\xbd");
	else if (p)
		buf_put(b, (char[]){ '\\', letter[p - named] }, 2);
	else
		buf_printf(b, "\\u%04x", c);
}

void json_quote(struct buf *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *plain = s; /* not written yet, needs no escape */

	buf_put(out, "\"", 1);
	while (*s) {
		size_t n = json_utf8_len(s);

		if (n && *s >= 0x20 && *s != '"' && *s != '\\' && *s != 0x7f) {
			s += n;
			continue;
		}
		buf_put(out, plain, (size_t)(s - plain));
		put_escape(out, *s);
		plain = ++s;
	}
	buf_put(out, plain, (size_t)(s - plain));
	buf_put(out, "\"", 1);
}

static void begin(struct json_writer *j, const char *key)
{
	if (j->comma)
		buf_put(j->out, ",", 1);
	j->comma = true;
	if (!key)
		return;
	/* Keys are ours: nothing in them needs an escape. */
	buf_put(j->out, "\"", 1);
	buf_str(j->out, key);
	buf_put(j->out, "\":", 2);
}

static void open_with(struct json_writer *j, const char *key, const char *bracket)
{
	begin(j, key);
	buf_put(j->out, bracket, 1);
	j->comma = false;
}

static void close_with(struct json_writer *j, const char *bracket)
{
	buf_put(j->out, bracket, 1);
	j->comma = true;
}

void json_put_object(struct json_writer *j, const char *key)
{
	open_with(j, key, "{");
}

void json_end_object(struct json_writer *j)
{
	close_with(j, "}");
}

void json_put_array(struct json_writer *j, const char *key)
{
	open_with(j, key, "[");
}

void json_end_array(struct json_writer *j)
{
	close_with(j, "]");
}

void json_put_text(struct json_writer *j, const char *key, const char *s)
{
	begin(j, key);
	if (s)
		json_quote(j->out, s);
	else
		buf_put(j->out, "null", 4);
}

void json_put_uint(struct json_writer *j, const char *key, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	begin(j, key);
	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_put(j->out, digits + at, sizeof(digits) - at);
}

void json_put_int(struct json_writer *j, const char *key, int64_t v)
{
	begin(j, key);
	buf_printf(j->out, "%lld", (long long)v);
}

void json_put_bool(struct json_writer *j, const char *key, bool v)
{
	begin(j, key);
	buf_str(j->out, v ? "true" : "false");
}

void json_put_seconds(struct json_writer *j, const char *key, double v)
{
	begin(j, key);
	if (isfinite(v))
		buf_printf(j->out, "%.6f", v);
	else
		buf_put(j->out, "null", 4);
}

void json_put_time(struct json_writer *j, const char *key, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	begin(j, key);
	if (ms <= 0 || ms > TIME_MAX_MS || !gmtime_r(&seconds, &tm)) {
		buf_put(j->out, "null", 4);
		return;
	}
	buf_printf(j->out, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900,
		   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

void json_put_raw(struct json_writer *j, const char *key, const struct buf *json)
{
	begin(j, key);
	buf_put(j->out, json->data, json->len);
}
