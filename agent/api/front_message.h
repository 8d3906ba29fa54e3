/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the http process and core tell each other, over agent/base/channel.h.
 *
 * The http process reads what strangers send and hands on values: each request
 * with a number of its own (REQUEST), its body in pieces, the next when core
 * said MORE, and the answer's pieces, each when the client has room for it (PULL). So
 * a client that is slow holds one piece in memory, whatever it asked for.
 *
 *	REQUEST -> (MORE -> BODY)... -> REPLY -> (PULL -> PIECE)... until one is the last
 *
 * An answer of length 0 has no pieces. GONE ends an exchange at any place: core
 * may have ended it already, and says nothing. What core reads is checked here to
 * the last byte and in its bounds; what it means is checked as with any client.
 */
#ifndef AGENT_API_FRONT_MESSAGE_H
#define AGENT_API_FRONT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/api/holder.h"
#include "agent/api/rest.h"
#include "agent/base/arena.h"
#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

#define FRONT_CONNECTIONS_MAX 1024
#define FRONT_WATCHES_MAX     256	  /* of those connections */
#define FRONT_PIECE_MAX	      (32 * 1024) /* bytes */
#define FRONT_LENGTH_UNKNOWN  UINT64_MAX
#define FRONT_FINGERPRINT_MAX 96 /* "AB:CD:...": 32 bytes, and the NUL */

enum front_message {
	/* to core */
	FRONT_MSG_HELLO = 1,   /* struct front_hello; first of all */
	FRONT_MSG_REQUEST = 2, /* struct front_request */
	FRONT_MSG_BODY = 3,    /* struct front_piece */
	FRONT_MSG_PULL = 4,    /* u32 id */
	FRONT_MSG_GONE = 5,    /* u32 id */
	/* from core */
	FRONT_MSG_MORE = 16,  /* u32 id */
	FRONT_MSG_REPLY = 17, /* struct front_reply */
	FRONT_MSG_PIECE = 18, /* struct front_piece */
};

/* Who listens, and as whom. */
struct front_hello {
	struct endpoint listen;
	char fingerprint[FRONT_FINGERPRINT_MAX]; /* SHA-256 of the certificate */
	int64_t not_after_ms;			 /* since 1970 */
};
void wire_put_front_hello(struct buf *b, const struct front_hello *h);
void wire_front_hello(struct wire *w, struct front_hello *out);

/* Of the request: its texts, and `header_bytes`, `length`, `has_body`, `ambiguous`. */
struct front_request {
	uint32_t id;
	struct rest_request request;
	const char *authorization; /* NULL: no such header */
	struct subject subject;	   /* of the client's certificate, which was verified */
	struct addr from;	   /* the client's */
	struct arena texts;	   /* of one that was read */
};
void wire_put_front_request(struct buf *b, const struct front_request *r);
/* Done with front_request_done() in any case; where the wire is bad, there is nothing in it. */
void wire_front_request(struct wire *w, struct front_request *out);
void front_request_done(struct front_request *r); /* overwrites it */

/* Of the reply: all but its body, which has `length` bytes. */
struct front_reply {
	uint32_t id;
	struct rest_reply reply;
	uint64_t length; /* or FRONT_LENGTH_UNKNOWN */
	const char *request_id;
	struct arena texts;
};
void wire_put_front_reply(struct buf *b, struct front_reply *r);
void wire_front_reply(struct wire *w, struct front_reply *out);
void front_reply_done(struct front_reply *r);

enum front_end { FRONT_GOES_ON, FRONT_LAST, FRONT_BROKEN /* there is no whole of it */ };
struct front_piece {
	uint32_t id;
	enum front_end end;
	const uint8_t *data; /* of one that was read: points into the message */
	size_t len;	     /* FRONT_PIECE_MAX at most */
};
void wire_put_front_piece(struct buf *b, const struct front_piece *p);
void wire_front_piece(struct wire *w, struct front_piece *out);

#endif
