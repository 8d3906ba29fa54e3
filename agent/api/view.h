/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a snapshot's parts look like as JSON; the fields are those of schema.h.
 * Pure, apart from the buffer written to.
 */
#ifndef AGENT_API_VIEW_H
#define AGENT_API_VIEW_H

#include <stdint.h>

#include "agent/api/json_writer.h"
#include "agent/base/attr.h"
#include "agent/plan/snapshot.h"

/* A pool shows that many of its problems, REST_PROBLEMS all of them. */
#define VIEW_POOL_PROBLEMS_MAX 64
#define VIEW_ID_TEXT_MAX       17
#define VIEW_MEMBER_ID_MAX     56
#define VIEW_SOURCE_TEXT_MAX   512

/* What probes say of a pool as a whole; what the administrator wants has no part in it. */
enum pool_health { HEALTH_UP, HEALTH_DEGRADED, HEALTH_DOWN, HEALTH_UNMONITORED };
enum pool_health view_pool_health(const struct pool_view *v);
const char *view_health_text(enum pool_health h);

/* For sorting: what most needs to be looked at has the least. */
unsigned view_health_rank(enum pool_health h);
unsigned view_state_rank(enum verdict_state s);

/* A member that drains is in none of the three others. */
struct pool_counts {
	size_t up, down, unknown, draining;
};
struct pool_counts view_pool_counts(const struct pool_view *v);

/* The word for each bit of enum member_reason, in their order; ends with NULL. */
extern const char *const view_reason_words[];

/* "directory:/etc/parasaus/pools"; returns out, or NULL where there is no such source. */
const char *view_source_text(const struct snapshot *s, unsigned source,
			     char out[static VIEW_SOURCE_TEXT_MAX]);

/* A target's id as text; returns out. */
const char *view_target_id(uint64_t id, char out[static VIEW_ID_TEXT_MAX]);

/* The target that is probed for the member; NULL: none, or none is known of yet. */
const struct target_view *view_find_target(const struct snapshot *s, const struct pool_view *v,
					   const struct member_view *m);
/* A reason is a word to programs: "closed early" is "closed-early" there. */
void view_reason_word(const char reason[24], char out[24]);

void view_put_pool(struct json_writer *j, const struct snapshot *s, const struct pool_view *v);
/* "10.0.0.7-80", unique within its pool; returns out. */
const char *view_member_id(const struct endpoint *e, char out[static VIEW_MEMBER_ID_MAX]);
/* The member at this place in v. */
void view_put_member(struct json_writer *j, const struct snapshot *s, const struct pool_view *v,
		     size_t place);
void view_put_target(struct json_writer *j, const struct target_view *t);
/* Its fields alone, for an object that has more; and a check, as pools have it. */
void view_put_target_fields(struct json_writer *j, const struct target_view *t);
void view_put_check(struct json_writer *j, const struct check *c);
const char *view_notrack_text(enum notrack_state s);
void view_put_status(struct json_writer *j, const struct snapshot *s);

/*
 * Every node there is: the one that is asked, and no other yet. Its services and destinations are
 * those that the kernel has, strangers' too.
 */
void view_put_nodes(struct json_writer *j, const struct snapshot *s);

/* A frontend shows that many of its destinations; a pool's list of members has all of them. */
#define VIEW_DESTINATIONS_MAX 256
/*
 * One frontend of the pool, as it is wanted of the kernel. The kernel's refusal is kept for the
 * pool as a whole, and its text names the service it is about.
 */
void view_put_frontend(struct json_writer *j, const struct snapshot *s, const struct pool_view *v,
		       const struct endpoint *frontend);
const char *view_forward_text(enum pool_forward f);

/* A problem, wherever it comes from. */
struct problem_item {
	const struct pool_view *pool; /* NULL: no pool's */
	const char *where;	      /* NULL: the pool's Service */
	unsigned line;
	const char *text;
	bool error;
};
void view_put_problem(struct json_writer *j, const struct problem_item *p);
/* The i-th of a pool, i < pool_view_problems(v): its own, then the kernel's. */
struct problem_item view_pool_problem(const struct pool_view *v, size_t i);

/* Why the agent is not ready to be relied upon, in words; NULL: it is. s may be NULL. */
const char *view_not_ready(const struct snapshot *s);

#endif
