/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real network behind struct hc_io: sockets and an epoll of their own. */
#ifndef HEALTHCHECK_IO_H
#define HEALTHCHECK_IO_H

#include "agent/base/attr.h"
#include "healthcheck/probe.h"

struct hc_net;

MUST_CHECK int hc_net_new(struct hc_net **out);
void hc_net_free(struct hc_net *n); /* NULL is fine; connections are their owner's */
struct hc_io hc_net_io(struct hc_net *n);
/* Readable while hc_io.poll() would find something. */
int hc_net_fd(const struct hc_net *n);
/* How many descriptors it may hold open beyond those of connections. */
unsigned hc_net_spare(const struct hc_net *n);

#endif
