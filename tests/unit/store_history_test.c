/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store's past: what was, who did what, what is kept; and its copies. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/store_world.h"
#include "tests/lib/turned_clock.h"

#define SVC STORE_SERVICE

static struct store_world w;
static char backup[PATH_MAX];

static int open_world(void **state)
{
	(void)state;
	store_world_init(&w);
	snprintf(backup, sizeof(backup), "%s/backup.db", w.dir);
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

/* --- revisions ------------------------------------------------------------------------ */

static void revisions_are_newest_first_and_outlive_their_document(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_put(&w, SVC, "other", "x");
	store_world_put(&w, SVC, "web", "two");
	store_world_remove(&w, SVC, "web");
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b),
			    "4 removed; 3 put: two; 1 put: one");
	/* Rolled back by whoever reads it and writes it again. */
	store_world_put(&w, SVC, "web", "one");
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b),
			    "5 put: one; 4 removed; 3 put: two; 1 put: one");
	assert_string_equal(store_world_revisions(&w, SVC, "none", &b), "");
	assert_string_equal(store_world_revisions(&w, STORE_SLICE, "web", &b), "");
}

static void on_one_revision(void *arg, enum store_result r, const struct store_revision *items,
			    size_t count)
{
	bool *called = arg;

	*called = true;
	assert_int_equal(r, STORE_OK);
	assert_int_equal(count, 1);
	assert_int_equal(items[0].revision, 2);
	assert_null(items[0].text); /* not asked for */
	assert_false(items[0].removed);
}

static void one_revision_can_be_asked_for_alone(void **state)
{
	const struct store_revisions_query q = { .key = { SVC, "shop", "web" },
						 .revision = 2,
						 .limit = 1 };
	bool called = false;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_put(&w, SVC, "web", "two");
	store_world_put(&w, SVC, "web", "three");
	store_revisions(w.store, &q, on_one_revision, &called);
	store_world_wait(&w, &called);
}

static void on_what_was(void *arg, enum store_result r, const struct store_revision *items,
			size_t count)
{
	bool *called = arg;

	*called = true;
	assert_int_equal(r, STORE_OK);
	assert_int_equal(count, 1);
	assert_int_equal(items[0].revision, 3);
	assert_string_equal(items[0].text, "two");
	assert_string_equal(items[0].reason, "");
	assert_string_equal(items[0].request, "");
}

static void what_was_at_a_revision_can_be_asked_for(void **state)
{
	const struct store_revisions_query q = {
		.key = { SVC, "shop", "web" }, .until = 4, .limit = 1, .texts = true
	};
	bool called = false;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_put(&w, SVC, "other", "x");
	store_world_put(&w, SVC, "web", "two");
	store_world_put(&w, SVC, "other", "y");
	store_world_put(&w, SVC, "web", "three");
	store_revisions(w.store, &q, on_what_was, &called);
	store_world_wait(&w, &called);
}

static void put_numbered(const char *name, int first, int last)
{
	for (int i = first; i <= last; i++) {
		CLEANUP(xfree_ptr) char *text = xasprintf("%d", i);

		store_world_put(&w, SVC, name, text);
	}
}

/* Three of each document are kept, and what the four newest operations speak of. */
static void of_the_past_so_much_is_kept(void **state)
{
	const struct store_operations_query all = { .limit = 100, .texts = true };
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	w.options.revisions_max = 3;
	w.options.operations_max = 4;
	store_world_reopen(&w);
	put_numbered("web", 1, 10);
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b),
			    "10 put: 10; 9 put: 9; 8 put: 8; 7 put: 7; 6 put: 6");
	assert_string_equal(store_world_operations(&w, &all, &b),
			    "10 tester put Service shop/web 9->10 ok forced -9 +10\n"
			    "9 tester put Service shop/web 8->9 ok forced -8 +9\n"
			    "8 tester put Service shop/web 7->8 ok forced -7 +8\n"
			    "7 tester put Service shop/web 6->7 ok forced -6 +7\nof 4\n");
	/* Other documents' operations push those of this one out. */
	put_numbered("other", 11, 14);
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b),
			    "10 put: 10; 9 put: 9; 8 put: 8");
	/* What was removed is kept for as long as its removal is. */
	store_world_remove(&w, SVC, "web");
	put_numbered("other", 16, 18);
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b),
			    "15 removed; 10 put: 10; 9 put: 9");
	put_numbered("other", 19, 19);
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b), "");
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "other"), "19");
}

static void operations_that_are_too_old_go_but_for_the_newest(void **state)
{
	const struct store_operations_query all = { .limit = 100 };
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	w.options.operations_ms = 1000;
	store_world_reopen(&w);
	put_numbered("web", 1, 3);
	now_ms += 1001;
	put_numbered("web", 4, 4);
	assert_string_equal(store_world_operations(&w, &all, &b),
			    "4 tester put Service shop/web 3->4 ok forced\nof 1\n");
	now_ms += 100000;
	assert_int_equal(store_world_remove(&w, SVC, "none").result, STORE_ABSENT);
	put_numbered("web", 6, 6); /* ids go on */
	assert_int_equal(store_world_status(&w).revision, 6);
}

/* --- operations --------------------------------------------------------------------------- */

static void write_as(const char *user, const char *action, const char *source, const char *ns,
		     const char *name)
{
	const struct store_change c = { .key = { SVC, ns, name }, .text = user, .len = 1 };
	const struct store_write write = { .who = { .user = user,
						    .action = action,
						    .source = source,
						    .request = "r1",
						    .peer = "192.0.2.1:5",
						    .reason = "because" },
					   .changes = &c,
					   .count = 1 };

	now_ms += 1000;
	store_world_write(&w, &write);
}

static const char *asked(struct store_operations_query q, struct buf *b)
{
	if (!q.limit)
		q.limit = 100;
	return store_world_operations(&w, &q, b);
}

#define ASK(...) asked((struct store_operations_query){ __VA_ARGS__ }, &b)

static void operations_are_found_by_what_they_are(void **state)
{
	static const struct store_key keys[] = { { SVC, "shop", "a" },
						 { SVC, "shop", "b" },
						 { STORE_SLICE, "shop", "a" } };
	const enum store_result absent = STORE_ABSENT;
	CLEANUP(buf_done) struct buf b = { 0 };
	int64_t start = now_ms;

	(void)state;
	write_as("alice", "create", "web", "shop", "a");
	write_as("bob", "create", "cli", "shop", "b");
	write_as("bob", "update", "cli", "team", "a");
	store_world_remove(&w, SVC, "none");
#define FIRST  "1 alice create Service shop/a 0->1 ok\n"
#define SECOND "2 bob create Service shop/b 0->2 ok\n"
#define THIRD  "3 bob update Service team/a 0->3 ok\n"
#define FOURTH "4 tester remove Service shop/none 0 absent: there is no Service shop/none\n"
	assert_string_equal(ASK(.limit = 100), FOURTH THIRD SECOND FIRST "of 4\n");
	assert_string_equal(ASK(.ns = "shop", .name = "a"), FIRST "of 1\n");
	assert_string_equal(ASK(.name = "a"), THIRD FIRST "of 2\n");
	assert_string_equal(ASK(.ns = "shop"), FOURTH SECOND FIRST "of 3\n");
	assert_string_equal(ASK(.user = "bob"), THIRD SECOND "of 2\n");
	assert_string_equal(ASK(.user = "bob", .action = "create"), SECOND "of 1\n");
	assert_string_equal(ASK(.source = "web"), FIRST "of 1\n");
	assert_string_equal(ASK(.request = "r1"), THIRD SECOND FIRST "of 3\n");
	assert_string_equal(ASK(.result = &absent), FOURTH "of 1\n");
	assert_string_equal(ASK(.kind = STORE_SECRET), "of 0\n");
	assert_string_equal(ASK(.since_ms = start + 2000), FOURTH THIRD SECOND "of 3\n");
	assert_string_equal(ASK(.until_ms = start + 2000), SECOND FIRST "of 2\n");
	assert_string_equal(ASK(.id = 2), SECOND "of 1\n");
	assert_string_equal(ASK(.before = 3), SECOND FIRST "of 2\n");
	assert_string_equal(ASK(.limit = 1, .offset = 1), THIRD "of 4\n");
	assert_string_equal(ASK(.limit = 2, .offset = 3), FIRST "of 4\n");
	assert_string_equal(ASK(.user = "x' OR 1=1 --"), "of 0\n");
	assert_string_equal(ASK(.ns = "shop", .keys = keys, .key_count = 2), SECOND FIRST "of 2\n");
	assert_string_equal(ASK(.ns = "shop", .keys = keys, .key_count = 1), FIRST "of 1\n");
	assert_string_equal(ASK(.ns = "shop", .keys = keys + 2, .key_count = 1), "of 0\n");
	assert_string_equal(ASK(.ns = "team", .keys = keys, .key_count = 3, .user = "bob"),
			    THIRD "of 1\n");
}

/* --- secrets --------------------------------------------------------------------------------- */

static bool folder_holds(const char *what)
{
	static const char *const endings[] = { "", "-wal", "-shm" };
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		CLEANUP(xfree_ptr) char *path = xasprintf("%s%s", w.path, endings[i]);
		CLEANUP(buf_done) struct buf b = { 0 };

		if (file_read(path, 64u << 20, &b, NULL) == 0 && b.len)
			found = found || memmem(b.data, b.len, what, strlen(what));
	}
	return found;
}

static void of_a_secret_only_the_newest_text_is_kept(void **state)
{
	const struct store_operations_query all = { .limit = 100, .texts = true };
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	store_world_put(&w, STORE_SECRET, "db", "correct-horse-one");
	store_world_put(&w, STORE_SECRET, "db", "correct-horse-two");
	assert_string_equal(store_world_revisions(&w, STORE_SECRET, "db", &b),
			    "2 put: correct-horse-two; 1 put: (none)");
	assert_string_equal(store_world_operations(&w, &all, &b),
			    "2 tester put Secret shop/db 1->2 ok forced\n"
			    "1 tester put Secret shop/db 0->1 ok\nof 2\n");
	/* The writer has cleaned up behind the last write before it takes the next one. */
	store_world_remove(&w, SVC, "none");
	assert_true(folder_holds("correct-horse-two"));
	assert_false(folder_holds("correct-horse-one"));
	store_world_remove(&w, STORE_SECRET, "db");
	store_world_remove(&w, SVC, "none");
	assert_false(folder_holds("correct-horse-two"));
	assert_string_equal(store_world_revisions(&w, STORE_SECRET, "db", &b),
			    "4 removed; 2 put: (none); 1 put: (none)");
}

static void its_files_are_nobody_elses_to_read(void **state)
{
	static const char *const endings[] = { "", "-wal", "-shm", ".lock" };
	struct stat st;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		CLEANUP(xfree_ptr) char *path = xasprintf("%s%s", w.path, endings[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(stat(backup, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

/* --- backup and restore ------------------------------------------------------------------------ */

static void put_claiming(const char *name, const char *at)
{
	struct store_claim claim = { .pool = "web" };
	struct store_change c = { .key = { SVC, "shop", name }, .text = at, .len = strlen(at) };
	const struct store_write write = { .changes = &c, .count = 1 };

	c.claims = &claim;
	c.claim_count = 1;
	assert_int_equal(endpoint_parse(at, IPPROTO_TCP, &claim.at), 0);
	assert_int_equal(store_world_write(&w, &write).result, STORE_OK);
}

static void a_backup_is_one_file_that_another_store_can_be_opened_on(void **state)
{
	CLEANUP(xfree_ptr) char *wal = xasprintf("%s-wal", backup);
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_claiming("web", "10.0.0.1:80");
	store_world_put(&w, STORE_SECRET, "db", "secret");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	store_world_put(&w, SVC, "later", "x");
	assert_int_equal(access(wal, F_OK), -1);
	w.options.path = backup;
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "10.0.0.1:80");
	assert_string_equal(store_world_text(&w, STORE_SECRET, "db"), "secret");
	assert_null(store_world_text(&w, SVC, "later"));
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b), "1 : 10.0.0.1:80");
}

static void a_backup_takes_the_place_of_an_older_one(void **state)
{
	(void)state;
	store_world_put(&w, SVC, "web", "one");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	store_world_put(&w, SVC, "web", "two");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	w.options.path = backup;
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "two");
}

static void a_backup_that_cannot_be_written_says_so(void **state)
{
	struct store_answer a;

	(void)state;
	a = store_world_backup(&w, "/nonexistent/backup.db");
	assert_int_equal(a.result, STORE_IO);
	assert_string_equal(a.why, "/nonexistent/backup.db.tmp: No such file or directory");
	/* Over itself it would be gone. */
	assert_int_equal(store_world_backup(&w, w.path).result, STORE_IN_USE);
	assert_int_equal(store_world_put(&w, SVC, "web", "one"), 1);
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
}

static void a_restored_store_is_the_backup_under_a_new_epoch(void **state)
{
	const struct store_operations_query one = { .limit = 1 };
	uint64_t epoch = store_world_status(&w).epoch, restored;
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(xfree_ptr) char *want = NULL;

	(void)state;
	put_claiming("web", "10.0.0.1:80");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	put_claiming("web", "10.0.0.1:81");
	store_world_put(&w, SVC, "later", "x");
	store_world_put(&w, STORE_SECRET, "db", "horse-battery");
	buf_reset(&w.told);
	assert_int_equal(store_world_restore(&w, backup).result, STORE_OK);
	assert_string_equal(buf_cstr(&w.told), "reset 1\n");
	restored = store_world_status(&w).epoch;
	assert_true(restored != epoch && restored != 0);
	assert_string_equal(store_world_text(&w, SVC, "web"), "10.0.0.1:80");
	assert_null(store_world_text(&w, SVC, "later"));
	want = xasprintf("5 tester restore ? / 0 ok: %s\nof 2\n", backup);
	assert_string_equal(store_world_operations(&w, &one, &b), want);
	/* No number is given out twice, and who follows cannot go on from before. */
	assert_false(store_changes_since(w.store, epoch, 1, NULL, NULL));
	assert_int_equal(store_world_put(&w, SVC, "new", "x"), 6);
	put_claiming("other", "10.0.0.1:81");
	assert_false(folder_holds("horse-battery"));
	store_world_reopen(&w);
	assert_int_equal(store_world_status(&w).epoch, restored);
	assert_string_equal(store_world_text(&w, SVC, "new"), "x");
	assert_int_equal(store_world_status(&w).objects, 3);
}

static void what_cannot_be_restored_changes_nothing(void **state)
{
	uint64_t epoch = store_world_status(&w).epoch;
	struct store_answer a;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	a = store_world_restore(&w, "/nonexistent");
	assert_int_equal(a.result, STORE_READ_ONLY);
	assert_int_equal(file_write(backup, "not a database at all, but long enough", 38, NULL), 0);
	assert_int_equal(store_world_restore(&w, backup).result, STORE_CORRUPT);
	assert_int_equal(file_write(backup, "", 0, NULL), 0);
	assert_int_equal(store_world_restore(&w, backup).result, STORE_CORRUPT);
	assert_int_equal(store_world_restore(&w, w.path).result, STORE_IN_USE);
	assert_int_equal(store_world_status(&w).epoch, epoch);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
	assert_int_equal(store_world_put(&w, SVC, "web", "two"), 2);
}

static void a_damaged_backup_is_not_restored(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct store_answer a;

	(void)state;
	put_numbered("web", 1, 200);
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	assert_int_equal(file_read(backup, 64u << 20, &b, NULL), 0);
	memset(b.data + 3 * 4096 + 64, 0x5a, 4096);
	assert_int_equal(file_write(backup, b.data, b.len, NULL), 0);
	a = store_world_restore(&w, backup);
	assert_int_equal(a.result, STORE_CORRUPT);
	assert_string_equal(store_world_text(&w, SVC, "web"), "200");
}

static void writes_before_and_after_a_restore_keep_their_order(void **state)
{
	const struct store_change c = { .key = { SVC, "shop", "web" }, .text = "two", .len = 3 };
	const struct store_write write = { .changes = &c, .count = 1 };
	const struct store_change d = { .key = { SVC, "shop", "after" }, .text = "x", .len = 1 };
	const struct store_write after = { .changes = &d, .count = 1 };
	const struct store_who who = { 0 };
	struct store_answer before = { 0 }, last = { 0 };

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	assert_int_equal(store_world_backup(&w, backup).result, STORE_OK);
	store_write(w.store, &write, store_world_answered, &before);
	store_restore(w.store, backup, &who, NULL, NULL);
	store_write(w.store, &after, store_world_answered, &last);
	store_world_wait(&w, &last.called);
	assert_true(before.called);
	assert_int_equal(before.result, STORE_OK);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
	assert_string_equal(store_world_text(&w, SVC, "after"), "x");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(revisions_are_newest_first_and_outlive_their_document),
		TEST(one_revision_can_be_asked_for_alone),
		TEST(what_was_at_a_revision_can_be_asked_for),
		TEST(of_the_past_so_much_is_kept),
		TEST(operations_that_are_too_old_go_but_for_the_newest),
		TEST(operations_are_found_by_what_they_are),
		TEST(of_a_secret_only_the_newest_text_is_kept),
		TEST(its_files_are_nobody_elses_to_read),
		TEST(a_backup_is_one_file_that_another_store_can_be_opened_on),
		TEST(a_backup_takes_the_place_of_an_older_one),
		TEST(a_backup_that_cannot_be_written_says_so),
		TEST(a_restored_store_is_the_backup_under_a_new_epoch),
		TEST(what_cannot_be_restored_changes_nothing),
		TEST(a_damaged_backup_is_not_restored),
		TEST(writes_before_and_after_a_restore_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
