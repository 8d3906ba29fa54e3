/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stranger answers to a probe that converses, but for mysql, which has a
 * target of its own. The first byte chooses the check, the second how the rest
 * is cut into pieces; in pieces or whole it must mean the same. Where the server
 * would hear another question it is asked one, and the rest is its answer.
 */
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "healthcheck/postgresql.h"
#include "healthcheck/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUT_MAX 8192

struct input {
	const struct check *check;
	const struct hc_protocol *protocol;
	const struct hc_account *who;
	bool is_trusted; /* where TLS is asked for: after that the rest is what came out of it */
	const uint8_t *data;
	size_t size;
};

static struct input full(uint8_t choice)
{
	struct check *c = check_new(CHECK_TCP_FULL);

	c->send = choice & 1 ? xstrdup("\\x00PING\\r\\n") : NULL;
	c->answer = choice & 2 ? xstrdup("aab\\x00") : NULL;
	return (struct input){ .check = c, .protocol = &hc_full_protocol };
}

static struct input redis(uint8_t choice)
{
	static const struct hc_account who = { .username = "parasaus", .password = "a word" };
	struct check *c = check_new(CHECK_REDIS);

	c->role = (enum check_role)((choice & 3) % CHECK_ROLE_GALERA);
	c->tls = choice & 8 ? CHECK_TLS_REQUIRED : CHECK_TLS_OFF;
	return (struct input){ .check = c,
			       .protocol = &hc_redis_protocol,
			       .who = choice & 4 ? &who : NULL,
			       .is_trusted = choice & 0x10 };
}

static void begin_pg(void *talk, const struct check *c, const struct endpoint *to,
		     const struct hc_account *who)
{
	static const uint8_t random[HC_SCRAM_NONCE]; /* the same each time */

	(void)to;
	hc_pg_init(talk, c, who, random);
}

static struct input postgresql(uint8_t choice)
{
	static const struct hc_account who = { .username = "parasaus", .password = "a word" };
	static struct hc_protocol protocol;
	struct check *c = check_new(CHECK_POSTGRESQL);

	protocol = hc_pg_protocol;
	protocol.begin = begin_pg;
	c->role = (enum check_role)((choice & 3) % CHECK_ROLE_GALERA);
	c->tls = (enum check_tls)((choice >> 2 & 3) % 3);
	return (struct input){ .check = c,
			       .protocol = &protocol,
			       .who = choice & 0x10 ? &who : NULL,
			       .is_trusted = choice & 0x20 };
}

static struct input grpc(uint8_t choice)
{
	struct check *c = check_new(CHECK_GRPC);

	c->tls = choice & 1 ? CHECK_TLS_REQUIRED : CHECK_TLS_OFF;
	return (struct input){ .check = c,
			       .protocol = &hc_grpc_protocol,
			       .is_trusted = choice & 2 };
}

static struct input https(uint8_t choice)
{
	struct check *c = check_new(CHECK_HTTPS);

	c->host = choice & 1 ? xstrdup("[2001:db8::1]:443") : NULL;
	c->match = choice & 2 ? xstrdup("well") : NULL;
	return (struct input){ .check = c,
			       .protocol = &hc_https_protocol,
			       .is_trusted = choice & 4 };
}

static struct input input_of(uint8_t choice)
{
	if ((choice & 0xf0) == 0x30)
		return https(choice);
	if (choice & 0x80)
		return postgresql(choice);
	if (choice & 0x40)
		return redis(choice);
	return choice & 0x20 ? grpc(choice) : full(choice);
}

/* A block of its own for each piece shows a step beyond it. */
static void feed(const struct hc_protocol *p, struct hc_talk_head *talk, const uint8_t *data,
		 size_t len)
{
	uint8_t *copy = xmalloc(len);

	memcpy(copy, data, len);
	p->feed(talk, copy, len);
	free(copy);
	assert(talk->out.len <= OUT_MAX);
}

static const struct endpoint there = { .addr = { { 10, 0, 0, 7 }, AF_INET },
				       .protocol = IPPROTO_TCP,
				       .port = 50051 };

static void secure(const struct input *in, struct hc_talk_head *talk)
{
	if (talk->phase == HC_TALK_SECURING)
		in->protocol->secured(talk, in->is_trusted ? HC_REASON_OK : HC_REASON_TLS);
}

/* Until the conversation is settled, or nothing is left from `at` on; returns from where there is. */
static size_t listen_from(const struct input *in, struct hc_talk_head *talk, size_t at,
			  uint32_t *cut)
{
	while (at < in->size && talk->phase < HC_TALK_GOODBYE) {
		size_t left = in->size - at, n = left;

		/* Up to where TLS may begin byte by byte: there the machine wants to be asked. */
		if (in->protocol->secured && at < 2) {
			n = 1;
		} else if (*cut) {
			*cut = *cut * 1103515245 + 12345;
			n = 1 + (*cut >> 16) % (*cut & 0x100 ? 5 : 700);
			n = n < left ? n : left;
		}
		feed(in->protocol, talk, in->data + at, n);
		at += n;
		secure(in, talk);
	}
	return at;
}

/* As long as there is anything to hear. */
static void go_on(const struct input *in, struct hc_talk_head *talk, size_t at, uint32_t *cut)
{
	const struct hc_protocol *p = in->protocol;

	while (p->go_on && at < in->size && talk->phase == HC_TALK_OVER && p->may_go_on(talk)) {
		buf_reset(&talk->out);
		p->go_on(talk, false);
		assert(talk->phase == HC_TALK_ON && talk->out.len > 0);
		at = listen_from(in, talk, at, cut);
	}
	if (talk->phase < HC_TALK_GOODBYE)
		p->closed(talk);
	assert(talk->phase >= HC_TALK_GOODBYE);
}

static struct hc_outcome judge(const struct input *in, uint32_t cut)
{
	const struct hc_protocol *p = in->protocol;
	struct hc_talk_head *talk = xcalloc(1, p->size);
	struct hc_outcome o;
	size_t at;

	p->begin(talk, in->check, &there, in->who);
	secure(in, talk);
	at = listen_from(in, talk, 0, &cut);
	if (talk->phase < HC_TALK_GOODBYE)
		p->closed(talk);
	assert(talk->phase >= HC_TALK_GOODBYE);
	o = talk->outcome;
	/* What was settled holds, whatever else comes. */
	p->closed(talk);
	assert(talk->phase >= HC_TALK_GOODBYE);
	assert(o.reason == talk->outcome.reason && o.detail == talk->outcome.detail);
	go_on(in, talk, at, &cut);
	p->end(talk);
	free(talk);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hc_outcome whole, pieces;
	struct input in;

	if (size < 2)
		return 0;
	in = input_of(data[0]);
	in.data = data + 2;
	in.size = size - 2;
	whole = judge(&in, 0);
	pieces = judge(&in, data[1] + 1u);
	assert(whole.reason == pieces.reason && whole.detail == pieces.detail);
	assert(whole.reason >= HC_REASON_OK && whole.reason < HC_REASON_COUNT);
	check_unref((struct check *)(uintptr_t)in.check);
	return 0;
}
