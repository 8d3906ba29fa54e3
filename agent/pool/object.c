/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Objects as values: how they are laid out, compared and freed. Reading is in decode.c. */
#include "agent/pool/object.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/pool/object_build.h"

#define PROBLEM_TEXT_MAX 512

const char *object_kind_text(enum object_kind k)
{
	switch (k) {
	case OBJECT_SERVICE:
		return "Service";
	case OBJECT_ENDPOINTS:
		return "Endpoints";
	case OBJECT_SLICE:
		return "EndpointSlice";
	case OBJECT_SECRET:
		return "Secret";
	}
	return "?";
}

/* Text and path are one allocation, the text's. */
static void add_text(struct problems *p, bool error, const char *path, unsigned line,
		     const char *text)
{
	size_t text_size = strlen(text) + 1, path_size = strlen(path) + 1;
	char *both = xmalloc(text_size + path_size);

	memcpy(both, text, text_size);
	memcpy(both + text_size, path, path_size);
	p->items = xreallocarray(p->items, p->count + 1, sizeof(*p->items));
	p->items[p->count++] = (struct problem){
		.error = error, .line = line, .path = both + text_size, .text = both
	};
}

/* False where no more are kept; the first left out leaves a word that it was. */
static bool has_room(struct problems *p)
{
	if (p->count == PROBLEMS_MAX)
		add_text(p, false, "", 0, "there are more problems, which are not listed");
	return p->count < PROBLEMS_MAX;
}

PRINTF_LIKE(5, 0)
static void add_formatted(struct problems *p, bool error, const char *path, unsigned line,
			  const char *fmt, va_list ap)
{
	char text[PROBLEM_TEXT_MAX];

	if (!has_room(p))
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	add_text(p, error, path, line, text);
}

void problems_add(struct problems *p, bool error, unsigned line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_formatted(p, error, "", line, fmt, ap);
	va_end(ap);
}

void problems_add_in(struct problems *p, bool error, const char *path, unsigned line,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_formatted(p, error, path, line, fmt, ap);
	va_end(ap);
}

void problems_copy(struct problems *to, const struct problems *from)
{
	for (size_t i = 0; i < from->count && has_room(to); i++)
		add_text(to, from->items[i].error, from->items[i].path, from->items[i].line,
			 from->items[i].text);
}

void problems_copy_in(struct problems *to, const struct problems *from, const char *path)
{
	for (size_t i = 0; i < from->count && has_room(to); i++)
		add_text(to, from->items[i].error, path, from->items[i].line, from->items[i].text);
}

void problems_done(struct problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->items[i].text);
	free(p->items);
	*p = (struct problems){ 0 };
}

bool object_is_label(const char *s)
{
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strspn(s, inner);

	return n > 0 && n <= 63 && s[n] == '\0' && s[0] != '-' && s[n - 1] != '-';
}

bool object_is_name(const char *s)
{
	char label[64];

	if (strlen(s) > OBJECT_NAME_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (n >= sizeof(label))
			return false;
		memcpy(label, s, n);
		label[n] = '\0';
		if (!object_is_label(label))
			return false;
		if (s[n] == '\0')
			return true;
		s += n + 1;
	}
}

const struct object_port *object_match_port(const struct object_port *port, size_t service_ports,
					    const struct object_port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ports[i].protocol == port->protocol && strcmp(ports[i].name, port->name) == 0)
			return &ports[i];
	}
	if (count == 1 && service_ports == 1 && ports[0].protocol == port->protocol &&
	    (!*ports[0].name || !*port->name))
		return &ports[0];
	return NULL;
}

static struct object_port *pack_ports(struct pack *p, struct object_port *from, size_t count)
{
	struct object_port *to = pack_bytes(p, from, count * sizeof(*from));

	for (size_t i = 0; i < count; i++) {
		char *name = pack_str(p, from[i].name);

		if (p->block)
			to[i].name = name;
	}
	return to;
}

struct object_address object_address_at(const struct object_subset *s, size_t i)
{
	const struct object_address_v4 *a;
	struct object_address out = { .addr.family = AF_INET };

	if (!s->addresses.v4)
		return s->addresses.any[i];
	a = &s->addresses.v4[i];
	memcpy(out.addr.bytes, a->bytes, sizeof(a->bytes));
	out.ready = a->ready;
	out.serving = a->serving;
	out.terminating = a->terminating;
	out.local = a->local;
	return out;
}

static bool are_v4(const struct object_subset *s)
{
	for (size_t i = 0; i < s->address_count; i++) {
		if (s->addresses.any[i].addr.family != AF_INET)
			return false;
	}
	return true;
}

static struct object_addresses pack_addresses(struct pack *p, const struct object_subset *from)
{
	const struct object_address *any = from->addresses.any;
	struct object_addresses to = { 0 };

	if (!are_v4(from)) {
		to.any = pack_bytes(p, from->addresses.any, from->address_count * sizeof(*to.any));
		return to;
	}
	to.v4 = pack_room(p, from->address_count * sizeof(*to.v4));
	for (size_t i = 0; to.v4 && i < from->address_count; i++) {
		to.v4[i] = (struct object_address_v4){ .ready = any[i].ready,
						       .serving = any[i].serving,
						       .terminating = any[i].terminating,
						       .local = any[i].local };
		memcpy(to.v4[i].bytes, any[i].addr.bytes, sizeof(to.v4[i].bytes));
	}
	return to;
}

static struct object_subset *pack_subsets(struct pack *p, const struct object *o)
{
	struct object_subset *to = pack_bytes(p, o->subsets, o->subset_count * sizeof(*to));

	for (size_t i = 0; i < o->subset_count; i++) {
		const struct object_subset *from = &o->subsets[i];
		struct object_port *ports = pack_ports(p, from->ports, from->port_count);
		struct object_addresses addresses = pack_addresses(p, from);

		if (p->block) {
			to[i].ports = ports;
			to[i].addresses = addresses;
		}
	}
	return to;
}

static struct object_annotation *pack_annotations(struct pack *p, const struct object *o)
{
	struct object_annotation *to = pack_bytes(p, o->annotations,
						  o->annotation_count * sizeof(*to));

	for (size_t i = 0; i < o->annotation_count; i++) {
		char *key = pack_str(p, o->annotations[i].key);
		char *value = pack_str(p, o->annotations[i].value);

		if (p->block) {
			to[i].key = key;
			to[i].value = value;
		}
	}
	return to;
}

struct object_change *object_pack_change(struct pack *p, struct object_change *from)
{
	struct object_change *to;
	char *user, *action;

	if (!from)
		return NULL;
	to = pack_bytes(p, from, sizeof(*from));
	user = pack_str(p, from->user);
	action = pack_str(p, from->action);
	if (p->block) {
		to->user = user;
		to->action = action;
	}
	return to;
}

/* Returns the copy, or `from` itself while measuring. */
static struct object *pack_object(struct pack *p, struct object *from)
{
	struct object *to = pack_bytes(p, from, sizeof(*from));
	struct object parts = *from;

	parts.path = pack_str(p, from->path);
	parts.ns = pack_str(p, from->ns);
	parts.name = pack_str(p, from->name);
	parts.service = strcmp(from->service, from->name) == 0 ? parts.name
							       : pack_str(p, from->service);
	parts.uid = pack_str(p, from->uid);
	parts.revision = pack_str(p, from->revision);
	parts.change = object_pack_change(p, from->change);
	parts.annotations = pack_annotations(p, from);
	parts.ports = pack_ports(p, from->ports, from->port_count);
	parts.held = pack_bytes(p, from->held, from->held_count * sizeof(*from->held));
	parts.subsets = pack_subsets(p, from);
	if (p->block)
		*to = parts;
	return to;
}

/* A Secret's is of this process alone, as its key is: it is never saved. */
static uint64_t hash_content(const struct object *o)
{
	struct buf b = { 0 };
	uint64_t h;

	object_put_values(&b, o);
	if (o->secret)
		wire_put_u64(&b, secret_hash(o->secret));
	h = hash_id(b.data, b.len);
	buf_done(&b);
	return h;
}

static uint64_t hash_place(const struct object *o)
{
	struct buf b = { 0 };
	uint64_t h;

	wire_put_u32(&b, o->line);
	wire_put_str(&b, o->revision);
	wire_put_u64(&b, o->change ? o->change->revision : 0);
	for (size_t i = 0; i < o->annotation_count; i++)
		wire_put_u32(&b, o->annotations[i].line);
	for (size_t i = 0; i < o->problems.count; i++)
		wire_put_u32(&b, o->problems.items[i].line);
	h = hash_id(b.data, b.len);
	buf_done(&b);
	return h;
}

struct object *object_make(struct object *parts)
{
	struct pack p = { 0 };

	parts->content = hash_content(parts);
	parts->place = hash_place(parts);
	(void)pack_object(&p, parts);
	p = (struct pack){ .block = xmalloc(p.used) };
	return pack_object(&p, parts);
}

void object_free(struct object *o)
{
	if (!o)
		return;
	problems_done(&o->problems);
	secret_free(o->secret);
	free(o);
}

bool object_same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && a->source == b->source && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->ns, b->ns) == 0 && strcmp(a->path, b->path) == 0;
}

bool object_is(const void *object, const void *key)
{
	return object_same(object, key);
}

uint64_t object_hash(const struct object *o)
{
	uint64_t ns = hash_table_str(o->ns);
	/* Rotated: "a/b" and "b/a" are different. */
	uint64_t h = ((ns << 7 | ns >> 57) ^ hash_table_str(o->name)) + hash_table_str(o->path);

	return h ^ ((uint64_t)o->kind << 32 | o->source);
}

struct object *object_identity(const struct object *o)
{
	size_t path = strlen(o->path) + 1, ns = strlen(o->ns) + 1, name = strlen(o->name) + 1;
	struct object *i = xcalloc(1, sizeof(*i) + path + ns + name);
	char *strings = (char *)(i + 1);

	i->kind = o->kind;
	i->source = o->source;
	i->path = memcpy(strings, o->path, path);
	i->ns = memcpy(strings + path, o->ns, ns);
	i->name = memcpy(strings + path + ns, o->name, name);
	return i;
}
