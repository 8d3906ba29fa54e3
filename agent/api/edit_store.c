/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Documents of the embedded store, as edit_backend.h has them. */
#include "agent/api/edit_private.h"

#include <string.h>

#include "agent/pool/object.h"

/* --- whose part a document is ----------------------------------------------------------------- */

/* What stands behind the label, where the text has it once and without anything escaped. */
static bool scan_owner(const char *text, char out[static STORE_NAME_MAX + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	const char *at = strstr(text, SLICE_SERVICE_LABEL "\":\"");
	size_t n;

	if (!at || strstr(at + 1, SLICE_SERVICE_LABEL))
		return false;
	at += strlen(SLICE_SERVICE_LABEL "\":\"");
	n = strspn(at, letters);
	if (!n || n > STORE_NAME_MAX || at[n] != '"')
		return false;
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static bool read_owner(const char *text, size_t len, char out[static STORE_NAME_MAX + 1])
{
	const struct doc_limits limits = DOC_LIMITS_DEFAULT;
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	const char *name;
	const struct doc *labels;
	struct err err;

	if (doc_read_any(text, len, &limits, &set, &err) < 0 || set.count != 1)
		return false;
	labels = doc_get(doc_get(set.roots[0], "metadata"), "labels");
	name = doc_string(doc_get(labels, SLICE_SERVICE_LABEL));
	if (!name || !*name || strlen(name) > STORE_NAME_MAX)
		return false;
	strcpy(out, name);
	return true;
}

/* Tens of thousands are loaded: where a look says it, reading is saved. */
bool edit_store_owner(enum store_kind kind, const char *text, size_t len,
		      char out[static STORE_NAME_MAX + 1])
{
	return kind == STORE_SLICE && (scan_owner(text, out) || read_owner(text, len, out));
}

/* --- the backend -------------------------------------------------------------------------------- */

static const struct store_object *get(struct edit *e, const struct store_key *key)
{
	return store_get(e->store, key);
}

static void each_part(struct edit *e, enum store_kind kind, const char *ns, const char *service,
		      store_each_fn *fn, void *arg)
{
	store_each_part(e->store, kind, ns, service, fn, arg);
}

static const struct store_object *holder(struct edit *e, const struct endpoint *at)
{
	return store_claimed_by(e->store, at);
}

static bool is_free(struct edit *e, const struct endpoint *at)
{
	const struct port_range alone = { at->port, at->port };
	uint16_t port;

	return !store_claimed_by(e->store, at) &&
	       store_free_port(e->store, &at->addr, at->protocol, &alone, 1, NULL, 0, &port) == 0;
}

static void write(struct edit *e, const struct store_write *w, store_written_fn *fn)
{
	store_write(e->store, w, fn, e);
}

static void revisions(struct edit *e, const struct store_revisions_query *q, store_revisions_fn *fn)
{
	store_revisions(e->store, q, fn, e);
}

static void operations(struct edit *e, const struct store_operations_query *q,
		       store_operations_fn *fn)
{
	store_operations(e->store, q, fn, e);
}

static void forget(struct edit *e)
{
	if (e->store)
		store_forget(e->store, e);
}

const struct edit_backend edit_backend_store = {
	.get = get,
	.each_part = each_part,
	.holder = holder,
	.is_free = is_free,
	.write = write,
	.revisions = revisions,
	.operations = operations,
	.forget = forget,
	.claims = true,
};
