/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests that core answers: the body is collected, the connection suspended
 * until the answer is there.
 */
#include <microhttpd.h>

#include "agent/api/backup_route.h"
#include "agent/api/batch.h"
#include "agent/api/http_private.h"
#include "agent/api/problem.h"
#include "agent/api/statistics.h"
#include "agent/api/target_route.h"
#include "agent/api/token_route.h"

static void resume(void *connection)
{
	MHD_resume_connection(connection);
}

enum http_step http_command_begin(const struct rest_request *r, struct command **out,
				  struct rest_reply *reply)
{
	enum edit_admission admission = token_admit(r, reply);

	if (admission == EDIT_NOT_OURS)
		admission = backup_admit(r, reply);
	if (admission == EDIT_NOT_OURS)
		admission = batch_admit(r, reply);
	if (admission == EDIT_NOT_OURS)
		admission = statistics_admit(r, reply);
	if (admission == EDIT_NOT_OURS)
		admission = target_admit(r, reply);
	if (admission == EDIT_NOT_OURS)
		admission = edit_admit(r, reply);
	switch (admission) {
	case EDIT_NOT_OURS:
		return HTTP_STEP_OTHER;
	case EDIT_REFUSED:
		return HTTP_STEP_ANSWER;
	case EDIT_ADMITTED:
		*out = command_new(r);
		return HTTP_STEP_MORE;
	}
	return HTTP_STEP_OTHER;
}

enum http_step http_command_go_on(struct commands *all, struct command *c,
				  struct MHD_Connection *connection, const char *upload,
				  size_t *upload_size, struct rest_reply *reply)
{
	if (*upload_size) {
		command_add(c, upload, *upload_size);
		*upload_size = 0;
		return HTTP_STEP_MORE;
	}
	if (c->posted)
		return command_take_reply(c, reply) ? HTTP_STEP_ANSWER : HTTP_STEP_MORE;
	if (c->too_large) {
		*reply = (struct rest_reply){ .close = true };
		problem_answer(reply, PROBLEM_TOO_LARGE, &c->request, NULL);
		return HTTP_STEP_ANSWER;
	}
	c->wake = resume;
	c->wake_arg = connection;
	/* First, for the answer may come before command_post() returns. */
	MHD_suspend_connection(connection);
	command_post(all, c);
	return HTTP_STEP_MORE;
}
