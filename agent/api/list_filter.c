/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/list_item.h"
#include "agent/api/schema.h"

#define OF_MEMBERS "member:"
#define IN_POOLS   (LIST_KIND(LIST_POOLS))
#define IN_MEMBERS (LIST_KIND(LIST_POOL_MEMBERS) | LIST_KIND(LIST_MEMBERS))
#define FRONTENDS  (LIST_KIND(LIST_FRONTENDS))
#define BY_POOL	   (LIST_KIND(LIST_POOLS) | LIST_KIND(LIST_MEMBERS))

static const char *const protocol_words[] = { "tcp", "udp", "sctp", NULL };
static const char *const health_words[] = { REST_HEALTH_UP, REST_HEALTH_DEGRADED, REST_HEALTH_DOWN,
					    REST_HEALTH_UNMONITORED, NULL };
static const char *const state_words[] = { REST_UP, REST_DOWN, REST_UNKNOWN, NULL };
static const char *const type_words[] = { "none", "tcp",   "tcp-full", "http",
					  "grpc", "mysql", "redis",    "postgresql",
					  "dns",  "https", "udp",      NULL };
static const char *const severity_words[] = { "error", "warning", NULL };

static const struct filter {
	const char *name;
	unsigned kinds;
	const char *const *words; /* NULL: any text */
} filters[FILTER_COUNT] = {
	[FILTER_Q] = { REST_Q, ~0u, NULL },
	[FILTER_NAMESPACE] = { REST_NAMESPACE, BY_POOL, NULL },
	[FILTER_SERVICE] = { REST_SERVICE, BY_POOL, NULL },
	[FILTER_POOL] = { REST_POOL_FIELD, LIST_KIND(LIST_MEMBERS) | LIST_KIND(LIST_PROBLEMS),
			  NULL },
	[FILTER_PROTOCOL] = { REST_PROTOCOL, IN_POOLS | FRONTENDS, protocol_words },
	[FILTER_VIP] = { REST_VIP, BY_POOL | FRONTENDS, NULL },
	[FILTER_CHECK] = { REST_CHECK, BY_POOL, type_words },
	[FILTER_SOURCE] = { REST_SOURCE, BY_POOL, NULL },
	[FILTER_HEALTH] = { REST_HEALTH, IN_POOLS, health_words },
	[FILTER_STATE] = { REST_STATE, IN_MEMBERS | LIST_KIND(LIST_TARGETS), state_words },
	[FILTER_REASON] = { REST_REASON, IN_MEMBERS, view_reason_words },
	[FILTER_TYPE] = { REST_TYPE, LIST_KIND(LIST_TARGETS), type_words },
	[FILTER_SEVERITY] = { REST_SEVERITY, LIST_KIND(LIST_PROBLEMS), severity_words },
};

/* --- taking them ----------------------------------------------------------------- */

/*
 * Is `word` (of that length) one of those in `list`, which commas separate? A word may hold commas
 * itself, as the path of a source does: then it is several of the list that follow each other.
 */
static bool list_holds(const char *list, const char *word, size_t len)
{
	for (const char *at = list; *at; at++) {
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
		at = strchr(at, ',');
		if (!at)
			return false;
	}
	return false;
}

static int check_words(const struct filter *f, const char *value, struct err *err)
{
	char known[160] = "";

	for (const char *const *w = f->words; *w; w++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s",
			 w == f->words ? "" : ", ", *w);
	for (const char *p = value;; p++) {
		size_t n = strcspn(p, ",");
		bool found = false;

		for (const char *const *w = f->words; *w && !found; w++)
			found = list_holds(*w, p, n);
		if (!found)
			return err_set(err, -EINVAL, "parameter '%s': '%.*s' is none of %s",
				       f->name, (int)(n > 64 ? 64 : n), p, known);
		p += n;
		if (!*p)
			return 0;
	}
}

int list_filter_take(struct list_query *q, const char *name, const char *value, struct err *err)
{
	for (size_t i = 0; i < FILTER_COUNT; i++) {
		const struct filter *f = &filters[i];
		size_t len = strlen(value);

		if (strcmp(name, f->name) != 0 || !(f->kinds & LIST_KIND(q->kind)))
			continue;
		if (len >= sizeof(q->filters[i]))
			return err_set(err, -EINVAL, "parameter '%s' is longer than %zu bytes",
				       f->name, sizeof(q->filters[i]) - 1);
		if (f->words && check_words(f, value, err) < 0)
			return -EINVAL;
		memcpy(q->filters[i], value, len + 1);
		return 0;
	}
	return -ENOENT;
}

/* --- q ---------------------------------------------------------------------------- */

struct list_needle list_needle_of(const struct list_query *q)
{
	struct list_needle n = { .text = q->filters[FILTER_Q] };
	bool has_members = BY_POOL & LIST_KIND(q->kind);

	if (has_members && strncasecmp(n.text, OF_MEMBERS, strlen(OF_MEMBERS)) == 0) {
		n.text += strlen(OF_MEMBERS);
		n.of_members = true;
	}
	n.like_address = !n.text[strspn(n.text, "0123456789abcdefABCDEF.:[]")];
	if (!n.of_members)
		return n;
	n.exact_port = endpoint_parse(n.text, IPPROTO_TCP, &n.endpoint) == 0;
	n.exact = n.exact_port || addr_parse(n.text, &n.endpoint.addr) == 0;
	return n;
}

static char *put_number(char *to, unsigned n)
{
	char digits[8], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	memcpy(to, p, (size_t)(digits + sizeof(digits) - p));
	return to + (digits + sizeof(digits) - p);
}

/* endpoint_text() for hundreds of thousands of them: five times as fast where it is IPv4. */
static const char *quick_text(const struct endpoint *e, char out[static ENDPOINT_TEXT_MAX])
{
	char *p = out;

	if (addr_len(&e->addr) != 4)
		return endpoint_text(e, out);
	for (unsigned i = 0; i < 4; i++) {
		p = put_number(p, e->addr.bytes[i]);
		*p++ = i < 3 ? '.' : ':';
	}
	p = put_number(p, e->port);
	*p = '\0';
	return out;
}

/* Only digits and what stands between them can be a part of an address. */
static bool endpoint_has(const struct endpoint *e, const struct list_needle *n)
{
	char text[ENDPOINT_TEXT_MAX];

	if (!n->like_address)
		return false;
	(void)quick_text(e, text);
	/* IPv4 has no letters, and looking for them as they are is quicker. */
	return (addr_len(&e->addr) == 4 ? strstr(text, n->text) : strcasestr(text, n->text)) !=
	       NULL;
}

static bool is_member(const struct list_needle *n, const struct endpoint *e)
{
	if (!n->exact)
		return endpoint_has(e, n);
	return addr_cmp(&e->addr, &n->endpoint.addr) == 0 &&
	       (!n->exact_port || e->port == n->endpoint.port);
}

/* They are sorted: if the one is there, it is the first that does not come before. */
static bool has_exactly(const struct list_needle *n, const struct pool_view *v)
{
	const struct endpoint from = { .addr = n->endpoint.addr,
				       .port = n->exact_port ? n->endpoint.port : 0 };
	size_t low = 0, high = v->member_count;
	struct endpoint room;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (endpoint_cmp(pool_view_endpoint(v, mid, &room), &from) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->member_count && is_member(n, pool_view_endpoint(v, low, &room));
}

static bool has_member(const struct list_needle *n, const struct pool_view *v)
{
	struct endpoint room;

	if (n->exact)
		return has_exactly(n, v);
	for (size_t i = 0; i < v->member_count; i++)
		if (endpoint_has(pool_view_endpoint(v, i, &room), n))
			return true;
	return false;
}

static bool pool_matches(const struct list_needle *n, const struct pool_view *v)
{
	if (n->of_members)
		return has_member(n, v);
	/* The id begins with namespace and service. */
	if (strcasestr(v->pool->id, n->text))
		return true;
	if (v->pool->change && strcasestr(v->pool->change->user, n->text))
		return true;
	for (size_t i = 0; i < v->pool->frontend_count; i++)
		if (endpoint_has(&v->pool->frontends[i], n))
			return true;
	return false;
}

/* Does what a person would search this item by hold the text? */
static bool text_matches(enum list_kind kind, const struct list_needle *n,
			 const struct list_item *it)
{
	struct endpoint room;

	switch (kind) {
	case LIST_POOLS:
		return pool_matches(n, it->pool);
	case LIST_MEMBERS:
		if (n->of_members)
			return is_member(n, list_member_endpoint(it, &room));
		return strcasestr(it->pool->pool->id, n->text) ||
		       endpoint_has(list_member_endpoint(it, &room), n);
	case LIST_POOL_MEMBERS:
		return endpoint_has(list_member_endpoint(it, &room), n);
	case LIST_TARGETS:
		return endpoint_has(&it->target->endpoint, n);
	case LIST_FRONTENDS:
		return strcasestr(it->pool->pool->id, n->text) || endpoint_has(it->frontend, n);
	case LIST_PROBLEMS:
		return (it->problem.text && strcasestr(it->problem.text, n->text)) ||
		       (it->problem.where && strcasestr(it->problem.where, n->text)) ||
		       (it->pool && strcasestr(it->pool->pool->id, n->text));
	}
	return false;
}

/* --- the others ------------------------------------------------------------------- */

/* "10.0.0.1" or "10.0.0.1:80". */
static bool is_vip(const char *list, const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_MAX];

	quick_text(e, text);
	if (list_holds(list, text, strlen(text)))
		return true;
	if (addr_len(&e->addr) == 4)
		return list_holds(list, text, strcspn(text, ":"));
	return list_holds(list, text + 1, strcspn(text + 1, "]"));
}

static bool vip_matches(const char *list, const struct pool *p)
{
	for (size_t i = 0; i < p->frontend_count; i++)
		if (is_vip(list, &p->frontends[i]))
			return true;
	return false;
}

static bool reason_matches(const char *list, uint32_t reasons)
{
	for (size_t i = 0; view_reason_words[i]; i++)
		if ((reasons & 1u << i) &&
		    list_holds(list, view_reason_words[i], strlen(view_reason_words[i])))
			return true;
	return false;
}

/* What one of the other filters compares with; NULL: the item has no such thing. */
static const char *filter_value(enum list_filter f, const struct list_item *it)
{
	const struct pool *p = it->pool ? it->pool->pool : NULL;

	switch (f) {
	case FILTER_NAMESPACE:
		return p ? p->ns : NULL;
	case FILTER_SERVICE:
		return p ? p->service : NULL;
	case FILTER_POOL:
		return p ? p->id : NULL;
	case FILTER_PROTOCOL:
		return p ? protocol_text(p->protocol) : NULL;
	case FILTER_CHECK:
		return p ? check_type_text(p->set.check->type) : NULL;
	case FILTER_HEALTH:
		return view_health_text(view_pool_health(it->pool));
	case FILTER_STATE:
		return verdict_state_text(it->member ? it->member->state : it->target->state);
	case FILTER_TYPE:
		return it->target->type;
	case FILTER_SEVERITY:
		return it->problem.error ? "error" : "warning";
	case FILTER_Q:
	case FILTER_VIP:
	case FILTER_SOURCE:
	case FILTER_REASON:
	case FILTER_COUNT:
		break;
	}
	return NULL;
}

static bool filter_holds(enum list_filter f, const char *list, const struct snapshot *s,
			 const struct list_item *it)
{
	char source[VIEW_SOURCE_TEXT_MAX];
	const char *value;

	if (f == FILTER_VIP)
		return it->frontend ? is_vip(list, it->frontend)
				    : vip_matches(list, it->pool->pool);
	if (f == FILTER_REASON)
		return reason_matches(list, it->member->reasons);
	if (f == FILTER_SOURCE)
		value = view_source_text(s, it->pool->pool->source, source);
	else
		value = filter_value(f, it);
	return value && list_holds(list, value, strlen(value));
}

bool list_matches(const struct list_query *q, const struct list_needle *n, const struct snapshot *s,
		  const struct list_item *it)
{
	for (enum list_filter f = FILTER_Q + 1; f < FILTER_COUNT; f++)
		if (q->filters[f][0] && !filter_holds(f, q->filters[f], s, it))
			return false;
	return !q->filters[FILTER_Q][0] || text_matches(q->kind, n, it);
}
