/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dns probe: one question of the class IN (RFC 1035, 4.1), and what the
 * server makes of it.
 *
 * Of an answer no more is read than its header and its question, which has to
 * be ours, letters of either case: with the id, that is what tells it from what
 * somebody else made up, or from the answer to another probe. An answer that
 * was cut (TC) says as much as a whole one.
 */
#include <assert.h>
#include <string.h>

#include "agent/base/value.h"
#include "healthcheck/datagram.h"

#define HEADER	 12
#define CLASS_IN 1

/* The header's third byte, and its fourth. */
#define IS_ANSWER	  0x80
#define OPCODE		  0x78
#define RECURSION_DESIRED 0x01
#define RCODE		  0x0f

_Static_assert(HEADER + CHECK_DNS_WIRE_MAX + 4 <= HC_DATAGRAM_MAX, "what is to be asked fits");

static void put_u16(uint8_t *out, uint16_t v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
}

static uint16_t u16_at(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

static size_t ask(const struct check *c, uint16_t id, uint8_t out[static HC_DATAGRAM_MAX])
{
	size_t len = 0;
	/* Checked when the check was made: it cannot fail. */
	int r = value_dns_name(c->dns_name, out + HEADER, &len);

	assert(r == 0);
	(void)r;
	memset(out, 0, HEADER);
	put_u16(out, id);
	out[2] = RECURSION_DESIRED;
	put_u16(out + 4, 1); /* question */
	put_u16(out + HEADER + len, c->dns_type);
	put_u16(out + HEADER + len + 2, CLASS_IN);
	return HEADER + len + 4;
}

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

/* Lengths of labels are below 'A'. */
static bool is_same_question(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

static struct hc_outcome judge(const struct check *c, uint16_t id, const uint8_t *data, size_t len)
{
	uint8_t question[HC_DATAGRAM_MAX];
	size_t asked = ask(c, id, question);
	unsigned rcode;

	if (len < asked || u16_at(data) != id || !(data[2] & IS_ANSWER) || data[2] & OPCODE ||
	    u16_at(data + 4) != 1 ||
	    !is_same_question(data + HEADER, question + HEADER, asked - HEADER))
		return (struct hc_outcome){ HC_REASON_NONE, 0 };
	rcode = data[3] & RCODE;
	if (c->dns_rcodes & 1u << rcode)
		return (struct hc_outcome){ HC_REASON_OK, 0 };
	return (struct hc_outcome){ HC_REASON_DNS_ERROR, (int32_t)rcode };
}

static enum hc_reason silence(const struct check *c)
{
	(void)c;
	return HC_REASON_TIMEOUT;
}

const struct hc_datagrams hc_dns_datagrams = {
	.ask = ask,
	.judge = judge,
	.others = HC_REASON_BAD_REPLY,
	.silence = silence,
};
