/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buf.c: bytes that grow, and messages that are never read past their end. */
#include "agent/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_buffer_grows_as_it_is_filled(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	static const char piece[] = "0123456789";

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_put(&b, piece, 10);
	assert_int_equal(b.len, 100000);
	for (size_t i = 0; i < b.len; i++)
		assert_int_equal(b.data[i], '0' + i % 10);
}

static void nothing_added_is_nothing(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	buf_put(&b, NULL, 0);
	buf_str(&b, "");
	(void)buf_add(&b, 0);
	assert_int_equal(b.len, 0);
	assert_string_equal(buf_cstr(&b), "");
}

static void reset_keeps_the_memory(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const uint8_t *before;

	(void)state;
	buf_str(&b, "something");
	before = b.data;
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	buf_str(&b, "else");
	assert_ptr_equal(b.data, before);
	assert_string_equal(buf_cstr(&b), "else");
	buf_done(&b);
	assert_null(b.data);
	buf_done(&b);
}

static void reserved_memory_is_filled_without_a_move(void **state)
{
	struct buf b = { 0 };
	const uint8_t *at;

	(void)state;
	buf_reserve(&b, 5000);
	assert_int_equal(b.len, 0);
	at = b.data;
	for (int i = 0; i < 5000; i++)
		wire_put_u8(&b, 's');
	assert_ptr_equal(b.data, at);
	buf_wipe(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	buf_wipe(&b);
}

static void printf_adds_text_of_any_length(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char expected[1001];

	(void)state;
	buf_printf(&b, "%s:%u", "a", 7u);
	assert_int_equal(b.len, 3);
	buf_printf(&b, "%1000d", 5);
	assert_int_equal(b.len, 1003);
	memset(expected, ' ', 1000);
	expected[999] = '5';
	expected[1000] = '\0';
	assert_memory_equal(b.data, "a:7", 3);
	assert_string_equal(buf_cstr(&b) + 3, expected);
	assert_int_equal(b.len, 1003);
}

static void integers_are_little_endian(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	static const uint8_t expected[] = { 0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
					    0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	wire_put_u8(&b, 0x01);
	wire_put_u16(&b, 0x0203);
	wire_put_u32(&b, 0x04050607);
	wire_put_u64(&b, 0x08090a0b0c0d0e0f);
	wire_put_i64(&b, -1);
	assert_int_equal(b.len, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));
}

static void put_sample(struct buf *b)
{
	wire_put_u8(b, 200);
	wire_put_u16(b, 60000);
	wire_put_u32(b, 4000000000);
	wire_put_u64(b, UINT64_MAX);
	wire_put_i64(b, INT64_MIN);
	wire_put_str(b, "pool/web");
	wire_put_str(b, "");
	buf_put(b, "xyz", 3);
}

static void what_was_put_is_read_back(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char s[9], bytes[3];
	struct wire w;

	(void)state;
	put_sample(&b);
	w = wire_of(b.data, b.len);
	assert_int_equal(wire_u8(&w), 200);
	assert_int_equal(wire_u16(&w), 60000);
	assert_int_equal(wire_u32(&w), 4000000000);
	assert_true(wire_u64(&w) == UINT64_MAX);
	assert_true(wire_i64(&w) == INT64_MIN);
	wire_str(&w, s, sizeof(s)); /* just fits */
	assert_string_equal(s, "pool/web");
	wire_str(&w, s, 1);
	assert_string_equal(s, "");
	assert_false(wire_end(&w));
	wire_bytes(&w, bytes, sizeof(bytes));
	assert_memory_equal(bytes, "xyz", 3);
	assert_true(wire_end(&w));
}

static void a_message_cut_short_is_bad_and_gives_zeros(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_sample(&b);
	for (size_t len = 0; len < b.len; len++) {
		uint8_t *cut = len ? memcpy(malloc(len), b.data, len) : NULL;
		struct wire w = wire_of(cut, len);
		char s[16], bytes[3];

		(void)wire_u8(&w);
		(void)wire_u16(&w);
		(void)wire_u32(&w);
		(void)wire_u64(&w);
		(void)wire_i64(&w);
		wire_str(&w, s, sizeof(s));
		wire_str(&w, s, sizeof(s));
		wire_bytes(&w, bytes, sizeof(bytes));
		assert_true(w.bad);
		assert_false(wire_end(&w));
		assert_memory_equal(bytes, "\0\0\0", 3);
		assert_int_equal(wire_u8(&w), 0); /* and it stays bad */
		free(cut);
	}
}

static void what_is_left_over_is_no_end(void **state)
{
	static const uint8_t two[2] = { 1, 2 };
	struct wire w = wire_of(two, sizeof(two));

	(void)state;
	assert_int_equal(wire_u8(&w), 1);
	assert_false(w.bad);
	assert_false(wire_end(&w));
}

static void strings_are_bounded(void **state)
{
	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		size_t room;
		const char *want; /* NULL: bad */
	} cases[] = {
		{ "it fits", "\3\0abc", 5, 4, "abc" },
		{ "no room for the NUL", "\3\0abc", 5, 3, NULL },
		{ "a NUL inside", "\3\0a\0c", 5, 8, NULL },
		{ "longer than the message", "\4\0abc", 5, 8, NULL },
		{ "length cut in two", "\4", 1, 8, NULL },
		{ "empty", "\0\0", 2, 1, "" },
		{ "longest", "\377\377", 2, 70000, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *s = malloc(cases[i].room);
		struct wire w = wire_of(cases[i].bytes, cases[i].len);

		wire_str(&w, s, cases[i].room);
		if (w.bad != !cases[i].want || strcmp(s, cases[i].want ? cases[i].want : "") != 0)
			fail_msg("%s", cases[i].name);
		free(s);
	}
}

static void the_longest_string_goes_through(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	static char in[65536], out[65536];
	struct wire w;

	(void)state;
	memset(in, 'x', 65535);
	wire_put_str(&b, in);
	w = wire_of(b.data, b.len);
	wire_str(&w, out, sizeof(out));
	assert_true(wire_end(&w));
	assert_string_equal(in, out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_grows_as_it_is_filled),
		cmocka_unit_test(nothing_added_is_nothing),
		cmocka_unit_test(reset_keeps_the_memory),
		cmocka_unit_test(reserved_memory_is_filled_without_a_move),
		cmocka_unit_test(printf_adds_text_of_any_length),
		cmocka_unit_test(integers_are_little_endian),
		cmocka_unit_test(what_was_put_is_read_back),
		cmocka_unit_test(a_message_cut_short_is_bad_and_gives_zeros),
		cmocka_unit_test(what_is_left_over_is_no_end),
		cmocka_unit_test(strings_are_bounded),
		cmocka_unit_test(the_longest_string_goes_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
