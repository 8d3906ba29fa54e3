/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent_fixture: parasausd as it is, with all of its processes, but for the kernel: beside it lies a
 * parasausd-ipvs, made of this, that has one in its memory (tests/lib/fake_ipvs.h), empty whenever it
 * begins. For machines without IPVS.
 */
#include "ipvs/role_parts.h"
#include "tests/lib/fake_host.h"
#include "tests/lib/fake_ipvs.h"

static struct fake_ipvs kernel;
static struct fake_host host;

static int open_kernel(void *arg, struct ipvs_kernel *out, struct err *err)
{
	(void)err;
	*out = fake_ipvs_kernel(arg);
	return 0;
}

/* In place of ipvs/role_real.c. */
int ipvs_role_new(struct loop *l, const struct ipvs_config *c, struct ipvs_role **out,
		  struct err *err)
{
	const struct ipvs_ground ground = { open_kernel, &kernel, &host.ops };

	fake_ipvs_init(&kernel);
	fake_host_init(&host);
	return ipvs_role_new_on(l, c, &ground, out, err);
}
