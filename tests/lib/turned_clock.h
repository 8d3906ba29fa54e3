/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A clock that stands still until the test turns it; monotonic time and wall clock are the same. */
#ifndef TESTS_LIB_TURNED_CLOCK_H
#define TESTS_LIB_TURNED_CLOCK_H

#include <stdint.h>

#include "agent/base/clock.h"

extern int64_t now_ms;
extern const struct clock turned_clock;

#endif
