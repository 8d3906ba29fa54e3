/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stranger answers to a mysql probe. The first byte chooses the check,
 * the second how the rest is cut into pieces; in pieces or whole it must mean
 * the same. TLS itself is not in it: after SSLRequest the rest is taken for
 * what came out of it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "healthcheck/mysql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX 8192

static const struct hc_protocol *const mysql = &hc_mysql_protocol;
static const struct hc_account who = { .username = "parasaus", .password = "a word" };

struct input {
	const struct check *check;
	bool is_trusted;
	const uint8_t *data;
	size_t size;
};

static void check_bounds(const struct hc_mysql *m)
{
	assert(m->head.out.len <= OUT_MAX);
	assert(m->reader.packet.len <= HC_MYSQL_PACKET_MAX);
	assert(m->reader.total <= HC_MYSQL_TOTAL_MAX);
	assert(m->result.columns <= HC_MYSQL_COLUMNS_MAX);
	/* Out of the login only by an answer to it, or by leaving it. */
	assert(!m->logged_in || m->answered);
	assert(m->state != HC_MYSQL_ASKING || m->logged_in);
}

/* A block of its own for each piece shows a step beyond it. */
static void feed(struct hc_mysql *m, const uint8_t *data, size_t len)
{
	uint8_t *copy = xmalloc(len + !len);

	memcpy(copy, data, len);
	mysql->feed(m, copy, len);
	free(copy);
	check_bounds(m);
}

/* Bytes one by one up to where TLS begins, if it does: there the machine wants to be asked. */
static size_t feed_greeting(struct hc_mysql *m, const struct input *in)
{
	size_t at = 0;

	while (at < in->size && m->state == HC_MYSQL_GREETING)
		feed(m, in->data + at++, 1);
	if (m->state == HC_MYSQL_SECURING)
		mysql->secured(m, in->is_trusted ? HC_REASON_OK : HC_REASON_TLS);
	check_bounds(m);
	return at;
}

static struct hc_mysql judge(const struct input *in, uint32_t cut)
{
	struct hc_mysql m = { .rounds = 0 };
	size_t at;

	mysql->begin(&m, in->check, NULL, &who);
	at = feed_greeting(&m, in);
	while (at < in->size) {
		size_t left = in->size - at, n = left;

		if (cut) {
			cut = cut * 1103515245 + 12345;
			n = 1 + (cut >> 16) % (cut & 0x100 ? 5 : 700);
			n = n < left ? n : left;
		}
		feed(&m, in->data + at, n);
		at += n;
	}
	mysql->closed(&m);
	assert(m.state == HC_MYSQL_GOODBYE);
	mysql->end(&m);
	return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hc_mysql whole, pieces;
	struct input in;
	struct check *c;

	if (size < 2)
		return 0;
	c = check_new(CHECK_MYSQL);
	c->role = (enum check_role)(data[0] & 3);
	c->tls = (enum check_tls)((data[0] >> 2) % 3);
	c->max_lag_s = c->role == CHECK_ROLE_READER && data[0] & 0x40 ? 10 : 0;
	in = (struct input){ c, data[0] & 0x80, data + 2, size - 2 };
	whole = judge(&in, 0);
	pieces = judge(&in, data[1] + 1u);
	assert(whole.head.outcome.reason == pieces.head.outcome.reason);
	assert(whole.head.outcome.detail == pieces.head.outcome.detail);
	assert(whole.answered == pieces.answered && whole.logged_in == pieces.logged_in);
	/* The result of a probe, whatever it was. */
	(void)hc_reason_text(whole.head.outcome.reason);
	assert(whole.head.outcome.reason >= HC_REASON_OK &&
	       whole.head.outcome.reason < HC_REASON_COUNT);
	check_unref(c);
	return 0;
}
