/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversations: what a probe says to a server and hears of it once connected.
 *
 * A protocol is pure, bytes in and bytes out, and knows nothing of sockets.
 * talk.c carries its bytes, through TLS where it asks for that, and ends the
 * connection as it says. The probe owns the conversation.
 */
#ifndef HEALTHCHECK_TALK_H
#define HEALTHCHECK_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "healthcheck/account.h"
#include "healthcheck/probe.h"

enum hc_talk_phase {
	HC_TALK_ON,
	HC_TALK_SECURING, /* once all is sent, TLS begins */
	/* The outcome holds. Once all is sent the server closes, or HC_SETTLED_MS later we do, by FIN. */
	HC_TALK_GOODBYE,
	HC_TALK_OVER,	 /* the outcome holds; once all is sent it ends by RST */
	HC_TALK_LEAVING, /* the same by FIN, where the server minds; TIME_WAIT is then ours */
};

/* What each conversation begins with. talk.c and its protocol share it; the rest is the protocol's. */
struct hc_talk_head {
	enum hc_talk_phase phase;
	struct hc_outcome outcome; /* in GOODBYE and beyond */
	struct buf out;		   /* to be sent; what was is taken from its beginning */
};

struct hc_protocol {
	size_t size; /* of a conversation; begin() finds it zeroed */
	/* The connection to `to` is there. All stay as long; who is NULL where nobody is to log in. */
	void (*begin)(void *talk, const struct check *c, const struct endpoint *to,
		      const struct hc_account *who);
	void (*end)(void *talk); /* gives back what is in it */
	/* What the server said; in any pieces it means the same. */
	void (*feed)(void *talk, const uint8_t *data, size_t len);
	/* The server closed: afterwards the phase is GOODBYE or beyond. */
	void (*closed)(void *talk);
	/* SECURING, and TLS stands: whether the server is to be trusted. NULL: it never asks for TLS. */
	void (*secured)(void *talk, enum hc_reason trust);
	const char *alpn; /* what it is by ALPN, inside TLS; NULL: nobody is told */
	/* OVER, by a whole answer of a server that would hear another question: a conversation may go
	 * on. NULL: it never does. */
	bool (*may_go_on)(const void *talk);
	/* It goes on: from here it is ON. */
	void (*go_on)(void *talk, bool is_last);
	/* If it ended now. NULL: no server minds how it ends. */
	enum hc_login_end (*login_end)(const void *talk);
};

/* Over, by RST; the first outcome holds. */
void hc_talk_conclude(struct hc_talk_head *h, enum hc_reason reason, int32_t detail);
/* For secured() of those who leave without a word where they do not trust: true where they go on. */
MUST_CHECK bool hc_talk_trusts(struct hc_talk_head *h, enum hc_reason trust);

extern const struct hc_protocol hc_full_protocol, hc_mysql_protocol, hc_redis_protocol,
	hc_pg_protocol, hc_grpc_protocol, hc_https_protocol;

struct hc_talk;

/* For probe.c: as hc_probe_event() and those that follow it; p->talk is there after the connection. */
bool hc_talk_event(struct hc_probe *p, const struct hc_protocol *protocol, const struct hc_io *io,
		   uint64_t token, uint32_t events, struct hc_outcome *out);
bool hc_talk_is_settled(const struct hc_talk *t, struct hc_outcome *out);
enum hc_login_end hc_talk_login_end(const struct hc_talk *t);
void hc_talk_stop(struct hc_probe *p, const struct hc_io *io);
extern const struct hc_reuse hc_talk_reuse; /* of protocols that have go_on() */

#endif
