/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer and the reader: a queue each, one way back. The writer takes as
 * many writes as wait for one transaction. It brings the log into the file when
 * nothing waits, and at once where it holds a secret that was replaced.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/base/thread.h"
#include "agent/store/store_private.h"

/* Pages of the log after which it is brought into the file; twice that even while writes wait. */
#define CHECKPOINT_PAGES 1000
#define ANSWERS_MAX	 128 /* in a turn of the loop */

void queue_init(struct queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->filled, NULL);
	q->first = NULL;
	q->end = &q->first;
	q->stop = false;
}

void queue_done(struct queue *q)
{
	assert(!q->first);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->filled);
}

void queue_add(struct queue *q, struct job *j)
{
	j->next = NULL;
	pthread_mutex_lock(&q->lock);
	*q->end = j;
	q->end = &j->next;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

static struct job *take_first(struct queue *q)
{
	struct job *j = q->first;

	q->first = j->next;
	if (!q->first)
		q->end = &q->first;
	j->next = NULL;
	return j;
}

struct job *queue_take(struct queue *q)
{
	struct job *j = NULL;

	pthread_mutex_lock(&q->lock);
	while (!q->first && !q->stop)
		pthread_cond_wait(&q->filled, &q->lock);
	if (q->first)
		j = take_first(q);
	pthread_mutex_unlock(&q->lock);
	return j;
}

struct job *queue_take_more(struct queue *q, const struct job_ops *ops)
{
	struct job *j = NULL;

	pthread_mutex_lock(&q->lock);
	if (q->first && q->first->ops == ops)
		j = take_first(q);
	pthread_mutex_unlock(&q->lock);
	return j;
}

bool queue_is_empty(struct queue *q)
{
	bool empty;

	pthread_mutex_lock(&q->lock);
	empty = !q->first;
	pthread_mutex_unlock(&q->lock);
	return empty;
}

void queue_stop(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

/* --- the threads ------------------------------------------------------------------- */

void worker_answer(struct store *s, struct job *j)
{
	const uint64_t one = 1;

	j->next = NULL;
	pthread_mutex_lock(&s->answers_lock);
	*s->answers_end = j;
	s->answers_end = &j->next;
	pthread_mutex_unlock(&s->answers_lock);
	/* It fails where the counter is full, which wakes the loop just as well. */
	(void)!write(s->answers_fd, &one, sizeof(one));
}

static void tidy_up(struct store *s)
{
	struct writer *w = &s->writer;

	if (!w->ready)
		return;
	if (w->secrets) {
		db_checkpoint(&w->db, true);
		w->secrets = w->db.wal_pages != 0;
	} else if (w->db.wal_pages > 2 * CHECKPOINT_PAGES ||
		   (w->db.wal_pages > CHECKPOINT_PAGES && queue_is_empty(&s->writes))) {
		db_checkpoint(&w->db, false);
	}
}

static void *writer_main(void *arg)
{
	struct store *s = arg;
	struct job *j;

	while ((j = queue_take(&s->writes))) {
		if (j->ops == &write_ops) {
			writer_commit(s, j);
		} else {
			j->ops->run(s, j);
			worker_answer(s, j);
		}
		tidy_up(s);
	}
	writer_close(&s->writer);
	return NULL;
}

static void *reader_main(void *arg)
{
	struct store *s = arg;
	struct job *j;

	while ((j = queue_take(&s->reads))) {
		j->ops->run(s, j);
		worker_answer(s, j);
	}
	db_close(&s->reader);
	return NULL;
}

static struct job *take_answer(struct store *s)
{
	struct job *j;

	pthread_mutex_lock(&s->answers_lock);
	j = s->answers;
	if (j) {
		s->answers = j->next;
		if (!s->answers)
			s->answers_end = &s->answers;
	}
	pthread_mutex_unlock(&s->answers_lock);
	return j;
}

/* What is left comes in the next turn: others want theirs too. */
static void on_answers(void *arg, uint32_t events)
{
	const uint64_t one = 1;
	struct store *s = arg;
	struct job *j = NULL;
	uint64_t n;

	(void)events;
	(void)!read(s->answers_fd, &n, sizeof(n));
	for (int i = 0; i < ANSWERS_MAX && (j = take_answer(s)); i++) {
		j->ops->done(s, j);
		job_free(j);
	}
	if (j)
		(void)!write(s->answers_fd, &one, sizeof(one));
}

static void end_queues(struct store *s)
{
	loop_del_fd(s->loop, s->answers_id);
	if (s->answers_fd >= 0)
		close(s->answers_fd);
	queue_done(&s->writes);
	queue_done(&s->reads);
	pthread_mutex_destroy(&s->answers_lock);
}

int worker_start(struct store *s)
{
	int r;

	queue_init(&s->writes);
	queue_init(&s->reads);
	pthread_mutex_init(&s->answers_lock, NULL);
	s->answers_end = &s->answers;
	s->answers_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->answers_fd < 0
		    ? -errno
		    : loop_add_fd(s->loop, s->answers_fd, EPOLLIN, on_answers, s, &s->answers_id);
	if (r == 0)
		r = thread_start(&s->writer_thread, writer_main, s);
	if (r == 0) {
		r = thread_start(&s->reader_thread, reader_main, s);
		if (r < 0) {
			queue_stop(&s->writes);
			pthread_join(s->writer_thread, NULL);
		}
	}
	if (r < 0)
		end_queues(s);
	return r;
}

void worker_stop(struct store *s)
{
	struct job *j;

	queue_stop(&s->writes);
	queue_stop(&s->reads);
	pthread_join(s->writer_thread, NULL);
	pthread_join(s->reader_thread, NULL);
	while ((j = take_answer(s)))
		job_free(j);
	end_queues(s);
}
