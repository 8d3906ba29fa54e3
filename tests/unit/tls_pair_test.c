/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls_pair.c: which keys are read, and that no other costs anything. */
#include "agent/base/tls_pair.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"
#include "tests/lib/pki.h"

static enum tls_pair_fault use(const char *certificate, const char *key)
{
	gnutls_certificate_credentials_t c;
	enum tls_pair_fault fault;
	gnutls_x509_privkey_t k;

	assert_int_equal(gnutls_certificate_allocate_credentials(&c), 0);
	fault = tls_pair_use(c, certificate, key);
	if (gnutls_certificate_get_x509_key(c, 0, &k) == 0) {
		gnutls_x509_privkey_deinit(k);
		assert_int_equal(fault, TLS_PAIR_FINE);
	} else {
		assert_int_not_equal(fault, TLS_PAIR_FINE);
	}
	gnutls_certificate_free_credentials(c);
	return fault;
}

static char *text_of(gnutls_datum_t *d)
{
	char *s = xstrndup((const char *)d->data, d->size);

	gnutls_free(d->data);
	return s;
}

/* A key, in both forms of PEM, and a certificate of it that it signed itself. */
struct made {
	char *certificate, *pkcs8, *traditional;
};

static struct made make(gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	struct made m;
	gnutls_datum_t d;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, algorithm, bits, 0), 0);
	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
	assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
	assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL)), 0);
	assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400), 0);
	assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
	assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d), 0);
	m.certificate = text_of(&d);
	assert_int_equal(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &d), 0);
	m.traditional = text_of(&d);
	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL,
							   GNUTLS_PKCS_PLAIN, &d),
			 0);
	m.pkcs8 = text_of(&d);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	return m;
}

static void made_done(struct made *m)
{
	free(m->certificate);
	free(m->pkcs8);
	free(m->traditional);
}

static void keys_in_use_are_read(void **state)
{
	static const struct {
		gnutls_pk_algorithm_t algorithm;
		unsigned bits;
	} keys[] = {
		{ GNUTLS_PK_RSA, 2048 },
		{ GNUTLS_PK_RSA_PSS, 2048 },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1) },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP384R1) },
		{ GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP521R1) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct made m = make(keys[i].algorithm, keys[i].bits);
		CLEANUP(xfree_ptr)
		char *after = xasprintf("A key:\n-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
					"-----END EC PARAMETERS-----\n%s",
					m.traditional);

		assert_int_equal(use(m.certificate, m.pkcs8), TLS_PAIR_FINE);
		/* Which has no word for what PSS has besides. */
		if (keys[i].algorithm != GNUTLS_PK_RSA_PSS) {
			assert_int_equal(use(m.certificate, m.traditional), TLS_PAIR_FINE);
			assert_int_equal(use(m.certificate, after), TLS_PAIR_FINE);
		}
		made_done(&m);
	}
}

/* RFC 8410, 10.3, and one of Ed448: by their certificates they are strangers'. */
static void so_are_those_of_edwards_curves(void **state)
{
	struct pki *ca = pki_new("ours");

	(void)state;
	assert_int_equal(use(pki_ca(ca),
			     "-----BEGIN PRIVATE KEY-----\n"
			     "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
			     "-----END PRIVATE KEY-----\n"),
			 TLS_PAIR_APART);
	assert_int_equal(use(pki_ca(ca),
			     "-----BEGIN PRIVATE KEY-----\n"
			     "MEcCAQAwBQYDK2VxBDsEOQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
			     "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3OA==\n"
			     "-----END PRIVATE KEY-----\n"),
			 TLS_PAIR_APART);
	pki_free(ca);
}

/* --- what is not ---------------------------------------------------------------- */

static void put_head(struct buf *b, unsigned char tag, size_t len)
{
	unsigned char head[] = { tag, 0x82, (unsigned char)(len >> 8), (unsigned char)len };

	if (len < 0x80) {
		head[1] = (unsigned char)len;
		buf_put(b, head, 2);
	} else if (len < 0x100) {
		head[1] = 0x81;
		head[2] = (unsigned char)len;
		buf_put(b, head, 3);
	} else {
		buf_put(b, head, 4);
	}
}

/* Odd, and of that many bytes, or as small as can be. */
static void put_number(struct buf *b, size_t bytes)
{
	put_head(b, 0x02, bytes ? bytes : 1);
	for (size_t i = 0; i + 1 < bytes; i++)
		buf_put(b, "\x71", 1);
	buf_put(b, bytes ? "\x71" : "\3", 1);
}

static void put_inside(struct buf *b, unsigned char tag, struct buf *inside)
{
	put_head(b, tag, inside->len);
	buf_put(b, inside->data, inside->len);
	buf_done(inside);
}

/* In PEM; takes it over. */
static char *pem_of(const char *label, struct buf *b)
{
	const gnutls_datum_t der = { b->data, (unsigned)b->len };
	gnutls_datum_t pem;

	assert_int_equal(gnutls_pem_base64_encode2(label, &der, &pem), 0);
	buf_done(b);
	return text_of(&pem);
}

/* After a version numbers of these sizes: as RFC 8017, A.1.2, and as OpenSSL writes DSA. */
static char *numbers(const char *label, const size_t *bytes, size_t count)
{
	struct buf inside = { 0 }, b = { 0 };

	buf_put(&inside, "\2\1\0", 3);
	for (size_t i = 0; i < count; i++)
		put_number(&inside, bytes[i]);
	put_inside(&b, 0x30, &inside);
	return pem_of(label, &b);
}

#define OID_DSA "\x06\x07\x2a\x86\x48\xce\x38\x04\x01"

/* PKCS#8 leaves the public number to be computed: 2000 bytes each take GnuTLS a second. */
static char *dsa_pkcs8(void)
{
	struct buf x = { 0 }, params = { 0 }, algorithm = { 0 }, info = { 0 }, b = { 0 };

	put_number(&params, 1900);
	put_number(&params, 20);
	put_number(&params, 500);
	buf_put(&algorithm, OID_DSA, sizeof(OID_DSA) - 1);
	put_inside(&algorithm, 0x30, &params);
	buf_put(&info, "\2\1\0", 3);
	put_inside(&info, 0x30, &algorithm);
	put_number(&x, 1800);
	put_inside(&info, 0x04, &x);
	put_inside(&b, 0x30, &info);
	return pem_of("PRIVATE KEY", &b);
}

static double cpu_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The time is what this thread computed: ten at once in less than one of them took. */
static void expect(const char *certificate, const char *key, enum tls_pair_fault fault)
{
	double before = cpu_ms();

	for (int i = 0; i < 10; i++)
		assert_int_equal(use(certificate, key), fault);
	assert_true(cpu_ms() - before < 500);
}

static void a_key_of_dsa_is_never_computed_with(void **state)
{
	static const size_t sizes[] = { 1000, 20, 900, 0, 800 };
	static const struct {
		const char *label;
		enum tls_pair_fault fault;
	} labels[] = {
		{ "DSA PRIVATE KEY", TLS_PAIR_KIND }, { "RSA PRIVATE KEY", TLS_PAIR_KIND },
		{ "EC PRIVATE KEY", TLS_PAIR_KIND },  { "PRIVATE KEY", TLS_PAIR_NO_KEY },
		{ "XX PRIVATE KEY", TLS_PAIR_KIND },
	};
	struct pki *ca = pki_new("ours");
	CLEANUP(xfree_ptr) char *pkcs8 = dsa_pkcs8();
	CLEANUP(xfree_ptr)
	char *second = xasprintf("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n"
				 "-----END RSA PRIVATE KEY-----\n%s",
				 pkcs8);
	CLEANUP(xfree_ptr) char *inside = xasprintf("-----BEGIN EC PRIVATE KEY-----\n%s", pkcs8);

	(void)state;
	expect(pki_ca(ca), pkcs8, TLS_PAIR_KIND);
	expect(pki_ca(ca), second, TLS_PAIR_NO_KEY);
	expect(pki_ca(ca), inside, TLS_PAIR_NO_KEY);
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		CLEANUP(xfree_ptr)
		char *key = numbers(labels[i].label, sizes, sizeof(sizes) / sizeof(sizes[0]));

		expect(pki_ca(ca), key, labels[i].fault);
	}
	pki_free(ca);
}

/* n, e, d, p, q and those for the remainders: nothing says that they fit each other. */
static void numbers_of_rsa_have_a_bound_each(void **state)
{
	static const size_t rows[][8] = {
		{ 4000, 0, 0, 0, 0, 0, 0, 0 },
		{ 512, 0, 1500, 1500, 128, 128, 128, 128 },
		{ 512, 500, 512, 256, 256, 256, 256, 256 },
		{ 256, 0, 256, 1500, 1500, 10, 10, 10 },
		{ 256, 0, 256, 128, 128, 1500, 1500, 128 },
		{ 960, 3, 960, 480, 480, 480, 480, 480 },
	};
	struct pki *ca = pki_new("ours");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CLEANUP(xfree_ptr) char *key = numbers("RSA PRIVATE KEY", rows[i], 8);

		expect(pki_ca(ca), key, TLS_PAIR_KIND);
	}
	pki_free(ca);
}

static void curves_that_are_not_known_are_of_another_kind(void **state)
{
	/* secp256k1, of PKCS#8 and of RFC 5915 */
	const char *const keys[] = {
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgcTtOzmdm/DREzH4r0x+V\n"
		"sjNZmYdVKw8xgfigp7Z549ahRANCAAQKlM7Jwr9XvQnXhpBslfXV+Ve1QO6bd449\n"
		"Mh2vM4YWfR4OK3gQgc2tMNmII3gamlNB88lbqtV1vvnpkoeFK7jv\n"
		"-----END PRIVATE KEY-----\n",
		"-----BEGIN EC PRIVATE KEY-----\n"
		"MHQCAQEEIHE7Ts5nZvw0RMx+K9MflbIzWZmHVSsPMYH4oKe2eePWoAcGBSuBBAAK\n"
		"oUQDQgAECpTOycK/V70J14aQbJX11flXtUDum3eOPTIdrzOGFn0eDit4EIHNrTDZ\n"
		"iCN4GppTQfPJW6rVdb756ZKHhSu47w==\n"
		"-----END EC PRIVATE KEY-----\n",
	};
	struct pki *ca = pki_new("ours");

	(void)state;
	for (size_t i = 0; i < 2; i++)
		expect(pki_ca(ca), keys[i], TLS_PAIR_KIND);
	pki_free(ca);
}

static void what_is_no_key_is_told(void **state)
{
	struct pki *ca = pki_new("ours");
	struct pki_pair pair = pki_issue_person(ca, "parasaus", NULL);
	struct pki_pair other = pki_issue_person(ca, "other", NULL);

	(void)state;
	expect(pair.cert, pair.key, TLS_PAIR_FINE);
	expect(pair.cert, other.key, TLS_PAIR_APART);
	expect(pair.key, pair.key, TLS_PAIR_NO_CERTIFICATE);
	expect(pair.cert, pair.cert, TLS_PAIR_NO_KEY);
	expect(pair.cert, "", TLS_PAIR_NO_KEY);
	expect(pair.cert, "-----BEGIN PRIVATE KEY-----", TLS_PAIR_NO_KEY);
	expect(pair.cert, "-----BEGIN -----BEGIN PRIVATE KEY", TLS_PAIR_NO_KEY);
	expect(pair.cert,
	       "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGj\n-----END ENCRYPTED PRIVATE KEY-----\n",
	       TLS_PAIR_ENCRYPTED);
	expect(pair.cert,
	       "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
	       "DEK-Info: AES-128-CBC,00\n\nMIGj\n-----END RSA PRIVATE KEY-----\n",
	       TLS_PAIR_ENCRYPTED);
	pki_pair_done(&pair);
	pki_pair_done(&other);
	pki_free(ca);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_in_use_are_read),
		cmocka_unit_test(so_are_those_of_edwards_curves),
		cmocka_unit_test(a_key_of_dsa_is_never_computed_with),
		cmocka_unit_test(numbers_of_rsa_have_a_bound_each),
		cmocka_unit_test(curves_that_are_not_known_are_of_another_kind),
		cmocka_unit_test(what_is_no_key_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
