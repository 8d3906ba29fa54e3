/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mysql probe: a true login on a connection of its own, perhaps in TLS.
 *
 * The conversation is mysql.c's; this is how talk.c sees it. A connection is
 * closed by FIN once the server has closed it, or was told goodbye, and by RST
 * where it hangs.
 */
#include "healthcheck/mysql.h"
#include "healthcheck/talk.h"

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	(void)to;
	hc_mysql_init(talk, c, (struct hc_mysql_who){ who->username, who->password });
}

static void end(void *talk)
{
	hc_mysql_done(talk);
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	hc_mysql_feed(talk, data, len);
}

static void closed(void *talk)
{
	hc_mysql_closed(talk);
}

static void secured(void *talk, enum hc_reason trust)
{
	hc_mysql_secured(talk, trust == HC_REASON_OK);
}

static enum hc_talk_phase phase(const void *talk, struct hc_outcome *out)
{
	const struct hc_mysql *m = talk;

	if (m->state == HC_MYSQL_SECURING)
		return HC_TALK_SECURING;
	if (m->state != HC_MYSQL_GOODBYE)
		return HC_TALK_ON;
	*out = m->outcome;
	/* To who never came to an answer there is nothing to say. */
	return m->answered ? HC_TALK_GOODBYE : HC_TALK_OVER;
}

static struct buf *out(void *talk)
{
	return &((struct hc_mysql *)talk)->out;
}

static enum hc_login_end login_end(const void *talk)
{
	const struct hc_mysql *m = talk;

	if (hc_mysql_is_owed(m))
		return HC_LOGIN_BROKEN;
	return m->logged_in ? HC_LOGIN_GOOD : HC_LOGIN_REFUSED;
}

const struct hc_protocol hc_mysql_protocol = {
	.size = sizeof(struct hc_mysql),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.secured = secured,
	.phase = phase,
	.out = out,
	.login_end = login_end,
};
