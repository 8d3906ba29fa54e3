/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/verdict.h"

#include <assert.h>

enum hc_meaning hc_reason_meaning(const struct check *c, enum verdict_state state, enum hc_reason r)
{
	switch (r) { /* no default: a new reason must be placed */
	case HC_REASON_OK:
		return HC_MEANS_GOOD;
	case HC_REASON_REFUSED:
	case HC_REASON_TIMEOUT:
	case HC_REASON_UNREACHABLE:
	case HC_REASON_CLOSED:
	case HC_REASON_BAD_REPLY:
	case HC_REASON_STATUS:
	case HC_REASON_NO_MATCH:
	case HC_REASON_TOO_LONG:
	case HC_REASON_NOT_READY:
	case HC_REASON_SHUTDOWN:
	case HC_REASON_ROLE:
	case HC_REASON_LAG:
	case HC_REASON_TLS:
		return HC_MEANS_BAD;
	case HC_REASON_AUTH:
	case HC_REASON_SATURATED: /* taking it out would only push its load onto the others */
		return c->role == CHECK_ROLE_ANY ? HC_MEANS_GOOD : HC_MEANS_NOTHING;
	case HC_REASON_NO_SECRET: /* seen half-open, which is less than what took it out */
		if (state == VERDICT_DOWN)
			return HC_MEANS_NOTHING;
		return c->role == CHECK_ROLE_ANY ? HC_MEANS_GOOD : HC_MEANS_NOTHING;
	case HC_REASON_NO_RESOURCE:
	case HC_REASON_LATE:
	case HC_REASON_LOCAL:
	case HC_REASON_BLOCKED:
	case HC_REASON_HELD_BACK:
		return HC_MEANS_NOTHING;
	case HC_REASON_NONE:
	case HC_REASON_INHERITED:
	case HC_REASON_COUNT:
		break;
	}
	assert(false && "not the result of a probe");
	return HC_MEANS_NOTHING;
}

struct hc_health hc_health_new(enum verdict_state initial)
{
	return (struct hc_health){ .state = initial };
}

/* How many results in a row it takes to leave the state for what `m` says. */
static unsigned needed(const struct hc_health *h, const struct check *c, enum hc_meaning m)
{
	if (m == HC_MEANS_BAD)
		return c->fall;
	return h->state == VERDICT_DOWN ? c->rise : 1;
}

bool hc_health_feed(struct hc_health *h, const struct check *c, enum hc_meaning m)
{
	enum verdict_state said = m == HC_MEANS_GOOD ? VERDICT_UP : VERDICT_DOWN;

	if (m == HC_MEANS_NOTHING)
		return false;
	if (said == h->state) {
		h->streak = 0;
		h->proven = true;
		return false;
	}
	if (++h->streak < needed(h, c, m))
		return false;
	h->state = said;
	h->streak = 0;
	h->proven = true;
	return true;
}

bool hc_health_in_doubt(const struct hc_health *h)
{
	return h->streak > 0 || !h->proven;
}
