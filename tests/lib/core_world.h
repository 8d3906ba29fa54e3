/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The whole of core on a clock that the test turns: real files, real pool
 * model, real plan, real state directory; the ipvs and healthcheck processes
 * are ends of their channels that the test holds. What core wants of the
 * kernel is compared as `ipvsadm -Sn` text.
 */
#ifndef TESTS_LIB_CORE_WORLD_H
#define TESTS_LIB_CORE_WORLD_H

#include "agent/core_private.h"
#include "healthcheck/message.h"
#include "ipvs/message.h"
#include "ipvs/paths.h"

#define TURNS_MAX 2000
#define TARGETS	  16
#define SECRETS	  4

struct world {
	int64_t mono_ms;
	int64_t look_ms; /* passes whenever somebody looks at the clock */
	struct clock clock;
	struct loop *loop;
	char dir[64];
	struct config *config;
	struct role_context context;
	const char *kernel_is; /* uname(2)'s version of it; NULL: nothing is known of it */
	/* the ipvs process */
	struct channel *kernel;
	struct ipvs_message_reader reader;
	struct ipvs_table told;	  /* since BEGIN, not committed */
	struct ipvs_table wanted; /* as last committed */
	struct ipvs_commit commit;
	struct ipvs_ours_list ours;	    /* as last told */
	bool ours_told;			    /* to this ipvs process */
	void (*on_commit)(struct world *w); /* after each; may be NULL */
	unsigned commits;
	bool acknowledge;
	struct ipvs_notrack notrack; /* in its kernel */
	unsigned notracks;	     /* that it was told */
	bool notrack_picked;	     /* the ipvs process finds that it must not */
	bool notrack_fails;	     /* it cannot write that */
	struct ipvs_paths paths;     /* as it was told last */
	unsigned path_lists;	     /* that it was told */
	int paths_error;	     /* it cannot make them, with this errno; 0: it can */
	const char *path_refused;    /* it cannot make the one to there; NULL: it can */
	bool paths_held;	     /* it does not answer */
	bool silent;		     /* it does not say what was counted */
	unsigned questions;	     /* that it was asked of that */
	/* the healthcheck process */
	struct channel *health;
	struct hc_target targets[TARGETS];
	size_t target_count;
	bool targets_whole;
	struct hc_sight sight; /* what it says of each of them */
	bool unseeing;	       /* it does not say that */
	unsigned looks;	       /* that it was asked for */
	struct hc_secret secrets[SECRETS];
	size_t secret_count;
	struct fake_kube *server; /* NULL: the source is a directory */
	bool over_tcp;		  /* to be set before start_core(): it listens there, too */
	uint16_t tcp_port;
	/* everything that is logged */
	struct buf log;
};

/* An ipvs process that takes all it is told for done, and keeps nothing of it. */
struct forgetful_kernel {
	struct channel *channel; /* the owner's */
	bool synced;		 /* it was given a table */
};
/* For programs that measure core: ends the program where core hangs up. */
void connect_forgetful_kernel(struct world *w, struct forgetful_kernel *k);

/* Set-up and tear-down of a test: *state is the world, its core not started. */
int core_world_up(void **state);
int core_world_up_cluster(void **state); /* the same with an API server for its source */
int core_world_up_store(void **state);	 /* the same with the embedded store for its source */
/* The store and the directory "pools". */
int core_world_up_store_and_files(void **state);
/* The same with a configuration that names no source. */
int core_world_up_sourceless(void **state);
int core_world_down(void **state);

const char *path_in(struct world *w, const char *name);
/* As editors do it: beside, then renamed into place. */
void write_pool(struct world *w, const char *name, const char *text);
void start_core(struct world *w);
void start_all(struct world *w, const char *image);
/* As SIGKILL would: nothing is written any more. The state is that of the last save. */
void stop_core(struct world *w);

void turn(struct world *w);
void pass(struct world *w, int64_t ms);
/* Turn until what is wanted is this and has been committed, or fail showing both. */
void await_wanted(struct world *w, const char *want);
const char *wanted_text(struct world *w);

/* What the ipvs process was told is ours: "10.0.0.1:30000-30003 ...". */
const char *ours_text(struct world *w);
/* A new ipvs process, with this in its kernel. */
void connect_kernel(struct world *w, const char *image);
/* It answers of the paths that it was told last: 0, but for the one it refuses, or a positive errno. */
void say_paths(struct world *w, int error);
void send_idle(struct world *w, const char *key, const char *dest);

/* A new healthcheck process that knows nothing; say what it knows, then health_is_told(). */
void connect_health(struct world *w);
/* One of the test's own, which is w->health from here on, so that the world frees it. Core is not to
 * hang up on it: see core_hung_up(). */
void connect_prober(struct world *w, const struct channel_handler *h);
void core_hung_up(void *arg, const char *why); /* fails: for `closed` of a handler */
void health_is_told(struct world *w);
void await_targets(struct world *w, size_t count);
void forget_targets(struct world *w);
const struct hc_target *target_at(const struct world *w, const char *where);
void send_verdict(struct world *w, uint64_t id, enum verdict_state state);
void verdict(struct world *w, const char *where, enum verdict_state state);
/* The same with another reason than ok or refused. */
void send_verdict_why(struct world *w, uint64_t id, enum verdict_state state,
		      enum hc_reason reason);
void verdict_why(struct world *w, const char *where, enum verdict_state state,
		 enum hc_reason reason);
/* What it was told of this Secret; NULL: nothing. */
const struct hc_secret *secret_told(const struct world *w, const char *name);

#endif
