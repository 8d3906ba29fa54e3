/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/pool/policy.h"

/* Going, and not out of service yet. */
static bool lingers(const struct policy_server *s)
{
	return s->going && s->serving;
}

void policy_count(struct policy_tally *t, const struct policy_server *s)
{
	t->ready = t->ready || s->ready;
	t->lingers = t->lingers || lingers(s);
	t->local_ready = t->local_ready || (s->local && s->ready);
	t->local_lingers = t->local_lingers || (s->local && lingers(s));
}

struct policy policy_of(const struct policy_tally *t, bool local_wanted)
{
	bool local = local_wanted && (t->local_ready || t->local_lingers);

	return (struct policy){ .local = local, .going = local ? !t->local_ready : !t->ready };
}

enum policy_use policy_use(const struct policy *p, const struct policy_server *s)
{
	if (p->local && !s->local)
		return POLICY_OUT;
	if (s->ready || (p->going && lingers(s)))
		return POLICY_USED;
	return s->going ? POLICY_GOING : POLICY_OUT;
}
