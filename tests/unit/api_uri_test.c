/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uri.c: a request target, taken apart or refused. */
#include "agent/api/uri.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"

/* "a|b?x=1&y=" */
static void put_parts(const struct uri *u, struct buf *out)
{
	for (size_t i = 0; i < u->segment_count; i++)
		buf_printf(out, "%s%s", i ? "|" : "", u->segments[i]);
	for (size_t i = 0; i < u->param_count; i++)
		buf_printf(out, "%c%s=%s", i ? '&' : '?', u->params[i].name, u->params[i].value);
}

static void targets_are_taken_apart(void **state)
{
	static const struct {
		const char *target, *parts;
	} cases[] = {
		{ "/", "" },
		{ "/a/b", "a|b" },
		{ "/a/", "a|" },
		{ "//", "|" },
		{ "/a?x", "a?x=" },
		{ "/a?", "a" },
		{ "/a?x=1&y=2", "a?x=1&y=2" },
		{ "/a?&x=1&&", "a?x=1" },
		{ "/a?x=1=2", "a?x=1=2" },
		{ "/a?x=%31+%2B&%79=", "a?x=1 +&y=" },
		{ "/a%2Fb/c+d", "a/b|c+d" },
		{ "/a/../b", "a|..|b" }, /* no files here: dots are a name like any other */
		{ "http://host:80/a?x=1", "a?x=1" },
		{ "HTTP://host/", "" },
		{ "/%C3%A9", "\xc3\xa9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf parts = { 0 };
		struct uri u;
		struct err err;

		assert_int_equal(uri_parse(cases[i].target, &u, &err), 0);
		put_parts(&u, &parts);
		assert_string_equal(buf_cstr(&parts), cases[i].parts);
		buf_done(&parts);
	}
}

static void what_is_not_plainly_right_is_refused(void **state)
{
	static const struct {
		const char *target;
		int result;
		const char *says;
	} cases[] = {
		{ "", -EINVAL, "does not begin with '/'" },
		{ "a", -EINVAL, "does not begin with '/'" },
		{ "*", -EINVAL, "does not begin with '/'" },
		{ "http://host", -EINVAL, "no path" },
		{ "https://host/", -EINVAL, "does not begin with '/'" },
		{ "/a%", -EINVAL, "hexadecimal" },
		{ "/a%2", -EINVAL, "hexadecimal" },
		{ "/a%2g", -EINVAL, "hexadecimal" },
		{ "/a%00", -EINVAL, "control character 0x00" },
		{ "/a%0a", -EINVAL, "control character 0x0a" },
		{ "/a?x=%7f", -EINVAL, "control character 0x7f" },
		{ "/a#b", -EINVAL, "'#'" },
		{ "/a?x=1&x=2", -EINVAL, "'x' stands twice" },
		{ "/a?x=1&%78=2", -EINVAL, "'x' stands twice" },
		{ "/1/2/3/4/5/6/7/8/9", -E2BIG, "more than 8 segments" },
		{ "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q", -E2BIG, "more than 16" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct uri u;
		struct err err;

		assert_int_equal(uri_parse(cases[i].target, &u, &err), cases[i].result);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void the_length_has_a_bound(void **state)
{
	char target[REST_TARGET_MAX + 2];
	struct uri u;
	struct err err;

	(void)state;
	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[REST_TARGET_MAX] = '\0';
	assert_int_equal(uri_parse(target, &u, &err), 0);
	target[REST_TARGET_MAX] = 'a';
	target[REST_TARGET_MAX + 1] = '\0';
	assert_int_equal(uri_parse(target, &u, &err), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_are_taken_apart),
		cmocka_unit_test(what_is_not_plainly_right_is_refused),
		cmocka_unit_test(the_length_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
