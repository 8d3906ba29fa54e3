/* SPDX-License-Identifier: GPL-2.0-or-later */
/* value.c: one parser for each kind of value, whatever file it stands in. */
#include "agent/base/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct duration_case {
	const char *text;
	int result;
	uint32_t ms;
};

static void durations_are_seconds_or_have_a_unit(void **state)
{
	static const struct duration_case cases[] = {
		{ "2", 0, 2000 },
		{ "0.5", 0, 500 },
		{ "0.125", 0, 125 },
		{ "500ms", 0, 500 },
		{ "2s", 0, 2000 },
		{ "1.5s", 0, 1500 },
		{ "1m", 0, 60000 },
		{ "1.5m", 0, 90000 },
		{ "1h", 0, 3600000 },
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ ".5", -EINVAL, 0 },
		{ "1.", -EINVAL, 0 },
		{ "1.5ms", -EINVAL, 0 },
		{ "0.0005", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ "01", -EINVAL, 0 },
		{ "1 s", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1d", -EINVAL, 0 },
		{ "1S", -EINVAL, 0 },
		{ "1s1", -EINVAL, 0 },
		{ "5000000000ms", -ERANGE, 0 },
		{ "9999999999h", -ERANGE, 0 },
		{ "99999999999", -ERANGE, 0 },
		{ "18446744073709551617", -ERANGE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint32_t ms = 0;

		if (value_duration_ms(cases[i].text, 0, UINT32_MAX, &ms) != cases[i].result ||
		    ms != cases[i].ms)
			fail_msg("'%s' is read as %u ms", cases[i].text, ms);
	}
}

static void durations_have_bounds_that_are_included(void **state)
{
	uint32_t ms = 7;

	(void)state;
	assert_int_equal(value_duration_ms("99ms", 100, 60000, &ms), -ERANGE);
	assert_int_equal(value_duration_ms("60.001", 100, 60000, &ms), -ERANGE);
	assert_int_equal(ms, 7);
	assert_int_equal(value_duration_ms("0.1", 100, 60000, &ms), 0);
	assert_int_equal(ms, 100);
	assert_int_equal(value_duration_ms("1m", 100, 60000, &ms), 0);
	assert_int_equal(ms, 60000);
}

static void a_printed_duration_reads_back(void **state)
{
	static const uint32_t values[] = { 0,	  1,	 500,	  1000,	   1500,      60000,
					   90000, 61001, 3600000, 5400000, UINT32_MAX };
	char text[VALUE_DURATION_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		uint32_t ms = ~values[i];

		assert_int_equal(
			value_duration_ms(value_duration_text(values[i], text), 0, UINT32_MAX, &ms),
			0);
		assert_int_equal(ms, values[i]);
	}
	assert_string_equal(value_duration_text(500, text), "500ms");
	assert_string_equal(value_duration_text(90000, text), "90s");
	assert_string_equal(value_duration_text(300000, text), "5m");
	assert_string_equal(value_duration_text(0, text), "0s");
}

static void numbers_are_digits_alone(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", "01", "1.0", "1 ", " 1", "0x1", "1e1" };
	uint64_t n = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(value_uint(bad[i], 0, UINT64_MAX, &n), -EINVAL);
	assert_int_equal(value_uint("11", 1, 10, &n), -ERANGE);
	assert_int_equal(value_uint("0", 1, 10, &n), -ERANGE);
	assert_int_equal(value_uint("99999999999999999999", 0, UINT64_MAX, &n), -ERANGE);
	assert_int_equal(n, 7);
	assert_int_equal(value_uint("10", 1, 10, &n), 0);
	assert_int_equal(n, 10);
}

static void statuses_are_a_list_of_ranges(void **state)
{
	static const char *const good[] = { "200", "200-399", "200,301-302", "100-599",
					    "100,200,300,400,500,599,201-202,203" };
	static const char *const bad[] = { "",	   ",",	      "200,",	 ",200", "200-",
					   "-200", "399-200", "200 ,1",	 "301x", "200-300-400",
					   "020",  "200;300", "200 - 1", "abc",	 "200,,300" };
	static const char *const out_of_range[] = { "99", "600", "200-600", "2000",
						    "100,101,102,103,104,105,106,107,108" };
	struct check_status_range ranges[CHECK_EXPECT_MAX];
	unsigned n = 99;
	char text[VALUE_STATUSES_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (value_statuses(bad[i], ranges, &n) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(out_of_range); i++)
		assert_int_equal(value_statuses(out_of_range[i], ranges, &n), -ERANGE);
	assert_int_equal(n, 99);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(value_statuses(good[i], ranges, &n), 0);
		assert_string_equal(value_statuses_text(ranges, n, text), good[i]);
	}
}

static void a_path_and_a_host_cannot_carry_a_second_header(void **state)
{
	char long_path[CHECK_PATH_MAX + 2];

	(void)state;
	assert_true(value_is_http_path("/"));
	assert_true(value_is_http_path("/healthz?full=1&x=%20"));
	assert_false(value_is_http_path(""));
	assert_false(value_is_http_path("healthz"));
	assert_false(value_is_http_path("/a b"));
	assert_false(value_is_http_path("/a\r\nX: y"));
	assert_false(value_is_http_path("/a#b"));
	assert_false(value_is_http_path("/\xc3\xa4"));
	memset(long_path, 'a', sizeof(long_path));
	long_path[0] = '/';
	long_path[CHECK_PATH_MAX + 1] = '\0';
	assert_false(value_is_http_path(long_path));
	long_path[CHECK_PATH_MAX] = '\0';
	assert_true(value_is_http_path(long_path));

	assert_true(value_is_http_host("www.example.com"));
	assert_true(value_is_http_host("[2001:db8::1]:8080"));
	assert_false(value_is_http_host(""));
	assert_false(value_is_http_host("a b"));
	assert_false(value_is_http_host("a\r\nX: y"));
	assert_false(value_is_http_host("user@host"));

	assert_true(value_is_grpc_service("shop.v1.Cart"));
	assert_true(value_is_grpc_service("!~"));
	assert_false(value_is_grpc_service(""));
	assert_false(value_is_grpc_service("a b"));
	assert_false(value_is_grpc_service("a\x7f"));
}

static void the_nearest_word_is_offered_if_it_is_near(void **state)
{
	static const char *const words[] = { "node", "stateDirectory", "addressPools", "rr",
					     "wrr",  "interval",       "timeout",      "dr" };
	static const struct {
		const char *word;
		const char *want;
	} cases[] = {
		{ "nodes", "node" },
		{ "statedirectory", "stateDirectory" },
		{ "stateDirectroy", "stateDirectory" },
		{ "adressPool", "addressPools" },
		{ "intervall", "interval" },
		{ "wrrr", "wrr" },
		{ "xy", NULL },
		{ "up", NULL },
		{ "", NULL },
		{ "colour", NULL },
		{ "a word that is far too long to be any of these", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = value_nearest(cases[i].word, words, ARRAY_LEN(words));

		if (!got || !cases[i].want)
			assert_ptr_equal(got, cases[i].want);
		else
			assert_string_equal(got, cases[i].want);
	}
}

static void a_word_is_one_of_the_choice(void **state)
{
	static const struct value_word items[] = { { "nat", 4 }, { "dr", 5 }, { "tunnel", 6 } };
	static const struct value_words words = VALUE_WORDS(items);
	CLEANUP(buf_done) struct buf b = { 0 };
	uint32_t v = 7;

	(void)state;
	assert_int_equal(value_word(&words, "NAT", &v), -EINVAL);
	assert_int_equal(value_word(&words, "", &v), -EINVAL);
	assert_int_equal(v, 7);
	assert_int_equal(value_word(&words, "dr", &v), 0);
	assert_int_equal(v, 5);
	assert_string_equal(value_word_text(&words, 6), "tunnel");
	assert_string_equal(value_word_text(&words, 9), "?");

	value_words_hint(&words, "masquerade", &b);
	assert_string_equal(buf_cstr(&b), "nat, dr or tunnel");
	buf_reset(&b);
	value_words_hint(&words, "tunel", &b);
	assert_string_equal(buf_cstr(&b), "nat, dr or tunnel. Did you mean 'tunnel'?");
}

static void a_secret_is_named_by_namespace_and_name(void **state)
{
	static const char *const good[] = { "a/b", "db/mysql-check", "team-1/a.b-c.d", "0/9" };
	static const char *const bad[] = { "",	     "a",      "/",	 "a/",	  "/b",
					   "a/b/c",  "a.b/c",  "A/b",	 "a/B",	  "-a/b",
					   "a-/b",   "a/-b",   "a/b-",	 "a/.b",  "a/b.",
					   "a/b..c", "a/b.-c", "a/b-.c", "a/b c", "a/b\n" };
	char longest[400] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!value_is_secret_name(good[i]))
			fail_msg("'%s' is refused", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (value_is_secret_name(bad[i]))
			fail_msg("'%s' is taken", bad[i]);
	}
	memset(longest, 'a', CHECK_SECRET_MAX);
	longest[63] = '/';
	assert_false(value_is_secret_name(longest));
	memcpy(longest + CHECK_SECRET_MAX - 3, "@15", 3);
	assert_true(value_is_secret_name(longest));
	memset(longest, 'a', 64);
	longest[64] = '/';
	assert_false(value_is_secret_name(longest));
}

static void assert_bytes(const char *text, const char *want, size_t len)
{
	uint8_t out[CHECK_BYTES_MAX];
	size_t n = 0;

	assert_int_equal(value_bytes(text, out, &n), 0);
	assert_int_equal(n, len);
	assert_memory_equal(out, want, len);
}

static void bytes_are_written_as_in_c(void **state)
{
	static const char *const bad[] = { "",	   "\\",    "a\\",   "\\a",  "\\x",
					   "\\x1", "\\xg1", "\\x1g", "a\tb", "\x7f" };
	char longest[CHECK_BYTES_TEXT_MAX + 5] = "";
	uint8_t out[CHECK_BYTES_MAX] = { 7 };
	size_t n = 99;

	(void)state;
	assert_bytes("PING\\r\\n", "PING\r\n", 6);
	assert_bytes("\\0\\t\\\\\\x00\\xfF", "\0\t\\\0\xff", 5);
	assert_bytes("\xc3\xa4 x", "\xc3\xa4 x", 4);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(value_bytes(bad[i], out, &n), -EINVAL);
	for (size_t i = 0; i < CHECK_BYTES_MAX; i++)
		memcpy(longest + 4 * i, "\\x41", 4);
	assert_int_equal(n, 99);
	assert_int_equal(out[0], 7);
	assert_int_equal(value_bytes(longest, out, &n), 0);
	assert_int_equal(n, CHECK_BYTES_MAX);
	memcpy(longest + CHECK_BYTES_TEXT_MAX, "\\x41", 4);
	assert_int_equal(value_bytes(longest, out, &n), -ERANGE);
}

static void roles_and_tls_have_words(void **state)
{
	uint32_t v = 9;

	(void)state;
	assert_int_equal(value_check_roles.count, CHECK_ROLE_GALERA + 1);
	for (uint32_t want = 0; want <= CHECK_ROLE_GALERA; want++) {
		assert_int_equal(value_word(&value_check_roles,
					    value_word_text(&value_check_roles, want), &v),
				 0);
		assert_int_equal(v, want);
	}
	assert_int_equal(value_check_tls.count, CHECK_TLS_REQUIRED + 1);
	for (uint32_t want = 0; want <= CHECK_TLS_REQUIRED; want++) {
		assert_int_equal(
			value_word(&value_check_tls, value_word_text(&value_check_tls, want), &v),
			0);
		assert_int_equal(v, want);
	}
	assert_int_equal(value_word(&value_check_roles, "writer", &v), 0);
	assert_int_equal(v, CHECK_ROLE_WRITER);
	assert_int_equal(value_word(&value_check_tls, "required", &v), 0);
	assert_int_equal(v, CHECK_TLS_REQUIRED);
}

static void names_of_domains(void **state)
{
	uint8_t out[CHECK_DNS_WIRE_MAX];
	char longest[CHECK_DNS_NAME_MAX + 2];
	static const char *const bad[] = { "",	    "..",  ".a", "a..b",  "a b",
					   "a.b..", "a/b", "*",	 "a\\.b", "\xc3\xa4" };
	size_t n = 0;

	(void)state;
	assert_int_equal(value_dns_name(".", out, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(out[0], 0);
	for (int dot = 0; dot < 2; dot++) {
		assert_int_equal(value_dns_name(dot ? "_a-1.B." : "_a-1.B", out, &n), 0);
		assert_int_equal(n, 8);
		assert_memory_equal(out, "\4_a-1\1B", 8);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(value_dns_name(bad[i], out, &n), -EINVAL);
	assert_int_equal(n, 8);
	memset(longest, 'a', sizeof(longest));
	longest[64] = '\0';
	assert_int_equal(value_dns_name(longest, out, &n), -ERANGE);
	longest[63] = longest[64] = longest[127] = longest[191] = '.';
	longest[64] = 'a';
	longest[253] = '\0';
	assert_int_equal(value_dns_name(longest, out, &n), 0);
	assert_int_equal(n, CHECK_DNS_WIRE_MAX);
	longest[253] = 'a';
	longest[254] = '\0';
	assert_int_equal(value_dns_name(longest, out, &n), -ERANGE);
}

static void rcodes_are_a_list_of_words(void **state)
{
	static const char *const bad[] = { "",
					   "NOERROR,",
					   ",NOERROR",
					   "noerror",
					   "0",
					   "NOERROR NXDOMAIN",
					   "NOERRORNOERRORNOERROR" };
	char text[VALUE_RCODES_TEXT_MAX];
	struct buf name = { 0 };
	uint16_t rcodes = 0;

	(void)state;
	assert_int_equal(value_dns_rcodes("NXDOMAIN,NOERROR,NXDOMAIN", &rcodes), 0);
	assert_int_equal(rcodes, 9);
	assert_string_equal(value_dns_rcodes_text(rcodes, text), "NOERROR,NXDOMAIN");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(value_dns_rcodes(bad[i], &rcodes), -EINVAL);
	assert_int_equal(rcodes, 9);
	assert_int_equal(
		value_dns_rcodes(value_dns_rcodes_text(value_dns_rcodes_all(), text), &rcodes), 0);
	assert_int_equal(rcodes, value_dns_rcodes_all());
	value_dns_rcode_put(&name, 5);
	value_dns_rcode_put(&name, 6);
	assert_string_equal(buf_cstr(&name), "REFUSEDRCODE 6");
	buf_done(&name);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_domains),
		cmocka_unit_test(rcodes_are_a_list_of_words),
		cmocka_unit_test(durations_are_seconds_or_have_a_unit),
		cmocka_unit_test(durations_have_bounds_that_are_included),
		cmocka_unit_test(a_printed_duration_reads_back),
		cmocka_unit_test(numbers_are_digits_alone),
		cmocka_unit_test(statuses_are_a_list_of_ranges),
		cmocka_unit_test(a_path_and_a_host_cannot_carry_a_second_header),
		cmocka_unit_test(a_word_is_one_of_the_choice),
		cmocka_unit_test(a_secret_is_named_by_namespace_and_name),
		cmocka_unit_test(bytes_are_written_as_in_c),
		cmocka_unit_test(roles_and_tls_have_words),
		cmocka_unit_test(the_nearest_word_is_offered_if_it_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
