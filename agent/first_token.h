/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A token made without an agent: where it listens beyond loopback it does not start
 * before there is one.
 */
#ifndef AGENT_FIRST_TOKEN_H
#define AGENT_FIRST_TOKEN_H

#include "agent/api/tokens.h"
#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/config.h"

/*
 * An editor's, in the file that the agent reads; *out is to be wiped. The process becomes the
 * configuration's user for good, so that the file is the agent's. Not while an agent runs.
 */
MUST_CHECK int first_token_make(const struct config *c, const char *name,
				char out[static TOKEN_TEXT + 1], struct err *err);

#endif
