/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mysql_auth.c: answers to a server's seed. The expected ones were worked out
 * from the definitions by another program; its Ed25519 gives RFC 8032's first
 * key, and for the password "secret" the public key that MariaDB's manual has.
 */
#include "healthcheck/mysql_auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SEED "abcdefghijklmnopqrstuvwxyzABCDEF"
#define XS50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void answers_are_those_of_the_definition(void **state)
{
	static const struct {
		enum hc_mysql_plugin plugin;
		const char *password, *answer;
	} cases[] = {
		{ HC_MYSQL_NATIVE, "secret", "8817c50fa779daef010ee7577825b0847df9842e" },
		{ HC_MYSQL_NATIVE, "", "" },
		{ HC_MYSQL_SHA2, "secret",
		  "c76e2898612a4cf042c77fa8c4702c4c64c0c2c557c53c4d75595aaa6abae809" },
		{ HC_MYSQL_SHA2, "", "00" },
		{ HC_MYSQL_ED25519, "secret",
		  "7d1e8d31fff63565bfeeaea4e5aa1f96b2a57d1d833419b485b4c5970e65aaf6"
		  "ac33befc7e980b3cd02d099b44d7d0be70815b1849bf57a11db92ba977be0d01" },
		{ HC_MYSQL_ED25519, "",
		  "1385d73f4b81fc5449af440d04f1eff9a27375204446da6c001bf539d571e207"
		  "e559dcd966a94b20198dd53e970ea291f369f1983b282aac891f2cfd99432d0f" },
		{ HC_MYSQL_ED25519, XS50 XS50 XS50 XS50,
		  "593d9983f2a6e0b8f2c9ca30d9a640fabbe7b02a54285bcb4c7f4f5f3f5deaed"
		  "10e9e8d68cfcaf6fd25c71274533d9113df9741e0aaee216ac82aace26c8800b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t answer[HC_MYSQL_ANSWER_MAX];
		char text[2 * HC_MYSQL_ANSWER_MAX + 1] = "";
		size_t len;

		assert_true(hc_mysql_answer(cases[i].plugin, cases[i].password,
					    (const uint8_t *)SEED, answer, &len));
		for (size_t k = 0; k < len; k++)
			snprintf(text + 2 * k, 3, "%02x", answer[k]);
		assert_string_equal(text, cases[i].answer);
	}
}

static void plugins_are_known_by_their_names(void **state)
{
	(void)state;
	for (enum hc_mysql_plugin p = HC_MYSQL_NATIVE; p < HC_MYSQL_OTHER; p++) {
		assert_int_equal(hc_mysql_plugin_parse(hc_mysql_plugin_text(p)), p);
		assert_in_range(hc_mysql_seed_len(p), 20, HC_MYSQL_SEED_MAX);
		assert_in_range(hc_mysql_answer_len(p), 20, HC_MYSQL_ANSWER_MAX);
	}
	/* Each of these would have the password itself, or is beyond us. */
	assert_int_equal(hc_mysql_plugin_parse("mysql_clear_password"), HC_MYSQL_OTHER);
	assert_int_equal(hc_mysql_plugin_parse("dialog"), HC_MYSQL_OTHER);
	assert_int_equal(hc_mysql_plugin_parse("sha256_password"), HC_MYSQL_OTHER);
	assert_int_equal(hc_mysql_plugin_parse(""), HC_MYSQL_OTHER);
}

static void a_plugin_that_is_not_ours_gets_no_answer(void **state)
{
	uint8_t answer[HC_MYSQL_ANSWER_MAX];
	size_t len;

	(void)state;
	assert_false(
		hc_mysql_answer(HC_MYSQL_OTHER, "secret", (const uint8_t *)SEED, answer, &len));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_those_of_the_definition),
		cmocka_unit_test(plugins_are_known_by_their_names),
		cmocka_unit_test(a_plugin_that_is_not_ours_gets_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
