/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server behind TLS, on a fake network: it answers a request, whatever that
 * is, and closes. What it sends may be cut anywhere, and what then happens is
 * the test's.
 */
#ifndef TESTS_LIB_FAKE_TLS_H
#define TESTS_LIB_FAKE_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/fake_net.h"
#include "tests/lib/fake_script.h"
#include "tests/lib/pki.h"

struct fake_tls {
	const char *answer; /* to each request; before it closes, if it was told to */
	size_t len;	    /* of it; 0: it is a text */
	const char *alpn;   /* what it speaks; NULL: it knows nothing of ALPN */
	size_t record;	    /* bytes of it in each record; 0: as many as it holds */
	size_t cut;	    /* it sends no more bytes than that, of TLS; SIZE_MAX: all of them */
	enum fake_then then;
	bool says_more; /* a record that nobody asked for, behind each answer */
	/* what it saw */
	uint32_t connections, closed, requests, told; /* told: whole answers */
	size_t sent;				      /* on the last connection */
	/* the inside */
	void *credentials;
};

/* Zeroed but for what the test sets. The certificate is copied. */
void fake_tls_init(struct fake_tls *s, const struct pki_pair *pair);
void fake_tls_done(struct fake_tls *s);
struct fake_service fake_tls_service(struct fake_tls *s); /* s stays */

#endif
