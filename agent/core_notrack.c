/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health checks that connection tracking does not see: `healthcheck.notrack` of the configuration, for
 * each family with an address in `sourceAddress`, once agent/plan/notrack.h has found that they get
 * through.
 *
 * The servers that it is tried with are asked after at the healthcheck process, which would tell of
 * single failures too late. What the ipvs process has from before our start goes on where that is all
 * of a family; a trial that nobody is there for any more is ended.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

/* From one look at the servers to the next: during a trial, later, and while there are none. */
#define TRIAL_MS   100
#define SOON_MS	   250
#define LATER_MS   1000
#define SETTLE_MS  10000 /* before a trial begins, so that the first probes are over */
#define PIECE	   1000	 /* targets that are looked at in one turn for some to try with */
#define REFILL_MS  60000 /* between two laps over all of them, while none is tracked */
#define REFRESH_MS 5000	 /* the same where there is none to try with */
#define FOUND_MS   60000 /* in which those who are to be tried have to be seen well */
#define STUCK_MS   300000
#define STEP_MS	   60000 /* after the step to all whoever goes down may do so for that, at least */
#define ALARM_MS   30000 /* targets that went down in it belong to what many went down by */

static const char *const family_names[IPVS_NOTRACK_PARTS] = {
	[IPVS_NOTRACK_V4] = "IPv4",
	[IPVS_NOTRACK_V6] = "IPv6",
};

static unsigned part_of(const struct notrack_family *f)
{
	return (unsigned)(f - f->core->notracks.families);
}

static const struct addr *source_of(const struct notrack_family *f)
{
	const struct config_own *own = &f->core->config->check_from;

	return part_of(f) == IPVS_NOTRACK_V4 ? &own->v4 : &own->v6;
}

/* --- the ipvs process -------------------------------------------------------------------- */

static struct ipvs_notrack_part wanted_of(const struct notrack *n)
{
	struct ipvs_notrack_part p = { 0 };

	if (n->state == NOTRACK_ALL)
		p.mode = IPVS_NOTRACK_ALL;
	if (n->state != NOTRACK_CANARY || !n->count)
		return p;
	p.mode = IPVS_NOTRACK_SOME;
	p.count = n->count;
	for (uint32_t i = 0; i < n->count; i++)
		p.servers[i] = n->servers[i].addr;
	return p;
}

static void follow_kernel(struct core *c)
{
	struct notracks *all = &c->notracks;

	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		struct notrack *n = &all->families[i].policy;
		struct ipvs_notrack_part wanted = wanted_of(n);

		if (ipvs_notrack_part_same(&wanted, &all->have.parts[i]))
			notrack_applied(n, core_now(c));
	}
}

static void tell(struct core *c)
{
	struct notracks *all = &c->notracks;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_notrack wanted;

	if (!all->is_known || !c->kernel.channel)
		return;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++)
		wanted.parts[i] = wanted_of(&all->families[i].policy);
	if (!ipvs_notrack_same(&wanted, &all->told)) {
		wire_put_ipvs_notrack(&b, &wanted);
		channel_send(c->kernel.channel, IPVS_MSG_NOTRACK, &b);
		all->told = wanted;
	}
	follow_kernel(c);
}

/* --- what is told of it ------------------------------------------------------------------- */

#define SERVER_TEXT_MAX (ENDPOINT_TEXT_MAX + 16)

/* "" where it is not known any more. */
static const char *server_text(const struct core *c, uint64_t id, char out[static SERVER_TEXT_MAX])
{
	const struct target *t = id ? target_of_id(c, id) : NULL;
	char text[ENDPOINT_TEXT_MAX];

	out[0] = '\0';
	if (t)
		snprintf(out, SERVER_TEXT_MAX, "%s among them, ",
			 endpoint_text(&t->endpoint, text));
	return out;
}

char *notrack_words(const struct core *c, unsigned part)
{
	const struct notrack_family *f = &c->notracks.families[part];
	const struct notrack_why *why = &f->policy.why;
	char source[ADDR_TEXT_MAX], server[SERVER_TEXT_MAX];

	if (f->is_stuck && f->policy.state == NOTRACK_WAITING)
		return xasprintf(
			"checks over %s are tracked by the kernel, though healthcheck.notrack is "
			"set: it is tried with servers that are up by a check over TCP without a "
			"role and a login, with a fall of 2 or more that takes half a second, and "
			"there is none",
			family_names[part]);
	if (f->policy.state != NOTRACK_REFUSED)
		return NULL;
	addr_text(source_of(f), source);
	if (why->is_picked)
		return xasprintf(
			"checks over %s are tracked by the kernel, though healthcheck.notrack is "
			"set: %s of healthcheck.sourceAddress is an address that the kernel picks "
			"for connections of others, too, and what it masquerades behind it would "
			"be cut off. Give checks an address of their own (%s), or remove "
			"healthcheck.notrack. It is tried again in an hour, and at a restart",
			family_names[part], source, ipvs_notrack_remedy(part));
	return xasprintf(
		"checks over %s are tracked by the kernel, though healthcheck.notrack is "
		"set: of %u servers that were tried %u did not answer untracked probes, "
		"%sand answered tracked ones. A firewall or an address translation of this "
		"machine needs the tracking: have it accept 'ct state untracked' from and "
		"to %s, or remove healthcheck.notrack. It is tried again in an hour, and "
		"at a restart",
		family_names[part], why->tried, why->failed, server_text(c, why->first, server),
		source);
}

static void log_state(const struct notrack_family *f)
{
	const char *name = family_names[part_of(f)];
	const struct notrack *n = &f->policy;
	CLEANUP(xfree_ptr) char *why = notrack_words(f->core, part_of(f));
	char server[SERVER_TEXT_MAX];

	switch (n->state) {
	case NOTRACK_CANARY:
		log_info("health", "over %s probes of %u servers are not tracked, as a trial", name,
			 n->count);
		break;
	case NOTRACK_ALL:
		log_info("health", "over %s no probe is tracked: those of %u servers got through",
			 name, n->count);
		break;
	case NOTRACK_DOUBT:
		log_info("health", "over %s all probes are tracked again: %suntracked ones failed",
			 name, server_text(f->core, notrack_suspect(n), server));
		break;
	case NOTRACK_REFUSED:
		log_warn("health", "%s", why);
		break;
	case NOTRACK_OFF:
	case NOTRACK_WAITING:
		break;
	}
}

static void changed(struct notrack_family *f)
{
	log_state(f);
	tell(f->core);
	view_changed(f->core);
}

static void judge(struct notrack_family *f)
{
	if (notrack_judge(&f->policy, core_now(f->core)))
		changed(f);
}

/* From when a check is made for the first time after the step until it takes its target down. */
static int64_t step_ms(const struct check *c)
{
	int64_t each = c->fast_ms > c->timeout_ms ? c->fast_ms : c->timeout_ms;
	int64_t ms = c->interval_ms + c->timeout_ms + c->fall * each;

	return ms + ms / 10 > STEP_MS ? ms + ms / 10 : STEP_MS;
}

void notracks_fell(const struct target *t)
{
	struct core *c = t->core;
	struct notrack_family *f =
		&c->notracks.families[t->endpoint.addr.family == AF_INET6 ? IPVS_NOTRACK_V6
									  : IPVS_NOTRACK_V4];
	struct notrack *n = &f->policy;
	enum notrack_state before = n->state;

	if (before == NOTRACK_OFF)
		return;
	f->fell_at = core_now(c);
	if (t->check && t->check->type != CHECK_NONE &&
	    mono_sub_ms(core_now(c), n->since) <= step_ms(t->check))
		notrack_fell(n, t->id, &t->endpoint.addr, core_now(c));
	if (n->state != before)
		changed(f);
}

void notracks_alarm(struct core *c)
{
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		struct notrack_family *f = &c->notracks.families[i];
		enum notrack_state before = f->policy.state;

		if (!f->fell_at.ns || mono_sub_ms(core_now(c), f->fell_at) > ALARM_MS)
			continue;
		notrack_alarm(&f->policy, core_now(c));
		if (f->policy.state == before)
			continue;
		log_info("health",
			 "over %s all probes are tracked again: many targets went down at once",
			 family_names[i]);
		changed(f);
	}
}

static void hear_picked(struct notrack_family *f, bool is_picked)
{
	enum notrack_state before = f->policy.state;

	if (is_picked)
		notrack_picked(&f->policy, core_now(f->core));
	if (f->policy.state != before)
		changed(f);
}

bool notracks_hear(struct core *c, struct wire *body)
{
	struct notracks *all = &c->notracks;
	struct ipvs_notrack now;

	wire_ipvs_notrack(body, &now);
	if (!wire_end(body))
		return false;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS && !all->was_known; i++) {
		if (now.parts[i].mode == IPVS_NOTRACK_ALL)
			notrack_adopt(&all->families[i].policy, core_now(c));
	}
	if (!all->is_known)
		all->told = now;
	all->have = now;
	all->is_known = all->was_known = true;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++)
		hear_picked(&all->families[i], now.parts[i].mode == IPVS_NOTRACK_PICKED);
	tell(c);
	return true;
}

void notracks_disconnected(struct core *c)
{
	c->notracks.is_known = false;
}

/* --- the servers that are watched --------------------------------------------------------- */

static void on_seen(void *arg, const struct hc_sight *s)
{
	struct notrack_family *f = arg;

	f->asked--;
	if (!s)
		return;
	if (s->is_known && s->is_probed)
		notrack_saw(&f->policy, s->id, s->ok, s->failed);
	else
		notrack_lost(&f->policy, s->id);
	judge(f);
}

/* One that is down by now is asked after, too: it may be for our sake. */
static void look(struct notrack_family *f)
{
	if (f->asked)
		return;
	for (uint32_t i = f->policy.count; i-- > 0;) {
		uint64_t id = f->policy.servers[i].id;
		const struct target *t = target_of_id(f->core, id);

		if (!t || !t->check || !t->user_count)
			notrack_lost(&f->policy, id);
		else if (looks_watch(f->core, id, on_seen, f))
			f->asked++;
	}
}

static bool was_seen_well(const struct target *t)
{
	return !t->inherited && t->verdict.proven && t->verdict.ok;
}

/*
 * Whom to watch: by TCP, where a probe that breaks off is no failed login. After a restart nobody may
 * have been seen well yet, and never will be where that is our doing.
 */
static bool is_fit(const struct notrack_family *f, const struct target *t)
{
	const struct check *c = t->check;

	if (!c || !t->user_count || t->verdict.state != VERDICT_UP ||
	    t->endpoint.addr.family != source_of(f)->family)
		return false;
	if (f->policy.state == NOTRACK_WAITING && !was_seen_well(t))
		return false;
	return check_protocol(c->type) == IPPROTO_TCP && c->role == CHECK_ROLE_ANY &&
	       !(check_has(c->type) & CHECK_HAS_LOGIN && c->secret) && notrack_leaves_time(c);
}

/* In the order of a hash table, which is one of chance. True: that were all. */
static bool search(struct notrack_family *f)
{
	const struct target *t;

	for (unsigned i = 0; i < PIECE; i++) {
		t = map_next(&f->core->targets, &f->place);
		if (!t)
			return true;
		f->any |= t->check && t->endpoint.addr.family == source_of(f)->family;
		if (is_fit(f, t))
			(void)notrack_add(&f->policy, t->id, &t->endpoint.addr);
		if (f->policy.count == NOTRACK_SERVERS)
			return true;
	}
	return false;
}

/* The first of them are looked at before anything is done to them. */
static void begin_trial(struct notrack_family *f)
{
	mono_t now = core_now(f->core);
	bool is_late = mono_sub_ms(now, f->found_at) >= FOUND_MS;

	if (!notrack_is_ready(&f->policy, is_late))
		return;
	f->found_at = (mono_t){ 0 };
	notrack_begin(&f->policy, now);
	if (f->policy.state != NOTRACK_WAITING)
		changed(f);
}

/* Nobody was found in a whole lap. */
static void find_none(struct notrack_family *f)
{
	struct notrack *n = &f->policy;
	int64_t for_ms = mono_sub_ms(core_now(f->core), n->since);

	if (n->is_adopted && for_ms >= SETTLE_MS) {
		notrack_give_up(n, core_now(f->core));
		changed(f);
	}
	if (n->state == NOTRACK_WAITING && for_ms >= STUCK_MS && f->any && !f->is_stuck) {
		f->is_stuck = true;
		changed(f);
	}
}

static void find_servers(struct notrack_family *f)
{
	mono_t now = core_now(f->core);
	struct notrack *n = &f->policy;
	bool waits = n->state == NOTRACK_WAITING;

	if (waits && f->found_at.ns) {
		begin_trial(f);
		return;
	}
	if ((!waits && n->state != NOTRACK_ALL) || n->count == NOTRACK_SERVERS ||
	    mono_before(now, f->search_at) || (waits && mono_sub_ms(now, n->since) < SETTLE_MS) ||
	    !search(f))
		return;
	f->place = 0;
	f->search_at = mono_add_ms(now, n->count ? REFILL_MS : REFRESH_MS);
	if (!n->count)
		find_none(f);
	else if (waits)
		f->found_at = now;
	f->any = false;
	if (n->count)
		f->is_stuck = false;
}

/* --- time --------------------------------------------------------------------------------- */

static int64_t pause_of(const struct notrack *n)
{
	if (n->state == NOTRACK_CANARY)
		return TRIAL_MS;
	return n->count || n->state == NOTRACK_ALL ? SOON_MS : LATER_MS;
}

static void on_timer(void *arg)
{
	struct core *c = arg;
	int64_t pause = LATER_MS;

	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		struct notrack_family *f = &c->notracks.families[i];

		if (c->planning && c->notracks.is_known && c->falls.mode == MASS_ORDINARY)
			find_servers(f);
		look(f);
		judge(f);
		if (pause_of(&f->policy) < pause)
			pause = pause_of(&f->policy);
	}
	tell(c); /* a canary may have fewer servers */
	c->notracks.timer = loop_timer_in(c->loop, pause, on_timer, c);
}

void notracks_start(struct core *c)
{
	bool any = false;

	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		struct notrack_family *f = &c->notracks.families[i];
		bool is_wanted;

		f->core = c;
		is_wanted = c->config->check_notrack && source_of(f)->family;
		notrack_init(&f->policy, is_wanted, core_now(c));
		any |= is_wanted;
	}
	if (any)
		c->notracks.timer = loop_timer_in(c->loop, SOON_MS, on_timer, c);
}

void notracks_end(struct core *c)
{
	loop_cancel(c->loop, c->notracks.timer);
}
