/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocation that does not fail: out of memory ends the process.
 *
 * The kernel keeps forwarding without us and a restart rebuilds all state, so
 * a clean exit is worth more than limping on. Sizes that come from outside
 * must be bounded by the caller before they get here.
 */
#ifndef AGENT_BASE_XALLOC_H
#define AGENT_BASE_XALLOC_H

#include <stddef.h>

#include "agent/base/attr.h"

MUST_CHECK void *xmalloc(size_t size);
MUST_CHECK void *xcalloc(size_t count, size_t size);
/* Aborts where count * size overflows. */
MUST_CHECK void *xreallocarray(void *ptr, size_t count, size_t size);
MUST_CHECK char *xstrdup(const char *s);
MUST_CHECK char *xstrndup(const char *s, size_t len);
MUST_CHECK char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* For CLEANUP(): frees what a `char *` or other pointer variable holds. */
void xfree_ptr(void *pointer_to_pointer);

#endif
