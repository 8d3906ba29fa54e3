/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's IPVS table of this network namespace: reading and writing it.
 *
 * A table of functions, so that tests can put a kernel of their own in its
 * place (tests/lib/fake_ipvs.h). Nothing here remembers what was asked for or
 * decides anything: to learn what the kernel holds, read it. Calls do not
 * wait for anything but the kernel itself. Never logs.
 */
#ifndef IPVS_KERNEL_H
#define IPVS_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "ipvs/stats.h"
#include "ipvs/table.h"
#include "ipvs/timeouts.h"

enum ipvs_op_kind {
	IPVS_NEW_SERVICE,
	IPVS_SET_SERVICE,
	IPVS_DEL_SERVICE, /* its destinations go with it */
	IPVS_NEW_DEST,
	IPVS_SET_DEST,
	IPVS_DEL_DEST,
};

/* One command. A plain value. */
struct ipvs_op {
	enum ipvs_op_kind kind;
	struct endpoint key;
	uint32_t
		mark; /* not 0: of the service of this firewall mark, and of `key` the family counts */
	/* NEW_SERVICE and SET_SERVICE */
	char scheduler[IPVS_SCHEDULER_MAX];
	uint32_t flags;
	uint32_t timeout;
	uint32_t netmask;
	/* *_DEST; DEL_DEST looks at the endpoint alone */
	struct ipvs_dest dest;
};

#define IPVS_BATCH_MAX	   512	      /* commands in one write */
#define IPVS_COUNT_UNKNOWN UINT32_MAX /* netlink does not tell how many destinations */

/* A service without its destinations, and how many those are. Firewall marks are left out. */
typedef void ipvs_list_fn(void *arg, const struct ipvs_service *s, uint32_t dests);
/* A destination and its connections: active, inactive and persistence templates. */
typedef void ipvs_dest_fn(void *arg, const struct ipvs_dest *d, uint64_t connections);

struct ipvs_kernel_ops {
	/*
	 * Read all services of a family in the order of the kernel's table: start, then next until
	 * it returns 0 (1: there is more). IPv4 is one consistent look; IPv6 is not and may miss or
	 * repeat what changes meanwhile. Starting anew gives up what was begun.
	 */
	MUST_CHECK int (*list_start)(void *kernel, uint8_t family);
	MUST_CHECK int (*list_next)(void *kernel, ipvs_list_fn *fn, void *arg);
	/*
	 * After list_start: a number of all that list_next is going to tell, in its order. Two lists
	 * of the same number are the same list. 0: it is not known (IPv6).
	 */
	uint64_t (*list_digest)(void *kernel);
	/* Nobody wants to be told the rest. */
	void (*list_drop)(void *kernel);
	/*
	 * The destinations of one service, oldest first. `dests` is what the list told of their
	 * number. -ESRCH: no such service (IPv6 then has none instead).
	 */
	MUST_CHECK int (*read_dests)(void *kernel, const struct endpoint *key, uint32_t dests,
				     ipvs_dest_fn *fn, void *arg);
	/*
	 * What was counted of a service and of its destinations, newest first, into *out, which is
	 * empty and stays so on failure. -ESRCH: no such service. Holds up other users of IPVS no
	 * longer than reading its destinations does.
	 */
	MUST_CHECK int (*read_stats)(void *kernel, const struct endpoint *key,
				     struct ipvs_stats *out);
	MUST_CHECK int (*get_timeouts)(void *kernel, struct ipvs_timeouts *out);
	/* One that is 0 stays as it is. */
	MUST_CHECK int (*set_timeouts)(void *kernel, const struct ipvs_timeouts *t);
	/*
	 * Do up to IPVS_BATCH_MAX commands in order; one that fails stops none after it.
	 * errors[i] is 0 or the -errno of ops[i]. -ENOBUFS: they were done, but some answers were
	 * lost: read what they touched. Any other failure: none was done.
	 */
	MUST_CHECK int (*write)(void *kernel, const struct ipvs_op *ops, size_t count, int *errors);
	void (*close)(void *kernel);
};

struct ipvs_kernel {
	const struct ipvs_kernel_ops *ops;
	void *kernel;
};

/* The real one. -ENOENT: no IPVS in this kernel; -EPERM: CAP_NET_ADMIN is missing. */
MUST_CHECK int ipvs_kernel_open(struct ipvs_kernel *out, struct err *err);

#endif
