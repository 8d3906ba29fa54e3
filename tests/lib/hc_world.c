/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/hc_world.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct world world_new(uint64_t seed, uint32_t max_in_flight)
{
	struct world w = { .net = fake_net_new(seed, WORLD_START_MS),
			   .check = check_new(CHECK_TCP) };
	struct hc_engine_config c = { .io = fake_net_io(w.net),
				      .clock = fake_net_clock(w.net),
				      .max_in_flight = max_in_flight,
				      .max_open = max_in_flight,
				      .max_kept_tls = max_in_flight / 10 };

	w.engine = hc_engine_new(&c);
	return w;
}

void world_done(struct world *w)
{
	hc_engine_free(w->engine);
	assert_int_equal(fake_net_open(w->net), 0);
	check_unref(w->check);
	fake_net_free(w->net);
}

mono_t world_now(const struct world *w)
{
	return clock_mono(fake_net_clock(w->net));
}

struct endpoint world_endpoint(uint32_t i)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	e.addr = addr_v4(0x0a800000 + i);
	e.port = 80;
	e.protocol = IPPROTO_TCP;
	return e;
}

struct fake_server *world_server(struct world *w, uint32_t i)
{
	struct endpoint member = world_endpoint(i), e = check_endpoint(w->check, &member);

	return fake_net_server(w->net, &e);
}

uint64_t world_put(struct world *w, uint32_t i, enum verdict_state initial)
{
	struct hc_target t = { .check = w->check, .initial = initial };
	struct endpoint member = world_endpoint(i);

	t.endpoint = check_endpoint(w->check, &member);
	t.id = check_target_id(w->check, &t.endpoint);
	hc_engine_put(w->engine, &t, true);
	return t.id;
}

/* One step: to the next thing that happens, but not beyond `end`. */
static void step(struct world *w, mono_t end)
{
	mono_t next = end, t;

	if (hc_engine_next(w->engine, &t) && mono_before(t, next))
		next = t;
	if (fake_net_next(w->net, &t) && mono_before(t, next))
		next = t;
	if (mono_before(next, world_now(w)))
		next = world_now(w);
	fake_net_set(w->net, next);
	hc_engine_run(w->engine);
}

static void run_to(struct world *w, mono_t end)
{
	while (mono_before(world_now(w), end))
		step(w, end);
}

void world_run_ms(struct world *w, int64_t ms)
{
	run_to(w, mono_add_ms(world_now(w), ms));
}

struct hc_verdict world_verdict(struct world *w, uint64_t id)
{
	struct hc_verdict v, found = { 0 };

	hc_engine_tell_all(w->engine);
	while (hc_engine_tell(w->engine, &v)) {
		if (v.id == id)
			found = v;
	}
	assert_int_equal(found.id, id);
	return found;
}

int64_t world_wait_for(struct world *w, uint64_t id, enum verdict_state state, int64_t limit_ms)
{
	mono_t begin = world_now(w), end = mono_add_ms(begin, limit_ms);
	struct hc_verdict v;

	for (;;) {
		while (hc_engine_tell(w->engine, &v)) {
			if (v.id == id && v.state == state)
				return (world_now(w).ns - begin.ns) / 1000;
		}
		if (!mono_before(world_now(w), end))
			return -1;
		step(w, end);
	}
}

struct hc_status world_status(struct world *w)
{
	struct hc_status s;

	hc_engine_status(w->engine, &s);
	return s;
}
