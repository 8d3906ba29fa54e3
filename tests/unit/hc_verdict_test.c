/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verdict.c: rows of results, written as words, and the states they lead to. */
#include "healthcheck/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

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
		cmocka_unit_test(doubt_ends_when_a_probe_confirms),
		cmocka_unit_test(every_reason_has_a_meaning),
		cmocka_unit_test(a_role_takes_more_than_being_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
