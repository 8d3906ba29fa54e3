/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of a list that is asked for with `sort`.
 *
 * Each item gets its keys once, as numbers that order as the fields do; where
 * two are equal and the field is longer than a number, the fields themselves are
 * compared, and last the places in the list's own order, so that the order is total
 * and every window of it comes out the same each time. Only the window that is
 * asked for is sorted: quicksort that leaves alone what lies beside it.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/api/list_item.h"
#include "agent/api/schema.h"
#include "agent/base/xalloc.h"

#define IN_POOLS   LIST_KIND(LIST_POOLS)
#define IN_MEMBERS (LIST_KIND(LIST_POOL_MEMBERS) | LIST_KIND(LIST_MEMBERS))
#define IN_TARGETS LIST_KIND(LIST_TARGETS)
#define FRONTENDS  LIST_KIND(LIST_FRONTENDS)

/* `compare` decides where the keys are equal; NULL: they are all there is. */
struct list_field {
	const char *name;
	unsigned kinds;
	uint64_t (*key)(const struct list_item *it);
	int (*compare)(const struct list_item *a, const struct list_item *b);
};

/* --- fields ------------------------------------------------------------------------ */

static uint64_t text_key(const char *s)
{
	uint64_t key = 0;

	for (unsigned i = 0; i < 8; i++) {
		key = key << 8 | (unsigned char)*s;
		s += *s != '\0';
	}
	return key;
}

/* IPv4 before IPv6, as endpoint_cmp() has them. */
static uint64_t endpoint_key(const struct endpoint *e)
{
	const uint8_t *b = e->addr.bytes;
	uint64_t key = (uint64_t)b[0] << 24 | (uint64_t)b[1] << 16 | (uint64_t)b[2] << 8 | b[3];

	if (addr_len(&e->addr) == 4)
		return key << 16 | e->port;
	for (size_t i = 4; i < 8; i++)
		key = key << 8 | b[i];
	return UINT64_C(1) << 63 | key >> 1;
}

#define TEXT_FIELD(name, text)                                                          \
	static uint64_t name##_key(const struct list_item *it)                          \
	{                                                                               \
		return text_key((text));                                                \
	}                                                                               \
	static int name##_compare(const struct list_item *a, const struct list_item *b) \
	{                                                                               \
		const struct list_item *it = a;                                         \
		const char *first = (text);                                             \
                                                                                        \
		it = b;                                                                 \
		return strcmp(first, (text));                                           \
	}

#define NUMBER_FIELD(name, value)                              \
	static uint64_t name##_key(const struct list_item *it) \
	{                                                      \
		return (uint64_t)(value);                      \
	}

TEXT_FIELD(id, it->pool->pool->id)
TEXT_FIELD(namespace, it->pool->pool->ns)
TEXT_FIELD(service, it->pool->pool->service)
TEXT_FIELD(check, check_type_text(it->pool->pool->set.check->type))
TEXT_FIELD(pool, it->pool ? it->pool->pool->id : "")
TEXT_FIELD(type, it->target->type)
NUMBER_FIELD(protocol, it->pool->pool->protocol)
/* The worst first: that is what one sorts by it for. */
NUMBER_FIELD(health, view_health_rank(view_pool_health(it->pool)))
NUMBER_FIELD(members, it->pool->member_count)
NUMBER_FIELD(up, view_pool_counts(it->pool).up)
NUMBER_FIELD(down, view_pool_counts(it->pool).down)
NUMBER_FIELD(draining, view_pool_counts(it->pool).draining)
NUMBER_FIELD(generation, it->pool->generation)
/* Of no store: before all. */
NUMBER_FIELD(last_operation, it->pool->pool->change ? it->pool->pool->change->at_ms : 0)
NUMBER_FIELD(problem_count, pool_view_problems(it->pool))
NUMBER_FIELD(weight, pool_view_member(it->pool, list_member_place(it)).nominal)
NUMBER_FIELD(effective_weight, it->member->weight)
NUMBER_FIELD(state, view_state_rank(it->member ? it->member->state : it->target->state))
NUMBER_FIELD(since,
	     it->member ? pool_view_since(it->pool, list_member_place(it)) : it->target->since_ms)
NUMBER_FIELD(ok, it->target->ok)
NUMBER_FIELD(failed, it->target->failed)
NUMBER_FIELD(latency, it->target->latency_us)
NUMBER_FIELD(pools, it->target->users)
NUMBER_FIELD(severity, !it->problem.error)

/* Of a pool its first frontend; a pool that has none comes first. */
static const struct endpoint *endpoint_of(const struct list_item *it, struct endpoint *room)
{
	static const struct endpoint none;

	if (it->member)
		return list_member_endpoint(it, room);
	if (it->target)
		return &it->target->endpoint;
	if (it->frontend)
		return it->frontend;
	return it->pool->pool->frontend_count ? &it->pool->pool->frontends[0] : &none;
}

static uint64_t address_key(const struct list_item *it)
{
	struct endpoint room;
	const struct endpoint *e = endpoint_of(it, &room);

	return e->addr.family ? endpoint_key(e) : 0;
}

static int address_compare(const struct list_item *a, const struct list_item *b)
{
	struct endpoint room_a, room_b;

	return endpoint_cmp(endpoint_of(a, &room_a), endpoint_of(b, &room_b));
}

NUMBER_FIELD(vip_port, endpoint_of(it, &(struct endpoint){ 0 })->port)

static const struct list_field fields[] = {
	{ REST_ID, IN_POOLS, id_key, id_compare },
	{ REST_NAMESPACE, IN_POOLS, namespace_key, namespace_compare },
	{ REST_SERVICE, IN_POOLS, service_key, service_compare },
	{ REST_VIP, IN_POOLS | FRONTENDS, address_key, address_compare },
	{ REST_VIP_PORT, IN_POOLS | FRONTENDS, vip_port_key, NULL },
	{ REST_PROTOCOL, IN_POOLS | FRONTENDS, protocol_key, NULL },
	{ REST_CHECK, IN_POOLS, check_key, check_compare },
	{ REST_HEALTH, IN_POOLS, health_key, NULL },
	{ REST_MEMBERS_FIELD, IN_POOLS, members_key, NULL },
	{ REST_UP, IN_POOLS, up_key, NULL },
	{ REST_DOWN, IN_POOLS, down_key, NULL },
	{ REST_DRAINING, IN_POOLS, draining_key, NULL },
	{ REST_GENERATION, IN_POOLS, generation_key, NULL },
	{ REST_LAST_OPERATION_TIME, IN_POOLS, last_operation_key, NULL },
	{ REST_PROBLEM_COUNT, IN_POOLS, problem_count_key, NULL },
	{ REST_POOL_FIELD, LIST_KIND(LIST_MEMBERS) | LIST_KIND(LIST_PROBLEMS) | FRONTENDS, pool_key,
	  pool_compare },
	{ REST_ADDRESS, IN_MEMBERS | IN_TARGETS, address_key, address_compare },
	{ REST_STATE, IN_MEMBERS | IN_TARGETS, state_key, NULL },
	{ REST_SINCE, IN_MEMBERS | IN_TARGETS, since_key, NULL },
	{ REST_WEIGHT, IN_MEMBERS, weight_key, NULL },
	{ REST_EFFECTIVE_WEIGHT, IN_MEMBERS, effective_weight_key, NULL },
	{ REST_TYPE, IN_TARGETS, type_key, type_compare },
	{ REST_OK, IN_TARGETS, ok_key, NULL },
	{ REST_FAILED, IN_TARGETS, failed_key, NULL },
	{ REST_LATENCY_US, IN_TARGETS, latency_key, NULL },
	{ REST_POOLS_FIELD, IN_TARGETS, pools_key, NULL },
	{ REST_SEVERITY, LIST_KIND(LIST_PROBLEMS), severity_key, NULL },
};

/* --- the parameter ------------------------------------------------------------------- */

static const struct list_field *find_field(enum list_kind kind, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if ((fields[i].kinds & LIST_KIND(kind)) && strlen(fields[i].name) == len &&
		    memcmp(fields[i].name, name, len) == 0)
			return &fields[i];
	return NULL;
}

static int refuse_field(enum list_kind kind, const char *name, size_t len, struct err *err)
{
	char known[200] = "";

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if ((fields[i].kinds & LIST_KIND(kind)) &&
		    strlen(known) + strlen(fields[i].name) + 3 < sizeof(known)) {
			strcat(known, *known ? ", " : "");
			strcat(known, fields[i].name);
		}
	return err_set(err, -EINVAL, "parameter '%s': '%.*s' is none of %s", REST_SORT,
		       (int)(len > 32 ? 32 : len), name, known);
}

int list_sort_take(struct list_query *q, const char *value, struct err *err)
{
	q->sort_count = 0;
	for (const char *p = value;; p++) {
		bool descending = *p == '-';
		const struct list_field *f;
		size_t len;

		p += descending;
		len = strcspn(p, ",");
		f = find_field(q->kind, p, len);
		if (!f)
			return refuse_field(q->kind, p, len, err);
		if (q->sort_count == LIST_SORTS_MAX)
			return err_set(err, -EINVAL, "parameter '%s': more than %d fields",
				       REST_SORT, LIST_SORTS_MAX);
		q->sorts[q->sort_count++] = (struct list_sort){ f, descending };
		p += len;
		if (!*p)
			return 0;
	}
}

/* --- collecting ---------------------------------------------------------------------- */

struct entry {
	uint64_t keys[LIST_SORTS_MAX]; /* turned where descending */
	struct list_place at;
};

struct list_order {
	enum list_kind kind;
	size_t sort_count;
	struct list_sort sorts[LIST_SORTS_MAX];
	struct list_cursor over;
	struct entry *entries;
	size_t count, size;
};

static void add_entry(struct list_order *o, const struct list_item *it, struct list_place at)
{
	struct entry *e;

	if (o->count == o->size) {
		o->size = o->size ? o->size * 2 : 64;
		o->entries = xreallocarray(o->entries, o->size, sizeof(*o->entries));
	}
	e = &o->entries[o->count++];
	*e = (struct entry){ .at = at };
	for (size_t i = 0; i < o->sort_count; i++) {
		uint64_t key = o->sorts[i].field->key(it);

		e->keys[i] = o->sorts[i].descending ? ~key : key;
	}
}

struct list_order *list_order_new(const struct list_query *q, const struct list_cursor *from)
{
	struct list_order *o = xcalloc(1, sizeof(*o));
	struct list_needle needle = list_needle_of(q);
	struct list_cursor c = *from;
	struct list_place at;
	struct list_item it;

	o->kind = q->kind;
	o->over = *from;
	o->sort_count = q->sort_count;
	memcpy(o->sorts, q->sorts, sizeof(o->sorts));
	while (list_next(&c, q->kind, &it, &at))
		if (list_matches(q, &needle, c.s, &it))
			add_entry(o, &it, at);
	return o;
}

size_t list_order_count(const struct list_order *o)
{
	return o->count;
}

struct list_item list_order_at(const struct list_order *o, size_t i)
{
	return list_item_at(&o->over, o->kind, o->entries[i].at);
}

void list_order_free(struct list_order *o)
{
	if (!o)
		return;
	free(o->entries);
	free(o);
}

/* --- sorting ------------------------------------------------------------------------- */

static int compare_fields(const struct list_order *o, const struct list_sort *s,
			  const struct entry *a, const struct entry *b)
{
	struct list_item x = list_item_at(&o->over, o->kind, a->at);
	struct list_item y = list_item_at(&o->over, o->kind, b->at);
	int order = s->field->compare(&x, &y);

	return s->descending ? -order : order;
}

static bool before(const struct list_order *o, const struct entry *a, const struct entry *b)
{
	for (size_t i = 0; i < o->sort_count; i++) {
		int order = (a->keys[i] > b->keys[i]) - (a->keys[i] < b->keys[i]);

		if (order == 0 && o->sorts[i].field->compare)
			order = compare_fields(o, &o->sorts[i], a, b);
		if (order)
			return order < 0;
	}
	if (a->at.outer != b->at.outer)
		return a->at.outer < b->at.outer;
	return a->at.inner < b->at.inner;
}

static void swap(struct entry *a, struct entry *b)
{
	struct entry t = *a;

	*a = *b;
	*b = t;
}

static void insertion_sort(const struct list_order *o, size_t low, size_t high)
{
	for (size_t i = low + 1; i < high; i++)
		for (size_t k = i; k > low && before(o, &o->entries[k], &o->entries[k - 1]); k--)
			swap(&o->entries[k], &o->entries[k - 1]);
}

/* Splits low..high-1, of three at least, at an entry that is then in its place; that is told. */
static size_t split(const struct list_order *o, size_t low, size_t high)
{
	struct entry *e = o->entries;
	size_t mid = low + (high - low) / 2, last = high - 1, to = low;

	/* The median of three: sorted input is common here. */
	if (before(o, &e[mid], &e[low]))
		swap(&e[mid], &e[low]);
	if (before(o, &e[last], &e[mid]))
		swap(&e[last], &e[mid]);
	if (before(o, &e[mid], &e[low]))
		swap(&e[mid], &e[low]);
	swap(&e[mid], &e[last]);
	for (size_t i = low; i < last; i++)
		if (before(o, &e[i], &e[last]))
			swap(&e[i], &e[to++]);
	swap(&e[to], &e[last]);
	return to;
}

static void sort_range(const struct list_order *o, size_t low, size_t high, size_t from, size_t to)
{
	while (high - low > 16) {
		size_t mid = split(o, low, high);
		bool left = from<mid, right = to> mid + 1;

		if (left && right) {
			/* The smaller half by a call, the larger one here: a bounded stack. */
			if (mid - low < high - mid) {
				sort_range(o, low, mid, from, to);
				low = mid + 1;
			} else {
				sort_range(o, mid + 1, high, from, to);
				high = mid;
			}
		} else if (left) {
			high = mid;
		} else if (right) {
			low = mid + 1;
		} else {
			return;
		}
	}
	insertion_sort(o, low, high);
}

void list_order_window(struct list_order *o, size_t from, size_t to)
{
	if (to > o->count)
		to = o->count;
	if (from < to)
		sort_range(o, 0, o->count, from, to);
}
