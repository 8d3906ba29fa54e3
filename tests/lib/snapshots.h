/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots for tests of the REST interface and of parasausctl: a small one
 * with one of everything, and large ones. Also their listening sockets.
 */
#ifndef TESTS_LIB_SNAPSHOTS_H
#define TESTS_LIB_SNAPSHOTS_H

#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

/*
 * Five pools in every health, members in every state, two sources of which one cannot be read.
 * Times are before and after now_ms by amounts that read the same for half an hour.
 */
MUST_CHECK struct snapshot *snapshot_sample(int64_t now_ms);
/* So many pools "ns.service-N.http-tcp" with so many members each, all up, and their targets. */
MUST_CHECK struct snapshot *snapshot_large(size_t pools, size_t members);

/*
 * The same pools, apart from one that differs in a member: it is in that state from now_ms on.
 * The others are shared, as core does it.
 */
MUST_CHECK struct snapshot *snapshot_turned(const struct snapshot *s, size_t pool, size_t member,
					    enum verdict_state state, int64_t now_ms);
/* The same but for a member that has another port; the order stays as it is. */
MUST_CHECK struct snapshot *snapshot_moved(const struct snapshot *s, size_t pool, size_t member,
					   uint16_t port);
/* The same pools without one of them. */
MUST_CHECK struct snapshot *snapshot_without(const struct snapshot *s, size_t pool);

/* A listening socket; abort() on failure. The port of the TCP one is the kernel's choice. */
MUST_CHECK int snapshot_listen_unix(const char *path);
MUST_CHECK int snapshot_listen_tcp(uint16_t *out_port);

#endif
