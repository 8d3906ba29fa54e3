/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"

#define DAY_MS	     (86400 * INT64_C(1000))
#define HASH_BYTES   32
#define SERIAL_BYTES 16

static int fault(struct err *err, int code, const char *what)
{
	return err_set(err, -EINVAL, "%s: %s", what, gnutls_strerror(code));
}

/* --- what one says ---------------------------------------------------------------- */

static void free_crt(gnutls_x509_crt_t *crt)
{
	if (*crt)
		gnutls_x509_crt_deinit(*crt);
}

static void free_key(gnutls_x509_privkey_t *key)
{
	if (*key)
		gnutls_x509_privkey_deinit(*key);
}

static int read_crt(const char *pem, size_t len, gnutls_x509_crt_t *out)
{
	const gnutls_datum_t d = { (unsigned char *)(uintptr_t)pem, (unsigned)len };
	int r = gnutls_x509_crt_init(out);

	return r < 0 ? r : gnutls_x509_crt_import(*out, &d, GNUTLS_X509_FMT_PEM);
}

static int fingerprint_of(gnutls_x509_crt_t crt, char out[static CERTIFICATE_FINGERPRINT_MAX])
{
	unsigned char hash[HASH_BYTES];
	size_t size = sizeof(hash);
	int r = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, hash, &size);

	for (size_t i = 0; r == 0 && i < size; i++)
		snprintf(out + 3 * i, 4, "%02X%s", hash[i], i + 1 < size ? ":" : "");
	return r;
}

int certificate_look(const char *pem, size_t len, struct certificate_facts *out, struct err *err)
{
	CLEANUP(free_crt) gnutls_x509_crt_t crt = NULL;
	int r = read_crt(pem, len, &crt);

	*out = (struct certificate_facts){ 0 };
	if (r == 0)
		r = fingerprint_of(crt, out->fingerprint);
	if (r < 0)
		return fault(err, r, "no certificate in PEM");
	out->not_after_ms = (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000;
	return 0;
}

/* --- a new one -------------------------------------------------------------------- */

/* The address that a name is; 0: it is none, else its bytes. */
static unsigned address_of(const char *name, unsigned char out[static 16])
{
	char text[INET6_ADDRSTRLEN] = "";
	size_t len = strlen(name);

	if (inet_pton(AF_INET, name, out) == 1)
		return 4;
	if (*name != '[' || len < 3 || len - 2 >= sizeof(text))
		return 0;
	memcpy(text, name + 1, len - 2);
	return inet_pton(AF_INET6, text, out) == 1 ? 16 : 0;
}

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
	unsigned char address[16];
	unsigned len = address_of(name, address);

	return gnutls_x509_crt_set_subject_alt_name(
		crt, len ? GNUTLS_SAN_IPADDRESS : GNUTLS_SAN_DNSNAME, len ? (void *)address : name,
		len ? len : (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

/* The first failure stays in *r and makes the rest do nothing. */
static void step(int *r, int result)
{
	if (*r == 0 && result < 0)
		*r = result;
}

static int fill_crt(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *const *names,
		    int64_t now_ms)
{
	unsigned char serial[SERIAL_BYTES];
	/* A common name has 64 characters at most; what counts are the others. */
	size_t len = strlen(names[0]) < 64 ? strlen(names[0]) : 64;
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));

	serial[0] &= 0x7f;
	serial[0] |= 0x40;
	step(&r, gnutls_x509_crt_set_version(crt, 3));
	step(&r, gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
	step(&r, gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, names[0],
					       (unsigned)len));
	for (; *names; names++)
		step(&r, add_name(crt, *names));
	step(&r, gnutls_x509_crt_set_activation_time(crt, (time_t)((now_ms - DAY_MS) / 1000)));
	step(&r, gnutls_x509_crt_set_expiration_time(
			 crt, (time_t)((now_ms + (CERTIFICATE_DAYS - 1) * DAY_MS) / 1000)));
	step(&r, gnutls_x509_crt_set_basic_constraints(crt, 0, -1));
	step(&r, gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	step(&r, gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	step(&r, gnutls_x509_crt_set_key(crt, key));
	step(&r, gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0));
	return r;
}

static void put_and_wipe(struct buf *out, gnutls_datum_t *d)
{
	buf_put(out, d->data, d->size);
	gnutls_memset(d->data, 0, d->size);
	gnutls_free(d->data);
}

static int export_pair(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, struct buf *out)
{
	gnutls_datum_t c, k;
	int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &c);

	if (r < 0)
		return r;
	r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &k);
	/* So that growing leaves no part of the key behind. */
	if (r == 0)
		buf_reserve(out, c.size + k.size + 1);
	put_and_wipe(out, &c);
	if (r == 0)
		put_and_wipe(out, &k);
	return r;
}

int certificate_make(const char *const *names, int64_t now_ms, struct buf *out, struct err *err)
{
	CLEANUP(free_crt) gnutls_x509_crt_t crt = NULL;
	CLEANUP(free_key) gnutls_x509_privkey_t key = NULL;
	int r = gnutls_x509_privkey_init(&key);

	step(&r, r == 0 ? gnutls_x509_crt_init(&crt) : 0);
	if (r == 0)
		r = gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r == 0)
		r = fill_crt(crt, key, names, now_ms);
	if (r == 0)
		r = export_pair(crt, key, out);
	return r < 0 ? fault(err, r, "no certificate can be made") : 0;
}

/* --- and its file ----------------------------------------------------------------- */

static bool has_name(gnutls_x509_crt_t crt, const char *name)
{
	unsigned char address[16];
	unsigned len = address_of(name, address);

	return len ? gnutls_x509_crt_check_ip(crt, address, len, 0)
		   : gnutls_x509_crt_check_hostname2(crt, name,
						     GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS);
}

static bool belong_together(gnutls_x509_crt_t crt, const struct buf *pem)
{
	CLEANUP(free_key) gnutls_x509_privkey_t key = NULL;
	const gnutls_datum_t d = { pem->data, (unsigned)pem->len };
	unsigned char of_crt[HASH_BYTES], of_key[HASH_BYTES];
	size_t a = sizeof(of_crt), b = sizeof(of_key);

	return gnutls_x509_privkey_init(&key) == 0 &&
	       gnutls_x509_privkey_import(key, &d, GNUTLS_X509_FMT_PEM) == 0 &&
	       gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, of_crt, &a) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &b) == 0 &&
	       a == b && memcmp(of_crt, of_key, a) == 0;
}

static bool is_good(const struct buf *pem, const char *const *names, int64_t now_ms)
{
	CLEANUP(free_crt) gnutls_x509_crt_t crt = NULL;
	int64_t renew_ms = now_ms + CERTIFICATE_RENEW_DAYS * DAY_MS;

	if (read_crt((const char *)pem->data, pem->len, &crt) < 0 || !belong_together(crt, pem) ||
	    (int64_t)gnutls_x509_crt_get_expiration_time(crt) * 1000 < renew_ms)
		return false;
	for (; *names; names++)
		if (!has_name(crt, *names))
			return false;
	return true;
}

int certificate_own(const char *path, const char *const *names, int64_t now_ms, struct buf *out,
		    struct err *err)
{
	struct err ignored = { 0 };
	int r;

	if (file_read(path, CERTIFICATE_BYTES_MAX, out, &ignored) == 0 && out->len &&
	    is_good(out, names, now_ms))
		return 0;
	buf_wipe(out);
	r = certificate_make(names, now_ms, out, err);
	return r < 0 ? r : file_write(path, out->data, out->len, err);
}
