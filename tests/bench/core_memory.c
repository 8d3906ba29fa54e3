/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core holds: POOLS (35,000) pools with MEMBERS (10) members each, read from
 * a directory, planned, told and shown, on the clock of the simulation and with
 * an ipvs process that forgets what it is told.
 *
 *   core_memory [POOLS MEMBERS]
 *
 * Prints resident bytes and those that malloc has given out, before the start and
 * when all is in step, and the difference for one pool. The libraries that the
 * agent has beside are not in the difference. `pools` beside this program writes
 * the manifests.
 */
#include <err.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/core_world.h"

struct figures {
	double resident, used, free;
};

static double resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
		errx(1, "cannot read /proc/self/statm");
	fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static struct figures look(void)
{
	const struct mallinfo2 m = mallinfo2();

	return (struct figures){ resident(), (double)(m.uordblks + m.hblkhd), (double)m.fordblks };
}

static void print(const char *when, const struct figures *f)
{
	printf("%-6s resident %6.1f MiB, given out %6.1f, free in the heap %6.1f\n", when,
	       f->resident / 1048576, f->used / 1048576, f->free / 1048576);
}

/* --- the load ------------------------------------------------------------------------------ */

static void write_pools(struct world *w, const char *self, unsigned pools, unsigned members)
{
	const char *slash = strrchr(self, '/');
	char command[512];

	snprintf(command, sizeof(command), "%.*s/pools write -v 10.0.0.1 %s %u %u",
		 slash ? (int)(slash - self) : 1, slash ? self : ".", path_in(w, "pools"), pools,
		 members);
	if (system(command) != 0)
		errx(1, "%s: failed", command);
}

static void load(struct world *w, struct forgetful_kernel *k)
{
	struct core *c;

	start_core(w);
	c = w->context.arg;
	connect_forgetful_kernel(w, k);
	connect_health(w);
	health_is_told(w);
	while (!k->synced || !c->settled)
		turn(w);
	pass(w, 5000); /* a snapshot, the state directory, the feed */
}

int main(int argc, char **argv)
{
	unsigned pools = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 35000;
	unsigned members = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	struct forgetful_kernel kernel = { 0 };
	struct figures before, after;
	struct world *w;
	void *state;

	if (core_world_up(&state) != 0)
		return 1;
	w = state;
	rmdir(path_in(w, "pools"));
	write_pools(w, argv[0], pools, members);
	before = look();
	print("before", &before);
	load(w, &kernel);
	after = look();
	print("after", &after);
	printf("a pool: resident %.0f bytes, given out %.0f\n",
	       (after.resident - before.resident) / pools, (after.used - before.used) / pools);
	channel_free(kernel.channel);
	return core_world_down(&state);
}
