/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole of core: files, pools, verdicts, drains, restarts (tests/lib/core_world.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"
#include "tests/lib/random.h"

/* --- what it does ------------------------------------------------------------------------ */

#define SERVICE(name, port)                                                               \
	"kind: Service\napiVersion: v1\nmetadata: {name: " name "}\n"                     \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: " port "}]}\n---\n" \
	"kind: Endpoints\napiVersion: v1\nmetadata: {name: " name "}\n"
#define WEB(members)            \
	SERVICE("web", "30080") \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [" members "]}]\n"
#define ONE   "{ip: 10.1.0.1}"
#define TWO   "{ip: 10.1.0.2}"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

static void start_with_two(struct world *w)
{
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	start_all(w, "");
	await_targets(w, 2);
}

static void start_with_the_second_down(struct world *w)
{
	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
}

static void a_file_becomes_a_service(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	assert_true(w->commit.complete);
	await_targets(w, 2);
	assert_int_equal(target_at(w, "10.1.0.1:8080")->initial, VERDICT_UP);
}

static void nothing_is_wanted_before_the_kernel_was_read(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE));
	start_core(w);
	connect_health(w);
	health_is_told(w);
	pass(w, 10000);
	assert_int_equal(w->target_count, 0);
	connect_kernel(w, "");
	await_wanted(w, VIP D1("1"));
}

static void a_first_look_that_takes_long_is_waited_for(void **state)
{
	struct world *w = *state;
	char name[32], text[512];

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "%d.yaml", i);
		snprintf(text, sizeof(text), SERVICE("web%d", "%d") "subsets: []\n", i, 30100 + i,
			 i);
		write_pool(w, name, text);
	}
	w->look_ms = 2 * LOOP_TURN_BUDGET_MS; /* a file a turn */
	start_all(w, "");
	for (int i = 0; i < TURNS_MAX && !w->commits; i++)
		turn(w);
	assert_int_equal(w->commits, 1);
	assert_int_equal(w->wanted.by_key.count, 40);
}

#define SHOWN 60

/* Readers find a pool by its id, in an array that is kept sorted from one snapshot to the next. */
static void pools_are_shown_by_id_whatever_comes_and_goes(void **state)
{
	struct random r = random_new();
	const struct pool_list *before = NULL;
	struct world *w = *state;
	struct snapshot *s;
	bool there[SHOWN] = { 0 };

	start_all(w, "");
	for (unsigned round = 0; round < 40; round++) {
		const struct core *c = w->context.arg;
		size_t count = 0;

		for (unsigned changes = random_below(&r, 12); changes; changes--) {
			unsigned i = random_below(&r, SHOWN);
			char name[32], text[512];

			there[i] = !there[i];
			snprintf(name, sizeof(name), "pools/%u.yaml", i);
			if (!there[i]) {
				assert_int_equal(unlink(path_in(w, name)), 0);
				continue;
			}
			snprintf(text, sizeof(text), SERVICE("web%u", "%u") "subsets: []\n", i,
				 30100 + i, i);
			snprintf(name, sizeof(name), "%u.yaml", i);
			write_pool(w, name, text);
		}
		pass(w, 1200);
		for (unsigned i = 0; i < SHOWN; i++)
			count += there[i];
		s = snapshot_slot_get(c->view.slot);
		assert_int_equal(s->pool_count, count);
		for (size_t i = 1; i < s->pool_count; i++)
			assert_true(strcmp(s->pools[i - 1]->pool->id, s->pools[i]->pool->id) < 0);
		before = s->pool_list;
		snapshot_unref(s);
	}
	/* With nothing changing there are new snapshots, of the same pools. */
	pass(w, 5000);
	s = snapshot_slot_get(((const struct core *)w->context.arg)->view.slot);
	assert_ptr_equal(s->pool_list, before);
	snapshot_unref(s);
}

static void a_dead_member_is_out_and_comes_back(void **state)
{
	struct world *w = *state;

	start_with_the_second_down(w);
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 29000);
	assert_string_equal(wanted_text(w), VIP D1("1") D2("0"));
	pass(w, 1000);
	await_wanted(w, VIP D1("1"));
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
}

static void the_last_good_set_stays(void **state)
{
	struct world *w = *state;

	start_with_the_second_down(w);
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 30000);
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	pass(w, 60000);
	await_wanted(w, VIP D1("1"));
	stop_core(w);
	start_all(w, VIP D1("1"));
	await_wanted(w, VIP D1("1"));
}

static void a_pool_that_never_worked_keeps_all_its_members(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	await_wanted(w, VIP D1("0") D2("1"));
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	await_wanted(w, VIP D1("1") D2("1"));
}

static void a_failure_that_takes_one_after_the_other_keeps_them_all(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	pass(w, 1000);
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	await_wanted(w, VIP D1("0") D2("1"));
	pass(w, 300);
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	await_wanted(w, VIP D1("1") D2("1"));
	pass(w, 60000);
	assert_string_equal(wanted_text(w), VIP D1("1") D2("1"));
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D2("1"));
}

#define SLOW_WEB                                                                        \
	"kind: Service\napiVersion: v1\n"                                               \
	"metadata: {name: web, annotations: {parasaus.io/health-check-interval: 7s}}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30080}]}\n---\n"  \
	"kind: Endpoints\napiVersion: v1\nmetadata: {name: web}\n"                      \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [" ONE "," TWO "]}]\n"

static void another_check_begins_where_the_last_one_was(void **state)
{
	struct world *w = *state;

	start_with_the_second_down(w);
	pass(w, 31000);
	await_wanted(w, VIP D1("1"));
	write_pool(w, "web.yaml", SLOW_WEB);
	await_targets(w, 4); /* the old ones linger */
	assert_string_equal(wanted_text(w), VIP D1("1"));
	pass(w, 61000);
	await_targets(w, 2);
	assert_int_equal(target_at(w, "10.1.0.1:8080")->initial, VERDICT_UP);
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_DOWN);
	assert_string_equal(wanted_text(w), VIP D1("1"));
}

static void a_pool_deleted_and_made_again_is_known(void **state)
{
	struct world *w = *state;
	char path[128];

	start_with_the_second_down(w);
	pass(w, 31000);
	await_wanted(w, VIP D1("1"));
	snprintf(path, sizeof(path), "%s/pools/web.yaml", w->dir);
	assert_int_equal(unlink(path), 0);
	await_wanted(w, VIP D1("0"));
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	await_wanted(w, VIP D1("1"));
}

static void who_is_not_in_the_kernel_beside_others_has_to_prove_itself(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	start_all(w, VIP D1("1"));
	await_targets(w, 2);
	await_wanted(w, VIP D1("1"));
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_UNKNOWN);
}

static void a_newcomer_has_to_prove_itself(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE));
	start_all(w, "");
	await_targets(w, 1);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	pass(w, 100);
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	await_targets(w, 2);
	assert_string_equal(wanted_text(w), VIP D1("1"));
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_UNKNOWN);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
}

static void a_removed_member_drains_until_idle(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	write_pool(w, "web.yaml", WEB(ONE));
	await_wanted(w, VIP D1("1") D2("0"));
	assert_true(ipvs_table_get(&w->wanted, &(struct endpoint){ .addr = addr_v4(0x0a000001),
								   .protocol = IPPROTO_TCP,
								   .port = 30080 })
			    ->dests[1]
			    .draining);
	send_idle(w, "10.0.0.1:30080", "10.1.0.2:8080");
	await_wanted(w, VIP D1("1"));
}

static void a_drain_outlives_a_restart(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	write_pool(w, "web.yaml", WEB(ONE));
	await_wanted(w, VIP D1("1") D2("0"));
	stop_core(w);
	start_all(w, VIP D1("1") D2("0"));
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 86400 * 1000);
	await_wanted(w, VIP D1("1"));
}

/* Its verdict is forgotten by then; it may hold connections all the same. */
static void one_put_back_keeps_draining_until_it_is_proven(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	write_pool(w, "web.yaml", WEB(ONE));
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 61000);
	await_targets(w, 1);
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	await_targets(w, 2);
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_UNKNOWN);
	pass(w, 100);
	assert_string_equal(wanted_text(w), VIP D1("1") D2("0"));
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	pass(w, 86400 * 1000); /* nothing of the drain is left to end */
	assert_string_equal(wanted_text(w), VIP D1("1") D2("1"));
}

static void one_put_back_and_not_proven_drains_to_the_end(void **state)
{
	struct world *w = *state;

	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	write_pool(w, "web.yaml", WEB(ONE));
	await_wanted(w, VIP D1("1") D2("0"));
	pass(w, 61000);
	await_targets(w, 1);
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	await_targets(w, 2);
	pass(w, 100);
	assert_string_equal(wanted_text(w), VIP D1("1") D2("0"));
	send_idle(w, "10.0.0.1:30080", "10.1.0.2:8080");
	await_wanted(w, VIP D1("1"));
}

#define DNS(list)                                                                           \
	"apiVersion: v1\nkind: Service\nmetadata: {name: dns, annotations: "                \
	"{parasaus.io/health-check-type: none}}\nspec: {type: NodePort, ports: "            \
	"[{protocol: UDP, port: 53, nodePort: 30053}]}\n---\napiVersion: v1\n"              \
	"kind: Endpoints\nmetadata: {name: dns}\nsubsets: [{addresses: [" list "], ports: " \
	"[{protocol: UDP, port: 53}]}]\n"

/* Its datagrams have no end to wait for, but answers may be on the way. */
static void a_removed_member_of_udp_is_gone_after_a_second(void **state)
{
	static const char one[] = "-A -u 10.0.0.1:30053 -s wrr\n"
				  "-a -u 10.0.0.1:30053 -r 10.1.0.1:53 -m -w 1\n",
			  leaving[] = "-A -u 10.0.0.1:30053 -s wrr\n"
				      "-a -u 10.0.0.1:30053 -r 10.1.0.1:53 -m -w 1\n"
				      "-a -u 10.0.0.1:30053 -r 10.1.0.2:53 -m -w 0\n";
	struct world *w = *state;

	write_pool(w, "dns.yaml", DNS("{ip: 10.1.0.1}, {ip: 10.1.0.2}"));
	start_all(w, "");
	await_wanted(w, "-A -u 10.0.0.1:30053 -s wrr\n"
			"-a -u 10.0.0.1:30053 -r 10.1.0.1:53 -m -w 1\n"
			"-a -u 10.0.0.1:30053 -r 10.1.0.2:53 -m -w 1\n");
	write_pool(w, "dns.yaml", DNS("{ip: 10.1.0.1}"));
	await_wanted(w, leaving);
	pass(w, 800);
	assert_string_equal(wanted_text(w), leaving);
	pass(w, 400);
	await_wanted(w, one);
}

static void a_removed_pool_drains_and_goes(void **state)
{
	struct world *w = *state;
	char path[128];

	write_pool(w, "web.yaml", WEB(ONE));
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	snprintf(path, sizeof(path), "%s/pools/web.yaml", w->dir);
	assert_int_equal(unlink(path), 0);
	await_wanted(w, VIP D1("0"));
	send_idle(w, "10.0.0.1:30080", "10.1.0.1:8080");
	await_wanted(w, "");
	pass(w, 60000);
	await_targets(w, 0);
}

static void surplus_in_the_kernel_drains_once_all_is_known(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE));
	start_all(w, VIP D1("1") D2("0"));
	await_wanted(w, VIP D1("1") D2("0"));
	assert_true(w->commit.complete);
	send_idle(w, "10.0.0.1:30080", "10.1.0.2:8080");
	await_wanted(w, VIP D1("1"));
}

static void a_broken_file_deletes_nothing(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", WEB(ONE));
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	pass(w, 2000); /* the list is saved */
	write_pool(w, "web.yaml", "kind: [\n");
	pass(w, 2000);
	assert_string_equal(wanted_text(w), VIP D1("1"));
	stop_core(w);
	start_all(w, VIP D1("1"));
	await_wanted(w, VIP D1("1"));
	assert_false(w->commit.complete);
	write_pool(w, "web.yaml", WEB(ONE "," TWO));
	for (int i = 0; i < TURNS_MAX && !w->commit.complete; i++)
		turn(w);
	assert_true(w->commit.complete);
	await_targets(w, 2);
	assert_string_equal(wanted_text(w), VIP D1("1"));
}

static void without_its_directory_it_serves_from_the_state(void **state)
{
	struct world *w = *state;
	char pools[128], away[128];

	snprintf(pools, sizeof(pools), "%s/pools", w->dir);
	snprintf(away, sizeof(away), "%s/away", w->dir);
	start_with_the_second_down(w);
	pass(w, 31000);
	await_wanted(w, VIP D1("1"));
	stop_core(w);
	assert_int_equal(rename(pools, away), 0);
	start_all(w, ""); /* the machine came up anew: the kernel is empty */
	pass(w, 3000);
	await_wanted(w, VIP D1("1"));
	assert_false(w->commit.complete);
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_DOWN);
	assert_int_equal(rename(away, pools), 0);
	for (int i = 0; i < TURNS_MAX && !w->commit.complete; i++)
		pass(w, 1000);
	assert_true(w->commit.complete);
	assert_string_equal(wanted_text(w), VIP D1("1"));
}

static void a_new_core_takes_the_verdicts_of_a_running_prober(void **state)
{
	struct world *w = *state;
	uint64_t id;

	start_with_two(w);
	id = target_at(w, "10.1.0.2:8080")->id;
	await_wanted(w, VIP D1("1") D2("1"));
	stop_core(w);
	start_core(w);
	connect_kernel(w, VIP D1("1") D2("1"));
	connect_health(w);
	send_verdict(w, id, VERDICT_DOWN);
	health_is_told(w);
	await_wanted(w, VIP D1("1") D2("0"));
}

static void helpers_that_come_back_are_told_everything(void **state)
{
	struct world *w = *state;

	start_with_the_second_down(w);
	await_wanted(w, VIP D1("1") D2("0"));
	connect_health(w);
	health_is_told(w);
	await_targets(w, 2);
	assert_int_equal(target_at(w, "10.1.0.2:8080")->initial, VERDICT_DOWN);
	w->commits = 0;
	connect_kernel(w, VIP D1("1") D2("0"));
	await_wanted(w, VIP D1("1") D2("0"));
}

/* --- what is measured -------------------------------------------------------------------- */

static struct snapshot *newest(struct world *w)
{
	const struct core *c = w->context.arg;

	pass(w, 2000);
	return snapshot_slot_get(c->view.slot);
}

static void send_probes(struct world *w, uint64_t probes, uint32_t lag_ms)
{
	struct hc_status s = { .probes = probes,
			       .inconclusive = 1,
			       .lag_ms = lag_ms,
			       .deferred = 2,
			       .late = { .counts = { 3 } },
			       .latency = { [CHECK_TCP] = { .counts = { 5 } } } };
	struct buf b = { 0 };

	wire_put_hc_status(&b, &s);
	channel_send(w->health, HC_MSG_STATUS, &b);
	buf_done(&b);
}

static void probes_are_counted_over_the_deaths_of_the_prober(void **state)
{
	struct world *w = *state;
	struct snapshot *s;

	start_with_two(w);
	send_probes(w, 9, 7);
	send_probes(w, 10, 3);
	s = newest(w);
	assert_int_equal(s->probing.probes, 10);
	assert_int_equal(s->probing.lag_ms, 3);
	assert_int_equal(s->probing.lag_max_ms, 7);
	snapshot_unref(s);
	connect_health(w);
	health_is_told(w);
	send_probes(w, 4, 5);
	s = newest(w);
	assert_int_equal(s->probing.probes, 14);
	assert_int_equal(s->probing.inconclusive, 2);
	assert_int_equal(s->probing.deferred, 4);
	assert_int_equal(s->probing.late.counts[0], 6);
	assert_int_equal(s->probing.latency[CHECK_TCP].counts[0], 10);
	assert_int_equal(s->probing.lag_max_ms, 7);
	snapshot_unref(s);
}

static void a_change_is_timed_until_the_kernel_has_it(void **state)
{
	struct world *w = *state;
	uint64_t before = 0, after = 0;
	struct snapshot *s;

	start_with_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	s = newest(w);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		before += s->kernel.programming.counts[i];
	assert_true(before > 0);
	assert_true(s->kernel.matched_ms >= s->kernel.asked_ms);
	snapshot_unref(s);

	w->acknowledge = false;
	verdict(w, "10.1.0.2:8080", VERDICT_DOWN);
	await_wanted(w, VIP D1("1") D2("0"));
	s = newest(w);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		after += s->kernel.programming.counts[i];
	assert_int_equal(after, before); /* it is not there yet */
	assert_true(s->kernel.asked_ms > s->kernel.matched_ms);
	snapshot_unref(s);
}

static void a_frontend_changes_hands(void **state)
{
	struct world *w = *state;
	char path[128];

	write_pool(w, "a.yaml",
		   SERVICE("a", "30080") "subsets: [{ports: [{name: p, port: 8080}], addresses: "
					 "[" ONE "]}]\n");
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	write_pool(w, "b.yaml",
		   SERVICE("b", "30080") "subsets: [{ports: [{name: p, port: 8080}], addresses: "
					 "[" TWO "]}]\n");
	pass(w, 100);
	assert_string_equal(wanted_text(w), VIP D1("1")); /* the first by name holds it */
	snprintf(path, sizeof(path), "%s/pools/a.yaml", w->dir);
	assert_int_equal(unlink(path), 0);
	await_wanted(w, VIP D1("0") D2("1"));
	send_idle(w, "10.0.0.1:30080", "10.1.0.1:8080");
	await_wanted(w, VIP D2("1"));
}

static void what_did_not_change_is_not_told_again(void **state)
{
	struct world *w = *state;
	unsigned commits;

	write_pool(w, "web.yaml", WEB(ONE));
	start_all(w, "");
	await_targets(w, 1);
	await_wanted(w, VIP D1("1"));
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	pass(w, 2000);
	commits = w->commits;
	write_pool(w, "web.yaml", WEB(ONE) "# a comment\n");
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	pass(w, 2000);
	assert_int_equal(w->commits, commits);
}

/* --- what this machine is ------------------------------------------------------------------ */

#define LOCAL                                                                                     \
	"kind: Service\napiVersion: v1\nmetadata: {name: web}\n"                                  \
	"spec: {type: NodePort, externalTrafficPolicy: Local, ports: [{name: p, port: 80, "       \
	"nodePort: 30080}]}\n---\n"                                                               \
	"kind: EndpointSlice\napiVersion: discovery.k8s.io/v1\nmetadata: {name: web-1, labels: "  \
	"{kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{name: p, port: 8080}]\n" \
	"endpoints:\n"                                                                            \
	"- {addresses: [10.1.0.1], nodeName: node-a}\n"                                           \
	"- {addresses: [10.1.0.2], nodeName: node-b}\n"

static void be_node(struct world *w, const char *name)
{
	free(w->config->node);
	w->config->node = xstrdup(name);
}

/* Whether the frontend is masqueraded, in the table as it is wanted. */
static bool is_masqueraded(const struct world *w)
{
	struct endpoint key;

	assert_int_equal(endpoint_parse("10.0.0.1:30080", IPPROTO_TCP, &key), 0);
	return ipvs_table_get(&w->wanted, &key)->masquerade;
}

static void each_node_has_its_own_members_of_a_local_pool(void **state)
{
	struct world *w = *state;

	write_pool(w, "web.yaml", LOCAL);
	be_node(w, "node-a");
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	await_targets(w, 1); /* and who is elsewhere is not probed from here */
	assert_false(is_masqueraded(w));
	stop_core(w);
	/* What was saved says who is on node-a, not who is here. */
	be_node(w, "node-b");
	start_all(w, "");
	await_wanted(w, VIP D2("1"));
	assert_false(is_masqueraded(w));
	stop_core(w);
	be_node(w, "lb-1");
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	assert_true(is_masqueraded(w));
}

static void a_limit_is_wanted_where_the_kernel_can_be_trusted_with_it(void **state)
{
	struct world *w = *state;
	struct snapshot *s;

	write_pool(
		w, "web.yaml",
		WEB(ONE) "---\nkind: Service\napiVersion: v1\nmetadata: {name: other, "
			 "annotations: {parasaus.io/max-connections: '100'}}\n"
			 "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30081}]}\n"
			 "---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: other}\nsubsets: "
			 "[{ports: [{name: p, port: 8080}], addresses: [" ONE "]}]\n");
	w->kernel_is = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)";
	start_all(w, "");
	await_wanted(w, VIP D1("1") "-A -t 10.0.0.1:30081 -s wrr\n"
				    "-a -t 10.0.0.1:30081 -r 10.1.0.1:8080 -m -w 1\n");
	pass(w, 1200);
	s = snapshot_slot_get(((const struct core *)w->context.arg)->view.slot);
	assert_int_equal(s->pools[0]->pool->problems.count, 1);
	assert_string_equal(
		s->pools[0]->pool->problems.items[0].text,
		"annotation parasaus.io/max-connections is not used: connection limits "
		"race on Linux 6.1.76, and a server can stay marked as overloaded; boot "
		"Linux 6.1.187, 6.12.105 or a later one, or limit connections at the "
		"servers");
	assert_int_equal(s->pools[1]->pool->problems.count, 0);
	snapshot_unref(s);
	stop_core(w);
	w->kernel_is = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.187-1 (2026-08-20)";
	start_all(w, "");
	await_wanted(w, VIP D1("1") "-A -t 10.0.0.1:30081 -s wrr\n"
				    "-a -t 10.0.0.1:30081 -r 10.1.0.1:8080 -m -w 1 -x 100\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up, core_world_down)
		T(a_file_becomes_a_service),
		T(nothing_is_wanted_before_the_kernel_was_read),
		T(a_first_look_that_takes_long_is_waited_for),
		T(pools_are_shown_by_id_whatever_comes_and_goes),
		T(a_dead_member_is_out_and_comes_back),
		T(the_last_good_set_stays),
		T(a_pool_that_never_worked_keeps_all_its_members),
		T(a_failure_that_takes_one_after_the_other_keeps_them_all),
		T(another_check_begins_where_the_last_one_was),
		T(a_pool_deleted_and_made_again_is_known),
		T(who_is_not_in_the_kernel_beside_others_has_to_prove_itself),
		T(a_newcomer_has_to_prove_itself),
		T(a_removed_member_drains_until_idle),
		T(a_drain_outlives_a_restart),
		T(one_put_back_keeps_draining_until_it_is_proven),
		T(one_put_back_and_not_proven_drains_to_the_end),
		T(a_removed_member_of_udp_is_gone_after_a_second),
		T(a_removed_pool_drains_and_goes),
		T(surplus_in_the_kernel_drains_once_all_is_known),
		T(a_broken_file_deletes_nothing),
		T(without_its_directory_it_serves_from_the_state),
		T(a_new_core_takes_the_verdicts_of_a_running_prober),
		T(helpers_that_come_back_are_told_everything),
		T(probes_are_counted_over_the_deaths_of_the_prober),
		T(a_change_is_timed_until_the_kernel_has_it),
		T(a_frontend_changes_hands),
		T(what_did_not_change_is_not_told_again),
		T(each_node_has_its_own_members_of_a_local_pool),
		T(a_limit_is_wanted_where_the_kernel_can_be_trusted_with_it),
	};

	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
