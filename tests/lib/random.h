/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random numbers for tests that can be run again: the seed is printed, and
 * TEST_SEED=N in the environment repeats a run. xorshift64*, not for secrets.
 */
#ifndef TESTS_LIB_RANDOM_H
#define TESTS_LIB_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

/* A new seed, or the one that TEST_SEED names. */
struct random random_new(void);
uint64_t random_next(struct random *r);
/* 0..below - 1; below is at least 1. */
uint32_t random_below(struct random *r, uint32_t below);

#endif
