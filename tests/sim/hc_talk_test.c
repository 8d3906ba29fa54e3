/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine and servers that go by a script: each type that converses,
 * and what it makes of a server that hangs, closes or breaks off anywhere,
 * dribbles, or talks rubbish.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_script.h"
#include "tests/lib/hc_world.h"

#define MINUTE_MS (60 * INT64_C(1000))

/* A check, a server that answers it well, and how much of that has to be there to be an answer. */
struct dialog {
	const char *name;
	enum check_type type;
	const char *send, *answer;
	const char *password;
	enum check_role role;
	struct fake_step steps[4];
	size_t step_count;
	enum fake_then then; /* of a server that answers it well */
	bool ends_by_fin;
	const char *asks; /* what the server has heard by then; NULL: not looked at */
	size_t asks_len;
	size_t enough;
};

#define PG_MD5 "R\0\0\0\x0c\0\0\0\x05salt"
#define PG_READY                                             \
	"R\0\0\0\x08\0\0\0\0S\0\0\0\x0btz\0UTC\0K\0\0\0\x0c" \
	"12345678Z\0\0\0\x05I"
#define PG_ROW                                       \
	"T\0\0\0\x06\0\0D\0\0\0\x0b\0\x01\0\0\0\x01" \
	"fC\0\0\0\x0dSELECT 1\0Z\0\0\0\x05I"

#define PING "*1\r\n$4\r\nPING\r\n"

#define GRPC_HELLO "\0\0\0\4\0\0\0\0\0"
#define GRPC_SERVING                              \
	"\0\0\1\1\4\0\0\0\1\x88"                  \
	"\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"      \
	"\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1" \
	"0"

static const struct dialog dialogs[] = {
	{ .name = "connects", .type = CHECK_TCP_FULL, .asks = "" },
	{ .name = "asks",
	  .type = CHECK_TCP_FULL,
	  .send = "status\\r\\n",
	  .steps = { FAKE_SAYS(8, "fine\r\n") },
	  .step_count = 1,
	  .asks = "status\r\n",
	  .asks_len = 8,
	  .enough = 1 },
	{ .name = "listens",
	  .type = CHECK_TCP_FULL,
	  .answer = "220 ",
	  .steps = { FAKE_SAYS(0, "\r\n220 mail.example.org\r\n") },
	  .step_count = 1,
	  .asks = "",
	  .enough = 6 },
	{ .name = "asks and listens",
	  .type = CHECK_TCP_FULL,
	  .send = "EHLO x\\r\\n",
	  .answer = "\\r\\n250 ",
	  .steps = { FAKE_SAYS(0, "220 mail\r\n"), FAKE_SAYS(8, "250-here\r\n250 HELP\r\n") },
	  .step_count = 2,
	  .asks = "EHLO x\r\n",
	  .asks_len = 8,
	  .enough = 24 },
	{ .name = "redis",
	  .type = CHECK_REDIS,
	  .steps = { FAKE_SAYS(14, "+PONG\r\n") },
	  .step_count = 1,
	  .asks = PING,
	  .asks_len = sizeof(PING) - 1,
	  .enough = 7 },
	{ .name = "redis, a writer by its account",
	  .type = CHECK_REDIS,
	  .password = "a word",
	  .role = CHECK_ROLE_WRITER,
	  .steps = { FAKE_SAYS(40, "+OK\r\n"), FAKE_SAYS(54, "+PONG\r\n"),
		     FAKE_SAYS(68, "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n") },
	  .step_count = 3,
	  .asks = "*3\r\n$4\r\nAUTH\r\n$8\r\nparasaus\r\n$6\r\na word\r\n" PING
		  "*1\r\n$4\r\nROLE\r\n",
	  .asks_len = 68,
	  .enough = 28 },
	{ .name = "redis, a reader",
	  .type = CHECK_REDIS,
	  .role = CHECK_ROLE_READER,
	  .steps = { FAKE_SAYS(28, "+PONG\r\n*5\r\n$5\r\nslave\r\n$2\r\nm1\r\n:6379\r\n"
				   "$9\r\nconnected\r\n:42\r\n") },
	  .step_count = 1,
	  .asks = PING "*1\r\n$4\r\nROLE\r\n",
	  .asks_len = 28,
	  .enough = 52 },
	{ .name = "grpc",
	  .type = CHECK_GRPC,
	  .steps = { FAKE_SAYS(24, GRPC_HELLO), FAKE_SAYS(100, GRPC_SERVING) },
	  .step_count = 2,
	  .enough = sizeof(GRPC_HELLO) + sizeof(GRPC_SERVING) - 2 },
	{ .name = "postgresql, of which nobody has an account",
	  .type = CHECK_POSTGRESQL,
	  .steps = { FAKE_SAYS(8, "G") },
	  .step_count = 1,
	  .asks = "\0\0\0\x08\x04\xd2\x16\x30",
	  .asks_len = 8,
	  .enough = 1 },
	{ .name = "postgresql, of which nobody has an account, without GSSAPI",
	  .type = CHECK_POSTGRESQL,
	  .steps = { FAKE_SAYS(8, "N") },
	  .step_count = 1,
	  .ends_by_fin = true,
	  .asks = "\0\0\0\x08\x04\xd2\x16\x30",
	  .asks_len = 8,
	  .enough = 1 },
	{ .name = "postgresql, a writer by its account",
	  .type = CHECK_POSTGRESQL,
	  .password = "a word",
	  .role = CHECK_ROLE_WRITER,
	  .steps = { FAKE_SAYS(67, PG_MD5), FAKE_SAYS(108, PG_READY), FAKE_SAYS(140, PG_ROW) },
	  .step_count = 3,
	  .then = FAKE_THEN_ENDS,
	  .ends_by_fin = true,
	  .enough = sizeof(PG_MD5) + sizeof(PG_READY) + sizeof(PG_ROW) - 3 },
};

struct ground {
	struct world w;
	struct fake_script script;
	struct fake_service service;
	struct fake_server *server;
	uint64_t id, other; /* the other one goes on beside it, whatever happens */
};

static struct check *check_of(const struct dialog *d)
{
	struct check *c = check_new(d->type);

	c->send = d->send ? xstrdup(d->send) : NULL;
	c->answer = d->answer ? xstrdup(d->answer) : NULL;
	c->secret = d->password ? xstrdup("db/check") : NULL;
	c->role = d->role;
	c->tls = CHECK_TLS_OFF;
	return c;
}

static size_t length_of(const struct dialog *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->step_count; i++)
		n += d->steps[i].len;
	return n;
}

static void tell_secret(struct hc_engine *e, const char *password)
{
	struct hc_secret s = { .name = xstrdup("db/check"), .present = true };

	s.username = xstrdup("parasaus");
	s.password = xstrdup(password);
	hc_engine_put_secret(e, &s);
	hc_secret_done(&s);
}

static void ground_up(struct ground *g, const struct dialog *d, size_t cut, enum fake_then then)
{
	*g = (struct ground){ .w = world_new(cut + 1, 100) };
	g->script = (struct fake_script){
		.steps = d->steps, .step_count = d->step_count, .cut = cut, .then = then
	};
	g->service = fake_script_service(&g->script);
	if (d->password)
		tell_secret(g->w.engine, d->password);
	world_server(&g->w, 2);
	g->other = world_put(&g->w, 2, VERDICT_UNKNOWN);
	check_unref(g->w.check);
	g->w.check = check_of(d);
	g->server = world_server(&g->w, 1);
	g->server->service = &g->service;
	g->id = world_put(&g->w, 1, VERDICT_UNKNOWN);
}

static void ground_down(struct ground *g)
{
	struct hc_verdict other = world_verdict(&g->w, g->other);

	assert_int_equal(other.state, VERDICT_UP);
	assert_int_equal(other.failed, 0);
	world_done(&g->w); /* no connection stays */
	assert_int_equal(g->script.closed, g->script.connections);
	buf_done(&g->script.heard);
}

static struct hc_verdict verdict(struct ground *g)
{
	return world_verdict(&g->w, g->id);
}

static void a_good_server_is_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogs); i++) {
		const struct dialog *d = &dialogs[i];
		struct ground g;

		ground_up(&g, d, SIZE_MAX, d->then);
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
		world_run_ms(&g.w, 10 * MINUTE_MS);
		assert_int_equal(verdict(&g).reason, HC_REASON_OK);
		assert_int_equal(verdict(&g).failed, 0);
		assert_in_range(g.script.connections, 280, 320);
		/* Nobody is left with a TIME_WAIT but where the server minds. */
		assert_int_equal(g.script.resets, d->ends_by_fin ? 0 : g.script.closed);
		if (d->asks) {
			assert_int_equal(g.script.heard.len, d->asks_len);
			assert_memory_equal(buf_cstr(&g.script.heard), d->asks, d->asks_len);
		}
		ground_down(&g);
	}
}

/* A byte at a time is slow, and an answer all the same if it is there within the timeout. */
static void a_server_that_dribbles_is_up_if_it_is_in_time(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogs); i++) {
		const struct dialog *d = &dialogs[i];

		for (uint32_t slow = 0; slow < 2 && d->enough; slow++) {
			struct ground g;

			ground_up(&g, d, SIZE_MAX, FAKE_THEN_WAITS);
			g.server->piece = 1;
			/* Connecting takes one, the answer's bytes the rest. */
			g.server->latency_us = slow ? 1000000 / ((uint32_t)d->enough + 1) + 1000
						    : 900000 / ((uint32_t)d->enough + 3);
			world_run_ms(&g.w, MINUTE_MS);
			assert_int_equal(verdict(&g).state, slow ? VERDICT_DOWN : VERDICT_UP);
			assert_int_equal(verdict(&g).reason,
					 slow ? HC_REASON_TIMEOUT : HC_REASON_OK);
			ground_down(&g);
		}
	}
}

static bool is_of_a_cut(enum hc_reason r, enum fake_then then)
{
	if (then == FAKE_THEN_WAITS)
		return r == HC_REASON_TIMEOUT;
	return r == HC_REASON_CLOSED || (then == FAKE_THEN_ENDS && r == HC_REASON_NO_MATCH);
}

/* Wherever it hangs, closes or breaks off: down until the answer is there, and up from then on. */
static void a_server_that_stops_anywhere_is_down(void **state)
{
	static const enum fake_then thens[] = { FAKE_THEN_WAITS, FAKE_THEN_ENDS, FAKE_THEN_RESETS };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogs); i++) {
		const struct dialog *d = &dialogs[i];

		for (size_t k = 0; k < ARRAY_LEN(thens) * (length_of(d) + 1); k++) {
			size_t cut = k / ARRAY_LEN(thens);
			enum fake_then then = thens[k % ARRAY_LEN(thens)];
			struct ground g;

			ground_up(&g, d, cut, then);
			world_run_ms(&g.w, 15000);
			if (cut >= d->enough) {
				assert_int_equal(verdict(&g).state, VERDICT_UP);
			} else {
				assert_int_equal(verdict(&g).state, VERDICT_DOWN);
				if (!is_of_a_cut(verdict(&g).reason, then))
					fail_msg("%s cut at %zu: %s", d->name, cut,
						 hc_reason_text(verdict(&g).reason));
			}
			ground_down(&g);
		}
	}
}

/* Without end, in any bytes: it is not well, and keeps nobody busy. */
static void a_server_that_talks_rubbish_is_down(void **state)
{
	char rubbish[20000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dialogs); i++) {
		struct dialog d = dialogs[i];

		for (int byte = 0; byte < 256 && d.enough > 1; byte += 15) {
			struct ground g;

			memset(rubbish, byte, sizeof(rubbish));
			d.steps[0] = (struct fake_step){ 0, rubbish, sizeof(rubbish) };
			d.step_count = 1;
			ground_up(&g, &d, SIZE_MAX, FAKE_THEN_WAITS);
			g.server->piece = byte % 2 ? 999 : 0;
			world_run_ms(&g.w, 15000);
			assert_int_equal(verdict(&g).state, VERDICT_DOWN);
			assert_int_not_equal(verdict(&g).reason, HC_REASON_TIMEOUT);
			ground_down(&g);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_server_is_up),
		cmocka_unit_test(a_server_that_dribbles_is_up_if_it_is_in_time),
		cmocka_unit_test(a_server_that_stops_anywhere_is_down),
		cmocka_unit_test(a_server_that_talks_rubbish_is_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
