/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the objects of one namespace/name to its pools.
 *
 * The Service in force decides: only endpoints from its own source count, so
 * that one source cannot put servers into another one's pool. EndpointSlices
 * come before Endpoints, of which they may be a mirror.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/model.h"
#include "agent/pool/pool_make.h"
#include "agent/pool/weights.h"

/* A pool may have as many members as a kernel table entry takes (ipvs/table.h). */
#define MEMBERS_MAX	16384
#define ANNOTATIONS_MAX 128 /* of a Service and its endpoints together */

struct build {
	struct pools *p;
	const struct service *s;
	const struct object *service;
	const struct object **endpoints; /* in force: all slices, or one Endpoints */
	size_t endpoint_count;
	const struct object *annotated; /* Endpoints whose annotations count beside slices */
	struct pool_settings set;	/* its check is a reference */
	struct weights weights;
	unsigned weights_line;
	const char *weights_path;
	struct problems problems; /* of each of the pools */
	struct built out;
};

/* --- which objects count --------------------------------------------------- */

static const char *where_text(const struct object *o, char out[static 300])
{
	if (*o->path)
		snprintf(out, 300, "%.255s line %u", o->path, o->line);
	else
		snprintf(out, 300, "source %u", o->source);
	return out;
}

static struct problems *add_orphan(struct build *b, const struct object *o)
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
	char where[300];

	problems_add_in(add_orphan(b, loser), true, loser->path, loser->line,
			"%s %s/%s is also in %s, which comes first: this one is not used",
			object_kind_text(loser->kind), loser->ns, loser->name,
			where_text(winner, where));
	problems_add_in(&b->problems, false, winner->path, winner->line,
			"%s %s/%s is also in %s, which is not used", object_kind_text(loser->kind),
			loser->ns, loser->name, where_text(loser, where));
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

static void choose_endpoints(struct build *b)
{
	const struct object **all = xreallocarray(NULL, b->s->object_count, sizeof(*all));
	size_t n = choose(b, OBJECT_SLICE, all);
	size_t m = choose(b, OBJECT_ENDPOINTS, all + n);

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
		if (!b->service)
			problems_add_in(add_orphan(b, o), false, o->path, o->line,
					"there is no Service %s/%s: not used", o->ns, o->service);
		else if (o->kind == OBJECT_SERVICE)
			lost_to(b, o, b->service);
		else if (o->source != b->service->source)
			problems_add_in(add_orphan(b, o), true, o->path, o->line,
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

	pool_annotations(m->items, m->count, &b->set, &found);
	for (size_t i = 0; i < found.count; i++)
		problems_add_in(&b->problems, found.items[i].error,
				path_of_line(m, found.items[i].line), found.items[i].line, "%s",
				found.items[i].text);
	problems_done(&found);
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
	for (size_t i = 0; i < m.count; i++) {
		/* A bad one has been told by pool_annotations(). */
		if (strcmp(m.items[i].key, "weights") == 0 &&
		    weights_parse(m.items[i].value, &b->weights) == 0) {
			b->weights_line = m.items[i].line;
			b->weights_path = m.paths[i];
		}
	}
}

/* --- members --------------------------------------------------------------- */

/* A pool in the making: one port of the Service. */
struct part {
	struct build *b;
	const struct object_port *port;
	struct pool *pool; /* its strings borrowed, its arrays our own */
	size_t member_room;
	bool full;
};

/* An address we give out ourselves cannot be a server behind one. */
static const char *vip_pool(const struct pool_rules *rules, const struct addr *a)
{
	for (size_t i = 0; i < rules->address_pool_count; i++) {
		const struct address_pool *p = &rules->address_pools[i];

		for (size_t j = 0; j < p->address_count; j++) {
			if (addr_range_has(&p->addresses[j], a))
				return p->name;
		}
	}
	return NULL;
}

static bool suits_frontends(const struct pool *p, const struct addr *a)
{
	for (size_t i = 0; i < p->frontend_count; i++) {
		if (p->frontends[i].addr.family == a->family)
			return true;
	}
	return p->frontend_count == 0;
}

static bool is_usable(struct part *t, const struct object *o, const struct addr *a)
{
	const char *why = addr_refused(a), *pool;
	char text[ADDR_TEXT_MAX];

	if (why) {
		problems_add_in(&t->pool->problems, true, o->path, o->line,
				"%s: address %s is not used: %s addresses are no real servers",
				object_kind_text(o->kind), addr_text(a, text), why);
		return false;
	}
	pool = vip_pool(t->b->p->rules, a);
	if (pool) {
		problems_add_in(&t->pool->problems, true, o->path, o->line,
				"%s: address %s is not used: it is one of the address pool %s",
				object_kind_text(o->kind), addr_text(a, text), pool);
		return false;
	}
	if (!suits_frontends(t->pool, a)) {
		problems_add_in(&t->pool->problems, true, o->path, o->line,
				"%s: address %s is not used: the frontend is of the other family",
				object_kind_text(o->kind), addr_text(a, text));
		return false;
	}
	return true;
}

static void add_member(struct part *t, const struct object *o, const struct object_address *a,
		       uint16_t port)
{
	struct pool *p = t->pool;
	struct pool_member *m;

	if (!a->ready && !a->terminating && !t->b->service->use_not_ready)
		return;
	if (!is_usable(t, o, &a->addr))
		return;
	if (p->member_count == MEMBERS_MAX) {
		t->full = true;
		return;
	}
	if (p->member_count == t->member_room) {
		t->member_room = t->member_room ? t->member_room * 2 : 16;
		p->members = xreallocarray(p->members, t->member_room, sizeof(*p->members));
	}
	m = &p->members[p->member_count++];
	*m = (struct pool_member){
		.endpoint = { .addr = a->addr, .protocol = t->port->protocol, .port = port },
		.weight = p->set.weight,
		.terminating = a->terminating,
	};
	(void)!weights_find(&t->b->weights, &m->endpoint, &m->weight);
}

/*
 * By name and protocol. Where the Service has one port and the subset has one, a name on one side
 * alone does no harm: there is nothing to mistake it for.
 */
static const struct object_port *match_port(const struct part *t, const struct object_subset *s)
{
	for (size_t i = 0; i < s->port_count; i++) {
		if (s->ports[i].protocol == t->port->protocol &&
		    strcmp(s->ports[i].name, t->port->name) == 0)
			return &s->ports[i];
	}
	if (s->port_count == 1 && t->b->service->port_count == 1 &&
	    s->ports[0].protocol == t->port->protocol && (!*s->ports[0].name || !*t->port->name))
		return &s->ports[0];
	return NULL;
}

static void add_members_of(struct part *t, const struct object *o, bool *matched)
{
	for (size_t i = 0; i < o->subset_count; i++) {
		const struct object_port *port = match_port(t, &o->subsets[i]);

		if (!port)
			continue;
		*matched = true;
		for (size_t j = 0; j < o->subsets[i].address_count; j++)
			add_member(t, o, &o->subsets[i].addresses[j], port->port);
	}
}

static int by_endpoint(const void *a, const void *b)
{
	const struct pool_member *x = a, *y = b;
	int order = endpoint_cmp(&x->endpoint, &y->endpoint);

	/* Of two that differ, the one that takes connections. */
	return order ? order : x->terminating - y->terminating;
}

static void sort_members(struct pool *p)
{
	size_t kept = 0;

	if (p->member_count > 1)
		qsort(p->members, p->member_count, sizeof(*p->members), by_endpoint);
	for (size_t i = 0; i < p->member_count; i++) {
		if (kept &&
		    endpoint_cmp(&p->members[kept - 1].endpoint, &p->members[i].endpoint) == 0)
			continue;
		p->members[kept++] = p->members[i];
	}
	p->member_count = kept;
}

static void find_members(struct part *t)
{
	const struct build *b = t->b;
	bool matched = false;

	for (size_t i = 0; i < b->endpoint_count; i++)
		add_members_of(t, b->endpoints[i], &matched);
	sort_members(t->pool);
	if (b->endpoint_count == 0)
		problems_add_in(
			&t->pool->problems, false, b->service->path, b->service->line,
			"there is no Endpoints %s/%s and no EndpointSlice of it: no members",
			b->service->ns, b->service->name);
	else if (!matched)
		problems_add_in(&t->pool->problems, false, b->endpoints[0]->path,
				b->endpoints[0]->line,
				"%s: no port is named \"%s\" with protocol %s: no members",
				object_kind_text(b->endpoints[0]->kind), t->port->name,
				t->port->protocol == IPPROTO_UDP ? "UDP" : "TCP");
	if (t->full)
		problems_add_in(&t->pool->problems, true, b->service->path, b->service->line,
				"more than %d members: the others are not used", MEMBERS_MAX);
}

/* --- frontends ------------------------------------------------------------- */

static void claim_lost(struct part *t, const struct claim *c)
{
	const struct object *winner = service_object(c->contest->winner->service);
	char frontend[ENDPOINT_TEXT_MAX], where[300];

	problems_add_in(&t->pool->problems, true, t->b->service->path, t->b->service->line,
			"the frontend %s/%s belongs to Service %s/%s (%s), which comes first",
			endpoint_text(&c->contest->frontend, frontend),
			protocol_text(c->contest->frontend.protocol), winner->ns, winner->name,
			where_text(winner, where));
}

static void claim_won(struct part *t, const struct claim *c)
{
	const struct contest *contest = c->contest;
	char frontend[ENDPOINT_TEXT_MAX];

	t->pool->frontends = xcalloc(1, sizeof(struct endpoint));
	t->pool->frontends[0] = contest->frontend;
	t->pool->frontend_count = 1;
	if (contest->second)
		problems_add_in(
			&t->pool->problems, false, t->b->service->path, t->b->service->line,
			"the frontend %s/%s is also wanted by Service %s/%s, and by %zu others",
			endpoint_text(&contest->frontend, frontend),
			protocol_text(contest->frontend.protocol), contest->second->service->ns,
			contest->second->service->name, contest->count - 2);
}

static void find_frontends(struct part *t, size_t index)
{
	const struct object *o = t->b->service;
	const struct claim *c = claim_of(t->b->s, index);
	CLEANUP(buf_done) struct buf why = { 0 };
	struct endpoint frontend;

	if (c && c->contest->winner == c)
		claim_won(t, c);
	else if (c)
		claim_lost(t, c);
	else if (o->type == SERVICE_NODE_PORT &&
		 !frontend_of(t->b->p->rules, t->port, &frontend, &why))
		problems_add_in(&t->pool->problems, true, o->path, o->line, "no frontend: %s",
				buf_cstr(&why));
	else if (o->type == SERVICE_LOAD_BALANCER)
		problems_add_in(&t->pool->problems, false, o->path, o->line,
				"no frontend: type LoadBalancer is not served by this version");
}

/* --- pools ----------------------------------------------------------------- */

/* What the settings of a Service mean for one of its ports. */
static void suit_protocol(struct part *t)
{
	struct pool *p = t->pool;
	const struct check *c = p->set.check;

	if (p->protocol != IPPROTO_UDP) {
		p->set.one_packet = false;
		return;
	}
	if (c->type == CHECK_NONE || c->port)
		return;
	problems_add_in(&p->problems, false, t->b->service->path, t->b->service->line,
			"a UDP port cannot be checked by %s: not checked; name a TCP port by "
			"parasaus.io/health-check-port, or say parasaus.io/health-check-type: none",
			check_type_text(c->type));
	p->set.check = t->b->p->no_check;
}

static struct pool *build_pool(struct build *b, size_t index)
{
	const struct object *o = b->service;
	const struct object_port *port = &o->ports[index];
	char id[2 * OBJECT_NAME_MAX + 80];
	struct pool parts = {
		.id = id,
		.ns = o->ns,
		.service = o->name,
		.port_name = port->name,
		.source = o->source,
		.protocol = port->protocol,
		.persistence_s = o->affinity_s,
		.set = b->set,
	};
	struct part t = { .b = b, .port = port, .pool = &parts };
	struct pool *made;

	pool_id(&parts, port->port, id, sizeof(id));
	problems_copy(&parts.problems, &b->problems);
	find_frontends(&t, index);
	suit_protocol(&t);
	find_members(&t);
	made = pool_make(&parts);
	free(parts.frontends);
	free(parts.members);
	return made;
}

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

	problems_add_in(add_orphan(b, o), true, o->path, o->line, "%s",
			o->type == SERVICE_EXTERNAL_NAME
				? "type ExternalName names no servers: there is no pool"
				: "the Service has no usable port: there is no pool");
	for (size_t i = 0; i < b->endpoint_count; i++)
		problems_add_in(add_orphan(b, b->endpoints[i]), false, b->endpoints[i]->path,
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
