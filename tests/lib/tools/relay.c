/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections of one network namespace carried to an address that another
 * one reaches, unchanged and at once: for measuring, where faultproxy would
 * take a part of the time.
 *
 *   relay NETNS-PATH LISTEN-ADDRESS:PORT TO-ADDRESS:PORT
 *
 * Prints "listening" once it does; on SIGTERM, and never before, it ends.
 * A process for each connection; IPv4 only.
 */
#include <arpa/inet.h>
#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		errx(2, "%s is not ADDRESS:PORT", text);
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &in.sin_addr) != 1)
		errx(2, "%s is not ADDRESS:PORT", text);
	in.sin_port = htons((uint16_t)atoi(colon + 1));
	return in;
}

static void enter(int netns)
{
	if (netns < 0 || setns(netns, CLONE_NEWNET))
		err(1, "cannot enter the network namespace");
}

static int listen_at(const struct sockaddr_in *in)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)in, sizeof(*in)) || listen(fd, 64))
		err(1, "cannot listen");
	return fd;
}

/* What is there now; false at the end. */
static bool pump(int from, int to)
{
	char data[65536];
	ssize_t n = recv(from, data, sizeof(data), 0);

	for (ssize_t done = 0, m; done < n; done += m) {
		m = send(to, data + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (m < 0)
			return false;
	}
	return n > 0;
}

static void carry(int here, const struct sockaddr_in *to)
{
	struct pollfd p[2] = { { .fd = here, .events = POLLIN }, { .events = POLLIN } };
	int on = 1;

	p[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p[1].fd < 0 || connect(p[1].fd, (const struct sockaddr *)to, sizeof(*to)))
		err(1, "cannot connect");
	for (int i = 0; i < 2; i++)
		setsockopt(p[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	/* Either end gone ends both: nobody here half-closes. */
	while (poll(p, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			if (p[i].revents && !pump(p[i].fd, p[1 - i].fd))
				return;
		}
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at, to;
	int home, listener, fd;

	if (argc != 4) {
		fputs("usage: relay NETNS-PATH LISTEN-ADDRESS:PORT TO-ADDRESS:PORT\n", stderr);
		return 2;
	}
	at = address_of(argv[2]);
	to = address_of(argv[3]);
	home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	enter(open(argv[1], O_RDONLY | O_CLOEXEC));
	listener = listen_at(&at);
	enter(home);
	signal(SIGCHLD, SIG_IGN);
	puts("listening");
	fflush(stdout);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(listener);
			carry(fd, &to);
			_exit(0);
		}
		close(fd);
	}
	err(1, "accept");
}
