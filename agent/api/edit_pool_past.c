/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The past of a pool: told, and gone back to; also when the pool is gone. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "agent/api/edit_pool_body.h"
#include "agent/api/edit_pool_past.h"
#include "agent/api/schema.h"

#define REVISIONS_ASKED 50 /* of a Service that is gone, for its ports */

static void refuse_unknown(struct past *p)
{
	struct err err;

	err_set(&err, -ENOENT, "no pool has, or is known to have had, the id '%.260s'", p->d.id);
	edit_refuse(p->e, PROBLEM_NO_POOL, err.text);
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

static void put_step(struct json_writer *j, const struct store_revision *rows, size_t count)
{
	const struct store_revision *r = &rows[0];
	bool removed = false;

	for (size_t i = 0; i < count; i++)
		removed |= rows[i].key.kind == STORE_SERVICE && rows[i].removed;
	json_put_object(j, NULL);
	json_put_uint(j, REST_REVISION, r->revision);
	json_put_time(j, REST_AT, r->at_ms);
	json_put_text(j, REST_USER, r->user);
	json_put_text(j, REST_ACTION, r->action);
	json_put_text(j, REST_REASON, r->reason);
	json_put_bool(j, REST_REMOVED, removed);
	json_put_array(j, REST_DOCUMENTS);
	for (size_t i = 0; i < count; i++)
		put_document(j, &rows[i]);
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
		end = past_step_end(p, i);
		put_step(&j, p->rows + i, end - i);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_str(&e->reply.body, "\n");
	edit_done(e);
}

static void list_rows(struct past *p)
{
	past_ask_rows(p, p->e->params.past.limit, 0, answer_steps);
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
		past_trouble(p);
		return;
	}
	for (size_t i = 0; i < count && !found; i++) {
		old.service.tree = items[i].text
					   ? edit_tree_of_text(p->e, items[i].text, items[i].len)
					   : NULL;
		found = old.service.tree && pool_find_port(&old);
	}
	if (found)
		past_find_keys(p);
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
		past_find_keys(p);
	else
		e->backend->revisions(e, &q, on_old_services);
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
		past_find_keys(p);
}

/* --- rollback ---------------------------------------------------------------------------------------------- */

static void refuse_revision(struct past *p, const char *detail)
{
	edit_refuse(p->e, PROBLEM_NO_REVISION, detail);
}

/* A slice of that name is another Service's by now. */
static bool is_anothers(struct past *p, const struct store_object *now)
{
	const struct tree *t = now && now->key.kind == STORE_SLICE
				       ? edit_tree_of_text(p->e, now->text, now->len)
				       : NULL;

	return pool_slice_service(t) && !pool_owns_slice(&p->d, t);
}

/* How a document is to become what it was. -ENOENT: nobody knows any more what that is. */
static int go_back(struct past *p, const struct past_key *k, struct pool_document *out,
		   struct err *err)
{
	const struct store_object *now = edit_get(p->e, &k->key);

	*out = (struct pool_document){ .key = k->key };
	if (is_anothers(p, now)) {
		if (k->then)
			problems_add(&p->e->errors, true, 0,
				     "EndpointSlice %s/%s is another Service's by now: remove it "
				     "first",
				     k->key.ns, k->key.name);
		return 0;
	}
	*out = (struct pool_document){ .object = now, .key = k->key, .tree = k->then };
	if (now && (!p->d.newest || now->revision > p->d.newest->revision))
		p->d.newest = now;
	if (!k->known && now && now->created_revision <= p->step)
		return err_set(err, -ENOENT, "what %s %.100s was then is not kept any more",
			       store_kind_text(k->key.kind), k->key.name);
	out->changed = true;
	if (k->then || !now)
		return 0;
	out->tree = tree_new(&p->e->arena, DOC_MAP, NULL); /* it goes, whatever is in it */
	out->removed = true;
	return 0;
}

static int all_go_back(struct past *p, struct err *err)
{
	struct pool_documents *d = &p->d;
	int r;

	if (p->cut)
		return err_set(
			err, -ENOENT,
			"too many EndpointSlices whose names begin with %.100s are gone to know "
			"which were its own",
			d->name);
	d->newest = NULL;
	d->sliced = false;
	d->slice_count = p->count - 2;
	d->slices = arena_take(&p->e->arena, (d->slice_count + 1) * sizeof(*d->slices));
	r = go_back(p, &p->keys[0], &d->service, err);
	if (r == 0)
		r = go_back(p, &p->keys[1], &d->endpoints, err);
	for (size_t i = 0; r == 0 && i < d->slice_count; i++)
		r = go_back(p, &p->keys[i + 2], &d->slices[i], err);
	if (r == 0 && (!p->keys[0].then || !pool_find_port(d)))
		r = err_set(err, -ENOENT, "at that revision there was no such pool");
	return r;
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
	bool is_there = d->node != NULL;
	struct pool_document *one;
	struct err err;

	if (all_go_back(p, &err) < 0) {
		refuse_revision(p, err.text);
		return;
	}
	if (!d->newest && p->e->condition.expect == STORE_EXPECT_REVISION) {
		edit_refuse(p->e, PROBLEM_STALE, "nothing of the pool is there any more");
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

	if (r != STORE_OK) {
		past_trouble(p);
		return;
	}
	k->known = count > 0;
	if (count && items[0].text)
		k->then = edit_tree_of_text(p->e, items[0].text, items[0].len);
	if (k->key.kind == STORE_SLICE && !pool_owns_slice(&p->d, k->then))
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

		p->e->backend->revisions(p->e, &q, on_text);
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
		end = past_step_end(p, i);
		for (size_t k = i; k < end; k++)
			if (p->rows[k].revision == to) {
				p->step = p->rows[i].revision;
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
	past_ask_rows(p, STORE_ROWS_MAX, p->step + STORE_CHANGES_MAX - 1, find_step);
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
	/* Where its port alone is gone, its documents are other pools' as well. */
	if (p->d.newest && (!e->condition.said || e->condition.expect == STORE_EXPECT_ABSENT)) {
		edit_refuse_unconditional(e, p->d.newest);
		return;
	}
	begin(p);
}
