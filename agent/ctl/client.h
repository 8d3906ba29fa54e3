/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the agent, and writing, over its unix socket or over TLS. Waits for the answer, 10 seconds
 * at most without a byte. The connection is kept between calls.
 *
 * -ENOTCONN: nobody is there; -ENOENT: 404; -EAGAIN: 503, it is starting;
 * -EEXIST: 409, 412 or 428, something else is there; -EACCES: 401 or 403;
 * -EREMOTEIO: any other error answer; -EPROTO: not an answer of ours.
 */
#ifndef AGENT_CTL_CLIENT_H
#define AGENT_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/doc.h"
#include "agent/base/err.h"

/* Where it is, and what it takes to be let in there. All texts outlive the client. */
struct client_place {
	const char *socket; /* where there is no server */
	const char *server; /* "https://HOST:PORT"; NULL: on this machine */
	const char *cacert; /* a file; NULL: who this machine trusts */
	const char *
		fingerprint; /* SHA-256 of the server's certificate, which counts instead; NULL: none */
	const char *token_file; /* NULL: no token is shown */
	const char *cert, *key; /* files, in PEM; NULL: no certificate is shown */
};
/* Of the options. -EINVAL: they do not go together, or one is no such thing. */
MUST_CHECK int client_place_check(const struct client_place *p, struct err *err);

/* Does it take a token there, from a file or the environment (PARASAUS_TOKEN)? */
bool client_shows_token(const struct client_place *p);

struct client;
/* The files of token, certificate and key are read at the first request. */
MUST_CHECK struct client *client_new(const struct client_place *place);
void client_free(struct client *c); /* NULL is fine */

/* One object, parsed; the caller frees it with doc_set_done(). */
MUST_CHECK int client_object(struct client *c, const char *path, struct doc_set *out,
			     struct err *err);
/* The same as it came. */
MUST_CHECK int client_text(struct client *c, const char *path, struct buf *out, struct err *err);

#define CLIENT_ETAG_MAX 64
/* The same with its ETag, for a write that means this one. */
MUST_CHECK int client_document(struct client *c, const char *path, struct buf *out,
			       char etag[static CLIENT_ETAG_MAX], struct err *err);
struct client_write {
	const char *method, *path;
	const char *type; /* of the body; NULL: there is none */
	const struct buf *body;
	const char *if_match; /* NULL: no such header */
};
/* The answer as it came is appended to out. */
MUST_CHECK int client_write(struct client *c, const struct client_write *w, struct buf *out,
			    struct err *err);

/* Every item of a list, one call each, as it came (no newline); a negative result ends it. */
typedef int client_item_fn(void *arg, const char *text, size_t len, struct err *err);
MUST_CHECK int client_items(struct client *c, const char *path, client_item_fn *fn, void *arg,
			    struct err *err);

/* Every event of a watch, one call each, until the agent ends it or the result is negative. */
typedef int client_event_fn(void *arg, const char *event, const char *data, size_t len,
			    struct err *err);
MUST_CHECK int client_events(struct client *c, const char *path, client_event_fn *fn, void *arg,
			     struct err *err);

/* Appends text, percent-encoded for one path segment or one query value. */
void client_encode(struct buf *path, const char *text);

#endif
