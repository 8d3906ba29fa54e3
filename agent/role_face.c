/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Apart from role.c, which brings what a role needs with it: the parent shall not map that. */
#include "agent/role.h"

const struct role_face role_faces[ROLE_COUNT] = {
	[ROLE_IPVS] = { "ipvs", "parasausd: ipvs", PROGRAM_IPVS },
	[ROLE_HEALTHCHECK] = { "healthcheck", "parasausd: healthcheck", PROGRAM_HEALTHCHECK },
	[ROLE_HTTP] = { "http", "parasausd: http", PROGRAM_CORE },
	[ROLE_CORE] = { "core", "parasausd: core", PROGRAM_CORE },
};
