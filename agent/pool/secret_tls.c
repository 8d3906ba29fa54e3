/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what a Secret holds for TLS is what it is to be. It is read by the
 * library that the healthcheck process reads it with; nothing is computed with
 * a key, which may be a stranger's and cost seconds.
 */
#include "agent/pool/secret.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX 64

static gnutls_datum_t datum_of(const char *pem)
{
	return (gnutls_datum_t){ (unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem) };
}

static gnutls_certificate_credentials_t new_credentials(void)
{
	gnutls_certificate_credentials_t c;

	if (gnutls_certificate_allocate_credentials(&c) < 0)
		abort(); /* as xalloc */
	return c;
}

static const char *authority_fault(const char *pem)
{
	gnutls_certificate_credentials_t c = new_credentials();
	const gnutls_datum_t text = datum_of(pem);
	int r = gnutls_certificate_set_x509_trust_mem(c, &text, GNUTLS_X509_FMT_PEM);

	gnutls_certificate_free_credentials(c);
	return r > 0 ? NULL
		     : "has a ca.crt that holds no certificate in PEM: mend it, or leave "
		       "it out where any server will do";
}

/* --- a certificate and its key ------------------------------------------------------ */

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

static bool read_key(struct pair *p, const char *pem)
{
	const gnutls_datum_t text = datum_of(pem);

	if (gnutls_x509_privkey_init(&p->key) < 0)
		abort();
	return gnutls_x509_privkey_import2(p->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0) == 0;
}

static bool are_of_one_key(const struct pair *p)
{
	const unsigned flags = GNUTLS_KEYID_USE_SHA256;
	unsigned char public[ID_MAX], private[ID_MAX];
	size_t public_size = sizeof(public), private_size = sizeof(private);

	return gnutls_x509_crt_get_key_id(p->chain[0], flags, public, &public_size) == 0 &&
	       gnutls_x509_privkey_get_key_id(p->key, flags, private, &private_size) == 0 &&
	       public_size == private_size && memcmp(public, private, public_size) == 0;
}

/* As a client would. */
static bool can_be_shown(const struct pair *p)
{
	gnutls_certificate_credentials_t c = new_credentials();
	int r;

	gnutls_certificate_set_flags(c, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	r = gnutls_certificate_set_x509_key(c, p->chain, (int)p->count, p->key);
	gnutls_certificate_free_credentials(c);
	return r >= 0;
}

static const char *pair_fault(const char *certificate, const char *key)
{
	struct pair p = { NULL, 0, NULL };
	const char *fault = NULL;

	if (!read_chain(&p, certificate))
		fault = "has a tls.crt that holds no certificate in PEM "
			"(-----BEGIN CERTIFICATE-----)";
	else if (!read_key(&p, key))
		fault = strstr(key, "ENCRYPTED") ? "has a tls.key that is encrypted: take its "
						   "passphrase away (openssl pkey)"
						 : "has a tls.key that holds no private key in "
						   "PEM (-----BEGIN PRIVATE KEY-----)";
	else if (!are_of_one_key(&p))
		fault = "has a tls.key that does not belong to its tls.crt: put in the two that "
			"were made for each other";
	else if (!can_be_shown(&p))
		fault = "has a tls.crt that cannot be used: mend it";
	pair_done(&p);
	return fault;
}

const char *secret_tls_fault(const struct secret *s)
{
	const char *fault = s->ca ? authority_fault(s->ca) : NULL;

	if (fault)
		return fault;
	if (!s->certificate && !s->key)
		return NULL;
	if (!s->key)
		return "has a tls.crt, but lacks the key tls.key";
	if (!s->certificate)
		return "has a tls.key, but lacks the key tls.crt";
	return pair_fault(s->certificate, s->key);
}
