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
/* The same, valid from so many days from now until so many. */
struct pki_pair pki_issue_dated(struct pki *p, const char *names, int from_days, int to_days);
/* Of a client, whose subject is each of these in turn: an OID and its value. */
struct pki_client {
	const struct pki_name {
		const char *oid; /* NULL: the end */
		const void *value;
		unsigned len; /* 0: of its text */
	} * names;
	const char *purpose; /* extended key usage; NULL: none */
	int from_days, to_days;
};
struct pki_pair pki_issue_client(struct pki *p, const struct pki_client *c);
#define PKI_CN	   "2.5.4.3"
#define PKI_OU	   "2.5.4.11"
#define PKI_CLIENT "1.3.6.1.5.5.7.3.2"
#define PKI_SERVER "1.3.6.1.5.5.7.3.1"
/* Good for a day; unit NULL: none. */
struct pki_pair pki_issue_person(struct pki *p, const char *name, const char *unit);
void pki_pair_done(struct pki_pair *pair);

#endif
