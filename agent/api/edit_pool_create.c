/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new pool: a Service and Endpoints of its own. Without a port it gets the
 * lowest of the address pools that nobody has and no write that waits asks for;
 * the store's unique index has the last word, and then the next one is tried.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/api/edit_pool_body.h"
#include "agent/api/schema.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/model.h"
#include "agent/pool/object_build.h"
#include "agent/pool/pool_make.h"

#define TRIES_MAX 16

struct wish {
	const struct doc *body;
	const char *ns, *name, *port_name;
	uint8_t protocol;
	uint16_t port;			 /* 0: any */
	uint16_t above;			 /* then none up to this: they are taken */
	uint16_t tried;			 /* last */
	const struct address_pool *from; /* NULL: any */
	unsigned tries;
};

/* --- what is asked for --------------------------------------------------------------------------- */

static void check_label(struct edit *e, const char *key, const char *text)
{
	if (!object_is_label(text))
		problems_add(
			&e->errors, true, 0,
			"%s is \"%.64s\": lower-case letters, digits and '-' only, at most 63, "
			"a letter or digit at both ends",
			key, text);
}

static void read_protocol(struct edit *e, const char *text, uint8_t *out)
{
	*out = IPPROTO_TCP;
	if (text && !protocol_of_name(text, out))
		problems_add(&e->errors, true, 0, "protocol is \"%.64s\": write TCP, UDP or SCTP",
			     text);
}

static void read_wish(struct edit *e, struct wish *out)
{
	static const char *const fields[] = { REST_NAMESPACE,	  REST_NAME,
					      REST_PORT_NAME,	  REST_PROTOCOL,
					      REST_PORT,	  REST_SETTINGS,
					      REST_MEMBERS_FIELD, REST_ADDRESS_POOL_FIELD };
	const struct doc *body = pool_body(e, fields, ARRAY_LEN(fields));
	uint64_t port = 0;

	*out = (struct wish){ .body = body };
	if (!body)
		return;
	out->ns = pool_body_text(e, body, "", REST_NAMESPACE);
	out->name = pool_body_text(e, body, "", REST_NAME);
	out->port_name = pool_body_text(e, body, "", REST_PORT_NAME);
	read_protocol(e, pool_body_text(e, body, "", REST_PROTOCOL), &out->protocol);
	out->ns = out->ns ? out->ns : "default";
	out->port_name = out->port_name ? out->port_name : "";
	check_label(e, REST_NAMESPACE, out->ns);
	check_label(e, REST_NAME, out->name ? out->name : "");
	if (*out->port_name)
		check_label(e, REST_PORT_NAME, out->port_name);
	if (pool_body_number(e, body, "", REST_PORT, 1, UINT16_MAX, &port))
		out->port = (uint16_t)port;
}

/* --- frontends -------------------------------------------------------------------------------------- */

static bool frontend_at(const struct edit *e, const struct wish *w, uint16_t port,
			struct endpoint *out)
{
	const struct object_port p = { .protocol = w->protocol, .port = port, .node_port = port };
	const struct frontend_wish wish = { .ns = w->ns, .port = &p };
	CLEANUP(buf_done) struct buf why = { 0 };

	return frontend_of(e->rules, &wish, out, &why);
}

/* Where a port is named as well, it has to be served out of the address pool that is named. */
static void read_address_pool(struct edit *e, struct wish *w)
{
	const char *name = pool_body_text(e, w->body, "", REST_ADDRESS_POOL_FIELD);
	struct endpoint at;

	if (!name)
		return;
	w->from = pool_rules_named(e->rules, name);
	if (!w->from)
		problems_add(&e->errors, true, 0,
			     REST_ADDRESS_POOL_FIELD ": there is no address pool '%.64s'", name);
	else if (!address_pool_serves(w->from, w->ns))
		problems_add(&e->errors, true, 0,
			     REST_ADDRESS_POOL_FIELD ": '%s' is not for the namespace %.64s",
			     w->from->name, w->ns);
	else if (w->port && frontend_at(e, w, w->port, &at) && !address_pool_has(w->from, &at))
		problems_add(&e->errors, true, 0,
			     REST_ADDRESS_POOL_FIELD ": port %u is not served out of '%s' but of "
						     "'%s'",
			     w->port, w->from->name, pool_rules_pool(e->rules, &at, w->ns)->name);
}

/* The Service of another source that has this frontend; NULL: none has. */
static const struct object *foreign_holder(const struct edit *e, const struct endpoint *at)
{
	const struct object *o = e->place->pools ? pools_frontend(e->place->pools, at) : NULL;

	return o && o->source != e->place->store_source ? o : NULL;
}

static bool is_free(struct edit *e, const struct endpoint *at)
{
	return !foreign_holder(e, at) && e->backend->is_free(e, at);
}

/* That of the first member; 0: any. Members of the other family would not be used. */
static uint8_t family_of(const struct wish *w)
{
	const struct doc *members = doc_get(w->body, REST_MEMBERS_FIELD);
	const char *address = members ? doc_string(doc_get(members->first, REST_ADDRESS)) : NULL;
	struct addr a;

	return address && addr_parse(address, &a) == 0 ? a.family : 0;
}

static uint16_t lowest_free(struct edit *e, const struct wish *w)
{
	uint8_t family = family_of(w);
	struct endpoint at;

	for (size_t i = 0; i < e->rules->address_pool_count; i++) {
		const struct address_pool *p = &e->rules->address_pools[i];

		/* Whoever names one may have what is not given out without that. */
		if (w->from ? p != w->from : p->manual)
			continue;
		for (unsigned port = p->ports.first; port <= p->ports.last; port++) {
			if (port <= w->above || address_pool_reserves(p, (uint16_t)port) ||
			    !frontend_at(e, w, (uint16_t)port, &at) || !address_pool_has(p, &at))
				continue;
			if (family && at.addr.family != family)
				break; /* all of them are at one address */
			if (is_free(e, &at))
				return (uint16_t)port;
		}
	}
	return 0;
}

static void refuse_full(struct edit *e, const struct wish *w)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	const struct address_pool *all = w->from ? w->from : e->rules->address_pools;
	size_t count = w->from ? 1 : e->rules->address_pool_count;

	if (!count)
		buf_str(&text,
			"there is no address pool: say addressPools in the configuration, or "
			"apply a document of kind AddressPool");
	for (size_t i = 0; i < count && i < 8; i++) {
		const struct address_pool *p = &all[i];

		buf_printf(&text, "%saddress pool %.64s has %u ports (%u-%u)%s",
			   i ? ", " : "no port is free: ", p->name,
			   p->ports.last - p->ports.first + 1u, p->ports.first, p->ports.last,
			   i + 1 == count ? " in all" : "");
	}
	if (count)
		buf_printf(&text, ", taken for %s, kept back, or of no use to these members",
			   protocol_text(w->protocol));
	edit_refuse(e, PROBLEM_NO_FREE_PORT, buf_cstr(&text));
}

/* --- all of it ---------------------------------------------------------------------------------------- */

struct new_member {
	struct endpoint at;
	uint32_t weight;
	bool own; /* the weight is said */
};

static int by_port(const void *a, const void *b)
{
	const struct endpoint *x = &((const struct new_member *)a)->at;
	const struct endpoint *y = &((const struct new_member *)b)->at;

	return x->port != y->port ? (x->port > y->port) - (x->port < y->port) : endpoint_cmp(x, y);
}

static size_t read_members(struct pool_documents *d, const struct doc *list, struct new_member *out)
{
	size_t n = 0, count = 0;

	for (const struct doc *i = list->first; i; i = i->next, n++) {
		struct pool_member m;
		char where[32];
		bool own;

		snprintf(where, sizeof(where), "members[%zu].", n);
		if (pool_body_member(d, i, where, &m, &own))
			out[count++] = (struct new_member){ m.endpoint, m.weight, own };
	}
	return count;
}

static void set_weights(struct pool_documents *d, const struct new_member *all, size_t count)
{
	CLEANUP(buf_done) struct buf weights = { 0 };
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < count; i++)
		if (all[i].own)
			buf_printf(&weights, "%s%s=%u", weights.len ? "," : "",
				   endpoint_text(&all[i].at, text), all[i].weight);
	if (!weights.len)
		return;
	if (pool_setting(d, "weights"))
		problems_add(&d->e->errors, true, 0,
			     "settings.weights: members have weights of their own: say them once");
	pool_set_setting(d, "weights", buf_cstr(&weights));
}

static void add_members(struct pool_documents *d, const struct doc *list)
{
	struct new_member *all;
	struct endpoint *places;
	size_t count;

	if (list && list->type != DOC_LIST)
		problems_add(&d->e->errors, true, 0, "members is %s where a list belongs",
			     doc_type_text(list->type));
	if (!list || list->type != DOC_LIST)
		return;
	all = arena_take(&d->e->arena, (list->count + 1) * sizeof(*all));
	places = arena_take(&d->e->arena, (list->count + 1) * sizeof(*places));
	count = read_members(d, list, all);
	if (count > 1)
		qsort(all, count, sizeof(*all), by_port);
	for (size_t i = 0; i < count; i++) {
		char text[ENDPOINT_TEXT_MAX];

		places[i] = all[i].at;
		if (i && by_port(&all[i - 1], &all[i]) == 0)
			problems_add(&d->e->errors, true, 0, "members: %s is there twice",
				     endpoint_text(&places[i], text));
	}
	pool_make_members(d, places, count);
	set_weights(d, all, count);
}

/* kube-proxy leaves a Service with this label alone. */
static void leave_to_us(struct pool_documents *d)
{
	struct arena *a = &d->e->arena;
	struct tree *metadata = tree_need_map(a, d->service.tree, "metadata");

	tree_set(tree_need_map(a, metadata, "labels"), "service.kubernetes.io/service-proxy-name",
		 tree_new(a, DOC_STRING, "parasaus"));
}

/* The pool at this port; its id is known by then. */
static void compose(struct edit *e, const struct wish *w, uint16_t port)
{
	const struct object_port p = { .name = (char *)(uintptr_t)w->port_name,
				       .protocol = w->protocol,
				       .port = port };
	const struct pool parts = { .ns = (char *)(uintptr_t)w->ns,
				    .service = (char *)(uintptr_t)w->name,
				    .port_name = p.name,
				    .protocol = w->protocol };
	struct pool_documents d = { .e = e };
	char *id = arena_take(&e->arena, 3 * OBJECT_NAME_MAX);

	pool_id(&parts, port, id, 3 * OBJECT_NAME_MAX);
	d.id = id;
	pool_documents_make(&d, w->ns, w->name, &p);
	pool_set_port(&d, port);
	if (e->cluster)
		leave_to_us(&d);
	pool_body_settings(&d, doc_get(w->body, REST_SETTINGS));
	add_members(&d, doc_get(w->body, REST_MEMBERS_FIELD));
	e->location = pool_path(e, id, NULL);
	pool_write(&d, "create");
}

static bool again(struct edit *e)
{
	struct wish *w = e->wish;
	uint16_t port;

	if (w->port || ++w->tries == TRIES_MAX)
		return false;
	/* What is taken in the store is seen there; of a cluster nothing but the refusal is. */
	if (e->cluster)
		w->above = w->tried;
	port = lowest_free(e, w);
	if (!port)
		return false;
	edit_drop_documents(e);
	w->tried = port;
	compose(e, w, port);
	return true;
}

/* A name or a frontend of another source is not in the store. */
static bool is_foreign(struct edit *e, const struct wish *w)
{
	const struct object *named = e->place->pools
					     ? pools_service(e->place->pools, w->ns, w->name)
					     : NULL;
	CLEANUP(buf_done) struct buf where = { 0 };
	const struct object *holder;
	struct endpoint at;
	struct err err;

	if (named && named->source != e->place->store_source) {
		edit_put_source(e, named->source, &where);
		err_set(&err, -EEXIST, "Service %s/%s is from %s", w->ns, w->name,
			buf_cstr(&where));
		edit_refuse(e, PROBLEM_NAME_TAKEN, err.text);
		return true;
	}
	holder = w->port && frontend_at(e, w, w->port, &at) ? foreign_holder(e, &at) : NULL;
	if (!holder)
		return false;
	edit_put_source(e, holder->source, &where);
	err_set(&err, -EEXIST, "port %u is that of Service %s/%s, from %s", w->port, holder->ns,
		holder->name, buf_cstr(&where));
	edit_refuse(e, PROBLEM_FRONTEND_TAKEN, err.text);
	return true;
}

void edit_pool_create(struct edit *e)
{
	struct wish *w = arena_take(&e->arena, sizeof(*w));
	uint16_t port;

	e->is_new = true;
	read_wish(e, w);
	if (w->body)
		read_address_pool(e, w);
	if (e->errors.count) {
		edit_write(e, "create"); /* says what is wrong */
		return;
	}
	if (is_foreign(e, w))
		return;
	port = w->port ? w->port : lowest_free(e, w);
	if (!port) {
		refuse_full(e, w);
		return;
	}
	w->tried = port;
	e->wish = w;
	e->again = again;
	compose(e, w, port);
}
