/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/http_role.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/api/front.h"
#include "agent/api/front_certificate.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/certificate.h"
#include "agent/place.h"

#define BACKLOG	      512
#define DAY_MS	      (86400 * INT64_C(1000))
#define LOOK_EVERY_MS (3600 * INT64_C(1000))
#define NAMES_MAX     (CONFIG_HOSTS_MAX + 3) /* the node's, the address's, and the NULL */

struct http_life {
	struct role_context *context;
	int fd;
	struct buf certificate, key; /* the same file, where it is our own */
	struct buf client_ca;	     /* empty: no certificate of a client is asked for */
	struct certificate_facts facts;
	struct front *front;
};

/* --- with privilege ------------------------------------------------------------------ */

/* What it is called by: the node's name, those of the configuration, the address. */
static void collect_names(const struct config *c, char address[static ADDR_TEXT_MAX + 2],
			  const char *names[static NAMES_MAX])
{
	char text[ADDR_TEXT_MAX];
	size_t n = 0;

	names[n++] = c->node;
	for (size_t i = 0; i < c->api_hosts.count; i++)
		names[n++] = c->api_hosts.items[i];
	if (!addr_is_unspecified(&c->api_listen.addr)) {
		bool v6 = c->api_listen.addr.family == AF_INET6;

		addr_text(&c->api_listen.addr, text);
		snprintf(address, ADDR_TEXT_MAX + 2, v6 ? "[%s]" : "%s", text);
		names[n++] = address;
	}
	names[n] = NULL;
}

/* As the user whose the directory is: root without CAP_DAC_OVERRIDE could not go in. */
static int as_user(const char *user, bool begin)
{
	const struct passwd *pw = getuid() == 0 ? getpwnam(user) : NULL;

	if (!pw)
		return 0;
	if (begin)
		return setegid(pw->pw_gid) < 0 || seteuid(pw->pw_uid) < 0 ? -errno : 0;
	return seteuid(0) < 0 || setegid(getgid()) < 0 ? -errno : 0;
}

static int take_own(const struct config *c, struct http_life *l, struct err *err)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/" CERTIFICATE_FILE, c->state_directory);
	const char *names[NAMES_MAX];
	char address[ADDR_TEXT_MAX + 2];
	int r = place_private(c->state_directory, c->user);

	collect_names(c, address, names);
	if (r == 0 || r == -EROFS) /* one that is there will do */
		r = as_user(c->user, true);
	if (r < 0)
		return err_set(err, r, "stateDirectory %s: %s", c->state_directory, strerror(-r));
	r = certificate_own(path, names, clock_wall_ms(&clock_system), &l->certificate, err);
	if (as_user(c->user, false) < 0)
		return err_set(err, -EPERM, "cannot be root again");
	if (r == 0)
		buf_put(&l->key, l->certificate.data, l->certificate.len);
	return r;
}

static int take_given(const struct config *c, struct http_life *l, struct err *err)
{
	int r = file_read(c->tls_certificate, CERTIFICATE_BYTES_MAX, &l->certificate, err);

	if (r == 0) {
		buf_reserve(&l->key, CERTIFICATE_BYTES_MAX);
		r = file_read(c->tls_key, CERTIFICATE_BYTES_MAX, &l->key, err);
	}
	return r;
}

static int take_certificate(const struct config *c, struct http_life *l, struct err *err)
{
	int r = c->tls_self_signed ? take_own(c, l, err) : take_given(c, l, err);

	if (r == 0)
		r = certificate_look(buf_cstr(&l->certificate), l->certificate.len, &l->facts, err);
	return r < 0 ? err_wrap(err, r, "api.tls") : 0;
}

static int take_client_ca(const struct config *c, struct http_life *l, struct err *err)
{
	int r;

	if (!c->client_ca)
		return 0;
	r = file_read(c->client_ca, CERTIFICATE_BYTES_MAX, &l->client_ca, err);
	if (r == 0) {
		r = front_authorities_look(buf_cstr(&l->client_ca), l->client_ca.len, err);
		if (r < 0)
			r = err_wrap(err, r, "%s", c->client_ca);
	}
	return r < 0 ? err_wrap(err, r, "api.clientCertificates.ca") : 0;
}

int http_role_prepare(struct role_context *context)
{
	const struct config *c = context->config;
	struct http_life *l = xcalloc(1, sizeof(*l));
	char e[ENDPOINT_TEXT_MAX];
	struct err err = { 0 };

	context->arg = l;
	l->context = context;
	l->fd = -1;
	tzset(); /* while there are files */
	if (take_certificate(c, l, &err) < 0 || take_client_ca(c, l, &err) < 0) {
		log_error("http", "%s", err.text);
		return -1;
	}
	l->fd = place_listen(&c->api_listen, BACKLOG);
	if (l->fd < 0) {
		log_error("http", "api.listen %s: %s", endpoint_text(&c->api_listen, e),
			  strerror(-l->fd));
		return -1;
	}
	return 0;
}

/* --- without ---------------------------------------------------------------------------- */

static void on_peer(void *arg, enum role_id role, int fd)
{
	struct http_life *l = arg;

	(void)role; /* only core is linked to us */
	front_connect(l->front, fd);
}

/* A new one is made, or read, when this process is started again. */
static void look_at_age(void *arg)
{
	struct http_life *l = arg;
	int64_t left = l->facts.not_after_ms - clock_wall_ms(&clock_system);

	if (l->context->config->tls_self_signed && left < CERTIFICATE_RENEW_DAYS * DAY_MS) {
		log_info("http", "the certificate ends soon: starting anew with another");
		loop_stop(l->context->loop, 0);
		return;
	}
	loop_timer_in(l->context->loop, LOOK_EVERY_MS, look_at_age, l);
}

static void tell(const struct http_life *l)
{
	char e[ENDPOINT_TEXT_MAX];

	log_info("http", "listening on %s with TLS; the certificate's SHA-256 fingerprint is %s",
		 endpoint_text(&l->context->config->api_listen, e), l->facts.fingerprint);
}

int http_role_start(struct role_context *context)
{
	struct http_life *l = context->arg;
	struct front_config c = { .fd = l->fd,
				  .certificate = buf_cstr(&l->certificate),
				  .key = buf_cstr(&l->key),
				  .client_ca = l->client_ca.len ? buf_cstr(&l->client_ca) : NULL,
				  .handshake_ms = FRONT_HANDSHAKE_MS,
				  .head_ms = FRONT_HEAD_MS,
				  .body_ms = FRONT_BODY_MS,
				  .idle_s = FRONT_IDLE_S,
				  .per_address = FRONT_PER_ADDRESS_MAX };
	struct err err = { 0 };
	int r;

	context->peer = on_peer;
	c.hello.listen = context->config->api_listen;
	c.hello.not_after_ms = l->facts.not_after_ms;
	memcpy(c.hello.fingerprint, l->facts.fingerprint, sizeof(c.hello.fingerprint));
	l->fd = -1;
	r = front_new(context->loop, &c, &l->front, &err);
	buf_wipe(&l->key); /* the library has its own */
	if (r < 0) {
		log_error("http", "api.tls: %s", err.text);
		return -1;
	}
	if (context->config->tls_self_signed)
		buf_wipe(&l->certificate);
	tell(l);
	look_at_age(l);
	return 0;
}

void http_role_end(struct role_context *context)
{
	struct http_life *l = context->arg;

	if (!l)
		return;
	front_free(l->front);
	if (l->fd >= 0)
		close(l->fd);
	buf_wipe(&l->certificate);
	buf_wipe(&l->key);
	buf_done(&l->client_ca);
	free(l);
}
