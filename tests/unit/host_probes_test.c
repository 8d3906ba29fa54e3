/* SPDX-License-Identifier: GPL-2.0-or-later */
/* notrack.c and the text of host_probes.c: which health checks are kept from connection tracking. */
#include "ipvs/host_probes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void add(struct ipvs_notrack *n, const char *server)
{
	struct addr a = addr(server);
	struct ipvs_notrack_part *p =
		&n->parts[a.family == AF_INET ? IPVS_NOTRACK_V4 : IPVS_NOTRACK_V6];

	p->mode = IPVS_NOTRACK_SOME;
	p->servers[p->count++] = a;
}

/* --- text --- */

static void assert_text(const struct ipvs_config *c, const struct ipvs_notrack *n, const char *want)
{
	struct buf out = { 0 };

	host_probes_text(c, n, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_done(&out);
}

#define TABLE                                \
	"table inet parasaus-probes {\n"     \
	"\tcomment \"written by parasausd, " \
	"which undoes changes\"\n"
#define OUTPUT               \
	"\tchain output {\n" \
	"\t\ttype filter hook output priority -300; policy accept;\n"
#define PREROUTING               \
	"\t}\n"                  \
	"\n"                     \
	"\tchain prerouting {\n" \
	"\t\ttype filter hook prerouting priority -300; policy accept;\n"

static void without_anything_to_leave_alone_there_is_no_table(void **state)
{
	struct ipvs_config c = { .probes_from = { [IPVS_NOTRACK_V4] = addr("192.0.2.1") } };
	struct ipvs_notrack n = { 0 };

	(void)state;
	assert_text(&c, &n, "");
	/* Whatever is asked for: that family has no address. */
	n.parts[IPVS_NOTRACK_V6].mode = IPVS_NOTRACK_ALL;
	assert_text(&c, &n, "");
}

static void all_of_an_address_is_left_alone_both_ways(void **state)
{
	struct ipvs_config c = { .probes_from = { addr("192.0.2.1"), addr("2001:db8::1") } };
	struct ipvs_notrack n = { .parts = { { .mode = IPVS_NOTRACK_ALL } } };

	(void)state;
	assert_text(&c, &n,
		    TABLE OUTPUT "\t\tip saddr 192.0.2.1 notrack\n" PREROUTING
				 "\t\tip daddr 192.0.2.1 notrack\n\t}\n}\n");
	n.parts[IPVS_NOTRACK_V6].mode = IPVS_NOTRACK_ALL;
	assert_text(&c, &n,
		    TABLE OUTPUT "\t\tip saddr 192.0.2.1 notrack\n"
				 "\t\tip6 saddr 2001:db8::1 notrack\n" PREROUTING
				 "\t\tip daddr 192.0.2.1 notrack\n"
				 "\t\tip6 daddr 2001:db8::1 notrack\n\t}\n}\n");
}

static void of_some_servers_only_what_goes_between_is(void **state)
{
	struct ipvs_config c = { .probes_from = { addr("192.0.2.1"), addr("2001:db8::1") } };
	struct ipvs_notrack n = { .parts = { { .mode = IPVS_NOTRACK_ALL } } };

	(void)state;
	add(&n, "2001:db8:1::7");
	add(&n, "2001:db8:1::8");
	assert_text(&c, &n,
		    TABLE OUTPUT "\t\tip saddr 192.0.2.1 notrack\n"
				 "\t\tip6 saddr 2001:db8::1 jump servers\n" PREROUTING
				 "\t\tip daddr 192.0.2.1 notrack\n"
				 "\t\tip6 daddr 2001:db8::1 jump servers\n"
				 "\t}\n"
				 "\n"
				 "\tchain servers {\n"
				 "\t\tip6 daddr 2001:db8:1::7 notrack\n"
				 "\t\tip6 saddr 2001:db8:1::7 notrack\n"
				 "\t\tip6 daddr 2001:db8:1::8 notrack\n"
				 "\t\tip6 saddr 2001:db8:1::8 notrack\n"
				 "\t}\n"
				 "}\n");
}

/* --- the message --- */

static void it_comes_out_as_it_went_in(void **state)
{
	struct ipvs_notrack n = { .parts = { { .mode = IPVS_NOTRACK_ALL } } }, got;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	for (unsigned i = 0; i < IPVS_NOTRACK_SOME_MAX; i++)
		add(&n, "2001:db8::1");
	wire_put_ipvs_notrack(&b, &n);
	w = wire_of(b.data, b.len);
	wire_ipvs_notrack(&w, &got);
	assert_true(wire_end(&w));
	assert_true(ipvs_notrack_same(&n, &got));
	got.parts[IPVS_NOTRACK_V6].servers[3] = addr("2001:db8::2");
	assert_false(ipvs_notrack_same(&n, &got));
	/* Cut off anywhere it is none. */
	for (size_t len = 0; len < b.len; len++) {
		w = wire_of(b.data, len);
		wire_ipvs_notrack(&w, &got);
		assert_true(w.bad);
		assert_true(ipvs_notrack_same(&got, &(struct ipvs_notrack){ 0 }));
	}
	buf_done(&b);
}

static void assert_bad(uint8_t mode, uint8_t count, const char *server)
{
	struct addr a = addr(server);
	struct ipvs_notrack got;
	struct buf b = { 0 };
	struct wire w;

	wire_put_u8(&b, mode);
	wire_put_u8(&b, count);
	for (uint8_t i = 0; i < count; i++)
		wire_put_addr(&b, &a);
	wire_put_u8(&b, IPVS_NOTRACK_NONE);
	wire_put_u8(&b, 0);
	w = wire_of(b.data, b.len);
	wire_ipvs_notrack(&w, &got);
	assert_true(w.bad);
	buf_done(&b);
}

static void what_is_out_of_range_is_refused(void **state)
{
	(void)state;
	assert_bad(IPVS_NOTRACK_PICKED + 1, 0, "10.0.0.1");
	assert_bad(IPVS_NOTRACK_ALL, 1, "10.0.0.1");
	assert_bad(IPVS_NOTRACK_SOME, 0, "10.0.0.1");
	assert_bad(IPVS_NOTRACK_SOME, IPVS_NOTRACK_SOME_MAX + 1, "10.0.0.1");
	assert_bad(IPVS_NOTRACK_SOME, 1, "2001:db8::1"); /* of the other family */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_anything_to_leave_alone_there_is_no_table),
		cmocka_unit_test(all_of_an_address_is_left_alone_both_ways),
		cmocka_unit_test(of_some_servers_only_what_goes_between_is),
		cmocka_unit_test(it_comes_out_as_it_went_in),
		cmocka_unit_test(what_is_out_of_range_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
