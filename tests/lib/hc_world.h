/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A probe engine on a fake network, and the time it lives in: for simulations. */
#ifndef TESTS_LIB_HC_WORLD_H
#define TESTS_LIB_HC_WORLD_H

#include <stdint.h>

#include "healthcheck/engine.h"
#include "tests/lib/fake_net.h"

#define WORLD_START_MS 5000000

struct world {
	struct fake_net *net;
	struct hc_engine *engine;
	struct check *check;
};

struct world world_new(uint64_t seed, uint32_t max_in_flight);
void world_done(struct world *w); /* asserts that no connection stays open */
mono_t world_now(const struct world *w);

/* The i-th server, for w->check as it is now, and its target, which is checked by w->check as it is now. */
struct endpoint world_endpoint(uint32_t i);
struct fake_server *world_server(struct world *w, uint32_t i);
uint64_t world_put(struct world *w, uint32_t i, enum verdict_state initial);

void world_run_ms(struct world *w, int64_t ms);
/* The newest verdict told of `id`; what is told of others is dropped. */
struct hc_verdict world_verdict(struct world *w, uint64_t id);
/* Runs until id is told to be in `state`, `limit_ms` at most; how long it took in us, or -1. */
int64_t world_wait_for(struct world *w, uint64_t id, enum verdict_state state, int64_t limit_ms);
struct hc_status world_status(struct world *w);

#endif
