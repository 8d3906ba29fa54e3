/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl backup: copies of the agent's store, which the agent makes and
 * reads in a directory of its own.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/document.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

static void put_path(struct buf *path, const char *name)
{
	buf_str(path, REST_BACKUPS "/");
	client_encode(path, name);
}

/* Posts and prints one thing of the answer, for a script to go on with, or all where -o wants it. */
static int post(const struct ctl_args *args, struct client *c, const char *path,
		const struct buf *body, const char *before, const char *key)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf answer = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err err;
	int r = client_write(
		c,
		&(struct client_write){
			.method = "POST", .path = path, .type = REST_JSON, .body = body },
		&answer, &err);

	if (r < 0)
		return command_refused(r, &err);
	if (ctl_wants_json(args))
		return command_print(&answer);
	if (doc_read_json(answer.data, answer.len, &DOC_LIMITS_DEFAULT, &set, &err) < 0)
		return command_failed("the agent's answer: %s", err.text);
	buf_printf(&out, "%s%s\n", before, words_text(set.roots[0], key));
	return command_print(&out);
}

static int create(const struct ctl_args *args, struct client *c, const char *name)
{
	CLEANUP(buf_done) struct buf body = { 0 };

	if (name)
		buf_printf(&body, "{\"" REST_NAME "\":\"%s\"}", name);
	else
		buf_str(&body, "{}");
	return post(args, c, REST_BACKUPS, &body, "", REST_PATH);
}

static int restore(const struct ctl_args *args, struct client *c, const char *name)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	CLEANUP(buf_done) struct buf body = { 0 };

	if (!command_confirm(args,
			     "All documents and the record of operations become those of backup "
			     "%s.\nWhat is there now is kept as another backup.\n",
			     name))
		return CTL_FAILED;
	put_path(&path, name);
	buf_str(&path, ":restore");
	document_params(args, "?", &path);
	buf_str(&body, "{}");
	return post(args, c, buf_cstr(&path), &body, "what was there is backup ", REST_KEPT);
}

static int drop(struct client *c, const char *name)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	CLEANUP(buf_done) struct buf answer = { 0 };
	struct err err;
	int r;

	put_path(&path, name);
	r = client_write(c, &(struct client_write){ .method = "DELETE", .path = buf_cstr(&path) },
			 &answer, &err);
	if (r < 0)
		return command_refused(r, &err);
	buf_reset(&answer);
	buf_printf(&answer, "backup %s deleted\n", name);
	return command_print(&answer);
}

static void put_backups(const struct doc *d, struct buf *out)
{
	static const char *const heads[] = { "NAME", ">BYTES", "CREATED", NULL };
	const struct doc *items = doc_get(d, REST_ITEMS);
	struct table t;

	table_init(&t, heads);
	for (const struct doc *i = items ? items->first : NULL; i; i = i->next) {
		table_cell(&t, words_text(i, REST_NAME));
		table_cellf(&t, "%" PRId64, words_int(i, REST_BYTES));
		table_cell(&t, words_text(i, REST_CREATED_AT));
	}
	table_print(&t, out);
	table_done(&t);
}

/* What the agent takes for one, and can stand in JSON as it is. */
static bool is_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789._-")];
}

static int run(const struct ctl_args *args, const char *what, const char *name)
{
	struct client *c = client_new(&args->place);
	int r = strcmp(what, "list") == 0     ? command_show(args, c, REST_BACKUPS, put_backups)
		: strcmp(what, "create") == 0 ? create(args, c, name)
		: strcmp(what, "delete") == 0 ? drop(c, name)
					      : restore(args, c, name);

	client_free(c);
	return r;
}

int command_backup(const struct ctl_args *args)
{
	static const struct {
		const char *word;
		int names[2]; /* at least, at most */
	} known[] = { { "create", { 0, 1 } },
		      { "list", { 0, 0 } },
		      { "restore", { 1, 1 } },
		      { "delete", { 1, 1 } } };
	const char *what = args->operand_count ? args->operands[0] : "";
	int names = args->operand_count - 1;
	const char *name = names > 0 ? args->operands[1] : NULL;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(what, known[i].word) != 0)
			continue;
		if (names < known[i].names[0] || names > known[i].names[1])
			return command_misused("backup", "'backup %s' takes %s", what,
					       known[i].names[1] ? "one name" : "no name");
		if (name && !is_name(name))
			return command_misused("backup", "a name is of letters, digits, dots, "
							 "underscores and hyphens");
		if (args->reason && strcmp(what, "restore") != 0)
			return command_misused("backup", "'backup %s' has no option --reason",
					       what);
		return run(args, what, name);
	}
	return command_misused("backup", "backup what? create [NAME], list, restore NAME, or "
					 "delete NAME");
}
