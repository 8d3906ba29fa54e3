/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/tcp_full.h"

static void conclude(struct hc_full *f, enum hc_reason reason)
{
	f->is_over = true;
	f->outcome = (struct hc_outcome){ reason, 0 };
}

void hc_full_init(struct hc_full *f, const struct check *c)
{
	uint8_t send[CHECK_BYTES_MAX];

	*f = (struct hc_full){ .is_over = false };
	buf_put(&f->out, send, check_bytes(c->send, send));
	hc_match_init(&f->match, f->answer, check_bytes(c->answer, (uint8_t *)f->answer));
	if (!c->send && !c->answer)
		conclude(f, HC_REASON_OK);
}

void hc_full_done(struct hc_full *f)
{
	buf_done(&f->out);
}

void hc_full_feed(struct hc_full *f, const void *data, size_t len)
{
	size_t look = HC_FULL_LOOK - f->heard;

	if (f->is_over)
		return;
	if (len < look)
		look = len;
	f->heard += (uint32_t)look;
	hc_match_feed(&f->match, data, look);
	if (f->match.found)
		conclude(f, HC_REASON_OK);
	else if (f->heard == HC_FULL_LOOK)
		conclude(f, HC_REASON_NO_MATCH);
}

void hc_full_closed(struct hc_full *f)
{
	if (!f->is_over)
		conclude(f, f->heard ? HC_REASON_NO_MATCH : HC_REASON_CLOSED);
}

/* --- as talk.c sees it -------------------------------------------------------------- */

static void begin(void *talk, const struct check *c, const struct endpoint *to,
		  const struct hc_account *who)
{
	(void)to;
	(void)who; /* a check without a login */
	hc_full_init(talk, c);
}

static void end(void *talk)
{
	hc_full_done(talk);
}

static void feed(void *talk, const uint8_t *data, size_t len)
{
	hc_full_feed(talk, data, len);
}

static void closed(void *talk)
{
	hc_full_closed(talk);
}

/* Ends by RST: what was waited for was read, and no TIME_WAIT stays behind. */
static enum hc_talk_phase phase(const void *talk, struct hc_outcome *out)
{
	const struct hc_full *f = talk;

	if (!f->is_over)
		return HC_TALK_ON;
	*out = f->outcome;
	return HC_TALK_OVER;
}

static struct buf *out(void *talk)
{
	return &((struct hc_full *)talk)->out;
}

const struct hc_protocol hc_full_protocol = {
	.size = sizeof(struct hc_full),
	.begin = begin,
	.end = end,
	.feed = feed,
	.closed = closed,
	.phase = phase,
	.out = out,
};
