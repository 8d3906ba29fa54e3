/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is ours changes while the agent runs: address pools come and go. Core
 * says what it is, and the configuration's vipRanges say what it can be.
 *
 * What stops being ours is left as it is in the kernel, for nothing there is ours to delete then;
 * core takes away what it does not want first, and narrows after that.
 */
#include <string.h>

#include "ipvs/role_parts.h"

static bool same(const struct ipvs_ours *a, const struct ipvs_ours *b)
{
	return addr_cmp(&a->addresses.first, &b->addresses.first) == 0 &&
	       addr_cmp(&a->addresses.last, &b->addresses.last) == 0 &&
	       a->ports.first == b->ports.first && a->ports.last == b->ports.last;
}

/* Does the list have each of these? */
static bool has_all(const struct ipvs_ours *list, size_t list_count, const struct ipvs_ours *these,
		    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool found = i < list_count &&
			     same(&list[i], &these[i]); /* in the same order, mostly */

		for (size_t k = 0; k < list_count && !found; k++)
			found = same(&list[k], &these[i]);
		if (!found)
			return false;
	}
	return true;
}

/* A broken core, or one with another configuration. */
static void drop_outside(struct ipvs_role *r, struct ipvs_ours_list *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++) {
		char text[ADDR_RANGE_TEXT_MAX];

		if (prefixes_cover(r->config->vip_ranges, r->config->vip_range_count,
				   &l->items[i].addresses)) {
			l->items[kept++] = l->items[i];
			continue;
		}
		ipvs_tell_event(r, LOG_LEVEL_ERROR,
				"%s is outside vipRanges and not taken for ours, whatever address "
				"pool has it",
				addr_range_text(&l->items[i].addresses, text));
	}
	l->count = kept;
}

bool ipvs_may_be_ours(const struct ipvs_role *r, const struct endpoint *key)
{
	bool inside = false;

	if (r->committed)
		return ipvs_is_ours(r->config, key);
	for (size_t i = 0; i < r->config->vip_range_count && !inside; i++)
		inside = prefix_has(&r->config->vip_ranges[i], &key->addr);
	return inside;
}

/* The kernel goes on with it; the host's routes and rules for it go when its row settles. */
static void leave_others(struct ipvs_role *r)
{
	struct ipvs_row *row;
	size_t left = 0;

	for (size_t pos = 0; (row = map_next(&r->image.rows, &pos));) {
		if (ipvs_is_ours(r->config, &row->key))
			continue;
		left += row->have != NULL;
		ipvs_image_lose(&r->image, row, false);
		row->doubted = false;
		ipvs_enqueue(r, row, IPVS_QUEUE_CHECK);
	}
	if (left && r->committed)
		ipvs_tell_event(r, LOG_LEVEL_WARNING,
				"%zu services are in no address pool any more: they stay in the "
				"kernel as they are, and are not looked after",
				left);
}

/* True: it is more than it was. */
static bool take_staged(struct ipvs_role *r, bool *narrower)
{
	const struct ipvs_ours *old = r->config->ours;
	size_t old_count = r->config->ours_count;
	struct ipvs_ours_list now = r->staged_ours, before = r->ours;
	bool wider;

	r->staged_ours = (struct ipvs_ours_list){ 0 };
	r->staged_ours_any = false;
	drop_outside(r, &now);
	wider = !has_all(old, old_count, now.items, now.count);
	*narrower = !has_all(now.items, now.count, old, old_count);
	r->ours = now;
	r->own.ours = now.items;
	r->own.ours_count = now.count;
	ipvs_ours_list_done(&before);
	return wider;
}

bool ipvs_ours_take(struct ipvs_role *r)
{
	bool narrower = false, wider = r->staged_ours_any && take_staged(r, &narrower);

	if (narrower || !r->committed)
		leave_others(r);
	if (wider || narrower)
		ipvs_hosting_follow(r); /* before any service does */
	/* Before the first commit all that could be ours was read. */
	return wider && r->committed;
}

void ipvs_ours_look(struct ipvs_role *r)
{
	uint32_t strangers;
	int ret = ipvs_audit_look(r, &strangers);

	if (ret < 0)
		ipvs_tell_event(r, LOG_LEVEL_WARNING, "reading the IPVS services: %s",
				strerror(-ret));
	else if (strangers && r->commit.complete)
		ipvs_tell_event(r, LOG_LEVEL_WARNING,
				"%u services were in the kernel at addresses and ports that are "
				"ours now, and nobody declares them: they are deleted",
				strangers);
}
