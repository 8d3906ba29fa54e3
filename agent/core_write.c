/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes over REST: what the HTTP server's threads post is done here, on the
 * loop that owns the store.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/api/command.h"
#include "agent/api/edit.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

struct store *writes_store(const struct core *c)
{
	for (size_t i = 0; i < c->config->source_count; i++) {
		struct store *s = source_store(c->sources[i].watch);

		if (s)
			return s;
	}
	return NULL;
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	command_answer(arg, reply);
}

static void on_command(void *arg, struct command *command)
{
	struct core *c = arg;
	size_t count = c->config->source_count;
	struct edit_place place = { .edits = c->edits,
				    .store = writes_store(c),
				    .rules = &c->config->rules,
				    .pools = c->pools,
				    .sources = c->edit_sources,
				    .source_count = count,
				    .store_source = CONFIG_SOURCES_MAX };

	for (unsigned i = 0; i < count; i++) {
		struct watch_source *w = c->sources[i].watch;

		c->edit_sources[i] = (struct edit_source){ w->ops->type,
							   source_where(&c->sources[i]) };
		if (place.store && source_store(w) == place.store)
			place.store_source = i;
	}

	edit_begin(&place, &command->request, on_answer, command);
}

int writes_start(struct core *c)
{
	int r = commands_new(c->loop, on_command, c, &c->commands);

	if (r < 0)
		log_error("api", "no descriptor for writes: %s", strerror(-r));
	else
		c->edits = edits_new();
	c->edit_sources = xcalloc(c->config->source_count + 1, sizeof(*c->edit_sources));
	return r;
}

void writes_end(struct core *c)
{
	edits_free(c->edits);
	c->edits = NULL;
	free(c->edit_sources);
	c->edit_sources = NULL;
	commands_end(c->commands);
}

void writes_free(struct core *c)
{
	commands_free(c->commands);
}
