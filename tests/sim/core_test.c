/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole of core on a clock that the test turns: real files, real pool
 * model, real plan, real state directory; the ipvs and healthcheck processes
 * are ends of their channels that the test holds. What core wants of the
 * kernel is compared as `ipvsadm -Sn` text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "healthcheck/message.h"
#include "ipvs/message.h"
#include "tests/lib/fake_kube.h"

#define TURNS_MAX 2000
#define TARGETS	  16

struct world {
	int64_t mono_ms;
	int64_t look_ms; /* passes whenever somebody looks at the clock */
	struct clock clock;
	struct loop *loop;
	char dir[64];
	struct config *config;
	struct role_context context;
	/* the ipvs process */
	struct channel *kernel;
	struct ipvs_message_reader reader;
	struct ipvs_table told;	  /* since BEGIN, not committed */
	struct ipvs_table wanted; /* as last committed */
	struct ipvs_commit commit;
	unsigned commits;
	bool acknowledge;
	/* the healthcheck process */
	struct channel *health;
	struct hc_target targets[TARGETS];
	size_t target_count;
	bool targets_whole;
	struct fake_kube *server; /* NULL: the source is a directory */
};

static mono_t world_mono(void *arg)
{
	struct world *w = arg;

	w->mono_ms += w->look_ms;
	return (mono_t){ w->mono_ms * 1000000 };
}

static int64_t world_wall(void *arg)
{
	const struct world *w = arg;

	return 1700000000000 + w->mono_ms;
}

/* --- the ipvs process ---------------------------------------------------------------- */

static void table_copy(struct ipvs_table *to, const struct ipvs_table *from)
{
	struct ipvs_service *s;
	size_t pos = 0;

	ipvs_table_done(to);
	ipvs_table_init(to);
	while ((s = map_next(&from->by_key, &pos))) {
		struct ipvs_service copy = ipvs_service_copy(s);

		ipvs_table_put(to, &copy);
	}
}

static void acknowledge(struct world *w)
{
	struct ipvs_status s = { .generation = w->commit.generation,
				 .synced = true,
				 .ready = true };
	struct buf b = { 0 };

	wire_put_ipvs_status(&b, &s);
	channel_send(w->kernel, IPVS_MSG_STATUS, &b);
	buf_done(&b);
}

static bool kernel_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct world *w = arg;
	struct ipvs_service s;
	struct endpoint key;
	int r;

	assert_int_equal(fd, -1);
	switch (type) {
	case IPVS_MSG_BEGIN:
		ipvs_table_done(&w->told);
		ipvs_table_init(&w->told);
		return true;
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		r = ipvs_message_read(&w->reader, type, body, &s);
		assert_true(r >= 0);
		if (r == 1)
			ipvs_table_put(&w->told, &s);
		return true;
	case IPVS_MSG_GONE:
		key = wire_endpoint(body);
		assert_true(wire_end(body));
		ipvs_table_remove(&w->told, &key);
		return true;
	case IPVS_MSG_COMMIT:
		wire_ipvs_commit(body, &w->commit);
		assert_true(wire_end(body));
		table_copy(&w->wanted, &w->told);
		w->commits++;
		if (w->acknowledge)
			acknowledge(w);
		return true;
	default:
		fail_msg("core said %u to ipvs", type);
		return false;
	}
}

static void peer_closed(void *arg, const char *why)
{
	(void)arg;
	(void)why;
}

static void send_image(void *arg, uint16_t type, const struct buf *body)
{
	struct world *w = arg;

	channel_send(w->kernel, type, body);
}

/* A new ipvs process, with this in its kernel. */
static void connect_kernel(struct world *w, const char *image)
{
	struct channel_handler h = { kernel_message, peer_closed, w };
	struct ipvs_table table;
	struct ipvs_service *s;
	struct err err;
	size_t pos = 0;
	int pair[2];

	channel_free(w->kernel);
	ipvs_table_done(&w->told);
	ipvs_table_init(&w->told);
	ipvs_message_reader_done(&w->reader);
	w->reader = (struct ipvs_message_reader){ 0 };
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(w->loop, pair[0], &h, &w->kernel), 0);
	w->context.peer(w->context.arg, ROLE_IPVS, pair[1]);
	ipvs_table_init(&table);
	assert_int_equal(ipvs_table_parse(image, &table, &err), 0);
	while ((s = map_next(&table.by_key, &pos)))
		ipvs_message_put_service(s, send_image, w);
	ipvs_table_done(&table);
	channel_send(w->kernel, IPVS_MSG_IMAGE_END, NULL);
}

static void send_idle(struct world *w, const char *key, const char *dest)
{
	struct endpoint k, d;
	struct buf b = { 0 };

	assert_int_equal(endpoint_parse(key, IPPROTO_TCP, &k), 0);
	assert_int_equal(endpoint_parse(dest, IPPROTO_TCP, &d), 0);
	wire_put_endpoint(&b, &k);
	wire_put_endpoint(&b, &d);
	channel_send(w->kernel, IPVS_MSG_IDLE, &b);
	buf_done(&b);
}

/* --- the healthcheck process ----------------------------------------------------------- */

static void forget_target(struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->target_count; i++) {
		if (w->targets[i].id != id)
			continue;
		check_unref(w->targets[i].check);
		w->targets[i] = w->targets[--w->target_count];
		return;
	}
}

static void forget_targets(struct world *w)
{
	while (w->target_count)
		forget_target(w, w->targets[0].id);
}

static bool health_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct world *w = arg;
	struct hc_target t;

	assert_int_equal(fd, -1);
	switch (type) {
	case HC_MSG_BEGIN:
		forget_targets(w);
		w->targets_whole = false;
		return true;
	case HC_MSG_TARGET:
		wire_hc_target(body, &t);
		assert_true(wire_end(body));
		forget_target(w, t.id);
		assert_true(w->target_count < TARGETS);
		w->targets[w->target_count++] = t;
		return true;
	case HC_MSG_GONE:
		forget_target(w, wire_u64(body));
		return true;
	case HC_MSG_COMMIT:
		w->targets_whole = true;
		return true;
	default:
		fail_msg("core said %u to healthcheck", type);
		return false;
	}
}

static const struct hc_target *target_at(const struct world *w, const char *where)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < w->target_count; i++) {
		if (strcmp(endpoint_text(&w->targets[i].endpoint, text), where) == 0)
			return &w->targets[i];
	}
	fail_msg("no target at %s", where);
	abort();
}

static void send_verdict(struct world *w, uint64_t id, enum verdict_state state)
{
	struct hc_verdict v = { .id = id,
				.sequence = (uint64_t)w->mono_ms,
				.state = state,
				.reason = state == VERDICT_UP ? HC_REASON_OK : HC_REASON_REFUSED,
				.proven = true,
				.since_ms = world_wall(w) };
	struct buf b = { 0 };

	wire_put_hc_verdict(&b, &v);
	channel_send(w->health, HC_MSG_VERDICT, &b);
	buf_done(&b);
}

static void verdict(struct world *w, const char *where, enum verdict_state state)
{
	send_verdict(w, target_at(w, where)->id, state);
}

/* A new healthcheck process that knows nothing; say what it knows, then health_is_told(). */
static void connect_health(struct world *w)
{
	struct channel_handler h = { health_message, peer_closed, w };
	int pair[2];

	channel_free(w->health);
	forget_targets(w);
	w->targets_whole = false;
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(w->loop, pair[0], &h, &w->health), 0);
	w->context.peer(w->context.arg, ROLE_HEALTHCHECK, pair[1]);
}

static void health_is_told(struct world *w)
{
	channel_send(w->health, HC_MSG_VERDICTS_END, NULL);
}

/* --- the world ------------------------------------------------------------------------- */

static const char *path_in(struct world *w, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	return path;
}

/* As editors do it: beside, then renamed into place. */
static void write_pool(struct world *w, const char *name, const char *text)
{
	char path[128];
	struct err err;

	snprintf(path, sizeof(path), "%s/pools/%s", w->dir, name);
	assert_int_equal(file_write(path, text, strlen(text), &err), 0);
}

static struct fake_kube *http_server; /* of the test that runs */

static int http_of_server(struct loop *l, const char *user_agent, struct http **out)
{
	(void)l;
	assert_int_equal(strncmp(user_agent, "parasaus/", 9), 0);
	*out = http_server->http;
	return 0;
}

static void start_core(struct world *w)
{
	w->context = (struct role_context){ .loop = w->loop, .config = w->config };
	assert_int_equal(core_prepare(&w->context), 0);
	http_server = w->server;
	((struct core *)w->context.arg)->http_new = http_of_server;
	assert_int_equal(core_start(&w->context), 0);
}

static void start_all(struct world *w, const char *image)
{
	start_core(w);
	connect_kernel(w, image);
	connect_health(w);
	health_is_told(w);
}

/* As SIGKILL would: nothing is written any more. The state is that of the last save. */
static void stop_core(struct world *w)
{
	core_end(&w->context);
	if (w->server)
		fake_kube_renew_http(w->server);
	channel_free(w->kernel);
	channel_free(w->health);
	w->kernel = w->health = NULL;
	w->commits = 0;
	ipvs_table_done(&w->wanted);
	ipvs_table_init(&w->wanted);
}

static const char *wanted_text(struct world *w)
{
	static struct buf text;

	buf_reset(&text);
	ipvs_table_print(&w->wanted, &text);
	return buf_cstr(&text);
}

static void turn(struct world *w)
{
	assert_int_equal(loop_turn(w->loop, 1), 0);
	w->mono_ms++;
}

/* Turn until what is wanted is this and has been committed, or fail showing both. */
static void await_wanted(struct world *w, const char *want)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		if (w->commits && strcmp(wanted_text(w), want) == 0)
			return;
		turn(w);
	}
	assert_string_equal(wanted_text(w), want);
	fail_msg("nothing was committed");
}

static void await_targets(struct world *w, size_t count)
{
	for (int i = 0; i < TURNS_MAX && !(w->targets_whole && w->target_count == count); i++)
		turn(w);
	assert_true(w->targets_whole);
	assert_int_equal(w->target_count, count);
}

static void pass(struct world *w, int64_t ms)
{
	int64_t end = w->mono_ms + ms;

	for (int i = 0; i < 50; i++)
		turn(w);
	if (w->mono_ms < end)
		w->mono_ms = end;
	for (int i = 0; i < 50; i++)
		turn(w);
}

static struct config *make_config(const struct world *w, const char *source)
{
	struct config *config = NULL;
	struct err err = { 0 };
	char text[512];

	snprintf(text, sizeof(text),
		 "stateDirectory: %s/state\n"
		 "addressPools: [{name: p, addresses: [10.0.0.1], ports: 30000-64999}]\n"
		 "sources: [%s]\n"
		 "api: {socket: %s/api.sock}\n"
		 "user: root\n"
		 "logLevel: error\n",
		 w->dir, source, w->dir);
	if (config_read("test", text, strlen(text), &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void no_line(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	char source[128];

	log_set_sink(no_line);
	w->mono_ms = 1000000;
	w->clock = (struct clock){ world_mono, world_wall, w };
	w->acknowledge = true;
	strcpy(w->dir, "/tmp/parasaus-core-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(mkdir(path_in(w, "pools"), 0755), 0);
	ipvs_table_init(&w->told);
	ipvs_table_init(&w->wanted);
	assert_int_equal(loop_new(&w->clock, &w->loop), 0);
	snprintf(source, sizeof(source), "{directory: %s/pools}", w->dir);
	w->config = make_config(w, source);
	*state = w;
	return 0;
}

/* The same with a source in a cluster. */
static int set_up_cluster(void **state)
{
	static const char kubeconfig[] =
		"current-context: c\n"
		"clusters: [{name: c, cluster: {server: \"https://127.0.0.1:6443\"}}]\n"
		"users: [{name: u, user: {token: t}}]\n"
		"contexts: [{name: c, context: {cluster: c, user: u}}]\n";
	char source[256];
	struct world *w;
	int r = set_up(state);

	w = *state;
	config_free(w->config);
	assert_int_equal(file_write(path_in(w, "kubeconfig"), kubeconfig, strlen(kubeconfig), NULL),
			 0);
	snprintf(source, sizeof(source), "{kubernetes: {kubeconfig: %s/kubeconfig}}", w->dir);
	w->config = make_config(w, source);
	w->server = fake_kube_new(w->loop);
	return r;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	stop_core(w);
	forget_targets(w);
	ipvs_message_reader_done(&w->reader);
	ipvs_table_done(&w->told);
	ipvs_table_done(&w->wanted);
	if (w->server) {
		http_free(w->server->http);
		fake_kube_free(w->server);
	}
	loop_free(w->loop);
	config_free(w->config);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

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
	char name[16], text[512];

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

/* --- in a cluster ------------------------------------------------------------------------ */

static void put_web(struct world *w, const char *members)
{
	char fields[256];

	fake_kube_put(w->server, FAKE_SERVICES, "default", "web", "",
		      ",\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\":\"p\",\"port\":80,"
		      "\"nodePort\":30080}]}");
	snprintf(fields, sizeof(fields),
		 ",\"subsets\":[{\"addresses\":[%s],\"ports\":[{\"name\":\"p\",\"port\":8080}]}]",
		 members);
	fake_kube_put(w->server, FAKE_ENDPOINTS, "default", "web", "", fields);
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
	w->server->down = false;
	pass(w, 31000);
	await_wanted(w, VIP D1("0")); /* drained */
	pass(w, 1000);
	assert_true(w->commit.complete);
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

#define CLUSTER_TEST(t) cmocka_unit_test_setup_teardown(t, set_up_cluster, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		T(a_file_becomes_a_service),
		T(nothing_is_wanted_before_the_kernel_was_read),
		T(a_first_look_that_takes_long_is_waited_for),
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
		T(a_removed_pool_drains_and_goes),
		T(surplus_in_the_kernel_drains_once_all_is_known),
		T(a_broken_file_deletes_nothing),
		T(without_its_directory_it_serves_from_the_state),
		T(a_new_core_takes_the_verdicts_of_a_running_prober),
		T(helpers_that_come_back_are_told_everything),
		T(a_frontend_changes_hands),
		T(what_did_not_change_is_not_told_again),
		CLUSTER_TEST(a_cluster_becomes_a_service_and_its_changes),
		CLUSTER_TEST(a_restart_goes_on_without_a_list),
		CLUSTER_TEST(without_the_server_the_state_serves),
		CLUSTER_TEST(a_kubeconfig_that_cannot_be_read_is_no_beginning),
	};

	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
