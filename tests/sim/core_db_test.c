/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Databases before core: one writer at a time whatever the servers say and
 * whoever restarts, and Secrets that reach the prober and nothing else.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"
#include "tests/lib/random.h"

#define DB(role, more, members)                                                          \
	"kind: Service\napiVersion: v1\nmetadata:\n  name: db\n  annotations:\n"         \
	"    parasaus.io/health-check-type: mysql\n"                                     \
	"    parasaus.io/health-check-secret: check\n"                                   \
	"    parasaus.io/health-check-role: " role "\n" more                             \
	"spec: {type: NodePort, ports: [{name: p, port: 3306, nodePort: 30306}]}\n---\n" \
	"kind: Endpoints\napiVersion: v1\nmetadata: {name: db}\n"                        \
	"subsets: [{ports: [{name: p, port: 3306}], addresses: [" members "]}]\n"
#define ONE   "{ip: 10.1.0.1}"
#define TWO   "{ip: 10.1.0.2}"
#define THREE "{ip: 10.1.0.3}"
#define A     "10.1.0.1:3306"
#define B     "10.1.0.2:3306"
#define C     "10.1.0.3:3306"
#define VIP   "-A -t 10.0.0.1:30306 -s wrr\n"
#define D1(w) "-a -t 10.0.0.1:30306 -r 10.1.0.1:3306 -m -w " w "\n"
#define D2(w) "-a -t 10.0.0.1:30306 -r 10.1.0.2:3306 -m -w " w "\n"

#define SECRET(user, password)                                    \
	"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n" \
	"stringData: {username: " user ", password: " password "}\n"

static void takes_writes(struct world *w, const char *where)
{
	verdict_why(w, where, VERDICT_UP, HC_REASON_OK);
}

static void is_read_only(struct world *w, const char *where)
{
	verdict_why(w, where, VERDICT_DOWN, HC_REASON_ROLE);
}

/* A takes writes, B does not. */
static void start_a_pair(struct world *w)
{
	write_pool(w, "secret.yaml", SECRET("check", "pw"));
	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP);
	await_targets(w, 2);
	is_read_only(w, B);
	takes_writes(w, A);
	await_wanted(w, VIP D1("1"));
}

/* The problem of the pool that is shown; "" where there is none. */
static const char *shown_fault(struct world *w)
{
	static char text[256];
	const struct core *c = w->context.arg;
	struct snapshot *s;

	pass(w, 100);
	s = snapshot_slot_get(c->view.slot);
	assert_int_equal(s->pool_count, 1);
	snprintf(text, sizeof(text), "%s", s->pools[0]->fault ? s->pools[0]->fault : "");
	snapshot_unref(s);
	return text;
}

/* --- one writer ----------------------------------------------------------------------------- */

static void nobody_is_the_writer_before_all_were_seen(void **state)
{
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP);
	await_targets(w, 2);
	assert_int_equal(target_at(w, A)->initial, VERDICT_UNKNOWN);
	takes_writes(w, A);
	pass(w, 2000);
	assert_string_equal(wanted_text(w), VIP);
	is_read_only(w, B);
	await_wanted(w, VIP D1("1"));
}

static void the_writer_changes_when_read_only_flips(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	pass(w, 5000);
	is_read_only(w, A);
	await_wanted(w, VIP D1("0"));
	takes_writes(w, B);
	await_wanted(w, VIP D1("0") D2("1"));
	pass(w, 1100);
	await_wanted(w, VIP D2("1"));
}

static void the_old_writer_is_out_before_the_new_one_is_in(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	verdict(w, A, VERDICT_DOWN);
	await_wanted(w, VIP D1("0"));
	pass(w, 10000);
	await_wanted(w, VIP);
	takes_writes(w, A);
	await_wanted(w, VIP D1("1"));
	is_read_only(w, A);
	takes_writes(w, B); /* in the same turn */
	await_wanted(w, VIP D1("0") D2("1"));
}

static void of_two_that_take_writes_the_writer_stays(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	assert_string_equal(shown_fault(w), "");
	takes_writes(w, B);
	assert_string_equal(shown_fault(w), "more than one member accepts writes: " A ", " B
					    "; only " A " is used");
	assert_string_equal(wanted_text(w), VIP D1("1"));
	assert_non_null(strstr(buf_cstr(&w->log), "more than one member accepts writes"));
	is_read_only(w, B);
	assert_string_equal(shown_fault(w), "");
}

static void a_writer_that_cannot_be_asked_stays(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	verdict_why(w, A, VERDICT_UP, HC_REASON_AUTH);
	takes_writes(w, B);
	pass(w, 2000);
	assert_string_equal(wanted_text(w), VIP D1("1"));
	assert_string_equal(shown_fault(w), "");
}

static void the_kernel_knows_who_the_writer_is(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	pass(w, 2000);
	stop_core(w);
	assert_int_equal(unlink(path_in(w, "state/health")), 0);
	start_all(w, VIP D1("1"));
	await_targets(w, 2);
	await_wanted(w, VIP D1("1"));
	takes_writes(w, B);
	pass(w, 2000);
	assert_string_equal(wanted_text(w), VIP D1("1"));
}

static void the_state_file_knows_a_writer_that_is_down(void **state)
{
	struct world *w = *state;

	start_a_pair(w);
	verdict(w, A, VERDICT_DOWN);
	pass(w, 5000);
	await_wanted(w, VIP);
	stop_core(w);
	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO "," THREE));
	start_all(w, VIP);
	await_targets(w, 3);
	/* C is not known, which would keep B out of a pool without a writer. */
	takes_writes(w, B);
	await_wanted(w, VIP D2("1"));
}

static void a_pool_of_equals_becomes_one_with_a_writer(void **state)
{
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("any", "", ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP D1("1") D2("1"));
	await_targets(w, 2);
	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO));
	await_wanted(w, VIP D1("0") D2("0"));
	pass(w, 1100);
	await_wanted(w, VIP);
	pass(w, 60000);
	await_targets(w, 2);
	is_read_only(w, A);
	takes_writes(w, B);
	await_wanted(w, VIP D2("1"));
}

static void readers_are_all_that_are_in_the_role(void **state)
{
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("reader", "", ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP);
	await_targets(w, 2);
	verdict(w, A, VERDICT_UP);
	verdict(w, B, VERDICT_UP);
	await_wanted(w, VIP D1("1") D2("1"));
	verdict_why(w, A, VERDICT_DOWN, HC_REASON_LAG);
	await_wanted(w, VIP D2("1"));
	is_read_only(w, B);
	await_wanted(w, VIP);
}

static void a_saturated_server_keeps_a_little(void **state)
{
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("any", "    parasaus.io/weight: '10'\n", ONE "," TWO));
	start_all(w, "");
	await_wanted(w, VIP D1("10") D2("10"));
	await_targets(w, 2);
	verdict_why(w, A, VERDICT_UP, HC_REASON_SATURATED);
	await_wanted(w, VIP D1("1") D2("10"));
	verdict_why(w, B, VERDICT_UP, HC_REASON_SATURATED);
	await_wanted(w, VIP D1("10") D2("10"));
	verdict(w, A, VERDICT_UP);
	await_wanted(w, VIP D1("10") D2("1"));
}

/* --- ... whatever happens -------------------------------------------------------------------- */

#define STEPS 200

static struct ipvs_service served_before; /* what was wanted last */

static bool has_dest(const struct ipvs_service *s, const struct ipvs_dest *d)
{
	for (uint32_t i = 0; i < s->dest_count; i++) {
		if (addr_cmp(&s->dests[i].addr, &d->addr) == 0)
			return true;
	}
	return false;
}

static const struct ipvs_dest *only_server(const struct ipvs_service *s)
{
	const struct ipvs_dest *found = NULL;

	for (uint32_t i = 0; s && i < s->dest_count; i++) {
		if (!s->dests[i].weight)
			continue;
		assert_null(found); /* two writers */
		found = &s->dests[i];
	}
	return found;
}

static void one_writer_at_most(struct world *w)
{
	const struct endpoint key = { .addr = addr_v4(0x0a000001),
				      .protocol = IPPROTO_TCP,
				      .port = 30306 };
	const struct ipvs_service *s = ipvs_table_get(&w->wanted, &key);
	const struct ipvs_dest *now = only_server(s), *before = only_server(&served_before);

	/* The kernel adds before it deletes: who served has to be at 0 when another one comes. */
	if (now && before && addr_cmp(&now->addr, &before->addr) != 0)
		assert_true(has_dest(s, before));
	ipvs_service_done(&served_before);
	if (s)
		served_before = ipvs_service_copy(s);
}

static void say_something(struct world *w, struct random *r)
{
	static const struct {
		enum verdict_state state;
		enum hc_reason reason;
	} said[] = {
		{ VERDICT_UP, HC_REASON_OK },	     { VERDICT_UP, HC_REASON_OK },
		{ VERDICT_DOWN, HC_REASON_ROLE },    { VERDICT_DOWN, HC_REASON_ROLE },
		{ VERDICT_DOWN, HC_REASON_REFUSED }, { VERDICT_UP, HC_REASON_AUTH },
		{ VERDICT_UP, HC_REASON_SATURATED }, { VERDICT_DOWN, HC_REASON_SHUTDOWN },
	};
	size_t what = random_below(r, ARRAY_LEN(said));

	if (!w->target_count)
		return;
	send_verdict_why(w, w->targets[random_below(r, (uint32_t)w->target_count)].id,
			 said[what].state, said[what].reason);
}

static void edit_the_pool(struct world *w, struct random *r)
{
	static const char *const pools[] = {
		DB("writer", "", ONE "," TWO),
		DB("writer", "", ONE "," TWO "," THREE),
		DB("writer", "", TWO "," THREE),
		DB("writer", "    parasaus.io/fail-policy: open-all\n", ONE "," TWO),
		DB("writer", "    parasaus.io/on-unhealthy: keep\n", ONE "," TWO "," THREE),
		DB("writer", "    parasaus.io/health-check-interval: 5s\n", ONE "," TWO),
	};

	write_pool(w, "db.yaml", pools[random_below(r, ARRAY_LEN(pools))]);
}

/* A core that ends before it has told anything leaves the kernel as it was. */
static void restart(struct world *w, char **image)
{
	if (w->commits) {
		free(*image);
		*image = xstrdup(wanted_text(w));
	}
	stop_core(w);
	start_all(w, *image);
}

static void never_two_writers(void **state)
{
	struct world *w = *state;
	struct random r = random_new();
	char *image = xstrdup("");

	w->on_commit = one_writer_at_most;
	edit_the_pool(w, &r);
	start_all(w, "");
	for (int i = 0; i < STEPS; i++) {
		uint32_t what = random_below(&r, 100);

		if (what < 60)
			say_something(w, &r);
		else if (what < 70)
			edit_the_pool(w, &r);
		else if (what < 73)
			restart(w, &image);
		else if (what < 75)
			pass(w, random_below(&r, 70000));
		else if (what < 90)
			pass(w, random_below(&r, 2000));
		else
			turn(w);
	}
	/* And who alone takes writes comes to be the writer. */
	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO));
	pass(w, 1000);
	pass(w, 70000);
	await_targets(w, 2);
	is_read_only(w, A);
	takes_writes(w, B);
	pass(w, 2000);
	assert_int_equal(only_server(&served_before)->addr.bytes[3], 2);
	ipvs_service_done(&served_before);
	free(image);
}

/* --- Secrets ---------------------------------------------------------------------------------- */

static void a_secret_is_told_before_the_targets_that_need_it(void **state)
{
	struct world *w = *state;
	const struct hc_secret *s;

	/* What a Secret may hold fits into the message. */
	assert_in_range(SECRET_USERNAME_MAX, 1, HC_SECRET_USERNAME_MAX);
	assert_in_range(SECRET_PASSWORD_MAX, 1, HC_SECRET_PASSWORD_MAX);
	assert_in_range(SECRET_CA_MAX, 1, HC_SECRET_CA_MAX);
	write_pool(w, "secret.yaml", SECRET("check", "hunter2"));
	write_pool(w, "db.yaml", DB("any", "", ONE));
	start_all(w, "");
	await_targets(w, 1);
	s = secret_told(w, target_at(w, A)->check->secret);
	assert_true(s && s->present);
	assert_string_equal(s->username, "check");
	assert_string_equal(s->password, "hunter2");
	assert_null(s->ca_pem);
}

static void await_password(struct world *w, const char *password)
{
	for (int i = 0; i < TURNS_MAX; i++) {
		const struct hc_secret *s = secret_told(w, "default/check");

		if (password ? s && s->present && strcmp(s->password, password) == 0
			     : !s || !s->present)
			return;
		turn(w);
	}
	fail_msg("the prober has another password than %s", password ? password : "none");
}

static void a_secret_that_changes_is_told_again(void **state)
{
	struct world *w = *state;
	char path[128];

	write_pool(w, "db.yaml", DB("any", "", ONE));
	start_all(w, "");
	await_targets(w, 1);
	await_password(w, NULL);
	write_pool(w, "secret.yaml", SECRET("check", "one"));
	await_password(w, "one");
	write_pool(w, "secret.yaml", SECRET("check", "two"));
	await_password(w, "two");
	connect_health(w); /* a new one */
	health_is_told(w);
	await_targets(w, 1);
	await_password(w, "two");
	snprintf(path, sizeof(path), "%s/pools/secret.yaml", w->dir);
	assert_int_equal(unlink(path), 0);
	await_password(w, NULL);
}

/* The last one lingers for a minute; it never outlives its Secret. */
static void await_targets_gone(struct world *w)
{
	pass(w, 59000);
	for (int i = 0; i < TURNS_MAX && w->target_count; i++) {
		assert_true(secret_told(w, "default/check")->present);
		turn(w);
	}
	assert_int_equal(w->target_count, 0);
}

static void a_secret_that_nobody_names_any_more_is_taken_back(void **state)
{
	struct world *w = *state;
	char path[128];

	write_pool(w, "secret.yaml", SECRET("check", "one"));
	write_pool(w, "db.yaml", DB("any", "", ONE));
	start_all(w, "");
	await_password(w, "one");
	snprintf(path, sizeof(path), "%s/pools/db.yaml", w->dir);
	assert_int_equal(unlink(path), 0);
	pass(w, 50000);
	assert_int_equal(w->target_count, 1); /* still probed, and so in earnest */
	await_password(w, "one");
	write_pool(w, "db.yaml", DB("any", "", ONE));
	pass(w, 50000);
	await_password(w, "one");
	assert_int_equal(unlink(path), 0);
	await_targets_gone(w);
	await_password(w, NULL);
	write_pool(w, "db.yaml", DB("any", "", ONE));
	await_password(w, "one");
}

/* One that is broken from the start on may hold what another file's pools name. */
static void that_there_is_none_is_told_when_all_was_read(void **state)
{
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("any", "", ONE));
	write_pool(w, "secret.yaml", "kind: [");
	start_all(w, "");
	await_targets(w, 1);
	pass(w, 5000);
	assert_null(secret_told(w, "default/check"));
	write_pool(w, "secret.yaml", "");
	for (int i = 0; i < TURNS_MAX && !secret_told(w, "default/check"); i++)
		turn(w);
	assert_non_null(secret_told(w, "default/check"));
	assert_false(secret_told(w, "default/check")->present);
}

/* --- ... and nowhere else ---------------------------------------------------------------------- */

#define WORD   "Xq7-unlikely"
#define WORD64 "WHE3LXVubGlrZWx5"

static void assert_clean(const char *what, const void *data, size_t len)
{
	if (memmem(data, len, WORD, strlen(WORD)) || memmem(data, len, WORD64, strlen(WORD64)))
		fail_msg("%s holds the password", what);
}

static size_t look_into_state(struct world *w)
{
	char *dir = xstrdup(path_in(w, "state"));
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t files = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		struct buf text = { 0 };
		char *path = xasprintf("%s/%s", dir, e->d_name);

		if (e->d_name[0] != '.' && file_read(path, 1 << 20, &text, NULL) == 0) {
			assert_clean(path, text.data, text.len);
			files += text.len > 0;
		}
		buf_done(&text);
		free(path);
	}
	closedir(d);
	free(dir);
	return files;
}

/* What is answered to this path. */
static void get(struct world *w, const char *path, struct buf *out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct buf request = { 0 };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path_in(w, "api.sock"));
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	buf_printf(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	assert_int_equal(write(fd, request.data, request.len), (ssize_t)request.len);
	assert_int_equal(file_read_fd(fd, 1 << 20, out, NULL), 0);
	close(fd);
	buf_done(&request);
}

static void look_at_answers(struct world *w)
{
	static const char *const paths[] = { "/api/v1/status", "/api/v1/pools", "/api/v1/members",
					     "/api/v1/targets", "/api/v1/problems" };

	pass(w, 2000);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct buf text = { 0 };

		get(w, paths[i], &text);
		assert_non_null(strstr(buf_cstr(&text), "200 OK"));
		assert_clean(paths[i], text.data, text.len);
		buf_done(&text);
	}
}

/* Right, and wrong in each way that is complained of. */
static void a_password_is_in_nothing_that_can_be_read(void **state)
{
	static const char *const secrets[] = {
		SECRET("check", WORD),
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"data: {username: Y2hlY2s=, password: " WORD64 "}\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"data: {username: Y2hlY2s=, password: " WORD "}\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"stringData: {password: [" WORD "]}\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\nstringData: " WORD "\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"stringData: {password: !" WORD " x}\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"stringData: {password: *" WORD "}\n",
		"kind: Secret\napiVersion: v1\nmetadata: {name: check}\n"
		"stringData:\n  password: " WORD " : " WORD "\n",
		"kind: Secret\napiVersion: v9\nmetadata: {name: check}\nstringData: " WORD "\n",
	};
	struct world *w = *state;

	write_pool(w, "db.yaml", DB("writer", "", ONE "," TWO));
	write_pool(w, "secret.yaml", secrets[0]);
	start_all(w, "");
	await_targets(w, 2);
	await_password(w, WORD);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		write_pool(w, "secret.yaml", secrets[i]);
		write_pool(w, "twin.yaml", SECRET("check", WORD));
		look_at_answers(w);
		assert_true(look_into_state(w) >= 1);
	}
	write_pool(w, "secret.json",
		   "{\"kind\": \"Secret\", \"stringData\": {\"password\" \"" WORD "\"}}");
	look_at_answers(w);
	stop_core(w);
	assert_true(look_into_state(w) >= 2);
	start_all(w, "");
	look_at_answers(w);
	assert_true(w->log.len > 0);
	assert_clean("the log", w->log.data, w->log.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up, core_world_down)
		T(nobody_is_the_writer_before_all_were_seen),
		T(the_writer_changes_when_read_only_flips),
		T(the_old_writer_is_out_before_the_new_one_is_in),
		T(of_two_that_take_writes_the_writer_stays),
		T(a_writer_that_cannot_be_asked_stays),
		T(the_kernel_knows_who_the_writer_is),
		T(the_state_file_knows_a_writer_that_is_down),
		T(a_pool_of_equals_becomes_one_with_a_writer),
		T(readers_are_all_that_are_in_the_role),
		T(a_saturated_server_keeps_a_little),
		T(never_two_writers),
		T(a_secret_is_told_before_the_targets_that_need_it),
		T(a_secret_that_changes_is_told_again),
		T(a_secret_that_nobody_names_any_more_is_taken_back),
		T(that_there_is_none_is_told_when_all_was_read),
		T(a_password_is_in_nothing_that_can_be_read),
	};

	return cmocka_run_group_tests_name("core_db", tests, NULL, NULL);
}
