/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/kube_world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "watch/kube_api.h"

static mono_t world_mono(void *arg)
{
	const struct kube_world *w = arg;

	return (mono_t){ w->now_ms * 1000000 };
}

static int64_t world_wall(void *arg)
{
	const struct kube_world *w = arg;

	return w->now_ms;
}

static bool told_is(const void *object, const void *key)
{
	return object_same(object, key);
}

static uint64_t hash_of(const struct object *o)
{
	return hash_table_str(o->ns) * 3 + hash_table_str(o->name) + (uint64_t)o->kind;
}

const struct object *kube_world_told(const struct kube_world *w, enum object_kind kind,
				     const char *ns, const char *name)
{
	const struct object key = {
		.kind = kind,
		.source = KUBE_WORLD_SOURCE,
		.path = (char *)(uintptr_t) "",
		.ns = (char *)(uintptr_t)ns,
		.name = (char *)(uintptr_t)name,
	};

	return map_get(&w->told, hash_of(&key), &key);
}

/* --- the sink ------------------------------------------------------------------- */

static void on_put(void *arg, struct object *o)
{
	struct kube_world *w = arg;

	assert_int_equal(o->source, KUBE_WORLD_SOURCE);
	assert_true(o->from_cluster);
	w->puts++;
	if (!w->quiet)
		buf_printf(&w->log, "put %s %s/%s\n", object_kind_text(o->kind), o->ns, o->name);
	object_free(map_take(&w->told, hash_of(o), o));
	map_put(&w->told, hash_of(o), o);
}

static void on_remove(void *arg, const struct object *o)
{
	struct kube_world *w = arg;
	struct object *old = map_get(&w->told, hash_of(o), o);

	/* That there is no such Secret is an answer, too. */
	if (!old && o->kind != OBJECT_SECRET)
		fail_msg("%s %s/%s is removed, and was not told", object_kind_text(o->kind), o->ns,
			 o->name);
	if (w->removing && old)
		w->removing(w, old);
	w->removes++;
	if (!w->quiet)
		buf_printf(&w->log, "remove %s %s/%s\n", object_kind_text(o->kind), o->ns, o->name);
	object_free(map_take(&w->told, hash_of(o), o));
}

static void on_complete(void *arg, bool complete, const char *why)
{
	struct kube_world *w = arg;

	assert_int_equal(complete, why == NULL);
	w->complete = complete;
	w->spoken = true;
	buf_printf(&w->log, complete ? "complete\n" : "incomplete: %s\n", why);
}

static void on_problem(void *arg, const char *where, unsigned line, const char *text)
{
	struct kube_world *w = arg;

	assert_int_equal(line, 0);
	buf_printf(&w->log, text ? "problem %s: %s\n" : "%s is well\n", where, text);
}

static void on_cursor(void *arg, const char *cursor)
{
	struct kube_world *w = arg;

	snprintf(w->cursor, sizeof(w->cursor), "%s", cursor);
}

/* --- life ----------------------------------------------------------------------- */

void kube_world_open(struct kube_world *w)
{
	w->now_ms = 1000000;
	w->clock = (struct clock){ world_mono, world_wall, w };
	map_init(&w->told, told_is);
	assert_int_equal(loop_new(&w->clock, &w->loop), 0);
	w->server = fake_kube_new(w->loop);
}

void kube_world_close(struct kube_world *w)
{
	struct object *o;

	if (!w->source)
		http_free(w->server->http);
	watch_source_free(w->source);
	fake_kube_free(w->server);
	loop_free(w->loop);
	for (size_t pos = 0; (o = map_next(&w->told, &pos));)
		object_free(o);
	map_done(&w->told);
	buf_done(&w->log);
}

static uint32_t jitter(void *arg)
{
	struct kube_world *w = arg;

	return w->random ? (uint32_t)random_next(w->random) : 0;
}

/* Freeing the source frees its http: the server gets another one, and all is cut. */
static void end_source(struct kube_world *w)
{
	if (!w->source)
		return;
	watch_source_free(w->source);
	fake_kube_renew_http(w->server);
	w->source = NULL;
}

void kube_world_start(struct kube_world *w, const char *selector, bool resume)
{
	const struct watch_sink sink = { on_put, on_remove, on_complete, on_problem, on_cursor, w };
	struct kube_access access = {
		.servers = xcalloc(1, sizeof(char *)),
		.server_count = 1,
		.token = xstrdup("t"),
		.origin = xstrdup("test"),
	};
	struct watch_kubernetes c = {
		.access = &access,
		.node = "node-1",
		.label_selector = selector,
		.random = jitter,
		.random_arg = w,
	};
	const struct object *o;

	end_source(w);
	access.servers[0] = xstrdup("https://server");
	c.http = w->server->http;
	w->source = watch_kubernetes_new(w->loop, &c, KUBE_WORLD_SOURCE, &sink);
	w->complete = w->spoken = false;
	for (size_t pos = 0; (o = map_next(&w->told, &pos));)
		w->source->ops->inherit(w->source, o);
	w->source->ops->resume(w->source, resume && *w->cursor ? w->cursor : NULL);
	watch_source_start(w->source);
}

void kube_world_settle(struct kube_world *w)
{
	for (int i = 0; i < 100; i++)
		assert_int_equal(loop_turn(w->loop, 0), 0);
}

void kube_world_advance(struct kube_world *w, int64_t ms)
{
	for (int64_t end = w->now_ms + ms; w->now_ms < end;) {
		w->now_ms += end - w->now_ms < 100 ? end - w->now_ms : 100;
		for (int i = 0; i < 4; i++)
			assert_int_equal(loop_turn(w->loop, 0), 0);
	}
	kube_world_settle(w);
}

void kube_world_expect(struct kube_world *w, const char *want)
{
	kube_world_settle(w);
	assert_string_equal(buf_cstr(&w->log), want);
	buf_reset(&w->log);
}

static const enum object_kind kinds[] = { OBJECT_SERVICE, OBJECT_ENDPOINTS, OBJECT_SLICE };

static enum fake_kube_kind fake_kind(enum object_kind kind)
{
	return kind == OBJECT_SERVICE	  ? FAKE_SERVICES
	       : kind == OBJECT_ENDPOINTS ? FAKE_ENDPOINTS
					  : FAKE_SLICES;
}

const char *kube_world_difference(struct kube_world *w)
{
	static char text[200];
	const struct fake_kube_object *there;
	const struct object *o;
	char revision[32];

	for (size_t pos = 0; (there = map_next(&w->server->objects, &pos));) {
		if (there->kind == FAKE_SECRETS)
			continue;
		o = kube_world_told(w, kinds[there->kind], there->ns, there->name);
		snprintf(revision, sizeof(revision), "%" PRIu64, there->revision);
		snprintf(text, sizeof(text), "kind %d %s/%s is at %s, told %s", there->kind,
			 there->ns, there->name, revision, o ? o->revision : "never");
		if (!o || strcmp(o->revision, revision) != 0)
			return text;
	}
	for (size_t pos = 0; (o = map_next(&w->told, &pos));) {
		snprintf(text, sizeof(text), "%s %s/%s is told, and gone",
			 object_kind_text(o->kind), o->ns, o->name);
		if (o->kind <= OBJECT_SLICE &&
		    !fake_kube_find(w->server, fake_kind(o->kind), o->ns, o->name))
			return text;
	}
	return NULL;
}
