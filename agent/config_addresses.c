/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_addresses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"

#define VIP_RANGES_MAX 1024
#define REFUSE_MAX     256 /* each member of each pool is held against them */

/* --- ranges and prefixes ------------------------------------------------------------ */

/* Quoted where there is a colon: a plain "2001:db8::" would be the key of a mapping. */
static void print_address(const char *text, struct buf *out)
{
	const char *quote = strchr(text, ':') ? "\"" : "";

	buf_printf(out, "%s%s%s", quote, text, quote);
}

static void print_item(const char *text, unsigned depth, struct buf *out)
{
	schema_print_line(depth, out);
	buf_str(out, "- ");
	print_address(text, out);
}

static void print_networks(const struct prefix *p, size_t count, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		char addr[ADDR_TEXT_MAX];
		char text[ADDR_TEXT_MAX + 8];

		snprintf(text, sizeof(text), "%s/%u", addr_text(&p[i].addr, addr), p[i].len);
		print_item(text, depth, out);
	}
}

/* --- vipRanges ------------------------------------------------------------------------ */

static void add_vip_range(struct config *c, const struct prefix *p)
{
	for (size_t i = 0; i < c->vip_range_count; i++) {
		if (memcmp(&c->vip_ranges[i], p, sizeof(*p)) == 0)
			return;
	}
	c->vip_ranges = xreallocarray(c->vip_ranges, c->vip_range_count + 1, sizeof(*p));
	c->vip_ranges[c->vip_range_count++] = *p;
}

/* The text of it; NULL: it is none, and that was said. */
static const char *read_network(struct schema_reader *r, const struct doc *d, struct prefix *out)
{
	const char *s = schema_scalar(r, d);

	if (!s || prefix_parse(s, out) == 0)
		return s;
	schema_bad(r, d,
		   "'%.64s' is not a network: write an address and its length with the host bits "
		   "zero, such as 10.0.0.0/24",
		   s);
	return NULL;
}

static int read_vip_range(struct schema_reader *r, const struct doc *d, void *base)
{
	struct addr_range range;
	struct prefix p;
	const char *s = read_network(r, d, &p);
	const char *why;

	if (!s)
		return -EINVAL;
	/* What lies in the middle is looked at where it is used: in the address pools. */
	range = prefix_range(&p);
	why = addr_refused(&range.first);
	if (!why)
		why = addr_refused(&range.last);
	if (why)
		return schema_bad(r, d, "%s cannot be virtual addresses (%s)", s, why);
	add_vip_range(base, &p);
	return 0;
}

static int read_vip_ranges(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			   void *base)
{
	(void)k;
	return schema_read_list(r, d, VIP_RANGES_MAX, read_vip_range, base);
}

static void print_vip_ranges(const struct schema_key *k, const void *base, unsigned depth,
			     struct buf *out)
{
	const struct config *c = base;

	(void)k;
	print_networks(c->vip_ranges, c->vip_range_count, depth, out);
}

const struct schema_type config_vip_ranges = { .read = read_vip_ranges, .print = print_vip_ranges };

/* --- refuse ---------------------------------------------------------------------------- */

static int read_refused(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config *c = base;
	struct prefix p;
	const char *s = read_network(r, d, &p);

	if (!s)
		return -EINVAL;
	if (p.len == 0)
		return schema_bad(r, d, "%s is every address there is: no server could be used", s);
	c->refuse[c->refuse_count++] = p;
	return 0;
}

static int read_refuse(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		       void *base)
{
	struct config *c = base;

	(void)k;
	c->refuse = xcalloc(REFUSE_MAX, sizeof(*c->refuse));
	return schema_read_list(r, d, REFUSE_MAX, read_refused, c);
}

static void print_refuse(const struct schema_key *k, const void *base, unsigned depth,
			 struct buf *out)
{
	const struct config *c = base;

	(void)k;
	print_networks(c->refuse, c->refuse_count, depth, out);
}

const struct schema_type config_refuse = { .read = read_refuse, .print = print_refuse };

/* --- addressPools --------------------------------------------------------------------- */

static int read_address(struct schema_reader *r, const struct doc *d, void *base)
{
	struct address_pool *p = base;
	const char *s = schema_scalar(r, d);
	struct addr_range range;
	struct err why;

	if (!s)
		return -EINVAL;
	if (address_pool_address(s, &range, &why) < 0)
		return schema_bad(r, d, "%s", why.text);
	p->addresses = xreallocarray(p->addresses, p->address_count + 1, sizeof(range));
	p->addresses[p->address_count++] = range;
	return 0;
}

static int read_addresses(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			  void *base)
{
	(void)k;
	return schema_read_list(r, d, ADDRESS_POOL_RANGES_MAX, read_address, base);
}

static void print_addresses(const struct schema_key *k, const void *base, unsigned depth,
			    struct buf *out)
{
	const struct address_pool *p = base;
	char text[ADDR_RANGE_TEXT_MAX];

	(void)k;
	for (size_t i = 0; i < p->address_count; i++)
		print_item(addr_range_text(&p->addresses[i], text), depth, out);
}

static const struct schema_type addresses_type = { .read = read_addresses,
						   .print = print_addresses };

static int read_ports(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		      void *base)
{
	struct address_pool *p = base;
	const char *s = schema_scalar(r, d);
	struct err why;

	(void)k;
	if (!s)
		return -EINVAL;
	if (address_pool_ports(s, &p->ports, &why) < 0)
		return schema_bad(r, d, "%s", why.text);
	return 0;
}

static void print_ports(const struct schema_key *k, const void *base, unsigned depth,
			struct buf *out)
{
	const struct address_pool *p = base;

	(void)k;
	(void)depth;
	if (p->ports.first == p->ports.last)
		buf_printf(out, " %u", p->ports.first);
	else
		buf_printf(out, " %u-%u", p->ports.first, p->ports.last);
}

static const struct schema_type ports_type = { .read = read_ports, .print = print_ports };

static const struct schema_key pool_keys[] = {
	{ .name = "name",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct address_pool, name),
	  .min = 1,
	  .max = ADDRESS_POOL_NAME_MAX,
	  .fault = address_pool_name_fault },
	{ .name = "addresses", .type = &addresses_type },
	{ .name = "ports", .type = &ports_type },
};

static int read_address_pool(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config *c = base;
	struct address_pool *p = &c->address_pools[c->address_pool_count++];
	const struct schema_section section = { pool_keys, ARRAY_LEN(pool_keys), p };
	int code = schema_read_map(r, d, &section, 1);

	if (code < 0)
		return code;
	if (!p->name)
		return schema_bad(r, d, "has no `name`");
	if (p->address_count == 0)
		return schema_bad(r, d, "has no `addresses`, such as [10.0.0.0/24]");
	if (p->ports.first == 0)
		return schema_bad(r, d, "has no `ports`, such as 30000-64999");
	return 0;
}

static int read_address_pools(struct schema_reader *r, const struct schema_key *k,
			      const struct doc *d, void *base)
{
	struct config *c = base;

	(void)k;
	c->address_pools = xcalloc(ADDRESS_POOLS_MAX, sizeof(*c->address_pools));
	return schema_read_list(r, d, ADDRESS_POOLS_MAX, read_address_pool, c);
}

static void print_address_pools(const struct schema_key *k, const void *base, unsigned depth,
				struct buf *out)
{
	const struct config *c = base;

	(void)k;
	for (size_t i = 0; i < c->address_pool_count; i++)
		schema_print_item(pool_keys, ARRAY_LEN(pool_keys), &c->address_pools[i], depth,
				  out);
}

const struct schema_type config_address_pools = { .read = read_address_pools,
						  .print = print_address_pools };

/* --- nodeAddress ------------------------------------------------------------------------ */

/* At most one of each family. */
static int read_own_addr(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config_own *own = base;
	const char *s = schema_scalar(r, d);
	struct addr a;
	struct addr *to;

	if (!s)
		return -EINVAL;
	if (addr_parse(s, &a) < 0)
		return schema_bad(r, d, "'%.64s' is not an address", s);
	if (addr_refused(&a))
		return schema_bad(r, d, "%s is no address of a node (%s)", s, addr_refused(&a));
	to = a.family == AF_INET ? &own->v4 : &own->v6;
	if (to->family != 0)
		return schema_bad(r, d, "%s is a second address of its family: one is possible", s);
	*to = a;
	return 0;
}

static int read_own(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		    void *base)
{
	return schema_read_list(r, d, 2, read_own_addr, (char *)base + k->offset);
}

static void print_own(const struct schema_key *k, const void *base, unsigned depth, struct buf *out)
{
	const struct config_own *own = (const void *)((const char *)base + k->offset);
	char text[ADDR_TEXT_MAX];

	if (own->v4.family != 0)
		print_item(addr_text(&own->v4, text), depth, out);
	if (own->v6.family != 0)
		print_item(addr_text(&own->v6, text), depth, out);
}

const struct schema_type config_own_addresses = { .read = read_own, .print = print_own };

/* --- healthcheck ------------------------------------------------------------------------ */

static const struct schema_key healthcheck_keys[] = {
	{ .name = "sourceAddress",
	  .type = &config_own_addresses,
	  SCHEMA_FIELD(struct config, check_from) },
	{ .name = "notrack",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config, check_notrack),
	  .words = &schema_truth,
	  .fallback = "false" },
};

static int read_healthcheck(struct schema_reader *r, const struct schema_key *k,
			    const struct doc *d, void *base)
{
	const struct config *c = base;
	int code = schema_read_keys(r, k, d, base);

	if (code < 0 || !c->check_notrack || c->check_from.v4.family || c->check_from.v6.family)
		return code;
	return schema_bad_key(r, doc_get(d, "notrack"), "notrack",
			      "is by the address that checks come from: add `sourceAddress`, an "
			      "address of this machine that nothing else uses");
}

const struct schema_type config_healthcheck = {
	.read = read_healthcheck,
	.print = schema_print_keys,
	.keys = healthcheck_keys,
	.key_count = ARRAY_LEN(healthcheck_keys),
};

/* --- all of them together ------------------------------------------------------------- */

static void add_as_prefixes(struct config *c, struct addr_range r)
{
	for (;;) {
		struct prefix p = addr_range_first_prefix(&r);

		add_vip_range(c, &p);
		r.first = prefix_range(&p).last;
		if (addr_cmp(&r.first, &r.last) == 0 || !addr_next(&r.first))
			return;
	}
}

/* The first pool up to `pool`, and before its own item `item`, that has an address of it too. */
static const struct address_pool *other_owner(const struct config *c, size_t pool, size_t item)
{
	const struct address_pool *p = &c->address_pools[pool];

	for (size_t i = 0; i <= pool; i++) {
		const struct address_pool *q = &c->address_pools[i];
		size_t count = i == pool ? item : q->address_count;

		for (size_t k = 0; k < count && port_ranges_meet(&p->ports, &q->ports); k++) {
			if (address_ranges_meet(&p->addresses[item], &q->addresses[k]))
				return q;
		}
	}
	return NULL;
}

static int check_range(struct schema_reader *r, const struct doc *d, const struct config *c,
		       size_t pool, size_t item)
{
	const struct addr_range *range = &c->address_pools[pool].addresses[item];
	const struct address_pool *owner = other_owner(c, pool, item);
	char text[ADDR_RANGE_TEXT_MAX];

	addr_range_text(range, text);
	if (!prefixes_cover(c->vip_ranges, c->vip_range_count, range))
		return schema_bad(r, d,
				  "%s is not inside vipRanges: add its network there, or "
				  "leave it out here",
				  text);
	if (owner == &c->address_pools[pool])
		return schema_bad(r, d, "%s overlaps another item of this list", text);
	if (owner)
		return schema_bad(r, d,
				  "%s overlaps addresses and ports of pool '%s': give each "
				  "pool addresses or ports of its own",
				  text, owner->name);
	if (addr_range_has(range, c->node_address.v4.family == range->first.family
					  ? &c->node_address.v4
					  : &c->node_address.v6))
		return schema_bad(r, d, "%s holds the nodeAddress, which is no virtual address",
				  text);
	/* Answers to a virtual address go to whichever machine has it. */
	if (addr_range_has(range, &c->check_from.v4) || addr_range_has(range, &c->check_from.v6))
		return schema_bad(r, d,
				  "%s holds healthcheck.sourceAddress, which has to be an address "
				  "of this machine alone",
				  text);
	return 0;
}

static int check_pool(struct schema_reader *r, const struct doc *d, const struct config *c,
		      size_t pool)
{
	const struct doc *addresses = doc_get(d, "addresses");
	size_t item = 0;
	int code = 0;

	for (size_t i = 0; i < pool; i++) {
		if (strcmp(c->address_pools[i].name, c->address_pools[pool].name) == 0)
			return schema_bad_key(r, doc_get(d, "name"), "name",
					      "'%s' is the name of an earlier pool",
					      c->address_pools[i].name);
	}
	for (const struct doc *a = addresses->first; a && code == 0; a = a->next, item++) {
		size_t mark = schema_enter(r, "addresses");

		schema_enter_item(r, item);
		code = check_range(r, a, c, pool, item);
		schema_leave(r, mark);
	}
	return code;
}

static int check_pools(struct schema_reader *r, const struct doc *pools, const struct config *c)
{
	size_t pool = 0;
	int code = 0;

	for (const struct doc *d = pools->first; d && code == 0; d = d->next, pool++) {
		size_t mark = schema_enter(r, "addressPools");

		schema_enter_item(r, pool);
		code = check_pool(r, d, c, pool);
		schema_leave(r, mark);
	}
	return code;
}

static bool is_check_source(const struct config *c, const struct addr *a)
{
	return a->family &&
	       (addr_cmp(a, &c->check_from.v4) == 0 || addr_cmp(a, &c->check_from.v6) == 0);
}

/* Connection tracking would not see what others do by it. */
static int check_notrack(struct schema_reader *r, const struct doc *root, const struct config *c)
{
	const struct doc *d = doc_get(root, "healthcheck");
	const char *other = NULL;
	size_t mark;
	int code;

	if (!c->check_notrack)
		return 0;
	if (is_check_source(c, &c->node_address.v4) || is_check_source(c, &c->node_address.v6))
		other = "nodeAddress";
	else if (c->api_listen.port && is_check_source(c, &c->api_listen.addr))
		other = "api.listen";
	if (!other)
		return 0;
	mark = schema_enter(r, "healthcheck");
	code = schema_bad_key(r, doc_get(d, "notrack"), "notrack",
			      "takes a `sourceAddress` that nothing else uses, and it is that of "
			      "`%s`: add an address of its own to this machine",
			      other);
	schema_leave(r, mark);
	return code;
}

int config_check_addresses(struct schema_reader *r, const struct doc *root, struct config *c)
{
	const struct doc *pools = doc_get(root, "addressPools");
	int code = check_notrack(r, root, c);

	if (code < 0 || !pools)
		return code;
	for (size_t i = 0; i < c->address_pool_count && !doc_get(root, "vipRanges"); i++) {
		for (size_t k = 0; k < c->address_pools[i].address_count; k++)
			add_as_prefixes(c, c->address_pools[i].addresses[k]);
	}
	return check_pools(r, pools, c);
}
