/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/path_services.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"
#include "ipvs/codec.h"
#include "ipvs/host_state.h"
#include "ipvs/netlink.h"

#define SCHEDULER "rr" /* of one server */

/*
 * Probes of a path follow each other with the same addresses and ports, while IPVS still has the last
 * one as closed. It takes their SYN for a new connection (net.ipv4.vs.conn_reuse_mode 1), and drops it
 * where the packet has a connection tracking entry, as what comes by `lo` does: it is sent again after
 * a second. Of a persistent service connections are never taken for new ones (is_new_conn_expected()
 * in net/netfilter/ipvs/ip_vs_core.c).
 */
#define PERSISTENCE_S 10

static const uint8_t families[] = { AF_INET, AF_INET6 };

/* --- what is to be done (pure) --- */

static struct ipvs_service service_of(uint8_t family)
{
	const struct endpoint key = { .addr.family = family };
	struct ipvs_service s = ipvs_service_of(&key);

	memcpy(s.scheduler, SCHEDULER, sizeof(SCHEDULER));
	s.flags = IPVS_PERSISTENT;
	s.timeout = PERSISTENCE_S;
	return s;
}

static struct ipvs_dest dest_of(const struct ipvs_path *p)
{
	return (struct ipvs_dest){
		.addr = p->to.addr,
		.port = p->to.port,
		.forward = p->forward,
		.tunnel = p->tunnel,
		.tunnel_port = p->tunnel_port,
		.weight = 1,
	};
}

static struct ipvs_op op_of(enum ipvs_op_kind kind, uint32_t mark, uint8_t family)
{
	return (struct ipvs_op){ .kind = kind, .key.addr.family = family, .mark = mark };
}

static bool is_right(const struct ipvs_path *p, const struct ipvs_service *have)
{
	const struct ipvs_service want = service_of(p->vip.family);
	const struct ipvs_dest to = dest_of(p);
	const struct ipvs_dest *d = have->dests;

	if (strcmp(have->scheduler, want.scheduler) != 0 || have->flags != want.flags ||
	    have->timeout != want.timeout || have->netmask != want.netmask || have->dest_count != 1)
		return false;
	return ipvs_dest_cmp(d, &to) == 0 && d->forward == to.forward && d->tunnel == to.tunnel &&
	       d->tunnel_port == to.tunnel_port && d->weight == to.weight && !d->upper && !d->lower;
}

size_t path_service_plan(const struct ipvs_path *p, const struct ipvs_service *have,
			 struct ipvs_op out[static PATH_OPS_MAX])
{
	const struct ipvs_service want = service_of(p->vip.family);
	uint32_t mark = ipvs_path_mark(p);
	size_t n = 0;

	if (have && is_right(p, have))
		return 0;
	/* It carries nothing but probes: anew is as good as changed. */
	if (have)
		out[n++] = op_of(IPVS_DEL_SERVICE, mark, p->vip.family);
	out[n] = op_of(IPVS_NEW_SERVICE, mark, p->vip.family);
	memcpy(out[n].scheduler, want.scheduler, sizeof(out[n].scheduler));
	out[n].flags = want.flags;
	out[n].timeout = want.timeout;
	out[n++].netmask = want.netmask;
	out[n] = op_of(IPVS_NEW_DEST, mark, p->vip.family);
	out[n++].dest = dest_of(p);
	return n;
}

/* --- what there is --- */

struct path_services {
	struct ipvs_netlink *netlink; /* NULL: nothing was asked for yet */
	bool listed;		      /* what an earlier process left is known */
	bool may_be[IPVS_PATHS_MAX]
		   [ARRAY_LEN(families)]; /* by number and family: there is one, maybe */
	int faults[IPVS_PATHS_MAX];	  /* -errno of those that could not be made the last time */
	struct ipvs_op ops[IPVS_BATCH_MAX];
	int errors[IPVS_BATCH_MAX];
	size_t count;
};

struct path_services *path_services_new(void)
{
	return xcalloc(1, sizeof(struct path_services));
}

void path_services_free(struct path_services *s)
{
	if (!s)
		return;
	ipvs_netlink_close(s->netlink);
	free(s);
}

struct reading {
	struct ipvs_service service;
	bool found;
	int error;
};

static void take_service(void *arg, const struct ipvs_reply *r)
{
	struct reading *to = arg;
	uint32_t mark;

	to->error = ipvs_decode_marked_service(r, &to->service, &mark);
	to->found = to->error == 0;
}

static void take_dest(void *arg, const struct ipvs_reply *r)
{
	struct reading *to = arg;
	struct ipvs_dest d;
	uint64_t connections;
	int ret = ipvs_decode_dest(r, to->service.key.addr.family, &d, &connections);

	if (ret < 0)
		to->error = ret;
	else if (to->service.dest_count < IPVS_DESTS_MAX)
		*ipvs_service_add(&to->service) = d;
}

static int read_whole(struct ipvs_netlink *n, ipvs_netlink_data_fn *fn, struct reading *to)
{
	int r;

	do {
		r = ipvs_netlink_dump_next(n, fn, to);
	} while (r > 0);
	return r < 0 ? r : to->error;
}

/* 1: it is in *out, to be given up by ipvs_service_done(); 0: there is none. */
static int read_one(struct ipvs_netlink *n, uint32_t mark, uint8_t family, struct ipvs_service *out)
{
	struct reading to = { 0 };
	int r = ipvs_netlink_get_mark(n, family, mark);

	if (r == 0)
		r = read_whole(n, take_service, &to);
	if (r == -ESRCH)
		return 0;
	if (r == 0 && to.found)
		r = ipvs_netlink_dump_mark(n, family, mark);
	if (r == 0 && to.found)
		r = read_whole(n, take_dest, &to);
	if (r < 0 || !to.found) {
		ipvs_service_done(&to.service);
		return r;
	}
	*out = to.service;
	return 1;
}

static void note_leftover(void *arg, const struct ipvs_reply *r)
{
	struct path_services *s = arg;
	struct ipvs_service service;
	uint32_t mark;

	if (ipvs_decode_marked_service(r, &service, &mark) == 0 && mark >= IPVS_PATH_MARK &&
	    mark < IPVS_PATH_MARK + IPVS_PATHS_MAX)
		s->may_be[mark - IPVS_PATH_MARK][service.key.addr.family == AF_INET6] = true;
}

/* Of all services, once: those that an earlier process made. */
static int list_leftovers(struct path_services *s)
{
	int r = ipvs_netlink_dump(s->netlink, NULL);

	if (r < 0)
		return r;
	do {
		r = ipvs_netlink_dump_next(s->netlink, note_leftover, s);
	} while (r > 0);
	s->listed = r == 0;
	return r;
}

static int start(struct path_services *s)
{
	int r = s->netlink ? 0 : ipvs_netlink_open(&s->netlink);

	return r < 0 || s->listed ? r : list_leftovers(s);
}

/* --- writing --- */

static bool has_failed(const struct ipvs_op *op, int error)
{
	return error && !(op->kind == IPVS_DEL_SERVICE && error == -ESRCH);
}

/* That of a path which cannot be made is its own; what cannot be taken away is told of all. */
static int take_fault(struct path_services *s, const struct ipvs_op *op, int error, struct err *err)
{
	int *fault = &s->faults[op->mark - IPVS_PATH_MARK];

	if (op->kind == IPVS_DEL_SERVICE)
		return err_set(err, error, "removing the virtual service of the mark 0x%x: %s",
			       op->mark, strerror(-error));
	if (!*fault)
		*fault = error;
	return 0;
}

/* What was collected. */
static int flush(struct path_services *s, struct err *err)
{
	size_t count = s->count;
	struct err first = { 0 };
	struct err why = { 0 };
	int r;

	if (!count)
		return 0;
	s->count = 0;
	r = ipvs_netlink_write(s->netlink, s->ops, count, s->errors);
	if (r < 0)
		return err_set(err, r, "writing virtual services: %s", strerror(-r));
	for (size_t i = 0; i < count; i++) {
		if (has_failed(&s->ops[i], s->errors[i]))
			host_keep_first(&first, take_fault(s, &s->ops[i], s->errors[i], &why),
					&why);
	}
	return host_first(&first, err);
}

static int collect(struct path_services *s, const struct ipvs_op *ops, size_t n, struct err *err)
{
	int r = s->count + n > IPVS_BATCH_MAX ? flush(s, err) : 0;

	memcpy(s->ops + s->count, ops, n * sizeof(*ops));
	s->count += n;
	return r;
}

/* Collects what it takes; *out_ops says how much. */
static int make_one(struct path_services *s, const struct ipvs_path *p, uint8_t *out_ops,
		    struct err *err)
{
	struct ipvs_service have = { 0 };
	struct ipvs_op ops[PATH_OPS_MAX];
	int r = read_one(s->netlink, ipvs_path_mark(p), p->vip.family, &have);
	size_t n;

	if (r < 0) {
		s->faults[p->number] = r;
		return 0;
	}
	n = path_service_plan(p, r ? &have : NULL, ops);
	ipvs_service_done(&have);
	s->may_be[p->number][p->vip.family == AF_INET6] = true;
	*out_ops = (uint8_t)n;
	return collect(s, ops, n, err);
}

static int make_all(struct path_services *s, const struct ipvs_paths *p, uint64_t *writes,
		    struct err *err)
{
	uint8_t counts[IPVS_PATHS_MAX] = { 0 }; /* that are writes of paths that can be made */
	struct err first = { 0 };
	struct err why = { 0 };

	for (size_t i = 0; i < p->count; i++) {
		uint16_t number = p->items[i].number;
		bool failed_before = s->faults[number] != 0;

		s->faults[number] = 0;
		host_keep_first(&first, make_one(s, &p->items[i], &counts[i], &why), &why);
		if (failed_before)
			counts[i] = 0;
	}
	host_keep_first(&first, flush(s, &why), &why);
	for (size_t i = 0; i < p->count; i++)
		*writes += path_services_error(s, &p->items[i]) ? 0 : counts[i];
	return host_first(&first, err);
}

int path_services_error(const struct path_services *s, const struct ipvs_path *p)
{
	return s->faults[p->number];
}

/* --- taking away --- */

/* Is the next path of the list, which goes by number, that one? */
static bool is_wanted(const struct ipvs_path *next, const struct ipvs_path *end, uint16_t number,
		      uint8_t family)
{
	return next < end && next->number == number && next->vip.family == family;
}

/* 1: there was one. Whether it went is seen the next time. */
static int remove_one(struct path_services *s, uint16_t number, uint8_t family,
		      path_service_removed_fn *fn, void *arg, struct err *err)
{
	const struct ipvs_path path = { .number = number };
	const struct ipvs_op op = op_of(IPVS_DEL_SERVICE, ipvs_path_mark(&path), family);
	struct ipvs_service have = { 0 };
	int r = read_one(s->netlink, op.mark, family, &have);

	if (r < 0)
		return err_set(err, r, "reading the virtual service of the mark 0x%x: %s", op.mark,
			       strerror(-r));
	ipvs_service_done(&have);
	if (r == 0)
		return 0;
	fn(arg, op.mark, family);
	r = collect(s, &op, 1, err);
	return r < 0 ? r : 1;
}

/* All that may be there and are of none of these paths. */
static int remove_others(struct path_services *s, const struct ipvs_paths *p,
			 path_service_removed_fn *fn, void *arg, struct err *err)
{
	const struct ipvs_path *next = p->items;
	const struct ipvs_path *end = p->items + p->count;
	struct err first = { 0 };
	struct err why = { 0 };

	for (uint16_t number = 0; number < IPVS_PATHS_MAX; number++) {
		for (size_t i = 0; i < ARRAY_LEN(families); i++) {
			int r;

			if (!s->may_be[number][i] || is_wanted(next, end, number, families[i]))
				continue;
			r = remove_one(s, number, families[i], fn, arg, &why);
			s->may_be[number][i] = r != 0;
			host_keep_first(&first, r, &why);
		}
		next += next < end && next->number == number;
	}
	host_keep_first(&first, flush(s, &why), &why);
	return host_first(&first, err);
}

static bool may_be_any(const struct path_services *s)
{
	return memchr(s->may_be, true, sizeof(s->may_be)) != NULL;
}

static void count_leftover(void *arg, uint32_t mark, uint8_t family)
{
	uint64_t *writes = arg;

	(void)mark;
	(void)family;
	*writes += 1;
}

int path_services_make(struct path_services *s, const struct ipvs_paths *p, uint64_t *out_writes,
		       struct err *err)
{
	struct err first = { 0 };
	struct err why = { 0 };
	int r;

	*out_writes = 0;
	if (!p->count && s->listed && !may_be_any(s))
		return 0;
	r = start(s);
	if (r < 0)
		return err_set(err, r, "reading virtual services: %s", strerror(-r));
	host_keep_first(&first, make_all(s, p, out_writes, &why), &why);
	host_keep_first(&first, remove_others(s, p, count_leftover, out_writes, &why), &why);
	return host_first(&first, err);
}

/* Of this process nothing is known yet: what there is is read. *out NULL: there is no IPVS. */
static int read_all(struct path_services **out, struct err *err)
{
	struct path_services *s = path_services_new();
	int r = start(s);

	*out = NULL;
	if (r == 0) {
		*out = s;
		return 0;
	}
	path_services_free(s);
	return r == -ENOENT ? 0 : err_set(err, r, "reading virtual services: %s", strerror(-r));
}

int path_services_count(size_t *out, struct err *err)
{
	struct path_services *s;
	int r = read_all(&s, err);

	*out = 0;
	for (size_t i = 0; s && i < IPVS_PATHS_MAX; i++)
		*out += (size_t)s->may_be[i][0] + s->may_be[i][1];
	path_services_free(s);
	return r;
}

int path_services_delete(path_service_removed_fn *removed, void *arg, struct err *err)
{
	const struct ipvs_paths none = { 0 };
	struct path_services *s;
	int r = read_all(&s, err);

	if (s)
		r = remove_others(s, &none, removed, arg, err);
	path_services_free(s);
	return r;
}
