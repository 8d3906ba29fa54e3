/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/base/xalloc.h"

/* So many that a body stays well below CHANNEL_BODY_MAX: a destination takes 45 bytes at most. */
#define DESTS_PER_MESSAGE 1024
#define OURS_PER_MESSAGE  1024 /* a block takes 38 bytes at most */

enum { DEST_DRAINING = 1 };

static void put_dest(struct buf *b, const struct ipvs_dest *d)
{
	wire_put_addr(b, &d->addr);
	wire_put_u16(b, d->port);
	wire_put_u8(b, d->forward);
	wire_put_u8(b, d->tunnel);
	wire_put_u16(b, d->tunnel_port);
	wire_put_u8(b, d->draining ? DEST_DRAINING : 0);
	wire_put_u32(b, d->weight);
	wire_put_u32(b, d->nominal);
	wire_put_u32(b, d->upper);
	wire_put_u32(b, d->lower);
}

void ipvs_message_put_service(const struct ipvs_service *s, ipvs_message_send_fn *send, void *arg)
{
	struct buf b = { 0 };

	wire_put_endpoint(&b, &s->key);
	wire_put_str(&b, s->scheduler);
	wire_put_u32(&b, s->flags);
	wire_put_u32(&b, s->timeout);
	wire_put_u32(&b, s->netmask);
	wire_put_u8(&b, s->masquerade);
	wire_put_u32(&b, s->dest_count);
	send(arg, IPVS_MSG_SERVICE, &b);
	for (uint32_t i = 0; i < s->dest_count;) {
		uint32_t n = s->dest_count - i;

		if (n > DESTS_PER_MESSAGE)
			n = DESTS_PER_MESSAGE;
		buf_reset(&b);
		wire_put_u32(&b, n);
		for (; n; n--)
			put_dest(&b, &s->dests[i++]);
		send(arg, IPVS_MSG_DESTS, &b);
	}
	buf_done(&b);
}

/* --- reading: the other process may be broken or taken over, every field is looked at --- */

static bool key_is_valid(const struct endpoint *key)
{
	return key->addr.family && protocol_is_served(key->protocol);
}

static bool scheduler_is_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && name[len] == '\0';
}

static bool netmask_is_valid(const struct ipvs_service *s)
{
	return s->key.addr.family == AF_INET || (s->netmask >= 1 && s->netmask <= 128);
}

static bool dest_is_valid(const struct ipvs_dest *d)
{
	return d->addr.family && ipvs_forward_is_valid(d->forward, d->tunnel, d->tunnel_port) &&
	       d->weight <= INT32_MAX && d->nominal <= INT32_MAX;
}

static int read_service(struct ipvs_message_reader *r, struct wire *w)
{
	struct ipvs_service s = { .key = wire_endpoint(w) };
	char scheduler[IPVS_SCHEDULER_MAX] = { 0 };
	uint32_t count;
	uint8_t masquerade;

	wire_str(w, scheduler, sizeof(scheduler));
	s.flags = wire_u32(w);
	s.timeout = wire_u32(w);
	s.netmask = wire_u32(w);
	masquerade = wire_u8(w);
	count = wire_u32(w);
	if (!wire_end(w) || !key_is_valid(&s.key) || !scheduler_is_valid(scheduler) ||
	    (s.flags & ~(uint32_t)IPVS_FLAGS_ALL) || !netmask_is_valid(&s) || masquerade > 1 ||
	    count > IPVS_DESTS_MAX)
		return -EBADMSG;
	memcpy(s.scheduler, scheduler, strlen(scheduler));
	s.masquerade = masquerade;
	r->service = s;
	r->missing = count;
	r->open = true;
	return 0;
}

static int read_dests(struct ipvs_message_reader *r, struct wire *w)
{
	uint32_t n = wire_u32(w);

	if (n == 0 || n > r->missing || n > DESTS_PER_MESSAGE)
		return -EBADMSG;
	for (; n && !w->bad; n--) {
		struct ipvs_dest d = { .addr = wire_addr(w) };
		uint8_t bits;

		d.port = wire_u16(w);
		d.forward = wire_u8(w);
		d.tunnel = wire_u8(w);
		d.tunnel_port = wire_u16(w);
		bits = wire_u8(w);
		d.draining = bits & DEST_DRAINING;
		d.weight = wire_u32(w);
		d.nominal = wire_u32(w);
		d.upper = wire_u32(w);
		d.lower = wire_u32(w);
		if (w->bad || !dest_is_valid(&d) || bits > DEST_DRAINING)
			return -EBADMSG;
		*ipvs_service_add(&r->service) = d;
		r->missing--;
	}
	return wire_end(w) ? 0 : -EBADMSG;
}

static bool is_sorted_unique(const struct ipvs_service *s)
{
	for (uint32_t i = 1; i < s->dest_count; i++) {
		if (ipvs_dest_cmp(&s->dests[i - 1], &s->dests[i]) >= 0)
			return false;
	}
	return true;
}

/* The service is whole: in order, and no endpoint twice. */
static bool close_service(struct ipvs_message_reader *r, struct ipvs_service *out)
{
	r->open = false;
	if (!is_sorted_unique(&r->service)) {
		ipvs_service_sort(&r->service);
		if (!is_sorted_unique(&r->service))
			return false;
	}
	*out = r->service;
	memset(&r->service, 0, sizeof(r->service));
	return true;
}

void ipvs_message_reader_done(struct ipvs_message_reader *r)
{
	ipvs_service_done(&r->service);
	memset(r, 0, sizeof(*r));
}

int ipvs_message_read(struct ipvs_message_reader *r, uint16_t type, struct wire *body,
		      struct ipvs_service *out)
{
	int ret = -EBADMSG;

	/* SERVICE only between services, DESTS only inside one. */
	if (type == IPVS_MSG_SERVICE && !r->open)
		ret = read_service(r, body);
	else if (type == IPVS_MSG_DESTS && r->open)
		ret = read_dests(r, body);
	if (ret == 0 && r->missing == 0)
		ret = close_service(r, out) ? 1 : -EBADMSG;
	if (ret < 0)
		ipvs_message_reader_done(r);
	return ret;
}

/* --- what is ours --- */

void ipvs_ours_list_done(struct ipvs_ours_list *l)
{
	free(l->items);
	*l = (struct ipvs_ours_list){ 0 };
}

static void put_block(struct buf *b, const struct ipvs_ours *o)
{
	wire_put_addr(b, &o->addresses.first);
	wire_put_addr(b, &o->addresses.last);
	wire_put_u16(b, o->ports.first);
	wire_put_u16(b, o->ports.last);
}

void ipvs_message_put_ours(const struct ipvs_ours *ours, size_t count, ipvs_message_send_fn *send,
			   void *arg)
{
	size_t i = 0;

	if (count > IPVS_OURS_MAX)
		count = IPVS_OURS_MAX;
	do {
		size_t n = count - i < OURS_PER_MESSAGE ? count - i : OURS_PER_MESSAGE;
		CLEANUP(buf_done) struct buf b = { 0 };

		wire_put_u8(&b, i == 0);
		wire_put_u16(&b, (uint16_t)n);
		for (; n; n--)
			put_block(&b, &ours[i++]);
		send(arg, IPVS_MSG_OURS, &b);
	} while (i < count);
}

static bool block_is_valid(const struct ipvs_ours *o)
{
	const struct addr_range *a = &o->addresses;

	return a->first.family && a->first.family == a->last.family &&
	       addr_cmp(&a->first, &a->last) <= 0 && o->ports.first &&
	       o->ports.first <= o->ports.last;
}

int ipvs_message_read_ours(struct ipvs_ours_list *l, bool *begun, struct wire *body)
{
	uint8_t begins = wire_u8(body);
	size_t n = wire_u16(body);

	if (begins > 1 || (!begins && !*begun) || n > OURS_PER_MESSAGE)
		return -EBADMSG;
	if (begins)
		l->count = 0;
	if (l->count + n > IPVS_OURS_MAX)
		return -EBADMSG;
	*begun = true;
	l->items = xreallocarray(l->items, l->count + n + 1, sizeof(*l->items));
	for (; n && !body->bad; n--) {
		struct ipvs_ours o;

		o.addresses.first = wire_addr(body);
		o.addresses.last = wire_addr(body);
		o.ports.first = wire_u16(body);
		o.ports.last = wire_u16(body);
		if (body->bad || !block_is_valid(&o))
			return -EBADMSG;
		l->items[l->count++] = o;
	}
	return wire_end(body) ? 0 : -EBADMSG;
}

void wire_put_ipvs_commit(struct buf *b, const struct ipvs_commit *c)
{
	wire_put_u64(b, c->generation);
	wire_put_u8(b, c->complete);
}

void wire_ipvs_commit(struct wire *w, struct ipvs_commit *out)
{
	out->generation = wire_u64(w);
	out->complete = wire_u8(w);
}

void wire_put_ipvs_status(struct buf *b, const struct ipvs_status *s)
{
	wire_put_u64(b, s->generation);
	wire_put_u8(b, s->synced);
	wire_put_u8(b, s->ready);
	wire_put_u64(b, s->kernel_writes);
	wire_put_u64(b, s->other_writes);
	wire_put_u64(b, s->repairs);
	wire_put_u64(b, s->last_sync_us);
	wire_put_u64(b, s->last_sync_writes);
	wire_put_u32(b, s->services);
	wire_put_u32(b, s->dests);
	wire_put_u32(b, s->pending);
	wire_put_u32(b, s->problems);
	wire_put_u32(b, s->disordered);
}

void wire_ipvs_status(struct wire *w, struct ipvs_status *out)
{
	out->generation = wire_u64(w);
	out->synced = wire_u8(w);
	out->ready = wire_u8(w);
	out->kernel_writes = wire_u64(w);
	out->other_writes = wire_u64(w);
	out->repairs = wire_u64(w);
	out->last_sync_us = wire_u64(w);
	out->last_sync_writes = wire_u64(w);
	out->services = wire_u32(w);
	out->dests = wire_u32(w);
	out->pending = wire_u32(w);
	out->problems = wire_u32(w);
	out->disordered = wire_u32(w);
}

void wire_put_ipvs_problem(struct buf *b, const struct ipvs_problem *p)
{
	wire_put_endpoint(b, &p->key);
	wire_put_endpoint(b, &p->dest);
	wire_put_u32(b, (uint32_t)p->error);
	wire_put_str(b, p->text);
}

void wire_ipvs_problem(struct wire *w, struct ipvs_problem *out)
{
	out->key = wire_endpoint(w);
	out->dest = wire_endpoint(w);
	out->error = (int32_t)wire_u32(w);
	wire_str(w, out->text, sizeof(out->text));
}
