/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call of grpc.health.v1.Health/Check over HTTP/2 (RFC 9113; gRPC's
 * PROTOCOL-HTTP2.md): one stream on a connection of its own. Pure.
 *
 * The frames are libnghttp2's. A server is given HC_GRPC_FRAMES_MAX of them,
 * HC_GRPC_BYTES_MAX in all and HC_GRPC_HEADERS_MAX of header fields, takes no
 * more of our memory than its session does, and may push nothing. How we leave
 * no server counts: that is by RST. Inside TLS it is h2, as ALPN has it, or
 * nothing is asked.
 */
#ifndef HEALTHCHECK_GRPC_H
#define HEALTHCHECK_GRPC_H

#include "healthcheck/grpc_health.h"
#include "healthcheck/talk.h"

#define HC_GRPC_FRAMES_MAX  64
#define HC_GRPC_BYTES_MAX   (64 * 1024)
#define HC_GRPC_HEADERS_MAX 8192 /* unpacked, as RFC 9113 section 6.5.2 counts them */
#define HC_GRPC_BODY_MAX    512	 /* a good one has 7 bytes */

struct nghttp2_session;

struct hc_grpc {
	struct hc_talk_head head;
	const struct check *check;
	const struct endpoint *to;
	struct nghttp2_session *session;
	int32_t stream;
	uint8_t request[HC_GRPC_REQUEST_MAX];
	uint16_t request_len;
	uint8_t frame[9]; /* the head of the one that comes */
	uint8_t frame_len;
	uint32_t frame_left; /* of its payload */
	uint32_t frames, bytes, header_bytes;
	int32_t http_status; /* 0: not said */
	int32_t grpc_status; /* -1: not said; -2: said in no number */
	bool is_reset;	     /* by the server */
	int64_t goaway;	     /* the code of a GOAWAY; -1: none */
	uint16_t body_len;
	uint8_t body[HC_GRPC_BODY_MAX];
};

#endif
