/* SPDX-License-Identifier: GPL-2.0-or-later */
/* edit_tree.c, edit_route.c: patches, differences, and who may ask for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/edit.h"
#include "agent/api/edit_tree.h"
#include "agent/api/schema.h"

struct read {
	struct doc_set set;
	struct tree *tree;
};

static struct read read_tree(struct arena *a, const char *text)
{
	struct read r = { 0 };
	struct err err;

	assert_int_equal(doc_read_yaml(text, strlen(text), &DOC_LIMITS_DEFAULT, &r.set, &err), 0);
	assert_int_equal(r.set.count, 1);
	r.tree = tree_of(a, r.set.roots[0]);
	return r;
}

static void says(const struct tree *t, const char *want)
{
	struct buf out = { 0 };

	edit_tree_print(t, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_done(&out);
}

static void yaml_is_printed_as_the_json_it_means(void **state)
{
	static const char *const cases[][2] = {
		{ "{a: 1, b: -0.5e+3, c: 0x10, d: +7}",
		  "{\"a\":1,\"b\":-0.5e+3,\"c\":16,\"d\":7}" },
		{ "{a: yes, b: Off, c: ~, d: \"yes\"}",
		  "{\"a\":true,\"b\":false,\"c\":null,\"d\":\"yes\"}" },
		{ "{a: .inf, b: 010, c: 1.}", "{\"a\":\".inf\",\"b\":\"010\",\"c\":\"1.\"}" },
		{ "[[], {}, \"a\\n\\\"b\"]", "[[],{},\"a\\n\\\"b\"]" },
		{ "{\"k\\\"\": 1}", "{\"k\\\"\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena a = { 0 };
		struct read r = read_tree(&a, cases[i][0]);

		says(r.tree, cases[i][1]);
		doc_set_done(&r.set);
		arena_done(&a);
	}
}

/* The examples of RFC 7396's appendix whose target and patch are objects. */
static void a_merge_patch_does_as_its_rfc_says(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\": \"b\"}", "{\"a\": \"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\": \"b\"}", "{\"b\": \"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\": \"b\"}", "{\"a\": null}", "{}" },
		{ "{\"a\": \"b\", \"b\": \"c\"}", "{\"a\": null}", "{\"b\":\"c\"}" },
		{ "{\"a\": [\"b\"]}", "{\"a\": \"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\": \"c\"}", "{\"a\": [\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\": {\"b\": \"c\"}}", "{\"a\": {\"b\": \"d\", \"c\": null}}",
		  "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\": [{\"b\": \"c\"}]}", "{\"a\": [1]}", "{\"a\":[1]}" },
		{ "{\"e\": null}", "{\"a\": 1}", "{\"e\":null,\"a\":1}" },
		{ "{}", "{\"a\": {\"bb\": {\"ccc\": null}}}", "{\"a\":{\"bb\":{}}}" },
		{ "{\"a\": 1}", "{\"a\": {\"b\": null, \"c\": 2}}", "{\"a\":{\"c\":2}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena a = { 0 };
		struct read into = read_tree(&a, cases[i][0]), patch = read_tree(&a, cases[i][1]);

		edit_tree_merge(&a, into.tree, patch.tree);
		says(into.tree, cases[i][2]);
		doc_set_done(&into.set);
		doc_set_done(&patch.set);
		arena_done(&a);
	}
}

static void a_difference_leads_from_one_to_the_other(void **state)
{
	static const char *const cases[][3] = {
		{ "{a: 1, b: 2}", "{b: 2, a: 1}", "[]" },
		{ "{a: 16}", "{a: 0x10}", "[]" },
		{ "{a: 1}", "{a: \"1\"}",
		  "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":\"1\"}]" },
		{ "{a: 1}", "{b/c~d: 1}",
		  "[{\"op\":\"remove\",\"path\":\"/a\"},"
		  "{\"op\":\"add\",\"path\":\"/b~1c~0d\",\"value\":1}]" },
		{ "{a: [{b: 1}, {b: 2}]}", "{a: [{b: 1}, {b: 3}]}",
		  "[{\"op\":\"replace\",\"path\":\"/a/1/b\",\"value\":3}]" },
		{ "{a: [1, 2]}", "{a: [1]}",
		  "[{\"op\":\"replace\",\"path\":\"/a\",\"value\":[1]}]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena a = { 0 };
		struct read x = read_tree(&a, cases[i][0]), y = read_tree(&a, cases[i][1]);
		struct buf out = { 0 };
		struct json_writer j = { .out = &out };

		edit_tree_put_diff(x.tree, y.tree, NULL, &j);
		assert_string_equal(buf_cstr(&out), cases[i][2]);
		buf_done(&out);
		doc_set_done(&x.set);
		doc_set_done(&y.set);
		arena_done(&a);
	}
}

#define DOCUMENT "/api/v1/namespaces/shop/services/web"

static void who_may_not_is_told_before_the_body_is_read(void **state)
{
	static const struct {
		struct rest_request r;
		unsigned status; /* 0: admitted */
	} cases[] = {
		{ { .method = "GET", .target = DOCUMENT }, 0 },
		{ { .method = "GET", .target = DOCUMENT, .over_tcp = true, .host = "localhost" },
		  0 },
		{ { .method = "GET", .target = DOCUMENT, .over_tcp = true, .host = "evil.example" },
		  421 },
		{ { .method = "PUT", .target = DOCUMENT, .content_type = REST_JSON }, 403 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .may_write = true },
		  0 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .over_tcp = true,
		    .host = "localhost" },
		  401 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .bearer = { .claim = BEARER_KNOWN, .role = TOKEN_VIEWER },
		    .over_tcp = true,
		    .host = "localhost" },
		  403 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .bearer = { .claim = BEARER_KNOWN, .role = TOKEN_EDITOR },
		    .may_write = true,
		    .over_tcp = true,
		    .host = "localhost" },
		  0 },
		{ { .method = "GET", .target = DOCUMENT, .bearer = { .claim = BEARER_UNKNOWN } },
		  401 },
		{ { .method = "DELETE", .target = DOCUMENT, .may_write = true, .has_body = true },
		  400 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = "Application/YAML; charset=utf-8",
		    .may_write = true },
		  0 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = "application/jsonp",
		    .may_write = true },
		  415 },
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .length = REST_BODY_MAX + 1,
		    .may_write = true },
		  413 },
		{ { .method = "PUT", .target = DOCUMENT, .ambiguous = true, .may_write = true },
		  400 },
		{ { .method = "GET", .target = DOCUMENT, .accept = "image/png" }, 406 },
		{ { .method = "POST",
		    .target = DOCUMENT ":rollback",
		    .content_type = REST_YAML,
		    .may_write = true },
		  415 },
		{ { .method = "PU", .target = DOCUMENT, .may_write = true }, 405 },
		/* A page of another site. */
		{ { .method = "PUT",
		    .target = DOCUMENT,
		    .content_type = REST_JSON,
		    .may_write = true,
		    .fetch_site = "cross-site" },
		  403 },
		{ { .method = "GET",
		    .target = DOCUMENT,
		    .over_tcp = true,
		    .host = "lb-1:9090",
		    .names.node = "lb-1" },
		  0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rest_reply reply = { 0 };
		enum edit_admission a = edit_admit(&cases[i].r, &reply);

		assert_int_equal(a, cases[i].status ? EDIT_REFUSED : EDIT_ADMITTED);
		assert_int_equal(reply.status, cases[i].status);
		rest_reply_done(&reply);
	}
}

static void other_paths_are_none_of_its(void **state)
{
	static const char *const targets[] = { "/api/v1/pools",
					       "/api/v1/namespaces/shop",
					       "/api/v1/namespaces/shop/services",
					       "/api/v1/namespaces/shop/gadgets/x",
					       DOCUMENT "/other",
					       DOCUMENT "/revisions/x",
					       DOCUMENT "/revisions/1/2",
					       "/api/v1/operations/x",
					       "/api/v1/apply/x",
					       "/",
					       "*" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct rest_request r = { .method = "GET", .target = targets[i] };
		struct rest_reply reply;

		assert_int_equal(edit_admit(&r, &reply), EDIT_NOT_OURS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_is_printed_as_the_json_it_means),
		cmocka_unit_test(a_merge_patch_does_as_its_rfc_says),
		cmocka_unit_test(a_difference_leads_from_one_to_the_other),
		cmocka_unit_test(who_may_not_is_told_before_the_body_is_read),
		cmocka_unit_test(other_paths_are_none_of_its),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
