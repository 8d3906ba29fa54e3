/* SPDX-License-Identifier: GPL-2.0-or-later */
/* page.c: the files of the page, as they stand in the tree, and what is not sent twice. */
#include "agent/api/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/rest.h"
#include "agent/base/xalloc.h"

static struct rest_reply ask(const struct rest_request *r)
{
	struct rest_reply reply;

	rest_answer(r, &(struct rest_state){ 0 }, &reply);
	return reply;
}

static void every_file_is_served_as_it_stands(void **state)
{
	size_t count = 0, all = 0;

	(void)state;
	for (const struct page_file *f = page_files; f->path; f++, count++) {
		struct rest_reply plain =
			ask(&(struct rest_request){ .method = "GET", .target = f->path });
		struct rest_reply packed = ask(&(struct rest_request){
			.method = "GET", .target = f->path, .accept_encoding = "br, gzip;q=0.5" });

		assert_int_equal(plain.status, 200);
		assert_false(plain.gzip);
		assert_true(plain.body.len > 0);
		assert_int_equal(packed.status, 200);
		assert_true(packed.gzip);
		assert_ptr_equal(packed.constant, f->data);
		assert_string_equal(plain.etag, packed.etag);
		all += packed.constant_len;
		rest_reply_done(&plain);
		rest_reply_done(&packed);
	}
	assert_true(count > 3);
	assert_true(all < 120 * 1024); /* what a first visit transfers at most */
}

static void the_root_is_the_page(void **state)
{
	struct rest_reply root = ask(&(struct rest_request){ .method = "GET", .target = "/" });
	struct rest_reply query =
		ask(&(struct rest_request){ .method = "HEAD", .target = "/?lang=en" });

	(void)state;
	assert_string_equal(root.type, "text/html; charset=utf-8");
	assert_non_null(strstr(buf_cstr(&root.body), "<!doctype html>"));
	assert_non_null(strstr(buf_cstr(&root.body), "</html>\n"));
	assert_int_equal(query.status, 200);
	rest_reply_done(&root);
	rest_reply_done(&query);
}

/* So that a Content-Security-Policy without 'unsafe-inline' breaks nothing. */
static void nothing_is_inline(void **state)
{
	struct rest_reply root = ask(&(struct rest_request){ .method = "GET", .target = "/" });
	const char *html = buf_cstr(&root.body);

	(void)state;
	assert_null(strstr(html, "<style"));
	assert_null(strstr(html, "style="));
	assert_null(strstr(html, " on"));
	for (const char *p = html; (p = strstr(p, "<script")); p++)
		assert_memory_equal(strchr(p, '>'), "></script>", 10);
	rest_reply_done(&root);
}

static void what_the_client_has_is_not_sent_again(void **state)
{
	const char *etag = page_files[0].etag;
	char others[64], weak[64];
	const struct {
		const char *has;
		unsigned status;
	} cases[] = { { etag, 304 },	{ others, 304 }, { weak, 304 }, { "*", 304 },
		      { "\"x\"", 200 }, { "", 200 },	 { NULL, 200 }, { "\"", 200 } };

	(void)state;
	snprintf(others, sizeof(others), "\"a\" ,\t%s, \"b\"", etag);
	snprintf(weak, sizeof(weak), "W/%s", etag);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rest_reply r = ask(&(struct rest_request){ .method = "GET",
								  .target = page_files[0].path,
								  .if_none_match = cases[i].has });

		assert_int_equal(r.status, cases[i].status);
		assert_string_equal(r.etag, etag);
		assert_int_equal(r.body.len == 0, r.status == 304);
		rest_reply_done(&r);
	}
}

static void codings_that_are_not_taken_are_not_used(void **state)
{
	static const char *const codings[] = { NULL,   "", "br", "gzip;q=0", "identity, *;q=0",
					       "xgzip" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		struct rest_reply r = ask(&(struct rest_request){
			.method = "GET", .target = "/", .accept_encoding = codings[i] });

		assert_false(r.gzip);
		assert_true(r.body.len > 0);
		rest_reply_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_file_is_served_as_it_stands),
		cmocka_unit_test(the_root_is_the_page),
		cmocka_unit_test(nothing_is_inline),
		cmocka_unit_test(what_the_client_has_is_not_sent_again),
		cmocka_unit_test(codings_that_are_not_taken_are_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
