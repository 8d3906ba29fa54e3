/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/edit_pool_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/value.h"
#include "agent/pool/weights.h"

#define MEMBERS_PATH "/members/"

static void list_fields(const char *const *fields, size_t count, char *out, size_t size)
{
	*out = '\0';
	for (size_t i = 0; i < count; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? ", " : "", fields[i]);
}

bool pool_body_knows(struct edit *e, const struct doc *d, const char *where,
		     const char *const *fields, size_t count)
{
	size_t before = e->errors.count;
	char known[160];

	list_fields(fields, count, known, sizeof(known));
	if (d->type != DOC_MAP) {
		problems_add(&e->errors, true, 0, "%s%sis %s where an object belongs", where,
			     *where ? " " : "the body ", doc_type_text(d->type));
		return false;
	}
	for (const struct doc *c = d->first; c; c = c->next) {
		bool found = false;

		for (size_t i = 0; i < count && !found; i++)
			found = strcmp(c->key, fields[i]) == 0;
		if (!found)
			problems_add(&e->errors, true, 0, "%s%.64s is none of %s", where, c->key,
				     known);
	}
	return e->errors.count == before;
}

const struct doc *pool_body(struct edit *e, const char *const *fields, size_t count)
{
	const struct rest_request *r = e->request;
	const struct doc_set *set;
	struct err err;

	if (edit_read(e, doc_read_json, r->body ? r->body : "", r->body_len, &set, &err) < 0) {
		edit_add_error(e, "", err.text);
		return NULL;
	}
	if (set->count != 1) {
		edit_add_error(e, "", "there is no object");
		return NULL;
	}
	return pool_body_knows(e, set->roots[0], "", fields, count) ? set->roots[0] : NULL;
}

bool pool_body_number(struct edit *e, const struct doc *d, const char *where, const char *key,
		      uint64_t min, uint64_t max, uint64_t *out)
{
	const struct doc *v = doc_get(d, key);
	int64_t n;

	if (!v)
		return false;
	if (!doc_integer(v, (int64_t)min, (int64_t)max, &n)) {
		problems_add(&e->errors, true, 0,
			     "%s%s is \"%.64s\" where a whole number from %u to %u belongs", where,
			     key, v->text ? v->text : doc_type_text(v->type), (unsigned)min,
			     (unsigned)max);
		return false;
	}
	*out = (uint64_t)n;
	return true;
}

const char *pool_body_text(struct edit *e, const struct doc *d, const char *where, const char *key)
{
	const struct doc *v = doc_get(d, key);

	if (v && !doc_string(v))
		problems_add(&e->errors, true, 0, "%s%s is %s where a text belongs", where, key,
			     doc_type_text(v->type));
	return doc_string(v);
}

bool pool_body_member(struct pool_documents *d, const struct doc *body, const char *where,
		      struct pool_member *out, bool *own)
{
	static const char *const fields[] = { REST_ADDRESS, REST_PORT, REST_WEIGHT };
	struct edit *e = d->e;
	const struct doc *weight = doc_get(body, REST_WEIGHT);
	struct pool_member m = { .endpoint = { .protocol = d->port.protocol } };
	size_t before = e->errors.count;
	uint64_t port = 0, n = 0;
	const char *address;

	if (!pool_body_knows(e, body, where, fields, ARRAY_LEN(fields)))
		return false;
	address = pool_body_text(e, body, where, REST_ADDRESS);
	if (!address && !doc_get(body, REST_ADDRESS))
		problems_add(&e->errors, true, 0, "%saddress is missing", where);
	else if (address && addr_parse(address, &m.endpoint.addr) < 0)
		problems_add(&e->errors, true, 0,
			     "%saddress is \"%.64s\", which is no IP address (names are not looked "
			     "up)",
			     where, address);
	if (!doc_get(body, REST_PORT))
		problems_add(&e->errors, true, 0, "%sport is missing", where);
	else if (pool_body_number(e, body, where, REST_PORT, 1, UINT16_MAX, &port))
		m.endpoint.port = (uint16_t)port;
	*own = weight && weight->type != DOC_NULL;
	if (*own && pool_body_number(e, body, where, REST_WEIGHT, 0, POOL_WEIGHT_MAX, &n))
		m.weight = (uint16_t)n;
	*out = m;
	return address && port && e->errors.count == before;
}

void pool_body_settings(struct pool_documents *d, const struct doc *settings)
{
	if (!settings)
		return;
	if (settings->type != DOC_MAP) {
		problems_add(&d->e->errors, true, 0, "settings is %s where an object belongs",
			     doc_type_text(settings->type));
		return;
	}
	for (const struct doc *s = settings->first; s; s = s->next) {
		if (s->type == DOC_NULL)
			pool_set_setting(d, s->key, NULL);
		else if (doc_string(s))
			pool_set_setting(d, s->key, s->text);
		else
			problems_add(&d->e->errors, true, 0,
				     "settings.%.64s is %s where a text or null belongs", s->key,
				     doc_type_text(s->type));
	}
}

const char *pool_path(struct edit *e, const char *id, const char *mid)
{
	size_t size = sizeof(REST_POOLS "/" MEMBERS_PATH) + strlen(id) + (mid ? strlen(mid) : 0);
	char *path = arena_take(&e->arena, size);

	snprintf(path, size, REST_POOLS "/%s%s%s", id, mid ? MEMBERS_PATH : "", mid ? mid : "");
	return path;
}
