/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/release.h"

#include <stdio.h>
#include <string.h>

/* "separate destination availability state", by the changelogs of Debian's linux 6.1 and 6.12. */
static const struct kernel_fix limits_fix = KERNEL_LIMITS_FIX;

/* Debian's own number is in the version alone; others count it in the release. */
bool kernel_release_of(const char *release, const char *version, struct kernel_release *out)
{
	const char *debian = strstr(version, "Debian ");
	struct kernel_release k;

	if (sscanf(debian ? debian + strlen("Debian ") : release, "%4u.%4u.%6u", &k.major, &k.minor,
		   &k.patch) != 3)
		return false;
	*out = k;
	/* "5.15.0-101-generic" has fixes that its number does not tell. */
	return debian || k.patch > 0;
}

unsigned kernel_lacks(const struct kernel_release *k, const struct kernel_fix *fix)
{
	unsigned first = 0;

	if (k->major == 6 && k->minor == 1)
		first = fix->in_6_1;
	else if (k->major == 6 && k->minor == 12)
		first = fix->in_6_12;
	return k->patch < first ? first : 0;
}

bool kernel_limits_fault(const char *release, const char *version,
			 char out[static KERNEL_FAULT_MAX])
{
	struct kernel_release k;

	if (!kernel_release_of(release, version, &k) || !kernel_lacks(&k, &limits_fix))
		return false;
	snprintf(out, KERNEL_FAULT_MAX,
		 "connection limits race on Linux %u.%u.%u, and a server can stay marked as "
		 "overloaded; boot Linux 6.1.%u, 6.12.%u or a later one, or limit connections at "
		 "the servers",
		 k.major, k.minor, k.patch, limits_fix.in_6_1, limits_fix.in_6_12);
	return true;
}
