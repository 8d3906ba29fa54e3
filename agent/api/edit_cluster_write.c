/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing to a cluster: who it is, what was before is kept, then one document
 * after the other, each only while it is what was read.
 *
 * The API server has no transactions. Where a change takes two writes both are
 * rehearsed first (dryRun=All: rights, admission and node ports speak), so that
 * what is left to fail half way is an accident; and they are put into an order
 * in which a half is a pool that can be used: a Service that is new, goes or loses
 * a port first, then what is put, then a Service that stays, then what goes.
 */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/edit_cluster.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"

#define NAME_LASTS_MS 60000
#define REVIEW_PATH   "/apis/authentication.k8s.io/v1/selfsubjectreviews"
#define REVIEW	      "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}"
#define WRITTEN_BY    "?fieldManager=" AUTHOR_MANAGER
#define REHEARSED     "&dryRun=All"

struct step {
	size_t document; /* of the edit's */
	unsigned rank;
	const char *method, *verb, *json;
	bool done;
	bool unknown; /* it was asked for, and there was no answer */
};

struct work {
	struct cluster *c;
	store_written_fn *fn;
	const char *action;
	struct store_done *items; /* one a document */
	struct step *steps;
	size_t count, next;
	bool rehearsing;
	const char *user; /* "kube:alice" */
	size_t pruned;
};

static struct work *work_of(const struct cluster_ask *a)
{
	return a->c->work;
}

/* --- the end --------------------------------------------------------------------------------- */

static void tell(struct work *w, enum store_result r, size_t refused, const char *why)
{
	struct edit *e = w->c->e;
	const struct store_object *now = refused < e->count
						 ? edit_get(e, &e->documents[refused].key)
						 : NULL;
	const struct store_outcome o = { .result = r,
					 .refused = refused,
					 .current = now ? now->revision : 0,
					 .why = why,
					 .items = r == STORE_OK ? w->items : NULL,
					 .count = r == STORE_OK ? e->count : 0 };

	w->fn(e, &o);
}

static void warn(struct work *w, const char *text)
{
	problems_add(&w->c->e->warnings, false, 0, "%s", text);
}

/* --- what was refused ---------------------------------------------------------------------------- */

static const char *step_result(const struct step *s)
{
	return s->done ? REST_RESULT_WRITTEN : s->unknown ? REST_UNKNOWN : REST_RESULT_NOT_WRITTEN;
}

static void put_steps(const struct work *w, struct json_writer *j)
{
	json_put_array(j, REST_ITEMS);
	for (size_t i = 0; i < w->count; i++) {
		const struct step *s = &w->steps[i];
		const struct edit_document *d = &w->c->e->documents[s->document];

		json_put_object(j, NULL);
		json_put_text(j, REST_KIND, store_kind_text(d->key.kind));
		json_put_text(j, REST_NAMESPACE, d->key.ns);
		json_put_text(j, REST_NAME, d->key.name);
		json_put_text(j, REST_RESULT, step_result(s));
		json_end_object(j);
	}
	json_end_array(j);
}

static void name_steps(const struct work *w, bool done, struct buf *out)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct edit_document *d = &w->c->e->documents[w->steps[i].document];

		if (w->steps[i].done == done)
			buf_printf(out, "%s%s %.63s/%.100s", out->len ? ", " : "",
				   store_kind_text(d->key.kind), d->key.ns, d->key.name);
	}
}

/* Something of it was written, or nobody knows. */
static void refuse_half(struct work *w, const struct edit_said *s)
{
	CLEANUP(buf_done) struct buf done = { 0 }, left = { 0 }, text = { 0 };
	struct edit *e = w->c->e;
	struct json_writer j;

	name_steps(w, true, &done);
	name_steps(w, false, &left);
	buf_printf(&text, "written: %s; %s: %s: %s", done.len ? buf_cstr(&done) : "nothing",
		   w->steps[w->next].unknown ? "not known to be written" : "not written",
		   buf_cstr(&left), s->why);
	problem_begin(&e->reply, PROBLEM_HALF_WRITTEN, e->request, buf_cstr(&text), &j);
	put_steps(w, &j);
	problem_end(&j);
	edit_done(e);
}

static bool is_half(const struct work *w)
{
	for (size_t i = 0; i < w->count && !w->rehearsing; i++)
		if (w->steps[i].done || w->steps[i].unknown)
			return true;
	return false;
}

static void on_read_again(struct cluster *c)
{
	struct work *w = c->work;

	tell(w, STORE_STALE, w->steps[w->next].document,
	     "somebody else changed it in the meantime");
}

static bool says(const struct edit_said *s, const char *text)
{
	return s->len && memmem(s->body, s->len, text, strlen(text));
}

static void refuse_step(struct work *w, const struct cluster_ask *a, const struct edit_said *s)
{
	const struct step *step = &w->steps[w->next];
	struct edit *e = w->c->e;
	bool is_post = strcmp(step->method, "POST") == 0;

	if (is_half(w)) {
		refuse_half(w, s);
	} else if (s->status == 409 && is_post && says(s, "AlreadyExists")) {
		tell(w, STORE_EXISTS, step->document, s->why);
	} else if (s->status == 422 && is_post && says(s, "already allocated")) {
		tell(w, STORE_TAKEN, step->document, s->why);
	} else if (!is_post && (s->status == 409 || cluster_said_absent(s))) {
		cluster_fetch(w->c, on_read_again);
	} else {
		cluster_put_refusal(a, s);
		edit_done(e);
	}
}

/* --- what was before is kept ---------------------------------------------------------------------- */

static void prune(struct work *w);

static void on_pruned(struct cluster_ask *a, const struct edit_said *s)
{
	struct work *w = work_of(a);
	CLEANUP(buf_done) struct buf b = { 0 };

	if (!cluster_said_good(s) && !cluster_said_absent(s)) {
		buf_printf(&b, "an old revision stays, it takes the right to %s: %s",
			   cluster_right(a), s->why);
		warn(w, buf_cstr(&b));
		tell(w, STORE_OK, 0, "");
		return;
	}
	prune(w);
}

/* Those beyond the newest, the oldest first; the one that was kept just now is not among them. */
static void prune(struct work *w)
{
	struct cluster *c = w->c;
	size_t last = c->state_count - w->pruned, room = CLUSTER_KEPT_MAX - c->kept_now;
	size_t kept = 0;

	for (size_t i = 0; i < c->state_count; i++)
		kept += c->states[i].kept != NULL;
	if (kept <= room + w->pruned) {
		tell(w, STORE_OK, 0, "");
		return;
	}
	w->pruned++;
	cluster_ask(c, "DELETE", "delete", "controllerrevisions",
		    cluster_history_path(c, c->states[last - 1].kept, ""), "", on_pruned);
}

static void run(struct work *w);

static void on_kept(struct cluster_ask *a, const struct edit_said *s)
{
	struct work *w = work_of(a);
	CLEANUP(buf_done) struct buf b = { 0 };

	a->c->kept_now = cluster_said_good(s);
	if (!cluster_said_good(s) && s->status != 409) {
		buf_printf(&b, "this change cannot be rolled back: %s%s: %s",
			   s->status == 403 ? "it takes the right to "
					    : "what was before is not kept",
			   s->status == 403 ? cluster_right(a) : "", s->why);
		warn(w, buf_cstr(&b));
	}
	run(w);
}

/* A Service that goes takes its revisions along. */
static bool service_goes(const struct work *w)
{
	for (size_t i = 0; i < w->count; i++) {
		const struct edit_document *d = &w->c->e->documents[w->steps[i].document];

		if (d->key.kind == STORE_SERVICE && !d->tree)
			return true;
	}
	return false;
}

static void keep_state(struct work *w)
{
	struct cluster *c = w->c;
	const char *json = NULL;
	CLEANUP(buf_done) struct buf b = { 0 };

	/* Where they cannot be listed they would be more and more. */
	if (c->history_trouble)
		buf_printf(&b, "this change cannot be rolled back: %s", c->history_trouble);
	else if (!service_goes(w))
		json = cluster_state_document(c);
	if (b.len)
		warn(w, buf_cstr(&b));
	if (json) {
		cluster_ask(c, "POST", "create", "controllerrevisions",
			    cluster_history_path(c, NULL, WRITTEN_BY), json, on_kept);
		return;
	}
	run(w);
}

/* --- one after the other --------------------------------------------------------------------------- */

static uint64_t revision_in(struct edit *e, const struct edit_said *s)
{
	const struct doc *d = cluster_read(e, s);
	const char *text = doc_string(doc_get(doc_get(d, "metadata"), "resourceVersion"));
	uint64_t revision;

	return text && value_uint(text, 1, INT64_MAX, &revision) == 0 ? revision : 0;
}

static void on_step(struct cluster_ask *a, const struct edit_said *s)
{
	struct work *w = work_of(a);
	struct step *step = &w->steps[w->next];
	struct store_done *done = &w->items[step->document];
	bool gone = strcmp(step->method, "DELETE") == 0 && cluster_said_absent(s);

	if (!cluster_said_good(s) && !gone) {
		step->unknown = !w->rehearsing && s->status == 0;
		refuse_step(w, a, s);
		return;
	}
	step->done = !w->rehearsing;
	done->changed = true;
	if (!w->rehearsing && strcmp(step->method, "DELETE") != 0)
		done->revision = revision_in(w->c->e, s);
	w->next++;
	run(w);
}

static void ask_step(struct work *w)
{
	const struct step *s = &w->steps[w->next];
	const struct store_key *key = &w->c->e->documents[s->document].key;
	const char *name = strcmp(s->method, "POST") == 0 ? NULL : key->name;
	bool is_delete = strcmp(s->method, "DELETE") == 0;
	char query[64];

	snprintf(query, sizeof(query), "%s%s", is_delete ? "?" : WRITTEN_BY,
		 !w->rehearsing ? ""
		 : is_delete	? &REHEARSED[1]
				: REHEARSED);
	if (strcmp(query, "?") == 0)
		*query = '\0';
	cluster_ask(w->c, s->method, s->verb, cluster_kind(key->kind),
		    cluster_path(w->c, key->kind, name, query), s->json, on_step);
}

static void run(struct work *w)
{
	if (w->next < w->count) {
		ask_step(w);
	} else if (w->rehearsing && !w->c->e->params.dry_run) {
		w->rehearsing = false;
		w->next = 0;
		keep_state(w);
	} else if (w->c->e->params.dry_run) {
		tell(w, STORE_OK, 0, "");
	} else {
		prune(w);
	}
}

/* --- what is sent ------------------------------------------------------------------------------------ */

static struct tree *new_text(struct edit *e, const char *text)
{
	return tree_new(&e->arena, DOC_STRING, arena_strdup(&e->arena, text));
}

static void put_author(struct work *w, struct tree *metadata)
{
	struct edit *e = w->c->e;
	struct tree *notes = tree_need_map(&e->arena, metadata, "annotations");
	const char *reason = e->params.reason;
	char at[AUTHOR_TIME_MAX];

	tree_set(notes, AUTHOR_USER, new_text(e, w->user));
	tree_set(notes, AUTHOR_ACTION, new_text(e, w->action));
	tree_set(notes, AUTHOR_TIME, new_text(e, author_time_text(e->place->now_ms, at)));
	if (reason && *reason)
		tree_set(notes, AUTHOR_REASON, new_text(e, reason));
}

/* What people do not edit stays as the API server has it: finalizers, owners, ... */
static void put_rest(struct edit *e, const struct cluster_document *before, struct tree *metadata)
{
	static const char *const edited[] = { "name",	     "namespace",     "labels",
					      "annotations", "managedFields", "resourceVersion" };
	char version[24];

	for (const struct tree *t = before->metadata->first; t; t = t->next) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(edited) && !known; i++)
			known = strcmp(t->key, edited[i]) == 0;
		if (!known) {
			struct tree *copy = tree_new(&e->arena, t->type, t->text);

			copy->first = t->first;
			tree_set(metadata, t->key, copy);
		}
	}
	snprintf(version, sizeof(version), "%" PRIu64, before->object.revision);
	tree_set(metadata, "resourceVersion", new_text(e, version));
}

static const char *body_of(struct work *w, const struct edit_document *d)
{
	struct edit *e = w->c->e;
	const struct cluster_document *before = cluster_find(w->c, &d->key);
	struct tree *t = edit_tree_of_text(e, (const char *)d->text.data, d->text.len);
	struct tree *metadata = tree_need_map(&e->arena, t, "metadata");
	CLEANUP(buf_done) struct buf b = { 0 };

	if (before)
		put_rest(e, before, metadata);
	put_author(w, metadata);
	edit_tree_print(t, &b);
	return arena_strdup(&e->arena, buf_cstr(&b));
}

static const char *removal_of(struct work *w, const struct edit_document *d)
{
	const struct cluster_document *before = cluster_find(w->c, &d->key);
	CLEANUP(buf_done) struct buf b = { 0 };
	struct json_writer j = { .out = &b };
	char version[24];

	snprintf(version, sizeof(version), "%" PRIu64, before->object.revision);
	json_put_object(&j, NULL);
	json_put_text(&j, "apiVersion", "v1");
	json_put_text(&j, "kind", "DeleteOptions");
	json_put_object(&j, "preconditions");
	json_put_text(&j, "uid", before->uid);
	json_put_text(&j, "resourceVersion", version);
	json_end_object(&j);
	json_end_object(&j);
	return arena_strdup(&w->c->e->arena, buf_cstr(&b));
}

static void fill_steps(struct work *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct step *s = &w->steps[i];
		const struct edit_document *d = &w->c->e->documents[s->document];

		s->json = d->tree ? body_of(w, d) : removal_of(w, d);
	}
	w->rehearsing = w->c->e->params.dry_run || w->count > 1;
	w->next = 0;
	if (w->rehearsing)
		run(w);
	else
		keep_state(w);
}

/* --- who it is ------------------------------------------------------------------------------------------ */

static void hash_token(const struct cluster *c, uint8_t out[static EDIT_NAME_HASH])
{
	crypto_generichash_state s;

	crypto_generichash_init(&s, NULL, 0, EDIT_NAME_HASH);
	crypto_generichash_update(&s, (const unsigned char *)c->home->where,
				  strlen(c->home->where) + 1);
	crypto_generichash_update(&s, (const unsigned char *)c->token, strlen(c->token));
	crypto_generichash_final(&s, out, EDIT_NAME_HASH);
}

static const char *known_name(const struct cluster *c)
{
	struct edits *all = c->e->all;
	const mono_t now = c->e->place->now;
	uint8_t hash[EDIT_NAME_HASH];

	hash_token(c, hash);
	for (size_t i = 0; i < EDIT_NAMES_MAX; i++) {
		const struct edit_name *n = &all->names[i];

		if (n->until.ns && mono_before(now, n->until) &&
		    sodium_memcmp(n->hash, hash, sizeof(hash)) == 0)
			return arena_strdup(&c->e->arena, n->user);
	}
	return NULL;
}

/* In the place of one that holds no more, or of the one that holds shortest. */
static void keep_name(const struct cluster *c, const char *user)
{
	struct edit_name *to = &c->e->all->names[0];

	for (size_t i = 1; i < EDIT_NAMES_MAX; i++)
		if (mono_before(c->e->all->names[i].until, to->until))
			to = &c->e->all->names[i];
	hash_token(c, to->hash);
	snprintf(to->user, sizeof(to->user), "%s", user);
	to->until = mono_add_ms(c->e->place->now, NAME_LASTS_MS);
}

/* Bounded, and without what a terminal would take for a command. */
static const char *user_text(struct edit *e, const char *name)
{
	char user[AUTHOR_USER_MAX + 1];

	snprintf(user, sizeof(user), "kube:%.*s", AUTHOR_USER_MAX - 6, name);
	for (char *p = user; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return arena_strdup(&e->arena, user);
}

static void on_review(struct cluster_ask *a, const struct edit_said *s)
{
	struct work *w = work_of(a);
	struct edit *e = a->c->e;
	const struct doc *d = cluster_said_good(s) ? cluster_read(e, s) : NULL;
	const char *name =
		doc_string(doc_get(doc_get(doc_get(d, "status"), "userInfo"), "username"));

	/* Who may not ask, or asks a server that does not know the question, is still somebody. */
	if (!name && s->status != 403 && !cluster_said_absent(s)) {
		cluster_put_refusal(a, s);
		edit_done(e);
		return;
	}
	w->user = user_text(e, name ? name : "?");
	if (name)
		keep_name(a->c, w->user);
	else
		warn(w, "the API server does not tell who you are: the change is recorded as by "
			"somebody");
	fill_steps(w);
}

static void find_user(struct work *w)
{
	w->user = known_name(w->c);
	if (w->user)
		fill_steps(w);
	else
		cluster_ask(w->c, "POST", "create", "selfsubjectreviews", REVIEW_PATH, REVIEW,
			    on_review);
}

/* --- what is to be done ------------------------------------------------------------------------------------ */

static size_t port_count(const struct tree *service)
{
	const struct tree *ports = tree_get(tree_get(service, "spec"), "ports");
	size_t n = 0;

	for (const struct tree *t = ports ? ports->first : NULL; t; t = t->next)
		n++;
	return n;
}

static unsigned rank_of(struct edit *e, const struct edit_document *d)
{
	const struct tree *before;

	if (d->key.kind != STORE_SERVICE)
		return d->tree ? 1 : 3;
	if (!d->tree || !d->before)
		return 0;
	before = edit_tree_of_text(e, d->before->text, d->before->len);
	return port_count(d->tree) < port_count(before) ? 0 : 2;
}

static bool is_changed(struct edit *e, const struct edit_document *d)
{
	const struct tree *before = d->before
					    ? edit_tree_of_text(e, d->before->text, d->before->len)
					    : NULL;

	if (d->guard || !d->tree)
		return !d->guard && d->before;
	return !before || !edit_tree_same(before, d->tree);
}

static void add_step(struct work *w, size_t document)
{
	const struct edit_document *d = &w->c->e->documents[document];
	struct step s = { .document = document, .rank = rank_of(w->c->e, d) };
	size_t at = w->count++;

	s.method = !d->tree ? "DELETE" : d->before ? "PUT" : "POST";
	s.verb = !d->tree ? "delete" : d->before ? "update" : "create";
	for (; at && w->steps[at - 1].rank > s.rank; at--)
		w->steps[at] = w->steps[at - 1];
	w->steps[at] = s;
}

/* What was read a moment ago is not what is meant: the first such document. */
static bool is_refused(struct work *w, const struct store_write *write)
{
	for (size_t i = 0; i < write->count; i++) {
		const struct store_change *change = &write->changes[i];
		const struct store_object *now = edit_get(w->c->e, &change->key);

		if (change->expect == STORE_EXPECT_ABSENT && now) {
			tell(w, STORE_EXISTS, i, "it is there already");
			return true;
		}
		if (change->expect == STORE_EXPECT_REVISION &&
		    (!now || now->revision != change->revision)) {
			tell(w, STORE_STALE, i, "it has another revision by now");
			return true;
		}
	}
	return false;
}

void cluster_write(struct edit *e, const struct store_write *write, store_written_fn *fn)
{
	struct work *w = arena_take(&e->arena, sizeof(*w));

	*w = (struct work){ .c = e->cluster, .fn = fn, .action = write->who.action };
	e->cluster->work = w;
	if (e->target.what == EDIT_POOLS) {
		e->cluster->ns = e->documents[0].key.ns;
		e->cluster->name = e->documents[0].key.name;
	}
	if (is_refused(w, write))
		return;
	w->items = arena_take(&e->arena, (e->count + 1) * sizeof(*w->items));
	w->steps = arena_take(&e->arena, (e->count + 1) * sizeof(*w->steps));
	for (size_t i = 0; i < e->count; i++) {
		const struct edit_document *d = &e->documents[i];
		const struct cluster_document *now = cluster_find(w->c, &d->key);

		w->items[i].revision = d->before && !e->params.dry_run ? d->before->revision : 0;
		if (!is_changed(e, d))
			continue;
		add_step(w, i);
		if (now)
			cluster_warn_of_owner(e, &d->key, now->metadata);
	}
	if (w->count)
		find_user(w);
	else
		tell(w, STORE_OK, 0, "");
}
