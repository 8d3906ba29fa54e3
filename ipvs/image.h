/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wanted and what the kernel holds, side by side, by key.
 *
 * What the kernel holds is an image: read once, kept in step by applying each
 * command that was sent, and compared with the kernel by the audit. Only
 * services that are ours are in here. No system calls.
 */
#ifndef IPVS_IMAGE_H
#define IPVS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/clock.h"
#include "agent/base/map.h"
#include "ipvs/kernel.h"
#include "ipvs/table.h"

struct ipvs_trouble;

/* One virtual service. */
struct ipvs_row {
	/* What an audit of all rows looks at comes first: it is cold by then. */
	struct endpoint key;
	uint32_t audit;		   /* the last one that met it, or during which it was changed */
	struct ipvs_service *have; /* NULL: not in the kernel; dests oldest first */
	/* As the kernel's list has them, when that was last read: see ipvs_image_next_listed(). */
	struct ipvs_row *list_next, *list_before;
	uint32_t place;	 /* therein, from 1; 0: not known */
	uint32_t listed; /* destinations the list told of */
	uint8_t queue;	 /* enum ipvs_queue */
	bool doubted;	 /* the image may be wrong by our own doing: believe what is read */

	bool draining;	 /* in the list of rows whose destinations drain */
	bool staged_any; /* staged, or staged as gone */
	bool hosted;	 /* the host carries its frontend */
	bool hosted_masquerade;
	struct ipvs_service *want; /* NULL: not wanted; dests by (address, port) */
	/*
	 * What the kernel had until somebody else deleted it, if it is to be written again: the
	 * kernel finds deleted destinations quickly only in the reverse order of deletion.
	 */
	struct ipvs_service *lost;
	struct ipvs_service *staged; /* told by core, not committed yet */
	struct ipvs_trouble *troubles;
	struct ipvs_row *next, *before; /* in the queue it stands in */
	mono_t ordered_at;		/* since when it stands in IPVS_QUEUE_ORDER */
};

struct ipvs_image {
	struct map rows;
	uint32_t services; /* in the kernel */
	uint32_t dests;
	uint64_t version; /* grows with each change of what the kernel holds */
	struct ipvs_row *first_listed;
	struct ipvs_row *listed; /* the last one of the list that is being read; NULL: none yet */
	struct ipvs_row *rolled; /* the last that ipvs_image_roll() gave */
};

void ipvs_image_init(struct ipvs_image *m);
void ipvs_image_done(struct ipvs_image *m);
struct ipvs_row *ipvs_image_get(const struct ipvs_image *m, const struct endpoint *key);
struct ipvs_row *ipvs_image_make(struct ipvs_image *m, const struct endpoint *key); /* or get */
/*
 * Rows in the order in which the kernel lists them, which changes little from one time to the next:
 * where a service is the one that came here the last time, it need not be looked for. NULL: it is
 * not. `begin` goes back to the first; `listed` says that the row came next.
 */
void ipvs_image_list_begin(struct ipvs_image *m);
struct ipvs_row *ipvs_image_next_listed(struct ipvs_image *m, const struct endpoint *key);
void ipvs_image_listed(struct ipvs_image *m, struct ipvs_row *row);
/*
 * The next of all rows, round and round; NULL once at the end of each round. In the kernel's order:
 * it finds a service by walking along its neighbours, and those it has just walked along are near.
 */
struct ipvs_row *ipvs_image_roll(struct ipvs_image *m);
/* Where the last one was given, the next is the first: no NULL in between. */
void ipvs_image_roll_begin(struct ipvs_image *m);
/* Frees the row; what it held counts as gone. */
void ipvs_image_drop(struct ipvs_image *m, struct ipvs_row *row);

/*
 * Takes the contents of *s over as what the kernel holds; its dests oldest first. Recalls
 * last weights.
 */
void ipvs_image_hold(struct ipvs_image *m, struct ipvs_row *row, struct ipvs_service *s);
/*
 * What the kernel does not tell of what it holds now (oldest first), the last weight of each that is
 * at 0: it is known of those that we set to 0, and held so before, unless the row is doubted.
 */
void ipvs_image_recall(const struct ipvs_row *row, struct ipvs_service *now);
/* The kernel does not hold it any more. `remember` keeps the order for writing it again. */
void ipvs_image_lose(struct ipvs_image *m, struct ipvs_row *row, bool remember);
/* Replace what the row wants (NULL: nothing) and free what it wanted. */
void ipvs_row_want(struct ipvs_row *row, struct ipvs_service *want);
/* A service of this row: its destinations are kept once if the row has the same ones already. */
void ipvs_row_share(struct ipvs_row *row, struct ipvs_service *s);

/* The command was sent: the kernel holds what it says. */
void ipvs_image_apply(struct ipvs_image *m, struct ipvs_row *row, const struct ipvs_op *op);
/* NULL: none. */
const struct ipvs_dest *ipvs_service_find(const struct ipvs_service *s,
					  const struct ipvs_dest *like);
/* Are they equal in the kernel's eyes, apart from their endpoints? */
bool ipvs_dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b);

#endif
