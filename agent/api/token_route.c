/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/token_route.h"

#include <errno.h>
#include <string.h>

#include "agent/api/edit_private.h"
#include "agent/api/json_writer.h"
#include "agent/api/local.h"
#include "agent/api/origin.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/base/doc.h"

#define BODY_MAX  1024u /* bytes: a name and a role */
#define REPLY_MAX 1024u /* bytes of an answer that has a token: it must not be moved */

enum what { TOKEN_LIST, TOKEN_ONE };

/* In the order of enum what. */
const struct edit_path token_paths[] = {
	{ REST_TOKENS, "GET, HEAD, POST", false },
	{ REST_TOKEN, "DELETE", false },
	{ 0 },
};

/* Points into u. */
static bool target_of(const struct uri *u, enum what *out, const char **out_name)
{
	if (u->segment_count < 3 || u->segment_count > 4 || strcmp(u->segments[0], "api") != 0 ||
	    strcmp(u->segments[1], "v1") != 0 || strcmp(u->segments[2], "tokens") != 0)
		return false;
	*out = u->segment_count == 3 ? TOKEN_LIST : TOKEN_ONE;
	*out_name = u->segment_count == 4 ? u->segments[3] : NULL;
	return true;
}

/* --- admission -------------------------------------------------------------------------------- */

enum edit_admission token_admit(const struct rest_request *r, struct rest_reply *out)
{
	struct local_rule rule = {
		.body_max = BODY_MAX,
		.over_tcp = "tokens are made, listed and deleted over the unix socket alone"
	};
	const char *name;
	enum what what;
	struct uri uri;
	struct err err;

	if (uri_parse(r->target, &uri, &err) < 0 || !target_of(&uri, &what, &name))
		return EDIT_NOT_OURS;
	rule.methods = token_paths[what].methods;
	return local_admit(r, &rule, out);
}

bool token_is_asked_for(const struct rest_request *r)
{
	const char *name;
	enum what what;
	struct uri uri;
	struct err err;

	return uri_parse(r->target, &uri, &err) == 0 && target_of(&uri, &what, &name);
}

/* --- answers ------------------------------------------------------------------------------------ */

static void put_token(struct json_writer *j, const char *name, enum token_role role,
		      const char *text, int64_t created_ms)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_NAME, name);
	json_put_text(j, REST_ROLE, token_role_text(role));
	if (text)
		json_put_text(j, REST_TOKEN_FIELD, text);
	json_put_time(j, REST_CREATED_AT, created_ms);
	json_end_object(j);
}

static void list(const struct tokens *t, struct rest_reply *out)
{
	struct json_writer j = { .out = &out->body };
	const struct token *items;
	size_t count;

	items = tokens_items(t, &count);
	json_put_object(&j, NULL);
	json_put_array(&j, REST_ITEMS);
	for (size_t i = 0; i < count; i++)
		put_token(&j, items[i].name, items[i].role, NULL, items[i].created_ms);
	json_end_array(&j);
	json_put_uint(&j, REST_TOTAL, count);
	json_end_object(&j);
	buf_str(&out->body, "\n");
}

static enum rest_problem problem_of_code(int r)
{
	switch (r) {
	case -EINVAL:
		return PROBLEM_INVALID;
	case -EEXIST:
		return PROBLEM_TOKEN_EXISTS;
	case -E2BIG:
		return PROBLEM_TOO_MANY_TOKENS;
	case -ENOENT:
		return PROBLEM_NO_TOKEN;
	default:
		return PROBLEM_STORE_TROUBLE;
	}
}

static void refuse(const struct rest_request *r, int code, const struct err *err,
		   struct rest_reply *out, struct err *out_said)
{
	if (problem_of_code(code) == PROBLEM_STORE_TROUBLE)
		*out_said = *err;
	problem_answer(out, problem_of_code(code), r, err->text);
}

static void say(struct err *out_said, const struct rest_request *r, const char *name,
		const char *what)
{
	char user[REST_USER_TEXT_MAX];

	err_set(out_said, 0, "token %s %s by %s", name, what,
		rest_user(r, user) ? user : "somebody");
}

/* {"name": ..., "role": ...}, and nothing besides. */
static int read_wish(const struct doc *d, const char **out_name, enum token_role *out_role,
		     struct err *err)
{
	const char *name = doc_string(doc_get(d, REST_NAME));
	const char *role = doc_string(doc_get(d, REST_ROLE));

	for (const struct doc *f = d->type == DOC_MAP ? d->first : NULL; f; f = f->next)
		if (strcmp(f->key, REST_NAME) != 0 && strcmp(f->key, REST_ROLE) != 0)
			return err_set(err, -EINVAL, "unknown field '%.64s'", f->key);
	if (!name)
		return err_set(err, -EINVAL, "'name' has to be a string");
	if (!role || !token_role_of(role, out_role))
		return err_set(err, -EINVAL, "'role' has to be editor or viewer");
	*out_name = name;
	return 0;
}

static void make(const struct token_place *p, const struct rest_request *r, struct rest_reply *out,
		 struct err *out_said)
{
	const struct doc_limits limits = { .nodes = 16, .depth = 4 };
	struct json_writer j = { .out = &out->body };
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	char text[TOKEN_TEXT + 1] = "";
	enum token_role role = TOKEN_VIEWER;
	const char *name = NULL;
	struct err err = { 0 };
	int code;

	code = doc_read_json(r->body ? r->body : "", r->body_len, &limits, &set, &err);
	code = code < 0 ? err_wrap(&err, -EINVAL, "the body")
			: read_wish(set.roots[0], &name, &role, &err);
	if (code == 0)
		code = tokens_make(p->tokens, name, role, p->now_ms, text, &err);
	if (code < 0) {
		refuse(r, code, &err, out, out_said);
		return;
	}
	out->status = 201;
	out->secret = true;
	buf_reserve(&out->body, REPLY_MAX);
	put_token(&j, name, role, text, p->now_ms);
	buf_str(&out->body, "\n");
	explicit_bzero(text, sizeof(text));
	say(out_said, r, name, role == TOKEN_EDITOR ? "(editor) made" : "(viewer) made");
}

static void drop(const struct token_place *p, const struct rest_request *r, const char *name,
		 struct rest_reply *out, struct err *out_said)
{
	struct err err = { 0 };
	int code = tokens_delete(p->tokens, name, &err);

	if (code < 0) {
		refuse(r, code, &err, out, out_said);
		return;
	}
	out->status = 204;
	out->type = NULL;
	say(out_said, r, name, "deleted");
}

void token_answer(const struct token_place *p, const struct rest_request *r, struct rest_reply *out,
		  struct err *out_said)
{
	const char *name = NULL;
	struct err err = { 0 };
	enum what what = TOKEN_LIST;
	struct uri uri;

	*out = (struct rest_reply){ .status = 200, .type = REST_JSON };
	*out_said = (struct err){ 0 };
	if (uri_parse(r->target, &uri, &err) < 0 || !target_of(&uri, &what, &name)) {
		problem_answer(out, PROBLEM_BAD_REQUEST, r, err.text);
	} else if (uri.param_count) {
		err_set(&err, -EINVAL, "unknown query parameter '%.64s'", uri.params[0].name);
		problem_answer(out, PROBLEM_BAD_PARAMETER, r, err.text);
	} else if (what == TOKEN_ONE) {
		drop(p, r, name, out, out_said);
	} else if (origin_is_safe(r->method)) {
		list(p->tokens, out);
	} else if (!p->writable) {
		problem_answer(out, PROBLEM_NO_STORE, r, NULL);
	} else {
		make(p, r, out, out_said);
	}
}
