/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a check of type tcp-full says on its connection, and hears. Pure.
 *
 * Without `send` and `answer` the connection itself is the answer: all of it,
 * where the half-open probe never completes it. With `send` something has to
 * come back; with `answer` these bytes, within the first HC_FULL_LOOK of what
 * the server says, of its own or in return.
 */
#ifndef HEALTHCHECK_TCP_FULL_H
#define HEALTHCHECK_TCP_FULL_H

#include "healthcheck/match.h"
#include "healthcheck/talk.h"

#define HC_FULL_LOOK 4096

struct hc_full {
	bool is_over;
	struct hc_outcome outcome; /* once it is over */
	struct buf out;
	/* the inside */
	struct hc_match match;
	char answer[HC_MATCH_MAX];
	uint32_t heard;
};

void hc_full_init(struct hc_full *f, const struct check *c);
void hc_full_done(struct hc_full *f);
void hc_full_feed(struct hc_full *f, const void *data, size_t len);
void hc_full_closed(struct hc_full *f); /* by the server: afterwards it is over */

#endif
