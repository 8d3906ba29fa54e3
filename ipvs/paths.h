/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes that go the way of clients' packets: sent to a VIP and forwarded by IPVS to one real server.
 *
 * A prober connects to the server's own address, from a port that no other connection has. By that
 * port the kernel knows the path: packets get its mark and the VIP as their destination, a virtual
 * service of that mark forwards them, and answers look as if they came from the server's address
 * (host_paths.h, path_services.h).
 *
 * Core decides, the ipvs process makes them: IPVS_MSG_PATHS. A number stands for one path, whole: for
 * another server or another way of forwarding core takes another number, since connections that the
 * kernel remembers of a number go where the first of them went.
 */
#ifndef IPVS_PATHS_H
#define IPVS_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/endpoint.h"

#define IPVS_PATHS_MAX 1000
#define IPVS_PATH_MARK 0x50610000u /* of number 0 */
#define IPVS_PATH_PORT 61000	   /* of number 0; above the ports that Linux picks by itself */

struct ipvs_path {
	uint16_t number;    /* < IPVS_PATHS_MAX */
	struct addr vip;    /* of the server's family */
	struct endpoint to; /* where the probe connects to: the server, the port checked; TCP */
	uint8_t forward;    /* IPVS_DIRECT or IPVS_TUNNEL */
	uint8_t tunnel;	    /* these two as in struct ipvs_dest */
	uint16_t tunnel_port;
};

/* All of them, by number. Zero-initialise. */
struct ipvs_paths {
	struct ipvs_path *items;
	size_t count;
	uint32_t version; /* core's: it grows with each change */
};

void ipvs_paths_done(struct ipvs_paths *p);
/* Replaces what *out has. */
void ipvs_paths_copy(struct ipvs_paths *out, const struct ipvs_paths *p);

uint32_t ipvs_path_mark(const struct ipvs_path *p);
uint16_t ipvs_path_port(const struct ipvs_path *p);

/* No more than IPVS_PATHS_MAX, by number: asserted. */
void wire_put_ipvs_paths(struct buf *b, const struct ipvs_paths *p);
/* Whatever is out of range or out of order makes w bad, and *out is empty. */
void wire_ipvs_paths(struct wire *w, struct ipvs_paths *out);

#define IPVS_PATHS_TEXT_MAX 161

/* How it went: the answer to them. Zero-initialise. */
struct ipvs_paths_result {
	uint32_t version;
	int32_t error; /* 0: that version is in force, but for `failed`; else -errno */
	char text[IPVS_PATHS_TEXT_MAX]; /* of the error; else why the first of `failed` cannot be */
	uint16_t failed_count;
	uint16_t failed[IPVS_PATHS_MAX]; /* numbers, ascending, of paths that could not be made */
};

bool ipvs_paths_result_equal(const struct ipvs_paths_result *a, const struct ipvs_paths_result *b);
/* That one could not be made. */
void ipvs_paths_result_fail(struct ipvs_paths_result *r, const struct ipvs_path *p,
			    const char *why);
/* Is that version in force, and with it the path of this number? */
bool ipvs_paths_result_has(const struct ipvs_paths_result *r, uint16_t number);

/* `failed` in order: asserted. */
void wire_put_ipvs_paths_result(struct buf *b, const struct ipvs_paths_result *r);
void wire_ipvs_paths_result(struct wire *w, struct ipvs_paths_result *out);

#endif
