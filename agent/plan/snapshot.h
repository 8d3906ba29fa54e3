/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What readers see: an immutable picture of all pools, made by core, read by
 * the HTTP thread. A pool's block is shared between snapshots until the pool
 * changes, and so are the pieces of the list of pools (pool_index.h), so that
 * a new snapshot costs little, however many pools there are.
 *
 * Reference counts are atomic; everything else is read-only once published.
 */
#ifndef AGENT_PLAN_SNAPSHOT_H
#define AGENT_PLAN_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/base/attr.h"
#include "agent/base/check.h"
#include "agent/base/histogram.h"
#include "agent/plan/notrack.h"
#include "agent/pool/pool.h"

/* Why a member is not at its nominal weight; kept apart, any may hold. */
enum member_reason {
	MEMBER_UNHEALTHY = 1u << 0,
	MEMBER_TERMINATING = 1u << 1,
	MEMBER_REMOVED = 1u << 2,	/* no longer in the pool: draining */
	MEMBER_UNPROVEN = 1u << 3,	/* never seen up while another member is */
	MEMBER_FAIL_OPEN = 1u << 4,	/* down, but kept because no member is up */
	MEMBER_INHERITED = 1u << 5,	/* its state is from before this start */
	MEMBER_WEIGHT_ZERO = 1u << 6,	/* nominal weight 0 */
	MEMBER_SATURATED = 1u << 7,	/* alive, with as many connections as it takes */
	MEMBER_ROLE = 1u << 8,		/* alive, but not in the role that is asked for */
	MEMBER_STANDBY = 1u << 9,	/* up, but the pool has one writer, and not this one */
	MEMBER_HELD = 1u << 10,		/* down for a while, whatever probes say, for it flapped */
	MEMBER_SLOW_START = 1u << 11,	/* up again, with less than its weight for a while */
	MEMBER_MASS_FAILURE = 1u << 12, /* down together with many others, and kept as yet */
	MEMBER_DRAINING = 1u << 13,	/* up, and says that it is about to go */
	MEMBER_DEGRADED = 1u << 14,	/* up, and says that it is not at its best */
};

/* All there is to say of a member, put together for who asks (pool_view_member()). */
struct member_view {
	int64_t since_ms;     /* of the state; 0: unknown */
	int64_t remove_at_ms; /* wall clock: when it leaves the table; 0: it stays */
	struct endpoint endpoint;
	uint32_t nominal;
	uint32_t weight;  /* effective: in the kernel once synced */
	uint32_t reasons; /* enum member_reason */
	enum verdict_state state;
	bool in_table; /* wanted in the kernel's table */
	bool checked;  /* has a target: that of check_target_id() */
};

/*
 * What is kept of it, for there are many: what its pool does not say already. The fields are those
 * of struct member_view. Since when it is so, only a pool knows that is checked: pool_view_since().
 */
struct member_mark {
	uint16_t weight;
	uint16_t reasons;
	enum verdict_state state : 8;
	bool in_table : 1;
	bool checked : 1;
};

/* And of the few that leave: those that are not the pool's any more, or not for long in the table. */
struct member_leaving {
	int64_t remove_at_ms;
	struct pool_member member; /* as its pool would have it */
	uint32_t place;		   /* in the view */
	uint32_t gone;		   /* that are not the pool's, up to this place */
	bool is_gone;
};

struct pool_view {
	atomic_uint refs;
	bool fail_open;
	bool inherited;	      /* its source has not delivered since the start */
	bool has_since;	      /* behind the marks; otherwise it is 0 of each member */
	struct pool *pool;    /* a reference */
	uint64_t generation;  /* of the wanted table that first had it so */
	char *kernel_problem; /* what the kernel refused; NULL: nothing */
	char *fault;	      /* what is wrong between its members; NULL: nothing */
	char *unchecked;      /* which of them are not checked for want of a quota; NULL: none */
	char *not_by_vip;     /* ... not checked by the VIP, though they should be, and why */
	uint32_t member_count;
	uint32_t leaving_count;	      /* of member_leaving, behind that, by place */
	struct member_mark members[]; /* sorted by endpoint; with those that are draining */
};

struct target_view {
	uint64_t id;
	struct endpoint endpoint;
	char type[12];	     /* check_type_text() */
	struct check *login; /* a reference: its check, where that has CHECK_HAS_LOGIN or
			      * CHECK_HAS_CERTIFICATE; or NULL */
	enum verdict_state state;
	char reason[24];
	int32_t detail;
	bool proven;
	uint8_t flaps;	  /* as in struct hc_verdict; so is the next */
	uint32_t held_ms; /* after since_ms */
	int64_t since_ms;
	uint32_t ok, failed, latency_us;
	uint32_t users; /* pools that hold it */
};

/* Shared between snapshots: remade once a second at most, and only where something moved. */
struct target_list {
	atomic_uint refs;
	size_t count;
	uint64_t probes_milli;	    /* that their checks ask for in 1000 s */
	struct target_view items[]; /* sorted by endpoint */
};

/* Some of all pools, next to each other by id; shared between lists until one of them changes. */
#define POOL_PIECE_MAX 128
struct pool_piece {
	atomic_uint refs;
	size_t count, members, problems;	 /* problems of the pools, members of them */
	struct pool_view *items[POOL_PIECE_MAX]; /* sorted by id; a reference each */
};

/* Shared between snapshots as long as no pool has changed. */
struct pool_list {
	atomic_uint refs;
	size_t count, members, problems;
	size_t piece_count;
	struct pool_piece **pieces; /* none of them empty; a reference each */
	struct pool_view *items[];  /* of all pieces: sorted by id */
};

struct process_view {
	char name[16]; /* "parent", "core", "healthcheck", "ipvs", "http" */
	pid_t pid;
	uint64_t resident_bytes;
	uint64_t cpu_ms; /* of this process, user and system */
	uint32_t restarts;
};

struct source_view {
	char type[16];
	char *where;
	bool complete;
	bool delivered; /* was complete at least once since the start */
	char *why;	/* NULL while complete */
	size_t objects;
	int64_t heard_ms; /* the last it said anything, wall clock; 0: unknown, or it has no such moment */
	char *revision; /* of what it holds; NULL: it has none */
};

struct problem_view {
	char *where; /* "web.yaml:7", "Service default/web" */
	char *text;
	bool error;
};

/* Who serves beyond loopback. */
struct remote_view {
	char listen[ENDPOINT_TEXT_MAX]; /* "": nobody */
	char fingerprint[96];		/* of its certificate, SHA-256 */
	int64_t not_after_ms;
};

#define SNAPSHOT_PROCESSES 5

/* Sums go on where a process that died left off. */
struct probe_view {
	uint64_t probes;
	uint64_t inconclusive; /* could not be run, or told nothing */
	uint32_t in_flight;
	uint32_t lag_ms;       /* the worst lateness of its loop in the last second */
	uint32_t lag_max_ms;   /* the worst of all since core's start */
	uint64_t deferred;     /* that a limit made wait beyond their time */
	struct histogram late; /* how much later than due they began */
	struct histogram latency[CHECK_TYPES]; /* of the good ones, by enum check_type */
};

struct kernel_view {
	uint32_t services, dests;     /* in the kernel's table */
	uint32_t pending;	      /* services that something is still to be done about */
	uint32_t mh_disordered;	      /* struct ipvs_status */
	int64_t asked_ms;	      /* wall clock of the last commit; 0: none yet */
	int64_t matched_ms;	      /* when the kernel last matched one in full; 0: not yet */
	struct histogram programming; /* from a commit until the kernel matched it */
	struct histogram reaction;    /* the same from where its source says it was changed */
};

/* More targets went down at once than is usual. */
struct mass_view {
	bool doubt, freeze; /* one of them, or all of it is 0 */
	int64_t since_ms;
	uint32_t targets; /* that were up when it began; so is the next */
	uint32_t fallen;
	uint32_t waiting; /* that are down and kept, now */
};

struct snapshot {
	atomic_uint refs;
	uint64_t sequence;    /* which picture this is: 1, 2, ...; set by snapshot_slot_put() */
	size_t problem_total; /* `problems` and those of all pools; set there too */
	uint64_t generation;  /* wanted */
	uint64_t applied_generation; /* the last the kernel matched in full */
	bool synced;		     /* every source has delivered and kernel = wanted */
	bool ready;		     /* the table was read and written at least once */
	char version[32];
	char *node;
	int64_t started_ms;
	uint64_t kernel_writes, other_writes, repairs;
	double last_sync_seconds;
	struct kernel_view kernel;
	struct probe_view probing;
	struct mass_view mass;
	enum notrack_state notrack_v4, notrack_v6;
	uint32_t over_quota;		/* targets that are not checked */
	size_t member_count;		/* over all pools */
	const struct pool_rules *rules; /* which frontends there are: a reference; NULL: none */
	struct process_view processes[SNAPSHOT_PROCESSES];
	struct remote_view remote;
	size_t source_count;
	struct source_view *sources;
	size_t problem_count;
	struct problem_view *problems; /* of sources, and of objects no pool carries */
	struct target_list *targets;   /* a reference; NULL: none yet */
	struct pool_list *pool_list;   /* a reference; NULL: there are no pools */
	size_t pool_count;
	struct pool_view *const *pools; /* those of the list */
};

/* items zeroed, one reference */
MUST_CHECK struct target_list *target_list_new(size_t count);
struct target_list *target_list_ref(struct target_list *t);
void target_list_unref(struct target_list *t); /* NULL is fine */
/* While there is one reference to it: room for `size` items, of which `count` stay. It may move. */
MUST_CHECK struct target_list *target_list_resize(struct target_list *t, size_t size);
/*
 * Gives a reference back. Where it is the only one, no more than `max` items go at a time: true,
 * call again. At the end *t is NULL; NULL is fine.
 */
MUST_CHECK bool target_list_unref_piece(struct target_list **t, size_t max);

/*
 * One reference; takes that to the pool over. The members are sorted by endpoint: every one of the
 * pool, and others, which are those that drain. The rest is zeroed.
 */
MUST_CHECK struct pool_view *pool_view_new(struct pool *pool, const struct member_view *members,
					   size_t member_count);
struct pool_view *pool_view_ref(struct pool_view *v);
void pool_view_unref(struct pool_view *v);
/* i < v->member_count. What is asked of many, the marks say sooner. */
struct member_view pool_view_member(const struct pool_view *v, size_t i);
/* ... or these; the endpoint in *room, or where its pool has it. */
const struct endpoint *pool_view_endpoint_among(const struct pool_view *v, size_t i,
						struct endpoint *room);
static inline const struct endpoint *pool_view_endpoint(const struct pool_view *v, size_t i,
							struct endpoint *room)
{
	return v->leaving_count ? pool_view_endpoint_among(v, i, room)
				: pool_member_endpoint(v->pool, i, room);
}
/* struct member_view's since_ms */
static inline int64_t pool_view_since(const struct pool_view *v, size_t i)
{
	return v->has_since ? ((const int64_t *)(const void *)(v->members + v->member_count))[i]
			    : 0;
}
/* Its problems, its fault, and what the kernel refused. */
size_t pool_view_problems(const struct pool_view *v);

/* Empty, one reference. */
MUST_CHECK struct pool_piece *pool_piece_new(void);
void pool_piece_unref(struct pool_piece *p);
bool pool_piece_is_shared(const struct pool_piece *p); /* and must not be changed any more */
/* Among `at` before it; takes the reference over. There must be room. */
void pool_piece_insert(struct pool_piece *p, size_t at, struct pool_view *v);
void pool_piece_remove(struct pool_piece *p, size_t at);

/* One reference; takes one to each piece, of which none may be empty. */
MUST_CHECK struct pool_list *pool_list_new(struct pool_piece *const *pieces, size_t count);
struct pool_list *pool_list_ref(struct pool_list *l);
void pool_list_unref(struct pool_list *l); /* NULL is fine */

/* One reference, zeroed. What its fields point to is its own, allocated one by one with xalloc.h. */
MUST_CHECK struct snapshot *snapshot_new(void);
/* Takes the reference to the list over. */
void snapshot_set_pools(struct snapshot *s, struct pool_list *l);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s); /* the last reference frees it, from any thread */

/* Where core puts the newest and readers take it; a mutex inside, held for a moment. */
struct snapshot_slot;
MUST_CHECK struct snapshot_slot *snapshot_slot_new(void);
void snapshot_slot_free(struct snapshot_slot *slot);
/* Takes the reference over; from here on nothing in *s may change. */
void snapshot_slot_put(struct snapshot_slot *slot, struct snapshot *s);
MUST_CHECK struct snapshot *
snapshot_slot_get(struct snapshot_slot *slot); /* a reference; NULL: none yet */

#endif
