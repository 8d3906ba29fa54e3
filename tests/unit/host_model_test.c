/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_model.c: what is there, what is wanted, and the changes between them. */
#include "ipvs/host_model.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"

static struct endpoint key_of(const char *text)
{
	CLEANUP(xfree_ptr) char *copy = xstrdup(text);
	char *slash = strchr(copy, '/');
	struct endpoint e = { 0 };

	if (slash)
		*slash = '\0';
	if (addr_parse(copy, &e.addr) < 0 &&
	    endpoint_parse(copy, slash ? IPPROTO_UDP : IPPROTO_TCP, &e) < 0)
		fail_msg("%s", text);
	return e;
}

static void want(struct host_model *m, const char *key)
{
	struct endpoint e = key_of(key);

	host_model_want(m, &e, true);
}

static void want_direct(struct host_model *m, const char *key)
{
	struct endpoint e = key_of(key);

	host_model_want(m, &e, false);
}

static void unwant(struct host_model *m, const char *key)
{
	struct endpoint e = key_of(key);

	host_model_unwant(m, &e);
}

static void saw(struct host_model *m, enum host_part part, const char *key)
{
	struct endpoint e = key_of(key);

	host_model_saw(m, part, &e, true);
}

static void put(struct buf *out, const struct host_change *c)
{
	static const char *const parts[] = { "route", "vip",	"own",	   "silent",
					     "proxy", "direct", "declared" };
	char text[ENDPOINT_TEXT_MAX];

	buf_printf(out, "%s %s %s\n",
		   c->replace ? "="
		   : c->add   ? "+"
			      : "-",
		   parts[c->part],
		   c->key.port ? endpoint_text(&c->key, text) : addr_text(&c->key.addr, text));
}

/* The difference is this, and once made there is none. */
static void assert_diff(struct host_model *m, bool prune, const char *expected)
{
	struct host_changes c = { 0 };
	struct buf text = { 0 };

	host_model_diff(m, prune, &c);
	for (size_t i = 0; i < c.count; i++)
		put(&text, &c.v[i]);
	assert_string_equal(buf_cstr(&text), expected);
	for (size_t i = 0; i < c.count; i++)
		host_model_made(m, &c.v[i]);
	host_changes_done(&c);
	host_model_touch_all(m);
	host_model_diff(m, prune, &c);
	assert_int_equal(c.count, 0);
	host_changes_done(&c);
	buf_done(&text);
}

static void a_frontend_takes_what_its_vip_has_not_yet(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	want(&m, "10.0.0.1:81");
	assert_diff(&m, false, "+ declared 10.0.0.1:81\n");
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "");
	assert_int_equal(m.wanted, 2);
	host_model_done(&m);
}

static void only_a_frontend_without_masquerade_is_in_the_rules(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want_direct(&m, "10.0.0.1:80");
	assert_diff(&m, false,
		    "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ direct 10.0.0.1:80\n"
		    "+ declared 10.0.0.1:80\n");
	assert_int_equal(m.wanted_masquerade, 0);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "- direct 10.0.0.1:80\n");
	assert_int_equal(m.wanted_masquerade, 1);
	host_model_done(&m);
}

static void a_vip_goes_with_its_last_frontend(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want(&m, "10.0.0.1:80");
	want(&m, "10.0.0.1:80/udp");
	assert_diff(&m, false,
		    "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n"
		    "+ declared 10.0.0.1:80\n");
	unwant(&m, "10.0.0.1:80");
	assert_diff(&m, true, "- declared 10.0.0.1:80\n");
	unwant(&m, "10.0.0.1:80");
	unwant(&m, "10.0.0.9:80");
	assert_diff(&m, true, "");
	unwant(&m, "10.0.0.1:80/udp");
	assert_diff(&m, true, "- route 10.0.0.1\n- vip 10.0.0.1\n- declared 10.0.0.1:80\n");
	host_model_sweep(&m);
	assert_int_equal(m.vips.count + m.fronts.count, 0);
	host_model_done(&m);
}

static void what_was_found_and_is_not_wanted_goes_only_when_pruned(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	saw(&m, HOST_ROUTE, "10.0.0.1");
	saw(&m, HOST_VIP, "10.0.0.1");
	saw(&m, HOST_ROUTE, "10.0.0.2");
	saw(&m, HOST_DECLARED, "10.0.0.2:80");
	want(&m, "10.0.0.1:80");
	host_model_touch_all(&m);
	assert_diff(&m, false, "+ declared 10.0.0.1:80\n");
	host_model_touch_all(&m);
	assert_diff(&m, true, "- route 10.0.0.2\n- declared 10.0.0.2:80\n");
	host_model_done(&m);
}

static void what_others_removed_is_made_again(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_forget(&m, HOST_ROUTE);
	host_model_touch_all(&m);
	assert_diff(&m, false, "+ route 10.0.0.1\n");
	host_model_forget(&m, HOST_DECLARED);
	host_model_touch_all(&m);
	assert_diff(&m, false, "+ declared 10.0.0.1:80\n");
	host_model_done(&m);
}

static void a_route_with_the_wrong_source_is_replaced(void **state)
{
	struct endpoint key = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_saw(&m, HOST_ROUTE, &key, false);
	host_model_touch_all(&m);
	assert_diff(&m, false, "= route 10.0.0.1\n");
	host_model_done(&m);
}

static void an_address_of_an_interface_needs_no_route(void **state)
{
	struct endpoint own = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_configured_begin(&m);
	host_model_configured(&m, &own.addr);
	host_model_configured_end(&m);
	host_model_touch_all(&m);
	assert_diff(&m, false, "- route 10.0.0.1\n+ own 10.0.0.1\n");
	host_model_configured_begin(&m);
	host_model_configured_end(&m);
	host_model_touch_all(&m);
	assert_diff(&m, false, "+ route 10.0.0.1\n- own 10.0.0.1\n");
	host_model_done(&m);
}

static void somebody_elses_route_will_do(void **state)
{
	struct endpoint key = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	host_model_saw_foreign_route(&m, &key.addr);
	host_model_sweep(&m);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_forget(&m, HOST_ROUTE);
	host_model_touch_all(&m);
	assert_diff(&m, false, "+ route 10.0.0.1\n");
	host_model_done(&m);
}

static void local_is_what_has_a_route_whose_ever(void **state)
{
	const struct endpoint key = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	assert_false(host_model_is_local(&m, &key.addr));
	want(&m, "10.0.0.1:80");
	saw(&m, HOST_VIP, "10.0.0.1");
	assert_false(host_model_is_local(&m, &key.addr));
	host_model_saw(&m, HOST_ROUTE, &key, false);
	assert_true(host_model_is_local(&m, &key.addr));
	host_model_forget(&m, HOST_ROUTE);
	assert_false(host_model_is_local(&m, &key.addr));
	host_model_saw_foreign_route(&m, &key.addr);
	assert_true(host_model_is_local(&m, &key.addr));
	host_model_forget(&m, HOST_ROUTE);
	host_model_configured_begin(&m);
	host_model_configured(&m, &key.addr);
	host_model_configured_end(&m);
	assert_true(host_model_is_local(&m, &key.addr));
	host_model_done(&m);
}

static void writing_a_part_whole_keeps_what_is_not_wanted_unless_pruned(void **state)
{
	struct host_changes c = { 0 };
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	saw(&m, HOST_VIP, "10.0.0.2");
	want(&m, "10.0.0.1:80");
	host_model_all(&m, HOST_VIP, false, &c);
	assert_int_equal(c.count, 2);
	host_changes_done(&c);
	host_model_all(&m, HOST_VIP, true, &c);
	assert_int_equal(c.count, 1);
	host_changes_done(&c);
	host_model_done(&m);
}

/* --- who answers --- */

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void by_default_nothing_is_silent(void **state)
{
	const struct ipvs_announce all = { .mode = IPVS_ANNOUNCE_ALL };
	struct host_model m;

	(void)state;
	host_model_init(&m, &all);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_done(&m);
}

static void with_none_every_ipv4_vip_is_silent_and_stays_so(void **state)
{
	const struct ipvs_announce none = { .mode = IPVS_ANNOUNCE_NONE };
	struct host_model m;

	(void)state;
	host_model_init(&m, &none);
	want(&m, "10.0.0.1:80");
	want(&m, "[2001:db8::1]:80");
	assert_diff(&m, false,
		    "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ silent 10.0.0.1\n"
		    "+ route 2001:db8::1\n+ vip 2001:db8::1\n"
		    "+ declared 10.0.0.1:80\n+ declared [2001:db8::1]:80\n");
	host_model_serve(&m);
	assert_diff(&m, false, "");
	unwant(&m, "10.0.0.1:80");
	assert_diff(&m, true,
		    "- route 10.0.0.1\n- vip 10.0.0.1\n- silent 10.0.0.1\n"
		    "- declared 10.0.0.1:80\n");
	host_model_done(&m);
}

static const struct ipvs_announce *owner_of_the_lower_half(void)
{
	static struct ipvs_share shares[2];
	static const struct ipvs_announce a = { .mode = IPVS_ANNOUNCE_OWNER,
						.shares = shares,
						.share_count = 2 };

	shares[0] = (struct ipvs_share){ prefix_of("10.0.0.0/25"), true };
	shares[1] = (struct ipvs_share){ prefix_of("10.0.0.0/24"), false };
	return &a;
}

static void an_owner_is_silent_until_ipvs_serves(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, owner_of_the_lower_half());
	want(&m, "10.0.0.1:80");
	want(&m, "10.0.0.200:80");
	want(&m, "10.9.9.9:80"); /* in no share */
	assert_diff(&m, false,
		    "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ silent 10.0.0.1\n"
		    "+ route 10.0.0.200\n+ vip 10.0.0.200\n+ silent 10.0.0.200\n"
		    "+ route 10.9.9.9\n+ vip 10.9.9.9\n+ silent 10.9.9.9\n"
		    "+ declared 10.0.0.1:80\n+ declared 10.0.0.200:80\n+ declared 10.9.9.9:80\n");
	host_model_serve(&m);
	assert_diff(&m, false, "- silent 10.0.0.1\n");
	want(&m, "10.0.0.1:81"); /* does not silence it again */
	assert_diff(&m, false, "+ declared 10.0.0.1:81\n");
	/* Away with its last frontend, it begins anew. */
	unwant(&m, "10.0.0.1:80");
	unwant(&m, "10.0.0.1:81");
	assert_diff(&m, true,
		    "- route 10.0.0.1\n- vip 10.0.0.1\n- declared 10.0.0.1:80\n"
		    "- declared 10.0.0.1:81\n");
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false,
		    "+ route 10.0.0.1\n+ vip 10.0.0.1\n+ silent 10.0.0.1\n"
		    "+ declared 10.0.0.1:80\n");
	host_model_done(&m);
}

static void a_restart_goes_on_answering_for_what_was_answered_for(void **state)
{
	struct host_model m;

	(void)state;
	host_model_init(&m, owner_of_the_lower_half());
	saw(&m, HOST_ROUTE, "10.0.0.1"); /* answered for until now */
	saw(&m, HOST_ROUTE, "10.0.0.2"); /* another machine's until now */
	saw(&m, HOST_SILENT, "10.0.0.2");
	saw(&m, HOST_ROUTE, "10.0.0.200"); /* ours until now */
	host_model_adopt(&m);
	assert_diff(&m, false, "");
	want(&m, "10.0.0.1:80");
	want(&m, "10.0.0.2:80");
	want(&m, "10.0.0.200:80");
	assert_diff(&m, false,
		    "+ vip 10.0.0.1\n+ vip 10.0.0.2\n"
		    "+ vip 10.0.0.200\n+ silent 10.0.0.200\n"
		    "+ declared 10.0.0.1:80\n+ declared 10.0.0.2:80\n+ declared 10.0.0.200:80\n");
	host_model_serve(&m);
	assert_diff(&m, false, "- silent 10.0.0.2\n");
	host_model_done(&m);
}

/* Its route is another program's, so there is none of ours. */
static void so_it_does_for_one_that_has_a_route_already(void **state)
{
	struct endpoint vip = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, owner_of_the_lower_half());
	saw(&m, HOST_VIP, "10.0.0.1");
	host_model_saw_foreign_route(&m, &vip.addr);
	host_model_adopt(&m);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ declared 10.0.0.1:80\n");
	host_model_done(&m);
}

static void an_address_of_the_host_is_not_silenced(void **state)
{
	const struct ipvs_announce none = { .mode = IPVS_ANNOUNCE_NONE };
	struct endpoint own = key_of("10.0.0.1");
	struct host_model m;

	(void)state;
	host_model_init(&m, &none);
	host_model_configured_begin(&m);
	host_model_configured(&m, &own.addr);
	host_model_configured_end(&m);
	want(&m, "10.0.0.1:80");
	assert_diff(&m, false, "+ vip 10.0.0.1\n+ own 10.0.0.1\n+ declared 10.0.0.1:80\n");
	host_model_done(&m);
}

/* --- of IPv6 --- */

/* eth0 has 2001:db8::/64. */
static const struct host_links *one_link(struct host_links *l)
{
	static const uint8_t mac[HOST_MAC_LEN] = { 2 };
	struct addr a;

	assert_int_equal(addr_parse("2001:db8::f", &a), 0);
	host_link_add_net(host_links_add(l, 2, "eth0", mac), &a, 64);
	return l;
}

static void a_vip_on_the_link_is_answered_for(void **state)
{
	struct host_links links = { 0 };
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	m.links = one_link(&links);
	want(&m, "[2001:db8::1]:80");
	want(&m, "[2001:db8:0:1::1]:80");
	assert_diff(&m, false,
		    "+ route 2001:db8::1\n+ vip 2001:db8::1\n+ proxy 2001:db8::1\n"
		    "+ route 2001:db8:0:1::1\n+ vip 2001:db8:0:1::1\n"
		    "+ declared [2001:db8::1]:80\n+ declared [2001:db8:0:1::1]:80\n");
	unwant(&m, "[2001:db8::1]:80");
	assert_diff(&m, true,
		    "- route 2001:db8::1\n- vip 2001:db8::1\n- proxy 2001:db8::1\n"
		    "- declared [2001:db8::1]:80\n");
	host_model_done(&m);
	host_links_done(&links);
}

static void on_another_link_it_is_made_anew(void **state)
{
	struct endpoint vip = key_of("2001:db8::1");
	struct host_links links = { 0 };
	struct host_model m;

	(void)state;
	host_model_init(&m, NULL);
	m.links = one_link(&links);
	want(&m, "[2001:db8::1]:80");
	saw(&m, HOST_ROUTE, "2001:db8::1");
	saw(&m, HOST_VIP, "2001:db8::1");
	host_model_saw(&m, HOST_PROXY, &vip, false);
	assert_diff(&m, false, "= proxy 2001:db8::1\n+ declared [2001:db8::1]:80\n");
	host_links_done(&links);
	host_model_touch(&m, &vip.addr);
	assert_diff(&m, false, "- proxy 2001:db8::1\n");
	host_model_done(&m);
}

static void an_owner_answers_solicitations_once_ipvs_serves(void **state)
{
	const struct ipvs_share here = { prefix_of("2001:db8::/64"), true };
	const struct ipvs_announce owner = { .mode = IPVS_ANNOUNCE_OWNER,
					     .shares = &here,
					     .share_count = 1 };
	struct endpoint vip = key_of("2001:db8::1");
	struct host_links links = { 0 };
	struct host_model m;

	(void)state;
	host_model_init(&m, &owner);
	m.links = one_link(&links);
	want(&m, "[2001:db8::1]:80");
	assert_diff(&m, false,
		    "+ route 2001:db8::1\n+ vip 2001:db8::1\n+ declared [2001:db8::1]:80\n");
	host_model_serve(&m);
	assert_false(host_model_is_owned(&m, &vip.addr));
	assert_diff(&m, false, "+ proxy 2001:db8::1\n");
	assert_true(host_model_is_owned(&m, &vip.addr));
	host_model_done(&m);
	/* One that was answered for by the process before goes on being so, and no other. */
	host_model_init(&m, &owner);
	m.links = &links;
	saw(&m, HOST_ROUTE, "2001:db8::1");
	saw(&m, HOST_PROXY, "2001:db8::1");
	saw(&m, HOST_ROUTE, "2001:db8::2");
	host_model_adopt(&m);
	want(&m, "[2001:db8::1]:80");
	want(&m, "[2001:db8::2]:80");
	assert_diff(&m, false,
		    "+ vip 2001:db8::1\n+ vip 2001:db8::2\n"
		    "+ declared [2001:db8::1]:80\n+ declared [2001:db8::2]:80\n");
	host_model_serve(&m);
	assert_diff(&m, false, "+ proxy 2001:db8::2\n");
	host_model_done(&m);
	host_links_done(&links);
}

static void with_none_no_solicitation_is_answered(void **state)
{
	const struct ipvs_announce none = { .mode = IPVS_ANNOUNCE_NONE };
	struct host_links links = { 0 };
	struct host_model m;

	(void)state;
	host_model_init(&m, &none);
	m.links = one_link(&links);
	saw(&m, HOST_PROXY, "2001:db8::1");
	want(&m, "[2001:db8::1]:80");
	assert_diff(&m, false,
		    "+ route 2001:db8::1\n+ vip 2001:db8::1\n- proxy 2001:db8::1\n"
		    "+ declared [2001:db8::1]:80\n");
	host_model_done(&m);
	host_links_done(&links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frontend_takes_what_its_vip_has_not_yet),
		cmocka_unit_test(only_a_frontend_without_masquerade_is_in_the_rules),
		cmocka_unit_test(a_vip_goes_with_its_last_frontend),
		cmocka_unit_test(what_was_found_and_is_not_wanted_goes_only_when_pruned),
		cmocka_unit_test(what_others_removed_is_made_again),
		cmocka_unit_test(a_route_with_the_wrong_source_is_replaced),
		cmocka_unit_test(an_address_of_an_interface_needs_no_route),
		cmocka_unit_test(somebody_elses_route_will_do),
		cmocka_unit_test(local_is_what_has_a_route_whose_ever),
		cmocka_unit_test(writing_a_part_whole_keeps_what_is_not_wanted_unless_pruned),
		cmocka_unit_test(by_default_nothing_is_silent),
		cmocka_unit_test(with_none_every_ipv4_vip_is_silent_and_stays_so),
		cmocka_unit_test(an_owner_is_silent_until_ipvs_serves),
		cmocka_unit_test(a_restart_goes_on_answering_for_what_was_answered_for),
		cmocka_unit_test(so_it_does_for_one_that_has_a_route_already),
		cmocka_unit_test(an_address_of_the_host_is_not_silenced),
		cmocka_unit_test(a_vip_on_the_link_is_answered_for),
		cmocka_unit_test(on_another_link_it_is_made_anew),
		cmocka_unit_test(an_owner_answers_solicitations_once_ipvs_serves),
		cmocka_unit_test(with_none_no_solicitation_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
