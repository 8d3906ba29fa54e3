/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address pools: where frontends come from. Those of the configuration come
 * first, then those that are documents (`kind: AddressPool`), the oldest first:
 * one that is added never takes a frontend from one that was there.
 *
 * Pure. Rules are never changed once they are made: each change makes new ones, so that readers in
 * other threads keep what they hold.
 */
#ifndef AGENT_POOL_ADDRESS_POOL_H
#define AGENT_POOL_ADDRESS_POOL_H

#include "agent/pool/pool.h"

#define ADDRESS_POOLS_MAX	    64 /* of the configuration, and of documents */
#define ADDRESS_POOL_NAME_MAX	    63
#define ADDRESS_POOL_RANGES_MAX	    256
#define ADDRESS_POOL_RESERVED_MAX   64
#define ADDRESS_POOL_NAMESPACES_MAX 64
#define ADDRESS_POOL_API_VERSION    "parasaus.io/v1"
#define ADDRESS_POOL_KIND	    "AddressPool"

/* --- parts that the configuration is written in, too; -EINVAL: err says what to write ---------- */

MUST_CHECK int address_pool_address(const char *s, struct addr_range *out, struct err *err);
MUST_CHECK int address_pool_ports(const char *s, struct port_range *out, struct err *err);
/* What is wrong with a name; NULL: nothing. */
const char *address_pool_name_fault(const char *s);
bool address_ranges_meet(const struct addr_range *a, const struct addr_range *b);
bool port_ranges_meet(const struct port_range *a, const struct port_range *b);

/* --- documents ----------------------------------------------------------------------------------- */

/* Says the document that it is one? Whether it can be used is another matter. */
bool address_pool_is(const struct doc *d);
/* -EINVAL: not usable; err says why, with the line. *out is the caller's (address_pool_done()). */
MUST_CHECK int address_pool_decode(const struct doc *d, struct address_pool *out, struct err *err);
void address_pool_done(struct address_pool *p);
bool address_pool_same(const struct address_pool *a, const struct address_pool *b);

/* --- looking -------------------------------------------------------------------------------------- */

/* Is it one of its addresses with one of its ports? */
bool address_pool_has(const struct address_pool *p, const struct endpoint *e);
/* Are Services of this namespace served from it? */
bool address_pool_serves(const struct address_pool *p, const char *ns);
/* Is the port one of the reserved ones? */
bool address_pool_reserves(const struct address_pool *p, uint16_t port);
/* The first that has it and serves the namespace (NULL: any); NULL: none. */
const struct address_pool *pool_rules_pool(const struct pool_rules *r, const struct endpoint *e,
					   const char *ns);
const struct address_pool *pool_rules_named(const struct pool_rules *r, const char *name);
/*
 * May it be one of them, in the place of the document of its name, which may be itself? -EEXIST:
 * the configuration has that name. -EINVAL: outside vipRanges, or it holds what another one holds,
 * or there are too many.
 */
MUST_CHECK int pool_rules_admit(const struct pool_rules *r, const struct address_pool *p,
				struct err *err);

/* --- rules ----------------------------------------------------------------------------------------- */

/*
 * A copy of *r with a document's pool in the place of that of the same name, or among the others by
 * its age; p NULL: without that of this name. What is not a document stays.
 */
MUST_CHECK struct pool_rules *pool_rules_with(const struct pool_rules *r, const char *name,
					      const struct address_pool *p);
/* Rules that were not made here (refs NULL) are their maker's, and outlive whoever holds them. */
const struct pool_rules *pool_rules_ref(const struct pool_rules *r);
void pool_rules_unref(const struct pool_rules *r); /* NULL is fine */

#endif
