/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ipvs role, and the configuration as it wants it. */
#ifndef AGENT_IPVS_ROLE_H
#define AGENT_IPVS_ROLE_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/config.h"
#include "agent/role.h"

extern const struct role role_ipvs;

/* Remove all of ours from the kernel, telling what on standard output. */
MUST_CHECK int role_ipvs_cleanup(const struct config *c, struct err *err);

struct doctor_facts;
/* doctor_read() of ipvs/doctor.h. */
MUST_CHECK int role_ipvs_look(const struct config *c, struct doctor_facts *out, struct err *err);

#endif
