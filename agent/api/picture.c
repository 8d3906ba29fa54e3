/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/picture.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

struct picture {
	struct snapshot *snapshot;
	mono_t until;
};

struct pictures {
	pthread_mutex_t lock;
	size_t count;
	struct picture items[PICTURES_MAX]; /* the oldest first */
};

const char *picture_name(const struct snapshot *s, char out[static PICTURE_NAME_MAX])
{
	snprintf(out, PICTURE_NAME_MAX, "%" PRIx64 "-%" PRIu64, (uint64_t)s->started_ms,
		 s->sequence);
	return out;
}

struct pictures *pictures_new(void)
{
	struct pictures *p = xcalloc(1, sizeof(*p));

	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void pictures_free(struct pictures *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		snapshot_unref(p->items[i].snapshot);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void drop_oldest(struct pictures *p)
{
	snapshot_unref(p->items[0].snapshot);
	p->count--;
	memmove(&p->items[0], &p->items[1], p->count * sizeof(p->items[0]));
}

/* Neighbours may share a list. */
static size_t targets_held(const struct pictures *p)
{
	const struct target_list *before = NULL;
	size_t sum = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct target_list *t = p->items[i].snapshot->targets;

		if (t && t != before)
			sum += t->count;
		before = t;
	}
	return sum;
}

static void drop_expired(struct pictures *p, mono_t now)
{
	while (p->count && !mono_before(now, p->items[0].until))
		drop_oldest(p);
}

void pictures_keep(struct pictures *p, struct snapshot *s, mono_t now)
{
	bool kept = false;

	pthread_mutex_lock(&p->lock);
	drop_expired(p, now);
	for (size_t i = 0; i < p->count; i++)
		kept |= p->items[i].snapshot == s;
	if (!kept) {
		if (p->count == PICTURES_MAX)
			drop_oldest(p);
		p->items[p->count++] = (struct picture){ snapshot_ref(s),
							 mono_add_ms(now, PICTURE_MS) };
		while (p->count > 1 && targets_held(p) > PICTURES_TARGETS_MAX)
			drop_oldest(p);
	}
	pthread_mutex_unlock(&p->lock);
}

struct snapshot *pictures_find(struct pictures *p, const char *name, mono_t now)
{
	struct snapshot *found = NULL;
	char text[PICTURE_NAME_MAX];

	pthread_mutex_lock(&p->lock);
	drop_expired(p, now);
	for (size_t i = 0; i < p->count && !found; i++)
		if (strcmp(picture_name(p->items[i].snapshot, text), name) == 0)
			found = snapshot_ref(p->items[i].snapshot);
	pthread_mutex_unlock(&p->lock);
	return found;
}
