/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Error answers: application/problem+json (RFC 9457). The code is the stable
 * part, the title and the detail are for people, in the language they ask for.
 */
#ifndef AGENT_API_PROBLEM_H
#define AGENT_API_PROBLEM_H

#include "agent/api/json_writer.h"
#include "agent/api/rest.h"

enum rest_problem {
	PROBLEM_BAD_REQUEST,
	PROBLEM_BAD_PARAMETER,
	PROBLEM_BODY_REFUSED,
	PROBLEM_NOT_FOUND,
	PROBLEM_NO_POOL,
	PROBLEM_NO_MEMBER,
	PROBLEM_NO_TARGET,
	PROBLEM_CROSS_SITE,
	PROBLEM_NO_DOCUMENT,
	PROBLEM_NO_REVISION,
	PROBLEM_NO_OPERATION,
	PROBLEM_FORBIDDEN,
	PROBLEM_TOKEN_NEEDED,
	PROBLEM_BAD_TOKEN,
	PROBLEM_UNLISTED,
	PROBLEM_NOT_GRANTED,
	PROBLEM_TOO_MANY_REVIEWS,
	PROBLEM_NO_TOKEN,
	PROBLEM_TOKEN_EXISTS,
	PROBLEM_TOO_MANY_TOKENS,
	PROBLEM_NO_BACKUP,
	PROBLEM_BACKUP_EXISTS,
	PROBLEM_TOO_MANY_BACKUPS,
	PROBLEM_BAD_METHOD,
	PROBLEM_NOT_ACCEPTABLE,
	PROBLEM_NO_STORE,
	PROBLEM_NOT_OF_STORE,
	PROBLEM_NAME_TAKEN,
	PROBLEM_MEMBER_EXISTS,
	PROBLEM_SELECTOR,
	PROBLEM_CLUSTER_TOKEN,
	PROBLEM_CLUSTER_UNKNOWN,
	PROBLEM_CLUSTER_FORBIDDEN,
	PROBLEM_CLUSTER_REFUSED,
	PROBLEM_CLUSTER_TROUBLE,
	PROBLEM_HALF_WRITTEN,
	PROBLEM_NO_FREE_PORT,
	PROBLEM_FRONTEND_TAKEN,
	PROBLEM_IN_USE,
	PROBLEM_OTHER_COUNT,
	PROBLEM_BATCH_REFUSED,
	PROBLEM_SNAPSHOT_EXPIRED,
	PROBLEM_EXISTS,
	PROBLEM_STALE,
	PROBLEM_TOO_LARGE,
	PROBLEM_TARGET_TOO_LONG,
	PROBLEM_BAD_TYPE,
	PROBLEM_WRONG_HOST,
	PROBLEM_INVALID,
	PROBLEM_KEY_REUSED,
	PROBLEM_NO_CONDITION,
	PROBLEM_TOO_MANY_WATCHES,
	PROBLEM_HEADERS_TOO_LARGE,
	PROBLEM_NOT_READY,
	PROBLEM_BUSY,
	PROBLEM_NOT_TRIED,
	PROBLEM_STORE_TROUBLE,
	PROBLEM_COUNT,
};

unsigned problem_status(enum rest_problem p);
const char *problem_code(enum rest_problem p);

/*
 * Makes the reply that error, with the headers that belong to its status. `detail` names what is wrong with this request, in English; NULL:
 * the title says it all. In Chinese it follows the title.
 */
void problem_answer(struct rest_reply *out, enum rest_problem p, const struct rest_request *r,
		    const char *detail);
/* The same in two steps, for what has more to say in between: the object stays open. */
void problem_begin(struct rest_reply *out, enum rest_problem p, const struct rest_request *r,
		   const char *detail, struct json_writer *j);
void problem_end(struct json_writer *j);

#endif
