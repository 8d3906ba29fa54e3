/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/tls_pair.h"
#include "agent/base/xalloc.h"

#define HANDSHAKE_MAX 65536 /* bytes of one handshake message: certificates */
#define ALERTS_MAX    16    /* that are no more than a warning, of one connection */
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
	bool is_asked;	/* an authority was named, good or not */
	bool is_broken; /* it is none */
	bool lacks_own; /* what is to be shown cannot be */
};

struct hc_tls {
	const struct hc_io *io;
	int fd;
	const struct hc_tls_trust *trust;
	gnutls_session_t session;
	struct hc_tls_trust *anybody; /* its own, where no trust was given */
	char *name;		      /* NULL: it may have any */
	const char *protocol;	      /* offered; NULL: none */
	bool is_sending;	      /* a record was begun, and waits for room */
	bool has_heard;		      /* something of the server's, inside TLS */
	bool is_closed;		      /* by the peer */
	bool has_renegotiated;	      /* or is about to */
	bool is_renegotiating;
	unsigned alerts; /* warnings */
	int error;	 /* of the connection: positive */
	int fault;	 /* GnuTLS's, the last: negative */
};

struct hc_tls_trust *hc_tls_trust_new(const char *ca_pem, struct hc_tls_own own)
{
	struct hc_tls_trust *t = xcalloc(1, sizeof(*t));
	gnutls_datum_t pem;

	if (gnutls_certificate_allocate_credentials(&t->credentials) < 0)
		abort(); /* as xalloc */
	if (own.certificate && own.key)
		t->lacks_own = tls_pair_use(t->credentials, own.certificate, own.key) != 0;
	if (!ca_pem)
		return t;
	t->is_asked = true;
	pem.data = (unsigned char *)(uintptr_t)ca_pem;
	pem.size = (unsigned)strlen(ca_pem);
	if (gnutls_certificate_set_x509_trust_mem(t->credentials, &pem, GNUTLS_X509_FMT_PEM) <= 0)
		t->is_broken = true;
	return t;
}

bool hc_tls_trust_is_asked(const struct hc_tls_trust *t)
{
	return t->is_asked;
}

bool hc_tls_trust_is_whole(const struct hc_tls_trust *t)
{
	return !t->is_broken;
}

bool hc_tls_trust_shows_all(const struct hc_tls_trust *t)
{
	return !t->lacks_own;
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

	ssize_t n = t->io->recv(t->io->arg, t->fd, data, len);

	t->is_closed |= n == 0;
	return result(t, n);
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

/* Only names are asked for, never addresses (RFC 6066, 3). */
static bool ask_for(struct hc_tls *t)
{
	struct addr address;

	return !t->name || addr_parse(t->name, &address) == 0 ||
	       gnutls_server_name_set(t->session, GNUTLS_NAME_DNS, t->name, strlen(t->name)) == 0;
}

struct hc_tls *hc_tls_new(const struct hc_io *io, int fd, const struct hc_tls_trust *trust,
			  const char *name)
{
	struct hc_tls *t = xcalloc(1, sizeof(*t));
	unsigned flags = GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;

	t->io = io;
	t->fd = fd;
	if (!trust)
		trust = t->anybody = hc_tls_trust_new(NULL, (struct hc_tls_own){ NULL, NULL });
	t->trust = trust;
	t->name = name ? xstrdup(name) : NULL;
	if (gnutls_init(&t->session, flags) < 0) {
		t->session = NULL;
		hc_tls_free(t);
		return NULL;
	}
	if (!ask_for(t) || gnutls_set_default_priority_append(t->session, PRIORITY, NULL, 0) < 0 ||
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

bool hc_tls_offer(struct hc_tls *t, const char *protocol)
{
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)protocol,
				      (unsigned)strlen(protocol) };

	t->protocol = protocol;
	return gnutls_alpn_set_protocols(t->session, &text, 1, 0) == 0;
}

void hc_tls_free(struct hc_tls *t)
{
	if (!t)
		return;
	if (t->session)
		gnutls_deinit(t->session);
	hc_tls_trust_free(t->anybody);
	free(t->name);
	free(t);
}

/* Whether to go on after r: a server that does nothing but warn would hold up all other probes. */
static bool is_passed_over(struct hc_tls *t, ssize_t r)
{
	return r == GNUTLS_E_WARNING_ALERT_RECEIVED && t->alerts++ < ALERTS_MAX;
}

int hc_tls_handshake(struct hc_tls *t)
{
	int r;

	do
		r = gnutls_handshake(t->session);
	while (is_passed_over(t, r) || r == GNUTLS_E_INTERRUPTED);
	if (r == GNUTLS_E_AGAIN)
		return -EAGAIN;
	t->fault = r;
	return r == 0 ? 0 : -EPROTO;
}

/* What else is wrong counts for less where nobody vouches for it. */
static enum hc_reason reason_of_status(unsigned status)
{
	const unsigned dates = GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
	const unsigned name = GNUTLS_CERT_UNEXPECTED_OWNER;

	if (status & ~(GNUTLS_CERT_INVALID | dates | name))
		return HC_REASON_TLS;
	if (status & dates)
		return HC_REASON_EXPIRED;
	return status & name ? HC_REASON_NAME : HC_REASON_TLS;
}

static enum hc_reason who_vouches(const struct hc_tls *t)
{
	unsigned status = 0;

	if (!t->trust->is_asked)
		return HC_REASON_OK;
	if (gnutls_certificate_verify_peers3(t->session, t->name, &status) < 0)
		return HC_REASON_TLS;
	return status ? reason_of_status(status) : HC_REASON_OK;
}

static bool has_chosen(const struct hc_tls *t)
{
	gnutls_datum_t chosen;

	return gnutls_alpn_get_selected_protocol(t->session, &chosen) == 0 &&
	       chosen.size == strlen(t->protocol) &&
	       memcmp(chosen.data, t->protocol, chosen.size) == 0;
}

/*
 * Who chose no protocol might speak the one that is meant all the same, but most of gRPC's own
 * clients would not talk to it (grpc-go did before 1.67): RFC 9113 section 3.2 has ALPN as a must.
 */
enum hc_reason hc_tls_trusts(const struct hc_tls *t)
{
	enum hc_reason r = who_vouches(t);

	return r == HC_REASON_OK && t->protocol && !has_chosen(t) ? HC_REASON_NO_HTTP2 : r;
}

/*
 * It asked who we are, and what we had to show was not enough. In TLS 1.3 it says so after our side
 * of the handshake is done, and some only close.
 */
static bool wants_certificate(const struct hc_tls *t)
{
	return !t->has_heard && gnutls_certificate_client_get_request_status(t->session) != 0;
}

static enum hc_reason reason_of_alert(const struct hc_tls *t)
{
	gnutls_alert_description_t alert = gnutls_alert_get(t->session);

	if (wants_certificate(t))
		return HC_REASON_CLIENT_CERTIFICATE;
	if (alert == GNUTLS_A_NO_APPLICATION_PROTOCOL && t->protocol)
		return HC_REASON_NO_HTTP2;
	return alert == GNUTLS_A_UNRECOGNIZED_NAME ? HC_REASON_NAME : HC_REASON_TLS;
}

/* It speaks TLS, and will not have it so. */
static bool breaks_off(const struct hc_tls *t)
{
	return t->fault == GNUTLS_E_FATAL_ALERT_RECEIVED ||
	       t->fault == GNUTLS_E_WARNING_ALERT_RECEIVED || t->fault == GNUTLS_E_REHANDSHAKE ||
	       (t->is_renegotiating && !t->error && !t->is_closed);
}

struct hc_outcome hc_tls_fault(const struct hc_tls *t)
{
	if (breaks_off(t))
		return (struct hc_outcome){ reason_of_alert(t), 0 };
	if (t->fault == GNUTLS_E_CERTIFICATE_ERROR || t->fault == GNUTLS_E_NO_CIPHER_SUITES)
		return (struct hc_outcome){ HC_REASON_TLS, 0 };
	if (!t->error && !t->is_closed)
		return (struct hc_outcome){ HC_REASON_NOT_TLS, 0 };
	if (wants_certificate(t))
		return (struct hc_outcome){ HC_REASON_CLIENT_CERTIFICATE, 0 };
	return hc_outcome_of_connection(t->error ? t->error : ECONNRESET);
}

bool hc_tls_wants_write(const struct hc_tls *t)
{
	return gnutls_record_get_direction(t->session) == 1;
}

bool hc_tls_has_more(const struct hc_tls *t)
{
	return gnutls_record_check_pending(t->session) > 0;
}

static ssize_t outcome(struct hc_tls *t, ssize_t r)
{
	if (r >= 0)
		return r;
	if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	t->fault = (int)r;
	/* Few say goodbye in TLS before they close. */
	if (r == GNUTLS_E_PREMATURE_TERMINATION && !wants_certificate(t))
		return 0;
	return t->error ? -t->error : -EPROTO;
}

ssize_t hc_tls_send(struct hc_tls *t, const void *data, size_t len)
{
	ssize_t r;

	if (t->is_renegotiating)
		return outcome(t, GNUTLS_E_REHANDSHAKE); /* see below */
	r = t->is_sending ? gnutls_record_send(t->session, NULL, 0)
			  : gnutls_record_send(t->session, data, len);
	t->is_sending = r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
	return outcome(t, r);
}

/*
 * A server of TLS 1.2 may shake hands again once it has read what it is asked for, mostly to see our
 * certificate. It may once, since it costs what the first time did, and not while there is anything
 * to be sent. Another certificate than before is not taken (no GNUTLS_ALLOW_ID_CHANGE).
 */
static bool may_renegotiate(struct hc_tls *t, ssize_t r)
{
	if (r != GNUTLS_E_REHANDSHAKE || t->has_renegotiated || t->is_sending)
		return false;
	return t->has_renegotiated = t->is_renegotiating = true;
}

static ssize_t renegotiate(struct hc_tls *t)
{
	int r = gnutls_handshake(t->session);

	if (r == GNUTLS_E_GOT_APPLICATION_DATA)
		return 0; /* from before: it is there to be read first */
	t->is_renegotiating = r < 0;
	return r;
}

ssize_t hc_tls_recv(struct hc_tls *t, void *data, size_t len)
{
	ssize_t r;

	do {
		r = t->is_renegotiating ? renegotiate(t) : 0;
		if (r == 0)
			r = gnutls_record_recv(t->session, data, len);
	} while (is_passed_over(t, r) || may_renegotiate(t, r));
	t->has_heard |= r > 0;
	return outcome(t, r);
}
