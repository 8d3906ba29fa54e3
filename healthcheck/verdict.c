/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/verdict.h"

#include <assert.h>

enum hc_meaning hc_reason_meaning(const struct check *c, enum verdict_state state, enum hc_reason r)
{
	switch (r) { /* no default: a new reason must be placed */
	case HC_REASON_OK:
	case HC_REASON_DRAINING:
	case HC_REASON_DEGRADED:
	case HC_REASON_SILENT:
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
	case HC_REASON_DNS_ERROR:
	case HC_REASON_NOT_SERVING:
	case HC_REASON_SERVICE_UNKNOWN:
	case HC_REASON_NO_HEALTH_SERVICE:
	case HC_REASON_GRPC_STATUS:
	case HC_REASON_BROKEN_OFF:
	case HC_REASON_NOT_TLS:
	case HC_REASON_EXPIRED:
	case HC_REASON_NAME:
	case HC_REASON_CLIENT_CERTIFICATE:
	case HC_REASON_NO_HTTP2:
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
	case HC_REASON_OVER_QUOTA:
	case HC_REASON_NOT_ALLOWED:
	case HC_REASON_COUNT:
		break;
	}
	assert(false && "not the result of a probe");
	return HC_MEANS_NOTHING;
}

/* --- flaps --------------------------------------------------------------------- */

static uint32_t age_ms(const struct hc_health *h, mono_t now)
{
	return (uint32_t)(now.ns / 1000000) - h->changed_ms;
}

static uint32_t hold_ms(const struct hc_health *h, const struct check *c)
{
	uint32_t s = h->flaps ? c->hold_down_s : 0;

	for (unsigned n = 1; n < h->flaps && s < CHECK_HOLD_MAX_S; n++)
		s *= 2;
	return (s < CHECK_HOLD_MAX_S ? s : CHECK_HOLD_MAX_S) * 1000;
}

uint32_t hc_health_held_ms(const struct hc_health *h, const struct check *c, mono_t now)
{
	uint32_t hold = hold_ms(h, c), age = age_ms(h, now);

	return h->state == VERDICT_DOWN && h->recent && age < hold ? hold - age : 0;
}

/* What is no longer recent is not looked at again: the time since then may not fit. */
static void pass(struct hc_health *h, const struct check *c, mono_t now)
{
	if (!h->recent)
		return;
	if (h->state == VERDICT_DOWN) {
		h->recent = hc_health_held_ms(h, c, now) > 0;
	} else if (age_ms(h, now) >= HC_FLAP_MS) {
		h->recent = false;
		h->flaps = 0;
	}
}

/* ... by a probe of ours, now. */
static void change(struct hc_health *h, enum verdict_state to, mono_t now)
{
	if (to == VERDICT_DOWN && h->state == VERDICT_UP && h->recent && h->flaps < UINT8_MAX)
		h->flaps++;
	h->state = to;
	h->streak = 0;
	h->proven = true;
	h->recent = true;
	h->changed_ms = (uint32_t)(now.ns / 1000000);
}

/* --- rows ----------------------------------------------------------------------- */

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

bool hc_health_feed(struct hc_health *h, const struct check *c, enum hc_meaning m, mono_t now)
{
	enum verdict_state said = m == HC_MEANS_GOOD ? VERDICT_UP : VERDICT_DOWN;
	unsigned need = needed(h, c, m);

	pass(h, c, now);
	if (m == HC_MEANS_NOTHING)
		return false;
	if (said == h->state) {
		h->streak = 0;
		h->proven = true;
		return false;
	}
	if (h->streak < need)
		h->streak++;
	if (h->streak < need || hc_health_held_ms(h, c, now))
		return false;
	change(h, said, now);
	return true;
}

static enum hc_standing standing_of(enum hc_reason r)
{
	if (r == HC_REASON_DRAINING)
		return HC_STANDING_DRAINING;
	return r == HC_REASON_DEGRADED ? HC_STANDING_DEGRADED : HC_STANDING_NORMAL;
}

bool hc_health_stand(struct hc_health *h, enum hc_meaning m, enum hc_reason r)
{
	enum hc_standing before = h->standing;

	if (m == HC_MEANS_GOOD)
		h->standing = standing_of(r);
	return h->standing != before;
}

bool hc_health_in_doubt(const struct hc_health *h, const struct check *c, mono_t now)
{
	return !hc_health_held_ms(h, c, now) && (h->streak > 0 || !h->proven);
}
