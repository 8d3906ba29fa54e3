/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REST requests: "METHOD TARGET", then Accept, Host, Accept-Language,
 * X-Request-Id, Last-Event-ID, Origin, Sec-Fetch-Site, Accept-Encoding and
 * If-None-Match on lines of their own, through parsing, routing and listing to
 * the whole answer, over a small snapshot.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/request_id.h"
#include "agent/api/rest.h"
#include "agent/api/schema.h"
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
	}
	pictures_free(pictures);
	feed_free(feed);
	snapshot_unref(s);
	free(text);
	return 0;
}
