/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Secret holds, in memory of its own that is wiped before it is freed.
 *
 * These values go to the healthcheck process and nowhere else: not into the
 * state file, a log, an answer, a problem's text or a corrected manifest.
 */
#ifndef AGENT_POOL_SECRET_H
#define AGENT_POOL_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"

#define SECRET_USERNAME_MAX    128 /* bytes */
#define SECRET_PASSWORD_MAX    512
#define SECRET_CA_MAX	       (40 * 1024)
#define SECRET_CERTIFICATE_MAX (10 * 1024)
#define SECRET_KEY_MAX	       (6 * 1024)

/* NULL: it has no such key, or one that cannot be used. A password may be empty. */
struct secret {
	const char *username;
	const char *password;
	const char *ca; /* PEM; so are these */
	const char *certificate;
	const char *key;
	/*
	 * Whom to trust, or what to show, cannot be used: "has a tls.key that ...", without its value.
	 * NULL: it can, or there is none. Text that stays. What is asked by ca.crt whom to trust must not
	 * do without it, for it would trust anybody.
	 */
	const char *ca_fault;
	const char *pair_fault; /* of tls.crt and tls.key */
};

/* Those of the values. */
MUST_CHECK const char *secret_ca_fault(const struct secret *s);
MUST_CHECK const char *secret_pair_fault(const struct secret *s);

/* Copies the values; any may be NULL. */
MUST_CHECK struct secret *secret_new(const struct secret *values);
void secret_free(struct secret *s); /* NULL is fine */
/*
 * Tells whether values have changed, within this process: its key is random, so that nobody can
 * guess values by it.
 */
uint64_t secret_hash(const struct secret *s);

/* Overwrites a string of somebody else's memory, once it is of no more use there; NULL is fine. */
void secret_wipe(char *s);

#endif
