/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading what a Redis server says, token by token, in whatever pieces it
 * arrives. Pure.
 *
 * The bytes are a stranger's: of a text no more than its beginning is kept.
 * Bounds: HC_REDIS_TOTAL_MAX for everything, and for what a bulk announces.
 */
#ifndef HEALTHCHECK_REDIS_REPLY_H
#define HEALTHCHECK_REDIS_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

#define HC_REDIS_TOTAL_MAX 4096
#define HC_REDIS_TEXT_MAX  64 /* what is kept of a text, with its NUL */

/* RESP2, by what begins each. An array is its header; its elements are tokens that follow. */
enum hc_redis_type {
	HC_REDIS_SIMPLE = '+',
	HC_REDIS_ERROR = '-',
	HC_REDIS_INTEGER = ':',
	HC_REDIS_BULK = '$',
	HC_REDIS_ARRAY = '*',
};

enum hc_redis_read {
	HC_REDIS_MORE,
	HC_REDIS_TOKEN,
	HC_REDIS_BROKEN,
	HC_REDIS_TOO_LONG,
};

struct hc_redis_reader {
	/* the token, when there is one */
	enum hc_redis_type type;
	int64_t number; /* integer; how many elements; length of a bulk; -1: none of the latter two */
	char text[HC_REDIS_TEXT_MAX]; /* simple, error, bulk: its beginning */
	size_t len;		      /* of all of the text */
	/* the inside */
	uint8_t state;
	uint32_t total;
};

/* Takes bytes away from data, as far as it is a token or trouble. Zeroed it is at its beginning. */
enum hc_redis_read hc_redis_read(struct hc_redis_reader *r, const uint8_t **data, size_t *len);
/* Is this just what the token's text says? */
bool hc_redis_is(const struct hc_redis_reader *r, const char *text);

#endif
