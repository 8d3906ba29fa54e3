/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core_fixture: the whole of core with a store of its own, between a kernel and
 * probes that find nothing to object to (tests/lib/core_world.h). Says "ready
 * PORT SOCKET" once it listens at both, the port one of 127.0.0.1; serves until
 * its standard input ends. What comes there meanwhile is what probes find of all
 * targets from then on, a byte each: d, they answer 503; f, so, and have flapped; u, they are well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/clock.h"
#include "agent/base/loop.h"
#include "tests/lib/core_world.h"

/* Of each of them, whatever is found. */
static const struct hc_sight sight = {
	.is_known = true,
	.is_probed = true,
	.has_begun = true,
	.streak = 1,
	.interval_ms = 500,
	.took_us = 3000,
	.began_ago_ms = 200,
	.due_in_ms = 300,
	.ok = 127,
	.failed = 24,
	.latency_us = 412,
};

static void find(struct world *w, bool is_up, bool flapped)
{
	const enum hc_reason reason = is_up ? HC_REASON_OK : HC_REASON_STATUS;
	const int32_t detail = is_up ? 0 : 503;

	w->sight.reason = reason;
	w->sight.detail = detail;
	for (size_t i = 0; i < w->target_count; i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		const struct hc_verdict v = { .id = w->targets[i].id,
					      .state = is_up ? VERDICT_UP : VERDICT_DOWN,
					      .reason = reason,
					      .detail = detail,
					      .proven = true,
					      .flaps = flapped ? 3 : 0,
					      .held_ms = flapped ? 300000 : 0,
					      .since_ms = clock_wall_ms(&clock_system) };

		wire_put_hc_verdict(&b, &v);
		channel_send(w->health, HC_MSG_VERDICT, &b);
	}
}

static void on_input(void *arg, uint32_t events)
{
	struct world *w = arg;
	char byte;

	(void)events;
	if (read(STDIN_FILENO, &byte, 1) <= 0)
		loop_stop(w->loop, 0);
	else if (byte == 'd' || byte == 'f' || byte == 'u')
		find(w, byte == 'u', byte == 'f');
}

int main(void)
{
	loop_fd_id input;
	void *state = NULL;
	struct world *w;
	int r;

	core_world_up_store(&state);
	w = state;
	w->clock = clock_system;
	w->sight = sight;
	w->over_tcp = true;
	start_all(w, "");
	r = loop_add_fd(w->loop, STDIN_FILENO, EPOLLIN, on_input, w, &input);
	if (r == 0) {
		printf("ready %u %s\n", w->tcp_port, path_in(w, "api.sock"));
		fflush(stdout);
		r = loop_run(w->loop);
		loop_del_fd(w->loop, input);
	}
	core_world_down(&state);
	return r ? 1 : 0;
}
