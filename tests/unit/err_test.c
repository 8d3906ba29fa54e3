/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err.c: a sentence that says where, then what. */
#include "agent/base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void context_goes_in_front(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, -ERANGE, "port %d is above 65535", 70000), -ERANGE);
	assert_int_equal(err_wrap(&err, -ERANGE, "line %d", 7), -ERANGE);
	assert_int_equal(err_wrap(&err, -EINVAL, "reading %s", "web.yaml"), -EINVAL);
	assert_string_equal(err.text, "reading web.yaml: line 7: port 70000 is above 65535");
	assert_int_equal(err.code, -EINVAL);
}

static void a_code_alone_is_put_into_words(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_wrap(&err, -ENOENT, "opening %s", "x"), -ENOENT);
	assert_string_equal(err.text, "opening x: No such file or directory");
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, -EIO, "%s", "lost"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "%s", "lost"), -EIO);
}

static void long_texts_are_cut(void **state)
{
	struct err err = { 0 };
	char longer[2 * ERR_TEXT_MAX];

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, -EIO, "%s", longer);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	err_wrap(&err, -EIO, "reading");
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_memory_equal(err.text, "reading: xxx", 12);
	err_wrap(&err, -EIO, "%s", longer);
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(a_code_alone_is_put_into_words),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
