/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipvs/stats.c: what was counted comes out as it went in, or not at all. */
#include "ipvs/stats.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/channel.h"
#include "ipvs/message.h"
#include "ipvs/table.h"

static const struct ipvs_counters some = { 1, UINT64_MAX, 3, 1ull << 40, 5 };

static struct ipvs_stats_answer example(size_t dests)
{
	struct ipvs_stats_answer a = {
		.id = 7,
		.stats = { .counting = true, .fingerprint = 1ull << 63 | 5, .counters = some },
	};

	for (size_t i = dests; i > 0; i--)
		*ipvs_stats_add(&a.stats) = (struct ipvs_dest_stats){
			.addr = addr_v4(0x0a010000 + (uint32_t)(i / 2)),
			.port = (uint16_t)(80 + i % 2),
			.weight = (uint32_t)i,
			.active = 1,
			.inactive = 2,
			.templates = 3,
			.counters = some,
		};
	ipvs_stats_sort(&a.stats);
	return a;
}

struct receiver {
	struct ipvs_stats_reader reader;
	struct ipvs_stats_answer got;
	unsigned whole;
	unsigned cut_at; /* the message of this number, from 1, loses its last byte; 0: none */
	unsigned messages;
	int error;
};

static void receive(void *arg, uint16_t type, const struct buf *body)
{
	struct receiver *r = arg;
	bool cut = ++r->messages == r->cut_at;
	struct wire w = wire_of(body->data, body->len - cut);
	int ret = r->error ? 0 : ipvs_stats_read(&r->reader, type, &w, &r->got);

	assert_true(body->len <= CHANNEL_BODY_MAX);
	if (ret < 0)
		r->error = ret;
	else
		r->whole += (unsigned)ret;
}

static void an_answer_comes_out_as_it_went_in(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 512, 513, IPVS_DESTS_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct ipvs_stats_answer a = example(counts[i]);
		struct receiver r = { 0 };

		ipvs_stats_put(&a, receive, &r);
		assert_int_equal(r.whole, 1);
		assert_int_equal(r.got.id, 7);
		assert_int_equal(r.got.error, 0);
		assert_true(r.got.stats.counting);
		assert_true(r.got.stats.fingerprint == (1ull << 63 | 5));
		assert_memory_equal(&r.got.stats.counters, &some, sizeof(some));
		assert_int_equal(r.got.stats.dest_count, counts[i]);
		for (size_t k = 0; k < counts[i]; k++) {
			const struct ipvs_dest_stats *x = &r.got.stats.dests[k];
			const struct ipvs_dest_stats *y = &a.stats.dests[k];

			assert_int_equal(addr_cmp(&x->addr, &y->addr), 0);
			assert_int_equal(x->port, y->port);
			assert_int_equal(x->weight, y->weight);
			assert_int_equal(x->active + 10 * x->inactive + 100 * x->templates, 321);
			assert_memory_equal(&x->counters, &some, sizeof(some));
		}
		ipvs_stats_done(&r.got.stats);
		ipvs_stats_done(&a.stats);
	}
}

static void destinations_are_by_address_and_port(void **state)
{
	struct ipvs_stats_answer a = example(9);

	(void)state;
	for (size_t i = 1; i < a.stats.dest_count; i++) {
		const struct ipvs_dest_stats *d = &a.stats.dests[i - 1];
		int r = addr_cmp(&d[0].addr, &d[1].addr);

		assert_true(r < 0 || (r == 0 && d[0].port < d[1].port));
	}
	ipvs_stats_done(&a.stats);
}

static void a_message_that_is_cut_off_is_refused(void **state)
{
	(void)state;
	for (unsigned cut = 1; cut <= 3; cut++) {
		struct ipvs_stats_answer a = example(600); /* a head and two more */
		struct receiver r = { .cut_at = cut };

		ipvs_stats_put(&a, receive, &r);
		assert_int_equal(r.messages, 3);
		assert_int_equal(r.error, -EBADMSG);
		assert_int_equal(r.whole, 0);
		ipvs_stats_reader_done(&r.reader);
		ipvs_stats_done(&a.stats);
	}
}

static int read_head(struct ipvs_stats_reader *r, uint32_t error, uint8_t counting, uint32_t count)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_stats_answer got;
	struct wire w;

	wire_put_u32(&b, 1);
	wire_put_u32(&b, error);
	wire_put_u8(&b, counting);
	wire_put_u64(&b, 0);
	for (int i = 0; i < 5; i++)
		wire_put_u64(&b, 0);
	wire_put_u32(&b, count);
	w = wire_of(b.data, b.len);
	return ipvs_stats_read(r, IPVS_MSG_STATS, &w, &got);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		uint32_t error, count;
		uint8_t counting;
		int r;
	} heads[] = {
		{ 0, 0, 0, 1 },
		{ ESRCH, 0, 0, 1 },
		{ 0, 1, 1, 0 },
		{ 0, IPVS_DESTS_MAX + 1, 1, -EBADMSG },
		{ 0, 0, 2, -EBADMSG },
		{ ESRCH, 1, 0, -EBADMSG }, /* of what is not there nothing was counted */
		{ 5000, 0, 0, -EBADMSG },
		{ (uint32_t)-ESRCH, 0, 0, -EBADMSG },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct ipvs_stats_reader r = { 0 };

		assert_int_equal(read_head(&r, heads[i].error, heads[i].counting, heads[i].count),
				 heads[i].r);
		ipvs_stats_reader_done(&r);
	}
}

static void messages_out_of_turn_are_refused(void **state)
{
	struct ipvs_stats_reader r = { 0 };
	struct ipvs_stats_answer got;
	struct wire empty = wire_of(NULL, 0);

	(void)state;
	assert_int_equal(ipvs_stats_read(&r, IPVS_MSG_STATS_DESTS, &empty, &got), -EBADMSG);
	assert_int_equal(read_head(&r, 0, 1, 2), 0);
	assert_int_equal(read_head(&r, 0, 1, 2), -EBADMSG);
	ipvs_stats_reader_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_comes_out_as_it_went_in),
		cmocka_unit_test(destinations_are_by_address_and_port),
		cmocka_unit_test(a_message_that_is_cut_off_is_refused),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(messages_out_of_turn_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
