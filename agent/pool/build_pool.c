/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pool: a port of a Service, its frontend, its members. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/build.h"
#include "agent/pool/policy.h"
#include "agent/pool/pool_make.h"

/* A pool may have as many members as a kernel table entry takes (ipvs/table.h). */
#define MEMBERS_MAX 16384
#define WHY_MAX	    128 /* with the name of an address pool */

/* --- members --------------------------------------------------------------- */

/* A server that an object names; whether it is a member shows when all are known. */
struct server {
	struct pool_member member;
	struct policy_server is;
};

/* A pool in the making: one port of the Service. */
struct part {
	struct build *b;
	const struct object_port *port;
	struct pool *pool; /* its strings borrowed, its arrays our own */
	struct server *servers;
	size_t server_count, server_room;
	bool full;
	struct check *own_check; /* a reference; NULL: the Service's is the pool's */
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

/* A tunnel carries either family over either, the others are of the client's packet. */
static bool suits_frontends(const struct pool *p, const struct addr *a)
{
	if (p->set.forward == FORWARD_TUNNEL)
		return true;
	for (size_t i = 0; i < p->frontend_count; i++) {
		if (p->frontends[i].addr.family == a->family)
			return true;
	}
	return p->frontend_count == 0;
}

/* Why not, behind "is not used: "; false: it may be used. */
static bool is_useless(const struct part *t, const struct addr *a, char why[static WHY_MAX])
{
	const struct pool_rules *rules = t->b->p->rules;
	const char *kind = addr_refused(a), *pool;

	if (kind)
		snprintf(why, WHY_MAX, "%s addresses are no real servers", kind);
	else if ((pool = vip_pool(rules, a)))
		snprintf(why, WHY_MAX, "it is one of the address pool %s", pool);
	else if (prefixes_have(rules->vip_ranges, rules->vip_range_count, a))
		snprintf(why, WHY_MAX, "it is inside vipRanges, where no real servers are");
	else if (prefixes_have(rules->refuse, rules->refuse_count, a))
		snprintf(why, WHY_MAX, "the configuration has its network in `refuse`");
	else if (!suits_frontends(t->pool, a))
		snprintf(why, WHY_MAX,
			 "the frontend is of the other family, which only forwarding: tunnel "
			 "carries");
	else
		return false;
	return true;
}

static bool is_usable(struct part *t, const struct object *o, const struct addr *a)
{
	char why[WHY_MAX], text[ADDR_TEXT_MAX];

	if (!is_useless(t, a, why))
		return true;
	problems_add_in(&t->pool->problems, true, o->path, o->line,
			"%s: address %s is not used: %s", object_kind_text(o->kind),
			addr_text(a, text), why);
	return false;
}

static void add_server(struct part *t, const struct object *o, const struct object_address *a,
		       uint16_t port)
{
	uint32_t weight = t->pool->set.weight;
	struct server *s;

	if (!a->ready && !a->terminating && !t->b->service->use_not_ready)
		return;
	if (!is_usable(t, o, &a->addr))
		return;
	if (t->server_count == MEMBERS_MAX) {
		t->full = true;
		return;
	}
	if (t->server_count == t->server_room) {
		t->server_room = t->server_room ? t->server_room * 2 : 16;
		t->servers = xreallocarray(t->servers, t->server_room, sizeof(*t->servers));
	}
	s = &t->servers[t->server_count++];
	*s = (struct server){
		.member.endpoint = { .addr = a->addr, .protocol = t->port->protocol, .port = port },
		.is = { .ready = !a->terminating,
			.serving = a->serving,
			.going = a->terminating,
			.local = a->local },
	};
	(void)!weights_find(&t->b->weights, &s->member.endpoint, &weight);
	s->member.weight = (uint16_t)weight;
}

static void add_servers_of(struct part *t, const struct object *o, bool *matched)
{
	for (size_t i = 0; i < o->subset_count; i++) {
		const struct object_port *port =
			object_match_port(t->port, t->b->service->port_count, o->subsets[i].ports,
					  o->subsets[i].port_count);

		if (!port)
			continue;
		*matched = true;
		for (size_t j = 0; j < o->subsets[i].address_count; j++) {
			const struct object_address a = object_address_at(&o->subsets[i], j);

			add_server(t, o, &a, port->port);
		}
	}
}

static int by_endpoint(const void *a, const void *b)
{
	const struct server *x = a, *y = b;
	int order = endpoint_cmp(&x->member.endpoint, &y->member.endpoint);

	/* Of two that differ, the one that takes connections; of this node rather than of another. */
	if (!order)
		order = y->is.ready - x->is.ready;
	if (!order)
		order = y->is.serving - x->is.serving;
	return order ? order : y->is.local - x->is.local;
}

static void sort_servers(struct part *t)
{
	struct server *s = t->servers;
	size_t kept = 0;

	if (t->server_count > 1)
		qsort(s, t->server_count, sizeof(*s), by_endpoint);
	for (size_t i = 0; i < t->server_count; i++) {
		if (kept && endpoint_cmp(&s[kept - 1].member.endpoint, &s[i].member.endpoint) == 0)
			continue;
		s[kept++] = s[i];
	}
	t->server_count = kept;
}

static void choose_members(struct part *t)
{
	struct policy_tally tally = { 0 };
	struct pool *p = t->pool;
	struct policy policy;

	for (size_t i = 0; i < t->server_count; i++)
		policy_count(&tally, &t->servers[i].is);
	policy = policy_of(&tally, p->local_wanted);
	p->members.any = xcalloc(t->server_count, sizeof(*p->members.any));
	for (size_t i = 0; i < t->server_count; i++) {
		const struct server *s = &t->servers[i];
		enum policy_use use = policy_use(&policy, &s->is);

		if (use == POLICY_OUT) {
			p->elsewhere += s->is.ready;
			continue;
		}
		p->members.any[p->member_count] = s->member;
		p->members.any[p->member_count++].terminating = use == POLICY_GOING;
	}
	p->local_only = policy.local;
	if (policy.local)
		p->set.masquerade = false;
}

static void find_members(struct part *t)
{
	const struct build *b = t->b;
	bool matched = false;

	for (size_t i = 0; i < b->endpoint_count; i++)
		add_servers_of(t, b->endpoints[i], &matched);
	sort_servers(t);
	choose_members(t);
	free(t->servers);
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
				protocol_name(t->port->protocol));
	if (t->full)
		problems_add_in(&t->pool->problems, true, b->service->path, b->service->line,
				"more than %d members: the others are not used", MEMBERS_MAX);
}

/* --- frontends ------------------------------------------------------------- */

static void claim_lost(struct part *t, const struct claim *c)
{
	const struct object *winner = service_object(c->contest->winner->service);
	char frontend[ENDPOINT_TEXT_MAX], where[OBJECT_WHERE_MAX];

	problems_add_in(&t->pool->problems, true, t->b->service->path, t->b->service->line,
			"the frontend %s/%s belongs to Service %s/%s (%s), which comes first",
			endpoint_text(&c->contest->frontend, frontend),
			protocol_text(c->contest->frontend.protocol), winner->ns, winner->name,
			object_where(winner, where));
}

static void claim_won(struct part *t, const struct claim *c)
{
	const struct contest *contest = c->contest;
	const struct object *o = t->b->service;
	char frontend[ENDPOINT_TEXT_MAX];

	t->pool->frontends = xcalloc(1, sizeof(struct endpoint));
	t->pool->frontends[0] = contest->frontend;
	t->pool->frontend_count = 1;
	if (!pool_rules_pool(t->b->p->rules, &contest->frontend, o->ns))
		problems_add_in(
			&t->pool->problems, false, o->path, o->line,
			"the frontend %s/%s is outside its address pool, and kept as it is on "
			"record: widen an address pool to hold it for namespace %s, or give the "
			"pool another nodePort",
			endpoint_text(&contest->frontend, frontend),
			protocol_text(contest->frontend.protocol), o->ns);
	if (contest->second)
		problems_add_in(
			&t->pool->problems, false, t->b->service->path, t->b->service->line,
			"the frontend %s/%s is also wanted by Service %s/%s, and by %u others",
			endpoint_text(&contest->frontend, frontend),
			protocol_text(contest->frontend.protocol), contest->second->service->ns,
			service_name(contest->second->service), contest->count - 2u);
}

static void find_frontends(struct part *t, size_t index)
{
	const struct object *o = t->b->service;
	const struct claim *c = claim_of(t->b->s, index);
	CLEANUP(buf_done) struct buf why = { 0 };
	const struct frontend_wish wish = frontend_wish(o, t->port);
	struct endpoint frontend;

	if (c && c->contest->winner == c)
		claim_won(t, c);
	else if (c)
		claim_lost(t, c);
	else if (o->type == SERVICE_NODE_PORT &&
		 !frontend_of(t->b->p->rules, &wish, &frontend, &why))
		problems_add_in(&t->pool->problems, true, o->path, o->line, "no frontend: %s",
				buf_cstr(&why));
	else if (o->type == SERVICE_LOAD_BALANCER)
		problems_add_in(&t->pool->problems, false, o->path, o->line,
				"no frontend: type LoadBalancer is not served by this version");
}

/* --- pools ----------------------------------------------------------------- */

/* Who answers DNS by TCP does so by UDP, too, at the port of that number. */
static bool suits(enum check_type type, uint8_t protocol)
{
	return type == CHECK_NONE || check_protocol(type) == protocol ||
	       (type == CHECK_DNS && protocol == IPPROTO_TCP);
}

/* What the settings of a Service mean for one of its ports. */
static void suit_protocol(struct part *t)
{
	struct pool *p = t->pool;
	const struct check *c = p->set.check;

	if (p->protocol != IPPROTO_UDP)
		p->set.one_packet = false;
	if (suits(c->type, p->protocol) || c->port)
		return;
	problems_add_in(
		&p->problems, false, t->b->service->path, t->b->service->line,
		"a port of %s cannot be checked by %s: not checked; name a %s port by "
		"parasaus.io/health-check-port, or say parasaus.io/health-check-type: %snone",
		protocol_name(p->protocol), check_type_text(c->type),
		protocol_name(check_protocol(c->type)),
		p->protocol == IPPROTO_UDP ? "dns, udp or " : "");
	p->set.check = t->b->p->no_check;
}

static const struct endpoint *frontend_of_family(const struct pool *p, uint8_t family)
{
	for (size_t i = 0; i < p->frontend_count; i++) {
		if (p->frontends[i].addr.family == family)
			return &p->frontends[i];
	}
	return NULL;
}

/* A tunnel may carry packets to servers of another family; a probe's are of the server's. */
static void tell_unreached(struct part *t)
{
	struct pool *p = t->pool;
	uint32_t count = 0;

	for (size_t i = 0; p->frontend_count && i < p->member_count; i++)
		count += !check_vip(p->set.check, p->members.any[i].endpoint.addr.family);
	if (count)
		problems_add_in(
			&p->problems, false, t->b->service->path, t->b->service->line,
			"parasaus.io/health-check-via: vip is not for servers of another family "
			"than the frontend: %u of its %u members are checked directly",
			count, p->member_count);
}

/* A check that goes by the VIP is another one with each VIP, and each way of forwarding. */
static void find_way(struct part *t)
{
	struct pool *p = t->pool;
	const struct endpoint *v4 = frontend_of_family(p, AF_INET);
	const struct endpoint *v6 = frontend_of_family(p, AF_INET6);
	struct check_way way = { 0 };

	if (p->set.check->via != CHECK_VIA_VIP || !p->frontend_count)
		return;
	if (v4)
		way.vip_v4 = v4->addr;
	if (v6)
		way.vip_v6 = v6->addr;
	if (p->set.forward == FORWARD_TUNNEL) {
		way.is_tunnel = true;
		way.tunnel_type = (uint8_t)p->set.tunnel.type;
		way.tunnel_port = p->set.tunnel.port;
	}
	t->own_check = check_intern(t->b->p, check_on_way(p->set.check, &way));
	p->set.check = t->own_check;
	tell_unreached(t);
}

static bool is_newer(const struct object_change *a, const struct object_change *than)
{
	return a && (!than->revision || a->revision > than->revision);
}

/*
 * Of all that it is made of, be it what another object outdoes: the newest revision, and of those
 * that say who it was the newest.
 */
static struct object_change newest_change(const struct build *b)
{
	static char nobody[] = "";
	struct object_change newest = { .user = nobody, .action = nobody }, known = newest;

	for (size_t i = 0; i < b->s->object_count; i++) {
		const struct object *o = b->s->objects[i];

		if (o->source != b->service->source)
			continue;
		if (is_newer(o->change, &newest))
			newest = *o->change;
		if (o->change && *o->change->user && is_newer(o->change, &known))
			known = *o->change;
	}
	known.revision = newest.revision;
	return known;
}

struct pool *build_pool(struct build *b, size_t index)
{
	const struct object *o = b->service;
	const struct object_port *port = &o->ports[index];
	struct object_change change = newest_change(b);
	char id[2 * OBJECT_NAME_MAX + 80];
	struct pool parts = {
		.id = id,
		.ns = o->ns,
		.service = o->name,
		.port_name = port->name,
		.source = o->source,
		.protocol = port->protocol,
		.local_wanted = o->local_wanted,
		.persistence_s = o->affinity_s,
		.set = b->set,
		.change = change.revision ? &change : NULL,
	};
	struct part t = { .b = b, .port = port, .pool = &parts };
	struct pool *made;

	pool_id(&parts, port->port, id, sizeof(id));
	problems_copy(&parts.problems, &b->problems);
	find_frontends(&t, index);
	suit_protocol(&t);
	find_members(&t);
	find_way(&t);
	made = pool_make(&parts);
	free(parts.frontends);
	free(parts.members.any);
	check_unref(t.own_check);
	return made;
}
