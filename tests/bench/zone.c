/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zone that fails: a third of all targets gone at once, and back. The real
 * checker on real sockets, in a process of its own, and the whole of core on the
 * real clock, with an ipvs process that forgets what it is told.
 *
 *   zone [POOLS [MEMBERS [INTERVAL_S [silent|refuse [GONE_S]]]]]	(3500 10 2 silent 30)
 *
 * In a network namespace of its own every address of 10.128.0.0/11 is this host.
 * Of each pool's members a third is behind another port than the rest: the zone,
 * whose listener takes no packet any more (silent), or listens no more (refuse),
 * and comes back after GONE_S.
 *
 * Reported are how long it took until checks had found the zone down and up, and
 * until that was planned of all of them; the longest that the loops of core and of
 * the checker were late, and the longest turn of core in CPU of its thread; and
 * how often the checker changed its mind about each target.
 */
#include <err.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "healthcheck/role.h"
#include "tests/lib/core_world.h"
#include "tests/lib/own_net.h"

#define PORT	   8080
#define PORT_ZONE  8082
#define IN_A_FILE  100 /* pools */
#define LOOK_MS	   100
#define PATIENCE_S 600

struct zone {
	unsigned pools, members, interval_s;
	bool is_silent;
	int64_t gone_s;
	size_t all, inside; /* targets; those of the zone */
	int listener;
	struct world *w;
	struct core *core;
	struct forgetful_kernel kernel;
	pid_t checker;
	/* since the phase began: */
	double longest_ms;	 /* of core's turns, CPU */
	int64_t core_lag_ms;	 /* of its loop */
	uint32_t checker_lag_ms; /* of the checker's */
};

/* --- servers ---------------------------------------------------------------------------- */

static void take_zone(struct zone *z)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog program = { 1, &nothing };

	/* Not closed: the checker's process has it, too. */
	if (!z->is_silent && shutdown(z->listener, SHUT_RDWR) < 0)
		err(1, "shutdown");
	if (z->is_silent &&
	    setsockopt(z->listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		err(1, "filter");
}

static void give_zone(struct zone *z)
{
	int none = 0;

	if (!z->is_silent && listen(z->listener, 4096) < 0)
		err(1, "listen");
	if (z->is_silent &&
	    setsockopt(z->listener, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)) < 0)
		err(1, "filter");
}

/* --- processes ---------------------------------------------------------------------------- */

static pid_t start_checker(int fd)
{
	const struct hc_config config = { .max_in_flight = 20000 };
	struct rlimit files;
	struct hc_role *role;
	struct loop *loop;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (loop_new(&clock_system, &loop) < 0 || hc_role_new(loop, &config, &role) < 0)
		err(1, "role");
	hc_role_connect(role, fd);
	exit(loop_run(loop) != 0);
}

static void put_members(const struct zone *z, struct buf *b, unsigned k, bool inside)
{
	const char *before = "";

	for (unsigned i = 0; i < z->members; i++) {
		unsigned n = k * z->members + i;

		if ((n % 3 == 0) != inside)
			continue;
		buf_printf(b, "%s{ip: 10.%u.%u.%u}", before, 128 + n / 62500, n / 250 % 250,
			   1 + n % 250);
		before = ", ";
	}
}

static void put_pool(const struct zone *z, struct buf *b, unsigned k)
{
	buf_printf(b,
		   "kind: Service\napiVersion: v1\nmetadata: {name: w%u, annotations: "
		   "{parasaus.io/health-check-interval: '%u'}}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n---\n"
		   "kind: Endpoints\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "subsets: [{ports: [{name: p, port: %u}], addresses: [",
		   k, z->interval_s, 30000 + k, k, PORT);
	put_members(z, b, k, false);
	buf_printf(b, "]}, {ports: [{name: p, port: %u}], addresses: [", PORT_ZONE);
	put_members(z, b, k, true);
	buf_str(b, "]}]\n---\n");
}

static void write_pools(const struct zone *z)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char name[32];

	for (unsigned k = 0; k < z->pools; k++) {
		put_pool(z, &b, k);
		if (k % IN_A_FILE != IN_A_FILE - 1 && k != z->pools - 1)
			continue;
		snprintf(name, sizeof(name), "w%u.yaml", k);
		write_pool(z->w, name, buf_cstr(&b));
		buf_reset(&b);
	}
}

static void start(struct zone *z)
{
	int pair[2];

	write_pools(z);
	start_core(z->w);
	z->core = z->w->context.arg;
	connect_forgetful_kernel(z->w, &z->kernel);
	if (channel_pair(pair) < 0)
		err(1, "channel");
	z->checker = start_checker(pair[1]);
	close(pair[1]);
	z->w->context.peer(z->core, ROLE_HEALTHCHECK, pair[0]);
	/* The world's clock was another one until now. */
	if (loop_turn(z->w->loop, 0) < 0)
		err(1, "loop");
}

/* --- what is measured ------------------------------------------------------------------------ */

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void turn_timed(struct zone *z)
{
	double before = cpu_ms(), ms;
	int64_t lag;

	if (loop_turn(z->w->loop, 10) < 0)
		err(1, "loop");
	ms = cpu_ms() - before;
	lag = loop_take_lag_ms(z->w->loop);
	z->longest_ms = ms > z->longest_ms ? ms : z->longest_ms;
	z->core_lag_ms = lag > z->core_lag_ms ? lag : z->core_lag_ms;
	if (z->core->health_status.lag_ms > z->checker_lag_ms)
		z->checker_lag_ms = z->core->health_status.lag_ms;
}

struct tally {
	size_t up;	/* as told */
	size_t serving; /* as planned */
};

static struct tally look(const struct zone *z)
{
	const struct target *t;
	const struct pool_state *ps;
	struct tally n = { 0 };
	size_t pos = 0;

	while ((t = map_next(&z->core->targets, &pos)))
		n.up += t->verdict.state == VERDICT_UP && t->verdict.proven;
	for (pos = 0; (ps = map_next(&z->core->states, &pos));) {
		for (uint32_t i = 0; i < ps->pool->member_count; i++)
			n.serving += ps->places[i].weight > 0;
	}
	return n;
}

static void begin(struct zone *z)
{
	z->longest_ms = 0;
	z->core_lag_ms = 0;
	z->checker_lag_ms = 0;
	z->core->health_status.lag_ms = 0;
	(void)loop_take_lag_ms(z->w->loop);
}

static void live(struct zone *z, int64_t ms)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), ms);

	while (mono_before(clock_mono(&clock_system), end))
		turn_timed(z);
	/* What was done to look, or before, is none of its lateness. */
	(void)loop_take_lag_ms(z->w->loop);
}

static double since_s(mono_t begin)
{
	return (double)(clock_mono(&clock_system).ns - begin.ns) / 1e9;
}

/* Until so many are up, and in service. */
static void until(struct zone *z, const char *what, size_t up)
{
	mono_t began = clock_mono(&clock_system);
	double told = -1;
	struct tally n;

	begin(z);
	for (n = look(z); n.up != up || n.serving != up; n = look(z)) {
		if (told < 0 && n.up == up)
			told = since_s(began);
		if (since_s(began) > PATIENCE_S)
			errx(1, "%s: %zu up and %zu in service, not %zu", what, n.up, n.serving,
			     up);
		live(z, LOOK_MS);
	}
	printf("%-8s all %zu told after %.1f s, planned after %.1f s; late at most: core %" PRId64
	       " ms, checker %u ms; longest turn of core %.1f ms of CPU\n",
	       what, up, told < 0 ? since_s(began) : told, since_s(began), z->core_lag_ms,
	       z->checker_lag_ms, z->longest_ms);
	fflush(stdout);
}

static void rest(struct zone *z, const char *what, int64_t ms)
{
	begin(z);
	live(z, ms);
	printf("%-8s for %" PRId64 " s; late at most: core %" PRId64
	       " ms, checker %u ms; longest turn of core %.1f ms of CPU\n",
	       what, ms / 1000, z->core_lag_ms, z->checker_lag_ms, z->longest_ms);
	fflush(stdout);
}

/* How often the checker changed a state since `before`, by how many targets. */
static void report_changes(const struct zone *z)
{
	size_t changes[4][2] = { { 0 } }, pos = 0;
	const struct target *t;

	while ((t = map_next(&z->core->targets, &pos))) {
		uint64_t n = t->verdict.sequence;

		changes[n < 3 ? n : 3][t->endpoint.port == PORT_ZONE]++;
	}
	for (int inside = 0; inside < 2; inside++)
		printf("changes of state, %s: none %zu, one %zu, two %zu, more %zu targets\n",
		       inside ? "in the zone" : "elsewhere", changes[0][inside], changes[1][inside],
		       changes[2][inside], changes[3][inside]);
}

static unsigned number(int argc, char **argv, int i, unsigned otherwise)
{
	return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	struct zone z = { .pools = number(argc, argv, 1, 3500),
			  .members = number(argc, argv, 2, 10),
			  .interval_s = number(argc, argv, 3, 2),
			  .is_silent = argc <= 4 || strcmp(argv[4], "silent") == 0,
			  .gone_s = number(argc, argv, 5, 30) };
	void *state;

	z.all = (size_t)z.pools * z.members;
	z.inside = (z.all + 2) / 3;
	if (z.all == 0 || z.all > 350000 || z.interval_s < 1 || z.interval_s > 60)
		errx(2, "usage: zone [POOLS [MEMBERS [INTERVAL_S [silent|refuse [GONE_S]]]]]");
	if (!own_net_enter("10.128.0.1", 11)) {
		printf("skipped: no network namespace of our own: %m\n");
		return 77;
	}
	(void)own_net_listen(PORT);
	z.listener = own_net_listen(PORT_ZONE);
	if (core_world_up(&state) != 0)
		return 1;
	z.w = state;
	z.w->clock = clock_system;
	start(&z);
	until(&z, "start", z.all);
	rest(&z, "well", 10000);
	take_zone(&z);
	until(&z, "gone", z.all - z.inside);
	rest(&z, "away", z.gone_s * 1000);
	give_zone(&z);
	until(&z, "back", z.all);
	rest(&z, "well", 10000);
	report_changes(&z);
	kill(z.checker, SIGKILL);
	waitpid(z.checker, NULL, 0);
	channel_free(z.kernel.channel);
	return core_world_down(&state);
}
