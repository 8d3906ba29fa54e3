/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The role on the real kernel and the real host. */
#include "ipvs/role_parts.h"

static int real_open(void *arg, struct loop *l, const struct ipvs_config *c,
		     ipvs_host_event_fn *event, ipvs_host_changed_fn *changed, void *event_arg,
		     void **out, struct err *err)
{
	struct ipvs_host *h;
	int r = ipvs_host_new(l, c, event, changed, event_arg, &h, err);

	(void)arg;
	if (r == 0)
		*out = h;
	return r;
}

static int real_add(void *host, const struct ipvs_frontend *f, size_t count, struct err *err)
{
	return ipvs_host_add(host, f, count, err);
}

static int real_served(void *host, struct err *err)
{
	return ipvs_host_served(host, err);
}

static int real_remove(void *host, const struct endpoint *keys, size_t count, struct err *err)
{
	return ipvs_host_remove(host, keys, count, err);
}

static int real_sync(void *host, bool prune, uint64_t *out_repairs, struct err *err)
{
	return ipvs_host_sync(host, prune, out_repairs, err);
}

static void real_ours_changed(void *host)
{
	ipvs_host_ours_changed(host);
}

static int real_notrack(void *host, const struct ipvs_notrack *n, struct err *err)
{
	return ipvs_host_notrack(host, n, err);
}

static bool real_notrack_now(void *host, struct ipvs_notrack *out)
{
	return ipvs_host_notrack_now(host, out);
}

static int real_paths(void *host, const struct ipvs_paths *p, struct err *err)
{
	return ipvs_host_paths(host, p, err);
}

static int real_paths_check(void *host, uint64_t *out_repairs, struct err *err)
{
	return ipvs_host_paths_check(host, out_repairs, err);
}

static bool real_paths_now(void *host, struct ipvs_paths_result *out)
{
	return ipvs_host_paths_now(host, out);
}

static bool real_has_device(void *host, const char *name)
{
	return ipvs_host_has_device(host, name);
}

static int real_hold_connections(void *host, bool hold)
{
	return ipvs_host_hold_connections(host, hold);
}

static uint64_t real_writes(const void *host)
{
	return ipvs_host_writes(host);
}

static void real_close(void *host)
{
	ipvs_host_free(host);
}

static const struct ipvs_host_ops real_host = {
	.open = real_open,
	.add = real_add,
	.served = real_served,
	.remove = real_remove,
	.sync = real_sync,
	.ours_changed = real_ours_changed,
	.notrack = real_notrack,
	.notrack_now = real_notrack_now,
	.paths = real_paths,
	.paths_check = real_paths_check,
	.paths_now = real_paths_now,
	.has_device = real_has_device,
	.hold_connections = real_hold_connections,
	.writes = real_writes,
	.close = real_close,
};

static int open_kernel(void *arg, struct ipvs_kernel *out, struct err *err)
{
	(void)arg;
	return ipvs_kernel_open(out, err);
}

int ipvs_role_new(struct loop *l, const struct ipvs_config *c, struct ipvs_role **out,
		  struct err *err)
{
	const struct ipvs_ground ground = { .open_kernel = open_kernel, .host = &real_host };

	return ipvs_role_new_on(l, c, &ground, out, err);
}
