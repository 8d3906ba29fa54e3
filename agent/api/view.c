/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/schema.h"
#include "agent/base/value.h"

const char *view_target_id(uint64_t id, char out[static VIEW_ID_TEXT_MAX])
{
	snprintf(out, VIEW_ID_TEXT_MAX, "%016" PRIx64, id);
	return out;
}

const char *view_forward_text(enum pool_forward f)
{
	switch (f) {
	case FORWARD_NAT:
		return "nat";
	case FORWARD_DIRECT:
		return "dr";
	case FORWARD_TUNNEL:
		return "tunnel";
	}
	return "?";
}

static const char *unhealthy_text(enum pool_unhealthy u)
{
	switch (u) {
	case UNHEALTHY_DRAIN:
		return "drain";
	case UNHEALTHY_KEEP:
		return "keep";
	case UNHEALTHY_RESET:
		return "reset";
	}
	return "?";
}

static const char *fail_policy_text(enum pool_fail_policy p)
{
	switch (p) {
	case FAIL_OPEN_LAST:
		return "open-last";
	case FAIL_OPEN_ALL:
		return "open-all";
	case FAIL_CLOSED:
		return "closed";
	}
	return "?";
}

/* --- pools ------------------------------------------------------------------- */

static void put_frontends(struct json_writer *j, const struct pool *p)
{
	json_put_array(j, REST_FRONTENDS);
	for (size_t i = 0; i < p->frontend_count; i++) {
		char address[ENDPOINT_TEXT_MAX], text[ENDPOINT_TEXT_MAX + 8];

		snprintf(text, sizeof(text), "%s/%s", endpoint_text(&p->frontends[i], address),
			 protocol_text(p->frontends[i].protocol));
		json_put_text(j, NULL, text);
	}
	json_end_array(j);
}

/* "shop/db": its name, without the source that core tells them apart by. */
static void put_secret(struct json_writer *j, const struct check *c)
{
	char name[CHECK_SECRET_MAX + 1];

	if (!c->secret) {
		json_put_text(j, REST_SECRET, NULL);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(c->secret, "@"), c->secret);
	json_put_text(j, REST_SECRET, name);
}

static void put_question(struct json_writer *j, const struct check *c)
{
	char rcodes[VALUE_RCODES_TEXT_MAX];

	json_put_text(j, REST_DNS_NAME, c->dns_name);
	json_put_text(j, REST_DNS_TYPE, value_word_text(&value_dns_types, c->dns_type));
	json_put_text(j, REST_DNS_RCODES, value_dns_rcodes_text(c->dns_rcodes, rcodes));
}

static void put_statuses(struct json_writer *j, const char *key,
			 const struct check_status_range *ranges, unsigned count)
{
	char text[VALUE_STATUSES_TEXT_MAX];

	json_put_text(j, key, count ? value_statuses_text(ranges, count, text) : NULL);
}

/* Whom it logs in as, what TLS goes by, and what the server has to be then. */
static void put_secrets(struct json_writer *j, const struct check *c)
{
	unsigned has = check_has(c->type);

	if (has & (CHECK_HAS_LOGIN | CHECK_HAS_CERTIFICATE))
		put_secret(j, c);
	if (has & CHECK_HAS_LOGIN)
		json_put_text(j, REST_ROLE, value_word_text(&value_check_roles, c->role));
	if (has & CHECK_HAS_TLS)
		json_put_text(j, REST_TLS, value_word_text(&value_check_tls, c->tls));
	if (has & CHECK_HAS_LAG && c->max_lag_s)
		json_put_uint(j, REST_MAX_LAG_SECONDS, c->max_lag_s);
	else if (has & CHECK_HAS_LAG)
		json_put_text(j, REST_MAX_LAG_SECONDS, NULL);
	if (has & CHECK_HAS_CERTIFICATE)
		json_put_text(j, REST_SERVER_NAME, c->server_name);
}

void view_put_check(struct json_writer *j, const struct check *c)
{
	char expect[VALUE_STATUSES_TEXT_MAX];

	json_put_object(j, REST_CHECK);
	json_put_text(j, REST_TYPE, check_type_text(c->type));
	if (c->type != CHECK_NONE) {
		json_put_uint(j, REST_PORT, c->port);
		json_put_uint(j, REST_INTERVAL_MS, c->interval_ms);
		json_put_uint(j, REST_TIMEOUT_MS, c->timeout_ms);
		json_put_uint(j, REST_FAST_INTERVAL_MS, c->fast_ms);
		json_put_uint(j, REST_RISE, c->rise);
		json_put_uint(j, REST_FALL, c->fall);
		json_put_uint(j, REST_HOLD_DOWN_S, c->hold_down_s);
	}
	if (check_has(c->type) & CHECK_HAS_VIA)
		json_put_text(j, REST_VIA, value_word_text(&value_check_vias, c->via));
	if (check_has(c->type) & CHECK_HAS_REQUEST)
		json_put_text(j, REST_PATH, c->path);
	if (check_has(c->type) & CHECK_HAS_SERVICE)
		json_put_text(j, REST_SERVICE, c->service);
	if (check_has(c->type) & CHECK_HAS_HOST)
		json_put_text(j, REST_HOST, c->host);
	if (check_has(c->type) & CHECK_HAS_REQUEST) {
		json_put_text(j, REST_EXPECT,
			      value_statuses_text(c->expect, c->expect_count, expect));
		put_statuses(j, REST_DRAIN_STATUS, c->drain, c->drain_count);
		put_statuses(j, REST_DEGRADED_STATUS, c->degraded, c->degraded_count);
		json_put_text(j, REST_MATCH, c->match);
		json_put_uint(j, REST_REUSE, c->reuse);
	}
	if (check_has(c->type) & CHECK_HAS_WORDS) {
		json_put_text(j, REST_SEND, c->send);
		json_put_text(j, REST_ANSWER, c->answer);
	}
	if (check_has(c->type) & CHECK_HAS_QUESTION)
		put_question(j, c);
	put_secrets(j, c);
	json_end_object(j);
}

static void put_member_counts(struct json_writer *j, const struct pool_view *v)
{
	struct pool_counts n = view_pool_counts(v);

	json_put_object(j, REST_MEMBERS_FIELD);
	json_put_uint(j, REST_TOTAL, v->member_count);
	json_put_uint(j, REST_UP, n.up);
	json_put_uint(j, REST_DOWN, n.down);
	json_put_uint(j, REST_UNKNOWN, n.unknown);
	json_put_uint(j, REST_DRAINING, n.draining);
	json_put_uint(j, REST_ELSEWHERE, v->pool->elsewhere);
	json_end_object(j);
}

static void put_pool_problems(struct json_writer *j, const struct pool_view *v)
{
	size_t count = pool_view_problems(v);

	json_put_uint(j, REST_PROBLEM_COUNT, count);
	json_put_array(j, REST_PROBLEMS_FIELD);
	for (size_t i = 0; i < count && i < VIEW_POOL_PROBLEMS_MAX; i++) {
		struct problem_item p = view_pool_problem(v, i);

		view_put_problem(j, &p);
	}
	json_end_array(j);
}

static void put_pool_settings(struct json_writer *j, const struct pool *p)
{
	json_put_text(j, REST_SCHEDULER, p->set.scheduler);
	json_put_text(j, REST_FORWARDING, view_forward_text(p->set.forward));
	json_put_bool(j, REST_MASQUERADE, p->set.forward == FORWARD_NAT && p->set.masquerade);
	json_put_uint(j, REST_PERSISTENCE_SECONDS, p->persistence_s);
	json_put_uint(j, REST_DRAIN_SECONDS, p->set.drain_s);
	json_put_text(j, REST_ON_UNHEALTHY, unhealthy_text(p->set.unhealthy));
	json_put_text(j, REST_FAIL_POLICY, fail_policy_text(p->set.fail_policy));
	json_put_uint(j, REST_SLOW_START_S, p->set.slow_start_s);
	json_put_uint(j, REST_MIN_HEALTHY, p->set.min_healthy);
	json_put_text(j, REST_TRAFFIC_POLICY, p->local_wanted ? "Local" : "Cluster");
	json_put_bool(j, REST_LOCAL_ONLY, p->local_only);
	view_put_check(j, p->set.check);
}

/* Its name, or its number where it has none: what the id has before "-tcp". */
static void put_port(struct json_writer *j, const struct pool *p)
{
	const char *last = strrchr(p->id, '.'), *end = strrchr(p->id, '-');
	char text[OBJECT_NAME_MAX + 1];

	if (last && end && end > last)
		snprintf(text, sizeof(text), "%.*s", (int)(end - last - 1), last + 1);
	else
		snprintf(text, sizeof(text), "%s", p->port_name);
	json_put_text(j, REST_PORT, text);
}

/* Nulls where it is not known. */
static void put_change(struct json_writer *j, const struct object_change *c)
{
	if (c)
		json_put_uint(j, REST_REVISION, c->revision);
	else
		json_put_text(j, REST_REVISION, NULL);
	json_put_text(j, REST_LAST_OPERATOR, c && *c->user ? c->user : NULL);
	json_put_text(j, REST_LAST_ACTION, c && *c->action ? c->action : NULL);
	json_put_time(j, REST_LAST_OPERATION_TIME, c ? c->at_ms : 0);
}

void view_put_pool(struct json_writer *j, const struct snapshot *s, const struct pool_view *v)
{
	const struct pool *p = v->pool;
	char source[VIEW_SOURCE_TEXT_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_ID, p->id);
	json_put_text(j, REST_NAMESPACE, p->ns);
	json_put_text(j, REST_SERVICE, p->service);
	put_port(j, p);
	json_put_text(j, REST_PROTOCOL, protocol_text(p->protocol));
	json_put_text(j, REST_SOURCE, view_source_text(s, p->source, source));
	put_frontends(j, p);
	put_pool_settings(j, p);
	json_put_text(j, REST_HEALTH, view_health_text(view_pool_health(v)));
	json_put_bool(j, REST_FAIL_OPEN, v->fail_open);
	json_put_bool(j, REST_INHERITED, v->inherited);
	json_put_uint(j, REST_GENERATION, v->generation);
	put_change(j, p->change);
	put_member_counts(j, v);
	put_pool_problems(j, v);
	json_end_object(j);
}

/* --- members and targets ------------------------------------------------------ */

static void put_reasons(struct json_writer *j, uint32_t reasons)
{
	json_put_array(j, REST_REASONS);
	for (size_t i = 0; view_reason_words[i]; i++)
		if (reasons & 1u << i)
			json_put_text(j, NULL, view_reason_words[i]);
	json_end_array(j);
}

/* Targets are sorted by endpoint; an endpoint with several checks has several. */
const struct target_view *view_find_target(const struct snapshot *s, const struct pool_view *v,
					   const struct member_view *m)
{
	const struct target_list *t = m->checked ? s->targets : NULL;
	size_t low = 0, high = t ? t->count : 0;
	struct endpoint e;
	uint64_t id;

	if (!t)
		return NULL;
	id = check_target_id(v->pool->set.check, &m->endpoint);
	e = check_endpoint(v->pool->set.check, &m->endpoint);
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (endpoint_cmp(&t->items[mid].endpoint, &e) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < t->count && endpoint_cmp(&t->items[low].endpoint, &e) == 0; low++)
		if (t->items[low].id == id)
			return &t->items[low];
	return NULL;
}

void view_reason_word(const char reason[24], char out[24])
{
	memcpy(out, reason, 24);
	for (char *p = out; *p; p++)
		if (*p == ' ')
			*p = '-';
}

static void put_reason(struct json_writer *j, const struct target_view *t)
{
	char word[sizeof(t->reason)];

	view_reason_word(t->reason, word);
	json_put_text(j, REST_REASON, word);
}

static void put_result(struct json_writer *j, const struct target_view *t)
{
	put_reason(j, t);
	json_put_int(j, REST_DETAIL, t->detail);
	json_put_bool(j, REST_PROVEN, t->proven);
	json_put_uint(j, REST_OK, t->ok);
	json_put_uint(j, REST_FAILED, t->failed);
	json_put_uint(j, REST_LATENCY_US, t->latency_us);
	json_put_uint(j, REST_FLAPS, t->flaps);
	json_put_time(j, REST_HELD_UNTIL, t->held_ms ? t->since_ms + t->held_ms : 0);
}

const char *view_member_id(const struct endpoint *e, char out[static VIEW_MEMBER_ID_MAX])
{
	char address[ADDR_TEXT_MAX];

	snprintf(out, VIEW_MEMBER_ID_MAX, "%s-%u", addr_text(&e->addr, address), e->port);
	return out;
}

/* `t` is the target, where it is known: its id is at hand then. */
static void put_target_id(struct json_writer *j, const struct pool_view *v,
			  const struct member_view *m, const struct target_view *t)
{
	char id[VIEW_ID_TEXT_MAX];

	if (t)
		json_put_text(j, REST_TARGET, view_target_id(t->id, id));
	else if (m->checked)
		json_put_text(
			j, REST_TARGET,
			view_target_id(check_target_id(v->pool->set.check, &m->endpoint), id));
	else
		json_put_text(j, REST_TARGET, NULL);
}

void view_put_member(struct json_writer *j, const struct snapshot *s, const struct pool_view *v,
		     size_t place)
{
	const struct member_view member = pool_view_member(v, place), *m = &member;
	const struct target_view *t = view_find_target(s, v, m);
	char address[ADDR_TEXT_MAX], id[VIEW_MEMBER_ID_MAX];

	json_put_object(j, NULL);
	json_put_text(j, REST_POOL_FIELD, v->pool->id);
	json_put_text(j, REST_ID, view_member_id(&m->endpoint, id));
	json_put_text(j, REST_ADDRESS, addr_text(&m->endpoint.addr, address));
	json_put_uint(j, REST_PORT, m->endpoint.port);
	json_put_uint(j, REST_WEIGHT, m->nominal);
	json_put_uint(j, REST_EFFECTIVE_WEIGHT, m->weight);
	json_put_text(j, REST_STATE, verdict_state_text(m->state));
	json_put_bool(j, REST_IN_TABLE, m->in_table);
	put_reasons(j, m->reasons);
	json_put_time(j, REST_SINCE, m->since_ms);
	json_put_time(j, REST_REMOVE_AT, m->remove_at_ms);
	put_target_id(j, v, m, t);
	if (t) {
		json_put_object(j, REST_LAST_CHECK);
		put_result(j, t);
		json_end_object(j);
	} else {
		json_put_text(j, REST_LAST_CHECK, NULL);
	}
	json_end_object(j);
}

void view_put_target(struct json_writer *j, const struct target_view *t)
{
	json_put_object(j, NULL);
	view_put_target_fields(j, t);
	json_end_object(j);
}

void view_put_target_fields(struct json_writer *j, const struct target_view *t)
{
	char id[VIEW_ID_TEXT_MAX], address[ADDR_TEXT_MAX];

	json_put_text(j, REST_ID, view_target_id(t->id, id));
	json_put_text(j, REST_ADDRESS, addr_text(&t->endpoint.addr, address));
	json_put_uint(j, REST_PORT, t->endpoint.port);
	json_put_text(j, REST_PROTOCOL, protocol_text(t->endpoint.protocol));
	json_put_text(j, REST_TYPE, t->type);
	if (t->login)
		put_secrets(j, t->login);
	json_put_text(j, REST_STATE, verdict_state_text(t->state));
	json_put_time(j, REST_SINCE, t->since_ms);
	put_result(j, t);
	json_put_uint(j, REST_POOLS_FIELD, t->users);
}

/* --- problems ------------------------------------------------------------------ */

struct problem_item view_pool_problem(const struct pool_view *v, size_t i)
{
	const struct problems *own = &v->pool->problems;

	if (i < own->count)
		return (struct problem_item){ .pool = v,
					      .where = *own->items[i].path ? own->items[i].path
									   : NULL,
					      .line = own->items[i].line,
					      .text = own->items[i].text,
					      .error = own->items[i].error };
	i -= own->count;
	if (v->fault && i-- == 0)
		return (struct problem_item){ .pool = v, .text = v->fault, .error = true };
	if (v->unchecked && i-- == 0)
		return (struct problem_item){ .pool = v, .text = v->unchecked };
	if (v->not_by_vip && i-- == 0)
		return (struct problem_item){ .pool = v, .text = v->not_by_vip };
	return (struct problem_item){
		.pool = v, .where = "kernel", .text = v->kernel_problem, .error = true
	};
}

void view_put_problem(struct json_writer *j, const struct problem_item *p)
{
	json_put_object(j, NULL);
	json_put_text(j, REST_SEVERITY, p->error ? "error" : "warning");
	if (p->where || !p->pool) {
		json_put_text(j, REST_WHERE, p->where);
	} else {
		char where[2 * OBJECT_NAME_MAX + 2];

		snprintf(where, sizeof(where), "%s/%s", p->pool->pool->ns, p->pool->pool->service);
		json_put_text(j, REST_WHERE, where);
	}
	if (p->line)
		json_put_uint(j, REST_LINE, p->line);
	else
		json_put_text(j, REST_LINE, NULL);
	json_put_text(j, REST_POOL_FIELD, p->pool ? p->pool->pool->id : NULL);
	json_put_text(j, REST_TEXT_FIELD, p->text);
	json_end_object(j);
}
