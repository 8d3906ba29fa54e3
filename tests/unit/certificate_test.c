/* SPDX-License-Identifier: GPL-2.0-or-later */
/* certificate.c: a certificate of our own making, and when it is made anew. */
#include "agent/certificate.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"

#define NOW    INT64_C(1795316400000)
#define DAY_MS (86400 * INT64_C(1000))

static const char *const names[] = { "lb-1", "lb.example", "192.0.2.1", "[2001:db8::1]", NULL };

struct ground {
	char directory[32], path[64];
};

static int set_up(void **state)
{
	static struct ground g;

	snprintf(g.directory, sizeof(g.directory), "/tmp/certificate_XXXXXX");
	assert_non_null(mkdtemp(g.directory));
	snprintf(g.path, sizeof(g.path), "%s/" CERTIFICATE_FILE, g.directory);
	*state = &g;
	return 0;
}

static int tear_down(void **state)
{
	struct ground *g = *state;

	unlink(g->path);
	return rmdir(g->directory);
}

static gnutls_x509_crt_t read_crt(const struct buf *pem)
{
	const gnutls_datum_t d = { pem->data, (unsigned)pem->len };
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	assert_int_equal(gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM), 0);
	return crt;
}

static void it_is_for_its_names_and_for_servers(void **state)
{
	struct buf pem = { 0 };
	struct err err = { 0 };
	gnutls_x509_crt_t crt;
	char purpose[64];
	size_t size = sizeof(purpose);
	unsigned bits;

	(void)state;
	assert_int_equal(certificate_make(names, NOW, &pem, &err), 0);
	crt = read_crt(&pem);
	assert_true(gnutls_x509_crt_check_hostname(crt, "lb-1"));
	assert_true(gnutls_x509_crt_check_hostname(crt, "lb.example"));
	assert_true(gnutls_x509_crt_check_hostname(crt, "192.0.2.1"));
	assert_true(gnutls_x509_crt_check_hostname(crt, "2001:db8::1"));
	assert_false(gnutls_x509_crt_check_hostname(crt, "evil.example"));
	assert_int_equal(gnutls_x509_crt_get_pk_algorithm(crt, &bits), GNUTLS_PK_ECDSA);
	assert_int_equal(bits, 256);
	assert_int_equal(gnutls_x509_crt_get_key_purpose_oid(crt, 0, purpose, &size, NULL), 0);
	assert_string_equal(purpose, GNUTLS_KP_TLS_WWW_SERVER);
	assert_int_equal(gnutls_x509_crt_get_ca_status(crt, NULL), 0);
	gnutls_x509_crt_deinit(crt);
	buf_wipe(&pem);
}

static void its_fingerprint_and_its_end_are_told(void **state)
{
	struct certificate_facts facts;
	struct buf pem = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(certificate_make(names, NOW, &pem, &err), 0);
	assert_int_equal(certificate_look(buf_cstr(&pem), pem.len, &facts, &err), 0);
	assert_int_equal(strlen(facts.fingerprint), 32 * 3 - 1);
	assert_int_equal(strspn(facts.fingerprint, "0123456789ABCDEF:"), 32 * 3 - 1);
	assert_true(facts.not_after_ms == NOW + (CERTIFICATE_DAYS - 1) * DAY_MS);
	assert_int_equal(certificate_look("no", 2, &facts, &err), -EINVAL);
	assert_string_equal(facts.fingerprint, "");
	buf_wipe(&pem);
}

static char *fingerprint_at(const struct ground *g, const char *const *of, int64_t now_ms)
{
	struct certificate_facts facts;
	struct buf pem = { 0 };
	struct err err = { 0 };

	assert_int_equal(certificate_own(g->path, of, now_ms, &pem, &err), 0);
	assert_int_equal(certificate_look(buf_cstr(&pem), pem.len, &facts, &err), 0);
	assert_non_null(strstr(buf_cstr(&pem), "PRIVATE KEY"));
	buf_wipe(&pem);
	return strdup(facts.fingerprint);
}

static void is_kept(const struct ground *g, const char *first, const char *const *of,
		    int64_t now_ms, bool kept)
{
	char *now = fingerprint_at(g, of, now_ms);

	assert_int_equal(strcmp(first, now) == 0, kept);
	free(now);
}

static void it_is_kept_while_it_serves(void **state)
{
	static const char *const fewer[] = { "lb-1", NULL };
	struct ground *g = *state;
	char *first = fingerprint_at(g, names, NOW);
	struct stat st;

	assert_int_equal(stat(g->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	is_kept(g, first, names, NOW, true);
	is_kept(g, first, fewer, NOW, true);
	is_kept(g, first, names, NOW + (CERTIFICATE_DAYS - 2 - CERTIFICATE_RENEW_DAYS) * DAY_MS,
		true);
	free(first);
}

static void it_is_made_anew_before_it_ends(void **state)
{
	struct ground *g = *state;
	char *first = fingerprint_at(g, names, NOW);

	is_kept(g, first, names, NOW + (CERTIFICATE_DAYS - CERTIFICATE_RENEW_DAYS) * DAY_MS, false);
	free(first);
}

static void it_is_made_anew_for_another_name(void **state)
{
	static const char *const others[] = { "lb-1", "10.0.0.1", NULL };
	struct ground *g = *state;
	char *first = fingerprint_at(g, names, NOW);

	is_kept(g, first, others, NOW, false);
	free(first);
}

/* Half of it, another's key, anything: it cannot be used, so it is replaced. */
static void what_is_no_pair_is_replaced(void **state)
{
	struct ground *g = *state;
	struct buf a = { 0 }, b = { 0 };
	struct err err = { 0 };
	char *first;

	assert_int_equal(certificate_make(names, NOW, &a, &err), 0);
	assert_int_equal(certificate_make(names, NOW, &b, &err), 0);
	buf_reset(&b);
	for (size_t len = 0; len < a.len; len += 97) {
		assert_int_equal(file_write(g->path, a.data, len, &err), 0);
		free(fingerprint_at(g, names, NOW));
	}
	assert_int_equal(file_write(g->path, a.data, a.len, &err), 0);
	first = fingerprint_at(g, names, NOW);
	is_kept(g, first, names, NOW, true);
	/* The certificate, and behind it the key of another one. */
	buf_put(&b, a.data, (size_t)(strstr(buf_cstr(&a), "-----BEGIN EC") - (char *)a.data));
	buf_reset(&a);
	assert_int_equal(certificate_make(names, NOW, &a, &err), 0);
	buf_str(&b, strstr(buf_cstr(&a), "-----BEGIN EC"));
	assert_int_equal(file_write(g->path, b.data, b.len, &err), 0);
	is_kept(g, first, names, NOW, false);
	free(first);
	buf_wipe(&a);
	buf_wipe(&b);
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
	struct buf pem = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_true(certificate_own("/nowhere/tls.pem", names, NOW, &pem, &err) < 0);
	assert_non_null(strstr(err.text, "/nowhere/tls.pem"));
	buf_wipe(&pem);
}

#define IN_DIRECTORY(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_for_its_names_and_for_servers),
		cmocka_unit_test(its_fingerprint_and_its_end_are_told),
		IN_DIRECTORY(it_is_kept_while_it_serves),
		IN_DIRECTORY(it_is_made_anew_before_it_ends),
		IN_DIRECTORY(it_is_made_anew_for_another_name),
		IN_DIRECTORY(what_is_no_pair_is_replaced),
		cmocka_unit_test(a_file_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
