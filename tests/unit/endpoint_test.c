/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoint.c: what is read as an address, and what is not. */
#include "agent/base/endpoint.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr_of(const char *s)
{
	struct addr a;

	if (addr_parse(s, &a) < 0)
		fail_msg("'%s' is no address", s);
	return a;
}

/* A text and how it is printed; NULL: it is refused. */
struct text_case {
	const char *in;
	const char *out;
};

static const struct text_case addresses[] = {
	{ "10.0.0.1", "10.0.0.1" },
	{ "255.255.255.255", "255.255.255.255" },
	{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "::", "::" },
	{ "::ffff:10.0.0.1", "::ffff:10.0.0.1" },
	{ "", NULL },
	{ "10.0.0", NULL },
	{ "10.0.0.256", NULL },
	{ "10.0.0.01", NULL }, /* octal for some */
	{ "0x0a.0.0.1", NULL },
	{ " 10.0.0.1", NULL },
	{ "10.0.0.1 ", NULL },
	{ "10.0.0.1.", NULL },
	{ "167772161", NULL },
	{ "fe80::1%eth0", NULL },
	{ "[::1]", NULL },
	{ "2001:db8::1::2", NULL },
	{ "localhost", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999", NULL },
};

static void addresses_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		const struct text_case *c = &addresses[i];
		char text[ADDR_TEXT_MAX];
		struct addr a, before;

		memset(&a, 0x55, sizeof(a));
		before = a;
		if (addr_parse(c->in, &a) != (c->out ? 0 : -EINVAL))
			fail_msg("'%s'", c->in);
		if (c->out)
			assert_string_equal(addr_text(&a, text), c->out);
		else
			assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void no_address_has_a_text_too(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr none = { 0 };

	(void)state;
	assert_string_equal(addr_text(&none, text), "none");
}

static void addresses_have_one_order(void **state)
{
	static const char *const sorted[] = {
		"0.0.0.0", "9.255.255.255", "10.0.0.0",	       "10.0.0.1",   "255.255.255.255",
		"::",	   "::1",	    "::ffff:10.0.0.1", "2001:db8::", "fe80::1"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
			struct addr a = addr_of(sorted[i]), b = addr_of(sorted[k]);
			int c = addr_cmp(&a, &b);

			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
	}
}

static void numbers_become_addresses(void **state)
{
	struct addr a = addr_v4(0x0a000001), b = addr_of("10.0.0.1");

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a));
}

static void what_must_not_be_probed_is_refused(void **state)
{
	static const struct {
		const char *addr;
		const char *why;
	} cases[] = {
		{ "10.0.0.1", NULL },
		{ "192.168.1.1", NULL },
		{ "8.8.8.8", NULL },
		{ "1.0.0.0", NULL },
		{ "126.255.255.255", NULL },
		{ "128.0.0.1", NULL },
		{ "169.253.255.255", NULL },
		{ "169.255.0.0", NULL },
		{ "223.255.255.255", NULL },
		{ "2001:db8::1", NULL },
		{ "fd00::1", NULL },
		{ "fec0::1", NULL },
		{ "::2", NULL },
		{ "0.0.0.0", "unspecified" },
		{ "0.255.255.255", "unspecified" },
		{ "127.0.0.1", "loopback" },
		{ "127.255.255.255", "loopback" },
		{ "169.254.0.0", "link-local" },
		{ "169.254.255.255", "link-local" },
		{ "169.254.169.254", "metadata service" },
		{ "100.100.100.200", "metadata service" },
		{ "fd00:ec2::254", "metadata service" },
		{ "224.0.0.1", "multicast" },
		{ "239.255.255.255", "multicast" },
		{ "240.0.0.1", "reserved" },
		{ "255.255.255.255", "reserved" },
		{ "::", "unspecified" },
		{ "::1", "loopback" },
		{ "::ffff:127.0.0.1", "IPv4 inside IPv6" },
		{ "fe80::1", "link-local" },
		{ "febf:ffff::", "link-local" },
		{ "ff02::1", "multicast" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = addr_of(cases[i].addr);
		const char *why = addr_refused(&a);

		if (!why != !cases[i].why || (why && strcmp(why, cases[i].why) != 0))
			fail_msg("%s: %s", cases[i].addr, why ? why : "not refused");
	}
}

struct range_case {
	const char *in;
	const char *first; /* NULL: refused */
	const char *last;
};

static const struct range_case prefixes[] = {
	{ "10.0.0.0/24", "10.0.0.0", "10.0.0.255" },
	{ "10.0.0.7", "10.0.0.7", "10.0.0.7" },
	{ "10.0.0.7/32", "10.0.0.7", "10.0.0.7" },
	{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255" },
	{ "10.0.0.128/25", "10.0.0.128", "10.0.0.255" },
	{ "10.32.0.0/11", "10.32.0.0", "10.63.255.255" },
	{ "2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff" },
	{ "::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "2001:db8::1", "2001:db8::1", "2001:db8::1" },
	{ "10.0.0.1/24", NULL, NULL },
	{ "10.0.0.0/33", NULL, NULL },
	{ "10.0.0.0/", NULL, NULL },
	{ "10.0.0.0/024", NULL, NULL },
	{ "10.0.0.0/-1", NULL, NULL },
	{ "10.0.0.0/+8", NULL, NULL },
	{ "10.0.0.0/ 8", NULL, NULL },
	{ "10.0.0.0/24/24", NULL, NULL },
	{ "10.0.0.0/99999999999999999999", NULL, NULL },
	{ "2001:db8::/129", NULL, NULL },
	{ "/24", NULL, NULL },
	{ "", NULL, NULL },
};

static const struct range_case ranges[] = {
	{ "10.0.0.1-10.0.0.9", "10.0.0.1", "10.0.0.9" },
	{ "10.0.0.1-10.0.0.1", "10.0.0.1", "10.0.0.1" },
	{ "10.0.0.255-10.0.1.0", "10.0.0.255", "10.0.1.0" },
	{ "2001:db8::1-2001:db8::f", "2001:db8::1", "2001:db8::f" },
	{ "10.0.0.9-10.0.0.1", NULL, NULL },
	{ "10.0.0.1-2001:db8::1", NULL, NULL },
	{ "10.0.0.1-", NULL, NULL },
	{ "-10.0.0.1", NULL, NULL },
	{ "10.0.0.1-9", NULL, NULL },
	{ "10.0.0.1 - 10.0.0.9", NULL, NULL },
	{ "10.0.0.0/24-10.0.1.0/24", NULL, NULL },
};

static void check_range(const struct range_case *c, const struct addr_range *r)
{
	struct addr first = addr_of(c->first), last = addr_of(c->last);

	assert_memory_equal(&r->first, &first, sizeof(first));
	assert_memory_equal(&r->last, &last, sizeof(last));
	assert_true(addr_range_has(r, &first));
	assert_true(addr_range_has(r, &last));
}

static void prefixes_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		const struct range_case *c = &prefixes[i];
		struct prefix p;
		struct addr_range r;

		if (prefix_parse(c->in, &p) != (c->first ? 0 : -EINVAL))
			fail_msg("'%s'", c->in);
		assert_int_equal(addr_range_parse(c->in, &r), c->first ? 0 : -EINVAL);
		if (!c->first)
			continue;
		check_range(c, &r);
		assert_true(prefix_has(&p, &r.first));
		assert_true(prefix_has(&p, &r.last));
		assert_true(prefix_covers(&p, &r));
	}
}

static void ranges_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct addr_range r;

		if (addr_range_parse(ranges[i].in, &r) != (ranges[i].first ? 0 : -EINVAL))
			fail_msg("'%s'", ranges[i].in);
		if (ranges[i].first)
			check_range(&ranges[i], &r);
	}
}

static void a_prefix_ends_where_it_says(void **state)
{
	static const struct {
		const char *prefix;
		const char *inside;
		const char *outside;
	} cases[] = {
		{ "10.0.0.0/24", "10.0.0.255", "10.0.1.0" },
		{ "10.0.0.0/24", "10.0.0.0", "9.255.255.255" },
		{ "10.32.0.0/11", "10.63.255.255", "10.64.0.0" },
		{ "10.0.0.1", "10.0.0.1", "10.0.0.0" },
		{ "0.0.0.0/0", "1.2.3.4", "::1" },
		{ "::/0", "::ffff:1.2.3.4", "1.2.3.4" },
		{ "2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr in = addr_of(cases[i].inside), out = addr_of(cases[i].outside);
		struct addr_range half = { in, out };
		struct prefix p;

		assert_int_equal(prefix_parse(cases[i].prefix, &p), 0);
		assert_true(prefix_has(&p, &in));
		assert_false(prefix_has(&p, &out));
		assert_false(prefix_covers(&p, &half));
	}
}

static void ports_are_read_strictly(void **state)
{
	static const struct {
		const char *in;
		unsigned first, last; /* 0: refused */
	} cases[] = {
		{ "80", 80, 80 },
		{ "30000-64999", 30000, 64999 },
		{ "1-65535", 1, 65535 },
		{ "0", 0, 0 },
		{ "0-80", 0, 0 },
		{ "65536", 0, 0 },
		{ "1-65536", 0, 0 },
		{ "90-80", 0, 0 },
		{ "80-", 0, 0 },
		{ "-80", 0, 0 },
		{ "080", 0, 0 },
		{ "80 -90", 0, 0 },
		{ "80-90-95", 0, 0 },
		{ "4294967376", 0, 0 }, /* 80 + 2^32 */
		{ "", 0, 0 },
		{ "http", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct port_range r = { 1, 2 };
		bool good = cases[i].first;

		if (port_range_parse(cases[i].in, &r) != (good ? 0 : -EINVAL))
			fail_msg("'%s'", cases[i].in);
		assert_int_equal(r.first, good ? cases[i].first : 1);
		assert_int_equal(r.last, good ? cases[i].last : 2);
	}
}

static void endpoints_are_read_strictly(void **state)
{
	static const struct text_case cases[] = {
		{ "10.0.0.1:80", "10.0.0.1:80" },
		{ "[2001:db8:0::1]:65535", "[2001:db8::1]:65535" },
		{ "10.0.0.1:0", "10.0.0.1:0" },
		{ "10.0.0.1", NULL },
		{ "10.0.0.1:", NULL },
		{ ":80", NULL },
		{ "[]:80", NULL },
		{ "10.0.0.1:65536", NULL },
		{ "10.0.0.1:080", NULL },
		{ "10.0.0.1:80 ", NULL },
		{ "2001:db8::1:80", NULL },
		{ "[2001:db8::1]", NULL },
		{ "[2001:db8::1:80", NULL },
		{ "2001:db8::1]:80", NULL },
		{ "[10.0.0.1]:80", NULL },
		{ "web:80", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct text_case *c = &cases[i];
		char text[ENDPOINT_TEXT_MAX];
		struct endpoint e = { 0 };

		if (endpoint_parse(c->in, IPPROTO_UDP, &e) != (c->out ? 0 : -EINVAL))
			fail_msg("'%s'", c->in);
		assert_int_equal(e.protocol, c->out ? IPPROTO_UDP : 0);
		if (c->out)
			assert_string_equal(endpoint_text(&e, text), c->out);
	}
}

static void the_longest_endpoint_fits_its_text(void **state)
{
	char text[ENDPOINT_TEXT_MAX];
	struct endpoint e = { .port = 65535 };

	(void)state;
	e.addr = addr_of("1111:2222:3333:4444:5555:6666:7777:8888");
	assert_string_equal(endpoint_text(&e, text),
			    "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void endpoints_go_by_address_then_port_then_protocol(void **state)
{
	static const struct {
		const char *text;
		uint8_t protocol;
	} sorted[] = {
		{ "9.0.0.1:65535", IPPROTO_UDP }, { "10.0.0.1:79", IPPROTO_UDP },
		{ "10.0.0.1:80", IPPROTO_TCP },	  { "10.0.0.1:80", IPPROTO_UDP },
		{ "10.0.0.1:256", IPPROTO_TCP },  { "[::1]:1", IPPROTO_TCP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
		for (size_t k = 0; k < ARRAY_LEN(sorted); k++) {
			struct endpoint a, b;
			int c;

			assert_int_equal(endpoint_parse(sorted[i].text, sorted[i].protocol, &a), 0);
			assert_int_equal(endpoint_parse(sorted[k].text, sorted[k].protocol, &b), 0);
			c = endpoint_cmp(&a, &b);
			assert_int_equal((c > 0) - (c < 0), (i > k) - (i < k));
		}
	}
}

static void endpoints_can_be_compared_as_bytes(void **state)
{
	struct endpoint a, b;

	(void)state;
	memset(&a, 0xff, sizeof(a));
	memset(&b, 0x00, sizeof(b));
	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &a), 0);
	assert_int_equal(endpoint_parse("10.0.0.1:80", IPPROTO_TCP, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void endpoints_go_over_the_wire(void **state)
{
	static const char *const texts[] = { "10.0.0.1:80", "[2001:db8::1]:53" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		struct endpoint in, out;
		struct wire w;

		assert_int_equal(endpoint_parse(texts[i], IPPROTO_UDP, &in), 0);
		wire_put_endpoint(&b, &in);
		w = wire_of(b.data, b.len);
		out = wire_endpoint(&w);
		assert_true(wire_end(&w));
		assert_memory_equal(&in, &out, sizeof(in));
		for (size_t len = 0; len < b.len; len++) {
			w = wire_of(b.data, len);
			(void)wire_endpoint(&w);
			assert_true(w.bad);
		}
	}
}

static void no_address_goes_over_the_wire_and_a_strange_one_does_not(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct addr none = { 0 }, out;
	struct wire w;

	(void)state;
	wire_put_addr(&b, &none);
	w = wire_of(b.data, b.len);
	out = wire_addr(&w);
	assert_true(wire_end(&w));
	assert_memory_equal(&none, &out, sizeof(out));

	w = wire_of("\5abcdabcdabcdabcd", 17);
	out = wire_addr(&w);
	assert_true(w.bad);
	assert_memory_equal(&none, &out, sizeof(out));
}

static void protocols_have_names(void **state)
{
	uint8_t protocol = 0;

	(void)state;
	assert_string_equal(protocol_text(IPPROTO_TCP), "tcp");
	assert_string_equal(protocol_text(IPPROTO_UDP), "udp");
	assert_string_equal(protocol_text(IPPROTO_SCTP), "sctp");
	assert_string_equal(protocol_name(IPPROTO_SCTP), "SCTP");
	assert_string_equal(protocol_text(IPPROTO_DCCP), "?");
	assert_true(protocol_of_name("sctp", &protocol));
	assert_int_equal(protocol, IPPROTO_SCTP);
	assert_false(protocol_of_name("icmp", &protocol));
	assert_true(protocol_is_served(IPPROTO_TCP) && !protocol_is_served(IPPROTO_ICMP) &&
		    !protocol_is_served(0));
	assert_string_equal(protocol_text(0), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_strictly),
		cmocka_unit_test(no_address_has_a_text_too),
		cmocka_unit_test(addresses_have_one_order),
		cmocka_unit_test(numbers_become_addresses),
		cmocka_unit_test(what_must_not_be_probed_is_refused),
		cmocka_unit_test(prefixes_are_read_strictly),
		cmocka_unit_test(ranges_are_read_strictly),
		cmocka_unit_test(a_prefix_ends_where_it_says),
		cmocka_unit_test(ports_are_read_strictly),
		cmocka_unit_test(endpoints_are_read_strictly),
		cmocka_unit_test(the_longest_endpoint_fits_its_text),
		cmocka_unit_test(endpoints_go_by_address_then_port_then_protocol),
		cmocka_unit_test(endpoints_can_be_compared_as_bytes),
		cmocka_unit_test(endpoints_go_over_the_wire),
		cmocka_unit_test(no_address_goes_over_the_wire_and_a_strange_one_does_not),
		cmocka_unit_test(protocols_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
