/* SPDX-License-Identifier: GPL-2.0-or-later */
/* codec.c: commands as the kernel's policy takes them, replies read to the last byte. */
#include "ipvs/codec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A reply while it is put together. */
struct reply_text {
	uint8_t data[512];
	size_t len;
};

static size_t add(struct reply_text *t, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };
	size_t at = t->len;

	memcpy(t->data + at, &a, sizeof(a));
	if (len)
		memcpy(t->data + at + NLA_HDRLEN, data, len);
	t->len += NLA_HDRLEN + NLA_ALIGN(len);
	return at;
}

static void add_u16(struct reply_text *t, uint16_t type, uint16_t v)
{
	add(t, type, &v, sizeof(v));
}

static void add_u32(struct reply_text *t, uint16_t type, uint32_t v)
{
	add(t, type, &v, sizeof(v));
}

static void end_at(struct reply_text *t, size_t at)
{
	uint16_t len = (uint16_t)(t->len - at);

	memcpy(t->data + at, &len, sizeof(len));
}

static void begin_reply(struct reply_text *t, uint16_t nest)
{
	memset(t, 0, sizeof(*t));
	t->len = NLMSG_HDRLEN + GENL_HDRLEN;
	add(t, nest | NLA_F_NESTED, NULL, 0);
}

static void end_reply(struct reply_text *t)
{
	struct nlmsghdr h = { .nlmsg_type = 0x1c, .nlmsg_flags = NLM_F_MULTI, .nlmsg_seq = 7 };

	end_at(t, NLMSG_HDRLEN + GENL_HDRLEN);
	h.nlmsg_len = (uint32_t)t->len;
	memcpy(t->data, &h, sizeof(h));
}

static void add_counters(struct reply_text *t, uint16_t type, uint64_t first)
{
	size_t nest = add(t, type | NLA_F_NESTED, NULL, 0);

	for (uint16_t i = IPVS_STATS_ATTR_CONNS; i <= IPVS_STATS_ATTR_OUTBYTES; i++) {
		uint64_t v = first + i;

		add(t, i, &v, sizeof(v));
	}
	end_at(t, nest);
}

/* As the kernel dumps it: IPv4 in 16 bytes, "hashed" among the flags. */
static void service_reply(struct reply_text *t)
{
	const struct ip_vs_flags flags = { IPVS_PERSISTENT | 2 | IPVS_SCHED2, ~0U };
	const uint8_t address[16] = { 10, 0, 0, 1 };

	begin_reply(t, IPVS_CMD_ATTR_SERVICE);
	add_u16(t, IPVS_SVC_ATTR_AF, AF_INET);
	add_u16(t, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
	add(t, IPVS_SVC_ATTR_ADDR, address, sizeof(address));
	add_u16(t, IPVS_SVC_ATTR_PORT, htons(8090));
	add(t, IPVS_SVC_ATTR_SCHED_NAME, "mh", 3);
	add(t, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	add_u32(t, IPVS_SVC_ATTR_TIMEOUT, 300);
	add_u32(t, IPVS_SVC_ATTR_NETMASK, ~0U);
	add(t, IPVS_SVC_ATTR_STATS, "counters of 32 bits are passed over", 35);
	add_counters(t, IPVS_SVC_ATTR_STATS64, 100);
	end_reply(t);
}

static void dest_reply(struct reply_text *t)
{
	const uint8_t address[16] = { 10, 1, 0, 9 }, type = 1;

	begin_reply(t, IPVS_CMD_ATTR_DEST);
	add(t, IPVS_DEST_ATTR_ADDR, address, sizeof(address));
	add_u16(t, IPVS_DEST_ATTR_PORT, htons(80));
	add_u32(t, IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_TUNNEL);
	add_u32(t, IPVS_DEST_ATTR_WEIGHT, 5);
	add_u32(t, IPVS_DEST_ATTR_U_THRESH, 9);
	add_u32(t, IPVS_DEST_ATTR_L_THRESH, 3);
	add_u32(t, IPVS_DEST_ATTR_ACTIVE_CONNS, 1);
	add_u32(t, IPVS_DEST_ATTR_INACT_CONNS, 20);
	add_u32(t, IPVS_DEST_ATTR_PERSIST_CONNS, 300);
	add_u16(t, IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
	add(t, IPVS_DEST_ATTR_TUN_TYPE, &type, 1);
	add_u16(t, IPVS_DEST_ATTR_TUN_PORT, htons(6080));
	add_counters(t, IPVS_DEST_ATTR_STATS64, UINT64_MAX - 10);
	end_reply(t);
}

static int next(const struct reply_text *t, struct ipvs_reply *out)
{
	const uint8_t *at = t->data;
	size_t left = t->len;

	return ipvs_reply_next(&at, &left, out);
}

static void a_service_is_read(void **state)
{
	struct reply_text t;
	struct ipvs_reply r;
	struct ipvs_service s;

	(void)state;
	service_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(r.kind, IPVS_REPLY_DATA);
	assert_int_equal(r.seq, 7);
	assert_int_equal(ipvs_decode_service(&r, &s), 0);
	assert_int_equal(s.key.addr.bytes[3], 1);
	assert_int_equal(s.key.port, 8090);
	assert_int_equal(s.key.protocol, IPPROTO_TCP);
	assert_string_equal(s.scheduler, "mh");
	/* "hashed" is the kernel's own. */
	assert_int_equal(s.flags, IPVS_PERSISTENT | IPVS_SCHED2);
	assert_int_equal(s.timeout, 300);
	assert_int_equal(s.netmask, ~0U);
}

static void a_destination_is_read(void **state)
{
	struct reply_text t;
	struct ipvs_reply r;
	struct ipvs_dest d;
	uint64_t connections;

	(void)state;
	dest_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_dest(&r, AF_INET, &d, &connections), 0);
	assert_int_equal(d.addr.bytes[3], 9);
	assert_int_equal(d.port, 80);
	assert_int_equal(d.forward, IPVS_TUNNEL);
	assert_int_equal(d.tunnel, 1);
	assert_int_equal(d.tunnel_port, 6080);
	assert_int_equal(d.weight, 5);
	assert_int_equal(d.upper, 9);
	assert_int_equal(d.lower, 3);
	assert_int_equal(connections, 321);
}

static void what_was_counted_is_read(void **state)
{
	struct ipvs_dest_stats d;
	struct ipvs_counters c;
	struct reply_text t;
	struct ipvs_reply r;

	(void)state;
	service_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_service_stats(&r, &c), 0);
	assert_int_equal(c.connections, 101);
	assert_int_equal(c.packets_in, 102);
	assert_int_equal(c.packets_out, 103);
	assert_int_equal(c.bytes_in, 104);
	assert_int_equal(c.bytes_out, 105);
	assert_int_equal(ipvs_decode_dest_stats(&r, AF_INET, &d), -EBADMSG);
	dest_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_dest_stats(&r, AF_INET, &d), 0);
	assert_int_equal(d.addr.bytes[3], 9);
	assert_int_equal(d.port, 80);
	assert_int_equal(d.weight, 5);
	assert_int_equal(d.active, 1);
	assert_int_equal(d.inactive, 20);
	assert_int_equal(d.templates, 300);
	assert_true(d.counters.bytes_out == UINT64_MAX - 5);
	assert_int_equal(ipvs_decode_service_stats(&r, &c), -EBADMSG);
}

static void firewall_marks_and_other_protocols_are_told_apart(void **state)
{
	const struct ip_vs_flags flags = { 0, ~0U };
	const uint8_t address[16] = { 10, 0, 0, 1 };
	struct reply_text t;
	struct ipvs_reply r;
	struct ipvs_service s;

	(void)state;
	begin_reply(&t, IPVS_CMD_ATTR_SERVICE);
	add_u16(&t, IPVS_SVC_ATTR_AF, AF_INET);
	add_u32(&t, IPVS_SVC_ATTR_FWMARK, 5);
	end_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_service(&r, &s), -EOPNOTSUPP);

	begin_reply(&t, IPVS_CMD_ATTR_SERVICE);
	add_u16(&t, IPVS_SVC_ATTR_AF, AF_INET);
	add_u16(&t, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_DCCP);
	add(&t, IPVS_SVC_ATTR_ADDR, address, sizeof(address));
	add_u16(&t, IPVS_SVC_ATTR_PORT, htons(80));
	add(&t, IPVS_SVC_ATTR_SCHED_NAME, "rr", 3);
	add(&t, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	add_u32(&t, IPVS_SVC_ATTR_TIMEOUT, 0);
	add_u32(&t, IPVS_SVC_ATTR_NETMASK, ~0U);
	end_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_service(&r, &s), -EOPNOTSUPP);
}

static void marked_service_reply(struct reply_text *t, uint16_t family, uint32_t mark)
{
	const struct ip_vs_flags flags = { 2, ~0U };

	begin_reply(t, IPVS_CMD_ATTR_SERVICE);
	add_u16(t, IPVS_SVC_ATTR_AF, family);
	add_u32(t, IPVS_SVC_ATTR_FWMARK, mark);
	add(t, IPVS_SVC_ATTR_SCHED_NAME, "rr", 3);
	add(t, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	add_u32(t, IPVS_SVC_ATTR_TIMEOUT, 0);
	add_u32(t, IPVS_SVC_ATTR_NETMASK, 128);
	end_reply(t);
}

static void a_service_of_a_mark_is_read(void **state)
{
	struct reply_text t;
	struct ipvs_reply r;
	struct ipvs_service s;
	uint32_t mark;

	(void)state;
	marked_service_reply(&t, AF_INET6, 0x50610007);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_marked_service(&r, &s, &mark), 0);
	assert_int_equal(mark, 0x50610007);
	assert_int_equal(s.key.addr.family, AF_INET6);
	assert_string_equal(s.scheduler, "rr");
	assert_int_equal(s.flags, 0);
	assert_int_equal(s.netmask, 128);
	marked_service_reply(&t, AF_UNIX, 0x50610007);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_marked_service(&r, &s, &mark), -EBADMSG);
	service_reply(&t);
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(ipvs_decode_marked_service(&r, &s, &mark), -EOPNOTSUPP);
}

/* Cut anywhere it is an error, and nothing past the end is read (the buffers are exact). */
static void replies_cut_short_are_refused(void **state)
{
	struct reply_text whole;
	struct ipvs_service s;
	struct ipvs_dest d;
	struct ipvs_dest_stats stats;
	struct ipvs_counters counters;
	uint64_t connections;

	(void)state;
	for (unsigned dest = 0; dest < 2; dest++) {
		if (dest)
			dest_reply(&whole);
		else
			service_reply(&whole);
		for (size_t len = 1; len < whole.len; len++) {
			uint8_t *copy = malloc(len);
			const uint8_t *at = copy;
			size_t left = len;
			struct ipvs_reply r;

			memcpy(copy, whole.data, len);
			assert_int_equal(ipvs_reply_next(&at, &left, &r), -EBADMSG);
			/* The header fits and the attributes do not. */
			if (len >= NLMSG_HDRLEN + GENL_HDRLEN && len < whole.len - 32) {
				uint32_t short_len = (uint32_t)len;

				memcpy(copy, &short_len, sizeof(short_len));
				at = copy;
				left = len;
				assert_int_equal(ipvs_reply_next(&at, &left, &r), 1);
				assert_int_equal(
					dest ? ipvs_decode_dest(&r, AF_INET, &d, &connections)
					     : ipvs_decode_service(&r, &s),
					-EBADMSG);
				assert_int_equal(dest ? ipvs_decode_dest_stats(&r, AF_INET, &stats)
						      : ipvs_decode_service_stats(&r, &counters),
						 -EBADMSG);
			}
			free(copy);
		}
	}
}

static void an_answer_is_taken_apart(void **state)
{
	struct reply_text t = { .len = NLMSG_HDRLEN + sizeof(struct nlmsgerr) };
	struct nlmsghdr h = { .nlmsg_len = (uint32_t)t.len,
			      .nlmsg_type = NLMSG_ERROR,
			      .nlmsg_seq = 42 };
	int32_t error = -ENOENT;
	struct ipvs_reply r;

	(void)state;
	memcpy(t.data, &h, sizeof(h));
	memcpy(t.data + NLMSG_HDRLEN, &error, sizeof(error));
	assert_int_equal(next(&t, &r), 1);
	assert_int_equal(r.kind, IPVS_REPLY_ACK);
	assert_int_equal(r.seq, 42);
	assert_int_equal(r.error, -ENOENT);
	error = 1;
	memcpy(t.data + NLMSG_HDRLEN, &error, sizeof(error));
	assert_int_equal(next(&t, &r), -EBADMSG);
}

static struct ipvs_op example_op(enum ipvs_op_kind kind, bool v6)
{
	struct ipvs_op op = { .kind = kind, .scheduler = "abcdefghijklmno" };
	const char *addr = v6 ? "2001:db8::1" : "10.0.0.1";

	assert_int_equal(addr_parse(addr, &op.key.addr), 0);
	op.key.port = 80;
	op.key.protocol = IPPROTO_TCP;
	op.dest.addr = op.key.addr;
	op.dest.forward = IPVS_TUNNEL;
	op.dest.tunnel = 1;
	op.dest.tunnel_port = 6080;
	op.flags = IPVS_PERSISTENT;
	return op;
}

static void commands_are_bounded_and_aligned_and_carry_their_number(void **state)
{
	(void)state;
	for (unsigned kind = IPVS_NEW_SERVICE; kind <= IPVS_DEL_DEST; kind++) {
		for (unsigned v6 = 0; v6 < 2; v6++) {
			struct ipvs_op op = example_op((enum ipvs_op_kind)kind, v6);
			uint8_t data[IPVS_MESSAGE_SIZE];
			size_t len = ipvs_encode_op(data, 0x1c, 99, kind & 1, &op);
			struct nlmsghdr h;
			struct genlmsghdr g;

			memcpy(&h, data, sizeof(h));
			memcpy(&g, data + NLMSG_HDRLEN, sizeof(g));
			assert_int_equal(len % 4, 0);
			assert_int_equal(h.nlmsg_len, len);
			assert_int_equal(h.nlmsg_type, 0x1c);
			assert_int_equal(h.nlmsg_seq, 99);
			assert_int_equal(h.nlmsg_flags, NLM_F_REQUEST | (kind & 1 ? NLM_F_ACK : 0));
			assert_int_equal(g.version, 1);
		}
	}
}

static void a_question_for_one_service_asks_for_its_end_as_well(void **state)
{
	const struct endpoint key = { addr_v4(0x0a000001), IPPROTO_TCP, 80 };
	uint8_t data[IPVS_MESSAGE_SIZE];
	size_t len = ipvs_encode_get(data, 0x1c, 5, &key);
	struct nlmsghdr h;
	struct genlmsghdr g;

	(void)state;
	memcpy(&h, data, sizeof(h));
	memcpy(&g, data + NLMSG_HDRLEN, sizeof(g));
	assert_int_equal(h.nlmsg_len, len);
	assert_int_equal(h.nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK); /* a dump would be of all */
	assert_int_equal(h.nlmsg_seq, 5);
	assert_int_equal(g.cmd, IPVS_CMD_GET_SERVICE);
}

/* The bytes of a command the kernel took, so that none changes unseen. */
static void a_new_destination_is_these_bytes(void **state)
{
	static const uint8_t expected[] = {
		/* length, family, REQUEST, number, port 0; NEW_DEST, version 1 */
		116, 0, 0, 0, 0x1c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0,
		/* service: AF_INET, TCP, 10.0.0.1, 80 */
		36, 0, 1, 0x80, 6, 0, 1, 0, 2, 0, 0, 0, 6, 0, 2, 0, 6, 0, 0, 0, 8, 0, 3, 0, 10, 0,
		0, 1, 6, 0, 4, 0, 0, 80, 0, 0,
		/* destination: 10.1.0.2, 8080, AF_INET, nat, weight 3, no thresholds */
		60, 0, 2, 0x80, 8, 0, 1, 0, 10, 1, 0, 2, 6, 0, 2, 0, 0x1f, 0x90, 0, 0, 6, 0, 11, 0,
		2, 0, 0, 0, 8, 0, 3, 0, 0, 0, 0, 0, 8, 0, 4, 0, 3, 0, 0, 0, 8, 0, 5, 0, 0, 0, 0, 0,
		8, 0, 6, 0, 0, 0, 0, 0
	};
	struct ipvs_op op = { .kind = IPVS_NEW_DEST };
	uint8_t data[IPVS_MESSAGE_SIZE];

	(void)state;
	op.key = (struct endpoint){ addr_v4(0x0a000001), IPPROTO_TCP, 80 };
	op.dest = (struct ipvs_dest){ .addr = addr_v4(0x0a010002), .port = 8080, .weight = 3 };
	assert_int_equal(ipvs_encode_op(data, 0x1c, 1, false, &op), sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
}

static void commands_for_a_mark_are_these_bytes(void **state)
{
	static const uint8_t removal[] = {
		/* length, family, REQUEST and ACK, number, port 0; DEL_SERVICE, version 1 */
		40, 0, 0, 0, 0x1c, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0,
		/* service: AF_INET6, mark */
		20, 0, 1, 0x80, 6, 0, 1, 0, 10, 0, 0, 0, 8, 0, 5, 0, 7, 0, 0x61, 0x50
	};
	const struct ipvs_op op = { .kind = IPVS_DEL_SERVICE,
				    .key.addr.family = AF_INET6,
				    .mark = 0x50610007 };
	uint8_t data[IPVS_MESSAGE_SIZE];
	uint8_t expected[sizeof(removal)];

	(void)state;
	assert_int_equal(ipvs_encode_op(data, 0x1c, 1, true, &op), sizeof(removal));
	assert_memory_equal(data, removal, sizeof(removal));
	/* The same service, asked for. */
	memcpy(expected, removal, sizeof(removal));
	expected[16] = IPVS_CMD_GET_SERVICE;
	assert_int_equal(ipvs_encode_get_mark(data, 0x1c, 1, AF_INET6, op.mark), sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
	expected[16] = IPVS_CMD_GET_DEST;
	expected[6] = NLM_F_REQUEST;
	expected[7] = NLM_F_DUMP >> 8;
	assert_int_equal(ipvs_encode_dump_mark(data, 0x1c, 1, AF_INET6, op.mark), sizeof(expected));
	assert_memory_equal(data, expected, sizeof(expected));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_is_read),
		cmocka_unit_test(a_destination_is_read),
		cmocka_unit_test(what_was_counted_is_read),
		cmocka_unit_test(firewall_marks_and_other_protocols_are_told_apart),
		cmocka_unit_test(a_service_of_a_mark_is_read),
		cmocka_unit_test(replies_cut_short_are_refused),
		cmocka_unit_test(an_answer_is_taken_apart),
		cmocka_unit_test(commands_are_bounded_and_aligned_and_carry_their_number),
		cmocka_unit_test(a_question_for_one_service_asks_for_its_end_as_well),
		cmocka_unit_test(a_new_destination_is_these_bytes),
		cmocka_unit_test(commands_for_a_mark_are_these_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
