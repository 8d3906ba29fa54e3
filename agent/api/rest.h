/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a request to an answer, as values: the whole of the REST interface but
 * for its transport. No sockets, no threads, no clock of its own.
 */
#ifndef AGENT_API_REST_H
#define AGENT_API_REST_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/api/feed.h"
#include "agent/api/holder.h"
#include "agent/api/list.h"
#include "agent/api/origin.h"
#include "agent/api/peer.h"
#include "agent/api/picture.h"
#include "agent/api/reviews.h"
#include "agent/api/tokens.h"
#include "agent/api/watch.h"
#include "agent/base/buf.h"
#include "agent/base/clock.h"
#include "agent/plan/snapshot.h"

struct rest_request {
	const char *method;
	const char *target; /* as it came, not decoded */
	const char *accept; /* NULL: no such header; so are the following */
	const char *accept_language;
	const char *accept_encoding;
	const char *host;
	struct origin_names names;	 /* ours, which are good for a Host; they outlive it */
	const char *origin, *fetch_site; /* what a browser tells of the page that asks */
	const char *if_none_match;
	const char *last_event_id;
	const char *content_type;
	const char *if_match;
	const char *idempotency_key;
	const char *user_agent;
	const char *request_id; /* the client's own if that is a good one, else ours; NULL: none */
	struct peer peer;
	struct bearer bearer; /* by its Authorization header */
	struct holder holder; /* by the certificate of its connection, where it shows no token */
	struct reviewed
		reviewed; /* from beyond loopback: what a cluster's API server says of that */
	/* That header as it came: a secret, which goes to the API server of a cluster and nowhere else. */
	const char *authorization;
	size_t header_bytes; /* request line and headers */
	const char *body;    /* NULL: none, or none that was read */
	size_t body_len;
	uint64_t length;   /* Content-Length; 0: none */
	bool over_tcp;	   /* then Host must be one of ours, or a page of anywhere could ask */
	bool remote;	   /* from beyond loopback: who reads has to be known, too */
	bool has_body;	   /* Content-Length above 0, or any Transfer-Encoding */
	bool watches_full; /* as many watches as there is room for are open */
	bool may_write;	   /* by who is at the other end; over TCP by its token or certificate */
	bool has_cluster;  /* there are pools of a cluster, which takes tokens that are not ours */
	bool ambiguous;	   /* two readers could take it for different requests */
};

/* Answers by the hundreds of their status. */
struct rest_traffic {
	_Atomic uint64_t answers[6];
};

/* What requests are answered from. */
struct rest_state {
	struct snapshot *snapshot; /* the newest; NULL before there is one */
	struct pictures *pictures; /* NULL: no list can be gone on with later */
	struct feed *feed;	   /* NULL: nothing can be watched, nothing has happened */
	bool writable; /* there is a store to write to, and it is written to from here */
	mono_t now;
	size_t metrics_pools;		    /* that have metrics of their own */
	const struct rest_traffic *traffic; /* NULL: not counted */
};

struct rest_reply {
	unsigned status;
	const char *type;     /* of the body; NULL: there is none, nor can be */
	const char *language; /* of the body; NULL: it has none */
	bool allow;	      /* say which methods there are */
	const char *methods;  /* those; NULL: GET and HEAD */
	char etag[32];	      /* "" where it has none */
	bool unchanged;	      /* of a write: it was like that already */
	bool close;	      /* the connection is of no more use */
	bool retry;	      /* worth trying again in a second */
	bool secret;	      /* the body is to be overwritten when it has been sent */
	struct buf body;
	struct buf link;     /* of a page that is not the last */
	struct buf location; /* of what was made */
	bool keep;	     /* may be kept, and asked for again with its etag */
	bool gzip;
	/* What comes instead of the body, one of them at most: */
	const void *constant; /* static */
	size_t constant_len;
	struct list_stream *stream;
	struct watch *watch;
};

/* All of the state stays the caller's. */
void rest_answer(const struct rest_request *r, const struct rest_state *s, struct rest_reply *out);
void rest_reply_done(struct rest_reply *r);

#endif
