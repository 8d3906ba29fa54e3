/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who changed an object of a cluster last, as far as the object says so. */
#include "agent/pool/author.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/buf.h"
#include "agent/pool/object.h"
#include "agent/pool/pool.h"

#define OURS                                                                \
	"\"annotations\":{\"parasaus.io/last-operator\":\"kube:alice\","    \
	"\"parasaus.io/last-operation\":\"drain\","                         \
	"\"parasaus.io/last-operation-time\":\"2026-11-28T10:00:00.500Z\"," \
	"\"parasaus.io/change-reason\":\"night work\"}"
#define ENTRY(manager, time) \
	"{\"manager\":\"" manager "\",\"operation\":\"Update\",\"time\":\"" time "\"}"

static void is(const char *metadata, const char *user, const char *action, const char *reason,
	       int64_t at_ms)
{
	struct doc_set set;
	struct author a;

	assert_int_equal(doc_read_json(metadata, strlen(metadata), &DOC_LIMITS_DEFAULT, &set, NULL),
			 0);
	author_of(set.roots[0], &a);
	assert_string_equal(a.user, user);
	assert_string_equal(a.action, action);
	assert_string_equal(a.reason, reason);
	assert_int_equal(a.at_ms, at_ms);
	doc_set_done(&set);
}

#define TEN_MS INT64_C(1795860000000) /* 2026-11-28T10:00:00Z */

static void what_we_wrote_names_its_user(void **state)
{
	(void)state;
	is("{" OURS "}", "kube:alice", "drain", "night work", TEN_MS + 500);
	is("{" OURS ",\"managedFields\":[" ENTRY("parasaus", "2026-11-28T10:00:00Z") "]}",
	   "kube:alice", "drain", "night work", TEN_MS + 500);
}

static void a_later_writer_is_told_by_his_program(void **state)
{
	(void)state;
	is("{" OURS ",\"managedFields\":[" ENTRY("parasaus", "2026-11-28T10:00:00Z") "," ENTRY(
		   "kubectl-edit", "2026-11-28T10:00:01Z") "]}",
	   "via kubectl-edit", "update", "", TEN_MS + 1000);
	/* By the API server's clock alone: ours was ten seconds ahead. */
	is("{" OURS ",\"managedFields\":[" ENTRY("parasaus", "2026-11-28T09:59:50Z") "," ENTRY(
		   "kubectl-edit", "2026-11-28T09:59:55Z") "]}",
	   "via kubectl-edit", "update", "", TEN_MS - 5000);
	is("{\"managedFields\":[{\"manager\":\"helm\",\"operation\":\"Apply\","
	   "\"time\":\"2026-11-28T10:00:00Z\"}]}",
	   "via helm", "apply", "", TEN_MS);
}

static void an_earlier_writer_is_not(void **state)
{
	(void)state;
	is("{" OURS ",\"managedFields\":[" ENTRY("kubectl-edit", "2026-11-28T09:59:59Z") "," ENTRY(
		   "parasaus", "2026-11-28T10:00:00Z") "]}",
	   "kube:alice", "drain", "night work", TEN_MS + 500);
}

static void what_the_cluster_does_by_itself_is_nobodys_doing(void **state)
{
	(void)state;
	is("{" OURS
	   ",\"managedFields\":[" ENTRY("kube-controller-manager", "2026-11-28T11:00:00Z") "]}",
	   "kube:alice", "drain", "night work", TEN_MS + 500);
	is("{" OURS ",\"managedFields\":[{\"manager\":\"lb\",\"operation\":\"Update\","
	   "\"subresource\":\"status\",\"time\":\"2026-11-28T11:00:00Z\"}]}",
	   "kube:alice", "drain", "night work", TEN_MS + 500);
	is("{}", "", "", "", 0);
	is("{\"annotations\":[],\"managedFields\":{\"a\":1}}", "", "", "", 0);
}

static void a_long_name_is_cut_and_made_harmless(void **state)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	struct doc_set set;
	struct author a;

	(void)state;
	buf_str(&b, "{\"annotations\":{\"parasaus.io/last-operation-time\":"
		    "\"2026-11-28T10:00:00Z\",\"parasaus.io/last-operator\":\"a\\u001b[2J");
	for (int i = 0; i < 200; i++)
		buf_str(&b, "\xe4\xba\xba");
	buf_str(&b, "\"}}");
	assert_int_equal(doc_read_json(b.data, b.len, &DOC_LIMITS_DEFAULT, &set, NULL), 0);
	author_of(set.roots[0], &a);
	assert_memory_equal(a.user, "a?[2J", 5);
	assert_true(strlen(a.user) <= AUTHOR_USER_MAX);
	assert_int_equal((strlen(a.user) - 5) % 3, 0);
	doc_set_done(&set);
}

static void times_are_read_as_they_are_written(void **state)
{
	char text[AUTHOR_TIME_MAX];
	int64_t ms;

	(void)state;
	assert_string_equal(author_time_text(TEN_MS + 7, text), "2026-11-28T10:00:00.007Z");
	assert_true(author_time(text, &ms));
	assert_int_equal(ms, TEN_MS + 7);
	assert_false(author_time("2026-11-28T10:00:00", &ms));
	assert_false(author_time("2026-11-28T10:00:00+01:00", &ms));
	assert_false(author_time("yesterday", &ms));
	assert_false(author_time(NULL, &ms));
}

/* --- in the model ------------------------------------------------------------------------------ */

static struct object *decode(const char *text)
{
	const struct object_origin from = { .from_cluster = true, .path = "" };
	struct doc_set set;
	struct object *o;
	struct err err = { 0 };

	assert_int_equal(doc_read_json(text, strlen(text), &DOC_LIMITS_DEFAULT, &set, &err), 0);
	if (object_decode(set.roots[0], &from, &o, &err) < 0)
		fail_msg("%s", err.text);
	doc_set_done(&set);
	return o;
}

#define SERVICE(version, more)                                                        \
	"{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"web\"," \
	"\"namespace\":\"shop\",\"resourceVersion\":\"" version "\"," more            \
	"},\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80}]}}"
#define SLICE(version, by)                                                                  \
	"{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{" \
	"\"name\":\"web-a\",\"namespace\":\"shop\",\"resourceVersion\":\"" version          \
	"\",\"labels\":{\"kubernetes.io/service-name\":\"web\","                            \
	"\"endpointslice.kubernetes.io/managed-by\":\"" by "\"}},\"addressType\":\"IPv4\"," \
	"\"ports\":[{\"name\":\"http\",\"port\":80}],\"endpoints\":[]}"

static void notes_of_ours_are_no_settings(void **state)
{
	struct object *o = decode(SERVICE("7", OURS));

	(void)state;
	assert_int_equal(o->annotation_count, 0);
	assert_int_equal(o->problems.count, 0);
	assert_non_null(o->change);
	assert_int_equal(o->change->revision, 7);
	assert_string_equal(o->change->user, "kube:alice");
	assert_string_equal(o->change->action, "drain");
	object_free(o);
}

/* Pods come and go: who edited the Service is still who edited the pool. */
static void a_pool_tells_who_edited_it_and_not_what_moved(void **state)
{
	struct pool_rules rules = {
		.defaults = { .scheduler = "wrr", .weight = 1, .check = check_new(CHECK_NONE) }
	};
	struct pools *model = pools_new(&rules);
	const struct pool *p;

	(void)state;
	pools_put(model, decode(SERVICE("7", OURS)));
	pools_put(model, decode(SLICE("9", "endpointslice-controller.k8s.io")));
	pools_update(model, NULL, NULL);
	p = pools_find(model, "shop.web.http-tcp");
	assert_non_null(p);
	assert_int_equal(p->change->revision, 7);
	assert_string_equal(p->change->user, "kube:alice");
	/* One that a person wrote is a newer revision, be it unknown whose. */
	pools_put(model, decode(SLICE("11", "me")));
	pools_update(model, NULL, NULL);
	p = pools_find(model, "shop.web.http-tcp");
	assert_int_equal(p->change->revision, 11);
	assert_string_equal(p->change->user, "kube:alice");
	pools_free(model);
	check_unref(rules.defaults.check);
}

static void the_state_file_keeps_who_it_was(void **state)
{
	struct object *o = decode(SERVICE("7", OURS)), *again;
	CLEANUP(buf_done) struct buf b = { 0 };
	struct wire w;

	(void)state;
	wire_put_object(&b, o);
	w = wire_of(b.data, b.len);
	again = wire_object(&w);
	assert_non_null(again);
	assert_int_equal(again->change->revision, 7);
	assert_int_equal(again->change->at_ms, TEN_MS + 500);
	assert_string_equal(again->change->user, "kube:alice");
	assert_int_equal(again->place, o->place);
	assert_int_equal(again->content, o->content);
	object_free(o);
	object_free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_we_wrote_names_its_user),
		cmocka_unit_test(a_later_writer_is_told_by_his_program),
		cmocka_unit_test(an_earlier_writer_is_not),
		cmocka_unit_test(what_the_cluster_does_by_itself_is_nobodys_doing),
		cmocka_unit_test(a_long_name_is_cut_and_made_harmless),
		cmocka_unit_test(times_are_read_as_they_are_written),
		cmocka_unit_test(notes_of_ours_are_no_settings),
		cmocka_unit_test(a_pool_tells_who_edited_it_and_not_what_moved),
		cmocka_unit_test(the_state_file_keeps_who_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
