/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate to be shown to who asks for one, and its key, as a stranger may have written
 * them: GnuTLS computes with some keys while it reads them, for seconds.
 */
#ifndef AGENT_BASE_TLS_PAIR_H
#define AGENT_BASE_TLS_PAIR_H

#include "agent/base/attr.h"

enum tls_pair_fault {
	TLS_PAIR_FINE,
	TLS_PAIR_NO_CERTIFICATE, /* nothing but certificates in PEM is meant there */
	TLS_PAIR_NO_KEY,	 /* no private key in PEM */
	TLS_PAIR_ENCRYPTED,
	TLS_PAIR_KIND,	  /* a key, but none of RSA up to TLS_PAIR_RSA_BITS_MAX, EC and EdDSA */
	TLS_PAIR_APART,	  /* the key of another certificate */
	TLS_PAIR_USELESS, /* a certificate that cannot be shown */
};

/* One of 7680 takes a quarter of a second for each signature, and has room in a Secret. */
#define TLS_PAIR_RSA_BITS_MAX 4096

/*
 * Puts both, in PEM, into these credentials of GnuTLS (gnutls_certificate_credentials_t); not on a
 * fault. Those of authorities may follow the certificate. Whatever the texts, it takes no more than a
 * few milliseconds, and a signature by the key some tens; their length is for callers to bound.
 */
struct gnutls_certificate_credentials_st;
MUST_CHECK enum tls_pair_fault tls_pair_use(struct gnutls_certificate_credentials_st *into,
					    const char *certificate, const char *key);

#endif
