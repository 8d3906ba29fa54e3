/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core and what becomes of members that fail and come back: weights that grow, shares that hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define WEB(annotations, members)                                                                \
	"kind: Service\napiVersion: v1\nmetadata: {name: web, annotations: {" annotations "}}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30080}]}\n---\n"           \
	"kind: Endpoints\napiVersion: v1\nmetadata: {name: web}\n"                               \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [" members "]}]\n"
#define SLOW "parasaus.io/slow-start: '20', parasaus.io/weight: '20'"
#define SAYS                                                                                       \
	"parasaus.io/weight: '9', parasaus.io/health-check-type: http, "                           \
	"parasaus.io/health-check-drain-status: '503', parasaus.io/health-check-degraded-status: " \
	"'520'"
#define ONE   "{ip: 10.1.0.1}"
#define TWO   "{ip: 10.1.0.2}"
#define THREE ONE ", " TWO ", {ip: 10.1.0.3}"
#define FOUR  THREE ", {ip: 10.1.0.4}"
#define A     "10.1.0.1:8080"
#define B     "10.1.0.2:8080"
#define C     "10.1.0.3:8080"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"
#define D3(w) "-a -t 10.0.0.1:30080 -r 10.1.0.3:8080 -m -w " w "\n"
#define D4(w) "-a -t 10.0.0.1:30080 -r 10.1.0.4:8080 -m -w " w "\n"

/* The reasons of the member there, as shown. */
static uint32_t reasons_of(struct world *w, size_t place)
{
	const struct core *c = w->context.arg;
	struct snapshot *s;
	uint32_t reasons;

	pass(w, 100);
	s = snapshot_slot_get(c->view.slot);
	assert_int_equal(s->pool_count, 1);
	reasons = s->pools[0]->members[place].reasons;
	snapshot_unref(s);
	return reasons;
}

static void start_slow_pair(struct world *w)
{
	write_pool(w, "web.yaml", WEB(SLOW, ONE "," TWO));
	start_all(w, "");
	await_targets(w, 2);
	verdict(w, A, VERDICT_UP);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("20") D2("20"));
}

static void lose_second(struct world *w)
{
	verdict(w, B, VERDICT_DOWN);
	await_wanted(w, VIP D1("20") D2("0"));
}

static void who_comes_back_begins_with_a_tenth(void **state)
{
	struct world *w = *state;

	start_slow_pair(w);
	lose_second(w);
	pass(w, 5000);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("20") D2("2"));
	assert_int_equal(reasons_of(w, 1), MEMBER_SLOW_START);
	pass(w, 1500);
	assert_string_equal(wanted_text(w), VIP D1("20") D2("2"));
	pass(w, 500);
	await_wanted(w, VIP D1("20") D2("4"));
	/* The other one fails: it has to do all of the work. */
	verdict(w, A, VERDICT_DOWN);
	await_wanted(w, VIP D1("0") D2("20"));
	assert_int_equal(reasons_of(w, 1), 0);
	verdict(w, A, VERDICT_UP);
	await_wanted(w, VIP D1("2") D2("4"));
	pass(w, 18000);
	await_wanted(w, VIP D1("20") D2("20"));
	assert_int_equal(reasons_of(w, 1), 0);
}

/* Not seen failed, not seen by us, or not down: nothing that has to grow. */
static void only_who_was_seen_failed_begins_slowly(void **state)
{
	struct world *w = *state;

	start_slow_pair(w);
	verdict(w, B, VERDICT_UNKNOWN);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("20") D2("20"));
	lose_second(w);
	pass(w, 1000);
	stop_core(w);
	start_all(w, VIP D1("20") D2("0"));
	await_targets(w, 2);
	verdict(w, A, VERDICT_UP);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("20") D2("20"));
}

static void a_start_in_the_midst_is_no_slow_one(void **state)
{
	struct world *w = *state;

	start_slow_pair(w);
	lose_second(w);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("20") D2("2"));
	pass(w, 1000);
	stop_core(w);
	start_all(w, VIP D1("20") D2("2"));
	await_wanted(w, VIP D1("20") D2("20"));
}

static void too_few_take_back_those_that_were_up_last(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB("parasaus.io/min-healthy: '50'", FOUR));
	start_all(w, "");
	await_targets(w, 4);
	for (int i = 1; i <= 4; i++) {
		char where[32];

		snprintf(where, sizeof(where), "10.1.0.%d:8080", i);
		verdict(w, where, VERDICT_UP);
	}
	await_wanted(w, VIP D1("1") D2("1") D3("1") D4("1"));
	verdict(w, A, VERDICT_DOWN);
	pass(w, 60000);
	await_wanted(w, VIP D2("1") D3("1") D4("1"));
	verdict(w, B, VERDICT_DOWN);
	await_wanted(w, VIP D2("0") D3("1") D4("1"));
	pass(w, 1000);
	verdict(w, "10.1.0.3:8080", VERDICT_DOWN);
	/* A was down for long then. */
	await_wanted(w, VIP D2("1") D3("1") D4("1"));
	assert_int_equal(reasons_of(w, 2), MEMBER_FAIL_OPEN | MEMBER_UNHEALTHY);
	assert_non_null(strstr(buf_cstr(&w->log), "too few members are up"));
	pass(w, 120000);
	await_wanted(w, VIP D2("1") D3("1") D4("1"));
	stop_core(w);
	start_all(w, VIP D2("1") D3("1") D4("1"));
	await_wanted(w, VIP D2("1") D3("1") D4("1"));
	await_targets(w, 4);
	verdict(w, A, VERDICT_UP);
	await_wanted(w, VIP D1("1") D4("1"));
}

static void start_three(struct world *w, const char *settings)
{
	write_pool(w, "web.yaml", settings);
	start_all(w, "");
	await_targets(w, 3);
	verdict(w, A, VERDICT_UP);
	verdict(w, B, VERDICT_UP);
	verdict(w, C, VERDICT_UP);
	await_wanted(w, VIP D1("9") D2("9") D3("9"));
}

/* In the table with weight 0, its connections go on; nobody waits for another verdict of state. */
static void who_drains_gets_nothing_new_until_it_is_well(void **state)
{
	struct world *w = *state;

	start_three(w, WEB(SAYS, THREE));
	verdict_why(w, B, VERDICT_UP, HC_REASON_DRAINING);
	await_wanted(w, VIP D1("9") D2("0") D3("9"));
	assert_int_equal(reasons_of(w, 1), MEMBER_DRAINING);
	/* It is up all the same, for longer than a member may drain that is to go. */
	pass(w, 3600000);
	assert_string_equal(wanted_text(w), VIP D1("9") D2("0") D3("9"));
	/* A prober that started again has not heard of it. */
	verdict_why(w, B, VERDICT_UP, HC_REASON_INHERITED);
	pass(w, 10000);
	assert_string_equal(wanted_text(w), VIP D1("9") D2("0") D3("9"));
	/* Nor has another check, until it has asked. */
	write_pool(w, "web.yaml", WEB(SAYS ", parasaus.io/health-check-timeout: 500ms", THREE));
	await_targets(w, 6); /* the old ones linger */
	pass(w, 61000);
	await_targets(w, 3);
	verdict_why(w, B, VERDICT_UP, HC_REASON_INHERITED);
	pass(w, 10000);
	assert_string_equal(wanted_text(w), VIP D1("9") D2("0") D3("9"));
	assert_int_equal(reasons_of(w, 1), MEMBER_DRAINING | MEMBER_INHERITED);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("9") D2("9") D3("9"));
	assert_int_equal(reasons_of(w, 1), 0);
	/* All go at once: then somebody has to do the work. */
	verdict_why(w, A, VERDICT_UP, HC_REASON_DRAINING);
	verdict_why(w, B, VERDICT_UP, HC_REASON_DRAINING);
	verdict_why(w, C, VERDICT_UP, HC_REASON_DRAINING);
	await_wanted(w, VIP D1("9") D2("9") D3("9"));
	/* One that is gone is down, whatever it said before. */
	verdict(w, C, VERDICT_UP);
	verdict(w, B, VERDICT_DOWN);
	await_wanted(w, VIP D1("0") D2("0") D3("9"));
	assert_int_equal(reasons_of(w, 1), MEMBER_UNHEALTHY);
}

static void who_is_degraded_gets_little(void **state)
{
	struct world *w = *state;

	start_three(w, WEB(SAYS, THREE));
	verdict_why(w, B, VERDICT_UP, HC_REASON_DEGRADED);
	await_wanted(w, VIP D1("9") D2("1") D3("9"));
	assert_int_equal(reasons_of(w, 1), MEMBER_DEGRADED);
	verdict_why(w, B, VERDICT_UP, HC_REASON_DRAINING);
	await_wanted(w, VIP D1("9") D2("0") D3("9"));
	assert_int_equal(reasons_of(w, 1), MEMBER_DRAINING);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("9") D2("9") D3("9"));
}

/* Core and the prober both: nobody is left who heard it. */
static void what_a_member_said_outlives_a_restart_of_all(void **state)
{
	struct world *w = *state;

	start_three(w, WEB(SAYS, THREE));
	verdict_why(w, A, VERDICT_UP, HC_REASON_DEGRADED);
	verdict_why(w, B, VERDICT_UP, HC_REASON_DRAINING);
	await_wanted(w, VIP D1("1") D2("0") D3("9"));
	pass(w, 1000);
	stop_core(w);
	start_all(w, VIP D1("1") D2("0") D3("9"));
	await_targets(w, 3);
	verdict_why(w, A, VERDICT_UP, HC_REASON_INHERITED);
	verdict_why(w, B, VERDICT_UP, HC_REASON_INHERITED);
	pass(w, 10000);
	assert_string_equal(wanted_text(w), VIP D1("1") D2("0") D3("9"));
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("9") D3("9"));
	/* It says so no more, and that is remembered as well. */
	pass(w, 1000);
	stop_core(w);
	start_all(w, VIP D1("1") D2("9") D3("9"));
	await_wanted(w, VIP D1("1") D2("9") D3("9"));
}

static void who_drains_is_one_of_those_that_are_up(void **state)
{
	struct world *w = *state;

	start_three(w, WEB(SAYS ", parasaus.io/min-healthy: '60'", THREE));
	verdict(w, C, VERDICT_DOWN);
	verdict_why(w, B, VERDICT_UP, HC_REASON_DRAINING);
	await_wanted(w, VIP D1("9") D2("0") D3("0"));
	assert_null(strstr(buf_cstr(&w->log), "too few members are up"));
	verdict(w, B, VERDICT_DOWN);
	await_wanted(w, VIP D1("9") D2("9") D3("9"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_comes_back_begins_with_a_tenth, core_world_up,
						core_world_down),
		cmocka_unit_test_setup_teardown(only_who_was_seen_failed_begins_slowly,
						core_world_up, core_world_down),
		cmocka_unit_test_setup_teardown(a_start_in_the_midst_is_no_slow_one, core_world_up,
						core_world_down),
		cmocka_unit_test_setup_teardown(too_few_take_back_those_that_were_up_last,
						core_world_up, core_world_down),
		cmocka_unit_test_setup_teardown(who_drains_gets_nothing_new_until_it_is_well,
						core_world_up, core_world_down),
		cmocka_unit_test_setup_teardown(who_is_degraded_gets_little, core_world_up,
						core_world_down),
		cmocka_unit_test_setup_teardown(what_a_member_said_outlives_a_restart_of_all,
						core_world_up, core_world_down),
		cmocka_unit_test_setup_teardown(who_drains_is_one_of_those_that_are_up,
						core_world_up, core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
