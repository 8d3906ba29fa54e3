/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the bytes of a list or a watch to items.
 *
 * Where bytes come in they are only queued. The loop's work feeds the queue to
 * the splitter in small pieces, and each object that comes out is decoded by
 * itself: never more than one of them is held as a tree.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "watch/reflector_private.h"

/* The queue: full, reading stops; it goes on when so much is left. */
#define QUEUE_MAX (2u << 20)
#define QUEUE_LOW (512u << 10)
/* In one piece of work: a millisecond of decoding, or one object. */
#define PIECE (24u << 10)

static const struct doc_limits limits = { .nodes = 1000000, .depth = JSON_SPLIT_DEPTH_MAX + 2 };

/* --- items -------------------------------------------------------------------- */

static const char *text_of(const struct doc *d, const char *key)
{
	const char *s = doc_string(doc_get(d, key));

	return s && strlen(s) <= OBJECT_NAME_MAX ? s : "";
}

static void decode(struct reflector *r, const struct doc *d, struct reflector_item *item)
{
	const struct object_origin from = {
		.source = r->config.source,
		.from_cluster = true,
		.path = "",
		.node = r->config.node,
		.kind = r->config.kind,
	};
	const struct doc *m = doc_get(d, "metadata");
	struct err err = { 0 };
	int code = object_decode(d, &from, &item->object, &err);

	/* A kind that is not the one that was asked for: nothing of ours, whatever it is. */
	if (code == -ENOTSUP || (code == 0 && item->object->kind != r->config.kind)) {
		object_free(item->object);
		r->status.skipped++;
		return;
	}
	item->name = text_of(m, "name");
	item->ns = text_of(m, "namespace");
	item->revision = kube_revision(text_of(m, "resourceVersion"));
	item->why = err.text;
	r->sink.item(r->sink.arg, item);
	object_free(item->object);
}

static void on_error_event(struct reflector *r, const struct doc *d)
{
	const char *message = doc_string(doc_get(d, "message"));
	int64_t code;

	r->event_code = doc_integer(doc_get(d, "code"), 400, 599, &code) ? (int)code : 500;
	free(r->event_text);
	r->event_text = xasprintf("the watch ended with an error: %.200s",
				  message ? message : "it says not which");
}

static void on_event(struct reflector *r, const struct doc *event)
{
	const char *type = text_of(event, "type");
	const struct doc *d = doc_get(event, "object");
	uint64_t revision = kube_revision(text_of(doc_get(d, "metadata"), "resourceVersion"));
	struct reflector_item item = { .gone = strcmp(type, "DELETED") == 0 };

	r->events++;
	if (strcmp(type, "ERROR") == 0) {
		on_error_event(r, d);
		return;
	}
	if (d && (item.gone || strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0))
		decode(r, d, &item);
	else if (strcmp(type, "BOOKMARK") != 0)
		r->status.skipped++;
	reflector_advance(r, revision);
}

static bool on_item(void *arg, const char *text, size_t len)
{
	struct reflector *r = arg;
	struct doc_set s = { 0 };
	struct err err = { 0 };
	int code = doc_read_json(text, len, &limits, &s, &err);

	if (code < 0 || s.count == 0) {
		r->split_code = code < 0 ? code : -EBADMSG;
		err_set(&r->split_err, r->split_code, "%s", err.text);
		return false;
	}
	if (r->phase == REFLECTOR_LISTING) {
		struct reflector_item item = { .listed = true };

		decode(r, s.roots[0], &item);
	} else {
		on_event(r, s.roots[0]);
	}
	doc_set_done(&s);
	return r->event_code == 0;
}

static bool on_oversized(void *arg, const struct json_split_oversized *o)
{
	struct reflector *r = arg;
	char why[80];
	struct reflector_item item = {
		.listed = r->phase == REFLECTOR_LISTING,
		.gone = strcmp(o->type, "DELETED") == 0,
		.ns = o->ns,
		.name = o->name,
		.revision = kube_revision(o->resource_version),
		.why = why,
	};

	snprintf(why, sizeof(why), "%llu bytes are too many: at most %u are read",
		 (unsigned long long)o->len, JSON_SPLIT_ITEM_MAX);
	r->events++;
	r->sink.item(r->sink.arg, &item);
	if (!item.listed)
		reflector_advance(r, item.revision);
	return true;
}

/* --- the queue ------------------------------------------------------------------ */

void reflector_read_begin(struct reflector *r, enum json_split_mode mode)
{
	const struct json_split_sink sink = { on_item, on_oversized, r };

	reflector_read_end(r);
	r->split = json_split_new(mode, &sink);
}

void reflector_read_end(struct reflector *r)
{
	loop_work_cancel(r->config.api->loop, r->work);
	r->work = 0;
	buf_done(&r->in);
	r->in_used = 0;
	r->paused = r->over = false;
	json_split_free(r->split);
	r->split = NULL;
	r->split_code = r->event_code = 0;
	r->split_err = (struct err){ 0 };
	r->events = 0;
}

/* What was read leaves the queue; its memory is kept, for there will be more. */
static void shorten(struct reflector *r)
{
	size_t left = r->in.len - r->in_used;

	if (left && r->in_used < QUEUE_LOW)
		return;
	if (left)
		memmove(r->in.data, r->in.data + r->in_used, left);
	r->in.len = left;
	r->in_used = 0;
}

static void read_piece(struct reflector *r)
{
	size_t left = r->in.len - r->in_used;
	size_t n = left < PIECE ? left : PIECE;
	int code = json_split_feed(r->split, r->in.data + r->in_used, n, &r->split_err);

	r->in_used += n;
	if (code < 0 && r->split_code == 0)
		r->split_code = code;
}

static bool read_some(void *arg)
{
	struct reflector *r = arg;
	bool stop;

	if (r->in.len > r->in_used)
		read_piece(r);
	shorten(r);
	stop = r->split_code < 0 || r->event_code;
	if (r->paused && r->in.len - r->in_used < QUEUE_LOW && !stop) {
		r->paused = false;
		http_pause(r->config.api->http, r->stream.id, false);
	}
	if (!stop && r->in.len > r->in_used)
		return true;
	r->work = 0;
	if (r->phase == REFLECTOR_WATCHING)
		r->sink.moved(r->sink.arg);
	if (stop || r->over)
		reflector_answered(r);
	return false;
}

static void wake(struct reflector *r)
{
	if (!r->work)
		r->work = loop_work(r->config.api->loop, read_some, r);
}

bool reflector_on_data(struct kube_exchange *x, const void *data, size_t len)
{
	struct reflector *r = (struct reflector *)x;

	buf_put(&r->in, data, len);
	r->status.heard = loop_now(x->api->loop);
	if (r->in.len - r->in_used >= QUEUE_MAX && !r->paused) {
		r->paused = true;
		http_pause(x->api->http, x->id, true);
	}
	wake(r);
	return true;
}

void reflector_on_over(struct kube_exchange *x)
{
	struct reflector *r = (struct reflector *)x;

	r->over = true;
	r->paused = false;
	wake(r);
}
