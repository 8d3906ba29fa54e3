/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/kube_events.c: what is made of what is wrong, when, and how often. */
#include "watch/kube_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "tests/lib/turned_clock.h"

#define SOON (KUBE_EVENTS_AFTER_MS + 100)

struct fixture {
	struct loop *loop;
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	struct kube_events *events;
	int status; /* of every answer */
	const char *answer;
	unsigned posts;
	char last[4096]; /* body */
	char path[256];
	char why[300];
	char names[2][300]; /* of the last two */
};

static uint32_t no_jitter(void *arg)
{
	(void)arg;
	return 0;
}

static void no_problem(void *arg, const char *where, const char *text)
{
	(void)arg, (void)where, (void)text;
}

static void on_problem(void *arg, const char *why)
{
	struct fixture *f = arg;

	snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
}

static void name_of(const char *body, char out[static 300])
{
	struct doc_set set = { 0 };

	assert_int_equal(doc_read_json(body, strlen(body), &DOC_LIMITS_DEFAULT, &set, NULL), 0);
	snprintf(out, 300, "%s", doc_string(doc_get(doc_get(set.roots[0], "metadata"), "name")));
	doc_set_done(&set);
}

static void serve(void *arg, struct fake_request *r)
{
	struct fixture *f = arg;

	assert_string_equal(r->method, "POST");
	f->posts++;
	snprintf(f->last, sizeof(f->last), "%s", r->body);
	snprintf(f->path, sizeof(f->path), "%s", r->path);
	memcpy(f->names[0], f->names[1], sizeof(f->names[0]));
	name_of(r->body, f->names[1]);
	fake_http_answer(r, f->status, f->answer ? f->answer : "{}");
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct kube_access access = { .servers = xcalloc(1, sizeof(char *)),
				      .server_count = 1,
				      .token = xstrdup("t"),
				      .origin = xstrdup("test") };

	now_ms = 1795000000123;
	access.servers[0] = xstrdup("https://a");
	f->status = 201;
	assert_int_equal(loop_new(&turned_clock, &f->loop), 0);
	f->http = fake_http_new(f->loop, serve, f);
	f->credentials = kube_credentials_new(f->loop, f->http, &access, "node", no_problem, NULL);
	kube_api_init(&f->api, f->loop, f->http, f->credentials, no_jitter, NULL);
	f->events = kube_events_new(&f->api, "node-1", on_problem, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	kube_events_free(f->events);
	kube_credentials_free(f->credentials);
	http_free(f->http);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void advance(struct fixture *f, int64_t ms)
{
	for (int64_t end = now_ms + ms; now_ms < end; now_ms += 100)
		assert_int_equal(loop_turn(f->loop, 0), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
}

static void set(struct fixture *f, const char *name, const char *text)
{
	const struct watch_report r = { OBJECT_SERVICE,	     "shop", name, "uid-1",
					"shop.web.http-tcp", text };

	kube_events_set(f->events, &r);
}

static void an_event_says_what_is_wrong_with_what(void **state)
{
	struct fixture *f = *state;

	kube_events_lead(f->events, true);
	set(f, "web", "annotation parasaus.io/weight: \"x\" is not a number");
	advance(f, SOON);
	assert_int_equal(f->posts, 1);
	assert_string_equal(f->path, "/apis/events.k8s.io/v1/namespaces/shop/events");
	assert_non_null(strstr(f->last, "\"eventTime\":\"2026-11-18T11:06:45.123000Z\""));
	assert_non_null(strstr(f->last, "\"type\":\"Warning\""));
	assert_non_null(strstr(f->last, "\"note\":\"annotation parasaus.io/weight: \\\"x\\\" is"));
	assert_non_null(strstr(f->last, "\"reportingInstance\":\"node-1\""));
	assert_non_null(strstr(f->last, "\"regarding\":{\"apiVersion\":\"v1\",\"kind\":\"Service\","
					"\"namespace\":\"shop\",\"name\":\"web\","
					"\"uid\":\"uid-1\"}"));
	assert_int_equal(strncmp(f->names[1], "web.", 4), 0);
	assert_int_equal(strlen(f->names[1]), 4 + 16);
}

static void nothing_is_told_while_another_leads(void **state)
{
	struct fixture *f = *state;

	set(f, "web", "wrong");
	advance(f, 10000);
	assert_int_equal(f->posts, 0);
	kube_events_lead(f->events, true);
	advance(f, SOON);
	assert_int_equal(f->posts, 1);
	kube_events_lead(f->events, false);
	set(f, "web", "wrong in another way");
	advance(f, 10000);
	assert_int_equal(f->posts, 1);
}

static void the_same_is_told_once_an_hour(void **state)
{
	struct fixture *f = *state;

	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	advance(f, SOON);
	set(f, "web", "wrong");
	advance(f, 50 * 60000);
	assert_int_equal(f->posts, 1);
	advance(f, 15 * 60000);
	assert_int_equal(f->posts, 2);
	/* The server has forgotten the first: the name may be the same. */
	assert_string_equal(f->names[0], f->names[1]);
	set(f, "web", "wrong in another way");
	advance(f, SOON);
	assert_int_equal(f->posts, 3);
	assert_string_not_equal(f->names[0], f->names[1]);
	set(f, "web", NULL);
	advance(f, 130 * 60000);
	assert_int_equal(f->posts, 3);
}

static void one_that_was_made_already_is_enough(void **state)
{
	struct fixture *f = *state;

	f->status = 409;
	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	advance(f, 60000);
	assert_int_equal(f->posts, 1);
	assert_string_equal(f->why, "");
}

static void many_are_told_slowly_and_the_mended_not_at_all(void **state)
{
	struct fixture *f = *state;
	char name[16];

	kube_events_lead(f->events, true);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		set(f, name, "wrong");
	}
	advance(f, KUBE_EVENTS_AFTER_MS + 900);
	assert_int_equal(f->posts, KUBE_EVENTS_BURST);
	advance(f, 10000);
	assert_in_range(f->posts, KUBE_EVENTS_BURST + 9, KUBE_EVENTS_BURST + 11);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		set(f, name, i < 99 ? NULL : "wrong");
	}
	advance(f, 100000);
	assert_in_range(f->posts, KUBE_EVENTS_BURST + 10, KUBE_EVENTS_BURST + 12);
	assert_non_null(strstr(f->last, "\"name\":\"s99\""));
}

static void a_server_in_trouble_is_asked_again_later(void **state)
{
	struct fixture *f = *state;

	f->status = 500;
	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	advance(f, SOON + 4000);
	assert_in_range(f->posts, 1, 2);
	f->status = 201;
	advance(f, 10000);
	assert_in_range(f->posts, 2, 3);
}

#define FORBIDDEN(message) \
	"{\"kind\":\"Status\",\"reason\":\"Forbidden\",\"code\":403,\"message\":\"" message "\"}"

static void a_refusal_says_what_it_takes(void **state)
{
	struct fixture *f = *state;

	f->status = 403;
	f->answer = FORBIDDEN(
		"events.events.k8s.io is forbidden: User \\\"x\\\" cannot create resource "
		"\\\"events\\\" in API group \\\"events.k8s.io\\\"");
	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	advance(f, 60000);
	assert_int_equal(f->posts, 1);
	assert_non_null(strstr(f->why, "resources: [events]"));
	f->status = 201;
	advance(f, 300000);
	assert_int_equal(f->posts, 2);
	assert_string_equal(f->why, "");
}

static void one_namespace_that_takes_none_holds_up_no_other(void **state)
{
	struct fixture *f = *state;

	f->status = 403;
	f->answer = FORBIDDEN("events.events.k8s.io \\\"web\\\" is forbidden: unable to create new "
			      "content in namespace shop because it is being terminated");
	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	set(f, "other", "wrong");
	advance(f, SOON);
	assert_int_equal(f->posts, 2);
	assert_string_equal(f->why, "");
	advance(f, 600000);
	assert_int_equal(f->posts, 2);
}

static void what_is_no_answer_of_the_server_is_asked_again(void **state)
{
	struct fixture *f = *state;

	f->status = 403;
	f->answer = "<html>log in</html>";
	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	advance(f, SOON);
	assert_int_equal(f->posts, 1);
	f->status = 201;
	advance(f, SOON);
	assert_int_equal(f->posts, 2);
	assert_string_equal(f->why, "");
}

static void long_texts_are_cut_between_characters(void **state)
{
	struct fixture *f = *state;
	char text[2000];

	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe9\xa1\xb5", 4);
	kube_events_lead(f->events, true);
	set(f, "web", text);
	advance(f, SOON);
	assert_int_equal(f->posts, 1);
	assert_non_null(strstr(f->last, "\xe9\xa1\xb5...\""));
	/* What is no text at all is no Event, and stops no other. */
	set(f, "web", "\xff\xfe");
	set(f, "other", "wrong");
	advance(f, SOON);
	assert_int_equal(f->posts, 2);
	assert_non_null(strstr(f->last, "\"name\":\"other\""));
}

static void what_passes_soon_is_not_told(void **state)
{
	struct fixture *f = *state;

	kube_events_lead(f->events, true);
	set(f, "web", "no members");
	advance(f, 3000);
	set(f, "web", NULL);
	set(f, "other", "no members");
	advance(f, 3000);
	assert_int_equal(f->posts, 0);
	set(f, "other", "wrong");
	advance(f, SOON);
	assert_int_equal(f->posts, 1);
	assert_non_null(strstr(f->last, "\"note\":\"wrong\""));
}

static void it_can_change_while_it_is_being_told(void **state)
{
	struct fixture *f = *state;

	kube_events_lead(f->events, true);
	set(f, "web", "wrong");
	now_ms += KUBE_EVENTS_AFTER_MS;
	assert_int_equal(loop_turn(f->loop, 0), 0); /* it is on its way */
	set(f, "web", "wrong in another way");
	advance(f, SOON);
	assert_int_equal(f->posts, 2);
	assert_non_null(strstr(f->last, "in another way"));
}

#define EVENTS_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENTS_TEST(an_event_says_what_is_wrong_with_what),
		EVENTS_TEST(nothing_is_told_while_another_leads),
		EVENTS_TEST(the_same_is_told_once_an_hour),
		EVENTS_TEST(one_that_was_made_already_is_enough),
		EVENTS_TEST(many_are_told_slowly_and_the_mended_not_at_all),
		EVENTS_TEST(a_server_in_trouble_is_asked_again_later),
		EVENTS_TEST(a_refusal_says_what_it_takes),
		EVENTS_TEST(one_namespace_that_takes_none_holds_up_no_other),
		EVENTS_TEST(what_is_no_answer_of_the_server_is_asked_again),
		EVENTS_TEST(long_texts_are_cut_between_characters),
		EVENTS_TEST(what_passes_soon_is_not_told),
		EVENTS_TEST(it_can_change_while_it_is_being_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
