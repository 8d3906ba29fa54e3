/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests on their way from the HTTP server's threads to the loop that owns
 * the store, and their answers on the way back.
 *
 * A command is its maker's until it is posted, the loop's until it is answered,
 * and its maker's again. Each that is posted is answered, at the latest when
 * the commands end.
 */
#ifndef AGENT_API_COMMAND_H
#define AGENT_API_COMMAND_H

#include "agent/api/request_id.h"
#include "agent/api/rest.h"
#include "agent/base/attr.h"
#include "agent/base/loop.h"

struct commands;

struct command {
	struct rest_request request; /* its texts are the command's own */
	struct buf body;	     /* as it comes; at most REST_BODY_MAX are kept */
	bool too_large;
	bool posted;
	/* Called once it is answered, from the loop's thread, or from inside command_post(). */
	void (*wake)(void *arg);
	void *wake_arg;
	/* Inside: */
	struct rest_reply reply;
	bool answered;
	struct commands *to;
	struct command *next, **place;
};

/* Copies what the request points to. */
MUST_CHECK struct command *command_new(const struct rest_request *r);
void command_add(struct command *c, const char *data, size_t len); /* of its body */
void command_post(struct commands *all, struct command *c);
/* False: not yet. The reply is moved to *out. From any thread. */
MUST_CHECK bool command_take_reply(struct command *c, struct rest_reply *out);
/* Not while it is the loop's. Wipes what it held. NULL is fine. */
void command_free(struct command *c);

/* On the loop's thread; the command is answered by command_answer(), now or later. */
typedef void command_fn(void *arg, struct command *c);
/* -errno: no descriptor. */
MUST_CHECK int commands_new(struct loop *l, command_fn *fn, void *arg, struct commands **out);
/* Takes the reply over. */
void command_answer(struct command *c, struct rest_reply *reply);
/* All that wait are answered by 503 now, and so is each that comes. */
void commands_end(struct commands *all);
void commands_free(struct commands *all); /* after whoever posts has ended; NULL is fine */

#endif
