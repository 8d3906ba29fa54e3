/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_proxy.c: what is to be made and removed for a VIP; the kernel's part is in tests/kernel. */
#include "ipvs/host_proxy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"

struct world {
	struct host_links links; /* 3 and 4 have 2001:db8:1::/64, 5 has 2001:db8:2::/64 */
	struct host_proxies proxies;
};

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int set_up(void **state)
{
	static const uint8_t mac[HOST_MAC_LEN] = { 2 };
	static const char *const nets[] = { "2001:db8:1::1", "2001:db8:1::2", "2001:db8:2::1" };
	struct world *w = test_calloc(1, sizeof(*w));

	for (unsigned i = 0; i < 3; i++) {
		struct addr a = addr_of(nets[i]);

		host_link_add_net(host_links_add(&w->links, 3 + i, "eth", mac), &a, 64);
	}
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	host_links_done(&w->links);
	host_proxies_done(&w->proxies);
	test_free(w);
	return 0;
}

static void put(struct world *w, const char *addr, unsigned link, bool ours)
{
	const struct host_proxy p = { addr_of(addr), link, ours };

	host_proxies_add(&w->proxies, &p);
	host_proxies_sort(&w->proxies);
}

static void assert_plan(const struct world *w, const char *vip, bool wanted, const char *expected)
{
	struct host_proxy_changes plan = { 0 };
	struct addr a = addr_of(vip);
	struct buf text = { 0 };

	host_proxies_plan(&w->proxies, &w->links, &a, wanted, &plan);
	for (size_t i = 0; i < plan.count; i++) {
		assert_memory_equal(&plan.v[i].proxy.addr, &a, sizeof(a));
		buf_printf(&text, "%s%u ", plan.v[i].add ? "+" : "-", plan.v[i].proxy.link);
	}
	assert_string_equal(buf_cstr(&text), expected);
	buf_done(&text);
	host_proxy_changes_done(&plan);
}

static void a_vip_is_answered_for_on_each_of_its_links(void **state)
{
	struct world *w = *state;

	assert_plan(w, "2001:db8:1::50", true, "+3 +4 ");
	assert_plan(w, "2001:db8:2::50", true, "+5 ");
	assert_plan(w, "2001:db8:3::50", true, "");
	put(w, "2001:db8:1::50", 4, true);
	assert_plan(w, "2001:db8:1::50", true, "+3 ");
	put(w, "2001:db8:1::50", 3, true);
	assert_plan(w, "2001:db8:1::50", true, "");
	assert_plan(w, "2001:db8:1::51", true, "+3 +4 ");
}

static void where_it_is_not_any_more_it_is_not_answered_for(void **state)
{
	struct world *w = *state;

	put(w, "2001:db8:1::50", 3, true);
	put(w, "2001:db8:1::50", 5, true);
	put(w, "2001:db8:1::50", 9, true); /* an interface that has gone, or is down */
	assert_plan(w, "2001:db8:1::50", true, "-5 -9 +4 ");
	assert_plan(w, "2001:db8:1::50", false, "-3 -5 -9 ");
	assert_plan(w, "2001:db8:1::51", false, "");
}

static void what_others_made_stays_and_does_as_well(void **state)
{
	struct world *w = *state;

	put(w, "2001:db8:1::50", 3, false);
	put(w, "2001:db8:1::50", 5, false);
	assert_plan(w, "2001:db8:1::50", true, "+4 ");
	assert_plan(w, "2001:db8:1::50", false, "");
	assert_false(host_proxies_on(&w->proxies, 3));
	put(w, "2001:db8:1::51", 3, true);
	assert_true(host_proxies_on(&w->proxies, 3));
}

static void one_is_found_among_many(void **state)
{
	struct world *w = *state;

	for (unsigned i = 300; i-- > 0;) {
		struct host_proxy p = { addr_of("2001:db8:1::"), 3, true };

		p.addr.bytes[14] = (uint8_t)(i >> 8);
		p.addr.bytes[15] = (uint8_t)i;
		host_proxies_add(&w->proxies, &p);
	}
	host_proxies_sort(&w->proxies);
	assert_plan(w, "2001:db8:1::", false, "-3 ");
	assert_plan(w, "2001:db8:1::7f", true, "+4 ");
	assert_plan(w, "2001:db8:1::12b", false, "-3 ");
	assert_plan(w, "2001:db8:1::12c", false, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_vip_is_answered_for_on_each_of_its_links, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(where_it_is_not_any_more_it_is_not_answered_for,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_others_made_stays_and_does_as_well, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_is_found_among_many, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
