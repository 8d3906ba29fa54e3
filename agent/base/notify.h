/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling whoever supervises us how we are, as sd_notify(3) does, without its
 * library: datagrams to the socket that NOTIFY_SOCKET names. Nothing here waits or
 * logs; a supervisor that does not read misses what we say.
 */
#ifndef AGENT_BASE_NOTIFY_H
#define AGENT_BASE_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"

struct notify;

/*
 * `where` is what NOTIFY_SOCKET holds: an absolute path, or "@name" for a name of the
 * abstract namespace. Nobody need be listening yet. -ENOENT: NULL or empty, nobody wants to be
 * told; -EINVAL: another kind of address; -ENAMETOOLONG.
 */
MUST_CHECK int notify_new(const char *where, struct notify **out);
void notify_free(struct notify *n); /* NULL is fine */

/* "READY=1\nSTATUS=..."; -errno where it was not taken. */
MUST_CHECK int notify_send(const struct notify *n, const char *text);

/*
 * How long the supervisor waits for "WATCHDOG=1", from WATCHDOG_USEC and WATCHDOG_PID (NULL: not
 * set); 0: it does not, or it means a process other than `pid`.
 */
int64_t notify_watchdog_ms(const char *usec, const char *watchdog_pid, pid_t pid);

#endif
