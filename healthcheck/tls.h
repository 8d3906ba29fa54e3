/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS on a probe's connection, as the client, over struct hc_io.
 *
 * Whom the server is to the authorities is asked after the handshake: who
 * breaks the handshake off instead may be counted as a failed login.
 */
#ifndef HEALTHCHECK_TLS_H
#define HEALTHCHECK_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "healthcheck/probe.h"

/*
 * Who may vouch for a server, and what is shown to one that asks who we are. Not NULL; what is no
 * certificate vouches for nobody, and what is no pair of a certificate and its key is not shown.
 */
struct hc_tls_trust;
struct hc_tls_own {
	const char *certificate, *key; /* PEM; both or none. Those of authorities may follow. */
};
struct hc_tls_trust *hc_tls_trust_new(const char *ca_pem, /* NULL: any server will do */
				      struct hc_tls_own own);
/* An authority was named: without one, trust says nothing of who a server is. */
bool hc_tls_trust_is_asked(const struct hc_tls_trust *t);
/* The authority could be used, if one was named; else nobody is trusted. */
bool hc_tls_trust_is_whole(const struct hc_tls_trust *t);
/* So could what is to be shown; else nothing is. */
bool hc_tls_trust_shows_all(const struct hc_tls_trust *t);
void hc_tls_trust_free(struct hc_tls_trust *t); /* NULL is fine */

/*
 * Of a certificate: is its key one that takes no time worth mentioning? A server with another is
 * refused in the handshake, before anything is computed with it.
 */
bool hc_tls_key_is_small(const void *der, size_t len);

struct hc_tls;
/*
 * NULL: no memory. io and trust stay as long; trust is NULL where any server will do. The name is
 * copied: whom the server is asked to be, and has to be to those who vouch for it. NULL: anybody
 * of theirs.
 */
MUST_CHECK struct hc_tls *hc_tls_new(const struct hc_io *io, int fd,
				     const struct hc_tls_trust *trust, const char *name);
void hc_tls_free(struct hc_tls *t); /* NULL is fine; says nothing to the peer */

/*
 * Before the handshake: the protocol that goes inside, by ALPN (RFC 7301). A server that does not
 * choose it is not to be trusted with it: NO_HTTP2, for it is "h2". The text stays. False: no memory.
 */
MUST_CHECK bool hc_tls_offer(struct hc_tls *t, const char *protocol);

/* 0: it stands; -EAGAIN: when the connection is ready; -EPROTO: never. */
MUST_CHECK int hc_tls_handshake(struct hc_tls *t);
/* HC_REASON_OK, or why it is not to be trusted; once the handshake stands. */
enum hc_reason hc_tls_trusts(const struct hc_tls *t);
/* After an error of what follows: of the handshake, of sending or of receiving. */
struct hc_outcome hc_tls_fault(const struct hc_tls *t);
bool hc_tls_wants_write(const struct hc_tls *t); /* after -EAGAIN: to send, not to receive */

/* As hc_io.send and hc_io.recv. After -EAGAIN send() is called with the same bytes first. */
ssize_t hc_tls_send(struct hc_tls *t, const void *data, size_t len);
ssize_t hc_tls_recv(struct hc_tls *t, void *data, size_t len);
bool hc_tls_has_more(const struct hc_tls *t); /* was received, and waits to be asked for */

#endif
