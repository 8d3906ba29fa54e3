/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/metrics.h"

#include <stdatomic.h>
#include <stdio.h>

#include "agent/api/address_pools.h"
#include "agent/api/counts.h"
#include "agent/api/metric_writer.h"
#include "agent/api/view.h"
#include "agent/base/xalloc.h"

/* A family of one sample without labels. */
static void put_one(struct buf *out, const char *name, enum metric_type type, const char *help,
		    uint64_t v)
{
	struct metric m = metric_begin(out, name, type, help);

	metric_uint(&m, METRIC_NO_LABELS, v);
}

/* --- the agent ---------------------------------------------------------------------- */

static void put_agent(struct buf *out, const struct snapshot *s)
{
	struct metric m = metric_begin(out, "parasaus_build_info", METRIC_GAUGE,
				       "Always 1; the version is its label.");

	metric_uint(&m, METRIC_LABELS("version", s->version, "node", s->node ? s->node : ""), 1);
	m = metric_begin(out, "parasaus_start_time_seconds", METRIC_GAUGE,
			 "When the agent's core began, since 1970.");
	metric_seconds_ms(&m, METRIC_NO_LABELS, (uint64_t)s->started_ms);
	put_one(out, "parasaus_ready", METRIC_GAUGE,
		"1 once the kernel's table and every source were read.", !view_not_ready(s));
	put_one(out, "parasaus_synced", METRIC_GAUGE,
		"1 while every source is read and the kernel is as wanted.", s->synced);
	put_one(out, "parasaus_generation", METRIC_GAUGE, "Of the wanted table.", s->generation);
	put_one(out, "parasaus_applied_generation", METRIC_GAUGE,
		"The last that the kernel matched in full.", s->applied_generation);
}

static void put_processes(struct buf *out, const struct snapshot *s)
{
	struct metric m = metric_begin(out, "parasaus_process_resident_memory_bytes", METRIC_GAUGE,
				       "Resident memory of each process.");

	for (size_t i = 0; i < SNAPSHOT_PROCESSES; i++)
		if (s->processes[i].name[0])
			metric_uint(&m, METRIC_LABELS("role", s->processes[i].name),
				    s->processes[i].resident_bytes);
	m = metric_begin(out, "parasaus_process_cpu_seconds_total", METRIC_COUNTER,
			 "CPU time of each process, from 0 where it was started again.");
	for (size_t i = 0; i < SNAPSHOT_PROCESSES; i++)
		if (s->processes[i].name[0])
			metric_seconds_ms(&m, METRIC_LABELS("role", s->processes[i].name),
					  s->processes[i].cpu_ms);
	m = metric_begin(out, "parasaus_process_restarts_total", METRIC_COUNTER,
			 "How often each process died and was started again.");
	for (size_t i = 0; i < SNAPSHOT_PROCESSES; i++)
		if (s->processes[i].name[0])
			metric_uint(&m, METRIC_LABELS("role", s->processes[i].name),
				    s->processes[i].restarts);
}

/* Two may have the same text: a series must not be there twice. */
struct source_labels {
	char text[VIEW_SOURCE_TEXT_MAX], index[12];
	const char *pairs[5];
};

static const char *const *labels_of_source(const struct snapshot *s, unsigned i,
					   struct source_labels *l)
{
	snprintf(l->index, sizeof(l->index), "%u", i);
	l->pairs[0] = "source";
	l->pairs[1] = view_source_text(s, i, l->text);
	l->pairs[2] = "index";
	l->pairs[3] = l->index;
	l->pairs[4] = NULL;
	return l->pairs;
}

static void put_sources(struct buf *out, const struct snapshot *s)
{
	struct source_labels l;
	struct metric m = metric_begin(out, "parasaus_source_complete", METRIC_GAUGE,
				       "1 while the source is read completely and followed.");

	for (unsigned i = 0; i < s->source_count; i++)
		metric_uint(&m, labels_of_source(s, i, &l), s->sources[i].complete);
	m = metric_begin(out, "parasaus_source_objects", METRIC_GAUGE, "Objects that it has.");
	for (unsigned i = 0; i < s->source_count; i++)
		metric_uint(&m, labels_of_source(s, i, &l), s->sources[i].objects);
	m = metric_begin(out, "parasaus_source_last_heard_timestamp_seconds", METRIC_GAUGE,
			 "When anything last came from it, where it has such a moment.");
	for (unsigned i = 0; i < s->source_count; i++)
		if (s->sources[i].heard_ms > 0)
			metric_seconds_ms(&m, labels_of_source(s, i, &l),
					  (uint64_t)s->sources[i].heard_ms);
}

static void put_traffic(struct buf *out, const struct rest_traffic *t)
{
	static const char *const codes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };
	struct metric m = metric_begin(out, "parasaus_http_answers_total", METRIC_COUNTER,
				       "Answers of this interface by their status.");

	for (size_t i = 2; i < ARRAY_LEN(codes); i++)
		metric_uint(&m, METRIC_LABELS("code", codes[i]),
			    atomic_load_explicit(&t->answers[i], memory_order_relaxed));
}

/* --- what it does --------------------------------------------------------------------- */

static void put_states(struct buf *out, const struct counts *n)
{
	const size_t members[] = { n->up, n->down, n->unknown, n->draining };
	static const char *const words[] = { "up", "down", "unknown", "draining" };
	struct metric m = metric_begin(out, "parasaus_pools", METRIC_GAUGE, "Pools by health.");

	for (enum pool_health h = HEALTH_UP; h < COUNTS_HEALTHS; h++)
		metric_uint(&m, METRIC_LABELS("health", view_health_text(h)), n->health[h]);
	put_one(out, "parasaus_pools_fail_open", METRIC_GAUGE,
		"Pools with no member up, or too few, that use those that are down.", n->fail_open);
	put_one(out, "parasaus_pools_inherited", METRIC_GAUGE,
		"Pools whose source was not read since the start.", n->inherited);
	m = metric_begin(out, "parasaus_members", METRIC_GAUGE, "Members of all pools by state.");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		metric_uint(&m, METRIC_LABELS("state", words[i]), members[i]);
	m = metric_begin(out, "parasaus_targets", METRIC_GAUGE, "What is probed, by state.");
	for (enum verdict_state v = VERDICT_UNKNOWN; v < COUNTS_STATES; v++)
		metric_uint(&m, METRIC_LABELS("state", verdict_state_text(v)), n->target_state[v]);
	m = metric_begin(out, "parasaus_problems", METRIC_GAUGE,
			 "What is wrong with sources, objects, pools and the kernel.");
	metric_uint(&m, METRIC_LABELS("severity", "error"), n->errors);
	metric_uint(&m, METRIC_LABELS("severity", "warning"), n->warnings);
}

static void put_mass(struct buf *out, const struct mass_view *v)
{
	struct metric m = metric_begin(out, "parasaus_mass_failure", METRIC_GAUGE,
				       "1 while so many targets went down at once.");

	metric_uint(&m, METRIC_LABELS("mode", "doubt"), v->doubt);
	metric_uint(&m, METRIC_LABELS("mode", "freeze"), v->freeze);
	put_one(out, "parasaus_targets_waiting", METRIC_GAUGE,
		"Targets that are down and kept, for they went down with many others.", v->waiting);
}

static void put_notrack(struct buf *out, const struct snapshot *s)
{
	static const enum notrack_state states[] = { NOTRACK_WAITING, NOTRACK_CANARY, NOTRACK_ALL,
						     NOTRACK_REFUSED };
	struct metric m = metric_begin(out, "parasaus_notrack", METRIC_GAUGE,
				       "1 for how far checks are kept from connection tracking.");

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		const char *text = view_notrack_text(states[i]);

		metric_uint(&m, METRIC_LABELS("family", "ipv4", "state", text),
			    strcmp(view_notrack_text(s->notrack_v4), text) == 0);
		metric_uint(&m, METRIC_LABELS("family", "ipv6", "state", text),
			    strcmp(view_notrack_text(s->notrack_v6), text) == 0);
	}
}

static void put_probes(struct buf *out, const struct probe_view *p)
{
	struct metric m;

	put_one(out, "parasaus_probes_total", METRIC_COUNTER, "Probes of real servers.", p->probes);
	put_one(out, "parasaus_probes_inconclusive_total", METRIC_COUNTER,
		"Probes that could not be run, or that told nothing.", p->inconclusive);
	put_one(out, "parasaus_probes_deferred_total", METRIC_COUNTER,
		"Probes that a limit made wait beyond their time.", p->deferred);
	put_one(out, "parasaus_probes_in_flight", METRIC_GAUGE, "Probes under way.", p->in_flight);
	m = metric_begin(out, "parasaus_probe_loop_lag_seconds", METRIC_GAUGE,
			 "The worst lateness of the prober's loop in the last second.");
	metric_seconds_ms(&m, METRIC_NO_LABELS, p->lag_ms);
	m = metric_begin(out, "parasaus_probe_loop_lag_max_seconds", METRIC_GAUGE,
			 "The worst of all since the start.");
	metric_seconds_ms(&m, METRIC_NO_LABELS, p->lag_max_ms);
	m = metric_begin(out, "parasaus_probe_late_seconds", METRIC_HISTOGRAM,
			 "From when a probe was due until it began.");
	metric_histogram(&m, &p->late);
	m = metric_begin(out, "parasaus_probe_latency_seconds", METRIC_HISTOGRAM,
			 "From when a probe began until it was good.");
	for (unsigned i = 0; i < CHECK_TYPES; i++)
		if (histogram_total(&p->latency[i]))
			metric_histogram_of(&m, "type", check_type_text((enum check_type)i),
					    &p->latency[i]);
}

/* With the names that kube-proxy has for it, in a namespace of our own. */
static void put_kernel(struct buf *out, const struct snapshot *s)
{
	const struct kernel_view *k = &s->kernel;
	struct metric m =
		metric_begin(out, "parasaus_sync_proxy_rules_duration_seconds", METRIC_HISTOGRAM,
			     "From a change of the wanted table until the kernel was so.");

	metric_histogram(&m, &k->programming);
	m = metric_begin(out, "parasaus_network_programming_duration_seconds", METRIC_HISTOGRAM,
			 "From a change at its source until the kernel was so.");
	metric_histogram(&m, &k->reaction);
	m = metric_begin(out, "parasaus_sync_proxy_rules_last_queued_timestamp_seconds",
			 METRIC_GAUGE, "When the wanted table last changed.");
	metric_seconds_ms(&m, METRIC_NO_LABELS, (uint64_t)k->asked_ms);
	m = metric_begin(out, "parasaus_sync_proxy_rules_last_timestamp_seconds", METRIC_GAUGE,
			 "When the kernel last became as wanted.");
	metric_seconds_ms(&m, METRIC_NO_LABELS, (uint64_t)k->matched_ms);
	put_one(out, "parasaus_sync_proxy_rules_service_changes_pending", METRIC_GAUGE,
		"Virtual services that something is still to be done about.", k->pending);
	put_one(out, "parasaus_ipvs_services", METRIC_GAUGE,
		"Virtual services in the kernel's table.", k->services);
	put_one(out, "parasaus_ipvs_destinations", METRIC_GAUGE,
		"Real servers in the kernel's table, once for each service.", k->dests);
	put_one(out, "parasaus_ipvs_mh_disordered", METRIC_GAUGE,
		"Services of mh with real servers in another order than on other nodes.",
		k->mh_disordered);
	put_one(out, "parasaus_kernel_writes_total", METRIC_COUNTER,
		"Commands sent to IPVS, refused ones too.", s->kernel_writes);
	put_one(out, "parasaus_host_writes_total", METRIC_COUNTER,
		"Changes of routes, rules, sets, proxy neighbours and sysctls.", s->other_writes);
	put_one(out, "parasaus_repairs_total", METRIC_COUNTER,
		"Changes by others that were undone.", s->repairs);
}

static void put_address_pools(struct buf *out, const struct snapshot *s)
{
	CLEANUP(xfree_ptr) struct address_pool_room *rooms = address_pools_room(s);
	const struct address_pool *all;
	struct metric m;

	if (!rooms)
		return;
	all = s->rules->address_pools;
	m = metric_begin(out, "parasaus_address_pool_ports", METRIC_GAUGE,
			 "Ports at which a NodePort service can be served.");
	for (size_t i = 0; i < s->rules->address_pool_count; i++)
		metric_uint(&m, METRIC_LABELS("pool", all[i].name), rooms[i].size);
	m = metric_begin(out, "parasaus_address_pool_ports_used", METRIC_GAUGE,
			 "Those of them that are given out.");
	for (size_t i = 0; i < s->rules->address_pool_count; i++)
		metric_uint(&m, METRIC_LABELS("pool", all[i].name), rooms[i].used);
}

/* --- pools that have their own ---------------------------------------------------------- */

static void put_pools(struct buf *out, const struct snapshot *s, size_t count)
{
	struct metric m = metric_begin(out, "parasaus_pool_health", METRIC_GAUGE,
				       "1; the health is its label.");

	for (size_t i = 0; i < count; i++)
		metric_uint(&m,
			    METRIC_LABELS("pool", s->pools[i]->pool->id, "health",
					  view_health_text(view_pool_health(s->pools[i]))),
			    1);
	m = metric_begin(out, "parasaus_pool_members", METRIC_GAUGE, "Members of a pool by state.");
	for (size_t i = 0; i < count; i++) {
		struct pool_counts n = view_pool_counts(s->pools[i]);
		const char *id = s->pools[i]->pool->id;

		metric_uint(&m, METRIC_LABELS("pool", id, "state", "up"), n.up);
		metric_uint(&m, METRIC_LABELS("pool", id, "state", "down"), n.down);
		metric_uint(&m, METRIC_LABELS("pool", id, "state", "unknown"), n.unknown);
		metric_uint(&m, METRIC_LABELS("pool", id, "state", "draining"), n.draining);
	}
}

void metrics_put(struct buf *out, const struct snapshot *s, const struct rest_state *state)
{
	struct counts n = counts_of(s);
	size_t pools = s->pool_count < state->metrics_pools ? s->pool_count : state->metrics_pools;

	put_agent(out, s);
	put_processes(out, s);
	put_sources(out, s);
	put_states(out, &n);
	put_address_pools(out, s);
	put_one(out, "parasaus_targets_over_quota", METRIC_GAUGE,
		"Targets that are not checked, for their namespaces have their quotas.",
		s->over_quota);
	put_mass(out, &s->mass);
	put_notrack(out, s);
	put_one(out, "parasaus_probes_wanted_per_second", METRIC_GAUGE,
		"Probes a second that all checks ask for; the kernel tracks each for 10 s or more.",
		s->targets ? s->targets->probes_milli / 1000 : 0);
	put_probes(out, &s->probing);
	put_kernel(out, s);
	if (state->traffic)
		put_traffic(out, state->traffic);
	put_one(out, "parasaus_pools_without_series", METRIC_GAUGE,
		"Pools that have no metrics of their own.", s->pool_count - pools);
	if (pools)
		put_pools(out, s, pools);
}
