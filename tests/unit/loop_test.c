/* SPDX-License-Identifier: GPL-2.0-or-later */
/* loop.c: what runs in a turn, in which order, and what a removed thing may still do. */
#include "agent/base/loop.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

/* A clock that goes on by `step` each time it is read. */
struct fake_clock {
	struct clock clock;
	int64_t ns;
	int64_t step;
};

static mono_t fake_mono(void *arg)
{
	struct fake_clock *c = arg;

	c->ns += c->step;
	return (mono_t){ c->ns };
}

static int64_t fake_wall_ms(void *arg)
{
	(void)arg;
	return 0;
}

struct world {
	struct fake_clock clock;
	struct loop *loop;
	char order[64]; /* what ran, a letter each */
	loop_fd_id fds[4];
	int pipes[4][2];
};

static struct world *world;

static int make_world(void **state)
{
	world = calloc(1, sizeof(*world));
	world->clock.clock = (struct clock){ fake_mono, fake_wall_ms, &world->clock };
	world->clock.ns = 1000000000;
	for (size_t i = 0; i < ARRAY_LEN(world->pipes); i++) {
		if (pipe(world->pipes[i]) < 0)
			return -1;
	}
	*state = world;
	return loop_new(&world->clock.clock, &world->loop);
}

static int end_world(void **state)
{
	(void)state;
	loop_free(world->loop);
	for (size_t i = 0; i < ARRAY_LEN(world->pipes); i++) {
		close(world->pipes[i][0]);
		close(world->pipes[i][1]);
	}
	free(world);
	return 0;
}

static void note(const char *what)
{
	assert_true(strlen(world->order) + strlen(what) < sizeof(world->order));
	strcat(world->order, what);
}

/* As an argument that lives for ever. */
static char *letter(char c)
{
	static char letters[128][2];

	letters[(unsigned)c][0] = c;
	return letters[(unsigned)c];
}

static void note_arg(void *arg)
{
	note(arg);
}

static void turn(void)
{
	assert_int_equal(loop_turn(world->loop, 0), 0);
}

static void pass_ms(int64_t ms)
{
	world->clock.ns += ms * 1000000;
}

/* Makes pipe i readable; on_readable() notes its number. */
static void make_readable(unsigned i)
{
	assert_int_equal(write(world->pipes[i][1], "x", 1), 1);
}

static void on_readable(void *arg, uint32_t events)
{
	unsigned i = (unsigned)((int(*)[2])arg - world->pipes);
	char c, text[2] = { (char)('0' + i), '\0' };

	assert_true(events & EPOLLIN);
	assert_int_equal(read(world->pipes[i][0], &c, 1), 1);
	note(text);
}

static void add_pipe(unsigned i, loop_fd_fn *fn)
{
	assert_int_equal(loop_add_fd(world->loop, world->pipes[i][0], EPOLLIN, fn, &world->pipes[i],
				     &world->fds[i]),
			 0);
}

static void a_descriptor_is_called_while_it_is_ready(void **state)
{
	(void)state;
	add_pipe(0, on_readable);
	turn();
	assert_string_equal(world->order, "");
	make_readable(0);
	make_readable(0);
	turn();
	turn();
	turn();
	assert_string_equal(world->order, "00");
}

static void events_can_be_changed(void **state)
{
	(void)state;
	add_pipe(0, on_readable);
	make_readable(0);
	assert_int_equal(loop_mod_fd(world->loop, world->fds[0], 0), 0);
	turn();
	assert_string_equal(world->order, "");
	assert_int_equal(loop_mod_fd(world->loop, world->fds[0], EPOLLIN), 0);
	turn();
	assert_string_equal(world->order, "0");
}

static void a_removed_descriptor_is_silent_and_its_id_dead(void **state)
{
	loop_fd_id old;

	(void)state;
	add_pipe(0, on_readable);
	old = world->fds[0];
	make_readable(0);
	loop_del_fd(world->loop, old);
	loop_del_fd(world->loop, old);
	loop_del_fd(world->loop, 0);
	turn();
	assert_string_equal(world->order, "");
	assert_int_equal(loop_mod_fd(world->loop, old, EPOLLIN), -ENOENT);
	/* The next one gets its place, but not its id. */
	add_pipe(0, on_readable);
	assert_true(world->fds[0] != old);
	loop_del_fd(world->loop, old);
	turn();
	assert_string_equal(world->order, "0");
}

static void remove_all(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	note("r");
	for (size_t i = 0; i < 3; i++)
		loop_del_fd(world->loop, world->fds[i]);
	/* Takes the place of one whose event is in this very batch. */
	add_pipe(3, on_readable);
}

static void events_of_what_was_removed_in_the_same_turn_are_dropped(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		add_pipe(i, remove_all);
		make_readable(i);
	}
	turn();
	assert_string_equal(world->order, "r");
	make_readable(3);
	turn();
	assert_string_equal(world->order, "r3");
}

static void a_bad_descriptor_is_refused(void **state)
{
	loop_fd_id id = 77;

	(void)state;
	assert_int_equal(loop_add_fd(world->loop, -1, EPOLLIN, on_readable, NULL, &id), -EBADF);
	assert_int_equal(id, 77);
	add_pipe(0, on_readable);
	make_readable(0);
	turn();
	assert_string_equal(world->order, "0");
}

static void there_may_be_many_descriptors(void **state)
{
	enum { MANY = 500 };
	int copies[MANY];
	loop_fd_id ids[MANY];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		copies[i] = dup(world->pipes[1][0]);
		assert_int_equal(loop_add_fd(world->loop, copies[i], EPOLLIN, on_readable,
					     &world->pipes[1], &ids[i]),
				 0);
	}
	add_pipe(0, on_readable);
	make_readable(0);
	turn();
	assert_string_equal(world->order, "0");
	for (unsigned i = 0; i < MANY; i++) {
		loop_del_fd(world->loop, ids[i]);
		close(copies[i]);
	}
}

static void timers_go_by_the_clock_given(void **state)
{
	timer_id cancelled;

	(void)state;
	loop_timer_in(world->loop, 10, note_arg, letter('a'));
	loop_timer_at(world->loop, mono_add_ms(loop_now(world->loop), 20), note_arg, letter('b'));
	cancelled = loop_timer_in(world->loop, 10, note_arg, letter('x'));
	assert_true(loop_cancel(world->loop, cancelled));
	turn();
	assert_string_equal(world->order, "");
	pass_ms(10);
	turn();
	assert_string_equal(world->order, "a");
	pass_ms(10);
	turn();
	assert_string_equal(world->order, "ab");
	assert_ptr_equal(loop_clock(world->loop), &world->clock.clock);
}

static void lateness_is_told_once(void **state)
{
	(void)state;
	loop_timer_in(world->loop, 10, note_arg, letter('a'));
	turn();
	assert_int_equal(loop_take_lag_ms(world->loop), 0);
	pass_ms(510);
	turn();
	assert_string_equal(world->order, "a");
	assert_in_range(loop_take_lag_ms(world->loop), 496, 504);
	assert_int_equal(loop_take_lag_ms(world->loop), 0);
}

static int works_left;

static bool some_work(void *arg)
{
	note(arg);
	pass_ms(1);
	return --works_left > 0;
}

static void works_share_a_turn_and_leave_at_the_end_of_its_budget(void **state)
{
	(void)state;
	works_left = 1000;
	loop_work(world->loop, some_work, letter('a'));
	loop_work(world->loop, some_work, letter('b'));
	turn();
	/* A millisecond each; a round of all of them is not broken off. */
	assert_int_equal(strlen(world->order), (LOOP_TURN_BUDGET_MS + 1) / 2 * 2);
	assert_int_equal(strncmp(world->order, "abab", 4), 0);
	world->order[0] = '\0';
	works_left = 3;
	turn();
	/* Each leaves when it returns false; the counter is shared. */
	assert_string_equal(world->order, "abab");
	turn();
	assert_string_equal(world->order, "abab");
}

static loop_work_id to_cancel;

static bool cancelling_work(void *arg)
{
	note(arg);
	loop_work_cancel(world->loop, to_cancel);
	pass_ms(LOOP_TURN_BUDGET_MS);
	return true;
}

static void work_may_be_cancelled_by_other_work_and_by_itself(void **state)
{
	loop_work_id a;

	(void)state;
	a = loop_work(world->loop, cancelling_work, letter('a'));
	to_cancel = loop_work(world->loop, some_work, letter('x'));
	turn();
	assert_string_equal(world->order, "a");
	to_cancel = a;
	turn();
	assert_string_equal(world->order, "aa");
	turn();
	assert_string_equal(world->order, "aa");
	loop_work_cancel(world->loop, 0);
	loop_work_cancel(world->loop, a);
}

static void defer_again(void *arg)
{
	note(arg);
	loop_defer(world->loop, note_arg, letter('z'));
}

static void what_was_put_off_runs_at_the_end_of_the_turn(void **state)
{
	(void)state;
	works_left = 1;
	loop_defer(world->loop, defer_again, letter('d'));
	loop_work(world->loop, some_work, letter('w'));
	loop_timer_in(world->loop, 0, note_arg, letter('t'));
	add_pipe(0, on_readable);
	make_readable(0);
	turn();
	assert_string_equal(world->order, "0twd");
	turn();
	assert_string_equal(world->order, "0twdz");
	turn();
	assert_string_equal(world->order, "0twdz");
}

static void on_signal(void *arg, int signo)
{
	note(arg);
	assert_true(signo == SIGUSR1 || signo == SIGUSR2);
}

static void signals_are_taken_in_the_loop(void **state)
{
	(void)state;
	assert_int_equal(loop_signal(world->loop, SIGUSR1, on_signal, letter('1')), 0);
	assert_int_equal(loop_signal(world->loop, SIGUSR2, on_signal, letter('2')), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_string_equal(world->order, "");
	turn();
	assert_string_equal(world->order, "2");
	assert_int_equal(raise(SIGUSR1), 0);
	turn();
	turn();
	assert_string_equal(world->order, "21");
}

static void stop_loop(void *arg)
{
	note(arg);
	loop_stop(world->loop, 42);
}

static void running_ends_with_the_code_it_was_stopped_with(void **state)
{
	(void)state;
	world->clock.step = 1000000;
	loop_timer_in(world->loop, 2000, note_arg, letter('x'));
	loop_timer_in(world->loop, 5, stop_loop, letter('s'));
	assert_int_equal(loop_run(world->loop), 42);
	assert_string_equal(world->order, "s");
	/* And can be run again. */
	loop_timer_in(world->loop, 5, stop_loop, letter('s'));
	assert_int_equal(loop_run(world->loop), 42);
}

static void a_waiting_loop_wakes_for_its_timer(void **state)
{
	struct loop *l;
	mono_t begin = clock_mono(&clock_system);

	(void)state;
	assert_int_equal(loop_new(&clock_system, &l), 0);
	loop_timer_in(l, 30, note_arg, letter('t'));
	while (!world->order[0])
		assert_int_equal(loop_turn(l, -1), 0);
	assert_true(mono_sub_ms(clock_mono(&clock_system), begin) >= 30);
	loop_free(l);
	loop_free(NULL);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)
	static const struct CMUnitTest tests[] = {
		IN_WORLD(a_descriptor_is_called_while_it_is_ready),
		IN_WORLD(events_can_be_changed),
		IN_WORLD(a_removed_descriptor_is_silent_and_its_id_dead),
		IN_WORLD(events_of_what_was_removed_in_the_same_turn_are_dropped),
		IN_WORLD(a_bad_descriptor_is_refused),
		IN_WORLD(there_may_be_many_descriptors),
		IN_WORLD(timers_go_by_the_clock_given),
		IN_WORLD(lateness_is_told_once),
		IN_WORLD(works_share_a_turn_and_leave_at_the_end_of_its_budget),
		IN_WORLD(work_may_be_cancelled_by_other_work_and_by_itself),
		IN_WORLD(what_was_put_off_runs_at_the_end_of_the_turn),
		IN_WORLD(signals_are_taken_in_the_loop),
		IN_WORLD(running_ends_with_the_code_it_was_stopped_with),
		IN_WORLD(a_waiting_loop_wakes_for_its_timer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
