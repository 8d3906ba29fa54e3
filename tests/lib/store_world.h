/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store in a folder of its own, for tests: its calls made to wait for their
 * answers, and what its watcher was told as a text. Include cmocka.h first.
 */
#ifndef TESTS_LIB_STORE_WORLD_H
#define TESTS_LIB_STORE_WORLD_H

#include <limits.h>

#include "agent/base/buf.h"
#include "agent/base/loop.h"
#include "agent/store/history.h"
#include "agent/store/store.h"
#include "agent/store/write.h"

struct store_answer {
	bool called;
	enum store_result result;
	size_t refused;
	uint64_t current;
	char why[ERR_TEXT_MAX];
	uint64_t revision; /* of the first change */
	bool changed, repeated;
};

struct store_world {
	struct loop *loop;
	struct store *store; /* NULL: not open */
	struct store_options options;
	char dir[PATH_MAX / 2];
	char path[PATH_MAX];
	/* "put 3 Service shop/web = text\n", "remove 4 ...", "reset 7\n", "status ready\n" */
	struct buf told;
};

/* Opens nothing yet; the clock is tests/lib/turned_clock.h's. */
void store_world_init(struct store_world *w);
void store_world_done(struct store_world *w); /* removes the folder */
/* Opens it and waits until it is open, or known to be not. */
void store_world_open(struct store_world *w);
void store_world_close(struct store_world *w);
void store_world_reopen(struct store_world *w);
struct store_status store_world_status(struct store_world *w);

/* fn of answers for those that wait themselves: arg is a struct store_answer. */
void store_world_answered(void *arg, const struct store_outcome *o);
/* Turns the loop until the answer is there. */
void store_world_wait(struct store_world *w, const bool *called);
struct store_answer store_world_write(struct store_world *w, const struct store_write *write);
/* By "tester", whatever is there. Returns the revision; fails the test where it is refused. */
uint64_t store_world_put(struct store_world *w, enum store_kind kind, const char *name,
			 const char *text);
struct store_answer store_world_remove(struct store_world *w, enum store_kind kind,
				       const char *name);
/* The text in memory; NULL: none. All are in the namespace "shop". */
const char *store_world_text(struct store_world *w, enum store_kind kind, const char *name);
/* "5 update: text; 3 create: text; 2 removed" */
const char *store_world_revisions(struct store_world *w, enum store_kind kind, const char *name,
				  struct buf *out);
/* One line each: "7 tester update Service shop/web 5->7 ok"; refused: "... 5 stale: why". */
const char *store_world_operations(struct store_world *w, const struct store_operations_query *q,
				   struct buf *out);
struct store_answer store_world_backup(struct store_world *w, const char *path);
struct store_answer store_world_restore(struct store_world *w, const char *path);

/* The revision, and every document with its own, its claims and its text; the caller frees. */
char *store_world_everything(struct store *s);

#endif
