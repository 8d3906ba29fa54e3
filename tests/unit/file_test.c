/* SPDX-License-Identifier: GPL-2.0-or-later */
/* file.c: the whole of a file or an error, and never half a file. */
#include "agent/base/file.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for each test, as *state. */
static int make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char *path = malloc(PATH_MAX);

	snprintf(path, PATH_MAX, "%s/file_test.XXXXXX", tmp ? tmp : "/tmp");
	*state = mkdtemp(path);
	return *state && chdir(path) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	char *path = *state;
	int r;

	(void)!unlink("file");
	(void)!unlink("file.tmp");
	r = chdir("/") || rmdir(path);
	free(path);
	return r;
}

static void what_was_written_is_read(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct err err = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(file_write("file", "a\0b", 3, &err), 0);
	buf_str(&b, "before ");
	assert_int_equal(file_read("file", 3, &b, &err), 0);
	assert_int_equal(b.len, 10);
	assert_memory_equal(b.data, "before a\0b", 10);
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(access("file.tmp", F_OK), -1);
}

static void a_new_one_takes_the_place_of_the_old(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	assert_int_equal(file_write("file", "old and long", 12, NULL), 0);
	/* Left behind by a crash, and longer than what is written now. */
	assert_int_equal(file_write("file.tmp", "left behind", 11, NULL), 0);
	assert_int_equal(file_write("file", "new", 3, NULL), 0);
	assert_int_equal(file_read("file", 100, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "new");
}

static void an_empty_file_is_a_file(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	assert_int_equal(file_write("file", NULL, 0, NULL), 0);
	assert_int_equal(file_read("file", 0, &b, NULL), 0);
	assert_int_equal(b.len, 0);
}

static void a_large_file_is_read_whole(void **state)
{
	enum { SIZE = 1000000 };
	CLEANUP(buf_done) struct buf b = { 0 };
	uint8_t *bytes = malloc(SIZE);

	(void)state;
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(file_write("file", bytes, SIZE, NULL), 0);
	assert_int_equal(file_read("file", SIZE, &b, NULL), 0);
	assert_int_equal(b.len, SIZE);
	assert_memory_equal(b.data, bytes, SIZE);
	free(bytes);
}

static void a_file_above_the_bound_is_refused(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(file_write("file", "12345", 5, NULL), 0);
	buf_str(&b, "kept");
	assert_int_equal(file_read("file", 4, &b, &err), -EFBIG);
	assert_string_equal(err.text, "file: longer than 4 bytes");
	assert_string_equal(buf_cstr(&b), "kept");
}

static void failures_name_the_file(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(file_read("file", 10, &b, &err), -ENOENT);
	assert_string_equal(err.text, "file: No such file or directory");
	assert_int_equal(file_read(".", 10, &b, &err), -EISDIR);
	assert_string_equal(err.text, ".: Is a directory");
	assert_int_equal(file_write("none/file", "x", 1, &err), -ENOENT);
	assert_string_equal(err.text, "none/file.tmp: No such file or directory");
	assert_int_equal(b.len, 0);
}

static void a_pipe_does_not_hold_the_reader_up(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	assert_int_equal(mkfifo("file", 0600), 0);
	alarm(5); /* a reader that waits for a writer is killed */
	assert_int_equal(file_read("file", 10, &b, NULL), 0);
	alarm(0);
	assert_int_equal(b.len, 0);
}

static void a_failed_write_leaves_the_old_file(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(file_write("file", "old", 3, NULL), 0);
	assert_int_equal(mkdir("file.tmp", 0700), 0);
	assert_int_equal(file_write("file", "new", 3, &err), -EISDIR);
	assert_int_equal(rmdir("file.tmp"), 0);
	assert_int_equal(file_read("file", 10, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "old");
}

static void what_is_written_in_pieces_is_one_file(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct file_writer w;

	(void)state;
	assert_int_equal(file_write("file", "old", 3, NULL), 0);
	file_writer_begin(&w, "file");
	file_writer_put(&w, "ne", 2);
	assert_int_equal(file_read("file", 10, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "old"); /* until the end */
	buf_reset(&b);
	file_writer_put(&w, "w", 1);
	assert_int_equal(file_writer_end(&w, NULL), 0);
	assert_int_equal(file_read("file", 10, &b, NULL), 0);
	assert_string_equal(buf_cstr(&b), "new");
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	static const struct CMUnitTest tests[] = {
		IN_FOLDER(what_was_written_is_read),
		IN_FOLDER(a_new_one_takes_the_place_of_the_old),
		IN_FOLDER(an_empty_file_is_a_file),
		IN_FOLDER(a_large_file_is_read_whole),
		IN_FOLDER(a_file_above_the_bound_is_refused),
		IN_FOLDER(failures_name_the_file),
		IN_FOLDER(a_pipe_does_not_hold_the_reader_up),
		IN_FOLDER(a_failed_write_leaves_the_old_file),
		IN_FOLDER(what_is_written_in_pieces_is_one_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
