/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asking the API server: requests with the server and the credentials of the
 * moment, what becomes of them told to kube_credentials, and what a failure
 * says in words. Nothing here retries or waits; what to do about an answer is
 * the asker's to say.
 */
#ifndef WATCH_KUBE_API_H
#define WATCH_KUBE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/loop.h"
#include "watch/http.h"
#include "watch/kube_credentials.h"

#define KUBE_GETS_MAX 20 /* under way, and others wait for their turn: but for kube_send_now() */

/* The longest that a server's Retry-After is heeded for: one that is wrong would hold us for hours. */
#define KUBE_RETRY_AFTER_MAX_S 300

struct kube_get;
struct kube_api {
	struct loop *loop;
	struct http *http;
	struct kube_credentials *credentials;
	uint32_t (*random)(void *arg); /* any 32 bits; NULL: always 0 */
	void *random_arg;
	unsigned gets; /* under way */
	struct kube_get *waiting, **waiting_end;
};
void kube_api_init(struct kube_api *a, struct loop *l, struct http *h, struct kube_credentials *c,
		   uint32_t (*random)(void *arg), void *random_arg);
/* 0..below - 1; 0 for below 0 */
uint32_t kube_api_random(struct kube_api *a, uint32_t below);

/* As a part of a query: everything but letters, digits and "-._~" as %XX. */
void kube_escape(struct buf *out, const char *s);
/* A resourceVersion as the number it is; 0: it is none. */
uint64_t kube_revision(const char *s);

/* One request and what is known of its answer. The owner fills in the first part; zeroed otherwise. */
struct kube_exchange {
	struct kube_api *api;
	/* The answer is a good one (2xx); may be NULL. Not from inside kube_exchange_start(). */
	void (*opened)(struct kube_exchange *x);
	/* Of a good answer; false: enough. */
	bool (*data)(struct kube_exchange *x, const void *data, size_t len);
	/* Once, the last; x may be started again from inside it. */
	void (*over)(struct kube_exchange *x);
	uint32_t idle_s, total_s;
	bool gzip;
	const char *method; /* NULL: GET */
	struct buf body;    /* JSON to send with it; overwritten by kube_exchange_done() */
	const char *token;  /* of somebody else, whom a 401 concerns; NULL: our own */

	/* from here on to be read only */
	http_id id; /* 0: none is under way */
	const char *server;
	uint32_t token_serial;
	int status; /* 0: there was no answer */
	bool is_json;
	bool is_status; /* once it is over: no good answer, and a Status object: an API server's own */
	int32_t retry_after_s; /* at most KUBE_RETRY_AFTER_MAX_S; -1: not told */
	enum http_result result;
	bool retry_now;	    /* another server, another token: worth a try at once */
	struct buf error;   /* the beginning of an answer that is not good */
	struct buf failure; /* over(): what went wrong, "" where nothing did */
};
void kube_exchange_start(struct kube_exchange *x, const char *path);
/* None of its functions is called any more. One that is over is fine. */
void kube_exchange_cancel(struct kube_exchange *x);
void kube_exchange_done(struct kube_exchange *x); /* cancels and frees what it holds */
static inline bool kube_exchange_good(const struct kube_exchange *x)
{
	return x->status >= 200 && x->status < 300;
}
/* Once it is over: a good answer, to its end. */
static inline bool kube_exchange_whole(const struct kube_exchange *x)
{
	return kube_exchange_good(x) && x->result == HTTP_DONE;
}

/*
 * Once it is over: the API server itself says that there is no such thing. A 404 that is no Status
 * may come from whatever stands in front of it, and says nothing.
 */
static inline bool kube_exchange_not_found(const struct kube_exchange *x)
{
	return x->status == 404 && x->is_status;
}

/* Once it is over: is this in an answer that is not good, and the API server's own? */
bool kube_exchange_says(const struct kube_exchange *x, const char *text);

#define KUBE_GET_MAX	(8u << 20) /* bytes of an answer */
#define KUBE_GET_TIME_S 10

/*
 * A small answer as a whole. `x` tells how it went; body is "" where it did not go well. Never called
 * from inside kube_get(). The get is freed after the call.
 */
typedef void kube_get_fn(void *arg, const struct kube_exchange *x, const char *body, size_t len);
MUST_CHECK struct kube_get *kube_get(struct kube_api *a, const char *path, kube_get_fn *fn,
				     void *arg);
/* The same with another method and a body of JSON, which is copied. */
MUST_CHECK struct kube_get *kube_send(struct kube_api *a, const char *method, const char *path,
				      const char *json, kube_get_fn *fn, void *arg);
/*
 * The same for who would be late behind all that others ask: it waits for nobody's turn. For very
 * few, one at a time of each.
 */
MUST_CHECK struct kube_get *kube_send_now(struct kube_api *a, const char *method, const char *path,
					  const char *json, kube_get_fn *fn, void *arg);
void kube_get_cancel(struct kube_get *g); /* NULL is fine */

#endif
