/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/rows.h"

#include <inttypes.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/ctl/words.h"

void rows_cell_joined(struct table *t, const struct doc *list)
{
	struct buf text = { 0 };

	for (const struct doc *i = list ? list->first : NULL; i; i = i->next)
		buf_printf(&text, "%s%s", text.len ? "," : "", doc_string(i) ? doc_string(i) : "?");
	table_cell(t, buf_cstr(&text));
	buf_done(&text);
}

static void cell_age(struct table *t, const struct doc *d, int64_t now_ms)
{
	char age[WORDS_SPAN_MAX];

	table_cell(t, words_age(d, REST_SINCE, now_ms, age));
}

static void cell_latency(struct table *t, const struct doc *d)
{
	int64_t us = words_int(d, REST_LATENCY_US);

	if (us > 0)
		table_cellf(t, "%" PRId64 ".%03" PRId64 " ms", us / 1000, us % 1000);
	else
		table_cell(t, NULL);
}

/* The health, and what makes it special. */
static void cell_health(struct table *t, const struct doc *pool)
{
	table_cellf(t, "%s%s%s", words_text(pool, REST_HEALTH),
		    words_bool(pool, REST_FAIL_OPEN) ? ",fail-open" : "",
		    words_bool(pool, REST_INHERITED) ? ",inherited" : "");
}

static void add_pool(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	const struct doc *members = doc_get(d, REST_MEMBERS_FIELD);

	(void)now_ms;
	table_cell(t, words_text(d, REST_ID));
	rows_cell_joined(t, doc_get(d, REST_FRONTENDS));
	cell_health(t, d);
	table_cellf(t, "%" PRId64, words_int(members, REST_TOTAL));
	table_cellf(t, "%" PRId64, words_int(members, REST_UP));
	table_cellf(t, "%" PRId64, words_int(members, REST_DOWN));
	table_cellf(t, "%" PRId64, words_int(members, REST_DRAINING));
	table_cell(t, words_text(doc_get(d, REST_CHECK), REST_TYPE));
	table_cellf(t, "%" PRId64, words_int(d, REST_PROBLEM_COUNT));
	if (!wide)
		return;
	table_cell(t, words_text(d, REST_SCHEDULER));
	table_cell(t, words_text(d, REST_FORWARDING));
	table_cellf(t, "%" PRId64, words_int(d, REST_GENERATION));
	table_cell(t, words_text(d, REST_SOURCE));
}

static void add_own_member(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	const struct doc *last = doc_get(d, REST_LAST_CHECK);
	char endpoint[WORDS_ENDPOINT_MAX], span[WORDS_SPAN_MAX];

	table_cell(t, words_endpoint(d, endpoint));
	table_cell(t, words_text(d, REST_STATE));
	table_cellf(t, "%" PRId64 "/%" PRId64, words_int(d, REST_EFFECTIVE_WEIGHT),
		    words_int(d, REST_WEIGHT));
	table_cell(t, words_bool(d, REST_IN_TABLE) ? "yes" : "no");
	cell_age(t, d, now_ms);
	rows_cell_joined(t, doc_get(d, REST_REASONS));
	if (!wide)
		return;
	table_cell(t, words_until(d, REST_REMOVE_AT, now_ms, span));
	table_cell(t, words_text(last, REST_REASON));
	cell_latency(t, last);
	table_cell(t, words_text(d, REST_TARGET));
}

static void add_member(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	table_cell(t, words_text(d, REST_POOL_FIELD));
	add_own_member(t, d, wide, now_ms);
}

static void add_target(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	char endpoint[WORDS_ENDPOINT_MAX];
	int64_t detail = words_int(d, REST_DETAIL);

	table_cell(t, words_endpoint(d, endpoint));
	table_cell(t, words_text(d, REST_TYPE));
	table_cell(t, words_text(d, REST_STATE));
	cell_age(t, d, now_ms);
	if (detail)
		table_cellf(t, "%s %" PRId64, words_text(d, REST_REASON), detail);
	else
		table_cell(t, words_text(d, REST_REASON));
	table_cellf(t, "%" PRId64, words_int(d, REST_OK));
	table_cellf(t, "%" PRId64, words_int(d, REST_FAILED));
	cell_latency(t, d);
	table_cellf(t, "%" PRId64, words_int(d, REST_POOLS_FIELD));
	if (!wide)
		return;
	table_cell(t, words_text(d, REST_PROTOCOL));
	table_cell(t, words_bool(d, REST_PROVEN) ? "yes" : "no");
	table_cell(t, words_text(d, REST_ID));
}

static void add_problem(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	int64_t line = words_int(d, REST_LINE);

	(void)wide;
	(void)now_ms;
	table_cell(t, words_text(d, REST_SEVERITY));
	if (line)
		table_cellf(t, "%s:%" PRId64, words_text(d, REST_WHERE), line);
	else
		table_cell(t, words_text(d, REST_WHERE));
	table_cell(t, words_text(d, REST_POOL_FIELD));
	table_cell(t, words_text(d, REST_TEXT_FIELD));
}

static void add_event(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	char age[WORDS_SPAN_MAX];

	(void)wide;
	table_cell(t, words_age(d, REST_AT, now_ms, age));
	table_cell(t, words_text(d, REST_TYPE));
	table_cell(t, words_text(d, REST_POOL_FIELD));
	table_cell(t, words_text(d, REST_MEMBER));
	table_cell(t, words_text(d, REST_FROM));
	table_cell(t, words_text(d, REST_TO));
	table_cell(t, words_text(d, REST_REASON));
}

/* "10.0.0.7:80=1": its weight; the others of very many are counted. */
static void cell_destinations(struct table *t, const struct doc *d)
{
	const struct doc *list = doc_get(d, REST_DESTINATIONS);
	char endpoint[WORDS_ENDPOINT_MAX];
	struct buf text = { 0 };
	int64_t more = words_int(d, REST_DESTINATION_COUNT);

	for (const struct doc *i = list ? list->first : NULL; i; i = i->next, more--)
		buf_printf(&text, "%s%s=%" PRId64, text.len ? "," : "", words_endpoint(i, endpoint),
			   words_int(i, REST_WEIGHT));
	if (more > 0)
		buf_printf(&text, ",and %" PRId64 " more", more);
	table_cell(t, buf_cstr(&text));
	buf_done(&text);
}

static void add_frontend(struct table *t, const struct doc *d, bool wide, int64_t now_ms)
{
	(void)now_ms;
	table_cell(t, words_text(d, REST_FRONTEND));
	table_cell(t, words_text(d, REST_SCHEDULER));
	rows_cell_joined(t, doc_get(d, REST_FLAGS));
	table_cell(t, words_text(d, REST_FORWARDING));
	table_cellf(t, "%" PRId64, words_int(d, REST_DESTINATION_COUNT));
	table_cell(t, words_bool(d, REST_APPLIED_FIELD) ? "yes" : "no");
	table_cell(t, words_text(d, REST_POOL_FIELD));
	table_cell(t, words_text(d, REST_PROBLEM_FIELD));
	if (wide)
		cell_destinations(t, d);
}

#define POOL_HEADS \
	"POOL", "FRONTENDS", "HEALTH", ">MEMBERS", ">UP", ">DOWN", ">DRAINING", "CHECK", ">PROBLEMS"
#define MEMBER_HEADS	  "MEMBER", "STATE", ">WEIGHT", "IN-TABLE", ">SINCE", "REASONS"
#define MEMBER_WIDE_HEADS MEMBER_HEADS, ">LEAVES-IN", "LAST-CHECK", ">LATENCY", "TARGET"
#define TARGET_HEADS \
	"TARGET", "CHECK", "STATE", ">SINCE", "REASON", ">OK", ">FAILED", ">LATENCY", ">POOLS"
#define FRONTEND_HEADS                                                                      \
	"FRONTEND", "SCHEDULER", "FLAGS", "FORWARDING", ">DESTINATIONS", "APPLIED", "POOL", \
		"PROBLEM"
#define PROBLEM_HEADS "SEVERITY", "WHERE", "POOL", "PROBLEM"

const struct rows *rows_find(const char *name)
{
	static const char *const pool[] = { POOL_HEADS, NULL };
	static const char *const pool_wide[] = { POOL_HEADS,	"SCHEDULER", "FORWARDING",
						 ">GENERATION", "SOURCE",    NULL };
	static const char *const member[] = { "POOL", MEMBER_HEADS, NULL };
	static const char *const member_wide[] = { "POOL", MEMBER_WIDE_HEADS, NULL };
	static const char *const target[] = { TARGET_HEADS, NULL };
	static const char *const target_wide[] = { TARGET_HEADS, "PROTOCOL", "PROVEN", "ID", NULL };
	static const char *const problem[] = { PROBLEM_HEADS, NULL };
	static const char *const event[] = { ">AGO", "TYPE", "POOL",   "MEMBER",
					     "FROM", "TO",   "REASON", NULL };
	static const char *const frontend[] = { FRONTEND_HEADS, NULL };
	static const char *const frontend_wide[] = { FRONTEND_HEADS, "TO", NULL };
	static const struct rows all[] = {
		{ "pools", REST_POOLS, REST_Q, true, true, "", pool, pool_wide, add_pool },
		{ "members", REST_MEMBERS, REST_POOL_FIELD, true, true, "/members", member,
		  member_wide, add_member },
		{ "targets", REST_TARGETS, REST_Q, true, false, NULL, target, target_wide,
		  add_target },
		{ "problems", REST_PROBLEMS, REST_POOL_FIELD, false, false, NULL, problem, problem,
		  add_problem },
		{ "ipvs", REST_IPVS, REST_Q, false, false, NULL, frontend, frontend_wide,
		  add_frontend },
		{ "events", REST_EVENTS, REST_POOL_FIELD, false, false, NULL, event, event,
		  add_event },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	return NULL;
}

const struct rows *rows_of_pool(void)
{
	static const char *const heads[] = { MEMBER_HEADS, NULL };
	static const char *const wide_heads[] = { MEMBER_WIDE_HEADS, NULL };
	static const struct rows rows = {
		.name = "members", .heads = heads, .wide_heads = wide_heads, .add = add_own_member
	};

	return &rows;
}
