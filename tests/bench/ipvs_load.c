/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own writer beside the floor (rawload.c): the whole ipvs role is told S
 * services with D destinations each, as core does, and brings them into an
 * empty kernel; then the turns of its loop and its memory are told too.
 *
 * usage: ipvs_load S D [SCHEDULER]
 *
 * As root, in a fresh network namespace with lo up. "writing" is from the
 * first command to the last acknowledgement. Routes, rules and sets are left
 * out, so that it is IPVS alone that is compared.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/channel.h"
#include "agent/base/file.h"
#include "ipvs/role_parts.h"

struct core {
	struct channel *channel;
	struct ipvs_status status;
};

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct core *c = arg;

	(void)fd;
	if (type == IPVS_MSG_STATUS)
		wire_ipvs_status(body, &c->status);
	if (type == IPVS_MSG_PROBLEM) {
		struct ipvs_problem p;

		wire_ipvs_problem(body, &p);
		fprintf(stderr, "problem: %s\n", p.text);
	}
	return true;
}

static void on_closed(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "channel: %s\n", why);
	exit(1);
}

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct core *c = arg;

	channel_send(c->channel, type, body);
}

static void tell_service(struct core *c, unsigned i, unsigned dests, const char *scheduler)
{
	const struct endpoint key = {
		.addr = addr_v4(0x0A600001 + i / 35000),
		.protocol = IPPROTO_TCP,
		.port = (uint16_t)(30000 + i % 35000),
	};
	struct ipvs_service s = ipvs_service_of(&key);

	snprintf(s.scheduler, sizeof(s.scheduler), "%s", scheduler);
	for (unsigned d = 0; d < dests; d++) {
		*ipvs_service_add(&s) = (struct ipvs_dest){
			.addr = addr_v4(0x0A640001 + (i * 7 + d) % 60000),
			.port = (uint16_t)(8000 + d),
			.weight = 1,
			.nominal = 1,
		};
	}
	ipvs_message_put_service(&s, send_message, c);
	ipvs_service_done(&s);
}

static void tell_commit(struct core *c, uint64_t generation)
{
	const struct ipvs_commit commit = { generation, true };
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_commit(&b, &commit);
	channel_send(c->channel, IPVS_MSG_COMMIT, &b);
}

/* --- a host that needs nothing --- */

static int no_open(void *arg, struct loop *l, const struct ipvs_config *c,
		   ipvs_host_event_fn *event, ipvs_host_changed_fn *changed, void *event_arg,
		   void **out, struct err *err)
{
	(void)arg, (void)l, (void)c, (void)event, (void)changed, (void)event_arg, (void)err;
	*out = NULL;
	return 0;
}

static int no_add(void *host, const struct ipvs_frontend *f, size_t count, struct err *err)
{
	(void)host, (void)f, (void)count, (void)err;
	return 0;
}

static int no_served(void *host, struct err *err)
{
	(void)host, (void)err;
	return 0;
}

static int no_remove(void *host, const struct endpoint *keys, size_t count, struct err *err)
{
	(void)host, (void)keys, (void)count, (void)err;
	return 0;
}

static int no_sync(void *host, bool prune, uint64_t *out_repairs, struct err *err)
{
	(void)host, (void)prune, (void)err;
	*out_repairs = 0;
	return 0;
}

static const struct ipvs_host_ops no_host = {
	.open = no_open, .add = no_add, .served = no_served, .remove = no_remove, .sync = no_sync
};

static int open_kernel(void *arg, struct ipvs_kernel *out, struct err *err)
{
	(void)arg;
	return ipvs_kernel_open(out, err);
}

static long resident_kb(void)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const char *line;

	if (file_read("/proc/self/status", 65536, &b, NULL) < 0)
		return 0;
	line = strstr(buf_cstr(&b), "VmRSS:");
	return line ? atol(line + 6) : 0;
}

static double ms_between(mono_t a, mono_t b)
{
	return (double)(b.ns - a.ns) / 1e6;
}

/* What this thread used of a CPU: on a busy machine a turn says nothing by the clock. */
static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* A turn of the loop; keeps the longest. */
static void turn(struct loop *l, double *longest)
{
	double before = cpu_ms(), took;

	if (loop_turn(l, 0) < 0)
		exit(1);
	took = cpu_ms() - before;
	if (took > *longest)
		*longest = took;
}

int main(int argc, char **argv)
{
	struct prefix range;
	struct ipvs_ours ours = { .ports = { 30000, 64999 } };
	struct ipvs_config config = { .vip_ranges = &range,
				      .vip_range_count = 1,
				      .ours = &ours,
				      .ours_count = 1,
				      .audit_ms = 30000,
				      .order_quiet_ms = IPVS_ORDER_QUIET_MS };
	const struct ipvs_ground ground = { .open_kernel = open_kernel, .host = &no_host };
	const char *scheduler = argc > 3 ? argv[3] : "rr";
	struct core core = { 0 };
	const struct channel_handler handler = { on_message, on_closed, &core };
	struct ipvs_role *role;
	struct loop *loop;
	struct err err = { 0 };
	unsigned services, dests;
	mono_t start, told;
	double longest = 0;
	long before_kb;
	int fds[2];

	if (argc < 3) {
		fprintf(stderr, "usage: ipvs_load S D [SCHEDULER]\n");
		return 2;
	}
	services = (unsigned)atoi(argv[1]);
	dests = (unsigned)atoi(argv[2]);
	if (prefix_parse("10.96.0.0/16", &range) < 0 ||
	    addr_range_parse("10.96.0.0/16", &ours.addresses) < 0 ||
	    loop_new(&clock_system, &loop) < 0 || channel_pair(fds) < 0)
		return 1;
	if (ipvs_role_new_on(loop, &config, &ground, &role, &err) < 0) {
		fprintf(stderr, "ipvs_load: %s\n", err.text);
		return 1;
	}
	before_kb = resident_kb();
	ipvs_role_connect(role, fds[0]);
	if (channel_new(loop, fds[1], &handler, &core.channel) < 0)
		return 1;
	start = clock_mono(&clock_system);
	for (unsigned i = 0; i < services; i++) {
		tell_service(&core, i, dests, scheduler);
		/* As core does: not more than the channel carries. */
		while (channel_queued(core.channel) > (1 << 20)) {
			turn(loop, &longest);
		}
	}
	tell_commit(&core, 1);
	told = clock_mono(&clock_system);
	while (!core.status.synced || core.status.generation != 1)
		turn(loop, &longest);
	printf("ipvs_load %u x %u %s: writing %.3f s, %.0f commands/s; told in %.3f s, all in %.3f "
	       "s; "
	       "longest turn %.1f ms of a CPU; %ld KB more, %ld KB in all; %u problems\n",
	       services, dests, scheduler, (double)core.status.last_sync_us / 1e6,
	       (double)core.status.last_sync_writes / ((double)core.status.last_sync_us / 1e6),
	       ms_between(start, told) / 1e3, ms_between(start, clock_mono(&clock_system)) / 1e3,
	       longest, resident_kb() - before_kb, resident_kb(), core.status.problems);
	channel_free(core.channel);
	ipvs_role_free(role);
	loop_free(loop);
	return core.status.problems > 0;
}
