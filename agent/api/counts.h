/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many of what there are, in one answer: for badges, and for the filters
 * of a page. One walk over the snapshot: milliseconds at 350,000 members.
 */
#ifndef AGENT_API_COUNTS_H
#define AGENT_API_COUNTS_H

#include "agent/api/json_writer.h"
#include "agent/plan/snapshot.h"

#define COUNTS_NAMESPACES_MAX 1000 /* that are told; their number is told in any case */

void counts_put(struct json_writer *j, const struct snapshot *s);

#endif
