/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core wants, seen for the first time. The last word on what may be
 * written is ours: core reads what strangers write, and may be broken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ipvs/role_parts.h"

#define CHECKS_PER_PIECE 512

static bool is_allowed(struct ipvs_role *r, struct ipvs_row *row)
{
	if (!prefixes_have(r->config->vip_ranges, r->config->vip_range_count, &row->key.addr))
		ipvs_trouble(r, row, NULL, EACCES, false, "refused: outside vipRanges");
	else if (!ipvs_is_ours(r->config, &row->key))
		ipvs_trouble(r, row, NULL, EACCES, false,
			     "refused: in no address pool, or its port in none");
	else
		return true;
	return false;
}

static bool is_refused(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d)
{
	const struct ipvs_config *c = r->config;
	const char *why = addr_refused(&d->addr);
	char text[80];

	if (why)
		snprintf(text, sizeof(text), "refused as a real server: %s address", why);
	else if (prefixes_have(c->refuse, c->refuse_count, &d->addr))
		snprintf(text, sizeof(text), "refused as a real server: `refuse` has its network");
	else
		return false;
	ipvs_trouble(r, row, d, EACCES, false, text);
	return true;
}

/*
 * What the kernel has from before it was refused is let go with its connections; new ones it gets
 * none at this weight, nor while its service is loaded anew. Nothing else comes in by that.
 */
static bool is_let_go(const struct ipvs_row *row, const struct ipvs_dest *d)
{
	return d->draining && d->weight == 0 && d->nominal == 0 && row->have &&
	       ipvs_service_find(row->have, d);
}

static bool may_stay(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d)
{
	return is_let_go(row, d) || !is_refused(r, row, d);
}

/* Mostly all of them may stay, and then the row's are not touched. */
static void police_dests(struct ipvs_role *r, struct ipvs_row *row)
{
	struct ipvs_service *s = row->want;
	struct ipvs_dest *dests;
	uint32_t kept = 0;

	while (kept < s->dest_count && may_stay(r, row, &s->dests[kept]))
		kept++;
	if (kept == s->dest_count)
		return;
	dests = ipvs_service_edit(s);
	for (uint32_t i = kept + 1; i < s->dest_count; i++) {
		if (may_stay(r, row, &dests[i]))
			dests[kept++] = dests[i];
	}
	s->dest_count = kept;
}

static void check_row(struct ipvs_role *r, struct ipvs_row *row)
{
	ipvs_enqueue(r, row, IPVS_QUEUE_NONE);
	if (!row->staged_any && row->staged) {
		ipvs_service_done(row->staged); /* what was wanted before */
		free(row->staged);
		row->staged = NULL;
	}
	ipvs_troubles_clear(r, row, ipvs_rival_holds(r, row));
	if (row->want && !is_allowed(r, row))
		ipvs_row_want(row, NULL);
	if (row->want) {
		police_dests(r, row);
		ipvs_drain_add(r, row);
	}
	/* What had been read in doubt before it was wanted is still to be read. */
	if (row->doubted && row->have)
		ipvs_enqueue_read(r, row);
	ipvs_settle(r, row);
}

void ipvs_check_piece(struct ipvs_role *r)
{
	for (unsigned i = 0; i < CHECKS_PER_PIECE && r->queues[IPVS_QUEUE_CHECK].first; i++)
		check_row(r, r->queues[IPVS_QUEUE_CHECK].first);
}
