/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server: a thread of its own for each listening socket, answering
 * from the newest snapshot, one for what the http process hands on (agent/api/remote.h), and one that compares snapshots for who watches.
 * What is of the store goes to the loop that owns it (agent/api/edit.h), and so
 * do tokens (agent/api/token_route.h); nothing else that a client sends changes
 * anything.
 *
 * Bounds: request line and headers 16 KiB, a body of 1 MiB for who may write
 * and none for others, 64 connections a socket, 32
 * of them watches, 10 s without progress (a watch 30), 60 s for a streamed list.
 * See parasaus-rest(7).
 */
#ifndef AGENT_API_API_H
#define AGENT_API_API_H

#include "agent/base/attr.h"
#include "agent/base/err.h"
#include "agent/plan/snapshot.h"

struct api;
struct front_hello; /* agent/api/front_message.h */
struct commands;    /* agent/api/command.h */
struct tokens;	    /* agent/api/tokens.h */

struct api_config {
	int unix_fd;	      /* listening; taken over, on failure too; -1: none */
	int tcp_fd;	      /* listening on loopback; taken over, on failure too; -1: none */
	size_t metrics_pools; /* that have metrics of their own */
	const char *node;     /* our name; outlives the server */
	/* What the http process is called by its clients, texts outlive the server; NULL: there is no such process. */
	const struct origin_names *remote;
	const struct holder_rules *holders; /* see struct remote_config */
	struct reviews *reviews;	    /* the same */
	/* Where requests to the store go; NULL: nothing is read of one nor written to it. */
	struct commands *commands;
	bool writable;	       /* there is a store */
	struct tokens *tokens; /* outlive the server; NULL: nobody has one */
	bool has_cluster;      /* pools come from one, and are written there */
};

/* The slot and the commands must outlive the server. */
MUST_CHECK int api_start(const struct api_config *c, struct snapshot_slot *slot, struct api **out,
			 struct err *err);
/* An http process, by its channel, which is taken over. Only where `remote` was given. */
void api_connect_http(struct api *a, int fd);
/* False: there is none, or it has not said yet. */
MUST_CHECK bool api_http_hello(struct api *a, struct front_hello *out);
/* Waits for the threads; after commands_end(). NULL is fine. */
void api_stop(struct api *a);

#endif
