/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/postgresql_auth.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/value.h"

#define MD5_LEN	  16
#define SAID_MAX  512 /* of what a server says */
#define SALT_MAX  64
#define NO_HEADER "n,,"
#define HEADER_64 "biws" /* the same in base 64 */

static void hex(const uint8_t in[MD5_LEN], char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < MD5_LEN; i++) {
		out[2 * i] = digits[in[i] >> 4];
		out[2 * i + 1] = digits[in[i] & 15];
	}
}

/* md5(a, b) in digits. */
static bool md5_of(const void *a, size_t a_len, const void *b, size_t b_len, char *out)
{
	CLEANUP(buf_wipe) struct buf both = { 0 };
	uint8_t digest[MD5_LEN];

	buf_reserve(&both, a_len + b_len);
	buf_put(&both, a, a_len);
	buf_put(&both, b, b_len);
	if (gnutls_hash_fast(GNUTLS_DIG_MD5, both.data, both.len, digest) < 0)
		return false;
	hex(digest, out);
	return true;
}

bool hc_pg_md5(const char *username, const char *password, const uint8_t salt[HC_PG_SALT_LEN],
	       char out[HC_PG_MD5_LEN])
{
	static const char prefix[] = { 'm', 'd', '5' };
	char inner[2 * MD5_LEN];

	memcpy(out, prefix, sizeof(prefix));
	return md5_of(password, strlen(password), username, strlen(username), inner) &&
	       md5_of(inner, sizeof(inner), salt, HC_PG_SALT_LEN, out + sizeof(prefix));
}

void hc_scram_init(struct hc_scram *s, const uint8_t *random)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	*s = (struct hc_scram){ .nonce = "" };
	for (size_t i = 0; i < HC_SCRAM_NONCE; i++)
		s->nonce[i] = letters[random[i] & 63];
}

/* The name is that of the startup message; the server does not look at it here. */
void hc_scram_first(const struct hc_scram *s, struct buf *out)
{
	buf_printf(out, NO_HEADER "n=,r=%s", s->nonce);
}

static bool put_base64(struct buf *b, const uint8_t *data, size_t len)
{
	const gnutls_datum_t in = { (uint8_t *)(uintptr_t)data, (unsigned)len };
	gnutls_datum_t out;

	if (gnutls_base64_encode2(&in, &out) < 0)
		return false;
	buf_put(b, out.data, out.size);
	gnutls_free(out.data);
	return true;
}

/* Into at most `max` bytes; 0: it is none, or longer. */
static size_t read_base64(const char *text, size_t len, uint8_t *out, size_t max)
{
	const gnutls_datum_t in = { (uint8_t *)(uintptr_t)text, (unsigned)len };
	gnutls_datum_t bytes;
	size_t n = 0;

	if (len == 0 || gnutls_base64_decode2(&in, &bytes) < 0)
		return 0;
	if (bytes.size <= max) {
		n = bytes.size;
		memcpy(out, bytes.data, n);
	}
	gnutls_free(bytes.data);
	return n;
}

struct first {
	const char *salt;
	size_t nonce_len, salt_len;
	uint64_t iterations;
};

/* "r=NONCE,s=SALT,i=ITERATIONS", perhaps with more behind it; ours is the nonce's beginning. */
static int read_first(const struct hc_scram *s, const char *text, struct first *f)
{
	const char *salt = strstr(text, ",s="), *iterations = strstr(text, ",i=");
	char number[8] = "";
	size_t len;

	if (strncmp(text, "r=", 2) != 0 || !salt || !iterations || iterations < salt)
		return -EINVAL;
	f->nonce_len = (size_t)(salt - text) - 2;
	f->salt = salt + 3;
	f->salt_len = (size_t)(iterations - f->salt);
	len = strcspn(iterations + 3, ",");
	if (f->nonce_len <= HC_SCRAM_NONCE || memcmp(text + 2, s->nonce, HC_SCRAM_NONCE) != 0)
		return -EINVAL;
	if (len >= sizeof(number))
		return -ERANGE;
	memcpy(number, iterations + 3, len);
	return value_uint(number, HC_SCRAM_ITERATIONS_MIN, HC_SCRAM_ITERATIONS_MAX, &f->iterations);
}

static bool hmac(const uint8_t *key, const void *text, size_t len, uint8_t *out)
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, HC_SCRAM_HASH, text, len, out) == 0;
}

static bool salted_password(const char *password, const struct first *f, uint8_t *out)
{
	uint8_t salt[SALT_MAX];
	size_t len = read_base64(f->salt, f->salt_len, salt, sizeof(salt));
	const gnutls_datum_t key = { (uint8_t *)(uintptr_t)password, (unsigned)strlen(password) };
	const gnutls_datum_t salted = { salt, (unsigned)len };

	return len > 0 && gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &salted, (unsigned)f->iterations,
					out, HC_SCRAM_HASH) == 0;
}

/* The proof, from the salted password and all that was said; s learns the server's. */
static bool prove(struct hc_scram *s, const uint8_t *salted, const struct buf *all, uint8_t *proof)
{
	uint8_t client[HC_SCRAM_HASH], stored[HC_SCRAM_HASH], server[HC_SCRAM_HASH];
	bool ok = hmac(salted, "Client Key", 10, client) &&
		  gnutls_hash_fast(GNUTLS_DIG_SHA256, client, sizeof(client), stored) == 0 &&
		  hmac(stored, all->data, all->len, proof) &&
		  hmac(salted, "Server Key", 10, server) &&
		  hmac(server, all->data, all->len, s->server);

	for (size_t i = 0; ok && i < HC_SCRAM_HASH; i++)
		proof[i] ^= client[i];
	explicit_bzero(client, sizeof(client));
	explicit_bzero(server, sizeof(server));
	return ok;
}

int hc_scram_proof(struct hc_scram *s, const char *password, const uint8_t *said, size_t len,
		   struct buf *out)
{
	CLEANUP(buf_done) struct buf all = { 0 };
	CLEANUP(buf_done) struct buf last = { 0 };
	uint8_t salted[HC_SCRAM_HASH], proof[HC_SCRAM_HASH];
	char text[SAID_MAX + 1];
	struct first f;
	bool ok;
	int r;

	if (len > SAID_MAX || memchr(said, '\0', len))
		return -EINVAL;
	memcpy(text, said, len);
	text[len] = '\0';
	r = read_first(s, text, &f);
	if (r < 0)
		return r;
	buf_printf(&last, "c=" HEADER_64 ",r=%.*s", (int)f.nonce_len, text + 2);
	buf_printf(&all, "n=,r=%s,%s,%s", s->nonce, text, buf_cstr(&last));
	ok = salted_password(password, &f, salted) && prove(s, salted, &all, proof);
	explicit_bzero(salted, sizeof(salted));
	buf_str(&last, ",p=");
	if (!ok || !put_base64(&last, proof, sizeof(proof)))
		return -EINVAL;
	buf_put(out, last.data, last.len);
	return 0;
}

bool hc_scram_is_server(const struct hc_scram *s, const uint8_t *said, size_t len)
{
	uint8_t proof[HC_SCRAM_HASH];
	const char *text = (const char *)said;

	return len > 2 && len <= SAID_MAX && memcmp(text, "v=", 2) == 0 &&
	       read_base64(text + 2, len - 2, proof, sizeof(proof)) == sizeof(proof) &&
	       gnutls_memcmp(proof, s->server, sizeof(proof)) == 0;
}
