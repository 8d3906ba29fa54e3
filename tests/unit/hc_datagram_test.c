/* SPDX-License-Identifier: GPL-2.0-or-later */
/* udp.c: what is asked by a datagram, and what every one that comes back means. */
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_sends_what_it_is_told_or_nothing),
		cmocka_unit_test(udp_looks_for_an_answer_within_one_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
