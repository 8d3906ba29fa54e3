/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store: what is written is there and is told, what is refused is not, and who may have what. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/store_world.h"
#include "tests/lib/turned_clock.h"

#define SVC STORE_SERVICE

static struct store_world w;

static int open_world(void **state)
{
	(void)state;
	store_world_init(&w);
	store_world_open(&w);
	buf_reset(&w.told);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	store_world_done(&w);
	return 0;
}

static struct store_change put_of(const char *name, const char *text)
{
	return (struct store_change){ .key = { SVC, "shop", name },
				      .text = text,
				      .len = strlen(text) };
}

static struct store_answer write_one(struct store_change c)
{
	const struct store_write write = { .who = { .user = "alice", .action = "update" },
					   .changes = &c,
					   .count = 1 };

	return store_world_write(&w, &write);
}

static struct store_answer expect(const char *name, const char *text, uint64_t revision)
{
	struct store_change c = put_of(name, text);

	c.expect = revision ? STORE_EXPECT_REVISION : STORE_EXPECT_ABSENT;
	c.revision = revision;
	return write_one(c);
}

/* --- writing, reading ----------------------------------------------------------------- */

static void what_is_written_is_read_and_told_and_outlives_a_restart(void **state)
{
	const struct store_key key = { SVC, "shop", "web" };
	const struct store_object *o;

	(void)state;
	assert_int_equal(store_world_put(&w, SVC, "web", "one"), 1);
	now_ms += 1000;
	assert_int_equal(store_world_put(&w, SVC, "web", "two"), 2);
	assert_int_equal(store_world_put(&w, STORE_ENDPOINTS, "web", "three"), 3);
	assert_int_equal(store_world_remove(&w, STORE_ENDPOINTS, "web").revision, 4);
	assert_string_equal(buf_cstr(&w.told), "put 1 Service shop/web = one\n"
					       "put 2 Service shop/web = two\n"
					       "put 3 Endpoints shop/web = three\n"
					       "remove 4 Endpoints shop/web\n");
	for (int i = 0; i < 2; i++, store_world_reopen(&w)) {
		o = store_get(w.store, &key);
		assert_non_null(o);
		assert_string_equal(o->text, "two");
		assert_int_equal(o->len, 3);
		assert_int_equal(o->revision, 2);
		assert_int_equal(o->created_revision, 1);
		assert_int_equal(o->changed_ms - o->created_ms, 1000);
		assert_string_equal(o->user, "tester");
		assert_null(store_world_text(&w, STORE_ENDPOINTS, "web"));
		assert_int_equal(store_world_status(&w).revision, 4);
		assert_int_equal(store_world_status(&w).objects, 1);
		assert_true(store_world_status(&w).complete);
	}
}

static void one_that_is_held_stays_as_it_was(void **state)
{
	const struct store_key key = { SVC, "shop", "web" };
	const struct store_object *o;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	o = store_object_ref(store_get(w.store, &key));
	store_world_put(&w, SVC, "web", "two");
	store_world_close(&w);
	assert_string_equal(o->text, "one");
	store_object_unref(o);
}

static void count_each(void *arg, const struct store_object *o)
{
	(void)o;
	++*(unsigned *)arg;
}

static void all_of_a_kind_or_namespace_are_found(void **state)
{
	unsigned n = 0;

	(void)state;
	store_world_put(&w, SVC, "a", "1");
	store_world_put(&w, SVC, "b", "1");
	store_world_put(&w, STORE_SLICE, "a", "1");
	store_each(w.store, SVC, "shop", count_each, &n);
	assert_int_equal(n, 2);
	store_each(w.store, (enum store_kind)0, NULL, count_each, &n);
	assert_int_equal(n, 5);
	store_each(w.store, SVC, "other", count_each, &n);
	assert_int_equal(n, 5);
}

/* "of web, ..." */
static bool owner_of(enum store_kind kind, const char *text, size_t len,
		     char out[static STORE_NAME_MAX + 1])
{
	(void)len;
	return kind == STORE_SLICE && sscanf(text, "of %20[^,],", out) == 1;
}

static void add_part(void *arg, const struct store_object *o)
{
	buf_printf(arg, "%s ", o->key.name);
}

/* Sorted; a name has one letter. */
static void parts_are(const char *owner, const char *want)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(buf_done) struct buf sorted = { 0 };

	store_each_part(w.store, STORE_SLICE, "shop", owner, add_part, &b);
	for (char c = 'a'; c <= 'z'; c++)
		if (strchr(buf_cstr(&b), c))
			buf_printf(&sorted, "%c ", c);
	assert_int_equal(sorted.len, b.len);
	assert_string_equal(buf_cstr(&sorted), want);
}

static void parts_are_found_by_whose_they_are(void **state)
{
	(void)state;
	w.options.owner = owner_of;
	store_world_reopen(&w);
	store_world_put(&w, STORE_SLICE, "a", "of web, 1");
	store_world_put(&w, STORE_SLICE, "b", "of web, 2");
	store_world_put(&w, STORE_SLICE, "c", "of web, 3");
	store_world_put(&w, STORE_SLICE, "d", "of api, 1");
	store_world_put(&w, STORE_SLICE, "e", "of nobody");
	store_world_put(&w, SVC, "f", "of web, 1");
	parts_are("web", "a b c ");
	parts_are("api", "d ");
	parts_are("", "");
	store_each_part(w.store, STORE_SLICE, "other", "web", add_part, NULL);
	/* Each place of the list once: between two, the first, the last one. */
	store_world_put(&w, STORE_SLICE, "b", "of api, 2");
	parts_are("web", "a c ");
	store_world_put(&w, STORE_SLICE, "a", "of nobody");
	parts_are("web", "c ");
	store_world_remove(&w, STORE_SLICE, "c");
	parts_are("web", "");
	parts_are("api", "b d ");
	store_world_reopen(&w);
	parts_are("web", "");
	parts_are("api", "b d ");
}

static void one_that_is_as_it_should_be_is_not_written(void **state)
{
	struct store_answer a;
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	a = write_one(put_of("web", "one"));
	assert_int_equal(a.result, STORE_OK);
	assert_false(a.changed);
	assert_int_equal(a.revision, 1);
	assert_string_equal(buf_cstr(&w.told), "put 1 Service shop/web = one\n");
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b), "1 put: one");
}

/* --- what is expected -------------------------------------------------------------------- */

static void a_write_that_expects_something_else_is_refused_and_recorded(void **state)
{
	const struct store_operations_query all = { .limit = 100 };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct store_answer a;

	(void)state;
	assert_int_equal(expect("web", "one", 0).revision, 1);
	a = expect("web", "two", 0);
	assert_int_equal(a.result, STORE_EXISTS);
	assert_int_equal(a.current, 1);
	assert_int_equal(expect("web", "two", 1).revision, 3);
	a = expect("web", "three", 1);
	assert_int_equal(a.result, STORE_STALE);
	assert_int_equal(a.current, 3);
	assert_int_equal(expect("none", "one", 3).result, STORE_ABSENT);
	assert_int_equal(store_world_remove(&w, SVC, "none").result, STORE_ABSENT);
	assert_string_equal(store_world_text(&w, SVC, "web"), "two");
	assert_string_equal(
		store_world_operations(&w, &all, &b),
		"6 tester remove Service shop/none 0 absent: there is no Service shop/none\n"
		"5 alice update Service shop/none 0 absent: there is no Service shop/none\n"
		"4 alice update Service shop/web 3 stale: Service shop/web is at revision 3, not "
		"1\n"
		"3 alice update Service shop/web 1->3 ok\n"
		"2 alice update Service shop/web 1 exists: Service shop/web exists already\n"
		"1 alice update Service shop/web 0->1 ok\nof 6\n");
}

static void of_many_who_expect_the_same_revision_one_wins(void **state)
{
	struct store_answer answers[64] = { 0 };
	unsigned won = 0;

	(void)state;
	store_world_put(&w, SVC, "web", "start");
	for (int i = 0; i < 64; i++) {
		CLEANUP(xfree_ptr) char *text = xasprintf("by %d", i);
		struct store_change c = put_of("web", text);
		const struct store_write write = { .changes = &c, .count = 1 };

		c.expect = STORE_EXPECT_REVISION;
		c.revision = 1;
		store_write(w.store, &write, store_world_answered, &answers[i]);
	}
	for (int i = 0; i < 64; i++) {
		store_world_wait(&w, &answers[i].called);
		won += answers[i].result == STORE_OK;
		assert_true(answers[i].result == STORE_OK || answers[i].result == STORE_STALE);
	}
	assert_int_equal(won, 1);
}

static void all_of_a_write_is_done_or_none(void **state)
{
	struct store_change changes[3] = { put_of("a", "1"), put_of("b", "1"), put_of("c", "1") };
	const struct store_write write = { .changes = changes, .count = 3 };
	struct store_answer a;

	(void)state;
	store_world_put(&w, SVC, "c", "0");
	changes[2].expect = STORE_EXPECT_ABSENT;
	a = store_world_write(&w, &write);
	assert_int_equal(a.result, STORE_EXISTS);
	assert_int_equal(a.refused, 2);
	assert_null(store_world_text(&w, SVC, "a"));
	changes[2].expect = STORE_EXPECT_ANY;
	assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "a"), "1");
	assert_string_equal(store_world_text(&w, SVC, "b"), "1");
	assert_string_equal(store_world_text(&w, SVC, "c"), "1");
}

static void a_dry_run_is_answered_and_leaves_no_trace(void **state)
{
	struct store_change c = put_of("web", "two");
	const struct store_write dry = { .changes = &c, .count = 1, .dry_run = true };
	const struct store_operations_query all = { .limit = 100 };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct store_answer a;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	a = store_world_write(&w, &dry);
	assert_int_equal(a.result, STORE_OK);
	assert_true(a.changed);
	c.expect = STORE_EXPECT_ABSENT;
	assert_int_equal(store_world_write(&w, &dry).result, STORE_EXISTS);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
	assert_string_equal(buf_cstr(&w.told), "put 1 Service shop/web = one\n");
	assert_string_equal(store_world_operations(&w, &all, &b),
			    "1 tester put Service shop/web 0->1 ok\nof 1\n");
	/* Nor a number used up. */
	assert_int_equal(store_world_put(&w, SVC, "web", "two"), 2);
}

static void a_repetition_gets_the_first_answer(void **state)
{
	struct store_change c = put_of("web", "one");
	struct store_write write = { .who = { .user = "alice" },
				     .changes = &c,
				     .count = 1,
				     .idempotency_key = "k1",
				     .idempotency_hash = UINT64_MAX };
	struct store_answer a;

	(void)state;
	c.expect = STORE_EXPECT_ABSENT;
	assert_int_equal(store_world_write(&w, &write).revision, 1);
	store_world_put(&w, SVC, "web", "by another");
	store_world_reopen(&w);
	a = store_world_write(&w, &write);
	assert_int_equal(a.result, STORE_OK);
	assert_true(a.repeated);
	assert_int_equal(a.revision, 1);
	assert_string_equal(store_world_text(&w, SVC, "web"), "by another");
	write.idempotency_hash = 7;
	assert_int_equal(store_world_write(&w, &write).result, STORE_KEY_REUSED);
	/* Another person's key is another key, and a day later it is free again. */
	write.who.user = "bob";
	assert_int_equal(store_world_write(&w, &write).result, STORE_EXISTS);
	write.who.user = "alice";
	now_ms += 24 * 3600 * 1000;
	assert_int_equal(store_world_write(&w, &write).result, STORE_EXISTS);
}

static void what_is_beyond_a_bound_is_refused(void **state)
{
	CLEANUP(xfree_ptr) char *text = xcalloc(1, STORE_TEXT_MAX + 2);
	char name[STORE_NAME_MAX + 2];
	struct store_change c = { .key = { SVC, "shop", "web" }, .text = text };
	struct store_claim claim = { .pool = "" };

	(void)state;
	memset(text, 'x', STORE_TEXT_MAX + 1);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	c.len = STORE_TEXT_MAX + 1;
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.len = STORE_TEXT_MAX;
	assert_int_equal(write_one(c).result, STORE_OK);
	text[7] = '\0';
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.len = 3;
	c.key.name = name;
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.key.name = "";
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.key.name = "web";
	c.key.kind = (enum store_kind)6;
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.key.kind = SVC;
	c.claims = &claim;
	c.claim_count = 1; /* without a port */
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
	c.claim_count = STORE_CLAIMS_MAX + 1;
	assert_int_equal(write_one(c).result, STORE_TOO_LARGE);
}

static void there_are_only_so_many_documents_and_waiting_writes(void **state)
{
	struct store_change c = put_of("c", "1");
	const struct store_write write = { .changes = &c, .count = 1 };
	struct store_answer last = { 0 };

	(void)state;
	w.options.objects_max = 2;
	store_world_reopen(&w);
	store_world_put(&w, SVC, "a", "1");
	store_world_put(&w, SVC, "b", "1");
	assert_int_equal(write_one(c).result, STORE_FULL);
	store_world_put(&w, SVC, "b", "2");
	store_world_remove(&w, SVC, "a");
	assert_int_equal(write_one(c).result, STORE_OK);
	for (int i = 0; i < STORE_QUEUE_MAX; i++)
		store_write(w.store, &write, NULL, NULL);
	store_write(w.store, &write, store_world_answered, &last);
	store_world_wait(&w, &last.called);
	assert_int_equal(last.result, STORE_BUSY);
}

static void nobody_is_called_who_was_forgotten(void **state)
{
	struct store_change c = put_of("web", "one");
	const struct store_write write = { .changes = &c, .count = 1 };
	struct store_answer gone = { 0 };

	(void)state;
	store_write(w.store, &write, store_world_answered, &gone);
	store_forget(w.store, &gone);
	store_world_put(&w, SVC, "web", "two");
	assert_false(gone.called);
	assert_string_equal(buf_cstr(&w.told), "put 1 Service shop/web = one\n"
					       "put 2 Service shop/web = two\n");
}

static void what_was_queued_is_done_before_the_store_closes(void **state)
{
	struct store_change c = put_of("web", "one");
	const struct store_write write = { .changes = &c, .count = 1 };

	(void)state;
	store_write(w.store, &write, NULL, NULL);
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
}

/* --- watching ------------------------------------------------------------------------------ */

static void note_revision(void *arg, const struct store_event *e)
{
	buf_printf(arg, "%s%d ", e->type == STORE_REMOVE ? "-" : "+", (int)e->revision);
}

static void changes_since_a_revision_are_told_again(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	uint64_t epoch = store_world_status(&w).epoch;

	(void)state;
	for (int i = 0; i < 4; i++) {
		CLEANUP(xfree_ptr) char *text = xasprintf("%d", i);

		store_world_put(&w, SVC, "web", text);
	}
	store_world_remove(&w, SVC, "web");
	assert_true(store_changes_since(w.store, epoch, 2, note_revision, &b));
	assert_string_equal(buf_cstr(&b), "+3 +4 -5 ");
	buf_reset(&b);
	assert_true(store_changes_since(w.store, epoch, 5, note_revision, &b));
	assert_int_equal(b.len, 0);
	/* From another store, or ahead of this one. */
	assert_false(store_changes_since(w.store, epoch + 1, 2, note_revision, &b));
	assert_false(store_changes_since(w.store, epoch, 6, note_revision, &b));
	store_world_reopen(&w);
	assert_true(store_changes_since(w.store, epoch, 5, note_revision, &b));
	assert_false(store_changes_since(w.store, epoch, 4, note_revision, &b));
	assert_int_equal(b.len, 0);
}

static void changes_too_long_ago_are_not_known_any_more(void **state)
{
	struct store_change changes[1000];
	const struct store_write write = { .changes = changes, .count = 1000 };
	uint64_t epoch = store_world_status(&w).epoch;
	CLEANUP(buf_done) struct buf b = { 0 };
	char names[1000][16];

	(void)state;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(names[i], sizeof(names[i]), "n%d", i);
			changes[i] = put_of(names[i], round % 2 ? "odd" : "even");
		}
		assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
	}
	assert_false(store_changes_since(w.store, epoch, 5000 - 4097, note_revision, &b));
	assert_true(store_changes_since(w.store, epoch, 5000 - 4096, note_revision, &b));
	assert_memory_equal(buf_cstr(&b), "+905 +906 ", 10);
}

struct leaving {
	store_watch_id self, other;
	unsigned calls;
};

static void leave(void *arg, const struct store_event *e)
{
	struct leaving *l = arg;

	(void)e;
	l->calls++;
	store_unwatch(w.store, l->self);
	store_unwatch(w.store, l->other);
}

static void watchers_may_leave_while_they_are_told(void **state)
{
	struct leaving a = { 0 }, b = { 0 };

	(void)state;
	a.self = store_watch(w.store, leave, &a);
	b.self = store_watch(w.store, leave, &b);
	a.other = b.self;
	store_world_put(&w, SVC, "web", "one");
	store_world_put(&w, SVC, "web", "two");
	assert_int_equal(a.calls, 1);
	assert_int_equal(b.calls, 0);
	assert_string_equal(buf_cstr(&w.told), "put 1 Service shop/web = one\n"
					       "put 2 Service shop/web = two\n");
}

/* --- claims ---------------------------------------------------------------------------------- */

static struct store_claim claim_of(const char *at, uint8_t protocol, const char *pool)
{
	struct store_claim c;

	memset(&c, 0, sizeof(c));
	assert_int_equal(endpoint_parse(at, protocol, &c.at), 0);
	c.pool = pool;
	return c;
}

static struct store_answer put_claiming(const char *name, const char *at, const char *pool)
{
	struct store_claim claim = claim_of(at, IPPROTO_TCP, pool);
	struct store_change c = put_of(name, at);

	c.claims = &claim;
	c.claim_count = 1;
	return write_one(c);
}

static const char *holder(const char *at)
{
	struct store_claim claim = claim_of(at, IPPROTO_TCP, "");
	const struct store_object *o = store_claimed_by(w.store, &claim.at);

	return o ? o->key.name : "nobody";
}

static void a_frontend_is_one_documents(void **state)
{
	struct store_answer a;

	(void)state;
	assert_int_equal(put_claiming("a", "10.0.0.1:80", "").result, STORE_OK);
	a = put_claiming("b", "10.0.0.1:80", "");
	assert_int_equal(a.result, STORE_TAKEN);
	assert_string_equal(a.why, "10.0.0.1:80/tcp is taken by Service shop/a");
	assert_int_equal(put_claiming("b", "10.0.0.1:81", "").result, STORE_OK);
	assert_int_equal(put_claiming("c", "[2001:db8::1]:80", "").result, STORE_OK);
	store_world_reopen(&w);
	assert_string_equal(holder("10.0.0.1:80"), "a");
	assert_string_equal(holder("10.0.0.1:81"), "b");
	assert_string_equal(holder("[2001:db8::1]:80"), "c");
	assert_int_equal(put_claiming("d", "[2001:db8::1]:80", "").result, STORE_TAKEN);
	/* Whoever moves on or goes leaves it to others. */
	assert_int_equal(put_claiming("a", "10.0.0.1:82", "").result, STORE_OK);
	assert_string_equal(holder("10.0.0.1:80"), "nobody");
	assert_int_equal(put_claiming("b", "10.0.0.1:80", "").result, STORE_OK);
	assert_string_equal(holder("10.0.0.1:80"), "b");
	assert_int_equal(store_world_remove(&w, SVC, "a").result, STORE_OK);
	assert_int_equal(put_claiming("d", "10.0.0.1:82", "").result, STORE_OK);
}

static void one_write_may_hand_a_frontend_over(void **state)
{
	struct store_claim claim = claim_of("10.0.0.1:80", IPPROTO_TCP, "");
	struct store_change changes[2] = { put_of("a", "without"), put_of("b", "with") };
	const struct store_write write = { .changes = changes, .count = 2 };

	(void)state;
	put_claiming("a", "10.0.0.1:80", "");
	changes[1].claims = &claim;
	changes[1].claim_count = 1;
	assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
	assert_string_equal(holder("10.0.0.1:80"), "b");
}

/* a has 80, b 81, c 82, and each the next one's afterwards. */
static void one_write_may_pass_frontends_round(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	static const char *const ports[] = { "10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:82" };
	struct store_claim claims[3];
	struct store_change changes[3];
	struct store_write write = { .changes = changes, .count = 3 };
	struct store_answer a;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		put_claiming(names[i], ports[i], "");
		claims[i] = claim_of(ports[(i + 1) % 3], IPPROTO_TCP, "");
		changes[i] = put_of(names[i], "another");
		changes[i].claims = &claims[i];
		changes[i].claim_count = 1;
	}
	/* Refused as a whole, it hands nothing over. */
	put_claiming("d", "10.0.0.1:83", "");
	claims[2] = claim_of("10.0.0.1:83", IPPROTO_TCP, "");
	a = store_world_write(&w, &write);
	assert_int_equal(a.result, STORE_TAKEN);
	assert_int_equal(a.refused, 2);
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(holder(ports[i]), names[i]);
	claims[2] = claim_of(ports[0], IPPROTO_TCP, "");
	write.dry_run = true;
	assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
	assert_string_equal(holder(ports[0]), "a");
	write.dry_run = false;
	assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
	for (int times = 0; times < 2; times++) {
		for (size_t i = 0; i < 3; i++)
			assert_string_equal(holder(ports[(i + 1) % 3]), names[i]);
		store_world_reopen(&w);
	}
	/* What is like that already changes nothing. */
	assert_false(store_world_write(&w, &write).changed);
	assert_string_equal(holder(ports[1]), "a");
}

static void the_same_text_with_another_frontend_is_a_change(void **state)
{
	struct store_claim claim = claim_of("10.0.0.1:80", IPPROTO_TCP, "");
	struct store_change c = put_of("a", "same");

	(void)state;
	c.claims = &claim;
	c.claim_count = 1;
	assert_int_equal(write_one(c).revision, 1);
	assert_false(write_one(c).changed);
	claim = claim_of("10.0.0.1:80", IPPROTO_UDP, "");
	assert_true(write_one(c).changed);
	assert_string_equal(holder("10.0.0.1:80"), "nobody");
	claim.pool = "web";
	assert_true(write_one(c).changed);
}

static void of_two_who_claim_at_once_one_wins(void **state)
{
	struct store_claim claim = claim_of("10.0.0.1:80", IPPROTO_TCP, "");
	struct store_change changes[2] = { put_of("a", "1"), put_of("b", "1") };
	struct store_answer answers[2] = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct store_write write = { .changes = &changes[i], .count = 1 };

		changes[i].claims = &claim;
		changes[i].claim_count = 1;
		store_write(w.store, &write, store_world_answered, &answers[i]);
	}
	store_world_wait(&w, &answers[0].called);
	store_world_wait(&w, &answers[1].called);
	assert_int_equal(answers[0].result, STORE_OK);
	assert_int_equal(answers[1].result, STORE_TAKEN);
	assert_string_equal(holder("10.0.0.1:80"), "a");
}

static uint16_t free_port(const char *ports, const char *reserved)
{
	struct port_range p, r = { 1, 0 };
	struct addr vip = addr_v4(0x0a000001);
	uint16_t port = 0;

	assert_int_equal(port_range_parse(ports, &p), 0);
	if (reserved)
		assert_int_equal(port_range_parse(reserved, &r), 0);
	if (store_free_port(w.store, &vip, IPPROTO_TCP, &p, 1, &r, 1, &port) < 0)
		return 0;
	return port;
}

static void ports_are_given_out_once_and_rest_when_they_come_back(void **state)
{
	struct store_answer answers[5] = { 0 };
	uint16_t ports[5];

	(void)state;
	/* All in one turn, before any of them is written. */
	for (int i = 0; i < 5; i++) {
		CLEANUP(xfree_ptr) char *at = NULL;
		CLEANUP(xfree_ptr) char *name = xasprintf("n%d", i);
		struct store_change c = put_of(name, "1");
		const struct store_write write = { .changes = &c, .count = 1 };
		struct store_claim claim;

		ports[i] = free_port("100-105", "102");
		at = xasprintf("10.0.0.1:%u", ports[i]);
		claim = claim_of(at, IPPROTO_TCP, "p");
		c.claims = &claim;
		c.claim_count = 1;
		store_write(w.store, &write, store_world_answered, &answers[i]);
	}
	for (int i = 0; i < 5; i++) {
		store_world_wait(&w, &answers[i].called);
		assert_int_equal(answers[i].result, STORE_OK);
		assert_int_equal(ports[i], 100 + i + (i >= 2));
	}
	assert_int_equal(free_port("100-105", "102"), 0);
	store_world_remove(&w, SVC, "n1");
	store_world_remove(&w, SVC, "n3");
	assert_int_equal(free_port("100-105", "102"), 101);
	assert_int_equal(free_port("100-105", "102"), 104);
	assert_int_equal(free_port("100-105", "102"), 101);
	assert_int_equal(free_port("1-65535", NULL), 102);
}

static void a_refused_write_gives_its_port_back(void **state)
{
	struct store_claim claim = claim_of("10.0.0.1:100", IPPROTO_TCP, "");
	struct store_change c = put_of("web", "1");

	(void)state;
	c.claims = &claim;
	c.claim_count = 1;
	c.expect = STORE_EXPECT_REVISION;
	c.revision = 77;
	assert_int_equal(write_one(c).result, STORE_ABSENT);
	assert_int_equal(free_port("100", NULL), 100);
}

static void note_claim(void *arg, const struct store_object *o, const struct store_claim *c)
{
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(arg, "%s %s ", o->key.name, endpoint_text(&c->at, text));
}

static void an_address_pool_in_use_is_not_removed(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct store_answer a;

	(void)state;
	store_world_put(&w, STORE_ADDRESS_POOL, "web", "10.0.0.0/24");
	put_claiming("a", "10.0.0.1:80", "web");
	put_claiming("b", "10.0.0.1:81", "other");
	store_pool_used_by(w.store, "web", note_claim, &b);
	assert_string_equal(buf_cstr(&b), "a 10.0.0.1:80 ");
	a = store_world_remove(&w, STORE_ADDRESS_POOL, "web");
	assert_int_equal(a.result, STORE_IN_USE);
	assert_string_equal(a.why,
			    "address pool web is in use: 1 frontends are from it, as that of "
			    "shop/a");
	/* A change of it never takes a frontend away. */
	store_world_put(&w, STORE_ADDRESS_POOL, "web", "10.0.1.0/24");
	assert_string_equal(holder("10.0.0.1:80"), "a");
	store_world_remove(&w, SVC, "a");
	assert_int_equal(store_world_remove(&w, STORE_ADDRESS_POOL, "web").result, STORE_OK);
}

static void every_kind_and_result_has_a_word(void **state)
{
	(void)state;
	for (int k = STORE_SERVICE; k <= STORE_ADDRESS_POOL; k++)
		assert_string_not_equal(store_kind_text((enum store_kind)k), "?");
	for (int r = STORE_OK; r <= STORE_CORRUPT; r++)
		assert_string_not_equal(store_result_text((enum store_result)r), "?");
	assert_string_equal(store_result_text((enum store_result)99), "?");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_and_told_and_outlives_a_restart),
		TEST(one_that_is_held_stays_as_it_was),
		TEST(all_of_a_kind_or_namespace_are_found),
		TEST(parts_are_found_by_whose_they_are),
		TEST(one_that_is_as_it_should_be_is_not_written),
		TEST(a_write_that_expects_something_else_is_refused_and_recorded),
		TEST(of_many_who_expect_the_same_revision_one_wins),
		TEST(all_of_a_write_is_done_or_none),
		TEST(a_dry_run_is_answered_and_leaves_no_trace),
		TEST(a_repetition_gets_the_first_answer),
		TEST(what_is_beyond_a_bound_is_refused),
		TEST(there_are_only_so_many_documents_and_waiting_writes),
		TEST(nobody_is_called_who_was_forgotten),
		TEST(what_was_queued_is_done_before_the_store_closes),
		TEST(changes_since_a_revision_are_told_again),
		TEST(changes_too_long_ago_are_not_known_any_more),
		TEST(watchers_may_leave_while_they_are_told),
		TEST(a_frontend_is_one_documents),
		TEST(one_write_may_pass_frontends_round),
		TEST(one_write_may_hand_a_frontend_over),
		TEST(the_same_text_with_another_frontend_is_a_change),
		TEST(of_two_who_claim_at_once_one_wins),
		TEST(ports_are_given_out_once_and_rest_when_they_come_back),
		TEST(a_refused_write_gives_its_port_back),
		TEST(an_address_pool_in_use_is_not_removed),
		cmocka_unit_test(every_kind_and_result_has_a_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
