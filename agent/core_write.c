/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes over REST: what the HTTP server's threads post is done here, on the
 * loop that owns the store.
 */
#include <string.h>

#include "agent/api/command.h"
#include "agent/api/edit.h"
#include "agent/base/log.h"
#include "agent/core_private.h"

struct watch_source *writes_source(const struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		if (source_store(c->sources[i].watch))
			return c->sources[i].watch;
	}
	return NULL;
}

struct store *writes_store(const struct core *c)
{
	return source_store(writes_source(c));
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	command_answer(arg, reply);
}

static void on_command(void *arg, struct command *command)
{
	struct core *c = arg;
	const struct edit_place place = { .edits = c->edits,
					  .store = writes_store(c),
					  .rules = &c->config->rules,
					  .plan = core_preview,
					  .plan_arg = c };

	edit_begin(&place, &command->request, on_answer, command);
}

int writes_start(struct core *c)
{
	int r = commands_new(c->loop, on_command, c, &c->commands);

	if (r < 0)
		log_error("api", "no descriptor for writes: %s", strerror(-r));
	else
		c->edits = edits_new();
	return r;
}

void writes_end(struct core *c)
{
	edits_free(c->edits);
	c->edits = NULL;
	commands_end(c->commands);
}

void writes_free(struct core *c)
{
	commands_free(c->commands);
}
