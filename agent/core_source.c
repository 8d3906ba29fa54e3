/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sources and what they were last known to hold. At the start a source counts
 * as its last complete list from the state directory; what it then tells
 * replaces that object by object, and only when it has told everything do
 * inherited objects go that it did not tell again.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define SAVE_DELAY_MS 1000

const char *source_where(const struct core_source *s)
{
	switch (s->config->type) {
	case CONFIG_DIRECTORY:
		return s->config->directory;
	case CONFIG_KUBERNETES:
		return s->config->kubeconfig;
	}
	return "";
}

/* --- inherited objects ------------------------------------------------------------ */

struct identity {
	struct object object; /* what object_same() looks at; its strings are behind it */
	char strings[];
};

static uint64_t identity_hash(const struct object *o)
{
	struct buf b = { 0 };
	uint64_t h;

	wire_put_u8(&b, (uint8_t)o->kind);
	wire_put_str(&b, o->path);
	wire_put_str(&b, o->ns);
	wire_put_str(&b, o->name);
	h = hash_table(b.data, b.len);
	buf_done(&b);
	return h;
}

static bool identity_is(const void *identity, const void *key)
{
	return object_same(&((const struct identity *)identity)->object, key);
}

static struct identity *identity_of(const struct object *o)
{
	size_t path = strlen(o->path) + 1, ns = strlen(o->ns) + 1, name = strlen(o->name) + 1;
	struct identity *i = xcalloc(1, sizeof(*i) + path + ns + name);

	i->object.kind = o->kind;
	i->object.source = o->source;
	i->object.path = memcpy(i->strings, o->path, path);
	i->object.ns = memcpy(i->strings + path, o->ns, ns);
	i->object.name = memcpy(i->strings + path + ns, o->name, name);
	return i;
}

static void inherit(void *arg, struct object *o)
{
	struct core_source *s = arg;
	struct identity *i;

	o->source = s->index;
	if (map_get(&s->waiting, identity_hash(o), o)) {
		object_free(o);
		return;
	}
	i = identity_of(o);
	map_put(&s->waiting, identity_hash(o), i);
	s->recount = true;
	pools_put(s->core->pools, o);
}

static void heard_of(struct core_source *s, const struct object *o)
{
	free(map_take(&s->waiting, identity_hash(o), o));
}

/* It has told everything: what it did not tell is gone. */
static void drop_waiting(struct core_source *s)
{
	struct identity *i;
	size_t pos = 0;

	while ((i = map_next(&s->waiting, &pos))) {
		map_take(&s->waiting, identity_hash(&i->object), &i->object);
		pools_remove(s->core->pools, &i->object);
		free(i);
	}
}

/* --- saving ------------------------------------------------------------------------ */

static void save(void *arg)
{
	struct core_source *s = arg;

	s->save_timer = 0;
	s->unsaved = false;
	state_save_source(s->core, s);
}

static void changed(struct core_source *s)
{
	s->unsaved = s->recount = true;
	if (s->delivered && !s->save_timer)
		s->save_timer = loop_timer_in(s->core->loop, SAVE_DELAY_MS, save, s);
	core_plan_later(s->core);
}

/* --- what a source says --------------------------------------------------------------- */

static void on_put(void *arg, struct object *o)
{
	struct core_source *s = arg;

	s->telling = true;
	heard_of(s, o);
	if (o->kind == OBJECT_SECRET)
		secrets_changed(s->core);
	pools_put(s->core->pools, o);
	changed(s);
}

static void on_remove(void *arg, const struct object *o)
{
	struct core_source *s = arg;

	heard_of(s, o);
	if (o->kind == OBJECT_SECRET)
		secrets_changed(s->core);
	pools_remove(s->core->pools, o);
	changed(s);
}

static void on_complete(void *arg, bool complete, const char *why)
{
	struct core_source *s = arg;

	if (complete && !s->delivered)
		log_info("source", "%s: complete", source_where(s));
	else if (complete != s->complete && complete)
		log_info("source", "%s: complete again", source_where(s));
	else if (!complete && s->problem_count == 0) /* else that said it */
		log_warn("source", "%s: %s; its last good state holds", source_where(s),
			 why ? why : "not complete");
	s->spoken = true;
	s->complete = complete;
	free(s->why);
	s->why = complete ? NULL : xstrdup(why ? why : "not complete");
	if (complete) {
		s->delivered = true;
		drop_waiting(s);
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

static void count_object(void *arg, const struct object *o)
{
	(void)o;
	++*(size_t *)arg;
}

size_t source_objects(struct core_source *s)
{
	if (s->recount) {
		s->recount = false;
		s->objects = 0;
		pools_objects(s->core->pools, s->index, count_object, &s->objects);
	}
	return s->objects;
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

int sources_start(struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		struct core_source *s = &c->sources[i];
		struct watch_sink sink = { on_put, on_remove, on_complete, on_problem, s };

		s->core = c;
		s->index = (unsigned)i;
		s->config = &c->config->sources[i];
		s->why = xstrdup("not read yet");
		map_init(&s->waiting, identity_is);
		state_load_source(c, s, inherit, s);
		s->inherits = s->waiting.count > 0;
		if (s->inherits)
			log_info("source",
				 "%s: %zu objects from the state directory until it "
				 "delivers",
				 source_where(s), s->waiting.count);
		switch (s->config->type) {
		case CONFIG_DIRECTORY:
			s->watch = watch_directory_new(c->loop, s->config->directory, s->index,
						       &sink);
			break;
		case CONFIG_KUBERNETES:
			log_error("source", "%s: this version has no Kubernetes source",
				  source_where(s));
			return -1;
		}
		watch_source_start(s->watch);
	}
	return 0;
}

void sources_end(struct core *c)
{
	for (size_t n = 0; n < c->config->source_count; n++) {
		struct core_source *s = &c->sources[n];
		struct identity *i;
		size_t pos = 0;

		if (!s->core)
			continue;
		watch_source_free(s->watch);
		s->watch = NULL;
		loop_cancel(c->loop, s->save_timer);
		if (s->unsaved && s->delivered)
			save(s);
		while ((i = map_next(&s->waiting, &pos)))
			free(i);
		map_done(&s->waiting);
		while (s->problem_count)
			drop_problem(s, s->problem_count - 1);
		free(s->problems);
		free(s->why);
	}
}
