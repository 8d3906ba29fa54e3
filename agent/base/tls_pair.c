/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/tls_pair.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX		 64
#define RSA_EXPONENT_MAX 8 /* bytes; all in use are 65537 */

struct pair {
	gnutls_x509_crt_t *chain; /* its own first */
	unsigned count;
	gnutls_x509_privkey_t key; /* NULL: none */
};

static void pair_done(struct pair *p)
{
	for (unsigned i = 0; i < p->count; i++)
		gnutls_x509_crt_deinit(p->chain[i]);
	gnutls_free(p->chain);
	if (p->key)
		gnutls_x509_privkey_deinit(p->key);
}

static gnutls_datum_t datum_of(const char *pem)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
}

static void wipe(gnutls_datum_t *d)
{
	if (d->data)
		explicit_bzero(d->data, d->size);
	gnutls_free(d->data);
}

/* Not both at once by gnutls_certificate_set_x509_key_mem2(), which leaks some that it refuses. */
static bool read_chain(struct pair *p, const char *pem)
{
	const gnutls_datum_t text = datum_of(pem);
	int r = gnutls_x509_crt_list_import2(&p->chain, &p->count, &text, GNUTLS_X509_FMT_PEM, 0);

	if (r < 0) {
		p->chain = NULL;
		p->count = 0;
	}
	return p->count > 0;
}

/* --- whether a key is to be read at all ----------------------------------------------- */

struct der {
	const unsigned char *at, *end;
};

/* Steps into a value with this tag, of a definite length in its shortest form. */
static bool der_enter(struct der *d, unsigned char tag, struct der *in)
{
	size_t len, bytes = 0;

	if (d->end - d->at < 2 || d->at[0] != tag)
		return false;
	len = d->at[1];
	d->at += 2;
	if (len > 0x80) {
		bytes = len & 0x7f;
		if (bytes > 2 || (size_t)(d->end - d->at) < bytes || d->at[0] == 0)
			return false;
		len = bytes == 1 ? d->at[0] : (size_t)d->at[0] << 8 | d->at[1];
		d->at += bytes;
	}
	if ((bytes == 0 && len == 0x80) || (bytes == 1 && len < 0x80) ||
	    len > (size_t)(d->end - d->at))
		return false;
	*in = (struct der){ d->at, d->at + len };
	d->at += len;
	return true;
}

/* The algorithms' identifiers: RFC 8017, RFC 5480, RFC 8410. */
static const struct {
	unsigned char size, bytes[9];
} algorithms[] = {
	{ 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01 } }, /* rsaEncryption */
	{ 9, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a } }, /* id-RSASSA-PSS */
	{ 7, { 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01 } },		 /* id-ecPublicKey */
	{ 3, { 0x2b, 0x65, 0x70 } },					 /* id-Ed25519 */
	{ 3, { 0x2b, 0x65, 0x71 } },					 /* id-Ed448 */
};

static bool is_one_of_ours(const struct der *oid)
{
	const size_t size = (size_t)(oid->end - oid->at);

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
		if (size == algorithms[i].size && memcmp(oid->at, algorithms[i].bytes, size) == 0)
			return true;
	}
	return false;
}

static bool enter_all(const gnutls_datum_t *key, struct der *in)
{
	struct der all = { key->data, key->data + key->size };

	return der_enter(&all, 0x30, in);
}

/* PrivateKeyInfo (RFC 5208, 5): a version, and the algorithm before all that belongs to it. */
static enum tls_pair_fault look_at_pkcs8(const gnutls_datum_t *key)
{
	struct der info, version, algorithm, oid;

	if (!enter_all(key, &info) || !der_enter(&info, 0x02, &version) ||
	    !der_enter(&info, 0x30, &algorithm) || !der_enter(&algorithm, 0x06, &oid))
		return TLS_PAIR_NO_KEY;
	return is_one_of_ours(&oid) ? TLS_PAIR_FINE : TLS_PAIR_KIND;
}

/* --- the key -------------------------------------------------------------------------- */

static size_t bytes_of(const gnutls_datum_t *number)
{
	size_t zeros = 0;

	while (zeros < number->size && number->data[zeros] == 0)
		zeros++;
	return number->size - zeros;
}

/* Each number by itself: nobody says that they belong together. */
static bool rsa_is_small(gnutls_x509_privkey_t key)
{
	const size_t max = TLS_PAIR_RSA_BITS_MAX / 8;
	gnutls_datum_t n[8] = { { NULL, 0 } }; /* m, e, d, p, q, u, e1, e2 */
	bool yes = gnutls_x509_privkey_export_rsa_raw2(key, &n[0], &n[1], &n[2], &n[3], &n[4],
						       &n[5], &n[6], &n[7]) == 0 &&
		   bytes_of(&n[0]) <= max && bytes_of(&n[1]) <= RSA_EXPONENT_MAX &&
		   bytes_of(&n[2]) <= max;

	for (size_t i = 3; i < 8; i++)
		yes = yes && bytes_of(&n[i]) <= max / 2;
	for (size_t i = 0; i < 8; i++)
		wipe(&n[i]);
	return yes;
}

/* A curve that GnuTLS does not know is to it no more than a key that it cannot read. */
static enum tls_pair_fault fault_of_import(gnutls_x509_privkey_t key, int r)
{
	int algorithm;

	if (r < 0)
		return TLS_PAIR_KIND;
	algorithm = gnutls_x509_privkey_get_pk_algorithm(key);
	if (algorithm != GNUTLS_PK_RSA && algorithm != GNUTLS_PK_RSA_PSS)
		return TLS_PAIR_FINE;
	return rsa_is_small(key) ? TLS_PAIR_FINE : TLS_PAIR_KIND;
}

static enum tls_pair_fault read_pkcs8(gnutls_x509_privkey_t out, const gnutls_datum_t *der)
{
	enum tls_pair_fault fault = look_at_pkcs8(der);

	if (fault)
		return fault;
	return fault_of_import(out, gnutls_x509_privkey_import_pkcs8(out, der, GNUTLS_X509_FMT_DER,
								     NULL, GNUTLS_PKCS_PLAIN));
}

/*
 * By its name in PEM alone GnuTLS knows what it is, and by the first that it meets: written anew, for
 * nothing else of the text to be taken for one.
 */
static enum tls_pair_fault read_traditional(gnutls_x509_privkey_t out, const char *label,
					    const gnutls_datum_t *der)
{
	gnutls_datum_t pem = { NULL, 0 };
	struct der inside;
	int r;

	if (!enter_all(der, &inside))
		return TLS_PAIR_NO_KEY;
	r = gnutls_pem_base64_encode2(label, der, &pem);
	if (r == 0)
		r = gnutls_x509_privkey_import(out, &pem, GNUTLS_X509_FMT_PEM);
	wipe(&pem);
	return fault_of_import(out, r);
}

/* The first that there is; NULL: none. What precedes it, as the parameters of a curve, is nothing. */
static const char *find_block(const char *text, char *label, size_t size)
{
	static const char begin[] = "-----BEGIN ", suffix[] = "PRIVATE KEY";
	const char *at = text;

	while ((at = strstr(at, begin))) {
		const char *name = at + strlen(begin), *end = strstr(name, "-----");
		const size_t len = end ? (size_t)(end - name) : 0;

		if (len >= strlen(suffix) && len < size &&
		    memcmp(end - strlen(suffix), suffix, strlen(suffix)) == 0) {
			memcpy(label, name, len);
			label[len] = '\0';
			return at;
		}
		at = name;
	}
	return NULL;
}

static enum tls_pair_fault read_block(gnutls_x509_privkey_t out, const char *block,
				      const char *label)
{
	const gnutls_datum_t text = datum_of(block);
	const bool is_pkcs8 = strcmp(label, "PRIVATE KEY") == 0;
	gnutls_datum_t der = { NULL, 0 };
	enum tls_pair_fault fault;

	if (strstr(block, "ENCRYPTED")) /* or "Proc-Type: 4,ENCRYPTED" inside (RFC 1421) */
		return TLS_PAIR_ENCRYPTED;
	if (!is_pkcs8 && strcmp(label, "RSA PRIVATE KEY") != 0 &&
	    strcmp(label, "EC PRIVATE KEY") != 0)
		return TLS_PAIR_KIND;
	if (gnutls_pem_base64_decode2(label, &text, &der) < 0)
		return TLS_PAIR_NO_KEY;
	fault = is_pkcs8 ? read_pkcs8(out, &der) : read_traditional(out, label, &der);
	wipe(&der);
	return fault;
}

static enum tls_pair_fault read_key(struct pair *p, const char *pem)
{
	char label[32];
	const char *block = find_block(pem, label, sizeof(label));

	if (!block)
		return TLS_PAIR_NO_KEY;
	if (gnutls_x509_privkey_init(&p->key) < 0)
		abort(); /* as xalloc */
	return read_block(p->key, block, label);
}

/* --- both ------------------------------------------------------------------------------- */

static bool are_of_one_key(const struct pair *p)
{
	const unsigned flags = GNUTLS_KEYID_USE_SHA256;
	unsigned char public[ID_MAX], private[ID_MAX];
	size_t public_size = sizeof(public), private_size = sizeof(private);

	return gnutls_x509_crt_get_key_id(p->chain[0], flags, public, &public_size) == 0 &&
	       gnutls_x509_privkey_get_key_id(p->key, flags, private, &private_size) == 0 &&
	       public_size == private_size && memcmp(public, private, public_size) == 0;
}

static enum tls_pair_fault put(struct gnutls_certificate_credentials_st *into, const struct pair *p)
{
	if (!are_of_one_key(p))
		return TLS_PAIR_APART;
	/* GnuTLS would sign something to find that out. */
	gnutls_certificate_set_flags(into, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	return gnutls_certificate_set_x509_key(into, p->chain, (int)p->count, p->key) < 0
		       ? TLS_PAIR_USELESS
		       : TLS_PAIR_FINE;
}

enum tls_pair_fault tls_pair_use(struct gnutls_certificate_credentials_st *into,
				 const char *certificate, const char *key)
{
	struct pair p = { NULL, 0, NULL };
	enum tls_pair_fault fault = TLS_PAIR_NO_CERTIFICATE;

	if (read_chain(&p, certificate))
		fault = read_key(&p, key);
	if (!fault)
		fault = put(into, &p);
	pair_done(&p);
	return fault;
}
