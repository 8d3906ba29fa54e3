/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nftables tables `inet parasaus` and, where not every machine that has a VIP answers for it,
 * `arp parasaus`: their text, writing and reading them.
 *
 * Everything that is written is text built here and given to libnftables, one
 * transaction a call. Elements are read by netlink, for the text of 35,000 is
 * slow to print and to take apart. Other tables are never looked at. Blocks;
 * never logs.
 */
#ifndef IPVS_HOST_RULES_H
#define IPVS_HOST_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "ipvs/host_model.h"
#include "ipvs/message.h"
#include "ipvs/role.h"

#define HOST_RULES_TABLE "parasaus"

/* --- text (pure) --- */

/*
 * The same addresses and ports in blocks of which no two share one, in order: what an nftables set
 * of intervals takes. Returns how many; the caller frees *out.
 */
MUST_CHECK size_t host_ours_disjoint(const struct ipvs_ours *ours, size_t count,
				     struct ipvs_ours **out);

/* Of the two tables. */
enum host_table {
	HOST_TABLE_INET = 1,
	HOST_TABLE_ARP = 2,
};

/* These tables without elements, word for word as nftables 1.0.6 prints them (`nft -stpy list table`). */
void host_rules_text(unsigned tables, struct buf *out);
/* Is it of a part that is kept in nftables' sets? */
bool host_rules_has(enum host_part part);
/* `add element` and `delete element` for the changes that are of such a part. */
void host_rules_element_text(const struct host_change *c, size_t count, struct buf *out);
/*
 * Everything anew, with these blocks in ours4 and ours6: the tables that are `there` go, `inet
 * parasaus` whether or not, and those of `tables` are made.
 */
void host_rules_replace_text(unsigned there, unsigned tables, const struct ipvs_ours *ours,
			     size_t count, const struct host_change *elements, size_t element_count,
			     struct buf *out);

/* --- the kernel --- */

struct host_rules;

MUST_CHECK int host_rules_open(const struct ipvs_config *c, struct host_rules **out,
			       struct err *err);
void host_rules_close(struct host_rules *r); /* NULL is fine */

/* Are our tables there, with the chains, rules, sets and `ours` that they should have? */
MUST_CHECK int host_rules_check(struct host_rules *r, bool *out_intact, struct err *err);
/* Each element of the sets that follow the frontends. -ENOENT: no such table. */
typedef void host_element_fn(void *arg, enum host_part part, const struct endpoint *key);
MUST_CHECK int host_rules_read(struct host_rules *r, host_element_fn *fn, void *arg);

/* The blocks that are in our table, whoever wrote them, in no order. -ENOENT: no such table. */
MUST_CHECK int host_rules_read_ours(struct host_rules *r, struct ipvs_ours_list *out);

/* One transaction. `elements` may hold changes of other parts, which are skipped. */
MUST_CHECK int host_rules_change(struct host_rules *r, const struct host_change *elements,
				 size_t count, struct err *err);
MUST_CHECK int host_rules_replace(struct host_rules *r, const struct host_change *elements,
				  size_t count, struct err *err);
/* *out_existed: which tables there were (enum host_table). */
MUST_CHECK int host_rules_delete(struct host_rules *r, unsigned *out_existed, struct err *err);

/* The number of the last transaction of this network namespace, whoever made it. */
MUST_CHECK int host_rules_generation(struct host_rules *r, uint32_t *out);

#endif
