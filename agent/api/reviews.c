/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/reviews.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"

#define HASH_BYTES 32
#define KEY_BYTES  32

struct review {
	uint8_t hash[HASH_BYTES];
	struct reviewed what; /* WAITS: it is queued, or asked */
	mono_t until;	      /* what was said holds */
	mono_t used;
	char *token;	     /* queued; NULL: the API server is asked, or has said */
	struct review *next; /* of the queue */
};

/* Of one address: it may have (now - since) / REVIEW_EVERY_MS reviews, REVIEW_BURST at most. */
struct source {
	struct addr from;
	mono_t since;
};

struct reviews {
	struct loop *loop;
	struct reviews_place place;
	uint8_t key[KEY_BYTES];
	int fd;
	loop_fd_id id;
	pthread_mutex_t lock; /* never held over what waits */
	/* Under it: */
	struct map items; /* by their hashes */
	struct map sources;
	struct review *queue, **queue_end;
	size_t waiting; /* queued or asked */
};

static bool has_hash(const void *object, const void *key)
{
	return sodium_memcmp(((const struct review *)object)->hash, key, HASH_BYTES) == 0;
}

static bool has_addr(const void *object, const void *key)
{
	return memcmp(&((const struct source *)object)->from, key, sizeof(struct addr)) == 0;
}

/* Nobody else has the key, so no two tokens can be made to meet in the table. */
static uint64_t slot_of(const uint8_t hash[static HASH_BYTES])
{
	uint64_t v;

	memcpy(&v, hash, sizeof(v));
	return v;
}

static mono_t now_of(const struct reviews *r)
{
	return clock_mono(loop_clock(r->loop));
}

static bool is_waiting(const struct review *v)
{
	return v->what.claim == REVIEW_WAITS;
}

/* --- room ------------------------------------------------------------------------- */

static void review_free(struct review *v)
{
	if (v->token)
		explicit_bzero(v->token, strlen(v->token));
	free(v->token);
	free(v);
}

/* What holds no longer, else what nobody has used for longest. */
static void make_room(struct reviews *r, mono_t now)
{
	struct review *oldest = NULL, *v;
	size_t pos = 0;

	if (r->items.count < REVIEWS_MAX)
		return;
	while ((v = map_next(&r->items, &pos))) {
		if (is_waiting(v))
			continue;
		if (!mono_before(now, v->until)) {
			oldest = v;
			break;
		}
		if (!oldest || mono_before(v->used, oldest->used))
			oldest = v;
	}
	if (oldest && map_take(&r->items, slot_of(oldest->hash), oldest->hash))
		review_free(oldest);
}

/* --- how often one may ask -------------------------------------------------------- */

/* An IPv6 network of one customer is one; an IPv4 address is one however it is written. */
static struct addr counted(const struct addr *from)
{
	struct addr plain = *from, a;

	(void)addr_unmap(&plain);
	memset(&a, 0, sizeof(a)); /* compared as bytes */
	a.family = plain.family;
	memcpy(a.bytes, plain.bytes, plain.family == AF_INET6 ? 8 : 4);
	return a;
}

/* The one that has been quiet for longest gives way. */
static void forget_source(struct reviews *r)
{
	struct source *quiet = NULL, *s;
	size_t pos = 0;

	if (r->sources.count < REVIEW_SOURCES_MAX)
		return;
	while ((s = map_next(&r->sources, &pos)))
		if (!quiet || mono_before(s->since, quiet->since))
			quiet = s;
	free(map_take(&r->sources, hash_table(&quiet->from, sizeof(quiet->from)), &quiet->from));
}

static bool may_ask(struct reviews *r, const struct addr *from, mono_t now)
{
	const struct addr a = counted(from);
	const mono_t full = mono_add_ms(now, -(int64_t)REVIEW_BURST * REVIEW_EVERY_MS);
	struct source *s = map_get(&r->sources, hash_table(&a, sizeof(a)), &a);

	if (!s) {
		forget_source(r);
		s = xcalloc(1, sizeof(*s));
		s->from = a;
		s->since = full;
		map_put(&r->sources, hash_table(&a, sizeof(a)), s);
	}
	if (mono_before(s->since, full))
		s->since = full;
	if (mono_sub_ms(now, s->since) < REVIEW_EVERY_MS)
		return false;
	s->since = mono_add_ms(s->since, REVIEW_EVERY_MS);
	return true;
}

/* --- looking ---------------------------------------------------------------------- */

static void enqueue(struct reviews *r, struct review *v, const char *token)
{
	v->what = (struct reviewed){ .claim = REVIEW_WAITS };
	v->token = xstrdup(token);
	v->next = NULL;
	*r->queue_end = v;
	r->queue_end = &v->next;
	r->waiting++;
	(void)eventfd_write(r->fd, 1);
}

static struct reviewed look(struct reviews *r, const char *token,
			    const uint8_t hash[static HASH_BYTES], const struct addr *from)
{
	struct review *v = map_get(&r->items, slot_of(hash), hash);
	const mono_t now = now_of(r);

	if (v && (is_waiting(v) || mono_before(now, v->until))) {
		v->used = now;
		return v->what;
	}
	if (r->waiting >= REVIEWS_WAITING_MAX || !may_ask(r, from, now))
		return (struct reviewed){ .claim = REVIEW_TOO_MANY };
	if (!v) {
		make_room(r, now);
		v = xcalloc(1, sizeof(*v));
		memcpy(v->hash, hash, HASH_BYTES);
		map_put(&r->items, slot_of(hash), v);
	}
	v->used = now;
	enqueue(r, v, token);
	return v->what;
}

struct reviewed reviews_look(struct reviews *r, const char *token, const struct addr *from)
{
	uint8_t hash[HASH_BYTES];
	struct reviewed what;

	crypto_generichash(hash, sizeof(hash), (const unsigned char *)token, strlen(token), r->key,
			   sizeof(r->key));
	pthread_mutex_lock(&r->lock);
	what = look(r, token, hash, from);
	pthread_mutex_unlock(&r->lock);
	return what;
}

/* --- asking ----------------------------------------------------------------------- */

static struct review *take_first(struct reviews *r, char **out_token)
{
	struct review *v;

	pthread_mutex_lock(&r->lock);
	v = r->queue;
	if (v) {
		r->queue = v->next;
		if (!r->queue)
			r->queue_end = &r->queue;
		*out_token = v->token;
		v->token = NULL;
	}
	pthread_mutex_unlock(&r->lock);
	return v;
}

static void on_queued(void *arg, uint32_t events)
{
	struct reviews *r = arg;
	struct review *v;
	eventfd_t n;
	char *token;

	(void)events;
	(void)eventfd_read(r->fd, &n);
	while ((v = take_first(r, &token))) {
		r->place.ask(r->place.arg, token, v);
		explicit_bzero(token, strlen(token));
		free(token);
	}
}

static int64_t lasts_ms(enum review_claim claim)
{
	if (claim == REVIEW_SOMEBODY)
		return REVIEW_GOOD_MS;
	return claim == REVIEW_NOBODY ? REVIEW_BAD_MS : REVIEW_TROUBLE_MS;
}

void reviews_said(struct reviews *r, struct review *v, const struct reviewed *what)
{
	pthread_mutex_lock(&r->lock);
	v->what = *what;
	v->until = mono_add_ms(now_of(r), lasts_ms(what->claim));
	r->waiting--;
	pthread_mutex_unlock(&r->lock);
	if (r->place.wake)
		r->place.wake(r->place.wake_arg);
}

/* --- start and end ---------------------------------------------------------------- */

void reviews_wake(struct reviews *r, void (*wake)(void *arg), void *arg)
{
	r->place.wake = wake;
	r->place.wake_arg = arg;
}

int reviews_new(struct loop *l, const struct reviews_place *p, struct reviews **out)
{
	struct reviews *r = xcalloc(1, sizeof(*r));
	int e;

	r->loop = l;
	r->place = *p;
	r->queue_end = &r->queue;
	map_init(&r->items, has_hash);
	map_init(&r->sources, has_addr);
	pthread_mutex_init(&r->lock, NULL);
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (getrandom(r->key, sizeof(r->key), 0) != (ssize_t)sizeof(r->key))
		e = -EIO;
	else
		e = r->fd < 0 ? -errno : loop_add_fd(l, r->fd, EPOLLIN, on_queued, r, &r->id);
	if (e < 0) {
		reviews_free(r);
		return e;
	}
	*out = r;
	return 0;
}

void reviews_free(struct reviews *r)
{
	struct review *v;
	struct source *s;
	size_t pos = 0;

	if (!r)
		return;
	while ((v = map_next(&r->items, &pos)))
		review_free(v);
	pos = 0;
	while ((s = map_next(&r->sources, &pos)))
		free(s);
	map_done(&r->items);
	map_done(&r->sources);
	loop_del_fd(r->loop, r->id);
	if (r->fd >= 0)
		close(r->fd);
	pthread_mutex_destroy(&r->lock);
	explicit_bzero(r->key, sizeof(r->key));
	free(r);
}
