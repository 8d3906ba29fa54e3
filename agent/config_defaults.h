/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the configuration that annotations may change: `defaults`. */
#ifndef AGENT_CONFIG_DEFAULTS_H
#define AGENT_CONFIG_DEFAULTS_H

#include "agent/config_schema.h"
#include "agent/pool/pool.h"

extern const struct schema_type config_defaults; /* fills `defaults` of a struct config */

/* What holds where nothing is written; the check is a reference. */
void config_defaults_init(struct pool_settings *set);

#endif
