/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP probe: one GET, on a connection of its own unless the check says otherwise.
 *
 * The answer is read to its end, so that the server has said all it had to say.
 * Then the connection is kept, or ends by RST, whether the server has closed or not:
 * no end of it keeps a TIME_WAIT, a firewall that tracks it forgets it after 10 s and
 * not 120 (nf_conntrack_tcp_timeout_close, _time_wait), and we do a quarter less.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "agent/base/xalloc.h"
#include "healthcheck/http_reply.h"
#include "healthcheck/probe.h"

#define READ_SIZE  4096
#define HTTP_PORT  80
#define HTTPS_PORT 443
/* Once: mostly all of it comes together, and what it told of after that would be for nobody, or for
 * who only keeps it. */
#define ANSWER (EPOLLIN | EPOLLONESHOT)

static void host_of(const struct check *c, const struct endpoint *to, char *out, size_t size)
{
	char text[ENDPOINT_TEXT_MAX];

	if (c->host)
		snprintf(out, size, "%s", c->host);
	else if (to->port != (c->type == CHECK_HTTPS ? HTTPS_PORT : HTTP_PORT))
		snprintf(out, size, "%s", endpoint_text(to, text));
	else if (to->addr.family == AF_INET6)
		snprintf(out, size, "[%s]", addr_text(&to->addr, text));
	else
		snprintf(out, size, "%s", addr_text(&to->addr, text));
}

size_t hc_http_request(const struct check *c, const struct endpoint *to, bool closes, char *out,
		       size_t size)
{
	char host[CHECK_HOST_MAX + 1];
	int n;

	host_of(c, to, host, sizeof(host));
	n = snprintf(out, size,
		     "GET %s HTTP/1.1\r\n"
		     "Host: %s\r\n"
		     "User-Agent: parasaus-probe/" PARASAUS_VERSION "\r\n"
		     "Accept: */*\r\n"
		     "%s"
		     "\r\n",
		     c->path, host, closes ? "Connection: close\r\n" : "");
	return (size_t)n < size ? (size_t)n : size - 1;
}

/* True: that failed, *out says why. */
static bool wait_for(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		     struct hc_outcome *out)
{
	int r = io->wait(io->arg, p->fd, token, events);

	if (r < 0)
		*out = hc_outcome_of_start(-r);
	return r < 0;
}

/* Asks; *out and true only if that failed. The request is small: it goes out in one piece
 * but for the strangest of peers, so it is made again rather than kept. */
static bool ask(struct hc_probe *p, const struct hc_io *io, uint64_t token, struct hc_outcome *out)
{
	char request[HC_HTTP_REQUEST_MAX];
	size_t len = hc_http_request(p->check, p->to, hc_probe_is_last(p), request,
				     sizeof(request));
	ssize_t n = io->send(io->arg, p->fd, request + p->sent, len - p->sent);

	if (n == -EAGAIN)
		n = 0;
	if (n < 0) {
		*out = hc_outcome_of_connection((int)-n);
		return true;
	}
	p->sent += (uint32_t)n;
	if (p->sent < len)
		return wait_for(p, io, token, EPOLLOUT, out);
	p->reply = xmalloc(sizeof(*p->reply));
	hc_http_reply_init(p->reply, p->check);
	return wait_for(p, io, token, ANSWER, out);
}

static bool hear(struct hc_probe *p, const struct hc_io *io, uint64_t token, struct hc_outcome *out)
{
	char data[READ_SIZE];
	ssize_t n;

	/* Bounded: the reply is done after HC_HTTP_TOTAL_MAX. */
	do {
		n = io->recv(io->arg, p->fd, data, sizeof(data));
		if (n == -EAGAIN)
			return wait_for(p, io, token, ANSWER, out);
		if (n < 0) {
			*out = hc_outcome_of_connection((int)-n);
			return true;
		}
		if (n == 0)
			hc_http_reply_closed(p->reply);
	} while (n > 0 && !hc_http_reply_feed(p->reply, data, (size_t)n));
	*out = p->reply->outcome;
	return true;
}

bool hc_http_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		   struct hc_outcome *out)
{
	int error;

	if (p->reply)
		return hear(p, io, token, out);
	if (events & (EPOLLERR | EPOLLHUP)) {
		error = io->error(io->arg, p->fd);
		*out = hc_outcome_of_connection(error ? error : ECONNRESET);
		return true;
	}
	return events & EPOLLOUT ? ask(p, io, token, out) : false;
}

static bool keep(struct hc_probe *p, const struct hc_io *io)
{
	(void)io; /* it told, and is to tell no more before it is asked to */
	if (!p->reply || !hc_http_reply_persists(p->reply))
		return false;
	free(p->reply);
	p->reply = NULL;
	p->sent = 0;
	return true;
}

static bool has_answer(const struct hc_probe *p)
{
	return p->reply && p->reply->total > 0;
}

const struct hc_reuse hc_http_reuse = { .keep = keep, .ask = ask, .has_answer = has_answer };
