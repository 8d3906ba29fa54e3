/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources and what they were last known to hold. At the start a source counts
 * as its last complete list from the state directory; what it then tells
 * replaces that object by object, and only when it has told everything do
 * inherited objects go that it did not tell again. A source that can go on from
 * where it was is given these objects, and removes by itself what is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "watch/kube_write.h"

#define SAVE_DELAY_MS  1000
#define SAVE_CURSOR_MS 300000 /* where no object has changed */
#define SAVE_DUTY      20     /* of the time at most 1/20 is spent on writing */

const char *source_where(const struct core_source *s)
{
	return s->where;
}

static char *where_of(const struct core *core, const struct config_source *c)
{
	switch (c->type) {
	case CONFIG_DIRECTORY:
		return xstrdup(c->directory);
	case CONFIG_KUBERNETES:
		return xasprintf("%s%s%s%s%s", c->kubeconfig ? c->kubeconfig : "in-cluster",
				 c->context ? " context " : "", c->context ? c->context : "",
				 c->label_selector ? " labels " : "",
				 c->label_selector ? c->label_selector : "");
	case CONFIG_STORE:
		return xasprintf("%s/" CONFIG_STORE_FILE, core->config->state_directory);
	}
	return xstrdup("");
}

/* --- inherited objects ------------------------------------------------------------ */

static void inherit(void *arg, struct object *o)
{
	struct core_source *s = arg;
	struct object *i;

	o->source = s->index;
	if (map_get(&s->waiting, object_hash(o), o)) {
		object_free(o);
		return;
	}
	i = object_identity(o);
	map_put(&s->waiting, object_hash(o), i);
	s->inherited++;
	pools_put(s->core->pools, o);
}

/* The source itself knows what becomes of it. */
static void hand_back(void *arg, struct object *o)
{
	struct core_source *s = arg;

	o->source = s->index;
	s->watch->ops->inherit(s->watch, o);
	s->inherited++;
	pools_put(s->core->pools, o);
}

static void heard_of(struct core_source *s, const struct object *o)
{
	if (s->waiting.count)
		free(map_take(&s->waiting, object_hash(o), o));
}

/* It has told everything: what it did not tell is gone. */
static void drop_waiting(struct core_source *s)
{
	struct object *i;
	size_t pos = 0;

	while ((i = map_next(&s->waiting, &pos))) {
		map_take(&s->waiting, object_hash(i), i);
		pools_remove(s->core->pools, i);
		free(i);
	}
}

/* --- saving ------------------------------------------------------------------------ */

static void save(void *arg)
{
	struct core_source *s = arg;

	s->save_timer = 0;
	s->unsaved = s->save_soon = false;
	state_save_source(s);
}

static void save_in(struct core_source *s, bool soon)
{
	bool sooner = soon && !s->save_soon; /* than the timer, if there is one */

	s->unsaved = true;
	s->save_soon |= soon;
	if (!s->delivered || s->saving || (s->save_timer && !sooner))
		return;
	loop_cancel(s->core->loop, s->save_timer);
	s->save_timer = loop_timer_in(s->core->loop,
				      s->save_soon ? SAVE_DELAY_MS + s->save_took_ms * SAVE_DUTY
						   : SAVE_CURSOR_MS,
				      save, s);
}

void source_saved(struct core_source *s, int64_t took_ms)
{
	s->save_took_ms = took_ms;
	if (s->unsaved)
		save_in(s, s->save_soon);
}

static void changed(struct core_source *s)
{
	save_in(s, true);
	core_plan_later(s->core);
}

/* --- what a source says --------------------------------------------------------------- */

/* When somebody made o what it is; 0: nobody says, or it is from before we could have heard. */
static int64_t trigger_of(const struct core_source *s, const struct object *o)
{
	if (!s->delivered)
		return 0;
	return s->config->type == CONFIG_STORE && o->change ? o->change->at_ms : o->trigger_ms;
}

static void on_put(void *arg, struct object *o)
{
	struct core_source *s = arg;
	int64_t trigger = trigger_of(s, o);

	s->telling = true;
	heard_of(s, o);
	if (o->kind == OBJECT_SECRET)
		secrets_heard(s->core, o);
	if (pools_put(s->core->pools, o) && trigger)
		kernel_triggered(s->core, trigger);
	changed(s);
}

static void on_remove(void *arg, const struct object *o)
{
	struct core_source *s = arg;

	heard_of(s, o);
	if (o->kind == OBJECT_SECRET)
		secrets_heard(s->core, o);
	pools_remove(s->core->pools, o);
	changed(s);
}

/* By a problem: of a directory these are the reason. */
static bool is_told(const struct core_source *s, const char *why)
{
	for (size_t i = 0; i < s->problem_count; i++) {
		if (s->config->type == CONFIG_DIRECTORY ||
		    (why && strcmp(s->problems[i].text, why) == 0))
			return true;
	}
	return false;
}

const char *source_trouble(const struct core_source *s)
{
	return s->spoken && !s->complete && !is_told(s, s->why) ? s->why : NULL;
}

static void on_complete(void *arg, bool complete, const char *why)
{
	struct core_source *s = arg;

	if (complete && !s->delivered)
		log_info("source", "%s: complete", source_where(s));
	else if (complete != s->complete && complete)
		log_info("source", "%s: complete again", source_where(s));
	else if (!complete && !is_told(s, why))
		log_warn("source", "%s: %s; its last good state holds", source_where(s),
			 why ? why : "not complete");
	s->spoken = true;
	s->complete = complete;
	free(s->why);
	s->why = complete ? NULL : xstrdup(why ? why : "not complete");
	if (complete) {
		s->delivered = true;
		drop_waiting(s);
		secrets_complete(s->core);
		pool_states_confirm(s->core, s->index);
	}
	changed(s);
	core_facts_changed(s->core);
	view_changed(s->core);
}

static void drop_problem(struct core_source *s, size_t i)
{
	free(s->problems[i].where);
	free(s->problems[i].text);
	s->problems[i] = s->problems[--s->problem_count];
}

static void on_problem(void *arg, const char *where, unsigned line, const char *text)
{
	struct core_source *s = arg;

	for (size_t i = 0; i < s->problem_count; i++) {
		if (strcmp(s->problems[i].where, where) == 0) {
			drop_problem(s, i);
			break;
		}
	}
	if (text) {
		log_warn("source", "%s%s%.0u: %s; its last good state holds", where,
			 line ? ":" : "", line, text);
		s->problems = xreallocarray(s->problems, s->problem_count + 1,
					    sizeof(*s->problems));
		s->problems[s->problem_count++] = (struct source_problem){ xstrdup(where), line,
									   xstrdup(text) };
	} else {
		log_info("source", "%s: mended", where);
	}
	view_changed(s->core);
}

static void on_cursor(void *arg, const char *cursor)
{
	struct core_source *s = arg;

	free(s->cursor);
	s->cursor = xstrdup(cursor);
	save_in(s, false);
}

/* --- start and end -------------------------------------------------------------------- */

bool sources_delivered(const struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		if (!c->sources[i].delivered)
			return false;
	}
	return true;
}

bool sources_spoken(const struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		if (!c->sources[i].spoken)
			return false;
	}
	return true;
}

bool sources_are_telling(struct core *c)
{
	bool telling = false;

	for (size_t i = 0; i < c->config->source_count; i++) {
		struct core_source *s = &c->sources[i];

		telling = telling || (s->telling && !s->spoken && !s->inherits);
		s->telling = false;
	}
	return telling;
}

static struct watch_source *watch_new(struct core_source *s)
{
	const struct watch_sink sink = { on_put, on_remove, on_complete, on_problem, on_cursor, s };

	switch (s->config->type) {
	case CONFIG_DIRECTORY:
		return watch_directory_new(s->core->loop, s->config->directory,
					   s->core->config->node, s->index, &sink);
	case CONFIG_KUBERNETES:
		return source_kubernetes_new(s, &sink);
	case CONFIG_STORE:
		return source_store_new(s, &sink);
	}
	return NULL;
}

static void load(struct core_source *s)
{
	const struct watch_source_ops *ops = s->watch->ops;
	CLEANUP(xfree_ptr) char *cursor = NULL;

	state_load_source(s->core, s, ops->inherit ? hand_back : inherit, s, &cursor);
	if (ops->resume)
		ops->resume(s->watch, cursor);
	s->inherits = s->inherited > 0;
	if (s->inherits)
		log_info("source", "%s: %zu objects from the state directory until it delivers",
			 source_where(s), s->inherited);
}

int sources_start(struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		struct core_source *s = &c->sources[i];

		s->core = c;
		s->index = (unsigned)i;
		s->config = &c->config->sources[i];
		s->where = where_of(c, s->config);
		s->why = xstrdup("not read yet");
		map_init(&s->waiting, object_is);
		s->watch = watch_new(s);
		if (!s->watch)
			return -1;
		load(s);
		watch_source_start(s->watch);
	}
	return 0;
}

void sources_end(struct core *c)
{
	for (size_t n = 0; n < c->config->source_count; n++) {
		struct core_source *s = &c->sources[n];
		struct object *i;
		size_t pos = 0;

		if (!s->core)
			continue;
		watch_source_free(s->watch);
		s->watch = NULL;
		kube_writer_free(s->writer);
		s->writer = NULL;
		loop_cancel(c->loop, s->save_timer);
		if ((state_give_up_saving(s) || s->unsaved) && s->delivered)
			state_save_source_at_once(s);
		while ((i = map_next(&s->waiting, &pos)))
			free(i);
		map_done(&s->waiting);
		while (s->problem_count)
			drop_problem(s, s->problem_count - 1);
		free(s->problems);
		free(s->cursor);
		free(s->where);
		free(s->why);
	}
}
