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

const struct schema_type config_mass = SCHEMA_KEYS(keys);

void config_mass_defaults(struct config *c)
{
	const struct schema_section section = { keys, ARRAY_LEN(keys), c };

	schema_defaults(&section);
}
