/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes to core. A new one is told everything, so that nothing has to be kept for it. */
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "ipvs/order.h"
#include "ipvs/role_parts.h"

#define STATUS_MS	50
#define TELL_QUEUED_MAX (1 << 20) /* bytes in the channel, then it goes on later */
#define TELL_AGAIN_MS	5
#define TELL_AT_A_TIME	200 /* services */
#define EVENTS_KEPT	64
#define EVENT_TEXT_MAX	400

static void send_message(void *arg, uint16_t type, const struct buf *body)
{
	struct ipvs_role *r = arg;

	channel_send(r->core, type, body);
}

void ipvs_tell_trouble(struct ipvs_role *r, const struct ipvs_trouble *t, bool over)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct ipvs_problem p;

	if (!r->core)
		return;
	memset(&p, 0, sizeof(p));
	p.key = t->key;
	p.dest = t->dest;
	p.error = over ? 0 : t->error;
	if (!over)
		snprintf(p.text, sizeof(p.text), "%s", t->text);
	wire_put_ipvs_problem(&b, &p);
	channel_send(r->core, IPVS_MSG_PROBLEM, &b);
}

void ipvs_tell_idle(struct ipvs_role *r, const struct endpoint *key, const struct ipvs_dest *d)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	const struct endpoint dest = { .addr = d->addr,
				       .protocol = key->protocol,
				       .port = d->port };

	if (!r->core)
		return;
	wire_put_endpoint(&b, key);
	wire_put_endpoint(&b, &dest);
	channel_send(r->core, IPVS_MSG_IDLE, &b);
}

void ipvs_tell_notrack(struct ipvs_role *r, const struct ipvs_notrack *n)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_notrack(&b, n);
	channel_send(r->core, IPVS_MSG_NOTRACK, &b);
}

void ipvs_tell_paths(struct ipvs_role *r, const struct ipvs_paths_result *p)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_ipvs_paths_result(&b, p);
	channel_send(r->core, IPVS_MSG_PATHS, &b);
}

/* The service as the kernel holds it, oldest first, of what was counted, which is newest first. */
static uint64_t fingerprint_of(const struct ipvs_row *row, const struct ipvs_stats *counted)
{
	struct ipvs_service s = *row->have;
	uint64_t fingerprint;

	s.dests = NULL;
	s.dest_count = 0;
	for (size_t i = counted->dest_count; i > 0; i--) {
		const struct ipvs_dest_stats *from = &counted->dests[i - 1];
		struct ipvs_dest *d = ipvs_service_add(&s);

		*d = (struct ipvs_dest){ .addr = from->addr,
					 .port = from->port,
					 .weight = from->weight };
	}
	ipvs_image_recall(row, &s);
	fingerprint = ipvs_order_fingerprint(&s);
	ipvs_service_done(&s);
	return fingerprint;
}

bool ipvs_tell_stats(struct ipvs_role *r, struct wire *body)
{
	struct ipvs_stats_answer a = { .id = wire_u32(body) };
	const struct endpoint key = wire_endpoint(body);
	const struct ipvs_row *row;
	int ret = -ESRCH;

	if (!wire_end(body) || !key.addr.family)
		return false;
	/* Of what is not ours nothing is told. */
	row = ipvs_image_get(&r->image, &key);
	if (row && row->have)
		ret = r->kernel.ops->read_stats(r->kernel.kernel, &key, &a.stats);
	if (ret == 0) {
		a.stats.fingerprint = fingerprint_of(row, &a.stats);
		ipvs_stats_sort(&a.stats);
	}
	a.error = -ret;
	ipvs_stats_put(&a, send_message, r);
	ipvs_stats_done(&a.stats);
	return true;
}

/* A few are kept until there is a core: what was done at start is told then. */
static void keep_event(struct ipvs_role *r, enum log_level level, const char *text)
{
	if (r->event_count == EVENTS_KEPT)
		return;
	r->event_count++;
	wire_put_u8(&r->events, (uint8_t)level);
	wire_put_str(&r->events, text);
}

static void send_event(struct ipvs_role *r, enum log_level level, const char *text)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_u8(&b, (uint8_t)level);
	wire_put_str(&b, text);
	channel_send(r->core, IPVS_MSG_EVENT, &b);
}

static void send_kept_events(struct ipvs_role *r)
{
	struct wire w = wire_of(r->events.data, r->events.len);

	while (w.left) {
		enum log_level level = (enum log_level)wire_u8(&w);
		char text[EVENT_TEXT_MAX];

		wire_str(&w, text, sizeof(text));
		send_event(r, level, text);
	}
	buf_reset(&r->events);
	r->event_count = 0;
}

void ipvs_tell_event(struct ipvs_role *r, enum log_level level, const char *fmt, ...)
{
	char text[EVENT_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (r->core)
		send_event(r, level, text);
	else
		keep_event(r, level, text);
}

static void send_status(struct ipvs_role *r)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	loop_cancel(r->loop, r->status_timer);
	r->status_timer = 0;
	r->status_at = loop_now(r->loop);
	r->told = r->status;
	wire_put_ipvs_status(&b, &r->status);
	channel_send(r->core, IPVS_MSG_STATUS, &b);
}

static uint32_t count_pending(const struct ipvs_role *r)
{
	uint32_t n = 0;

	for (unsigned q = IPVS_QUEUE_NONE + 1; q < IPVS_QUEUE_ORDER; q++)
		n += r->queues[q].count;
	return n;
}

static void on_status_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->status_timer = 0;
	ipvs_tell_status(r);
}

/* Not by memcmp(): there is padding. */
static bool status_same(const struct ipvs_status *a, const struct ipvs_status *b)
{
	return a->generation == b->generation && a->synced == b->synced && a->ready == b->ready &&
	       a->kernel_writes == b->kernel_writes && a->other_writes == b->other_writes &&
	       a->repairs == b->repairs && a->last_sync_us == b->last_sync_us &&
	       a->last_sync_writes == b->last_sync_writes && a->services == b->services &&
	       a->dests == b->dests && a->pending == b->pending && a->problems == b->problems &&
	       a->disordered == b->disordered;
}

void ipvs_tell_status(struct ipvs_role *r)
{
	struct ipvs_status *s = &r->status;

	s->ready = true;
	s->services = r->image.services;
	s->dests = r->image.dests;
	s->pending = count_pending(r);
	s->disordered = r->queues[IPVS_QUEUE_ORDER].count;
	s->problems = (uint32_t)r->troubles.count + r->host_failed;
	s->other_writes = r->timeout_writes + (r->host ? r->host_ops->writes(r->host) : 0);
	s->synced = r->committed && s->pending == 0;
	if (s->synced)
		s->generation = r->commit.generation;
	if (!r->core || (r->status_at.ns && status_same(s, &r->told)))
		return;
	if (r->status_at.ns == 0 || s->synced != r->told.synced ||
	    s->generation != r->told.generation ||
	    mono_sub_ms(loop_now(r->loop), r->status_at) >= STATUS_MS)
		send_status(r);
	else if (!r->status_timer)
		r->status_timer = loop_timer_in(r->loop, STATUS_MS, on_status_timer, r);
}

static int compare_keys(const void *a, const void *b)
{
	return endpoint_cmp(a, b);
}

static void tell_next(void *arg)
{
	struct ipvs_role *r = arg;
	struct buf empty = { 0 };

	r->telling_timer = 0;
	for (unsigned i = 0; i < TELL_AT_A_TIME && r->telling_at < r->telling_count &&
			     channel_queued(r->core) < TELL_QUEUED_MAX;
	     i++) {
		struct ipvs_row *row = ipvs_image_get(&r->image, &r->telling[r->telling_at++]);
		struct ipvs_service s;
		struct ipvs_dest *dests;

		if (!row || !row->have)
			continue;
		s = ipvs_service_copy(row->have);
		dests = ipvs_service_edit(&s);
		for (uint32_t k = 0; k < s.dest_count; k++)
			dests[k].nominal = 0; /* what core does not know of is not told */
		ipvs_service_sort(&s);
		ipvs_message_put_service(&s, send_message, r);
		ipvs_service_done(&s);
	}
	if (r->telling_at < r->telling_count) {
		r->telling_timer = loop_timer_in(r->loop, TELL_AGAIN_MS, tell_next, r);
		return;
	}
	channel_send(r->core, IPVS_MSG_IMAGE_END, &empty);
	free(r->telling);
	r->telling = NULL;
}

void ipvs_tell_stop(struct ipvs_role *r)
{
	loop_cancel(r->loop, r->telling_timer);
	r->telling_timer = 0;
	free(r->telling);
	r->telling = NULL;
}

void ipvs_tell_image(struct ipvs_role *r)
{
	const struct ipvs_trouble *t;
	struct ipvs_row *row;

	ipvs_tell_stop(r);
	r->telling = xcalloc(r->image.services + 1, sizeof(*r->telling));
	r->telling_count = r->telling_at = 0;
	for (size_t pos = 0; (row = map_next(&r->image.rows, &pos));) {
		if (row->have)
			r->telling[r->telling_count++] = row->key;
	}
	qsort(r->telling, r->telling_count, sizeof(*r->telling), compare_keys);
	for (size_t pos = 0; (t = map_next(&r->troubles, &pos));)
		ipvs_tell_trouble(r, t, false);
	send_kept_events(r);
	r->status_at = (mono_t){ 0 };
	ipvs_tell_status(r);
	tell_next(r);
}
