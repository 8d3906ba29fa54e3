/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/thread.h"

#include <signal.h>

int thread_start(pthread_t *out, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;
	int r;

	/* The thread inherits the mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(out, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}
