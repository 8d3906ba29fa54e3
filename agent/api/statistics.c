/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/statistics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "agent/api/list.h"
#include "agent/api/read_route.h"
#include "agent/api/rest_private.h"
#include "agent/api/schema.h"
#include "agent/api/uri.h"
#include "agent/base/err.h"
#include "agent/base/xalloc.h"

const struct edit_path statistics_paths[] = { { REST_POOL_STATISTICS, READ_ROUTE_METHODS, false },
					      { 0 } };

/* A request under way. */
struct asked {
	struct statistics *all;
	LIST_ENTRY(asked) under_way;
	const struct rest_request *request;
	edit_answer_fn *answer;
	void *arg;
	bool (*count)(void *arg, const struct endpoint *frontend, ipvs_stats_fn *fn, void *fn_arg);
	void *count_arg;
	struct pool_view *pool; /* a reference */
	size_t at;		/* the frontend that is asked for */
	struct json_writer json;
	struct rest_reply reply;
};

struct statistics {
	LIST_HEAD(, asked) under_way;
};

/* --- admission -------------------------------------------------------------------------------- */

static bool is_of_statistics(const struct uri *u)
{
	return u->segment_count == 5 && strcmp(u->segments[0], "api") == 0 &&
	       strcmp(u->segments[1], "v1") == 0 && strcmp(u->segments[2], "pools") == 0 &&
	       strcmp(u->segments[4], "statistics") == 0;
}

bool statistics_is_asked_for(const struct rest_request *r)
{
	return read_route_is_asked_for(r, is_of_statistics);
}

enum edit_admission statistics_admit(const struct rest_request *r, struct rest_reply *out)
{
	return read_route_admit(r, is_of_statistics, out);
}

/* --- one of them ------------------------------------------------------------------------------- */

struct statistics *statistics_new(void)
{
	return xcalloc(1, sizeof(struct statistics));
}

static void asked_free(struct asked *a)
{
	if (a->pool)
		pool_view_unref(a->pool);
	rest_reply_done(&a->reply);
	free(a);
}

void statistics_free(struct statistics *all)
{
	struct asked *a;

	while (all && (a = LIST_FIRST(&all->under_way))) {
		LIST_REMOVE(a, under_way);
		asked_free(a);
	}
	free(all);
}

static void finish(struct asked *a)
{
	edit_answer_fn *answer = a->answer;
	struct rest_reply reply = a->reply;
	void *arg = a->arg;

	a->reply = (struct rest_reply){ 0 };
	LIST_REMOVE(a, under_way);
	asked_free(a);
	answer(arg, &reply);
}

static void refuse(struct asked *a, enum rest_problem p, const char *detail)
{
	rest_reply_done(&a->reply);
	a->reply = (struct rest_reply){ 0 };
	problem_answer(&a->reply, p, a->request, detail);
	finish(a);
}

/* --- the answer --------------------------------------------------------------------------------- */

static void put_counters(struct json_writer *j, const struct ipvs_counters *c)
{
	json_put_uint(j, REST_CONNECTIONS, c->connections);
	json_put_uint(j, REST_PACKETS_IN, c->packets_in);
	json_put_uint(j, REST_PACKETS_OUT, c->packets_out);
	json_put_uint(j, REST_BYTES_IN, c->bytes_in);
	json_put_uint(j, REST_BYTES_OUT, c->bytes_out);
}

static void put_destination(struct json_writer *j, const struct ipvs_dest_stats *d)
{
	char address[ADDR_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_ADDRESS, addr_text(&d->addr, address));
	json_put_uint(j, REST_PORT, d->port);
	json_put_uint(j, REST_WEIGHT, d->weight);
	json_put_uint(j, REST_ACTIVE, d->active);
	json_put_uint(j, REST_INACTIVE, d->inactive);
	json_put_uint(j, REST_PERSISTENT, d->templates);
	put_counters(j, &d->counters);
	json_end_object(j);
}

/* One that the kernel does not have is told as such: it is being written, or was refused. */
static void put_frontend(struct json_writer *j, const struct endpoint *at,
			 const struct ipvs_stats_answer *a)
{
	char address[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 8], fingerprint[17];

	snprintf(fingerprint, sizeof(fingerprint), "%016" PRIx64, a->stats.fingerprint);
	snprintf(text, sizeof(text), "%s/%s", endpoint_text(at, address),
		 protocol_text(at->protocol));
	json_put_object(j, NULL);
	json_put_text(j, REST_FRONTEND, text);
	json_put_bool(j, REST_IN_KERNEL, !a->error);
	json_put_bool(j, REST_COUNTING, a->stats.counting);
	json_put_text(j, REST_FINGERPRINT, a->stats.fingerprint ? fingerprint : NULL);
	put_counters(j, &a->stats.counters);
	json_put_array(j, REST_DESTINATIONS);
	for (size_t i = 0; i < a->stats.dest_count; i++)
		put_destination(j, &a->stats.dests[i]);
	json_end_array(j);
	json_end_object(j);
}

static const struct endpoint *frontend_at(const struct asked *a)
{
	return &a->pool->pool->frontends[a->at];
}

static void on_counted(void *arg, const struct ipvs_stats_answer *answer);

static void go_on(struct asked *a)
{
	if (a->at < a->pool->pool->frontend_count) {
		if (!a->count(a->count_arg, frontend_at(a), on_counted, a))
			refuse(a, PROBLEM_NOT_READY, "the ipvs process is not there, or is busy");
		return;
	}
	json_end_array(&a->json);
	json_end_object(&a->json);
	buf_str(&a->reply.body, "\n");
	finish(a);
}

static void on_counted(void *arg, const struct ipvs_stats_answer *answer)
{
	struct asked *a = arg;
	struct err err;

	if (answer->error && answer->error != ESRCH) {
		err_set(&err, -answer->error, "the kernel was not read: %s",
			strerror(answer->error));
		refuse(a, PROBLEM_NOT_READY, err.text);
		return;
	}
	put_frontend(&a->json, frontend_at(a), answer);
	a->at++;
	go_on(a);
}

static struct pool_view *find(const struct snapshot *s, const struct rest_request *r)
{
	const struct pool_view *v;
	struct uri uri;
	struct err err;

	if (!s || uri_parse(r->target, &uri, &err) < 0)
		return NULL;
	v = list_find_pool(s, uri.segments[3]);
	return v ? pool_view_ref((struct pool_view *)(uintptr_t)v) : NULL;
}

void statistics_begin(const struct statistics_place *p, const struct rest_request *r,
		      edit_answer_fn *fn, void *arg)
{
	struct asked *a = xcalloc(1, sizeof(*a));

	a->all = p->all;
	LIST_INSERT_HEAD(&p->all->under_way, a, under_way);
	a->request = r;
	a->answer = fn;
	a->arg = arg;
	a->count = p->count;
	a->count_arg = p->arg;
	a->pool = find(p->snapshot, r);
	if (!a->pool) {
		refuse(a, PROBLEM_NO_POOL, "no pool has that id");
		return;
	}
	a->reply.status = 200;
	a->reply.type = REST_JSON;
	a->json.out = &a->reply.body;
	json_put_object(&a->json, NULL);
	json_put_text(&a->json, REST_POOL_FIELD, a->pool->pool->id);
	json_put_time(&a->json, REST_AT, p->now_ms);
	json_put_array(&a->json, REST_FRONTENDS);
	go_on(a);
}
