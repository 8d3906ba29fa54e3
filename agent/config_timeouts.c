/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config_timeouts.h"

#include "agent/config.h"
#include "ipvs/timeouts.h"

#define TIMEOUT_MAX_MS (IPVS_TIMEOUT_MAX * 1000u)

static const struct schema_key keys[] = {
	{ .name = "tcp",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct config, timeout_tcp_s),
	  .min = 1000,
	  .max = TIMEOUT_MAX_MS },
	{ .name = "fin",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct config, timeout_fin_s),
	  .min = 1000,
	  .max = TIMEOUT_MAX_MS },
	{ .name = "udp",
	  .type = &schema_s,
	  SCHEMA_FIELD(struct config, timeout_udp_s),
	  .min = 1000,
	  .max = TIMEOUT_MAX_MS },
};

/* What is not written is the kernel's to know. */
static void print_timeouts(const struct schema_key *k, const void *base, unsigned depth,
			   struct buf *out)
{
	const struct config *c = base;
	const uint32_t set[] = { c->timeout_tcp_s, c->timeout_fin_s, c->timeout_udp_s };

	(void)k;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (set[i])
			schema_print(&keys[i], 1, base, depth + 1, out);
}

const struct schema_type config_timeouts = { .read = schema_read_keys,
					     .print = print_timeouts,
					     .keys = keys,
					     .key_count = ARRAY_LEN(keys) };
