/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading the answer to an HTTP probe, in whatever pieces it arrives. Pure.
 *
 * The bytes are a stranger's: nothing of them is kept but numbers. Bounds: a
 * header (interim answers included) of HC_HTTP_HEADER_MAX, HC_HTTP_TOTAL_MAX
 * for everything; `match` is looked for in the first HC_HTTP_BODY_LOOK of the
 * body. A longer body is no fault: its beginning is judged.
 */
#ifndef HEALTHCHECK_HTTP_REPLY_H
#define HEALTHCHECK_HTTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "healthcheck/match.h"
#include "healthcheck/probe.h"

#define HC_HTTP_HEADER_MAX 8192
#define HC_HTTP_BODY_LOOK  4096
#define HC_HTTP_TOTAL_MAX  16384
#define HC_HTTP_LINE_MAX   256 /* what is kept of a line; no field we read is longer */

enum hc_http_state {
	HC_HTTP_STATUS_LINE,
	HC_HTTP_HEADER,
	HC_HTTP_BODY, /* `left` bytes more */
	HC_HTTP_BODY_TO_CLOSE,
	HC_HTTP_CHUNK_SIZE,
	HC_HTTP_CHUNK, /* `left` bytes more */
	HC_HTTP_CHUNK_END,
	HC_HTTP_TRAILER,
	HC_HTTP_DONE,
};

struct hc_http_reply {
	const struct check *check;
	enum hc_http_state state;
	struct hc_outcome outcome; /* once state is DONE */
	uint32_t total, header;	   /* bytes so far */
	uint32_t body_looked;
	uint64_t left;
	uint16_t status;
	bool chunked, has_length;
	bool says_close, says_keep; /* Connection */
	bool is_old;		    /* HTTP/1.0: it closes unless it says otherwise */
	bool is_whole;		    /* to an end that it told of, and nothing behind that */
	struct hc_match match;	    /* found at once where nothing is looked for */
	uint16_t line_len;
	char line[HC_HTTP_LINE_MAX];
};

void hc_http_reply_init(struct hc_http_reply *r, const struct check *c);
/* True: the answer is whole or beyond help, and `outcome` says what it was. */
bool hc_http_reply_feed(struct hc_http_reply *r, const void *data, size_t len);
/* The peer closed; afterwards the state is DONE. */
void hc_http_reply_closed(struct hc_http_reply *r);
/* It was good, and its server waits for another request on the same connection. */
MUST_CHECK bool hc_http_reply_persists(const struct hc_http_reply *r);

#endif
