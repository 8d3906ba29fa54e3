/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of parasausd. Programs of roles take the same: parasausd becomes the one that
 * can do what was asked, with the arguments that it got itself.
 */
#ifndef AGENT_OPTIONS_H
#define AGENT_OPTIONS_H

#include <stdbool.h>

#include "agent/base/attr.h"
#include "agent/config.h"
#include "agent/program.h"

#define EXIT_USAGE 2

enum action {
	ACTION_RUN,
	ACTION_CHECK,
	ACTION_CLEANUP,
	ACTION_DOCTOR,
	ACTION_TOKEN,
	ACTION_ROLE, /* of parasausd's own: --role NAME --of VERSION */
};

/* Points into argv. */
struct options {
	enum action action;
	const char *config;
	const char *format;	/* of --doctor; may be NULL */
	const char *token_name; /* of --first-token */
	const char *role;	/* to be */
	const char *of;		/* the version of the parent that says so; may be NULL */
};

/* False: the process is to end with *status, all is said. `version` is for --version. */
MUST_CHECK bool options_read(int argc, char **argv, const char *version, struct options *out,
			     int *status);
/* Of a program of a role that was not started by parasausd; its exit status. */
MUST_CHECK int options_not_mine(enum program p);

/* The text, and what it says; a failure is told on standard error. The caller frees. */
MUST_CHECK bool options_read_config(const char *path, struct buf *text);
MUST_CHECK struct config *options_parse_config(const char *path, const struct buf *text);
MUST_CHECK struct config *options_load_config(const char *path);

/* Is an agent of this configuration running? */
MUST_CHECK bool options_agent_runs(const struct config *c);

#endif
