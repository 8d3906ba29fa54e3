/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to list, when to watch, when to wait: the table in reflector.h. */
#include "watch/reflector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "watch/reflector_private.h"

#define BACKOFF_FIRST_MS 800
#define BACKOFF_MOST_MS	 30000
/* Where nobody answers at all: to ask costs little, and who waits long is late when somebody does. */
#define BACKOFF_AWAY_MOST_MS 5000
#define BACKOFF_QUIET_MS     120000 /* without a failure, and it begins anew */
/* A watch that ends sooner, without an event, is as good as a failure. */
#define SHORT_MS	1000
#define EXPIRED_SOON_MS 5000
/* Tries at once in a row: servers may take turns in beginning an answer and breaking it off. */
#define HASTY_MAX 8
/* A server sends a bookmark each minute. */
#define WATCH_IDLE_S  150
#define WATCH_LEAST_S 300 /* how long one is asked for: so much, and up to so much again */
/* A list waits its turn on a server that has many to answer. */
#define LIST_IDLE_S	75
#define MISSING_MS	600000 /* until a resource that the server does not know is asked for again */
#define UNKNOWN_MIN	3      /* so many 404s without a Status, and it is not known */
#define GUARD_MS	180000
#define GUARD_JITTER_MS 60000
#define GUARD_AGAIN_MS	5000 /* it could not be asked */

static void ask(void *arg);
static void guard(void *arg);

static struct loop *loop_of(const struct reflector *r)
{
	return r->config.api->loop;
}

static mono_t now_of(const struct reflector *r)
{
	return loop_now(loop_of(r));
}

/* --- what is told of it --------------------------------------------------------- */

/* Takes the text over; NULL: it follows. */
static void set_status(struct reflector *r, char *why)
{
	bool same = r->why && why && strcmp(r->why, why) == 0;

	r->status.tried = true;
	if (!why && r->status.following)
		return;
	if (same) {
		free(why);
		return;
	}
	free(r->why);
	r->why = why;
	r->status.following = !why;
	r->status.why = why ? why : "";
	if (!why)
		r->status.denied = false;
	r->sink.moved(r->sink.arg);
}

static void set_away(struct reflector *r, const char *why)
{
	set_status(r, xasprintf("%s: %s", r->config.resource, why));
}

static const char *group_of(const struct reflector *r)
{
	return strncmp(r->config.path, "/api/", 5) == 0 ? "" : "discovery.k8s.io";
}

/* What to do about it belongs to it. */
static void set_denied(struct reflector *r)
{
	CLEANUP(xfree_ptr) char *rule = NULL;
	const struct kube_exchange *x = &r->stream;

	r->status.denied = true;
	if (x->status == 403)
		rule = xasprintf("; it takes a ClusterRole with {apiGroups: [\"%s\"], resources: "
				 "[%s], verbs: [list, watch]}, bound to who we are",
				 group_of(r), r->config.resource);
	else
		rule = xstrdup("; the token or the certificate is not taken");
	set_status(r, xasprintf("%s may not be %s: %s%s", r->config.resource,
				r->list_next ? "listed" : "watched", buf_cstr(&r->stream.failure),
				rule));
}

/* --- waiting -------------------------------------------------------------------- */

static int64_t backoff(struct reflector *r)
{
	uint32_t most = r->stream.status == 0 ? BACKOFF_AWAY_MOST_MS : BACKOFF_MOST_MS;
	mono_t now = now_of(r);
	uint32_t ms;

	if (!r->failed_at.ns || mono_sub_ms(now, r->failed_at) >= BACKOFF_QUIET_MS)
		r->backoff_ms = BACKOFF_FIRST_MS;
	ms = r->backoff_ms + kube_api_random(r->config.api, r->backoff_ms);
	r->backoff_ms = r->backoff_ms * 2 < most ? r->backoff_ms * 2 : most;
	ms = ms < most ? ms : most;
	r->failed_at = mono_add_ms(now, ms);
	return ms;
}

static void ask_in(struct reflector *r, bool list, int64_t ms)
{
	r->phase = REFLECTOR_WAITING;
	r->list_next = list;
	loop_cancel(loop_of(r), r->timer);
	r->timer = loop_timer_in(loop_of(r), ms, ask, r);
}

static void ask_later(struct reflector *r, bool list)
{
	const struct kube_exchange *x = &r->stream;

	int64_t ms = backoff(r);

	if (x->retry_after_s * INT64_C(1000) > ms) {
		uint32_t told_ms = (uint32_t)x->retry_after_s * 1000;

		ms = told_ms + kube_api_random(r->config.api, told_ms / 4);
	}
	ask_in(r, list, ms);
}

/* --- asking --------------------------------------------------------------------- */

static void put_query(const struct reflector *r, struct buf *path)
{
	if (*r->config.query)
		buf_printf(path, "&%s", r->config.query);
}

static void ask(void *arg)
{
	struct reflector *r = arg;
	CLEANUP(buf_done) struct buf path = { 0 };

	r->timer = 0;
	reflector_read_begin(r, r->list_next ? JSON_SPLIT_LIST : JSON_SPLIT_WATCH);
	if (r->list_next) {
		/* What the guard was sent for is told by the list itself. */
		kube_get_cancel(r->guard);
		r->guard = NULL;
		loop_cancel(loop_of(r), r->list_timer);
		r->list_timer = 0;
		buf_printf(&path, "%s%s%s", r->config.path, *r->config.query ? "?" : "",
			   r->config.query);
		r->phase = REFLECTOR_LISTING;
		r->sink.begin(r->sink.arg);
	} else {
		buf_printf(&path,
			   "%s?watch=1&allowWatchBookmarks=true&resourceVersion=%" PRIu64
			   "&timeoutSeconds=%u",
			   r->config.path, r->status.revision,
			   WATCH_LEAST_S + kube_api_random(r->config.api, WATCH_LEAST_S + 1));
		put_query(r, &path);
		r->phase = REFLECTOR_WATCHING;
	}
	r->stream.gzip = r->list_next;
	r->stream.idle_s = r->list_next ? LIST_IDLE_S : WATCH_IDLE_S;
	kube_exchange_start(&r->stream, buf_cstr(&path));
}

/* Drops what is under way. */
static void list_now(struct reflector *r, int64_t in_ms)
{
	kube_exchange_cancel(&r->stream);
	reflector_read_end(r);
	kube_get_cancel(r->guard);
	loop_cancel(loop_of(r), r->guard_timer);
	r->guard = NULL;
	r->guard_timer = 0;
	ask_in(r, true, in_ms);
}

/* --- the guard ------------------------------------------------------------------ */

static void guard_in(struct reflector *r, int64_t ms)
{
	loop_cancel(loop_of(r), r->guard_timer);
	r->guard_timer = loop_timer_in(loop_of(r), ms, guard, r);
}

static void guard_in_a_while(struct reflector *r)
{
	guard_in(r, GUARD_MS + kube_api_random(r->config.api, GUARD_JITTER_MS));
}

static bool pass_item(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
	return true;
}

static bool pass_oversized(void *arg, const struct json_split_oversized *o)
{
	(void)arg;
	(void)o;
	return true;
}

static uint64_t revision_of_list(const char *body, size_t len)
{
	const struct json_split_sink sink = { pass_item, pass_oversized, NULL };
	struct json_split *s = json_split_new(JSON_SPLIT_LIST, &sink);
	uint64_t revision;

	(void)!json_split_feed(s, body, len, NULL);
	revision = kube_revision(json_split_list(s)->resource_version);
	json_split_free(s);
	return revision;
}

static void went_back(struct reflector *r, uint64_t revision)
{
	char why[200];

	snprintf(why, sizeof(why),
		 "the server is at revision %" PRIu64 ", before ours, %" PRIu64
		 " (restored from a copy?): reading everything again",
		 revision, r->guard_revision);
	r->resumed = false;
	set_away(r, why);
	list_now(r, 0);
}

static void on_guard(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct reflector *r = arg;
	uint64_t revision = kube_exchange_whole(x) ? revision_of_list(body, len) : 0;

	r->guard = NULL;
	if (r->phase != REFLECTOR_WATCHING)
		return; /* what opens next brings it back */
	if (!revision) {
		guard_in(r, GUARD_AGAIN_MS);
		return;
	}
	if (revision < r->guard_revision) {
		went_back(r, revision);
		return;
	}
	r->resumed = false;
	if (kube_exchange_good(&r->stream))
		set_status(r, NULL);
	guard_in_a_while(r);
}

static void guard(void *arg)
{
	struct reflector *r = arg;
	CLEANUP(buf_done) struct buf path = { 0 };

	r->guard_timer = 0;
	if (r->guard || r->phase != REFLECTOR_WATCHING)
		return;
	/* The revision is the whole server's: a selector would have it look at more for nothing. */
	buf_printf(&path, "%s?limit=1", r->config.path);
	r->guard_revision = r->status.revision;
	r->guard = kube_send_now(r->config.api, "GET", buf_cstr(&path), "", on_guard, r);
}

static void on_opened(struct kube_exchange *x)
{
	struct reflector *r = (struct reflector *)x;

	r->opened_at = r->status.heard = now_of(r);
	if (r->phase != REFLECTOR_WATCHING)
		return;
	r->status.watches++;
	r->hasty = 0;
	/* One from the future is silent: after a start the guard has to say that it is none. */
	if (!r->resumed)
		set_status(r, NULL);
	if (r->fresh)
		guard_in_a_while(r);
	else
		guard_in(r, 0);
	r->fresh = false;
}

void reflector_advance(struct reflector *r, uint64_t revision)
{
	if (revision >= r->status.revision)
		r->status.revision = revision;
	else if (revision && !r->guard)
		guard_in(r, 0); /* a step back is odd: is the whole server there? */
}

/* --- answers -------------------------------------------------------------------- */

/* 0, or why the list cannot be used. */
static const char *fault_of_list(struct reflector *r, uint64_t *revision, char *text, size_t size)
{
	const struct json_split_list *list = json_split_list(r->split);

	if (r->split_code == 0)
		r->split_code = json_split_end(r->split, &r->split_err);
	if (r->split_code < 0) {
		snprintf(text, size, "the list cannot be read: %s", r->split_err.text);
		return text;
	}
	*revision = kube_revision(list->resource_version);
	if (strcmp(list->kind, "Status") == 0 || !*revision)
		return "the answer is no list";
	if (list->continue_token && *list->continue_token)
		return "the server answers in pages, which was not asked for";
	return NULL;
}

static void failed(struct reflector *r, bool list, const char *why)
{
	set_away(r, why);
	ask_later(r, list);
}

/* The sink wants another list, while the watch goes on. */
static void list_due(void *arg)
{
	struct reflector *r = arg;

	r->list_timer = 0;
	list_now(r, 0);
}

static void list_answered(struct reflector *r)
{
	char text[ERR_TEXT_MAX + 64];
	uint64_t revision = 0;
	const char *fault = fault_of_list(r, &revision, text, sizeof(text));
	uint32_t again_ms;

	if (fault) {
		failed(r, true, fault);
		return;
	}
	r->status.lists++;
	r->hasty = 0;
	r->status.revision = revision;
	r->status.missing = false;
	r->resumed = false;
	again_ms = r->sink.listed(r->sink.arg, revision);
	if (again_ms)
		r->list_timer = loop_timer_in(loop_of(r), again_ms, list_due, r);
	r->listed_at = now_of(r);
	r->fresh = true;
	ask_in(r, false, 0);
}

/* What was asked for is not kept any more. Right after a list that is odd, and no reason to hurry. */
static void expired(struct reflector *r)
{
	if (mono_sub_ms(now_of(r), r->listed_at) < EXPIRED_SOON_MS)
		failed(r, true, "the server does not keep what it has listed just now");
	else
		list_now(r, 0);
}

static void watch_answered(struct reflector *r)
{
	bool is_short = mono_sub_ms(now_of(r), r->opened_at) < SHORT_MS && r->events == 0;

	if (r->event_code == 410) {
		expired(r);
	} else if (r->event_code) {
		failed(r, r->event_code < 500 && r->event_code != 429, r->event_text);
	} else if (r->split_code < 0) {
		char text[ERR_TEXT_MAX + 64];

		snprintf(text, sizeof(text), "the watch cannot be read: %s", r->split_err.text);
		failed(r, true, text);
	} else if (is_short) {
		failed(r, false, "the watch ends as soon as it is open");
	} else {
		ask_in(r, false, 0);
	}
}

/* What it said of a resource that it does know is not made undone by a 404. */
static bool may_be_missing(const struct reflector *r)
{
	return r->config.optional && r->phase == REFLECTOR_LISTING && !r->status.revision;
}

static bool is_page_not_found(const struct kube_exchange *x)
{
	static const char text[] = "404 page not found";

	return x->error.len >= sizeof(text) - 1 &&
	       memcmp(x->error.data, text, sizeof(text) - 1) == 0;
}

static void missing(struct reflector *r)
{
	const struct kube_exchange *x = &r->stream;

	if (!x->is_status && (!is_page_not_found(x) || ++r->unknown < UNKNOWN_MIN)) {
		failed(r, true, buf_cstr(&r->stream.failure));
		return;
	}
	r->status.missing = true;
	set_away(r, "the server does not know this resource");
	if (x->is_status)
		ask_in(r, true, MISSING_MS);
	else
		ask_later(r, true);
}

static void refused(struct reflector *r, bool list)
{
	const struct kube_exchange *x = &r->stream;
	const char *failure = buf_cstr(&r->stream.failure);

	if (x->status != 404)
		r->unknown = 0;
	if (x->retry_now && r->hasty < HASTY_MAX) {
		/* Another server, or a new token: not a failure before that has failed too. */
		r->hasty++;
		ask_in(r, list, 0);
	} else if (x->status == 404 && may_be_missing(r)) {
		missing(r);
	} else if (x->status == 410 && !list) {
		expired(r);
	} else if (x->status == 401 || x->status == 403) {
		set_denied(r);
		ask_later(r, list);
	} else {
		bool keep = !list && (x->status == 0 || x->status == 429 || x->status >= 500);

		failed(r, !keep, failure);
	}
}

void reflector_answered(struct reflector *r)
{
	struct kube_exchange *x = &r->stream;
	bool list = r->phase == REFLECTOR_LISTING;

	kube_exchange_cancel(x);
	if (!kube_exchange_good(x) || (list && x->result != HTTP_DONE && r->split_code == 0))
		refused(r, list);
	else if (list)
		list_answered(r);
	else
		watch_answered(r);
}

/* --- start and end -------------------------------------------------------------- */

struct reflector *reflector_new(const struct reflector_config *c, const struct reflector_sink *sink)
{
	struct reflector *r = xcalloc(1, sizeof(*r));

	r->config = *c;
	r->sink = *sink;
	r->stream.api = c->api;
	r->stream.opened = on_opened;
	r->stream.data = reflector_on_data;
	r->stream.over = reflector_on_over;
	r->status.why = r->why = xasprintf("%s: not listed yet", c->resource);
	return r;
}

void reflector_free(struct reflector *r)
{
	if (!r)
		return;
	reflector_read_end(r);
	kube_exchange_done(&r->stream);
	kube_get_cancel(r->guard);
	loop_cancel(loop_of(r), r->timer);
	loop_cancel(loop_of(r), r->list_timer);
	loop_cancel(loop_of(r), r->guard_timer);
	free(r->event_text);
	free(r->why);
	free(r);
}

void reflector_start(struct reflector *r, uint64_t revision, uint32_t in_ms)
{
	r->status.revision = revision;
	r->resumed = revision != 0;
	ask_in(r, revision == 0, in_ms);
}

const struct reflector_status *reflector_status(const struct reflector *r)
{
	return &r->status;
}

const struct reflector_config *reflector_config(const struct reflector *r)
{
	return &r->config;
}
