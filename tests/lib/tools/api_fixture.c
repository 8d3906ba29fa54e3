/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api_fixture SOCKET [POOLS MEMBERS]: the REST interface over a fixed snapshot,
 * the sample or a large one. Says "ready" once it listens; serves until its
 * standard input ends. What comes there meanwhile is done to the pools, a byte
 * each: d, the first member of the third pool goes down; u, it comes up; x, the
 * second pool is gone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/api/api.h"
#include "agent/base/clock.h"
#include "tests/lib/snapshots.h"

static void turn(struct snapshot_slot *slot, char what)
{
	int64_t now = clock_wall_ms(&clock_system);
	struct snapshot *s = snapshot_slot_get(slot), *next = NULL;

	if (what == 'd')
		next = snapshot_turned(s, 2, 0, VERDICT_DOWN, now);
	else if (what == 'u')
		next = snapshot_turned(s, 2, 0, VERDICT_UP, now);
	else if (what == 'x')
		next = snapshot_without(s, 1);
	if (next)
		snapshot_slot_put(slot, next);
	snapshot_unref(s);
}

int main(int argc, char **argv)
{
	struct snapshot_slot *slot = snapshot_slot_new();
	struct api_config config = { .tcp_fd = -1 };
	struct api *api;
	struct err err;
	char byte;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "usage: api_fixture SOCKET [POOLS MEMBERS]\n");
		return 2;
	}
	snapshot_slot_put(slot, argc == 2 ? snapshot_sample(clock_wall_ms(&clock_system))
					  : snapshot_large(strtoul(argv[2], NULL, 10),
							   strtoul(argv[3], NULL, 10)));
	config.unix_fd = snapshot_listen_unix(argv[1]);
	if (api_start(&config, slot, &api, &err) < 0) {
		fprintf(stderr, "api_fixture: %s\n", err.text);
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		turn(slot, byte);
	api_stop(api);
	snapshot_slot_free(slot);
	unlink(argv[1]);
	return 0;
}
