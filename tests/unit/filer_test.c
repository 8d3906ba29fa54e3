/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filer.c: files by a thread, whole or not at all, in the order given. */
#include "agent/base/filer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"

#define PIECES	   300
#define PIECE_SIZE 4096

struct scene {
	struct loop *loop;
	struct filer *filer;
	char dir[64];
	char order[16]; /* of what was told */
	int r;
	char text[256];
};

static int set_up(void **state)
{
	static struct scene s;

	s = (struct scene){ .r = 1 };
	snprintf(s.dir, sizeof(s.dir), "/tmp/filer-test-XXXXXX");
	if (!mkdtemp(s.dir) || loop_new(&clock_system, &s.loop) < 0)
		return -1;
	s.filer = filer_new(s.loop);
	*state = &s;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;
	char command[100];

	filer_free(s->filer);
	loop_free(s->loop);
	snprintf(command, sizeof(command), "rm -r %s", s->dir);
	return system(command);
}

static const char *path_in(const struct scene *s, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return path;
}

static void put_text(struct filing *w, const char *text)
{
	struct buf b = { 0 };

	buf_str(&b, text);
	filing_put(w, &b);
	assert_null(b.data);
}

static const char *content(const struct scene *s, const char *name)
{
	static struct buf b;
	struct err err;

	buf_reset(&b);
	return file_read(path_in(s, name), 1 << 24, &b, &err) < 0 ? NULL : buf_cstr(&b);
}

static struct scene *scene; /* of the test that runs */

static void on_done(void *arg, int r, const char *text)
{
	strcat(scene->order, arg);
	scene->r = r;
	snprintf(scene->text, sizeof(scene->text), "%s", text);
}

static void await(struct scene *s, size_t told)
{
	while (strlen(s->order) < told)
		assert_int_equal(loop_turn(s->loop, -1), 0);
}

static char A[] = "a", B[] = "b";

static void files_are_whole_when_it_is_told(void **state)
{
	struct scene *s = scene = *state;
	struct filing *a = filing_begin(s->filer, path_in(s, "a"));
	struct filing *b = filing_begin(s->filer, path_in(s, "b"));
	struct buf piece = { 0 };
	struct stat st;

	for (unsigned i = 0; i < PIECES; i++) {
		memset(buf_add(&piece, PIECE_SIZE), 'a' + (int)(i % 26), PIECE_SIZE);
		filing_put(a, &piece);
		if (i == 7)
			put_text(b, "one ");
	}
	put_text(b, "two");
	filing_end(b, on_done, B);
	filing_end(a, on_done, A);
	await(s, 2);
	assert_string_equal(s->order, "ba");
	assert_int_equal(s->r, 0);
	assert_int_equal(filer_queued(s->filer), 0);
	assert_string_equal(content(s, "b"), "one two");
	assert_int_equal(stat(path_in(s, "a"), &st), 0);
	assert_int_equal(st.st_size, PIECES * PIECE_SIZE);
	assert_int_equal(content(s, "a")[PIECE_SIZE * 27], 'b');
}

static void the_old_one_stays_until_the_new_one_is_whole(void **state)
{
	struct scene *s = scene = *state;
	struct filing *a = filing_begin(s->filer, path_in(s, "a"));

	put_text(a, "old");
	filing_end(a, on_done, A);
	a = filing_begin(s->filer, path_in(s, "a"));
	put_text(a, "half of the n");
	await(s, 1);
	assert_string_equal(content(s, "a"), "old");
	filing_cancel(a);
	filing_cancel(NULL);
	filer_free(s->filer);
	s->filer = NULL;
	assert_string_equal(content(s, "a"), "old");
	assert_int_equal(access(path_in(s, "a.tmp"), F_OK), -1);
}

static void what_cannot_be_written_is_told_by_name(void **state)
{
	struct scene *s = scene = *state;
	struct filing *a = filing_begin(s->filer, path_in(s, "none/a"));

	put_text(a, "x");
	filing_end(a, on_done, A);
	await(s, 1);
	assert_int_equal(s->r, -ENOENT);
	assert_non_null(strstr(s->text, "none/a"));
}

static void an_end_waits_for_what_was_given(void **state)
{
	struct scene *s = scene = *state;

	for (unsigned i = 0; i < PIECES; i++) {
		struct filing *a = filing_begin(s->filer, path_in(s, "a"));
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		put_text(a, text);
		filing_end(a, on_done, A);
	}
	filer_free(s->filer);
	s->filer = NULL;
	assert_string_equal(s->order, ""); /* nobody is told any more */
	assert_string_equal(content(s, "a"), "299");
}

static void without_a_thread_it_is_done_at_once(void **state)
{
	struct scene *s = scene = *state;
	struct filer *f = filer_new(NULL);
	struct filing *a = filing_begin(f, path_in(s, "a"));

	put_text(a, "now");
	filing_end(a, on_done, A);
	assert_string_equal(s->order, "a");
	assert_string_equal(content(s, "a"), "now");
	a = filing_begin(f, path_in(s, "b"));
	put_text(a, "never");
	filing_cancel(a);
	assert_null(content(s, "b"));
	filer_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_are_whole_when_it_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_old_one_stays_until_the_new_one_is_whole,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_told_by_name, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_end_waits_for_what_was_given, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_thread_it_is_done_at_once, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
