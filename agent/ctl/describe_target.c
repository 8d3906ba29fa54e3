/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parasausctl describe target: what is probed, for people.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/clock.h"
#include "agent/base/value.h"
#include "agent/ctl/commands.h"
#include "agent/ctl/table.h"
#include "agent/ctl/words.h"

#define ID_LENGTH      16
#define CANDIDATES_MAX 8 /* named in a message */

/* --- what is shown ------------------------------------------------------------------------ */

static void put_line(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%-12s %s\n", name, *value ? value : "-");
}

static void put_check(struct buf *out, const struct doc *target)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	words_check(doc_get(target, REST_CHECK), &text);
	put_line(out, "Check", buf_cstr(&text));
}

static void put_state(struct buf *out, const struct doc *target, int64_t now_ms)
{
	const char *state = words_text(target, REST_STATE);
	char age[WORDS_SPAN_MAX];

	buf_printf(out, "%-12s %s", "State", state);
	if (*words_age(target, REST_SINCE, now_ms, age))
		buf_printf(out, " for %s", age);
	if (!words_bool(target, REST_PROVEN))
		buf_str(out, ", not by a probe of this agent");
	buf_str(out, "\n");
}

/* "2 of 3 failures in a row": what speaks against its state. */
static void put_streak(struct buf *out, const struct doc *target, const struct doc *probe)
{
	bool is_down = strcmp(words_text(target, REST_STATE), "down") == 0;

	if (words_int(probe, REST_STREAK))
		buf_printf(out, "%-12s %" PRId64 " of %" PRId64 " %s in a row that bring it %s\n",
			   "", words_int(probe, REST_STREAK), words_int(probe, REST_STREAK_NEEDED),
			   is_down ? "successes" : "failures", is_down ? "up" : "down");
}

static void put_probe(struct buf *out, const struct doc *target, int64_t now_ms)
{
	const struct doc *probe = doc_get(target, REST_PROBE);
	char span[WORDS_SPAN_MAX], every[VALUE_DURATION_TEXT_MAX];
	int64_t due;

	if (!probe || probe->type != DOC_MAP) {
		put_line(out, "Next probe", "not known: it is not probed, or the prober is away");
		return;
	}
	put_streak(out, target, probe);
	value_duration_text((uint32_t)words_int(probe, REST_INTERVAL_MS), every);
	if (words_bool(probe, REST_UNDER_WAY))
		buf_printf(out, "%-12s under way, then every %s\n", "Next probe", every);
	else if (words_time(words_text(probe, REST_DUE_AT), &due) && due > now_ms)
		buf_printf(out, "%-12s %s %s, one every %s\n", "Next probe",
			   due - now_ms < 1000 ? "within" : "in",
			   due - now_ms < 1000 ? "a second" : words_span(due - now_ms, span),
			   every);
	else
		buf_printf(out, "%-12s is due, one every %s\n", "Next probe", every);
}

static void put_results(struct buf *out, const struct doc *target)
{
	int64_t us = words_int(target, REST_LATENCY_US);

	buf_printf(out, "%-12s %" PRId64 " good, %" PRId64 " failed", "Probes",
		   words_int(target, REST_OK), words_int(target, REST_FAILED));
	if (us > 0)
		buf_printf(out, "; the last good one took %" PRId64 ".%03" PRId64 " ms", us / 1000,
			   us % 1000);
	buf_str(out, "\n");
}

static void put_flaps(struct buf *out, const struct doc *target, int64_t now_ms)
{
	int64_t n = words_int(target, REST_FLAPS);
	char span[WORDS_SPAN_MAX];

	if (n == 0)
		return;
	buf_printf(out, "%-12s %" PRId64 " in a row", "Flaps", n);
	if (*words_until(target, REST_HELD_UNTIL, now_ms, span))
		buf_printf(out, "; held down for another %s, whatever its probes find", span);
	buf_str(out, "\n");
}

static void put_members(struct buf *out, const struct doc *target)
{
	const struct doc *all = doc_get(target, REST_MEMBERS_FIELD);
	int64_t more = words_int(target, REST_MEMBER_COUNT);
	const char *head = "Checks";
	char at[WORDS_ENDPOINT_MAX];

	for (const struct doc *m = all ? all->first : NULL; m; m = m->next, more--, head = "")
		buf_printf(out, "%-12s %s of %s\n", head, words_endpoint(m, at),
			   words_text(m, REST_POOL_FIELD));
	if (more > 0)
		buf_printf(out, "%-12s and %" PRId64 " more members\n", head, more);
}

static void put_transitions(struct buf *out, const struct doc *target, int64_t now_ms)
{
	static const char *const heads[] = { ">AGO", "BECAME", "WHY", NULL };
	const struct doc *all = doc_get(target, REST_TRANSITIONS);
	char age[WORDS_SPAN_MAX];
	struct table t;

	if (!all || !all->first) {
		buf_str(out, "\nIts state did not change since the agent's start.\n");
		return;
	}
	table_init(&t, heads);
	for (const struct doc *d = all->first; d; d = d->next) {
		table_cell(&t, words_age(d, REST_AT, now_ms, age));
		table_cell(&t, words_text(d, REST_STATE));
		table_cell(&t, words_text(d, REST_TEXT_FIELD));
	}
	buf_str(out, "\n");
	table_print(&t, out);
	table_done(&t);
}

static void put_target(const struct doc *d, struct buf *out)
{
	int64_t now_ms = clock_wall_ms(&clock_system);
	char at[WORDS_ENDPOINT_MAX];

	put_line(out, "Target", words_endpoint(d, at));
	put_line(out, "Id", words_text(d, REST_ID));
	put_check(out, d);
	put_state(out, d, now_ms);
	put_line(out, "Last probe", words_text(d, REST_TEXT_FIELD));
	put_probe(out, d, now_ms);
	put_results(out, d);
	put_flaps(out, d, now_ms);
	put_members(out, d);
	put_transitions(out, d, now_ms);
}

/* --- which one is meant --------------------------------------------------------------------- */

struct candidates {
	const char *name;
	struct buf id, all; /* of the first; each with its check */
	size_t count;
};

static int add_candidate(void *arg, const char *text, size_t len, struct err *err)
{
	CLEANUP(doc_set_done) struct doc_set set = { 0 };
	struct candidates *c = arg;
	int r = doc_read_json(text, len, &DOC_LIMITS_DEFAULT, &set, err);
	const struct doc *d;
	char at[WORDS_ENDPOINT_MAX];

	if (r < 0)
		return r;
	d = set.roots[0];
	if (strcmp(words_endpoint(d, at), c->name) != 0 &&
	    strcmp(words_text(d, REST_ADDRESS), c->name) != 0)
		return 0; /* another one, that has it for a part */
	if (c->count == 0)
		buf_str(&c->id, words_text(d, REST_ID));
	if (c->count++ < CANDIDATES_MAX)
		buf_printf(&c->all, "%s%s (%s, %s)", c->all.len ? ", " : "", words_text(d, REST_ID),
			   at, words_text(d, REST_TYPE));
	return 0;
}

static bool is_id(const char *name)
{
	return strlen(name) == ID_LENGTH && strspn(name, "0123456789abcdef") == ID_LENGTH;
}

/* Its id, appended to out. */
static int find(struct client *c, const char *name, struct buf *out, struct err *err)
{
	struct candidates found = { .name = name };
	struct buf path = { 0 };
	int r;

	if (is_id(name)) {
		buf_str(out, name); /* whether it is there, the next request tells */
		return 0;
	}
	buf_str(&path, REST_TARGETS "?" REST_Q "=");
	client_encode(&path, name);
	r = client_items(c, buf_cstr(&path), add_candidate, &found, err);
	if (r == 0 && found.count == 0)
		r = err_set(err, -ENOENT,
			    "nothing that is probed has the address '%s': 'parasausctl get "
			    "targets' lists what is",
			    name);
	else if (r == 0 && found.count > 1)
		r = err_set(err, -ENOTUNIQ, "'%s' has %zu targets, say which by its id: %s%s", name,
			    found.count, buf_cstr(&found.all),
			    found.count > CANDIDATES_MAX ? ", ..." : "");
	else if (r == 0)
		buf_put(out, found.id.data, found.id.len);
	buf_done(&path);
	buf_done(&found.id);
	buf_done(&found.all);
	return r;
}

int describe_target(const struct ctl_args *args, const char *name)
{
	CLEANUP(buf_done) struct buf id = { 0 }, path = { 0 };
	struct client *c = client_new(&args->place);
	struct err err;
	int r = find(c, name, &id, &err);

	if (r < 0) {
		r = command_refused(r, &err);
	} else {
		buf_printf(&path, REST_TARGETS "/%s", buf_cstr(&id));
		r = command_show(args, c, buf_cstr(&path), put_target);
	}
	client_free(c);
	return r;
}
