/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why commands look as they do:
 *
 * - SET_DEST overwrites a destination whole, so one command carries every
 *   field, and a change of weight takes all else along.
 * - mh builds its table of 4,093 slots anew at each change of a destination.
 *   A new service is made with the scheduler "none", given its destinations,
 *   and only then mh. Its table depends on the order of destinations and on
 *   the last weight of each that was not 0: they are added by (address, port)
 *   at the weight they have when well, and those that are down set to 0 after.
 *   A health change is then 0 and back, and moves only that server's clients.
 * - mh without its fallback flag refuses the clients of a server that is down.
 */
#include "ipvs/diff.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"

static const char no_scheduler[] = "none";

bool ipvs_scheduler_builds(const char *scheduler)
{
	return strcmp(scheduler, "mh") == 0;
}

static bool is_unscheduled(const struct ipvs_service *s)
{
	return strcmp(s->scheduler, no_scheduler) == 0;
}

static uint32_t wanted_flags(const struct ipvs_service *want)
{
	return want->flags | (ipvs_scheduler_builds(want->scheduler) ? IPVS_SCHED1 : 0);
}

static bool header_same(const struct ipvs_service *want, const struct ipvs_service *have)
{
	return strncmp(want->scheduler, have->scheduler, sizeof(want->scheduler)) == 0 &&
	       wanted_flags(want) == have->flags && want->netmask == have->netmask &&
	       (want->timeout == have->timeout || !(want->flags & IPVS_PERSISTENT));
}

uint32_t ipvs_first_weight(const struct ipvs_service *want, const struct ipvs_dest *d)
{
	return ipvs_scheduler_builds(want->scheduler) && d->nominal ? d->nominal : d->weight;
}

static bool shape_same(const struct ipvs_dest *a, const struct ipvs_dest *b)
{
	return a->forward == b->forward && a->tunnel == b->tunnel &&
	       a->tunnel_port == b->tunnel_port && a->upper == b->upper && a->lower == b->lower;
}

/* --- the commands --- */

static struct ipvs_op *add_op(struct ipvs_ops *out, enum ipvs_op_kind kind,
			      const struct endpoint *key)
{
	struct ipvs_op *op;

	if (out->count == out->size)
		return NULL;
	op = &out->ops[out->count++];
	memset(op, 0, sizeof(*op));
	op->kind = kind;
	op->key = *key;
	return op;
}

static bool add_service_op(struct ipvs_ops *out, enum ipvs_op_kind kind,
			   const struct ipvs_service *want, const char *scheduler)
{
	struct ipvs_op *op = add_op(out, kind, &want->key);

	if (!op)
		return false;
	memcpy(op->scheduler, scheduler, strlen(scheduler));
	op->flags = wanted_flags(want);
	op->timeout = want->flags & IPVS_PERSISTENT ? want->timeout : 0;
	op->netmask = want->netmask;
	return true;
}

bool ipvs_add_dest_op(struct ipvs_ops *out, enum ipvs_op_kind kind, const struct endpoint *key,
		      const struct ipvs_dest *d, uint32_t weight)
{
	struct ipvs_op *op = add_op(out, kind, key);

	if (!op)
		return false;
	op->dest = *d;
	op->dest.weight = weight;
	return true;
}

/* --- destinations of both sides, in pairs --- */

static int compare_pointers(const void *a, const void *b)
{
	const struct ipvs_dest *const *x = a;
	const struct ipvs_dest *const *y = b;

	return ipvs_dest_cmp(*x, *y);
}

/* Mostly they are in order already: that is how they were loaded. */
void ipvs_sorted_dests(const struct ipvs_service *s, struct ipvs_sorted *out)
{
	bool in_order = true;

	out->count = s ? s->dest_count : 0;
	out->all = out->count > IPVS_SORTED_SMALL
			   ? xreallocarray(NULL, out->count, sizeof(*out->all))
			   : out->small;
	for (uint32_t i = 0; i < out->count; i++) {
		out->all[i] = &s->dests[i];
		if (i && ipvs_dest_cmp(out->all[i - 1], out->all[i]) > 0)
			in_order = false;
	}
	if (!in_order)
		qsort(out->all, out->count, sizeof(*out->all), compare_pointers);
}

void ipvs_sorted_done(struct ipvs_sorted *s)
{
	if (s->all != s->small)
		free(s->all);
}

/* A destination of want, of have, or of both. */
struct pair {
	const struct ipvs_dest *want;
	const struct ipvs_dest *have;
};

struct pairs {
	const struct ipvs_service *want;
	struct ipvs_sorted have;
	uint32_t w, h;
};

static bool next_pair(struct pairs *p, struct pair *out)
{
	uint32_t wants = p->want ? p->want->dest_count : 0;
	int c;

	if (p->w >= wants && p->h >= p->have.count)
		return false;
	if (p->w >= wants)
		c = 1;
	else if (p->h >= p->have.count)
		c = -1;
	else
		c = ipvs_dest_cmp(&p->want->dests[p->w], p->have.all[p->h]);
	*out = (struct pair){
		.want = c <= 0 ? &p->want->dests[p->w++] : NULL,
		.have = c >= 0 ? p->have.all[p->h++] : NULL,
	};
	return true;
}

/* --- steps --- */

struct diff {
	const struct ipvs_service *want, *have, *lost;
	const struct ipvs_diff_rules *rules;
	struct ipvs_sorted have_sorted;
};

static bool is_blocked(const struct diff *d, const struct ipvs_dest *dest)
{
	return d->rules->blocked && d->rules->blocked(d->rules->arg, dest);
}

/* Loading goes on: the service waits for its destinations, and then for its scheduler. */
static bool is_loading(const struct diff *d)
{
	return !d->have || (is_unscheduled(d->have) && !is_unscheduled(d->want));
}

/* The weight a destination should have now; while loading those that are down still wait. */
static uint32_t weight_now(const struct diff *d, const struct ipvs_dest *want)
{
	return is_loading(d) ? ipvs_first_weight(d->want, want) : want->weight;
}

/* The step in which a pair is dealt with; IPVS_STEP_COUNT: it is as it should be. */
static enum ipvs_step step_of(const struct diff *d, const struct pair *p)
{
	if (!p->want)
		return d->rules->may_delete ? IPVS_STEP_DELETE : IPVS_STEP_COUNT;
	if (!p->have)
		return IPVS_STEP_ADD;
	if (weight_now(d, p->want) != p->have->weight)
		return IPVS_STEP_WEIGHTS;
	return shape_same(p->want, p->have) ? IPVS_STEP_COUNT : IPVS_STEP_EDIT;
}

static struct pairs pairs_of(const struct diff *d)
{
	struct pairs p = { .want = d->want };

	/* A shallow copy: the array stays with d. */
	p.have.all = d->have_sorted.all;
	p.have.count = d->have_sorted.count;
	return p;
}

static bool set_dests(const struct diff *d, enum ipvs_step step, bool to_zero, struct ipvs_ops *out)
{
	struct pairs pairs = pairs_of(d);
	struct pair p;

	while (next_pair(&pairs, &p)) {
		uint32_t weight;

		if (step_of(d, &p) != step || is_blocked(d, p.want))
			continue;
		weight = weight_now(d, p.want);
		if (step == IPVS_STEP_WEIGHTS && (weight == 0) != to_zero)
			continue;
		if (!ipvs_add_dest_op(out, IPVS_SET_DEST, &d->want->key, p.want, weight))
			return false;
	}
	return true;
}

static bool step_weights(const struct diff *d, struct ipvs_ops *out)
{
	return set_dests(d, IPVS_STEP_WEIGHTS, true, out) &&
	       set_dests(d, IPVS_STEP_WEIGHTS, false, out);
}

/* A missing destination and where it stood among those that were lost. */
struct missing {
	const struct ipvs_dest *dest;
	uint32_t place;
};

static int compare_missing(const void *a, const void *b)
{
	const struct missing *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return ipvs_dest_cmp(x->dest, y->dest);
}

/* In the order they are to be added in; *out_count of them, the caller frees. */
static struct missing *find_missing(const struct diff *d, uint32_t *out_count)
{
	uint32_t count = 0, room = d->want->dest_count;
	struct missing *all = xcalloc(room ? room : 1, sizeof(*all));
	struct pairs pairs = pairs_of(d);
	struct ipvs_sorted lost;
	struct pair p;

	ipvs_sorted_dests(d->lost, &lost);
	while (next_pair(&pairs, &p)) {
		const struct ipvs_dest **was;

		if (p.have || !p.want || is_blocked(d, p.want))
			continue;
		was = lost.count ? bsearch(&p.want, lost.all, lost.count, sizeof(*lost.all),
					   compare_pointers)
				 : NULL;
		all[count++] = (struct missing){
			.dest = p.want,
			.place = was ? (uint32_t)(*was - d->lost->dests) : UINT32_MAX,
		};
	}
	if (lost.count)
		qsort(all, count, sizeof(*all), compare_missing);
	ipvs_sorted_done(&lost);
	*out_count = count;
	return all;
}

static bool add_missing(const struct diff *d, struct ipvs_ops *out)
{
	bool loading = is_loading(d), fits = true;
	uint32_t count;
	struct missing *all = find_missing(d, &count);

	for (uint32_t i = 0; i < count && fits; i++) {
		const struct ipvs_dest *w = all[i].dest;
		uint32_t weight = ipvs_first_weight(d->want, w);

		/* One that is down joins a live service at its weight and leaves in the same batch. */
		if (!loading && weight != w->weight && out->size - out->count < 2) {
			fits = false;
			break;
		}
		fits = ipvs_add_dest_op(out, IPVS_NEW_DEST, &d->want->key, w, weight);
		if (fits && !loading && weight != w->weight)
			fits = ipvs_add_dest_op(out, IPVS_SET_DEST, &d->want->key, w, w->weight);
	}
	free(all);
	return fits;
}

/* After the scheduler: those that are down. */
static bool set_loaded(const struct diff *d, struct ipvs_ops *out)
{
	for (uint32_t i = 0; i < d->want->dest_count; i++) {
		const struct ipvs_dest *w = &d->want->dests[i];

		if (w->weight == ipvs_first_weight(d->want, w) || is_blocked(d, w))
			continue;
		if (!ipvs_add_dest_op(out, IPVS_SET_DEST, &d->want->key, w, w->weight))
			return false;
	}
	return true;
}

static bool step_add(const struct diff *d, struct ipvs_ops *out)
{
	bool late = ipvs_scheduler_builds(d->want->scheduler);

	if (!d->have && !add_service_op(out, IPVS_NEW_SERVICE, d->want,
					late ? no_scheduler : d->want->scheduler))
		return false;
	if (!add_missing(d, out))
		return false;
	if (!is_loading(d) || (!d->have && !late))
		return true;
	return add_service_op(out, IPVS_SET_SERVICE, d->want, d->want->scheduler) &&
	       set_loaded(d, out);
}

static bool step_edit(const struct diff *d, struct ipvs_ops *out)
{
	if (!header_same(d->want, d->have) &&
	    !add_service_op(out, IPVS_SET_SERVICE, d->want, d->want->scheduler))
		return false;
	return set_dests(d, IPVS_STEP_EDIT, false, out);
}

static bool step_delete(const struct diff *d, struct ipvs_ops *out)
{
	struct pairs pairs = pairs_of(d);
	struct pair p;

	if (!d->want && !d->rules->quiesce)
		return add_op(out, IPVS_DEL_SERVICE, &d->have->key) != NULL;
	while (next_pair(&pairs, &p)) {
		bool fits = true;

		if (p.want || is_blocked(d, p.have))
			continue;
		if (!d->rules->quiesce)
			fits = ipvs_add_dest_op(out, IPVS_DEL_DEST, &d->have->key, p.have, 0);
		else if (p.have->weight)
			fits = ipvs_add_dest_op(out, IPVS_SET_DEST, &d->have->key, p.have, 0);
		if (!fits)
			return false;
	}
	return true;
}

static bool run_step(const struct diff *d, enum ipvs_step step, struct ipvs_ops *out)
{
	switch (step) {
	case IPVS_STEP_WEIGHTS:
		return !d->want || !d->have || step_weights(d, out);
	case IPVS_STEP_ADD:
		return !d->want || step_add(d, out);
	case IPVS_STEP_EDIT:
		return !d->want || !d->have || is_loading(d) || step_edit(d, out);
	case IPVS_STEP_DELETE:
		return !d->have || !d->rules->may_delete || step_delete(d, out);
	case IPVS_STEP_COUNT:
		break;
	}
	return true;
}

bool ipvs_diff_step(const struct ipvs_service *want, const struct ipvs_service *have,
		    const struct ipvs_service *lost, enum ipvs_step step,
		    const struct ipvs_diff_rules *rules, struct ipvs_ops *out)
{
	struct diff d = { .want = want, .have = have, .lost = lost, .rules = rules };
	bool fits;

	if (is_blocked(&d, NULL))
		return true;
	ipvs_sorted_dests(have, &d.have_sorted);
	fits = run_step(&d, step, out);
	ipvs_sorted_done(&d.have_sorted);
	return fits;
}

enum ipvs_step ipvs_diff_first(const struct ipvs_service *want, const struct ipvs_service *have,
			       const struct ipvs_diff_rules *rules)
{
	struct diff d = { .want = want, .have = have, .rules = rules };
	enum ipvs_step first = IPVS_STEP_COUNT, step;
	struct pairs pairs;
	struct pair p;

	if (is_blocked(&d, NULL) || (!want && !have))
		return IPVS_STEP_COUNT;
	if (!want)
		return rules->may_delete ? IPVS_STEP_DELETE : IPVS_STEP_COUNT;
	if (!have)
		return IPVS_STEP_ADD;
	if (is_loading(&d))
		first = IPVS_STEP_ADD;
	else if (!header_same(want, have))
		first = IPVS_STEP_EDIT;
	ipvs_sorted_dests(have, &d.have_sorted);
	pairs = pairs_of(&d);
	while (first > IPVS_STEP_WEIGHTS && next_pair(&pairs, &p)) {
		step = step_of(&d, &p);
		if (step < first && !is_blocked(&d, p.want ? p.want : p.have))
			first = step;
	}
	ipvs_sorted_done(&d.have_sorted);
	return first;
}
