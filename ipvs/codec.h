/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPVS commands and replies as generic netlink messages (linux/ip_vs.h), in
 * bounded buffers. Pure. The kernel is trusted, but every length and value of
 * a reply is checked all the same: what is read here is compared and acted on.
 */
#ifndef IPVS_CODEC_H
#define IPVS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "ipvs/kernel.h"
#include "ipvs/stats.h"
#include "ipvs/table.h"

/* No command is longer. */
#define IPVS_MESSAGE_SIZE 192

/* One command of generic netlink family `genl`; returns its length. */
size_t ipvs_encode_op(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq, bool ack,
		      const struct ipvs_op *op);
/* A request for all services, or with a key for the destinations of that service. */
size_t ipvs_encode_dump(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			const struct endpoint *key);
/* A request for one service. */
size_t ipvs_encode_get(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
		       const struct endpoint *key);
/* The same two for the service of a firewall mark. */
size_t ipvs_encode_dump_mark(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			     uint8_t family, uint32_t mark);
size_t ipvs_encode_get_mark(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			    uint8_t family, uint32_t mark);

enum ipvs_reply_kind {
	IPVS_REPLY_ACK,	 /* how the command `seq` ended: error */
	IPVS_REPLY_DATA, /* attributes */
	IPVS_REPLY_DONE, /* a dump is over: error */
};

struct ipvs_reply {
	enum ipvs_reply_kind kind;
	uint32_t seq;
	int error;	   /* 0 or -errno */
	const uint8_t *at; /* attributes, inside the datagram */
	size_t len;
};

/* Cuts the next message off the front of a datagram. 1: it is in *out; 0: no more; -EBADMSG. */
MUST_CHECK int ipvs_reply_next(const uint8_t **at, size_t *left, struct ipvs_reply *out);

/*
 * What a DATA reply to a dump holds. -EBADMSG: malformed. -EOPNOTSUPP: a service that has no
 * place in a table, by firewall mark or of a protocol other than TCP and UDP.
 */
MUST_CHECK int ipvs_decode_service(const struct ipvs_reply *r, struct ipvs_service *out);
/* The other way round: -EOPNOTSUPP if it is not of a mark. Its key has the family alone. */
MUST_CHECK int ipvs_decode_marked_service(const struct ipvs_reply *r, struct ipvs_service *out,
					  uint32_t *out_mark);
/* `family` is the service's: older kernels leave a destination's out. */
MUST_CHECK int ipvs_decode_dest(const struct ipvs_reply *r, uint8_t family, struct ipvs_dest *out,
				uint64_t *out_connections);
/* What was counted of them. -EBADMSG: malformed. `weight` and connections are of a destination. */
MUST_CHECK int ipvs_decode_service_stats(const struct ipvs_reply *r, struct ipvs_counters *out);
MUST_CHECK int ipvs_decode_dest_stats(const struct ipvs_reply *r, uint8_t family,
				      struct ipvs_dest_stats *out);

#endif
