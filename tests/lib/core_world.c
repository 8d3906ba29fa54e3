/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/core_world.h"
#include "tests/lib/fake_kube.h"
#include "tests/lib/snapshots.h"

#include <err.h>
#include <errno.h>
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
#include "agent/base/log.h"
#include "agent/base/xalloc.h"

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

/* What is wanted of the ipvs process is always what it was told is ours. */
static void all_are_ours(struct world *w)
{
	struct ipvs_service *s;

	assert_true(w->ours_told);
	for (size_t pos = 0; (s = map_next(&w->wanted.by_key, &pos));) {
		bool found = false;

		for (size_t i = 0; i < w->ours.count && !found; i++)
			found = addr_range_has(&w->ours.items[i].addresses, &s->key.addr) &&
				s->key.port >= w->ours.items[i].ports.first &&
				s->key.port <= w->ours.items[i].ports.last;
		assert_true(found);
	}
}

const char *ours_text(struct world *w)
{
	static char text[1024];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < w->ours.count && n < sizeof(text); i++) {
		const struct ipvs_ours *o = &w->ours.items[i];
		char range[ADDR_RANGE_TEXT_MAX];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%u-%u", i ? " " : "",
				      addr_range_text(&o->addresses, range), o->ports.first,
				      o->ports.last);
	}
	return text;
}

static void send_to_core(void *arg, uint16_t type, const struct buf *body)
{
	struct world *w = arg;

	channel_send(w->kernel, type, body);
}

/* The n-th destination of a service has n connections, and everything has been used once each. */
static void answer_count(struct world *w, struct wire *body)
{
	static const struct ipvs_counters some = { 11, 12, 13, 14, 1ull << 40 };
	struct ipvs_stats_answer a = { .id = wire_u32(body) };
	const struct endpoint key = wire_endpoint(body);
	const struct ipvs_service *s = ipvs_table_get(&w->wanted, &key);

	assert_true(wire_end(body));
	w->questions++;
	if (w->silent)
		return;
	a.error = s ? 0 : ESRCH;
	if (s) {
		a.stats.counting = true;
		a.stats.counters = some;
		if (strcmp(s->scheduler, "mh") == 0)
			a.stats.fingerprint = 0x0123456789abcdef;
	}
	for (uint32_t i = 0; s && i < s->dest_count; i++)
		*ipvs_stats_add(&a.stats) = (struct ipvs_dest_stats){ .addr = s->dests[i].addr,
								      .port = s->dests[i].port,
								      .weight = s->dests[i].weight,
								      .active = i + 1,
								      .inactive = 2 * i,
								      .counters = some };
	ipvs_stats_put(&a, send_to_core, w);
	ipvs_stats_done(&a.stats);
}

static void say_notrack(struct world *w)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_notrack(&b, &w->notrack);
	channel_send(w->kernel, IPVS_MSG_NOTRACK, &b);
}

static void take_notrack(struct world *w, struct wire *body)
{
	struct ipvs_notrack told;

	wire_ipvs_notrack(body, &told);
	assert_true(wire_end(body));
	w->notracks++;
	if (w->notrack_fails)
		return;
	w->notrack = told;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS && w->notrack_picked; i++) {
		if (told.parts[i].mode != IPVS_NOTRACK_NONE)
			w->notrack.parts[i] =
				(struct ipvs_notrack_part){ .mode = IPVS_NOTRACK_PICKED };
	}
	say_notrack(w);
}

static void refuse_path(const struct world *w, struct ipvs_paths_result *r)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < w->paths.count && w->path_refused; i++) {
		if (strcmp(endpoint_text(&w->paths.items[i].to, text), w->path_refused) != 0)
			continue;
		r->failed[r->failed_count++] = w->paths.items[i].number;
		snprintf(r->text, sizeof(r->text), "path to %s: it is refused", text);
	}
}

void say_paths(struct world *w, int error)
{
	struct ipvs_paths_result r = { .version = w->paths.version, .error = -error };
	CLEANUP(buf_done) struct buf b = { 0 };

	if (error)
		snprintf(r.text, sizeof(r.text), "nf_tables: %s", strerror(error));
	else
		refuse_path(w, &r);
	wire_put_ipvs_paths_result(&b, &r);
	channel_send(w->kernel, IPVS_MSG_PATHS, &b);
}

static void take_paths(struct world *w, struct wire *body)
{
	ipvs_paths_done(&w->paths);
	wire_ipvs_paths(body, &w->paths);
	assert_true(wire_end(body));
	w->path_lists++;
	if (!w->paths_held)
		say_paths(w, w->paths_error);
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
	case IPVS_MSG_OURS:
		assert_int_equal(ipvs_message_read_ours(&w->ours, &w->ours_told, body), 0);
		return true;
	case IPVS_MSG_COMMIT:
		wire_ipvs_commit(body, &w->commit);
		assert_true(wire_end(body));
		table_copy(&w->wanted, &w->told);
		all_are_ours(w);
		w->commits++;
		if (w->on_commit)
			w->on_commit(w);
		if (w->acknowledge)
			acknowledge(w);
		return true;
	case IPVS_MSG_COUNT:
		answer_count(w, body);
		return true;
	case IPVS_MSG_NOTRACK:
		take_notrack(w, body);
		return true;
	case IPVS_MSG_PATHS:
		take_paths(w, body);
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

void connect_kernel(struct world *w, const char *image)
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
	w->ours_told = false;
	w->reader = (struct ipvs_message_reader){ 0 };
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(w->loop, pair[0], &h, &w->kernel), 0);
	w->context.peer(w->context.arg, ROLE_IPVS, pair[1]);
	say_notrack(w);
	ipvs_table_init(&table);
	assert_int_equal(ipvs_table_parse(image, &table, &err), 0);
	while ((s = map_next(&table.by_key, &pos)))
		ipvs_message_put_service(s, send_image, w);
	ipvs_table_done(&table);
	channel_send(w->kernel, IPVS_MSG_IMAGE_END, NULL);
}

void send_idle(struct world *w, const char *key, const char *dest)
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

void forget_targets(struct world *w)
{
	while (w->target_count)
		forget_target(w, w->targets[0].id);
}

static void forget_secret(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->secret_count; i++) {
		if (strcmp(w->secrets[i].name, name) != 0)
			continue;
		hc_secret_done(&w->secrets[i]);
		w->secrets[i] = w->secrets[--w->secret_count];
		return;
	}
}

static void forget_secrets(struct world *w)
{
	while (w->secret_count)
		forget_secret(w, w->secrets[0].name);
}

static void take_secret(struct world *w, struct wire *body)
{
	struct hc_secret s;

	wire_hc_secret(body, &s);
	assert_true(wire_end(body));
	forget_secret(w, s.name);
	assert_true(w->secret_count < SECRETS);
	w->secrets[w->secret_count++] = s;
}

const struct hc_secret *secret_told(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->secret_count; i++) {
		if (strcmp(w->secrets[i].name, name) == 0)
			return &w->secrets[i];
	}
	return NULL;
}

static bool knows(const struct world *w, uint64_t id)
{
	for (size_t i = 0; i < w->target_count; i++)
		if (w->targets[i].id == id)
			return true;
	return false;
}

static void say_how_it_is(struct world *w, uint64_t id)
{
	struct hc_sight s = { 0 };
	struct buf b = { 0 };

	w->looks++;
	if (w->unseeing)
		return;
	if (knows(w, id))
		s = w->sight;
	s.id = id;
	wire_put_hc_sight(&b, &s);
	channel_send(w->health, HC_MSG_SEEN, &b);
	buf_done(&b);
}

static bool health_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct world *w = arg;
	struct hc_target t;

	assert_int_equal(fd, -1);
	switch (type) {
	case HC_MSG_BEGIN:
		forget_targets(w);
		forget_secrets(w);
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
	case HC_MSG_SECRET:
		take_secret(w, body);
		return true;
	case HC_MSG_LOOK:
		say_how_it_is(w, wire_u64(body));
		return true;
	default:
		fail_msg("core said %u to healthcheck", type);
		return false;
	}
}

const struct hc_target *target_at(const struct world *w, const char *where)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < w->target_count; i++) {
		if (strcmp(endpoint_text(&w->targets[i].endpoint, text), where) == 0)
			return &w->targets[i];
	}
	fail_msg("no target at %s", where);
	abort();
}

static enum hc_standing standing_of(enum hc_reason reason)
{
	if (reason == HC_REASON_DRAINING)
		return HC_STANDING_DRAINING;
	return reason == HC_REASON_DEGRADED ? HC_STANDING_DEGRADED : HC_STANDING_NORMAL;
}

void send_verdict_why(struct world *w, uint64_t id, enum verdict_state state, enum hc_reason reason)
{
	struct hc_verdict v = { .id = id,
				.sequence = (uint64_t)w->mono_ms,
				.state = state,
				.reason = reason,
				.proven = reason != HC_REASON_INHERITED,
				.standing = standing_of(reason),
				.since_ms = world_wall(w) };
	struct buf b = { 0 };

	wire_put_hc_verdict(&b, &v);
	channel_send(w->health, HC_MSG_VERDICT, &b);
	buf_done(&b);
}

void send_verdict(struct world *w, uint64_t id, enum verdict_state state)
{
	send_verdict_why(w, id, state, state == VERDICT_UP ? HC_REASON_OK : HC_REASON_REFUSED);
}

void verdict_why(struct world *w, const char *where, enum verdict_state state,
		 enum hc_reason reason)
{
	send_verdict_why(w, target_at(w, where)->id, state, reason);
}

void verdict(struct world *w, const char *where, enum verdict_state state)
{
	send_verdict(w, target_at(w, where)->id, state);
}

void connect_prober(struct world *w, const struct channel_handler *h)
{
	int pair[2];

	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(w->loop, pair[0], h, &w->health), 0);
	w->context.peer(w->context.arg, ROLE_HEALTHCHECK, pair[1]);
}

void core_hung_up(void *arg, const char *why)
{
	(void)arg;
	fail_msg("core hung up: %s", why);
}

void connect_health(struct world *w)
{
	struct channel_handler h = { health_message, peer_closed, w };

	channel_free(w->health);
	forget_targets(w);
	forget_secrets(w);
	w->targets_whole = false;
	connect_prober(w, &h);
}

void health_is_told(struct world *w)
{
	channel_send(w->health, HC_MSG_VERDICTS_END, NULL);
}

/* --- the world ------------------------------------------------------------------------- */

const char *path_in(struct world *w, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	return path;
}

void write_pool(struct world *w, const char *name, const char *text)
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

static void be_on_kernel(const struct world *w)
{
	struct utsname *k = &((struct core *)w->context.arg)->kernel_is;

	*k = (struct utsname){ 0 };
	if (w->kernel_is)
		snprintf(k->version, sizeof(k->version), "%s", w->kernel_is);
}

void start_core(struct world *w)
{
	w->context = (struct role_context){ .loop = w->loop, .config = w->config };
	assert_int_equal(core_prepare(&w->context), 0);
	http_server = w->server;
	((struct core *)w->context.arg)->http_new = http_of_server;
	((struct core *)w->context.arg)->files_at_once = true;
	be_on_kernel(w);
	if (w->over_tcp) /* a port that is free, which no configuration can say */
		((struct core *)w->context.arg)->tcp_fd = snapshot_listen_tcp(&w->tcp_port);
	assert_int_equal(core_start(&w->context), 0);
}

void start_all(struct world *w, const char *image)
{
	start_core(w);
	connect_kernel(w, image);
	connect_health(w);
	health_is_told(w);
}

void stop_core(struct world *w)
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

const char *wanted_text(struct world *w)
{
	static struct buf text;

	buf_reset(&text);
	ipvs_table_print(&w->wanted, &text);
	return buf_cstr(&text);
}

void turn(struct world *w)
{
	assert_int_equal(loop_turn(w->loop, 1), 0);
	w->mono_ms++;
}

void await_wanted(struct world *w, const char *want)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		if (w->commits && strcmp(wanted_text(w), want) == 0)
			return;
		turn(w);
	}
	assert_string_equal(wanted_text(w), want);
	fail_msg("nothing was committed");
}

void await_targets(struct world *w, size_t count)
{
	for (int i = 0; i < TURNS_MAX && !(w->targets_whole && w->target_count == count); i++)
		turn(w);
	assert_true(w->targets_whole);
	assert_int_equal(w->target_count, count);
}

void pass(struct world *w, int64_t ms)
{
	int64_t end = w->mono_ms + ms;

	for (int i = 0; i < 50; i++)
		turn(w);
	if (w->mono_ms < end)
		w->mono_ms = end;
	for (int i = 0; i < 50; i++)
		turn(w);
}

/* NULL: the configuration names no source. */
static struct config *make_config(const struct world *w, const char *source)
{
	struct config *config = NULL;
	struct err err = { 0 };
	char text[512];

	snprintf(text, sizeof(text),
		 "stateDirectory: %s/state\n"
		 "vipRanges: [10.0.0.0/24]\n"
		 "addressPools: [{name: p, addresses: [10.0.0.1], ports: 30000-64999}]\n"
		 "%s%s%s"
		 "api: {socket: %s/api.sock}\n"
		 "user: root\n"
		 "logLevel: error\n",
		 w->dir, source ? "sources: [" : "", source ? source : "", source ? "]\n" : "",
		 w->dir);
	if (config_read("test", text, strlen(text), &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

/* A sink takes no argument, and there is one world at a time. */
static struct world *logged;

static void keep_line(enum log_level level, const char *line)
{
	(void)level;
	if (logged)
		buf_printf(&logged->log, "%s\n", line);
}

int core_world_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	char source[128];

	logged = w;
	log_open("test", LOG_LEVEL_DEBUG);
	log_set_sink(keep_line);
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

int core_world_up_cluster(void **state)
{
	static const char kubeconfig[] =
		"current-context: c\n"
		"clusters: [{name: c, cluster: {server: \"https://127.0.0.1:6443\"}}]\n"
		"users: [{name: u, user: {token: t}}]\n"
		"contexts: [{name: c, context: {cluster: c, user: u}}]\n";
	char source[256];
	struct world *w;
	int r = core_world_up(state);

	w = *state;
	config_free(w->config);
	assert_int_equal(file_write(path_in(w, "kubeconfig"), kubeconfig, strlen(kubeconfig), NULL),
			 0);
	snprintf(source, sizeof(source), "{kubernetes: {kubeconfig: %s/kubeconfig}}", w->dir);
	w->config = make_config(w, source);
	w->server = fake_kube_new(w->loop);
	return r;
}

int core_world_up_store(void **state)
{
	int r = core_world_up(state);
	struct world *w = *state;

	config_free(w->config);
	w->config = make_config(w, "{store: {}}");
	return r;
}

int core_world_up_store_and_files(void **state)
{
	int r = core_world_up(state);
	struct world *w = *state;
	char sources[160];

	config_free(w->config);
	snprintf(sources, sizeof(sources), "{store: {}}, {directory: %s/pools}", w->dir);
	w->config = make_config(w, sources);
	return r;
}

int core_world_up_sourceless(void **state)
{
	int r = core_world_up(state);
	struct world *w = *state;

	config_free(w->config);
	w->config = make_config(w, NULL);
	return r;
}

int core_world_down(void **state)
{
	struct world *w = *state;
	char command[128];

	stop_core(w);
	forget_targets(w);
	forget_secrets(w);
	logged = NULL;
	buf_done(&w->log);
	ipvs_message_reader_done(&w->reader);
	ipvs_ours_list_done(&w->ours);
	ipvs_paths_done(&w->paths);
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

/* --- for programs that measure ---------------------------------------------------------- */

static bool hear_wanted(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct forgetful_kernel *k = arg;
	struct ipvs_status s = { .synced = true, .ready = true };
	struct buf b = { 0 };
	struct ipvs_commit commit;

	(void)fd;
	if (type != IPVS_MSG_COMMIT)
		return true;
	wire_ipvs_commit(body, &commit);
	s.generation = commit.generation;
	wire_put_ipvs_status(&b, &s);
	channel_send(k->channel, IPVS_MSG_STATUS, &b);
	buf_done(&b);
	k->synced = true;
	return true;
}

static void hung_up(void *arg, const char *why)
{
	(void)arg;
	errx(1, "core hung up: %s", why);
}

void connect_forgetful_kernel(struct world *w, struct forgetful_kernel *k)
{
	struct channel_handler h = { hear_wanted, hung_up, k };
	int pair[2];

	if (channel_pair(pair) < 0 || channel_new(w->loop, pair[0], &h, &k->channel) < 0)
		errx(1, "no channel");
	w->context.peer(w->context.arg, ROLE_IPVS, pair[1]);
	channel_send(k->channel, IPVS_MSG_IMAGE_END, NULL);
}
