/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core and checks that connection tracking is kept from: tried, given up, gone on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "agent/api/view.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define MEMBERS	 40u
#define FALL	 3
#define STEP_MS	 50
#define PROBE_MS 500
/* By it servers may be of the other family than their frontend. */
#define TUNNEL "parasaus.io/forwarding: tunnel, parasaus.io/tunnel-type: gue"

/* A healthcheck process whose probes go through a firewall. */
struct prober {
	struct world *w;
	struct {
		uint64_t id;
		struct addr addr;
		uint32_t ok, failed, streak;
	} targets[MEMBERS * 2];
	unsigned count;
	uint32_t worst;	    /* failures in a row of any of them */
	uint64_t untracked; /* probes */
	bool drops;	    /* the firewall does, what is not tracked */
	bool dies;	    /* the first server has */
	bool drops_untried; /* the firewall, of servers that were not in the first trial */
	bool is_over;	    /* that one */
	bool tried[MEMBERS * 2];
	unsigned downs;
};

static bool is_untracked(const struct world *w, const struct addr *a)
{
	const struct ipvs_notrack_part *p =
		&w->notrack.parts[a->family == AF_INET ? IPVS_NOTRACK_V4 : IPVS_NOTRACK_V6];

	for (uint32_t i = 0; i < p->count; i++) {
		if (addr_cmp(&p->servers[i], a) == 0)
			return true;
	}
	return p->mode == IPVS_NOTRACK_ALL;
}

static void take_target(struct prober *p, struct wire *body)
{
	struct hc_target t;

	wire_hc_target(body, &t);
	assert_true(wire_end(body));
	check_unref(t.check);
	for (unsigned i = 0; i < p->count; i++) {
		if (p->targets[i].id == t.id)
			return;
	}
	assert_true(p->count < ARRAY_LEN(p->targets));
	p->targets[p->count].id = t.id;
	p->targets[p->count++].addr = t.endpoint.addr;
}

static void answer_look(struct prober *p, uint64_t id)
{
	struct hc_sight s = { .id = id };
	CLEANUP(buf_done) struct buf b = { 0 };

	for (unsigned i = 0; i < p->count; i++) {
		if (p->targets[i].id != id)
			continue;
		s.is_known = s.is_probed = s.has_begun = true;
		s.ok = p->targets[i].ok;
		s.failed = p->targets[i].failed;
	}
	wire_put_hc_sight(&b, &s);
	channel_send(p->w->health, HC_MSG_SEEN, &b);
}

static bool hear(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct prober *p = arg;

	(void)fd;
	if (type == HC_MSG_TARGET)
		take_target(p, body);
	if (type == HC_MSG_LOOK)
		answer_look(p, wire_u64(body));
	return true;
}

static void send_state(struct prober *p, unsigned i, enum verdict_state state)
{
	const struct hc_verdict v = { .id = p->targets[i].id,
				      .sequence = 1,
				      .state = state,
				      .reason = state == VERDICT_UP ? HC_REASON_OK
								    : HC_REASON_TIMEOUT,
				      .proven = true,
				      .since_ms = 1,
				      .ok = p->targets[i].ok,
				      .failed = p->targets[i].failed };
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_hc_verdict(&b, &v);
	channel_send(p->w->health, HC_MSG_VERDICT, &b);
}

static void probe(struct prober *p, unsigned i)
{
	bool untracked = is_untracked(p->w, &p->targets[i].addr);

	p->untracked += untracked;
	p->is_over |= p->w->notrack.parts[IPVS_NOTRACK_V4].mode == IPVS_NOTRACK_ALL;
	p->tried[i] |= untracked && !p->is_over;
	if ((untracked && (p->drops || (p->drops_untried && !p->tried[i]))) ||
	    (p->dies && i == 0)) {
		p->targets[i].failed++;
		if (++p->targets[i].streak == FALL) {
			send_state(p, i, VERDICT_DOWN);
			p->downs++;
		}
		if (p->targets[i].streak > p->worst)
			p->worst = p->targets[i].streak;
	} else {
		if (p->targets[i].streak >= FALL || !p->targets[i].ok++)
			send_state(p, i, VERDICT_UP);
		p->targets[i].streak = 0;
	}
}

static void live(struct prober *p, int64_t ms)
{
	for (int64_t t = 0; t < ms; t += STEP_MS) {
		p->w->mono_ms += STEP_MS;
		/* Each has its own phase. */
		for (unsigned i = 0; i < p->count; i++) {
			if ((t / STEP_MS + i) % (PROBE_MS / STEP_MS) == 0)
				probe(p, i);
		}
		for (int n = 0; n < 3; n++)
			turn(p->w);
	}
}

static struct snapshot *shown(struct prober *p)
{
	const struct core *c = p->w->context.arg;

	live(p, 2000);
	return snapshot_slot_get(c->view.slot);
}

static enum notrack_state state_v4(struct prober *p)
{
	struct snapshot *s = shown(p);
	enum notrack_state state = s->notrack_v4;

	snapshot_unref(s);
	return state;
}

static void write_members(struct world *w, const char *file, const char *ip, unsigned port,
			  unsigned count, const char *annotations)
{
	CLEANUP(buf_done) struct buf b = { 0 };

	buf_printf(&b,
		   "kind: Service\napiVersion: v1\nmetadata: {name: w%u, annotations: {%s}}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n"
		   "---\nkind: Endpoints\napiVersion: v1\nmetadata: {name: w%u}\n"
		   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
		   port, annotations, port, port);
	for (unsigned i = 0; i < count; i++)
		buf_printf(&b, "%s{ip: \"%s%u\"}", i ? ", " : "", ip, 1 + i);
	buf_str(&b, "]}]\n");
	write_pool(w, file, buf_cstr(&b));
}

static void connect_again(struct prober *p)
{
	const struct channel_handler h = { hear, core_hung_up, p };

	connect_prober(p->w, &h);
	health_is_told(p->w);
}

static void connect_all(struct prober *p)
{
	start_core(p->w);
	connect_kernel(p->w, "");
	connect_again(p);
}

static void start(struct prober *p, struct world *w)
{
	*p = (struct prober){ .w = w };
	w->config->check_notrack = true;
	assert_int_equal(addr_parse("192.0.2.1", &w->config->check_from.v4), 0);
	connect_all(p);
}

static bool has_logged(struct world *w, const char *text)
{
	return strstr(buf_cstr(&w->log), text) != NULL;
}

static void probes_that_get_through_go_untracked(void **state)
{
	struct world *w = *state;
	struct prober p;
	struct snapshot *s;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	live(&p, 5000);
	assert_int_equal(p.count, MEMBERS);
	assert_int_equal(w->notracks, 0);
	live(&p, 15000);
	s = shown(&p);
	assert_int_equal(s->notrack_v4, NOTRACK_ALL);
	assert_int_equal(s->notrack_v6, NOTRACK_OFF);
	assert_int_equal(s->problem_count, 0);
	snapshot_unref(s);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_ALL);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V6].mode, IPVS_NOTRACK_NONE);
	assert_int_equal(w->notracks, 2);
	assert_true(has_logged(w, "probes of 16 servers are not tracked, as a trial"));
	assert_true(
		has_logged(w, "over IPv4 no probe is tracked: those of 16 servers got through"));
	live(&p, 120000);
	assert_int_equal(w->notracks, 2);
}

static void a_firewall_that_drops_them_takes_nobody_down(void **state)
{
	struct world *w = *state;
	struct prober p;
	struct snapshot *s;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	p.drops = true;
	live(&p, 30000);
	s = shown(&p);
	assert_int_equal(s->notrack_v4, NOTRACK_REFUSED);
	assert_int_equal(s->problem_count, 1);
	assert_string_equal(s->problems[0].where, "health checks");
	assert_non_null(strstr(s->problems[0].text, "of 16 servers that were tried"));
	assert_non_null(strstr(s->problems[0].text, "accept 'ct state untracked' from and to "
						    "192.0.2.1"));
	snapshot_unref(s);
	assert_true(p.untracked > 0);
	assert_true(p.worst < FALL);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_NONE);
	/* It is tried again, and this time it is well. */
	p.drops = false;
	w->mono_ms += NOTRACK_RETRY_MS;
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
}

static void a_firewall_that_comes_later_is_found(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
	p.drops = true;
	live(&p, 10000);
	assert_int_equal(state_v4(&p), NOTRACK_REFUSED);
	assert_true(p.worst < FALL);
}

/* 24 of 40 that no trial has sampled: they are down for seconds, and back. */
static void servers_that_were_not_tried_are_not_left_down(void **state)
{
	struct world *w = *state;
	struct prober p;
	unsigned down = 0;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	p.drops_untried = true;
	live(&p, 120000);
	for (unsigned i = 0; i < p.count; i++)
		down += p.targets[i].streak >= FALL;
	assert_int_equal(down, 0);
	assert_int_equal(state_v4(&p), NOTRACK_REFUSED);
	assert_in_range(p.downs, 1, MEMBERS - NOTRACK_SERVERS);
	assert_true(has_logged(w, ":8080 among them"));
}

static void a_server_that_dies_is_no_firewall(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, 2, "");
	start(&p, w);
	live(&p, 9500);
	p.dies = true;
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
}

static void what_the_kernel_has_from_before_goes_on(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	w->notrack.parts[IPVS_NOTRACK_V4].mode = IPVS_NOTRACK_ALL;
	start(&p, w);
	live(&p, 30000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
	assert_int_equal(w->notracks, 0);
	/* Watched it is, too. */
	p.drops = true;
	live(&p, 10000);
	assert_int_equal(state_v4(&p), NOTRACK_REFUSED);
	assert_true(p.worst < FALL);
}

/* ... and a firewall was loaded while no agent ran. */
static void what_does_not_get_through_any_more_is_found_at_once(void **state)
{
	struct world *w = *state;
	CLEANUP(buf_done) struct buf image = { 0 };
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
	buf_str(&image, wanted_text(w));
	stop_core(w);
	for (unsigned i = 0; i < p.count; i++)
		p.targets[i].ok = p.targets[i].failed = p.targets[i].streak = 0;
	p.drops = true;
	start_core(w);
	connect_kernel(w, buf_cstr(&image));
	connect_again(&p);
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_REFUSED);
	assert_true(p.worst < FALL);
}

static void a_trial_of_an_earlier_core_is_ended(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, 1, "");
	w->notrack.parts[IPVS_NOTRACK_V4] = (struct ipvs_notrack_part){
		.mode = IPVS_NOTRACK_SOME, .count = 1, .servers = { addr_v4(0x0a010063) }
	};
	start(&p, w);
	live(&p, 2000);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_NONE);
}

static void a_kernel_that_cannot_is_waited_for(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, 4, "");
	w->notrack_fails = true;
	start(&p, w);
	live(&p, 30000);
	assert_int_equal(w->notracks, 1);
	assert_int_equal(state_v4(&p), NOTRACK_CANARY);
	assert_int_equal(p.untracked, 0);
	/* Another ipvs process, that can. */
	w->notrack_fails = false;
	connect_kernel(w, "");
	live(&p, 5000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
}

static void only_servers_that_can_bear_it_are_tried(void **state)
{
	struct world *w = *state;
	struct prober p;

	write_members(w, "a.yaml", "10.1.0.", 30000, 4, "parasaus.io/health-check-fall: '1'");
	write_members(w, "b.yaml", "2001:db8:1::", 30001, 4, TUNNEL);
	start(&p, w);
	live(&p, 30000);
	assert_int_equal(p.count, 8);
	assert_int_equal(state_v4(&p), NOTRACK_WAITING);
	assert_int_equal(w->notracks, 0);
}

static void each_family_is_tried_by_itself(void **state)
{
	struct world *w = *state;
	struct prober p;
	struct snapshot *s;

	write_members(w, "a.yaml", "10.1.0.", 30000, 4, "parasaus.io/health-check-fall: '1'");
	write_members(w, "b.yaml", "2001:db8:1::", 30001, 4, TUNNEL);
	assert_int_equal(addr_parse("2001:db8::1", &w->config->check_from.v6), 0);
	start(&p, w);
	live(&p, 30000);
	s = shown(&p);
	assert_int_equal(s->notrack_v4, NOTRACK_WAITING);
	assert_int_equal(s->notrack_v6, NOTRACK_ALL);
	snapshot_unref(s);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_NONE);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V6].mode, IPVS_NOTRACK_ALL);
}

static void when_many_go_down_at_once_all_is_tracked_again(void **state)
{
	struct world *w = *state;
	struct prober p;
	struct snapshot *s;

	w->config->mass.targets = 10;
	write_members(w, "a.yaml", "10.1.0.", 30000, MEMBERS, "");
	start(&p, w);
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
	live(&p, 70000); /* not by the step */
	for (unsigned i = 0; i < MEMBERS / 2; i++)
		send_state(&p, i, VERDICT_DOWN);
	live(&p, 1000);
	s = shown(&p);
	assert_int_equal(s->notrack_v4, NOTRACK_WAITING);
	snapshot_unref(s);
	assert_true(has_logged(w, "tracked again: many targets went down at once"));
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_NONE);
}

static void an_address_that_the_kernel_picks_is_refused(void **state)
{
	struct world *w = *state;
	struct prober p;
	struct snapshot *s;

	write_members(w, "a.yaml", "10.1.0.", 30000, 4, "");
	w->notrack_picked = true;
	start(&p, w);
	live(&p, 20000);
	s = shown(&p);
	assert_int_equal(s->notrack_v4, NOTRACK_REFUSED);
	assert_int_equal(s->problem_count, 1);
	assert_non_null(strstr(s->problems[0].text, "192.0.2.1 of healthcheck.sourceAddress is"));
	assert_non_null(strstr(s->problems[0].text, "ip address add ADDRESS/32"));
	snapshot_unref(s);
	assert_int_equal(p.untracked, 0);
	assert_int_equal(w->notrack.parts[IPVS_NOTRACK_V4].mode, IPVS_NOTRACK_NONE);
	assert_int_equal(w->notracks, 2); /* asked for, and not any more */
	w->notrack_picked = false;
	w->mono_ms += NOTRACK_RETRY_MS;
	live(&p, 20000);
	assert_int_equal(state_v4(&p), NOTRACK_ALL);
}

static void unasked_nothing_is_tried(void **state)
{
	struct world *w = *state;
	struct prober p = { .w = w };

	assert_int_equal(addr_parse("192.0.2.1", &w->config->check_from.v4), 0);
	write_members(w, "a.yaml", "10.1.0.", 30000, 4, "");
	connect_all(&p);
	live(&p, 30000);
	assert_int_equal(state_v4(&p), NOTRACK_OFF);
	assert_int_equal(w->notracks, 0);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, core_world_up, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(probes_that_get_through_go_untracked),
		IN_A_WORLD(a_firewall_that_drops_them_takes_nobody_down),
		IN_A_WORLD(a_firewall_that_comes_later_is_found),
		IN_A_WORLD(servers_that_were_not_tried_are_not_left_down),
		IN_A_WORLD(a_server_that_dies_is_no_firewall),
		IN_A_WORLD(what_the_kernel_has_from_before_goes_on),
		IN_A_WORLD(what_does_not_get_through_any_more_is_found_at_once),
		IN_A_WORLD(a_trial_of_an_earlier_core_is_ended),
		IN_A_WORLD(a_kernel_that_cannot_is_waited_for),
		IN_A_WORLD(only_servers_that_can_bear_it_are_tried),
		IN_A_WORLD(each_family_is_tried_by_itself),
		IN_A_WORLD(when_many_go_down_at_once_all_is_tracked_again),
		IN_A_WORLD(an_address_that_the_kernel_picks_is_refused),
		IN_A_WORLD(unasked_nothing_is_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
