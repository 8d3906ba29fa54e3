/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long core's turns are with POOLS (35,000) pools of MEMBERS (10), each member probed: the
 * whole of core on the real clock, read from a directory, with an ipvs process that forgets what
 * it is told and a healthcheck process, which is another process, that tells a fifth of all
 * targets anew each second, as counters do, and that some went down or up.
 *
 *   core_turns [POOLS [MEMBERS [SECONDS]]]		(35000 10 20)
 *
 * CPU of the thread, so that others on the machine count for little. Reported are the longest and
 * the share above 5 ms, for the start until all is in step and for what follows.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define LONG_MS	    5.0
#define A_SECOND_MS 1000
#define CHANGED	    100 /* of those told in a second */
#define IN_A_FILE   100 /* pools */

struct turns {
	double longest_ms;
	unsigned count, long_ones;
};

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void timed_turn(struct world *w, struct turns *t)
{
	double before = cpu_ms(), ms;

	if (loop_turn(w->loop, 10) < 0)
		err(1, "loop");
	ms = cpu_ms() - before;
	t->count++;
	t->long_ones += ms > LONG_MS;
	if (ms > t->longest_ms)
		t->longest_ms = ms;
}

static void print(const char *when, const struct turns *t)
{
	printf("%-10s %7u turns, the longest %6.1f ms of CPU, %u above %.0f ms\n", when, t->count,
	       t->longest_ms, t->long_ones, LONG_MS);
	fflush(stdout);
}

/* --- a healthcheck process that only tells ---------------------------------------------- */

struct prober {
	struct loop *loop;
	struct channel *channel;
	struct hc_verdict *verdicts;
	size_t count, size, next;
};

static bool hear_target(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct prober *p = arg;
	struct hc_target t;

	(void)fd;
	if (type == HC_MSG_BEGIN)
		p->count = 0;
	if (type != HC_MSG_TARGET)
		return true;
	wire_hc_target(body, &t);
	check_unref(t.check);
	if (p->count == p->size) {
		p->size = p->size ? p->size * 2 : 1024;
		p->verdicts = xreallocarray(p->verdicts, p->size, sizeof(*p->verdicts));
	}
	p->verdicts[p->count++] = (struct hc_verdict){
		.id = t.id, .state = VERDICT_UP, .proven = true, .reason = HC_REASON_OK
	};
	return true;
}

static void core_gone(void *arg, const char *why)
{
	(void)arg;
	(void)why;
	exit(0);
}

static void tell_fifth(void *arg)
{
	struct prober *p = arg;
	size_t n = p->count / 5;

	loop_timer_in(p->loop, A_SECOND_MS, tell_fifth, p);
	for (size_t i = 0; i < n; i++) {
		struct hc_verdict *v = &p->verdicts[p->next++ % p->count];
		struct buf b = { 0 };

		v->ok++;
		if (i < CHANGED) {
			v->state = v->state == VERDICT_UP ? VERDICT_DOWN : VERDICT_UP;
			v->sequence++;
		}
		wire_put_hc_verdict(&b, v);
		channel_send(p->channel, HC_MSG_VERDICT, &b);
		buf_done(&b);
	}
}

static pid_t start_prober(int fd)
{
	struct prober p = { 0 };
	const struct channel_handler h = { hear_target, core_gone, &p };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (loop_new(&clock_system, &p.loop) < 0 || channel_new(p.loop, fd, &h, &p.channel) < 0)
		errx(1, "no channel");
	channel_send(p.channel, HC_MSG_VERDICTS_END, NULL);
	loop_timer_in(p.loop, A_SECOND_MS, tell_fifth, &p);
	exit(loop_run(p.loop) != 0);
}

static void connect_peers(struct world *w, struct forgetful_kernel *k, pid_t *prober)
{
	int pair[2];

	connect_forgetful_kernel(w, k);
	if (channel_pair(pair) < 0)
		errx(1, "no channel");
	*prober = start_prober(pair[0]);
	close(pair[0]);
	w->context.peer(w->context.arg, ROLE_HEALTHCHECK, pair[1]);
}

/* --- the load ---------------------------------------------------------------------------------- */

static void put_pool(struct buf *b, unsigned k, unsigned members)
{
	buf_printf(b,
		   "kind: Service\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n---\n"
		   "kind: Endpoints\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
		   k, 30000 + k, k);
	for (unsigned i = 0; i < members; i++) {
		unsigned n = k * members + i;

		buf_printf(b, "%s{ip: 10.%u.%u.%u}", i ? ", " : "", 16 + n / 62500, n / 250 % 250,
			   1 + n % 250);
	}
	buf_str(b, "]}]\n---\n");
}

static void write_pools(struct world *w, unsigned pools, unsigned members)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char name[32];

	for (unsigned k = 0; k < pools; k++) {
		put_pool(&b, k, members);
		if (k % IN_A_FILE != IN_A_FILE - 1 && k != pools - 1)
			continue;
		snprintf(name, sizeof(name), "w%u.yaml", k);
		write_pool(w, name, buf_cstr(&b));
		buf_reset(&b);
	}
}

static size_t shown(const struct core *c)
{
	return c->view.targets ? c->view.targets->count : 0;
}

int main(int argc, char **argv)
{
	unsigned pools = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 35000;
	unsigned members = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 10;
	int64_t seconds = argc > 3 ? strtol(argv[3], NULL, 10) : 20;
	struct turns start = { 0 }, rest = { 0 };
	struct forgetful_kernel kernel = { 0 };
	const struct core *c;
	struct world *w;
	pid_t prober;
	mono_t end;
	void *state;

	if (core_world_up(&state) != 0)
		return 1;
	w = state;
	w->clock = clock_system;
	write_pools(w, pools, members);
	start_core(w);
	c = w->context.arg;
	connect_peers(w, &kernel, &prober);
	while (!kernel.synced || !c->settled || shown(c) < (size_t)pools * members)
		timed_turn(w, &start);
	print("start", &start);
	end = mono_add_ms(clock_mono(&clock_system), seconds * 1000);
	while (mono_before(clock_mono(&clock_system), end))
		timed_turn(w, &rest);
	printf("%zu targets, %zu shown\n", c->checked.count, shown(c));
	print("then", &rest);
	kill(prober, SIGKILL);
	waitpid(prober, NULL, 0);
	channel_free(kernel.channel);
	return core_world_down(&state);
}
