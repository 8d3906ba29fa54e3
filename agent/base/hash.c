/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/hash.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

/* In registers: it is most of what a lookup costs. */
__attribute__((always_inline)) static inline void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static uint64_t load_few(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, p, len);
	return le64toh(v);
}

uint64_t siphash24(const uint8_t key[static 16], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = load64(key);
	uint64_t k1 = load64(key + 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
			  k1 ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t m = load64(p);

		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
	}
	if (len)
		last |= load_few(p, len);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_id(const void *data, size_t len)
{
	static const uint8_t key[16] =
		"parasaus target"; /* never to be changed: ids are on disks */

	return siphash24(key, data, len);
}

static uint8_t table_key[16];
static pthread_once_t table_key_once = PTHREAD_ONCE_INIT;

static void make_table_key(void)
{
	if (getrandom(table_key, sizeof(table_key), 0) != (ssize_t)sizeof(table_key))
		abort();
}

uint64_t hash_table(const void *data, size_t len)
{
	pthread_once(&table_key_once, make_table_key);
	return siphash24(table_key, data, len);
}

uint64_t hash_table_str(const char *s)
{
	return hash_table(s, strlen(s));
}

uint64_t hash_table_u64(uint64_t v)
{
	return hash_table(&v, sizeof(v));
}

/* Bytewise with a table of the reflected polynomial 0x82f63b78. */
static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82f63b78 : c >> 1;
		crc_table[i] = c;
	}
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	pthread_once(&crc_once, make_crc_table);
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
		crc = crc_table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}
