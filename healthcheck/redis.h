/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a Redis server, or one that speaks its protocol: AUTH
 * where there is an account, PING, and ROLE where a role is asked for. Pure.
 *
 * All is asked at once, inside TLS where that is required; the answers come in
 * that order. The server logs and counts nothing of how we leave, so that is by
 * RST once they were read.
 */
#ifndef HEALTHCHECK_REDIS_H
#define HEALTHCHECK_REDIS_H

#include "healthcheck/redis_reply.h"
#include "healthcheck/talk.h"

/* The account of those who log in by a password alone, as servers before 6.0 have it. */
#define HC_REDIS_DEFAULT_USER "default"

struct hc_redis {
	struct hc_talk_head head; /* its `out` is wiped at the end */
	enum hc_login_end login;  /* NONE: none is asked for, or it was not answered */
	/* the inside */
	const struct hc_account *who; /* NULL: nobody */
	enum check_role role;
	struct hc_redis_reader reader;
	uint8_t step;	 /* whose answer comes next */
	uint8_t element; /* of the answer to ROLE */
};

#endif
