/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which kernel this is by the number of its stable branch, and what of it is not
 * to be used: for whoever plans, and for doctor.h. Pure.
 *
 * A branch that is not known here is not judged: it may have the fix or not.
 */
#ifndef IPVS_RELEASE_H
#define IPVS_RELEASE_H

#include <stdbool.h>

#include "agent/base/attr.h"

#define KERNEL_FAULT_MAX 200

/* 6, 1, 192 of "6.1.0-56-amd64" and "... Debian 6.1.192-2 ...". */
struct kernel_release {
	unsigned major, minor, patch;
};
/* Of uname(2)'s two. False: its fixes are not known. */
MUST_CHECK bool kernel_release_of(const char *release, const char *version,
				  struct kernel_release *out);

/* The first of each branch without a fault; 0: that branch never had it. */
struct kernel_fix {
	unsigned in_6_1, in_6_12;
};
/* The first of k's own branch that is mended, where k is not; 0: it is, or its branch is not known. */
unsigned kernel_lacks(const struct kernel_release *k, const struct kernel_fix *fix);

/* Of connection limits of real servers: a server can stay marked as overloaded. */
#define KERNEL_LIMITS_FIX \
	{                 \
		187, 105  \
	}
/*
 * Why limits are not used, and what to do: "connection limits race on Linux 6.1.170 ...". False:
 * nothing stands against their use.
 */
MUST_CHECK bool kernel_limits_fault(const char *release, const char *version,
				    char out[static KERNEL_FAULT_MAX]);

#endif
