/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `announce` of the configuration: which machine answers for a VIP on the link. */
#ifndef AGENT_CONFIG_ANNOUNCE_H
#define AGENT_CONFIG_ANNOUNCE_H

#include "agent/base/attr.h"
#include "agent/config.h"
#include "agent/config_schema.h"

#define CONFIG_OWNERS_MAX 254 /* as many machines as there may be */

extern const struct schema_type config_announce; /* of a struct config */
void config_announce_defaults(struct config *c);
void config_announce_done(struct config_announce *a);

/* What can be said only once all is read: that each VIP has an owner, where there are owners. */
MUST_CHECK int config_check_announce(struct schema_reader *r, const struct doc *root,
				     const struct config *c);

/* What is wrong with the name of a node; NULL: nothing. Of config.c. */
const char *config_node_fault(const char *s);

#endif
