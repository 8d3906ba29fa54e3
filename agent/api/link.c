/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/link.h"

#include <string.h>

#include "agent/api/schema.h"

/* What means nothing anywhere in a URI stays; a list reads better with its commas. */
static void put_encoded(struct buf *out, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~,:";

	for (; *s; s++) {
		if (strchr(plain, *s))
			buf_put(out, s, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

static void put_target(const struct uri *u, struct buf *out)
{
	for (size_t i = 0; i < u->segment_count; i++) {
		buf_str(out, "/");
		put_encoded(out, u->segments[i]);
	}
	buf_str(out, "?");
	for (size_t i = 0; i < u->param_count; i++) {
		if (strcmp(u->params[i].name, REST_OFFSET) == 0 ||
		    strcmp(u->params[i].name, REST_SNAPSHOT) == 0)
			continue;
		put_encoded(out, u->params[i].name);
		buf_str(out, "=");
		put_encoded(out, u->params[i].value);
		buf_str(out, "&");
	}
}

void link_put_next(const struct uri *u, size_t offset, const char *snapshot, struct buf *out)
{
	size_t start = out->len;

	buf_str(out, "<");
	put_target(u, out);
	buf_printf(out, "%s=%zu&%s=%s>; rel=\"next\"", REST_OFFSET, offset, REST_SNAPSHOT,
		   snapshot);
	if (out->len - start > LINK_MAX)
		out->len = start;
}
