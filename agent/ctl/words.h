/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the agent's answers mean, in words for people. Pure.
 */
#ifndef AGENT_CTL_WORDS_H
#define AGENT_CTL_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/doc.h"

#define WORDS_SPAN_MAX	   16
#define WORDS_ENDPOINT_MAX 64

/* Fields of an answer; what is absent or of another type is 0, "" or false. */
int64_t words_int(const struct doc *d, const char *key);
const char *words_text(const struct doc *d, const char *key);
bool words_bool(const struct doc *d, const char *key);
bool words_list_has(const struct doc *list, const char *text);

/* "2026-11-22T03:04:05.678Z" to milliseconds since 1970. */
MUST_CHECK bool words_time(const char *text, int64_t *out_ms);
/* "45s", "12m", "3h", "2d"; a time below 0 is "0s". Returns out. */
const char *words_span(int64_t ms, char out[static WORDS_SPAN_MAX]);
/* From that field of d until now, or from now until it; "" where there is no such time. */
const char *words_age(const struct doc *d, const char *key, int64_t now_ms,
		      char out[static WORDS_SPAN_MAX]);
const char *words_until(const struct doc *d, const char *key, int64_t now_ms,
			char out[static WORDS_SPAN_MAX]);

/* A member's or a target's "address:port", an IPv6 address in brackets. Returns out. */
const char *words_endpoint(const struct doc *d, char out[static WORDS_ENDPOINT_MAX]);

/* "http GET /healthz, on the member's port, every 5s" ... of a pool's check. */
void words_check(const struct doc *check, struct buf *out);
/* "answered with status 503": the outcome of a last probe, of a member or a target. */
void words_result(const struct doc *result, struct buf *out);
/* Is a member in the table with a weight, and why: whole sentences. */
void words_member(const struct doc *pool, const struct doc *member, int64_t now_ms,
		  struct buf *out);

#endif
