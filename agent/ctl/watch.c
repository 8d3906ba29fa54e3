/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl get pools --watch: the list, then each pool again when something
 * about it changed, until it is interrupted or the agent ends it.
 *
 * The watch comes first and the list after it, so that nothing that changes in
 * between is missed; it may be shown twice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/clock.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/rows.h"
#include "agent/ctl/table.h"

struct watching {
	struct client *lists; /* of its own: the other one is busy with the watch */
	const struct rows *rows;
	const struct ctl_args *args;
	struct table table; /* whose columns stay as wide as they came to be */
	struct buf query;
};

/* --- what is shown -------------------------------------------------------------------- */

static int print_rows(struct watching *w, struct err *err)
{
	struct buf text = { 0 };
	int r;

	table_print(&w->table, &text);
	table_forget(&w->table);
	r = command_print(&text) == CTL_OK ? 0 : err_set(err, -EIO, "the output is gone");
	buf_done(&text);
	return r;
}

static int print_json(const char *event, const char *data, size_t len, struct err *err)
{
	struct buf text = { 0 };
	int r;

	buf_printf(&text, "{\"event\":\"%s\",\"object\":", event);
	buf_put(&text, data, len);
	buf_str(&text, "}\n");
	r = command_print(&text) == CTL_OK ? 0 : err_set(err, -EIO, "the output is gone");
	buf_done(&text);
	return r;
}

static int add_pool(struct watching *w, const char *data, size_t len, struct err *err)
{
	struct doc_set set = { 0 };
	int r = doc_read_json(data, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	w->rows->add(&w->table, set.roots[0], w->args->output == OUTPUT_WIDE,
		     clock_wall_ms(&clock_system));
	doc_set_done(&set);
	return 0;
}

static int add_gone(struct watching *w, const char *data, size_t len, struct err *err)
{
	struct doc_set set = { 0 };
	int r = doc_read_json(data, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	table_cell(&w->table, doc_string(doc_get(set.roots[0], REST_ID)));
	table_cell(&w->table, NULL);
	table_cell(&w->table, "deleted");
	while (w->table.cells % w->table.columns)
		table_cell(&w->table, NULL);
	doc_set_done(&set);
	return 0;
}

/* --- what comes ----------------------------------------------------------------------- */

static int on_listed(void *arg, const char *text, size_t len, struct err *err)
{
	struct watching *w = arg;

	if (ctl_wants_json(w->args))
		return print_json(REST_EVENT_POOL, text, len, err);
	return add_pool(w, text, len, err);
}

static int show_list(struct watching *w, struct err *err)
{
	struct buf path = { 0 };
	int r;

	buf_printf(&path, "%s%s", w->rows->path, buf_cstr(&w->query));
	r = client_items(w->lists, buf_cstr(&path), on_listed, w, err);
	buf_done(&path);
	if (r == 0 && !ctl_wants_json(w->args))
		r = print_rows(w, err);
	return r;
}

static int on_event(void *arg, const char *event, const char *data, size_t len, struct err *err)
{
	struct watching *w = arg;
	int r;

	if (strcmp(event, REST_EVENT_BOOKMARK) == 0 || strcmp(event, REST_EVENT_RESET) == 0)
		return show_list(w, err);
	if (ctl_wants_json(w->args))
		return print_json(event, data, len, err);
	if (strcmp(event, REST_EVENT_POOL) == 0)
		r = add_pool(w, data, len, err);
	else if (strcmp(event, REST_EVENT_POOL_GONE) == 0)
		r = add_gone(w, data, len, err);
	else
		return 0; /* of a later version */
	return r < 0 ? r : print_rows(w, err);
}

int watch_pools(struct client *c, const struct rows *rows, const struct ctl_args *args,
		const char *query)
{
	bool wide = args->output == OUTPUT_WIDE;
	struct watching w = { .lists = client_new(&args->place), .rows = rows, .args = args };
	struct buf path = { 0 };
	struct err err;
	int r;

	buf_str(&w.query, query);
	buf_printf(&path, REST_WATCH "%s", query);
	table_init(&w.table, wide ? rows->wide_heads : rows->heads);
	r = client_events(c, buf_cstr(&path), on_event, &w, &err);
	r = command_failed("%s", r < 0 ? err.text : "the agent ended the watch");
	table_done(&w.table);
	buf_done(&path);
	buf_done(&w.query);
	client_free(w.lists);
	return r;
}
