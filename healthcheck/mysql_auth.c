/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native:  SHA1(p) xor SHA1(seed, SHA1(SHA1(p)))
 * sha2:    SHA256(p) xor SHA256(SHA256(SHA256(p)), seed)
 * ed25519: RFC 8032's signature of the seed, but for the secret key: MariaDB
 *          expands the password itself, of any length, where the RFC expands
 *          32 random bytes. So no library's sign function will do, and it is
 *          made of libsodium's arithmetic.
 */
#include "healthcheck/mysql_auth.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>
#include <string.h>

#define SHA1_LEN   20
#define SHA256_LEN 32
#define POINT	   crypto_core_ed25519_BYTES
#define SCALAR	   crypto_core_ed25519_SCALARBYTES
#define WIDE	   crypto_core_ed25519_NONREDUCEDSCALARBYTES

static const struct {
	const char *name;
	size_t seed, answer;
} plugins[] = {
	[HC_MYSQL_NATIVE] = { "mysql_native_password", 20, SHA1_LEN },
	[HC_MYSQL_SHA2] = { "caching_sha2_password", 20, SHA256_LEN },
	[HC_MYSQL_ED25519] = { "client_ed25519", 32, POINT + SCALAR },
	[HC_MYSQL_OTHER] = { "", 0, SHA1_LEN },
};

enum hc_mysql_plugin hc_mysql_plugin_parse(const char *name)
{
	enum hc_mysql_plugin p = HC_MYSQL_NATIVE;

	while (p < HC_MYSQL_OTHER && strcmp(name, plugins[p].name) != 0)
		p++;
	return p;
}

const char *hc_mysql_plugin_text(enum hc_mysql_plugin p)
{
	return plugins[p].name;
}

size_t hc_mysql_seed_len(enum hc_mysql_plugin p)
{
	return plugins[p].seed;
}

size_t hc_mysql_answer_len(enum hc_mysql_plugin p)
{
	return plugins[p].answer;
}

static bool hash(gnutls_digest_algorithm_t kind, const void *data, size_t len, uint8_t *out)
{
	return gnutls_hash_fast(kind, data, len, out) == 0;
}

/* Both scrambles are alike, but for the hash and which comes first, seed or hash. */
static bool scramble(gnutls_digest_algorithm_t kind, size_t len, bool seed_first,
		     const char *password, const uint8_t *seed, size_t seed_len, uint8_t *out)
{
	uint8_t once[SHA256_LEN], mixed[SHA256_LEN + HC_MYSQL_SEED_MAX], mask[SHA256_LEN];
	uint8_t *twice = seed_first ? mixed + seed_len : mixed;
	bool ok;

	memcpy(seed_first ? mixed : mixed + len, seed, seed_len);
	ok = hash(kind, password, strlen(password), once) && hash(kind, once, len, twice) &&
	     hash(kind, mixed, len + seed_len, mask);
	for (size_t i = 0; ok && i < len; i++)
		out[i] = once[i] ^ mask[i];
	explicit_bzero(once, sizeof(once));
	explicit_bzero(mixed, sizeof(mixed));
	return ok;
}

/* The hash of the parts as a number modulo the group's order. */
static void hash_to_scalar(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
			   const uint8_t *seed, uint8_t out[static SCALAR])
{
	crypto_hash_sha512_state h;
	uint8_t wide[WIDE];

	crypto_hash_sha512_init(&h);
	crypto_hash_sha512_update(&h, a, a_len);
	crypto_hash_sha512_update(&h, b, b_len);
	crypto_hash_sha512_update(&h, seed, plugins[HC_MYSQL_ED25519].seed);
	crypto_hash_sha512_final(&h, wide);
	crypto_core_ed25519_scalar_reduce(out, wide);
	explicit_bzero(&h, sizeof(h));
	explicit_bzero(wide, sizeof(wide));
}

struct expanded {
	uint8_t key[SCALAR]; /* a, clamped; then its second half, which makes r */
	uint8_t prefix[SCALAR];
};

static bool sign(const char *password, const uint8_t *seed, uint8_t out[static POINT + SCALAR])
{
	uint8_t a[POINT], r[SCALAR], k[SCALAR], wide[WIDE] = { 0 };
	struct expanded e;
	bool ok;

	crypto_hash_sha512((uint8_t *)&e, (const uint8_t *)password, strlen(password));
	e.key[0] &= 0xf8;
	e.key[31] = (uint8_t)((e.key[31] & 0x3f) | 0x40);
	hash_to_scalar(e.prefix, sizeof(e.prefix), NULL, 0, seed, r);
	ok = crypto_scalarmult_ed25519_base_noclamp(a, e.key) == 0 &&
	     crypto_scalarmult_ed25519_base_noclamp(out, r) == 0;
	/* S = r + H(R, A, seed) * a; a is reduced first, as it is above the order. */
	hash_to_scalar(out, POINT, a, POINT, seed, k);
	memcpy(wide, e.key, SCALAR);
	crypto_core_ed25519_scalar_reduce(e.key, wide);
	crypto_core_ed25519_scalar_mul(k, k, e.key);
	crypto_core_ed25519_scalar_add(out + POINT, r, k);
	explicit_bzero(&e, sizeof(e));
	explicit_bzero(r, sizeof(r));
	explicit_bzero(wide, sizeof(wide));
	return ok;
}

bool hc_mysql_answer(enum hc_mysql_plugin p, const char *password, const uint8_t *seed,
		     uint8_t out[static HC_MYSQL_ANSWER_MAX], size_t *out_len)
{
	*out_len = plugins[p].answer;
	switch (p) {
	case HC_MYSQL_NATIVE:
		if (!password[0]) {
			*out_len = 0;
			return true;
		}
		return scramble(GNUTLS_DIG_SHA1, SHA1_LEN, true, password, seed, plugins[p].seed,
				out);
	case HC_MYSQL_SHA2:
		if (!password[0]) {
			out[0] = 0;
			*out_len = 1;
			return true;
		}
		return scramble(GNUTLS_DIG_SHA256, SHA256_LEN, false, password, seed,
				plugins[p].seed, out);
	case HC_MYSQL_ED25519:
		return sign(password, seed, out);
	case HC_MYSQL_OTHER:
		break;
	}
	return false;
}
