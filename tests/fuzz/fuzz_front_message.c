/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of the channel between core and the http process, as either side may get them. */
#include <assert.h>
#include <string.h>

#include "agent/api/front_message.h"
#include "agent/api/request_id.h"
#include "agent/base/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read well is written as the same bytes: there is one way to say a thing. */
static void same(const struct buf *written, const struct wire *before)
{
	assert(written->len == before->left);
	assert(memcmp(written->data, before->data, written->len) == 0);
}

static bool read_request(struct wire *body, struct buf *b)
{
	struct front_request m;
	bool good;

	wire_front_request(body, &m);
	good = wire_end(body);
	if (good) {
		assert(*m.request.method && m.request.target);
		assert(!m.request.request_id || request_id_is_good(m.request.request_id));
		assert(m.subject.unit_count <= SUBJECT_UNITS_MAX);
		assert(!*m.subject.name ||
		       subject_name_is_good(m.subject.name, strlen(m.subject.name)));
		wire_put_front_request(b, &m);
	} else if (body->bad) {
		assert(!m.request.method && !m.authorization);
	}
	front_request_done(&m);
	return good;
}

static bool read_reply(struct wire *body, struct buf *b)
{
	struct front_reply m;
	bool good;

	wire_front_reply(body, &m);
	good = wire_end(body);
	if (good) {
		assert(m.reply.status >= 200 && m.reply.status < 600 && m.request_id);
		wire_put_front_reply(b, &m);
	}
	front_reply_done(&m);
	return good;
}

static bool message(void *arg, uint16_t type, struct wire *body)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire before = *body;
	struct front_hello hello;
	struct front_piece piece;

	(void)arg;
	switch (type) {
	case FRONT_MSG_HELLO:
		wire_front_hello(body, &hello);
		if (!wire_end(body))
			return false;
		wire_put_front_hello(&b, &hello);
		break;
	case FRONT_MSG_REQUEST:
		if (!read_request(body, &b))
			return false;
		break;
	case FRONT_MSG_REPLY:
		if (!read_reply(body, &b))
			return false;
		break;
	case FRONT_MSG_BODY:
	case FRONT_MSG_PIECE:
		wire_front_piece(body, &piece);
		if (!wire_end(body))
			return false;
		assert(piece.len <= FRONT_PIECE_MAX && piece.end <= FRONT_BROKEN);
		wire_put_front_piece(&b, &piece);
		break;
	default:
		return true;
	}
	same(&b, &before);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int r = channel_split(data, size, message, NULL);

	(void)r;
	return 0;
}
