/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipvs process on a kernel and a clock of our own: what it does with what
 * core tells it, with what other programs do, and with what fails.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/channel.h"
#include "agent/base/xalloc.h"
#include "ipvs/order.h"
#include "ipvs/role_parts.h"
#include "tests/lib/fake_host.h"
#include "tests/lib/fake_ipvs.h"

#define AUDIT_MS 30000
#define QUIET_MS 30000
#define PROBLEMS 16

#define A  "-A -t 10.0.0.1:80 -s rr\n"
#define D1 "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1\n"
#define D2 "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 1\n"
#define D3 "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 1\n"
#define B  "-A -t 10.0.0.2:80 -s rr\n"
#define E1 "-a -t 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1\n"
/* Outside vipRanges, and our address at a port that is not ours. */
#define STRANGER "-A -t 10.0.0.1:9000 -s wlc\n-a -t 10.0.0.1:9000 -r 10.9.0.1:80 -m -w 7\n"
#define FOREIGN  \
	STRANGER \
	"-A -u 192.0.2.1:53 -s rr\n-a -u 192.0.2.1:53 -r 10.9.0.1:53 -g -w 1\n"

/* The world, with the test as core. */
struct world {
	mono_t now;
	struct clock clock;
	struct loop *loop;
	struct fake_ipvs kernel;
	struct fake_host host;
	struct prefix ranges[2];
	struct ipvs_ours ours[2];
	struct ipvs_config config;
	struct ipvs_role *role;
	/* What core heard. */
	struct channel *core;
	struct ipvs_table image;
	struct ipvs_message_reader reader;
	bool image_told;
	struct ipvs_status status;
	struct ipvs_problem problems[PROBLEMS];
	unsigned problem_count, problems_told, idle, events;
	char last_event[400];
	struct buf said; /* of all events */
	struct endpoint last_idle;
	struct ipvs_notrack notrack;
	unsigned notracks;
	struct ipvs_paths_result paths;
	unsigned paths_answers;
	struct ipvs_stats_reader stats_reader;
	struct ipvs_stats_answer counted; /* the last */
	uint64_t generation;
};

static mono_t read_clock(void *arg)
{
	return ((struct world *)arg)->now;
}

static int64_t read_wall(void *arg)
{
	(void)arg;
	return 0;
}

static void take_problem(struct world *w, const struct ipvs_problem *p)
{
	unsigned i = 0;

	w->problems_told++;
	while (i < w->problem_count &&
	       (memcmp(&w->problems[i].key, &p->key, sizeof(p->key)) != 0 ||
		memcmp(&w->problems[i].dest, &p->dest, sizeof(p->dest)) != 0))
		i++;
	if (p->text[0]) {
		assert_true(i < PROBLEMS);
		w->problem_count += i == w->problem_count;
		w->problems[i] = *p;
	} else if (i < w->problem_count) {
		w->problems[i] = w->problems[--w->problem_count];
	}
}

static void take_image(struct world *w, uint16_t type, struct wire *body)
{
	struct ipvs_service s = { 0 };
	int r = ipvs_message_read(&w->reader, type, body, &s);

	assert_true(r >= 0);
	if (r == 1)
		ipvs_table_put(&w->image, &s);
}

static void take_stats(struct world *w, uint16_t type, struct wire *body)
{
	struct ipvs_stats_answer a;
	int r = ipvs_stats_read(&w->stats_reader, type, body, &a);

	assert_true(r >= 0);
	if (r == 1) {
		ipvs_stats_done(&w->counted.stats);
		w->counted = a;
	}
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct world *w = arg;
	struct ipvs_problem p;

	assert_int_equal(fd, -1);
	switch (type) {
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		take_image(w, type, body);
		break;
	case IPVS_MSG_IMAGE_END:
		w->image_told = true;
		break;
	case IPVS_MSG_STATUS:
		wire_ipvs_status(body, &w->status);
		break;
	case IPVS_MSG_PROBLEM:
		wire_ipvs_problem(body, &p);
		take_problem(w, &p);
		break;
	case IPVS_MSG_IDLE:
		wire_endpoint(body);
		w->last_idle = wire_endpoint(body);
		w->idle++;
		break;
	case IPVS_MSG_STATS:
	case IPVS_MSG_STATS_DESTS:
		take_stats(w, type, body);
		break;
	case IPVS_MSG_NOTRACK:
		wire_ipvs_notrack(body, &w->notrack);
		w->notracks++;
		break;
	case IPVS_MSG_PATHS:
		wire_ipvs_paths_result(body, &w->paths);
		w->paths_answers++;
		break;
	case IPVS_MSG_EVENT:
		wire_u8(body);
		wire_str(body, w->last_event, sizeof(w->last_event));
		buf_printf(&w->said, "%s\n", w->last_event);
		w->events++;
		break;
	default:
		fail_msg("message type %u", type);
	}
	return wire_end(body);
}

static void on_closed(void *arg, const char *why)
{
	struct world *w = arg;

	(void)why;
	channel_free(w->core);
	w->core = NULL;
}

/* Let time pass. */
static void pass(struct world *w, int64_t ms)
{
	int64_t end = w->now.ns + ms * 1000000;

	for (;;) {
		/* Several turns at one moment: messages go to and fro. */
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(loop_turn(w->loop, 0), 0);
		if (w->now.ns >= end)
			break;
		w->now.ns += 20 * 1000000;
		if (w->now.ns > end)
			w->now.ns = end;
	}
}

static void connect_core(struct world *w)
{
	const struct channel_handler h = { on_message, on_closed, w };
	int fds[2];

	channel_free(w->core);
	ipvs_table_done(&w->image);
	ipvs_table_init(&w->image);
	w->image_told = false;
	w->problem_count = 0;
	assert_int_equal(channel_pair(fds), 0);
	ipvs_role_connect(w->role, fds[0]);
	assert_int_equal(channel_new(w->loop, fds[1], &h, &w->core), 0);
	pass(w, 40);
}

static int open_kernel(void *arg, struct ipvs_kernel *out, struct err *err)
{
	(void)err;
	*out = fake_ipvs_kernel(arg);
	return 0;
}

static void start_role(struct world *w)
{
	const struct ipvs_ground ground = { open_kernel, &w->kernel, &w->host.ops };
	struct err err = { 0 };

	if (ipvs_role_new_on(w->loop, &w->config, &ground, &w->role, &err) < 0)
		fail_msg("%s", err.text);
	connect_core(w);
}

static int begin(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->now.ns = 1000000000;
	w->clock = (struct clock){ read_clock, read_wall, w };
	if (loop_new(&w->clock, &w->loop) < 0)
		return -1;
	fake_ipvs_init(&w->kernel);
	fake_host_init(&w->host);
	w->kernel.held = &w->host.held;
	ipvs_table_init(&w->image);
	w->kernel.keep_log = true;
	if (prefix_parse("10.0.0.0/24", &w->ranges[0]) < 0 ||
	    prefix_parse("2001:db8::/64", &w->ranges[1]) < 0)
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		w->ours[i].addresses = prefix_range(&w->ranges[i]);
		w->ours[i].ports = (struct port_range){ 1, 8999 };
	}
	w->config = (struct ipvs_config){
		.vip_ranges = w->ranges,
		.vip_range_count = 2,
		.ours = w->ours,
		.ours_count = 2,
		.audit_ms = AUDIT_MS,
		.order_quiet_ms = QUIET_MS,
	};
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	channel_free(w->core);
	ipvs_role_free(w->role);
	loop_free(w->loop);
	fake_ipvs_done(&w->kernel);
	ipvs_table_done(&w->image);
	ipvs_message_reader_done(&w->reader);
	ipvs_stats_reader_done(&w->stats_reader);
	ipvs_stats_done(&w->counted.stats);
	buf_done(&w->said);
	free(w);
	return 0;
}

/* --- being core --- */

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct world *w = arg;

	channel_send(w->core, type, body);
}

static void send_empty(struct world *w, uint16_t type)
{
	const struct buf none = { 0 };

	channel_send(w->core, type, &none);
}

static void send_services(struct world *w, const char *text, const char *draining, uint32_t nominal)
{
	struct ipvs_table t;
	struct ipvs_service *s;
	struct endpoint drain = { 0 };
	struct err err = { 0 };

	ipvs_table_init(&t);
	if (ipvs_table_parse(text, &t, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(!draining || endpoint_parse(draining, 0, &drain) == 0);
	for (size_t pos = 0; (s = map_next(&t.by_key, &pos));) {
		for (uint32_t i = 0; i < s->dest_count; i++) {
			struct ipvs_dest *d = ipvs_service_edit(s) + i;

			d->draining = draining && addr_cmp(&d->addr, &drain.addr) == 0 &&
				      d->port == drain.port;
			if (nominal)
				d->nominal = nominal;
		}
		ipvs_message_put_service(s, send_message, w);
	}
	ipvs_table_done(&t);
}

static void commit(struct world *w, bool complete)
{
	const struct ipvs_commit c = { ++w->generation, complete };
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_commit(&b, &c);
	channel_send(w->core, IPVS_MSG_COMMIT, &b);
}

/* The whole table, as a core that has just started tells it. */
static void want(struct world *w, const char *text, bool complete)
{
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, text, NULL, 0);
	commit(w, complete);
	pass(w, 40);
}

/* A change. */
static void change(struct world *w, const char *text)
{
	send_services(w, text, NULL, 0);
	commit(w, true);
	pass(w, 40);
}

static void gone(struct world *w, const char *key)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct endpoint e;

	assert_int_equal(endpoint_parse(key, IPPROTO_TCP, &e), 0);
	wire_put_endpoint(&b, &e);
	channel_send(w->core, IPVS_MSG_GONE, &b);
	commit(w, true);
	pass(w, 40);
}

static void assert_kernel(struct world *w, const char *expected)
{
	CLEANUP(buf_done) struct buf got = { 0 };
	CLEANUP(buf_done) struct buf want_text = { 0 };
	struct ipvs_table t;

	ipvs_table_init(&t);
	assert_int_equal(ipvs_table_parse(expected, &t, NULL), 0);
	ipvs_table_print(&t, &want_text);
	ipvs_table_done(&t);
	fake_ipvs_print(&w->kernel, &got);
	assert_string_equal(buf_cstr(&got), buf_cstr(&want_text));
}

static void assert_log(struct world *w, const char *expected)
{
	assert_string_equal(buf_cstr(&w->kernel.log), expected);
	buf_reset(&w->kernel.log);
}

/* --- tests --- */

static void what_is_wanted_is_written_once(void **state)
{
	struct world *w = *state;

	start_role(w);
	assert_true(w->image_told);
	assert_false(w->status.synced);
	want(w, A D1 D2, true);
	assert_log(w, A D1 D2);
	assert_true(w->status.synced);
	assert_int_equal(w->status.generation, 1);
	assert_int_equal(w->status.kernel_writes, 3);
	assert_int_equal(w->status.last_sync_writes, 3);
	assert_int_equal(w->status.services, 1);
	assert_int_equal(w->status.dests, 2);
	want(w, A D1 D2, true);
	assert_int_equal(w->status.generation, 2);
	assert_int_equal(w->kernel.writes, 3);
}

static void a_table_that_is_there_is_adopted_with_no_write(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf told = { 0 };

	fake_ipvs_load(&w->kernel, A D1 D2 B E1 FOREIGN);
	start_role(w);
	ipvs_table_print(&w->image, &told);
	/* Which ports are ours core may know better: it hears of all at our addresses. */
	assert_string_equal(buf_cstr(&told), A D1 D2 STRANGER B E1);
	want(w, A D1 D2 B E1, true);
	assert_true(w->status.synced);
	assert_int_equal(w->kernel.writes, 0);
	assert_int_equal(w->status.services, 2);
	assert_kernel(w, A D1 D2 B E1 FOREIGN);
}

static void nothing_is_written_before_the_first_commit(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, A D1 B E1);
	start_role(w);
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, A D2, NULL, 0);
	pass(w, 2 * AUDIT_MS);
	assert_int_equal(w->kernel.writes, 0);
	/* And what an unfinished core told counts for nothing. */
	connect_core(w);
	want(w, A D1 B E1, true);
	assert_int_equal(w->kernel.writes, 0);
}

static void nothing_is_deleted_before_every_source_has_delivered(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, A D1 D2 B E1 FOREIGN);
	start_role(w);
	want(w, A D1 D3, false);
	assert_kernel(w, A D1 D2 D3 B E1 FOREIGN);
	assert_true(w->status.synced);
	commit(w, true);
	pass(w, 40);
	assert_kernel(w, A D1 D3 FOREIGN);
}

static void a_change_names_only_what_changed(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1 D2 B E1, true);
	buf_reset(&w->kernel.log);
	change(w, A "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2);
	assert_log(w, "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n");
	gone(w, "10.0.0.2:80");
	assert_log(w, "-D -t 10.0.0.2:80\n");
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
}

static void the_host_carries_a_frontend_as_long_as_ipvs_serves_it(void **state)
{
	struct world *w = *state;
	struct endpoint key;

	assert_int_equal(endpoint_parse("10.0.0.2:80", IPPROTO_TCP, &key), 0);
	start_role(w);
	want(w, A D1 B E1, true);
	assert_int_equal(w->host.count, 2);
	assert_non_null(fake_host_find(&w->host, &key));
	assert_int_equal(w->host.prunes, 1);
	gone(w, "10.0.0.2:80");
	assert_null(fake_host_find(&w->host, &key));
	assert_int_equal(w->host.count, 1);
}

static void a_frontend_is_answered_for_once_ipvs_has_its_service(void **state)
{
	struct world *w = *state;

	start_role(w);
	w->host.kernel = &w->kernel.writes;
	want(w, A D1 B E1, true);
	assert_int_equal(w->host.served_calls, 1);
	assert_int_equal(w->host.served, 2);
	assert_true(w->host.served_after > 0);
	assert_int_equal(w->host.served_after, w->kernel.writes);
	/* What changes neither frontends nor services is no reason to say so again. */
	gone(w, "10.0.0.2:80");
	assert_int_equal(w->host.served_calls, 1);
	want(w, A D1 B E1, true);
	assert_int_equal(w->host.served_calls, 2);
	assert_int_equal(w->host.served_after, w->kernel.writes);
}

static void a_failing_host_stops_nothing_and_is_tried_again(void **state)
{
	struct world *w = *state;

	start_role(w);
	w->host.fail = -EIO;
	want(w, A D1, true);
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 1);
	assert_int_equal(w->problems[0].key.addr.family, 0);
	assert_int_equal(w->problems[0].error, EIO);
	assert_true(w->events > 0);
	w->host.fail = 0;
	pass(w, 10000);
	assert_int_equal(w->problem_count, 0);
	assert_non_null(strstr(w->last_event, "as wanted again"));
	assert_int_equal(w->status.problems, 0);
}

static void send_notrack(struct world *w, enum ipvs_notrack_mode mode)
{
	struct ipvs_notrack n = { .parts = { { .mode = mode } } };
	struct buf b = { 0 };

	wire_put_ipvs_notrack(&b, &n);
	channel_send(w->core, IPVS_MSG_NOTRACK, &b);
	buf_done(&b);
	pass(w, 10);
}

static void core_is_told_which_checks_are_not_tracked(void **state)
{
	struct world *w = *state;

	w->host.notrack.parts[IPVS_NOTRACK_V6].mode = IPVS_NOTRACK_ALL;
	start_role(w);
	pass(w, 10);
	assert_int_equal(w->notracks, 1);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V6].mode, IPVS_NOTRACK_ALL);
	send_notrack(w, IPVS_NOTRACK_ALL);
	assert_int_equal(w->notracks, 2);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_ALL);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V6].mode, IPVS_NOTRACK_NONE);
}

static void of_what_could_not_be_written_core_is_told_once_it_is(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1, true);
	w->host.fail = -EIO;
	send_notrack(w, IPVS_NOTRACK_ALL);
	assert_int_equal(w->notracks, 1);
	assert_int_equal(w->problem_count, 1);
	assert_int_equal(w->problems[0].key.addr.family, 0);
	assert_kernel(w, A D1);
	w->host.fail = 0;
	pass(w, 10000);
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->notracks, 2);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_ALL);
}

static void send_paths(struct world *w, size_t count, uint32_t version)
{
	struct ipvs_path items[3];
	const struct ipvs_paths p = { items, count, version };
	struct buf b = { 0 };

	for (uint16_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct ipvs_path){
			.number = i,
			.vip = addr_v4(0x0a000001),
			.to = { addr_v4(0x0a020001), IPPROTO_TCP, 80 },
			.forward = IPVS_DIRECT,
		};
	wire_put_ipvs_paths(&b, &p);
	channel_send(w->core, IPVS_MSG_PATHS, &b);
	buf_done(&b);
	pass(w, 10);
}

static void core_is_told_when_paths_are_in_force(void **state)
{
	struct world *w = *state;

	start_role(w);
	pass(w, 10);
	assert_int_equal(w->paths_answers, 0);
	send_paths(w, 3, 1);
	assert_int_equal(w->host.paths.count, 3);
	assert_int_equal(w->paths_answers, 1);
	assert_int_equal(w->paths.version, 1);
	assert_int_equal(w->paths.error, 0);
	/* Each list is answered, and then nothing is said until it changes. */
	send_paths(w, 0, 1);
	assert_int_equal(w->host.paths.count, 0);
	assert_int_equal(w->paths_answers, 2);
	pass(w, 60000);
	assert_int_equal(w->paths_answers, 2);
	/* A core that told none is told nothing of those of another. */
	connect_core(w);
	pass(w, 60000);
	assert_int_equal(w->paths_answers, 2);
}

static void of_paths_that_could_not_be_made_core_is_told_and_then_that_they_are(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1, true);
	w->host.fail = -EIO;
	send_paths(w, 2, 7);
	assert_int_equal(w->paths_answers, 1);
	assert_int_equal(w->paths.version, 7);
	assert_int_equal(w->paths.error, -EIO);
	assert_string_equal(w->paths.text, "no path could be made");
	assert_int_equal(w->problem_count, 1);
	assert_kernel(w, A D1);
	w->host.fail = 0;
	pass(w, 10000);
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->paths_answers, 2);
	assert_int_equal(w->paths.version, 7);
	assert_int_equal(w->paths.error, 0);
}

static void of_paths_those_that_failed_are_told(void **state)
{
	struct world *w = *state;

	start_role(w);
	w->host.path_fails = (struct ipvs_path){
		.number = 1,
		.vip = addr_v4(0x0a000001),
		.to = { addr_v4(0x0a020001), IPPROTO_TCP, 80 },
	};
	send_paths(w, 3, 1);
	assert_int_equal(w->paths_answers, 1);
	assert_int_equal(w->paths.error, 0);
	assert_int_equal(w->paths.failed_count, 1);
	assert_int_equal(w->paths.failed[0], 1);
	assert_string_equal(w->paths.text, "10.2.0.1:80 by the VIP 10.0.0.1: no route");
	assert_int_equal(w->problem_count, 0);
	/* What they lack may come with a frontend. */
	w->host.path_fails.number = 0;
	want(w, A D1, true);
	assert_int_equal(w->paths_answers, 2);
	assert_int_equal(w->paths.failed_count, 0);
	assert_string_equal(w->paths.text, "");
}

static void a_path_that_may_not_be_is_refused_whatever_core_says(void **state)
{
	struct ipvs_path items[4];
	const struct ipvs_paths p = { items, ARRAY_LEN(items), 1 };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct world *w = *state;

	start_role(w);
	for (uint16_t i = 0; i < ARRAY_LEN(items); i++)
		items[i] = (struct ipvs_path){
			.number = i,
			.vip = addr_v4(0x0a000001),
			.to = { addr_v4(0x0a020001), IPPROTO_TCP, 80 },
			.forward = IPVS_DIRECT,
		};
	items[1].vip = addr_v4(0xc0a80001);
	items[3].to.addr = addr_v4(0x7f000001);
	wire_put_ipvs_paths(&b, &p);
	channel_send(w->core, IPVS_MSG_PATHS, &b);
	pass(w, 10);
	assert_int_equal(w->host.paths.count, 2);
	assert_int_equal(w->paths.error, 0);
	assert_int_equal(w->paths.failed_count, 2);
	assert_int_equal(w->paths.failed[0], 1);
	assert_int_equal(w->paths.failed[1], 3);
	assert_non_null(strstr(w->paths.text, "192.168.0.1: refused: its VIP is outside"));
	send_paths(w, 3, 2);
	assert_int_equal(w->paths.failed_count, 0);
}

static void an_audit_repairs_paths_too(void **state)
{
	struct world *w = *state;
	uint64_t repairs;

	start_role(w);
	want(w, A D1, true);
	send_paths(w, 2, 1);
	repairs = w->status.repairs;
	w->host.paths_changed = 3;
	pass(w, 60000);
	assert_int_equal(w->status.repairs, repairs + 3);
	assert_non_null(strstr(buf_cstr(&w->said), "paths of health checks"));
	assert_int_equal(w->paths_answers, 1);
	w->host.fail = -EIO;
	pass(w, 60000);
	assert_int_equal(w->paths_answers, 2);
	assert_int_equal(w->paths.error, -EIO);
}

static void an_address_outside_is_refused_whatever_core_says(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w,
	     A D1 "-a -t 10.0.0.1:80 -r 127.0.0.1:22 -m -w 1\n"
		  "-A -t 192.0.2.1:80 -s rr\n-A -t 10.0.0.1:9000 -s rr\n",
	     true);
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 3);
	assert_true(w->status.synced);
	assert_int_equal(w->status.problems, 3);
	assert_int_equal(w->host.count, 1);
	/* They are taken back with what caused them. */
	want(w, A D1, true);
	assert_int_equal(w->problem_count, 0);
}

static void a_real_server_that_the_configuration_refuses_is_not_written(void **state)
{
	struct world *w = *state;
	static struct prefix refuse;

	assert_int_equal(prefix_parse("10.9.0.0/16", &refuse), 0);
	w->config.refuse = &refuse;
	w->config.refuse_count = 1;
	start_role(w);
	want(w, A D1 "-a -t 10.0.0.1:80 -r 10.9.1.1:80 -m -w 1\n", true);
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 1);
	want(w, A D1, true);
	assert_int_equal(w->problem_count, 0);
}

#define R1  "-a -t 10.0.0.1:80 -r 10.9.1.1:80 -m -w 1\n"
#define R1Z "-a -t 10.0.0.1:80 -r 10.9.1.1:80 -m -w 0\n"
#define R2Z "-a -t 10.0.0.1:80 -r 10.9.1.2:80 -m -w 0\n"

/* As a core does that finds it in the kernel: `draining` is what drains. */
static void want_draining(struct world *w, const char *text, const char *draining)
{
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, text, draining, 0);
	commit(w, true);
	pass(w, 40);
}

static void a_real_server_that_has_become_refused_drains(void **state)
{
	struct world *w = *state;
	static struct prefix refuse;

	assert_int_equal(prefix_parse("10.9.0.0/16", &refuse), 0);
	w->config.refuse = &refuse;
	w->config.refuse_count = 1;
	fake_ipvs_load(&w->kernel, A D1 R1);
	fake_ipvs_set_connections(&w->kernel, "10.9.1.1:80", 3);
	start_role(w);
	want_draining(w, A D1 R1Z, "10.9.1.1:80");
	assert_log(w, "-e -t 10.0.0.1:80 -r 10.9.1.1:80 -m -w 0\n");
	assert_int_equal(w->problem_count, 0);
	/* Neither an audit nor a commit cuts its clients. */
	pass(w, 2 * AUDIT_MS);
	want_draining(w, A D1 D2 R1Z, "10.9.1.1:80");
	assert_kernel(w, A D1 D2 R1Z);
	assert_int_equal(w->idle, 0);
	fake_ipvs_set_connections(&w->kernel, "10.9.1.1:80", 0);
	pass(w, 1100);
	assert_int_equal(w->idle, 1);
	want(w, A D1 D2, true);
	assert_kernel(w, A D1 D2);
	assert_int_equal(w->problem_count, 0);
}

static void a_refused_real_server_comes_in_by_no_drain(void **state)
{
	struct world *w = *state;
	static struct prefix refuse;

	assert_int_equal(prefix_parse("10.9.0.0/16", &refuse), 0);
	w->config.refuse = &refuse;
	w->config.refuse_count = 1;
	fake_ipvs_load(&w->kernel, A D1 R1);
	start_role(w);
	/* One that is there drains at no weight but 0; and one that is not, at none. */
	want_draining(w, A D1 R1, "10.9.1.1:80");
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 1);
	want_draining(w, A D1 R2Z, "10.9.1.2:80");
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 1);
}

/* "10.0.0.1 9000-9009", separated by commas: what is ours from the next commit on. */
static void tell_ours(struct world *w, const char *text)
{
	struct ipvs_ours ours[8];
	size_t count = 0;

	while (*text) {
		char range[ADDR_RANGE_TEXT_MAX], ports[16];

		assert_int_equal(sscanf(text, "%90[^ ] %15[0-9-]", range, ports), 2);
		assert_int_equal(addr_range_parse(range, &ours[count].addresses), 0);
		assert_int_equal(port_range_parse(ports, &ours[count++].ports), 0);
		text += strcspn(text, ",");
		text += strspn(text, ", ");
	}
	ipvs_message_put_ours(ours, count, send_message, w);
}

static void want_with(struct world *w, const char *ours, const char *text)
{
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, text, NULL, 0);
	tell_ours(w, ours);
	commit(w, true);
	pass(w, 40);
}

#define S  "-A -t 10.0.0.1:9001 -s rr\n"
#define S1 "-a -t 10.0.0.1:9001 -r 10.1.0.1:80 -m -w 1\n"

static void core_says_what_is_ours_and_when(void **state)
{
	struct world *w = *state;
	uint64_t syncs;

	start_role(w);
	want(w, A D1 S S1, true);
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 1);
	/* Not before the commit, and then before the services that come with it. */
	syncs = w->host.syncs;
	tell_ours(w, "10.0.0.0/24 1-9999");
	pass(w, 40);
	assert_int_equal(w->host.syncs, syncs);
	send_services(w, S S1, NULL, 0);
	commit(w, true);
	pass(w, 40);
	assert_int_equal(w->host.syncs, syncs + 1);
	assert_int_equal(w->host.ours_changes, 1);
	assert_kernel(w, A D1 S S1);
	assert_int_equal(w->problem_count, 0);
	assert_true(w->status.synced);
	/* The same once more is nothing new. */
	tell_ours(w, "10.0.0.0/24 1-9999");
	commit(w, true);
	pass(w, 40);
	assert_int_equal(w->host.syncs, syncs + 1);
	assert_int_equal(w->kernel.writes, 4);
	assert_int_equal(w->status.repairs, 0);
}

static void what_is_ours_no_more_is_left_alone(void **state)
{
	struct world *w = *state;

	start_role(w);
	want_with(w, "10.0.0.0/24 1-9999", A D1 S S1);
	assert_kernel(w, A D1 S S1);
	assert_int_equal(w->host.count, 2);
	/* Taken back in the same commit: too late, it is nobody's by then. */
	tell_ours(w, "10.0.0.0/24 1-8999");
	gone(w, "10.0.0.1:9001");
	assert_kernel(w, A D1 S S1);
	assert_non_null(strstr(w->last_event, "1 services are in no address pool any more"));
	assert_int_equal(w->host.count, 1);
	assert_int_equal(w->status.services, 1);
	assert_true(w->status.synced);
	pass(w, 2 * AUDIT_MS);
	assert_kernel(w, A D1 S S1);
	/* Still wanted: refused, and told. */
	send_services(w, S S1, NULL, 0);
	commit(w, true);
	pass(w, 40);
	assert_int_equal(w->problem_count, 1);
	/* Ours again: adopted as it is. */
	buf_reset(&w->kernel.log);
	tell_ours(w, "10.0.0.0/24 1-9999");
	send_services(w, S S1, NULL, 0);
	commit(w, true);
	pass(w, 40);
	assert_log(w, "");
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->status.services, 2);
	assert_int_equal(w->host.count, 2);
}

static void a_stranger_at_what_becomes_ours_is_deleted_and_told(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, FOREIGN);
	start_role(w);
	want(w, A D1, true);
	assert_kernel(w, A D1 FOREIGN);
	tell_ours(w, "10.0.0.0/24 1-9999");
	commit(w, true);
	pass(w, 40);
	assert_non_null(strstr(w->last_event, "1 services were in the kernel"));
	assert_kernel(w,
		      A D1 "-A -u 192.0.2.1:53 -s rr\n-a -u 192.0.2.1:53 -r 10.9.0.1:53 -g -w 1\n");
}

/* The configuration has the last word, whatever core says. */
static void ours_is_never_outside_vip_ranges(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, FOREIGN);
	start_role(w);
	want_with(w, "192.0.2.0/24 1-65535, 10.0.0.0/24 80", A D1 "-A -t 192.0.2.1:80 -s rr\n");
	assert_kernel(w, A D1 FOREIGN);
	assert_non_null(strstr(buf_cstr(&w->said), "192.0.2.0/24 is outside vipRanges"));
	assert_int_equal(w->problem_count, 1);
	/* And half of it is as little as none. */
	tell_ours(w, "10.0.0.0-10.0.1.0 9001");
	commit(w, true);
	pass(w, 40);
	assert_non_null(strstr(buf_cstr(&w->said), "10.0.0.0-10.0.1.0 is outside vipRanges"));
	assert_non_null(strstr(buf_cstr(&w->said), "in no address pool any more"));
	assert_kernel(w, A D1 FOREIGN);
}

/* What one core told and did not commit is not the next one's; what it committed holds. */
static void ours_outlives_core_as_the_last_commit_does(void **state)
{
	struct world *w = *state;

	start_role(w);
	want_with(w, "10.0.0.0/24 1-9999", A D1 S S1);
	tell_ours(w, "10.0.0.0/24 80");
	connect_core(w);
	pass(w, AUDIT_MS + 1000);
	want(w, A D1 S S1, true);
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->kernel.writes, 4);
}

static void a_destination_the_kernel_refuses_stops_no_other(void **state)
{
	struct world *w = *state;

	start_role(w);
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", -EINVAL);
	want(w, A D1 D2 D3 B E1, true);
	assert_kernel(w, A D1 D3 B E1);
	assert_int_equal(w->problem_count, 1);
	assert_int_equal(w->problems[0].error, EINVAL);
	assert_int_equal(w->problems[0].dest.port, 80);
	assert_true(w->status.synced);
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
	/* It is tried again, less often each time. */
	pass(w, 120000);
	assert_in_range(w->kernel.refused, 5, 9);
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", 0);
	pass(w, 61000);
	assert_kernel(w, A D1 D2 D3 B E1);
	assert_int_equal(w->problem_count, 0);
}

static void a_scheduler_that_is_missing_is_named(void **state)
{
	struct world *w = *state;

	start_role(w);
	w->kernel.no_scheduler = "wrr";
	want(w, "-A -t 10.0.0.1:80 -s wrr\n" D1 B E1, true);
	assert_kernel(w, B E1);
	assert_int_equal(w->problem_count, 1);
	assert_non_null(strstr(w->problems[0].text, "ip_vs_wrr"));
	w->kernel.no_scheduler = NULL;
	pass(w, 61000);
	assert_kernel(w, "-A -t 10.0.0.1:80 -s wrr\n" D1 B E1);
	assert_int_equal(w->problem_count, 0);
}

static void lost_answers_are_read_not_replayed(void **state)
{
	struct world *w = *state;

	start_role(w);
	w->kernel.lose_answers = true;
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", -EINVAL);
	want(w, A D1 D2 B E1, true);
	pass(w, 1000);
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", 0);
	pass(w, 2000);
	assert_kernel(w, A D1 D2 B E1);
	/* Five commands; the one that was refused is tried again, as long as it is. */
	assert_in_range(w->kernel.writes, 6, 8);
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
}

static void a_single_fault_anywhere_is_overcome(void **state)
{
	static const int errors[] = { -ENOMEM, -EEXIST, -ENOENT, -ESRCH, -EINVAL };

	for (uint64_t at = 1; at <= 9; at++) {
		for (size_t e = 0; e < ARRAY_LEN(errors); e++) {
			struct world *w;

			(void)state;
			assert_int_equal(begin((void **)&w), 0);
			fake_ipvs_load(&w->kernel, B E1 FOREIGN);
			start_role(w);
			w->kernel.fail_at = at;
			w->kernel.fail_error = errors[e];
			want(w,
			     "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n" D1 D2 D3
			     "-A -t 10.0.0.3:80 -s rr\n"
			     "-a -t 10.0.0.3:80 -r 10.1.0.7:80 -m -w 1\n",
			     true);
			pass(w, 2 * AUDIT_MS);
			assert_kernel(w, "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n" D1 D2 D3
					 "-A -t 10.0.0.3:80 -s rr\n"
					 "-a -t 10.0.0.3:80 -r 10.1.0.7:80 -m -w 1\n" FOREIGN);
			assert_int_equal(w->problem_count, 0);
			assert_true(w->status.synced);
			end((void **)&w);
		}
	}
}

static void a_foreign_flush_is_undone_within_one_audit(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf text = { 0 };

	start_role(w);
	for (unsigned i = 0; i < 20; i++)
		buf_printf(&text,
			   "-A -t 10.0.0.1:%u -s rr\n-a -t 10.0.0.1:%u -r 10.1.0.1:80 -m -w 1\n"
			   "-a -t 10.0.0.1:%u -r 10.1.0.2:80 -m -w 1\n",
			   1000 + i, 1000 + i, 1000 + i);
	want(w, buf_cstr(&text), true);
	/* The order of the kernel's list is known soon after the load. */
	pass(w, 1000);
	fake_ipvs_clear(&w->kernel);
	w->kernel.trash_walk = 0;
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, buf_cstr(&text));
	assert_int_equal(w->status.repairs, 20);
	assert_non_null(strstr(w->last_event, "20 services missing"));
	/* Written in the reverse of the order of deletion: nothing was searched. */
	assert_int_equal(w->kernel.trash_walk, 0);
}

static void who_deletes_ours_again_and_again_is_told_and_not_fought(void **state)
{
	struct world *w = *state;
	uint64_t writes;

	start_role(w);
	want(w, A D1 D2 B E1, true);
	pass(w, AUDIT_MS + 100);
	w->host.device = "kube-ipvs0";
	/* Once may be anything, and is put right. */
	fake_ipvs_clear(&w->kernel);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	assert_int_equal(w->status.repairs, 2);
	/* Twice is its way. */
	fake_ipvs_clear(&w->kernel);
	writes = w->kernel.writes;
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, "");
	assert_int_equal(w->kernel.writes, writes);
	assert_int_equal(w->status.repairs, 2);
	assert_int_equal(w->status.problems, 2);
	assert_non_null(strstr(w->last_event, "kube-proxy in ipvs mode"));
	assert_non_null(strstr(w->last_event, "ipvs.excludeCIDRs"));
	/* It is tried again after one minute, then two, four, eight, ten and ten. */
	static const int64_t waits[] = { 60000, 120000, 240000, 480000, 600000, 600000 };
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		pass(w, waits[i] - 2 * AUDIT_MS);
		assert_kernel(w, "");
		pass(w, 2 * AUDIT_MS);
		assert_kernel(w, A D1 D2 B E1);
		assert_int_equal(w->status.problems, 0);
		fake_ipvs_clear(&w->kernel);
		pass(w, AUDIT_MS + 100);
		assert_kernel(w, "");
	}
	/* It ends with the device. */
	w->host.device = NULL;
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	assert_int_equal(w->status.problems, 0);
	assert_non_null(strstr(w->last_event, "nobody deletes services of ours any more"));
	fake_ipvs_clear(&w->kernel);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
}

/* What core says of a service that was given up is kept for later, and starts no fight. */
static void a_core_that_goes_on_does_not_start_the_fight_again(void **state)
{
	struct world *w = *state;
	unsigned told;

	start_role(w);
	want(w, A D1 D2 B E1, true);
	pass(w, AUDIT_MS + 100);
	w->host.device = "kube-ipvs0";
	for (unsigned i = 0; i < 2; i++) {
		fake_ipvs_clear(&w->kernel);
		pass(w, AUDIT_MS + 100);
	}
	assert_kernel(w, "");
	assert_int_equal(w->problem_count, 2);
	told = w->problems_told;
	/* A server was found dead, and another core begins. */
	change(w, A D1);
	pass(w, 1000);
	assert_kernel(w, "");
	assert_int_equal(w->problems_told, told);
	connect_core(w);
	assert_int_equal(w->problem_count, 2);
	told = w->problems_told;
	want(w, A D1 B E1, true);
	pass(w, 1000);
	assert_kernel(w, "");
	assert_int_equal(w->problem_count, 2);
	assert_int_equal(w->problems_told, told);
	/* Who is not wanted any more has no trouble. */
	gone(w, "10.0.0.2:80");
	assert_int_equal(w->problem_count, 1);
	assert_int_equal(w->status.problems, 1);
	pass(w, 60000);
	assert_kernel(w, A D1);
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->status.problems, 0);
}

static void one_that_leaves_ours_alone_is_forgiven(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1 D2 B E1, true);
	pass(w, AUDIT_MS + 100);
	w->host.device = "kube-dummy-if";
	for (unsigned i = 0; i < 2; i++) {
		fake_ipvs_clear(&w->kernel);
		pass(w, AUDIT_MS + 100);
	}
	assert_kernel(w, "");
	assert_non_null(strstr(w->last_event, "kube-router"));
	/* Its setting is changed: what is tried stays, and after twenty minutes it is as if nothing was. */
	pass(w, 1300000);
	assert_kernel(w, A D1 D2 B E1);
	fake_ipvs_clear(&w->kernel);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
}

static void what_others_change_is_put_right(void **state)
{
	struct world *w = *state;
	struct ipvs_op op = { .kind = IPVS_SET_SERVICE, .scheduler = "wlc", .netmask = ~0U };

	start_role(w);
	want(w, A D1 D2, true);
	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &op.key), 0);
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2);
	assert_non_null(strstr(w->last_event, "1 altered"));
	/* A destination more is seen by its number. */
	op.kind = IPVS_NEW_DEST;
	op.dest = (struct ipvs_dest){ .addr = addr_v4(0x0a010009), .port = 80, .weight = 1 };
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2);
	/* A service of ours that nobody declared goes, and is told of. */
	fake_ipvs_load(&w->kernel, B E1 FOREIGN);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 FOREIGN);
	assert_non_null(strstr(w->last_event, "1 undeclared"));
	/* A weight shows only when destinations are read: of a table as small as this at once. */
	op.kind = IPVS_SET_DEST;
	op.dest = (struct ipvs_dest){ .addr = addr_v4(0x0a010001), .port = 80, .weight = 9 };
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 FOREIGN);
	assert_int_equal(w->status.repairs, 4);
}

static void a_list_that_is_as_it_was_is_not_gone_through_again(void **state)
{
	struct world *w = *state;
	struct ipvs_op op = { .kind = IPVS_SET_SERVICE, .scheduler = "wlc", .netmask = ~0U };
	uint64_t drops;

	start_role(w);
	want(w, A D1 D2 B E1, true);
	pass(w, 2 * AUDIT_MS + 100);
	drops = w->kernel.drops;
	pass(w, 10 * AUDIT_MS);
	assert_int_equal(w->kernel.drops - drops, 10);
	/* What others do is found all the same: another header, one more, one less, all of them. */
	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &op.key), 0);
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	pass(w, 3 * AUDIT_MS);
	op.kind = IPVS_NEW_DEST;
	op.dest = (struct ipvs_dest){ .addr = addr_v4(0x0a010009), .port = 80, .weight = 1 };
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	pass(w, 3 * AUDIT_MS);
	op.kind = IPVS_DEL_SERVICE;
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	pass(w, 3 * AUDIT_MS);
	fake_ipvs_clear(&w->kernel);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1 D2 B E1);
	/* And again it is quiet. */
	pass(w, 2 * AUDIT_MS);
	drops = w->kernel.drops;
	pass(w, 10 * AUDIT_MS);
	assert_int_equal(w->kernel.drops - drops, 10);
}

/* Our own deletion of a service that another program makes again at once, the same. */
static void what_comes_back_as_it_was_is_found(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1 B E1, true);
	pass(w, 3 * AUDIT_MS);
	change(w, A D1);
	gone(w, "10.0.0.2:80");
	pass(w, 1000);
	assert_kernel(w, A D1);
	fake_ipvs_load(&w->kernel, B E1);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1);
}

static void a_small_table_is_read_whole_by_each_audit(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf text = { 0 };

	start_role(w);
	for (unsigned i = 0; i < 64; i++)
		buf_printf(&text,
			   "-A -t 10.0.0.1:%u -s rr\n-a -t 10.0.0.1:%u -r 10.1.0.1:80 -m -w 1\n",
			   1000 + i, 1000 + i);
	want(w, buf_cstr(&text), true);
	pass(w, 1000); /* the look after a load is over */
	for (unsigned i = 0; i < 5; i++) {
		uint64_t reads = w->kernel.reads;

		pass(w, AUDIT_MS + 100);
		assert_int_equal(w->kernel.reads - reads, 64);
	}
}

static void a_foreign_weight_in_a_large_table_is_found_within_twenty_audits(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf text = { 0 };
	struct ipvs_op op = { .kind = IPVS_SET_DEST,
			      .dest = { .addr = addr_v4(0x0a010001), .port = 80, .weight = 9 } };
	uint64_t reads;

	start_role(w);
	for (unsigned i = 0; i < 2000; i++)
		buf_printf(&text,
			   "-A -t 10.0.0.1:%u -s rr\n-a -t 10.0.0.1:%u -r 10.1.0.1:80 -m -w 1\n",
			   1000 + i, 1000 + i);
	want(w, buf_cstr(&text), true);
	assert_kernel(w, buf_cstr(&text));
	for (unsigned i = 0; i < 2000; i += 500) {
		char key[32];

		snprintf(key, sizeof(key), "10.0.0.1:%u", 1000 + i);
		assert_int_equal(endpoint_parse(key, IPPROTO_TCP, &op.key), 0);
		assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	}
	/* A twentieth each time, and not all of them. */
	reads = w->kernel.reads;
	pass(w, AUDIT_MS + 100);
	assert_in_range(w->kernel.reads - reads, 100, 120);
	for (unsigned i = 0; i < 20; i++)
		pass(w, AUDIT_MS + 100);
	assert_kernel(w, buf_cstr(&text));
	assert_int_equal(w->status.repairs, 4);
}

static void ask_count(struct world *w, uint32_t id, const char *key)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct endpoint e;

	assert_int_equal(endpoint_parse(key, IPPROTO_TCP, &e), 0);
	wire_put_u32(&b, id);
	wire_put_endpoint(&b, &e);
	channel_send(w->core, IPVS_MSG_COUNT, &b);
	pass(w, 20);
	assert_int_equal(w->counted.id, id);
}

static void timeouts_are_set_where_they_differ_and_kept_so(void **state)
{
	struct world *w = *state;

	w->config.timeouts = (struct ipvs_timeouts){ .tcp = 7260 };
	start_role(w);
	want(w, A D1, true);
	pass(w, 100);
	assert_int_equal(w->kernel.timeouts.tcp, 7260);
	assert_int_equal(w->kernel.timeouts.fin, 120);
	assert_int_equal(w->kernel.timeout_sets, 1);
	assert_true(strstr(buf_cstr(&w->said), "set to 7260s (tcp), 120s (fin), 300s (udp)"));
	assert_int_equal(w->status.repairs, 0);
	/* Those that are not configured are anybody's. */
	w->kernel.timeouts.udp = 30;
	pass(w, 2 * AUDIT_MS);
	assert_int_equal(w->kernel.timeout_sets, 1);
	w->kernel.timeouts.tcp = 900;
	pass(w, 2 * AUDIT_MS);
	assert_int_equal(w->kernel.timeouts.tcp, 7260);
	assert_int_equal(w->kernel.timeouts.udp, 30);
	assert_int_equal(w->kernel.timeout_sets, 2);
	assert_true(strstr(buf_cstr(&w->said), "another program set the timeouts of IPVS to 900s"));
	assert_int_equal(w->status.repairs, 1);
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
}

static void timeouts_that_cannot_be_set_stop_nothing(void **state)
{
	struct world *w = *state;
	const char *said;

	w->config.timeouts = (struct ipvs_timeouts){ .udp = 20 };
	w->kernel.timeout_error = -EPERM;
	start_role(w);
	want(w, A D1, true);
	pass(w, 3 * AUDIT_MS);
	assert_kernel(w, A D1);
	said = strstr(buf_cstr(&w->said), "timeouts of IPVS cannot be read");
	assert_non_null(said);
	if (strstr(said + 1, "timeouts of IPVS")) /* it is told once */
		fail_msg("%s", buf_cstr(&w->said));
	w->kernel.timeout_error = 0;
	pass(w, 2 * AUDIT_MS);
	assert_int_equal(w->kernel.timeouts.udp, 20);
}

static void what_was_counted_is_told_of_ours_alone(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, FOREIGN);
	start_role(w);
	want(w, A D1 D2, true);
	pass(w, 100);
	fake_ipvs_set_connections(&w->kernel, "10.1.0.2:80", 5);
	w->kernel.counters = (struct ipvs_counters){ 1, 2, 3, 4, 5 };
	ask_count(w, 7, "10.0.0.1:80");
	assert_int_equal(w->counted.error, 0);
	assert_true(w->counted.stats.counting);
	assert_int_equal(w->counted.stats.counters.bytes_out, 5);
	assert_int_equal(w->counted.stats.dest_count, 2);
	assert_int_equal(w->counted.stats.dests[1].active, 5);
	assert_int_equal(w->counted.stats.dests[1].weight, 1);
	ask_count(w, 8, "10.0.0.2:80"); /* there is none */
	assert_int_equal(w->counted.error, ESRCH);
	ask_count(w, 9, "10.0.0.1:9000"); /* it is there, and somebody else's */
	assert_int_equal(w->counted.error, ESRCH);
	assert_int_equal(w->counted.stats.dest_count, 0);
}

static void a_draining_destination_is_told_of_when_it_is_idle(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1 D2, true);
	fake_ipvs_set_connections(&w->kernel, "10.1.0.1:80", 3);
	send_services(w, A "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2, "10.1.0.1:80", 0);
	commit(w, true);
	pass(w, 5000);
	assert_int_equal(w->idle, 0);
	fake_ipvs_set_connections(&w->kernel, "10.1.0.1:80", 0);
	pass(w, 1100);
	assert_int_equal(w->idle, 1);
	assert_int_equal(w->last_idle.addr.bytes[3], 1);
	pass(w, 5000);
	assert_int_equal(w->idle, 1);
}

/* An audit that differs from the image must not let a row pass unchecked. */
static void an_audit_at_the_moment_of_a_commit_changes_no_rule(void **state)
{
	struct world *w = *state;
	struct ipvs_op op = { .kind = IPVS_NEW_DEST };

	start_role(w);
	want(w, A D1, true);
	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &op.key), 0);
	op.dest = (struct ipvs_dest){ .addr = addr_v4(0x0a010009), .port = 80, .weight = 1 };
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
	send_services(w, A D1 D2 "-a -t 10.0.0.1:80 -r 127.0.0.1:22 -m -w 1\n", NULL, 0);
	commit(w, true);
	/* Both are in the queue of the same turn. */
	for (unsigned i = 0; i < 4 && w->role->queues[IPVS_QUEUE_CHECK].count == 0; i++) {
		ipvs_audit_start(w->role);
		assert_int_equal(loop_turn(w->loop, 0), 0);
	}
	pass(w, AUDIT_MS + 1000);
	assert_kernel(w, A D1 D2);
	assert_int_equal(w->problem_count, 1);
}

static void the_last_commit_holds_while_there_is_no_core(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, A D1, true);
	channel_free(w->core);
	w->core = NULL;
	pass(w, 1000);
	fake_ipvs_clear(&w->kernel);
	pass(w, AUDIT_MS + 100);
	assert_kernel(w, A D1);
}

static void malformed_messages_cost_the_connection_only(void **state)
{
	struct world *w = *state;
	const struct buf junk = { (uint8_t[]){ 1, 2, 3 }, 3, 0 };

	start_role(w);
	want(w, A D1, true);
	channel_send(w->core, IPVS_MSG_COMMIT, &junk);
	pass(w, 40);
	assert_null(w->core);
	connect_core(w);
	change(w, A D1 D2);
	assert_kernel(w, A D1 D2);
}

/* n services with one destination each, from 10.0.0.first. */
static void add_services(struct buf *b, unsigned first, unsigned n, unsigned dests)
{
	for (unsigned i = 0; i < n; i++) {
		buf_printf(b, "-A -t 10.0.0.%u:80 -s rr\n", first + i);
		for (unsigned d = 0; d < dests; d++)
			buf_printf(b, "-a -t 10.0.0.%u:80 -r 10.1.%u.%u:80 -m -w 1\n", first + i,
				   d / 250, d % 250 + 1);
	}
	buf_cstr(b);
}

static void deletions_are_paced_and_out_of_service_at_once(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf all = { 0 };
	CLEANUP(buf_done) struct buf few = { 0 };
	uint64_t before;

	w->kernel.keep_log = false;
	start_role(w);
	add_services(&few, 1, 1, 10);
	add_services(&all, 1, 9, 500);
	want(w, buf_cstr(&all), true);
	before = w->kernel.writes;
	/* 4,000 go; 4,500 have just come, so that more may be expected. */
	want(w, buf_cstr(&few), true);
	pass(w, 1000);
	assert_in_range(w->kernel.trash_count, 1500, 2000);
	assert_true(w->kernel.writes - before > 2000); /* the others are at weight 0 */
	for (const struct fake_service *s = w->kernel.services; s; s = s->next) {
		for (uint32_t i = 0; s->s.key.addr.bytes[3] > 1 && i < s->s.dest_count; i++)
			assert_int_equal(s->s.dests[i].weight, 0);
	}
	assert_false(w->status.synced);
	pass(w, IPVS_PACE_WINDOW_MS + 20000);
	assert_true(w->status.synced);
	assert_kernel(w, buf_cstr(&few));
}

static void a_health_change_overtakes_a_load(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf all = { 0 };
	const char *log, *change_at, *last;

	start_role(w);
	want(w, A D1 D2, true);
	add_services(&all, 10, 20, 500);
	send_services(w, buf_cstr(&all), NULL, 0);
	commit(w, true);
	send_services(w, A "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2, NULL, 0);
	commit(w, true);
	pass(w, 1000);
	log = buf_cstr(&w->kernel.log);
	change_at = strstr(log, "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0");
	last = strrchr(log, '-');
	assert_non_null(change_at);
	assert_true((size_t)(change_at - log) < (size_t)(last - log) / 2);
}

static void schedulers_of_live_services_change_one_at_a_time(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf all = { 0 };
	CLEANUP(buf_done) struct buf wlc = { 0 };
	unsigned changed = 0;

	start_role(w);
	add_services(&all, 1, 10, 0);
	want(w, buf_cstr(&all), true);
	for (unsigned i = 1; i <= 10; i++)
		buf_printf(&wlc, "-A -t 10.0.0.%u:80 -s wlc\n", i);
	want(w, buf_cstr(&wlc), true);
	pass(w, 250);
	for (const struct fake_service *s = w->kernel.services; s; s = s->next)
		changed += strcmp(s->s.scheduler, "wlc") == 0;
	assert_in_range(changed, 2, 4);
	pass(w, 3000);
	assert_kernel(w, buf_cstr(&wlc));
}

static void a_member_of_mh_that_is_down_is_loaded_at_its_weight(void **state)
{
	struct world *w = *state;

	start_role(w);
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, "-A -t 10.0.0.1:80 -s mh\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n",
		      NULL, 3);
	commit(w, true);
	pass(w, 40);
	assert_log(w, "-A -t 10.0.0.1:80 -s none -b flag-1\n"
		      "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 3\n"
		      "-E -t 10.0.0.1:80 -s mh -b mh-fallback\n"
		      "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n");
}

/* --- the order of mh (ordering.c) --- */

#define MH   "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n"
#define DEL2 "-d -t 10.0.0.1:80 -r 10.1.0.2:80\n"
#define DEL3 "-d -t 10.0.0.1:80 -r 10.1.0.3:80\n"
static uint64_t fingerprint_loaded(const char *text)
{
	struct ipvs_table t;
	struct ipvs_service *s;
	uint64_t fingerprint = 0;

	ipvs_table_init(&t);
	assert_int_equal(ipvs_table_parse(text, &t, NULL), 0);
	for (size_t pos = 0; (s = map_next(&t.by_key, &pos));)
		fingerprint = ipvs_order_fingerprint(s);
	ipvs_table_done(&t);
	return fingerprint;
}

static void assert_loaded_order(struct world *w, const char *text)
{
	assert_true(fake_ipvs_fingerprint(&w->kernel, "10.0.0.1:80") == fingerprint_loaded(text));
}

/* What another program does. */
static void foreign(struct world *w, enum ipvs_op_kind kind, const char *dest, uint32_t weight)
{
	struct ipvs_op op = { .kind = kind };
	struct endpoint e;

	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &op.key), 0);
	assert_int_equal(endpoint_parse(dest, IPPROTO_TCP, &e), 0);
	op.dest.addr = e.addr;
	op.dest.port = e.port;
	op.dest.weight = weight;
	assert_int_equal(fake_ipvs_do(&w->kernel, &op), 0);
}

static void reordered_by_others(struct world *w)
{
	foreign(w, IPVS_DEL_DEST, "10.1.0.1:80", 0);
	foreign(w, IPVS_NEW_DEST, "10.1.0.1:80", 1);
}

/* A service whose first member came last. */
static void start_disordered(struct world *w)
{
	start_role(w);
	want(w, MH D2 D3, true);
	change(w, MH D1 D2 D3);
	buf_reset(&w->kernel.log);
}

static void an_order_is_put_right_when_all_is_quiet(void **state)
{
	struct world *w = *state;

	start_disordered(w);
	/* It is as wanted, and it is told that it is not as other nodes have it. */
	assert_true(w->status.synced);
	assert_int_equal(w->status.pending, 0);
	assert_int_equal(w->status.disordered, 1);
	pass(w, QUIET_MS - 1000);
	assert_log(w, "");
	pass(w, 1200);
	assert_log(w, DEL2 D2 DEL3 D3);
	assert_loaded_order(w, MH D1 D2 D3);
	assert_int_equal(w->status.disordered, 0);
	assert_true(w->status.synced);
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
	/* Connections were held for just that. */
	assert_int_equal(w->kernel.held_writes, 4);
	assert_int_equal(w->host.holds, 1);
	assert_false(w->host.held);
	assert_string_equal(w->last_event,
			    "1 mh services have their real servers in the order that all nodes "
			    "have: 2 were put right, and connections go on");
	buf_reset(&w->said);
	pass(w, 2 * QUIET_MS);
	assert_log(w, "");
	assert_int_equal(w->said.len, 0);
}

static void a_change_begins_the_wait_anew(void **state)
{
	struct world *w = *state;

	start_disordered(w);
	pass(w, QUIET_MS - 1000);
	send_services(w, MH D1 "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0\n" D3, NULL, 1);
	commit(w, true);
	pass(w, 40);
	assert_log(w, "-e -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0\n");
	pass(w, QUIET_MS - 1000);
	assert_log(w, "");
	pass(w, 1200);
	/* One that is down has its place in the table. */
	assert_log(w, DEL2 D2 "-e -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 0\n" DEL3 D3);
	assert_loaded_order(w, MH D1 D2 D3);
}

/* What the kernel does after it would end the connections of what is moved. */
static void nothing_is_moved_soon_after_a_deletion(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, MH D2 D3 B E1, true);
	change(w, MH D1 D2 D3);
	pass(w, QUIET_MS - 1000);
	gone(w, "10.0.0.2:80");
	buf_reset(&w->kernel.log);
	pass(w, 4500);
	assert_log(w, "");
	pass(w, 1000);
	assert_log(w, DEL2 D2 DEL3 D3);
}

static bool is_ordered(struct world *w, unsigned n)
{
	char key[32];

	snprintf(key, sizeof(key), "10.0.0.%u:80", n);
	return fake_ipvs_fingerprint(&w->kernel, key) == fingerprint_loaded(MH D1 D2);
}

/* Of a hundred services one at a time, and what is urgent in between. */
static void a_health_change_overtakes_putting_in_order(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf before = { 0 }, after = { 0 }, down = { 0 };
	unsigned late = 1;

	for (unsigned i = 1; i <= 100; i++) {
		buf_printf(&before, "-A -t 10.0.0.%u:80 -s mh\n", i);
		buf_printf(&before, "-a -t 10.0.0.%u:80 -r 10.1.0.2:80 -m -w 1\n", i);
		buf_printf(&after, "-A -t 10.0.0.%u:80 -s mh\n", i);
		for (unsigned k = 1; k <= 2; k++)
			buf_printf(&after, "-a -t 10.0.0.%u:80 -r 10.1.0.%u:80 -m -w 1\n", i, k);
	}
	start_role(w);
	want(w, buf_cstr(&before), true);
	change(w, buf_cstr(&after));
	assert_int_equal(w->status.disordered, 100);
	pass(w, QUIET_MS + 2000);
	/* A hundred milliseconds each. */
	assert_in_range(w->status.disordered, 75, 85);
	buf_reset(&w->kernel.log);
	/* One whose turn has not come. */
	while (is_ordered(w, late))
		late++;
	buf_printf(&down,
		   "-A -t 10.0.0.%u:80 -s mh\n-a -t 10.0.0.%u:80 -r 10.1.0.1:80 -m -w 0\n"
		   "-a -t 10.0.0.%u:80 -r 10.1.0.2:80 -m -w 1\n",
		   late, late, late);
	send_services(w, buf_cstr(&down), NULL, 1);
	commit(w, true);
	pass(w, 40);
	buf_reset(&down);
	buf_printf(&down, "-e -t 10.0.0.%u:80 -r 10.1.0.1:80 -m -w 0\n", late);
	assert_non_null(strstr(buf_cstr(&w->kernel.log), buf_cstr(&down)));
	assert_in_range(w->status.disordered, 70, 85);
	pass(w, 12000);
	/* Its own wait has begun anew. */
	assert_int_equal(w->status.disordered, 1);
	pass(w, QUIET_MS);
	assert_int_equal(w->status.disordered, 0);
	/* One line for the hundred less one, one for that. */
	assert_non_null(strstr(buf_cstr(&w->said), "99 mh services"));
	assert_non_null(strstr(buf_cstr(&w->said), "\n1 mh services"));
}

static void nothing_is_moved_while_a_server_drains(void **state)
{
	struct world *w = *state;

	start_disordered(w);
	fake_ipvs_set_connections(&w->kernel, "10.1.0.3:80", 5);
	send_services(w, MH D1 D2 "-a -t 10.0.0.1:80 -r 10.1.0.3:80 -m -w 0\n", "10.1.0.3:80", 0);
	commit(w, true);
	pass(w, 40);
	buf_reset(&w->kernel.log);
	pass(w, 3 * QUIET_MS);
	assert_log(w, "");
	assert_int_equal(w->status.disordered, 0); /* it is not judged */
	fake_ipvs_set_connections(&w->kernel, "10.1.0.3:80", 0);
	pass(w, 2000);
	assert_int_equal(w->idle, 1);
	change(w, MH D1 D2);
	assert_log(w, DEL3);
	assert_int_equal(w->status.disordered, 1);
	pass(w, QUIET_MS + 200);
	assert_log(w, DEL2 D2);
	assert_loaded_order(w, MH D1 D2);
}

/* A source has yet to deliver: nothing of what is there is deleted, for a moment neither. */
static void nothing_is_moved_before_every_source_has_delivered(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, MH D1 D2 D3);
	reordered_by_others(w);
	start_role(w);
	want(w, MH D1 D2 D3, false);
	pass(w, 3 * QUIET_MS);
	assert_log(w, "");
	commit(w, true);
	pass(w, QUIET_MS + 400);
	assert_loaded_order(w, MH D1 D2 D3);
}

static void one_that_does_not_come_back_is_tried_again(void **state)
{
	struct world *w = *state;

	start_disordered(w);
	pass(w, QUIET_MS - 1000);
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", -ENOMEM);
	pass(w, 1200);
	assert_kernel(w, MH D1 D3);
	assert_int_equal(w->problem_count, 1);
	assert_false(w->host.held);
	pass(w, 5000);
	assert_kernel(w, MH D1 D3);
	fake_ipvs_refuse(&w->kernel, "10.1.0.2:80", 0);
	pass(w, 20000);
	assert_kernel(w, MH D1 D2 D3);
	assert_int_equal(w->problem_count, 0);
	pass(w, QUIET_MS + 1000);
	assert_loaded_order(w, MH D1 D2 D3);
	assert_int_equal(w->status.disordered, 0);
}

static void a_wrong_order_is_adopted_and_put_right(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, MH D1 D2 D3);
	reordered_by_others(w);
	start_role(w);
	want(w, MH D1 D2 D3, true);
	assert_int_equal(w->status.disordered, 1);
	assert_log(w, "");
	pass(w, QUIET_MS + 200);
	assert_log(w, DEL2 D2 DEL3 D3);
	assert_loaded_order(w, MH D1 D2 D3);
}

/* By what weight it is in the table the kernel does not tell. */
static void one_that_was_down_before_is_given_its_place_again(void **state)
{
	struct world *w = *state;

	fake_ipvs_load(&w->kernel, MH "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2);
	start_role(w);
	send_empty(w, IPVS_MSG_BEGIN);
	send_services(w, MH "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2, NULL, 1);
	commit(w, true);
	pass(w, 40);
	ask_count(w, 7, "10.0.0.1:80");
	assert_true(w->counted.stats.fingerprint == 0);
	pass(w, QUIET_MS + 200);
	ask_count(w, 8, "10.0.0.1:80");
	assert_true(w->counted.stats.fingerprint == fingerprint_loaded(MH D1 D2));
	assert_log(w, "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1\n"
		      "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n");
	assert_loaded_order(w, MH D1 D2);
	/* Once: from then on it is known. */
	pass(w, 700000);
	assert_log(w, "");
}

static void what_others_reorder_is_put_right(void **state)
{
	struct world *w = *state;

	start_role(w);
	want(w, MH D1 D2 D3, true);
	reordered_by_others(w);
	pass(w, 2000);
	buf_reset(&w->kernel.log);
	/* No list of services shows it; all destinations are read in ten minutes. */
	pass(w, 700000);
	assert_log(w, DEL2 D2 DEL3 D3);
	assert_loaded_order(w, MH D1 D2 D3);
}

static void without_the_host_nothing_is_moved(void **state)
{
	struct world *w = *state;

	w->host.hold_error = -EROFS;
	start_disordered(w);
	buf_reset(&w->said);
	pass(w, 10 * QUIET_MS);
	assert_log(w, "");
	assert_int_equal(w->status.disordered, 1);
	/* It is said once. */
	assert_non_null(strstr(buf_cstr(&w->said), "expire_nodest_conn cannot be set to 0"));
	assert_null(strchr(strchr(buf_cstr(&w->said), '\n') + 1, '\n'));
	w->host.hold_error = 0;
	pass(w, 2 * QUIET_MS);
	assert_log(w, DEL2 D2 DEL3 D3);
}

static void the_fingerprint_is_of_what_the_kernel_holds(void **state)
{
	struct world *w = *state;
	uint64_t before;

	start_role(w);
	want(w, MH D1 D2 B E1, true);
	ask_count(w, 7, "10.0.0.1:80");
	before = w->counted.stats.fingerprint;
	assert_true(before == fingerprint_loaded(MH D1 D2));
	/* Down, it is the same table. */
	send_services(w, MH "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 0\n" D2, NULL, 1);
	commit(w, true);
	pass(w, 40);
	ask_count(w, 7, "10.0.0.1:80");
	assert_true(w->counted.stats.fingerprint == before);
	/* Nobody has told us yet. */
	foreign(w, IPVS_DEL_DEST, "10.1.0.2:80", 0);
	foreign(w, IPVS_NEW_DEST, "10.1.0.2:80", 9);
	ask_count(w, 7, "10.0.0.1:80");
	assert_true(w->counted.stats.fingerprint ==
		    fake_ipvs_fingerprint(&w->kernel, "10.0.0.1:80"));
	assert_true(w->counted.stats.fingerprint != before);
	ask_count(w, 7, "10.0.0.2:80");
	assert_true(w->counted.stats.fingerprint == 0);
}

/* --- random: whatever happens, in the end the kernel is as wanted, and others' rows as they were */

static uint64_t random_state;

static uint32_t pick(uint32_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(random_state >> 33) % n;
}

static void random_table(struct buf *out)
{
	static const char *const schedulers[] = { "rr", "wrr", "mh -b mh-fallback" };

	buf_reset(out);
	for (unsigned i = 1; i <= 6; i++) {
		if (pick(3) == 0)
			continue;
		buf_printf(out, "-A -t 10.0.0.%u:80 -s %s\n", i, schedulers[pick(3)]);
		for (unsigned k = 1; k <= 5; k++) {
			if (pick(3))
				buf_printf(out, "-a -t 10.0.0.%u:80 -r 10.1.0.%u:80 -m -w %u\n", i,
					   k, pick(3));
		}
	}
	buf_cstr(out);
}

static void disturb(struct world *w)
{
	static const int errors[] = { -ENOMEM, -EEXIST, -ENOENT, -ESRCH, -EINVAL };

	switch (pick(8)) {
	case 0:
		fake_ipvs_clear(&w->kernel);
		fake_ipvs_load(&w->kernel, FOREIGN);
		break;
	case 1:
		w->kernel.lose_answers = true;
		break;
	case 2:
		w->kernel.fail_at = w->kernel.writes + 1 + pick(10);
		w->kernel.fail_error = errors[pick(5)];
		break;
	case 3:
		connect_core(w);
		break;
	default:
		break;
	}
}

/* Every service of mh is as if it had been loaded at once. */
static void assert_as_loaded(struct world *w, const char *text)
{
	char key[ENDPOINT_TEXT_MAX];
	struct ipvs_table t;
	struct ipvs_service *s;

	ipvs_table_init(&t);
	assert_int_equal(ipvs_table_parse(text, &t, NULL), 0);
	for (size_t pos = 0; (s = map_next(&t.by_key, &pos));)
		assert_true(fake_ipvs_fingerprint(&w->kernel, endpoint_text(&s->key, key)) ==
			    ipvs_order_fingerprint(s));
	ipvs_table_done(&t);
}

static void one_random_life(uint64_t seed)
{
	struct world *w;
	CLEANUP(buf_done) struct buf table = { 0 };
	CLEANUP(buf_done) struct buf all = { 0 };

	random_state = seed;
	assert_int_equal(begin((void **)&w), 0);
	w->kernel.keep_log = false;
	random_table(&table);
	buf_printf(&all, "%s" FOREIGN, buf_cstr(&table));
	fake_ipvs_load(&w->kernel, buf_cstr(&all));
	start_role(w);
	for (unsigned step = 0; step < 8; step++) {
		disturb(w);
		random_table(&table);
		want(w, buf_cstr(&table), pick(2));
		pass(w, pick(400));
	}
	w->kernel.lose_answers = false;
	w->kernel.fail_at = 0;
	want(w, buf_cstr(&table), true);
	/* Longer than the longest wait before a new attempt, a pace, and quiet after it. */
	pass(w, 2 * AUDIT_MS + 70000 + QUIET_MS);
	buf_reset(&all);
	buf_printf(&all, "%s" FOREIGN, buf_cstr(&table));
	assert_kernel(w, buf_cstr(&all));
	assert_true(w->status.synced);
	assert_int_equal(w->problem_count, 0);
	assert_int_equal(w->status.kernel_writes, w->kernel.writes);
	assert_int_equal(w->status.disordered, 0);
	assert_as_loaded(w, buf_cstr(&table));
	end((void **)&w);
}

static void any_life_ends_with_the_wanted_table(void **state)
{
	const char *env = getenv("SEED");
	uint64_t seed = env ? strtoull(env, NULL, 10) : 1;

	(void)state;
	for (unsigned i = 0; i < (env ? 1 : 100); i++) {
		print_message("seed %llu\n", (unsigned long long)(seed + i));
		one_random_life(seed + i);
	}
}

#define in_a_world(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		in_a_world(what_is_wanted_is_written_once),
		in_a_world(a_table_that_is_there_is_adopted_with_no_write),
		in_a_world(nothing_is_written_before_the_first_commit),
		in_a_world(nothing_is_deleted_before_every_source_has_delivered),
		in_a_world(a_change_names_only_what_changed),
		in_a_world(the_host_carries_a_frontend_as_long_as_ipvs_serves_it),
		in_a_world(a_frontend_is_answered_for_once_ipvs_has_its_service),
		in_a_world(a_failing_host_stops_nothing_and_is_tried_again),
		in_a_world(core_is_told_which_checks_are_not_tracked),
		in_a_world(of_what_could_not_be_written_core_is_told_once_it_is),
		in_a_world(core_is_told_when_paths_are_in_force),
		in_a_world(of_paths_that_could_not_be_made_core_is_told_and_then_that_they_are),
		in_a_world(of_paths_those_that_failed_are_told),
		in_a_world(a_path_that_may_not_be_is_refused_whatever_core_says),
		in_a_world(an_audit_repairs_paths_too),
		in_a_world(an_address_outside_is_refused_whatever_core_says),
		in_a_world(a_real_server_that_the_configuration_refuses_is_not_written),
		in_a_world(a_real_server_that_has_become_refused_drains),
		in_a_world(a_refused_real_server_comes_in_by_no_drain),
		in_a_world(core_says_what_is_ours_and_when),
		in_a_world(what_is_ours_no_more_is_left_alone),
		in_a_world(a_stranger_at_what_becomes_ours_is_deleted_and_told),
		in_a_world(ours_is_never_outside_vip_ranges),
		in_a_world(ours_outlives_core_as_the_last_commit_does),
		in_a_world(a_destination_the_kernel_refuses_stops_no_other),
		in_a_world(a_scheduler_that_is_missing_is_named),
		in_a_world(lost_answers_are_read_not_replayed),
		cmocka_unit_test(a_single_fault_anywhere_is_overcome),
		in_a_world(a_foreign_flush_is_undone_within_one_audit),
		in_a_world(who_deletes_ours_again_and_again_is_told_and_not_fought),
		in_a_world(a_core_that_goes_on_does_not_start_the_fight_again),
		in_a_world(one_that_leaves_ours_alone_is_forgiven),
		in_a_world(what_others_change_is_put_right),
		in_a_world(a_list_that_is_as_it_was_is_not_gone_through_again),
		in_a_world(what_comes_back_as_it_was_is_found),
		in_a_world(a_small_table_is_read_whole_by_each_audit),
		in_a_world(a_foreign_weight_in_a_large_table_is_found_within_twenty_audits),
		in_a_world(timeouts_are_set_where_they_differ_and_kept_so),
		in_a_world(timeouts_that_cannot_be_set_stop_nothing),
		in_a_world(what_was_counted_is_told_of_ours_alone),
		in_a_world(a_draining_destination_is_told_of_when_it_is_idle),
		in_a_world(an_audit_at_the_moment_of_a_commit_changes_no_rule),
		in_a_world(the_last_commit_holds_while_there_is_no_core),
		in_a_world(malformed_messages_cost_the_connection_only),
		in_a_world(deletions_are_paced_and_out_of_service_at_once),
		in_a_world(a_health_change_overtakes_a_load),
		in_a_world(schedulers_of_live_services_change_one_at_a_time),
		in_a_world(a_member_of_mh_that_is_down_is_loaded_at_its_weight),
		in_a_world(an_order_is_put_right_when_all_is_quiet),
		in_a_world(a_change_begins_the_wait_anew),
		in_a_world(nothing_is_moved_soon_after_a_deletion),
		in_a_world(a_health_change_overtakes_putting_in_order),
		in_a_world(nothing_is_moved_while_a_server_drains),
		in_a_world(nothing_is_moved_before_every_source_has_delivered),
		in_a_world(one_that_does_not_come_back_is_tried_again),
		in_a_world(a_wrong_order_is_adopted_and_put_right),
		in_a_world(one_that_was_down_before_is_given_its_place_again),
		in_a_world(what_others_reorder_is_put_right),
		in_a_world(without_the_host_nothing_is_moved),
		in_a_world(the_fingerprint_is_of_what_the_kernel_holds),
		cmocka_unit_test(any_life_ends_with_the_wanted_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
