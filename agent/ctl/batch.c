/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl drain, undrain and weight --all-pools: one member wherever it is,
 * as many times as the agent says when it is asked first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/endpoint.h"
#include "agent/base/xalloc.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/document.h"
#include "agent/ctl/words.h"

#define OF_MEMBERS "member:"

/* --- where it is --------------------------------------------------------------------------------- */

/* A source that has pools with the member. */
struct place {
	char *source; /* "directory:/etc/pools" */
	bool ours;    /* what can be written from here */
	int64_t pools, members;
};

struct places {
	struct place *all;
	size_t count;
	bool token;		   /* is shown: by a cluster's one writes there */
	struct place ours, others; /* sums */
};

static void places_done(struct places *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->all[i].source);
	free(p->all);
}

static bool is_of(const char *source, const char *type)
{
	size_t n = strlen(type);

	return strncmp(source, type, n) == 0 && source[n] == ':';
}

static struct place *place_of(struct places *p, const char *source)
{
	for (size_t i = 0; i < p->count; i++)
		if (strcmp(p->all[i].source, source) == 0)
			return &p->all[i];
	p->all = xreallocarray(p->all, p->count + 1, sizeof(*p->all));
	p->all[p->count] = (struct place){
		.source = xstrdup(source),
		.ours = is_of(source, "store") || (p->token && is_of(source, "kubernetes")),
	};
	return &p->all[p->count++];
}

static int add_pool(void *arg, const char *text, size_t len, struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	struct places *p = arg;
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);

	if (r == 0)
		place_of(p, words_text(set.roots[0], REST_SOURCE))->pools++;
	return r;
}

/* How many members a source has of it: one address may be several of a pool. */
static int count_members(struct client *c, const char *member, struct place *of, struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf path = { 0 };
	int r;

	buf_str(&path, REST_MEMBERS "?" REST_LIMIT "=1&" REST_SOURCE "=");
	client_encode(&path, of->source);
	buf_str(&path, "&" REST_Q "=" OF_MEMBERS);
	client_encode(&path, member);
	r = client_object(c, buf_cstr(&path), &set, err);
	of->members = r == 0 ? words_int(set.roots[0], REST_TOTAL) : 0;
	return r;
}

static int find_places(struct client *c, const char *member, struct places *out, struct err *err)
{
	CLEANUP(buf_done) struct buf path = { 0 };
	int r;

	buf_str(&path, REST_POOLS "?" REST_Q "=" OF_MEMBERS);
	client_encode(&path, member);
	r = client_items(c, buf_cstr(&path), add_pool, out, err);
	for (size_t i = 0; i < out->count && r == 0; i++) {
		struct place *p = &out->all[i], *sum = p->ours ? &out->ours : &out->others;

		r = count_members(c, member, p, err);
		sum->pools += p->pools;
		sum->members += p->members;
	}
	return r;
}

/* "2 more in pools of other sources (directory:/etc/pools: 2)" */
static void put_others(const struct places *p, struct buf *out)
{
	const char *before = "";

	buf_printf(out, "%" PRId64 " more in pools of other sources (", p->others.members);
	for (size_t i = 0; i < p->count; i++) {
		if (p->all[i].ours)
			continue;
		buf_printf(out, "%s%s: %" PRId64, before, p->all[i].source, p->all[i].members);
		before = ", ";
	}
	buf_str(out, ")");
}

/* Of its source alone where others have it, too. */
static void put_filter(const struct places *p, const char *member, struct buf *out)
{
	const char *before = "&" REST_SOURCE "=";

	buf_str(out, REST_Q "=" OF_MEMBERS);
	client_encode(out, member);
	for (size_t i = 0; i < p->count && p->others.pools; i++) {
		if (!p->all[i].ours)
			continue;
		buf_str(out, before);
		client_encode(out, p->all[i].source);
		before = ",";
	}
}

/* --- what is asked for ----------------------------------------------------------------------------- */

static void put_body(const struct places *p, const char *member, const char *op, const char *weight,
		     struct buf *out)
{
	buf_str(out, "{\"" REST_FILTER "\":\"");
	put_filter(p, member, out);
	buf_printf(out,
		   "\",\"" REST_OF "\":\"" REST_MEMBERS_FIELD "\",\"" REST_EXPECTED_COUNT
		   "\":%" PRId64 ",\"" REST_OP "\":\"%s\"",
		   p->ours.members, op);
	if (weight)
		buf_printf(out, ",\"" REST_WEIGHT "\":%s", weight);
	buf_str(out, "}");
}

static void put_results(const struct doc *d, struct buf *out)
{
	const struct doc *results = doc_get(d, REST_RESULTS);

	for (const struct doc *r = results ? results->first : NULL; r; r = r->next) {
		const char *result = words_text(r, REST_RESULT);

		buf_printf(out, "%s %s: %s", words_text(r, REST_POOL_FIELD),
			   words_text(r, REST_MEMBER), result);
		if (strcmp(result, REST_RESULT_REFUSED) == 0)
			buf_printf(out, ": %s",
				   words_text(doc_get(r, REST_PROBLEM_FIELD), REST_DETAIL));
		buf_str(out, "\n");
	}
	buf_printf(out, "%" PRId64 " %s, %" PRId64 " unchanged, %" PRId64 " refused\n",
		   words_int(d, REST_CHANGED),
		   words_bool(d, REST_DRY_RUN) ? "would be changed" : "changed",
		   words_int(d, REST_RESULT_UNCHANGED), words_int(d, REST_RESULT_REFUSED));
}

static int send_all(const struct ctl_args *args, struct client *c, const struct buf *body)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf path = { 0 };
	CLEANUP(buf_done) struct buf answer = { 0 };
	CLEANUP(buf_done) struct buf out = { 0 };
	struct err err;
	int r;

	buf_str(&path, REST_POOLS_BATCH);
	document_params(args, "?", &path);
	r = client_write(c,
			 &(struct client_write){ .method = "POST",
						 .path = buf_cstr(&path),
						 .type = REST_JSON,
						 .body = body },
			 &answer, &err);
	if (r < 0)
		return command_refused(r, &err);
	if (doc_read_json(answer.data, answer.len, &DOC_LIMITS_DEFAULT, &set, &err) < 0)
		return command_failed("the agent's answer: %s", err.text);
	put_results(set.roots[0], &out);
	r = command_print(ctl_wants_json(args) ? &answer : &out);
	if (r == CTL_OK && words_int(set.roots[0], REST_RESULT_REFUSED) > 0)
		r = CTL_FAILED;
	return r;
}

/* "drain 10.0.0.7: 3 members of 2 pools; 1 more in ...". */
static bool is_confirmed(const struct ctl_args *args, const struct places *p, const char *member,
			 const char *op, const char *weight)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	buf_printf(&text, "%s %s%s%s: %" PRId64 " members of %" PRId64 " pools", op, member,
		   weight ? " " : "", weight ? weight : "", p->ours.members, p->ours.pools);
	if (p->others.pools) {
		buf_str(&text, "; ");
		put_others(p, &text);
	}
	return args->dry_run || command_confirm(args, "%s.\n", buf_cstr(&text));
}

/* Who takes a server out has to know that some still send to it. */
static int tell_others(const struct places *p)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	put_others(p, &text);
	return command_failed("%s: not changed, edit them there", buf_cstr(&text));
}

static int tell_none(const struct places *p, const char *member)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	put_others(p, &text);
	return command_failed("nothing was done: no pool of the store has the member %s; %s",
			      member, buf_cstr(&text));
}

static int run(const struct ctl_args *args, struct client *c, const char *member, const char *op,
	       const char *weight)
{
	CLEANUP(places_done) struct places places = { .token = client_shows_token(&args->place) };
	CLEANUP(buf_done) struct buf body = { 0 };
	struct err err;
	int r = find_places(c, member, &places, &err);

	if (r < 0)
		return command_refused(r, &err);
	if (!places.count)
		return command_failed("no pool has the member %s", member);
	if (!places.ours.pools)
		return tell_none(&places, member);
	if (!is_confirmed(args, &places, member, op, weight))
		return CTL_FAILED;
	put_body(&places, member, op, weight, &body);
	r = send_all(args, c, &body);
	return r == CTL_OK && places.others.pools ? tell_others(&places) : r;
}

int command_all_pools(const struct ctl_args *args, const char *op, const char *weight)
{
	const char *member = args->operands[0];
	struct endpoint e;
	struct client *c;
	struct addr a;
	int r;

	if (addr_parse(member, &a) < 0 && endpoint_parse(member, 0, &e) < 0)
		return command_misused(op, "'%.64s' is not ADDRESS or ADDRESS:PORT", member);
	c = client_new(&args->place);
	r = run(args, c, member, op, weight);
	client_free(c);
	return r;
}
