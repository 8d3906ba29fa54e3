/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/kube_lease.c: several agents and one Lease, on a clock that the test
 * turns. The server here keeps the one rule that matters: a write with
 * another resourceVersion than the last is refused.
 */
#include "watch/kube_lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "tests/lib/random.h"

#define AGENTS 5

struct world;

struct agent {
	struct world *world;
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	struct kube_lease *lease;
	bool away; /* cut off from the server */
	bool leading;
	uint64_t token;
	char why[400];
};

struct world {
	int64_t now_ms;
	struct clock clock;
	struct loop *loop;
	struct random random;
	struct agent agents[AGENTS];
	char *spec; /* of the Lease; NULL: there is none */
	char holder[32];
	unsigned revision;
	unsigned writes, looks;
	int status; /* what every request is answered with; 0: as it should be */
	bool no_namespace;
	bool silent; /* answers nothing */
	unsigned asked;
};

static mono_t test_mono(void *arg)
{
	return (mono_t){ ((struct world *)arg)->now_ms * 1000000 };
}

static int64_t test_wall(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static uint32_t test_random(void *arg)
{
	return (uint32_t)random_next(&((struct world *)arg)->random);
}

static void no_problem(void *arg, const char *where, const char *text)
{
	(void)arg, (void)where, (void)text;
}

/* --- the server ------------------------------------------------------------- */

static void answer_lease(struct world *w, struct fake_request *r, int status)
{
	char body[1024];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"x\",\"resourceVersion\":\"%u\"},"
		 "\"spec\":%s}",
		 w->revision, w->spec);
	fake_http_answer(r, status, body);
}

static void store(struct world *w, const struct doc *lease)
{
	const struct doc *spec = doc_get(lease, "spec");
	int64_t duration = 0, transitions = -1;

	assert_true(doc_integer(doc_get(spec, "leaseDurationSeconds"), 1, 3600, &duration));
	assert_true(doc_integer(doc_get(spec, "leaseTransitions"), 0, 1000000, &transitions));
	assert_int_equal(strlen(doc_string(doc_get(spec, "renewTime"))), 27);
	snprintf(w->holder, sizeof(w->holder), "%s", doc_string(doc_get(spec, "holderIdentity")));
	free(w->spec);
	w->spec = xasprintf("{\"holderIdentity\":\"%s\",\"leaseDurationSeconds\":%lld,"
			    "\"leaseTransitions\":%lld}",
			    w->holder, (long long)duration, (long long)transitions);
	w->revision++;
	w->writes++;
}

static bool is_current(const struct world *w, const struct doc *lease)
{
	const char *rv = doc_string(doc_get(doc_get(lease, "metadata"), "resourceVersion"));

	return w->spec ? rv && (unsigned)atoi(rv) == w->revision : !rv;
}

static void serve_write(struct world *w, struct fake_request *r)
{
	struct doc_set set = { 0 };

	assert_int_equal(doc_read_json(r->body, strlen(r->body), &DOC_LIMITS_DEFAULT, &set, NULL),
			 0);
	if (is_current(w, set.roots[0])) {
		store(w, set.roots[0]);
		answer_lease(w, r, strcmp(r->method, "POST") == 0 ? 201 : 200);
	} else {
		fake_http_answer(r, 409, "{\"kind\":\"Status\",\"message\":\"modified\"}");
	}
	doc_set_done(&set);
}

static void serve(void *arg, struct fake_request *r)
{
	struct agent *a = arg;
	struct world *w = a->world;

	w->asked++;
	if (w->silent || strcmp(r->path, "/other") == 0)
		return;
	if (a->away) {
		fake_http_end(r, HTTP_REFUSED, "no route");
	} else if (w->status) {
		fake_http_answer(r, w->status, "");
	} else if (w->no_namespace) {
		fake_http_answer(r, 404,
				 strcmp(r->method, "GET") == 0
					 ? "{\"kind\":\"Status\",\"message\":\"no such Lease\"}"
					 : "{\"kind\":\"Status\",\"message\":\"namespaces "
					   "\\\"parasaus\\\" not found\"}");
	} else if (strcmp(r->method, "GET") != 0) {
		serve_write(w, r);
	} else if (w->spec) {
		w->looks++;
		answer_lease(w, r, 200);
	} else {
		fake_http_answer(r, 404, "");
	}
}

/* --- agents -------------------------------------------------------------------- */

static void on_changed(void *arg, bool leading, uint64_t token)
{
	struct agent *a = arg;

	assert_int_not_equal(leading, a->leading);
	/* Each leader's token is another one. */
	if (leading && a->world->writes > 1)
		for (int i = 0; i < AGENTS; i++)
			assert_true(!a->world->agents[i].leading ||
				    a->world->agents[i].token != token);
	a->leading = leading;
	a->token = token;
}

static void on_problem(void *arg, const char *why)
{
	struct agent *a = arg;

	snprintf(a->why, sizeof(a->why), "%s", why ? why : "");
}

static void start_agent(struct world *w, int i)
{
	struct agent *a = &w->agents[i];
	char identity[32];
	struct kube_access access = { .servers = xcalloc(1, sizeof(char *)),
				      .server_count = 1,
				      .token = xstrdup("t"),
				      .origin = xstrdup("test") };
	const struct leader_sink sink = { on_changed, on_problem, a };
	struct kube_lease_config c = {
		.api = &a->api, .ns = "parasaus", .name = "writer", .identity = identity
	};

	access.servers[0] = xstrdup("https://a");
	snprintf(identity, sizeof(identity), "node-%d", i);
	a->world = w;
	a->http = fake_http_new(w->loop, serve, a);
	a->credentials = kube_credentials_new(w->loop, a->http, &access, "node", no_problem, NULL);
	kube_api_init(&a->api, w->loop, a->http, a->credentials, test_random, w);
	a->lease = kube_lease_new(&c, &sink);
}

static void stop_agent(struct agent *a)
{
	kube_lease_free(a->lease);
	kube_credentials_free(a->credentials);
	http_free(a->http);
	*a = (struct agent){ .world = a->world };
}

static int set_up(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->now_ms = 1795000000000;
	w->random = random_new();
	w->clock = (struct clock){ test_mono, test_wall, w };
	assert_int_equal(loop_new(&w->clock, &w->loop), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < AGENTS; i++) {
		if (w->agents[i].lease)
			stop_agent(&w->agents[i]);
	}
	loop_free(w->loop);
	free(w->spec);
	free(w);
	return 0;
}

static int leaders(const struct world *w)
{
	int n = 0;

	for (int i = 0; i < AGENTS; i++)
		n += w->agents[i].leading;
	return n;
}

static void advance(struct world *w, int64_t ms)
{
	for (int64_t end = w->now_ms + ms; w->now_ms < end; w->now_ms += 250) {
		assert_int_equal(loop_turn(w->loop, 0), 0);
		/* Two of them may think so only for as long as it takes the old one to notice. */
		assert_in_range(leaders(w), 0, 1);
	}
}

static int leader(const struct world *w)
{
	for (int i = 0; i < AGENTS; i++) {
		if (w->agents[i].leading)
			return i;
	}
	return -1;
}

static void the_first_makes_the_lease_and_leads(void **state)
{
	struct world *w = *state;

	start_agent(w, 0);
	advance(w, 1000);
	assert_true(w->agents[0].leading);
	assert_string_equal(w->holder, "node-0");
	assert_int_equal(w->writes, 1);
}

static void it_renews_and_the_others_seldom_look(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < AGENTS; i++)
		start_agent(w, i);
	advance(w, 600000);
	assert_int_equal(leaders(w), 1);
	assert_in_range(w->writes, 25, 35); /* each 20 s, by one */
	/* Its own looks, and one of each other in a duration and a half. */
	assert_in_range(w->looks, 30, 30 + 4 * 14);
	assert_int_equal(atoi(w->holder + strlen("node-")), leader(w));
}

static void when_the_leader_dies_another_follows(void **state)
{
	struct world *w = *state;
	int first;
	uint64_t token;

	for (int i = 0; i < AGENTS; i++)
		start_agent(w, i);
	advance(w, 100000);
	first = leader(w);
	token = w->agents[first].token;
	stop_agent(&w->agents[first]);
	advance(w, 4 * KUBE_LEASE_S * 1000 + 5000); /* at the very latest */
	assert_int_equal(leaders(w), 1);
	assert_int_not_equal(leader(w), first);
	assert_int_equal(w->agents[leader(w)].token, token + 1);
}

static void a_leader_that_is_cut_off_stops_before_another_begins(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < AGENTS; i++)
		start_agent(w, i);
	advance(w, 100000);
	for (int round = 0; round < 20; round++) {
		int cut = leader(w);

		if (cut >= 0)
			w->agents[cut].away = true;
		advance(w, 3 * KUBE_LEASE_S * 1000); /* asserts all along */
		assert_int_equal(leaders(w), 1);
		for (int i = 0; i < AGENTS; i++)
			w->agents[i].away = false;
		advance(w, random_below(&w->random, 60000));
	}
}

static void the_end_of_a_holders_time_waits_for_no_answer(void **state)
{
	static const int answers[] = { 0,
				       403 }; /* none at all; and one after which it long waits */

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct world *w = *state;

		w->silent = false;
		w->status = 0;
		start_agent(w, (int)i);
		advance(w, 3 * KUBE_LEASE_S * 1000);
		assert_int_equal(leaders(w), 1);
		for (unsigned writes = w->writes; w->writes == writes;)
			advance(w, 250);
		w->status = answers[i];
		w->silent = answers[i] == 0;
		advance(w, KUBE_LEASE_S * 1000 * 2 / 3 - 1000);
		assert_int_equal(leaders(w), 1);
		advance(w, 1250);
		assert_int_equal(leaders(w), 0);
		stop_agent(&w->agents[i]);
	}
}

static void count_answer(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	(void)x, (void)body, (void)len;
	++*(unsigned *)arg;
}

/* As many as the suspects of a cluster in trouble, and none of them is answered. */
static void it_waits_behind_no_other_question(void **state)
{
	struct world *w = *state;
	unsigned over = 0;

	start_agent(w, 0);
	advance(w, 15000);
	assert_int_equal(w->writes, 1);
	for (int i = 0; i < 3 * KUBE_GETS_MAX; i++)
		(void)!kube_get(&w->agents[0].api, "/other", count_answer, &over);
	advance(w, 6000);
	assert_int_equal(w->agents[0].api.gets, KUBE_GETS_MAX);
	assert_int_equal(over, 0);
	assert_int_equal(w->writes, 2);
	advance(w, 3 * KUBE_GET_TIME_S * 1000);
	assert_int_equal(over, 3 * KUBE_GETS_MAX);
}

static void nobody_leads_while_the_server_is_away(void **state)
{
	struct world *w = *state;

	start_agent(w, 0);
	advance(w, 30000);
	w->agents[0].away = true;
	advance(w, KUBE_LEASE_S * 1000);
	assert_int_equal(leaders(w), 0);
	w->agents[0].away = false;
	advance(w, 10000);
	assert_int_equal(leaders(w), 1);
}

static void a_refusal_says_what_it_takes(void **state)
{
	struct world *w = *state;

	w->status = 403;
	start_agent(w, 0);
	advance(w, 1000);
	assert_int_equal(leaders(w), 0);
	assert_non_null(strstr(w->agents[0].why, "Lease parasaus/writer"));
	assert_non_null(strstr(w->agents[0].why, "resources: [leases]"));
	w->status = 0;
	advance(w, 301000);
	assert_int_equal(leaders(w), 1);
	assert_string_equal(w->agents[0].why, "");
}

static void a_namespace_that_is_not_there_is_told(void **state)
{
	struct world *w = *state;

	w->no_namespace = true;
	start_agent(w, 0);
	advance(w, 250000);
	assert_int_equal(w->asked, 2); /* a look and a write; no more for now */
	assert_string_equal(
		w->agents[0].why,
		"the Lease parasaus/writer cannot be made: https://a answered HTTP "
		"404: namespaces \"parasaus\" not found: make the namespace parasaus, or "
		"name a Lease in another one (lease, of the source)");
	w->no_namespace = false;
	advance(w, 60000);
	assert_int_equal(leaders(w), 1);
	assert_string_equal(w->agents[0].why, "");
}

static void a_lease_that_is_gone_is_made_anew(void **state)
{
	struct world *w = *state;

	start_agent(w, 0);
	advance(w, 30000);
	free(w->spec);
	w->spec = NULL;
	advance(w, 30000);
	assert_int_equal(leaders(w), 1);
	assert_non_null(w->spec);
	assert_string_equal(w->agents[0].why, "");
}

static void a_lease_that_nobody_can_read_is_not_taken(void **state)
{
	struct world *w = *state;

	w->spec = xstrdup("{\"holderIdentity\":7}}}");
	w->revision = 9;
	start_agent(w, 0);
	advance(w, 200000);
	assert_int_equal(leaders(w), 0);
	assert_int_equal(w->writes, 0);
}

static void one_that_was_given_up_is_taken_at_once(void **state)
{
	struct world *w = *state;

	w->spec = xstrdup("{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,"
			  "\"leaseTransitions\":41}");
	w->revision = 9;
	start_agent(w, 0);
	advance(w, 1000);
	assert_int_equal(leaders(w), 1);
	assert_int_equal(w->agents[0].token, 42);
}

#define LEASE_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEASE_TEST(the_first_makes_the_lease_and_leads),
		LEASE_TEST(it_renews_and_the_others_seldom_look),
		LEASE_TEST(when_the_leader_dies_another_follows),
		LEASE_TEST(a_leader_that_is_cut_off_stops_before_another_begins),
		LEASE_TEST(the_end_of_a_holders_time_waits_for_no_answer),
		LEASE_TEST(it_waits_behind_no_other_question),
		LEASE_TEST(nobody_leads_while_the_server_is_away),
		LEASE_TEST(a_refusal_says_what_it_takes),
		LEASE_TEST(a_namespace_that_is_not_there_is_told),
		LEASE_TEST(a_lease_that_is_gone_is_made_anew),
		LEASE_TEST(a_lease_that_nobody_can_read_is_not_taken),
		LEASE_TEST(one_that_was_given_up_is_taken_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
