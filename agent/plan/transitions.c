/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/plan/transitions.h"

#include <stdbool.h>
#include <stdlib.h>

#include "agent/base/xalloc.h"

#define FIRST_SIZE 256

struct record {
	uint32_t before; /* the thing's record before this one; 0: none */
	int32_t detail;
	uint32_t at_low;
	uint16_t at_high;
	uint8_t state, reason;
};
_Static_assert(sizeof(struct record) == 16, "there may be many");

/* Record n stands at (n - 1) % TRANSITIONS_MAX. */
struct transitions {
	struct record *records;
	size_t size, count; /* room for, and those that are there */
	uint32_t last;	    /* number of the newest */
};

struct transitions *transitions_new(void)
{
	return xcalloc(1, sizeof(struct transitions));
}

void transitions_free(struct transitions *h)
{
	if (!h)
		return;
	free(h->records);
	free(h);
}

static void grow(struct transitions *h)
{
	h->size = h->size ? h->size * 2 : FIRST_SIZE;
	h->records = xreallocarray(h->records, h->size, sizeof(*h->records));
}

static struct record *record_at(const struct transitions *h, uint32_t number)
{
	return &h->records[(number - 1) % TRANSITIONS_MAX];
}

void transitions_add(struct transitions *h, uint32_t *newest, const struct transition *e)
{
	uint64_t at = (uint64_t)e->at_ms;

	if (h->count == h->size && h->size < TRANSITIONS_MAX)
		grow(h);
	if (h->count < TRANSITIONS_MAX)
		h->count++;
	h->last++; /* one in 2^32 is number 0, and nobody finds it */
	*record_at(h, h->last) = (struct record){ .before = *newest,
						  .detail = e->detail,
						  .at_low = (uint32_t)at,
						  .at_high = (uint16_t)(at >> 32),
						  .state = e->state,
						  .reason = e->reason };
	*newest = h->last;
}

static bool is_there(const struct transitions *h, uint32_t number)
{
	return number && (uint32_t)(h->last - number) < h->count;
}

size_t transitions_read(const struct transitions *h, uint32_t newest,
			struct transition out[static TRANSITIONS_EACH])
{
	size_t n = 0;

	while (n < TRANSITIONS_EACH && is_there(h, newest)) {
		const struct record *r = record_at(h, newest);

		out[n++] = (struct transition){
			.at_ms = (int64_t)((uint64_t)r->at_high << 32 | r->at_low),
			.detail = r->detail,
			.state = r->state,
			.reason = r->reason,
		};
		newest = r->before;
	}
	return n;
}

size_t transitions_room(const struct transitions *h)
{
	return sizeof(*h) + h->size * sizeof(*h->records);
}
