/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The embedded store: documents, their revisions, who changed what, and which
 * frontend is whose, in one SQLite file on a local disk.
 *
 * Blocking. Everything here is called on the loop's thread and returns at
 * once. Two threads of the store do what waits for the disk: the writer takes
 * what store_write() queued (agent/store/write.h), commits it (WAL, synchronous
 * FULL: fsynced) and answers through an eventfd on the loop; the reader answers
 * questions about the past and copies backups (agent/store/history.h). Writes that wait
 * together share a transaction, with a savepoint each. All documents are in
 * memory as well: reading them never touches the disk, and a disk that fails
 * stops writes and nothing else.
 *
 * Acknowledged means durable. What was refused has not happened; of what failed
 * by STORE_FULL or STORE_IO, or was not answered yet, the same holds as long
 * as the process lives, and after the next start all of it may be there.
 *
 * Documents are text that the store does not look into. A document's revision
 * is the id of the operation that wrote it: ids only grow, through refused
 * writes and restored backups too.
 *
 * Secrets. Of a STORE_SECRET only the newest text is kept: history has its
 * revisions without texts, and what was replaced is overwritten on the disk (by
 * the next write at the latest, where a long question or a backup is in the
 * way). The files have mode 0600.
 */
#ifndef AGENT_STORE_STORE_H
#define AGENT_STORE_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "agent/base/err.h"
#include "agent/base/loop.h"

#define STORE_NAME_MAX	 253	    /* bytes: namespace, name, an address pool's name */
#define STORE_TEXT_MAX	 (1u << 20) /* bytes of a document */
#define STORE_WORD_MAX	 256	    /* bytes of operator, peer, request id, key */
#define STORE_CLAIMS_MAX 1024	    /* of one document */

enum store_kind {
	STORE_SERVICE = 1,
	STORE_ENDPOINTS = 2,
	STORE_SLICE = 3,
	STORE_SECRET = 4,
	STORE_ADDRESS_POOL = 5,
};
const char *store_kind_text(enum store_kind k); /* "Service" */

/* Kept in the file: never renumber. */
enum store_result {
	STORE_OK = 0,
	/* Refused by what is there; recorded as operations. */
	STORE_EXISTS = 1,     /* it should not be there yet */
	STORE_ABSENT = 2,     /* there is no such document */
	STORE_STALE = 3,      /* its revision is another one */
	STORE_TAKEN = 4,      /* a claim is another document's */
	STORE_IN_USE = 5,     /* an address pool that documents have claims from */
	STORE_KEY_REUSED = 6, /* the idempotency key stood for another request */
	/* Not even tried. */
	STORE_TOO_LARGE =
		7,	/* beyond one of the bounds, an empty name, or a claim without a port */
	STORE_BUSY = 8, /* too many writes wait: later */
	/* Trouble: the store's state says the same. */
	STORE_FULL = 9,	      /* no space on the disk */
	STORE_IO = 10,	      /* the disk or the file fails */
	STORE_READ_ONLY = 11, /* the file cannot be written, or not even be opened */
	STORE_CORRUPT = 12,   /* the file is damaged, or none of ours */
};
/* "ok", "exists", ...; REST's answers and records of operations use the same words. */
const char *store_result_text(enum store_result r);

struct store_key {
	enum store_kind kind;
	const char *ns, *name; /* ns: "" where there is none */
};

bool store_key_same(const struct store_key *a, const struct store_key *b);
uint64_t store_key_hash(const struct store_key *k); /* for tables in memory */

/* A frontend that is a document's alone: no two have the same. */
struct store_claim {
	struct endpoint at;
	const char *pool; /* the address pool it is from; "": none */
};

/* Never changed once it is there: other threads may hold one, each with a reference of its own. */
struct store_object {
	atomic_uint refs;
	struct store_key key;
	uint64_t revision;
	uint64_t created_revision;
	int64_t created_ms, changed_ms; /* wall clock */
	const char *user, *action;	/* of the last change */
	const char *owner;		/* of its namespace, whose part it is; "": nobody's */
	const char *text;		/* with a NUL behind it that does not count */
	size_t len;
	const struct store_claim *claims;
	size_t claim_count;
};
const struct store_object *store_object_ref(const struct store_object *o);
void store_object_unref(const struct store_object *o); /* NULL is fine; wipes secrets */

/* --- open, state ------------------------------------------------------------- */

enum store_state {
	STORE_OPENING,	  /* nothing is known yet; writes wait */
	STORE_READY,	  /* all is well */
	STORE_TROUBLED,	  /* the last write failed (`why`): the next one is tried all the same */
	STORE_READ_LOCKED /* no writes: the file could not be opened for them or is damaged */
};

struct store_status {
	enum store_state state;
	/* What is in memory is everything that the store holds. Once true it stays so. */
	bool complete;
	enum store_result trouble; /* STORE_OK where state is STORE_OPENING or STORE_READY */
	/* For people; the file's name is the caller's to say; "" without trouble; until the loop's
	 * next turn. */
	const char *why;
	uint64_t epoch;	   /* another one after a restore; 0: not complete */
	uint64_t revision; /* of the newest change */
	size_t objects;
};

/*
 * Whose part a document is, by name: what store_each_part() finds it by. Of its kind and text alone,
 * and called from the store's threads. False: nobody's.
 */
typedef bool store_owner_fn(enum store_kind kind, const char *text, size_t len,
			    char out[static STORE_NAME_MAX + 1]);

struct store_options {
	const char *path;      /* of the file; its directory exists */
	store_owner_fn *owner; /* NULL: no document is a part */
	/* A file that is damaged is renamed (path.damaged-MS) and an empty one begun. */
	bool start_empty;
	unsigned revisions_max;	 /* kept of each document, at least 1; 0: 50 */
	unsigned operations_max; /* kept, at least 1; 0: 100,000 */
	int64_t operations_ms;	 /* kept so long; 0: 400 days */
	size_t objects_max;	 /* documents; 0: 500,000 */
	const char *vfs;	 /* SQLite's; NULL: its default */
};

struct store;
/*
 * Opens behind the scenes: watchers get STORE_RESET once the documents are there, and
 * STORE_STATUS where they are not. A file that could not be opened is tried again each 5 s, but
 * for a damaged one. -errno: no thread, no descriptor.
 */
MUST_CHECK int store_open(struct loop *l, const struct store_options *o, struct store **out);
/* Waits for what was queued to be done; calls nothing back. NULL is fine. */
void store_close(struct store *s);
void store_status(const struct store *s, struct store_status *out);

/* --- reading ----------------------------------------------------------------- */

/* The store's own, until the loop's next turn: take a reference to keep it. NULL: none. */
const struct store_object *store_get(const struct store *s, const struct store_key *key);
/* All of a kind (0: any) and namespace (NULL: any), in no order; fn may not write or unwatch. */
typedef void store_each_fn(void *arg, const struct store_object *o);
void store_each(const struct store *s, enum store_kind kind, const char *ns, store_each_fn *fn,
		void *arg);
/* Those of a kind and namespace that are this one's parts: it costs what there are of them. */
void store_each_part(const struct store *s, enum store_kind kind, const char *ns, const char *owner,
		     store_each_fn *fn, void *arg);

enum store_event_type {
	STORE_PUT,    /* `object` as it is now */
	STORE_REMOVE, /* `object` as it was last */
	STORE_RESET,  /* first loaded, or restored: what was known counts no more, list again */
	STORE_STATUS, /* state, trouble or why have changed */
};
struct store_event {
	enum store_event_type type;
	uint64_t revision; /* of the change */
	const struct store_object *object;
};
typedef void store_watch_fn(void *arg, const struct store_event *e);
typedef uint64_t store_watch_id; /* 0 is never valid */
/*
 * From now on, in the order of revisions; each change is in memory when it is told, and told
 * before its writer has the answer. Not called from inside store_watch().
 */
store_watch_id store_watch(struct store *s, store_watch_fn *fn, void *arg);
void store_unwatch(struct store *s, store_watch_id id); /* also from inside fn */
/*
 * The changes after `revision` until now, from inside this call. False, and nothing told: another
 * epoch, or longer ago than the newest 4,096 changes; list instead.
 */
MUST_CHECK bool store_changes_since(const struct store *s, uint64_t epoch, uint64_t revision,
				    store_watch_fn *fn, void *arg);

#endif
