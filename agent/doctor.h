/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `parasausd --doctor`: what is wrong with this host for the agent, on standard
 * output, for people or as JSON.
 */
#ifndef AGENT_DOCTOR_H
#define AGENT_DOCTOR_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/config.h"

/* `running`: an agent of this configuration is. An exit code: 0 nothing, 1 no look, 3 findings. */
MUST_CHECK int doctor_run(const struct config *c, bool running, bool json);

#endif
