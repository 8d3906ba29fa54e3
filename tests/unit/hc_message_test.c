/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.c: what core and the healthcheck process tell each other comes out as it went in. */
#include "healthcheck/message.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/channel.h"

static struct hc_target target_of(const char *where, enum check_type type)
{
	struct hc_target t = { .check = check_new(type), .initial = VERDICT_DOWN };

	assert_int_equal(endpoint_parse(where, IPPROTO_TCP, &t.endpoint), 0);
	t.id = check_target_id(t.check, &t.endpoint);
	return t;
}

/* By the VIP 192.0.2.1, from a port of its own. */
static struct hc_target vip_target(enum check_type type)
{
	const struct check_way way = { .vip_v4 = addr_v4(0xc0000201) };
	struct hc_target t = target_of("10.0.0.1:80", type);
	struct check *c = t.check;

	c->via = CHECK_VIA_VIP;
	t.check = check_on_way(c, &way);
	check_unref(c);
	t.id = check_target_id(t.check, &t.endpoint);
	t.from_port = 61007;
	return t;
}

static bool read_back(const struct buf *b, struct hc_target *out)
{
	struct wire w = wire_of(b->data, b->len);

	wire_hc_target(&w, out);
	return wire_end(&w);
}

static void a_target_comes_out_as_it_went_in(void **state)
{
	static const char *const where[] = { "10.0.0.1:80", "[2001:db8::1]:443" };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct hc_target t = target_of(where[i % 2], i / 2 ? CHECK_HTTP : CHECK_TCP), back;
		struct buf b = { 0 };

		wire_put_hc_target(&b, &t);
		assert_true(read_back(&b, &back));
		assert_int_equal(back.id, t.id);
		assert_int_equal(endpoint_cmp(&back.endpoint, &t.endpoint), 0);
		assert_true(check_equal(back.check, t.check));
		assert_int_equal(back.initial, VERDICT_DOWN);
		check_unref(back.check);
		check_unref(t.check);
		buf_done(&b);
	}
}

static void a_port_of_its_own_is_of_who_goes_by_a_vip(void **state)
{
	struct hc_target t = vip_target(CHECK_HTTPS), back;
	struct hc_target plain = target_of("10.0.0.1:80", CHECK_HTTPS);
	struct buf b = { 0 };

	(void)state;
	wire_put_hc_target(&b, &t);
	assert_true(read_back(&b, &back));
	assert_int_equal(back.from_port, 61007);
	assert_int_equal(back.id, t.id);
	assert_int_not_equal(t.id, plain.id);
	check_unref(back.check);
	buf_done(&b);
	/* It is of the other family, and so by none. */
	assert_int_equal(endpoint_parse("[2001:db8::1]:443", IPPROTO_TCP, &t.endpoint), 0);
	t.id = check_target_id(t.check, &t.endpoint);
	b = (struct buf){ 0 };
	wire_put_hc_target(&b, &t);
	assert_false(read_back(&b, &back));
	buf_done(&b);
	check_unref(t.check);
	check_unref(plain.check);
}

static void a_target_cut_short_or_changed_is_refused(void **state)
{
	struct hc_target t = target_of("10.0.0.1:80", CHECK_HTTP), back;
	struct buf b = { 0 };

	(void)state;
	wire_put_hc_target(&b, &t);
	for (size_t i = 0; i < b.len; i++) {
		struct buf cut = { b.data, i, i };

		assert_false(read_back(&cut, &back));
		assert_null(back.check);
		/* The id is of all that follows but the initial state: any other byte breaks it, and
		 * a port of its own is not for a check like this. */
		if (i + 3 == b.len)
			continue;
		b.data[i] ^= 1;
		assert_false(read_back(&b, &back));
		assert_null(back.check);
		b.data[i] ^= 1;
	}
	b.data[b.len - 3] = 3; /* no such state */
	assert_false(read_back(&b, &back));
	check_unref(t.check);
	buf_done(&b);
}

static void facts_come_out_as_they_went_in(void **state)
{
	struct hc_verdict v = { .id = 1,
				.sequence = 2,
				.state = VERDICT_UP,
				.reason = HC_REASON_STATUS,
				.detail = 503,
				.proven = true,
				.flaps = 7,
				.since_ms = 1700000000000,
				.ok = 4,
				.failed = 5,
				.latency_us = 6,
				.held_ms = 300000 };
	struct hc_status s = { .targets = 1,
			       .up = 2,
			       .down = 3,
			       .in_flight = 4,
			       .probes = 5,
			       .inconclusive = 6,
			       .lag_ms = 7,
			       .deferred = 8,
			       .late = { { 9, [HISTOGRAM_BOUNDS] = 10 }, 11 },
			       .latency = { [CHECK_NONE] = { { 12 }, 13 },
					    [CHECK_TYPES - 1] = { { [3] = 14 }, 15 } } };
	struct hc_sight g = {
		1, true, true, false, true, 2, 3, 4, 5, -6, HC_REASON_LAG, -1, 7, 8, 9
	};
	struct hc_verdict v2;
	struct hc_status s2;
	struct hc_sight g2;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	wire_put_hc_verdict(&b, &v);
	wire_put_hc_status(&b, &s);
	wire_put_hc_sight(&b, &g);
	w = wire_of(b.data, b.len);
	wire_hc_verdict(&w, &v2);
	wire_hc_status(&w, &s2);
	wire_hc_sight(&w, &g2);
	assert_true(wire_end(&w));
	assert_int_equal(v2.id, v.id);
	assert_int_equal(v2.sequence, v.sequence);
	assert_int_equal(v2.state, v.state);
	assert_int_equal(v2.reason, v.reason);
	assert_int_equal(v2.detail, v.detail);
	assert_true(v2.proven);
	assert_int_equal(v2.since_ms, v.since_ms);
	assert_int_equal(v2.ok, v.ok);
	assert_int_equal(v2.failed, v.failed);
	assert_int_equal(v2.latency_us, v.latency_us);
	assert_int_equal(v2.flaps, v.flaps);
	assert_int_equal(v2.held_ms, v.held_ms);
	assert_int_equal(hc_verdict_held_until(&v2), 1700000300000);
	v2.held_ms = 0;
	assert_int_equal(hc_verdict_held_until(&v2), 0);
	assert_int_equal(s2.targets, s.targets);
	assert_int_equal(s2.up, s.up);
	assert_int_equal(s2.down, s.down);
	assert_int_equal(s2.in_flight, s.in_flight);
	assert_int_equal(s2.probes, s.probes);
	assert_int_equal(s2.inconclusive, s.inconclusive);
	assert_int_equal(s2.lag_ms, s.lag_ms);
	assert_int_equal(s2.deferred, s.deferred);
	assert_memory_equal(&s2.late, &s.late, sizeof(s.late));
	assert_memory_equal(s2.latency, s.latency, sizeof(s.latency));
	assert_int_equal(g2.id, 1);
	assert_true(g2.is_known && g2.is_probed && !g2.is_under_way && g2.has_begun);
	assert_int_equal(g2.streak, 2);
	assert_int_equal(g2.interval_ms, 3);
	assert_int_equal(g2.took_us, 4);
	assert_int_equal(g2.began_ago_ms, 5);
	assert_int_equal(g2.due_in_ms, -6);
	assert_int_equal(g2.reason, HC_REASON_LAG);
	assert_int_equal(g2.detail, -1);
	assert_int_equal(g2.ok, 7);
	assert_int_equal(g2.failed, 8);
	assert_int_equal(g2.latency_us, 9);
	buf_done(&b);
}

/* What is wrong with the latency that a status ends with: how many, then each with its type. */
static void latency_is_told_in_one_way_alone(void **state)
{
	static const struct {
		uint8_t count, first, second;
		bool is_good;
	} cases[] = {
		{ 2, CHECK_TCP, CHECK_HTTP, true },
		{ 2, CHECK_HTTP, CHECK_TCP, false },
		{ 2, CHECK_TCP, CHECK_TCP, false },
		{ 2, CHECK_TCP, CHECK_TYPES, false },
		{ 1, CHECK_TCP, CHECK_HTTP, false },
		{ 3, CHECK_TCP, CHECK_HTTP, false },
		{ CHECK_TYPES + 1, CHECK_TCP, CHECK_HTTP, false },
	};
	const size_t each = 1 + (HISTOGRAM_BOUNDS + 2) * 8;
	struct hc_status s = { 0 };

	(void)state;
	s.latency[CHECK_TCP].counts[0] = s.latency[CHECK_HTTP].counts[0] = 1;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		struct hc_status back;
		struct wire w;
		uint8_t *end;

		wire_put_hc_status(&b, &s);
		end = b.data + b.len;
		end[-(ptrdiff_t)(2 * each) - 1] = cases[i].count;
		end[-(ptrdiff_t)(2 * each)] = cases[i].first;
		end[-(ptrdiff_t)each] = cases[i].second;
		w = wire_of(b.data, b.len);
		wire_hc_status(&w, &back);
		assert_int_equal(wire_end(&w), cases[i].is_good);
		/* An empty one is left out. */
		memset(end - each + 1, 0, each - 1);
		w = wire_of(b.data, b.len);
		wire_hc_status(&w, &back);
		assert_false(wire_end(&w));
	}
}

static void times_that_nobody_can_mean_are_refused(void **state)
{
	static const struct {
		int64_t ago, in;
		bool is_good;
	} cases[] = { { 0, -1, true },
		      { HC_SIGHT_MAX_MS, HC_SIGHT_MAX_MS, true },
		      { -1, 0, false },
		      { HC_SIGHT_MAX_MS + 1, 0, false },
		      { 0, HC_SIGHT_MAX_MS + 1, false },
		      { 0, INT64_MIN, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_done) struct buf b = { 0 };
		struct hc_sight s = { .began_ago_ms = cases[i].ago, .due_in_ms = cases[i].in };
		struct wire w;

		wire_put_hc_sight(&b, &s);
		w = wire_of(b.data, b.len);
		wire_hc_sight(&w, &s);
		assert_int_equal(wire_end(&w), cases[i].is_good);
	}
}

static bool read_secret(const struct buf *b, struct hc_secret *out)
{
	struct wire w = wire_of(b->data, b->len);

	wire_hc_secret(&w, out);
	return wire_end(&w);
}

static void assert_text(const char *got, const char *want)
{
	if (want)
		assert_string_equal(got, want);
	else
		assert_null(got);
}

static void a_secret_comes_out_as_it_went_in(void **state)
{
	static char ca[HC_SECRET_CA_MAX + 1], name[CHECK_SECRET_MAX + 1];
	static char user[HC_SECRET_USERNAME_MAX + 1], word[HC_SECRET_PASSWORD_MAX + 1];
	static char pem[HC_SECRET_CERTIFICATE_MAX + 1], key[HC_SECRET_KEY_MAX + 1];
	static char gone[] = "db/gone", check[] = "db/check", parasaus[] = "parasaus", blank[] = "";
	const struct hc_secret secrets[] = {
		{ .name = gone },
		{ .name = check, .present = true, .username = parasaus, .password = blank },
		{ .name = check, .present = true, .ca_pem = parasaus },
		{ .name = check, .present = true, .certificate = parasaus, .key = parasaus },
		{ .name = check,
		  .present = true,
		  .username = parasaus,
		  .password = blank,
		  .ca_refused = true },
		{ .name = check, .present = true, .ca_pem = parasaus, .pair_refused = true },
		/* the longest, and still one message */
		{ name, true, user, word, ca, pem, key, false, false },
	};

	(void)state;
	memset(ca, 'c', sizeof(ca) - 1);
	memset(name, 'n', sizeof(name) - 1);
	name[63] = '/';
	memcpy(name + sizeof(name) - 4, "@15", 3);
	memset(user, 'u', sizeof(user) - 1);
	memset(word, 'w', sizeof(word) - 1);
	memset(pem, 'p', sizeof(pem) - 1);
	memset(key, 'k', sizeof(key) - 1);
	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		CLEANUP(buf_wipe) struct buf b = { 0 };
		struct hc_secret back;
		size_t cap;

		wire_put_hc_secret(&b, &secrets[i]);
		cap = b.cap;
		assert_in_range(b.len, 1, CHANNEL_BODY_MAX);
		assert_true(read_secret(&b, &back));
		assert_string_equal(back.name, secrets[i].name);
		assert_int_equal(back.present, secrets[i].present);
		assert_text(back.username, secrets[i].username);
		assert_text(back.password, secrets[i].password);
		assert_text(back.ca_pem, secrets[i].ca_pem);
		assert_text(back.certificate, secrets[i].certificate);
		assert_text(back.key, secrets[i].key);
		assert_int_equal(back.ca_refused, secrets[i].ca_refused);
		assert_int_equal(back.pair_refused, secrets[i].pair_refused);
		hc_secret_done(&back);
		assert_null(back.password);
		for (size_t len = 0; len < b.len; len += 1 + len / 50) {
			struct buf cut = { b.data, len, cap };

			assert_false(read_secret(&cut, &back));
			assert_null(back.name);
		}
	}
}

static void a_secret_out_of_bounds_is_refused(void **state)
{
	static char ca[HC_SECRET_CA_MAX + 2];
	static char user[HC_SECRET_USERNAME_MAX + 2], word[HC_SECRET_PASSWORD_MAX + 2];
	static char name[] = "db/check", no_name[] = "check", text[] = "x", empty[] = "";
	static char pem[HC_SECRET_CERTIFICATE_MAX + 2], key[HC_SECRET_KEY_MAX + 2];
	const struct hc_secret bad[] = {
		{ .name = no_name, .present = true, .username = text, .password = text },
		{ .name = name, .present = true, .username = user, .password = text },
		{ .name = name, .present = true, .username = text, .password = word },
		{ .name = name, .present = true, .username = text, .password = text, .ca_pem = ca },
		{ .name = name, .present = true, .username = empty, .password = text },
		{ .name = name, .present = true, .password = text, .ca_pem = text },
		{ .name = name, .present = true },
		{ .name = name, .present = true, .certificate = text },
		{ .name = name, .present = true, .ca_pem = text, .key = text },
		{ .name = name, .present = true, .certificate = pem, .key = text },
		{ .name = name, .present = true, .certificate = text, .key = key },
		{ .name = name, .username = text },
		{ .name = name, .password = text },
		{ .name = name, .ca_pem = text },
		{ .name = name, .certificate = text, .key = text },
		{ .name = name, .ca_refused = true },
		{ .name = name, .present = true, .ca_pem = text, .ca_refused = true },
		{ .name = name,
		  .present = true,
		  .certificate = text,
		  .key = text,
		  .pair_refused = true },
	};

	(void)state;
	memset(ca, 'c', sizeof(ca) - 1);
	memset(user, 'u', sizeof(user) - 1);
	memset(word, 'w', sizeof(word) - 1);
	memset(pem, 'p', sizeof(pem) - 1);
	memset(key, 'k', sizeof(key) - 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(buf_wipe) struct buf b = { 0 };
		struct hc_secret back;

		wire_put_hc_secret(&b, &bad[i]);
		assert_false(read_secret(&b, &back));
		assert_null(back.name);
	}
}

static void enums_out_of_range_are_refused(void **state)
{
	/* Offsets of state, reason, proven and standing in a verdict. */
	static const size_t at[] = { 16, 17, 22, 23 };
	static const uint8_t beyond[] = { VERDICT_DOWN + 1, HC_REASON_COUNT, 2,
					  HC_STANDING_DRAINING + 1 };
	struct hc_verdict v = { .id = 1 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct buf b = { 0 };
		struct wire w;

		wire_put_hc_verdict(&b, &v);
		b.data[at[i]] = beyond[i];
		w = wire_of(b.data, b.len);
		wire_hc_verdict(&w, &v);
		assert_true(w.bad);
		buf_done(&b);
	}
}

static void every_reason_has_a_text_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HC_REASON_COUNT; i++) {
		const char *text = hc_reason_text((enum hc_reason)i);

		assert_in_range(strlen(text), 1, 23); /* columns are that wide */
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(text, hc_reason_text((enum hc_reason)k));
	}
	assert_string_equal(hc_reason_text(HC_REASON_COUNT), "?");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_comes_out_as_it_went_in),
		cmocka_unit_test(a_port_of_its_own_is_of_who_goes_by_a_vip),
		cmocka_unit_test(a_target_cut_short_or_changed_is_refused),
		cmocka_unit_test(facts_come_out_as_they_went_in),
		cmocka_unit_test(latency_is_told_in_one_way_alone),
		cmocka_unit_test(times_that_nobody_can_mean_are_refused),
		cmocka_unit_test(a_secret_comes_out_as_it_went_in),
		cmocka_unit_test(a_secret_out_of_bounds_is_refused),
		cmocka_unit_test(enums_out_of_range_are_refused),
		cmocka_unit_test(every_reason_has_a_text_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
