/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c: which file is run for a role, and what is said where there is none. */
#include "agent/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char here[PATH_MAX / 2], beside[PATH_MAX], libexec[PATH_MAX];

static void make(const char *directory, enum program p, mode_t mode)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, program_name(p));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_folders(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(here, sizeof(here), "%s/program_test.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(here))
		return -1;
	snprintf(beside, sizeof(beside), "%s/beside", here);
	snprintf(libexec, sizeof(libexec), "%s/libexec", here);
	return mkdir(beside, 0700) || mkdir(libexec, 0700);
}

static void empty(const char *directory)
{
	char path[PATH_MAX + 64];

	for (unsigned i = 0; i < PROGRAM_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, program_name((enum program)i));
		if (unlink(path) < 0 && errno == EISDIR)
			(void)!rmdir(path);
	}
	(void)!rmdir(directory);
}

static int remove_folders(void **state)
{
	(void)state;
	empty(beside);
	empty(libexec);
	return rmdir(here);
}

static void the_one_beside_is_taken(void **state)
{
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	make(beside, PROGRAM_IPVS, 0755);
	make(libexec, PROGRAM_IPVS, 0755);
	assert_int_equal(program_find(PROGRAM_IPVS, beside, libexec, path, &err), 0);
	assert_int_equal(strncmp(path, beside, strlen(beside)), 0);
	assert_non_null(strstr(path, "/parasausd-ipvs"));
}

static void or_else_the_installed_one(void **state)
{
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	make(libexec, PROGRAM_CORE, 0755);
	assert_int_equal(program_find(PROGRAM_CORE, beside, libexec, path, &err), 0);
	assert_int_equal(strncmp(path, libexec, strlen(libexec)), 0);
	assert_int_equal(program_find(PROGRAM_CORE, "", libexec, path, &err), 0);
	assert_int_equal(program_find(PROGRAM_CORE, "/dev/null", libexec, path, &err), 0);
}

static void none_names_both_places(void **state)
{
	char path[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	assert_int_equal(program_find(PROGRAM_HEALTHCHECK, beside, libexec, path, &err), -ENOENT);
	assert_non_null(strstr(err.text, "parasausd-healthcheck"));
	assert_non_null(strstr(err.text, beside));
	assert_non_null(strstr(err.text, libexec));
	assert_non_null(strstr(err.text, "install"));
}

/* The next place is not tried: it could have another version's. */
static void one_that_cannot_be_run_is_named(void **state)
{
	char path[PATH_MAX + 64];
	struct err err = { 0 };

	(void)state;
	make(beside, PROGRAM_CORE, 0600);
	make(libexec, PROGRAM_CORE, 0755);
	assert_int_equal(program_find(PROGRAM_CORE, beside, libexec, path, &err), -EACCES);
	assert_non_null(strstr(err.text, beside));
	snprintf(path, sizeof(path), "%s/%s", beside, program_name(PROGRAM_CORE));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(program_find(PROGRAM_CORE, beside, libexec, path, &err), -EISDIR);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	char path[PATH_MAX], longest[PATH_MAX];
	struct err err = { 0 };

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(program_find(PROGRAM_CORE, longest, libexec, path, &err), -ENAMETOOLONG);
}

static unsigned count_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void all_are_opened_or_none(void **state)
{
	unsigned before = count_open();
	int fds[PROGRAM_COUNT];
	struct err err = { 0 };

	(void)state;
	make(beside, PROGRAM_CORE, 0755);
	make(libexec, PROGRAM_IPVS, 0755);
	assert_int_equal(program_open_all(beside, libexec, fds, &err), -ENOENT);
	assert_int_equal(count_open(), before);
	make(libexec, PROGRAM_HEALTHCHECK, 0755);
	assert_int_equal(program_open_all(beside, libexec, fds, &err), 0);
	for (unsigned i = 0; i < PROGRAM_COUNT; i++) {
		assert_int_equal(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		close(fds[i]);
	}
}

static void the_directory_is_that_of_the_running_program(void **state)
{
	char directory[PATH_MAX], path[PATH_MAX + 64];

	(void)state;
	program_directory(directory);
	snprintf(path, sizeof(path), "%s/program_test", directory);
	assert_int_equal(access(path, X_OK), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, make_folders, remove_folders)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_one_beside_is_taken),
		test(or_else_the_installed_one),
		test(none_names_both_places),
		test(one_that_cannot_be_run_is_named),
		test(a_path_that_is_too_long_is_refused),
		test(all_are_opened_or_none),
		test(the_directory_is_that_of_the_running_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
