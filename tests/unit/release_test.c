/* SPDX-License-Identifier: GPL-2.0-or-later */
/* release.c: kernels by their number, and what is not used on which. */
#include "ipvs/release.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void kernels_are_known_by_their_number(void **state)
{
	static const struct {
		const char *release, *version;
		unsigned patch; /* 0: it tells nothing */
	} cases[] = {
		{ "6.1.0-56-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-10-02)", 192 },
		{ "6.12.117", "#1 SMP", 117 },
		{ "5.15.0-101-generic", "#111-Ubuntu SMP", 0 },
		{ "next", "#1", 0 },
		{ "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kernel_release k;
		bool known = kernel_release_of(cases[i].release, cases[i].version, &k);

		assert_int_equal(known, cases[i].patch != 0);
		if (known)
			assert_int_equal(k.patch, cases[i].patch);
	}
}

static void limits_are_used_where_they_do_not_race(void **state)
{
	static const struct {
		const char *release, *version;
		const char *told; /* NULL: they are used */
	} cases[] = {
		{ "6.1.0-18-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
		  "Linux 6.1.76," },
		{ "6.1.0-50-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.186-1 (2026-08-01)",
		  "Linux 6.1.186," },
		{ "6.1.0-51-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.187-1 (2026-08-20)", NULL },
		{ "6.1.187", "#1 SMP", NULL },
		{ "6.1.12-custom", "#3 SMP", "Linux 6.1.12," },
		{ "6.12.43+deb13-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.12.43-1 (2025-08-27)",
		  "Linux 6.12.43," },
		{ "6.12.104", "#1 SMP", "Linux 6.12.104," },
		{ "6.12.105", "#1 SMP", NULL },
		{ "7.1.3", "#1 SMP", NULL },
		/* Of these it is not known here. */
		{ "6.1.0-18-cloud", "#1 SMP", NULL },
		{ "5.15.0-101-generic", "#111-Ubuntu SMP", NULL },
		{ "6.6.50", "#1 SMP", NULL },
		{ "", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[KERNEL_FAULT_MAX] = "as it was";
		bool fault = kernel_limits_fault(cases[i].release, cases[i].version, text);

		if (fault != (cases[i].told != NULL))
			fail_msg("%s, %s: %s", cases[i].release, cases[i].version, text);
		if (!fault)
			assert_string_equal(text, "as it was");
		else if (!strstr(text, cases[i].told) ||
			 !strstr(text, "boot Linux 6.1.187, 6.12.105 or a later one"))
			fail_msg("%s: %s", cases[i].release, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernels_are_known_by_their_number),
		cmocka_unit_test(limits_are_used_where_they_do_not_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
