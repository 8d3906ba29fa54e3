/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets: one for each (address, port, protocol, check), however many members
 * hold it. A target's state is the healthcheck process's word; without one
 * the last word holds.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define BULK_QUEUE_MAX	 (2 << 20)
#define LINES_PER_SECOND 50
/* A target that nobody uses any more is kept, and is still probed where there are no quotas, unless
 * by a VIP. */
#define LINGER_MS 60000
/* How long a prober that has targets from before keeps those that wait for their paths. */
#define COMMIT_WAITS_MS 2000

static bool target_is(const void *object, const void *key)
{
	const struct target *t = object;

	return t->id == *(const uint64_t *)key;
}

static struct target *target_get(const struct core *c, uint64_t id)
{
	return map_get(&c->targets, hash_table_u64(id), &id);
}

const struct target *target_of_id(const struct core *c, uint64_t id)
{
	return target_get(c, id);
}

struct target *target_find(const struct core *c, const struct check *check,
			   const struct endpoint *member)
{
	struct target *t = target_get(c, check_target_id(check, member));

	return t && t->check ? t : NULL;
}

/* Of targets, and of places among them. */
static int compare(const struct endpoint *a, uint64_t a_id, const struct endpoint *b, uint64_t b_id)
{
	int r = endpoint_cmp(a, b);

	return r ? r : (a_id > b_id) - (a_id < b_id);
}

static int by_endpoint(const void *a, const void *b)
{
	const struct target *x = a, *y = b;

	return compare(&x->endpoint, x->id, &y->endpoint, y->id);
}

size_t targets_walk(struct core *c, struct target_place *at, struct target **out)
{
	struct target key = { .id = at->id, .endpoint = at->endpoint };
	void *some[TARGETS_PIECE];
	size_t n = order_next(&c->checked, at->id ? &key : NULL, some, TARGETS_PIECE);

	for (size_t i = 0; i < n; i++)
		out[i] = some[i];
	c->walked += n;
	if (n)
		*at = (struct target_place){ out[n - 1]->id, out[n - 1]->endpoint };
	return n;
}

void targets_start(struct core *c)
{
	map_init(&c->targets, target_is);
	order_init(&c->checked, by_endpoint);
	c->transitions = transitions_new();
	looks_start(c);
	LIST_INIT(&c->idle);
	falls_start(c);
	quotas_start(c);
}

static void target_free(struct target *t)
{
	loop_cancel(t->core->loop, t->linger);
	vip_check_leave(t);
	quota_leave(t);
	check_unref(t->check);
	free(t->users);
	free(t);
}

void targets_end(struct core *c)
{
	size_t pos = 0;
	struct target *t;

	bulk_stop(&c->health_bulk);
	loop_cancel(c->loop, c->health_commit);
	loop_cancel(c->loop, c->log_timer);
	channel_free(c->health);
	looks_end(c);
	transitions_free(c->transitions);
	while ((t = map_next(&c->targets, &pos)))
		target_free(t);
	falls_end(c);
	quotas_end(c);
	order_done(&c->checked);
	map_done(&c->targets);
}

static struct target *target_new(struct core *c, uint64_t id)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->core = c;
	t->id = id;
	t->verdict.id = id;
	map_put(&c->targets, hash_table_u64(id), t);
	LIST_INSERT_HEAD(&c->idle, t, idle);
	return t;
}

/* From a file or another process's wall clock: never later than now, whatever the clock did. */
static mono_t past_of(const struct core *c, int64_t wall_ms)
{
	mono_t t = core_mono_of(c, wall_ms);

	return mono_before(core_now(c), t) ? core_now(c) : t;
}

/* --- telling the healthcheck process ------------------------------------------- */

static void tell_target(struct core *c, const struct target *t)
{
	struct buf b = { 0 };
	struct hc_target m = {
		.id = t->id,
		.endpoint = t->endpoint,
		.check = t->check,
		.initial = t->verdict.state,
	};

	if (!quota_is_checked(t) || !vip_check_may_tell(t, &m.from_port))
		return;
	wire_put_hc_target(&b, &m);
	channel_send(c->health, HC_MSG_TARGET, &b);
	buf_done(&b);
}

static void commit_now(void *arg)
{
	struct core *c = arg;

	c->health_commit = 0;
	channel_send(c->health, HC_MSG_COMMIT, NULL);
}

void targets_commit(struct core *c)
{
	if (!c->health_commit)
		return;
	loop_cancel(c->loop, c->health_commit);
	commit_now(c);
}

static void stop_telling(struct core *c)
{
	bulk_stop(&c->health_bulk);
	loop_cancel(c->loop, c->health_commit);
	c->health_commit = 0;
}

static bool tell_piece(void *arg)
{
	struct core *c = arg;
	struct target *some[TARGETS_PIECE];
	size_t n = targets_walk(c, &c->health_at, some);

	for (size_t i = 0; i < n; i++)
		tell_target(c, some[i]);
	if (n)
		return true;
	if (vip_checks_are_pending(c))
		c->health_commit = loop_timer_in(c->loop, COMMIT_WAITS_MS, commit_now, c);
	else
		commit_now(c);
	return false;
}

/* Everything, to a healthcheck process that is new or whose core was. */
static void tell_all(struct core *c)
{
	stop_telling(c);
	c->health_at = (struct target_place){ 0 };
	channel_send(c->health, HC_MSG_BEGIN, NULL);
	secrets_tell_all(c);
	bulk_start(&c->health_bulk, c->loop, c->health, BULK_QUEUE_MAX, tell_piece, c);
}

void target_tell(const struct target *t)
{
	if (t->core->health && t->core->planning)
		tell_target(t->core, t);
}

void target_tell_gone(const struct target *t)
{
	struct core *c = t->core;
	struct buf b = { 0 };

	if (!c->health || !c->planning)
		return;
	wire_put_u64(&b, t->id);
	channel_send(c->health, HC_MSG_GONE, &b);
	buf_done(&b);
}

/* --- users -------------------------------------------------------------------------- */

static void add_user(struct target *t, struct pool_state *user)
{
	if (t->user_count == t->user_size) {
		t->user_size = t->user_size ? t->user_size * 2 : 1;
		t->users = xreallocarray(t->users, t->user_size, sizeof(struct pool_state *));
	}
	t->users[t->user_count++] = user;
}

/* saved: NULL where the state was saved without it. */
static void set_first_state(struct core *c, struct target *t, const struct plan_first *first,
			    const struct saved_target *saved)
{
	struct plan_first f = *first;

	if (saved) {
		f.saved = saved->state;
		f.nominal_zero |= saved->standing == HC_STANDING_DRAINING;
	}
	t->verdict.state = plan_first_state(&f);
	t->verdict.reason = HC_REASON_NONE;
	t->verdict.since_ms = clock_wall_ms(loop_clock(c->loop));
	if (f.in_kernel || saved) {
		t->verdict.reason = HC_REASON_INHERITED;
		t->inherited = true;
	}
	if (saved && saved->state == t->verdict.state) {
		t->verdict.since_ms = saved->since_ms;
		t->verdict.proven = saved->proven;
		t->verdict.standing = saved->standing;
	}
	t->since = past_of(c, t->verdict.since_ms);
}

/* Another check of the same member begins where the last one was. */
static void inherit_state(struct target *t, const struct target *old)
{
	t->verdict.state = target_applied_state(old);
	t->verdict.reason = HC_REASON_INHERITED;
	t->verdict.since_ms = old->verdict.since_ms;
	t->verdict.proven = old->verdict.proven;
	t->verdict.standing = old->verdict.standing;
	t->since = old->since;
	t->inherited = true;
}

/* Who is probed needs the Secret that is for it. */
static void stop_lingering(struct target *t)
{
	if (!t->linger)
		return;
	loop_cancel(t->core->loop, t->linger);
	t->linger = 0;
	secrets_release(t->core, t->check);
}

struct target *target_use(struct core *c, const struct pool *pool, const struct endpoint *member,
			  const struct plan_first *first, const struct target *old,
			  struct pool_state *user)
{
	struct check *check = pool->set.check;
	uint64_t id = check_target_id(check, member);
	struct target *t = target_get(c, id);
	bool is_new = !t, is_unasked;

	if (!t)
		t = target_new(c, id);
	is_unasked = !t->check;
	if (is_unasked) {
		const struct saved_target *saved = saved_target(c, id);

		t->check = check_ref(check);
		t->endpoint = check_endpoint(check, member);
		order_add(&c->checked, t);
		if (is_new && old)
			inherit_state(t, old);
		else if (is_new)
			set_first_state(c, t, first, saved);
		falls_join(t, saved && saved->state == VERDICT_UP);
	} else if (old && quota_is_checked(old) && !quota_is_checked(t) &&
		   (!t->user_count || t->verdict.reason == HC_REASON_OVER_QUOTA)) {
		/* It was not probed, and the other one was. */
		inherit_state(t, old);
	}
	stop_lingering(t);
	if (!t->user_count)
		LIST_REMOVE(t, idle);
	add_user(t, user);
	vip_check_use(t, true);
	quota_join(t, is_unasked, old && quota_is_checked(old));
	c->view.targets_changed = true;
	return t;
}

/* One that nobody uses. */
static void forget(struct core *c, struct target *t)
{
	map_take(&c->targets, hash_table_u64(t->id), &t->id);
	LIST_REMOVE(t, idle);
	falls_leave(t);
	if (t->check)
		order_remove(&c->checked, t);
	stop_lingering(t);
	target_free(t);
}

static void linger_over(void *arg)
{
	struct target *t = arg;
	struct core *c = t->core;

	if (quota_is_checked(t))
		target_tell_gone(t);
	forget(c, t);
	c->view.targets_changed = true;
	state_changed(c);
}

void target_release(struct core *c, struct target *t, struct pool_state *user)
{
	for (uint32_t i = 0; i < t->user_count; i++) {
		if (t->users[i] != user)
			continue;
		t->users[i] = t->users[--t->user_count];
		break;
	}
	c->view.targets_changed = true;
	/* A pool that is deleted and made again finds what was known. */
	quota_released(t);
	if (t->user_count)
		return;
	vip_check_use(t, false);
	LIST_INSERT_HEAD(&c->idle, t, idle);
	t->linger = loop_timer_in(c->loop, LINGER_MS, linger_over, t);
	secrets_keep(c, t->check);
}

void targets_settle(struct core *c)
{
	while (!LIST_EMPTY(&c->idle))
		forget(c, LIST_FIRST(&c->idle));
	vip_checks_settle(c);
	if (c->health)
		tell_all(c);
}

/* --- what the healthcheck process says --------------------------------------------- */

static void second_over(void *arg)
{
	struct core *c = arg;

	if (c->log_muted)
		log_warn("health", "%u more targets changed state in this second", c->log_muted);
	c->log_lines = c->log_muted = 0;
	c->log_timer = 0;
}

static void log_change(struct core *c, const struct target *t)
{
	char e[ENDPOINT_TEXT_MAX];

	if (!c->log_timer)
		c->log_timer = loop_timer_in(c->loop, 1000, second_over, c);
	if (c->log_lines >= LINES_PER_SECOND) {
		c->log_muted++;
		return;
	}
	c->log_lines++;
	log_info("health", "%s (%s) is %s: %s%s%.0d, in %u pool%s", endpoint_text(&t->endpoint, e),
		 check_type_text(t->check->type), verdict_state_text(t->verdict.state),
		 hc_reason_text(t->verdict.reason), t->verdict.detail ? " " : "", t->verdict.detail,
		 t->user_count, t->user_count == 1 ? "" : "s");
}

/* A prober that was told a state at its start does not know since when it holds. */
static int64_t since_ms_of(const struct core *c, const struct hc_verdict *v)
{
	const struct saved_target *saved = saved_target(c, v->id);

	if (v->since_ms)
		return v->since_ms;
	if (saved && saved->state == v->state)
		return saved->since_ms;
	return clock_wall_ms(loop_clock(c->loop));
}

static void remember(struct core *c, struct target *t)
{
	const struct transition e = { .at_ms = t->verdict.since_ms,
				      .detail = t->verdict.detail,
				      .state = (uint8_t)t->verdict.state,
				      .reason = (uint8_t)t->verdict.reason };

	transitions_add(c->transitions, &t->newest, &e);
}

/* A prober that was started again asked nobody yet: the last that was heard holds. */
static struct hc_verdict heard(const struct target *t, const struct hc_verdict *v)
{
	struct hc_verdict now = *v;

	if (t && !v->proven)
		now.standing = t->verdict.standing;
	return now;
}

static void take_verdict(struct core *c, const struct hc_verdict *told)
{
	struct target *t = target_get(c, told->id);
	const struct hc_verdict now = heard(t, told), *v = &now;
	bool changed, meant, was_proven, was_waiting, was_seen_failed;

	if (!t) {
		/* From before our start: a pool may still come to use it. */
		if (!c->planning) {
			t = target_new(c, v->id);
			t->verdict = *v;
			t->verdict.since_ms = since_ms_of(c, v);
			t->since = past_of(c, t->verdict.since_ms);
		}
		return;
	}
	/* On its way when it was found to be too much, or of no use: what it says is not asked for. */
	if (!quota_is_checked(t) || vip_check_is_gone(t))
		return;
	changed = t->verdict.state != v->state;
	meant = t->verdict.proven != v->proven || t->verdict.standing != v->standing ||
		t->verdict.reason != v->reason;
	if (!changed && meant) {
		/* Who is proven is of the last good set, and some reasons count besides the state. */
		for (uint32_t i = 0; i < t->user_count; i++)
			pool_state_dirty(t->users[i]);
		if (t->verdict.proven != v->proven || t->verdict.standing != v->standing)
			state_changed(c);
	}
	was_proven = t->verdict.proven && !t->inherited;
	was_waiting = t->waiting;
	if (v->proven)
		t->inherited = false;
	c->view.targets_changed = true;
	if (!changed) {
		int64_t since_ms = t->verdict.since_ms;

		t->verdict = *v;
		t->verdict.since_ms = since_ms;
		falls_heard(t);
		view_changed(c);
		return;
	}
	was_seen_failed = t->verdict.state == VERDICT_DOWN && was_proven;
	if (t->verdict.state == VERDICT_UP && v->state == VERDICT_DOWN)
		notracks_fell(t);
	t->verdict = *v;
	t->verdict.since_ms = since_ms_of(c, v);
	falls_heard(t);
	/* What only waited, or waits, goes on as it was. */
	if (!was_waiting && !t->waiting) {
		t->came_back = was_seen_failed && v->state == VERDICT_UP && v->proven;
		t->since = core_now(c);
	}
	remember(c, t);
	if (t->check)
		log_change(c, t);
	for (uint32_t i = 0; i < t->user_count; i++)
		pool_state_dirty(t->users[i]);
	state_changed(c);
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct core *c = arg;
	struct hc_verdict v;
	struct hc_status s;

	if (fd >= 0) {
		close(fd);
		return false;
	}
	switch (type) {
	case HC_MSG_VERDICT:
		wire_hc_verdict(body, &v);
		if (!wire_end(body))
			return false;
		take_verdict(c, &v);
		return true;
	case HC_MSG_VERDICTS_END:
		if (!wire_end(body))
			return false;
		c->health_known = true;
		core_facts_changed(c);
		if (c->planning)
			tell_all(c);
		return true;
	case HC_MSG_STATUS:
		wire_hc_status(body, &s);
		if (!wire_end(body))
			return false;
		c->health_status = s;
		if (s.lag_ms > c->health_lag_max_ms)
			c->health_lag_max_ms = s.lag_ms;
		return true;
	case HC_MSG_SEEN:
		return looks_hear(c, body);
	case HC_MSG_EVENT:
		return core_log_event("health", body);
	default:
		return false;
	}
}

/* The counters go on where the last process left off. */
static void disconnect(struct core *c)
{
	stop_telling(c);
	channel_free(c->health);
	c->health = NULL;
	looks_disconnected(c);
	c->health_before.probes += c->health_status.probes;
	c->health_before.inconclusive += c->health_status.inconclusive;
	c->health_before.deferred += c->health_status.deferred;
	histogram_merge(&c->health_before.late, &c->health_status.late);
	for (unsigned i = 0; i < CHECK_TYPES; i++)
		histogram_merge(&c->health_before.latency[i], &c->health_status.latency[i]);
	c->health_status = (struct hc_status){ 0 };
}

static void on_closed(void *arg, const char *why)
{
	struct core *c = arg;

	log_warn("health", "healthcheck process: %s; the last verdicts hold until it is back", why);
	disconnect(c);
	core_peer_closed(c, why);
}

void targets_connect(struct core *c, int fd)
{
	struct channel_handler h = { on_message, on_closed, c };
	int r;

	disconnect(c);
	r = channel_new(c->loop, fd, &h, &c->health);
	if (r < 0)
		log_error("health", "channel: %s", strerror(-r));
}
