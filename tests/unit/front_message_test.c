/* SPDX-License-Identifier: GPL-2.0-or-later */
/* front_message.c: what core and the http process tell each other comes out as it went in. */
#include "agent/api/front_message.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct front_request full = {
	.id = 7,
	.authorization = "Bearer pst_x",
	.subject = { .name = "alice", .unit_count = 2, .units = { "ops", "dev" } },
	.request = { .method = "POST",
		     .target = "/api/v1/apply?dryRun=all",
		     .accept = "application/json",
		     .accept_language = "zh",
		     .accept_encoding = "gzip",
		     .host = "lb:9090",
		     .origin = "https://lb:9090",
		     .fetch_site = "same-origin",
		     .if_none_match = "\"1\"",
		     .last_event_id = "9",
		     .content_type = "application/json",
		     .if_match = "",
		     .idempotency_key = "k",
		     .user_agent = "curl",
		     .request_id = "a.b-1",
		     .header_bytes = 321,
		     .length = 1 << 20,
		     .has_body = true,
		     .ambiguous = true },
};

static bool read_back(const struct buf *b, struct front_request *out)
{
	struct wire w = wire_of(b->data, b->len);

	wire_front_request(&w, out);
	return wire_end(&w);
}

static void a_request_comes_out_as_it_went_in(void **state)
{
	struct front_request back;
	struct buf b = { 0 }, again = { 0 };

	(void)state;
	wire_put_front_request(&b, &full);
	assert_true(read_back(&b, &back));
	assert_int_equal(back.id, 7);
	assert_string_equal(back.authorization, "Bearer pst_x");
	assert_string_equal(back.request.method, "POST");
	assert_string_equal(back.request.target, "/api/v1/apply?dryRun=all");
	assert_string_equal(back.request.host, "lb:9090");
	assert_string_equal(back.request.if_match, "");
	assert_string_equal(back.request.request_id, "a.b-1");
	assert_int_equal(back.request.header_bytes, 321);
	assert_int_equal(back.request.length, 1 << 20);
	assert_true(back.request.has_body && back.request.ambiguous);
	assert_string_equal(back.subject.name, "alice");
	assert_int_equal(back.subject.unit_count, 2);
	assert_string_equal(back.subject.units[1], "dev");
	wire_put_front_request(&again, &back);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.data, b.data, b.len);
	front_request_done(&back);
	buf_done(&again);
	buf_done(&b);
}

/* Who it is, is not theirs to say. */
static void nothing_else_of_a_request_goes_over(void **state)
{
	struct front_request sent = full, back;
	struct buf b = { 0 };

	(void)state;
	sent.request.may_write = true;
	sent.request.peer.known = true;
	sent.request.bearer.claim = BEARER_KNOWN;
	sent.request.bearer.role = TOKEN_EDITOR;
	wire_put_front_request(&b, &sent);
	assert_true(read_back(&b, &back));
	assert_false(back.request.may_write);
	assert_false(back.request.peer.known);
	assert_int_equal(back.request.bearer.claim, BEARER_NONE);
	front_request_done(&back);
	buf_done(&b);
}

static void a_request_cut_short_or_with_more_is_refused(void **state)
{
	struct front_request back;
	struct buf b = { 0 };

	(void)state;
	wire_put_front_request(&b, &full);
	for (size_t len = 0; len < b.len; len++) {
		struct buf shorter = { .data = b.data, .len = len };

		assert_false(read_back(&shorter, &back));
		front_request_done(&back);
	}
	wire_put_u8(&b, 0);
	assert_false(read_back(&b, &back));
	front_request_done(&back);
	buf_done(&b);
}

static void a_request_without_what_it_needs_is_refused(void **state)
{
	struct front_request bad[] = { full, full, full, full };
	struct front_request back;

	(void)state;
	bad[0].request.method = NULL;
	bad[1].request.target = NULL;
	bad[2].request.request_id = "a\r\nSet-Cookie: b";
	bad[3].request.method = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b = { 0 };

		wire_put_front_request(&b, &bad[i]);
		assert_false(read_back(&b, &back));
		assert_null(back.authorization);
		buf_done(&b);
	}
}

/* What the http process has let through against its own rules is core's to refuse. */
static void an_odd_name_is_refused(void **state)
{
	struct front_request bad[] = { full, full, full };
	struct front_request back;

	(void)state;
	strcpy(bad[0].subject.name, "a\nb");
	strcpy(bad[1].subject.units[1], "\x80");
	strcpy(bad[2].subject.units[0], "");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf b = { 0 };

		wire_put_front_request(&b, &bad[i]);
		assert_false(read_back(&b, &back));
		assert_string_equal(back.subject.name, "");
		buf_done(&b);
	}
}

static void a_reply_comes_out_as_it_went_in(void **state)
{
	struct front_reply r = { .id = 3,
				 .length = FRONT_LENGTH_UNKNOWN,
				 .request_id = "x-1",
				 .reply = { .status = 201,
					    .type = "application/json",
					    .etag = "\"5\"",
					    .retry = true,
					    .gzip = true } };
	struct front_reply back;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	buf_str(&r.reply.location, "/api/v1/pools/a.b.c");
	wire_put_front_reply(&b, &r);
	w = wire_of(b.data, b.len);
	wire_front_reply(&w, &back);
	assert_true(wire_end(&w));
	assert_int_equal(back.reply.status, 201);
	assert_true(back.length == FRONT_LENGTH_UNKNOWN);
	assert_string_equal(back.reply.type, "application/json");
	assert_string_equal(back.reply.etag, "\"5\"");
	assert_string_equal(buf_cstr(&back.reply.location), "/api/v1/pools/a.b.c");
	assert_int_equal(back.reply.link.len, 0);
	assert_true(back.reply.retry && back.reply.gzip);
	assert_false(back.reply.close || back.reply.keep || back.reply.secret);
	front_reply_done(&back);
	buf_done(&r.reply.location);
	buf_done(&b);
}

static void a_piece_has_its_bounds(void **state)
{
	static uint8_t data[FRONT_PIECE_MAX + 1];
	struct front_piece p = { .id = 5, .end = FRONT_LAST, .data = data, .len = FRONT_PIECE_MAX };
	struct front_piece back;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	wire_put_front_piece(&b, &p);
	w = wire_of(b.data, b.len);
	wire_front_piece(&w, &back);
	assert_true(wire_end(&w));
	assert_int_equal(back.len, FRONT_PIECE_MAX);
	assert_int_equal(back.end, FRONT_LAST);
	wire_put_u8(&b, 0);
	w = wire_of(b.data, b.len);
	wire_front_piece(&w, &back);
	assert_true(w.bad);
	buf_done(&b);
}

static void a_hello_comes_out_as_it_went_in(void **state)
{
	struct front_hello h = { .fingerprint = "AB:CD", .not_after_ms = 5 }, back;
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	assert_int_equal(endpoint_parse("[2001:db8::1]:9090", IPPROTO_TCP, &h.listen), 0);
	wire_put_front_hello(&b, &h);
	w = wire_of(b.data, b.len);
	wire_front_hello(&w, &back);
	assert_true(wire_end(&w));
	assert_string_equal(back.fingerprint, "AB:CD");
	assert_int_equal(endpoint_cmp(&back.listen, &h.listen), 0);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_out_as_it_went_in),
		cmocka_unit_test(nothing_else_of_a_request_goes_over),
		cmocka_unit_test(a_request_cut_short_or_with_more_is_refused),
		cmocka_unit_test(a_request_without_what_it_needs_is_refused),
		cmocka_unit_test(an_odd_name_is_refused),
		cmocka_unit_test(a_reply_comes_out_as_it_went_in),
		cmocka_unit_test(a_piece_has_its_bounds),
		cmocka_unit_test(a_hello_comes_out_as_it_went_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
