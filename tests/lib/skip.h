/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Skipping a test with a reason, which cmocka has no word for: tests/run shows
 * the line before a skip that begins with "# skip: ". Include cmocka.h first.
 */
#ifndef TESTS_LIB_SKIP_H
#define TESTS_LIB_SKIP_H

#define SKIP_BECAUSE(why)                           \
	do {                                        \
		print_message("# skip: %s\n", why); \
		skip();                             \
	} while (0)

#endif
