/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The programs of the roles, one for each kind of privilege, so that a process maps the libraries
 * that it uses and no others. They lie beside parasausd in a build tree, and in LIBEXECDIR where
 * they were installed; nobody but parasausd runs them.
 */
#ifndef AGENT_PROGRAM_H
#define AGENT_PROGRAM_H

#include <stddef.h>

#include "agent/base/attr.h"
#include "agent/base/err.h"

enum program { PROGRAM_CORE, PROGRAM_IPVS, PROGRAM_HEALTHCHECK, PROGRAM_COUNT };

/* The file's name: "parasausd-core". */
const char *program_name(enum program p);

/*
 * Its path, of the directory `beside` (that of the running parasausd; "" is none) or else of
 * `libexec`. -errno, and err names both places and the fix; out is of PATH_MAX bytes.
 */
MUST_CHECK int program_find(enum program p, const char *beside, const char *libexec, char *out,
			    struct err *err);
/* The directory of the running program into out, of PATH_MAX bytes; "" where it is not known. */
void program_directory(char *out);

/*
 * All of them, as descriptors to execute, closed by whatever is executed. A parent holds them from
 * its start on: a role that it starts again after an upgrade is then of the version that it is
 * itself. -errno: none is open.
 */
MUST_CHECK int program_open_all(const char *beside, const char *libexec, int fds[PROGRAM_COUNT],
				struct err *err);

#endif
