/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who of all the agents does what must be done once: write Events, status,
 * slices. A Lease of the API server decides now (watch/kube_lease.h); others
 * can.
 *
 * The token grows with each change of leader. Two may believe to lead for a
 * moment, the old one until it notices: what is written under this has to bear
 * that, or to carry the token and be compared with it in the same write.
 */
#ifndef WATCH_LEADER_H
#define WATCH_LEADER_H

#include <stdbool.h>
#include <stdint.h>

struct leader_sink {
	/* It changed; from the loop. Nobody leads before the first call. */
	void (*changed)(void *arg, bool leading, uint64_t token);
	/* The election cannot be held (`why`), or NULL: it can again. Told when it changes. */
	void (*problem)(void *arg, const char *why);
	void *arg;
};

#endif
