/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/kube_review.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"
#include "agent/base/xalloc.h"
#include "watch/kube_api.h"

#define TOKENS_PATH "/apis/authentication.k8s.io/v1/tokenreviews"
#define RIGHTS_PATH "/apis/authorization.k8s.io/v1/subjectaccessreviews"
#define TRIES	    2 /* of a request */

struct kube_reviewer {
	struct http *http;
	struct kube_credentials *credentials;
	struct kube_api api;
	struct kube_review *reviews;
};

/* One request of a review. */
struct part {
	struct kube_exchange x;
	struct kube_review *review;
	struct buf answer;
	const char *path;
	unsigned tries;
	bool *granted; /* where its answer goes; NULL: it is the TokenReview */
};

enum { PART_TOKEN, PART_READ, PART_WRITE, PARTS };

struct kube_review {
	struct kube_reviewer *reviewer;
	struct kube_review *next, **place;
	kube_reviewed_fn *fn;
	void *arg;
	struct part parts[PARTS];
	unsigned waiting; /* for so many answers */
	bool may_read, may_write;
	char user[KUBE_REVIEW_USER_MAX + 1];
	struct buf trouble; /* the first that went wrong; empty: nothing did */
};

struct kube_reviewer *kube_reviewer_new(struct loop *l, struct http *h, struct kube_access *access,
					const char *node)
{
	struct kube_reviewer *r = xcalloc(1, sizeof(*r));

	r->http = h;
	/* The source that reads the same files tells what is wrong with them. */
	r->credentials = kube_credentials_new(l, h, access, node, NULL, NULL);
	/* Nothing is tried again after a while, so nothing is spread. */
	kube_api_init(&r->api, l, h, r->credentials, NULL, NULL);
	return r;
}

static void review_free(struct kube_review *v)
{
	*v->place = v->next;
	if (v->next)
		v->next->place = v->place;
	for (size_t i = 0; i < PARTS; i++) {
		kube_exchange_done(&v->parts[i].x);
		buf_wipe(&v->parts[i].answer);
	}
	buf_done(&v->trouble);
	free(v);
}

void kube_review_cancel(struct kube_review *v)
{
	review_free(v);
}

void kube_reviewer_free(struct kube_reviewer *r)
{
	if (!r)
		return;
	for (struct kube_review *v = r->reviews, *next; v; v = next) {
		next = v->next;
		review_free(v);
	}
	kube_credentials_free(r->credentials);
	http_free(r->http);
	free(r);
}

/* --- what is asked ---------------------------------------------------------------- */

static void put_json(struct buf *out, const char *text)
{
	buf_str(out, "\"");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else if (*p < ' ')
			buf_printf(out, "\\u%04x", *p);
		else
			buf_put(out, p, 1);
	}
	buf_str(out, "\"");
}

static void put_token_review(struct buf *out, const char *token)
{
	buf_reserve(out, 2 * strlen(token) + 200); /* so that it leaves nothing behind by growing */
	buf_str(out, "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"TokenReview\","
		     "\"spec\":{\"token\":");
	put_json(out, token);
	buf_str(out, "}}");
}

/* What is no text is left out. */
static void put_texts(struct buf *out, const struct doc *list)
{
	bool comma = false;

	buf_str(out, "[");
	for (const struct doc *d = list && list->type == DOC_LIST ? list->first : NULL; d;
	     d = d->next) {
		if (!doc_string(d))
			continue;
		buf_str(out, comma ? "," : "");
		put_json(out, doc_string(d));
		comma = true;
	}
	buf_str(out, "]");
}

/* All that an authorizer may want to know of him goes on as it came. */
static void put_access_review(struct buf *out, const struct doc *user, const char *verb)
{
	const struct doc *extra = doc_get(user, "extra");
	const char *uid = doc_string(doc_get(user, "uid"));

	buf_str(out, "{\"apiVersion\":\"authorization.k8s.io/v1\",\"kind\":\"SubjectAccessReview\","
		     "\"spec\":{\"user\":");
	put_json(out, doc_string(doc_get(user, "username")));
	if (uid && *uid) {
		buf_str(out, ",\"uid\":");
		put_json(out, uid);
	}
	buf_str(out, ",\"groups\":");
	put_texts(out, doc_get(user, "groups"));
	buf_str(out, ",\"extra\":{");
	for (const struct doc *d = extra && extra->type == DOC_MAP ? extra->first : NULL; d;
	     d = d->next) {
		put_json(out, d->key);
		buf_str(out, ":");
		put_texts(out, d);
		buf_str(out, d->next ? "," : "");
	}
	buf_printf(out,
		   "},\"nonResourceAttributes\":{\"path\":\"" KUBE_REVIEW_PATH
		   "\",\"verb\":\"%s\"}}}",
		   verb);
}

/* --- what is answered ------------------------------------------------------------- */

/* The review is over. */
static void say(struct kube_review *v, enum kube_verdict verdict, const char *why)
{
	const struct kube_reviewed r = { .verdict = verdict,
					 .user = verdict == KUBE_REVIEW_SOMEBODY ? v->user : "",
					 .may_read = v->may_read,
					 .may_write = v->may_write,
					 .why = why };

	v->fn(v->arg, &r);
	review_free(v);
}

static bool on_data(struct kube_exchange *x, const void *data, size_t len)
{
	struct part *p = (struct part *)x;

	if (p->answer.len + len > KUBE_REVIEW_MAX)
		return false;
	buf_put(&p->answer, data, len);
	return true;
}

static void start(struct part *p)
{
	p->tries++;
	buf_wipe(&p->answer);
	if (!p->granted)
		buf_reserve(&p->answer, KUBE_REVIEW_MAX); /* it repeats the token */
	kube_exchange_start(&p->x, p->path);
}

static void on_over(struct kube_exchange *x);

static struct part *part_of(struct kube_review *v, unsigned which, const char *path, bool *granted)
{
	struct part *p = &v->parts[which];

	p->review = v;
	p->path = path;
	p->granted = granted;
	p->x.api = &v->reviewer->api;
	p->x.method = "POST";
	p->x.data = on_data;
	p->x.over = on_over;
	p->x.total_s = KUBE_REVIEW_TIME_S;
	return p;
}

static void ask_for_rights(struct kube_review *v, const struct doc *user)
{
	struct part *read = part_of(v, PART_READ, RIGHTS_PATH, &v->may_read);
	struct part *write = part_of(v, PART_WRITE, RIGHTS_PATH, &v->may_write);

	put_access_review(&read->x.body, user, "get");
	put_access_review(&write->x.body, user, "update");
	v->waiting = 2;
	start(read);
	start(write);
}

static const char *name_fault(const char *name)
{
	if (!name || !*name)
		return "the API server gives the token's user no name";
	if (strlen(name) > KUBE_REVIEW_USER_MAX)
		return "the name of the token's user is longer than 250 bytes";
	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			return "there is a control character in the name of the token's user";
	return NULL;
}

/* The verdict where it is one already; else the rights are asked for. */
static void take_user(struct kube_review *v, const struct doc *status)
{
	const struct doc *user = doc_get(status, "user");
	const char *name = doc_string(doc_get(user, "username"));
	const char *fault = doc_string(doc_get(status, "error"));
	bool known = false;

	if (!doc_bool(doc_get(status, "authenticated"), &known) || !known) {
		say(v, KUBE_REVIEW_NOBODY,
		    fault && *fault ? fault : "the API server does not know the token");
		return;
	}
	fault = name_fault(name);
	if (fault) {
		say(v, KUBE_REVIEW_NOBODY, fault);
		return;
	}
	strcpy(v->user, name);
	ask_for_rights(v, user);
}

static void take_right(struct kube_review *v, struct part *p, const struct doc *status)
{
	bool denied = false;

	if (!doc_bool(doc_get(status, "allowed"), p->granted))
		*p->granted = false;
	if (doc_bool(doc_get(status, "denied"), &denied) && denied)
		*p->granted = false;
	if (--v->waiting)
		return;
	if (v->trouble.len)
		say(v, KUBE_REVIEW_TROUBLE, buf_cstr(&v->trouble));
	else
		say(v, KUBE_REVIEW_SOMEBODY, "");
}

/* What is in front of an API server may say again what it was told, and that was the token. */
static bool may_repeat(const struct part *p)
{
	return !p->granted && p->x.status && !kube_exchange_good(&p->x) && !p->x.is_status;
}

static void put_trouble(struct kube_review *v, struct part *p)
{
	if (v->trouble.len)
		return;
	if (p->x.status == 403)
		buf_printf(&v->trouble,
			   "it takes the right to create %s: ", strrchr(p->path, '/') + 1);
	if (may_repeat(p))
		buf_printf(&v->trouble, "%s answered HTTP %d", p->x.server, p->x.status);
	else
		buf_str(&v->trouble, p->x.failure.len ? buf_cstr(&p->x.failure)
						      : "the API server's answer cannot be read");
}

static void on_over(struct kube_exchange *x)
{
	struct part *p = (struct part *)x;
	struct kube_review *v = p->review;
	struct doc_set set = { 0 };
	const struct doc *status = NULL;
	bool whole = kube_exchange_whole(x);

	if (!whole && x->retry_now && p->tries < TRIES) {
		start(p);
		return;
	}
	if (whole &&
	    doc_read_json(p->answer.data, p->answer.len, &DOC_LIMITS_DEFAULT, &set, NULL) == 0)
		status = set.count ? doc_get(set.roots[0], "status") : NULL;
	buf_wipe(&p->x.body);
	if (!status || status->type != DOC_MAP)
		put_trouble(v, p);
	if (p->granted)
		take_right(v, p, status);
	else if (v->trouble.len)
		say(v, KUBE_REVIEW_TROUBLE, buf_cstr(&v->trouble));
	else
		take_user(v, status);
	doc_set_wipe(&set);
}

struct kube_review *kube_reviewer_ask(struct kube_reviewer *r, const char *token,
				      kube_reviewed_fn *fn, void *arg)
{
	struct kube_review *v = xcalloc(1, sizeof(*v));
	struct part *p;

	v->reviewer = r;
	v->fn = fn;
	v->arg = arg;
	v->next = r->reviews;
	v->place = &r->reviews;
	if (v->next)
		v->next->place = &v->next;
	r->reviews = v;
	p = part_of(v, PART_TOKEN, TOKENS_PATH, NULL);
	put_token_review(&p->x.body, token);
	start(p);
	return v;
}
