/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl describe and explain: one pool, for people.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/clock.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/kinds.h"
#include "agent/ctl/rows.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

#define FOUND_MAX 20 /* members that are not well, in words */

/* What is written while a pool's members come in. */
struct telling {
	const struct doc *pool;
	int64_t now_ms;
	struct table table; /* describe */
	struct buf found;   /* describe: what checks found of those that are not well */
	size_t found_count;
	struct buf *out; /* explain */
	size_t count;
};

static void put_line(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%-12s %s\n", name, *value ? value : "-");
}

static void put_joined(struct buf *out, const char *name, const struct doc *list)
{
	struct buf text = { 0 };

	for (const struct doc *i = list ? list->first : NULL; i; i = i->next)
		buf_printf(&text, "%s%s", text.len ? ", " : "",
			   doc_string(i) ? doc_string(i) : "?");
	put_line(out, name, buf_cstr(&text));
	buf_done(&text);
}

static void put_health(struct buf *out, const struct doc *pool)
{
	const struct doc *m = doc_get(pool, REST_MEMBERS_FIELD);

	buf_printf(out,
		   "%-12s %s: of %" PRId64 " members %" PRId64 " up, %" PRId64 " down, %" PRId64
		   " unknown, %" PRId64 " draining\n",
		   "Health", words_text(pool, REST_HEALTH), words_int(m, REST_TOTAL),
		   words_int(m, REST_UP), words_int(m, REST_DOWN), words_int(m, REST_UNKNOWN),
		   words_int(m, REST_DRAINING));
	if (words_bool(pool, REST_FAIL_OPEN) && words_int(pool, REST_MIN_HEALTHY))
		buf_printf(out,
			   "%-12s fewer than %" PRId64 " %% of the members are up: traffic goes to "
			   "those that are down as well (fail open)\n",
			   "", words_int(pool, REST_MIN_HEALTHY));
	else if (words_bool(pool, REST_FAIL_OPEN))
		put_line(out, "",
			 "no member is up: traffic goes to those last known to be good "
			 "(fail open)");
	if (words_bool(pool, REST_INHERITED))
		put_line(out, "",
			 "from before the agent's start: its source was not read yet "
			 "(inherited)");
}

/* Nothing where all members are used because that is what was asked for. */
static void put_policy(struct buf *out, const struct doc *pool)
{
	int64_t elsewhere = words_int(doc_get(pool, REST_MEMBERS_FIELD), REST_ELSEWHERE);

	if (strcmp(words_text(pool, REST_TRAFFIC_POLICY), "Local") != 0)
		return;
	if (!words_bool(pool, REST_LOCAL_ONLY))
		put_line(out, "Policy",
			 "Local, but no server is on this node: those of all nodes are used");
	else
		buf_printf(out, "%-12s Local; servers left out, on other nodes: %" PRId64 "\n",
			   "Policy", elsewhere);
}

static void put_check(struct buf *out, const struct doc *pool)
{
	struct buf text = { 0 };

	words_check(doc_get(pool, REST_CHECK), &text);
	put_line(out, "Check", buf_cstr(&text));
	buf_done(&text);
}

static void put_head(struct buf *out, const struct doc *pool)
{
	put_line(out, "Pool", words_text(pool, REST_ID));
	put_joined(out, "Frontends", doc_get(pool, REST_FRONTENDS));
	put_health(out, pool);
	put_policy(out, pool);
	put_check(out, pool);
}

static void put_settings(struct buf *out, const struct doc *pool)
{
	put_line(out, "Source", words_text(pool, REST_SOURCE));
	put_line(out, "Scheduler", words_text(pool, REST_SCHEDULER));
	buf_printf(out, "%-12s %s%s\n", "Forwarding", words_text(pool, REST_FORWARDING),
		   words_bool(pool, REST_MASQUERADE) ? ", source address rewritten" : "");
	if (words_int(pool, REST_PERSISTENCE_SECONDS))
		buf_printf(out, "%-12s by client address, %" PRId64 " s\n", "Persistence",
			   words_int(pool, REST_PERSISTENCE_SECONDS));
	buf_printf(out, "%-12s %" PRId64 " s; unhealthy members: %s; none up: %s\n", "Drain",
		   words_int(pool, REST_DRAIN_SECONDS), words_text(pool, REST_ON_UNHEALTHY),
		   words_text(pool, REST_FAIL_POLICY));
	if (words_int(pool, REST_MIN_HEALTHY))
		buf_printf(out, "%-12s fewer than %" PRId64 " %% up count as none\n", "Min healthy",
			   words_int(pool, REST_MIN_HEALTHY));
	if (words_int(pool, REST_SLOW_START_S))
		buf_printf(out,
			   "%-12s %" PRId64 " s to the full weight, of members that are up again\n",
			   "Slow start", words_int(pool, REST_SLOW_START_S));
	buf_printf(out, "%-12s %" PRId64 "\n", "Generation", words_int(pool, REST_GENERATION));
}

static void put_problems(struct buf *out, const struct doc *pool)
{
	const struct doc *list = doc_get(pool, REST_PROBLEMS_FIELD);

	if (!list || !list->count)
		return;
	buf_printf(out, "\nProblems (%" PRId64 "):\n", words_int(pool, REST_PROBLEM_COUNT));
	for (const struct doc *p = list->first; p; p = p->next) {
		int64_t line = words_int(p, REST_LINE);

		buf_printf(out, "  %s: %s", words_text(p, REST_SEVERITY),
			   words_text(p, REST_WHERE));
		if (line)
			buf_printf(out, ":%" PRId64, line);
		buf_printf(out, ": %s\n", words_text(p, REST_TEXT_FIELD));
	}
}

/* --- members ----------------------------------------------------------------------- */

/* In the table it is a word. */
static void add_found(struct telling *t, const struct doc *member)
{
	const struct doc *last = doc_get(member, REST_LAST_CHECK);
	const char *reason = words_text(last, REST_REASON);
	char endpoint[WORDS_ENDPOINT_MAX];

	/* Silence is good where it is told. */
	if (!last || last->type != DOC_MAP || strcmp(reason, "ok") == 0 ||
	    strcmp(reason, "silent") == 0)
		return;
	if (t->found_count++ >= FOUND_MAX)
		return;
	buf_printf(&t->found, "  %s: ", words_endpoint(member, endpoint));
	words_result(last, &t->found);
	buf_str(&t->found, "\n");
}

static void put_found(const struct telling *t, struct buf *out)
{
	if (!t->found_count)
		return;
	buf_str(out, "\nLast checks that were not ok:\n");
	buf_put(out, t->found.data, t->found.len);
	if (t->found_count > FOUND_MAX)
		buf_printf(out, "  and %zu more: 'parasausctl explain %s' has all\n",
			   t->found_count - FOUND_MAX, words_text(t->pool, REST_ID));
}

static int describe_member(void *arg, const char *text, size_t len, struct err *err)
{
	struct telling *t = arg;
	struct doc_set set = { 0 };
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	rows_of_pool()->add(&t->table, set.roots[0], true, t->now_ms);
	add_found(t, set.roots[0]);
	t->count++;
	doc_set_done(&set);
	return 0;
}

static int explain_member(void *arg, const char *text, size_t len, struct err *err)
{
	struct telling *t = arg;
	struct doc_set set = { 0 };
	char endpoint[WORDS_ENDPOINT_MAX];
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r < 0)
		return r;
	buf_printf(t->out, "\n%s\n  ", words_endpoint(set.roots[0], endpoint));
	words_member(t->pool, set.roots[0], t->now_ms, t->out);
	buf_str(t->out, "\n");
	t->count++;
	doc_set_done(&set);
	return 0;
}

static int each_member(struct client *c, const char *id, client_item_fn *fn, struct telling *t,
		       struct err *err)
{
	struct buf path = { 0 };
	int r;

	command_pool_path(&path, id, "/members");
	r = client_items(c, buf_cstr(&path), fn, t, err);
	buf_done(&path);
	return r;
}

static int describe(struct client *c, const struct doc *pool, struct buf *out, struct err *err)
{
	struct telling t = { .pool = pool, .now_ms = clock_wall_ms(&clock_system) };
	int r;

	put_head(out, pool);
	put_settings(out, pool);
	table_init(&t.table, rows_of_pool()->wide_heads);
	r = each_member(c, words_text(pool, REST_ID), describe_member, &t, err);
	if (r == 0 && t.count) {
		buf_str(out, "\n");
		table_print(&t.table, out);
	}
	table_done(&t.table);
	put_found(&t, out);
	buf_done(&t.found);
	put_problems(out, pool);
	return r;
}

static int explain(struct client *c, const struct doc *pool, struct buf *out, struct err *err)
{
	struct telling t = { .pool = pool, .now_ms = clock_wall_ms(&clock_system), .out = out };
	int r;

	put_head(out, pool);
	r = each_member(c, words_text(pool, REST_ID), explain_member, &t, err);
	if (r == 0 && t.count == 0)
		buf_str(out, "\nIt has no members: nobody answers its connections.\n");
	put_problems(out, pool);
	return r;
}

typedef int tell_fn(struct client *c, const struct doc *pool, struct buf *out, struct err *err);

static int ask_pool(const struct ctl_args *args, struct client *c, const char *path, tell_fn *tell,
		    struct buf *text, struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	int r;

	if (ctl_wants_json(args))
		return client_text(c, path, text, err);
	r = client_object(c, path, &set, err);
	return r < 0 ? r : tell(c, set.roots[0], text, err);
}

static int tell_pool(const struct ctl_args *args, const char *name, tell_fn *tell)
{
	struct client *c = client_new(&args->place);
	struct buf id = { 0 }, path = { 0 }, text = { 0 };
	struct err err;
	int r = command_find_pool(c, name, &id, &err);

	if (r == 0) {
		command_pool_path(&path, buf_cstr(&id), "");
		r = ask_pool(args, c, buf_cstr(&path), tell, &text, &err);
	}
	r = r < 0 ? command_failed("%s", err.text) : command_print(&text);
	buf_done(&text);
	buf_done(&path);
	buf_done(&id);
	client_free(c);
	return r;
}

int command_describe(const struct ctl_args *args)
{
	const struct ctl_kind *kind = args->operand_count == 2
					      ? ctl_kind_find(args->operands[0], "describe")
					      : NULL;

	if (!kind)
		return command_misused("describe", "describe takes 'pool' or 'target' and its id");
	if (strcmp(kind->name, "targets") == 0)
		return describe_target(args, args->operands[1]);
	return tell_pool(args, args->operands[1], describe);
}

int command_explain(const struct ctl_args *args)
{
	if (args->operand_count != 1)
		return command_misused("explain", "explain takes one pool");
	return tell_pool(args, args->operands[0], explain);
}
