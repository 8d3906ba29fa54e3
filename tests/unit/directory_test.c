/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/directory*.c on a real directory, with a clock that the test turns:
 * inotify has its events ready when a system call returns, so nothing waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"
#include "tests/lib/random.h"
#include "tests/lib/skip.h"
#include "watch/source.h"

static int64_t now_ms;

static mono_t test_mono(void *arg)
{
	(void)arg;
	return (mono_t){ now_ms * 1000000 };
}

static int64_t test_wall(void *arg)
{
	struct timespec t;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

static const struct clock test_clock = { .mono = test_mono, .wall_ms = test_wall };

/* A directory, a source on it, and what the source told. */
struct fixture {
	char dir[64];
	struct loop *loop;
	struct watch_source *source;
	struct buf log;
	size_t puts;
	bool quiet; /* count puts, do not log them */
};

static void on_put(void *arg, struct object *o)
{
	struct fixture *f = arg;

	assert_int_equal(o->source, 5);
	f->puts++;
	if (!f->quiet)
		buf_printf(&f->log, "put %s %s/%s:%u%s%s\n", object_kind_text(o->kind), o->ns,
			   o->name, o->line, o->affinity_s ? " affinity" : "",
			   o->problems.count ? " with a problem" : "");
	object_free(o);
}

static void on_remove(void *arg, const struct object *o)
{
	struct fixture *f = arg;

	assert_int_equal(o->source, 5);
	buf_printf(&f->log, "remove %s %s/%s of %s\n", object_kind_text(o->kind), o->ns, o->name,
		   o->path);
}

static void on_complete(void *arg, bool complete, const char *why)
{
	struct fixture *f = arg;
	const char *rest = why && strncmp(why, f->dir, strlen(f->dir)) == 0 ? why + strlen(f->dir)
									    : why;

	assert_int_equal(complete, why == NULL);
	buf_printf(&f->log, complete ? "complete\n" : "incomplete: %s\n", rest);
}

static void on_problem(void *arg, const char *where, unsigned line, const char *text)
{
	struct fixture *f = arg;

	buf_printf(&f->log, text ? "%s:%u: %s\n" : "%s is well\n", where, line, text);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct watch_sink sink = { on_put, on_remove, on_complete, on_problem, NULL, f };

	now_ms = 1000000;
	strcpy(f->dir, "/tmp/directory_test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(loop_new(&test_clock, &f->loop), 0);
	f->source = watch_directory_new(f->loop, f->dir, "node-1", 5, &sink);
	assert_non_null(f->source);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[256];

	watch_source_free(f->source);
	loop_free(f->loop);
	buf_done(&f->log);
	snprintf(command, sizeof(command), "chmod -R u+rwx %s 2>/dev/null; rm -rf %s %s-*", f->dir,
		 f->dir, f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static const char *path_of(const struct fixture *f, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static void write_file(const struct fixture *f, const char *name, const char *text)
{
	int fd = open(path_of(f, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void replace_with(const struct fixture *f, const char *name)
{
	char temporary[256];

	snprintf(temporary, sizeof(temporary), "%s/.tmp", f->dir);
	assert_int_equal(rename(temporary, path_of(f, name)), 0);
}

/* As editors and configuration management do it. */
static void replace_file(const struct fixture *f, const char *name, const char *text)
{
	write_file(f, ".tmp", text);
	replace_with(f, name);
}

static void advance(struct fixture *f, int64_t ms)
{
	/* In steps, so that a timer that a timer sets is run in its turn. */
	for (int64_t end = now_ms + ms; now_ms < end; now_ms += 100)
		assert_int_equal(loop_turn(f->loop, 0), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
}

/* What was told since the last time. */
static void expect(struct fixture *f, const char *want)
{
	advance(f, 0);
	assert_string_equal(buf_cstr(&f->log), want);
	buf_reset(&f->log);
}

static void start(struct fixture *f)
{
	watch_source_start(f->source);
	assert_int_equal(f->log.len, 0);
	advance(f, 100);
}

#define SERVICE(name) "---\n{apiVersion: v1, kind: Service, metadata: {name: " name "}}\n"
#define SERVICE_WITH(name, s) \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: " name "}, spec: {" s "}}\n"

/* A Secret is an object as others are, but for who may read its file. */
static void a_secret_is_told_and_whether_everybody_may_read_it(void **state)
{
	static const char secret[] = "{apiVersion: v1, kind: Secret, metadata: {name: s}}\n";
	struct fixture *f = *state;

	write_file(f, "s.yaml", secret);
	assert_int_equal(chmod(path_of(f, "s.yaml"), 0644), 0);
	start(f);
	expect(f, "put Secret default/s:1 with a problem\ncomplete\n");
	write_file(f, ".tmp", secret);
	assert_int_equal(chmod(path_of(f, ".tmp"), 0640), 0);
	replace_with(f, "s.yaml");
	expect(f, "put Secret default/s:1\n");
	assert_int_equal(unlink(path_of(f, "s.yaml")), 0);
	expect(f, "remove Secret default/s of s.yaml\n");
}

static void an_empty_directory_is_complete(void **state)
{
	struct fixture *f = *state;

	start(f);
	expect(f, "complete\n");
}

static void manifests_are_told_and_then_their_changes(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	start(f);
	expect(f, "put Service default/a:2\nput Service default/b:4\ncomplete\n");
	write_file(f, "a.yaml", SERVICE("a") SERVICE_WITH("b", "sessionAffinity: ClientIP"));
	expect(f, "put Service default/b:4 affinity\n");
	replace_file(f, "a.yaml", SERVICE("a"));
	expect(f, "remove Service default/b of a.yaml\n");
	write_file(f, "c.yml", SERVICE("c"));
	write_file(
		f, "d.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"d\"}}");
	expect(f, "put Service default/c:2\nput Service default/d:0\n");
	assert_int_equal(unlink(path_of(f, "a.yaml")), 0);
	expect(f, "remove Service default/a of a.yaml\n");
}

static void moved_lines_are_told(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a"));
	start(f);
	expect(f, "put Service default/a:2\ncomplete\n");
	write_file(f, "a.yaml", "# a line\n" SERVICE("a"));
	expect(f, "put Service default/a:3\n");
}

static void a_renamed_file_moves_its_objects(void **state)
{
	struct fixture *f = *state;
	char to[256];

	write_file(f, "a.yaml", SERVICE("a"));
	start(f);
	expect(f, "put Service default/a:2\ncomplete\n");
	snprintf(to, sizeof(to), "%s/b.yaml", f->dir);
	assert_int_equal(rename(path_of(f, "a.yaml"), to), 0);
	expect(f, "remove Service default/a of a.yaml\nput Service default/a:2\n");
	assert_int_equal(rename(to, path_of(f, "a.yaml.bak")), 0);
	expect(f, "remove Service default/a of b.yaml\n");
}

static void other_files_are_not_looked_at(void **state)
{
	struct fixture *f = *state;
	static const char *const names[] = { ".a.yaml",	 "a.yaml~", "a.yaml.swp", "#a.yaml#",
					     ".#a.yaml", "4913",    "a.yaml.tmp", "README",
					     "a.yamlx",	 ".yaml" };

	start(f);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(f, names[i], SERVICE("a"));
	assert_int_equal(mkdir(path_of(f, "dir.yaml"), 0755), 0);
	expect(f, "complete\n");
}

static void a_broken_file_keeps_its_last_good_state(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a"));
	start(f);
	expect(f, "put Service default/a:2\ncomplete\n");
	write_file(f, "a.yaml", SERVICE("b") "---\nx: [\n");
	expect(f, "a.yaml:5: did not find expected node content (while parsing a flow node in line "
		  "5)\n"
		  "incomplete: a.yaml: line 5: did not find expected node content (while parsing a "
		  "flow "
		  "node in line 5)\n");
	write_file(f, "b.yaml", SERVICE("c"));
	expect(f, "put Service default/c:2\n");
	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	expect(f, "a.yaml is well\nput Service default/b:4\ncomplete\n");
}

static void a_broken_file_that_is_removed_is_no_trouble_any_more(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", "]");
	start(f);
	expect(f, "a.yaml:1: did not find expected node content (while parsing a block node in "
		  "line 1)\n"
		  "incomplete: a.yaml: line 1: did not find expected node content (while parsing a "
		  "block "
		  "node in line 1)\n");
	assert_int_equal(unlink(path_of(f, "a.yaml")), 0);
	expect(f, "a.yaml is well\ncomplete\n");
}

static void a_bad_object_stops_no_other_and_removes_none(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	start(f);
	expect(f, "put Service default/a:2\nput Service default/b:4\ncomplete\n");
	/* "B" may be what "b" was: b stays until the file is mended. */
	write_file(f, "a.yaml", SERVICE("a") SERVICE("B") SERVICE("c"));
	expect(f, "a.yaml:4: Service: metadata.name is \"B\": lower-case letters, digits and '-' "
		  "only, at "
		  "most 63, a letter or digit at both ends\n"
		  "put Service default/c:6\n"
		  "incomplete: a.yaml: line 4: Service: metadata.name is \"B\": lower-case "
		  "letters, digits "
		  "and '-' only, at most 63, a letter or digit at both ends\n");
	write_file(f, "a.yaml", SERVICE("a") SERVICE("c"));
	expect(f, "a.yaml is well\nput Service default/c:4\nremove Service default/b of "
		  "a.yaml\ncomplete\n");
}

static void the_same_object_twice_in_a_file_is_reported(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a") SERVICE_WITH("a", "sessionAffinity: ClientIP"));
	start(f);
	expect(f, "a.yaml:4: Service default/a is in this file already (line 2): this one is not "
		  "used\n"
		  "put Service default/a:2\ncomplete\n");
}

static void lists_are_taken_apart_and_other_kinds_passed_over(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		   "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, "
		   "metadata: {name: "
		   "a}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n- {apiVersion: "
		   "v1, kind: "
		   "Service, metadata: {name: b}}\n---\nkind: List\napiVersion: v1\nitems: []\n");
	start(f);
	expect(f, "put Service default/a:4\nput Service default/b:6\ncomplete\n");
}

static void what_is_being_written_is_read_when_it_is_closed(void **state)
{
	struct fixture *f = *state;
	static const char first[] = SERVICE("a"), second[] = SERVICE("b");
	int fd;

	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	start(f);
	expect(f, "put Service default/a:2\nput Service default/b:4\ncomplete\n");
	fd = open(path_of(f, "a.yaml"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, first, sizeof(first) - 1), (ssize_t)sizeof(first) - 1);
	/* A whole YAML file, but not all of it yet. */
	expect(f, "");
	assert_int_equal(write(fd, second, sizeof(second) - 1), (ssize_t)sizeof(second) - 1);
	expect(f, "");
	close(fd);
	expect(f, "");
}

static void a_writer_that_never_closes_is_taken_at_its_word(void **state)
{
	struct fixture *f = *state;
	static const char text[] = SERVICE("a");
	int fd;

	start(f);
	fd = open(path_of(f, "a.yaml"), O_WRONLY | O_CREAT, 0644);
	assert_int_equal(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	expect(f, "complete\n");
	advance(f, 2500);
	expect(f, "put Service default/a:2\n");
	close(fd);
	expect(f, "");
}

static void links_are_followed_and_may_be_turned(void **state)
{
	struct fixture *f = *state;
	char target[256];

	/* As kubelet mounts a ConfigMap. */
	assert_int_equal(mkdir(path_of(f, "..one"), 0755), 0);
	assert_int_equal(mkdir(path_of(f, "..two"), 0755), 0);
	write_file(f, "..one/a.yaml", SERVICE("a"));
	write_file(f, "..two/a.yaml", SERVICE("b"));
	assert_int_equal(symlink("..one", path_of(f, "..data")), 0);
	assert_int_equal(symlink("..data/a.yaml", path_of(f, "a.yaml")), 0);
	start(f);
	expect(f, "put Service default/a:2\ncomplete\n");
	assert_int_equal(symlink("..two", path_of(f, "..new")), 0);
	snprintf(target, sizeof(target), "%s/..data", f->dir);
	assert_int_equal(rename(path_of(f, "..new"), target), 0);
	expect(f, "put Service default/b:2\nremove Service default/a of a.yaml\n");
	write_file(f, "hidden", SERVICE("c"));
	assert_int_equal(symlink("hidden", path_of(f, "c.yaml")), 0);
	expect(f, "put Service default/c:2\n");
	assert_int_equal(unlink(path_of(f, "hidden")), 0);
	advance(f, 1100);
	expect(f, "");
}

static void a_link_that_leads_nowhere_is_not_a_removal(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("hidden", path_of(f, "a.yaml")), 0);
	start(f);
	expect(f, "a.yaml:0: No such file or directory\n"
		  "incomplete: a.yaml: No such file or directory\n");
	write_file(f, "hidden", SERVICE("a"));
	advance(f, 1100);
	expect(f, "a.yaml is well\nput Service default/a:2\ncomplete\n");
}

static void odd_files_are_reported(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifo(path_of(f, "a.yaml"), 0644), 0);
	write_file(f, "b.yaml", "");
	assert_int_equal(truncate(path_of(f, "b.yaml"), (65 << 20)), 0);
	start(f);
	assert_non_null(strstr(buf_cstr(&f->log), "a.yaml:0: not a regular file\n"));
	assert_non_null(strstr(buf_cstr(&f->log), "b.yaml:0: larger than 64 MiB\n"));
	assert_non_null(
		strstr(buf_cstr(&f->log), "incomplete: a.yaml: not a regular file (and others)\n"));
}

static void a_missing_directory_is_waited_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rmdir(f->dir), 0);
	start(f);
	expect(f, "incomplete:  cannot be followed: No such file or directory\n");
	assert_int_equal(mkdir(f->dir, 0755), 0);
	write_file(f, "a.yaml", SERVICE("a"));
	advance(f, 1100);
	expect(f, "put Service default/a:2\ncomplete\n");
}

static void a_directory_that_is_filled_again_removes_nothing_until_it_is_quiet(void **state)
{
	struct fixture *f = *state;
	char away[128];

	write_file(f, "a.yaml", SERVICE("a"));
	write_file(f, "b.yaml", SERVICE("b"));
	f->quiet = true; /* in the order of the directory */
	start(f);
	expect(f, "complete\n");
	f->quiet = false;
	snprintf(away, sizeof(away), "%s-away", f->dir);
	assert_int_equal(rename(f->dir, away), 0);
	expect(f, "incomplete:  was removed, renamed or unmounted\n");
	assert_int_equal(mkdir(f->dir, 0755), 0);
	advance(f, 1100);
	expect(f, "incomplete: it was away and is back: waiting until it is quiet\n");
	write_file(f, "a.yaml", SERVICE_WITH("a", "sessionAffinity: ClientIP"));
	expect(f, "put Service default/a:2 affinity\n");
	advance(f, 1500);
	write_file(f, "c.yaml", SERVICE("c"));
	expect(f, "put Service default/c:2\n");
	advance(f, 1500);
	expect(f, "");
	advance(f, 1000);
	expect(f, "remove Service default/b of b.yaml\ncomplete\n");
}

static void many_files_are_told_within_few_turns_and_one_change_at_once(void **state)
{
	struct fixture *f = *state;
	struct timespec before, after;
	double ms;

	for (int i = 0; i < 1000; i++) {
		char name[32], text[256];

		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(text, sizeof(text),
			 "{apiVersion: v1, kind: Service, metadata: {name: s%d}}", i);
		write_file(f, name, text);
	}
	f->quiet = true;
	start(f);
	expect(f, "complete\n");
	assert_int_equal(f->puts, 1000);
	f->quiet = false;
	clock_gettime(CLOCK_MONOTONIC, &before);
	replace_file(f, "500.yaml", SERVICE("other"));
	assert_int_equal(loop_turn(f->loop, 0), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	expect(f, "put Service default/other:2\nremove Service default/s500 of 500.yaml\n");
	ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
	     (double)(after.tv_nsec - before.tv_nsec) / 1e6;
	print_message("one of 1,000 files replaced and told in %.2f ms\n", ms);
}

static void more_events_than_the_queue_holds_lose_nothing(void **state)
{
	struct fixture *f = *state;
	char name[32];
	FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	int max = 0;

	if (!limit || fscanf(limit, "%d", &max) != 1 || max > 100000)
		SKIP_BECAUSE("the inotify queue cannot be filled");
	fclose(limit);
	write_file(f, "a.yaml", SERVICE("a"));
	start(f);
	expect(f, "put Service default/a:2\ncomplete\n");
	for (int i = 0; i <= max; i++) {
		snprintf(name, sizeof(name), "%d", i % 2);
		close(open(path_of(f, name), O_WRONLY | O_CREAT, 0644));
		(void)unlink(path_of(f, name));
	}
	write_file(f, "a.yaml", SERVICE("b"));
	expect(f, "put Service default/b:2\nremove Service default/a of a.yaml\n");
}

/* --- a file of many documents ------------------------------------------------ */

static void a_document_that_changed_is_told_before_lines_that_moved(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a") SERVICE("b") SERVICE("c"));
	start(f);
	expect(f, "put Service default/a:2\nput Service default/b:4\nput Service default/c:6\n"
		  "complete\n");
	write_file(f, "a.yaml",
		   SERVICE("a") "# a comment\n" SERVICE_WITH("b", "sessionAffinity: ClientIP")
			   SERVICE("c"));
	expect(f, "put Service default/b:5 affinity\nput Service default/c:7\n");
	write_file(f, "a.yaml", SERVICE("c") SERVICE("a"));
	/* The comment was part of the document before it. */
	expect(f, "put Service default/a:4\nremove Service default/b of a.yaml\n"
		  "put Service default/c:2\n");
}

static void the_first_of_two_holds_though_the_second_was_known(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	start(f);
	expect(f, "put Service default/a:2\nput Service default/b:4\ncomplete\n");
	write_file(f, "a.yaml",
		   SERVICE_WITH("b", "sessionAffinity: ClientIP") SERVICE("a") SERVICE("b"));
	expect(f, "a.yaml:6: Service default/b is in this file already (line 2): this one is not "
		  "used\nput Service default/b:2 affinity\nput Service default/a:4\n");
	write_file(f, "a.yaml", SERVICE("a") SERVICE("b"));
	expect(f, "a.yaml is well\nput Service default/a:2\nput Service default/b:4\n");
}

/* What a source told, as it stands. */
struct told {
	unsigned line;
	bool affinity;
	char name[8];
};

static bool told_is(const void *object, const void *key)
{
	return strcmp(((const struct told *)object)->name, key) == 0;
}

static void keep_put(void *arg, struct object *o)
{
	struct map *told = arg;
	struct told *t = map_get(told, hash_table_str(o->name), o->name);

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		snprintf(t->name, sizeof(t->name), "%s", o->name);
		map_put(told, hash_table_str(t->name), t);
	}
	t->line = o->line;
	t->affinity = o->affinity_s != 0;
	object_free(o);
}

static void keep_remove(void *arg, const struct object *o)
{
	struct told *t = map_take(arg, hash_table_str(o->name), o->name);

	assert_non_null(t);
	free(t);
}

static void ignore_complete(void *arg, bool complete, const char *why)
{
	(void)arg, (void)complete, (void)why;
}

static void ignore_problem(void *arg, const char *where, unsigned line, const char *text)
{
	(void)arg, (void)where, (void)line, (void)text;
}

#define RANDOM_NAMES 12

/* A file of some of the names in any order, with comments between, sometimes one twice. */
static void write_random(struct fixture *f, struct random *r, struct told *want, struct buf *text)
{
	unsigned line = 1;

	buf_reset(text);
	memset(want, 0, RANDOM_NAMES * sizeof(*want));
	for (int i = 0; i < RANDOM_NAMES; i++) {
		uint32_t n = random_below(r, 4) ? (uint32_t)i : random_below(r, RANDOM_NAMES);
		bool affinity = random_below(r, 4) == 0;

		if (random_below(r, 5) == 0)
			continue;
		if (random_below(r, 6) == 0) {
			buf_printf(text, "# a comment\n");
			line++;
		}
		buf_printf(text, "---\n{apiVersion: v1, kind: Service, metadata: {name: n%u}%s}\n",
			   n, affinity ? ", spec: {sessionAffinity: ClientIP}" : "");
		if (!want[n].line)
			want[n] = (struct told){ .line = line + 1, .affinity = affinity };
		line += 2;
	}
	replace_file(f, "all.yaml", buf_cstr(text));
}

static void assert_told(const struct map *told, const struct told *want)
{
	for (unsigned n = 0; n < RANDOM_NAMES; n++) {
		const struct told *t;
		char name[8];

		snprintf(name, sizeof(name), "n%u", n);
		t = map_get(told, hash_table_str(name), name);
		assert_int_equal(t ? t->line : 0, want[n].line);
		assert_int_equal(t && t->affinity, want[n].affinity);
	}
}

static void whatever_was_before_the_file_decides(void **state)
{
	struct fixture *f = *state;
	struct random random = random_new();
	struct told want[RANDOM_NAMES], *t;
	struct buf text = { 0 };
	struct map told;
	const struct watch_sink sink = { keep_put,	 keep_remove, ignore_complete,
					 ignore_problem, NULL,	      &told };
	struct watch_source *s = watch_directory_new(f->loop, f->dir, "node-1", 5, &sink);

	map_init(&told, told_is);
	write_random(f, &random, want, &text);
	watch_source_start(s);
	for (int round = 0; round < 2000; round++) {
		/* Now and then another one before the last was taken in. */
		advance(f, 0);
		if (random_below(&random, 4)) {
			advance(f, 100);
			assert_told(&told, want);
		}
		write_random(f, &random, want, &text);
		assert_int_equal(loop_turn(f->loop, 0), 0);
	}
	watch_source_free(s);
	for (size_t pos = 0; (t = map_next(&told, &pos));)
		free(t);
	map_done(&told);
	buf_done(&text);
}

static void a_source_can_be_freed_at_any_time(void **state)
{
	struct fixture *f = *state;
	const struct watch_sink sink = { on_put, on_remove, on_complete, on_problem, NULL, f };

	f->quiet = true;
	for (int i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%d.yaml", i);
		write_file(f, name, SERVICE("a") SERVICE("b") SERVICE("c"));
	}
	for (int turns = 0; turns < 5; turns++) {
		struct watch_source *s = watch_directory_new(f->loop, f->dir, "node-1", 5, &sink);

		watch_source_start(s);
		for (int i = 0; i < turns; i++)
			assert_int_equal(loop_turn(f->loop, 0), 0);
		watch_source_free(s);
		now_ms += 10;
	}
	watch_source_free(NULL);
}

#define DIRECTORY_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_secret_is_told_and_whether_everybody_may_read_it,
						set_up, tear_down),
		DIRECTORY_TEST(an_empty_directory_is_complete),
		DIRECTORY_TEST(manifests_are_told_and_then_their_changes),
		DIRECTORY_TEST(moved_lines_are_told),
		DIRECTORY_TEST(a_renamed_file_moves_its_objects),
		DIRECTORY_TEST(other_files_are_not_looked_at),
		DIRECTORY_TEST(a_broken_file_keeps_its_last_good_state),
		DIRECTORY_TEST(a_broken_file_that_is_removed_is_no_trouble_any_more),
		DIRECTORY_TEST(a_bad_object_stops_no_other_and_removes_none),
		DIRECTORY_TEST(the_same_object_twice_in_a_file_is_reported),
		DIRECTORY_TEST(lists_are_taken_apart_and_other_kinds_passed_over),
		DIRECTORY_TEST(what_is_being_written_is_read_when_it_is_closed),
		DIRECTORY_TEST(a_writer_that_never_closes_is_taken_at_its_word),
		DIRECTORY_TEST(links_are_followed_and_may_be_turned),
		DIRECTORY_TEST(a_link_that_leads_nowhere_is_not_a_removal),
		DIRECTORY_TEST(odd_files_are_reported),
		DIRECTORY_TEST(a_missing_directory_is_waited_for),
		DIRECTORY_TEST(a_directory_that_is_filled_again_removes_nothing_until_it_is_quiet),
		DIRECTORY_TEST(many_files_are_told_within_few_turns_and_one_change_at_once),
		DIRECTORY_TEST(more_events_than_the_queue_holds_lose_nothing),
		DIRECTORY_TEST(a_document_that_changed_is_told_before_lines_that_moved),
		DIRECTORY_TEST(the_first_of_two_holds_though_the_second_was_known),
		DIRECTORY_TEST(whatever_was_before_the_file_decides),
		DIRECTORY_TEST(a_source_can_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
