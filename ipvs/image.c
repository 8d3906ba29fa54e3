/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/image.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/attr.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

static bool has_key(const void *object, const void *key)
{
	const struct ipvs_row *row = object;

	return memcmp(&row->key, key, sizeof(row->key)) == 0;
}

static uint64_t hash_of(const struct endpoint *key)
{
	return hash_table(key, sizeof(*key));
}

static void free_service(struct ipvs_service *s)
{
	if (!s)
		return;
	ipvs_service_done(s);
	free(s);
}

static void free_row(struct ipvs_row *row)
{
	free_service(row->want);
	free_service(row->have);
	free_service(row->lost);
	free_service(row->staged);
	free(row);
}

void ipvs_image_init(struct ipvs_image *m)
{
	memset(m, 0, sizeof(*m));
	map_init(&m->rows, has_key);
}

void ipvs_image_done(struct ipvs_image *m)
{
	struct ipvs_row *row;

	for (size_t pos = 0; (row = map_next(&m->rows, &pos));)
		free_row(row);
	map_done(&m->rows);
}

struct ipvs_row *ipvs_image_get(const struct ipvs_image *m, const struct endpoint *key)
{
	return map_get(&m->rows, hash_of(key), key);
}

struct ipvs_row *ipvs_image_make(struct ipvs_image *m, const struct endpoint *key)
{
	uint64_t hash = hash_of(key);
	struct ipvs_row *row = map_get(&m->rows, hash, key);

	if (!row) {
		row = xcalloc(1, sizeof(*row));
		row->key = *key;
		map_put(&m->rows, hash, row);
	}
	return row;
}

void ipvs_image_list_begin(struct ipvs_image *m)
{
	m->listed = NULL;
}

static struct ipvs_row *after_listed(const struct ipvs_image *m)
{
	return m->listed ? m->listed->list_next : m->first_listed;
}

struct ipvs_row *ipvs_image_next_listed(struct ipvs_image *m, const struct endpoint *key)
{
	struct ipvs_row *row = after_listed(m);

	return row && has_key(row, key) ? row : NULL;
}

static void unlist(struct ipvs_image *m, struct ipvs_row *row)
{
	if (m->listed == row)
		m->listed = row->list_before;
	if (m->rolled == row)
		m->rolled = row->list_before;
	if (m->first_listed == row)
		m->first_listed = row->list_next;
	if (row->list_before)
		row->list_before->list_next = row->list_next;
	if (row->list_next)
		row->list_next->list_before = row->list_before;
	row->list_next = row->list_before = NULL;
}

void ipvs_image_listed(struct ipvs_image *m, struct ipvs_row *row)
{
	if (row != after_listed(m)) {
		unlist(m, row);
		row->list_before = m->listed;
		row->list_next = after_listed(m);
		if (row->list_next)
			row->list_next->list_before = row;
		if (m->listed)
			m->listed->list_next = row;
		else
			m->first_listed = row;
	}
	m->listed = row;
}

void ipvs_image_roll_begin(struct ipvs_image *m)
{
	if (m->rolled && !m->rolled->list_next)
		m->rolled = NULL;
}

struct ipvs_row *ipvs_image_roll(struct ipvs_image *m)
{
	m->rolled = m->rolled ? m->rolled->list_next : m->first_listed;
	return m->rolled;
}

void ipvs_image_drop(struct ipvs_image *m, struct ipvs_row *row)
{
	ipvs_image_lose(m, row, false);
	unlist(m, row);
	map_take(&m->rows, hash_of(&row->key), &row->key);
	free_row(row);
}

void ipvs_image_recall(const struct ipvs_row *row, struct ipvs_service *now)
{
	const struct ipvs_service *before = row->doubted ? NULL : row->have;
	struct ipvs_dest *dests = ipvs_service_edit(now);

	for (uint32_t i = 0; i < now->dest_count; i++) {
		struct ipvs_dest *d = &dests[i];
		const struct ipvs_dest *was = NULL;

		d->nominal = d->weight;
		if (d->weight)
			continue;
		if (before && i < before->dest_count && ipvs_dest_cmp(&before->dests[i], d) == 0)
			was = &before->dests[i]; /* as it mostly is */
		else if (before)
			was = ipvs_service_find(before, d);
		d->nominal = was ? was->nominal : IPVS_WEIGHT_UNKNOWN;
	}
}

void ipvs_image_hold(struct ipvs_image *m, struct ipvs_row *row, struct ipvs_service *s)
{
	m->version++;
	ipvs_image_recall(row, s);
	ipvs_image_lose(m, row, false);
	row->have = xmalloc(sizeof(*row->have));
	*row->have = *s;
	memset(s, 0, sizeof(*s));
	m->services++;
	m->dests += row->have->dest_count;
}

void ipvs_image_lose(struct ipvs_image *m, struct ipvs_row *row, bool remember)
{
	if (!row->have)
		return;
	m->version++;
	m->services--;
	m->dests -= row->have->dest_count;
	if (remember) {
		free_service(row->lost);
		row->lost = row->have;
	} else {
		free_service(row->have);
	}
	row->have = NULL;
}

void ipvs_row_want(struct ipvs_row *row, struct ipvs_service *want)
{
	free_service(row->want);
	row->want = want;
}

void ipvs_row_share(struct ipvs_row *row, struct ipvs_service *s)
{
	const struct ipvs_service *const known[] = { row->have, row->want };

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (known[i] && known[i] != s && ipvs_service_share(s, known[i]))
			return;
	}
}

const struct ipvs_dest *ipvs_service_find(const struct ipvs_service *s,
					  const struct ipvs_dest *like)
{
	for (uint32_t i = 0; i < s->dest_count; i++) {
		if (s->dests[i].port == like->port && addr_cmp(&s->dests[i].addr, &like->addr) == 0)
			return &s->dests[i];
	}
	return NULL;
}

bool ipvs_dest_same(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
	return a->weight == b->weight && a->forward == b->forward && a->tunnel == b->tunnel &&
	       a->tunnel_port == b->tunnel_port && a->upper == b->upper && a->lower == b->lower;
}

static void set_header(struct ipvs_service *s, const struct ipvs_op *op)
{
	memcpy(s->scheduler, op->scheduler, sizeof(s->scheduler));
	s->flags = op->flags;
	s->timeout = op->timeout;
	s->netmask = op->netmask;
}

static void delete_dest(struct ipvs_service *s, const struct ipvs_dest *like)
{
	const struct ipvs_dest *d = ipvs_service_find(s, like);

	if (d)
		ipvs_service_remove(s, (uint32_t)(d - s->dests));
}

static void apply_dest(struct ipvs_service *s, const struct ipvs_op *op)
{
	/* A new one is not there yet: no need to look for it among thousands. */
	const struct ipvs_dest *was = op->kind == IPVS_SET_DEST ? ipvs_service_find(s, &op->dest)
								: NULL;
	uint32_t last = was && op->dest.weight == 0 ? was->nominal : op->dest.weight;
	size_t place = was ? (size_t)(was - s->dests) : 0;
	struct ipvs_dest *d = was ? ipvs_service_edit(s) + place : ipvs_service_add(s);

	*d = op->dest;
	d->nominal = last;
	d->draining = false;
}

void ipvs_image_apply(struct ipvs_image *m, struct ipvs_row *row, const struct ipvs_op *op)
{
	uint32_t before;

	m->version++;
	if (op->kind == IPVS_NEW_SERVICE) {
		struct ipvs_service s = { .key = op->key };

		set_header(&s, op);
		ipvs_image_hold(m, row, &s);
	} else if (op->kind == IPVS_DEL_SERVICE) {
		ipvs_image_lose(m, row, false);
	} else if (row->have && op->kind == IPVS_SET_SERVICE) {
		set_header(row->have, op);
	} else if (row->have) {
		before = row->have->dest_count;
		if (op->kind == IPVS_DEL_DEST)
			delete_dest(row->have, &op->dest);
		else
			apply_dest(row->have, op);
		m->dests += row->have->dest_count - before;
	}
}
