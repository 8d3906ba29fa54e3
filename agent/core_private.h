/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of core and what they share. One direction:
 *
 *   core_source      objects of sources -> the pool model
 *   core_kubernetes  what a source in a cluster needs of this process
 *   core_cluster     requests of people -> the API server that a source reads
 *   core_store       the embedded store as a source
 *   core_secret      accounts that checks need -> sources, the healthcheck process
 *   core_target      verdicts <-> the healthcheck process
 *   core_falls       verdicts that come with too many others, and have to wait
 *   core_look        questions of people -> the healthcheck process, how a target is just now
 *   core_notrack     the same of a few -> the ipvs process, whether checks are tracked
 *   core_path        checks that go by a VIP -> the ipvs process
 *   core_pool        pools + verdicts -> plan
 *   core_frontend    plan + drains -> what each VIP:port should be
 *   core_kernel      frontends -> the ipvs process, its image and status back
 *   core_count       questions of people -> the ipvs process, what the kernel counted
 *   core_report      what is wrong with objects -> their sources
 *   core_state       what outlives us -> stateDirectory
 *   core_view        all of it -> snapshots for readers
 *   core_supervisor  snapshots -> a word to systemd
 *
 * Nothing is planned before the facts of the start are in: the kernel's image,
 * the verdicts of a healthcheck process that is still running, and the
 * sources' first lists, each waited for a bounded time.
 */
#ifndef AGENT_CORE_PRIVATE_H
#define AGENT_CORE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/utsname.h>

#include "agent/api/api.h"
#include "agent/api/holder.h"
#include "agent/api/origin.h"
#include "agent/base/bulk.h"
#include "agent/base/channel.h"
#include "agent/base/loop.h"
#include "agent/base/map.h"
#include "agent/base/notify.h"
#include "agent/base/order.h"
#include "agent/base/questions.h"
#include "agent/core.h"
#include "agent/plan/mass.h"
#include "agent/plan/notrack.h"
#include "agent/plan/paths.h"
#include "agent/plan/plan.h"
#include "agent/plan/pool_index.h"
#include "agent/plan/snapshot.h"
#include "agent/plan/transitions.h"
#include "agent/pool/pool.h"
#include "agent/store/store.h"
#include "healthcheck/message.h"
#include "ipvs/message.h"
#include "ipvs/release.h"
#include "ipvs/stats.h"
#include "watch/http.h"
#include "watch/source.h"

#define CORE_START_PATIENCE_MS 2000 /* for sources and the healthcheck process */

struct core;

/* --- core_secret: the accounts that checks log in by ----------------------------- */

void secrets_start(struct core *c);
void secrets_end(struct core *c);
/* The check of a pool needs its Secret from here on; one without is fine, here and below. */
void secrets_use(struct core *c, const struct pool *pool);
/* One more user of a check that a pool has, and one less. After the last the Secret goes. */
void secrets_keep(struct core *c, const struct check *check);
void secrets_release(struct core *c, const struct check *check);
/* A Secret was put, or is known to be gone: what differs is told with the next update. */
void secrets_heard(struct core *c, const struct object *o);
/* A source has told everything: what it did not tell is not there. */
void secrets_complete(struct core *c);
void secrets_update(struct core *c);
/* Everything, to a healthcheck process that has just been told BEGIN. */
void secrets_tell_all(struct core *c);

/* --- core_target: what is probed, and what came of it ------------------------- */

struct target {
	struct core *core;
	uint64_t id;
	struct endpoint endpoint;
	struct check *check; /* a reference; NULL while only a verdict is known */
	struct hc_verdict verdict;
	mono_t since;	     /* of its state, as it is applied */
	bool inherited : 1;  /* its state is from before this start of core */
	bool came_back : 1;  /* it is up, and was seen failed and up again since then */
	bool is_counted : 1; /* among those that are up (core_falls.c) */
	bool fell : 1;	     /* `fall` is of it */
	bool waiting : 1;    /* it is down, and planned as up as yet */
	mass_ticket fall;
	struct claim *claim;	     /* core_quota.c; NULL: no quota is on it */
	struct vip_check *vip_check; /* core_path.c; NULL: it is checked directly */
	uint32_t newest;	     /* change of its state: agent/plan/transitions.h */
	timer_id linger;	     /* until it is forgotten, while nobody uses it */
	LIST_ENTRY(target) idle;     /* while nobody uses it */
	struct pool_state **users;   /* each pool once for each member that holds it */
	uint32_t user_count, user_size;
};

/* What is planned, saved and handed on: who only waits is up as yet. */
static inline enum verdict_state target_applied_state(const struct target *t)
{
	return t->waiting ? VERDICT_UP : t->verdict.state;
}

/* How far a walk over those that have a check has come: zeroed at the beginning. */
#define TARGETS_PIECE 250 /* well below a millisecond's work */
struct target_place {
	uint64_t id;
	struct endpoint endpoint;
};
/* The next ones, TARGETS_PIECE at most; 0: that were all. Any may come and go between two calls. */
MUST_CHECK size_t targets_walk(struct core *c, struct target_place *at, struct target **out);

void targets_start(struct core *c);
void targets_end(struct core *c);
void targets_connect(struct core *c, int fd);
/*
 * Find or make it; adds a user. A new one's state is that of `old`, the same member under
 * another check, or without that is decided by `first`.
 */
/* One that somebody uses; NULL: nobody does. */
struct target *target_find(const struct core *c, const struct check *check,
			   const struct endpoint *member);
struct target *target_use(struct core *c, const struct pool *pool, const struct endpoint *member,
			  const struct plan_first *first, const struct target *old,
			  struct pool_state *user);
/* To the healthcheck process, where there is one: it is to be probed. */
void target_tell(const struct target *t);
void target_tell_gone(const struct target *t); /* it is not */
void target_release(struct core *c, struct target *t, struct pool_state *user);
/* The first plan is made: verdicts nobody uses are forgotten. */
void targets_settle(struct core *c);
/* Those that waited for their paths have been told: what was not told may be forgotten. */
void targets_commit(struct core *c);

/* NULL: there is none; one that has no check is told of by a verdict alone. */
const struct target *target_of_id(const struct core *c, uint64_t id);

/* --- core_falls: many that go down at once ------------------------------------------ */

struct falls {
	struct mass *mass;
	enum mass_mode mode; /* as it was noted last */
	timer_id timer;
};

void falls_start(struct core *c);
void falls_end(struct core *c);
/* It has a check from here on. was_up: it is down now, and was up when the state was saved last. */
void falls_join(struct target *t, bool was_up);
void falls_heard(struct target *t); /* its verdict is another one */
void falls_leave(struct target *t);
/* What was heard of since the last call is applied or waits: before anything is planned. */
void falls_judge(struct core *c);

/* --- core_quota: how much is checked for one namespace ------------------------------- */

struct quotas {
	bool any;	     /* the configuration has some */
	struct map accounts; /* struct quota by namespace */
	TAILQ_HEAD(, claim) noted;
	TAILQ_HEAD(, quota) open;
	TAILQ_HEAD(, quota) changed;
	uint32_t unchecked; /* targets */
};

void quotas_start(struct core *c);
void quotas_end(struct core *c);
/*
 * A pool holds it; is_new: it was not asked for before. was_checked: it takes the place of one that
 * is, the same member under another check. It is told to the prober where it is to be checked: in
 * quotas_judge(), where there are quotas.
 */
void quota_join(struct target *t, bool is_new, bool was_checked);
/* One that held it does not any more. */
void quota_released(struct target *t);
/* It goes; and also where it is on no account. */
void quota_leave(struct target *t);
/* It is probed, or may be. False where nobody holds it and there are quotas, too. */
bool quota_is_checked(const struct target *t);
/* Whatever joined or was released since the last call: before anything is planned. */
void quotas_judge(struct core *c);
/* What of a pool is not checked, and why; the caller frees. NULL: all is. */
char *quota_words(const struct pool_state *ps);

/* --- core_look: how is it with a target? ------------------------------------------ */

void looks_start(struct core *c);
/* Those of a struct target_look_place, of the core `arg`. */
struct target_details;
/* For core's own use there is always room. */
MUST_CHECK bool looks_watch(struct core *c, uint64_t id,
			    void (*fn)(void *arg, const struct hc_sight *s), void *fn_arg);
bool looks_ask(void *arg, uint64_t id, void (*fn)(void *arg, const struct hc_sight *s),
	       void *fn_arg);
bool look_find(void *arg, uint64_t id, struct target_details *out);
int64_t look_now_ms(void *arg);
MUST_CHECK bool looks_hear(struct core *c, struct wire *body);
void looks_disconnected(struct core *c); /* whoever waits is answered without */
void looks_end(struct core *c);		 /* and is told nothing */

/* --- core_notrack: checks that connection tracking does not see --------------------- */

struct notrack_family {
	struct core *core;
	struct notrack policy;
	uint32_t asked;	  /* questions about its servers that are not answered */
	size_t place;	  /* among the targets, in a search for more of them */
	mono_t search_at; /* not earlier */
	mono_t found_at;  /* while it waits: some to try with, who are looked at first */
	mono_t fell_at;	  /* a target of this family went down last; 0: none did */
	bool any;	  /* a target of this family was come across in this search */
	bool is_stuck;	  /* it waits, and no server can be tried it with: that is told */
};

struct notracks {
	struct notrack_family families[IPVS_NOTRACK_PARTS];
	/* What the ipvs process that is there was told last, and said that is in force. */
	struct ipvs_notrack told, have;
	bool is_known;	/* it has said it */
	bool was_known; /* one of them has */
	timer_id timer; /* 0: it is not wanted */
};

void notracks_start(struct core *c);
void notracks_end(struct core *c);
MUST_CHECK bool notracks_hear(struct core *c, struct wire *body);
void notracks_disconnected(struct core *c);
void notracks_fell(const struct target *t); /* it goes down */
void notracks_alarm(struct core *c);	    /* many targets went down at once */
/* Why checks of that family are tracked though they should not; the caller frees. NULL: they should. */
char *notrack_words(const struct core *c, unsigned part);

/* --- core_path: checks that go by a VIP --------------------------------------------- */

struct vip_checks {
	struct paths numbers;
	TAILQ_HEAD(, vip_check) without; /* there was no number */
	TAILQ_HEAD(, vip_check) noted;	 /* since the end of the last turn */
	uint32_t used;			 /* targets that pools hold */
	bool is_settled;		 /* the first plan is made */
	bool is_due;
	bool is_told;	/* the ipvs process that is there was told something */
	bool is_over;	/* there are more than there are numbers: the log has it */
	char *fault;	/* why the last list is not in force; NULL: it is, or will be */
	bool is_broken; /* nor is the one before any more: nothing is, until `fault` is over */
	bool refused[IPVS_PATHS_MAX]; /* of the list in force, by number */
	char *refusal;		      /* why the first of them is; NULL: none is */
	uint32_t refused_count;	      /* of those that pools hold */
	bool is_refusal_told;
	timer_id rest_timer, retry_timer, refused_timer;
};

void vip_checks_start(struct core *c);
void vip_checks_end(struct core *c); /* after targets_end() */
/* The first plan is made: before that nothing is told, for it would be of a part of the targets. */
void vip_checks_settle(struct core *c);
/* The ipvs process that is there was told nothing yet. */
void vip_checks_connected(struct core *c);
/* It was told something, or will be, and how that went is not known yet. */
bool vip_checks_are_pending(const struct core *c);
MUST_CHECK bool vip_checks_hear(struct core *c, struct wire *body);
/*
 * Pools hold a target and it is to be checked: from here on it needs a number, be it of no use for a
 * while; it has one already, or none is needed, that is fine. It is not checked any more, or goes.
 */
void vip_check_join(struct target *t);
void vip_check_leave(struct target *t);
/* Pools hold it, or none does any more: the prober is told so at the end of the turn. */
void vip_check_use(struct target *t, bool is_used);
/* It may be told to the prober, and where probes come from then; 0: anywhere. */
MUST_CHECK bool vip_check_may_tell(const struct target *t, uint16_t *out_port);
/* The prober was told so, and what it says is of before. */
bool vip_check_is_gone(const struct target *t);
/* Which members are not checked by the VIP though they should be, and why; the caller frees. NULL:
 * none. */
char *vip_check_words(const struct pool_state *ps);

/* --- core_pool ------------------------------------------------------------------ */

/* What is kept of a member from one plan to the next. */
struct member_state {
	struct target *target; /* NULL: not checked, or terminating */
	bool last_good;
	/* Of a pool for one writer, as in struct plan_fact: */
	bool writer;
	bool serving;
	mono_t retired;
};

struct pool_state {
	struct core *core;
	struct pool *pool; /* a reference; its id is this one's too */
	/* Both in the order of the pool's members; of a pool that is not checked nothing has to be kept. */
	struct member_state *members;
	struct plan_place *places;
	bool fail_open;
	bool torn;     /* more than one member claims to be its writer */
	bool reported; /* its source was told that something is wrong */
	bool dirty;
	bool is_noted;		/* in the core's list: a restart has to know of it */
	timer_id timer;		/* when it comes out differently by itself */
	struct pool_view *view; /* NULL: it was not planned yet */
	LIST_ENTRY(pool_state) noted;
};

/* What the kernel refused of a frontend. */
struct frontend_problem {
	struct endpoint dest; /* of this destination; family 0: itself */
	char text[];
};

struct frontend {
	struct core *core;
	struct pool_state *owner; /* NULL: it only drains */
	struct ipvs_service
		*shape; /* while it has no owner: as it was last, without destinations */
	struct plan_drain *drains;
	LIST_ENTRY(frontend) draining;
	uint64_t sent;	/* hash of what the ipvs process was told last; 0: nothing */
	timer_id timer; /* the next drain that is over */
	struct frontend_problem *problem; /* NULL: none */
	struct endpoint key;
	uint32_t drain_count;
	bool is_draining; /* in the core's list: it has drains */
};

void pool_states_start(struct core *c);
void pool_states_end(struct core *c);
/* Take changes of the model over and plan them; does nothing before core_planning. */
void pool_states_update(struct core *c);
void pool_state_dirty(struct pool_state *ps);
/* Its i-th member; one that is not checked was never anything but well. */
struct member_state pool_state_member(const struct pool_state *ps, size_t i);
/* A pool that is not there yet, planned as it would be now: its pool and plan, and nothing else. */
MUST_CHECK struct pool_state *pool_state_preview(struct core *c, const struct pool *then);
void pool_state_preview_done(struct pool_state *ps); /* NULL is fine */
/* What is wrong between its members, for the caller to free; NULL: nothing. */
char *pool_state_fault(const struct pool_state *ps);
/* A source has delivered: its pools are not inherited any more. */
void pool_states_confirm(struct core *c, unsigned source);

/* --- core_frontend ------------------------------------------------------------------ */

void frontends_start(struct core *c);
void frontends_end(struct core *c);
/* From the pool that ps has to `now` (NULL: it goes), before ps takes that over. */
void frontends_move(struct pool_state *ps, struct pool *now);
/* Tell the kernel side what is wanted now, or that nothing is. May free f if no pool owns it. */
void frontend_apply(struct frontend *f);
struct frontend *frontend_get(const struct core *c, const struct endpoint *key);
/* What the kernel should hold for it now; dests are the caller's (ipvs_service_done). */
/*
 * What a frontend would be wanted to be if `then` (NULL: nobody) owned it, without a change to
 * anything; the caller frees *out with ipvs_service_done(). False: it would not be there.
 */
MUST_CHECK bool frontend_preview(struct core *c, const struct endpoint *key,
				 const struct pool_state *then, struct ipvs_service *out);
void frontend_wanted(const struct frontend *f, struct ipvs_service *out);
/* A draining destination has no connection left. */
void frontend_idle(struct core *c, const struct endpoint *key, const struct endpoint *dest);
/* What the kernel holds beyond a pool that is new begins to drain, whoever may come to own it. */
void frontends_drain_strangers(const struct pool_state *ps);
/* Every source has delivered: what the kernel holds beyond its pool begins to drain. */
void frontends_drain_surplus(struct core *c);
/* From the state file: a drain that was under way. */
void frontend_restore_drain(struct core *c, const struct endpoint *key, const struct plan_drain *d);
/* After the first plan: those that no pool took up go on draining, in the kernel's shape. */
void frontends_restore(struct core *c);

/* --- core_kernel: the ipvs process ------------------------------------------------ */

/* When a generation was committed, until the kernel matches it or a later one. */
struct kernel_commit {
	uint64_t generation;
	mono_t at;
};
#define KERNEL_COMMITS_MAX 64 /* beyond it a commit is timed with the one before */

/* When somebody changed what the kernel is wanted to be, until the kernel matches it. */
struct kernel_trigger {
	uint64_t generation; /* that has the change; 0: it was not planned yet */
	int64_t at_ms;	     /* wall clock */
};
#define KERNEL_TRIGGERS_MAX 256 /* those beyond it are not timed */

/* What the ipvs process takes for ours. */
struct kernel_ours {
	struct ipvs_ours *told; /* by the last commit */
	size_t told_count;
	bool due;     /* to be told with the next commit, even if it is the same */
	bool changed; /* it may not be what was told */
	bool wide;    /* more than what is wanted, until the kernel is rid of what is not */
};

/* Questions to the ipvs process. */
struct kernel_counts {
	struct questions questions;
	uint32_t asked;
	struct ipvs_stats_reader reader;
};

struct kernel_link {
	struct channel *channel;
	struct kernel_ours ours;
	struct ipvs_message_reader reader;
	struct kernel_counts counts;
	struct ipvs_table image; /* the kernel's table as it was at the start */
	bool image_known;
	struct ipvs_status status;
	struct ipvs_status before; /* sums of ipvs processes that are gone */
	uint64_t generation;	   /* of the last commit */
	bool changed;		   /* since the last commit */
	bool commit_pending;
	struct endpoint *keys; /* that the bulk tells to a new ipvs process */
	size_t key_count, keys_told;
	struct bulk bulk;
	bool begun;	    /* the table is being told, or was, on this channel */
	char *host_problem; /* with what is around IPVS: routes, rules, sets */
	struct kernel_commit commits[KERNEL_COMMITS_MAX]; /* the oldest first */
	size_t commit_count;
	struct kernel_trigger triggers[KERNEL_TRIGGERS_MAX];
	size_t trigger_count;
	struct kernel_view shown; /* what readers see, but for what `status` has */
};

void kernel_start(struct core *c);
void kernel_end(struct core *c);
void kernel_connect(struct core *c, int fd);
void kernel_tell_all(struct core *c);		      /* the whole table, from BEGIN to COMMIT */
void kernel_tell(struct core *c, struct frontend *f); /* if it differs from what was told */
void kernel_tell_gone(struct core *c, struct frontend *f);
void kernel_commit(struct core *c); /* at the end of the turn */
/* A change was heard of that was made then (wall clock). */
void kernel_triggered(struct core *c, int64_t at_ms);
/* Those heard of are in what is committed next, or changed nothing. */
void kernel_triggers_planned(struct core *c);
bool kernel_synced(const struct core *c);

/* --- core_count: what did the kernel count? -------------------------------------------- */

void counts_start(struct core *c);
/* `count` of a struct statistics_place, of the core `arg`. */
bool counts_ask(void *arg, const struct endpoint *frontend, ipvs_stats_fn *fn, void *fn_arg);
MUST_CHECK bool counts_hear(struct core *c, uint16_t type, struct wire *body);
void counts_disconnected(struct core *c); /* whoever waits is told so */
void counts_end(struct core *c);	  /* and is told nothing */

struct edit_wish;
struct json_writer;

/* --- core_ours: what is ours, for the ipvs process ------------------------------------ */

void ours_connected(struct core *c); /* what that process knows counts for nothing */
void ours_end(struct core *c);
/* A frontend came or went, or (NULL) the rules did. */
void ours_changed(struct core *c, const struct endpoint *frontend);
/* Before a commit. */
void ours_tell(struct core *c);
/* The kernel matched a commit: what was only kept until then may be narrowed. */
void ours_settled(struct core *c);

/* --- core_preview -------------------------------------------------------------- */

/* An edit_plan_fn of the core `arg`: what the kernel would be told for these documents. */
void core_preview(void *arg, unsigned source, const struct edit_wish *wishes, size_t count,
		  const struct pool_rules *rules, struct json_writer *j);

/* --- core_source --------------------------------------------------------------- */

struct source_problem {
	char *where;
	unsigned line;
	char *text;
};

struct core_source {
	struct core *core;
	unsigned index;
	const struct config_source *config;
	char *where; /* for people, and for the state file to know it again */
	struct watch_source *watch;
	struct kube_writer *writer; /* NULL: nothing was written yet, or it is no cluster */
	bool complete;		    /* now */
	bool spoken;		    /* has had its first look, whatever came of it */
	bool delivered;		    /* was complete at least once since the start */
	bool inherits;		    /* held something when it was saved last */
	bool telling;	    /* has told something since sources_are_telling() was asked last */
	char *why;	    /* it is not complete */
	struct map waiting; /* inherited objects it has not told yet, by identity */
	size_t inherited;
	char *cursor; /* where it is, as told last; NULL: it has none */
	bool unsaved;
	bool save_soon; /* of changed objects, not of the cursor alone */
	timer_id save_timer;
	struct source_saving *saving; /* under way; NULL: none is */
	int64_t save_took_ms;
	struct source_problem *problems;
	size_t problem_count;
};

MUST_CHECK int sources_start(struct core *c);
void sources_end(struct core *c);
bool sources_delivered(const struct core *c); /* every one, since the start */
bool sources_spoken(const struct core *c);    /* every one has had its first look */
/* One that inherited nothing is in the midst of its first look, and getting on. */
bool sources_are_telling(struct core *c);
const char *source_where(const struct core_source *s);
void source_saved(struct core_source *s, int64_t took_ms); /* or could not be */
/* Why it cannot be read, unless one of its problems says so already; NULL: it can. */
const char *source_trouble(const struct core_source *s);

/* --- core_kubernetes ----------------------------------------------------------- */

/* After privileges were given up: what cannot be read now never can be. NULL: logged. */
MUST_CHECK struct watch_source *source_kubernetes_new(struct core_source *s,
						      const struct watch_sink *sink);
/* As nobody, with connections of its own; NULL: *err says why. */
MUST_CHECK struct kube_writer *source_kubernetes_writer(struct core_source *s, struct err *err);

/* The same as the agent itself. */
MUST_CHECK struct kube_reviewer *source_kubernetes_reviewer(struct core_source *s, struct err *err);

/* --- core_review --------------------------------------------------------------- */

/* Where the configuration takes tokens of a cluster. -errno: logged. */
MUST_CHECK int reviews_start(struct core *c);
/* Nothing is asked or said any more; what was said stays for who looks. */
void reviews_quiet(struct core *c);
void reviews_end(struct core *c); /* after view_end() */

/* --- core_cluster -------------------------------------------------------------- */

struct edit_cluster;
/* Of a source that is a cluster: its API server, for agent/api/edit.h; until sources_end(). */
struct edit_cluster source_cluster(struct core_source *s);

/* --- core_store ----------------------------------------------------------------- */

/* In the state directory; opens behind the scenes (agent/store/store.h). NULL: no thread. */
MUST_CHECK struct watch_source *source_store_new(struct core_source *s,
						 const struct watch_sink *sink);
/* The store behind this source, to write to; NULL: it is another kind of source. */
struct store *source_store(struct watch_source *w);
/* A document as this source would tell it; NULL: not at all. */
struct object *source_store_decode(struct watch_source *w, const struct edit_wish *wish);
/* Who it is, for pools_remove(); its names are those of the key. */
struct object source_store_identity(struct watch_source *w, const struct store_key *key);

/* --- core_state ------------------------------------------------------------------ */

struct saved_target {
	uint64_t id;
	enum verdict_state state;
	enum hc_standing standing;
	bool proven;
	int64_t since_ms;
};

struct saved_good {
	char *pool_id;
	struct endpoint *members;
	size_t count;
};

struct saved {
	struct map targets; /* struct saved_target by id */
	struct map good;    /* struct saved_good by pool id: pools that were in fail-open */
	struct map writers; /* struct saved_good of one by pool id: pools for one writer */
};

/* Takes the lock. Negative: logged. */
MUST_CHECK int state_open(struct core *c);
void state_load(struct core *c);    /* verdicts, last good sets, drains */
void state_changed(struct core *c); /* to be written soon */
/* It was planned: whether its last good set or its writer is written; and it is not any more. */
void state_note(struct pool_state *ps);
void state_note_gone(struct pool_state *ps);
void state_save(struct core *c);   /* now */
void state_forget(struct core *c); /* `saved` is used up */
void state_close(struct core *c);
/* Piece by piece, as it is now, until source_saved(). */
void state_save_source(struct core_source *s);
void state_save_source_at_once(
	struct core_source *s); /* before state_close(), which waits for it */
/* At the end, whether anything is under way or not. True: what was under way is not written. */
bool state_give_up_saving(struct core_source *s);
/*
 * The place of a source whose pools are in the state directory while the agent's own store was
 * never begun; the caller frees. NULL: there is none.
 */
MUST_CHECK char *state_other_source(const struct core *c);
typedef void state_object_fn(void *arg, struct object *o); /* takes o over */
/* *cursor: as saved with the objects, the caller's; NULL where there is none. */
void state_load_source(struct core *c, const struct core_source *s, state_object_fn *fn, void *arg,
		       char **cursor);
const struct saved_target *saved_target(const struct core *c, uint64_t id);
bool saved_last_good(const struct core *c, const char *pool_id, const struct endpoint *member);
bool saved_writer(const struct core *c, const char *pool_id, const struct endpoint *member);

/* --- core_write: the store and tokens, by REST ------------------------------------- */

MUST_CHECK int writes_start(struct core *c); /* before view_start(); negative: logged */
/* Before view_end() and sources_end(): what is under way is answered that it ends. */
void writes_end(struct core *c);
void writes_free(struct core *c); /* after view_end() */
/* The store that is written to; NULL: there is none. */
struct store *writes_store(const struct core *c);
/* The source that is written to over REST; NULL: there is none. */
struct watch_source *writes_source(const struct core *c);

/* --- core_view ------------------------------------------------------------------- */

struct view {
	struct snapshot_slot *slot;
	struct api *api;
	timer_id timer; /* the next snapshot */
	bool soon;	/* it is due within VIEW_DELAY_MS */
	struct pool_index *pools;
	struct target_list *targets;
	bool targets_changed;
	mono_t targets_next;	      /* not made anew before */
	struct target_making *making; /* a list under way; NULL: none is */
	struct target_list *replaced; /* to be freed piece by piece, once no snapshot has it */
	loop_work_id freeing;
	mono_t memory_read; /* { 0 }: not of these processes */
	struct process_view processes[SNAPSHOT_PROCESSES];
	int64_t started_ms;
	/* Where there is an http process: */
	const char **hosts; /* ends with NULL */
	char address[ADDR_TEXT_MAX + 2];
	struct origin_names names;   /* made of them */
	struct holder_rules holders; /* the configuration's */
};

MUST_CHECK int view_start(struct core *c);
void view_end(struct core *c);
void view_changed(struct core *c); /* a new snapshot, soon */
/* As readers see it; its login is a reference for the caller. */
void view_target(const struct target *t, struct target_view *out);
/* ps->view is made anew of what was planned just now, and is in the next snapshot, soon; or in none any more. */
void view_pool_new(struct core *c, struct pool_state *ps, const struct plan_member *plan);
void view_pool_gone(struct core *c, const struct pool_state *ps);
void view_connect_http(struct core *c, int fd); /* takes fd over */
void view_process(struct core *c, unsigned role, pid_t pid, uint32_t restarts);

/* --- core_report ----------------------------------------------------------------- */

struct reports {
	struct map orphans; /* objects that no pool carries, as told, by identity */
	uint64_t round;
	timer_id timer;
};

void reports_start(struct core *c); /* once there are sources */
void reports_end(struct core *c);
void report_pool(struct pool_state *ps); /* its view is new */
void report_pool_gone(struct pool_state *ps);

/* --- core_supervisor: systemd, or who acts like it ---------------------------------- */

struct supervisor {
	struct notify *to;   /* NULL: nobody wants to be told */
	int64_t watchdog_ms; /* 0: it does not wait for us */
	mono_t told_at;
	char *status; /* as told last */
	bool failed;
};

void supervisor_start(struct core *c);
void supervisor_end(struct core *c);
/* With each snapshot; does not send each. */
void supervisor_tell(struct core *c, const struct snapshot *s);

/* --- core ------------------------------------------------------------------------ */

struct core {
	struct loop *loop;
	const struct config *config;
	struct utsname kernel_is;
	char no_limits[KERNEL_FAULT_MAX];
	struct pool_rules own_rules;	/* the configuration's, on this kernel; not counted */
	const struct pool_rules *rules; /* now in force: a reference */
	struct pools *pools;
	struct core_source sources[CONFIG_SOURCES_MAX];
	struct map targets;   /* struct target by id */
	struct order checked; /* those of them that have a check, by endpoint and id */
	uint64_t walked;      /* how many of those walks have come to: work done */
	LIST_HEAD(, target) idle;
	struct quotas quotas;
	struct map states;    /* struct pool_state by pool id */
	struct map frontends; /* struct frontend by key */
	/* Few of many: */
	LIST_HEAD(, pool_state) noted;
	LIST_HEAD(, frontend) draining;
	struct map secrets; /* that checks need, by how these name them */
	bool secrets_changed;
	struct pool_state **dirty;
	size_t dirty_count, dirty_size;
	bool plan_pending;
	struct channel *health;
	bool health_known; /* a healthcheck process has told its verdicts */
	struct falls falls;
	struct hc_status health_status;
	struct hc_status health_before; /* sums of healthcheck processes that are gone */
	uint32_t health_lag_max_ms;	/* of all of them */
	struct target_place health_at;	/* told so far, while health_bulk runs */
	struct bulk health_bulk;
	timer_id health_commit; /* all are told but those that wait for their paths; 0: else */
	struct questions looks; /* to the healthcheck process */
	struct notracks notracks;
	struct vip_checks vip_checks;
	struct transitions *transitions; /* of targets' states */
	struct kernel_link kernel;
	struct saved saved;
	int lock_fd;
	struct filer *files; /* writes the state directory */
	bool files_at_once; /* a test's, between core_prepare() and core_start(): without a thread */
	timer_id save_timer;
	bool unsaved, saving;
	struct health_saving *health_saving; /* under way and not all given yet; NULL: none is */
	int64_t save_spent_ns;		     /* of the loop's time */
	mono_t save_given;		     /* when the last of it was */
	/* Why the state directory cannot be written, and the file that said so; NULL: it can. */
	char *state_problem, *state_file;
	struct view view;
	struct commands *commands; /* agent/api/command.h */
	struct edits *edits;
	struct batches *batches; /* agent/api/batch.h */
	struct statistics *statistics;
	struct target_looks *target_looks; /* agent/api/target_route.h */
	struct backups *backups;	   /* agent/api/backup_route.h */
	char *backup_directory;
	struct tokens *tokens;	 /* agent/api/tokens.h */
	struct reviews *reviews; /* agent/api/reviews.h; NULL: a cluster's tokens are not taken */
	struct kube_reviewer *reviewer;	  /* NULL: none was wanted yet */
	struct inquiry *inquiries;	  /* of core_review.c, under way */
	char *review_trouble;		  /* as it was logged; NULL: there is none */
	struct edit_source *edit_sources; /* one a source */
	struct edit_cluster *edit_clusters;
	struct reports reports;
	struct supervisor supervisor;
	int unix_fd, tcp_fd; /* listening, until the API takes them */
	/* http_curl_new(); between core_prepare() and core_start() a test puts its own here. */
	int (*http_new)(struct loop *l, const char *user_agent, struct http **out);
	timer_id patience;
	bool patience_over;
	timer_id tidy_timer; /* until the memory of the start is given back; 0: it is */
	bool planning;	     /* facts of the start are in */
	bool settled;	     /* every source has delivered and surplus is draining */
	unsigned log_lines;  /* of changed targets, in this second */
	unsigned log_muted;
	timer_id log_timer;
};

/* Address pools have changed: takes the reference over. */
void core_set_rules(struct core *c, const struct pool_rules *rules);
/* Something that planning waits for has come. */
void core_facts_changed(struct core *c);
/* A helper's channel is gone. If not because the helper is, only starting anew mends that. */
void core_peer_closed(struct core *c, const char *why);
/* Plan what changed, at the end of the turn. */
void core_plan_later(struct core *c);

static inline mono_t core_now(const struct core *c)
{
	return loop_now(c->loop);
}

/* The body of an event message: u8 level, text. False: malformed. */
bool core_log_event(const char *subsystem, struct wire *body);

/* Wall clock (ms) of a monotonic moment, and back: for what is shown or outlives us. */
int64_t core_wall_of(const struct core *c, mono_t t);
mono_t core_mono_of(const struct core *c, int64_t wall_ms);

#endif
