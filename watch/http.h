/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP for sources: one transport for whatever is read over it (the API server
 * now, etcd later). The real one is libcurl's multi interface on the loop
 * (watch/http_curl.h); tests/lib has one that is scripted. Nothing here
 * retries, waits or logs: what to do about an answer is its caller's to say.
 *
 * Callbacks come from the loop, never from inside http_start(). They have to
 * be quick: a server cuts readers off that are slow. Keep the bytes, and work
 * on them in the loop's work.
 */
#ifndef WATCH_HTTP_H
#define WATCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

typedef uint64_t http_id; /* of a request under way; 0 is never valid */

struct http_status {
	int status;		  /* 100..599 */
	int32_t retry_after_s;	  /* -1: none told; at most an hour */
	const char *content_type; /* "" where there is none; valid during the call */
	const char
		*server_warning; /* of a Warning header, "" where there is none; during the call */
};

enum http_result {
	HTTP_DONE,    /* the answer is whole, or a stream came to its orderly end */
	HTTP_CUT,     /* the connection ended in the midst of the answer */
	HTTP_REFUSED, /* no connection: nobody listens, no route, no such name */
	HTTP_UNTRUSTED, /* TLS: the server is not who it should be, or does not take our certificate */
	HTTP_IDLE,	/* nothing came for idle_s, or not all of it within total_s */
	HTTP_STOPPED, /* `data` said so */
	HTTP_LOCAL,   /* our own trouble: descriptors, memory, a setting libcurl refuses */
};

struct http_request {
	const char *method; /* "GET", ... */
	const char *server; /* "https://[::1]:6443"; a path in front of every other is kept */
	const char *path;   /* "/api/v1/services?limit=1", as it goes out */
	const char *accept; /* NULL: application/json */
	const char *token;  /* Authorization: Bearer; NULL: none */
	const char *content_type;
	const void *body; /* NULL: none */
	size_t body_len;
	bool gzip;	  /* the answer may come compressed; data() sees it plain */
	uint32_t idle_s;  /* 0: no bound */
	uint32_t total_s; /* 0: no bound */

	void (*status)(void *arg,
		       const struct http_status *s); /* once, before any data; may be NULL */
	/* False: enough; nothing but end() follows. */
	bool (*data)(void *arg, const void *data, size_t len);
	/* Once, the last call. err says more where it is not HTTP_DONE ("connect to ...: ..."). */
	void (*end)(void *arg, enum http_result r, const struct err *err);
	void *arg;
};

/* How servers are known and how we are known to them; for connections made from now on. */
struct http_trust {
	const char *ca_pem; /* NULL: the system's authorities; empty: nobody is trusted */
	size_t ca_len;
	const char *cert_pem; /* client certificate; NULL: none */
	size_t cert_len;
	const char *key_pem;
	size_t key_len;
	const char *server_name; /* tls-server-name; NULL: the URL's host */
	bool insecure;		 /* insecure-skip-tls-verify */
};

struct http;
struct http_ops {
	/* Copies what it needs of the request. */
	http_id (*start)(struct http *h, const struct http_request *r);
	void (*cancel)(struct http *h, http_id id);
	void (*pause)(struct http *h, http_id id, bool pause);
	int (*trust)(struct http *h, const struct http_trust *t);
	void (*free)(struct http *h);
};
struct http {
	const struct http_ops *ops;
};

static inline http_id http_start(struct http *h, const struct http_request *r)
{
	return h->ops->start(h, r);
}
/* No callback of it comes any more; 0 and stale ids are fine. */
static inline void http_cancel(struct http *h, http_id id)
{
	h->ops->cancel(h, id);
}
/* While paused no data comes, and the server is not read from. */
static inline void http_pause(struct http *h, http_id id, bool pause)
{
	h->ops->pause(h, id, pause);
}
/* Idle connections under the old trust are dropped; those in use end with their request. */
MUST_CHECK static inline int http_set_trust(struct http *h, const struct http_trust *t)
{
	return h->ops->trust(h, t);
}
/* Cancels what is under way. NULL is fine. */
static inline void http_free(struct http *h)
{
	if (h)
		h->ops->free(h);
}

#endif
