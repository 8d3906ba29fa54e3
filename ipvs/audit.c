/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing the image with the kernel, which tells nobody when it is changed.
 *
 * Each audit_ms all services are listed; where one differs or its number of
 * destinations does, these are read. A twentieth of all services has its
 * destinations read in any case, so that after twenty audits, ten minutes, it
 * was each one's turn; all of a small table have. That is done in one go: to wake up for a few at a time
 * costs more than to read them. What others changed is then a difference like
 * any other and is written back; it is counted and told in one line.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/role_parts.h"

#define SOON_MS	    200
#define ROLL_PIECE  8 /* services that are read at a time: about 2 ms, for which a change may wait */
#define ROLL_AUDITS 20
#define ROLL_LEAST  64 /* services: a small table is read whole each time */

/* --- the destinations of one row --- */

/* What is read beside what the image holds, which mostly is the same: then nothing is kept. */
struct reading {
	const struct ipvs_service *have;
	uint32_t expected; /* so many are read, most likely */
	uint32_t same;	   /* so many were as they are held */
	bool differs;
	struct ipvs_service read; /* with what was read, once it differs */
};

static bool is_next_held(const struct reading *x, const struct ipvs_dest *d)
{
	const struct ipvs_dest *h;

	if (x->same == x->have->dest_count)
		return false;
	h = &x->have->dests[x->same];
	return ipvs_dest_cmp(h, d) == 0 && ipvs_dest_same(h, d);
}

static void begin_to_differ(struct reading *x)
{
	x->differs = true;
	ipvs_service_reserve(&x->read, x->expected);
	for (uint32_t i = 0; i < x->same; i++)
		*ipvs_service_add(&x->read) = x->have->dests[i];
}

static void take_dest(void *arg, const struct ipvs_dest *d, uint64_t connections)
{
	struct reading *x = arg;

	(void)connections;
	if (!x->differs && is_next_held(x, d)) {
		x->same++;
		return;
	}
	if (!x->differs)
		begin_to_differ(x);
	*ipvs_service_add(&x->read) = *d;
}

/* How many of a and b differ or are not in both. */
static uint32_t count_differences(const struct ipvs_service *a, const struct ipvs_service *b)
{
	uint32_t same = 0, more = a->dest_count > b->dest_count ? a->dest_count : b->dest_count;

	for (uint32_t i = 0; i < a->dest_count; i++) {
		const struct ipvs_dest *d = ipvs_service_find(b, &a->dests[i]);

		same += d && ipvs_dest_same(d, &a->dests[i]);
	}
	return more - same;
}

static void read_failed(struct ipvs_role *r, struct ipvs_row *row, int code)
{
	bool believe = row->doubted;

	row->doubted = false;
	if (code == -ESRCH && believe)
		ipvs_image_lose(&r->image, row, true);
	else
		ipvs_audit_soon(r); /* it will not be the only one that is missing */
}

bool ipvs_read_row(struct ipvs_role *r, struct ipvs_row *row)
{
	uint32_t count = row->listed ? row->listed : row->have->dest_count;
	struct reading x = { .have = row->have, .expected = count, .read = *row->have };
	int ret;

	x.read.dests = NULL;
	x.read.dest_count = 0;
	ret = r->kernel.ops->read_dests(r->kernel.kernel, &row->key, count, take_dest, &x);
	row->listed = 0;
	if (ret < 0) {
		ipvs_service_done(&x.read);
		read_failed(r, row, ret);
		return true;
	}
	if (!x.differs && x.same == row->have->dest_count && !row->doubted)
		return false;
	if (!x.differs)
		begin_to_differ(&x);
	if (!row->doubted)
		r->found.dests += count_differences(row->have, &x.read);
	ipvs_image_hold(&r->image, row, &x.read);
	row->doubted = false;
	return true;
}

/* --- the list --- */

static bool header_same(const struct ipvs_service *a, const struct ipvs_service *b)
{
	return memcmp(a->scheduler, b->scheduler, sizeof(a->scheduler)) == 0 &&
	       a->flags == b->flags && a->netmask == b->netmask &&
	       (a->timeout == b->timeout || !(a->flags & IPVS_PERSISTENT));
}

/* One that the image has not. */
static void take_unknown(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_service *s)
{
	struct ipvs_service copy = *s;

	r->found.undeclared += !row->want && r->committed;
	ipvs_image_hold(&r->image, row, &copy);
	row->doubted = true;
	ipvs_enqueue_read(r, row);
}

static void take_known(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_service *s,
		       uint32_t dests)
{
	bool differs = !header_same(row->have, s);

	r->image.version += differs;
	r->found.altered += differs && !row->doubted;
	memcpy(row->have->scheduler, s->scheduler, sizeof(s->scheduler));
	row->have->flags = s->flags;
	row->have->timeout = s->timeout;
	row->have->netmask = s->netmask;
	if (row->doubted || (dests != IPVS_COUNT_UNKNOWN && dests != row->have->dest_count))
		ipvs_enqueue_read(r, row);
	if (differs)
		ipvs_settle(r, row);
}

static void take_service(void *arg, const struct ipvs_service *s, uint32_t dests)
{
	struct ipvs_role *r = arg;
	struct ipvs_row *row = ipvs_image_next_listed(&r->image, &s->key);

	/* One that is held is ours: what is not any more is not held (ours.c). */
	if (!row || !row->have) {
		if (!ipvs_may_be_ours(r, &s->key))
			return;
		row = ipvs_image_make(&r->image, &s->key);
	}
	ipvs_image_listed(&r->image, row);
	if (row->audit == r->audit)
		return; /* listed twice, or changed by us since the list was made */
	row->audit = r->audit;
	row->place = ++r->audit_place;
	row->listed = dests == IPVS_COUNT_UNKNOWN ? 0 : dests;
	if (row->have)
		take_known(r, row, s, dests);
	else
		take_unknown(r, row, s);
}

static bool has_family(const struct ipvs_config *c, uint8_t family)
{
	for (size_t i = 0; i < c->vip_range_count; i++) {
		if (c->vip_ranges[i].addr.family == family)
			return true;
	}
	return false;
}

/* The next family after this one that anything of ours can have; 0: none. */
static uint8_t family_after(const struct ipvs_config *c, uint8_t family)
{
	if (family == 0 && has_family(c, AF_INET))
		return AF_INET;
	if (family != AF_INET6 && has_family(c, AF_INET6))
		return AF_INET6;
	return 0;
}

/*
 * The list is what the last one was, and so is the image: to go through both would find what it
 * found then, which is dealt with.
 */
static bool is_unchanged(struct ipvs_role *r)
{
	uint64_t digest = r->kernel.ops->list_digest(r->kernel.kernel);
	bool same = digest && digest == r->seen.digest && r->image.version == r->seen.version;

	r->seen.digest = digest;
	r->seen.version = r->image.version;
	return same;
}

/* Start on the next family whose list has to be gone through. 0: there is none. */
static int next_family(struct ipvs_role *r)
{
	int ret;

	for (;;) {
		r->audit_family = family_after(r->config, r->audit_family);
		if (r->audit_family == 0)
			return 0;
		ret = r->kernel.ops->list_start(r->kernel.kernel, r->audit_family);
		if (ret < 0)
			return ret;
		if (r->audit_family != AF_INET || !is_unchanged(r))
			return 1;
		r->kernel.ops->list_drop(r->kernel.kernel);
		r->audit_spared = true;
	}
}

/* A piece of the list. 1: there is more. */
static int list_piece(struct ipvs_role *r)
{
	int ret = r->kernel.ops->list_next(r->kernel.kernel, take_service, r);

	return ret == 0 ? next_family(r) : ret;
}

static int begin(struct ipvs_role *r)
{
	r->audit++;
	r->audit_family = 0;
	r->audit_place = 0;
	r->audit_spared = false;
	ipvs_image_list_begin(&r->image);
	return next_family(r);
}

/* --- what is missing --- */

static int compare_places(const void *a, const void *b)
{
	const struct ipvs_row *const *x = a;
	const struct ipvs_row *const *y = b;

	/* Last first: the reverse of the order in which a flush deletes. */
	return ((*x)->place < (*y)->place) - ((*x)->place > (*y)->place);
}

static void find_missing(struct ipvs_role *r)
{
	struct ipvs_row **missing = xcalloc(r->image.services + 1, sizeof(struct ipvs_row *)), *row;
	bool all_spared = r->audit_spared && !has_family(r->config, AF_INET6);
	const char *rival;
	size_t count = 0;

	for (size_t pos = 0; !all_spared && (row = map_next(&r->image.rows, &pos));) {
		if (row->have && row->audit != r->audit &&
		    !(r->audit_spared && row->key.addr.family == AF_INET))
			missing[count++] = row;
	}
	if (count > 1)
		qsort(missing, count, sizeof(struct ipvs_row *), compare_places);
	rival = ipvs_rival_found(r, count);
	for (size_t i = 0; i < count; i++) {
		r->found.missing += !missing[i]->doubted && !rival;
		missing[i]->doubted = false;
		ipvs_image_lose(&r->image, missing[i], true);
		if (rival && missing[i]->want)
			ipvs_rival_give_up(r, missing[i], rival);
		if (missing[i]->queue == IPVS_QUEUE_READ)
			ipvs_enqueue(r, missing[i], IPVS_QUEUE_NONE);
		ipvs_settle(r, missing[i]);
	}
	free(missing);
}

/* --- running it --- */

static void report(struct ipvs_role *r)
{
	uint32_t all = r->found.missing + r->found.undeclared + r->found.altered + r->found.dests;

	if (all == 0)
		return;
	r->status.repairs += all;
	ipvs_tell_event(
		r, LOG_LEVEL_WARNING,
		"another program changed IPVS: %u services missing, %u undeclared, %u altered, "
		"%u real servers differ; putting it right",
		r->found.missing, r->found.undeclared, r->found.altered, r->found.dests);
	memset(&r->found, 0, sizeof(r->found));
}

/* Some of those whose turn it is. */
static void roll_piece(struct ipvs_role *r)
{
	for (unsigned i = 0; i < ROLL_PIECE && r->roll_left; i++, r->roll_left--) {
		struct ipvs_row *row = ipvs_image_roll(&r->image);

		if (!row) {
			r->roll_left = 0;
			break;
		}
		/* One that is being worked on will be looked at the next time round. */
		if (!row->have || (row->queue != IPVS_QUEUE_NONE && row->queue != IPVS_QUEUE_ORDER))
			continue;
		if (ipvs_read_row(r, row))
			ipvs_settle(r, row);
	}
}

/* Rows whose destinations are to be read come before the report, which counts them too. */
static bool audit_piece(void *arg)
{
	struct ipvs_role *r = arg;
	int ret = 0;

	if (r->audit_family)
		ret = list_piece(r);
	if (ret > 0)
		return true;
	if (ret < 0) {
		r->seen.digest = 0;
		ipvs_tell_event(r, LOG_LEVEL_WARNING, "reading the IPVS services: %s",
				strerror(-ret));
	} else if (r->auditing) {
		find_missing(r);
	}
	r->audit_family = 0;
	r->auditing = false;
	roll_piece(r);
	ipvs_pump(r);
	if (r->roll_left || (r->queues[IPVS_QUEUE_READ].count && ret == 0))
		return true;
	report(r);
	ipvs_timeouts_check(r, true);
	ipvs_hosting_paths_check(r);
	r->audit_work = 0;
	ipvs_audit_arm(r);
	return false;
}

void ipvs_audit_start(struct ipvs_role *r)
{
	int ret;

	if (r->audit_work)
		return;
	ret = begin(r);
	r->auditing = ret >= 0;
	if (ret < 0) {
		r->seen.digest = 0;
		ipvs_tell_event(r, LOG_LEVEL_WARNING, "reading the IPVS services: %s",
				strerror(-ret));
		ipvs_audit_arm(r);
	} else {
		r->audit_work = loop_work(r->loop, audit_piece, r);
	}
}

static void on_audit_timer(void *arg)
{
	struct ipvs_role *r = arg;
	size_t rows = r->image.rows.count / ROLL_AUDITS + 1;

	r->audit_timer = 0;
	if (rows < ROLL_LEAST)
		rows = ROLL_LEAST;
	ipvs_image_roll_begin(&r->image);
	r->roll_left = rows;
	ipvs_audit_start(r);
}

void ipvs_audit_arm(struct ipvs_role *r)
{
	if (!r->audit_timer)
		r->audit_timer = loop_timer_in(r->loop, r->config->audit_ms, on_audit_timer, r);
}

static void on_soon_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->soon_timer = 0;
	if (r->audit_work)
		ipvs_audit_soon(r); /* what is under way may be past what it was asked for */
	else
		ipvs_audit_start(r);
}

void ipvs_audit_soon(struct ipvs_role *r)
{
	if (!r->soon_timer)
		r->soon_timer = loop_timer_in(r->loop, SOON_MS, on_soon_timer, r);
}

static void stop(struct ipvs_role *r)
{
	if (!r->audit_work)
		return;
	loop_work_cancel(r->loop, r->audit_work);
	r->audit_work = 0;
	r->auditing = false;
	ipvs_audit_arm(r);
}

int ipvs_audit_look(struct ipvs_role *r, uint32_t *out_undeclared)
{
	struct ipvs_row *row;
	int ret;

	stop(r);
	r->seen.digest = 0; /* what is ours may be something else now */
	ret = begin(r);
	while (ret > 0)
		ret = list_piece(r);
	while ((row = r->queues[IPVS_QUEUE_READ].first)) {
		ipvs_enqueue(r, row, IPVS_QUEUE_NONE);
		(void)ipvs_read_row(r, row);
		ipvs_settle(r, row);
	}
	*out_undeclared = r->found.undeclared;
	memset(&r->found, 0, sizeof(r->found));
	return ret;
}

int ipvs_audit_first(struct ipvs_role *r)
{
	uint32_t undeclared;

	return ipvs_audit_look(r, &undeclared);
}
