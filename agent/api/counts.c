/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/counts.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/picture.h"
#include "agent/api/schema.h"
#include "agent/api/view.h"
#include "agent/base/xalloc.h"

/* --- counting ------------------------------------------------------------------------ */

static const uint8_t protocols[COUNTS_PROTOCOLS] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

static void tally_problem(struct counts *t, bool error)
{
	if (error)
		t->errors++;
	else
		t->warnings++;
}

static void tally_pool(struct counts *t, const struct pool_view *v)
{
	struct pool_counts n = view_pool_counts(v);
	size_t problems = pool_view_problems(v);

	t->health[view_pool_health(v)]++;
	for (size_t i = 0; i < COUNTS_PROTOCOLS; i++)
		t->protocol[i] += v->pool->protocol == protocols[i];
	t->check[v->pool->set.check->type]++;
	t->fail_open += v->fail_open;
	t->inherited += v->inherited;
	t->with_problems += problems > 0;
	t->with_draining += n.draining > 0;
	t->up += n.up;
	t->down += n.down;
	t->unknown += n.unknown;
	t->draining += n.draining;
	for (size_t i = 0; i < v->member_count; i++)
		for (uint32_t bits = v->members[i].reasons; bits; bits &= bits - 1)
			t->reasons[__builtin_ctz(bits)]++;
	for (size_t i = 0; i < problems; i++)
		tally_problem(t, view_pool_problem(v, i).error);
}

static void tally_target(struct counts *t, const struct target_view *v)
{
	t->target_state[v->state]++;
	for (enum check_type type = CHECK_NONE; type < COUNTS_TYPES; type++)
		t->target_type[type] += check_is_type(type) &&
					strcmp(v->type, check_type_text(type)) == 0;
}

struct counts counts_of(const struct snapshot *s)
{
	struct counts t = { 0 };

	for (size_t i = 0; i < s->pool_count; i++)
		tally_pool(&t, s->pools[i]);
	for (size_t i = 0; s->targets && i < s->targets->count; i++)
		tally_target(&t, &s->targets->items[i]);
	for (size_t i = 0; i < s->problem_count; i++)
		tally_problem(&t, s->problems[i].error);
	return t;
}

/* --- telling --------------------------------------------------------------------------- */

static void put_checks(struct json_writer *j, const char *key, const size_t n[COUNTS_TYPES])
{
	json_put_object(j, key);
	for (enum check_type type = CHECK_NONE; type < COUNTS_TYPES; type++) {
		if (check_is_type(type))
			json_put_uint(j, check_type_text(type), n[type]);
	}
	json_end_object(j);
}

/* Pools are sorted by id, which begins with the namespace and a dot: each has its run. */
static void put_namespaces(struct json_writer *j, const struct snapshot *s)
{
	size_t count = 0, run;

	json_put_array(j, REST_NAMESPACE);
	for (size_t i = 0; i < s->pool_count; i += run, count++) {
		const char *ns = s->pools[i]->pool->ns;

		run = 1;
		while (i + run < s->pool_count && strcmp(s->pools[i + run]->pool->ns, ns) == 0)
			run++;
		if (count >= COUNTS_NAMESPACES_MAX)
			continue;
		json_put_object(j, NULL);
		json_put_text(j, REST_NAME, ns);
		json_put_uint(j, REST_TOTAL, run);
		json_end_object(j);
	}
	json_end_array(j);
	json_put_uint(j, REST_NAMESPACES, count);
}

static void put_sources(struct json_writer *j, const struct snapshot *s)
{
	size_t *pools = xcalloc(s->source_count + 1, sizeof(*pools));
	char text[VIEW_SOURCE_TEXT_MAX];

	for (size_t i = 0; i < s->pool_count; i++)
		if (s->pools[i]->pool->source < s->source_count)
			pools[s->pools[i]->pool->source]++;
	json_put_array(j, REST_SOURCE);
	for (unsigned i = 0; i < s->source_count; i++) {
		json_put_object(j, NULL);
		json_put_text(j, REST_NAME, view_source_text(s, i, text));
		json_put_uint(j, REST_TOTAL, pools[i]);
		json_end_object(j);
	}
	json_end_array(j);
	free(pools);
}

static void put_pools(struct json_writer *j, const struct snapshot *s, const struct counts *t)
{
	json_put_object(j, REST_POOLS_FIELD);
	json_put_uint(j, REST_TOTAL, s->pool_count);
	json_put_object(j, REST_HEALTH);
	for (enum pool_health h = HEALTH_UP; h < COUNTS_HEALTHS; h++)
		json_put_uint(j, view_health_text(h), t->health[h]);
	json_end_object(j);
	json_put_object(j, REST_PROTOCOL);
	for (size_t i = 0; i < COUNTS_PROTOCOLS; i++)
		json_put_uint(j, protocol_text(protocols[i]), t->protocol[i]);
	json_end_object(j);
	put_checks(j, REST_CHECK, t->check);
	json_put_uint(j, REST_FAIL_OPEN, t->fail_open);
	json_put_uint(j, REST_INHERITED, t->inherited);
	json_put_uint(j, REST_WITH_PROBLEMS, t->with_problems);
	json_put_uint(j, REST_WITH_DRAINING, t->with_draining);
	put_sources(j, s);
	put_namespaces(j, s);
	json_end_object(j);
}

static void put_members(struct json_writer *j, const struct snapshot *s, const struct counts *t)
{
	json_put_object(j, REST_MEMBERS_FIELD);
	json_put_uint(j, REST_TOTAL, s->member_count);
	json_put_uint(j, REST_UP, t->up);
	json_put_uint(j, REST_DOWN, t->down);
	json_put_uint(j, REST_UNKNOWN, t->unknown);
	json_put_uint(j, REST_DRAINING, t->draining);
	json_put_object(j, REST_REASONS);
	for (size_t i = 0; view_reason_words[i]; i++)
		json_put_uint(j, view_reason_words[i], t->reasons[i]);
	json_end_object(j);
	json_end_object(j);
}

static void put_targets(struct json_writer *j, const struct snapshot *s, const struct counts *t)
{
	json_put_object(j, REST_TARGETS_FIELD);
	json_put_uint(j, REST_TOTAL, s->targets ? s->targets->count : 0);
	json_put_object(j, REST_STATE);
	for (enum verdict_state v = VERDICT_UNKNOWN; v < COUNTS_STATES; v++)
		json_put_uint(j, verdict_state_text(v), t->target_state[v]);
	json_end_object(j);
	put_checks(j, REST_TYPE, t->target_type);
	json_end_object(j);
}

void counts_put(struct json_writer *j, const struct snapshot *s)
{
	struct counts t = counts_of(s);
	char name[PICTURE_NAME_MAX];

	json_put_object(j, NULL);
	put_pools(j, s, &t);
	put_members(j, s, &t);
	put_targets(j, s, &t);
	json_put_object(j, REST_PROBLEMS_FIELD);
	json_put_uint(j, REST_TOTAL, t.errors + t.warnings);
	json_put_object(j, REST_SEVERITY);
	json_put_uint(j, "error", t.errors);
	json_put_uint(j, "warning", t.warnings);
	json_end_object(j);
	json_end_object(j);
	json_put_text(j, REST_SNAPSHOT, picture_name(s, name));
	json_end_object(j);
}
