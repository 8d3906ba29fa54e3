/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/filer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/file.h"
#include "agent/base/thread.h"
#include "agent/base/xalloc.h"

enum step { STEP_PUT, STEP_END, STEP_CANCEL };

struct filing {
	struct filer *filer;
	struct file_writer writer;
	char *path; /* until it is begun */
	filing_done_fn *fn;
	void *arg;
	int r;
	struct err err;
	struct filing *next; /* that is written, and its owner is not told yet */
};

struct order {
	enum step step;
	struct filing *filing;
	struct buf data;
	struct order *next;
};

struct filer {
	struct loop *loop; /* NULL: there is no thread */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* Under the lock: */
	struct order *first, **end;
	struct filing *written, **written_end;
	size_t queued; /* bytes */
	bool stop;
	/* The loop's: */
	int fd; /* is readable where there is something written */
	loop_fd_id fd_id;
};

/* --- what is done, by whichever thread ------------------------------------------------ */

static void carry_out(struct order *o)
{
	struct filing *w = o->filing;

	if (w->path) {
		file_writer_begin(&w->writer, w->path);
		free(w->path);
		w->path = NULL;
	}
	if (o->step == STEP_PUT) {
		file_writer_put(&w->writer, o->data.data, o->data.len);
		return;
	}
	if (o->step == STEP_CANCEL)
		w->writer.code = -ECANCELED;
	w->r = file_writer_end(&w->writer, &w->err);
}

static void tell(struct filing *w)
{
	if (w->fn)
		w->fn(w->arg, w->r, w->err.text);
	free(w);
}

/* --- the thread ------------------------------------------------------------------------ */

static struct order *take(struct filer *f)
{
	struct order *o;

	pthread_mutex_lock(&f->lock);
	while (!f->first && !f->stop)
		pthread_cond_wait(&f->filled, &f->lock);
	o = f->first;
	if (o) {
		f->first = o->next;
		if (!f->first)
			f->end = &f->first;
	}
	pthread_mutex_unlock(&f->lock);
	return o;
}

static void is_done(struct filer *f, struct order *o)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&f->lock);
	f->queued -= o->data.len;
	if (o->step != STEP_PUT) {
		*f->written_end = o->filing;
		f->written_end = &o->filing->next;
	}
	pthread_mutex_unlock(&f->lock);
	/* It fails where the counter is full, which wakes the loop just as well. */
	if (o->step != STEP_PUT)
		(void)!write(f->fd, &one, sizeof(one));
	buf_done(&o->data);
	free(o);
}

static void *run(void *arg)
{
	struct filer *f = arg;
	struct order *o;

	while ((o = take(f))) {
		carry_out(o);
		is_done(f, o);
	}
	return NULL;
}

/* --- the loop ------------------------------------------------------------------------- */

static struct filing *take_written(struct filer *f)
{
	struct filing *all;

	pthread_mutex_lock(&f->lock);
	all = f->written;
	f->written = NULL;
	f->written_end = &f->written;
	pthread_mutex_unlock(&f->lock);
	return all;
}

static void on_written(void *arg, uint32_t events)
{
	struct filer *f = arg;
	struct filing *w, *next;
	uint64_t n;

	(void)events;
	(void)!read(f->fd, &n, sizeof(n));
	for (w = take_written(f); w; w = next) {
		next = w->next;
		tell(w);
	}
}

struct filer *filer_new(struct loop *l)
{
	struct filer *f = xcalloc(1, sizeof(*f));

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->filled, NULL);
	f->end = &f->first;
	f->written_end = &f->written;
	f->fd = l ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	if (f->fd < 0 || loop_add_fd(l, f->fd, EPOLLIN, on_written, f, &f->fd_id) < 0)
		return f;
	if (thread_start(&f->thread, run, f) == 0)
		f->loop = l;
	else
		loop_del_fd(l, f->fd_id);
	return f;
}

void filer_free(struct filer *f)
{
	struct filing *w, *next;

	if (!f)
		return;
	if (f->loop) {
		pthread_mutex_lock(&f->lock);
		f->stop = true;
		pthread_cond_signal(&f->filled);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
		loop_del_fd(f->loop, f->fd_id);
	}
	for (w = take_written(f); w; w = next) {
		next = w->next;
		free(w);
	}
	if (f->fd >= 0)
		close(f->fd);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->filled);
	free(f);
}

struct filing *filing_begin(struct filer *f, const char *path)
{
	struct filing *w = xcalloc(1, sizeof(*w));

	w->filer = f;
	w->path = xstrdup(path);
	return w;
}

static void give(struct filing *w, enum step step, struct buf *data)
{
	struct filer *f = w->filer;
	struct order *o = xmalloc(sizeof(*o));

	*o = (struct order){ .step = step, .filing = w };
	if (data) {
		o->data = *data;
		*data = (struct buf){ 0 };
	}
	if (!f->loop) {
		carry_out(o);
		buf_done(&o->data);
		free(o);
		if (step != STEP_PUT)
			tell(w);
		return;
	}
	pthread_mutex_lock(&f->lock);
	*f->end = o;
	f->end = &o->next;
	f->queued += o->data.len;
	pthread_cond_signal(&f->filled);
	pthread_mutex_unlock(&f->lock);
}

void filing_put(struct filing *w, struct buf *b)
{
	give(w, STEP_PUT, b);
}

void filing_end(struct filing *w, filing_done_fn *fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
	give(w, STEP_END, NULL);
}

void filing_cancel(struct filing *w)
{
	if (w)
		give(w, STEP_CANCEL, NULL);
}

size_t filer_queued(struct filer *f)
{
	size_t n;

	pthread_mutex_lock(&f->lock);
	n = f->queued;
	pthread_mutex_unlock(&f->lock);
	return n;
}
