/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/redis.h"

#include <string.h>

#define WORDS_MAX 3   /* of a command */
#define OVERHEAD  512 /* what all we ask takes beyond name and password */

enum step { AUTH, PING, ROLE };

/* The elements of a replica's answer to ROLE. */
enum element { HEADER, WHAT, HOST, PORT, LINK };

/* What an error begins with, and what it says of the server. */
static const struct {
	const char *word;
	uint8_t reason; /* enum hc_reason */
} errors[] = {
	{ "LOADING", HC_REASON_NOT_READY }, /* its data, from disk */
	{ "MASTERDOWN",
	  HC_REASON_NOT_READY },	    /* a replica that lost its master, and may not serve */
	{ "MISCONF", HC_REASON_NOT_READY }, /* it cannot save, and takes no writes */
	{ "BUSY ", HC_REASON_NOT_READY },   /* a script does not end */
	{ "CLUSTERDOWN", HC_REASON_NOT_READY },
	{ "DENIED", HC_REASON_NOT_READY }, /* protected mode: it serves its own host alone */
	{ "NOAUTH", HC_REASON_AUTH },
	{ "WRONGPASS", HC_REASON_AUTH },
	{ "NOPERM", HC_REASON_AUTH },
	{ "ERR max number of clients", HC_REASON_SATURATED },
	{ "ERR operation not permitted", HC_REASON_AUTH }, /* NOAUTH before 2.8 */
};

static void put_command(struct buf *b, const char *const words[WORDS_MAX], unsigned count)
{
	buf_printf(b, "*%u\r\n", count);
	for (unsigned i = 0; i < count; i++) {
		buf_printf(b, "$%zu\r\n", strlen(words[i]));
		buf_str(b, words[i]);
		buf_str(b, "\r\n");
	}
}

static void put_auth(struct buf *b, const char *username, const char *password)
{
	/* What is wiped in the end must not have been moved before. */
	buf_reserve(b, OVERHEAD + strlen(username) + strlen(password));
	if (strcmp(username, HC_REDIS_DEFAULT_USER) == 0)
		put_command(b, (const char *[WORDS_MAX]){ "AUTH", password }, 2);
	else
		put_command(b, (const char *[WORDS_MAX]){ "AUTH", username, password }, 3);
}

static void ask(struct hc_redis *r)
{
	struct buf *out = &r->head.out;

	if (r->step == AUTH)
		put_auth(out, r->who->username, r->who->password);
	put_command(out, (const char *[WORDS_MAX]){ "PING" }, 1);
	if (r->role != CHECK_ROLE_ANY)
		put_command(out, (const char *[WORDS_MAX]){ "ROLE" }, 1);
}

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	struct hc_redis *r = talk;

	(void)to;
	r->who = who;
	r->role = c->role;
	r->step = who && who->username ? AUTH : PING;
	if (c->tls == CHECK_TLS_REQUIRED)
		r->head.phase = HC_TALK_SECURING;
	else
		ask(r);
}

static void secured(void *talk, enum hc_reason trust)
{
	struct hc_redis *r = talk;

	if (hc_talk_trusts(&r->head, trust))
		ask(r);
}

static void end(void *talk)
{
	buf_wipe(&((struct hc_redis *)talk)->head.out); /* it may have held the password */
}

static void conclude(struct hc_redis *r, enum hc_reason reason)
{
	hc_talk_conclude(&r->head, reason, 0);
}

static void on_error(struct hc_redis *r)
{
	enum hc_reason reason = r->step == AUTH ? HC_REASON_AUTH : HC_REASON_BAD_REPLY;

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (strncmp(r->reader.text, errors[i].word, strlen(errors[i].word)) == 0)
			reason = (enum hc_reason)errors[i].reason;
	}
	if (reason == HC_REASON_AUTH && r->step == AUTH)
		r->login = HC_LOGIN_REFUSED;
	conclude(r, reason);
}

/* The first of ROLE's elements. Of a replica it is asked whether it follows its master. */
static void on_what(struct hc_redis *r)
{
	bool is_replica = hc_redis_is(&r->reader, "slave");

	if (r->role == CHECK_ROLE_WRITER)
		conclude(r, hc_redis_is(&r->reader, "master") ? HC_REASON_OK : HC_REASON_ROLE);
	else if (!is_replica)
		conclude(r, HC_REASON_ROLE);
}

static void on_role(struct hc_redis *r)
{
	static const enum hc_redis_type types[] = { HC_REDIS_ARRAY, HC_REDIS_BULK, HC_REDIS_BULK,
						    HC_REDIS_INTEGER, HC_REDIS_BULK };
	enum element at = (enum element)r->element++;

	if (r->reader.type != types[at] || (at == HEADER && r->reader.number < 1))
		conclude(r, HC_REASON_BAD_REPLY);
	else if (at == WHAT)
		on_what(r);
	else if (at == LINK)
		conclude(r,
			 hc_redis_is(&r->reader, "connected") ? HC_REASON_OK : HC_REASON_NOT_READY);
}

static void on_token(struct hc_redis *r)
{
	bool is_simple = r->reader.type == HC_REDIS_SIMPLE;

	if (r->reader.type == HC_REDIS_ERROR) {
		on_error(r);
	} else if (r->step == AUTH && is_simple && hc_redis_is(&r->reader, "OK")) {
		r->login = HC_LOGIN_GOOD;
		r->step = PING;
	} else if (r->step == PING && is_simple && hc_redis_is(&r->reader, "PONG")) {
		r->step = ROLE;
		if (r->role == CHECK_ROLE_ANY)
			conclude(r, HC_REASON_OK);
	} else if (r->step == ROLE) {
		on_role(r);
	} else {
		conclude(r, HC_REASON_BAD_REPLY);
	}
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	struct hc_redis *r = talk;

	while (len > 0 && r->head.phase == HC_TALK_ON) {
		switch (hc_redis_read(&r->reader, &data, &len)) {
		case HC_REDIS_MORE:
			break;
		case HC_REDIS_TOKEN:
			on_token(r);
			break;
		case HC_REDIS_BROKEN:
			conclude(r, HC_REASON_BAD_REPLY);
			break;
		case HC_REDIS_TOO_LONG:
			conclude(r, HC_REASON_TOO_LONG);
			break;
		}
	}
}

static void closed(void *talk)
{
	conclude(talk, HC_REASON_CLOSED);
}

static enum hc_login_end login_end(const void *talk)
{
	return ((const struct hc_redis *)talk)->login;
}

const struct hc_protocol hc_redis_protocol = {
	.size = sizeof(struct hc_redis),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.login_end = login_end,
};
