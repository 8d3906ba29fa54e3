/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor for writing a table to IPVS: nothing but the commands, many to a
 * sendmsg, one acknowledgement asked of each batch.
 *
 *   floor SERVICES DESTS SCHEDULER [VIP]
 *
 * Writes SERVICES services VIP:30000.. with DESTS destinations each and prints
 * the seconds that took, first write to last acknowledgement. Run it in a
 * fresh network namespace with lo up: destinations deleted earlier make new
 * ones slow, and with lo down each is refused. Exits 1 if a command failed.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX   (128 * 1024)
#define MESSAGE_MAX 512
#define ANSWER_MAX  65536
#define FIRST_PORT  30000
#define ROOM	    (4 << 20)

struct writer {
	int fd;
	uint16_t family;
	uint32_t seq;
	size_t len;
	struct nlmsghdr *last;
	unsigned errors;
	struct in_addr vip;
	const char *scheduler;
	uint8_t batch[BATCH_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct nlattr *put(struct nlmsghdr *h, uint16_t type, const void *data, size_t len)
{
	struct nlattr *a = (struct nlattr *)((uint8_t *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->nla_type = type;
	a->nla_len = (uint16_t)(NLA_HDRLEN + len);
	if (len)
		memcpy((uint8_t *)a + NLA_HDRLEN, data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + (uint32_t)NLA_ALIGN(a->nla_len);
	return a;
}

static void put_u16(struct nlmsghdr *h, uint16_t type, uint16_t v)
{
	put(h, type, &v, sizeof(v));
}

static void put_u32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	put(h, type, &v, sizeof(v));
}

static void put_addr(struct nlmsghdr *h, uint16_t type, struct in_addr addr)
{
	uint8_t bytes[16] = { 0 };

	memcpy(bytes, &addr, sizeof(addr));
	put(h, type, bytes, sizeof(bytes));
}

static void nest_end(struct nlmsghdr *h, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((uint8_t *)h + h->nlmsg_len - (uint8_t *)nest);
}

static void send_batch(struct writer *w)
{
	static uint8_t answer[ANSWER_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t last;
	int done = 0;

	if (!w->len)
		return;
	w->last->nlmsg_flags |= NLM_F_ACK;
	last = w->last->nlmsg_seq;
	if (send(w->fd, w->batch, w->len, 0) < 0)
		err(1, "send");
	while (!done) {
		ssize_t n = recv(w->fd, answer, sizeof(answer), 0);
		const struct nlmsghdr *h = (const void *)answer;

		if (n < 0)
			err(1, "recv");
		for (size_t left = (size_t)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			w->errors += h->nlmsg_type == NLMSG_ERROR && e->error;
			done |= h->nlmsg_seq == last;
		}
	}
	w->len = 0;
}

static struct nlmsghdr *message_begin(struct writer *w, uint8_t command)
{
	const struct genlmsghdr g = { .cmd = command, .version = 1 };
	struct nlmsghdr *h;

	if (w->len + MESSAGE_MAX > BATCH_MAX)
		send_batch(w);
	h = (struct nlmsghdr *)(w->batch + w->len);
	*h = (struct nlmsghdr){
		.nlmsg_type = w->family,
		.nlmsg_flags = NLM_F_REQUEST,
		.nlmsg_seq = ++w->seq,
		.nlmsg_len = NLMSG_LENGTH(sizeof(g)),
	};
	memcpy(NLMSG_DATA(h), &g, sizeof(g));
	return h;
}

static void message_end(struct writer *w, struct nlmsghdr *h)
{
	w->len += NLMSG_ALIGN(h->nlmsg_len);
	w->last = h;
}

static void put_service(struct writer *w, struct nlmsghdr *h, unsigned i, int whole)
{
	const struct ip_vs_flags flags = { .flags = 0, .mask = UINT32_MAX };
	struct nlattr *nest = put(h, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED, NULL, 0);

	put_u16(h, IPVS_SVC_ATTR_AF, AF_INET);
	put_u16(h, IPVS_SVC_ATTR_PROTOCOL, IPPROTO_TCP);
	put_addr(h, IPVS_SVC_ATTR_ADDR, w->vip);
	put_u16(h, IPVS_SVC_ATTR_PORT, htons((uint16_t)(FIRST_PORT + i)));
	if (whole) {
		put(h, IPVS_SVC_ATTR_SCHED_NAME, w->scheduler, strlen(w->scheduler) + 1);
		put(h, IPVS_SVC_ATTR_FLAGS, &flags, sizeof(flags));
		put_u32(h, IPVS_SVC_ATTR_TIMEOUT, 0);
		put_u32(h, IPVS_SVC_ATTR_NETMASK, UINT32_MAX);
	}
	nest_end(h, nest);
}

static void new_service(struct writer *w, unsigned i)
{
	struct nlmsghdr *h = message_begin(w, IPVS_CMD_NEW_SERVICE);

	put_service(w, h, i, 1);
	message_end(w, h);
}

/* The members of service i, as tests/bench/pools.c has them. */
static void new_dest(struct writer *w, unsigned i, unsigned k, unsigned dests)
{
	const struct in_addr addr = { htonl(0x0a640000 + (i * dests + k) % 60000 + 1) };
	struct nlmsghdr *h = message_begin(w, IPVS_CMD_NEW_DEST);
	struct nlattr *nest;

	put_service(w, h, i, 0);
	nest = put(h, IPVS_CMD_ATTR_DEST | NLA_F_NESTED, NULL, 0);
	put_addr(h, IPVS_DEST_ATTR_ADDR, addr);
	put_u16(h, IPVS_DEST_ATTR_PORT, htons(8080));
	put_u16(h, IPVS_DEST_ATTR_ADDR_FAMILY, AF_INET);
	put_u32(h, IPVS_DEST_ATTR_FWD_METHOD, IP_VS_CONN_F_MASQ);
	put_u32(h, IPVS_DEST_ATTR_WEIGHT, 1);
	put_u32(h, IPVS_DEST_ATTR_U_THRESH, 0);
	put_u32(h, IPVS_DEST_ATTR_L_THRESH, 0);
	nest_end(h, nest);
	message_end(w, h);
}

static void writer_open(struct writer *w)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nl_sock *s = nl_socket_alloc();
	int room = ROOM, one = 1, family;

	if (!s || genl_connect(s) < 0)
		errx(1, "generic netlink");
	family = genl_ctrl_resolve(s, IPVS_GENL_NAME);
	nl_socket_free(s);
	if (family < 0)
		errx(1, "no IPVS in this kernel");
	w->family = (uint16_t)family;
	w->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (w->fd < 0 || connect(w->fd, (const struct sockaddr *)&kernel, sizeof(kernel)) ||
	    setsockopt(w->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(w->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(w->fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)))
		err(1, "netlink");
}

int main(int argc, char **argv)
{
	static struct writer w;
	unsigned services, dests;
	double begin;

	if (argc < 4 || argc > 5) {
		fputs("usage: floor SERVICES DESTS SCHEDULER [VIP]\n", stderr);
		return 2;
	}
	services = (unsigned)atoi(argv[1]);
	dests = (unsigned)atoi(argv[2]);
	w.scheduler = argv[3];
	if (inet_pton(AF_INET, argc > 4 ? argv[4] : "192.0.2.10", &w.vip) != 1)
		errx(2, "%s: not an IPv4 address", argv[4]);
	writer_open(&w);
	begin = now();
	for (unsigned i = 0; i < services; i++) {
		new_service(&w, i);
		for (unsigned k = 0; k < dests; k++)
			new_dest(&w, i, k, dests);
	}
	send_batch(&w);
	printf("%.3f\n", now() - begin);
	if (w.errors)
		warnx("%u commands failed", w.errors);
	return w.errors > 0;
}
