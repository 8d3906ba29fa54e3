/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's past: revisions of documents, the record of operations; and its
 * copies: backup and restore while it runs.
 *
 * Called on the loop's thread, answered from the loop, never from inside the
 * call; what a callback is given is valid during the call. store_forget()
 * drops callbacks of these as well.
 *
 * What is kept: of each document the newest revisions_max revisions, and every
 * revision that a kept operation made or replaced; of one that was removed
 * nothing once the operation that removed it goes. Of operations the newest
 * operations_max, no older than operations_ms.
 */
#ifndef AGENT_STORE_HISTORY_H
#define AGENT_STORE_HISTORY_H

#include "agent/store/write.h"

#define STORE_ROWS_MAX 1000 /* of one answer */

struct store_revision {
	struct store_key key;
	uint64_t revision;
	int64_t at_ms;
	const char *user, *action;
	const char *reason, *request; /* of the operation that made it; "" once that is not kept */
	bool removed;		      /* the document was removed by it */
	const char *text; /* NULL: removed, not asked for, or a secret that was replaced */
	size_t len;
};
struct store_revisions_query {
	struct store_key key; /* may be removed by now */
	uint64_t revision;    /* this one alone; 0: all */
	uint64_t until;	      /* and none that is newer; 0: no bound */
	size_t limit;	      /* 1..STORE_ROWS_MAX */
	bool texts;
};
/* Newest first. r: STORE_OK, or trouble with the file. */
typedef void store_revisions_fn(void *arg, enum store_result r, const struct store_revision *items,
				size_t count);
void store_revisions(struct store *s, const struct store_revisions_query *q, store_revisions_fn *fn,
		     void *arg);

struct store_operation {
	uint64_t id; /* the revision it made, where it made one */
	int64_t at_ms;
	struct store_who who;
	struct store_key key;
	uint64_t before; /* revision of the document then; 0: there was none */
	bool changed;	 /* false: refused */
	bool removed;
	bool forced;
	enum store_result result;
	const char *detail; /* why it was refused */
	/* NULL: there was none, not asked for, not kept any more, or a secret. */
	const char *before_text, *after_text;
};
struct store_operations_query {
	uint64_t id;	       /* this one alone; 0: all */
	enum store_kind kind;  /* 0: any */
	const char *ns, *name; /* NULL: any; so of the next four */
	/* Of these documents alone, all of them in ns; then `name` does not count. */
	const struct store_key *keys;
	size_t key_count; /* 0: of any */
	const char *user, *action;
	const char *source, *request;
	const enum store_result *result; /* NULL: any */
	int64_t since_ms, until_ms;	 /* both included; 0: no bound */
	uint64_t before;		 /* ids below this; 0: from the newest */
	size_t offset;
	size_t limit; /* 1..STORE_ROWS_MAX */
	bool texts;
};
struct store_operations {
	const struct store_operation *items; /* newest first */
	size_t count;
	size_t total; /* that match, whatever offset and limit (but for `before`) */
};
typedef void store_operations_fn(void *arg, enum store_result r, const struct store_operations *o);
void store_operations(struct store *s, const struct store_operations_query *q,
		      store_operations_fn *fn, void *arg);

/* why: "" where r is STORE_OK. */
typedef void store_copied_fn(void *arg, enum store_result r, const char *why);
/*
 * A copy as of now, in one file of mode 0600 that holds secrets; takes the place of one of that
 * name only when it is whole. Writes go on meanwhile.
 */
void store_backup(struct store *s, const char *path, store_copied_fn *fn, void *arg);
/*
 * The store becomes this backup's, under a new epoch, in one transaction, recorded as an
 * operation; watchers get STORE_RESET. A file that is damaged or none of ours is refused and
 * nothing has changed. Not where the store's own file could not be opened for writing.
 */
void store_restore(struct store *s, const char *path, const struct store_who *who,
		   store_copied_fn *fn, void *arg);

#endif
