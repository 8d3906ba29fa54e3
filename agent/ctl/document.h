/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the commands that write documents of the store share. */
#ifndef AGENT_CTL_DOCUMENT_H
#define AGENT_CTL_DOCUMENT_H

#include "agent/ctl/commands.h"

/* The path of "KIND NAME", the operands; the namespace from -n or before a slash. -EINVAL: none. */
MUST_CHECK int document_find(const struct ctl_args *args, struct buf *path, struct err *err);
/* "?dryRun=all&reason=..." of the options; `between` is "?" or "&". */
void document_params(const struct ctl_args *args, const char *between, struct buf *path);
/*
 * Says what the agent says of it; an exit code. *changed, where it is not NULL: whether anything did
 * change, or would.
 */
int document_send(const struct ctl_args *args, struct client *c, const struct client_write *w,
		  bool *changed);

/* --all-pools: drain, undrain or weight of the member that is the first operand; an exit code. */
int command_all_pools(const struct ctl_args *args, const char *op, const char *weight);

#endif
