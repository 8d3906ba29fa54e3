/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doc.c, doc_yaml.c, doc_json.c: texts as trees, and what is refused. */
#include "agent/base/doc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"

static const struct doc_limits limits = { .nodes = 100, .depth = 5 };

static void print(const struct doc *d, struct buf *b)
{
	if (d->key)
		buf_printf(b, "%s=", d->key);
	switch (d->type) {
	case DOC_NULL:
		buf_printf(b, "null(%s)", d->text);
		break;
	case DOC_BOOL:
		buf_printf(b, "bool(%s)", d->text);
		break;
	case DOC_NUMBER:
		buf_printf(b, "num(%s)", d->text);
		break;
	case DOC_STRING:
		buf_printf(b, d->quoted ? "'%s'" : "%s", d->text);
		break;
	case DOC_LIST:
	case DOC_MAP:
		buf_str(b, d->type == DOC_LIST ? "[" : "{");
		for (const struct doc *c = d->first; c; c = c->next) {
			print(c, b);
			if (c->next)
				buf_str(b, " ");
		}
		buf_str(b, d->type == DOC_LIST ? "]" : "}");
		break;
	}
}

typedef int read_fn(const void *text, size_t len, const struct doc_limits *limits,
		    struct doc_set *out, struct err *err);

struct text_case {
	const char *name;
	const char *text;
	const char *tree; /* of all documents; NULL: refused */
	const char *error;
};

static void check_case(read_fn *read, const struct text_case *c)
{
	struct doc_set s = { 0 };
	struct err err = { 0 };
	struct buf b = { 0 };
	int r = read(c->text, strlen(c->text), &limits, &s, &err);

	if (!c->tree) {
		if (r >= 0)
			fail_msg("%s: not refused", c->name);
		if (strcmp(err.text, c->error) != 0)
			fail_msg("%s: \"%s\" instead of \"%s\"", c->name, err.text, c->error);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", c->name, err.text);
	for (size_t i = 0; i < s.count; i++) {
		if (i > 0)
			buf_str(&b, " | ");
		print(s.roots[i], &b);
	}
	if (strcmp(buf_cstr(&b), c->tree) != 0)
		fail_msg("%s: %s instead of %s", c->name, buf_cstr(&b), c->tree);
	buf_done(&b);
	doc_set_done(&s);
}

static void yaml_becomes_a_tree(void **state)
{
	static const struct text_case cases[] = {
		{ "block", "a: 1\nb:\n- x\n- y: z\n", "{a=num(1) b=[x {y=z}]}", NULL },
		{ "flow", "{a: [1, 'x', \"y\"]}", "{a=[num(1) 'x' 'y']}", NULL },
		{ "documents", "a: 1\n---\n---\nb: 2\n...\n", "{a=num(1)} | {b=num(2)}", NULL },
		{ "nothing", "", "", NULL },
		{ "comments alone", "# x\n---\n# y\n", "", NULL },
		{ "byte order mark",
		  "\xef\xbb\xbf"
		  "a: b",
		  "{a=b}", NULL },
		{ "booleans as kubectl reads them", "[y, No, ON, true, yEs, tRue]",
		  "[bool(y) bool(No) bool(ON) bool(true) yEs tRue]", NULL },
		{ "quoted words are strings", "['yes', \"1\", !!str 2, ! 3]", "['yes' '1' 2 3]",
		  NULL },
		{ "nulls", "[~, null, Null, nul]\n---\na:\n",
		  "[null(~) null(null) null(Null) nul] | {a=null()}", NULL },
		{ "numbers", "[0, -1, +1, 0x1F, 0o17, 010, 1.5, .5, 1., 1e3, .inf]",
		  "[num(0) num(-1) num(+1) num(0x1F) num(0o17) num(010) num(1.5) num(.5) num(1.) "
		  "num(1e3) num(.inf)]",
		  NULL },
		{ "strings that look like numbers",
		  "[1.2.3, 1:30, 10.0.0.1, 2026-11-22, 1x, ., e3, 0x]",
		  "[1.2.3 1:30 10.0.0.1 2026-11-22 1x . e3 0x]", NULL },
		{ "agreeing tag", "[!!int 5, !!map {a: b}]", "[num(5) {a=b}]", NULL },
		{ "block scalar", "a: |\n  x\n  y\n", "{a='x\ny\n'}", NULL },
		{ "same key twice", "a: 1\nb: 2\na: 3\n", NULL,
		  "line 3: key \"a\" is given twice (first in line 1)" },
		{ "same key twice among many",
		  "a: 1\nb: 1\nc: 1\nd: 1\ne: 1\nf: 1\ng: 1\nh: 1\ni: 1\nc: 1\n", NULL,
		  "line 10: key \"c\" is given twice (first in line 3)" },
		{ "alias", "a: &x 1\nb: *x\n", NULL,
		  "line 2: aliases (*...) are not taken here: put a text that begins with '*' in "
		  "quotes" },
		{ "merge key", "a:\n  <<: {b: 1}\n", NULL,
		  "line 2: merge keys (<<) are not taken here" },
		{ "quoted merge key is a key", "'<<': 1", "{<<=num(1)}", NULL },
		{ "map as a key", "? {a: 1}\n: 2\n", NULL,
		  "line 1: a key is a map: it has to be one word" },
		{ "empty key", "'': 1", NULL, "line 1: a key is empty" },
		{ "foreign tag", "a: !!binary aGk=\n", NULL,
		  "line 1: the tag \"tag:yaml.org,2002:binary\" is not taken here" },
		{ "tag that disagrees", "a: !!int x\n", NULL,
		  "line 1: the tag \"tag:yaml.org,2002:int\" is not taken here" },
		{ "own tag", "--- !thing {a: 1}", NULL,
		  "line 1: a tag (!...) is not taken here: put a text that begins with '!' in "
		  "quotes" },
		{ "too deep", "[[[[[[1]]]]]]", NULL, "line 1: nested more than 5 deep" },
		{ "NUL", "a: \"\\0\"", NULL, "line 1: a value holds a NUL" },
		{ "tab", "a:\n\t- x\n", NULL,
		  "line 2: found character that cannot start any token (while scanning for the "
		  "next token in line 2)" },
		{ "cut short", "a: [1, 2\n", NULL,
		  "line 2: did not find expected ',' or ']' (while parsing a flow sequence in line "
		  "1)" },
		{ "not UTF-8", "a: \xff", NULL, "byte 3: invalid leading UTF-8 octet" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(doc_read_yaml, &cases[i]);
}

static void json_becomes_the_same_tree(void **state)
{
	static const struct text_case cases[] = {
		{ "values", "{\"b\": [1, -2.5, \"x\", true, null], \"a\": {}}",
		  "{b=[num(1) num(-2.5) 'x' bool(true) null(null)] a={}}", NULL },
		{ "one string", "\"x\"", "'x'", NULL },
		{ "brackets inside strings do not count", "[\"[[[[[[[[\", \"\\\"[[[[[[\"]",
		  "['[[[[[[[[' '\"[[[[[[']", NULL },
		{ "same key twice", "{\"a\": 1, \"a\": 2}", NULL, "line 1: duplicate object key" },
		{ "trailing text", "{} x", NULL, "line 1: end of file expected" },
		{ "too deep", "[[[[[[]]]]]]", NULL, "nested more than 5 deep" },
		{ "empty key", "{\"\": 1}", NULL, "a key is empty" },
		{ "nothing", "", NULL, "line 1: unexpected token near end of file" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_case(doc_read_json, &cases[i]);
}

static void more_parts_than_allowed_are_refused(void **state)
{
	struct buf b = { 0 };
	struct doc_set s = { 0 };
	struct err err = { 0 };

	(void)state;
	buf_str(&b, "[1");
	for (int i = 0; i < 98; i++)
		buf_str(&b, ",1");
	buf_str(&b, "]");
	assert_int_equal(doc_read_yaml(b.data, b.len, &limits, &s, &err), 0);
	assert_int_equal(s.roots[0]->count, 99);
	doc_set_done(&s);
	assert_int_equal(doc_read_json(b.data, b.len, &limits, &s, &err), 0);
	doc_set_done(&s);
	b.data[b.len - 1] = ',';
	buf_str(&b, "1]");
	assert_int_equal(doc_read_yaml(b.data, b.len, &limits, &s, &err), -E2BIG);
	assert_string_equal(err.text, "line 1: the document has more than 100 parts");
	assert_int_equal(doc_read_json(b.data, b.len, &limits, &s, &err), -E2BIG);
	buf_done(&b);
}

static void parts_know_their_lines(void **state)
{
	static const char text[] = "# one\na: 1\nb:\n  c: 2\n  d:\n    - 5\n---\n\ne: 6\n";
	struct doc_set s = { 0 };
	struct err err = { 0 };
	const struct doc *b;

	(void)state;
	assert_int_equal(doc_read_yaml(text, sizeof(text) - 1, &limits, &s, &err), 0);
	assert_int_equal(s.count, 2);
	b = doc_get(s.roots[0], "b");
	assert_int_equal(s.roots[0]->line, 2);
	assert_int_equal(b->line, 3); /* where its key stands, not its first part */
	assert_int_equal(doc_get(b, "c")->line, 4);
	assert_int_equal(doc_get(b, "d")->first->line, 6);
	assert_int_equal(doc_get(s.roots[1], "e")->line, 9);
	doc_set_done(&s);
}

static void a_reader_can_stop_anywhere(void **state)
{
	static const char text[] = "a: 1\nb: [1, 2, 3]\n---\nc: {d: e}\n";
	struct doc_reader *r = doc_reader_new(text, sizeof(text) - 1, &limits);
	struct buf b = { 0 };
	struct doc_set s;
	enum doc_step step;
	unsigned more = 0;

	(void)state;
	do {
		step = doc_reader_step(r, 1, &s, NULL);
		more += step == DOC_STEP_MORE;
		if (step == DOC_STEP_DOCUMENT) {
			print(s.roots[0], &b);
			doc_set_done(&s);
		}
	} while (step != DOC_STEP_END);
	assert_string_equal(buf_cstr(&b), "{a=num(1) b=[num(1) num(2) num(3)]}{c={d=e}}");
	assert_true(more > 10);
	assert_int_equal(doc_reader_step(r, 1, &s, NULL), DOC_STEP_END);
	buf_done(&b);
	doc_reader_free(r);
}

static void integers_are_whole_and_in_range(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{ "0", true, 0 },	{ "80", true, 80 },   { "+80", true, 80 },
		{ "-100", true, -100 }, { "0x50", true, 80 }, { "0o17", true, 15 },
		{ "100", true, 100 },	{ "101", false, 0 },  { "-101", false, 0 },
		{ "010", false, 0 },	{ "1.0", false, 0 },  { "1e1", false, 0 },
		{ "'80'", false, 0 },	{ "true", false, 0 }, { "eighty", false, 0 },
		{ "0b11", false, 0 },	{ ".inf", false, 0 }, { "99999999999999999999", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doc_set s = { 0 };
		int64_t v = 77;

		assert_int_equal(
			doc_read_yaml(cases[i].text, strlen(cases[i].text), &limits, &s, NULL), 0);
		if (doc_integer(s.roots[0], -100, 100, &v) != cases[i].good ||
		    v != (cases[i].good ? cases[i].value : 77))
			fail_msg("%s is read as %lld", cases[i].text, (long long)v);
		doc_set_done(&s);
	}
}

static void the_smallest_integer_can_be_read(void **state)
{
	static const char text[] =
		"[-9223372036854775808, 9223372036854775807, 9223372036854775808]";
	struct doc_set s = { 0 };
	int64_t v;

	(void)state;
	assert_int_equal(doc_read_yaml(text, sizeof(text) - 1, &limits, &s, NULL), 0);
	assert_true(doc_integer(s.roots[0]->first, INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MIN);
	assert_true(doc_integer(s.roots[0]->first->next, INT64_MIN, INT64_MAX, &v));
	assert_true(v == INT64_MAX);
	assert_false(doc_integer(s.roots[0]->first->next->next, INT64_MIN, INT64_MAX, &v));
	doc_set_done(&s);
}

static void look_ups_can_be_chained(void **state)
{
	static const char text[] = "a: {b: {c: x}}\nt: on\nf: No\n";
	struct doc_set s = { 0 };
	const struct doc *d;
	bool yes = false, no = true;

	(void)state;
	assert_int_equal(doc_read_yaml(text, sizeof(text) - 1, &limits, &s, NULL), 0);
	d = s.roots[0];
	assert_string_equal(doc_string(doc_get(doc_get(doc_get(d, "a"), "b"), "c")), "x");
	assert_null(doc_get(doc_get(doc_get(d, "x"), "y"), "z"));
	assert_null(doc_get(doc_get(d, "t"), "z"));
	assert_null(doc_string(NULL));
	assert_true(doc_bool(doc_get(d, "t"), &yes) && yes);
	assert_true(doc_bool(doc_get(d, "f"), &no) && !no);
	assert_false(doc_bool(doc_get(d, "a"), &no));
	doc_set_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(yaml_becomes_a_tree),
		cmocka_unit_test(json_becomes_the_same_tree),
		cmocka_unit_test(more_parts_than_allowed_are_refused),
		cmocka_unit_test(parts_know_their_lines),
		cmocka_unit_test(a_reader_can_stop_anywhere),
		cmocka_unit_test(integers_are_whole_and_in_range),
		cmocka_unit_test(the_smallest_integer_can_be_read),
		cmocka_unit_test(look_ups_can_be_chained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
