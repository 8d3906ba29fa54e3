/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp_full.c and match.c: what is said, and what every answer means. */
#include "healthcheck/tcp_full.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

static const struct hc_protocol *const full = &hc_full_protocol;

static struct hc_full full_of(const char *send, const char *answer)
{
	struct check *c = check_new(CHECK_TCP_FULL);
	struct hc_full f = { .heard = 0 };

	c->send = send ? xstrdup(send) : NULL;
	c->answer = answer ? xstrdup(answer) : NULL;
	full->begin(&f, c, NULL, NULL);
	check_unref(c);
	return f;
}

static bool is_over(const struct hc_full *f)
{
	return f->head.phase == HC_TALK_OVER;
}

static void without_words_the_connection_is_enough(void **state)
{
	struct hc_full f = full_of(NULL, NULL);

	(void)state;
	assert_true(is_over(&f));
	assert_int_equal(f.head.outcome.reason, HC_REASON_OK);
	assert_int_equal(f.head.out.len, 0);
	full->end(&f);
}

static void what_is_sent_is_unescaped(void **state)
{
	struct hc_full f = full_of("a\\x00\\r\\n", NULL);

	(void)state;
	assert_false(is_over(&f));
	assert_int_equal(f.head.out.len, 4);
	assert_memory_equal(f.head.out.data, "a\0\r\n", 4);
	full->end(&f);
}

struct row {
	const char *send, *answer, *said;
	size_t len;
	bool closes;
	bool over;
	enum hc_reason reason;
};
#define SAID(text) (text), sizeof(text) - 1

static const struct row rows[] = {
	{ "x", NULL, SAID(""), false, false, HC_REASON_NONE },
	{ "x", NULL, SAID("y"), false, true, HC_REASON_OK },
	{ "x", NULL, SAID(""), true, true, HC_REASON_CLOSED },
	{ NULL, "220 ", SAID("220 mail"), false, true, HC_REASON_OK },
	{ NULL, "220 ", SAID("22"), false, false, HC_REASON_NONE },
	{ NULL, "220 ", SAID("220"), true, true, HC_REASON_NO_MATCH },
	{ NULL, "220 ", SAID(""), true, true, HC_REASON_CLOSED },
	{ NULL, "220 ", SAID("421 no\r\n220 "), false, true, HC_REASON_OK },
	/* What begins like it may hold the beginning of it. */
	{ "x", "aab", SAID("aaab"), false, true, HC_REASON_OK },
	{ "x", "abcabd", SAID("abcabcabd"), false, true, HC_REASON_OK },
	{ "x", "aa\\x00a", SAID("aaa\0a"), false, true, HC_REASON_OK },
	{ "x", "aa\\x00b", SAID("aaa\0a"), true, true, HC_REASON_NO_MATCH },
	{ "x", "\\xff", SAID("\x7f\xff"), false, true, HC_REASON_OK },
};

static void play(const struct row *row, size_t piece)
{
	struct hc_full f = full_of(row->send, row->answer);

	for (size_t at = 0; at < row->len; at += piece)
		full->feed(&f, (const uint8_t *)row->said + at,
			   piece < row->len - at ? piece : row->len - at);
	if (row->closes)
		full->closed(&f);
	assert_int_equal(is_over(&f), row->over);
	assert_int_equal(f.head.outcome.reason, row->reason);
	full->end(&f);
}

static void an_answer_means_the_same_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= 9; piece++)
			play(&rows[i], piece);
	}
}

static void looking_ends_after_4096_bytes(void **state)
{
	char noise[HC_FULL_LOOK + 8];

	(void)state;
	memset(noise, '-', sizeof(noise));
	for (size_t at = HC_FULL_LOOK - 8; at < sizeof(noise) - 3; at++) {
		struct hc_full f = full_of(NULL, "here");

		memcpy(noise + at, "here", 4);
		full->feed(&f, (const uint8_t *)noise, sizeof(noise));
		assert_true(is_over(&f));
		assert_int_equal(f.head.outcome.reason,
				 at + 4 <= HC_FULL_LOOK ? HC_REASON_OK : HC_REASON_NO_MATCH);
		memset(noise + at, '-', 4);
		full->feed(&f, (const uint8_t *)"here", 4); /* too late to change it */
		full->closed(&f);
		assert_int_equal(f.head.outcome.reason,
				 at + 4 <= HC_FULL_LOOK ? HC_REASON_OK : HC_REASON_NO_MATCH);
		full->end(&f);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_words_the_connection_is_enough),
		cmocka_unit_test(what_is_sent_is_unescaped),
		cmocka_unit_test(an_answer_means_the_same_in_any_pieces),
		cmocka_unit_test(looking_ends_after_4096_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
