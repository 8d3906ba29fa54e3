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

/* '~' is a success that says it is degraded, '/' one that says it drains. */
static enum hc_meaning meaning_of(char c)
{
	return strchr("+~/", c) ? HC_MEANS_GOOD : c == '-' ? HC_MEANS_BAD : HC_MEANS_NOTHING;
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
			bool changed = hc_health_feed(&h, &c, meaning_of(r->results[k]),
						      (mono_t){ 0 });

			assert_int_equal(changed, h.state != before);
			got[k] = "?UD"[h.state];
		}
		if (strcmp(got, r->states) != 0)
			fail_msg("%s: %s gave %s, not %s", r->name, r->results, got, r->states);
	}
}

/* What says so; a success may say more than that. */
static enum hc_reason reason_of(char c)
{
	static const enum hc_reason reasons[] = {
		['+'] = HC_REASON_OK,	   ['~'] = HC_REASON_DEGRADED, ['/'] = HC_REASON_DRAINING,
		['-'] = HC_REASON_REFUSED, ['.'] = HC_REASON_LATE,
	};

	return reasons[(unsigned char)c];
}

/*
 * The same rules once more, told by looking back: all that was seen is kept, and the state is left
 * when the last so many results that count say something else. So are all states that were.
 */
#define SEEN_MAX 512

struct model {
	enum verdict_state state;
	bool proven;
	size_t count;
	char seen[SEEN_MAX]; /* results that count, since the state began */
	size_t past;	     /* states that a probe began, the present one the last */
	struct {
		enum verdict_state state;
		int64_t since_ms;
	} states[SEEN_MAX];
};

/* Those that fell too soon, back to the last that did not; what was inherited is none. */
static unsigned model_flaps(const struct model *m, int64_t now_ms)
{
	unsigned flaps = 0;

	for (size_t i = m->past; i-- > 0;) {
		int64_t end = i + 1 < m->past ? m->states[i + 1].since_ms : now_ms;
		bool is_over = i + 1 < m->past;

		if (m->states[i].state != VERDICT_UP)
			continue;
		if (end - m->states[i].since_ms >= HC_FLAP_MS)
			break;
		flaps += is_over;
	}
	return flaps < UINT8_MAX ? flaps : UINT8_MAX;
}

static int64_t model_held_ms(const struct model *m, const struct check *c, int64_t now_ms)
{
	unsigned flaps = model_flaps(m, now_ms);
	double s = c->hold_down_s;
	int64_t until;

	if (m->state != VERDICT_DOWN || !m->past || !flaps)
		return 0;
	while (--flaps)
		s *= 2;
	s = s < CHECK_HOLD_MAX_S ? s : CHECK_HOLD_MAX_S;
	until = m->states[m->past - 1].since_ms + (int64_t)s * 1000;
	return until > now_ms ? until - now_ms : 0;
}

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

static void model_feed(struct model *m, const struct check *c, char result, int64_t now_ms)
{
	size_t want = result == '-' ? c->fall : m->state == VERDICT_UNKNOWN ? 1 : c->rise;

	if (result == '.')
		return;
	result = meaning_of(result) == HC_MEANS_GOOD ? '+' : '-';
	m->seen[m->count++] = result;
	if (!model_speaks_against(m, result)) {
		m->proven = true;
	} else if (model_row(m) >= want && !model_held_ms(m, c, now_ms)) {
		m->state = result == '+' ? VERDICT_UP : VERDICT_DOWN;
		m->proven = true;
		m->count = 0;
		m->states[m->past].state = m->state;
		m->states[m->past++].since_ms = now_ms;
	}
}

static bool model_in_doubt(const struct model *m, const struct check *c, int64_t now_ms)
{
	return !model_held_ms(m, c, now_ms) &&
	       (!m->proven || (m->count && model_speaks_against(m, m->seen[m->count - 1])));
}

/* By the last success of the first so many results. */
static enum hc_standing model_standing(const char *results, size_t count)
{
	while (count-- > 0) {
		if (meaning_of(results[count]) == HC_MEANS_GOOD)
			return results[count] == '+'   ? HC_STANDING_NORMAL
			       : results[count] == '~' ? HC_STANDING_DEGRADED
						       : HC_STANDING_DRAINING;
	}
	return HC_STANDING_NORMAL;
}

static void compare_standing(struct hc_health *h, const char *results, size_t i)
{
	enum hc_standing before = model_standing(results, i), want = model_standing(results, i + 1);
	bool changed = hc_health_stand(h, meaning_of(results[i]), reason_of(results[i]));

	if (h->standing != want || changed != (before != want))
		fail_msg("\"%.*s\" left it standing %u, not %u, or that is not told", (int)i + 1,
			 results, h->standing, want);
}

/* Between two probes pass steps_ms[i] before the i-th; NULL: a second. */
static void compare_with_model(enum verdict_state initial, const struct check *c,
			       const char *results, const int64_t *steps_ms)
{
	struct hc_health h = hc_health_new(initial);
	static struct model m;
	int64_t now_ms = 1;

	m.state = initial;
	m.proven = false;
	m.count = m.past = 0;
	for (size_t i = 0; results[i]; i++) {
		enum verdict_state before = h.state;
		mono_t now;
		bool changed;

		now_ms += steps_ms ? steps_ms[i] : 1000;
		now = (mono_t){ now_ms * 1000000 };
		compare_standing(&h, results, i);
		changed = hc_health_feed(&h, c, meaning_of(results[i]), now);
		model_feed(&m, c, results[i], now_ms);
		if (h.state != m.state || h.proven != m.proven || changed != (before != m.state) ||
		    hc_health_in_doubt(&h, c, now) != model_in_doubt(&m, c, now_ms) ||
		    h.flaps != model_flaps(&m, now_ms) ||
		    hc_health_held_ms(&h, c, now) != model_held_ms(&m, c, now_ms))
			fail_msg(
				"from %s, rise %u, fall %u, hold %u: \"%.*s\" gave %s, not %s, or "
				"differs in what is proven, told or in doubt, in flaps (%u, %u) or "
				"in how long it is held (%u, %u)",
				verdict_state_text(initial), c->rise, c->fall, c->hold_down_s,
				(int)i + 1, results, verdict_state_text(h.state),
				verdict_state_text(m.state), h.flaps, model_flaps(&m, now_ms),
				hc_health_held_ms(&h, c, now),
				(unsigned)model_held_ms(&m, c, now_ms));
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
		compare_with_model((enum verdict_state)(i / ALL % 3), &c, results, NULL);
		c.hold_down_s = 2;
		compare_with_model((enum verdict_state)(i / ALL % 3), &c, results, NULL);
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
		if (out[i] == '+' && random_below(rnd, 4) == 0)
			out[i] = random_below(rnd, 2) ? '~' : '/';
	}
	out[len] = 0;
}

/* Mostly as the interval has it; now and then long enough to forget flaps, or months. */
static void random_steps(struct random *rnd, int64_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned what = (unsigned)random_below(rnd, 100);

		out[i] = 100 + (int64_t)random_below(rnd, 4000);
		if (what < 3)
			out[i] = HC_FLAP_MS - 2000 + (int64_t)random_below(rnd, 4000);
		else if (what < 4)
			out[i] = 30 * 86400000ll;
	}
}

static void long_histories_are_as_the_model_has_them(void **state)
{
	struct random rnd = random_new();
	char results[500];
	int64_t steps[500];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct check c = { .rise = (uint8_t)(1 + random_below(&rnd, 10)),
				   .fall = (uint8_t)(1 + random_below(&rnd, 10)),
				   .hold_down_s = i % 2 ? (uint16_t)random_below(&rnd, 301) : 0 };

		if (i % 4 > 1)
			c.rise = c.fall = (uint8_t)(1 + random_below(&rnd, 2)); /* flaps more */
		random_steps(&rnd, steps, ARRAY_LEN(steps));
		random_history(&rnd, results, 1 + random_below(&rnd, sizeof(results) - 1));
		compare_with_model((enum verdict_state)random_below(&rnd, 3), &c, results, steps);
	}
}

static void doubt_ends_when_a_probe_confirms(void **state)
{
	struct check c = { .rise = 2, .fall = 2 };
	struct hc_health h = hc_health_new(VERDICT_UP);
	const mono_t now = { 0 };

	(void)state;
	assert_true(hc_health_in_doubt(&h, &c, now)); /* inherited */
	hc_health_feed(&h, &c, HC_MEANS_NOTHING, now);
	assert_true(hc_health_in_doubt(&h, &c, now));
	hc_health_feed(&h, &c, HC_MEANS_GOOD, now);
	assert_false(hc_health_in_doubt(&h, &c, now));
	hc_health_feed(&h, &c, HC_MEANS_BAD, now);
	assert_true(hc_health_in_doubt(&h, &c, now));
	hc_health_feed(&h, &c, HC_MEANS_BAD, now);
	assert_int_equal(h.state, VERDICT_DOWN);
	assert_false(hc_health_in_doubt(&h, &c, now));
	hc_health_feed(&h, &c, HC_MEANS_GOOD, now);
	assert_true(hc_health_in_doubt(&h, &c, now));
}

/* --- flaps ------------------------------------------------------------------------------ */

static mono_t at_s(int64_t s)
{
	return (mono_t){ s * 1000000000 };
}

/* Asked each second what that server is, which dies at once whenever it is up: when it came back. */
static void each_flap_holds_it_down_twice_as_long(void **state)
{
	static const int64_t held_s[] = { 0, 30, 60, 120, 240, 300, 300 };
	struct check c = { .rise = 2, .fall = 1, .hold_down_s = 30 };
	struct hc_health h = hc_health_new(VERDICT_UP);
	int64_t now = 1000;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(held_s); i++) {
		int64_t fell = now;

		assert_true(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(now)));
		assert_int_equal(h.flaps, i);
		assert_int_equal(hc_health_held_ms(&h, &c, at_s(now)), held_s[i] * 1000);
		while (!hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(++now)))
			assert_true(now - fell < 400);
		assert_int_equal(now - fell, held_s[i] > 2 ? held_s[i] : 2);
		now += 5;
	}
}

static void an_up_that_lasts_forgets_them(void **state)
{
	struct check c = { .rise = 1, .fall = 1, .hold_down_s = 30 };
	struct hc_health h = hc_health_new(VERDICT_DOWN);

	(void)state;
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(0)));
	assert_true(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(599)));
	assert_int_equal(h.flaps, 1);
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(629)));
	assert_false(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(1228)));
	assert_int_equal(h.flaps, 1);
	/* Also if nothing could be asked at the time. */
	assert_false(hc_health_feed(&h, &c, HC_MEANS_NOTHING, at_s(1229)));
	assert_int_equal(h.flaps, 0);
	assert_true(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(1230)));
	assert_int_equal(hc_health_held_ms(&h, &c, at_s(1230)), 0);
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(1231)));
}

/* Nobody knows for how long it was up. */
static void what_was_inherited_is_no_flap(void **state)
{
	struct check c = { .rise = 1, .fall = 1, .hold_down_s = 30 };
	struct hc_health h = hc_health_new(VERDICT_UP);

	(void)state;
	assert_false(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(1)));
	assert_true(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(2)));
	assert_int_equal(h.flaps, 0);
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(3)));
}

static void who_is_held_is_asked_at_the_normal_interval(void **state)
{
	struct check c = { .rise = 3, .fall = 1, .hold_down_s = 30 };
	struct hc_health h = hc_health_new(VERDICT_UNKNOWN);

	(void)state;
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(0)));
	assert_true(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(1)));
	for (int64_t s = 2; s < 31; s++) {
		assert_false(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(s)));
		assert_false(hc_health_in_doubt(&h, &c, at_s(s)));
	}
	/* One failure, and it has to prove itself anew. */
	assert_false(hc_health_feed(&h, &c, HC_MEANS_BAD, at_s(30)));
	assert_false(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(31)));
	assert_true(hc_health_in_doubt(&h, &c, at_s(31)));
	assert_false(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(32)));
	assert_true(hc_health_feed(&h, &c, HC_MEANS_GOOD, at_s(33)));
}

static void flaps_are_counted_as_far_as_they_fit(void **state)
{
	struct check c = { .rise = 1, .fall = 1 };
	struct hc_health h = hc_health_new(VERDICT_UP);

	(void)state;
	for (int64_t s = 0; s < 700; s++)
		assert_true(hc_health_feed(&h, &c, s % 2 ? HC_MEANS_GOOD : HC_MEANS_BAD, at_s(s)));
	assert_int_equal(h.flaps, UINT8_MAX);
	assert_int_equal(sizeof(h), 8);
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
	static const int wrong[] = { HC_REASON_NONE,	    HC_REASON_INHERITED,
				     HC_REASON_NOT_ALLOWED, HC_REASON_OVER_QUOTA,
				     HC_REASON_COUNT,	    HC_REASON_COUNT + 1 };
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

/* What a database says of itself may be enough where it only has to be alive; AUTH and what follows. */
static void a_role_takes_more_than_being_alive(void **state)
{
	/* Columns: role any; role writer, reader, galera. */
	static const struct {
		enum hc_reason reason;
		char any, role;
	} table[] = {
		{ HC_REASON_OK, '+', '+' },
		{ HC_REASON_AUTH, '+', '.' },
		{ HC_REASON_BLOCKED, '.', '.' },
		{ HC_REASON_SATURATED, '+', '.' },
		{ HC_REASON_NOT_READY, '-', '-' },
		{ HC_REASON_SHUTDOWN, '-', '-' },
		{ HC_REASON_ROLE, '-', '-' },
		{ HC_REASON_LAG, '-', '-' },
		{ HC_REASON_NO_SECRET, '+', '.' },
		{ HC_REASON_TLS, '-', '-' },
		{ HC_REASON_HELD_BACK, '.', '.' },
		{ HC_REASON_NOT_TLS, '-', '-' },
		{ HC_REASON_EXPIRED, '-', '-' },
		{ HC_REASON_NAME, '-', '-' },
		{ HC_REASON_CLIENT_CERTIFICATE, '-', '-' },
		{ HC_REASON_NO_HTTP2, '-', '-' },
		{ HC_REASON_DRAINING, '+', '+' },
		{ HC_REASON_DEGRADED, '+', '+' },
		{ HC_REASON_SILENT, '+', '+' },
		{ HC_REASON_DNS_ERROR, '-', '-' },
		{ HC_REASON_NOT_SERVING, '-', '-' },
		{ HC_REASON_SERVICE_UNKNOWN, '-', '-' },
		{ HC_REASON_NO_HEALTH_SERVICE, '-', '-' },
		{ HC_REASON_GRPC_STATUS, '-', '-' },
		{ HC_REASON_BROKEN_OFF, '-', '-' },
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

/* It holds at once, over failures and trouble, until a good answer says otherwise. */
static void what_a_good_answer_says_besides_holds(void **state)
{
	static const struct {
		enum hc_reason reason;
		enum hc_standing standing;
		bool changes;
	} steps[] = {
		{ HC_REASON_OK, HC_STANDING_NORMAL, false },
		{ HC_REASON_DRAINING, HC_STANDING_DRAINING, true },
		{ HC_REASON_DRAINING, HC_STANDING_DRAINING, false },
		{ HC_REASON_TIMEOUT, HC_STANDING_DRAINING, false },
		{ HC_REASON_LATE, HC_STANDING_DRAINING, false },
		{ HC_REASON_DEGRADED, HC_STANDING_DEGRADED, true },
		{ HC_REASON_STATUS, HC_STANDING_DEGRADED, false },
		{ HC_REASON_OK, HC_STANDING_NORMAL, true },
		{ HC_REASON_DEGRADED, HC_STANDING_DEGRADED, true },
		{ HC_REASON_DRAINING, HC_STANDING_DRAINING, true },
		{ HC_REASON_SILENT, HC_STANDING_NORMAL, true },
	};
	const struct check c = { .rise = 2, .fall = 3 };
	struct hc_health h = hc_health_new(VERDICT_UP);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		enum hc_meaning m = hc_reason_meaning(&c, h.state, steps[i].reason);

		assert_int_equal(hc_health_stand(&h, m, steps[i].reason), steps[i].changes);
		assert_int_equal(h.standing, steps[i].standing);
		assert_int_equal(h.state, VERDICT_UP);
	}
	assert_int_equal(sizeof(h), 8);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_lead_to_states),
		cmocka_unit_test(every_short_history_is_as_the_model_has_it),
		cmocka_unit_test(long_histories_are_as_the_model_has_them),
		cmocka_unit_test(doubt_ends_when_a_probe_confirms),
		cmocka_unit_test(each_flap_holds_it_down_twice_as_long),
		cmocka_unit_test(an_up_that_lasts_forgets_them),
		cmocka_unit_test(what_was_inherited_is_no_flap),
		cmocka_unit_test(who_is_held_is_asked_at_the_normal_interval),
		cmocka_unit_test(flaps_are_counted_as_far_as_they_fit),
		cmocka_unit_test(what_a_good_answer_says_besides_holds),
		cmocka_unit_test(every_reason_has_a_meaning),
		cmocka_unit_test(what_no_probe_results_in_is_not_asked_for),
		cmocka_unit_test(a_role_takes_more_than_being_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
