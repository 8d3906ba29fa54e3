/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch/documents.c: where documents stand, and which are as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "watch/documents.h"

/* "line+lines" of each document, with "=" where it is known, "~" where it moved as well. */
static const char *text_of(const struct documents *d, struct buf *b)
{
	buf_reset(b);
	for (size_t i = 0; i < d->count; i++) {
		const struct document *k = &d->items[i];

		buf_printf(b, "%s%u+%u%s", i ? " " : "", k->line, k->lines,
			   !k->known  ? ""
			   : k->moved ? "~"
				      : "=");
	}
	return buf_cstr(b);
}

struct split_case {
	const char *name;
	const char *text;
	const char *want;
};

static const struct split_case splits[] = {
	{ "nothing", "", "" },
	{ "one without a mark", "a: 1\n", "1+1" },
	{ "no line break at the end", "a: 1", "1+0" },
	{ "one with a mark", "---\na: 1\n", "1+2" },
	{ "two", "a: 1\n---\nb: 2\n", "1+1 2+2" },
	{ "a comment in front", "# c\n---\na: 1\n---\nb: 2", "1+1 2+2 4+1" },
	{ "content beside the mark", "--- {a: 1}\n--- {b: 2}\n", "1+1 2+1" },
	{ "a mark at the very end", "a: 1\n---", "1+1 2+0" },
	{ "lines of Windows", "a: 1\r\n---\r\nb: 2\r\n", "1+1 2+2" },
	{ "no mark: four dashes", "a: 1\n----\n", "1+2" },
	{ "no mark: indented", "a: |\n  ---\n", "1+2" },
	{ "no mark: a list's item", "- --- \n", "1+1" },
	{ "directives are left whole", "%YAML 1.1\n---\na: 1\n", "" },
	{ "explicit ends are left whole", "a: 1\n...\n---\nb: 1\n", "" },
	{ "a lone carriage return is left whole", "a: 1\r---\nb: 1\n", "" },
	{ "so is one at the end", "a: 1\n---\nb: 1\r", "" },
	{ "so is a next-line character", "a: \xc2\x85\n---\nb: 1\n", "" },
	{ "and a line separator", "a: \xe2\x80\xa8\n---\nb: 1\n", "" },
	{ "other characters are none", "a: \xe5\x90\x88\xe9\xa1\xb5\n---\nb: 1\n", "1+1 2+2" },
};

static void splits_at_marks(void **state)
{
	const struct split_case *c = *state;
	struct documents d;
	struct buf b = { 0 };

	documents_split(&d, c->text, strlen(c->text));
	assert_string_equal(text_of(&d, &b), c->want);
	documents_done(&d);
	buf_done(&b);
}

struct known_case {
	const char *name;
	const char *before, *now;
	const char *want;
	const char *exact;
	const char *blank; /* of now, not exact */
};

static const struct known_case knowns[] = {
	{ "nothing was before", "", "a\n---\nb\n", "1+1 2+2", "1+1 2+2", "a\n---\nb\n" },
	{ "the same", "a\n---\nb\n", "a\n---\nb\n", "1+1= 2+2=", "1+1= 2+2=", "\n\n\n" },
	{ "the first changed", "a\n---\nb\n", "x\n---\nb\n", "1+1 2+2=", "1+1 2+2=", "x\n---\n\n" },
	{ "the last changed", "a\n---\nb\n", "a\n---\nx\n", "1+1= 2+2", "1+1= 2+2", "\n---\nx\n" },
	{ "one grew: those behind it moved", "a\n---\nb\n---\nc\n", "a\na\n---\nb\n---\nc\n",
	  "1+2 3+2~ 5+2~", "1+2 3+2 5+2", "a\na\n---\n\n\n\n" },
	{ "they changed places", "---\na\n---\nb\n", "---\nb\n---\na\n", "1+2~ 3+2~", "1+2 3+2",
	  "---\n\n\n\n" },
	{ "one twice is known once", "---\na\n", "---\na\n---\na\n", "1+2= 3+2", "1+2= 3+2",
	  "---\n\n---\na\n" },
	{ "one of two that were the same", "---\na\n---\na\n", "---\nb\n---\na\n", "1+2 3+2~",
	  "1+2 3+2", "---\nb\n---\n\n" },
	{ "the last without its line break is another", "---\na\n---\nb\n", "---\na\n---\nb",
	  "1+2= 3+1", "1+2= 3+1", "---\n\n---\nb" },
	{ "content beside the mark", "--- a\n--- b\n", "--- a\n--- c\n", "1+1= 2+1", "1+1= 2+1",
	  "---\n--- c\n" },
};

static void knows_what_is_as_it_was(void **state)
{
	const struct known_case *c = *state;
	struct documents before, now;
	struct buf b = { 0 };

	documents_split(&before, c->before, strlen(c->before));
	documents_split(&now, c->now, strlen(c->now));
	documents_known(&now, &before, true);
	assert_string_equal(text_of(&now, &b), c->exact);
	documents_done(&now);

	documents_split(&now, c->now, strlen(c->now));
	documents_known(&now, &before, false);
	assert_string_equal(text_of(&now, &b), c->want);

	buf_reset(&b);
	buf_put(&b, c->now, strlen(c->now));
	b.len = documents_blank(&now, (char *)b.data, b.len);
	assert_string_equal(buf_cstr(&b), c->blank);
	documents_done(&now);
	documents_done(&before);
	buf_done(&b);
}

static void what_moved_once_is_not_exact_where_it_stands(void **state)
{
	struct documents a, b, c;

	(void)state;
	documents_split(&a, "---\na\n", 6);
	documents_split(&b, "#\n---\na\n", 8);
	assert_int_equal(documents_known(&b, &a, false), 1);
	assert_true(documents_moved(&b));
	/* It has not moved again, but its objects were told with the first lines. */
	documents_split(&c, "#\n---\na\n", 8);
	assert_int_equal(documents_known(&c, &b, true), 1); /* the comment */
	assert_false(c.items[1].known);
	assert_false(documents_moved(&c));
	documents_done(&a);
	documents_done(&b);
	documents_done(&c);
}

static void lines_lead_to_documents(void **state)
{
	struct documents d;

	(void)state;
	documents_split(&d, "a\na\n---\nb\n", 10);
	assert_null(documents_at(&d, 0));
	assert_ptr_equal(documents_at(&d, 1), &d.items[0]);
	assert_ptr_equal(documents_at(&d, 2), &d.items[0]);
	assert_ptr_equal(documents_at(&d, 3), &d.items[1]);
	assert_ptr_equal(documents_at(&d, 99), &d.items[1]);
	documents_done(&d);
	assert_null(documents_at(&d, 1));
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(splits) + ARRAY_LEN(knowns) + 2];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(splits); i++)
		tests[n++] = (struct CMUnitTest){ .name = splits[i].name,
						  .test_func = splits_at_marks,
						  .initial_state = (void *)(uintptr_t)&splits[i] };
	for (size_t i = 0; i < ARRAY_LEN(knowns); i++)
		tests[n++] = (struct CMUnitTest){ .name = knowns[i].name,
						  .test_func = knows_what_is_as_it_was,
						  .initial_state = (void *)(uintptr_t)&knowns[i] };
	tests[n++] =
		(struct CMUnitTest)cmocka_unit_test(what_moved_once_is_not_exact_where_it_stands);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(lines_lead_to_documents);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
