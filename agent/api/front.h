/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The http process: TLS and HTTP/1.1 beyond loopback. It parses what strangers
 * send, hands it to core as values (agent/api/front_message.h), and knows nothing
 * itself: no token, no state, no file. Without core every request is answered by 503.
 *
 * Bounds, each connection: 5 s for the handshake, 10 s for the head of a request,
 * 60 s for its body, idle_s without progress, 32 KiB of head (of which core
 * refuses what is beyond 16), one piece either way. TLS 1.2 and 1.3.
 */
#ifndef AGENT_API_FRONT_H
#define AGENT_API_FRONT_H

#include <stdint.h>

#include "agent/api/front_message.h"
#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"

#define FRONT_PER_ADDRESS_MAX 64 /* connections */
#define FRONT_HANDSHAKE_MS    5000
#define FRONT_HEAD_MS	      10000
#define FRONT_BODY_MS	      60000
#define FRONT_IDLE_S	      10

struct front_config {
	int fd;			 /* listening; taken over, on failure too */
	const char *certificate; /* PEM, the chain */
	const char *key;	 /* PEM */
	const char
		*client_ca; /* PEM: whose certificates clients may show; NULL: none is asked for */
	struct front_hello hello;			 /* what core is told */
	unsigned handshake_ms, head_ms, body_ms, idle_s; /* shorter in tests */
	unsigned per_address;
};

struct front;
/* Blocks nobody and opens nothing but an epoll and an event descriptor. */
MUST_CHECK int front_new(struct loop *l, const struct front_config *c, struct front **out,
			 struct err *err);
/* Another core, by its channel, which is taken over. What was asked of the old one is lost. */
void front_connect(struct front *f, int fd);
void front_free(struct front *f); /* ends all connections; NULL is fine */

#endif
