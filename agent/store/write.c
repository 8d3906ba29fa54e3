/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes on the loop's side: bounds, the copy that waits, and what follows from its answer. */
#include <netinet/in.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "agent/store/commit.h"

/* --- bounds ---------------------------------------------------------------------------- */

static bool fits(const char *s, size_t max)
{
	return !s || strlen(s) <= max;
}

static bool key_fits(const struct store_key *k)
{
	return k->kind >= STORE_SERVICE && k->kind <= STORE_ADDRESS_POOL && k->ns && k->name &&
	       k->name[0] && fits(k->ns, STORE_NAME_MAX) && fits(k->name, STORE_NAME_MAX);
}

static bool claims_fit(const struct store_change *c)
{
	if (c->claim_count > STORE_CLAIMS_MAX)
		return false;
	for (size_t i = 0; i < c->claim_count; i++) {
		const struct endpoint *at = &c->claims[i].at;

		if (!at->port || !at->addr.family || !protocol_is_served(at->protocol) ||
		    !fits(c->claims[i].pool, STORE_NAME_MAX))
			return false;
	}
	return true;
}

static bool change_fits(const struct store_change *c)
{
	if (!key_fits(&c->key))
		return false;
	/* A text with a NUL inside would come back shorter. */
	return c->remove || (c->text && c->len <= STORE_TEXT_MAX && !memchr(c->text, 0, c->len) &&
			     claims_fit(c));
}

static bool who_fits(const struct store_who *w)
{
	return fits(w->user, STORE_WORD_MAX) && fits(w->source, STORE_WORD_MAX) &&
	       fits(w->peer, STORE_WORD_MAX) && fits(w->request, STORE_WORD_MAX) &&
	       fits(w->action, STORE_WORD_MAX) && fits(w->reason, STORE_REASON_MAX);
}

static bool write_fits(const struct store_write *w, size_t *bad)
{
	*bad = 0;
	if (w->count < 1 || w->count > STORE_CHANGES_MAX || !who_fits(&w->who) ||
	    !fits(w->idempotency_key, STORE_WORD_MAX))
		return false;
	for (size_t i = 0; i < w->count; i++) {
		*bad = i;
		if (!change_fits(&w->changes[i]))
			return false;
	}
	return true;
}

/* --- the copy -------------------------------------------------------------------------- */

static void copy_claims(struct job *j, struct store_change *c)
{
	struct store_claim *claims = arena_take(&j->arena, (c->claim_count + 1) * sizeof(*claims));

	for (size_t i = 0; i < c->claim_count; i++)
		claims[i] = (struct store_claim){ c->claims[i].at, job_str(j, c->claims[i].pool) };
	c->claims = claims;
}

struct store_who copy_who(struct job *j, const struct store_who *w)
{
	return (struct store_who){
		.user = job_str(j, w->user),
		.source = job_str(j, w->source),
		.peer = job_str(j, w->peer),
		.request = job_str(j, w->request),
		.action = job_str(j, w->action),
		.reason = job_str(j, w->reason),
	};
}

static void copy_write(struct write_job *j, const struct store_write *w)
{
	struct store_change *changes = arena_take(&j->job.arena, w->count * sizeof(*changes));

	j->write = *w;
	j->write.changes = changes;
	j->write.who = copy_who(&j->job, &w->who);
	j->write.idempotency_key = job_str_or_null(&j->job, w->idempotency_key);
	j->items = arena_take(&j->job.arena, w->count * sizeof(*j->items));
	j->objects = arena_take(&j->job.arena, w->count * sizeof(struct store_object *));
	for (size_t i = 0; i < w->count; i++) {
		struct store_change *c = &changes[i];

		*c = w->changes[i];
		if (c->remove) {
			c->text = "";
			c->len = c->claim_count = 0;
		}
		c->key.ns = job_str(&j->job, c->key.ns);
		c->key.name = job_str(&j->job, c->key.name);
		c->text = arena_strndup(&j->job.arena, c->text, c->len);
		copy_claims(&j->job, c);
		j->job.bytes += c->len + c->claim_count * sizeof(*c->claims) + sizeof(*c);
	}
}

/* --- its way through --------------------------------------------------------------------- */

static void ask(struct store *s, struct write_job *j)
{
	j->waiting = true;
	s->waiting++;
	s->waiting_bytes += j->job.bytes;
	for (size_t i = 0; i < j->write.count && !j->write.dry_run; i++)
		memory_ask(&s->memory, j->write.changes[i].claims, j->write.changes[i].claim_count);
}

static void unask(struct store *s, struct write_job *j)
{
	if (!j->waiting)
		return;
	s->waiting--;
	s->waiting_bytes -= j->job.bytes;
	for (size_t i = 0; i < j->write.count && !j->write.dry_run; i++)
		memory_unask(&s->memory, j->write.changes[i].claims,
			     j->write.changes[i].claim_count);
}

static void take_change(struct store *s, struct write_job *j, size_t i)
{
	struct store_event e = { .revision = j->items[i].revision };

	if (j->write.changes[i].remove) {
		e.type = STORE_REMOVE;
		e.object = memory_remove(&s->memory, &j->write.changes[i].key, e.revision);
	} else {
		e.type = STORE_PUT;
		e.object = j->objects[i];
		memory_put(&s->memory, j->objects[i]);
		j->objects[i] = NULL;
	}
	if (e.object)
		store_tell(s, &e);
}

static void take_changes(struct store *s, struct write_job *j)
{
	for (size_t i = 0; i < j->write.count; i++) {
		if (j->items[i].changed)
			memory_let_go(&s->memory, &j->write.changes[i].key);
	}
	for (size_t i = 0; i < j->write.count; i++) {
		if (j->items[i].changed)
			take_change(s, j, i);
	}
}

static void call_back(struct write_job *j)
{
	const struct store_outcome outcome = {
		.result = j->job.result,
		.refused = j->refused,
		.current = j->current,
		.why = j->job.err.text,
		.items = j->job.result == STORE_OK ? j->items : NULL,
		.count = j->job.result == STORE_OK ? j->write.count : 0,
		.repeated = j->repeated,
	};

	if (j->fn && !j->job.forgotten)
		j->fn(j->job.arg, &outcome);
}

static void write_done(struct store *s, struct job *job)
{
	struct write_job *j = (struct write_job *)job;

	unask(s, j);
	if (job->result == STORE_OK && !j->repeated && !j->write.dry_run)
		take_changes(s, j);
	/* An opening under way has more to say than a write that came before its end. */
	if (j->ran && !s->opening)
		store_state_is(s, &j->after);
	call_back(j);
}

static void write_free(struct job *job)
{
	struct write_job *j = (struct write_job *)job;

	for (size_t i = 0; i < j->write.count; i++)
		store_object_unref(j->objects[i]);
}

const struct job_ops write_ops = { NULL, write_done, write_free };

/* One that is not even tried. */
static void decline(struct store *s, struct write_job *j, enum store_result r, size_t change,
		    const char *why)
{
	j->job.result = r;
	j->refused = change;
	err_set(&j->job.err, -1, "%s", why);
	store_answer_soon(s, &j->job);
}

void store_write(struct store *s, const struct store_write *w, store_written_fn *fn, void *arg)
{
	struct write_job *j = job_new(&write_ops, sizeof(*j), arg);
	size_t bad;

	j->fn = fn;
	if (!write_fits(w, &bad)) {
		decline(s, j, STORE_TOO_LARGE, bad,
			"too long, too many, an empty name, or a claim without address or port");
		return;
	}
	if (s->waiting >= STORE_QUEUE_MAX || s->waiting_bytes >= STORE_QUEUE_BYTES) {
		decline(s, j, STORE_BUSY, 0, "too many writes wait for the disk");
		return;
	}
	copy_write(j, w);
	j->now_ms = clock_wall_ms(loop_clock(s->loop));
	ask(s, j);
	store_post(s, &s->writes, &j->job);
}
