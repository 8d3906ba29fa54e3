/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/timeouts.h"

#include <string.h>

#include "ipvs/role_parts.h"

static bool differs(uint32_t want, uint32_t is)
{
	return want && want != is;
}

static void complain(struct ipvs_role *r, const char *what, int error)
{
	if (r->timeouts_failed)
		return;
	r->timeouts_failed = true;
	ipvs_tell_event(r, LOG_LEVEL_WARNING, "the timeouts of IPVS cannot be %s: %s", what,
			strerror(-error));
}

static void set(struct ipvs_role *r, const struct ipvs_timeouts *is, bool audit)
{
	const struct ipvs_timeouts *want = &r->config->timeouts;
	int ret = r->kernel.ops->set_timeouts(r->kernel.kernel, want);

	if (ret < 0) {
		complain(r, "set", ret);
		return;
	}
	r->timeout_writes++;
	if (!audit || r->timeouts_failed) {
		r->timeouts_failed = false;
		ipvs_tell_event(r, LOG_LEVEL_INFO,
				"timeouts of IPVS set to %us (tcp), %us (fin), %us (udp)",
				want->tcp ? want->tcp : is->tcp, want->fin ? want->fin : is->fin,
				want->udp ? want->udp : is->udp);
		return;
	}
	r->status.repairs++;
	ipvs_tell_event(r, LOG_LEVEL_WARNING,
			"another program set the timeouts of IPVS to %us (tcp), %us (fin), %us "
			"(udp); they are set back",
			is->tcp, is->fin, is->udp);
}

void ipvs_timeouts_check(struct ipvs_role *r, bool audit)
{
	const struct ipvs_timeouts *want = &r->config->timeouts;
	struct ipvs_timeouts is;
	int ret;

	if (!want->tcp && !want->fin && !want->udp)
		return;
	ret = r->kernel.ops->get_timeouts(r->kernel.kernel, &is);
	if (ret < 0)
		complain(r, "read", ret);
	else if (differs(want->tcp, is.tcp) || differs(want->fin, is.fin) ||
		 differs(want->udp, is.udp))
		set(r, &is, audit);
	else
		r->timeouts_failed = false;
}
