/* SPDX-License-Identifier: GPL-2.0-or-later */
/* holder.c: whom the lists let in, by what his certificate says of him. */
#include "agent/api/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const editors[] = { "alice", "OU=ops", "both" };
static const char *const viewers[] = { "bob", "OU=dev", "both", "x=y" };
static const struct holder_rules rules = { editors, viewers, ARRAY_LEN(editors),
					   ARRAY_LEN(viewers) };

static struct subject person(const char *name, const char *unit)
{
	struct subject s = { 0 };

	strcpy(s.name, name);
	if (unit)
		strcpy(s.units[s.unit_count++], unit);
	return s;
}

static void a_list_lets_in_whom_it_names(void **state)
{
	static const struct {
		const char *name, *unit;
		enum holder_claim claim;
		enum token_role role;
	} cases[] = {
		{ "", NULL, HOLDER_NONE, TOKEN_VIEWER },
		{ "alice", NULL, HOLDER_KNOWN, TOKEN_EDITOR },
		{ "Alice", NULL, HOLDER_UNLISTED, TOKEN_VIEWER },
		{ "alice ", NULL, HOLDER_UNLISTED, TOKEN_VIEWER },
		{ "bob", NULL, HOLDER_KNOWN, TOKEN_VIEWER },
		{ "bob", "ops", HOLDER_KNOWN, TOKEN_EDITOR },
		{ "eve", "dev", HOLDER_KNOWN, TOKEN_VIEWER },
		{ "eve", "alice", HOLDER_UNLISTED, TOKEN_VIEWER },
		{ "both", NULL, HOLDER_KNOWN, TOKEN_EDITOR },
		{ "x=y", NULL, HOLDER_KNOWN, TOKEN_VIEWER },
		/* A name is no unit, whatever it looks like. */
		{ "OU=ops", NULL, HOLDER_UNLISTED, TOKEN_VIEWER },
		{ "ops", NULL, HOLDER_UNLISTED, TOKEN_VIEWER },
		{ "eve", "OU=ops", HOLDER_UNLISTED, TOKEN_VIEWER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct subject s = person(cases[i].name, cases[i].unit);
		struct holder h = holder_of(&rules, &s);

		if (h.claim != cases[i].claim || h.role != cases[i].role)
			fail_msg("'%s' of '%s'", cases[i].name, cases[i].unit);
	}
}

static void any_of_the_units_will_do(void **state)
{
	struct subject s = person("eve", "a");

	(void)state;
	while (s.unit_count < SUBJECT_UNITS_MAX)
		strcpy(s.units[s.unit_count++], "b");
	assert_int_equal(holder_of(&rules, &s).claim, HOLDER_UNLISTED);
	strcpy(s.units[SUBJECT_UNITS_MAX - 1], "ops");
	assert_int_equal(holder_of(&rules, &s).role, TOKEN_EDITOR);
}

static void without_lists_nobody_is_let_in(void **state)
{
	const struct subject s = person("alice", "ops");

	(void)state;
	assert_int_equal(holder_of(NULL, &s).claim, HOLDER_UNLISTED);
}

static void who_is_in_no_list_is_told_how_to_be(void **state)
{
	const struct subject s = person("eve", "it");
	struct holder h = holder_of(&rules, &s);
	struct buf b = { 0 };

	(void)state;
	holder_explain(&h, &b);
	assert_string_equal(buf_cstr(&b),
			    "the certificate is that of 'eve' of 'OU=it', who is in no list: put "
			    "'eve', or a unit as it stands here, into "
			    "api.clientCertificates.editors or .viewers");
	buf_done(&b);
}

static void names_have_bounds_and_are_text(void **state)
{
	static const struct {
		const char *s;
		size_t len;
		bool good;
	} cases[] = {
		{ "a", 1, true },
		{ "", 0, false },
		{ "a\0b", 3, false },
		{ "a\n", 2, false },
		{ "\x7f", 1, false },
		{ "\xc2\x85", 2, false },
		{ "\xc2\xa0", 2, true },
		{ "\xe5\xbc\xa0", 3, true },
		{ "\xe5\xbc\xa0", 2, false },
		{ "\xff", 1, false },
		{ "a\x1b[31m", 6, false },
		{ "uid=1,dc=\"x\"", 11, true },
	};
	char longest[SUBJECT_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (subject_name_is_good(cases[i].s, cases[i].len) != cases[i].good)
			fail_msg("case %zu", i);
	memset(longest, 'a', sizeof(longest));
	assert_true(subject_name_is_good(longest, SUBJECT_NAME_MAX));
	assert_false(subject_name_is_good(longest, sizeof(longest)));
}

static void an_item_of_a_list_is_a_name(void **state)
{
	(void)state;
	assert_null(holder_item_fault("alice"));
	assert_null(holder_item_fault("OU=ops"));
	assert_non_null(holder_item_fault(""));
	assert_non_null(holder_item_fault("OU="));
	assert_non_null(holder_item_fault("a\tb"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_lets_in_whom_it_names),
		cmocka_unit_test(any_of_the_units_will_do),
		cmocka_unit_test(without_lists_nobody_is_let_in),
		cmocka_unit_test(who_is_in_no_list_is_told_how_to_be),
		cmocka_unit_test(names_have_bounds_and_are_text),
		cmocka_unit_test(an_item_of_a_list_is_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
