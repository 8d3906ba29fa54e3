/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Targets that went down together with many others: what is told of them is
 * shown at once, and applied when agent/plan/mass.h says so. Who only waits is
 * planned as up.
 *
 * A check that asks for a role takes no part in it. Its answers are no want of
 * an answer, and to keep a writer that is none, or a replica that lags, is worse
 * than to have nobody.
 */
#include "agent/base/log.h"
#include "agent/core_private.h"

#define PIECE	 250 /* falls applied in one turn: of each a pool is planned at least */
#define PIECE_MS 1   /* until the next one, where there are more */

static bool takes_part(const struct target *t)
{
	return t->check && t->check->type != CHECK_NONE && t->check->role == CHECK_ROLE_ANY;
}

void falls_start(struct core *c)
{
	c->falls.mass = mass_new(&c->config->mass);
}

void falls_end(struct core *c)
{
	loop_cancel(c->loop, c->falls.timer);
	mass_free(c->falls.mass);
}

/* --- what is heard --------------------------------------------------------------------- */

static void begin_fall(struct target *t)
{
	struct core *c = t->core;

	t->fall = mass_fell(c->falls.mass, t, mass_confirm_ms(t->check), core_now(c));
	t->fell = t->waiting = true;
}

static void end_fall(struct target *t)
{
	if (t->fell)
		mass_rose(t->core->falls.mass, t->fall, t);
	t->fell = t->waiting = false;
}

/* What is up by a first guess alone was not up: it may never have been. */
static void count_up(struct target *t)
{
	if (t->is_counted || (!t->verdict.proven && !t->inherited))
		return;
	t->is_counted = true;
	mass_add_up(t->core->falls.mass);
}

void falls_join(struct target *t, bool was_up)
{
	if (!takes_part(t))
		return;
	if (t->verdict.state == VERDICT_UP) {
		count_up(t);
	} else if (t->verdict.state == VERDICT_DOWN && was_up) {
		mass_add_up(t->core->falls.mass);
		begin_fall(t);
	}
}

void falls_heard(struct target *t)
{
	bool was_up = t->is_counted;

	if (!takes_part(t))
		return;
	if (t->verdict.state == VERDICT_UP) {
		end_fall(t);
		count_up(t);
		return;
	}
	t->is_counted = false;
	if (t->verdict.state == VERDICT_UNKNOWN)
		end_fall(t);
	if (was_up && t->verdict.state == VERDICT_DOWN)
		begin_fall(t);
	else if (was_up)
		mass_drop_up(t->core->falls.mass);
}

void falls_leave(struct target *t)
{
	end_fall(t);
	if (t->is_counted)
		mass_drop_up(t->core->falls.mass);
	t->is_counted = false;
}

/* --- what comes of it ------------------------------------------------------------------- */

static void tell_mode(struct core *c, enum mass_mode before, const struct mass_status *s)
{
	if (before == MASS_FREEZE && s->mode != MASS_FREEZE)
		log_warn("health",
			 "removals are not frozen any more: %u targets were taken out, %u that "
			 "waited came back, %u wait",
			 s->applied, s->returned, s->waiting);
	if (s->mode == MASS_FREEZE)
		log_error("health",
			  "%u of %u targets went down within %d s: removals are frozen, %u %% of "
			  "them a minute are taken out, the oldest first; look at this machine's "
			  "own network",
			  s->fallen, s->targets, MASS_FREEZE_MS / 1000, c->config->mass.per_minute);
	else if (s->mode == MASS_DOUBT && before == MASS_ORDINARY)
		log_warn("health",
			 "%u of %u targets went down within %d s, which may be this machine's own "
			 "network: each is taken out once it has been down for %d s or longer",
			 s->fallen, s->targets, MASS_DOUBT_MS / 1000, MASS_CONFIRM_MS / 1000);
	else if (s->mode == MASS_ORDINARY)
		log_info("health",
			 "targets go down no more than is usual: %u were taken out, %u that "
			 "waited came back",
			 s->applied, s->returned);
}

/* Those who look on are told. */
static void note(struct core *c)
{
	const struct mass_status s = mass_status(c->falls.mass);
	enum mass_mode before = c->falls.mode;

	c->falls.mode = s.mode;
	if (s.mode == before)
		return;
	tell_mode(c, before, &s);
	if (before == MASS_ORDINARY)
		notracks_alarm(c);
	view_changed(c);
}

static void on_apply(void *arg, void *what)
{
	struct core *c = arg;
	struct target *t = what;

	t->waiting = t->came_back = false;
	t->since = core_now(c);
	for (uint32_t i = 0; i < t->user_count; i++)
		pool_state_dirty(t->users[i]);
	state_changed(c);
}

/* As long as anything is out of the ordinary, and no more in one turn than is planned soon. */
static void tick(void *arg)
{
	struct core *c = arg;
	bool more = mass_run(c->falls.mass, core_now(c), PIECE, on_apply, c);

	c->falls.timer = 0;
	note(c);
	if (more || mass_is_busy(c->falls.mass))
		c->falls.timer = loop_timer_in(c->loop, more ? PIECE_MS : MASS_TICK_MS, tick, c);
}

void falls_judge(struct core *c)
{
	mass_judge(c->falls.mass, core_now(c), on_apply, c);
	note(c);
	if (mass_is_busy(c->falls.mass) && !c->falls.timer)
		c->falls.timer = loop_timer_in(c->loop, MASS_TICK_MS, tick, c);
}
