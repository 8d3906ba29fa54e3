/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which page asks: what a browser tells of where a request comes from. A page of
 * anywhere can make the browser of someone on this machine ask us; what it must
 * not reach is answers (a name of its own that it points here) and, once there is
 * something to change, changes (a form or script of its own).
 */
#ifndef AGENT_API_ORIGIN_H
#define AGENT_API_ORIGIN_H

#include <stdbool.h>

/* Names that a Host may have besides those of loopback. */
struct origin_names {
	const char *node;	   /* this node's; NULL: none */
	const char *const *others; /* ends with NULL; NULL: none */
	/* Every address, as a number: where it is listened on all of them. A page cannot have one of
	 * ours for its own name. */
	bool addresses;
};

/*
 * Is that Host, with or without a port, the loopback or one of `names`? NULL: there is none.
 * 127.0.0.0/8, [::1] and localhost are names that no other page can have.
 */
bool origin_host_is_ours(const char *host, const struct origin_names *names);

/* A method that changes nothing: GET or HEAD. */
bool origin_is_safe(const char *method);

/*
 * May a request of that method come from there? GET and HEAD from anywhere; others not from
 * another site, which a browser tells by Sec-Fetch-Site, or by Origin where it is older. Who tells
 * neither is no browser. NULL: no such header.
 */
bool origin_may(const char *method, const char *fetch_site, const char *origin,
		const struct origin_names *names);

#endif
