/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl token: who may write to the agent over TCP.
 */
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

/* Nothing but the token, so that a script can take it as it comes. */
static int print_token(const struct ctl_args *args, const struct buf *answer)
{
	CLEANUP(doc_set_wipe) struct doc_set set = { 0 };
	CLEANUP(buf_wipe) struct buf out = { 0 };
	struct err err;

	if (ctl_wants_json(args))
		return command_print(answer);
	if (doc_read_json(answer->data, answer->len, &DOC_LIMITS_DEFAULT, &set, &err) < 0)
		return command_failed("the agent's answer: %s", err.text);
	buf_reserve(&out, answer->len);
	buf_str(&out, words_text(set.roots[0], REST_TOKEN_FIELD));
	buf_str(&out, "\n");
	return command_print(&out);
}

static int create(const struct ctl_args *args, struct client *c, const char *name)
{
	CLEANUP(buf_wipe) struct buf answer = { 0 };
	struct buf body = { 0 };
	struct err err;
	int r;

	buf_printf(&body, "{\"" REST_NAME "\":\"%s\",\"" REST_ROLE "\":\"%s\"}", name,
		   args->role ? args->role : "editor");
	r = client_write(
		c,
		&(struct client_write){
			.method = "POST", .path = REST_TOKENS, .type = REST_JSON, .body = &body },
		&answer, &err);
	r = r < 0 ? command_refused(r, &err) : print_token(args, &answer);
	buf_done(&body);
	return r;
}

static int drop(struct client *c, const char *name)
{
	struct buf path = { 0 }, answer = { 0 };
	struct err err;
	int r;

	buf_str(&path, REST_TOKENS "/");
	client_encode(&path, name);
	r = client_write(c, &(struct client_write){ .method = "DELETE", .path = buf_cstr(&path) },
			 &answer, &err);
	buf_reset(&answer);
	buf_printf(&answer, "token %s deleted\n", name);
	r = r < 0 ? command_refused(r, &err) : command_print(&answer);
	buf_done(&path);
	buf_done(&answer);
	return r;
}

static void put_tokens(const struct doc *d, struct buf *out)
{
	static const char *const heads[] = { "NAME", "ROLE", "CREATED", NULL };
	const struct doc *items = doc_get(d, REST_ITEMS);
	struct table t;

	table_init(&t, heads);
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next) {
		table_cell(&t, words_text(i, REST_NAME));
		table_cell(&t, words_text(i, REST_ROLE));
		table_cell(&t, words_text(i, REST_CREATED_AT));
	}
	table_print(&t, out);
	table_done(&t);
}

static void put_names(const struct doc *d, struct buf *out)
{
	const struct doc *items = doc_get(d, REST_ITEMS);

	for (const struct doc *i = items ? items->first : NULL; i; i = i->next)
		buf_printf(out, "%s\n", words_text(i, REST_NAME));
}

static int list(const struct ctl_args *args, struct client *c)
{
	return command_show(args, c, REST_TOKENS,
			    args->output == OUTPUT_NAME ? put_names : put_tokens);
}

/* What the agent takes for one, and can stand in JSON as it is. */
static bool is_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789._-")];
}

int command_token(const struct ctl_args *args)
{
	const char *what = args->operand_count ? args->operands[0] : "";
	bool is_list = strcmp(what, "list") == 0, is_create = strcmp(what, "create") == 0;
	struct client *c;
	int r;

	if (!is_list && !is_create && strcmp(what, "delete") != 0)
		return command_misused("token", "token what? create NAME, list, or delete NAME");
	if (args->operand_count != (is_list ? 1 : 2))
		return command_misused("token", "'token %s' takes %s", what,
				       is_list ? "no name" : "one name");
	if (!is_list && !is_name(args->operands[1]))
		return command_misused("token",
				       "a name is of letters, digits, dots, underscores and "
				       "hyphens");
	if (args->role && !is_create)
		return command_misused("token", "'token %s' has no option --role", what);
	c = client_new(&args->place);
	r = is_list	? list(args, c)
	    : is_create ? create(args, c, args->operands[1])
			: drop(c, args->operands[1]);
	client_free(c);
	return r;
}
