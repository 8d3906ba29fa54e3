/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which of a pool's servers take connections: what kube-proxy does in its ipvs
 * mode for what comes from outside.
 *
 * The first of these that is not empty:
 *   with externalTrafficPolicy Local, those of this node that are ready,
 *   with it, those of this node that are going but still serve,
 *   those that are ready,
 *   those that are going but still serve.
 *
 * So a machine that is no node of the cluster, or a node without a server of its
 * own, has them all: a director stands before every client alike. Pure.
 */
#ifndef AGENT_POOL_POLICY_H
#define AGENT_POOL_POLICY_H

#include <stdbool.h>
#include <stddef.h>

struct policy_server {
	bool ready;   /* takes connections, and is not going */
	bool serving; /* counts where it is going */
	bool going;
	bool local;
};

struct policy {
	bool local; /* of this node alone */
	bool going; /* those that are going and serve, for there are none better */
};

enum policy_use { POLICY_OUT, POLICY_USED, POLICY_GOING };

/* What there is, told one by one. */
struct policy_tally {
	bool ready, local_ready, lingers, local_lingers;
};
void policy_count(struct policy_tally *t, const struct policy_server *s);
struct policy policy_of(const struct policy_tally *t, bool local_wanted);

/* POLICY_GOING: no new connections, and told as such; POLICY_OUT: no member here. */
enum policy_use policy_use(const struct policy *p, const struct policy_server *s);

#endif
