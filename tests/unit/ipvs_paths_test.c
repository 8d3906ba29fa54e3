/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipvs/paths.h: paths of probes as messages; what is out of bounds is refused. */
#include "ipvs/paths.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

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

/* As they are read again; false: they are refused, and then there are none. */
static bool reads(const struct ipvs_path *paths, size_t count, struct ipvs_paths *out)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire w;

	wire_put_u32(&b, 7);
	wire_put_u16(&b, (uint16_t)count);
	for (size_t i = 0; i < count; i++) {
		struct ipvs_paths one = { .items = xmalloc(sizeof(*paths)), .count = 1 };
		CLEANUP(buf_done) struct buf single = { 0 };

		one.items[0] = paths[i];
		wire_put_ipvs_paths(&single, &one);
		buf_put(&b, single.data + 6, single.len - 6); /* behind version and count */
		ipvs_paths_done(&one);
	}
	w = wire_of(b.data, b.len);
	wire_ipvs_paths(&w, out);
	if (wire_end(&w))
		return true;
	assert_null(out->items);
	assert_int_equal(out->count, 0);
	return false;
}

static bool is_taken(struct ipvs_path p)
{
	struct ipvs_paths got;
	bool taken = reads(&p, 1, &got);

	if (taken)
		assert_memory_equal(&got.items[0], &p, sizeof(p));
	ipvs_paths_done(&got);
	return taken;
}

static void they_are_read_as_written(void **state)
{
	struct ipvs_path items[] = {
		path_of(0, "10.0.0.1", "10.2.0.2:80"),
		path_of(999, "2001:db8::1", "[2001:db8:2::2]:443"),
	};
	const struct ipvs_paths p = { items, 2, 0xfffffffe };
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_paths got;
	struct wire w;

	(void)state;
	items[1].forward = IPVS_TUNNEL;
	items[1].tunnel = 1;
	items[1].tunnel_port = 6080;
	wire_put_ipvs_paths(&b, &p);
	w = wire_of(b.data, b.len);
	wire_ipvs_paths(&w, &got);
	assert_true(wire_end(&w));
	assert_int_equal(got.version, p.version);
	assert_int_equal(got.count, 2);
	assert_memory_equal(got.items, items, sizeof(items));
	for (size_t cut = 0; cut < b.len; cut++) {
		struct ipvs_paths none;

		w = wire_of(b.data, cut);
		wire_ipvs_paths(&w, &none);
		assert_false(wire_end(&w));
		assert_null(none.items);
	}
	ipvs_paths_done(&got);
}

static void none_is_a_list_too(void **state)
{
	struct ipvs_paths got;

	(void)state;
	assert_true(reads(NULL, 0, &got));
	assert_int_equal(got.version, 7);
	assert_int_equal(got.count, 0);
	ipvs_paths_done(&got);
}

static void a_path_is_one_that_can_be(void **state)
{
	const struct ipvs_path good = path_of(5, "10.0.0.1", "10.2.0.2:80");
	struct ipvs_path p = good;

	(void)state;
	assert_true(is_taken(good));
	p.number = IPVS_PATHS_MAX;
	assert_false(is_taken(p));
	assert_false(is_taken(path_of(5, "2001:db8::1", "10.2.0.2:80")));
	assert_false(is_taken(path_of(5, "10.0.0.1", "10.2.0.2:0")));
	p = good;
	p.vip = (struct addr){ 0 };
	assert_false(is_taken(p));
	p.to.addr = (struct addr){ 0 };
	assert_false(is_taken(p));
	p = good;
	p.to.protocol = IPPROTO_UDP;
	assert_false(is_taken(p));
	p = good;
	p.forward = IPVS_NAT;
	assert_false(is_taken(p));
	p.forward = IPVS_TUNNEL;
	assert_true(is_taken(p));
	p.tunnel = 2;
	assert_true(is_taken(p));
	p.tunnel = 3;
	assert_false(is_taken(p));
	p = good;
	p.tunnel = 1;
	assert_false(is_taken(p));
	p = good;
	p.tunnel_port = 6080;
	assert_false(is_taken(p));
}

static void numbers_are_in_order_and_once(void **state)
{
	const struct ipvs_path good[] = { path_of(1, "10.0.0.1", "10.2.0.2:80"),
					  path_of(2, "10.0.0.1", "10.2.0.2:80") };
	const struct ipvs_path twice[] = { good[0], good[0] };
	const struct ipvs_path backwards[] = { good[1], good[0] };
	struct ipvs_paths got;

	(void)state;
	assert_true(reads(good, 2, &got));
	ipvs_paths_done(&got);
	assert_false(reads(twice, 2, &got));
	assert_false(reads(backwards, 2, &got));
}

static void as_many_as_there_are_numbers(void **state)
{
	struct ipvs_path *many = xcalloc(IPVS_PATHS_MAX + 1, sizeof(*many));
	struct ipvs_paths got;

	(void)state;
	for (uint16_t i = 0; i <= IPVS_PATHS_MAX; i++)
		many[i] = path_of(i, "2001:db8::1", "[2001:db8::2]:80");
	assert_true(reads(many, IPVS_PATHS_MAX, &got));
	assert_int_equal(got.count, IPVS_PATHS_MAX);
	ipvs_paths_done(&got);
	assert_false(reads(many, IPVS_PATHS_MAX + 1, &got));
	xfree_ptr(&many);
}

static void a_copy_is_its_own(void **state)
{
	struct ipvs_path item = path_of(3, "10.0.0.1", "10.2.0.2:80");
	const struct ipvs_paths p = { &item, 1, 9 };
	const struct ipvs_paths none = { 0 };
	struct ipvs_paths copy = { 0 };

	(void)state;
	ipvs_paths_copy(&copy, &p);
	item.number = 4;
	assert_int_equal(copy.items[0].number, 3);
	assert_int_equal(copy.version, 9);
	ipvs_paths_copy(&copy, &none);
	assert_null(copy.items);
}

static void a_number_has_a_mark_and_a_port(void **state)
{
	struct ipvs_path first = { .number = 0 };
	struct ipvs_path last = { .number = IPVS_PATHS_MAX - 1 };

	(void)state;
	assert_int_equal(ipvs_path_mark(&first), 0x50610000);
	assert_int_equal(ipvs_path_mark(&last), 0x506103e7);
	assert_int_equal(ipvs_path_port(&first), 61000);
	assert_int_equal(ipvs_path_port(&last), 61999);
}

static bool result_reads(const struct ipvs_paths_result *r)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_paths_result got;
	struct wire w;

	wire_put_ipvs_paths_result(&b, r);
	w = wire_of(b.data, b.len);
	wire_ipvs_paths_result(&w, &got);
	if (!wire_end(&w))
		return false;
	assert_true(ipvs_paths_result_equal(&got, r));
	for (size_t cut = 0; cut < b.len; cut++) {
		w = wire_of(b.data, cut);
		wire_ipvs_paths_result(&w, &got);
		assert_false(wire_end(&w));
		assert_int_equal(got.failed_count, 0);
	}
	return true;
}

static void a_result_is_read_as_written(void **state)
{
	struct ipvs_paths_result r = { .version = 8 };

	(void)state;
	assert_true(result_reads(&r));
	r.error = -5;
	memset(r.text, 'x', sizeof(r.text) - 1);
	assert_true(result_reads(&r));
	r.error = 5;
	assert_false(result_reads(&r));
	r.error = -4096;
	assert_false(result_reads(&r));
}

static void a_result_names_those_that_failed(void **state)
{
	struct ipvs_paths_result r = { .version = 8, .failed_count = 2, .failed = { 3, 999 } };
	struct ipvs_paths_result other = r;

	(void)state;
	assert_true(result_reads(&r));
	assert_true(ipvs_paths_result_has(&r, 2));
	assert_false(ipvs_paths_result_has(&r, 3));
	assert_false(ipvs_paths_result_has(&r, 999));
	assert_true(ipvs_paths_result_equal(&r, &other));
	other.failed[1] = 998;
	assert_false(ipvs_paths_result_equal(&r, &other));
	other.failed_count = 1;
	assert_false(ipvs_paths_result_equal(&r, &other));
	assert_true(ipvs_paths_result_has(&other, 999));
	other.error = -5;
	assert_false(ipvs_paths_result_has(&other, 999));
	r.failed_count = IPVS_PATHS_MAX;
	for (uint16_t i = 0; i < IPVS_PATHS_MAX; i++)
		r.failed[i] = i;
	assert_true(result_reads(&r));
}

static void what_fails_is_put_in_order_and_the_first_is_told(void **state)
{
	const struct ipvs_path p[] = { path_of(7, "10.0.0.1", "10.2.0.2:80"),
				       path_of(9, "10.0.0.1", "10.2.0.3:80"),
				       path_of(3, "2001:db8::1", "[2001:db8:2::2]:443") };
	struct ipvs_paths_result r = { .version = 1 };

	(void)state;
	ipvs_paths_result_fail(&r, &p[0], "No such device");
	ipvs_paths_result_fail(&r, &p[1], "Invalid argument");
	assert_string_equal(r.text, "10.2.0.2:80 by the VIP 10.0.0.1: No such device");
	ipvs_paths_result_fail(&r, &p[2], "Invalid argument");
	assert_string_equal(r.text, "[2001:db8:2::2]:443 by the VIP 2001:db8::1: Invalid argument");
	assert_int_equal(r.failed_count, 3);
	assert_true(result_reads(&r));
}

/* As it would be written, were it not asserted. */
static bool failed_reads(uint16_t count, const uint16_t *numbers, size_t there)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_paths_result got;
	struct wire w;

	wire_put_u32(&b, 8);
	wire_put_u32(&b, 0);
	wire_put_str(&b, "");
	wire_put_u16(&b, count);
	for (size_t i = 0; i < there; i++)
		wire_put_u16(&b, numbers[i]);
	w = wire_of(b.data, b.len);
	wire_ipvs_paths_result(&w, &got);
	return wire_end(&w);
}

static void failed_numbers_are_bounded_and_in_order(void **state)
{
	uint16_t many[IPVS_PATHS_MAX + 1];

	(void)state;
	for (uint16_t i = 0; i <= IPVS_PATHS_MAX; i++)
		many[i] = i;
	assert_true(failed_reads(2, (const uint16_t[]){ 1, 999 }, 2));
	assert_false(failed_reads(2, (const uint16_t[]){ 1, IPVS_PATHS_MAX }, 2));
	assert_false(failed_reads(2, (const uint16_t[]){ 1, 1 }, 2));
	assert_false(failed_reads(2, (const uint16_t[]){ 2, 1 }, 2));
	assert_true(failed_reads(IPVS_PATHS_MAX, many, IPVS_PATHS_MAX));
	assert_false(failed_reads(IPVS_PATHS_MAX + 1, many, IPVS_PATHS_MAX + 1));
	assert_false(failed_reads(UINT16_MAX, many, IPVS_PATHS_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_read_as_written),
		cmocka_unit_test(none_is_a_list_too),
		cmocka_unit_test(a_path_is_one_that_can_be),
		cmocka_unit_test(numbers_are_in_order_and_once),
		cmocka_unit_test(as_many_as_there_are_numbers),
		cmocka_unit_test(a_copy_is_its_own),
		cmocka_unit_test(a_number_has_a_mark_and_a_port),
		cmocka_unit_test(a_result_is_read_as_written),
		cmocka_unit_test(a_result_names_those_that_failed),
		cmocka_unit_test(what_fails_is_put_in_order_and_the_first_is_told),
		cmocka_unit_test(failed_numbers_are_bounded_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
