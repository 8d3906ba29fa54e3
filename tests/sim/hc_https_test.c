/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine and servers behind TLS: on time, up and down with what they
 * answer, and down wherever they hang, close or break off.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_tls.h"
#include "tests/lib/hc_world.h"

#define MINUTE_MS (60 * INT64_C(1000))
#define STEP	  97 /* bytes between two places to stop at: each is a few handshakes */

static const char *const well = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#define GRPC_SERVING                              \
	"\0\0\0\4\0\0\0\0\0"                      \
	"\0\0\1\1\4\0\0\0\1\x88"                  \
	"\0\0\7\0\0\0\0\0\1\0\0\0\0\2\x08\1"      \
	"\0\0\x0f\1\5\0\0\0\1\0\x0bgrpc-status\1" \
	"0"

/* A type of check that goes by TLS from the beginning, and a server that is well. */
struct kind {
	enum check_type type;
	const char *answer;
	size_t len;
	const char *alpn;
};
static const struct kind https = { CHECK_HTTPS, NULL, 0, NULL };
static const struct kind redis = { CHECK_REDIS, "+PONG\r\n", 0, NULL };
static const struct kind grpc = { CHECK_GRPC, GRPC_SERVING, sizeof(GRPC_SERVING) - 1, "h2" };
static const struct kind *const kinds[] = { &https, &redis, &grpc };

struct ground {
	struct world w;
	struct pki *pki;
	struct pki_pair pair;
	struct fake_tls tls;
	struct fake_service service;
	struct fake_server *server;
	uint64_t id;
};

static void ground_of(struct ground *g, const struct kind *k, const char *secret)
{
	*g = (struct ground){ .w = world_new(1, 100) };
	g->pki = pki_new("ours");
	g->pair = pki_issue(g->pki, "www.example.org");
	g->tls = (struct fake_tls){ .answer = k->answer ? k->answer : well,
				    .len = k->len,
				    .alpn = k->alpn,
				    .cut = SIZE_MAX };
	fake_tls_init(&g->tls, &g->pair);
	g->service = fake_tls_service(&g->tls);
	check_unref(g->w.check);
	g->w.check = check_new(k->type);
	g->w.check->secret = secret ? xstrdup(secret) : NULL;
	g->w.check->server_name = xstrdup("www.example.org");
	if (check_has(k->type) & CHECK_HAS_TLS)
		g->w.check->tls = CHECK_TLS_REQUIRED;
	g->server = world_server(&g->w, 1);
	g->server->service = &g->service;
	g->id = world_put(&g->w, 1, VERDICT_UNKNOWN);
}

static void ground_up(struct ground *g, const char *secret)
{
	ground_of(g, &https, secret);
}

static void ground_down(struct ground *g)
{
	world_done(&g->w); /* no connection stays */
	assert_int_equal(g->tls.closed, g->tls.connections);
	fake_tls_done(&g->tls);
	pki_pair_done(&g->pair);
	pki_free(g->pki);
}

static void tell_ca(struct ground *g, const char *ca)
{
	struct hc_secret s = { .name = xstrdup("web/check"), .present = ca != NULL };

	s.ca_pem = ca ? xstrdup(ca) : NULL;
	hc_engine_put_secret(g->w.engine, &s);
	hc_secret_done(&s);
}

static struct hc_verdict verdict(struct ground *g)
{
	return world_verdict(&g->w, g->id);
}

static void it_is_asked_on_time_and_judged(void **state)
{
	struct ground g;
	uint32_t before;

	(void)state;
	ground_up(&g, NULL);
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	before = g.tls.requests;
	world_run_ms(&g.w, 10 * MINUTE_MS);
	assert_in_range(g.tls.requests - before, 295, 305); /* every 2 s */
	assert_int_equal(verdict(&g).failed, 0);
	g.tls.answer = "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n";
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_STATUS);
	assert_int_equal(verdict(&g).detail, 503);
	g.tls.answer = well;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 3000) >= 0);
	g.server->mode = FAKE_SILENT;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 6500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_TIMEOUT);
	ground_down(&g);
}

/* One answer is enough, and is told at once; what fails in between says nothing of it. */
static void what_it_says_besides_is_told_at_once(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	check_unref(g.w.check);
	g.w.check = check_new(CHECK_HTTPS);
	g.w.check->drain[0] = (struct check_status_range){ 503, 503 };
	g.w.check->degraded[0] = (struct check_status_range){ 520, 529 };
	g.w.check->drain_count = g.w.check->degraded_count = 1;
	g.id = world_put(&g.w, 1, VERDICT_UNKNOWN);
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	world_run_ms(&g.w, 10000);
	assert_int_equal(verdict(&g).standing, HC_STANDING_NORMAL);
	g.tls.answer = "HTTP/1.1 503 Going\r\nContent-Length: 0\r\n\r\n";
	world_run_ms(&g.w, 2500);
	assert_int_equal(verdict(&g).standing, HC_STANDING_DRAINING);
	g.server->mode = FAKE_REFUSES;
	world_run_ms(&g.w, 2500);
	assert_int_equal(verdict(&g).standing, HC_STANDING_DRAINING);
	g.server->mode = FAKE_UP;
	g.tls.answer = "HTTP/1.1 521 Ill\r\nContent-Length: 0\r\n\r\n";
	world_run_ms(&g.w, 10000);
	assert_int_equal(verdict(&g).standing, HC_STANDING_DEGRADED);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	g.tls.answer = well;
	world_run_ms(&g.w, 2500);
	assert_int_equal(verdict(&g).standing, HC_STANDING_NORMAL);
	ground_down(&g);
}

static void whom_to_trust_may_come_later_and_change(void **state)
{
	struct pki *others = pki_new("others");
	struct ground g;

	(void)state;
	ground_up(&g, "web/check");
	world_run_ms(&g.w, 10000);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(verdict(&g).reason, HC_REASON_NO_SECRET);
	assert_int_equal(g.tls.connections, 0);
	tell_ca(&g, pki_ca(others));
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_TLS);
	assert_int_equal(g.tls.requests, 0);
	/* Half-open it is well, which brings nobody back. */
	tell_ca(&g, NULL);
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(verdict(&g).state, VERDICT_DOWN);
	tell_ca(&g, pki_ca(g.pki));
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 5000) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_OK);
	ground_down(&g);
	pki_free(others);
}

static void each_type_asks_whom_it_trusts_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct pki *others = pki_new("others");
		struct ground g;

		ground_of(&g, kinds[i], "web/check");
		world_run_ms(&g.w, 10000);
		assert_int_equal(verdict(&g).reason, HC_REASON_NO_SECRET);
		assert_int_equal(g.tls.connections, 0);
		tell_ca(&g, pki_ca(g.pki));
		world_run_ms(&g.w, 10000);
		assert_int_equal(verdict(&g).state, VERDICT_UP);
		assert_int_equal(verdict(&g).reason, HC_REASON_OK);
		assert_int_equal(verdict(&g).failed, 0);
		assert_true(g.tls.requests > 3);
		tell_ca(&g, pki_ca(others));
		world_run_ms(&g.w, 1000); /* what was under way ends */
		g.tls.requests = 0;
		assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 5000) >= 0);
		assert_int_equal(verdict(&g).reason, HC_REASON_TLS);
		assert_int_equal(g.tls.requests, 0);
		/* What is no certificate takes nobody out: it is as if there were no Secret. */
		tell_ca(&g, pki_ca(g.pki));
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 5000) >= 0);
		tell_ca(&g, "no certificate");
		world_run_ms(&g.w, MINUTE_MS);
		assert_int_equal(verdict(&g).state, VERDICT_UP);
		assert_int_equal(verdict(&g).reason, HC_REASON_NO_SECRET);
		ground_down(&g);
		pki_free(others);
	}
}

static void grpc_is_h2_or_nothing(void **state)
{
	static const char *const others[] = { NULL, "http/1.1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct ground g;

		ground_of(&g, &grpc, NULL);
		g.tls.alpn = others[i];
		assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
		assert_int_equal(verdict(&g).reason, HC_REASON_NO_HTTP2);
		assert_int_equal(g.tls.requests, 0);
		g.tls.alpn = "h2";
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 5000) >= 0);
		ground_down(&g);
	}
}

/* All of them are there when it is looked at first. */
static void a_page_may_come_in_many_small_records(void **state)
{
	struct ground g;
	char page[15000];

	(void)state;
	ground_up(&g, NULL);
	memset(page, 'x', sizeof(page) - 1);
	page[sizeof(page) - 1] = '\0';
	memcpy(page, "HTTP/1.0 200 OK\r\n\r\n", 19);
	g.tls.answer = page;
	g.tls.record = 16;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	world_run_ms(&g.w, 10000);
	assert_int_equal(verdict(&g).failed, 0);
	/* But not so that all others have to wait for it. */
	g.tls.record = 1;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_TOO_LONG);
	ground_down(&g);
}

static bool is_of_a_cut(enum hc_reason r, enum fake_then then)
{
	return then == FAKE_THEN_WAITS ? r == HC_REASON_TIMEOUT : r == HC_REASON_CLOSED;
}

static void stop_anywhere(const struct kind *kind)
{
	static const enum fake_then thens[] = { FAKE_THEN_WAITS, FAKE_THEN_ENDS, FAKE_THEN_RESETS };

	for (size_t k = 0;; k++) {
		struct ground g;
		bool is_whole;

		ground_of(&g, kind, NULL);
		g.tls.cut = k * STEP;
		g.tls.then = thens[k % ARRAY_LEN(thens)];
		g.server->piece = k % 2 ? 100 : 0;
		world_run_ms(&g.w, 8000);
		/* The last one may be under way; and a signature may have a byte more or less, each time. */
		is_whole = g.tls.told > 0 && g.tls.told + 1 >= g.tls.connections;
		if (!is_whole && g.tls.told > 0) {
			ground_down(&g);
			continue;
		}
		assert_int_equal(verdict(&g).state, is_whole ? VERDICT_UP : VERDICT_DOWN);
		if (!is_whole && !is_of_a_cut(verdict(&g).reason, g.tls.then))
			fail_msg("cut at %zu: %s", g.tls.cut, hc_reason_text(verdict(&g).reason));
		ground_down(&g);
		if (is_whole)
			return;
	}
}

static void a_server_that_stops_anywhere_is_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		stop_anywhere(kinds[i]);
}

static void put_reusing(struct ground *g, uint16_t reuse)
{
	struct check *c = check_new(CHECK_HTTPS);

	hc_engine_remove(g->w.engine, g->id);
	c->secret = g->w.check->secret ? xstrdup(g->w.check->secret) : NULL;
	c->server_name = xstrdup(g->w.check->server_name);
	c->reuse = reuse;
	check_unref(g->w.check);
	g->w.check = c;
	g->id = world_put(&g->w, 1, VERDICT_UNKNOWN);
}

static void one_handshake_serves_so_many_probes(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	put_reusing(&g, 10);
	world_run_ms(&g.w, 10 * MINUTE_MS);
	assert_in_range(g.tls.requests, 295, 310);
	assert_int_equal(g.tls.connections, (g.tls.requests + 9) / 10);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(verdict(&g).failed, 0);
	/* Who hangs is down as soon as ever, and so is who answers badly. */
	g.server->mode = FAKE_REFUSES;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 10 * 2000 + 3500) >= 0);
	g.server->mode = FAKE_UP;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 3000) >= 0);
	g.tls.answer = "HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n";
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_STATUS);
	ground_down(&g);
}

static void no_more_sessions_rest_than_may(void **state)
{
	uint64_t ids[15];
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	put_reusing(&g, 1000);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		world_server(&g.w, 100 + i)->service = &g.service;
		ids[i] = world_put(&g.w, 100 + i, VERDICT_UNKNOWN);
	}
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(fake_net_open(g.w.net) - world_status(&g.w).in_flight, 100 / 10);
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_in_range(world_verdict(&g.w, ids[i]).ok, 28, 32);
		assert_int_equal(world_verdict(&g.w, ids[i]).failed, 0);
	}
	/* Who leaves makes room. */
	hc_engine_begin(g.w.engine);
	hc_engine_commit(g.w.engine);
	assert_int_equal(fake_net_open(g.w.net), 0);
	g.id = world_put(&g.w, 1, VERDICT_UNKNOWN);
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(fake_net_open(g.w.net) - world_status(&g.w).in_flight, 1);
	ground_down(&g);
}

/* What comes behind an answer is nobody's. */
static void who_says_more_than_asked_is_connected_to_anew(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, NULL);
	put_reusing(&g, 10);
	g.tls.says_more = true;
	world_run_ms(&g.w, MINUTE_MS);
	assert_in_range(g.tls.requests, 28, 32);
	assert_int_equal(g.tls.connections, g.tls.requests);
	assert_int_equal(verdict(&g).failed, 0);
	ground_down(&g);
}

static void another_secret_makes_another_connection(void **state)
{
	struct pki *others = pki_new("others");
	struct ground g;
	uint32_t before;

	(void)state;
	ground_up(&g, "web/check");
	put_reusing(&g, 1000);
	tell_ca(&g, pki_ca(g.pki));
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(g.tls.connections, 1);
	/* Told again, it is another account, whatever it holds. */
	tell_ca(&g, pki_ca(g.pki));
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(g.tls.connections, 2);
	assert_int_equal(verdict(&g).failed, 0);
	before = g.tls.requests;
	tell_ca(&g, pki_ca(others));
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 3500) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_TLS);
	assert_int_equal(g.tls.requests, before);
	/* And without one it is half-open, kept or not. */
	tell_ca(&g, pki_ca(g.pki));
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 5000) >= 0);
	before = g.tls.requests;
	tell_ca(&g, NULL);
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(g.tls.requests, before);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(fake_net_open(g.w.net), world_status(&g.w).in_flight);
	ground_down(&g);
	pki_free(others);
}

/* Whenever the connection ends after its first answer: nobody's failure. */
static void where_it_ends_later_it_is_made_anew(void **state)
{
	static const enum fake_then thens[] = { FAKE_THEN_ENDS, FAKE_THEN_RESETS };
	size_t first = SIZE_MAX;

	(void)state;
	for (size_t k = 0; k < 20; k++) {
		struct ground g;

		ground_up(&g, NULL);
		put_reusing(&g, 4);
		if (first == SIZE_MAX) {
			world_run_ms(&g.w, 1000);
			assert_int_equal(g.tls.requests, 1);
			first = g.tls.sent;
		} else {
			g.tls.cut = first + k * 10;
			g.tls.then = thens[k % ARRAY_LEN(thens)];
			g.server->piece = k % 3 ? 100 : 0;
			world_run_ms(&g.w, MINUTE_MS);
			assert_in_range(verdict(&g).ok, 28, 32);
			assert_int_equal(verdict(&g).failed, 0);
			assert_true(g.tls.connections >= 8);
		}
		ground_down(&g);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_asked_on_time_and_judged),
		cmocka_unit_test(what_it_says_besides_is_told_at_once),
		cmocka_unit_test(whom_to_trust_may_come_later_and_change),
		cmocka_unit_test(each_type_asks_whom_it_trusts_alone),
		cmocka_unit_test(grpc_is_h2_or_nothing),
		cmocka_unit_test(a_page_may_come_in_many_small_records),
		cmocka_unit_test(a_server_that_stops_anywhere_is_down),
		cmocka_unit_test(one_handshake_serves_so_many_probes),
		cmocka_unit_test(no_more_sessions_rest_than_may),
		cmocka_unit_test(who_says_more_than_asked_is_connected_to_anew),
		cmocka_unit_test(another_secret_makes_another_connection),
		cmocka_unit_test(where_it_ends_later_it_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
