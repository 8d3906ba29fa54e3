/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_watch.c: what is noticed of interfaces and routes, in a network namespace of our own. */
#include "ipvs/host_watch.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipvs/host_route.h"
#include "tests/lib/own_net.h"
#include "tests/lib/skip.h"

#define OURS   112
#define THEIRS 42

struct world {
	mono_t now;
	struct clock clock;
	struct loop *loop;
	struct host_routes *ours, *theirs;
	struct host_watch *watch;
	int tap;
	unsigned calls;
};

static bool has_net;

static mono_t read_clock(void *arg)
{
	return ((struct world *)arg)->now;
}

static int64_t read_wall(void *arg)
{
	(void)arg;
	return 0;
}

static void on_change(void *arg)
{
	((struct world *)arg)->calls++;
}

/* What the kernel has told by now. */
static bool is_noticed(struct world *w)
{
	unsigned before = w->calls;

	assert_int_equal(loop_turn(w->loop, 0), 0);
	w->now.ns += 2 * (int64_t)HOST_WATCH_SETTLE_MS * 1000000;
	assert_int_equal(loop_turn(w->loop, 0), 0);
	return w->calls > before;
}

static bool is_noticed_soon(struct world *w)
{
	for (unsigned i = 0; i < 500; i++) {
		if (is_noticed(w))
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

static int set_up(void **state)
{
	struct world *w = test_calloc(1, sizeof(*w));
	struct err err = { 0 };
	int r;

	*state = w;
	w->now.ns = 1000000000;
	w->clock = (struct clock){ read_clock, read_wall, w };
	w->tap = has_net ? own_net_tap("eth0") : -1;
	if (!has_net)
		return 0;
	if (loop_new(&w->clock, &w->loop) < 0 || host_routes_open(OURS, &w->ours, &err) < 0 ||
	    host_routes_open(THEIRS, &w->theirs, &err) < 0)
		return -1;
	r = host_watch_new(w->loop, host_routes_port(w->ours), "parasaus", on_change, w, &w->watch,
			   &err);
	return r == -EPROTONOSUPPORT ? 0 : r; /* a kernel without nftables */
}

static int tear_down(void **state)
{
	struct world *w = *state;

	host_watch_free(w->watch);
	host_routes_close(w->ours);
	host_routes_close(w->theirs);
	if (w->loop)
		loop_free(w->loop);
	if (w->tap >= 0)
		close(w->tap);
	test_free(w);
	return 0;
}

static void a_carrier_that_goes_and_comes_is_noticed(void **state)
{
	struct world *w = *state;
	int on = 0;

	if (!w->watch || w->tap < 0)
		SKIP_BECAUSE("no network namespace with an interface of our own");
	/* What it was told as it came up, IPv6 addresses and all. */
	(void)is_noticed_soon(w);
	while (is_noticed(w))
		;
	if (ioctl(w->tap, TUNSETCARRIER, &on) < 0)
		SKIP_BECAUSE("no TUNSETCARRIER");
	assert_true(is_noticed_soon(w));
	on = 1;
	assert_int_equal(ioctl(w->tap, TUNSETCARRIER, &on), 0);
	assert_true(is_noticed_soon(w));
}

static void change_route(struct host_routes *by, bool add)
{
	struct host_route_change c = { .route.dst = addr_v4(0x0a630101), .add = add };

	assert_int_equal(host_routes_change(by, &c, 1), 0);
	assert_int_equal(c.error, 0);
}

static void a_local_route_is_noticed_but_for_our_own(void **state)
{
	struct world *w = *state;

	if (!w->watch)
		SKIP_BECAUSE("no network namespace of our own");
	while (is_noticed(w))
		;
	change_route(w->theirs, true);
	assert_true(is_noticed(w));
	change_route(w->theirs, false);
	assert_true(is_noticed(w));
	change_route(w->ours, true);
	change_route(w->ours, false);
	assert_false(is_noticed(w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_local_route_is_noticed_but_for_our_own, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_carrier_that_goes_and_comes_is_noticed, set_up,
						tear_down),
	};

	has_net = own_net_enter("10.98.0.1", 16);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
