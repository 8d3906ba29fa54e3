/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>

#include "tests/lib/turned_clock.h"

int64_t now_ms;

static mono_t turned_mono(void *arg)
{
	(void)arg;
	return (mono_t){ now_ms * 1000000 };
}

static int64_t turned_wall(void *arg)
{
	(void)arg;
	return now_ms;
}

const struct clock turned_clock = { turned_mono, turned_wall, NULL };
