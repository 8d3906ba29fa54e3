/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipvs/message.c: what core and the ipvs process say comes out as it went in, or not at all. */
#include "ipvs/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/channel.h"

static struct ipvs_service example(uint32_t dests)
{
	struct endpoint key = { .addr = addr_v4(0x0a000001), .protocol = IPPROTO_UDP, .port = 53 };
	struct ipvs_service s = ipvs_service_of(&key);

	s.flags = IPVS_PERSISTENT | IPVS_SCHED1;
	s.timeout = 300;
	s.masquerade = true;
	for (uint32_t i = 0; i < dests; i++) {
		*ipvs_service_add(&s) = (struct ipvs_dest){
			.addr = addr_v4(0x0a010000 + i),
			.port = 53,
			.forward = IPVS_TUNNEL,
			.tunnel = 1,
			.tunnel_port = 6080,
			.draining = i & 1,
			.weight = i,
			.nominal = i + 1,
			.upper = 7,
			.lower = 3,
		};
	}
	return s;
}

struct receiver {
	struct ipvs_message_reader reader;
	struct ipvs_service got;
	unsigned whole, messages;
};

static void receive(void *arg, uint16_t type, const struct buf *body)
{
	struct receiver *r = arg;
	struct wire w = wire_of(body->data, body->len);
	int ret = ipvs_message_read(&r->reader, type, &w, &r->got);

	assert_true(body->len <= CHANNEL_BODY_MAX);
	assert_true(ret >= 0);
	r->whole += (unsigned)ret;
	r->messages++;
}

static void a_service_comes_out_as_it_went_in(void **state)
{
	static const uint32_t counts[] = { 0, 1, 10, 1024, 1025, IPVS_DESTS_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct ipvs_service s = example(counts[i]);
		struct receiver r = { 0 };

		ipvs_message_put_service(&s, receive, &r);
		assert_int_equal(r.whole, 1);
		assert_int_equal(r.messages, 1 + (counts[i] + 1023) / 1024);
		assert_memory_equal(&r.got.key, &s.key, sizeof(s.key));
		assert_string_equal(r.got.scheduler, "wrr");
		assert_int_equal(r.got.flags, s.flags);
		assert_int_equal(r.got.timeout, 300);
		assert_int_equal(r.got.netmask, s.netmask);
		assert_true(r.got.masquerade);
		assert_int_equal(r.got.dest_count, counts[i]);
		if (counts[i])
			assert_memory_equal(r.got.dests, s.dests, counts[i] * sizeof(*s.dests));
		ipvs_service_done(&r.got);
		ipvs_service_done(&s);
	}
}

/* What a service is turned into, to be spoilt. */
struct packet {
	uint16_t type[4];
	struct buf body[4];
	unsigned count;
};

static void keep(void *arg, uint16_t type, const struct buf *body)
{
	struct packet *p = arg;

	p->type[p->count] = type;
	buf_put(&p->body[p->count++], body->data, body->len);
}

static int read_packet(const struct packet *p, size_t cut)
{
	struct ipvs_message_reader reader = { 0 };
	struct ipvs_service got = { 0 };
	int r = 0;

	for (unsigned i = 0; i < p->count && r == 0; i++) {
		size_t len = p->body[i].len - (i + 1 == p->count ? cut : 0);
		struct wire w = wire_of(p->body[i].data, len);

		r = ipvs_message_read(&reader, p->type[i], &w, &got);
	}
	ipvs_message_reader_done(&reader);
	ipvs_service_done(&got);
	return r;
}

static void packet_done(struct packet *p)
{
	for (unsigned i = 0; i < p->count; i++)
		buf_done(&p->body[i]);
}

static void messages_cut_short_are_refused(void **state)
{
	struct ipvs_service s = example(2);
	struct packet p = { 0 };

	(void)state;
	ipvs_message_put_service(&s, keep, &p);
	assert_int_equal(read_packet(&p, 0), 1);
	for (size_t cut = 1; cut <= p.body[1].len; cut++)
		assert_int_equal(read_packet(&p, cut), -EBADMSG);
	packet_done(&p);
	ipvs_service_done(&s);
}

static void out_of_range(struct ipvs_service *s, unsigned field)
{
	struct ipvs_dest *dests = ipvs_service_edit(s);

	switch (field) {
	case 0:
		s->key.protocol = IPPROTO_ICMP;
		break;
	case 1:
		s->flags = 2;
		break;
	case 2:
		strcpy(s->scheduler, "../x");
		break;
	case 3:
		s->scheduler[0] = '\0';
		break;
	case 4:
		dests[1].weight = UINT32_C(1) << 31;
		break;
	case 5:
		dests[1].forward = 4;
		break;
	case 6:
		dests[1].tunnel = 3;
		break;
	case 7:
		dests[0].forward = IPVS_NAT; /* and a tunnel's port */
		break;
	case 8:
		dests[1] = dests[0];
		break;
	case 9:
		dests[0].addr.family = 0;
		break;
	default:
		fail();
	}
}

static void values_out_of_range_are_refused(void **state)
{
	(void)state;
	for (unsigned field = 0; field < 10; field++) {
		struct ipvs_service s = example(2);
		struct packet p = { 0 };

		out_of_range(&s, field);
		ipvs_message_put_service(&s, keep, &p);
		if (read_packet(&p, 0) != -EBADMSG)
			fail_msg("field %u was taken", field);
		packet_done(&p);
		ipvs_service_done(&s);
	}
}

static void destinations_out_of_turn_are_refused(void **state)
{
	struct ipvs_service s = example(2);
	struct packet p = { 0 };

	(void)state;
	ipvs_message_put_service(&s, keep, &p);
	p.type[0] = IPVS_MSG_DESTS;
	assert_int_equal(read_packet(&p, 0), -EBADMSG);
	p.type[0] = p.type[1] = IPVS_MSG_SERVICE;
	assert_int_equal(read_packet(&p, 0), -EBADMSG);
	packet_done(&p);
	ipvs_service_done(&s);
}

static void facts_come_out_as_they_went_in(void **state)
{
	struct ipvs_status st = { 1, true, true, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 }, st2 = { 0 };
	struct ipvs_commit c = { 42, true }, c2 = { 0 };
	struct ipvs_problem p = { .error = ENOENT, .text = "no such scheduler" }, p2 = { 0 };
	struct buf b = { 0 };
	struct wire w;

	(void)state;
	p.key = (struct endpoint){ .addr = addr_v4(0x0a000001),
				   .protocol = IPPROTO_TCP,
				   .port = 1 };
	wire_put_ipvs_status(&b, &st);
	wire_put_ipvs_commit(&b, &c);
	wire_put_ipvs_problem(&b, &p);
	w = wire_of(b.data, b.len);
	wire_ipvs_status(&w, &st2);
	wire_ipvs_commit(&w, &c2);
	wire_ipvs_problem(&w, &p2);
	assert_true(wire_end(&w));
	assert_int_equal(st2.generation, 1);
	assert_int_equal(st2.pending, 9);
	assert_int_equal(st2.problems, 10);
	assert_int_equal(st2.disordered, 11);
	assert_int_equal(st2.last_sync_writes, 6);
	assert_int_equal(c2.generation, 42);
	assert_true(c2.complete);
	assert_memory_equal(&p2, &p, sizeof(p));
	buf_done(&b);
}

struct heard {
	struct ipvs_ours_list ours;
	bool begun;
	unsigned messages;
};

static void hear_ours(void *arg, uint16_t type, const struct buf *body)
{
	struct heard *h = arg;
	struct wire w = wire_of(body->data, body->len);

	assert_int_equal(type, IPVS_MSG_OURS);
	assert_true(body->len <= CHANNEL_BODY_MAX);
	assert_int_equal(ipvs_message_read_ours(&h->ours, &h->begun, &w), 0);
	h->messages++;
}

static struct ipvs_ours block(uint32_t n)
{
	return (struct ipvs_ours){ { addr_v4(n), addr_v4(n + 1) }, { 1, 65535 } };
}

static void what_is_ours_comes_out_as_it_went_in(void **state)
{
	static const size_t counts[] = { 2500, 1024, 1, 0 };
	struct ipvs_ours *all = calloc(2500, sizeof(*all));
	struct heard h = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 2500; i++)
		all[i] = block(0x0a000000 + 2 * i);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		h.messages = 0;
		ipvs_message_put_ours(all, counts[i], hear_ours, &h);
		assert_int_equal(h.messages, counts[i] > 1024 ? 3 : 1);
		assert_int_equal(h.ours.count, counts[i]); /* of the one before nothing is left */
		assert_true(!counts[i] || memcmp(h.ours.items, all, counts[i] * sizeof(*all)) == 0);
	}
	ipvs_ours_list_done(&h.ours);
	free(all);
}

static int read_block(const struct ipvs_ours *o, bool begins, unsigned announced, bool *begun)
{
	struct ipvs_ours_list l = { 0 };
	struct buf b = { 0 };
	struct wire w;
	int r;

	wire_put_u8(&b, begins);
	wire_put_u16(&b, (uint16_t)announced);
	wire_put_addr(&b, &o->addresses.first);
	wire_put_addr(&b, &o->addresses.last);
	wire_put_u16(&b, o->ports.first);
	wire_put_u16(&b, o->ports.last);
	w = wire_of(b.data, b.len);
	r = ipvs_message_read_ours(&l, begun, &w);
	buf_done(&b);
	ipvs_ours_list_done(&l);
	return r;
}

static void blocks_that_are_none_are_refused(void **state)
{
	struct ipvs_ours o = block(0x0a000000);
	bool begun = false;

	(void)state;
	assert_int_equal(read_block(&o, false, 1, &begun), -EBADMSG); /* none began */
	assert_int_equal(read_block(&o, true, 2, &begun), -EBADMSG);
	assert_int_equal(read_block(&o, true, 0, &begun), -EBADMSG);
	assert_int_equal(read_block(&o, true, 1025, &begun), -EBADMSG);
	assert_int_equal(read_block(&o, true, 1, &begun), 0);
	assert_int_equal(read_block(&o, false, 1, &begun), 0);
	o.ports.first = 0;
	assert_int_equal(read_block(&o, true, 1, &begun), -EBADMSG);
	o.ports = (struct port_range){ 2, 1 };
	assert_int_equal(read_block(&o, true, 1, &begun), -EBADMSG);
	o = block(0x0a000000);
	o.addresses.last = addr_v4(0x09000000);
	assert_int_equal(read_block(&o, true, 1, &begun), -EBADMSG);
	o.addresses.last = (struct addr){ 0 };
	assert_int_equal(read_block(&o, true, 1, &begun), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_comes_out_as_it_went_in),
		cmocka_unit_test(messages_cut_short_are_refused),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(destinations_out_of_turn_are_refused),
		cmocka_unit_test(facts_come_out_as_they_went_in),
		cmocka_unit_test(what_is_ours_comes_out_as_it_went_in),
		cmocka_unit_test(blocks_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
