/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host carries a frontend before IPVS serves it, and until after. A
 * failure there stops nothing here: it is told, and tried again.
 */
#include <stdio.h>
#include <string.h>

#include "ipvs/role_parts.h"

#define FRONTENDS_PER_PIECE 512
#define CHANGED_MS	    100
#define BACKOFF_FIRST_MS    1000
#define BACKOFF_LAST_MS	    60000

static void on_host_timer(void *arg);

static void sync_in(struct ipvs_role *r, int64_t ms)
{
	if (!r->host_timer)
		r->host_timer = loop_timer_in(r->loop, ms, on_host_timer, r);
}

/* The problem of the host as a whole has no key. */
static void tell_problem(struct ipvs_role *r, int error, const char *text)
{
	struct ipvs_trouble t = { .error = error };

	snprintf(t.text, sizeof(t.text), "%.159s", text);
	ipvs_tell_trouble(r, &t, error == 0);
}

void ipvs_hosting_tell_notrack(struct ipvs_role *r)
{
	struct ipvs_notrack now = { 0 };

	r->notrack_due = r->core && !r->host_ops->notrack_now(r->host, &now);
	if (r->core && !r->notrack_due) {
		ipvs_tell_notrack(r, &now);
		r->notrack_told = now;
	}
}

/* A sync may have found that it cannot be as it was. */
static bool is_notrack_news(const struct ipvs_role *r)
{
	struct ipvs_notrack now;

	return r->core && (r->notrack_due || (r->host_ops->notrack_now(r->host, &now) &&
					      !ipvs_notrack_same(&now, &r->notrack_told)));
}

/* As of what core wants of IPVS, the last word is ours (check.c). NULL: it may be. */
static const char *refusal_of(const struct ipvs_role *r, const struct ipvs_path *p)
{
	const struct ipvs_config *c = r->config;

	if (!prefixes_have(c->vip_ranges, c->vip_range_count, &p->vip))
		return "refused: its VIP is outside vipRanges";
	if (addr_refused(&p->to.addr) || prefixes_have(c->refuse, c->refuse_count, &p->to.addr))
		return "refused as a real server";
	return NULL;
}

/* Sorts out what may not be. */
static void refuse_paths(struct ipvs_role *r, struct ipvs_paths *p)
{
	struct ipvs_paths *refused = &r->paths_refused;
	size_t kept = 0;

	ipvs_paths_copy(refused, p);
	refused->count = 0;
	for (size_t i = 0; i < p->count; i++) {
		if (refusal_of(r, &p->items[i]))
			refused->items[refused->count++] = p->items[i];
		else
			p->items[kept++] = p->items[i];
	}
	p->count = kept;
}

static bool paths_now(const struct ipvs_role *r, struct ipvs_paths_result *out)
{
	const struct ipvs_paths *refused = &r->paths_refused;

	if (!r->host_ops->paths_now(r->host, out))
		return false;
	for (size_t i = 0; i < refused->count && !out->error; i++)
		ipvs_paths_result_fail(out, &refused->items[i], refusal_of(r, &refused->items[i]));
	return true;
}

/*
 * Of paths that an earlier core told nothing is said to this one. While VIPs are about to be hosted,
 * what their paths lack may be there in a moment.
 */
static void tell_paths_news(struct ipvs_role *r)
{
	struct ipvs_paths_result now;

	if (!r->core || !r->paths_due || r->queues[IPVS_QUEUE_HOST].count || !paths_now(r, &now) ||
	    ipvs_paths_result_equal(&now, &r->paths_told))
		return;
	ipvs_tell_paths(r, &now);
	r->paths_told = now;
}

static void take_result(struct ipvs_role *r, int ret, const struct err *err)
{
	bool failed = ret < 0;
	const char *why;

	if (failed) {
		r->host_backoff_ms = r->host_backoff_ms ? r->host_backoff_ms * 2 : BACKOFF_FIRST_MS;
		if (r->host_backoff_ms > BACKOFF_LAST_MS)
			r->host_backoff_ms = BACKOFF_LAST_MS;
		sync_in(r, r->host_backoff_ms);
		why = err->text[0] ? err->text : strerror(-ret);
		tell_problem(r, -ret, why);
		if (!r->host_failed)
			ipvs_tell_event(r, LOG_LEVEL_ERROR, "around IPVS: %s; it is tried again",
					why);
	} else if (r->host_failed) {
		tell_problem(r, 0, "");
		ipvs_tell_event(r, LOG_LEVEL_INFO, "around IPVS all is as wanted again");
		r->host_backoff_ms = 0;
	}
	r->host_failed = failed;
	if (is_notrack_news(r))
		ipvs_hosting_tell_notrack(r);
	tell_paths_news(r);
	ipvs_tell_status(r);
}

/* Of a part: a success says nothing of what failed before, that is for the next sync to say. */
static void take_part(struct ipvs_role *r, int ret, const struct err *err)
{
	if (ret < 0)
		take_result(r, ret, err);
	else
		tell_paths_news(r);
}

static void sync_host(struct ipvs_role *r, bool prune)
{
	struct err err = { 0 };
	uint64_t repairs = 0;
	int ret = r->host_ops->sync(r->host, prune, &repairs, &err);

	r->status.repairs += prune && !r->host_pruned ? 0 : repairs;
	take_result(r, ret, &err);
}

void ipvs_hosting_follow(struct ipvs_role *r)
{
	struct err err = { 0 };
	uint64_t writes = 0; /* nobody else's doing: no repairs */
	int ret;

	r->host_ops->ours_changed(r->host);
	ret = r->host_ops->sync(r->host, r->host_pruned, &writes, &err);
	take_result(r, ret, &err);
}

static void on_host_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->host_timer = 0;
	sync_host(r, r->host_pruned);
}

void ipvs_hosting_prune(struct ipvs_role *r)
{
	if (r->host_pruned)
		return;
	sync_host(r, true);
	r->host_pruned = true;
}

void ipvs_host_piece(struct ipvs_role *r)
{
	struct ipvs_frontend frontends[FRONTENDS_PER_PIECE];
	struct err err = { 0 };
	struct ipvs_row *row;
	size_t n = 0;
	int ret;

	while (n < FRONTENDS_PER_PIECE && (row = r->queues[IPVS_QUEUE_HOST].first)) {
		frontends[n++] = (struct ipvs_frontend){ row->key, row->want->masquerade };
		row->hosted = true;
		row->hosted_masquerade = row->want->masquerade;
		ipvs_enqueue(r, row, IPVS_QUEUE_NONE);
		ipvs_settle(r, row);
	}
	ret = r->host_ops->add(r->host, frontends, n, &err);
	r->host_waits = true;
	take_part(r, ret, &err);
}

void ipvs_host_gone_piece(struct ipvs_role *r)
{
	struct endpoint keys[FRONTENDS_PER_PIECE];
	struct err err = { 0 };
	struct ipvs_row *row;
	size_t n = 0;
	int ret;

	while (n < FRONTENDS_PER_PIECE && (row = r->queues[IPVS_QUEUE_GONE].first)) {
		keys[n++] = row->key;
		row->hosted = false;
		ipvs_enqueue(r, row, IPVS_QUEUE_NONE);
		ipvs_settle(r, row);
	}
	ret = r->host_ops->remove(r->host, keys, n, &err);
	take_part(r, ret, &err);
}

void ipvs_hosting_served(struct ipvs_role *r)
{
	struct err err = { 0 };
	int ret;

	if (!r->host_waits)
		return;
	r->host_waits = false;
	ret = r->host_ops->served(r->host, &err);
	if (ret < 0)
		take_result(r, ret, &err);
}

void ipvs_hosting_notrack(struct ipvs_role *r, const struct ipvs_notrack *n)
{
	struct err err = { 0 };
	int ret = r->host_ops->notrack(r->host, n, &err);

	r->notrack_due = true;
	if (ret < 0)
		take_result(r, ret, &err);
	else
		ipvs_hosting_tell_notrack(r);
}

void ipvs_hosting_paths(struct ipvs_role *r, struct ipvs_paths *p)
{
	struct err err = { 0 };
	int ret;

	refuse_paths(r, p);
	ret = r->host_ops->paths(r->host, p, &err);
	/* Each list is answered, though it be the same as the last. */
	r->paths_due = true;
	r->paths_told = (struct ipvs_paths_result){ .error = 1 };
	take_part(r, ret, &err);
}

void ipvs_hosting_paths_check(struct ipvs_role *r)
{
	struct err err = { 0 };
	uint64_t repairs = 0;
	int ret = r->host_ops->paths_check(r->host, &repairs, &err);

	r->status.repairs += repairs;
	if (repairs)
		ipvs_tell_event(r, LOG_LEVEL_WARNING,
				"another program changed the paths of health checks that go by "
				"VIPs; they are put right");
	take_part(r, ret, &err);
}

static void on_event(void *arg, enum log_level level, const char *text)
{
	ipvs_tell_event(arg, level, "%s", text);
}

static void on_changed(void *arg)
{
	sync_in(arg, CHANGED_MS);
}

int ipvs_hosting_open(struct ipvs_role *r, struct err *err)
{
	return r->host_ops->open(r->host_ops->arg, r->loop, r->config, on_event, on_changed, r,
				 &r->host, err);
}

void ipvs_hosting_close(struct ipvs_role *r)
{
	loop_cancel(r->loop, r->host_timer);
	ipvs_paths_done(&r->paths_refused);
	if (r->host)
		r->host_ops->close(r->host);
}
