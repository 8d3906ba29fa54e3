/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPVS's side of paths (paths.h): a virtual service by the mark of each, with its server as the only
 * destination. Marks of paths are ours alone; services of others are not looked at.
 *
 * Each is asked for by its mark, since a list of all services may be long; such a list is read once, for
 * what an earlier process left. Blocks; never logs.
 */
#ifndef IPVS_PATH_SERVICES_H
#define IPVS_PATH_SERVICES_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "ipvs/kernel.h"
#include "ipvs/paths.h"

#define PATH_OPS_MAX 3

/*
 * The commands that make the service of a path what it should be; `have` is what the kernel holds of
 * that mark, NULL: nothing. Returns how many; 0: it is right. Pure.
 */
size_t path_service_plan(const struct ipvs_path *p, const struct ipvs_service *have,
			 struct ipvs_op out[static PATH_OPS_MAX]);

struct path_services;

struct path_services *path_services_new(void);	  /* asks the kernel for nothing */
void path_services_free(struct path_services *s); /* NULL is fine */

/*
 * Make those of all paths what they should be, and take away the others: what an earlier process left
 * the first time, then what was made since. One that cannot be made stops none of the others, and is
 * no failure of this. *out_writes counts what it took, also where it fails, but for those that cannot
 * be made, or could not the last time.
 */
MUST_CHECK int path_services_make(struct path_services *s, const struct ipvs_paths *p,
				  uint64_t *out_writes, struct err *err);
/* Why that of a path could not be made the last time: -errno; 0: it was. */
int path_services_error(const struct path_services *s, const struct ipvs_path *p);
/* How many there are, whoever made them. Without IPVS there are none. */
MUST_CHECK int path_services_count(size_t *out, struct err *err);
/* All that there are go; `removed` is told of each. Without IPVS there are none. */
typedef void path_service_removed_fn(void *arg, uint32_t mark, uint8_t family);
MUST_CHECK int path_services_delete(path_service_removed_fn *removed, void *arg, struct err *err);

#endif
