/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hash.c, beside published values: ids and checksums are on disks. */
#include "agent/base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/attr.h"

/* Of the reference implementation: key 00..0f, message 00..(n - 1). */
static void siphash_is_the_published_one(void **state)
{
	static const struct {
		size_t len;
		uint64_t hash;
	} cases[] = {
		{ 0, 0x726fdb47dd0e0e31 },  { 1, 0x74f839c593dc67fd },	{ 2, 0x0d6c8009d9a94f5a },
		{ 7, 0xab0200f58b01d137 },  { 8, 0x93f5f5799a932462 },	{ 9, 0x9e0082df0ba9e4b0 },
		{ 15, 0xa129ca6149be45e5 }, { 63, 0x958a324ceb064572 },
	};
	uint8_t key[16], message[64];

	(void)state;
	for (uint8_t i = 0; i < 64; i++)
		message[i] = i;
	memcpy(key, message, sizeof(key));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(siphash24(key, message, cases[i].len) == cases[i].hash);
}

static void ids_never_change(void **state)
{
	(void)state;
	assert_true(hash_id("", 0) == 0xc34ebab1c86662ab);
	assert_true(hash_id("10.0.0.1:80", 11) == 0x979a7677aa7e2ab4);
}

static void table_hashes_are_the_same_within_a_process(void **state)
{
	(void)state;
	assert_true(hash_table("web", 3) == hash_table_str("web"));
	assert_true(hash_table_str("web") != hash_table_str("wec"));
	assert_true(hash_table_str("") != hash_id("", 0));
}

/* RFC 3720, appendix B.4, and the usual check value. */
static void crc32c_is_the_published_one(void **state)
{
	uint8_t bytes[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, "", 0), 0);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, 32), 0x62a8ab43);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i] = i;
	assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
}

static void crc32c_can_be_taken_in_pieces(void **state)
{
	(void)state;
	for (size_t cut = 0; cut <= 9; cut++)
		assert_int_equal(crc32c(crc32c(0, "123456789", cut), &"123456789"[cut], 9 - cut),
				 0xe3069283);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_is_the_published_one),
		cmocka_unit_test(ids_never_change),
		cmocka_unit_test(table_hashes_are_the_same_within_a_process),
		cmocka_unit_test(crc32c_is_the_published_one),
		cmocka_unit_test(crc32c_can_be_taken_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
