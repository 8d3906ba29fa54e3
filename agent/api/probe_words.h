/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a probe found, as a sentence in the reader's language: what was asked of
 * which address, what came of it, after how long. Made of what was configured
 * and of numbers; nothing that a server said is in it. Pure.
 */
#ifndef AGENT_API_PROBE_WORDS_H
#define AGENT_API_PROBE_WORDS_H

#include <stdint.h>

#include "agent/api/accept.h"
#include "agent/base/buf.h"
#include "agent/base/check.h"
#include "healthcheck/message.h"

struct probe_found {
	const struct check *check;
	const struct endpoint *at;
	enum hc_reason reason;
	int32_t detail;
	uint32_t took_us; /* 0: it is not told */
};

void probe_words(struct buf *out, enum language l, const struct probe_found *p);
/* The template of a reason, "{it} ..."; NULL: there is none. */
const char *probe_words_template(enum language l, enum hc_reason r);

#endif
