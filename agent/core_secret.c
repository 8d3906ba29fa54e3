/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Secrets that pools' checks name. Their values stay in the model's objects
 * and go to the healthcheck process; here is only who needs which, and what
 * was told.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

struct need {
	unsigned source;
	uint32_t users;	  /* pools, and targets that linger */
	bool is_answered; /* by the source: it is known whether there is one */
	bool is_absent;	  /* and the healthcheck process was told so */
	uint64_t told;	  /* content of what the healthcheck process has; 0: nothing */
	char *ns, *name;
	char ref[]; /* as struct check has it */
};

static bool need_is(const void *object, const void *key)
{
	return strcmp(((const struct need *)object)->ref, key) == 0;
}

void secrets_start(struct core *c)
{
	map_init(&c->secrets, need_is);
}

static void need_free(struct need *n)
{
	free(n->ns);
	free(n->name);
	free(n);
}

void secrets_end(struct core *c)
{
	struct need *n;
	size_t pos = 0;

	while ((n = map_next(&c->secrets, &pos)))
		need_free(n);
	map_done(&c->secrets);
}

/* --- telling ------------------------------------------------------------------ */

static char *borrow(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* o is NULL where there is none any more. */
static void tell(struct core *c, struct need *n, const struct object *o)
{
	CLEANUP(buf_wipe) struct buf b = { 0 };
	struct hc_secret s = { .name = n->ref, .present = o != NULL };

	if (o) {
		s.ca_refused = o->secret->ca_fault != NULL;
		s.pair_refused = o->secret->pair_fault != NULL;
		if (!s.ca_refused)
			s.ca_pem = borrow(o->secret->ca);
		if (o->secret->username && o->secret->password) {
			s.username = borrow(o->secret->username);
			s.password = borrow(o->secret->password);
		}
		if (!s.pair_refused && o->secret->key) {
			s.certificate = borrow(o->secret->certificate);
			s.key = borrow(o->secret->key);
		}
	}
	wire_put_hc_secret(&b, &s);
	channel_send_secret(c->health, HC_MSG_SECRET, &b);
	n->told = o ? o->content : 0;
	n->is_absent = !o;
}

/* A source that reads Secrets by name has to answer for each; the others tell all they have. */
static bool is_answered(const struct core *c, const struct need *n)
{
	const struct core_source *s = &c->sources[n->source];

	return n->is_answered || (s->delivered && !s->watch->ops->need_secret);
}

/* Until there is an answer, the healthcheck process keeps what it may have of our predecessor. */
static void tell_if_new(struct core *c, struct need *n)
{
	const struct object *o = pools_secret(c->pools, n->source, n->ns, n->name);

	if (!c->health || !c->planning)
		return;
	if (o ? n->told != o->content : !n->is_absent && is_answered(c, n))
		tell(c, n, o);
}

void secrets_tell_all(struct core *c)
{
	struct need *n;
	size_t pos = 0;

	while ((n = map_next(&c->secrets, &pos))) {
		n->told = 0;
		n->is_absent = false;
		tell_if_new(c, n);
	}
}

void secrets_heard(struct core *c, const struct object *o)
{
	struct need *n;
	size_t pos = 0;

	while ((n = map_next(&c->secrets, &pos))) {
		if (n->source == o->source && strcmp(n->name, o->name) == 0 &&
		    strcmp(n->ns, o->ns) == 0)
			n->is_answered = true;
	}
	c->secrets_changed = true;
}

void secrets_complete(struct core *c)
{
	c->secrets_changed = true;
}

void secrets_update(struct core *c)
{
	struct need *n;
	size_t pos = 0;

	if (!c->secrets_changed)
		return;
	c->secrets_changed = false;
	while ((n = map_next(&c->secrets, &pos)))
		tell_if_new(c, n);
}

/* --- who needs which ------------------------------------------------------------ */

/* "namespace/name" or "namespace/name@1" is of this pool's namespace and source. */
static struct need *need_new(const struct pool *pool, const char *ref)
{
	size_t size = strlen(ref) + 1;
	struct need *n = xcalloc(1, sizeof(*n) + size);
	const char *name = strchr(ref, '/') + 1;

	memcpy(n->ref, ref, size);
	n->source = pool->source;
	n->ns = xstrdup(pool->ns);
	n->name = xstrndup(name, strcspn(name, "@"));
	return n;
}

static struct need *need_of(struct core *c, const struct check *check)
{
	const char *ref = check->secret;

	return ref ? map_get(&c->secrets, hash_table_str(ref), ref) : NULL;
}

void secrets_use(struct core *c, const struct pool *pool)
{
	const char *ref = pool->set.check->secret;
	struct need *n = need_of(c, pool->set.check);

	if (!check_names_secret(pool->set.check))
		return;
	if (!n) {
		n = need_new(pool, ref);
		map_put(&c->secrets, hash_table_str(ref), n);
		watch_source_need_secret(c->sources[n->source].watch, n->ns, n->name, true);
		tell_if_new(c, n);
	}
	n->users++;
}

void secrets_keep(struct core *c, const struct check *check)
{
	struct need *n = need_of(c, check);

	if (n)
		n->users++;
}

void secrets_release(struct core *c, const struct check *check)
{
	struct need *n = need_of(c, check);

	if (!n || --n->users)
		return;
	/* At the end of core the sources go first, and the healthcheck process keeps what it has. */
	if (c->sources[n->source].watch) {
		watch_source_need_secret(c->sources[n->source].watch, n->ns, n->name, false);
		if (c->health && c->planning && !n->is_absent)
			tell(c, n, NULL);
	}
	(void)map_take(&c->secrets, hash_table_str(n->ref), n->ref);
	need_free(n);
}
