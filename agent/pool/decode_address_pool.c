/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AddressPool, parasaus.io/v1: of one that says something that is not
 * understood nothing is used, for it decides which addresses are ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/pool/address_pool.h"
#include "agent/pool/decode.h"
#include "agent/pool/object_build.h"

bool address_pool_is(const struct doc *d)
{
	const char *kind = doc_string(doc_get(d, "kind"));

	return kind && strcmp(kind, ADDRESS_POOL_KIND) == 0;
}

/* One of a list of spec: -EINVAL and *err, or it was taken. */
typedef int item_fn(struct address_pool *p, const char *text, struct err *err);

static int take_address(struct address_pool *p, const char *text, struct err *err)
{
	return address_pool_address(text, &p->addresses[p->address_count++], err);
}

static int take_reserved(struct address_pool *p, const char *text, struct err *err)
{
	return address_pool_ports(text, &p->reserved[p->reserved_count++], err);
}

static int take_namespace(struct address_pool *p, const char *text, struct err *err)
{
	if (!object_is_label(text))
		return err_set(err, -EINVAL,
			       "\"%.64s\" is no namespace: lower-case letters, digits and '-' only",
			       text);
	p->namespaces[p->namespace_count++] = xstrdup(text);
	return 0;
}

static int take_list(struct address_pool *p, const struct doc *list, size_t max, item_fn *fn,
		     struct err *err)
{
	size_t n = 0;

	if (!list)
		return 0;
	if (list->type != DOC_LIST)
		return decode_refuse(err, -EINVAL, list->line,
				     "spec.%s is " QUOTED_MAX " where a list belongs", list->key,
				     decode_says(list));
	if (list->count > max)
		return decode_refuse(err, -EINVAL, list->line, "spec.%s: %zu items; at most %zu",
				     list->key, (size_t)list->count, max);
	for (const struct doc *i = list->first; i; i = i->next, n++) {
		struct err why = { 0 };

		if (i->type != DOC_STRING && i->type != DOC_NUMBER)
			err_set(&why, -EINVAL, "%s is no text", doc_type_text(i->type));
		else
			(void)fn(p, i->text, &why);
		if (why.code)
			return decode_refuse(err, -EINVAL, i->line, "spec.%s[%zu]: %s", list->key,
					     n, why.text);
	}
	return 0;
}

static int take_ports(struct address_pool *p, const struct doc *d, struct err *err)
{
	struct err why = { 0 };
	int r;

	if (!d)
		return err_set(err, -EINVAL,
			       "spec.ports: is missing: say them, such as "
			       "30000-64999");
	if (d->type != DOC_STRING && d->type != DOC_NUMBER)
		r = err_set(&why, -EINVAL, "%s where a range of ports belongs",
			    doc_type_text(d->type));
	else
		r = address_pool_ports(d->text, &p->ports, &why);
	return r < 0 ? decode_refuse(err, r, d->line, "spec.ports: %s", why.text) : 0;
}

static int take_auto(struct address_pool *p, const struct doc *d, struct err *err)
{
	bool on = true;

	if (d && !doc_bool(d, &on))
		return decode_refuse(err, -EINVAL, d->line,
				     "spec.autoAssign is " QUOTED_MAX ": write true or false",
				     decode_says(d));
	p->manual = !on;
	return 0;
}

static int check_keys(const struct doc *spec, struct err *err)
{
	static const char *const keys[] = { "addresses", "ports", "reserved", "namespaces",
					    "autoAssign" };

	for (const struct doc *d = spec ? spec->first : NULL; d; d = d->next) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(keys) && !known; i++)
			known = strcmp(d->key, keys[i]) == 0;
		if (!known)
			return decode_refuse(err, -EINVAL, d->line,
					     "spec.%.64s is not known: there are addresses, ports, "
					     "reserved, namespaces and autoAssign",
					     d->key);
	}
	return 0;
}

static int check_reserved(const struct address_pool *p, struct err *err)
{
	for (size_t i = 0; i < p->reserved_count; i++) {
		if (p->reserved[i].first < p->ports.first || p->reserved[i].last > p->ports.last)
			return err_set(err, -EINVAL,
				       "spec.reserved[%zu]: is not inside spec.ports: reserved are "
				       "ports of these that nobody gets without naming one",
				       i);
	}
	return 0;
}

static int take_spec(struct address_pool *p, const struct doc *spec, struct err *err)
{
	int r;

	p->addresses = xcalloc(ADDRESS_POOL_RANGES_MAX, sizeof(*p->addresses));
	p->reserved = xcalloc(ADDRESS_POOL_RESERVED_MAX, sizeof(*p->reserved));
	p->namespaces = xcalloc(ADDRESS_POOL_NAMESPACES_MAX, sizeof(char *));
	r = check_keys(spec, err);
	if (r == 0)
		r = take_list(p, doc_get(spec, "addresses"), ADDRESS_POOL_RANGES_MAX, take_address,
			      err);
	if (r == 0 && p->address_count == 0)
		r = err_set(err, -EINVAL,
			    "spec.addresses: is missing: say them, such as [10.0.0.0/24]");
	if (r == 0)
		r = take_ports(p, doc_get(spec, "ports"), err);
	if (r == 0)
		r = take_list(p, doc_get(spec, "reserved"), ADDRESS_POOL_RESERVED_MAX,
			      take_reserved, err);
	if (r == 0)
		r = take_list(p, doc_get(spec, "namespaces"), ADDRESS_POOL_NAMESPACES_MAX,
			      take_namespace, err);
	if (r == 0)
		r = take_auto(p, doc_get(spec, "autoAssign"), err);
	return r == 0 ? check_reserved(p, err) : r;
}

static int take_name(struct address_pool *p, const struct doc *d, struct err *err)
{
	const struct doc *metadata = doc_get(d, "metadata"), *ns = doc_get(metadata, "namespace");
	const char *version = doc_string(doc_get(d, "apiVersion"));
	const char *name = doc_string(doc_get(metadata, "name"));

	if (!version || strcmp(version, ADDRESS_POOL_API_VERSION) != 0)
		return decode_refuse(err, -EINVAL, d->line,
				     "apiVersion of an AddressPool is " ADDRESS_POOL_API_VERSION);
	if (!name || strlen(name) > ADDRESS_POOL_NAME_MAX)
		return decode_refuse(err, -EINVAL, d->line,
				     "metadata.name: an AddressPool has a name of 1 to %d letters",
				     ADDRESS_POOL_NAME_MAX);
	if (address_pool_name_fault(name))
		return decode_refuse(err, -EINVAL, d->line, "metadata.name: '%.63s' %s", name,
				     address_pool_name_fault(name));
	if (ns && ns->type != DOC_NULL)
		return decode_refuse(err, -EINVAL, ns->line,
				     "metadata.namespace: an AddressPool has none: leave it out, "
				     "and say spec.namespaces for whom it is");
	p->name = xstrdup(name);
	return 0;
}

int address_pool_decode(const struct doc *d, struct address_pool *out, struct err *err)
{
	const struct doc *spec = doc_get(d, "spec");
	int r;

	*out = (struct address_pool){ 0 };
	if (!address_pool_is(d))
		return decode_refuse(err, -EINVAL, d->line, "kind is not " ADDRESS_POOL_KIND);
	r = take_name(out, d, err);
	if (r == 0 && (!spec || spec->type != DOC_MAP))
		r = decode_refuse(err, -EINVAL, d->line,
				  "spec is missing: say spec.addresses and "
				  "spec.ports");
	if (r == 0)
		r = take_spec(out, spec, err);
	if (r < 0)
		address_pool_done(out);
	return r;
}
