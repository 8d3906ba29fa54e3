/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Link header of a page (RFC 8288): where the next one is, of the same
 * picture, with all that the request asked for.
 */
#ifndef AGENT_API_LINK_H
#define AGENT_API_LINK_H

#include <stddef.h>

#include "agent/api/uri.h"
#include "agent/base/buf.h"

#define LINK_MAX 2048 /* bytes; a longer one is left out */

/* Appends `</path?...&offset=N&snapshot=NAME>; rel="next"`, or nothing. */
void link_put_next(const struct uri *u, size_t offset, const char *snapshot, struct buf *out);

#endif
