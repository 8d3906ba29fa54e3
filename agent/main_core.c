/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausd-core: the program of the roles that read what people and clusters write, core and http,
 * and of --first-token, which writes what they read.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/sandbox.h"
#include "agent/core.h"
#include "agent/first_token.h"
#include "agent/http_role.h"
#include "agent/options.h"
#include "agent/role.h"

#define CORE_FILES 65536
#define HTTP_FILES 2048 /* twice its connections */

static int http_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.filter = role_filter(ROLE_HTTP, SANDBOX_FILTER_SERVER),
		.max_files = HTTP_FILES,
	};

	return sandbox_enter(&s, err);
}

/* Whatever its user: what a pod mounts is readable by this group (fsGroup), whose members we are. */
static const char *core_group(void)
{
	return getgrnam("parasaus") ? "parasaus" : NULL;
}

static int core_drop(const struct config *c, struct err *err)
{
	const struct sandbox s = {
		.user = c->user,
		.group = core_group(),
		.filter = role_filter(ROLE_CORE, SANDBOX_FILTER_CORE),
		.max_files = CORE_FILES,
	};

	return sandbox_enter(&s, err);
}

static const struct role http = {
	.id = ROLE_HTTP,
	.prepare = http_role_prepare,
	.drop = http_drop,
	.start = http_role_start,
	.end = http_role_end,
};

static const struct role core = {
	.id = ROLE_CORE,
	.prepare = core_prepare,
	.drop = core_drop,
	.start = core_start,
	.end = core_end,
};

/* What an agent needs before it starts beyond loopback; one that runs makes more. */
static int first_token(const char *path, const char *name)
{
	struct config *config = options_load_config(path);
	char text[TOKEN_TEXT + 1];
	struct err err = { 0 };
	int r;

	if (!config)
		return 1;
	if (options_agent_runs(config))
		r = err_set(&err, -EBUSY, "an agent is running: 'parasausctl token create %s'",
			    name);
	else
		r = first_token_make(config, name, text, &err);
	config_free(config);
	if (r < 0) {
		fprintf(stderr, "parasausd: first-token: %s\n", err.text);
		return 1;
	}
	puts(text);
	explicit_bzero(text, sizeof(text));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct role *const roles[] = { &core, &http, NULL };
	struct options o;
	int status;

	if (!options_read(argc, argv, PARASAUS_VERSION, &o, &status))
		return status;
	if (o.action == ACTION_ROLE)
		return role_main(roles, &o, PARASAUS_VERSION);
	return o.action == ACTION_TOKEN ? first_token(o.config, o.token_name)
					: options_not_mine(PROGRAM_CORE);
}
