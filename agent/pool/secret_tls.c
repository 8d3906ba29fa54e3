/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what a Secret holds for TLS is what it is to be. Read as the
 * healthcheck process reads it, by the same library; nothing is computed with
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
	gnutls_certificate_set_flags(c, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
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

static bool are_of_one_key(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	const unsigned flags = GNUTLS_KEYID_USE_SHA256;
	unsigned char public[ID_MAX], private[ID_MAX];
	size_t public_size = sizeof(public), private_size = sizeof(private);

	return gnutls_x509_crt_get_key_id(crt, flags, public, &public_size) == 0 &&
	       gnutls_x509_privkey_get_key_id(key, flags, private, &private_size) == 0 &&
	       public_size == private_size && memcmp(public, private, public_size) == 0;
}

static bool fit(gnutls_certificate_credentials_t c)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_x509_privkey_t key;
	unsigned count = 0;
	bool yes = false;

	if (gnutls_certificate_get_x509_crt(c, 0, &chain, &count) < 0)
		return false;
	if (count && gnutls_certificate_get_x509_key(c, 0, &key) == 0) {
		yes = are_of_one_key(chain[0], key);
		gnutls_x509_privkey_deinit(key);
	}
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return yes;
}

/* Not both could be read: which of them it was. */
static const char *part_fault(const char *certificate, const char *key)
{
	const gnutls_datum_t text = datum_of(certificate);
	gnutls_x509_crt_t *chain = NULL;
	unsigned count = 0;
	int r = gnutls_x509_crt_list_import2(&chain, &count, &text, GNUTLS_X509_FMT_PEM, 0);

	for (unsigned i = 0; r >= 0 && i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	if (r < 0 || !count)
		return "has a tls.crt that holds no certificate in PEM (-----BEGIN "
		       "CERTIFICATE-----)";
	return strstr(key, "ENCRYPTED") ? "has a tls.key that is encrypted: take its passphrase "
					  "away (openssl pkey)"
					: "has a tls.key that holds no private key in PEM "
					  "(-----BEGIN PRIVATE KEY-----)";
}

static const char *pair_fault(const char *certificate, const char *key)
{
	gnutls_certificate_credentials_t c = new_credentials();
	const gnutls_datum_t crt = datum_of(certificate), secret = datum_of(key);
	const char *fault = NULL;

	if (gnutls_certificate_set_x509_key_mem2(c, &crt, &secret, GNUTLS_X509_FMT_PEM, NULL, 0) <
	    0)
		fault = part_fault(certificate, key);
	else if (!fit(c))
		fault = "has a tls.key that does not belong to its tls.crt: put in the two that "
			"were made for "
			"each other";
	gnutls_certificate_free_credentials(c);
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
