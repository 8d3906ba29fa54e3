/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ipvs process from the inside, as its files share it: role.c, check.c,
 * writer.c, ordering.c, audit.c, timeouts.c, rival.c, hosting.c, drain.c, trouble.c, tell.c. Nobody else includes this but tests.
 *
 * Every service is a row (image.h). A row stands in at most one queue, that
 * of the most urgent thing to be done with it; settling a row finds its
 * queue anew. The writer takes from the first queue that is not empty, one
 * short piece of work at a time, so that a health change overtakes a load.
 */
#ifndef IPVS_ROLE_PARTS_H
#define IPVS_ROLE_PARTS_H

#include "agent/base/channel.h"
#include "agent/base/loop.h"
#include "agent/base/map.h"
#include "ipvs/diff.h"
#include "ipvs/host.h"
#include "ipvs/image.h"
#include "ipvs/kernel.h"
#include "ipvs/message.h"
#include "ipvs/pace.h"
#include "ipvs/role.h"

#define IPVS_SERVICES_MAX 262144 /* wanted; bounds what a broken core can make us hold */

enum ipvs_queue {
	IPVS_QUEUE_NONE,
	IPVS_QUEUE_CHECK,     /* newly wanted: look at what it takes */
	IPVS_QUEUE_READ,      /* its destinations have to be read again */
	IPVS_QUEUE_WEIGHTS,   /* IPVS_STEP_WEIGHTS */
	IPVS_QUEUE_HOST,      /* the host must carry its frontend first */
	IPVS_QUEUE_ADD,	      /* IPVS_STEP_ADD */
	IPVS_QUEUE_EDIT,      /* IPVS_STEP_EDIT */
	IPVS_QUEUE_DELETE,    /* IPVS_STEP_DELETE */
	IPVS_QUEUE_WAIT,      /* the same, at weight 0 already, until the pace allows it */
	IPVS_QUEUE_SCHEDULER, /* IPVS_STEP_EDIT that changes a live scheduler: paced */
	IPVS_QUEUE_GONE,      /* the host need not carry its frontend any more */
	/* All is as wanted but the order in mh (ordering.c). It is last: what is before is urgent. */
	IPVS_QUEUE_ORDER,
	IPVS_QUEUE_COUNT,
};

struct ipvs_row_list {
	struct ipvs_row *first, *last;
	uint32_t count;
};

/* What is around IPVS (host.h), as a table of functions so that tests can do without. */
struct ipvs_host_ops {
	int (*open)(void *arg, struct loop *l, const struct ipvs_config *c,
		    ipvs_host_event_fn *event, ipvs_host_changed_fn *changed, void *event_arg,
		    void **out, struct err *err);
	int (*add)(void *host, const struct ipvs_frontend *f, size_t count, struct err *err);
	int (*served)(void *host, struct err *err);
	int (*remove)(void *host, const struct endpoint *keys, size_t count, struct err *err);
	int (*sync)(void *host, bool prune, uint64_t *out_repairs, struct err *err);
	void (*ours_changed)(void *host);
	int (*notrack)(void *host, const struct ipvs_notrack *n, struct err *err);
	bool (*notrack_now)(void *host, struct ipvs_notrack *out);
	int (*paths)(void *host, const struct ipvs_paths *p, struct err *err);
	int (*paths_check)(void *host, uint64_t *out_repairs, struct err *err);
	/* Routes that came or went may change it. */
	bool (*paths_now)(void *host, struct ipvs_paths_result *out);
	bool (*has_device)(void *host, const char *name);
	/* Connections of a destination that is gone for a moment stay, or as before. -errno. */
	int (*hold_connections)(void *host, bool hold);
	uint64_t (*writes)(const void *host);
	void (*close)(void *host);
	void *arg; /* for open */
};

/* What a role stands on: the real thing, or what a test puts in its place. */
struct ipvs_ground {
	int (*open_kernel)(void *arg, struct ipvs_kernel *out, struct err *err);
	void *kernel_arg;
	const struct ipvs_host_ops *host;
};

/* What an object could not be made to be, and when that is tried again. */
struct ipvs_trouble {
	struct endpoint key;
	struct endpoint dest; /* family 0: the service itself */
	struct ipvs_role *role;
	struct ipvs_trouble *next; /* of the same row */
	timer_id retry;		   /* 0: not before core tells something else */
	uint32_t backoff_ms;
	int error; /* positive errno */
	bool blocked;
	bool refused; /* a real server, by us: it is not in what is wanted, and may be deleted */
	char text[160];
};

/* A program that deletes what is ours (rival.c). */
struct ipvs_rival {
	unsigned strikes; /* audits that found its work */
	mono_t at;	  /* the last one */
	uint32_t wait_ms;
	timer_id timer; /* until what was given up is written again */
};

struct ipvs_role {
	struct loop *loop;
	const struct ipvs_config *config; /* &own */
	struct ipvs_config own;	    /* its maker's, but for what is ours: ours.c changes that */
	struct ipvs_ours_list ours; /* that core told last; empty before */
	struct ipvs_kernel kernel;
	const struct ipvs_host_ops *host_ops;
	void *host;

	struct ipvs_image image;
	struct ipvs_row_list queues[IPVS_QUEUE_COUNT];
	struct ipvs_pace pace;

	/* core */
	struct channel *core; /* NULL: there is none */
	struct ipvs_message_reader reader;
	struct ipvs_row **staged; /* rows that core has told something of since the last commit */
	size_t staged_count, staged_size;
	bool staged_fresh; /* and that is all there is */
	struct ipvs_ours_list staged_ours;
	bool staged_ours_any;
	bool committed; /* there was a commit, ever */
	struct ipvs_commit commit;

	/* tell.c: the image to a core that has just connected */
	struct endpoint *telling;
	size_t telling_count, telling_at;
	timer_id telling_timer;
	struct ipvs_status status, told;
	timer_id status_timer;
	mono_t status_at;  /* when it was told last; 0: not to this core */
	struct buf events; /* that came up while there was no core, as IPVS_MSG_EVENT bodies */
	unsigned event_count;

	/* writer.c */
	loop_work_id pump; /* 0: nothing to do, or waiting */
	timer_id pump_timer;
	mono_t pause_until;
	mono_t deleted_at;   /* the last time that anything was */
	struct ipvs_op *ops; /* IPVS_BATCH_MAX of them */
	int *errors;
	bool writing; /* since the last time that everything was as wanted */
	mono_t first_write, last_ack;
	uint64_t writes_before;
	bool full; /* a whole table was compared since then */

	/* ordering.c */
	struct {
		timer_id timer;		  /* while the queue is not empty */
		uint32_t services, dests; /* put right in this round */
		bool refused;		  /* the host could not; it was told */
	} ordering;

	/* audit.c */
	uint32_t audit; /* number of the one running, or of the last */
	bool auditing;
	uint8_t audit_family;
	uint32_t audit_place;
	bool audit_spared; /* the list of IPv4: it was as the last time */
	struct {
		uint64_t digest;  /* of that list; 0: none that counts */
		uint64_t version; /* of the image, as it was looked at */
	} seen;
	struct {
		uint32_t missing, undeclared, altered, dests;
	} found;
	loop_work_id audit_work;
	timer_id audit_timer, soon_timer;
	size_t roll_left; /* rows, in this audit */

	struct ipvs_rival rival;

	uint64_t timeout_writes; /* timeouts.c */
	bool timeouts_failed;	 /* and it was told */

	/* the host */
	timer_id host_timer;
	uint32_t host_backoff_ms;
	bool host_failed;
	bool host_pruned;
	bool host_waits;		  /* frontends were added that IPVS may not serve yet */
	struct ipvs_notrack notrack_told; /* to this core, last */
	bool notrack_due; /* this core has to be told what is in force once it is as it should be */

	bool paths_due; /* this core told paths: it is told how that went when it is known */
	struct ipvs_paths_result paths_told; /* to it, last */
	struct ipvs_paths paths_refused;     /* what it told and may not be; no version */

	/* destinations that drain */
	struct ipvs_row **drains;
	size_t drain_count, drain_size, drain_at;
	timer_id drain_timer;
	loop_work_id drain_work;

	struct map troubles;
};

/* --- role.c --- */
MUST_CHECK int ipvs_role_new_on(struct loop *l, const struct ipvs_config *c,
				const struct ipvs_ground *ground, struct ipvs_role **out,
				struct err *err);
bool ipvs_is_ours(const struct ipvs_config *c, const struct endpoint *key);

/* --- ours.c --- */
/*
 * Is it ours; before the first commit: can it be? Until then nothing is touched, and core is told of
 * all that its address pools may turn out to hold.
 */
bool ipvs_may_be_ours(const struct ipvs_role *r, const struct endpoint *key);
/* At a commit. What core told counts from now on. True: something is ours that was not read. */
MUST_CHECK bool ipvs_ours_take(struct ipvs_role *r);
/* What the kernel holds there is read. */
void ipvs_ours_look(struct ipvs_role *r);

/* --- writer.c --- */
void ipvs_enqueue(struct ipvs_role *r, struct ipvs_row *row, enum ipvs_queue q);
/* Its destinations have to be read again. A row that is to be checked is checked first. */
void ipvs_enqueue_read(struct ipvs_role *r, struct ipvs_row *row);
/* Put the row where it belongs; frees it if it is of no more use. */
void ipvs_settle(struct ipvs_role *r, struct ipvs_row *row);
/* Something may have come into a queue. */
void ipvs_pump(struct ipvs_role *r);
/* No row is in a queue but in that of the order. */
bool ipvs_is_quiet(const struct ipvs_role *r);
/* Send the first `count` of r->ops, and take what comes of it. The image holds them already. */
void ipvs_write(struct ipvs_role *r, size_t count);

/* --- ordering.c --- */
/* The row is as wanted: is its order, too? */
bool ipvs_ordering_wanted(const struct ipvs_role *r, const struct ipvs_row *row);
/* Into IPVS_QUEUE_ORDER, from now on. */
void ipvs_ordering_add(struct ipvs_role *r, struct ipvs_row *row);
void ipvs_ordering_end(struct ipvs_role *r);

/* --- check.c --- */
/* Check rows at the head of their queue, and settle them. */
void ipvs_check_piece(struct ipvs_role *r);

/* --- audit.c --- */
/* List the services, compare, and read what differs. */
void ipvs_audit_start(struct ipvs_role *r);
void ipvs_audit_soon(struct ipvs_role *r);
/* All of it at once, and believe it. */
MUST_CHECK int ipvs_audit_first(struct ipvs_role *r);
/*
 * The same at any time; an audit that is under way is over. *out_undeclared: services that nobody
 * wants and that were not known.
 */
MUST_CHECK int ipvs_audit_look(struct ipvs_role *r, uint32_t *out_undeclared);
void ipvs_audit_arm(struct ipvs_role *r); /* the next one, unless it is due already */
/* Read the destinations of a row that the kernel holds. False: they are as the image has them. */
bool ipvs_read_row(struct ipvs_role *r, struct ipvs_row *row);

/* --- rival.c --- */
/*
 * An audit misses so many services, or none. NULL: they are put back. Else they are given up, for
 * this reason.
 */
const char *ipvs_rival_found(struct ipvs_role *r, size_t missing);
void ipvs_rival_give_up(struct ipvs_role *r, struct ipvs_row *row, const char *text);
/*
 * The trouble of a service that is wanted, was given up, and is not to be tried yet, whatever core
 * says of it meanwhile; NULL: none.
 */
const struct ipvs_trouble *ipvs_rival_holds(const struct ipvs_role *r, const struct ipvs_row *row);
void ipvs_rival_done(struct ipvs_role *r);

/* --- hosting.c --- */
/* Have the host carry the frontends at the head of a queue, or drop them. */
void ipvs_host_piece(struct ipvs_role *r);
void ipvs_host_gone_piece(struct ipvs_role *r);
/* Nothing waits to be added to IPVS: VIPs may be answered for. */
void ipvs_hosting_served(struct ipvs_role *r);
MUST_CHECK int ipvs_hosting_open(struct ipvs_role *r, struct err *err);
void ipvs_hosting_close(struct ipvs_role *r);
/* What is ours is something else now: the rules around IPVS are made of it. */
void ipvs_hosting_follow(struct ipvs_role *r);
/* Which health checks connection tracking is to leave alone. Core is told when that is so. */
void ipvs_hosting_notrack(struct ipvs_role *r, const struct ipvs_notrack *n);
/* A core that has just connected is told what is in force, too. */
void ipvs_hosting_tell_notrack(struct ipvs_role *r);
/* Which ways probes are to go by VIPs, out of which what may not be is sorted. Core is told how it went, and
 * when that changes. */
void ipvs_hosting_paths(struct ipvs_role *r, struct ipvs_paths *p);
/* At an audit. */
void ipvs_hosting_paths_check(struct ipvs_role *r);
/* Everything is as wanted and every source has delivered: what is left over can go. */
void ipvs_hosting_prune(struct ipvs_role *r);

/* --- drain.c --- */
/* Watch the row's draining destinations, if it has any. */
void ipvs_drain_add(struct ipvs_role *r, struct ipvs_row *row);

/* --- trouble.c --- */
void ipvs_troubles_init(struct ipvs_role *r);
void ipvs_troubles_done(struct ipvs_role *r);
/*
 * `d` NULL: the service. With `retry` it is tried again, later each time; a real server without is
 * refused. Tells core.
 */
void ipvs_trouble(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d, int error,
		  bool retry, const char *text);
/* It went well: take the trouble back, if there was any. */
void ipvs_trouble_over(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_dest *d);
/* All but `kept`; NULL: all. */
void ipvs_troubles_clear(struct ipvs_role *r, struct ipvs_row *row,
			 const struct ipvs_trouble *kept);
bool ipvs_is_blocked(const struct ipvs_row *row, const struct ipvs_dest *d);

/* --- tell.c --- */
void ipvs_tell_image(struct ipvs_role *r); /* and all troubles, and the status */
void ipvs_tell_stop(struct ipvs_role *r);
void ipvs_tell_trouble(struct ipvs_role *r, const struct ipvs_trouble *t, bool over);
void ipvs_tell_idle(struct ipvs_role *r, const struct endpoint *key, const struct ipvs_dest *d);
void ipvs_tell_notrack(struct ipvs_role *r, const struct ipvs_notrack *n);
void ipvs_tell_paths(struct ipvs_role *r, const struct ipvs_paths_result *p);
/* Answers the question in `body`; false: it is malformed. */
MUST_CHECK bool ipvs_tell_stats(struct ipvs_role *r, struct wire *body);
void ipvs_tell_event(struct ipvs_role *r, enum log_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The status may have changed: tell it, at most 20 times a second but `synced` at once. */
void ipvs_tell_status(struct ipvs_role *r);

#endif
