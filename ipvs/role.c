/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/role.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/xalloc.h"
#include "ipvs/role_parts.h"

bool ipvs_is_ours(const struct ipvs_config *c, const struct endpoint *key)
{
	bool inside = prefixes_have(c->vip_ranges, c->vip_range_count, &key->addr);

	for (size_t i = 0; i < c->ours_count && inside; i++) {
		const struct ipvs_ours *o = &c->ours[i];

		if (addr_range_has(&o->addresses, &key->addr) && key->port >= o->ports.first &&
		    key->port <= o->ports.last)
			return true;
	}
	return false;
}

/* --- what core tells --- */

/* The row's mark that core told something of it; false: more than we will hold. */
static bool mark_staged(struct ipvs_role *r, struct ipvs_row *row)
{
	if (row->staged_any)
		return true;
	if (r->staged_count == IPVS_SERVICES_MAX)
		return false;
	if (r->staged_count == r->staged_size) {
		r->staged_size = r->staged_size ? r->staged_size * 2 : 256;
		r->staged = xreallocarray(r->staged, r->staged_size, sizeof(struct ipvs_row *));
	}
	r->staged[r->staged_count++] = row;
	row->staged_any = true;
	return true;
}

static void free_staged(struct ipvs_row *row)
{
	if (row->staged)
		ipvs_service_done(row->staged);
	free(row->staged);
	row->staged = NULL;
}

static bool stage(struct ipvs_role *r, const struct endpoint *key, struct ipvs_service *s)
{
	struct ipvs_row *row = ipvs_image_make(&r->image, key);

	if (!mark_staged(r, row)) {
		ipvs_settle(r, row); /* it may have been made for nothing */
		return false;
	}
	free_staged(row);
	if (s) {
		ipvs_row_share(row, s);
		row->staged = xmalloc(sizeof(*row->staged));
		*row->staged = *s;
		memset(s, 0, sizeof(*s));
	}
	return true;
}

/* Forget what has been told since the last commit. */
static void unstage(struct ipvs_role *r)
{
	for (size_t i = 0; i < r->staged_count; i++) {
		struct ipvs_row *row = r->staged[i];

		free_staged(row);
		row->staged_any = false;
		ipvs_settle(r, row);
	}
	free(r->staged);
	r->staged = NULL;
	r->staged_count = r->staged_size = 0;
	r->staged_fresh = false;
	ipvs_ours_list_done(&r->staged_ours);
	r->staged_ours_any = false;
	ipvs_message_reader_done(&r->reader);
}

/* The new comes in the place of the old, which is freed when the row's turn comes. */
static void adopt_staged(struct ipvs_role *r, struct ipvs_row *row)
{
	struct ipvs_service *old = row->want;

	if (!row->staged_any)
		free_staged(row); /* of a commit before, whose turn has not come */
	row->want = row->staged_any ? row->staged : NULL;
	row->staged = old;
	row->staged_any = false;
	ipvs_enqueue(r, row, IPVS_QUEUE_CHECK);
}

static void take_commit(struct ipvs_role *r, const struct ipvs_commit *c)
{
	bool all = r->staged_fresh || !r->committed || c->complete != r->commit.complete;
	/* First: what is wanted from now on is looked at by what is ours from now on. */
	bool wider = ipvs_ours_take(r);
	struct ipvs_row *row;

	if (r->staged_fresh) {
		for (size_t pos = 0; (row = map_next(&r->image.rows, &pos));)
			adopt_staged(r, row);
	} else {
		for (size_t i = 0; i < r->staged_count; i++)
			adopt_staged(r, r->staged[i]);
	}
	for (size_t pos = 0; all && (row = map_next(&r->image.rows, &pos));)
		ipvs_enqueue(r, row, IPVS_QUEUE_CHECK);
	r->staged_count = 0;
	r->staged_fresh = false;
	r->committed = true;
	r->commit = *c;
	r->full |= all;
	if (wider)
		ipvs_ours_look(r);
	ipvs_pump(r);
	ipvs_tell_status(r);
}

static bool take_service(struct ipvs_role *r, uint16_t type, struct wire *body)
{
	struct ipvs_service s = { 0 };
	int ret = ipvs_message_read(&r->reader, type, body, &s);
	bool ok = ret >= 0;

	if (ret == 1)
		ok = stage(r, &s.key, &s);
	ipvs_service_done(&s);
	return ok;
}

static bool take_paths(struct ipvs_role *r, struct wire *body)
{
	struct ipvs_paths p;
	bool ok;

	wire_ipvs_paths(body, &p);
	ok = wire_end(body);
	if (ok)
		ipvs_hosting_paths(r, &p);
	ipvs_paths_done(&p);
	return ok;
}

static bool on_message(void *arg, uint16_t type, struct wire *body, int fd)
{
	struct ipvs_role *r = arg;
	struct ipvs_notrack notrack;
	struct ipvs_commit commit;
	struct endpoint key;

	if (fd >= 0) {
		close(fd);
		return false;
	}
	if (r->reader.open && type != IPVS_MSG_DESTS)
		return false;
	switch (type) {
	case IPVS_MSG_SERVICE:
	case IPVS_MSG_DESTS:
		return take_service(r, type, body);
	case IPVS_MSG_OURS:
		return ipvs_message_read_ours(&r->staged_ours, &r->staged_ours_any, body) == 0;
	case IPVS_MSG_BEGIN:
		unstage(r);
		r->staged_fresh = true;
		return wire_end(body);
	case IPVS_MSG_GONE:
		key = wire_endpoint(body);
		return wire_end(body) && key.addr.family && stage(r, &key, NULL);
	case IPVS_MSG_COUNT:
		return ipvs_tell_stats(r, body);
	case IPVS_MSG_NOTRACK:
		wire_ipvs_notrack(body, &notrack);
		if (!wire_end(body))
			return false;
		ipvs_hosting_notrack(r, &notrack);
		return true;
	case IPVS_MSG_PATHS:
		return take_paths(r, body);
	case IPVS_MSG_COMMIT:
		wire_ipvs_commit(body, &commit);
		if (!wire_end(body))
			return false;
		take_commit(r, &commit);
		return true;
	default:
		return false;
	}
}

static void forget_core(struct ipvs_role *r)
{
	ipvs_tell_stop(r);
	loop_cancel(r->loop, r->status_timer);
	r->status_timer = 0;
	channel_free(r->core);
	r->core = NULL;
	r->paths_due = false;
	unstage(r);
}

static void on_closed(void *arg, const char *why)
{
	(void)why; /* the parent knows better */
	forget_core(arg);
}

void ipvs_role_connect(struct ipvs_role *r, int fd)
{
	const struct channel_handler h = { on_message, on_closed, r };

	forget_core(r);
	if (channel_new(r->loop, fd, &h, &r->core) < 0) {
		r->core = NULL; /* the next core may fare better */
		return;
	}
	ipvs_hosting_tell_notrack(r);
	ipvs_tell_image(r);
}

/* --- beginning and end --- */

static int first_look(struct ipvs_role *r)
{
	const struct clock *clock = loop_clock(r->loop);
	mono_t before = clock_mono(clock);
	int ret = ipvs_audit_first(r);

	if (ret >= 0 && r->image.services)
		ipvs_tell_event(
			r, LOG_LEVEL_INFO,
			"adopted %u services with %u real servers from the kernel, read in %lld ms",
			r->image.services, r->image.dests,
			(long long)mono_sub_ms(clock_mono(clock), before));
	return ret;
}

static int open_all(struct ipvs_role *r, const struct ipvs_ground *ground, struct err *err)
{
	int ret;

	/* The host first: it chooses the parameters that the module is loaded with. */
	ret = ipvs_hosting_open(r, err);
	if (ret == 0)
		ret = ground->open_kernel(ground->kernel_arg, &r->kernel, err);
	if (ret < 0)
		return ret;
	ret = first_look(r);
	if (ret < 0)
		return err_set(err, ret, "cannot read the IPVS table: %s", strerror(-ret));
	ipvs_timeouts_check(r, false);
	return 0;
}

int ipvs_role_new_on(struct loop *l, const struct ipvs_config *c, const struct ipvs_ground *ground,
		     struct ipvs_role **out, struct err *err)
{
	struct ipvs_role *r = xcalloc(1, sizeof(*r));
	int ret;

	r->loop = l;
	r->own = *c;
	r->config = &r->own;
	r->host_ops = ground->host;
	r->ops = xcalloc(IPVS_BATCH_MAX, sizeof(*r->ops));
	r->errors = xcalloc(IPVS_BATCH_MAX, sizeof(*r->errors));
	ipvs_image_init(&r->image);
	ipvs_troubles_init(r);
	ret = open_all(r, ground, err);
	if (ret < 0) {
		ipvs_role_free(r);
		return ret;
	}
	ipvs_audit_arm(r);
	*out = r;
	return 0;
}

void ipvs_role_free(struct ipvs_role *r)
{
	if (!r)
		return;
	forget_core(r);
	loop_work_cancel(r->loop, r->pump);
	loop_work_cancel(r->loop, r->audit_work);
	loop_work_cancel(r->loop, r->drain_work);
	loop_cancel(r->loop, r->pump_timer);
	loop_cancel(r->loop, r->audit_timer);
	loop_cancel(r->loop, r->soon_timer);
	loop_cancel(r->loop, r->drain_timer);
	ipvs_troubles_done(r);
	ipvs_rival_done(r);
	ipvs_ordering_end(r);
	ipvs_hosting_close(r);
	if (r->kernel.ops)
		r->kernel.ops->close(r->kernel.kernel);
	ipvs_image_done(&r->image);
	ipvs_ours_list_done(&r->ours);
	buf_done(&r->events);
	free(r->drains);
	free(r->ops);
	free(r->errors);
	free(r);
}
