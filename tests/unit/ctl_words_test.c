/* SPDX-License-Identifier: GPL-2.0-or-later */
/* words.c, table.c: the agent's answers as people read them. */
#include "agent/ctl/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/ctl/table.h"
#include "healthcheck/message.h"

#define NOW INT64_C(1795316400000) /* 2026-11-22T03:00:00Z */

static void times_are_read(void **state)
{
	int64_t ms = 0;

	(void)state;
	assert_true(words_time("2026-11-22T03:00:00.000Z", &ms));
	assert_true(ms == NOW);
	assert_true(words_time("1970-01-01T00:00:00.001Z", &ms));
	assert_true(ms == 1);
	assert_false(words_time("", &ms));
	assert_false(words_time("2026-11-22", &ms));
	assert_false(words_time("2026-11-22T03:00:00.000Z!", &ms));
	assert_false(words_time("2026-11-22T03:00:00.000+01:00", &ms));
}

static void spans_are_short(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = { { -5000, "0s" },
		      { 999, "0s" },
		      { 119000, "119s" },
		      { 120000, "2m" },
		      { 7199000, "119m" },
		      { 7200000, "2h" },
		      { INT64_C(172799000), "47h" },
		      { INT64_C(172800000), "2d" } };
	char out[WORDS_SPAN_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(words_span(cases[i].ms, out), cases[i].text);
}

/* A member's sentence: of these fields, in a pool whose check needs two successes. */
static void check_sentence(const char *fields, const char *sentence)
{
	static const char pool[] = "{\"check\":{\"type\":\"http\",\"rise\":2}}";
	struct doc_set p, m;
	struct buf out = { 0 };
	struct err err;

	assert_int_equal(doc_read_json(pool, strlen(pool), &DOC_LIMITS_DEFAULT, &p, &err), 0);
	assert_int_equal(doc_read_json(fields, strlen(fields), &DOC_LIMITS_DEFAULT, &m, &err), 0);
	words_member(p.roots[0], m.roots[0], NOW, &out);
	assert_string_equal(buf_cstr(&out), sentence);
	buf_done(&out);
	doc_set_done(&m);
	doc_set_done(&p);
}

static void members_are_explained(void **state)
{
	(void)state;
	check_sentence("{\"inTable\":true,\"weight\":3,\"effectiveWeight\":3,\"reasons\":[],"
		       "\"state\":\"up\",\"target\":null}",
		       "IN: weight 3. It is not checked.");
	check_sentence("{\"inTable\":true,\"weight\":1,\"effectiveWeight\":0,"
		       "\"reasons\":[\"unhealthy\"],\"state\":\"down\",\"target\":\"1\","
		       "\"since\":\"2026-11-22T02:59:00.000Z\","
		       "\"removeAt\":\"2026-11-22T03:00:29.500Z\","
		       "\"lastCheck\":{\"reason\":\"timeout\"}}",
		       "OUT: in the kernel's table with weight 0, so no new connections; its check "
		       "fails. It has been down for 60s. Last check: no answer in time. It leaves "
		       "the kernel's table in 29s unless it is back. 2 successes in a row bring it "
		       "back.");
	check_sentence("{\"inTable\":true,\"weight\":1,\"effectiveWeight\":1,"
		       "\"reasons\":[\"unhealthy\",\"fail-open\"],\"state\":\"down\","
		       "\"target\":\"1\",\"since\":null,\"lastCheck\":null}",
		       "IN: weight 1; it is down, and kept because no member of the pool is up, or "
		       "too few are. It is down. 2 successes in a row bring it up.");
	check_sentence("{\"inTable\":false,\"weight\":1,\"effectiveWeight\":0,"
		       "\"reasons\":[\"unhealthy\",\"held-down\"],\"state\":\"down\","
		       "\"target\":\"1\",\"since\":\"2026-11-22T02:59:00.000Z\","
		       "\"lastCheck\":{\"reason\":\"ok\",\"flaps\":3,"
		       "\"heldUntil\":\"2026-11-22T03:01:00.000Z\"}}",
		       "OUT: not in the kernel's table; its check fails; it came up and fell again "
		       "too often. It has been down for 60s. Last check: it answered well. It is "
		       "held down for another 60s, whatever its check finds: it came up and fell "
		       "again within 10 minutes 3 times.");
	check_sentence("{\"inTable\":true,\"weight\":20,\"effectiveWeight\":4,"
		       "\"reasons\":[\"slow-start\"],\"state\":\"up\",\"target\":\"1\"}",
		       "IN: weight 4 of 20; it is up again, and its weight grows by and by. It is "
		       "up.");
	check_sentence("{\"inTable\":true,\"weight\":7,\"effectiveWeight\":0,"
		       "\"reasons\":[\"draining\"],\"state\":\"up\",\"target\":\"1\","
		       "\"lastCheck\":{\"reason\":\"draining\",\"detail\":503}}",
		       "OUT: in the kernel's table with weight 0, so no new connections; it says "
		       "that it is about to go. It is up. Last check: it answered that it is about "
		       "to go.");
	check_sentence("{\"inTable\":true,\"weight\":7,\"effectiveWeight\":1,"
		       "\"reasons\":[\"degraded\"],\"state\":\"up\",\"target\":\"1\"}",
		       "IN: weight 1 of 7; it says that it is not at its best. It is up.");
	check_sentence(
		"{\"inTable\":true,\"weight\":1,\"effectiveWeight\":1,"
		"\"reasons\":[\"mass-failure\"],\"state\":\"down\",\"target\":\"1\"}",
		"IN: weight 1; it went down with many others at once, and is kept as yet. It "
		"is down.");
	check_sentence("{\"inTable\":false,\"reasons\":[\"unproven\"],\"state\":\"unknown\","
		       "\"target\":\"1\"}",
		       "OUT: not in the kernel's table; it was never seen up, and others are. "
		       "Whether it is up is not known yet. Its first success brings it in.");
}

/* An agent that is newer, or no agent of ours: nothing is certain, nothing breaks. */
static void strange_answers_do_no_harm(void **state)
{
	(void)state;
	check_sentence("{}", "OUT: not in the kernel's table. It is not checked.");
	check_sentence("[]", "OUT: not in the kernel's table. It is not checked.");
	check_sentence("{\"inTable\":1,\"reasons\":\"x\",\"state\":[],\"target\":7}",
		       "OUT: not in the kernel's table. It is not checked.");
	check_sentence("{\"inTable\":true,\"weight\":1,\"effectiveWeight\":1,"
		       "\"reasons\":[\"from the future\"],\"state\":\"up\",\"target\":\"1\","
		       "\"lastCheck\":{\"reason\":\"from-the-future\"}}",
		       "IN: weight 1; from the future. It is up. Last check: from-the-future.");
}

static void every_result_of_a_probe_has_words(void **state)
{
	(void)state;
	for (unsigned r = HC_REASON_NONE; r < HC_REASON_COUNT; r++) {
		CLEANUP(buf_done) struct buf json = { 0 };
		CLEANUP(buf_done) struct buf out = { 0 };
		struct doc_set d;
		struct err err;
		char word[24];

		/* As REST has it: a word. */
		snprintf(word, sizeof(word), "%s", hc_reason_text((enum hc_reason)r));
		for (char *p = word; *p; p++)
			*p = (char)(*p == ' ' ? '-' : *p);
		buf_printf(&json, "{\"reason\":\"%s\",\"detail\":7}", word);
		assert_int_equal(
			doc_read_json(buf_cstr(&json), json.len, &DOC_LIMITS_DEFAULT, &d, &err), 0);
		words_result(d.roots[0], &out);
		if (strcmp(buf_cstr(&out), word) == 0)
			fail_msg("nobody knows what %s is", word);
		doc_set_done(&d);
	}
}

static void tables_are_aligned(void **state)
{
	static const char *const heads[] = { "NAME", ">N", "WHY", NULL };
	struct buf out = { 0 };
	struct table t;

	(void)state;
	table_init(&t, heads);
	table_cell(&t, "caf\xc3\xa9");
	table_cellf(&t, "%d", 5);
	table_cell(&t, "a\nb");
	table_cell(&t, "a longer one");
	table_cellf(&t, "%d", 1234);
	table_cell(&t, "");
	table_print(&t, &out);
	assert_string_equal(buf_cstr(&out), "NAME             N  WHY\n"
					    "caf\xc3\xa9             5  a b\n"
					    "a longer one  1234  -\n");
	table_done(&t);
	buf_done(&out);
}

#define TIMES                                                                               \
	"\"port\":0,\"intervalMilliseconds\":2000,\"timeoutMilliseconds\":1000,\"rise\":2," \
	"\"fall\":3}"
#define TIMES_SAID ", every 2s, timeout 1s; 3 failures in a row: down, 2 successes: up"

static void checks_are_described(void **state)
{
	static const struct {
		const char *check, *words;
	} cases[] = {
		{ "{\"type\":\"tcp\"," TIMES, "tcp to the member's port" TIMES_SAID },
		{ "{\"type\":\"tcp\",\"holdDownSeconds\":30," TIMES,
		  "tcp to the member's port" TIMES_SAID
		  "; flapping holds it down for 30 s and longer" },
		{ "{\"type\":\"tcp-full\",\"send\":null,\"answer\":\"220 \"," TIMES,
		  "tcp-full to the member's port, \"220 \" in the answer" TIMES_SAID },
		{ "{\"type\":\"tcp-full\",\"send\":\"x\\\\r\",\"answer\":null," TIMES,
		  "tcp-full to the member's port, sends \"x\\r\"" TIMES_SAID },
		{ "{\"type\":\"udp\",\"send\":null,\"answer\":\"pong\"," TIMES,
		  "udp to the member's port, \"pong\" in the answer" TIMES_SAID },
		{ "{\"type\":\"dns\",\"dnsName\":\"a.b\",\"dnsType\":\"NS\",\"dnsRcodes\":"
		  "\"NOERROR\"," TIMES,
		  "dns a.b NS to the member's port, NOERROR expected" TIMES_SAID },
		{ "{\"type\":\"grpc\",\"service\":null,\"host\":null," TIMES,
		  "grpc to the member's port" TIMES_SAID },
		{ "{\"type\":\"grpc\",\"service\":\"shop.v1.Cart\",\"host\":\"shop."
		  "example\"," TIMES,
		  "grpc service shop.v1.Cart of shop.example to the member's port" TIMES_SAID },
		{ "{\"type\":\"https\",\"path\":\"/\",\"secret\":null,\"serverName\":null," TIMES,
		  "https GET / to the member's port" TIMES_SAID },
		{ "{\"type\":\"https\",\"path\":\"/\",\"secret\":\"a/"
		  "b\",\"serverName\":\"h\"," TIMES,
		  "https by the certificates in Secret a/b, as h, GET / to the member's "
		  "port" TIMES_SAID },
		{ "{\"type\":\"http\",\"path\":\"/\",\"expect\":\"200\",\"drainStatus\":\"503\","
		  "\"degradedStatus\":\"520-529\"," TIMES,
		  "http GET / to the member's port, status 200 expected, 503: it drains, "
		  "520-529: it is degraded" TIMES_SAID },
		{ "{\"type\":\"http\",\"via\":\"vip\",\"path\":\"/\",\"expect\":\"200\"," TIMES,
		  "http GET / to the member's port, by the VIP, status 200 expected" TIMES_SAID },
		{ "{\"type\":\"http\",\"via\":\"direct\",\"path\":\"/\",\"expect\":\"200\"," TIMES,
		  "http GET / to the member's port, status 200 expected" TIMES_SAID },
		{ "{\"type\":\"http\",\"path\":\"/\",\"expect\":\"200\",\"reuse\":100," TIMES,
		  "http GET / to the member's port, status 200 expected, up to 100 probes by one "
		  "connection" TIMES_SAID },
		{ "{\"type\":\"http\",\"path\":\"/\",\"expect\":\"200\",\"reuse\":1," TIMES,
		  "http GET / to the member's port, status 200 expected" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":null,\"role\":\"any\"," TIMES,
		  "redis without a login to the member's port" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":null,\"role\":\"writer\"," TIMES,
		  "redis without a login, role writer, to the member's port" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":\"a/b\",\"role\":\"any\"," TIMES,
		  "redis by the account in Secret a/b, to the member's port" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":\"a/b\",\"role\":\"any\",\"tls\":\"off\","
		  "\"serverName\":null," TIMES,
		  "redis by the account in Secret a/b, to the member's port" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":\"a/b\",\"role\":\"any\",\"tls\":\"required\","
		  "\"serverName\":\"h\"," TIMES,
		  "redis by what is in Secret a/b, TLS required, as h, to the member's "
		  "port" TIMES_SAID },
		{ "{\"type\":\"redis\",\"secret\":null,\"role\":\"any\",\"tls\":\"required\","
		  "\"serverName\":null," TIMES,
		  "redis without a login, TLS required, to the member's port" TIMES_SAID },
		{ "{\"type\":\"grpc\",\"service\":null,\"host\":null,\"secret\":\"a/b\","
		  "\"tls\":\"required\",\"serverName\":\"h\"," TIMES,
		  "grpc in TLS, by the certificates in Secret a/b, as h, to the member's "
		  "port" TIMES_SAID },
		{ "{\"type\":\"grpc\",\"service\":null,\"host\":null,\"secret\":null,"
		  "\"tls\":\"off\",\"serverName\":null," TIMES,
		  "grpc to the member's port" TIMES_SAID },
		{ "{\"type\":\"mysql\",\"secret\":\"a/b\",\"role\":\"reader\",\"tls\":\"required\","
		  "\"maxLagSeconds\":9," TIMES,
		  "mysql by the account in Secret a/b, TLS required, role reader with at most 9 s "
		  "of "
		  "lag, to the member's port" TIMES_SAID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct doc_set d;
		struct buf out = { 0 };
		struct err err;

		assert_int_equal(doc_read_json(cases[i].check, strlen(cases[i].check),
					       &DOC_LIMITS_DEFAULT, &d, &err),
				 0);
		words_check(d.roots[0], &out);
		assert_string_equal(buf_cstr(&out), cases[i].words);
		buf_done(&out);
		doc_set_done(&d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(spans_are_short),
		cmocka_unit_test(members_are_explained),
		cmocka_unit_test(checks_are_described),
		cmocka_unit_test(strange_answers_do_no_harm),
		cmocka_unit_test(every_result_of_a_probe_has_words),
		cmocka_unit_test(tables_are_aligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
