/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of parasausctl. Each runs to its end and returns an exit code;
 * what went wrong is on standard error by then.
 */
#ifndef AGENT_CTL_COMMANDS_H
#define AGENT_CTL_COMMANDS_H

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/ctl/args.h"
#include "agent/ctl/client.h"

int command_get(const struct ctl_args *args);
int command_describe(const struct ctl_args *args);
int command_explain(const struct ctl_args *args);
int command_stats(const struct ctl_args *args);
int command_wait(const struct ctl_args *args);
int command_lint(const struct ctl_args *args);
int command_apply(const struct ctl_args *args);
int command_diff(const struct ctl_args *args);
int command_edit(const struct ctl_args *args);
int command_delete(const struct ctl_args *args);
int command_history(const struct ctl_args *args);
int command_rollback(const struct ctl_args *args);
int command_drain(const struct ctl_args *args);
int command_undrain(const struct ctl_args *args);
int command_weight(const struct ctl_args *args);
int command_doctor(const struct ctl_args *args);
int command_cleanup(const struct ctl_args *args);
int command_whoami(const struct ctl_args *args);
int command_backup(const struct ctl_args *args);
int command_token(const struct ctl_args *args);
int command_completion(const struct ctl_args *args);
int command_version(const struct ctl_args *args);
int command_help(const struct ctl_args *args);

/* "parasausctl: ..." on standard error; return CTL_FAILED, and CTL_USAGE with a hint at --help. */
int command_failed(const char *fmt, ...) PRINTF_LIKE(1, 2);
int command_misused(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Says what is about to be done and asks, unless --yes says it already. False: it is not to be
 * done, and it was said that nothing was.
 */
MUST_CHECK bool command_confirm(const struct ctl_args *args, const char *fmt, ...)
	PRINTF_LIKE(2, 3);

/* Says what err does of a negative result of client.h; an exit code. */
int command_refused(int r, const struct err *err);

/* To standard output; CTL_FAILED where it cannot be written (a full disk, a closed pipe). */
int command_print(const struct buf *text);
/* Asks for one object and prints it: as it came where -o wants JSON, else as put() has it. */
int command_show(const struct ctl_args *args, struct client *c, const char *path,
		 void (*put)(const struct doc *d, struct buf *out));

/*
 * The id of the pool that is meant by an id or by "namespace/service", appended to out. -ENOENT:
 * there is none; -ENOTUNIQ: several, err names them.
 */
MUST_CHECK int command_find_pool(struct client *c, const char *name, struct buf *out,
				 struct err *err);

/* describe target: by its id, or by the address and port of a server that has one. An exit code. */
int describe_target(const struct ctl_args *args, const char *name);

/*
 * Lists the pools and goes on to show each that changes; `query` ("?q=...", or "") narrows both.
 * Returns an exit code, and that of a failure always: it has no end of its own.
 */
struct rows;
int watch_pools(struct client *c, const struct rows *rows, const struct ctl_args *args,
		const char *query);

/* REST_POOLS, "shop.web.http-tcp", "/members": a path below a pool. */
void command_pool_path(struct buf *path, const char *id, const char *below);

#endif
