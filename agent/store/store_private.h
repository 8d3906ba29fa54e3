/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the store:
 *
 *   store    the loop's side: state, watchers, what is posted and answered
 *   worker   the two threads, their queues, and the way back to the loop
 *   memory   documents and claims in memory
 *   open     the file on its way to being the store, and all of it to memory
 *   write    writes on the loop's side
 *   commit   writes as transactions
 *   trim     what is written down of the past, and what of it goes
 *   query    revisions and operations
 *   copy     backup and restore
 *   db       SQLite
 */
#ifndef AGENT_STORE_STORE_PRIVATE_H
#define AGENT_STORE_STORE_PRIVATE_H

#include <pthread.h>

#include "agent/base/arena.h"
#include "agent/store/db.h"
#include "agent/store/history.h"
#include "agent/store/memory.h"
#include "agent/store/store.h"
#include "agent/store/write.h"

#define STORE_APPLICATION_ID 0x50617261			 /* "Para" */
#define STORE_KEY_MS	     (24 * 3600 * INT64_C(1000)) /* idempotency keys are kept so long */
#define STORE_KEYS_MAX	     100000

/* --- worker ---------------------------------------------------------------------- */

struct job;
struct job_ops {
	void (*run)(struct store *s, struct job *j);  /* in its thread */
	void (*done)(struct store *s, struct job *j); /* on the loop, afterwards; not at the end */
	void (*free)(struct job *j); /* what the arena does not hold; may be NULL */
};

/* First in whatever is to be done. `live` belongs to the loop's thread, the rest to who has it. */
struct job {
	const struct job_ops *ops;
	struct job *next;
	struct job *live_next, **live_prev;
	void *arg; /* the caller's; store_forget() sets forgotten */
	bool forgotten;
	struct arena arena;
	enum store_result result;
	struct err err;
	size_t bytes;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job *first, **end;
	bool stop;
};
void queue_init(struct queue *q);
void queue_done(struct queue *q);
void queue_add(struct queue *q, struct job *j);
/* Waits; NULL: it is stopped and empty. */
struct job *queue_take(struct queue *q);
/* Without waiting: the next one, where it has these ops. */
struct job *queue_take_more(struct queue *q, const struct job_ops *ops);
bool queue_is_empty(struct queue *q);
void queue_stop(struct queue *q);

MUST_CHECK int worker_start(struct store *s);
void worker_stop(struct store *s); /* all that is queued is done first */
/* To the loop. */
void worker_answer(struct store *s, struct job *j);

/* --- the writer's ---------------------------------------------------------------- */

/* What the file holds; goes back with a transaction that is rolled back. */
struct counts {
	size_t objects;
	size_t operations;
	uint64_t oldest; /* operation */
};

struct loaded {
	struct store_object **objects;
	size_t count;
	uint64_t epoch, revision;
};
void loaded_done(struct loaded *l); /* a zeroed one is fine */

struct writer {
	struct db db;
	int lock_fd;
	bool ready;   /* to write */
	bool locked;  /* this process is its only writer */
	bool foreign; /* another process is */
	struct counts counts;
	enum store_result trouble; /* why it is not ready, or the last write failed */
	struct err err;
	bool secrets; /* one was replaced: to be overwritten in the log too */
};

/* How it was after a job of its, for the loop. */
struct writer_state {
	bool ready;
	enum store_result trouble;
	struct err err;
};

/* --- the store --------------------------------------------------------------------- */

struct watcher {
	store_watch_id id; /* 0: gone, to be swept */
	store_watch_fn *fn;
	void *arg;
};

struct store {
	struct loop *loop;
	char *path, *vfs;
	struct store_options options; /* never changes; its strings are those */
	/* the loop's thread */
	struct memory memory;
	struct watcher *watchers;
	size_t watcher_count;
	store_watch_id last_watch;
	unsigned telling; /* depth */
	enum store_state state;
	enum store_result trouble;
	struct err why;
	bool complete;
	struct job *live;
	struct job *held, **held_end;  /* questions, until the file was opened */
	size_t waiting, waiting_bytes; /* writes */
	timer_id retry;
	bool opening;
	/* between the threads */
	struct queue writes, reads;
	pthread_mutex_t answers_lock;
	struct job *answers, **answers_end;
	int answers_fd;
	loop_fd_id answers_id;
	pthread_t writer_thread, reader_thread;
	_Atomic int read_mode; /* enum db_mode, for the reader; -1: there is nothing to read */
	/* the writer's thread */
	struct writer writer;
	/* the reader's thread */
	struct db reader;
};

/* Done on the loop, in this order: memory, watchers, answer. */
void store_took(struct store *s, struct loaded *l);
void store_tell(struct store *s, const struct store_event *e);
void store_state_is(struct store *s, const struct writer_state *w);
/* Takes the job; it is answered. */
void store_post(struct store *s, struct queue *q, struct job *j);
/* The same for one that cannot be done, from the loop. */
void store_answer_soon(struct store *s, struct job *j);
void *job_new(const struct job_ops *ops, size_t size, void *arg);
void job_free(struct job *j);
/* NULL becomes "". */
char *job_str(struct job *j, const char *s);
char *job_str_or_null(struct job *j, const char *s);

/* --- open ---------------------------------------------------------------------------- */

/* w->ready and *out, *complete; or w->trouble, w->err. */
void writer_open(struct store *s, struct writer *w, struct loaded *out, bool *complete);
void writer_close(struct writer *w);
void writer_failed(struct writer *w); /* takes over what w->db says */
struct writer_state writer_state(const struct writer *w);
/* Ours, whole, and of this version, or it is made so (not where it is only read). */
void file_check(struct db *db, bool write);
void file_load(struct db *db, store_owner_fn *owner, struct loaded *out);
void file_count(struct db *db, struct counts *out);
uint64_t file_new_epoch(void);
/* "nfs", where a file system of this kind (statfs) is none of this machine's disks; NULL: it is. */
const char *file_system_is_remote(long type);

/* --- commit -------------------------------------------------------------------------- */

extern const struct job_ops write_ops;
/* Up to one transaction's worth of write jobs; each is answered. */
void writer_commit(struct store *s, struct job *first);
/* Its strings in the job's arena; NULL becomes "". */
struct store_who copy_who(struct job *j, const struct store_who *w);

/* --- query ----------------------------------------------------------------------------- */

/* Of the reader's thread. False: it cannot be, and j says why. */
bool reader_open(struct store *s, struct job *j);
void reader_end(struct store *s, struct job *j);

#endif
