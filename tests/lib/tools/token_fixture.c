/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * token_fixture SOCKET FILE: the tokens of FILE over REST, as core has them, at
 * a time that stands still. Says "ready" once it listens; serves until its
 * standard input ends.
 */
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/api/api.h"
#include "agent/api/command.h"
#include "agent/api/token_route.h"
#include "agent/base/clock.h"
#include "agent/base/loop.h"
#include "tests/lib/snapshots.h"

#define NOW INT64_C(1795316400000)

/* Documents are not asked for here: that would be answered as a bad target. */
static void on_command(void *arg, struct command *c)
{
	const struct token_place place = { .tokens = arg, .writable = true, .now_ms = NOW };
	struct rest_reply reply;
	struct err said;

	token_answer(&place, &c->request, &reply, &said);
	command_answer(c, &reply);
}

static void on_input(void *arg, uint32_t events)
{
	char byte;

	(void)events;
	if (read(STDIN_FILENO, &byte, 1) <= 0)
		loop_stop(arg, 0);
}

static int serve(const char *path, struct loop *l, struct tokens *tokens)
{
	struct api_config config = { .tcp_fd = -1, .tokens = tokens, .writable = true };
	struct snapshot_slot *slot = snapshot_slot_new();
	struct api *api = NULL;
	struct err err = { 0 };
	loop_fd_id input;
	int r;

	snapshot_slot_put(slot, snapshot_sample(NOW));
	config.unix_fd = snapshot_listen_unix(path);
	r = commands_new(l, on_command, tokens, &config.commands);
	if (r == 0)
		r = loop_add_fd(l, STDIN_FILENO, EPOLLIN, on_input, l, &input);
	if (r == 0)
		r = api_start(&config, slot, &api, &err);
	if (r == 0) {
		printf("ready\n");
		fflush(stdout);
		r = loop_run(l);
	} else {
		fprintf(stderr, "token_fixture: %d %s\n", r, err.text);
	}
	commands_end(config.commands);
	api_stop(api);
	commands_free(config.commands);
	snapshot_slot_free(slot);
	unlink(path);
	return r;
}

int main(int argc, char **argv)
{
	struct problems faults = { 0 };
	struct tokens *tokens;
	struct loop *l;
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: token_fixture SOCKET FILE\n");
		return 2;
	}
	if (loop_new(&clock_system, &l) < 0)
		return 1;
	tokens = tokens_open(argv[2], &faults);
	r = serve(argv[1], l, tokens);
	tokens_free(tokens);
	problems_done(&faults);
	loop_free(l);
	return r ? 1 : 0;
}
