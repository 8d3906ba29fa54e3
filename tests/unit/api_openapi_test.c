/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * openapi.json against the code, both ways: paths, parameters, formats, error
 * codes, and every answer over the sample against the schema that it has.
 */
#include "agent/api/backup_route.h"
#include "agent/api/batch.h"
#include "agent/api/openapi.h"
#include "agent/api/statistics.h"
#include "agent/api/target_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/edit.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/api/token_route.h"
#include "agent/base/doc.h"
#include "tests/lib/snapshots.h"

#define NOW    INT64_C(1795316400000)
#define POOL   "shop.web.http-tcp"
#define MEMBER "10.100.3.1-80"

struct world {
	struct doc_set spec;
	const struct doc *root;
	struct snapshot *snapshot;
	struct feed *feed;
	struct rest_state state;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	assert_int_equal(doc_read_json(openapi_text, (size_t)(openapi_end - openapi_text),
				       &DOC_LIMITS_DEFAULT, &w->spec, &err),
			 0);
	w->root = w->spec.roots[0];
	w->snapshot = snapshot_sample(NOW);
	w->feed = feed_new();
	(void)feed_take(w->feed, snapshot_ref(w->snapshot), NOW);
	(void)feed_take(w->feed, snapshot_turned(w->snapshot, 2, 0, VERDICT_DOWN, NOW), NOW);
	w->state = (struct rest_state){ .snapshot = w->snapshot, .feed = w->feed };
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	doc_set_done(&w->spec);
	snapshot_unref(w->snapshot);
	feed_free(w->feed);
	free(w);
	return 0;
}

/* "#/components/schemas/Pool" followed, as often as it takes. */
static const struct doc *resolve(const struct world *w, const struct doc *d)
{
	const char *ref;

	while ((ref = doc_string(doc_get(d, "$ref")))) {
		char part[64];

		assert_memory_equal(ref, "#/", 2);
		d = w->root;
		for (ref += 2; *ref; ref += strcspn(ref, "/"), ref += *ref == '/') {
			snprintf(part, sizeof(part), "%.*s", (int)strcspn(ref, "/"), ref);
			d = doc_get(d, part);
		}
		assert_non_null(d);
	}
	return d;
}

static bool list_has(const struct doc *list, const char *text)
{
	for (const struct doc *i = list ? list->first : NULL; i; i = i->next)
		if (i->text && strcmp(i->text, text) == 0)
			return true;
	return false;
}

/* --- a value against its schema ------------------------------------------------------------ */

static bool type_fits(const struct doc *v, const char *type)
{
	switch (v->type) {
	case DOC_NULL:
		return strcmp(type, "null") == 0;
	case DOC_BOOL:
		return strcmp(type, "boolean") == 0;
	case DOC_NUMBER:
		return strcmp(type, "number") == 0 ||
		       (strcmp(type, "integer") == 0 && !strchr(v->text, '.'));
	case DOC_STRING:
		return strcmp(type, "string") == 0;
	case DOC_LIST:
		return strcmp(type, "array") == 0;
	case DOC_MAP:
		return strcmp(type, "object") == 0;
	}
	return false;
}

static void fits(const struct world *w, const struct doc *v, const struct doc *schema,
		 const char *where);

/* Everything that must be there is, and nothing is there that the schema does not have. */
static void object_fits(const struct world *w, const struct doc *v, const struct doc *schema,
			const char *where)
{
	const struct doc *properties = doc_get(schema, "properties");
	const struct doc *required = doc_get(schema, "required");
	char below[256];

	if (!properties)
		return; /* any object */
	for (const struct doc *r = required ? required->first : NULL; r; r = r->next)
		if (!doc_get(v, r->text))
			fail_msg("%s has no '%s'", where, r->text);
	for (const struct doc *f = v->first; f; f = f->next) {
		snprintf(below, sizeof(below), "%s.%s", where, f->key);
		if (!doc_get(properties, f->key))
			fail_msg("%s is not in openapi.json", below);
		fits(w, f, doc_get(properties, f->key), below);
	}
}

static void fits(const struct world *w, const struct doc *v, const struct doc *schema,
		 const char *where)
{
	const struct doc *type;
	bool ok;

	schema = resolve(w, schema);
	type = doc_get(schema, "type");
	ok = type && type->text && type_fits(v, type->text);
	for (const struct doc *t = type ? type->first : NULL; t; t = t->next)
		ok |= type_fits(v, t->text);
	if (!ok)
		fail_msg("%s is of another type", where);
	if (doc_get(schema, "enum") && v->text && !list_has(doc_get(schema, "enum"), v->text))
		fail_msg("%s: '%s' is no word of it", where, v->text);
	if (v->type == DOC_MAP)
		object_fits(w, v, schema, where);
	for (const struct doc *i = v->type == DOC_LIST ? v->first : NULL; i; i = i->next)
		fits(w, i, doc_get(schema, "items"), where);
}

/* --- asking --------------------------------------------------------------------------------- */

static void ask(const struct world *w, const char *path, const char *query, const char *accept,
		struct rest_reply *out)
{
	char target[512] = "";

	while (*path) {
		size_t n = strcspn(path, "{"), name = strcspn(path + n, "}");
		const char *value = path[n] == '\0'	 ? ""
				    : path[n + 1] == 'm' ? MEMBER
				    : path[n + 1] == 'n' ? "main"
							 : POOL;

		snprintf(target + strlen(target), sizeof(target) - strlen(target), "%.*s%s", (int)n,
			 path, value);
		path += n + name + (path[n + name] == '}');
	}
	snprintf(target + strlen(target), sizeof(target) - strlen(target), "%s", query);
	rest_answer(
		&(struct rest_request){
			.method = "GET", .target = target, .accept = accept, .request_id = "r1" },
		&w->state, out);
	while (out->stream && list_stream_read(out->stream, &out->body, 1))
		;
}

static void body_fits(const struct world *w, const char *text, size_t len, const struct doc *schema,
		      const char *where)
{
	struct doc_set set = { 0 };
	struct err err;

	assert_int_equal(doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, &err), 0);
	fits(w, set.roots[0], schema, where);
	doc_set_done(&set);
}

static const struct doc *operation(const struct world *w, const char *path)
{
	return doc_get(doc_get(doc_get(w->root, "paths"), path), "get");
}

/* What core answers, with methods of its own. */
static const struct edit_path *const tables[] = { edit_paths,  token_paths,	 backup_paths,
						  batch_paths, statistics_paths, target_paths };

/* --- tests ------------------------------------------------------------------------------------ */

static void every_path_is_described_and_every_described_one_is_there(void **state)
{
	const struct world *w = *state;
	const struct doc *paths = doc_get(w->root, "paths");
	size_t routes = 0, of_core = 0;

	assert_string_equal(doc_string(doc_get(w->root, "openapi")), "3.1.0");
	for (const struct rest_route *r = rest_routes; r->path; r++, routes++)
		if (!doc_string(doc_get(operation(w, r->path), "operationId")))
			fail_msg("%s is not in openapi.json", r->path);
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct edit_path *p = tables[t]; p->path; p++) {
			if (!doc_get(paths, p->path))
				fail_msg("%s is not in openapi.json", p->path);
			of_core += !p->read_elsewhere;
		}
	assert_int_equal(routes + of_core, paths->count); /* so there is none besides */
}

static bool is_described(const struct world *w, const char *path, const char *method)
{
	const struct doc *d = doc_get(doc_get(doc_get(w->root, "paths"), path), method);

	return doc_string(doc_get(d, "operationId"));
}

/* HEAD is GET without its body: nobody describes it. */
static void every_method_of_core_is_described_and_no_other(void **state)
{
	static const char *const methods[][2] = { { "GET", "get" },
						  { "PUT", "put" },
						  { "PATCH", "patch" },
						  { "POST", "post" },
						  { "DELETE", "delete" } };
	const struct world *w = *state;

	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (const struct edit_path *p = tables[t]; p->path; p++)
			for (size_t i = 0; i < ARRAY_LEN(methods); i++)
				if (is_described(w, p->path, methods[i][1]) !=
				    !!strstr(p->methods, methods[i][0]))
					fail_msg("%s %s", methods[i][0], p->path);
}

static void every_answer_is_as_it_is_described(void **state)
{
	const struct world *w = *state;

	for (const struct rest_route *r = rest_routes; r->path; r++) {
		const struct doc *ok = doc_get(doc_get(operation(w, r->path), "responses"), "200");
		const struct doc *content = doc_get(ok, "content");

		assert_non_null(content);
		for (const struct doc *c = content->first; c; c = c->next) {
			struct rest_reply reply;

			ask(w, r->path, "", c->key, &reply);
			if (reply.status != 200)
				fail_msg("%s as %s: %u", r->path, c->key, reply.status);
			assert_memory_equal(reply.type, c->key, strlen(c->key));
			if (strcmp(c->key, REST_JSON) == 0)
				body_fits(w, (const char *)reply.body.data, reply.body.len,
					  doc_get(c, "schema"), r->path);
			if (strcmp(c->key, REST_NDJSON) == 0) {
				const char *line = buf_cstr(&reply.body);

				for (; *line; line += strcspn(line, "\n") + 1)
					body_fits(w, line, strcspn(line, "\n"),
						  doc_get(c, "schema"), r->path);
			}
			rest_reply_done(&reply);
		}
	}
}

/* --- one target, which core tells of ---------------------------------------------------------- */

struct told {
	const struct world *world;
	bool is_seen;
};

static bool find_told(void *arg, uint64_t id, struct target_details *out)
{
	const struct told *t = arg;
	const struct snapshot *s = t->world->snapshot;
	const struct pool *pool = s->pools[0]->pool;

	memset(out, 0, sizeof(*out));
	out->target = s->targets->items[0];
	out->target.id = id;
	out->check = pool->set.check;
	out->past_count = 2;
	out->past[0] = (struct transition){ NOW, 0, VERDICT_UP, HC_REASON_OK };
	out->past[1] = (struct transition){ NOW - 5000, 503, VERDICT_DOWN, HC_REASON_STATUS };
	out->user_count = 7;
	out->users_shown = 1;
	out->users[0] = (struct target_user){ pool->id, out->target.endpoint };
	return true;
}

static bool look_told(void *arg, uint64_t id, target_seen_fn *fn, void *fn_arg)
{
	const struct told *t = arg;
	const struct hc_sight s = { .id = id, .is_known = true, .is_probed = true };

	if (t->is_seen)
		fn(fn_arg, &s);
	return t->is_seen;
}

static int64_t told_at(void *arg)
{
	(void)arg;
	return NOW;
}

static void keep_reply(void *arg, struct rest_reply *reply)
{
	*(struct rest_reply *)arg = *reply;
}

static void one_target_is_as_it_is_described(void **state)
{
	const struct world *w = *state;
	const struct doc *ok = doc_get(doc_get(operation(w, REST_TARGET_PATH), "responses"), "200");
	const struct doc *schema = doc_get(doc_get(doc_get(ok, "content"), REST_JSON), "schema");
	const struct rest_request r = { .method = "GET",
					.target = REST_TARGETS "/00000000000000aa" };
	struct told told = { .world = w };

	for (int seen = 0; seen < 2; seen++) {
		struct target_look_place place = { .all = target_looks_new(),
						   .find = find_told,
						   .look = look_told,
						   .now_ms = told_at,
						   .arg = &told };
		struct rest_reply reply = { 0 };

		told.is_seen = seen;
		target_begin(&place, &r, keep_reply, &reply);
		assert_int_equal(reply.status, 200);
		assert_non_null(
			strstr(buf_cstr(&reply.body), seen ? "\"probe\":{" : "\"probe\":null"));
		body_fits(w, (const char *)reply.body.data, reply.body.len, schema, "target");
		rest_reply_done(&reply);
		target_looks_free(place.all);
	}
}

/* The formats that a path does not have are refused. */
static void no_other_format_is_there(void **state)
{
	static const char *const formats[] = { REST_JSON, REST_NDJSON, REST_SSE, "text/plain" };
	const struct world *w = *state;

	for (const struct rest_route *r = rest_routes; r->path; r++)
		for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
			const struct doc *ok = doc_get(doc_get(operation(w, r->path), "responses"),
						       "200");
			bool described = doc_get(doc_get(ok, "content"), formats[i]);
			struct rest_reply reply;

			ask(w, r->path, "", formats[i], &reply);
			if (r->kind != ROUTE_PROBE && (reply.status == 200) != described)
				fail_msg("%s as %s", r->path, formats[i]);
			rest_reply_done(&reply);
		}
}

static const struct doc *parameter_of(const struct world *w, const char *path, const char *name)
{
	const struct doc *all = doc_get(operation(w, path), "parameters");

	for (const struct doc *p = all ? all->first : NULL; p; p = p->next) {
		const struct doc *q = resolve(w, p);

		if (strcmp(doc_string(doc_get(q, "in")), "query") == 0 &&
		    strcmp(doc_string(doc_get(q, "name")), name) == 0)
			return q;
	}
	return NULL;
}

/* Is the parameter one that the path has, whatever it says of the value? */
static bool is_taken(const struct world *w, const char *path, const char *name, const char *value)
{
	struct rest_reply reply;
	char query[128];
	bool unknown;

	snprintf(query, sizeof(query), "?%s=%s", name, value);
	ask(w, path, query, NULL, &reply);
	unknown = strstr(buf_cstr(&reply.body), "unknown query parameter") != NULL;
	rest_reply_done(&reply);
	return !unknown;
}

static void every_parameter_is_described_and_every_described_one_is_taken(void **state)
{
	const struct world *w = *state;
	const struct doc *all = doc_get(doc_get(w->root, "components"), "parameters");

	for (const struct rest_route *r = rest_routes; r->path; r++) {
		if (r->kind == ROUTE_PROBE)
			continue; /* they look at nothing */
		for (const struct doc *p = all->first; p; p = p->next) {
			const char *name = doc_string(doc_get(p, "name"));

			if (strcmp(doc_string(doc_get(p, "in")), "query") == 0 &&
			    is_taken(w, r->path, name, "x") != !!parameter_of(w, r->path, name))
				fail_msg("%s?%s=", r->path, name);
		}
		if (is_taken(w, r->path, "sort", "x") != !!parameter_of(w, r->path, "sort"))
			fail_msg("%s?sort=", r->path);
	}
}

/* The words that a parameter may be; those of a list of them, too. */
static const struct doc *words_of(const struct doc *parameter)
{
	const struct doc *schema = doc_get(parameter, "schema");

	return doc_get(doc_get(schema, "items"), "enum");
}

static void every_word_of_a_parameter_is_taken_and_no_other(void **state)
{
	const struct world *w = *state;

	for (const struct rest_route *r = rest_routes; r->path; r++) {
		const struct doc *all = doc_get(operation(w, r->path), "parameters");

		for (const struct doc *p = all ? all->first : NULL; p; p = p->next) {
			const struct doc *q = resolve(w, p), *words = words_of(q);
			const char *name = doc_string(doc_get(q, "name"));
			struct rest_reply reply;
			char query[128];

			for (const struct doc *i = words ? words->first : NULL; i; i = i->next) {
				snprintf(query, sizeof(query), "?%s=%s", name, i->text);
				ask(w, r->path, query, NULL, &reply);
				if (reply.status != 200)
					fail_msg("%s%s: %u", r->path, query, reply.status);
				rest_reply_done(&reply);
			}
			if (!words)
				continue;
			snprintf(query, sizeof(query), "?%s=%s,other", name, words->first->text);
			ask(w, r->path, query, NULL, &reply);
			assert_int_equal(reply.status, 400);
			rest_reply_done(&reply);
		}
	}
}

static void every_error_is_described(void **state)
{
	const struct world *w = *state;
	const struct doc *schemas = doc_get(doc_get(w->root, "components"), "schemas");
	const struct doc *problem = doc_get(schemas, "Problem");
	const struct doc *codes = doc_get(doc_get(doc_get(problem, "properties"), "code"), "enum");

	assert_int_equal(codes->count, PROBLEM_COUNT);
	for (enum rest_problem p = 0; p < PROBLEM_COUNT; p++) {
		struct rest_reply reply = { 0 };

		assert_true(list_has(codes, problem_code(p)));
		problem_answer(&reply, p,
			       &(struct rest_request){ .target = "/", .request_id = "r1" }, NULL);
		body_fits(w, (const char *)reply.body.data, reply.body.len, problem,
			  problem_code(p));
		rest_reply_done(&reply);
	}
}

/* What a path may answer with is what its kind can run into. */
static void errors_of_a_path_are_among_its_answers(void **state)
{
	static const struct {
		const char *query, *accept, *status;
	} cases[] = { { "?colour=red", NULL, "400" },
		      { "", "image/png", "406" },
		      { "?snapshot=1-1", NULL, "410" } };
	struct world *w = *state;

	for (const struct rest_route *r = rest_routes; r->path; r++) {
		const struct doc *described = doc_get(operation(w, r->path), "responses");
		struct rest_reply reply;
		char status[8];

		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			ask(w, r->path, cases[i].query, cases[i].accept, &reply);
			snprintf(status, sizeof(status), "%u", reply.status);
			if (!doc_get(described, status))
				fail_msg("%s%s: %s", r->path, cases[i].query, status);
			if (doc_get(described, cases[i].status) && reply.status == 200)
				fail_msg("%s%s: never %s", r->path, cases[i].query,
					 cases[i].status);
			rest_reply_done(&reply);
		}
		w->state.snapshot = NULL;
		ask(w, r->path, "", NULL, &reply);
		snprintf(status, sizeof(status), "%u", reply.status);
		if (!doc_get(described, status))
			fail_msg("%s before there is a snapshot: %s", r->path, status);
		rest_reply_done(&reply);
		w->state.snapshot = w->snapshot;
	}
}

/* A wrong token is told everywhere below /api/v1. */
static void every_path_of_the_api_may_refuse_a_token(void **state)
{
	const struct world *w = *state;

	for (const struct doc *p = doc_get(w->root, "paths")->first; p; p = p->next)
		for (const struct doc *m = p->first; m; m = m->next)
			if (strncmp(p->key, "/api/v1/", 8) == 0 &&
			    !doc_get(doc_get(m, "responses"), "401"))
				fail_msg("%s %s", m->key, p->key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_is_described_and_every_described_one_is_there),
		cmocka_unit_test(every_method_of_core_is_described_and_no_other),
		cmocka_unit_test(every_answer_is_as_it_is_described),
		cmocka_unit_test(one_target_is_as_it_is_described),
		cmocka_unit_test(no_other_format_is_there),
		cmocka_unit_test(every_parameter_is_described_and_every_described_one_is_taken),
		cmocka_unit_test(every_word_of_a_parameter_is_taken_and_no_other),
		cmocka_unit_test(every_error_is_described),
		cmocka_unit_test(errors_of_a_path_are_among_its_answers),
		cmocka_unit_test(every_path_of_the_api_may_refuse_a_token),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
