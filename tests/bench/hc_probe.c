/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe engine on real sockets: what a probe costs, and what many targets do.
 *
 *   hc_probe [TARGETS [SECONDS]]        (35000, 10)
 *
 * In a network namespace of its own every address of 10.128.0.0/11 is this
 * host, and one listener that never accepts answers for all of them. CPU is
 * that of the whole process, and so holds the server's half of each handshake
 * in the kernel as well, and a core that reads every verdict.
 */
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/channel.h"
#include "agent/base/loop.h"
#include "agent/base/xalloc.h"
#include "healthcheck/io.h"
#include "healthcheck/message.h"
#include "healthcheck/role.h"
#include "tests/lib/own_net.h"

#define PORT	  8080
#define AT_ONCE	  64
#define SATURATED 3000 /* ms */
#define WARM_UP	  5000 /* ms */

struct core {
	struct channel *channel;
	struct hc_status status;
	uint64_t verdicts, not_up;
	uint32_t *latency_us;
	size_t latency_count, latency_size;
	uint32_t lag_ms;
};

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		errx(1, "/proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static struct endpoint endpoint_at(uint32_t i)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	e.addr = addr_v4(0x0a800001 + i);
	e.port = PORT;
	e.protocol = IPPROTO_TCP;
	return e;
}

/* --- as many as one core can do ---------------------------------------------------- */

static void start_one(struct hc_probe *p, const struct hc_io *io, const struct check *c,
		      struct endpoint *to, uint64_t token)
{
	struct hc_outcome out;

	if (hc_probe_start(p, io, c, to, 0, NULL, token, &out))
		errx(1, "probe: %s", hc_reason_text(out.reason));
}

static void saturate(int listener)
{
	struct check *c = check_new(CHECK_TCP);
	struct hc_probe probes[AT_ONCE];
	struct endpoint to[AT_ONCE];
	struct hc_ready ready[AT_ONCE];
	struct hc_outcome out;
	struct hc_net *net;
	struct hc_io io;
	uint64_t done = 0;
	double cpu;
	mono_t begin;

	if (hc_net_new(NULL, &net) < 0)
		err(1, "epoll");
	io = hc_net_io(net);
	for (uint32_t i = 0; i < AT_ONCE; i++) {
		to[i] = endpoint_at(i);
		start_one(&probes[i], &io, c, &to[i], i);
	}
	begin = clock_mono(&clock_system);
	cpu = cpu_seconds();
	while (mono_sub_ms(clock_mono(&clock_system), begin) < SATURATED) {
		size_t n = io.poll(io.arg, ready, AT_ONCE);

		for (size_t k = 0; k < n; k++) {
			struct hc_probe *p = &probes[ready[k].token];

			if (!hc_probe_event(p, &io, ready[k].token, ready[k].events, &out))
				continue;
			if (out.reason != HC_REASON_OK)
				errx(1, "probe: %s", hc_reason_text(out.reason));
			hc_probe_stop(p, &io);
			start_one(p, &io, c, &to[ready[k].token], ready[k].token);
			done++;
		}
	}
	cpu = cpu_seconds() - cpu;
	for (uint32_t i = 0; i < AT_ONCE; i++)
		hc_probe_stop(&probes[i], &io);
	printf("one core, half-open: %.0f probes/s, %.1f us of CPU a probe, accept() returned %s\n",
	       (double)done * 1e3 / SATURATED, cpu * 1e6 / (double)done,
	       accept(listener, NULL, NULL) < 0 && errno == EAGAIN ? "nothing" : "SOMETHING");
	hc_net_free(net);
	check_unref(c);
}

/* --- many targets at their rhythm ---------------------------------------------------- */

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct core *core = arg;
	struct hc_verdict v;

	(void)fd;
	if (type == HC_MSG_STATUS) {
		wire_hc_status(body, &core->status);
		if (core->status.lag_ms > core->lag_ms)
			core->lag_ms = core->status.lag_ms;
	}
	if (type != HC_MSG_VERDICT)
		return true;
	wire_hc_verdict(body, &v);
	core->verdicts++;
	core->not_up += v.state == VERDICT_DOWN;
	if (v.latency_us && core->latency_count < core->latency_size)
		core->latency_us[core->latency_count++] = v.latency_us;
	return true;
}

static void on_closed(void *arg, const char *why)
{
	(void)arg;
	errx(1, "channel: %s", why);
}

static void tell_targets(struct core *core, uint32_t count)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct check *c = check_new(CHECK_TCP);

	channel_send(core->channel, HC_MSG_BEGIN, NULL);
	for (uint32_t i = 0; i < count; i++) {
		struct hc_target t = { .endpoint = endpoint_at(i), .check = c };

		t.id = check_target_id(c, &t.endpoint);
		buf_reset(&b);
		wire_put_hc_target(&b, &t);
		channel_send(core->channel, HC_MSG_TARGET, &b);
	}
	channel_send(core->channel, HC_MSG_COMMIT, NULL);
	check_unref(c);
}

static void run_ms(struct loop *l, int64_t ms)
{
	mono_t end = mono_add_ms(clock_mono(&clock_system), ms);
	int64_t left;

	while ((left = mono_sub_ms(end, clock_mono(&clock_system))) > 0) {
		if (loop_turn(l, (int)left) < 0)
			err(1, "loop");
	}
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(struct core *core, uint32_t count, int64_t ms, double cpu, uint64_t probes)
{
	qsort(core->latency_us, core->latency_count, sizeof(uint32_t), compare);
	printf("%u targets at 2 s: %.0f probes/s, %.1f %% of a core, %.1f us of CPU a probe\n",
	       count, (double)probes * 1e3 / (double)ms, cpu * 1e5 / (double)ms,
	       cpu * 1e6 / (double)probes);
	printf("  up %u, ever told down %llu, inconclusive %llu, loop late by %u ms at most\n",
	       core->status.up, (unsigned long long)core->not_up,
	       (unsigned long long)core->status.inconclusive, core->lag_ms);
	if (core->latency_count)
		printf("  handshake p50 %u us, p99 %u us; %llu verdicts told\n",
		       core->latency_us[core->latency_count / 2],
		       core->latency_us[core->latency_count * 99 / 100],
		       (unsigned long long)core->verdicts);
}

static void many(uint32_t count, int64_t ms)
{
	struct core core = { .latency_size = 1000000 };
	const struct channel_handler h = { on_message, on_closed, &core };
	const struct hc_config config = { .max_in_flight = 20000 };
	struct hc_role *role;
	struct loop *loop;
	double memory, cpu;
	uint64_t probes;
	int pair[2];

	core.latency_us = xcalloc(core.latency_size, sizeof(uint32_t));
	if (loop_new(&clock_system, &loop) < 0 || hc_role_new(loop, &config, &role) < 0 ||
	    channel_pair(pair) < 0 || channel_new(loop, pair[0], &h, &core.channel) < 0)
		err(1, "role");
	hc_role_connect(role, pair[1]);
	memory = resident_bytes();
	tell_targets(&core, count);
	run_ms(loop, WARM_UP);
	printf("memory: %.0f bytes a target (resident, the channel's buffers included)\n",
	       (resident_bytes() - memory) / count);
	core.latency_count = 0;
	probes = core.status.probes;
	cpu = cpu_seconds();
	run_ms(loop, ms);
	cpu = cpu_seconds() - cpu;
	report(&core, count, ms, cpu, core.status.probes - probes);
	channel_free(core.channel);
	hc_role_free(role);
	loop_free(loop);
	free(core.latency_us);
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 35000;
	int64_t seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
	int listener;

	if (!count || count > 2000000 || seconds < 1)
		errx(2, "usage: hc_probe [TARGETS [SECONDS]]");
	if (!own_net_enter("10.128.0.1", 11)) {
		printf("skipped: no network namespace of our own: %s\n", strerror(errno));
		return 77;
	}
	listener = own_net_listen(PORT);
	saturate(listener);
	many(count, seconds * 1000);
	close(listener);
	return 0;
}
