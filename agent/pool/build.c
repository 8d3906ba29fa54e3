/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the objects of one namespace/name to its pools.
 *
 * The Service in force decides: only endpoints from its own source count, so
 * that one source cannot put servers into another one's pool. EndpointSlices
 * come before Endpoints; but those that the cluster made of the Endpoints say
 * nothing that these do not say.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/build.h"

#define ANNOTATIONS_MAX 128 /* of a Service and its endpoints together */

/* --- which objects count --------------------------------------------------- */

const char *object_where(const struct object *o, char out[static OBJECT_WHERE_MAX])
{
	if (*o->path)
		snprintf(out, OBJECT_WHERE_MAX, "%.255s line %u", o->path, o->line);
	else
		snprintf(out, OBJECT_WHERE_MAX, "source %u", o->source);
	return out;
}

struct problems *build_orphan(struct build *b, const struct object *o)
{
	struct orphan *a;

	b->out.orphans = xreallocarray(b->out.orphans, b->out.orphan_count + 1, sizeof(*a));
	a = &b->out.orphans[b->out.orphan_count++];
	*a = (struct orphan){ .object = o };
	problems_copy_in(&a->problems, &o->problems, o->path);
	return &a->problems;
}

/* Two of one kind and name: `loser` is not used, and both sides are told. */
static void lost_to(struct build *b, const struct object *loser, const struct object *winner)
{
	char where[OBJECT_WHERE_MAX];

	problems_add_in(build_orphan(b, loser), true, loser->path, loser->line,
			"%s %s/%s is also in %s, which comes first: this one is not used",
			object_kind_text(loser->kind), loser->ns, loser->name,
			object_where(winner, where));
	problems_add_in(&b->problems, false, winner->path, winner->line,
			"%s %s/%s is also in %s, which is not used", object_kind_text(loser->kind),
			loser->ns, loser->name, object_where(loser, where));
}

static int by_name_and_precedence(const void *a, const void *b)
{
	const struct object *x = *(const struct object *const *)a;
	const struct object *y = *(const struct object *const *)b;
	int order = strcmp(x->name, y->name);

	return order ? order : object_precedence(x, y);
}

/* Those of a kind and of the Service's source, the first of each name, sorted by name. */
static size_t choose(struct build *b, enum object_kind kind, const struct object **out)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < b->s->object_count; i++) {
		const struct object *o = b->s->objects[i];

		if (o->kind == kind && o->source == b->service->source)
			out[n++] = o;
	}
	if (n > 1)
		qsort(out, n, sizeof(struct object *), by_name_and_precedence);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(out[kept - 1]->name, out[i]->name) == 0)
			lost_to(b, out[i], out[kept - 1]);
		else
			out[kept++] = out[i];
	}
	return kept;
}

/* Leaves out the mirrored ones. */
static size_t without_mirrors(const struct object **slices, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!slices[i]->mirrored)
			slices[kept++] = slices[i];
	}
	return kept;
}

static bool has_endpoints(const struct build *b)
{
	for (size_t i = 0; i < b->s->object_count; i++) {
		const struct object *o = b->s->objects[i];

		if (o->kind == OBJECT_ENDPOINTS && o->source == b->service->source)
			return true;
	}
	return false;
}

static void choose_endpoints(struct build *b)
{
	const struct object **all = xreallocarray(NULL, b->s->object_count, sizeof(*all));
	size_t n = choose(b, OBJECT_SLICE, all), m;

	if (n && has_endpoints(b))
		n = without_mirrors(all, n);
	m = choose(b, OBJECT_ENDPOINTS, all + n);
	b->endpoints = all;
	b->endpoint_count = n ? n : m;
	b->annotated = m ? all[n] : NULL;
}

/* Those that no pool of this Service can have. */
static void refuse_others(struct build *b)
{
	for (size_t i = 0; i < b->s->object_count; i++) {
		const struct object *o = b->s->objects[i];

		if (o == b->service)
			continue;
		if (!b->service && o->from_cluster && !o->annotation_count)
			continue; /* others use such objects for themselves, for elections of a leader */
		if (!b->service)
			problems_add_in(build_orphan(b, o), false, o->path, o->line,
					"there is no Service %s/%s: not used", o->ns, o->service);
		else if (o->kind == OBJECT_SERVICE)
			lost_to(b, o, b->service);
		else if (o->source != b->service->source)
			problems_add_in(build_orphan(b, o), true, o->path, o->line,
					"Service %s/%s comes from another source: not used", o->ns,
					o->service);
	}
}

/* --- annotations ----------------------------------------------------------- */

struct merged {
	struct object_annotation items[ANNOTATIONS_MAX];
	const char *paths[ANNOTATIONS_MAX]; /* of the object each is from */
	size_t count;
};

/* The origin's key and ours say the same thing. */
static const char *meaning(const char *key)
{
	return strcmp(key, "healthCheckType") == 0 ? "health-check-type" : key;
}

/* Adds what objects before did not say. */
static void merge(struct merged *m, const struct object *o)
{
	size_t before = m->count;

	for (size_t i = 0; i < o->annotation_count && m->count < ANNOTATIONS_MAX; i++) {
		bool said = false;

		for (size_t j = 0; j < before && !said; j++)
			said = strcmp(meaning(m->items[j].key), meaning(o->annotations[i].key)) ==
			       0;
		if (said)
			continue;
		m->paths[m->count] = o->path;
		m->items[m->count++] = o->annotations[i];
	}
}

/* The file of the annotation in this line, the Service's where two files could be meant. */
static const char *path_of_line(const struct merged *m, unsigned line)
{
	const char *path = "";

	for (size_t i = 0; i < m->count; i++) {
		if (m->items[i].line == line)
			path = m->paths[i];
	}
	return path;
}

static void read_annotations(struct build *b, const struct merged *m)
{
	struct problems found = { 0 };

	const struct pool_home home = { b->service->ns, b->service->source };

	pool_annotations(m->items, m->count, &home, &b->set, &found);
	for (size_t i = 0; i < found.count; i++)
		problems_add_in(&b->problems, found.items[i].error,
				path_of_line(m, found.items[i].line), found.items[i].line, "%s",
				found.items[i].text);
	problems_done(&found);
}

/* Of a Secret with a fault: half a login where none is needed, a certificate where a login is. */
static const char *how_without(const struct object *o, unsigned uses)
{
	if (!secret_serves(o, uses))
		return "half-open";
	return uses & CHECK_USES_CERTIFICATES ? "without a login" : "without a certificate";
}

/* The Secret of the check, if it names one; told where it cannot be used. */
static void look_for_secret(struct build *b, const struct merged *m)
{
	const char *name = b->set.check->secret ? strchr(b->set.check->secret, '/') + 1 : NULL;
	struct service_key key = { b->service->ns, NULL, true, b->service->source };
	unsigned uses = check_uses(b->set.check);
	const struct object *o;
	const char *fault;

	if (!check_names_secret(b->set.check))
		return;
	key.name = b->out.secret = xstrndup(name, strcspn(name, "@"));
	o = secret_in_force(model_find(b->p, &key));
	fault = secret_fault(o, uses);
	for (size_t i = 0; fault && i < m->count; i++) {
		/* A name that is no name has been told by pool_annotations(). */
		if (strcmp(m->items[i].key, "health-check-secret") == 0 &&
		    strcmp(m->items[i].value, b->out.secret) == 0)
			problems_add_in(
				&b->problems, true, m->paths[i], m->items[i].line,
				"annotation parasaus.io/health-check-secret: Secret %s/%s %s; "
				"checked %s",
				b->service->ns, b->out.secret, fault, how_without(o, uses));
	}
}

/* A limit that does harm on this kernel is none; told where somebody asked for it. */
static void look_for_limit(struct build *b, const struct merged *m)
{
	const char *why = b->p->rules->no_limits;

	if (!why || !b->set.max_connections)
		return;
	b->set.max_connections = 0;
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->items[i].key, "max-connections") == 0)
			problems_add_in(&b->problems, true, m->paths[i], m->items[i].line,
					"annotation parasaus.io/max-connections is not used: %s",
					why);
	}
}

static void look_for_affinity(struct build *b, const struct merged *m)
{
	for (size_t i = 0; !b->service->affinity_s && i < m->count; i++) {
		if (strcmp(m->items[i].key, "persistence-netmask") == 0)
			problems_add_in(&b->problems, false, m->paths[i], m->items[i].line,
					"annotation parasaus.io/persistence-netmask has no effect "
					"without spec.sessionAffinity: ClientIP");
	}
}

static void read_settings(struct build *b)
{
	struct merged m = { .count = 0 };

	if (b->annotated)
		merge(&m, b->annotated);
	for (size_t i = 0; i < b->endpoint_count; i++) {
		if (b->endpoints[i] != b->annotated)
			merge(&m, b->endpoints[i]);
	}
	merge(&m, b->service);
	b->set = b->p->rules->defaults;
	check_ref(b->set.check);
	read_annotations(b, &m);
	if (b->set.check != b->p->rules->defaults.check)
		b->set.check = check_intern(b->p, b->set.check);
	look_for_secret(b, &m);
	look_for_affinity(b, &m);
	look_for_limit(b, &m);
	for (size_t i = 0; i < m.count; i++) {
		/* A bad one has been told by pool_annotations(). */
		if (strcmp(m.items[i].key, "weights") == 0 &&
		    weights_parse(m.items[i].value, &b->weights) == 0) {
			b->weights_line = m.items[i].line;
			b->weights_path = m.paths[i];
		}
	}
}

/* --- all together ---------------------------------------------------------- */

/* Said once all members are known, so of the last pool only where there are several. */
static void check_weights(struct build *b)
{
	char text[ENDPOINT_TEXT_MAX];
	const char *unused = weights_unused(&b->weights, text);

	if (unused && b->out.pool_count)
		problems_add_in(&b->out.pools[b->out.pool_count - 1]->problems, false,
				b->weights_path, b->weights_line,
				"annotation parasaus.io/weights: %s is no member", unused);
}

static void no_pool(struct build *b)
{
	const struct object *o = b->service;

	problems_add_in(build_orphan(b, o), true, o->path, o->line, "%s",
			o->type == SERVICE_EXTERNAL_NAME
				? "type ExternalName names no servers: there is no pool"
				: "the Service has no usable port: there is no pool");
	for (size_t i = 0; i < b->endpoint_count; i++)
		problems_add_in(build_orphan(b, b->endpoints[i]), false, b->endpoints[i]->path,
				b->endpoints[i]->line, "Service %s/%s has no pool: not used", o->ns,
				o->name);
}

static void collect_problems(struct build *b)
{
	problems_copy_in(&b->problems, &b->service->problems, b->service->path);
	if (b->annotated && b->annotated != b->endpoints[0])
		problems_copy_in(&b->problems, &b->annotated->problems, b->annotated->path);
	for (size_t i = 0; i < b->endpoint_count; i++)
		problems_copy_in(&b->problems, &b->endpoints[i]->problems, b->endpoints[i]->path);
}

struct built service_build(struct pools *p, const struct service *s)
{
	struct build b = { .p = p, .s = s, .service = service_object(s) };
	size_t n;

	if (s->is_secret)
		return secret_build(p, s);
	refuse_others(&b);
	if (!b.service) {
		problems_done(&b.problems);
		return b.out;
	}
	choose_endpoints(&b);
	collect_problems(&b);
	n = b.service->type == SERVICE_EXTERNAL_NAME ? 0 : b.service->port_count;
	if (n == 0) {
		no_pool(&b);
	} else {
		read_settings(&b);
		b.out.pools = xcalloc(n, sizeof(struct pool *));
		for (; b.out.pool_count < n; b.out.pool_count++)
			b.out.pools[b.out.pool_count] = build_pool(&b, b.out.pool_count);
		check_weights(&b);
		check_unref(b.set.check);
	}
	weights_done(&b.weights);
	problems_done(&b.problems);
	free(b.endpoints);
	return b.out;
}

void orphans_done(struct orphan *orphans, size_t count)
{
	for (size_t i = 0; i < count; i++)
		problems_done(&orphans[i].problems);
	free(orphans);
}
