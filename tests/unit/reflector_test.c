/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reflector*.c: what is asked for when, and what is told of the answers. */
#include "watch/reflector.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fake_http.h"
#include "tests/lib/turned_clock.h"

struct fixture {
	struct loop *loop;
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	struct reflector *reflector;
	struct buf log;
	uint32_t again_ms; /* what listed() returns */
	size_t items;
	bool quiet; /* count items, do not log them */
};

static uint32_t no_jitter(void *arg)
{
	(void)arg;
	return 0;
}

static void on_begin(void *arg)
{
	struct fixture *f = arg;

	buf_str(&f->log, "begin\n");
}

static void on_item(void *arg, struct reflector_item *item)
{
	struct fixture *f = arg;

	f->items++;
	if (f->quiet)
		return;
	buf_printf(&f->log, "%s %s/%s@%" PRIu64 "%s%s%s%s\n", item->listed ? "item" : "event",
		   item->ns, item->name, item->revision, item->gone ? " gone" : "",
		   item->object ? "" : " bad (", item->object ? "" : item->why,
		   item->object ? "" : ")");
	if (item->object)
		assert_int_equal(item->object->source, 5);
}

static uint32_t on_listed(void *arg, uint64_t revision)
{
	struct fixture *f = arg;

	buf_printf(&f->log, "listed %" PRIu64 "\n", revision);
	return f->again_ms;
}

static void on_moved(void *arg)
{
	(void)arg;
}

static void noop_problem(void *arg, const char *where, const char *text)
{
	(void)arg;
	(void)where;
	(void)text;
}

static char **two_servers(void)
{
	char **s = xcalloc(2, sizeof(char *));

	s[0] = xstrdup("https://a");
	s[1] = xstrdup("https://b");
	return s;
}

static void make(struct fixture *f, const char *query, bool optional, size_t servers)
{
	struct kube_access access = {
		.servers = two_servers(),
		.server_count = servers,
		.token = xstrdup("secret"),
		.origin = xstrdup("test"),
	};
	const struct reflector_config config = {
		.api = &f->api,
		.source = 5,
		.kind = OBJECT_SERVICE,
		.resource = "services",
		.path = "/api/v1/services",
		.query = query,
		.optional = optional,
	};
	const struct reflector_sink sink = { on_begin, on_item, on_listed, on_moved, f };

	if (servers == 1)
		free(access.servers[1]);
	assert_int_equal(loop_new(&turned_clock, &f->loop), 0);
	f->http = fake_http_new(f->loop, NULL, NULL);
	f->credentials = kube_credentials_new(f->loop, f->http, &access, "node", noop_problem, f);
	kube_api_init(&f->api, f->loop, f->http, f->credentials, no_jitter, NULL);
	f->reflector = reflector_new(&config, &sink);
}

static void unmake(struct fixture *f)
{
	reflector_free(f->reflector);
	kube_credentials_free(f->credentials);
	http_free(f->http);
	loop_free(f->loop);
	buf_done(&f->log);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	now_ms = 1000000;
	make(f, "", false, 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	unmake(*state);
	free(*state);
	return 0;
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 50; i++)
		assert_int_equal(loop_turn(f->loop, 0), 0);
}

static void advance(struct fixture *f, int64_t ms)
{
	for (int64_t end = now_ms + ms; now_ms < end;) {
		now_ms += end - now_ms < 50 ? end - now_ms : 50;
		assert_int_equal(loop_turn(f->loop, 0), 0);
	}
	settle(f);
}

static void expect(struct fixture *f, const char *want)
{
	settle(f);
	assert_string_equal(buf_cstr(&f->log), want);
	buf_reset(&f->log);
}

static void expect_why(const struct fixture *f, const char *want)
{
	const struct reflector_status *s = reflector_status(f->reflector);

	assert_string_equal(s->why, want);
	assert_int_equal(s->following, *want == '\0');
}

#define WATCH_FROM(rv)                                                          \
	"/api/v1/services?watch=1&allowWatchBookmarks=true&resourceVersion=" rv \
	"&timeoutSeconds=300"
#define GUARD "/api/v1/services?limit=1"

/* The one request under way, but for those that end otherwise. */
static struct fake_request *asked(struct fixture *f, const char *path)
{
	struct fake_request *r = fake_http_find(f->http, path, path);

	if (!r)
		fail_msg("%s is not asked for", path);
	assert_string_equal(r->path, path);
	return r;
}

static bool is_asked(struct fixture *f, const char *path)
{
	struct fake_request *r = fake_http_find(f->http, path, path);

	return r && strcmp(r->path, path) == 0;
}

static struct fake_request *list_asked(struct fixture *f)
{
	return asked(f, "/api/v1/services");
}

static struct fake_request *watch_asked(struct fixture *f, const char *path)
{
	struct fake_request *r = asked(f, path);

	assert_int_equal(r->idle_s, 150);
	return r;
}

#define LIST(rv, items)                                                                           \
	"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"" rv \
	"\"},\"items\":[" items "]}\n"
#define ITEM(name, rv)                                                                       \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"x\",\"resourceVersion\":\"" rv \
	"\"},\"spec\":{\"ports\":[{\"port\":80}]}}"
#define EVENT(type, name, rv)                                                                      \
	"{\"type\":\"" type                                                                        \
	"\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"" name \
	"\",\"namespace\":\"x\",\"resourceVersion\":\"" rv                                         \
	"\"},\"spec\":{\"ports\":[{\"port\":80}]}}}\n"
#define BOOKMARK(rv)                                                                     \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Service\",\"apiVersion\":\"v1\"," \
	"\"metadata\":{\"resourceVersion\":\"" rv                                        \
	"\",\"creationTimestamp\":null},\"spec\":{},\"status\":{\"loadBalancer\":{}}}}\n"
#define ERROR(code, text)                                                                   \
	"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\","        \
	"\"metadata\":{},\"status\":\"Failure\",\"message\":\"" text "\",\"reason\":\"x\"," \
	"\"code\":" #code "}}\n"

/* Listed at 10, and the watch from there is open. */
static struct fake_request *follow(struct fixture *f)
{
	struct fake_request *r;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	fake_http_answer(list_asked(f), 200, LIST("10", ITEM("a", "7")));
	settle(f);
	r = watch_asked(f, WATCH_FROM("10"));
	fake_http_status(r, 200, -1, NULL);
	expect(f, "begin\nitem x/a@7\nlisted 10\n");
	expect_why(f, "");
	return r;
}

/* It lasted long enough not to count as a failure. */
static void end_watch(struct fixture *f, struct fake_request *r, enum http_result result)
{
	advance(f, 2000);
	fake_http_end(r, result, "gone");
	settle(f);
}

/* --- in good order ------------------------------------------------------------- */

static void it_lists_and_then_watches_from_there(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	assert_true(r->gzip);
	assert_string_equal(r->server, "https://a");
	assert_string_equal(r->token, "secret");
	expect_why(f, "services: not listed yet");
	fake_http_answer(r, 200, LIST("10", ITEM("a", "7") "," ITEM("b", "8")));
	expect(f, "begin\nitem x/a@7\nitem x/b@8\nlisted 10\n");
	r = watch_asked(f, WATCH_FROM("10"));
	assert_false(r->gzip);
	assert_false(reflector_status(f->reflector)->following);
	fake_http_status(r, 200, -1, NULL);
	expect_why(f, "");
	fake_http_text(r, EVENT("ADDED", "c", "11") EVENT("MODIFIED", "a", "12"));
	fake_http_text(r, EVENT("DELETED", "b", "13") EVENT("ADDED", "c", "14"));
	expect(f, "event x/c@11\nevent x/a@12\nevent x/b@13 gone\nevent x/c@14\n");
	assert_int_equal(reflector_status(f->reflector)->revision, 14);
	assert_false(is_asked(f, GUARD));
}

static void a_start_may_be_put_off(void **state)
{
	struct fixture *f = *state;

	reflector_start(f->reflector, 0, 2000);
	advance(f, 1900);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 100);
	(void)list_asked(f);
}

static void a_selector_goes_with_lists_and_watches(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct fake_request *r;

	(void)state;
	now_ms = 1000000;
	make(f, "labelSelector=a%3Db", false, 1);
	reflector_start(f->reflector, 0, 0);
	settle(f);
	fake_http_answer(asked(f, "/api/v1/services?labelSelector=a%3Db"), 200, LIST("10", ""));
	settle(f);
	r = asked(f, WATCH_FROM("10") "&labelSelector=a%3Db");
	fake_http_status(r, 200, -1, NULL);
	end_watch(f, r, HTTP_DONE);
	fake_http_status(asked(f, WATCH_FROM("10") "&labelSelector=a%3Db"), 200, -1, NULL);
	settle(f);
	(void)asked(f, GUARD); /* the revision hangs on no selector */
	unmake(f);
	free(f);
}

static void pieces_of_any_size_come_to_the_same(void **state)
{
	static const char list[] = LIST("10", ITEM("a", "7") "," ITEM("b", "8"));
	static const char events[] = EVENT("ADDED", "c", "11") BOOKMARK("15");
	struct fixture *f = *state;
	struct fake_request *r;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	fake_http_status(r, 200, -1, NULL);
	for (size_t i = 0; i < sizeof(list) - 1; i++) {
		fake_http_data(r, list + i, 1);
		settle(f);
	}
	fake_http_end(r, HTTP_DONE, NULL);
	expect(f, "begin\nitem x/a@7\nitem x/b@8\nlisted 10\n");
	r = watch_asked(f, WATCH_FROM("10"));
	fake_http_status(r, 200, -1, NULL);
	for (size_t i = 0; i < sizeof(events) - 1; i++) {
		fake_http_data(r, events + i, 1);
		settle(f);
	}
	expect(f, "event x/c@11\n");
	assert_int_equal(reflector_status(f->reflector)->revision, 15);
}

static void a_watch_that_ends_goes_on_where_it_stood(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	fake_http_text(r, EVENT("ADDED", "b", "11") BOOKMARK("20"));
	end_watch(f, r, HTTP_DONE);
	r = watch_asked(f, WATCH_FROM("20"));
	expect_why(f, "");
	fake_http_status(r, 200, -1, NULL);
	end_watch(f, r, HTTP_CUT);
	r = watch_asked(f, WATCH_FROM("20"));
	expect_why(f, "");
	expect(f, "event x/b@11\n");
}

static void a_silent_watch_is_given_up(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	for (int i = 0; i < 5; i++) {
		advance(f, 60000);
		fake_http_text(r, BOOKMARK("11"));
		/* the guard, meanwhile */
		if (is_asked(f, GUARD))
			fake_http_answer(asked(f, GUARD), 200, LIST("11", ""));
	}
	settle(f);
	assert_ptr_equal(asked(f, WATCH_FROM("10")), r);
	advance(f, 149000);
	assert_ptr_equal(asked(f, WATCH_FROM("10")), r);
	advance(f, 1100);
	(void)watch_asked(f, WATCH_FROM("11"));
	expect_why(f, "");
}

static void what_is_not_ours_is_passed_over(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	fake_http_text(r, EVENT("SOMETHING", "b", "11"));
	fake_http_text(r, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
			  "\"metadata\":{\"name\":\"p\",\"namespace\":\"x\",\"resourceVersion\":"
			  "\"12\"}}}\n");
	fake_http_text(r, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Endpoints\",\"apiVersion\":"
			  "\"v1\",\"metadata\":{\"name\":\"p\",\"namespace\":\"x\"}}}\n");
	fake_http_text(r, "{\"odd\":1}\n" EVENT("ADDED", "c", "13"));
	expect(f, "event x/c@13\n");
	assert_int_equal(reflector_status(f->reflector)->skipped, 4);
	expect_why(f, "");
}

static void objects_that_cannot_be_used_are_told_by_name(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	fake_http_text(r, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Service\",\"apiVersion\":"
			  "\"v1\",\"metadata\":{\"name\":\"NO\",\"namespace\":\"x\","
			  "\"resourceVersion\":\"11\"}}}\n");
	expect(f, "event x/NO@11 bad (Service: metadata.name is \"NO\": lower-case letters, digits "
		  "and '-' only, at most 63, a letter or digit at both ends)\n");
	expect_why(f, "");
}

static void an_object_that_is_too_large_is_skipped_and_told_by_name(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);
	char block[4096];

	memset(block, 'x', sizeof(block));
	fake_http_text(r, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Service\",\"apiVersion\":"
			  "\"v1\",\"metadata\":{\"name\":\"huge\",\"namespace\":\"x\","
			  "\"resourceVersion\":\"11\",\"annotations\":{\"a\":\"");
	for (int i = 0; i < 1200; i++) {
		fake_http_data(r, block, sizeof(block));
		settle(f);
	}
	fake_http_text(r, "\"}}}}\n" EVENT("ADDED", "b", "12"));
	settle(f);
	assert_non_null(strstr(buf_cstr(&f->log), "event x/huge@11 bad ("));
	assert_non_null(strstr(buf_cstr(&f->log), "are too many"));
	assert_non_null(strstr(buf_cstr(&f->log), "event x/b@12\n"));
	expect_why(f, "");
}

static void a_large_object_is_read(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);
	char block[4096];

	memset(block, 'x', sizeof(block));
	fake_http_text(r, "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Service\",\"apiVersion\":"
			  "\"v1\",\"metadata\":{\"name\":\"large\",\"namespace\":\"x\","
			  "\"resourceVersion\":\"11\",\"annotations\":{\"a\":\"");
	for (int i = 0; i < 768; i++)
		fake_http_data(r, block, sizeof(block));
	fake_http_text(r, "\"}}}}\n");
	for (int i = 0; i < 20; i++)
		settle(f);
	expect(f, "event x/large@11\n");
}

static void reading_stops_while_the_queue_is_full(void **state)
{
	struct fixture *f = *state;
	struct buf list = { 0 };
	struct fake_request *r;

	f->quiet = true;
	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	buf_str(&list, "{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"9\"},"
		       "\"items\":[");
	for (int i = 0; i < 40000; i++)
		buf_printf(&list,
			   "%s{\"metadata\":{\"name\":\"s%d\",\"namespace\":\"x\","
			   "\"resourceVersion\":\"7\"},\"spec\":{\"ports\":[{\"port\":80}]}}",
			   i ? "," : "", i);
	buf_str(&list, "]}");
	fake_http_status(r, 200, -1, NULL);
	for (size_t at = 0; at < list.len; at += 65536) {
		size_t n = list.len - at < 65536 ? list.len - at : 65536;

		fake_http_data(r, list.data + at, n);
		assert_int_equal(f->items, 0); /* nothing is decoded where bytes come in */
	}
	assert_true(r->paused);
	assert_true(r->waiting.len > 0);
	fake_http_end(r, HTTP_DONE, NULL);
	for (int i = 0; i < 5000 && f->items < 40000; i++)
		settle(f);
	assert_int_equal(f->items, 40000);
	settle(f);
	(void)watch_asked(f, WATCH_FROM("9"));
	buf_done(&list);
}

/* --- failures ------------------------------------------------------------------ */

static void a_list_that_fails_is_asked_for_again_later_each_time(void **state)
{
	static const int64_t waits[] = { 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct fixture *f = *state;

	reflector_start(f->reflector, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		settle(f);
		fake_http_answer(list_asked(f), 500,
				 "{\"kind\":\"Status\",\"message\":\"no etcd\"}");
		settle(f);
		expect_why(f, "services: https://a answered HTTP 500: no etcd");
		advance(f, waits[i] - 1);
		assert_int_equal(fake_http_count(f->http), 0);
		advance(f, 1);
	}
	fake_http_answer(list_asked(f), 200, LIST("10", ""));
	settle(f);
	fake_http_status(watch_asked(f, WATCH_FROM("10")), 200, -1, NULL);
	expect_why(f, "");
	buf_reset(&f->log);
	/* Two quiet minutes, and it begins anew. */
	for (int i = 0; i < 3; i++) {
		advance(f, 50000);
		fake_http_text(asked(f, WATCH_FROM("10")), BOOKMARK("10"));
	}
	fake_http_text(asked(f, WATCH_FROM("10")), ERROR(500, "etcd is away"));
	settle(f);
	expect_why(f, "services: the watch ended with an error: etcd is away");
	advance(f, 799);
	assert_false(is_asked(f, WATCH_FROM("10")));
	advance(f, 1);
	(void)watch_asked(f, WATCH_FROM("10"));
}

static void one_that_is_not_there_is_looked_for_every_few_seconds(void **state)
{
	static const int64_t waits[] = { 800, 1600, 3200, 5000, 5000, 5000 };
	struct fixture *f = *state;

	reflector_start(f->reflector, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		settle(f);
		/* Of a proxy in front of it the second kind. */
		fake_http_end(list_asked(f), i % 2 ? HTTP_REFUSED : HTTP_CUT, "no answer");
		settle(f);
		advance(f, waits[i] - 1);
		assert_int_equal(fake_http_count(f->http), 0);
		advance(f, 1);
	}
	settle(f);
	/* It is back, but not well: that counts on from here. */
	fake_http_answer(list_asked(f), 500, "{}");
	settle(f);
	advance(f, 4999);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	assert_int_equal(fake_http_count(f->http), 1);
}

static void the_server_may_say_when_to_come_again(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	fake_http_status(r, 429, 7, "text/plain; charset=utf-8");
	fake_http_text(r, "Too many requests, please try again later.\nmore\n");
	fake_http_end(r, HTTP_DONE, NULL);
	settle(f);
	expect_why(f, "services: https://a answered HTTP 429: Too many requests, please try again "
		      "later.");
	advance(f, 6999);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	(void)list_asked(f);
}

static void refuse(struct fixture *f, int32_t retry_after_s)
{
	struct fake_request *r = list_asked(f);

	fake_http_status(r, 429, retry_after_s, NULL);
	fake_http_end(r, HTTP_DONE, NULL);
	settle(f);
	assert_int_equal(fake_http_count(f->http), 0);
}

static void a_server_that_says_at_once_is_not_taken_at_its_word(void **state)
{
	struct fixture *f = *state;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	refuse(f, 0);
	advance(f, 799);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	refuse(f, 1); /* less than the second wait */
	advance(f, 1599);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	refuse(f, 3600); /* somebody is wrong */
	advance(f, 299999);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	(void)list_asked(f);
}

static uint32_t most_jitter(void *arg)
{
	(void)arg;
	return 999; /* below a quarter of seven seconds */
}

static void who_was_told_to_wait_does_not_come_with_all_the_others(void **state)
{
	struct fixture *f = *state;

	f->api.random = most_jitter;
	reflector_start(f->reflector, 0, 0);
	settle(f);
	refuse(f, 7);
	advance(f, 7998);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1);
	(void)list_asked(f);
}

static void a_watch_that_is_refused_makes_no_list(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	end_watch(f, r, HTTP_DONE);
	fake_http_end(watch_asked(f, WATCH_FROM("10")), HTTP_REFUSED, "connection refused");
	settle(f);
	expect_why(f, "services: https://a: connection refused");
	advance(f, 800);
	fake_http_answer(watch_asked(f, WATCH_FROM("10")), 429, "");
	settle(f);
	expect_why(f, "services: https://a answered HTTP 429");
	advance(f, 1600);
	fake_http_answer(watch_asked(f, WATCH_FROM("10")), 503, "");
	settle(f);
	advance(f, 3200);
	fake_http_status(watch_asked(f, WATCH_FROM("10")), 200, -1, NULL);
	expect_why(f, "");
	expect(f, "");
}

static void what_expired_is_listed_anew(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	advance(f, 10000);
	fake_http_text(r, ERROR(410, "too old resource version: 10 (99)"));
	settle(f);
	expect_why(f, ""); /* it is read again, at once */
	fake_http_answer(list_asked(f), 200, LIST("99", ""));
	settle(f);
	expect(f, "begin\nlisted 99\n");
	r = watch_asked(f, WATCH_FROM("99"));
	fake_http_status(r, 200, -1, NULL);
	end_watch(f, r, HTTP_DONE);
	advance(f, 10000);
	fake_http_answer(watch_asked(f, WATCH_FROM("99")), 410, "");
	settle(f);
	fake_http_answer(list_asked(f), 200, LIST("120", ""));
	settle(f);
	/* Right after a list: that would go round and round. */
	r = watch_asked(f, WATCH_FROM("120"));
	fake_http_status(r, 200, -1, NULL);
	fake_http_text(r, ERROR(410, "too old"));
	settle(f);
	assert_int_equal(fake_http_count(f->http), 0);
	expect_why(f, "services: the server does not keep what it has listed just now");
	advance(f, 800);
	(void)list_asked(f);
}

static void errors_in_the_stream_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	advance(f, 10000);
	fake_http_text(r, EVENT("ADDED", "b", "11") ERROR(429, "storage is (re)initializing"));
	settle(f);
	expect_why(f, "services: the watch ended with an error: storage is (re)initializing");
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 800);
	r = watch_asked(f, WATCH_FROM("11"));
	fake_http_status(r, 200, -1, NULL);
	settle(f);
	fake_http_text(r, ERROR(400, "what?"));
	settle(f);
	advance(f, 1600);
	(void)list_asked(f);
	expect(f, "event x/b@11\nbegin\n");
}

static void a_watch_that_ends_at_once_is_a_failure(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	advance(f, 500);
	fake_http_end(r, HTTP_DONE, NULL);
	settle(f);
	expect_why(f, "services: the watch ends as soon as it is open");
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 800);
	r = watch_asked(f, WATCH_FROM("10"));
	fake_http_status(r, 200, -1, NULL);
	fake_http_text(r, EVENT("ADDED", "b", "11"));
	fake_http_end(r, HTTP_DONE, NULL);
	settle(f);
	(void)watch_asked(f, WATCH_FROM("11")); /* it had something to say */
	expect_why(f, "");
}

static void a_list_that_is_not_whole_is_none(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	fake_http_status(r, 200, -1, NULL);
	fake_http_text(r, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[" ITEM("a", "5"));
	fake_http_end(r, HTTP_DONE, NULL);
	settle(f);
	assert_non_null(strstr(reflector_status(f->reflector)->why, "the list cannot be read"));
	advance(f, 800);
	r = list_asked(f);
	fake_http_status(r, 200, -1, NULL);
	fake_http_text(r, LIST("5", ITEM("a", "5")));
	fake_http_end(r, HTTP_CUT, "gzip: the end is missing");
	settle(f);
	expect_why(f, "services: https://a: gzip: the end is missing");
	advance(f, 1600);
	fake_http_answer(
		list_asked(f), 200,
		"{\"metadata\":{\"resourceVersion\":\"5\",\"continue\":\"abc\"},\"items\":[]}");
	settle(f);
	expect_why(f, "services: the server answers in pages, which was not asked for");
	advance(f, 3200);
	fake_http_answer(list_asked(f), 200, "{\"kind\":\"Status\",\"metadata\":{}}");
	settle(f);
	expect_why(f, "services: the answer is no list");
	advance(f, 6400);
	fake_http_answer(list_asked(f), 200, "<html>log in</html>");
	settle(f);
	assert_non_null(strstr(reflector_status(f->reflector)->why, "the list cannot be read"));
	expect(f, "begin\nitem x/a@5\nbegin\nitem x/a@5\nbegin\nbegin\nbegin\n");
}

static void a_watch_that_cannot_be_read_is_listed_anew(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	fake_http_text(r, EVENT("ADDED", "b", "11") "}{");
	settle(f);
	assert_non_null(strstr(reflector_status(f->reflector)->why, "the watch cannot be read"));
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 800);
	(void)list_asked(f);
}

static void who_may_not_is_told_what_it_takes(void **state)
{
	struct fixture *f = *state;

	reflector_start(f->reflector, 0, 0);
	settle(f);
	fake_http_answer(list_asked(f), 403,
			 "{\"kind\":\"Status\",\"message\":\"services is "
			 "forbidden: User \\\"x\\\" cannot list\"}");
	settle(f);
	expect_why(f, "services may not be listed: https://a answered HTTP 403: services is "
		      "forbidden: User \"x\" cannot list; it takes a ClusterRole with {apiGroups: "
		      "[\"\"], resources: [services], verbs: [list, watch]}, bound to who we are");
	assert_true(reflector_status(f->reflector)->denied);
	advance(f, 800);
	fake_http_answer(list_asked(f), 401, "");
	settle(f);
	expect_why(f, "services may not be listed: https://a answered HTTP 401; the token or the "
		      "certificate is not taken");
	advance(f, 1600);
	fake_http_answer(list_asked(f), 200, LIST("10", ""));
	settle(f);
	fake_http_status(watch_asked(f, WATCH_FROM("10")), 200, -1, NULL);
	settle(f);
	assert_false(reflector_status(f->reflector)->denied);
}

#define NOT_FOUND "{\"kind\":\"Status\",\"message\":\"the server could not find it\",\"code\":404}"

static void a_resource_may_be_missing(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)state;
	now_ms = 1000000;
	make(f, "", true, 1);
	reflector_start(f->reflector, 0, 0);
	settle(f);
	fake_http_answer(list_asked(f), 404, NOT_FOUND);
	settle(f);
	assert_true(reflector_status(f->reflector)->missing);
	advance(f, 599000);
	assert_int_equal(fake_http_count(f->http), 0);
	advance(f, 1000);
	fake_http_answer(list_asked(f), 200, LIST("10", ""));
	settle(f);
	assert_false(reflector_status(f->reflector)->missing);
	unmake(f);
	free(f);
}

/* Of an API server that does not know the group, or of a proxy that passes by. */
static void a_404_without_a_status_is_asked_about_again(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	(void)state;
	now_ms = 1000000;
	make(f, "", true, 1);
	reflector_start(f->reflector, 0, 0);
	settle(f);
	fake_http_answer(list_asked(f), 404, "404 page not found");
	settle(f);
	advance(f, 800);
	fake_http_answer(list_asked(f), 404, "<html>not here</html>");
	settle(f);
	advance(f, 1600);
	fake_http_answer(list_asked(f), 404, "404 page not found");
	settle(f);
	assert_false(reflector_status(f->reflector)->missing);
	advance(f, 3200);
	fake_http_answer(list_asked(f), 404, "404 page not found");
	settle(f);
	assert_true(reflector_status(f->reflector)->missing);
	advance(f, 6400);
	fake_http_answer(list_asked(f), 200, LIST("10", ""));
	settle(f);
	assert_false(reflector_status(f->reflector)->missing);
	unmake(f);
	free(f);
}

static void what_was_listed_is_never_missing(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct fake_request *r;

	(void)state;
	now_ms = 1000000;
	make(f, "", true, 1);
	r = follow(f);
	fake_http_text(r, "}{");
	settle(f);
	advance(f, 800);
	fake_http_answer(list_asked(f), 404, NOT_FOUND);
	settle(f);
	assert_false(reflector_status(f->reflector)->missing);
	expect_why(f, "services: https://a answered HTTP 404: the server could not find it");
	advance(f, 1600);
	(void)list_asked(f);
	unmake(f);
	free(f);
}

static void another_server_is_asked_at_once(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct fake_request *r;
	char first[32];

	(void)state;
	now_ms = 1000000;
	make(f, "", false, 2);
	reflector_start(f->reflector, 0, 0);
	settle(f);
	r = list_asked(f);
	snprintf(first, sizeof(first), "%s", r->server);
	fake_http_end(r, HTTP_REFUSED, "refused");
	settle(f);
	expect_why(f, "services: not listed yet"); /* one server is no trouble */
	r = list_asked(f);
	assert_string_not_equal(r->server, first);
	fake_http_end(r, HTTP_REFUSED, "refused");
	settle(f);
	assert_int_equal(fake_http_count(f->http), 0); /* there is no third */
	assert_false(reflector_status(f->reflector)->following);
	assert_true(reflector_status(f->reflector)->tried);
	advance(f, 800);
	assert_string_equal(list_asked(f)->server, first);
	unmake(f);
	free(f);
}

static void servers_that_break_off_in_turn_are_not_asked_without_end(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	int tries = 0;

	(void)state;
	now_ms = 1000000;
	make(f, "", false, 2);
	reflector_start(f->reflector, 0, 0);
	settle(f);
	for (; tries < 50 && fake_http_count(f->http); tries++) {
		struct fake_request *r = list_asked(f);

		fake_http_status(r, 200, -1, NULL);
		fake_http_text(r, "{\"items\":[");
		fake_http_end(r, HTTP_CUT, "cut");
		settle(f);
	}
	assert_true(tries < 20);
	advance(f, 800);
	(void)list_asked(f);
	unmake(f);
	free(f);
}

/* --- the guard ------------------------------------------------------------------ */

static void a_server_that_went_back_is_read_anew(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	end_watch(f, r, HTTP_DONE);
	fake_http_status(watch_asked(f, WATCH_FROM("10")), 200, -1, NULL);
	settle(f);
	fake_http_answer(asked(f, GUARD), 200, LIST("10", ITEM("a", "7")));
	settle(f);
	expect(f, ""); /* what the guard reads is told to nobody */
	assert_false(is_asked(f, GUARD));
	for (int i = 0; i < 4; i++) {
		advance(f, 60000);
		if (is_asked(f, GUARD))
			break;
		fake_http_text(asked(f, WATCH_FROM("10")), BOOKMARK("10"));
	}
	fake_http_answer(asked(f, GUARD), 200, LIST("9", ""));
	settle(f);
	expect_why(f, "services: the server is at revision 9, before ours, 10 (restored from a "
		      "copy?): reading everything again");
	assert_false(is_asked(f, WATCH_FROM("10")));
	fake_http_answer(list_asked(f), 200, LIST("9", ""));
	settle(f);
	fake_http_status(watch_asked(f, WATCH_FROM("9")), 200, -1, NULL);
	expect_why(f, "");
	expect(f, "begin\nlisted 9\n");
}

static void events_that_overtake_the_guard_do_not_make_a_server_old(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	end_watch(f, r, HTTP_DONE);
	r = watch_asked(f, WATCH_FROM("10"));
	fake_http_status(r, 200, -1, NULL);
	settle(f);
	(void)asked(f, GUARD);
	fake_http_text(r, EVENT("ADDED", "b", "15"));
	expect(f, "event x/b@15\n");
	fake_http_answer(asked(f, GUARD), 200, LIST("12", ""));
	settle(f);
	expect_why(f, "");
	expect(f, "");
	assert_ptr_equal(asked(f, WATCH_FROM("10")), r);
}

/* The list is of the server as it is: an answer from before it says nothing any more. */
static void a_list_takes_the_place_of_the_guard(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	end_watch(f, r, HTTP_DONE);
	r = watch_asked(f, WATCH_FROM("10"));
	fake_http_status(r, 200, -1, NULL);
	settle(f);
	(void)asked(f, GUARD);
	fake_http_text(r, "}{");
	settle(f);
	advance(f, 800);
	assert_false(is_asked(f, GUARD));
	fake_http_answer(list_asked(f), 200, LIST("9", ""));
	expect(f, "begin\nlisted 9\n");
}

static void a_step_back_in_the_stream_calls_the_guard(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	fake_http_text(r, EVENT("ADDED", "b", "9"));
	expect(f, "event x/b@9\n");
	assert_int_equal(reflector_status(f->reflector)->revision, 10);
	fake_http_answer(asked(f, GUARD), 200, LIST("12", ""));
	settle(f);
	expect_why(f, "");
	assert_ptr_equal(asked(f, WATCH_FROM("10")), r);
}

static void no_matter(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	(void)arg, (void)x, (void)body, (void)len;
}

static void the_guard_waits_behind_no_other_question(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);
	struct kube_get *others[2 * KUBE_GETS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		others[i] = kube_get(&f->api, "/other", no_matter, NULL);
	fake_http_text(r, EVENT("ADDED", "b", "9"));
	settle(f);
	fake_http_answer(asked(f, GUARD), 200, LIST("12", ""));
	settle(f);
	assert_int_equal(f->api.gets, KUBE_GETS_MAX);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		kube_get_cancel(others[i]);
}

static void a_guard_that_fails_asks_again(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r = follow(f);

	end_watch(f, r, HTTP_DONE);
	fake_http_status(watch_asked(f, WATCH_FROM("10")), 200, -1, NULL);
	settle(f);
	fake_http_answer(asked(f, GUARD), 503, "");
	advance(f, 4999);
	assert_false(is_asked(f, GUARD));
	advance(f, 1);
	(void)asked(f, GUARD);
	expect_why(f, "");
}

static void it_resumes_without_a_list_once_the_guard_agrees(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r;

	reflector_start(f->reflector, 50, 0);
	settle(f);
	r = watch_asked(f, WATCH_FROM("50"));
	fake_http_status(r, 200, -1, NULL);
	settle(f);
	assert_false(reflector_status(f->reflector)->following);
	fake_http_answer(asked(f, GUARD), 200, LIST("51", ITEM("a", "7")));
	settle(f);
	expect_why(f, "");
	fake_http_text(r, EVENT("MODIFIED", "a", "51"));
	expect(f, "event x/a@51\n");
}

static void a_resumed_one_from_the_future_lists(void **state)
{
	struct fixture *f = *state;

	reflector_start(f->reflector, 50, 0);
	settle(f);
	fake_http_status(watch_asked(f, WATCH_FROM("50")), 200, -1, NULL);
	settle(f);
	fake_http_answer(asked(f, GUARD), 200, LIST("20", ""));
	settle(f);
	(void)list_asked(f);
	assert_false(reflector_status(f->reflector)->following);
}

/* --- the sink's wishes ----------------------------------------------------------- */

static void a_list_that_was_not_believed_is_read_again(void **state)
{
	struct fixture *f = *state;
	struct fake_request *r;

	f->again_ms = 30000;
	r = follow(f);
	fake_http_text(r, EVENT("ADDED", "b", "11"));
	expect(f, "event x/b@11\n");
	advance(f, 29000);
	assert_ptr_equal(asked(f, WATCH_FROM("10")), r);
	advance(f, 1000);
	f->again_ms = 0;
	fake_http_answer(list_asked(f), 200, LIST("12", ""));
	expect(f, "begin\nlisted 12\n");
	(void)watch_asked(f, WATCH_FROM("12"));
}

static void it_can_be_freed_at_any_time(void **state)
{
	(void)state;
	for (int stage = 0; stage < 6; stage++) {
		struct fixture *f = xcalloc(1, sizeof(*f));

		now_ms = 1000000;
		make(f, "", false, 1);
		if (stage > 0)
			reflector_start(f->reflector, 0, 0);
		if (stage > 1)
			settle(f);
		if (stage > 2) {
			fake_http_status(list_asked(f), 200, -1, NULL);
			fake_http_text(list_asked(f), "{\"items\":[" ITEM("a", "1"));
		}
		if (stage > 3)
			settle(f);
		if (stage > 4)
			fake_http_end(list_asked(f), HTTP_CUT, "cut");
		unmake(f);
		free(f);
	}
}

#define REFLECTOR_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REFLECTOR_TEST(it_lists_and_then_watches_from_there),
		REFLECTOR_TEST(a_start_may_be_put_off),
		cmocka_unit_test(a_selector_goes_with_lists_and_watches),
		REFLECTOR_TEST(pieces_of_any_size_come_to_the_same),
		REFLECTOR_TEST(a_watch_that_ends_goes_on_where_it_stood),
		REFLECTOR_TEST(a_silent_watch_is_given_up),
		REFLECTOR_TEST(what_is_not_ours_is_passed_over),
		REFLECTOR_TEST(objects_that_cannot_be_used_are_told_by_name),
		REFLECTOR_TEST(an_object_that_is_too_large_is_skipped_and_told_by_name),
		REFLECTOR_TEST(a_large_object_is_read),
		REFLECTOR_TEST(reading_stops_while_the_queue_is_full),
		REFLECTOR_TEST(a_list_that_fails_is_asked_for_again_later_each_time),
		REFLECTOR_TEST(one_that_is_not_there_is_looked_for_every_few_seconds),
		REFLECTOR_TEST(the_server_may_say_when_to_come_again),
		REFLECTOR_TEST(a_server_that_says_at_once_is_not_taken_at_its_word),
		REFLECTOR_TEST(who_was_told_to_wait_does_not_come_with_all_the_others),
		REFLECTOR_TEST(a_watch_that_is_refused_makes_no_list),
		REFLECTOR_TEST(what_expired_is_listed_anew),
		REFLECTOR_TEST(errors_in_the_stream_are_told_apart),
		REFLECTOR_TEST(a_watch_that_ends_at_once_is_a_failure),
		REFLECTOR_TEST(a_list_that_is_not_whole_is_none),
		REFLECTOR_TEST(a_watch_that_cannot_be_read_is_listed_anew),
		REFLECTOR_TEST(who_may_not_is_told_what_it_takes),
		cmocka_unit_test(a_resource_may_be_missing),
		cmocka_unit_test(a_404_without_a_status_is_asked_about_again),
		cmocka_unit_test(what_was_listed_is_never_missing),
		cmocka_unit_test(another_server_is_asked_at_once),
		cmocka_unit_test(servers_that_break_off_in_turn_are_not_asked_without_end),
		REFLECTOR_TEST(a_server_that_went_back_is_read_anew),
		REFLECTOR_TEST(events_that_overtake_the_guard_do_not_make_a_server_old),
		REFLECTOR_TEST(a_list_takes_the_place_of_the_guard),
		REFLECTOR_TEST(a_step_back_in_the_stream_calls_the_guard),
		REFLECTOR_TEST(the_guard_waits_behind_no_other_question),
		REFLECTOR_TEST(a_guard_that_fails_asks_again),
		REFLECTOR_TEST(it_resumes_without_a_list_once_the_guard_agrees),
		REFLECTOR_TEST(a_resumed_one_from_the_future_lists),
		REFLECTOR_TEST(a_list_that_was_not_believed_is_read_again),
		cmocka_unit_test(it_can_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
