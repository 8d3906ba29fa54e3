/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What roles make with privilege, before they give it up: directories, listening sockets. */
#ifndef AGENT_PLACE_H
#define AGENT_PLACE_H

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"

/* The directories above that path. -errno. */
MUST_CHECK int place_parents(const char *path);
/*
 * A directory of that user's alone, who it is given to when we are root. -errno; -EROFS: its file
 * system cannot be written, and what there is may be read.
 */
MUST_CHECK int place_private(const char *path, const char *owner);
/* A listening TCP socket, or -errno. */
MUST_CHECK int place_listen(const struct endpoint *e, int backlog);

#endif
