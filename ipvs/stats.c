/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/xalloc.h"
#include "ipvs/message.h"
#include "ipvs/table.h"

/* One takes 75 bytes at most, and a body has to stay below CHANNEL_BODY_MAX. */
#define DESTS_PER_MESSAGE 512

void ipvs_stats_done(struct ipvs_stats *s)
{
	free(s->dests);
	*s = (struct ipvs_stats){ 0 };
}

struct ipvs_dest_stats *ipvs_stats_add(struct ipvs_stats *s)
{
	/* Full where its size is a power of two. */
	if ((s->dest_count & (s->dest_count - 1)) == 0)
		s->dests = xreallocarray(s->dests, s->dest_count ? s->dest_count * 2 : 1,
					 sizeof(*s->dests));
	s->dests[s->dest_count] = (struct ipvs_dest_stats){ 0 };
	return &s->dests[s->dest_count++];
}

static int compare(const void *a, const void *b)
{
	const struct ipvs_dest_stats *x = a, *y = b;
	int r = addr_cmp(&x->addr, &y->addr);

	return r ? r : (x->port > y->port) - (x->port < y->port);
}

void ipvs_stats_sort(struct ipvs_stats *s)
{
	if (s->dest_count)
		qsort(s->dests, s->dest_count, sizeof(*s->dests), compare);
}

/* --- telling --- */

static void put_counters(struct buf *b, const struct ipvs_counters *c)
{
	wire_put_u64(b, c->connections);
	wire_put_u64(b, c->packets_in);
	wire_put_u64(b, c->packets_out);
	wire_put_u64(b, c->bytes_in);
	wire_put_u64(b, c->bytes_out);
}

static void put_dest(struct buf *b, const struct ipvs_dest_stats *d)
{
	wire_put_addr(b, &d->addr);
	wire_put_u16(b, d->port);
	wire_put_u32(b, d->weight);
	wire_put_u32(b, d->active);
	wire_put_u32(b, d->inactive);
	wire_put_u32(b, d->templates);
	put_counters(b, &d->counters);
}

void ipvs_stats_put(const struct ipvs_stats_answer *a, ipvs_stats_send_fn *send, void *arg)
{
	const struct ipvs_stats *s = &a->stats;
	CLEANUP(buf_done) struct buf b = { 0 };

	wire_put_u32(&b, a->id);
	wire_put_u32(&b, (uint32_t)a->error);
	wire_put_u8(&b, s->counting);
	wire_put_u64(&b, s->fingerprint);
	put_counters(&b, &s->counters);
	wire_put_u32(&b, (uint32_t)s->dest_count);
	send(arg, IPVS_MSG_STATS, &b);
	for (size_t i = 0; i < s->dest_count;) {
		size_t n = s->dest_count - i;

		if (n > DESTS_PER_MESSAGE)
			n = DESTS_PER_MESSAGE;
		buf_reset(&b);
		wire_put_u32(&b, (uint32_t)n);
		for (; n; n--)
			put_dest(&b, &s->dests[i++]);
		send(arg, IPVS_MSG_STATS_DESTS, &b);
	}
}

/* --- hearing --- */

static struct ipvs_counters get_counters(struct wire *w)
{
	struct ipvs_counters c = { 0 };

	c.connections = wire_u64(w);
	c.packets_in = wire_u64(w);
	c.packets_out = wire_u64(w);
	c.bytes_in = wire_u64(w);
	c.bytes_out = wire_u64(w);
	return c;
}

void ipvs_stats_reader_done(struct ipvs_stats_reader *r)
{
	ipvs_stats_done(&r->answer.stats);
	*r = (struct ipvs_stats_reader){ 0 };
}

static int read_head(struct ipvs_stats_reader *r, struct wire *w)
{
	struct ipvs_stats_answer a = { .id = wire_u32(w) };
	uint8_t counting;
	uint32_t count;

	a.error = (int32_t)wire_u32(w);
	counting = wire_u8(w);
	a.stats.counting = counting;
	a.stats.fingerprint = wire_u64(w);
	a.stats.counters = get_counters(w);
	count = wire_u32(w);
	if (!wire_end(w) || a.error < 0 || a.error > 4095 || counting > 1 ||
	    count > IPVS_DESTS_MAX || (a.error && count))
		return -EBADMSG;
	r->answer = a;
	r->missing = count;
	r->open = true;
	return 0;
}

static int read_dests(struct ipvs_stats_reader *r, struct wire *w)
{
	uint32_t n = wire_u32(w);

	if (n == 0 || n > r->missing || n > DESTS_PER_MESSAGE)
		return -EBADMSG;
	for (; n && !w->bad; n--) {
		struct ipvs_dest_stats d = { .addr = wire_addr(w) };

		d.port = wire_u16(w);
		d.weight = wire_u32(w);
		d.active = wire_u32(w);
		d.inactive = wire_u32(w);
		d.templates = wire_u32(w);
		d.counters = get_counters(w);
		if (w->bad || !d.addr.family)
			return -EBADMSG;
		*ipvs_stats_add(&r->answer.stats) = d;
		r->missing--;
	}
	return wire_end(w) ? 0 : -EBADMSG;
}

int ipvs_stats_read(struct ipvs_stats_reader *r, uint16_t type, struct wire *body,
		    struct ipvs_stats_answer *out)
{
	int ret;

	if (r->open != (type == IPVS_MSG_STATS_DESTS))
		return -EBADMSG;
	ret = r->open ? read_dests(r, body) : read_head(r, body);
	if (ret < 0 || r->missing)
		return ret;
	*out = r->answer;
	*r = (struct ipvs_stats_reader){ 0 };
	return 1;
}
