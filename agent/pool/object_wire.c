/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects as bytes, for the state file; and the bytes that tell whether one has changed. */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/base/arena.h"
#include "agent/pool/object.h"
#include "agent/pool/object_build.h"

#define PATH_TEXT_MAX	4096
#define CHANGE_WORD_MAX 1024 /* bytes of who and what */
#define SUBSETS_MAX	OBJECT_ADDRESSES_MAX
#define HOLDS		4u /* of the flags */
#define LOCAL_WANTED	8u
#define FLAGS_ALL	15u

static void put_ports(struct buf *b, const struct object_port *ports, size_t count)
{
	wire_put_u16(b, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		wire_put_str(b, ports[i].name);
		wire_put_u8(b, ports[i].protocol);
		wire_put_u16(b, ports[i].port);
		wire_put_u16(b, ports[i].node_port);
	}
}

static void put_subset(struct buf *b, const struct object_subset *s)
{
	put_ports(b, s->ports, s->port_count);
	wire_put_u16(b, (uint16_t)s->address_count);
	for (size_t i = 0; i < s->address_count; i++) {
		const struct object_address address = object_address_at(s, i), *a = &address;

		wire_put_addr(b, &a->addr);
		wire_put_u8(b, (uint8_t)(a->ready | a->serving << 1 | a->terminating << 2 |
					 a->local << 3));
	}
}

/* There only where a flag says so: what was written before there was such a thing is read as well. */
static void put_held(struct buf *b, const struct object *o)
{
	wire_put_u16(b, (uint16_t)o->held_count);
	for (size_t i = 0; i < o->held_count; i++)
		wire_put_endpoint(b, &o->held[i]);
}

void object_put_values(struct buf *b, const struct object *o)
{
	wire_put_u8(b, (uint8_t)o->kind);
	wire_put_str(b, o->ns);
	wire_put_str(b, o->name);
	wire_put_str(b, o->service);
	wire_put_str(b, o->uid);
	wire_put_i64(b, o->created_ms);
	wire_put_u16(b, (uint16_t)o->annotation_count);
	for (size_t i = 0; i < o->annotation_count; i++) {
		wire_put_str(b, o->annotations[i].key);
		wire_put_str(b, o->annotations[i].value);
	}
	wire_put_u16(b, (uint16_t)o->problems.count);
	for (size_t i = 0; i < o->problems.count; i++) {
		wire_put_u8(b, o->problems.items[i].error);
		wire_put_str(b, o->problems.items[i].text);
	}
	wire_put_u8(b, (uint8_t)o->type);
	put_ports(b, o->ports, o->port_count);
	wire_put_u32(b, o->affinity_s);
	wire_put_u8(b, (uint8_t)(o->use_not_ready | o->mirrored << 1 | HOLDS * (o->held_count > 0) |
				 LOCAL_WANTED * o->local_wanted));
	if (o->held_count)
		put_held(b, o);
	wire_put_u16(b, (uint16_t)o->subset_count);
	for (size_t i = 0; i < o->subset_count; i++)
		put_subset(b, &o->subsets[i]);
}

static void put_change(struct buf *b, const struct object_change *c)
{
	wire_put_u8(b, c != NULL);
	if (!c)
		return;
	wire_put_u64(b, c->revision);
	wire_put_i64(b, c->at_ms);
	wire_put_str(b, c->user);
	wire_put_str(b, c->action);
}

void wire_put_object(struct buf *b, const struct object *o)
{
	assert(o->kind != OBJECT_SECRET);
	wire_put_u32(b, o->source);
	wire_put_u8(b, o->from_cluster);
	wire_put_str(b, o->path);
	wire_put_u32(b, o->line);
	wire_put_str(b, o->revision);
	put_change(b, o->change);
	object_put_values(b, o);
	for (size_t i = 0; i < o->annotation_count; i++)
		wire_put_u32(b, o->annotations[i].line);
	for (size_t i = 0; i < o->problems.count; i++)
		wire_put_u32(b, o->problems.items[i].line);
}

/* --- and back: every length, count and value is checked -------------------- */

struct reading {
	struct wire *w;
	struct arena arena;
	size_t addresses; /* of all subsets */
};

static bool spoil(struct reading *r)
{
	r->w->bad = true;
	return false;
}

static char *take_str(struct reading *r, size_t max)
{
	size_t len = wire_u16(r->w);
	char *s;

	if (len > max || len > r->w->left) {
		spoil(r);
		return arena_strdup(&r->arena, "");
	}
	s = arena_take(&r->arena, len + 1);
	wire_bytes(r->w, s, len);
	if (memchr(s, '\0', len))
		spoil(r);
	return s;
}

/* A count that is too large, or for which there are not even that many bytes, is 0 and bad. */
static uint32_t take_count(struct reading *r, size_t max)
{
	uint32_t n = wire_u16(r->w);

	if (n <= max && n <= r->w->left)
		return n;
	spoil(r);
	return 0;
}

static bool take_bool(struct reading *r)
{
	uint8_t v = wire_u8(r->w);

	return v <= 1 ? v : spoil(r);
}

static struct object_port *take_ports(struct reading *r, uint32_t *out_count)
{
	uint32_t n = take_count(r, OBJECT_PORTS_MAX);
	struct object_port *ports = arena_take(&r->arena, n * sizeof(*ports));

	for (size_t i = 0; i < n; i++) {
		struct object_port *p = &ports[i];

		p->name = take_str(r, 63);
		p->protocol = wire_u8(r->w);
		p->port = wire_u16(r->w);
		p->node_port = wire_u16(r->w);
		if (!protocol_is_served(p->protocol) || p->port == 0 ||
		    (p->name[0] && !object_is_label(p->name)))
			spoil(r);
	}
	*out_count = n;
	return ports;
}

static void take_subset(struct reading *r, struct object_subset *s)
{
	s->ports = take_ports(r, &s->port_count);
	s->address_count = take_count(r, OBJECT_ADDRESSES_MAX - r->addresses);
	r->addresses += s->address_count;
	s->addresses.any = arena_take(&r->arena, s->address_count * sizeof(*s->addresses.any));
	for (size_t i = 0; i < s->address_count; i++) {
		struct object_address *a = &s->addresses.any[i];
		uint8_t bits;

		a->addr = wire_addr(r->w);
		bits = wire_u8(r->w);
		if (a->addr.family == 0 || bits > 15)
			spoil(r);
		a->ready = bits & 1;
		a->serving = bits & 2;
		a->terminating = bits & 4;
		a->local = bits & 8;
	}
}

static void take_annotations(struct reading *r, struct object *o)
{
	o->annotation_count = take_count(r, OBJECT_ANNOTATIONS_MAX);
	o->annotations = arena_take(&r->arena, o->annotation_count * sizeof(*o->annotations));
	for (size_t i = 0; i < o->annotation_count; i++) {
		o->annotations[i].key = take_str(r, OBJECT_NAME_MAX);
		o->annotations[i].value = take_str(r, OBJECT_VALUE_MAX);
	}
}

static void take_problems(struct reading *r, struct object *o)
{
	size_t n = take_count(r, PROBLEMS_MAX + 1);

	for (size_t i = 0; i < n && !r->w->bad; i++) {
		bool error = take_bool(r);

		problems_add(&o->problems, error, 0, "%s", take_str(r, OBJECT_VALUE_MAX));
	}
	if (o->problems.count != n)
		spoil(r);
}

static void take_held(struct reading *r, struct object *o)
{
	o->held_count = take_count(r, OBJECT_HELD_MAX);
	o->held = arena_take(&r->arena, o->held_count * sizeof(*o->held));
	if (o->held_count == 0 || o->kind != OBJECT_SERVICE)
		spoil(r);
	for (size_t i = 0; i < o->held_count; i++) {
		o->held[i] = wire_endpoint(r->w);
		if (!o->held[i].addr.family)
			spoil(r);
	}
}

static void take_flags(struct reading *r, struct object *o)
{
	uint8_t bits = wire_u8(r->w);

	if (bits > FLAGS_ALL)
		spoil(r);
	o->use_not_ready = bits & 1;
	o->mirrored = bits & 2;
	o->local_wanted = bits & LOCAL_WANTED;
	if (bits & HOLDS)
		take_held(r, o);
}

static void take_values(struct reading *r, struct object *o)
{
	o->kind = wire_u8(r->w);
	o->ns = take_str(r, 63);
	o->name = take_str(r, OBJECT_NAME_MAX);
	o->service = take_str(r, OBJECT_NAME_MAX);
	o->uid = take_str(r, OBJECT_NAME_MAX);
	o->created_ms = wire_i64(r->w);
	take_annotations(r, o);
	take_problems(r, o);
	o->type = wire_u8(r->w);
	o->ports = take_ports(r, &o->port_count);
	o->affinity_s = wire_u32(r->w);
	take_flags(r, o);
	o->subset_count = take_count(r, SUBSETS_MAX);
	o->subsets = arena_take(&r->arena, o->subset_count * sizeof(*o->subsets));
	for (size_t i = 0; i < o->subset_count && !r->w->bad; i++)
		take_subset(r, &o->subsets[i]);
	if (o->kind < OBJECT_SERVICE || o->kind > OBJECT_SLICE || o->type > SERVICE_EXTERNAL_NAME ||
	    o->affinity_s > OBJECT_AFFINITY_MAX || !object_is_label(o->ns) ||
	    !object_is_name(o->name) || !object_is_name(o->service))
		spoil(r);
}

static struct object_change *take_change(struct reading *r)
{
	struct object_change *c;

	if (!take_bool(r))
		return NULL;
	c = arena_take(&r->arena, sizeof(*c));
	c->revision = wire_u64(r->w);
	c->at_ms = wire_i64(r->w);
	c->user = take_str(r, CHANGE_WORD_MAX);
	c->action = take_str(r, CHANGE_WORD_MAX);
	return c;
}

struct object *wire_object(struct wire *w)
{
	struct reading r = { .w = w };
	struct object parts = { 0 }, *o = NULL;

	parts.source = wire_u32(w);
	parts.from_cluster = take_bool(&r);
	parts.path = take_str(&r, PATH_TEXT_MAX);
	parts.line = wire_u32(w);
	parts.revision = take_str(&r, OBJECT_NAME_MAX);
	parts.change = take_change(&r);
	take_values(&r, &parts);
	for (size_t i = 0; i < parts.annotation_count; i++)
		parts.annotations[i].line = wire_u32(w);
	for (size_t i = 0; i < parts.problems.count; i++)
		parts.problems.items[i].line = wire_u32(w);
	if (w->bad)
		problems_done(&parts.problems);
	else
		o = object_make(&parts);
	arena_done(&r.arena);
	return o;
}
