/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/doc.h"
#include "agent/base/hash.h"
#include "agent/base/xalloc.h"

/* A `List` of some ten thousand objects is one document. */
#define NODES_MAX 2000000
#define DEPTH_MAX 32
/* In one piece of work. */
#define PARTS	500
#define OBJECTS 20

static const struct doc_limits limits = { .nodes = NODES_MAX, .depth = DEPTH_MAX };

struct manifest {
	struct object_origin from;
	struct buf text;
	struct doc_reader *reader;
	bool is_json, over;
	struct doc_set document; /* whose items are being decoded */
	const struct doc *item;	 /* the next of them; NULL: none */
	bool is_list;
	bool has_secret; /* its text has to be wiped */
	struct map by_identity;
	size_t room;
	struct manifest_result result;
};

void manifest_entry_free(struct manifest_entry *e)
{
	free(e);
}

uint64_t manifest_entry_hash(const struct manifest_entry *e)
{
	uint64_t h = hash_table_str(e->ns);

	return (h << 7 | h >> 57) ^ hash_table_str(manifest_entry_name(e)) ^ (uint64_t)e->kind;
}

bool manifest_entry_eq(const void *object, const void *key)
{
	const struct manifest_entry *a = object, *b = key;

	return a->kind == b->kind && strcmp(manifest_entry_name(a), manifest_entry_name(b)) == 0 &&
	       strcmp(a->ns, b->ns) == 0;
}

struct manifest *manifest_new(const struct object_origin *from, struct buf *text, bool is_json)
{
	struct manifest *m = xcalloc(1, sizeof(*m));

	m->from = *from;
	m->text = *text;
	*text = (struct buf){ 0 };
	m->is_json = is_json;
	map_init(&m->by_identity, manifest_entry_eq);
	if (!is_json)
		m->reader = doc_reader_new(m->text.data, m->text.len, &limits);
	return m;
}

static void close_document(struct manifest *m)
{
	if (m->has_secret)
		doc_set_wipe(&m->document);
	doc_set_done(&m->document);
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->result.count; i++) {
		manifest_entry_free(m->result.items[i].entry);
		object_free(m->result.items[i].object);
	}
	free(m->result.items);
	free((char *)(uintptr_t)m->result.problem);
	map_done(&m->by_identity);
	doc_reader_free(m->reader);
	close_document(m);
	if (m->has_secret)
		buf_wipe(&m->text);
	buf_done(&m->text);
	free(m);
}

struct manifest_result *manifest_result(struct manifest *m)
{
	return &m->result;
}

/* The first one. A text that begins with "line N: " knows better than the caller where. */
static void tell_problem(struct manifest *m, unsigned line, const char *text)
{
	if (m->result.problem)
		return;
	if (strncmp(text, "line ", 5) == 0) {
		char *rest;

		line = (unsigned)strtoul(text + 5, &rest, 10);
		text = rest + strspn(rest, ": ");
	}
	m->result.problem = xstrdup(text);
	m->result.line = line;
}

static struct manifest_entry *entry_of(const struct object *o)
{
	size_t ns_size = strlen(o->ns) + 1, name_size = strlen(o->name) + 1;
	struct manifest_entry *e =
		xmalloc(offsetof(struct manifest_entry, ns) + ns_size + name_size);

	_Static_assert(OBJECT_NAME_MAX < UINT8_MAX, "name_at");

	e->kind = o->kind;
	e->line = o->line;
	e->known = false;
	e->content = o->content;
	e->place = o->place;
	memcpy(e->ns, o->ns, ns_size);
	memcpy(e->ns + ns_size, o->name, name_size);
	e->name_at = (uint8_t)ns_size;
	return e;
}

static void keep(struct manifest *m, struct object *o)
{
	struct manifest_result *r = &m->result;
	struct manifest_entry *e = entry_of(o);
	uint64_t h = manifest_entry_hash(e);
	const struct manifest_entry *first = map_get(&m->by_identity, h, e);
	struct err err;

	if (first) {
		err_set(&err, -EEXIST,
			"%s %s/%s is in this file already (line %u): this one is not used",
			object_kind_text(o->kind), o->ns, o->name, first->line);
		tell_problem(m, o->line, err.text);
		manifest_entry_free(e);
		object_free(o);
		return;
	}
	if (r->count == m->room) {
		m->room = m->room ? m->room * 2 : 4;
		r->items = xreallocarray(r->items, m->room, sizeof(*r->items));
	}
	r->items[r->count++] = (struct manifest_item){ e, o };
	map_put(&m->by_identity, h, e);
}

/* Kinds that are not ours (a Namespace, a ConfigMap) stand in files for others to read. */
static void decode(struct manifest *m, const struct doc *d)
{
	const char *kind = doc_string(doc_get(d, "kind"));
	struct object *o;
	struct err err = { 0 };
	int r = object_decode(d, &m->from, &o, &err);

	if (kind && strcmp(kind, "Secret") == 0)
		m->has_secret = true;
	if (r == 0) {
		keep(m, o);
	} else if (r != -ENOTSUP) {
		m->result.bad++;
		tell_problem(m, d->line, err.text);
	}
}

static void open_document(struct manifest *m)
{
	const struct doc *root = m->document.count ? m->document.roots[0] : NULL;
	const struct doc *items = root ? object_list(root) : NULL;

	m->is_list = items != NULL;
	m->item = items ? items->first : root;
	if (!m->item)
		close_document(m);
}

static void decode_some(struct manifest *m)
{
	for (int n = 0; n < OBJECTS && m->item; n++) {
		decode(m, m->item);
		m->item = m->is_list ? m->item->next : NULL;
	}
	if (!m->item)
		close_document(m);
}

static void broken(struct manifest *m, const struct err *err)
{
	m->over = m->result.broken = true;
	tell_problem(m, 0, err->text);
}

static void read_json(struct manifest *m)
{
	struct err err = { 0 };
	int r;

	m->over = true;
	if (m->text.len > MANIFEST_JSON_MAX)
		r = err_set(&err, -EFBIG, "JSON is read as a whole and may have %u MiB at most",
			    MANIFEST_JSON_MAX >> 20);
	else
		r = doc_read_json(m->text.data, m->text.len, &limits, &m->document, &err);
	if (r < 0)
		broken(m, &err);
	else
		open_document(m);
}

static void read_yaml(struct manifest *m)
{
	struct err err = { 0 };

	switch (doc_reader_step(m->reader, PARTS, &m->document, &err)) {
	case DOC_STEP_MORE:
		return;
	case DOC_STEP_DOCUMENT:
		open_document(m);
		return;
	case DOC_STEP_ERROR:
		broken(m, &err);
		return;
	case DOC_STEP_END:
		m->over = true;
		return;
	}
}

bool manifest_step(struct manifest *m)
{
	if (m->item)
		decode_some(m);
	else if (m->is_json)
		read_json(m);
	else
		read_yaml(m);
	return m->item || !m->over;
}
