/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which server does a load balancer send each client address to?
 *
 *   mapclient FIRST COUNT ADDRESS:PORT
 *
 * Asks once from each of COUNT IPv4 addresses from FIRST on, which must be
 * local here, and prints "CLIENT SERVER" for each: the first line of what the
 * server answered, or "failed". 64 at a time; 10 seconds each. Exits 0 if none
 * failed, else 1.
 */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_A_TIME  64
#define WAIT_MS	   10000
#define ANSWER_MAX 1024

struct client {
	struct in_addr from;
	int fd; /* -1: not begun, or over */
	bool asked;
	size_t len;
	char answer[ANSWER_MAX];
};

static struct sockaddr_in server;

static void begin(struct client *c, uint32_t address)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };

	*c = (struct client){ .from = from.sin_addr };
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		err(2, "socket");
	if (bind(c->fd, (const struct sockaddr *)&from, sizeof(from)) < 0)
		err(2, "bind %s", inet_ntoa(c->from));
	(void)!connect(c->fd, (const struct sockaddr *)&server, sizeof(server));
}

static void end(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

static void go_on(struct client *c)
{
	static const char question[] = "GET / HTTP/1.0\r\n\r\n";
	ssize_t n;

	if (!c->asked) {
		c->asked = true;
		if (send(c->fd, question, sizeof(question) - 1, MSG_NOSIGNAL) < 0)
			end(c);
		return;
	}
	n = recv(c->fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len, 0);
	if (n > 0)
		c->len += (size_t)n;
	if (n <= 0 || c->len == sizeof(c->answer) - 1)
		end(c);
}

/* Until all are over, or none has anything to say. */
static void run(struct client *all, nfds_t count)
{
	struct pollfd fds[AT_A_TIME];

	for (;;) {
		bool any = false;

		for (nfds_t i = 0; i < count; i++) {
			fds[i] = (struct pollfd){ .fd = all[i].fd,
						  .events = all[i].asked ? POLLIN : POLLOUT };
			any |= all[i].fd >= 0;
		}
		if (!any || poll(fds, count, WAIT_MS) <= 0)
			break;
		for (nfds_t i = 0; i < count; i++) {
			if (fds[i].revents)
				go_on(&all[i]);
		}
	}
}

/* False: it got no answer. */
static bool print(struct client *c)
{
	char *body;

	if (c->fd >= 0)
		end(c);
	c->answer[c->len] = '\0';
	body = strstr(c->answer, "\r\n\r\n");
	if (body && strstr(c->answer, " 200 ")) {
		body += 4;
		body[strcspn(body, "\r\n")] = '\0';
	} else {
		body = NULL;
	}
	printf("%s %s\n", inet_ntoa(c->from), body ? body : "failed");
	return body != NULL;
}

int main(int argc, char **argv)
{
	static struct client all[AT_A_TIME];
	struct in_addr first;
	uint32_t count;
	bool good = true;
	char *port;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &first) != 1 || !(port = strchr(argv[3], ':')))
		errx(2, "usage: mapclient FIRST COUNT ADDRESS:PORT");
	*port++ = '\0';
	server.sin_family = AF_INET;
	server.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, argv[3], &server.sin_addr) != 1)
		errx(2, "%s: not an IPv4 address", argv[3]);
	count = (uint32_t)strtoul(argv[2], NULL, 10);
	for (uint32_t done = 0; done < count;) {
		uint32_t n = count - done < AT_A_TIME ? count - done : AT_A_TIME;

		for (uint32_t i = 0; i < n; i++)
			begin(&all[i], ntohl(first.s_addr) + done + i);
		run(all, n);
		for (uint32_t i = 0; i < n; i++)
			good &= print(&all[i]);
		done += n;
	}
	return !good;
}
