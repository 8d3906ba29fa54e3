/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REST requests: "METHOD TARGET", then Accept, Host, Accept-Language,
 * X-Request-Id, Last-Event-ID, Origin, Sec-Fetch-Site, Accept-Encoding and
 * If-None-Match on lines of their own, through parsing, routing and listing to
 * the whole answer, over a small snapshot. So is what core answers of one
 * target: those of the snapshot are there, of which the last reason is as the
 * target's place has it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/request_id.h"
#include "agent/api/rest.h"
#include "agent/api/schema.h"
#include "agent/api/target_route.h"
#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "tests/lib/metric_reader.h"
#include "tests/lib/snapshots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever was asked, the answer is JSON, lines of JSON, or "ok". */
static void check_json(const char *text, size_t len)
{
	struct doc_set set = { 0 };
	struct err err;
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, &err);

	assert(r == 0 && set.count == 1);
	doc_set_done(&set);
}

static void check_lines(const char *text)
{
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		check_json(text, (size_t)(end - text));
	assert(!*text);
}

static void check_reply(struct rest_reply *r)
{
	if (r->keep) { /* a file of the page */
		assert(r->status == 200 || r->status == 304);
		assert((r->status == 304) == (r->body.len == 0 && !r->constant));
		assert(r->gzip == (r->constant != NULL));
	} else if (r->stream) {
		assert(r->status == 200 && r->body.len == 0);
		while (list_stream_read(r->stream, &r->body, 100))
			;
		check_lines(buf_cstr(&r->body));
	} else if (r->watch) {
		assert(r->status == 200 && r->body.len == 0);
		while (watch_read(r->watch, &r->body))
			;
		assert(strstr(buf_cstr(&r->body), "event: "));
	} else if (strcmp(r->type, REST_NDJSON) == 0) {
		check_lines(buf_cstr(&r->body));
	} else if (strcmp(r->type, REST_METRICS_TEXT) == 0) {
		assert(!metric_text_fault(buf_cstr(&r->body)));
	} else if (strcmp(r->type, REST_TEXT) == 0) {
		assert(strcmp(buf_cstr(&r->body), "ok\n") == 0);
	} else {
		check_json((const char *)r->body.data, r->body.len);
	}
	for (size_t i = 0; i < r->link.len; i++)
		assert(r->link.data[i] >= 0x20 && r->link.data[i] < 0x7f);
	assert((r->status == 200 || r->keep) != (strcmp(r->type, REST_PROBLEM) == 0));
	assert(r->allow == (r->status == 405));
}

/* --- one target, as core tells of it ------------------------------------------------------ */

static const struct check *check_of(const struct snapshot *s, uint64_t id, const char **pool)
{
	for (size_t i = 0; i < s->pool_count; i++)
		for (size_t k = 0; k < s->pools[i]->member_count; k++) {
			const struct check *c = s->pools[i]->pool->set.check;
			const struct member_view m = pool_view_member(s->pools[i], k);

			*pool = s->pools[i]->pool->id;
			if (check_target_id(c, &m.endpoint) == id)
				return c;
		}
	return NULL;
}

static bool find_target(void *arg, uint64_t id, struct target_details *out)
{
	const struct snapshot *s = arg;
	size_t i = 0;

	while (i < s->targets->count && s->targets->items[i].id != id)
		i++;
	if (i == s->targets->count)
		return false;
	memset(out, 0, sizeof(*out));
	out->target = s->targets->items[i];
	out->check = check_of(s, id, &out->users[0].pool);
	assert(out->check);
	out->reason = (enum hc_reason)(i % HC_REASON_COUNT);
	out->users[0].member = out->target.endpoint;
	out->user_count = out->users_shown = 1;
	out->past_count = i % TRANSITIONS_EACH;
	for (size_t k = 0; k < out->past_count; k++)
		out->past[k] = (struct transition){ s->started_ms, (int32_t)k - 1, (uint8_t)(k % 3),
						    (uint8_t)(k % HC_REASON_COUNT) };
	return true;
}

static bool look_at_target(void *arg, uint64_t id, target_seen_fn *fn, void *fn_arg)
{
	const struct hc_sight s = { .id = id,
				    .is_known = true,
				    .is_probed = id % 3,
				    .began_ago_ms = HC_SIGHT_MAX_MS,
				    .due_in_ms = -HC_SIGHT_MAX_MS,
				    .took_us = UINT32_MAX };

	(void)arg;
	if (id % 2)
		fn(fn_arg, &s);
	return id % 2;
}

static int64_t now_of_target(void *arg)
{
	return ((const struct snapshot *)arg)->started_ms;
}

static void keep_reply(void *arg, struct rest_reply *reply)
{
	*(struct rest_reply *)arg = *reply;
}

static void ask_target(const struct rest_request *r, struct snapshot *s)
{
	const struct target_look_place place = { .all = target_looks_new(),
						 .find = find_target,
						 .look = look_at_target,
						 .now_ms = now_of_target,
						 .arg = s };
	struct rest_reply reply;

	switch (target_admit(r, &reply)) {
	case EDIT_NOT_OURS:
		assert(!target_is_asked_for(r));
		break;
	case EDIT_ADMITTED:
		assert(target_is_asked_for(r));
		target_begin(&place, r, keep_reply, &reply);
		__attribute__((fallthrough));
	case EDIT_REFUSED:
		check_reply(&reply);
		rest_reply_done(&reply);
		break;
	}
	target_looks_free(place.all);
}

/* One in which something has happened. */
static struct feed *turned_feed(struct snapshot *s)
{
	struct feed *f = feed_new();

	(void)feed_take(f, snapshot_ref(s), s->started_ms);
	(void)feed_take(f, snapshot_turned(s, 2, 0, VERDICT_DOWN, s->started_ms), s->started_ms);
	return f;
}

/* Cuts the next line, or what stands before a blank, off *rest; NULL where nothing is left. */
static char *cut(char **rest, const char *at)
{
	return *rest ? strsep(rest, at) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *rest = text;
	struct snapshot *s = snapshot_sample(INT64_C(1795316400000));
	struct pictures *pictures = pictures_new();
	struct feed *feed = turned_feed(s);
	struct rest_state state = { .snapshot = s, .pictures = pictures, .feed = feed };
	struct rest_request request = { .header_bytes = size };
	struct rest_reply reply;

	request.method = cut(&rest, " ");
	request.target = cut(&rest, "\n");
	request.accept = cut(&rest, "\n");
	request.host = cut(&rest, "\n");
	request.accept_language = cut(&rest, "\n");
	request.request_id = cut(&rest, "\n");
	if (request.request_id && !request_id_is_good(request.request_id))
		request.request_id = NULL;
	request.last_event_id = cut(&rest, "\n");
	request.origin = cut(&rest, "\n");
	request.fetch_site = cut(&rest, "\n");
	request.accept_encoding = cut(&rest, "\n");
	request.if_none_match = cut(&rest, "\n");
	request.over_tcp = request.host != NULL;
	if (request.target) {
		rest_answer(&request, &state, &reply);
		check_reply(&reply);
		rest_reply_done(&reply);
		rest_answer(&request, &(struct rest_state){ 0 }, &reply);
		check_reply(&reply);
		rest_reply_done(&reply);
		ask_target(&request, s);
	}
	pictures_free(pictures);
	feed_free(feed);
	snapshot_unref(s);
	free(text);
	return 0;
}
