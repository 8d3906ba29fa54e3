/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/address_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

/* --- parts --------------------------------------------------------------------------------- */

int address_pool_address(const char *s, struct addr_range *out, struct err *err)
{
	char text[ADDR_TEXT_MAX];
	struct addr refused;
	const char *why;

	if (addr_range_parse(s, out) < 0)
		return err_set(err, -EINVAL,
			       "'%.64s' is not an address, a network or a range: write 10.0.0.1, "
			       "10.0.0.0/24 or 10.0.0.1-10.0.0.9",
			       s);
	why = addr_range_refused(out, &refused);
	if (why)
		return err_set(err, -EINVAL, "%s cannot be a virtual address (%s): leave it out",
			       addr_text(&refused, text), why);
	return 0;
}

int address_pool_ports(const char *s, struct port_range *out, struct err *err)
{
	if (port_range_parse(s, out) < 0)
		return err_set(err, -EINVAL,
			       "'%.64s' is not a range of ports: write 30000-64999, or a single "
			       "one of 1 to 65535",
			       s);
	return 0;
}

const char *address_pool_name_fault(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (n == 0 || s[n] != '\0' || s[0] == '-' || s[n - 1] == '-')
		return "is no name for a pool: a-z, 0-9, and '-' inside";
	return NULL;
}

bool address_ranges_meet(const struct addr_range *a, const struct addr_range *b)
{
	return a->first.family == b->first.family && addr_cmp(&a->first, &b->last) <= 0 &&
	       addr_cmp(&b->first, &a->last) <= 0;
}

bool port_ranges_meet(const struct port_range *a, const struct port_range *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* --- looking ------------------------------------------------------------------------------- */

bool address_pool_has(const struct address_pool *p, const struct endpoint *e)
{
	if (e->port < p->ports.first || e->port > p->ports.last)
		return false;
	for (size_t i = 0; i < p->address_count; i++) {
		if (addr_range_has(&p->addresses[i], &e->addr))
			return true;
	}
	return false;
}

bool address_pool_serves(const struct address_pool *p, const char *ns)
{
	for (size_t i = 0; i < p->namespace_count; i++) {
		if (strcmp(p->namespaces[i], ns) == 0)
			return true;
	}
	return p->namespace_count == 0;
}

bool address_pool_reserves(const struct address_pool *p, uint16_t port)
{
	for (size_t i = 0; i < p->reserved_count; i++) {
		if (port >= p->reserved[i].first && port <= p->reserved[i].last)
			return true;
	}
	return false;
}

const struct address_pool *pool_rules_pool(const struct pool_rules *r, const struct endpoint *e,
					   const char *ns)
{
	for (size_t i = 0; i < r->address_pool_count; i++) {
		const struct address_pool *p = &r->address_pools[i];

		if (address_pool_has(p, e) && (!ns || address_pool_serves(p, ns)))
			return p;
	}
	return NULL;
}

const struct address_pool *pool_rules_named(const struct pool_rules *r, const char *name)
{
	for (size_t i = 0; i < r->address_pool_count; i++) {
		if (strcmp(r->address_pools[i].name, name) == 0)
			return &r->address_pools[i];
	}
	return NULL;
}

static bool names_same(const struct address_pool *a, const struct address_pool *b)
{
	if (a->namespace_count != b->namespace_count)
		return false;
	for (size_t i = 0; i < a->namespace_count; i++) {
		if (strcmp(a->namespaces[i], b->namespaces[i]) != 0)
			return false;
	}
	return true;
}

static bool bytes_same(const void *a, const void *b, size_t size)
{
	return size == 0 || memcmp(a, b, size) == 0;
}

bool address_pool_same(const struct address_pool *a, const struct address_pool *b)
{
	return strcmp(a->name, b->name) == 0 && a->address_count == b->address_count &&
	       bytes_same(a->addresses, b->addresses, a->address_count * sizeof(*a->addresses)) &&
	       a->ports.first == b->ports.first && a->ports.last == b->ports.last &&
	       a->reserved_count == b->reserved_count &&
	       bytes_same(a->reserved, b->reserved, a->reserved_count * sizeof(*a->reserved)) &&
	       names_same(a, b) && a->manual == b->manual;
}

/* --- may it be there? ---------------------------------------------------------------------- */

static int check_item(const struct pool_rules *r, const struct address_pool *p, size_t item,
		      struct err *err)
{
	const struct addr_range *range = &p->addresses[item];
	const struct addr *node = range->first.family == r->node_v4.family ? &r->node_v4
									   : &r->node_v6;
	char text[ADDR_RANGE_TEXT_MAX];

	addr_range_text(range, text);
	if (r->vip_range_count && !prefixes_cover(r->vip_ranges, r->vip_range_count, range))
		return err_set(err, -EINVAL,
			       "spec.addresses[%zu]: %s is not inside vipRanges of the "
			       "configuration: add its network there, or leave it out",
			       item, text);
	if (addr_range_has(range, node))
		return err_set(err, -EINVAL,
			       "spec.addresses[%zu]: %s holds the nodeAddress, which is no virtual "
			       "address",
			       item, text);
	for (size_t i = 0; i < item; i++) {
		if (address_ranges_meet(range, &p->addresses[i]))
			return err_set(err, -EINVAL,
				       "spec.addresses[%zu]: %s overlaps another item of this list",
				       item, text);
	}
	return 0;
}

static int check_against(const struct address_pool *p, const struct address_pool *other,
			 struct err *err)
{
	char text[ADDR_RANGE_TEXT_MAX];

	for (size_t i = 0; i < p->address_count && port_ranges_meet(&p->ports, &other->ports);
	     i++) {
		for (size_t k = 0; k < other->address_count; k++) {
			if (address_ranges_meet(&p->addresses[i], &other->addresses[k]))
				return err_set(
					err, -EINVAL,
					"spec.addresses[%zu]: %s overlaps addresses and ports of "
					"the address pool '%s'%s: give each addresses or ports of "
					"its own",
					i, addr_range_text(&p->addresses[i], text), other->name,
					other->revision ? "" : " of the configuration");
		}
	}
	return 0;
}

int pool_rules_admit(const struct pool_rules *r, const struct address_pool *p, struct err *err)
{
	const struct address_pool *same = pool_rules_named(r, p->name);
	size_t documents = 0;
	int ret = 0;

	if (same && !same->revision)
		return err_set(err, -EEXIST,
			       "metadata.name: the configuration has an address pool '%s' under "
			       "addressPools: give this one another name",
			       p->name);
	for (size_t i = 0; i < r->address_pool_count; i++)
		documents += r->address_pools[i].revision != 0;
	if (documents + !same > ADDRESS_POOLS_MAX)
		return err_set(err, -EINVAL,
			       "there are %d address pools, which is the limit: give one of them "
			       "more addresses",
			       ADDRESS_POOLS_MAX);
	for (size_t i = 0; i < p->address_count && ret == 0; i++)
		ret = check_item(r, p, i, err);
	for (size_t i = 0; i < r->address_pool_count && ret == 0; i++) {
		if (&r->address_pools[i] != same)
			ret = check_against(p, &r->address_pools[i], err);
	}
	return ret;
}

/* --- rules --------------------------------------------------------------------------------- */

struct made_rules {
	struct pool_rules rules; /* first: they are one */
	atomic_uint refs;
};

static void *copy_array(const void *from, size_t count, size_t size)
{
	void *to = count ? xcalloc(count, size) : NULL;

	if (to)
		memcpy(to, from, count * size);
	return to;
}

static void copy_pool(struct address_pool *to, const struct address_pool *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->user = from->user ? xstrdup(from->user) : NULL;
	to->addresses = copy_array(from->addresses, from->address_count, sizeof(*to->addresses));
	to->reserved = copy_array(from->reserved, from->reserved_count, sizeof(*to->reserved));
	to->namespaces = from->namespace_count ? xcalloc(from->namespace_count, sizeof(char *))
					       : NULL;
	for (size_t i = 0; i < from->namespace_count; i++)
		to->namespaces[i] = xstrdup(from->namespaces[i]);
}

void address_pool_done(struct address_pool *p)
{
	for (size_t i = 0; i < p->namespace_count; i++)
		free(p->namespaces[i]);
	free(p->namespaces);
	free(p->reserved);
	free(p->addresses);
	free(p->user);
	free(p->name);
	*p = (struct address_pool){ 0 };
}

/* Those of the configuration are older than any document. */
static bool is_older(const struct address_pool *a, const struct address_pool *b)
{
	if (!a->revision || !b->revision)
		return !a->revision;
	return a->created < b->created;
}

struct pool_rules *pool_rules_with(const struct pool_rules *r, const char *name,
				   const struct address_pool *p)
{
	struct made_rules *m = xcalloc(1, sizeof(*m));
	struct address_pool *all = xcalloc(r->address_pool_count + 1, sizeof(*all));
	const struct address_pool *more = p;
	size_t n = 0;

	for (size_t i = 0; i < r->address_pool_count; i++) {
		const struct address_pool *old = &r->address_pools[i];

		if (old->revision && strcmp(old->name, name) == 0)
			continue;
		if (more && !is_older(old, more)) {
			copy_pool(&all[n++], more);
			more = NULL;
		}
		copy_pool(&all[n++], old);
	}
	if (more)
		copy_pool(&all[n++], more);
	m->rules = *r;
	m->rules.address_pools = all;
	m->rules.address_pool_count = n;
	m->rules.refs = &m->refs;
	if (m->rules.defaults.check)
		m->rules.defaults.check = check_ref(m->rules.defaults.check);
	atomic_init(&m->refs, 1);
	return &m->rules;
}

const struct pool_rules *pool_rules_ref(const struct pool_rules *r)
{
	if (r && r->refs)
		atomic_fetch_add_explicit(r->refs, 1, memory_order_relaxed);
	return r;
}

void pool_rules_unref(const struct pool_rules *r)
{
	struct pool_rules *own = (struct pool_rules *)(uintptr_t)r;
	struct address_pool *all;

	if (!r || !r->refs || atomic_fetch_sub_explicit(r->refs, 1, memory_order_acq_rel) != 1)
		return;
	all = (struct address_pool *)(uintptr_t)own->address_pools;
	for (size_t i = 0; i < own->address_pool_count; i++)
		address_pool_done(&all[i]);
	free(all);
	check_unref(own->defaults.check);
	free(own);
}
