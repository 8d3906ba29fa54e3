/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request target, taken apart: the segments of its path and the parameters
 * of its query, percent-decoded. Strict: what is not plainly right is an error,
 * for a server that guesses is a server that two readers understand differently.
 */
#ifndef AGENT_API_URI_H
#define AGENT_API_URI_H

#include <stddef.h>

#include "agent/api/schema.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"

#define URI_SEGMENTS_MAX 8
#define URI_PARAMS_MAX	 16

struct uri_param {
	const char *name;
	const char *value; /* "" where there is none */
};

struct uri {
	size_t segment_count;
	const char *segments[URI_SEGMENTS_MAX]; /* "/a/b" is "a", "b"; "/" is "" */
	size_t param_count;
	struct uri_param params[URI_PARAMS_MAX];
	char text[REST_TARGET_MAX + 1]; /* what the pointers point into */
};

/*
 * "/path?query" or "http://host/path?query". -ENAMETOOLONG: beyond REST_TARGET_MAX; -E2BIG: too
 * many segments or parameters; -EINVAL: malformed, a control character, or a parameter twice.
 * *out holds pointers into itself: it must not be copied.
 */
MUST_CHECK int uri_parse(const char *target, struct uri *out, struct err *err);

/* Appends text, percent-encoded for one segment of a path or one value of a query. */
void uri_encode(struct buf *out, const char *text);

#endif
