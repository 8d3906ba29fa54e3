/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_answer.c: what others do to proxy neighbours, in a network namespace of our own. */
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipvs/host_state.h"
#include "tests/lib/own_net.h"
#include "tests/lib/skip.h"

#define OURS   112
#define THEIRS 42

struct world {
	struct ipvs_host host; /* what it takes for proxy neighbours */
	struct host_routes *theirs;
	int tap;
	unsigned link;
	bool works;
};

static bool has_net;

static struct addr vip(void)
{
	struct addr a;

	assert_int_equal(addr_parse("2001:db8:1::50", &a), 0);
	return a;
}

static void on_sysctl(void *arg, enum log_level level, const char *text)
{
	(void)arg;
	(void)level;
	(void)text;
}

/* By another program; false: this kernel has no proxy neighbours. */
static bool change_theirs(struct world *w, bool add)
{
	struct host_proxies known = { 0 };
	struct host_proxy_changes c = { 0 };
	struct host_proxy_change one = { { vip(), w->link, true }, add, 0 };

	c.v = &one;
	c.count = 1;
	assert_int_equal(host_proxies_change(w->theirs, &known, &c), 0);
	host_proxies_done(&known);
	return one.error == 0;
}

static int set_up(void **state)
{
	static const uint8_t mac[HOST_MAC_LEN] = { 2 };
	struct world *w = test_calloc(1, sizeof(*w));
	struct addr net = vip();
	struct err err = { 0 };

	*state = w;
	w->tap = has_net ? own_net_tap("eth0") : -1;
	if (w->tap < 0)
		return 0;
	w->link = if_nametoindex("eth0");
	if (host_routes_open(OURS, &w->host.routes, &err) < 0 ||
	    host_routes_open(THEIRS, &w->theirs, &err) < 0)
		return -1;
	host_model_init(&w->host.model, NULL);
	w->host.sysctls = host_sysctls_new("/nonexistent", on_sysctl, w);
	host_link_add_net(host_links_add(&w->host.links, w->link, "eth0", mac), &net, 64);
	w->works = change_theirs(w, true) && change_theirs(w, false);
	return host_answer_read(&w->host, &err);
}

static int tear_down(void **state)
{
	struct world *w = *state;

	if (w->tap >= 0) {
		host_links_done(&w->host.links);
		host_proxies_done(&w->host.proxies);
		host_sysctls_free(w->host.sysctls);
		host_model_done(&w->host.model);
		host_routes_close(w->host.routes);
		host_routes_close(w->theirs);
		close(w->tap);
	}
	test_free(w);
	return 0;
}

static void write_ours(struct world *w, bool add)
{
	struct host_change one = { .key.addr = vip(), .part = HOST_PROXY, .add = add };
	struct host_changes c = { .v = &one, .count = 1 };
	struct err err = { 0 };
	bool more = false;

	if (host_answer_write(&w->host, &c, add, &more, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(more);
}

static void assert_kernel(struct world *w, size_t count, bool ours)
{
	struct host_proxies now;

	assert_int_equal(host_proxies_read(w->host.routes, &now), 0);
	assert_int_equal(now.count, count);
	assert_true(count == 0 || now.v[0].ours == ours);
	host_proxies_done(&now);
}

static void ours_is_made_and_removed(void **state)
{
	struct world *w = *state;

	if (!w->works)
		SKIP_BECAUSE("no network namespace with proxy neighbours");
	write_ours(w, true);
	assert_kernel(w, 1, true);
	write_ours(w, false);
	assert_kernel(w, 0, false);
	assert_int_equal(w->host.writes, 2);
}

static void what_others_made_unnoticed_is_not_taken_over(void **state)
{
	struct world *w = *state;

	if (!w->works)
		SKIP_BECAUSE("no network namespace with proxy neighbours");
	assert_true(change_theirs(w, true));
	write_ours(w, true);
	assert_kernel(w, 1, false);
	write_ours(w, false);
	assert_kernel(w, 1, false);
	assert_int_equal(w->host.writes, 0);
}

static void what_others_took_over_unnoticed_is_left_to_them(void **state)
{
	struct world *w = *state;

	if (!w->works)
		SKIP_BECAUSE("no network namespace with proxy neighbours");
	write_ours(w, true);
	assert_true(change_theirs(w, true));
	write_ours(w, false);
	assert_kernel(w, 1, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(ours_is_made_and_removed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_made_unnoticed_is_not_taken_over,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_took_over_unnoticed_is_left_to_them,
						set_up, tear_down),
	};

	has_net = own_net_enter("10.97.0.1", 16);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
