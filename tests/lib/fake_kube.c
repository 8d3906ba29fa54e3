/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_kube.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

#define BOOKMARK_MS 60000
#define CHUNK	    1000 /* bytes of a list at a time */

struct fake_kube_event {
	enum fake_kube_kind kind;
	uint64_t revision;
	char *text; /* a line of the watch */
};

struct fake_kube_watch {
	struct fake_kube_watch *next;
	http_id id;
	enum fake_kube_kind kind;
	size_t at; /* in the events */
	uint64_t from;
	uint64_t bookmarked;
};

/* A GET whose answer takes its time. */
struct fake_kube_pending {
	struct fake_kube_pending *next;
	struct fake_kube *k;
	http_id id;
	timer_id timer;
};

static const char *const names[FAKE_KINDS] = { "services", "endpoints", "endpointslices",
					       "secrets" };
static const char *const kinds[FAKE_KINDS] = { "Service", "Endpoints", "EndpointSlice", "Secret" };
static const char *const roots[FAKE_KINDS] = { "/api/v1", "/api/v1", "/apis/discovery.k8s.io/v1",
					       "/api/v1" };
static const char *const versions[FAKE_KINDS] = { "v1", "v1", "discovery.k8s.io/v1", "v1" };

/* --- objects -------------------------------------------------------------------- */

static bool object_is(const void *object, const void *key)
{
	const struct fake_kube_object *a = object, *b = key;

	return a->kind == b->kind && strcmp(a->name, b->name) == 0 && strcmp(a->ns, b->ns) == 0;
}

static uint64_t hash_of(const struct fake_kube_object *o)
{
	return hash_table_str(o->ns) * 3 + hash_table_str(o->name) + o->kind;
}

static struct fake_kube_object key_of(enum fake_kube_kind kind, const char *ns, const char *name)
{
	struct fake_kube_object key = { .kind = kind };

	snprintf(key.ns, sizeof(key.ns), "%s", ns);
	snprintf(key.name, sizeof(key.name), "%s", name);
	return key;
}

struct fake_kube_object *fake_kube_find(struct fake_kube *k, enum fake_kube_kind kind,
					const char *ns, const char *name)
{
	const struct fake_kube_object key = key_of(kind, ns, name);

	return map_get(&k->objects, hash_of(&key), &key);
}

static void object_free_fake(struct fake_kube_object *o)
{
	free(o->fields);
	free(o->labels);
	free(o);
}

static void put_object(struct buf *b, const struct fake_kube_object *o, bool with_kind)
{
	buf_str(b, "{");
	if (with_kind)
		buf_printf(b, "\"kind\":\"%s\",\"apiVersion\":\"%s\",", kinds[o->kind],
			   versions[o->kind]);
	buf_printf(b,
		   "\"metadata\":{\"name\":\"%s\",\"namespace\":\"%s\",\"uid\":\"u\","
		   "\"resourceVersion\":\"%" PRIu64 "\"%s}%s}",
		   o->name, o->ns, o->revision, o->labels, o->fields);
}

static void add_event(struct fake_kube *k, const char *type, const struct fake_kube_object *o)
{
	struct buf b = { 0 };

	buf_printf(&b, "{\"type\":\"%s\",\"object\":", type);
	put_object(&b, o, true);
	buf_str(&b, "}\n");
	if (k->event_count == k->event_size) {
		k->event_size = k->event_size ? k->event_size * 2 : 64;
		k->events = xreallocarray(k->events, k->event_size, sizeof(*k->events));
	}
	k->events[k->event_count++] = (struct fake_kube_event){ o->kind, o->revision,
								xstrdup(buf_cstr(&b)) };
	buf_done(&b);
}

static void tell_watches(struct fake_kube *k);

void fake_kube_put(struct fake_kube *k, enum fake_kube_kind kind, const char *ns, const char *name,
		   const char *labels, const char *fields)
{
	struct fake_kube_object *o = fake_kube_find(k, kind, ns, name);
	bool is_new = !o;

	if (is_new) {
		o = xcalloc(1, sizeof(*o));
		*o = key_of(kind, ns, name);
		map_put(&k->objects, hash_of(o), o);
	}
	free(o->fields);
	free(o->labels);
	o->fields = xstrdup(fields);
	o->labels = xstrdup(labels);
	o->revision = ++k->revision;
	add_event(k, is_new ? "ADDED" : "MODIFIED", o);
	tell_watches(k);
}

bool fake_kube_delete(struct fake_kube *k, enum fake_kube_kind kind, const char *ns,
		      const char *name)
{
	const struct fake_kube_object key = key_of(kind, ns, name);
	struct fake_kube_object *o = map_take(&k->objects, hash_of(&key), &key);

	if (!o)
		return false;
	o->revision = ++k->revision;
	add_event(k, "DELETED", o);
	object_free_fake(o);
	tell_watches(k);
	return true;
}

void fake_kube_service(struct fake_kube *k, const char *ns, const char *name, unsigned n)
{
	char fields[128];

	snprintf(fields, sizeof(fields), ",\"spec\":{\"ports\":[{\"port\":%u}]}", 1 + n % 60000);
	fake_kube_put(k, FAKE_SERVICES, ns, name, "", fields);
}

void fake_kube_endpoints(struct fake_kube *k, const char *ns, const char *name, unsigned n)
{
	char fields[160];

	snprintf(fields, sizeof(fields),
		 ",\"subsets\":[{\"addresses\":[{\"ip\":\"10.0.%u.%u\"}],\"ports\":[{\"port\":80}]}"
		 "]",
		 n >> 8 & 255, n & 255);
	fake_kube_put(k, FAKE_ENDPOINTS, ns, name, "", fields);
}

void fake_kube_slice(struct fake_kube *k, const char *ns, const char *name, const char *service,
		     unsigned n)
{
	char labels[160], fields[200];

	snprintf(labels, sizeof(labels), ",\"labels\":{\"kubernetes.io/service-name\":\"%s\"}",
		 service);
	snprintf(fields, sizeof(fields),
		 ",\"addressType\":\"IPv4\",\"endpoints\":[{\"addresses\":[\"10.1.%u.%u\"]}],"
		 "\"ports\":[{\"name\":\"\",\"port\":80}]",
		 n >> 8 & 255, n & 255);
	fake_kube_put(k, FAKE_SLICES, ns, name, labels, fields);
}

/* --- watches -------------------------------------------------------------------- */

static void drop_watch(struct fake_kube *k, struct fake_kube_watch *w)
{
	struct fake_kube_watch **i = &k->watches;

	while (*i != w)
		i = &(*i)->next;
	*i = w->next;
	free(w);
}

/* Those whose client is gone are forgotten on the way. */
static void tell_watch(struct fake_kube *k, struct fake_kube_watch *w)
{
	struct fake_request *r = fake_http_get(k->http, w->id);

	if (!r) {
		drop_watch(k, w);
		return;
	}
	for (; w->at < k->event_count; w->at++) {
		const struct fake_kube_event *e = &k->events[w->at];

		if (e->kind == w->kind && e->revision > w->from)
			fake_http_text(r, e->text);
	}
}

static void tell_watches(struct fake_kube *k)
{
	struct fake_kube_watch *w, *next;

	for (w = k->watches; w; w = next) {
		next = w->next;
		tell_watch(k, w);
	}
}

static void bookmark(struct fake_kube *k, const struct fake_kube_watch *w)
{
	struct fake_request *r = fake_http_get(k->http, w->id);
	struct buf b = { 0 };

	/* One from the future hears nothing at all. */
	if (!r || w->from > k->revision)
		return;
	buf_printf(&b,
		   "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"%s\",\"apiVersion\":\"%s\","
		   "\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"}}}\n",
		   kinds[w->kind], versions[w->kind], k->revision);
	fake_http_text(r, buf_cstr(&b));
	buf_done(&b);
}

static void bookmark_all(void *arg)
{
	struct fake_kube *k = arg;

	for (const struct fake_kube_watch *w = k->watches; w; w = w->next)
		bookmark(k, w);
	k->timer = loop_timer_in(k->loop, BOOKMARK_MS, bookmark_all, k);
}

void fake_kube_cut(struct fake_kube *k)
{
	while (k->watches) {
		struct fake_kube_watch *w = k->watches;
		struct fake_request *r = fake_http_get(k->http, w->id);

		drop_watch(k, w);
		if (r)
			fake_http_end(r, HTTP_CUT, "cut");
	}
}

void fake_kube_compact(struct fake_kube *k)
{
	k->oldest = k->revision;
}

void fake_kube_repeat(struct fake_kube *k)
{
	for (const struct fake_kube_watch *w = k->watches; w; w = w->next) {
		struct fake_request *r = fake_http_get(k->http, w->id);
		const struct fake_kube_event *last = NULL;

		for (size_t i = 0; i < w->at; i++) {
			if (k->events[i].kind == w->kind && k->events[i].revision > w->from)
				last = &k->events[i];
		}
		if (r && last)
			fake_http_text(r, last->text);
	}
}

void fake_kube_go_back(struct fake_kube *k, uint64_t by)
{
	struct fake_kube_object *o;
	uint64_t to = k->revision > by ? k->revision - by : 1;

	fake_kube_cut(k);
	for (size_t pos = 0; (o = map_next(&k->objects, &pos));) {
		if (o->revision > to)
			o->revision = to;
	}
	k->revision = k->oldest = to;
	for (size_t i = 0; i < k->event_count; i++)
		free(k->events[i].text);
	k->event_count = 0;
}

static uint64_t number_after(const char *path, const char *key)
{
	const char *s = strstr(path, key);

	return s ? strtoull(s + strlen(key), NULL, 10) : 0;
}

static void watch(struct fake_kube *k, struct fake_request *r, enum fake_kube_kind kind)
{
	struct fake_kube_watch *w;
	uint64_t from = number_after(r->path, "resourceVersion=");

	k->watched++;
	fake_http_status(r, 200, -1, NULL);
	if (from < k->oldest) {
		fake_http_text(r,
			       "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,"
			       "\"message\":\"too old resource version\"}}\n");
		fake_http_end(r, HTTP_DONE, NULL);
		return;
	}
	w = xcalloc(1, sizeof(*w));
	w->id = r->id;
	w->kind = kind;
	w->from = from;
	w->next = k->watches;
	k->watches = w;
	tell_watch(k, w);
}

/* --- answers -------------------------------------------------------------------- */

static void list(struct fake_kube *k, struct fake_request *r, enum fake_kube_kind kind, bool one)
{
	const struct fake_kube_object *o;
	struct buf b = { 0 };
	http_id id = r->id;
	unsigned n = 0;

	k->lists += !one;
	buf_printf(&b,
		   "{\"kind\":\"%sList\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":"
		   "\"%" PRIu64 "\"},\"items\":[",
		   kinds[kind], versions[kind], k->revision);
	for (size_t pos = 0; (o = map_next(&k->objects, &pos)) && !(one && n);) {
		if (o->kind != kind || (!one && k->listed && !k->listed(k->listed_arg, o)))
			continue;
		buf_str(&b, n++ ? "," : "");
		put_object(&b, o, false);
	}
	buf_str(&b, "]}");
	fake_http_status(r, 200, -1, NULL);
	for (size_t at = 0; at < b.len && (r = fake_http_get(k->http, id)); at += CHUNK)
		fake_http_data(r, b.data + at, b.len - at < CHUNK ? b.len - at : CHUNK);
	r = fake_http_get(k->http, id);
	if (r)
		fake_http_end(r, HTTP_DONE, NULL);
	buf_done(&b);
}

static void get(struct fake_kube *k, struct fake_request *r, enum fake_kube_kind kind,
		const char *rest)
{
	char ns[64], name[64];
	const struct fake_kube_object *o;
	struct buf b = { 0 };

	if (sscanf(rest, "%63[^/]/%*[^/]/%63s", ns, name) != 2 || k->forbidden_get) {
		fake_http_answer(r, 403, "");
		return;
	}
	if (k->lost) {
		fake_http_answer(r, 404, "<html>not found</html>");
		return;
	}
	o = fake_kube_find(k, kind, ns, name);
	if (o)
		put_object(&b, o, true);
	else
		buf_str(&b, "{\"kind\":\"Status\",\"code\":404,\"message\":\"not found\"}");
	fake_http_answer(r, o ? 200 : 404, buf_cstr(&b));
	buf_done(&b);
}

static const char *skip(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

/* "/api/v1/services..." or "/api/v1/namespaces/NS/services/NAME". */
static bool is_for(const char *path, enum fake_kube_kind kind, const char **get_of)
{
	const char *s = skip(path, roots[kind]);
	const char *in = s ? skip(s, "/namespaces/") : NULL;
	const char *resource = in ? strchr(in, '/') : s;
	const char *rest = resource && *resource == '/' ? skip(resource + 1, names[kind]) : NULL;

	*get_of = in;
	return rest && (*rest == '\0' || *rest == '?' || *rest == '/');
}

static void answer(struct fake_kube *k, struct fake_request *r)
{
	const char *in;

	for (unsigned i = 0; i < FAKE_KINDS; i++) {
		if (!is_for(r->path, i, &in))
			continue;
		if (i == FAKE_SLICES && k->no_slices)
			fake_http_answer(r, 404, "404 page not found");
		else if (in)
			get(k, r, i, in);
		else if (k->forbidden[i])
			fake_http_answer(r, 403, "forbidden");
		else if (strstr(r->path, "watch=1"))
			watch(k, r, i);
		else
			list(k, r, i, strstr(r->path, "limit=1") != NULL);
		return;
	}
	fake_http_answer(r, 404, "");
}

static void answer_now(struct fake_kube *k, struct fake_request *r)
{
	if (k->down)
		fake_http_end(r, HTTP_REFUSED, "connection refused");
	else if (k->status)
		fake_http_answer(r, k->status, "");
	else
		answer(k, r);
}

static void drop_pending(struct fake_kube_pending *p)
{
	struct fake_kube_pending **i = &p->k->pending;

	while (*i != p)
		i = &(*i)->next;
	*i = p->next;
	loop_cancel(p->k->loop, p->timer);
	free(p);
}

static void answer_late(void *arg)
{
	struct fake_kube_pending *p = arg;
	struct fake_kube *k = p->k;
	struct fake_request *r = fake_http_get(k->http, p->id);

	drop_pending(p);
	k->gets_now--;
	if (r)
		answer_now(k, r);
}

static void on_request(void *arg, struct fake_request *r)
{
	struct fake_kube *k = arg;
	struct fake_kube_pending *p;

	if (!strstr(r->path, "/namespaces/")) {
		answer_now(k, r);
		return;
	}
	k->gets++;
	k->gets_now++;
	k->gets_most = k->gets_most < k->gets_now ? k->gets_now : k->gets_most;
	p = xcalloc(1, sizeof(*p));
	*p = (struct fake_kube_pending){ .next = k->pending, .k = k, .id = r->id };
	k->pending = p;
	p->timer = loop_timer_in(k->loop, k->get_ms, answer_late, p);
}

struct fake_kube *fake_kube_new(struct loop *l)
{
	struct fake_kube *k = xcalloc(1, sizeof(*k));

	k->loop = l;
	k->http = fake_http_new(l, on_request, k);
	k->revision = k->oldest = 1000;
	map_init(&k->objects, object_is);
	bookmark_all(k);
	return k;
}

static void forget_connections(struct fake_kube *k)
{
	while (k->pending)
		drop_pending(k->pending);
	while (k->watches)
		drop_watch(k, k->watches);
	k->gets_now = 0;
}

void fake_kube_renew_http(struct fake_kube *k)
{
	forget_connections(k);
	k->http = fake_http_new(k->loop, on_request, k);
}

void fake_kube_free(struct fake_kube *k)
{
	struct fake_kube_object *o;

	loop_cancel(k->loop, k->timer);
	forget_connections(k);
	for (size_t pos = 0; (o = map_next(&k->objects, &pos));)
		object_free_fake(o);
	map_done(&k->objects);
	for (size_t i = 0; i < k->event_count; i++)
		free(k->events[i].text);
	free(k->events);
	free(k);
}
