/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls a role may make; the last step of sandbox_enter(). */
#ifndef AGENT_BASE_SANDBOX_FILTER_H
#define AGENT_BASE_SANDBOX_FILTER_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/base/sandbox.h"

/* Needs no_new_privs. Cannot be undone; a second one can only take more away. */
MUST_CHECK int sandbox_filter_load(enum sandbox_filter filter, struct err *err);

/*
 * What is loaded there, as the kernel runs it (struct sock_filter, classic BPF over struct
 * seccomp_data), into a file: for who wants to know what a role may do. Not of
 * SANDBOX_FILTER_NONE. 0, or a negative errno.
 */
MUST_CHECK int sandbox_filter_write(enum sandbox_filter filter, int fd);

#endif
