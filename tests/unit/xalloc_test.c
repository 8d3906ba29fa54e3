/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xalloc.c and arena.c: memory that is there, or no process. */
#include "agent/base/xalloc.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/arena.h"

static void nothing_is_memory_too(void **state)
{
	(void)state;
	free(xmalloc(0));
	free(xcalloc(0, 8));
	free(xcalloc(8, 0));
	free(xreallocarray(NULL, 0, 8));
}

static void texts_are_copied(void **state)
{
	CLEANUP(xfree_ptr) char *whole = xstrdup("pool/web");
	CLEANUP(xfree_ptr) char *part = xstrndup("pool/web", 4);
	CLEANUP(xfree_ptr) char *made = xasprintf("%s:%u", "10.0.0.1", 80u);

	(void)state;
	assert_string_equal(whole, "pool/web");
	assert_string_equal(part, "pool");
	assert_string_equal(made, "10.0.0.1:80");
}

static void ask_for_too_much(void)
{
	free(xreallocarray(NULL, SIZE_MAX / 2, 4));
}

static void ask_for_more_than_there_is(void)
{
	free(xmalloc(SIZE_MAX / 4));
}

/* Does a process that does this come to its end? */
static bool survives(void (*fn)(void))
{
	static const struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		close(STDERR_FILENO);
		(void)setrlimit(RLIMIT_CORE, &no_core);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void running_out_ends_the_process(void **state)
{
	(void)state;
	assert_false(survives(ask_for_too_much));
	assert_false(survives(ask_for_more_than_there_is));
}

static void an_arena_gives_zeroed_and_aligned_pieces(void **state)
{
	struct arena a = { 0 };
	uint8_t *pieces[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		size_t size = i * 7 % 600;

		pieces[i] = arena_take(&a, size);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i & 0xff), size);
	}
	/* No piece has written into another. */
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		for (size_t k = 0; k < i * 7 % 600; k++)
			assert_int_equal(pieces[i][k], i & 0xff);
	}
	arena_done(&a);
	arena_done(&a);
}

static void an_arena_gives_pieces_of_any_size(void **state)
{
	struct arena a = { 0 };
	char *small = arena_strndup(&a, "small", 3);
	char *large = arena_take(&a, 10000000);
	char *after = arena_strdup(&a, "after");

	(void)state;
	memset(large, 'x', 10000000);
	assert_string_equal(small, "sma");
	assert_string_equal(after, "after");
	arena_done(&a);
}

static void an_arena_takes_over_another(void **state)
{
	struct arena a = { 0 }, b = { 0 }, none = { 0 };
	char *first = arena_strdup(&a, "first");
	char *second = arena_strdup(&b, "second");

	(void)state;
	arena_absorb(&a, &b);
	arena_absorb(&a, &none);
	arena_absorb(&none, &a);
	arena_done(&a);
	arena_done(&b);
	assert_string_equal(first, "first");
	assert_string_equal(second, "second");
	for (unsigned i = 0; i < 1000; i++)
		memset(arena_take(&none, 100), 'x', 100);
	assert_string_equal(first, "first");
	assert_string_equal(second, "second");
	arena_done(&none);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_memory_too),
		cmocka_unit_test(texts_are_copied),
		cmocka_unit_test(running_out_ends_the_process),
		cmocka_unit_test(an_arena_gives_zeroed_and_aligned_pieces),
		cmocka_unit_test(an_arena_gives_pieces_of_any_size),
		cmocka_unit_test(an_arena_takes_over_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
