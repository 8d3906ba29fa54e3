/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions of one datagram: what a probe asks without a connection, and what
 * is made of what comes back.
 *
 * A protocol is pure, as those of talk.h are. datagram.c sends what it asks,
 * once more when half of the time is over, so that one that is lost fails
 * nothing, and hands it each datagram that comes. What is not the answer is
 * passed over, HC_DATAGRAM_OTHERS of them at most.
 */
#ifndef HEALTHCHECK_DATAGRAM_H
#define HEALTHCHECK_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "healthcheck/probe.h"

#define HC_DATAGRAM_MAX	   512	/* that is sent */
#define HC_DATAGRAM_LOOK   4096 /* of one that comes: the rest of it is not looked at */
#define HC_DATAGRAM_OTHERS 16	/* in one probe; with one more it is over */

struct hc_datagrams {
	/* Writes the question, the same for the same check and id; returns its length, which may be 0. */
	size_t (*ask)(const struct check *c, uint16_t id, uint8_t out[static HC_DATAGRAM_MAX]);
	/* What a datagram says; HC_REASON_NONE: it is not the answer to that question. */
	struct hc_outcome (*judge)(const struct check *c, uint16_t id, const uint8_t *data,
				   size_t len);
	enum hc_reason others; /* what it is where nothing else came */
	/* What it is where nothing came at all, and nobody said why. */
	enum hc_reason (*silence)(const struct check *c);
};

extern const struct hc_datagrams hc_udp_datagrams, hc_dns_datagrams;

/* For probe.c, as the functions of hc_probe_... that they stand behind. True: over. */
bool hc_datagram_start(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       struct hc_outcome *out);
bool hc_datagram_event(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       uint32_t events, struct hc_outcome *out);
bool hc_datagram_again(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       struct hc_outcome *out);
enum hc_reason hc_datagram_timed_out(const struct hc_probe *p, const struct hc_datagrams *d);

#endif
