/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, prefixes, ranges, and "address:port/protocol".
 *
 * All are plain values without pointers and with every unused byte zero, so
 * that they can be compared by memcmp() and hashed as bytes.
 */
#ifndef AGENT_BASE_ENDPOINT_H
#define AGENT_BASE_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"

#define ADDR_TEXT_MAX	    46 /* INET6_ADDRSTRLEN */
#define ENDPOINT_TEXT_MAX   64
#define ADDR_RANGE_TEXT_MAX (2 * ADDR_TEXT_MAX)

struct addr {
	uint8_t bytes[16]; /* network order; IPv4 uses the first 4 */
	uint8_t family;	   /* AF_INET or AF_INET6; 0: none */
};

struct endpoint {
	struct addr addr;
	uint8_t protocol; /* one that protocol_is_served() */
	uint16_t port;	  /* host order */
};

struct prefix {
	struct addr addr; /* host bits are zero */
	uint8_t len;
};

/* Both ends included, one family. */
struct addr_range {
	struct addr first;
	struct addr last;
};

struct port_range {
	uint16_t first;
	uint16_t last;
};

/* Strict: no names, no scope ids, no leading zeros (RFC 6943 section 3.1.1). -EINVAL otherwise. */
MUST_CHECK int addr_parse(const char *s, struct addr *out);
bool addr_is_unspecified(const struct addr *a);				     /* 0.0.0.0 or [::] */
const char *addr_text(const struct addr *a, char out[static ADDR_TEXT_MAX]); /* returns out */
int addr_cmp(const struct addr *a, const struct addr *b); /* IPv4 first, then by value */
size_t addr_len(const struct addr *a);			  /* 4 or 16 */
struct addr addr_v4(uint32_t host_order);
bool addr_unmap(struct addr *a); /* ::ffff:10.0.0.1 becomes 10.0.0.1; false: it is none of these */

/* Why this may not be a real server or the target of a probe ("loopback", "link-local",
 * "multicast", "metadata service", "unspecified", "reserved"); NULL: it may. */
const char *addr_refused(const struct addr *a);
/* The same for any address of r; *out is then the first such that was found. */
const char *addr_range_refused(const struct addr_range *r, struct addr *out);

/* "10.0.0.0/24"; a bare address is a full-length prefix; host bits set: -EINVAL. */
MUST_CHECK int prefix_parse(const char *s, struct prefix *out);
bool prefix_has(const struct prefix *p, const struct addr *a);
/* Is it in one of them? */
bool prefixes_have(const struct prefix *p, size_t count, const struct addr *a);
/* "10.0.0.1", "10.0.0.0/24", "10.0.0.1-10.0.0.9". */
MUST_CHECK int addr_range_parse(const char *s, struct addr_range *out);
/* The same form back: what parses to r. Returns out. */
const char *addr_range_text(const struct addr_range *r, char out[static ADDR_RANGE_TEXT_MAX]);
bool addr_range_has(const struct addr_range *r, const struct addr *a);
struct addr_range prefix_range(const struct prefix *p);
/* The largest prefix that begins where r does and is inside r; a single address always is one. */
struct prefix addr_range_first_prefix(const struct addr_range *r);
/* Is every address of r inside p? */
/* Is every address of r in one of them? Prefixes may cover a range between them. */
bool prefixes_cover(const struct prefix *p, size_t count, const struct addr_range *r);
bool addr_next(struct addr *a); /* false: there is none after it */
bool prefix_covers(const struct prefix *p, const struct addr_range *r);
/* "30000-64999" or "80". */
MUST_CHECK int port_range_parse(const char *s, struct port_range *out);

/* "10.0.0.1:80" or "[2001:db8::1]:80", without the protocol. */
MUST_CHECK int endpoint_parse(const char *s, uint8_t protocol, struct endpoint *out);
const char *endpoint_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_MAX]);
int endpoint_cmp(const struct endpoint *a, const struct endpoint *b); /* address, port, protocol */
/* TCP, UDP and SCTP are: what IPVS has and Kubernetes knows. */
bool protocol_is_served(uint8_t protocol);
const char *protocol_text(uint8_t protocol); /* "tcp", "udp", "sctp"; "?": another */
const char *protocol_name(uint8_t protocol); /* "TCP": as in the API of Kubernetes */
/* By such a name, in small letters or capitals. False: none. */
MUST_CHECK bool protocol_of_name(const char *name, uint8_t *out);
/* Whether there is something that ends, and can be waited for. */
bool protocol_has_connections(uint8_t protocol);

void wire_put_addr(struct buf *b, const struct addr *a);
void wire_put_endpoint(struct buf *b, const struct endpoint *e);
struct addr wire_addr(struct wire *w); /* an unknown family makes w bad */
struct endpoint wire_endpoint(struct wire *w);

#endif
