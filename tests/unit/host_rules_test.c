/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_rules_text.c: what is given to nftables. */
#include "ipvs/host_rules.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "10.0.0.0/24 80, 10.0.0.1 30000-64999" */
static size_t parse_ours(const char *text, struct ipvs_ours *out)
{
	char addresses[100];
	char ports[20];
	size_t count = 0;
	int used;

	while (sscanf(text, "%99[^ ] %19[^,]%n", addresses, ports, &used) == 2) {
		assert_int_equal(addr_range_parse(addresses, &out[count].addresses), 0);
		assert_int_equal(port_range_parse(ports, &out[count].ports), 0);
		count++;
		text += used;
		text += strspn(text, ", ");
	}
	return count;
}

static void assert_disjoint(const char *from, const char *expected)
{
	struct ipvs_ours ours[16] = { 0 };
	struct ipvs_ours wanted[16] = { 0 };
	struct ipvs_ours *blocks = NULL;
	size_t wanted_count = parse_ours(expected, wanted);
	size_t count = host_ours_disjoint(ours, parse_ours(from, ours), &blocks);

	assert_int_equal(count, wanted_count);
	if (count)
		assert_memory_equal(blocks, wanted, count * sizeof(*blocks));
	free(blocks);
}

static void blocks_that_share_nothing_stay_as_they_are(void **state)
{
	(void)state;
	assert_disjoint("", "");
	assert_disjoint("10.0.0.0/24 30000-64999", "10.0.0.0-10.0.0.255 30000-64999");
	assert_disjoint("10.0.0.5 80, 10.0.0.1 80, 2001:db8::/127 1-65535",
			"10.0.0.1 80, 10.0.0.5 80, 2001:db8::-2001:db8::1 1-65535");
}

static void blocks_that_overlap_are_cut(void **state)
{
	(void)state;
	assert_disjoint("10.0.0.0-10.0.0.9 100-200, 10.0.0.5 150-300",
			"10.0.0.0-10.0.0.4 100-200, 10.0.0.5 100-300, "
			"10.0.0.6-10.0.0.9 100-200");
	assert_disjoint("10.0.0.0-10.0.0.9 100, 10.0.0.5-10.0.0.20 200",
			"10.0.0.0-10.0.0.4 100, 10.0.0.5-10.0.0.9 100, 10.0.0.5-10.0.0.9 200, "
			"10.0.0.10-10.0.0.20 200");
}

static void neighbours_with_equal_ports_become_one(void **state)
{
	(void)state;
	assert_disjoint("10.0.0.1 80, 10.0.0.2 80", "10.0.0.1-10.0.0.2 80");
	assert_disjoint("10.0.0.1 80, 10.0.0.1 80, 10.0.0.1 81", "10.0.0.1 80-81");
	assert_disjoint("10.0.0.1 80, 10.0.0.1 90, 10.0.0.2 80, 10.0.0.2 90",
			"10.0.0.1-10.0.0.2 80, 10.0.0.1-10.0.0.2 90");
	assert_disjoint("10.0.0.1 80, 10.0.0.1 90, 10.0.0.2 90",
			"10.0.0.1 80, 10.0.0.1 90, 10.0.0.2 90");
}

static void the_ends_of_the_address_space_are_no_trouble(void **state)
{
	(void)state;
	assert_disjoint("255.255.255.254-255.255.255.255 1, 2001:db8::1 1",
			"255.255.255.254-255.255.255.255 1, 2001:db8::1 1");
	assert_disjoint("0.0.0.0-255.255.255.255 65535", "0.0.0.0-255.255.255.255 65535");
	assert_disjoint("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 1-65535, ::5 7",
			"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 1-65535");
}

static struct host_change change(const char *address, uint16_t port, enum host_part part, bool add)
{
	struct host_change c = { .part = (uint8_t)part, .add = add };

	assert_int_equal(addr_parse(address, &c.key.addr), 0);
	c.key.port = port;
	c.key.protocol = port ? IPPROTO_UDP : 0;
	return c;
}

static void changes_become_one_command_a_set_removals_first(void **state)
{
	const struct host_change c[] = {
		change("10.0.0.1", 0, HOST_VIP, true),
		change("10.0.0.1", 0, HOST_ROUTE, true),
		change("10.0.0.2", 0, HOST_VIP, true),
		change("2001:db8::1", 0, HOST_VIP, true),
		change("10.0.0.3", 0, HOST_VIP, false),
		change("10.0.0.1", 53, HOST_DIRECT, true),
		change("10.0.0.1", 53, HOST_DECLARED, true),
		change("10.0.0.4", 0, HOST_OWN, true),
	};
	struct buf out = { 0 };

	(void)state;
	host_rules_element_text(c, ARRAY_LEN(c), &out);
	assert_string_equal(buf_cstr(&out),
			    "delete element inet parasaus vips4 { 10.0.0.3 }\n"
			    "add element inet parasaus vips4 { 10.0.0.1, 10.0.0.2 }\n"
			    "add element inet parasaus vips6 { 2001:db8::1 }\n"
			    "add element inet parasaus own4 { 10.0.0.4 }\n"
			    "add element inet parasaus direct4 { 10.0.0.1 . 17 . 53 }\n");
	buf_done(&out);
}

static void changes_of_other_parts_are_no_text(void **state)
{
	const struct host_change c[] = { change("10.0.0.1", 0, HOST_ROUTE, true),
					 change("10.0.0.1", 53, HOST_DECLARED, false) };
	struct buf out = { 0 };

	(void)state;
	host_rules_element_text(c, ARRAY_LEN(c), &out);
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

static void the_table_is_replaced_with_all_that_is_in_it(void **state)
{
	const struct host_change c[] = { change("10.0.0.1", 0, HOST_VIP, true) };
	struct ipvs_ours ours[2] = { 0 };
	struct buf table = { 0 };
	struct buf out = { 0 };
	const char *text;

	(void)state;
	assert_int_equal(parse_ours("10.0.0.0/24 30000-64999, 2001:db8::1 80", ours), 2);
	host_rules_text(HOST_TABLE_INET, &table);
	host_rules_replace_text(0, HOST_TABLE_INET, ours, 2, c, 1, &out);
	text = buf_cstr(&out);
	assert_ptr_equal(strstr(text, "add table inet parasaus\ndelete table inet parasaus\n"),
			 text);
	assert_non_null(strstr(text, buf_cstr(&table)));
	assert_non_null(strstr(text, "ours4 { 10.0.0.0-10.0.0.255 . 30000-64999 }\n"));
	assert_non_null(strstr(text, "ours6 { 2001:db8::1 . 80 }\n"));
	assert_non_null(strstr(text, "vips4 { 10.0.0.1 }\n"));
	assert_null(strstr(text, "table arp"));
	buf_done(&table);
	buf_done(&out);
}

static void the_arp_table_is_there_only_where_it_is_wanted(void **state)
{
	const struct host_change c[] = { change("10.0.0.1", 0, HOST_SILENT, true),
					 change("10.0.0.2", 0, HOST_SILENT, false) };
	struct buf out = { 0 };
	const char *text;

	(void)state;
	host_rules_replace_text(HOST_TABLE_ARP, HOST_TABLE_INET, NULL, 0, NULL, 0, &out);
	text = buf_cstr(&out);
	assert_non_null(strstr(text, "delete table arp parasaus\n"));
	assert_null(strstr(text, "table arp parasaus {"));
	out.len = 0;
	host_rules_replace_text(0, HOST_TABLE_INET | HOST_TABLE_ARP, NULL, 0, c, 1, &out);
	text = buf_cstr(&out);
	assert_null(strstr(text, "delete table arp"));
	assert_non_null(strstr(text, "table arp parasaus {"));
	assert_non_null(strstr(text, "add element arp parasaus silent4 { 10.0.0.1 }\n"));
	out.len = 0;
	host_rules_element_text(c, ARRAY_LEN(c), &out);
	assert_string_equal(buf_cstr(&out), "delete element arp parasaus silent4 { 10.0.0.2 }\n"
					    "add element arp parasaus silent4 { 10.0.0.1 }\n");
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_that_share_nothing_stay_as_they_are),
		cmocka_unit_test(blocks_that_overlap_are_cut),
		cmocka_unit_test(neighbours_with_equal_ports_become_one),
		cmocka_unit_test(the_ends_of_the_address_space_are_no_trouble),
		cmocka_unit_test(changes_become_one_command_a_set_removals_first),
		cmocka_unit_test(changes_of_other_parts_are_no_text),
		cmocka_unit_test(the_table_is_replaced_with_all_that_is_in_it),
		cmocka_unit_test(the_arp_table_is_there_only_where_it_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
