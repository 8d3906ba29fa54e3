/* SPDX-License-Identifier: GPL-2.0-or-later */
/* parasausd-healthcheck: the program of the healthcheck role, and of nothing else. */
#include <stdlib.h>
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/sandbox.h"
#include "agent/base/xalloc.h"
#include "agent/options.h"
#include "agent/role.h"
#include "healthcheck/role.h"

#define HEALTHCHECK_FILES     262144
#define HEALTHCHECK_IN_FLIGHT 60000

static int healthcheck_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.filter = role_filter(ROLE_HEALTHCHECK, SANDBOX_FILTER_HELPER),
		.max_files = HEALTHCHECK_FILES,
	};

	return sandbox_enter(&s, err);
}

struct healthcheck_life {
	struct hc_config config;
	struct hc_role *role;
};

static void healthcheck_peer(void *arg, enum role_id role, int fd)
{
	struct healthcheck_life *l = arg;

	(void)role;
	hc_role_connect(l->role, fd);
}

static int healthcheck_start(struct role_context *c)
{
	struct healthcheck_life *l = xcalloc(1, sizeof(*l));
	int r;

	c->arg = l;
	c->peer = healthcheck_peer;
	l->config = (struct hc_config){
		.vip_ranges = c->config->vip_ranges,
		.vip_range_count = c->config->vip_range_count,
		.refuse = c->config->refuse,
		.refuse_count = c->config->refuse_count,
		.from = { c->config->check_from.v4, c->config->check_from.v6 },
		.max_in_flight = HEALTHCHECK_IN_FLIGHT,
	};
	r = hc_role_new(c->loop, &l->config, &l->role);
	if (r < 0)
		log_error("healthcheck", "cannot start: %s", strerror(-r));
	return r;
}

static void healthcheck_end(struct role_context *c)
{
	struct healthcheck_life *l = c->arg;

	if (!l)
		return;
	hc_role_free(l->role);
	free(l);
}

static const struct role healthcheck = {
	.id = ROLE_HEALTHCHECK,
	.drop = healthcheck_drop,
	.start = healthcheck_start,
	.end = healthcheck_end,
};

int main(int argc, char **argv)
{
	static const struct role *const roles[] = { &healthcheck, NULL };
	struct options o;
	int status;

	if (!options_read(argc, argv, PARASAUS_VERSION, &o, &status))
		return status;
	return o.action == ACTION_ROLE ? role_main(roles, &o, PARASAUS_VERSION)
				       : options_not_mine(PROGRAM_HEALTHCHECK);
}
