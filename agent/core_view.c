/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots for readers: remade a moment after something changed, so that a
 * storm of changes makes twenty a second and not thousands.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/api/front_message.h"
#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/xalloc.h"
#include "agent/core_private.h"
#include "agent/pool/address_pool.h"

#define VIEW_DELAY_MS	 20
#define VIEW_IDLE_MS	 1000 /* memory figures and counters */
#define TARGETS_EVERY_MS 1000
#define TARGETS_DUTY	 20 /* of the time at most 1/20 is spent on their list */
#define TARGETS_SPARE	 64 /* room for those that come while it is made */

/* --- pools ------------------------------------------------------------------------- */

static void view_member(const struct core *c, const struct pool_state *ps, size_t i,
			const struct plan_member *p, struct member_view *out)
{
	const struct pool_member m = pool_member(ps->pool, i);
	const struct target *t = pool_state_member(ps, i).target;

	*out = (struct member_view){
		.endpoint = m.endpoint,
		.nominal = m.weight,
		.weight = p->weight,
		.in_table = p->in_table,
		.reasons = p->reasons,
		.state = t ? t->verdict.state : VERDICT_UNKNOWN,
		.checked = t != NULL,
	};
	if (p->remove_at.ns)
		out->remove_at_ms = core_wall_of(c, p->remove_at);
	if (!t)
		return;
	out->since_ms = t->verdict.since_ms;
	if (t->inherited)
		out->reasons |= MEMBER_INHERITED;
}

static size_t count_drains(const struct core *c, const struct pool_state *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		const struct frontend *f = frontend_get(c, &ps->pool->frontends[i]);

		n += f && f->owner == ps ? f->drain_count : 0;
	}
	return n;
}

static struct member_view *find_member(struct member_view *members, size_t count,
				       const struct endpoint *e)
{
	for (size_t i = 0; i < count; i++) {
		if (endpoint_cmp(&members[i].endpoint, e) == 0)
			return &members[i];
	}
	return NULL;
}

/* A member that drains on several frontends is shown once. */
static size_t view_drain(const struct core *c, const struct plan_drain *d,
			 struct member_view *members, size_t count)
{
	struct member_view *m = find_member(members, count, &d->endpoint);

	if (!m) {
		m = &members[count++];
		*m = (struct member_view){ .endpoint = d->endpoint, .reasons = MEMBER_REMOVED };
	}
	m->in_table = m->in_table || !d->done;
	if (!d->done)
		m->remove_at_ms = core_wall_of(c, d->deadline);
	return count;
}

static int by_endpoint(const void *a, const void *b)
{
	return endpoint_cmp(&((const struct member_view *)a)->endpoint,
			    &((const struct member_view *)b)->endpoint);
}

/* Returns how many there are then. */
static size_t view_drains(const struct core *c, const struct pool_state *ps,
			  struct member_view *members)
{
	size_t count = ps->pool->member_count;

	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		const struct frontend *f = frontend_get(c, &ps->pool->frontends[i]);

		if (!f || f->owner != ps)
			continue;
		for (size_t k = 0; k < f->drain_count; k++)
			count = view_drain(c, &f->drains[k], members, count);
	}
	if (count > ps->pool->member_count)
		qsort(members, count, sizeof(*members), by_endpoint);
	return count;
}

static struct pool_view *view_members(const struct core *c, const struct pool_state *ps,
				      const struct plan_member *plan)
{
	size_t count = ps->pool->member_count;
	struct member_view *members = xcalloc(count + count_drains(c, ps), sizeof(*members));
	struct pool_view *v;

	for (size_t i = 0; i < count; i++)
		view_member(c, ps, i, &plan[i], &members[i]);
	count = view_drains(c, ps, members);
	v = pool_view_new(pool_ref(ps->pool), members, count);
	free(members);
	return v;
}

/* The first there is. */
static char *kernel_problem(const struct core *c, const struct pool_state *ps)
{
	for (size_t i = 0; i < ps->pool->frontend_count; i++) {
		const struct frontend *f = frontend_get(c, &ps->pool->frontends[i]);

		if (f && f->owner == ps && f->problem)
			return xstrdup(f->problem->text);
	}
	return NULL;
}

static struct pool_view *view_of_pool(struct core *c, const struct pool_state *ps,
				      const struct plan_member *plan)
{
	struct pool_view *v = view_members(c, ps, plan);

	v->kernel_problem = kernel_problem(c, ps);
	v->generation = c->kernel.generation + 1;
	v->fault = pool_state_fault(ps);
	v->unchecked = quota_words(ps);
	v->not_by_vip = vip_check_words(ps);
	v->fail_open = ps->fail_open;
	v->inherited = !c->sources[ps->pool->source].delivered;
	return v;
}

/* --- targets ------------------------------------------------------------------------ */

void view_target(const struct target *t, struct target_view *out)
{
	const struct hc_verdict *v = &t->verdict;

	*out = (struct target_view){
		.id = t->id,
		.endpoint = t->endpoint,
		.state = v->state,
		.detail = v->detail,
		.proven = v->proven,
		.since_ms = v->since_ms,
		.ok = v->ok,
		.failed = v->failed,
		.latency_us = v->latency_us,
		.flaps = v->flaps,
		.held_ms = v->held_ms,
		.users = t->user_count,
	};
	if (check_has(t->check->type) & (CHECK_HAS_LOGIN | CHECK_HAS_CERTIFICATE))
		out->login = check_ref(t->check);
	snprintf(out->type, sizeof(out->type), "%s", check_type_text(t->check->type));
	snprintf(out->reason, sizeof(out->reason), "%s", hc_reason_text(v->reason));
}

/*
 * A list of all targets on its way: at hundreds of thousands of them it takes many turns, each of
 * them shown as it is when it comes to it.
 */
struct target_making {
	struct target_list *list;
	size_t size; /* room in it */
	struct target_place at;
	loop_work_id work; /* 0: in its first piece */
	int64_t spent_ns;
};

static void add_targets(struct target_making *m, struct target *const *some, size_t n)
{
	if (m->list->count + n > m->size) {
		m->size += m->size / 8 + n + TARGETS_SPARE;
		m->list = target_list_resize(m->list, m->size);
	}
	for (size_t i = 0; i < n; i++) {
		if (!some[i]->user_count)
			continue;
		view_target(some[i], &m->list->items[m->list->count++]);
		if (quota_is_checked(some[i]))
			m->list->probes_milli += 1000000 / some[i]->check->interval_ms;
	}
}

/* The one before goes once no reader has it: here, or where its last reader is. */
static bool free_piece(void *arg)
{
	struct core *c = arg;
	struct view *v = &c->view;

	if (target_list_unref_piece(&v->replaced, TARGETS_PIECE))
		return true;
	v->freeing = 0;
	return false;
}

static void end_making(struct core *c)
{
	struct view *v = &c->view;
	struct target_making *m = v->making;

	loop_work_cancel(c->loop, v->freeing);
	v->freeing = 0;
	target_list_unref(v->replaced); /* there is none any more, unless readers are slow */
	v->replaced = v->targets;
	v->targets = m->list;
	v->making = NULL;
	v->targets_next = mono_add_ms(core_now(c), TARGETS_EVERY_MS);
	if (m->spent_ns / 1000000 * TARGETS_DUTY > TARGETS_EVERY_MS)
		v->targets_next = mono_add_ms(core_now(c), m->spent_ns / 1000000 * TARGETS_DUTY);
	free(m);
}

static bool make_piece(void *arg)
{
	struct core *c = arg;
	struct target_making *m = c->view.making;
	mono_t before = clock_mono(loop_clock(c->loop));
	struct target *some[TARGETS_PIECE];
	size_t n = targets_walk(c, &m->at, some);
	bool is_later = m->work != 0;

	add_targets(m, some, n);
	m->spent_ns += clock_mono(loop_clock(c->loop)).ns - before.ns;
	if (n == TARGETS_PIECE)
		return true;
	end_making(c);
	if (is_later)
		view_changed(c);
	return false;
}

/* Few are there at once. */
static void make_targets(struct core *c)
{
	struct view *v = &c->view;
	struct target_making *m = xcalloc(1, sizeof(*m));

	v->targets_changed = false;
	v->making = m;
	m->size = c->checked.count + TARGETS_SPARE;
	m->list = target_list_resize(target_list_new(0), m->size);
	if (make_piece(c))
		m->work = loop_work(c->loop, make_piece, c);
}

static void end_targets(struct core *c)
{
	struct view *v = &c->view;

	loop_work_cancel(c->loop, v->freeing);
	if (v->making) {
		loop_work_cancel(c->loop, v->making->work);
		target_list_unref(v->making->list);
		free(v->making);
	}
	target_list_unref(v->replaced);
	target_list_unref(v->targets);
}

/* --- the rest ------------------------------------------------------------------------ */

static uint64_t resident_bytes(pid_t pid)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	unsigned long total, resident;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	if (!pid || file_read(path, 256, &text, NULL) < 0)
		return 0;
	if (sscanf(buf_cstr(&text), "%lu %lu", &total, &resident) != 2)
		return 0;
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* From /proc: its 14th and 15th field, counted behind the name, which may hold anything. */
static uint64_t cpu_ms(pid_t pid)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	unsigned long user, system;
	const char *name_end;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (!pid || file_read(path, 4096, &text, NULL) < 0)
		return 0;
	name_end = strrchr(buf_cstr(&text), ')');
	if (!name_end || sscanf(name_end, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu",
				&user, &system) != 2)
		return 0;
	return (uint64_t)(user + system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void view_contact(const struct core *c, struct watch_source *w, struct source_view *v)
{
	struct watch_status s = { .heard_ms = -1, .revision = "" };

	if (w->ops->status)
		w->ops->status(w, &s);
	if (s.heard_ms >= 0)
		v->heard_ms = clock_wall_ms(loop_clock(c->loop)) - s.heard_ms;
	v->revision = *s.revision ? xstrdup(s.revision) : NULL;
}

static void view_sources(struct core *c, struct snapshot *s)
{
	s->source_count = c->config->source_count;
	s->sources = xcalloc(s->source_count, sizeof(*s->sources));
	for (size_t i = 0; i < s->source_count; i++) {
		struct core_source *cs = &c->sources[i];
		struct source_view *v = &s->sources[i];

		snprintf(v->type, sizeof(v->type), "%s", cs->watch->ops->type);
		v->where = xstrdup(source_where(cs));
		v->complete = cs->complete;
		v->delivered = cs->delivered;
		v->why = cs->why ? xstrdup(cs->why) : NULL;
		v->objects = pools_object_count(c->pools, cs->index);
		view_contact(c, cs->watch, v);
	}
}

static struct problem_view *add_problem(struct snapshot *s)
{
	s->problems = xreallocarray(s->problems, s->problem_count + 1, sizeof(*s->problems));
	s->problems[s->problem_count] = (struct problem_view){ 0 };
	return &s->problems[s->problem_count++];
}

static void view_orphan(void *arg, const struct object *o, const struct problems *problems)
{
	struct snapshot *s = arg;

	for (size_t i = 0; i < problems->count; i++) {
		struct problem_view *v = add_problem(s);
		const struct problem *p = &problems->items[i];

		v->where = o->path[0] && p->line
				   ? xasprintf("%s %s/%s (%s:%u)", object_kind_text(o->kind), o->ns,
					       o->name, o->path, p->line)
				   : xasprintf("%s %s/%s", object_kind_text(o->kind), o->ns,
					       o->name);
		v->text = xstrdup(p->text);
		v->error = p->error;
	}
}

static void view_source_problems(const struct core_source *cs, struct snapshot *s)
{
	const char *why = source_trouble(cs);

	for (size_t i = 0; i < cs->problem_count; i++) {
		const struct source_problem *p = &cs->problems[i];
		struct problem_view *v = add_problem(s);

		v->where = p->line ? xasprintf("%s:%u", p->where, p->line) : xstrdup(p->where);
		v->text = xstrdup(p->text);
		v->error = true;
	}
	if (why) {
		struct problem_view *v = add_problem(s);

		v->where = xstrdup(source_where(cs));
		v->text = xasprintf("cannot be read, its last good state holds: %s", why);
		v->error = true;
	}
}

static void view_mass(const struct core *c, struct snapshot *s)
{
	const struct mass_status m = mass_status(c->falls.mass);
	struct problem_view *v;

	if (m.mode == MASS_ORDINARY)
		return;
	s->mass = (struct mass_view){ .doubt = m.mode == MASS_DOUBT,
				      .freeze = m.mode == MASS_FREEZE,
				      .since_ms = core_wall_of(c, m.since),
				      .targets = m.targets,
				      .fallen = m.fallen,
				      .waiting = m.waiting };
	v = add_problem(s);
	v->where = xstrdup("health checks");
	v->text = xasprintf("%u of %u targets went down at once: %s; %u that are down are kept as "
			    "yet",
			    m.fallen, m.targets,
			    s->mass.freeze ? "removals are frozen, see massFailure in "
					     "parasaus.yaml(5), and look at this machine's own "
					     "network"
					   : "this may be this machine's own network",
			    m.waiting);
	v->error = s->mass.freeze;
}

static void view_notrack(const struct core *c, struct snapshot *s)
{
	s->notrack_v4 = c->notracks.families[IPVS_NOTRACK_V4].policy.state;
	s->notrack_v6 = c->notracks.families[IPVS_NOTRACK_V6].policy.state;
	for (unsigned i = 0; i < IPVS_NOTRACK_PARTS; i++) {
		char *words = notrack_words(c, i);
		struct problem_view *v = words ? add_problem(s) : NULL;

		if (!v)
			continue;
		v->where = xstrdup("health checks");
		v->text = words;
	}
}

static void view_problems(struct core *c, struct snapshot *s)
{
	view_mass(c, s);
	view_notrack(c, s);
	s->over_quota = c->quotas.unchecked;
	for (size_t i = 0; i < c->config->source_count; i++)
		view_source_problems(&c->sources[i], s);
	if (c->kernel.host_problem) {
		struct problem_view *v = add_problem(s);

		v->where = xstrdup("host");
		v->text = xstrdup(c->kernel.host_problem);
		v->error = true;
	}
	if (c->state_problem) {
		struct problem_view *v = add_problem(s);

		v->where = xasprintf("stateDirectory %s", c->config->state_directory);
		v->text = xasprintf("%s: a restart will not know of the last changes",
				    c->state_problem);
		v->error = true;
	}
	pools_orphans(c->pools, view_orphan, s);
}

/* --- all of them ------------------------------------------------------------------------ */

void view_pool_new(struct core *c, struct pool_state *ps, const struct plan_member *plan)
{
	pool_view_unref(ps->view);
	ps->view = view_of_pool(c, ps, plan);
	pool_index_put(c->view.pools, pool_view_ref(ps->view));
	view_changed(c);
}

void view_pool_gone(struct core *c, const struct pool_state *ps)
{
	pool_index_remove(c->view.pools, ps->pool->id);
	view_changed(c);
}

static void view_numbers(struct core *c, struct snapshot *s)
{
	const struct kernel_link *k = &c->kernel;
	struct front_hello hello;

	s->generation = k->generation;
	s->applied_generation = k->status.generation;
	s->synced = kernel_synced(c) && sources_delivered(c);
	s->ready = k->channel && k->status.ready && c->planning && k->status.generation > 0;
	snprintf(s->version, sizeof(s->version), "%s", PARASAUS_VERSION);
	s->node = xstrdup(c->config->node);
	s->started_ms = c->view.started_ms;
	s->kernel_writes = k->before.kernel_writes + k->status.kernel_writes;
	s->other_writes = k->before.other_writes + k->status.other_writes;
	s->repairs = k->before.repairs + k->status.repairs;
	s->last_sync_seconds = (double)k->status.last_sync_us / 1e6;
	s->kernel = k->shown;
	s->kernel.services = k->status.services;
	s->kernel.dests = k->status.dests;
	s->kernel.pending = k->status.pending;
	s->kernel.mh_disordered = k->status.disordered;
	s->probing = (struct probe_view){
		.probes = c->health_before.probes + c->health_status.probes,
		.inconclusive = c->health_before.inconclusive + c->health_status.inconclusive,
		.in_flight = c->health_status.in_flight,
		.lag_ms = c->health_status.lag_ms,
		.lag_max_ms = c->health_lag_max_ms,
		.deferred = c->health_before.deferred + c->health_status.deferred,
		.late = c->health_before.late,
	};
	histogram_merge(&s->probing.late, &c->health_status.late);
	memcpy(s->probing.latency, c->health_before.latency, sizeof(s->probing.latency));
	for (unsigned i = 0; i < CHECK_TYPES; i++)
		histogram_merge(&s->probing.latency[i], &c->health_status.latency[i]);
	memcpy(s->processes, c->view.processes, sizeof(s->processes));
	if (api_http_hello(c->view.api, &hello)) {
		endpoint_text(&hello.listen, s->remote.listen);
		memcpy(s->remote.fingerprint, hello.fingerprint, sizeof(s->remote.fingerprint));
		s->remote.not_after_ms = hello.not_after_ms;
	}
}

/* From /proc, so not with each of twenty snapshots a second. */
static void read_memory(struct core *c)
{
	struct view *v = &c->view;

	if (v->memory_read.ns && mono_sub_ms(core_now(c), v->memory_read) < VIEW_IDLE_MS)
		return;
	v->memory_read = core_now(c);
	for (unsigned i = 0; i < SNAPSHOT_PROCESSES; i++) {
		v->processes[i].resident_bytes = resident_bytes(v->processes[i].pid);
		v->processes[i].cpu_ms = cpu_ms(v->processes[i].pid);
	}
}

static void publish(void *arg)
{
	struct core *c = arg;
	struct view *v = &c->view;
	struct snapshot *s = snapshot_new();

	v->soon = false;
	if (!v->making &&
	    (!v->targets || (v->targets_changed && !mono_before(core_now(c), v->targets_next))))
		make_targets(c);
	read_memory(c);
	s->rules = pool_rules_ref(c->rules);
	view_numbers(c, s);
	view_sources(c, s);
	view_problems(c, s);
	snapshot_set_pools(s, pool_index_list(v->pools));
	s->targets = v->targets ? target_list_ref(v->targets) : NULL;
	supervisor_tell(c, s);
	snapshot_slot_put(v->slot, s);
	if (v->replaced && !v->freeing && free_piece(c))
		v->freeing = loop_work(c->loop, free_piece, c);
	v->timer = loop_timer_in(c->loop, VIEW_IDLE_MS, publish, c);
}

void view_changed(struct core *c)
{
	struct view *v = &c->view;

	/* One is always due: bring it forward unless it is near already. */
	if (v->soon)
		return;
	v->soon = true;
	loop_cancel(c->loop, v->timer);
	v->timer = loop_timer_in(c->loop, VIEW_DELAY_MS, publish, c);
}

void view_process(struct core *c, unsigned role, pid_t pid, uint32_t restarts)
{
	/* The order in which people read them. */
	static const struct {
		unsigned role;
		const char *name;
	} order[SNAPSHOT_PROCESSES] = {
		{ ROLE_COUNT, "parent" },
		{ ROLE_CORE, "core" },
		{ ROLE_HEALTHCHECK, "healthcheck" },
		{ ROLE_IPVS, "ipvs" },
		{ ROLE_HTTP, "http" },
	};

	for (unsigned i = 0; i < SNAPSHOT_PROCESSES; i++) {
		struct process_view *p = &c->view.processes[i];

		if (order[i].role == ROLE_HTTP && !c->config->api_remote)
			continue;
		snprintf(p->name, sizeof(p->name), "%s", order[i].name);
		if (order[i].role != role)
			continue;
		p->pid = pid;
		p->restarts = restarts;
	}
	c->view.memory_read = (mono_t){ 0 };
	view_changed(c);
}

void view_connect_http(struct core *c, int fd)
{
	api_connect_http(c->view.api, fd);
	view_changed(c);
}

/* What clients beyond loopback may call us; see struct origin_names. */
static void name_ourselves(struct core *c)
{
	const struct config *config = c->config;
	const struct addr *a = &config->api_listen.addr;
	struct view *v = &c->view;
	char text[ADDR_TEXT_MAX];

	v->hosts = xcalloc(config->api_hosts.count + 2, sizeof(char *));
	for (size_t i = 0; i < config->api_hosts.count; i++)
		v->hosts[i] = config->api_hosts.items[i];
	addr_text(a, text);
	snprintf(v->address, sizeof(v->address), a->family == AF_INET6 ? "[%s]" : "%s", text);
	v->hosts[config->api_hosts.count] = v->address;
	v->names = (struct origin_names){ .node = config->node,
					  .others = v->hosts,
					  .addresses = addr_is_unspecified(a) };
}

static void list_holders(struct core *c)
{
	const struct config *config = c->config;

	c->view.holders = (struct holder_rules){
		.editors = (const char *const *)config->cert_editors.items,
		.editor_count = config->cert_editors.count,
		.viewers = (const char *const *)config->cert_viewers.items,
		.viewer_count = config->cert_viewers.count,
	};
}

int view_start(struct core *c)
{
	struct api_config config = { .unix_fd = c->unix_fd,
				     .tcp_fd = c->tcp_fd,
				     .metrics_pools = c->config->metrics_pools,
				     .node = c->config->node,
				     .commands = c->commands,
				     .tokens = c->tokens,
				     .has_cluster = config_first_cluster(c->config) <
						    c->config->source_count,
				     .writable = writes_store(c) != NULL };
	struct err err = { 0 };
	int r;

	if (c->config->api_remote) {
		name_ourselves(c);
		config.remote = &c->view.names;
		list_holders(c);
		config.holders = &c->view.holders;
		config.reviews = c->reviews;
	}
	c->view.slot = snapshot_slot_new();
	c->view.pools = pool_index_new();
	c->view.started_ms = clock_wall_ms(loop_clock(c->loop));
	c->unix_fd = c->tcp_fd = -1;
	r = api_start(&config, c->view.slot, &c->view.api, &err);
	if (r < 0) {
		log_error("api", "%s", err.text);
		return r;
	}
	view_process(c, ROLE_COUNT, getppid(), 0);
	view_process(c, ROLE_CORE, getpid(), 0);
	return 0;
}

void view_end(struct core *c)
{
	loop_cancel(c->loop, c->view.timer);
	api_stop(c->view.api);
	if (c->view.slot)
		snapshot_slot_free(c->view.slot);
	end_targets(c);
	pool_index_free(c->view.pools);
	free(c->view.hosts);
}
