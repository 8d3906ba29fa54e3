/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name and a password that probes log in with, and whom they trust.
 *
 * Name and password are in pages of their own: locked where that is allowed,
 * left out of dumps, overwritten when the last reference goes.
 */
#ifndef HEALTHCHECK_ACCOUNT_H
#define HEALTHCHECK_ACCOUNT_H

#include <stddef.h>

#include "agent/base/attr.h"
#include "healthcheck/message.h"
#include "healthcheck/tls.h"

struct hc_account {
	unsigned refs;
	const char *username, *password;
	struct hc_tls_trust *trust;
	/* the inside */
	void *pages;
	size_t size;
};

/* Copies what s holds; s is present. NULL: no memory. */
MUST_CHECK struct hc_account *hc_account_new(const struct hc_secret *s);
struct hc_account *hc_account_ref(struct hc_account *a);
void hc_account_unref(struct hc_account *a); /* NULL is fine */

#endif
