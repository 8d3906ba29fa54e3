/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AddressPool documents: whatever one says, rules come of it that hold, or an error that says why. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/pool/address_pool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_bounded(const struct address_pool *p)
{
	if (!p->name || address_pool_name_fault(p->name) ||
	    strlen(p->name) > ADDRESS_POOL_NAME_MAX || !p->address_count ||
	    p->address_count > ADDRESS_POOL_RANGES_MAX ||
	    p->reserved_count > ADDRESS_POOL_RESERVED_MAX ||
	    p->namespace_count > ADDRESS_POOL_NAMESPACES_MAX || !p->ports.first ||
	    p->ports.first > p->ports.last)
		abort();
	for (size_t i = 0; i < p->address_count; i++) {
		if (addr_cmp(&p->addresses[i].first, &p->addresses[i].last) > 0)
			abort();
	}
}

/* Each is admitted among those before it, or not: then no two of them have the same frontend. */
static const struct pool_rules *take(const struct pool_rules *r, const struct doc *d,
				     uint64_t revision)
{
	const struct pool_rules *more = r;
	struct address_pool p;
	struct err err = { 0 };
	int ret = address_pool_decode(d, &p, &err);

	if (ret < 0) {
		if (ret != -EINVAL || !err.text[0])
			abort();
		return r;
	}
	is_bounded(&p);
	p.revision = p.created = revision;
	if (pool_rules_admit(r, &p, &err) == 0) {
		more = pool_rules_with(r, p.name, &p);
		if (!address_pool_same(pool_rules_named(more, p.name), &p))
			abort();
		pool_rules_unref(r);
	}
	address_pool_done(&p);
	return more;
}

static void are_apart(const struct pool_rules *r)
{
	for (size_t i = 0; i < r->address_pool_count; i++) {
		const struct address_pool *p = &r->address_pools[i];
		const struct endpoint first = { .addr = p->addresses[0].first,
						.port = p->ports.first };

		if (pool_rules_pool(r, &first, NULL) != p)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct doc_limits limits = { .nodes = 2000, .depth = 16 };
	static const struct pool_rules none;
	const struct pool_rules *r = &none;
	struct doc_set s = { 0 };

	if (doc_read_yaml(data, size, &limits, &s, NULL) < 0)
		return 0;
	for (size_t i = 0; i < s.count; i++)
		r = take(r, s.roots[i], i + 1);
	are_apart(r);
	pool_rules_unref(r);
	doc_set_done(&s);
	return 0;
}
