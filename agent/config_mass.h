/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `massFailure` of the configuration: what is done when many targets go down at once. */
#ifndef AGENT_CONFIG_MASS_H
#define AGENT_CONFIG_MASS_H

#include "agent/config_schema.h"

struct config;

extern const struct schema_type config_mass; /* of a struct config */
void config_mass_defaults(struct config *c);

#endif
