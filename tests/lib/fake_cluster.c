/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_cluster.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/edit_tree.h"
#include "agent/base/xalloc.h"

struct fake_call {
	struct fake_cluster *cluster;
	struct fake_call *next;
	char *method, *path, *token, *json;
	edit_said_fn *fn;
	void *arg;
};

/* --- documents --------------------------------------------------------------------------------- */

static struct fake_document *find(const struct fake_cluster *f, const char *path)
{
	for (size_t i = 0; i < FAKE_DOCUMENTS_MAX; i++)
		if (strcmp(f->documents[i].path, path) == 0)
			return (struct fake_document *)(uintptr_t)&f->documents[i];
	return NULL;
}

const char *fake_cluster_get(const struct fake_cluster *f, const char *path)
{
	const struct fake_document *d = find(f, path);

	return d ? d->text : NULL;
}

size_t fake_cluster_count(const struct fake_cluster *f, const char *start)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_DOCUMENTS_MAX; i++)
		n += *f->documents[i].path &&
		     strncmp(f->documents[i].path, start, strlen(start)) == 0;
	return n;
}

char *fake_cluster_everything(const struct fake_cluster *f)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < FAKE_DOCUMENTS_MAX; i++)
		if (*f->documents[i].path)
			buf_printf(&b, "%s\n%s\n", f->documents[i].path, f->documents[i].text);
	(void)buf_cstr(&b);
	return (char *)b.data;
}

static struct tree *text(struct arena *a, const char *s)
{
	return tree_new(a, DOC_STRING, arena_strdup(a, s));
}

/* The program's entry is the newest from now on. */
static void put_manager(struct fake_cluster *f, struct arena *a, struct tree *metadata,
			const char *manager, const struct tree *before)
{
	struct tree *list = tree_new(a, DOC_LIST, NULL), **end = &list->first, *entry;
	const struct tree *old = tree_get(tree_get(before, "metadata"), "managedFields");
	char at[64];

	for (const struct tree *t = old ? old->first : NULL; t; t = t->next) {
		const char *name = tree_text(t, "manager");

		if (name && strcmp(name, manager) == 0)
			continue;
		*end = tree_new(a, DOC_MAP, NULL);
		(*end)->first = t->first;
		end = &(*end)->next;
	}
	snprintf(at, sizeof(at), "2026-11-28T10:%02u:%02uZ", f->seconds / 60, f->seconds % 60);
	entry = tree_new(a, DOC_MAP, NULL);
	tree_set(entry, "manager", text(a, manager));
	tree_set(entry, "operation", text(a, "Update"));
	tree_set(entry, "time", text(a, at));
	*end = entry;
	tree_set(metadata, "managedFields", list);
}

/* Returns what is stored, as it would be answered. */
static char *store(struct fake_cluster *f, struct arena *a, const char *path, struct tree *t,
		   const char *manager, bool dry)
{
	struct fake_document *d = find(f, path);
	struct tree *metadata = tree_need_map(a, t, "metadata");
	struct doc_set old = { 0 };
	struct buf b = { 0 };
	char word[64];

	if (d && doc_read_json(d->text, strlen(d->text), &DOC_LIMITS_DEFAULT, &old, NULL) < 0)
		abort();
	snprintf(word, sizeof(word), "%" PRIu64, f->revision + 1);
	tree_set(metadata, "resourceVersion", text(a, word));
	if (!tree_get(metadata, "uid")) {
		snprintf(word, sizeof(word), "uid-%" PRIu64, f->revision + 1);
		tree_set(metadata, "uid", text(a, word));
	}
	f->seconds += !dry;
	put_manager(f, a, metadata, manager, d ? tree_of(a, old.roots[0]) : NULL);
	edit_tree_print(t, &b);
	(void)buf_cstr(&b);
	doc_set_done(&old);
	if (dry)
		return (char *)b.data;
	if (!d)
		d = find(f, "");
	if (!d)
		abort(); /* more than FAKE_DOCUMENTS_MAX */
	snprintf(d->path, sizeof(d->path), "%s", path);
	free(d->text);
	d->text = xstrdup((char *)b.data);
	f->revision++;
	return (char *)b.data;
}

void fake_cluster_put(struct fake_cluster *f, const char *manager, const char *path,
		      const char *json)
{
	struct arena a = { 0 };
	struct doc_set set;

	if (doc_read_json(json, strlen(json), &DOC_LIMITS_DEFAULT, &set, NULL) < 0)
		abort();
	free(store(f, &a, path, tree_of(&a, set.roots[0]), manager, false));
	doc_set_done(&set);
	arena_done(&a);
}

/* --- answers ------------------------------------------------------------------------------------ */

static void say(struct fake_call *c, int status, const char *body)
{
	char why[600] = "";
	struct edit_said s = { status, body, strlen(body), why };

	if (status < 200 || status >= 300)
		snprintf(why, sizeof(why), "https://api answered HTTP %d: %.500s", status, body);
	c->fn(c->arg, &s);
}

static void say_status(struct fake_call *c, int status, const char *reason, const char *message)
{
	char body[512];

	snprintf(body, sizeof(body),
		 "{\"kind\":\"Status\",\"reason\":\"%s\",\"message\":\"%s\",\"code\":%d}", reason,
		 message, status);
	say(c, status, body);
}

static void say_review(struct fake_call *c)
{
	char body[256];

	c->cluster->reviews++;
	snprintf(body, sizeof(body), "{\"status\":{\"userInfo\":{\"username\":\"%s\"}}}",
		 c->token + strlen("TOKEN-"));
	say(c, 201, body);
}

static void say_list(struct fake_call *c, const char *selector)
{
	const char *key = strstr(selector, "labelSelector=") + strlen("labelSelector=");
	const char *value = strstr(key, "%3D") + 3;
	size_t n = (size_t)(selector - c->path);
	struct buf b = { 0 };

	buf_str(&b, "{\"kind\":\"List\",\"items\":[");
	for (size_t i = 0, count = 0; i < FAKE_DOCUMENTS_MAX; i++) {
		const struct fake_document *d = &c->cluster->documents[i];
		char label[128];

		snprintf(label, sizeof(label), "%s\":\"%s\"",
			 strstr(key, "service-name") ? "service-name" : "parasaus.io/service",
			 value);
		if (strncmp(d->path, c->path, n) == 0 && d->path[n] == '/' &&
		    strstr(d->text, label))
			buf_printf(&b, "%s%s", count++ ? "," : "", d->text);
	}
	buf_str(&b, "]}");
	say(c, 200, buf_cstr(&b));
	buf_done(&b);
}

static void say_get(struct fake_call *c)
{
	const char *query = strchr(c->path, '?'), *d;

	if (query) {
		say_list(c, query);
		return;
	}
	d = fake_cluster_get(c->cluster, c->path);
	if (d)
		say(c, 200, d);
	else
		say_status(c, 404, "NotFound", "not found");
}

static bool is_current(const struct fake_document *d, const char *version)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), "\"resourceVersion\":\"%s\"", version ? version : "?");
	return strstr(d->text, wanted) != NULL;
}

static void say_delete(struct fake_call *c, const char *path, const struct doc *options, bool dry)
{
	struct fake_document *d = find(c->cluster, path);
	const struct doc *p = doc_get(options, "preconditions");

	if (!d) {
		say_status(c, 404, "NotFound", "not found");
	} else if (p && !is_current(d, doc_string(doc_get(p, "resourceVersion")))) {
		say_status(c, 409, "Conflict", "it has been modified");
	} else {
		if (!dry) {
			*d->path = '\0';
			free(d->text);
			d->text = NULL;
			c->cluster->written++;
		}
		say(c, 200, "{\"kind\":\"Status\",\"status\":\"Success\"}");
	}
}

static void say_written(struct fake_call *c, const char *path, const struct doc *body, bool dry)
{
	const struct doc *metadata = doc_get(body, "metadata");
	bool is_post = strcmp(c->method, "POST") == 0;
	char full[512];
	struct arena a = { 0 };
	struct fake_document *d;
	char *text;

	snprintf(full, sizeof(full), "%s%s%s", path, is_post ? "/" : "",
		 is_post ? doc_string(doc_get(metadata, "name")) : "");
	d = find(c->cluster, full);
	if (is_post && d) {
		say_status(c, 409, "AlreadyExists", "already exists");
	} else if (!is_post && !d) {
		say_status(c, 404, "NotFound", "not found");
	} else if (d && !is_current(d, doc_string(doc_get(metadata, "resourceVersion")))) {
		say_status(c, 409, "Conflict", "the object has been modified");
	} else {
		c->cluster->written += !dry;
		text = store(c->cluster, &a, full, tree_of(&a, body), "parasaus", dry);
		say(c, is_post ? 201 : 200, text);
		free(text);
	}
	arena_done(&a);
}

static void do_write(struct fake_call *c)
{
	char path[256];
	bool dry = strstr(c->path, "dryRun=All") != NULL;
	struct doc_set set = { 0 };

	snprintf(path, sizeof(path), "%.*s", (int)strcspn(c->path, "?"), c->path);
	c->cluster->rehearsed += dry;
	if (*c->json &&
	    doc_read_json(c->json, strlen(c->json), &DOC_LIMITS_DEFAULT, &set, NULL) < 0)
		abort();
	if (strcmp(c->method, "DELETE") == 0)
		say_delete(c, path, set.count ? set.roots[0] : NULL, dry);
	else
		say_written(c, path, set.roots[0], dry);
	doc_set_done(&set);
}

static void call_free(struct fake_call *c)
{
	struct fake_call **i = &c->cluster->calls;

	while (*i != c)
		i = &(*i)->next;
	*i = c->next;
	free(c->method);
	free(c->path);
	free(c->token);
	free(c->json);
	free(c);
}

static void answer(void *arg)
{
	struct fake_call *c = arg;
	struct fake_cluster *f = c->cluster;
	const char *body = NULL;
	int status;

	f->asked++;
	snprintf(f->last_token, sizeof(f->last_token), "%s", c->token);
	if (f->before)
		f->before(f, c->method, c->path);
	status = f->refuse ? f->refuse(f, c->method, c->path, &body) : 0;
	if (body)
		say(c, status, body);
	else if (strcmp(c->token, "stranger") == 0)
		say_status(c, 401, "Unauthorized", "Unauthorized");
	else if (strstr(c->path, "selfsubjectreviews"))
		say_review(c);
	else if (strcmp(c->method, "GET") == 0)
		say_get(c);
	else
		do_write(c);
	call_free(c);
}

static void *ask(void *arg, const struct edit_ask *q, edit_said_fn *fn, void *fn_arg)
{
	struct fake_cluster *f = arg;
	struct fake_call *c = xcalloc(1, sizeof(*c));

	*c = (struct fake_call){ .cluster = f,
				 .next = f->calls,
				 .method = xstrdup(q->method),
				 .path = xstrdup(q->path),
				 .token = xstrdup(q->token),
				 .json = xstrdup(q->json),
				 .fn = fn,
				 .arg = fn_arg };
	f->calls = c;
	loop_defer(f->loop, answer, c);
	return c;
}

static void cancel(void *arg, void *call)
{
	struct fake_cluster *f = arg;

	loop_undefer(f->loop, call);
	call_free(call);
}

void fake_cluster_init(struct fake_cluster *f, struct loop *l)
{
	*f = (struct fake_cluster){ .loop = l, .revision = 100 };
	f->ops = (struct edit_cluster){ ask, cancel, f };
}

void fake_cluster_done(struct fake_cluster *f)
{
	while (f->calls)
		cancel(f, f->calls);
	for (size_t i = 0; i < FAKE_DOCUMENTS_MAX; i++)
		free(f->documents[i].text);
}
