/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the directory source. directory.c follows the directory
 * (scans, loss and return), directory_events.c understands inotify, and
 * directory_file.c brings one file from the disk to the sink.
 */
#ifndef WATCH_DIRECTORY_H
#define WATCH_DIRECTORY_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "agent/base/loop.h"
#include "agent/base/map.h"
#include "watch/documents.h"
#include "watch/manifest.h"
#include "watch/source.h"

#define DIRECTORY_FILES_MAX 100000
#define DIRECTORY_FILE_MAX  (64u << 20) /* bytes */

struct file {
	struct manifest_entry **entries; /* told to the sink */
	struct documents documents; /* they come from; none where all of it is to be read anew */
	uint64_t stamp;		    /* file_stamp_of(); 0: to be read again by the next scan */
	struct file *next_queued;
	struct file *next_unsettled;
	mono_t written_at; /* the last write seen of a writer that has not closed it */
	char *problem;	   /* as told; NULL: none */
	unsigned line;	   /* of the problem */
	uint32_t entry_count;
	bool queued : 1;
	bool unsettled : 1;
	bool written : 1;  /* since the reading in progress began, or not closed yet */
	bool seen : 1;	   /* by the scan in progress */
	bool renumber : 1; /* queued only for lines that moved: everything else goes first */
	bool exposed : 1;  /* others may read it */
	bool bad : 1;	   /* does not count as read */
	char name[];
};

struct load;

struct directory {
	struct watch_source base;
	struct loop *loop;
	char *path;
	char *node; /* object_origin's */
	struct watch_sink sink;
	struct map files; /* by name */
	struct file *queue, **queue_end;
	struct file *unsettled;
	struct load *load; /* the file being read */
	DIR *scan;
	loop_work_id work;
	loop_fd_id fd_id;
	timer_id check_timer, settle_timer, quiet_timer;
	mono_t returned_at;
	uint64_t device, inode; /* of the directory that is followed */
	char *lost_why;		/* NULL: it can be read */
	char *told_why;
	size_t bad_count; /* files */
	unsigned source;
	int fd; /* inotify; -1: the directory is not followed now */
	int dir_fd;
	bool scan_again; /* something was missed while a scan was under way */
	bool returned;	 /* it was lost and is back: removals wait until it is quiet */
	bool unreadable; /* a file could not be read: looked at again now and then */
	bool too_many;
	bool told; /* complete or not, at least once */
	bool told_complete;
};

/* --- directory_file.c ------------------------------------------------------ */

/* Begins to read f; *out is NULL where that was all (the file is gone or cannot be read). */
void load_begin(struct directory *d, struct file *f);
/* One piece of work on d->load, which is NULL when it is done. */
void load_step(struct directory *d);
/* Ends it: what is being told is told to the end, anything earlier leaves the file as it was. */
void load_settle(struct directory *d);
void load_drop(struct directory *d); /* frees it, for directory_free() */
/* The sink is told that everything in it is gone; f itself is freed. */
void file_remove(struct directory *d, struct file *f);
void file_free(struct file *f);

/* --- directory_events.c ---------------------------------------------------- */

/* Take in what inotify has to tell by now. */
void directory_take_events(struct directory *d);
void directory_on_events(void *arg, uint32_t events);

/* --- directory.c, for the others ------------------------------------------- */

bool directory_is_manifest(const char *name);
struct file *directory_find_file(const struct directory *d, const char *name);
/* NULL where there are too many already. */
struct file *directory_need_file(struct directory *d, const char *name);
/* To be read, or found gone; NULL and one that is queued already are fine. */
void directory_enqueue(struct directory *d, struct file *f);
/* The same for lines alone, unless it is to be read anyway. */
void directory_renumber(struct directory *d, struct file *f);
bool directory_has_news(const struct directory *d); /* something else than that is queued */
void directory_forget_unsettled(struct directory *d, struct file *f);
/* Compare every file's stamp; may find that the directory is lost. */
void directory_begin_scan(struct directory *d);
void directory_wait_for_quiet(struct directory *d);
/* It is not followed any more; it is tried again now and then. `error` may be 0. */
void directory_lost(struct directory *d, const char *what, int error);
/* What tells without reading whether a file is the one that was read: a hash, never 0. */
uint64_t file_stamp_of(const struct stat *st);

#endif
