/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausd-ipvs: the program of the ipvs role, and of --cleanup and --doctor, which ask and change
 * the same kernel while no role does.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "agent/doctor.h"
#include "agent/ipvs_role.h"
#include "agent/options.h"

#define HEAP_STEP (2 << 20) /* bytes: a huge page, where there are any */

static int cleanup(const char *path)
{
	struct config *config = options_load_config(path);
	struct err err = { 0 };
	int r;

	if (!config)
		return 1;
	if (options_agent_runs(config)) {
		fprintf(stderr,
			"parasausd: cleanup: an agent is running with stateDirectory %s and would "
			"undo it: stop it first\n",
			config->state_directory);
		config_free(config);
		return 1;
	}
	r = role_ipvs_cleanup(config, &err);
	config_free(config);
	if (r < 0) {
		fprintf(stderr, "parasausd: cleanup: %s\n", err.text);
		return 1;
	}
	return 0;
}

static int doctor(const char *path, const char *format)
{
	bool json = format && strcmp(format, "json") == 0;
	struct config *config;
	int r;

	if (format && !json) {
		fprintf(stderr, "parasausd: --doctor takes json, or nothing\n");
		return EXIT_USAGE;
	}
	config = options_load_config(path);
	if (!config)
		return 1;
	r = doctor_run(config, options_agent_runs(config), json);
	config_free(config);
	return r;
}

int main(int argc, char **argv)
{
	static const struct role *const roles[] = { &role_ipvs, NULL };
	struct options o;
	int status;

	if (!options_read(argc, argv, PARASAUS_VERSION, &o, &status))
		return status;
	/* A large table is tens of thousands of small things: the kernel gives a heap a lot at a time. */
	mallopt(M_TOP_PAD, HEAP_STEP);
	if (o.action == ACTION_ROLE)
		return role_main(roles, &o, PARASAUS_VERSION);
	if (o.action == ACTION_CLEANUP)
		return cleanup(o.config);
	return o.action == ACTION_DOCTOR ? doctor(o.config, o.format)
					 : options_not_mine(PROGRAM_IPVS);
}
