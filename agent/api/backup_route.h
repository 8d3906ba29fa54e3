/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Backups of the store over REST: made, listed, restored and deleted, by who
 * may write on the unix socket alone, for one holds all secrets.
 *
 * Each is a file NAME.db, mode 0600, in one directory of the agent's; who wants it
 * elsewhere copies it, and who has one from elsewhere puts it there. What a
 * restore replaces is kept as a backup before.
 *
 * Two halves, as agent/api/edit.h has them. What the second does with files of
 * the directory (its list, a deletion) is done at once; copies are the store's work.
 */
#ifndef AGENT_API_BACKUP_ROUTE_H
#define AGENT_API_BACKUP_ROUTE_H

#include "agent/api/edit.h"
#include "agent/api/rest.h"
#include "agent/store/store.h"

#define BACKUPS_MAX	100
#define BACKUP_NAME_MAX 63 /* [A-Za-z0-9._-], beginning with a letter or a digit */
#define BACKUP_SUFFIX	".db"

extern const struct edit_path backup_paths[]; /* ends with a NULL path */

/* *out is written for EDIT_REFUSED alone. */
MUST_CHECK enum edit_admission backup_admit(const struct rest_request *r, struct rest_reply *out);
/* Is an admitted request one of these, and not the store's? */
MUST_CHECK bool backup_is_asked_for(const struct rest_request *r);

struct backups; /* under way */
MUST_CHECK struct backups *backups_new(void);
/* Those under way are never answered; before the store is closed. NULL is fine. */
void backups_free(struct backups *all);

struct backup_place {
	struct backups *backups;
	struct store *store;   /* NULL: there is none */
	const char *directory; /* made when it is needed, mode 0700 */
	int64_t now_ms;	       /* wall clock: backups without a name are named by it */
};
/* Takes the reply's parts over. `said`: for the log, a failure where its code is not 0; "": nothing. */
typedef void backup_answer_fn(void *arg, struct rest_reply *reply, const struct err *said);
/*
 * A request that was admitted, with its body; it and the place's texts stay until fn is called,
 * perhaps from inside this call.
 */
void backup_begin(const struct backup_place *p, const struct rest_request *r, backup_answer_fn *fn,
		  void *arg);

#endif
