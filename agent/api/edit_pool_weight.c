/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Weights of members: one annotation for all pools of a Service, which speaks
 * of an address with a port, or with any.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_pool.h"
#include "agent/pool/annotations.h"
#include "agent/pool/weights.h"

/* --- one member ------------------------------------------------------------------------------------ */

static const char *change_weights(struct pool_documents *d, const char *text,
				  const struct endpoint *where, const uint32_t *weight)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	text = text ? text : "";
	if (weights_change(text, where, weight, &out) == 0)
		return arena_strdup(&d->e->arena, buf_cstr(&out));
	problems_add(&d->e->errors, true, 0,
		     "annotation " ANNOTATION_PREFIX "weights: \"%.64s\" is no list of weights: "
		     "mend it first",
		     text);
	return text;
}

struct spread {
	struct pool_documents *d;
	const char *weights;
	struct endpoint but; /* this one */
	uint32_t weight;
};

static void spread_to(void *arg, const struct endpoint *at)
{
	struct spread *s = arg;
	uint32_t own;

	if (addr_cmp(&at->addr, &s->but.addr) == 0 && at->port != s->but.port &&
	    !weights_say(s->weights, at, &own))
		s->weights = change_weights(s->d, s->weights, at, &s->weight);
}

/* What was said of the address with any port is said of its other members from then on. */
static const char *take_weight(struct pool_documents *d, const char *text,
			       const struct endpoint *at)
{
	struct spread s = { .d = d, .but = *at };
	const struct endpoint any = { .addr = at->addr };

	s.weights = change_weights(d, text, at, NULL);
	if (!weights_say(s.weights, &any, &s.weight))
		return s.weights;
	s.weights = change_weights(d, s.weights, &any, NULL);
	pool_each_endpoint(d, spread_to, &s);
	return s.weights;
}

void pool_set_weight(struct pool_documents *d, const struct endpoint *at, const uint32_t *weight)
{
	const char *before = pool_setting(d, "weights"), *now;

	if (!weight && !before)
		return;
	now = weight ? change_weights(d, before, at, weight) : take_weight(d, before, at);
	if (!before || strcmp(before, now) != 0)
		pool_set_setting(d, "weights", *now ? now : NULL);
}

/* --- members that go -------------------------------------------------------------------------------- */

/* Members that go, sorted; is there anything left of one, or of its address? */
struct leaver {
	struct endpoint at;
	bool stays, address_stays; /* the latter in the first of an address */
};
struct leaving {
	struct leaver *items;
	size_t count;
};

/* Weights know no protocol. */
static struct endpoint plain(const struct endpoint *at)
{
	return (struct endpoint){ .addr = at->addr, .port = at->port };
}

static int by_endpoint(const void *a, const void *b)
{
	return endpoint_cmp(&((const struct leaver *)a)->at, &((const struct leaver *)b)->at);
}

/* The first that is not before it; NULL: none. */
static struct leaver *first_from(const struct leaving *l, const struct endpoint *at)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (endpoint_cmp(&l->items[mid].at, at) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->count ? &l->items[low] : NULL;
}

static void mark_stays(void *arg, const struct endpoint *at)
{
	const struct endpoint any = { .addr = at->addr }, exact = plain(at);
	struct leaver *address = first_from(arg, &any), *own = first_from(arg, &exact);

	if (address && addr_cmp(&address->at.addr, &at->addr) == 0)
		address->address_stays = true;
	if (own && endpoint_cmp(&own->at, &exact) == 0)
		own->stays = true;
}

static bool is_of_use(void *arg, const struct endpoint *where)
{
	const struct endpoint key = plain(where);
	const struct leaver *l = first_from(arg, &key);

	if (!l || addr_cmp(&l->at.addr, &key.addr) != 0)
		return true;
	if (!key.port)
		return l->address_stays;
	return l->at.port != key.port || l->stays;
}

void pool_forget_weights(struct pool_documents *d, const struct endpoint *gone, size_t count)
{
	const char *weights = pool_setting(d, "weights");
	CLEANUP(buf_done) struct buf left = { 0 };
	struct leaving l = { .count = count };

	if (!weights || !count)
		return;
	l.items = arena_take(&d->e->arena, count * sizeof(*l.items));
	for (size_t i = 0; i < count; i++)
		l.items[i].at = plain(&gone[i]);
	qsort(l.items, count, sizeof(*l.items), by_endpoint);
	pool_each_endpoint(d, mark_stays, &l);
	if (weights_filter(weights, is_of_use, &l, &left) == 0 &&
	    strcmp(buf_cstr(&left), weights) != 0)
		pool_set_setting(d, "weights",
				 left.len ? arena_strdup(&d->e->arena, buf_cstr(&left)) : NULL);
}
