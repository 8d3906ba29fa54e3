/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the configuration that are addresses: `vipRanges`, `addressPools`, `refuse`,
 * `nodeAddress`, `healthcheck.sourceAddress`.
 */
#ifndef AGENT_CONFIG_ADDRESSES_H
#define AGENT_CONFIG_ADDRESSES_H

#include "agent/base/attr.h"
#include "agent/config.h"
#include "agent/config_schema.h"

/* Each fills its own fields of a struct config; `offset` and `size` are not used. */
extern const struct schema_type config_vip_ranges;
extern const struct schema_type config_address_pools;
extern const struct schema_type config_refuse;
extern const struct schema_type config_healthcheck;
/* The field is a struct config_own. */
extern const struct schema_type config_own_addresses;

/*
 * What can be said only once all is read: pools inside vipRanges and apart from each other, names
 * that differ. Without vipRanges these become what the pools hold.
 */
MUST_CHECK int config_check_addresses(struct schema_reader *r, const struct doc *root,
				      struct config *c);

#endif
