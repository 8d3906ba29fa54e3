/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real network behind struct hc_io: sockets and an epoll of their own. */
#ifndef HEALTHCHECK_IO_H
#define HEALTHCHECK_IO_H

#include "agent/base/attr.h"
#include "agent/base/endpoint.h"
#include "healthcheck/probe.h"

struct hc_net;

/* Of whom probes are to come, by family; family 0: the kernel's choice. */
struct hc_from {
	struct addr v4, v6;
};

/* from: copied; NULL is the kernel's choice in both. An address that this machine does not have
 * makes each probe of its family fail by -EADDRNOTAVAIL, until it has it. */
MUST_CHECK int hc_net_new(const struct hc_from *from, struct hc_net **out);
void hc_net_free(struct hc_net *n); /* NULL is fine; connections are their owner's */
struct hc_io hc_net_io(struct hc_net *n);
/* Readable while hc_io.poll() would find something. */
int hc_net_fd(const struct hc_net *n);
/* How many descriptors it may hold open beyond those of connections. */
unsigned hc_net_spare(const struct hc_net *n);

#endif
