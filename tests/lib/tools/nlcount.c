/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts what is written to IPVS in this network namespace, whoever writes it:
 * the commands on their way to the kernel, read from an nlmon device.
 *
 *   ip link add nlmon0 type nlmon && ip link set nlmon0 up
 *   nlcount nlmon0 FILE
 *
 * FILE holds one line, "TOTAL new-service=N set-dest=N ...", written by rename
 * on every change and on SIGUSR1; commands that read are not counted. The
 * number is of commands, however many share a packet, refused ones too. When
 * it has said "counting" on standard output it misses nothing. If the kernel
 * dropped a packet for want of room the line begins with "lost".
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/genetlink.h>
#include <linux/if_packet.h>
#include <linux/ip_vs.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_MAX  (1 << 20)
#define RECEIVE_MAX (64 << 20)

static const char *const write_names[IPVS_CMD_MAX + 1] = {
	[IPVS_CMD_NEW_SERVICE] = "new-service",
	[IPVS_CMD_SET_SERVICE] = "set-service",
	[IPVS_CMD_DEL_SERVICE] = "del-service",
	[IPVS_CMD_NEW_DEST] = "new-dest",
	[IPVS_CMD_SET_DEST] = "set-dest",
	[IPVS_CMD_DEL_DEST] = "del-dest",
	[IPVS_CMD_NEW_DAEMON] = "new-daemon",
	[IPVS_CMD_DEL_DAEMON] = "del-daemon",
	[IPVS_CMD_SET_CONFIG] = "set-config",
	[IPVS_CMD_SET_INFO] = "set-info",
	[IPVS_CMD_ZERO] = "zero",
	[IPVS_CMD_FLUSH] = "flush",
};

struct counter {
	const char *file;
	uint16_t family;
	uint64_t total, by_command[IPVS_CMD_MAX + 1];
	bool lost;
	int packets, signals;
};

static uint16_t ipvs_family(void)
{
	struct nl_sock *s = nl_socket_alloc();
	int family;

	if (!s || genl_connect(s) < 0)
		errx(2, "generic netlink");
	family = genl_ctrl_resolve(s, IPVS_GENL_NAME);
	nl_socket_free(s);
	if (family < 0)
		errx(2, "no IPVS in this kernel, or its module is not loaded");
	return (uint16_t)family;
}

static void report(const struct counter *c)
{
	char temporary[4096];
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", c->file);
	f = fopen(temporary, "we");
	if (!f)
		err(2, "%s", temporary);
	fprintf(f, "%s%" PRIu64, c->lost ? "lost " : "", c->total);
	for (int i = 0; i <= IPVS_CMD_MAX; i++) {
		if (c->by_command[i])
			fprintf(f, " %s=%" PRIu64, write_names[i], c->by_command[i]);
	}
	fputc('\n', f);
	if (fclose(f) || rename(temporary, c->file))
		err(2, "%s", c->file);
}

static void count(struct counter *c, const uint8_t *packet, size_t len)
{
	/* NLMSG_NEXT() drops a const. */
	struct nlmsghdr *h = (void *)(uintptr_t)packet;
	const struct genlmsghdr *g;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		/* Answers are of the same type, but no requests. */
		if (h->nlmsg_type != c->family || !(h->nlmsg_flags & NLM_F_REQUEST) ||
		    h->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
			continue;
		g = NLMSG_DATA(h);
		if (g->cmd > IPVS_CMD_MAX || !write_names[g->cmd])
			continue;
		c->by_command[g->cmd]++;
		c->total++;
	}
}

static void read_packets(struct counter *c)
{
	static uint8_t packet[PACKET_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);
	uint64_t before = c->total;
	ssize_t n;

	while ((n = recv(c->packets, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC)) >= 0) {
		if ((size_t)n > sizeof(packet))
			c->lost = true;
		else
			count(c, packet, (size_t)n);
	}
	if (errno != EAGAIN && errno != ENETDOWN)
		err(2, "recv");
	if (!getsockopt(c->packets, SOL_PACKET, PACKET_STATISTICS, &stats, &len) && stats.tp_drops)
		c->lost = true;
	if (c->total != before || c->lost)
		report(c);
}

static int packet_socket(const char *device)
{
	struct sockaddr_ll where = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int room = RECEIVE_MAX;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(2, "packet socket");
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		err(2, "SO_RCVBUFFORCE");
	where.sll_ifindex = (int)if_nametoindex(device);
	if (!where.sll_ifindex || bind(fd, (const struct sockaddr *)&where, sizeof(where)))
		err(2, "%s", device);
	return fd;
}

static int signals_open(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		err(2, "signalfd");
	return fd;
}

static void run(struct counter *c)
{
	struct pollfd fds[] = { { .fd = c->packets, .events = POLLIN },
				{ .fd = c->signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(2, "poll");
		read_packets(c);
		if (!fds[1].revents || read(c->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		report(c);
		if (info.ssi_signo != SIGUSR1)
			return;
	}
}

int main(int argc, char **argv)
{
	struct counter c = { 0 };

	if (argc != 3) {
		fputs("usage: nlcount DEVICE FILE\n", stderr);
		return 2;
	}
	c.file = argv[2];
	c.signals = signals_open();
	c.packets = packet_socket(argv[1]);
	c.family = ipvs_family();
	report(&c);
	puts("counting");
	fflush(stdout);
	run(&c);
	return 0;
}
