/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens, from the socket that makes them to the record of what was done by
 * them: clients of core over both of its sockets, with a real store and a real
 * state directory (tests/lib/core_world.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/api/tokens.h"
#include "agent/base/doc.h"
#include "agent/base/file.h"
#include "tests/lib/core_client.h"
#include "tests/lib/core_world.h"

#define TOKENS	 "/api/v1/tokens"
#define WHOAMI	 "/api/v1/whoami"
#define DOCUMENT "/api/v1/namespaces/shop/services/web"
#define JSON	 "Content-Type: application/json\r\n"
#define WEB                                                                            \
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\","  \
	"\"namespace\":\"shop\"},\"spec\":{\"type\":\"NodePort\",\"ports\":[{\"name\"" \
	":\"p\",\"port\":80,\"nodePort\":30080}]}}"

/* As a client shows it; "headers" of core_ask(). */
struct shown {
	char text[128];
};

static struct shown make_token(struct world *w, const char *name, const char *role)
{
	struct shown shown;
	struct core_answer a;
	char body[128];

	snprintf(body, sizeof(body), "{\"name\":\"%s\",\"role\":\"%s\"}", name, role);
	core_ask(w, UNIX, "POST", TOKENS, JSON, body, &a);
	assert_int_equal(a.status, 201);
	assert_string_equal(core_field(&a, "name"), name);
	assert_string_equal(core_field(&a, "role"), role);
	assert_int_equal(strlen(core_field(&a, "token")), TOKEN_TEXT);
	snprintf(shown.text, sizeof(shown.text), "Authorization: Bearer %s\r\n" JSON,
		 core_field(&a, "token"));
	core_answer_done(&a);
	return shown;
}

static void start(struct world *w)
{
	struct core_answer a;
	unsigned status;

	w->over_tcp = true;
	start_all(w, "");
	/* The store opens behind the scenes, and who asks for its contents waits for that. */
	do {
		core_ask(w, UNIX, "GET", "/api/v1/operations", "", NULL, &a);
		status = a.status;
		core_answer_done(&a);
	} while (status == 503);
	pass(w, 100);
}

/* --- tests -------------------------------------------------------------------------------------- */

static void who_has_a_token_writes_over_tcp_and_is_on_record(void **state)
{
	struct world *w = *state;
	struct shown alice;
	struct core_answer a;
	const struct doc *newest;

	start(w);
	alice = make_token(w, "alice", "editor");
	core_want(w, 201, "", TCP, "PUT", DOCUMENT, alice.text, WEB);
	core_want(w, 200, "", TCP, "GET", DOCUMENT, alice.text, NULL);
	core_ask(w, TCP, "GET", "/api/v1/operations", "", NULL, &a);
	newest = doc_get(a.root, "items")->first;
	assert_string_equal(doc_string(doc_get(newest, "user")), "token:alice");
	assert_string_equal(doc_string(doc_get(newest, "peer")), "tcp");
	assert_string_equal(doc_string(doc_get(newest, "action")), "create");
	core_answer_done(&a);
	core_ask(w, TCP, "GET", WHOAMI, alice.text, NULL, &a);
	assert_string_equal(core_field(&a, "user"), "token:alice");
	assert_string_equal(core_field(&a, "writeEnabled"), "true");
	assert_non_null(strstr(buf_cstr(&a.text), "\"roles\":[\"viewer\",\"editor\"]"));
	assert_null(strstr(buf_cstr(&a.text), "\"uid\""));
	core_answer_done(&a);
}

static void without_a_token_all_is_read_and_nothing_written(void **state)
{
	struct world *w = *state;
	struct core_answer a;

	start(w);
	core_want(w, 401, "token-needed", TCP, "PUT", DOCUMENT, JSON, WEB);
	core_want(w, 401, "token-needed", TCP, "POST", "/api/v1/apply", JSON, WEB);
	core_want(w, 404, "document-not-found", TCP, "GET", DOCUMENT, "", NULL);
	core_want(w, 200, "", TCP, "GET", "/api/v1/pools", "", NULL);
	core_ask(w, TCP, "GET", WHOAMI, "", NULL, &a);
	assert_string_equal(core_field(&a, "reason"), "token-needed");
	assert_string_equal(core_field(&a, "writeEnabled"), "false");
	core_answer_done(&a);
}

static void a_viewer_writes_nothing(void **state)
{
	struct world *w = *state;
	struct shown bob;
	struct core_answer a;

	start(w);
	bob = make_token(w, "bob", "viewer");
	core_want(w, 403, "forbidden", TCP, "PUT", DOCUMENT, bob.text, WEB);
	core_want(w, 200, "", TCP, "GET", "/api/v1/pools", bob.text, NULL);
	core_ask(w, TCP, "GET", WHOAMI, bob.text, NULL, &a);
	assert_string_equal(core_field(&a, "user"), "token:bob");
	assert_string_equal(core_field(&a, "reason"), "forbidden");
	assert_non_null(strstr(buf_cstr(&a.text), "\"roles\":[\"viewer\"]"));
	core_answer_done(&a);
}

#define NO_TOKEN "Authorization: Bearer pst_0123456789012345678901234567890123456789012\r\n"

static void what_is_no_token_is_refused_wherever_it_is_shown(void **state)
{
	static const char *const shown[] = { NO_TOKEN, "Authorization: Bearer pst_short\r\n",
					     "Authorization: Bearer\r\n", "Authorization: \r\n",
					     "Authorization: Basic cm9vdDpyb290\r\n" };
	static const char *const targets[] = { WHOAMI, "/api/v1/pools", "/api/v1/nothing", DOCUMENT,
					       "/%61pi/v1/pools" };
	struct world *w = *state;

	start(w);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		for (size_t k = 0; k < ARRAY_LEN(targets); k++) {
			core_want(w, 401, "bad-token", TCP, "GET", targets[k], shown[i], NULL);
			core_want(w, 401, "bad-token", UNIX, "GET", targets[k], shown[i], NULL);
		}
		core_want(w, 200, "", TCP, "GET", "/healthz", shown[i], NULL);
	}
	core_want(w, 401, "bad-token", TCP, "PUT", DOCUMENT, NO_TOKEN JSON, WEB);
	core_want(w, 401, "bad-token", UNIX, "PUT", DOCUMENT, NO_TOKEN JSON, WEB);
	core_want(w, 401, "bad-token", TCP, "POST", TOKENS, NO_TOKEN JSON, "{}");
	core_want(w, 400, "bad-request", TCP, "GET", WHOAMI, NO_TOKEN NO_TOKEN, NULL);
}

/* What is wiped of one request is not the next one's, which has come with it. */
static void each_request_of_a_connection_shows_its_own(void **state)
{
	static const char next[] = "GET " WHOAMI " HTTP/1.1\r\nHost: localhost\r\n";
	CLEANUP(buf_done) struct buf text = { 0 };
	struct world *w = *state;
	struct shown alice, bob;
	struct core_answer a;
	int fd;

	start(w);
	alice = make_token(w, "alice", "editor");
	bob = make_token(w, "bob", "viewer");
	buf_printf(&text, "%s%s\r\n%s%s\r\n%sConnection: close\r\n\r\n", next, alice.text, next,
		   bob.text, next);
	fd = core_dial(w, TCP);
	core_say(fd, (const char *)text.data, text.len);
	core_hear(w, fd, &a);
	assert_non_null(strstr(buf_cstr(&a.text), "{\"user\":\"token:alice\""));
	assert_non_null(strstr(buf_cstr(&a.text), "{\"user\":\"token:bob\""));
	assert_non_null(strstr(buf_cstr(&a.text), "{\"user\":null"));
	core_answer_done(&a);
}

/* A token is no leave for a page of another site, nor for a name that is not ours. */
static void where_a_request_comes_from_counts_as_before(void **state)
{
	struct world *w = *state;
	struct shown alice;
	char headers[512];

	start(w);
	alice = make_token(w, "alice", "editor");
	snprintf(headers, sizeof(headers), "Origin: http://evil.example\r\n%s", alice.text);
	core_want(w, 403, "cross-site", TCP, "PUT", DOCUMENT, headers, WEB);
	snprintf(headers, sizeof(headers), "Sec-Fetch-Site: same-site\r\n%s", alice.text);
	core_want(w, 403, "cross-site", TCP, "PUT", DOCUMENT, headers, WEB);
	snprintf(headers, sizeof(headers), "Host: evil.example\r\n%s", alice.text);
	core_want(w, 421, "wrong-host", TCP, "PUT", DOCUMENT, headers, WEB);
	*strstr(alice.text, JSON) = '\0';
	core_want(w, 415, "unsupported-type", TCP, "PUT", DOCUMENT, alice.text, WEB);
}

static void tokens_are_none_of_tcp(void **state)
{
	static const char wish[] = "{\"name\":\"mallory\",\"role\":\"editor\"}";
	struct world *w = *state;
	struct shown alice;

	start(w);
	alice = make_token(w, "alice", "editor");
	core_want(w, 403, "forbidden", TCP, "POST", TOKENS, alice.text, wish);
	core_want(w, 403, "forbidden", TCP, "GET", TOKENS, alice.text, NULL);
	core_want(w, 403, "forbidden", TCP, "DELETE", TOKENS "/alice", alice.text, NULL);
	core_want(w, 403, "forbidden", TCP, "POST", TOKENS, JSON, wish);
	core_want(w, 403, "forbidden", TCP, "GET", TOKENS, "", NULL);
	core_want(w, 405, "method-not-allowed", UNIX, "GET", TOKENS "/alice", "", NULL);
}

static void tokens_are_listed_without_what_they_are(void **state)
{
	struct world *w = *state;
	struct core_answer a;

	start(w);
	(void)make_token(w, "alice", "editor");
	(void)make_token(w, "bob.2", "viewer");
	core_ask(w, UNIX, "GET", TOKENS, "", NULL, &a);
	assert_non_null(strstr(buf_cstr(&a.text),
			       "{\"items\":[{\"name\":\"alice\",\"role\":\"editor\","
			       "\"createdAt\":\"2023-11-14T"));
	assert_non_null(strstr(buf_cstr(&a.text), "{\"name\":\"bob.2\",\"role\":\"viewer\","));
	assert_string_equal(core_field(&a, "total"), "2");
	assert_null(strstr(buf_cstr(&a.text), "pst_"));
	core_answer_done(&a);
}

static void what_cannot_be_a_token_is_told(void **state)
{
	static const struct {
		unsigned status;
		const char *code, *body;
	} cases[] = {
		{ 422, "validation", "{\"name\":\"a b\",\"role\":\"editor\"}" },
		{ 422, "validation", "{\"name\":\"\",\"role\":\"editor\"}" },
		{ 422, "validation", "{\"name\":\"x\",\"role\":\"admin\"}" },
		{ 422, "validation", "{\"name\":\"x\"}" },
		{ 422, "validation", "{\"role\":\"viewer\"}" },
		{ 422, "validation", "{\"name\":\"x\",\"role\":\"viewer\",\"token\":\"y\"}" },
		{ 422, "validation", "[]" },
		{ 422, "validation", "{" },
		{ 409, "token-exists", "{\"name\":\"alice\",\"role\":\"viewer\"}" },
	};
	struct world *w = *state;
	char large[2048];

	start(w);
	(void)make_token(w, "alice", "editor");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		core_want(w, cases[i].status, cases[i].code, UNIX, "POST", TOKENS, JSON,
			  cases[i].body);
	memset(large, ' ', sizeof(large));
	large[sizeof(large) - 1] = '\0';
	core_want(w, 413, "too-large", UNIX, "POST", TOKENS, JSON, large);
	core_want(w, 415, "unsupported-type", UNIX, "POST", TOKENS, "", "{}");
	core_want(w, 400, "bad-parameter", UNIX, "GET", TOKENS "?limit=1", "", NULL);
	core_want(w, 404, "token-not-found", UNIX, "DELETE", TOKENS "/bob", "", NULL);
}

static void a_deleted_one_is_refused_at_once(void **state)
{
	struct world *w = *state;
	struct shown alice;
	char head[512];
	struct core_answer a;
	int fd;

	start(w);
	alice = make_token(w, "alice", "editor");
	/* A write that was let in, and whose body has not come yet. */
	snprintf(head, sizeof(head),
		 "PUT " DOCUMENT " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s"
		 "Content-Length: %zu\r\nExpect: 100-continue\r\n\r\n",
		 alice.text, strlen(WEB));
	fd = core_dial(w, TCP);
	core_say(fd, head, strlen(head));
	assert_true(recv(fd, head, sizeof(head), 0) > 0);
	assert_memory_equal(head, "HTTP/1.1 100 ", 13);
	core_want(w, 204, "", UNIX, "DELETE", TOKENS "/alice", "", NULL);
	core_say(fd, WEB, strlen(WEB));
	core_hear(w, fd, &a);
	assert_int_equal(a.status, 401);
	assert_string_equal(core_field(&a, "code"), "bad-token");
	core_answer_done(&a);
	core_want(w, 401, "bad-token", TCP, "GET", WHOAMI, alice.text, NULL);
	core_want(w, 404, "document-not-found", UNIX, "GET", DOCUMENT, "", NULL);
	/* The name is free again, and the old token stays none. */
	(void)make_token(w, "alice", "editor");
	core_want(w, 401, "bad-token", TCP, "GET", WHOAMI, alice.text, NULL);
}

static void tokens_outlive_the_agent_and_are_written_nowhere(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct world *w = *state;
	struct shown alice;
	struct err err;
	struct stat st;

	start(w);
	alice = make_token(w, "alice", "editor");
	core_want(w, 201, "", TCP, "PUT", DOCUMENT, alice.text, WEB);
	stop_core(w);
	assert_int_equal(stat(path_in(w, "state/tokens"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	start(w);
	core_want(w, 200, "", TCP, "GET", WHOAMI, alice.text, NULL);
	core_want(w, 204, "", UNIX, "DELETE", TOKENS "/alice", "", NULL);
	assert_int_equal(file_read(path_in(w, "state/tokens"), 4096, &file, &err), 0);
	assert_null(strstr(buf_cstr(&file), "alice"));
	assert_null(strstr(buf_cstr(&w->log), "pst_"));
	assert_non_null(strstr(buf_cstr(&w->log), "token alice (editor) made by unix:"));
	assert_non_null(strstr(buf_cstr(&w->log), "token alice deleted by unix:"));
}

static void a_damaged_file_is_told_and_its_good_lines_hold(void **state)
{
	CLEANUP(buf_done) struct buf file = { 0 };
	struct world *w = *state;
	struct shown alice;
	struct err err;

	start(w);
	alice = make_token(w, "alice", "editor");
	stop_core(w);
	assert_int_equal(file_read(path_in(w, "state/tokens"), 4096, &file, &err), 0);
	buf_str(&file, "mallory:king\n");
	assert_int_equal(file_write(path_in(w, "state/tokens"), file.data, file.len, &err), 0);
	assert_int_equal(chmod(path_in(w, "state/tokens"), 0640), 0);
	start(w);
	core_want(w, 200, "", TCP, "GET", WHOAMI, alice.text, NULL);
	assert_non_null(
		strstr(buf_cstr(&w->log), "state/tokens: line 3 is not used: not NAME:ROLE"));
	assert_non_null(
		strstr(buf_cstr(&w->log), "state/tokens: its mode is 0640 instead of 0600"));
}

static void what_cannot_be_written_is_no_token(void **state)
{
	struct world *w = *state;

	start(w);
	assert_int_equal(mkdir(path_in(w, "state/tokens.tmp"), 0700), 0);
	core_want(w, 503, "store-trouble", UNIX, "POST", TOKENS, JSON,
		  "{\"name\":\"alice\",\"role\":\"editor\"}");
	assert_non_null(strstr(buf_cstr(&w->log), "nothing has changed: "));
	assert_int_equal(rmdir(path_in(w, "state/tokens.tmp")), 0);
	(void)make_token(w, "alice", "editor");
}

static void where_there_is_nothing_to_write_to_no_token_is_made(void **state)
{
	struct world *w = *state;
	struct core_answer a;

	w->over_tcp = true;
	start_all(w, "");
	pass(w, 100);
	core_want(w, 409, "managed-elsewhere", UNIX, "POST", TOKENS, JSON,
		  "{\"name\":\"alice\",\"role\":\"editor\"}");
	core_want(w, 200, "", UNIX, "GET", TOKENS, "", NULL);
	core_want(w, 401, "bad-token", TCP, "GET", WHOAMI, NO_TOKEN, NULL);
	core_ask(w, TCP, "GET", WHOAMI, "", NULL, &a);
	assert_string_equal(core_field(&a, "reason"), "no-store");
	core_answer_done(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, core_world_up_store, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_has_a_token_writes_over_tcp_and_is_on_record),
		T(without_a_token_all_is_read_and_nothing_written),
		T(a_viewer_writes_nothing),
		T(what_is_no_token_is_refused_wherever_it_is_shown),
		T(each_request_of_a_connection_shows_its_own),
		T(where_a_request_comes_from_counts_as_before),
		T(tokens_are_none_of_tcp),
		T(tokens_are_listed_without_what_they_are),
		T(what_cannot_be_a_token_is_told),
		T(a_deleted_one_is_refused_at_once),
		T(tokens_outlive_the_agent_and_are_written_nowhere),
		T(a_damaged_file_is_told_and_its_good_lines_hold),
		T(what_cannot_be_written_is_no_token),
		cmocka_unit_test_setup_teardown(where_there_is_nothing_to_write_to_no_token_is_made,
						core_world_up, core_world_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
