/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c: rows of results, written as words, and the states they lead to. */
#include "healthcheck/verdict.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/random.h"

/* '+' a success, '-' a failure, '.' our own trouble; after each the state as ?, U or D. */
struct row {
	const char *name;
	enum verdict_state initial;
	uint8_t rise, fall;
	const char *results;
	const char *states;
};

static const struct row rows[] = {
	{ "unknown is up after one success", VERDICT_UNKNOWN, 5, 5, "+", "U" },
	{ "unknown is down after fall failures", VERDICT_UNKNOWN, 2, 3, "---", "??D" },
	{ "unknown is up after one success among failures", VERDICT_UNKNOWN, 2, 3, "--+", "??U" },
	{ "up is down after fall failures in a row", VERDICT_UP, 2, 3, "---", "UUD" },
	{ "a success starts the row anew", VERDICT_UP, 2, 3, "--+--+---", "UUUUUUUUD" },
	{ "down is up after rise successes in a row", VERDICT_DOWN, 2, 3, "++", "DU" },
	{ "a failure starts that row anew", VERDICT_DOWN, 3, 3, "++-++-+++", "DDDDDDDDU" },
	{ "our own trouble neither counts nor breaks a row", VERDICT_UP, 2, 3, "-.-..-.+.+",
	  "UUUUUDDDDU" },
	{ "trouble alone changes nothing", VERDICT_UNKNOWN, 1, 1, "..........", "??????????" },
	{ "one is enough where one is asked for", VERDICT_UP, 1, 1, "-+-+", "DUDU" },
	{ "ten are ten", VERDICT_DOWN, 10, 10, "+++++++++-++++++++++", "DDDDDDDDDDDDDDDDDDDU" },
};

static enum hc_meaning meaning_of(char c)
{
	return c == '+' ? HC_MEANS_GOOD : c == '-' ? HC_MEANS_BAD : HC_MEANS_NOTHING;
}

static void rows_lead_to_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct check c = { .rise = r->rise, .fall = r->fall };
		struct hc_health h = hc_health_new(r->initial);
		char got[32] = "";

		assert_int_equal(strlen(r->results), strlen(r->states));
		for (size_t k = 0; r->results[k]; k++) {
			enum verdict_state before = h.state;
			bool changed = hc_health_feed(&h, &c, meaning_of(r->results[k]));

			assert_int_equal(changed, h.state != before);
			got[k] = "?UD"[h.state];
		}
		if (strcmp(got, r->states) != 0)
			fail_msg("%s: %s gave %s, not %s", r->name, r->results, got, r->states);
	}
}

/*
 * The same rules once more, told by looking back: all that was seen is kept, and the state is left
 * when the last so many results that count say something else.
 */
struct model {
	enum verdict_state state;
	bool proven;
	size_t count;
	char seen[512]; /* results that count, since the state began */
};

static bool model_speaks_against(const struct model *m, char result)
{
	return m->state != (result == '+' ? VERDICT_UP : VERDICT_DOWN);
}

/* How many of the last results are as the last one. */
static size_t model_row(const struct model *m)
{
	size_t n = 0;

	while (n < m->count && m->seen[m->count - 1 - n] == m->seen[m->count - 1])
		n++;
	return n;
}

static void model_feed(struct model *m, const struct check *c, char result)
{
	size_t want = result == '-' ? c->fall : m->state == VERDICT_UNKNOWN ? 1 : c->rise;

	if (result == '.')
		return;
	m->seen[m->count++] = result;
	if (!model_speaks_against(m, result)) {
		m->proven = true;
	} else if (model_row(m) >= want) {
		m->state = result == '+' ? VERDICT_UP : VERDICT_DOWN;
		m->proven = true;
		m->count = 0;
	}
}

static bool model_in_doubt(const struct model *m)
{
	return !m->proven || (m->count && model_speaks_against(m, m->seen[m->count - 1]));
}

static void compare_with_model(enum verdict_state initial, const struct check *c,
			       const char *results)
{
	struct hc_health h = hc_health_new(initial);
	struct model m = { .state = initial };

	for (size_t i = 0; results[i]; i++) {
		enum verdict_state before = h.state;
		bool changed = hc_health_feed(&h, c, meaning_of(results[i]));

		model_feed(&m, c, results[i]);
		if (h.state != m.state || h.proven != m.proven || changed != (before != m.state) ||
		    hc_health_in_doubt(&h) != model_in_doubt(&m))
			fail_msg("from %s, rise %u, fall %u: \"%.*s\" gave %s, not %s, or differs "
				 "in "
				 "what is proven, told or in doubt",
				 verdict_state_text(initial), c->rise, c->fall, (int)i + 1, results,
				 verdict_state_text(h.state), verdict_state_text(m.state));
	}
}

static void every_short_history_is_as_the_model_has_it(void **state)
{
	enum { LEN = 8, ALL = 6561 }; /* three to the eighth */
	char results[LEN + 1] = "";

	(void)state;
	for (unsigned i = 0; i < ALL * 3 * 9; i++) {
		struct check c = { .rise = (uint8_t)(1 + i / ALL / 3 % 3),
				   .fall = (uint8_t)(1 + i / ALL / 9) };
		unsigned rest = i % ALL;

		for (int k = 0; k < LEN; k++, rest /= 3)
			results[k] = "+-."[rest % 3];
		compare_with_model((enum verdict_state)(i / ALL % 3), &c, results);
	}
}

/* Results come in rows, as they do when servers die: even dice would hardly ever throw ten. */
static void random_history(struct random *rnd, char *out, size_t len)
{
	char result = '+';

	for (size_t i = 0; i < len; i++) {
		if (random_below(rnd, 8) == 0)
			result = result == '+' ? '-' : '+';
		out[i] = random_below(rnd, 10) == 0 ? '.' : result;
	}
	out[len] = 0;
}

static void long_histories_are_as_the_model_has_them(void **state)
{
	struct random rnd = random_new();
	char results[500];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct check c = { .rise = (uint8_t)(1 + random_below(&rnd, 10)),
				   .fall = (uint8_t)(1 + random_below(&rnd, 10)) };

		random_history(&rnd, results, 1 + random_below(&rnd, sizeof(results) - 1));
		compare_with_model((enum verdict_state)random_below(&rnd, 3), &c, results);
	}
}

static void doubt_ends_when_a_probe_confirms(void **state)
{
	struct check c = { .rise = 2, .fall = 2 };
	struct hc_health h = hc_health_new(VERDICT_UP);

	(void)state;
	assert_true(hc_health_in_doubt(&h)); /* inherited */
	hc_health_feed(&h, &c, HC_MEANS_NOTHING);
	assert_true(hc_health_in_doubt(&h));
	hc_health_feed(&h, &c, HC_MEANS_GOOD);
	assert_false(hc_health_in_doubt(&h));
	hc_health_feed(&h, &c, HC_MEANS_BAD);
	assert_true(hc_health_in_doubt(&h));
	hc_health_feed(&h, &c, HC_MEANS_BAD);
	assert_int_equal(h.state, VERDICT_DOWN);
	assert_false(hc_health_in_doubt(&h));
	hc_health_feed(&h, &c, HC_MEANS_GOOD);
	assert_true(hc_health_in_doubt(&h));
}

static void every_reason_has_a_meaning(void **state)
{
	static const struct check tcp = { .type = CHECK_TCP };

	(void)state;
	for (unsigned r = HC_REASON_OK; r < HC_REASON_AUTH; r++) {
		enum hc_meaning want = r == HC_REASON_OK	   ? HC_MEANS_GOOD
				       : r < HC_REASON_NO_RESOURCE ? HC_MEANS_BAD
								   : HC_MEANS_NOTHING;

		assert_int_equal(hc_reason_meaning(&tcp, VERDICT_DOWN, (enum hc_reason)r), want);
	}
}

static sigjmp_buf aborted;

static void on_abort(int sig)
{
	siglongjmp(aborted, sig);
}

/* Our own bug, and nothing to be guessed a meaning for. */
static void what_no_probe_results_in_is_not_asked_for(void **state)
{
	static const int wrong[] = { HC_REASON_NONE, HC_REASON_INHERITED, HC_REASON_COUNT,
				     HC_REASON_COUNT + 1 };
	static const struct check tcp = { .type = CHECK_TCP };
	volatile size_t stopped = 0;
	struct sigaction action = { .sa_handler = on_abort }, before;

	(void)state;
	sigaction(SIGABRT, &action, &before);
	for (volatile size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (sigsetjmp(aborted, 1) == 0)
			(void)hc_reason_meaning(&tcp, VERDICT_UP, (enum hc_reason)wrong[i]);
		else
			stopped++;
	}
	sigaction(SIGABRT, &before, NULL);
	assert_int_equal(stopped, ARRAY_LEN(wrong));
}

/* What a database says of itself may be enough where it only has to be alive. */
static void a_role_takes_more_than_being_alive(void **state)
{
	/* Columns: role any; role writer, reader, galera. */
	static const struct {
		enum hc_reason reason;
		char any, role;
	} table[] = {
		{ HC_REASON_OK, '+', '+' },	   { HC_REASON_AUTH, '+', '.' },
		{ HC_REASON_BLOCKED, '.', '.' },   { HC_REASON_SATURATED, '+', '.' },
		{ HC_REASON_NOT_READY, '-', '-' }, { HC_REASON_SHUTDOWN, '-', '-' },
		{ HC_REASON_ROLE, '-', '-' },	   { HC_REASON_LAG, '-', '-' },
		{ HC_REASON_NO_SECRET, '+', '.' }, { HC_REASON_TLS, '-', '-' },
		{ HC_REASON_HELD_BACK, '.', '.' },
	};

	(void)state;
	assert_int_equal(ARRAY_LEN(table) - 1, HC_REASON_COUNT - HC_REASON_AUTH);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		for (enum check_role role = CHECK_ROLE_ANY; role <= CHECK_ROLE_GALERA; role++) {
			struct check c = { .type = CHECK_MYSQL, .role = role };
			char want = role == CHECK_ROLE_ANY ? table[i].any : table[i].role;

			assert_int_equal(hc_reason_meaning(&c, VERDICT_UP, table[i].reason),
					 meaning_of(want));
			assert_int_equal(hc_reason_meaning(&c, VERDICT_UNKNOWN, table[i].reason),
					 meaning_of(want));
			/* A half-open probe cannot tell that who hung is well again. */
			if (table[i].reason == HC_REASON_NO_SECRET)
				want = '.';
			assert_int_equal(hc_reason_meaning(&c, VERDICT_DOWN, table[i].reason),
					 meaning_of(want));
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_lead_to_states),
		cmocka_unit_test(every_short_history_is_as_the_model_has_it),
		cmocka_unit_test(long_histories_are_as_the_model_has_them),
		cmocka_unit_test(doubt_ends_when_a_probe_confirms),
		cmocka_unit_test(every_reason_has_a_meaning),
		cmocka_unit_test(what_no_probe_results_in_is_not_asked_for),
		cmocka_unit_test(a_role_takes_more_than_being_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
