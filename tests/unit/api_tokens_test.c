/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tokens.c: whose a token is, what is kept of it, and what a damaged file is taken for. */
#include "agent/api/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/file.h"

#define NOW  INT64_C(1795316400000)
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct place {
	char dir[64], path[80];
	struct tokens *tokens;
	struct problems faults;
};

static void open_them(struct place *p)
{
	tokens_free(p->tokens);
	problems_done(&p->faults);
	p->tokens = tokens_open(p->path, &p->faults);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/api_tokens_test.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/tokens", p->dir);
	open_them(p);
	assert_int_equal(p->faults.count, 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	tokens_free(p->tokens);
	problems_done(&p->faults);
	unlink(p->path);
	rmdir(p->path);
	rmdir(p->dir);
	free(p);
	return 0;
}

static void write_text(const struct place *p, const char *text, size_t len)
{
	struct err err;

	assert_int_equal(file_write(p->path, text, len, &err), 0);
}

struct shown {
	char text[sizeof("Bearer ") + TOKEN_TEXT];
};

static struct shown make(struct place *p, const char *name, enum token_role role)
{
	char token[TOKEN_TEXT + 1];
	struct shown shown;
	struct err err;

	assert_int_equal(tokens_make(p->tokens, name, role, NOW, token, &err), 0);
	assert_int_equal(strlen(token), TOKEN_TEXT);
	assert_memory_equal(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
	snprintf(shown.text, sizeof(shown.text), "Bearer %s", token);
	return shown;
}

static enum bearer_claim claim(const struct place *p, const char *authorization)
{
	return tokens_bearer(p->tokens, authorization).claim;
}

/* --- whose it is ---------------------------------------------------------------------------------- */

static void a_token_is_its_owners_until_it_is_deleted(void **state)
{
	struct place *p = *state;
	struct shown a = make(p, "alice", TOKEN_EDITOR), b = make(p, "bob", TOKEN_VIEWER);
	struct bearer alice = tokens_bearer(p->tokens, a.text);
	struct bearer bob = tokens_bearer(p->tokens, b.text);
	struct err err;

	assert_int_equal(alice.claim, BEARER_KNOWN);
	assert_int_equal(alice.role, TOKEN_EDITOR);
	assert_string_equal(alice.name, "alice");
	assert_int_equal(bob.role, TOKEN_VIEWER);
	assert_true(tokens_hold(p->tokens, &alice));
	assert_int_equal(tokens_delete(p->tokens, "alice", &err), 0);
	assert_false(tokens_hold(p->tokens, &alice));
	assert_int_equal(claim(p, a.text), BEARER_UNKNOWN);
	assert_int_equal(claim(p, b.text), BEARER_KNOWN);
	assert_true(tokens_hold(p->tokens, &bob));
	assert_int_equal(tokens_delete(p->tokens, "alice", &err), -ENOENT);
	/* Another of that name is another. */
	(void)make(p, "alice", TOKEN_EDITOR);
	assert_false(tokens_hold(p->tokens, &alice));
	assert_int_equal(claim(p, a.text), BEARER_UNKNOWN);
}

static void a_token_is_shown_in_one_way(void **state)
{
	struct place *p = *state;
	struct shown a = make(p, "alice", TOKEN_EDITOR);
	const char *token = a.text + strlen("Bearer ");
	static const struct {
		const char *format;
		enum bearer_claim claim;
	} cases[] = { { "Bearer %s", BEARER_KNOWN },
		      { "bearer %s", BEARER_KNOWN },
		      { "BEARER   %s", BEARER_KNOWN },
		      { "Bearer%s", BEARER_UNKNOWN },
		      { "Bearer\t%s", BEARER_UNKNOWN },
		      { " Bearer %s", BEARER_UNKNOWN },
		      { "Bearer %s ", BEARER_UNKNOWN },
		      { "Bearer %s,x", BEARER_UNKNOWN },
		      { "Bearer \"%s\"", BEARER_UNKNOWN },
		      { "Basic %s", BEARER_UNKNOWN },
		      { "%s", BEARER_UNKNOWN } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf text = { 0 };
		size_t n = strcspn(cases[i].format, "%");

		buf_put(&text, cases[i].format, n);
		buf_str(&text, token);
		buf_str(&text, cases[i].format + n + 2);
		if (claim(p, buf_cstr(&text)) != cases[i].claim)
			fail_msg("%s", cases[i].format);
	}
	assert_int_equal(claim(p, NULL), BEARER_NONE);
	assert_int_equal(claim(p, ""), BEARER_UNKNOWN);
	assert_int_equal(tokens_bearer(NULL, NULL).claim, BEARER_NONE);
	assert_int_equal(tokens_bearer(NULL, a.text).claim, BEARER_UNKNOWN);
	/* Each character counts. */
	for (size_t i = 0; i < TOKEN_TEXT; i++) {
		struct shown other = a;

		other.text[strlen("Bearer ") + i] ^= 1;
		assert_int_equal(claim(p, other.text), BEARER_UNKNOWN);
	}
}

static void names_have_bounds(void **state)
{
	struct place *p = *state;
	char name[TOKEN_NAME_MAX + 2], token[TOKEN_TEXT + 1] = "as it was";
	static const char *const bad[] = { "", "a b", "a:b", "a/b", "a\nb", "\xc3\xa4", "#" };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(tokens_make(p->tokens, bad[i], TOKEN_EDITOR, NOW, token, &err),
				 -EINVAL);
	memset(name, 'a', sizeof(name));
	name[TOKEN_NAME_MAX + 1] = '\0';
	assert_int_equal(tokens_make(p->tokens, name, TOKEN_EDITOR, NOW, token, &err), -EINVAL);
	assert_string_equal(token, "as it was");
	name[TOKEN_NAME_MAX] = '\0';
	(void)make(p, name, TOKEN_EDITOR);
	(void)make(p, "A.z_0-9", TOKEN_EDITOR);
	assert_int_equal(tokens_make(p->tokens, name, TOKEN_EDITOR, NOW, token, &err), -EEXIST);
	assert_string_equal(token, "as it was");
}

/* --- the file --------------------------------------------------------------------------------------- */

static void the_file_has_hashes_alone_and_is_read_back(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct place *p = *state;
	struct shown a = make(p, "alice", TOKEN_EDITOR);
	const struct token *items;
	struct err err;
	struct stat st;
	size_t count;

	(void)make(p, "bob", TOKEN_VIEWER);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_read(p->path, TOKENS_FILE_MAX, &text, &err), 0);
	assert_null(strstr(buf_cstr(&text), a.text + strlen("Bearer ")));
	assert_null(strstr(buf_cstr(&text), TOKEN_PREFIX));
	open_them(p);
	assert_int_equal(p->faults.count, 0);
	assert_int_equal(claim(p, a.text), BEARER_KNOWN);
	items = tokens_items(p->tokens, &count);
	assert_int_equal(count, 2);
	assert_string_equal(items[0].name, "alice");
	assert_true(items[0].created_ms == NOW);
	assert_string_equal(items[1].name, "bob");
	assert_int_equal(items[1].role, TOKEN_VIEWER);
}

static void bad_lines_are_told_by_number_and_the_others_hold(void **state)
{
	static const char text[] = "# a remark\n"
				   "\n"
				   "alice:editor:1:" HASH "\n"
				   "bob:king:1:" HASH "\n"
				   "b b:editor:1:" HASH "\n"
				   "carl:editor:0:" HASH "\n"
				   "dora:editor:1:" HASH "0\n"
				   "emil:editor:1:x123456789abcdef0123456789abcdef0123456789abcdef"
				   "0123456789abcdef\n"
				   "alice:viewer:1:" HASH "\n"
				   "frida:editor:1\n"
				   "gu\0nther:editor:1:" HASH "\n"
				   "hans:viewer:2:" HASH; /* its end is that of the file */
	static const unsigned lines[] = { 4, 5, 6, 7, 8, 9, 10, 11 };
	struct place *p = *state;
	const struct token *items;
	struct err err;
	size_t count;

	write_text(p, text, sizeof(text) - 1);
	open_them(p);
	assert_int_equal(p->faults.count, ARRAY_LEN(lines));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(p->faults.items[i].line, lines[i]);
	items = tokens_items(p->tokens, &count);
	assert_int_equal(count, 2);
	assert_string_equal(items[0].name, "alice");
	assert_int_equal(items[0].role, TOKEN_EDITOR);
	assert_string_equal(items[1].name, "hans");
	/* The next change leaves them out. */
	assert_int_equal(tokens_delete(p->tokens, "hans", &err), 0);
	open_them(p);
	assert_int_equal(p->faults.count, 0);
	(void)tokens_items(p->tokens, &count);
	assert_int_equal(count, 1);
}

static void a_mode_that_lets_others_in_is_told_and_mended(void **state)
{
	struct place *p = *state;
	struct shown a = make(p, "alice", TOKEN_EDITOR);

	assert_int_equal(chmod(p->path, 0644), 0);
	open_them(p);
	assert_int_equal(p->faults.count, 1);
	assert_false(p->faults.items[0].error);
	assert_int_equal(claim(p, a.text), BEARER_KNOWN);
	(void)make(p, "bob", TOKEN_VIEWER);
	open_them(p);
	assert_int_equal(p->faults.count, 0);
}

/* What was not read must not be overwritten by the little that is known. */
static void a_file_that_cannot_be_read_is_left_alone(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct place *p = *state;
	char token[TOKEN_TEXT + 1];
	struct stat st;
	struct err err;

	memset(buf_add(&text, TOKENS_FILE_MAX + 1), '#', TOKENS_FILE_MAX + 1);
	write_text(p, (const char *)text.data, text.len);
	open_them(p);
	assert_int_equal(p->faults.count, 1);
	assert_true(p->faults.items[0].error);
	assert_int_equal(tokens_make(p->tokens, "alice", TOKEN_EDITOR, NOW, token, &err), -EIO);
	assert_non_null(strstr(err.text, "not overwritten"));
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_size, TOKENS_FILE_MAX + 1);
	unlink(p->path);
	assert_int_equal(mkdir(p->path, 0700), 0);
	open_them(p);
	assert_int_equal(p->faults.count, 1);
	assert_int_equal(tokens_make(p->tokens, "alice", TOKEN_EDITOR, NOW, token, &err), -EIO);
}

static void what_is_not_written_has_not_happened(void **state)
{
	struct place *p = *state;
	struct shown a = make(p, "alice", TOKEN_EDITOR);
	char token[TOKEN_TEXT + 1], beside[96];
	struct err err;
	size_t count;

	snprintf(beside, sizeof(beside), "%s.tmp", p->path);
	assert_int_equal(mkdir(beside, 0700), 0);
	assert_int_equal(tokens_make(p->tokens, "bob", TOKEN_EDITOR, NOW, token, &err), -EIO);
	assert_int_equal(tokens_delete(p->tokens, "alice", &err), -EIO);
	(void)tokens_items(p->tokens, &count);
	assert_int_equal(count, 1);
	assert_int_equal(claim(p, a.text), BEARER_KNOWN);
	rmdir(beside);
}

static void there_are_so_many_and_no_more(void **state)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct place *p = *state;
	char token[TOKEN_TEXT + 1];
	struct err err;
	size_t count;

	for (int i = 0; i <= TOKENS_MAX; i++)
		buf_printf(&text, "t%d:viewer:1:" HASH "\n", i);
	write_text(p, (const char *)text.data, text.len);
	open_them(p);
	(void)tokens_items(p->tokens, &count);
	assert_int_equal(count, TOKENS_MAX);
	assert_int_equal(p->faults.count, 1);
	assert_int_equal(p->faults.items[0].line, TOKENS_MAX + 1);
	assert_int_equal(tokens_make(p->tokens, "alice", TOKEN_EDITOR, NOW, token, &err), -E2BIG);
	assert_int_equal(tokens_delete(p->tokens, "t0", &err), 0);
	(void)make(p, "alice", TOKEN_EDITOR);
}

/* --- several threads ---------------------------------------------------------------------------------- */

struct asking {
	struct place *place;
	const char *shown;
	atomic_bool end;
};

/* Whoever else comes and goes, its own token holds. */
static void *keep_asking(void *arg)
{
	struct asking *a = arg;

	while (!atomic_load(&a->end)) {
		struct bearer b = tokens_bearer(a->place->tokens, a->shown);

		if (b.claim != BEARER_KNOWN || strcmp(b.name, "alice") != 0 ||
		    !tokens_hold(a->place->tokens, &b))
			abort();
	}
	return NULL;
}

static void who_asks_sees_whole_tables(void **state)
{
	struct place *p = *state;
	struct shown shown = make(p, "alice", TOKEN_EDITOR);
	struct asking a = { .place = p, .shown = shown.text };
	pthread_t threads[2];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_asking, &a), 0);
	for (int i = 0; i < 20; i++) {
		(void)make(p, "bob", TOKEN_VIEWER);
		assert_int_equal(tokens_delete(p->tokens, "bob", &err), 0);
	}
	atomic_store(&a.end, true);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_token_is_its_owners_until_it_is_deleted),
		T(a_token_is_shown_in_one_way),
		T(names_have_bounds),
		T(the_file_has_hashes_alone_and_is_read_back),
		T(bad_lines_are_told_by_number_and_the_others_hold),
		T(a_mode_that_lets_others_in_is_told_and_mended),
		T(a_file_that_cannot_be_read_is_left_alone),
		T(what_is_not_written_has_not_happened),
		T(there_are_so_many_and_no_more),
		T(who_asks_sees_whole_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
