/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_herald.c: what is told, how often and how fast; host_link.c: on which links. */
#include "ipvs/host_herald.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "ipvs/host_link.h"

static const uint8_t mac[HOST_MAC_LEN] = { 2, 0, 0, 0, 0, 9 };

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* --- packets --- */

static void a_request_asks_for_itself(void **state)
{
	static const uint8_t expected[HOST_ARP_LEN] = { 0, 1, 8, 0, 6,	 4, 0, 1, 2, 0,
							0, 0, 0, 9, 192, 0, 2, 7, 0, 0,
							0, 0, 0, 0, 192, 0, 2, 7 };
	struct addr vip = addr_of("192.0.2.7");
	uint8_t out[HOST_ARP_LEN];

	(void)state;
	host_arp_packet(mac, &vip, HOST_HERALD_REQUEST, out);
	assert_memory_equal(out, expected, sizeof(out));
}

static void a_reply_is_addressed_to_its_sender(void **state)
{
	static const uint8_t expected[HOST_ARP_LEN] = { 0, 1, 8, 0, 6,	 4, 0, 2, 2, 0,
							0, 0, 0, 9, 192, 0, 2, 7, 2, 0,
							0, 0, 0, 9, 192, 0, 2, 7 };
	struct addr vip = addr_of("192.0.2.7");
	uint8_t out[HOST_ARP_LEN];

	(void)state;
	host_arp_packet(mac, &vip, HOST_HERALD_REPLY, out);
	assert_memory_equal(out, expected, sizeof(out));
}

/* The checksum was worked out by other means. */
static void an_advertisement_overrides_what_neighbours_know(void **state)
{
	static const uint8_t expected[HOST_NA_LEN] = {
		0x60, 0,    0,	  0,	0,    32, 58, 255,			   /* IPv6 */
		0x20, 0x01, 0x0d, 0xb8, 0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0, 7, /* from */
		0xff, 0x02, 0,	  0,	0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0, 1, /* to */
		136,  0,    0xf9, 0x16, 0x20, 0,  0,  0,			   /* ICMP */
		0x20, 0x01, 0x0d, 0xb8, 0,    0,  0,  0,   0, 0, 0, 0, 0, 0, 0, 7,
		2,    1, /* target */
		2,    0,    0,	  0,	0,    9,
	};
	struct addr vip = addr_of("2001:db8::7");
	uint8_t out[HOST_NA_LEN];

	(void)state;
	host_na_packet(mac, &vip, out);
	assert_memory_equal(out, expected, sizeof(out));
}

/* --- links --- */

static void a_vip_is_on_the_links_whose_networks_hold_it(void **state)
{
	struct addr v4 = addr_of("10.1.2.3");
	struct addr same = addr_of("10.1.7.9");
	struct addr second = addr_of("192.0.2.1");
	struct addr single = addr_of("10.9.9.9");
	struct addr inside = addr_of("10.1.7.77");
	struct addr on_second = addr_of("192.0.2.99");
	struct addr outside = addr_of("10.1.8.0");
	struct host_links l = { 0 };
	struct host_link *link;

	(void)state;
	(void)host_links_add(&l, 7, "eth1", mac);
	link = host_links_add(&l, 3, "eth0", mac);
	host_link_add_net(link, &v4, 21);
	host_link_add_net(link, &second, 24);
	host_link_add_net(link, &same, 21);
	host_link_add_net(link, &single, 32);
	assert_int_equal(l.count, 2);
	assert_int_equal(l.v[0].index, 3);
	assert_int_equal(l.v[0].net_count, 2);
	assert_true(host_link_has(&l.v[0], &inside));
	assert_true(host_link_has(&l.v[0], &on_second));
	assert_false(host_link_has(&l.v[0], &outside));
	assert_false(host_link_has(&l.v[0], &single));
	assert_false(host_link_has(&l.v[1], &inside));
	assert_string_equal(host_links_find(&l, 7)->name, "eth1");
	assert_null(host_links_find(&l, 4));
	host_links_done(&l);
}

static void so_it_is_with_ipv6_but_for_link_local_networks(void **state)
{
	struct addr v6 = addr_of("2001:db8:1::2");
	struct addr link_local = addr_of("fe80::2");
	struct addr single = addr_of("2001:db8:2::1");
	struct addr inside = addr_of("2001:db8:1::ffff");
	struct addr outside = addr_of("2001:db8:1:1::1");
	struct addr neighbour = addr_of("fe80::3");
	struct host_links l = { 0 };
	struct host_link *link;

	(void)state;
	link = host_links_add(&l, 3, "eth0", mac);
	host_link_add_net(link, &v6, 64);
	host_link_add_net(link, &link_local, 64);
	host_link_add_net(link, &single, 128);
	assert_int_equal(link->net_count, 1);
	assert_true(host_links_have(&l, &inside));
	assert_false(host_links_have(&l, &outside));
	assert_false(host_links_have(&l, &single));
	assert_false(host_links_have(&l, &neighbour));
	host_links_done(&l);
}

/* --- the queue --- */

struct world {
	mono_t now;
	struct clock clock;
	struct loop *loop;
	struct host_herald *herald;
	unsigned room; /* packets until the answer is another: 0, or -errno */
	int answer;
	unsigned told, packets; /* VIPs in both forms; packets */
	unsigned asked[256];	/* of each VIP the requests without their reply */
	struct {
		uint8_t last; /* byte of the address */
		unsigned link;
		int64_t ms;
	} log[8000];
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

static int on_tell(void *arg, const struct addr *vip, unsigned link, enum host_herald_form form)
{
	struct world *w = arg;

	if (w->packets == w->room)
		return w->answer;
	w->packets++;
	if (form != HOST_HERALD_REPLY) {
		assert_int_equal(form, HOST_HERALD_REQUEST);
		w->asked[vip->bytes[3]]++;
		return 1;
	}
	assert_true(w->asked[vip->bytes[3]]-- > 0);
	assert_true(w->told < ARRAY_LEN(w->log));
	w->log[w->told].last = vip->bytes[3];
	w->log[w->told].link = link;
	w->log[w->told].ms = w->now.ns / 1000000;
	w->told++;
	return 1;
}

/* Time goes on by so many milliseconds, one after the other. */
static void pass(struct world *w, int ms)
{
	for (int i = 0; i <= ms; i++) {
		if (i)
			w->now = mono_add_ms(w->now, 1);
		assert_true(loop_turn(w->loop, 0) >= 0);
	}
}

static void begin(struct world *w, uint32_t rate)
{
	*w = (struct world){ .room = UINT32_MAX };
	w->clock = (struct clock){ read_clock, read_wall, w };
	assert_int_equal(loop_new(&w->clock, &w->loop), 0);
	w->herald = host_herald_new(w->loop, rate, on_tell, w);
	pass(w, 100);
}

static void finish(struct world *w)
{
	host_herald_free(w->herald);
	loop_free(w->loop);
}

static void add(struct world *w, unsigned last, unsigned link)
{
	struct addr a = addr_v4(0x0a000000 + last);

	host_herald_add(w->herald, &a, link);
}

static void a_vip_is_told_at_once_and_again_after_a_second(void **state)
{
	struct world w;
	int64_t start;

	(void)state;
	begin(&w, 200);
	start = w.now.ns / 1000000;
	add(&w, 1, 3);
	pass(&w, 1);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.log[0].link, 3);
	pass(&w, 900);
	assert_int_equal(w.told, 1);
	assert_int_equal(host_herald_left(w.herald), 1);
	pass(&w, 200);
	assert_int_equal(w.told, 2);
	assert_true(w.log[1].ms - start >= HOST_HERALD_AGAIN_MS);
	assert_int_equal(host_herald_left(w.herald), 0);
	pass(&w, 3000);
	assert_int_equal(w.told, 2);
	finish(&w);
}

/* A reply would be an error of on_tell(). */
static void one_of_ipv6_is_one_packet_each_time(void **state)
{
	struct addr vip = addr_of("2001:db8::7");
	struct world w;

	(void)state;
	begin(&w, 200);
	host_herald_add(w.herald, &vip, 3);
	pass(&w, 1);
	assert_int_equal(w.packets, 1);
	pass(&w, 1100);
	assert_int_equal(w.packets, 2);
	assert_int_equal(w.told, 0);
	assert_int_equal(host_herald_left(w.herald), 0);
	finish(&w);
}

static void the_first_can_leave_in_the_same_turn(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 200);
	for (unsigned i = 0; i < 100; i++)
		add(&w, i, 3);
	assert_int_equal(w.told, 0);
	host_herald_go(w.herald);
	assert_int_equal(w.told, 2); /* 20 ms of 200 packets a second */
	pass(&w, 2500);
	assert_int_equal(w.told, 200);
	finish(&w);
}

static void a_new_one_does_not_wait_for_a_repetition(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 200);
	add(&w, 1, 3);
	pass(&w, 500);
	add(&w, 2, 3);
	pass(&w, 1);
	assert_int_equal(w.told, 2);
	assert_int_equal(w.log[1].last, 2);
	finish(&w);
}

static void many_leave_no_faster_than_the_rate_and_new_ones_first(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 200);
	for (unsigned i = 0; i < 200; i++)
		add(&w, i, 3);
	pass(&w, 1000); /* 100 VIPs of two packets, and what a tick may lend */
	assert_in_range(w.packets, 190, 210);
	pass(&w, 1000);
	assert_in_range(w.packets, 390, 410);
	/* All were told once before any was told again. */
	for (unsigned i = 0; i < 200 && i < w.told; i++)
		assert_int_equal(w.log[i].last, i);
	pass(&w, 2100);
	assert_int_equal(w.packets, 800);
	assert_int_equal(host_herald_left(w.herald), 0);
	finish(&w);
}

static void quiet_times_save_nothing_up(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 100);
	pass(&w, 60000);
	for (unsigned i = 0; i < 100; i++)
		add(&w, i, 3);
	pass(&w, 100);
	assert_in_range(w.packets, 2, 16);
	finish(&w);
}

static void what_is_not_announced_any_more_costs_nothing(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 1);
	w.room = 0;
	for (unsigned i = 0; i < 200; i++)
		add(&w, i, 3);
	pass(&w, 30);
	assert_int_equal(w.told, 0);
	assert_int_equal(host_herald_left(w.herald), 0);
	finish(&w);
}

static void what_cannot_be_sent_now_is_sent_later_and_once(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 200);
	w.answer = -11;
	w.room = 1; /* the request, not the reply */
	add(&w, 1, 3);
	pass(&w, 200);
	assert_int_equal(w.told, 0);
	assert_int_equal(host_herald_left(w.herald), 1);
	w.room = UINT32_MAX;
	pass(&w, 50);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.packets, 2);
	finish(&w);
}

static void a_queue_that_never_ends_loses_nothing(void **state)
{
	unsigned count[200] = { 0 };
	struct world w;

	(void)state;
	begin(&w, 20000);
	for (unsigned i = 0; i < 4000; i++) {
		add(&w, i % 200, 3);
		pass(&w, 1);
	}
	pass(&w, 2000);
	assert_int_equal(host_herald_left(w.herald), 0);
	assert_int_equal(w.told, 8000);
	for (unsigned i = 0; i < w.told; i++)
		count[w.log[i].last]++;
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(count[i], 40);
	finish(&w);
}

static void a_link_that_is_dropped_is_told_nothing(void **state)
{
	struct world w;

	(void)state;
	begin(&w, 200);
	for (unsigned i = 0; i < 20; i++)
		add(&w, i, 3 + i % 2);
	pass(&w, 50);
	host_herald_drop(w.herald, 3);
	w.told = 0;
	pass(&w, 5000);
	assert_true(w.told > 0);
	for (unsigned i = 0; i < w.told; i++)
		assert_int_equal(w.log[i].link, 4);
	assert_int_equal(host_herald_left(w.herald), 0);
	/* And anew. */
	add(&w, 1, 3);
	w.told = 0;
	pass(&w, 2000);
	assert_int_equal(w.told, 2);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_asks_for_itself),
		cmocka_unit_test(a_reply_is_addressed_to_its_sender),
		cmocka_unit_test(an_advertisement_overrides_what_neighbours_know),
		cmocka_unit_test(a_vip_is_on_the_links_whose_networks_hold_it),
		cmocka_unit_test(so_it_is_with_ipv6_but_for_link_local_networks),
		cmocka_unit_test(a_vip_is_told_at_once_and_again_after_a_second),
		cmocka_unit_test(one_of_ipv6_is_one_packet_each_time),
		cmocka_unit_test(the_first_can_leave_in_the_same_turn),
		cmocka_unit_test(a_new_one_does_not_wait_for_a_repetition),
		cmocka_unit_test(many_leave_no_faster_than_the_rate_and_new_ones_first),
		cmocka_unit_test(quiet_times_save_nothing_up),
		cmocka_unit_test(what_is_not_announced_any_more_costs_nothing),
		cmocka_unit_test(what_cannot_be_sent_now_is_sent_later_and_once),
		cmocka_unit_test(a_queue_that_never_ends_loses_nothing),
		cmocka_unit_test(a_link_that_is_dropped_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
