/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_lease.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "watch/kube_time.h"

#define RENEW_MS  (KUBE_LEASE_S * 1000 / 3)
#define GIVEUP_MS (KUBE_LEASE_S * 1000 * 2 / 3) /* without a renewal: another may take it soon */
#define RETRY_MS  2000
#define DENIED_MS 300000 /* somebody has to do something about it */
/* A holder may write any duration: bounds on what is believed of it. */
#define DURATION_MIN_S 1
#define DURATION_MAX_S 3600

/* A Lease as it was last seen. */
struct seen {
	char *holder;
	char *revision;
	int64_t duration_s;
	int64_t transitions;
	mono_t since; /* when it was first seen like this */
};

struct kube_lease {
	struct kube_api *api;
	struct leader_sink sink;
	char *ns, *name, *identity;
	char *list_path, *path;
	struct seen seen;
	struct kube_get *request;
	timer_id timer;
	int64_t claimed; /* the transitions that the write under way says */
	bool leading;
	timer_id giveup_timer; /* while leading: without a renewal until then, it ends */
	int64_t acquired_ms;   /* wall clock */
	char *why;	       /* as told */
};

static void look(void *arg);
static void on_written(void *arg, const struct kube_exchange *x, const char *body, size_t len);

/* --- what is told ------------------------------------------------------------- */

static void set_leading(struct kube_lease *l, bool leading)
{
	if (!leading) {
		loop_cancel(l->api->loop, l->giveup_timer);
		l->giveup_timer = 0;
	}
	if (l->leading == leading)
		return;
	l->leading = leading;
	l->sink.changed(l->sink.arg, leading, (uint64_t)l->seen.transitions);
}

/* Whether or not an answer comes: another one's time may be near. */
static void give_up(void *arg)
{
	struct kube_lease *l = arg;

	l->giveup_timer = 0;
	set_leading(l, false);
}

static void lead(struct kube_lease *l)
{
	loop_cancel(l->api->loop, l->giveup_timer);
	l->giveup_timer = loop_timer_in(l->api->loop, GIVEUP_MS, give_up, l);
	set_leading(l, true);
}

static void tell_problem(struct kube_lease *l, const char *why)
{
	if (why ? l->why && strcmp(why, l->why) == 0 : !l->why)
		return;
	free(l->why);
	l->why = why ? xstrdup(why) : NULL;
	l->sink.problem(l->sink.arg, why);
}

static void again(struct kube_lease *l, int64_t ms)
{
	loop_cancel(l->api->loop, l->timer);
	l->timer = loop_timer_in(l->api->loop, ms, look, l);
}

/* --- reading ------------------------------------------------------------------- */

static void seen_done(struct seen *s)
{
	free(s->holder);
	free(s->revision);
	*s = (struct seen){ 0 };
}

static const char *text_of(const struct doc *d, const char *key)
{
	const char *s = doc_string(doc_get(d, key));

	return s ? s : "";
}

/* False: it is no Lease that could be written again. */
static bool take(struct kube_lease *l, const char *body, size_t len)
{
	struct doc_set set = { 0 };
	const struct doc *spec;
	const char *revision;
	bool ok = doc_read_json(body, len, &DOC_LIMITS_DEFAULT, &set, NULL) == 0 && set.count;

	if (ok) {
		spec = doc_get(set.roots[0], "spec");
		revision = text_of(doc_get(set.roots[0], "metadata"), "resourceVersion");
		ok = *revision != '\0';
		if (ok && (!l->seen.revision || strcmp(revision, l->seen.revision) != 0)) {
			seen_done(&l->seen);
			l->seen.holder = xstrdup(text_of(spec, "holderIdentity"));
			l->seen.revision = xstrdup(revision);
			l->seen.duration_s = KUBE_LEASE_S;
			(void)!doc_integer(doc_get(spec, "leaseDurationSeconds"), DURATION_MIN_S,
					   DURATION_MAX_S, &l->seen.duration_s);
			(void)!doc_integer(doc_get(spec, "leaseTransitions"), 0, INT32_MAX,
					   &l->seen.transitions);
			l->seen.since = loop_now(l->api->loop);
		}
	}
	doc_set_done(&set);
	return ok;
}

/* --- writing -------------------------------------------------------------------- */

static char *lease_json(const struct kube_lease *l, int64_t transitions)
{
	char now[KUBE_MICRO_TIME_MAX], acquired[KUBE_MICRO_TIME_MAX];
	json_t *j, *metadata;
	char *text;

	kube_micro_time(clock_wall_ms(loop_clock(l->api->loop)), now);
	kube_micro_time(l->acquired_ms, acquired);
	j = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:i, s:s, s:s, s:I}}", "apiVersion",
		      "coordination.k8s.io/v1", "kind", "Lease", "metadata", "namespace", l->ns,
		      "name", l->name, "spec", "holderIdentity", l->identity,
		      "leaseDurationSeconds", KUBE_LEASE_S, "acquireTime", acquired, "renewTime",
		      now, "leaseTransitions", (json_int_t)transitions);
	metadata = json_object_get(j, "metadata");
	if (l->seen.revision)
		json_object_set_new(metadata, "resourceVersion", json_string(l->seen.revision));
	text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	if (!text)
		abort(); /* for want of memory alone */
	return text;
}

/* It is free, or ours: one that was never seen is made, any other is put in its place. */
static void write_it(struct kube_lease *l, int64_t transitions)
{
	bool is_new = !l->seen.revision;
	char *json;

	if (!l->leading)
		l->acquired_ms = clock_wall_ms(loop_clock(l->api->loop));
	json = lease_json(l, transitions);
	l->claimed = transitions;
	l->request = kube_send_now(l->api, is_new ? "POST" : "PUT", is_new ? l->list_path : l->path,
				   json, on_written, l);
	free(json);
}

/* --- the election ----------------------------------------------------------------- */

/* The API server itself does not take what we write, nor will it a moment later. */
static bool is_refusal(const struct kube_lease *l, const struct kube_exchange *x)
{
	switch (x->status) {
	case 403:
		return true;
	case 401: /* the token is read again */
	case 408:
	case 409:
	case 429:
		return false;
	case 404: /* what was there a moment ago is made anew; what cannot be made has no namespace */
		return x->is_status && !l->seen.revision;
	default:
		return x->is_status && x->status >= 400 && x->status < 500;
	}
}

static void put_refusal(const struct kube_lease *l, const struct kube_exchange *x, struct buf *why)
{
	const char *failure = (const char *)x->failure.data;

	buf_printf(why, "the Lease %s/%s ", l->ns, l->name);
	if (x->status == 403)
		buf_str(why, "may not be written: it takes a Role in that namespace with "
			     "{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, "
			     "create, update]}, bound to who we are");
	else if (x->status == 404)
		buf_printf(why,
			   "cannot be made: %s: make the namespace %s, or name a Lease in another "
			   "one (lease, of the source)",
			   failure, l->ns);
	else
		buf_printf(why, "cannot be written: %s", failure);
}

/* What to do about an answer that did not help: it may be another's fault, or pass. */
static void on_trouble(struct kube_lease *l, const struct kube_exchange *x)
{
	CLEANUP(buf_done) struct buf why = { 0 };

	if (!is_refusal(l, x)) {
		again(l, x->retry_now ? 0 : RETRY_MS + kube_api_random(l->api, RETRY_MS));
		return;
	}
	put_refusal(l, x, &why);
	tell_problem(l, buf_cstr(&why));
	again(l, DENIED_MS);
}

static void on_written(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct kube_lease *l = arg;

	l->request = NULL;
	if (kube_exchange_whole(x) && take(l, body, len)) {
		tell_problem(l, NULL);
		l->seen.transitions = l->claimed;
		lead(l);
		again(l, RENEW_MS);
		return;
	}
	/* 409: somebody else was quicker. */
	if (x->status == 409) {
		set_leading(l, false);
		again(l, 0);
		return;
	}
	on_trouble(l, x);
}

static void decide(struct kube_lease *l)
{
	const struct seen *s = &l->seen;
	int64_t age_ms = mono_sub_ms(loop_now(l->api->loop), s->since);
	int64_t left_ms = s->duration_s * 1000 - age_ms;

	if (strcmp(s->holder, l->identity) == 0) {
		write_it(l, s->transitions);
		return;
	}
	set_leading(l, false);
	if (!*s->holder || left_ms <= 0)
		write_it(l, s->transitions + 1);
	else
		again(l, left_ms + kube_api_random(l->api, KUBE_LEASE_S * 1000));
}

static void on_seen(void *arg, const struct kube_exchange *x, const char *body, size_t len)
{
	struct kube_lease *l = arg;

	l->request = NULL;
	if (kube_exchange_whole(x) && take(l, body, len)) {
		decide(l);
	} else if (x->status == 404) {
		seen_done(&l->seen);
		write_it(l, 0);
	} else {
		on_trouble(l, x);
	}
}

static void look(void *arg)
{
	struct kube_lease *l = arg;

	l->timer = 0;
	l->request = kube_send_now(l->api, "GET", l->path, "", on_seen, l);
}

struct kube_lease *kube_lease_new(const struct kube_lease_config *c, const struct leader_sink *sink)
{
	struct kube_lease *l = xcalloc(1, sizeof(*l));
	struct buf path = { 0 };

	l->api = c->api;
	l->sink = *sink;
	l->ns = xstrdup(c->ns);
	l->name = xstrdup(c->name);
	l->identity = xstrdup(c->identity);
	buf_str(&path, "/apis/coordination.k8s.io/v1/namespaces/");
	kube_escape(&path, c->ns);
	buf_str(&path, "/leases");
	l->list_path = xstrdup(buf_cstr(&path));
	buf_str(&path, "/");
	kube_escape(&path, c->name);
	l->path = xstrdup(buf_cstr(&path));
	buf_done(&path);
	again(l, 0);
	return l;
}

void kube_lease_free(struct kube_lease *l)
{
	if (!l)
		return;
	kube_get_cancel(l->request);
	loop_cancel(l->api->loop, l->timer);
	loop_cancel(l->api->loop, l->giveup_timer);
	seen_done(&l->seen);
	free(l->ns);
	free(l->name);
	free(l->identity);
	free(l->list_path);
	free(l->path);
	free(l->why);
	free(l);
}
