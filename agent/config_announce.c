/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_announce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"

#define OWNER_ADDRESSES_MAX 1024

/* --- owners ------------------------------------------------------------------------- */

static int read_address(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config_owner *o = base;
	const char *s = schema_scalar(r, d);
	struct prefix p;

	if (!s)
		return -EINVAL;
	if (prefix_parse(s, &p) < 0)
		return schema_bad(r, d,
				  "'%.64s' is no address and no network: write 10.0.0.1, or an "
				  "address and its length with the host bits zero, such as "
				  "10.0.0.0/24",
				  s);
	o->addresses = xreallocarray(o->addresses, o->address_count + 1, sizeof(p));
	o->addresses[o->address_count++] = p;
	return 0;
}

static int read_addresses(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			  void *base)
{
	(void)k;
	return schema_read_list(r, d, OWNER_ADDRESSES_MAX, read_address, base);
}

static void print_addresses(const struct schema_key *k, const void *base, unsigned depth,
			    struct buf *out)
{
	const struct config_owner *o = base;

	(void)k;
	for (size_t i = 0; i < o->address_count; i++) {
		char text[ADDR_TEXT_MAX];

		/* In quotes, for a plain "2001:db8::/32" could be the key of a mapping. */
		schema_print_line(depth, out);
		buf_printf(out, "- \"%s/%u\"", addr_text(&o->addresses[i].addr, text),
			   o->addresses[i].len);
	}
}

static const struct schema_type addresses_type = { .read = read_addresses,
						   .print = print_addresses };

static const struct schema_key owner_keys[] = {
	{ .name = "node",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_owner, node),
	  .min = 1,
	  .max = 253,
	  .fault = config_node_fault },
	{ .name = "addresses", .type = &addresses_type },
};

static int read_owner(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config_announce *a = base;
	const struct config_owner *before = a->owner_count ? &a->owners[a->owner_count - 1] : NULL;
	struct config_owner *o = &a->owners[a->owner_count++];
	const struct schema_section section = { owner_keys, ARRAY_LEN(owner_keys), o };
	int code = schema_read_map(r, d, &section, 1);

	if (code < 0)
		return code;
	if (!o->node)
		return schema_bad(r, d, "has no `node`");
	if (before && before->address_count == 0)
		return schema_bad(r, d,
				  "comes after one without `addresses`, which has all that is "
				  "left: put that one last");
	return 0;
}

static int read_owners(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		       void *base)
{
	struct config *c = base;

	(void)k;
	c->announce.owners = xcalloc(CONFIG_OWNERS_MAX, sizeof(*c->announce.owners));
	return schema_read_list(r, d, CONFIG_OWNERS_MAX, read_owner, &c->announce);
}

static void print_owners(const struct schema_key *k, const void *base, unsigned depth,
			 struct buf *out)
{
	const struct config_announce *a = &((const struct config *)base)->announce;

	(void)k;
	for (size_t i = 0; i < a->owner_count; i++)
		schema_print_item(owner_keys, ARRAY_LEN(owner_keys), &a->owners[i], depth, out);
}

static const struct schema_type owners_type = { .read = read_owners, .print = print_owners };

/* --- announce ----------------------------------------------------------------------- */

static const struct value_word mode_words[] = {
	{ "all", CONFIG_ANNOUNCE_ALL },
	{ "none", CONFIG_ANNOUNCE_NONE },
	{ "owner", CONFIG_ANNOUNCE_OWNER },
};
static const struct value_words modes = VALUE_WORDS(mode_words);

static const struct schema_key announce_keys[] = {
	{ .name = "mode",
	  .type = &schema_word,
	  SCHEMA_FIELD(struct config, announce.mode),
	  .words = &modes,
	  .fallback = "all" },
	{ .name = "owners", .type = &owners_type },
	{ .name = "rate",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, announce.rate),
	  .min = 2,
	  .max = 20000,
	  .fallback = "200" },
};

static int read_announce(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
			 void *base)
{
	const struct config_announce *a = &((const struct config *)base)->announce;
	int code = schema_read_keys(r, k, d, base);

	if (code < 0)
		return code;
	if (a->mode == CONFIG_ANNOUNCE_OWNER && a->owner_count == 0)
		return schema_bad(r, d, "mode owner needs `owners`, such as 'owners: [{node: %s}]'",
				  ((const struct config *)base)->node);
	if (a->mode != CONFIG_ANNOUNCE_OWNER && a->owner_count)
		return schema_bad_key(r, doc_get(d, "owners"), "owners",
				      "is of no use without 'mode: owner'");
	return 0;
}

const struct schema_type config_announce = { .read = read_announce,
					     .print = schema_print_keys,
					     .keys = announce_keys,
					     .key_count = ARRAY_LEN(announce_keys) };

void config_announce_defaults(struct config *c)
{
	const struct schema_section section = { announce_keys, ARRAY_LEN(announce_keys), c };

	schema_defaults(&section);
}

void config_announce_done(struct config_announce *a)
{
	for (size_t i = 0; i < a->owner_count; i++) {
		free(a->owners[i].node);
		free(a->owners[i].addresses);
	}
	free(a->owners);
}

/* Every address that an owner is named for; the caller frees. */
static struct prefix *owned(const struct config_announce *a, size_t *count)
{
	struct prefix *all;
	size_t n = 0;

	for (size_t i = 0; i < a->owner_count; i++)
		n += a->owners[i].address_count;
	all = xcalloc(n + 1, sizeof(*all));
	n = 0;
	for (size_t i = 0; i < a->owner_count; i++) {
		for (size_t k = 0; k < a->owners[i].address_count; k++)
			all[n++] = a->owners[i].addresses[k];
	}
	*count = n;
	return all;
}

int config_check_announce(struct schema_reader *r, const struct doc *root, const struct config *c)
{
	const struct config_announce *a = &c->announce;
	CLEANUP(xfree_ptr) struct prefix *all = NULL;
	size_t count;

	/* One without addresses, the last if there is one, has all that is left. */
	if (a->owner_count == 0 || a->owners[a->owner_count - 1].address_count == 0)
		return 0;
	all = owned(a, &count);
	for (size_t i = 0; i < c->vip_range_count; i++) {
		struct addr_range range = prefix_range(&c->vip_ranges[i]);
		char text[ADDR_RANGE_TEXT_MAX];

		if (!prefixes_cover(all, count, &range))
			return schema_bad_key(
				r, doc_get(root, "announce"), "announce.owners",
				"%s of vipRanges has addresses without an owner: name "
				"one, or end the list with a node without `addresses`",
				addr_range_text(&range, text));
	}
	return 0;
}
