/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /metrics. How many series there are does not depend on how many pools there
 * are, but for the pools that the configuration allows (metrics_pools, the
 * first by id). Milliseconds at 350,000 members.
 */
#ifndef AGENT_API_METRICS_H
#define AGENT_API_METRICS_H

#include "agent/api/rest.h"

void metrics_put(struct buf *out, const struct snapshot *s, const struct rest_state *state);

#endif
