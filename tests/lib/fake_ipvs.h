/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel with IPVS in memory, as strict as the real one, with faults to order.
 *
 * New services and destinations go to the front of their lists, deleted
 * destinations to the front of a list that each new one walks. Other
 * programs' changes are made by fake_ipvs_load() and fake_ipvs_clear().
 */
#ifndef TESTS_LIB_FAKE_IPVS_H
#define TESTS_LIB_FAKE_IPVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "ipvs/kernel.h"

#define FAKE_IPVS_FAULTS  8
#define FAKE_IPVS_BUCKETS 7

struct fake_service {
	/* dests newest first; `nominal` is the last weight that was not 0, which nobody can read */
	struct ipvs_service s;
	uint64_t *connections; /* beside dests */
	struct fake_service *next;
};

struct fake_trash {
	struct endpoint key;
	struct ipvs_dest dest;
};

struct fake_ipvs {
	struct fake_service *services; /* by bucket, as in the kernel; therein newest first */
	struct fake_trash *trash;      /* newest last */
	size_t trash_count;
	/* What was done to it. */
	uint64_t writes;     /* commands, refused ones too */
	uint64_t refused;    /* of them */
	uint64_t pointless;  /* SETs that changed nothing */
	uint64_t trash_walk; /* entries that new destinations walked past */
	uint64_t lists, drops, reads;
	const bool *held; /* the host's, to count what is written meanwhile; may be NULL */
	uint64_t held_writes;
	bool keep_log;
	struct buf log; /* commands, as ipvs_ops_print() */
	struct ipvs_timeouts timeouts;
	unsigned timeout_sets;
	struct ipvs_counters counters; /* what it says of each service and destination */
	/* Faults. */
	struct {
		struct ipvs_dest dest; /* this one is refused (family 0: unused) */
		int error;
	} refuse[FAKE_IPVS_FAULTS];
	const char *no_scheduler; /* a scheduler that is not there */
	uint64_t fail_at;	  /* the write with this number is refused, from 1; 0: none */
	int fail_error;
	bool lose_answers; /* of the next batch */
	int timeout_error; /* -errno of reading and setting timeouts */
	/* A list being read. */
	struct fake_service *cursor;
	uint8_t family;
};

void fake_ipvs_init(struct fake_ipvs *f);
void fake_ipvs_done(struct fake_ipvs *f);
struct ipvs_kernel fake_ipvs_kernel(struct fake_ipvs *f);

/* `ipvsadm -R` and `ipvsadm -C` of another program; not counted. */
void fake_ipvs_load(struct fake_ipvs *f, const char *text);
void fake_ipvs_clear(struct fake_ipvs *f);
/* Do one command of another program; its result. */
int fake_ipvs_do(struct fake_ipvs *f, const struct ipvs_op *op);
/* `ipvsadm -Sn`, sorted. Appends. */
void fake_ipvs_print(const struct fake_ipvs *f, struct buf *out);
/* ipvs_order_fingerprint() of the service at "10.0.0.1:80", by what the kernel truly has. */
uint64_t fake_ipvs_fingerprint(struct fake_ipvs *f, const char *service);
void fake_ipvs_set_connections(struct fake_ipvs *f, const char *dest, uint64_t connections);
/* Refuse a destination "10.0.0.1:80" with -errno from now on; 0: no more. */
void fake_ipvs_refuse(struct fake_ipvs *f, const char *dest, int error);

#endif
