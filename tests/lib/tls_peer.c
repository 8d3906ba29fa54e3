/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/tls_peer.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/base/xalloc.h"

#define DAY 86400

struct tls_peer {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
	gnutls_datum_t pem;
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t session;
	struct buf to_server, to_client;
	size_t piece;
	bool is_up, is_closed;
};

static void make_certificate(struct tls_peer *p)
{
	time_t now = time(NULL);
	int bad = 0;

	bad |= gnutls_x509_privkey_init(&p->key);
	bad |= gnutls_x509_privkey_generate(p->key, GNUTLS_PK_ECDSA,
					    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	bad |= gnutls_x509_crt_init(&p->certificate);
	bad |= gnutls_x509_crt_set_version(p->certificate, 3);
	bad |= gnutls_x509_crt_set_serial(p->certificate, "\1", 1);
	bad |= gnutls_x509_crt_set_activation_time(p->certificate, now - DAY);
	bad |= gnutls_x509_crt_set_expiration_time(p->certificate, now + DAY);
	bad |= gnutls_x509_crt_set_dn_by_oid(p->certificate, GNUTLS_OID_X520_COMMON_NAME, 0, "db1",
					     3);
	bad |= gnutls_x509_crt_set_basic_constraints(p->certificate, 1, -1);
	bad |= gnutls_x509_crt_set_key(p->certificate, p->key);
	bad |= gnutls_x509_crt_sign2(p->certificate, p->certificate, p->key, GNUTLS_DIG_SHA256, 0);
	bad |= gnutls_x509_crt_export2(p->certificate, GNUTLS_X509_FMT_PEM, &p->pem);
	assert(!bad);
}

static size_t take(struct buf *b, void *data, size_t len)
{
	size_t n = b->len < len ? b->len : len;

	if (n == 0)
		return 0;
	memcpy(data, b->data, n);
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	return n;
}

/* --- the server's end ------------------------------------------------------------- */

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	buf_put(&((struct tls_peer *)arg)->to_client, data, len);
	return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	struct tls_peer *p = arg;
	size_t n = take(&p->to_server, data, len);

	if (n)
		return (ssize_t)n;
	gnutls_transport_set_errno(p->session, EAGAIN);
	return -1;
}

static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
	(void)ms;
	return ((struct tls_peer *)arg)->to_server.len > 0;
}

static struct tls_peer *make(const char *priority)
{
	struct tls_peer *p = xcalloc(1, sizeof(*p));
	int bad = 0;

	make_certificate(p);
	bad |= gnutls_certificate_allocate_credentials(&p->credentials);
	bad |= gnutls_certificate_set_x509_key(p->credentials, &p->certificate, 1, p->key);
	bad |= gnutls_init(&p->session, GNUTLS_SERVER | GNUTLS_NONBLOCK);
	bad |= gnutls_set_default_priority_append(p->session, priority, NULL, 0);
	bad |= gnutls_credentials_set(p->session, GNUTLS_CRD_CERTIFICATE, p->credentials);
	assert(!bad);
	gnutls_transport_set_ptr(p->session, p);
	gnutls_transport_set_push_function(p->session, push);
	gnutls_transport_set_pull_function(p->session, pull);
	gnutls_transport_set_pull_timeout_function(p->session, pull_timeout);
	return p;
}

struct tls_peer *tls_peer_new(void)
{
	return make("+VERS-TLS1.3");
}

struct tls_peer *tls_peer_new_1_2(void)
{
	return make("-VERS-TLS1.3");
}

void tls_peer_free(struct tls_peer *p)
{
	gnutls_deinit(p->session);
	gnutls_certificate_free_credentials(p->credentials);
	gnutls_x509_crt_deinit(p->certificate);
	gnutls_x509_privkey_deinit(p->key);
	gnutls_free(p->pem.data);
	buf_done(&p->to_server);
	buf_done(&p->to_client);
	free(p);
}

const char *tls_peer_certificate(const struct tls_peer *p)
{
	return (const char *)p->pem.data;
}

void tls_peer_speak(struct tls_peer *p, const char *protocol, bool breaks_off)
{
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)protocol,
				      (unsigned)strlen(protocol) };

	assert(gnutls_alpn_set_protocols(p->session, &text, 1,
					 breaks_off ? GNUTLS_ALPN_MANDATORY : 0) == 0);
}

void tls_peer_turn(struct tls_peer *p)
{
	char data[100];
	ssize_t n;

	if (!p->is_up) {
		int r = gnutls_handshake(p->session);

		p->is_up = r == 0;
		if (r < 0 && gnutls_error_is_fatal(r))
			(void)!gnutls_alert_send_appropriate(p->session, r);
	}
	while (p->is_up && (n = gnutls_record_recv(p->session, data, sizeof(data))) > 0)
		assert(gnutls_record_send(p->session, data, (size_t)n) == n);
}

void tls_peer_close(struct tls_peer *p)
{
	p->is_closed = true;
}

void tls_peer_say(struct tls_peer *p, const void *data, size_t len)
{
	buf_put(&p->to_client, data, len);
}

void tls_peer_ask_again(struct tls_peer *p, bool demands)
{
	gnutls_certificate_server_set_request(p->session,
					      demands ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
	assert(gnutls_rehandshake(p->session) == 0);
	p->is_up = false;
}

void tls_peer_become(struct tls_peer *p, const struct tls_peer *other)
{
	assert(gnutls_credentials_set(p->session, GNUTLS_CRD_CERTIFICATE, other->credentials) == 0);
}

void tls_peer_warn(struct tls_peer *p, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert(gnutls_alert_send(p->session, GNUTLS_AL_WARNING,
					 GNUTLS_A_NO_RENEGOTIATION) == 0);
}

bool tls_peer_is_up(const struct tls_peer *p)
{
	return p->is_up;
}

/* --- the client's ----------------------------------------------------------------- */

static ssize_t client_send(void *arg, int fd, const void *data, size_t len)
{
	struct tls_peer *p = arg;

	(void)fd;
	/* Room for one piece until the server has read it. */
	if (p->to_server.len >= p->piece)
		return -EAGAIN;
	len = len < p->piece ? len : p->piece;
	buf_put(&p->to_server, data, len);
	return (ssize_t)len;
}

static ssize_t client_recv(void *arg, int fd, void *data, size_t len)
{
	struct tls_peer *p = arg;
	size_t n = take(&p->to_client, data, len < p->piece ? len : p->piece);

	(void)fd;
	return n || p->is_closed ? (ssize_t)n : -EAGAIN;
}

struct hc_io tls_peer_io(struct tls_peer *p, size_t piece)
{
	p->piece = piece;
	return (struct hc_io){ .send = client_send, .recv = client_recv, .arg = p };
}
