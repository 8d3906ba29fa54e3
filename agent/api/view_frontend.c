/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/api/view.h"

/* struct pool_settings, scheduler_flags */
#define FLAG_FALLBACK 0x8
#define FLAG_PORT     0x10

/* "mh-fallback": a scheduler's own flags have its name before them, in ipvsadm too. */
static void put_scheduler_flag(struct json_writer *j, const struct pool *p, const char *word)
{
	char text[sizeof(p->set.scheduler) + 16];

	snprintf(text, sizeof(text), "%s-%s", p->set.scheduler, word);
	json_put_text(j, NULL, text);
}

/* As plan_service() sets them: mh always falls back. */
static void put_flags(struct json_writer *j, const struct pool *p)
{
	bool mh = strcmp(p->set.scheduler, "mh") == 0;

	json_put_array(j, REST_FLAGS);
	if (p->persistence_s)
		json_put_text(j, NULL, "persistent");
	if (p->set.one_packet && p->protocol == IPPROTO_UDP)
		json_put_text(j, NULL, "ops");
	if (mh || (p->set.scheduler_flags & FLAG_FALLBACK))
		put_scheduler_flag(j, p, "fallback");
	if (p->set.scheduler_flags & FLAG_PORT)
		put_scheduler_flag(j, p, "port");
	json_end_array(j);
}

static void put_destination(struct json_writer *j, const struct pool_view *v, size_t place)
{
	const struct member_view member = pool_view_member(v, place), *m = &member;
	char address[ADDR_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_ADDRESS, addr_text(&m->endpoint.addr, address));
	json_put_uint(j, REST_PORT, m->endpoint.port);
	json_put_uint(j, REST_WEIGHT, m->weight);
	json_put_text(j, REST_STATE, verdict_state_text(m->state));
	json_put_bool(j, REST_DRAINING, m->reasons & (MEMBER_TERMINATING | MEMBER_REMOVED));
	json_end_object(j);
}

static void put_destinations(struct json_writer *j, const struct pool_view *v)
{
	size_t count = 0;

	json_put_array(j, REST_DESTINATIONS);
	for (size_t i = 0; i < v->member_count; i++)
		if (v->members[i].in_table && count++ < VIEW_DESTINATIONS_MAX)
			put_destination(j, v, i);
	json_end_array(j);
	json_put_uint(j, REST_DESTINATION_COUNT, count);
}

void view_put_frontend(struct json_writer *j, const struct snapshot *s, const struct pool_view *v,
		       const struct endpoint *frontend)
{
	const struct pool *p = v->pool;
	char address[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 8];

	snprintf(text, sizeof(text), "%s/%s", endpoint_text(frontend, address),
		 protocol_text(frontend->protocol));
	json_put_object(j, NULL);
	json_put_text(j, REST_FRONTEND, text);
	json_put_text(j, REST_POOL_FIELD, p->id);
	json_put_text(j, REST_SCHEDULER, p->set.scheduler);
	put_flags(j, p);
	json_put_uint(j, REST_PERSISTENCE_SECONDS, p->persistence_s);
	json_put_text(j, REST_FORWARDING, view_forward_text(p->set.forward));
	json_put_bool(j, REST_APPLIED_FIELD,
		      !v->kernel_problem && v->generation <= s->applied_generation);
	json_put_text(j, REST_PROBLEM_FIELD, v->kernel_problem);
	put_destinations(j, v);
	json_end_object(j);
}
