/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/store/store_private.h"

#define RETRY_MS 5000 /* a file that could not be opened */

const char *store_kind_text(enum store_kind k)
{
	switch (k) {
	case STORE_SERVICE:
		return "Service";
	case STORE_ENDPOINTS:
		return "Endpoints";
	case STORE_SLICE:
		return "EndpointSlice";
	case STORE_SECRET:
		return "Secret";
	case STORE_ADDRESS_POOL:
		return "AddressPool";
	}
	return "?";
}

bool store_key_same(const struct store_key *a, const struct store_key *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->ns, b->ns) == 0;
}

uint64_t store_key_hash(const struct store_key *k)
{
	return hash_table_str(k->name) ^ hash_table_str(k->ns) * 3 ^
	       hash_table_u64((uint64_t)k->kind);
}

const char *store_result_text(enum store_result r)
{
	static const char *const texts[] = {
		[STORE_OK] = "ok",
		[STORE_EXISTS] = "exists",
		[STORE_ABSENT] = "absent",
		[STORE_STALE] = "stale",
		[STORE_TAKEN] = "taken",
		[STORE_IN_USE] = "in-use",
		[STORE_KEY_REUSED] = "key-reused",
		[STORE_TOO_LARGE] = "too-large",
		[STORE_BUSY] = "busy",
		[STORE_FULL] = "disk-full",
		[STORE_IO] = "io-error",
		[STORE_READ_ONLY] = "read-only",
		[STORE_CORRUPT] = "corrupt",
	};

	return (size_t)r < ARRAY_LEN(texts) ? texts[r] : "?";
}

/* --- jobs ------------------------------------------------------------------------ */

void *job_new(const struct job_ops *ops, size_t size, void *arg)
{
	struct job *j = xcalloc(1, size);

	j->ops = ops;
	j->arg = arg;
	return j;
}

static void unlink_live(struct job *j)
{
	if (!j->live_prev)
		return;
	*j->live_prev = j->live_next;
	if (j->live_next)
		j->live_next->live_prev = j->live_prev;
	j->live_prev = NULL;
}

static void link_live(struct store *s, struct job *j)
{
	j->live_next = s->live;
	j->live_prev = &s->live;
	if (s->live)
		s->live->live_prev = &j->live_next;
	s->live = j;
}

/* Of the loop's thread. What it holds may be a secret. */
void job_free(struct job *j)
{
	unlink_live(j);
	if (j->ops->free)
		j->ops->free(j);
	arena_wipe(&j->arena);
	free(j);
}

char *job_str(struct job *j, const char *s)
{
	return arena_strdup(&j->arena, s ? s : "");
}

char *job_str_or_null(struct job *j, const char *s)
{
	return s ? job_str(j, s) : NULL;
}

void store_post(struct store *s, struct queue *q, struct job *j)
{
	link_live(s, j);
	if (q == &s->reads && s->state == STORE_OPENING) {
		*s->held_end = j;
		s->held_end = &j->next;
		return;
	}
	queue_add(q, j);
}

void store_answer_soon(struct store *s, struct job *j)
{
	link_live(s, j);
	worker_answer(s, j);
}

void store_forget(struct store *s, const void *arg)
{
	for (struct job *j = s->live; j; j = j->live_next) {
		if (j->arg == arg)
			j->forgotten = true;
	}
}

/* --- watching --------------------------------------------------------------------- */

static void sweep_watchers(struct store *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->watcher_count; i++) {
		if (s->watchers[i].id)
			s->watchers[kept++] = s->watchers[i];
	}
	s->watcher_count = kept;
}

void store_tell(struct store *s, const struct store_event *e)
{
	/* Those that come meanwhile see what is in memory already. */
	size_t count = s->watcher_count;

	s->telling++;
	for (size_t i = 0; i < count; i++) {
		if (s->watchers[i].id)
			s->watchers[i].fn(s->watchers[i].arg, e);
	}
	if (--s->telling == 0)
		sweep_watchers(s);
}

store_watch_id store_watch(struct store *s, store_watch_fn *fn, void *arg)
{
	s->watchers = xreallocarray(s->watchers, s->watcher_count + 1, sizeof(*s->watchers));
	s->watchers[s->watcher_count++] = (struct watcher){ ++s->last_watch, fn, arg };
	return s->last_watch;
}

void store_unwatch(struct store *s, store_watch_id id)
{
	for (size_t i = 0; id && i < s->watcher_count; i++) {
		if (s->watchers[i].id == id)
			s->watchers[i].id = 0;
	}
	if (!s->telling)
		sweep_watchers(s);
}

bool store_changes_since(const struct store *s, uint64_t epoch, uint64_t revision,
			 store_watch_fn *fn, void *arg)
{
	const struct memory *m = &s->memory;

	if (!s->complete || epoch != m->epoch || revision < m->known_after ||
	    revision > m->revision)
		return false;
	for (size_t i = 0; i < m->count; i++) {
		const struct memory_change *c = &m->changes[(m->first + i) % MEMORY_CHANGES];
		const struct store_event e = { c->removed ? STORE_REMOVE : STORE_PUT, c->revision,
					       c->object };

		if (c->revision > revision)
			fn(arg, &e);
	}
	return true;
}

/* --- state ------------------------------------------------------------------------- */

void store_state_is(struct store *s, const struct writer_state *w)
{
	const struct store_event e = { .type = STORE_STATUS };
	enum store_state state = !w->ready		  ? STORE_READ_LOCKED
				 : w->trouble == STORE_OK ? STORE_READY
							  : STORE_TROUBLED;

	if (state == s->state && w->trouble == s->trouble && strcmp(w->err.text, s->why.text) == 0)
		return;
	s->state = state;
	s->trouble = w->trouble;
	s->why = w->err;
	store_tell(s, &e);
}

void store_took(struct store *s, struct loaded *l)
{
	const struct store_event e = { .type = STORE_RESET, .revision = l->revision };

	memory_load(&s->memory, l->epoch, l->revision, l->objects, l->count);
	free(l->objects);
	*l = (struct loaded){ 0 };
	s->complete = true;
	store_tell(s, &e);
}

void store_status(const struct store *s, struct store_status *out)
{
	*out = (struct store_status){
		.state = s->state,
		.complete = s->complete,
		.trouble = s->trouble,
		.why = s->why.text,
		.epoch = s->memory.epoch,
		.revision = s->memory.revision,
		.objects = s->memory.objects.count,
	};
}

/* --- opening ------------------------------------------------------------------------- */

struct open_job {
	struct job job;
	struct loaded loaded;
	bool complete;
	struct writer_state after;
};

static void open_run(struct store *s, struct job *j)
{
	struct open_job *o = (struct open_job *)j;
	struct writer *w = &s->writer;

	writer_open(s, w, &o->loaded, &o->complete);
	o->after = writer_state(w);
}

static void try_again(void *arg);

static void open_done(struct store *s, struct job *j)
{
	struct open_job *o = (struct open_job *)j;

	s->opening = false;
	if (o->complete)
		store_took(s, &o->loaded);
	store_state_is(s, &o->after);
	*s->held_end = NULL;
	while (s->held) {
		struct job *next = s->held->next;

		queue_add(&s->reads, s->held);
		s->held = next;
	}
	s->held_end = &s->held;
	if (!o->after.ready && o->after.trouble != STORE_CORRUPT)
		s->retry = loop_timer_in(s->loop, RETRY_MS, try_again, s);
}

static void open_free(struct job *j)
{
	loaded_done(&((struct open_job *)j)->loaded);
}

static const struct job_ops open_ops = { open_run, open_done, open_free };

static void try_again(void *arg)
{
	struct store *s = arg;

	s->retry = 0;
	s->opening = true;
	store_post(s, &s->writes, job_new(&open_ops, sizeof(struct open_job), NULL));
}

static void take_options(struct store *s, const struct store_options *o)
{
	s->path = xstrdup(o->path);
	s->vfs = o->vfs ? xstrdup(o->vfs) : NULL;
	s->options = *o;
	s->options.path = s->path;
	s->options.vfs = s->vfs;
	if (!o->revisions_max)
		s->options.revisions_max = 50;
	if (!o->operations_max)
		s->options.operations_max = 100000;
	if (!o->operations_ms)
		s->options.operations_ms = 400 * 24 * 3600 * INT64_C(1000);
	if (!o->objects_max)
		s->options.objects_max = 500000;
}

static void free_store(struct store *s)
{
	memory_done(&s->memory);
	free(s->watchers);
	free(s->path);
	free(s->vfs);
	free(s);
}

int store_open(struct loop *l, const struct store_options *o, struct store **out)
{
	struct store *s = xcalloc(1, sizeof(*s));
	int r;

	s->loop = l;
	s->writer.lock_fd = -1;
	s->read_mode = -1;
	s->held_end = &s->held;
	memory_init(&s->memory);
	take_options(s, o);
	r = worker_start(s);
	if (r < 0) {
		free_store(s);
		return r;
	}
	try_again(s);
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	loop_cancel(s->loop, s->retry);
	*s->held_end = NULL;
	while (s->held) {
		struct job *next = s->held->next;

		job_free(s->held);
		s->held = next;
	}
	worker_stop(s);
	free_store(s);
}

/* --- reading, writing ---------------------------------------------------------------- */

const struct store_object *store_get(const struct store *s, const struct store_key *key)
{
	return memory_get(&s->memory, key);
}

void store_each(const struct store *s, enum store_kind kind, const char *ns, store_each_fn *fn,
		void *arg)
{
	const struct store_object *o;
	size_t pos = 0;

	while ((o = map_next(&s->memory.objects, &pos))) {
		if ((!kind || o->key.kind == kind) && (!ns || strcmp(o->key.ns, ns) == 0))
			fn(arg, o);
	}
}

void store_each_part(const struct store *s, enum store_kind kind, const char *ns, const char *owner,
		     store_each_fn *fn, void *arg)
{
	memory_each_part(&s->memory, &(struct store_key){ kind, ns, owner }, fn, arg);
}

int store_free_port(struct store *s, const struct addr *vip, uint8_t protocol,
		    const struct port_range *ports, size_t port_count,
		    const struct port_range *reserved, size_t reserved_count, uint16_t *out)
{
	return memory_free_port(&s->memory, vip, protocol, ports, port_count, reserved,
				reserved_count, out);
}

const struct store_object *store_claimed_by(const struct store *s, const struct endpoint *at)
{
	return memory_claimed_by(&s->memory, at);
}

void store_pool_used_by(const struct store *s, const char *pool, store_claim_fn *fn, void *arg)
{
	memory_each_claim(&s->memory, pool, fn, arg);
}
