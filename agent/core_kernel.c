/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipvs process: told what each frontend should be and when that counts; it
 * tells what the kernel held, what it could not do, and how far it is.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/hash.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"

#define BULK_QUEUE_MAX (4 << 20)
#define BULK_PIECE     50

void kernel_start(struct core *c)
{
	ipvs_table_init(&c->kernel.image);
	counts_start(c);
}

void kernel_end(struct core *c)
{
	bulk_stop(&c->kernel.bulk);
	channel_free(c->kernel.channel);
	counts_end(c);
	ipvs_message_reader_done(&c->kernel.reader);
	ipvs_table_done(&c->kernel.image);
	ours_end(c);
	free(c->kernel.keys);
	free(c->kernel.host_problem);
}

bool kernel_synced(const struct core *c)
{
	const struct kernel_link *k = &c->kernel;

	return k->channel && c->settled && !k->changed && !k->commit_pending &&
	       !bulk_running(&k->bulk) && k->status.synced && k->status.generation == k->generation;
}

/* --- telling ---------------------------------------------------------------------- */

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct core *c = arg;

	channel_send(c->kernel.channel, type, body);
}

static void gather_message(void *arg, uint16_t type, const struct buf *body)
{
	struct buf *bytes = arg;

	wire_put_u16(bytes, type);
	buf_put(bytes, body->data, body->len);
}

static uint64_t service_hash(const struct ipvs_service *s)
{
	struct buf bytes = { 0 };
	uint64_t h;

	ipvs_message_put_service(s, gather_message, &bytes);
	h = hash_table(bytes.data, bytes.len);
	buf_done(&bytes);
	return h ? h : 1;
}

void kernel_tell(struct core *c, struct frontend *f)
{
	struct ipvs_service s;
	uint64_t hash;

	if (!c->kernel.begun)
		return; /* the whole table will be told */
	frontend_wanted(f, &s);
	hash = service_hash(&s);
	if (hash != f->sent) {
		f->sent = hash;
		ipvs_message_put_service(&s, send_message, c);
		kernel_commit(c);
	}
	ipvs_service_done(&s);
}

void kernel_tell_gone(struct core *c, struct frontend *f)
{
	struct buf b = { 0 };

	if (!c->kernel.begun || !f->sent)
		return;
	wire_put_endpoint(&b, &f->key);
	channel_send(c->kernel.channel, IPVS_MSG_GONE, &b);
	buf_done(&b);
	kernel_commit(c);
}

/* --- how long it takes ------------------------------------------------------------- */

static void commit_begins(struct core *c)
{
	struct kernel_link *k = &c->kernel;

	k->shown.asked_ms = clock_wall_ms(loop_clock(c->loop));
	if (k->commit_count < KERNEL_COMMITS_MAX)
		k->commits[k->commit_count++] = (struct kernel_commit){ k->generation,
									core_now(c) };
}

void kernel_triggered(struct core *c, int64_t at_ms)
{
	struct kernel_link *k = &c->kernel;

	if (k->trigger_count < KERNEL_TRIGGERS_MAX)
		k->triggers[k->trigger_count++] = (struct kernel_trigger){ .at_ms = at_ms };
}

void kernel_triggers_planned(struct core *c)
{
	struct kernel_link *k = &c->kernel;
	size_t kept = 0;

	for (size_t i = 0; i < k->trigger_count; i++) {
		struct kernel_trigger t = k->triggers[i];

		if (t.generation == 0 && k->commit_pending)
			t.generation = k->generation + 1;
		if (t.generation)
			k->triggers[kept++] = t;
	}
	k->trigger_count = kept;
}

static void triggers_matched(struct core *c, uint64_t generation)
{
	struct kernel_link *k = &c->kernel;
	int64_t now = clock_wall_ms(loop_clock(c->loop));
	size_t kept = 0;

	for (size_t i = 0; i < k->trigger_count; i++) {
		const struct kernel_trigger t = k->triggers[i];

		if (t.generation == 0 || t.generation > generation)
			k->triggers[kept++] = t;
		else /* another machine's clock may be ahead of ours */
			histogram_add(&k->shown.reaction,
				      now > t.at_ms ? (uint64_t)(now - t.at_ms) * 1000 : 0);
	}
	k->trigger_count = kept;
}

static void commits_matched(struct core *c, uint64_t generation)
{
	struct kernel_link *k = &c->kernel;
	size_t n = 0;

	while (n < k->commit_count && k->commits[n].generation <= generation) {
		int64_t us = (core_now(c).ns - k->commits[n++].at.ns) / 1000;

		histogram_add(&k->shown.programming, (uint64_t)us);
	}
	if (n == 0)
		return;
	k->shown.matched_ms = clock_wall_ms(loop_clock(c->loop));
	k->commit_count -= n;
	memmove(k->commits, k->commits + n, k->commit_count * sizeof(k->commits[0]));
}

static void commit_now(void *arg)
{
	struct core *c = arg;
	struct kernel_link *k = &c->kernel;
	struct ipvs_commit commit;
	struct buf b = { 0 };

	k->commit_pending = false;
	/* A table told in part must not count: the end of the bulk commits. */
	if (!k->begun || bulk_running(&k->bulk))
		return;
	k->changed = false;
	ours_tell(c);
	commit.generation = ++k->generation;
	commit.complete = c->settled;
	commit_begins(c);
	wire_put_ipvs_commit(&b, &commit);
	channel_send(k->channel, IPVS_MSG_COMMIT, &b);
	buf_done(&b);
	view_changed(c);
}

void kernel_commit(struct core *c)
{
	c->kernel.changed = true;
	if (c->kernel.commit_pending)
		return;
	c->kernel.commit_pending = true;
	loop_defer(c->loop, commit_now, c);
}

static bool tell_piece(void *arg)
{
	struct core *c = arg;
	struct kernel_link *k = &c->kernel;

	for (unsigned n = 0; n < BULK_PIECE && k->keys_told < k->key_count; n++) {
		struct frontend *f = frontend_get(c, &k->keys[k->keys_told++]);

		if (f)
			kernel_tell(c, f);
	}
	if (k->keys_told < k->key_count)
		return true;
	free(k->keys);
	k->keys = NULL;
	k->key_count = k->keys_told = 0;
	kernel_commit(c);
	return false;
}

void kernel_tell_all(struct core *c)
{
	struct kernel_link *k = &c->kernel;
	struct frontend *f;
	size_t pos = 0;

	if (!k->channel)
		return;
	bulk_stop(&k->bulk);
	k->begun = true;
	k->keys = xreallocarray(k->keys, c->frontends.count, sizeof(*k->keys));
	k->key_count = k->keys_told = 0;
	while ((f = map_next(&c->frontends, &pos))) {
		f->sent = 0;
		k->keys[k->key_count++] = f->key;
	}
	channel_send(k->channel, IPVS_MSG_BEGIN, NULL);
	vip_checks_connected(c);
	bulk_start(&k->bulk, c->loop, k->channel, BULK_QUEUE_MAX, tell_piece, c);
}

/* --- hearing ---------------------------------------------------------------------- */

static bool on_service(struct core *c, uint16_t type, struct wire *body)
{
	struct kernel_link *k = &c->kernel;
	struct ipvs_service s;
	int r = ipvs_message_read(&k->reader, type, body, &s);

	if (r < 0)
		return false;
	if (r == 0)
		return true;
	/* Later images are of no interest: the plan is made of facts that are newer. */
	if (k->image_known)
		ipvs_service_done(&s);
	else
		ipvs_table_put(&k->image, &s);
	return true;
}

static void on_image_end(struct core *c)
{
	c->kernel.image_known = true;
	if (c->planning)
		kernel_tell_all(c);
	else
		core_facts_changed(c);
}

static void on_status(struct core *c, const struct ipvs_status *s)
{
	c->kernel.status = *s;
	commits_matched(c, s->generation);
	triggers_matched(c, s->generation);
	/* It may be on the word of a core before us: ours have to be newer. */
	if (s->generation > c->kernel.generation)
		c->kernel.generation = s->generation;
	ours_settled(c);
	view_changed(c);
}

static void on_host_problem(struct core *c, const struct ipvs_problem *p)
{
	free(c->kernel.host_problem);
	c->kernel.host_problem = p->text[0] ? xstrdup(p->text) : NULL;
	view_changed(c); /* logged by way of an event */
}

static char *describe(const struct ipvs_problem *p)
{
	char key[ENDPOINT_TEXT_MAX], dest[ENDPOINT_TEXT_MAX];

	endpoint_text(&p->key, key);
	if (!p->dest.addr.family)
		return xasprintf("%s: %s", key, p->text);
	return xasprintf("%s -> %s: %s", key, endpoint_text(&p->dest, dest), p->text);
}

/* Each is logged; the first is shown until it is over. */
static void on_problem(struct core *c, const struct ipvs_problem *p)
{
	struct frontend *f = frontend_get(c, &p->key);
	char *text = p->text[0] ? describe(p) : NULL;

	if (!p->key.addr.family) {
		on_host_problem(c, p);
	} else if (text) {
		log_error("kernel", "%s; it is tried again", text);
		if (f && !f->problem) {
			f->problem = xmalloc(sizeof(*f->problem) + strlen(text) + 1);
			f->problem->dest = p->dest;
			strcpy(f->problem->text, text);
		}
	} else if (f && f->problem && endpoint_cmp(&f->problem->dest, &p->dest) == 0) {
		free(f->problem);
		f->problem = NULL;
	}
	free(text);
	if (f && f->owner)
		pool_state_dirty(f->owner);
}

static bool on_idle(struct core *c, struct wire *body)
{
	struct endpoint key = wire_endpoint(body);
	struct endpoint dest = wire_endpoint(body);

	if (!wire_end(body))
		return false;
	frontend_idle(c, &key, &dest);
	return true;
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct core *c = arg;
	struct ipvs_status status;
	struct ipvs_problem problem;

	if (fd >= 0) {
		close(fd);
		return false;
	}
	switch (type) {
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		return on_service(c, type, body);
	case IPVS_MSG_IMAGE_END:
		if (!wire_end(body) || c->kernel.reader.open)
			return false;
		on_image_end(c);
		return true;
	case IPVS_MSG_STATUS:
		wire_ipvs_status(body, &status);
		if (!wire_end(body))
			return false;
		on_status(c, &status);
		return true;
	case IPVS_MSG_PROBLEM:
		wire_ipvs_problem(body, &problem);
		if (!wire_end(body))
			return false;
		on_problem(c, &problem);
		return true;
	case IPVS_MSG_IDLE:
		return on_idle(c, body);
	case IPVS_MSG_STATS:
	case IPVS_MSG_STATS_DESTS:
		return counts_hear(c, type, body);
	case IPVS_MSG_NOTRACK:
		return notracks_hear(c, body);
	case IPVS_MSG_PATHS:
		return vip_checks_hear(c, body);
	case IPVS_MSG_EVENT:
		return core_log_event("kernel", body);
	default:
		return false;
	}
}

/* The counters go on where the last process left off. */
static void keep_counts(struct kernel_link *k)
{
	k->before.kernel_writes += k->status.kernel_writes;
	k->before.other_writes += k->status.other_writes;
	k->before.repairs += k->status.repairs;
	k->status = (struct ipvs_status){ .last_sync_us = k->status.last_sync_us };
}

static void disconnect(struct core *c)
{
	struct kernel_link *k = &c->kernel;

	bulk_stop(&k->bulk);
	channel_free(k->channel);
	k->channel = NULL;
	k->begun = false;
	keep_counts(k);
	ipvs_message_reader_done(&k->reader);
	k->reader = (struct ipvs_message_reader){ 0 };
	counts_disconnected(c);
	notracks_disconnected(c);
	view_changed(c);
}

static void on_closed(void *arg, const char *why)
{
	struct core *c = arg;

	log_warn("kernel", "ipvs process: %s; the kernel goes on with the table it has", why);
	disconnect(c);
	/* An image that was cut off counts for nothing. */
	if (!c->kernel.image_known) {
		ipvs_table_done(&c->kernel.image);
		ipvs_table_init(&c->kernel.image);
	}
	core_peer_closed(c, why);
}

void kernel_connect(struct core *c, int fd)
{
	struct channel_handler h = { on_message, on_closed, c };
	int r;

	if (c->kernel.channel)
		disconnect(c);
	ours_connected(c);
	r = channel_new(c->loop, fd, &h, &c->kernel.channel);
	if (r < 0)
		log_error("kernel", "channel: %s", strerror(-r));
}
