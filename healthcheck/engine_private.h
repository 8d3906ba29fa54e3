/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inside of the engine: engine.c runs probes, targets.c keeps targets and
 * has their verdicts ready to be told.
 */
#ifndef HEALTHCHECK_ENGINE_PRIVATE_H
#define HEALTHCHECK_ENGINE_PRIVATE_H

#include <sys/queue.h>

#include "agent/base/histogram.h"
#include "agent/base/map.h"
#include "agent/base/timers.h"
#include "healthcheck/engine.h"
#include "healthcheck/logins.h"
#include "healthcheck/schedule.h"
#include "healthcheck/verdict.h"
#include "healthcheck/wheel.h"

enum stage {
	NEVER,	 /* not to be probed */
	RESTING, /* until its timer */
	WAITING, /* on a queue, for a place among those under way */
	PROBING,
};

enum telling {
	TOLD,
	MOVED, /* counters alone */
	NEWS,
};

/*
 * There are 350,000 of them, and what one takes counts: those who are asked the same share one
 * check, and time and lists go by number (wheel.h).
 */
struct target {
	uint64_t id;
	struct check *check;	/* one of the engine's */
	struct hc_login *login; /* mysql with a secret; NULL otherwise */
	struct endpoint endpoint;
	struct hc_health health;
	uint8_t stage : 2;   /* enum stage */
	uint8_t telling : 2; /* enum telling */
	bool is_fresh : 1;   /* never probed yet */
	uint8_t reason;	     /* enum hc_reason */
	uint16_t from_port;  /* 0: any */
	uint32_t number;     /* its own */
	uint32_t round;	     /* of telling: the begin it was last put after */
	uint32_t slot; /* index + 1: its probe, or the connection for its next one; 0: neither */
	int32_t detail;
	uint32_t ok, failed, latency_us;
	uint32_t sequence;
	uint32_t moved_ms; /* MOVED: since when; milliseconds, their lower half */
	uint32_t took_us;  /* the last probe that ended; 0: none did */
	int64_t since_ms;
	mono_t began; /* the last probe */
};

/* A probe under way, or one that is over and whose connection rests. The generation is odd while it
 * is under way and makes stale tokens harmless. */
struct slot {
	struct hc_probe probe;
	struct hc_engine *engine;
	struct target *target;
	timer_id deadline;
	bool is_settled; /* its deadline is the peer's to close by */
	uint32_t generation;
	uint32_t next_free; /* index + 1; 0: none */
	TAILQ_ENTRY(slot) kept;
};

struct hc_engine {
	struct hc_io io;
	const struct clock *clock;
	struct target **chunks;	 /* by number: HC_CHUNK of them each, where they stay */
	uint32_t number_count;	 /* ever used */
	struct place_list spare; /* numbers that are free again; in `tellings` */
	struct map targets;	 /* by id */
	struct map checks;	 /* each once */
	struct hc_logins *logins;
	struct places turns, tellings; /* of targets, by number */
	struct wheel *wheel;	       /* RESTING */
	struct timers *deadlines;
	struct slot **slots;		/* one by one: timers point to them */
	uint32_t slot_count, slot_free; /* slot_free: index + 1 */
	uint32_t max_in_flight, in_flight;
	uint32_t max_open, max_kept_tls;
	uint32_t kept_count, kept_tls_count;
	TAILQ_HEAD(, slot) kept;      /* connections that rest, the oldest first */
	struct place_list due, fresh; /* WAITING, in `turns`: known targets; first probes */
	unsigned due_in_row;
	uint64_t due_total; /* how many ever came to `due`, and how many of those were looked at */
	uint64_t due_deferred;
	uint64_t deferred;
	struct histogram late; /* from when a known target was due until its probe began */
	struct histogram latency[CHECK_TYPES]; /* of the good probes */
	struct place_list news, moved;	       /* in `tellings` */
	struct hc_bucket bucket;
	uint64_t demand_milli; /* probes in 1000 s that the intervals ask for */
	mono_t paused_until;
	mono_t expected; /* when the next run should be; { 0 }: nobody knows */
	bool is_late;
	int64_t lag_ms;
	uint32_t round;
	uint32_t state_count[VERDICT_DOWN + 1];
	uint64_t probes, inconclusive;
	uint64_t trouble_count;
	struct hc_outcome trouble;
	struct check
		*last_check; /* one of `checks`: the next target's is mostly the same; or NULL */
};

#define HC_CHUNK 1024u

static inline struct target *hc_target_at(const struct hc_engine *e, uint32_t number)
{
	return &e->chunks[number / HC_CHUNK][number % HC_CHUNK];
}

/* targets.c: put t among what is to be told: now; when its counters have waited their time. */
void hc_target_tell_news(struct hc_engine *e, struct target *t);
void hc_target_tell_moved(struct hc_engine *e, struct target *t, mono_t now);

/* engine.c: nothing of t is under way, waiting, or kept any more. */
void hc_target_stop(struct hc_engine *e, struct target *t);
/* engine.c: t has no use any more for a connection that rests. */
void hc_target_drop_kept(struct hc_engine *e, struct target *t);

#endif
