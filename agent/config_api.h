/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `api` of the configuration: where REST is listened for, and what it takes to be let in. */
#ifndef AGENT_CONFIG_API_H
#define AGENT_CONFIG_API_H

#include "agent/config.h"
#include "agent/config_schema.h"

extern const struct schema_type config_api; /* of a struct config */
void config_api_defaults(struct config *c);

#endif
