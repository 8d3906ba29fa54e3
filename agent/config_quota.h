/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `quotas` of the configuration: how much may be checked for one namespace. */
#ifndef AGENT_CONFIG_QUOTA_H
#define AGENT_CONFIG_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/config_schema.h"

#define CONFIG_QUOTAS_MAX 1024

struct config;

/* 0: no limit. */
struct config_quota {
	char *ns; /* NULL: of each namespace that has none of its own */
	uint32_t targets;
	uint32_t probes_per_s;
};

struct config_quotas {
	struct config_quota all;
	struct config_quota *own;
	size_t own_count;
};

extern const struct schema_type config_quotas; /* of a struct config */
void config_quotas_done(struct config_quotas *q);
/* Never NULL. */
const struct config_quota *config_quota_of(const struct config_quotas *q, const char *ns);

#endif
