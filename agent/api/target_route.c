/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/target_route.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/api/accept.h"
#include "agent/api/probe_words.h"
#include "agent/api/read_route.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/api/uri.h"
#include "agent/api/view.h"
#include "agent/base/err.h"
#include "agent/base/xalloc.h"

const struct edit_path target_paths[] = { { REST_TARGET_PATH, READ_ROUTE_METHODS, false }, { 0 } };

/* A request under way. */
struct looked {
	struct target_looks *all;
	LIST_ENTRY(looked) under_way;
	struct target_look_place place;
	const struct rest_request *request;
	edit_answer_fn *answer;
	void *arg;
	uint64_t id;
};

struct target_looks {
	LIST_HEAD(, looked) under_way;
};

/* --- admission -------------------------------------------------------------------------------- */

static bool is_of_target(const struct uri *u)
{
	return u->segment_count == 4 && strcmp(u->segments[0], "api") == 0 &&
	       strcmp(u->segments[1], "v1") == 0 && strcmp(u->segments[2], "targets") == 0;
}

bool target_is_asked_for(const struct rest_request *r)
{
	return read_route_is_asked_for(r, is_of_target);
}

enum edit_admission target_admit(const struct rest_request *r, struct rest_reply *out)
{
	return read_route_admit(r, is_of_target, out);
}

/* --- one of them ------------------------------------------------------------------------------- */

struct target_looks *target_looks_new(void)
{
	return xcalloc(1, sizeof(struct target_looks));
}

void target_looks_free(struct target_looks *all)
{
	struct looked *l;

	while (all && (l = LIST_FIRST(&all->under_way))) {
		LIST_REMOVE(l, under_way);
		free(l);
	}
	free(all);
}

static void finish(struct looked *l, struct rest_reply *reply)
{
	edit_answer_fn *answer = l->answer;
	void *arg = l->arg;

	LIST_REMOVE(l, under_way);
	free(l);
	answer(arg, reply);
}

/* --- the answer --------------------------------------------------------------------------------- */

/* What a reason is to programs. */
static void put_reason(struct json_writer *j, enum hc_reason r)
{
	char text[24], word[24];

	snprintf(text, sizeof(text), "%s", hc_reason_text(r));
	view_reason_word(text, word);
	json_put_text(j, REST_REASON, word);
}

static void put_words(struct json_writer *j, enum language language,
		      const struct probe_found *found)
{
	CLEANUP(buf_done) struct buf text = { 0 };

	probe_words(&text, language, found);
	json_put_text(j, REST_TEXT_FIELD, buf_cstr(&text));
}

/* How many results in a row against its state it takes to leave it. */
static unsigned streak_needed(const struct target_details *d)
{
	return d->target.state == VERDICT_DOWN ? d->check->rise : d->check->fall;
}

static void put_probe(struct json_writer *j, const struct target_details *d,
		      const struct hc_sight *s, int64_t now_ms)
{
	if (!s || !s->is_probed) {
		json_put_text(j, REST_PROBE, NULL);
		return;
	}
	json_put_object(j, REST_PROBE);
	json_put_bool(j, REST_UNDER_WAY, s->is_under_way);
	json_put_time(j, REST_BEGAN_AT, s->has_begun ? now_ms - s->began_ago_ms : 0);
	json_put_uint(j, REST_TOOK_US, s->took_us);
	json_put_time(j, REST_DUE_AT, s->is_under_way ? 0 : now_ms + s->due_in_ms);
	json_put_uint(j, REST_INTERVAL_MS, s->interval_ms);
	json_put_uint(j, REST_STREAK, s->streak);
	json_put_uint(j, REST_STREAK_NEEDED, streak_needed(d));
	json_end_object(j);
}

static void put_users(struct json_writer *j, const struct target_details *d)
{
	json_put_uint(j, REST_MEMBER_COUNT, d->user_count);
	json_put_array(j, REST_MEMBERS_FIELD);
	for (size_t i = 0; i < d->users_shown; i++) {
		const struct endpoint *e = &d->users[i].member;
		char id[VIEW_MEMBER_ID_MAX], address[ADDR_TEXT_MAX];

		json_put_object(j, NULL);
		json_put_text(j, REST_POOL_FIELD, d->users[i].pool);
		json_put_text(j, REST_ID, view_member_id(e, id));
		json_put_text(j, REST_ADDRESS, addr_text(&e->addr, address));
		json_put_uint(j, REST_PORT, e->port);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_transitions(struct json_writer *j, const struct target_details *d,
			    enum language language)
{
	json_put_array(j, REST_TRANSITIONS);
	for (size_t i = 0; i < d->past_count; i++) {
		const struct transition *e = &d->past[i];
		const enum hc_reason reason = (enum hc_reason)e->reason;
		const struct probe_found found = { d->check, &d->target.endpoint, reason, e->detail,
						   0 };

		json_put_object(j, NULL);
		json_put_time(j, REST_AT, e->at_ms);
		json_put_text(j, REST_STATE, verdict_state_text((enum verdict_state)e->state));
		put_reason(j, reason);
		json_put_int(j, REST_DETAIL, e->detail);
		put_words(j, language, &found);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_target(struct json_writer *j, const struct target_details *d,
		       const struct hc_sight *s, int64_t now_ms, enum language language)
{
	const struct probe_found found = { d->check, &d->target.endpoint, d->reason,
					   d->target.detail, s ? s->took_us : 0 };

	json_put_object(j, NULL);
	view_put_target_fields(j, &d->target);
	put_words(j, language, &found);
	view_put_check(j, d->check);
	put_probe(j, d, s, now_ms);
	put_users(j, d);
	put_transitions(j, d, language);
	json_end_object(j);
	buf_str(j->out, "\n");
}

/* Between two verdicts counters move, and what the last probe found. */
static void bring_up_to_date(struct target_details *d, const struct hc_sight *s)
{
	struct target_view *t = &d->target;

	d->reason = s->reason;
	snprintf(t->reason, sizeof(t->reason), "%s", hc_reason_text(s->reason));
	t->detail = s->detail;
	t->ok = s->ok;
	t->failed = s->failed;
	t->latency_us = s->latency_us;
}

static void refuse(struct looked *l)
{
	struct rest_reply reply = { 0 };
	char id[VIEW_ID_TEXT_MAX];
	struct err err;

	err_set(&err, -ENOENT,
		"nothing that is probed has the id %s; GET " REST_TARGETS " lists what is",
		view_target_id(l->id, id));
	problem_answer(&reply, PROBLEM_NO_TARGET, l->request, err.text);
	finish(l, &reply);
}

static void on_seen(void *arg, const struct hc_sight *s)
{
	struct looked *l = arg;
	const char *wanted = l->request->accept_language;
	enum language language = wanted ? accept_language(wanted) : LANGUAGE_EN;
	struct target_details d;
	struct rest_reply reply = { .status = 200, .type = REST_JSON };
	struct json_writer j = { .out = &reply.body };

	if (!l->place.find(l->place.arg, l->id, &d)) { /* none, or not any more */
		refuse(l);
		return;
	}
	if (s && s->is_probed)
		bring_up_to_date(&d, s);
	reply.language = language_tag(language);
	put_target(&j, &d, s, l->place.now_ms(l->place.arg), language);
	finish(l, &reply);
}

/* As view_target_id() writes it; 0, which none has: it is no such id. */
static uint64_t id_of(const struct rest_request *r)
{
	char again[VIEW_ID_TEXT_MAX];
	struct uri uri;
	struct err err;
	uint64_t id;

	if (uri_parse(r->target, &uri, &err) < 0)
		return 0;
	id = strtoull(uri.segments[3], NULL, 16);
	return strcmp(view_target_id(id, again), uri.segments[3]) == 0 ? id : 0;
}

void target_begin(const struct target_look_place *p, const struct rest_request *r,
		  edit_answer_fn *fn, void *arg)
{
	struct looked *l = xcalloc(1, sizeof(*l));

	*l = (struct looked){
		.all = p->all, .place = *p, .request = r, .answer = fn, .arg = arg, .id = id_of(r)
	};
	LIST_INSERT_HEAD(&p->all->under_way, l, under_way);
	if (!p->look(p->arg, l->id, on_seen, l))
		on_seen(l, NULL);
}
