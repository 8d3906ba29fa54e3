/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mysql.c, mysql_question.c: conversations with a server that is made for it,
 * in one piece and in pieces of every size, and what is left of them.
 */
#include "healthcheck/mysql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_mysql.h"

#define USER	 "parasaus"
#define PASSWORD "a word"
#define TURNS	 100

static const struct hc_protocol *const mysql = &hc_mysql_protocol;
static const struct hc_account who = { .username = USER, .password = PASSWORD };

/* One conversation, as the probe would carry it. */
struct talk {
	struct check *check;
	struct fake_mysql_talk server;
	struct hc_mysql client;
	bool is_trusted;
};

static void carry(struct buf *from, size_t cut, void (*to)(void *, const void *, size_t), void *arg)
{
	CLEANUP(buf_done) struct buf b = *from;

	*from = (struct buf){ 0 };
	for (size_t at = 0; at < b.len; at += cut)
		to(arg, b.data + at, b.len - at < cut ? b.len - at : cut);
}

static void to_server(void *arg, const void *data, size_t len)
{
	fake_mysql_hear(arg, data, len);
}

static void to_client(void *arg, const void *data, size_t len)
{
	CLEANUP(xfree_ptr) void *copy = xmalloc(len);

	memcpy(copy, data, len); /* a step beyond the piece is seen */
	mysql->feed(arg, copy, len);
}

static void begin(struct talk *t, struct fake_mysql *s, enum check_role role, enum check_tls tls)
{
	s->user = s->user ? s->user : USER;
	s->password = s->password ? s->password : PASSWORD;
	t->check = check_new(CHECK_MYSQL);
	t->check->role = role;
	t->check->tls = tls;
	t->is_trusted = true;
	t->client = (struct hc_mysql){ .rounds = 0 };
	mysql->begin(&t->client, t->check, NULL, &who);
	fake_mysql_begin(&t->server, s);
}

static void go_on(struct talk *t, size_t cut)
{
	for (int i = 0; i < TURNS; i++) {
		carry(&t->server.out, cut, to_client, &t->client);
		carry(&t->client.head.out, cut, to_server, &t->server);
		if (t->client.state == HC_MYSQL_SECURING)
			mysql->secured(&t->client, t->is_trusted ? HC_REASON_OK : HC_REASON_TLS);
	}
	if (t->server.is_ending)
		mysql->closed(&t->client);
}

static void end(struct talk *t)
{
	fake_mysql_done(&t->server);
	mysql->end(&t->client);
	check_unref(t->check);
}

struct row {
	const char *name;
	struct fake_mysql server;
	enum check_role role;
	enum check_tls tls;
	enum hc_reason reason;
	int32_t detail;
	bool is_owed; /* left in the midst of a login, as the server sees it */
	bool is_distrusted;
	uint32_t max_lag_s;
};

static const struct fake_mysql_answer writer[] = {
	{ "SHOW GLOBAL VARIABLES", "Variable_name\tValue",
	  "innodb_read_only\tOFF\nread_only\tOFF\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer maria12_reader[] = {
	{ "SHOW GLOBAL VARIABLES", "Variable_name\tValue", "read_only\tNO_LOCK_NO_ADMIN\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer aurora_reader[] = {
	{ "SHOW GLOBAL VARIABLES", "Variable_name\tValue", "innodb_read_only\tON\nread_only\t0\n",
	  0 },
	{ 0 },
};
static const struct fake_mysql_answer nothing[] = {
	{ "SHOW GLOBAL VARIABLES", "Variable_name\tValue", "", 0 },
	{ 0 },
};

#define READ_ONLY                                                 \
	{                                                         \
		"SHOW GLOBAL VARIABLES", "Variable_name\tValue",  \
			"read_only\tON\nsuper_read_only\tON\n", 0 \
	}
static const struct fake_mysql_answer new_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", "Replica_IO_State\tSeconds_Behind_Source\tX",
	  "Waiting\t3\t\\N\nWaiting\t7\t1\nWaiting\t5\t9\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer old_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", NULL, NULL, 1064 },
	{ "SHOW SLAVE STATUS", "Slave_IO_State\tSeconds_Behind_Master", "Waiting\t8\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer broken_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", "A\tSeconds_Behind_Source", "Waiting\t3\nWaiting\t\\N\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer odd_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", "A\tSeconds_Behind_Source", "Waiting\t-3\n", 0 },
	{ 0 },
};
static const struct fake_mysql_answer no_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", "A\tSeconds_Behind_Source", "", 0 },
	{ 0 },
};
static const struct fake_mysql_answer mute_replica[] = {
	READ_ONLY,
	{ "SHOW REPLICA STATUS", NULL, NULL, 1227 },
	{ 0 },
};

#define STATUS(ready, cluster, state)                                                  \
	{                                                                              \
		"SHOW GLOBAL STATUS", "Variable_name\tValue",                          \
			"wsrep_cluster_status\t" cluster "\nwsrep_local_state\t" state \
			"\nwsrep_ready\t" ready "\n",                                  \
			0                                                              \
	}
#define VARIABLES(desync, reject)                                                         \
	{                                                                                 \
		"SHOW GLOBAL VARIABLES", "Variable_name\tValue",                          \
			"wsrep_desync\t" desync "\nwsrep_reject_queries\t" reject "\n", 0 \
	}
static const struct fake_mysql_answer synced[] = { STATUS("ON", "Primary", "4"),
						   VARIABLES("OFF", "NONE"),
						   { 0 } };
static const struct fake_mysql_answer donor[] = { STATUS("ON", "Primary", "2"),
						  VARIABLES("OFF", "NONE"),
						  { 0 } };
static const struct fake_mysql_answer alone[] = { STATUS("OFF", "non-Primary", "0"),
						  VARIABLES("OFF", "NONE"),
						  { 0 } };
static const struct fake_mysql_answer desynced[] = { STATUS("ON", "Primary", "4"),
						     VARIABLES("ON", "NONE"),
						     { 0 } };
static const struct fake_mysql_answer rejects[] = { STATUS("ON", "Primary", "4"),
						    VARIABLES("OFF", "ALL"),
						    { 0 } };
static const struct fake_mysql_answer no_galera[] = { { "SET SESSION wsrep", NULL, NULL, 1193 },
						      { 0 } };

static const struct row rows[] = {
	{ .name = "native", .reason = HC_REASON_OK },
	{ .name = "a server that knows of no method but sha2, and knows us",
	  .server = { .default_plugin = "caching_sha2_password", .knows_sha2 = true },
	  .reason = HC_REASON_OK },
	{ .name = "a method that we have not, at first",
	  .server = { .default_plugin = "parsec", .account_plugin = "mysql_native_password" },
	  .reason = HC_REASON_OK },
	{ .name = "switched to native, with a seed of its own",
	  .server = { .default_plugin = "caching_sha2_password",
		      .account_plugin = "mysql_native_password" },
	  .reason = HC_REASON_OK },
	{ .name = "switched to ed25519",
	  .server = { .account_plugin = "client_ed25519" },
	  .reason = HC_REASON_OK },
	{ .name = "switched to sha2, which knows us",
	  .server = { .account_plugin = "caching_sha2_password", .knows_sha2 = true },
	  .reason = HC_REASON_OK },
	{ .name = "sha2 in full, inside TLS",
	  .server = { .account_plugin = "caching_sha2_password", .offers_tls = true },
	  .tls = CHECK_TLS_PREFERRED,
	  .reason = HC_REASON_OK },
	{ .name = "sha2 in full, in the clear: never",
	  .server = { .account_plugin = "caching_sha2_password" },
	  .reason = HC_REASON_AUTH,
	  .detail = 1045,
	  .is_owed = true },
	{ .name = "the password in the clear: never, not even in TLS",
	  .server = { .account_plugin = "mysql_clear_password", .offers_tls = true },
	  .tls = CHECK_TLS_REQUIRED,
	  .reason = HC_REASON_AUTH,
	  .detail = 1045,
	  .is_owed = true },
	{ .name = "a dialog",
	  .server = { .account_plugin = "dialog" },
	  .reason = HC_REASON_AUTH,
	  .detail = 1045,
	  .is_owed = true },
	{ .name = "a wrong password",
	  .server = { .password = "another" },
	  .reason = HC_REASON_AUTH,
	  .detail = 1045 },
	{ .name = "a wrong password, by ed25519",
	  .server = { .password = "another", .account_plugin = "client_ed25519" },
	  .reason = HC_REASON_AUTH,
	  .detail = 1045 },

	{ .name = "TLS is required and there",
	  .server = { .offers_tls = true },
	  .tls = CHECK_TLS_REQUIRED,
	  .reason = HC_REASON_OK },
	{ .name = "TLS would be nice and is not there",
	  .tls = CHECK_TLS_PREFERRED,
	  .reason = HC_REASON_OK },
	{ .name = "TLS is there and off",
	  .server = { .offers_tls = true },
	  .tls = CHECK_TLS_OFF,
	  .reason = HC_REASON_OK },
	{ .name = "TLS is required and not there",
	  .tls = CHECK_TLS_REQUIRED,
	  .reason = HC_REASON_TLS,
	  .detail = 1045 },
	{ .name = "TLS is there, with a stranger",
	  .server = { .offers_tls = true },
	  .tls = CHECK_TLS_PREFERRED,
	  .is_distrusted = true,
	  .reason = HC_REASON_TLS,
	  .detail = 1045 },
	{ .name = "TLS is there, with a stranger of other methods",
	  .server = { .offers_tls = true,
		      .default_plugin = "caching_sha2_password",
		      .account_plugin = "client_ed25519" },
	  .tls = CHECK_TLS_PREFERRED,
	  .is_distrusted = true,
	  .reason = HC_REASON_TLS,
	  .detail = 1045 },
	{ .name = "a stranger who lets anybody in",
	  .server = { .offers_tls = true, .lets_anybody_in = true },
	  .tls = CHECK_TLS_PREFERRED,
	  .is_distrusted = true,
	  .reason = HC_REASON_TLS },

	{ .name = "it closes before it greets",
	  .server = { .habit = FAKE_MYSQL_CLOSES_BEFORE_GREETING },
	  .reason = HC_REASON_CLOSED,
	  .is_owed = true },
	{ .name = "it closes instead of answering a login",
	  .server = { .habit = FAKE_MYSQL_CLOSES_BEFORE_VERDICT },
	  .reason = HC_REASON_CLOSED,
	  .is_owed = true },

	{ .name = "PING fails",
	  .server = { .answers = (const struct fake_mysql_answer[]){ { "PING", NULL, NULL, 1053 },
								     { 0 } } },
	  .reason = HC_REASON_SHUTDOWN,
	  .detail = 1053 },
	{ .name = "a writer", .server = { .answers = writer }, .role = CHECK_ROLE_WRITER },
	{ .name = "a writer is no reader",
	  .server = { .answers = writer },
	  .role = CHECK_ROLE_READER,
	  .reason = HC_REASON_ROLE },
	{ .name = "a reader", .server = { .answers = new_replica }, .role = CHECK_ROLE_READER },
	{ .name = "a reader is no writer",
	  .server = { .answers = new_replica },
	  .role = CHECK_ROLE_WRITER,
	  .reason = HC_REASON_ROLE },
	{ .name = "read_only is a word",
	  .server = { .answers = maria12_reader },
	  .role = CHECK_ROLE_READER },
	{ .name = "read_only is a word, and no writer",
	  .server = { .answers = maria12_reader },
	  .role = CHECK_ROLE_WRITER,
	  .reason = HC_REASON_ROLE },
	{ .name = "innodb_read_only counts",
	  .server = { .answers = aurora_reader },
	  .role = CHECK_ROLE_WRITER,
	  .reason = HC_REASON_ROLE },
	{ .name = "a server that does not know read_only",
	  .server = { .answers = nothing },
	  .role = CHECK_ROLE_WRITER,
	  .reason = HC_REASON_BAD_REPLY },

	{ .name = "the slowest source counts, within the bound",
	  .server = { .answers = new_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 7 },
	{ .name = "and beyond",
	  .server = { .answers = new_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 6,
	  .reason = HC_REASON_LAG,
	  .detail = 7 },
	{ .name = "a server that knows the old words only",
	  .server = { .answers = old_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 8 },
	{ .name = "one source stands still",
	  .server = { .answers = broken_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 100,
	  .reason = HC_REASON_LAG,
	  .detail = -1 },
	{ .name = "a lag that is no number",
	  .server = { .answers = odd_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 100,
	  .reason = HC_REASON_LAG,
	  .detail = -1 },
	{ .name = "no source at all",
	  .server = { .answers = no_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 100,
	  .reason = HC_REASON_LAG,
	  .detail = -1 },
	{ .name = "we may not ask",
	  .server = { .answers = mute_replica },
	  .role = CHECK_ROLE_READER,
	  .max_lag_s = 100,
	  .reason = HC_REASON_AUTH,
	  .detail = 1227 },

	{ .name = "a synced node", .server = { .answers = synced }, .role = CHECK_ROLE_GALERA },
	{ .name = "a donor",
	  .server = { .answers = donor },
	  .role = CHECK_ROLE_GALERA,
	  .reason = HC_REASON_NOT_READY },
	{ .name = "a node that is alone",
	  .server = { .answers = alone },
	  .role = CHECK_ROLE_GALERA,
	  .reason = HC_REASON_NOT_READY },
	{ .name = "a node out of step on purpose",
	  .server = { .answers = desynced },
	  .role = CHECK_ROLE_GALERA,
	  .reason = HC_REASON_NOT_READY },
	{ .name = "a node that rejects queries",
	  .server = { .answers = rejects },
	  .role = CHECK_ROLE_GALERA,
	  .reason = HC_REASON_NOT_READY },
	{ .name = "no Galera",
	  .server = { .answers = no_galera },
	  .role = CHECK_ROLE_GALERA,
	  .reason = HC_REASON_NOT_READY,
	  .detail = 1193 },
};

static void play(const struct row *r, size_t cut)
{
	struct fake_mysql server = r->server;
	enum hc_reason want = r->reason == HC_REASON_NONE ? HC_REASON_OK : r->reason;
	struct hc_outcome got;
	struct talk t;
	bool is_owed;

	begin(&t, &server, r->role, r->tls);
	t.is_trusted = !r->is_distrusted;
	t.check->max_lag_s = r->max_lag_s;
	go_on(&t, cut);
	got = t.client.head.outcome;
	is_owed = hc_mysql_is_owed(&t.client);
	if (t.client.state != HC_MYSQL_GOODBYE || got.reason != want || got.detail != r->detail)
		fail_msg("%s (pieces of %zu): %s %d in state %d, not %s %d", r->name, cut,
			 hc_reason_text(got.reason), got.detail, t.client.state,
			 hc_reason_text(want), r->detail);
	if (is_owed != r->is_owed)
		fail_msg("%s: leaving counts for %d", r->name, is_owed);
	/* Who was let in says goodbye; who is not trusted never hears our name. */
	assert_int_equal(server.quits, server.logins);
	assert_true(want != HC_REASON_TLS || strcmp(server.last_user, USER) != 0);
	end(&t);
	/* All others end as the server wants it. */
	if (!r->is_owed && !server.habit)
		assert_int_equal(server.broken, 0);
}

static void conversations_end_as_they_should(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t cut = 1; cut < 300; cut = cut < 20 ? cut + 1 : cut * 2)
			play(&rows[i], cut);
		play(&rows[i], SIZE_MAX / 2);
	}
}

/* --- errors ----------------------------------------------------------------------- */

static const struct {
	uint16_t code;
	enum hc_reason reason;
} codes[] = {
	{ 1129, HC_REASON_BLOCKED },	{ 1130, HC_REASON_BLOCKED },
	{ 1045, HC_REASON_AUTH },	{ 1044, HC_REASON_AUTH },
	{ 1698, HC_REASON_AUTH },	{ 1251, HC_REASON_AUTH },
	{ 1226, HC_REASON_AUTH },	{ 1203, HC_REASON_AUTH },
	{ 1227, HC_REASON_AUTH },	{ 1275, HC_REASON_AUTH },
	{ 1524, HC_REASON_AUTH },	{ 4151, HC_REASON_AUTH },
	{ 1820, HC_REASON_AUTH },	{ 1862, HC_REASON_AUTH },
	{ 3118, HC_REASON_AUTH },	{ 1040, HC_REASON_SATURATED },
	{ 1047, HC_REASON_NOT_READY },	{ 1053, HC_REASON_SHUTDOWN },
	{ 1043, HC_REASON_BAD_REPLY },	{ 1105, HC_REASON_BAD_REPLY },
	{ 65535, HC_REASON_BAD_REPLY },
};

static void errors_mean_what_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct fake_mysql_answer ping[] = { { "PING", NULL, NULL, codes[i].code }, { 0 } };
		struct fake_mysql servers[] = { { .greets_with = codes[i].code },
						{ .refuses_with = codes[i].code },
						{ .answers = ping } };
		bool counts = codes[i].code == 1043 || codes[i].code == 1251 ||
			      codes[i].code == 1275;

		for (size_t k = 0; k < ARRAY_LEN(servers); k++) {
			struct talk t;

			begin(&t, &servers[k], CHECK_ROLE_ANY, CHECK_TLS_OFF);
			go_on(&t, 1);
			assert_int_equal(t.client.head.outcome.reason, codes[i].reason);
			assert_int_equal(t.client.head.outcome.detail, codes[i].code);
			assert_int_equal(hc_mysql_is_owed(&t.client), k == 1 && counts);
			assert_int_equal(t.client.logged_in, k == 2);
			end(&t);
		}
	}
}

/* --- servers that are none -------------------------------------------------------- */

static struct hc_outcome hear(const void *data, size_t len, enum check_tls tls)
{
	struct check *c = check_new(CHECK_MYSQL);
	struct hc_outcome o;
	struct hc_mysql m = { .rounds = 0 };

	c->tls = tls;
	mysql->begin(&m, c, NULL, &who);
	mysql->feed(&m, data, len);
	assert_true(hc_mysql_is_owed(&m));
	mysql->closed(&m);
	o = m.head.outcome;
	mysql->end(&m);
	check_unref(c);
	return o;
}

static void what_is_no_greeting_is_a_bad_reply(void **state)
{
	struct fake_mysql server = { .user = USER, .password = PASSWORD };
	struct fake_mysql_talk t;
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	assert_int_equal(hear("HTTP/1.1 400 Bad Request\r\n\r\n", 28, CHECK_TLS_OFF).reason,
			 HC_REASON_TOO_LONG);
	assert_int_equal(hear("SSH-2.0-OpenSSH_9.2\r\n", 21, CHECK_TLS_OFF).reason,
			 HC_REASON_TOO_LONG);
	assert_int_equal(hear("\0\0\0\0", 4, CHECK_TLS_OFF).reason, HC_REASON_BAD_REPLY);
	assert_int_equal(hear("\1\0\0\1\12", 5, CHECK_TLS_OFF).reason, HC_REASON_BAD_REPLY);

	fake_mysql_begin(&t, &server);
	for (size_t len = 0; len + 4 < t.out.len; len++) {
		buf_reset(&b);
		fake_mysql_packet(&b, 0, t.out.data + 4, len);
		/* A name that is cut short is another name, and the NUL before it may be missing. */
		if (len >= t.out.len - 5 - sizeof("mysql_native_password"))
			break;
		assert_int_equal(hear(b.data, b.len, CHECK_TLS_OFF).reason, HC_REASON_BAD_REPLY);
	}
	fake_mysql_done(&t);
}

static void nothing_may_follow_the_greeting_that_tls_should_protect(void **state)
{
	struct fake_mysql server = { .user = USER, .password = PASSWORD, .offers_tls = true };
	struct fake_mysql_talk t;

	(void)state;
	fake_mysql_begin(&t, &server);
	fake_mysql_packet(&t.out, 2, "\0\0\0\2\0\0\0", 7);
	assert_int_equal(hear(t.out.data, t.out.len, CHECK_TLS_PREFERRED).reason,
			 HC_REASON_BAD_REPLY);
	fake_mysql_done(&t);
}

/* What `packet` does to a client that has logged in and asked whether this is a writer. */
static struct hc_outcome answer(uint8_t sequence, const void *packet, size_t len)
{
	static const struct fake_mysql_answer silent[] = { { "SHOW", "", "", 0 }, { 0 } };
	struct fake_mysql server = { .answers = silent };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct hc_outcome o;
	struct talk t;

	begin(&t, &server, CHECK_ROLE_WRITER, CHECK_TLS_OFF);
	for (int i = 0; i < TURNS && t.client.state != HC_MYSQL_ASKING; i++) {
		carry(&t.server.out, 1000, to_client, &t.client);
		if (t.client.state != HC_MYSQL_ASKING)
			carry(&t.client.head.out, 1000, to_server, &t.server);
	}
	assert_int_equal(t.client.state, HC_MYSQL_ASKING);
	fake_mysql_packet(&b, sequence, packet, len);
	mysql->feed(&t.client, b.data, b.len);
	mysql->closed(&t.client);
	o = t.client.head.outcome;
	assert_false(hc_mysql_is_owed(&t.client)); /* whatever it is, the login is done */
	end(&t);
	return o;
}

static void answers_that_are_none_are_bad_replies(void **state)
{
	static uint8_t huge[HC_MYSQL_PACKET_MAX + 1];

	(void)state;
	assert_int_equal(answer(1, "\xfb/etc/passwd", 12).reason, HC_REASON_BAD_REPLY);
	assert_int_equal(answer(1, "", 0).reason, HC_REASON_BAD_REPLY);
	assert_int_equal(answer(1, "\0\0\0\2\0\0\0", 7).reason, HC_REASON_BAD_REPLY);
	assert_int_equal(answer(1, "\xfd\1\2", 3).reason, HC_REASON_BAD_REPLY);
	assert_int_equal(answer(1, "\xfc\x81\0", 3).reason, HC_REASON_BAD_REPLY); /* 129 columns */
	assert_int_equal(answer(2, "\2", 1).reason, HC_REASON_BAD_REPLY); /* out of sequence */
	assert_int_equal(answer(1, huge, sizeof(huge)).reason, HC_REASON_TOO_LONG);
	assert_int_equal(answer(1, "\2", 1).reason, HC_REASON_CLOSED); /* well so far */
}

static void endless_switching_comes_to_an_end(void **state)
{
	struct fake_mysql server = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };
	uint8_t sequence = 2;
	struct talk t;

	(void)state;
	begin(&t, &server, CHECK_ROLE_ANY, CHECK_TLS_OFF);
	carry(&t.server.out, 1000, to_client, &t.client);
	for (int i = 0; i < 100 && t.client.state == HC_MYSQL_LOGIN; i++) {
		buf_reset(&b);
		fake_mysql_packet(&b, sequence, "\xfemysql_native_password\0abcdefghijklmnopqrst",
				  43);
		sequence = (uint8_t)(sequence + 2);
		mysql->feed(&t.client, b.data, b.len);
	}
	assert_int_equal(t.client.state, HC_MYSQL_GOODBYE);
	assert_int_equal(t.client.head.outcome.reason, HC_REASON_BAD_REPLY);
	assert_true(t.client.head.out.len < 1000);
	end(&t);
}

static void many_rows_are_too_many(void **state)
{
	static const struct fake_mysql_answer flood[] = {
		{ "SHOW GLOBAL VARIABLES", "Variable_name\tValue",
#define EIGHT "a\tb\na\tb\na\tb\na\tb\na\tb\na\tb\na\tb\na\tb\n"
		  EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT "read_only\tOFF\n", 0 },
		{ 0 },
	};
	struct fake_mysql server = { .answers = flood };
	struct talk t;

	(void)state;
	begin(&t, &server, CHECK_ROLE_WRITER, CHECK_TLS_OFF);
	go_on(&t, 1000);
	assert_int_equal(t.client.head.outcome.reason, HC_REASON_BAD_REPLY);
	end(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_end_as_they_should),
		cmocka_unit_test(errors_mean_what_they_are),
		cmocka_unit_test(what_is_no_greeting_is_a_bad_reply),
		cmocka_unit_test(nothing_may_follow_the_greeting_that_tls_should_protect),
		cmocka_unit_test(answers_that_are_none_are_bad_replies),
		cmocka_unit_test(endless_switching_comes_to_an_end),
		cmocka_unit_test(many_rows_are_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
