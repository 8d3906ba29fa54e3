/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe engine and mysql servers that count broken logins: it is never locked out. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_mysql.h"
#include "tests/lib/hc_world.h"

#define HOUR_MS	  (3600 * INT64_C(1000))
#define MINUTE_MS (60 * INT64_C(1000))

struct ground {
	struct world w;
	struct fake_mysql mysql;
	struct fake_service service;
	struct fake_server *server;
	uint64_t id;
};

static void tell_secret(struct ground *g, const char *password)
{
	struct hc_secret s = { .name = xstrdup("db/check"), .present = password != NULL };

	if (password) {
		s.username = xstrdup("parasaus");
		s.password = xstrdup(password);
	}
	hc_engine_put_secret(g->w.engine, &s);
	hc_secret_done(&s);
}

static void ground_up(struct ground *g, uint64_t seed, enum check_role role, const char *password)
{
	*g = (struct ground){ .w = world_new(seed, 100) };
	g->mysql = (struct fake_mysql){ .user = "parasaus",
					.password = "a word",
					.max_connect_errors = 100 };
	g->service = fake_mysql_service(&g->mysql);
	check_unref(g->w.check);
	g->w.check = check_new(CHECK_MYSQL);
	g->w.check->secret = xstrdup("db/check");
	g->w.check->role = role;
	g->server = world_server(&g->w, 1);
	g->server->service = &g->service;
	if (password)
		tell_secret(g, password);
	g->id = world_put(&g->w, 1, VERDICT_UNKNOWN);
}

static void ground_down(struct ground *g)
{
	world_done(&g->w);
}

static struct hc_verdict verdict(struct ground *g)
{
	return world_verdict(&g->w, g->id);
}

static void a_good_server_is_up_and_owed_nothing(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, 1, CHECK_ROLE_ANY, "a word");
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	world_run_ms(&g.w, HOUR_MS);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(verdict(&g).failed, 0);
	assert_in_range(g.mysql.logins, 1700, 1900);
	assert_int_equal(g.mysql.logins, g.mysql.connections);
	assert_int_equal(g.mysql.quits, g.mysql.logins);
	assert_int_equal(g.mysql.broken, 0);
	assert_int_equal(world_status(&g.w).in_flight, 0);
	ground_down(&g);
}

/* A server that accepts and then hangs is down, at once and for good, and locks nobody out. */
static void a_hanging_server_is_down_and_spared(void **state)
{
	static const enum fake_mysql_habit habits[] = { FAKE_MYSQL_HANGS_BEFORE_GREETING,
							FAKE_MYSQL_HANGS_BEFORE_VERDICT,
							FAKE_MYSQL_CLOSES_BEFORE_GREETING,
							FAKE_MYSQL_CLOSES_BEFORE_VERDICT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(habits); i++) {
		struct ground g;

		ground_up(&g, i, CHECK_ROLE_ANY, "a word");
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
		g.mysql.habit = habits[i];
		assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 9000) >= 0);
		assert_int_equal(world_wait_for(&g.w, g.id, VERDICT_UP, HOUR_MS), -1);
		/* Who closes by itself counts nothing. */
		assert_in_range(g.mysql.errors_in_row, i < 2 ? 20 : 0, 80);
		g.mysql.habit = FAKE_MYSQL_USUAL;
		assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, MINUTE_MS + 3000) >= 0);
		assert_int_equal(g.mysql.errors_in_row, 0);
		world_run_ms(&g.w, MINUTE_MS);
		assert_in_range(g.mysql.logins, 28, 60); /* at its interval again */
		ground_down(&g);
	}
}

/* A server that is gone is seen to be, however it is spared. */
static void a_spared_server_that_is_gone_is_refused(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, 3, CHECK_ROLE_ANY, "a word");
	g.mysql.habit = FAKE_MYSQL_HANGS_BEFORE_VERDICT;
	world_run_ms(&g.w, 5 * MINUTE_MS);
	assert_int_equal(verdict(&g).reason, HC_REASON_HELD_BACK);
	g.server->mode = FAKE_REFUSES;
	world_run_ms(&g.w, 10000);
	assert_int_equal(verdict(&g).reason, HC_REASON_REFUSED);
	assert_int_equal(verdict(&g).state, VERDICT_DOWN);
	ground_down(&g);
}

static void a_lock_out_moves_nothing(void **state)
{
	struct ground g;

	(void)state;
	for (enum verdict_state was = VERDICT_UP; was <= VERDICT_DOWN; was++) {
		ground_up(&g, 4, CHECK_ROLE_ANY, "a word");
		g.server->mode = was == VERDICT_DOWN ? FAKE_REFUSES : FAKE_UP;
		assert_true(world_wait_for(&g.w, g.id, was, 10000) >= 0);
		g.server->mode = FAKE_UP;
		g.mysql.errors_in_row = 100; /* somebody else behind our address */
		g.mysql.connections = 0;
		world_run_ms(&g.w, 10 * MINUTE_MS);
		assert_int_equal(verdict(&g).state, was);
		assert_int_equal(verdict(&g).reason, HC_REASON_BLOCKED);
		assert_in_range(g.mysql.connections, 9, 11);
		g.mysql.errors_in_row = 0; /* FLUSH HOSTS */
		world_run_ms(&g.w, MINUTE_MS + 5000);
		assert_int_equal(verdict(&g).state, VERDICT_UP);
		assert_int_equal(verdict(&g).reason, HC_REASON_OK);
		ground_down(&g);
	}
}

static void a_wrong_account_is_alive_and_has_no_role(void **state)
{
	struct ground g;

	(void)state;
	for (enum check_role role = CHECK_ROLE_ANY; role <= CHECK_ROLE_GALERA; role++) {
		ground_up(&g, role, role, "another");
		world_run_ms(&g.w, 10 * MINUTE_MS);
		assert_int_equal(verdict(&g).state,
				 role == CHECK_ROLE_ANY ? VERDICT_UP : VERDICT_UNKNOWN);
		assert_int_equal(verdict(&g).reason, HC_REASON_AUTH);
		assert_int_equal(verdict(&g).detail, 1045);
		assert_int_equal(g.mysql.broken, 0);
		/* Its log gets a line each time: never at the fast interval. */
		assert_in_range(g.mysql.refused, 270, 310);
		ground_down(&g);
	}
}

static void without_a_secret_the_server_hears_nothing(void **state)
{
	struct ground g;

	(void)state;
	for (enum check_role role = CHECK_ROLE_ANY; role <= CHECK_ROLE_WRITER; role++) {
		ground_up(&g, 5, role, NULL);
		world_run_ms(&g.w, MINUTE_MS);
		assert_int_equal(verdict(&g).reason, HC_REASON_NO_SECRET);
		assert_int_equal(verdict(&g).state,
				 role == CHECK_ROLE_ANY ? VERDICT_UP : VERDICT_UNKNOWN);
		assert_int_equal(g.mysql.connections, 0);
		g.server->mode = FAKE_REFUSES;
		assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 9000) >= 0);
		g.server->mode = FAKE_UP;
		tell_secret(&g, "a word");
		world_run_ms(&g.w, 5000);
		assert_true(g.mysql.logins > 0);
		ground_down(&g);
	}
}

/* It accepts and says nothing: without its Secret nobody could tell that from being well. */
static void who_hangs_stays_down_when_its_secret_goes(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, 5, CHECK_ROLE_ANY, "a word");
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	g.mysql.habit = FAKE_MYSQL_HANGS_BEFORE_GREETING;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 9000) >= 0);
	tell_secret(&g, NULL);
	world_run_ms(&g.w, 10 * MINUTE_MS);
	assert_int_equal(verdict(&g).state, VERDICT_DOWN);
	assert_int_equal(verdict(&g).reason, HC_REASON_NO_SECRET);
	tell_secret(&g, "a word");
	world_run_ms(&g.w, 5000);
	assert_int_equal(verdict(&g).state, VERDICT_DOWN);
	assert_int_equal(verdict(&g).reason, HC_REASON_TIMEOUT);
	g.mysql.habit = FAKE_MYSQL_USUAL;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 9000) >= 0);
	ground_down(&g);
}

/* The goodbye is waited for, but not for long. */
static void a_server_that_never_closes_is_up_all_the_same(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, 6, CHECK_ROLE_ANY, "a word");
	g.mysql.habit = FAKE_MYSQL_HANGS_BEFORE_CLOSE;
	world_run_ms(&g.w, MINUTE_MS);
	assert_int_equal(verdict(&g).state, VERDICT_UP);
	assert_int_equal(verdict(&g).failed, 0);
	assert_in_range(verdict(&g).latency_us, HC_SETTLED_MS * 1000, HC_SETTLED_MS * 1000 + 5000);
	assert_int_equal(g.mysql.broken, 0);
	ground_down(&g);
}

/* Each byte in time, and the whole of it not: the deadline is for all of the check. */
static void a_trickle_is_out_of_time(void **state)
{
	struct ground g;

	(void)state;
	ground_up(&g, 7, CHECK_ROLE_ANY, "a word");
	g.server->piece = 1;
	g.server->latency_us = 300; /* a hundred bytes or so: slow, but well in time */
	assert_true(world_wait_for(&g.w, g.id, VERDICT_UP, 2500) >= 0);
	g.server->latency_us = 50000;
	assert_true(world_wait_for(&g.w, g.id, VERDICT_DOWN, 9000) >= 0);
	assert_int_equal(verdict(&g).reason, HC_REASON_TIMEOUT);
	ground_down(&g);
}

/* What we broke off ourselves counts as well. */
static void a_target_that_goes_in_the_midst_of_a_login_leaves_a_count(void **state)
{
	struct ground g;
	uint64_t other;

	(void)state;
	ground_up(&g, 8, CHECK_ROLE_ANY, "a word");
	g.w.check->timeout_ms = 999; /* a target of its own, on the same server */
	other = world_put(&g.w, 1, VERDICT_UNKNOWN);
	g.mysql.habit = FAKE_MYSQL_HANGS_BEFORE_VERDICT;
	for (int i = 0; i < 40; i++) {
		world_run_ms(&g.w, 50); /* connected, and hanging */
		hc_engine_remove(g.w.engine, other);
		other = world_put(&g.w, 1, VERDICT_UNKNOWN);
	}
	world_run_ms(&g.w, 10 * MINUTE_MS);
	assert_in_range(g.mysql.errors_in_row, 20, 34);
	ground_down(&g);
}

/* Many servers of changing moods, and none of them ever comes near to locking us out. */
static void no_server_ever_locks_us_out(void **state)
{
	enum { SERVERS = 20, ROUNDS = 300 };
	static struct fake_mysql mysql[SERVERS];
	static struct fake_service services[SERVERS];
	struct ground g;

	(void)state;
	ground_up(&g, 4711, CHECK_ROLE_ANY, "a word");
	g.w.check->interval_ms = 1000;
	g.w.check->timeout_ms = 500;
	for (uint32_t i = 0; i < SERVERS; i++) {
		mysql[i] = g.mysql;
		services[i] = fake_mysql_service(&mysql[i]);
		world_server(&g.w, 100 + i)->service = &services[i];
		world_put(&g.w, 100 + i, VERDICT_UNKNOWN);
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t i = fake_net_random(g.w.net) % SERVERS;
		struct fake_server *s = world_server(&g.w, 100 + i);

		mysql[i].habit = (enum fake_mysql_habit)(fake_net_random(g.w.net) % 6);
		s->latency_us = 300 + fake_net_random(g.w.net) % 100000;
		s->loss_permille = fake_net_random(g.w.net) % 200;
		s->mode = fake_net_random(g.w.net) % 8 ? FAKE_UP : FAKE_SILENT;
		fake_net_cost(g.w.net, fake_net_random(g.w.net) % 4 ? 0 : 20000);
		world_run_ms(&g.w, 10000);
		for (i = 0; i < SERVERS; i++)
			assert_in_range(mysql[i].errors_in_row, 0, 99);
	}
	ground_down(&g);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_server_is_up_and_owed_nothing),
		cmocka_unit_test(a_hanging_server_is_down_and_spared),
		cmocka_unit_test(a_spared_server_that_is_gone_is_refused),
		cmocka_unit_test(a_lock_out_moves_nothing),
		cmocka_unit_test(a_wrong_account_is_alive_and_has_no_role),
		cmocka_unit_test(without_a_secret_the_server_hears_nothing),
		cmocka_unit_test(who_hangs_stays_down_when_its_secret_goes),
		cmocka_unit_test(a_server_that_never_closes_is_up_all_the_same),
		cmocka_unit_test(a_trickle_is_out_of_time),
		cmocka_unit_test(a_target_that_goes_in_the_midst_of_a_login_leaves_a_count),
		cmocka_unit_test(no_server_ever_locks_us_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
