/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

#define HANDSHAKE_MAX 65536 /* bytes of one handshake message: certificates */
/*
 * What a stranger's key may cost: this process has one thread, and a signature is verified before
 * anybody asks whose it is. 8192 bits with a usual exponent take a millisecond, 32,768 with one as
 * long two seconds.
 */
#define RSA_BITS_MAX	 8192
#define RSA_EXPONENT_MAX 8 /* bytes; all in use are 65537 */
/* Nor in a group of its own choice. */
#define PRIORITY "-DHE-RSA:-DHE-DSS:-GROUP-DH-ALL"

struct hc_tls_trust {
	gnutls_certificate_credentials_t credentials;
	bool is_asked; /* an authority was named, good or not */
};

struct hc_tls {
	const struct hc_io *io;
	int fd;
	const struct hc_tls_trust *trust;
	gnutls_session_t session;
	bool is_sending; /* a record was begun, and waits for room */
	int error;	 /* of the connection: positive */
};

struct hc_tls_trust *hc_tls_trust_new(const char *ca_pem)
{
	struct hc_tls_trust *t = xcalloc(1, sizeof(*t));
	gnutls_datum_t pem;

	if (gnutls_certificate_allocate_credentials(&t->credentials) < 0)
		abort(); /* as xalloc */
	if (!ca_pem)
		return t;
	t->is_asked = true;
	pem.data = (unsigned char *)(uintptr_t)ca_pem;
	pem.size = (unsigned)strlen(ca_pem);
	(void)gnutls_certificate_set_x509_trust_mem(t->credentials, &pem, GNUTLS_X509_FMT_PEM);
	return t;
}

bool hc_tls_trust_is_asked(const struct hc_tls_trust *t)
{
	return t->is_asked;
}

void hc_tls_trust_free(struct hc_tls_trust *t)
{
	if (!t)
		return;
	gnutls_certificate_free_credentials(t->credentials);
	free(t);
}

/* --- the connection below --------------------------------------------------------- */

static ssize_t result(struct hc_tls *t, ssize_t n)
{
	if (n >= 0)
		return n;
	if (n != -EAGAIN)
		t->error = (int)-n;
	gnutls_transport_set_errno(t->session, (int)-n);
	return -1;
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct hc_tls *t = arg;

	return result(t, t->io->send(t->io->arg, t->fd, data, len));
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	struct hc_tls *t = arg;

	return result(t, t->io->recv(t->io->arg, t->fd, data, len));
}

/* Asked by the handshake between two attempts: we never wait here, so it may always try. */
static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
	(void)arg;
	(void)ms;
	return 1;
}

/* --- keys that cost too much --------------------------------------------------------- */

static size_t bytes_of(const gnutls_datum_t *number)
{
	size_t zeros = 0;

	while (zeros < number->size && number->data[zeros] == 0)
		zeros++;
	return number->size - zeros;
}

static bool rsa_is_small(gnutls_x509_crt_t c, unsigned bits)
{
	gnutls_datum_t modulus = { 0 }, exponent = { 0 };
	bool yes = bits <= RSA_BITS_MAX &&
		   gnutls_x509_crt_get_pk_rsa_raw(c, &modulus, &exponent) == 0 &&
		   bytes_of(&exponent) <= RSA_EXPONENT_MAX;

	gnutls_free(modulus.data);
	gnutls_free(exponent.data);
	return yes;
}

bool hc_tls_key_is_small(const void *der, size_t len)
{
	const gnutls_datum_t in = { (unsigned char *)(uintptr_t)der, (unsigned)len };
	gnutls_x509_crt_t c;
	unsigned bits = 0;
	int algorithm;
	bool yes;

	if (gnutls_x509_crt_init(&c) < 0)
		return false;
	yes = gnutls_x509_crt_import(c, &in, GNUTLS_X509_FMT_DER) == 0;
	algorithm = yes ? gnutls_x509_crt_get_pk_algorithm(c, &bits) : 0;
	if (algorithm == GNUTLS_PK_RSA || algorithm == GNUTLS_PK_RSA_PSS)
		yes = rsa_is_small(c, bits);
	else if (algorithm == GNUTLS_PK_DSA)
		yes = false;
	gnutls_x509_crt_deinit(c);
	return yes;
}

/* After each message: behind that of the certificates they are not there yet. */
static int check_keys(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		      const gnutls_datum_t *message)
{
	unsigned count = 0;
	const gnutls_datum_t *all = gnutls_certificate_get_peers(session, &count);

	(void)type;
	(void)when;
	(void)incoming;
	(void)message;
	for (unsigned i = 0; all && i < count; i++) {
		if (!hc_tls_key_is_small(all[i].data, all[i].size))
			return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}

/* --- the session ------------------------------------------------------------------ */

struct hc_tls *hc_tls_new(const struct hc_io *io, int fd, const struct hc_tls_trust *trust)
{
	struct hc_tls *t = xcalloc(1, sizeof(*t));
	unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;

	t->io = io;
	t->fd = fd;
	t->trust = trust;
	if (gnutls_init(&t->session, flags) < 0) {
		free(t);
		return NULL;
	}
	if (gnutls_set_default_priority_append(t->session, PRIORITY, NULL, 0) < 0 ||
	    gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, trust->credentials) < 0) {
		hc_tls_free(t);
		return NULL;
	}
	gnutls_handshake_set_max_packet_length(t->session, HANDSHAKE_MAX);
	gnutls_handshake_set_hook_function(t->session, GNUTLS_HANDSHAKE_ANY, GNUTLS_HOOK_POST,
					   check_keys);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_push_function(t->session, push);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	return t;
}

void hc_tls_free(struct hc_tls *t)
{
	if (!t)
		return;
	gnutls_deinit(t->session);
	free(t);
}

int hc_tls_handshake(struct hc_tls *t)
{
	int r;

	do
		r = gnutls_handshake(t->session);
	while (r == GNUTLS_E_WARNING_ALERT_RECEIVED || r == GNUTLS_E_INTERRUPTED);
	if (r == GNUTLS_E_AGAIN)
		return -EAGAIN;
	return r == 0 ? 0 : -EPROTO;
}

bool hc_tls_is_trusted(const struct hc_tls *t)
{
	unsigned status = 0;

	/* The address is what we were told to probe; a certificate seldom names one. */
	return !t->trust->is_asked ||
	       (gnutls_certificate_verify_peers2(t->session, &status) == 0 && status == 0);
}

bool hc_tls_wants_write(const struct hc_tls *t)
{
	return gnutls_record_get_direction(t->session) == 1;
}

static ssize_t outcome(const struct hc_tls *t, ssize_t r)
{
	if (r >= 0)
		return r;
	if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	/* Few say goodbye in TLS before they close. */
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	return t->error ? -t->error : -EPROTO;
}

ssize_t hc_tls_send(struct hc_tls *t, const void *data, size_t len)
{
	ssize_t r = t->is_sending ? gnutls_record_send(t->session, NULL, 0)
				  : gnutls_record_send(t->session, data, len);

	t->is_sending = r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
	return outcome(t, r);
}

ssize_t hc_tls_recv(struct hc_tls *t, void *data, size_t len)
{
	ssize_t r;

	do
		r = gnutls_record_recv(t->session, data, len);
	while (r == GNUTLS_E_WARNING_ALERT_RECEIVED);
	return outcome(t, r);
}
