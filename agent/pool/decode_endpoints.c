/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Endpoints, v1, and EndpointSlice, discovery.k8s.io/v1. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/pool/decode.h"

/*
 * "010.1.001.1" as 10.1.1.1: an API server took such for years and keeps what it took; inet_aton()
 * would read them as octal. False where it is not four decimal numbers.
 */
static bool without_zeros(const char *s, char out[static ADDR_TEXT_MAX])
{
	unsigned part[4];
	char rest;

	if (strspn(s, "0123456789.") != strlen(s) || strlen(s) > 15 ||
	    sscanf(s, "%3u.%3u.%3u.%3u%c", &part[0], &part[1], &part[2], &part[3], &rest) != 4)
		return false;
	snprintf(out, ADDR_TEXT_MAX, "%u.%u.%u.%u", part[0], part[1], part[2], part[3]);
	return true;
}

bool object_address(const char *s, struct addr *out)
{
	char plain[ADDR_TEXT_MAX];
	struct addr a;

	if (addr_parse(s, &a) < 0 && (!without_zeros(s, plain) || addr_parse(plain, &a) < 0))
		return false;
	(void)addr_unmap(&a); /* as Go has it, and so kube-proxy */
	*out = a;
	return true;
}

static bool read_address(struct decode *c, const struct doc *v, const char *where, struct addr *out)
{
	const char *s = doc_string(v);
	char plain[ADDR_TEXT_MAX];
	bool odd = false;

	if (!s || addr_parse(s, out) < 0) {
		odd = s && without_zeros(s, plain) && addr_parse(plain, out) == 0;
		if (!odd) {
			decode_note(c, true, v->line,
				    "%s is " QUOTED_MAX
				    ", which is no IP address (names are not looked up); not used",
				    where, decode_says(v));
			return false;
		}
	}
	if (addr_unmap(out) || odd)
		decode_note(c, false, v->line, "%s is \"%s\"; taken as %s", where, s,
			    addr_text(out, plain));
	return true;
}

static int count_addresses(struct decode *c, const struct doc *d, size_t count, struct err *err)
{
	c->addresses += count;
	if (c->addresses <= OBJECT_ADDRESSES_MAX)
		return 0;
	return decode_refuse(err, -EINVAL, d->line, "%s: more than %d addresses",
			     object_kind_text(c->parts.kind), OBJECT_ADDRESSES_MAX);
}

/* A name that is missing or odd is no one's. */
static bool is_local(const struct decode *c, const struct doc *d)
{
	const char *name = doc_string(doc_get(d, "nodeName"));

	return c->node && name && strcmp(name, c->node) == 0;
}

/* Ports of a subset or a slice; of two of one name and protocol the second is left out. */
static int read_ports(struct decode *c, const struct doc *list, const char *where,
		      struct object_subset *s, struct err *err)
{
	static const char *const known[] = { "appProtocol", "name", "port", "protocol" };
	size_t n = 0;

	if (!list)
		return 0;
	if (list->count > OBJECT_PORTS_MAX)
		return decode_refuse(err, -EINVAL, list->line, "%s: %s has %zu entries, %d at most",
				     object_kind_text(c->parts.kind), where, list->count,
				     OBJECT_PORTS_MAX);
	s->ports = arena_take(&c->arena, list->count * sizeof(*s->ports));
	for (const struct doc *d = list->first; d; d = d->next, n++) {
		char name[FIELD_TEXT_MAX];
		struct object_port p;
		bool again = false;

		snprintf(name, sizeof(name), "%.64s[%zu]", where, n);
		decode_known(c, d, name, known, ARRAY_LEN(known));
		if (!decode_port(c, d, name, &p))
			continue;
		for (size_t i = 0; i < s->port_count && !again; i++)
			again = s->ports[i].protocol == p.protocol &&
				strcmp(s->ports[i].name, p.name) == 0;
		if (again)
			decode_note(c, true, d->line,
				    "%s has the name \"%s\", which an earlier port has; not used",
				    name, p.name);
		else
			s->ports[s->port_count++] = p;
	}
	return 0;
}

/* --- Endpoints ------------------------------------------------------------- */

static void read_subset_addresses(struct decode *c, const struct doc *list, const char *where,
				  bool ready, struct object_subset *s)
{
	static const char *const known[] = { "hostname", "ip", "nodeName", "targetRef" };
	size_t n = 0;

	for (const struct doc *d = list ? list->first : NULL; d; d = d->next, n++) {
		struct object_address *a = &s->addresses.any[s->address_count];
		const struct doc *ip = doc_get(d, "ip");
		char name[FIELD_TEXT_MAX];

		snprintf(name, sizeof(name), "%.64s[%zu].ip", where, n);
		decode_known(c, d->type == DOC_MAP ? d : NULL, where, known, ARRAY_LEN(known));
		if (!ip) {
			decode_note(c, true, d->line, "%s is missing: write - ip: ADDRESS", name);
			continue;
		}
		if (read_address(c, ip, name, &a->addr)) {
			a->ready = a->serving = ready;
			a->local = is_local(c, d);
			s->address_count++;
		}
	}
}

static int read_subset(struct decode *c, const struct doc *d, size_t index, struct err *err)
{
	static const char *const known[] = { "addresses", "notReadyAddresses", "ports" };
	struct object_subset s = { 0 };
	char where[FIELD_TEXT_MAX], name[FIELD_TEXT_MAX];
	const struct doc *ready, *not_ready;
	size_t count;
	int r;

	snprintf(where, sizeof(where), "subsets[%zu]", index);
	if (d->type != DOC_MAP) {
		decode_note(c, true, d->line, "%s is " QUOTED_MAX " where a map belongs; not used",
			    where, decode_says(d));
		return 0;
	}
	decode_known(c, d, where, known, ARRAY_LEN(known));
	ready = decode_child(c, d, where, "addresses", DOC_LIST);
	not_ready = decode_child(c, d, where, "notReadyAddresses", DOC_LIST);
	count = (ready ? ready->count : 0) + (not_ready ? not_ready->count : 0);
	r = count_addresses(c, d, count, err);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%.64s.ports", where);
	r = read_ports(c, decode_child(c, d, where, "ports", DOC_LIST), name, &s, err);
	if (r < 0)
		return r;
	s.addresses.any = arena_take(&c->arena, count * sizeof(*s.addresses.any));
	snprintf(name, sizeof(name), "%.64s.addresses", where);
	read_subset_addresses(c, ready, name, true, &s);
	snprintf(name, sizeof(name), "%.64s.notReadyAddresses", where);
	read_subset_addresses(c, not_ready, name, false, &s);
	if (s.port_count == 0 && s.address_count > 0)
		decode_note(c, true, d->line, "%s has no usable port: its addresses are not used",
			    where);
	else
		c->parts.subsets[c->parts.subset_count++] = s;
	return 0;
}

int decode_endpoints(struct decode *c, const struct doc *d, struct err *err)
{
	static const char *const known[] = { "apiVersion", "kind", "metadata", "subsets",
					     "annotations" };
	const struct doc *list = decode_child(c, d, "", "subsets", DOC_LIST);
	size_t n = 0;
	int r = 0;

	decode_known(c, d, "", known, ARRAY_LEN(known));
	if (!list)
		return 0;
	if (list->count > OBJECT_ADDRESSES_MAX)
		return count_addresses(c, list, list->count, err);
	c->parts.subsets = arena_take(&c->arena, list->count * sizeof(*c->parts.subsets));
	for (const struct doc *s = list->first; s && r == 0; s = s->next, n++)
		r = read_subset(c, s, n, err);
	return r;
}

/* --- EndpointSlice --------------------------------------------------------- */

/* What is not said is ready, serving, and not terminating. */
static void read_conditions(struct decode *c, const struct doc *d, const char *where,
			    struct object_address *a)
{
	static const char *const known[] = { "ready", "serving", "terminating" };
	const struct doc *conditions = decode_child(c, d, where, "conditions", DOC_MAP);
	bool ready = true, serving = true, terminating = false;
	char name[FIELD_TEXT_MAX];

	snprintf(name, sizeof(name), "%.64s.conditions", where);
	decode_known(c, conditions, name, known, ARRAY_LEN(known));
	decode_bool(c, conditions, name, "ready", &ready);
	decode_bool(c, conditions, name, "serving", &serving);
	decode_bool(c, conditions, name, "terminating", &terminating);
	a->ready = ready;
	a->serving = serving;
	a->terminating = terminating;
}

static void read_slice_endpoint(struct decode *c, const struct doc *d, size_t index, uint8_t family,
				struct object_subset *s)
{
	static const char *const known[] = { "addresses", "conditions", "deprecatedTopology",
					     "hints",	  "hostname",	"nodeName",
					     "targetRef", "zone" };
	struct object_address *a = &s->addresses.any[s->address_count];
	const struct doc *list;
	char where[FIELD_TEXT_MAX], name[FIELD_TEXT_MAX];

	snprintf(where, sizeof(where), "endpoints[%zu]", index);
	decode_known(c, d->type == DOC_MAP ? d : NULL, where, known, ARRAY_LEN(known));
	list = decode_child(c, d, where, "addresses", DOC_LIST);
	if (!list || !list->first) {
		decode_note(c, true, d->line, "%s has no addresses; not used", where);
		return;
	}
	/* As kube-proxy does: all addresses of an endpoint are one server, the first is used. */
	snprintf(name, sizeof(name), "%.64s.addresses[0]", where);
	if (!read_address(c, list->first, name, &a->addr))
		return;
	if (a->addr.family != family) {
		decode_note(c, true, list->first->line,
			    "%s is \"%s\", which is not of the slice's addressType; not used", name,
			    list->first->text);
		return;
	}
	read_conditions(c, d, where, a);
	a->local = is_local(c, d);
	s->address_count++;
}

/* AF_INET, AF_INET6, or 0 for what cannot be served (names). */
static uint8_t family_of(const char *type)
{
	if (type && strcmp(type, "IPv4") == 0)
		return AF_INET;
	return type && strcmp(type, "IPv6") == 0 ? AF_INET6 : 0;
}

int decode_slice(struct decode *c, const struct doc *d, struct err *err)
{
	static const char *const known[] = { "addressType", "apiVersion", "endpoints",	"kind",
					     "metadata",    "ports",	  "annotations" };
	const struct doc *list = decode_child(c, d, "", "endpoints", DOC_LIST);
	const struct doc *ports = decode_child(c, d, "", "ports", DOC_LIST);
	struct object_subset *s = arena_take(&c->arena, sizeof(*s));
	const char *type = decode_text(c, d, "", "addressType");
	uint8_t family = family_of(type);
	size_t n = 0;
	int r;

	decode_known(c, d, "", known, ARRAY_LEN(known));
	if (!family)
		return decode_refuse(err, -EINVAL, d->line,
				     "EndpointSlice: addressType is \"%.64s\": write IPv4 or IPv6",
				     type ? type : "");
	r = read_ports(c, ports, "ports", s, err);
	if (r == 0 && list)
		r = count_addresses(c, list, list->count, err);
	if (r < 0)
		return r;
	s->addresses.any = arena_take(&c->arena,
				      (list ? list->count : 0) * sizeof(*s->addresses.any));
	for (const struct doc *e = list ? list->first : NULL; e; e = e->next, n++)
		read_slice_endpoint(c, e, n, family, s);
	c->parts.subsets = s;
	c->parts.subset_count = 1;
	return 0;
}
