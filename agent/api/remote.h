/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Core's end of the http process: a thread that answers what it hands on
 * (agent/api/front_message.h), beside those that serve core's own sockets and by
 * the same functions. Core's loop is not held by any of it.
 *
 * The http process is not trusted with who somebody is: tokens, Host and Origin
 * are looked at here, tokens of a cluster by its API server's word
 * (agent/api/reviews.h), and what a certificate's holder may; whose certificate it
 * was is the http process's to say (agent/api/holder.h). One that breaks the
 * protocol is cut off, and nothing else.
 *
 * Bounds: FRONT_CONNECTIONS_MAX exchanges, each one piece ahead, and commands whose
 * clients are gone count until core has answered them; HTTP_STREAM_S for a streamed
 * list. A watch goes on while the token that opened it holds, which is asked before
 * each piece; what is not known of a cluster's token ends it, too.
 */
#ifndef AGENT_API_REMOTE_H
#define AGENT_API_REMOTE_H

#include <stdbool.h>

#include "agent/api/command.h"
#include "agent/api/front_message.h"
#include "agent/api/http.h"
#include "agent/base/attr.h"
#include "agent/base/err.h"

struct remote_config {
	http_answer_fn *answer;	    /* called in the thread */
	http_answered_fn *answered; /* NULL: not counted */
	void *arg;
	struct origin_names names;	    /* its texts outlive the thread */
	struct commands *commands;	    /* NULL: to `answer` */
	struct tokens *tokens;		    /* outlive the thread; NULL: nobody has one */
	const struct holder_rules *holders; /* whom certificates let in; outlive it; NULL: nobody */
	struct reviews *reviews; /* of a cluster's tokens; outlive it; NULL: they let nobody in */
};

struct remote;
MUST_CHECK int remote_start(const struct remote_config *c, struct remote **out, struct err *err);
/* From any thread. Another http process, by its channel, which is taken over; the old one's ends. */
void remote_connect(struct remote *r, int fd);
/* From any thread: watches look, once a second at least. */
void remote_wake(struct remote *r);
/* From any thread. False: there is no http process, or it has not said yet. */
MUST_CHECK bool remote_hello(struct remote *r, struct front_hello *out);
/* Waits for the thread; after commands_end(). NULL is fine. */
void remote_stop(struct remote *r);

#endif
