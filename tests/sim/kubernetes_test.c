/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source in a cluster through random histories: objects come, change and go;
 * watches break, revisions expire, the server is away, answers errors, repeats
 * itself, lists less than it has, goes back in time; the agent starts again.
 *
 * Whatever happened: once it is quiet, what was told is what the server has;
 * nothing is removed while the server is away, and nothing that it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/kube_world.h"

#define NAMES	90
#define STEPS	400
#define QUIET_S 200 /* longer than any wait of the source's, but for a missing resource */

struct sim {
	struct kube_world world; /* first: removing() is given it */
	struct random random;
	enum fake_kube_kind lacks; /* the kind of which a list lacks some */
	bool lacking;
	uint32_t lack_seed;
	unsigned n;
};

static uint32_t below(struct sim *s, uint32_t n)
{
	return random_below(&s->random, n);
}

static const char *some_name(struct sim *s)
{
	static char name[32];

	snprintf(name, sizeof(name), "p%u", below(s, NAMES));
	return name;
}

/* What the server has, as it was told or newer, is not for removal. */
static void removing(struct kube_world *w, const struct object *o)
{
	enum fake_kube_kind kind = o->kind == OBJECT_SERVICE	 ? FAKE_SERVICES
				   : o->kind == OBJECT_ENDPOINTS ? FAKE_ENDPOINTS
								 : FAKE_SLICES;
	const struct fake_kube_object *there = fake_kube_find(w->server, kind, o->ns, o->name);

	assert_false(w->server->down);
	/* Deleted and made again: the second event is on its way. */
	if (there && there->revision == strtoull(o->revision, NULL, 10))
		fail_msg("%s %s/%s is removed, and the server has it", object_kind_text(o->kind),
			 o->ns, o->name);
}

/* All endpoints of some of the Services that are there are left out. */
static bool listed(void *arg, const struct fake_kube_object *o)
{
	struct sim *s = arg;
	const char *label = strstr(o->labels, "service-name\":\"");
	uint32_t h = s->lack_seed;
	char service[64];

	if (!s->lacking || o->kind != s->lacks)
		return true;
	snprintf(service, sizeof(service), "%s", label ? label + 15 : o->name);
	service[strcspn(service, "\"")] = '\0';
	if (!kube_world_told(&s->world, OBJECT_SERVICE, o->ns, service))
		return true;
	for (const char *c = service; *c; c++)
		h = h * 31 + (unsigned char)*c;
	return h % 3 == 0;
}

static void change_object(struct sim *s)
{
	struct fake_kube *k = s->world.server;
	const char *name = some_name(s);
	char slice[48];

	snprintf(slice, sizeof(slice), "%s-%u", name, below(s, 3));
	switch (below(s, 10)) {
	case 0:
	case 1:
	case 2:
		fake_kube_service(k, "x", name, s->n++);
		return;
	case 3:
	case 4:
		fake_kube_endpoints(k, "x", name, s->n++);
		return;
	case 5:
		fake_kube_slice(k, "x", slice, name, s->n++);
		return;
	case 6:
		fake_kube_slice(k, "x", slice, some_name(s), s->n++); /* of another Service now */
		return;
	case 7:
		fake_kube_delete(k, FAKE_SERVICES, "x", name);
		return;
	case 8:
		fake_kube_delete(k, FAKE_ENDPOINTS, "x", name);
		return;
	default:
		fake_kube_delete(k, FAKE_SLICES, "x", slice);
	}
}

/* An ending in one blow: more than a list may lack. */
static void delete_many(struct sim *s)
{
	enum fake_kube_kind kind = below(s, 2) ? FAKE_SERVICES : FAKE_ENDPOINTS;
	char name[32];

	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		if (below(s, 2))
			fake_kube_delete(s->world.server, kind, "x", name);
	}
}

static void start_again(struct sim *s)
{
	kube_world_start(&s->world, NULL, below(s, 2));
}

static void mend(struct sim *s)
{
	struct fake_kube *k = s->world.server;

	k->down = false;
	k->status = 0;
	k->get_ms = 1;
	k->lost = false;
	s->lacking = false;
}

/* For a while lists are not to be believed; then they are again. */
static void lack_some(struct sim *s)
{
	struct fake_kube *k = s->world.server;

	mend(s);
	kube_world_advance(&s->world, 70000);
	s->lacks = below(s, 2) ? FAKE_ENDPOINTS : FAKE_SLICES;
	s->lack_seed = below(s, 1000);
	s->lacking = true;
	fake_kube_service(k, "x", "p0", s->n++); /* so that what is compacted is not the present */
	fake_kube_cut(k);
	fake_kube_service(k, "x", "p0", s->n++);
	fake_kube_compact(k);
	kube_world_advance(&s->world, 70000);
	s->lacking = false;
}

/*
 * Found out by its revision alone: so from the present, and before others have made up for what
 * it lost.
 */
static void go_back(struct sim *s)
{
	mend(s);
	kube_world_advance(&s->world, 130000); /* bookmarks bring every watch to the present */
	fake_kube_go_back(s->world.server, below(s, 50));
	kube_world_advance(&s->world, 70000);
}

static void trouble(struct sim *s)
{
	static const int statuses[] = { 429, 500, 503, 410, 400, 404 };
	struct fake_kube *k = s->world.server;

	switch (below(s, 11)) {
	case 0:
		fake_kube_cut(k);
		return;
	case 1:
		fake_kube_compact(k);
		fake_kube_cut(k);
		return;
	case 2:
		kube_world_settle(&s->world); /* what was received is received */
		k->down = true;
		fake_kube_cut(k);
		return;
	case 3:
		k->status = statuses[below(s, ARRAY_LEN(statuses))];
		if (below(s, 2))
			fake_kube_cut(k);
		return;
	case 4:
		fake_kube_repeat(k);
		return;
	case 5:
		go_back(s);
		return;
	case 6:
		delete_many(s);
		return;
	case 7:
		start_again(s);
		return;
	case 8:
		lack_some(s);
		return;
	case 9:
		k->lost = true;
		return;
	default:
		k->get_ms = below(s, 3000);
	}
}

static void step(struct sim *s)
{
	uint32_t what = below(s, 100);

	if (what < 60)
		change_object(s);
	else if (what < 75)
		trouble(s);
	else if (what < 85)
		mend(s);
	else
		kube_world_advance(&s->world, below(s, 20000));
	if (below(s, 3) == 0)
		assert_int_equal(loop_turn(s->world.loop, 0), 0);
}

static void be_quiet(struct sim *s)
{
	const char *difference;

	mend(s);
	for (int i = 0; i < QUIET_S; i += 10)
		kube_world_advance(&s->world, 10000);
	if (!s->world.complete)
		fail_msg("not complete: ... %s",
			 s->world.log.len > 300 ? buf_cstr(&s->world.log) + s->world.log.len - 300
						: buf_cstr(&s->world.log));
	difference = kube_world_difference(&s->world);
	if (difference)
		fail_msg("%s", difference);
	buf_reset(&s->world.log);
}

static void any_history_ends_in_what_the_server_has(void **state)
{
	struct sim s = { .random = random_new() };
	size_t removes = 0;

	(void)state;
	s.world.quiet = true;
	s.world.removing = removing;
	kube_world_open(&s.world);
	s.world.random = &s.random;
	s.world.server->listed = listed;
	s.world.server->listed_arg = &s;
	kube_world_start(&s.world, NULL, false);
	for (int round = 0; round < 25; round++) {
		for (int i = 0; i < STEPS; i++)
			step(&s);
		be_quiet(&s);
		removes += s.world.removes;
	}
	assert_true(removes > 100); /* else it has shown nothing */
	kube_world_close(&s.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_ends_in_what_the_server_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
