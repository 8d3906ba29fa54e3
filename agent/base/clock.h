/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time. Everything that waits uses mono_t, a type of its own so that seconds,
 * milliseconds and wall clock cannot be mixed up; the wall clock is for logs
 * and for files that outlive a boot.
 *
 * The clock is a value that is passed in, so that tests/sim can turn it.
 */
#ifndef AGENT_BASE_CLOCK_H
#define AGENT_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds of CLOCK_MONOTONIC. { 0 } means "never" where a field says so. */
typedef struct {
	int64_t ns;
} mono_t;

struct clock {
	mono_t (*mono)(void *arg);
	int64_t (*wall_ms)(void *arg); /* since 1970, UTC */
	void *arg;
};

extern const struct clock clock_system;

static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	return (mono_t){ t.ns + ms * 1000000 };
}

/* a - b, rounded towards zero. */
static inline int64_t mono_sub_ms(mono_t a, mono_t b)
{
	return (a.ns - b.ns) / 1000000;
}

static inline bool mono_before(mono_t a, mono_t b)
{
	return a.ns < b.ns;
}

static inline mono_t clock_mono(const struct clock *c)
{
	return c->mono(c->arg);
}

static inline int64_t clock_wall_ms(const struct clock *c)
{
	return c->wall_ms(c->arg);
}

#endif
