/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <jansson.h>

#include "agent/base/hash.h"
#include "agent/base/map.h"
#include "agent/base/xalloc.h"
#include "watch/kube_time.h"

#define STEP_MS	  1000
#define DENIED_MS 300000
/* "name.0123456789abcdef", within what a name may have. */
#define EVENT_NAME_MAX 253

struct trouble {
	enum object_kind kind;
	char *ns, *name, *uid, *part, *text;
	mono_t since; /* it has been wrong in these words */
	bool waiting;
	bool told;
	mono_t told_at;
	TAILQ_ENTRY(trouble) entry; /* by what is to be told next, or by when it was told */
};
TAILQ_HEAD(troubles, trouble);

struct kube_events {
	struct kube_api *api;
	char *node;
	struct map map;
	struct troubles waiting, told;
	struct kube_get *request;
	struct trouble *telling; /* NULL: it was mended meanwhile */
	timer_id timer;		 /* until the next may be told */
	timer_id recall_timer;	 /* until the first of those that were told is forgotten */
	unsigned tokens;
	mono_t filled;
	bool leading;
	bool denied; /* as told */
	kube_events_problem_fn *problem;
	void *arg;
};

/* --- what is wrong --------------------------------------------------------------- */

static bool is_about(const void *object, const void *key)
{
	const struct trouble *t = object;
	const struct watch_report *s = key;

	return t->kind == s->kind && strcmp(t->name, s->name) == 0 && strcmp(t->ns, s->ns) == 0 &&
	       strcmp(t->part, s->part) == 0;
}

static uint64_t hash_of(const struct watch_report *s)
{
	struct buf b = { 0 };
	uint64_t h;

	wire_put_u8(&b, (uint8_t)s->kind);
	wire_put_str(&b, s->ns);
	wire_put_str(&b, s->name);
	wire_put_str(&b, s->part);
	h = hash_table(b.data, b.len);
	buf_done(&b);
	return h;
}

static void trouble_free(struct trouble *t)
{
	free(t->ns);
	free(t->name);
	free(t->uid);
	free(t->part);
	free(t->text);
	free(t);
}

static void unlink_trouble(struct kube_events *e, struct trouble *t)
{
	if (t->waiting)
		TAILQ_REMOVE(&e->waiting, t, entry);
	else if (t->told)
		TAILQ_REMOVE(&e->told, t, entry);
	t->waiting = t->told = false;
}

static void go_on(struct kube_events *e);
static void recall(void *arg);

static void to_tell(struct kube_events *e, struct trouble *t)
{
	unlink_trouble(e, t);
	t->waiting = true;
	TAILQ_INSERT_TAIL(&e->waiting, t, entry);
	go_on(e);
}

static void was_told(struct kube_events *e, struct trouble *t)
{
	unlink_trouble(e, t);
	t->told = true;
	t->told_at = loop_now(e->api->loop);
	TAILQ_INSERT_TAIL(&e->told, t, entry);
	if (!e->recall_timer)
		e->recall_timer = loop_timer_in(e->api->loop, KUBE_EVENTS_EVERY_MS, recall, e);
}

static void mended(struct kube_events *e, const struct watch_report *s)
{
	struct trouble *t = map_take(&e->map, hash_of(s), s);

	if (!t)
		return;
	if (e->telling == t)
		e->telling = NULL;
	unlink_trouble(e, t);
	trouble_free(t);
}

static char *cut_note(const char *text)
{
	size_t len = strlen(text);

	if (len <= KUBE_EVENTS_NOTE_MAX)
		return xstrdup(text);
	/* Not in the midst of a character. */
	for (len = KUBE_EVENTS_NOTE_MAX - 3; len && ((unsigned char)text[len] & 0xc0) == 0x80;)
		len--;
	return xasprintf("%.*s...", (int)len, text);
}

void kube_events_set(struct kube_events *e, const struct watch_report *s)
{
	struct trouble *t;
	char *note;

	if (!s->text) {
		mended(e, s);
		return;
	}
	note = cut_note(s->text);
	t = map_get(&e->map, hash_of(s), s);
	if ((t && strcmp(t->text, note) == 0 && strcmp(t->uid, s->uid) == 0) ||
	    (!t && e->map.count == KUBE_EVENTS_MAX)) {
		free(note);
		return;
	}
	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->kind = s->kind;
		t->ns = xstrdup(s->ns);
		t->name = xstrdup(s->name);
		t->part = xstrdup(s->part);
		map_put(&e->map, hash_of(s), t);
	}
	free(t->uid);
	free(t->text);
	t->uid = xstrdup(s->uid);
	t->text = note;
	t->since = loop_now(e->api->loop);
	if (e->telling == t)
		e->telling = NULL;
	to_tell(e, t);
}

/* --- an Event --------------------------------------------------------------------- */

/* The same for the same thing said of the same object, whichever agent says it. */
static void event_name(const struct trouble *t, char out[static EVENT_NAME_MAX + 1])
{
	struct buf b = { 0 };

	wire_put_str(&b, t->uid);
	wire_put_str(&b, t->part);
	wire_put_str(&b, t->text);
	snprintf(out, EVENT_NAME_MAX + 1, "%.236s.%016llx", t->name,
		 (unsigned long long)hash_id(b.data, b.len));
	buf_done(&b);
}

static const char *api_version(enum object_kind k)
{
	return k == OBJECT_SLICE ? "discovery.k8s.io/v1" : "v1";
}

static char *event_json(const struct kube_events *e, const struct trouble *t)
{
	char now[KUBE_MICRO_TIME_MAX], name[EVENT_NAME_MAX + 1];
	json_t *j;
	char *text;

	event_name(t, name);
	kube_micro_time(clock_wall_ms(loop_clock(e->api->loop)), now);
	j = json_pack("{s:s, s:s, s:{s:s, s:s}, s:s, s:s, s:s, s:s, s:s, s:s, s:s,"
		      " s:{s:s, s:s, s:s, s:s}}",
		      "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "namespace",
		      t->ns, "name", name, "eventTime", now, "type", "Warning", "reason",
		      "NotAsWritten", "action", "Configure", "note", t->text, "reportingController",
		      "parasaus.io/agent", "reportingInstance", e->node, "regarding", "apiVersion",
		      api_version(t->kind), "kind", object_kind_text(t->kind), "namespace", t->ns,
		      "name", t->name);
	/* A text that is no UTF-8 cannot be packed: it is not worth an Event then. */
	if (!j)
		return NULL;
	if (*t->uid)
		json_object_set_new(json_object_get(j, "regarding"), "uid", json_string(t->uid));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

/* --- telling ------------------------------------------------------------------------ */

static void tell_denied(struct kube_events *e, bool denied)
{
	if (denied == e->denied)
		return;
	e->denied = denied;
	e->problem(e->arg,
		   denied ? "it takes a ClusterRole with {apiGroups: [events.k8s.io], resources: "
			    "[events], verbs: [create]}, bound to who we are"
			  : NULL);
}

static void step(void *arg)
{
	struct kube_events *e = arg;

	e->timer = 0;
	go_on(e);
}

static void go_on_in(struct kube_events *e, int64_t ms)
{
	if (!e->timer)
		e->timer = loop_timer_in(e->api->loop, ms, step, e);
}

/* In the words of every authorizer; a namespace that is going, or admission, has others. */
static bool is_denied(const struct kube_exchange *x)
{
	return x->status == 403 && kube_exchange_says(x, "cannot create resource");
}

/* It was made already, or this one cannot be: its namespace may be going, or have its own rules. */
static bool is_settled(const struct kube_exchange *x)
{
	return x->status == 409 || x->status == 404 || x->status == 400 || x->status == 422 ||
	       (x->status == 403 && x->is_status);
}

static void on_answer(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct kube_events *e = arg;
	struct trouble *t = e->telling;

	(void)body, (void)len;
	e->request = NULL;
	e->telling = NULL;
	if (is_denied(x)) {
		tell_denied(e, true);
		go_on_in(e, DENIED_MS);
		return;
	}
	if (kube_exchange_good(x) || is_settled(x)) {
		tell_denied(e, false);
		if (t)
			was_told(e, t);
		go_on(e);
		return;
	}
	go_on_in(e, x->retry_after_s > 0 ? x->retry_after_s * 1000 : STEP_MS * 5);
}

static void refill(struct kube_events *e)
{
	mono_t now = loop_now(e->api->loop);
	int64_t more = mono_sub_ms(now, e->filled) / STEP_MS;

	if (more <= 0)
		return;
	e->filled = mono_add_ms(e->filled, more * STEP_MS);
	e->tokens = more > KUBE_EVENTS_BURST - e->tokens ? KUBE_EVENTS_BURST
							 : e->tokens + (unsigned)more;
}

/* What the server has forgotten by now is news again. */
static void recall(void *arg)
{
	struct kube_events *e = arg;
	mono_t then = mono_add_ms(loop_now(e->api->loop), -KUBE_EVENTS_EVERY_MS);
	struct trouble *t;

	e->recall_timer = 0;
	while ((t = TAILQ_FIRST(&e->told)) && !mono_before(then, t->told_at)) {
		unlink_trouble(e, t);
		t->waiting = true;
		TAILQ_INSERT_TAIL(&e->waiting, t, entry);
	}
	if (t)
		e->recall_timer = loop_timer_at(
			e->api->loop, mono_add_ms(t->told_at, KUBE_EVENTS_EVERY_MS), recall, e);
	go_on(e);
}

static int64_t wait_ms(const struct kube_events *e, const struct trouble *t)
{
	return KUBE_EVENTS_AFTER_MS - mono_sub_ms(loop_now(e->api->loop), t->since);
}

static void go_on(struct kube_events *e)
{
	struct trouble *t;
	char *json;
	CLEANUP(buf_done) struct buf path = { 0 };

	if (!e->leading || e->request || e->timer)
		return;
	t = TAILQ_FIRST(&e->waiting);
	if (!t)
		return;
	if (wait_ms(e, t) > 0) {
		go_on_in(e, wait_ms(e, t));
		return;
	}
	refill(e);
	if (!e->tokens) {
		go_on_in(e, STEP_MS);
		return;
	}
	e->tokens--;
	json = event_json(e, t);
	if (!json) {
		was_told(e, t);
		go_on_in(e, 0);
		return;
	}
	buf_str(&path, "/apis/events.k8s.io/v1/namespaces/");
	kube_escape(&path, t->ns);
	buf_str(&path, "/events");
	e->telling = t;
	e->request = kube_send(e->api, "POST", buf_cstr(&path), json, on_answer, e);
	free(json);
}

void kube_events_lead(struct kube_events *e, bool leading)
{
	if (e->leading == leading)
		return;
	e->leading = leading;
	go_on(e);
}

struct kube_events *kube_events_new(struct kube_api *api, const char *node,
				    kube_events_problem_fn *problem, void *arg)
{
	struct kube_events *e = xcalloc(1, sizeof(*e));

	e->api = api;
	e->problem = problem;
	e->arg = arg;
	e->node = xasprintf("%.128s", node);
	e->tokens = KUBE_EVENTS_BURST;
	e->filled = loop_now(api->loop);
	map_init(&e->map, is_about);
	TAILQ_INIT(&e->waiting);
	TAILQ_INIT(&e->told);
	return e;
}

void kube_events_free(struct kube_events *e)
{
	struct trouble *t;

	if (!e)
		return;
	kube_get_cancel(e->request);
	loop_cancel(e->api->loop, e->timer);
	loop_cancel(e->api->loop, e->recall_timer);
	for (size_t pos = 0; (t = map_next(&e->map, &pos));)
		trouble_free(t);
	map_done(&e->map);
	free(e->node);
	free(e);
}
