/* SPDX-License-Identifier: GPL-2.0-or-later */
/* json_writer.c: whatever goes in, what comes out is JSON. */
#include "agent/api/json_writer.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/doc.h"

static void values_are_separated_and_nested(void **state)
{
	struct buf b = { 0 };
	struct json_writer j = { .out = &b };

	(void)state;
	json_put_object(&j, NULL);
	json_put_array(&j, "list");
	json_put_uint(&j, NULL, 0);
	json_put_uint(&j, NULL, UINT64_MAX);
	json_put_object(&j, NULL);
	json_end_object(&j);
	json_end_array(&j);
	json_put_int(&j, "negative", -7);
	json_put_bool(&j, "yes", true);
	json_put_text(&j, "none", NULL);
	json_put_seconds(&j, "seconds", 0.125);
	json_put_seconds(&j, "never", NAN);
	json_end_object(&j);
	assert_string_equal(buf_cstr(&b), "{\"list\":[0,18446744073709551615,{}],\"negative\":-7,"
					  "\"yes\":true,\"none\":null,\"seconds\":0.125000,"
					  "\"never\":null}");
	buf_done(&b);
}

static void times_are_rfc_3339(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 1, "\"1970-01-01T00:00:00.001Z\"" },
		{ INT64_C(1795316400123), "\"2026-11-22T03:00:00.123Z\"" },
		{ INT64_C(253402300799999), "\"9999-12-31T23:59:59.999Z\"" },
		{ INT64_C(253402300800000), "null" },
		{ INT64_MAX, "null" },
		{ 0, "null" },
		{ -5, "null" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = { 0 };
		struct json_writer j = { .out = &b };

		json_put_time(&j, NULL, cases[i].ms);
		assert_string_equal(buf_cstr(&b), cases[i].text);
		buf_done(&b);
	}
}

static void text_is_escaped_and_made_utf8(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "\"plain\"" },
		{ "", "\"\"" },
		{ "\"\\/", "\"\\\"\\\\/\"" },
		{ "a\tb\nc\rd\be\ff", "\"a\\tb\\nc\\rd\\be\\ff\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
		{ "\xc3\xa9 \xe4\xb8\xad \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe4\xb8\xad "
							    "\xf0\x9f\x98\x80\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "cut \xe4\xb8", "\"cut \xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },			/* overlong */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* surrogate */
		{ "\xf4\x90\x80\x80",
		  "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* beyond U+10FFFF */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doc_set set = { 0 };
		struct buf b = { 0 };
		struct json_writer j = { .out = &b };
		struct err err;

		json_put_text(&j, NULL, cases[i].in);
		assert_string_equal(buf_cstr(&b), cases[i].out);
		assert_int_equal(doc_read_json(b.data, b.len, &DOC_LIMITS_DEFAULT, &set, &err), 0);
		doc_set_done(&set);
		buf_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_separated_and_nested),
		cmocka_unit_test(times_are_rfc_3339),
		cmocka_unit_test(text_is_escaped_and_made_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
