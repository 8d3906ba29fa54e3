/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What could not be done to one object: told, left alone for a while, tried again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "ipvs/role_parts.h"

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_LAST_MS	 60000

struct trouble_key {
	struct endpoint key, dest;
};

static struct trouble_key key_of(const struct ipvs_row *row, const struct ipvs_dest *d)
{
	struct trouble_key k;

	memset(&k, 0, sizeof(k));
	k.key = row->key;
	if (d) {
		k.dest.addr = d->addr;
		k.dest.port = d->port;
		k.dest.protocol = row->key.protocol;
	}
	return k;
}

static bool has_key(const void *object, const void *key)
{
	const struct ipvs_trouble *t = object;
	const struct trouble_key *k = key;

	return memcmp(&t->key, &k->key, sizeof(t->key)) == 0 &&
	       memcmp(&t->dest, &k->dest, sizeof(t->dest)) == 0;
}

static struct ipvs_trouble *find(const struct ipvs_role *r, const struct trouble_key *k)
{
	return map_get(&r->troubles, hash_table(k, sizeof(*k)), k);
}

void ipvs_troubles_init(struct ipvs_role *r)
{
	map_init(&r->troubles, has_key);
}

void ipvs_troubles_done(struct ipvs_role *r)
{
	struct ipvs_trouble *t;

	for (size_t pos = 0; (t = map_next(&r->troubles, &pos));) {
		loop_cancel(r->loop, t->retry);
		free(t);
	}
	map_done(&r->troubles);
}

static void end(struct ipvs_role *r, struct ipvs_row *row, struct ipvs_trouble *t)
{
	const struct trouble_key k = { t->key, t->dest };
	struct ipvs_trouble **at = &row->troubles;

	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	map_take(&r->troubles, hash_table(&k, sizeof(k)), &k);
	loop_cancel(r->loop, t->retry);
	ipvs_tell_trouble(r, t, true);
	free(t);
}

static void on_retry(void *arg)
{
	struct ipvs_trouble *t = arg;
	struct ipvs_role *r = t->role;
	struct ipvs_row *row = ipvs_image_get(&r->image, &t->key);

	t->retry = 0;
	t->blocked = false;
	ipvs_settle(r, row); /* a row with troubles stays */
	if (row->queue == IPVS_QUEUE_NONE) {
		end(r, row, t); /* it is as it should be by now */
		ipvs_settle(r, row);
	}
	ipvs_pump(r);
}

void ipvs_trouble(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d, int error,
		  bool retry, const char *text)
{
	struct trouble_key k = key_of(row, d);
	struct ipvs_trouble *t = find(r, &k);

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->key = k.key;
		t->dest = k.dest;
		t->role = r;
		t->next = row->troubles;
		row->troubles = t;
		map_put(&r->troubles, hash_table(&k, sizeof(k)), t);
	}
	if (t->error != error || strcmp(t->text, text) != 0) {
		t->error = error;
		snprintf(t->text, sizeof(t->text), "%s", text);
		ipvs_tell_trouble(r, t, false);
	}
	t->refused = d && !retry;
	t->blocked = !t->refused;
	if (retry && !t->retry) {
		t->backoff_ms = t->backoff_ms ? t->backoff_ms * 2 : BACKOFF_FIRST_MS;
		if (t->backoff_ms > BACKOFF_LAST_MS)
			t->backoff_ms = BACKOFF_LAST_MS;
		t->retry = loop_timer_in(r->loop, t->backoff_ms, on_retry, t);
	}
}

void ipvs_trouble_over(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d)
{
	struct trouble_key k = key_of(row, d);
	struct ipvs_trouble *t = find(r, &k);

	/* Of one that is refused only its deletion can go well, and core wants it still. */
	if (t && !t->refused)
		end(r, row, t);
}

void ipvs_troubles_clear(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_trouble *kept)
{
	struct ipvs_trouble *t = row->troubles, *next;

	for (; t; t = next) {
		next = t->next;
		if (t != kept)
			end(r, row, t);
	}
}

bool ipvs_is_blocked(const struct ipvs_row *row, const struct ipvs_dest *d)
{
	for (const struct ipvs_trouble *t = row->troubles; t; t = t->next) {
		if (!t->blocked || (d == NULL) != (t->dest.addr.family == 0))
			continue;
		if (!d || (t->dest.port == d->port && addr_cmp(&t->dest.addr, &d->addr) == 0))
			return true;
	}
	return false;
}
