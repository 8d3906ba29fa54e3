/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking for some bytes in a stream, in whatever pieces it comes. Pure, and
 * one step for each byte (Knuth, Morris, Pratt). Nothing of the stream is kept.
 */
#ifndef HEALTHCHECK_MATCH_H
#define HEALTHCHECK_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HC_MATCH_MAX 128

struct hc_match {
	bool found;
	/* the inside */
	const char *text;
	uint8_t len;
	uint8_t matched; /* bytes of `text` that the stream's end agrees with */
	/* After agreeing in i bytes, how many still agree if the next does not. */
	uint8_t fallback[HC_MATCH_MAX + 1];
};

/* text stays as long; len is HC_MATCH_MAX at most, and with 0 it is found at once. */
void hc_match_init(struct hc_match *m, const char *text, size_t len);
void hc_match_feed(struct hc_match *m, const char *data, size_t len);

#endif
