/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store through random histories: writers with all kinds of expectations,
 * many at a time; restarts, backups and restores, disks that are full, fail to
 * write or to sync, and power that is cut.
 *
 * A model says what each write must be answered and what must be there; after
 * trouble, what was acknowledged must be, and of each write that failed all or
 * nothing. Who watches has the same, and so has the history.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/random.h"
#include "tests/lib/store_world.h"
#include "tests/lib/turned_clock.h"

#define PAIRS	10 /* a Service and Endpoints each, always written together */
#define SINGLES 10 /* Secrets */
#define SLOTS	(2 * PAIRS + SINGLES)
#define PORTS	24
#define TEXT	24
#define MAYBES	64
#define BATCH	8
#define HISTORY 6 /* newest revisions that are compared */
#define ROUNDS	12
#define STEPS	40

struct slot {
	enum store_kind kind;
	char name[32];
	char text[TEXT]; /* "": it is not there */
	uint64_t revision;
	bool ports[PORTS]; /* that it has claimed */
	/* Newest first; history_known: nothing happened to it that the model has not seen. */
	char history[HISTORY][TEXT];
	uint64_t revisions[HISTORY];
	bool history_known;
	/* What writes that failed would have made of it. */
	char maybe[MAYBES][TEXT];
	size_t maybes;
	/* What a watcher believes. */
	char mirror[TEXT];
};

/* One write, as it was asked for. */
struct intent {
	struct sim *sim;
	size_t first, count; /* slots */
	bool remove, dry;
	enum store_expect expect;
	uint64_t revision;
	char text[TEXT];
	bool ports[PORTS];
	bool answered;
};

struct sim {
	struct store_world world;
	struct random random;
	struct slot slots[SLOTS];
	struct slot saved[SLOTS]; /* as they were backed up */
	bool backed_up;
	char backup[PATH_MAX];
	uint64_t newest;
	unsigned n; /* texts */
	bool failing;
	unsigned refused, troubles, survived, cuts;
};

static uint32_t below(struct sim *s, uint32_t n)
{
	return random_below(&s->random, n);
}

static struct slot *slot_of(struct sim *s, const struct store_key *key)
{
	for (size_t i = 0; i < SLOTS; i++) {
		if (s->slots[i].kind == key->kind && strcmp(s->slots[i].name, key->name) == 0)
			return &s->slots[i];
	}
	return NULL;
}

/* --- who watches ------------------------------------------------------------------------ */

static void mirror_put(void *arg, const struct store_object *o)
{
	snprintf(slot_of(arg, &o->key)->mirror, TEXT, "%s", o->text);
}

static void on_event(void *arg, const struct store_event *e)
{
	struct sim *s = arg;

	switch (e->type) {
	case STORE_PUT:
		mirror_put(s, e->object);
		break;
	case STORE_REMOVE:
		slot_of(s, &e->object->key)->mirror[0] = '\0';
		break;
	case STORE_RESET:
		for (size_t i = 0; i < SLOTS; i++)
			s->slots[i].mirror[0] = '\0';
		store_each(s->world.store, (enum store_kind)0, NULL, mirror_put, s);
		break;
	case STORE_STATUS:
		break;
	}
}

/* --- the model --------------------------------------------------------------------------- */

static enum store_result predict_one(struct sim *s, const struct intent *i, size_t n)
{
	const struct slot *slot = &s->slots[i->first + n];
	bool there = slot->text[0];

	if (n == 0 && i->expect == STORE_EXPECT_ABSENT && there)
		return STORE_EXISTS;
	if (!there && (i->remove || (n == 0 && i->expect == STORE_EXPECT_REVISION)))
		return STORE_ABSENT;
	if (n == 0 && i->expect == STORE_EXPECT_REVISION && i->revision != slot->revision)
		return STORE_STALE;
	for (size_t p = 0; n == 0 && !i->remove && p < PORTS; p++) {
		for (size_t o = 0; i->ports[p] && o < SLOTS; o++) {
			if (o != i->first && s->slots[o].ports[p])
				return STORE_TAKEN;
		}
	}
	return STORE_OK;
}

static bool is_same(const struct slot *slot, const struct intent *i, size_t n)
{
	static const bool none[PORTS];

	return !i->remove && strcmp(slot->text, i->text) == 0 &&
	       memcmp(slot->ports, n == 0 ? i->ports : none, sizeof(none)) == 0;
}

static void push_history(struct slot *slot, const char *text, uint64_t revision)
{
	/* Of a secret that is replaced no text is kept. */
	if (slot->kind == STORE_SECRET)
		slot->history[0][0] = '\0';
	memmove(slot->history[1], slot->history[0], sizeof(slot->history) - TEXT);
	memmove(&slot->revisions[1], &slot->revisions[0],
		sizeof(slot->revisions) - sizeof(slot->revisions[0]));
	memcpy(slot->history[0], text, TEXT);
	slot->revisions[0] = revision;
}

static void apply_one(struct sim *s, const struct intent *i, size_t n, const struct store_done *d)
{
	struct slot *slot = &s->slots[i->first + n];

	assert_int_equal(d->changed, !is_same(slot, i, n));
	if (!d->changed) {
		assert_int_equal(d->revision, slot->revision);
		return;
	}
	assert_true(d->revision > s->newest);
	s->newest = slot->revision = d->revision;
	memcpy(slot->text, i->text, TEXT);
	memset(slot->ports, 0, sizeof(slot->ports));
	if (n == 0 && !i->remove)
		memcpy(slot->ports, i->ports, sizeof(slot->ports));
	push_history(slot, slot->text, d->revision);
}

static void add_maybe(struct slot *slot, const char *text)
{
	/* More than that are the same few writes again. */
	if (slot->maybes < MAYBES)
		memcpy(slot->maybe[slot->maybes++], text, TEXT);
}

static void on_answer(void *arg, const struct store_outcome *o)
{
	struct intent *i = arg;
	struct sim *s = i->sim;
	enum store_result want = STORE_OK;

	assert_false(i->answered);
	i->answered = true;
	if (o->result >= STORE_FULL) {
		assert_true(s->failing);
		s->troubles++;
		for (size_t n = 0; n < i->count && !i->dry; n++)
			add_maybe(&s->slots[i->first + n], i->text);
		return;
	}
	for (size_t n = 0; n < i->count && want == STORE_OK; n++)
		want = predict_one(s, i, n);
	if (o->result != want)
		fail_msg("answered %s (%s), wanted %s", store_result_text(o->result), o->why,
			 store_result_text(want));
	s->refused += want != STORE_OK;
	for (size_t n = 0; n < i->count && want == STORE_OK && !i->dry; n++)
		apply_one(s, i, n, &o->items[n]);
}

/* --- what happens --------------------------------------------------------------------------- */

static void intend(struct sim *s, struct intent *i)
{
	uint32_t what = below(s, PAIRS + SINGLES);

	*i = (struct intent){ .sim = s };
	i->first = what < PAIRS ? 2 * what : PAIRS + what;
	i->count = what < PAIRS ? 2 : 1;
	i->dry = below(s, 12) == 0;
	i->expect = (enum store_expect)below(s, 3);
	i->revision = s->slots[i->first].revision + (below(s, 4) == 0);
	i->remove = below(s, 5) == 0;
	if (i->remove)
		return;
	if (below(s, 8) == 0)
		memcpy(i->text, s->slots[i->first].text, TEXT);
	if (!i->text[0])
		snprintf(i->text, TEXT, "text %u", ++s->n);
	for (int p = 0; what < PAIRS && p < 3; p++)
		i->ports[below(s, PORTS)] = below(s, 2);
}

static void submit(struct sim *s, struct intent *i)
{
	struct store_change changes[2] = { 0 };
	struct store_claim claims[PORTS];
	const struct store_write write = { .who = { .user = "sim", .action = "act" },
					   .changes = changes,
					   .count = i->count,
					   .dry_run = i->dry };

	memset(claims, 0, sizeof(claims));
	for (size_t n = 0; n < i->count; n++) {
		const struct slot *slot = &s->slots[i->first + n];

		changes[n] = (struct store_change){ .key = { slot->kind, "shop", slot->name },
						    .remove = i->remove,
						    .text = i->text,
						    .len = strlen(i->text) };
	}
	changes[0].expect = i->expect;
	changes[0].revision = i->revision;
	changes[0].claims = claims;
	for (size_t p = 0; p < PORTS; p++) {
		if (i->ports[p])
			claims[changes[0].claim_count++] = (struct store_claim){
				.at = { addr_v4(0x0a000001), IPPROTO_TCP, (uint16_t)(100 + p) },
				.pool = "",
			};
	}
	store_write(s->world.store, &write, on_answer, i);
}

static void write_some(struct sim *s)
{
	struct intent intents[BATCH];
	uint32_t count = 1 + below(s, BATCH);

	for (uint32_t i = 0; i < count; i++) {
		intend(s, &intents[i]);
		submit(s, &intents[i]);
	}
	for (uint32_t i = 0; i < count; i++)
		store_world_wait(&s->world, &intents[i].answered);
	now_ms += below(s, 1000);
}

static void make_trouble(struct sim *s)
{
	fault_vfs_set((enum fault)(FAULT_FULL + below(s, 4)), below(s, 30));
	s->failing = true;
}

static void mend(struct sim *s)
{
	fault_vfs_set(FAULT_NONE, 0);
	s->failing = false;
}

/* --- what must be ------------------------------------------------------------------------------ */

static void note_history(void *arg, enum store_result r, const struct store_revision *items,
			 size_t count)
{
	struct slot *slot = arg;

	assert_int_equal(r, STORE_OK);
	for (size_t i = 0; i < HISTORY && slot->revisions[i] && slot->history_known; i++) {
		const char *text = i < count && items[i].text ? items[i].text : "";

		assert_true(i < count);
		assert_int_equal(items[i].revision, slot->revisions[i]);
		assert_string_equal(text, slot->history[i]);
	}
	slot->history_known = true;
	memset(slot->revisions, 0, sizeof(slot->revisions));
	memset(slot->history, 0, sizeof(slot->history));
	for (size_t i = 0; i < HISTORY && i < count; i++) {
		slot->revisions[i] = items[i].revision;
		snprintf(slot->history[i], TEXT, "%s", items[i].text ? items[i].text : "");
	}
}

static void compare_history(struct sim *s, struct slot *slot)
{
	const struct store_revisions_query q = { .key = { slot->kind, "shop", slot->name },
						 .limit = HISTORY,
						 .texts = true };
	const struct store_operations_query flush = { .limit = 1 };
	CLEANUP(buf_done) struct buf b = { 0 };

	store_revisions(s->world.store, &q, note_history, slot);
	store_world_operations(&s->world, &flush, &b); /* answered behind it */
}

static void adopt(struct sim *s, struct slot *slot, const struct store_object *o)
{
	const char *text = o ? o->text : "";
	bool meant = false;

	for (size_t i = 0; i < slot->maybes; i++)
		meant = meant || strcmp(slot->maybe[i], text) == 0;
	if (!meant)
		fail_msg("%s %s is '%s', not '%s'", store_kind_text(slot->kind), slot->name, text,
			 slot->text);
	s->survived++;
	snprintf(slot->text, TEXT, "%s", text);
	if (o)
		slot->revision = o->revision;
	slot->history_known = false;
	memset(slot->ports, 0, sizeof(slot->ports));
	for (size_t i = 0; o && i < o->claim_count; i++)
		slot->ports[o->claims[i].at.port - 100] = true;
}

static void compare_ports(struct sim *s)
{
	for (size_t p = 0; p < PORTS; p++) {
		const struct endpoint at = { addr_v4(0x0a000001), IPPROTO_TCP,
					     (uint16_t)(100 + p) };
		const struct store_object *o = store_claimed_by(s->world.store, &at);

		for (size_t i = 0; i < SLOTS; i++)
			assert_int_equal(s->slots[i].ports[p],
					 o && slot_of(s, &o->key) == &s->slots[i]);
	}
}

/* "text 123" is the third's; every tenth is nobody's. */
static bool owner_of(enum store_kind kind, const char *text, size_t len,
		     char out[static STORE_NAME_MAX + 1])
{
	(void)kind;
	out[0] = len ? text[len - 1] : '0';
	out[1] = '\0';
	return out[0] != '0';
}

struct found_parts {
	struct sim *sim;
	const char *owner;
	size_t count;
};

static void note_part(void *arg, const struct store_object *o)
{
	struct found_parts *f = arg;
	const struct slot *slot = slot_of(f->sim, &o->key);

	assert_string_equal(o->text, slot->text);
	assert_string_equal(slot->text + strlen(slot->text) - 1, f->owner);
	f->count++;
}

static void compare_parts(struct sim *s)
{
	static const enum store_kind kinds[] = { STORE_SERVICE, STORE_ENDPOINTS, STORE_SECRET };
	struct found_parts f = { .sim = s };
	size_t want = 0;

	for (size_t i = 0; i < SLOTS; i++)
		want += s->slots[i].text[0] && !strchr("0", *(strchr(s->slots[i].text, '\0') - 1));
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (char owner[] = "1"; owner[0] <= '9'; owner[0]++) {
			f.owner = owner;
			store_each_part(s->world.store, kinds[k], "shop", owner, note_part, &f);
		}
	assert_int_equal(f.count, want);
}

/* after_trouble: writes that failed may have happened. */
static void compare(struct sim *s, bool after_trouble)
{
	size_t there = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &s->slots[i];
		const struct store_key key = { slot->kind, "shop", slot->name };
		const struct store_object *o = store_get(s->world.store, &key);

		if (strcmp(o ? o->text : "", slot->text) != 0 ||
		    (o && o->revision != slot->revision)) {
			assert_true(after_trouble);
			adopt(s, slot, o);
		}
		assert_string_equal(slot->mirror, slot->text);
		there += o != NULL;
		slot->maybes = after_trouble ? 0 : slot->maybes;
	}
	assert_int_equal(store_world_status(&s->world).objects, there);
	for (size_t i = 0; i < 2 * PAIRS; i += 2)
		assert_string_equal(s->slots[i].text, s->slots[i + 1].text);
	s->newest = store_world_status(&s->world).revision > s->newest
			    ? store_world_status(&s->world).revision
			    : s->newest;
	compare_ports(s);
	compare_parts(s);
	compare_history(s, &s->slots[below(s, SLOTS)]);
}

static void start(struct sim *s)
{
	store_world_open(&s->world);
	assert_int_equal(store_world_status(&s->world).state, STORE_READY);
	store_watch(s->world.store, on_event, s);
	on_event(s, &(struct store_event){ .type = STORE_RESET });
	buf_reset(&s->world.told);
}

static void restart(struct sim *s)
{
	store_world_close(&s->world);
	mend(s);
	start(s);
	compare(s, true);
}

/* In the midst of writing: whatever it did not sync is there, or is not. */
static void cut_power(struct sim *s)
{
	fault_vfs_set(FAULT_IO, below(s, 20));
	s->failing = true;
	write_some(s);
	fault_vfs_set(FAULT_IO, 0);
	store_world_close(&s->world);
	mend(s);
	fault_vfs_power_cut(&s->random);
	start(s);
	compare(s, true);
	s->cuts++;
}

static void back_up(struct sim *s)
{
	struct store_answer a;

	mend(s);
	a = store_world_backup(&s->world, s->backup);
	if (a.result != STORE_OK)
		fail_msg("backup: %s", a.why);
	memcpy(s->saved, s->slots, sizeof(s->saved));
	s->backed_up = true;
}

static void restore(struct sim *s)
{
	struct store_answer a;

	if (!s->backed_up)
		return;
	mend(s);
	a = store_world_restore(&s->world, s->backup);
	if (a.result != STORE_OK)
		fail_msg("restore: %s", a.why);
	for (size_t i = 0; i < SLOTS; i++) {
		char mirror[TEXT];

		memcpy(mirror, s->slots[i].mirror, TEXT);
		s->slots[i] = s->saved[i];
		memcpy(s->slots[i].mirror, mirror, TEXT);
		s->slots[i].maybes = 0;
	}
	s->newest++; /* the restore's own */
	compare(s, false);
}

static void step(struct sim *s)
{
	uint32_t what = below(s, 100);

	if (what < 70)
		write_some(s);
	else if (what < 78)
		make_trouble(s);
	else if (what < 86)
		mend(s);
	else if (what < 90)
		restart(s);
	else if (what < 95)
		cut_power(s);
	else if (what < 98)
		back_up(s);
	else
		restore(s);
	buf_reset(&s->world.told);
	compare(s, false);
}

static void begin(struct sim *s)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &s->slots[i];

		slot->kind = i >= 2 * PAIRS ? STORE_SECRET
			     : i % 2	    ? STORE_ENDPOINTS
					    : STORE_SERVICE;
		snprintf(slot->name, sizeof(slot->name), "n%zu", i >= 2 * PAIRS ? i : i / 2);
		slot->history_known = true;
	}
	store_world_init(&s->world);
	s->world.options.owner = owner_of;
	s->world.options.vfs = "fault";
	s->world.options.revisions_max = HISTORY;
	snprintf(s->backup, sizeof(s->backup), "%s/backup", s->world.dir);
	mend(s);
	fault_vfs_watch();
	start(s);
}

static void any_history_keeps_what_was_acknowledged(void **state)
{
	struct random random = random_new();
	unsigned refused = 0, troubles = 0, cuts = 0;

	(void)state;
	fault_vfs_register();
	for (int round = 0; round < ROUNDS; round++) {
		struct sim *s = xcalloc(1, sizeof(*s));

		s->random = random;
		begin(s);
		for (int i = 0; i < STEPS; i++)
			step(s);
		restart(s);
		store_world_done(&s->world);
		random = s->random;
		refused += s->refused;
		troubles += s->troubles;
		cuts += s->cuts;
		free(s);
	}
	/* Else it has shown nothing. */
	assert_true(refused > 50 && troubles > 20 && cuts > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_history_keeps_what_was_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
