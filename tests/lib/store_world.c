/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/store_world.h"
#include "tests/lib/turned_clock.h"

#define TURNS_MAX 3000 /* of 10 ms without an answer: it hangs */

void store_world_init(struct store_world *w)
{
	const char *tmp = getenv("TMPDIR");

	*w = (struct store_world){ 0 };
	now_ms = 1700000000000;
	assert_int_equal(loop_new(&turned_clock, &w->loop), 0);
	snprintf(w->dir, sizeof(w->dir), "%s/store.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/state.db", w->dir);
	w->options.path = w->path;
}

static void remove_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		(void)!unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	(void)!rmdir(path);
}

void store_world_done(struct store_world *w)
{
	store_world_close(w);
	loop_free(w->loop);
	remove_folder(w->dir);
	buf_done(&w->told);
}

static void on_event(void *arg, const struct store_event *e)
{
	static const char *const states[] = { "opening", "ready", "troubled", "read-locked" };
	struct store_world *w = arg;
	struct store_status status;

	switch (e->type) {
	case STORE_PUT:
		buf_printf(&w->told, "put %" PRIu64 " %s %s/%s = %s\n", e->revision,
			   store_kind_text(e->object->key.kind), e->object->key.ns,
			   e->object->key.name, e->object->text);
		break;
	case STORE_REMOVE:
		buf_printf(&w->told, "remove %" PRIu64 " %s %s/%s\n", e->revision,
			   store_kind_text(e->object->key.kind), e->object->key.ns,
			   e->object->key.name);
		break;
	case STORE_RESET:
		buf_printf(&w->told, "reset %" PRIu64 "\n", e->revision);
		break;
	case STORE_STATUS:
		store_status(w->store, &status);
		buf_printf(&w->told, "status %s\n", states[status.state]);
		break;
	}
}

void store_world_open(struct store_world *w)
{
	struct store_status status = { 0 };

	assert_int_equal(store_open(w->loop, &w->options, &w->store), 0);
	store_watch(w->store, on_event, w);
	for (int i = 0; status.state == STORE_OPENING; i++) {
		assert_true(i < TURNS_MAX);
		assert_int_equal(loop_turn(w->loop, 10), 0);
		store_status(w->store, &status);
	}
}

void store_world_close(struct store_world *w)
{
	store_close(w->store);
	w->store = NULL;
}

void store_world_reopen(struct store_world *w)
{
	store_world_close(w);
	store_world_open(w);
}

struct store_status store_world_status(struct store_world *w)
{
	struct store_status status;

	store_status(w->store, &status);
	return status;
}

void store_world_wait(struct store_world *w, const bool *called)
{
	for (int i = 0; !*called; i++) {
		assert_true(i < TURNS_MAX);
		assert_int_equal(loop_turn(w->loop, 10), 0);
	}
}

void store_world_answered(void *arg, const struct store_outcome *o)
{
	struct store_answer *a = arg;

	assert_false(a->called);
	*a = (struct store_answer){ .called = true,
				    .result = o->result,
				    .refused = o->refused,
				    .current = o->current,
				    .repeated = o->repeated };
	snprintf(a->why, sizeof(a->why), "%s", o->why);
	if (o->count) {
		a->revision = o->items[0].revision;
		a->changed = o->items[0].changed;
	}
}

struct store_answer store_world_write(struct store_world *w, const struct store_write *write)
{
	struct store_answer a = { 0 };

	store_write(w->store, write, store_world_answered, &a);
	assert_false(a.called); /* never from inside the call */
	store_world_wait(w, &a.called);
	return a;
}

uint64_t store_world_put(struct store_world *w, enum store_kind kind, const char *name,
			 const char *text)
{
	const struct store_change change = { .key = { kind, "shop", name },
					     .text = text,
					     .len = strlen(text) };
	const struct store_write write = { .who = { .user = "tester", .action = "put" },
					   .changes = &change,
					   .count = 1 };
	struct store_answer a = store_world_write(w, &write);

	if (a.result != STORE_OK)
		fail_msg("%s %s: %s", name, store_result_text(a.result), a.why);
	return a.revision;
}

struct store_answer store_world_remove(struct store_world *w, enum store_kind kind,
				       const char *name)
{
	const struct store_change change = { .key = { kind, "shop", name }, .remove = true };
	const struct store_write write = { .who = { .user = "tester", .action = "remove" },
					   .changes = &change,
					   .count = 1 };

	return store_world_write(w, &write);
}

const char *store_world_text(struct store_world *w, enum store_kind kind, const char *name)
{
	const struct store_key key = { kind, "shop", name };
	const struct store_object *o = store_get(w->store, &key);

	return o ? o->text : NULL;
}

/* --- questions --------------------------------------------------------------------- */

struct asked {
	bool called;
	struct buf *out;
};

static void on_revisions(void *arg, enum store_result r, const struct store_revision *items,
			 size_t count)
{
	struct asked *a = arg;

	a->called = true;
	if (r != STORE_OK)
		buf_str(a->out, store_result_text(r));
	for (size_t i = 0; i < count; i++) {
		buf_printf(a->out, "%s%" PRIu64 " %s", i ? "; " : "", items[i].revision,
			   items[i].removed ? "removed" : items[i].action);
		if (!items[i].removed)
			buf_printf(a->out, ": %s", items[i].text ? items[i].text : "(none)");
	}
}

const char *store_world_revisions(struct store_world *w, enum store_kind kind, const char *name,
				  struct buf *out)
{
	const struct store_revisions_query q = { .key = { kind, "shop", name },
						 .limit = 100,
						 .texts = true };
	struct asked a = { .out = out };

	buf_reset(out);
	store_revisions(w->store, &q, on_revisions, &a);
	store_world_wait(w, &a.called);
	return buf_cstr(out);
}

static void on_operations(void *arg, enum store_result r, const struct store_operations *o)
{
	struct asked *a = arg;

	a->called = true;
	if (r != STORE_OK)
		buf_str(a->out, store_result_text(r));
	for (size_t i = 0; i < o->count; i++) {
		const struct store_operation *op = &o->items[i];

		buf_printf(a->out, "%" PRIu64 " %s %s %s %s/%s %" PRIu64, op->id, op->who.user,
			   op->who.action, store_kind_text(op->key.kind), op->key.ns, op->key.name,
			   op->before);
		if (op->changed)
			buf_printf(a->out, "->%" PRIu64, op->id);
		buf_printf(a->out, " %s%s%s%s", store_result_text(op->result),
			   op->forced ? " forced" : "", op->detail[0] ? ": " : "", op->detail);
		if (op->before_text)
			buf_printf(a->out, " -%s", op->before_text);
		if (op->after_text)
			buf_printf(a->out, " +%s", op->after_text);
		buf_str(a->out, "\n");
	}
	buf_printf(a->out, "of %zu\n", o->total);
}

const char *store_world_operations(struct store_world *w, const struct store_operations_query *q,
				   struct buf *out)
{
	struct asked a = { .out = out };

	buf_reset(out);
	store_operations(w->store, q, on_operations, &a);
	store_world_wait(w, &a.called);
	return buf_cstr(out);
}

static void on_copied(void *arg, enum store_result r, const char *why)
{
	struct store_answer *a = arg;

	a->called = true;
	a->result = r;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

struct store_answer store_world_backup(struct store_world *w, const char *path)
{
	struct store_answer a = { 0 };

	store_backup(w->store, path, on_copied, &a);
	store_world_wait(w, &a.called);
	return a;
}

struct store_answer store_world_restore(struct store_world *w, const char *path)
{
	const struct store_who who = { .user = "tester", .reason = "test" };
	struct store_answer a = { 0 };

	store_restore(w->store, path, &who, on_copied, &a);
	store_world_wait(w, &a.called);
	return a;
}

struct lines {
	char **items;
	size_t count;
};

static void add_line(void *arg, const struct store_object *o)
{
	struct lines *l = arg;

	l->items = xreallocarray(l->items, l->count + 1, sizeof(*l->items));
	l->items[l->count++] = xasprintf("%d %s/%s r%" PRIu64 " %zu claims: %s\n", o->key.kind,
					 o->key.ns, o->key.name, o->revision, o->claim_count,
					 o->text);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *store_world_everything(struct store *s)
{
	struct lines l = { 0 };
	struct buf all = { 0 };
	struct store_status status;

	store_each(s, (enum store_kind)0, NULL, add_line, &l);
	if (l.count)
		qsort(l.items, l.count, sizeof(char *), by_text);
	store_status(s, &status);
	buf_printf(&all, "%" PRIu64 "\n", status.revision);
	for (size_t i = 0; i < l.count; i++) {
		buf_str(&all, l.items[i]);
		free(l.items[i]);
	}
	free(l.items);
	(void)buf_cstr(&all);
	return (char *)all.data;
}
