/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks that go by a VIP (`health-check-via: vip`): each target of one has a number, by which the
 * kernel knows its probes (agent/plan/paths.h). The ipvs process is told all of them at the end of a
 * turn in which they changed, and the prober of a target once the kernel has its path; until then,
 * where that fails, and where a path is lost, nobody probes the target and it keeps the state it has.
 * Nor does anybody while no pool holds it: its VIP may not be here any more.
 *
 * Where numbers are short, those without are checked directly: there are more of them in use than
 * numbers, or for a while numbers are held by targets that nobody uses any more, or are at rest.
 *
 * A prober from before our start has them from another core. It keeps them while paths are on their
 * way: what was not told is committed a little later then (core_target.c).
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define RETRY_MS 30000
/* What is refused for as long is told: a VIP that is new may be there in a moment. */
#define REFUSED_MS 5000

/* What the prober knows of a target. */
enum told {
	UNTOLD, /* by us: it may have it from a core before */
	TOLD_DIRECT,
	TOLD_BY_VIP,
	TOLD_GONE, /* what it still says is of before */
};

struct vip_check {
	struct target *target;
	int number;	/* -1: none */
	bool is_direct; /* there was no number: checked directly until its path is there */
	bool is_used;
	enum told told;
	bool is_without; /* it waits for a number */
	TAILQ_ENTRY(vip_check) without;
	bool is_noted; /* it is new, or used from now on, or not any more */
	TAILQ_ENTRY(vip_check) noted;
};

static void update_later(struct core *c);

/* --- who has one --------------------------------------------------------------------------- */

static void set_without(struct vip_check *v, bool is_without)
{
	struct vip_checks *all = &v->target->core->vip_checks;

	if (v->is_without)
		TAILQ_REMOVE(&all->without, v, without);
	if (is_without)
		TAILQ_INSERT_TAIL(&all->without, v, without);
	v->is_without = is_without;
}

/* Pools are half made and half gone: what follows of it does so at the end of the turn. */
static void set_used(struct vip_check *v, bool is_used)
{
	struct core *c = v->target->core;

	if (v->is_used == is_used)
		return;
	v->is_used = is_used;
	c->vip_checks.used += (uint32_t)(is_used ? 1 : -1);
	if (!v->is_noted)
		TAILQ_INSERT_TAIL(&c->vip_checks.noted, v, noted);
	v->is_noted = true;
	update_later(c);
}

void vip_check_join(struct target *t)
{
	if (t->vip_check || !check_vip(t->check, t->endpoint.addr.family))
		return;
	t->vip_check = xcalloc(1, sizeof(*t->vip_check));
	*t->vip_check = (struct vip_check){ .target = t, .number = -1 };
	set_used(t->vip_check, true);
}

void vip_check_use(struct target *t, bool is_used)
{
	if (t->vip_check)
		set_used(t->vip_check, is_used);
}

void vip_check_leave(struct target *t)
{
	struct vip_check *v = t->vip_check;
	struct vip_checks *all = &t->core->vip_checks;

	if (!v)
		return;
	set_used(v, false);
	if (v->is_noted)
		TAILQ_REMOVE(&all->noted, v, noted);
	set_without(v, false);
	if (v->number >= 0)
		paths_give_up(&all->numbers, (unsigned)v->number);
	free(v);
	t->vip_check = NULL;
	update_later(t->core);
}

/* --- what the prober knows ----------------------------------------------------------------- */

static void mark_users(struct vip_check *v)
{
	for (uint32_t i = 0; i < v->target->user_count; i++)
		pool_state_dirty(v->target->users[i]);
}

/* The kernel has its path, as far as is known. */
static bool is_in_force(const struct vip_check *v)
{
	const struct vip_checks *all = &v->target->core->vip_checks;

	return v->number >= 0 && !all->is_broken && !all->refused[v->number] &&
	       paths_has(&all->numbers, (unsigned)v->number);
}

static enum told what_to_tell(const struct vip_check *v)
{
	if (v->is_used && is_in_force(v))
		return TOLD_BY_VIP;
	if (v->is_used && v->is_direct)
		return TOLD_DIRECT;
	return v->told == UNTOLD ? UNTOLD : TOLD_GONE;
}

/* Whatever the prober is to know by now. */
static void tell_prober(struct vip_check *v)
{
	enum told now = what_to_tell(v);

	if (now == v->told)
		return;
	v->told = now;
	if (now == TOLD_BY_VIP)
		v->is_direct = false;
	if (now == TOLD_GONE)
		target_tell_gone(v->target);
	else
		target_tell(v->target);
	mark_users(v);
}

bool vip_check_may_tell(const struct target *t, uint16_t *out_port)
{
	const struct vip_check *v = t->vip_check;

	*out_port = 0;
	if (v && v->told == TOLD_BY_VIP)
		*out_port = (uint16_t)(IPVS_PATH_PORT + v->number);
	return !v || v->told == TOLD_BY_VIP || v->told == TOLD_DIRECT;
}

bool vip_check_is_gone(const struct target *t)
{
	return t->vip_check && t->vip_check->told == TOLD_GONE;
}

/* Of the target that has this number; NULL: nobody has. */
static struct vip_check *owner_of(const struct core *c, unsigned number)
{
	const struct path_number *n = &c->vip_checks.numbers.numbers[number];
	const struct target *t = n->is == PATH_TAKEN ? target_of_id(c, n->id) : NULL;

	return t ? t->vip_check : NULL;
}

static void for_all_with_a_number(struct core *c, void (*fn)(struct vip_check *v))
{
	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++) {
		struct vip_check *v = owner_of(c, i);

		if (v)
			fn(v);
	}
}

/* After what was heard. */
static void tell_all(struct core *c)
{
	for_all_with_a_number(c, tell_prober);
}

/* What is said of them is another thing. */
static void mark_all(struct core *c)
{
	for_all_with_a_number(c, mark_users);
}

/* --- numbers ------------------------------------------------------------------------------- */

static bool give_number(struct vip_check *v)
{
	struct core *c = v->target->core;

	v->number = paths_take(&c->vip_checks.numbers, v->target->id, core_now(c));
	if (v->number < 0)
		return false;
	/* One that was checked directly stays so until its path is there. */
	set_without(v, false);
	return true;
}

static void give_numbers(struct vip_checks *all)
{
	struct vip_check *v;

	while ((v = TAILQ_FIRST(&all->without)) && give_number(v))
		;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = (*(struct vip_check *const *)a)->target->id;
	uint64_t y = (*(struct vip_check *const *)b)->target->id;

	return (x > y) - (x < y);
}

/*
 * Who is of no use for a while keeps its number, but is not given one. Those that are new wait in an
 * order that a restart has, too, behind who waits already.
 */
static void hear_noted(struct vip_checks *all)
{
	CLEANUP(xfree_ptr) struct vip_check **fresh = NULL;
	struct vip_check *v;
	size_t count = 0;

	TAILQ_FOREACH(v, &all->noted, noted)
	count++;
	fresh = xcalloc(count + 1, sizeof(struct vip_check *));
	count = 0;
	while ((v = TAILQ_FIRST(&all->noted))) {
		TAILQ_REMOVE(&all->noted, v, noted);
		v->is_noted = false;
		set_without(v, false);
		if (v->number < 0 && v->is_used)
			fresh[count++] = v;
		tell_prober(v);
	}
	qsort(fresh, count, sizeof(struct vip_check *), by_id);
	for (size_t i = 0; i < count; i++)
		set_without(fresh[i], true);
}

/* Those without, rather than not at all. */
static void let_others_go_directly(struct vip_checks *all)
{
	bool was_over = all->is_over;
	struct vip_check *v;

	all->is_over = all->used > IPVS_PATHS_MAX;
	if (all->is_over && !was_over)
		log_warn("health",
			 "%u targets are to be checked by VIPs: those beyond %d are checked "
			 "directly",
			 all->used, IPVS_PATHS_MAX);
	TAILQ_FOREACH(v, &all->without, without)
	{
		v->is_direct = true;
		tell_prober(v);
		if (all->is_over != was_over)
			mark_users(v); /* it is for another reason */
	}
}

/* --- the ipvs process ---------------------------------------------------------------------- */

static struct ipvs_path path_of(const struct target *t, unsigned number)
{
	const struct check_way *way = &t->check->way;

	return (struct ipvs_path){
		.number = (uint16_t)number,
		.vip = *check_vip(t->check, t->endpoint.addr.family),
		.to = t->endpoint,
		.forward = way->is_tunnel ? IPVS_TUNNEL : IPVS_DIRECT,
		.tunnel = way->tunnel_type,
		.tunnel_port = way->tunnel_port,
	};
}

static void tell(struct core *c)
{
	struct vip_checks *all = &c->vip_checks;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_paths list = { 0 };

	if (!c->kernel.begun || (all->is_told && !all->numbers.changed))
		return;
	list.items = xcalloc(all->numbers.taken, sizeof(*list.items));
	for (unsigned i = 0; i < IPVS_PATHS_MAX; i++) {
		const struct vip_check *v = owner_of(c, i);

		if (v)
			list.items[list.count++] = path_of(v->target, i);
	}
	list.version = paths_tell(&all->numbers);
	wire_put_ipvs_paths(&b, &list);
	channel_send(c->kernel.channel, IPVS_MSG_PATHS, &b);
	ipvs_paths_done(&list);
	all->is_told = true;
}

static void on_rested(void *arg)
{
	struct core *c = arg;

	c->vip_checks.rest_timer = 0;
	update_later(c);
}

/* Somebody waits for a number that is at rest. */
static void wait_for_rest(struct core *c)
{
	struct vip_checks *all = &c->vip_checks;
	int64_t ms;
	mono_t when;

	if (all->rest_timer || TAILQ_EMPTY(&all->without) || !paths_next(&all->numbers, &when))
		return;
	ms = mono_sub_ms(when, core_now(c));
	all->rest_timer = loop_timer_in(c->loop, ms > 0 ? ms : 0, on_rested, c);
}

static void update(void *arg)
{
	struct core *c = arg;
	struct vip_checks *all = &c->vip_checks;

	all->is_due = false;
	hear_noted(all);
	give_numbers(all);
	let_others_go_directly(all);
	tell(c);
	wait_for_rest(c);
}

/* At the end of the turn; at a start, once all pools have their targets. */
static void update_later(struct core *c)
{
	if (!c->vip_checks.is_settled || c->vip_checks.is_due)
		return;
	c->vip_checks.is_due = true;
	loop_defer(c->loop, update, c);
}

void vip_checks_settle(struct core *c)
{
	c->vip_checks.is_settled = true;
	update_later(c);
}

void vip_checks_connected(struct core *c)
{
	c->vip_checks.is_told = false;
	update_later(c);
}

/* --- what it says -------------------------------------------------------------------------- */

static void on_retry(void *arg)
{
	struct core *c = arg;

	c->vip_checks.retry_timer = 0;
	c->vip_checks.is_told = false;
	update_later(c);
}

static void on_fault(struct core *c, const struct ipvs_paths_result *r)
{
	struct vip_checks *all = &c->vip_checks;
	const char *text = r->text[0] ? r->text : strerror(-r->error);
	bool is_lost = r->version == all->numbers.in_force;

	/* It may be of a list that a newer one takes the place of, or of one of another core. */
	if (r->version != all->numbers.version && !is_lost)
		return;
	if (!all->retry_timer)
		all->retry_timer = loop_timer_in(c->loop, RETRY_MS, on_retry, c);
	if (is_lost && !all->is_broken) {
		all->is_broken = true;
		tell_all(c);
	} else if (all->fault && strcmp(all->fault, text) == 0) {
		return;
	}
	free(all->fault);
	all->fault = xstrdup(text);
	log_error("health", "checks cannot go by VIPs: %s; it is tried again", text);
	mark_all(c);
}

static void forget_fault(struct core *c)
{
	struct vip_checks *all = &c->vip_checks;

	loop_cancel(c->loop, all->retry_timer);
	all->retry_timer = 0;
	all->is_broken = false;
	if (!all->fault)
		return;
	log_info("health", "checks go by VIPs again");
	free(all->fault);
	all->fault = NULL;
	mark_all(c);
}

static void say_refused(struct core *c)
{
	const struct vip_checks *all = &c->vip_checks;

	if (all->refused_count)
		log_error("health",
			  "%u target%s cannot be checked by the VIP: %s; it is tried again",
			  all->refused_count, all->refused_count == 1 ? "" : "s", all->refusal);
	else
		log_info("health", "no target is kept from being checked by its VIP any more");
	mark_all(c);
}

static void on_refused_long(void *arg)
{
	struct core *c = arg;

	c->vip_checks.refused_timer = 0;
	c->vip_checks.is_refusal_told = true;
	say_refused(c);
}

/* True: it is not what it was. */
static bool set_refused(struct core *c, const struct ipvs_paths_result *r)
{
	struct vip_checks *all = &c->vip_checks;
	uint32_t before = all->refused_count;
	bool is_same = all->refusal && strcmp(all->refusal, r->text) == 0;
	bool was[IPVS_PATHS_MAX];

	memcpy(was, all->refused, sizeof(was));
	memset(all->refused, 0, sizeof(all->refused));
	all->refused_count = 0;
	for (unsigned i = 0; i < r->failed_count; i++) {
		const struct vip_check *v = owner_of(c, r->failed[i]);

		all->refused[r->failed[i]] = true;
		all->refused_count += v && v->is_used;
	}
	free(all->refusal);
	all->refusal = r->failed_count ? xstrdup(r->text) : NULL;
	return all->refused_count != before || (before && !is_same) ||
	       memcmp(was, all->refused, sizeof(was)) != 0;
}

/* The rest of them is in force. The ipvs process tries those again, and tells. */
static void take_refused(struct core *c, const struct ipvs_paths_result *r)
{
	struct vip_checks *all = &c->vip_checks;

	if (!set_refused(c, r))
		return;
	if (all->is_refusal_told) {
		all->is_refusal_told = all->refused_count > 0;
		say_refused(c);
	} else if (!all->refused_count) {
		loop_cancel(c->loop, all->refused_timer);
		all->refused_timer = 0;
	} else if (!all->refused_timer) {
		all->refused_timer = loop_timer_in(c->loop, REFUSED_MS, on_refused_long, c);
	}
}

static void on_in_force(struct core *c, const struct ipvs_paths_result *r)
{
	struct vip_checks *all = &c->vip_checks;
	bool is_news = paths_hear(&all->numbers, r->version, core_now(c));

	if (r->version == all->numbers.version)
		forget_fault(c);
	if (r->version == all->numbers.in_force)
		take_refused(c, r);
	tell_all(c);
	if (is_news)
		wait_for_rest(c);
}

bool vip_checks_are_pending(const struct core *c)
{
	const struct vip_checks *all = &c->vip_checks;

	return c->kernel.begun && all->used && !all->fault &&
	       (!all->is_told || all->numbers.changed ||
		all->numbers.in_force != all->numbers.version);
}

bool vip_checks_hear(struct core *c, struct wire *body)
{
	struct ipvs_paths_result r;

	wire_ipvs_paths_result(body, &r);
	if (!wire_end(body))
		return false;
	if (r.error)
		on_fault(c, &r);
	else
		on_in_force(c, &r);
	if (!vip_checks_are_pending(c))
		targets_commit(c);
	return true;
}

/* --- what is told of it -------------------------------------------------------------------- */

/* Of the members of a pool. */
struct vip_counts {
	uint32_t direct, waiting, refused;
	const struct target *first; /* of those that are refused */
};

static void count_one(struct vip_counts *n, const struct target *t)
{
	const struct vip_checks *all = &t->core->vip_checks;
	const struct vip_check *v = t->vip_check;

	if (v->is_direct) {
		n->direct++;
	} else if (all->fault && !is_in_force(v)) {
		n->waiting++;
	} else if (v->number >= 0 && all->refused[v->number] && all->is_refusal_told) {
		if (!n->refused++)
			n->first = t;
	}
}

static void put_part(struct buf *b, uint32_t count, const struct pool *pool)
{
	buf_printf(b, "%s%u of its %u members", b->len ? "; " : "", count, pool->member_count);
}

static void put_unprobed(struct buf *b, const char *why)
{
	buf_printf(b,
		   " cannot be checked by the VIP (parasaus.io/health-check-via) and keep the "
		   "state that they have: %s",
		   why);
}

char *vip_check_words(const struct pool_state *ps)
{
	const struct vip_checks *all = &ps->core->vip_checks;
	char first[ENDPOINT_TEXT_MAX];
	struct vip_counts n = { 0 };
	struct buf b = { 0 };

	if (!ps->members || ps->pool->set.check->via != CHECK_VIA_VIP)
		return NULL;
	for (uint32_t i = 0; i < ps->pool->member_count; i++) {
		const struct target *t = ps->members[i].target;

		if (t && t->vip_check)
			count_one(&n, t);
	}
	if (n.waiting) {
		put_part(&b, n.waiting, ps->pool);
		put_unprobed(&b, all->fault);
	}
	if (n.refused) {
		put_part(&b, n.refused, ps->pool);
		buf_printf(&b, ", %s first,", endpoint_text(&n.first->endpoint, first));
		put_unprobed(&b, all->refusal);
	}
	if (n.direct) {
		put_part(&b, n.direct, ps->pool);
		buf_printf(&b,
			   " are checked directly in spite of parasaus.io/health-check-via: vip: "
			   "this machine checks at most %d targets by VIPs%s",
			   IPVS_PATHS_MAX,
			   all->is_over ? "" : ", and those that are gone count for 3 minutes");
	}
	return b.len ? (char *)(uintptr_t)buf_cstr(&b) : NULL;
}

/* --- begin and end ------------------------------------------------------------------------- */

void vip_checks_start(struct core *c)
{
	struct vip_checks *all = &c->vip_checks;

	TAILQ_INIT(&all->without);
	TAILQ_INIT(&all->noted);
	/* Versions of a core before us are of seconds that are over. */
	paths_init(&all->numbers, (uint32_t)(clock_wall_ms(loop_clock(c->loop)) / 1000));
}

void vip_checks_end(struct core *c)
{
	loop_cancel(c->loop, c->vip_checks.rest_timer);
	loop_cancel(c->loop, c->vip_checks.retry_timer);
	loop_cancel(c->loop, c->vip_checks.refused_timer);
	c->vip_checks.is_settled = false;
	free(c->vip_checks.fault);
	free(c->vip_checks.refusal);
}
