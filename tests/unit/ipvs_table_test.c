/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c, text.c: services and destinations as values, and as `ipvsadm -Sn` prints them. */
#include "ipvs/table.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* As ipvsadm 1.31 printed it on a 6.1 kernel, but for the order of -t and -u at one address. */
static const char every_option[] =
	"-A -t 10.0.0.1:80 -s mh -p 300 -M 255.255.255.0 -b mh-fallback,mh-port\n"
	"-a -t 10.0.0.1:80 -r 10.9.0.5:80 -i -w 3 --tun-type gue --tun-port 6080 --tun-nocsum\n"
	"-a -t 10.0.0.1:80 -r 10.9.0.6:80 -i -w 0 --tun-type ipip\n"
	"-a -t 10.0.0.1:80 -r 10.9.0.7:80 -i -w 1 --tun-type gre --tun-nocsum\n"
	"-a -t 10.0.0.1:80 -r 10.9.0.9:90 -m -w 1\n"
	"-a -t 10.0.0.1:80 -r [2001:db8::5]:80 -i -w 1 --tun-type ipip\n"
	"-A -t 10.0.0.2:80 -s sh -b sh-fallback\n"
	"-a -t 10.0.0.2:80 -r 10.9.0.1:80 -l -w 1\n"
	"-a -t 10.0.0.2:80 -r 10.9.0.9:80 -g -w 1 -x 10 -y 5\n"
	"-A -u 10.0.0.2:80 -s wrr -o\n"
	"-A --sctp-service 10.0.0.2:80 -s wrr\n"
	"-a --sctp-service 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1\n"
	"-A -u 10.0.0.4:80 -s wrr -o -b flag-1,flag-3\n"
	"-A -t [2001:db8::1]:80 -s rr -p 10 -M 64\n"
	"-a -t [2001:db8::1]:80 -r [2001:db8::5]:80 -m -w 2147483647\n";

static void assert_prints(const char *text, const char *expected)
{
	struct ipvs_table t;
	struct buf out = { 0 };
	struct err err = { 0 };

	ipvs_table_init(&t);
	if (ipvs_table_parse(text, &t, &err) < 0)
		fail_msg("%s", err.text);
	ipvs_table_print(&t, &out);
	assert_string_equal(buf_cstr(&out), expected);
	buf_done(&out);
	ipvs_table_done(&t);
}

static void what_ipvsadm_prints_is_read_and_printed_the_same(void **state)
{
	(void)state;
	assert_prints(every_option, every_option);
	assert_prints("", "");
}

static void printing_sorts_by_address_then_port_then_protocol(void **state)
{
	(void)state;
	assert_prints("-A -u 10.0.0.1:53 -s rr\n"
		      "-A -t 10.0.0.10:1 -s rr\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.2:80 -m -w 1\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.1:9000 -m -w 1\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.1:80 -m -w 1\n"
		      "-A -t 10.0.0.1:53 -s rr\n"
		      "-A -t 10.0.0.9:1 -s rr\n",
		      "-A -t 10.0.0.1:53 -s rr\n"
		      "-A -u 10.0.0.1:53 -s rr\n"
		      "-A -t 10.0.0.9:1 -s rr\n"
		      "-A -t 10.0.0.10:1 -s rr\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.1:80 -m -w 1\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.1:9000 -m -w 1\n"
		      "-a -t 10.0.0.10:1 -r 10.1.0.2:80 -m -w 1\n");
}

static void what_is_no_table_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *text;
		const char *error;
	} cases[] = {
		{ "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.2:80 -r 10.1.0.1:80 -m -w 1\n",
		  "line 2: no such service before" },
		{ "-A -t 10.0.0.1:80 -s rr\n\n-A -t 10.0.0.1:80 -s wlc\n",
		  "line 3: service given twice" },
		{ "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1\n"
		  "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 2\n",
		  "line 3: destination given twice" },
		{ "-A -f 7 -s rr\n", "line 1: bad or misplaced -f" },
		{ "-D -t 10.0.0.1:80\n", "line 1: neither -A nor -a" },
		{ "-A -t 10.0.0.1 -s rr\n", "line 1: bad or misplaced -t" },
		{ "-A -t 10.0.0.1:80 -s\n", "line 1: bad or misplaced -s" },
		{ "-A -t 10.0.0.1:80 -s sixteenlettersss\n", "line 1: bad or misplaced -s" },
		{ "-A -t 10.0.0.1:80 -s rr -b mh-port\n", "line 1: bad or misplaced -b" },
		{ "-A -t [2001:db8::1]:80 -s rr -M 129\n", "line 1: bad or misplaced -M" },
		{ "-A\n", "line 1: incomplete" },
		{ "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -m\n", "line 2: incomplete" },
		{ "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 2147483648\n",
		  "line 2: bad or misplaced -w" },
		{ "-A -t 10.0.0.1:80 -s rr\n"
		  "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m --tun-type gre\n",
		  "line 2: --tun-... without -i" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ipvs_table t;
		struct err err = { 0 };

		ipvs_table_init(&t);
		assert_true(ipvs_table_parse(cases[i].text, &t, &err) < 0);
		assert_string_equal(err.text, cases[i].error);
		ipvs_table_done(&t);
	}
}

static void a_service_holds_as_many_destinations_as_were_added(void **state)
{
	struct endpoint key = { .addr = addr_v4(0x0a000001), .protocol = IPPROTO_TCP, .port = 80 };
	struct ipvs_service s = ipvs_service_of(&key), copy;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		ipvs_service_add(&s)->port = (uint16_t)(3000 - i);
		/* A copy has room of its own to grow into. */
		if (i % 500 == 0) {
			copy = ipvs_service_copy(&s);
			ipvs_service_add(&copy)->port = 9999;
			assert_int_equal(copy.dest_count, i + 2);
			ipvs_service_done(&copy);
		}
	}
	assert_int_equal(s.dest_count, 3000);
	ipvs_service_sort(&s);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(s.dests[i].port, i + 1);
	ipvs_service_done(&s);
}

/* Three destinations at the ports 1, 2, 3. */
static struct ipvs_service three(void)
{
	struct endpoint key = { .addr = addr_v4(0x0a000001), .protocol = IPPROTO_TCP, .port = 80 };
	struct ipvs_service s = ipvs_service_of(&key);

	for (uint16_t port = 1; port <= 3; port++)
		ipvs_service_add(&s)->port = port;
	return s;
}

static void assert_ports(const struct ipvs_service *s, const char *ports)
{
	assert_int_equal(s->dest_count, strlen(ports));
	for (uint32_t i = 0; i < s->dest_count; i++)
		assert_int_equal(s->dests[i].port, ports[i] - '0');
}

static void a_copy_shares_until_one_of_the_two_changes(void **state)
{
	struct ipvs_service a = three(), b = ipvs_service_copy(&a), c = ipvs_service_copy(&a);

	(void)state;
	assert_ptr_equal(a.dests, b.dests);
	ipvs_service_sort(&b); /* in order already: nothing changes */
	assert_ptr_equal(a.dests, b.dests);
	ipvs_service_edit(&b)->port = 9;
	ipvs_service_remove(&c, 1);
	assert_ports(&a, "123");
	assert_ports(&b, "923");
	assert_ports(&c, "13");
	ipvs_service_done(&a);
	ipvs_service_sort(&b);
	assert_ports(&b, "239");
	ipvs_service_remove(&c, 0);
	ipvs_service_remove(&c, 0);
	assert_ports(&c, "");
	ipvs_service_add(&c)->port = 7;
	assert_ports(&c, "7");
	ipvs_service_done(&b);
	ipvs_service_done(&c);
}

static void what_is_the_same_is_kept_once(void **state)
{
	struct ipvs_service a = three(), b = three(), empty = three();

	(void)state;
	assert_ptr_not_equal(a.dests, b.dests);
	assert_true(ipvs_service_share(&b, &a));
	assert_ptr_equal(a.dests, b.dests);
	ipvs_service_edit(&b)[2].weight = 5;
	assert_int_equal(a.dests[2].weight, 0);
	assert_false(ipvs_service_share(&b, &a));
	assert_int_equal(b.dests[2].weight, 5);
	ipvs_service_remove(&b, 2);
	assert_false(ipvs_service_share(&b, &a));
	assert_false(ipvs_service_share(&a, &b));
	assert_ports(&a, "123");
	ipvs_service_done(&empty);
	assert_false(ipvs_service_share(&empty, &a));
	ipvs_service_done(&a);
	assert_true(ipvs_service_share(&empty, &a));
	assert_null(empty.dests);
	ipvs_service_done(&b);
}

static void putting_a_service_replaces_the_one_of_its_key(void **state)
{
	struct endpoint key = { .addr = addr_v4(0x0a000001), .protocol = IPPROTO_TCP, .port = 80 };
	struct ipvs_service s = ipvs_service_of(&key);
	struct ipvs_table t;

	(void)state;
	ipvs_table_init(&t);
	ipvs_service_add(&s)->port = 1;
	ipvs_table_put(&t, &s);
	assert_null(s.dests);
	s = ipvs_service_of(&key);
	strcpy(s.scheduler, "lc");
	ipvs_table_put(&t, &s);
	assert_string_equal(ipvs_table_get(&t, &key)->scheduler, "lc");
	assert_int_equal(ipvs_table_get(&t, &key)->dest_count, 0);
	assert_true(ipvs_table_remove(&t, &key));
	assert_false(ipvs_table_remove(&t, &key));
	assert_null(ipvs_table_get(&t, &key));
	ipvs_table_done(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_ipvsadm_prints_is_read_and_printed_the_same),
		cmocka_unit_test(printing_sorts_by_address_then_port_then_protocol),
		cmocka_unit_test(what_is_no_table_is_refused_with_its_line),
		cmocka_unit_test(a_service_holds_as_many_destinations_as_were_added),
		cmocka_unit_test(a_copy_shares_until_one_of_the_two_changes),
		cmocka_unit_test(what_is_the_same_is_kept_once),
		cmocka_unit_test(putting_a_service_replaces_the_one_of_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
