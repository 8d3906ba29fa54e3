/* SPDX-License-Identifier: GPL-2.0-or-later */
/* redis.c and redis_reply.c: what is asked, and what every answer means. */
#include "healthcheck/redis.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"

#define PING "*1\r\n$4\r\nPING\r\n"
#define ROLE "*1\r\n$4\r\nROLE\r\n"

static const struct hc_protocol *const redis = &hc_redis_protocol;

/* username NULL: without an account. */
static void begin(struct hc_redis *r, enum check_role role, const char *username,
		  const char *password)
{
	const struct hc_account who = { .username = username, .password = password };
	struct check *c = check_new(CHECK_REDIS);

	*r = (struct hc_redis){ .step = 0 };
	c->role = role;
	redis->begin(r, c, NULL, username ? &who : NULL);
	check_unref(c);
}

static bool is_over(const struct hc_redis *r)
{
	return r->head.phase == HC_TALK_OVER;
}

static void assert_asks(enum check_role role, const char *username, const char *password,
			const char *want)
{
	struct hc_redis r;

	begin(&r, role, username, password);
	assert_string_equal(buf_cstr(&r.head.out), want);
	assert_false(is_over(&r));
	redis->end(&r);
}

static void all_is_asked_at_once(void **state)
{
	(void)state;
	assert_asks(CHECK_ROLE_ANY, NULL, NULL, PING);
	assert_asks(CHECK_ROLE_WRITER, NULL, NULL, PING ROLE);
	assert_asks(CHECK_ROLE_READER, "check", "a\r\nb",
		    "*3\r\n$4\r\nAUTH\r\n$5\r\ncheck\r\n$4\r\na\r\nb\r\n" PING ROLE);
	/* As servers know it that have no user names. */
	assert_asks(CHECK_ROLE_ANY, "default", "", "*2\r\n$4\r\nAUTH\r\n$0\r\n\r\n" PING);
}

static void inside_tls_it_is_asked_who_is_trusted(void **state)
{
	static const struct {
		const char *username;
		enum hc_reason trust;
		const char *asks;
	} rows[] = {
		{ NULL, HC_REASON_OK, PING }, /* its Secret may hold nothing but certificates */
		{ "default", HC_REASON_OK, "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n" PING },
		{ "default", HC_REASON_NAME, "" },
	};
	struct check *c = check_new(CHECK_REDIS);

	(void)state;
	c->tls = CHECK_TLS_REQUIRED;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct hc_account who = { .username = rows[i].username,
						.password = rows[i].username ? "p" : NULL };
		struct hc_redis r = { .step = 0 };

		redis->begin(&r, c, NULL, &who);
		assert_int_equal(r.head.phase, HC_TALK_SECURING);
		assert_int_equal(r.head.out.len, 0);
		redis->secured(&r, rows[i].trust);
		assert_string_equal(buf_cstr(&r.head.out), rows[i].asks);
		assert_int_equal(is_over(&r), rows[i].trust != HC_REASON_OK);
		if (is_over(&r))
			assert_int_equal(r.head.outcome.reason, rows[i].trust);
		redis->end(&r);
	}
	check_unref(c);
}

/* The longest there are: what is wiped in the end was never moved. */
static void a_password_is_in_one_place_only(void **state)
{
	char username[HC_SECRET_USERNAME_MAX + 1], password[HC_SECRET_PASSWORD_MAX + 1];
	struct buf probe = { 0 };
	struct hc_redis r;

	(void)state;
	memset(username, 'u', sizeof(username));
	memset(password, 'p', sizeof(password));
	username[sizeof(username) - 1] = password[sizeof(password) - 1] = '\0';
	begin(&r, CHECK_ROLE_READER, username, password);
	buf_reserve(&probe, 512 + strlen(username) + strlen(password));
	assert_int_equal(r.head.out.cap,
			 probe.cap); /* it did not grow beyond what was reserved first */
	buf_done(&probe);
	redis->end(&r);
}

struct row {
	enum check_role role;
	bool logs_in;
	const char *said;
	bool closes;
	enum hc_reason reason; /* NONE: not over */
	enum hc_login_end login;
};

#define ANY    CHECK_ROLE_ANY
#define WRITER CHECK_ROLE_WRITER
#define READER CHECK_ROLE_READER
#define REPLICA(link) \
	"+PONG\r\n*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:6379\r\n" link "\r\n:3167038\r\n"

static const struct row rows[] = {
	{ ANY, false, "+PONG\r\n", false, HC_REASON_OK, HC_LOGIN_NONE },
	{ ANY, false, "+PONG\r", false, HC_REASON_NONE, HC_LOGIN_NONE },
	{ ANY, false, "+PON", true, HC_REASON_CLOSED, HC_LOGIN_NONE },
	{ ANY, false, "+PONGO\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, false, "$4\r\nPONG\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, false, "-LOADING Redis is loading the dataset in memory\r\n", false,
	  HC_REASON_NOT_READY, HC_LOGIN_NONE },
	{ ANY, false, "-MASTERDOWN Link with MASTER is down\r\n", false, HC_REASON_NOT_READY,
	  HC_LOGIN_NONE },
	{ ANY, false, "-MISCONF Redis is configured to save\r\n", false, HC_REASON_NOT_READY,
	  HC_LOGIN_NONE },
	{ ANY, false, "-BUSY Redis is busy running a script\r\n", false, HC_REASON_NOT_READY,
	  HC_LOGIN_NONE },
	{ ANY, false, "-DENIED Redis is running in protected mode\r\n", false, HC_REASON_NOT_READY,
	  HC_LOGIN_NONE },
	{ ANY, false, "-NOAUTH Authentication required.\r\n", false, HC_REASON_AUTH,
	  HC_LOGIN_NONE },
	{ ANY, false, "-ERR operation not permitted\r\n", false, HC_REASON_AUTH, HC_LOGIN_NONE },
	{ ANY, false, "-ERR max number of clients reached\r\n", true, HC_REASON_SATURATED,
	  HC_LOGIN_NONE },
	{ ANY, false, "-ERR unknown command 'PING'\r\n", false, HC_REASON_BAD_REPLY,
	  HC_LOGIN_NONE },
	{ ANY, false, "HTTP/1.1 400 Bad Request\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, true, "+OK\r\n", false, HC_REASON_NONE, HC_LOGIN_GOOD },
	{ ANY, true, "+OK\r\n+PONG\r\n", false, HC_REASON_OK, HC_LOGIN_GOOD },
	{ ANY, true, "+PONG\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, true, "-WRONGPASS invalid username-password pair\r\n-NOAUTH\r\n", false,
	  HC_REASON_AUTH, HC_LOGIN_REFUSED },
	{ ANY, true, "-ERR invalid password\r\n", false, HC_REASON_AUTH, HC_LOGIN_REFUSED },
	{ ANY, true, "-ERR Client sent AUTH, but no password is set\r\n", false, HC_REASON_AUTH,
	  HC_LOGIN_REFUSED },
	{ ANY, true, "-ERR max number of clients reached\r\n", true, HC_REASON_SATURATED,
	  HC_LOGIN_NONE },
	{ ANY, true, "+OK\r\n-NOPERM no permissions to run 'ping'\r\n", false, HC_REASON_AUTH,
	  HC_LOGIN_GOOD },
	{ WRITER, false, "+PONG\r\n", false, HC_REASON_NONE, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*3\r\n$6\r\nmaster\r\n", false, HC_REASON_OK, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*3\r\n$7\r\nmasters\r\n", false, HC_REASON_ROLE, HC_LOGIN_NONE },
	{ WRITER, false, REPLICA("$9\r\nconnected"), false, HC_REASON_ROLE, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*2\r\n$8\r\nsentinel\r\n", false, HC_REASON_ROLE,
	  HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n-NOPERM\r\n", false, HC_REASON_AUTH, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*0\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*-1\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n*3\r\n+master\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ WRITER, false, "+PONG\r\n+PONG\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*3\r\n$6\r\nmaster\r\n", false, HC_REASON_ROLE, HC_LOGIN_NONE },
	{ READER, false, REPLICA("$9\r\nconnected"), false, HC_REASON_OK, HC_LOGIN_NONE },
	{ READER, false, REPLICA("$7\r\nconnect"), false, HC_REASON_NOT_READY, HC_LOGIN_NONE },
	{ READER, false, REPLICA("$4\r\nsync"), false, HC_REASON_NOT_READY, HC_LOGIN_NONE },
	{ READER, false, REPLICA("$-1"), false, HC_REASON_NOT_READY, HC_LOGIN_NONE },
	{ READER, false, REPLICA("*0"), false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, REPLICA(":1"), false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	/* Lengths and numbers that a server has no reason for. */
	{ READER, false, "+PONG\r\n*5\r\n$16777216\r\n", false, HC_REASON_TOO_LONG, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$9999999999999999999\r\n", false, HC_REASON_BAD_REPLY,
	  HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$-2\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$-\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5x\r\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$5\r\nslavery\r\n", false, HC_REASON_BAD_REPLY,
	  HC_LOGIN_NONE },
	{ READER, false, "+PONG\r\n*5\r\n$0\r\n\r\n", false, HC_REASON_ROLE, HC_LOGIN_NONE },
	{ ANY, false, "+PONG\n", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, false, "+PONG\rx", false, HC_REASON_BAD_REPLY, HC_LOGIN_NONE },
	{ ANY, false, "", true, HC_REASON_CLOSED, HC_LOGIN_NONE },
};

static void play(const struct row *row, size_t piece)
{
	size_t len = strlen(row->said);
	struct hc_redis r;

	begin(&r, row->role, row->logs_in ? "parasaus" : NULL, "a word");
	for (size_t at = 0; at < len; at += piece)
		redis->feed(&r, (const uint8_t *)row->said + at,
			    piece < len - at ? piece : len - at);
	if (row->closes)
		redis->closed(&r);
	if (is_over(&r) != (row->reason != HC_REASON_NONE) || r.head.outcome.reason != row->reason)
		fail_msg("\"%s\": %s", row->said, hc_reason_text(r.head.outcome.reason));
	assert_int_equal(r.head.outcome.detail, 0);
	assert_int_equal(r.login, row->login);
	redis->end(&r);
}

static void an_answer_means_the_same_in_any_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece <= 80; piece += 1 + piece / 4)
			play(&rows[i], piece);
	}
}

/* A text may be long; all of it together may not. */
static void what_never_ends_is_too_long(void **state)
{
	static const char *const begins[] = { "+", "-ERR ", ":", "$4000\r\n",
					      "+PONG\r\n*9\r\n$4000\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
		const enum check_role role = i == 4 ? CHECK_ROLE_READER : CHECK_ROLE_ANY;
		struct hc_redis r;
		size_t n = 0;

		begin(&r, role, NULL, NULL);
		redis->feed(&r, (const uint8_t *)begins[i], strlen(begins[i]));
		for (; !is_over(&r) && n <= HC_REDIS_TOTAL_MAX; n++)
			redis->feed(&r, (const uint8_t *)"1", 1);
		assert_true(is_over(&r));
		assert_int_equal(r.head.outcome.reason,
				 i < 3 ? HC_REASON_TOO_LONG : HC_REASON_BAD_REPLY);
		redis->end(&r);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_asked_at_once),
		cmocka_unit_test(inside_tls_it_is_asked_who_is_trusted),
		cmocka_unit_test(a_password_is_in_one_place_only),
		cmocka_unit_test(an_answer_means_the_same_in_any_pieces),
		cmocka_unit_test(what_never_ends_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
