/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The past of a pool in a cluster: what it was before each change, one
 * ControllerRevision a state, beside its Service, which owns it and takes it
 * along when it goes.
 *
 * A state is the pool's Service with its Endpoints and EndpointSlices, but for
 * those that controllers make; its revision is the newest of them. Told as the
 * store tells its past: each document of a state is a row of that revision.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_cluster.h"
#include "agent/api/schema.h"

#define NAME_PREFIX "parasaus-"

/* --- reading ----------------------------------------------------------------------------------- */

static const struct cluster_text *text_of(const struct cluster_state *s,
					  const struct store_key *key)
{
	for (size_t i = 0; s && i < s->count; i++)
		if (store_key_same(&s->texts[i].key, key))
			return &s->texts[i];
	return NULL;
}

static enum store_kind kind_of(const char *text)
{
	for (enum store_kind k = STORE_SERVICE; text && k <= STORE_SLICE; k++)
		if (strcmp(store_kind_text(k), text) == 0)
			return k;
	return (enum store_kind)0;
}

/* One document of a state; false: it is none of the pool's kinds. */
static bool read_text(struct cluster *c, const struct doc *d, struct cluster_text *out)
{
	const char *name = doc_string(doc_get(doc_get(d, "metadata"), "name"));
	const enum store_kind k = kind_of(doc_string(doc_get(d, "kind")));
	CLEANUP(buf_done) struct buf text = { 0 };

	if (!k || !name)
		return false;
	edit_tree_print(cluster_bare(c->e, d, k), &text);
	*out = (struct cluster_text){ .key = { k, c->ns, name },
				      .text = arena_strndup(&c->e->arena, buf_cstr(&text),
							    text.len),
				      .len = text.len };
	return true;
}

static const char *keep(struct cluster *c, const char *text)
{
	return *text ? arena_strdup(&c->e->arena, text) : NULL;
}

/* False: it is none of ours, or says nothing that could be gone back to. */
static bool read_state(struct cluster *c, const struct doc *d, struct cluster_state *out)
{
	const struct doc *metadata = doc_get(d, "metadata");
	const struct doc *list = doc_get(doc_get(d, "data"), "documents");
	const char *name = doc_string(doc_get(metadata, "name"));
	struct author author;
	int64_t revision;

	if (!name || strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)) != 0 || !list ||
	    list->type != DOC_LIST || list->count > CLUSTER_DOCUMENTS_MAX ||
	    !doc_integer(doc_get(d, "revision"), 1, INT64_MAX, &revision))
		return false;
	/* Its annotations are those of who made the state: no other program writes them. */
	author_of_annotations(doc_get(metadata, "annotations"), &author);
	*out = (struct cluster_state){ .kept = name,
				       .revision = (uint64_t)revision,
				       .at_ms = author.at_ms,
				       .user = keep(c, author.user),
				       .action = keep(c, author.action),
				       .reason = keep(c, author.reason) };
	out->texts = arena_take(&c->e->arena, (list->count + 1) * sizeof(*out->texts));
	for (const struct doc *i = list->first; i; i = i->next)
		out->count += read_text(c, i, &out->texts[out->count]);
	return out->count > 0;
}

/* What there is now. */
static bool take_present(struct cluster *c, struct cluster_state *out)
{
	const struct store_object *newest = NULL;

	*out = (struct cluster_state){ .texts = arena_take(&c->e->arena,
							   (c->count + 1) * sizeof(*out->texts)) };
	for (size_t i = 0; i < c->count; i++) {
		const struct cluster_document *d = &c->documents[i];

		if (cluster_is_managed(d))
			continue;
		out->texts[out->count++] = (struct cluster_text){ d->object.key, d->object.text,
								  d->object.len };
		if (!newest || d->object.revision > newest->revision) {
			newest = &d->object;
			out->reason = d->reason;
		}
	}
	if (!newest)
		return false;
	out->revision = newest->revision;
	out->at_ms = newest->changed_ms;
	out->user = newest->user;
	out->action = newest->action;
	return true;
}

static int newest_first(const void *a, const void *b)
{
	const struct cluster_state *x = a, *y = b;

	return (x->revision < y->revision) - (x->revision > y->revision);
}

void cluster_read_states(struct cluster *c)
{
	const struct doc *items = doc_get(c->history, "items");
	const bool listed = items && items->type == DOC_LIST;
	bool present;

	c->states = arena_take(&c->e->arena, (CLUSTER_LISTED_MAX + 1) * sizeof(*c->states));
	present = take_present(c, &c->states[0]);
	c->state_count = present;
	for (const struct doc *i = listed ? items->first : NULL;
	     i && c->state_count <= CLUSTER_LISTED_MAX; i = i->next)
		c->state_count += read_state(c, i, &c->states[c->state_count]);
	if (c->state_count > 1u + present)
		qsort(c->states + present, c->state_count - present, sizeof(*c->states),
		      newest_first);
}

/* --- told ---------------------------------------------------------------------------------------- */

/* The one there is may have been kept already, by a change that then was not made. */
static bool is_told(const struct cluster *c, size_t i)
{
	return i == 0 || c->states[i].revision != c->states[i - 1].revision;
}

static const struct cluster_state *older(const struct cluster *c, size_t i)
{
	while (++i < c->state_count)
		if (is_told(c, i))
			return &c->states[i];
	return NULL;
}

static bool fill_row(const struct cluster *c, size_t i, const struct store_revisions_query *q,
		     struct store_revision *out)
{
	const struct cluster_state *s = &c->states[i];
	const struct cluster_text *t = text_of(s, &q->key);

	if (!is_told(c, i) || (q->until && s->revision > q->until) ||
	    (!t && !text_of(older(c, i), &q->key)))
		return false;
	*out = (struct store_revision){ .key = q->key,
					.revision = s->revision,
					.at_ms = s->at_ms,
					.user = s->user ? s->user : "",
					.action = s->action ? s->action : "",
					.reason = s->reason ? s->reason : "",
					.request = s->kept ? s->kept : "now",
					.removed = !t,
					.text = t && q->texts ? t->text : NULL,
					.len = t && q->texts ? t->len : 0 };
	return true;
}

void cluster_revisions(struct edit *e, const struct store_revisions_query *q,
		       store_revisions_fn *fn)
{
	const struct cluster *c = e->cluster;
	struct store_revision *rows = arena_take(&e->arena, (c->state_count + 1) * sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; i < c->state_count && count < q->limit; i++)
		count += fill_row(c, i, q, &rows[count]);
	fn(e, STORE_OK, rows, count);
}

/* --- operations ------------------------------------------------------------------------------------ */

static bool matches(const char *wanted, const char *text)
{
	return !wanted || strcmp(wanted, text) == 0;
}

static bool is_asked_for(const struct store_operations_query *q, const struct store_operation *o)
{
	return matches(q->user, o->who.user) && matches(q->action, o->who.action) &&
	       matches(q->source, o->who.source) && matches(q->request, o->who.request) &&
	       (!q->kind || q->kind == o->key.kind) && (!q->result || *q->result == STORE_OK) &&
	       (!q->since_ms || o->at_ms >= q->since_ms) &&
	       (!q->until_ms || o->at_ms <= q->until_ms) && (!q->before || o->id < q->before);
}

/* What led to a state from the one before it. */
static struct store_operation operation_of(const struct cluster *c, size_t i)
{
	const struct cluster_state *s = &c->states[i], *before = older(c, i);

	return (struct store_operation){
		.id = s->revision,
		.at_ms = s->at_ms,
		.who = { .user = s->user ? s->user : "",
			 .source = "kubernetes",
			 .peer = "",
			 .request = "",
			 .action = s->action ? s->action : "",
			 .reason = s->reason ? s->reason : "" },
		.key = { STORE_SERVICE, c->ns, c->name },
		.before = before ? before->revision : 0,
		.changed = true,
		.result = STORE_OK,
		.detail = "",
	};
}

/* Slices that are gone: for the past of those that there are now is asked anyway. */
static size_t list_slices(const struct cluster *c, struct store_operation *out, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < c->state_count; i++)
		for (size_t k = 0; k < c->states[i].count && count < room; k++)
			if (c->states[i].texts[k].key.kind == STORE_SLICE)
				out[count++].key = c->states[i].texts[k].key;
	return count;
}

void cluster_operations(struct edit *e, const struct store_operations_query *q,
			store_operations_fn *fn)
{
	const struct cluster *c = e->cluster;
	struct store_operation *items =
		arena_take(&e->arena, (STORE_ROWS_MAX + CLUSTER_LISTED_MAX) * sizeof(*items));
	struct store_operations out = { .items = items };
	size_t skip = q->offset;

	if (!q->key_count && q->kind == STORE_SLICE) {
		out.count = out.total = list_slices(c, items, STORE_ROWS_MAX);
		fn(e, STORE_OK, &out);
		return;
	}
	for (size_t i = 0; i < c->state_count; i++) {
		struct store_operation o = operation_of(c, i);

		if (!is_told(c, i) || !is_asked_for(q, &o))
			continue;
		out.total++;
		if (skip)
			skip--;
		else if (out.count < q->limit)
			items[out.count++] = o;
	}
	fn(e, STORE_OK, &out);
}

/* --- keeping ---------------------------------------------------------------------------------------- */

static void put_note(struct json_writer *j, const char *key, const char *text)
{
	if (text)
		json_put_text(j, key, text);
}

static void put_metadata(struct cluster *c, const struct cluster_state *s, const char *uid,
			 struct json_writer *j)
{
	char name[160], at[AUTHOR_TIME_MAX];

	snprintf(name, sizeof(name), NAME_PREFIX "%.63s-%llu", c->name,
		 (unsigned long long)s->revision);
	json_put_object(j, "metadata");
	json_put_text(j, "name", name);
	json_put_object(j, "labels");
	json_put_text(j, CLUSTER_LABEL, c->name);
	json_end_object(j);
	json_put_object(j, "annotations");
	put_note(j, AUTHOR_USER, s->user);
	put_note(j, AUTHOR_ACTION, s->action);
	put_note(j, AUTHOR_TIME, s->at_ms > 0 ? author_time_text(s->at_ms, at) : NULL);
	put_note(j, AUTHOR_REASON, s->reason);
	json_end_object(j);
	json_put_array(j, "ownerReferences");
	json_put_object(j, NULL);
	json_put_text(j, "apiVersion", "v1");
	json_put_text(j, "kind", "Service");
	json_put_text(j, "name", c->name);
	json_put_text(j, "uid", uid);
	json_end_object(j);
	json_end_array(j);
	json_end_object(j);
}

static void put_documents(const struct cluster_state *s, struct json_writer *j)
{
	json_put_object(j, "data");
	json_put_array(j, "documents");
	for (size_t i = 0; i < s->count; i++) {
		CLEANUP(buf_done) struct buf text = { 0 };

		buf_put(&text, s->texts[i].text, s->texts[i].len);
		json_put_raw(j, NULL, &text);
	}
	json_end_array(j);
	json_end_object(j);
}

/* Has it been kept, by a change that then was not made? */
static bool is_kept(const struct cluster *c)
{
	return c->state_count > 1 && c->states[1].revision == c->states[0].revision;
}

const char *cluster_state_document(struct cluster *c)
{
	const struct store_key key = { STORE_SERVICE, c->ns, c->name };
	const struct cluster_document *service = cluster_find(c, &key);
	CLEANUP(buf_done) struct buf b = { 0 };
	struct json_writer j = { .out = &b };

	if (!service || !c->state_count || c->states[0].kept || is_kept(c))
		return NULL;
	json_put_object(&j, NULL);
	json_put_text(&j, "apiVersion", "apps/v1");
	json_put_text(&j, "kind", "ControllerRevision");
	put_metadata(c, &c->states[0], service->uid, &j);
	json_put_uint(&j, "revision", c->states[0].revision);
	put_documents(&c->states[0], &j);
	json_end_object(&j);
	return arena_strdup(&c->e->arena, buf_cstr(&b));
}
