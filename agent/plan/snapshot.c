/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reference counts of snapshots and their blocks, and the slot that hands the
 * newest one from core to its readers.
 *
 * The counts are those of shared_ptr: taking one is relaxed, for whoever takes
 * it holds one already; giving one back releases, and the last one acquires,
 * so that all uses happen before the memory is freed.
 */
#include "agent/plan/snapshot.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"

static void take(atomic_uint *refs)
{
	unsigned before = atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);

	assert(before > 0);
	(void)before;
}

/* True for the last one. */
static bool give(atomic_uint *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

struct pool_view *pool_view_new(struct pool *pool, size_t member_count)
{
	struct pool_view *v;

	assert(member_count <= (SIZE_MAX - sizeof(*v)) / sizeof(v->members[0]));
	v = xcalloc(1, sizeof(*v) + member_count * sizeof(v->members[0]));
	atomic_init(&v->refs, 1);
	v->pool = pool;
	v->member_count = member_count;
	return v;
}

struct pool_view *pool_view_ref(struct pool_view *v)
{
	take(&v->refs);
	return v;
}

void pool_view_unref(struct pool_view *v)
{
	if (!v || !give(&v->refs))
		return;
	pool_unref(v->pool);
	free(v->kernel_problem);
	free(v->fault);
	free(v);
}

size_t pool_view_problems(const struct pool_view *v)
{
	return v->pool->problems.count + (v->fault ? 1 : 0) + (v->kernel_problem ? 1 : 0);
}

struct target_list *target_list_new(size_t count)
{
	struct target_list *t = xcalloc(1, sizeof(*t) + count * sizeof(t->items[0]));

	atomic_init(&t->refs, 1);
	t->count = count;
	return t;
}

struct target_list *target_list_ref(struct target_list *t)
{
	take(&t->refs);
	return t;
}

void target_list_unref(struct target_list *t)
{
	if (!t || !give(&t->refs))
		return;
	for (size_t i = 0; i < t->count; i++)
		check_unref(t->items[i].mysql);
	free(t);
}

struct pool_piece *pool_piece_new(void)
{
	struct pool_piece *p = xcalloc(1, sizeof(*p));

	atomic_init(&p->refs, 1);
	return p;
}

void pool_piece_unref(struct pool_piece *p)
{
	if (!give(&p->refs))
		return;
	for (size_t i = 0; i < p->count; i++)
		pool_view_unref(p->items[i]);
	free(p);
}

bool pool_piece_is_shared(const struct pool_piece *p)
{
	return atomic_load_explicit(&p->refs, memory_order_acquire) > 1;
}

void pool_piece_insert(struct pool_piece *p, size_t at, struct pool_view *v)
{
	assert(p->count < POOL_PIECE_MAX && at <= p->count);
	memmove(p->items + at + 1, p->items + at, (p->count - at) * sizeof(struct pool_view *));
	p->items[at] = v;
	p->count++;
	p->members += v->member_count;
	p->problems += pool_view_problems(v);
}

void pool_piece_remove(struct pool_piece *p, size_t at)
{
	struct pool_view *v = p->items[at];

	assert(at < p->count);
	p->count--;
	memmove(p->items + at, p->items + at + 1, (p->count - at) * sizeof(struct pool_view *));
	p->members -= v->member_count;
	p->problems -= pool_view_problems(v);
	pool_view_unref(v);
}

struct pool_list *pool_list_new(struct pool_piece *const *pieces, size_t count)
{
	struct pool_list *l;
	size_t pools = 0;

	for (size_t i = 0; i < count; i++)
		pools += pieces[i]->count;
	l = xmalloc(sizeof(*l) + pools * sizeof(l->items[0]) + count * sizeof(l->pieces[0]));
	*l = (struct pool_list){ .piece_count = count,
				 .pieces = (struct pool_piece **)(l->items + pools) };
	atomic_init(&l->refs, 1);
	for (size_t i = 0; i < count; i++) {
		struct pool_piece *p = pieces[i];

		take(&p->refs);
		l->pieces[i] = p;
		memcpy(l->items + l->count, p->items, p->count * sizeof(l->items[0]));
		l->count += p->count;
		l->members += p->members;
		l->problems += p->problems;
	}
	return l;
}

struct pool_list *pool_list_ref(struct pool_list *l)
{
	take(&l->refs);
	return l;
}

void pool_list_unref(struct pool_list *l)
{
	if (!l || !give(&l->refs))
		return;
	for (size_t i = 0; i < l->piece_count; i++)
		pool_piece_unref(l->pieces[i]);
	free(l);
}

void snapshot_set_pools(struct snapshot *s, struct pool_list *l)
{
	s->pool_list = l;
	s->pools = l->items;
	s->pool_count = l->count;
	s->member_count = l->members;
}

struct snapshot *snapshot_new(void)
{
	struct snapshot *s = xcalloc(1, sizeof(*s));

	atomic_init(&s->refs, 1);
	return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
	take(&s->refs);
	return s;
}

void snapshot_unref(struct snapshot *s)
{
	if (!s || !give(&s->refs))
		return;
	pool_list_unref(s->pool_list);
	for (size_t i = 0; i < s->source_count; i++) {
		free(s->sources[i].where);
		free(s->sources[i].why);
		free(s->sources[i].revision);
	}
	for (size_t i = 0; i < s->problem_count; i++) {
		free(s->problems[i].where);
		free(s->problems[i].text);
	}
	free(s->sources);
	free(s->problems);
	target_list_unref(s->targets);
	pool_rules_unref(s->rules);
	free(s->node);
	free(s);
}

struct snapshot_slot {
	pthread_mutex_t lock;
	struct snapshot *newest;
	uint64_t sequence;
};

struct snapshot_slot *snapshot_slot_new(void)
{
	struct snapshot_slot *slot = xcalloc(1, sizeof(*slot));

	pthread_mutex_init(&slot->lock, NULL); /* cannot fail with default attributes */
	return slot;
}

void snapshot_slot_free(struct snapshot_slot *slot)
{
	if (!slot)
		return;
	snapshot_unref(slot->newest);
	pthread_mutex_destroy(&slot->lock);
	free(slot);
}

void snapshot_slot_put(struct snapshot_slot *slot, struct snapshot *s)
{
	struct snapshot *old;

	s->problem_total = s->problem_count + (s->pool_list ? s->pool_list->problems : 0);

	pthread_mutex_lock(&slot->lock);
	s->sequence = ++slot->sequence;
	old = slot->newest;
	slot->newest = s;
	pthread_mutex_unlock(&slot->lock);
	snapshot_unref(old); /* outside: the last reference frees much */
}

struct snapshot *snapshot_slot_get(struct snapshot_slot *slot)
{
	struct snapshot *s;

	pthread_mutex_lock(&slot->lock);
	s = slot->newest ? snapshot_ref(slot->newest) : NULL;
	pthread_mutex_unlock(&slot->lock);
	return s;
}
