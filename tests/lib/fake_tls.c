/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_tls.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"

struct talk {
	struct fake_tls *server;
	struct fake_conn *conn;
	gnutls_session_t session;
	struct buf in;
	size_t wanted; /* bytes of TLS, sent or cut */
	bool is_up, is_over;
};

void fake_tls_init(struct fake_tls *s, const struct pki_pair *pair)
{
	gnutls_datum_t cert = { (unsigned char *)pair->cert, (unsigned)strlen(pair->cert) };
	gnutls_datum_t key = { (unsigned char *)pair->key, (unsigned)strlen(pair->key) };
	gnutls_certificate_credentials_t c;
	int bad = gnutls_certificate_allocate_credentials(&c);

	bad |= gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
	assert(!bad);
	s->credentials = c;
}

void fake_tls_done(struct fake_tls *s)
{
	gnutls_certificate_free_credentials(s->credentials);
}

static void stop(struct talk *t)
{
	t->is_over = true;
	if (t->server->then == FAKE_THEN_ENDS)
		fake_conn_end(t->conn);
	else if (t->server->then == FAKE_THEN_RESETS)
		fake_conn_reset(t->conn);
}

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct talk *t = arg;
	struct fake_tls *s = t->server;
	size_t left = s->cut - s->sent, n = len < left ? len : left;

	t->wanted += len;
	if (t->is_over)
		return (ssize_t)len;
	if (n)
		fake_conn_say(t->conn, data, n);
	s->sent += n;
	if (s->sent == s->cut)
		stop(t);
	return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	struct talk *t = arg;
	size_t n = t->in.len < len ? t->in.len : len;

	if (n == 0) {
		gnutls_transport_set_errno(t->session, EAGAIN);
		return -1;
	}
	memcpy(data, t->in.data, n);
	memmove(t->in.data, t->in.data + n, t->in.len - n);
	t->in.len -= n;
	return (ssize_t)n;
}

static int pull_timeout(gnutls_transport_ptr_t arg, unsigned ms)
{
	(void)ms;
	return ((struct talk *)arg)->in.len > 0;
}

static int speak(gnutls_session_t session, const char *protocol)
{
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)protocol,
				      (unsigned)strlen(protocol) };

	return gnutls_alpn_set_protocols(session, &text, 1, 0);
}

static void *accepted(void *arg, struct fake_conn *c)
{
	struct talk *t = xcalloc(1, sizeof(*t));
	int bad = gnutls_init(&t->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

	t->server = arg;
	t->conn = c;
	t->server->connections++;
	t->server->sent = 0;
	bad |= gnutls_set_default_priority(t->session);
	bad |= gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, t->server->credentials);
	if (t->server->alpn)
		bad |= speak(t->session, t->server->alpn);
	assert(!bad);
	gnutls_transport_set_ptr(t->session, t);
	gnutls_transport_set_push_function(t->session, push);
	gnutls_transport_set_pull_function(t->session, pull);
	gnutls_transport_set_pull_timeout_function(t->session, pull_timeout);
	if (t->server->cut == 0)
		stop(t);
	return t;
}

/* A request is small: it comes in one piece. */
static void answer(struct talk *t, bool closes)
{
	const char *text = t->server->answer;
	size_t left = t->server->len ? t->server->len : strlen(text);
	size_t most = t->server->record ? t->server->record : left;

	t->server->requests++;
	while (left > 0) {
		ssize_t n = gnutls_record_send(t->session, text, left < most ? left : most);

		if (n <= 0)
			break;
		text += n;
		left -= (size_t)n;
	}
	t->server->told += left == 0 && t->wanted <= t->server->cut;
	if (t->server->says_more)
		(void)!gnutls_record_send(t->session, "x", 1);
	if (!closes)
		return;
	(void)!gnutls_bye(t->session, GNUTLS_SHUT_WR);
	if (!t->is_over)
		fake_conn_end(t->conn);
	t->is_over = true;
}

static void heard(void *talk, const void *data, size_t len)
{
	struct talk *t = talk;
	char request[2000];
	ssize_t n = 0;

	if (t->is_over)
		return;
	buf_put(&t->in, data, len);
	if (!t->is_up)
		t->is_up = gnutls_handshake(t->session) == 0;
	if (t->is_up && !t->is_over)
		n = gnutls_record_recv(t->session, request, sizeof(request) - 1);
	if (n <= 0)
		return;
	request[n] = '\0';
	answer(t, strncmp(request, "GET ", 4) != 0 || strstr(request, "\r\nConnection: close\r\n"));
}

static void closed(void *talk, bool reset)
{
	struct talk *t = talk;

	(void)reset;
	t->server->closed++;
	gnutls_deinit(t->session);
	buf_done(&t->in);
	free(t);
}

struct fake_service fake_tls_service(struct fake_tls *s)
{
	return (struct fake_service){ accepted, heard, closed, s };
}
