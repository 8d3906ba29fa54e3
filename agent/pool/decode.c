/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a document to an object: what all kinds have in common.
 *
 * Unknown fields are warned of in files only: what an API server hands out it
 * has checked itself, and a newer one knows fields that we do not.
 */
#include "agent/pool/decode.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/value.h"
#include "agent/pool/author.h"
#include "agent/pool/object_build.h"

#define PREFIX	     "parasaus.io/"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define MIRRORING    "endpointslicemirroring-controller.k8s.io"
/* Of Endpoints and slices, by the controllers that make them (core/v1 of k8s.io/api). */
#define TRIGGER "endpoints.kubernetes.io/last-change-trigger-time"

void decode_note(struct decode *c, bool error, unsigned line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problems_add(&c->parts.problems, error, line, "%s: %s", object_kind_text(c->parts.kind),
		     text);
}

int decode_refuse(struct err *err, int code, unsigned line, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(err, code, "%s", text);
	return line ? err_wrap(err, code, "line %u", line) : code;
}

const char *decode_says(const struct doc *d)
{
	return d->text ? d->text : doc_type_text(d->type);
}

/* "spec.ports[0]" and "name" to "spec.ports[0].name". */
static const char *field(const char *where, const char *key, char out[static FIELD_TEXT_MAX])
{
	snprintf(out, FIELD_TEXT_MAX, "%s%s%s", where, *where ? "." : "", key);
	return out;
}

const struct doc *decode_child(struct decode *c, const struct doc *d, const char *where,
			       const char *key, enum doc_type type)
{
	const struct doc *v = doc_get(d, key);
	char name[FIELD_TEXT_MAX];

	if (!v || v->type == DOC_NULL || v->type == type)
		return v && v->type == type ? v : NULL;
	decode_note(c, true, v->line, "%s is " QUOTED_MAX " where %s belongs; not used",
		    field(where, key, name), decode_says(v), doc_type_text(type));
	return NULL;
}

const char *decode_text(struct decode *c, const struct doc *d, const char *where, const char *key)
{
	const struct doc *v = doc_get(d, key);
	char name[FIELD_TEXT_MAX];

	if (v && (v->type == DOC_NUMBER || v->type == DOC_BOOL)) {
		decode_note(c, false, v->line,
			    "%s is %s, which an API server refuses here: write \"%.64s\" in quotes",
			    field(where, key, name), doc_type_text(v->type), v->text);
		return v->text;
	}
	return doc_string(decode_child(c, d, where, key, DOC_STRING));
}

void decode_bool(struct decode *c, const struct doc *d, const char *where, const char *key,
		 bool *out)
{
	(void)!doc_bool(decode_child(c, d, where, key, DOC_BOOL), out);
}

void decode_known(struct decode *c, const struct doc *d, const char *where,
		  const char *const *fields, size_t count)
{
	char name[FIELD_TEXT_MAX];

	if (c->parts.from_cluster || !d || d->type != DOC_MAP)
		return;
	/* Once there are more problems than are kept, looking for what was meant is wasted. */
	for (const struct doc *v = d->first; v && c->parts.problems.count <= PROBLEMS_MAX;
	     v = v->next) {
		const char *near = NULL;
		bool known = false;

		for (size_t i = 0; i < count && !known; i++)
			known = strcmp(v->key, fields[i]) == 0;
		if (known)
			continue;
		near = value_nearest(v->key, fields, count);
		decode_note(c, false, v->line, "unknown field %s, not used%s%s%s",
			    field(where, v->key, name), near ? "; did you mean " : "",
			    near ? near : "", near ? "?" : "");
	}
}

/* --- ports ----------------------------------------------------------------- */

static bool read_protocol(struct decode *c, const struct doc *d, const char *where, uint8_t *out)
{
	const struct doc *v = decode_child(c, d, where, "protocol", DOC_STRING);
	const char *s = doc_string(v);

	*out = IPPROTO_TCP;
	if (!s)
		return true;
	if (!protocol_of_name(s, out)) {
		decode_note(c, true, v->line,
			    "%s.protocol is " QUOTED_MAX
			    ", but only TCP, UDP and SCTP are served; port not used",
			    where, s);
		return false;
	}
	if (strcmp(s, protocol_name(*out)) != 0)
		decode_note(c, false, v->line,
			    "%s.protocol is \"%s\", which an API server refuses: write %s", where,
			    s, protocol_name(*out));
	return true;
}

/* *out is left alone where there is none. */
static bool read_number(struct decode *c, const struct doc *d, const char *where, const char *key,
			int64_t min, uint16_t *out)
{
	const struct doc *v = doc_get(d, key);
	int64_t n;

	if (!v || v->type == DOC_NULL)
		return true;
	if (doc_integer(v, min, UINT16_MAX, &n)) {
		*out = (uint16_t)n;
		return true;
	}
	decode_note(c, true, v->line,
		    "%s.%s is " QUOTED_MAX
		    "%s where a whole number from %d to 65535 belongs; port not used",
		    where, key, decode_says(v),
		    v->type == DOC_STRING && v->quoted ? " in quotes" : "", (int)min);
	return false;
}

bool decode_port(struct decode *c, const struct doc *d, const char *where, struct object_port *out)
{
	struct object_port p = { 0 };
	const char *name;

	if (d->type != DOC_MAP) {
		decode_note(c, true, d->line, "%s is " QUOTED_MAX " where a map belongs; not used",
			    where, decode_says(d));
		return false;
	}
	name = decode_text(c, d, where, "name");
	if (!name)
		name = "";
	if (*name && !object_is_label(name)) {
		decode_note(c, true, doc_get(d, "name")->line,
			    "%s.name is " QUOTED_MAX
			    ": lower-case letters, digits and '-' only, at "
			    "most 63; port not used",
			    where, name);
		return false;
	}
	if (!read_protocol(c, d, where, &p.protocol) ||
	    !read_number(c, d, where, "port", 1, &p.port))
		return false;
	if (c->parts.kind == OBJECT_SERVICE &&
	    !read_number(c, d, where, "nodePort", 0, &p.node_port))
		return false;
	if (p.port == 0) {
		decode_note(c, true, d->line, "%s has no port; not used", where);
		return false;
	}
	p.name = arena_strdup(&c->arena, name);
	*out = p;
	return true;
}

/* --- metadata -------------------------------------------------------------- */

/* Ours, without the prefix; NULL: somebody else's. */
static const char *own_key(const char *key)
{
	if (strncmp(key, PREFIX, sizeof(PREFIX) - 1) == 0)
		return key + sizeof(PREFIX) - 1;
	if (strcmp(key, "healthCheckType") == 0 || strcmp(key, "calledSource") == 0)
		return key;
	return NULL;
}

static bool has_annotation(const struct decode *c, const char *key)
{
	for (size_t i = 0; i < c->parts.annotation_count; i++) {
		if (strcmp(c->parts.annotations[i].key, key) == 0)
			return true;
	}
	return false;
}

static void add_annotation(struct decode *c, const struct doc *v, const char *where)
{
	const char *key = own_key(v->key);

	/* Who wrote it last is no setting. */
	if (!key || has_annotation(c, key) || author_is_key(v->key))
		return;
	if (v->type != DOC_STRING && v->type != DOC_NUMBER && v->type != DOC_BOOL) {
		decode_note(c, true, v->line, "%s %s is %s where a string belongs; not used", where,
			    v->key, doc_type_text(v->type));
		return;
	}
	if (v->type != DOC_STRING)
		decode_note(c, false, v->line,
			    "%s %s is %s, which an API server refuses: write \"%.64s\" in quotes",
			    where, v->key, doc_type_text(v->type), v->text);
	/* Bare names are the origin's alone: with our prefix they would be taken for it below. */
	if (key != v->key && own_key(key) == key) {
		decode_note(c, true, v->line,
			    "annotation %s is unknown: write %s or %shealth-check-type", v->key,
			    key, PREFIX);
		return;
	}
	if (strlen(key) > OBJECT_NAME_MAX || strlen(v->text) > OBJECT_VALUE_MAX ||
	    c->parts.annotation_count == OBJECT_ANNOTATIONS_MAX) {
		decode_note(c, true, v->line, "%s %.64s is too long or one too many; not used",
			    where, v->key);
		return;
	}
	c->parts.annotations[c->parts.annotation_count++] = (struct object_annotation){
		.key = arena_strdup(&c->arena, key),
		.value = arena_strdup(&c->arena, v->text),
		.line = v->line,
	};
}

/*
 * An API server drops top-level annotations, but kubectl keeps what it was given: they are what
 * was meant, where metadata says nothing else.
 */
static void look_into_last_applied(struct decode *c, const struct doc *annotations)
{
	const struct doc *v = doc_get(annotations, LAST_APPLIED), *dropped;
	size_t before = c->parts.annotation_count;
	struct doc_set s = { 0 };

	if (!doc_string(v) ||
	    doc_read_json(v->text, strlen(v->text), &DOC_LIMITS_DEFAULT, &s, NULL) < 0)
		return;
	dropped = s.count ? doc_get(s.roots[0], "annotations") : NULL;
	for (v = dropped ? dropped->first : NULL; v; v = v->next) {
		if (v->key)
			add_annotation(c, v, "annotation");
	}
	if (c->parts.annotation_count > before)
		decode_note(c, false, 0,
			    "annotation %.64s%s stands at top level of what kubectl applied, where "
			    "the API server drops it; taken all the same: move it under metadata",
			    c->parts.annotations[before].key,
			    c->parts.annotation_count > before + 1 ? " (and others)" : "");
	doc_set_done(&s);
}

static void read_annotations(struct decode *c, const struct doc *d, const struct doc *metadata)
{
	const struct doc *list = decode_child(c, metadata, "metadata", "annotations", DOC_MAP);
	const struct doc *top = decode_child(c, d, "", "annotations", DOC_MAP);

	c->parts.annotations = arena_take(&c->arena,
					  OBJECT_ANNOTATIONS_MAX * sizeof(*c->parts.annotations));
	for (const struct doc *v = list ? list->first : NULL; v; v = v->next)
		add_annotation(c, v, "annotation");
	if (top)
		decode_note(
			c, false, top->line,
			"\"annotations\" stands at top level; taken as metadata.annotations (an "
			"API server drops it: move it under metadata)");
	for (const struct doc *v = top ? top->first : NULL; v; v = v->next)
		add_annotation(c, v, "annotation");
	if (list)
		look_into_last_applied(c, list);
}

static int bad_name(struct decode *c, unsigned line, struct err *err, const char *what,
		    const char *value, const char *why)
{
	return decode_refuse(err, -EINVAL, line, "%s: %s is \"%.64s\": %s",
			     object_kind_text(c->parts.kind), what, value, why);
}

static unsigned line_in(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v ? v->line : d->line;
}

/* RFC 3339 in UTC, with a fraction or none, as API servers write it; 0 for anything else. */
static int64_t read_time_ms(const char *s)
{
	int64_t ms;

	return author_time(s, &ms) ? ms : 0;
}

static char *bounded(struct decode *c, const char *s)
{
	if (!s || strlen(s) > OBJECT_NAME_MAX)
		s = "";
	return arena_strdup(&c->arena, s);
}

static int read_names(struct decode *c, const struct doc *m, struct err *err)
{
	static const char rule[] = "lower-case letters, digits and '-' only, at most 63, a letter "
				   "or digit at both ends";
	const char *name = decode_text(c, m, "metadata", "name");
	const char *ns = decode_text(c, m, "metadata", "namespace");
	bool good;

	if (!name)
		return bad_name(c, m->line, err, "metadata.name", "", "an object needs a name");
	good = c->parts.kind == OBJECT_SERVICE ? object_is_label(name) : object_is_name(name);
	if (!good)
		return bad_name(c, line_in(m, "name"), err, "metadata.name", name, rule);
	if (!ns || !*ns)
		ns = "default";
	if (!object_is_label(ns))
		return bad_name(c, line_in(m, "namespace"), err, "metadata.namespace", ns, rule);
	c->parts.name = bounded(c, name);
	c->parts.service = c->parts.name;
	c->parts.ns = bounded(c, ns);
	return 0;
}

static int read_slice_service(struct decode *c, const struct doc *m, struct err *err)
{
	const struct doc *labels = decode_child(c, m, "metadata", "labels", DOC_MAP);
	const char *s = decode_text(c, labels, "metadata.labels", SLICE_SERVICE_LABEL);

	if (!s || !object_is_label(s))
		return bad_name(c, labels ? labels->line : m->line, err,
				"the label " SLICE_SERVICE_LABEL, s ? s : "",
				"it has to name a Service");
	c->parts.service = bounded(c, s);
	s = doc_string(doc_get(labels, SLICE_MANAGED_BY_LABEL));
	c->parts.mirrored = s && strcmp(s, MIRRORING) == 0;
	return 0;
}

static int read_metadata(struct decode *c, const struct doc *d, struct err *err)
{
	static const char *const known[] = {
		"name",
		"namespace",
		"labels",
		"annotations",
		"uid",
		"resourceVersion",
		"creationTimestamp",
		"generation",
		"generateName",
		"managedFields",
		"ownerReferences",
		"finalizers",
		"selfLink",
		"deletionTimestamp",
		"deletionGracePeriodSeconds",
	};
	const struct doc *m = decode_child(c, d, "", "metadata", DOC_MAP);
	int r;

	if (!m)
		return bad_name(c, d->line, err, "metadata.name", "", "an object needs a name");
	decode_known(c, m, "metadata", known, ARRAY_LEN(known));
	r = read_names(c, m, err);
	if (r == 0 && c->parts.kind == OBJECT_SLICE)
		r = read_slice_service(c, m, err);
	if (r < 0)
		return r;
	c->parts.uid = bounded(c, doc_string(doc_get(m, "uid")));
	c->parts.revision = bounded(c, doc_string(doc_get(m, "resourceVersion")));
	c->parts.created_ms = read_time_ms(doc_string(doc_get(m, "creationTimestamp")));
	c->parts.trigger_ms = read_time_ms(doc_string(doc_get(doc_get(m, "annotations"), TRIGGER)));
	c->parts.deleting = doc_string(doc_get(m, "deletionTimestamp")) != NULL;
	/* No annotation of ours is for a Secret, and kubectl's own one holds its values. */
	if (c->parts.kind != OBJECT_SECRET)
		read_annotations(c, d, m);
	return 0;
}

/* --- kinds ----------------------------------------------------------------- */

static const struct kind {
	enum object_kind kind;
	const char *name;
	const char *version;
	int (*decode)(struct decode *c, const struct doc *d, struct err *err);
} kinds[] = {
	{ OBJECT_SERVICE, "Service", "v1", decode_service },
	{ OBJECT_ENDPOINTS, "Endpoints", "v1", decode_endpoints },
	{ OBJECT_SLICE, "EndpointSlice", "discovery.k8s.io/v1", decode_slice },
	{ OBJECT_SECRET, "Secret", "v1", decode_secret },
};

/* The group alone ("" of "v1"): a Service of another group is somebody else's kind. */
static bool same_group(const char *a, const char *b)
{
	size_t m = strcspn(a, "/"), n = strcspn(b, "/");

	m = a[m] ? m : 0;
	n = b[n] ? n : 0;
	return m == n && strncmp(a, b, m) == 0;
}

static const struct kind *kind_of(enum object_kind k)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind == k)
			return &kinds[i];
	}
	return NULL;
}

/* NULL: *err says why. */
static const struct kind *find_kind(const struct doc *d, enum object_kind assumed, struct err *err)
{
	const char *kind = doc_string(doc_get(d, "kind"));
	const char *version = doc_string(doc_get(d, "apiVersion"));

	if (d->type == DOC_MAP && !kind && !version && kind_of(assumed))
		return kind_of(assumed);
	if (d->type != DOC_MAP || !kind) {
		decode_refuse(err, -EINVAL, d->line, "%s",
			      d->type == DOC_MAP
				      ? "the object has no \"kind\""
				      : "not an object: it has to be a map with a \"kind\"");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kind, kinds[i].name) != 0 ||
		    (version && !same_group(version, kinds[i].version)))
			continue;
		if (version && strcmp(version, kinds[i].version) == 0)
			return &kinds[i];
		decode_refuse(err, -EINVAL, d->line,
			      "%s: apiVersion is \"%.64s\": write apiVersion: %s", kind,
			      version ? version : "", kinds[i].version);
		return NULL;
	}
	decode_refuse(err, -ENOTSUP, d->line, "kind %.64s (%.64s) is not one of ours", kind,
		      version ? version : "no apiVersion");
	return NULL;
}

const struct doc *object_list(const struct doc *d)
{
	const char *kind = doc_string(doc_get(d, "kind"));
	const struct doc *items = doc_get(d, "items");

	return kind && strcmp(kind, "List") == 0 && items && items->type == DOC_LIST ? items : NULL;
}

static struct object_change *copy_change(struct arena *a, const struct object_change *from)
{
	struct object_change *to;

	if (!from)
		return NULL;
	to = arena_take(a, sizeof(*to));
	*to = *from;
	to->user = arena_strdup(a, from->user);
	to->action = arena_strdup(a, from->action);
	return to;
}

static void copy_held(struct decode *c, const struct object_origin *from)
{
	if (c->parts.kind != OBJECT_SERVICE || !from->held_count)
		return;
	c->parts.held = arena_take(&c->arena, from->held_count * sizeof(*from->held));
	memcpy(c->parts.held, from->held, from->held_count * sizeof(*from->held));
	c->parts.held_count = (uint32_t)from->held_count;
}

/* Of what a controller of the cluster writes by itself nobody is told. */
static void read_author(struct decode *c, const struct doc *metadata)
{
	struct object_change change = { 0 };
	struct author author;
	uint64_t revision;

	if (value_uint(c->parts.revision, 1, INT64_MAX, &revision) < 0 ||
	    author_is_controller(metadata))
		return;
	author_of(metadata, &author);
	change.revision = revision;
	change.at_ms = author.at_ms;
	change.user = author.user;
	change.action = (char *)(uintptr_t)author.action;
	if (strlen(change.action) > AUTHOR_USER_MAX)
		change.action = (char *)(uintptr_t) "";
	c->parts.change = copy_change(&c->arena, &change);
}

int object_decode(const struct doc *d, const struct object_origin *from, struct object **out,
		  struct err *err)
{
	struct decode c = { 0 };
	struct err why = { 0 };
	const struct kind *k = find_kind(d, from->kind, &why);
	int r;

	if (!k)
		return err_set(err, why.code, "%s", why.text);
	c.parts.kind = k->kind;
	c.parts.source = from->source;
	c.parts.from_cluster = from->from_cluster;
	c.exposed = from->exposed;
	c.node = from->node;
	c.parts.path = arena_strdup(&c.arena, from->path);
	c.parts.line = d->line;
	c.parts.change = copy_change(&c.arena, from->change);
	copy_held(&c, from);
	r = read_metadata(&c, d, err);
	if (r == 0 && from->from_cluster && k->kind != OBJECT_SECRET)
		read_author(&c, doc_get(d, "metadata"));
	if (r == 0)
		r = k->decode(&c, d, err);
	if (r == 0)
		*out = object_make(&c.parts);
	else
		problems_done(&c.parts.problems);
	arena_done(&c.arena);
	return r;
}
