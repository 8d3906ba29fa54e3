/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The core process: facts in (sources, verdicts, the kernel's image), plan
 * out. The only place where policy meets the parts; see core_private.h.
 */
#ifndef AGENT_CORE_H
#define AGENT_CORE_H

#include "agent/base/attr.h"
#include "agent/role.h"

/* With privilege: directories are made and given to the user, sockets bound. */
MUST_CHECK int core_prepare(struct role_context *c);
MUST_CHECK int core_start(struct role_context *c);
void core_end(struct role_context *c); /* writes the state files */

#endif
