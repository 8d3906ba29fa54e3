/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What commands are about (KIND), in every word that is taken for it: the one
 * table of it, which commands, help and completion share. Pure.
 */
#ifndef AGENT_CTL_KINDS_H
#define AGENT_CTL_KINDS_H

#include <stdbool.h>

#include "agent/base/buf.h"

struct ctl_kind {
	const char *name; /* "services": as paths, lists and completion have it */
	const char
		*words[6]; /* what is taken for it besides, capitals or not; NULL behind the last */
	const char *commands; /* "get describe": those that it is a KIND of */
	bool in_namespace;    /* where it has a path of its own: below that of a namespace */
};
extern const struct ctl_kind ctl_kinds[]; /* ends with a NULL name */

/* NULL: `command` is not about that. */
const struct ctl_kind *ctl_kind_find(const char *word, const char *command);
/* The names of all kinds of a command, "pools|members"; nothing where it has none. */
void ctl_kinds_put(const char *command, const char *between, struct buf *out);
/* A line for each: "  services        service, svc". */
void ctl_kinds_help(const char *command, struct buf *out);

#endif
