/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/uri.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "agent/base/value.h"

/* Decodes in place; `plus_is_blank` as HTML forms and URLSearchParams write a query. */
static int decode(char *s, bool plus_is_blank, struct err *err)
{
	char *to = s;

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '%') {
			int high = value_digit(s[1]);
			int low = high < 0 ? -1 : value_digit(s[2]);

			if (low < 0)
				return err_set(err, -EINVAL,
					       "'%%' is not followed by two hexadecimal "
					       "digits");
			c = (unsigned char)(high << 4 | low);
			s += 2;
		} else if (c == '+' && plus_is_blank) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7f)
			return err_set(err, -EINVAL, "control character 0x%02x", c);
		*to++ = (char)c;
	}
	*to = '\0';
	return 0;
}

static int parse_path(char *path, struct uri *u, struct err *err)
{
	while (path) {
		char *next = strchr(path, '/');
		int r;

		if (u->segment_count == URI_SEGMENTS_MAX)
			return err_set(err, -E2BIG, "more than %d segments", URI_SEGMENTS_MAX);
		if (next)
			*next++ = '\0';
		r = decode(path, false, err);
		if (r < 0)
			return r;
		u->segments[u->segment_count++] = path;
		path = next;
	}
	return 0;
}

static int parse_param(char *text, struct uri *u, struct err *err)
{
	char *value = strchr(text, '=');
	int r;

	if (u->param_count == URI_PARAMS_MAX)
		return err_set(err, -E2BIG, "more than %d query parameters", URI_PARAMS_MAX);
	if (value)
		*value++ = '\0';
	else
		value = text + strlen(text);
	r = decode(text, true, err);
	if (r == 0)
		r = decode(value, true, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < u->param_count; i++)
		if (strcmp(u->params[i].name, text) == 0)
			return err_set(err, -EINVAL, "query parameter '%.64s' stands twice", text);
	u->params[u->param_count++] = (struct uri_param){ .name = text, .value = value };
	return 0;
}

static int parse_query(char *query, struct uri *u, struct err *err)
{
	while (query) {
		char *next = strchr(query, '&');
		int r = 0;

		if (next)
			*next++ = '\0';
		if (*query)
			r = parse_param(query, u, err);
		if (r < 0)
			return r;
		query = next;
	}
	return 0;
}

int uri_parse(const char *target, struct uri *out, struct err *err)
{
	size_t len = strlen(target);
	char *path = out->text, *query;
	int r;

	if (len > REST_TARGET_MAX)
		return err_set(err, -ENAMETOOLONG, "longer than %d bytes", REST_TARGET_MAX);
	memcpy(out->text, target, len + 1);
	out->segment_count = out->param_count = 0;

	/* The form for proxies: every server must take it (RFC 9112, 3.2.2). */
	if (strncasecmp(path, "http://", 7) == 0) {
		path = strchr(path + 7, '/');
		if (!path)
			return err_set(err, -EINVAL, "no path");
	}
	if (*path != '/')
		return err_set(err, -EINVAL, "does not begin with '/'");
	if (strchr(path, '#'))
		return err_set(err, -EINVAL, "'#' has no place in a request");
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	r = parse_path(path + 1, out, err);
	return r < 0 ? r : parse_query(query, out, err);
}

void uri_encode(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			buf_put(out, text, 1);
		else
			buf_printf(out, "%%%02X", c);
	}
}
