/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Admission to a route that only reads, and that core answers because what it
 * tells is in no snapshot: JSON, by GET and HEAD, without parameters and body.
 */
#ifndef AGENT_API_READ_ROUTE_H
#define AGENT_API_READ_ROUTE_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/api/uri.h"

#define READ_ROUTE_METHODS "GET, HEAD"

typedef bool read_route_fn(const struct uri *u); /* Is it this route's? */

MUST_CHECK bool read_route_is_asked_for(const struct rest_request *r, read_route_fn *is_ours);
/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission read_route_admit(const struct rest_request *r,
						read_route_fn *is_ours, struct rest_reply *out);

#endif
