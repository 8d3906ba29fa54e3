/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between two of our processes over a SOCK_SEQPACKET pair.
 *
 * A packet holds many messages, each {u16 type, u16 zero, u32 length, body}.
 * Packets are at most CHANNEL_PACKET_MAX bytes, so a body is at most
 * CHANNEL_BODY_MAX: what is larger is sent as several messages. Sending only
 * queues; packets go out at the end of the turn and as the peer reads. Each
 * side always reads, whatever waits to be sent, so two full queues cannot
 * block each other; who sends bulk looks at channel_queued() and goes on later.
 *
 * A packet that is malformed, or a body the handler finds bad, closes the
 * channel: our own processes do not send such things.
 */
#ifndef AGENT_BASE_CHANNEL_H
#define AGENT_BASE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/loop.h"

#define CHANNEL_PACKET_MAX 60000
#define CHANNEL_BODY_MAX   (CHANNEL_PACKET_MAX - 8)

struct channel;

struct channel_handler {
	/* `fd` came with the message, or is -1; the handler owns it. False: the body is bad. */
	bool (*message)(void *arg, uint16_t type, struct wire *body, int fd);
	/* The peer is gone or broke the protocol; the channel is closed but not freed.
	 * `why` is "peer closed", "malformed packet", "malformed message type 7", ... */
	void (*closed)(void *arg, const char *why);
	void *arg;
};

/* Takes fd over, whatever the result. `h` is copied. */
MUST_CHECK int channel_new(struct loop *l, int fd, const struct channel_handler *h,
			   struct channel **out);
void channel_free(struct channel *c); /* NULL is fine; also from inside a callback */

/* Queue one message. After the channel closed this does nothing. */
void channel_send(struct channel *c, uint16_t type, const struct buf *body);
/* The same with a descriptor, which is taken over. For rare messages. */
void channel_send_fd(struct channel *c, uint16_t type, const struct buf *body, int fd);
/* The same with a secret inside: in a packet of its own, wiped once it is sent. What is received
 * is always wiped once it was handled. */
void channel_send_secret(struct channel *c, uint16_t type, const struct buf *body);
/* Bytes that wait to be sent. */
size_t channel_queued(const struct channel *c);

/* Split one packet into messages, calling fn for each; the pure part, for tests and fuzzing.
 * -EBADMSG: malformed. A false from fn ends it with -EPROTO. */
typedef bool channel_split_fn(void *arg, uint16_t type, struct wire *body);
MUST_CHECK int channel_split(const void *packet, size_t len, channel_split_fn *fn, void *arg);

/* A connected pair with close-on-exec and large buffers. */
MUST_CHECK int channel_pair(int out[static 2]);

#endif
