/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Secret holds for probes: a name and a password to log in with, whom to
 * trust, and what to show who asks for a certificate.
 *
 * Name and password are in pages of their own: locked where that is allowed,
 * left out of dumps, overwritten when the last reference goes. A key is GnuTLS's,
 * which overwrites it then, too.
 */
#ifndef HEALTHCHECK_ACCOUNT_H
#define HEALTHCHECK_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "healthcheck/message.h"
#include "healthcheck/tls.h"

struct hc_account {
	unsigned refs;
	const char *username, *password; /* both, or NULL both */
	struct hc_tls_trust *trust;
	bool vouches; /* trust is more than none: an authority, a certificate of ours, or both */
	bool lacks_certificate; /* there is one to show, that cannot be used */
	/* the inside */
	void *pages;
	size_t size;
};

/* Copies what s holds; s is present. NULL: no memory. */
MUST_CHECK struct hc_account *hc_account_new(const struct hc_secret *s);
/* Does it hold any of what the check has use for? (CHECK_USES_...: check_uses()) */
bool hc_account_serves(const struct hc_account *a, unsigned uses);
struct hc_account *hc_account_ref(struct hc_account *a);
void hc_account_unref(struct hc_account *a); /* NULL is fine */

#endif
