/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kubernetes*.c: what a source in a cluster tells, and what it does not take for an order. */
#include "watch/kubernetes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/xalloc.h"
#include "tests/lib/kube_world.h"

static int set_up(void **state)
{
	struct kube_world *w = xcalloc(1, sizeof(*w));

	kube_world_open(w);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	kube_world_close(*state);
	free(*state);
	return 0;
}

static void many(struct kube_world *w, enum fake_kube_kind kind, unsigned from, unsigned to)
{
	char name[32];

	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		if (kind == FAKE_SERVICES)
			fake_kube_service(w->server, "x", name, i);
		else if (kind == FAKE_ENDPOINTS)
			fake_kube_endpoints(w->server, "x", name, i);
		else
			fake_kube_slice(w->server, "x", name, name, i);
	}
}

static void start(struct kube_world *w)
{
	kube_world_start(w, NULL, false);
	kube_world_settle(w);
	assert_true(w->complete);
	kube_world_advance(w, 10000); /* long enough for what ends now not to be a failure */
	buf_reset(&w->log);
}

/* --- what is told --------------------------------------------------------------- */

static void everything_is_told_and_then_its_changes(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	fake_kube_slice(w->server, "x", "a-1", "a", 1);
	kube_world_start(w, NULL, false);
	assert_int_equal(w->log.len, 0); /* from the loop only */
	kube_world_expect(
		w, "put Service x/a\nput Endpoints x/a\nput EndpointSlice x/a-1\ncomplete\n");
	fake_kube_service(w->server, "x", "b", 2);
	fake_kube_endpoints(w->server, "x", "a", 2);
	kube_world_expect(w, "put Service x/b\nput Endpoints x/a\n");
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "b");
	kube_world_expect(w, "remove Service x/b\n");
	assert_null(kube_world_difference(w));
}

static void an_empty_cluster_is_complete(void **state)
{
	struct kube_world *w = *state;

	kube_world_start(w, NULL, false);
	kube_world_expect(w, "complete\n");
}

static void mirrored_slices_are_not_asked_for(void **state)
{
	struct kube_world *w = *state;

	kube_world_start(w, "service.kubernetes.io/service-proxy-name=parasaus", false);
	assert_int_equal(loop_turn(w->loop, 0), 0);
	assert_non_null(
		fake_http_find(w->server->http, "/api/v1/services?labelSelector=", "parasaus"));
	assert_non_null(fake_http_find(w->server->http, "/api/v1/endpoints", "/endpoints"));
	assert_non_null(fake_http_find(w->server->http,
				       "/apis/discovery.k8s.io/v1/endpointslices?labelSelector="
				       "endpointslice.kubernetes.io%2Fmanaged-by%21%3D"
				       "endpointslicemirroring-controller.k8s.io",
				       ""));
}

static void the_same_again_is_not_told(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	start(w);
	fake_kube_service(w->server, "x", "b", 1);
	kube_world_expect(w, "put Service x/b\n");
	fake_kube_repeat(w->server);
	kube_world_expect(w, "");
	fake_kube_cut(w->server);
	fake_kube_compact(w->server);
	fake_kube_service(w->server, "x", "c", 1);
	fake_kube_compact(w->server);
	kube_world_advance(w, 5000);
	kube_world_expect(w, "put Service x/c\n");
	assert_true(w->server->lists > 3);
}

static void a_server_without_slices_is_read_without(void **state)
{
	struct kube_world *w = *state;

	w->server->no_slices = true;
	fake_kube_endpoints(w->server, "x", "a", 1);
	kube_world_start(w, NULL, false);
	kube_world_expect(w, "put Endpoints x/a\nincomplete: endpointslices: https://server "
			     "answered HTTP 404: 404 page not found\n");
	kube_world_advance(w, 3000); /* it says so again, and again */
	kube_world_expect(w, "complete\n");
}

static void what_may_not_be_read_is_a_problem(void **state)
{
	struct kube_world *w = *state;

	w->server->forbidden[FAKE_ENDPOINTS] = true;
	kube_world_start(w, NULL, false);
	kube_world_settle(w);
	assert_non_null(
		strstr(buf_cstr(&w->log), "problem endpoints: endpoints may not be listed"));
	assert_non_null(strstr(buf_cstr(&w->log), "resources: [endpoints], verbs: [list, watch]"));
	assert_non_null(strstr(buf_cstr(&w->log), "incomplete: endpoints may not be listed"));
	buf_reset(&w->log);
	w->server->forbidden[FAKE_ENDPOINTS] = false;
	kube_world_advance(w, 1000);
	kube_world_expect(w, "endpoints is well\ncomplete\n");
}

static void a_server_that_is_away_removes_nothing(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	start(w);
	w->server->down = true;
	fake_kube_cut(w->server);
	kube_world_advance(w, 60000);
	assert_non_null(strstr(buf_cstr(&w->log), ": https://server: connection refused\n"));
	assert_ptr_equal(strchr(buf_cstr(&w->log), '\n') + 1, buf_cstr(&w->log) + w->log.len);
	buf_reset(&w->log);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "a");
	w->server->down = false;
	kube_world_advance(w, 31000);
	assert_non_null(strstr(buf_cstr(&w->log), "complete\nremove Service x/a\n"));
	assert_true(w->complete);
}

static void a_server_that_is_away_at_the_start_is_told(void **state)
{
	struct kube_world *w = *state;

	w->server->down = true;
	kube_world_start(w, NULL, false);
	kube_world_expect(w, "incomplete: services: https://server: connection refused\n");
}

static void a_bad_object_stops_no_other(void **state)
{
	struct kube_world *w = *state;

	fake_kube_slice(w->server, "x", "a-1", "a", 1);
	start(w);
	fake_kube_put(w->server, FAKE_SLICES, "x", "a-1", "", ",\"addressType\":\"FQDN\"");
	fake_kube_slice(w->server, "x", "b-1", "b", 1);
	kube_world_expect(w, "problem endpointslices x/a-1: EndpointSlice: the label "
			     "kubernetes.io/service-name is \"\": it has to name a Service\n"
			     "put EndpointSlice x/b-1\n");
	fake_kube_slice(w->server, "x", "a-1", "a", 2);
	kube_world_expect(w, "endpointslices x/a-1 is well\nput EndpointSlice x/a-1\n");
	fake_kube_put(w->server, FAKE_SLICES, "x", "c-1", "", "");
	kube_world_settle(w);
	buf_reset(&w->log);
	fake_kube_delete(w->server, FAKE_SLICES, "x", "c-1");
	kube_world_expect(w, "endpointslices x/c-1 is well\n");
}

static void a_bad_object_is_told_again_where_it_is_bad_in_another_way(void **state)
{
	static const char no_type[] = ",\"addressType\":\"FQDN\"";
	static const char named[] = ",\"labels\":{\"kubernetes.io/service-name\":\"a b\"}";
	struct kube_world *w = *state;

	start(w);
	fake_kube_put(w->server, FAKE_SLICES, "x", "a-1", "", no_type);
	kube_world_expect(w, "problem endpointslices x/a-1: EndpointSlice: the label "
			     "kubernetes.io/service-name is \"\": it has to name a Service\n");
	for (int i = 0; i < 3; i++)
		fake_kube_put(w->server, FAKE_SLICES, "x", "a-1", "", no_type);
	kube_world_expect(w, "");
	fake_kube_put(w->server, FAKE_SLICES, "x", "a-1", named, no_type);
	kube_world_expect(w, "problem endpointslices x/a-1: EndpointSlice: the label "
			     "kubernetes.io/service-name is \"a b\": it has to name a Service\n");
	fake_kube_delete(w->server, FAKE_SLICES, "x", "a-1");
	kube_world_expect(w, "endpointslices x/a-1 is well\n");
}

/* --- what is missing ------------------------------------------------------------- */

static void a_list_that_lacks_much_is_held_and_read_again(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 100);
	start(w);
	w->quiet = true;
	fake_kube_cut(w->server);
	for (unsigned i = 0; i < 21; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%u", i);
		fake_kube_delete(w->server, FAKE_SERVICES, "x", name);
	}
	fake_kube_compact(w->server);
	kube_world_advance(w, 100);
	kube_world_expect(w,
			  "incomplete: services: the list lacks 21 of 100 objects that were there: "
			  "nothing is removed before another list, 30 seconds later, lacks them "
			  "too\n");
	assert_int_equal(w->removes, 0);
	/* Changes are followed meanwhile, and orders too. */
	fake_kube_service(w->server, "x", "new", 1);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "s99");
	kube_world_settle(w);
	assert_non_null(kube_world_told(w, OBJECT_SERVICE, "x", "new"));
	assert_null(kube_world_told(w, OBJECT_SERVICE, "x", "s99"));
	kube_world_advance(w, 29000);
	assert_int_equal(w->removes, 1);
	kube_world_advance(w, 2000);
	kube_world_expect(w, "complete\n");
	assert_int_equal(w->removes, 22);
	assert_null(kube_world_difference(w));
}

static bool lacks_most(void *arg, const struct fake_kube_object *o)
{
	return o->kind != *(enum fake_kube_kind *)arg || strcmp(o->name, "s1") < 0;
}

static void what_a_second_list_has_again_stays(void **state)
{
	enum fake_kube_kind kind = FAKE_SERVICES;
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 100);
	start(w);
	w->quiet = true;
	w->server->listed = lacks_most;
	w->server->listed_arg = &kind;
	fake_kube_cut(w->server);
	fake_kube_service(w->server, "x", "new", 1);
	fake_kube_compact(w->server);
	kube_world_advance(w, 20000);
	assert_false(w->complete);
	w->server->listed = NULL;
	kube_world_advance(w, 11000);
	assert_true(w->complete);
	assert_int_equal(w->removes, 0);
	assert_null(kube_world_difference(w));
}

static void a_fifth_is_believed_at_once(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 100);
	start(w);
	fake_kube_cut(w->server);
	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%u", i);
		fake_kube_delete(w->server, FAKE_SERVICES, "x", name);
	}
	fake_kube_compact(w->server);
	kube_world_advance(w, 100);
	assert_int_equal(w->removes, 20);
	assert_true(w->complete);
}

static void few_are_believed_whatever_is_missing(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 49);
	start(w);
	fake_kube_cut(w->server);
	for (unsigned i = 0; i < 49; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%u", i);
		fake_kube_delete(w->server, FAKE_SERVICES, "x", name);
	}
	fake_kube_compact(w->server);
	kube_world_advance(w, 100);
	assert_int_equal(w->removes, 49);
}

static void deletions_are_orders_however_many(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 1000);
	start(w);
	for (unsigned i = 0; i < 1000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%u", i);
		fake_kube_delete(w->server, FAKE_SERVICES, "x", name);
	}
	kube_world_settle(w);
	assert_int_equal(w->removes, 1000);
	assert_true(w->complete);
}

/* --- endpoints that vanish --------------------------------------------------------- */

static void endpoints_that_vanish_alone_are_asked_for_by_name(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	w->server->get_ms = 200;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_settle(w);
	assert_int_equal(w->server->gets, 1);
	kube_world_expect(w, "");
	kube_world_advance(w, 500); /* well under a second, for two questions of 200 ms */
	assert_int_equal(w->server->gets, 2);
	kube_world_expect(w, "remove Endpoints x/a\n");
}

static void what_is_there_by_name_stays(void **state)
{
	enum fake_kube_kind kind = FAKE_ENDPOINTS;
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 100);
	many(w, FAKE_ENDPOINTS, 0, 10);
	start(w);
	w->server->listed = lacks_most;
	w->server->listed_arg = &kind;
	fake_kube_cut(w->server);
	fake_kube_endpoints(w->server, "x", "s9", 99);
	fake_kube_compact(w->server);
	kube_world_advance(w, 2000);
	assert_int_equal(w->removes, 0);
	assert_true(w->server->gets >= 9);
	assert_true(w->complete);
}

static void they_stay_while_the_server_is_away(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	w->server->get_ms = 200;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_settle(w);
	w->server->down = true;
	fake_kube_cut(w->server);
	kube_world_advance(w, 120000);
	assert_int_equal(w->removes, 0);
	w->server->down = false;
	kube_world_advance(w, 61000);
	assert_int_equal(w->removes, 1);
	assert_null(kube_world_difference(w));
}

static void they_stay_while_somebody_in_front_knows_nothing(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	w->server->lost = true;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_advance(w, 120000);
	assert_int_equal(w->removes, 0);
	w->server->lost = false;
	kube_world_advance(w, 61000);
	assert_int_equal(w->removes, 1);
}

static void endpoints_that_are_back_are_not_suspect(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	w->server->get_ms = 500;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_settle(w);
	fake_kube_endpoints(w->server, "x", "a", 2);
	kube_world_expect(w, "put Endpoints x/a\n");
	kube_world_advance(w, 2000);
	kube_world_expect(w, "");
	assert_null(kube_world_difference(w));
}

static void endpoints_go_with_their_service_unasked(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	fake_kube_slice(w->server, "x", "a-1", "a", 1);
	start(w);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "a");
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	fake_kube_delete(w->server, FAKE_SLICES, "x", "a-1");
	kube_world_expect(w,
			  "remove Service x/a\nremove Endpoints x/a\nremove EndpointSlice x/a-1\n");
	assert_int_equal(w->server->gets, 0);
	/* In the other order there is a question, which the Service's end answers. */
	fake_kube_service(w->server, "x", "b", 1);
	fake_kube_endpoints(w->server, "x", "b", 1);
	kube_world_expect(w, "put Service x/b\nput Endpoints x/b\n");
	w->server->get_ms = 5000;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "b");
	kube_world_settle(w);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "b");
	kube_world_expect(w, "remove Service x/b\nremove Endpoints x/b\n");
}

static void a_service_that_is_being_deleted_is_served_until_it_is_gone(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	fake_kube_put(w->server, FAKE_SERVICES, "x", "a",
		      ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"f\"]",
		      ",\"spec\":{\"ports\":[{\"port\":2}]}");
	kube_world_expect(w, "put Service x/a\n");
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_expect(w, "remove Endpoints x/a\n");
	assert_int_equal(w->server->gets, 0);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "a");
	kube_world_expect(w, "remove Service x/a\n");
}

static void only_the_last_slice_is_suspect(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_slice(w->server, "x", "a-1", "a", 1);
	fake_kube_slice(w->server, "x", "a-2", "a", 2);
	start(w);
	w->server->get_ms = 100;
	fake_kube_delete(w->server, FAKE_SLICES, "x", "a-1");
	kube_world_expect(w, "remove EndpointSlice x/a-1\n");
	assert_int_equal(w->server->gets, 0);
	fake_kube_delete(w->server, FAKE_SLICES, "x", "a-2");
	kube_world_expect(w, "");
	assert_int_equal(w->server->gets, 1);
	kube_world_advance(w, 300);
	kube_world_expect(w, "remove EndpointSlice x/a-2\n");
}

static bool lacks_slices(void *arg, const struct fake_kube_object *o)
{
	(void)arg;
	return o->kind != FAKE_SLICES || o->name[0] != 'a';
}

static void slices_that_a_list_lacks_all_are_all_suspect(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_slice(w->server, "x", "a-1", "a", 1);
	fake_kube_slice(w->server, "x", "a-2", "a", 2);
	fake_kube_slice(w->server, "x", "b-1", "b", 2);
	start(w);
	w->server->listed = lacks_slices;
	fake_kube_cut(w->server);
	fake_kube_slice(w->server, "x", "b-1", "b", 3);
	fake_kube_compact(w->server);
	kube_world_advance(w, 2000);
	kube_world_expect(w, "put EndpointSlice x/b-1\n");
	assert_int_equal(w->server->gets, 2);
}

static void few_questions_are_under_way_at_a_time(void **state)
{
	struct kube_world *w = *state;

	w->quiet = true;
	many(w, FAKE_SERVICES, 0, 500);
	many(w, FAKE_ENDPOINTS, 0, 500);
	start(w);
	w->server->get_ms = 10;
	for (unsigned i = 0; i < 500; i++) {
		char name[32];

		snprintf(name, sizeof(name), "s%u", i);
		fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", name);
	}
	kube_world_advance(w, 20000);
	assert_int_equal(w->removes, 500);
	assert_int_equal(w->server->gets, 1000);
	assert_true(w->server->gets_most <= 20);
}

static void without_the_right_to_ask_they_stay(void **state)
{
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	w->server->forbidden_get = true;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_settle(w);
	assert_non_null(strstr(buf_cstr(&w->log), "problem endpoints by name: may not be read"));
	buf_reset(&w->log);
	w->server->forbidden_get = false;
	kube_world_advance(w, 3000);
	kube_world_expect(w, "endpoints by name is well\nremove Endpoints x/a\n");
}

/* --- from one run to the next ------------------------------------------------------ */

static void it_goes_on_where_it_was_without_a_list(void **state)
{
	struct kube_world *w = *state;
	size_t lists;

	many(w, FAKE_SERVICES, 0, 100);
	start(w);
	assert_true(*w->cursor);
	lists = w->server->lists;
	fake_kube_service(w->server, "x", "later", 1);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "s1");
	kube_world_start(w, NULL, true);
	kube_world_settle(w);
	assert_int_equal(w->server->lists, lists);
	kube_world_expect(w, "put Service x/later\nremove Service x/s1\ncomplete\n");
	assert_null(kube_world_difference(w));
}

static void a_cursor_that_expired_is_a_list_and_its_difference(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 100);
	start(w);
	fake_kube_service(w->server, "x", "later", 1);
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "s1");
	fake_kube_compact(w->server);
	kube_world_start(w, NULL, true);
	kube_world_settle(w);
	kube_world_expect(w, "put Service x/later\nremove Service x/s1\ncomplete\n");
	assert_null(kube_world_difference(w));
}

static void a_cursor_from_the_future_is_a_list(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 10);
	start(w);
	fake_kube_go_back(w->server, 5);
	kube_world_start(w, NULL, true);
	kube_world_advance(w, 1000);
	assert_true(w->complete);
	assert_null(kube_world_difference(w));
}

static void a_cursor_of_another_selector_is_none(void **state)
{
	struct kube_world *w = *state;
	size_t lists;

	fake_kube_service(w->server, "x", "a", 1);
	start(w);
	lists = w->server->lists;
	kube_world_start(w, "a=b", true);
	kube_world_advance(w, 4000);
	assert_true(w->server->lists > lists);
	assert_true(w->complete);
}

static void cursors_that_are_no_cursors_are_none(void **state)
{
	static const char *const odd[] = { "",
					   "1",
					   "1 2 3",
					   "2 0 0 0 0",
					   "1 0123456789abcdef 1 2 3",
					   "1 0123456789abcdef 1 2 x" };
	struct kube_world *w = *state;

	fake_kube_service(w->server, "x", "a", 1);
	start(w);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		size_t lists = w->server->lists;

		strcpy(w->cursor, odd[i]);
		kube_world_start(w, NULL, true);
		kube_world_advance(w, 4000);
		assert_true(w->server->lists > lists);
		assert_true(w->complete);
	}
}

static void lists_of_a_fleet_are_spread_where_the_state_serves(void **state)
{
	struct kube_world *w = *state;
	size_t lists;

	fake_kube_service(w->server, "x", "a", 1);
	start(w); /* on an empty state: at once */
	lists = w->server->lists;
	kube_world_start(w, NULL, false);
	kube_world_settle(w);
	assert_int_equal(w->server->lists, lists);
	kube_world_advance(w, 3000);
	assert_int_equal(w->server->lists, lists + 3);
}

static void what_was_saved_and_is_gone_is_removed(void **state)
{
	struct kube_world *w = *state;

	many(w, FAKE_SERVICES, 0, 60);
	start(w);
	w->quiet = true;
	fake_kube_delete(w->server, FAKE_SERVICES, "x", "s7");
	w->server->down = true;
	kube_world_start(w, NULL, false);
	kube_world_advance(w, 10000);
	assert_int_equal(w->removes, 0);
	w->server->down = false;
	kube_world_advance(w, 31000);
	assert_int_equal(w->removes, 1);
	assert_null(kube_world_difference(w));
}

static void while_something_is_suspect_the_cursor_stands(void **state)
{
	struct kube_world *w = *state;
	char before[WATCH_CURSOR_MAX];

	fake_kube_service(w->server, "x", "a", 1);
	fake_kube_endpoints(w->server, "x", "a", 1);
	start(w);
	strcpy(before, w->cursor);
	w->server->get_ms = 300;
	fake_kube_delete(w->server, FAKE_ENDPOINTS, "x", "a");
	kube_world_settle(w);
	assert_string_equal(w->cursor, before);
	kube_world_start(w, NULL, true);
	kube_world_advance(w, 1000);
	assert_null(kube_world_difference(w));
	assert_string_not_equal(w->cursor, before);
}

/* --- secrets ----------------------------------------------------------------------- */

static void secrets_are_read_by_name_alone(void **state)
{
	struct kube_world *w = *state;
	size_t lists;

	start(w);
	lists = w->server->lists;
	watch_source_need_secret(w->source, "x", "db", true);
	assert_int_equal(w->log.len, 0);
	kube_world_expect(w, "remove Secret x/db\nproblem Secret x/db: there is no such Secret\n");
	kube_world_advance(w, 30000);
	assert_null(strstr(buf_cstr(&w->log), "remove")); /* once is enough */
	fake_kube_put(w->server, FAKE_SECRETS, "x", "db", "", ",\"data\":{\"a\":\"eA==\"}");
	kube_world_advance(w, 30000);
	assert_int_equal(w->server->gets, 3);
	assert_int_equal(w->server->lists, lists);
	buf_reset(&w->log);
	w->server->forbidden_get = true;
	kube_world_advance(w, 30000);
	assert_non_null(
		strstr(buf_cstr(&w->log),
		       "problem Secret x/db: may not be read: it takes a Role in the namespace "
		       "x with {apiGroups: [\"\"], resources: [secrets], resourceNames: [db], "
		       "verbs: [get]}"));
	buf_reset(&w->log);
	watch_source_need_secret(w->source, "x", "db", false);
	kube_world_advance(w, 60000);
	assert_int_equal(w->server->gets, 4);
	assert_non_null(strstr(buf_cstr(&w->log), "Secret x/db is well"));
}

static void only_the_servers_own_404_takes_a_secret_away(void **state)
{
	struct kube_world *w = *state;

	start(w);
	fake_kube_put(w->server, FAKE_SECRETS, "x", "db", "", ",\"data\":{\"a\":\"eA==\"}");
	watch_source_need_secret(w->source, "x", "db", true);
	kube_world_expect(w, "put Secret x/db\n");
	w->server->lost = true;
	kube_world_advance(w, 30000);
	kube_world_expect(w, "problem Secret x/db: https://server answered HTTP 404\n");
	w->server->lost = false;
	kube_world_advance(w, 30000);
	kube_world_expect(w, "Secret x/db is well\n");
	fake_kube_delete(w->server, FAKE_SECRETS, "x", "db");
	kube_world_advance(w, 30000);
	kube_world_expect(w, "remove Secret x/db\nproblem Secret x/db: there is no such Secret\n");
}

#define KUBE_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KUBE_TEST(everything_is_told_and_then_its_changes),
		KUBE_TEST(an_empty_cluster_is_complete),
		KUBE_TEST(mirrored_slices_are_not_asked_for),
		KUBE_TEST(the_same_again_is_not_told),
		KUBE_TEST(a_server_without_slices_is_read_without),
		KUBE_TEST(what_may_not_be_read_is_a_problem),
		KUBE_TEST(a_server_that_is_away_removes_nothing),
		KUBE_TEST(a_server_that_is_away_at_the_start_is_told),
		KUBE_TEST(a_bad_object_stops_no_other),
		KUBE_TEST(a_bad_object_is_told_again_where_it_is_bad_in_another_way),
		KUBE_TEST(a_list_that_lacks_much_is_held_and_read_again),
		KUBE_TEST(what_a_second_list_has_again_stays),
		KUBE_TEST(a_fifth_is_believed_at_once),
		KUBE_TEST(few_are_believed_whatever_is_missing),
		KUBE_TEST(deletions_are_orders_however_many),
		KUBE_TEST(endpoints_that_vanish_alone_are_asked_for_by_name),
		KUBE_TEST(what_is_there_by_name_stays),
		KUBE_TEST(they_stay_while_the_server_is_away),
		KUBE_TEST(they_stay_while_somebody_in_front_knows_nothing),
		KUBE_TEST(endpoints_that_are_back_are_not_suspect),
		KUBE_TEST(endpoints_go_with_their_service_unasked),
		KUBE_TEST(a_service_that_is_being_deleted_is_served_until_it_is_gone),
		KUBE_TEST(only_the_last_slice_is_suspect),
		KUBE_TEST(slices_that_a_list_lacks_all_are_all_suspect),
		KUBE_TEST(few_questions_are_under_way_at_a_time),
		KUBE_TEST(without_the_right_to_ask_they_stay),
		KUBE_TEST(it_goes_on_where_it_was_without_a_list),
		KUBE_TEST(a_cursor_that_expired_is_a_list_and_its_difference),
		KUBE_TEST(a_cursor_from_the_future_is_a_list),
		KUBE_TEST(a_cursor_of_another_selector_is_none),
		KUBE_TEST(cursors_that_are_no_cursors_are_none),
		KUBE_TEST(lists_of_a_fleet_are_spread_where_the_state_serves),
		KUBE_TEST(what_was_saved_and_is_gone_is_removed),
		KUBE_TEST(while_something_is_suspect_the_cursor_stands),
		KUBE_TEST(secrets_are_read_by_name_alone),
		KUBE_TEST(only_the_servers_own_404_takes_a_secret_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
