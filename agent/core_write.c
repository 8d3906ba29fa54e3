/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes over REST: what the HTTP server's threads post is done here, on the
 * loop that owns the store and the tokens of who may write.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/backup_route.h"
#include "agent/api/batch.h"
#include "agent/api/command.h"
#include "agent/api/edit.h"
#include "agent/api/problem.h"
#include "agent/api/statistics.h"
#include "agent/api/target_route.h"
#include "agent/api/token_route.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
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

static void tell(const struct err *said)
{
	if (said->code < 0)
		log_error("api", "%s", said->text);
	else if (said->text[0])
		log_info("api", "%s", said->text);
}

static void on_backup(void *arg, struct rest_reply *reply, const struct err *said)
{
	tell(said);
	command_answer(arg, reply);
}

static void begin_backup(struct core *c, struct command *command)
{
	const struct backup_place place = { .backups = c->backups,
					    .store = writes_store(c),
					    .directory = c->backup_directory,
					    .now_ms = clock_wall_ms(loop_clock(c->loop)) };

	backup_begin(&place, &command->request, on_backup, command);
}

static void answer_token(struct core *c, struct command *command)
{
	const struct token_place place = { .tokens = c->tokens,
					   .writable = writes_store(c) != NULL,
					   .now_ms = clock_wall_ms(loop_clock(c->loop)) };
	struct rest_reply reply;
	struct err said;

	token_answer(&place, &command->request, &reply, &said);
	tell(&said);
	command_answer(command, &reply);
}

/* Its token was deleted while its body came. */
static void refuse_late(struct command *command)
{
	struct rest_reply reply = { 0 };

	problem_answer(&reply, PROBLEM_BAD_TOKEN, &command->request, NULL);
	command_answer(command, &reply);
}

static struct edit_place place_of(struct core *c)
{
	struct watch_source *own = writes_source(c);
	struct edit_place p = { .edits = c->edits,
				.store = source_store(own),
				.rules = c->rules,
				.pools = c->pools,
				.sources = c->edit_sources,
				.source_count = c->config->source_count,
				.store_source = CONFIG_SOURCES_MAX,
				.plan = core_preview,
				.plan_arg = c,
				.now = core_now(c),
				.now_ms = clock_wall_ms(loop_clock(c->loop)) };

	for (unsigned i = 0; i < p.source_count; i++) {
		struct watch_source *w = c->sources[i].watch;

		c->edit_sources[i] = (struct edit_source){ w->ops->type,
							   source_where(&c->sources[i]), NULL };
		if (c->config->sources[i].type == CONFIG_KUBERNETES) {
			c->edit_clusters[i] = source_cluster(&c->sources[i]);
			c->edit_sources[i].cluster = &c->edit_clusters[i];
		}
		if (w == own)
			p.store_source = i;
	}
	return p;
}

static void begin_edit(struct core *c, struct command *command)
{
	const struct edit_place place = place_of(c);

	edit_begin(&place, &command->request, on_answer, command);
}

/* A batch_ask_fn: what is there may have changed since the batch began. */
static void ask_edit(void *arg, const struct rest_request *r, struct edit_stage *stage,
		     edit_answer_fn *fn, void *fn_arg)
{
	struct core *c = arg;
	struct edit_place place = place_of(c);
	struct rest_reply reply = { 0 };

	/* A batch goes on for long: its token may have been deleted meanwhile. */
	if (r->bearer.claim == BEARER_KNOWN && !tokens_hold(c->tokens, &r->bearer)) {
		problem_answer(&reply, PROBLEM_BAD_TOKEN, r, NULL);
		fn(fn_arg, &reply);
		return;
	}
	place.stage = stage;
	edit_begin(&place, r, fn, fn_arg);
}

static void begin_batch(struct core *c, struct command *command)
{
	const struct batch_place place = { .batches = c->batches,
					   .snapshot = snapshot_slot_get(c->view.slot),
					   .ask = ask_edit,
					   .ask_arg = c };

	batch_begin(&place, &command->request, on_answer, command);
	snapshot_unref(place.snapshot);
}

static void begin_statistics(struct core *c, struct command *command)
{
	struct snapshot *snapshot = snapshot_slot_get(c->view.slot);
	const struct statistics_place place = { .all = c->statistics,
						.snapshot = snapshot,
						.count = counts_ask,
						.arg = c,
						.now_ms = clock_wall_ms(loop_clock(c->loop)) };

	statistics_begin(&place, &command->request, on_answer, command);
	snapshot_unref(snapshot);
}

static void begin_target(struct core *c, struct command *command)
{
	const struct target_look_place place = { .all = c->target_looks,
						 .find = look_find,
						 .look = looks_ask,
						 .now_ms = look_now_ms,
						 .arg = c };

	target_begin(&place, &command->request, on_answer, command);
}

static void on_command(void *arg, struct command *command)
{
	const struct bearer *bearer = &command->request.bearer;
	struct core *c = arg;

	if (bearer->claim == BEARER_KNOWN && !tokens_hold(c->tokens, bearer)) {
		refuse_late(command);
	} else if (token_is_asked_for(&command->request)) {
		answer_token(c, command);
	} else if (backup_is_asked_for(&command->request)) {
		begin_backup(c, command);
	} else if (batch_is_asked_for(&command->request)) {
		begin_batch(c, command);
	} else if (statistics_is_asked_for(&command->request)) {
		begin_statistics(c, command);
	} else if (target_is_asked_for(&command->request)) {
		begin_target(c, command);
	} else {
		begin_edit(c, command);
	}
}

static void tell_fault(const char *path, const struct problem *p)
{
	if (p->line)
		log_error("api", "%s: line %u is not used: %s", path, p->line, p->text);
	else if (p->error)
		log_error("api", "%s: %s", path, p->text);
	else
		log_warn("api", "%s: %s", path, p->text);
}

static void open_tokens(struct core *c)
{
	CLEANUP(xfree_ptr) char *path = xasprintf("%s/tokens", c->config->state_directory);
	struct problems faults = { 0 };

	c->tokens = tokens_open(path, &faults);
	for (size_t i = 0; i < faults.count; i++)
		tell_fault(path, &faults.items[i]);
	problems_done(&faults);
}

/* Who would be let in nowhere is told before anything is listened for. */
static int check_who_may(const struct core *c)
{
	size_t count;

	(void)tokens_items(c->tokens, &count);
	if (!c->config->api_remote || count || c->config->client_ca || c->config->kubernetes_tokens)
		return 0;
	log_error(
		"api",
		"api.listen is beyond loopback, where everybody has to show who he is, and nobody "
		"could: there is no token in %s/tokens, make the first one by 'parasausd "
		"--first-token NAME' (with the same -c), which prints it, or say by "
		"api.clientCertificates whose certificates are good, or by api.kubernetesTokens "
		"that a cluster's tokens are",
		c->config->state_directory);
	return ROLE_NO_USE;
}

int writes_start(struct core *c)
{
	int r;

	open_tokens(c);
	r = check_who_may(c);
	if (r < 0)
		return r;
	r = reviews_start(c);
	if (r < 0)
		return r;
	r = commands_new(c->loop, on_command, c, &c->commands);
	if (r < 0)
		log_error("api", "no descriptor for writes: %s", strerror(-r));
	else
		c->edits = edits_new();
	c->batches = batches_new(c->loop);
	c->statistics = statistics_new();
	c->target_looks = target_looks_new();
	c->backups = backups_new();
	c->backup_directory = xasprintf("%s/backups", c->config->state_directory);
	c->edit_sources = xcalloc(c->config->source_count + 1, sizeof(*c->edit_sources));
	c->edit_clusters = xcalloc(c->config->source_count + 1, sizeof(*c->edit_clusters));
	return r;
}

void writes_end(struct core *c)
{
	edits_free(c->edits);
	c->edits = NULL;
	batches_free(c->batches);
	c->batches = NULL;
	statistics_free(c->statistics);
	c->statistics = NULL;
	target_looks_free(c->target_looks);
	c->target_looks = NULL;
	backups_free(c->backups);
	c->backups = NULL;
	free(c->backup_directory);
	c->backup_directory = NULL;
	free(c->edit_sources);
	c->edit_sources = NULL;
	free(c->edit_clusters);
	c->edit_clusters = NULL;
	commands_end(c->commands);
}

void writes_free(struct core *c)
{
	commands_free(c->commands);
	tokens_free(c->tokens);
}
