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

/* --- members ------------------------------------------------------------------- */

/* One block: the marks, of a pool that is checked since when each is so, and those that leave. */
static int64_t *all_since(const struct pool_view *v)
{
	_Static_assert(sizeof(struct member_mark) == sizeof(int64_t) &&
			       offsetof(struct pool_view, members) % sizeof(int64_t) == 0,
		       "what is behind the marks is aligned");

	return (int64_t *)(uintptr_t)(v->members + v->member_count);
}

static struct member_leaving *all_leaving(const struct pool_view *v)
{
	return (struct member_leaving *)(all_since(v) + (v->has_since ? v->member_count : 0));
}

/* The last of those that leave at or before this place; NULL: there is none. */
static const struct member_leaving *leaving_until(const struct pool_view *v, size_t place)
{
	const struct member_leaving *all = all_leaving(v);
	size_t low = 0, high = v->leaving_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (all[mid].place <= place)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &all[low - 1] : NULL;
}

/* `until` is what leaving_until() says of that place. */
static struct pool_member member_at(const struct pool_view *v, size_t place,
				    const struct member_leaving *until)
{
	if (until && until->place == place && until->is_gone)
		return until->member;
	return pool_member(v->pool, place - (until ? until->gone : 0));
}

struct member_view pool_view_member(const struct pool_view *v, size_t i)
{
	const struct member_mark *mark = &v->members[i];
	const struct member_leaving *until = leaving_until(v, i);
	const struct pool_member m = member_at(v, i, until);

	return (struct member_view){
		.since_ms = pool_view_since(v, i),
		.remove_at_ms = until && until->place == i ? until->remove_at_ms : 0,
		.endpoint = m.endpoint,
		.nominal = m.weight,
		.weight = mark->weight,
		.reasons = mark->reasons,
		.state = mark->state,
		.in_table = mark->in_table,
		.checked = mark->checked,
	};
}

const struct endpoint *pool_view_endpoint_among(const struct pool_view *v, size_t i,
						struct endpoint *room)
{
	*room = member_at(v, i, leaving_until(v, i)).endpoint;
	return room;
}

static bool is_next_of_pool(const struct pool *pool, size_t next, const struct endpoint *e)
{
	struct endpoint room;

	return next < pool->member_count &&
	       endpoint_cmp(pool_member_endpoint(pool, next, &room), e) == 0;
}

static size_t count_leaving(const struct pool *pool, const struct member_view *members,
			    size_t count)
{
	size_t n = 0, next = 0;

	for (size_t i = 0; i < count; i++) {
		bool is_gone = !is_next_of_pool(pool, next, &members[i].endpoint);

		next += !is_gone;
		n += is_gone || members[i].remove_at_ms;
	}
	assert(next == pool->member_count);
	return n;
}

static bool any_since(const struct member_view *members, size_t count)
{
	size_t i = 0;

	while (i < count && members[i].since_ms == 0)
		i++;
	return i < count;
}

static struct member_mark mark_of(const struct member_view *m)
{
	return (struct member_mark){
		.weight = (uint16_t)m->weight,
		.reasons = (uint16_t)m->reasons,
		.state = m->state,
		.in_table = m->in_table,
		.checked = m->checked,
	};
}

static void put_members(struct pool_view *v, const struct member_view *members)
{
	struct member_leaving *to = all_leaving(v);
	uint32_t gone = 0;

	for (uint32_t i = 0; i < v->member_count; i++) {
		const struct member_view *m = &members[i];
		bool is_gone = !is_next_of_pool(v->pool, i - gone, &m->endpoint);

		v->members[i] = mark_of(m);
		if (v->has_since)
			all_since(v)[i] = m->since_ms;
		gone += is_gone;
		if (is_gone || m->remove_at_ms)
			*to++ = (struct member_leaving){
				.remove_at_ms = m->remove_at_ms,
				.member = { .endpoint = m->endpoint,
					    .weight = (uint16_t)m->nominal },
				.place = i,
				.gone = gone,
				.is_gone = is_gone,
			};
	}
}

struct pool_view *pool_view_new(struct pool *pool, const struct member_view *members,
				size_t member_count)
{
	size_t leaving = count_leaving(pool, members, member_count);
	bool has_since = any_since(members, member_count);
	struct pool_view *v;

	assert(member_count <= UINT32_MAX);
	v = xcalloc(1, sizeof(*v) + member_count * sizeof(v->members[0]) +
			       leaving * sizeof(struct member_leaving) +
			       has_since * member_count * sizeof(int64_t));
	atomic_init(&v->refs, 1);
	v->pool = pool;
	v->member_count = (uint32_t)member_count;
	v->leaving_count = (uint32_t)leaving;
	v->has_since = has_since;
	put_members(v, members);
	return v;
}

/* --- pools --------------------------------------------------------------------- */

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
	free(v->unchecked);
	free(v->not_by_vip);
	free(v);
}

size_t pool_view_problems(const struct pool_view *v)
{
	return v->pool->problems.count + (v->fault ? 1 : 0) + (v->unchecked ? 1 : 0) +
	       (v->not_by_vip ? 1 : 0) + (v->kernel_problem ? 1 : 0);
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
		check_unref(t->items[i].login);
	free(t);
}

struct target_list *target_list_resize(struct target_list *t, size_t size)
{
	return xreallocarray(t, 1, sizeof(*t) + size * sizeof(t->items[0]));
}

bool target_list_unref_piece(struct target_list **t, size_t max)
{
	struct target_list *l = *t;

	/* Nobody can take another reference to what we alone know. */
	if (!l || atomic_load(&l->refs) > 1 || l->count <= max) {
		*t = NULL;
		target_list_unref(l);
		return false;
	}
	for (size_t end = l->count - max; l->count > end;)
		check_unref(l->items[--l->count].login);
	*t = target_list_resize(l, l->count);
	return true;
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
