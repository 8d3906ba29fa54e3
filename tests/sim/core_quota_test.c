/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core and how much is checked for one namespace: who is, who waits, and that waiting harms nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "agent/api/view.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define LINGERS_MS 61000

/* A pool NAME of namespace NS at PORT whose members are 10.1.0.FIRST to .LAST. */
static void write_annotated(struct world *w, const char *ns, const char *name, unsigned port,
			    unsigned first, unsigned last, const char *annotations)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char file[32];

	buf_printf(&b,
		   "kind: Service\napiVersion: v1\nmetadata: {namespace: %s, name: %s, "
		   "annotations: {%s}}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n---\n"
		   "kind: Endpoints\napiVersion: v1\nmetadata: {namespace: %s, name: %s}\n"
		   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
		   ns, name, annotations, port, ns, name);
	for (unsigned i = first; i <= last; i++)
		buf_printf(&b, "%s{ip: 10.1.0.%u}", i == first ? "" : ", ", i);
	buf_str(&b, "]}]\n");
	snprintf(file, sizeof(file), "%s.yaml", name);
	write_pool(w, file, buf_cstr(&b));
}

static void write_range(struct world *w, const char *ns, const char *name, unsigned port,
			unsigned first, unsigned last)
{
	write_annotated(w, ns, name, port, first, last, "");
}

#define EVERY(time) "parasaus.io/health-check-interval: " time

static void remove_pool(struct world *w, const char *file)
{
	assert_int_equal(unlink(path_in(w, file)), 0);
}

static struct snapshot *shown(struct world *w)
{
	const struct core *c = w->context.arg;

	pass(w, 2000);
	return snapshot_slot_get(c->view.slot);
}

/* The weights of all members of all pools, in their order, as the kernel is to have them. */
static void assert_weights(struct world *w, const char *want)
{
	struct snapshot *s = shown(w);
	char got[64] = "";
	size_t n = 0;

	for (size_t i = 0; i < s->pool_count; i++) {
		for (size_t m = 0; m < s->pools[i]->member_count && n < sizeof(got) - 1; m++)
			got[n++] = (char)('0' + s->pools[i]->members[m].weight);
	}
	assert_string_equal(got, want);
	snapshot_unref(s);
}

/* How many are not checked, and what pool `place` says of it; NULL: nothing. */
static void assert_unchecked(struct world *w, uint32_t count, size_t place, const char *says)
{
	struct snapshot *s = shown(w);
	uint32_t over = 0;

	assert_int_equal(s->over_quota, count);
	for (size_t i = 0; i < s->targets->count; i++) {
		if (strcmp(s->targets->items[i].reason, "over quota") != 0)
			continue;
		assert_int_equal(s->targets->items[i].state, VERDICT_UP);
		assert_false(s->targets->items[i].proven);
		over++;
	}
	assert_int_equal(over, count);
	if (says) {
		const struct pool_view *v = s->pools[place];
		struct problem_item p;

		assert_int_equal(pool_view_problems(v), 1);
		p = view_pool_problem(v, 0);
		assert_false(p.error);
		assert_non_null(strstr(p.text, says));
	} else {
		assert_int_equal(pool_view_problems(s->pools[place]), 0);
	}
	snapshot_unref(s);
}

static bool is_asked(const struct world *w, unsigned host)
{
	char want[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX];

	snprintf(want, sizeof(want), "10.1.0.%u:8080", host);
	for (size_t i = 0; i < w->target_count; i++) {
		if (strcmp(endpoint_text(&w->targets[i].endpoint, text), want) == 0)
			return true;
	}
	return false;
}

/* 10.1.0.1, .2, ...: an 'x' for each that the prober is to probe, '.' for others. */
static void assert_asked(struct world *w, const char *want)
{
	char got[16] = "";

	pass(w, 100);
	for (unsigned i = 0; want[i]; i++)
		got[i] = is_asked(w, i + 1) ? 'x' : '.';
	assert_string_equal(got, want);
}

static void what_is_beyond_is_not_checked_and_serves(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_range(w, "a", "web", 30080, 1, 4);
	start_all(w, "");
	assert_asked(w, "xx..");
	assert_weights(w, "1111");
	assert_unchecked(w, 2, 0, "2 of its 4 members are not checked and serve");
	assert_unchecked(w, 2, 0, "namespace a has its quota, 2 targets (quotas");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	assert_weights(w, "1011");
	/* Not by what a prober says of those that it was not asked for, either. */
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	assert_weights(w, "0011");
	assert_non_null(strstr(buf_cstr(&w->log), "namespace a asks for more checks"));
}

static void who_waits_is_checked_once_there_is_room(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_range(w, "a", "web", 30080, 1, 3);
	start_all(w, "");
	assert_asked(w, "xx..");
	write_range(w, "a", "later", 30081, 4, 4);
	assert_asked(w, "xx..");
	/* The first goes; another one of the same pool comes: it is behind those that wait. */
	write_range(w, "a", "web", 30080, 2, 3);
	pass(w, LINGERS_MS);
	assert_asked(w, ".xx.");
	write_range(w, "a", "web", 30080, 3, 3);
	pass(w, LINGERS_MS);
	assert_asked(w, "..xx");
	assert_unchecked(w, 0, 0, NULL);
	assert_int_equal(target_at(w, "10.1.0.4:8080")->initial, VERDICT_UP);
	verdict(w, "10.1.0.3:8080", VERDICT_DOWN);
	verdict(w, "10.1.0.4:8080", VERDICT_UP);
	pass(w, 100);
	assert_non_null(strstr(buf_cstr(&w->log), "namespace a: all targets are checked"));
}

static void probes_a_second_are_a_quota_too(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.probes_per_s = 1;
	w->config->defaults.check->interval_ms = 500;
	w->config->defaults.check->timeout_ms = w->config->defaults.check->fast_ms = 500;
	write_range(w, "a", "web", 30080, 1, 3);
	start_all(w, "");
	pass(w, 100);
	assert_int_equal(w->target_count, 0);
	assert_weights(w, "111");
	assert_unchecked(w, 3, 0, "namespace a has its quota, 1 probes a second (quotas");
	stop_core(w);
	w->config->quotas.all.probes_per_s = 5;
	start_all(w, "");
	await_targets(w, 2);
	assert_asked(w, "xx.");
}

static void namespaces_have_each_their_own(void **state)
{
	static struct config_quota own[2];
	struct world *w = *state;

	own[0] = (struct config_quota){ .ns = xstrdup("b") };
	own[1] = (struct config_quota){ .ns = xstrdup("c"), .targets = 1 };
	w->config->quotas.all.targets = 2;
	w->config->quotas.own = xcalloc(2, sizeof(own[0]));
	memcpy(w->config->quotas.own, own, sizeof(own));
	w->config->quotas.own_count = 2;
	write_range(w, "a", "in-a", 30080, 1, 3);
	write_range(w, "b", "in-b", 30081, 4, 7);
	write_range(w, "c", "in-c", 30082, 8, 9);
	start_all(w, "");
	assert_asked(w, "xx.xxxxx.");
	assert_unchecked(w, 2, 1, NULL);
	/* What a namespace without limits holds, too, is checked for it. */
	write_range(w, "b", "in-b", 30081, 3, 7);
	assert_asked(w, "xxxxxxxx.");
	assert_unchecked(w, 1, 0, NULL);
	/* When that lets go of it, the other one pays; nothing ends by that. */
	write_range(w, "b", "in-b", 30081, 4, 7);
	pass(w, LINGERS_MS);
	assert_asked(w, "xxxxxxxx.");
	write_range(w, "a", "in-a", 30080, 1, 4);
	write_range(w, "b", "in-b", 30081, 5, 7);
	pass(w, LINGERS_MS);
	assert_asked(w, "xxxxxxxx.");
	/* Above its quota it gets no more. */
	write_range(w, "a", "in-a", 30080, 2, 4);
	write_range(w, "a", "more", 30083, 10, 10);
	pass(w, LINGERS_MS);
	assert_asked(w, ".xxxxxxx..");
}

static void a_restart_goes_on_checking_whom_it_checked(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_range(w, "a", "web", 30080, 3, 4);
	start_all(w, "");
	assert_asked(w, "..xx");
	verdict(w, "10.1.0.3:8080", VERDICT_UP);
	verdict(w, "10.1.0.4:8080", VERDICT_UP);
	write_range(w, "a", "web", 30080, 1, 4);
	pass(w, 5000);
	assert_asked(w, "..xx");
	stop_core(w);
	start_all(w, "");
	await_targets(w, 2);
	assert_asked(w, "..xx");
	assert_weights(w, "1111");
	/* So does a prober that was started again. */
	connect_health(w);
	health_is_told(w);
	await_targets(w, 2);
	assert_asked(w, "..xx");
	assert_int_equal(w->target_count, 2);
}

/* That there is room for one of them makes the other one no reader. */
static void who_is_asked_for_a_role_is_not_taken_for_it_unasked(void **state)
{
	struct world *w = *state;
	struct snapshot *s;

	w->config->quotas.all.targets = 1;
	check_unref(w->config->defaults.check);
	w->config->defaults.check = check_new(CHECK_REDIS);
	w->config->defaults.check->role = CHECK_ROLE_READER;
	w->config->rules.defaults = w->config->defaults;
	write_range(w, "a", "web", 30080, 1, 2);
	start_all(w, "");
	assert_asked(w, "x.");
	s = shown(w);
	assert_int_equal(s->over_quota, 1);
	assert_int_equal(s->targets->items[1].state, VERDICT_UNKNOWN);
	assert_string_equal(s->targets->items[1].reason, "over quota");
	snapshot_unref(s);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	assert_weights(w, "10");
}

/* Its other member gets the place that one gives up, and is of the same pool. */
static void a_pool_that_goes_lets_go_of_what_waits_in_it(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 1;
	write_range(w, "a", "web", 30080, 1, 2);
	start_all(w, "");
	write_range(w, "b", "other", 30081, 1, 1);
	assert_asked(w, "x.");
	assert_unchecked(w, 1, 0, "1 of its 2 members are not checked");
	remove_pool(w, "pools/web.yaml");
	assert_asked(w, "x.");
	assert_unchecked(w, 0, 0, NULL);
	pass(w, LINGERS_MS);
	assert_asked(w, "x.");
}

static void who_is_checked_otherwise_keeps_its_place(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 3;
	write_range(w, "a", "web", 30080, 1, 3);
	start_all(w, "");
	assert_asked(w, "xxx");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	write_range(w, "a", "zoo", 30081, 4, 4);
	assert_unchecked(w, 1, 1, "1 of its 1 members are not checked");
	assert_weights(w, "1011");
	write_annotated(w, "a", "web", 30080, 1, 3, EVERY("3s"));
	assert_asked(w, "xxx.");
	/* What is on no account is not probed. */
	assert_int_equal(w->target_count, 3);
	for (size_t i = 0; i < w->target_count; i++)
		assert_int_equal(w->targets[i].check->interval_ms, 3000);
	assert_weights(w, "1011");
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	assert_weights(w, "0011");
	/* As it was before: what was heard since then holds. */
	write_range(w, "a", "web", 30080, 1, 3);
	assert_asked(w, "xxx.");
	assert_int_equal(w->target_count, 3);
	assert_int_equal(target_at(w, "10.1.0.1:8080")->initial, VERDICT_DOWN);
	assert_weights(w, "0011");
}

/* Also where it comes to be what waits already, for another pool. */
static void who_joins_what_waits_keeps_its_place(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_range(w, "a", "web", 30080, 1, 2);
	start_all(w, "");
	assert_asked(w, "xx");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	write_annotated(w, "a", "first", 30082, 3, 3, EVERY("3s"));
	pass(w, 2000);
	write_annotated(w, "a", "other", 30081, 1, 2, EVERY("3s"));
	assert_weights(w, "11110");
	write_annotated(w, "a", "web", 30080, 1, 2, EVERY("3s"));
	assert_asked(w, "xx.");
	assert_int_equal(w->target_count, 2);
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_DOWN);
	assert_weights(w, "11010");
}

static void who_is_known_to_be_down_stays_so_unchecked(void **state)
{
	struct world *w = *state;
	struct snapshot *s;

	w->config->quotas.all.probes_per_s = 1;
	write_annotated(w, "a", "web", 30080, 1, 2, EVERY("2s"));
	start_all(w, "");
	assert_asked(w, "xx");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	assert_weights(w, "10");
	/* Now there is room for one only. */
	write_annotated(w, "a", "web", 30080, 1, 2, EVERY("1s"));
	assert_asked(w, "x.");
	assert_weights(w, "10");
	s = shown(w);
	assert_string_equal(s->targets->items[1].reason, "over quota");
	assert_int_equal(s->targets->items[1].state, VERDICT_DOWN);
	snapshot_unref(s);
	/* Also where it waits anew. */
	remove_pool(w, "pools/web.yaml");
	pass(w, 2000);
	assert_int_equal(w->target_count, 0);
	write_annotated(w, "a", "web", 30080, 1, 2, EVERY("1s"));
	assert_asked(w, "x.");
	assert_weights(w, "10");
	write_annotated(w, "a", "web", 30080, 1, 2, EVERY("2s"));
	assert_asked(w, "xx");
	assert_weights(w, "10");
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_DOWN);
}

static void who_was_down_before_a_restart_stays_so_unchecked(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_range(w, "a", "web", 30080, 1, 2);
	start_all(w, "");
	assert_asked(w, "xx");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	pass(w, 5000);
	stop_core(w);
	w->config->quotas.all.targets = 1;
	start_all(w, "");
	await_targets(w, 1);
	assert_asked(w, "x.");
	assert_weights(w, "10");
}

static void any_namespace_that_holds_it_has_it_checked(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 1;
	write_range(w, "a", "in-a", 30080, 1, 2);
	write_range(w, "b", "in-b", 30081, 2, 2);
	start_all(w, "");
	assert_asked(w, "xx");
	assert_unchecked(w, 0, 0, NULL);
}

static void who_waits_is_checked_by_the_first_that_has_room(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 1;
	write_range(w, "a", "in-a", 30080, 1, 2);
	write_range(w, "b", "in-b", 30081, 3, 3);
	start_all(w, "");
	assert_asked(w, "x.x");
	/* It waits for both, and is checked when either has room. */
	write_range(w, "b", "more", 30082, 2, 2);
	assert_asked(w, "x.x");
	remove_pool(w, "pools/in-b.yaml");
	pass(w, LINGERS_MS);
	assert_asked(w, "xx.");
	assert_unchecked(w, 0, 0, NULL);
	/* One that waits for both, and then for one alone. */
	write_range(w, "a", "in-a", 30080, 1, 1);
	write_range(w, "a", "later", 30083, 5, 5);
	pass(w, 2000);
	write_range(w, "b", "later-b", 30084, 5, 5);
	assert_asked(w, "xx...");
	remove_pool(w, "pools/later.yaml");
	pass(w, 2000);
	remove_pool(w, "pools/in-a.yaml");
	pass(w, LINGERS_MS);
	assert_asked(w, ".x...");
	remove_pool(w, "pools/more.yaml");
	assert_asked(w, "....x");
	assert_unchecked(w, 0, 0, NULL);
}

static void who_can_never_fit_is_in_nobodys_way(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.probes_per_s = 1;
	write_annotated(w, "a", "fast", 30080, 1, 1, EVERY("500ms"));
	write_annotated(w, "a", "web", 30081, 2, 3, EVERY("2s"));
	start_all(w, "");
	assert_asked(w, ".xx");
	assert_unchecked(w, 1, 0, "1 of them cannot be within it");
	write_annotated(w, "a", "more", 30082, 4, 4, EVERY("2s"));
	assert_asked(w, ".xx.");
	write_annotated(w, "a", "web", 30081, 2, 2, EVERY("2s"));
	assert_asked(w, ".x.x");
	assert_unchecked(w, 1, 0, "1 of them cannot be within it");
}

static void without_quotas_nothing_waits(void **state)
{
	struct world *w = *state;

	write_range(w, "a", "web", 30080, 1, 9);
	start_all(w, "");
	assert_asked(w, "xxxxxxxxx");
	assert_unchecked(w, 0, 0, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, core_world_up, core_world_down)
	static const struct CMUnitTest tests[] = {
		TEST(what_is_beyond_is_not_checked_and_serves),
		TEST(who_waits_is_checked_once_there_is_room),
		TEST(probes_a_second_are_a_quota_too),
		TEST(namespaces_have_each_their_own),
		TEST(a_restart_goes_on_checking_whom_it_checked),
		TEST(who_is_asked_for_a_role_is_not_taken_for_it_unasked),
		TEST(a_pool_that_goes_lets_go_of_what_waits_in_it),
		TEST(who_is_checked_otherwise_keeps_its_place),
		TEST(who_joins_what_waits_keeps_its_place),
		TEST(who_is_known_to_be_down_stays_so_unchecked),
		TEST(who_was_down_before_a_restart_stays_so_unchecked),
		TEST(any_namespace_that_holds_it_has_it_checked),
		TEST(who_waits_is_checked_by_the_first_that_has_room),
		TEST(who_can_never_fit_is_in_nobodys_way),
		TEST(without_quotas_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
