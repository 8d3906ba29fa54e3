/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_mass.h"

#include "agent/config.h"

#define TARGETS_MAX 1000000

static const struct schema_key keys[] = {
	{ .name = "targets",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, mass.targets),
	  .max = TARGETS_MAX,
	  .fallback = "100" },
	{ .name = "doubt",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, mass.doubt),
	  .min = 1,
	  .max = 100,
	  .fallback = "30" },
	{ .name = "freeze",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, mass.freeze),
	  .min = 1,
	  .max = 100,
	  .fallback = "50" },
	{ .name = "perMinute",
	  .type = &schema_number,
	  SCHEMA_FIELD(struct config, mass.per_minute),
	  .min = 1,
	  .max = 100,
	  .fallback = "10" },
};

static int read_mass(struct schema_reader *r, const struct schema_key *k, const struct doc *d,
		     void *base)
{
	const struct schema_section section = { keys, ARRAY_LEN(keys), base };

	(void)k;
	return schema_read_map(r, d, &section, 1);
}

static void print_mass(const struct schema_key *k, const void *base, unsigned depth,
		       struct buf *out)
{
	(void)k;
	schema_print(keys, ARRAY_LEN(keys), base, depth + 1, out);
}

const struct schema_type config_mass = { read_mass, print_mass };

void config_mass_defaults(struct config *c)
{
	const struct schema_section section = { keys, ARRAY_LEN(keys), c };

	schema_defaults(&section);
}
