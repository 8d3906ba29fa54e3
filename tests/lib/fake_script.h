/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server that goes by a script: after so many bytes heard it says this. Its
 * answers may be cut anywhere, and what then happens is the script's, too.
 */
#ifndef TESTS_LIB_FAKE_SCRIPT_H
#define TESTS_LIB_FAKE_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/buf.h"
#include "tests/lib/fake_net.h"

struct fake_step {
	size_t after; /* bytes heard since the connection began */
	const char *says;
	size_t len;
};
#define FAKE_SAYS(after, text)                    \
	{                                         \
		(after), (text), sizeof(text) - 1 \
	}

enum fake_then { FAKE_THEN_WAITS, FAKE_THEN_ENDS, FAKE_THEN_RESETS };

struct fake_script {
	const struct fake_step *steps;
	size_t step_count;
	size_t cut; /* it says no more bytes than that; SIZE_MAX: all of them */
	enum fake_then then;
	/* what it saw */
	uint32_t connections, closed, resets;
	struct buf heard; /* on the last connection; the caller's to free */
};

struct fake_service fake_script_service(struct fake_script *s); /* s stays */

#endif
