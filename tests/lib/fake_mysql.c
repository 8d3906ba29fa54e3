/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_mysql.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "healthcheck/mysql_auth.h"
#include "healthcheck/mysql_packet.h"

enum { SILENT, TLS_REQUESTED, LOGIN, ANSWER, FULL, COMMAND, OVER };

#define LOGIN_FIXED 32
#define LOCAL_FILES 0x80u

void fake_mysql_packet(struct buf *b, uint8_t sequence, const void *body, size_t len)
{
	size_t at = b->len;

	wire_put_u32(b, 0);
	buf_put(b, body, len);
	hc_mysql_finish(b, at, sequence);
}

void fake_mysql_error(struct buf *b, uint8_t sequence, uint16_t code)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	wire_put_u8(&body, 0xff);
	wire_put_u16(&body, code);
	buf_str(&body, "#HY000no");
	fake_mysql_packet(b, sequence, body.data, body.len);
}

static void put(struct fake_mysql_talk *t, const struct buf *body)
{
	fake_mysql_packet(&t->out, t->sequence++, body->data, body->len);
}

static void put_ok(struct fake_mysql_talk *t)
{
	fake_mysql_packet(&t->out, t->sequence++, "\0\0\0\2\0\0\0", 7);
}

static void put_error(struct fake_mysql_talk *t, uint16_t code)
{
	fake_mysql_error(&t->out, t->sequence++, code);
}

/* --- the login -------------------------------------------------------------------- */

static void put_greeting(struct fake_mysql_talk *t)
{
	const struct fake_mysql *s = t->server;
	CLEANUP(buf_done) struct buf b = { 0 };
	uint32_t caps = HC_MYSQL_CAP_PROTOCOL41 | HC_MYSQL_CAP_SECURE | HC_MYSQL_CAP_PLUGINS |
			HC_MYSQL_CAP_ATTRIBUTES | LOCAL_FILES;

	if (s->offers_tls)
		caps |= HC_MYSQL_CAP_SSL;
	snprintf(t->plugin, sizeof(t->plugin), "%s",
		 s->default_plugin ? s->default_plugin : "mysql_native_password");
	wire_put_u8(&b, 10);
	buf_put(&b, "5.5.5-10.11.19-MariaDB", 23);
	wire_put_u32(&b, 7);
	buf_put(&b, t->seed, 8);
	wire_put_u8(&b, 0);
	wire_put_u16(&b, (uint16_t)caps);
	wire_put_u8(&b, 45);
	wire_put_u16(&b, 2);
	wire_put_u16(&b, (uint16_t)(caps >> 16));
	wire_put_u8(&b, 21);
	memset(buf_add(&b, 10), 0, 10);
	buf_put(&b, t->seed + 8, 12);
	wire_put_u8(&b, 0);
	buf_put(&b, t->plugin, strlen(t->plugin) + 1);
	put(t, &b);
}

static bool is_locked_out(const struct fake_mysql *s)
{
	return s->max_connect_errors && s->errors_in_row >= s->max_connect_errors;
}

void fake_mysql_begin(struct fake_mysql_talk *t, struct fake_mysql *s)
{
	*t = (struct fake_mysql_talk){ .server = s, .stage = SILENT };
	memcpy(t->seed, "abcdefghijklmnopqrstuvwxyzABCDEF", sizeof(t->seed));
	s->connections++;
	if (s->habit == FAKE_MYSQL_HANGS_BEFORE_GREETING)
		return;
	if (s->greets_with || is_locked_out(s)) {
		put_error(t, is_locked_out(s) ? 1129 : s->greets_with);
		t->stage = OVER;
	} else if (s->habit == FAKE_MYSQL_CLOSES_BEFORE_GREETING) {
		t->stage = OVER;
	} else {
		put_greeting(t);
		t->stage = LOGIN;
	}
	t->is_ending = t->stage == OVER;
}

static void refuse(struct fake_mysql_talk *t, uint16_t code)
{
	t->server->refused++;
	put_error(t, code);
	t->stage = OVER;
	t->is_ending = true;
}

static void accept_or_refuse(struct fake_mysql_talk *t, bool is_right)
{
	struct fake_mysql *s = t->server;

	if (s->habit == FAKE_MYSQL_HANGS_BEFORE_VERDICT) {
		t->stage = SILENT;
	} else if (s->habit == FAKE_MYSQL_CLOSES_BEFORE_VERDICT) {
		t->stage = OVER;
		t->is_ending = true;
	} else if (s->refuses_with || (!is_right && !s->lets_anybody_in)) {
		refuse(t, s->refuses_with ? s->refuses_with : 1045);
	} else {
		s->logins++;
		s->errors_in_row = 0;
		put_ok(t);
		t->stage = COMMAND;
	}
}

static bool is_right(const struct fake_mysql_talk *t, const void *answer, size_t len)
{
	enum hc_mysql_plugin p = hc_mysql_plugin_parse(t->plugin);
	uint8_t want[HC_MYSQL_ANSWER_MAX];
	size_t want_len;

	return p != HC_MYSQL_OTHER && strcmp(t->user, t->server->user) == 0 &&
	       hc_mysql_answer(p, t->server->password, t->seed, want, &want_len) &&
	       want_len == len && memcmp(want, answer, len) == 0;
}

static void judge(struct fake_mysql_talk *t, const void *answer, size_t len)
{
	if (strcmp(t->plugin, "caching_sha2_password") != 0) {
		accept_or_refuse(t, is_right(t, answer, len));
		return;
	}
	if (t->server->knows_sha2 && is_right(t, answer, len)) {
		fake_mysql_packet(&t->out, t->sequence++, "\1\3", 2);
		accept_or_refuse(t, true);
		return;
	}
	fake_mysql_packet(&t->out, t->sequence++, "\1\4", 2);
	t->stage = FULL;
}

static void switch_plugin(struct fake_mysql_talk *t, const char *plugin)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	snprintf(t->plugin, sizeof(t->plugin), "%s", plugin);
	memcpy(t->seed, "0123456789abcdefghijABCDEFGHIJKL", sizeof(t->seed));
	wire_put_u8(&b, 0xfe);
	buf_put(&b, plugin, strlen(plugin) + 1);
	buf_put(&b, t->seed, sizeof(t->seed));
	put(t, &b);
	t->stage = ANSWER;
}

static const char *text(struct wire *w)
{
	const char *s = (const char *)w->data;
	size_t len = strnlen(s, w->left);

	assert(len < w->left);
	w->data += len + 1;
	w->left -= len + 1;
	return s;
}

static void hear_login(struct fake_mysql_talk *t, struct wire w)
{
	struct fake_mysql *s = t->server;
	uint32_t caps = wire_u32(&w);
	uint8_t rest[LOGIN_FIXED - 4], answer[256];
	size_t len;

	wire_bytes(&w, rest, sizeof(rest));
	assert(!w.bad && !(caps & LOCAL_FILES));
	if (w.left == 0) {
		assert(caps & HC_MYSQL_CAP_SSL && s->offers_tls && t->stage == LOGIN);
		t->stage = TLS_REQUESTED; /* what follows is as if in TLS */
		return;
	}
	snprintf(t->user, sizeof(t->user), "%s", text(&w));
	snprintf(s->last_user, sizeof(s->last_user), "%s", t->user);
	len = wire_u8(&w);
	wire_bytes(&w, answer, len);
	assert(!w.bad && caps & HC_MYSQL_CAP_PLUGINS);
	snprintf(t->plugin, sizeof(t->plugin), "%s", text(&w));
	assert(w.left == 1u + w.data[0]); /* attributes, to the end */
	if (s->account_plugin && strcmp(s->account_plugin, t->plugin) != 0)
		switch_plugin(t, s->account_plugin);
	else
		judge(t, answer, len);
}

static void hear_full(struct fake_mysql_talk *t, struct wire w)
{
	const char *password = t->server->password;

	accept_or_refuse(t, strcmp(t->user, t->server->user) == 0 &&
				    w.left == strlen(password) + 1 &&
				    memcmp(w.data, password, w.left) == 0);
}

/* --- questions -------------------------------------------------------------------- */

static void put_text(struct buf *b, const char *s, size_t len)
{
	if (len == 2 && memcmp(s, "\\N", 2) == 0) {
		wire_put_u8(b, 0xfb);
		return;
	}
	if (len > 250) {
		wire_put_u8(b, 0xfc);
		wire_put_u16(b, (uint16_t)len);
	} else {
		wire_put_u8(b, (uint8_t)len);
	}
	buf_put(b, s, len);
}

static void put_eof(struct fake_mysql_talk *t)
{
	fake_mysql_packet(&t->out, t->sequence++, "\xfe\0\0\2\0", 5);
}

static unsigned count_of(const char *s)
{
	unsigned n = 1;

	for (; *s; s++)
		n += *s == '\t';
	return n;
}

static void put_columns(struct fake_mysql_talk *t, const char *columns)
{
	uint8_t count = (uint8_t)count_of(columns);

	fake_mysql_packet(&t->out, t->sequence++, &count, 1);
	while (*columns) {
		CLEANUP(buf_done) struct buf b = { 0 };
		size_t len = strcspn(columns, "\t");

		put_text(&b, "def", 3);
		for (int i = 0; i < 3; i++)
			put_text(&b, "", 0);
		put_text(&b, columns, len);
		put_text(&b, columns, len);
		buf_put(&b, "\x0c\x21\0\0\1\0\0\xfd\0\0\0\0\0", 13);
		put(t, &b);
		columns += len + (columns[len] == '\t');
	}
	put_eof(t);
}

static void put_rows(struct fake_mysql_talk *t, const char *rows)
{
	while (*rows) {
		CLEANUP(buf_done) struct buf b = { 0 };
		size_t len;

		do {
			len = strcspn(rows, "\t\n");
			put_text(&b, rows, len);
			rows += len + 1;
		} while (rows[-1] == '\t');
		put(t, &b);
	}
	put_eof(t);
}

static void hear_query(struct fake_mysql_talk *t, const char *query)
{
	const struct fake_mysql_answer *a = t->server->answers;

	snprintf(t->server->last_query, sizeof(t->server->last_query), "%s", query);
	while (a && a->query && strncmp(query, a->query, strlen(a->query)) != 0)
		a++;
	if (!a || !a->query) {
		put_ok(t);
	} else if (a->columns) {
		put_columns(t, a->columns);
		put_rows(t, a->rows);
	} else if (a->error) {
		put_error(t, a->error);
	} else {
		put_ok(t);
	}
}

static void hear_command(struct fake_mysql_talk *t, struct wire w)
{
	char query[512];
	uint8_t command = wire_u8(&w);

	assert(!w.bad && w.left < sizeof(query));
	memcpy(query, w.data, w.left);
	query[w.left] = '\0';
	switch (command) {
	case 0x01:
		t->server->quits++;
		t->stage = OVER;
		t->is_ending = t->server->habit != FAKE_MYSQL_HANGS_BEFORE_CLOSE;
		break;
	case 0x03:
		hear_query(t, query);
		break;
	case 0x0e:
		hear_query(t, "PING");
		break;
	default:
		assert(false && "a command that no check has");
	}
}

/* --- packets ---------------------------------------------------------------------- */

static void hear_packet(struct fake_mysql_talk *t, struct wire w, uint8_t sequence)
{
	if (t->stage == COMMAND)
		t->sequence = 0; /* each command begins anew */
	assert(sequence == t->sequence);
	t->sequence++;
	switch (t->stage) {
	case LOGIN:
	case TLS_REQUESTED:
		hear_login(t, w);
		break;
	case ANSWER:
		judge(t, w.data, w.left);
		break;
	case FULL:
		hear_full(t, w);
		break;
	case COMMAND:
		hear_command(t, w);
		break;
	default:
		break;
	}
}

void fake_mysql_hear(struct fake_mysql_talk *t, const void *data, size_t len)
{
	buf_put(&t->in, data, len);
	while (t->in.len >= 4) {
		const uint8_t *h = t->in.data;
		size_t body = h[0] | (size_t)h[1] << 8 | (size_t)h[2] << 16;

		if (t->in.len < 4 + body)
			return;
		hear_packet(t, wire_of(h + 4, body), h[3]);
		memmove(t->in.data, t->in.data + 4 + body, t->in.len - 4 - body);
		t->in.len -= 4 + body;
	}
}

void fake_mysql_done(struct fake_mysql_talk *t)
{
	if (t->stage != OVER && t->stage != COMMAND) {
		t->server->broken++;
		t->server->errors_in_row++;
	}
	buf_done(&t->in);
	buf_done(&t->out);
}

/* --- on a fake network ------------------------------------------------------------ */

static void flush(struct fake_mysql_talk *t)
{
	fake_conn_say(t->conn, t->out.data, t->out.len);
	buf_reset(&t->out);
	if (t->is_ending)
		fake_conn_end(t->conn);
}

static void *accepted(void *arg, struct fake_conn *c)
{
	struct fake_mysql_talk *t = xmalloc(sizeof(*t));

	fake_mysql_begin(t, arg);
	t->conn = c;
	flush(t);
	return t;
}

static void heard(void *talk, const void *data, size_t len)
{
	fake_mysql_hear(talk, data, len);
	flush(talk);
}

static void closed(void *talk, bool reset)
{
	(void)reset;
	fake_mysql_done(talk);
	free(talk);
}

struct fake_service fake_mysql_service(struct fake_mysql *s)
{
	return (struct fake_service){ accepted, heard, closed, s };
}
