/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feed.c, watch.c, events.c: what changed, told to who watches and kept for who asks. */
#include "agent/api/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/events.h"
#include "agent/api/rest.h"
#include "agent/api/schema.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "agent/plan/pool_index.h"
#include "tests/lib/random.h"
#include "tests/lib/snapshots.h"

#define NOW	      INT64_C(1795316400000)
#define AT_ONCE_BYTES (256 * 1024) /* the changes that a piece may end with */
/* Of the sample, sorted by id. */
enum { DB, DNS, ORIGIN, WEB, SECURE, EMPTY };

static struct snapshot *newest; /* that the feed was given; the feed's reference */

static void take(struct feed *f, struct snapshot *s)
{
	newest = s;
	(void)feed_take(f, s, NOW);
}

static struct feed *sample_feed(void)
{
	struct feed *f = feed_new();

	take(f, snapshot_sample(NOW));
	return f;
}

static struct watch *open_watch(struct feed *f, const char *query, const char *last_id)
{
	struct watch_query q;
	struct uri uri;
	struct err err;
	char target[512];

	snprintf(target, sizeof(target), "/api/v1/watch?%s", query);
	assert_int_equal(uri_parse(target, &uri, &err), 0);
	assert_int_equal(watch_query_parse(&uri, last_id, &q, &err), 0);
	return watch_new(&q, f);
}

/* The events' names and the ids in their data: "pool.upsert a.b.c-tcp, member.health ...". */
static const char *told(struct watch *w)
{
	static char text[4096];
	struct buf frames = { 0 };

	text[0] = '\0';
	while (watch_read(w, &frames))
		;
	for (const char *p = buf_cstr(&frames); (p = strstr(p, "event: "));) {
		const char *data = strstr(p, "data: ") + 6, *name = p + 7;
		size_t len = strcspn(data, "\n");
		struct doc_set set;
		struct err err;
		const char *id;

		assert_memory_equal(data + len, "\n\n", 2);
		assert_int_equal(doc_read_json(data, len, &DOC_LIMITS_DEFAULT, &set, &err), 0);
		id = doc_string(doc_get(set.roots[0], "id"));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s%s%s",
			 *text ? ", " : "", (int)strcspn(name, "\n"), name, id ? " " : "",
			 id ? id : "");
		doc_set_done(&set);
		p = data + len;
	}
	buf_done(&frames);
	return text;
}

/* --- the feed ------------------------------------------------------------------------- */

#define MANY	1000
#define STEPS	200
#define CHANGED 30

/* Lists of many pools share most of their pieces: what differs is told, in order, and nothing else. */
static void what_changed_of_many_is_told_once(void **state)
{
	struct snapshot *all = snapshot_large(MANY, 0);
	struct pool_index *index = pool_index_new();
	bool there[MANY] = { false };
	struct random r = random_new();
	struct feed *f = feed_new();

	(void)state;
	take(f, snapshot_new());
	for (unsigned step = 0; step < STEPS; step++) {
		enum { SAME, PUT, GONE } done[MANY] = { SAME };
		struct feed_change told[CHANGED];
		struct snapshot *s = snapshot_new();
		uint64_t before = feed_last(f);
		size_t count, n = 0;
		bool lost;

		for (unsigned i = random_below(&r, CHANGED); i; i--) {
			unsigned k = random_below(&r, MANY);

			if (done[k] != SAME)
				continue;
			done[k] = there[k] && random_below(&r, 3) == 0 ? GONE : PUT;
			if (done[k] == GONE)
				pool_index_remove(index, all->pools[k]->pool->id);
			else
				pool_index_put(index, pool_view_new(pool_ref(all->pools[k]->pool),
								    NULL, 0));
			there[k] = done[k] == PUT;
		}
		snapshot_set_pools(s, pool_index_list(index));
		take(f, s);
		count = feed_read(f, before, told, CHANGED, &lost);
		for (unsigned k = 0; k < MANY; k++) {
			if (done[k] == SAME)
				continue;
			assert_true(n < count);
			assert_ptr_equal(told[n].pool->pool, all->pools[k]->pool);
			assert_int_equal(told[n].kind, done[k] == PUT ? FEED_POOL : FEED_POOL_GONE);
			pool_view_unref(told[n++].pool);
		}
		assert_int_equal(count, n);
	}
	feed_free(f);
	pool_index_free(index);
	snapshot_unref(all);
}

static void what_changed_is_told_and_nothing_else(void **state)
{
	struct feed *f = sample_feed();
	struct watch *w = open_watch(f, "resources=pools,members", NULL);

	(void)state;
	assert_string_equal(told(w), "bookmark");
	assert_false(watch_is_behind(w));
	take(f, snapshot_turned(newest, ORIGIN, 0, VERDICT_DOWN, NOW));
	assert_true(watch_is_behind(w));
	assert_string_equal(told(w), "pool.upsert parasaus.snake-demo-svc4.dcmp-svc4-tcp, "
				     "member.health 10.100.1.53-8090");
	take(f, snapshot_ref(newest));
	take(f,
	     snapshot_turned(newest, ORIGIN, 0, VERDICT_DOWN, NOW)); /* another block, the same */
	assert_string_equal(told(w), "pool.upsert parasaus.snake-demo-svc4.dcmp-svc4-tcp");
	take(f, snapshot_without(newest, WEB));
	assert_string_equal(told(w), "pool.delete shop.web.http-tcp");
	take(f, snapshot_sample(NOW)); /* all blocks are new; the missing one is back */
	assert_non_null(strstr(told(w), "pool.upsert shop.web.http-tcp, member.health "
					"10.100.3.1-80"));
	watch_free(w);
	feed_free(f);
}

static void members_that_come_and_go_are_told(void **state)
{
	struct feed *f = sample_feed();
	struct watch *w = open_watch(f, "resources=members&namespace=shop", NULL);
	struct snapshot *s = snapshot_turned(newest, WEB, 0, VERDICT_UP, NOW - 1);

	(void)state;
	assert_string_equal(told(w), "bookmark");
	take(f, snapshot_moved(s, WEB, 5, 81)); /* 10.100.3.6:80 goes, :81 comes */
	snapshot_unref(s);
	assert_string_equal(told(w), "member.health 10.100.3.1-80, member.delete 10.100.3.6-80, "
				     "member.health 10.100.3.6-81");
	watch_free(w);
	feed_free(f);
}

static void a_watch_tells_what_it_was_asked_for(void **state)
{
	static const struct {
		const char *query, *tells;
	} cases[] = {
		{ "", "bookmark, pool.upsert db.orders.mysql-tcp" },
		{ "resources=members", "bookmark, member.health 10.100.4.1-3306" },
		{ "namespace=db", "bookmark, pool.upsert db.orders.mysql-tcp" },
		{ "service=web", "bookmark" },
		{ "q=ORDERS", "bookmark, pool.upsert db.orders.mysql-tcp" },
		{ "q=member:10.100.4.2", "bookmark, pool.upsert db.orders.mysql-tcp" },
		{ "q=member:10.100.4.9", "bookmark" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct feed *f = sample_feed();
		struct watch *w = open_watch(f, cases[i].query, NULL);

		take(f, snapshot_turned(newest, DB, 0, VERDICT_DOWN, NOW));
		assert_string_equal(told(w), cases[i].tells);
		watch_free(w);
		feed_free(f);
	}
}

static void a_watch_goes_on_where_it_was(void **state)
{
	struct feed *f = sample_feed();
	char name[FEED_NAME_MAX], query[64];
	struct watch *w;

	(void)state;
	take(f, snapshot_turned(newest, DB, 0, VERDICT_DOWN, NOW));
	feed_name(f, feed_last(f), name);
	take(f, snapshot_turned(newest, DNS, 0, VERDICT_UP, NOW));
	w = open_watch(f, "", name);
	assert_string_equal(told(w), "bookmark, pool.upsert default.dns.dns-udp");
	watch_free(w);
	snprintf(query, sizeof(query), "since=%s", name);
	w = open_watch(f, query, NULL);
	assert_string_equal(told(w), "bookmark, pool.upsert default.dns.dns-udp");
	watch_free(w);
	feed_free(f);
}

static void who_cannot_go_on_has_to_begin_anew(void **state)
{
	static const char *const unknown[] = {
		"1-1", "", "x", "-", "1a210bf0306-", "-1", "19f3a-18446744073709551616"
	};
	struct feed *f = sample_feed();
	char ahead[FEED_NAME_MAX];
	struct watch *w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		w = open_watch(f, "", unknown[i]);
		assert_string_equal(told(w), "reset");
		take(f, snapshot_turned(newest, DB, 0, i % 2 ? VERDICT_UP : VERDICT_DOWN, NOW));
		assert_string_equal(told(w), "pool.upsert db.orders.mysql-tcp");
		watch_free(w);
	}
	w = open_watch(f, "", feed_name(f, feed_last(f) + 1, ahead));
	assert_string_equal(told(w), "reset");
	watch_free(w);
	feed_free(f);
}

static void who_is_too_slow_is_told_so_and_goes_on(void **state)
{
	struct feed *f = feed_new();
	struct watch *w;

	(void)state;
	take(f, snapshot_large(3, 1));
	w = open_watch(f, "resources=pools,members", NULL);
	assert_string_equal(told(w), "bookmark");
	/* Each round is a pool and a member. */
	for (size_t i = 0; i <= FEED_MAX / 2; i++)
		take(f, snapshot_turned(newest, 0, 0, i % 2 ? VERDICT_UP : VERDICT_DOWN, NOW));
	assert_string_equal(told(w), "reset");
	take(f, snapshot_turned(newest, 1, 0, VERDICT_DOWN, NOW));
	assert_string_equal(told(w), "pool.upsert ns.service-00001.http-tcp, member.health "
				     "10.128.0.1-8080");
	watch_free(w);
	feed_free(f);
}

static void much_is_told_in_pieces(void **state)
{
	struct feed *f = feed_new();
	struct buf piece = { 0 };
	struct watch *w;
	size_t pieces = 0, events = 0;

	(void)state;
	take(f, snapshot_large(1000, 1));
	w = open_watch(f, "", NULL);
	take(f, snapshot_large(1000, 1)); /* every block is a new one */
	while (watch_read(w, &piece)) {
		assert_true(piece.len < WATCH_PIECE + AT_ONCE_BYTES);
		for (const char *p = buf_cstr(&piece); (p = strstr(p, "event: pool.upsert")); p++)
			events++;
		buf_reset(&piece);
		pieces++;
	}
	assert_true(pieces > 1);
	assert_int_equal(events, 1000);
	buf_done(&piece);
	watch_free(w);
	feed_free(f);
}

static void watches_are_asked_for_in_the_right_way(void **state)
{
	static const struct {
		const char *query, *says;
	} cases[] = { { "resources=nodes", "'nodes' is none of pools, members" },
		      { "resources=", "'' is none of" },
		      { "health=down", "unknown query parameter 'health'" },
		      { "limit=1", "unknown query parameter 'limit'" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct watch_query q;
		struct uri uri;
		struct err err;
		char target[128];

		snprintf(target, sizeof(target), "/api/v1/watch?%s", cases[i].query);
		assert_int_equal(uri_parse(target, &uri, &err), 0);
		assert_true(watch_query_parse(&uri, NULL, &q, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

/* --- events ----------------------------------------------------------------------------- */

static char *events(struct feed *f, const char *query, unsigned status)
{
	struct rest_state s = { .snapshot = newest, .feed = f };
	struct rest_reply reply;
	char target[128], *text;

	snprintf(target, sizeof(target), "/api/v1/events%s", query);
	rest_answer(&(struct rest_request){ .method = "GET", .target = target }, &s, &reply);
	assert_int_equal(reply.status, status);
	text = strdup(buf_cstr(&reply.body));
	rest_reply_done(&reply);
	return text;
}

static void transitions_are_kept_the_newest_first(void **state)
{
	struct feed *f = sample_feed();
	struct snapshot *s;
	char *text;

	(void)state;
	text = events(f, "", 200);
	assert_string_equal(text, "{\"items\":[],\"total\":0,\"limit\":100}\n");
	free(text);
	take(f, snapshot_turned(newest, ORIGIN, 0, VERDICT_DOWN, NOW));
	s = snapshot_turned(newest, ORIGIN, 1, VERDICT_DOWN, NOW); /* it was down before */
	s->synced = false;
	take(f, s);
	text = events(f, "", 200);
#define AT "{\"at\":\"2026-11-22T03:00:00.000Z\",\"type\":"
#define ID "\"pool\":\"parasaus.snake-demo-svc4.dcmp-svc4-tcp\","
	assert_string_equal(text, "{\"items\":[" AT
				  "\"sync\",\"pool\":null,\"member\":null,\"from\":\"synced\","
				  "\"to\":\"pending\",\"reason\":null}," AT "\"member-health\"," ID
				  "\"member\":\"10.100.1.53:8090\",\"from\":\"up\",\"to\":\"down\","
				  "\"reason\":null}," AT "\"pool-health\"," ID "\"member\":null,"
				  "\"from\":\"degraded\",\"to\":\"down\",\"reason\":null}"
				  "],\"total\":3,\"limit\":100}\n");
	free(text);
	text = events(f, "?type=member-health,sync&limit=1", 200);
	assert_non_null(strstr(text, "\"total\":2,\"limit\":1}"));
	free(text);
	text = events(f, "?pool=a,parasaus.snake-demo-svc4.dcmp-svc4-tcp", 200);
	assert_non_null(strstr(text, "\"total\":2,"));
	free(text);
	free(events(f, "?type=weather", 400));
	free(events(f, "?limit=0", 400));
	free(events(f, "?q=x", 400));
	feed_free(f);
}

static void the_check_s_reason_is_told_where_it_fits(void **state)
{
	struct feed *f = sample_feed();
	char *text;

	(void)state;
	take(f, snapshot_turned(newest, ORIGIN, 1, VERDICT_UP, NOW)); /* its target says down yet */
	take(f, snapshot_turned(newest, ORIGIN, 1, VERDICT_DOWN, NOW));
	text = events(f, "?type=member-health", 200);
	assert_non_null(strstr(text, "\"from\":\"up\",\"to\":\"down\",\"reason\":\"status\""));
	assert_non_null(strstr(text, "\"from\":\"down\",\"to\":\"up\",\"reason\":null"));
	free(text);
	feed_free(f);
}

static void old_events_make_room(void **state)
{
	struct feed *f = feed_new();
	char *text, total[32];

	(void)state;
	take(f, snapshot_large(1, 1));
	for (size_t i = 0; i < FEED_EVENTS_MAX; i++)
		take(f, snapshot_turned(newest, 0, 0, i % 2 ? VERDICT_UP : VERDICT_DOWN, NOW));
	text = events(f, "?limit=1", 200);
	snprintf(total, sizeof(total), "\"total\":%d,", FEED_EVENTS_MAX);
	assert_non_null(strstr(text, total));
	free(text);
	feed_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_is_told_and_nothing_else),
		cmocka_unit_test(what_changed_of_many_is_told_once),
		cmocka_unit_test(members_that_come_and_go_are_told),
		cmocka_unit_test(a_watch_tells_what_it_was_asked_for),
		cmocka_unit_test(a_watch_goes_on_where_it_was),
		cmocka_unit_test(who_cannot_go_on_has_to_begin_anew),
		cmocka_unit_test(who_is_too_slow_is_told_so_and_goes_on),
		cmocka_unit_test(much_is_told_in_pieces),
		cmocka_unit_test(watches_are_asked_for_in_the_right_way),
		cmocka_unit_test(transitions_are_kept_the_newest_first),
		cmocka_unit_test(the_check_s_reason_is_told_where_it_fits),
		cmocka_unit_test(old_events_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
