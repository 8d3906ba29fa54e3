/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration as the ipvs process wants it. */
#ifndef AGENT_IPVS_ROLE_H
#define AGENT_IPVS_ROLE_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/config.h"

/* Remove all of ours from the kernel, telling what on standard output. */
MUST_CHECK int role_ipvs_cleanup(const struct config *c, struct err *err);

#endif
