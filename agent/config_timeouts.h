/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `timeouts` of the configuration: how long IPVS keeps connections on which nothing passes. */
#ifndef AGENT_CONFIG_TIMEOUTS_H
#define AGENT_CONFIG_TIMEOUTS_H

#include "agent/config_schema.h"

extern const struct schema_type config_timeouts; /* of a struct config */

#endif
