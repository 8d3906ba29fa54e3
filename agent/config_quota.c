/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_quota.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/config.h"

#define TARGETS_MAX 1000000
#define PROBES_MAX  1000000
#define NS_MAX	    63

static const char *ns_fault(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return s[n] != '\0' || s[0] == '-' || s[n - 1] == '-'
		       ? "is no name of a namespace: a-z, 0-9, and '-' inside"
		       : NULL;
}

/* --- namespaces with their own ---------------------------------------------------------- */

static const struct schema_key own_keys[] = {
	{ .name = "name",
	  .type = &schema_text,
	  SCHEMA_FIELD(struct config_quota, ns),
	  .min = 1,
	  .max = NS_MAX,
	  .fault = ns_fault },
	{ .name = "targets",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config_quota, targets),
	  .max = TARGETS_MAX },
	{ .name = "probesPerSecond",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config_quota, probes_per_s),
	  .max = PROBES_MAX },
};

static int read_own(struct schema_reader *r, const struct doc *d, void *base)
{
	struct config_quotas *q = base;
	struct config_quota *own = &q->own[q->own_count++];
	const struct schema_section section = { own_keys, ARRAY_LEN(own_keys), own };
	int code = schema_read_map(r, d, &section, 1);

	if (code < 0)
		return code;
	if (!own->ns)
		return schema_bad(r, d, "has no `name`");
	for (const struct config_quota *o = q->own; o < own; o++) {
		if (strcmp(o->ns, own->ns) == 0)
			return schema_bad_key(r, doc_get(d, "name"), "name",
					      "'%s' is the name of an earlier one", own->ns);
	}
	return 0;
}

static int read_owns(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	struct config *c = base;

	(void)k;
	c->quotas.own = xcalloc(CONFIG_QUOTAS_MAX, sizeof(*c->quotas.own));
	return schema_read_list(r, d, CONFIG_QUOTAS_MAX, read_own, &c->quotas);
}

static void print_owns(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	const struct config_quotas *q = &((const struct config *)base)->quotas;

	(void)k;
	for (size_t i = 0; i < q->own_count; i++)
		schema_print_item(own_keys, ARRAY_LEN(own_keys), &q->own[i], depth, out);
}

static const struct schema_type owns_type = { .read = read_owns, .print = print_owns };

/* --- quotas ----------------------------------------------------------------------------- */

static const struct schema_key keys[] = {
	{ .name = "targets",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, quotas.all.targets),
	  .max = TARGETS_MAX },
	{ .name = "probesPerSecond",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, quotas.all.probes_per_s),
	  .max = PROBES_MAX },
	{ .name = "namespaces", .type = &owns_type },
};

const struct schema_type config_quotas = SCHEMA_KEYS(keys);

void config_quotas_done(struct config_quotas *q)
{
	for (size_t i = 0; i < q->own_count; i++)
		free(q->own[i].ns);
	free(q->own);
}

const struct config_quota *config_quota_of(const struct config_quotas *q, const char *ns)
{
	for (size_t i = 0; i < q->own_count; i++) {
		if (strcmp(q->own[i].ns, ns) == 0)
			return &q->own[i];
	}
	return &q->all;
}
