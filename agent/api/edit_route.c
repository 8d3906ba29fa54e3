/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which paths are the store's, what they take, and who may use them. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/api/accept.h"
#include "agent/api/edit_private.h"
#include "agent/api/origin.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/value.h"

#define DOCUMENT_METHODS "GET, HEAD, PUT, PATCH, DELETE"
#define POOL_METHODS	 "GET, HEAD, PATCH, DELETE"
#define READ_METHODS	 "GET, HEAD"

/* In the order of enum edit_what. */
const struct edit_path edit_paths[] = {
	{ REST_DOCUMENT, DOCUMENT_METHODS, false },
	{ REST_ROLLBACK, "POST", false },
	{ REST_REVISIONS, READ_METHODS, false },
	{ REST_REVISION_PATH, READ_METHODS, false },
	{ REST_APPLY, "POST", false },
	{ REST_OPERATIONS, READ_METHODS, false },
	{ REST_OPERATION, READ_METHODS, false },
	{ REST_ADDRESS_POOLS, "GET, HEAD, POST", true },
	{ REST_POOLS, "GET, HEAD, POST", true },
	{ REST_POOL, POOL_METHODS, true },
	{ REST_POOL_SPEC, READ_METHODS, false },
	{ REST_POOL_MEMBERS, "GET, HEAD, POST", true },
	{ REST_POOL_MEMBER, POOL_METHODS, true },
	{ REST_POOL_REVISIONS, READ_METHODS, false },
	{ REST_POOL_ROLLBACK, "POST", false },
	/* These are documents as the first ones are, and for the list alone. */
	{ REST_ADDRESS_POOL, DOCUMENT_METHODS, false },
	{ REST_ADDRESS_POOL_ROLLBACK, "POST", false },
	{ REST_ADDRESS_POOL_REVISIONS, READ_METHODS, false },
	{ REST_ADDRESS_POOL_REVISION, READ_METHODS, false },
	{ 0 },
};

/* --- paths ------------------------------------------------------------------------------ */

enum store_kind edit_kind_of(const char *word)
{
	static const struct {
		const char *word;
		enum store_kind kind;
	} kinds[] = { { "services", STORE_SERVICE },
		      { "endpoints", STORE_ENDPOINTS },
		      { "endpointslices", STORE_SLICE },
		      { "secrets", STORE_SECRET },
		      { "addresspools", STORE_ADDRESS_POOL } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].word, word) == 0)
			return kinds[i].kind;
	return (enum store_kind)0;
}

static bool starts_with(const struct uri *u, const char *first)
{
	return u->segment_count >= 3 && strcmp(u->segments[0], "api") == 0 &&
	       strcmp(u->segments[1], "v1") == 0 && strcmp(u->segments[2], first) == 0;
}

/* Cuts ":rollback" off the name; false: it does not end in it. */
static bool cut_rollback(char *name)
{
	static const char suffix[] = ":rollback";
	size_t n = strlen(name), k = sizeof(suffix) - 1;

	if (n <= k || strcmp(name + n - k, suffix) != 0)
		return false;
	name[n - k] = '\0';
	return true;
}

/* Its name is the segment before `at`. */
static bool below_document(const struct uri *u, size_t at, struct edit_target *out)
{
	if (u->segment_count == at) {
		out->what = cut_rollback(out->name) ? EDIT_ROLLBACK : EDIT_DOCUMENT;
		return true;
	}
	if (strcmp(u->segments[at], "revisions") != 0)
		return false;
	out->what = u->segment_count == at + 1 ? EDIT_REVISIONS : EDIT_REVISION;
	return u->segment_count == at + 1 ||
	       value_uint(u->segments[at + 1], 1, INT64_MAX, &out->number) == 0;
}

static bool address_pool_target(const struct uri *u, struct edit_target *out)
{
	if (u->segment_count == 3) {
		out->what = EDIT_ADDRESS_POOLS;
		return true;
	}
	if (u->segment_count > 6 || !*u->segments[3] || strlen(u->segments[3]) > STORE_NAME_MAX)
		return false;
	strcpy(out->name, u->segments[3]);
	out->key = (struct store_key){ STORE_ADDRESS_POOL, "", out->name };
	return below_document(u, 4, out);
}

static bool document_target(const struct uri *u, struct edit_target *out)
{
	if (u->segment_count < 6 || u->segment_count > 8 ||
	    strlen(u->segments[3]) > STORE_NAME_MAX || !*u->segments[3] || !*u->segments[5] ||
	    strlen(u->segments[5]) > STORE_NAME_MAX)
		return false;
	strcpy(out->name, u->segments[5]);
	out->key = (struct store_key){ edit_kind_of(u->segments[4]), u->segments[3], out->name };
	return out->key.kind && out->key.kind != STORE_ADDRESS_POOL && below_document(u, 6, out);
}

static bool pool_target(const struct uri *u, struct edit_target *out)
{
	static const struct {
		const char *word;
		enum edit_what what;
	} parts[] = { { "spec", EDIT_POOL_SPEC },
		      { "members", EDIT_POOL_MEMBERS },
		      { "revisions", EDIT_POOL_REVISIONS } };
	const char *below = u->segment_count > 4 ? u->segments[4] : "";

	if (u->segment_count > 6)
		return false;
	if (u->segment_count == 3) {
		out->what = EDIT_POOLS;
		return true;
	}
	strcpy(out->name, u->segments[3]);
	if (u->segment_count == 6) {
		out->what = EDIT_POOL_MEMBER;
		out->member = u->segments[5];
		return strcmp(below, "members") == 0;
	}
	if (u->segment_count == 4) {
		out->what = cut_rollback(out->name) ? EDIT_POOL_ROLLBACK : EDIT_POOL;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strcmp(below, parts[i].word) == 0) {
			out->what = parts[i].what;
			return true;
		}
	return false;
}

bool edit_target_of(const struct uri *u, struct edit_target *out)
{
	*out = (struct edit_target){ 0 };
	if (starts_with(u, "namespaces"))
		return document_target(u, out);
	if (starts_with(u, "pools"))
		return pool_target(u, out);
	if (starts_with(u, "address-pools"))
		return address_pool_target(u, out);
	if (starts_with(u, "apply") && u->segment_count == 3) {
		out->what = EDIT_APPLY;
		return true;
	}
	if (!starts_with(u, "operations") || u->segment_count > 4)
		return false;
	out->what = u->segment_count == 3 ? EDIT_OPERATIONS : EDIT_OPERATION;
	return u->segment_count == 3 || value_uint(u->segments[3], 1, INT64_MAX, &out->number) == 0;
}

/* --- conditions -------------------------------------------------------------------------- */

/* "rN" in quotes: a strong tag of ours. */
static bool take_tag(const char *s, uint64_t *out)
{
	char digits[24];
	size_t n = strlen(s);

	if (n < 4 || n - 3 >= sizeof(digits) || s[0] != '"' || s[1] != 'r' || s[n - 1] != '"')
		return false;
	memcpy(digits, s + 2, n - 3);
	digits[n - 3] = '\0';
	return value_uint(digits, 1, INT64_MAX, out) == 0;
}

int edit_condition_of(const struct rest_request *r, struct edit_condition *out, struct err *err)
{
	*out = (struct edit_condition){ .expect = STORE_EXPECT_ABSENT };
	if (r->if_match && r->if_none_match)
		return err_set(err, -EINVAL, "If-Match and If-None-Match together");
	if (r->if_none_match) {
		if (strcmp(r->if_none_match, "*") != 0)
			return err_set(err, -EINVAL, "If-None-Match: only * is taken");
		out->said = true;
	} else if (r->if_match && strcmp(r->if_match, "*") == 0) {
		*out = (struct edit_condition){ .said = true, .expect = STORE_EXPECT_ANY };
	} else if (r->if_match) {
		out->said = true;
		out->expect = STORE_EXPECT_REVISION;
		if (!take_tag(r->if_match, &out->revision))
			return err_set(err, -EINVAL,
				       "If-Match: one ETag as it was given (\"r12\"), or *");
	}
	return 0;
}

/* --- parameters -------------------------------------------------------------------------- */

/* "2026-11-28T03:04:05Z", with or without a fraction. */
static bool take_time(const char *s, int64_t *out_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!end || strcmp(end, "Z") != 0)
		return false;
	*out_ms = (int64_t)timegm(&tm) * 1000;
	return *out_ms > 0;
}

static bool take_result(const char *word, struct edit_params *out)
{
	for (enum store_result r = STORE_OK; r <= STORE_CORRUPT; r++)
		if (strcmp(store_result_text(r), word) == 0) {
			out->result = r;
			return true;
		}
	return false;
}

static bool take_number(const char *s, uint64_t min, uint64_t max, size_t *out)
{
	uint64_t v;

	if (value_uint(s, min, max, &v) < 0)
		return false;
	*out = (size_t)v;
	return true;
}

/* 1: taken; 0: not one of these; -1: a bad value. */
static int take_filter(const struct uri_param *p, struct edit_params *out)
{
	struct store_operations_query *q = &out->past;
	const struct {
		const char *name, **to;
	} texts[] = { { REST_NAMESPACE, &q->ns },  { REST_NAME, &q->name },
		      { REST_USER, &q->user },	   { REST_ACTION, &q->action },
		      { REST_SOURCE, &q->source }, { REST_REQUEST, &q->request } };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(p->name, texts[i].name) == 0) {
			*texts[i].to = p->value;
			return 1;
		}
	if (strcmp(p->name, REST_KIND) == 0) {
		q->kind = edit_kind_of(p->value);
		return q->kind ? 1 : -1;
	}
	if (strcmp(p->name, REST_RESULT) == 0) {
		q->result = &out->result;
		return take_result(p->value, out) ? 1 : -1;
	}
	if (strcmp(p->name, REST_SINCE) == 0)
		return take_time(p->value, &q->since_ms) ? 1 : -1;
	if (strcmp(p->name, REST_UNTIL) == 0)
		return take_time(p->value, &q->until_ms) ? 1 : -1;
	if (strcmp(p->name, REST_BEFORE) == 0)
		return value_uint(p->value, 1, INT64_MAX, &q->before) == 0 ? 1 : -1;
	if (strcmp(p->name, REST_OFFSET) == 0)
		return take_number(p->value, 0, UINT32_MAX, &q->offset) ? 1 : -1;
	return 0;
}

static int take_param(const struct uri_param *p, enum edit_what what, bool is_write,
		      struct edit_params *out)
{
	if (is_write && strcmp(p->name, REST_DRY_RUN) == 0) {
		out->dry_run = true;
		return strcmp(p->value, "all") == 0 ? 1 : -1;
	}
	if (is_write && strcmp(p->name, REST_REASON) == 0) {
		out->reason = p->value;
		return strlen(p->value) <= STORE_REASON_MAX ? 1 : -1;
	}
	if (what == EDIT_APPLY && strcmp(p->name, REST_NAMESPACE) == 0) {
		out->ns = p->value;
		return *p->value && strlen(p->value) <= STORE_NAME_MAX ? 1 : -1;
	}
	if (what == EDIT_OPERATIONS && strcmp(p->name, REST_POOL_FIELD) == 0) {
		out->pool = p->value;
		return *p->value && strlen(p->value) <= STORE_NAME_MAX ? 1 : -1;
	}
	if ((what == EDIT_REVISIONS || what == EDIT_OPERATIONS || what == EDIT_POOL_REVISIONS) &&
	    strcmp(p->name, REST_LIMIT) == 0)
		return take_number(p->value, 1, REST_LIMIT_MAX, &out->past.limit) ? 1 : -1;
	return what == EDIT_OPERATIONS ? take_filter(p, out) : 0;
}

int edit_params_of(const struct uri *u, const struct edit_target *t, bool is_write,
		   struct edit_params *out, struct err *err)
{
	*out = (struct edit_params){ .ns = "default", .past.limit = REST_LIMIT_DEFAULT };
	for (size_t i = 0; i < u->param_count; i++) {
		const struct uri_param *p = &u->params[i];
		int r = take_param(p, t->what, is_write, out);

		if (r == 0)
			return err_set(err, -EINVAL, "unknown query parameter '%.64s'", p->name);
		if (r < 0)
			return err_set(err, -EINVAL, "parameter '%s' cannot be '%.64s'", p->name,
				       p->value);
	}
	return 0;
}

/* --- admission ---------------------------------------------------------------------------- */

bool edit_takes_method(const char *methods, const char *method)
{
	size_t n = strlen(method);

	for (const char *p = methods; *p;) {
		size_t len = strcspn(p, ",");

		if (len == n && memcmp(p, method, n) == 0)
			return true;
		p += len + strspn(p + len, ", ");
	}
	return false;
}

/* The type alone, without parameters such as charset. */
bool edit_is_type(const char *header, const char *type)
{
	size_t n = strlen(type);

	return header && strncasecmp(header, type, n) == 0 &&
	       (header[n] == '\0' || header[n] == ';' || header[n] == ' ');
}

static bool takes_yaml(enum edit_what what)
{
	return what == EDIT_DOCUMENT || what == EDIT_APPLY;
}

static bool type_is_taken(const struct rest_request *r, enum edit_what what)
{
	if (strcmp(r->method, "PATCH") == 0)
		return edit_is_type(r->content_type, REST_MERGE_PATCH);
	if (edit_is_type(r->content_type, REST_JSON))
		return true;
	return takes_yaml(what) && edit_is_type(r->content_type, REST_YAML);
}

static const char *types_of(const struct rest_request *r, enum edit_what what)
{
	if (strcmp(r->method, "PATCH") == 0)
		return "Content-Type has to be " REST_MERGE_PATCH;
	if (!takes_yaml(what))
		return "Content-Type has to be " REST_JSON;
	return "Content-Type has to be " REST_JSON " or " REST_YAML;
}

static enum rest_problem write_problem(const struct rest_request *r, enum edit_what what,
				       const char **detail)
{
	/* Whether it is for a cluster is known once the pool is. */
	if (!r->may_write && !rest_cluster_token(r))
		return rest_write_refusal(r);
	if (strcmp(r->method, "DELETE") == 0)
		return r->has_body ? PROBLEM_BODY_REFUSED : PROBLEM_COUNT;
	if (!type_is_taken(r, what)) {
		*detail = types_of(r, what);
		return PROBLEM_BAD_TYPE;
	}
	return r->length > REST_BODY_MAX ? PROBLEM_TOO_LARGE : PROBLEM_COUNT;
}

static enum rest_problem problem_of(const struct rest_request *r, enum edit_what what,
				    const char **detail)
{
	enum rest_problem p = rest_transport_problem(r);

	if (p != PROBLEM_COUNT)
		return p;
	if (!edit_takes_method(edit_paths[what].methods, r->method))
		return PROBLEM_BAD_METHOD;
	if (accept_type(r->accept, REST_JSON) == 0) {
		*detail = "there is " REST_JSON;
		return PROBLEM_NOT_ACCEPTABLE;
	}
	if (!origin_is_safe(r->method))
		return write_problem(r, what, detail);
	return r->has_body ? PROBLEM_BODY_REFUSED : PROBLEM_COUNT;
}

enum edit_admission edit_admit(const struct rest_request *r, struct rest_reply *out)
{
	const char *detail = NULL;
	struct edit_target t;
	enum rest_problem p;
	struct err err;
	struct uri uri;

	if (uri_parse(r->target, &uri, &err) < 0 || !edit_target_of(&uri, &t))
		return EDIT_NOT_OURS;
	if (edit_paths[t.what].read_elsewhere && origin_is_safe(r->method))
		return EDIT_NOT_OURS;
	p = problem_of(r, t.what, &detail);
	if (p == PROBLEM_COUNT)
		return EDIT_ADMITTED;
	*out = (struct rest_reply){ .close = true };
	out->methods = edit_paths[t.what].methods;
	problem_answer(out, p, r, detail);
	return EDIT_REFUSED;
}
