/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Following a directory of manifests.
 *
 * inotify says which file to read; a scan (at the start, after an overflow of
 * inotify's queue, when the directory comes back) compares every file's stamp.
 * Files are read one after the other, each by directory_file.c.
 *
 * The directory may vanish, be unmounted, be renamed over (a symbolic link
 * that is turned to a new release), or lose its permissions. Then what was
 * told holds, and the source is incomplete until it is back. When it is back,
 * nothing is told as removed until it has been quiet for a while: a directory
 * that is being filled again is not an order to remove what is not there yet.
 */
#include "watch/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* inotify says nothing of a path that leads elsewhere by now, nor of a directory that is missing. */
#define CHECK_MS 1000
/* How long a directory that came back has to be quiet before files can count as removed. */
#define QUIET_MS 2000
/* Directory entries looked at in one piece of work. */
#define SCAN_COUNT 200

#define EVENTS                                                                              \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | \
	 IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

uint64_t file_stamp_of(const struct stat *st)
{
	const int64_t what[] = { (int64_t)st->st_ino, st->st_size,	  st->st_mtim.tv_sec,
				 st->st_mtim.tv_nsec, st->st_ctim.tv_sec, st->st_ctim.tv_nsec };
	uint64_t h = hash_table(what, sizeof(what));

	return h ? h : 1;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcmp(s + n - m, end) == 0;
}

/* Temporary files of editors and of package managers have other endings, or begin with '.'. */
bool directory_is_manifest(const char *name)
{
	return name[0] != '.' && name[0] != '#' &&
	       (ends_in(name, ".yaml") || ends_in(name, ".yml") || ends_in(name, ".json"));
}

/* --- files ----------------------------------------------------------------- */

static bool file_eq(const void *object, const void *key)
{
	const struct file *f = object;

	return strcmp(f->name, key) == 0;
}

struct file *directory_find_file(const struct directory *d, const char *name)
{
	return map_get(&d->files, hash_table_str(name), name);
}

/* NULL where there are too many already. */
struct file *directory_need_file(struct directory *d, const char *name)
{
	struct file *f = directory_find_file(d, name);

	if (f)
		return f;
	if (d->files.count == DIRECTORY_FILES_MAX) {
		d->too_many = true;
		return NULL;
	}
	f = xcalloc(1, offsetof(struct file, name) + strlen(name) + 1);
	strcpy(f->name, name);
	map_put(&d->files, hash_table_str(name), f);
	return f;
}

static bool work(void *arg);

static void wake(struct directory *d)
{
	if (!d->work)
		d->work = loop_work(d->loop, work, d);
}

void directory_enqueue(struct directory *d, struct file *f)
{
	if (!f)
		return;
	f->renumber = false;
	if (f->queued)
		return;
	f->queued = true;
	f->next_queued = NULL;
	*d->queue_end = f;
	d->queue_end = &f->next_queued;
	wake(d);
}

void directory_renumber(struct directory *d, struct file *f)
{
	if (f->queued)
		return;
	directory_enqueue(d, f);
	f->renumber = true;
}

bool directory_has_news(const struct directory *d)
{
	const struct file *f = d->queue;

	while (f && f->renumber)
		f = f->next_queued;
	return f != NULL;
}

static struct file *dequeue(struct directory *d)
{
	struct file *f = d->queue;

	if (!f)
		return NULL;
	d->queue = f->next_queued;
	if (!d->queue)
		d->queue_end = &d->queue;
	f->queued = false;
	return f;
}

void directory_forget_unsettled(struct directory *d, struct file *f)
{
	for (struct file **i = &d->unsettled; *i; i = &(*i)->next_unsettled) {
		if (*i == f) {
			*i = f->next_unsettled;
			break;
		}
	}
	f->unsettled = false;
}

/* --- what is told of the whole --------------------------------------------- */

static void tell_complete(struct directory *d, bool complete, const char *why)
{
	bool same = d->told && complete == d->told_complete &&
		    (complete || strcmp(why, d->told_why) == 0);

	if (same)
		return;
	d->told = true;
	d->told_complete = complete;
	free(d->told_why);
	d->told_why = why ? xstrdup(why) : NULL;
	d->sink.complete(d->sink.arg, complete, why);
}

/* The same one each time, so that it is told once. */
static const struct file *first_bad(const struct directory *d)
{
	const struct file *f, *first = NULL;

	for (size_t pos = 0; (f = map_next(&d->files, &pos));) {
		if (f->bad && (!first || strcmp(f->name, first->name) < 0))
			first = f;
	}
	return first;
}

static void tell_state(struct directory *d)
{
	const struct file *bad = d->bad_count ? first_bad(d) : NULL;
	char why[PATH_MAX + 600];

	if (d->lost_why) {
		tell_complete(d, false, d->lost_why);
	} else if (d->returned) {
		tell_complete(d, false, "it was away and is back: waiting until it is quiet");
	} else if (d->too_many) {
		snprintf(why, sizeof(why), "more than %d manifests", DIRECTORY_FILES_MAX);
		tell_complete(d, false, why);
	} else if (bad) {
		char at[32] = "";

		if (bad->line)
			snprintf(at, sizeof(at), "line %u: ", bad->line);
		snprintf(why, sizeof(why), "%s: %s%s%s", bad->name, at, bad->problem,
			 d->bad_count > 1 ? " (and others)" : "");
		tell_complete(d, false, why);
	} else {
		tell_complete(d, true, NULL);
	}
}

/* --- scanning -------------------------------------------------------------- */

void directory_begin_scan(struct directory *d)
{
	struct file *f;
	int fd;

	if (d->scan) {
		d->scan_again = true;
		return;
	}
	fd = openat(d->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d->scan = fd < 0 ? NULL : fdopendir(fd);
	if (!d->scan) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		directory_lost(d, "cannot be listed", error);
		return;
	}
	for (size_t pos = 0; (f = map_next(&d->files, &pos));)
		f->seen = false;
	d->scan_again = d->too_many = false;
	wake(d);
}

static void look_at(struct directory *d, const char *name)
{
	uint64_t stamp = 0;
	struct file *f;
	struct stat st;
	bool there = directory_is_manifest(name) &&
		     fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (!there || S_ISDIR(st.st_mode))
		return;
	/* A link that leads nowhere is a file that cannot be read, not one that is gone. */
	if (fstatat(d->dir_fd, name, &st, 0) == 0) {
		if (S_ISDIR(st.st_mode))
			return;
		stamp = file_stamp_of(&st);
	}
	f = directory_need_file(d, name);
	if (!f)
		return;
	f->seen = true;
	if (f->bad || !stamp || stamp != f->stamp)
		directory_enqueue(d, f);
}

static void sweep(struct directory *d)
{
	struct file *f;

	/* Reading it will find it gone. */
	for (size_t pos = 0; (f = map_next(&d->files, &pos));) {
		if (!f->seen)
			directory_enqueue(d, f);
	}
}

static void end_scan(struct directory *d, int error)
{
	if (error) {
		directory_lost(d, "cannot be listed", error);
		return;
	}
	closedir(d->scan);
	d->scan = NULL;
	if (!d->returned)
		sweep(d);
	if (d->scan_again)
		directory_begin_scan(d);
}

static void scan_some(struct directory *d)
{
	const struct dirent *e;

	for (int n = 0; n < SCAN_COUNT; n++) {
		errno = 0;
		e = readdir(d->scan);
		if (!e) {
			end_scan(d, errno);
			return;
		}
		look_at(d, e->d_name);
	}
}

static void remove_file(struct directory *d, struct file *f)
{
	if (f->unsettled)
		directory_forget_unsettled(d, f);
	(void)map_take(&d->files, hash_table_str(f->name), f->name);
	file_remove(d, f);
	if (d->too_many)
		directory_begin_scan(d); /* there is room for another one now */
}

/* --- work ------------------------------------------------------------------ */

static void begin_next(struct directory *d)
{
	struct file *f = dequeue(d);
	struct stat st;

	/* Its writer is at it: the end of that, or a quiet moment, brings it back. */
	if (f->unsettled)
		return;
	if (fstatat(d->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		load_begin(d, f);
	else if (!d->returned)
		remove_file(d, f);
}

static bool work(void *arg)
{
	struct directory *d = arg;

	if (d->load)
		load_step(d);
	else if (d->queue)
		begin_next(d);
	else if (d->scan)
		scan_some(d);
	if (d->load || d->queue || d->scan)
		return true;
	tell_state(d);
	d->work = 0;
	return false;
}

/* --- losing the directory and having it again ------------------------------- */

static void forget_work(struct directory *d)
{
	load_settle(d);
	if (d->scan)
		closedir(d->scan);
	d->scan = NULL;
	while (dequeue(d))
		;
	while (d->unsettled)
		directory_forget_unsettled(d, d->unsettled);
	loop_work_cancel(d->loop, d->work);
	loop_cancel(d->loop, d->quiet_timer);
	loop_cancel(d->loop, d->settle_timer);
	d->work = d->quiet_timer = d->settle_timer = 0;
}

/* It is not followed any more; check() tries to open it again. `error` may be 0. */
void directory_lost(struct directory *d, const char *what, int error)
{
	char reason[128], why[PATH_MAX + 300];

	forget_work(d);
	loop_del_fd(d->loop, d->fd_id);
	if (d->fd >= 0)
		close(d->fd);
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	d->fd = d->dir_fd = -1;
	d->fd_id = 0;
	snprintf(why, sizeof(why), "%s %s%s%s", d->path, what, error ? ": " : "",
		 error ? strerror_r(error, reason, sizeof(reason)) : "");
	free(d->lost_why);
	d->lost_why = xstrdup(why);
	tell_state(d);
}

static void quiet(void *arg)
{
	struct directory *d = arg;

	d->quiet_timer = 0;
	d->returned = false;
	directory_begin_scan(d);
}

void directory_wait_for_quiet(struct directory *d)
{
	loop_cancel(d->loop, d->quiet_timer);
	d->quiet_timer = loop_timer_in(d->loop, QUIET_MS, quiet, d);
}

/*
 * 0, or the errno that says why not. What is watched and what is read have to be the same
 * directory: the path may be turned elsewhere at any moment.
 */
static int open_directory(struct directory *d)
{
	struct stat opened, named;

	d->dir_fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return errno;
	d->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->fd < 0 || inotify_add_watch(d->fd, d->path, EVENTS) < 0)
		return errno;
	if (fstat(d->dir_fd, &opened) < 0 || stat(d->path, &named) < 0)
		return errno;
	if (opened.st_dev != named.st_dev || opened.st_ino != named.st_ino)
		return EAGAIN;
	d->device = opened.st_dev;
	d->inode = opened.st_ino;
	return loop_add_fd(d->loop, d->fd, EPOLLIN, directory_on_events, d, &d->fd_id) < 0 ? ENOMEM
											   : 0;
}

static void try_to_open(struct directory *d)
{
	int error = open_directory(d);

	if (error) {
		directory_lost(d, "cannot be followed", error);
		return;
	}
	/* Nothing was told yet: then there is nothing to remove either. */
	d->returned = d->files.count > 0;
	free(d->lost_why);
	d->lost_why = NULL;
	d->returned_at = loop_now(d->loop);
	if (d->returned) {
		directory_wait_for_quiet(d);
		tell_state(d);
	}
	directory_begin_scan(d);
}

/* Does the path still lead to the directory that is followed, and may it be read? */
static void check_path(struct directory *d)
{
	struct stat st;

	if (stat(d->path, &st) < 0)
		directory_lost(d, "is away", errno);
	else if (st.st_dev != d->device || st.st_ino != d->inode)
		directory_lost(d, "is another directory now", 0);
	else if (faccessat(d->dir_fd, ".", R_OK | X_OK, AT_EACCESS) < 0)
		directory_lost(d, "cannot be read", errno);
}

static void check(void *arg)
{
	struct directory *d = arg;

	d->check_timer = loop_timer_in(d->loop, CHECK_MS, check, d);
	if (d->fd >= 0)
		check_path(d);
	if (d->fd < 0) {
		try_to_open(d);
	} else if (d->unreadable) {
		d->unreadable = false;
		directory_begin_scan(d);
	}
}

/* --- the source ------------------------------------------------------------ */

static void first_look(void *arg)
{
	struct directory *d = arg;

	d->check_timer = 0;
	check(d);
}

static void directory_start(struct watch_source *s)
{
	struct directory *d = (struct directory *)s;

	/* Not at once: the sink may be told from the loop only. */
	d->check_timer = loop_timer_in(d->loop, 0, first_look, d);
}

static void directory_free(struct watch_source *s)
{
	struct directory *d = (struct directory *)s;
	struct file *f;

	load_drop(d);
	if (d->scan)
		closedir(d->scan);
	loop_del_fd(d->loop, d->fd_id);
	if (d->fd >= 0)
		close(d->fd);
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	loop_work_cancel(d->loop, d->work);
	loop_cancel(d->loop, d->check_timer);
	loop_cancel(d->loop, d->settle_timer);
	loop_cancel(d->loop, d->quiet_timer);
	for (size_t pos = 0; (f = map_next(&d->files, &pos));)
		file_free(f);
	map_done(&d->files);
	free(d->told_why);
	free(d->lost_why);
	free(d->path);
	free(d->node);
	free(d);
}

static const struct watch_source_ops directory_ops = {
	.type = "directory",
	.start = directory_start,
	.free = directory_free,
};

struct watch_source *watch_directory_new(struct loop *l, const char *path, const char *node,
					 unsigned source, const struct watch_sink *sink)
{
	struct directory *d = xcalloc(1, sizeof(*d));

	d->base.ops = &directory_ops;
	d->loop = l;
	d->path = xstrdup(path);
	d->node = xstrdup(node);
	d->source = source;
	d->sink = *sink;
	d->fd = d->dir_fd = -1;
	d->queue_end = &d->queue;
	map_init(&d->files, file_eq);
	return &d->base;
}
