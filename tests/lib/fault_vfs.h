/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that fails on command, as an SQLite VFS named "fault" over the
 * default one, and that can lose power: what was not synced then is there, or
 * not, or in part. Names of files count as durable at once. Any thread may run
 * into it; it is set up by one.
 */
#ifndef TESTS_LIB_FAULT_VFS_H
#define TESTS_LIB_FAULT_VFS_H

#include "tests/lib/random.h"

enum fault {
	FAULT_NONE,
	FAULT_FULL, /* writes: no space */
	FAULT_IO,   /* writes, truncations and syncs fail */
	FAULT_TORN, /* the same, but the first write that fails has written half */
	FAULT_SYNC, /* syncs alone */
};

/* Once. */
void fault_vfs_register(void);
/* After so many operations that could fail, until it is set anew. */
void fault_vfs_set(enum fault f, unsigned after);
/* How many operations have failed since the last call. */
unsigned fault_vfs_take_failed(void);
/* Begin to remember what is synced; power cuts need it. Forgets what it knew. */
void fault_vfs_watch(void);
/* No file may be open. Each sector that was not synced is the old one or the new one. */
void fault_vfs_power_cut(struct random *r);

#endif
