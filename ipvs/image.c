/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/image.h"

#include <stdlib.h>
#include <string.h>

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
	struct ipvs_row *row = ipvs_image_get(m, key);

	if (!row) {
		row = xcalloc(1, sizeof(*row));
		row->key = *key;
		map_put(&m->rows, hash_of(key), row);
	}
	return row;
}

void ipvs_image_drop(struct ipvs_image *m, struct ipvs_row *row)
{
	ipvs_image_lose(m, row, false);
	map_take(&m->rows, hash_of(&row->key), &row->key);
	free_row(row);
}

void ipvs_image_recall(const struct ipvs_row *row, struct ipvs_service *now)
{
	const struct ipvs_service *before = row->doubted ? NULL : row->have;

	for (uint32_t i = 0; i < now->dest_count; i++) {
		struct ipvs_dest *d = &now->dests[i];
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
	for (uint32_t i = 0, k = s->dest_count; i + 1 < k; i++) {
		struct ipvs_dest d = s->dests[--k];

		s->dests[k] = s->dests[i];
		s->dests[i] = d;
	}
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

struct ipvs_dest *ipvs_service_find(const struct ipvs_service *s, const struct ipvs_dest *like)
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

static void remove_dest(struct ipvs_service *s, const struct ipvs_dest *like)
{
	struct ipvs_dest *d = ipvs_service_find(s, like);

	if (!d)
		return;
	s->dest_count--;
	memmove(d, d + 1, (size_t)(s->dests + s->dest_count - d) * sizeof(*d));
}

static void apply_dest(struct ipvs_service *s, const struct ipvs_op *op)
{
	uint32_t last = op->dest.weight;
	struct ipvs_dest *d;

	if (op->kind == IPVS_DEL_DEST) {
		remove_dest(s, &op->dest);
		return;
	}
	/* A new one is not there yet: no need to look for it among thousands. */
	d = op->kind == IPVS_SET_DEST ? ipvs_service_find(s, &op->dest) : NULL;
	if (d && last == 0)
		last = d->nominal;
	if (!d)
		d = ipvs_service_add(s);
	*d = op->dest;
	d->nominal = last;
	d->draining = false;
}

void ipvs_image_apply(struct ipvs_image *m, struct ipvs_row *row, const struct ipvs_op *op)
{
	uint32_t before;

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
		apply_dest(row->have, op);
		m->dests += row->have->dest_count - before;
	}
}
