/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is worked out of a pool's view, and the words for it.
 */
#include <stdio.h>

#include "agent/api/schema.h"
#include "agent/api/view.h"

#define DRAINING (MEMBER_TERMINATING | MEMBER_REMOVED)
/* Well, and of no use to the pool as they are: a replica in a pool for the writer. */
#define ASIDE (MEMBER_ROLE | MEMBER_STANDBY)

enum pool_health view_pool_health(const struct pool_view *v)
{
	size_t in_pool = 0, up = 0, serving = 0;
	bool checked = false;

	for (size_t i = 0; i < v->member_count; i++) {
		const struct member_mark *m = &v->members[i];

		if (m->reasons & DRAINING)
			continue;
		checked |= m->checked;
		if ((m->reasons & ASIDE) && m->weight == 0)
			continue;
		in_pool++;
		up += m->state == VERDICT_UP;
		/* A member that is down and kept, for want of a better one, does not serve. */
		serving += m->state != VERDICT_DOWN && m->weight > 0;
	}
	if (serving == 0)
		return HEALTH_DOWN;
	if (!checked)
		return HEALTH_UNMONITORED;
	return up == in_pool ? HEALTH_UP : HEALTH_DEGRADED;
}

const char *view_health_text(enum pool_health h)
{
	switch (h) {
	case HEALTH_UP:
		return REST_HEALTH_UP;
	case HEALTH_DEGRADED:
		return REST_HEALTH_DEGRADED;
	case HEALTH_DOWN:
		return REST_HEALTH_DOWN;
	case HEALTH_UNMONITORED:
		return REST_HEALTH_UNMONITORED;
	}
	return "?";
}

unsigned view_health_rank(enum pool_health h)
{
	switch (h) {
	case HEALTH_DOWN:
		return 0;
	case HEALTH_DEGRADED:
		return 1;
	case HEALTH_UNMONITORED:
		return 2;
	case HEALTH_UP:
		return 3;
	}
	return 4;
}

unsigned view_state_rank(enum verdict_state s)
{
	switch (s) {
	case VERDICT_DOWN:
		return 0;
	case VERDICT_UNKNOWN:
		return 1;
	case VERDICT_UP:
		return 2;
	}
	return 3;
}

struct pool_counts view_pool_counts(const struct pool_view *v)
{
	struct pool_counts n = { 0 };

	for (size_t i = 0; i < v->member_count; i++) {
		const struct member_mark *m = &v->members[i];

		if (m->reasons & DRAINING)
			n.draining++;
		else if (m->state == VERDICT_UP)
			n.up++;
		else if (m->state == VERDICT_DOWN)
			n.down++;
		else
			n.unknown++;
	}
	return n;
}

/* In the order of the bits of enum member_reason. */
const char *const view_reason_words[] = {
	REST_REASON_UNHEALTHY,	 REST_REASON_TERMINATING,
	REST_REASON_REMOVED,	 REST_REASON_UNPROVEN,
	REST_REASON_FAIL_OPEN,	 REST_REASON_INHERITED,
	REST_REASON_WEIGHT_ZERO, REST_REASON_SATURATED,
	REST_REASON_ROLE,	 REST_REASON_STANDBY,
	REST_REASON_HELD,	 REST_REASON_SLOW_START,
	REST_REASON_MASS,	 REST_REASON_DRAINING,
	REST_REASON_DEGRADED,	 NULL,
};

const char *view_source_text(const struct snapshot *s, unsigned source,
			     char out[static VIEW_SOURCE_TEXT_MAX])
{
	if (source >= s->source_count)
		return NULL;
	snprintf(out, VIEW_SOURCE_TEXT_MAX, "%s:%s", s->sources[source].type,
		 s->sources[source].where ? s->sources[source].where : "");
	return out;
}
