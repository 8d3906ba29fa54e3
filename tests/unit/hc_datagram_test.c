/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp.c and dns.c: what is asked by a datagram, and what every one that comes back means. */
#include "healthcheck/datagram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

static struct check *udp_of(const char *send, const char *answer)
{
	struct check *c = check_new(CHECK_UDP);

	c->send = send ? xstrdup(send) : NULL;
	c->answer = answer ? xstrdup(answer) : NULL;
	return c;
}

static void udp_sends_what_it_is_told_or_nothing(void **state)
{
	uint8_t out[HC_DATAGRAM_MAX];
	struct check *c = udp_of("a\\x00\\n", NULL);

	(void)state;
	assert_int_equal(hc_udp_datagrams.ask(c, 1, out), 3);
	assert_memory_equal(out, "a\0\n", 3);
	check_unref(c);
	c = udp_of(NULL, NULL);
	assert_int_equal(hc_udp_datagrams.ask(c, 1, out), 0);
	check_unref(c);
}

static void udp_looks_for_an_answer_within_one_datagram(void **state)
{
	static const struct {
		const char *answer, *said;
		size_t len;
		bool is_it;
	} rows[] = {
		{ NULL, "x", 1, true },
		{ NULL, "", 0, true },
		{ "pong", "pong", 4, true },
		{ "pong", "popong!", 7, true },
		{ "pong", "pon", 3, false },
		{ "pong", "", 0, false },
		{ "\\x00\\xff", "a\0\xff", 3, true },
		{ "\\x00\\xff", "a\0\xfe", 3, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct check *c = udp_of(NULL, rows[i].answer);
		struct hc_outcome o = hc_udp_datagrams.judge(c, 1, (const uint8_t *)rows[i].said,
							     rows[i].len);

		assert_int_equal(o.reason, rows[i].is_it ? HC_REASON_OK : HC_REASON_NONE);
		assert_int_equal(hc_udp_datagrams.silence(c),
				 rows[i].answer ? HC_REASON_TIMEOUT : HC_REASON_SILENT);
		check_unref(c);
	}
	assert_int_equal(hc_udp_datagrams.others, HC_REASON_NO_MATCH);
}

static const uint8_t a_of_example[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\7eXample\3org\0\0\1\0\1";
#define QUESTION (sizeof(a_of_example) - 1)

static struct check *dns_of(const char *name, uint16_t type, uint16_t rcodes)
{
	struct check *c = check_new(CHECK_DNS);

	free(c->dns_name);
	c->dns_name = xstrdup(name);
	c->dns_type = type;
	c->dns_rcodes = rcodes;
	return c;
}

static void dns_asks_for_what_it_is_told(void **state)
{
	uint8_t out[HC_DATAGRAM_MAX];
	struct check *c = check_new(CHECK_DNS);
	char longest[CHECK_DNS_NAME_MAX + 1];

	(void)state;
	assert_int_equal(hc_dns_datagrams.ask(c, 0xabcd, out), 17);
	assert_memory_equal(out, "\xab\xcd\1\0\0\1\0\0\0\0\0\0\0\0\6\0\1", 17);
	check_unref(c);
	c = dns_of("eXample.org.", 1, 1);
	assert_int_equal(hc_dns_datagrams.ask(c, 0x1234, out), QUESTION);
	assert_memory_equal(out, a_of_example, QUESTION);
	check_unref(c);
	memset(longest, 'a', sizeof(longest));
	longest[63] = longest[127] = longest[191] = longest[253] = '.';
	longest[CHECK_DNS_NAME_MAX] = '\0';
	c = dns_of(longest, 1, 1);
	assert_int_equal(hc_dns_datagrams.ask(c, 1, out), 12 + CHECK_DNS_WIRE_MAX + 4);
	check_unref(c);
}

static enum hc_reason judge_dns(const struct check *c, const uint8_t *data, size_t len)
{
	return hc_dns_datagrams.judge(c, 0x1234, data, len).reason;
}

static void dns_takes_the_answer_to_its_question_alone(void **state)
{
	/* At which byte of the answer there is what instead, and whether it still is one. */
	static const struct {
		size_t at;
		uint8_t byte;
		enum hc_reason reason;
	} rows[] = {
		{ 2, 0x80, HC_REASON_OK },
		{ 2, 0x87, HC_REASON_OK }, /* cut, authoritative */
		{ 3, 0xf0, HC_REASON_OK },
		{ 2, 0x01, HC_REASON_NONE }, /* a question */
		{ 2, 0x88, HC_REASON_NONE }, /* to another opcode */
		{ 0, 0x13, HC_REASON_NONE },
		{ 1, 0x35, HC_REASON_NONE },
		{ 4, 1, HC_REASON_NONE },
		{ 5, 0, HC_REASON_NONE },
		{ 5, 2, HC_REASON_NONE },
		{ 7, 9, HC_REASON_OK }, /* records are not read */
		{ 13, 'E', HC_REASON_OK },
		{ 14, 'x', HC_REASON_OK },
		{ 13, 'f', HC_REASON_NONE },
		{ 12, 8, HC_REASON_NONE },
		{ 12, 0xc0, HC_REASON_NONE }, /* compressed: there is nothing before it */
		{ 20, 4, HC_REASON_NONE },
		{ 24, 1, HC_REASON_NONE },
		{ 26, 28, HC_REASON_NONE },
		{ 28, 3, HC_REASON_NONE },
		{ 3, 2, HC_REASON_DNS_ERROR },
		{ 3, 3, HC_REASON_OK },
		{ 3, 0x8f, HC_REASON_DNS_ERROR },
	};
	struct check *c = dns_of("eXample.org", 1, 1u << 0 | 1u << 3);
	uint8_t said[QUESTION + 20] = { 0 };

	(void)state;
	assert_int_equal(judge_dns(c, a_of_example, QUESTION), HC_REASON_NONE);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memcpy(said, a_of_example, QUESTION);
		said[2] = 0x84;
		assert_int_equal(judge_dns(c, said, sizeof(said)), HC_REASON_OK);
		said[rows[i].at] = rows[i].byte;
		assert_int_equal(judge_dns(c, said, sizeof(said)), rows[i].reason);
		assert_int_equal(judge_dns(c, said, QUESTION), rows[i].reason);
		for (size_t len = 0; len < QUESTION; len++)
			assert_int_equal(judge_dns(c, said, len), HC_REASON_NONE);
	}
	said[3] = 0x85;
	assert_int_equal(hc_dns_datagrams.judge(c, 0x1234, said, QUESTION).detail, 5);
	assert_int_equal(hc_dns_datagrams.silence(c), HC_REASON_TIMEOUT);
	assert_int_equal(hc_dns_datagrams.others, HC_REASON_BAD_REPLY);
	check_unref(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_sends_what_it_is_told_or_nothing),
		cmocka_unit_test(udp_looks_for_an_answer_within_one_datagram),
		cmocka_unit_test(dns_asks_for_what_it_is_told),
		cmocka_unit_test(dns_takes_the_answer_to_its_question_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
