/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl drain, undrain and weight --all-pools: one member wherever it is,
 * as many times as the agent says when it is asked first.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/endpoint.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/document.h"
#include "agent/ctl/words.h"

#define OF_MEMBERS "member:"

/* How many pools have it. */
static int count(struct client *c, const char *member, int64_t *out, struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	CLEANUP(buf_done) struct buf path = { 0 };
	int r;

	buf_str(&path, REST_MEMBERS "?" REST_LIMIT "=1&" REST_Q "=" OF_MEMBERS);
	client_encode(&path, member);
	r = client_object(c, buf_cstr(&path), &set, err);
	*out = r == 0 ? words_int(set.roots[0], REST_TOTAL) : 0;
	return r;
}

static void put_body(const char *member, const char *op, const char *weight, int64_t expected,
		     struct buf *out)
{
	buf_str(out, "{\"" REST_FILTER "\":\"" REST_Q "=" OF_MEMBERS);
	client_encode(out, member);
	buf_printf(out,
		   "\",\"" REST_OF "\":\"" REST_MEMBERS_FIELD "\",\"" REST_EXPECTED_COUNT
		   "\":%" PRId64 ",\"" REST_OP "\":\"%s\"",
		   expected, op);
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

static int run(const struct ctl_args *args, struct client *c, const char *member, const char *op,
	       const char *weight)
{
	CLEANUP(buf_done) struct buf body = { 0 };
	struct err err;
	int64_t pools;
	int r = count(c, member, &pools, &err);

	if (r < 0)
		return command_refused(r, &err);
	if (pools == 0)
		return command_failed("no pool has the member %s", member);
	if (!args->dry_run &&
	    !command_confirm(args, "%s %s%s%s: %" PRId64 " members of pools.\n", op, member,
			     weight ? " " : "", weight ? weight : "", pools))
		return CTL_FAILED;
	put_body(member, op, weight, pools, &body);
	return send_all(args, c, &body);
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
