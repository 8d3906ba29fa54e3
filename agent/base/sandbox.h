/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving privileges up, for good: user and groups, capabilities, bounding set,
 * no_new_privs, seccomp. Called once by each role before it reads a byte
 * from outside, and before it makes a thread: these are attributes of threads.
 *
 * Started without root, nothing is dropped that is not there: the user stays.
 * What was open before stays usable, whatever a filter says about opening.
 */
#ifndef AGENT_BASE_SANDBOX_H
#define AGENT_BASE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

enum sandbox_filter {
	SANDBOX_FILTER_NONE,	/* sanitizers, debugging */
	SANDBOX_FILTER_HELPER,	/* an allow-list; anything else kills the process */
	SANDBOX_FILTER_CORE,	/* a deny-list that answers EPERM */
	SANDBOX_FILTER_SERVER,	/* the helper's list: it accepts, where that opens and connects */
	SANDBOX_FILTER_NETLINK, /* the helper's list and what netlink libraries need */
};

struct sandbox {
	const char *user;	 /* to become, when started as root; NULL: stay */
	const char *group;	 /* kept as the primary group; NULL: the user's own */
	const int *capabilities; /* kept; CAP_... */
	unsigned capability_count;
	enum sandbox_filter filter;
	uint64_t max_files; /* RLIMIT_NOFILE; 0: as it is */
};

/*
 * On failure (err says what is missing and how to give it) some privileges may be gone already:
 * the process must not go on. A parent-death signal (PR_SET_PDEATHSIG), which the kernel forgets
 * when the user changes, is set again; -ESRCH: the parent died meanwhile. The process
 * leaves no core dump from here on.
 */
MUST_CHECK int sandbox_enter(const struct sandbox *s, struct err *err);

/* May a filter be asked for? Not where sanitizers or coverage make calls of their own, nor
 * where seccomp(2) cannot be had. */
bool sandbox_filter_available(void);

#endif
