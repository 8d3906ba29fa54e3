/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c: one line an event, whatever is in it. */
#include "agent/base/log.h"

#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char caught[4096];
static enum log_level caught_level;

static void catch (enum log_level level, const char *line)
{
	strcpy(caught, line);
	caught_level = level;
}

static int catch_lines(void **state)
{
	(void)state;
	caught[0] = '\0';
	log_open("test", LOG_LEVEL_DEBUG);
	log_set_sink(catch);
	return 0;
}

static int let_lines_go(void **state)
{
	(void)state;
	log_set_sink(NULL);
	return 0;
}

static void a_line_has_its_level(void **state)
{
	(void)state;
	log_error("hc", "a %d", 1);
	assert_int_equal(caught_level, LOG_LEVEL_ERROR);
	log_warn("hc", "a %d", 2);
	assert_int_equal(caught_level, LOG_LEVEL_WARNING);
	log_info("hc", "a %d", 3);
	assert_int_equal(caught_level, LOG_LEVEL_INFO);
	log_debug("hc", "a %d", 4);
	assert_int_equal(caught_level, LOG_LEVEL_DEBUG);
	assert_string_equal(caught, "a 4");
}

static void what_is_above_the_level_is_not_written(void **state)
{
	(void)state;
	log_open("test", LOG_LEVEL_WARNING);
	assert_int_equal(log_level(), LOG_LEVEL_WARNING);
	log_info("hc", "quiet");
	log_debug("hc", "quiet");
	assert_string_equal(caught, "");
	log_warn("hc", "loud");
	assert_string_equal(caught, "loud");
}

static void strangers_bytes_are_escaped(void **state)
{
	(void)state;
	log_info("api", "path \"%s\"", "a\nb\033[31m\x7f\xc3\xa9");
	assert_string_equal(caught, "path \"a\\x0ab\\x1b[31m\\x7f\\xc3\\xa9\"");
}

static void a_long_line_is_cut(void **state)
{
	static char text[100000];

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	log_info("api", "%s", text);
	assert_true(strlen(caught) > 100 && strlen(caught) < 2048);
}

static void errno_can_be_printed_and_is_kept(void **state)
{
	(void)state;
	errno = ENOENT;
	log_info("api", "opening: %m");
	assert_string_equal(caught, "opening: No such file or directory");
	assert_int_equal(errno, ENOENT);
}

static void level_names_read_back(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("Debug", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_LEVEL_DEBUG);
}

/* What reaches standard error for one log_info("hc", "up"). */
static void standard_error(char out[static 4096])
{
	int pipes[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	assert_true(dup2(pipes[1], STDERR_FILENO) >= 0);
	log_info("hc", "up");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(pipes[1]);
	n = read(pipes[0], out, 4095);
	close(pipes[0]);
	assert_true(n > 0);
	out[n] = '\0';
}

static void a_person_gets_a_time_stamp(void **state)
{
	static const char pattern[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
				      "\\.[0-9]{3}Z test: info hc: up\n$";
	char text[4096];
	regex_t re;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_open("test", LOG_LEVEL_INFO);
	standard_error(text);
	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED), 0);
	assert_int_equal(regexec(&re, text, 0, NULL, 0), 0);
	regfree(&re);
}

static void the_journal_gets_a_priority(void **state)
{
	char text[4096];

	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_open("test", LOG_LEVEL_INFO);
	unsetenv("JOURNAL_STREAM");
	standard_error(text);
	assert_string_equal(text, "<6>test: info hc: up\n");
}

static void a_long_name_is_cut_too(void **state)
{
	static char name[5000];
	char text[4096];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	log_open(name, LOG_LEVEL_INFO);
	standard_error(text);
	assert_true(strlen(text) < 2048);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_has_its_level, catch_lines, let_lines_go),
		cmocka_unit_test_setup_teardown(what_is_above_the_level_is_not_written, catch_lines,
						let_lines_go),
		cmocka_unit_test_setup_teardown(strangers_bytes_are_escaped, catch_lines,
						let_lines_go),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut, catch_lines, let_lines_go),
		cmocka_unit_test_setup_teardown(errno_can_be_printed_and_is_kept, catch_lines,
						let_lines_go),
		cmocka_unit_test(level_names_read_back),
		cmocka_unit_test(a_person_gets_a_time_stamp),
		cmocka_unit_test(the_journal_gets_a_priority),
		cmocka_unit_test(a_long_name_is_cut_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
