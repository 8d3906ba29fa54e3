/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_fixture [--tcp] SOCKET [POOLS MEMBERS]: the REST interface over a fixed
 * snapshot, the sample or a large one. Says "ready" once it listens, with --tcp
 * "ready PORT", of 127.0.0.1 as well; serves until its standard input ends. What
 * comes there meanwhile is done to the pools, a byte each: d, the first member
 * of the third pool goes down; u, it comes up; x, the second pool is gone; c, a
 * member of the next pool in turn goes down, or up the second time round; r, all
 * is as it was at first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/api/api.h"
#include "agent/base/clock.h"
#include "tests/lib/snapshots.h"

struct fixture {
	struct snapshot_slot *slot;
	struct snapshot *first;
	size_t changes; /* by c */
};

static struct snapshot *change_next(struct fixture *f, const struct snapshot *s, int64_t now)
{
	size_t round = f->changes / s->pool_count, pool = f->changes % s->pool_count;

	f->changes++;
	return s->pools[pool]->member_count
		       ? snapshot_turned(s, pool, 0, round % 2 ? VERDICT_UP : VERDICT_DOWN, now)
		       : NULL;
}

static struct snapshot *begin_again(struct fixture *f)
{
	f->changes = 0;
	return snapshot_ref(f->first);
}

static void turn(struct fixture *f, char what)
{
	int64_t now = clock_wall_ms(&clock_system);
	struct snapshot *s = snapshot_slot_get(f->slot), *next = NULL;

	if (what == 'd')
		next = snapshot_turned(s, 2, 0, VERDICT_DOWN, now);
	else if (what == 'u')
		next = snapshot_turned(s, 2, 0, VERDICT_UP, now);
	else if (what == 'x')
		next = snapshot_without(s, 1);
	else if (what == 'c')
		next = change_next(f, s, now);
	else if (what == 'r')
		next = begin_again(f);
	if (next)
		snapshot_slot_put(f->slot, next);
	snapshot_unref(s);
}

static int serve(const char *path, bool tcp, struct fixture *f)
{
	struct api_config config = { .unix_fd = snapshot_listen_unix(path), .tcp_fd = -1 };
	struct api *api;
	struct err err;
	uint16_t port = 0;
	char byte;

	if (tcp)
		config.tcp_fd = snapshot_listen_tcp(&port);
	if (api_start(&config, f->slot, &api, &err) < 0) {
		fprintf(stderr, "api_fixture: %s\n", err.text);
		return 1;
	}
	if (tcp)
		printf("ready %u\n", port);
	else
		printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		turn(f, byte);
	api_stop(api);
	unlink(path);
	return 0;
}

int main(int argc, char **argv)
{
	bool tcp = argc > 1 && strcmp(argv[1], "--tcp") == 0;
	char **args = argv + 1 + tcp;
	int count = argc - 1 - tcp, r;
	struct fixture f = { 0 };

	if (count != 1 && count != 3) {
		fprintf(stderr, "usage: api_fixture [--tcp] SOCKET [POOLS MEMBERS]\n");
		return 2;
	}
	f.slot = snapshot_slot_new();
	f.first = count == 1
			  ? snapshot_sample(clock_wall_ms(&clock_system))
			  : snapshot_large(strtoul(args[1], NULL, 10), strtoul(args[2], NULL, 10));
	snapshot_slot_put(f.slot, snapshot_ref(f.first));
	r = serve(args[0], tcp, &f);
	snapshot_unref(f.first);
	snapshot_slot_free(f.slot);
	return r;
}
