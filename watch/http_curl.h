/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/http.h by libcurl's multi interface on the loop: HTTP/2 where the
 * server offers it, otherwise 1.1; requests to one server share connections.
 * https and http alone, straight (no proxy of the environment), no redirect
 * followed, no cookie, no netrc. Names are resolved in threads of libcurl's,
 * so that a slow DNS server does not hold up the loop.
 *
 * http_free() must not be called from inside one of its callbacks; anything
 * else may.
 */
#ifndef WATCH_HTTP_CURL_H
#define WATCH_HTTP_CURL_H

#include "agent/base/attr.h"
#include "agent/base/loop.h"
#include "watch/http.h"

/* A user agent that begins with "curl", "Wget" or "Mozilla" makes API servers indent all JSON. */
MUST_CHECK int http_curl_new(struct loop *l, const char *user_agent, struct http **out);

#endif
