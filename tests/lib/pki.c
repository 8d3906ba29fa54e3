/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/pki.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "agent/base/xalloc.h"

#define DAY_S 86400

struct pki {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	char *pem;
	unsigned char serial;
};

static void ok(int r)
{
	assert_int_equal(r, 0);
}

static gnutls_x509_privkey_t new_key(void)
{
	gnutls_x509_privkey_t key;

	ok(gnutls_x509_privkey_init(&key));
	ok(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t new_bare(struct pki *p, gnutls_x509_privkey_t key)
{
	time_t now = time(NULL);
	gnutls_x509_crt_t crt;

	p->serial++;
	ok(gnutls_x509_crt_init(&crt));
	ok(gnutls_x509_crt_set_version(crt, 3));
	ok(gnutls_x509_crt_set_serial(crt, &p->serial, 1));
	ok(gnutls_x509_crt_set_activation_time(crt, now - DAY_S));
	ok(gnutls_x509_crt_set_expiration_time(crt, now + DAY_S));
	ok(gnutls_x509_crt_set_key(crt, key));
	return crt;
}

static gnutls_x509_crt_t new_crt(struct pki *p, const char *name, gnutls_x509_privkey_t key)
{
	CLEANUP(xfree_ptr) char *dn = xasprintf("CN=%s", name);
	gnutls_x509_crt_t crt = new_bare(p, key);

	ok(gnutls_x509_crt_set_dn(crt, dn, NULL));
	return crt;
}

static char *text_of(gnutls_datum_t *d)
{
	char *s = xstrndup((const char *)d->data, d->size);

	gnutls_free(d->data);
	return s;
}

static char *crt_pem(gnutls_x509_crt_t crt)
{
	gnutls_datum_t d;

	ok(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d));
	return text_of(&d);
}

struct pki *pki_new(const char *name)
{
	struct pki *p = xcalloc(1, sizeof(*p));

	p->key = new_key();
	p->crt = new_crt(p, name, p->key);
	ok(gnutls_x509_crt_set_basic_constraints(p->crt, 1, -1));
	ok(gnutls_x509_crt_set_key_usage(p->crt, GNUTLS_KEY_KEY_CERT_SIGN));
	ok(gnutls_x509_crt_sign2(p->crt, p->crt, p->key, GNUTLS_DIG_SHA256, 0));
	p->pem = crt_pem(p->crt);
	return p;
}

void pki_free(struct pki *p)
{
	if (!p)
		return;
	gnutls_x509_crt_deinit(p->crt);
	gnutls_x509_privkey_deinit(p->key);
	free(p->pem);
	free(p);
}

const char *pki_ca(const struct pki *p)
{
	return p->pem;
}

static void add_name(gnutls_x509_crt_t crt, const char *name)
{
	struct in_addr a;

	if (inet_pton(AF_INET, name, &a) == 1)
		ok(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, &a, sizeof(a),
							GNUTLS_FSAN_APPEND));
	else
		ok(gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_APPEND));
}

/* Signs it and takes both over. */
static struct pki_pair pair_of(struct pki *p, gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
	struct pki_pair pair;
	gnutls_datum_t d;

	ok(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	ok(gnutls_x509_crt_sign2(crt, p->crt, p->key, GNUTLS_DIG_SHA256, 0));
	pair.cert = crt_pem(crt);
	ok(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &d));
	pair.key = text_of(&d);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return pair;
}

struct pki_pair pki_issue_dated(struct pki *p, const char *names, int from_days, int to_days)
{
	CLEANUP(xfree_ptr) char *list = xstrdup(names);
	gnutls_x509_privkey_t key = new_key();
	gnutls_x509_crt_t crt = new_crt(p, "test", key);
	time_t now = time(NULL);
	char *rest = NULL;

	ok(gnutls_x509_crt_set_activation_time(crt, now + (time_t)from_days * DAY_S));
	ok(gnutls_x509_crt_set_expiration_time(crt, now + (time_t)to_days * DAY_S));
	for (char *s = strtok_r(list, ",", &rest); s; s = strtok_r(NULL, ",", &rest))
		add_name(crt, s);
	return pair_of(p, crt, key);
}

struct pki_pair pki_issue(struct pki *p, const char *names)
{
	return pki_issue_dated(p, names, -1, 1);
}

struct pki_pair pki_issue_client(struct pki *p, const struct pki_client *c)
{
	gnutls_x509_privkey_t key = new_key();
	gnutls_x509_crt_t crt = new_bare(p, key);
	time_t now = time(NULL);

	ok(gnutls_x509_crt_set_activation_time(crt, now + (time_t)c->from_days * DAY_S));
	ok(gnutls_x509_crt_set_expiration_time(crt, now + (time_t)c->to_days * DAY_S));
	for (const struct pki_name *n = c->names; n->oid; n++)
		ok(gnutls_x509_crt_set_dn_by_oid(crt, n->oid, 0, n->value,
						 n->len ? n->len : (unsigned)strlen(n->value)));
	if (c->purpose)
		ok(gnutls_x509_crt_set_key_purpose_oid(crt, c->purpose, 0));
	return pair_of(p, crt, key);
}

struct pki_pair pki_issue_person(struct pki *p, const char *name, const char *unit)
{
	const struct pki_name names[] = { { PKI_CN, name, 0 },
					  { unit ? PKI_OU : NULL, unit, 0 },
					  { NULL, NULL, 0 } };

	return pki_issue_client(
		p, &(struct pki_client){
			   .names = names, .purpose = PKI_CLIENT, .from_days = -1, .to_days = 1 });
}

void pki_pair_done(struct pki_pair *pair)
{
	free(pair->cert);
	free(pair->key);
	*pair = (struct pki_pair){ 0 };
}
