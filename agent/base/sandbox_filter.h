/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls a role may make; the last step of sandbox_enter(). */
#ifndef AGENT_BASE_SANDBOX_FILTER_H
#define AGENT_BASE_SANDBOX_FILTER_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/base/sandbox.h"

/* Needs no_new_privs. Cannot be undone; a second one can only take more away. */
MUST_CHECK int sandbox_filter_load(enum sandbox_filter filter, struct err *err);

#endif
