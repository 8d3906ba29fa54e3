/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens over REST: making, listing and deleting them, over the unix socket
 * alone and for who may write there, so that no token can make another.
 *
 * Two halves, as agent/api/edit.h has them: token_admit() looks at the headers,
 * in any thread; token_answer() answers, on the thread that owns the tokens.
 */
#ifndef AGENT_API_TOKEN_ROUTE_H
#define AGENT_API_TOKEN_ROUTE_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/api/tokens.h"

extern const struct edit_path token_paths[]; /* ends with a NULL path */

/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission token_admit(const struct rest_request *r, struct rest_reply *out);

/* Is an admitted request one of these, and not the store's? */
MUST_CHECK bool token_is_asked_for(const struct rest_request *r);

struct token_place {
	struct tokens *tokens;
	bool writable; /* there is a store: else a token would be of no use, and none is made */
	int64_t now_ms;
};
/*
 * A request that was admitted, with its body. What its owner should log goes to *out_said: a change
 * where its code is 0, else a failure; "": neither. There is no token in it.
 */
void token_answer(const struct token_place *p, const struct rest_request *r, struct rest_reply *out,
		  struct err *out_said);

#endif
