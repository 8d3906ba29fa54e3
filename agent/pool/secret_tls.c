/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what a Secret holds for TLS is what it is to be. It is read by the
 * library that the healthcheck process reads it with; nothing is computed with
 * a key, which may be a stranger's and cost seconds (tls_pair.h).
 */
#include "agent/pool/secret.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/tls_pair.h"

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
		     : "has a ca.crt that holds something that is no certificate in PEM "
		       "(-----BEGIN CERTIFICATE-----): mend it, or leave it out where any server "
		       "will do";
}

static const char *pair_fault(const char *certificate, const char *key)
{
	static const char *const texts[] = {
		[TLS_PAIR_FINE] = NULL,
		[TLS_PAIR_NO_CERTIFICATE] = "has a tls.crt that holds something that is no "
					    "certificate in PEM (-----BEGIN CERTIFICATE-----)",
		[TLS_PAIR_NO_KEY] = "has a tls.key that holds no private key in PEM "
				    "(-----BEGIN PRIVATE KEY-----)",
		[TLS_PAIR_ENCRYPTED] = "has a tls.key that is encrypted: take its passphrase away "
				       "(openssl pkey)",
		[TLS_PAIR_KIND] = "has a tls.key of a kind that cannot be used: take RSA of up to "
				  "4096 bits, P-256, P-384, P-521, Ed25519 or Ed448",
		[TLS_PAIR_APART] = "has a tls.key that does not belong to its tls.crt: put in the "
				   "two that were made for each other",
		[TLS_PAIR_USELESS] = "has a tls.crt that cannot be used: mend it",
	};
	gnutls_certificate_credentials_t c = new_credentials();
	enum tls_pair_fault fault = tls_pair_use(c, certificate, key);

	gnutls_certificate_free_credentials(c);
	return texts[fault];
}

const char *secret_ca_fault(const struct secret *s)
{
	return s->ca ? authority_fault(s->ca) : NULL;
}

const char *secret_pair_fault(const struct secret *s)
{
	if (!s->certificate && !s->key)
		return NULL;
	if (!s->key)
		return "has a tls.crt, but lacks the key tls.key";
	if (!s->certificate)
		return "has a tls.key, but lacks the key tls.crt";
	return pair_fault(s->certificate, s->key);
}
