/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parent: starts the roles, gives them channels to each other, starts again
 * those that die, and ends them on SIGTERM. It parses nothing.
 */
#ifndef AGENT_PARENT_H
#define AGENT_PARENT_H

#include <stdbool.h>

#include "agent/program.h"

struct parent_setup {
	int config_fd;		     /* a sealed copy of the configuration */
	int programs[PROGRAM_COUNT]; /* of program_open_all() */
	const char *version;	     /* which the roles have to have */
	bool with_http;		     /* is there that role? */
};

/* For life; returns the exit status. The descriptors stay open. */
int parent_main(const struct parent_setup *setup);

#endif
