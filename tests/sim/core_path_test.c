/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Core and checks that go by a VIP: whose probes the kernel is told of, and who is probed when. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "agent/api/view.h"
#include "agent/base/xalloc.h"
#include "tests/lib/core_world.h"

#define LINGERS_MS 61000
#define RETRY_MS   31000
#define REFUSED_MS 5000
#define BY_VIP	   "parasaus.io/health-check-via: vip"
#define BY_DR	   "parasaus.io/forwarding: dr, "
#define BY_TUNNEL  "parasaus.io/forwarding: tunnel, parasaus.io/tunnel-type: 'gue:7000', "

/* A pool NAME at PORT whose members are the first of 10.1.0.0/16. */
static void write_members(struct world *w, const char *name, unsigned port, unsigned count,
			  const char *annotations)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	char file[32];

	buf_printf(&b,
		   "kind: Service\napiVersion: v1\nmetadata: {name: %s, annotations: {%s}}\n"
		   "spec: {type: NodePort, ports: [{name: p, port: 80, nodePort: %u}]}\n---\n"
		   "kind: Endpoints\napiVersion: v1\nmetadata: {name: %s}\n"
		   "subsets: [{ports: [{name: p, port: 8080}], addresses: [",
		   name, annotations, port, name);
	for (unsigned i = 0; i < count; i++)
		buf_printf(&b, "%s{ip: 10.1.%u.%u}", i ? ", " : "", i / 250, 1 + i % 250);
	buf_str(&b, "]}]\n");
	snprintf(file, sizeof(file), "%s.yaml", name);
	write_pool(w, file, buf_cstr(&b));
}

static void remove_pool(struct world *w, const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "pools/%s.yaml", name);
	assert_int_equal(unlink(path_in(w, file)), 0);
}

/* Until core has told everything that it has to tell. */
static void settle(struct world *w)
{
	pass(w, 3000);
	assert_true(w->targets_whole);
}

/* Two servers that are checked by the VIP. */
static void start_two(struct world *w)
{
	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	start_all(w, "");
	settle(w);
}

/* The first of them is up; its id. */
static uint64_t start_two_and_be_up(struct world *w)
{
	start_two(w);
	verdict(w, "10.1.0.1:8080", VERDICT_UP);
	pass(w, 100);
	return target_at(w, "10.1.0.1:8080")->id;
}

static const struct ipvs_path *path_to(const struct world *w, const char *where)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < w->paths.count; i++) {
		if (strcmp(endpoint_text(&w->paths.items[i].to, text), where) == 0)
			return &w->paths.items[i];
	}
	fail_msg("no path to %s", where);
	abort();
}

/* The prober comes from where the kernel knows it by. */
static void assert_probed_by_vip(const struct world *w, const char *where)
{
	const struct hc_target *t = target_at(w, where);

	assert_int_equal(t->from_port, ipvs_path_port(path_to(w, where)));
	assert_int_equal(t->from_port, IPVS_PATH_PORT + t->id % IPVS_PATHS_MAX);
}

/* What pool `place` says is wrong; NULL: nothing. */
static void assert_says(struct world *w, size_t place, const char *says)
{
	const struct core *c = w->context.arg;
	const struct pool_view *v;
	struct snapshot *s;

	pass(w, 2000);
	s = snapshot_slot_get(c->view.slot);
	v = s->pools[place];
	assert_int_equal(pool_view_problems(v), says != NULL);
	if (says) {
		assert_false(view_pool_problem(v, 0).error);
		assert_non_null(strstr(view_pool_problem(v, 0).text, says));
	}
	snapshot_unref(s);
}

static void a_target_is_probed_once_its_path_is_there(void **state)
{
	struct world *w = *state;
	const struct ipvs_path *p;
	char text[ADDR_TEXT_MAX];

	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	write_members(w, "plain", 30081, 1, BY_DR);
	w->paths_held = true;
	start_all(w, "");
	settle(w);
	assert_int_equal(w->path_lists, 1);
	assert_int_equal(w->paths.count, 2);
	p = path_to(w, "10.1.0.2:8080");
	assert_string_equal(addr_text(&p->vip, text), "10.0.0.1");
	assert_int_equal(p->forward, IPVS_DIRECT);
	assert_int_equal(p->to.protocol, IPPROTO_TCP);
	assert_int_equal(w->target_count, 1);
	assert_int_equal(w->targets[0].from_port, 0);
	say_paths(w, 0);
	pass(w, 100);
	assert_int_equal(w->target_count, 3);
	assert_probed_by_vip(w, "10.1.0.2:8080");
	assert_says(w, 0, NULL);
	assert_says(w, 1, NULL);
	assert_int_equal(w->path_lists, 1);
}

static void each_way_is_told_as_the_pool_has_it(void **state)
{
	struct world *w = *state;
	const struct ipvs_path *p;

	write_members(w, "web", 30080, 1, BY_TUNNEL BY_VIP);
	start_all(w, "");
	settle(w);
	p = path_to(w, "10.1.0.1:8080");
	assert_int_equal(p->forward, IPVS_TUNNEL);
	assert_int_equal(p->tunnel, TUNNEL_GUE);
	assert_int_equal(p->tunnel_port, 7000);
	/* Another way is another target: it begins where the other one was, and waits for its path. */
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	pass(w, 100);
	w->paths_held = true;
	write_members(w, "web", 30080, 1, BY_DR BY_VIP);
	pass(w, 2000);
	assert_int_equal(w->paths.count, 2); /* the other one may be used again */
	assert_int_equal(w->target_count, 0);
	say_paths(w, 0);
	pass(w, 100);
	assert_int_equal(w->target_count, 1);
	assert_int_equal(w->targets[0].initial, VERDICT_DOWN);
	assert_int_equal(w->targets[0].from_port,
			 IPVS_PATH_PORT + w->targets[0].id % IPVS_PATHS_MAX);
	w->paths_held = false;
	pass(w, LINGERS_MS);
	assert_int_equal(w->paths.count, 1);
	assert_int_equal(w->paths.items[0].forward, IPVS_DIRECT);
}

static void what_cannot_be_made_is_told_and_tried_again(void **state)
{
	struct world *w = *state;

	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	w->paths_error = EOPNOTSUPP;
	start_all(w, "");
	settle(w);
	assert_int_equal(w->target_count, 0);
	assert_says(w, 0,
		    "2 of its 2 members cannot be checked by the VIP "
		    "(parasaus.io/health-check-via) and keep the state that they have: nf_tables: "
		    "Operation not supported");
	assert_non_null(strstr(buf_cstr(&w->log), "checks cannot go by VIPs: nf_tables: "));
	assert_int_equal(w->path_lists, 1);
	w->paths_error = 0;
	pass(w, RETRY_MS);
	assert_int_equal(w->path_lists, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_says(w, 0, NULL);
}

static enum verdict_state state_of(const struct world *w, uint64_t id)
{
	return target_of_id(w->context.arg, id)->verdict.state;
}

/* What was in force is not any more: its probes would go who knows where. */
static void who_loses_its_path_keeps_its_state_until_it_is_back(void **state)
{
	struct world *w = *state;
	uint64_t id;

	id = start_two_and_be_up(w);
	w->paths_error = ENOENT;
	say_paths(w, ENOENT);
	assert_says(w, 0, "2 of its 2 members cannot be checked by the VIP");
	assert_int_equal(w->target_count, 0);
	send_verdict(w, id, VERDICT_DOWN); /* it was on its way */
	pass(w, 100);
	assert_int_equal(state_of(w, id), VERDICT_UP);
	/* Nor are they there for a prober that is new, or by a list that fails as well. */
	connect_health(w);
	health_is_told(w);
	pass(w, RETRY_MS);
	assert_int_equal(w->path_lists, 2);
	assert_int_equal(w->target_count, 0);
	assert_says(w, 0, "2 of its 2 members cannot be checked by the VIP");
	say_paths(w, 0);
	assert_says(w, 0, NULL);
	assert_int_equal(w->target_count, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_int_equal(target_at(w, "10.1.0.1:8080")->initial, VERDICT_UP);
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	pass(w, 100);
	assert_int_equal(state_of(w, id), VERDICT_DOWN);
}

/* The VIP may not be here any more. */
static void who_is_of_no_use_is_not_probed(void **state)
{
	struct world *w = *state;
	uint64_t id;

	id = start_two_and_be_up(w);
	remove_pool(w, "web");
	pass(w, 1000);
	assert_int_equal(w->target_count, 0);
	send_verdict(w, id, VERDICT_DOWN);
	pass(w, 100);
	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	pass(w, 1000);
	assert_int_equal(w->target_count, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_int_equal(target_at(w, "10.1.0.1:8080")->initial, VERDICT_UP);
	assert_int_equal(state_of(w, id), VERDICT_UP);
	assert_int_equal(w->path_lists, 1);
	/* From one pool to another: it is the same all the time. */
	verdict(w, "10.1.0.1:8080", VERDICT_DOWN);
	write_members(w, "else", 30081, 2, BY_DR BY_VIP);
	pass(w, 1000);
	remove_pool(w, "web");
	pass(w, LINGERS_MS);
	assert_int_equal(w->target_count, 2);
	assert_int_equal(state_of(w, id), VERDICT_DOWN);
	assert_int_equal(w->path_lists, 1);
}

static void what_is_in_force_stays_where_a_newer_list_fails(void **state)
{
	struct world *w = *state;

	start_two(w);
	w->paths_error = ENOMEM;
	write_members(w, "web", 30080, 3, BY_DR BY_VIP);
	pass(w, 1000);
	assert_int_equal(w->target_count, 2);
	assert_says(w, 0, "1 of its 3 members cannot be checked by the VIP");
	w->paths_error = 0;
	pass(w, RETRY_MS);
	assert_int_equal(w->target_count, 3);
	assert_says(w, 0, NULL);
}

/* The rest goes on, and who cannot is named. */
static void one_that_is_refused_stops_no_other(void **state)
{
	struct world *w = *state;
	uint64_t id;

	write_members(w, "else", 30080, 1, BY_DR BY_VIP);
	write_members(w, "web", 30081, 3, BY_DR BY_VIP);
	w->path_refused = "10.1.0.2:8080";
	start_all(w, "");
	settle(w);
	assert_int_equal(w->target_count, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_probed_by_vip(w, "10.1.0.3:8080");
	pass(w, REFUSED_MS);
	assert_says(w, 0, NULL);
	assert_says(w, 1,
		    "1 of its 3 members, 10.1.0.2:8080 first, cannot be checked by the VIP "
		    "(parasaus.io/health-check-via) and keep the state that they have: "
		    "path to 10.1.0.2:8080: it is refused");
	assert_non_null(
		strstr(buf_cstr(&w->log), "1 target cannot be checked by the VIP: path to"));
	/* Others are, by a list that has it, too. */
	write_members(w, "web", 30081, 4, BY_DR BY_VIP);
	pass(w, 1000);
	assert_int_equal(w->target_count, 3);
	/* It can, and another one cannot any more: of the same list. */
	id = target_at(w, "10.1.0.3:8080")->id;
	verdict(w, "10.1.0.3:8080", VERDICT_UP);
	w->path_refused = "10.1.0.3:8080";
	say_paths(w, 0);
	assert_says(w, 1, "1 of its 4 members, 10.1.0.3:8080 first, cannot be checked");
	assert_int_equal(w->target_count, 3);
	assert_probed_by_vip(w, "10.1.0.2:8080");
	send_verdict(w, id, VERDICT_DOWN);
	pass(w, 100);
	assert_int_equal(state_of(w, id), VERDICT_UP);
	w->path_refused = NULL;
	say_paths(w, 0);
	assert_says(w, 1, NULL);
	assert_int_equal(w->target_count, 4);
	assert_probed_by_vip(w, "10.1.0.3:8080");
	/* Nobody hears of what nobody needs. */
	remove_pool(w, "web");
	pass(w, 1000);
	w->path_refused = "10.1.0.4:8080";
	buf_reset(&w->log);
	say_paths(w, 0);
	pass(w, 2 * REFUSED_MS);
	assert_null(strstr(buf_cstr(&w->log), "cannot be checked"));
	pass(w, LINGERS_MS);
	assert_int_equal(w->paths.count, 1);
}

/* A VIP that is new may not be there yet. */
static void who_is_refused_for_a_moment_is_not_told_of(void **state)
{
	struct world *w = *state;

	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	w->path_refused = "10.1.0.2:8080";
	start_all(w, "");
	settle(w);
	assert_int_equal(w->target_count, 1);
	w->path_refused = NULL;
	say_paths(w, 0);
	pass(w, 2 * REFUSED_MS);
	assert_int_equal(w->target_count, 2);
	assert_says(w, 0, NULL);
	assert_null(strstr(buf_cstr(&w->log), "checked by"));
}

static void who_is_new_is_told_all_of_it(void **state)
{
	struct world *w = *state;
	uint32_t version;

	start_two(w);
	connect_health(w);
	health_is_told(w);
	settle(w);
	assert_int_equal(w->target_count, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_int_equal(w->path_lists, 1);
	version = w->paths.version;
	connect_kernel(w, "");
	settle(w);
	assert_int_equal(w->path_lists, 2);
	assert_int_equal(w->paths.count, 2);
	assert_true(w->paths.version > version);
	assert_int_equal(w->target_count, 2);
}

/* The numbers are those that they were, and so nothing changes in the kernel. */
static void a_restart_changes_nothing(void **state)
{
	struct world *w = *state;
	uint16_t numbers[3];

	write_members(w, "web", 30080, 3, BY_DR BY_VIP);
	start_all(w, "");
	settle(w);
	for (unsigned i = 0; i < 3; i++)
		numbers[i] = w->paths.items[i].number;
	stop_core(w);
	pass(w, 2000);
	start_all(w, "");
	settle(w);
	assert_int_equal(w->path_lists, 2);
	assert_int_equal(w->paths.count, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w->paths.items[i].number, numbers[i]);
	assert_int_equal(w->target_count, 3);
}

/* A prober from before our start keeps them meanwhile, but not for ever. */
static void those_that_wait_are_not_taken_for_gone(void **state)
{
	struct world *w = *state;

	write_members(w, "web", 30080, 2, BY_DR BY_VIP);
	w->paths_held = true;
	start_all(w, "");
	pass(w, 1000);
	assert_int_equal(w->path_lists, 1);
	assert_false(w->targets_whole);
	say_paths(w, 0);
	pass(w, 100);
	assert_int_equal(w->target_count, 2);
	assert_true(w->targets_whole);
	stop_core(w);
	start_all(w, "");
	pass(w, 1000);
	assert_false(w->targets_whole);
	stop_core(w); /* it still waits */
	start_all(w, "");
	pass(w, 1000);
	assert_false(w->targets_whole);
	say_paths(w, ENOMEM);
	pass(w, 100);
	assert_true(w->targets_whole);
	stop_core(w);
	start_all(w, "");
	pass(w, 1000);
	assert_false(w->targets_whole);
	/* A prober that is new waits as long. */
	connect_health(w);
	health_is_told(w);
	pass(w, 1500);
	assert_false(w->targets_whole);
	pass(w, 1500);
	assert_true(w->targets_whole);
	assert_int_equal(w->target_count, 0);
}

static void what_is_left_from_before_is_taken_away(void **state)
{
	struct world *w = *state;

	start_two(w);
	remove_pool(w, "web");
	pass(w, 1000);
	assert_int_equal(w->paths.count, 2);
	pass(w, LINGERS_MS);
	assert_int_equal(w->paths.count, 0);
	assert_int_equal(w->path_lists, 2);
	stop_core(w);
	start_all(w, "");
	settle(w);
	/* The first list of all is told, be it empty: a core before may have told another one. */
	assert_int_equal(w->path_lists, 3);
	assert_int_equal(w->paths.count, 0);
	pass(w, 2 * LINGERS_MS);
	assert_int_equal(w->path_lists, 3);
}

/* Who is over a quota is not probed, and takes no number from those who are. */
static void who_is_not_checked_has_no_path(void **state)
{
	struct world *w = *state;

	w->config->quotas.all.targets = 2;
	write_members(w, "web", 30080, 4, BY_DR BY_VIP);
	start_all(w, "");
	settle(w);
	assert_int_equal(w->paths.count, 2);
	assert_int_equal(w->target_count, 2);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	assert_probed_by_vip(w, "10.1.0.2:8080");
	connect_health(w);
	health_is_told(w);
	settle(w);
	assert_int_equal(w->target_count, 2);
	/* Others in their place: who waited is checked, and by a path of its own. */
	write_members(w, "web", 30080, 2, BY_DR BY_VIP ", parasaus.io/health-check-interval: 5s");
	pass(w, LINGERS_MS);
	assert_int_equal(w->paths.count, 2);
	assert_int_equal(w->target_count, 2);
	assert_int_equal(w->targets[0].check->interval_ms, 5000);
	assert_probed_by_vip(w, "10.1.0.1:8080");
	remove_pool(w, "web");
	pass(w, 1000);
	assert_int_equal(w->target_count, 0);
	pass(w, LINGERS_MS);
	assert_int_equal(w->target_count, 0);
	assert_int_equal(w->paths.count, 0);
}

/* --- more than there are numbers ------------------------------------------------------------ */

#define MANY (IPVS_PATHS_MAX + 3)

/* A prober that counts. */
struct prober {
	uint64_t ids[2 * MANY];
	uint16_t ports[2 * MANY];
	unsigned count;
};

static void take_target(struct prober *p, struct wire *body)
{
	struct hc_target t;
	unsigned i = 0;

	wire_hc_target(body, &t);
	assert_true(wire_end(body));
	check_unref(t.check);
	while (i < p->count && p->ids[i] != t.id)
		i++;
	assert_true(i < ARRAY_LEN(p->ids));
	p->ids[i] = t.id;
	p->ports[i] = t.from_port;
	p->count += i == p->count;
}

static void drop_target(struct prober *p, uint64_t id)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->ids[i] != id)
			continue;
		p->ids[i] = p->ids[--p->count];
		p->ports[i] = p->ports[p->count];
		return;
	}
}

static bool hear(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct prober *p = arg;

	(void)fd;
	if (type == HC_MSG_BEGIN)
		p->count = 0;
	if (type == HC_MSG_TARGET)
		take_target(p, body);
	if (type == HC_MSG_GONE)
		drop_target(p, wire_u64(body));
	return true;
}

static void start_many(struct world *w, struct prober *p)
{
	const struct channel_handler h = { hear, core_hung_up, p };

	*p = (struct prober){ 0 };
	start_core(w);
	connect_kernel(w, "");
	connect_prober(w, &h);
	health_is_told(w);
	pass(w, 5000);
}

static unsigned probed_directly(const struct prober *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->count; i++)
		n += p->ports[i] == 0;
	return n;
}

static void who_is_beyond_is_checked_directly(void **state)
{
	struct prober *p = xcalloc(1, sizeof(*p));
	struct world *w = *state;

	write_members(w, "web", 30080, MANY, BY_DR BY_VIP);
	start_many(w, p);
	assert_int_equal(w->paths.count, IPVS_PATHS_MAX);
	assert_non_null(strstr(buf_cstr(&w->log), "1003 targets are to be checked by VIPs"));
	assert_int_equal(p->count, MANY);
	assert_int_equal(probed_directly(p), 3);
	assert_says(w, 0,
		    "3 of its 1003 members are checked directly in spite of "
		    "parasaus.io/health-check-via: vip: this machine checks at most 1000 targets "
		    "by VIPs");
	/* The last five go: once nothing is left of their paths, the three get them. */
	write_members(w, "web", 30080, MANY - 5, BY_DR BY_VIP);
	pass(w, LINGERS_MS);
	assert_true(w->paths.count < IPVS_PATHS_MAX);
	pass(w, PATHS_REST_MS + 1000);
	assert_int_equal(w->paths.count, MANY - 5);
	assert_int_equal(p->count, MANY - 5);
	assert_int_equal(probed_directly(p), 0);
	assert_says(w, 0, NULL);
	free(p);
}

/* Another way for all of them: twice as many for a minute, of which half nobody uses. */
static void who_has_to_wait_for_a_number_is_checked_directly_meanwhile(void **state)
{
	struct prober *p = xcalloc(1, sizeof(*p));
	struct world *w = *state;

	write_members(w, "web", 30080, 600, BY_DR BY_VIP);
	start_many(w, p);
	assert_int_equal(p->count, 600);
	write_members(w, "web", 30080, 600, BY_TUNNEL BY_VIP);
	pass(w, 5000);
	assert_int_equal(w->paths.count, IPVS_PATHS_MAX);
	assert_int_equal(p->count, 600);
	assert_int_equal(probed_directly(p), 200);
	assert_says(w, 0,
		    "200 of its 600 members are checked directly in spite of "
		    "parasaus.io/health-check-via: vip: this machine checks at most 1000 targets "
		    "by VIPs, and those that are gone count for 3 minutes");
	pass(w, LINGERS_MS);
	assert_int_equal(w->paths.count, 400);
	assert_int_equal(probed_directly(p), 200);
	pass(w, PATHS_REST_MS);
	assert_int_equal(w->paths.count, 600);
	assert_int_equal(p->count, 600);
	assert_int_equal(probed_directly(p), 0);
	assert_says(w, 0, NULL);
	free(p);
}

#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, core_world_up, core_world_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(a_target_is_probed_once_its_path_is_there),
		IN_A_WORLD(each_way_is_told_as_the_pool_has_it),
		IN_A_WORLD(what_cannot_be_made_is_told_and_tried_again),
		IN_A_WORLD(who_loses_its_path_keeps_its_state_until_it_is_back),
		IN_A_WORLD(who_is_of_no_use_is_not_probed),
		IN_A_WORLD(what_is_in_force_stays_where_a_newer_list_fails),
		IN_A_WORLD(one_that_is_refused_stops_no_other),
		IN_A_WORLD(who_is_refused_for_a_moment_is_not_told_of),
		IN_A_WORLD(who_is_new_is_told_all_of_it),
		IN_A_WORLD(a_restart_changes_nothing),
		IN_A_WORLD(those_that_wait_are_not_taken_for_gone),
		IN_A_WORLD(what_is_left_from_before_is_taken_away),
		IN_A_WORLD(who_is_not_checked_has_no_path),
		IN_A_WORLD(who_is_beyond_is_checked_directly),
		IN_A_WORLD(who_has_to_wait_for_a_number_is_checked_directly_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
