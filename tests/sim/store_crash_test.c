/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A process that writes is killed at random moments, again and again on the
 * same file. What it was told is done is there, of each write all or nothing,
 * and the record of operations has the same.
 *
 *   STORE_CRASHES=N   kills (12)
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/base/clock.h"
#include "tests/lib/random.h"
#include "tests/lib/store_world.h"

#define KEYS	   8
#define WINDOW	   24 /* writes that wait at a time */
#define LONGEST_MS 60 /* of a life */

/* --- the one that is killed ---------------------------------------------------------- */

struct writer {
	struct loop *loop;
	struct store *store;
	int pipe;
	uint64_t first, next; /* numbers of writes */
};

struct asked {
	struct writer *w;
	uint64_t n;
};

static void submit(struct writer *w);

static void on_done(void *arg, const struct store_outcome *o)
{
	struct asked *a = arg;
	struct writer *w = a->w;

	if (o->result != STORE_OK)
		_exit(1);
	/* Whoever reads this was told that it is done. */
	if (write(w->pipe, &a->n, sizeof(a->n)) != sizeof(a->n))
		_exit(2);
	free(a);
	submit(w);
}

/* Number n goes to both documents of a key. */
static void submit(struct writer *w)
{
	struct asked *a = malloc(sizeof(*a));
	struct store_change changes[2] = { 0 };
	const struct store_write write = { .who = { .user = "writer", .action = "write" },
					   .changes = changes,
					   .count = 2 };
	char name[16], text[24];

	if (!a)
		_exit(3);
	*a = (struct asked){ w, w->next++ };
	snprintf(name, sizeof(name), "k%u", (unsigned)(a->n % KEYS));
	snprintf(text, sizeof(text), "%" PRIu64, a->n);
	for (int i = 0; i < 2; i++)
		changes[i] = (struct store_change){
			.key = { i ? STORE_ENDPOINTS : STORE_SERVICE, "shop", name },
			.text = text,
			.len = strlen(text),
		};
	store_write(w->store, &write, on_done, a);
}

static void on_event(void *arg, const struct store_event *e)
{
	struct writer *w = arg;
	struct store_status status;

	store_status(w->store, &status);
	if (status.state == STORE_READ_LOCKED)
		_exit(4);
	if (e->type != STORE_RESET)
		return;
	for (int i = 0; i < WINDOW; i++)
		submit(w);
}

static void live(const char *path, int pipe, uint64_t next)
{
	const struct store_options options = { .path = path, .operations_max = UINT32_MAX };
	struct writer w = { .pipe = pipe, .next = next };

	if (loop_new(&clock_system, &w.loop) < 0 || store_open(w.loop, &options, &w.store) < 0)
		_exit(5);
	store_watch(w.store, on_event, &w);
	loop_run(w.loop);
	_exit(6);
}

/* --- what it leaves ---------------------------------------------------------------------- */

struct account {
	uint64_t done[KEYS]; /* the newest that was acknowledged; 0: none */
	uint64_t highest, count;
};

static void note(struct account *a, int pipe)
{
	uint64_t n;

	while (read(pipe, &n, sizeof(n)) == sizeof(n)) {
		a->count++;
		if (n > a->done[n % KEYS])
			a->done[n % KEYS] = n;
		if (n > a->highest)
			a->highest = n;
	}
}

static void pause_ms(long ms)
{
	const struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Its life ends when it has done something, after some time more. */
static void one_life(struct store_world *w, struct random *r, struct account *a)
{
	int ends[2], status;
	pid_t pid;
	uint64_t n;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		live(w->path, ends[1], a->highest + 1000);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &n, sizeof(n)), sizeof(n));
	a->count++;
	a->done[n % KEYS] = a->highest = n;
	pause_ms(random_below(r, LONGEST_MS));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		fail_msg("the writer ended by itself: %d", WEXITSTATUS(status));
	note(a, ends[0]);
	close(ends[0]);
}

static uint64_t number_in(struct store_world *w, enum store_kind kind, int key)
{
	char name[16];
	const char *text;

	snprintf(name, sizeof(name), "k%d", key);
	text = store_world_text(w, kind, name);
	return text ? strtoull(text, NULL, 10) : 0;
}

static void on_count(void *arg, enum store_result r, const struct store_operations *o)
{
	assert_int_equal(r, STORE_OK);
	*(size_t *)arg = o->total;
}

static void check(struct store_world *w, const struct account *a)
{
	const struct store_operations_query all = { .limit = 1 };
	CLEANUP(buf_done) struct buf b = { 0 };
	size_t operations = 0;

	store_world_open(w);
	assert_int_equal(store_world_status(w).state, STORE_READY);
	for (int k = 0; k < KEYS; k++) {
		uint64_t n = number_in(w, STORE_SERVICE, k);

		/* At least what was acknowledged; what was still asked for may be there. */
		if (n < a->done[k] || (n && n % KEYS != (uint64_t)k))
			fail_msg("k%d is %" PRIu64 ", %" PRIu64 " was acknowledged", k, n,
				 a->done[k]);
		assert_int_equal(number_in(w, STORE_ENDPOINTS, k), n);
	}
	store_operations(w->store, &all, on_count, &operations);
	store_world_operations(w, &all, &b); /* answered behind it */
	assert_true(operations >= 2 * a->count);
	assert_true(operations % 2 == 0);
	assert_int_equal(store_world_status(w).revision, operations);
	store_world_close(w);
}

static void what_was_acknowledged_outlives_every_kill(void **state)
{
	const char *given = getenv("STORE_CRASHES");
	unsigned long crashes = given ? strtoul(given, NULL, 10) : 12;
	struct random random = random_new();
	struct account account = { 0 };
	struct store_world w;

	(void)state;
	store_world_init(&w);
	w.options.operations_max = UINT32_MAX;
	w.options.operations_ms = INT64_MAX / 4; /* the clock here is not the writer's */
	for (unsigned long i = 0; i < crashes; i++) {
		one_life(&w, &random, &account);
		check(&w, &account);
	}
	print_message("# %" PRIu64 " writes acknowledged, %lu kills\n", account.count, crashes);
	store_world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_outlives_every_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
