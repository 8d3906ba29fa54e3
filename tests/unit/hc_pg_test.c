/* SPDX-License-Identifier: GPL-2.0-or-later */
/* postgresql.c and postgresql_auth.c: what is said, and what every answer means. */
#include "healthcheck/postgresql.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

static struct hc_account account = { .username = "parasaus", .password = "a word" };
static const uint8_t no_random[HC_SCRAM_NONCE];

#define SERVER_FIRST \
	"r=AAAAAAAAAAAAAAAAAAAAAAAA%hvYDpWUa2RaTCAfuxFIlj,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=4096"
#define CLIENT_LAST                                                  \
	"c=biws,r=AAAAAAAAAAAAAAAAAAAAAAAA%hvYDpWUa2RaTCAfuxFIlj,p=" \
	"ygDj7qN8A2VZFkjqpjXoXzrWAxJUtnHmCB9L05A2NxI="
#define SERVER_LAST "v=FIHsoYgBskCdzZKqJAA0gMTbj1iUN+wT3uq56XZa3AI="
#define MD5	    "md5e085516c069580ab2002b5cc7881bbbe"

/* Worked out by another program. */
static void scram_is_proved_by_both(void **state)
{
	static const char forged[] = "v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	struct buf b = { 0 };
	struct hc_scram s;

	(void)state;
	hc_scram_init(&s, no_random);
	hc_scram_first(&s, &b);
	assert_string_equal(buf_cstr(&b), "n,,n=,r=AAAAAAAAAAAAAAAAAAAAAAAA");
	buf_reset(&b);
	assert_int_equal(hc_scram_proof(&s, "a word", (const uint8_t *)SERVER_FIRST,
					strlen(SERVER_FIRST), &b),
			 0);
	assert_string_equal(buf_cstr(&b), CLIENT_LAST);
	assert_true(hc_scram_is_server(&s, (const uint8_t *)SERVER_LAST, strlen(SERVER_LAST)));
	assert_false(hc_scram_is_server(&s, (const uint8_t *)forged, strlen(forged)));
	assert_false(hc_scram_is_server(&s, (const uint8_t *)SERVER_LAST, strlen(SERVER_LAST) - 4));
	assert_false(hc_scram_is_server(&s, (const uint8_t *)"e=other", 7));
	buf_done(&b);
}

static void a_server_that_asks_strange_things_gets_no_proof(void **state)
{
#define NONCE "AAAAAAAAAAAAAAAAAAAAAAAA"
	static const struct {
		const char *said;
		int r;
	} cases[] = {
		{ "", -EINVAL },
		{ "r=" NONCE "x,s=QUJD,i=0", -ERANGE },
		{ "r=" NONCE "x,s=QUJD,i=4095", -ERANGE }, /* too little to keep a guesser out */
		{ "r=" NONCE "x,s=QUJD,i=16385", -ERANGE },
		{ "r=" NONCE "x,s=QUJD,i=99999999999", -ERANGE },
		{ "r=" NONCE "x,s=QUJD,i=-1", -EINVAL },
		{ "r=" NONCE "x,s=QUJD,i=", -EINVAL },
		{ "r=" NONCE "x,s=,i=4096", -EINVAL },
		{ "r=" NONCE "x,s=!!!!,i=4096", -EINVAL },
		{ "r=" NONCE "x,i=4096,s=QUJD", -EINVAL },
		{ "r=" NONCE ",s=QUJD,i=4096", -EINVAL }, /* no nonce of its own */
		{ "r=BAAAAAAAAAAAAAAAAAAAAAAAx,s=QUJD,i=4096", -EINVAL },
		{ "e=unknown-user", -EINVAL },
		{ "r=" NONCE "x,s=QUJD,i=4096", 0 },
		{ "r=" NONCE "x,s=QUJD,i=16384,more", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };
		struct hc_scram s;

		hc_scram_init(&s, no_random);
		assert_int_equal(hc_scram_proof(&s, "a word", (const uint8_t *)cases[i].said,
						strlen(cases[i].said), &b),
				 cases[i].r);
		assert_int_equal(b.len > 0, cases[i].r == 0);
		buf_done(&b);
	}
}

static const struct hc_protocol *const pg = &hc_pg_protocol;

static struct hc_pg pg_of(enum check_role role, enum check_tls tls, bool logs_in)
{
	static struct check *c;
	struct hc_pg p;

	check_unref(c);
	c = check_new(CHECK_POSTGRESQL);
	c->role = role;
	c->tls = tls;
	hc_pg_init(&p, c, logs_in ? &account : NULL, no_random);
	return p;
}

/* What is to be sent by now, and is sent then. */
static void assert_said(struct hc_pg *p, const char *want, size_t len)
{
	assert_int_equal(p->head.out.len, len);
	assert_memory_equal(p->head.out.data ? (char *)p->head.out.data : "", want, len);
	buf_reset(&p->head.out);
}
#define SAID(p, text) assert_said(p, text, sizeof(text) - 1)

static void hear(struct hc_pg *p, const char *text, size_t len)
{
	pg->feed(p, (const uint8_t *)text, len);
}
#define HEAR(p, text) hear(p, text, sizeof(text) - 1)

#define STARTUP \
	"\0\0\0\x43\0\x03\0\0user\0parasaus\0database\0postgres\0application_name\0parasaus\0\0"
#define OK "R\0\0\0\x08\0\0\0\0"
#define READY                             \
	"S\0\0\0\x0btz\0UTC\0K\0\0\0\x0c" \
	"12345678Z\0\0\0\x05I"
#define BYE "X\0\0\0\x04"
#define ASK "Q\0\0\0\x1fSELECT pg_is_in_recovery()\0"
#define ROW(word) \
	"T\0\0\0\x06\0\0D\0\0\0\x0b\0\x01\0\0\0\x01" word "C\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"

static void a_login_by_scram_ends_in_a_goodbye(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);

	(void)state;
	SAID(&p, STARTUP);
	HEAR(&p, "R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
	SAID(&p, "p\0\0\0\x36SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=" NONCE);
	HEAR(&p, "R\0\0\0\x5a\0\0\0\x0b" SERVER_FIRST);
	assert_int_equal(p.head.out.data[0], 'p');
	assert_memory_equal(p.head.out.data + 5, CLIENT_LAST, strlen(CLIENT_LAST));
	buf_reset(&p.head.out);
	HEAR(&p, "R\0\0\0\x36\0\0\0\x0c" SERVER_LAST);
	HEAR(&p, OK);
	assert_int_equal(p.login, HC_LOGIN_GOOD);
	assert_int_not_equal(p.state, HC_PG_OVER);
	HEAR(&p, READY);
	SAID(&p, BYE);
	assert_int_equal(p.state, HC_PG_OVER);
	assert_int_equal(p.head.phase, HC_TALK_GOODBYE);
	assert_int_equal(p.head.outcome.reason, HC_REASON_OK);
	pg->end(&p);
}

static void md5_and_no_password_at_all_will_do(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_WRITER, CHECK_TLS_OFF, true);

	(void)state;
	buf_reset(&p.head.out);
	HEAR(&p, "R\0\0\0\x0c\0\0\0\x05salt");
	SAID(&p, "p\0\0\0\x28" MD5 "\0");
	HEAR(&p, OK READY);
	SAID(&p, ASK);
	HEAR(&p, ROW("f"));
	SAID(&p, BYE);
	assert_int_equal(p.head.outcome.reason, HC_REASON_OK);
	pg->end(&p);
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);
	HEAR(&p, OK READY);
	assert_int_equal(p.head.outcome.reason, HC_REASON_OK);
	pg->end(&p);
}

#define CLEAR "R\0\0\0\x08\0\0\0\x03"
#define SASL  "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"

/* What it learned of the password by one way is not to help it by another, nor spare it its proof. */
static void a_server_chooses_once_and_proves_itself(void **state)
{
	static const struct {
		const char *said;
		size_t len;
	} rest[] = {
		{ OK, sizeof(OK) - 1 },
		{ SASL, sizeof(SASL) - 1 },
		{ CLEAR, sizeof(CLEAR) - 1 },
		{ "R\0\0\0\x0c\0\0\0\x05salt", 13 },
	};

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(rest); i++) {
		struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);

		HEAR(&p, SASL);
		if (i >= ARRAY_LEN(rest))
			HEAR(&p, "R\0\0\0\x5a\0\0\0\x0b" SERVER_FIRST);
		buf_reset(&p.head.out);
		hear(&p, rest[i % ARRAY_LEN(rest)].said, rest[i % ARRAY_LEN(rest)].len);
		assert_int_equal(p.head.outcome.reason, HC_REASON_BAD_REPLY);
		assert_int_equal(p.head.out.len, 0);
		assert_int_not_equal(p.login, HC_LOGIN_GOOD);
		pg->end(&p);
	}
}

static void a_long_notice_is_passed_over(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);

	(void)state;
	buf_reset(&p.head.out);
	HEAR(&p, "N\0\0\x10\x04");
	for (int i = 0; i < 4096; i++)
		HEAR(&p, "x");
	HEAR(&p, OK READY);
	assert_int_equal(p.head.outcome.reason, HC_REASON_OK);
	pg->end(&p);
}

/* Whoever can answer at that address can begin TLS: it takes an authority to say who that is. */
static void a_password_is_said_to_whom_an_authority_vouches_for(void **state)
{
	const struct hc_tls_own nothing = { NULL, NULL };
	struct hc_tls_trust *anybody = hc_tls_trust_new(NULL, nothing);
	struct hc_tls_trust *asked = hc_tls_trust_new("x", nothing);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct hc_pg p;

		account.trust = i ? asked : anybody;
		p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_PREFERRED, true);
		HEAR(&p, "S");
		pg->secured(&p, HC_REASON_OK);
		buf_reset(&p.head.out);
		HEAR(&p, CLEAR);
		if (i) {
			SAID(&p, "p\0\0\0\x0b"
				 "a word\0");
		} else {
			assert_int_equal(p.head.out.len, 0);
			assert_int_equal(p.head.outcome.reason, HC_REASON_AUTH);
		}
		pg->end(&p);
	}
	account.trust = NULL;
	hc_tls_trust_free(anybody);
	hc_tls_trust_free(asked);
}

static void a_password_is_never_said_in_the_clear(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);

	(void)state;
	buf_reset(&p.head.out);
	HEAR(&p, CLEAR);
	assert_int_equal(p.head.out.len, 0);
	assert_int_equal(p.head.outcome.reason, HC_REASON_AUTH);
	assert_int_equal(p.login, HC_LOGIN_REFUSED);
	assert_int_equal(p.head.phase, HC_TALK_LEAVING);
	pg->end(&p);
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_PREFERRED, true);
	SAID(&p, "\0\0\0\x08\x04\xd2\x16\x2f");
	HEAR(&p, "S");
	assert_int_equal(p.state, HC_PG_SECURING);
	pg->secured(&p, HC_REASON_OK);
	SAID(&p, STARTUP);
	pg->end(&p);
}

static void tls_is_taken_or_left_as_the_check_says(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_PREFERRED, true);

	(void)state;
	buf_reset(&p.head.out);
	HEAR(&p, "N");
	SAID(&p, STARTUP);
	pg->end(&p);
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_REQUIRED, true);
	buf_reset(&p.head.out);
	HEAR(&p, "N");
	assert_int_equal(p.head.outcome.reason, HC_REASON_TLS);
	assert_int_equal(p.head.out.len, 0);
	pg->end(&p);
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_REQUIRED, true);
	buf_reset(&p.head.out);
	HEAR(&p, "S");
	pg->secured(&p, HC_REASON_TLS);
	assert_int_equal(p.head.outcome.reason, HC_REASON_TLS);
	assert_int_equal(p.head.out.len, 0);	     /* not even a name */
	assert_int_equal(p.login, HC_LOGIN_REFUSED); /* a person is told */
	assert_int_equal(p.head.phase, HC_TALK_LEAVING);
	pg->end(&p);
	/* What came in the clear is not what TLS protects. */
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_REQUIRED, true);
	HEAR(&p, "S" OK);
	assert_int_equal(p.head.outcome.reason, HC_REASON_BAD_REPLY);
	pg->end(&p);
}

#define ERROR(code) "E\0\0\0\x1cSFATAL\0C" code "\0Mbecause\0\0"
struct row {
	enum check_role role;
	bool logs_in;
	const char *said;
	size_t len;
	bool closes;
	enum hc_reason reason;
	int32_t detail;
};
#define SAYS(text) (text), sizeof(text) - 1
#define ANY	   CHECK_ROLE_ANY
#define WRITER	   CHECK_ROLE_WRITER
#define READER	   CHECK_ROLE_READER

static const struct row rows[] = {
	{ ANY, false, SAYS("G"), false, HC_REASON_OK, 0 },
	{ ANY, false, SAYS("N"), false, HC_REASON_OK, 0 },
	{ ANY, false, SAYS("S"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, false, SAYS(ERROR("0A000")), false, HC_REASON_OK, 0 },
	{ ANY, false, SAYS(ERROR("57P03")), false, HC_REASON_NOT_READY, 0 },
	{ ANY, false, SAYS("Ecould not fork new process\n\0"), false, HC_REASON_TOO_LONG, 0 },
	{ ANY, false, SAYS(""), true, HC_REASON_CLOSED, 0 },
	{ ANY, true, SAYS(OK), false, HC_REASON_NONE, 0 },
	{ ANY, true, SAYS(OK READY), false, HC_REASON_OK, 0 },
	{ ANY, true, SAYS("N\0\0\0\x05x" OK "v\0\0\0\x05x" READY), false, HC_REASON_OK, 0 },
	{ ANY, true, SAYS(OK), true, HC_REASON_CLOSED, 0 },
	{ ANY, true, SAYS(ERROR("57P03")), true, HC_REASON_NOT_READY, 0 },
	{ ANY, true, SAYS(ERROR("57P01")), false, HC_REASON_SHUTDOWN, 0 },
	{ ANY, true, SAYS(OK ERROR("57P02")), false, HC_REASON_SHUTDOWN, 0 },
	{ ANY, true, SAYS(ERROR("53300")), false, HC_REASON_SATURATED, 53300 },
	{ ANY, true, SAYS(ERROR("53100")), false, HC_REASON_NOT_READY, 53100 },
	{ ANY, true, SAYS(ERROR("28000")), false, HC_REASON_AUTH, 28000 },
	{ ANY, true, SAYS(ERROR("28P01")), false, HC_REASON_AUTH, 0 },
	{ ANY, true, SAYS(ERROR("3D000")), false, HC_REASON_AUTH, 0 },
	{ ANY, true, SAYS(OK ERROR("42501")), false, HC_REASON_AUTH, 42501 },
	{ ANY, true, SAYS(ERROR("XX000")), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("E\0\0\0\x05\0"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("E\0\0\0\x06SF"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true,
	  SAYS("E\0\0\0\x0a"
	       "C57P0\0"),
	  false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\0\0\0\x08\0\0\0\x07"), false, HC_REASON_AUTH, 0 },
	{ ANY, true, SAYS("R\0\0\0\x08\0\0\0\x0a"), false, HC_REASON_AUTH, 0 },
	{ ANY, true, SAYS("R\0\0\0\x0b\0\0\0\x05xyz"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\0\0\0\x08\0\0\0\x0b"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\0\0\0\x36\0\0\0\x0c" SERVER_LAST), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\0\0\0\x04"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS(OK OK), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("Z\0\0\0\x05I"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\0\0\0\x03"), false, HC_REASON_BAD_REPLY, 0 },
	{ ANY, true, SAYS("R\x01\0\0\0"), false, HC_REASON_TOO_LONG, 0 },
	{ ANY, true, SAYS("HTTP/1.1 400 Bad Request\r\n"), false, HC_REASON_TOO_LONG, 0 },
	{ WRITER, true, SAYS(OK READY), false, HC_REASON_NONE, 0 },
	{ WRITER, true, SAYS(OK READY ROW("f")), false, HC_REASON_OK, 0 },
	{ WRITER, true, SAYS(OK READY ROW("t")), false, HC_REASON_ROLE, 0 },
	{ READER, true, SAYS(OK READY ROW("t")), false, HC_REASON_OK, 0 },
	{ READER, true, SAYS(OK READY ROW("f")), false, HC_REASON_ROLE, 0 },
	{ READER, true, SAYS(OK READY ROW("x")), false, HC_REASON_BAD_REPLY, 0 },
	{ READER, true, SAYS(OK READY ROW("\0")), false, HC_REASON_BAD_REPLY, 0 },
	{ READER, true, SAYS(OK READY "D\0\0\0\x0a\0\x01\xff\xff\xff\xff"), false,
	  HC_REASON_BAD_REPLY, 0 },
	{ READER, true, SAYS(OK READY "Z\0\0\0\x05I"), false, HC_REASON_BAD_REPLY, 0 },
	{ READER, true, SAYS(OK READY ERROR("42501")), false, HC_REASON_AUTH, 42501 },
};

static void play(const struct row *row, size_t piece)
{
	struct hc_pg p = pg_of(row->role, CHECK_TLS_OFF, row->logs_in);

	for (size_t at = 0; at < row->len; at += piece)
		hear(&p, row->said + at, piece < row->len - at ? piece : row->len - at);
	if (row->closes)
		pg->closed(&p);
	if (p.head.outcome.reason != row->reason || p.head.outcome.detail != row->detail ||
	    (p.state == HC_PG_OVER) != (row->reason != HC_REASON_NONE))
		fail_msg("row %zu: %s %d", (size_t)(row - rows),
			 hc_reason_text(p.head.outcome.reason), p.head.outcome.detail);
	pg->end(&p);
}

static void an_answer_means_the_same_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= 120; piece += 1 + piece / 4)
			play(&rows[i], piece);
	}
}

static void what_never_ends_is_cut_off(void **state)
{
	struct hc_pg p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);

	(void)state;
	for (int i = 0; p.state != HC_PG_OVER && i < 10000; i++)
		HEAR(&p, "N\0\0\0\x05x");
	assert_int_equal(p.head.outcome.reason, HC_REASON_TOO_LONG);
	pg->end(&p);
	/* A login without end. */
	p = pg_of(CHECK_ROLE_ANY, CHECK_TLS_OFF, true);
	for (int i = 0; p.state != HC_PG_OVER && i < 10000; i++)
		HEAR(&p, "R\0\0\0\x0c\0\0\0\x05salt");
	assert_int_equal(p.head.outcome.reason, HC_REASON_BAD_REPLY);
	assert_in_range(p.head.out.len, 1, 1000);
	pg->end(&p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_is_proved_by_both),
		cmocka_unit_test(a_server_that_asks_strange_things_gets_no_proof),
		cmocka_unit_test(a_login_by_scram_ends_in_a_goodbye),
		cmocka_unit_test(md5_and_no_password_at_all_will_do),
		cmocka_unit_test(a_password_is_never_said_in_the_clear),
		cmocka_unit_test(a_password_is_said_to_whom_an_authority_vouches_for),
		cmocka_unit_test(a_server_chooses_once_and_proves_itself),
		cmocka_unit_test(a_long_notice_is_passed_over),
		cmocka_unit_test(tls_is_taken_or_left_as_the_check_says),
		cmocka_unit_test(an_answer_means_the_same_in_any_pieces),
		cmocka_unit_test(what_never_ends_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
