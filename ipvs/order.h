/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of the destinations of an mh service, on which the kernel's table
 * for it depends.
 *
 * That table is filled from the kernel's list, newest first, each destination
 * with the last weight that it had and that was not 0 (ip_vs_mh.c,
 * ip_vs_mh_populate()). A new destination goes to the head of the list and so
 * does one that comes back; a changed one keeps its place. Nodes with the same
 * destinations in different orders send a few of the clients to different
 * servers. So there is one order, by (address, port) with the lowest the
 * oldest, and one weight, that of a server that is well: what was loaded at
 * once is like that, and what came to be by another way is made so. Pure.
 */
#ifndef IPVS_ORDER_H
#define IPVS_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "ipvs/diff.h"
#include "ipvs/table.h"

/*
 * Nothing is to be done to `have` (oldest first): it is in order, or it is of another scheduler than
 * mh, or not of as many destinations, which is for the difference to put right first.
 */
bool ipvs_order_is_right(const struct ipvs_service *want, const struct ipvs_service *have);
/*
 * Appends commands for as many destinations as there is room for, each whole; returns how many: none
 * where it is right or where they do not hold the same. Whoever runs it applies them to `have` and
 * asks again: it goes on where it stopped, and what is moved stays moved.
 *
 * One is moved by being deleted and added, which puts it at the head. Moves are the fewest there can
 * be: those that stay are the first of the order, as many of them as stand in it already. One of
 * these whose last weight is another is renewed: given its weight, and then what it has now.
 */
MUST_CHECK uint32_t ipvs_order_repair(const struct ipvs_service *want,
				      const struct ipvs_service *have, struct ipvs_ops *out);

/*
 * All that the table of an mh service depends on but for the kernel that builds it: flags that mh
 * knows, and each destination's address, port and last weight in the kernel's order. Equal where
 * these are, on every node and in every version; 0 for a service of another scheduler and where a
 * last weight is not known, and never else. `held` is oldest first.
 *
 * hash_id() of: the name of the scheduler, a NUL, the flags (32 bits), and for each destination,
 * oldest first, its IP version (8 bits: 4 or 6), address (4 or 16 bytes), port (16 bits) and last
 * weight (32 bits); numbers are little-endian.
 */
uint64_t ipvs_order_fingerprint(const struct ipvs_service *held);

#endif
