/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole of core on a cluster: a fake API server, restarts, an API that is away (tests/lib/core_world.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
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

/* --- written by people --------------------------------------------------------------------- */

/* What the API server was asked in somebody's name, and what it then had. */
static struct {
	unsigned asked, kept, reviews;
	bool strange; /* it was asked with another token */
	char put[512];
} seen;

#define BUSY_TOKEN "alices-own-t0ken"
#define SERVICE                                                                                 \
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","           \
	"\"namespace\":"                                                                        \
	"\"default\",\"resourceVersion\":\"5\",\"uid\":\"u\"},\"spec\":{\"type\":\"NodePort\"," \
	"\"ports\":[{\"name\":\"p\",\"port\":80,\"nodePort\":30080}]}}"

static void serve(void *arg, struct fake_request *r)
{
	bool put = strcmp(r->method, "PUT") == 0;

	(void)arg;
	seen.asked++;
	seen.strange |= strcmp(r->token, BUSY_TOKEN) != 0;
	if (put)
		snprintf(seen.put, sizeof(seen.put), "%s %s", r->path, r->body);
	seen.kept += strcmp(r->method, "POST") == 0 && strstr(r->path, "controllerrevisions");
	seen.reviews += strstr(r->path, "selfsubjectreviews") != NULL;
	if (strstr(r->path, "selfsubjectreviews"))
		fake_http_answer(r, 201, "{\"status\":{\"userInfo\":{\"username\":\"alice\"}}}");
	else if (strstr(r->path, "/services/"))
		fake_http_answer(r, 200, SERVICE);
	else if (strstr(r->path, "/endpoints/"))
		fake_http_answer(r, 404, "{\"kind\":\"Status\",\"code\":404}");
	else
		fake_http_answer(r, 200, "{\"items\":[]}");
}

static int http_for_people(struct loop *l, const char *user_agent, struct http **out)
{
	(void)user_agent;
	*out = fake_http_new(l, serve, NULL);
	return 0;
}

/* Over the unix socket; returns the status, the whole answer is in `out`. */
static unsigned ask(struct world *w, const char *request, char out[static 4096])
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len = 0;
	ssize_t n = -1;
	unsigned status;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path_in(w, "api.sock"));
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL),
			 (ssize_t)strlen(request));
	for (int i = 0; i < 20 * TURNS_MAX && n != 0; i++) {
		turn(w);
		n = recv(fd, out + len, 4095 - len, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	out[len] = '\0';
	if (sscanf(out, "HTTP/1.1 %u", &status) != 1)
		fail_msg("no answer: %s", out);
	return status;
}

#define PATCH(more, body)                               \
	"PATCH /api/v1/pools/default.web.p-tcp" more    \
	" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
	"If-Match: \"r5\"\r\nContent-Type: application/merge-patch+json\r\n" body
#define AS "Authorization: Bearer " BUSY_TOKEN "\r\n"

static void a_pool_is_written_with_the_token_of_who_asks(void **state)
{
	struct world *w = *state;
	char answer[4096];

	memset(&seen, 0, sizeof(seen));
	put_web(w, J1);
	start_all(w, "");
	await_wanted(w, VIP D1("1"));
	((struct core *)w->context.arg)->http_new = http_for_people;
	assert_int_equal(ask(w, PATCH("", "Content-Length: 14\r\n\r\n{\"port\":30081}"), answer),
			 401);
	assert_non_null(strstr(answer, "cluster-token-needed"));
	assert_int_equal(seen.asked, 0);
	assert_int_equal(ask(w,
			     PATCH("?dryRun=all", AS "Content-Length: 14\r\n\r\n{\"port\":30081}"),
			     answer),
			 200);
	assert_non_null(strstr(answer, "\"op\":\"new-service\",\"frontend\":\"10.0.0.1:30081\""));
	assert_int_equal(seen.kept, 0);
	assert_int_equal(ask(w, PATCH("", AS "Content-Length: 14\r\n\r\n{\"port\":30081}"), answer),
			 200);
	assert_int_equal(seen.kept, 1);
	assert_int_equal(seen.reviews, 1);
	assert_false(seen.strange);
	assert_non_null(strstr(seen.put, "/api/v1/namespaces/default/services/web?fieldManager="));
	assert_non_null(strstr(seen.put, "\"nodePort\":30081"));
	assert_non_null(strstr(seen.put, "\"parasaus.io/last-operator\":\"kube:alice\""));
	assert_non_null(strstr(seen.put, "\"resourceVersion\":\"5\""));
	assert_null(memmem(w->log.data, w->log.len, BUSY_TOKEN, strlen(BUSY_TOKEN)));
	assert_null(strstr(answer, BUSY_TOKEN));
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
		T(a_pool_is_written_with_the_token_of_who_asks),
	};

	return cmocka_run_group_tests_name("core on a cluster", tests, NULL, NULL);
}
