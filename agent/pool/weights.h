/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The value of the annotation "weights": "10.0.0.1=5,10.0.0.2:8080=1,[2001:db8::1]:80=0". */
#ifndef AGENT_POOL_WEIGHTS_H
#define AGENT_POOL_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

#define POOL_WEIGHT_MAX 65535

struct weights {
	struct weight *items; /* sorted by address, port */
	size_t count;
};

/* -EINVAL: not such a list, or an address twice. The caller frees with weights_done(). */
MUST_CHECK int weights_parse(const char *s, struct weights *out);
void weights_done(struct weights *w); /* a zeroed one is fine */

/* What is said of this address and port, or of the address with any port; false: nothing. */
MUST_CHECK bool weights_find(struct weights *w, const struct endpoint *member, uint32_t *out);
/* The first that was never found, for a warning; NULL: each was. */
const char *weights_unused(const struct weights *w, char out[static ENDPOINT_TEXT_MAX]);

/*
 * The same list (NULL: none) with this said of `where` alone, whose port is 0 for any and whose
 * protocol does not count; `weight` NULL: with nothing said of it. All else stays as it is written.
 * -EINVAL: it is not such a list.
 */
MUST_CHECK int weights_change(const char *s, const struct endpoint *where, const uint32_t *weight,
			      struct buf *out);
/* Of a good list the items of which `keep` is true; all else as above. */
typedef bool weights_keep_fn(void *arg, const struct endpoint *where);
MUST_CHECK int weights_filter(const char *s, weights_keep_fn *keep, void *arg, struct buf *out);
/* What the list (NULL: none) says of exactly this; false: nothing, or it is not such a list. */
MUST_CHECK bool weights_say(const char *s, const struct endpoint *where, uint32_t *out);

#endif
