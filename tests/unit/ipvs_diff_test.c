/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diff.c: from what is wanted and what is held to commands, stated as ipvsadm says them. */
#include "ipvs/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "ipvs/image.h"
#include "tests/lib/fake_ipvs.h"
#include "tests/lib/ipvs_ops.h"

#define A  "-A -t 10.0.0.1:80 -s rr\n"
#define B  "-A -t 10.0.0.2:80 -s rr\n"
#define D1 " -t 10.0.0.1:80 -r 10.1.0.1:80 -m"
#define D2 " -t 10.0.0.1:80 -r 10.1.0.2:80 -m"
#define D3 " -t 10.0.0.1:80 -r 10.1.0.3:80 -m"
#define MH "-A -t 10.0.0.1:80 -s mh -b mh-fallback\n"

struct diff_case {
	const char *name;
	const char *kernel;
	const char *want;
	const char *ops;
	bool incomplete;  /* not every source has delivered */
	bool quiesce;	  /* deletions have to wait */
	const char *down; /* wanted: this one is down, its nominal weight is 5 */
};

static const struct diff_case cases[] = {
	{
		.name = "equal tables need nothing",
		.kernel = A "-a" D1 " -w 1\n",
		.want = A "-a" D1 " -w 1\n",
		.ops = "",
	},
	{
		.name = "a new service comes with its scheduler and its destinations in order",
		.kernel = "",
		.want = A "-a" D2 " -w 1\n-a" D1 " -w 1\n",
		.ops = A "-a" D1 " -w 1\n-a" D2 " -w 1\n",
	},
	{
		.name = "weights come before additions, and 0 before other weights",
		.kernel = A "-a" D1 " -w 0\n-a" D2 " -w 1\n",
		.want = A "-a" D1 " -w 3\n-a" D2 " -w 0\n-a" D3 " -w 1\n",
		.ops = "-e" D2 " -w 0\n-e" D1 " -w 3\n-a" D3 " -w 1\n",
	},
	{
		.name = "additions come before deletions",
		.kernel = A "-a" D1 " -w 1\n",
		.want = A "-a" D2 " -w 1\n",
		.ops = "-a" D2 " -w 1\n-d -t 10.0.0.1:80 -r 10.1.0.1:80\n",
	},
	{
		.name = "a service is deleted whole",
		.kernel = A "-a" D1 " -w 1\n" B,
		.want = B,
		.ops = "-D -t 10.0.0.1:80\n",
	},
	{
		.name = "nothing is deleted before every source has delivered",
		.kernel = A "-a" D1 " -w 1\n-a" D2 " -w 1\n" B,
		.want = A "-a" D1 " -w 0\n",
		.ops = "-e" D1 " -w 0\n",
		.incomplete = true,
	},
	{
		.name = "what has to wait for its deletion gets weight 0",
		.kernel = A "-a" D1 " -w 2\n-a" D2 " -w 0\n-a" D3 " -w 1\n" B
			    "-a -t 10.0.0.2:80 -r 10.1.0.9:80 -m -w 1\n",
		.want = A "-a" D3 " -w 1\n",
		.ops = "-e" D1 " -w 0\n-e -t 10.0.0.2:80 -r 10.1.0.9:80 -m -w 0\n",
		.quiesce = true,
	},
	{
		.name = "SET, not DEL and NEW, where SET can do it",
		.kernel = A "-a" D1 " -w 1\n",
		.want = "-A -t 10.0.0.1:80 -s wlc -p 300\n"
			"-a -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1 -x 9\n",
		.ops = "-E -t 10.0.0.1:80 -s wlc -p 300\n"
		       "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1 -x 9\n",
	},
	{
		.name = "the timeout of persistence counts only with persistence",
		.kernel = "-A -t 10.0.0.1:80 -s rr -p 300\n",
		.want = A,
		.ops = "-E -t 10.0.0.1:80 -s rr\n",
	},
	{
		.name = "mh is loaded without a scheduler, and always has its fallback flag",
		.kernel = "",
		.want = "-A -t 10.0.0.1:80 -s mh\n-a" D1 " -w 5\n-a" D2 " -w 1\n",
		.ops = "-A -t 10.0.0.1:80 -s none -b flag-1\n-a" D1 " -w 5\n-a" D2 " -w 1\n"
		       "-E -t 10.0.0.1:80 -s mh -b mh-fallback\n",
	},
	{
		.name = "a member of mh that is down is loaded at its weight, then set to 0",
		.kernel = "",
		.want = "-A -t 10.0.0.1:80 -s mh\n-a" D1 " -w 0\n-a" D2 " -w 1\n",
		.ops = "-A -t 10.0.0.1:80 -s none -b flag-1\n-a" D1 " -w 5\n-a" D2 " -w 1\n"
		       "-E -t 10.0.0.1:80 -s mh -b mh-fallback\n-e" D1 " -w 0\n",
		.down = "10.1.0.1",
	},
	{
		.name = "one that is down joins a live mh service at its weight",
		.kernel = MH "-a" D2 " -w 1\n",
		.want = MH "-a" D1 " -w 0\n-a" D2 " -w 1\n",
		.ops = "-a" D1 " -w 5\n-e" D1 " -w 0\n",
		.down = "10.1.0.1",
	},
	{
		.name = "a load of mh that was broken off goes on",
		.kernel = "-A -t 10.0.0.1:80 -s none -b flag-1\n-a" D1 " -w 5\n",
		.want = MH "-a" D1 " -w 0\n-a" D2 " -w 1\n",
		.ops = "-a" D2 " -w 1\n-E -t 10.0.0.1:80 -s mh -b mh-fallback\n-e" D1 " -w 0\n",
		.down = "10.1.0.1",
	},
	{
		.name = "a service left without a scheduler gets the one it should have",
		.kernel = "-A -t 10.0.0.1:80 -s none\n-a" D1 " -w 1\n",
		.want = A "-a" D1 " -w 1\n",
		.ops = "-E -t 10.0.0.1:80 -s rr\n",
	},
	{
		.name = "protocols and families are told apart",
		.kernel = "-A -u 10.0.0.1:80 -s rr\n-A -t [2001:db8::1]:80 -s rr -p 9 -M 64\n",
		.want = A "-A -t [2001:db8::1]:80 -s rr -p 9\n"
			  "-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i -w 1 --tun-type ipip\n",
		.ops = "-A -t 10.0.0.1:80 -s rr\n"
		       "-a -t [2001:db8::1]:80 -r [2001:db8::2]:80 -i -w 1 --tun-type ipip\n"
		       "-E -t [2001:db8::1]:80 -s rr -p 9\n"
		       "-D -u 10.0.0.1:80\n",
	},
};

/* Both tables as rows. */
static void load(struct ipvs_image *m, const char *kernel, const char *want, const char *down)
{
	struct ipvs_table k, w;
	struct ipvs_service *s;
	struct addr down_addr = { 0 };

	ipvs_image_init(m);
	ipvs_table_init(&k);
	ipvs_table_init(&w);
	assert_int_equal(ipvs_table_parse(kernel, &k, NULL), 0);
	assert_int_equal(ipvs_table_parse(want, &w, NULL), 0);
	assert_true(!down || addr_parse(down, &down_addr) == 0);
	for (size_t pos = 0; (s = map_next(&k.by_key, &pos));) {
		struct ipvs_service copy = ipvs_service_copy(s);

		ipvs_image_hold(m, ipvs_image_make(m, &s->key), &copy);
	}
	for (size_t pos = 0; (s = map_next(&w.by_key, &pos));) {
		struct ipvs_service *copy = xmalloc(sizeof(*copy));
		struct ipvs_dest *dests;

		*copy = ipvs_service_copy(s);
		ipvs_service_sort(copy);
		dests = ipvs_service_edit(copy);
		for (uint32_t i = 0; i < copy->dest_count; i++) {
			if (down && addr_cmp(&dests[i].addr, &down_addr) == 0)
				dests[i].nominal = 5;
		}
		ipvs_row_want(ipvs_image_make(m, &s->key), copy);
	}
	ipvs_table_done(&k);
	ipvs_table_done(&w);
}

static int compare_rows(const void *a, const void *b)
{
	const struct ipvs_row *const *x = a;
	const struct ipvs_row *const *y = b;

	return endpoint_cmp(&(*x)->key, &(*y)->key);
}

/* What the role does: each step over all rows, `room` commands at a time. */
static void run(struct ipvs_image *m, const struct ipvs_diff_rules *rules, size_t room,
		struct buf *text, struct fake_ipvs *kernel)
{
	struct ipvs_row *rows[64], *row;
	struct ipvs_op ops[512];
	size_t count = 0;

	for (size_t pos = 0; (row = map_next(&m->rows, &pos));)
		rows[count++] = row;
	qsort(rows, count, sizeof(rows[0]), compare_rows);
	for (unsigned step = 0; step < IPVS_STEP_COUNT; step++) {
		for (size_t i = 0; i < count; i++) {
			bool done = false;

			while (!done) {
				struct ipvs_ops out = { .ops = ops, .size = room };

				done = ipvs_diff_step(rows[i]->want, rows[i]->have, rows[i]->lost,
						      (enum ipvs_step)step, rules, &out);
				assert_true(done || out.count);
				ipvs_ops_print(ops, out.count, text);
				for (size_t k = 0; k < out.count; k++) {
					ipvs_image_apply(m, rows[i], &ops[k]);
					if (kernel)
						assert_int_equal(fake_ipvs_do(kernel, &ops[k]), 0);
				}
			}
		}
	}
}

static void assert_settled(const struct ipvs_image *m, const struct ipvs_diff_rules *rules)
{
	struct ipvs_row *row;

	for (size_t pos = 0; (row = map_next(&m->rows, &pos));)
		assert_int_equal(ipvs_diff_first(row->want, row->have, rules), IPVS_STEP_COUNT);
}

static void diff_is(void **state)
{
	const struct diff_case *c = *state;
	struct ipvs_diff_rules rules = { .may_delete = !c->incomplete, .quiesce = c->quiesce };
	struct ipvs_image m;
	struct buf text = { 0 };

	load(&m, c->kernel, c->want, c->down);
	run(&m, &rules, 512, &text, NULL);
	assert_string_equal(buf_cstr(&text), c->ops);
	/* Once is enough. */
	buf_reset(&text);
	run(&m, &rules, 512, &text, NULL);
	assert_string_equal(buf_cstr(&text), "");
	if (!c->quiesce)
		assert_settled(&m, &rules);
	buf_done(&text);
	ipvs_image_done(&m);
}

/* --- random tables --- */

static uint64_t random_state;

static uint32_t pick(uint32_t n)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(random_state >> 33) % n;
}

static void random_table(struct buf *out)
{
	static const char *const schedulers[] = { "rr", "wrr", "wlc", "mh", "none" };
	static const char *const forward[] = { "-m", "-g", "-i --tun-type gre" };

	buf_reset(out);
	for (unsigned i = 0; i < 5; i++) {
		if (pick(4) == 0)
			continue;
		buf_printf(out, "-A -t 10.0.0.%u:80 -s %s%s\n", i, schedulers[pick(5)],
			   pick(4) ? "" : " -p 60");
		for (unsigned k = 0; k < 6; k++) {
			if (pick(3) == 0)
				continue;
			buf_printf(out, "-a -t 10.0.0.%u:80 -r 10.1.0.%u:80 %s -w %u\n", i, k,
				   forward[pick(8) ? 0 : pick(3)], pick(3));
		}
	}
	buf_cstr(out);
}

/* mh never goes without its fallback flag, whatever was asked for. */
static void assert_kernel_is(const struct fake_ipvs *f, const char *want)
{
	struct ipvs_table t;
	struct ipvs_service *s;
	struct buf got = { 0 }, expected = { 0 };

	ipvs_table_init(&t);
	assert_int_equal(ipvs_table_parse(want, &t, NULL), 0);
	for (size_t pos = 0; (s = map_next(&t.by_key, &pos));)
		s->flags |= strcmp(s->scheduler, "mh") == 0 ? IPVS_SCHED1 : 0;
	ipvs_table_print(&t, &expected);
	fake_ipvs_print(f, &got);
	assert_string_equal(buf_cstr(&got), buf_cstr(&expected));
	buf_done(&got);
	buf_done(&expected);
	ipvs_table_done(&t);
}

static void any_table_becomes_any_other(void **state)
{
	const char *env = getenv("SEED");
	uint64_t seed = env ? strtoull(env, NULL, 10) : 1;
	const struct ipvs_diff_rules rules = { .may_delete = true };

	(void)state;
	for (unsigned round = 0; round < 2000; round++, seed++) {
		struct buf kernel = { 0 }, want = { 0 }, text = { 0 };
		struct fake_ipvs f;
		struct ipvs_image m;

		random_state = seed;
		print_message("%s", round ? "" : "seeds from SEED\n");
		random_table(&kernel);
		random_table(&want);
		fake_ipvs_init(&f);
		fake_ipvs_load(&f, buf_cstr(&kernel));
		load(&m, buf_cstr(&kernel), buf_cstr(&want), NULL);
		run(&m, &rules, 2 + pick(20), &text, &f);
		/* Weights that had to wait for a scheduler come in a second look. */
		run(&m, &rules, 2 + pick(20), &text, &f);
		if (f.pointless)
			fail_msg("seed %llu: an equal value was sent", (unsigned long long)seed);
		assert_settled(&m, &rules);
		assert_kernel_is(&f, buf_cstr(&want));
		ipvs_image_done(&m);
		fake_ipvs_done(&f);
		buf_done(&kernel);
		buf_done(&want);
		buf_done(&text);
	}
}

static void what_was_lost_comes_back_in_its_old_order(void **state)
{
	const char *order = A "-a" D2 " -w 1\n-a" D1 " -w 1\n-a" D3 " -w 1\n";
	struct ipvs_image m;
	struct ipvs_row *row;
	struct buf text = { 0 };
	size_t pos = 0;

	(void)state;
	/* 2 is the oldest. */
	load(&m, order, A "-a" D1 " -w 1\n-a" D2 " -w 1\n-a" D3 " -w 1\n", NULL);
	row = map_next(&m.rows, &pos);
	ipvs_image_lose(&m, row, true);
	run(&m, &(struct ipvs_diff_rules){ 0 }, 512, &text, NULL);
	assert_string_equal(buf_cstr(&text), order);
	buf_done(&text);
	ipvs_image_done(&m);
}

static bool is_two(void *arg, const struct ipvs_dest *d)
{
	(void)arg;
	return d && d->addr.bytes[3] == 2;
}

static void a_blocked_destination_stops_no_other(void **state)
{
	const struct ipvs_diff_rules rules = { .blocked = is_two };
	struct ipvs_image m;
	struct buf text = { 0 };

	(void)state;
	load(&m, "", A "-a" D1 " -w 1\n-a" D2 " -w 1\n-a" D3 " -w 1\n", NULL);
	run(&m, &rules, 512, &text, NULL);
	assert_string_equal(buf_cstr(&text), A "-a" D1 " -w 1\n-a" D3 " -w 1\n");
	assert_settled(&m, &rules);
	buf_done(&text);
	ipvs_image_done(&m);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(any_table_becomes_any_other),
		cmocka_unit_test(what_was_lost_comes_back_in_its_old_order),
		cmocka_unit_test(a_blocked_destination_stops_no_other),
	};
	struct CMUnitTest tests[ARRAY_LEN(cases)] = { 0 };
	int failed;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		tests[i].name = cases[i].name;
		tests[i].test_func = diff_is;
		tests[i].initial_state = (void *)(uintptr_t)&cases[i];
	}
	failed = cmocka_run_group_tests_name("diff", tests, NULL, NULL);
	return cmocka_run_group_tests(others, NULL, NULL) + failed;
}
