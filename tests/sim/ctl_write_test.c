/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl's writing commands against core with its store: what they print,
 * how they end, and what the kernel is wanted to hold then.
 */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/args.h"
#include "tests/lib/core_world.h"

#define WEB                                                                       \
	"kind: Service\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30080}]}\n"
#define ENDPOINTS(ip)                                                                    \
	"---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: web, namespace: shop}\n" \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [{ip: " ip "}]}]\n"
#define VIP   "-A -t 10.0.0.1:30080 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30080 -r 10.1.0.1:8080 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30080 -r 10.1.0.2:8080 -m -w " w "\n"

#define WORDS_MAX 16

/* A command in a thread of its own, while core turns. */
struct run {
	char text[512];
	char *words[WORDS_MAX + 1];
	int count, code;
	atomic_bool ended;
};

static void *run_command(void *arg)
{
	struct run *r = arg;
	const struct ctl_command *c;
	struct ctl_args args;
	struct err err;

	if (ctl_parse(r->count, r->words, &c, &args, &err) < 0) {
		fprintf(stderr, "parasausctl: %s\n", err.text);
		r->code = CTL_USAGE;
	} else {
		r->code = c->run(&args);
	}
	ctl_args_done(&args);
	atomic_store(&r->ended, true);
	return NULL;
}

static void split(struct run *r, struct world *w, const char *line)
{
	snprintf(r->text, sizeof(r->text), "parasausctl -s %s %s", path_in(w, "api.sock"), line);
	for (char *word = strtok(r->text, " "); word; word = strtok(NULL, " "))
		r->words[r->count++] = word;
}

/* Both outputs into a file while it runs. */
static void ctl(struct world *w, int code, const char *line, const char *says)
{
	CLEANUP(xfree_ptr) char *path = xstrdup(path_in(w, "output"));
	CLEANUP(buf_done) struct buf got = { 0 };
	int out = dup(STDOUT_FILENO), errors = dup(STDERR_FILENO);
	struct run r = { 0 };
	pthread_t thread;
	FILE *f;

	split(&r, w, line);
	fflush(stdout);
	f = fopen(path, "w");
	assert_non_null(f);
	dup2(fileno(f), STDOUT_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	assert_int_equal(pthread_create(&thread, NULL, run_command, &r), 0);
	for (int i = 0; i < 20 * TURNS_MAX && !atomic_load(&r.ended); i++)
		turn(w);
	pthread_join(thread, NULL);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	close(out);
	close(errors);
	fclose(f);
	assert_int_equal(file_read(path, 1 << 20, &got, NULL), 0);
	if (r.code != code || !strstr(buf_cstr(&got), says))
		fail_msg("%s: exit code %d instead of %d\n%s", line, r.code, code, buf_cstr(&got));
}

static const char *manifest(struct world *w, const char *text, char out[static 128])
{
	const char *path = path_in(w, "web.yaml");

	assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
	snprintf(out, 128, "apply -f %s", path);
	return out;
}

static void start(struct world *w)
{
	char line[128];

	start_all(w, "");
	ctl(w, CTL_OK, manifest(w, WEB ENDPOINTS("10.1.0.1"), line),
	    "Service shop/web created\nEndpoints shop/web created\n");
	await_wanted(w, VIP D1("1"));
}

static uint64_t revision_of(struct world *w)
{
	const struct store_object *o =
		store_get(writes_store(w->context.arg),
			  &(struct store_key){ STORE_ENDPOINTS, "shop", "web" });

	return o ? o->revision : 0;
}

static void what_is_applied_is_said_and_wanted(void **state)
{
	struct world *w = *state;
	char line[128], dry[160];
	uint64_t before;

	start(w);
	ctl(w, CTL_OK, manifest(w, WEB ENDPOINTS("10.1.0.1"), line),
	    "Service shop/web unchanged\nEndpoints shop/web unchanged\n");
	before = revision_of(w);
	snprintf(dry, sizeof(dry), "%s --dry-run", manifest(w, WEB ENDPOINTS("10.1.0.2"), line));
	ctl(w, CTL_OK, dry,
	    "Endpoints shop/web configured (dry run)\n"
	    "  ~ /subsets/0/addresses/0/ip 10.1.0.2\n");
	assert_true(revision_of(w) == before);
	ctl(w, CTL_OK, line, "Endpoints shop/web configured\n");
	await_wanted(w, VIP D1("0") D2("1"));
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
	struct world *w = *state;
	char line[128];

	start(w);
	ctl(w, CTL_FAILED,
	    manifest(w,
		     "kind: Service\napiVersion: v1\nmetadata: {name: b}\nspec:\n"
		     "  type: NodePort\n  ports:\n  - port: 70000\n    nodePort: 30090\n",
		     line),
	    "Service default/b line 7: ");
	ctl(w, CTL_CONFLICT,
	    manifest(w,
		     "kind: Service\napiVersion: v1\nmetadata: {name: b}\n"
		     "spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}\n",
		     line),
	    "shop/web");
	ctl(w, CTL_FAILED, "apply -f /nonexistent/x.yaml", "/nonexistent/x.yaml");
	ctl(w, CTL_USAGE, "apply", "needs -f FILE");
	ctl(w, CTL_USAGE, "delete gadgets x", "none of pools");
	ctl(w, CTL_FAILED, "delete services shop/none", "there is no Service shop/none");
	ctl(w, CTL_USAGE, "rollback services shop/web", "--to N");
	ctl(w, CTL_USAGE, "drain web 10.1.0.1", "is not NAMESPACE/SERVICE");
	ctl(w, CTL_USAGE, "weight shop/web 10.1.0.1 many", "is not a weight");
}

static void a_member_is_drained_and_comes_back(void **state)
{
	struct world *w = *state;

	start(w);
	ctl(w, CTL_OK, "drain shop/web 10.1.0.1:8080 --reason repair",
	    "Endpoints shop/web configured\n");
	await_wanted(w, VIP D1("0"));
	ctl(w, CTL_OK, "weight shop/web 10.1.0.1:8080 7", "Endpoints shop/web configured\n");
	await_wanted(w, VIP D1("7"));
	/* Whatever was said of one of its ports. */
	ctl(w, CTL_OK, "drain shop/web 10.1.0.1", "Endpoints shop/web configured\n");
	await_wanted(w, VIP D1("0"));
	ctl(w, CTL_OK, "weight shop/web 10.1.0.1:8080 0", "Endpoints shop/web configured\n");
	ctl(w, CTL_OK, "undrain shop/web 10.1.0.1", "Endpoints shop/web configured\n");
	await_wanted(w, VIP D1("1"));
	ctl(w, CTL_FAILED, "drain shop/web 10.1.0.9", "have no member 10.1.0.9");
	ctl(w, CTL_FAILED, "drain shop/web 10.1.0.1:8081", "have no member 10.1.0.1:8081");
	ctl(w, CTL_USAGE, "drain shop/web nobody", "is not ADDRESS or ADDRESS:PORT");
}

static void a_removed_document_comes_back_by_its_history(void **state)
{
	struct world *w = *state;
	uint64_t revision;
	char line[128];

	start(w);
	revision = revision_of(w);
	ctl(w, CTL_OK, "delete ep web -n shop", "Endpoints shop/web removed\n");
	assert_true(revision_of(w) == 0);
	ctl(w, CTL_OK, "history endpoints shop/web", "delete");
	snprintf(line, sizeof(line), "rollback endpoints shop/web --to %" PRIu64, revision);
	ctl(w, CTL_OK, line, "Endpoints shop/web created\n");
	await_wanted(w, VIP D1("1"));
	ctl(w, CTL_FAILED, "rollback endpoints shop/web --to 999", "no such revision");
}

/* The configuration says what addresses there are, and nothing else. */
static void a_fresh_agent_takes_what_is_applied(void **state)
{
	struct world *w = *state;

	start_all(w, "");
	ctl(w, CTL_OK, "apply -f deploy/example-origin.yaml", "warning: Service ");
	await_wanted(w, "-A -t 10.0.0.1:40796 -s wrr\n"
			"-a -t 10.0.0.1:40796 -r 10.100.1.53:8090 -m -w 1\n"
			"-a -t 10.0.0.1:40796 -r 10.100.1.77:30253 -m -w 1\n");
}

static void a_pool_is_deleted_and_comes_back_with_all_its_documents(void **state)
{
	struct world *w = *state;
	char line[128];

	start(w);
	snprintf(line, sizeof(line), "rollback pool shop.web.p-tcp --to %" PRIu64, revision_of(w));
	ctl(w, CTL_OK, "history pool shop.web.p-tcp", "apply");
	ctl(w, CTL_OK, "delete pool shop.web.p-tcp --dry-run",
	    "Service shop/web removed (dry run)\n");
	assert_true(revision_of(w) > 0);
	ctl(w, CTL_OK, "delete pool shop.web.p-tcp",
	    "Endpoints shop/web removed\nService shop/web removed\n");
	await_wanted(w, VIP D1("0"));
	ctl(w, CTL_FAILED, "delete pool shop.web.p-tcp", "no pool has the id");
	ctl(w, CTL_OK, "history Po shop.web.p-tcp", "delete");
	ctl(w, CTL_OK, line, "Endpoints shop/web created\nService shop/web created\n");
	await_wanted(w, VIP D1("1"));
	ctl(w, CTL_FAILED, "history pool shop.none.p-tcp", "no pool has");
}

#define EDGE(ports)                                                               \
	"apiVersion: parasaus.io/v1\nkind: AddressPool\nmetadata: {name: edge}\n" \
	"spec: {addresses: [10.0.0.8], ports: " ports "}\n"
#define AT_EDGE                                                                       \
	"---\nkind: Service\napiVersion: v1\nmetadata: {name: db, namespace: shop}\n" \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 20002}]}\n"

static void an_address_pool_is_applied_and_deleted_as_a_document(void **state)
{
	struct world *w = *state;
	char line[128], dry[160];

	start_all(w, "");
	ctl(w, CTL_OK, manifest(w, EDGE("20000-20009") AT_EDGE, line),
	    "AddressPool edge created\nService shop/db created\n");
	await_wanted(w, "-A -t 10.0.0.8:20002 -s wrr\n");
	pass(w, 1200);
	ctl(w, CTL_OK, "get address-pools",
	    "edge  10.0.0.8  20000-20009     10     1      9  store          10.0.0.8\n");
	snprintf(dry, sizeof(dry), "%s --dry-run", manifest(w, EDGE("20005-20009"), line));
	ctl(w, CTL_OK, dry, "address pool edge: 5 ports, 0 used, 5 free\n");
	ctl(w, CTL_OK, dry,
	    "warning: AddressPool: 1 pools keep their frontends outside of every "
	    "address pool: shop/db (10.0.0.8:20002)");
	ctl(w, CTL_CONFLICT, "delete address-pool edge",
	    "1 pools have frontends from it: shop/db (10.0.0.8:20002)");
	ctl(w, CTL_OK, "history address-pool edge", "apply");
	ctl(w, CTL_OK, "delete services db -n shop", "Service shop/db removed\n");
	await_wanted(w, "");
	ctl(w, CTL_OK, "delete address-pool edge", "AddressPool edge removed\n");
	ctl(w, CTL_OK, "rollback address-pool edge --to 1", "AddressPool edge created\n");
	ctl(w, CTL_CONFLICT, "delete address-pool p", "under addressPools");
	ctl(w, CTL_FAILED, "delete address-pool none", "there is no AddressPool none");
}

#define OF_FILES                                                                        \
	"kind: Service\napiVersion: v1\nmetadata: {name: cd, namespace: shop}\n"        \
	"spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: 30082}]}\n"       \
	"---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: cd, namespace: shop}\n" \
	"subsets: [{ports: [{name: p, port: 8080}], addresses: [{ip: 10.1.0.1}, {ip: "  \
	"10.1.0.9}]}]\n"
#define FILES                                             \
	"-A -t 10.0.0.1:30082 -s wrr\n"                   \
	"-a -t 10.0.0.1:30082 -r 10.1.0.1:8080 -m -w 1\n" \
	"-a -t 10.0.0.1:30082 -r 10.1.0.9:8080 -m -w 1\n"

static void a_member_is_drained_where_it_can_be_and_the_others_are_told(void **state)
{
	struct world *w = *state;
	char line[320], others[256];

	start(w);
	write_pool(w, "cd.yaml", OF_FILES);
	await_wanted(w, VIP D1("1") FILES);
	pass(w, 1200);
	snprintf(others, sizeof(others), "1 more in pools of other sources (directory:%s/pools: 1)",
		 w->dir);
	ctl(w, CTL_FAILED, "drain --all-pools 10.1.0.1 --dry-run", others);
	await_wanted(w, VIP D1("1") FILES);
	snprintf(line, sizeof(line), "drain 10.1.0.1: 1 members of 1 pools; %s.\n", others);
	ctl(w, CTL_FAILED, "drain --all-pools 10.1.0.1 --yes", line);
	ctl(w, CTL_FAILED, "drain --all-pools 10.1.0.1 --yes",
	    "0 changed, 1 unchanged, 0 refused\nparasausctl: 1 more in pools of other sources");
	await_wanted(w, VIP D1("0") FILES);
	ctl(w, CTL_FAILED, "undrain --all-pools 10.1.0.9 --yes",
	    "nothing was done: no pool of the store has the member 10.1.0.9; 1 more in pools");
}

#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_applied_is_said_and_wanted),
		T(what_is_wrong_is_said_with_its_line),
		T(a_member_is_drained_and_comes_back),
		T(a_removed_document_comes_back_by_its_history),
		T(a_pool_is_deleted_and_comes_back_with_all_its_documents),
		T(an_address_pool_is_applied_and_deleted_as_a_document),
		cmocka_unit_test_setup_teardown(
			a_member_is_drained_where_it_can_be_and_the_others_are_told,
			core_world_up_store_and_files, core_world_down),
		cmocka_unit_test_setup_teardown(a_fresh_agent_takes_what_is_applied,
						core_world_up_sourceless, core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
