/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core with the embedded store for its source (tests/lib/core_world.h). */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/store/history.h"
#include "tests/lib/core_world.h"

#define WEB_SERVICE                                                     \
	"kind: Service\napiVersion: v1\nmetadata: {name: web}\n"        \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: " \
	"30080}]}\n"
#define WEB_ENDPOINTS(members)                                            \
	"{\"kind\": \"Endpoints\", \"apiVersion\": \"v1\", \"metadata\":" \
	" {\"name\": \"web\"}, \"subsets\": [{\"ports\":"                 \
	" [{\"name\": \"p\", \"port\": 8080}], \"addresses\": [" members "]}]}"
#define ONE   "{\"ip\": \"10.1.0.1\"}"
#define TWO   "{\"ip\": \"10.1.0.2\"}"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

static struct core *core_of(struct world *w)
{
	return w->context.arg;
}

static struct store *store_of(struct world *w)
{
	struct store *s = source_store(core_of(w)->sources[0].watch);

	assert_non_null(s);
	return s;
}

static void on_done(void *arg, const struct store_outcome *o)
{
	if (o->result != STORE_OK)
		fail_msg("%s", o->why);
	*(bool *)arg = true;
}

static void on_copied(void *arg, enum store_result r, const char *why)
{
	if (r != STORE_OK)
		fail_msg("%s", why);
	*(bool *)arg = true;
}

static void await(struct world *w, const bool *done)
{
	for (int i = 0; i < TURNS_MAX && !*done; i++)
		turn(w);
	assert_true(*done);
}

static void write_document(struct world *w, enum store_kind kind, const char *name,
			   const char *text)
{
	const struct store_change c = { .key = { kind, "default", name },
					.remove = !text,
					.text = text,
					.len = text ? strlen(text) : 0 };
	const struct store_write write = { .changes = &c, .count = 1 };
	bool done = false;

	store_write(store_of(w), &write, on_done, &done);
	await(w, &done);
}

static void start_with_web(struct world *w, const char *endpoints, const char *want)
{
	start_all(w, "");
	write_document(w, STORE_SERVICE, "web", WEB_SERVICE);
	write_document(w, STORE_ENDPOINTS, "web", endpoints);
	await_wanted(w, want);
}

static void await_complete(struct world *w, bool complete)
{
	for (int i = 0; i < TURNS_MAX && core_of(w)->sources[0].complete != complete; i++)
		turn(w);
	assert_int_equal(core_of(w)->sources[0].complete, complete);
}

static bool was_logged(struct world *w, const char *what)
{
	return strstr(buf_cstr(&w->log), what) != NULL;
}

/* --- what it does ------------------------------------------------------------------------ */

static void a_document_becomes_a_service_and_outlives_a_restart(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE "," TWO), VIP D1("1") D2("1"));
	assert_true(w->commit.complete);
	stop_core(w);
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	await_complete(w, true);
	assert_int_equal(pools_object_count(core_of(w)->pools, 0), 2);
}

static uint64_t timed_changes(struct world *w)
{
	const struct histogram *h = &core_of(w)->kernel.shown.reaction;
	uint64_t n = 0;

	pass(w, 100);
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->counts[i];
	return n;
}

static void a_change_is_timed_until_the_kernel_has_it(void **state)
{
	struct world *w = *state;
	uint64_t before;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	before = timed_changes(w);
	assert_true(before > 0);
	write_document(w, STORE_ENDPOINTS, "web", WEB_ENDPOINTS(ONE "," TWO));
	await_wanted(w, VIP D1("1") D2("1"));
	assert_int_equal(timed_changes(w), before + 1);
}

static void an_empty_store_is_complete(void **state)
{
	struct world *w = *state;

	start_all(w, "");
	await_complete(w, true);
	assert_int_equal(pools_object_count(core_of(w)->pools, 0), 0);
}

static void changes_and_removals_are_followed(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE "," TWO), VIP D1("1") D2("1"));
	write_document(w, STORE_ENDPOINTS, "web", WEB_ENDPOINTS(ONE));
	await_wanted(w, VIP D1("1") D2("0"));
	send_idle(w, "10.0.0.1:30080", "10.1.0.2:8080");
	await_wanted(w, VIP D1("1"));
	write_document(w, STORE_SERVICE, "web", NULL);
	write_document(w, STORE_ENDPOINTS, "web", NULL);
	await_wanted(w, VIP D1("0"));
}

static void a_document_that_cannot_be_used_keeps_what_it_was(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	write_document(w, STORE_ENDPOINTS, "web", "{\"kind\": \"Endpoints\"");
	await_complete(w, false);
	assert_true(was_logged(w, "Endpoints default/web: "));
	/* One that says it is another. */
	write_document(w, STORE_SERVICE, "other", WEB_SERVICE);
	pass(w, 100);
	assert_true(was_logged(w, "Service default/other: it says that it is Service default/web"));
	assert_string_equal(wanted_text(w), VIP D1("1"));
	write_document(w, STORE_SERVICE, "other", NULL);
	write_document(w, STORE_ENDPOINTS, "web", WEB_ENDPOINTS(ONE "," TWO));
	await_targets(w, 2);
	await_complete(w, true);
	assert_true(was_logged(w, "Endpoints default/web: mended"));
}

#define ADDRESS_POOL(name, address, ports)                                      \
	"apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: " name \
	"}\nspec: {addresses: [" address "], ports: " ports "}\n"

static void write_address_pool(struct world *w, const char *name, const char *text)
{
	const struct store_change c = { .key = { STORE_ADDRESS_POOL, "", name },
					.remove = !text,
					.text = text,
					.len = text ? strlen(text) : 0 };
	const struct store_write write = { .changes = &c, .count = 1 };
	bool done = false;

	store_write(store_of(w), &write, on_done, &done);
	await(w, &done);
}

static void address_pools_are_no_objects_of_it(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	write_address_pool(w, "edge", ADDRESS_POOL("edge", "10.0.0.8", "100-199"));
	pass(w, 100);
	await_complete(w, true);
	assert_int_equal(pools_object_count(core_of(w)->pools, 0), 2);
	assert_int_equal(core_of(w)->rules->address_pool_count, 2);
}

/* It makes the source incomplete: nothing is deleted on its account. */
static void an_address_pool_that_cannot_be_used_is_what_it_was(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	write_address_pool(w, "edge", ADDRESS_POOL("edge", "10.0.0.8", "100-199"));
	write_address_pool(w, "edge", "any text at all: [");
	await_complete(w, false);
	assert_true(was_logged(w, "AddressPool edge"));
	pass(w, 100);
	assert_string_equal(ours_text(w), "10.0.0.1:30000-64999 10.0.0.8:100-199");
	/* One that is in the way of the configuration's, by its name or its ports: that one wins. */
	write_address_pool(w, "p", ADDRESS_POOL("p", "10.0.0.9", "100-199"));
	write_address_pool(w, "over", ADDRESS_POOL("over", "10.0.0.1", "64000-65000"));
	write_address_pool(w, "far", ADDRESS_POOL("far", "192.0.2.1", "100-199"));
	pass(w, 100);
	assert_true(was_logged(w, "the configuration has an address pool 'p'"));
	assert_true(was_logged(w, "overlaps addresses and ports of the address pool 'p'"));
	assert_true(was_logged(w, "192.0.2.1 is not inside vipRanges"));
	assert_string_equal(ours_text(w), "10.0.0.1:30000-64999 10.0.0.8:100-199");
	write_address_pool(w, "edge", ADDRESS_POOL("edge", "10.0.0.8", "100-150"));
	write_address_pool(w, "p", NULL);
	write_address_pool(w, "over", NULL);
	write_address_pool(w, "far", NULL);
	await_complete(w, true);
	pass(w, 100);
	assert_string_equal(ours_text(w), "10.0.0.1:30000-64999 10.0.0.8:100-150");
}

static void a_restored_store_is_followed(void **state)
{
	const struct store_who who = { .user = "tester" };
	struct world *w = *state;
	CLEANUP(xfree_ptr) char *path = xstrdup(path_in(w, "backup"));
	bool done = false;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	store_backup(store_of(w), path, on_copied, &done);
	await(w, &done);
	write_document(w, STORE_ENDPOINTS, "web", WEB_ENDPOINTS(ONE "," TWO));
	await_targets(w, 2);
	verdict(w, "10.1.0.2:8080", VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	write_document(w, STORE_SERVICE, "later",
		       "kind: Service\napiVersion: v1\nmetadata: {name: later}\n"
		       "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30081}]}\n");
	done = false;
	store_restore(store_of(w), path, &who, on_copied, &done);
	await(w, &done);
	await_wanted(w, VIP D1("1") D2("0"));
	assert_int_equal(pools_object_count(core_of(w)->pools, 0), 2);
	await_complete(w, true);
}

static void damage_the_store(struct world *w)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const char *path = path_in(w, "state/store.db");

	assert_int_equal(file_read(path, 64u << 20, &b, NULL), 0);
	memset(b.data + 4096, 0x5a, b.len - 4096);
	assert_int_equal(file_write(path, b.data, b.len, NULL), 0);
}

/* Empty and not known are different things. */
static void a_damaged_store_deletes_nothing(void **state)
{
	struct world *w = *state;

	start_with_web(w, WEB_ENDPOINTS(ONE), VIP D1("1"));
	pass(w, 3000); /* the list is saved */
	stop_core(w);
	damage_the_store(w);
	start_all(w, VIP D1("1"));
	pass(w, 3000);
	await_wanted(w, VIP D1("1"));
	assert_false(w->commit.complete);
	await_complete(w, false);
	assert_true(was_logged(w, "store.db: damaged"));
}

static void secrets_of_the_store_reach_the_checks_that_name_them(void **state)
{
	struct world *w = *state;
	const struct hc_secret *told = NULL;

	start_all(w, "");
	write_document(
		w, STORE_SECRET, "db",
		"{\"kind\": \"Secret\", \"apiVersion\": \"v1\", \"metadata\": {\"name\": "
		"\"db\"}, \"stringData\": {\"username\": \"u\", \"password\": \"hunter2\"}}");
	write_document(w, STORE_SERVICE, "web",
		       "kind: Service\napiVersion: v1\nmetadata: {name: web, annotations:"
		       " {parasaus.io/health-check-type: mysql, parasaus.io/health-check-secret:"
		       " db}}\nspec: {type: NodePort, ports: [{name: p, port: 80,"
		       " nodePort: 30080}]}\n");
	write_document(w, STORE_ENDPOINTS, "web", WEB_ENDPOINTS(ONE));
	for (int i = 0; i < TURNS_MAX && !told; i++) {
		turn(w);
		told = secret_told(w, "default/db");
	}
	assert_non_null(told);
	assert_false(was_logged(w, "hunter2"));
}

static void lost_sources_do_not_end_their_pools(void **state)
{
	struct world *w = *state;
	struct config *with = w->config;
	struct err err = { 0 };
	char text[300];

	write_pool(w, "web.yaml", WEB_SERVICE "---\n" WEB_ENDPOINTS(ONE));
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	pass(w, 1000); /* it is saved by now */
	stop_core(w);
	snprintf(text, sizeof(text),
		 "stateDirectory: %s/state\n"
		 "addressPools: [{name: p, addresses: [10.0.0.1], ports: 30000-64999}]\n"
		 "api: {socket: %s/api.sock}\nuser: root\n",
		 w->dir, w->dir);
	if (config_read("test", text, strlen(text), &w->config, &err) < 0)
		fail_msg("%s", err.text);
	w->context = (struct role_context){ .loop = w->loop, .config = w->config };
	assert_int_equal(core_prepare(&w->context), ROLE_NO_USE);
	snprintf(text, sizeof(text), "`sources` is missing, and the pools came from %s before",
		 path_in(w, "pools"));
	assert_true(was_logged(w, text));
	core_end(&w->context);
	/* Once they are back, all goes on. */
	config_free(w->config);
	w->config = with;
	start_all(w, VIP D1("1"));
	await_wanted(w, VIP D1("1"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_document_becomes_a_service_and_outlives_a_restart),
		T(a_change_is_timed_until_the_kernel_has_it),
		T(an_empty_store_is_complete),
		T(changes_and_removals_are_followed),
		T(a_document_that_cannot_be_used_keeps_what_it_was),
		T(address_pools_are_no_objects_of_it),
		T(an_address_pool_that_cannot_be_used_is_what_it_was),
		T(a_restored_store_is_followed),
		T(a_damaged_store_deletes_nothing),
		T(secrets_of_the_store_reach_the_checks_that_name_them),
		cmocka_unit_test_setup_teardown(lost_sources_do_not_end_their_pools, core_world_up,
						core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
