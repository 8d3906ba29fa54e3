/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipvs/order.c, against a model of the kernel's list of destinations. */
#include "ipvs/order.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipvs/image.h"
#include "tests/lib/random.h"

#define DESTS_MAX 12

/* The kernel's list, newest first, with what it knows and nobody can read. */
struct model {
	struct item {
		struct addr addr;
		uint16_t port;
		uint32_t weight, last;
	} items[DESTS_MAX];
	unsigned count;
};

static unsigned place_of(const struct model *m, const struct ipvs_dest *d)
{
	unsigned i = 0;

	while (i < m->count &&
	       (addr_cmp(&m->items[i].addr, &d->addr) != 0 || m->items[i].port != d->port))
		i++;
	return i;
}

static void model_do(struct model *m, const struct ipvs_op *op)
{
	unsigned at = place_of(m, &op->dest);
	const struct ipvs_dest *d = &op->dest;

	assert_true(op->kind == IPVS_NEW_DEST ? at == m->count : at < m->count);
	if (op->kind == IPVS_DEL_DEST) {
		m->count--;
		memmove(&m->items[at], &m->items[at + 1], (m->count - at) * sizeof(m->items[0]));
	} else if (op->kind == IPVS_NEW_DEST) {
		memmove(&m->items[1], &m->items[0], m->count++ * sizeof(m->items[0]));
		m->items[0] = (struct item){ d->addr, d->port, d->weight, d->weight };
	} else {
		assert_int_equal(op->kind, IPVS_SET_DEST);
		m->items[at].weight = d->weight;
		if (d->weight)
			m->items[at].last = d->weight;
	}
}

/* --- services --- */

static struct ipvs_service service(void)
{
	const struct endpoint key = { .addr = addr_v4(0x0a000001),
				      .protocol = IPPROTO_TCP,
				      .port = 80 };
	struct ipvs_service s = ipvs_service_of(&key);

	memcpy(s.scheduler, "mh", sizeof("mh"));
	s.flags = IPVS_SCHED1;
	return s;
}

static void add(struct ipvs_service *s, unsigned n, uint32_t weight, uint32_t nominal)
{
	struct ipvs_dest *d = ipvs_service_add(s);

	d->addr = addr_v4(0x0a010000 + n / 2);
	d->port = (uint16_t)(80 + n % 2);
	d->weight = weight;
	d->nominal = nominal;
}

/* Some of them down, some of no weight at all. */
static struct ipvs_service random_wanted(struct random *r, unsigned count)
{
	struct ipvs_service s = service();

	for (unsigned i = 0; i < count; i++) {
		uint32_t nominal = random_below(r, 4);

		add(&s, i, random_below(r, 3) ? nominal : 0, nominal);
	}
	return s;
}

/* The same destinations after some other history. `odd`: with last weights of their own, too. */
static struct ipvs_service random_held(struct random *r, const struct ipvs_service *want, bool odd)
{
	struct ipvs_service s = ipvs_service_copy(want);
	struct ipvs_dest *dests = ipvs_service_edit(&s);

	for (uint32_t i = s.dest_count; i > 1; i--) {
		uint32_t k = random_below(r, i);
		struct ipvs_dest d = dests[i - 1];

		dests[i - 1] = dests[k];
		dests[k] = d;
	}
	for (uint32_t i = 0; i < s.dest_count; i++) {
		struct ipvs_dest *d = &dests[i];

		d->nominal = d->weight ? d->weight : d->nominal;
		if (odd && d->weight == 0 && random_below(r, 2))
			d->nominal = random_below(r, 2) ? random_below(r, 9) : IPVS_WEIGHT_UNKNOWN;
	}
	return s;
}

static struct model model_of(const struct ipvs_service *held)
{
	struct model m = { .count = held->dest_count };

	for (uint32_t i = 0; i < m.count; i++) {
		const struct ipvs_dest *d = &held->dests[m.count - 1 - i];

		/* What we do not know the kernel does. */
		m.items[i] = (struct item){ d->addr, d->port, d->weight,
					    d->nominal == IPVS_WEIGHT_UNKNOWN ? 77 : d->nominal };
	}
	return m;
}

/* As the kernel is when it loads this at once. */
static struct model model_loaded(const struct ipvs_service *want)
{
	struct model m = { 0 };

	for (uint32_t i = 0; i < want->dest_count; i++) {
		struct ipvs_op op = { .kind = IPVS_NEW_DEST, .dest = want->dests[i] };

		op.dest.weight = ipvs_first_weight(want, &want->dests[i]);
		model_do(&m, &op);
		op.kind = IPVS_SET_DEST;
		op.dest.weight = want->dests[i].weight;
		model_do(&m, &op);
	}
	return m;
}

static void assert_models_equal(const struct model *a, const struct model *b)
{
	assert_int_equal(a->count, b->count);
	for (unsigned i = 0; i < a->count; i++) {
		assert_int_equal(addr_cmp(&a->items[i].addr, &b->items[i].addr), 0);
		assert_int_equal(a->items[i].port, b->items[i].port);
		assert_int_equal(a->items[i].weight, b->items[i].weight);
		assert_int_equal(a->items[i].last, b->items[i].last);
	}
}

/* What would be done, of as many as there are. */
struct judged {
	uint32_t moves, renewals;
};

static struct judged judge(const struct ipvs_service *want, const struct ipvs_service *held)
{
	struct ipvs_op ops[3 * DESTS_MAX];
	struct ipvs_ops out = { .ops = ops, .size = 3 * DESTS_MAX };
	struct judged j = { 0 };

	j.renewals = ipvs_order_repair(want, held, &out);
	for (size_t i = 0; i < out.count; i++)
		j.moves += ops[i].kind == IPVS_DEL_DEST;
	j.renewals -= j.moves;
	if (ipvs_order_is_right(want, held))
		assert_int_equal(out.count, 0);
	return j;
}

/* Repair with room for so many commands at a time; returns the destinations that were moved. */
static unsigned repair(const struct ipvs_service *want, const struct ipvs_service *held,
		       struct model *m, size_t room)
{
	struct ipvs_service copy = ipvs_service_copy(held);
	struct ipvs_op ops[64];
	struct ipvs_ops out = { .ops = ops, .size = room };
	struct ipvs_image image;
	struct ipvs_row *row;
	unsigned moved = 0;

	ipvs_image_init(&image);
	row = ipvs_image_make(&image, &want->key);
	row->have = malloc(sizeof(*row->have));
	assert_non_null(row->have);
	*row->have = copy;
	while (ipvs_order_repair(want, row->have, &out)) {
		for (size_t i = 0; i < out.count; i++) {
			moved += ops[i].kind == IPVS_DEL_DEST;
			model_do(m, &ops[i]);
			ipvs_image_apply(&image, row, &ops[i]);
		}
		out.count = 0;
		assert_true(moved <= DESTS_MAX); /* it ends */
	}
	assert_int_equal(judge(want, row->have).moves, 0);
	assert_int_equal(judge(want, row->have).renewals, 0);
	assert_true(ipvs_order_fingerprint(row->have) != 0);
	ipvs_image_done(&image);
	return moved;
}

/* --- tests --- */

static void any_history_becomes_that_of_one_load(void **state)
{
	struct random r = random_new();

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct ipvs_service want = random_wanted(&r, random_below(&r, DESTS_MAX + 1));
		struct ipvs_service held = random_held(&r, &want, random_below(&r, 2));
		struct model m = model_of(&held), loaded = model_loaded(&want);
		struct judged judged = judge(&want, &held);

		assert_int_equal(repair(&want, &held, &m, 3 + random_below(&r, 30)), judged.moves);
		assert_models_equal(&m, &loaded);
		ipvs_service_done(&want);
		ipvs_service_done(&held);
	}
}

/* Does it do to move those of the set, lowest first? */
static bool is_enough(const struct ipvs_service *want, const struct ipvs_service *held,
		      unsigned set)
{
	struct model m = model_of(held);

	for (uint32_t i = 0; i < want->dest_count; i++) {
		struct ipvs_op op = { .kind = IPVS_DEL_DEST, .dest = want->dests[i] };

		if (!(set >> i & 1))
			continue;
		model_do(&m, &op);
		op.kind = IPVS_NEW_DEST;
		model_do(&m, &op);
	}
	for (uint32_t i = 0; i < m.count; i++) {
		if (place_of(&m, &want->dests[i]) != m.count - 1 - i)
			return false;
	}
	return true;
}

static void no_fewer_moves_do_it(void **state)
{
	struct random r = random_new();

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		unsigned count = 1 + random_below(&r, 6), best = count;
		struct ipvs_service want = service(), held;

		for (unsigned i = 0; i < count; i++)
			add(&want, i, 5, 5);
		held = random_held(&r, &want, false);
		for (unsigned set = 0; set < 1u << count; set++) {
			unsigned size = (unsigned)__builtin_popcount(set);

			if (size < best && is_enough(&want, &held, set))
				best = size;
		}
		assert_int_equal(judge(&want, &held).moves, best);
		ipvs_service_done(&want);
		ipvs_service_done(&held);
	}
}

static void one_that_is_down_is_renewed_in_its_place(void **state)
{
	struct ipvs_service want = service(), held = service();
	struct ipvs_op ops[8];
	struct ipvs_ops out = { .ops = ops, .size = 8 };

	(void)state;
	add(&want, 0, 5, 5);
	add(&want, 1, 0, 5);
	add(&held, 0, 5, 5);
	add(&held, 1, 0, IPVS_WEIGHT_UNKNOWN);
	assert_int_equal(judge(&want, &held).moves, 0);
	assert_int_equal(judge(&want, &held).renewals, 1);
	assert_int_equal(ipvs_order_repair(&want, &held, &out), 1);
	assert_int_equal(out.count, 2);
	assert_int_equal(ops[0].kind, IPVS_SET_DEST);
	assert_int_equal(ops[0].dest.weight, 5);
	assert_int_equal(ops[1].kind, IPVS_SET_DEST);
	assert_int_equal(ops[1].dest.weight, 0);
	ipvs_service_done(&want);
	ipvs_service_done(&held);
}

static void what_is_not_the_same_is_not_judged(void **state)
{
	struct ipvs_service want = service(), held = service();

	(void)state;
	add(&want, 0, 5, 5);
	add(&want, 1, 5, 5);
	add(&held, 1, 5, 5);
	assert_int_equal(judge(&want, &held).moves, 0);
	add(&held, 2, 5, 5);
	assert_int_equal(judge(&want, &held).moves, 0);
	held.dest_count = 1;
	add(&held, 0, 5, 5);
	assert_int_equal(judge(&want, &held).moves, 1);
	/* Others do not care for the order. */
	memcpy(want.scheduler, "rr", sizeof("rr"));
	memcpy(held.scheduler, "rr", sizeof("rr"));
	assert_int_equal(judge(&want, &held).moves, 0);
	assert_true(ipvs_order_fingerprint(&held) == 0);
	ipvs_service_done(&want);
	ipvs_service_done(&held);
}

/* --- fingerprints --- */

static void fingerprints_are_equal_where_models_are(void **state)
{
	struct random r = random_new();
	unsigned equal = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		/* So few that many are equal. */
		struct ipvs_service want = random_wanted(&r, 2);
		struct ipvs_service a = random_held(&r, &want, true);
		struct ipvs_service b = random_held(&r, &want, true);
		bool same = true, known = true;

		for (uint32_t i = 0; i < 2; i++) {
			same &= ipvs_dest_cmp(&a.dests[i], &b.dests[i]) == 0 &&
				a.dests[i].nominal == b.dests[i].nominal;
			known &= a.dests[i].nominal != IPVS_WEIGHT_UNKNOWN;
		}
		/* What is not known is equal to nothing. */
		assert_int_equal(ipvs_order_fingerprint(&a) != 0, known);
		if (!known)
			same = ipvs_order_fingerprint(&b) == 0;
		assert_int_equal(ipvs_order_fingerprint(&a) == ipvs_order_fingerprint(&b), same);
		equal += same;
		ipvs_service_done(&want);
		ipvs_service_done(&a);
		ipvs_service_done(&b);
	}
	assert_in_range(equal, 1000, 19000);
}

/* Of the mapping nothing depends on these. */
static void a_fingerprint_covers_the_table_and_no_more(void **state)
{
	struct ipvs_service s = service();
	uint64_t before;

	(void)state;
	add(&s, 0, 5, 5);
	before = ipvs_order_fingerprint(&s);
	s.key.port = 81;
	s.flags |= IPVS_PERSISTENT;
	s.timeout = 60;
	ipvs_service_edit(&s)->weight = 0;
	ipvs_service_edit(&s)->forward = IPVS_DIRECT;
	assert_true(ipvs_order_fingerprint(&s) == before);
	s.flags |= IPVS_SCHED2;
	assert_true(ipvs_order_fingerprint(&s) != before);
	ipvs_service_done(&s);
}

/* It is compared between nodes of different versions: it may never change. */
static void a_fingerprint_is_what_it_always_was(void **state)
{
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct ipvs_service s = service();

	(void)state;
	add(&s, 0, 1, 1);
	add(&s, 3, 0, 7);
	assert_true(ipvs_order_fingerprint(&s) == 0x4d8d37d1d556374du);
	ipvs_service_edit(&s)->addr.family = AF_INET6;
	memcpy(ipvs_service_edit(&s)->addr.bytes, v6, sizeof(v6));
	assert_true(ipvs_order_fingerprint(&s) == 0xa0533cc2a259a509u);
	ipvs_service_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_becomes_that_of_one_load),
		cmocka_unit_test(no_fewer_moves_do_it),
		cmocka_unit_test(one_that_is_down_is_renewed_in_its_place),
		cmocka_unit_test(what_is_not_the_same_is_not_judged),
		cmocka_unit_test(fingerprints_are_equal_where_models_are),
		cmocka_unit_test(a_fingerprint_covers_the_table_and_no_more),
		cmocka_unit_test(a_fingerprint_is_what_it_always_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
