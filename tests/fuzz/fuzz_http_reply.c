/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers of strangers to an HTTP probe. The first byte chooses the check and
 * how the rest is cut into pieces; in pieces or whole it must mean the same. What
 * comes behind an answer is seen in one piece with it, or not at all.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "healthcheck/http_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct hc_http_reply *r)
{
	assert(r->total <= HC_HTTP_TOTAL_MAX);
	assert(r->body_looked <= HC_HTTP_BODY_LOOK);
	assert(r->line_len < HC_HTTP_LINE_MAX);
	assert(r->state == HC_HTTP_DONE || r->header <= HC_HTTP_HEADER_MAX);
}

/* A block of its own for each piece shows a step beyond it. */
static bool feed(struct hc_http_reply *r, const uint8_t *data, size_t len)
{
	uint8_t *copy = xmalloc(len + !len);
	bool done;

	memcpy(copy, data, len);
	done = hc_http_reply_feed(r, copy, len);
	free(copy);
	check_bounds(r);
	assert(done == (r->state == HC_HTTP_DONE));
	return done;
}

static struct hc_outcome judge(const struct check *c, const uint8_t *data, size_t size,
			       uint32_t cut, bool *persists)
{
	struct hc_http_reply r;

	hc_http_reply_init(&r, c);
	while (size > 0 && r.state != HC_HTTP_DONE) {
		size_t n = size;

		if (cut) {
			cut = cut * 1103515245 + 12345;
			n = 1 + (cut >> 16) % (cut & 0x100 ? 5 : 700);
			n = n < size ? n : size;
		}
		feed(&r, data, n);
		data += n;
		size -= n;
	}
	hc_http_reply_closed(&r);
	assert(r.state == HC_HTTP_DONE);
	*persists = hc_http_reply_persists(&r);
	assert(!*persists || (r.is_whole && r.status >= 200 && r.status <= 399) ||
	       r.outcome.reason == HC_REASON_DRAINING);
	return r.outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const matches[] = { NULL, "ok", "aabaa", "\r\n" };
	struct hc_outcome whole, pieces;
	bool more, more_in_pieces;
	struct check *c;

	if (size == 0)
		return 0;
	c = check_new(CHECK_HTTP);
	if (matches[data[0] % 4])
		c->match = xstrdup(matches[data[0] % 4]);
	if (data[0] & 0x80) {
		c->drain[0] = (struct check_status_range){ 503, 503 };
		c->degraded[0] = (struct check_status_range){ 200, 299 };
		c->drain_count = c->degraded_count = 1;
	}
	whole = judge(c, data + 1, size - 1, 0, &more);
	pieces = judge(c, data + 1, size - 1, data[0] + 1u, &more_in_pieces);
	assert(more_in_pieces || !more);
	assert(whole.reason == pieces.reason && whole.detail == pieces.detail);
	assert((whole.reason >= HC_REASON_OK && whole.reason < HC_REASON_NO_RESOURCE) ||
	       whole.reason == HC_REASON_DRAINING || whole.reason == HC_REASON_DEGRADED);
	check_unref(c);
	return 0;
}
