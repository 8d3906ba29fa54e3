/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "agent/api/schema.h"
#include "agent/api/view.h"

static void put_processes(struct json_writer *j, const struct snapshot *s)
{
	json_put_object(j, REST_PROCESSES);
	for (size_t i = 0; i < SNAPSHOT_PROCESSES; i++) {
		const struct process_view *p = &s->processes[i];

		if (!p->name[0])
			continue;
		json_put_object(j, p->name);
		json_put_int(j, REST_PID, p->pid);
		json_put_uint(j, REST_RESIDENT_BYTES, p->resident_bytes);
		json_put_uint(j, REST_RESTARTS, p->restarts);
		json_end_object(j);
	}
	json_end_object(j);
}

static void put_remote(struct json_writer *j, const struct remote_view *r)
{
	if (!r->listen[0]) {
		json_put_text(j, REST_REMOTE, NULL);
		return;
	}
	json_put_object(j, REST_REMOTE);
	json_put_text(j, REST_LISTEN, r->listen);
	json_put_text(j, REST_FINGERPRINT, r->fingerprint);
	json_put_time(j, REST_NOT_AFTER, r->not_after_ms);
	json_end_object(j);
}

static void put_sources(struct json_writer *j, const struct snapshot *s)
{
	json_put_array(j, REST_SOURCES);
	for (size_t i = 0; i < s->source_count; i++) {
		const struct source_view *v = &s->sources[i];

		json_put_object(j, NULL);
		json_put_text(j, REST_TYPE, v->type);
		json_put_text(j, REST_WHERE, v->where);
		json_put_bool(j, REST_COMPLETE, v->complete);
		json_put_bool(j, REST_DELIVERED, v->delivered || v->complete);
		json_put_text(j, REST_WHY, v->why);
		json_put_uint(j, REST_OBJECTS, v->objects);
		json_put_time(j, REST_HEARD_AT, v->heard_ms);
		json_put_text(j, REST_REVISION, v->revision);
		json_end_object(j);
	}
	json_end_array(j);
}

/* By the types of checks that had good probes. */
static void put_latency(struct json_writer *j, const struct histogram latency[CHECK_TYPES])
{
	json_put_array(j, REST_LATENCY);
	for (unsigned i = 0; i < CHECK_TYPES; i++) {
		const struct histogram *h = &latency[i];
		uint64_t n = histogram_total(h);

		if (!n)
			continue;
		json_put_object(j, NULL);
		json_put_text(j, REST_TYPE, check_type_text((enum check_type)i));
		json_put_uint(j, REST_OK, n);
		json_put_uint(j, REST_MEAN_US, h->sum_us / n);
		json_put_seconds(j, REST_HALF_SECONDS, histogram_within_s(h, 0.5));
		json_put_seconds(j, REST_MOST_SECONDS, histogram_within_s(h, 0.99));
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_probing(struct json_writer *j, const struct probe_view *p)
{
	json_put_object(j, REST_PROBING);
	json_put_uint(j, REST_PROBES, p->probes);
	json_put_uint(j, REST_INCONCLUSIVE, p->inconclusive);
	json_put_uint(j, REST_RUNNING, p->in_flight);
	json_put_uint(j, REST_LAG_MS, p->lag_ms);
	json_put_uint(j, REST_LAG_MAX_MS, p->lag_max_ms);
	json_put_uint(j, REST_DEFERRED, p->deferred);
	json_put_seconds(j, REST_LATE_SECONDS, histogram_within_s(&p->late, 0.999));
	put_latency(j, p->latency);
	json_end_object(j);
}

static void put_mass(struct json_writer *j, const struct mass_view *m)
{
	if (!m->doubt && !m->freeze) {
		json_put_text(j, REST_MASS, NULL);
		return;
	}
	json_put_object(j, REST_MASS);
	json_put_text(j, REST_MODE, m->freeze ? REST_MASS_FREEZE : REST_MASS_DOUBT);
	json_put_time(j, REST_SINCE, m->since_ms);
	json_put_uint(j, REST_TARGETS_FIELD, m->targets);
	json_put_uint(j, REST_FALLEN, m->fallen);
	json_put_uint(j, REST_WAITING, m->waiting);
	json_end_object(j);
}

const char *view_notrack_text(enum notrack_state s)
{
	switch (s) {
	case NOTRACK_OFF:
		return REST_NOTRACK_OFF;
	case NOTRACK_WAITING:
		return REST_NOTRACK_WAITING;
	case NOTRACK_CANARY:
	case NOTRACK_DOUBT:
		return REST_NOTRACK_TRIAL;
	case NOTRACK_ALL:
		return REST_NOTRACK_ALL;
	case NOTRACK_REFUSED:
		break;
	}
	return REST_NOTRACK_REFUSED;
}

static void put_notrack(struct json_writer *j, const struct snapshot *s)
{
	json_put_object(j, REST_NOTRACK);
	json_put_text(j, REST_IPV4, view_notrack_text(s->notrack_v4));
	json_put_text(j, REST_IPV6, view_notrack_text(s->notrack_v6));
	json_end_object(j);
}

void view_put_status(struct json_writer *j, const struct snapshot *s)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_NODE, s->node);
	json_put_text(j, REST_VERSION, s->version);
	json_put_time(j, REST_STARTED_AT, s->started_ms);
	json_put_uint(j, REST_GENERATION, s->generation);
	json_put_uint(j, REST_APPLIED, s->applied_generation);
	json_put_bool(j, REST_SYNCED, s->synced);
	json_put_bool(j, REST_READY, !view_not_ready(s));
	json_put_uint(j, REST_POOLS_FIELD, s->pool_count);
	json_put_uint(j, REST_MEMBERS_FIELD, s->member_count);
	json_put_uint(j, REST_TARGETS_FIELD, s->targets ? s->targets->count : 0);
	json_put_uint(j, REST_PROBLEMS_FIELD, s->problem_total);
	json_put_uint(j, REST_KERNEL_WRITES, s->kernel_writes);
	json_put_uint(j, REST_OTHER_WRITES, s->other_writes);
	json_put_uint(j, REST_REPAIRS, s->repairs);
	json_put_uint(j, REST_MH_DISORDERED, s->kernel.mh_disordered);
	json_put_seconds(j, REST_LAST_SYNC_SECONDS, s->last_sync_seconds);
	json_put_uint(j, REST_OVER_QUOTA, s->over_quota);
	put_mass(j, &s->mass);
	put_notrack(j, s);
	put_probing(j, &s->probing);
	put_processes(j, s);
	put_remote(j, &s->remote);
	put_sources(j, s);
	json_end_object(j);
}

static void put_node(struct json_writer *j, const struct snapshot *s, bool self)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_NAME, s->node);
	json_put_bool(j, REST_SELF, self);
	json_put_text(j, REST_VERSION, s->version);
	json_put_time(j, REST_STARTED_AT, s->started_ms);
	json_put_bool(j, REST_READY, !view_not_ready(s));
	json_put_bool(j, REST_SYNCED, s->synced);
	json_put_uint(j, REST_GENERATION, s->generation);
	json_put_uint(j, REST_APPLIED, s->applied_generation);
	json_put_uint(j, REST_POOLS_FIELD, s->pool_count);
	json_put_uint(j, REST_MEMBERS_FIELD, s->member_count);
	json_put_uint(j, REST_SERVICES_FIELD, s->kernel.services);
	json_put_uint(j, REST_DESTINATIONS, s->kernel.dests);
	json_put_uint(j, REST_PROBLEMS_FIELD, s->problem_total);
	json_end_object(j);
}

void view_put_nodes(struct json_writer *j, const struct snapshot *s)
{
	json_put_object(j, NULL);
	json_put_array(j, REST_ITEMS);
	put_node(j, s, true);
	json_end_array(j);
	json_put_uint(j, REST_TOTAL, 1);
	json_end_object(j);
}

const char *view_not_ready(const struct snapshot *s)
{
	if (!s)
		return "the agent is starting";
	if (!s->ready)
		return "the kernel's table was not read and written yet";
	for (size_t i = 0; i < s->source_count; i++)
		if (!s->sources[i].complete && !s->sources[i].delivered)
			return "a source of pools was not read completely yet";
	return NULL;
}
