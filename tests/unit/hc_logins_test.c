/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logins.c, account.c: who may log in, and when a server is spared. */
#include "healthcheck/logins.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/pki.h"

struct ground {
	struct hc_logins *logins;
	struct check *check;
	struct endpoint server;
	mono_t now;
};

static const struct hc_outcome ok = { HC_REASON_OK, 0 };
static const struct hc_outcome timeout = { HC_REASON_TIMEOUT, 0 };

static void put(struct ground *g, const char *name, const char *password)
{
	struct hc_secret s = { .name = xstrdup(name), .present = password != NULL };

	if (password) {
		s.username = xstrdup("parasaus");
		s.password = xstrdup(password);
	}
	hc_logins_put(g->logins, &s);
	hc_secret_done(&s);
}

static int up(void **state)
{
	struct ground *g = xcalloc(1, sizeof(*g));

	g->logins = hc_logins_new();
	g->check = check_new(CHECK_MYSQL);
	g->check->secret = xstrdup("db/check");
	g->now = (mono_t){ 1000000000 };
	assert_int_equal(endpoint_parse("10.0.0.1:3306", IPPROTO_TCP, &g->server), 0);
	*state = g;
	return 0;
}

static int down(void **state)
{
	struct ground *g = *state;

	hc_logins_free(g->logins);
	check_unref(g->check);
	free(g);
	return 0;
}

static struct hc_login *login_of(struct ground *g)
{
	return hc_login_new(g->logins, g->check, &g->server);
}

/* Begins a probe: is it a full one? */
static bool begins_full(struct ground *g, struct hc_login *l)
{
	struct hc_account *a = hc_login_account(l, g->now);
	bool is_full = a != NULL;

	hc_account_unref(a);
	return is_full;
}

static struct hc_outcome ends(struct ground *g, struct hc_login *l, enum hc_login_end end,
			      struct hc_outcome o)
{
	return hc_login_ended(l, end, o, g->now);
}

static const char *notice(struct ground *g)
{
	static char text[512];

	return hc_logins_notice(g->logins, text, sizeof(text)) ? text : NULL;
}

static void a_secret_may_come_before_or_after_its_target(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g);
	struct hc_account *a;

	assert_false(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, ok).reason, HC_REASON_NO_SECRET);
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, timeout).reason, HC_REASON_TIMEOUT);
	put(g, "db/check", "a word");
	a = hc_login_account(l, g->now);
	assert_string_equal(a->username, "parasaus");
	assert_string_equal(a->password, "a word");

	/* What runs keeps what it began with. */
	put(g, "db/check", "another");
	assert_string_equal(a->password, "a word");
	hc_account_unref(a);
	a = hc_login_account(l, g->now);
	assert_string_equal(a->password, "another");
	hc_account_unref(a);
	put(g, "db/check", NULL);
	assert_false(begins_full(g, l));
	hc_login_free(l);
}

/* Each has use for something else of a Secret, and for any of it. */
static void a_secret_holds_what_its_check_has_use_for(void **state)
{
	static const struct {
		enum check_type type;
		enum check_tls tls;
		bool by_login, by_ca;
	} rows[] = {
		{ CHECK_MYSQL, CHECK_TLS_REQUIRED, true, false },
		{ CHECK_HTTPS, CHECK_TLS_OFF, false, true },
		{ CHECK_REDIS, CHECK_TLS_OFF, true, false },
		{ CHECK_REDIS, CHECK_TLS_REQUIRED, true, true },
		{ CHECK_GRPC, CHECK_TLS_REQUIRED, false, true },
	};
	struct ground *g = *state;
	struct pki *ca = pki_new("ours");
	struct hc_secret s = { .name = xstrdup("db/check"), .present = true };

	s.ca_pem = xstrdup(pki_ca(ca));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hc_login *l;

		check_unref(g->check);
		g->check = check_new(rows[i].type);
		g->check->tls = rows[i].tls;
		g->check->secret = xstrdup("db/check");
		l = login_of(g);
		put(g, "db/check", "a word");
		assert_int_equal(begins_full(g, l), rows[i].by_login);
		hc_logins_put(g->logins, &s);
		assert_int_equal(begins_full(g, l), rows[i].by_ca);
		hc_login_free(l);
	}
	hc_secret_done(&s);
	pki_free(ca);
}

/* Core tells of none that is so. Nobody must be taken out for it, nor trusted that was not meant. */
static void certificates_that_are_no_use_are_no_secret(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g);
	struct hc_secret s = { .name = xstrdup("db/check"), .present = true };

	s.username = xstrdup("parasaus");
	s.password = xstrdup("a word");
	s.ca_pem = xstrdup("no certificate");
	hc_logins_put(g->logins, &s);
	assert_false(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, ok).reason, HC_REASON_NO_SECRET);
	assert_string_equal(notice(g),
			    "Secret db/check is not known, or lacks what its check needs: "
			    "servers it is for are probed half-open");
	hc_secret_done(&s);
	hc_login_free(l);
}

/* What cannot be used stands in the way of those checks alone that would go by it. */
static void a_login_goes_on_where_that_is_no_matter(void **state)
{
	static const struct {
		enum check_type type;
		enum check_tls tls;
		bool without_ca, without_pair;
	} rows[] = {
		{ CHECK_MYSQL, CHECK_TLS_OFF, true, true },
		{ CHECK_MYSQL, CHECK_TLS_PREFERRED, false, true },
		{ CHECK_POSTGRESQL, CHECK_TLS_REQUIRED, false, true },
		{ CHECK_REDIS, CHECK_TLS_OFF, true, true },
		{ CHECK_REDIS, CHECK_TLS_REQUIRED, false, false },
	};
	struct ground *g = *state;
	struct hc_secret s = { .name = xstrdup("db/check"), .present = true };

	s.username = xstrdup("parasaus");
	s.password = xstrdup("a word");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hc_login *l;

		check_unref(g->check);
		g->check = check_new(rows[i].type);
		g->check->tls = rows[i].tls;
		g->check->secret = xstrdup("db/check");
		l = login_of(g);
		s.ca_refused = true;
		s.pair_refused = false;
		hc_logins_put(g->logins, &s);
		assert_int_equal(begins_full(g, l), rows[i].without_ca);
		s.ca_refused = false;
		s.pair_refused = true;
		hc_logins_put(g->logins, &s);
		assert_int_equal(begins_full(g, l), rows[i].without_pair);
		hc_login_free(l);
	}
	hc_secret_done(&s);
}

static void a_missing_secret_is_told_once(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g), *other = login_of(g);

	assert_false(begins_full(g, l));
	assert_false(begins_full(g, other));
	assert_non_null(strstr(notice(g), "db/check is not known"));
	assert_null(notice(g));
	assert_false(begins_full(g, l));
	assert_null(notice(g));
	put(g, "db/check", "a word");
	put(g, "db/check", NULL);
	assert_false(begins_full(g, l));
	assert_non_null(notice(g)); /* gone again */
	put(g, "db/check", "a word");
	put(g, "db/check", NULL);
	assert_false(begins_full(g, l));
	put(g, "db/check", "a word"); /* there before anybody was told */
	assert_null(notice(g));
	hc_login_free(l);
	hc_login_free(other);
}

/* A core that has just begun knows targets by its state directory, and their Secrets not yet. */
static void commit_forgets_secrets_that_nobody_is_for(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g);

	put(g, "db/check", "a word");
	hc_logins_begin(g->logins);
	hc_logins_commit(g->logins);
	assert_true(begins_full(g, l));
	hc_logins_begin(g->logins);
	put(g, "db/check", NULL);
	hc_logins_commit(g->logins);
	assert_false(begins_full(g, l)); /* that it is absent was said */

	put(g, "db/check", "a word");
	hc_logins_begin(g->logins);
	hc_login_free(l);
	l = login_of(g);
	assert_true(begins_full(g, l)); /* not before commit */
	hc_login_free(l);
	hc_logins_commit(g->logins);
	l = login_of(g);
	assert_false(begins_full(g, l));
	hc_login_free(l);
}

static void break_off(struct ground *g, struct hc_login *l, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		assert_true(begins_full(g, l));
		assert_int_equal(ends(g, l, HC_LOGIN_BROKEN, timeout).reason, HC_REASON_TIMEOUT);
	}
}

static void a_server_is_spared_after_many_broken_logins(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g);

	put(g, "db/check", "a word");
	break_off(g, l, HC_LOGINS_BROKEN - 1);
	assert_null(notice(g));
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_GOOD, ok); /* the server forgets them, too */
	break_off(g, l, HC_LOGINS_BROKEN);
	assert_non_null(strstr(notice(g), "once a minute"));

	/* Half-open: that it answers says nothing, that it does not says all. */
	assert_false(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, ok).reason, HC_REASON_HELD_BACK);
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, timeout).reason, HC_REASON_TIMEOUT);
	for (int minute = 0; minute < 5; minute++) {
		g->now = mono_add_ms(g->now, HC_LOGINS_PAUSE_MS - 1);
		assert_false(begins_full(g, l));
		g->now = mono_add_ms(g->now, 1);
		break_off(g, l, 1);
		assert_null(notice(g)); /* as before */
	}
	g->now = mono_add_ms(g->now, HC_LOGINS_PAUSE_MS);
	assert_true(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_GOOD, ok).reason, HC_REASON_OK);
	assert_true(begins_full(g, l)); /* at once all is as before */
	hc_login_free(l);
}

static void a_refusal_neither_counts_nor_forgives(void **state)
{
	static const struct hc_outcome refused = { HC_REASON_AUTH, 1045 };
	struct ground *g = *state;
	struct hc_login *l = login_of(g);

	put(g, "db/check", "a word");
	break_off(g, l, HC_LOGINS_BROKEN - 1);
	for (int i = 0; i < 100; i++) {
		assert_true(begins_full(g, l));
		assert_int_equal(ends(g, l, HC_LOGIN_REFUSED, refused).reason, HC_REASON_AUTH);
	}
	assert_non_null(strstr(notice(g), "(error 1045)"));
	assert_null(notice(g));
	break_off(g, l, 1);
	assert_false(begins_full(g, l));
	hc_login_free(l);
}

static void targets_of_one_server_share_its_count(void **state)
{
	struct ground *g = *state;
	struct hc_login *l = login_of(g), *other = login_of(g), *elsewhere;

	put(g, "db/check", "a word");
	break_off(g, l, HC_LOGINS_BROKEN / 2);
	break_off(g, other, HC_LOGINS_BROKEN / 2);
	assert_false(begins_full(g, l));
	assert_false(begins_full(g, other));
	g->server.port++;
	elsewhere = login_of(g);
	assert_true(begins_full(g, elsewhere));
	hc_login_free(l);
	assert_false(begins_full(g, other));
	hc_login_free(other);
	hc_login_free(elsewhere);
}

static void a_lock_out_is_waited_for(void **state)
{
	static const struct hc_outcome blocked = { HC_REASON_BLOCKED, 1129 };
	struct ground *g = *state;
	struct hc_login *l = login_of(g);

	put(g, "db/check", "a word");
	assert_true(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_REFUSED, blocked).reason, HC_REASON_BLOCKED);
	assert_non_null(strstr(notice(g), "FLUSH HOSTS"));
	assert_false(begins_full(g, l));
	assert_int_equal(ends(g, l, HC_LOGIN_NONE, ok).reason, HC_REASON_BLOCKED);
	g->now = mono_add_ms(g->now, HC_LOGINS_PAUSE_MS);
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_REFUSED, blocked);
	assert_false(begins_full(g, l));
	assert_null(notice(g));
	g->now = mono_add_ms(g->now, HC_LOGINS_PAUSE_MS);
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_GOOD, ok);
	assert_true(begins_full(g, l));
	hc_login_free(l);
}

static void what_ends_before_it_was_told_is_not_told(void **state)
{
	static const struct hc_outcome refused = { HC_REASON_AUTH, 1045 };
	struct ground *g = *state;
	struct hc_login *l = login_of(g);

	put(g, "db/check", "a word");
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_REFUSED, refused);
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_GOOD, ok);
	assert_null(notice(g));
	assert_true(begins_full(g, l));
	ends(g, l, HC_LOGIN_REFUSED, refused);
	hc_login_free(l); /* its news go with it */
	assert_null(notice(g));
}

int main(void)
{
#define GROUND(test) cmocka_unit_test_setup_teardown(test, up, down)
	static const struct CMUnitTest tests[] = {
		GROUND(a_secret_may_come_before_or_after_its_target),
		GROUND(a_secret_holds_what_its_check_has_use_for),
		GROUND(certificates_that_are_no_use_are_no_secret),
		GROUND(a_login_goes_on_where_that_is_no_matter),
		GROUND(a_missing_secret_is_told_once),
		GROUND(commit_forgets_secrets_that_nobody_is_for),
		GROUND(a_server_is_spared_after_many_broken_logins),
		GROUND(a_refusal_neither_counts_nor_forgives),
		GROUND(targets_of_one_server_share_its_count),
		GROUND(a_lock_out_is_waited_for),
		GROUND(what_ends_before_it_was_told_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
