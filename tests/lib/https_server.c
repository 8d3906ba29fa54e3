/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/https_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "agent/base/xalloc.h"

#define CONNECTIONS_MAX 64
#define HEAD_MAX	16384

struct https_connection {
	struct https_server *server;
	gnutls_session_t session; /* NULL: without TLS */
	int fd;
	bool over;
	pthread_t thread;
};

struct https_server {
	struct https_options options;
	gnutls_certificate_credentials_t credentials;
	int fd, go_fd, stop_fd;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	struct https_connection connections[CONNECTIONS_MAX];
	unsigned count;
};

/* --- one connection -------------------------------------------------------------- */

static ssize_t receive(struct https_connection *c, void *out, size_t size)
{
	return c->session ? gnutls_record_recv(c->session, out, size) : recv(c->fd, out, size, 0);
}

void https_send(struct https_connection *c, const void *data, size_t len)
{
	const char *p = data;

	while (len && !c->over) {
		ssize_t n = c->session ? gnutls_record_send(c->session, p, len)
				       : send(c->fd, p, len, MSG_NOSIGNAL);

		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n <= 0) {
			c->over = true;
			return;
		}
		p += n;
		len -= (size_t)n;
	}
}

void https_send_text(struct https_connection *c, const char *text)
{
	https_send(c, text, strlen(text));
}

void https_reset(struct https_connection *c)
{
	const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	c->over = true;
}

bool https_wait(struct https_connection *c)
{
	struct pollfd fds[] = { { .fd = c->server->go_fd, .events = POLLIN },
				{ .fd = c->server->stop_fd, .events = POLLIN },
				{ .fd = c->fd, .events = POLLRDHUP } };
	uint64_t one;

	while (!c->over) {
		if (poll(fds, 3, -1) <= 0 || fds[1].revents || fds[2].revents)
			c->over = true;
		else if (read(c->server->go_fd, &one, sizeof(one)) == sizeof(one))
			return true;
	}
	return false;
}

/* A head, with a NUL behind; false: the connection is over. Bodies are not looked for. */
static bool receive_head(struct https_connection *c, char *head)
{
	size_t len = 0;

	do {
		ssize_t n = receive(c, head + len, HEAD_MAX - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = '\0';
		/* What is no HTTP is answered as it comes. */
	} while (head[0] >= 'A' && !strstr(head, "\r\n\r\n") && len < HEAD_MAX - 1);
	return true;
}

/* Closing with something unread would reset the connection, and the alert would be lost. */
static void send_alert(struct https_connection *c, int why)
{
	char rest[256];

	gnutls_alert_send_appropriate(c->session, why);
	shutdown(c->fd, SHUT_WR);
	while (recv(c->fd, rest, sizeof(rest), 0) > 0)
		;
}

static bool shake_hands(struct https_connection *c)
{
	struct https_server *s = c->server;
	int r;

	if (!s->options.cert)
		return true;
	gnutls_init(&c->session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
	gnutls_set_default_priority(c->session);
	gnutls_credentials_set(c->session, GNUTLS_CRD_CERTIFICATE, s->credentials);
	if (s->options.client_ca) {
		gnutls_certificate_server_set_request(c->session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(c->session, NULL, 0);
	}
	gnutls_transport_set_int(c->session, c->fd);
	do {
		r = gnutls_handshake(c->session);
	} while (r < 0 && !gnutls_error_is_fatal(r));
	if (r < 0)
		send_alert(c, r);
	return r >= 0;
}

static void *serve(void *arg)
{
	struct https_connection *c = arg;
	struct https_server *s = c->server;
	char *head = xmalloc(HEAD_MAX);
	bool more = shake_hands(c);

	while (more && receive_head(c, head))
		more = s->options.serve(c, head, s->options.arg) && !c->over;
	if (c->session && !c->over)
		gnutls_bye(c->session, GNUTLS_SHUT_WR);
	if (c->session)
		gnutls_deinit(c->session);
	free(head);
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* --- the server -------------------------------------------------------------------- */

static void *accept_all(void *arg)
{
	struct https_server *s = arg;
	int fd;

	while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		pthread_mutex_lock(&s->lock);
		if (s->count < CONNECTIONS_MAX) {
			struct https_connection *c = &s->connections[s->count++];

			c->server = s;
			c->fd = fd;
			if (pthread_create(&c->thread, NULL, serve, c) != 0)
				abort();
		} else {
			close(fd);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void load(struct https_server *s, const struct https_options *o)
{
	gnutls_datum_t cert = { (unsigned char *)(uintptr_t)o->cert, (unsigned)strlen(o->cert) };
	gnutls_datum_t key = { (unsigned char *)(uintptr_t)o->key, (unsigned)strlen(o->key) };

	assert_int_equal(gnutls_certificate_allocate_credentials(&s->credentials), 0);
	assert_int_equal(gnutls_certificate_set_x509_key_mem(s->credentials, &cert, &key,
							     GNUTLS_X509_FMT_PEM),
			 0);
	if (o->client_ca) {
		gnutls_datum_t ca = { (unsigned char *)(uintptr_t)o->client_ca,
				      (unsigned)strlen(o->client_ca) };

		assert_int_equal(gnutls_certificate_set_x509_trust_mem(s->credentials, &ca,
								       GNUTLS_X509_FMT_PEM),
				 1);
	}
}

struct https_server *https_server_start(const struct https_options *o)
{
	struct https_server *s = xcalloc(1, sizeof(*s));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	s->options = *o;
	if (o->cert)
		load(s, o);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->go_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE | EFD_NONBLOCK);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	assert_true(s->fd >= 0 && s->go_fd >= 0 && s->stop_fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s->fd, 16), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
	s->port = ntohs(a.sin_port);
	pthread_mutex_init(&s->lock, NULL);
	assert_int_equal(pthread_create(&s->thread, NULL, accept_all, s), 0);
	return s;
}

unsigned https_server_port(const struct https_server *s)
{
	return s->port;
}

unsigned https_server_connections(struct https_server *s)
{
	unsigned count;

	pthread_mutex_lock(&s->lock);
	count = s->count;
	pthread_mutex_unlock(&s->lock);
	return count;
}

static void count_up(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

void https_server_go(struct https_server *s)
{
	count_up(s->go_fd);
}

void https_server_stop(struct https_server *s)
{
	if (!s)
		return;
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	count_up(s->stop_fd);
	for (unsigned i = 0; i < s->count; i++) {
		pthread_mutex_lock(&s->lock);
		if (s->connections[i].fd >= 0)
			shutdown(s->connections[i].fd, SHUT_RDWR);
		pthread_mutex_unlock(&s->lock);
		pthread_join(s->connections[i].thread, NULL);
	}
	close(s->fd);
	close(s->go_fd);
	close(s->stop_fd);
	if (s->credentials)
		gnutls_certificate_free_credentials(s->credentials);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
