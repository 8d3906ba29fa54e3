/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/plan/paths.h"

#include <assert.h>

void paths_init(struct paths *p, uint32_t first)
{
	*p = (struct paths){ .version = first - 1, .in_force = first - 1 };
}

static bool is_free(const struct path_number *n, mono_t now)
{
	return n->is == PATH_FREE ||
	       (n->is == PATH_RESTING && mono_sub_ms(now, n->rests_from) >= PATHS_REST_MS);
}

int paths_take(struct paths *p, uint64_t id, mono_t now)
{
	unsigned first = (unsigned)(id % IPVS_PATHS_MAX);

	for (unsigned i = 0; i < IPVS_PATHS_MAX && p->taken < IPVS_PATHS_MAX; i++) {
		unsigned number = (first + i) % IPVS_PATHS_MAX;
		struct path_number *n = &p->numbers[number];

		if (!is_free(n, now))
			continue;
		*n = (struct path_number){ .id = id, .is = PATH_TAKEN, .since = p->version + 1 };
		p->taken++;
		p->changed = true;
		return (int)number;
	}
	return -1;
}

void paths_give_up(struct paths *p, unsigned number)
{
	struct path_number *n = &p->numbers[number];
	bool was_told = n->since != p->version + 1;

	assert(n->is == PATH_TAKEN);
	*n = (struct path_number){ .is = was_told ? PATH_LEAVING : PATH_FREE,
				   .since = p->version + 1 };
	p->taken--;
	p->changed = true;
}

uint32_t paths_tell(struct paths *p)
{
	p->changed = false;
	return ++p->version;
}

/* Numbers of versions go around in the end. */
static bool is_at_least(uint32_t version, uint32_t than)
{
	return (int32_t)(version - than) >= 0;
}

bool paths_hear(struct paths *p, uint32_t version, mono_t now)
{
	if (is_at_least(p->in_force, version) || !is_at_least(p->version, version))
		return false;
	p->in_force = version;
	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++) {
		struct path_number *n = &p->numbers[i];

		if (n->is == PATH_LEAVING && is_at_least(version, n->since))
			*n = (struct path_number){ .is = PATH_RESTING, .rests_from = now };
	}
	return true;
}

bool paths_has(const struct paths *p, unsigned number)
{
	const struct path_number *n = &p->numbers[number];

	return n->is == PATH_TAKEN && is_at_least(p->in_force, n->since);
}

bool paths_next(const struct paths *p, mono_t *out)
{
	bool any = false;

	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++) {
		const struct path_number *n = &p->numbers[i];
		mono_t when = mono_add_ms(n->rests_from, PATHS_REST_MS);

		if (n->is != PATH_RESTING || (any && !mono_before(when, *out)))
			continue;
		*out = when;
		any = true;
	}
	return any;
}
