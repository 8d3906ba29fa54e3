/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host around IPVS (ipvs/host.h) in memory: it notes what it was asked for. */
#ifndef TESTS_LIB_FAKE_HOST_H
#define TESTS_LIB_FAKE_HOST_H

#include <stddef.h>
#include <stdint.h>

#include "ipvs/role_parts.h"

#define FAKE_HOST_MAX 4096

struct fake_host {
	struct ipvs_host_ops ops; /* to be given to the role */
	struct ipvs_frontend frontends[FAKE_HOST_MAX];
	size_t count;
	/* When it was told that IPVS has all of them: how often, how many, and after what of `kernel`. */
	unsigned served_calls;
	size_t served;
	uint64_t served_after;
	const uint64_t *kernel; /* the number of writes of a kernel; NULL: none */
	uint64_t writes, syncs, prunes, ours_changes;
	struct ipvs_notrack notrack; /* in force; in doubt while `fail` */
	struct ipvs_paths paths;     /* the same; only how many, and of which version */
	bool paths_told;
	uint64_t paths_changed;	     /* what the next check finds to be repaired */
	struct ipvs_path path_fails; /* of a number that is not 0: cannot be made */
	const char *device;	     /* the one that it has; NULL: none */
	int fail;		     /* -errno of the next calls; 0: they go well */
	int hold_error;		     /* of hold_connections */
	bool held;
	unsigned holds;
	ipvs_host_changed_fn *changed;
	void *arg;
};

void fake_host_init(struct fake_host *h);
const struct ipvs_frontend *fake_host_find(const struct fake_host *h, const struct endpoint *key);

#endif
