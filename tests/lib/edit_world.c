/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/edit_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

/* --- a store, and what its pools come to ------------------------------------------------------- */

static const struct edit_source sources[] = { { "directory", "/etc/pools", NULL },
					      { "store", "db", NULL } };

int edit_world_up(void **state)
{
	struct edit_world *w = xcalloc(1, sizeof(*w));

	store_world_init(&w->store);
	w->store.options.owner = edit_store_owner;
	store_world_open(&w->store);
	w->edits = edits_new();
	assert_int_equal(addr_range_parse("10.0.0.1", &w->vip), 0);
	assert_int_equal(addr_range_parse("10.0.0.2", &w->other_vip), 0);
	w->address_pools[0] = (struct address_pool){ .name = (char *)(uintptr_t) "main",
						     .addresses = &w->vip,
						     .address_count = 1,
						     .ports = { 30000, 30003 } };
	w->address_pools[1] = (struct address_pool){ .name = (char *)(uintptr_t) "more",
						     .addresses = &w->other_vip,
						     .address_count = 1,
						     .ports = { 40000, 40000 } };
	w->rules = (struct pool_rules){
		.address_pools = w->address_pools,
		.address_pool_count = 2,
		.defaults = { .scheduler = "wrr",
			      .masquerade = true,
			      .drain_s = 300,
			      .weight = 1,
			      .check = check_new(CHECK_TCP) },
	};
	w->others = pools_new(&w->rules);
	*state = w;
	return 0;
}

int edit_world_down(void **state)
{
	struct edit_world *w = *state;

	edits_free(w->edits);
	pools_free(w->others);
	pools_free(w->model);
	check_unref(w->rules.defaults.check);
	store_world_done(&w->store);
	free(w);
	return 0;
}

static void put_object(void *arg, const struct store_object *o)
{
	const struct object_origin from = { .path = "", .source = 1 };
	struct doc_set set;
	struct object *object;
	struct err err;

	assert_int_equal(doc_read_any(o->text, o->len, &DOC_LIMITS_DEFAULT, &set, &err), 0);
	assert_int_equal(object_decode(set.roots[0], &from, &object, &err), 0);
	pools_put(arg, object);
	doc_set_done(&set);
}

const struct pool *pool_of(struct edit_world *w, const char *id)
{
	pools_free(w->model);
	w->model = pools_new(&w->rules);
	store_each(w->store.store, (enum store_kind)0, NULL, put_object, w->model);
	pools_update(w->model, NULL, NULL);
	return pools_find(w->model, id);
}

/* "10.0.0.1:30000 10.1.0.1:80*1 ..."; problems follow. */
void pool_is(struct edit_world *w, const char *id, const char *want)
{
	const struct pool *p = pool_of(w, id);
	CLEANUP(buf_done) struct buf b = { 0 };
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; p && i < p->frontend_count; i++)
		buf_str(&b, endpoint_text(&p->frontends[i], text));
	for (size_t i = 0; p && i < p->member_count; i++) {
		const struct pool_member m = pool_member(p, i);

		buf_printf(&b, " %s*%u", endpoint_text(&m.endpoint, text), m.weight);
	}
	for (size_t i = 0; p && i < p->problems.count; i++)
		buf_printf(&b, " (%s)", p->problems.items[i].text);
	assert_string_equal(p ? buf_cstr(&b) : "none", want);
}

/* --- asking --------------------------------------------------------------------------------------- */

void answer_done(struct edit_answer *a)
{
	rest_reply_done(&a->reply);
	doc_set_done(&a->set);
}

static void on_answer(void *arg, struct rest_reply *reply)
{
	struct edit_answer *a = arg;

	a->called = true;
	a->reply = *reply;
}

void edit_world_begin(struct edit_world *w, const struct rest_request *r, struct edit_answer *a)
{
	const struct edit_place place = { .edits = w->edits,
					  .store = w->store.store,
					  .rules = &w->rules,
					  .pools = w->others,
					  .sources = sources,
					  .source_count = 2,
					  .store_source = 1 };
	struct rest_reply refused;

	assert_int_equal(edit_admit(r, &refused), EDIT_ADMITTED);
	edit_begin(&place, r, on_answer, a);
}

struct rest_request request_of(const char *method, const char *target, const char *match,
			       const char *body)
{
	return (struct rest_request){
		.method = method,
		.target = target,
		.if_match = match,
		.content_type = strcmp(method, "PATCH") == 0 ? REST_MERGE_PATCH : REST_JSON,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.length = body ? strlen(body) : 0,
		.has_body = body != NULL,
		.may_write = true,
		.request_id = "r1",
		.peer = { .known = true },
	};
}

void edit_world_wait(struct edit_world *w, struct edit_answer *a)
{
	struct err err;

	store_world_wait(&w->store, &a->called);
	if (a->reply.body.len > 1 && doc_read_json(a->reply.body.data, a->reply.body.len,
						   &DOC_LIMITS_DEFAULT, &a->set, &err) == 0)
		a->root = a->set.roots[0];
}

void want(struct edit_world *w, unsigned status, const char *method, const char *target,
	  const char *match, const char *body, struct edit_answer *out)
{
	CLEANUP(xfree_ptr) char *before = store_world_everything(w->store.store);
	struct rest_request r = request_of(method, target, match, body);
	struct edit_answer a = { 0 };
	char id[16];

	snprintf(id, sizeof(id), "r%u", ++w->requests);
	r.request_id = id;

	edit_world_begin(w, &r, &a);
	edit_world_wait(w, &a);
	if (a.reply.status != status)
		fail_msg("%s %s: %u instead of %u\n%s", method, target, a.reply.status, status,
			 buf_cstr(&a.reply.body));
	if (status >= 300 || strstr(target, "dryRun=all") || strcmp(method, "GET") == 0) {
		CLEANUP(xfree_ptr) char *after = store_world_everything(w->store.store);

		assert_string_equal(before, after);
	}
	if (out)
		*out = a;
	else
		answer_done(&a);
}

const char *field(const struct doc *d, const char *key)
{
	const struct doc *v = doc_get(d, key);

	return v && v->text ? v->text : v && v->type == DOC_NULL ? "null" : "";
}

void refused(struct edit_world *w, unsigned status, const char *code, const char *says,
	     const char *method, const char *target, const char *match, const char *body)
{
	struct edit_answer a;

	want(w, status, method, target, match, body, &a);
	assert_string_equal(field(a.root, "code"), code);
	if (!strstr(buf_cstr(&a.reply.body), says))
		fail_msg("'%s' is not in %s", says, buf_cstr(&a.reply.body));
	answer_done(&a);
}

/* The ETag of what is there now. */
const char *tag_of(struct edit_world *w, const char *id, char out[static 32])
{
	char target[256];
	struct edit_answer a;

	snprintf(target, sizeof(target), "/api/v1/pools/%s/spec", id);
	want(w, 200, "GET", target, NULL, NULL, &a);
	snprintf(out, 32, "%s", a.reply.etag);
	answer_done(&a);
	return out;
}

/* With the ETag of now. */
void edit(struct edit_world *w, unsigned status, const char *method, const char *target,
	  const char *body, struct edit_answer *out)
{
	const char *id = target + strlen("/api/v1/pools/");
	size_t n = strcspn(id, "/?:");
	char tag[32], copy[256];

	snprintf(copy, sizeof(copy), "%.*s", (int)n, id);
	want(w, status, method, target, tag_of(w, copy, tag), body, out);
}

void put(struct edit_world *w, const char *path, const char *body)
{
	char target[256];
	struct edit_answer a;

	snprintf(target, sizeof(target), "/api/v1/namespaces/shop/%s", path);
	want(w, 201, "PUT", target, NULL, body, &a);
	answer_done(&a);
}
