/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl: looks at a running agent over its REST interface.
 */
#include <signal.h>

#include "agent/ctl/args.h"
#include "agent/ctl/commands.h"

int main(int argc, char **argv)
{
	const struct ctl_command *command;
	struct ctl_args args;
	struct err err;
	int r = ctl_parse(argc, argv, &command, &args, &err);

	signal(SIGPIPE, SIG_IGN); /* a write to a pager that was left fails instead */
	if (args.help) {
		struct buf text = { 0 };

		ctl_help(command, &text);
		r = command_print(&text);
		buf_done(&text);
	} else if (r < 0) {
		r = command_misused(command ? command->name : NULL, "%s", err.text);
	} else {
		r = command->run(&args);
	}
	ctl_args_done(&args);
	return r;
}
