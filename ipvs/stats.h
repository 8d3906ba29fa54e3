/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel counted of one virtual service and of its real servers, as
 * it is read on request and told to core.
 *
 * Connections that are there now are always right. The counters since it was
 * made are brought up to date by the kernel's estimator every two seconds, and
 * stand still while net.ipv4.vs.run_estimation is 0 (host_sysctl.h says when
 * that is so); of what is deleted and added again they begin at 0.
 */
#ifndef IPVS_STATS_H
#define IPVS_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

/* IPVS_STATS_ATTR_CONNS ... of linux/ip_vs.h, 64 bit. "Out" is 0 with dr and tunnel. */
struct ipvs_counters {
	uint64_t connections;
	uint64_t packets_in, packets_out;
	uint64_t bytes_in, bytes_out;
};

struct ipvs_dest_stats {
	struct addr addr;
	uint16_t port;
	uint32_t weight;
	uint32_t active, inactive; /* connections now: established, and all other states */
	uint32_t templates;	   /* of persistence: clients that are bound to it */
	struct ipvs_counters counters;
};

struct ipvs_stats {
	bool counting;	      /* the estimator runs */
	uint64_t fingerprint; /* ipvs_order_fingerprint() of what the kernel held */
	struct ipvs_counters counters;
	struct ipvs_dest_stats *dests; /* owned; by (address, port) when they are told */
	size_t dest_count;	       /* IPVS_DESTS_MAX at most */
};
void ipvs_stats_done(struct ipvs_stats *s); /* and zeroes it */
struct ipvs_dest_stats *ipvs_stats_add(struct ipvs_stats *s);
void ipvs_stats_sort(struct ipvs_stats *s);

/* --- as it is told, an answer to one question after the other (message.h) --- */

struct ipvs_stats_answer {
	uint32_t id;   /* of the question */
	int32_t error; /* 0, or a positive errno: ESRCH where there is no such service */
	struct ipvs_stats stats;
};
/* Who asked is told once, from the loop and never from inside the question; valid during the call. */
typedef void ipvs_stats_fn(void *arg, const struct ipvs_stats_answer *a);
/* STATS, and as many STATS_DESTS as it takes. */
typedef void ipvs_stats_send_fn(void *arg, uint16_t type, const struct buf *body);
void ipvs_stats_put(const struct ipvs_stats_answer *a, ipvs_stats_send_fn *send, void *arg);

/* Puts them together again. Zero-initialise. */
struct ipvs_stats_reader {
	struct ipvs_stats_answer answer;
	uint32_t missing;
	bool open;
};
void ipvs_stats_reader_done(struct ipvs_stats_reader *r); /* and zeroes it */
/*
 * Feed the body of one. -EBADMSG: malformed, out of bounds or out of turn. 1: the answer is whole
 * and moved to *out; 0: more to come.
 */
MUST_CHECK int ipvs_stats_read(struct ipvs_stats_reader *r, uint16_t type, struct wire *body,
			       struct ipvs_stats_answer *out);

#endif
