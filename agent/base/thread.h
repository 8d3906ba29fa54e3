/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside a loop, which alone takes the process's signals (loop_signal()). */
#ifndef AGENT_BASE_THREAD_H
#define AGENT_BASE_THREAD_H

#include <pthread.h>

#include "agent/base/attr.h"

/* Runs fn(arg) in a thread that no signal is delivered to. -errno: there is none. */
MUST_CHECK int thread_start(pthread_t *out, void *(*fn)(void *), void *arg);

#endif
