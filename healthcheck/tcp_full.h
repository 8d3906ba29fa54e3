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
	struct hc_talk_head head;
	struct hc_match match;
	char answer[HC_MATCH_MAX];
	uint32_t heard;
};

#endif
