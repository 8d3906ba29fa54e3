/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All members of a pool at once: the fewest changes that make them those of a list. */
#include <stdio.h>
#include <stdlib.h>

#include "agent/api/edit_pool_body.h"
#include "agent/pool/weights.h"

struct wanted {
	struct endpoint at; /* first: compared with endpoints alone */
	uint32_t weight;
	bool own; /* the weight is said */
};

static int by_endpoint(const void *a, const void *b)
{
	return endpoint_cmp(a, b);
}

static size_t read_list(struct pool_documents *d, const struct doc *list, struct wanted *out)
{
	size_t n = 0, count = 0;

	for (const struct doc *i = list->first; i; i = i->next, n++) {
		struct pool_member m;
		char where[32];
		bool own;

		snprintf(where, sizeof(where), "members[%zu].", n);
		if (pool_body_member(d, i, where, &m, &own))
			out[count++] = (struct wanted){ m.endpoint, m.weight, own };
	}
	if (count > 1)
		qsort(out, count, sizeof(*out), by_endpoint);
	return count;
}

static void refuse_twice(struct pool_documents *d, const struct wanted *all, size_t count)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 1; i < count; i++)
		if (endpoint_cmp(&all[i - 1].at, &all[i].at) == 0)
			problems_add(&d->e->errors, true, 0, "members: %s is there twice",
				     endpoint_text(&all[i].at, text));
}

/* Those of `now` that are not wanted move to its front. */
static size_t find_gone(struct endpoint *now, size_t now_count, const struct wanted *all,
			size_t count)
{
	size_t gone = 0;

	for (size_t i = 0; i < now_count; i++)
		if (!bsearch(&now[i], all, count, sizeof(*all), by_endpoint))
			now[gone++] = now[i];
	return gone;
}

static void set_weights(struct pool_documents *d, const struct wanted *all, size_t count)
{
	const char *text = pool_setting(d, "weights");
	struct weights now = { 0 };

	if (text && weights_parse(text, &now) < 0)
		now = (struct weights){ 0 }; /* the first change says that it is no list */
	for (size_t i = 0; i < count && !d->e->errors.count; i++) {
		uint32_t weight;
		bool own = weights_find(&now, &all[i].at, &weight);

		if (own != all[i].own || (own && weight != all[i].weight))
			pool_set_weight(d, &all[i].at, all[i].own ? &all[i].weight : NULL);
	}
	weights_done(&now);
}

static void change(struct pool_documents *d, const struct wanted *all, size_t count)
{
	size_t now_count, gone;
	struct endpoint *now = pool_members(d, &now_count);

	if (now_count > 1)
		qsort(now, now_count, sizeof(*now), by_endpoint);
	/* New ones first: a subset that would lose all of its addresses is then kept. */
	for (size_t i = 0; i < count; i++)
		if (!bsearch(&all[i].at, now, now_count, sizeof(*now), by_endpoint))
			pool_add_member(d, &all[i].at);
	gone = find_gone(now, now_count, all, count);
	pool_remove_members(d, now, gone);
	set_weights(d, all, count);
}

void pool_set_members(struct pool_documents *d, const struct doc *list)
{
	struct wanted *all;
	size_t count;

	if (list->type != DOC_LIST) {
		problems_add(&d->e->errors, true, 0, "members is %s where a list belongs",
			     doc_type_text(list->type));
		return;
	}
	if (list->count > POOL_SET_MAX) {
		problems_add(&d->e->errors, true, 0,
			     "members has %zu items, and %d are the most that are set at once: "
			     "add and remove single ones",
			     list->count, POOL_SET_MAX);
		return;
	}
	all = arena_take(&d->e->arena, (list->count + 1) * sizeof(*all));
	count = read_list(d, list, all);
	refuse_twice(d, all, count);
	if (!d->e->errors.count)
		change(d, all, count);
}
