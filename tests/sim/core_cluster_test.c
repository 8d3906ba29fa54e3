/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole of core on a cluster: a fake API server, restarts, an API that is away (tests/lib/core_world.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <unistd.h>

#include "agent/core_private.h"
#include "tests/lib/core_world.h"
#include "tests/lib/fake_kube.h"

#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

/* `metadata`: further members of it, of the Endpoints. */
static void put_web_with(struct world *w, const char *metadata, const char *members)
{
	char fields[256];

	fake_kube_put(w->server, FAKE_SERVICES, "default", "web", "",
		      ",\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"p\",\"port\":80,"
		      "\"nodePort\":30080}]}");
	snprintf(fields, sizeof(fields),
		 ",\"subsets\":[{\"addresses\":[%s],\"ports\":[{\"name\":\"p\",\"port\":8080}]}]",
		 members);
	fake_kube_put(w->server, FAKE_ENDPOINTS, "default", "web", metadata, fields);
}

static void put_web(struct world *w, const char *members)
{
	put_web_with(w, "", members);
}

/* As the controller does it that makes Endpoints, of a change that many milliseconds ago. */
static void put_web_changed(struct world *w, int64_t ago_ms, const char *members)
{
	int64_t ms = w->clock.wall_ms(w) - ago_ms;
	char metadata[160], text[32];
	time_t s = ms / 1000;
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));
	snprintf(metadata, sizeof(metadata),
		 ",\"annotations\":{\"endpoints.kubernetes.io/last-change-trigger-time\":"
		 "\"%s.%03dZ\"}",
		 text, (int)(ms % 1000));
	put_web_with(w, metadata, members);
}

#define J1 "{\"ip\":\"10.1.0.1\"}"
#define J2 "{\"ip\":\"10.1.0.2\"}"

static void a_cluster_becomes_a_service_and_its_changes(void **state)
{
	struct world *w = *state;

	put_web(w, J1);
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	assert_true(w->commit.complete);
	await_targets(w, 1);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	pass(w, 100);
	put_web(w, J1 "," J2);
	await_targets(w, 2);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	fake_kube_delete(w->server, FAKE_SERVICES, "default", "web");
	await_wanted(w, VIP D1("0") D2("0")); /* drained */
}

static uint64_t reactions(struct world *w, uint64_t *sum_us)
{
	const struct core *c = w->context.arg;
	const struct histogram *h = &c->kernel.shown.reaction;
	uint64_t n = 0;

	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->counts[i];
	*sum_us = h->sum_us;
	return n;
}

static void a_change_is_timed_from_where_it_was_made(void **state)
{
	struct world *w = *state;
	uint64_t sum_us;

	put_web_changed(w, 3600000, J1);
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	pass(w, 1000);
	assert_int_equal(reactions(w, &sum_us), 0); /* it was so before there was an agent */

	w->acknowledge = false;
	put_web_changed(w, 2000, J1 "," J2);
	await_wanted(w, VIP D1("1") D2("1"));
	assert_int_equal(reactions(w, &sum_us), 0); /* the kernel is not so yet */
	w->acknowledge = true;
	put_web_changed(w, 5000, J2);
	await_wanted(w, VIP D1("0") D2("1"));
	pass(w, 100);
	assert_int_equal(reactions(w, &sum_us), 2);
	assert_in_range(sum_us, 7000000, 9000000);

	put_web_changed(w, 7000, J2); /* changes nothing, and is of no later change */
	pass(w, 1000);
	put_web(w, J1 "," J2);
	await_wanted(w, VIP D1("1") D2("1"));
	pass(w, 1000);
	assert_int_equal(reactions(w, &sum_us), 2);
}

static void a_restart_goes_on_without_a_list(void **state)
{
	struct world *w = *state;
	size_t lists;

	put_web(w, J1 "," J2);
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	pass(w, 5000);
	lists = w->server->lists;
	stop_core(w);
	put_web(w, J1);
	start_all(w, VIP D1("1") D2("1"));
	await_wanted(w, VIP D1("1") D2("0")); /* drained */
	pass(w, 5000);
	assert_int_equal(w->server->lists, lists);
	assert_true(w->commit.complete);
}

/* How many problems name the source as such. */
static size_t source_problems(struct world *w)
{
	const struct core *c = w->context.arg;
	struct snapshot *s = snapshot_slot_get(c->view.slot);
	size_t n = 0;

	for (size_t i = 0; i < s->problem_count; i++)
		n += strstr(s->problems[i].text, "cannot be read, its last good state holds: ") &&
		     strcmp(s->problems[i].where, source_where(&c->sources[0])) == 0;
	snapshot_unref(s);
	return n;
}

static void without_the_server_the_state_serves(void **state)
{
	struct world *w = *state;

	put_web(w, J1);
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	pass(w, 5000);
	stop_core(w);
	fake_kube_delete(w->server, FAKE_SERVICES, "default", "web");
	w->server->down = true;
	start_all(w, VIP D1("1"));
	await_wanted(w, VIP D1("1"));
	pass(w, 100000);
	assert_string_equal(wanted_text(w), VIP D1("1"));
	assert_false(w->commit.complete);
	assert_int_equal(source_problems(w), 1);
	w->server->down = false;
	pass(w, 6000);
	await_wanted(w, VIP D1("0")); /* drained */
	pass(w, 1000);
	assert_true(w->commit.complete);
	assert_int_equal(source_problems(w), 0);
}

static void put_db(struct world *w)
{
	fake_kube_put(w->server, FAKE_SERVICES, "default", "db",
		      ",\"annotations\":{\"parasaus.io/health-check-type\":\"mysql\","
		      "\"parasaus.io/health-check-secret\":\"check\"}",
		      ",\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"p\",\"port\":80,"
		      "\"nodePort\":30080}]}");
	fake_kube_put(w->server, FAKE_ENDPOINTS, "default", "db", "",
		      ",\"subsets\":[{\"addresses\":[" J1
		      "],\"ports\":[{\"name\":\"p\",\"port\":8080}]}]");
}

static const struct hc_secret *await_secret(struct world *w)
{
	for (int i = 0; i < 3 && !secret_told(w, "default/check"); i++)
		pass(w, 30000);
	assert_non_null(secret_told(w, "default/check"));
	return secret_told(w, "default/check");
}

/* The healthcheck process has it from a core before: it is not to be taken from there. */
static void without_the_server_nothing_is_said_of_a_secret(void **state)
{
	struct world *w = *state;

	put_db(w);
	fake_kube_put(w->server, FAKE_SECRETS, "default", "check", "",
		      ",\"data\":{\"username\":\"Y2hlY2s=\",\"password\":\"cHc=\"}");
	start_all(w, "");
	assert_true(await_secret(w)->present);
	pass(w, 5000);
	stop_core(w);
	w->server->down = true;
	start_all(w, VIP D1("1"));
	await_targets(w, 1);
	pass(w, 100000);
	assert_int_equal(w->target_count, 1);
	assert_null(secret_told(w, "default/check"));
	fake_kube_delete(w->server, FAKE_SECRETS, "default", "check");
	w->server->down = false;
	assert_false(await_secret(w)->present); /* now it is known */
}

static void a_kubeconfig_that_cannot_be_read_is_no_beginning(void **state)
{
	struct world *w = *state;

	assert_int_equal(unlink(path_in(w, "kubeconfig")), 0);
	w->context = (struct role_context){ .loop = w->loop, .config = w->config };
	assert_int_equal(core_prepare(&w->context), 0);
	assert_true(core_start(&w->context) < 0);
	http_free(w->server->http); /* it was not taken over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_cluster, core_world_down)
		T(a_cluster_becomes_a_service_and_its_changes),
		T(a_change_is_timed_from_where_it_was_made),
		T(a_restart_goes_on_without_a_list),
		T(without_the_server_the_state_serves),
		T(without_the_server_nothing_is_said_of_a_secret),
		T(a_kubeconfig_that_cannot_be_read_is_no_beginning),
	};

	return cmocka_run_group_tests_name("core on a cluster", tests, NULL, NULL);
}
