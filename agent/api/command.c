/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/command.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/api/problem.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

struct commands {
	struct loop *loop;
	command_fn *fn;
	void *arg;
	pthread_mutex_t lock; /* never held over what waits */
	/* Under it: */
	struct command *queue, **queue_end; /* posted, not seen by the loop */
	struct command *taken;		    /* seen, not answered */
	bool ended;
	int fd;
	loop_fd_id id;
};

/* --- one of them ---------------------------------------------------------------------------- */

static void own(const char **text)
{
	*text = *text ? xstrdup(*text) : NULL;
}

/* Every text of a request but `names`, which outlive it, and the secret. */
#define TEXTS(r)                                                                                   \
	{                                                                                          \
		&(r)->method, &(r)->target, &(r)->accept, &(r)->accept_language,                   \
			&(r)->accept_encoding, &(r)->host, &(r)->origin, &(r)->fetch_site,         \
			&(r)->last_event_id, &(r)->request_id, &(r)->content_type, &(r)->if_match, \
			&(r)->if_none_match, &(r)->idempotency_key, &(r)->user_agent               \
	}

struct command *command_new(const struct rest_request *r)
{
	struct command *c = xcalloc(1, sizeof(*c));
	const char **texts[] = TEXTS(&c->request);

	c->request = *r;
	c->request.body = NULL;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		own(texts[i]);
	own(&c->request.authorization);
	/* So that a Secret leaves nothing behind by growing. */
	buf_reserve(&c->body, r->length < REST_BODY_MAX ? (size_t)r->length + 1 : REST_BODY_MAX);
	return c;
}

void command_add(struct command *c, const char *data, size_t len)
{
	if (len > REST_BODY_MAX - c->body.len) {
		c->too_large = true;
		return;
	}
	buf_put(&c->body, data, len);
}

static void free_texts(struct rest_request *r)
{
	char *secret = (char *)(uintptr_t)r->authorization;
	const char **texts[] = TEXTS(r);

	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		free((char *)(uintptr_t)*texts[i]);
}

void command_free(struct command *c)
{
	if (!c)
		return;
	free_texts(&c->request);
	buf_wipe(&c->body);
	rest_reply_done(&c->reply);
	free(c);
}

bool command_take_reply(struct command *c, struct rest_reply *out)
{
	bool answered;

	pthread_mutex_lock(&c->to->lock);
	answered = c->answered;
	if (answered) {
		*out = c->reply;
		c->reply = (struct rest_reply){ 0 };
	}
	pthread_mutex_unlock(&c->to->lock);
	return answered;
}

/* --- there ------------------------------------------------------------------------------------ */

static void put_first(struct command **list, struct command *c)
{
	c->next = *list;
	c->place = list;
	if (c->next)
		c->next->place = &c->next;
	*list = c;
}

/* Of one that core has seen it is not known what becomes of it. */
static struct rest_reply refusal(const struct command *c, bool seen)
{
	struct rest_reply reply = { 0 };

	problem_answer(&reply, PROBLEM_NOT_READY, &c->request,
		       seen ? "the agent ends; a look will tell whether it was done"
			    : "the agent ends");
	return reply;
}

void command_post(struct commands *all, struct command *c)
{
	bool ended;

	if (c->body.len) {
		c->request.body = (const char *)c->body.data;
		c->request.body_len = c->body.len;
	}
	c->to = all;
	c->posted = true;
	pthread_mutex_lock(&all->lock);
	ended = all->ended;
	if (ended) {
		c->reply = refusal(c, false);
		c->answered = true;
	} else {
		c->next = NULL;
		*all->queue_end = c;
		all->queue_end = &c->next;
		(void)eventfd_write(all->fd, 1);
	}
	pthread_mutex_unlock(&all->lock);
	if (ended)
		c->wake(c->wake_arg);
}

/* The first that waits, moved to those that are taken; NULL: none waits. */
static struct command *take_first(struct commands *all)
{
	struct command *c;

	pthread_mutex_lock(&all->lock);
	c = all->queue;
	if (c) {
		all->queue = c->next;
		if (!all->queue)
			all->queue_end = &all->queue;
		put_first(&all->taken, c);
	}
	pthread_mutex_unlock(&all->lock);
	return c;
}

static void on_posted(void *arg, uint32_t events)
{
	struct commands *all = arg;
	struct command *c;
	eventfd_t n;

	(void)events;
	(void)eventfd_read(all->fd, &n);
	while ((c = take_first(all)))
		all->fn(all->arg, c);
}

/* --- and back ---------------------------------------------------------------------------------- */

void command_answer(struct command *c, struct rest_reply *reply)
{
	struct commands *all = c->to;

	pthread_mutex_lock(&all->lock);
	*c->place = c->next;
	if (c->next)
		c->next->place = c->place;
	c->reply = *reply;
	c->answered = true;
	pthread_mutex_unlock(&all->lock);
	/* It may be freed by its maker any moment after this. */
	c->wake(c->wake_arg);
}

void commands_end(struct commands *all)
{
	struct command *c;

	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->ended = true;
	pthread_mutex_unlock(&all->lock);
	while ((c = all->taken)) {
		struct rest_reply reply = refusal(c, true);

		command_answer(c, &reply);
	}
	while ((c = take_first(all))) {
		struct rest_reply reply = refusal(c, false);

		command_answer(c, &reply);
	}
}

int commands_new(struct loop *l, command_fn *fn, void *arg, struct commands **out)
{
	struct commands *all = xcalloc(1, sizeof(*all));
	int r;

	all->loop = l;
	all->fn = fn;
	all->arg = arg;
	all->queue_end = &all->queue;
	pthread_mutex_init(&all->lock, NULL);
	all->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = all->fd < 0 ? -errno : loop_add_fd(l, all->fd, EPOLLIN, on_posted, all, &all->id);
	if (r < 0) {
		commands_free(all);
		return r;
	}
	*out = all;
	return 0;
}

void commands_free(struct commands *all)
{
	if (!all)
		return;
	loop_del_fd(all->loop, all->id);
	if (all->fd >= 0)
		close(all->fd);
	pthread_mutex_destroy(&all->lock);
	free(all);
}
