/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The half-open probe: SYN, SYN-ACK, RST.
 *
 * Our ACK is held back (TCP_QUICKACK off) and closing sends RST (SO_LINGER),
 * so the connection is never complete at the server: accept() does not return
 * it, its application sees and counts nothing, and no TIME_WAIT stays behind.
 * A full accept queue drops the SYN and so fails the probe; an application
 * that hangs with room left in its queue passes it: that takes a check of type
 * http.
 */
#include <sys/epoll.h>

#include "healthcheck/probe.h"

bool hc_tcp_event(struct hc_probe *p, const struct hc_io *io, uint64_t token, uint32_t events,
		  struct hc_outcome *out)
{
	int error = 0;

	(void)token; /* nothing else is ever waited for */
	/* Writable and no error: the SYN-ACK is here, and no question needs to be asked. */
	if (events & (EPOLLERR | EPOLLHUP))
		error = io->error(io->arg, p->fd);
	if (error)
		*out = hc_outcome_of_connection(error);
	else if (events & EPOLLHUP)
		*out = (struct hc_outcome){ HC_REASON_CLOSED, 0 };
	else if (events & EPOLLOUT)
		*out = (struct hc_outcome){ HC_REASON_OK, 0 };
	else
		return false;
	return true;
}
