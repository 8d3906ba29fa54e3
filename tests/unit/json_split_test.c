/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch/json_split.c: what comes out of lists and streams, wherever the pieces
 * are cut.
 */
#include "watch/json_split.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/base/xalloc.h"

/* What a splitter told, as text. */
struct told {
	struct buf log;
	size_t items;
	size_t stop_after; /* 0: never */
	size_t largest;
};

static bool on_item(void *arg, const char *text, size_t len)
{
	struct told *t = arg;

	/* A copy of just that size shows a length that is wrong. */
	CLEANUP(xfree_ptr) char *copy = xstrndup(text, len);

	if (len < 1000)
		buf_printf(&t->log, "item %s\n", copy);
	else
		buf_printf(&t->log, "item of %zu bytes\n", len);
	t->largest = len > t->largest ? len : t->largest;
	return ++t->items != t->stop_after;
}

static bool on_oversized(void *arg, const struct json_split_oversized *o)
{
	struct told *t = arg;

	buf_printf(&t->log, "oversized %llu %s %s %s/%s %s\n", (unsigned long long)o->len, o->type,
		   o->kind, o->ns, o->name, o->resource_version);
	return ++t->items != t->stop_after;
}

static struct json_split *split_of(enum json_split_mode mode, struct told *t)
{
	return json_split_new(mode, &(struct json_split_sink){ on_item, on_oversized, t });
}

static int feed_copy(struct json_split *s, const char *text, size_t len, struct err *err)
{
	char *copy = xmalloc(len + !len);
	int r;

	memcpy(copy, text, len);
	r = json_split_feed(s, copy, len, err);
	free(copy);
	return r;
}

/* Fed in pieces that end at `cuts`, and then all that told of it. Freed by the caller. */
static char *outcome(enum json_split_mode mode, const char *text, size_t len, const size_t *cuts,
		     size_t cut_count, size_t stop_after)
{
	struct told t = { .stop_after = stop_after };
	struct json_split *s = split_of(mode, &t);
	const struct json_split_list *list = json_split_list(s);
	struct err err = { 0 };
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i <= cut_count && r == 0; i++) {
		size_t end = i < cut_count ? cuts[i] : len;

		r = feed_copy(s, text + at, end - at, &err);
		at = end;
	}
	if (r == 0)
		r = json_split_end(s, &err);
	assert_int_equal(r, err.code);
	if (list->kind[0] || list->resource_version[0] || list->continue_token[0])
		buf_printf(&t.log, "list %s %s %s\n", list->kind, list->resource_version,
			   list->continue_token);
	if (r < 0)
		buf_printf(&t.log, "%s\n", err.text);
	json_split_free(s);
	buf_cstr(&t.log);
	return (char *)t.log.data;
}

struct split_case {
	const char *name;
	enum json_split_mode mode;
	const char *text;
	const char *want;
	size_t stop_after;
};

static const struct split_case cases[] = {
	{ "as the API server writes it", JSON_SPLIT_LIST,
	  "{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
	  "\"253\"},"
	  "\"items\":[{\"a\":1},{\"b\":{\"c\":[1,2,{}]}}]}\n",
	  "item {\"a\":1}\nitem {\"b\":{\"c\":[1,2,{}]}}\nlist ServiceList 253 \n", 0 },
	{ "in another order, with blanks", JSON_SPLIT_LIST,
	  " {\n \"items\" : [ { \"a\" : 1 } ,\t{ } ] , \"metadata\" : { \"continue\" : "
	  "\"x\\u0079z\","
	  " \"resourceVersion\":\"9\" }, \"other\":[[1],{\"k\":\"]\"}],\"n\":-1.5E+3,\"t\":true ,"
	  "\"s\":\"a\\\"}\", \"kind\":\"L\" } ",
	  "item { \"a\" : 1 }\nitem { }\nlist L 9 xyz\n", 0 },
	{ "strings with brackets and escapes", JSON_SPLIT_LIST,
	  "{\"items\":[{\"a\":\"}]{[\\\"}\\\\\"},{\"\\\\\":\"\\\\\\\"\",\"b\":\"\\u007d\"}]}",
	  "item {\"a\":\"}]{[\\\"}\\\\\"}\nitem {\"\\\\\":\"\\\\\\\"\",\"b\":\"\\u007d\"}\n", 0 },
	{ "no items", JSON_SPLIT_LIST, "{\"kind\":\"L\",\"items\":[]}", "list L  \n", 0 },
	{ "items null", JSON_SPLIT_LIST, "{\"items\":null,\"kind\":\"L\"}", "list L  \n", 0 },
	{ "nothing", JSON_SPLIT_LIST, "{}", "", 0 },
	{ "a Status", JSON_SPLIT_LIST,
	  "{\"kind\":\"Status\",\"metadata\":{},\"status\":\"Failure\",\"code\":410}",
	  "list Status  \n", 0 },
	{ "a key with an escape is none of ours", JSON_SPLIT_LIST, "{\"\\u006bind\":\"L\"}", "",
	  0 },
	{ "a long key", JSON_SPLIT_LIST,
	  "{\"kindkindkindkindkindkindkindkindkindkindkindkindkindkindkindkindkindkind\":\"L\","
	  "\"kind\":\"M\"}",
	  "list M  \n", 0 },
	{ "enough", JSON_SPLIT_LIST, "{\"items\":[{\"a\":1},{\"b\":2},{\"c\":3}]}",
	  "item {\"a\":1}\nitem {\"b\":2}\nthe stream is over\n", 2 },
	{ "cut between items", JSON_SPLIT_LIST, "{\"items\":[{\"a\":1},",
	  "item {\"a\":1}\nno such JSON at byte 18: it ends before its end\n", 0 },
	{ "cut inside an item", JSON_SPLIT_LIST, "{\"items\":[{\"a\":1",
	  "no such JSON at byte 16: it ends before its end\n", 0 },
	{ "empty", JSON_SPLIT_LIST, "", "no such JSON at byte 0: it ends before its end\n", 0 },
	{ "no object", JSON_SPLIT_LIST, "[]", "no such JSON at byte 0: an object is expected\n",
	  0 },
	{ "an item that is none", JSON_SPLIT_LIST, "{\"items\":[{},7]}",
	  "item {}\nno such JSON at byte 13: an object is expected\n", 0 },
	{ "no comma between items", JSON_SPLIT_LIST, "{\"items\":[{}{}]}",
	  "item {}\nno such JSON at byte 12: a comma or the end of the items is expected\n", 0 },
	{ "a comma at the end", JSON_SPLIT_LIST, "{\"items\":[{},]}",
	  "item {}\nno such JSON at byte 13: an object is expected\n", 0 },
	{ "no colon", JSON_SPLIT_LIST, "{\"kind\",\"x\"}",
	  "no such JSON at byte 7: a colon is expected\n", 0 },
	{ "no value", JSON_SPLIT_LIST, "{\"kind\":}",
	  "no such JSON at byte 8: a value is expected\n", 0 },
	{ "no key", JSON_SPLIT_LIST, "{\"kind\":\"L\",}",
	  "list L  \nno such JSON at byte 12: a key is expected\n", 0 },
	{ "the wrong bracket", JSON_SPLIT_LIST, "{\"items\":[{\"a\":[1}]}",
	  "no such JSON at byte 17: the wrong bracket closes\n", 0 },
	{ "items twice", JSON_SPLIT_LIST, "{\"items\":[],\"items\":[]}",
	  "no such JSON at byte 20: items twice\n", 0 },
	{ "items of another type", JSON_SPLIT_LIST, "{\"items\":{}}",
	  "no such JSON at byte 11: items is no list\n", 0 },
	{ "metadata of another type", JSON_SPLIT_LIST, "{\"metadata\":\"x\"}",
	  "no such JSON at byte 15: metadata is no object\n", 0 },
	{ "a kind of another type", JSON_SPLIT_LIST, "{\"kind\":7}",
	  "no such JSON at byte 9: kind is no plain word\n", 0 },
	{ "more behind it", JSON_SPLIT_LIST, "{} {}",
	  "no such JSON at byte 3: more after the end of the list\n", 0 },
	{ "HTML", JSON_SPLIT_LIST, "<html>", "no such JSON at byte 0: an object is expected\n", 0 },

	{ "a stream by lines", JSON_SPLIT_WATCH,
	  "{\"type\":\"ADDED\",\"object\":{}}\n{\"type\":\"BOOKMARK\"}\n",
	  "item {\"type\":\"ADDED\",\"object\":{}}\nitem {\"type\":\"BOOKMARK\"}\n", 0 },
	{ "a stream without lines", JSON_SPLIT_WATCH, "{\"a\":\"\\\"\"}{\"b\":[]}\r\n \t{}",
	  "item {\"a\":\"\\\"\"}\nitem {\"b\":[]}\nitem {}\n", 0 },
	{ "an empty stream", JSON_SPLIT_WATCH, " \n", "", 0 },
	{ "a stream cut in an object", JSON_SPLIT_WATCH, "{}\n{\"a\":\"",
	  "item {}\nno such JSON at byte 9: it ends before its end\n", 0 },
	{ "a stream of lists", JSON_SPLIT_WATCH, "[{}]",
	  "no such JSON at byte 0: an object is expected\n", 0 },
	{ "a stream with something between", JSON_SPLIT_WATCH, "{},{}",
	  "item {}\nno such JSON at byte 2: an object is expected\n", 0 },
	{ "enough of a stream", JSON_SPLIT_WATCH, "{}{}", "item {}\nthe stream is over\n", 1 },
};

static void splits(void **state)
{
	const struct split_case *c = *state;
	size_t len = strlen(c->text);
	size_t every[1000];
	CLEANUP(xfree_ptr) char *whole = outcome(c->mode, c->text, len, NULL, 0, c->stop_after);

	assert_string_equal(whole, c->want);
	for (size_t i = 0; i <= len; i++) {
		for (size_t k = i; k <= len; k++) {
			const size_t cuts[] = { i, k };
			CLEANUP(xfree_ptr)
			char *pieces = outcome(c->mode, c->text, len, cuts, 2, c->stop_after);

			assert_string_equal(pieces, whole);
		}
		every[i] = i;
	}
	CLEANUP(xfree_ptr) char *bytes = outcome(c->mode, c->text, len, every, len, c->stop_after);

	assert_string_equal(bytes, whole);
}

/* --- large ones ----------------------------------------------------------- */

#define META "\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"resourceVersion\":\"77\","

/* `head`, so many 'x' in a string, `tail`. */
static void put_padded(struct buf *b, const char *head, size_t pad, const char *tail)
{
	buf_str(b, head);
	memset(buf_add(b, pad), 'x', pad);
	buf_str(b, tail);
}

static char *outcome_of(enum json_split_mode mode, const struct buf *text, size_t piece)
{
	size_t count = piece ? text->len / piece : 0;
	size_t *cuts = xcalloc(count + 1, sizeof(*cuts));
	char *told;

	for (size_t i = 0; i < count; i++)
		cuts[i] = (i + 1) * piece;
	told = outcome(mode, (const char *)text->data, text->len, cuts, count, 0);
	free(cuts);
	return told;
}

static void assert_outcome(enum json_split_mode mode, const struct buf *text, const char *want)
{
	static const size_t pieces[] = { 0, 509, 4095, 16384, 1 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		CLEANUP(xfree_ptr) char *told = outcome_of(mode, text, pieces[i]);

		assert_string_equal(told, want);
	}
}

static void an_oversized_item_is_skipped(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_padded(&b, "{\"items\":[{\"a\":1},{" META "\"annotations\":{\"name\":\"", 5 << 20,
		   "\"}}},{\"b\":2}],\"kind\":\"L\"}");
	assert_outcome(
		JSON_SPLIT_LIST, &b,
		"item {\"a\":1}\noversized 5242975   shop/web 77\nitem {\"b\":2}\nlist L  \n");
}

static void an_oversized_event_is_skipped(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_padded(&b, "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Endpoints\"," META "\"x\":\"",
		   5 << 20, "\"}}}\n{}");
	assert_outcome(JSON_SPLIT_WATCH, &b,
		       "oversized 5243003 DELETED Endpoints shop/web 77\nitem {}\n");
}

static void names_beyond_the_head_are_not_found(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_padded(&b,
		   "{\"kind\":\"Service\",\"spec\":{\"name\":\"not this\"},\"list\":[\"name\"],"
		   "\"x\":\"",
		   5 << 20, "\"," META "\"a\":1}}");
	assert_outcome(JSON_SPLIT_WATCH, &b, "oversized 5243022   / \n");
	buf_reset(&b);
	put_padded(&b,
		   "{\"items\":[{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\\\"b\","
		   "\"namespace\":[\"x\",{\"namespace\":\"y\"}],\"resourceVersion\":\"\n\"},"
		   "\"x\":\"",
		   5 << 20, "\"}]}");
	assert_outcome(JSON_SPLIT_LIST, &b, "oversized 5242990  Service / \n");
}

static void the_largest_item_is_none_too_many(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_padded(&b, "{\"a\":\"", JSON_SPLIT_ITEM_MAX - 8, "\"}");
	assert_outcome(JSON_SPLIT_WATCH, &b, "item of 4194304 bytes\n");
	buf_reset(&b);
	put_padded(&b, "{\"a\":\"", JSON_SPLIT_ITEM_MAX - 7, "\"}");
	assert_outcome(JSON_SPLIT_WATCH, &b, "oversized 4194305   / \n");
}

static void depth_is_bounded(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	buf_str(&b, "{\"a\":");
	memset(buf_add(&b, JSON_SPLIT_DEPTH_MAX - 1), '[', JSON_SPLIT_DEPTH_MAX - 1);
	memset(buf_add(&b, JSON_SPLIT_DEPTH_MAX - 1), ']', JSON_SPLIT_DEPTH_MAX - 1);
	buf_str(&b, "}");
	CLEANUP(xfree_ptr) char *fits = outcome_of(JSON_SPLIT_WATCH, &b, 0);
	assert_non_null(strstr(fits, "item {\"a\":[[["));
	b.data[5 + JSON_SPLIT_DEPTH_MAX - 1] = '[';
	assert_outcome(JSON_SPLIT_WATCH, &b, "no such JSON at byte 68: nested too deep\n");
}

static void large_metadata_is_refused(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	(void)state;
	put_padded(&b, "{\"metadata\":{\"continue\":\"", JSON_SPLIT_METADATA_MAX, "\"}}");
	assert_outcome(JSON_SPLIT_LIST, &b, "no such JSON at byte 65563: too long\n");
	buf_reset(&b);
	put_padded(&b, "{\"metadata\":{\"resourceVersion\":\"", 64, "\"}}");
	assert_outcome(JSON_SPLIT_LIST, &b,
		       "no such JSON at byte 98: metadata.resourceVersion is too long\n");
	buf_reset(&b);
	put_padded(&b, "{\"kind\":\"", 64, "\"}");
	assert_outcome(JSON_SPLIT_LIST, &b, "no such JSON at byte 74: too long\n");
}

static void memory_shrinks_after_a_large_item(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct told t = { 0 };
	struct json_split *s = split_of(JSON_SPLIT_WATCH, &t);
	struct err err;

	(void)state;
	put_padded(&b, "{\"a\":\"", 3 << 20, "\"}");
	assert_int_equal(json_split_feed(s, b.data, b.len - 1, &err), 0);
	assert_true(json_split_memory(s) >= 3 << 20);
	assert_int_equal(json_split_feed(s, "}", 1, &err), 0);
	assert_int_equal(t.largest, b.len);
	assert_true(json_split_memory(s) <= 256 << 10);

	/* Of one that is too large, no more than its head is kept from then on. */
	buf_reset(&b);
	put_padded(&b, "{\"a\":\"", 5 << 20, "");
	assert_int_equal(json_split_feed(s, b.data, b.len, &err), 0);
	assert_true(json_split_memory(s) <= 2 * JSON_SPLIT_HEAD_MAX);
	json_split_free(s);
	buf_done(&t.log);
}

/* What lies in one piece is told from there. */
static void whole_items_are_not_copied(void **state)
{
	struct told t = { 0 };
	struct json_split *s = split_of(JSON_SPLIT_WATCH, &t);
	struct err err;

	(void)state;
	assert_int_equal(json_split_feed(s, "{\"a\":1}{\"b\":2}", 14, &err), 0);
	assert_int_equal(t.items, 2);
	assert_int_equal(json_split_memory(s), 0);
	json_split_free(s);
	buf_done(&t.log);
}

static void an_error_stays(void **state)
{
	struct told t = { 0 };
	struct json_split *s = split_of(JSON_SPLIT_WATCH, &t);
	struct err err;

	(void)state;
	assert_int_equal(json_split_feed(s, "}", 1, &err), -EBADMSG);
	assert_int_equal(json_split_feed(s, "{}", 2, &err), -EBADMSG);
	assert_int_equal(json_split_end(s, &err), -EBADMSG);
	assert_int_equal(t.items, 0);
	json_split_free(s);
	json_split_free(NULL);
}

int main(void)
{
	const struct CMUnitTest more[] = {
		cmocka_unit_test(an_oversized_item_is_skipped),
		cmocka_unit_test(an_oversized_event_is_skipped),
		cmocka_unit_test(names_beyond_the_head_are_not_found),
		cmocka_unit_test(the_largest_item_is_none_too_many),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(large_metadata_is_refused),
		cmocka_unit_test(memory_shrinks_after_a_large_item),
		cmocka_unit_test(whole_items_are_not_copied),
		cmocka_unit_test(an_error_stays),
	};
	struct CMUnitTest tests[ARRAY_LEN(cases) + ARRAY_LEN(more)];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = splits,
						.initial_state = (void *)(uintptr_t)&cases[i] };
	memcpy(&tests[ARRAY_LEN(cases)], more, sizeof(more));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
