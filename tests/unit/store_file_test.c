/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's file and disk: whose it is, what may be wrong with it, and that
 * nothing that was acknowledged is lost by it. What is in memory is served on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/store/store_private.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/skip.h"
#include "tests/lib/store_world.h"
#include "tests/lib/turned_clock.h"

#define SVC STORE_SERVICE
#define MAX (64u << 20)

static struct store_world w;

static int open_world(void **state)
{
	(void)state;
	fault_vfs_register();
	fault_vfs_set(FAULT_NONE, 0);
	store_world_init(&w);
	w.options.vfs = "fault";
	store_world_open(&w);
	buf_reset(&w.told);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	fault_vfs_set(FAULT_NONE, 0);
	store_world_done(&w);
	return 0;
}

static struct store_answer try_put(const char *name, const char *text)
{
	const struct store_change c = { .key = { SVC, "shop", name },
					.text = text,
					.len = strlen(text) };
	const struct store_write write = { .changes = &c, .count = 1 };

	return store_world_write(&w, &write);
}

/* SQL on the file, while the store is closed. */
static void meddle(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(w.path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void meddle_and_open(const char *sql)
{
	store_world_close(&w);
	meddle(sql);
	store_world_open(&w);
}

static void refused_by(enum store_result trouble, const char *why)
{
	struct store_status status = store_world_status(&w);

	assert_int_equal(status.state, STORE_READ_LOCKED);
	assert_string_equal(store_result_text(status.trouble), store_result_text(trouble));
	if (!strstr(status.why, why))
		fail_msg("'%s' does not say '%s'", status.why, why);
	assert_int_equal(try_put("web", "not taken").result, trouble);
}

/* --- whose it is ------------------------------------------------------------------------ */

static void a_store_has_one_process(void **state)
{
	struct store_world first = w;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_open(&w);
	refused_by(STORE_READ_ONLY, "in use by another process");
	assert_false(store_world_status(&w).complete);
	store_world_close(&w);
	/* It is tried again by itself: a new process may wait for the end of the old one. */
	store_world_open(&w);
	store_close(first.store);
	now_ms += 5000;
	for (int i = 0; i < 500 && store_world_status(&w).state != STORE_READY; i++)
		assert_int_equal(loop_turn(w.loop, 10), 0);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
}

static void a_store_is_on_a_disk_of_this_machine(void **state)
{
	(void)state;
	assert_string_equal(file_system_is_remote(NFS_SUPER_MAGIC), "nfs");
	assert_string_equal(file_system_is_remote((int)CIFS_SUPER_MAGIC), "cifs");
	assert_null(file_system_is_remote(EXT4_SUPER_MAGIC));
	assert_null(file_system_is_remote(TMPFS_MAGIC));
}

static void a_folder_that_is_not_there_is_tried_again(void **state)
{
	CLEANUP(xfree_ptr) char *dir = xasprintf("%s/later", w.dir);
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/state.db", dir);

	(void)state;
	w.options.path = path;
	store_world_reopen(&w);
	refused_by(STORE_READ_ONLY, "No such file or directory");
	assert_int_equal(mkdir(dir, 0700), 0);
	now_ms += 5000;
	for (int i = 0; i < 500 && store_world_status(&w).state != STORE_READY; i++)
		assert_int_equal(loop_turn(w.loop, 10), 0);
	assert_int_equal(store_world_put(&w, SVC, "web", "one"), 1);
	store_world_close(&w);
	for (const char *const *e = (const char *const[]){ "", ".lock", NULL }; *e; e++) {
		CLEANUP(xfree_ptr) char *file = xasprintf("%s%s", path, *e);

		assert_int_equal(unlink(file), 0);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* --- what is wrong with it ----------------------------------------------------------------- */

/* As version 1 had it, which knew no protocol but two. */
static const char version_1[] =
	"CREATE TABLE old(vip TEXT NOT NULL, port INTEGER NOT NULL CHECK(port BETWEEN 1 AND 65535),"
	" protocol INTEGER NOT NULL CHECK(protocol IN (6, 17)), kind INTEGER NOT NULL,"
	" ns TEXT NOT NULL, name TEXT NOT NULL, pool TEXT NOT NULL,"
	" PRIMARY KEY(vip, port, protocol)) STRICT, WITHOUT ROWID;"
	"INSERT INTO old SELECT * FROM claim; DROP TABLE claim; ALTER TABLE old RENAME TO claim;"
	"CREATE INDEX claim_object ON claim(kind, ns, name);"
	"CREATE INDEX claim_pool ON claim(pool); PRAGMA user_version=1";

static enum store_result claim(const char *name, uint8_t protocol)
{
	const struct store_claim claims[] = {
		{ { .addr = addr_v4(0x0a000001), .port = 80, .protocol = protocol }, "p" }
	};
	const struct store_change c = { .key = { SVC, "shop", name },
					.text = "x",
					.len = 1,
					.claims = claims,
					.claim_count = 1 };
	const struct store_write write = { .changes = &c, .count = 1 };

	return store_world_write(&w, &write).result;
}

static void one_of_the_version_before_is_brought_over_with_all_it_holds(void **state)
{
	(void)state;
	assert_int_equal(claim("a", IPPROTO_TCP), STORE_OK);
	meddle_and_open(version_1);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_string_equal(store_world_text(&w, SVC, "a"), "x");
	assert_int_equal(claim("b", IPPROTO_TCP), STORE_TAKEN);
	assert_int_equal(claim("b", IPPROTO_SCTP), STORE_OK);
	store_world_reopen(&w);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_int_equal(claim("c", IPPROTO_SCTP), STORE_TAKEN);
}

static void one_of_a_newer_version_is_left_alone(void **state)
{
	CLEANUP(buf_done) struct buf before = { 0 };
	CLEANUP(buf_done) struct buf after = { 0 };

	(void)state;
	w.options.start_empty = true;
	meddle_and_open("PRAGMA user_version=99");
	refused_by(STORE_READ_ONLY, "newer version of parasausd (its version 99, ours 2)");
	assert_false(store_world_status(&w).complete);
	assert_int_equal(file_read(w.path, MAX, &before, NULL), 0);
	store_world_reopen(&w);
	assert_int_equal(file_read(w.path, MAX, &after, NULL), 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
}

static void one_that_is_none_of_ours_is_refused(void **state)
{
	(void)state;
	meddle_and_open("PRAGMA application_id=7");
	refused_by(STORE_CORRUPT, "not a store of parasausd");
	meddle_and_open("PRAGMA application_id=1348563553; CREATE TRIGGER t AFTER INSERT ON object "
			"BEGIN DELETE FROM object; END");
	refused_by(STORE_CORRUPT, "its tables are not those of a store");
	store_world_close(&w);
	assert_int_equal(file_write(w.path, "some text that is here by mistake", 33, NULL), 0);
	store_world_open(&w);
	refused_by(STORE_CORRUPT, "not a database");
}

static void rows_that_do_not_fit_together_are_damage(void **state)
{
	static const struct {
		const char *sql, *why;
	} cases[] = {
		{ "UPDATE object SET revision = 77", "Service shop/web has no document" },
		{ "UPDATE revision SET text = NULL", "Service shop/web has no document" },
		{ "INSERT INTO claim VALUES('10.0.0.1', 80, 6, 1, 'shop', 'aaa', '')",
		  "the claim of 10.0.0.1 is nobody's" },
		{ "INSERT INTO claim VALUES('10.0.0.1', 80, 6, 1, 'shop', 'zzz', '')",
		  "the claim of 10.0.0.1 is nobody's" },
		{ "INSERT INTO claim VALUES('10.0.0.01', 80, 6, 1, 'shop', 'web', '')",
		  "the claim of 10.0.0.01 cannot be read" },
		{ "UPDATE revision SET text = printf('%.1048577c', 'x')",
		  "Service shop/web has no document" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		store_world_close(&w);
		(void)!unlink(w.path);
		store_world_open(&w);
		store_world_put(&w, SVC, "web", "one");
		meddle_and_open(cases[i].sql);
		refused_by(STORE_CORRUPT, cases[i].why);
		assert_false(store_world_status(&w).complete);
		assert_int_equal(store_world_status(&w).objects, 0);
	}
}

static void scribble(const char *path, size_t at, size_t len)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	assert_int_equal(file_read(path, MAX, &b, NULL), 0);
	assert_true(at + len <= b.len);
	memset(b.data + at, 0x5a, len);
	assert_int_equal(file_write(path, b.data, b.len, NULL), 0);
}

static void fill(int count)
{
	for (int i = 0; i < count; i++) {
		CLEANUP(xfree_ptr) char *name = xasprintf("n%d", i);

		store_world_put(&w, SVC, name, "some text of a document that takes its room");
	}
}

static void a_damaged_one_stays_where_it_is(void **state)
{
	CLEANUP(buf_done) struct buf before = { 0 };
	CLEANUP(buf_done) struct buf after = { 0 };

	(void)state;
	fill(100);
	store_world_close(&w);
	scribble(w.path, 3 * 4096 + 8, 6000);
	assert_int_equal(file_read(w.path, MAX, &before, NULL), 0);
	for (int i = 0; i < 2; i++) {
		store_world_open(&w);
		refused_by(STORE_CORRUPT, "damaged");
		assert_false(store_world_status(&w).complete);
		store_world_close(&w);
	}
	assert_int_equal(file_read(w.path, MAX, &after, NULL), 0);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(before.data, after.data, before.len);
	store_world_open(&w);
}

static void told_to_a_damaged_one_is_put_aside_and_an_empty_one_begun(void **state)
{
	uint64_t epoch = store_world_status(&w).epoch;
	CLEANUP(buf_done) struct buf damaged = { 0 };
	CLEANUP(buf_done) struct buf aside = { 0 };
	CLEANUP(xfree_ptr) char *command = NULL;
	char path[PATH_MAX] = "";
	FILE *list;

	(void)state;
	fill(100);
	store_world_close(&w);
	scribble(w.path, 3 * 4096 + 8, 6000);
	assert_int_equal(file_read(w.path, MAX, &damaged, NULL), 0);
	w.options.start_empty = true;
	store_world_open(&w);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_int_equal(store_world_status(&w).objects, 0);
	assert_true(store_world_status(&w).epoch != epoch);
	store_world_put(&w, SVC, "web", "one");
	command = xasprintf("ls %s.damaged-*", w.path);
	list = popen(command, "r");
	assert_non_null(list);
	assert_non_null(fgets(path, sizeof(path), list));
	pclose(list);
	path[strcspn(path, "\n")] = '\0';
	assert_int_equal(file_read(path, MAX, &aside, NULL), 0);
	assert_int_equal(aside.len, damaged.len);
	assert_memory_equal(aside.data, damaged.data, aside.len);
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
}

static void damage_found_while_it_runs_ends_writes_and_nothing_else(void **state)
{
	CLEANUP(xfree_ptr) char *text = xcalloc(1, 60001);
	CLEANUP(buf_done) struct buf b = { 0 };
	int fd;

	(void)state;
	memset(text, 'x', 60000);
	for (int i = 0; i < 100; i++) {
		CLEANUP(xfree_ptr) char *name = xasprintf("n%d", i);

		store_world_put(&w, SVC, name, text);
	}
	store_world_reopen(&w);
	assert_int_equal(file_read(w.path, MAX, &b, NULL), 0);
	memset(b.data + 4096, 0x5a, b.len - 4096);
	fd = open(w.path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, b.data, b.len, 0), b.len);
	close(fd);
	/* What is in SQLite's own cache does for a while. */
	for (int i = 0; i < 300 && store_world_status(&w).state != STORE_READ_LOCKED; i++) {
		CLEANUP(xfree_ptr) char *name = xasprintf("n%d", i % 99);

		try_put(name, i % 2 ? "another text" : "text");
	}
	refused_by(STORE_CORRUPT, "");
	assert_string_equal(store_world_text(&w, SVC, "n99"), text);
	assert_true(store_world_status(&w).complete);
}

static void one_that_was_moved_away_takes_no_writes(void **state)
{
	CLEANUP(xfree_ptr) char *other = xasprintf("%s/other", w.dir);

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	assert_int_equal(rename(w.path, other), 0);
	assert_int_equal(try_put("web", "two").result, STORE_IO);
	refused_by(STORE_IO, "moved or removed");
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
}

/* --- a disk that fails ------------------------------------------------------------------------ */

static void trouble_of_a_disk(enum fault fault, enum store_result want)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	store_world_put(&w, SVC, "web", "one");
	buf_reset(&w.told);
	fault_vfs_set(fault, 0);
	for (int i = 0; i < 2; i++) {
		struct store_answer a = try_put("web", "not taken");

		assert_string_equal(store_result_text(a.result), store_result_text(want));
		assert_true(a.why[0]);
	}
	assert_string_equal(buf_cstr(&w.told), "status troubled\n");
	/* What was acknowledged is there, in memory and for questions to the file. */
	assert_string_equal(store_world_text(&w, SVC, "web"), "one");
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b), "1 put: one");
	fault_vfs_set(FAULT_NONE, 0);
	assert_int_equal(try_put("web", "two").result, STORE_OK);
	assert_string_equal(buf_cstr(&w.told), "status troubled\nput 2 Service shop/web = two\n"
					       "status ready\n");
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "web"), "two");
	assert_string_equal(store_world_revisions(&w, SVC, "web", &b), "2 : two; 1 put: one");
}

static void a_full_disk_ends_writes_until_there_is_room(void **state)
{
	(void)state;
	trouble_of_a_disk(FAULT_FULL, STORE_FULL);
}

static void so_does_one_that_cannot_be_written_to(void **state)
{
	(void)state;
	trouble_of_a_disk(FAULT_IO, STORE_IO);
}

static void a_write_that_is_torn_did_not_happen(void **state)
{
	(void)state;
	trouble_of_a_disk(FAULT_TORN, STORE_IO);
}

static void what_could_not_be_synced_is_not_acknowledged(void **state)
{
	(void)state;
	trouble_of_a_disk(FAULT_SYNC, STORE_IO);
}

/* A store that opens, or not, at each point a disk may fail, and opens afterwards. */
static void a_disk_that_fails_while_it_is_opened_loses_nothing(void **state)
{
	unsigned opened = 0, failed = 0;

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	for (unsigned after = 0; after < 40; after++) {
		store_world_close(&w);
		if (after % 2)
			(void)!unlink(w.path);
		fault_vfs_set(FAULT_IO, after / 2);
		store_world_open(&w);
		if (store_world_status(&w).state == STORE_READY)
			opened++;
		else
			failed++;
		fault_vfs_set(FAULT_NONE, 0);
		store_world_reopen(&w);
		assert_int_equal(store_world_status(&w).state, STORE_READY);
		if (after % 2 == 0)
			assert_string_equal(store_world_text(&w, SVC, "web"), "one");
		store_world_put(&w, SVC, "web", "one");
	}
	assert_true(opened > 0 && failed > 0);
}

static void one_write_that_does_not_fit_leaves_the_others_alone(void **state)
{
	CLEANUP(xfree_ptr) char *large = xcalloc(1, 400001);
	struct store_answer answers[3] = { 0 };
	const char *texts[] = { "small", large, "small" };
	const char *names[] = { "a", "b", "c" };
	struct rlimit before, small;

	(void)state;
	memset(large, 'x', 400000);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 300000;
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; i < 3; i++) {
		const struct store_change c = { .key = { SVC, "shop", names[i] },
						.text = texts[i],
						.len = strlen(texts[i]) };
		const struct store_write write = { .changes = &c, .count = 1 };

		store_write(w.store, &write, store_world_answered, &answers[i]);
	}
	for (int i = 0; i < 3; i++)
		store_world_wait(&w, &answers[i].called);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(answers[0].result, STORE_OK);
	assert_int_equal(answers[1].result, STORE_IO);
	assert_int_equal(answers[2].result, STORE_OK);
	store_world_reopen(&w);
	assert_string_equal(store_world_text(&w, SVC, "a"), "small");
	assert_null(store_world_text(&w, SVC, "b"));
	assert_string_equal(store_world_text(&w, SVC, "c"), "small");
}

/* --- a log that is not what it was -------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	assert_int_equal(file_read(from, MAX, &b, NULL), 0);
	assert_int_equal(file_write(to, b.data, b.len, NULL), 0);
}

static void a_torn_end_of_the_log_loses_nothing_that_was_acknowledged(void **state)
{
	CLEANUP(xfree_ptr) char *copy = xasprintf("%s/copy", w.dir);
	CLEANUP(xfree_ptr) char *copy_wal = xasprintf("%s-wal", copy);
	CLEANUP(xfree_ptr) char *wal = xasprintf("%s-wal", w.path);
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_put(&w, SVC, "web", "two");
	copy_file(w.path, copy);
	assert_int_equal(file_read(wal, MAX, &b, NULL), 0);
	assert_true(b.len > 4096);
	/* As if a third one had been cut off in the midst of its pages. */
	memset(buf_add(&b, 6000), 0x5a, 6000);
	assert_int_equal(file_write(copy_wal, b.data, b.len, NULL), 0);
	w.options.path = copy;
	store_world_reopen(&w);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_string_equal(store_world_text(&w, SVC, "web"), "two");
}

/* The second half of each page of the file that is in the log; how many. */
static unsigned tear_pages_of(const char *wal, const char *path)
{
	CLEANUP(buf_done) struct buf log = { 0 };
	CLEANUP(buf_done) struct buf file = { 0 };
	unsigned torn = 0;

	assert_int_equal(file_read(wal, MAX, &log, NULL), 0);
	assert_int_equal(file_read(path, MAX, &file, NULL), 0);
	for (size_t at = 32; at + 24 + 4096 <= log.len; at += 24 + 4096) {
		const uint8_t *n = log.data + at; /* big-endian, from 1 */
		size_t page = (size_t)n[0] << 24 | (size_t)n[1] << 16 | (size_t)n[2] << 8 | n[3];

		if (page * 4096 > file.len)
			continue;
		memset(file.data + page * 4096 - 2048, 0x5a, 2048);
		torn++;
	}
	assert_int_equal(file_write(path, file.data, file.len, NULL), 0);
	return torn;
}

static void pages_torn_while_the_log_goes_into_the_file_come_from_the_log(void **state)
{
	CLEANUP(xfree_ptr) char *copy = xasprintf("%s/copy", w.dir);
	CLEANUP(xfree_ptr) char *copy_wal = xasprintf("%s-wal", copy);
	CLEANUP(xfree_ptr) char *wal = xasprintf("%s-wal", w.path);

	(void)state;
	fill(30);
	copy_file(wal, copy_wal);
	copy_file(w.path, copy);
	assert_true(tear_pages_of(copy_wal, copy) > 3);
	w.options.path = copy;
	store_world_reopen(&w);
	assert_int_equal(store_world_status(&w).state, STORE_READY);
	assert_int_equal(store_world_status(&w).objects, 30);
}

/* --- places that cannot be written --------------------------------------------------------------- */

/* In a process that has no rights beyond those of the files' owner. */
static int without_rights(void (*check)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		cap_t none = cap_init();

		if (!none || cap_set_proc(none) < 0)
			_exit(1);
		cap_free(none);
		check();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static bool checked(const char *what, bool holds)
{
	if (!holds)
		print_message("# not so: %s (%s)\n", what, store_world_status(&w).why);
	return holds;
}

#define CHECK(e)                       \
	do {                           \
		if (!checked(#e, (e))) \
			_exit(1);      \
	} while (0)

static void reads_and_refuses_writes(void)
{
	w.store = NULL; /* of a thread that is not here */
	if (loop_new(&turned_clock, &w.loop) < 0)
		_exit(1);
	store_world_open(&w);
	CHECK(store_world_status(&w).state == STORE_READ_LOCKED);
	CHECK(store_world_status(&w).complete);
	CHECK(strcmp(store_world_text(&w, SVC, "web"), "one") == 0);
	CHECK(try_put("web", "two").result == STORE_READ_ONLY);
	CHECK(strcmp(store_world_revisions(&w, SVC, "web", &w.told), "1 put: one") == 0);
	store_world_close(&w);
}

static void a_folder_that_cannot_be_written_is_read(void **state)
{
	(void)state;
	store_world_put(&w, SVC, "web", "one");
	store_world_close(&w);
	assert_int_equal(chmod(w.path, 0444), 0);
	assert_int_equal(chmod(w.dir, 0555), 0);
	assert_int_equal(without_rights(reads_and_refuses_writes), 0);
	assert_int_equal(chmod(w.dir, 0700), 0);
}

static void reads_nothing(void)
{
	w.store = NULL;
	if (loop_new(&turned_clock, &w.loop) < 0)
		_exit(1);
	store_world_open(&w);
	CHECK(store_world_status(&w).state == STORE_READ_LOCKED);
	CHECK(!store_world_status(&w).complete);
	CHECK(store_world_status(&w).objects == 0);
	store_world_close(&w);
}

/* Its newest documents are in the log alone, which cannot be read without writing: not half of it. */
static void a_log_that_cannot_be_taken_in_is_not_left_out(void **state)
{
	CLEANUP(xfree_ptr) char *copy = xasprintf("%s/copy", w.dir);
	CLEANUP(xfree_ptr) char *copy_wal = xasprintf("%s-wal", copy);
	CLEANUP(xfree_ptr) char *wal = xasprintf("%s-wal", w.path);

	(void)state;
	store_world_put(&w, SVC, "web", "one");
	copy_file(w.path, copy);
	copy_file(wal, copy_wal);
	store_world_close(&w);
	assert_int_equal(chmod(copy, 0444), 0);
	assert_int_equal(chmod(copy_wal, 0444), 0);
	assert_int_equal(chmod(w.dir, 0555), 0);
	w.options.path = copy;
	assert_int_equal(without_rights(reads_nothing), 0);
	assert_int_equal(chmod(w.dir, 0700), 0);
}

/* The real thing, where this test may mount. */
static void a_small_disk_fills_up_and_is_written_again_when_there_is_room(void **state)
{
	CLEANUP(xfree_ptr) char *dir = xasprintf("%s/small", w.dir);
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/state.db", dir);
	CLEANUP(xfree_ptr) char *ballast = xasprintf("%s/ballast", dir);
	CLEANUP(xfree_ptr) char *text = xcalloc(1, 100001);
	struct store_answer a = { 0 };
	int fd, taken = 0;

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	if (mount("parasaus", dir, "tmpfs", 0, "size=3m") < 0) {
		rmdir(dir);
		SKIP_BECAUSE("may not mount");
	}
	store_world_close(&w);
	memset(text, 'x', 100000);
	fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	close(fd);
	w.options.path = path;
	w.options.vfs = NULL;
	store_world_open(&w);
	for (; taken < 100 && a.result == STORE_OK; taken += a.result == STORE_OK) {
		CLEANUP(xfree_ptr) char *name = xasprintf("n%d", taken);

		a = try_put(name, text);
	}
	assert_int_equal(a.result, STORE_FULL);
	assert_true(taken > 3);
	assert_int_equal(store_world_status(&w).state, STORE_TROUBLED);
	assert_int_equal(store_world_status(&w).objects, taken);
	assert_int_equal(unlink(ballast), 0);
	assert_int_equal(try_put("small", "x").result, STORE_OK);
	store_world_reopen(&w);
	assert_int_equal(store_world_status(&w).objects, taken + 1);
	store_world_close(&w);
	assert_int_equal(umount(dir), 0);
	assert_int_equal(rmdir(dir), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_store_has_one_process),
		TEST(a_store_is_on_a_disk_of_this_machine),
		TEST(a_folder_that_is_not_there_is_tried_again),
		TEST(one_of_the_version_before_is_brought_over_with_all_it_holds),
		TEST(one_of_a_newer_version_is_left_alone),
		TEST(one_that_is_none_of_ours_is_refused),
		TEST(rows_that_do_not_fit_together_are_damage),
		TEST(a_damaged_one_stays_where_it_is),
		TEST(told_to_a_damaged_one_is_put_aside_and_an_empty_one_begun),
		TEST(damage_found_while_it_runs_ends_writes_and_nothing_else),
		TEST(one_that_was_moved_away_takes_no_writes),
		TEST(a_full_disk_ends_writes_until_there_is_room),
		TEST(so_does_one_that_cannot_be_written_to),
		TEST(a_write_that_is_torn_did_not_happen),
		TEST(what_could_not_be_synced_is_not_acknowledged),
		TEST(a_disk_that_fails_while_it_is_opened_loses_nothing),
		TEST(one_write_that_does_not_fit_leaves_the_others_alone),
		TEST(a_torn_end_of_the_log_loses_nothing_that_was_acknowledged),
		TEST(pages_torn_while_the_log_goes_into_the_file_come_from_the_log),
		TEST(a_folder_that_cannot_be_written_is_read),
		TEST(a_log_that_cannot_be_taken_in_is_not_left_out),
		TEST(a_small_disk_fills_up_and_is_written_again_when_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
