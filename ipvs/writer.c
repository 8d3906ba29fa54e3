/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queues, and batches of commands made of them.
 *
 * The image is changed as commands are put into a batch, not as they are
 * acknowledged: that is what makes a step that did not fit go on where it
 * stopped. Where a command fails the image is not trusted: the row is read
 * again, and what could not be had is left alone until its time has come.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipvs/role_parts.h"

#define READS_PER_PIECE 32
#define WAIT_MS		100
#define PAUSE_MS	1000 /* after a batch that did not even reach the kernel */

/* --- queues --- */

static void unlink_row(struct ipvs_role *r, struct ipvs_row *row)
{
	struct ipvs_row_list *l = &r->queues[row->queue];

	if (row->queue == IPVS_QUEUE_NONE)
		return;
	if (row->before)
		row->before->next = row->next;
	else
		l->first = row->next;
	if (row->next)
		row->next->before = row->before;
	else
		l->last = row->before;
	row->next = row->before = NULL;
	row->queue = IPVS_QUEUE_NONE;
	l->count--;
}

void ipvs_enqueue(struct ipvs_role *r, struct ipvs_row *row, enum ipvs_queue q)
{
	struct ipvs_row_list *l = &r->queues[q];

	if (row->queue == q)
		return;
	unlink_row(r, row);
	if (q == IPVS_QUEUE_NONE)
		return;
	row->queue = (uint8_t)q;
	row->before = l->last;
	if (l->last)
		l->last->next = row;
	else
		l->first = row;
	l->last = row;
	l->count++;
}

void ipvs_enqueue_read(struct ipvs_role *r, struct ipvs_row *row)
{
	if (row->queue == IPVS_QUEUE_CHECK)
		row->doubted = true; /* check_row() sees to it */
	else
		ipvs_enqueue(r, row, IPVS_QUEUE_READ);
}

bool ipvs_is_quiet(const struct ipvs_role *r)
{
	for (unsigned q = IPVS_QUEUE_NONE + 1; q < IPVS_QUEUE_ORDER; q++) {
		if (r->queues[q].count)
			return false;
	}
	return true;
}

static bool blocked(void *arg, const struct ipvs_dest *d)
{
	return ipvs_is_blocked(arg, d);
}

static struct ipvs_diff_rules rules_for(const struct ipvs_role *r, struct ipvs_row *row)
{
	return (struct ipvs_diff_rules){
		.may_delete = r->committed && r->commit.complete,
		.blocked = row->troubles ? blocked : NULL,
		.arg = row,
	};
}

static bool changes_live_scheduler(const struct ipvs_row *row)
{
	return strcmp(row->have->scheduler, "none") != 0 &&
	       strncmp(row->have->scheduler, row->want->scheduler, sizeof(row->want->scheduler)) !=
		       0;
}

static bool needs_host(const struct ipvs_row *row)
{
	return row->want && (!row->hosted || row->hosted_masquerade != row->want->masquerade);
}

static enum ipvs_queue queue_for(struct ipvs_role *r, struct ipvs_row *row)
{
	const struct ipvs_diff_rules rules = rules_for(r, row);
	enum ipvs_step first = IPVS_STEP_COUNT;

	/* Before the first commit nobody knows what is wanted. */
	if (r->committed)
		first = ipvs_diff_first(row->want, row->have, &rules);
	if (first == IPVS_STEP_WEIGHTS)
		return IPVS_QUEUE_WEIGHTS;
	if (needs_host(row))
		return IPVS_QUEUE_HOST;
	switch (first) {
	case IPVS_STEP_WEIGHTS:
		return IPVS_QUEUE_WEIGHTS;
	case IPVS_STEP_ADD:
		return IPVS_QUEUE_ADD;
	case IPVS_STEP_EDIT:
		return changes_live_scheduler(row) ? IPVS_QUEUE_SCHEDULER : IPVS_QUEUE_EDIT;
	case IPVS_STEP_DELETE:
		return IPVS_QUEUE_DELETE;
	case IPVS_STEP_COUNT:
		break;
	}
	if (!row->want && !row->have && row->hosted)
		return IPVS_QUEUE_GONE;
	return ipvs_ordering_wanted(r, row) ? IPVS_QUEUE_ORDER : IPVS_QUEUE_NONE;
}

void ipvs_settle(struct ipvs_role *r, struct ipvs_row *row)
{
	enum ipvs_queue q;

	if (row->queue == IPVS_QUEUE_CHECK || row->queue == IPVS_QUEUE_READ)
		return; /* and then it is settled again */
	q = queue_for(r, row);
	if (row->queue == IPVS_QUEUE_WAIT && q == IPVS_QUEUE_DELETE)
		return;
	if (row->lost && q != IPVS_QUEUE_HOST && q != IPVS_QUEUE_ADD) {
		ipvs_service_done(row->lost);
		free(row->lost);
		row->lost = NULL;
	}
	if (q == IPVS_QUEUE_NONE && row->want && row->have)
		ipvs_row_share(row, row->want);
	if (q != IPVS_QUEUE_ORDER)
		ipvs_enqueue(r, row, q);
	else if (row->queue != IPVS_QUEUE_ORDER)
		ipvs_ordering_add(r, row);
	if (q == IPVS_QUEUE_NONE && !row->want && !row->have && !row->staged_any &&
	    !row->troubles && !row->draining)
		ipvs_image_drop(&r->image, row);
}

static void read_piece(struct ipvs_role *r)
{
	for (unsigned i = 0; i < READS_PER_PIECE && r->queues[IPVS_QUEUE_READ].first; i++) {
		struct ipvs_row *row = r->queues[IPVS_QUEUE_READ].first;

		ipvs_enqueue(r, row, IPVS_QUEUE_NONE);
		if (row->have)
			(void)ipvs_read_row(r, row);
		ipvs_settle(r, row);
	}
}

/* --- batches --- */

struct batch {
	size_t count;
	uint32_t cost_us;
};

static void account(struct ipvs_role *r, const struct ipvs_op *op, const struct ipvs_row *row)
{
	mono_t now = loop_now(r->loop);

	if (op->kind == IPVS_DEL_DEST || op->kind == IPVS_DEL_SERVICE)
		r->deleted_at = now;
	if (op->kind == IPVS_NEW_DEST)
		ipvs_pace_added(&r->pace, now, 1);
	else if (op->kind == IPVS_DEL_DEST)
		ipvs_pace_deleted(&r->pace, now, 1);
	else if (op->kind == IPVS_DEL_SERVICE && row->have)
		ipvs_pace_deleted(&r->pace, now, row->have->dest_count);
	else if (ipvs_op_changes_scheduler(op, row->have))
		ipvs_pace_scheduler_changed(&r->pace, now);
}

/* Commands of one step of one row, onto the batch and into the image. False: no room for all. */
static bool add_step(struct ipvs_role *r, struct ipvs_row *row, enum ipvs_step step, bool quiesce,
		     struct batch *b)
{
	struct ipvs_diff_rules rules = rules_for(r, row);
	struct ipvs_ops out = { .ops = r->ops + b->count, .size = IPVS_BATCH_MAX - b->count };
	const char *scheduler = row->have ? row->have->scheduler : "";
	bool fits;

	rules.quiesce = quiesce;
	/* Each change of a destination builds a table: a few at a time. A pair belongs together. */
	if (ipvs_scheduler_builds(scheduler) && out.size > 14)
		out.size = 14;
	fits = ipvs_diff_step(row->want, row->have, row->lost, step, &rules, &out);
	for (size_t i = 0; i < out.count; i++) {
		b->cost_us += ipvs_op_cost_us(&out.ops[i], row->have);
		account(r, &out.ops[i], row);
		ipvs_image_apply(&r->image, row, &out.ops[i]);
	}
	b->count += out.count;
	if (out.count && r->auditing)
		row->audit = r->audit;
	return fits;
}

static bool may_delete(struct ipvs_role *r, const struct ipvs_row *row)
{
	uint32_t dests = row->want || !row->have ? 1 : row->have->dest_count;

	return ipvs_pace_may_delete(&r->pace, loop_now(r->loop), dests, !r->commit.complete);
}

static bool is_written(enum ipvs_queue q)
{
	return q == IPVS_QUEUE_WEIGHTS || (q >= IPVS_QUEUE_ADD && q <= IPVS_QUEUE_SCHEDULER);
}

/* The next queue that a batch may take from now; IPVS_QUEUE_NONE: none. */
static enum ipvs_queue next_queue(struct ipvs_role *r)
{
	for (unsigned q = IPVS_QUEUE_CHECK; q < IPVS_QUEUE_ORDER; q++) {
		struct ipvs_row *row = r->queues[q].first;

		if (!row)
			continue;
		/* What an audit is about to meet must not have gone meanwhile. */
		if (r->auditing && (q == IPVS_QUEUE_DELETE || q == IPVS_QUEUE_WAIT))
			continue;
		if (is_written((enum ipvs_queue)q) &&
		    mono_before(loop_now(r->loop), r->pause_until))
			continue;
		if (q == IPVS_QUEUE_WAIT && !may_delete(r, row))
			continue;
		if (q == IPVS_QUEUE_SCHEDULER &&
		    !ipvs_pace_may_change_scheduler(&r->pace, loop_now(r->loop)))
			continue;
		return (enum ipvs_queue)q;
	}
	return IPVS_QUEUE_NONE;
}

static enum ipvs_step step_of(enum ipvs_queue q)
{
	if (q == IPVS_QUEUE_WEIGHTS)
		return IPVS_STEP_WEIGHTS;
	if (q == IPVS_QUEUE_ADD)
		return IPVS_STEP_ADD;
	if (q == IPVS_QUEUE_EDIT || q == IPVS_QUEUE_SCHEDULER)
		return IPVS_STEP_EDIT;
	return IPVS_STEP_DELETE;
}

/* False: the batch is full. */
static bool add_row(struct ipvs_role *r, enum ipvs_queue q, struct batch *b)
{
	struct ipvs_row *row = r->queues[q].first;
	bool quiesce = step_of(q) == IPVS_STEP_DELETE && !may_delete(r, row);

	if (!add_step(r, row, step_of(q), quiesce, b))
		return false;
	ipvs_enqueue(r, row, quiesce ? IPVS_QUEUE_WAIT : IPVS_QUEUE_NONE);
	ipvs_settle(r, row);
	return true;
}

static void fail_service(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_op *op,
			 int error)
{
	char text[120];

	ipvs_audit_soon(r);
	if (op->kind == IPVS_NEW_SERVICE && error != -EEXIST) {
		ipvs_image_lose(&r->image, row, false);
	} else {
		row->doubted = true;
		ipvs_enqueue_read(r, row);
	}
	if (error == -EEXIST)
		return;
	if (error == -ENOENT)
		snprintf(text, sizeof(text),
			 "the kernel has no scheduler \"%.15s\" (module ip_vs_%.15s)",
			 op->scheduler, op->scheduler);
	else
		snprintf(text, sizeof(text), "the kernel refuses the service: %s",
			 strerror(-error));
	ipvs_trouble(r, row, NULL, -error, true, text);
}

static void fail_dest(struct ipvs_role *r, struct ipvs_row *row, const struct ipvs_op *op,
		      int error)
{
	char text[120];

	row->doubted = true;
	ipvs_enqueue_read(r, row);
	if (error == -EEXIST || error == -ENOENT)
		return; /* the image was wrong, that is all */
	snprintf(text, sizeof(text), "the kernel refuses the real server: %s%s", strerror(-error),
		 error == -EINVAL ? " (not a unicast address, or no interface is up)" : "");
	ipvs_trouble(r, row, &op->dest, -error, true, text);
}

static void take_result(struct ipvs_role *r, const struct ipvs_op *op, int error)
{
	bool is_dest = op->kind >= IPVS_NEW_DEST;
	struct ipvs_row *row = ipvs_image_get(&r->image, &op->key);

	if (!row)
		return; /* deleted, and nothing more is known of it */
	if (error == 0) {
		if (!row->troubles)
			return;
		ipvs_trouble_over(r, row, is_dest ? &op->dest : NULL);
		if (!row->troubles)
			ipvs_settle(r, row); /* its order matters now */
		return;
	}
	if (error == -ESRCH && op->kind != IPVS_DEL_SERVICE) {
		/* Somebody deleted the service. */
		ipvs_image_lose(&r->image, row, true);
		ipvs_audit_soon(r);
	} else if (error == -ESRCH || (error == -ENOENT && op->kind == IPVS_DEL_DEST)) {
		return; /* gone is gone */
	} else if (is_dest) {
		fail_dest(r, row, op, error);
	} else {
		fail_service(r, row, op, error);
	}
	ipvs_settle(r, row);
}

/* What was done is not known: believe nothing of what the batch touched. */
static void doubt_batch(struct ipvs_role *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ipvs_row *row = ipvs_image_get(&r->image, &r->ops[i].key);

		if (!row)
			continue;
		row->doubted = true;
		if (row->have)
			ipvs_enqueue_read(r, row);
	}
	ipvs_audit_soon(r);
}

void ipvs_write(struct ipvs_role *r, size_t count)
{
	int ret = r->kernel.ops->write(r->kernel.kernel, r->ops, count, r->errors);

	if (ret == 0 || ret == -ENOBUFS)
		r->status.kernel_writes += count;
	if (ret < 0) {
		ipvs_tell_event(r, LOG_LEVEL_WARNING, "a batch of %zu commands to IPVS: %s; %s",
				count, strerror(-ret),
				ret == -ENOBUFS ? "reading again what it touched" : "trying again");
		if (ret != -ENOBUFS)
			r->pause_until = mono_add_ms(loop_now(r->loop), PAUSE_MS);
		doubt_batch(r, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (r->errors[i] || r->troubles.count)
			take_result(r, &r->ops[i], r->errors[i]);
	}
}

static void send_batch(struct ipvs_role *r, size_t count)
{
	if (!r->writing) {
		r->writing = true;
		r->writes_before = r->status.kernel_writes;
		r->first_write = clock_mono(loop_clock(r->loop));
	}
	ipvs_write(r, count);
	r->last_ack = clock_mono(loop_clock(r->loop));
}

static void write_piece(struct ipvs_role *r)
{
	struct batch b = { 0 };
	bool room = true;

	while (room && b.count < IPVS_BATCH_MAX && b.cost_us < IPVS_BATCH_US) {
		enum ipvs_queue q = next_queue(r);

		if (!is_written(q))
			break;
		room = add_row(r, q, &b);
	}
	if (b.count)
		send_batch(r, b.count);
}

/* --- the pump --- */

/* The kernel is as the last commit wants it. */
static void on_quiet(struct ipvs_role *r)
{
	if (r->writing) {
		r->writing = false;
		r->status.last_sync_us = (uint64_t)((r->last_ack.ns - r->first_write.ns) / 1000);
		r->status.last_sync_writes = r->status.kernel_writes - r->writes_before;
		if (r->full) {
			ipvs_tell_event(
				r, LOG_LEVEL_INFO,
				"%u services with %u real servers are as wanted: %llu commands, "
				"%llu ms",
				r->image.services, r->image.dests,
				(unsigned long long)r->status.last_sync_writes,
				(unsigned long long)r->status.last_sync_us / 1000);
			/* In what order the kernel has them: somebody may flush it any time. */
			ipvs_audit_soon(r);
		}
	}
	r->full = false;
	if (r->committed && r->commit.complete && !r->auditing)
		ipvs_hosting_prune(r);
}

static void on_pump_timer(void *arg)
{
	struct ipvs_role *r = arg;

	r->pump_timer = 0;
	ipvs_pump(r);
}

/* One piece of the most urgent. False: there is nothing that can be done now. */
static bool do_most_urgent(struct ipvs_role *r)
{
	enum ipvs_queue q = next_queue(r);

	switch (q) {
	case IPVS_QUEUE_CHECK:
		ipvs_check_piece(r);
		return true;
	case IPVS_QUEUE_READ:
		read_piece(r);
		return true;
	case IPVS_QUEUE_HOST:
		ipvs_host_piece(r);
		return true;
	case IPVS_QUEUE_GONE:
		ipvs_host_gone_piece(r);
		return true;
	case IPVS_QUEUE_WEIGHTS:
	case IPVS_QUEUE_ADD:
	case IPVS_QUEUE_EDIT:
	case IPVS_QUEUE_DELETE:
	case IPVS_QUEUE_WAIT:
	case IPVS_QUEUE_SCHEDULER:
		write_piece(r);
		return true;
	case IPVS_QUEUE_NONE:
	case IPVS_QUEUE_ORDER: /* on a timer of its own */
	case IPVS_QUEUE_COUNT:
		break;
	}
	return false;
}

/* Does anything wait to be looked at or added? What is to be changed or deleted is served already. */
static bool is_all_served(const struct ipvs_role *r)
{
	return !r->queues[IPVS_QUEUE_CHECK].count && !r->queues[IPVS_QUEUE_READ].count &&
	       !r->queues[IPVS_QUEUE_HOST].count && !r->queues[IPVS_QUEUE_ADD].count;
}

static bool piece(void *arg)
{
	struct ipvs_role *r = arg;
	bool more = do_most_urgent(r);

	if (is_all_served(r))
		ipvs_hosting_served(r);
	if (ipvs_is_quiet(r)) {
		on_quiet(r);
		more = false;
	} else if (!more && !r->pump_timer) {
		r->pump_timer = loop_timer_in(r->loop, WAIT_MS, on_pump_timer, r);
	}
	if (!more)
		r->pump = 0;
	ipvs_tell_status(r);
	return more;
}

void ipvs_pump(struct ipvs_role *r)
{
	if (!r->pump)
		r->pump = loop_work(r->loop, piece, r);
}
