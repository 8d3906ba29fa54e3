/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of the embedded store, as edit_backend.h has them. */
#include "agent/api/edit_private.h"

static const struct store_object *get(struct edit *e, const struct store_key *key)
{
	return store_get(e->store, key);
}

static void each(struct edit *e, enum store_kind kind, const char *ns, store_each_fn *fn, void *arg)
{
	store_each(e->store, kind, ns, fn, arg);
}

static const struct store_object *holder(struct edit *e, const struct endpoint *at)
{
	return store_claimed_by(e->store, at);
}

static bool is_free(struct edit *e, const struct endpoint *at)
{
	const struct port_range alone = { at->port, at->port };
	uint16_t port;

	return !store_claimed_by(e->store, at) &&
	       store_free_port(e->store, &at->addr, at->protocol, &alone, 1, NULL, 0, &port) == 0;
}

static void write(struct edit *e, const struct store_write *w, store_written_fn *fn)
{
	store_write(e->store, w, fn, e);
}

static void revisions(struct edit *e, const struct store_revisions_query *q, store_revisions_fn *fn)
{
	store_revisions(e->store, q, fn, e);
}

static void operations(struct edit *e, const struct store_operations_query *q,
		       store_operations_fn *fn)
{
	store_operations(e->store, q, fn, e);
}

static void forget(struct edit *e)
{
	if (e->store)
		store_forget(e->store, e);
}

const struct edit_backend edit_backend_store = {
	.get = get,
	.each = each,
	.holder = holder,
	.is_free = is_free,
	.write = write,
	.revisions = revisions,
	.operations = operations,
	.forget = forget,
	.claims = true,
};
