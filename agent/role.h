/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The roles: one process for each privilege, of a program that has what it needs
 * (agent/program.h). A role starts with two descriptors, its line to the parent and
 * the configuration, drops what it does not need, and runs until the parent is gone.
 */
#ifndef AGENT_ROLE_H
#define AGENT_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/channel.h"
#include "agent/base/loop.h"
#include "agent/base/sandbox.h"
#include "agent/config.h"
#include "agent/options.h"
#include "agent/program.h"

/* In the order in which they are started; they are stopped in reverse. */
enum role_id { ROLE_IPVS, ROLE_HEALTHCHECK, ROLE_HTTP, ROLE_CORE, ROLE_COUNT };

/* The descriptors of a role when it begins. */
#define ROLE_FD_PARENT 3
#define ROLE_FD_CONFIG 4

/* parent -> role */
enum role_message {
	ROLE_MSG_PEER = 1,    /* u8 role, and the descriptor of a channel to it */
	ROLE_MSG_PROCESS = 2, /* u8 role (ROLE_COUNT: the parent), i64 pid, u32 restarts; to core */
	ROLE_MSG_STOP = 3,    /* end in order; only the parent's death is quicker */
};

/*
 * What prepare and start return where only an edit by people helps: no file of the agent's changes
 * by waiting. Where it never ran well the agent ends then, as it does for a configuration that
 * cannot be used; one that did may have been well for days, and is started again.
 */
#define ROLE_NO_USE	 (-1000)
#define ROLE_EXIT_NO_USE 78 /* of the process, for the parent */

/* What a role's main function gets. */
struct role_context {
	struct loop *loop;
	const struct config *config;
	const char *config_name; /* for messages */
	/* Set these before returning from `start`. */
	void (*peer)(void *arg, enum role_id role, int fd);			 /* takes fd over */
	void (*process)(void *arg, unsigned role, pid_t pid, uint32_t restarts); /* may be NULL */
	void (*stop)(void *arg); /* then the loop ends with 0 */
	void *arg;
};

/* How a role is called, and whose process it is: all that the parent knows of it. */
struct role_face {
	const char *name;  /* "core": --role core */
	const char *title; /* of the process: "parasausd: core" */
	enum program program;
};
extern const struct role_face role_faces[ROLE_COUNT];

struct role {
	enum role_id id;
	/*
	 * Before the drop: what needs privilege. Negative, as of start: logged already, the process
	 * ends.
	 */
	int (*prepare)(struct role_context *c);
	int (*drop)(const struct config *c, struct err *err);
	int (*start)(struct role_context *c);
	void (*end)(struct role_context *c);
};

/*
 * The whole life of the role that the options ask for, one of those of this program (NULL ends
 * them); returns the exit status. A parent of another version than this is refused: messages
 * between processes are those of one version.
 */
int role_main(const struct role *const of_program[], const struct options *o, const char *version);

/* `wanted`, or, said in the log, none where there can be none. */
enum sandbox_filter role_filter(enum role_id id, enum sandbox_filter wanted);

#endif
