/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whoever supervises us, systemd as a rule, is told that we are ready, how we
 * are, and that this loop still turns. Told by core, for the parent knows none
 * of it; with a core that hangs, the parent is ended as well and all begins anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define STATUS_EVERY_MS 1000
#define WATCHDOG_SHARE	3 /* it is fed this many times in its period */

void supervisor_start(struct core *c)
{
	struct supervisor *v = &c->supervisor;
	const char *where = getenv("NOTIFY_SOCKET");
	int r = notify_new(where, &v->to);

	if (r < 0) {
		if (r != -ENOENT)
			log_warn("core",
				 "NOTIFY_SOCKET '%.108s': %s: nobody is told that we are ready",
				 where, strerror(-r));
		return;
	}
	/* It watches over the process that it started, and that is our parent. */
	v->watchdog_ms = notify_watchdog_ms(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"),
					    getppid());
}

void supervisor_end(struct core *c)
{
	notify_free(c->supervisor.to);
	free(c->supervisor.status);
}

static char *status_text(const struct snapshot *s)
{
	size_t lost = 0;

	for (size_t i = 0; i < s->source_count; i++)
		lost += !s->sources[i].complete;
	if (lost)
		return xasprintf("%zu pools, %zu members; %zu of %zu sources cannot be read",
				 s->pool_count, s->member_count, lost, s->source_count);
	return xasprintf("%zu pools, %zu members; the kernel is %s", s->pool_count, s->member_count,
			 s->synced ? "as wanted" : "not as wanted yet");
}

static bool is_due(const struct supervisor *v, mono_t now, bool changed)
{
	int64_t waited = mono_sub_ms(now, v->told_at);

	return !v->told_at.ns || (changed && waited >= STATUS_EVERY_MS) ||
	       (v->watchdog_ms && waited >= v->watchdog_ms / WATCHDOG_SHARE);
}

void supervisor_tell(struct core *c, const struct snapshot *s)
{
	struct supervisor *v = &c->supervisor;
	CLEANUP(xfree_ptr) char *status = NULL;
	CLEANUP(xfree_ptr) char *text = NULL;
	int r;

	if (!v->to)
		return;
	status = status_text(s);
	if (!is_due(v, core_now(c), !v->status || strcmp(status, v->status) != 0))
		return;
	/* A core that was started again says READY once more, which does no harm. */
	text = xasprintf("READY=1\nSTATUS=%s\n%s", status, v->watchdog_ms ? "WATCHDOG=1\n" : "");
	r = notify_send(v->to, text);
	if (r < 0 && !v->failed)
		log_warn("core", "the supervisor at NOTIFY_SOCKET cannot be told: %s",
			 strerror(-r));
	v->failed = r < 0;
	v->told_at = core_now(c);
	free(v->status);
	v->status = status;
	status = NULL;
}
