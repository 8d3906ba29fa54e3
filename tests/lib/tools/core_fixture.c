/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * core_fixture: the whole of core with a store of its own, between a kernel and
 * probes that find nothing to object to (tests/lib/core_world.h). Says "ready
 * PORT SOCKET" once it listens at both, the port one of 127.0.0.1; serves until
 * its standard input ends.
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

static void on_input(void *arg, uint32_t events)
{
	char byte;

	(void)events;
	if (read(STDIN_FILENO, &byte, 1) <= 0)
		loop_stop(arg, 0);
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
	w->over_tcp = true;
	start_all(w, "");
	r = loop_add_fd(w->loop, STDIN_FILENO, EPOLLIN, on_input, w->loop, &input);
	if (r == 0) {
		printf("ready %u %s\n", w->tcp_port, path_in(w, "api.sock"));
		fflush(stdout);
		r = loop_run(w->loop);
		loop_del_fd(w->loop, input);
	}
	core_world_down(&state);
	return r ? 1 : 0;
}
