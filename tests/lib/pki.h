/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates made on the spot, for tests of TLS. Fails the test where it cannot. */
#ifndef TESTS_LIB_PKI_H
#define TESTS_LIB_PKI_H

#include "agent/base/attr.h"

struct pki;

MUST_CHECK struct pki *pki_new(const char *name);
void pki_free(struct pki *p);		 /* NULL is fine */
const char *pki_ca(const struct pki *p); /* PEM */

struct pki_pair {
	char *cert; /* PEM */
	char *key;
};
/* `names`: one or more of DNS names and IPv4 addresses, by commas. */
struct pki_pair pki_issue(struct pki *p, const char *names);
void pki_pair_done(struct pki_pair *pair);

#endif
