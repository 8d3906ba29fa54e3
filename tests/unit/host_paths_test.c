/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of host_paths.h: what is done with packets of probes that go by a VIP. */
#include "ipvs/host_paths.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "ipvs/table.h"

static struct ipvs_path path_of(uint16_t number, const char *vip, const char *to)
{
	struct ipvs_path p = { .number = number, .forward = IPVS_DIRECT };

	assert_int_equal(addr_parse(vip, &p.vip), 0);
	assert_int_equal(endpoint_parse(to, IPPROTO_TCP, &p.to), 0);
	return p;
}

static void assert_text(struct ipvs_path *items, size_t count, const char *want)
{
	const struct ipvs_paths p = { items, count, 1 };
	CLEANUP(buf_done) struct buf out = { 0 };

	host_paths_text(&p, &out);
	assert_string_equal(buf_cstr(&out), want);
}

#define TABLE                           \
	"table inet parasaus-paths {\n" \
	"\tcomment \"written by parasausd, which undoes changes\"\n"
#define OUTPUT                                                        \
	"\n\tchain output {\n"                                        \
	"\t\ttype route hook output priority -97; policy accept;\n"   \
	"\t\ttcp sport 61000-61999 fib saddr type local jump forth\n" \
	"\t}\n"                                                       \
	"\n\tchain forth {\n"
#define PREROUTING                                                           \
	"\t\tmeta mark 0x50610000-0x506103e7 fib daddr type != local drop\n" \
	"\t}\n"                                                              \
	"\n\tchain prerouting {\n"                                           \
	"\t\ttype filter hook prerouting priority -310; policy accept;\n"    \
	"\t\ttcp dport 61000-61999 fib daddr type local jump back\n"         \
	"\t}\n"                                                              \
	"\n\tchain back {\n"
#define END "\t}\n}\n"

static void without_paths_there_is_no_table(void **state)
{
	(void)state;
	assert_text(NULL, 0, "");
}

static void of_a_path_both_ends_are_rewritten(void **state)
{
	struct ipvs_path p = path_of(7, "10.0.0.1", "10.2.0.2:80");

	(void)state;
	assert_text(&p, 1,
		    TABLE OUTPUT "\t\tmeta mark set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61007 : 0x50610007 }\n"
				 "\t\tip daddr set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61007 : 10.0.0.1 }\n" PREROUTING
				 "\t\tip saddr set ip saddr . tcp sport . tcp dport map "
				 "{ 10.0.0.1 . 80 . 61007 : 10.2.0.2 }\n" END);
}

static void families_have_rules_of_their_own(void **state)
{
	struct ipvs_path p[] = { path_of(0, "2001:db8::1", "[2001:db8:2::2]:443"),
				 path_of(1, "10.0.0.1", "10.2.0.2:80") };

	(void)state;
	assert_text(p, 2,
		    TABLE OUTPUT "\t\tmeta mark set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61001 : 0x50610001 }\n"
				 "\t\tip daddr set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61001 : 10.0.0.1 }\n"
				 "\t\tmeta mark set ip6 daddr . tcp dport . tcp sport map "
				 "{ 2001:db8:2::2 . 443 . 61000 : 0x50610000 }\n"
				 "\t\tip6 daddr set ip6 daddr . tcp dport . tcp sport map "
				 "{ 2001:db8:2::2 . 443 . 61000 : 2001:db8::1 }\n" PREROUTING
				 "\t\tip saddr set ip saddr . tcp sport . tcp dport map "
				 "{ 10.0.0.1 . 80 . 61001 : 10.2.0.2 }\n"
				 "\t\tip6 saddr set ip6 saddr . tcp sport . tcp dport map "
				 "{ 2001:db8::1 . 443 . 61000 : 2001:db8:2::2 }\n" END);
}

/* 61184 ends in 00, 61183 in ff: as nftables prints them, so that a restart finds nothing to write. */
static void elements_are_in_the_order_of_nftables(void **state)
{
	struct ipvs_path p[] = { path_of(183, "10.0.0.1", "10.2.0.1:80"),
				 path_of(184, "10.0.0.1", "10.2.0.2:80"),
				 path_of(440, "10.0.0.1", "10.2.0.1:80") };

	(void)state;
	assert_text(p, 3,
		    TABLE OUTPUT "\t\tmeta mark set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61184 : 0x506100b8, "
				 "10.2.0.1 . 80 . 61440 : 0x506101b8, "
				 "10.2.0.1 . 80 . 61183 : 0x506100b7 }\n"
				 "\t\tip daddr set ip daddr . tcp dport . tcp sport map "
				 "{ 10.2.0.2 . 80 . 61184 : 10.0.0.1, "
				 "10.2.0.1 . 80 . 61440 : 10.0.0.1, "
				 "10.2.0.1 . 80 . 61183 : 10.0.0.1 }\n" PREROUTING
				 "\t\tip saddr set ip saddr . tcp sport . tcp dport map "
				 "{ 10.0.0.1 . 80 . 61184 : 10.2.0.2, "
				 "10.0.0.1 . 80 . 61440 : 10.2.0.1, "
				 "10.0.0.1 . 80 . 61183 : 10.2.0.1 }\n" END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_paths_there_is_no_table),
		cmocka_unit_test(of_a_path_both_ends_are_rewritten),
		cmocka_unit_test(families_have_rules_of_their_own),
		cmocka_unit_test(elements_are_in_the_order_of_nftables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
