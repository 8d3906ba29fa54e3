/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: how long the kernel takes to be told of S services with D
 * destinations each by the shortest possible netlink loop. Nothing is
 * compared, kept or checked but the number of refusals.
 *
 * usage: rawload S D [SCHEDULER [BATCH]]
 *
 * Run it as root in a fresh network namespace with lo up: after a flush every
 * new destination is slow, and with lo down each is refused. "mh" is loaded
 * as "none" and set last, as parasausd does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
	int fd;
	uint16_t family;
	uint32_t seq;
	unsigned batch, count, refused;
	size_t len;
	uint8_t data[1 << 20];
} out;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void attribute(uint16_t type, const void *value, size_t len)
{
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type };

	memcpy(out.data + out.len, &a, sizeof(a));
	memset(out.data + out.len + NLA_HDRLEN, 0, NLA_ALIGN(len));
	memcpy(out.data + out.len + NLA_HDRLEN, value, len);
	out.len += NLA_HDRLEN + NLA_ALIGN(len);
}

static void u16(uint16_t type, uint16_t v)
{
	attribute(type, &v, sizeof(v));
}

static void u32(uint16_t type, uint32_t v)
{
	attribute(type, &v, sizeof(v));
}

static size_t begin(uint16_t type, uint16_t family_or_nest, uint8_t command)
{
	size_t at = out.len;

	if (command) {
		struct nlmsghdr h = { .nlmsg_type = family_or_nest,
				      .nlmsg_flags = NLM_F_REQUEST,
				      .nlmsg_seq = ++out.seq };
		struct genlmsghdr g = { .cmd = command, .version = 1 };

		memcpy(out.data + at, &h, sizeof(h));
		memcpy(out.data + at + NLMSG_HDRLEN, &g, sizeof(g));
		out.len += NLMSG_HDRLEN + GENL_HDRLEN;
	} else {
		attribute(type | NLA_F_NESTED, "", 0);
	}
	return at;
}

static void end_nest(size_t at)
{
	uint16_t len = (uint16_t)(out.len - at);

	memcpy(out.data + at, &len, sizeof(len));
}

static void wait_for_ack(void)
{
	static uint8_t in[65536];

	for (;;) {
		ssize_t n = recv(out.fd, in, sizeof(in), 0);
		struct nlmsghdr *h = (void *)in;

		if (n < 0)
			die("recv");
		for (; NLMSG_OK(h, (uint32_t)n); h = NLMSG_NEXT(h, n)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			out.refused += e->error != 0;
			if (h->nlmsg_seq == out.seq)
				return;
		}
	}
}

static void flush(void)
{
	if (out.count == 0)
		return;
	if (send(out.fd, out.data, out.len, 0) < 0)
		die("send");
	wait_for_ack();
	out.len = 0;
	out.count = 0;
}

static void end_message(size_t at)
{
	struct nlmsghdr h;

	memcpy(&h, out.data + at, sizeof(h));
	h.nlmsg_len = (uint32_t)(out.len - at);
	if (++out.count >= out.batch)
		h.nlmsg_flags |= NLM_F_ACK;
	memcpy(out.data + at, &h, sizeof(h));
	if (out.count >= out.batch)
		flush();
}

static void service(unsigned i, const char *scheduler)
{
	const struct ip_vs_flags flags = { 0, ~0U };
	uint32_t vip = htonl(0x0A600001 + i / 35000);
	size_t nest = begin(IPVS_CMD_ATTR_SERVICE, 0, 0);

	u16(IPVS_SVC_ATTR_AF, AF_INET);
	u16(IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
	attribute(IPVS_SVC_ATTR_ADDR, &vip, sizeof(vip));
	u16(IPVS_SVC_ATTR_PORT, htons((uint16_t)(30000 + i % 35000)));
	if (scheduler) {
		attribute(IPVS_SVC_ATTR_SCHED_NAME, scheduler, strlen(scheduler) + 1);
		attribute(IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
		u32(IPVS_SVC_ATTR_TIMEOUT, 0);
		u32(IPVS_SVC_ATTR_NETMASK, ~0U);
	}
	end_nest(nest);
}

static void destination(unsigned i, unsigned d)
{
	uint32_t address = htonl(0x0A640001 + (i * 7 + d) % 60000);
	size_t at = begin(0, out.family, IPVS_CMD_NEW_DEST), nest;

	service(i, NULL);
	nest = begin(IPVS_CMD_ATTR_DEST, 0, 0);
	attribute(IPVS_DEST_ATTR_ADDR, &address, sizeof(address));
	u16(IPVS_DEST_ATTR_PORT, htons((uint16_t)(8000 + d)));
	u16(IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
	u32(IPVS_DEST_ATTR_FWD_METHOD, 0);
	u32(IPVS_DEST_ATTR_WEIGHT, 1);
	u32(IPVS_DEST_ATTR_U_THRESH, 0);
	u32(IPVS_DEST_ATTR_L_THRESH, 0);
	end_nest(nest);
	end_message(at);
}

static void load(unsigned services, unsigned dests, const char *scheduler)
{
	int late = strcmp(scheduler, "mh") == 0;

	for (unsigned i = 0; i < services; i++) {
		size_t at = begin(0, out.family, IPVS_CMD_NEW_SERVICE);

		service(i, late ? "none" : scheduler);
		end_message(at);
		for (unsigned d = 0; d < dests; d++)
			destination(i, d);
		if (late) {
			at = begin(0, out.family, IPVS_CMD_SET_SERVICE);
			service(i, scheduler);
			end_message(at);
		}
	}
	/* A last command, so that the last batch ends with an acknowledgement too. */
	out.batch = 0;
	end_message(begin(0, out.family, IPVS_CMD_GET_INFO));
}

static void find_family(void)
{
	static uint8_t in[8192];
	size_t at = 0, n = NLMSG_HDRLEN + GENL_HDRLEN;
	ssize_t len;

	out.batch = ~0U;
	at = begin(0, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	attribute(CTRL_ATTR_FAMILY_NAME, IPVS_GENL_NAME, sizeof(IPVS_GENL_NAME));
	end_message(at);
	if (send(out.fd, out.data, out.len, 0) < 0)
		die("send");
	len = recv(out.fd, in, sizeof(in), 0);
	while (len > 0 && n + NLA_HDRLEN + 2 <= (size_t)len) {
		struct nlattr a;

		memcpy(&a, in + n, sizeof(a));
		if (a.nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&out.family, in + n + NLA_HDRLEN, sizeof(out.family));
		n += NLA_ALIGN(a.nla_len);
		if (a.nla_len == 0)
			break;
	}
	if (!out.family) {
		fprintf(stderr, "rawload: no IPVS in this kernel\n");
		exit(1);
	}
	out.len = 0;
	out.count = 0;
}

int main(int argc, char **argv)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	unsigned services, dests;
	const char *scheduler = argc > 3 ? argv[3] : "rr";
	int big = 4 << 20, one = 1;
	double start, took;

	if (argc < 3) {
		fprintf(stderr, "usage: rawload S D [SCHEDULER [BATCH]]\n");
		return 2;
	}
	services = (unsigned)atoi(argv[1]);
	dests = (unsigned)atoi(argv[2]);
	out.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (out.fd < 0 || connect(out.fd, (const void *)&kernel, sizeof(kernel)) < 0)
		die("netlink");
	(void)!setsockopt(out.fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
	(void)!setsockopt(out.fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	(void)!setsockopt(out.fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	find_family();
	out.batch = argc > 4 ? (unsigned)atoi(argv[4]) : 200;
	if (out.batch < 1 || out.batch > 4000)
		out.batch = 200;
	start = now();
	load(services, dests, scheduler);
	took = now() - start;
	printf("rawload %u x %u %s: %.3f s, %.0f commands/s, %u refused\n", services, dests,
	       scheduler, took, services * (dests + 1.0) / took, out.refused);
	return out.refused > 0;
}
