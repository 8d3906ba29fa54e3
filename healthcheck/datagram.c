/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "healthcheck/datagram.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/random.h>

/* It guards against what is made up: nobody is to guess it from others that he was shown. */
static uint16_t new_id(const struct hc_io *io)
{
	uint16_t id;

	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)io->random(io->arg);
	return id;
}

/* It is short, and so made again rather than kept. 0 or -errno. */
static int ask(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io)
{
	uint8_t question[HC_DATAGRAM_MAX];
	size_t len = d->ask(p->check, p->id, question);
	ssize_t n = io->send(io->arg, p->fd, question, len);

	return n < 0 ? (int)n : 0;
}

bool hc_datagram_start(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       struct hc_outcome *out)
{
	int r;

	p->id = new_id(io);
	r = ask(p, d, io);
	if (r < 0)
		*out = hc_outcome_of_start(-r);
	return r < 0;
}

/* What the network told of what was sent. */
static bool fail(struct hc_outcome *out, int error)
{
	if (error == EACCES) /* ICMPv6: prohibited by a filter on the way */
		*out = (struct hc_outcome){ HC_REASON_UNREACHABLE, error };
	else
		*out = hc_outcome_of_connection(error);
	return true;
}

static bool hear(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		 struct hc_outcome *out)
{
	uint8_t data[HC_DATAGRAM_LOOK];
	int error = 0;

	/* Bounded: each is the answer, or one of the others. */
	for (;;) {
		ssize_t n = io->recv(io->arg, p->fd, data, sizeof(data));

		/* It is told of before what is here, and once: an answer that is here holds. */
		if (n < 0 && n != -EAGAIN && !error) {
			error = (int)-n;
			continue;
		}
		if (n < 0)
			return error ? fail(out, error) : false;
		*out = d->judge(p->check, p->id, data, (size_t)n);
		if (out->reason != HC_REASON_NONE)
			return true;
		if (p->others++ == HC_DATAGRAM_OTHERS) {
			*out = (struct hc_outcome){ d->others, 0 };
			return true;
		}
	}
}

bool hc_datagram_event(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       uint32_t events, struct hc_outcome *out)
{
	return events & (EPOLLIN | EPOLLERR | EPOLLHUP) && hear(p, d, io, out);
}

bool hc_datagram_again(struct hc_probe *p, const struct hc_datagrams *d, const struct hc_io *io,
		       struct hc_outcome *out)
{
	/* What was told of the first, or sending would be: */
	if (hear(p, d, io, out))
		return true;
	/* that it cannot be sent again is of our own routes, none of which refuses. */
	return ask(p, d, io) == -ECONNREFUSED && fail(out, ECONNREFUSED);
}

enum hc_reason hc_datagram_timed_out(const struct hc_probe *p, const struct hc_datagrams *d)
{
	return p->others ? d->others : d->silence(p->check);
}
