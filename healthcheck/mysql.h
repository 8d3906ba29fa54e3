/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One conversation with a MySQL or MariaDB server: greeting, login, question,
 * goodbye. Pure: bytes in, bytes out.
 *
 * A server counts clients that leave in the middle of the login, and after
 * max_connect_errors of them talks to none at that address. So once it has
 * greeted us, we leave only after it has accepted or refused a login: where
 * we do not want to give ours, or cannot, it gets one that is well formed and
 * wrong. hc_mysql_is_owed() says whether leaving now would count.
 */
#ifndef HEALTHCHECK_MYSQL_H
#define HEALTHCHECK_MYSQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "healthcheck/mysql_packet.h"
#include "healthcheck/mysql_result.h"
#include "healthcheck/talk.h"

enum hc_mysql_state {
	HC_MYSQL_GREETING,
	HC_MYSQL_SECURING,
	HC_MYSQL_LOGIN,
	HC_MYSQL_LEAVING, /* the outcome is known; a login that is meant to be refused is under way */
	HC_MYSQL_ASKING,
	HC_MYSQL_GOODBYE,
};

struct hc_mysql {
	struct hc_talk_head head;
	enum hc_mysql_state state;
	bool logged_in;
	/* the inside */
	const struct check *check;
	const struct hc_account *who;
	struct hc_mysql_reader reader;
	struct hc_mysql_greeting greeting;
	struct hc_mysql_result result;
	enum hc_mysql_plugin plugin;
	uint8_t question;
	uint8_t rounds;	 /* of the login */
	bool is_secured; /* inside TLS */
	bool is_risky;	 /* an answer the server may not even have read as one */
	bool answered;	 /* the login was accepted or refused */
	uint32_t facts;	 /* what the answers said so far */
	int64_t lag_s;	 /* -1: not known */
};

/* Would the server count it against our address if the connection ended now? */
bool hc_mysql_is_owed(const struct hc_mysql *m);

/* What a server's error code says of it; `detail` is the code. */
struct hc_outcome hc_mysql_outcome_of(uint16_t code);

/* The questions: mysql_question.c. */
void hc_mysql_ask_first(struct hc_mysql *m);
void hc_mysql_hear_answer(struct hc_mysql *m, struct wire packet);
/* mysql.c: the outcome is known, after a login. Says goodbye. */
void hc_mysql_finish_with(struct hc_mysql *m, enum hc_reason reason, int32_t detail);
void hc_mysql_command(struct hc_mysql *m, uint8_t command, const char *text);

#endif
