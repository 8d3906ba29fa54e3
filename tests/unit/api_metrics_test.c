/* SPDX-License-Identifier: GPL-2.0-or-later */
/* metrics.c, metric_writer.c, histogram.c: what a Prometheus reads. */
#include "agent/api/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/api/metric_writer.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"
#include "tests/lib/metric_reader.h"
#include "tests/lib/snapshots.h"

#define NOW INT64_C(1795316400000)

static char *scrape(const struct rest_state *state)
{
	struct rest_request r = { .method = "GET",
				  .target = REST_METRICS,
				  .accept = "application/openmetrics-text;version=1.0.0;q=0.75,"
					    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1" };
	struct rest_reply reply;
	char *text;

	rest_answer(&r, state, &reply);
	assert_int_equal(reply.status, 200);
	assert_string_equal(reply.type, "text/plain; version=0.0.4; charset=utf-8");
	text = strdup(buf_cstr(&reply.body));
	rest_reply_done(&reply);
	if (metric_text_fault(text))
		fail_msg("%s", metric_text_fault(text));
	return text;
}

static void the_text_is_one_that_scrapers_take(void **state)
{
	static const struct {
		const char *series, *value;
	} cases[] = {
		{ "parasaus_build_info{version=\"1.2.3\",node=\"node-1\"}", "1" },
		{ "parasaus_ready", "1" },
		{ "parasaus_pools{health=\"down\"}", "2" },
		{ "parasaus_members{state=\"draining\"}", "2" },
		{ "parasaus_targets{state=\"unknown\"}", "1" },
		{ "parasaus_problems{severity=\"warning\"}", "1" },
		{ "parasaus_process_resident_memory_bytes{role=\"ipvs\"}", "16777216" },
		{ "parasaus_process_restarts_total{role=\"healthcheck\"}", "1" },
		{ "parasaus_process_cpu_seconds_total{role=\"core\"}", "1.250" },
		{ "parasaus_kernel_writes_total", "42" },
		{ "parasaus_probes_total", "1234567890123" },
		{ "parasaus_probe_loop_lag_seconds", "0.007" },
		{ "parasaus_probe_loop_lag_max_seconds", "0.031" },
		{ "parasaus_probes_deferred_total", "12" },
		{ "parasaus_targets_over_quota", "17" },
		{ "parasaus_notrack{family=\"ipv4\",state=\"trial\"}", "1" },
		{ "parasaus_notrack{family=\"ipv4\",state=\"all\"}", "0" },
		{ "parasaus_notrack{family=\"ipv6\",state=\"refused\"}", "1" },
		{ "parasaus_probes_wanted_per_second", "2500" },
		{ "parasaus_probe_late_seconds_count", "7" },
		{ "parasaus_probe_latency_seconds_bucket{type=\"http\",le=\"0.001\"}", "5" },
		{ "parasaus_probe_latency_seconds_bucket{type=\"http\",le=\"+Inf\"}", "8" },
		{ "parasaus_probe_latency_seconds_sum{type=\"http\"}", "2.500000" },
		{ "parasaus_probe_latency_seconds_count{type=\"http\"}", "8" },
		{ "parasaus_probe_latency_seconds_count{type=\"redis\"}", "1" },
		{ "parasaus_source_complete{source=\"directory:/srv/team/pools\",index=\"1\"}",
		  "0" },
		{ "parasaus_http_answers_total{code=\"4xx\"}", "3" },
		{ "parasaus_sync_proxy_rules_duration_seconds_bucket{le=\"0.0025\"}", "2" },
		{ "parasaus_sync_proxy_rules_duration_seconds_bucket{le=\"+Inf\"}", "3" },
		{ "parasaus_sync_proxy_rules_duration_seconds_sum", "70.004000" },
		{ "parasaus_sync_proxy_rules_last_timestamp_seconds", "1795316400.000" },
		{ "parasaus_network_programming_duration_seconds_bucket{le=\"0.05\"}", "1" },
		{ "parasaus_network_programming_duration_seconds_sum", "0.030000" },
		{ "parasaus_pools_without_series", "6" },
	};
	struct snapshot *s = snapshot_sample(NOW);
	struct rest_traffic traffic = { 0 };
	struct rest_state world = { .snapshot = s, .traffic = &traffic };
	char value[64], *text;

	(void)state;
	s->probing = (struct probe_view){ .probes = 1234567890123,
					  .lag_ms = 7,
					  .lag_max_ms = 31,
					  .deferred = 12,
					  .late = { .counts = { 4, 2, 1 } } };
	s->probing.latency[CHECK_HTTP] = (struct histogram){ { 5, 3 }, 2500000 };
	histogram_add(&s->probing.latency[CHECK_REDIS], 10);
	s->processes[1].cpu_ms = 1250;
	s->over_quota = 17;
	s->notrack_v4 = NOTRACK_DOUBT; /* shown as the trial that it belongs to */
	s->notrack_v6 = NOTRACK_REFUSED;
	s->targets->probes_milli = 2500999;
	s->kernel.matched_ms = NOW;
	histogram_add(&s->kernel.programming, 1500);
	histogram_add(&s->kernel.programming, 2500);
	histogram_add(&s->kernel.programming, 70000000);
	histogram_add(&s->kernel.reaction, 30000);
	traffic.answers[4] = 3;
	text = scrape(&world);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = metric_value_of(text, cases[i].series, value);

		assert_string_equal(got ? got : cases[i].series, cases[i].value);
	}
	/* Types without a good probe have none. */
	assert_null(
		metric_value_of(text, "parasaus_probe_latency_seconds_count{type=\"tcp\"}", value));
	free(text);
	snapshot_unref(s);
}

static void pools_have_series_as_far_as_they_are_allowed(void **state)
{
	struct snapshot *s = snapshot_sample(NOW);
	struct rest_state world = { .snapshot = s, .metrics_pools = 2 };
	char value[64], *text = scrape(&world);

	(void)state;
	assert_string_equal(metric_value_of(text, "parasaus_pools_without_series", value), "4");
	assert_string_equal(
		metric_value_of(
			text, "parasaus_pool_members{pool=\"db.orders.mysql-tcp\",state=\"down\"}",
			value),
		"1");
	assert_non_null(metric_value_of(
		text, "parasaus_pool_health{pool=\"default.dns.dns-udp\",health=\"unmonitored\"}",
		value));
	assert_null(strstr(text, "snake-demo"));
	free(text);
	world.metrics_pools = 100;
	text = scrape(&world);
	assert_string_equal(metric_value_of(text, "parasaus_pools_without_series", value), "0");
	assert_non_null(strstr(text, "{pool=\"team.empty.80-tcp\",state=\"up\"} 0\n"));
	free(text);
	snapshot_unref(s);
}

static void the_number_of_series_does_not_grow_with_pools(void **state)
{
	struct snapshot *few = snapshot_large(1, 1), *many = snapshot_large(500, 3);
	struct rest_state world = { .snapshot = few };
	unsigned lines[2] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		char *text;

		world.snapshot = i ? many : few;
		text = scrape(&world);
		for (const char *p = text; (p = strchr(p, '\n')); p++)
			lines[i]++;
		free(text);
	}
	assert_int_equal(lines[0], lines[1]);
	snapshot_unref(few);
	snapshot_unref(many);
}

static void labels_hold_anything(void **state)
{
	struct snapshot *s = snapshot_sample(NOW);
	struct rest_state world = { .snapshot = s };
	char *text;

	(void)state;
	free(s->sources[0].where);
	free(s->sources[1].where);
	s->sources[0].where = xstrdup("/a\"b\\c\nd\xff\x01"
				      "é");
	s->sources[1].where = xstrdup(s->sources[0].where);
	text = scrape(&world);
	assert_non_null(
		strstr(text, "{source=\"directory:/a\\\"b\\\\c\\nd????\",index=\"0\"} 1\n"));
	free(text);
	snapshot_unref(s);
}

/* The reader itself: what it is there to find, it finds. */
static void faulty_texts_are_found_out(void **state)
{
#define HEAD "# HELP a Text.\n# TYPE a gauge\n"
	static const char *const faulty[] = {
		"a 1\n",
		HEAD "a 1",
		HEAD "a 1\na 2\n",
		HEAD "b 1\n",
		HEAD "a{b=c} 1\n",
		HEAD "a{b=\"c} 1\n",
		HEAD "a{b=\"c\",} 1\n",
		HEAD "a x\n",
		HEAD "a -1\n",
		HEAD "a  1\n",
		HEAD "a_total 1\n",
		HEAD "a 1\n" HEAD "a{b=\"c\"} 1\n",
		"# TYPE a gauge\na 1\n",
		"# HELP a Text.\n# TYPE a counter\na 1\n",
		"# HELP a_total Text.\n# TYPE a_total gauge\na_total 1\n",
		"# HELP a T\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_sum 1\na_count 2\n",
		"# HELP a T\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n",
		"# HELP a T\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
	};

	(void)state;
	assert_null(metric_text_fault(HEAD "a{b=\"c\",d=\"e\"} 1.5\n"));
	for (size_t i = 0; i < ARRAY_LEN(faulty); i++)
		if (!metric_text_fault(faulty[i]))
			fail_msg("taken: %s", faulty[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_one_that_scrapers_take),
		cmocka_unit_test(pools_have_series_as_far_as_they_are_allowed),
		cmocka_unit_test(the_number_of_series_does_not_grow_with_pools),
		cmocka_unit_test(labels_hold_anything),
		cmocka_unit_test(faulty_texts_are_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
