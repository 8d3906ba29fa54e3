/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl cleanup and doctor: become `parasausd --cleanup` and `--doctor`,
 * the program that knows what is the agent's and what it needs.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/ctl/commands.h"

/* Of the same build where there is one, or else of the PATH. */
static const char *find_agent(char out[static PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		if (snprintf(out, PATH_MAX, "%s/parasausd", dirname(self)) < PATH_MAX &&
		    access(out, X_OK) == 0)
			return out;
	}
	return "parasausd";
}

int command_cleanup(const struct ctl_args *args)
{
	char path[PATH_MAX];
	const char *agent = find_agent(path);

	if (args->operand_count || !args->config)
		return command_misused("cleanup", "cleanup needs -c FILE, the agent's "
						  "configuration");
	if (!command_confirm(args,
			     "Running: %s -c %s --cleanup\n"
			     "This deletes the agent's virtual services, routes, rules, sets and "
			     "proxy neighbours from the kernel.\n"
			     "Connections through its addresses end.\n",
			     agent, args->config))
		return CTL_FAILED;
	execlp(agent, agent, "-c", args->config, "--cleanup", (char *)NULL);
	return command_failed("cannot run %s: %s", agent, strerror(errno));
}

int command_doctor(const struct ctl_args *args)
{
	const char *how = ctl_wants_json(args) ? "--doctor=json" : "--doctor";
	const char *config = args->config ? args->config : "/etc/parasaus/parasaus.yaml";
	char path[PATH_MAX];
	const char *agent = find_agent(path);

	if (args->operand_count)
		return command_misused("doctor", "doctor takes nothing but options");
	execlp(agent, agent, "-c", config, how, (char *)NULL);
	return command_failed("cannot run %s: %s", agent, strerror(errno));
}
