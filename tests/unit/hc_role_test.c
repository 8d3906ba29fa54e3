/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The healthcheck role with a core of the test's own, on real sockets in a namespace of its own.
 * The clock is the test's as well: each turn of the loop is STEP_MS, however long it takes.
 */
#include "healthcheck/role.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/channel.h"
#include "agent/base/sandbox.h"
#include "agent/base/xalloc.h"
#include "healthcheck/message.h"
#include "tests/lib/own_net.h"
#include "tests/lib/skip.h"

#define STEP_MS	    5
#define PATIENCE_MS 60000 /* of the test's clock */
#define SEEN_MAX    50000
#define VIPS	    "10.99.200.0/24"
#define REFUSED	    "10.99.201.0/24"

static bool has_net;

struct ground {
	struct clock clock;
	mono_t now;
	struct loop *loop;
	struct hc_role *role;
	struct channel *core;
	struct check *check;
	struct hc_verdict *seen; /* the newest of each id, in no order */
	size_t seen_count, verdicts, ends, before_end, events, closed;
	struct hc_status status;
	struct hc_sight sight;
	size_t sights;
	char event[300];
};

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct ground *g = arg;
	struct hc_verdict v;
	size_t i = 0;

	assert_int_equal(fd, -1);
	switch (type) {
	case HC_MSG_VERDICT:
		wire_hc_verdict(body, &v);
		while (i < g->seen_count && g->seen[i].id != v.id)
			i++;
		assert_true(i < SEEN_MAX);
		g->seen[i] = v;
		g->seen_count += i == g->seen_count;
		g->verdicts++;
		break;
	case HC_MSG_VERDICTS_END:
		g->before_end = g->verdicts;
		g->ends++;
		break;
	case HC_MSG_STATUS:
		wire_hc_status(body, &g->status);
		break;
	case HC_MSG_SEEN:
		wire_hc_sight(body, &g->sight);
		g->sights++;
		break;
	case HC_MSG_EVENT:
		(void)wire_u8(body);
		wire_str(body, g->event, sizeof(g->event));
		g->events++;
		break;
	default:
		return false;
	}
	assert_true(wire_end(body));
	return true;
}

/* Counts alone: for very many. */
static bool on_message_count(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct ground *g = arg;

	(void)body;
	(void)fd;
	g->verdicts += type == HC_MSG_VERDICT;
	g->ends += type == HC_MSG_VERDICTS_END;
	if (type == HC_MSG_VERDICTS_END)
		g->before_end = g->verdicts;
	return true;
}

static void on_closed(void *arg, const char *why)
{
	struct ground *g = arg;

	(void)why;
	g->closed++;
	channel_free(g->core);
	g->core = NULL;
}

static void connect_core(struct ground *g, bool counting)
{
	struct channel_handler h = { counting ? on_message_count : on_message, on_closed, g };
	int pair[2];

	channel_free(g->core);
	g->core = NULL;
	g->verdicts = g->ends = g->before_end = g->seen_count = 0;
	assert_int_equal(channel_pair(pair), 0);
	assert_int_equal(channel_new(g->loop, pair[0], &h, &g->core), 0);
	hc_role_connect(g->role, pair[1]);
}

static mono_t test_mono(void *arg)
{
	return ((struct ground *)arg)->now;
}

static int64_t test_wall_ms(void *arg)
{
	return 1700000000000 + ((struct ground *)arg)->now.ns / 1000000;
}

static void turn(struct ground *g)
{
	g->now = mono_add_ms(g->now, STEP_MS);
	assert_int_equal(loop_turn(g->loop, 0), 0);
}

static int ground_up(void **state)
{
	static struct prefix vips;
	static struct prefix refuse;
	static const struct hc_config c = { .vip_ranges = &vips,
					    .vip_range_count = 1,
					    .refuse = &refuse,
					    .refuse_count = 1,
					    .max_in_flight = 1000 };
	struct ground *g = xcalloc(1, sizeof(*g));

	*state = g;
	assert_int_equal(prefix_parse(VIPS, &vips), 0);
	assert_int_equal(prefix_parse(REFUSED, &refuse), 0);
	g->now = (mono_t){ 5000000000000 };
	g->clock = (struct clock){ test_mono, test_wall_ms, g };
	assert_int_equal(loop_new(&g->clock, &g->loop), 0);
	assert_int_equal(hc_role_new(g->loop, &c, &g->role), 0);
	g->seen = xcalloc(SEEN_MAX, sizeof(*g->seen));
	g->check = check_new(CHECK_TCP);
	g->check->interval_ms = g->check->timeout_ms = g->check->fast_ms = 100;
	connect_core(g, false);
	return 0;
}

static int ground_down(void **state)
{
	struct ground *g = *state;

	channel_free(g->core);
	hc_role_free(g->role);
	turn(g); /* channels go once what they put off has run */
	loop_free(g->loop);
	check_unref(g->check);
	free(g->seen);
	free(g);
	return 0;
}

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	assert_int_equal(endpoint_parse(text, IPPROTO_TCP, &e), 0);
	return e;
}

static void send_empty(struct ground *g, enum hc_message type)
{
	channel_send(g->core, (uint16_t)type, NULL);
}

static uint64_t send_target_to(struct ground *g, const struct endpoint *e,
			       enum verdict_state initial)
{
	struct hc_target t = { .endpoint = *e, .check = g->check, .initial = initial };
	struct buf b = { 0 };

	t.id = check_target_id(t.check, e);
	wire_put_hc_target(&b, &t);
	channel_send(g->core, HC_MSG_TARGET, &b);
	buf_done(&b);
	return t.id;
}

static uint64_t send_target(struct ground *g, const char *where, enum verdict_state initial)
{
	struct endpoint e = endpoint_of(where);

	return send_target_to(g, &e, initial);
}

static const struct hc_verdict *seen_of(const struct ground *g, uint64_t id)
{
	for (size_t i = 0; i < g->seen_count; i++)
		if (g->seen[i].id == id)
			return &g->seen[i];
	return NULL;
}

static struct hc_verdict told_of(const struct ground *g, uint64_t id)
{
	const struct hc_verdict *v = seen_of(g, id);

	assert_non_null(v);
	return v ? *v : (struct hc_verdict){ 0 };
}

/* Turns the loop until the condition holds, and fails when patience is over. */
#define TURN_UNTIL(g, condition)                                 \
	do {                                                     \
		mono_t end = mono_add_ms((g)->now, PATIENCE_MS); \
		while (!(condition)) {                           \
			turn(g);                                 \
			assert_true(mono_before((g)->now, end)); \
		}                                                \
	} while (0)

static void turn_ms(struct ground *g, int64_t ms)
{
	mono_t end = mono_add_ms(g->now, ms);

	while (mono_before(g->now, end))
		turn(g);
}

static bool is_state(const struct ground *g, uint64_t id, enum verdict_state s)
{
	const struct hc_verdict *v = seen_of(g, id);

	return v && v->state == s;
}

static int listener_at(const char *where)
{
	struct endpoint e = endpoint_of(where);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(e.port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;

	memcpy(&in.sin_addr, e.addr.bytes, 4);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static void servers_are_found_up_and_down(void **state)
{
	struct ground *g = *state;
	uint64_t alive, dead;
	int fd;

	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	fd = listener_at("10.99.0.1:8080");
	TURN_UNTIL(g, g->ends == 1);
	assert_int_equal(g->before_end, 0);
	send_empty(g, HC_MSG_BEGIN);
	alive = send_target(g, "10.99.0.1:8080", VERDICT_UNKNOWN);
	dead = send_target(g, "10.99.0.2:8080", VERDICT_UP);
	send_empty(g, HC_MSG_COMMIT);
	TURN_UNTIL(g, is_state(g, alive, VERDICT_UP) && is_state(g, dead, VERDICT_DOWN));
	assert_int_equal(told_of(g, dead).reason, HC_REASON_REFUSED);
	assert_true(told_of(g, dead).proven);
	assert_int_equal(accept(fd, NULL, NULL), -1); /* never seen, however often probed */
	close(fd);
	TURN_UNTIL(g, is_state(g, alive, VERDICT_DOWN));
	fd = listener_at("10.99.0.1:8080");
	TURN_UNTIL(g, is_state(g, alive, VERDICT_UP));
	TURN_UNTIL(g, g->status.probes > 10);
	assert_int_equal(g->status.targets, 2);
	assert_int_equal(g->status.up, 1);
	assert_int_equal(g->status.down, 1);
	assert_int_equal(g->events, 0);
	close(fd);
}

static void a_network_without_a_route_is_our_own_trouble(void **state)
{
	struct ground *g = *state;
	uint64_t id;

	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	id = send_target(g, "203.0.113.1:80", VERDICT_UP);
	TURN_UNTIL(g, g->status.inconclusive > 5);
	assert_true(is_state(g, id, VERDICT_UP));
	TURN_UNTIL(g, g->events == 1);
	assert_non_null(strstr(g->event, "our own network"));
	assert_non_null(strstr(g->event, strerror(ENETUNREACH)));
}

static void refused_addresses_are_told_and_never_probed(void **state)
{
	struct ground *g = *state;
	static const char *const where[] = { "127.0.0.1:80", "169.254.169.254:80",
					     "224.0.0.1:80", "10.99.200.7:80",
					     "[fe80::1]:80", "10.99.201.7:80" };
	static const enum verdict_state states[] = { VERDICT_UP, VERDICT_UNKNOWN, VERDICT_DOWN };

	for (size_t i = 0; i < ARRAY_LEN(where); i++) {
		enum verdict_state was = states[i % ARRAY_LEN(states)];
		uint64_t id = send_target(g, where[i], was);

		TURN_UNTIL(g, g->events == i + 1 && seen_of(g, id));
		/* It is neither up nor down by that. */
		assert_true(is_state(g, id, was));
		assert_int_equal(told_of(g, id).reason, HC_REASON_NOT_ALLOWED);
		assert_false(told_of(g, id).proven);
		assert_non_null(strstr(g->event, where[i]));
		send_target(g, where[i], was); /* told again: not told again */
	}
	turn_ms(g, 300);
	assert_int_equal(g->events, ARRAY_LEN(where));
	TURN_UNTIL(g, g->status.targets == ARRAY_LEN(where));
	assert_int_equal(g->status.probes, 0);
}

static void send_secret(struct ground *g, const char *name, const char *password)
{
	CLEANUP(buf_wipe) struct buf b = { 0 };
	struct hc_secret s = { .name = xstrdup(name), .present = password != NULL };

	if (password) {
		s.username = xstrdup("parasaus");
		s.password = xstrdup(password);
	}
	wire_put_hc_secret(&b, &s);
	channel_send_secret(g->core, HC_MSG_SECRET, &b);
	hc_secret_done(&s);
}

/* With its Secret a mysql check connects in earnest; without, it does not, and a person is told. */
static void a_secret_makes_a_mysql_check_log_in(void **state)
{
	struct ground *g = *state;
	uint64_t id;
	int fd, talk = -1;

	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	fd = listener_at("10.99.0.1:3306");
	check_unref(g->check);
	g->check = check_new(CHECK_MYSQL);
	g->check->interval_ms = g->check->timeout_ms = g->check->fast_ms = 100;
	g->check->secret = xstrdup("db/check");
	id = send_target(g, "10.99.0.1:3306", VERDICT_UNKNOWN);
	TURN_UNTIL(g, is_state(g, id, VERDICT_UP) && g->events == 1);
	assert_int_equal(told_of(g, id).reason, HC_REASON_NO_SECRET);
	assert_non_null(strstr(g->event, "db/check"));
	assert_int_equal(accept(fd, NULL, NULL), -1);
	send_secret(g, "db/check", "a word");
	TURN_UNTIL(g, (talk = accept(fd, NULL, NULL)) >= 0);
	TURN_UNTIL(g, is_state(g, id, VERDICT_DOWN)); /* it never greets */
	assert_int_equal(told_of(g, id).reason, HC_REASON_TIMEOUT);
	assert_int_equal(g->events, 1);
	close(talk);
	close(fd);
}

/* The next answer to a look at it. */
static struct hc_sight look(struct ground *g, uint64_t id)
{
	size_t before = g->sights;

	channel_send(g->core, HC_MSG_LOOK, &(struct buf){ (uint8_t *)&id, 8, 8 });
	TURN_UNTIL(g, g->sights > before);
	assert_int_equal(g->sight.id, id);
	return g->sight;
}

static void who_looks_at_a_target_is_told_how_it_is(void **state)
{
	struct ground *g = *state;
	uint64_t id, refused;

	assert_false(look(g, 4711).is_known);
	refused = send_target(g, "127.0.0.1:80", VERDICT_UNKNOWN);
	assert_true(look(g, refused).is_known);
	assert_false(look(g, refused).is_probed);
	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	id = send_target(g, "10.99.0.1:8082", VERDICT_UP); /* nobody listens there */
	TURN_UNTIL(g, look(g, id).streak == 1);
	assert_true(g->sight.is_probed && g->sight.has_begun && g->sight.took_us > 0);
	assert_int_equal(g->sight.interval_ms, g->check->fast_ms);
	assert_in_range(g->sight.began_ago_ms, 0, 2 * g->check->interval_ms);
	assert_true(g->sight.due_in_ms <= g->check->fast_ms);
}

static void many_refusals_are_summed_up(void **state)
{
	struct ground *g = *state;
	struct endpoint e = endpoint_of("127.0.0.1:80");

	for (uint16_t port = 1; port <= 100; port++) {
		e.port = port;
		send_target_to(g, &e, VERDICT_UNKNOWN);
	}
	TURN_UNTIL(g, g->seen_count == 100 && g->events == 11);
	assert_non_null(strstr(g->event, "90 more"));
}

static void a_new_core_gets_all_verdicts(void **state)
{
	struct ground *g = *state;
	uint64_t kept, dropped;
	struct hc_verdict before;
	int fd;

	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	fd = listener_at("10.99.0.1:8081");
	send_empty(g, HC_MSG_BEGIN);
	kept = send_target(g, "10.99.0.1:8081", VERDICT_UNKNOWN);
	dropped = send_target(g, "10.99.0.2:8081", VERDICT_UNKNOWN);
	send_empty(g, HC_MSG_COMMIT);
	TURN_UNTIL(g, is_state(g, kept, VERDICT_UP) && is_state(g, dropped, VERDICT_DOWN));
	before = told_of(g, kept);
	channel_free(g->core);
	g->core = NULL;
	turn_ms(g, 300); /* nobody listens: it goes on */
	connect_core(g, false);
	TURN_UNTIL(g, g->ends == 1);
	assert_int_equal(g->before_end, 2);
	assert_true(is_state(g, kept, VERDICT_UP) && is_state(g, dropped, VERDICT_DOWN));
	assert_int_equal(told_of(g, kept).sequence, before.sequence);
	assert_int_equal(told_of(g, kept).since_ms, before.since_ms);
	assert_true(told_of(g, kept).ok > before.ok);
	send_empty(g, HC_MSG_BEGIN);
	send_target(g, "10.99.0.1:8081", VERDICT_DOWN);
	send_empty(g, HC_MSG_COMMIT);
	TURN_UNTIL(g, g->status.targets == 1);
	assert_true(is_state(g, kept, VERDICT_UP));
	channel_send(g->core, HC_MSG_GONE, &(struct buf){ (uint8_t *)&kept, 8, 8 });
	TURN_UNTIL(g, g->status.targets == 0);
	close(fd);
}

static void what_breaks_the_protocol_closes_the_channel_alone(void **state)
{
	struct ground *g = *state;
	uint8_t junk[12] = { 1 };
	struct buf b = { junk, sizeof(junk), sizeof(junk) };
	uint64_t id = send_target(g, "127.0.0.1:80", VERDICT_UNKNOWN);

	for (int i = 0; i < 7; i++) {
		switch (i) {
		case 0:
			channel_send(g->core, HC_MSG_TARGET, &b);
			break;
		case 1:
			channel_send(g->core, HC_MSG_GONE, &b);
			break;
		case 2:
			channel_send(g->core, HC_MSG_BEGIN, &b);
			break;
		case 3: /* would drop everything: not without a begin on this channel */
			send_empty(g, HC_MSG_COMMIT);
			break;
		case 4:
			channel_send(g->core, HC_MSG_VERDICT, NULL);
			break;
		case 5:
			channel_send(g->core, HC_MSG_LOOK, &b);
			break;
		default:
			channel_send_fd(g->core, HC_MSG_BEGIN, NULL,
					open("/dev/null", O_RDONLY | O_CLOEXEC));
			break;
		}
		TURN_UNTIL(g, g->closed == (size_t)i + 1);
		connect_core(g, false);
		TURN_UNTIL(g, g->ends == 1);
		assert_non_null(seen_of(g, id));
	}
}

/* A core that does not read: what is to be told waits, bounded, and comes in the end. */
static void a_slow_core_gets_everything_in_the_end(void **state)
{
	struct ground *g = *state;
	struct endpoint e = endpoint_of("127.0.0.1:80");

	connect_core(g, true);
	send_empty(g, HC_MSG_BEGIN);
	for (uint32_t i = 0; i < 40000; i++) {
		e.addr = addr_v4(0x7f000000 + i);
		send_target_to(g, &e, VERDICT_UNKNOWN);
	}
	send_empty(g, HC_MSG_COMMIT);
	TURN_UNTIL(g, g->verdicts == 40000);
	connect_core(g, true);
	TURN_UNTIL(g, g->ends == 1);
	assert_int_equal(g->before_end, 40000);
}

/* In a child: 0 if a live and a dead target were told apart, by this check. */
static int tell_apart(struct ground *g, enum check_type type)
{
	uint64_t alive, dead;

	check_unref(g->check);
	g->check = check_new(type);
	g->check->interval_ms = g->check->timeout_ms = g->check->fast_ms = 100;
	alive = send_target(g, "10.99.0.1:8082", VERDICT_UNKNOWN);
	dead = send_target(g, "10.99.0.2:8082", VERDICT_UNKNOWN);
	for (int i = 0; i < 1000; i++) {
		g->now = mono_add_ms(g->now, STEP_MS);
		if (loop_turn(g->loop, 0) < 0)
			return 2;
		if (is_state(g, alive, type == CHECK_TCP ? VERDICT_UP : VERDICT_DOWN) &&
		    is_state(g, dead, VERDICT_DOWN) && g->status.probes > 20)
			return 0;
	}
	return 1;
}

/* What it does, it may do: the filter kills a process at the first call it does not know. */
static void it_needs_no_more_than_its_sandbox_gives(void **state)
{
	const struct sandbox s = {
		.user = "nobody",
		.filter = sandbox_filter_available() ? SANDBOX_FILTER_HELPER : SANDBOX_FILTER_NONE,
		.max_files = 256,
	};
	struct ground *g = *state;
	struct err err;
	int fd, status;
	pid_t pid;

	if (!has_net)
		SKIP_BECAUSE("no network namespaces here");
	fd = listener_at("10.99.0.1:8082");
	/* Nobody accepts: half-open passes, and http is never answered. */
	for (enum check_type type = CHECK_TCP; type <= CHECK_HTTP; type++) {
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			_exit(sandbox_enter(&s, &err) < 0 ? 3 : tell_apart(g, type));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, ground_up, ground_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(servers_are_found_up_and_down),
		TEST(a_network_without_a_route_is_our_own_trouble),
		TEST(refused_addresses_are_told_and_never_probed),
		TEST(a_secret_makes_a_mysql_check_log_in),
		TEST(who_looks_at_a_target_is_told_how_it_is),
		TEST(many_refusals_are_summed_up),
		TEST(a_new_core_gets_all_verdicts),
		TEST(what_breaks_the_protocol_closes_the_channel_alone),
		TEST(it_needs_no_more_than_its_sandbox_gives),
		TEST(a_slow_core_gets_everything_in_the_end),
	};

	has_net = own_net_enter("10.99.0.1", 16);
	if (!has_net)
		printf("# no network namespace of our own: %s\n", strerror(errno));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
