/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a PostgreSQL server. Pure: bytes in, bytes out.
 *
 * With an account it is a login to the database "postgres", perhaps in TLS, up
 * to ReadyForQuery, then pg_is_in_recovery() where a role is asked for, and
 * Terminate. Without one it asks whether the server would encrypt by GSSAPI,
 * and leaves at its word: that is the one question after which a server (since
 * 12) logs nothing of a client that goes, where TLS begun and not ended, or a
 * connection that is reset, are a line each. It shows a server that accepts
 * and answers, not one that is ready.
 */
#ifndef HEALTHCHECK_POSTGRESQL_H
#define HEALTHCHECK_POSTGRESQL_H

#include "healthcheck/postgresql_auth.h"
#include "healthcheck/talk.h"

#define HC_PG_BODY_MAX	2048 /* of one message that is read */
#define HC_PG_TOTAL_MAX 16384

enum hc_pg_state {
	HC_PG_OFFERING, /* is there somebody? by GSSENCRequest */
	HC_PG_ASKING_TLS,
	HC_PG_SECURING,
	HC_PG_LOGIN,
	HC_PG_ENTERED, /* the login is accepted; it gets ready */
	HC_PG_ASKING,
	HC_PG_OVER,
};

struct hc_pg {
	struct hc_talk_head head;
	enum hc_pg_state state;
	enum hc_login_end login;
	/* the inside */
	const struct check *check;
	const struct hc_account *who;
	struct hc_scram scram;
	bool is_secured; /* inside TLS */
	bool asked;	 /* the server has said how it wants the login */
	uint8_t scram_step;
	uint8_t role; /* enum check_role, as the server said; ANY: nothing yet */
	uint8_t header[5];
	uint32_t header_len, body_len, body_got, total;
	struct buf body;
};

/* random: HC_SCRAM_NONCE bytes. who NULL: nobody logs in. c and who stay as long. */
void hc_pg_init(struct hc_pg *p, const struct check *c, const struct hc_account *who,
		const uint8_t *random);

#endif
