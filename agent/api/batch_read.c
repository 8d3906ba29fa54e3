/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From what is asked for to requests to one pool each. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/batch_private.h"
#include "agent/api/list_item.h"
#include "agent/api/problem.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/base/xalloc.h"
#include "agent/pool/weights.h"

#define BODY_NODES 100000
#define BODY_DEPTH 16

static const char *const verbs[] = { "patch", "delete", "drain", "undrain", "weight" };

/* --- what is to be done -------------------------------------------------------------------------- */

static enum verb verb_of(const char *word)
{
	for (enum verb v = VERB_PATCH; word && v < VERB_NONE; v++)
		if (strcmp(word, verbs[v]) == 0)
			return v;
	return VERB_NONE;
}

/* What all items of one kind say: what, and with what. */
struct wish {
	enum verb verb;
	uint32_t weight;
	const struct doc *patch;
};

static bool same_wish(const struct unit *u, const struct wish *w)
{
	return u->verb == w->verb && u->weight == w->weight && u->patch == w->patch;
}

/* Weights of one pool's members are one request; each member that is removed has its own. */
static bool joins(const struct unit *u, const struct wish *w, const char *member)
{
	return w->verb != VERB_DELETE && w->verb != VERB_PATCH && same_wish(u, w) &&
	       !u->members == !member;
}

/*
 * The last request to this pool: what joins an earlier one would be done before it. NULL: none. Of
 * a list's items it is the newest one.
 */
static struct unit *last_of_pool(struct batch *b, struct unit *newest, const char *pool)
{
	struct unit *last = NULL;

	if (newest && strcmp(newest->pool, pool) == 0)
		return newest;
	for (struct unit *u = b->by_name ? b->units : NULL; u; u = u->next)
		if (strcmp(u->pool, pool) == 0)
			last = u;
	return last;
}

static struct unit *add_unit(struct batch *b, const struct wish *w, const char *pool)
{
	struct unit *u = arena_take(&b->arena, sizeof(*u));

	*u = (struct unit){ .batch = b,
			    .pool = arena_strdup(&b->arena, pool),
			    .verb = w->verb,
			    .weight = w->weight,
			    .patch = w->patch };
	u->last = &u->members;
	*b->last = u;
	b->last = &u->next;
	b->unit_count++;
	return u;
}

/* `newest`: the unit of the item before; returns that of this one. */
static struct unit *add_item(struct batch *b, struct unit *newest, const struct wish *w,
			     const char *pool, const char *member)
{
	struct unit *last = last_of_pool(b, newest, pool);
	struct batch_member *m;

	b->item_count++;
	newest = last && joins(last, w, member) ? last : add_unit(b, w, pool);
	if (!member)
		return newest;
	m = arena_take(&b->arena, sizeof(*m));
	m->id = arena_strdup(&b->arena, member);
	*newest->last = m;
	newest->last = &m->next;
	return newest;
}

/* --- the body ------------------------------------------------------------------------------------ */

static int check_keys(const struct doc *d, const char *const *known, size_t count,
		      const char *where, struct err *err)
{
	if (d->type != DOC_MAP)
		return err_set(err, -EINVAL, "%s has to be an object", where);
	for (const struct doc *f = d->first; f; f = f->next) {
		bool found = false;

		for (size_t i = 0; i < count && !found; i++)
			found = strcmp(known[i], f->key) == 0;
		if (!found)
			return err_set(err, -EINVAL, "%s: unknown field '%.64s'", where, f->key);
	}
	return 0;
}

static int read_wish(const struct doc *d, const char *where, bool of_members, struct wish *out,
		     struct err *err)
{
	const struct doc *weight = doc_get(d, REST_WEIGHT);
	struct wish w = { .verb = verb_of(doc_string(doc_get(d, REST_OP))),
			  .patch = doc_get(d, REST_PATCH) };
	int64_t n = 0;

	if (w.verb == VERB_NONE)
		return err_set(err, -EINVAL,
			       "%s: op has to be patch, delete, drain, undrain or weight", where);
	if ((w.verb == VERB_PATCH) != (w.patch != NULL))
		return err_set(err, -EINVAL, "%s: patch is for op patch, which needs it", where);
	if ((w.verb == VERB_WEIGHT) != (weight != NULL))
		return err_set(err, -EINVAL, "%s: weight is for op weight, which needs it", where);
	if (weight && !doc_integer(weight, 0, POOL_WEIGHT_MAX, &n))
		return err_set(err, -EINVAL, "%s: weight has to be a whole number from 0 to %d",
			       where, POOL_WEIGHT_MAX);
	if (of_members && w.verb == VERB_PATCH)
		return err_set(err, -EINVAL, "%s: op patch is not for members", where);
	w.weight = (uint32_t)n;
	*out = w;
	return 0;
}

/* "r12", as lists and answers have it. */
static int read_revision(const struct doc *d, const char *where, uint64_t *out, struct err *err)
{
	const struct doc *v = doc_get(d, REST_REVISION);
	const char *text = doc_string(v);
	int64_t n;

	*out = 0;
	if (!v)
		return 0;
	if (doc_integer(v, 1, INT64_MAX, &n)) {
		*out = (uint64_t)n;
		return 0;
	}
	if (!text || text[0] != 'r' || value_uint(text + 1, 1, INT64_MAX, out) < 0)
		return err_set(err, -EINVAL, "%s: revision has to be one, as \"r12\" or 12", where);
	return 0;
}

static int take_op(struct batch *b, const struct doc *d, size_t i, struct unit **newest,
		   struct err *err)
{
	static const char *const keys[] = { REST_OP,	   REST_POOL_FIELD, REST_MEMBER,
					    REST_REVISION, REST_PATCH,	    REST_WEIGHT };
	const char *pool, *member;
	uint64_t revision;
	char where[32];
	struct wish w = { .verb = VERB_NONE };

	snprintf(where, sizeof(where), "ops[%zu]", i);
	if (check_keys(d, keys, ARRAY_LEN(keys), where, err) < 0)
		return -EINVAL;
	pool = doc_string(doc_get(d, REST_POOL_FIELD));
	member = doc_string(doc_get(d, REST_MEMBER));
	if (!pool || (doc_get(d, REST_MEMBER) && !member))
		return err_set(err, -EINVAL, "%s: pool and member have to be ids", where);
	if (read_wish(d, where, member != NULL, &w, err) < 0 ||
	    read_revision(d, where, &revision, err) < 0)
		return -EINVAL;
	*newest = add_item(b, *newest, &w, pool, member);
	if ((*newest)->revision && revision && (*newest)->revision != revision)
		return err_set(err, -EINVAL, "%s: two revisions of one pool", where);
	if (revision)
		(*newest)->revision = revision;
	return 0;
}

static int take_ops(struct batch *b, const struct doc *ops, struct err *err)
{
	struct unit *newest = NULL;
	size_t i = 0;
	int r = 0;

	if (ops->type != DOC_LIST || !ops->count)
		return err_set(err, -EINVAL, "ops has to be a list of at least one");
	b->by_name = true;
	for (const struct doc *d = ops->first; d && r == 0; d = d->next) {
		r = take_op(b, d, i++, &newest, err);
		/* Each looks at all that came before: no more of them than will be done. */
		if (r == 0 && b->unit_count > BATCH_MAX)
			break;
	}
	return r;
}

/* --- a filter -------------------------------------------------------------------------------------- */

/* NULL: it is a pool. */
static const char *member_id(const struct list_item *it, char out[static VIEW_MEMBER_ID_MAX])
{
	struct endpoint room;

	return it->member ? view_member_id(list_member_endpoint(it, &room), out) : NULL;
}

static size_t take_matches(struct batch *b, const struct snapshot *s, const struct list_query *q,
			   const struct wish *w)
{
	struct list_needle needle = list_needle_of(q);
	struct list_cursor c = { .s = s };
	struct unit *newest = NULL;
	struct list_place at;
	struct list_item it;
	size_t count = 0;

	while (list_next(&c, q->kind, &it, &at)) {
		char id[VIEW_MEMBER_ID_MAX];

		if (!list_matches(q, &needle, s, &it))
			continue;
		count++;
		/* Who has left the pool and only drains is seen, and there is nothing to change of him. */
		if (it.member && it.member->reasons & MEMBER_REMOVED)
			continue;
		/* One too many says as much as all of them. */
		if (b->unit_count <= BATCH_MAX)
			newest = add_item(b, newest, w, it.pool->pool->id, member_id(&it, id));
	}
	return count;
}

static int read_query(const struct doc *d, enum list_kind kind, struct list_query *out,
		      struct err *err)
{
	const char *filter = doc_string(doc_get(d, REST_FILTER));
	CLEANUP(xfree_ptr) char *target = NULL;
	struct uri u;

	if (!filter)
		return err_set(err, -EINVAL,
			       "filter has to be a text: a list's query, as \"q=web\"");
	target = xasprintf("/?%s", filter);
	if (uri_parse(*filter ? target : "/", &u, err) < 0 ||
	    list_query_parse(kind, &u, true, out, err) < 0)
		return err_wrap(err, -EINVAL, "filter");
	if (out->offset || out->limit != SIZE_MAX)
		return err_set(err, -EINVAL,
			       "filter: it has neither offset nor limit: all of it is meant");
	return 0;
}

static void refuse_count(struct batch *b, size_t expected, size_t count)
{
	struct json_writer j;
	struct err err;

	err_set(&err, -ERANGE, "%zu were expected, and there are %zu now", expected, count);
	problem_begin(&b->reply, PROBLEM_OTHER_COUNT, b->request, err.text, &j);
	json_put_uint(&j, REST_COUNT, count);
	problem_end(&j);
}

/* -ERANGE: the reply says that there are more or fewer. */
static int take_filter(struct batch *b, const struct snapshot *s, const struct doc *d,
		       struct err *err)
{
	const char *of = doc_string(doc_get(d, REST_OF));
	bool of_members = of && strcmp(of, REST_MEMBERS_FIELD) == 0;
	int64_t expected = -1;
	struct list_query q = { 0 };
	struct wish w = { .verb = VERB_NONE };
	size_t count;

	if (!of_members && (!of || strcmp(of, REST_POOLS_FIELD) != 0))
		return err_set(err, -EINVAL, "of has to be pools or members");
	if (!doc_integer(doc_get(d, REST_EXPECTED_COUNT), 0, INT32_MAX, &expected))
		return err_set(err, -EINVAL,
			       "expectedCount has to say how many of them you have seen");
	if (read_wish(d, "the body", of_members, &w, err) < 0 ||
	    read_query(d, of_members ? LIST_MEMBERS : LIST_POOLS, &q, err) < 0)
		return -EINVAL;
	count = s ? take_matches(b, s, &q, &w) : 0;
	if (count == (size_t)expected)
		return 0;
	refuse_count(b, (size_t)expected, count);
	return -ERANGE;
}

int batch_read(struct batch *b, const struct snapshot *s, struct err *err)
{
	static const char *const by_filter[] = { REST_FILTER, REST_OF,	  REST_EXPECTED_COUNT,
						 REST_OP,     REST_PATCH, REST_WEIGHT,
						 REST_ATOMIC };
	static const char *const by_name[] = { REST_OPS, REST_ATOMIC };
	const struct doc_limits limits = { .nodes = BODY_NODES, .depth = BODY_DEPTH };
	const struct rest_request *r = b->request;
	const struct doc *root;
	int code = doc_read_json(r->body ? r->body : "", r->body_len, &limits, &b->body, err);

	if (code < 0)
		return err_wrap(err, code, "the body");
	root = b->body.roots[0];
	if (doc_get(root, REST_OPS))
		code = check_keys(root, by_name, ARRAY_LEN(by_name), "the body", err);
	else
		code = check_keys(root, by_filter, ARRAY_LEN(by_filter), "the body", err);
	if (code == 0 && doc_get(root, REST_ATOMIC) &&
	    !doc_bool(doc_get(root, REST_ATOMIC), &b->atomic))
		code = err_set(err, -EINVAL, "atomic is true or false");
	if (code == 0)
		code = doc_get(root, REST_OPS) ? take_ops(b, doc_get(root, REST_OPS), err)
					       : take_filter(b, s, root, err);
	if (code == 0 && b->unit_count > BATCH_MAX)
		return err_set(err, -E2BIG,
			       "more than %d pools at a time: narrow the filter, or ask several "
			       "times",
			       BATCH_MAX);
	return code;
}
