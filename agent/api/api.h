/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server: a thread of its own for each listening socket, answering
 * from the newest snapshot, and one that compares snapshots for who watches.
 * Read only: nothing a client sends changes anything.
 *
 * Bounds: request line and headers 16 KiB, no body, 64 connections a socket, 32
 * of them watches, 10 s without progress (a watch 30), 60 s for a streamed list.
 * See parasaus-rest(7).
 */
#ifndef AGENT_API_API_H
#define AGENT_API_API_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/plan/snapshot.h"

struct api;

struct api_config {
	int unix_fd;	      /* listening; taken over, on failure too; -1: none */
	int tcp_fd;	      /* listening on loopback; taken over, on failure too; -1: none */
	size_t metrics_pools; /* that have metrics of their own */
};

/* The slot must outlive the server. */
MUST_CHECK int api_start(const struct api_config *c, struct snapshot_slot *slot, struct api **out,
			 struct err *err);
void api_stop(struct api *a); /* waits for the threads; NULL is fine */

#endif
