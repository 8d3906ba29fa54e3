/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What inotify tells, turned into files to read and scans to make.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "watch/directory.h"

/* A writer that pauses this long without closing is taken at its word. */
#define SETTLE_MS 1000
/* After this long a directory that came back counts as quiet though it is not. */
#define QUIET_MOST_MS 30000

static void settle(void *arg)
{
	struct directory *d = arg;
	mono_t limit = mono_add_ms(loop_now(d->loop), -SETTLE_MS);
	struct file **i = &d->unsettled;

	while (*i) {
		struct file *f = *i;

		if (mono_before(limit, f->written_at)) {
			i = &f->next_unsettled;
			continue;
		}
		*i = f->next_unsettled;
		f->unsettled = false;
		directory_enqueue(d, f);
	}
	d->settle_timer = d->unsettled ? loop_timer_in(d->loop, SETTLE_MS, settle, d) : 0;
}

static void on_written(struct directory *d, const char *name)
{
	struct file *f = directory_need_file(d, name);

	if (!f)
		return;
	f->written = true;
	f->written_at = loop_now(d->loop);
	if (f->unsettled)
		return;
	f->unsettled = true;
	f->next_unsettled = d->unsettled;
	d->unsettled = f;
	if (!d->settle_timer)
		d->settle_timer = loop_timer_in(d->loop, SETTLE_MS, settle, d);
}

static void on_whole(struct directory *d, const char *name)
{
	struct file *f = directory_need_file(d, name);

	if (!f)
		return;
	if (f->unsettled)
		directory_forget_unsettled(d, f);
	f->written = true; /* for a reading that is under way */
	directory_enqueue(d, f);
}

/* A link has no writer that would close it. */
static void on_created(struct directory *d, const char *name)
{
	struct stat st;

	if (fstatat(d->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (S_ISLNK(st.st_mode) || st.st_nlink > 1))
		on_whole(d, name);
}

static void on_named_event(struct directory *d, const struct inotify_event *e)
{
	/* A volume of Kubernetes turns all its files at once by this link. */
	if (strcmp(e->name, "..data") == 0) {
		directory_begin_scan(d);
		return;
	}
	if (!directory_is_manifest(e->name) || (e->mask & IN_ISDIR))
		return;
	if (e->mask & IN_MODIFY)
		on_written(d, e->name);
	if (e->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
		on_whole(d, e->name);
	if (e->mask & IN_CREATE)
		on_created(d, e->name);
	/* Gone (which the next look finds), or perhaps readable again. */
	if (e->mask & (IN_DELETE | IN_MOVED_FROM | IN_ATTRIB)) {
		struct file *f = directory_find_file(d, e->name);

		if (f && (f->bad || !(e->mask & IN_ATTRIB)))
			on_whole(d, e->name);
	}
}

/* False: the directory is gone, and with it what e points into. */
static bool on_event(struct directory *d, const struct inotify_event *e)
{
	if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
		directory_lost(d, "was removed, renamed or unmounted", 0);
		return false;
	}
	if (e->mask & IN_Q_OVERFLOW)
		directory_begin_scan(d);
	else if (e->len)
		on_named_event(d, e);
	if (d->quiet_timer && mono_sub_ms(loop_now(d->loop), d->returned_at) < QUIET_MOST_MS)
		directory_wait_for_quiet(d);
	return d->fd >= 0;
}

void directory_take_events(struct directory *d)
{
	_Alignas(struct inotify_event) char buf[16384];

	while (d->fd >= 0) {
		ssize_t n = read(d->fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *e = (const void *)(buf + at);

			if (!on_event(d, e))
				return;
			at += (ssize_t)(sizeof(*e) + e->len);
		}
	}
}

void directory_on_events(void *arg, uint32_t events)
{
	(void)events;
	directory_take_events(arg);
}
