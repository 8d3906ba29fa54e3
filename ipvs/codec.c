/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ipvs/codec.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define HEADER_LEN (NLMSG_HDRLEN + GENL_HDRLEN)

/* --- writing --- */

static uint8_t *put(uint8_t *p, uint16_t type, const void *data, size_t len)
{
	const struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };

	memcpy(p, &a, sizeof(a));
	memcpy(p + NLA_HDRLEN, data, len);
	if (len & 3)
		memset(p + NLA_HDRLEN + len, 0, 4 - (len & 3));
	return p + NLA_ALIGN(NLA_HDRLEN + len);
}

static uint8_t *put_u8(uint8_t *p, uint16_t type, uint8_t v)
{
	return put(p, type, &v, sizeof(v));
}

static uint8_t *put_u16(uint8_t *p, uint16_t type, uint16_t v)
{
	return put(p, type, &v, sizeof(v));
}

static uint8_t *put_u32(uint8_t *p, uint16_t type, uint32_t v)
{
	return put(p, type, &v, sizeof(v));
}

/* The length of a nest is known at its end. */
static void end_nest(uint8_t *nest, uint16_t type, const uint8_t *end)
{
	const struct nlattr a = {
		.nla_len = (uint16_t)(end - nest),
		.nla_type = (uint16_t)(type | NLA_F_NESTED),
	};

	memcpy(nest, &a, sizeof(a));
}

static uint8_t *put_key(uint8_t *p, const struct endpoint *key)
{
	p = put_u16(p, IPVS_SVC_ATTR_AF, key->addr.family);
	p = put_u16(p, IPVS_SVC_ATTR_PROTOCOL, key->protocol);
	p = put(p, IPVS_SVC_ATTR_ADDR, key->addr.bytes, addr_len(&key->addr));
	return put_u16(p, IPVS_SVC_ATTR_PORT, htons(key->port));
}

/* By its mark, if that is not 0: then of the key the family counts. */
static uint8_t *put_key_or_mark(uint8_t *p, const struct endpoint *key, uint32_t mark)
{
	if (!mark)
		return put_key(p, key);
	p = put_u16(p, IPVS_SVC_ATTR_AF, key->addr.family);
	return put_u32(p, IPVS_SVC_ATTR_FWMARK, mark);
}

static uint8_t *put_service(uint8_t *p, const struct ipvs_op *op)
{
	/* All flags but "hashed", which is the kernel's own. */
	const struct ip_vs_flags flags = { .flags = op->flags, .mask = IPVS_FLAGS_ALL };
	uint8_t *nest = p;

	p = put_key_or_mark(p + NLA_HDRLEN, &op->key, op->mark);
	if (op->kind == IPVS_NEW_SERVICE || op->kind == IPVS_SET_SERVICE) {
		p = put(p, IPVS_SVC_ATTR_SCHED_NAME, op->scheduler,
			strnlen(op->scheduler, sizeof(op->scheduler) - 1) + 1);
		p = put(p, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
		p = put_u32(p, IPVS_SVC_ATTR_TIMEOUT, op->timeout);
		p = put_u32(p, IPVS_SVC_ATTR_NETMASK, op->netmask);
	}
	end_nest(nest, IPVS_CMD_ATTR_SERVICE, p);
	return p;
}

static uint8_t *put_dest(uint8_t *p, const struct ipvs_op *op)
{
	const struct ipvs_dest *d = &op->dest;
	uint8_t *nest = p;

	p = put(p + NLA_HDRLEN, IPVS_DEST_ATTR_ADDR, d->addr.bytes, addr_len(&d->addr));
	p = put_u16(p, IPVS_DEST_ATTR_PORT, htons(d->port));
	p = put_u16(p, IPVS_DEST_ATTR_ADDR_FAMILY, d->addr.family);
	if (op->kind != IPVS_DEL_DEST) {
		p = put_u32(p, IPVS_DEST_ATTR_FWD_METHOD, d->forward);
		p = put_u32(p, IPVS_DEST_ATTR_WEIGHT, d->weight);
		p = put_u32(p, IPVS_DEST_ATTR_U_THRESH, d->upper);
		p = put_u32(p, IPVS_DEST_ATTR_L_THRESH, d->lower);
	}
	if (op->kind != IPVS_DEL_DEST && d->forward == IPVS_TUNNEL) {
		p = put_u8(p, IPVS_DEST_ATTR_TUN_TYPE, d->tunnel);
		p = put_u16(p, IPVS_DEST_ATTR_TUN_PORT, htons(d->tunnel_port));
	}
	end_nest(nest, IPVS_CMD_ATTR_DEST, p);
	return p;
}

static size_t put_header(uint8_t *out, const uint8_t *end, uint16_t genl, uint32_t seq,
			 uint16_t flags, uint8_t command)
{
	const struct nlmsghdr h = {
		.nlmsg_len = (uint32_t)(end - out),
		.nlmsg_type = genl,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
		.nlmsg_seq = seq,
	};
	const struct genlmsghdr g = { .cmd = command, .version = IPVS_GENL_VERSION };

	memcpy(out, &h, sizeof(h));
	memcpy(out + NLMSG_HDRLEN, &g, sizeof(g));
	assert(h.nlmsg_len <= IPVS_MESSAGE_SIZE);
	return h.nlmsg_len;
}

size_t ipvs_encode_op(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq, bool ack,
		      const struct ipvs_op *op)
{
	static const uint8_t commands[] = {
		[IPVS_NEW_SERVICE] = IPVS_CMD_NEW_SERVICE,
		[IPVS_SET_SERVICE] = IPVS_CMD_SET_SERVICE,
		[IPVS_DEL_SERVICE] = IPVS_CMD_DEL_SERVICE,
		[IPVS_NEW_DEST] = IPVS_CMD_NEW_DEST,
		[IPVS_SET_DEST] = IPVS_CMD_SET_DEST,
		[IPVS_DEL_DEST] = IPVS_CMD_DEL_DEST,
	};
	uint8_t *p = put_service(out + HEADER_LEN, op);

	if (op->kind >= IPVS_NEW_DEST)
		p = put_dest(p, op);
	return put_header(out, p, genl, seq, ack ? NLM_F_ACK : 0, commands[op->kind]);
}

/* The service that is asked for, alone. */
static uint8_t *put_asked(uint8_t *out, const struct endpoint *key, uint32_t mark)
{
	uint8_t *nest = out + HEADER_LEN;
	uint8_t *p = put_key_or_mark(nest + NLA_HDRLEN, key, mark);

	end_nest(nest, IPVS_CMD_ATTR_SERVICE, p);
	return p;
}

size_t ipvs_encode_dump(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			const struct endpoint *key)
{
	return put_header(out, key ? put_asked(out, key, 0) : out + HEADER_LEN, genl, seq,
			  NLM_F_DUMP, key ? IPVS_CMD_GET_DEST : IPVS_CMD_GET_SERVICE);
}

size_t ipvs_encode_get(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
		       const struct endpoint *key)
{
	return put_header(out, put_asked(out, key, 0), genl, seq, NLM_F_ACK, IPVS_CMD_GET_SERVICE);
}

size_t ipvs_encode_dump_mark(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			     uint8_t family, uint32_t mark)
{
	const struct endpoint key = { .addr.family = family };

	return put_header(out, put_asked(out, &key, mark), genl, seq, NLM_F_DUMP,
			  IPVS_CMD_GET_DEST);
}

size_t ipvs_encode_get_mark(uint8_t out[static IPVS_MESSAGE_SIZE], uint16_t genl, uint32_t seq,
			    uint8_t family, uint32_t mark)
{
	const struct endpoint key = { .addr.family = family };

	return put_header(out, put_asked(out, &key, mark), genl, seq, NLM_F_ACK,
			  IPVS_CMD_GET_SERVICE);
}

/* --- reading --- */

static int read_end(const uint8_t *at, size_t len, struct ipvs_reply *r)
{
	int32_t error;

	/* An acknowledgement goes on with the request's header, and DONE may with more. */
	if (len < sizeof(error))
		return -EBADMSG;
	memcpy(&error, at, sizeof(error));
	if (error > 0 || error < -4095)
		return -EBADMSG;
	r->error = error;
	return 1;
}

int ipvs_reply_next(const uint8_t **at, size_t *left, struct ipvs_reply *out)
{
	struct ipvs_reply r = { 0 };
	struct nlmsghdr h;
	size_t step;
	int ret = 1;

	if (*left == 0)
		return 0;
	if (*left < NLMSG_HDRLEN)
		return -EBADMSG;
	memcpy(&h, *at, sizeof(h));
	if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > *left)
		return -EBADMSG;
	r.seq = h.nlmsg_seq;
	if (h.nlmsg_type == NLMSG_ERROR || h.nlmsg_type == NLMSG_DONE) {
		r.kind = h.nlmsg_type == NLMSG_ERROR ? IPVS_REPLY_ACK : IPVS_REPLY_DONE;
		ret = read_end(*at + NLMSG_HDRLEN, h.nlmsg_len - NLMSG_HDRLEN, &r);
	} else if (h.nlmsg_type >= NLMSG_MIN_TYPE && h.nlmsg_len >= HEADER_LEN) {
		r.kind = IPVS_REPLY_DATA;
		r.at = *at + HEADER_LEN;
		r.len = h.nlmsg_len - HEADER_LEN;
	} else {
		ret = -EBADMSG;
	}
	if (ret < 0)
		return ret;
	step = NLMSG_ALIGN(h.nlmsg_len);
	if (step > *left)
		step = *left;
	*at += step;
	*left -= step;
	*out = r;
	return 1;
}

#define ATTRIBUTES_MAX 16 /* IPVS_SVC_ATTR_MAX is 11, IPVS_DEST_ATTR_MAX 15 */

/* Attributes by type; types that are too new are passed over, of two of a type the last counts. */
struct attributes {
	const uint8_t *at[ATTRIBUTES_MAX];
	size_t len[ATTRIBUTES_MAX];
	bool bad; /* one that was asked for is missing or too short */
};

static int split(const uint8_t *p, size_t left, struct attributes *out)
{
	memset(out, 0, sizeof(*out));
	while (left) {
		struct nlattr a;
		size_t type, step;

		if (left < NLA_HDRLEN)
			return -EBADMSG;
		memcpy(&a, p, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > left)
			return -EBADMSG;
		type = a.nla_type & NLA_TYPE_MASK;
		if (type < ATTRIBUTES_MAX) {
			out->at[type] = p + NLA_HDRLEN;
			out->len[type] = a.nla_len - NLA_HDRLEN;
		}
		step = NLA_ALIGN((size_t)a.nla_len);
		if (step > left)
			step = left;
		p += step;
		left -= step;
	}
	return 0;
}

/* The nest that a reply is. */
static int split_nest(const struct ipvs_reply *r, unsigned type, struct attributes *out)
{
	struct attributes outer;

	if (r->kind != IPVS_REPLY_DATA || split(r->at, r->len, &outer) < 0 || !outer.at[type])
		return -EBADMSG;
	return split(outer.at[type], outer.len[type], out);
}

static void get(struct attributes *a, unsigned type, void *out, size_t len)
{
	if (!a->at[type] || a->len[type] < len)
		a->bad = true;
	else
		memcpy(out, a->at[type], len);
}

static uint32_t get_u32(struct attributes *a, unsigned type)
{
	uint32_t v = 0;

	get(a, type, &v, sizeof(v));
	return v;
}

static uint16_t get_u16(struct attributes *a, unsigned type)
{
	uint16_t v = 0;

	get(a, type, &v, sizeof(v));
	return v;
}

static struct addr get_addr(struct attributes *a, unsigned type, uint16_t family)
{
	struct addr addr = { .family = (uint8_t)family };

	if (family != AF_INET && family != AF_INET6) {
		a->bad = true;
		return addr;
	}
	get(a, type, addr.bytes, addr_len(&addr));
	return addr;
}

/* What it is by, key or mark, is read by the caller, who looks at a->bad then. */
static void get_service(struct attributes *a, struct ipvs_service *out)
{
	size_t len = a->len[IPVS_SVC_ATTR_SCHED_NAME];
	struct ip_vs_flags flags = { 0 };

	get(a, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
	out->flags = flags.flags & IPVS_FLAGS_ALL;
	out->timeout = get_u32(a, IPVS_SVC_ATTR_TIMEOUT);
	out->netmask = get_u32(a, IPVS_SVC_ATTR_NETMASK);
	get(a, IPVS_SVC_ATTR_SCHED_NAME, out->scheduler,
	    len < sizeof(out->scheduler) ? len : sizeof(out->scheduler) - 1);
}

int ipvs_decode_service(const struct ipvs_reply *r, struct ipvs_service *out)
{
	struct ipvs_service s = { 0 };
	struct attributes a;
	uint16_t family, protocol;

	if (split_nest(r, IPVS_CMD_ATTR_SERVICE, &a) < 0)
		return -EBADMSG;
	if (a.at[IPVS_SVC_ATTR_FWMARK])
		return -EOPNOTSUPP;
	family = get_u16(&a, IPVS_SVC_ATTR_AF);
	protocol = get_u16(&a, IPVS_SVC_ATTR_PROTOCOL);
	s.key.addr = get_addr(&a, IPVS_SVC_ATTR_ADDR, family);
	s.key.port = ntohs(get_u16(&a, IPVS_SVC_ATTR_PORT));
	get_service(&a, &s);
	if (a.bad)
		return -EBADMSG;
	if (protocol > UINT8_MAX || !protocol_is_served((uint8_t)protocol))
		return -EOPNOTSUPP;
	s.key.protocol = (uint8_t)protocol;
	*out = s;
	return 0;
}

int ipvs_decode_marked_service(const struct ipvs_reply *r, struct ipvs_service *out,
			       uint32_t *out_mark)
{
	struct ipvs_service s = { 0 };
	struct attributes a;
	uint16_t family;
	uint32_t mark;

	if (split_nest(r, IPVS_CMD_ATTR_SERVICE, &a) < 0)
		return -EBADMSG;
	if (!a.at[IPVS_SVC_ATTR_FWMARK])
		return -EOPNOTSUPP;
	mark = get_u32(&a, IPVS_SVC_ATTR_FWMARK);
	family = get_u16(&a, IPVS_SVC_ATTR_AF);
	get_service(&a, &s);
	if (a.bad || (family != AF_INET && family != AF_INET6))
		return -EBADMSG;
	s.key.addr.family = (uint8_t)family;
	*out = s;
	*out_mark = mark;
	return 0;
}

int ipvs_decode_dest(const struct ipvs_reply *r, uint8_t family, struct ipvs_dest *out,
		     uint64_t *out_connections)
{
	struct ipvs_dest d = { 0 };
	struct attributes a;
	uint64_t connections;

	if (split_nest(r, IPVS_CMD_ATTR_DEST, &a) < 0)
		return -EBADMSG;
	if (a.at[IPVS_DEST_ATTR_ADDR_FAMILY])
		family = (uint8_t)get_u16(&a, IPVS_DEST_ATTR_ADDR_FAMILY);
	d.addr = get_addr(&a, IPVS_DEST_ATTR_ADDR, family);
	d.port = ntohs(get_u16(&a, IPVS_DEST_ATTR_PORT));
	d.forward = get_u32(&a, IPVS_DEST_ATTR_FWD_METHOD) & IP_VS_CONN_F_FWD_MASK;
	d.weight = get_u32(&a, IPVS_DEST_ATTR_WEIGHT);
	d.upper = get_u32(&a, IPVS_DEST_ATTR_U_THRESH);
	d.lower = get_u32(&a, IPVS_DEST_ATTR_L_THRESH);
	if (d.forward == IPVS_TUNNEL && a.at[IPVS_DEST_ATTR_TUN_TYPE]) {
		get(&a, IPVS_DEST_ATTR_TUN_TYPE, &d.tunnel, sizeof(d.tunnel));
		d.tunnel_port = ntohs(get_u16(&a, IPVS_DEST_ATTR_TUN_PORT));
	}
	connections = (uint64_t)get_u32(&a, IPVS_DEST_ATTR_ACTIVE_CONNS) +
		      get_u32(&a, IPVS_DEST_ATTR_INACT_CONNS) +
		      get_u32(&a, IPVS_DEST_ATTR_PERSIST_CONNS);
	if (a.bad)
		return -EBADMSG;
	*out = d;
	*out_connections = connections;
	return 0;
}

/* Kernels before 4.1 have counters of 32 bits alone; nobody runs us on those. */
static int get_counters(const struct attributes *outer, unsigned type, struct ipvs_counters *out)
{
	struct attributes a;

	if (!outer->at[type] || split(outer->at[type], outer->len[type], &a) < 0)
		return -EBADMSG;
	get(&a, IPVS_STATS_ATTR_CONNS, &out->connections, sizeof(uint64_t));
	get(&a, IPVS_STATS_ATTR_INPKTS, &out->packets_in, sizeof(uint64_t));
	get(&a, IPVS_STATS_ATTR_OUTPKTS, &out->packets_out, sizeof(uint64_t));
	get(&a, IPVS_STATS_ATTR_INBYTES, &out->bytes_in, sizeof(uint64_t));
	get(&a, IPVS_STATS_ATTR_OUTBYTES, &out->bytes_out, sizeof(uint64_t));
	return a.bad ? -EBADMSG : 0;
}

int ipvs_decode_service_stats(const struct ipvs_reply *r, struct ipvs_counters *out)
{
	struct ipvs_counters c = { 0 };
	struct attributes a;

	if (split_nest(r, IPVS_CMD_ATTR_SERVICE, &a) < 0 ||
	    get_counters(&a, IPVS_SVC_ATTR_STATS64, &c) < 0)
		return -EBADMSG;
	*out = c;
	return 0;
}

int ipvs_decode_dest_stats(const struct ipvs_reply *r, uint8_t family, struct ipvs_dest_stats *out)
{
	struct ipvs_dest_stats d = { 0 };
	struct ipvs_dest dest;
	struct attributes a;
	uint64_t connections;

	if (ipvs_decode_dest(r, family, &dest, &connections) < 0 ||
	    split_nest(r, IPVS_CMD_ATTR_DEST, &a) < 0 ||
	    get_counters(&a, IPVS_DEST_ATTR_STATS64, &d.counters) < 0)
		return -EBADMSG;
	d.addr = dest.addr;
	d.port = dest.port;
	d.weight = dest.weight;
	d.active = get_u32(&a, IPVS_DEST_ATTR_ACTIVE_CONNS);
	d.inactive = get_u32(&a, IPVS_DEST_ATTR_INACT_CONNS);
	d.templates = get_u32(&a, IPVS_DEST_ATTR_PERSIST_CONNS);
	*out = d;
	return 0;
}
