/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The past of a pool: that of all its documents together, also when it is gone.
 *
 * What one request wrote is one step, whose revision is its last: in between
 * there never was a pool. Of EndpointSlices that are gone those are found whose
 * name begins with the Service's, as names of slices do.
 *
 * The store answers one question after the other; `then` is called once the
 * last is answered.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_pool_body.h"
#include "agent/api/schema.h"

#define GONE_MAX	64 /* slices that are gone and are looked at */
#define REVISIONS_ASKED 50 /* of a Service that is gone, for its ports */

struct past_key {
	struct store_key key;
	bool gone;	   /* a slice that is: is it the pool's? */
	bool is_its_own;   /* it was the pool's once */
	struct tree *then; /* as of a revision; NULL: it was not there */
	bool known;	   /* there is a revision that says how it was */
};

/* A revision of one of the documents. */
struct past_row {
	struct store_revision r; /* its strings in the edit's arena */
};

struct past {
	struct edit *e;
	struct pool_documents d;
	struct past_key *keys; /* the Service first, then the Endpoints */
	size_t count, next;
	struct past_row *rows;
	size_t row_count, row_room;
	size_t limit;	/* of rows of each */
	uint64_t until; /* of rows: none newer; 0: no bound */
	uint64_t step;	/* a revision: that of its step's end */
	void (*then)(struct past *p);
};

static void trouble(struct past *p)
{
	edit_refuse(p->e, PROBLEM_STORE_TROUBLE, NULL);
}

static void refuse_unknown(struct past *p)
{
	struct err err;

	err_set(&err, -ENOENT, "no pool has, or is known to have had, the id '%.260s'", p->d.id);
	edit_refuse(p->e, PROBLEM_NO_POOL, err.text);
}

/* --- which documents ---------------------------------------------------------------------------- */

static struct past_key *add_key(struct past *p, enum store_kind kind, const char *name)
{
	struct past_key *k = &p->keys[p->count++];

	*k = (struct past_key){ .key = { kind, p->d.ns,
					 arena_strndup(&p->e->arena, name, strlen(name)) },
				.is_its_own = true };
	return k;
}

static bool has_key(const struct past *p, enum store_kind kind, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->keys[i].key.kind == kind && strcmp(p->keys[i].key.name, name) == 0)
			return true;
	return false;
}

static void ask_next_slice(struct past *p);

/* Its newest text says whose it was. */
static void on_slice(void *arg, enum store_result r, const struct store_revision *items,
		     size_t count)
{
	struct past *p = arg;
	struct past_key *k = &p->keys[p->next];

	if (r != STORE_OK) {
		trouble(p);
		return;
	}
	for (size_t i = 0; i < count && !k->is_its_own; i++) {
		const struct tree *t =
			items[i].text ? edit_tree_of_text(p->e, items[i].text, items[i].len) : NULL;
		const char *service = t ? pool_slice_service(t) : NULL;

		k->is_its_own = service && strcmp(service, p->d.name) == 0;
	}
	p->next++;
	ask_next_slice(p);
}

static void drop_strangers(struct past *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->keys[i].is_its_own)
			p->keys[kept++] = p->keys[i];
	p->count = kept;
}

/* The store forgets callbacks by their edit, so that is their argument. */
static struct past *past_of(struct edit *e)
{
	return e->wish;
}

static void on_slice_of(void *arg, enum store_result r, const struct store_revision *items,
			size_t count)
{
	on_slice(past_of(arg), r, items, count);
}

static void ask_next_slice(struct past *p)
{
	while (p->next < p->count && !p->keys[p->next].gone)
		p->next++;
	if (p->next < p->count) {
		const struct store_revisions_query q = { .key = p->keys[p->next].key,
							 .limit = 2,
							 .texts = true };

		store_revisions(p->e->store, &q, on_slice_of, p->e);
		return;
	}
	drop_strangers(p);
	p->then(p);
}

static bool begins_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void on_slice_operations(void *arg, enum store_result r, const struct store_operations *o)
{
	struct past *p = past_of(arg);
	size_t gone = 0;

	if (r != STORE_OK) {
		trouble(p);
		return;
	}
	for (size_t i = 0; i < o->count && gone < GONE_MAX; i++) {
		const struct store_key *key = &o->items[i].key;
		struct past_key *k;

		if (!begins_with(key->name, p->d.name) || has_key(p, STORE_SLICE, key->name))
			continue;
		k = add_key(p, STORE_SLICE, key->name);
		k->gone = true;
		k->is_its_own = false;
		gone++;
	}
	ask_next_slice(p);
}

/* The pool as it is now, as far as it is there, and whose past is asked for. */
static void find_keys(struct past *p)
{
	const struct store_operations_query q = { .kind = STORE_SLICE,
						  .ns = p->d.ns,
						  .limit = STORE_ROWS_MAX };

	p->keys = arena_take(&p->e->arena, (p->d.slice_count + GONE_MAX + 2) * sizeof(*p->keys));
	add_key(p, STORE_SERVICE, p->d.name);
	add_key(p, STORE_ENDPOINTS, p->d.name);
	for (size_t i = 0; i < p->d.slice_count; i++)
		add_key(p, STORE_SLICE, p->d.slices[i].key.name);
	store_operations(p->e->store, &q, on_slice_operations, p->e);
}

static struct past *past_new(struct edit *e, const char *id, void (*then)(struct past *p))
{
	struct past *p = arena_take(&e->arena, sizeof(*p));

	p->e = e;
	p->then = then;
	p->d = (struct pool_documents){ .e = e, .id = id };
	e->wish = p;
	return p;
}

/* --- their revisions ------------------------------------------------------------------------------ */

static const char *keep(struct past *p, const char *text)
{
	return arena_strndup(&p->e->arena, text ? text : "", text ? strlen(text) : 0);
}

static void add_row(struct past *p, const struct store_revision *r)
{
	struct past_row *rows = p->rows;

	if (p->row_count == p->row_room) {
		p->row_room = p->row_room ? p->row_room * 2 : 64;
		p->rows = arena_take(&p->e->arena, p->row_room * sizeof(*p->rows));
		if (rows)
			memcpy(p->rows, rows, p->row_count * sizeof(*p->rows));
	}
	rows = &p->rows[p->row_count++];
	rows->r = *r;
	rows->r.key = p->keys[p->next].key;
	rows->r.user = keep(p, r->user);
	rows->r.action = keep(p, r->action);
	rows->r.reason = keep(p, r->reason);
	rows->r.request = keep(p, r->request);
	rows->r.text = NULL;
}

static int newest_first(const void *a, const void *b)
{
	const struct past_row *x = a, *y = b;

	return (x->r.revision < y->r.revision) - (x->r.revision > y->r.revision);
}

static void ask_next_rows(struct past *p);

static void on_rows(void *arg, enum store_result r, const struct store_revision *items,
		    size_t count)
{
	struct past *p = past_of(arg);

	if (r != STORE_OK) {
		trouble(p);
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_row(p, &items[i]);
	p->next++;
	ask_next_rows(p);
}

static void ask_next_rows(struct past *p)
{
	if (p->next < p->count) {
		const struct store_revisions_query q = { .key = p->keys[p->next].key,
							 .limit = p->limit,
							 .until = p->until };

		store_revisions(p->e->store, &q, on_rows, p->e);
		return;
	}
	if (p->row_count > 1)
		qsort(p->rows, p->row_count, sizeof(*p->rows), newest_first);
	p->then(p);
}

static void ask_rows(struct past *p, size_t limit, uint64_t until, void (*then)(struct past *p))
{
	p->limit = limit;
	p->until = until;
	p->next = 0;
	p->then = then;
	ask_next_rows(p);
}

/* Written by one request, of which the store makes one transaction. */
static bool is_one_step(const struct store_revision *a, const struct store_revision *b)
{
	return a->at_ms == b->at_ms && *a->request && strcmp(a->request, b->request) == 0 &&
	       !store_key_same(&a->key, &b->key);
}

/* Behind the last row of the step that begins there. */
static size_t step_end(const struct past *p, size_t from)
{
	size_t end = from + 1;

	for (; end < p->row_count; end++)
		for (size_t i = from; i < end; i++)
			if (!is_one_step(&p->rows[i].r, &p->rows[end].r))
				return end;
	return end;
}

/* --- the list ---------------------------------------------------------------------------------------- */

static void put_document(struct json_writer *j, const struct store_revision *r)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_KIND, store_kind_text(r->key.kind));
	json_put_text(j, REST_NAME, r->key.name);
	json_put_uint(j, REST_REVISION, r->revision);
	json_put_bool(j, REST_REMOVED, r->removed);
	json_end_object(j);
}

static void put_step(struct json_writer *j, const struct past_row *rows, size_t count)
{
	const struct store_revision *r = &rows[0].r;
	bool removed = false;

	for (size_t i = 0; i < count; i++)
		removed |= rows[i].r.key.kind == STORE_SERVICE && rows[i].r.removed;
	json_put_object(j, NULL);
	json_put_uint(j, REST_REVISION, r->revision);
	json_put_time(j, REST_AT, r->at_ms);
	json_put_text(j, REST_USER, r->user);
	json_put_text(j, REST_ACTION, r->action);
	json_put_text(j, REST_REASON, r->reason);
	json_put_bool(j, REST_REMOVED, removed);
	json_put_array(j, REST_DOCUMENTS);
	for (size_t i = 0; i < count; i++)
		put_document(j, &rows[i].r);
	json_end_array(j);
	json_end_object(j);
}

static void answer_steps(struct past *p)
{
	struct edit *e = p->e;
	struct json_writer j = { .out = &e->reply.body };
	size_t end, left = e->params.past.limit;

	if (!p->row_count) {
		refuse_unknown(p);
		return;
	}
	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	for (size_t i = 0; i < p->row_count && left; i = end, left--) {
		end = step_end(p, i);
		put_step(&j, p->rows + i, end - i);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

static void list_rows(struct past *p)
{
	ask_rows(p, p->e->params.past.limit, 0, answer_steps);
}

/* --- an id that no pool has now ------------------------------------------------------------------------ */

/* One that never was is told from one that is gone by the ports that the Service once had. */
static void on_old_services(void *arg, enum store_result r, const struct store_revision *items,
			    size_t count)
{
	struct past *p = past_of(arg);
	struct pool_documents old = { .e = p->e, .id = p->d.id, .ns = p->d.ns, .name = p->d.name };
	bool found = false;

	if (r != STORE_OK) {
		trouble(p);
		return;
	}
	for (size_t i = 0; i < count && !found; i++) {
		old.service.tree = items[i].text
					   ? edit_tree_of_text(p->e, items[i].text, items[i].len)
					   : NULL;
		found = old.service.tree && pool_find_port(&old);
	}
	if (found)
		find_keys(p);
	else
		refuse_unknown(p);
}

static void begin(struct past *p)
{
	struct edit *e = p->e;
	const struct store_revisions_query q = { .key = { STORE_SERVICE, p->d.ns, p->d.name },
						 .limit = REVISIONS_ASKED,
						 .texts = true };

	if (p->d.node)
		find_keys(p);
	else
		store_revisions(e->store, &q, on_old_services, e);
}

/* What of the pool is there now: perhaps all but its port, perhaps nothing. False: refused. */
static bool look(struct past *p)
{
	if (!pool_id_split(p->e, p->d.id, &p->d.ns, &p->d.name)) {
		refuse_unknown(p);
		return false;
	}
	pool_documents_look(&p->d);
	if (!p->e->errors.count)
		return true;
	edit_write(p->e, ""); /* says what is wrong */
	return false;
}

void edit_pool_revisions(struct edit *e)
{
	struct past *p = past_new(e, e->target.name, list_rows);

	if (look(p))
		begin(p);
}

/* --- operations ------------------------------------------------------------------------------------------ */

static void ask_operations(struct past *p)
{
	struct store_operations_query q = p->e->params.past;
	struct store_key *keys = arena_take(&p->e->arena, p->count * sizeof(*keys));

	for (size_t i = 0; i < p->count; i++)
		keys[i] = p->keys[i].key;
	q.ns = p->d.ns;
	q.keys = keys;
	q.key_count = p->count;
	edit_ask_operations(p->e, &q);
}

void edit_pool_operations(struct edit *e)
{
	struct past *p = past_new(e, e->params.pool, ask_operations);

	if (!pool_id_split(e, p->d.id, &p->d.ns, &p->d.name)) {
		edit_refuse(e, PROBLEM_BAD_PARAMETER, "parameter 'pool': no id of a pool");
		return;
	}
	if (e->params.past.ns || e->params.past.name) {
		edit_refuse(e, PROBLEM_BAD_PARAMETER,
			    "parameter 'pool' says namespace and name already");
		return;
	}
	if (look(p))
		find_keys(p);
}

/* --- rollback ---------------------------------------------------------------------------------------------- */

static void refuse_revision(struct past *p, const char *detail)
{
	edit_refuse(p->e, PROBLEM_NO_REVISION, detail);
}

/* How a document is to become what it was. False: refused. */
static bool go_back(struct past *p, const struct past_key *k, struct pool_document *out)
{
	const struct store_object *now = store_get(p->e->store, &k->key);
	struct err err;

	*out = (struct pool_document){ .object = now, .key = k->key, .tree = k->then };
	if (now && (!p->d.newest || now->revision > p->d.newest->revision))
		p->d.newest = now;
	if (!k->known && now && now->created_revision <= p->step) {
		err_set(&err, -ENOENT, "what %s %.100s was then is not kept any more",
			store_kind_text(k->key.kind), k->key.name);
		refuse_revision(p, err.text);
		return false;
	}
	out->changed = true;
	if (k->then || !now)
		return true;
	out->tree = edit_tree_of_text(p->e, now->text, now->len);
	out->removed = true;
	return true;
}

/* The same as it is takes no part in the write but as a guard. */
static void leave_what_is_the_same(struct past *p, struct pool_document *d)
{
	struct tree *now = d->object ? edit_tree_of_text(p->e, d->object->text, d->object->len)
				     : NULL;

	if (d->tree && now && !d->removed)
		d->changed = !edit_tree_same(d->tree, now);
}

static void write_back(struct past *p)
{
	struct pool_documents *d = &p->d;
	bool is_there = d->node != NULL, good = true;
	struct pool_document *one;

	d->newest = NULL;
	d->sliced = false;
	d->slice_count = p->count - 2;
	d->slices = arena_take(&p->e->arena, (d->slice_count + 1) * sizeof(*d->slices));
	good = go_back(p, &p->keys[0], &d->service) && go_back(p, &p->keys[1], &d->endpoints);
	for (size_t i = 0; i < d->slice_count && good; i++)
		good = go_back(p, &p->keys[i + 2], &d->slices[i]);
	if (!good)
		return;
	if (!p->keys[0].then || !pool_find_port(d)) {
		refuse_revision(p, "at that revision there was no such pool");
		return;
	}
	for (size_t i = 0; (one = pool_document_at(d, i)); i++) {
		one->in_force = one->tree && !one->removed;
		leave_what_is_the_same(p, one);
	}
	if (!is_there)
		p->e->location = pool_path(p->e, d->id, NULL);
	pool_write(d, "rollback");
}

static void ask_next_text(struct past *p);

static void on_text(void *arg, enum store_result r, const struct store_revision *items,
		    size_t count)
{
	struct past *p = past_of(arg);
	struct past_key *k = &p->keys[p->next];
	const char *service;

	if (r != STORE_OK) {
		trouble(p);
		return;
	}
	k->known = count > 0;
	if (count && items[0].text)
		k->then = edit_tree_of_text(p->e, items[0].text, items[0].len);
	service = k->then && k->key.kind == STORE_SLICE ? pool_slice_service(k->then) : NULL;
	if (k->then && k->key.kind == STORE_SLICE && (!service || strcmp(service, p->d.name) != 0))
		k->then = NULL; /* it was another Service's then */
	p->next++;
	ask_next_text(p);
}

static void ask_next_text(struct past *p)
{
	if (p->next < p->count) {
		const struct store_revisions_query q = {
			.key = p->keys[p->next].key, .until = p->step, .limit = 1, .texts = true
		};

		store_revisions(p->e->store, &q, on_text, p->e);
		return;
	}
	write_back(p);
}

/* The revision that is meant is one of the documents'; its step's last one is what counts. */
static void find_step(struct past *p)
{
	const uint64_t to = p->step;
	size_t end;

	for (size_t i = 0; i < p->row_count; i = end) {
		end = step_end(p, i);
		for (size_t k = i; k < end; k++)
			if (p->rows[k].r.revision == to) {
				p->step = p->rows[i].r.revision;
				p->next = 0;
				ask_next_text(p);
				return;
			}
	}
	refuse_revision(p, NULL);
}

static void ask_step(struct past *p)
{
	/* What one write makes has revisions one after the other. */
	ask_rows(p, STORE_ROWS_MAX, p->step + STORE_CHANGES_MAX - 1, find_step);
}

void edit_pool_rollback(struct edit *e)
{
	struct past *p = past_new(e, e->target.name, ask_step);
	struct err err = { 0 };

	if (!edit_read_rollback(e, &p->step, &err)) {
		edit_add_error(e, "", err.text);
		edit_write(e, "rollback"); /* says what is wrong */
		return;
	}
	if (!look(p))
		return;
	if (p->d.node && (!e->condition.said || e->condition.expect == STORE_EXPECT_ABSENT)) {
		edit_refuse_unconditional(e, p->d.newest);
		return;
	}
	begin(p);
}
