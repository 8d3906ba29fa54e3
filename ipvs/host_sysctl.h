/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sysctls that IPVS needs, by kernel version: a table of what, when, the
 * value and why. Only those that differ are written, and only one way: what
 * no longer applies is left as it is. Never logs.
 */
#ifndef IPVS_HOST_SYSCTL_H
#define IPVS_HOST_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/log.h"

#define HOST_SYSCTLS_MAX 16
/* Frontends from which the kernel's own statistics cost more than they give, see run_estimation. */
#define HOST_LARGE 4096

#define KERNEL_VERSION_OF(major, minor) ((uint32_t)((major) << 16 | (minor)))

struct host_sysctl {
	const char *name; /* as sysctl(8) has it; no part of it holds a dot */
	long value;
	const char *why;
};

/* What the choice depends on. */
struct host_sysctl_facts {
	uint32_t kernel; /* KERNEL_VERSION_OF() */
	size_t frontends;
	bool ipv4;
	bool ipv6;
	bool masquerade;
};

/* "6.1.0-18-amd64" is 6.1; 0 for what is no version. */
uint32_t host_kernel_version(const char *release);
/* Pure. out has room for HOST_SYSCTLS_MAX. */
size_t host_sysctls_wanted(const struct host_sysctl_facts *f, const struct host_sysctl **out);

/* Below a directory as /proc/sys is; the name as sysctl(8) has it. -errno; -EINVAL: no number. */
MUST_CHECK int host_sysctl_read(const char *root, const char *name, long *out);

struct host_sysctls;
typedef void host_sysctl_event_fn(void *arg, enum log_level level, const char *text);

/* `root` is "/proc/sys" but in tests; the string must outlive it. */
MUST_CHECK struct host_sysctls *host_sysctls_new(const char *root, host_sysctl_event_fn *event,
						 void *arg);
void host_sysctls_free(struct host_sysctls *s); /* NULL is fine */

/*
 * Make the wanted ones so; each is read once, and again with `again`. Tells each that it sets or
 * cannot set, the latter once. Returns how many were set.
 */
unsigned host_sysctls_apply(struct host_sysctls *s, const struct host_sysctl_facts *f, bool again);
/*
 * Would this interface lose the default route that came by router advertisement if IPv6 forwarding
 * were turned on? (The kernel drops it at once unless accept_ra is 2.) Tells so, once.
 */
bool host_sysctls_forwarding_hurts(struct host_sysctls *s, const char *interface);
/*
 * What it takes that the kernel answers neighbour solicitations for its proxy neighbours on this
 * interface, and at once. Tells each that it sets, and once what cannot be set. Returns how many
 * were set.
 */
unsigned host_sysctls_answer(struct host_sysctls *s, const char *interface);
/*
 * With `hold` net.ipv4.vs.expire_nodest_conn is set to 0, without it back to what it was then; in
 * between nothing else is done with *s. -errno: it could not be set; one that could not be set back
 * is set again by the next host_sysctls_apply(). Tells nothing. *out_written: how many were set.
 */
MUST_CHECK int host_sysctls_hold_connections(struct host_sysctls *s, bool hold,
					     unsigned *out_written);
/* Settings of others that are known to hurt; told once. Needs no writing. */
void host_sysctls_hints(struct host_sysctls *s, const struct host_sysctl_facts *f);

#endif
