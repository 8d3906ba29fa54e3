/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The http role: what agent/api/front.h needs, of the configuration and the disk. */
#ifndef AGENT_HTTP_ROLE_H
#define AGENT_HTTP_ROLE_H

#include "agent/base/attr.h"
#include "agent/role.h"

/* With privilege: the certificate and its key are read, or made, and the socket is bound. */
MUST_CHECK int http_role_prepare(struct role_context *c);
MUST_CHECK int http_role_start(struct role_context *c);
void http_role_end(struct role_context *c);

#endif
