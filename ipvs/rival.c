/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that delete from IPVS, again and again, what they do not know. To
 * put it back each time would be a fight, and an outage every few seconds for
 * those whose services it is about. So once is repaired, and from the second
 * time on what is missing stays out, is told of with the setting that ends it,
 * and is tried again ever more rarely, or at once when the program has gone.
 *
 * Which program it is, its device says. A table that is flushed without any of
 * them there, as kube-proxy in nftables mode does at its start, is only repaired.
 */
#include "ipvs/role_parts.h"

#include <errno.h>

#include "agent/base/attr.h"

#define STRIKES	   2
#define FIRST_MS   60000
#define LAST_MS	   600000
#define FORGIVE_MS 1200000 /* without another strike; more than LAST_MS */
#define ERROR_OF   EBUSY   /* of the troubles that are made here, and of no others */

static const struct {
	const char *device, *text;
} rivals[] = {
	/* pkg/proxy/ipvs/proxier.go, cleanLegacyService() */
	{ "kube-ipvs0", "kube-proxy in ipvs mode deletes what it does not know: its "
			"ipvs.excludeCIDRs has to hold the VIPs; not written again for now" },
	/* pkg/controllers/proxy/network_services_controller.go, cleanupStaleVIPs() */
	{ "kube-dummy-if", "kube-router deletes what it does not know: its --excluded-cidrs "
			   "has to hold the VIPs; not written again for now" },
};

/* NULL: none is here. */
static const char *rival_of(const struct ipvs_role *r)
{
	for (size_t i = 0; i < ARRAY_LEN(rivals); i++) {
		if (r->host_ops->has_device(r->host, rivals[i].device))
			return rivals[i].text;
	}
	return NULL;
}

/* NULL: it was not given up. */
static const struct ipvs_trouble *given_up(const struct ipvs_row *row)
{
	for (const struct ipvs_trouble *t = row->troubles; t; t = t->next) {
		if (t->dest.addr.family == 0 && t->error == ERROR_OF)
			return t;
	}
	return NULL;
}

const struct ipvs_trouble *ipvs_rival_holds(const struct ipvs_role *r, const struct ipvs_row *row)
{
	return r->rival.timer && row->want ? given_up(row) : NULL;
}

static void resume(struct ipvs_role *r)
{
	struct ipvs_row *row;

	loop_cancel(r->loop, r->rival.timer);
	r->rival.timer = 0;
	for (size_t pos = 0; (row = map_next(&r->image.rows, &pos));) {
		if (!given_up(row))
			continue;
		ipvs_trouble_over(r, row, NULL);
		if (row->want) /* and so it stays in the image */
			ipvs_settle(r, row);
	}
	ipvs_pump(r);
}

static void on_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->rival.timer = 0;
	resume(r);
}

/* Whoever took them may be gone. */
static void look(struct ipvs_role *r)
{
	struct ipvs_rival *v = &r->rival;

	if (v->strikes == 0)
		return;
	if (mono_sub_ms(loop_now(r->loop), v->at) < FORGIVE_MS && rival_of(r))
		return;
	if (v->strikes >= STRIKES)
		ipvs_tell_event(r, LOG_LEVEL_INFO,
				"nobody deletes services of ours any more; all are written again");
	*v = (struct ipvs_rival){ .timer = v->timer };
	resume(r);
}

const char *ipvs_rival_found(struct ipvs_role *r, size_t missing)
{
	struct ipvs_rival *v = &r->rival;
	const char *text = missing ? rival_of(r) : NULL;
	bool known = v->strikes >= STRIKES;

	if (!text) {
		look(r);
		return NULL;
	}
	v->strikes++;
	v->at = loop_now(r->loop);
	if (v->strikes < STRIKES)
		return NULL;
	if (!known)
		ipvs_tell_event(r, LOG_LEVEL_ERROR, "%zu services of ours are gone once more: %s",
				missing, text);
	if (!v->timer) {
		v->wait_ms = v->wait_ms ? v->wait_ms * 2 : FIRST_MS;
		if (v->wait_ms > LAST_MS)
			v->wait_ms = LAST_MS;
		v->timer = loop_timer_in(r->loop, v->wait_ms, on_timer, r);
	}
	return text;
}

void ipvs_rival_give_up(struct ipvs_role *r, struct ipvs_row *row, const char *text)
{
	ipvs_trouble(r, row, NULL, ERROR_OF, false, text);
}

void ipvs_rival_done(struct ipvs_role *r)
{
	loop_cancel(r->loop, r->rival.timer);
}
