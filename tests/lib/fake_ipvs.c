/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fake_ipvs.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/hash.h"
#include "agent/base/xalloc.h"
#include "ipvs/order.h"
#include "tests/lib/ipvs_ops.h"

void fake_ipvs_init(struct fake_ipvs *f)
{
	memset(f, 0, sizeof(*f));
	f->timeouts = (struct ipvs_timeouts){ 900, 120, 300 };
}

static void free_service(struct fake_service *s)
{
	ipvs_service_done(&s->s);
	free(s->connections);
	free(s);
}

void fake_ipvs_done(struct fake_ipvs *f)
{
	while (f->services) {
		struct fake_service *s = f->services;

		f->services = s->next;
		free_service(s);
	}
	free(f->trash);
	buf_done(&f->log);
}

static struct fake_service **find(struct fake_ipvs *f, const struct endpoint *key)
{
	struct fake_service **at = &f->services;

	while (*at && memcmp(&(*at)->s.key, key, sizeof(*key)) != 0)
		at = &(*at)->next;
	return at;
}

static bool dest_is(const struct ipvs_dest *d, const struct ipvs_dest *like)
{
	return ipvs_dest_cmp(d, like) == 0;
}

static uint32_t find_dest(const struct fake_service *s, const struct ipvs_dest *like)
{
	uint32_t i = 0;

	while (i < s->s.dest_count && !dest_is(&s->s.dests[i], like))
		i++;
	return i;
}

static void to_trash(struct fake_ipvs *f, const struct fake_service *s, const struct ipvs_dest *d)
{
	f->trash = xreallocarray(f->trash, f->trash_count + 1, sizeof(*f->trash));
	f->trash[f->trash_count++] = (struct fake_trash){ s->s.key, *d };
}

/* The real kernel walks from the newest, and takes what it finds off the list. */
static void from_trash(struct fake_ipvs *f, const struct ipvs_op *op)
{
	for (size_t i = f->trash_count; i > 0; i--) {
		struct fake_trash *t = &f->trash[i - 1];

		if (memcmp(&t->key, &op->key, sizeof(op->key)) == 0 &&
		    dest_is(&t->dest, &op->dest)) {
			memmove(t, t + 1, (f->trash_count - i) * sizeof(*t));
			f->trash_count--;
			return;
		}
		f->trash_walk++;
	}
}

static unsigned bucket_of(const struct fake_service *s)
{
	return s->s.key.port % FAKE_IPVS_BUCKETS;
}

static void insert_service(struct fake_ipvs *f, struct fake_service *s)
{
	struct fake_service **at = &f->services;

	while (*at && bucket_of(*at) < bucket_of(s))
		at = &(*at)->next;
	s->next = *at;
	*at = s;
}

static int do_service(struct fake_ipvs *f, const struct ipvs_op *op)
{
	struct fake_service **at = find(f, &op->key), *s = *at;
	struct ipvs_service before;

	if (op->kind == IPVS_NEW_SERVICE ? s != NULL : s == NULL)
		return s ? -EEXIST : -ESRCH;
	if (op->kind == IPVS_DEL_SERVICE) {
		for (uint32_t i = 0; i < s->s.dest_count; i++)
			to_trash(f, s, &s->s.dests[i]);
		*at = s->next;
		free_service(s);
		return 0;
	}
	if (f->no_scheduler && strcmp(op->scheduler, f->no_scheduler) == 0)
		return -ENOENT;
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->s.key = op->key;
		insert_service(f, s);
	}
	before = s->s;
	memcpy(s->s.scheduler, op->scheduler, sizeof(s->s.scheduler));
	s->s.flags = op->flags;
	s->s.timeout = op->timeout;
	s->s.netmask = op->netmask;
	f->pointless += memcmp(&before, &s->s, sizeof(before)) == 0;
	return 0;
}

static void insert_first(struct fake_service *s, const struct ipvs_dest *d)
{
	uint32_t n = s->s.dest_count;
	struct ipvs_dest *dests;

	ipvs_service_add(&s->s);
	dests = ipvs_service_edit(&s->s);
	memmove(&dests[1], &dests[0], n * sizeof(*d));
	dests[0] = *d;
	dests[0].nominal = d->weight;
	s->connections = xreallocarray(s->connections, n + 1, sizeof(*s->connections));
	memmove(&s->connections[1], &s->connections[0], n * sizeof(*s->connections));
	s->connections[0] = 0;
}

static void remove_at(struct fake_service *s, uint32_t i)
{
	ipvs_service_remove(&s->s, i);
	memmove(&s->connections[i], &s->connections[i + 1],
		(s->s.dest_count - i) * sizeof(*s->connections));
}

static int do_dest(struct fake_ipvs *f, const struct ipvs_op *op)
{
	struct fake_service *s = *find(f, &op->key);
	uint32_t i;

	if (!s)
		return -ESRCH;
	i = find_dest(s, &op->dest);
	if (op->kind == IPVS_NEW_DEST ? i < s->s.dest_count : i == s->s.dest_count)
		return op->kind == IPVS_NEW_DEST ? -EEXIST : -ENOENT;
	for (size_t k = 0; k < FAKE_IPVS_FAULTS && op->kind != IPVS_DEL_DEST; k++) {
		if (f->refuse[k].dest.addr.family && dest_is(&f->refuse[k].dest, &op->dest))
			return f->refuse[k].error;
	}
	if (op->kind == IPVS_DEL_DEST) {
		to_trash(f, s, &s->s.dests[i]);
		remove_at(s, i);
	} else if (op->kind == IPVS_NEW_DEST) {
		from_trash(f, op);
		insert_first(s, &op->dest);
	} else {
		struct ipvs_dest now = op->dest;

		now.nominal = now.weight ? now.weight : s->s.dests[i].nominal;
		f->pointless += memcmp(&s->s.dests[i], &now, sizeof(now)) == 0;
		ipvs_service_edit(&s->s)[i] = now;
	}
	return 0;
}

int fake_ipvs_do(struct fake_ipvs *f, const struct ipvs_op *op)
{
	struct ipvs_op plain = *op;

	/* The kernel knows nothing of these. */
	plain.dest.nominal = 0;
	plain.dest.draining = false;
	return plain.kind <= IPVS_DEL_SERVICE ? do_service(f, &plain) : do_dest(f, &plain);
}

static int fake_write(void *kernel, const struct ipvs_op *ops, size_t count, int *errors)
{
	struct fake_ipvs *f = kernel;
	bool lost = f->lose_answers;

	if (f->keep_log)
		ipvs_ops_print(ops, count, &f->log);
	for (size_t i = 0; i < count; i++) {
		f->writes++;
		f->held_writes += f->held && *f->held;
		if (f->fail_at && f->writes == f->fail_at)
			errors[i] = f->fail_error;
		else
			errors[i] = fake_ipvs_do(f, &ops[i]);
		f->refused += errors[i] != 0;
	}
	f->lose_answers = false;
	return lost ? -ENOBUFS : 0;
}

static int fake_list_start(void *kernel, uint8_t family)
{
	struct fake_ipvs *f = kernel;

	f->lists++;
	f->cursor = f->services;
	f->family = family;
	return 0;
}

static uint64_t fake_list_digest(void *kernel)
{
	struct fake_ipvs *f = kernel;
	CLEANUP(buf_done) struct buf b = { 0 };

	for (const struct fake_service *s = f->services; s; s = s->next) {
		if (s->s.key.addr.family != AF_INET)
			continue;
		wire_put_endpoint(&b, &s->s.key);
		wire_put_str(&b, s->s.scheduler);
		wire_put_u32(&b, s->s.flags);
		wire_put_u32(&b, s->s.timeout);
		wire_put_u32(&b, s->s.netmask);
		wire_put_u32(&b, s->s.dest_count);
	}
	return f->family == AF_INET ? hash_id(b.data, b.len) : 0;
}

static void fake_list_drop(void *kernel)
{
	struct fake_ipvs *f = kernel;

	f->cursor = NULL;
	f->drops++;
}

/* All at once: as the real one it is what the kernel held at the start. */
static int fake_list_next(void *kernel, ipvs_list_fn *fn, void *arg)
{
	struct fake_ipvs *f = kernel;

	for (; f->cursor; f->cursor = f->cursor->next) {
		struct ipvs_service s = f->cursor->s;

		s.dests = NULL;
		s.dest_count = 0;
		if (s.key.addr.family == f->family)
			fn(arg, &s, f->cursor->s.dest_count);
	}
	return 0;
}

static int fake_read_dests(void *kernel, const struct endpoint *key, uint32_t dests,
			   ipvs_dest_fn *fn, void *arg)
{
	struct fake_ipvs *f = kernel;
	struct fake_service *s = *find(f, key);

	(void)dests;
	f->reads++;
	if (!s)
		return -ESRCH;
	for (uint32_t i = s->s.dest_count; i-- > 0;) {
		struct ipvs_dest d = s->s.dests[i];

		d.nominal = 0;
		fn(arg, &d, s->connections[i]);
	}
	return 0;
}

/* Its connections are active ones; all that was counted since is what the test says. */
static int fake_read_stats(void *kernel, const struct endpoint *key, struct ipvs_stats *out)
{
	struct fake_ipvs *f = kernel;
	const struct fake_service *s = *find(f, key);

	if (!s)
		return -ESRCH;
	out->counting = true;
	out->counters = f->counters;
	for (uint32_t i = 0; i < s->s.dest_count; i++)
		*ipvs_stats_add(out) = (struct ipvs_dest_stats){
			.addr = s->s.dests[i].addr,
			.port = s->s.dests[i].port,
			.weight = s->s.dests[i].weight,
			.active = (uint32_t)s->connections[i],
			.counters = f->counters,
		};
	return 0;
}

static int fake_get_timeouts(void *kernel, struct ipvs_timeouts *out)
{
	const struct fake_ipvs *f = kernel;

	*out = f->timeouts;
	return f->timeout_error;
}

static int fake_set_timeouts(void *kernel, const struct ipvs_timeouts *t)
{
	struct fake_ipvs *f = kernel;

	if (f->timeout_error)
		return f->timeout_error;
	f->timeouts.tcp = t->tcp ? t->tcp : f->timeouts.tcp;
	f->timeouts.fin = t->fin ? t->fin : f->timeouts.fin;
	f->timeouts.udp = t->udp ? t->udp : f->timeouts.udp;
	f->timeout_sets++;
	return 0;
}

static void fake_close(void *kernel)
{
	(void)kernel; /* the test's own */
}

struct ipvs_kernel fake_ipvs_kernel(struct fake_ipvs *f)
{
	static const struct ipvs_kernel_ops ops = {
		.list_start = fake_list_start,
		.list_next = fake_list_next,
		.list_digest = fake_list_digest,
		.list_drop = fake_list_drop,
		.read_dests = fake_read_dests,
		.read_stats = fake_read_stats,
		.get_timeouts = fake_get_timeouts,
		.set_timeouts = fake_set_timeouts,
		.write = fake_write,
		.close = fake_close,
	};

	return (struct ipvs_kernel){ &ops, f };
}

static void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "fake_ipvs: %s: %s\n", what, strerror(-r));
		abort();
	}
}

void fake_ipvs_load(struct fake_ipvs *f, const char *text)
{
	struct ipvs_table t;
	struct ipvs_service **all;
	struct err err = { 0 };
	size_t count;

	ipvs_table_init(&t);
	must(ipvs_table_parse(text, &t, &err), err.text);
	all = ipvs_table_sorted(&t, &count);
	for (size_t i = 0; i < count; i++) {
		struct ipvs_op op = { .kind = IPVS_NEW_SERVICE, .key = all[i]->key };

		memcpy(op.scheduler, all[i]->scheduler, sizeof(op.scheduler));
		op.flags = all[i]->flags;
		op.timeout = all[i]->timeout;
		op.netmask = all[i]->netmask;
		must(fake_ipvs_do(f, &op), "load service");
		op.kind = IPVS_NEW_DEST;
		for (uint32_t k = 0; k < all[i]->dest_count; k++) {
			op.dest = all[i]->dests[k];
			must(fake_ipvs_do(f, &op), "load destination");
		}
	}
	free(all);
	ipvs_table_done(&t);
}

void fake_ipvs_clear(struct fake_ipvs *f)
{
	while (f->services) {
		struct ipvs_op op = { .kind = IPVS_DEL_SERVICE, .key = f->services->s.key };

		must(fake_ipvs_do(f, &op), "clear");
	}
}

void fake_ipvs_print(const struct fake_ipvs *f, struct buf *out)
{
	struct ipvs_table t;

	ipvs_table_init(&t);
	for (const struct fake_service *s = f->services; s; s = s->next) {
		struct ipvs_service copy = ipvs_service_copy(&s->s);

		ipvs_table_put(&t, &copy);
	}
	ipvs_table_print(&t, out);
	ipvs_table_done(&t);
}

static struct ipvs_dest dest_of(const char *text)
{
	struct endpoint e;

	must(endpoint_parse(text, IPPROTO_TCP, &e), text);
	return (struct ipvs_dest){ .addr = e.addr, .port = e.port };
}

void fake_ipvs_set_connections(struct fake_ipvs *f, const char *dest, uint64_t connections)
{
	struct ipvs_dest like = dest_of(dest);

	for (struct fake_service *s = f->services; s; s = s->next) {
		uint32_t i = find_dest(s, &like);

		if (i < s->s.dest_count)
			s->connections[i] = connections;
	}
}

static void reverse(struct ipvs_service *s)
{
	struct ipvs_dest *dests = ipvs_service_edit(s);

	for (uint32_t i = 0, k = s->dest_count; i + 1 < k; i++) {
		struct ipvs_dest d = dests[--k];

		dests[k] = dests[i];
		dests[i] = d;
	}
}

uint64_t fake_ipvs_fingerprint(struct fake_ipvs *f, const char *service)
{
	struct ipvs_service copy;
	struct endpoint key;
	uint64_t fingerprint;

	must(endpoint_parse(service, IPPROTO_TCP, &key), service);
	must(*find(f, &key) ? 0 : -ESRCH, service);
	copy = ipvs_service_copy(&(*find(f, &key))->s);
	reverse(&copy);
	fingerprint = ipvs_order_fingerprint(&copy);
	ipvs_service_done(&copy);
	return fingerprint;
}

void fake_ipvs_refuse(struct fake_ipvs *f, const char *dest, int error)
{
	struct ipvs_dest like = dest_of(dest);
	size_t i = 0;

	while (i < FAKE_IPVS_FAULTS - 1 && f->refuse[i].dest.addr.family &&
	       !dest_is(&f->refuse[i].dest, &like))
		i++;
	f->refuse[i].dest = error ? like : (struct ipvs_dest){ 0 };
	f->refuse[i].error = error;
}
