/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a Redis server, or one that speaks its protocol: AUTH
 * where there is an account, PING, and ROLE where a role is asked for. Pure.
 *
 * All is asked at once; the answers come in that order. The server logs and
 * counts nothing of how we leave, so that is by RST once they were read.
 */
#ifndef HEALTHCHECK_REDIS_H
#define HEALTHCHECK_REDIS_H

#include "healthcheck/redis_reply.h"
#include "healthcheck/talk.h"

/* The account of those who log in by a password alone, as servers before 6.0 have it. */
#define HC_REDIS_DEFAULT_USER "default"

struct hc_redis {
	bool is_over;
	struct hc_outcome outcome; /* once it is over */
	struct buf out;
	enum hc_login_end login; /* NONE: none is asked for, or it was not answered */
	/* the inside */
	enum check_role role;
	struct hc_redis_reader reader;
	uint8_t step;	 /* whose answer comes next */
	uint8_t element; /* of the answer to ROLE */
};

/* The texts are copied into `out`, which hc_redis_done() wipes. username NULL: no AUTH. */
void hc_redis_init(struct hc_redis *r, enum check_role role, const char *username,
		   const char *password);
void hc_redis_done(struct hc_redis *r);
void hc_redis_feed(struct hc_redis *r, const uint8_t *data, size_t len);
void hc_redis_closed(struct hc_redis *r); /* by the server: afterwards it is over */

#endif
