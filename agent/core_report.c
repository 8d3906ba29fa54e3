/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with objects, told to the source they come from, so that their
 * owners see it where they look: a cluster has Events for that. A source
 * that has no such place is not bothered.
 */
#include <stdlib.h>

#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define TEXT_MAX	 1000 /* bytes; nobody reads more of one */
#define ORPHANS_EVERY_MS 5000

static struct watch_source *place_of(const struct core *c, unsigned source)
{
	struct watch_source *w = c->sources[source].watch;

	return w && w->ops->report ? w : NULL;
}

static void add(struct buf *text, const char *more)
{
	if (!more || text->len > TEXT_MAX)
		return;
	buf_printf(text, "%s%s", text->len ? "; " : "", more);
}

static void add_problems(struct buf *text, const struct problems *problems)
{
	for (int errors = 1; errors >= 0; errors--) {
		for (size_t i = 0; i < problems->count; i++) {
			if (problems->items[i].error == (errors == 1))
				add(text, problems->items[i].text);
		}
	}
}

/* --- pools -------------------------------------------------------------------------- */

static void tell_pool(const struct pool_state *ps, const char *text)
{
	const struct pool *p = ps->pool;
	const struct watch_report r = {
		.kind = OBJECT_SERVICE,
		.ns = p->ns,
		.name = p->service,
		.uid = pools_service_uid(ps->core->pools, p->ns, p->service),
		.part = p->id,
		.text = text,
	};

	watch_source_report(ps->core->sources[p->source].watch, &r);
}

void report_pool(struct pool_state *ps)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	if (!place_of(ps->core, ps->pool->source))
		return;
	add_problems(&text, &ps->pool->problems);
	add(&text, ps->view->fault);
	add(&text, ps->view->unchecked);
	add(&text, ps->view->not_by_vip);
	add(&text, ps->view->kernel_problem);
	if (text.len)
		tell_pool(ps, buf_cstr(&text));
	else if (ps->reported)
		tell_pool(ps, NULL);
	ps->reported = text.len > 0;
}

void report_pool_gone(struct pool_state *ps)
{
	if (!ps->reported || !place_of(ps->core, ps->pool->source))
		return;
	tell_pool(ps, NULL);
	ps->reported = false;
}

/* --- objects that no pool carries ----------------------------------------------------- */

/* One that was told of. */
struct orphan_told {
	struct object *identity;
	uint64_t round; /* it was last found in */
};

static bool is_told(const void *told, const void *key)
{
	return object_same(((const struct orphan_told *)told)->identity, key);
}

static struct orphan_told *remember(struct core *c, const struct object *o)
{
	struct orphan_told *t = map_get(&c->reports.orphans, object_hash(o), o);

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->identity = object_identity(o);
	map_put(&c->reports.orphans, object_hash(o), t);
	return t;
}

static void orphan_free(struct orphan_told *t)
{
	free(t->identity);
	free(t);
}

static void tell_orphan(struct core *c, const struct object *o, const char *text)
{
	const struct watch_report r = {
		.kind = o->kind,
		.ns = o->ns,
		.name = o->name,
		.uid = o->uid ? o->uid : "",
		.part = "",
		.text = text,
	};

	watch_source_report(c->sources[o->source].watch, &r);
}

static void on_orphan(void *arg, const struct object *o, const struct problems *problems)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct core *c = arg;

	if (!place_of(c, o->source) || o->kind == OBJECT_SECRET)
		return;
	add_problems(&text, problems);
	if (!text.len)
		return;
	remember(c, o)->round = c->reports.round;
	tell_orphan(c, o, buf_cstr(&text));
}

static void look_for_orphans(void *arg)
{
	struct core *c = arg;
	struct orphan_told *t;
	size_t pos = 0;

	c->reports.round++;
	pools_orphans(c->pools, on_orphan, c);
	while ((t = map_next(&c->reports.orphans, &pos))) {
		if (t->round == c->reports.round)
			continue;
		tell_orphan(c, t->identity, NULL);
		(void)map_take(&c->reports.orphans, object_hash(t->identity), t->identity);
		orphan_free(t);
	}
	c->reports.timer = loop_timer_in(c->loop, ORPHANS_EVERY_MS, look_for_orphans, c);
}

void reports_start(struct core *c)
{
	map_init(&c->reports.orphans, is_told);
	for (unsigned i = 0; i < c->config->source_count && !c->reports.timer; i++) {
		if (place_of(c, i))
			c->reports.timer = loop_timer_in(c->loop, ORPHANS_EVERY_MS,
							 look_for_orphans, c);
	}
}

void reports_end(struct core *c)
{
	struct orphan_told *t;
	size_t pos = 0;

	loop_cancel(c->loop, c->reports.timer);
	while ((t = map_next(&c->reports.orphans, &pos)))
		orphan_free(t);
	map_done(&c->reports.orphans);
}
