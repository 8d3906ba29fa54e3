/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.c, list_order.c: lists that are gone on with, and whose order is total. */
#include "agent/api/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/rest.h"
#include "tests/lib/random.h"
#include "tests/lib/snapshots.h"

#define START ((mono_t){ 1 })

/* As the slot does it. */
static struct snapshot *numbered(struct snapshot *s, uint64_t sequence)
{
	s->sequence = sequence;
	return s;
}

static bool is_kept(struct pictures *p, struct snapshot *s, mono_t now)
{
	char name[PICTURE_NAME_MAX];
	struct snapshot *found = pictures_find(p, picture_name(s, name), now);

	assert_true(!found || found == s);
	snapshot_unref(found);
	return found != NULL;
}

static void a_picture_is_kept_for_a_minute(void **state)
{
	struct pictures *p = pictures_new();
	struct snapshot *s = numbered(snapshot_large(1, 1), 1);

	(void)state;
	assert_false(is_kept(p, s, START));
	pictures_keep(p, s, START);
	pictures_keep(p, s, mono_add_ms(START, 30000)); /* adds nothing to its time */
	assert_true(is_kept(p, s, mono_add_ms(START, PICTURE_MS - 1)));
	assert_false(is_kept(p, s, mono_add_ms(START, PICTURE_MS)));
	snapshot_unref(s);
	pictures_free(p);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
	struct snapshot *s[PICTURES_MAX + 1];
	struct pictures *p = pictures_new();

	(void)state;
	for (size_t i = 0; i <= PICTURES_MAX; i++) {
		s[i] = numbered(snapshot_large(1, 1), i + 1);
		pictures_keep(p, s[i], START);
	}
	assert_false(is_kept(p, s[0], START));
	for (size_t i = 1; i <= PICTURES_MAX; i++)
		assert_true(is_kept(p, s[i], START));
	for (size_t i = 0; i <= PICTURES_MAX; i++)
		snapshot_unref(s[i]);
	pictures_free(p);
}

static void large_lists_of_targets_are_not_kept_many_times(void **state)
{
	struct snapshot *s[4];
	struct pictures *p = pictures_new();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		s[i] = numbered(snapshot_new(), i + 1);
		s[i]->targets = target_list_new(1);
		/* Only counted here; set back below, for what it frees. */
		s[i]->targets->count = PICTURES_TARGETS_MAX / 3;
		pictures_keep(p, s[i], START);
	}
	assert_false(is_kept(p, s[0], START));
	for (size_t i = 1; i < 4; i++)
		assert_true(is_kept(p, s[i], START));
	for (size_t i = 0; i < 4; i++)
		s[i]->targets->count = 1;
	for (size_t i = 0; i < 4; i++)
		snapshot_unref(s[i]);
	pictures_free(p);
}

/* --- through the interface ------------------------------------------------------------ */

static char *ask(const struct rest_state *s, const char *target, unsigned *out_status)
{
	struct rest_reply reply;
	char *text;

	rest_answer(&(struct rest_request){ .method = "GET", .target = target }, s, &reply);
	*out_status = reply.status;
	text = strdup(buf_cstr(&reply.body));
	rest_reply_done(&reply);
	return text;
}

static void a_list_is_gone_on_with_as_it_was(void **state)
{
	struct snapshot *old = numbered(snapshot_large(30, 1), 1);
	struct snapshot *new = numbered(snapshot_large(20, 1), 2);
	struct rest_state s = { .snapshot = old, .pictures = pictures_new(), .now = START };
	char name[PICTURE_NAME_MAX], target[200];
	unsigned status;

	(void)state;
	free(ask(&s, "/api/v1/pools?limit=100", &status)); /* has it all: not kept */
	assert_false(is_kept(s.pictures, old, START));
	free(ask(&s, "/api/v1/pools?sort=-id&limit=10", &status));
	assert_true(is_kept(s.pictures, old, START));

	s.snapshot = new;
	for (unsigned i = 0; i < 3; i++) {
		char first[64], *text;

		snprintf(target, sizeof(target),
			 "/api/v1/pools?sort=-id&limit=10&offset=%u&snapshot=%s", i * 10,
			 picture_name(old, name));
		text = ask(&s, target, &status);
		assert_int_equal(status, 200);
		assert_non_null(strstr(text, "\"total\":30,"));
		snprintf(first, sizeof(first), "[{\"id\":\"ns.service-%05u.http-tcp\"",
			 29 - i * 10);
		assert_non_null(strstr(text, first));
		free(text);
	}
	s.now = mono_add_ms(START, PICTURE_MS);
	free(ask(&s, target, &status));
	assert_int_equal(status, 410);
	pictures_free(s.pictures);
	snapshot_unref(old);
	snapshot_unref(new);
}

/* --- the order -------------------------------------------------------------------------- */

#define POOLS 400

/* Members' states and weights at random, with many that are equal. */
static struct snapshot *shuffled(struct random *r)
{
	struct snapshot *s = snapshot_large(POOLS, 3);

	for (size_t i = 0; i < s->pool_count; i++)
		for (size_t k = 0; k < 3; k++) {
			struct member_mark *m = &s->pools[i]->members[k];

			m->state = (enum verdict_state)random_below(r, 3);
			m->weight = (uint16_t)random_below(r, 4);
		}
	return s;
}

/* The names of a window, one after the other. */
static void append_window(const struct rest_state *s, const char *query, size_t offset,
			  size_t limit, struct buf *out)
{
	char target[200], *text;
	unsigned status;

	snprintf(target, sizeof(target), "/api/v1/%s&offset=%zu&limit=%zu", query, offset, limit);
	text = ask(s, target, &status);
	assert_int_equal(status, 200);
	for (char *p = text; (p = strstr(p, "{\"pool\":\"")); p++)
		buf_put(out, p, 60); /* the pool and the member's id */
	for (char *p = text; (p = strstr(p, "{\"id\":\"ns")); p++)
		buf_put(out, p, 30);
	free(text);
}

static void windows_of_any_size_make_up_the_same_list(void **state)
{
	static const char *const queries[] = { "members?sort=state",
					       "members?sort=-weight,state",
					       "members?sort=effectiveWeight,-address",
					       "pools?sort=health",
					       "pools?sort=-down,-id",
					       "pools?sort=-service" };
	struct random r = random_new();
	struct snapshot *s = numbered(shuffled(&r), 1);
	struct rest_state world = { .snapshot = s, .now = START };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		struct buf whole = { 0 }, pieces = { 0 };

		for (size_t at = 0; at < POOLS * 3; at += 1000)
			append_window(&world, queries[i], at, 1000, &whole);
		for (size_t at = 0, n; at < POOLS * 3; at += n) {
			n = 1 + (size_t)random_below(&r, 100);
			append_window(&world, queries[i], at, n, &pieces);
		}
		assert_int_equal(whole.len, pieces.len);
		assert_memory_equal(whole.data, pieces.data, whole.len);
		buf_done(&whole);
		buf_done(&pieces);
	}
	snapshot_unref(s);
}

/* One by one, each is no more urgent than the one before it. */
static void what_needs_to_be_looked_at_comes_first(void **state)
{
	static const char *const ranks[] = { "down", "unknown", "up" };
	struct random r = random_new();
	struct snapshot *s = numbered(shuffled(&r), 1);
	struct rest_state world = { .snapshot = s, .now = START };
	unsigned status, seen = 0;
	size_t rank = 0;
	char *text = ask(&world, "/api/v1/members?sort=state&limit=1000&offset=100", &status);

	(void)state;
	for (char *p = text; (p = strstr(p, "\"state\":\"")); seen++) {
		p += strlen("\"state\":\"");
		while (rank < 2 && strncmp(p, ranks[rank], strlen(ranks[rank])) != 0)
			rank++;
		assert_memory_equal(p, ranks[rank], strlen(ranks[rank]));
	}
	assert_int_equal(seen, 1000);
	free(text);
	snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_picture_is_kept_for_a_minute),
		cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
		cmocka_unit_test(large_lists_of_targets_are_not_kept_many_times),
		cmocka_unit_test(a_list_is_gone_on_with_as_it_was),
		cmocka_unit_test(what_needs_to_be_looked_at_comes_first),
		cmocka_unit_test(windows_of_any_size_make_up_the_same_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
